/* sample.h - a batch with a column of every type, for the tests of arrow/.
 * Invariant: row r of every nullable column is null where r % 5 == 3; other values follow from r.
 */
#ifndef TEST_ARROW_SAMPLE_H
#define TEST_ARROW_SAMPLE_H

#include "support/cmocka_all.h"

#include "arrow/builder.h"
#include "arrow/view.h"
#include "base/buf.h"
#include <stdio.h>

/* Format strings of the flat columns; each is also its column's name. */
static const char *const sample_formats[] = {
    "n",   "b",   "c",   "C",   "s",    "S",       "i",           "I",
    "l",   "L",   "e",   "f",   "g",    "d:20,4",  "d:50,10,256", "u",
    "U",   "vu",  "z",   "Z",   "vz",   "w:3",     "tdD",         "tdm",
    "tts", "ttm", "ttu", "ttn", "tss:", "tsm:UTC", "tsu:+05:30",  "tsn:Europe/Paris",
    "tDs", "tDn",
};
enum { SAMPLE_FLAT = sizeof sample_formats / sizeof sample_formats[0], SAMPLE_NESTED = 7 };

static inline lochan_type sample_type(const char *format) {
    lochan_type type;
    lochan_error err;
    assert_ok(lochan_type__parse(format, &type, &err));
    return type;
}

static inline lochan_status sample_field(struct ArrowSchema *field, const char *name,
                                         const char *format, int64_t n_children,
                                         lochan_error *err) {
    lochan_type type = sample_type(format);
    return lochan_schema__set_nested(field, name, &type, true, n_children, err);
}

static inline lochan_status sample_nested(struct ArrowSchema **c, lochan_error *err) {
    lochan_type index = sample_type("c");
    lochan_type text = sample_type("u");
    LOCHAN_TRY(sample_field(c[0], "list", "+l", 1, err));
    LOCHAN_TRY(sample_field(c[0]->children[0], "item", "vu", 0, err));
    LOCHAN_TRY(sample_field(c[1], "large", "+L", 1, err));
    LOCHAN_TRY(sample_field(c[1]->children[0], "item", "+s", 1, err));
    LOCHAN_TRY(sample_field(c[1]->children[0]->children[0], "x", "g", 0, err));
    LOCHAN_TRY(sample_field(c[2], "pair", "+w:2", 1, err));
    LOCHAN_TRY(sample_field(c[2]->children[0], "item", "s", 0, err));
    LOCHAN_TRY(sample_field(c[3], "struct", "+s", 2, err));
    LOCHAN_TRY(sample_field(c[3]->children[0], "a", "l", 0, err));
    LOCHAN_TRY(sample_field(c[3]->children[1], "b", "u", 0, err));
    LOCHAN_TRY(sample_field(c[4], "map", "+m", 1, err));
    LOCHAN_TRY(lochan_schema__set_nested(c[4]->children[0], "entries",
                                         &(lochan_type){.id = LOCHAN_TYPE_STRUCT}, false, 2, err));
    LOCHAN_TRY(lochan_schema__set_field(c[4]->children[0]->children[0], "key", &text, false, err));
    LOCHAN_TRY(sample_field(c[4]->children[0]->children[1], "value", "i", 0, err));
    LOCHAN_TRY(lochan_schema__set_dictionary(c[5], "word", &index, &text, true, err));
    index = sample_type("I");
    text = sample_type("tdD");
    return lochan_schema__set_dictionary(c[6], "day", &index, &text, true, err);
}

static inline lochan_status sample_schema(struct ArrowSchema *out, lochan_error *err) {
    lochan_status rc;
    LOCHAN_TRY(lochan_schema__init_struct(out, SAMPLE_FLAT + SAMPLE_NESTED, err));
    for (int i = 0; i < SAMPLE_FLAT; i++)
        LOCHAN_TRYG(sample_field(out->children[i], sample_formats[i], sample_formats[i], 0, err));
    LOCHAN_TRYG(sample_nested(out->children + SAMPLE_FLAT, err));
done:
    if (rc != LOCHAN_OK)
        lochan_schema__release(out);
    return rc;
}

