/* test_backup.c - backup and restore: incremental, tags, foreign folders, damage, faults, kills. */
#include "support/fault.h"
#include "support/kill.h"
#include "table/lake_env.h"

#define ONE "2024-01-01 A 1 1\n2024-02-01 A 5 5\n"
#define TWO "2024-01-01 A 2 2\n2024-02-01 A 5 5\n2024-03-01 C 7 7\n"

static const char *backup_dir(lake_env *env) {
    return tmpdir_path(env->dir, "backup");
}

static lochan_status try_backup(lake_env *env, bool all, lochan_backup_report *r,
                                lochan_error *err) {
    lochan_backup_options o = LOCHAN_BACKUP_OPTIONS_INIT;
    o.all = all;
    return lochan_lake_backup(env->lake, backup_dir(env), &o, r, err);
}

static lochan_backup_report backup(lake_env *env, bool all) {
    lochan_error err;
    lochan_backup_report r;
    assert_ok(try_backup(env, all, &r, &err));
    return r;
}

static lochan_status try_restore(lake_env *env, const char *to, bool verify,
                                 lochan_restore_report *r, lochan_error *err) {
    lochan_restore_options o = LOCHAN_RESTORE_OPTIONS_INIT;
    lochan_lake_options l = LOCHAN_LAKE_OPTIONS_INIT;
    l.threads = 1;
    o.verify = verify;
    return lochan_lake_restore(backup_dir(env), to, &l, &o, r, NULL, err);
}

/* Opens the lake at `path` instead of the one that is open. */
static void go_to(lake_env *env, const char *path) {
    snprintf(env->path_text, sizeof env->path_text, "%s", path);
    env_reopen(env);
}

static void test_backup__restores_the_newest_snapshot_and_the_tags(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_restore_report r;
    lochan_scan_options then = LOCHAN_SCAN_OPTIONS_INIT;
    env_write(env, ONE);
    assert_ok(lochan_lake_tag(env->lake, "first", NULL, NULL, NULL, &err));
    env_write(env, "2024-01-01 A 3 3\n");
    env_write(env, TWO);
    int64_t newest = env->snapshot;
    lochan_backup_report b = backup(env, false);
    assert_int_equal(b.snapshot_id, newest);
    assert_int_equal(b.files, 4); /* two at each of the ends, one shared, and one of March */
    assert_int_equal(b.files_copied, b.files);
    const char *to = tmpdir_path(env->dir, "again");
    assert_ok(try_restore(env, to, true, &r, &err));
    assert_int_equal(r.problems, 0);
    assert_int_equal(r.files, 4);
    assert_true(r.forgotten > 0);
    go_to(env, to);
    assert_string_equal(env_read(env, NULL), TWO);
    then.as_of = "first";
    assert_ok(env_try_read(env, &then, NULL, &err));
    assert_string_equal(env->text, ONE);
    env_verify(env, false);
    env_write(env, "2024-04-01 D 1 1\n"); /* and it can be written */
    env_verify(env, false);
}

static void test_backup__copies_only_what_is_new(void **state) {
    lake_env *env = *state;
    env_write(env, ONE);
    assert_int_equal(backup(env, false).files_copied, 2);
    lochan_backup_report same = backup(env, false);
    assert_int_equal(same.files_copied, 0);
    assert_int_equal(same.files_removed, 0);
    env_write(env, TWO);
    lochan_backup_report next = backup(env, false);
    assert_int_equal(next.files_copied, 2);
    assert_int_equal(next.files_removed, 1);
    assert_int_equal(next.files, 3);
    lochan_backup_report all = backup(env, true);
    assert_int_equal(all.files, 4);
    assert_int_equal(all.files_copied, 1);
}

