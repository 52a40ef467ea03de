/* parquet_plain.c - any bytes as values of the encoding PLAIN, see parquet_values.h. */
#include "parquet_values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_values(LOCHAN_PQ_PLAIN, LOCHAN_PQ_BYTE_ARRAY, data, size);
}
