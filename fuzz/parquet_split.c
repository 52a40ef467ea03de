/* parquet_split.c - any bytes as values of the encoding BYTE_STREAM_SPLIT, see parquet_values.h. */
#include "parquet_values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_values(LOCHAN_PQ_BYTE_STREAM_SPLIT, LOCHAN_PQ_DOUBLE, data, size);
}
