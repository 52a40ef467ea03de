/* pipeline.c - see pipeline.h. */
#include "pipeline/pipeline.h"

#include "arrow/view.h"
#include "base/civil.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_DAY 18262 /* 2020-01-01 */

/* ---- provider ---- */

static void provider_child(const char *csv, const lochan_feed_options *options, int ask,
                           int answer) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    lochan_feed *feed = NULL;
    lochan_error err;
    lochan_error_init(&err);
    char line[600], byte;
    if (lochan_feed_start(csv, options, &feed, &err) != LOCHAN_OK) {
        fprintf(stderr, "feed: %s\n", err.message);
        _exit(1);
    }
    int n = snprintf(line, sizeof line, "%d\n", lochan_feed_port(feed));
    if (write(answer, line, (size_t)n) != n)
        _exit(1);
    while (read(ask, &byte, 1) == 1) {
        lochan_feed_stats stats;
        lochan_feed_get_stats(feed, &stats);
        if (write(answer, &stats, sizeof stats) != (ssize_t)sizeof stats)
            break;
    }
    _exit(0);
}

provider provider_start(const char *csv, const lochan_feed_options *options) {
    int down[2], up[2];
    provider p = {0};
    assert_int_equal(pipe(down), 0);
    assert_int_equal(pipe(up), 0);
    fflush(NULL);
    p.pid = fork();
    assert_true(p.pid >= 0);
    if (p.pid == 0) {
        close(down[1]);
        close(up[0]);
        provider_child(csv, options, down[0], up[1]);
    }
    close(down[0]);
    close(up[1]);
    p.ask = down[1];
    p.answer = up[0];
    char line[16] = "";
    for (size_t i = 0; i + 1 < sizeof line && read(p.answer, &line[i], 1) == 1 && line[i] != '\n';
         i++)
        ;
    int port = atoi(line);
    assert_true(port > 0);
    snprintf(p.url, sizeof p.url, "http://127.0.0.1:%d", port);
    return p;
}

lochan_feed_stats provider_stats(const provider *p) {
    lochan_feed_stats stats;
    assert_int_equal(write(p->ask, "?", 1), 1);
    assert_int_equal(read(p->answer, &stats, sizeof stats), sizeof stats);
    return stats;
}

void provider_stop(provider *p) {
    if (p->pid <= 0)
        return;
    kill(p->pid, SIGKILL);
    waitpid(p->pid, NULL, 0);
    close(p->ask);
    close(p->answer);
    p->pid = 0;
}

/* ---- data ---- */

static double price(market m, int day, int asset) {
    return day + asset / 100.0 + (day >= m.days - m.bump_days ? m.bump : 0);
}

void market_write(const char *path, market m) {
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fprintf(file, "code,day,lots,price\n");
    for (int day = m.days - 1; day >= 0; day--) { /* newest first, as providers do */
        char date[16];
        lochan_civil__format_date(FIRST_DAY + day, date);
        for (int asset = 0; asset < m.assets; asset++)
            fprintf(file, "A%03d,%s,%d,%.2f\n", asset, date, asset, price(m, day, asset));
    }
    assert_int_equal(fclose(file), 0);
}

/* ---- lake ---- */

static const char dataset_spec[] = "name: daily\n"
                                   "source: market\n"
                                   "source_dataset: market\n"
                                   "asset_column: code\n"
                                   "time_column: day\n"
                                   "request_options: {date_chunk_months: 1}\n"
                                   "default_start: 2020-01-01\n"
                                   "columns:\n"
                                   "  asset_id: string\n"
                                   "  time: {type: date, format: \"%Y-%m-%d\"}\n"
                                   "  price: {type: float64, nullable: false}\n"
                                   "primary_key: [asset_id, time]\n"
                                   "partition_strategy: year_month\n"
                                   "sort_columns: [time, asset_id]\n";

static const char source_spec[] = "name: market\n"
                                  "kind: http\n"
                                  "url: http://127.0.0.1:1\n"
                                  "path: /{source_dataset}.csv\n"
                                  "query: {start: \"{start}\", end: \"{end}\"}\n"
                                  "format: csv\n"
                                  "stall_timeout: 1s\n"
                                  "retry_backoff: 1ms\n"
                                  "max_backoff: 20ms\n";

void pipe_provider(pipe_lake *p, market m, const lochan_feed_options *options) {
    lochan_error err;
    provider_stop(&p->provider);
    market_write(p->csv, m);
    p->provider = provider_start(p->csv, options);
    assert_ok(lochan_source_set(p->lake, "market", "url", p->provider.url, &err));
}

pipe_lake pipe_start(market m, const lochan_feed_options *options, const char *extra) {
    pipe_lake p = {0};
    lochan_error err;
    char spec[4096];
    p.dir = tmpdir_make("pipeline");
    snprintf(p.path, sizeof p.path, "%s/lake", p.dir);
    snprintf(p.csv, sizeof p.csv, "%s/market.csv", p.dir);
    snprintf(spec, sizeof spec, "%s%s", dataset_spec, extra);
    market_write(p.csv, m); /* before any thread is there: the provider is a fork */
    p.provider = provider_start(p.csv, options);
    assert_ok(lochan_lake_init(p.path, NULL, &err));
    assert_ok(lochan_lake_open(p.path, NULL, &p.lake, &err));
    assert_ok(
        lochan_source_add(p.lake, source_spec, strlen(source_spec), "market.yaml", false, &err));
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    assert_ok(lochan_dataset_add(p.lake, spec, strlen(spec), "daily.yaml", false, &err));
    return p;
}

void pipe_stop(pipe_lake *p) {
    lochan_lake_close(p->lake);
    provider_stop(&p->provider);
    tmpdir_remove(p->dir);
    *p = (pipe_lake){0};
}

