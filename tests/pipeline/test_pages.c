/* Updates whose windows take several pages: every row once, whatever the shape of the paging; half
 * a window is noticed; a source that is gone is left alone. */
#include "base/cancel.h"
#include "pipeline/pipeline.h"

#include <stdlib.h>
#include <string.h>

static const market small = {.days = 91, .assets = 5}; /* three windows, at most 155 rows each */
static lochan_error err;
static char *home;

static int setup(void **state) {
    (void)state;
    home = tmpdir_make("pages");
    setenv("XDG_STATE_HOME", home, 1);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    tmpdir_remove(home);
    return 0;
}

static void set(pipe_lake *p, const char *key, const char *value) {
    assert_ok(lochan_source_set(p->lake, "market", key, value, &err));
}

static void use_records(pipe_lake *p) {
    set(p, "format", "records");
    set(p, "path", "/market.json");
    set(p, "response.items", "data");
    set(p, "paging.next", "next");
    set(p, "paging.kind", "cursor");
    set(p, "query.cursor", "{cursor}");
}

static void use_offset(pipe_lake *p) {
    set(p, "paging.kind", "offset");
    set(p, "query.offset", "{offset}");
    set(p, "query.limit", "{limit}");
    set(p, "paging.page_size", "60");
}

static lochan_feed_options capped(const char *faults) {
    lochan_feed_options o = LOCHAN_FEED_OPTIONS_INIT;
    o.page_cap = 40;
    o.faults = faults;
    o.fault_seed = 3;
    return o;
}

static void test_pages__every_row_once(void **state) {
    (void)state;
    void (*const shapes[])(pipe_lake *) = {use_records, use_offset};
    for (int i = 0; i < 2; i++) {
        lochan_feed_options o = capped(NULL);
        lochan_update_report report;
        pipe_lake p = pipe_start(small, &o, "");
        shapes[i](&p);
        assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
        assert_int_equal(report.scopes, 3);
        assert_int_equal(report.pages, 12);
        assert_int_equal(report.rows_new, 455);
        pipe_expect(p.lake, small, 91);
        assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
        assert_true(report.nothing_to_do);
        pipe_verify(p.lake);
        pipe_stop(&p);
    }
}

static void test_pages__faults_of_pages_heal(void **state) {
    (void)state;
    lochan_feed_options o = capped("cut:0.1,http500:0.1,type:0.1,columns:0.1,garbage:0.1");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(small, &o, "");
    use_records(&p);
    request.max_retries = 30;
    request.retry_backoff_seconds = 0.001;
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    assert_true(report.retries > 0);
    assert_int_equal(report.pages, 12);
    pipe_expect(p.lake, small, 91);
    pipe_stop(&p);
}

