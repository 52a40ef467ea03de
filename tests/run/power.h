/* power.h - a lake with two tables, a plan of appends to them, and what may be left of it after a
 * kill or a power cut, for the tests of unsynced appends.
 */
#ifndef TEST_RUN_POWER_H
#define TEST_RUN_POWER_H

#include "base/boot.h"
#include "catalog/internal.h"
#include "catalog/unsynced.h"
#include "run_env.h"
#include "support/torn.h"

#include <sys/mman.h>

typedef struct power {
    run_env env;
    char *dir;
    uint64_t seed;
    bool torn;
    const char *plan; /* n: unsynced append to holdings, f: synced one, N and F: to exchange */
    int checkpoint_pages;
    int *acked; /* shared with the child: appends of the plan that were acknowledged */
} power;

static inline void make_template(power *p, const char *plan) {
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

static inline void free_template(power *p) {
    lochan_boot__set(NULL);
    munmap(p->acked, sizeof *p->acked);
    tmpdir_remove(p->dir);
}

static inline void fresh_copy(power *p) {
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
static inline lochan_status append_one(power *p, int i, lochan_error *err) {
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

static inline lochan_status body(void *ctx, lochan_error *err) {
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
static inline int count_kept(power *p, const char *table) {
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
static inline int last_of(const power *p, bool exchange, bool synced, int acked) {
    int last = 0;
    for (int i = 0; i < acked && p->plan[i]; i++) {
        bool full = p->plan[i] == 'f' || p->plan[i] == 'F';
        if (exchange == (p->plan[i] == 'N' || p->plan[i] == 'F') && (full || !synced))
            last = i + 1;
    }
    return last;
}

static inline void quiet(void *payload, lochan_log_level level, const char *message) {
    (void)payload, (void)level, (void)message;
}

static inline void look(power *p, bool power_cut) {
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

#endif
