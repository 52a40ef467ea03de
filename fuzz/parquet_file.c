/* parquet_file.c - any bytes as a Parquet file: opened, summed up, and read as a stream.
 * The first byte chooses how text comes out, the size of batches, whether ARROW:schema counts, and
 * whether memory is limited (if not, views share pages).
 * Checked: no crash; memory stays in a budget of 64 MiB; every batch passes the checks of an array
 * from outside; errors carry a message.
 */
#include "parquet/reader.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static lochan_status read_all(lochan_pq_reader *r, int64_t batch_rows, lochan_error *err) {
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    lochan_pq_scan scan = {.batch_rows = batch_rows};
    LOCHAN_TRY(lochan_pq_reader__stream(r, &scan, &stream, err));
    lochan_status rc;
    int64_t rows = 0;
    while ((rc = lochan_stream__next(&stream, &batch, err)) == LOCHAN_OK && batch.release &&
           rows < 1000000) {
        if (lochan_array__check(lochan_pq_reader__schema(r), &batch, err) != LOCHAN_OK)
            abort();
        rows += batch.length;
        lochan_array__release(&batch);
    }
    if (rc == LOCHAN_OK)
        lochan_array__release(&batch);
    lochan_stream__release(&stream);
    return rc;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    lochan_error err;
    lochan_budget budget;
    lochan_pq_reader *r;
    lochan_pq_summary summary;
    if (size < 1)
        return 0;
    lochan_pq_read_options options = {.strings = (lochan_pq_strings)(data[0] & 3),
                                      .arrow_schema = data[0] & 8};
    lochan_pq_source source = {.data = data + 1, .size = size - 1, .name = "fuzz"};
    lochan_budget__init(&budget, data[0] & 16 ? 0 : 64 << 20);
    lochan_ctx ctx = {.budget = &budget};
    lochan_error_init(&err);
    lochan_status rc = lochan_pq_reader__open(&ctx, &source, &options, &r, &err);
    if (rc == LOCHAN_OK) {
        if (lochan_pq_reader__summary(r, &summary, &err) == LOCHAN_OK)
            lochan_pq_summary__deinit(&summary);
        rc = read_all(r, data[0] & 4 ? 7 : 5000, &err);
        lochan_pq_reader__close(r);
    }
    if (budget.used != 0 || (rc != LOCHAN_OK && err.message[0] == '\0'))
        abort();
    return 0;
}
