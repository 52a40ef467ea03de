/* Sources of files: what a path means, that only new and changed files are read, and that nothing
 * goes when a file goes. */
#include "pipeline/pipeline.h"
#include <lochan/log.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <sys/stat.h>

static char *home;
static char folder[400];
static lochan_lake *lake;
static lochan_error err;
static char warnings[2000];

static void on_log(void *payload, lochan_log_level level, const char *message) {
    (void)payload;
    size_t used = strlen(warnings);
    if (level >= LOCHAN_LOG_WARN)
        snprintf(warnings + used, sizeof warnings - used, "%s\n", message);
}

static void put(const char *name, const char *text) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    tmpdir_write(path, text, strlen(text));
}

static void touch(const char *name, time_t seconds) {
    char path[600];
    const struct timespec times[2] = {{.tv_sec = seconds}, {.tv_sec = seconds}};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static void drop(const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(remove(path), 0);
}

static void add(const char *format, const char *path, const char *extra) {
    char text[1500];
    snprintf(text, sizeof text, "name: disk\nkind: files\npath: \"%s\"\nformat: %s\n", path,
             format);
    assert_ok(lochan_source_add(lake, text, strlen(text), "disk.yaml", true, &err));
    snprintf(text, sizeof text,
             "name: prices\nsource: disk\nasset_column: code\ntime_column: day\n"
             "columns: {asset_id: string, time: date, price: float64}\n"
             "primary_key: [asset_id, time]\n%s",
             extra);
    assert_ok(lochan_dataset_add(lake, text, strlen(text), "prices.yaml", true, &err));
}

static lochan_status update(lochan_update_report *report) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    request.source = "disk";
    request.dataset = "prices";
    lochan_error_init(&err);
    warnings[0] = 0;
    return lochan_update_run(lake, &request, report, &err);
}

/* Rows, and the sum of the prices. */
static int64_t count(double *sum) {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    lochan_scan_options options = LOCHAN_SCAN_OPTIONS_INIT;
    const char *const columns[] = {"price"};
    int64_t rows = 0;
    *sum = 0;
    options.columns = columns;
    options.n_columns = 1;
    if (lochan_lake_scan(lake, "disk", "prices", &options, &stream, &err) != LOCHAN_OK)
        return -1;
    assert_ok(lochan_stream_get_schema(&stream, &schema, &err));
    for (;;) {
        struct ArrowArray batch = {0};
        assert_ok(lochan_stream_get_next(&stream, &batch, &err));
        if (!batch.release)
            break;
        const double *v = batch.children[0]->buffers[1];
        for (int64_t i = 0; i < batch.length; i++)
            *sum += v[batch.children[0]->offset + i];
        rows += batch.length;
        batch.release(&batch);
    }
    schema.release(&schema);
    stream.release(&stream);
    return rows;
}

static void expect(int64_t rows, double sum) {
    double got;
    assert_int_equal(count(&got), rows);
    assert_true(got == sum);
    pipe_verify(lake);
}

static int setup(void **state) {
    (void)state;
    char path[400];
    lochan_error_init(&err);
    home = tmpdir_make("files");
    snprintf(folder, sizeof folder, "%s/in", home);
    tmpdir_mkdir(folder);
    snprintf(path, sizeof path, "%s/lake", home);
    assert_ok(lochan_lake_init(path, NULL, &err));
    assert_ok(lochan_lake_open(path, NULL, &lake, &err));
    lochan_log_set(on_log, NULL, LOCHAN_LOG_WARN);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    lochan_lake_close(lake);
    tmpdir_remove(home);
    return 0;
}

#define HEAD "code,day,price\n"

static void test_files__only_new_and_changed_files_are_read(void **state) {
    (void)state;
    lochan_update_report report;
    add("csv", folder, "");
    put("a.csv", HEAD "A,2024-01-01,1\nB,2024-01-01,2\n");
    put("b.csv", HEAD "A,2024-01-02,4\n");
    put("_marker.csv", "nothing of ours");
    put("notes.md", "nothing of ours");
    assert_ok(update(&report));
    assert_int_equal(report.scopes, 2);
    expect(3, 7);
    assert_ok(update(&report));
    assert_true(report.nothing_to_do);
    put("c.csv", HEAD "A,2024-01-03,8\n");
    put("b.csv", HEAD "A,2024-01-02,16\nB,2024-01-02,32\n");
    assert_ok(update(&report));
    assert_int_equal(report.scopes, 2);
    expect(5, 1 + 2 + 16 + 32 + 8);
    touch("a.csv", 1000000); /* another time, the same content */
    assert_ok(update(&report));
    assert_true(report.nothing_to_do);
}

static void test_files__a_file_that_is_gone_is_reported_and_removes_nothing(void **state) {
    (void)state;
    lochan_update_report report;
    add("csv", folder, "");
    put("a.csv", HEAD "A,2024-01-01,1\n");
    put("b.csv", HEAD "A,2024-01-02,2\n");
    assert_ok(update(&report));
    drop("a.csv");
    assert_ok(update(&report));
    assert_true(report.nothing_to_do);
    assert_non_null(strstr(warnings, "'a.csv' is gone; its rows stay"));
    expect(2, 3);
    put("a.csv", HEAD "A,2024-01-01,5\n");
    assert_ok(update(&report));
    expect(2, 7);
}

