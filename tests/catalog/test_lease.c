/* test_lease.c - leases: ranges that meet exclude each other, a lease that ended publishes nothing,
 * the lease of a dead process is free at once. */
#include "lake.h"

#include "catalog/lease.h"
#include "support/fault.h"
#include "support/no_sync.h"

#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>

typedef struct env {
    char *dir;
    lochan_catalog *catalog;
} env;

static int setup(void **state) {
    lochan_error err;
    env *e = calloc(1, sizeof *e);
    e->dir = make_dir();
    ok(lochan_catalog__init(e->dir, &err));
    ok(lochan_catalog__open(e->dir, NULL, &e->catalog, &err));
    *state = e;
    return 0;
}

static int teardown(void **state) {
    env *e = *state;
    lochan_catalog__close(e->catalog);
    drop_dir(e->dir);
    free(e);
    return 0;
}

static const lochan_lease_range everything = {"fx", "daily", INT32_MIN, INT32_MAX, NULL, 0};

static lochan_lease *take(env *e, const lochan_lease_range *range) {
    lochan_error err;
    lochan_lease *lease;
    ok(lochan_lease__acquire(e->catalog, range, 0, 0, &lease, &err));
    return lease;
}

static void refused(env *e, const lochan_lease_range *range) {
    lochan_error err;
    lochan_lease *lease;
    assert_int_equal(lochan_lease__acquire(e->catalog, range, 0, 0, &lease, &err),
                     LOCHAN_ERR_LOCKED);
    assert_null(lease);
    assert_non_null(strstr(err.message, "fx/daily"));
    assert_non_null(strstr(err.message, "process "));
}

/* A publish: asks for the lease and makes a table. */
static lochan_status publish(lochan_catalog *catalog, const lochan_lease *lease, const char *table,
                             lochan_error *err) {
    lochan_txn *txn;
    int64_t id;
    LOCHAN_TRY(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, err));
    lochan_status rc = lochan_lease__end(lease, txn, err);
    if (rc == LOCHAN_OK)
        rc = create_demo(txn, table, &id, err);
    if (rc == LOCHAN_OK)
        return lochan_txn__commit(&txn, NULL, err);
    lochan_txn__abort(txn);
    return rc;
}

static bool has_table(env *e, const char *name) {
    lochan_error err;
    lochan_table_def def;
    lochan_status rc = lochan_catalog__table(e->catalog, "ecb", name, -1, &def, &err);
    if (rc == LOCHAN_OK)
        lochan_table_def__deinit(&def);
    return rc == LOCHAN_OK;
}

static void test_lease__ranges_that_meet_exclude_each_other(void **state) {
    env *e = *state;
    static const char *const ab[] = {"B", "A", "B"}, *const cd[] = {"D", "C"},
                             *const bc[] = {"C", "BA", "B"};
    lochan_lease_range first = {"fx", "daily", 100, 200, NULL, 0};
    lochan_lease *one = take(e, &first);
    refused(e, &everything);
    refused(e, &(lochan_lease_range){"fx", "daily", 200, 300, NULL, 0});
    refused(e, &(lochan_lease_range){"fx", "daily", 150, 150, cd, 2});
    lochan_lease *two = take(e, &(lochan_lease_range){"fx", "daily", 201, 300, ab, 3});
    lochan_lease *three = take(e, &(lochan_lease_range){"fx", "daily", 250, 300, cd, 2});
    refused(e, &(lochan_lease_range){"fx", "daily", 260, 260, bc, 3});
    lochan_lease *other = take(e, &(lochan_lease_range){"fx", "weekly", 100, 200, NULL, 0});
    assert_true(lochan_lease__number(two) > lochan_lease__number(one));
    lochan_lease__release(one);
    lochan_lease__release(take(e, &first));
    lochan_lease__release(two);
    lochan_lease__release(three);
    lochan_lease__release(other);
    lochan_lease__release(take(e, &everything));
}