/* The pages of a window that failed are kept: the next update asks for the others only. */
static void test_pages__goes_on_from_staged_pages(void **state) {
    (void)state;
    lochan_feed_options o = capped("http500:0.25");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(small, &o, "");
    use_offset(&p);
    request.max_retries = 0;
    lochan_status rc = pipe_update(&p, "2020-03-31", &request, &report, &err);
    assert_true(rc != LOCHAN_OK && report.scopes_failed > 0);
    /* Nothing of a window that lacks a page is there. */
    int64_t rows = pipe_rows(p.lake, NULL);
    assert_true(rows <= 0 || rows == 155 || rows == 145 || rows == 155 + 145 || rows == 310);
    o.faults = NULL;
    pipe_provider(&p, small, &o);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    pipe_expect(p.lake, small, 91);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

/* The update stops after so many pages, which are then in staging. */
static int pages_before_stop;

static lochan_status stop_after(void *self, const char *name, lochan_error *e) {
    (void)self;
    if (strcmp(name, "update.page.staged") != 0 || --pages_before_stop > 0)
        return LOCHAN_OK;
    return lochan_error__set(e, LOCHAN_ERR_IO, "stopped");
}

/* January has four pages. */
static void resume(void (*shape)(pipe_lake *), int staged, market now, int64_t resumed,
                   int64_t requests) {
    lochan_feed_options o = capped(NULL);
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(small, &o, "");
    shape(&p);
    request.workers = 1;
    pages_before_stop = staged;
    lochan_failpoint__set(stop_after, NULL);
    assert_int_equal(pipe_update(&p, "2020-01-31", &request, &report, &err), LOCHAN_ERR_IO);
    lochan_failpoint__set(NULL, NULL);
    assert_true(pipe_rows(p.lake, NULL) <= 0);
    o.port = (uint16_t)strtol(strrchr(p.provider.url, ':') + 1, NULL, 10); /* the same url */
    pipe_provider(&p, now, &o);
    assert_ok(pipe_update(&p, "2020-01-31", &request, &report, &err));
    assert_int_equal(report.pages, 4);
    assert_int_equal(report.pages_resumed, resumed);
    assert_int_equal(report.requests, requests);
    pipe_expect(p.lake, now, 31);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

/* The last staged page is asked once more, then the others. */
static void test_pages__staged_pages_are_joined_with_new_ones(void **state) {
    (void)state;
    resume(use_offset, 2, small, 2, 1 + 2);
    resume(use_records, 3, small, 3, 1 + 1);
    resume(use_records, 4, small, 4, 0);
}

/* The cap of the feed is below the one that the spec knows: only the header X-Has-More says that
 * more rows follow, and a page in staging has to say so too. */
static void use_header(pipe_lake *p) {
    use_offset(p);
    set(p, "paging.max_rows", "60");
}

static void test_pages__a_staged_page_knows_that_more_follow(void **state) {
    (void)state;
    resume(use_header, 1, small, 1, 1 + 3);
    resume(use_header, 3, small, 3, 1 + 1);
    resume(use_header, 4, small, 4, 0);
}

static void test_pages__a_staged_window_that_was_cut_is_asked_in_halves(void **state) {
    (void)state;
    lochan_feed_options o = capped(NULL);
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(small, &o, "");
    set(&p, "paging.max_rows", "100");
    set(&p, "paging.kind", "window");
    request.workers = 1;
    pages_before_stop = 1; /* all of January: the header says that rows are missing */
    lochan_failpoint__set(stop_after, NULL);
    assert_int_equal(pipe_update(&p, "2020-01-31", &request, &report, &err), LOCHAN_ERR_IO);
    lochan_failpoint__set(NULL, NULL);
    assert_ok(pipe_update(&p, "2020-01-31", &request, &report, &err));
    assert_int_equal(report.pages_resumed, 1);
    pipe_expect(p.lake, small, 31);
    pipe_stop(&p);
}

/* Where the provider has other rows now, a page staged before them would not fit. */
static void test_pages__staged_pages_of_other_data_are_not_joined(void **state) {
    (void)state;
    const market revised = {.days = 91, .assets = 5, .bump_days = 91, .bump = 0.25};
    resume(use_offset, 2, revised, 0, 1 + 4);
    resume(use_records, 1, revised, 0, 1 + 4);
}

static void test_pages__a_capped_answer_is_not_a_whole_one(void **state) {
    (void)state;
    lochan_feed_options o = capped(NULL);
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(small, &o, "");
    request.max_retries = 0;
    assert_int_not_equal(pipe_update(&p, "2020-03-31", &request, &report, &err), LOCHAN_OK);
    assert_int_equal(report.scopes_failed, 3);
    assert_non_null(strstr(err.message, "more rows follow"));
    assert_true(pipe_rows(p.lake, NULL) <= 0);
    pipe_stop(&p);
}

static void test_pages__a_provider_that_ignores_the_offset_fails(void **state) {
    (void)state;
    lochan_feed_options o = capped(NULL);
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(small, &o, "");
    set(&p, "paging.kind", "offset"); /* but no parameter carries it */
    request.max_retries = 1;
    request.retry_backoff_seconds = 0.001;
    assert_int_not_equal(pipe_update(&p, "2020-03-31", &request, &report, &err), LOCHAN_OK);
    assert_int_equal(report.scopes_failed, 3);
    assert_non_null(strstr(err.message, "repeats itself"));
    pipe_stop(&p);
}

static void test_pages__a_source_that_is_gone_is_left_alone(void **state) {
    (void)state;
    lochan_feed_options o = capped("http500:1");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(small, &o, "");
    set(&p, "breaker_failures", "1");
    request.max_retries = 0;
    request.workers = 1;
    assert_int_not_equal(pipe_update(&p, "2020-03-31", &request, &report, &err), LOCHAN_OK);
    assert_int_equal(report.scopes_failed, 3);
    assert_int_equal(report.requests, 1);
    o.faults = NULL;
    o.page_cap = 0;
    pipe_provider(&p, small, &o);
    assert_ok(
        pipe_update(&p, "2020-03-31", NULL, &report, &err)); /* nothing is given up for good */
    pipe_expect(p.lake, small, 91);
    pipe_stop(&p);
}

static void test_pages__the_retry_budget_ends(void **state) {
    (void)state;
    lochan_feed_options o = capped("http500:1");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(small, &o, "");
    set(&p, "retry_budget", "4");
    request.max_retries = 50;
    request.retry_backoff_seconds = 0.001;
    assert_int_not_equal(pipe_update(&p, "2020-03-31", &request, &report, &err), LOCHAN_OK);
    assert_int_equal(report.retries, 4);
    assert_int_equal(report.requests, 7);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_pages__every_row_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages__faults_of_pages_heal, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages__goes_on_from_staged_pages, setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages__staged_pages_are_joined_with_new_ones, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages__a_staged_page_knows_that_more_follow, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages__a_staged_window_that_was_cut_is_asked_in_halves,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages__staged_pages_of_other_data_are_not_joined,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_pages__a_capped_answer_is_not_a_whole_one, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages__a_provider_that_ignores_the_offset_fails, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages__a_source_that_is_gone_is_left_alone, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_pages__the_retry_budget_ends, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