/* A text of the first row of a list, which is released. */
static void first_is(struct ArrowArrayStream *stream, const char *column, const char *expected) {
    char *text = stream_text(stream, column);
    if (expected)
        assert_string_equal(text, expected);
    else
        assert_null(text);
    free(text);
}

static void owes(const char *file) {
    struct ArrowArrayStream stream;
    assert_ok(lochan_status_gaps(lake, "disk", "prices", NULL, NULL, &stream, &err));
    first_is(&stream, "variant", file);
    assert_ok(lochan_status_datasets(lake, "disk", "prices", &stream, &err));
    assert_int_equal(stream_int(&stream, "covered_to"), -1); /* null: files are no days */
    assert_ok(lochan_status_datasets(lake, "disk", "prices", &stream, &err));
    assert_true(stream_int(&stream, "asked_at") > 0);
}

static void test_files__a_bad_file_fails_alone(void **state) {
    (void)state;
    lochan_update_report report;
    add("csv", folder, "");
    put("a.csv", HEAD "A,2024-01-01,1\n");
    put("b.csv", HEAD "A,2024-01-02,two\n");
    assert_int_equal(update(&report), LOCHAN_ERR_PARTIAL);
    assert_int_equal(report.scopes_failed, 1);
    assert_non_null(strstr(err.message, "'two'"));
    assert_non_null(strstr(err.file, "b.csv"));
    expect(1, 1);
    owes("b.csv");
    assert_int_equal(update(&report), LOCHAN_ERR_PAGE); /* it is read again, and only it */
    assert_int_equal(report.scopes, 1);
    put("b.csv", HEAD "A,2024-01-02,2\n");
    assert_ok(update(&report));
    expect(2, 3);
    owes(NULL);
}

/* A field that a provider renamed looks like one that is always null. */
static void test_files__a_field_that_never_has_a_value_is_named(void **state) {
    (void)state;
    lochan_update_report report;
    char text[4000] = "";
    size_t n = 0;
    add("ndjson", folder, "new_columns: ignore\n");
    for (int day = 1; day <= 25; day++)
        n += (size_t)snprintf(text + n, sizeof text - n,
                              "{\"code\": \"A\", \"day\": \"2024-01-%02d\", \"prize\": 1}\n", day);
    put("a.ndjson", text);
    assert_ok(update(&report));
    assert_int_equal(report.rows_new, 25);
    assert_non_null(strstr(warnings, "field 'price' had no value in any of 25 rows"));
    assert_null(strstr(warnings, "field 'day'"));
    put("b.ndjson", "{\"code\": \"A\", \"day\": \"2024-02-01\", \"price\": 1}\n");
    assert_ok(update(&report));
    assert_string_equal(warnings, "");
}

static void test_files__patterns_and_names_of_datasets(void **state) {
    (void)state;
    lochan_update_report report;
    char path[600];
    snprintf(path, sizeof path, "%s/{source_dataset}/20?3/*-[0-9].csv", folder);
    add("csv", path, "source_dataset: eod\n");
    snprintf(path, sizeof path, "%s/eod", folder);
    tmpdir_mkdir(path);
    snprintf(path, sizeof path, "%s/eod/2023", folder);
    tmpdir_mkdir(path);
    snprintf(path, sizeof path, "%s/eod/old", folder);
    tmpdir_mkdir(path);
    put("eod/2023/x-1.csv", HEAD "A,2024-01-01,1\n");
    put("eod/2023/x-a.csv", HEAD "A,2024-01-02,2\n");
    put("eod/old/x-1.csv", HEAD "A,2024-01-03,4\n");
    put("x-1.csv", HEAD "A,2024-01-04,8\n");
    assert_ok(update(&report));
    expect(1, 1);
    struct ArrowArrayStream stream;
    assert_ok(lochan_status_scopes(lake, "disk", "prices", &stream, &err));
    char *variant = stream_text(&stream, "variant");
    assert_string_equal(variant, "2023/x-1.csv");
    free(variant);
}

static void test_files__a_folder_is_searched_to_its_depths(void **state) {
    (void)state;
    lochan_update_report report;
    char path[600];
    add("csv", folder, "");
    snprintf(path, sizeof path, "%s/sub", folder);
    tmpdir_mkdir(path);
    put("sub/a.csv", HEAD "A,2024-01-01,1\n");
    put("b.csv", HEAD "A,2024-01-02,2\n");
    assert_ok(update(&report));
    expect(2, 3);
}

