/* test_rebuild.c - lake.db made again from the journal, the journal cut, appends taken over. */
#include "support/fault.h"
#include "support/kill.h"
#include "table/lake_env.h"

#include <sqlite3.h>

#define ONE "2024-01-01 A 1 1\n2024-02-01 A 5 5\n"
#define TWO "2024-01-01 A 2 2\n2024-02-01 A 5 5\n2024-03-01 C 7 7\n"

static lochan_status try_rebuild(const char *path, bool cut, bool adopt,
                                 lochan_lake_rebuild_report *r, struct ArrowArrayStream *problems,
                                 lochan_error *err) {
    lochan_lake_options l = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_lake_rebuild_options o = LOCHAN_LAKE_REBUILD_OPTIONS_INIT;
    l.threads = 1;
    o.cut = cut;
    o.adopt = adopt;
    return lochan_lake_rebuild(path, &l, &o, r, problems, err);
}

/* Every row of every table but what a rebuild makes anew. */
static char *dump(const char *lake) {
    lochan_error err;
    char path[600];
    lochan_buf out;
    sqlite3 *db;
    sqlite3_stmt *tables, *rows;
    lochan_buf__init(&out, 1 << 28);
    snprintf(path, sizeof path, "%s/lake.db", lake);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT IN "
                           "('lochan_journal_outbox') ORDER BY name",
                           -1, &tables, NULL),
        SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        char sql[300];
        const char *name = (const char *)sqlite3_column_text(tables, 0);
        assert_ok(lochan_buf__printf(&out, &err, "== %s\n", name));
        snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" %s ORDER BY 1, 2, 3", name,
                 strcmp(name, "lochan_meta") == 0 ? "WHERE key <> 'incarnation'" : "");
        if (sqlite3_prepare_v2(db, sql, -1, &rows, NULL) != SQLITE_OK) {
            snprintf(sql, sizeof sql, "SELECT * FROM \"%s\" %s ORDER BY 1, 2", name,
                     strcmp(name, "lochan_meta") == 0 ? "WHERE key <> 'incarnation'" : "");
            assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
        }
        while (sqlite3_step(rows) == SQLITE_ROW) {
            for (int i = 0; i < sqlite3_column_count(rows); i++) {
                const char *text = (const char *)sqlite3_column_text(rows, i);
                assert_ok(lochan_buf__printf(&out, &err, "%s|", text ? text : "-"));
            }
            assert_ok(lochan_buf__putc(&out, '\n', &err));
        }
        sqlite3_finalize(rows);
    }
    sqlite3_finalize(tables);
    sqlite3_close(db);
    char *text = strdup((const char *)out.data);
    lochan_buf__deinit(&out);
    return text;
}

static void close_lake(lake_env *env) {
    lochan_lake_close(env->lake);
    env->lake = NULL;
}

static void remove_db(lake_env *env) {
    tmpdir_unlink(tmpdir_path(env->path, "lake.db"));
    tmpdir_unlink(tmpdir_path(env->path, "lake.db-wal"));
    tmpdir_unlink(tmpdir_path(env->path, "lake.db-shm"));
}

static void history(lake_env *env) {
    lochan_error err;
    lochan_expire_options x = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report expired;
    char first[24];
    env_write(env, ONE);
    snprintf(first, sizeof first, "%lld", (long long)env->snapshot);
    assert_ok(lochan_lake_tag(env->lake, "one", NULL, NULL, NULL, &err));
    env_write(env, "2024-01-01 B 8 8\n");
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", first, NULL, NULL, &err));
    env_write(env, TWO);
    x.older_than = 0;
    x.keep_newest = 2;
    assert_ok(lochan_lake_expire(env->lake, &x, &expired, &err));
    assert_true(expired.snapshots > 0);
}

static void test_rebuild__gives_the_catalog_that_was_there(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    history(env);
    close_lake(env);
    char *before = dump(env->path);
    remove_db(env);
    assert_int_equal(lochan_lake_open(env->path, NULL, &env->lake, &err), LOCHAN_ERR_NOT_FOUND);
    assert_ok(try_rebuild(env->path, false, false, &r, NULL, &err));
    assert_true(r.records > 5);
    assert_int_equal(r.missing, 0);
    assert_int_equal(r.unknown_files, 0);
    assert_int_equal(r.rows, 3);
    char *after = dump(env->path);
    assert_string_equal(after, before);
    free(before);
    free(after);
    env_open(env);
    assert_string_equal(env_read(env, NULL), TWO);
    env_verify(env, false);
    env_write(env, "2024-04-01 D 1 1\n");
    env_verify(env, false);
}

static void test_rebuild__of_a_damaged_catalog(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    char bytes[8192];
    env_write(env, TWO);
    close_lake(env);
    memset(bytes, 0x5a, sizeof bytes);
    tmpdir_write(tmpdir_path(env->path, "lake.db"), bytes, sizeof bytes);
    assert_ok(try_rebuild(env->path, false, false, &r, NULL, &err));
    env_open(env);
    assert_string_equal(env_read(env, NULL), TWO);
    env_verify(env, false);
}

