/* test_appender.c - buffered appends: thresholds, refusals, failures, nothing lost and nothing
 * twice. */
#include "run_env.h"
#include "support/fault.h"
#include "support/kill.h"
#include "support/no_sync.h"

static lochan_run *open_run(run_env *env) {
    lochan_error err;
    lochan_run *run;
    assert_ok(lochan_run_open(env->lake, "r", NULL, &run, &err));
    return run;
}

static lochan_run_appender *open_appender(lochan_run *run, const char *table, int64_t rows,
                                          int64_t bytes, int64_t ticks) {
    lochan_error err;
    lochan_run_appender *a;
    lochan_run_appender_options o = LOCHAN_RUN_APPENDER_OPTIONS_INIT;
    o.rows = rows;
    o.bytes = bytes;
    o.ticks = ticks;
    assert_ok(lochan_run_appender_open(run, table, &o, &a, &err));
    return a;
}

static lochan_status give(lochan_run_appender *a, const char *schema, const char *rows, bool *kept,
                          lochan_error *err) {
    struct ArrowArrayStream stream;
    LOCHAN_TRY(make_rows(schema, rows, &stream, err));
    return lochan_run_appender_append(a, &stream, kept, err);
}

static int64_t buffered(lochan_run_appender *a) {
    int64_t rows;
    lochan_run_appender_state(a, &rows, NULL, NULL, NULL);
    return rows;
}

static void test_appender__rows_are_seen_when_they_were_flushed(void **state) {
    run_env *env = *state;
    lochan_error err;
    bool kept;
    lochan_run *run = open_run(env);
    lochan_run_appender *a = open_appender(run, "holdings", 3, 0, 0);
    assert_ok(give(a, HOLDINGS, "1 a A 1\n", &kept, &err));
    assert_true(kept);
    assert_ok(give(a, HOLDINGS, "2 a A 2\n", NULL, &err));
    assert_string_equal(env_scan(env, "r", "holdings"), "");
    assert_int_equal(buffered(a), 2);
    assert_ok(give(a, HOLDINGS, "3 a A 3\n", NULL, &err));
    assert_int_equal(buffered(a), 0);
    assert_string_equal(env_scan(env, "r", "holdings"), "0 1 a A 1\n0 2 a A 2\n0 3 a A 3\n");
    assert_int_equal(env_snapshot(env), 2); /* the table, and one commit */
    assert_ok(give(a, HOLDINGS, "4 a A 4\n", NULL, &err));
    lochan_append_summary s = LOCHAN_APPEND_SUMMARY_INIT;
    assert_ok(lochan_run_appender_flush(a, &s, &err));
    assert_int_equal(s.rows, 1);
    lochan_append_summary_deinit(&s);
    assert_ok(lochan_run_appender_flush(a, &s, &err));
    assert_int_equal(s.snapshot_id, -1);
    assert_ok(give(a, HOLDINGS, "5 a A 5\n", NULL, &err));
    assert_ok(lochan_run_appender_close(a, &err));
    assert_non_null(strstr(env_scan(env, "r", "holdings"), "0 4 a A 4\n0 5 a A 5\n"));
    assert_int_equal(env->lake->budget.used, 0);
    lochan_run_close(run);
    env_verify(env);
}

static void test_appender__ticks_and_bytes_are_thresholds(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run = open_run(env);
    lochan_run_appender *a = open_appender(run, "holdings", -1, -1, 10);
    assert_ok(give(a, HOLDINGS, "5 a A 1\n", NULL, &err));
    assert_ok(give(a, HOLDINGS, "13 a A 1\n", NULL, &err));
    assert_int_equal(buffered(a), 2);
    assert_ok(give(a, HOLDINGS, "14 a A 1\n", NULL, &err));
    assert_int_equal(buffered(a), 0);
    assert_ok(lochan_run_appender_close(a, &err));
    a = open_appender(run, "holdings", -1, 1000, 0);
    int n = 0;
    do
        assert_ok(give(a, HOLDINGS, "5 a A 1\n", NULL, &err));
    while (buffered(a) > 0 && ++n < 100);
    assert_in_range(n, 1, 20);
    assert_ok(lochan_run_appender_close(a, &err));
    lochan_run_close(run);
}

