/* view.h - typed reading of one column, the inner loop of everything that looks at values.
 * Invariant: a view borrows; it is valid while its array is. Indices are rows of the array (its
 * offset is applied). May call: base/, type.h, array.h.
 */
#ifndef LOCHAN_ARROW_VIEW_H
#define LOCHAN_ARROW_VIEW_H

#include "arrow/array.h"
#include "base/str.h"
#include <string.h>

typedef struct lochan_view {
    lochan_type type; /* of the values; for dictionary arrays of the dictionary's values */
    int64_t length;
    int64_t offset;
    int64_t null_count;           /* -1 = unknown */
    const uint8_t *validity;      /* NULL = no nulls */
    const void *data;             /* fixed-width values; list and string offsets are in `offsets` */
    const void *offsets;          /* int32 or int64 by type */
    const uint8_t *bytes;         /* string / binary data */
    const void *const *view_data; /* data buffers of view types */
    const struct ArrowArray *array;
    const struct ArrowSchema *schema;
    const void *indices; /* dictionary keys, NULL if not a dictionary */
    lochan_type_id index_id;
    struct lochan_view *dictionary; /* values of the dictionary, owned by the view: deinit */
} lochan_view;

/* array must have passed lochan_array__check if it came from outside. */
lochan_status lochan_view__init(lochan_view *view, const struct ArrowSchema *schema,
                                const struct ArrowArray *array, lochan_error *err);
void lochan_view__deinit(lochan_view *view);

static inline bool lochan_bit__get(const uint8_t *bits, int64_t i) {
    return (bits[i >> 3] >> (i & 7)) & 1;
}
static inline void lochan_bit__set(uint8_t *bits, int64_t i) {
    bits[i >> 3] |= (uint8_t)(1u << (i & 7));
}
static inline void lochan_bit__clear(uint8_t *bits, int64_t i) {
    bits[i >> 3] &= (uint8_t) ~(1u << (i & 7));
}
int64_t lochan_bit__count(const uint8_t *bits, int64_t offset, int64_t n); /* ones */

static inline bool lochan_view__is_valid(const lochan_view *v, int64_t i) {
    return (!v->validity || lochan_bit__get(v->validity, v->offset + i)) &&
           v->type.id != LOCHAN_TYPE_NULL;
}
/* Also follows dictionary keys to a null value. */
bool lochan_view__is_null(const lochan_view *v, int64_t i);
/* The row of v->dictionary that the valid row i of a dictionary array refers to. */
int64_t lochan_view__key(const lochan_view *v, int64_t i);
/* Any integer, bool, date, time, timestamp, duration as int64 (uint64 above INT64_MAX wraps: check
 * the type). */
int64_t lochan_view__int64(const lochan_view *v, int64_t i);
/* Any float, integer or decimal as double. */
double lochan_view__double(const lochan_view *v, int64_t i);
/* Any string or binary layout, dictionaries too. Borrowed. */
lochan_str lochan_view__bytes(const lochan_view *v, int64_t i);
/* Rows of the child (as a view of its own counts them) that belong to row i of a list or map. Row i
 * of a struct is row v->offset + i of its children. */
void lochan_view__list_range(const lochan_view *v, int64_t i, int64_t *begin, int64_t *end);
/* Text of one value for people, CSV and messages (quotes nothing): appended to out; null appends
 * nothing. Numbers in their shortest form, decimals exactly, dates and times in ISO 8601 with the
 * digits of their unit; a timestamp with a fixed offset in that offset, with a named zone in UTC
 * and Z; durations as "1500ms", binary in hex, nested values as JSON. */
lochan_status lochan_view__print(const lochan_view *v, int64_t i, lochan_buf *out,
                                 lochan_error *err);
/* One value as JSON: decimals as number literals, NaN and infinities as null, the other non-numbers
 * as strings. */
lochan_status lochan_view__json(const lochan_view *v, int64_t i, lochan_buf *out,
                                lochan_error *err);

#endif
