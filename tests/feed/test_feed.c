/* test_feed.c - the feed as a client sees it, through the fetcher and the CSV decoder: windows,
 * pages, limits, and every fault, each of which must end as a failure or be cured by asking again,
 * never as an answer. */
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/fault.h"
#include "support/tmpdir.h"

#include <lochan/feed.h>

#include "source/csv.h"
#include "source/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL INT64_C(1793318400000000000)

static lochan_error err;
static char *dir;
static lochan_feed *feed;

enum { MAX_PAGES = 64, ROWS = 400 };

static struct client {
    lochan_source_spec *spec;
    lochan_ctx ctx;
    lochan_fetcher *f;
    bool done[MAX_PAGES], failed[MAX_PAGES];
    int64_t rows[MAX_PAGES];
    char *body[MAX_PAGES];
    lochan_fetch_meta meta[MAX_PAGES];
    lochan_error error[MAX_PAGES];
    lochan_fetch_counters counters;
    bool plain; /* do not decode */
} client;

/* 400 rows of 200 days, oldest first: two assets a day. */
static void write_files(void) {
    static char text[ROWS * 64];
    size_t n = (size_t)snprintf(text, sizeof text, "date,asset,price\n");
    for (int i = 0; i < ROWS; i++)
        n += (size_t)snprintf(text + n, sizeof text - n, "2024-%02d-%02d,A%d,%d.25\n",
                              1 + i / 2 / 28, 1 + i / 2 % 28, i % 2, 100 + i);
    tmpdir_write(tmpdir_path(dir, "prices.csv"), text, n);
    tmpdir_write(tmpdir_path(dir, "names.csv"), "asset,name\nA0,x\nA1,y\n", 21);
    tmpdir_write(tmpdir_path(dir, "notes.txt"), "x", 1);
}

static int setup(void **state) {
    (void)state;
    dir = tmpdir_make("feed");
    write_files();
    fake_clock_install(WALL, 3);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fake_clock_remove();
    tmpdir_remove(dir);
    return 0;
}

static lochan_status decode(const lochan_buf *body, int64_t *rows, lochan_error *e) {
    const lochan_csv_column columns[] = {
        {.name = "date", .type = {.id = LOCHAN_TYPE_DATE32}},
        {.name = "asset", .type = {.id = LOCHAN_TYPE_STRING}},
        {.name = "price", .type = {.id = LOCHAN_TYPE_FLOAT64}},
    };
    const lochan_csv_options o = {.columns = columns, .n_columns = 3};
    struct ArrowSchema schema;
    struct ArrowArray batch;
    LOCHAN_TRY(lochan_csv__decode(NULL, &o, body->data, body->len, &schema, &batch, e));
    *rows = batch.length;
    lochan_schema__release(&schema);
    lochan_array__release(&batch);
    return LOCHAN_OK;
}

static lochan_status check(void *ctx, size_t index, const lochan_buf *body,
                           const lochan_fetch_meta *meta, lochan_error *e) {
    (void)ctx, (void)meta;
    return client.plain ? LOCHAN_OK : decode(body, &client.rows[index], e);
}

static lochan_status on_page(void *ctx, size_t index, lochan_buf *body,
                             const lochan_fetch_meta *meta, lochan_error *e) {
    size_t n;
    (void)ctx, (void)e;
    client.done[index] = true;
    client.meta[index] = *meta;
    client.body[index] = (char *)lochan_buf__take(body, &n);
    return LOCHAN_OK;
}

static lochan_status on_failure(void *ctx, size_t index, const lochan_error *error,
                                int32_t attempts, lochan_error *e) {
    (void)ctx, (void)attempts, (void)e;
    client.failed[index] = true;
    client.error[index] = *error;
    return LOCHAN_OK;
}

static void start(const lochan_feed_options *options, const char *more) {
    char text[1000];
    memset(&client, 0, sizeof client);
    assert_ok(lochan_feed_start(dir, options, &feed, &err));
    snprintf(text, sizeof text, "name: t\nkind: http\nurl: http://127.0.0.1:%u\n%s",
             (unsigned)lochan_feed_port(feed), more);
    assert_ok(lochan_source_spec__parse(text, strlen(text), "t", &client.spec, &err));
    lochan_fetch_options o;
    lochan_fetch_options__init(&o, client.spec);
    const lochan_fetch_callbacks c = {.check = check, .on_page = on_page, .on_failure = on_failure};
    assert_ok(lochan_fetcher__create(&client.ctx, client.spec, &o, &c, &client.f, &err));
}

