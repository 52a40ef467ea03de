/* Whole updates against a provider: what lands, what is asked again, what is never believed. */
#include "pipeline/pipeline.h"
#include "support/clock_fake.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const market small = {.days = 91, .assets = 5}; /* 2020-01-01 .. 2020-03-31: three windows */

static lochan_update_request no_retries(void) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    request.max_retries = 0;
    return request;
}

static void test_update__fills_then_has_nothing_to_do(void **state) {
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_report report;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(report.scopes, 3);
    assert_int_equal(report.requests, 3);
    assert_int_equal(report.rows_fetched, 455);
    assert_int_equal(report.rows_new, 455);
    assert_int_equal(report.partitions_written, 3);
    assert_true(report.snapshot_id > 0);
    pipe_expect(p.lake, small, 91);
    int64_t snapshot = pipe_snapshot(p.lake);
    assert_int_equal(snapshot, report.snapshot_id);

    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_true(report.nothing_to_do);
    assert_int_equal(report.requests, 0);
    assert_int_equal(report.snapshot_id, -1);
    assert_int_equal(pipe_snapshot(p.lake), snapshot);
    assert_int_equal(provider_stats(&p.provider).requests, 3);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_update__one_more_window_fetches_only_it(void **state) {
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_report report;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-02-10", NULL, &report, &err));
    assert_int_equal(report.rows_new, 41 * 5);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(report.requests, 2); /* the rest of February, March */
    assert_int_equal(report.rows_fetched, 50 * 5);
    assert_int_equal(report.rows_new, 50 * 5);
    assert_int_equal(report.rows_unchanged, 0);
    pipe_expect(p.lake, small, 91);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_update__force_finds_revisions(void **state) {
    market revised = {.days = 91, .assets = 5, .bump_days = 10, .bump = 0.5};
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-03-31", NULL, NULL, &err));
    request.force = true;
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err)); /* the same again */
    assert_int_equal(report.rows_unchanged, 455);
    assert_int_equal(report.partitions_skipped, 3);
    assert_int_equal(report.files_written, 0);
    assert_int_equal(report.snapshot_id, -1);

    pipe_provider(&p, revised, NULL);
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    assert_int_equal(report.rows_replaced, 50);
    assert_int_equal(report.rows_unchanged, 405);
    assert_int_equal(report.partitions_written, 1);
    pipe_expect(p.lake, revised, 91);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

/* Every fault of a page is a failure of that page: nothing of it lands, and it is asked again. */
static void test_update__every_fault_is_a_failure_and_heals(void **state) {
    static const char *const faults[] = {"http500", "http503", "http429", "http404",
                                         "cut",     "hang",    "empty",   "garbage",
                                         "columns", "type",    "html",    "reset"};
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = no_retries();
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        lochan_feed_options options = LOCHAN_FEED_OPTIONS_INIT;
        lochan_update_report report;
        lochan_error err;
        options.faults = faults[i];
        pipe_provider(&p, small, &options);
        lochan_status rc = pipe_update(&p, "2020-03-31", &request, &report, &err);
        if (rc == LOCHAN_OK || report.scopes_failed != 3)
            fail_msg("%s: %s, %lld scopes failed", faults[i], lochan_status_name(rc),
                     (long long)report.scopes_failed);
        assert_int_equal(report.snapshot_id, -1);
        assert_true(strlen(err.message) > 10);
        assert_int_equal(pipe_rows(p.lake, NULL), -1);
    }
    struct ArrowArrayStream status;
    lochan_update_report report;
    lochan_error err;
    assert_ok(lochan_status_datasets(p.lake, "market", "daily", &status, &err));
    assert_true(stream_int(&status, "failed_scopes") > 0);
    pipe_provider(&p, small, NULL);
    request.repair = true; /* asks exactly for what failed */
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    assert_int_equal(report.requests, 3);
    pipe_expect(p.lake, small, 91);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_update__retries_get_through(void **state) {
    market more = {.days = 364, .assets = 3};
    lochan_feed_options options = LOCHAN_FEED_OPTIONS_INIT;
    options.faults = "http503:0.2,cut:0.1,garbage:0.1,columns:0.1,reset:0.1";
    options.fault_seed = 7;
    pipe_lake p = pipe_start(more, &options, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    request.max_retries = 20;
    assert_ok(pipe_update(&p, "2020-12-29", &request, &report, &err));
    assert_true(report.retries > 0);
    assert_int_equal(report.requests, 12 + report.retries);
    assert_int_equal(report.pages, 12);
    pipe_expect(p.lake, more, 364);
    pipe_stop(&p);
}

static void test_update__partial_publishes_the_others(void **state) {
    market more = {.days = 364, .assets = 3};
    lochan_feed_options options = LOCHAN_FEED_OPTIONS_INIT;
    options.faults = "http500:0.4";
    options.fault_seed = 3;
    pipe_lake p = pipe_start(more, &options, "");
    lochan_update_request request = no_retries();
    lochan_update_report report;
    lochan_error err;
    assert_status(pipe_update(&p, "2020-12-29", &request, &report, &err), LOCHAN_ERR_PARTIAL);
    assert_true(report.scopes_failed > 0 && report.scopes_failed < 12);
    assert_true(report.snapshot_id > 0);
    assert_int_equal(pipe_rows(p.lake, NULL), report.rows_new);
    int64_t failed = report.scopes_failed;
    pipe_provider(&p, more, NULL);
    assert_ok(
        pipe_update(&p, "2020-12-29", NULL, &report, &err)); /* a plain update asks for them */
    assert_int_equal(report.requests, failed);
    pipe_expect(p.lake, more, 364);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_update__null_in_a_required_column_is_invalid(void **state) {
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    provider_stop(&p.provider);
    static const char csv[] = "code,day,price,lots\nA000,2020-01-02,1.5,1\nA001,2020-02-02,,1\n";
    tmpdir_write(p.csv, csv, sizeof csv - 1);
    p.provider = provider_start(p.csv, NULL);
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    assert_status(pipe_update(&p, "2020-03-31", &request, &report, &err), LOCHAN_ERR_PARTIAL);
    assert_int_equal(report.scopes_failed, 1);
    assert_int_equal(report.retries, 0); /* another answer would not help */
    assert_non_null(strstr(err.message, "price"));
    assert_int_equal(err.row, 0);
    assert_int_equal(pipe_rows(p.lake, NULL), 1);
    pipe_provider(&p, small, NULL);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(report.requests, 1);
    pipe_stop(&p);
}

static void test_update__last_of_a_page_wins_and_duplicates_are_counted(void **state) {
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_report report;
    lochan_error err;
    provider_stop(&p.provider);
    static const char csv[] =
        "code,day,price,lots\nA000,2020-01-02,1,1\nA000,2020-01-02,2,1\nA000,2020-01-02,3,1\n"
        "A001,2020-01-02,9,1\n";
    tmpdir_write(p.csv, csv, sizeof csv - 1);
    p.provider = provider_start(p.csv, NULL);
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    assert_ok(pipe_update(&p, "2020-01-31", NULL, &report, &err));
    assert_int_equal(report.rows_fetched, 4);
    assert_int_equal(report.rows_duplicate, 2);
    assert_int_equal(report.rows_new, 2);
    assert_int_equal(pipe_rows(p.lake, "asset_id = 'A000' and price = 3"), 1);
    assert_int_equal(pipe_rows(p.lake, NULL), 2);
    pipe_stop(&p);
}

/* `lots` is not declared: numbers in the first update make it float64 for ever. */
static void test_update__undeclared_columns_have_one_type(void **state) {
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_report report;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-01-31", NULL, NULL, &err));
    assert_int_equal(pipe_rows(p.lake, "lots = 4"), 31);
    provider_stop(&p.provider);
    static const char csv[] = "code,day,price,lots,flag,empty\nA000,2020-02-02,1,many,007,\n";
    tmpdir_write(p.csv, csv, sizeof csv - 1);
    p.provider = provider_start(p.csv, NULL);
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    lochan_status rc = pipe_update(&p, "2020-02-29", NULL, &report, &err);
    assert_status(rc, LOCHAN_ERR_VALUE);
    assert_non_null(strstr(err.message, "many"));
    provider_stop(&p.provider);
    static const char good[] =
        "code,day,price,lots,flag,empty\nA000,2020-02-02,1,5,007,\nA001,2020-02-02,1,,8,\n";
    tmpdir_write(p.csv, good, sizeof good - 1);
    p.provider = provider_start(p.csv, NULL);
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    assert_ok(pipe_update(&p, "2020-02-29", NULL, &report, &err));
    assert_int_equal(pipe_rows(p.lake, "flag = '007'"), 1);
    assert_int_equal(pipe_rows(p.lake, "lots is null"), 1);
    assert_int_equal(pipe_rows(p.lake, "flag is null"), 155);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_update__new_columns_can_fail_or_be_ignored(void **state) {
    lochan_update_report report;
    lochan_error err;
    pipe_lake p = pipe_start(small, NULL, "new_columns: fail\n");
    assert_status(pipe_update(&p, "2020-01-31", NULL, &report, &err), LOCHAN_ERR_VALIDATION);
    assert_non_null(strstr(err.message, "lots"));
    pipe_stop(&p);
    p = pipe_start(small, NULL, "new_columns: ignore\n");
    assert_ok(pipe_update(&p, "2020-01-31", NULL, &report, &err));
    struct ArrowArrayStream scan;
    struct ArrowSchema schema;
    assert_ok(lochan_lake_scan(p.lake, "market", "daily", NULL, &scan, &err));
    assert_int_equal(scan.get_schema(&scan, &schema), 0);
    assert_int_equal(schema.n_children, 5); /* asset_id, time, price, source, source_dataset */
    schema.release(&schema);
    scan.release(&scan);
    pipe_stop(&p);
}

/* Without a time column there is no window to keep, whatever the provider calls its fields. */
static void test_update__a_field_named_time_is_only_a_field(void **state) {
    static const char spec[] =
        "name: plain\nsource: market\nsource_dataset: market\ncolumns: {code: string}\n"
        "primary_key: [code]\n";
    static const char csv[] = "code,time\nA,2020-01-02\nB,2020-01-03\n";
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    provider_stop(&p.provider);
    tmpdir_write(p.csv, csv, sizeof csv - 1);
    p.provider = provider_start(p.csv, NULL);
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    assert_ok(lochan_dataset_add(p.lake, spec, sizeof spec - 1, "plain.yaml", false, &err));
    request.source = "market";
    request.dataset = "plain";
    request.start = "2020-01-01";
    request.end = "2020-01-31";
    assert_ok(lochan_update_run(p.lake, &request, &report, &err));
    assert_int_equal(report.rows_new, 2);
    assert_int_equal(report.rows_filtered, 0);
    pipe_stop(&p);
}

/* Days younger than the settle delay are asked again; the clock decides, not the run. */
static void test_update__recent_days_are_asked_again(void **state) {
    pipe_lake p = pipe_start(small, NULL, "settle_days: 2\n");
    lochan_update_report report;
    lochan_error err;
    fake_clock_install(INT64_C(18352) * 86400 * 1000000000, 1); /* 2020-03-31 00:00 */
    fake_clock_tick(1000);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(report.rows_new, 455);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(report.requests,
                     1); /* 2020-03-29 .. 31: later than 03-31 minus one day minus two */
    assert_int_equal(report.rows_fetched, 15);
    assert_int_equal(report.rows_unchanged, 15);
    assert_int_equal(report.files_written, 0);
    fake_clock_advance(INT64_C(5) * 86400 * 1000000000);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(report.requests, 1);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_true(report.nothing_to_do);
    fake_clock_remove();
    pipe_stop(&p);
}

static void test_update__token_makes_a_repeat_a_no_op(void **state) {
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report first, second;
    lochan_commit_state fate;
    int64_t snapshot;
    lochan_error err;
    request.token = "monday";
    request.force = true;
    assert_ok(lochan_commit_status(p.lake, "monday", &fate, &snapshot, &err));
    assert_int_equal(fate, LOCHAN_COMMIT_UNKNOWN);
    assert_ok(pipe_update(&p, "2020-01-31", &request, &first, &err));
    assert_ok(pipe_update(&p, "2020-01-31", &request, &second, &err));
    assert_int_equal(second.requests, 0);
    assert_int_equal(second.snapshot_id, first.snapshot_id);
    assert_ok(lochan_commit_status(p.lake, "monday", &fate, &snapshot, &err));
    assert_int_equal(fate, LOCHAN_COMMIT_DONE);
    assert_int_equal(snapshot, first.snapshot_id);
    pipe_stop(&p);
}

static void test_update__bad_requests_are_refused_before_anything_is_asked(void **state) {
    pipe_lake p = pipe_start(small, NULL, "");
    const char *const assets[] = {"A001"};
    lochan_error err;
    lochan_update_request r = LOCHAN_UPDATE_REQUEST_INIT;
    r.workers = -3;
    assert_status(pipe_update(&p, "2020-01-31", &r, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "workers"));
    r = (lochan_update_request)LOCHAN_UPDATE_REQUEST_INIT;
    r.start = "2020-02-01";
    assert_status(pipe_update(&p, "2020-01-31", &r, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    r.start = "2020-1-1";
    assert_status(pipe_update(&p, "2020-01-31", &r, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(pipe_update(&p, "tomorrow", NULL, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    r = (lochan_update_request)LOCHAN_UPDATE_REQUEST_INIT;
    r.assets = assets;
    r.n_assets = 1;
    assert_status(pipe_update(&p, "2020-01-31", &r, NULL, &err), LOCHAN_ERR_UNSUPPORTED);
    r = (lochan_update_request)LOCHAN_UPDATE_REQUEST_INIT;
    r.force = r.repair = true;
    assert_status(pipe_update(&p, "2020-01-31", &r, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_update_report report;
    r = (lochan_update_request)LOCHAN_UPDATE_REQUEST_INIT;
    r.source = "market";
    r.dataset = "../../x";
    assert_status(lochan_update_run(p.lake, &r, &report, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    r.dataset = "dialy";
    assert_status(lochan_update_run(p.lake, &r, &report, &err), LOCHAN_ERR_NOT_FOUND);
    assert_int_equal(provider_stats(&p.provider).requests, 0);
    pipe_stop(&p);
}

static void test_update__dry_run_plans_only(void **state) {
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    request.dry_run = true;
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    assert_int_equal(report.scopes, 3);
    assert_int_equal(report.requests, 0);
    assert_false(tmpdir_exists(tmpdir_path(p.path, "data/staging")));
    assert_int_equal(pipe_rows(p.lake, NULL), -1);
    pipe_stop(&p);
}

/* ---- stopping and going on ---- */

struct stopper {
    lochan_lake *lake;
    int64_t after;
};

static void stop_after_pages(void *payload, const lochan_progress *progress) {
    struct stopper *stopper = payload;
    if (progress->pages_done >= stopper->after)
        lochan_lake_cancel(stopper->lake);
}

static void test_update__cancelled_goes_on_from_staged_pages(void **state) {
    market more = {.days = 364, .assets = 3};
    lochan_feed_options options = LOCHAN_FEED_OPTIONS_INIT;
    options.latency_ms = 120;
    pipe_lake p = pipe_start(more, &options, "");
    struct stopper stopper = {p.lake, 3};
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    request.progress = stop_after_pages;
    request.payload = &stopper;
    request.workers = 1;
    assert_status(pipe_update(&p, "2020-12-29", &request, &report, &err), LOCHAN_ERR_CANCELLED);
    assert_int_equal(pipe_rows(p.lake, NULL), -1);
    int64_t asked = provider_stats(&p.provider).requests;
    assert_in_range(asked, 3, 11);
    lochan_lake_resume(p.lake);
    assert_ok(pipe_update(&p, "2020-12-29", NULL, &report, &err));
    assert_true(report.pages_resumed >= 3);
    assert_int_equal(report.requests, 12 - report.pages_resumed);
    assert_int_equal(report.pages, 12);
    pipe_expect(p.lake, more, 364);
    assert_false(tmpdir_exists(tmpdir_path(p.path, tmpdir_path("data/staging", report.update_id))));
    pipe_stop(&p);
}

static void stop_before_writing(void *payload, const lochan_progress *progress) {
    if (progress->stage == LOCHAN_STAGE_WRITE)
        lochan_lake_cancel(payload);
}

/* An update that was killed after its commit leaves its staging: those answers are in the table
 * already, and asking again means asking the provider. */
static void test_update__published_pages_are_not_taken_for_new_answers(void **state) {
    pipe_lake p = pipe_start(small, NULL, "settle_days: 36500\n");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    char staging[320], kept[320];
    snprintf(staging, sizeof staging, "%s/data/staging", p.path);
    snprintf(kept, sizeof kept, "%s/kept", p.dir);
    request.progress = stop_before_writing;
    request.payload = p.lake;
    assert_status(pipe_update(&p, "2020-03-31", &request, NULL, &err), LOCHAN_ERR_CANCELLED);
    lochan_lake_resume(p.lake);
    tmpdir_mkdir(kept);
    tmpdir_copy(staging, kept);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(report.pages_resumed, 3);
    tmpdir_copy(kept, staging);

    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(report.pages_resumed, 0);
    assert_int_equal(report.requests, 3);
    pipe_expect(p.lake, small, 91);
    pipe_stop(&p);
}

/* The source waits 20 ms at most; a caller who asks for more gets more. */
static void test_update__a_longer_back_off_than_the_source_s(void **state) {
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_error err;
    request.retry_backoff_seconds = 2;
    assert_ok(pipe_update(&p, "2020-03-31", &request, NULL, &err));
    pipe_expect(p.lake, small, 91);
    pipe_stop(&p);
}

static void test_update__memory_limit_is_an_error_that_loses_nothing(void **state) {
    market big = {.days = 91, .assets = 900};
    pipe_lake p = pipe_start(big, NULL, "");
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_error err;
    lochan_lake_close(p.lake);
    options.memory_limit = 2 << 20;
    assert_ok(lochan_lake_open(p.path, &options, &p.lake, &err));
    assert_status(pipe_update(&p, "2020-03-31", NULL, NULL, &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_int_equal(pipe_rows(p.lake, NULL), -1);
    lochan_lake_close(p.lake);
    assert_ok(lochan_lake_open(p.path, NULL, &p.lake, &err));
    assert_ok(pipe_update(&p, "2020-03-31", NULL, NULL, &err));
    pipe_expect(p.lake, big, 91);
    pipe_stop(&p);
}

/* What a page or a plan would grow to is known before it is made. */
static void test_update__memory_limit_holds_for_plans_and_wide_pages(void **state) {
    static const char spec[] =
        "name: wide\nsource: market\nsource_dataset: market\ntime_column: day\n"
        "request_options: {date_chunk_days: 1}\n"
        "columns: {time: date, code: string, rate: float64}\nnormalizer: wide_to_long\n"
        "normalizer_options: {name_to: code, value_to: rate}\nprimary_key: [time, code]\n";
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    provider_stop(&p.provider);
    FILE *csv = fopen(p.csv, "w");
    assert_non_null(csv);
    fprintf(csv, "day,%01000d\n", 1); /* a name of 1000 bytes */
    for (int i = 0; i < 10000; i++)
        fprintf(csv, "2020-01-02,%d\n", i);
    assert_int_equal(fclose(csv), 0);
    p.provider = provider_start(p.csv, NULL);
    lochan_lake_close(p.lake);
    options.memory_limit = 4 << 20;
    assert_ok(lochan_lake_open(p.path, &options, &p.lake, &err));
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    assert_ok(lochan_dataset_add(p.lake, spec, sizeof spec - 1, "wide.yaml", false, &err));
    request.source = "market";
    request.dataset = "wide";
    request.start = request.end = "2020-01-02";
    assert_status(lochan_update_run(p.lake, &request, &report, &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_non_null(strstr(err.message, "a wide page"));
    request.start = "1990-01-01";
    request.dry_run = true;
    assert_status(lochan_update_run(p.lake, &request, &report, &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_non_null(strstr(err.message, "the plan"));
    request.start = "2019-01-01";
    assert_ok(lochan_update_run(p.lake, &request, &report, &err));
    assert_int_equal(report.scopes, 367);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_update__fills_then_has_nothing_to_do),
        cmocka_unit_test(test_update__one_more_window_fetches_only_it),
        cmocka_unit_test(test_update__force_finds_revisions),
        cmocka_unit_test(test_update__every_fault_is_a_failure_and_heals),
        cmocka_unit_test(test_update__retries_get_through),
        cmocka_unit_test(test_update__partial_publishes_the_others),
        cmocka_unit_test(test_update__null_in_a_required_column_is_invalid),
        cmocka_unit_test(test_update__last_of_a_page_wins_and_duplicates_are_counted),
        cmocka_unit_test(test_update__undeclared_columns_have_one_type),
        cmocka_unit_test(test_update__new_columns_can_fail_or_be_ignored),
        cmocka_unit_test(test_update__a_field_named_time_is_only_a_field),
        cmocka_unit_test(test_update__recent_days_are_asked_again),
        cmocka_unit_test(test_update__token_makes_a_repeat_a_no_op),
        cmocka_unit_test(test_update__bad_requests_are_refused_before_anything_is_asked),
        cmocka_unit_test(test_update__dry_run_plans_only),
        cmocka_unit_test(test_update__cancelled_goes_on_from_staged_pages),
        cmocka_unit_test(test_update__published_pages_are_not_taken_for_new_answers),
        cmocka_unit_test(test_update__a_longer_back_off_than_the_source_s),
        cmocka_unit_test(test_update__memory_limit_is_an_error_that_loses_nothing),
        cmocka_unit_test(test_update__memory_limit_holds_for_plans_and_wide_pages),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
