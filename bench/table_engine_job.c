/* table_engine_job.c - the lochan side of the benchmark table_engine: one job a call, its result as
 * one line "name seconds cpu_seconds peak_mb rows files". Usage:
 *   table_engine_job LAKE JOB [KEY=VALUE ...]
 * Jobs: load (days=A..B, whole days of every asset), rows (n rows spread over `over` days, seed),
 * partitions (n rows into `over` partitions of one asset each), appends (n appends of `over` rows),
 * scan, compact (cluster=1: sorts every partition by asset; else joins all small files). Keys:
 * table, assets, from, to, n, over, seed, version (of the values), where, cluster, strategy, memory
 * (bytes), threads.
 * The clock runs from the opening of the lake to its closing; rows are made before.
 */
#include "arrow/builder.h"
#include "base/clock.h"
#include "base/str.h"
#include "table/table.h"

#include <lochan/lochan.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>

typedef struct job {
    const char *path, *table, *where, *strategy;
    int64_t assets, from, to, n, over, seed, version, cluster, memory, threads;
    lochan_lake *lake;
    struct ArrowSchema schema;
    struct ArrowArray *batches;
    size_t n_batches;
    int64_t rows, files;
} job;

static void must(lochan_status rc, const lochan_error *err) {
    if (rc != LOCHAN_OK) {
        fprintf(stderr, "%s: %s\n", lochan_status_name(rc), err->message);
        exit(1);
    }
}

