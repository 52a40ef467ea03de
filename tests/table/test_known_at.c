/* test_known_at.c - when a row was first published: kept by every way in which rows move, and asked
 * for by a scan. */
#include "support/clock_fake.h"
#include "support/fault.h"
#include "table/lake_env.h"

#include <sqlite3.h>

#define DAY   (86400 * INT64_C(1000000000))
#define FIRST INT64_C(1767225600000000000) /* 2026-01-01 */

static int setup(void **state) {
    fake_clock_install(FIRST, 7);
    int rc = env_setup(state);
    ((lake_env *)*state)->point_in_time = true;
    return rc;
}

static int teardown(void **state) {
    int rc = env_teardown(state);
    fake_clock_remove();
    return rc;
}

/* The commit that makes the table has a time of its own. */
static void make_table(lake_env *env) {
    lochan_table *table;
    lochan_error err;
    assert_ok(env_ensure(env, 0, &table, &err));
    lochan_table__close(table);
}

/* Moves on to noon of a day of January 2026. */
static void noon_of(int day) {
    fake_clock_set_wall(FIRST + (day - 1) * DAY + DAY / 2);
}

static lochan_status try_known(lake_env *env, const char *time, const char *where,
                               lochan_scan_stats *stats, lochan_error *err) {
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.known_as_of = time;
    o.where = where;
    return env_try_read(env, &o, stats, err);
}

static const char *known(lake_env *env, const char *time, const char *where) {
    lochan_error err;
    assert_ok(try_known(env, time, where, NULL, &err));
    return env->text;
}

/* quantity and time of each row */
static const char *times(lake_env *env) {
    static const char *const columns[] = {"qty", "_known_at"};
    lochan_error err;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.columns = columns;
    o.n_columns = 2;
    assert_ok(env_try_read(env, &o, NULL, &err));
    return env->text;
}

#define AT(day) "2026-01-0" #day "T12:00:00.000000Z\n"

static void test_known_at__scan_gives_what_was_known(void **state) {
    lake_env *env = *state;
    make_table(env);
    noon_of(1);
    env_write(env, "2024-01-01 A 1 1\n2024-01-01 B 2 2\n");
    noon_of(3);
    env_write(env, "2024-01-01 B 9 3\n2024-01-02 A 4 4\n"); /* B is revised */
    noon_of(5);
    env_write(env, "2024-02-01 A 5 5\n");
    assert_string_equal(times(env), "1 " AT(1) "3 " AT(3) "4 " AT(3) "5 " AT(5));
    assert_string_equal(known(env, "2026-01-01 11:59:59", NULL), "");
    assert_string_equal(known(env, "2026-01-01 12:00:00", NULL), "2024-01-01 A 1 1\n");
    assert_string_equal(known(env, "2026-01-02", NULL), "2024-01-01 A 1 1\n");
    assert_string_equal(known(env, "2026-01-03 14:00:00+02:00", NULL),
                        "2024-01-01 A 1 1\n2024-01-01 B 9 3\n2024-01-02 A 4 4\n");
    assert_string_equal(known(env, "2026-01-03 13:59:59+02:00", NULL), "2024-01-01 A 1 1\n");
    assert_string_equal(known(env, "2027-01-01", "qty >= 4"),
                        "2024-01-02 A 4 4\n2024-02-01 A 5 5\n");
    assert_string_equal(known(env, "2026-01-04", "qty >= 4"), "2024-01-02 A 4 4\n");
    assert_string_equal(known(env, "2026-01-04", "qty >= 4 or _known_at < '2026-01-02'"),
                        "2024-01-01 A 1 1\n2024-01-02 A 4 4\n");
}