/* The newest commits may be in lake.db alone. */
static void test_rebuild__takes_from_lake_db_what_the_journal_lacks(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    size_t n;
    env_write(env, ONE);
    char *early = tmpdir_read(tmpdir_path(env->path, "journal/000001.ljl"), &n);
    env_write(env, TWO);
    close_lake(env);
    tmpdir_write(tmpdir_path(env->path, "journal/000001.ljl"), early, n);
    free(early);
    assert_ok(try_rebuild(env->path, false, false, &r, NULL, &err));
    env_open(env);
    assert_string_equal(env_read(env, NULL), TWO);
    env_verify(env, false);
}

static void test_rebuild__passes_over_a_torn_end_only(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    size_t n;
    env_write(env, ONE);
    env_write(env, TWO);
    close_lake(env);
    char path[600];
    snprintf(path, sizeof path, "%s/journal/000001.ljl", env->path);
    char *whole = tmpdir_read(path, &n);
    remove_db(env);
    tmpdir_write(path, whole, n - 5);
    assert_ok(try_rebuild(env->path, false, false, &r, NULL, &err));
    env_open(env);
    assert_string_equal(env_read(env, NULL), ONE);
    close_lake(env);
    remove_db(env);
    whole[n / 2] ^= 1; /* damage that whole records follow */
    tmpdir_write(path, whole, n);
    assert_int_equal(try_rebuild(env->path, false, false, &r, NULL, &err), LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "000001.ljl"));
    free(whole);
    env->lake = NULL;
}

/* Puts back an older lake.db: the journal is ahead. */
static void put_back(lake_env *env, const char *first, const char *second) {
    env_write(env, first);
    close_lake(env);
    char *kept = strdup(tmpdir_path(env->dir, "kept"));
    tmpdir_copy(env->path, kept);
    env_open(env);
    env_write(env, second);
    close_lake(env);
    remove_db(env);
    static const char *const names[] = {"lake.db", "lake.db-wal"};
    for (size_t i = 0; i < 2; i++) {
        size_t n;
        char *text = tmpdir_read(tmpdir_path(kept, names[i]), &n);
        if (text)
            tmpdir_write(tmpdir_path(env->path, names[i]), text, n);
        free(text);
    }
    free(kept);
}

static void test_rebuild__journal_ahead_wins(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    put_back(env, ONE, TWO);
    assert_int_equal(lochan_lake_open(env->path, NULL, &env->lake, &err), LOCHAN_ERR_JOURNAL_AHEAD);
    assert_ok(try_rebuild(env->path, false, false, &r, NULL, &err));
    env_open(env);
    assert_string_equal(env_read(env, NULL), TWO);
    env_verify(env, false);
}

static void test_rebuild__cut_lets_the_catalog_win(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    struct ArrowArrayStream list = {0};
    put_back(env, ONE, TWO);
    assert_ok(try_rebuild(env->path, true, false, &r, NULL, &err));
    assert_int_equal(r.records, 1);
    assert_int_equal(r.unknown_files, 2);
    env_open(env);
    assert_string_equal(env_read(env, NULL), ONE);
    env_verify(env, true);
    env_write(env, "2024-05-01 E 1 1\n");
    env_verify(env, true);
    assert_ok(lochan_lake_snapshots(env->lake, NULL, NULL, -1, &list, &err));
    lochan_stream__release(&list);
    close_lake(env);
    assert_int_equal(try_rebuild(env->path, true, false, &r, NULL, &err), LOCHAN_OK);
    assert_int_equal(r.records, 0); /* nothing is left to cut */
    env_open(env);
}

static void test_rebuild__nobody_publishes_into_the_old_catalog(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    env_write(env, ONE);
    assert_ok(try_rebuild(env->path, false, false, &r, NULL, &err));
    assert_int_equal(env_try_write(env, TWO, &err), LOCHAN_ERR_STALE);
    env_reopen(env);
    assert_string_equal(env_read(env, NULL), ONE);
    env_write(env, TWO);
    env_verify(env, true);
}

static void test_rebuild__without_a_journal_says_so(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    env_write(env, ONE);
    close_lake(env);
    remove_db(env);
    tmpdir_clear(tmpdir_path(env->path, "journal"));
    assert_int_equal(try_rebuild(env->path, false, false, &r, NULL, &err), LOCHAN_ERR_NOT_FOUND);
}

/* ---- appends that no catalog knows ---- */

static void lose_the_last(lake_env *env, const char *first, const char *second) {
    size_t n;
    env_write(env, first);
    char *early = tmpdir_read(tmpdir_path(env->path, "journal/000001.ljl"), &n);
    env_write(env, second);
    close_lake(env);
    tmpdir_write(tmpdir_path(env->path, "journal/000001.ljl"), early, n);
    free(early);
    remove_db(env);
}

static void test_rebuild__adopts_whole_appends(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    env->keyless = true;
    lose_the_last(env, "2024-01-01 A 1 1\n", "2024-01-02 A 2 2\n2024-02-01 A 5 5\n");
    assert_ok(try_rebuild(env->path, false, false, &r, NULL, &err));
    assert_int_equal(r.unknown_files, 2);
    assert_int_equal(r.rows, 1);
    assert_ok(try_rebuild(env->path, false, true, &r, NULL, &err));
    assert_int_equal(r.adopted, 2);
    assert_int_equal(r.unknown_files, 0);
    assert_int_equal(r.rows, 3);
    env_open(env);
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 1 1\n2024-01-02 A 2 2\n2024-02-01 A 5 5\n");
    env_verify(env, false);
}

