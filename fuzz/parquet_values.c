/* parquet_values.c - any bytes as the values of a page, for every decoder, and as levels.
 * The first three bytes choose the encoding, the physical type and the size of pieces. Checked: no
 * crash, no read outside the bytes, no slice outside what a decoder may show.
 */
#include "parquet/encodings.h"

#include <stdlib.h>

enum { PIECE = 64, MAX_VALUES = 20000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_bytes(lochan_pq_values *v, size_t piece) {
    lochan_pq_slice slices[PIECE];
    size_t sum = 0;
    for (size_t n = 0; n < MAX_VALUES;) {
        size_t m = v->ops->bytes(v, piece, slices);
        if (m == 0)
            return;
        if (m > piece)
            abort();
        for (size_t i = 0; i < m; i++) { /* touch both ends */
            if (slices[i].n > 0)
                sum += slices[i].p[0] + slices[i].p[slices[i].n - 1];
        }
        n += m;
    }
    if (sum == 1)
        abort(); /* keeps the reads */
}

static void read_values(lochan_pq_values *v, size_t piece) {
    uint8_t out[PIECE * 16 + 16];
    if (v->ops->begin && !v->ops->begin(v))
        return;
    if (v->physical == LOCHAN_PQ_BYTE_ARRAY) {
        read_bytes(v, piece);
        return;
    }
    for (size_t n = 0; n < MAX_VALUES; n += piece) {
        if (v->physical == LOCHAN_PQ_BOOLEAN ? !v->ops->bits(v, piece, out, 3)
                                             : !v->ops->fixed(v, piece, out))
            return;
    }
}

static void read_levels(const uint8_t *data, size_t size, unsigned width, size_t piece) {
    uint32_t values[PIECE];
    uint8_t bits[PIECE / 8 + 2] = {0};
    size_t ones;
    lochan_rle rle;
    lochan_rle__init(&rle, data, size, width);
    for (size_t n = 0; n < MAX_VALUES && lochan_rle__read32(&rle, values, piece); n += piece) {
        for (size_t i = 0; i < piece; i++) {
            if (width < 32 && values[i] >> width)
                abort();
        }
    }
    lochan_rle__init(&rle, data, size, 1);
    for (size_t n = 0; n < MAX_VALUES && lochan_rle__read_bits(&rle, bits, 5, piece, &ones);
         n += piece) {
        if (ones > piece)
            abort();
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const int32_t encodings[] = {0, 3, 5, 6, 7, 9};
    static const int32_t widths[] = {0, 4, 8, 12, 4, 8, 0, 7};
    lochan_budget budget;
    if (size < 3)
        return 0;
    int32_t encoding = encodings[data[0] % LOCHAN_COUNTOF(encodings)], physical = data[1] & 7;
    size_t piece = 1 + data[2] % PIECE, n = size - 3;
    /* pages are followed by readable bytes, but nothing in them counts */
    uint8_t *page = malloc(n + LOCHAN_PQ_PAD);
    if (!page)
        return 0;
    memcpy(page, data + 3, n);
    memset(page + n, 0xff, LOCHAN_PQ_PAD);
    lochan_budget__init(&budget, 64 << 20);
    lochan_pq_scratch made = {.budget = &budget}, last = {.budget = &budget};
    lochan_pq_values v = {.physical = physical,
                          .width = widths[physical],
                          .pos = page,
                          .end = page + n,
                          .count = MAX_VALUES,
                          .made = &made,
                          .last = &last};
    v.ops = lochan_pq_decoding__find(encoding, physical);
    if (v.ops)
        read_values(&v, piece);
    read_levels(page, n, data[0] % 33, piece);
    lochan_pq_scratch__free(&made);
    lochan_pq_scratch__free(&last);
    free(page);
    return 0;
}
