/* test_vfs.c - our file layer beside SQLite's own, in another process: locks are seen both ways,
 * data both ways. */
#include "lake.h"

#include "catalog/sql.h"
#include "catalog/vfs.h"

#include <sys/wait.h>

/* The tests need the sqlite3 command as the other process. */
static bool no_command(void) {
    return system("command -v sqlite3 >/dev/null 2>&1") != 0;
}

static int setup(void **state) {
    *state = make_dir();
    return 0;
}

static int teardown(void **state) {
    drop_dir(*state);
    return 0;
}

/* What the sqlite3 command says to `sql`; its exit code in *code. */
static void sqlite_command(const char *db_path, const char *sql, char *out, size_t cap, int *code) {
    char command[2000];
    snprintf(command, sizeof command, "sqlite3 -batch '%s' \"%s\" 2>&1", db_path, sql);
    FILE *p = popen(command, "r");
    assert_non_null(p);
    size_t n = fread(out, 1, cap - 1, p);
    out[n] = '\0';
    int status = pclose(p);
    *code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static lochan_db *make_db(const char *path) {
    lochan_error err;
    lochan_db *db;
    ok(lochan_db__open(path, LOCHAN_DB_CREATE, 0, NULL, &db, &err));
    ok(lochan_db__exec(db, "CREATE TABLE t(a); INSERT INTO t VALUES (1); PRAGMA journal_mode=WAL",
                       &err));
    lochan_db__close(db);
    ok(lochan_db__open(path, LOCHAN_DB_WRITE, 100, NULL, &db, &err));
    return db;
}

static int64_t read_int(lochan_db *db, const char *sql) {
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int64_t v = sqlite3_column_int64(stmt, 0);
    sqlite3_finalize(stmt);
    return v;
}

static void test_vfs__the_command_and_we_see_each_other(void **state) {
    if (no_command())
        skip();
    lochan_error err;
    char out[500];
    int code;
    char *path = path_in(*state, "x.db");
    lochan_db *db = make_db(path);
    ok(lochan_db__exec(db, "INSERT INTO t VALUES (2)", &err)); /* in the WAL only */
    sqlite_command(path, "SELECT sum(a) FROM t; INSERT INTO t VALUES (40)", out, sizeof out, &code);
    assert_int_equal(code, 0);
    assert_string_equal(out, "3\n");
    assert_int_equal(read_int(db, "SELECT sum(a) FROM t"), 43);
    sqlite_command(path, "PRAGMA integrity_check; PRAGMA journal_mode", out, sizeof out, &code);
    assert_string_equal(out, "ok\nwal\n");
    lochan_db__close(db);
    lochan_mem__free(path);
}

static void test_vfs__our_write_lock_stops_the_command(void **state) {
    if (no_command())
        skip();
    lochan_error err;
    char out[500];
    int code;
    char *path = path_in(*state, "x.db");
    lochan_db *db = make_db(path);
    ok(lochan_db__exec(db, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2)", &err));
    sqlite_command(path, "INSERT INTO t VALUES (9)", out, sizeof out, &code);
    assert_int_not_equal(code, 0);
    assert_non_null(strstr(out, "locked"));
    sqlite_command(path, "SELECT count(*) FROM t", out, sizeof out, &code); /* readers go on */
    assert_string_equal(out, "1\n");
    ok(lochan_db__exec(db, "COMMIT", &err));
    sqlite_command(path, "INSERT INTO t VALUES (9); SELECT count(*) FROM t", out, sizeof out,
                   &code);
    assert_string_equal(out, "3\n");
    lochan_db__close(db);
    lochan_mem__free(path);
}

static void test_vfs__its_write_lock_stops_us(void **state) {
    if (no_command())
        skip();
    lochan_error err;
    char *path = path_in(*state, "x.db"), *go = path_in(*state, "go");
    lochan_db *db = make_db(path);
    char command[1000];
    /* holds the lock until the file "go" is there */
    snprintf(
        command, sizeof command,
        "sqlite3 -batch '%s' 'BEGIN IMMEDIATE' 'INSERT INTO t VALUES (5)' '.shell touch %s.held' "
        "'.shell while [ ! -e %s ]; do sleep 0.02; done' 'COMMIT'",
        path, go, go);
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    char *held = lochan_mem__alloc(strlen(go) + 6);
    snprintf(held, strlen(go) + 6, "%s.held", go);
    for (int i = 0; i < 1000 && !lochan_fs__exists(held); i++)
        lochan_clock__sleep_ns(10000000);
    lochan_status rc = lochan_db__exec(db, "BEGIN IMMEDIATE", &err);
    ok(lochan_fs__write_all(go, "", 0, &err));
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(rc, LOCHAN_ERR_LOCKED);
    assert_int_equal(status, 0);
    assert_int_equal(read_int(db, "SELECT sum(a) FROM t"), 6);
    lochan_db__close(db);
    lochan_mem__free(held);
    lochan_mem__free(go);
    lochan_mem__free(path);
}

static void test_vfs__two_connections_of_one_process_exclude_each_other(void **state) {
    lochan_error err;
    char *path = path_in(*state, "x.db");
    lochan_db *db = make_db(path), *other;
    ok(lochan_db__open(path, LOCHAN_DB_WRITE, 20, NULL, &other, &err));
    ok(lochan_db__exec(db, "BEGIN IMMEDIATE; INSERT INTO t VALUES (2)", &err));
    assert_int_equal(lochan_db__exec(other, "BEGIN IMMEDIATE", &err), LOCHAN_ERR_LOCKED);
    assert_int_equal(read_int(other, "SELECT count(*) FROM t"), 1);
    ok(lochan_db__exec(db, "COMMIT", &err));
    ok(lochan_db__exec(other, "BEGIN IMMEDIATE; INSERT INTO t VALUES (3); COMMIT", &err));
    assert_int_equal(read_int(db, "SELECT count(*) FROM t"), 3);
    lochan_db__close(other);
    lochan_db__close(db);
    lochan_mem__free(path);
}

/* A checkpoint under a reader, then growth past one region of the index (more than 4096 pages). */
static void test_vfs__a_large_wal_and_a_checkpoint(void **state) {
    if (no_command())
        skip();
    lochan_error err;
    char out[100];
    int code;
    char *path = path_in(*state, "x.db");
    lochan_db *db = make_db(path);
    ok(lochan_db__exec(db,
                       "CREATE TABLE b(x); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 "
                       "FROM n WHERE i < "
                       "5000) INSERT INTO b SELECT randomblob(4000) FROM n",
                       &err));
    assert_true(db->wal_pages > 4096);
    sqlite_command(path, "SELECT count(*), sum(length(x)) FROM b; PRAGMA wal_checkpoint(TRUNCATE)",
                   out, sizeof out, &code);
    assert_string_equal(out, "5000|20000000\n0|0|0\n");
    assert_int_equal(read_int(db, "SELECT count(*) FROM b"), 5000);
    ok(lochan_db__exec(db, "DELETE FROM b", &err));
    sqlite_command(path, "PRAGMA integrity_check", out, sizeof out, &code);
    assert_string_equal(out, "ok\n");
    lochan_db__close(db);
    lochan_mem__free(path);
}

static void test_vfs__an_error_names_the_file(void **state) {
    lochan_error err;
    lochan_db *db;
    char *path = path_in(*state, "none/x.db");
    assert_int_equal(lochan_db__open(path, LOCHAN_DB_WRITE, 0, NULL, &db, &err),
                     LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "none/x.db"));
    assert_int_equal(err.sys_errno, 2);
    lochan_mem__free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_vfs__the_command_and_we_see_each_other, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_vfs__our_write_lock_stops_the_command, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_vfs__its_write_lock_stops_us, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vfs__two_connections_of_one_process_exclude_each_other,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_vfs__a_large_wal_and_a_checkpoint, setup, teardown),
        cmocka_unit_test_setup_teardown(test_vfs__an_error_names_the_file, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
