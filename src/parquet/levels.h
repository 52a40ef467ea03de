/* levels.h - definition and repetition levels of one page, read one after the other.
 * Invariant: no level past `max` is handed out; false means that the bytes are damaged or too few.
 * May call: base/, rle.h.
 */
#ifndef LOCHAN_PARQUET_LEVELS_H
#define LOCHAN_PARQUET_LEVELS_H

#include "parquet/rle.h"

/* Levels of one page. */
typedef struct lochan_pq_levels {
    unsigned width;
    uint8_t max;
    bool packed; /* deprecated BIT_PACKED: most significant bit first */
    const uint8_t *bits;
    uint64_t next, limit; /* in bits */
    lochan_rle rle;
} lochan_pq_levels;

/* packed: the deprecated BIT_PACKED encoding. */
void lochan_pq_levels__begin(lochan_pq_levels *l, unsigned max, const uint8_t *data, size_t n,
                             bool packed);
bool lochan_pq_levels__read(lochan_pq_levels *l, uint8_t *out, uint32_t n);
bool lochan_pq_levels__skip(lochan_pq_levels *l, uint32_t n);
/* The next n levels as bits from bit `to` on, set where a level is `max`; *ones of them. */
bool lochan_pq_levels__read_bits(lochan_pq_levels *l, uint8_t *bits, int64_t to, uint32_t n,
                                 size_t *ones);

#endif
