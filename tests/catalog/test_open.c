/* test_open.c - lakes that are missing, half made, damaged, newer, replaced or read-only. */
#include "lake.h"

#include "catalog/lease.h"

#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>

static int setup(void **state) {
    lochan_error err;
    char *dir = make_dir();
    ok(lochan_catalog__init(dir, &err));
    *state = dir;
    return 0;
}

static int teardown(void **state) {
    drop_dir(*state);
    return 0;
}

/* Runs SQL with SQLite as it is. */
static void run_sql(const char *dir, const char *sql) {
    sqlite3 *db;
    char *path = path_in(dir, "lake.db"), *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
    lochan_mem__free(path);
}

static lochan_status try_open(const char *dir, bool read_only, lochan_error *err) {
    lochan_catalog *catalog = NULL;
    lochan_catalog_options options = {.read_only = read_only};
    lochan_status rc = lochan_catalog__open(dir, &options, &catalog, err);
    lochan_catalog__close(catalog);
    return rc;
}

static int64_t add_table(const char *dir, const char *dataset) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_txn *txn;
    int64_t table_id, id, snapshot;
    ok(lochan_catalog__open(dir, NULL, &catalog, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(create_demo(txn, dataset, &table_id, &err));
    ok(add_demo(txn, table_id, dataset, 1, &id, &err));
    ok(lochan_txn__commit(&txn, &snapshot, &err));
    lochan_catalog__close(catalog);
    return snapshot;
}

static void test_open__a_missing_lake_is_not_found(void **state) {
    lochan_error err;
    (void)state;
    char *dir = make_dir();
    assert_int_equal(try_open(dir, false, &err), LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.hint, "init"));
    char *none = path_in(dir, "none");
    assert_int_equal(try_open(none, false, &err), LOCHAN_ERR_NOT_FOUND);
    lochan_mem__free(none);
    /* init came no further than its lock file */
    char *lock = path_in(dir, "lake.lock");
    ok(lochan_fs__write_all(lock, "", 0, &err));
    assert_int_equal(try_open(dir, false, &err), LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "not made to its end"));
    ok(lochan_catalog__init(dir, &err));
    ok(try_open(dir, false, &err));
    lochan_mem__free(lock);
    drop_dir(dir);
}

