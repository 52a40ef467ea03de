/* test_kill.c - a process is killed at every failpoint of init and of a commit, with and without a
 * power cut: the lake is the old one or the new one, the journal is complete after the next open,
 * and the next commit works.
 */
#include "lake.h"

#include "catalog/internal.h"
#include "support/kill.h"
#include "support/no_sync.h"
#include "support/torn.h"

typedef struct env {
    char *dir;
    int64_t table_id;
    int64_t before;
    bool torn; /* the child runs over the layer that forgets what was not synced */
} env;

static lochan_status no_problem(void *ctx, const char *kind, const char *path, const char *detail,
                                lochan_error *err) {
    (void)err;
    fprintf(stderr, "after %s: %s: %s: %s\n", (const char *)ctx, kind, path, detail);
    fail();
    return LOCHAN_OK;
}

static int64_t newest_of_whole(const char *dir, const char *point) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_snapshot snapshot;
    ok(lochan_catalog__open(dir, NULL, &catalog, &err));
    ok(lochan_catalog__snapshot_at(catalog, NULL, &snapshot, &err));
    ok(lochan_catalog__verify(catalog, no_problem, (void *)(uintptr_t)point, &err));
    lochan_catalog__close(catalog);
    return snapshot.id;
}

/* ---- commit ---- */

static void prepare(env *e) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_txn *txn;
    e->dir = make_dir();
    ok(lochan_catalog__init(e->dir, &err));
    ok(lochan_catalog__open(e->dir, NULL, &catalog, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(create_demo(txn, "fx", &e->table_id, &err));
    ok(lochan_txn__commit(&txn, &e->before, &err));
    lochan_catalog__close(catalog);
}

static lochan_status commit_body(void *ctx, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    env *e = ctx;
    lochan_catalog *catalog = NULL;
    lochan_txn *txn = NULL;
    int64_t id;
    if (e->torn)
        torn_start(e->dir);
    LOCHAN_TRYG(lochan_catalog__open(e->dir, NULL, &catalog, err));
    catalog->checkpoint_pages = 1; /* after every commit */
    LOCHAN_TRYG(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, err));
    LOCHAN_TRYG(add_demo(txn, e->table_id, "fx", 1, &id, err));
    rc = lochan_txn__commit(&txn, NULL, err);
    txn = NULL;
done:
    lochan_txn__abort(txn);
    lochan_catalog__close(catalog);
    return rc;
}

/* Durable from the point after COMMIT on. */
static bool is_committed(const char *point) {
    static const char *const after[] = {"catalog.commit.committed", "catalog.journal.appended",
                                        "catalog.commit.journalled", "catalog.commit.checkpointed"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(after); i++)
        if (strcmp(after[i], point) == 0)
            return true;
    return false;
}

static void check_after(env *e, const char *point) {
    lochan_error err;
    bool torn = e->torn;
    int64_t newest = newest_of_whole(e->dir, point);
    assert_int_equal(newest, is_committed(point) ? e->before + 1 : e->before);
    e->torn = false;
    ok(commit_body(e, &err));
    e->torn = torn;
    assert_int_equal(newest_of_whole(e->dir, point), newest + 1);
}

static kill_trace trace;

static void test_kill__commit_at_every_failpoint(void **state) {
    env e = {0};
    (void)state;
    prepare(&e);
    kill_result r = kill_list(commit_body, &e, &trace);
    assert_true(r.finished && r.rc == LOCHAN_OK);
    assert_true(trace.count >= 7);
    drop_dir(e.dir);
    for (size_t n = 1; n <= trace.count; n++) {
        prepare(&e);
        r = kill_at(commit_body, &e, n, NULL, NULL);
        assert_true(r.reached);
        check_after(&e, r.name);
        drop_dir(e.dir);
    }
}

