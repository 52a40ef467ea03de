/* test_feed_json.c - the feed's JSON as a source sees it: bundled specs, requests of pages,
 * fetcher, decoder and pager together; and answers recorded from it and served again. */
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/tmpdir.h"

#include <lochan/feed.h>

#include "base/fs.h"
#include "source/decode.h"
#include "source/fetch.h"
#include "source/page_request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL  INT64_C(1793318400000000000)
#define TOKEN "MARKED-TOKEN-56789"

static lochan_error err, failure;
static char *dir, *records;
static lochan_feed *feed;
static lochan_source_spec *spec;
static lochan_buf answer;
static lochan_fetch_meta meta;
static lochan_fetcher *fetcher;
static lochan_fetch_counters counters;
static size_t next_index; /* of the fetcher's pages */

enum { ROWS = 230 };

static void write_table(void) {
    static char text[ROWS * 80];
    size_t n = (size_t)snprintf(text, sizeof text, "ts_code,trade_date,close,name\n");
    for (int i = 0; i < ROWS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "00000%d.SZ,202401%02d,%s,\"a \"\"%d\"\"\"\n", i % 10, 1 + i / 10,
                              i % 7 ? "10.25" : "", i);
    tmpdir_write(tmpdir_path(dir, "daily.csv"), text, n);
}

static int setup(void **state) {
    (void)state;
    dir = tmpdir_make("feed-json");
    records = tmpdir_make("records");
    setenv("XDG_STATE_HOME", dir, 1);
    setenv("TUSHARE_TOKEN", TOKEN, 1);
    write_table();
    fake_clock_install(WALL, 3);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fake_clock_remove();
    tmpdir_remove(dir);
    tmpdir_remove(records);
    return 0;
}

static void config(const char *text) {
    tmpdir_write(tmpdir_path(dir, "feed.yaml"), text, strlen(text));
}

static lochan_status on_page(void *ctx, size_t index, lochan_buf *body, const lochan_fetch_meta *m,
                             lochan_error *e) {
    (void)ctx, (void)index, (void)e;
    lochan_buf__deinit(&answer);
    answer = *body;
    *body = (lochan_buf){0};
    meta = *m;
    return LOCHAN_OK;
}

static lochan_status on_failure(void *ctx, size_t index, const lochan_error *error,
                                int32_t attempts, lochan_error *e) {
    (void)ctx, (void)index, (void)attempts, (void)e;
    failure = *error;
    return LOCHAN_OK;
}

/* Starts the feed, and a fetcher for the bundled source with what a user would set. */
static void start(const char *source, const lochan_feed_options *options, const char *path,
                  bool record) {
    char file[600], url[100];
    static lochan_ctx ctx;
    lochan_yaml *doc;
    next_index = 0;
    assert_ok(lochan_feed_start(path, options, &feed, &err));
    snprintf(file, sizeof file, "%s/specs/sources/%s.yaml", LOCHAN_SOURCE_DIR, source);
    snprintf(url, sizeof url, "http://127.0.0.1:%u", (unsigned)lochan_feed_port(feed));
    assert_ok(lochan_yaml__load(file, &doc, &err));
    assert_ok(lochan_yaml__set(doc, "url", url, &err));
    assert_ok(lochan_yaml__set(doc, "paging.page_size", "50", &err));
    assert_ok(lochan_source_spec__from_yaml(lochan_yaml__root(doc), &spec, &err));
    lochan_yaml__free(doc);
    lochan_fetch_options o;
    lochan_fetch_options__init(&o, spec);
    o.record_dir = record ? records : NULL;
    o.endpoint = "daily";
    const lochan_fetch_callbacks c = {.on_page = on_page, .on_failure = on_failure};
    assert_ok(lochan_fetcher__create(&ctx, spec, &o, &c, &fetcher, &err));
}

static void stop(void) {
    lochan_fetcher__get_counters(fetcher, &counters);
    lochan_fetcher__free(fetcher);
    lochan_source_spec__free(spec);
    lochan_feed_stop(feed);
    lochan_buf__deinit(&answer);
}

/* Asks page after page of a scope; the rows that came, or the first error. again: how often the
 * same page is asked if it is unusable. */