lochan_status pipe_update(pipe_lake *p, const char *end, const lochan_update_request *request,
                          lochan_update_report *report, lochan_error *err) {
    lochan_update_request r = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report ignored;
    if (request)
        r = *request;
    r.source = "market";
    r.dataset = "daily";
    r.end = end;
    lochan_error_init(err);
    return lochan_update_run(p->lake, &r, report ? report : &ignored, err);
}

/* ---- looking ---- */

int64_t pipe_rows(lochan_lake *lake, const char *where) {
    struct ArrowArrayStream stream;
    lochan_scan_options options = LOCHAN_SCAN_OPTIONS_INIT;
    lochan_error err;
    options.where = where;
    lochan_status rc = lochan_lake_scan(lake, "market", "daily", &options, &stream, &err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return -1;
    assert_int_equal(rc, LOCHAN_OK);
    int64_t rows = 0;
    for (;;) {
        struct ArrowArray batch = {0};
        assert_ok(lochan_stream__next(&stream, &batch, &err));
        if (!batch.release)
            break;
        rows += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
    return rows;
}

/* Row i of the whole table must be (day i / assets, asset i % assets): the table's order is known.
 */
static int64_t expect_batch(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                            market m, int64_t at) {
    lochan_view asset, time, value;
    lochan_error err;
    assert_ok(lochan_view__init(&asset, schema->children[0], batch->children[0], &err));
    assert_ok(lochan_view__init(&time, schema->children[1], batch->children[1], &err));
    assert_ok(lochan_view__init(&value, schema->children[2], batch->children[2], &err));
    for (int64_t i = 0; i < batch->length; i++, at++) {
        char name[16];
        int day = (int)(at / m.assets), which = (int)(at % m.assets);
        snprintf(name, sizeof name, "A%03d", which);
        lochan_str got = lochan_view__bytes(&asset, i);
        assert_int_equal(got.n, 4);
        assert_memory_equal(got.p, name, 4);
        assert_int_equal(lochan_view__int64(&time, i), FIRST_DAY + day);
        char expected[32], found[32];
        snprintf(expected, sizeof expected, "%.2f", price(m, day, which));
        snprintf(found, sizeof found, "%.2f", lochan_view__double(&value, i));
        assert_string_equal(found, expected);
    }
    lochan_view__deinit(&asset);
    lochan_view__deinit(&time);
    lochan_view__deinit(&value);
    return at;
}

void pipe_expect(lochan_lake *lake, market m, int days) {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    lochan_scan_options options = LOCHAN_SCAN_OPTIONS_INIT;
    const char *const columns[] = {"asset_id", "time", "price"};
    lochan_error err;
    int64_t at = 0;
    options.columns = columns;
    options.n_columns = 3;
    assert_ok(lochan_lake_scan(lake, "market", "daily", &options, &stream, &err));
    assert_ok(lochan_stream__schema(&stream, &schema, &err));
    for (;;) {
        struct ArrowArray batch = {0};
        assert_ok(lochan_stream__next(&stream, &batch, &err));
        if (!batch.release)
            break;
        at = expect_batch(&schema, &batch, m, at);
        batch.release(&batch);
    }
    assert_int_equal(at, (int64_t)days * m.assets);
    schema.release(&schema);
    stream.release(&stream);
}

void pipe_verify(lochan_lake *lake) {
    lochan_verify_options options = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    struct ArrowArrayStream problems;
    lochan_error err;
    options.deep = true;
    assert_ok(lochan_lake_verify(lake, &options, &report, &problems, &err));
    char *detail = stream_text(&problems, "detail");
    if (report.problems > 0)
        fail_msg("verify: %lld problems, the first: %s", (long long)report.problems,
                 detail ? detail : "?");
    free(detail);
}

int64_t pipe_snapshot(lochan_lake *lake) {
    struct ArrowArrayStream stream;
    lochan_error err;
    assert_ok(lochan_status_datasets(lake, "market", "daily", &stream, &err));
    return stream_int(&stream, "snapshot_id");
}

/* The first row's value of a column; *batch stays to be released. */
static bool first_value(struct ArrowArrayStream *stream, const char *column,
                        struct ArrowSchema *schema, struct ArrowArray *batch, lochan_view *view) {
    lochan_error err;
    *batch = (struct ArrowArray){0};
    assert_ok(lochan_stream__schema(stream, schema, &err));
    assert_ok(lochan_stream__next(stream, batch, &err));
    int at = lochan_schema__find(schema, column);
    if (at < 0)
        fail_msg("no column %s", column);
    if (!batch->release)
        return false;
    assert_ok(lochan_view__init(view, schema->children[at], batch->children[at], &err));
    return batch->length > 0 && lochan_view__is_valid(view, 0);
}

int64_t stream_int(struct ArrowArrayStream *stream, const char *column) {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_view view = {0};
    int64_t v =
        first_value(stream, column, &schema, &batch, &view) ? lochan_view__int64(&view, 0) : -1;
    lochan_view__deinit(&view);
    lochan_array__release(&batch);
    schema.release(&schema);
    stream->release(stream);
    return v;
}

char *stream_text(struct ArrowArrayStream *stream, const char *column) {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_view view = {0};
    char *text = NULL;
    if (first_value(stream, column, &schema, &batch, &view)) {
        lochan_str s = lochan_view__bytes(&view, 0);
        text = malloc(s.n + 1);
        memcpy(text, s.p, s.n);
        text[s.n] = 0;
    }
    lochan_view__deinit(&view);
    lochan_array__release(&batch);
    schema.release(&schema);
    stream->release(stream);
    return text;
}
