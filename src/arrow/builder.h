/* builder.h - appending values one by one (or in runs) to make arrays.
 * Invariant: after any failure the builder can still be freed; finish moves the memory out, without a copy.
 * May call: base/, array.h.
 */
#ifndef LOCHAN_ARROW_BUILDER_H
#define LOCHAN_ARROW_BUILDER_H

#include "arrow/array.h"
#include "base/str.h"

typedef struct lochan_builder lochan_builder;

/* A builder for any supported schema (flat, list, struct, map, dictionary). The schema is copied. */
lochan_status lochan_builder__create(const struct ArrowSchema *schema, lochan_builder **out, lochan_error *err);
void lochan_builder__free(lochan_builder *b);
int64_t lochan_builder__length(const lochan_builder *b);
size_t lochan_builder__bytes(const lochan_builder *b); /* memory held */
lochan_status lochan_builder__reserve(lochan_builder *b, int64_t rows, lochan_error *err);

lochan_status lochan_builder__null(lochan_builder *b, lochan_error *err);
lochan_status lochan_builder__int64(lochan_builder *b, int64_t v, lochan_error *err);   /* VALUE if it does not fit */
lochan_status lochan_builder__uint64(lochan_builder *b, uint64_t v, lochan_error *err);
lochan_status lochan_builder__double(lochan_builder *b, double v, lochan_error *err);
lochan_status lochan_builder__bytes_value(lochan_builder *b, const void *p, size_t n, lochan_error *err);
lochan_status lochan_builder__fixed(lochan_builder *b, const void *p, lochan_error *err); /* raw value of the width */
static inline lochan_status lochan_builder__str(lochan_builder *b, lochan_str s, lochan_error *err) {
    return lochan_builder__bytes_value(b, s.p, s.n, err);
}
/* Copies row i of a view of the same type. */
struct lochan_view;
lochan_status lochan_builder__copy(lochan_builder *b, const struct lochan_view *v, int64_t i, lochan_error *err);

/* Children of struct (n-th field), list and map (0). After filling the children of one row: end_row. */
lochan_builder *lochan_builder__child(lochan_builder *b, int64_t i);
lochan_status lochan_builder__end_row(lochan_builder *b, lochan_error *err);

/* Moves what was built into *out and leaves the builder empty for more. Struct children must have equal lengths. */
lochan_status lochan_builder__finish(lochan_builder *b, struct ArrowArray *out, lochan_error *err);

#endif
