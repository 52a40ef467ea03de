/* rle.h - Parquet's hybrid of run lengths and bit packing: levels, dictionary keys, booleans.
 * Invariant: the reader hands out spans inside the bytes it was given; a run that claims more than
 * is there ends early. May call: base/, bits.h.
 */
#ifndef LOCHAN_PARQUET_RLE_H
#define LOCHAN_PARQUET_RLE_H

#include "base/buf.h"

typedef struct lochan_rle {
    const uint8_t *pos;
    const uint8_t *end;
    unsigned width;
    uint64_t left; /* values of the current run not handed out */
    bool packed;
    uint32_t value;      /* of a repeated run */
    const uint8_t *bits; /* of a packed run */
    size_t bits_size;
    uint64_t next; /* next value of the packed run */
} lochan_rle;

/* Part of one run: n times `value`, or n packed values from index `first` on. */
typedef struct lochan_rle_span {
    uint32_t n;
    bool packed;
    uint32_t value;
    const uint8_t *bits;
    size_t bits_size;
    uint64_t first;
} lochan_rle_span;

void lochan_rle__init(lochan_rle *rle, const uint8_t *data, size_t n, unsigned width);
/* The next span of at most `max` (> 0) values; false if nothing is left or the bytes are damaged.
 */
bool lochan_rle__next(lochan_rle *rle, uint32_t max, lochan_rle_span *out);
/* Values [at, at + n) of a packed span. */
void lochan_rle_span__unpack(const lochan_rle_span *span, unsigned width, uint32_t at, uint32_t n,
                             uint32_t *out);

/* Reads exactly n values; false if there are fewer. */
bool lochan_rle__read32(lochan_rle *rle, uint32_t *out, size_t n);
bool lochan_rle__read8(lochan_rle *rle, uint8_t *out, size_t n); /* width <= 8 */
/* width 1 only: n bits into dst from bit `to` on. *ones = how many are set. */
bool lochan_rle__read_bits(lochan_rle *rle, uint8_t *dst, int64_t to, size_t n, size_t *ones);
bool lochan_rle__skip(lochan_rle *rle, size_t n);

/* Appends the hybrid form of n values below 2^width. */
lochan_status lochan_rle__write32(lochan_buf *buf, const uint32_t *values, size_t n, unsigned width,
                                  lochan_error *err);
lochan_status lochan_rle__write8(lochan_buf *buf, const uint8_t *values, size_t n, unsigned width,
                                 lochan_error *err);

#endif