static void test_backup__with_all_snapshots(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_restore_report r;
    char first[24];
    lochan_scan_options then = LOCHAN_SCAN_OPTIONS_INIT;
    env_write(env, ONE);
    snprintf(first, sizeof first, "%lld", (long long)env->snapshot);
    env_write(env, TWO);
    backup(env, true);
    const char *to = tmpdir_path(env->dir, "again");
    assert_ok(try_restore(env, to, true, &r, &err));
    assert_int_equal(r.forgotten, 0);
    go_to(env, to);
    then.as_of = first;
    assert_ok(env_try_read(env, &then, NULL, &err));
    assert_string_equal(env->text, ONE);
}

static void test_backup__refuses_other_folders(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_backup_report r;
    env_write(env, ONE);
    tmpdir_write(tmpdir_path(env->dir, "precious.txt"), "x", 1);
    assert_int_equal(lochan_lake_backup(env->lake, env->dir, NULL, &r, &err), LOCHAN_ERR_EXISTS);
    assert_int_equal(lochan_lake_backup(env->lake, env->path, NULL, &r, &err),
                     LOCHAN_ERR_INVALID_ARGUMENT);
    backup(env, false);
    const char *other = tmpdir_path(env->dir, "other");
    assert_ok(lochan_lake_init(other, NULL, &err));
    go_to(env, other);
    assert_int_equal(try_backup(env, false, &r, &err), LOCHAN_ERR_EXISTS);
}

static void test_backup__restore_refuses_what_is_there_and_what_is_not_whole(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_restore_report r;
    char *to = strdup(tmpdir_path(env->dir, "again"));
    assert_int_equal(try_restore(env, to, false, &r, &err), LOCHAN_ERR_NOT_FOUND);
    env_write(env, ONE);
    backup(env, false);
    assert_int_equal(try_restore(env, env->path, false, &r, &err), LOCHAN_ERR_EXISTS);
    char note[600];
    size_t n;
    snprintf(note, sizeof note, "%s/lochan.backup", backup_dir(env));
    char *text = tmpdir_read(note, &n);
    for (size_t i = 0; i < n; i += 7) {
        char old = text[i];
        text[i] ^= 1;
        tmpdir_write(note, text, n);
        assert_int_equal(try_restore(env, to, false, &r, &err), LOCHAN_ERR_CORRUPT);
        text[i] = old;
    }
    tmpdir_write(note, text, n);
    free(text);
    assert_ok(try_restore(env, to, true, &r, &err));
    free(to);
}

/* ---- faults and kills ---- */

typedef struct sweep {
    lake_env env;
    char *dir;
} sweep;

static void make_template(sweep *s) {
    lochan_error err;
    memset(s, 0, sizeof *s);
    s->dir = tmpdir_make("backup");
    s->env.dir = s->dir;
    s->env.threads = 1;
    snprintf(s->env.path_text, sizeof s->env.path_text, "%s/lake", s->dir);
    s->env.path = s->env.path_text;
    assert_ok(lochan_lake_init(s->env.path, NULL, &err));
    env_open(&s->env);
    env_write(&s->env, ONE);
    backup(&s->env, false);
    char *kept = strdup(tmpdir_path(s->dir, "kept"));
    tmpdir_copy(backup_dir(&s->env), kept);
    free(kept);
    env_write(&s->env, TWO);
}

static void prep(void *ctx) {
    sweep *s = ctx;
    char *to = strdup(backup_dir(&s->env));
    if (tmpdir_exists(to))
        tmpdir_clear(to);
    tmpdir_copy(tmpdir_path(s->dir, "kept"), to);
    free(to);
    const char *again = tmpdir_path(s->dir, "again");
    if (tmpdir_exists(again))
        tmpdir_clear(again);
}

static lochan_status body(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_backup_report r;
    return try_backup(&s->env, false, &r, err);
}

/* Old or new, but whole. */
static void look(sweep *s, bool must_be_new) {
    lochan_error err;
    lochan_restore_report r;
    lake_env env = {.dir = s->dir, .threads = 1, .path = env.path_text};
    const char *to = tmpdir_path(s->dir, "again");
    snprintf(env.path_text, sizeof env.path_text, "%s", to);
    assert_ok(try_restore(&s->env, to, true, &r, &err));
    assert_int_equal(r.problems, 0);
    env_open(&env);
    bool is_new = strcmp(env_read(&env, NULL), TWO) == 0;
    if (!is_new)
        assert_string_equal(env.text, ONE);
    assert_true(is_new || !must_be_new);
    lochan_lake_close(env.lake);
    free(env.text);
    tmpdir_clear(to);
}

