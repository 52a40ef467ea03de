/* parquet_levels.c - any bytes as the levels of a page, and as a hybrid of runs of any width.
 * The first three bytes choose the largest level or the width, how it is read, and the size of
 * pieces. Checked: no crash, no read outside the bytes, no level past the largest; reading and
 * passing over agree.
 */
#include "parquet/levels.h"

#include <stdlib.h>
#include <string.h>

enum { PIECE = 64, MAX_VALUES = 1000 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_levels(lochan_pq_levels *l, size_t piece) {
    lochan_pq_levels skipping = *l;
    uint8_t out[PIECE];
    for (size_t n = 0; n < MAX_VALUES && lochan_pq_levels__read(l, out, (uint32_t)piece);
         n += piece) {
        for (size_t i = 0; i < piece; i++) {
            if (out[i] > l->max)
                abort();
        }
        if (!lochan_pq_levels__skip(&skipping, (uint32_t)piece))
            abort();
    }
}

static void read_bits(lochan_pq_levels *l, size_t piece) {
    uint8_t bits[PIECE / 8 + 2] = {0};
    size_t ones;
    for (size_t n = 0;
         n < MAX_VALUES && lochan_pq_levels__read_bits(l, bits, 5, (uint32_t)piece, &ones);
         n += piece) {
        if (ones > piece)
            abort();
    }
}

static void read_runs(const uint8_t *data, size_t size, unsigned width, size_t piece) {
    uint32_t values[PIECE];
    lochan_rle rle;
    lochan_rle__init(&rle, data, size, width);
    for (size_t n = 0; n < MAX_VALUES && lochan_rle__read32(&rle, values, piece); n += piece) {
        for (size_t i = 0; i < piece; i++) {
            if (width < 32 && values[i] >> width)
                abort();
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 3)
        return 0;
    size_t piece = 1 + data[2] % PIECE, n = size - 3;
    uint8_t *page = malloc(n ? n : 1); /* levels are followed by nothing that may be read */
    if (!page)
        return 0;
    memcpy(page, data + 3, n);
    lochan_pq_levels l;
    lochan_pq_levels__begin(&l, data[0], page, n, data[1] & 4);
    switch (data[1] & 3) {
    case 0:
        read_levels(&l, piece);
        break;
    case 1:
        read_bits(&l, piece);
        break;
    default:
        read_runs(page, n, data[0] % 33, piece);
    }
    free(page);
    return 0;
}
