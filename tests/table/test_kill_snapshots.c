/* test_kill_snapshots.c - a process killed at any step of rolling back, expiring and removing files
 * leaves the table as it was or as it should be. */
#include "support/no_sync.h"
#include "table/lake_template.h"
#include <unistd.h>

#define ONE "2024-01-01 A 1 1\n2024-02-01 A 5 5\n"
#define TWO "2024-01-01 A 2 2\n2024-02-01 A 5 5\n2024-03-01 C 7 7\n"

typedef struct killed {
    lake_template t;
    char first[24];
} killed;

static void make_template(killed *k) {
    memset(k, 0, sizeof *k);
    template_make(&k->t, "kill");
    env_write(&k->t.env, ONE);
    snprintf(k->first, sizeof k->first, "%lld", (long long)k->t.env.snapshot);
    env_write(&k->t.env, TWO);
    template_keep(&k->t);
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
    LOCHAN_TRY(lochan_lake_open(k->t.env.path, &o, &k->t.env.lake, err));
    lochan_status rc =
        lochan_lake_rollback(k->t.env.lake, "test", "daily", k->first, NULL, NULL, err);
    usleep(2000);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_expire(k->t.env.lake, &x, &expired, err);
    usleep(2000);
    if (rc == LOCHAN_OK)
        rc = lochan_lake_gc(k->t.env.lake, &g, &removed, NULL, err);
    lochan_lake_close(k->t.env.lake);
    return rc;
}

static void look(killed *k) {
    lochan_error err;
    lochan_scan_options first = LOCHAN_SCAN_OPTIONS_INIT;
    first.as_of = k->first;
    env_open(&k->t.env);
    bool before = strcmp(env_read(&k->t.env, NULL), TWO) == 0;
    if (!before)
        assert_string_equal(k->t.env.text, ONE);
    env_verify(&k->t.env, true);
    lochan_status rc = env_try_read(&k->t.env, &first, NULL, &err);
    if (before)
        assert_int_equal(rc, LOCHAN_OK);
    if (rc == LOCHAN_OK) {
        assert_string_equal(k->t.env.text, ONE);
        assert_ok(lochan_lake_rollback(k->t.env.lake, "test", "daily", k->first, NULL, NULL, &err));
    }
    assert_string_equal(env_read(&k->t.env, NULL), ONE);
    env_verify(&k->t.env, true);
    lochan_lake_close(k->t.env.lake);
    k->t.env.lake = NULL;
}

static void test_kill_snapshots__at_every_failpoint(void **state) {
    killed k;
    static kill_trace trace;
    (void)state;
    make_template(&k);
    template_copy(&k.t);
    kill_result r = kill_list(body, &k, &trace);
    assert_true(r.finished);
    assert_int_equal(r.rc, LOCHAN_OK);
    assert_true(trace.count >= 8);
    for (size_t n = 1; n <= trace.count; n++) {
        template_copy(&k.t);
        r = kill_at(body, &k, n, NULL, NULL);
        assert_true(r.reached);
        look(&k);
    }
    free(k.t.env.text);
    tmpdir_remove(k.t.dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill_snapshots__at_every_failpoint),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