static void test_known_at__comes_only_where_it_is_asked_for(void **state) {
    lake_env *env = *state;
    static const char *const columns[] = {"_known_at", "asset_id"};
    lochan_error err;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    make_table(env);
    noon_of(1);
    env_write(env, "2024-01-01 A 1 1\n2024-01-01 B 2 2\n");
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n2024-01-01 B 2 2\n");
    assert_string_equal(env_read(env, "_known_at > '2026-01-01'"),
                        "2024-01-01 A 1 1\n2024-01-01 B 2 2\n");
    o.columns = columns;
    o.n_columns = 2;
    o.known_as_of = "2026-01-02";
    assert_ok(env_try_read(env, &o, NULL, &err));
    assert_string_equal(env->text,
                        "2026-01-01T12:00:00.000000Z A\n2026-01-01T12:00:00.000000Z B\n");
    o.columns = &columns[1];
    o.n_columns = 1;
    o.limit = 1;
    assert_ok(env_try_read(env, &o, NULL, &err));
    assert_string_equal(env->text, "A\n");
}

static void test_known_at__files_of_later_are_not_opened(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_scan_stats stats;
    for (int day = 1; day <= 5; day++) {
        char row[64];
        noon_of(day);
        snprintf(row, sizeof row, "2024-0%d-01 A %d %d\n", day, day, day);
        env_write(env, row);
    }
    assert_ok(try_known(env, "2026-01-03", NULL, &stats, &err));
    assert_string_equal(env->text, "2024-01-01 A 1 1\n2024-02-01 A 2 2\n");
    assert_int_equal(stats.files, 5);
    assert_int_equal(stats.files_read, 2);
    noon_of(6); /* a file of the sixth that holds a row of the second */
    env_write(env, "2024-02-02 A 6 6\n2024-02-01 B 7 7\n2024-02-01 A 2 2\n");
    assert_ok(try_known(env, "2026-01-03", NULL, &stats, &err));
    assert_string_equal(env->text, "2024-01-01 A 1 1\n2024-02-01 A 2 2\n");
    assert_int_equal(stats.files_read, 2);
}