static void test_open__init_refuses_what_is_there(void **state) {
    lochan_error err;
    assert_int_equal(lochan_catalog__init(*state, &err), LOCHAN_ERR_EXISTS);
    char *dir = make_dir();
    char *journal = path_in(dir, "journal");
    ok(lochan_fs__write_all(journal, "x", 1, &err));
    assert_int_equal(lochan_catalog__init(dir, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    ok(lochan_fs__unlink(journal, false, &err));
    ok(lochan_fs__mkdirs(journal, NULL, &err));
    char *segment = path_in(journal, "000001.ljl");
    ok(lochan_fs__write_all(segment, "x", 1, &err));
    assert_int_equal(lochan_catalog__init(dir, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_mem__free(segment);
    lochan_mem__free(journal);
    drop_dir(dir);
}

static void test_open__a_newer_lake_names_both_versions(void **state) {
    lochan_error err;
    run_sql(*state, "UPDATE lochan_meta SET value = '7' WHERE key = 'format_version'");
    assert_int_equal(try_open(*state, false, &err), LOCHAN_ERR_VERSION);
    assert_non_null(strstr(err.message, "format 7"));
    assert_non_null(strstr(err.message, "format 1"));
    run_sql(*state, "UPDATE lochan_meta SET value = '1' WHERE key = 'format_version'");
    run_sql(*state, "INSERT INTO lochan_migration VALUES (99, '2030-01-01', '9.9')");
    assert_int_equal(try_open(*state, false, &err), LOCHAN_ERR_VERSION);
    assert_non_null(strstr(err.message, "99"));
}

static void test_open__other_files_are_no_lake(void **state) {
    lochan_error err;
    char *path = path_in(*state, "lake.db");
    static char garbage[20000];
    memset(garbage, 'x', sizeof garbage);
    ok(lochan_fs__write_all(path, garbage, sizeof garbage, &err));
    assert_int_equal(try_open(*state, false, &err), LOCHAN_ERR_CORRUPT);
    assert_string_equal(err.file, "lake.db");
    ok(lochan_fs__write_all(path, "", 0, &err)); /* an empty file is an empty database to SQLite */
    assert_int_equal(try_open(*state, false, &err), LOCHAN_ERR_CORRUPT);
    lochan_mem__free(path);
}

/* Any byte of lake.db may be wrong: an error or the truth, never a crash. */
static void test_open__damaged_pages_are_errors(void **state) {
    lochan_error err;
    const char *dir = *state;
    add_table(dir, "fx");
    run_sql(dir, "PRAGMA wal_checkpoint(TRUNCATE)");
    char *path = path_in(dir, "lake.db");
    lochan_buf good;
    lochan_buf__init(&good, 64 << 20);
    ok(lochan_fs__read_all(path, 64 << 20, &good, &err));
    for (int round = 0; round < 60; round++) {
        lochan_buf bad;
        lochan_buf__init(&bad, 64 << 20);
        ok(lochan_buf__append(&bad, good.data, good.len, &err));
        for (int i = 0; i < 40; i++)
            bad.data[lochan_random__below(bad.len)] ^= (uint8_t)(1 + lochan_random__below(255));
        ok(lochan_fs__write_all(path, bad.data, bad.len, &err));
        lochan_catalog *catalog = NULL;
        lochan_catalog_options options = {.read_only = true};
        if (lochan_catalog__open(dir, &options, &catalog, &err) == LOCHAN_OK) {
            lochan_table_def def;
            lochan_file_list files;
            struct ArrowArrayStream stream = {0};
            int64_t columns[] = {1, 2, 3};
            if (lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err) == LOCHAN_OK) {
                if (lochan_catalog__files(catalog, &def, columns, 3, &files, &err) == LOCHAN_OK)
                    lochan_file_list__deinit(&files);
                lochan_table_def__deinit(&def);
            }
            if (lochan_catalog__query_status(catalog, NULL, NULL, NULL, NULL, &stream, &err) ==
                LOCHAN_OK)
                stream.release(&stream);
        }
        lochan_catalog__close(catalog);
        lochan_buf__deinit(&bad);
    }
    lochan_buf__deinit(&good);
    lochan_mem__free(path);
}

/* Rows with other types, paths that leave the lake, circles of columns. */
static void test_open__hostile_rows_are_errors(void **state) {
    static const char *const changes[] = {
        "UPDATE ducklake_data_file SET path = '../../etc/passwd'",
        "UPDATE ducklake_data_file SET record_count = -5",
        "UPDATE ducklake_data_file SET record_count = 'many'",
        "UPDATE ducklake_data_file SET path = x'00ff'",
        "UPDATE ducklake_table SET path = '/abs/'",
        "UPDATE ducklake_table SET path = 'nodelimiter'",
        "UPDATE ducklake_schema SET path = '../' WHERE schema_name = 'ecb'",
        "UPDATE ducklake_column SET parent_column = column_id, column_type = 'struct' WHERE "
        "column_id = 1",
        "UPDATE ducklake_column SET column_type = 'list' WHERE column_id = 1",
        "UPDATE ducklake_column SET column_id = 99999999999 WHERE column_id = 1",
        "UPDATE ducklake_column SET column_name = '' WHERE column_id = 1",
        "UPDATE ducklake_partition_column SET column_id = 77",
        "UPDATE ducklake_partition_column SET partition_key_index = 5",
        "UPDATE ducklake_data_file SET path_is_relative = 0",
        "UPDATE ducklake_data_file SET encryption_key = 'k'",
        "UPDATE lochan_file SET published_at = 'yesterday'",
        "UPDATE lochan_file SET key_min = 'text'",
    };
    lochan_error err;
    (void)state;
    for (size_t i = 0; i < LOCHAN_COUNTOF(changes); i++) {
        char *dir = make_dir();
        lochan_table_def def;
        lochan_file_list files;
        lochan_catalog *catalog;
        ok(lochan_catalog__init(dir, &err));
        add_table(dir, "fx");
        run_sql(dir, changes[i]);
        ok(lochan_catalog__open(dir, NULL, &catalog, &err));
        lochan_status rc = lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err);
        if (rc == LOCHAN_OK) {
            rc = lochan_catalog__files(catalog, &def, NULL, 0, &files, &err);
            lochan_file_list__deinit(&files);
            lochan_table_def__deinit(&def);
        }
        if (rc != LOCHAN_ERR_CORRUPT && rc != LOCHAN_ERR_UNSUPPORTED)
            fail_msg("%s: %s", changes[i], lochan_status_name(rc));
        assert_true(strlen(err.message) > 0);
        lochan_catalog__close(catalog);
        drop_dir(dir);
    }
}

static void test_open__a_replaced_lake_db_is_stale(void **state) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_txn *txn;
    lochan_snapshot snapshot;
    const char *dir = *state;
    ok(lochan_catalog__open(dir, NULL, &catalog, &err));
    char *path = path_in(dir, "lake.db");
    lochan_buf bytes;
    lochan_buf__init(&bytes, 64 << 20);
    ok(lochan_fs__read_all(path, 64 << 20, &bytes, &err));
    ok(lochan_fs__write_all(path, bytes.data, bytes.len, &err)); /* the same bytes, another file */
    assert_int_equal(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err), LOCHAN_ERR_STALE);
    assert_int_equal(lochan_catalog__snapshot_at(catalog, NULL, &snapshot, &err), LOCHAN_ERR_STALE);
    lochan_catalog__close(catalog);
    /* another incarnation in the same file */
    ok(lochan_catalog__open(dir, NULL, &catalog, &err));
    run_sql(dir, "UPDATE lochan_meta SET value = 'another' WHERE key = 'incarnation'");
    assert_int_equal(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err), LOCHAN_ERR_STALE);
    lochan_catalog__close(catalog);
    lochan_buf__deinit(&bytes);
    lochan_mem__free(path);
}

