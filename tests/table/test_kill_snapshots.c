/* test_kill_snapshots.c - a process killed at any step of rolling back, expiring and removing files
 * leaves the table as it was or as it should be. */
#include "support/kill.h"
#include "support/no_sync.h"
#include "table/lake_env.h"
#include <unistd.h>

#define ONE "2024-01-01 A 1 1\n2024-02-01 A 5 5\n"
#define TWO "2024-01-01 A 2 2\n2024-02-01 A 5 5\n2024-03-01 C 7 7\n"

typedef struct killed {
    lake_env env;
    char *dir;
    char first[24];
} killed;

static void make_template(killed *k) {
    lochan_error err;
    memset(k, 0, sizeof *k);
    k->dir = tmpdir_make("kill");
    k->env.threads = 1; /* a forked child has one thread */
    snprintf(k->env.path_text, sizeof k->env.path_text, "%s/template", k->dir);
    k->env.path = k->env.path_text;
    assert_ok(lochan_lake_init(k->env.path, NULL, &err));
    env_open(&k->env);
    env_write(&k->env, ONE);
    snprintf(k->first, sizeof k->first, "%lld", (long long)k->env.snapshot);
    env_write(&k->env, TWO);
    lochan_lake_close(k->env.lake);
    k->env.lake = NULL;
}

static void fresh_copy(killed *k) {
    const char *lake = tmpdir_path(k->dir, "lake");
    if (tmpdir_exists(lake))
        tmpdir_clear(lake);
    tmpdir_copy(tmpdir_path(k->dir, "template"), lake);
    snprintf(k->env.path_text, sizeof k->env.path_text, "%s", lake);
}

/* Back to the first snapshot, and everything else forgotten and removed. */
static lochan_status body(void *ctx, lochan_error *err) {
    killed *k = ctx;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_expire_options x = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report expired;
    lochan_gc_options g = LOCHAN_GC_OPTIONS_INIT;
    lochan_gc_report removed;
    o.threads = 1;
    x.older_than = g.grace = 0;
    LOCHAN_TRY(lochan_lake_open(k->env.path, &o, &k->env.lake, err));
    lochan_status rc = lochan_lake_rollback(k->env.lake, "test", "daily", k->first, NULL, NULL, err);
    usleep(2000);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_expire(k->env.lake, &x, &expired, err);
    usleep(2000);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_gc(k->env.lake, &g, &removed, NULL, err);
    lochan_lake_close(k->env.lake);
    return rc;
}

static void look(killed *k) {
    lochan_error err;
    lochan_scan_options first = LOCHAN_SCAN_OPTIONS_INIT;
    first.as_of = k->first;
    env_open(&k->env);
    bool before = strcmp(env_read(&k->env, NULL), TWO) == 0;
    if (!before)
        assert_string_equal(k->env.text, ONE);
    env_verify(&k->env, true);
    lochan_status rc = env_try_read(&k->env, &first, NULL, &err);
    if (before)
        assert_int_equal(rc, LOCHAN_OK);
    if (rc == LOCHAN_OK) {
        assert_string_equal(k->env.text, ONE);
        assert_ok(lochan_lake_rollback(k->env.lake, "test", "daily", k->first, NULL, NULL, &err));
    }
    assert_string_equal(env_read(&k->env, NULL), ONE);
    env_verify(&k->env, true);
    lochan_lake_close(k->env.lake);
    k->env.lake = NULL;
}

static void test_kill_snapshots__at_every_failpoint(void **state) {
    killed k;
    static kill_trace trace;
    (void)state;
    make_template(&k);
    fresh_copy(&k);
    kill_result r = kill_list(body, &k, &trace);
    assert_true(r.finished);
    assert_int_equal(r.rc, LOCHAN_OK);
    assert_true(trace.count >= 8);
    for (size_t n = 1; n <= trace.count; n++) {
        fresh_copy(&k);
        r = kill_at(body, &k, n, NULL, NULL);
        assert_true(r.reached);
        look(&k);
    }
    free(k.env.text);
    tmpdir_remove(k.dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_snapshots__at_every_failpoint),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
