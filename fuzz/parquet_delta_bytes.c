/* parquet_delta_bytes.c - any bytes as values of the encoding DELTA_BYTE_ARRAY, see
 * parquet_values.h. */
#include "parquet_values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_values(LOCHAN_PQ_DELTA_BYTE_ARRAY, LOCHAN_PQ_BYTE_ARRAY, data, size);
}
