/* levels.c - see levels.h. May call: base/, bits.h, rle.h. */
#include "parquet/levels.h"
#include "parquet/bits.h"
#include <string.h>

enum { BLOCK = 1024 };

void lochan_pq_levels__begin(lochan_pq_levels *l, unsigned max, const uint8_t *data, size_t n,
                             bool packed) {
    *l = (lochan_pq_levels){
        .max = (uint8_t)max, .packed = packed, .bits = data, .limit = (uint64_t)n * 8};
    l->width = lochan_bits__width(max);
    if (max > 0 && !packed)
        lochan_rle__init(&l->rle, data, n, l->width);
}

bool lochan_pq_levels__read(lochan_pq_levels *l, uint8_t *out, uint32_t n) {
    if (l->max == 0) {
        memset(out, 0, n);
        return true;
    }
    if (!l->packed) {
        if (!lochan_rle__read8(&l->rle, out, n))
            return false;
    } else {
        if (l->next + (uint64_t)n * l->width > l->limit)
            return false;
        for (uint32_t i = 0; i < n; i++) {
            unsigned v = 0;
            for (unsigned b = 0; b < l->width; b++, l->next++)
                v = v << 1 | ((l->bits[l->next >> 3] >> (7 - (l->next & 7))) & 1);
            out[i] = (uint8_t)v;
        }
    }
    uint8_t largest = 0;
    for (uint32_t i = 0; i < n; i++)
        largest = out[i] > largest ? out[i] : largest;
    return largest <= l->max;
}

bool lochan_pq_levels__skip(lochan_pq_levels *l, uint32_t n) {
    if (l->max == 0)
        return true;
    if (!l->packed)
        return lochan_rle__skip(&l->rle, n);
    l->next += (uint64_t)n * l->width;
    return l->next <= l->limit;
}

/* Definition levels of a flat column as validity bits: set where nothing on its path is null. */
bool lochan_pq_levels__read_bits(lochan_pq_levels *l, uint8_t *bits, int64_t to, uint32_t n,
                                 size_t *ones) {
    uint8_t block[BLOCK];
    if (!l->packed && l->max == 1)
        return lochan_rle__read_bits(&l->rle, bits, to, n, ones);
    *ones = 0;
    for (uint32_t at = 0; at < n; at += BLOCK) {
        uint32_t m = n - at < BLOCK ? n - at : BLOCK;
        if (!lochan_pq_levels__read(l, block, m))
            return false;
        for (uint32_t i = 0; i < m; i++) {
            lochan_bits__fill(bits, to + at + i, 1, block[i] == l->max);
            *ones += block[i] == l->max;
        }
    }
    return true;
}
