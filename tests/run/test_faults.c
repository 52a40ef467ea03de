/* test_faults.c - an append that fails or is killed at any place leaves all of it or nothing. */
#include "run_env.h"
#include "support/fault.h"
#include "support/kill.h"
#include "support/no_sync.h"

#define SCHEMA EXCHANGE "{a:l b:u}"
#define BEFORE "0 1 v t trade - - - - - - {\"a\":1}\n"
#define AFTER                                                                                      \
    "0 1 v t trade - - - - - - {\"a\":1,\"b\":null}\n"                                             \
    "0 2 v t trade - - - - - - {\"a\":2,\"b\":\"x\"}\n"                                            \
    "1 150 v t trade - - - - - - {\"a\":3,\"b\":\"y\"}\n"
#define NEW_FIELD "0 1 v t trade - - - - - - {\"a\":1,\"b\":null}\n"

typedef struct sweep {
    run_env env;
    char *dir;
    bool unsure; /* the error said that the disk left the fate of the commit open */
} sweep;

static lochan_status note_fate(sweep *s, lochan_status rc, const lochan_error *err) {
    s->unsure = rc != LOCHAN_OK && err && strstr(err->hint, "ask for its token");
    return rc;
}

static void make_template(sweep *s) {
    lochan_error err;
    memset(s, 0, sizeof *s);
    s->dir = tmpdir_make("runfaults");
    snprintf(s->env.path, sizeof s->env.path, "%s/template", s->dir);
    assert_ok(lochan_lake_init(s->env.path, NULL, &err));
    env_open(&s->env);
    env_append(&s->env, "r", "exchange", EXCHANGE "{a:l}", "1 " TRADE("1\n"));
    env_close(&s->env);
}

static void prep_copy(void *ctx) {
    sweep *s = ctx;
    s->unsure = false;
    const char *lake = tmpdir_path(s->dir, "lake");
    if (tmpdir_exists(lake))
        tmpdir_clear(lake);
    tmpdir_copy(tmpdir_path(s->dir, "template"), lake);
    snprintf(s->env.path, sizeof s->env.path, "%s", lake);
}

static lochan_status body_append(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_append_options a = LOCHAN_APPEND_OPTIONS_INIT;
    o.threads = 1;
    a.token = "the-token";
    LOCHAN_TRY(lochan_lake_open(s->env.path, &o, &s->env.lake, err));
    lochan_status rc = env_try_append(&s->env, "r", "exchange", SCHEMA,
                                      "2 " TRADE("2 x\n") "150 " TRADE("3 y\n"), &a, err);
    lochan_append_summary_deinit(&s->env.summary);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    return note_fate(s, rc, err);
}

/* The new field may be there without its rows: it was a commit of its own. */
static void check_append(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    lochan_error err;
    lochan_commit_state fate;
    int64_t snapshot;
    env_open(&s->env);
    env_scan(&s->env, "r", "exchange");
    assert_ok(lochan_commit_status(s->env.lake, "the-token", &fate, &snapshot, &err));
    bool done = strcmp(s->env.text, AFTER) == 0;
    if (!done && strcmp(s->env.text, BEFORE) != 0)
        assert_string_equal(s->env.text, NEW_FIELD);
    assert_int_equal(fate == LOCHAN_COMMIT_DONE, done);
    if (rc == LOCHAN_OK)
        assert_true(done);
    else if (rc > 0 && !s->unsure)
        assert_false(done);
    env_verify(&s->env);
    env_close(&s->env);
    assert_ok(body_append(s, &err)); /* repeating it heals and doubles nothing */
    env_open(&s->env);
    assert_string_equal(env_scan(&s->env, "r", "exchange"), AFTER);
    env_close(&s->env);
}

static void run(unsigned kinds) {
    sweep s;
    make_template(&s);
    fault_totals t = fault_sweep(&(fault_case){.name = "append",
                                               .prep = prep_copy,
                                               .body = body_append,
                                               .check = check_append,
                                               .ctx = &s,
                                               .kinds = kinds,
                                               .dense = 6});
    assert_true(t.runs > 3);
    tmpdir_remove(s.dir);
}

static void test_faults__append_files(void **state) {
    (void)state;
    run(FAULT_FILES);
}

static void test_faults__append_memory(void **state) {
    (void)state;
    run(FAULT_OOM);
}

static void test_faults__append_failpoints(void **state) {
    (void)state;
    run(FAULT_POINT);
}

static lochan_status body_read(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_run *r = NULL;
    struct ArrowArrayStream stream = {0};
    char *text = NULL;
    LOCHAN_TRY(lochan_lake_open(s->env.path, NULL, &s->env.lake, err));
    lochan_status rc = env_try_scan(&s->env, "r", "exchange", NULL, err);
    if (rc == LOCHAN_OK)
        rc = lochan_run_open(s->env.lake, "r", NULL, &r, err);
    if (rc == LOCHAN_OK)
        rc = lochan_run_manifest(r, "exchange", &stream, err);
    if (rc == LOCHAN_OK)
        rc = drain_text(&stream, &text, err);
    if (rc == LOCHAN_OK)
        rc = lochan_run_list(s->env.lake, &stream, err);
    if (rc == LOCHAN_OK)
        rc = drain_text(&stream, &text, err);
    if (rc == LOCHAN_OK)
        rc = lochan_run_table_list(s->env.lake, &stream, err);
    if (rc == LOCHAN_OK)
        rc = drain_text(&stream, &text, err);
    free(text);
    lochan_run_close(r);
    env_close(&s->env);
    return rc;
}

