/* parquet_values.h - any bytes as the values of one page, for one decoder. Each encoding is a
 * target of its own (parquet_plain.c and so on), so that each gets its share of runs. The first two
 * bytes choose the physical type and the size of pieces. Checked: no crash, no read outside the
 * bytes, no slice outside what a decoder may show.
 */
#ifndef LOCHAN_FUZZ_PARQUET_VALUES_H
#define LOCHAN_FUZZ_PARQUET_VALUES_H

#include "parquet/encodings.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { FUZZ_PIECE = 64, FUZZ_VALUES = 1000 };

static inline void fuzz_read_bytes(lochan_pq_values *v, size_t piece) {
    lochan_pq_slice slices[FUZZ_PIECE];
    for (size_t n = 0; n < FUZZ_VALUES;) {
        size_t m = v->ops->bytes(v, piece, slices);
        if (m == 0)
            return;
        if (m > piece)
            abort();
        for (size_t i = 0; i < m; i++) { /* touch both ends */
            const volatile uint8_t *p = slices[i].p;
            if (slices[i].n > 0)
                (void)p[0], (void)p[slices[i].n - 1];
        }
        n += m;
    }
}

static inline void fuzz_read_values(lochan_pq_values *v, size_t piece) {
    uint8_t out[FUZZ_PIECE * 16 + 16];
    if (v->ops->begin && !v->ops->begin(v))
        return;
    if (v->physical == LOCHAN_PQ_BYTE_ARRAY) {
        fuzz_read_bytes(v, piece);
        return;
    }
    for (size_t n = 0; n < FUZZ_VALUES; n += piece) {
        if (v->physical == LOCHAN_PQ_BOOLEAN ? !v->ops->bits(v, piece, out, 3)
                                             : !v->ops->fixed(v, piece, out))
            return;
    }
}

/* Physical types for which the encoding has no decoder are read as `otherwise`. */
static inline int fuzz_values(int32_t encoding, int32_t otherwise, const uint8_t *data,
                              size_t size) {
    static const int32_t widths[] = {0, 4, 8, 12, 4, 8, 0, 7};
    if (size < 2)
        return 0;
    int32_t physical = data[0] & 7;
    if (!lochan_pq_decoding__find(encoding, physical))
        physical = otherwise;
    size_t piece = 1 + data[1] % FUZZ_PIECE, n = size - 2;
    /* pages are followed by readable bytes, but nothing in them counts */
    uint8_t *page = malloc(n + LOCHAN_PQ_PAD);
    if (!page)
        return 0;
    memcpy(page, data + 2, n);
    memset(page + n, 0xff, LOCHAN_PQ_PAD);
    lochan_budget budget;
    lochan_budget__init(&budget, 64 << 20);
    lochan_pq_scratch made = {.budget = &budget}, last = {.budget = &budget};
    lochan_pq_values v = {.physical = physical,
                          .width = widths[physical],
                          .pos = page,
                          .end = page + n,
                          .count = FUZZ_VALUES,
                          .made = &made,
                          .last = &last};
    v.ops = lochan_pq_decoding__find(encoding, physical);
    fuzz_read_values(&v, piece);
    lochan_pq_scratch__free(&made);
    lochan_pq_scratch__free(&last);
    if (budget.used != 0)
        abort();
    free(page);
    return 0;
}

#endif
