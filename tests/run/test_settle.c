/* test_settle.c - what is done with unsynced files when the lake is opened after another boot, and
 * what becomes of unsynced appends when something fails. */
#include "power.h"
#include "support/fault.h"
#include "support/kill.h"
#include "support/no_sync.h"

/* ---- a journal that is ahead ---- */

static void put_back_older(power *p, const char *plan_before, const char *plan_after) {
    static const char *const names[] = {"lake.db", "lake.db-wal"};
    lochan_error err;
    char from[600], to[600];
    fresh_copy(p);
    p->plan = plan_before;
    assert_ok(body(p, &err));
    for (int i = 0; i < 2; i++) {
        snprintf(from, sizeof from, "%s/%s", p->env.path, names[i]);
        snprintf(to, sizeof to, "%s/%s.kept", p->dir, names[i]);
        tmpdir_copy(from, to);
    }
    char *all = malloc(strlen(plan_before) + strlen(plan_after) + 1);
    memcpy(all, plan_before, strlen(plan_before));
    memcpy(all + strlen(plan_before), plan_after, strlen(plan_after) + 1);
    p->plan = all;
    env_open(&p->env);
    for (int i = (int)strlen(plan_before); all[i]; i++)
        assert_ok(append_one(p, i, &err));
    env_close(&p->env);
    for (int i = 0; i < 2; i++) {
        snprintf(to, sizeof to, "%s/%s", p->env.path, names[i]);
        snprintf(from, sizeof from, "%s/%s.kept", p->dir, names[i]);
        tmpdir_unlink(to);
        tmpdir_copy(from, to);
    }
    snprintf(to, sizeof to, "%s/lake.db-shm", p->env.path);
    tmpdir_unlink(to);
}

static void test_settle__the_journal_may_have_kept_more(void **state) {
    power p;
    lochan_error err;
    (void)state;
    make_template(&p, "");
    lochan_log_set(quiet, NULL, LOCHAN_LOG_WARN);
    put_back_older(&p, "nn", "nNn");
    lochan_boot__set("boot-b");
    env_open(&p.env);
    assert_int_equal(count_kept(&p, "holdings"), 5);
    assert_int_equal(count_kept(&p, "exchange"), 4);
    env_verify(&p.env);
    env_append(&p.env, "r", "holdings", HOLDINGS, "999 a A 1\n");
    env_close(&p.env);
    env_open(&p.env);
    env_verify(&p.env);
    env_close(&p.env);
    free((char *)p.plan);
    /* an older lake.db is not taken for one that a power cut cut short */
    put_back_older(&p, "nn", "nfn");
    lochan_boot__set("boot-b");
    assert_int_equal(lochan_lake_open(p.env.path, NULL, &p.env.lake, &err),
                     LOCHAN_ERR_JOURNAL_AHEAD);
    free((char *)p.plan);
    put_back_older(&p, "nn", "nn"); /* no power cut: the same boot */
    assert_int_equal(lochan_lake_open(p.env.path, NULL, &p.env.lake, &err),
                     LOCHAN_ERR_JOURNAL_AHEAD);
    free((char *)p.plan);
    p.plan = "";
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    free_template(&p);
}

/* ---- broken parts ---- */

static void test_settle__what_follows_a_broken_part_goes_too(void **state) {
    power p;
    lochan_error err;
    char path[1200];
    (void)state;
    make_template(&p, "nnnn");
    fresh_copy(&p);
    lochan_log_set(quiet, NULL, LOCHAN_LOG_WARN);
    env_open(&p.env);
    for (int i = 0; i < 4; i++) {
        assert_ok(append_one(&p, i, &err));
        if (i == 1)
            snprintf(path, sizeof path, "%s/%s", p.env.path, p.env.summary.parts[0].path);
    }
    env_close(&p.env);
    size_t n;
    char *bytes = tmpdir_read(path, &n);
    bytes[30] ^= 1;
    tmpdir_write(path, bytes, n);
    free(bytes);
    lochan_boot__set("boot-b");
    int64_t before, after;
    env_open(&p.env);
    before = env_snapshot(&p.env);
    assert_int_equal(count_kept(&p, "holdings"), 1);
    env_verify(&p.env);
    env_close(&p.env);
    env_open(&p.env); /* one commit, once */
    after = env_snapshot(&p.env);
    assert_int_equal(before, after);
    env_close(&p.env);
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    free_template(&p);
}