/* ---- journal against catalog ---- */

static void test_open__an_older_lake_db_is_behind_the_journal(void **state) {
    lochan_error err;
    const char *dir = *state;
    char *path = path_in(dir, "lake.db"), *wal = path_in(dir, "lake.db-wal");
    add_table(dir, "fx");
    run_sql(dir, "PRAGMA wal_checkpoint(TRUNCATE)");
    lochan_buf old;
    lochan_buf__init(&old, 64 << 20);
    ok(lochan_fs__read_all(path, 64 << 20, &old, &err));
    add_table(dir, "fy");
    ok(lochan_fs__write_all(path, old.data, old.len, &err));
    ok(lochan_fs__unlink(wal, true, &err));
    assert_int_equal(try_open(dir, false, &err), LOCHAN_ERR_JOURNAL_AHEAD);
    assert_non_null(strstr(err.message, "record 3"));
    assert_non_null(strstr(err.message, "up to 2"));
    ok(try_open(dir, true, &err));
    lochan_buf__deinit(&old);
    lochan_mem__free(path);
    lochan_mem__free(wal);
}

static void test_open__a_torn_journal_is_completed(void **state) {
    lochan_error err;
    const char *dir = *state;
    lochan_catalog *catalog;
    lochan_stat st;
    add_table(dir, "fx");
    add_table(dir, "fy");
    char *path = path_in(dir, "journal/000001.ljl");
    ok(lochan_fs__stat(path, &st, &err));
    uint64_t whole = st.size;
    for (uint64_t cut = 1; cut < whole; cut += 97) {
        lochan_file *file;
        ok(lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE, &file, &err));
        if (whole - cut < 96) { /* the head itself is never torn: a segment appears whole */
            ok(lochan_file__close(file, &err));
            break;
        }
        ok(lochan_file__truncate(file, whole - cut, &err));
        if (cut % 2 == 0)
            ok(lochan_file__write(file, "\0\0\0\0\0\0\0\0\0\0\0\0", 12, whole - cut, &err));
        ok(lochan_file__close(file, &err));
        ok(lochan_catalog__open(dir, NULL, &catalog, &err));
        lochan_catalog__close(catalog);
        ok(lochan_fs__stat(path, &st, &err));
        assert_int_equal(st.size, whole);
    }
    /* lost as a whole: made again from what lake.db still holds */
    ok(lochan_fs__unlink(path, false, &err));
    ok(try_open(dir, false, &err));
    ok(lochan_fs__stat(path, &st, &err));
    assert_int_equal(st.size, whole);
    lochan_mem__free(path);
}

static void test_open__damage_inside_the_journal_is_found(void **state) {
    lochan_error err;
    const char *dir = *state;
    char name[16];
    for (int i = 0; i < 60; i++) { /* more than lake.db keeps */
        snprintf(name, sizeof name, "t%d", i);
        add_table(dir, name);
    }
    char *path = path_in(dir, "journal/000001.ljl");
    lochan_buf good;
    lochan_buf__init(&good, 64 << 20);
    ok(lochan_fs__read_all(path, 64 << 20, &good, &err));
    good.data[400] ^= 1; /* in record 1 */
    ok(lochan_fs__write_all(path, good.data, good.len, &err));
    ok(try_open(dir, false, &err)); /* the end is whole: work goes on, and verify tells */
    good.data[good.len - 5] ^=
        1; /* the end too: now the first damage cannot be told from a torn end */
    ok(lochan_fs__write_all(path, good.data, good.len, &err));
    assert_int_equal(try_open(dir, false, &err), LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "journal records"));
    int64_t records;
    char *copy = path_in(dir, "again.db");
    assert_int_equal(lochan_catalog__rebuild_from_journal(dir, copy, &records, &err),
                     LOCHAN_ERR_CORRUPT);
    assert_false(lochan_fs__exists(copy));
    lochan_mem__free(copy);
    lochan_buf__deinit(&good);
    lochan_mem__free(path);
}

