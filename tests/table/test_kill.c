/* test_kill.c - a process killed at any step of a write leaves the old snapshot or the new one. */
#include "support/no_sync.h"
#include "support/torn.h"
#include "table/lake_template.h"

#define BEFORE "2024-01-01 A 1 1\n2024-01-03 A 3 3\n2024-02-01 A 5 5\n"
#define CHANGE "2024-01-01 A 2 2\n2024-01-02 A 2 2\n2024-03-01 A 7 7\n"
#define AFTER                                                                                      \
    "2024-01-01 A 2 2\n2024-01-02 A 2 2\n2024-01-03 A 3 3\n2024-02-01 A 5 5\n2024-03-01 A 7 7\n"

typedef struct killed {
    lake_template t;
    uint64_t seed;
    bool torn;
    bool empty; /* the lake has no table yet */
} killed;

static void make_template(killed *k, bool empty) {
    memset(k, 0, sizeof *k);
    k->empty = empty;
    template_make(&k->t, "kill");
    if (!empty)
        env_write(&k->t.env, BEFORE);
    template_keep(&k->t);
}

static lochan_status body(void *ctx, lochan_error *err) {
    killed *k = ctx;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    if (k->torn)
        torn_start(k->t.env.path);
    LOCHAN_TRY(lochan_lake_open(k->t.env.path, &o, &k->t.env.lake, err));
    lochan_status rc = env_try_write_with(&k->t.env, 0, CHANGE, "the-token", NULL, NULL, err);
    lochan_lake_close(k->t.env.lake);
    return rc;
}

/* Old or new, never half; what commit_status says is what is there; a second run brings the new. */
static void look(killed *k) {
    lochan_error err;
    lochan_commit_state fate;
    int64_t snapshot;
    env_open(&k->t.env);
    assert_ok(lochan_commit_status(k->t.env.lake, "the-token", &fate, &snapshot, &err));
    if (fate == LOCHAN_COMMIT_DONE || !k->empty) {
        assert_string_equal(env_read(&k->t.env, NULL), fate != LOCHAN_COMMIT_DONE ? BEFORE
                                                       : k->empty                 ? CHANGE
                                                                                  : AFTER);
    }
    env_verify(&k->t.env, true);
    assert_ok(env_try_write_with(&k->t.env, 0, CHANGE, "the-token", NULL, NULL, &err));
    assert_string_equal(env_read(&k->t.env, NULL), k->empty ? CHANGE : AFTER);
    env_verify(&k->t.env, true);
    lochan_lake_close(k->t.env.lake);
    k->t.env.lake = NULL;
}

/* A writer killed amid its files leaves temporary ones; clean takes them away, and nothing else. */
static void test_kill__leftovers_can_be_cleaned(void **state) {
    killed k;
    lochan_error err;
    lochan_table *table;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    int64_t removed;
    (void)state;
    make_template(&k, false);
    template_copy(&k.t);
    kill_result r = kill_at_name(body, &k, "table.publish.written", 1, NULL, NULL);
    assert_true(r.reached);
    env_open(&k.t.env);
    assert_ok(lochan_lake_verify(k.t.env.lake, &o, &report, NULL, &err));
    assert_int_equal(report.unknown_files, 2);
    assert_int_equal(report.problems, 0);
    assert_ok(lochan_table__open(k.t.env.lake, "test", "daily", -1, &table, &err));
    assert_ok(lochan_table__clean(k.t.env.lake, table, &removed, &err));
    assert_int_equal(removed, 2);
    lochan_table__close(table);
    env_verify(&k.t.env, false);
    assert_string_equal(env_read(&k.t.env, NULL), BEFORE);
    lochan_lake_close(k.t.env.lake);
    free(k.t.env.text);
    tmpdir_remove(k.t.dir);
}

static void kill_everywhere(bool empty) {
    killed k;
    static kill_trace trace;
    make_template(&k, empty);
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

static void test_kill__at_every_failpoint_of_a_merge(void **state) {
    (void)state;
    kill_everywhere(false);
}

static void test_kill__at_every_failpoint_of_the_first_write(void **state) {
    (void)state;
    kill_everywhere(true);
}

/* The same with the power cut at that moment: what was not synced is lost or torn. */
static void test_kill__power_cut_at_every_failpoint(void **state) {
    killed k;
    static kill_trace trace;
    (void)state;
    make_template(&k, false);
    template_copy(&k.t);
    k.torn = true;
    kill_result r = kill_list(body, &k, &trace);
    assert_true(r.finished);
    for (size_t n = 1; n <= trace.count; n++) {
        for (k.seed = 0; k.seed < 4; k.seed++) {
            template_copy(&k.t);
            r = kill_at(body, &k, n, torn_last_act, &k.seed);
            assert_true(r.reached);
            look(&k);
        }
    }
    free(k.t.env.text);
    tmpdir_remove(k.t.dir);
}

/* Wherever it happens to be. */
static void test_kill__at_any_moment(void **state) {
    killed k;
    (void)state;
    make_template(&k, false);
    for (long long ns = 100000; ns < 60000000; ns += ns / 3) {
        template_copy(&k.t);
        kill_result r = kill_after(body, &k, ns);
        assert_true(!r.finished || r.rc == LOCHAN_OK);
        look(&k);
    }
    free(k.t.env.text);
    tmpdir_remove(k.t.dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill__at_every_failpoint_of_a_merge),
        cmocka_unit_test(test_kill__at_every_failpoint_of_the_first_write),
        cmocka_unit_test(test_kill__power_cut_at_every_failpoint),
        cmocka_unit_test(test_kill__at_any_moment),
        cmocka_unit_test(test_kill__leftovers_can_be_cleaned),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
