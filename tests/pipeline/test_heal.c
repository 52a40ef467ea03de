/* What others changed in a table is asked again by the next plain update, and only that. */
#include "pipeline/pipeline.h"

#include "base/cancel.h"

#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const market winter = {.days = 60, .assets = 4}; /* to the end of February */

static char told[4000];

static void hear(void *payload, lochan_log_level level, const char *message) {
    (void)payload;
    (void)level;
    size_t n = strlen(told);
    snprintf(told + n, sizeof told - n, "%s\n", message);
}

static void listen(void) {
    told[0] = '\0';
    lochan_log_set(hear, NULL, LOCHAN_LOG_WARN);
}

static pipe_lake start(const char *extra) {
    pipe_lake p = pipe_start(winter, NULL, extra);
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-01-31", NULL, NULL, &err));
    assert_ok(lochan_lake_tag(p.lake, "january", NULL, NULL, NULL, &err));
    assert_ok(pipe_update(&p, "2020-02-29", NULL, NULL, &err));
    pipe_expect(p.lake, winter, 60);
    return p;
}

static int64_t roll_back(pipe_lake *p) {
    lochan_error err;
    int64_t id;
    assert_ok(lochan_lake_rollback(p->lake, "market", "daily", "january", NULL, &id, &err));
    return id;
}

static lochan_update_report update(pipe_lake *p) {
    lochan_update_report report;
    lochan_error err;
    listen();
    lochan_status rc = pipe_update(p, "2020-02-29", NULL, &report, &err);
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    assert_ok(rc);
    return report;
}

/* Whatever was owed is there, and nothing is owed any more. */
static void expect_healed(pipe_lake *p) {
    pipe_expect(p->lake, winter, 60);
    lochan_update_report report = update(p);
    assert_true(report.nothing_to_do);
    assert_string_equal(told, "");
    pipe_verify(p->lake);
}

