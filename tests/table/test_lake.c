/* test_lake.c - making and opening lakes, and the small public calls. */
#include "table/lake_env.h"

#include <lochan/parquet.h>

#include <sys/stat.h>
#include <unistd.h>

static void test_lake__options_are_checked(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake *lake;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.reserved[0] = 1;
    assert_status(lochan_lake_open(env->path, &o, &lake, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    o = (lochan_lake_options)LOCHAN_LAKE_OPTIONS_INIT;
    o.struct_size = 3;
    assert_status(lochan_lake_open(env->path, &o, &lake, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    o = (lochan_lake_options)LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = -1;
    assert_status(lochan_lake_open(env->path, &o, &lake, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_lake_open("", NULL, &lake, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(lake);
    o = (lochan_lake_options)LOCHAN_LAKE_OPTIONS_INIT;
    o.read_only = true;
    assert_status(lochan_lake_init(tmpdir_path(env->dir, "other"), &o, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_lake__path_loses_trailing_slashes(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake *lake;
    char path[600];
    snprintf(path, sizeof path, "%s//", env->path);
    assert_ok(lochan_lake_open(path, NULL, &lake, &err));
    assert_string_equal(lochan_lake_path(lake), env->path);
    assert_false(lochan_lake_is_read_only(lake));
    lochan_lake_close(lake);
    lochan_lake_close(NULL);
    lochan_free(NULL);
    lochan_lake_cancel(NULL);
}

static void test_lake__missing_and_existing(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_lake *lake;
    assert_status(lochan_lake_open(tmpdir_path(env->dir, "none"), NULL, &lake, &err),
                  LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.hint, "init"));
    assert_status(lochan_lake_init(env->path, NULL, &err), LOCHAN_ERR_EXISTS);
}

static void test_lake__init_spares_what_is_there(void **state) {
    lake_env *env = *state;
    lochan_error err;
    const char *dir = tmpdir_path(env->dir, "mine");
    tmpdir_mkdir(dir);
    tmpdir_mkdir(tmpdir_path(dir, "data"));
    tmpdir_write(tmpdir_path(dir, "data/thesis.txt"), "x", 1);
    assert_status(lochan_lake_init(dir, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "data"));
    assert_false(tmpdir_exists(tmpdir_path(dir, "lake.db")));
    tmpdir_unlink(tmpdir_path(dir, "data/thesis.txt"));
    assert_ok(lochan_lake_init(dir, NULL, &err)); /* an empty folder is fine */
}

static void test_lake__sql_names_the_lake(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char *sql;
    assert_ok(lochan_lake_sql(env->lake, &sql, &err));
    assert_non_null(strstr(sql, "ATTACH"));
    assert_non_null(strstr(sql, "READ_ONLY"));
    assert_non_null(strstr(sql, "OVERRIDE_DATA_PATH"));
    assert_non_null(strstr(sql, "lake.db"));
    lochan_free(sql);
}

static void test_lake__moved_lake_reads_the_same(void **state) {
    lake_env *env = *state;
    char moved[600];
    env_write(env, "2024-01-01 A 1 1\n2024-02-01 A 2 2\n");
    lochan_lake_close(env->lake);
    snprintf(moved, sizeof moved, "%s/moved", env->dir);
    assert_int_equal(rename(env->path, moved), 0);
    env->path = moved;
    env_open(env);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n2024-02-01 A 2 2\n");
    env_verify(env, false);
}

static void set_writable(const char *path, bool writable) {
    assert_int_equal(chmod(path, writable ? 0755 : 0555), 0);
}

/* Only means something for a user whom permissions stop; for root the lake stays writable. */
static void test_lake__read_only_folder_can_be_read(void **state) {
    lake_env *env = *state;
    lochan_error err;
    env_write(env, "2024-01-01 A 1 1\n");
    lochan_lake_close(env->lake);
    env->lake = NULL;
    set_writable(env->path, false);
    bool stopped = access(env->path, W_OK) != 0;
    env_open(env);
    assert_int_equal(lochan_lake_is_read_only(env->lake), stopped);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n");
    if (stopped)
        assert_status(env_try_write(env, "2024-01-02 A 1 1\n", &err), LOCHAN_ERR_READ_ONLY);
    env_verify(env, false);
    lochan_lake_close(env->lake);
    env->lake = NULL;
    set_writable(env->path, true);
}

static void test_lake__export_round_trip(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream stream;
    int64_t rows;
    lochan_parquet_write_options o = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    char path[600];
    snprintf(path, sizeof path, "%s/out.parquet", env->dir);
    env_write(env, "2024-01-01 A 1 1\n2024-02-01 A - 2\n");
    assert_ok(lochan_lake_scan(env->lake, "test", "daily", NULL, &stream, &err));
    assert_ok(lochan_parquet_write(&stream, path, NULL, &rows, &err));
    assert_int_equal(rows, 2);
    lochan_stream__release(&stream);
    assert_ok(lochan_lake_scan(env->lake, "test", "daily", NULL, &stream, &err));
    assert_status(lochan_parquet_write(&stream, path, NULL, &rows, &err), LOCHAN_ERR_EXISTS);
    o.overwrite = true;
    assert_ok(lochan_parquet_write(&stream, path, &o, &rows, &err));
    lochan_stream__release(&stream);
    assert_status(lochan_parquet_write(&stream, path, &o, &rows, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    size_t n;
    char *bytes = tmpdir_read(path, &n);
    assert_memory_equal(bytes, "PAR1", 4);
    free(bytes);
}

static void test_lake__version(void **state) {
    (void)state;
    assert_string_equal(lochan_version(), LOCHAN_VERSION);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_lake__options_are_checked, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_lake__path_loses_trailing_slashes, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_lake__missing_and_existing, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_lake__init_spares_what_is_there, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_lake__sql_names_the_lake, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_lake__moved_lake_reads_the_same, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_lake__read_only_folder_can_be_read, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_lake__export_round_trip, env_setup, env_teardown),
        cmocka_unit_test(test_lake__version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
