/* json_page.c - any bytes as a page of JSON, decoded as the shape that the first byte draws.
 * Checked: no crash; either an error of a page, a code of the provider's, or a batch that passes
 * every check of an array from outside.
 */
#include "source/decode.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static lochan_source_spec *specs[4];

static void parse_specs(void) {
    static const char *const texts[] = {
        "name: s\nkind: http\nurl: http://h\nformat: table\nresponse: {fields: data.fields, items: "
        "data.items, error_code: code, ok: [0], message: msg}\nerrors: [{code: 1, meaning: retry}, "
        "{code: 2, meaning: rate_limit}, {code: 3, meaning: empty}]\npaging: {kind: offset, "
        "has_more: data.has_more, total: total}\n",
        "name: s\nkind: http\nurl: http://h\nformat: records\nresponse: {items: data}\npaging: "
        "{kind: cursor, next: next}\njson: {null_texts: ['', '-']}\n",
        "name: s\nkind: http\nurl: http://h\nformat: records\njson: {nan_is_null: true}\n",
        "name: s\nkind: http\nurl: http://h\nformat: ndjson\n"};
    for (size_t i = 0; i < 4; i++)
        if (lochan_source_spec__parse(texts[i], strlen(texts[i]), "s", &specs[i], NULL) !=
            LOCHAN_OK)
            abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    const lochan_csv_column columns[] = {
        {.name = "d", .type = {.id = LOCHAN_TYPE_DATE32}, .optional = true, .nullable = true},
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
        {.name = "x", .type = {.id = LOCHAN_TYPE_FLOAT64}, .optional = true, .nullable = true},
    };
    lochan_csv_options o = {.columns = columns, .n_columns = LOCHAN_COUNTOF(columns)};
    if (size < 1)
        return 0;
    if (!specs[0])
        parse_specs();
    o.rest = data[0] & 4 ? LOCHAN_CSV_REST_SKIP : LOCHAN_CSV_REST_TYPE;
    const lochan_source_spec *spec = specs[data[0] & 3];
    lochan_buf body;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_page_facts facts;
    lochan_buf__init(&body, size);
    lochan_error_init(&err);
    if (lochan_buf__append(&body, data + 1, size - 1, &err) != LOCHAN_OK)
        abort();
    lochan_status rc =
        lochan_source__decode(NULL, spec, &spec->paging, &o, &body, &schema, &batch, &facts, &err);
    if (rc != LOCHAN_OK) {
        bool known = rc == LOCHAN_ERR_PAGE || rc == LOCHAN_ERR_HTTP || rc == LOCHAN_ERR_NETWORK ||
                     rc == LOCHAN_ERR_RATE_LIMIT;
        if (!known || err.code != rc || err.message[0] == '\0' || schema.release || batch.release)
            abort();
    } else {
        if (lochan_schema__check(&schema, &err) != LOCHAN_OK ||
            lochan_array__check(&schema, &batch, &err) != LOCHAN_OK)
            abort();
        lochan_schema__release(&schema);
        lochan_array__release(&batch);
        lochan_page_facts__deinit(&facts);
    }
    lochan_buf__deinit(&body);
    return 0;
}