/* What DuckDB does to the catalog for a DELETE of whole files. */
static void delete_as_others_do(const pipe_lake *p, const char *which) {
    char path[340], sql[1200], *message = NULL;
    sqlite3 *db;
    snprintf(sql, sizeof sql,
             "BEGIN IMMEDIATE;"
             "INSERT INTO ducklake_snapshot SELECT snapshot_id + 1, '2026-01-01 00:00:00+00', "
             "schema_version, next_catalog_id, next_file_id FROM ducklake_snapshot ORDER BY 1 DESC "
             "LIMIT 1;"
             "INSERT INTO ducklake_snapshot_changes (snapshot_id, changes_made) SELECT "
             "max(snapshot_id), 'deleted_from_table:1' FROM ducklake_snapshot;"
             "UPDATE ducklake_data_file SET end_snapshot = (SELECT max(snapshot_id) FROM "
             "ducklake_snapshot) WHERE end_snapshot IS NULL AND %s;"
             "COMMIT;",
             which);
    snprintf(path, sizeof path, "%s/lake.db", p->path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
}

#define OF_FEBRUARY                                                                                \
    "data_file_id IN (SELECT data_file_id FROM ducklake_file_column_stats WHERE min_value = "      \
    "'2020-02-01')"

static void test_heal__a_rollback(void **state) {
    char line[160];
    (void)state;
    pipe_lake p = start("");
    int64_t id = roll_back(&p);
    pipe_expect(p.lake, winter, 31);
    lochan_update_report report = update(&p);
    assert_int_equal(report.scopes, 1); /* February alone */
    assert_int_equal(report.rows_new, 29 * 4);
    snprintf(line, sizeof line,
             "market.daily: rows of 2020-02-01..2020-02-29 were changed by a rollback (snapshot "
             "%lld): asked again\n",
             (long long)id);
    assert_string_equal(told, line);
    expect_healed(&p);
    pipe_stop(&p);
}

/* Files come back in place of those that go. */
static void test_heal__a_rollback_of_a_revision(void **state) {
    static const market revised = {.days = 60, .assets = 4, .bump_days = 40, .bump = 0.5};
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_error err;
    (void)state;
    pipe_lake p = start("");
    assert_ok(lochan_lake_tag(p.lake, "february", NULL, NULL, NULL, &err));
    pipe_provider(&p, revised, NULL);
    request.force = true;
    request.start = "2020-02-01";
    assert_ok(pipe_update(&p, "2020-02-29", &request, NULL, &err));
    assert_ok(lochan_lake_rollback(p.lake, "market", "daily", "february", NULL, NULL, &err));
    pipe_expect(p.lake, winter, 60);
    lochan_update_report report = update(&p);
    assert_int_equal(report.scopes, 1);
    assert_int_equal(report.rows_replaced, 29 * 4);
    assert_int_equal(pipe_rows(p.lake, NULL), 60 * 4);
    report = update(&p);
    assert_true(report.nothing_to_do);
    pipe_stop(&p);
}

static void test_heal__a_delete_of_another_program(void **state) {
    (void)state;
    pipe_lake p = start("");
    delete_as_others_do(&p, OF_FEBRUARY);
    pipe_expect(p.lake, winter, 31);
    lochan_update_report report = update(&p);
    assert_int_equal(report.scopes, 1);
    assert_int_equal(report.rows_new, 29 * 4);
    assert_non_null(strstr(told, "rows of 2020-02-01..2020-02-29 were changed by another program"));
    expect_healed(&p);
    delete_as_others_do(&p, "1");
    assert_int_equal(pipe_rows(p.lake, NULL), 0);
    report = update(&p);
    assert_int_equal(report.rows_new, 60 * 4);
    expect_healed(&p);
    pipe_stop(&p);
}

/* Commits that are in the journal already count as those that are not. */
static void test_heal__after_a_commit_to_another_table(void **state) {
    static const char other[] = "name: other\nsource: market\nsource_dataset: market\n"
                                "default_start: 2020-01-01\nasset_column: code\n"
                                "time_column: day\nprimary_key: [asset_id, time]\n"
                                "columns:\n  asset_id: string\n"
                                "  time: {type: date, format: \"%Y-%m-%d\"}\n"
                                "  price: {type: float64, nullable: false}\n";
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    (void)state;
    pipe_lake p = start("");
    delete_as_others_do(&p, OF_FEBRUARY);
    assert_ok(lochan_dataset_add(p.lake, other, strlen(other), "other.yaml", false, &err));
    request.source = "market";
    request.dataset = "other";
    request.end = "2020-02-29";
    assert_ok(lochan_update_run(p.lake, &request, &report, &err));
    assert_ok(lochan_update_run(p.lake, &request, &report, &err));
    assert_true(report.nothing_to_do); /* nobody touched that one */
    report = update(&p);
    assert_int_equal(report.rows_new, 29 * 4);
    expect_healed(&p);
    pipe_stop(&p);
}

static void test_heal__days_that_are_not_asked_stay_owed(void **state) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_error err;
    (void)state;
    pipe_lake p = start("");
    delete_as_others_do(&p, "1");
    request.start = "2020-02-01";
    request.end = "2020-02-10";
    assert_ok(pipe_update(&p, "2020-02-10", &request, NULL, &err));
    assert_int_equal(pipe_rows(p.lake, NULL), 10 * 4);
    lochan_update_report report = update(&p);
    assert_int_equal(report.scopes, 2);
    assert_int_equal(report.rows_new, 50 * 4);
    expect_healed(&p);
    pipe_stop(&p);
}

static void test_heal__a_failed_page_stays_owed(void **state) {
    lochan_feed_options broken = LOCHAN_FEED_OPTIONS_INIT;
    lochan_update_report report;
    lochan_error err;
    (void)state;
    pipe_lake p = start("");
    (void)roll_back(&p);
    broken.faults = "http500:1";
    pipe_provider(&p, winter, &broken);
    listen();
    assert_int_equal(pipe_update(&p, "2020-02-29", NULL, NULL, &err), LOCHAN_ERR_HTTP);
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    pipe_expect(p.lake, winter, 31);
    pipe_provider(&p, winter, NULL);
    report = update(&p);
    assert_int_equal(report.rows_new, 29 * 4);
    expect_healed(&p);
    pipe_stop(&p);
}

static lochan_status fail_at(void *name, const char *at, lochan_error *err) {
    return strcmp(at, name) == 0 ? lochan_error__set(err, LOCHAN_ERR_IO, "cut off at %s", at)
                                 : LOCHAN_OK;
}