static double cpu_seconds(void) {
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

/* Of this program: what getrusage tells includes the process that started it. */
static double peak_mb(void) {
    char line[256];
    long kb = 0;
    FILE *f = fopen("/proc/self/status", "r");
    while (f && kb == 0 && fgets(line, sizeof line, f))
        (void)!sscanf(line, "VmHWM: %ld", &kb);
    if (f)
        fclose(f);
    return (double)kb / 1024;
}

/* ---- rows ---- */

static void make_schema(struct ArrowSchema *out) {
    static const char *const names[] = {"time", "asset_id", "open",  "high",
                                        "low",  "close",    "volume"};
    lochan_error err;
    must(lochan_schema__init_struct(out, 7, &err), &err);
    for (int i = 0; i < 7; i++) {
        lochan_type t = {.id = i == 0   ? LOCHAN_TYPE_DATE32
                               : i == 1 ? LOCHAN_TYPE_STRING
                               : i == 6 ? LOCHAN_TYPE_INT64
                                        : LOCHAN_TYPE_FLOAT64};
        must(lochan_schema__set_field(out->children[i], names[i], &t, i > 1, &err), &err);
    }
}

/* The same numbers as table_engine.py makes. Day 0 is 2016-01-01. */
static void put_row(lochan_builder *b, int64_t asset, int64_t day, int64_t version) {
    lochan_error err;
    char name[16];
    int64_t x = asset * 7919 + day * 104729 + version * 31;
    lochan_format(name, sizeof name, "A%05lld", (long long)asset);
    must(lochan_builder__int64(lochan_builder__child(b, 0), 16801 + day, &err), &err);
    must(lochan_builder__str(lochan_builder__child(b, 1), lochan_str__of(name), &err), &err);
    for (int i = 0; i < 4; i++)
        must(lochan_builder__double(lochan_builder__child(b, 2 + i),
                                    (double)((x + i * 101) % 100003) / 100.0, &err),
             &err);
    must(lochan_builder__int64(lochan_builder__child(b, 6), x % 1000003, &err), &err);
    must(lochan_builder__end_row(b, &err), &err);
}

static void finish_batch(job *j, lochan_builder *b) {
    lochan_error err;
    j->batches = realloc(j->batches, (j->n_batches + 1) * sizeof *j->batches);
    must(lochan_builder__finish(b, &j->batches[j->n_batches++], &err), &err);
}

static lochan_builder *start_batch(job *j) {
    lochan_error err;
    lochan_builder *b;
    must(lochan_builder__create(&j->schema, &b, &err), &err);
    return b;
}

static void make_days(job *j) {
    lochan_builder *b = start_batch(j);
    int64_t rows = 0;
    for (int64_t d = j->from; d < j->to; d++) {
        for (int64_t a = 0; a < j->assets; a++)
            put_row(b, a, d, j->version);
        rows += j->assets;
        if (rows >= 500000 || d + 1 == j->to) {
            finish_batch(j, b);
            rows = 0;
        }
    }
    lochan_builder__free(b);
}

/* Row i: asset and day as in table_engine.py. */
static void make_spread(job *j) {
    lochan_builder *b = start_batch(j);
    for (int64_t i = 0; i < j->n; i++) {
        int64_t day = j->from + (i % j->over * 7919 + j->seed) % (j->to - j->from);
        put_row(b, (i * 31 + j->seed) % j->assets, day, j->version);
    }
    finish_batch(j, b);
    lochan_builder__free(b);
}

static void make_partitions(job *j) {
    lochan_builder *b = start_batch(j);
    for (int64_t i = 0; i < j->n; i++)
        put_row(b, i % j->over, j->from + i / j->over, j->version);
    finish_batch(j, b);
    lochan_builder__free(b);
}

/* Appends of `over` rows, each of assets and days of its own behind the history. */
static void make_appends(job *j) {
    lochan_builder *b = start_batch(j);
    int64_t each = j->assets / j->over;
    for (int64_t i = 0; i < j->n; i++) {
        for (int64_t k = 0; k < j->over; k++)
            put_row(b, i % each * j->over + k, j->to + i / each, j->version);
        finish_batch(j, b);
    }
    lochan_builder__free(b);
}

/* ---- work ---- */

static lochan_table *ensure(job *j) {
    static const char *const key[] = {"asset_id", "time"}, *const time_first[] = {"time",
                                                                                  "asset_id"};
    lochan_error err;
    lochan_table *t;
    bool by_asset = strcmp(j->strategy, "identity") == 0;
    lochan_table_spec spec = {
        .source = "bench",
        .name = j->table,
        .schema = &j->schema,
        .key = key,
        .n_key = 2,
        .sort = time_first,
        .n_sort = 2,
        .upkeep = {.cluster = key, .n_cluster = j->cluster ? 2 : 0},
        .partition = {.strategy = j->strategy,
                      .columns = by_asset ? key : time_first,
                      .n_columns = lochan_partition__column_count(j->strategy)}};
    must(lochan_table__ensure(j->lake, &spec, &t, &err), &err);
    return t;
}

static void write_batches(job *j, size_t from, size_t n) {
    lochan_error err;
    lochan_table *t = ensure(j);
    lochan_write *w;
    lochan_write_counts counts;
    lochan_write_options o = {.mode = LOCHAN_WRITE_UPSERT};
    must(lochan_write__begin(j->lake, t, &j->schema, &o, &w, &err), &err);
    for (size_t i = from; i < from + n; i++) {
        must(lochan_write__add(w, i, &j->batches[i], &err), &err);
        j->batches[i].release(&j->batches[i]); /* the write holds what it needs */
        j->batches[i].release = NULL;
    }
    must(lochan_write__publish(w, NULL, NULL, NULL, &err), &err);
    lochan_write__totals(w, &counts);
    j->rows += counts.rows_new + counts.rows_replaced;
    j->files += counts.files_written;
    lochan_write__free(w);
    lochan_table__close(t);
}

static void scan(job *j) {
    lochan_error err;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    lochan_scan_stats stats;
    o.where = j->where;
    must(lochan_lake_scan(j->lake, "bench", j->table, &o, &stream, &err), &err);
    for (;;) {
        must(lochan_stream__next(&stream, &batch, &err), &err);
        if (!batch.release)
            break;
        j->rows += batch.length;
        batch.release(&batch);
    }
    must(lochan_scan_get_stats(&stream, &stats, &err), &err);
    j->files = stats.files_read;
    stream.release(&stream);
}

static void compact(job *j) {
    lochan_error err;
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    lochan_compact_report r;
    o.cluster = j->cluster;
    o.full = !j->cluster;
    must(lochan_lake_compact(j->lake, "bench", j->table, &o, &r, NULL, &err), &err);
    j->rows = r.rows;
    j->files = r.groups;
}

static bool prepare(job *j, const char *name) {
    if (strcmp(name, "load") == 0)
        make_days(j);
    else if (strcmp(name, "rows") == 0)
        make_spread(j);
    else if (strcmp(name, "partitions") == 0)
        make_partitions(j);
    else if (strcmp(name, "appends") == 0)
        make_appends(j);
    else
        return strcmp(name, "scan") == 0 || strcmp(name, "compact") == 0;
    return true;
}

static void open_lake(job *j) {
    lochan_error err;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.memory_limit = (uint64_t)j->memory;
    o.threads = (int32_t)j->threads;
    if (lochan_lake_open(j->path, &o, &j->lake, &err) == LOCHAN_ERR_NOT_FOUND) {
        must(lochan_lake_init(j->path, NULL, &err), &err);
        must(lochan_lake_open(j->path, &o, &j->lake, &err), &err);
    }
}

static void run_job(job *j, const char *name) {
    open_lake(j);
    if (strcmp(name, "scan") == 0) {
        scan(j);
    } else if (strcmp(name, "compact") == 0) {
        compact(j);
    } else if (strcmp(name, "appends") == 0) {
        for (size_t i = 0; i < j->n_batches; i++)
            write_batches(j, i, 1);
    } else {
        write_batches(j, 0, j->n_batches);
    }
    lochan_lake_close(j->lake);
}

static bool set(job *j, const char *word) {
    struct {
        const char *name;
        int64_t *number;
        const char **text;
    } keys[] = {{"assets", &j->assets, NULL},
                {"from", &j->from, NULL},
                {"to", &j->to, NULL},
                {"n", &j->n, NULL},
                {"over", &j->over, NULL},
                {"seed", &j->seed, NULL},
                {"version", &j->version, NULL},
                {"cluster", &j->cluster, NULL},
                {"memory", &j->memory, NULL},
                {"threads", &j->threads, NULL},
                {"table", NULL, &j->table},
                {"where", NULL, &j->where},
                {"strategy", NULL, &j->strategy}};
    const char *value = strchr(word, '=');
    for (size_t i = 0; value && i < LOCHAN_COUNTOF(keys); i++) {
        if (strncmp(keys[i].name, word, (size_t)(value - word)) != 0 ||
            keys[i].name[value - word] != '\0')
            continue;
        if (keys[i].text)
            *keys[i].text = value + 1;
        return keys[i].text || lochan_parse__int64(value + 1, strlen(value + 1), keys[i].number);
    }
    return false;
}

int main(int argc, char **argv) {
    job j = {.table = "daily", .strategy = "year_month", .assets = 5000, .over = 1};
    if (argc < 3)
        return 2;
    j.path = argv[1];
    for (int i = 3; i < argc; i++) {
        if (!set(&j, argv[i])) {
            fprintf(stderr, "no such key: %s\n", argv[i]);
            return 2;
        }
    }
    make_schema(&j.schema);
    if (!prepare(&j, argv[2])) {
        fprintf(stderr, "no job %s\n", argv[2]);
        return 2;
    }
    double cpu = cpu_seconds();
    int64_t began = lochan_clock__mono_ns();
    run_job(&j, argv[2]);
    printf("%s %.6f %.6f %.1f %lld %lld\n", argv[2],
           (double)(lochan_clock__mono_ns() - began) / 1e9, cpu_seconds() - cpu, peak_mb(),
           (long long)j.rows, (long long)j.files);
    for (size_t i = 0; i < j.n_batches; i++)
        lochan_array__release(&j.batches[i]);
    free(j.batches);
    lochan_schema__release(&j.schema);
    return 0;
}
