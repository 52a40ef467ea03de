/* A provider that counts requests by the minute, in Tushare's words: two updates in processes of
 * their own keep below its limit together. The provider's minute is a short one; no time is
 * measured here, only what the provider refused. */
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { DAYS = 15, LIMIT = 10 };

static lochan_error err;
static char *home;

static const char dataset[] =
    "name: daily\nsource: tushare\nasset_column: code\ntime_column: day\n"
    "request_options: {date_chunk_days: 1, params: {start_date: "
    "'{start}', end_date: '{end}'}}\n"
    "default_start: 2020-01-01\n"
    "columns: {asset_id: string, time: {type: date, format: '%Y-%m-%d'}, price: float64}\n"
    "primary_key: [asset_id, time]\n";

static int setup(void **state) {
    (void)state;
    home = tmpdir_make("limits");
    setenv("TUSHARE_TOKEN", "a-token-for-a-test", 1);
    setenv("XDG_STATE_HOME", tmpdir_path(home, "state"), 1);
    assert_int_equal(mkdir(tmpdir_path(home, "data"), 0700), 0);
    market_write(tmpdir_path(home, "data/daily.csv"), (market){.days = DAYS, .assets = 2});
    return 0;
}

static int teardown(void **state) {
    (void)state;
    unsetenv("TUSHARE_TOKEN");
    unsetenv("XDG_STATE_HOME");
    tmpdir_remove(home);
    return 0;
}

static provider serve(const char *minute) {
    char text[200];
    int n = snprintf(text, sizeof text, "token: a-token-for-a-test\nper_minute: %d\nminute: %s\n",
                     LIMIT, minute);
    tmpdir_write(tmpdir_path(home, "data/feed.yaml"), text, (size_t)n);
    return provider_start(tmpdir_path(home, "data"), NULL);
}

static void set(lochan_lake *lake, const char *key, const char *value) {
    assert_ok(lochan_source_set(lake, "tushare", key, value, &err));
}

/* A lake of its own, updated: how many rows it has then. */
static int64_t update(const char *name, const provider *p, const char *per_second,
                      const char *retries) {
    char path[300], file[400];
    size_t n;
    lochan_lake *lake;
    lochan_update_report report;
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    snprintf(path, sizeof path, "%s/%s", home, name);
    snprintf(file, sizeof file, "%s/specs/sources/tushare.yaml", LOCHAN_SOURCE_DIR);
    char *spec = tmpdir_read(file, &n);
    assert_ok(lochan_lake_init(path, NULL, &err));
    assert_ok(lochan_lake_open(path, NULL, &lake, &err));
    assert_ok(lochan_source_add(lake, spec, n, "tushare.yaml", false, &err));
    free(spec);
    set(lake, "url", p->url);
    set(lake, "rate_limit.per_second", per_second);
    set(lake, "rate_limit.per_minute", "1000000");
    set(lake, "max_retries", retries);
    assert_ok(lochan_dataset_add(lake, dataset, strlen(dataset), "daily.yaml", false, &err));
    request.source = "tushare";
    request.dataset = "daily";
    request.end = "2020-01-15";
    lochan_error_init(&err);
    (void)!lochan_update_run(lake, &request, &report, &err);
    lochan_lake_close(lake);
    return report.rows_new;
}

static void test_limits__unheeded_the_provider_refuses(void **state) {
    (void)state;
    provider p = serve("1h");
    int64_t rows = update("alone", &p, "1000000", "0");
    assert_true(rows > 0 && rows < 2 * DAYS); /* the rest is not taken for empty */
    assert_true(provider_stats(&p).limited > 0);
    assert_non_null(strstr(err.message, "40203"));
    provider_stop(&p);
}

static void test_limits__two_processes_keep_below_it(void **state) {
    (void)state;
    static const char *const names[] = {"one", "two"};
    provider p = serve("300ms"); /* short: what the limit allows in a second may come in a bunch */
    pid_t pids[2];
    for (int i = 0; i < 2; i++)
        if ((pids[i] = fork()) == 0)
            _exit(update(names[i], &p, "10", "0") == 2 * DAYS ? 0 : 1);
    for (int i = 0; i < 2; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    lochan_feed_stats stats = provider_stats(&p);
    assert_int_equal(stats.requests, 2 * DAYS);
    assert_int_equal(stats.limited, 0);
    provider_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_limits__unheeded_the_provider_refuses, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_limits__two_processes_keep_below_it, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