static void test_known_at__refuses_what_it_cannot_tell(void **state) {
    lake_env *env = *state;
    lochan_error err;
    env->point_in_time = false;
    env_write(env, "2024-01-01 A 1 1\n");
    assert_status(try_known(env, "2026-01-02", NULL, NULL, &err), LOCHAN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.hint, "--as-of"));
    assert_string_equal(err.table, "test.daily");
    assert_status(try_known(env, "yesterday", NULL, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(try_known(env, "", NULL, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

/* Rows of `days` days of 2024 with a row group a day. */
static void write_year(lake_env *env, int days) {
    lochan_buf text;
    lochan_error err;
    lochan_buf__init(&text, 1 << 20);
    for (int d = 0; d < days * 10; d++)
        assert_ok(lochan_buf__printf(&text, &err, "2024-%02d-%02d A%d 1 %d\n", 1 + d / 280,
                                     1 + d / 10 % 28, d % 10, d));
    env_write(env, (const char *)text.data);
    lochan_buf__deinit(&text);
}

static void test_known_at__copied_row_groups_keep_it(void **state) {
    lake_env *env = *state;
    env->single_file = true;
    env->row_group_rows = 10;
    noon_of(1);
    write_year(env, 30);
    noon_of(3); /* changes two row groups, the others move as bytes */
    env_write(env, "2024-01-03 A5 7 1000\n2024-01-20 A5 7 1001\n");
    env_counts(env, 0, 2, 0);
    assert_true(env->counts.groups_copied >= 20);
    assert_int_equal(env->counts.groups_copied + env->counts.groups_decoded, 30);
    noon_of(5); /* now the copied groups have times of their own */
    env_write(env, "2024-01-05 A5 7 1002\n");
    assert_true(env->counts.groups_copied >= 20);
    char *text = strdup(known(env, "2026-01-02", NULL));
    size_t lines = 0;
    for (const char *p = text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 297);
    free(text);
    assert_string_equal(known(env, "2026-01-04", "qty >= 1000"),
                        "2024-01-03 A5 7 1000\n2024-01-20 A5 7 1001\n");
    assert_string_equal(known(env, "2026-01-06", "qty = 1002"), "2024-01-05 A5 7 1002\n");
    env_verify(env, false);
}

/* The table became point-in-time later: files without the column. */
static void test_known_at__files_without_the_column(void **state) {
    lake_env *env = *state;
    env->single_file = true;
    env->row_group_rows = 10;
    env->point_in_time = false;
    noon_of(1);
    write_year(env, 5);
    env->point_in_time = true;
    noon_of(3);
    env_write(env, "2024-01-01 A5 7 1000\n");
    assert_true(env->counts.groups_copied >= 3);
    noon_of(5);
    env_write(env, "2024-01-01 A5 8 1001\n");
    assert_string_equal(known(env, "2026-01-02", "qty = 49"), "2024-01-05 A9 1 49\n");
    assert_string_equal(known(env, "2026-01-04", "asset_id = 'A5' and time = '2024-01-01'"), "");
    assert_string_equal(known(env, "2026-01-05 12:00", "asset_id = 'A5' and time = '2024-01-01'"),
                        "2024-01-01 A5 8 1001\n");
    env_verify(env, false);
}

static void test_known_at__replacement_keeps_what_it_finds_again(void **state) {
    lake_env *env = *state;
    lochan_replace_scope a = {"A", INT32_MIN, INT32_MAX};
    make_table(env);
    noon_of(1);
    env_write(env, "2024-01-01 A 1 1\n2024-01-02 A 2 2\n2024-01-03 A 3 3\n2024-01-01 B 4 4\n");
    env->add = true;
    env->mode = LOCHAN_WRITE_REPLACE_ASSETS;
    env->scopes = &a;
    env->n_scopes = 1;
    noon_of(3); /* the first comes again, the second is revised, the third is gone */
    env_write(env, "2024-01-01 A 1 1\n2024-01-02 A 9 5\n");
    assert_string_equal(times(env), "1 " AT(1) "4 " AT(1) "5 " AT(3));
    env->mode = LOCHAN_WRITE_REPLACE_ALL;
    env->n_scopes = 0;
    noon_of(5);
    env_write(env, "2024-01-01 A 1 1\n2024-01-02 A 9 5\n2024-01-04 C 6 6\n");
    assert_string_equal(times(env), "1 " AT(1) "5 " AT(3) "6 " AT(5));
    env_verify(env, false);
}

static void test_known_at__spilled_rows_of_a_merge(void **state) {
    lake_env *env = *state;
    env->add = true;
    env->piece = 3;
    env->descending = true;
    noon_of(1);
    write_year(env, 20);
    noon_of(3);
    write_year(env, 21);
    env_counts(env, 10, 0, 200);
    assert_string_equal(known(env, "2026-01-02", "qty = 199"), "2024-01-20 A9 1 199\n");
    assert_string_equal(known(env, "2026-01-02", "qty = 200"), "");
    env_verify(env, false);
}

static lochan_compact_report compact(lake_env *env) {
    lochan_error err;
    lochan_compact_report r;
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    o.min_files = 2;
    o.full = true;
    assert_ok(lochan_lake_compact(env->lake, "test", "daily", &o, &r, NULL, &err));
    assert_true(r.groups > 0);
    return r;
}

static void test_known_at__survives_the_life_of_a_lake(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char first[24];
    make_table(env);
    for (int day = 1; day <= 3; day++) {
        char row[64];
        noon_of(day);
        snprintf(row, sizeof row, "2024-01-0%d A %d %d\n", day, day, day);
        env_write(env, row);
        if (day == 2)
            snprintf(first, sizeof first, "%lld", (long long)env->snapshot);
    }
    noon_of(4);
    compact(env);
    const char *all = "1 " AT(1) "2 " AT(2) "3 " AT(3);
    assert_string_equal(times(env), all);
    noon_of(5);
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", first, NULL, NULL, &err));
    assert_string_equal(times(env), "1 " AT(1) "2 " AT(2));
    noon_of(6);
    env_write(env, "2024-01-03 A 3 3\n"); /* was withdrawn, and is published again */
    noon_of(7);
    lochan_expire_report gone;
    lochan_expire_options o = LOCHAN_EXPIRE_OPTIONS_INIT;
    o.older_than = 0;
    assert_ok(lochan_lake_expire(env->lake, &o, &gone, &err));
    const char *later = "1 " AT(1) "2 " AT(2) "3 " AT(6);
    assert_string_equal(times(env), later);
    lochan_lake_close(env->lake);
    env->lake = NULL;
    lochan_lake_options l = LOCHAN_LAKE_OPTIONS_INIT;
    l.threads = 1;
    lochan_lake_rebuild_report r;
    assert_ok(lochan_lake_rebuild(env->path, &l, NULL, &r, NULL, &err));
    env_open(env);
    assert_string_equal(times(env), later);
    assert_string_equal(known(env, "2026-01-02 12:00", NULL),
                        "2024-01-01 A 1 1\n2024-01-02 A 2 2\n");
    env_verify(env, true);
}

/* A year of rows, as one row group that is worth copying. */
static void write_large_year(lake_env *env, int year) {
    lochan_buf text;
    lochan_error err;
    lochan_buf__init(&text, 1 << 26);
    for (int i = 0; i < 33000; i++)
        assert_ok(lochan_buf__printf(&text, &err, "%d-%02d-%02d A%05d %d 1\n", year,
                                     1 + i / 28 % 12, 1 + i % 28, i / 336, i));
    env_write(env, (const char *)text.data);
    lochan_buf__deinit(&text);
}

/* Row groups that are joined as they are get the time of the file that they lay in. */
static void test_known_at__joined_row_groups_keep_it(void **state) {
    static const char *const first = "asset_id = 'A00000' and time in ('2010-01-01', '2011-01-01',"
                                     " '2012-01-01')";
    lake_env *env = *state;
    env->single_file = true;
    make_table(env);
    for (int day = 1; day <= 5; day += 2) {
        noon_of(day);
        write_large_year(env, 2010 + day / 2);
    }
    noon_of(6);
    assert_int_equal(compact(env).groups_copied, 3);
    assert_string_equal(known(env, "2026-01-02", first), "2010-01-01 A00000 0 1\n");
    noon_of(7);
    write_large_year(env, 2013);
    lochan_compact_report r = compact(env); /* now three groups have times of their own */
    assert_true(r.groups_copied == 4 && r.groups_decoded == 0);
    assert_string_equal(known(env, "2026-01-04", first),
                        "2010-01-01 A00000 0 1\n2011-01-01 A00000 0 1\n");
    assert_string_equal(known(env, "2026-01-07", "time >= '2013-01-01'"), "");
    env_verify(env, false);
}

static void sql(lake_env *env, const char *text) {
    sqlite3 *db;
    char path[600], *message = NULL;
    snprintf(path, sizeof path, "%s/lake.db", env->path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
    sqlite3_close(db);
}

static void test_known_at__verify_finds_rows_younger_than_their_file(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    struct ArrowArrayStream problems;
    make_table(env);
    noon_of(1);
    env_write(env, "2024-01-01 A 1 1\n2024-01-02 A 2 2\n");
    noon_of(3);
    env_write(env, "2024-01-01 A 9 3\n"); /* the second row has a time of its own */
    o.deep = true;
    env_verify(env, false);
    sql(env, "UPDATE lochan_file SET published_at = '2026-01-01 11:59:59.000000+00'");
    assert_ok(lochan_lake_verify(env->lake, &o, &report, &problems, &err));
    assert_int_equal(report.problems, 1);
    assert_ok(env_drain(env, &problems, &err));
    lochan_stream__release(&problems);
    assert_memory_equal(env->text, "time test daily data/test/daily/", 32);
    assert_non_null(strstr(env->text, "row 1 of column '_known_at' is younger"));
    sql(env, "UPDATE lochan_file SET published_at = '2026-01-01 12:00:00.000000+00'");
    env_verify(env, false);
}

/* Another program may give a column this name: then it is a column like others. */
static void test_known_at__a_column_of_others_is_joined_as_it_is(void **state) {
    lake_env *env = *state;
    env->point_in_time = false;
    env_write(env, "2024-01-01 A 1 1\n");
    env_write(env, "2024-01-02 A 2 2\n");
    sql(env, "BEGIN IMMEDIATE;"
             "INSERT INTO ducklake_column SELECT 9, snapshot_id + 1, NULL, table_id, 9, "
             "'_known_at', 'varchar', NULL, NULL, 1, NULL, NULL, NULL FROM ducklake_snapshot, "
             "ducklake_table ORDER BY snapshot_id DESC LIMIT 1;"
             "INSERT INTO ducklake_snapshot SELECT snapshot_id + 1, "
             "'2099-01-01 00:00:00.000000+00', schema_version + 1, next_catalog_id, next_file_id "
             "FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1;"
             "INSERT INTO ducklake_snapshot_changes SELECT max(snapshot_id), 'altered_table:1', "
             "NULL, NULL, NULL FROM ducklake_snapshot; COMMIT");
    compact(env);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1 -\n2024-01-02 A 2 2 -\n");
    env_verify(env, false);
}

/* ---- faults ---- */

typedef struct sweep {
    lake_env env;
    char *dir;
} sweep;

static void prep(void *ctx) {
    sweep *s = ctx;
    const char *lake = tmpdir_path(s->dir, "lake");
    if (tmpdir_exists(lake))
        tmpdir_clear(lake);
    tmpdir_copy(tmpdir_path(s->dir, "template"), lake);
    snprintf(s->env.path_text, sizeof s->env.path_text, "%s", lake);
    env_open(&s->env);
}

static void check(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    (void)rc;
    assert_string_equal(known(&s->env, "2026-01-02", "qty = 7"), "2024-01-01 A7 1 7\n");
    env_verify(&s->env, true);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    free(s->env.text);
    s->env.text = NULL;
}

static lochan_status body_scan(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    LOCHAN_TRY(try_known(&s->env, "2026-01-02", "qty < 9", NULL, err));
    assert_non_null(strstr(s->env.text, "2024-01-01 A7 1 7\n"));
    return LOCHAN_OK;
}

static lochan_status body_merge(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    return env_try_write(&s->env, "2024-01-03 A5 7 1000\n", err);
}

static void test_known_at__under_faults(void **state) {
    static lochan_status (*const bodies[])(void *, lochan_error *) = {body_scan, body_merge};
    (void)state;
    for (size_t i = 0; i < LOCHAN_COUNTOF(bodies); i++) {
        sweep s = {.dir = tmpdir_make("known")};
        lochan_error err;
        s.env.threads = 1;
        s.env.point_in_time = s.env.single_file = true;
        s.env.row_group_rows = 10;
        snprintf(s.env.path_text, sizeof s.env.path_text, "%s/template", s.dir);
        s.env.path = s.env.path_text;
        noon_of(1);
        assert_ok(lochan_lake_init(s.env.path, NULL, &err));
        env_open(&s.env);
        write_year(&s.env, 4);
        lochan_lake_close(s.env.lake);
        s.env.lake = NULL;
        noon_of(3);
        fault_totals t = fault_sweep(&(fault_case){.name = i ? "known at, merge" : "known at, scan",
                                                   .prep = prep,
                                                   .body = bodies[i],
                                                   .check = check,
                                                   .ctx = &s,
                                                   .kinds = FAULT_ALL,
                                                   .dense = 4});
        assert_true(t.runs > 3);
        tmpdir_remove(s.dir);
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_known_at__scan_gives_what_was_known),
        TEST(test_known_at__comes_only_where_it_is_asked_for),
        TEST(test_known_at__files_of_later_are_not_opened),
        TEST(test_known_at__refuses_what_it_cannot_tell),
        TEST(test_known_at__copied_row_groups_keep_it),
        TEST(test_known_at__files_without_the_column),
        TEST(test_known_at__replacement_keeps_what_it_finds_again),
        TEST(test_known_at__spilled_rows_of_a_merge),
        TEST(test_known_at__survives_the_life_of_a_lake),
        TEST(test_known_at__joined_row_groups_keep_it),
        TEST(test_known_at__verify_finds_rows_younger_than_their_file),
        TEST(test_known_at__a_column_of_others_is_joined_as_it_is),
        TEST(test_known_at__under_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
