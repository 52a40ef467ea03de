/* An answer that brings what the table holds already is not merged; and whatever happened to the
 * table meanwhile, the next answer heals it. */
#include "pipeline/pipeline.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const market january = {.days = 31, .assets = 4};
static const market revised = {.days = 31, .assets = 4, .bump_days = 12, .bump = 0.5};

static lochan_update_report force(pipe_lake *p, const char *start, const char *end) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    request.force = true;
    request.start = start;
    assert_ok(pipe_update(p, end, &request, &report, &err));
    assert_int_equal(report.rows_new + report.rows_replaced + report.rows_unchanged +
                         report.rows_duplicate,
                     report.rows_fetched);
    return report;
}

static bool was_skipped(const lochan_update_report *report) {
    return report->partitions_written == 0 && report->partitions_skipped == 0 &&
           report->rows_unchanged == report->rows_fetched && report->rows_fetched > 0;
}

static pipe_lake start(const char *extra) {
    pipe_lake p = pipe_start(january, NULL, extra);
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-01-31", NULL, NULL, &err));
    return p;
}

static void test_same__an_equal_answer_is_not_merged(void **state) {
    static const char *const modes[] = {"", "update_mode: replace_asset\n",
                                        "update_mode: replace_asset\n"
                                        "update_options: {empty_removes: true}\n",
                                        "update_mode: snapshot_replace\n"};
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        pipe_lake p = start(modes[i]);
        lochan_update_report report = force(&p, "2020-01-01", "2020-01-31");
        assert_true(was_skipped(&report));
        report = force(&p, "2020-01-01", "2020-01-31"); /* what was skipped is still known */
        assert_true(was_skipped(&report));
        assert_int_equal(report.snapshot_id, -1);
        pipe_expect(p.lake, january, 31);
        pipe_provider(&p, revised, NULL);
        report = force(&p, "2020-01-01", "2020-01-31");
        bool whole = strstr(modes[i], "snapshot_replace") != NULL; /* such a table has no key */
        assert_int_equal(report.rows_unchanged, whole ? 0 : 19 * 4);
        assert_int_equal(report.rows_replaced, whole ? 0 : 12 * 4);
        assert_int_equal(report.rows_removed, whole ? 31 * 4 : 0);
        pipe_expect(p.lake, revised, 31);
        report = force(&p, "2020-01-01", "2020-01-31");
        assert_true(was_skipped(&report));
        pipe_stop(&p);
    }
}

/* Without a key rows cannot be told apart, but the table as a whole can. */
static void test_same__a_table_without_a_key_is_replaced_only_by_another(void **state) {
    static const char spec[] = "name: bare\nsource: market\nsource_dataset: market\n"
                               "default_start: 2020-01-01\n"
                               "columns: {code: string, price: float64}\nnew_columns: ignore\n"
                               "deduplication: none\nupdate_mode: snapshot_replace\n";
    (void)state;
    pipe_lake p = start("");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    assert_ok(lochan_dataset_add(p.lake, spec, strlen(spec), "bare.yaml", false, &err));
    request.source = "market";
    request.dataset = "bare";
    request.end = "2020-01-31";
    request.force = true;
    assert_ok(lochan_update_run(p.lake, &request, &report, &err));
    assert_int_equal(report.rows_new, 31 * 4);
    assert_ok(lochan_update_run(p.lake, &request, &report, &err));
    assert_true(was_skipped(&report));
    assert_int_equal(report.rows_removed, 0);
    pipe_provider(&p, revised, NULL);
    assert_ok(lochan_update_run(p.lake, &request, &report, &err));
    assert_int_equal(report.rows_new, 31 * 4);
    assert_int_equal(report.rows_removed, 31 * 4);
    pipe_stop(&p);
}

static void test_same__only_what_differs_is_merged(void **state) {
    static const market longer = {.days = 33, .assets = 4};
    (void)state;
    pipe_lake p = start("");
    pipe_provider(&p, longer, NULL);
    lochan_error err;
    lochan_update_report report;
    /* February stays an interval of its own: what is not final is not joined */
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    request.start = "2020-03-01";
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    report = force(&p, "2020-01-01", "2020-02-29");
    assert_int_equal(report.scopes, 2);
    assert_int_equal(report.rows_unchanged, 31 * 4);
    assert_int_equal(report.rows_new, 2 * 4);
    assert_int_equal(report.partitions_skipped, 0); /* January was not looked at */
    assert_int_equal(report.partitions_written, 1);
    pipe_expect(p.lake, longer, 33);
    pipe_stop(&p);
}