static lochan_status walk(const char *start_date, const char *end_date, int again, int64_t *rows,
                          int *pages) {
    const lochan_csv_column columns[] = {
        {.name = "ts_code", .type = {.id = LOCHAN_TYPE_STRING}},
        {.name = "trade_date", .type = {.id = LOCHAN_TYPE_STRING}},
        {.name = "close", .type = {.id = LOCHAN_TYPE_FLOAT64}, .nullable = true}};
    const lochan_csv_options o = {.columns = columns, .n_columns = 3};
    lochan_pager pager;
    lochan_pager__init(&pager, &spec->paging);
    bool more = true, discard;
    lochan_status rc = LOCHAN_OK;
    for (*rows = 0, *pages = 0; more && rc == LOCHAN_OK;) {
        lochan_pager_ask ask;
        lochan_source_request request;
        lochan_source_value values[8] = {
            {"source_dataset", "daily"}, {"start", start_date}, {"end", end_date}};
        lochan_source_pair extra[8] = {{"start_date", "{start}"}, {"end_date", "{end}"}};
        size_t n_extra = spec->method == LOCHAN_METHOD_POST ? 2 : 0;
        lochan_pager__ask(&pager, &ask);
        memcpy(values + 3, ask.values, ask.n_values * sizeof *values);
        memcpy(extra + n_extra, ask.params, ask.n_params * sizeof *extra);
        assert_ok(lochan_source__build_request(spec, values, 3 + ask.n_values, extra,
                                               n_extra + ask.n_params, &request, &err));
        lochan_error_init(&failure);
        assert_ok(lochan_fetcher__add(fetcher, next_index++, &request, &err));
        lochan_source_request__deinit(&request);
        assert_ok(lochan_fetcher__run(fetcher, &err));
        rc = failure.code;
        struct ArrowSchema schema;
        struct ArrowArray batch;
        lochan_page_facts facts;
        if (rc == LOCHAN_OK)
            rc = lochan_source__decode(NULL, spec, &spec->paging, &o, &answer, &schema, &batch,
                                       &facts, &failure);
        if (rc == LOCHAN_ERR_PAGE && again-- > 0) {
            rc = LOCHAN_OK;
            continue;
        }
        if (rc != LOCHAN_OK) {
            lochan_fetcher__redact(fetcher, &failure);
            break;
        }
        assert_int_equal(batch.length, facts.rows);
        rc = lochan_pager__advance(&pager, &facts, &more, &discard, &failure);
        *rows += batch.length;
        ++*pages;
        lochan_schema__release(&schema);
        lochan_array__release(&batch);
        lochan_page_facts__deinit(&facts);
    }
    lochan_pager__deinit(&pager);
    return rc;
}

static void test_feed_json__tushare(void **state) {
    (void)state;
    int64_t rows;
    int pages;
    config("token: " TOKEN "\n");
    start("tushare", NULL, dir, false);
    assert_ok(walk("20240101", "20241231", 0, &rows, &pages));
    assert_int_equal(rows, ROWS);
    assert_int_equal(pages, 5);
    assert_ok(walk("20240103", "20240104", 0, &rows, &pages));
    assert_int_equal(rows, 20);
    assert_ok(walk("20250101", "20251231", 0, &rows, &pages));
    assert_int_equal(rows, 0);
    stop();
    /* A cap that nobody told the source: the next offset follows the rows. */
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    o.page_cap = 7;
    start("tushare", &o, dir, false);
    assert_ok(walk("20240101", "20241231", 0, &rows, &pages));
    assert_int_equal(rows, ROWS);
    assert_int_equal(pages, (ROWS + 6) / 7);
    stop();
}

static void test_feed_json__records(void **state) {
    (void)state;
    int64_t rows;
    int pages;
    start("openrecords", NULL, dir, false);
    assert_ok(walk("2024-01-01", "2024-12-31", 0, &rows, &pages));
    assert_int_equal(rows, ROWS);
    assert_int_equal(pages, 5);
    assert_ok(walk("2024-01-23", "2024-01-23", 0, &rows, &pages));
    assert_int_equal(rows, 10);
    stop();
}