/* ---- faults ---- */

/* The lake after the plan, in another boot. It is made once and then copied. */
static void prep_unsynced(void *ctx) {
    lochan_error err;
    char made[600];
    power *p = ctx;
    snprintf(made, sizeof made, "%s/unsynced", p->dir);
    fresh_copy(p);
    if (!tmpdir_exists(made)) {
        assert_ok(body(p, &err));
        tmpdir_copy(p->env.path, made);
    } else {
        tmpdir_clear(p->env.path);
        tmpdir_copy(made, p->env.path);
    }
    *p->acked = (int)strlen(p->plan);
    lochan_boot__set("boot-b");
}

static lochan_status body_settle(void *ctx, lochan_error *err) {
    power *p = ctx;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    if (p->torn)
        torn_start(p->env.path);
    LOCHAN_TRY(lochan_lake_open(p->env.path, &o, &p->env.lake, err));
    env_close(&p->env);
    return LOCHAN_OK;
}

static void check_settle(void *ctx, lochan_status rc) {
    power *p = ctx;
    (void)rc;
    *p->acked = (int)strlen(p->plan);
    env_open(&p->env);
    assert_int_equal(count_kept(p, "holdings"), last_of(p, false, false, *p->acked));
    assert_int_equal(count_kept(p, "exchange"), last_of(p, true, false, *p->acked));
    env_verify(&p->env);
    env_close(&p->env);
}

static void test_settle__settling_may_fail_anywhere(void **state) {
    power p;
    (void)state;
    make_template(&p, "nNn");
    lochan_log_set(quiet, NULL, LOCHAN_LOG_WARN);
    fault_sweep(&(fault_case){.name = "settle",
                              .prep = prep_unsynced,
                              .body = body_settle,
                              .check = check_settle,
                              .ctx = &p,
                              .kinds = FAULT_ALL,
                              .dense = 6});
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    free_template(&p);
}

/* Settling that is killed, with and without a second power cut, is done by the next one. */
static void kill_settling(bool torn) {
    power p;
    static kill_trace trace;
    make_template(&p, "nNn");
    lochan_log_set(quiet, NULL, LOCHAN_LOG_WARN);
    prep_unsynced(&p);
    kill_result r = kill_list(body_settle, &p, &trace);
    assert_true(r.finished);
    assert_int_equal(r.rc, LOCHAN_OK);
    assert_true(trace.count >= 4);
    for (size_t n = 1; n <= trace.count; n++) {
        prep_unsynced(&p);
        *p.acked = 0; /* the first power cut may have taken any of them */
        p.torn = torn;
        p.seed = n % 5;
        assert_true(kill_at(body_settle, &p, n, torn ? torn_last_act : NULL, &p.seed).reached);
        p.torn = false;
        if (!torn)
            *p.acked = (int)strlen(p.plan); /* all parts were whole */
        look(&p, torn);
    }
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    free_template(&p);
}

static void test_settle__killed_at_every_failpoint(void **state) {
    (void)state;
    kill_settling(false);
}

static void test_settle__power_is_cut_again(void **state) {
    (void)state;
    kill_settling(true);
}

static void prep_plan(void *ctx) {
    fresh_copy(ctx);
}

/* Whatever fails, what was acknowledged is there, in order. */
static void check_plan(void *ctx, lochan_status rc) {
    (void)rc;
    look(ctx, false);
}

static void test_settle__appends_may_fail_anywhere(void **state) {
    power p;
    (void)state;
    make_template(&p, "nf");
    p.checkpoint_pages = 4;
    lochan_log_set(quiet, NULL, LOCHAN_LOG_WARN);
    fault_sweep(&(fault_case){.name = "unsynced appends",
                              .prep = prep_plan,
                              .body = body,
                              .check = check_plan,
                              .ctx = &p,
                              .kinds = FAULT_ALL,
                              .dense = 2});
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    free_template(&p);
}

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_settle__the_journal_may_have_kept_more),
        cmocka_unit_test(test_settle__what_follows_a_broken_part_goes_too),
        cmocka_unit_test(test_settle__settling_may_fail_anywhere),
        cmocka_unit_test(test_settle__killed_at_every_failpoint),
        cmocka_unit_test(test_settle__power_is_cut_again),
        cmocka_unit_test(test_settle__appends_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
