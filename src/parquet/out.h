/* out.h - one leaf's Arrow buffers while they are filled: validity, values, offsets, text.
 * Invariants: buffers are 64-byte aligned and move into the array without a copy; null slots hold
 * zeros. May call: base/, arrow/, encodings.h.
 */
#ifndef LOCHAN_PARQUET_OUT_H
#define LOCHAN_PARQUET_OUT_H

#include "arrow/array.h"
#include "parquet/encodings.h"
#include "parquet/schema.h"

/* Before `data` lie LOCHAN_PQ_LEAD bytes of the vec's own. */
enum { LOCHAN_PQ_LEAD = 64 };
typedef struct lochan_pq_vec {
    uint8_t *data;
    size_t len, cap;
} lochan_pq_vec;

/* Room for `extra` more bytes after len (and LOCHAN_PQ_PAD writable ones after those). */
lochan_status lochan_pq_vec__reserve(lochan_pq_vec *v, size_t extra, lochan_error *err);
void lochan_pq_vec__free(lochan_pq_vec *v);

/* What the buffers of a batch may take: `free` bytes that the budget knows of already, the rest is
 * taken from it as they grow. Many buffers may grow at a time. */
typedef struct lochan_pq_claim {
    lochan_budget *budget;
    size_t free;
    _Atomic size_t used, taken;
} lochan_pq_claim;

lochan_status lochan_pq_claim__take(lochan_pq_claim *claim, size_t bytes, lochan_error *err);
void lochan_pq_claim__end(lochan_pq_claim *claim); /* gives back what was taken */

typedef enum lochan_pq_out_kind {
    LOCHAN_PQ_OUT_FIXED,
    LOCHAN_PQ_OUT_BITS,
    LOCHAN_PQ_OUT_STRING, /* 32-bit offsets */
    LOCHAN_PQ_OUT_LARGE,  /* 64-bit offsets */
    LOCHAN_PQ_OUT_VIEW,
    LOCHAN_PQ_OUT_KEYS, /* int32 keys into the column's dictionary */
    LOCHAN_PQ_OUT_NULL
} lochan_pq_out_kind;

typedef struct lochan_pq_out {
    lochan_pq_out_kind kind;
    int32_t width; /* bytes of a slot in `values`; 0 for bits and null */
    bool nullable;
    int64_t length, nulls;
    lochan_pq_vec validity; /* only if nullable */
    lochan_pq_vec values;   /* fixed values, bits, offsets, views, keys */
    lochan_pq_vec bytes;    /* text */
    /* VIEW: the data buffers that views name by number. NULL stands for `bytes`. */
    lochan_buffer **shown;
    int n_shown, bytes_at;  /* bytes_at: number of `bytes`, -1 = none yet */
    lochan_pq_claim *claim; /* borrowed; NULL: nobody counts */
} lochan_pq_out;

void lochan_pq_out__init(lochan_pq_out *out, const lochan_pq_leaf *leaf, bool dictionary);
void lochan_pq_out__free(lochan_pq_out *out);
/* Room for `extra` more bytes in a vec that belongs to the batch. */
lochan_status lochan_pq_out__grow(const lochan_pq_out *out, lochan_pq_vec *v, size_t extra,
                                  lochan_error *err);
/* Room for n more slots. */
lochan_status lochan_pq_out__reserve(lochan_pq_out *out, int64_t n, lochan_error *err);

/* A batch of slots is added in three steps: its validity bits are set from bit `length` on; its
 * `valid` values are put densely from slot `length` on (fixed kinds) or by add_slices; then spread
 * moves them apart and counts the slots in. */
static inline uint8_t *lochan_pq_out__slot(lochan_pq_out *out, int64_t i) {
    return out->values.data + (size_t)i * (size_t)out->width;
}
/* Appends n texts as slots [length + at, ...). STRING: UNSUPPORTED past 2 GiB. */
lochan_status lochan_pq_out__add_slices(lochan_pq_out *out, int64_t at,
                                        const lochan_pq_slice *slices, size_t n, lochan_error *err);
/* The same for views of texts that lie in `buffer`, which is shown instead of copied. */
lochan_status lochan_pq_out__show_slices(lochan_pq_out *out, int64_t at,
                                         const lochan_pq_slice *slices, size_t n,
                                         lochan_buffer *buffer, lochan_error *err);
/* The number under which views show the buffer (which gets a reference). */
lochan_status lochan_pq_out__show(lochan_pq_out *out, lochan_buffer *buffer, uint32_t *number,
                                  lochan_error *err);
/* A view of a text `offset` bytes into buffer `number`. */
void lochan_pq_view__write(uint8_t *view, const lochan_pq_slice *s, uint32_t number,
                           uint32_t offset);
void lochan_pq_out__spread(lochan_pq_out *out, int64_t slots, int64_t valid);

/* Moves the buffers into *array (without dictionary), leaving `out` empty. */
lochan_status lochan_pq_out__finish(lochan_pq_out *out, struct ArrowArray *array,
                                    lochan_error *err);
/* Gives the bytes of a vec to a buffer slot of an array. */
lochan_status lochan_pq_vec__give(lochan_pq_vec *v, struct ArrowArray *array, int slot,
                                  lochan_error *err);

#endif