static void test_kill__commit_with_a_power_cut(void **state) {
    env e = {.torn = true};
    (void)state;
    for (size_t n = 1; n <= trace.count; n++) {
        for (uint64_t seed = 0; seed < 6; seed++) {
            prepare(&e);
            kill_result r = kill_at(commit_body, &e, n, torn_last_act, &seed);
            assert_true(r.reached);
            check_after(&e, r.name);
            drop_dir(e.dir);
        }
    }
}

/* The first commit of a new lake, and the one that only the ledger sees: the log it went to was
 * made by the reader. */
static void test_kill__first_commit_with_a_power_cut(void **state) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_txn *txn;
    lochan_source_rows rows;
    lochan_source_row source = {.name = "ecb", .spec = "name: ecb\n", .overrides = ""};
    (void)state;
    for (uint64_t seed = 0; seed < 6; seed++) {
        char *dir = make_dir();
        ok(lochan_catalog__init(dir, &err));
        torn_start(dir);
        ok(lochan_catalog__open(dir, NULL, &catalog, &err));
        ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
        ok(lochan_txn__put_source(txn, &source, &err));
        ok(lochan_txn__commit(&txn, NULL, &err));
        torn_power_cut(seed);
        lochan_catalog__close(catalog);
        torn_stop();
        ok(lochan_catalog__open(dir, NULL, &catalog, &err));
        ok(lochan_catalog__sources(catalog, "ecb", &rows, &err));
        assert_int_equal(rows.n, 1);
        lochan_source_rows__deinit(&rows);
        lochan_catalog__close(catalog);
        drop_dir(dir);
    }
}

/* ---- init ---- */

static lochan_status init_body(void *ctx, lochan_error *err) {
    env *e = ctx;
    if (e->torn)
        torn_start(e->dir);
    return lochan_catalog__init(e->dir, err);
}

static void check_init(env *e, const char *point) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_status rc = lochan_catalog__open(e->dir, NULL, &catalog, &err);
    if (rc == LOCHAN_OK) {
        lochan_catalog__close(catalog);
    } else {
        assert_int_equal(rc, LOCHAN_ERR_NOT_FOUND);
        ok(lochan_catalog__init(e->dir, &err));
    }
    assert_int_equal(newest_of_whole(e->dir, point), 0);
    assert_int_equal(lochan_catalog__init(e->dir, &err), LOCHAN_ERR_EXISTS);
}

static void test_kill__init_at_every_failpoint(void **state) {
    env e = {0};
    (void)state;
    e.dir = make_dir();
    kill_result r = kill_list(init_body, &e, &trace);
    assert_true(r.finished && r.rc == LOCHAN_OK);
    assert_true(trace.count >= 4);
    drop_dir(e.dir);
    for (size_t n = 1; n <= trace.count; n++) {
        for (uint64_t seed = 0; seed < 4; seed++) {
            e.dir = make_dir();
            e.torn = seed > 0;
            r = kill_at(init_body, &e, n, e.torn ? torn_last_act : NULL, &seed);
            assert_true(r.reached);
            check_init(&e, r.name);
            drop_dir(e.dir);
        }
    }
}

/* ---- at any time ---- */

static lochan_status loop_body(void *ctx, lochan_error *err) {
    env *e = ctx;
    for (;;)
        LOCHAN_TRY(commit_body(e, err));
}

static void test_kill__commits_at_any_time(void **state) {
    env e = {0};
    (void)state;
    prepare(&e);
    int64_t newest = e.before;
    for (int i = 0; i < 25; i++) {
        kill_after(loop_body, &e, 1000000ll + (long long)lochan_random__below(40000000));
        int64_t now = newest_of_whole(e.dir, "a random time");
        assert_true(now >= newest);
        newest = now;
    }
    assert_true(newest > e.before);
    drop_dir(e.dir);
}

int main(void) {
    be_quiet();
    use_memory_folder();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_kill__commit_at_every_failpoint),
        cmocka_unit_test(test_kill__commit_with_a_power_cut),
        cmocka_unit_test(test_kill__first_commit_with_a_power_cut),
        cmocka_unit_test(test_kill__init_at_every_failpoint),
        cmocka_unit_test(test_kill__commits_at_any_time),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
