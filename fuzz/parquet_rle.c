/* parquet_rle.c - any bytes as values of the encoding RLE, see parquet_values.h. */
#include "parquet_values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_values(LOCHAN_PQ_RLE, LOCHAN_PQ_BOOLEAN, data, size);
}
