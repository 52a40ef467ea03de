/* test_info.c - what is noted of runs, and reading a lake whose lake.db is gone or damaged. */
#include "run_env.h"
#include "support/fault.h"
#include "support/no_sync.h"

static void describe(run_env *env, const char *run_id, const char *parameters, const char *seed) {
    lochan_error err;
    lochan_run *run;
    assert_ok(lochan_run_open(env->lake, run_id, NULL, &run, &err));
    assert_ok(lochan_run_describe(run, parameters, seed, NULL, &err));
    lochan_run_close(run);
}

static const char *runs_of(run_env *env, const char *table) {
    lochan_error err;
    struct ArrowArrayStream stream;
    assert_ok(lochan_runs_of(env->lake, table, &stream, &err));
    assert_ok(drain_text(&stream, &env->text, &err));
    return env->text;
}

static void test_info__runs_of_a_table(void **state) {
    run_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream stream;
    env_append(env, "one", "holdings", HOLDINGS, "1 a A 1\n2 a A 1\n");
    env_append(env, "two", "exchange", EXCHANGE "{a:l}", "1 " TRADE("1\n"));
    describe(env, "one", "{\"agents\": 100}", "42");
    describe(env, "three", NULL, "7");
    const char *text = runs_of(env, "holdings");
    assert_non_null(strstr(text, "one "));
    assert_non_null(strstr(text, " 42 - {\"agents\": 100}\n"));
    assert_null(strstr(text, "two "));
    assert_string_equal(runs_of(env, "messages"), "");
    text = runs_of(env, NULL);
    assert_non_null(strstr(text, "one "));
    assert_non_null(strstr(text, "two "));
    assert_non_null(strstr(text, "three "));
    assert_int_equal(lochan_runs_of(env->lake, "nothing", &stream, &err), LOCHAN_ERR_SCHEMA);
}