static void test_lease__ends_with_the_publish(void **state) {
    env *e = *state;
    lochan_error err;
    lochan_txn *txn;
    lochan_lease *lease = take(e, &everything);
    ok(lochan_txn__begin(e->catalog, NULL, NULL, NULL, &txn, &err));
    ok(lochan_lease__end(lease, txn, &err));
    lochan_txn__abort(txn); /* it did not happen: the lease goes on */
    refused(e, &everything);
    ok(lochan_lease__renew(lease, &err));
    ok(publish(e->catalog, lease, "a", &err));
    lochan_lease *next = take(e, &everything);
    assert_true(lochan_lease__number(next) > lochan_lease__number(lease));
    assert_int_equal(publish(e->catalog, lease, "b", &err), LOCHAN_ERR_LOCKED);
    assert_int_equal(lochan_lease__renew(lease, &err), LOCHAN_ERR_LOCKED);
    lochan_lease__release(lease); /* takes nothing from the next holder */
    ok(publish(e->catalog, next, "c", &err));
    lochan_lease__release(next);
    assert_true(has_table(e, "a") && !has_table(e, "b") && has_table(e, "c"));
}

/* ---- other processes ---- */

/* A child that takes a lease and stops itself; when it goes on it publishes, and its exit code is
 * the status. */
static pid_t stopped_holder(const env *e, int64_t ttl_ms) {
    int status;
    pid_t child = fork();
    if (child == 0) {
        lochan_catalog *catalog;
        lochan_lease *lease;
        lochan_error err;
        if (lochan_catalog__open(e->dir, NULL, &catalog, &err) != LOCHAN_OK ||
            lochan_lease__acquire(catalog, &everything, ttl_ms, 0, &lease, &err) != LOCHAN_OK)
            _exit(250);
        raise(SIGSTOP);
        _exit((int)publish(catalog, lease, "late", &err));
    }
    assert_int_equal(waitpid(child, &status, WUNTRACED), child);
    assert_true(WIFSTOPPED(status));
    return child;
}

