/* catalog_size.c - what opening a lake and asking for its status cost as the number of files grows.
 * Files are listed in the catalog without being written: opening and status never look at them.
 */
#include "arrow/schema.h"
#include "base/clock.h"
#include "base/str.h"
#include "catalog/txn.h"
#include <lochan/lochan.h>

#include <stdio.h>
#include <stdlib.h>

#define PER_COMMIT 100
#define ROUNDS     21

static void must(lochan_status rc, const lochan_error *err) {
    if (rc != LOCHAN_OK) {
        fprintf(stderr, "%s: %s\n", lochan_status_name(rc), err->message);
        exit(1);
    }
}

static const char source_spec[] = "name: bench\nkind: http\nurl: http://127.0.0.1:1\nformat: csv\n";
static const char dataset_spec[] =
    "name: daily\nsource: bench\ncolumns: {asset_id: string, time: date, close: float64, "
    "open: float64, high: float64, low: float64, vol: float64}\n"
    "primary_key: [asset_id, time]\npartition_strategy: year_month\n"
    "sort_columns: [time, asset_id]\n";

static int64_t make_table(lochan_catalog *catalog) {
    static const char *const names[] = {"asset_id", "time", "close", "open", "high", "low", "vol"};
    lochan_error err;
    struct ArrowSchema schema;
    lochan_txn *txn;
    bool done;
    int64_t table_id;
    must(lochan_schema__init_struct(&schema, 7, &err), &err);
    for (int i = 0; i < 7; i++) {
        lochan_type type = {.id = i == 0   ? LOCHAN_TYPE_STRING
                                  : i == 1 ? LOCHAN_TYPE_DATE32
                                           : LOCHAN_TYPE_FLOAT64};
        must(lochan_schema__set_field(schema.children[i], names[i], &type, i > 1, &err), &err);
    }
    lochan_partition_key partition[] = {{.column = 1, .transform = "year"},
                                        {.column = 1, .transform = "month"}};
    lochan_table_create create = {.source = "bench",
                                  .dataset = "daily",
                                  .schema = &schema,
                                  .n_partition = 2,
                                  .partition = partition};
    must(lochan_txn__begin(catalog, NULL, &done, NULL, &txn, &err), &err);
    must(lochan_txn__create_table(txn, &create, &table_id, &err), &err);
    must(lochan_txn__bind_dataset(txn, 1, table_id, &err), &err);
    must(lochan_txn__commit(&txn, NULL, &err), &err);
    schema.release(&schema);
    return table_id;
}

static void add_files(lochan_catalog *catalog, int64_t table_id, int first, int n) {
    lochan_error err;
    lochan_txn *txn;
    bool done;
    must(lochan_txn__begin(catalog, NULL, &done, NULL, &txn, &err), &err);
    for (int i = first; i < first + n; i++) {
        char path[128], id[37], year[8], month[8];
        lochan_uuid__make(id);
        snprintf(year, sizeof year, "%d", 1990 + i / 12 % 40);
        snprintf(month, sizeof month, "%d", i % 12 + 1);
        snprintf(path, sizeof path, "data/bench/daily/year=%s/month=%02d/%s.parquet", year,
                 i % 12 + 1, id);
        const char *values[] = {year, month};
        lochan_column_stats stats[7];
        for (int c = 0; c < 7; c++)
            stats[c] = (lochan_column_stats){.column_id = c + 1,
                                             .compressed_bytes = 4096,
                                             .value_count = 1000,
                                             .min = c == 1 ? "2020-01-01" : "1",
                                             .max = c == 1 ? "2020-01-31" : "9"};
        lochan_file_add add = {.path = path,
                               .rows = 1000,
                               .bytes = 40960,
                               .footer_bytes = 900,
                               .partition_values = values,
                               .n_partition_values = 2,
                               .stats = stats,
                               .n_stats = 7,
                               .file_id = id,
                               .ordinal = i - first,
                               .sorted = true};
        int64_t file_id;
        must(lochan_txn__add_file(txn, table_id, &add, &file_id, &err), &err);
    }
    must(lochan_txn__commit(&txn, NULL, &err), &err);
}

static int compare(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Median milliseconds to open the lake, and to open it and read the whole status. */
static void measure(const char *path, double *open_ms, double *status_ms) {
    double opened[ROUNDS], read[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        lochan_lake *lake;
        lochan_error err;
        struct ArrowArrayStream status;
        struct ArrowArray batch;
        int64_t start = lochan_clock__mono_ns();
        must(lochan_lake_open(path, NULL, &lake, &err), &err);
        opened[i] = (double)(lochan_clock__mono_ns() - start) / 1e6;
        must(lochan_status_datasets(lake, NULL, NULL, &status, &err), &err);
        if (status.get_next(&status, &batch) != 0 || batch.length != 1)
            exit(1);
        read[i] = (double)(lochan_clock__mono_ns() - start) / 1e6;
        batch.release(&batch);
        status.release(&status);
        lochan_lake_close(lake);
    }
    qsort(opened, ROUNDS, sizeof *opened, compare);
    qsort(read, ROUNDS, sizeof *read, compare);
    *open_ms = opened[ROUNDS / 2];
    *status_ms = read[ROUNDS / 2];
}

int main(void) {
    const char *folder = getenv("BENCH_DIR");
    char path[512];
    lochan_error err;
    lochan_lake *lake;
    lochan_catalog *catalog;
    if (!folder || snprintf(path, sizeof path, "%s/lake", folder) >= (int)sizeof path)
        return 1;
    must(lochan_lake_init(path, NULL, &err), &err);
    must(lochan_lake_open(path, NULL, &lake, &err), &err);
    must(lochan_source_add(lake, source_spec, sizeof source_spec - 1, "source", false, &err), &err);
    must(lochan_dataset_add(lake, dataset_spec, sizeof dataset_spec - 1, "dataset", false, &err),
         &err);
    lochan_lake_close(lake);
    must(lochan_catalog__open(path, NULL, &catalog, &err), &err);
    int64_t table_id = make_table(catalog);
    printf("%10s %12s %20s\n", "files", "open, ms", "open + status, ms");
    int files = 0;
    for (int wanted = 100; wanted <= 10000; wanted *= 10) {
        double open_ms, status_ms;
        for (; files < wanted; files += PER_COMMIT)
            add_files(catalog, table_id, files, PER_COMMIT);
        measure(path, &open_ms, &status_ms);
        printf("%10d %12.2f %20.2f\n", files, open_ms, status_ms);
    }
    lochan_catalog__close(catalog);
    return 0;
}
