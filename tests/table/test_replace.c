/* test_replace.c - replace modes: what goes, what stays, and what a write never removes of itself.
 */
#include "table/lake_env.h"

static int32_t day(const char *text) {
    int32_t days = 0;
    assert_true(lochan_civil__parse_date(text, strlen(text), &days));
    return days;
}

#define OLD                                                                                        \
    "2024-01-01 A 1 1\n2024-01-01 B 2 2\n2024-01-02 A 3 3\n2024-01-02 B 4 4\n"                     \
    "2024-02-01 A 5 5\n2024-02-01 B 6 6\n2024-03-01 A 7 7\n"

static void replace(lake_env *env, const lochan_replace_scope *scopes, size_t n, const char *text) {
    lochan_error err;
    env->mode = LOCHAN_WRITE_REPLACE_ASSETS;
    env->scopes = scopes;
    env->n_scopes = n;
    assert_ok(env_try_write(env, text, &err));
    env->scopes = NULL;
    env->n_scopes = 0;
    env->mode = LOCHAN_WRITE_UPSERT;
}

static void test_replace__only_the_assets_and_days_asked(void **state) {
    lake_env *env = *state;
    env_write(env, OLD);
    lochan_replace_scope a = {"A", day("2024-01-02"), day("2024-02-15")};
    replace(env, &a, 1, "2024-01-02 A 30 3\n2024-01-03 A 8 8\n");
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 1 1\n2024-01-01 B 2 2\n2024-01-02 A 30 3\n"
                        "2024-01-02 B 4 4\n2024-01-03 A 8 8\n2024-02-01 B 6 6\n"
                        "2024-03-01 A 7 7\n");
    env_counts(env, 1, 1, 0);
    assert_int_equal(env->counts.rows_removed, 1);
    env_verify(env, false);
}

static void test_replace__rows_of_the_write_stay_whatever_the_scope(void **state) {
    lake_env *env = *state;
    env_write(env, OLD);
    lochan_replace_scope all = {NULL, INT32_MIN, INT32_MAX};
    replace(env, &all, 1, "2024-01-01 A 1 1\n2024-05-01 C 9 9\n");
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n2024-05-01 C 9 9\n");
    env_counts(env, 1, 0, 1);
    assert_int_equal(env->counts.rows_removed, 6);
    env_verify(env, false);
}

static void test_replace__nothing_came_removes_only_what_was_asked(void **state) {
    lake_env *env = *state;
    env_write(env, OLD);
    replace(env, NULL, 0, "");
    assert_string_equal(env_read(env, NULL), OLD);
    assert_int_equal(env->snapshot, -1);
    lochan_replace_scope b[] = {{"B", day("2024-02-01"), day("2024-02-01")},
                                {"Z", INT32_MIN, INT32_MAX}};
    replace(env, b, 2, "");
    assert_true(env->snapshot > 0);
    assert_string_equal(env_read(env, "asset_id = 'B'"), "2024-01-01 B 2 2\n2024-01-02 B 4 4\n");
    lochan_replace_scope none = {"A", day("2024-03-01"), day("2024-03-31")};
    replace(env, &none, 1, "");
    assert_string_equal(env_read(env, "time >= '2024-03-01'"), "");
    env_verify(env, false);
}

static void test_replace__equal_rows_write_no_file(void **state) {
    lake_env *env = *state;
    env_write(env, OLD);
    lochan_replace_scope a = {"A", day("2024-01-01"), day("2024-01-31")};
    replace(env, &a, 1, "2024-01-01 A 1 1\n2024-01-02 A 3 3\n");
    env_counts(env, 0, 0, 2);
    assert_int_equal(env->counts.files_written, 0);
    assert_int_equal(env->snapshot, -1);
}

static void test_replace__windows_of_one_asset_are_joined(void **state) {
    lake_env *env = *state;
    env->add = true;
    env_write(env, OLD);
    lochan_replace_scope many[] = {{"B", day("2024-01-02"), day("2024-01-02")},
                                   {"A", day("2024-01-01"), day("2024-01-01")},
                                   {"A", day("2024-01-02"), day("2024-01-02")},
                                   {"A", day("2024-03-01"), INT32_MAX}};
    replace(env, many, 4, "2024-01-02 B 4 4\n");
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 B 2 2\n2024-01-02 B 4 4\n2024-02-01 A 5 5\n2024-02-01 B 6 6\n");
    assert_int_equal(env->counts.rows_removed, 3);
    env_verify(env, false);
}

static void test_replace__snapshot_holds_what_came(void **state) {
    lochan_error err;
    lake_env *env = *state;
    for (int with_add = 0; with_add < 2; with_add++) {
        env->mode = LOCHAN_WRITE_UPSERT;
        env->add = with_add;
        env_write(env, OLD);
        env->mode = LOCHAN_WRITE_REPLACE_ALL;
        assert_ok(env_try_write(env, "2024-01-02 B 4 4\n2024-02-01 A 50 5\n", &err));
        assert_string_equal(env_read(env, NULL), "2024-01-02 B 4 4\n2024-02-01 A 50 5\n");
        assert_int_equal(env->counts.rows_removed, 5);
        env_verify(env, false);
        assert_ok(env_try_write(env, "2024-01-02 B 4 4\n2024-02-01 A 50 5\n", &err));
        assert_int_equal(env->snapshot, -1);
        assert_ok(env_try_write(env, "", &err));
        assert_string_equal(env_read(env, NULL), "");
        env_verify(env, false);
    }
}

static void test_replace__snapshot_without_a_key(void **state) {
    lochan_error err;
    lake_env *env = *state;
    env->keyless = true;
    env_write(env, "2024-01-01 A 1 1\n2024-01-01 A 1 1\n2024-02-01 B 2 2\n");
    env->mode = LOCHAN_WRITE_REPLACE_ALL;
    assert_ok(env_try_write(env, "2024-01-01 A 1 1\n2024-01-01 A 1 1\n", &err));
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n2024-01-01 A 1 1\n");
    env->mode = LOCHAN_WRITE_REPLACE_ASSETS;
    assert_status(env_try_write(env, "2024-01-01 A 1 1\n", &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_replace__scope_that_ends_before_it_begins(void **state) {
    lochan_error err;
    lake_env *env = *state;
    lochan_replace_scope odd = {"A", 10, 9};
    env->mode = LOCHAN_WRITE_REPLACE_ASSETS;
    env->scopes = &odd;
    env->n_scopes = 1;
    assert_status(env_try_write(env, "2024-01-01 A 1 1\n", &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_replace__only_the_assets_and_days_asked),
        TEST(test_replace__rows_of_the_write_stay_whatever_the_scope),
        TEST(test_replace__nothing_came_removes_only_what_was_asked),
        TEST(test_replace__equal_rows_write_no_file),
        TEST(test_replace__windows_of_one_asset_are_joined),
        TEST(test_replace__snapshot_holds_what_came),
        TEST(test_replace__snapshot_without_a_key),
        TEST(test_replace__scope_that_ends_before_it_begins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