static void check_read(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    (void)rc;
    env_open(&s->env);
    assert_string_equal(env_scan(&s->env, "r", "exchange"), BEFORE);
    env_close(&s->env);
}

static void test_faults__reading(void **state) {
    sweep s;
    (void)state;
    make_template(&s);
    fault_sweep(&(fault_case){.name = "read",
                              .prep = prep_copy,
                              .body = body_read,
                              .check = check_read,
                              .ctx = &s,
                              .kinds = FAULT_OOM | FAULT_EIO | FAULT_SHORT | FAULT_EINTR,
                              .dense = 6});
    tmpdir_remove(s.dir);
}

static void test_faults__killed_at_every_failpoint(void **state) {
    sweep s;
    kill_trace *trace = calloc(1, sizeof *trace);
    (void)state;
    make_template(&s);
    prep_copy(&s);
    kill_list(body_append, &s, trace);
    assert_true(trace->count > 8);
    for (size_t n = 1; n <= trace->count; n++) {
        prep_copy(&s);
        kill_result r = kill_at(body_append, &s, n, NULL, NULL);
        assert_true(r.reached);
        check_append(&s, -1);
    }
    free(trace);
    tmpdir_remove(s.dir);
}

/* ---- delete ---- */

static lochan_status body_delete(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    LOCHAN_TRY(lochan_lake_open(s->env.path, NULL, &s->env.lake, err));
    lochan_status rc = lochan_run_delete(s->env.lake, "r", NULL, err);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    return note_fate(s, rc, err);
}

static void check_delete(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    env_open(&s->env);
    env_scan(&s->env, "r", "exchange");
    if (!s->unsure || *s->env.text)
        assert_string_equal(s->env.text, rc == LOCHAN_OK ? "" : BEFORE);
    env_verify(&s->env);
    env_close(&s->env);
}

static void test_faults__delete(void **state) {
    sweep s;
    (void)state;
    make_template(&s);
    fault_sweep(&(fault_case){.name = "delete",
                              .prep = prep_copy,
                              .body = body_delete,
                              .check = check_delete,
                              .ctx = &s,
                              .kinds = FAULT_ALL,
                              .dense = 6});
    tmpdir_remove(s.dir);
}

/* ---- rebuild ---- */

static void prep_lost_catalog(void *ctx) {
    static const char *const names[] = {"lake.db", "lake.db-wal", "lake.db-shm"};
    sweep *s = ctx;
    char path[600];
    prep_copy(ctx);
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", s->env.path, names[i]);
        tmpdir_unlink(path);
    }
}

static lochan_status body_rebuild(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_rebuild_report report;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    return lochan_run_rebuild(s->env.path, &o, "r", "exchange", NULL, &report, NULL, err);
}

static void check_rebuild(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    lochan_error err;
    (void)rc;
    assert_ok(body_rebuild(s, &err)); /* whatever was left half done: once more */
    env_open(&s->env);
    assert_string_equal(env_scan(&s->env, "r", "exchange"), BEFORE);
    env_verify(&s->env);
    env_close(&s->env);
}

static void test_faults__rebuild(void **state) {
    sweep s;
    (void)state;
    make_template(&s);
    fault_sweep(&(fault_case){.name = "rebuild",
                              .prep = prep_lost_catalog,
                              .body = body_rebuild,
                              .check = check_rebuild,
                              .ctx = &s,
                              .kinds = FAULT_ALL,
                              .dense = 6});
    tmpdir_remove(s.dir);
}

static void test_faults__rebuild_killed(void **state) {
    sweep s;
    kill_trace *trace = calloc(1, sizeof *trace);
    (void)state;
    make_template(&s);
    prep_lost_catalog(&s);
    kill_list(body_rebuild, &s, trace);
    assert_true(trace->count >= 2);
    for (size_t n = 1; n <= trace->count; n++) {
        prep_lost_catalog(&s);
        assert_true(kill_at(body_rebuild, &s, n, NULL, NULL).reached);
        check_rebuild(&s, -1);
    }
    free(trace);
    tmpdir_remove(s.dir);
}

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults__append_files),
        cmocka_unit_test(test_faults__append_memory),
        cmocka_unit_test(test_faults__append_failpoints),
        cmocka_unit_test(test_faults__reading),
        cmocka_unit_test(test_faults__killed_at_every_failpoint),
        cmocka_unit_test(test_faults__delete),
        cmocka_unit_test(test_faults__rebuild),
        cmocka_unit_test(test_faults__rebuild_killed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
