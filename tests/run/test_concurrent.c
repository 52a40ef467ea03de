/* test_concurrent.c - many processes append to one table, while others read it and while it grows.
 */
#include "run_env.h"
#include "support/no_sync.h"

#include <sys/wait.h>
#include <unistd.h>

enum { WRITERS = 4, APPENDS = 25 };

/* Each writer brings a field of its own now and then, so the table grows under the others. */
static lochan_status append_many(const char *path, int writer, lochan_error *err) {
    run_env env = {0};
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    snprintf(env.path, sizeof env.path, "%s", path);
    LOCHAN_TRY(lochan_lake_open(path, &o, &env.lake, err));
    lochan_status rc = LOCHAN_OK;
    for (int i = 0; i < APPENDS && rc == LOCHAN_OK; i++) {
        char run[16], schema[160], rows[160];
        snprintf(run, sizeof run, "run%d", writer % 2);
        snprintf(schema, sizeof schema, EXCHANGE "{shared:%s f%d_%d:l}", i % 3 == 2 ? "g" : "l",
                 writer, i / 10);
        snprintf(rows, sizeof rows, "%d " TRADE("%d %d\n") "%d " TRADE("%d %d\n"),
                 writer * 1000 + i, i, i, writer * 1000 + 500 + i, i, i);
        rc = env_try_append(&env, run, "exchange", schema, rows, NULL, err);
    }
    env_close(&env);
    return rc;
}

static int run_child(const char *path, int writer) {
    lochan_error err;
    lochan_error_init(&err);
    lochan_status rc = append_many(path, writer, &err);
    if (rc != LOCHAN_OK)
        fprintf(stderr, "writer %d: %s\n", writer, err.message);
    return rc == LOCHAN_OK ? 0 : 1;
}

static void test_concurrent__none_lost_none_twice(void **state) {
    run_env *env = *state;
    lochan_error err;
    pid_t pids[WRITERS];
    struct ArrowArrayStream stream;
    lochan_run_scan_options o = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    const char *columns[] = {"tick"};
    o.columns = columns;
    o.n_columns = 1;
    env_close(env);
    for (int i = 0; i < WRITERS; i++) {
        pids[i] = fork();
        if (pids[i] == 0)
            _exit(run_child(env->path, i));
        assert_true(pids[i] > 0);
    }
    env_open(env);
    /* both rows of an append, or none */
    for (int round = 0; round < 10; round++) {
        size_t lines = 0;
        assert_ok(lochan_runs_scan(env->lake, "exchange", NULL, 0, &o, &stream, &err));
        assert_ok(drain_text(&stream, &env->text, &err));
        for (const char *p = env->text; *p; p++)
            lines += *p == '\n';
        assert_int_equal(lines % 2, 0);
    }
    for (int i = 0; i < WRITERS; i++) {
        int status;
        assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
        assert_int_equal(status, 0);
    }
    bool seen[WRITERS * 1000] = {false};
    size_t n = 0;
    assert_ok(lochan_runs_scan(env->lake, "exchange", NULL, 0, &o, &stream, &err));
    assert_ok(drain_text(&stream, &env->text, &err));
    for (char *p = env->text; *p; p = strchr(p, '\n') + 1, n++) {
        long tick = strtol(p, NULL, 10);
        assert_true(tick >= 0 && tick < WRITERS * 1000);
        assert_false(seen[tick]);
        seen[tick] = true;
    }
    assert_int_equal(n, 2 * WRITERS * APPENDS);
    env_verify(env);
}

typedef struct shared_run {
    lochan_run *run;
    _Atomic int failed;
} shared_run;

static lochan_status append_one(void *ctx, size_t index, lochan_error *err) {
    shared_run *s = ctx;
    struct ArrowArrayStream rows;
    char text[80];
    snprintf(text, sizeof text, "%zu a A %zu\n", index * 7, index);
    LOCHAN_TRY(make_rows(HOLDINGS, text, &rows, err));
    return lochan_run_append(s->run, "holdings", &rows, NULL, NULL, err);
}

static void test_concurrent__threads_share_a_run(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_pool *pool;
    shared_run s = {0};
    assert_ok(lochan_run_open(env->lake, "r", NULL, &s.run, &err));
    assert_ok(lochan_pool__create(4, &pool, &err));
    assert_ok(lochan_pool__for(pool, 40, append_one, &s, NULL, &err));
    lochan_pool__free(pool);
    lochan_run_close(s.run);
    size_t lines = 0;
    for (const char *p = env_scan(env, "r", "holdings"); *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, 40);
    env_verify(env);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_concurrent__##name, env_setup, env_teardown)

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {TEST(none_lost_none_twice), TEST(threads_share_a_run)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
