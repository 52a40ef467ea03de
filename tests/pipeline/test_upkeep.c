/* test_upkeep.c - a table whose spec has `compaction` is looked after by the updates themselves;
 * what fails there fails no update. */
#include "base/cancel.h"
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <string.h>

static const market month = {.days = 31, .assets = 5};
static const char *const rules = "compaction: {auto: true, max_files: 4}\n";

static int64_t live_files(lochan_lake *lake) {
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    assert_ok(lochan_lake_verify(lake, &o, &report, NULL, &err));
    assert_int_equal(report.problems, 0);
    return report.files_checked;
}

/* Updates that end on each of these days of January: each adds a file. */
static void update_days(pipe_lake *p, int from, int to) {
    for (int day = from; day <= to; day++) {
        char end[16];
        lochan_error err;
        lochan_update_report report;
        snprintf(end, sizeof end, "2020-01-%02d", day);
        assert_ok(pipe_update(p, end, NULL, &report, &err));
        assert_int_equal(report.rows_new, month.assets);
        assert_int_equal(report.files_written, 1);
    }
}

static void test_upkeep__updates_join_small_files(void **state) {
    (void)state;
    pipe_lake p = pipe_start(month, NULL, rules);
    update_days(&p, 1, 3);
    assert_int_equal(live_files(p.lake), 3);
    update_days(&p, 4, 4);
    assert_int_equal(live_files(p.lake), 1);
    update_days(&p, 5, 12);
    assert_true(live_files(p.lake) < 6);
    pipe_expect(p.lake, month, 12);
    pipe_verify(p.lake);
    int64_t files = live_files(p.lake), before = pipe_snapshot(p.lake);
    lochan_error err;
    lochan_update_report report;
    assert_ok(
        pipe_update(&p, "2020-01-12", NULL, &report, &err)); /* nothing came: nothing is done */
    assert_true(report.nothing_to_do);
    assert_int_equal(live_files(p.lake), files);
    assert_int_equal(pipe_snapshot(p.lake), before);
    pipe_stop(&p);
}

static void test_upkeep__only_where_the_spec_says_so(void **state) {
    (void)state;
    static const char *const specs[] = {"", "compaction: {auto: false, max_files: 4}\n"};
    for (size_t i = 0; i < 2; i++) {
        pipe_lake p = pipe_start(month, NULL, specs[i]);
        update_days(&p, 1, 6);
        assert_int_equal(live_files(p.lake), 6);
        pipe_stop(&p);
    }
}

/* ---- what fails ---- */

static const char *broken; /* name of the failpoint that fails */
static int warnings;

static lochan_status break_it(void *self, const char *name, lochan_error *err) {
    (void)self;
    return strcmp(name, broken) == 0 ? lochan_error__set(err, LOCHAN_ERR_IO, "broken at %s", name)
                                     : LOCHAN_OK;
}

static void count_warning(void *payload, lochan_log_level level, const char *message) {
    (void)payload;
    warnings += level == LOCHAN_LOG_WARN && strstr(message, "market.daily") &&
                strstr(message, "small files were not joined");
}

/* The rows are published by then: the update is a success that warns, and the next one joins. */
static void test_upkeep__a_failure_is_a_warning(void **state) {
    (void)state;
    static const char *const points[] = {"table.compact.automatic", "table.compact.written",
                                         "table.compact.durable", "table.compact.listed"};
    for (size_t i = 0; i < 4; i++) {
        pipe_lake p = pipe_start(month, NULL, rules);
        update_days(&p, 1, 3);
        broken = points[i];
        warnings = 0;
        lochan_log_set(count_warning, NULL, LOCHAN_LOG_WARN);
        lochan_failpoint__set(break_it, NULL);
        update_days(&p, 4, 4);
        lochan_failpoint__set(NULL, NULL);
        lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
        assert_int_equal(warnings, 1);
        assert_int_equal(live_files(p.lake), 4);
        pipe_expect(p.lake, month, 4);
        pipe_verify(p.lake);
        update_days(&p, 5, 5);
        assert_int_equal(live_files(p.lake), 1);
        pipe_expect(p.lake, month, 5);
        pipe_verify(p.lake);
        pipe_stop(&p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_upkeep__updates_join_small_files),
        cmocka_unit_test(test_upkeep__only_where_the_spec_says_so),
        cmocka_unit_test(test_upkeep__a_failure_is_a_warning),
    };
    return cmocka_run_group_tests_name("pipeline/upkeep", tests, NULL, NULL);
}
