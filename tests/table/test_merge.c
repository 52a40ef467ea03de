/* test_merge.c - merging rows into partitions. */
#include "table/lake_env.h"

#define JAN "2024-01-01 A 1 10\n2024-01-01 B 2 20\n2024-01-02 A 3 30\n2024-01-02 B 4 40\n"

static void test_merge__first_write_makes_one_file(void **state) {
    lake_env *env = *state;
    env_write(env, JAN);
    env_counts(env, 4, 0, 0);
    assert_int_equal(env->counts.files_written, 1);
    assert_int_equal(env->counts.partitions_written, 1);
    assert_true(env->snapshot > 0);
    assert_string_equal(env_read(env, NULL), JAN);
    env_verify(env, false);
}

static void test_merge__one_more_day_is_one_more_file(void **state) {
    lake_env *env = *state;
    env_write(env, JAN);
    env_write(env, "2024-01-03 A 5 50\n2024-01-03 B 6 60\n");
    env_counts(env, 2, 0, 0);
    assert_int_equal(env->counts.files_retired, 0);
    assert_int_equal(env_files(env), 2);
    env_write(env, "2023-12-31 A 0 0\n2024-02-01 A 9 90\n");
    assert_int_equal(env->counts.partitions_written, 2);
    assert_int_equal(env_files(env), 4);
    assert_string_equal(env_read(env, NULL),
                        "2023-12-31 A 0 0\n" JAN "2024-01-03 A 5 50\n2024-01-03 B 6 60\n"
                        "2024-02-01 A 9 90\n");
    env_verify(env, false);
}

static void test_merge__new_row_wins(void **state) {
    lake_env *env = *state;
    env_write(env, JAN);
    env_write(env, "2024-01-01 B 2.5 20\n2024-01-02 A 3 30\n2024-01-01 C 7 -\n");
    env_counts(env, 1, 1, 1);
    assert_int_equal(env->counts.files_retired, 1);
    assert_int_equal(env_files(env), 1);
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 1 10\n2024-01-01 B 2.5 20\n2024-01-01 C 7 -\n"
                        "2024-01-02 A 3 30\n2024-01-02 B 4 40\n");
    env_verify(env, false);
}

static void test_merge__equal_rows_write_nothing(void **state) {
    lake_env *env = *state;
    env_write(env, JAN);
    int64_t first = env->snapshot;
    env_write(env, JAN);
    env_counts(env, 0, 0, 4);
    assert_int_equal(env->counts.files_written, 0);
    assert_int_equal(env->counts.partitions_skipped, 1);
    assert_int_equal(env->snapshot, -1);
    env_write(env, "2024-01-02 A 3 30\n");
    env_counts(env, 0, 0, 1);
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    lochan_scan_stats stats;
    lochan_error err;
    assert_ok(env_try_read(env, &o, &stats, &err));
    assert_int_equal(stats.snapshot_id, first);
    env_verify(env, false);
}

static void test_merge__null_and_nan_count_as_values(void **state) {
    lake_env *env = *state;
    env_write(env, "2024-01-01 A - -\n2024-01-01 B nan 1\n2024-01-01 C 0 1\n");
    env_write(env, "2024-01-01 A - -\n2024-01-01 B nan 1\n2024-01-01 C -0.0 1\n");
    env_counts(env, 0, 0, 3);
    env_write(env, "2024-01-01 A 0 -\n2024-01-01 B - 1\n");
    env_counts(env, 0, 2, 0);
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 0 -\n2024-01-01 B - 1\n2024-01-01 C 0 1\n");
    env_verify(env, false);
}

/* Days 1, 5 and 9 are files of their own; new rows touch 1 and 9 and lie between. */
static void test_merge__touches_only_files_concerned(void **state) {
    lake_env *env = *state;
    env_write(env, "2024-01-01 A 1 1\n2024-01-01 C 1 1\n");
    env_write(env, "2024-01-05 A 5 5\n2024-01-05 C 5 5\n");
    env_write(env, "2024-01-09 A 9 9\n2024-01-09 C 9 9\n");
    assert_int_equal(env_files(env), 3);
    env_write(env, "2024-01-01 B 1 1\n2024-01-03 A 3 3\n2024-01-07 A 7 7\n2024-01-09 B 9 "
                   "9\n2024-01-11 A 1 1\n");
    env_counts(env, 5, 0, 0);
    assert_int_equal(env->counts.files_retired, 2);
    assert_int_equal(env->counts.files_written,
                     2); /* 1 and 3, then 7, 9 and 11: day 5 lies between */
    assert_int_equal(env_files(env), 3);
    assert_string_equal(
        env_read(env, NULL),
        "2024-01-01 A 1 1\n2024-01-01 B 1 1\n2024-01-01 C 1 1\n2024-01-03 A 3 3\n2024-01-05 A 5 5\n"
        "2024-01-05 C 5 5\n2024-01-07 A 7 7\n2024-01-09 A 9 9\n2024-01-09 B 9 9\n2024-01-09 C 9 9\n"
        "2024-01-11 A 1 1\n");
    env_verify(env, false);
}