static void test_files__no_folder_is_an_error_and_no_files_a_warning(void **state) {
    (void)state;
    lochan_update_report report;
    char path[600];
    snprintf(path, sizeof path, "%s/none", folder);
    add("csv", path, "");
    assert_int_equal(update(&report), LOCHAN_ERR_NOT_FOUND);
    add("csv", folder, "");
    assert_ok(update(&report));
    assert_true(report.nothing_to_do);
    assert_non_null(strstr(warnings, "no files in"));
}

static void test_files__json_lines(void **state) {
    (void)state;
    lochan_update_report report;
    add("ndjson", folder, "");
    put("a.ndjson", "{\"code\":\"A\",\"day\":\"2024-01-01\",\"price\":1.5}\n"
                    "{\"code\":\"B\",\"day\":\"2024-01-01\"}\n");
    assert_ok(update(&report));
    expect(2, 1.5);
}

/* Parquet is made of the rows that a lake of CSV has. */
static void test_files__parquet(void **state) {
    (void)state;
    lochan_update_report report;
    struct ArrowArrayStream stream;
    char path[600];
    add("csv", folder, "");
    put("a.csv", HEAD "A,2024-01-01,1\nB,2024-01-01,2\nC,2024-01-01,\n");
    assert_ok(update(&report));
    lochan_scan_options options = LOCHAN_SCAN_OPTIONS_INIT;
    const char *const columns[] = {"asset_id", "time", "price"};
    options.columns = columns;
    options.n_columns = 3;
    assert_ok(lochan_lake_scan(lake, "disk", "prices", &options, &stream, &err));
    snprintf(path, sizeof path, "%s/a.parquet", folder);
    assert_ok(lochan_parquet_write(&stream, path, NULL, NULL, &err));
    stream.release(&stream);
    char text[1500];
    snprintf(text, sizeof text, "name: pq\nkind: files\npath: \"%s/*.parquet\"\nformat: parquet\n",
             folder);
    assert_ok(lochan_source_add(lake, text, strlen(text), "pq.yaml", false, &err));
    const char *dataset = "name: copy\nsource: pq\n"
                          "columns: {asset_id: string, time: date, price: float64, later: int32}\n"
                          "primary_key: [asset_id, time]\n";
    assert_ok(lochan_dataset_add(lake, dataset, strlen(dataset), "copy.yaml", false, &err));
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    request.source = "pq";
    request.dataset = "copy";
    assert_ok(lochan_update_run(lake, &request, &report, &err));
    assert_int_equal(report.rows_new, 3);
    assert_ok(lochan_update_run(lake, &request, &report, &err));
    assert_true(report.nothing_to_do);
    size_t size;
    char *bytes = tmpdir_read(path, &size);
    bytes[size / 2] ^= 0x55; /* damaged: never a wrong row */
    tmpdir_write(path, bytes, size);
    free(bytes);
    lochan_status rc = lochan_update_run(lake, &request, &report, &err);
    assert_true(rc == LOCHAN_ERR_CORRUPT || rc == LOCHAN_ERR_PAGE);
    assert_non_null(strstr(err.file, "a.parquet"));
    pipe_verify(lake);
}

static void test_files__a_table_that_becomes_what_is_there(void **state) {
    (void)state;
    lochan_update_report report;
    add("csv", folder, "update_mode: snapshot_replace\n");
    put("a.csv", HEAD "A,2024-01-01,1\n");
    put("b.csv", HEAD "A,2024-01-02,2\n");
    assert_ok(update(&report));
    put("b.csv", HEAD "A,2024-01-03,4\n");
    assert_ok(update(&report));
    assert_int_equal(report.scopes, 2);
    expect(2, 5);
}

static void test_files__replacing_by_days_asked_is_refused(void **state) {
    (void)state;
    lochan_update_report report;
    add("csv", folder, "update_mode: replace_asset\n");
    put("a.csv", HEAD "A,2024-01-01,1\n");
    assert_int_equal(update(&report), LOCHAN_ERR_UNSUPPORTED);
}

static void test_files__a_file_larger_than_allowed_fails_alone(void **state) {
    (void)state;
    lochan_update_report report;
    add("csv", folder, "");
    assert_ok(lochan_source_set(lake, "disk", "max_body", "59", &err));
    put("a.csv", HEAD "A,2024-01-01,1\n");
    put("b.csv", HEAD "A,2024-01-02,2\nA,2024-01-03,2\nA,2024-01-04,2\n");
    assert_int_equal(update(&report), LOCHAN_ERR_PARTIAL);
    assert_non_null(strstr(err.message, "max_body"));
    expect(1, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_files__only_new_and_changed_files_are_read, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(
            test_files__a_file_that_is_gone_is_reported_and_removes_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files__a_bad_file_fails_alone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files__a_field_that_never_has_a_value_is_named, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_files__patterns_and_names_of_datasets, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_files__a_folder_is_searched_to_its_depths, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_files__no_folder_is_an_error_and_no_files_a_warning,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_files__json_lines, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files__parquet, setup, teardown),
        cmocka_unit_test_setup_teardown(test_files__a_table_that_becomes_what_is_there, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_files__replacing_by_days_asked_is_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_files__a_file_larger_than_allowed_fails_alone, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