static void test_info__parameters_are_json(void **state) {
    static const char *const bad[] = {
        "{a: 1}",    "[1]",          "{\"a\": 01}", "{\"a\":}",         "{\"a\": 1,}",
        "{\"a\" 1}", "{\"a\": tru}", "{} x",        "{\"a\": \"\\x\"}", "{\"a\": \"\n\"}",
        "",          "{\"a\": 1e}"};
    static const char *const good[] = {
        "{}", " {\"a\": [1, -0.5e+3, true, null, {\"b\": \"\\u00e9\\n\"}], \"c\": {}} "};
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    assert_ok(lochan_run_open(env->lake, "r", NULL, &run, &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++)
        assert_int_equal(lochan_run_describe(run, bad[i], NULL, NULL, &err),
                         LOCHAN_ERR_INVALID_ARGUMENT);
    for (size_t i = 0; i < LOCHAN_COUNTOF(good); i++)
        assert_ok(lochan_run_describe(run, good[i], NULL, NULL, &err));
    char *deep = malloc(5000 + 10), *p = deep;
    p += sprintf(p, "{\"a\":");
    memset(p, '[', 5000);
    p[5000] = 0;
    assert_int_equal(lochan_run_describe(run, deep, NULL, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    free(deep);
    lochan_run_close(run);
}

static void test_info__export_tells_all(void **state) {
    run_env *env = *state;
    lochan_error err;
    char *json;
    env_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n250 a A 1\n");
    env_append(env, "r", "exchange", EXCHANGE "{a:l}", "5 " TRADE("1\n"));
    env_append(env, "other", "holdings", HOLDINGS, "1 a A 1\n");
    describe(env, "r", "{\"agents\": 100}", "a \"seed\"");
    assert_ok(lochan_run_export(env->lake, "r", &json, &err));
    assert_int_equal(
        strncmp(json, "{\"format\":\"lochan.run\",\"version\":1,\"run_id\":\"r\",", 47), 0);
    assert_non_null(strstr(json, "\"parameters\":{\"agents\": 100},\"tables\":[{"));
    assert_non_null(strstr(json, "\"seed\":\"a \\\"seed\\\"\",\"code_version\":null"));
    assert_non_null(strstr(json, "{\"table\":\"exchange\""));
    assert_non_null(strstr(json, "\"rows\":2,"));
    assert_non_null(strstr(json, "\"tick_min\":1,\"tick_max\":250,\"columns\":[{\"name\":"));
    assert_non_null(
        strstr(json, "{\"bucket_id\":2,\"path\":\"runs/r/tables/holdings/bucket=000002"));
    assert_null(strstr(json, "other"));
    lochan_free(json);
    assert_int_equal(lochan_run_export(env->lake, "nobody", &json, &err), LOCHAN_ERR_NOT_FOUND);
    assert_null(json);
}

static int64_t count_unknown(run_env *env, const char *table) {
    lochan_error err;
    lochan_verify_report report;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    o.source = table ? "runs" : NULL;
    o.dataset = table;
    assert_ok(lochan_lake_verify(env->lake, &o, &report, NULL, &err));
    assert_int_equal(report.problems, 0);
    return report.unknown_files;
}

static void test_info__verify_finds_parts_that_nobody_knows(void **state) {
    run_env *env = *state;
    char path[900];
    env_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n");
    env_append(env, "r", "exchange", EXCHANGE "{a:l}", "5 " TRADE("1\n"));
    assert_int_equal(count_unknown(env, NULL), 0);
    snprintf(path, sizeof path, "%s/runs/r/tables/holdings/bucket=000000/part-x.parquet",
             env->path);
    tmpdir_write(path, "x", 1);
    assert_int_equal(count_unknown(env, NULL), 1);
    assert_int_equal(count_unknown(env, "holdings"), 1);
    assert_int_equal(count_unknown(env, "exchange"), 0);
}

/* ---- without lake.db ---- */

static void lose(run_env *env, const char *name) {
    char path[600];
    snprintf(path, sizeof path, "%s/%s", env->path, name);
    tmpdir_unlink(path);
}

static void lose_catalog(run_env *env) {
    env_close(env);
    lose(env, "lake.db");
    lose(env, "lake.db-wal");
    lose(env, "lake.db-shm");
}

static void quiet(void *payload, lochan_log_level level, const char *message) {
    (void)message;
    *(int *)payload += level == LOCHAN_LOG_WARN;
}

static void test_info__without_lake_db_the_journal_is_read(void **state) {
    run_env *env = *state;
    lochan_error err;
    int warnings = 0;
    char *warning, *bytes, path[600];
    env_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n250 a A 1\n");
    describe(env, "r", NULL, "42");
    lose_catalog(env);
    lochan_log_set(quiet, &warnings, LOCHAN_LOG_WARN);
    assert_ok(lochan_run_lake_open(env->path, NULL, &warning, &env->lake, &err));
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    assert_int_equal(warnings, 1);
    assert_non_null(strstr(warning, "rebuild"));
    lochan_free(warning);
    assert_string_equal(env_scan(env, "r", "holdings"), "0 1 a A 1\n2 250 a A 1\n");
    assert_non_null(strstr(runs_of(env, "holdings"), " 42 "));
    assert_int_equal(env_try_append(env, "r", "holdings", HOLDINGS, "2 a A 1\n", NULL, &err),
                     LOCHAN_ERR_READ_ONLY);
    env_close(env);
    snprintf(path, sizeof path, "%s/lake.db", env->path);
    assert_false(tmpdir_exists(path));
    /* and where it is there, all is as always */
    lochan_rebuild_report report;
    assert_ok(lochan_run_rebuild(env->path, NULL, "r", "holdings", NULL, &report, NULL, &err));
    assert_true(report.lake_rebuilt);
    assert_ok(lochan_run_lake_open(env->path, NULL, &warning, &env->lake, &err));
    assert_null(warning);
    env_close(env);
    /* damaged */
    size_t n;
    bytes = tmpdir_read(path, &n);
    memset(bytes + 100, 0xa5, n - 100);
    tmpdir_write(path, bytes, n);
    free(bytes);
    lose(env, "lake.db-wal");
    lose(env, "lake.db-shm");
    lochan_status rc = lochan_run_lake_open(env->path, NULL, &warning, &env->lake, &err);
    assert_int_equal(rc, LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.hint, "rebuild"));
    /* neither lake.db nor journal */
    assert_int_equal(lochan_run_lake_open(env->dir, NULL, &warning, &env->lake, &err),
                     LOCHAN_ERR_NOT_FOUND);
    env->lake = NULL;
}

typedef struct sweep {
    run_env env;
    char *dir;
} sweep;

static lochan_status body(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    char *warning = NULL, *json = NULL;
    struct ArrowArrayStream stream = {0};
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    LOCHAN_TRY(lochan_run_lake_open(s->env.path, &o, &warning, &s->env.lake, err));
    lochan_status rc = env_try_scan(&s->env, "r", "holdings", NULL, err);
    if (rc == LOCHAN_OK)
        rc = lochan_run_export(s->env.lake, "r", &json, err);
    if (rc == LOCHAN_OK)
        rc = lochan_runs_of(s->env.lake, "holdings", &stream, err);
    if (rc == LOCHAN_OK)
        rc = drain_text(&stream, &s->env.text, err);
    lochan_free(json);
    lochan_free(warning);
    env_close(&s->env);
    return rc;
}

static void check(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    (void)rc;
    assert_false(tmpdir_exists(tmpdir_path(s->dir, "lake/lake.db")));
}

static void test_info__any_step_may_fail(void **state) {
    sweep s = {.dir = tmpdir_make("info")};
    lochan_error err;
    int warnings = 0;
    (void)state;
    snprintf(s.env.path, sizeof s.env.path, "%s/lake", s.dir);
    assert_ok(lochan_lake_init(s.env.path, NULL, &err));
    env_open(&s.env);
    env_append(&s.env, "r", "holdings", HOLDINGS, "1 a A 1\n250 a A 1\n");
    lose_catalog(&s.env);
    lochan_log_set(quiet, &warnings, LOCHAN_LOG_WARN);
    fault_sweep(&(fault_case){.name = "info",
                              .body = body,
                              .check = check,
                              .ctx = &s,
                              .kinds = FAULT_OOM | FAULT_EIO | FAULT_SHORT | FAULT_EINTR,
                              .dense = 6});
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    tmpdir_remove(s.dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_info__##name, env_setup, env_teardown)

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {
        TEST(runs_of_a_table),
        TEST(parameters_are_json),
        TEST(export_tells_all),
        TEST(verify_finds_parts_that_nobody_knows),
        TEST(without_lake_db_the_journal_is_read),
        cmocka_unit_test(test_info__any_step_may_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