static int wake(pid_t child) {
    int status;
    kill(child, SIGCONT);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_lease__stopped_holder_cannot_publish_beside_the_next(void **state) {
    env *e = *state;
    lochan_error err;
    lochan_lease *lease;
    pid_t child = stopped_holder(e, 500);
    ok(lochan_lease__acquire(e->catalog, &everything, 0, -1, &lease, &err));
    assert_int_equal(wake(child), LOCHAN_ERR_LOCKED);
    ok(publish(e->catalog, lease, "next", &err));
    lochan_lease__release(lease);
    assert_true(has_table(e, "next") && !has_table(e, "late"));
}

static void test_lease__stopped_holder_cannot_publish_if_nobody_came(void **state) {
    env *e = *state;
    pid_t child = stopped_holder(e, 300);
    lochan_clock__sleep_ns(400000000);
    assert_int_equal(wake(child), LOCHAN_ERR_LOCKED);
    assert_false(has_table(e, "late"));
}

static void test_lease__holder_in_time_publishes(void **state) {
    env *e = *state;
    pid_t child = stopped_holder(e, 3600000);
    refused(e, &everything);
    assert_int_equal(wake(child), LOCHAN_OK);
    assert_true(has_table(e, "late"));
}

static void test_lease__killed_holder_is_free_at_once(void **state) {
    env *e = *state;
    int status;
    pid_t child = stopped_holder(e, 3600000);
    refused(e, &everything);
    kill(child, SIGKILL);
    assert_int_equal(waitpid(child, &status, 0), child);
    lochan_lease__release(take(e, &everything));
}

static void end_of_lease(const env *e, char dst[64]) {
    sqlite3 *db;
    sqlite3_stmt *stmt;
    char path[300];
    snprintf(path, sizeof path, "%s/lake.db", e->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "SELECT expires_at FROM lochan_lease", -1, &stmt, NULL),
                     SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    snprintf(dst, 64, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

static void test_lease__heartbeat_prolongs(void **state) {
    env *e = *state;
    lochan_error err;
    lochan_lease *lease;
    char first[64], now[64];
    ok(lochan_lease__acquire(e->catalog, &everything, 6000, 0, &lease, &err));
    end_of_lease(e, first);
    do {
        lochan_clock__sleep_ns(100000000);
        end_of_lease(e, now);
    } while (strcmp(first, now) == 0);
    assert_true(strcmp(first, now) < 0);
    ok(publish(e->catalog, lease, "a", &err));
    lochan_lease__release(lease);
}

static void test_lease__lake_of_an_older_version(void **state) {
    env *e = *state;
    lochan_error err;
    sqlite3 *db;
    char path[300];
    lochan_catalog__close(e->catalog);
    e->catalog = NULL;
    snprintf(path, sizeof path, "%s/lake.db", e->dir);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db,
                                  "DROP TABLE lochan_lease; UPDATE lochan_migration SET number = 5",
                                  NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    ok(lochan_catalog__open(e->dir, NULL, &e->catalog, &err));
    lochan_lease__release(take(e, &everything));
}

/* ---- faults ---- */

static void fault_prep(void *ctx) {
    env *e = ctx;
    lochan_error err;
    e->dir = make_dir();
    ok(lochan_catalog__init(e->dir, &err));
}

static lochan_status fault_body(void *ctx, lochan_error *err) {
    env *e = ctx;
    static const char *const assets[] = {"A", "B"};
    const lochan_lease_range range = {"fx", "daily", 1, 2, assets, 2};
    lochan_lease *lease = NULL;
    lochan_status rc = lochan_catalog__open(e->dir, NULL, &e->catalog, err);
    if (rc == LOCHAN_OK)
        rc = lochan_lease__acquire(e->catalog, &range, 0, 0, &lease, err);
    if (rc == LOCHAN_OK)
        rc = lochan_lease__renew(lease, err);
    if (rc == LOCHAN_OK)
        rc = publish(e->catalog, lease, "a", err);
    lochan_lease__release(lease);
    lochan_catalog__close(e->catalog);
    e->catalog = NULL;
    return rc;
}

/* Whatever failed, the next one gets its lease at once. */
static void fault_check(void *ctx, lochan_status rc) {
    env *e = ctx;
    lochan_error err;
    ok(lochan_catalog__open(e->dir, NULL, &e->catalog, &err));
    if (rc == LOCHAN_OK)
        assert_true(has_table(e, "a"));
    lochan_lease__release(take(e, &everything));
    lochan_catalog__close(e->catalog);
    e->catalog = NULL;
    drop_dir(e->dir);
}

static void test_lease__faults(void **state) {
    env e = {0};
    (void)state;
    fault_prep(&e); /* what SQLite allocates once */
    lochan_error err;
    ok(fault_body(&e, &err));
    fault_check(&e, LOCHAN_OK);
    fault_totals t = fault_sweep(&(fault_case){.name = "lease",
                                               .prep = fault_prep,
                                               .body = fault_body,
                                               .check = fault_check,
                                               .ctx = &e,
                                               .kinds = FAULT_ALL,
                                               .dense = 8});
    assert_true(t.failed > 20);
}

#define CASE(name) cmocka_unit_test_setup_teardown(test_lease__##name, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(ranges_that_meet_exclude_each_other),
        CASE(ends_with_the_publish),
        CASE(stopped_holder_cannot_publish_beside_the_next),
        CASE(stopped_holder_cannot_publish_if_nobody_came),
        CASE(holder_in_time_publishes),
        CASE(killed_holder_is_free_at_once),
        CASE(heartbeat_prolongs),
        CASE(lake_of_an_older_version),
        cmocka_unit_test(test_lease__faults),
    };
    be_quiet();
    use_memory_folder();
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
