/* test_durability.c - unsynced appends: a kill loses nothing, a power cut only the last ones. */
#include "base/boot.h"
#include "catalog/internal.h"
#include "catalog/unsynced.h"
#include "run_env.h"
#include "support/fault.h"
#include "support/kill.h"
#include "support/torn.h"

#include <sys/mman.h>

enum { APPENDS = 6 };

typedef struct power {
    run_env env;
    char *dir;
    uint64_t seed;
    bool torn;
    const char *plan; /* n: unsynced append to holdings, f: synced one, N and F: to exchange */
    int checkpoint_pages;
    int *acked; /* shared with the child: appends of the plan that were acknowledged */
} power;

static void make_template(power *p, const char *plan) {
    lochan_error err;
    memset(p, 0, sizeof *p);
    p->plan = plan;
    p->dir = tmpdir_make("durability");
    p->acked =
        mmap(NULL, sizeof *p->acked, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    lochan_boot__set("boot-a");
    snprintf(p->env.path, sizeof p->env.path, "%s/template", p->dir);
    assert_ok(lochan_lake_init(p->env.path, NULL, &err));
    env_open(&p->env);
    env_append(&p->env, "r", "holdings", HOLDINGS, "0 a A 1\n");
    env_append(&p->env, "r", "exchange", EXCHANGE "{a:l}", "0 " TRADE("1\n"));
    env_close(&p->env);
}

static void free_template(power *p) {
    lochan_boot__set(NULL);
    munmap(p->acked, sizeof *p->acked);
    tmpdir_remove(p->dir);
}

static void fresh_copy(power *p) {
    const char *lake = tmpdir_path(p->dir, "lake");
    if (tmpdir_exists(lake))
        tmpdir_clear(lake);
    const char *stash = tmpdir_path(p->dir, "lake.torn"); /* of a child that was killed */
    if (tmpdir_exists(stash))
        tmpdir_clear(stash);
    tmpdir_copy(tmpdir_path(p->dir, "template"), lake);
    snprintf(p->env.path, sizeof p->env.path, "%s", lake);
    *p->acked = 0;
    lochan_boot__set("boot-a");
}

/* Append number i of the plan writes tick i + 1, a bucket of its own every third time. */
static lochan_status append_one(power *p, int i, lochan_error *err) {
    char rows[80];
    char what = p->plan[i];
    lochan_append_options o = LOCHAN_APPEND_OPTIONS_INIT;
    o.durability = what == 'n' || what == 'N' ? LOCHAN_DURABILITY_NORMAL : LOCHAN_DURABILITY_FULL;
    bool exchange = what == 'N' || what == 'F';
    int tick = i + 1 + 100 * (i / 3);
    snprintf(rows, sizeof rows, exchange ? "%d " TRADE("1\n") : "%d a A 1\n", tick);
    return env_try_append(&p->env, "r", exchange ? "exchange" : "holdings",
                          exchange ? EXCHANGE "{a:l}" : HOLDINGS, rows, &o, err);
}

static lochan_status body(void *ctx, lochan_error *err) {
    power *p = ctx;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    if (p->torn)
        torn_start(p->env.path);
    LOCHAN_TRY(lochan_lake_open(p->env.path, &o, &p->env.lake, err));
    if (p->checkpoint_pages)
        p->env.lake->catalog->checkpoint_pages = p->checkpoint_pages;
    lochan_status rc = LOCHAN_OK;
    for (int i = 0; p->plan[i] && rc == LOCHAN_OK; i++) {
        rc = append_one(p, i, err);
        *p->acked += rc == LOCHAN_OK;
    }
    env_close(&p->env);
    if (rc == LOCHAN_OK)
        rc = lochan_failpoint__hit("test.end", err);
    return rc;
}

/* How many appends of the plan to this table are there; they must be the first ones. */
static int count_kept(power *p, const char *table) {
    bool exchange = strcmp(table, "exchange") == 0;
    const char *at = env_scan(&p->env, "r", table);
    assert_int_equal(strncmp(at, "0 0 ", 4), 0);
    int kept = 0;
    at = strchr(at, '\n') + 1;
    for (int i = 0; p->plan[i] && *at; i++) {
        if (exchange != (p->plan[i] == 'N' || p->plan[i] == 'F'))
            continue;
        char want[40];
        int tick = i + 1 + 100 * (i / 3);
        snprintf(want, sizeof want, "%d %d ", tick / 100, tick);
        assert_int_equal(strncmp(at, want, strlen(want)), 0);
        at = strchr(at, '\n') + 1;
        kept = i + 1;
    }
    assert_int_equal(*at, 0);
    return kept; /* number in the plan of the last one, from 1 */
}

/* The last append to the table among the first `acked` of the plan, from 1; synced: that a power
 * cut must not take. */
static int last_of(const power *p, bool exchange, bool synced, int acked) {
    int last = 0;
    for (int i = 0; i < acked && p->plan[i]; i++) {
        bool full = p->plan[i] == 'f' || p->plan[i] == 'F';
        if (exchange == (p->plan[i] == 'N' || p->plan[i] == 'F') && (full || !synced))
            last = i + 1;
    }
    return last;
}

static void quiet(void *payload, lochan_log_level level, const char *message) {
    (void)payload, (void)level, (void)message;
}

static void look(power *p, bool power_cut) {
    lochan_error err;
    lochan_log_set(quiet, NULL, LOCHAN_LOG_WARN);
    if (power_cut)
        lochan_boot__set("boot-b");
    env_open(&p->env);
    assert_true(count_kept(p, "holdings") >= last_of(p, false, power_cut, *p->acked));
    assert_true(count_kept(p, "exchange") >= last_of(p, true, power_cut, *p->acked));
    env_verify(&p->env);
    if (power_cut) { /* nothing is left to be looked at */
        lochan_unsynced_tables left;
        assert_ok(lochan_catalog__unsynced(p->env.lake->catalog, &left, &err));
        assert_int_equal(left.n, 0);
        lochan_unsynced_tables__deinit(&left);
    }
    env_append(&p->env, "r", "holdings", HOLDINGS, "999 a A 1\n");
    assert_non_null(strstr(env_scan(&p->env, "r", "holdings"), "\n9 999 a A 1\n"));
    env_verify(&p->env);
    env_close(&p->env);
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
}

/* With another outcome of the power cut at each of them. */
static void at_every_failpoint(const char *plan, bool torn, int checkpoint_pages) {
    power p;
    static kill_trace trace;
    make_template(&p, plan);
    p.checkpoint_pages = checkpoint_pages;
    p.torn = torn;
    fresh_copy(&p);
    kill_result r = kill_list(body, &p, &trace);
    assert_true(r.finished);
    assert_int_equal(r.rc, LOCHAN_OK);
    for (size_t n = 1; n <= trace.count; n++) {
        fresh_copy(&p);
        p.seed = n % 5;
        r = kill_at(body, &p, n, torn ? torn_last_act : NULL, &p.seed);
        assert_true(r.reached);
        look(&p, torn);
    }
    free_template(&p);
}

static void test_durability__a_kill_loses_nothing(void **state) {
    (void)state;
    at_every_failpoint("nNfn", false, 0);
}

static void test_durability__a_power_cut_takes_the_end_only(void **state) {
    (void)state;
    at_every_failpoint("nnNn", true, 0);
}

static void test_durability__a_synced_append_saves_those_before(void **state) {
    (void)state;
    at_every_failpoint("nnfN", true, 0);
    at_every_failpoint("NnF", true, 0);
}

static void test_durability__checkpoints_sync_first(void **state) {
    (void)state;
    at_every_failpoint("nnNn", true, 4);
}

/* Many outcomes of a cut at the end. */
static void test_durability__many_power_cuts(void **state) {
    power p;
    (void)state;
    make_template(&p, "nnnNnNnn");
    p.torn = true;
    for (p.seed = 0; p.seed < 12; p.seed++) {
        fresh_copy(&p);
        kill_result r = kill_at_name(body, &p, "test.end", 1, torn_last_act, &p.seed);
        assert_true(r.reached);
        look(&p, true);
    }
    free_template(&p);
}

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

static void test_durability__the_journal_may_have_kept_more(void **state) {
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

static void test_durability__what_follows_a_broken_part_goes_too(void **state) {
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

static void prep_unsynced(void *ctx) {
    lochan_error err;
    power *p = ctx;
    fresh_copy(p);
    assert_ok(body(p, &err));
    lochan_boot__set("boot-b");
}

static lochan_status body_settle(void *ctx, lochan_error *err) {
    power *p = ctx;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
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

static void test_durability__settling_may_fail_anywhere(void **state) {
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

static void prep_plan(void *ctx) {
    fresh_copy(ctx);
}

/* Whatever fails, what was acknowledged is there, in order. */
static void check_plan(void *ctx, lochan_status rc) {
    (void)rc;
    look(ctx, false);
}

static void test_durability__appends_may_fail_anywhere(void **state) {
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
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durability__a_kill_loses_nothing),
        cmocka_unit_test(test_durability__a_power_cut_takes_the_end_only),
        cmocka_unit_test(test_durability__a_synced_append_saves_those_before),
        cmocka_unit_test(test_durability__checkpoints_sync_first),
        cmocka_unit_test(test_durability__many_power_cuts),
        cmocka_unit_test(test_durability__the_journal_may_have_kept_more),
        cmocka_unit_test(test_durability__what_follows_a_broken_part_goes_too),
        cmocka_unit_test(test_durability__settling_may_fail_anywhere),
        cmocka_unit_test(test_durability__appends_may_fail_anywhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