static void test_rebuild__adopts_no_half_appends_and_no_keyed_files(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake_rebuild_report r;
    struct ArrowArrayStream problems = {0};
    lose_the_last(env, ONE, TWO);
    assert_ok(try_rebuild(env->path, false, true, &r, &problems, &err));
    assert_int_equal(r.adopted, 0);
    assert_int_equal(r.unknown_files, 2);
    assert_int_equal(r.missing, 0);
    assert_ok(env_drain(env, &problems, &err));
    assert_non_null(strstr(env->text, "kept"));
    assert_non_null(strstr(env->text, "a table with a key"));
    lochan_stream__release(&problems);
    env_open(env);
    assert_string_equal(env_read(env, NULL), ONE);
}

/* ---- faults and kills ---- */

typedef struct sweep {
    lake_env env;
    char *dir;
    bool cut;
} sweep;

static void make_template(sweep *s, bool cut) {
    lochan_error err;
    memset(s, 0, sizeof *s);
    s->cut = cut;
    s->dir = tmpdir_make("rebuild");
    s->env.dir = s->dir;
    s->env.threads = 1;
    snprintf(s->env.path_text, sizeof s->env.path_text, "%s/template", s->dir);
    s->env.path = s->env.path_text;
    assert_ok(lochan_lake_init(s->env.path, NULL, &err));
    env_open(&s->env);
    if (cut) {
        put_back(&s->env, ONE, TWO);
    } else {
        env_write(&s->env, TWO);
        close_lake(&s->env);
    }
}

static void prep(void *ctx) {
    sweep *s = ctx;
    char *lake = strdup(tmpdir_path(s->dir, "lake"));
    if (tmpdir_exists(lake))
        tmpdir_clear(lake);
    tmpdir_copy(tmpdir_path(s->dir, "template"), lake);
    snprintf(s->env.path_text, sizeof s->env.path_text, "%s", lake);
    free(lake);
}

static lochan_status body(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_lake_rebuild_report r;
    return try_rebuild(s->env.path, s->cut, false, &r, NULL, err);
}

/* Whatever happened: repeated, it succeeds, and every row is there. */
static void check(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    lochan_error err;
    if (rc != LOCHAN_OK)
        assert_ok(body(ctx, &err));
    env_open(&s->env);
    assert_string_equal(env_read(&s->env, NULL), s->cut ? ONE : TWO);
    env_verify(&s->env, true);
    close_lake(&s->env);
}

static void sweep_faults(bool cut) {
    sweep s;
    make_template(&s, cut);
    fault_totals t = fault_sweep(&(fault_case){.name = cut ? "cut" : "rebuild",
                                               .prep = prep,
                                               .body = body,
                                               .check = check,
                                               .ctx = &s,
                                               .kinds = FAULT_ALL,
                                               .dense = 2});
    assert_true(t.runs > 3);
    free(s.env.text);
    tmpdir_remove(s.dir);
}

static void test_rebuild__under_faults(void **state) {
    (void)state;
    sweep_faults(false);
}

static void test_rebuild__cut_under_faults(void **state) {
    (void)state;
    sweep_faults(true);
}

static void kill_everywhere(bool cut) {
    sweep s;
    static kill_trace trace;
    make_template(&s, cut);
    prep(&s);
    kill_result r = kill_list(body, &s, &trace);
    assert_true(r.finished);
    assert_int_equal(r.rc, LOCHAN_OK);
    assert_true(trace.count >= 2);
    for (size_t n = 1; n <= trace.count; n++) {
        prep(&s);
        r = kill_at(body, &s, n, NULL, NULL);
        assert_true(r.reached);
        check(&s, LOCHAN_ERR_IO);
    }
    free(s.env.text);
    tmpdir_remove(s.dir);
}

static void test_rebuild__killed_at_every_failpoint(void **state) {
    (void)state;
    kill_everywhere(false);
    kill_everywhere(true);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_rebuild__gives_the_catalog_that_was_there),
        TEST(test_rebuild__of_a_damaged_catalog),
        TEST(test_rebuild__takes_from_lake_db_what_the_journal_lacks),
        TEST(test_rebuild__passes_over_a_torn_end_only),
        TEST(test_rebuild__journal_ahead_wins),
        TEST(test_rebuild__cut_lets_the_catalog_win),
        TEST(test_rebuild__nobody_publishes_into_the_old_catalog),
        TEST(test_rebuild__without_a_journal_says_so),
        TEST(test_rebuild__adopts_whole_appends),
        TEST(test_rebuild__adopts_no_half_appends_and_no_keyed_files),
        cmocka_unit_test(test_rebuild__under_faults),
        cmocka_unit_test(test_rebuild__cut_under_faults),
        cmocka_unit_test(test_rebuild__killed_at_every_failpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
