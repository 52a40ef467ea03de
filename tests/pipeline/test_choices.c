/* What a spec can choose: rules and their rejects, planners, deduplications; and that a new one is
 * one entry. */
#include "pipeline/pipeline.h"
#include "update/dedup.h"
#include "update/planner.h"
#include "update/registry.h"

#include <stdlib.h>
#include <string.h>

static const market small = {.days = 40, .assets = 3};

static int64_t count_rows(struct ArrowArrayStream *stream) {
    int64_t rows = 0;
    for (;;) {
        struct ArrowArray batch = {0};
        assert_int_equal(stream->get_next(stream, &batch), 0);
        if (!batch.release)
            break;
        rows += batch.length;
        batch.release(&batch);
    }
    stream->release(stream);
    return rows;
}

/* ---- rules ---- */

static const char quarantine[] = "validation:\n"
                                 "  - {rule: range, column: price, max: 30, on_error: quarantine}\n"
                                 "  - {rule: allowed, column: asset_id, values: [A000, A001], "
                                 "on_error: warn}\n";

static void test_choices__quarantined_rows_are_kept_and_released(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, quarantine);
    lochan_update_report report;
    lochan_error err;
    struct ArrowArrayStream stream;
    int64_t released;
    assert_ok(pipe_update(&p, "2020-02-09", NULL, &report, &err));
    assert_int_equal(report.rows_fetched, 120);
    assert_int_equal(report.rows_rejected, 29); /* days 30 to 39, but for 30.00 itself */
    assert_int_equal(report.rows_warned, 30);   /* A002, of the days 0 to 29 */
    assert_int_equal(pipe_rows(p.lake, NULL), 91);
    assert_ok(lochan_status_rejects(p.lake, "market", "daily", NULL, &stream, &err));
    char *reason = stream_text(&stream, "reason");
    assert_non_null(strstr(reason, "out of range"));
    free(reason);
    assert_ok(lochan_status_rejects(p.lake, "market", "daily", NULL, &stream, &err));
    assert_int_equal(count_rows(&stream), 29);
    assert_ok(lochan_rejects_release(p.lake, "market", "daily", NULL, &released, &err));
    assert_int_equal(released, 29);
    pipe_expect(p.lake, small, 40);
    assert_ok(lochan_rejects_release(p.lake, "market", "daily", NULL, &released, &err));
    assert_int_equal(released, 0); /* once is enough */
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_choices__dropped_rejects_are_gone(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, quarantine);
    lochan_error err;
    struct ArrowArrayStream stream;
    int64_t rows;
    assert_ok(pipe_update(&p, "2020-02-09", NULL, NULL, &err));
    assert_ok(lochan_rejects_drop(p.lake, "market", "daily", NULL, &rows, &err));
    assert_int_equal(rows, 29);
    assert_ok(lochan_status_rejects(p.lake, "market", "daily", NULL, &stream, &err));
    assert_int_equal(count_rows(&stream), 0);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_choices__levels_of_validation(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, quarantine);
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    request.validate = "strict";
    assert_status(pipe_update(&p, "2020-02-09", &request, &report, &err), LOCHAN_ERR_VALIDATION);
    assert_int_equal(report.scopes_failed, 2);
    struct ArrowArrayStream stream;
    assert_ok(lochan_status_gaps(p.lake, "market", "daily", NULL, "2020-02-09", &stream, &err));
    char *why = stream_text(&stream, "reason");
    assert_string_equal(why, "invalid");
    free(why);
    request.validate = "off";
    assert_ok(pipe_update(&p, "2020-02-09", &request, &report, &err)); /* invalid: asked again */
    assert_int_equal(report.rows_rejected, 0);
    pipe_expect(p.lake, small, 40);
    request.validate = "lenient";
    assert_status(pipe_update(&p, "2020-02-09", &request, &report, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    pipe_stop(&p);
}

static void test_choices__a_value_of_another_type_is_quarantined(void **state) {
    static const char csv[] =
        "code,day,price\nA,2020-01-01,1.5\nB,2020-01-01,much\nC,2020-01-01,\n";
    (void)state;
    pipe_lake p = pipe_start(small, NULL,
                             "validation:\n"
                             "  - {rule: type, column: price, on_error: quarantine}\n"
                             "  - {rule: required, column: price, on_error: quarantine}\n");
    lochan_update_report report;
    lochan_error err;
    provider_stop(&p.provider);
    tmpdir_write(p.csv, csv, sizeof csv - 1);
    p.provider = provider_start(p.csv, NULL);
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    assert_ok(pipe_update(&p, "2020-01-05", NULL, &report, &err));
    assert_int_equal(report.rows_new, 1);
    assert_int_equal(report.rows_rejected, 2);
    int64_t rows;
    assert_status(lochan_rejects_release(p.lake, "market", "daily", NULL, &rows, &err),
                  LOCHAN_ERR_VALUE);
    assert_int_equal(pipe_rows(p.lake, NULL), 1);
    pipe_stop(&p);
}

static void test_choices__unique_looks_over_the_whole_update(void **state) {
    static const char csv[] = "code,day,price\nA,2020-01-01,1\nA,2020-02-01,1\nB,2020-02-01,2\n";
    (void)state;
    pipe_lake p = pipe_start(
        small, NULL,
        "validation:\n  - {rule: unique, columns: [asset_id, price], on_error: quarantine}\n");
    lochan_update_report report;
    lochan_error err;
    provider_stop(&p.provider);
    tmpdir_write(p.csv, csv, sizeof csv - 1);
    p.provider = provider_start(p.csv, NULL);
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    assert_ok(pipe_update(&p, "2020-02-05", NULL, &report, &err));
    assert_int_equal(report.rows_new, 2);
    assert_int_equal(report.rows_rejected, 1);
    pipe_stop(&p);
}

static void test_choices__row_filter_keeps_what_is_listed(void **state) {
    (void)state;
    static const char spec[] =
        "name: few\nsource: market\nsource_dataset: market\nasset_column: code\ntime_column: day\n"
        "default_start: 2020-01-01\n"
        "request_options: {row_filter: {column: code, in: [A001]}}\n"
        "columns: {price: float64, time: {type: date, format: \"%Y-%m-%d\"}}\n"
        "primary_key: [asset_id, time]\n";
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    assert_ok(lochan_dataset_add(p.lake, spec, sizeof spec - 1, "few.yaml", false, &err));
    request.source = "market";
    request.dataset = "few";
    request.end = "2020-02-09";
    assert_ok(lochan_update_run(p.lake, &request, &report, &err));
    assert_int_equal(report.rows_new, 40);
    assert_int_equal(report.rows_filtered, 80);
    pipe_stop(&p);
}

/* ---- a new entry of each kind ---- */

static lochan_status cut_weeks(const struct lochan_job *job, lochan_window gap, lochan_windows *out,
                               lochan_error *err) {
    (void)job;
    return lochan_plan__cut_chunks(LOCHAN_CHUNK_DAYS, 7, gap, out, err);
}
static const lochan_planner weekly = {
    .name = "test_weekly", .window_column = "time", .cut = cut_weeks};

/* Keeps the rows of even numbers. */
static lochan_status keep_even(const lochan_dataset_spec *spec, const struct ArrowSchema *schema,
                               const struct ArrowArray *batch, int64_t *kept, size_t *n_kept,
                               lochan_error *err) {
    (void)spec;
    (void)schema;
    (void)err;
    *n_kept = 0;
    for (int64_t i = 0; i < batch->length; i += 2)
        kept[(*n_kept)++] = i;
    return LOCHAN_OK;
}
static const lochan_dedup_rule even = {
    .name = "test_even", .write = LOCHAN_DEDUP_LAST, .keep = keep_even};

static void test_choices__a_new_planner_and_deduplication_are_an_entry_each(void **state) {
    static const char spec[] =
        "name: own\nsource: market\nsource_dataset: market\nasset_column: code\ntime_column: day\n"
        "request_planner: test_weekly\ndeduplication: test_even\ndefault_start: 2020-01-01\n"
        "columns: {price: float64, time: {type: date, format: \"%Y-%m-%d\"}}\n"
        "primary_key: [asset_id, time]\n";
    (void)state;
    lochan_error err;
    assert_ok(lochan_registry__add(LOCHAN_REGISTRY_PLANNER,
                                   (const lochan_choice *)(const void *)&weekly, &err));
    assert_ok(lochan_registry__add(LOCHAN_REGISTRY_DEDUP,
                                   (const lochan_choice *)(const void *)&even, &err));
    assert_status(lochan_registry__add(LOCHAN_REGISTRY_DEDUP,
                                       (const lochan_choice *)(const void *)&even, &err),
                  LOCHAN_ERR_EXISTS);
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    assert_ok(lochan_dataset_add(p.lake, spec, sizeof spec - 1, "own.yaml", false, &err));
    request.source = "market";
    request.dataset = "own";
    request.end = "2020-02-09";
    assert_ok(lochan_update_run(p.lake, &request, &report, &err));
    assert_in_range(report.scopes, 6, 7);
    assert_int_equal(report.rows_new, 60);
    assert_int_equal(report.rows_duplicate, 60);
    pipe_stop(&p);
}

/* ---- datasets ---- */

static void test_choices__disabled_and_removed_datasets(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_report report;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-02-09", NULL, &report, &err));
    assert_ok(lochan_dataset_enable(p.lake, "market", "daily", false, &err));
    assert_status(pipe_update(&p, "2020-02-09", NULL, &report, &err), LOCHAN_ERR_UNSUPPORTED);
    assert_ok(lochan_dataset_enable(p.lake, "market", "daily", true, &err));
    assert_ok(pipe_update(&p, "2020-02-09", NULL, &report, &err));
    assert_true(report.nothing_to_do);
    assert_status(lochan_source_remove(p.lake, "market", &err), LOCHAN_ERR_EXISTS);
    assert_ok(lochan_dataset_remove(p.lake, "market", "daily", true, &err));
    assert_int_equal(pipe_rows(p.lake, NULL), 0);
    assert_status(pipe_update(&p, "2020-02-09", NULL, &report, &err), LOCHAN_ERR_NOT_FOUND);
    assert_ok(lochan_source_remove(p.lake, "market", &err));
    assert_status(lochan_source_remove(p.lake, "market", &err), LOCHAN_ERR_NOT_FOUND);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_choices__lists_tell_what_was_asked(void **state) {
    (void)state;
    lochan_feed_options options = LOCHAN_FEED_OPTIONS_INIT;
    options.faults = "http404";
    pipe_lake p = pipe_start(small, &options, "");
    struct ArrowArrayStream stream;
    lochan_error err;
    assert_true(pipe_update(&p, "2020-02-09", NULL, NULL, &err) != LOCHAN_OK);
    assert_ok(lochan_status_failures(p.lake, "market", NULL, -1, &stream, &err));
    assert_int_equal(count_rows(&stream), 2);
    assert_ok(lochan_status_gaps(p.lake, NULL, NULL, NULL, "2020-02-09", &stream, &err));
    char *why = stream_text(&stream, "reason");
    assert_string_equal(why, "failed");
    free(why);
    pipe_provider(&p, small, NULL);
    assert_ok(pipe_update(&p, "2020-02-09", NULL, NULL, &err));
    assert_ok(lochan_status_gaps(p.lake, NULL, NULL, NULL, "2020-02-09", &stream, &err));
    assert_int_equal(count_rows(&stream), 0);
    assert_ok(lochan_status_scopes(p.lake, "market", "daily", &stream, &err));
    assert_int_equal(count_rows(&stream), 1);
    assert_ok(lochan_status_partitions(p.lake, "market", "daily", &stream, &err));
    assert_int_equal(count_rows(&stream), 2);
    assert_status(lochan_status_gaps(p.lake, NULL, NULL, "2021-01-01", "2020-01-01", &stream, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choices__quarantined_rows_are_kept_and_released),
        cmocka_unit_test(test_choices__dropped_rejects_are_gone),
        cmocka_unit_test(test_choices__levels_of_validation),
        cmocka_unit_test(test_choices__a_value_of_another_type_is_quarantined),
        cmocka_unit_test(test_choices__unique_looks_over_the_whole_update),
        cmocka_unit_test(test_choices__row_filter_keeps_what_is_listed),
        cmocka_unit_test(test_choices__a_new_planner_and_deduplication_are_an_entry_each),
        cmocka_unit_test(test_choices__disabled_and_removed_datasets),
        cmocka_unit_test(test_choices__lists_tell_what_was_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
