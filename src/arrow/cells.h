/* cells.h - one column as the inner loops of compare, sort, hash, equal and expr read it: slots of
 * a values array, with dictionary keys in front of it where there are any. Invariant: borrows; `at`
 * already holds the offsets of the array and of its parents. May call: base/, array.h, type.h.
 */
#ifndef LOCHAN_ARROW_CELLS_H
#define LOCHAN_ARROW_CELLS_H

#include "arrow/array.h"
#include "arrow/view.h"
#include "base/str.h"

#include <math.h>
#include <string.h>

typedef __int128 lochan_i128;
typedef unsigned __int128 lochan_u128;

typedef struct lochan_cells {
    lochan_type type;                 /* of the values */
    const struct ArrowSchema *schema; /* of the values */
    const struct ArrowArray *array;   /* the values: the dictionary's if there are keys */
    const uint8_t *validity;          /* of the values, NULL = no nulls */
    const void *data;                 /* fixed-width values, offsets or views */
    const uint8_t *bytes;
    int64_t at;     /* slot of row 0 (without keys) or of key 0 */
    int64_t length; /* rows */
    const void *keys;
    lochan_type_id key_id;
    const uint8_t *keys_validity;
    int64_t keys_at;
} lochan_cells;

/* shift = offsets of the parents. UNSUPPORTED for dictionaries of dictionaries. */
lochan_status lochan_cells__init(lochan_cells *c, const struct ArrowSchema *schema,
                                 const struct ArrowArray *array, int64_t shift, lochan_error *err);
/* The dictionary's values as a column of their own. */
lochan_cells lochan_cells__dictionary(const lochan_cells *c);

static inline int64_t lochan_cells__key(const lochan_cells *c, int64_t row) {
    int64_t i = c->keys_at + row;
    switch (c->key_id) {
    case LOCHAN_TYPE_INT8:
        return ((const int8_t *)c->keys)[i];
    case LOCHAN_TYPE_UINT8:
        return ((const uint8_t *)c->keys)[i];
    case LOCHAN_TYPE_INT16:
        return ((const int16_t *)c->keys)[i];
    case LOCHAN_TYPE_UINT16:
        return ((const uint16_t *)c->keys)[i];
    case LOCHAN_TYPE_INT32:
        return ((const int32_t *)c->keys)[i];
    case LOCHAN_TYPE_UINT32:
        return ((const uint32_t *)c->keys)[i];
    default:
        return ((const int64_t *)c->keys)[i];
    }
}

/* Slot of a row's value, -1 if it is null. */
static inline int64_t lochan_cells__slot(const lochan_cells *c, int64_t row) {
    int64_t slot = row;
    if (c->keys) {
        if (c->keys_validity && !lochan_bit__get(c->keys_validity, c->keys_at + row))
            return -1;
        slot = lochan_cells__key(c, row);
    }
    slot += c->at;
    if (c->type.id == LOCHAN_TYPE_NULL || (c->validity && !lochan_bit__get(c->validity, slot)))
        return -1;
    return slot;
}

/* Integers, bools, dates, times, durations. uint64 above INT64_MAX wraps. */
int64_t lochan_cells__int(const lochan_cells *c, int64_t slot);
/* Floats of any width. */
double lochan_cells__float(const lochan_cells *c, int64_t slot);

static inline lochan_i128 lochan_cells__decimal(const lochan_cells *c, int64_t slot) {
    lochan_i128 v;
    memcpy(&v, (const uint8_t *)c->data + 16 * slot, 16);
    return v;
}

/* Any text or binary layout, fixed-size binary too. */
static inline lochan_str lochan_cells__bytes(const lochan_cells *c, int64_t slot) {
    switch (c->type.id) {
    case LOCHAN_TYPE_STRING:
    case LOCHAN_TYPE_BINARY: {
        const int32_t *o = (const int32_t *)c->data + slot;
        return (lochan_str){(const char *)c->bytes + o[0], (size_t)(o[1] - o[0])};
    }
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_LARGE_BINARY: {
        const int64_t *o = (const int64_t *)c->data + slot;
        return (lochan_str){(const char *)c->bytes + o[0], (size_t)(o[1] - o[0])};
    }
    case LOCHAN_TYPE_FIXED_BINARY:
        return (lochan_str){(const char *)c->data + slot * c->type.byte_width,
                            (size_t)c->type.byte_width};
    default: {
        const int32_t *view = (const int32_t *)c->data + 4 * slot;
        if (view[0] <= 12)
            return (lochan_str){(const char *)(view + 1), (size_t)view[0]};
        return (lochan_str){(const char *)c->array->buffers[2 + view[2]] + view[3],
                            (size_t)view[0]};
    }
    }
}

static inline int lochan_str__compare(lochan_str a, lochan_str b) {
    size_t n = a.n < b.n ? a.n : b.n;
    int c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* NaN is greater than all numbers and equal to itself; -0.0 equals 0.0. */
static inline int lochan_double__compare(double a, double b) {
    if (a < b)
        return -1;
    if (a > b)
        return 1;
    return isnan(a) - isnan(b);
}

/* Compares two values of one type (slots, not null). NULL for types without an order. */
typedef int (*lochan_slot_compare)(const lochan_cells *a, int64_t sa, const lochan_cells *b,
                                   int64_t sb);
lochan_slot_compare lochan_slot_compare__of(const lochan_type *type);

#endif
