/* builder.h - appending values one by one (or in runs) to make arrays.
 * Invariant: after any failure the builder can still be freed; finish moves the memory out, without
 * a copy. May call: base/, array.h.
 */
#ifndef LOCHAN_ARROW_BUILDER_H
#define LOCHAN_ARROW_BUILDER_H

#include "arrow/array.h"
#include "base/str.h"

typedef struct lochan_builder lochan_builder;

/* A builder for any supported schema (flat, list, struct, map, dictionary). The schema is copied.
 */
lochan_status lochan_builder__create(const struct ArrowSchema *schema, lochan_builder **out,
                                     lochan_error *err);
void lochan_builder__free(lochan_builder *b);
int64_t lochan_builder__length(const lochan_builder *b);
size_t lochan_builder__bytes(const lochan_builder *b); /* memory held */
lochan_status lochan_builder__reserve(lochan_builder *b, int64_t rows, lochan_error *err);

lochan_status lochan_builder__null(lochan_builder *b, lochan_error *err);
lochan_status lochan_builder__int64(lochan_builder *b, int64_t v,
                                    lochan_error *err); /* VALUE if it does not fit */
lochan_status lochan_builder__uint64(lochan_builder *b, uint64_t v, lochan_error *err);
/* Floats round to their width; other columns take the value only if they hold it exactly (decimals:
 * its shortest text). */
lochan_status lochan_builder__double(lochan_builder *b, double v, lochan_error *err);
/* Text or binary in any layout (strings are trusted to be UTF-8), or a fixed binary of its length.
 */
lochan_status lochan_builder__bytes_value(lochan_builder *b, const void *p, size_t n,
                                          lochan_error *err);
lochan_status lochan_builder__fixed(lochan_builder *b, const void *p,
                                    lochan_error *err); /* raw value of the width */
static inline lochan_status lochan_builder__str(lochan_builder *b, lochan_str s,
                                                lochan_error *err) {
    return lochan_builder__bytes_value(b, s.p, s.n, err);
}
/* n nulls. */
lochan_status lochan_builder__nulls(lochan_builder *b, int64_t n, lochan_error *err);

/* Runs of values, for columns of one fixed width that is no dictionary and no bool. extend: n valid
 * rows whose values the caller writes to *values before the next call. append_values: copies;
 * `width` bytes a value must be the column's; the bit of a null row in valid_bits (NULL: none) is
 * zero. */
lochan_status lochan_builder__extend(lochan_builder *b, int64_t n, void **values,
                                     lochan_error *err);
lochan_status lochan_builder__append_values(lochan_builder *b, const void *values, size_t width,
                                            const uint8_t *valid_bits, int64_t n,
                                            lochan_error *err);
static inline lochan_status lochan_builder__append_doubles(lochan_builder *b, const double *v,
                                                           int64_t n, lochan_error *err) {
    return lochan_builder__append_values(b, v, sizeof *v, NULL, n, err);
}
static inline lochan_status lochan_builder__append_int64s(lochan_builder *b, const int64_t *v,
                                                          int64_t n, lochan_error *err) {
    return lochan_builder__append_values(b, v, sizeof *v, NULL, n, err);
}
static inline lochan_status lochan_builder__append_int32s(lochan_builder *b, const int32_t *v,
                                                          int64_t n, lochan_error *err) {
    return lochan_builder__append_values(b, v, sizeof *v, NULL, n, err);
}

/* Copies row i of a view of the same type; layouts of text and dictionaries may differ. */
struct lochan_view;
lochan_status lochan_builder__copy(lochan_builder *b, const struct lochan_view *v, int64_t i,
                                   lochan_error *err);

/* Children of struct (n-th field), list and map (0: of a map the struct of key and value). After
 * filling the children of one row: end_row. A null row of a struct or fixed list fills the children
 * by itself. */
lochan_builder *lochan_builder__child(lochan_builder *b, int64_t i);
lochan_status lochan_builder__end_row(lochan_builder *b, lochan_error *err);

/* Moves what was built into *out and leaves the builder empty for more. Struct children must have
 * equal lengths, else INVALID_ARGUMENT and nothing is moved. When memory runs out here, what was
 * built is lost and the builder is empty. */
lochan_status lochan_builder__finish(lochan_builder *b, struct ArrowArray *out, lochan_error *err);

#endif
