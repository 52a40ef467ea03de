/* test_footers.c - runs of which neither lake.db nor journal is left. */
#include "run_env.h"
#include "support/fault.h"
#include "support/no_sync.h"

#include <dirent.h>

static void quiet(void *payload, lochan_log_level level, const char *message) {
    (void)payload, (void)level, (void)message;
}

static void lose_everything_but_parts(run_env *env) {
    static const char *const names[] = {"lake.db", "lake.db-wal", "lake.db-shm",
                                        "journal/000001.ljl"};
    char path[600];
    env_close(env);
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++) {
        snprintf(path, sizeof path, "%s/%s", env->path, names[i]);
        if (tmpdir_exists(path))
            tmpdir_unlink(path);
    }
}

/* *warning is to be freed. */
static void open_without(run_env *env, char **warning) {
    lochan_error err;
    lochan_log_set(quiet, NULL, LOCHAN_LOG_WARN);
    assert_ok(lochan_run_lake_open(env->path, NULL, warning, &env->lake, &err));
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
}

static void reopen(run_env *env) {
    char *warning;
    open_without(env, &warning);
    assert_non_null(strstr(warning, "rebuild_manifest"));
    lochan_free(warning);
}

static void test_footers__rows_are_read_and_nothing_is_written(void **state) {
    run_env *env = *state;
    lochan_error err;
    char path[600];
    env_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n250 a A 1\n");
    env_append(env, "r", "holdings", HOLDINGS, "2 b B 2\n");
    env_append(env, "s", "holdings", HOLDINGS, "7 c C 3\n");
    env_append(env, "r", "exchange", EXCHANGE "{a:l}", "5 " TRADE("4\n"));
    env_append(env, "r", "exchange", EXCHANGE "{b:u}", "6 " TRADE("x\n"));
    char *exchange = strdup(env_scan(env, "r", "exchange"));
    char *holdings = strdup(env_scan(env, "r", "holdings"));
    lose_everything_but_parts(env);
    reopen(env);
    assert_string_equal(env_scan(env, "r", "holdings"), holdings);
    assert_string_equal(env_scan(env, "s", "holdings"), "0 7 c C 3\n");
    assert_string_equal(env_scan(env, "r", "exchange"), exchange);
    assert_int_equal(env_try_append(env, "r", "holdings", HOLDINGS, "2 a A 1\n", NULL, &err),
                     LOCHAN_ERR_READ_ONLY);
    int64_t from = 200;
    lochan_run_scan_options o = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    o.tick_min = &from;
    assert_ok(env_try_scan(env, "r", "holdings", &o, &err));
    assert_string_equal(env->text, "2 250 a A 1\n");
    env_close(env);
    snprintf(path, sizeof path, "%s/lake.db", env->path);
    assert_false(tmpdir_exists(path));
    free(exchange);
    free(holdings);
}

/* The one file below a folder. */
static void find_part(const run_env *env, const char *folder, char out[1200]) {
    char dir[600];
    struct dirent *e;
    snprintf(dir, sizeof dir, "%s/%s", env->path, folder);
    DIR *d = opendir(dir);
    assert_non_null(d);
    while ((e = readdir(d)))
        if (e->d_name[0] != '.')
            snprintf(out, 1200, "%s/%s", dir, e->d_name);
    closedir(d);
}

static void test_footers__half_an_append_and_copies_are_left_out(void **state) {
    run_env *env = *state;
    char part[1200], copy[1300], *warning;
    env_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n");
    find_part(env, "runs/r/tables/holdings/bucket=000000", part);
    snprintf(copy, sizeof copy, "%.1180s-copy.parquet", part);
    tmpdir_copy(part, copy);
    env_append(env, "r", "holdings", HOLDINGS, "250 a A 1\n350 a A 1\n450 a A 1\n");
    find_part(env, "runs/r/tables/holdings/bucket=000003", part);
    lose_everything_but_parts(env);
    tmpdir_unlink(part);
    open_without(env, &warning);
    assert_non_null(strstr(warning, "1 parts (3 files are left out)"));
    lochan_free(warning);
    assert_string_equal(env_scan(env, "r", "holdings"), "0 1 a A 1\n");
}

static void test_footers__a_damaged_footer_is_left_out(void **state) {
    run_env *env = *state;
    char part[1200], *warning;
    size_t n;
    env_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n");
    env_append(env, "r", "holdings", HOLDINGS, "250 a A 1\n");
    find_part(env, "runs/r/tables/holdings/bucket=000002", part);
    char *bytes = tmpdir_read(part, &n);
    memset(bytes + n - 40, 0xff, 20);
    tmpdir_write(part, bytes, n);
    free(bytes);
    lose_everything_but_parts(env);
    open_without(env, &warning);
    assert_non_null(strstr(warning, "1 parts (1 files are left out)"));
    lochan_free(warning);
    assert_string_equal(env_scan(env, "r", "holdings"), "0 1 a A 1\n");
}

/* ---- faults ---- */

static lochan_status body(void *ctx, lochan_error *err) {
    run_env *env = ctx;
    char *warning = NULL;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    LOCHAN_TRY(lochan_run_lake_open(env->path, &o, &warning, &env->lake, err));
    lochan_free(warning);
    lochan_status rc = env_try_scan(env, "r", "holdings", NULL, err);
    if (rc == LOCHAN_OK)
        assert_string_equal(env->text, "0 1 a A 1\n2 250 a A 1\n");
    env_close(env);
    return rc;
}

static void check(void *ctx, lochan_status rc) {
    run_env *env = ctx;
    char path[600];
    (void)rc;
    snprintf(path, sizeof path, "%s/lake.db", env->path);
    assert_false(tmpdir_exists(path));
}

static void test_footers__faults(void **state) {
    run_env *env = *state;
    env_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n250 a A 1\n");
    lose_everything_but_parts(env);
    lochan_log_set(quiet, NULL, LOCHAN_LOG_WARN);
    fault_sweep(&(fault_case){.name = "footers",
                              .body = body,
                              .check = check,
                              .ctx = env,
                              .kinds = FAULT_OOM | FAULT_EIO | FAULT_SHORT | FAULT_EINTR,
                              .dense = 6});
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_footers__##name, env_setup, env_teardown)

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {
        TEST(rows_are_read_and_nothing_is_written),
        TEST(half_an_append_and_copies_are_left_out),
        TEST(a_damaged_footer_is_left_out),
        TEST(faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