static inline lochan_status sample_fill(lochan_builder *b, const struct ArrowSchema *schema,
                                        int64_t r, lochan_error *err);

static inline lochan_status sample_items(lochan_builder *b, const struct ArrowSchema *schema,
                                         int64_t r, int64_t n, lochan_error *err) {
    for (int64_t i = 0; i < schema->n_children; i++)
        for (int64_t k = 0; k < n; k++)
            LOCHAN_TRY(sample_fill(lochan_builder__child(b, i), schema->children[i], r + k, err));
    return lochan_builder__end_row(b, err);
}

/* Appends row r to a builder of any type. */
static inline lochan_status sample_fill(lochan_builder *b, const struct ArrowSchema *schema,
                                        int64_t r, lochan_error *err) {
    char text[64];
    const struct ArrowSchema *values = schema->dictionary ? schema->dictionary : schema;
    lochan_type type = sample_type(values->format);
    bool nullable = schema->flags & ARROW_FLAG_NULLABLE;
    if ((nullable && r % 5 == 3) || type.id == LOCHAN_TYPE_NULL)
        return lochan_builder__null(b, err);
    if (lochan_type__is_bytes(type.id)) {
        int64_t n =
            snprintf(text, sizeof text, r % 2 ? "value %lld of some length \xc3\xa4" : "v%lld",
                     (long long)(schema->dictionary ? r % 3 : r));
        return lochan_builder__bytes_value(b, text, (size_t)n, err);
    }
    if (type.id == LOCHAN_TYPE_FIXED_BINARY)
        return lochan_builder__bytes_value(b, "abc", 3, err);
    if (type.id == LOCHAN_TYPE_BOOL)
        return lochan_builder__int64(b, r & 1, err);
    if (lochan_type__is_float(type.id))
        return lochan_builder__double(b, (double)r / 2, err);
    if (!lochan_type__is_nested(type.id))
        return lochan_builder__int64(b, r % 100, err);
    if (type.id == LOCHAN_TYPE_STRUCT)
        return sample_items(b, schema, r, 1, err);
    return sample_items(b, schema, r, type.id == LOCHAN_TYPE_FIXED_LIST ? 2 : r % 4, err);
}

static inline lochan_status sample_batch(const struct ArrowSchema *schema, int64_t rows,
                                         struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_builder *b;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_builder__create(schema, &b, err));
    for (int64_t r = 0; r < rows; r++) {
        for (int64_t c = 0; c < schema->n_children; c++)
            LOCHAN_TRYG(sample_fill(lochan_builder__child(b, c), schema->children[c], r, err));
        LOCHAN_TRYG(lochan_builder__end_row(b, err));
    }
    LOCHAN_TRYG(lochan_builder__finish(b, out, err));
done:
    lochan_builder__free(b);
    return rc;
}

/* One row as JSON in a static buffer. */
static inline const char *sample_json(const struct ArrowSchema *schema,
                                      const struct ArrowArray *array, int64_t row) {
    static char text[8192];
    lochan_error err;
    lochan_view view;
    lochan_buf out;
    lochan_buf__init(&out, sizeof text - 1);
    assert_ok(lochan_view__init(&view, schema, array, &err));
    assert_ok(lochan_view__json(&view, row, &out, &err));
    memcpy(text, out.data, out.len + 1);
    lochan_buf__deinit(&out);
    lochan_view__deinit(&view);
    return text;
}

/* A batch of one column "x" of the format, still without rows. */
static inline void sample_one(const char *format, struct ArrowSchema *schema,
                              lochan_builder **builder) {
    lochan_error err;
    assert_ok(sample_field(schema, "x", format, 0, &err));
    assert_ok(lochan_builder__create(schema, builder, &err));
}

#endif
