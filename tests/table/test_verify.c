/* test_verify.c - each kind of damage is found, and named. */
#include "table/lake_env.h"

/* The files of the lake, in order of their paths (they begin with year and month). */
static void file_path(lake_env *env, int n, char dst[1024]) {
    lochan_error err;
    lochan_known_files known = {0};
    assert_ok(lochan_catalog__known_files(env->lake->catalog, &known, &err));
    assert_true((size_t)n < known.n);
    snprintf(dst, 1024, "%s/%s", env->path, known.files[n].path);
    lochan_known_files__deinit(&known);
}

static void three_files(lake_env *env) {
    env_write(env, "2024-01-01 A 1 10\n2024-01-02 B 2 20\n2024-02-01 A 3 30\n2024-03-01 B 4 -\n");
}

/* Verifies and asserts that there is one finding, of that kind. */
static void expect(lake_env *env, bool deep, const char *kind) {
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    struct ArrowArrayStream problems;
    size_t n = strlen(kind);
    o.deep = deep;
    assert_ok(lochan_lake_verify(env->lake, &o, &report, &problems, &err));
    assert_ok(env_drain(env, &problems, &err));
    lochan_stream__release(&problems);
    if (strncmp(env->text, kind, n) != 0 || env->text[n] != ' ')
        fail_msg("expected %s, found: %s", kind, env->text);
    assert_true(report.problems + report.unknown_files >= 1);
}

static void test_verify__sound_lake(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    three_files(env);
    o.deep = true;
    assert_ok(lochan_lake_verify(env->lake, &o, &report, NULL, &err));
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.files_checked, 3);
    assert_int_equal(report.rows_checked, 4);
    assert_true(report.bytes_read > 100);
    o.source = "test";
    o.dataset = "weekly";
    assert_status(lochan_lake_verify(env->lake, &o, &report, NULL, &err), LOCHAN_ERR_NOT_FOUND);
    o.dataset = "../..";
    assert_true(lochan_lake_verify(env->lake, &o, &report, NULL, &err) != LOCHAN_OK);
}

static void test_verify__missing_short_and_foreign_bytes(void **state) {
    lake_env *env = *state;
    char path[1024];
    size_t n;
    three_files(env);
    file_path(env, 1, path);
    char *bytes = tmpdir_read(path, &n);
    tmpdir_unlink(path);
    expect(env, false, "missing");
    tmpdir_write(path, bytes, n - 5);
    expect(env, false, "size");
    bytes[n - 1] ^= 1; /* the magic at the end */
    tmpdir_write(path, bytes, n);
    expect(env, false, "footer");
    bytes[n - 1] ^= 1;
    bytes[10] ^= 4;
    tmpdir_write(path, bytes, n);
    expect(env, true, "page");
    bytes[10] ^= 4;
    tmpdir_write(path, bytes, n);
    env_verify(env, false);
    free(bytes);
}

static void test_verify__swapped_files(void **state) {
    lake_env *env = *state;
    char a[1024], b[1024];
    size_t n, m;
    env_write(env, "2024-01-01 A 1 10\n2024-02-01 B 3 10\n"); /* of equal size */
    file_path(env, 0, a);
    file_path(env, 1, b);
    char *x = tmpdir_read(a, &n), *y = tmpdir_read(b, &m);
    tmpdir_write(a, y, m);
    tmpdir_write(b, x, n);
    expect(env, false, n == m ? "footer" : "size");
    free(x);
    free(y);
}

static void test_verify__unknown_files_are_told_not_touched(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    char path[700];
    three_files(env);
    snprintf(path, sizeof path, "%s/data/test/daily/stray.parquet", env->path);
    tmpdir_write(path, "x", 1);
    expect(env, false, "unknown");
    assert_ok(lochan_lake_verify(env->lake, &o, &report, NULL, &err));
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.unknown_files, 1);
    assert_true(tmpdir_exists(path));
}

/* Every byte of one file flipped in turn: verify finds each flip that changes what readers see, and
 * never crashes. */
static void test_verify__no_bit_flip_goes_unseen(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    char path[1024];
    size_t n;
    env_write(env, "2024-01-01 A 1 10\n2024-01-02 B 2 20\n2024-01-03 B - 30\n");
    char *expected = strdup(env_read(env, NULL));
    file_path(env, 0, path);
    char *bytes = tmpdir_read(path, &n);
    o.deep = true;
    for (size_t i = 0; i < n; i += 3) {
        bytes[i] ^= (char)(1 << (i % 8));
        tmpdir_write(path, bytes, n);
        assert_ok(lochan_lake_verify(env->lake, &o, &report, NULL, &err));
        if (report.problems == 0) {
            lochan_scan_options s = LOCHAN_SCAN_OPTIONS_INIT;
            assert_ok(env_try_read(env, &s, NULL, &err));
            assert_string_equal(env->text, expected);
        }
        bytes[i] ^= (char)(1 << (i % 8));
    }
    free(bytes);
    free(expected);
}

static void test_verify__progress_and_cancel(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    three_files(env);
    lochan_lake_cancel(env->lake);
    assert_status(lochan_lake_verify(env->lake, &o, &report, NULL, &err), LOCHAN_ERR_CANCELLED);
    lochan_lake_resume(env->lake);
    assert_ok(lochan_lake_verify(env->lake, &o, &report, NULL, &err));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_verify__sound_lake, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_verify__missing_short_and_foreign_bytes, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_verify__swapped_files, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_verify__unknown_files_are_told_not_touched, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_verify__no_bit_flip_goes_unseen, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_verify__progress_and_cancel, env_setup, env_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