static void test_same__a_rollback_is_healed(void **state) {
    (void)state;
    pipe_lake p = start("");
    int64_t first = pipe_snapshot(p.lake);
    char text[24];
    lochan_error err;
    snprintf(text, sizeof text, "%lld", (long long)first);
    pipe_provider(&p, revised, NULL);
    (void)force(&p, "2020-01-01", "2020-01-31");
    assert_ok(lochan_lake_rollback(p.lake, "market", "daily", text, NULL, NULL, &err));
    pipe_expect(p.lake, january, 31);
    lochan_update_report report = force(&p, "2020-01-01", "2020-01-31");
    assert_int_equal(report.rows_replaced, 12 * 4);
    pipe_expect(p.lake, revised, 31);
    pipe_stop(&p);
}

static void test_same__an_overlapping_window_is_healed(void **state) {
    (void)state;
    pipe_lake p = start("");
    pipe_provider(&p, revised, NULL);
    (void)force(&p, "2020-01-15", "2020-01-31");
    pipe_expect(p.lake, revised, 31);
    pipe_provider(&p, january, NULL); /* the provider takes its revision back */
    lochan_update_report report = force(&p, "2020-01-01", "2020-01-31");
    assert_int_equal(report.rows_replaced, 12 * 4);
    pipe_expect(p.lake, january, 31);
    pipe_stop(&p);
}

