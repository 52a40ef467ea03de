/* Lakes that are missing, half made, of a newer version, damaged, or read-only. */
#include "command.h"

#include <sqlite3.h>

static void test_lake__init_makes_an_empty_one(void **state) {
    char *path = strdup(in_dir("a/b/lake"));
    call c = RUN("init", path);
    assert_code(c, 0);
    assert_says(c.out, "made an empty lake in ");
    c = RUN("--lake", path, "status");
    assert_code(c, 0);
    assert_string_equal(c.out, "");
    assert_says(c.err, "no dataset yet");
    c = RUN("--lake", path, "status", "--json");
    assert_code(c, 0);
    assert_string_equal(c.out, "");
    assert_string_equal(c.err, "");
    c = RUN("init", path);
    assert_code(c, 4);
    assert_says(c.err, "there is a lake in ");
    c = RUN("--lake", path, "verify", "--deep", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"problems\":0");
    free(path);
}

static void test_lake__is_chosen_by_option_variable_or_folder(void **state) {
    const char *lake = make_lake();
    how in_lake = {.folder = lake};
    call c = RUN_HOW(in_lake, "sql");
    assert_code(c, 0);
    assert_says(c.out, "ATTACH 'ducklake:sqlite:");
    setenv("LOCHAN_LAKE", lake, 1);
    c = RUN("sql", "--json");
    unsetenv("LOCHAN_LAKE");
    assert_code(c, 0);
    assert_says(c.out, "{\"sql\":\"ATTACH ");
    c = RUN("sql", "--lake", lake);
    assert_code(c, 0);
    assert_says(c.out, "OVERRIDE_DATA_PATH true");
}

static void test_lake__missing(void **state) {
    static const char *const reads[] = {"status", "runs", "files", "sql", "verify"};
    for (size_t i = 0; i < 5; i++) {
        call c = RUN("--lake", in_dir("nowhere"), reads[i]);
        assert_code(c, 3);
        assert_says(c.err, "nowhere");
        c = RUN("--lake", dir, reads[i]);
        assert_code(c, 3);
        assert_says(c.err, "hint: ");
        assert_says(c.err, "init");
    }
    call c = RUN("--lake", dir, "update", "ecb/fx_daily");
    assert_code(c, 3);
    assert_false(tmpdir_exists(in_dir("lake.db")));
}

static void test_lake__half_made_can_be_finished(void **state) {
    const char *lake = make_lake();
    char path[400];
    static const char *const lost[] = {"lake.db", "lake.db-wal", "lake.db-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s/%s", lake, lost[i]);
        tmpdir_unlink(path);
    }
    snprintf(path, sizeof path, "%s/journal", lake);
    tmpdir_clear(path);
    call c = RUN("--lake", lake, "status");
    assert_code(c, 3);
    assert_says(c.err, "init");
    c = RUN("--lake", lake, "init");
    assert_code(c, 0);
    c = RUN("--lake", lake, "status");
    assert_code(c, 0);
}

static void test_lake__a_folder_of_somebody_else_is_left_alone(void **state) {
    tmpdir_mkdir(in_dir("full"));
    tmpdir_mkdir(in_dir("full/data"));
    write_text("full/data/thesis.txt", "mine");
    call c = RUN("--lake", in_dir("full"), "init");
    assert_code(c, 2);
    assert_says(c.err, "holds something else");
    assert_true(tmpdir_exists(in_dir("full/data/thesis.txt")));
    write_text("file", "");
    c = RUN("--lake", in_dir("file"), "init");
    assert_code(c, 2);
}

static void execute(const char *lake, const char *sql) {
    char path[400];
    sqlite3 *db;
    snprintf(path, sizeof path, "%s/lake.db", lake);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(db);
}

static void test_lake__of_a_newer_version_is_refused(void **state) {
    const char *lake = make_lake();
    execute(lake, "UPDATE lochan_meta SET value = '99' WHERE key = 'format_version'");
    call c = RUN("--lake", lake, "status");
    assert_code(c, 6);
    assert_says(c.err, "format 99");
    assert_says(c.err, "hint: use a newer lochan");
    c = RUN("--lake", lake, "source", "add", "ecb", "--json");
    assert_code(c, 6);
    assert_says(c.err, "{\"error\":\"VERSION\",\"exit_code\":6,");
}

static void test_lake__damaged_catalogs_are_errors(void **state) {
    const char *lake = make_lake();
    char path[400], wal[400];
    snprintf(path, sizeof path, "%s/lake.db", lake);
    snprintf(wal, sizeof wal, "%s/lake.db-wal", lake);
    tmpdir_unlink(wal);
    tmpdir_write(path, "", 0);
    call c = RUN("--lake", lake, "status");
    assert_code(c, 6);
    char junk[8192];
    memset(junk, 'x', sizeof junk);
    tmpdir_write(path, junk, sizeof junk);
    c = RUN("--lake", lake, "status");
    assert_code(c, 6);
    assert_says(c.err, "lake.db");
}