static void ask(size_t index, const char *path) {
    char url[300];
    snprintf(url, sizeof url, "%s%s", client.spec->url, path);
    lochan_source_request r = {.url = url};
    assert_ok(lochan_fetcher__add(client.f, index, &r, &err));
}

static void go(void) {
    assert_ok(lochan_fetcher__run(client.f, &err));
    lochan_fetcher__get_counters(client.f, &client.counters);
}

static void stop(void) {
    lochan_fetcher__free(client.f);
    lochan_source_spec__free(client.spec);
    for (int i = 0; i < MAX_PAGES; i++)
        lochan_mem__free(client.body[i]);
    lochan_feed_stop(feed);
}

static void test_feed__windows(void **state) {
    (void)state;
    start(NULL, "");
    ask(0, "/prices.csv");
    ask(1, "/prices.csv?start=2024-01-02&end=2024-01-03");
    ask(2, "/prices.csv?start=20240102&end=20240103&offset=1&limit=2");
    ask(3, "/prices.csv?start=2025-01-01");
    go();
    assert_int_equal(client.rows[0], ROWS);
    assert_false(client.meta[0].has_more_known);
    assert_string_equal(client.body[1],
                        "date,asset,price\n2024-01-02,A0,102.25\n2024-01-02,A1,103.25\n"
                        "2024-01-03,A0,104.25\n2024-01-03,A1,105.25\n");
    assert_string_equal(client.body[2],
                        "date,asset,price\n2024-01-02,A1,103.25\n2024-01-03,A0,104.25\n");
    assert_true(client.meta[2].has_more_known && client.meta[2].has_more);
    assert_string_equal(client.meta[1].content_type, "text/csv; charset=utf-8");
    assert_string_equal(client.body[3], "date,asset,price\n");
    lochan_feed_stats stats;
    lochan_feed_get_stats(feed, &stats);
    assert_int_equal(stats.requests, 4);
    assert_int_equal(stats.answered, 4);
    assert_int_equal(stats.faults, 0);
    stop();
}

static void test_feed__pages_under_a_cap(void **state) {
    (void)state;
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    o.page_cap = 150;
    start(&o, "");
    ask(0, "/prices.csv");
    ask(1, "/prices.csv?offset=150&limit=1000");
    ask(2, "/prices.csv?offset=300");
    go();
    assert_int_equal(client.rows[0] + client.rows[1] + client.rows[2], ROWS);
    assert_true(client.meta[0].has_more && client.meta[1].has_more && !client.meta[2].has_more);
    assert_true(client.meta[2].has_more_known);
    stop();
}

static void test_feed__wrong_requests(void **state) {
    (void)state;
    start(NULL, "");
    static const char *const bad[] = {
        "/prices.csv?start=yesterday",  "/prices.csv?limit=-1",
        "/prices.csv?begin=2024-01-01", "/prices.csv?start=2024-02-01&end=2024-01-01",
        "/prices.csv?offset=",          "/prices.csv?end=20240230",
        "/names.csv?start=2024-01-01"};
    size_t n = sizeof bad / sizeof bad[0];
    for (size_t i = 0; i < n; i++)
        ask(i, bad[i]);
    ask(n, "/missing.csv");
    ask(n + 1, "/../prices.csv");
    ask(n + 2, "/prices");
    go();
    for (size_t i = 0; i < n; i++)
        assert_int_equal(client.error[i].http_status, 400);
    for (size_t i = n; i < n + 3; i++)
        assert_int_equal(client.error[i].http_status, 404);
    assert_non_null(strstr(client.error[n].message, "names.csv prices.csv")); /* what there is */
    stop();
    start(NULL, "");
    client.plain = true;
    ask(0, "/");
    go();
    assert_string_equal(client.body[0], "names.csv\nprices.csv\n");
    stop();
    start(NULL, "");
    char url[100];
    snprintf(url, sizeof url, "%s/prices.csv", client.spec->url);
    lochan_source_request post = {.url = url, .method = LOCHAN_METHOD_POST};
    assert_ok(lochan_fetcher__add(client.f, 0, &post, &err));
    go();
    assert_int_equal(client.error[0].http_status, 405);
    stop();
}

