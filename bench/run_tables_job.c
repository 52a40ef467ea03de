/* run_tables_job.c - the lochan side of the benchmark run_tables: one job a call, its result as one
 * line "name seconds cpu_seconds". Usage: run_tables_job LAKE JOB [N [full|normal]]
 * Jobs: append (N appends of 1,000 rows), wide (10,000 rows over 100 buckets), million (1,000,000
 * rows in one append), scatter (the same over 10,000 buckets), ticks (10 ticks), read (all rows),
 * rebuild, list (N parts are listed in the catalog without being written).
 */
#include "arrow/builder.h"
#include "base/clock.h"
#include "base/str.h"
#include "run/own.h"
#include "table/projection.h"

#include <lochan/lochan.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/types.h>
#include <unistd.h>

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

/* holdings: n rows from `tick` on, `per_tick` rows a tick. */
static void make_rows(int64_t tick, int64_t n, int64_t per_tick, struct ArrowSchema *schema,
                      struct ArrowArray *rows) {
    static const char *const names[] = {"tick", "agent_id", "token_id", "quantity"};
    lochan_error err;
    lochan_builder *b;
    must(lochan_schema__init_struct(schema, 4, &err), &err);
    for (int i = 0; i < 4; i++) {
        lochan_type t = {.id = i == 1 || i == 2 ? LOCHAN_TYPE_STRING : LOCHAN_TYPE_INT64};
        must(lochan_schema__set_field(schema->children[i], names[i], &t, false, &err), &err);
    }
    must(lochan_builder__create(schema, &b, &err), &err);
    for (int64_t i = 0; i < n; i++) {
        char agent[32], token[16];
        lochan_format(agent, sizeof agent, "agent-%05lld", (long long)(i * 7919 % 1000));
        lochan_format(token, sizeof token, "T%lld", (long long)(i % 10));
        must(lochan_builder__int64(lochan_builder__child(b, 0), tick + i / per_tick, &err), &err);
        must(lochan_builder__str(lochan_builder__child(b, 1), lochan_str__of(agent), &err), &err);
        must(lochan_builder__str(lochan_builder__child(b, 2), lochan_str__of(token), &err), &err);
        must(lochan_builder__int64(lochan_builder__child(b, 3), i * 31 % 1009, &err), &err);
        must(lochan_builder__end_row(b, &err), &err);
    }
    must(lochan_builder__finish(b, rows, &err), &err);
    lochan_builder__free(b);
}

static int64_t drain(struct ArrowArrayStream *stream) {
    struct ArrowArray batch;
    int64_t rows = 0;
    lochan_error err;
    for (;;) {
        must(lochan_stream__next(stream, &batch, &err), &err);
        if (!batch.release)
            break;
        rows += batch.length;
        batch.release(&batch);
    }
    stream->release(stream);
    return rows;
}

typedef struct job {
    lochan_lake *lake;
    lochan_run *run;
    int64_t n;
    lochan_append_options append;
    struct ArrowSchema schema; /* of the rows, made before the clock starts */
    struct ArrowArray rows;
} job;

static void append_rows(job *j) {
    lochan_error err;
    struct ArrowArrayStream stream;
    must(lochan_stream__of_batches(&j->schema, &j->rows, 1, &stream, &err), &err);
    must(lochan_run_append(j->run, "holdings", &stream, &j->append, NULL, &err), &err);
}

/* The same rows again and again, tick after tick. */
static void append_many(job *j) {
    lochan_error err;
    struct ArrowSchema copy;
    struct ArrowArray lent;
    struct ArrowArrayStream stream;
    int64_t *ticks = (int64_t *)(uintptr_t)j->rows.children[0]->buffers[1];
    for (int64_t i = 0; i < j->n; i++) {
        for (int k = 0; k < 1000; k++)
            ticks[k] = i;
        lent = lochan_array__lend(&j->rows);
        must(lochan_schema__dup(&j->schema, &copy, &err), &err);
        must(lochan_stream__of_batches(&copy, &lent, 1, &stream, &err), &err);
        must(lochan_run_append(j->run, "holdings", &stream, &j->append, NULL, &err), &err);
    }
}

static void scan(job *j, const int64_t *min, const int64_t *max) {
    lochan_error err;
    struct ArrowArrayStream stream;
    lochan_run_scan_options o = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    o.tick_min = min;
    o.tick_max = max;
    must(lochan_run_scan(j->run, "holdings", &o, &stream, &err), &err);
    fprintf(stderr, "%lld rows\n", (long long)drain(&stream));
}

