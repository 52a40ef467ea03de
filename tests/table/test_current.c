/* test_current.c - folder current/ follows every commit; files as of a snapshot. */
#include "support/fault.h"
#include "table/lake_env.h"

/* Files below a folder. */
typedef struct walk {
    char path[700];
    int files;
} walk;

static lochan_status each(void *ctx, const char *name, const lochan_stat *st, lochan_error *err) {
    walk *w = ctx, below = {.files = 0};
    if (!st->is_dir) {
        w->files++;
        return LOCHAN_OK;
    }
    assert_true(lochan_format(below.path, sizeof below.path, "%s/%s", w->path, name));
    LOCHAN_TRY(lochan_fs__list(below.path, each, &below, err));
    w->files += below.files;
    return LOCHAN_OK;
}

static int links(lake_env *env) {
    lochan_error err;
    walk w = {.files = 0};
    snprintf(w.path, sizeof w.path, "%s/current", env->path);
    if (!tmpdir_exists(w.path))
        return -1;
    assert_ok(lochan_fs__list(w.path, each, &w, &err));
    return w.files;
}

static void test_current__follows_every_commit(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    lochan_compact_report r;
    env_write(env, "2024-01-01 A 1 1\n");
    assert_ok(lochan_lake_keep_current(env->lake, true, &err));
    assert_int_equal(links(env), 1);
    env_write(env, "2024-01-02 A 1 1\n2024-02-02 A 1 1\n");
    assert_int_equal(links(env), 3);
    env_reopen(env); /* the setting stays */
    env_write(env, "2024-01-03 A 1 1\n");
    assert_int_equal(links(env), 4);
    o.full = true;
    assert_ok(lochan_lake_compact(env->lake, NULL, NULL, &o, &r, NULL, &err));
    assert_int_equal(links(env), 2);
    char mine[700];
    snprintf(mine, sizeof mine, "%s/current/mine.txt", env->path);
    tmpdir_write(mine, "x", 1);
    assert_ok(lochan_lake_keep_current(env->lake, false, &err));
    assert_int_equal(links(env), 1); /* what we did not make stays */
    env_write(env, "2024-05-03 A 1 1\n");
    assert_int_equal(links(env), 1);
    env_verify(env, false);
}

static void test_current__files_at_a_snapshot(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream files = {0};
    char id[24];
    env_write(env, "2024-01-01 A 1 1\n");
    snprintf(id, sizeof id, "%lld", (long long)env->snapshot);
    assert_ok(lochan_lake_files_at(env->lake, "test", "daily", NULL, &files, &err));
    assert_ok(env_drain(env, &files, &err));
    lochan_stream__release(&files);
    char *then = strdup(env->text);
    env_write(env, "2024-01-01 A 2 1\n");
    assert_ok(lochan_lake_files_at(env->lake, "test", "daily", id, &files, &err));
    assert_ok(env_drain(env, &files, &err));
    lochan_stream__release(&files);
    assert_string_equal(env->text, then);
    assert_ok(lochan_lake_files_at(env->lake, NULL, NULL, NULL, &files, &err));
    assert_ok(env_drain(env, &files, &err));
    lochan_stream__release(&files);
    assert_string_not_equal(env->text, then);
    free(then);
}

static void test_current__files_of_an_unknown_dataset_are_an_error(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream files = {0};
    env_write(env, "2024-01-01 A 1 1\n");
    assert_status(lochan_lake_files(env->lake, "test", "dayly", &files, &err),
                  LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "dayly"));
    assert_null(files.release);
    assert_status(lochan_lake_files_at(env->lake, "test", "dayly", NULL, &files, &err),
                  LOCHAN_ERR_NOT_FOUND);
    assert_status(lochan_lake_files_at(env->lake, "test", "daily", "0", &files, &err),
                  LOCHAN_ERR_NOT_FOUND); /* it was not there yet */
}

/* A commit never fails for it, and the next one puts it right. */
typedef struct sweep {
    lake_env *env;
    int day;
} sweep;

static void prep(void *ctx) {
    (void)ctx;
}

static lochan_status body(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    (void)s;
    return lochan_lake_keep_current(s->env->lake, true, err);
}

static void check(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    lochan_error err;
    (void)rc;
    assert_ok(lochan_lake_keep_current(s->env->lake, true, &err));
    assert_int_equal(links(s->env), 1);
    assert_ok(lochan_lake_keep_current(s->env->lake, false, &err));
    assert_int_equal(links(s->env), -1);
}

static void test_current__under_faults(void **state) {
    lake_env *env = *state;
    sweep s = {env, 1};
    env_write(env, "2024-01-01 A 1 1\n");
    fault_totals t = fault_sweep(&(fault_case){.name = "current",
                                               .prep = prep,
                                               .body = body,
                                               .check = check,
                                               .ctx = &s,
                                               .kinds = FAULT_ALL,
                                               .dense = 2});
    assert_true(t.runs > 3);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_current__follows_every_commit),
        TEST(test_current__files_at_a_snapshot),
        TEST(test_current__files_of_an_unknown_dataset_are_an_error),
        TEST(test_current__under_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