static void check(void *ctx, lochan_status rc) {
    look(ctx, rc == LOCHAN_OK);
}

static void finish(sweep *s) {
    lochan_lake_close(s->env.lake);
    free(s->env.text);
    tmpdir_remove(s->dir);
}

static void test_backup__under_faults(void **state) {
    sweep s;
    (void)state;
    make_template(&s);
    fault_totals t = fault_sweep(&(fault_case){.name = "backup",
                                               .prep = prep,
                                               .body = body,
                                               .check = check,
                                               .ctx = &s,
                                               .kinds = FAULT_ALL,
                                               .dense = 3});
    assert_true(t.runs > 3);
    finish(&s);
}

static lochan_status body_restore(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_restore_report r;
    return try_restore(&s->env, tmpdir_path(s->dir, "again"), false, &r, err);
}

/* Repeated, it succeeds. */
static void check_restore(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    lochan_error err;
    lochan_restore_report r;
    const char *to = tmpdir_path(s->dir, "again");
    if (rc != LOCHAN_OK)
        assert_ok(try_restore(&s->env, to, true, &r, &err));
    lake_env env = {.dir = s->dir, .threads = 1, .path = env.path_text};
    snprintf(env.path_text, sizeof env.path_text, "%s", to);
    env_open(&env);
    assert_string_equal(env_read(&env, NULL), ONE);
    env_verify(&env, false);
    lochan_lake_close(env.lake);
    free(env.text);
}

static void test_backup__restore_under_faults(void **state) {
    sweep s;
    (void)state;
    make_template(&s);
    fault_totals t = fault_sweep(&(fault_case){.name = "restore",
                                               .prep = prep,
                                               .body = body_restore,
                                               .check = check_restore,
                                               .ctx = &s,
                                               .kinds = FAULT_ALL,
                                               .dense = 3});
    assert_true(t.runs > 3);
    finish(&s);
}

static lochan_status both(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    LOCHAN_TRY(lochan_lake_open(s->env.path, &o, &s->env.lake, err));
    lochan_status rc = body(ctx, err);
    lochan_lake_close(s->env.lake);
    return rc == LOCHAN_OK ? body_restore(ctx, err) : rc;
}

static void test_backup__killed_at_every_failpoint(void **state) {
    sweep s;
    static kill_trace trace;
    lochan_error err;
    lochan_restore_report restored;
    (void)state;
    make_template(&s);
    lochan_lake_close(s.env.lake);
    s.env.lake = NULL;
    prep(&s);
    kill_result r = kill_list(both, &s, &trace);
    assert_true(r.finished);
    assert_int_equal(r.rc, LOCHAN_OK);
    assert_true(trace.count >= 8);
    for (size_t n = 1; n <= trace.count; n++) {
        prep(&s);
        r = kill_at(both, &s, n, NULL, NULL);
        assert_true(r.reached);
        const char *to = tmpdir_path(s.dir, "again");
        if (tmpdir_exists(to)) { /* cut off while restoring: it goes on */
            lochan_status rc = try_restore(&s.env, to, true, &restored, &err);
            assert_true(rc == LOCHAN_OK || rc == LOCHAN_ERR_EXISTS);
            tmpdir_clear(to);
        }
        look(&s, false);
    }
    finish(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_backup__restores_the_newest_snapshot_and_the_tags,
                                        env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_backup__copies_only_what_is_new, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_backup__with_all_snapshots, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_backup__refuses_other_folders, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(
            test_backup__restore_refuses_what_is_there_and_what_is_not_whole, env_setup,
            env_teardown),
        cmocka_unit_test(test_backup__under_faults),
        cmocka_unit_test(test_backup__restore_under_faults),
        cmocka_unit_test(test_backup__killed_at_every_failpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