/* Files that share a day are told apart by the whole key. */
static void test_merge__files_of_one_day_stay_apart(void **state) {
    lake_env *env = *state;
    env_write(env, "2024-01-01 A 1 1\n2024-01-01 C 1 1\n");
    env_write(env, "2024-01-01 X 1 1\n2024-01-01 Z 1 1\n");
    assert_int_equal(env_files(env), 2);
    env_write(env, "2024-01-01 Y 2 2\n");
    assert_int_equal(env->counts.files_retired, 1);
    env_write(env, "2024-01-01 M 3 3\n");
    assert_int_equal(env->counts.files_retired, 0);
    assert_int_equal(env_files(env), 3);
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 1 1\n2024-01-01 C 1 1\n2024-01-01 M 3 3\n2024-01-01 X 1 1\n"
                        "2024-01-01 Y 2 2\n2024-01-01 Z 1 1\n");
    env_verify(env, false);
}

static void make_rows(char *text, size_t cap, int from, int to, int step, int qty) {
    size_t n = 0;
    for (int i = from; i < to; i += step)
        n += (size_t)snprintf(text + n, cap - n, "2024-01-%02d a%05d %d.25 %d\n", 1 + i / 1000,
                              i % 1000, i, qty);
}

/* Many row groups and files: what comes out is what a sorted map would hold. */
static void test_merge__many_row_groups_and_files(void **state) {
    enum { N = 20000, CAP = 40 * N };
    lake_env *env = *state;
    char *text = malloc(CAP), *expected = malloc(CAP);
    env->row_group_rows = 500;
    env->target_file_bytes = 6000;
    make_rows(text, CAP, 0, N, 1, 1);
    env_write(env, text);
    env_counts(env, N, 0, 0);
    assert_true(env->counts.files_written > 3);
    make_rows(text, CAP, 5000, 15000, 7, 2);
    env_write(env, text);
    env_counts(env, 0, 1429, 0);
    size_t n = 0;
    for (int i = 0; i < N; i++)
        n += (size_t)snprintf(expected + n, (size_t)CAP - n, "2024-01-%02d a%05d %d.25 %d\n",
                              1 + i / 1000, i % 1000, i,
                              i >= 5000 && i < 15000 && (i - 5000) % 7 == 0 ? 2 : 1);
    assert_string_equal(env_read(env, NULL), expected);
    env_verify(env, false);
    make_rows(text, CAP, 5000, 15000, 7, 2);
    env_write(env, text);
    env_counts(env, 0, 0, 1429);
    assert_int_equal(env->snapshot, -1);
    free(text);
    free(expected);
}

static void test_merge__single_file_table(void **state) {
    lake_env *env = *state;
    env->single_file = true;
    env_write(env, "2023-05-01 A 1 1\n2024-01-01 A 2 2\n");
    env_write(env, "2023-05-01 A 5 1\n2023-06-01 B 2 2\n");
    env_counts(env, 1, 1, 0);
    assert_int_equal(env_files(env), 1);
    assert_string_equal(env_read(env, NULL),
                        "2023-05-01 A 5 1\n2023-06-01 B 2 2\n2024-01-01 A 2 2\n");
    env_verify(env, false);
}

static void test_merge__keyless_table_only_appends(void **state) {
    lake_env *env = *state;
    env->keyless = true;
    env_write(env, "2024-01-02 A 1 1\n2024-01-01 A 1 1\n2024-01-01 A 1 1\n");
    env_write(env, "2024-01-01 A 1 1\n");
    env_counts(env, 1, 0, 0);
    assert_int_equal(env_files(env), 2);
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 1 1\n2024-01-01 A 1 1\n2024-01-02 A 1 1\n2024-01-01 A 1 1\n");
    env_verify(env, false);
}

static void test_merge__added_column_reads_as_null(void **state) {
    lake_env *env = *state;
    lochan_error err;
    env_write(env, "2024-01-01 A 1 1\n2024-01-02 A 2 2\n");
    assert_ok(env_try_write_with(env, 1, "2024-01-02 A 2 2 new\n2024-01-03 A 3 3 x\n", NULL, NULL,
                                 NULL, &err));
    env_counts(env, 1, 1, 0);
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 1 1 -\n2024-01-02 A 2 2 new\n2024-01-03 A 3 3 x\n");
    env_write(env, "2024-01-01 A 1 1\n"); /* a batch without the column */
    env_counts(env, 0, 0, 1);
    assert_string_equal(env_read(env, "note is null"), "2024-01-01 A 1 1 -\n");
    assert_string_equal(env_read(env, "note = 'x'"), "2024-01-03 A 3 3 x\n");
    env_verify(env, false);
}