/* Lists parts that are not there, 100 a commit. */
static void list_parts(job *j) {
    lochan_error err;
    lochan_table *t;
    must(lochan_table__open(j->lake, LOCHAN_RUN_SCHEMA, "holdings", -1, &t, &err), &err);
    int32_t tick = lochan_schema__field_id(
        t->def.schema.children[lochan_schema__find(&t->def.schema, LOCHAN_RUN_TICK)]);
    for (int64_t i = 0; i < j->n; i += 100) {
        lochan_txn *txn;
        bool already;
        must(lochan_txn__begin(j->lake->catalog, NULL, &already, NULL, &txn, &err), &err);
        for (int64_t k = i; k < i + 100; k++) {
            char uuid[37], path[200], bucket[24], number[24];
            const char *values[] = {"listed", bucket};
            lochan_uuid__make(uuid);
            lochan_format(bucket, sizeof bucket, "%lld", (long long)(k / 100));
            lochan_format(number, sizeof number, "%lld", (long long)k);
            lochan_format(path, sizeof path,
                          "runs/listed/tables/holdings/bucket=%06lld/part-%s.parquet",
                          (long long)(k / 100), uuid);
            lochan_column_stats s = {.column_id = tick,
                                     .compressed_bytes = 100,
                                     .value_count = 1000,
                                     .min = number,
                                     .max = number};
            lochan_file_add f = {.path = path,
                                 .rows = 1000,
                                 .bytes = 10000,
                                 .footer_bytes = 2000,
                                 .partition_values = values,
                                 .n_partition_values = 2,
                                 .stats = &s,
                                 .n_stats = 1,
                                 .file_id = uuid};
            int64_t id;
            must(lochan_txn__add_file(txn, t->def.table_id, &f, &id, &err), &err);
        }
        must(lochan_txn__commit(&txn, NULL, &err), &err);
    }
    lochan_table__close(t);
}

static void run_job(job *j, const char *name, const char *path) {
    const int64_t from = 2000, to = 2009;
    if (strcmp(name, "append") == 0) {
        append_many(j);
    } else if (strcmp(name, "wide") == 0 || strcmp(name, "million") == 0 ||
               strcmp(name, "scatter") == 0) {
        append_rows(j);
    } else if (strcmp(name, "ticks") == 0) {
        scan(j, &from, &to);
    } else if (strcmp(name, "read") == 0) {
        scan(j, NULL, NULL);
    } else if (strcmp(name, "list") == 0) {
        list_parts(j);
    } else if (strcmp(name, "rebuild") == 0) {
        lochan_error err;
        must(lochan_run_rebuild(path, NULL, "bench", "holdings", NULL, NULL, NULL, &err), &err);
    } else {
        fprintf(stderr, "no job %s\n", name);
        exit(2);
    }
}

int main(int argc, char **argv) {
    lochan_error err;
    lochan_run_options run = LOCHAN_RUN_OPTIONS_INIT;
    job j = {.n = 1, .append = LOCHAN_APPEND_OPTIONS_INIT};
    if (argc < 3)
        return 2;
    if (argc > 3 && !lochan_parse__int64(argv[3], strlen(argv[3]), &j.n))
        return 2;
    if (argc > 4 && strcmp(argv[4], "normal") == 0)
        j.append.durability = LOCHAN_DURABILITY_NORMAL;
    if (lochan_lake_open(argv[1], NULL, &j.lake, &err) == LOCHAN_ERR_NOT_FOUND) {
        must(lochan_lake_init(argv[1], NULL, &err), &err);
        must(lochan_lake_open(argv[1], NULL, &j.lake, &err), &err);
    }
    must(lochan_run_open(j.lake, "bench", &run, &j.run, &err), &err);
    if (strcmp(argv[2], "wide") == 0)
        make_rows(0, 10000, 1, &j.schema, &j.rows);
    else if (strcmp(argv[2], "million") == 0)
        make_rows(0, 1000000, 10000, &j.schema, &j.rows);
    else if (strcmp(argv[2], "scatter") == 0)
        make_rows(0, 1000000, 1, &j.schema, &j.rows);
    else
        make_rows(0, 1000, 1000, &j.schema, &j.rows);
    double cpu = cpu_seconds();
    int64_t began = lochan_clock__mono_ns();
    run_job(&j, argv[2], argv[1]);
    printf("%s %.6f %.6f\n", argv[2], (double)(lochan_clock__mono_ns() - began) / 1e9,
           cpu_seconds() - cpu);
    lochan_array__release(&j.rows);
    lochan_schema__release(&j.schema);
    lochan_run_close(j.run);
    lochan_lake_close(j.lake);
    return 0;
}