static void test_appender__bad_rows_are_refused_at_once(void **state) {
    run_env *env = *state;
    lochan_error err;
    bool kept = true;
    lochan_run *run = open_run(env);
    lochan_run_appender *a = open_appender(run, "holdings", 100, 0, 0);
    assert_ok(give(a, HOLDINGS, "1 a A 1\n", NULL, &err));
    assert_int_equal(give(a, HOLDINGS, "2 a A 2\n-3 a A 2\n", &kept, &err), LOCHAN_ERR_SCHEMA);
    assert_false(kept);
    assert_int_equal(err.row, 1);
    assert_string_equal(err.column, "tick");
    assert_int_equal(give(a, HOLDINGS " x:l", "2 a A 2 1\n", NULL, &err), LOCHAN_ERR_SCHEMA);
    assert_int_equal(give(a, "tick:l agent_id:u", "2 a\n", NULL, &err), LOCHAN_ERR_SCHEMA);
    assert_int_equal(buffered(a), 1);
    assert_ok(lochan_run_appender_close(a, &err));
    assert_string_equal(env_scan(env, "r", "holdings"), "0 1 a A 1\n");
    lochan_run_appender_options o = LOCHAN_RUN_APPENDER_OPTIONS_INIT;
    assert_int_equal(lochan_run_appender_open(run, "nothing", &o, &a, &err), LOCHAN_ERR_SCHEMA);
    o.rows = -2;
    assert_int_equal(lochan_run_appender_open(run, "holdings", &o, &a, &err),
                     LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_run_close(run);
}

/* Fields of an open struct come and go, and become wider, in one commit. */
static void test_appender__columns_may_differ(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run = open_run(env);
    lochan_run_appender *a = open_appender(run, "exchange", 1000, 0, 0);
    assert_ok(give(a, EXCHANGE "{a:l}", "1 " TRADE("1\n"), NULL, &err));
    assert_ok(give(a, EXCHANGE "{b:u}", "2 " TRADE("x\n"), NULL, &err));
    assert_ok(give(a, EXCHANGE "{a:g}", "3 " TRADE("1.5\n"), NULL, &err));
    assert_ok(lochan_run_appender_close(a, &err));
    const char *text = env_scan(env, "r", "exchange");
    assert_non_null(strstr(text, "0 1 v t trade - - - - - - {\"a\":1,\"b\":null}\n"));
    assert_non_null(strstr(text, "0 2 v t trade - - - - - - {\"a\":null,\"b\":\"x\"}\n"));
    assert_non_null(strstr(text, "0 3 v t trade - - - - - - {\"a\":1.5,\"b\":null}\n"));
    assert_int_equal(env_snapshot(env), 2);
    lochan_run_close(run);
    env_verify(env);
}

static void test_appender__many_rows_of_one(void **state) {
    run_env *env = *state;
    lochan_error err;
    char row[64];
    lochan_run *run = open_run(env);
    lochan_run_appender *a = open_appender(run, "holdings", 300, 0, 0);
    for (int i = 0; i < 1000; i++) {
        snprintf(row, sizeof row, "%d agent%d A %d\n", i, i % 7, i);
        assert_ok(give(a, HOLDINGS, row, NULL, &err));
    }
    int64_t appended, commits;
    lochan_run_appender_state(a, NULL, NULL, &appended, &commits);
    assert_int_equal(appended, 900);
    assert_int_equal(commits, 3);
    assert_ok(lochan_run_appender_close(a, &err));
    const char *p = env_scan(env, "r", "holdings");
    for (int i = 0; i < 1000; i++) {
        snprintf(row, sizeof row, "%d %d agent%d A %d\n", i / 100, i, i % 7, i);
        assert_int_equal(strncmp(p, row, strlen(row)), 0);
        p += strlen(row);
    }
    assert_int_equal(env->lake->budget.used, 0);
    lochan_run_close(run);
}

/* What does not fit into the memory limit goes to the disk before it was asked for. */
static void test_appender__keeps_to_the_memory_limit(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    int64_t commits;
    env_close(env);
    o.threads = 1;
    o.memory_limit = 4 << 20;
    assert_ok(lochan_lake_open(env->path, &o, &env->lake, &err));
    lochan_run *run = open_run(env);
    lochan_run_appender *a = open_appender(run, "holdings", -1, -1, 0);
    char *rows = malloc(2000 * 16 + 1), *p = rows;
    for (int i = 0; i < 2000; i++)
        p += sprintf(p, "%d a A 1\n", i % 100);
    for (int i = 0; i < 80; i++)
        assert_ok(give(a, HOLDINGS, rows, NULL, &err));
    lochan_run_appender_state(a, NULL, NULL, NULL, &commits);
    assert_true(commits > 0);
    assert_ok(lochan_run_appender_close(a, &err));
    free(rows);
    lochan_run_close(run);
    size_t lines = 0;
    for (const char *q = env_scan(env, "r", "holdings"); *q; q++)
        lines += *q == '\n';
    assert_int_equal(lines, 160000);
}

/* ---- failures ---- */

typedef struct sweep {
    run_env env;
    char *dir;
} sweep;

static void prep(void *ctx) {
    sweep *s = ctx;
    lochan_error err;
    const char *lake = tmpdir_path(s->dir, "lake");
    if (tmpdir_exists(lake))
        tmpdir_clear(lake);
    snprintf(s->env.path, sizeof s->env.path, "%s", lake);
    assert_ok(lochan_lake_init(s->env.path, NULL, &err));
}

/* Tries a failed flush once more; rows that were refused are given again. */
static lochan_status body(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_status rc = LOCHAN_OK;
    lochan_run *run = NULL;
    lochan_run_appender *a = NULL;
    lochan_run_appender_options o = LOCHAN_RUN_APPENDER_OPTIONS_INIT;
    lochan_lake_options lake = LOCHAN_LAKE_OPTIONS_INIT;
    bool kept = false;
    lake.threads = 1;
    o.rows = 2;
    LOCHAN_TRYG(lochan_lake_open(s->env.path, &lake, &s->env.lake, err));
    LOCHAN_TRYG(lochan_run_open(s->env.lake, "r", NULL, &run, err));
    LOCHAN_TRYG(lochan_run_appender_open(run, "holdings", &o, &a, err));
    LOCHAN_TRYG(give(a, HOLDINGS, "1 a A 1\n", NULL, err));
    rc = give(a, HOLDINGS, "2 a A 1\n", &kept, err);
    if (rc != LOCHAN_OK && kept)
        rc = lochan_run_appender_flush(a, NULL, err);
    LOCHAN_TRYG(rc);
    LOCHAN_TRYG(give(a, HOLDINGS, "3 a A 1\n", NULL, err));
    rc = lochan_run_appender_close(a, err);
    if (rc != LOCHAN_OK)
        rc = lochan_run_appender_close(a, err);
    if (rc == LOCHAN_OK)
        a = NULL;
done:
    lochan_run_appender_discard(a);
    lochan_run_close(run);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    return rc;
}

static void check(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    env_open(&s->env);
    const char *text = env_scan(&s->env, "r", "holdings");
    bool none = strcmp(text, "") == 0, two = strcmp(text, "0 1 a A 1\n0 2 a A 1\n") == 0,
         all = strcmp(text, "0 1 a A 1\n0 2 a A 1\n0 3 a A 1\n") == 0;
    assert_true(none || two || all);
    if (rc == LOCHAN_OK)
        assert_true(all);
    env_verify(&s->env);
    env_close(&s->env);
}

static void test_appender__any_step_may_fail(void **state) {
    sweep s = {.dir = tmpdir_make("appender")};
    (void)state;
    fault_sweep(&(fault_case){.name = "appender",
                              .prep = prep,
                              .body = body,
                              .check = check,
                              .ctx = &s,
                              .kinds = FAULT_ALL,
                              .dense = 2});
    tmpdir_remove(s.dir);
}

static void test_appender__killed_at_every_failpoint(void **state) {
    sweep s = {.dir = tmpdir_make("appender")};
    static kill_trace trace;
    (void)state;
    prep(&s);
    kill_list(body, &s, &trace);
    assert_true(trace.count > 20);
    for (size_t n = 1; n <= trace.count; n++) {
        prep(&s);
        assert_true(kill_at(body, &s, n, NULL, NULL).reached);
        check(&s, -1);
    }
    tmpdir_remove(s.dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_appender__##name, env_setup, env_teardown)

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {
        TEST(rows_are_seen_when_they_were_flushed),
        TEST(ticks_and_bytes_are_thresholds),
        TEST(bad_rows_are_refused_at_once),
        TEST(columns_may_differ),
        TEST(many_rows_of_one),
        TEST(keeps_to_the_memory_limit),
        cmocka_unit_test(test_appender__any_step_may_fail),
        cmocka_unit_test(test_appender__killed_at_every_failpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