/* ---- read-only ---- */

static void chmod_tree(const char *path, mode_t folders, mode_t files) {
    char command[700];
    snprintf(command, sizeof command,
             "chmod -R a-w '%s' && find '%s' -type d -exec chmod %o {} + && find '%s' -type f "
             "-exec chmod %o {} +",
             path, path, (unsigned)folders, path, (unsigned)files);
    assert_int_equal(system(command), 0);
}

/* The command where anybody may run it. */
static const char *copy_command(void) {
    static char path[300];
    char command[900];
    snprintf(path, sizeof path, "%s/lochan", dir);
    snprintf(command, sizeof command, "cp '%s' '%s' && chmod 755 '%s' '%s'", command_path(), path,
             path, dir);
    assert_int_equal(system(command), 0);
    return path;
}

static void test_lake__read_only_folder_can_be_read(void **state) {
    write_prices("prices.csv", 60, 3);
    feed f = feed_start(in_dir("prices.csv"), NULL);
    const char *lake = make_shop(f.url);
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-02-29");
    assert_code(c, 0);
    c = RUN("--lake", lake, "scan", "shop/prices");
    assert_code(c, 0);
    char *expected = strdup(c.out);
    chmod_tree(lake, 0555, 0444);
    how nobody = {.nobody = geteuid() == 0, .bin = copy_command()};
    c = RUN_HOW(nobody, "--lake", lake, "scan", "shop/prices");
    assert_code(c, 0);
    assert_string_equal(c.out, expected);
    c = RUN_HOW(nobody, "--lake", lake, "status", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"rows\":180,");
    c = RUN_HOW(nobody, "--lake", lake, "verify", "--deep");
    assert_code(c, 0);
    c = RUN_HOW(nobody, "--lake", lake, "update", "shop/prices", "--end", "2020-03-31");
    assert_code(c, 5);
    assert_says(c.err, "cannot be written");
    c = RUN_HOW(nobody, "--lake", lake, "source", "set", "shop", "workers=2");
    assert_code(c, 5);
    chmod_tree(lake, 0755, 0644);
    free(expected);
    feed_stop(&f);
}

/* A writer that was killed leaves a WAL: what it committed must be seen. */
static void test_lake__read_only_folder_with_a_wal_can_be_read(void **state) {
    write_prices("prices.csv", 60, 3);
    feed f = feed_start(in_dir("prices.csv"), NULL);
    const char *lake = make_shop(f.url);
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-02-29");
    assert_code(c, 0);
    char wal[400];
    snprintf(wal, sizeof wal, "%s/lake.db-wal", lake);
    struct stat st;
    if (stat(wal, &st) != 0 || st.st_size == 0) {
        /* Nothing was left by itself: an open transaction log of a client that does not close. */
        pid_t pid = fork();
        if (pid == 0) {
            execute(lake, "SELECT 1");
            sqlite3 *db;
            char path[400];
            snprintf(path, sizeof path, "%s/lake.db", lake);
            sqlite3_open(path, &db);
            sqlite3_exec(db, "PRAGMA wal_autocheckpoint = 0; CREATE TABLE lochan_test_left(x); ",
                         NULL, NULL, NULL);
            _exit(0);
        }
        wait_for(pid);
        assert_int_equal(stat(wal, &st), 0);
    }
    assert_true(st.st_size > 0);
    chmod_tree(lake, 0555, 0444);
    how nobody = {.nobody = geteuid() == 0, .bin = copy_command()};
    c = RUN_HOW(nobody, "--lake", lake, "scan", "shop/prices", "--limit", "1");
    assert_code(c, 0);
    c = RUN_HOW(nobody, "--lake", lake, "status", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"rows\":180,");
    chmod_tree(lake, 0755, 0644);
    feed_stop(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_dir, remove_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_lake__init_makes_an_empty_one),
        TEST(test_lake__is_chosen_by_option_variable_or_folder),
        TEST(test_lake__missing),
        TEST(test_lake__half_made_can_be_finished),
        TEST(test_lake__a_folder_of_somebody_else_is_left_alone),
        TEST(test_lake__of_a_newer_version_is_refused),
        TEST(test_lake__damaged_catalogs_are_errors),
        TEST(test_lake__read_only_folder_can_be_read),
        TEST(test_lake__read_only_folder_with_a_wal_can_be_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