static void test_feed__rate_limit(void **state) {
    (void)state;
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    o.rate_per_second = 5;
    start(&o, "workers: 1\nmax_retries: 10\n");
    for (size_t i = 0; i < 23; i++)
        ask(i, "/prices.csv?limit=1");
    go();
    for (size_t i = 0; i < 23; i++)
        assert_true(client.done[i]);
    assert_true(client.counters.retries >= 3);
    assert_true(fake_clock_slept() >= INT64_C(3000000000));
    stop();
}

static void test_feed__latency(void **state) {
    (void)state;
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    o.latency_ms = 120;
    start(&o, "workers: 1\n");
    ask(0, "/prices.csv?limit=1");
    go();
    assert_true(client.done[0]);
    assert_int_equal(fake_clock_slept(), 120000000);
    stop();
}

/* A fault at every request: no page gets through, and each failure says what it was. */
static void test_feed__every_fault_is_a_failure(void **state) {
    (void)state;
    static const struct {
        const char *fault;
        lochan_status code;
        int attempts;
    } cases[] = {
        {"http500", LOCHAN_ERR_HTTP, 2},       {"http503", LOCHAN_ERR_HTTP, 2},
        {"http429", LOCHAN_ERR_RATE_LIMIT, 2}, {"http404", LOCHAN_ERR_HTTP, 1},
        {"cut", LOCHAN_ERR_PAGE, 2},           {"hang", LOCHAN_ERR_TIMEOUT, 2},
        {"empty", LOCHAN_ERR_PAGE, 2},         {"garbage", LOCHAN_ERR_PAGE, 2},
        {"columns", LOCHAN_ERR_PAGE, 2},       {"type", LOCHAN_ERR_PAGE, 2},
        {"html", LOCHAN_ERR_PAGE, 2},          {"reset", LOCHAN_ERR_NETWORK, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
        o.faults = cases[i].fault;
        o.fault_seed = i;
        start(&o, "max_retries: 1\ntimeout: 300ms\n");
        ask(0, "/prices.csv");
        go();
        if (!client.failed[0] || client.error[0].code != cases[i].code)
            fail_msg("%s: %s", cases[i].fault,
                     client.failed[0] ? client.error[0].message : "taken for an answer");
        assert_int_equal(client.counters.requests, cases[i].attempts);
        lochan_feed_stats stats;
        lochan_feed_get_stats(feed, &stats);
        assert_int_equal(stats.faults, cases[i].attempts);
        assert_int_equal(stats.answered, 0);
        stop();
    }
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT; /* slow is no failure */
    o.faults = "slow";
    start(&o, "");
    ask(0, "/prices.csv");
    go();
    assert_int_equal(client.rows[0], ROWS);
    stop();
}

/* With all faults mixed in, every page arrives in the end, whole. */
static void test_feed__faults_are_cured_by_asking_again(void **state) {
    (void)state;
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    o.faults = "http500:0.06,http503:0.05,http429:0.05,cut:0.06,slow:0.04,empty:0.06,garbage:0.06,"
               "columns:0.06,type:0.06,"
               "html:0.06,reset:0.06";
    o.fault_seed = 11;
    start(&o, "max_retries: 40\nworkers: 8\n");
    for (size_t i = 0; i < 40; i++) {
        char path[100];
        snprintf(path, sizeof path, "/prices.csv?offset=%zu&limit=10", i * 10);
        ask(i, path);
    }
    go();
    for (size_t i = 0; i < 40; i++) {
        char first[64];
        if (!client.done[i])
            fail_msg("page %zu: %s", i, client.error[i].message);
        assert_int_equal(client.rows[i], 10);
        snprintf(first, sizeof first, "A%d,%zu.25\n", 0, 100 + i * 10);
        assert_non_null(strstr(client.body[i], first));
    }
    lochan_feed_stats stats;
    lochan_feed_get_stats(feed, &stats);
    assert_true(stats.faults > 10 && client.counters.retries > 10);
    assert_true(stats.requests >=
                client.counters.requests); /* libcurl sends again on a connection that had died */
    stop();
}

static void test_feed__refuses_to_start(void **state) {
    (void)state;
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    lochan_feed *other = NULL;
    assert_status(lochan_feed_start(tmpdir_path(dir, "nowhere"), NULL, &other, &err),
                  LOCHAN_ERR_NOT_FOUND);
    assert_null(other);
    assert_status(lochan_feed_start(tmpdir_path(dir, "notes.txt"), NULL, &other, &err),
                  LOCHAN_ERR_UNSUPPORTED);
    tmpdir_mkdir(tmpdir_path(dir, "empty"));
    assert_status(lochan_feed_start(tmpdir_path(dir, "empty"), NULL, &other, &err),
                  LOCHAN_ERR_NOT_FOUND);
    o.faults = "nonsense";
    assert_status(lochan_feed_start(dir, &o, &other, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    o = (lochan_feed_options)LOCHAN_FEED_OPTIONS_INIT;
    o.latency_ms = -1;
    assert_status(lochan_feed_start(dir, &o, &other, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    o = (lochan_feed_options)LOCHAN_FEED_OPTIONS_INIT;
    o.reserved[3] = 1;
    assert_status(lochan_feed_start(dir, &o, &other, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_ok(lochan_feed_start(dir, NULL, &feed, &err));
    o = (lochan_feed_options)LOCHAN_FEED_OPTIONS_INIT;
    o.port = lochan_feed_port(feed);
    assert_status(lochan_feed_start(dir, &o, &other, &err), LOCHAN_ERR_IO);
    assert_non_null(strstr(err.message, "is the port in use?"));
    lochan_feed_stop(feed);
    lochan_feed_stop(NULL);
}

static lochan_status sweep_body(void *ctx, lochan_error *e) {
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    lochan_feed *started = NULL;
    o.faults = "cut:0.5";
    o.date_column = "date";
    lochan_status rc = lochan_feed_start(ctx, &o, &started, e);
    lochan_feed_stop(started);
    return rc;
}

static void test_feed__fault_sweep(void **state) {
    (void)state;
    fake_clock_remove();
    tmpdir_unlink(tmpdir_path(dir, "names.csv")); /* it has no such column */
    fault_totals t = fault_sweep(&(fault_case){.name = "feed",
                                               .body = sweep_body,
                                               .ctx = dir,
                                               .kinds = FAULT_OOM | FAULT_EIO | FAULT_SHORT});
    assert_true(t.failed > 10);
}

/* The bank's own file, if it is there: every cell that is a number is one of the 221,702 rates. */
static void test_feed__rates_of_the_ecb(void **state) {
    (void)state;
    const char *path = LOCHAN_SOURCE_DIR "/examples/ecb/eurofxref-hist.csv.gz";
    if (!tmpdir_exists(path))
        skip();
    static const char *const nulls[] = {"N/A"};
    const lochan_csv_column columns[] = {{.name = "Date", .type = {.id = LOCHAN_TYPE_DATE32}}};
    const lochan_csv_options o = {.columns = columns,
                                  .n_columns = 1,
                                  .null_texts = nulls,
                                  .n_null_texts = 1,
                                  .rest_type = {.id = LOCHAN_TYPE_FLOAT64}};
    char *bank = dir;
    dir = (char *)(uintptr_t)path;
    start(NULL, "");
    dir = bank;
    client.plain = true;
    for (size_t year = 1999; year <= 2026; year++) {
        char query[100];
        snprintf(query, sizeof query, "/eurofxref-hist.csv?start=%zu-01-01&end=%zu-12-31", year,
                 year);
        ask(year - 1999, query);
    }
    go();
    int64_t days = 0, rates = 0;
    for (size_t i = 0; i < 28; i++) {
        struct ArrowSchema schema;
        struct ArrowArray batch;
        assert_true(client.done[i]);
        assert_ok(lochan_csv__decode(NULL, &o, client.body[i], strlen(client.body[i]), &schema,
                                     &batch, &err));
        assert_int_equal(batch.n_children, 42);
        days += batch.length;
        for (int64_t c = 1; c < batch.n_children; c++)
            rates += batch.length - batch.children[c]->null_count;
        lochan_schema__release(&schema);
        lochan_array__release(&batch);
    }
    assert_int_equal(days, 7126);
    assert_int_equal(rates, 221702);
    stop();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_feed__windows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed__pages_under_a_cap, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed__wrong_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed__rate_limit, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed__latency, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed__every_fault_is_a_failure, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed__faults_are_cured_by_asking_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_feed__refuses_to_start, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed__fault_sweep, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed__rates_of_the_ecb, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
