/* parquet_rewrite.c - rows of one Parquet file that satisfy a predicate, written to another.
 *
 * Usage: parquet_rewrite IN.parquet OUT.parquet [WHERE]
 *
 * No lake is needed. The stream between reader and writer is that of the Arrow C stream interface.
 */
#include <lochan/parquet.h>

#include <inttypes.h>
#include <stdio.h>

int main(int argc, char **argv) {
    lochan_parquet_reader *reader = NULL;
    struct ArrowArrayStream rows = {0};
    lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
    lochan_parquet_write_options options = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    lochan_parquet_counters counters = LOCHAN_PARQUET_COUNTERS_INIT;
    lochan_error err;
    int64_t written = 0;
    if (argc < 3) {
        fprintf(stderr, "usage: parquet_rewrite IN.parquet OUT.parquet [WHERE]\n");
        return 2;
    }
    scan.where = argc > 3 ? argv[3] : NULL;
    options.codec = LOCHAN_PARQUET_SNAPPY;
    options.overwrite = true;
    lochan_status rc = lochan_parquet_reader_open(argv[1], NULL, &reader, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_reader_stream(reader, &scan, &rows, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_write(&rows, argv[2], &options, &written, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_reader_counters(reader, &counters, &err);
    if (rc == LOCHAN_OK)
        printf("%" PRId64 " rows written, %" PRIu64 " row groups read, %" PRIu64 " passed over\n",
               written, counters.row_groups_read, counters.row_groups_pruned);
    else
        fprintf(stderr, "parquet_rewrite: %s\n", err.message);
    if (rows.release)
        rows.release(&rows);
    lochan_parquet_reader_close(reader);
    return lochan_status_exit_code(rc);
}