static void test_feed_json__wrong_token_is_not_echoed(void **state) {
    (void)state;
    int64_t rows;
    int pages;
    config("token: another\n");
    start("tushare", NULL, dir, true);
    assert_int_equal(walk("20240101", "20241231", 0, &rows, &pages), LOCHAN_ERR_HTTP);
    assert_non_null(strstr(failure.message, "code 40001"));
    assert_null(strstr(failure.message, "MARKED"));
    assert_null(memmem(answer.data, answer.len, "MARKED", 6));
    stop();
}

static void test_feed_json__minute_is_used_up(void **state) {
    (void)state;
    int64_t rows;
    int pages;
    config("per_minute: 2\n");
    start("tushare", NULL, dir, false);
    assert_int_equal(walk("20240101", "20241231", 0, &rows, &pages), LOCHAN_ERR_RATE_LIMIT);
    assert_int_equal(pages, 2);
    assert_int_equal(failure.retry_after_ms, 60000);
    stop();
    start("openrecords", NULL, dir, false); /* HTTP's own words for it, which are heeded */
    assert_ok(walk("2024-01-01", "2024-12-31", 0, &rows, &pages));
    assert_int_equal(rows, ROWS);
    lochan_feed_stats stats;
    lochan_feed_get_stats(feed, &stats);
    assert_true(stats.limited > 0);
    assert_int_equal(stats.requests, pages + stats.limited);
    stop();
}

static void test_feed_json__faults(void **state) {
    (void)state;
    static const char *const kinds[] = {"http500", "http429", "cut",   "garbage", "columns",
                                        "type",    "html",    "reset", "empty"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(kinds); i++) {
        int64_t rows;
        int pages;
        char faults[40];
        lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
        snprintf(faults, sizeof faults, "%s:0.4", kinds[i]);
        o.faults = faults;
        o.fault_seed = 11;
        start(i % 2 ? "tushare" : "openrecords", &o, dir, false);
        lochan_status rc = walk(i % 2 ? "20240101" : "2024-01-01",
                                i % 2 ? "20241231" : "2024-12-31", 40, &rows, &pages);
        if (rc != LOCHAN_OK || rows != ROWS)
            fail_msg("%s: %s: %lld rows: %s", kinds[i], lochan_status_name(rc), (long long)rows,
                     failure.message);
        stop();
    }
}

static lochan_status look(void *ctx, const char *name, const lochan_stat *st, lochan_error *e) {
    (void)st, (void)e;
    size_t n;
    char *text = tmpdir_read(tmpdir_path(records, name), &n);
    assert_null(memmem(text, n, "MARKED", 6));
    free(text);
    ++*(int *)ctx;
    return LOCHAN_OK;
}

static void test_feed_json__recorded_answers_are_served_again(void **state) {
    (void)state;
    int64_t rows;
    int pages, files = 0;
    config("token: " TOKEN "\n");
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    o.faults = "http500:0.3";
    o.fault_seed = 5;
    start("tushare", &o, dir, true);
    assert_ok(walk("20240101", "20241231", 0, &rows, &pages));
    stop();
    int64_t requests = counters.requests;
    assert_true(requests > 5);
    assert_ok(lochan_fs__list(records, look, &files, &err));
    assert_int_equal(files, requests);
    setenv("TUSHARE_TOKEN", "nobody asks for it now", 1);
    lochan_feed_options replay = LOCHAN_FEED_OPTIONS_INIT;
    replay.replay = true;
    start("tushare", &replay, records, false);
    assert_ok(walk("20240101", "20241231", 0, &rows, &pages));
    assert_int_equal(rows, ROWS);
    assert_int_equal(walk("20240101", "20240301", 0, &rows, &pages), LOCHAN_ERR_HTTP);
    assert_non_null(strstr(failure.message, "not recorded"));
    stop();
    assert_int_equal(counters.requests, requests + 1);
    assert_int_equal(lochan_feed_start(dir, &replay, &feed, &err), LOCHAN_ERR_NOT_FOUND);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_feed_json__tushare, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed_json__records, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed_json__wrong_token_is_not_echoed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed_json__minute_is_used_up, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed_json__faults, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed_json__recorded_answers_are_served_again, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