static void test_heal__cut_off_it_is_owed(void **state) {
    static char steps[][32] = {"update.collected", "update.assembled", "update.publish.before"};
    lochan_error err;
    (void)state;
    pipe_lake p = start("");
    (void)roll_back(&p);
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        listen();
        lochan_failpoint__set(fail_at, steps[i]);
        lochan_status rc = pipe_update(&p, "2020-02-29", NULL, NULL, &err);
        lochan_failpoint__set(NULL, NULL);
        lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
        assert_int_equal(rc, LOCHAN_ERR_IO);
        assert_non_null(strstr(told, "asked again"));
        lochan_lake_close(p.lake); /* as another process would meet it */
        assert_ok(lochan_lake_open(p.path, NULL, &p.lake, &err));
        pipe_expect(p.lake, winter, 31);
    }
    lochan_update_report report = update(&p);
    assert_int_equal(report.rows_new, 29 * 4);
    expect_healed(&p);
    pipe_stop(&p);
}

static void test_heal__a_dry_run_tells_and_changes_nothing(void **state) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    (void)state;
    pipe_lake p = start("");
    (void)roll_back(&p);
    request.dry_run = true;
    for (int i = 0; i < 2; i++) {
        listen();
        assert_ok(pipe_update(&p, "2020-02-29", &request, &report, &err));
        lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
        assert_int_equal(report.scopes, 1);
        assert_non_null(strstr(told, "asked again"));
    }
    report = update(&p);
    assert_int_equal(report.rows_new, 29 * 4);
    expect_healed(&p);
    pipe_stop(&p);
}

/* Nobody can say any more which files went: all days are owed. */
static void test_heal__what_an_expired_snapshot_hides(void **state) {
    lochan_expire_options o = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report expired;
    lochan_error err;
    (void)state;
    pipe_lake p = start("");
    (void)roll_back(&p);
    assert_ok(lochan_lake_untag(p.lake, "january", NULL, &err));
    o.older_than = 0;
    o.keep_newest = 1;
    assert_ok(lochan_lake_expire(p.lake, &o, &expired, &err));
    assert_true(expired.snapshots > 0);
    lochan_update_report report = update(&p);
    assert_int_equal(report.scopes, 2);
    assert_int_equal(report.rows_unchanged, 31 * 4);
    assert_int_equal(report.rows_new, 29 * 4);
    expect_healed(&p);
    pipe_stop(&p);
}

/* The provider has nothing for the days that another program took out: it was asked. */
static void test_heal__an_empty_answer_heals(void **state) {
    static const market january = {.days = 31, .assets = 4};
    (void)state;
    pipe_lake p = start("");
    delete_as_others_do(&p, OF_FEBRUARY);
    pipe_provider(&p, january, NULL);
    lochan_update_report report = update(&p);
    assert_int_equal(report.scopes, 1);
    assert_int_equal(report.rows_fetched, 0);
    report = update(&p);
    assert_true(report.nothing_to_do);
    pipe_expect(p.lake, january, 31);
    pipe_stop(&p);
}

/* Whatever else was committed: a rebuilt lake knows what is healed. */
static void test_heal__a_rebuilt_lake_knows_it(void **state) {
    lochan_lake_rebuild_report rebuilt;
    lochan_error err;
    (void)state;
    pipe_lake p = start("");
    delete_as_others_do(&p, OF_FEBRUARY);
    (void)update(&p);
    (void)roll_back(&p);
    lochan_lake_close(p.lake);
    assert_ok(lochan_lake_rebuild(p.path, NULL, NULL, &rebuilt, NULL, &err));
    assert_ok(lochan_lake_open(p.path, NULL, &p.lake, &err));
    lochan_update_report report = update(&p);
    assert_non_null(strstr(told, "a rollback"));
    assert_null(strstr(told, "another program"));
    assert_int_equal(report.rows_new, 29 * 4);
    expect_healed(&p);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_heal__a_rollback),
        cmocka_unit_test(test_heal__a_rollback_of_a_revision),
        cmocka_unit_test(test_heal__a_delete_of_another_program),
        cmocka_unit_test(test_heal__after_a_commit_to_another_table),
        cmocka_unit_test(test_heal__days_that_are_not_asked_stay_owed),
        cmocka_unit_test(test_heal__a_failed_page_stays_owed),
        cmocka_unit_test(test_heal__cut_off_it_is_owed),
        cmocka_unit_test(test_heal__a_dry_run_tells_and_changes_nothing),
        cmocka_unit_test(test_heal__what_an_expired_snapshot_hides),
        cmocka_unit_test(test_heal__an_empty_answer_heals),
        cmocka_unit_test(test_heal__a_rebuilt_lake_knows_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
