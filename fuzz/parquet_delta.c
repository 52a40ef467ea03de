/* parquet_delta.c - any bytes as values of the encoding DELTA_BINARY_PACKED, see parquet_values.h.
 */
#include "parquet_values.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    return fuzz_values(LOCHAN_PQ_DELTA_BINARY_PACKED, LOCHAN_PQ_INT64, data, size);
}
