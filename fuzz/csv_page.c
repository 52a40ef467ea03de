/* csv_page.c - any bytes as a page of CSV, decoded under options drawn from its first two bytes.
 * Checked: no crash; either an error of a page or a batch that passes every check of an array from
 * outside.
 */
#include "source/csv.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const nulls[] = {"", "N/A", "-"};
    lochan_date_format ymd;
    lochan_error err;
    if (size < 2 || lochan_date_format__init(&ymd, "%Y%m%d", &err) != LOCHAN_OK)
        return 0;
    const lochan_csv_column columns[] = {
        {.name = "d", .type = {.id = LOCHAN_TYPE_DATE32}, .optional = true, .nullable = true},
        {.name = "y", .type = {.id = LOCHAN_TYPE_DATE32}, .date_format = &ymd, .optional = true},
        {.name = "t",
         .type = {.id = LOCHAN_TYPE_TIMESTAMP, .unit = LOCHAN_UNIT_MICRO},
         .optional = true,
         .nullable = true},
        {.name = "i", .type = {.id = LOCHAN_TYPE_INT16}, .optional = true, .nullable = true},
        {.name = "b", .type = {.id = LOCHAN_TYPE_BOOL}, .optional = true, .nullable = true},
        {.name = "m",
         .type = {.id = LOCHAN_TYPE_DECIMAL128, .precision = 20, .scale = 4},
         .optional = true,
         .nullable = true},
        {.name = "s", .type = {.id = LOCHAN_TYPE_STRING}, .optional = true},
        {.name = "x", .type = {.id = LOCHAN_TYPE_BINARY}, .optional = true, .nullable = true},
    };
    lochan_csv_options o = {.columns = columns, .n_columns = LOCHAN_COUNTOF(columns)};
    o.delimiter = data[0] & 1 ? ';' : ',';
    o.rest = data[0] & 2 ? LOCHAN_CSV_REST_SKIP : LOCHAN_CSV_REST_TYPE;
    o.rest_type.id = data[0] & 4 ? LOCHAN_TYPE_FLOAT64 : LOCHAN_TYPE_STRING;
    o.strict_end = data[0] & 8;
    o.null_texts = data[1] & 1 ? nulls : NULL;
    o.n_null_texts = LOCHAN_COUNTOF(nulls);
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_error_init(&err);
    lochan_status rc = lochan_csv__decode(NULL, &o, data + 2, size - 2, &schema, &batch, &err);
    if (rc != LOCHAN_OK) {
        if (rc != LOCHAN_ERR_PAGE || err.code != rc || err.message[0] == '\0' || schema.release ||
            batch.release)
            abort();
        return 0;
    }
    if (lochan_schema__check(&schema, &err) != LOCHAN_OK ||
        lochan_array__check(&schema, &batch, &err) != LOCHAN_OK)
        abort();
    lochan_schema__release(&schema);
    lochan_array__release(&batch);
    return 0;
}