/* What DuckDB writes for "DELETE FROM lake.market.daily" of whole files. */
static void delete_as_others_do(const pipe_lake *p) {
    static const char sql[] =
        "BEGIN IMMEDIATE;"
        "INSERT INTO ducklake_snapshot SELECT snapshot_id + 1, '2026-01-01 00:00:00+00', "
        "schema_version, next_catalog_id, next_file_id FROM ducklake_snapshot ORDER BY 1 DESC "
        "LIMIT 1;"
        "INSERT INTO ducklake_snapshot_changes (snapshot_id, changes_made) SELECT "
        "max(snapshot_id), 'deleted_from_table:1' FROM ducklake_snapshot;"
        "UPDATE ducklake_data_file SET end_snapshot = (SELECT max(snapshot_id) FROM "
        "ducklake_snapshot) WHERE end_snapshot IS NULL;"
        "COMMIT;";
    char path[340], *message = NULL;
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/lake.db", p->path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

static void test_same__a_delete_of_another_program_is_healed(void **state) {
    (void)state;
    pipe_lake p = start("");
    lochan_update_report report = force(&p, "2020-01-01", "2020-01-31");
    assert_true(was_skipped(&report));
    delete_as_others_do(&p);
    assert_int_equal(pipe_rows(p.lake, NULL), 0);
    report = force(&p, "2020-01-01", "2020-01-31");
    assert_int_equal(report.rows_new, 31 * 4);
    pipe_expect(p.lake, january, 31);
    report = force(&p, "2020-01-01", "2020-01-31");
    assert_true(was_skipped(&report));
    pipe_stop(&p);
}

static void test_same__a_changed_mapping_is_merged(void **state) {
    static const char more[] = "name: daily\nsource: market\nsource_dataset: market\n"
                               "asset_column: code\ntime_column: day\n"
                               "default_start: 2020-01-01\n"
                               "request_options: {date_chunk_months: 1}\n"
                               "columns:\n  asset_id: string\n"
                               "  time: {type: date, format: \"%Y-%m-%d\"}\n"
                               "  price: {type: float64, nullable: false}\n"
                               "  lots: int64\n"
                               "primary_key: [asset_id, time]\npartition_strategy: year_month\n"
                               "sort_columns: [time, asset_id]\n";
    (void)state;
    lochan_error err;
    pipe_lake p = start("new_columns: ignore\n");
    assert_ok(lochan_dataset_add(p.lake, more, strlen(more), "daily.yaml", true, &err));
    lochan_update_report report = force(&p, "2020-01-01", "2020-01-31");
    assert_int_equal(report.rows_replaced, 31 * 4);
    assert_int_equal(pipe_rows(p.lake, "lots >= 0"), 31 * 4);
    pipe_stop(&p);
}

/* ---- what happens while an update fetches ---- */

typedef struct meanwhile {
    const pipe_lake *lake;
    void (*once)(const pipe_lake *p);
} meanwhile;

static void at_publish(void *payload, const lochan_progress *progress) {
    meanwhile *m = payload;
    void (*once)(const pipe_lake *) = m->once;
    if (progress->stage != LOCHAN_STAGE_PUBLISH || !once)
        return;
    m->once = NULL;
    once(m->lake);
}

/* Cuts the table's one file off, and has `lochan repair` take it out. */
static void repair_as_others_do(const pipe_lake *p) {
    char command[900];
    lochan_repair_options options = LOCHAN_REPAIR_OPTIONS_INIT;
    lochan_repair_report report;
    lochan_lake *other;
    lochan_error err;
    snprintf(command, sizeof command,
             "find '%s/data/market/daily' -name '*.parquet' -exec truncate -s 100 '{}' +", p->path);
    assert_int_equal(system(command), 0);
    assert_ok(lochan_lake_open(p->path, NULL, &other, &err));
    assert_ok(lochan_lake_repair(other, "market", "daily", &options, &report, NULL, &err));
    assert_int_equal(report.files_taken_out, 1);
    lochan_lake_close(other);
}

/* The ledger may not call days good whose rows went after the update had looked. */
static void test_same__what_goes_before_the_publish_is_owed(void **state) {
    (void)state;
    pipe_lake p = start("");
    meanwhile m = {&p, repair_as_others_do};
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    request.force = true;
    request.start = "2020-01-01";
    request.progress = at_publish;
    request.payload = &m;
    assert_ok(pipe_update(&p, "2020-01-31", &request, &report, &err));
    assert_int_equal(pipe_rows(p.lake, NULL), 0);
    assert_ok(pipe_update(&p, "2020-01-31", NULL, &report, &err));
    assert_int_equal(report.rows_new, 31 * 4);
    pipe_expect(p.lake, january, 31);
    pipe_stop(&p);
}

/* ---- the same rows, asked for in another way ---- */

/* One asset, called "1000", so that the feed takes its name for a limit. */
static void provide_one(pipe_lake *p, int price) {
    lochan_error err;
    provider_stop(&p->provider);
    FILE *file = fopen(p->csv, "w");
    assert_non_null(file);
    fprintf(file, "code,day,price\n1000,2020-01-02,1\n1000,2020-01-03,%d\n", price);
    assert_int_equal(fclose(file), 0);
    p->provider = provider_start(p->csv, NULL);
    assert_ok(lochan_source_set(p->lake, "market", "url", p->provider.url, &err));
}

static lochan_update_report force_asset(pipe_lake *p) {
    static const char *const asset = "1000";
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    request.force = true;
    request.start = "2020-01-01";
    request.assets = &asset;
    request.n_assets = 1;
    assert_ok(pipe_update(p, "2020-01-31", &request, &report, &err));
    return report;
}

/* Answers for one asset and answers for all hold the same rows. */
static void test_same__an_answer_for_one_asset_is_one_for_all(void **state) {
    static const char spec[] = "name: daily\nsource: market\nsource_dataset: market\n"
                               "asset_column: code\ntime_column: day\n"
                               "default_start: 2020-01-01\n"
                               "request_options: {date_chunk_months: 1, request_param: limit}\n"
                               "columns:\n  asset_id: string\n"
                               "  time: {type: date, format: \"%Y-%m-%d\"}\n"
                               "  price: {type: float64, nullable: false}\n"
                               "primary_key: [asset_id, time]\npartition_strategy: year_month\n"
                               "sort_columns: [time, asset_id]\n";
    (void)state;
    lochan_error err;
    pipe_lake p = pipe_start(january, NULL, "");
    assert_ok(lochan_dataset_add(p.lake, spec, strlen(spec), "daily.yaml", true, &err));
    provide_one(&p, 5);
    (void)force(&p, "2020-01-01", "2020-01-31");
    provide_one(&p, 6);
    lochan_update_report report = force_asset(&p);
    assert_int_equal(report.rows_replaced, 1);
    provide_one(&p, 5); /* the provider takes it back */
    report = force(&p, "2020-01-01", "2020-01-31");
    assert_int_equal(report.rows_replaced, 1);
    assert_int_equal(pipe_rows(p.lake, "price = 5"), 1);
    provide_one(&p, 6);
    report = force_asset(&p);
    assert_int_equal(report.rows_replaced, 1);
    report = force_asset(&p);
    assert_true(was_skipped(&report));
    assert_int_equal(pipe_rows(p.lake, "price = 6"), 1);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same__an_equal_answer_is_not_merged),
        cmocka_unit_test(test_same__a_table_without_a_key_is_replaced_only_by_another),
        cmocka_unit_test(test_same__only_what_differs_is_merged),
        cmocka_unit_test(test_same__a_rollback_is_healed),
        cmocka_unit_test(test_same__an_overlapping_window_is_healed),
        cmocka_unit_test(test_same__a_delete_of_another_program_is_healed),
        cmocka_unit_test(test_same__a_changed_mapping_is_merged),
        cmocka_unit_test(test_same__what_goes_before_the_publish_is_owed),
        cmocka_unit_test(test_same__an_answer_for_one_asset_is_one_for_all),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