/* ---- read-only ---- */

/* In a child without rights: opens the lake and reads a table. 0 = as expected. */
static int read_as_nobody(const char *dir) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_table_def def;
    lochan_file_list files;
    lochan_txn *txn;
    if (setgid(65534) != 0 || setuid(65534) != 0)
        return 2;
    if (lochan_catalog__open(dir, NULL, &catalog, &err) != LOCHAN_OK) {
        fprintf(stderr, "open: %s\n", err.message);
        return 3;
    }
    if (!lochan_catalog__is_read_only(catalog))
        return 4;
    if (lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err) != LOCHAN_OK ||
        lochan_catalog__files(catalog, &def, NULL, 0, &files, &err) != LOCHAN_OK) {
        fprintf(stderr, "read: %s\n", err.message);
        return 5;
    }
    if (files.n != 1)
        return 6;
    if (lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err) != LOCHAN_ERR_READ_ONLY)
        return 7;
    lochan_file_list__deinit(&files);
    lochan_table_def__deinit(&def);
    lochan_catalog__close(catalog);
    return 0;
}

static int in_child(int (*fn)(const char *), const char *dir) {
    int status;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        _exit(fn(dir));
    assert_int_equal(waitpid(pid, &status, 0), pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 100;
}

static void test_open__an_unwritable_lake_is_read(void **state) {
    lochan_error err;
    const char *dir = *state;
    lochan_stat st;
    add_table(dir, "fx");
    char *wal = path_in(dir, "lake.db-wal"), *shm = path_in(dir, "lake.db-shm");
    ok(lochan_fs__stat(wal, &st, &err));
    assert_true(st.size > 0);
    if (getuid() != 0) /* only root can become somebody without rights */
        skip();
    assert_int_equal(in_child(read_as_nobody, dir), 0); /* with a WAL */
    ok(lochan_fs__unlink(shm, true, &err));
    assert_int_equal(in_child(read_as_nobody, dir), 0); /* without its index */
    run_sql(dir, "PRAGMA wal_checkpoint(TRUNCATE)");
    ok(lochan_fs__unlink(wal, true, &err));
    ok(lochan_fs__unlink(shm, true, &err));
    assert_int_equal(in_child(read_as_nobody, dir), 0); /* without a WAL */
    assert_false(lochan_fs__exists(wal));
    lochan_mem__free(wal);
    lochan_mem__free(shm);
}

static void test_open__read_only_by_choice(void **state) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_txn *txn;
    lochan_lease *lease;
    add_table(*state, "fx");
    lochan_catalog_options options = {.read_only = true};
    ok(lochan_catalog__open(*state, &options, &catalog, &err));
    assert_int_equal(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err),
                     LOCHAN_ERR_READ_ONLY);
    const lochan_lease_range range = {
        .source = "ecb", .dataset = "fx", .day_from = INT32_MIN, .day_to = INT32_MAX};
    assert_int_equal(lochan_lease__acquire(catalog, &range, 0, 0, &lease, &err),
                     LOCHAN_ERR_READ_ONLY);
    lochan_catalog__close(catalog);
}

int main(void) {
    be_quiet();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open__a_missing_lake_is_not_found),
        cmocka_unit_test_setup_teardown(test_open__init_refuses_what_is_there, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open__a_newer_lake_names_both_versions, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_open__other_files_are_no_lake, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open__damaged_pages_are_errors, setup, teardown),
        cmocka_unit_test(test_open__hostile_rows_are_errors),
        cmocka_unit_test_setup_teardown(test_open__a_replaced_lake_db_is_stale, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open__an_older_lake_db_is_behind_the_journal, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_open__a_torn_journal_is_completed, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open__damage_inside_the_journal_is_found, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_open__an_unwritable_lake_is_read, setup, teardown),
        cmocka_unit_test_setup_teardown(test_open__read_only_by_choice, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
