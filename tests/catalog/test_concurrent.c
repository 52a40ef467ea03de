/* test_concurrent.c - several processes commit at once, one of them with SQLite's own file layer:
 * nothing is lost, nobody sees "database is locked", and the journal holds every commit.
 */
#include "lake.h"
#include "support/no_sync.h"

#include <pthread.h>
#include <sqlite3.h>
#include <sys/wait.h>

#define COMMITS 50

static lochan_status no_problem(void *ctx, const char *kind, const char *path, const char *detail,
                                lochan_error *err) {
    (void)ctx;
    (void)err;
    fprintf(stderr, "%s: %s: %s\n", kind, path, detail);
    fail();
    return LOCHAN_OK;
}

static int64_t make_lake(const char *dir) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_txn *txn;
    int64_t table_id;
    ok(lochan_catalog__init(dir, &err));
    ok(lochan_catalog__open(dir, NULL, &catalog, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(create_demo(txn, "fx", &table_id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    lochan_catalog__close(catalog);
    return table_id;
}

static int writer(const char *dir, int64_t table_id) {
    lochan_error err;
    lochan_catalog *catalog;
    if (lochan_catalog__open(dir, NULL, &catalog, &err) != LOCHAN_OK) {
        fprintf(stderr, "open: %s\n", err.message);
        return 1;
    }
    for (int i = 0; i < COMMITS; i++) {
        lochan_txn *txn;
        int64_t id;
        lochan_status rc = lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err);
        if (rc == LOCHAN_OK) {
            rc = add_demo(txn, table_id, "fx", 1 + i % 12, &id, &err);
            if (rc == LOCHAN_OK)
                rc = lochan_txn__commit(&txn, NULL, &err);
            else
                lochan_txn__abort(txn);
        }
        if (rc != LOCHAN_OK) {
            fprintf(stderr, "commit %d: %s\n", i, err.message);
            return 1;
        }
    }
    lochan_catalog__close(catalog);
    return 0;
}

/* Another program: snapshots of its own, by SQLite as it is. */
static int foreign(const char *db_path, int n) {
    sqlite3 *db;
    if (sqlite3_open(db_path, &db) != SQLITE_OK)
        return 1;
    sqlite3_busy_timeout(db, 60000);
    for (int i = 0; i < n; i++) {
        char *message = NULL;
        int rc = sqlite3_exec(
            db,
            "BEGIN IMMEDIATE; INSERT INTO ducklake_snapshot SELECT snapshot_id + 1, snapshot_time, "
            "schema_version, next_catalog_id, next_file_id FROM ducklake_snapshot ORDER BY "
            "snapshot_id DESC LIMIT 1; INSERT INTO ducklake_snapshot_changes SELECT "
            "max(snapshot_id), '', NULL, NULL, NULL FROM ducklake_snapshot; COMMIT",
            NULL, NULL, &message);
        if (rc != SQLITE_OK) {
            fprintf(stderr, "foreign %d: %s\n", i, message);
            return 1;
        }
        lochan_clock__sleep_ns(1000000);
    }
    return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}

static void wait_for(pid_t pid) {
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static void check(const char *dir, size_t files_expected, int64_t snapshots) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_table_def def;
    lochan_file_list files;
    lochan_snapshot snapshot;
    int64_t records;
    ok(lochan_catalog__open(dir, NULL, &catalog, &err));
    ok(lochan_catalog__snapshot_at(catalog, NULL, &snapshot, &err));
    assert_int_equal(snapshot.id, snapshots);
    ok(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err));
    ok(lochan_catalog__files(catalog, &def, NULL, 0, &files, &err));
    assert_int_equal(files.n, files_expected);
    assert_int_equal(def.rows, 10 * files_expected);
    ok(lochan_catalog__verify(catalog, no_problem, NULL, &err));
    lochan_file_list__deinit(&files);
    lochan_table_def__deinit(&def);
    lochan_catalog__close(catalog);
    char *copy = path_in(dir, "again.db");
    ok(lochan_catalog__rebuild_from_journal(dir, copy, &records, &err));
    assert_true(records >= snapshots + 1); /* snapshot 0 has a record too */
    lochan_mem__free(copy);
}

static void test_concurrent__two_writers_lose_nothing(void **state) {
    (void)state;
    char *dir = make_dir();
    int64_t table_id = make_lake(dir);
    pid_t pids[2];
    for (int i = 0; i < 2; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(writer(dir, table_id));
    }
    wait_for(pids[0]);
    wait_for(pids[1]);
    check(dir, 2 * COMMITS, 1 + 2 * COMMITS);
    drop_dir(dir);
}

static void test_concurrent__another_program_beside_two_writers(void **state) {
    (void)state;
    char *dir = make_dir();
    char *db_path = path_in(dir, "lake.db");
    int64_t table_id = make_lake(dir);
    pid_t pids[3];
    for (int i = 0; i < 3; i++) {
        pids[i] = fork();
        assert_true(pids[i] >= 0);
        if (pids[i] == 0)
            _exit(i < 2 ? writer(dir, table_id) : foreign(db_path, 30));
    }
    for (int i = 0; i < 3; i++)
        wait_for(pids[i]);
    check(dir, 2 * COMMITS, 1 + 2 * COMMITS + 30);
    lochan_mem__free(db_path);
    drop_dir(dir);
}

/* ---- threads of one process, one catalog ---- */

typedef struct thread_env {
    lochan_catalog *catalog;
    int64_t table_id;
    _Atomic int failures;
    _Atomic int writing; /* writers that are not done */
} thread_env;

static void *thread_writer(void *arg) {
    thread_env *e = arg;
    lochan_error err;
    for (int i = 0; i < 20; i++) {
        lochan_txn *txn;
        int64_t id;
        lochan_status rc = lochan_txn__begin(e->catalog, NULL, NULL, NULL, &txn, &err);
        if (rc == LOCHAN_OK)
            rc = add_demo(txn, e->table_id, "fx", 1 + i % 12, &id, &err);
        if (rc == LOCHAN_OK)
            rc = lochan_txn__commit(&txn, NULL, &err);
        e->failures += rc != LOCHAN_OK;
    }
    e->writing--;
    return NULL;
}

/* Every list a reader sees is one snapshot: rows and files agree. */
static void *thread_reader(void *arg) {
    thread_env *e = arg;
    lochan_error err;
    while (e->writing > 0) {
        lochan_snapshot snapshot;
        lochan_table_def def;
        lochan_file_list files;
        if (lochan_catalog__snapshot_at(e->catalog, NULL, &snapshot, &err) != LOCHAN_OK ||
            lochan_catalog__table(e->catalog, "ecb", "fx", snapshot.id, &def, &err) != LOCHAN_OK) {
            e->failures++;
            break;
        }
        if (lochan_catalog__files(e->catalog, &def, NULL, 0, &files, &err) != LOCHAN_OK ||
            (int64_t)files.n != snapshot.id - 1)
            e->failures++;
        lochan_file_list__deinit(&files);
        lochan_table_def__deinit(&def);
    }
    return NULL;
}

static void test_concurrent__threads_share_a_catalog(void **state) {
    (void)state;
    lochan_error err;
    pthread_t threads[5];
    char *dir = make_dir();
    thread_env e = {.table_id = make_lake(dir), .writing = 3};
    ok(lochan_catalog__open(dir, NULL, &e.catalog, &err));
    for (int i = 0; i < 5; i++)
        assert_int_equal(
            pthread_create(&threads[i], NULL, i < 3 ? thread_writer : thread_reader, &e), 0);
    for (int i = 0; i < 5; i++)
        pthread_join(threads[i], NULL);
    lochan_catalog__close(e.catalog);
    assert_int_equal(e.failures, 0);
    check(dir, 60, 61);
    drop_dir(dir);
}

int main(void) {
    be_quiet();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concurrent__two_writers_lose_nothing),
        cmocka_unit_test(test_concurrent__another_program_beside_two_writers),
        cmocka_unit_test(test_concurrent__threads_share_a_catalog),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