static void test_merge__known_at_stays_with_the_row(void **state) {
    lake_env *env = *state;
    lochan_error err;
    static const char *const columns[] = {"qty", "_known_at"};
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.columns = columns;
    o.n_columns = 2;
    env->point_in_time = true;
    env_write(env, "2024-01-01 A 1 1\n2024-01-01 B 1 2\n");
    assert_ok(env_try_read(env, &o, NULL, &err));
    char first[64], second[64], third[64];
    int q;
    assert_int_equal(sscanf(env->text, "%d %63[^\n]\n%d %63[^\n]", &q, first, &q, second), 4);
    assert_string_equal(first, second);
    assert_true(strlen(first) > 15);
    env_write(env,
              "2024-01-01 A 1 1\n2024-01-01 B 9 3\n"); /* A is unchanged and moves, B is replaced */
    env_counts(env, 0, 1, 1);
    assert_ok(env_try_read(env, &o, NULL, &err));
    assert_int_equal(sscanf(env->text, "%d %63[^\n]\n%d %63[^\n]", &q, second, &q, third), 4);
    assert_string_equal(first, second);
    assert_string_not_equal(first, third);
    env_verify(env, false);
}

static void test_merge__unsorted_and_repeated_rows_are_refused(void **state) {
    lake_env *env = *state;
    static const char *const bad[] = {"2024-01-02 A 1 1\n2024-01-01 A 1 1\n",
                                      "2024-01-01 A 1 1\n2024-01-01 A 2 2\n"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        lochan_error err;
        lochan_table *table;
        lochan_write *w;
        struct ArrowArray batch;
        uint32_t ids[2];
        assert_ok(env_ensure(env, 0, &table, &err));
        assert_ok(lochan_write__begin(env->lake, table, NULL, NULL, &w, &err));
        assert_ok(env_batch(env, 0, bad[i], &batch, &err));
        assert_ok(lochan_write__partition_of(w, &batch, ids, &err));
        assert_status(lochan_write__merge_partition(w, 0, &batch, NULL, &err), LOCHAN_ERR_DATA);
        assert_int_equal(err.row, 1);
        assert_string_equal(err.table, "test.daily");
        int64_t snapshot;
        assert_status(lochan_write__publish(w, NULL, NULL, &snapshot, &err),
                      LOCHAN_ERR_INVALID_ARGUMENT);
        lochan_write__free(w);
        lochan_array__release(&batch);
        lochan_table__close(table);
    }
    assert_string_equal(env_read(env, NULL), "");
    env_verify(env, false);
}

static void test_merge__row_of_another_partition_is_refused(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_table *table;
    lochan_write *w;
    struct ArrowArray one, two;
    uint32_t ids[2];
    assert_ok(env_ensure(env, 0, &table, &err));
    assert_ok(lochan_write__begin(env->lake, table, NULL, NULL, &w, &err));
    assert_ok(env_batch(env, 0, "2024-01-01 A 1 1\n", &one, &err));
    assert_ok(env_batch(env, 0, "2024-01-01 A 1 1\n2024-02-01 A 1 1\n", &two, &err));
    assert_ok(lochan_write__partition_of(w, &one, ids, &err));
    assert_status(lochan_write__merge_partition(w, 0, &two, NULL, &err), LOCHAN_ERR_DATA);
    assert_int_equal(err.row, 1);
    lochan_write__free(w);
    lochan_array__release(&one);
    lochan_array__release(&two);
    lochan_table__close(table);
    env_verify(env, false);
}

static void test_merge__null_in_a_key_is_refused(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_table *table;
    lochan_write *w;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    uint32_t ids[2];
    assert_ok(env_ensure(env, 0, &table, &err));
    assert_ok(env_schema(env, 0, &schema, &err));
    env->keyless = true; /* lets the row be built */
    lochan_builder *b;
    assert_ok(lochan_builder__create(&schema, &b, &err));
    assert_ok(env_append_row(b, "2024-01-01 A 1 1", 0, &err));
    assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), 19723, &err));
    assert_ok(lochan_builder__null(lochan_builder__child(b, 1), &err));
    assert_ok(lochan_builder__null(lochan_builder__child(b, 2), &err));
    assert_ok(lochan_builder__null(lochan_builder__child(b, 3), &err));
    assert_ok(lochan_builder__end_row(b, &err));
    assert_ok(lochan_builder__finish(b, &batch, &err));
    lochan_builder__free(b);
    assert_ok(lochan_write__begin(env->lake, table, &schema, NULL, &w, &err));
    assert_ok(lochan_write__partition_of(w, &batch, ids, &err));
    assert_status(lochan_write__merge_partition(w, 0, &batch, NULL, &err), LOCHAN_ERR_VALUE);
    assert_int_equal(err.row, 1);
    assert_string_equal(err.column, "asset_id");
    lochan_write__free(w);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_table__close(table);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_merge__first_write_makes_one_file, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__one_more_day_is_one_more_file, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__new_row_wins, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__equal_rows_write_nothing, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__null_and_nan_count_as_values, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__touches_only_files_concerned, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__files_of_one_day_stay_apart, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__many_row_groups_and_files, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__single_file_table, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__keyless_table_only_appends, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__added_column_reads_as_null, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__known_at_stays_with_the_row, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__unsorted_and_repeated_rows_are_refused,
                                        env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__row_of_another_partition_is_refused, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_merge__null_in_a_key_is_refused, env_setup,
                                        env_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
