/* Windows of another day than `time`: the provider chooses rows by the day of a first announcement,
 * a restatement has a later one of its own. */
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const market unused = {.days = 1, .assets = 1};

/* told: what the provider filters by; known: what the table calls time. */
static const char spec[] = "name: daily\n"
                           "source: market\n"
                           "source_dataset: market\n"
                           "asset_column: code\n"
                           "time_column: known\n"
                           "request_options: {date_chunk_months: 1, window_column: told}\n"
                           "default_start: 2020-01-01\n"
                           "columns:\n"
                           "  asset_id: {type: string, nullable: false}\n"
                           "  time: {type: date, format: \"%Y-%m-%d\", nullable: false}\n"
                           "  told: {type: date, format: \"%Y-%m-%d\"}\n"
                           "  price: float64\n"
                           "deduplication: exact_record_hash\n"
                           "partition_strategy: year_month\n"
                           "update_mode: replace_asset\n"
                           "sort_columns: [time, asset_id]\n";

static void serve(pipe_lake *p, const char *rows) {
    lochan_error err;
    provider_stop(&p->provider);
    FILE *file = fopen(p->csv, "w");
    assert_non_null(file);
    fprintf(file, "code,told,known,price\n%s", rows);
    assert_int_equal(fclose(file), 0);
    p->provider = provider_start(p->csv, NULL);
    assert_ok(lochan_source_set(p->lake, "market", "url", p->provider.url, &err));
}

static pipe_lake start(const char *rows) {
    lochan_error err;
    pipe_lake p = pipe_start(unused, NULL, "");
    serve(&p, rows);
    assert_ok(lochan_dataset_add(p.lake, spec, strlen(spec), "daily.yaml", true, &err));
    return p;
}

static const char first_told[] = "A000,2020-01-10,2020-01-10,1\n"
                                 "A000,2020-01-20,2020-01-20,2\n"
                                 "A000,2020-02-10,2020-02-10,3\n";
/* the second statement was restated in March; the fourth is new */
static const char then_restated[] = "A000,2020-01-10,2020-01-10,1\n"
                                    "A000,2020-01-20,2020-03-15,2.5\n"
                                    "A000,2020-02-10,2020-02-10,3\n"
                                    "A000,2020-03-10,2020-03-10,4\n";

static void test_windows__a_restated_row_is_not_lost(void **state) {
    (void)state;
    pipe_lake p = start(then_restated);
    lochan_update_report report;
    lochan_error err;
    /* the window ends before the day on which the row became known */
    assert_ok(pipe_update(&p, "2020-01-31", NULL, &report, &err));
    assert_int_equal(report.rows_fetched, 2);
    assert_int_equal(report.rows_filtered, 0);
    assert_int_equal(pipe_rows(p.lake, "time = '2020-03-15'"), 1);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(pipe_rows(p.lake, NULL), 4);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_windows__replacement_removes_by_the_providers_day(void **state) {
    (void)state;
    pipe_lake p = start(first_told);
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-03-31", NULL, NULL, &err));
    assert_int_equal(pipe_rows(p.lake, NULL), 3);
    serve(&p, then_restated);
    request.force = true;
    request.start = "2020-01-01";
    assert_ok(pipe_update(&p, "2020-01-31", &request, &report, &err));
    assert_int_equal(report.rows_new, 1);
    assert_int_equal(report.rows_unchanged, 1);
    assert_int_equal(report.rows_removed, 1); /* of January by `told`, whatever its time */
    assert_int_equal(pipe_rows(p.lake, "price = 2"), 0);
    assert_int_equal(pipe_rows(p.lake, "price = 2.5"), 1);
    /* March by `told`: the restated row, in March by its time, was not asked for and stays */
    request.start = "2020-03-01";
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    assert_int_equal(report.rows_removed, 0);
    assert_int_equal(pipe_rows(p.lake, "price = 2.5"), 1);
    assert_int_equal(pipe_rows(p.lake, NULL), 4);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static void test_windows__the_column_must_be_a_declared_day(void **state) {
    (void)state;
    static const char *const bad[] = {"window_column: price", "window_column: nothing"};
    pipe_lake p = start(first_told);
    for (size_t i = 0; i < 2; i++) {
        char text[2048];
        lochan_error err;
        const char *at = strstr(spec, "window_column: told");
        snprintf(text, sizeof text, "%.*s%s%s", (int)(at - spec), spec, bad[i],
                 at + strlen("window_column: told"));
        assert_int_equal(lochan_dataset_add(p.lake, text, strlen(text), "x.yaml", true, &err),
                         LOCHAN_ERR_SPEC);
        assert_non_null(strstr(err.message, "window_column"));
    }
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_windows__a_restated_row_is_not_lost),
        cmocka_unit_test(test_windows__replacement_removes_by_the_providers_day),
        cmocka_unit_test(test_windows__the_column_must_be_a_declared_day),
    };
    return cmocka_run_group_tests_name("pipeline/windows", tests, NULL, NULL);
}
