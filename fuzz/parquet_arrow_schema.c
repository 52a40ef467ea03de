/* parquet_arrow_schema.c - any bytes as the Arrow schema that a Parquet file carries, held against
 * a schema of every kind of field. The first byte chooses whether layouts of text are taken too.
 * Checked: no crash; the schema stays one that passes the checks of a schema from outside, with the
 * same columns; what is written of it restores it again.
 */
#include "parquet/arrow_schema.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static lochan_status add_field(struct ArrowSchema *at, const char *name, const char *format,
                               lochan_error *err) {
    lochan_type type;
    LOCHAN_TRY(lochan_type__parse(format, &type, err));
    return lochan_schema__set_nested(at, name, &type, true,
                                     format[0] != '+'   ? 0
                                     : format[1] == 's' ? 2
                                                        : 1,
                                     err);
}

static lochan_status make(struct ArrowSchema *out, lochan_error *err) {
    static const char *const formats[] = {"l",     "tsm:UTC", "ttm", "tdD", "u",  "z",
                                          "d:9,2", "g",       "+l",  "+s",  "+m", "n"};
    static const char *const names[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"};
    LOCHAN_TRY(lochan_schema__init_struct(out, LOCHAN_COUNTOF(formats), err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(formats); i++)
        LOCHAN_TRY(add_field(out->children[i], names[i], formats[i], err));
    LOCHAN_TRY(add_field(out->children[8]->children[0], "element", "l", err));
    LOCHAN_TRY(add_field(out->children[9]->children[0], "x", "l", err));
    LOCHAN_TRY(add_field(out->children[9]->children[1], "y", "+l", err));
    LOCHAN_TRY(add_field(out->children[9]->children[1]->children[0], "element", "u", err));
    struct ArrowSchema *entries = out->children[10]->children[0];
    LOCHAN_TRY(add_field(entries, "key_value", "+s", err));
    entries->flags = 0;
    LOCHAN_TRY(add_field(entries->children[0], "key", "u", err));
    entries->children[0]->flags = 0;
    return add_field(entries->children[1], "value", "l", err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    struct ArrowSchema schema = {0}, again = {0};
    lochan_error err;
    lochan_buf text;
    if (size < 1)
        return 0;
    lochan_buf__init(&text, 64 << 20);
    lochan_error_init(&err);
    bool texts = data[0] & 1;
    lochan_status rc = make(&schema, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_pq_arrow_schema__restore_message(&schema, data + 1, size - 1, texts, &err);
    if (rc != LOCHAN_OK || schema.n_children != 12 ||
        lochan_schema__check(&schema, &err) != LOCHAN_OK)
        abort();
    if (lochan_pq_arrow_schema__write(&schema, &text, &err) != LOCHAN_OK ||
        make(&again, &err) != LOCHAN_OK ||
        lochan_pq_arrow_schema__restore(&again, (const char *)text.data, text.len, texts, &err) !=
            LOCHAN_OK)
        abort();
    for (int i = 0; i < 12; i++) { /* seconds of a time of day are not told */
        if (i != 2 && strcmp(schema.children[i]->format, again.children[i]->format) != 0)
            abort();
    }
    lochan_buf__deinit(&text);
    lochan_schema__release(&schema);
    lochan_schema__release(&again);
    return 0;
}
