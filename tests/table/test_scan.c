/* test_scan.c - reading: projection, predicates, pruning, snapshots, limits. */
#include "table/lake_env.h"

#include <lochan/lake.h>

static void three_months(lake_env *env) {
    env_write(env, "2024-01-01 A 1 10\n2024-01-02 B 2 20\n");
    env_write(env, "2024-02-01 A 3 30\n2024-02-02 B 4 40\n2024-03-01 A 5 50\n2024-03-02 B - -\n");
}

static void test_scan__columns_in_the_order_asked(void **state) {
    lake_env *env = *state;
    lochan_error err;
    static const char *const columns[] = {"qty", "asset_id"};
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    three_months(env);
    o.columns = columns;
    o.n_columns = 2;
    assert_ok(env_try_read(env, &o, NULL, &err));
    assert_string_equal(env->text, "10 A\n20 B\n30 A\n40 B\n50 A\n- B\n");
    o.where = "price > 2 and asset_id = 'B'"; /* price is not among the columns */
    assert_ok(env_try_read(env, &o, NULL, &err));
    assert_string_equal(env->text, "40 B\n");
}

static void test_scan__unknown_names_are_told(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream stream;
    static const char *const columns[] = {"pric"};
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    three_months(env);
    o.columns = columns;
    o.n_columns = 1;
    assert_status(lochan_lake_scan(env->lake, "test", "daily", &o, &stream, &err),
                  LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.hint, "price"));
    assert_null(stream.release);
    assert_status(lochan_lake_scan(env->lake, "test", "weekly", NULL, &stream, &err),
                  LOCHAN_ERR_NOT_FOUND);
    o = (lochan_scan_options)LOCHAN_SCAN_OPTIONS_INIT;
    o.where = "colour = 3";
    assert_true(lochan_lake_scan(env->lake, "test", "daily", &o, &stream, &err) != LOCHAN_OK);
    assert_non_null(strstr(err.message, "colour"));
    o.where = "price >";
    assert_true(lochan_lake_scan(env->lake, "test", "daily", &o, &stream, &err) != LOCHAN_OK);
    assert_null(stream.release);
}

static void expect_files(lake_env *env, const char *where, int64_t files_read, const char *text) {
    lochan_error err;
    lochan_scan_stats stats;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.where = where;
    assert_ok(env_try_read(env, &o, &stats, &err));
    assert_string_equal(env->text, text);
    assert_int_equal(stats.files, 3);
    assert_int_equal(stats.files_read, files_read);
    assert_true(stats.row_groups_read <= files_read);
}

static void test_scan__catalog_statistics_prune_files(void **state) {
    lake_env *env = *state;
    three_months(env);
    expect_files(env, "time >= '2024-02-02' and time < '2024-03-01'", 1, "2024-02-02 B 4 40\n");
    expect_files(env, "qty = 20", 1, "2024-01-02 B 2 20\n");
    expect_files(env, "price is null", 1, "2024-03-02 B - -\n");
    expect_files(env, "asset_id in ('Q', 'Z')", 0, "");
    expect_files(env, "qty > 1000", 0, "");
    expect_files(env, "price between 1.5 and 3.5", 2, "2024-01-02 B 2 20\n2024-02-01 A 3 30\n");
    expect_files(env, "not (time < '2024-03-01')", 1, "2024-03-01 A 5 50\n2024-03-02 B - -\n");
}

static void test_scan__row_groups_are_pruned(void **state) {
    enum { N = 4000, CAP = 40 * N };
    lake_env *env = *state;
    lochan_error err;
    lochan_scan_stats stats;
    char *text = malloc(CAP);
    size_t n = 0;
    env->row_group_rows = 500;
    for (int i = 0; i < N; i++)
        n += (size_t)snprintf(text + n, CAP - n, "2024-01-%02d a%05d %d %d\n", 1 + i / 200, i % 200,
                              i, i);
    env_write(env, text);
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.where = "time = '2024-01-03' and qty = 450";
    assert_ok(env_try_read(env, &o, &stats, &err));
    assert_string_equal(env->text, "2024-01-03 a00050 450 450\n");
    assert_int_equal(stats.files_read, 1);
    assert_true(stats.row_groups_read <= 2);
    assert_true(stats.bytes_read > 0);
    assert_int_equal(stats.rows_returned, 1);
    o.where = NULL;
    assert_ok(env_try_read(env, &o, &stats, &err));
    assert_string_equal(env->text, text);
    assert_int_equal(stats.row_groups_read, 8);
    free(text);
}

static void test_scan__limit_and_batch_rows(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_scan_stats stats;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    three_months(env);
    o.limit = 3;
    assert_ok(env_try_read(env, &o, &stats, &err));
    assert_string_equal(env->text, "2024-01-01 A 1 10\n2024-01-02 B 2 20\n2024-02-01 A 3 30\n");
    assert_int_equal(stats.rows_returned, 3);
    o.limit = 0;
    assert_ok(env_try_read(env, &o, &stats, &err));
    assert_string_equal(env->text, "");
    o.limit = -1;
    o.batch_rows = 1;
    struct ArrowArrayStream stream;
    assert_ok(lochan_lake_scan(env->lake, "test", "daily", &o, &stream, &err));
    for (int i = 0; i < 6; i++) {
        struct ArrowArray batch;
        assert_ok(lochan_stream__next(&stream, &batch, &err));
        assert_int_equal(batch.length, 1);
        lochan_array__release(&batch);
    }
    lochan_stream__release(&stream);
    o.limit = -2;
    assert_status(lochan_lake_scan(env->lake, "test", "daily", &o, &stream, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_scan__as_of(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char id[32];
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    env_write(env, "2024-01-01 A 1 10\n");
    snprintf(id, sizeof id, "%lld", (long long)env->snapshot);
    env_write(env, "2024-01-01 A 2 20\n2024-02-01 A 3 30\n");
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 2 20\n2024-02-01 A 3 30\n");
    o.as_of = id;
    assert_ok(env_try_read(env, &o, NULL, &err));
    assert_string_equal(env->text, "2024-01-01 A 1 10\n");
    o.as_of = "0";
    assert_status(env_try_read(env, &o, NULL, &err), LOCHAN_ERR_NOT_FOUND);
    o.as_of = "99999";
    assert_status(env_try_read(env, &o, NULL, &err), LOCHAN_ERR_NOT_FOUND);
    o.as_of = "2200-01-01";
    assert_ok(env_try_read(env, &o, NULL, &err));
    assert_string_equal(env->text, "2024-01-01 A 2 20\n2024-02-01 A 3 30\n");
    o.as_of = "yesterday";
    assert_status(env_try_read(env, &o, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_scan__older_snapshot_has_older_columns(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char id[32];
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    env_write(env, "2024-01-01 A 1 10\n");
    snprintf(id, sizeof id, "%lld", (long long)env->snapshot);
    assert_ok(env_try_write_with(env, 1, "2024-01-02 A 2 20 x\n", NULL, NULL, NULL, &err));
    o.as_of = id;
    assert_ok(env_try_read(env, &o, NULL, &err));
    assert_string_equal(env->text, "2024-01-01 A 1 10\n");
    o.where = "note = 'x'";
    assert_true(env_try_read(env, &o, NULL, &err) != LOCHAN_OK);
    o.as_of = NULL;
    assert_ok(env_try_read(env, &o, NULL, &err));
    assert_string_equal(env->text, "2024-01-02 A 2 20 x\n");
}

/* _known_at is null in a file that no merge rewrote; readers and predicates see the time all the
 * same. */
static void test_scan__known_at_is_never_null(void **state) {
    lake_env *env = *state;
    env->point_in_time = true;
    env_write(env, "2024-01-01 A 1 10\n2024-01-02 A 2 20\n");
    assert_string_equal(env_read(env, "_known_at is null"), "");
    assert_string_equal(env_read(env, "_known_at < '2020-01-01'"), "");
    assert_non_null(
        strstr(env_read(env, "_known_at > '2020-01-01' and qty = 20"), "2024-01-02 A 2 20\n"));
}

static void test_scan__keeps_its_snapshot_while_others_write(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream stream;
    three_months(env);
    assert_ok(lochan_lake_scan(env->lake, "test", "daily", NULL, &stream, &err));
    env_write(env, "2024-01-01 A 100 100\n2024-03-02 B 7 7\n2024-04-01 A 8 8\n");
    assert_ok(env_drain(env, &stream, &err));
    assert_string_equal(
        env->text, "2024-01-01 A 1 10\n2024-01-02 B 2 20\n2024-02-01 A 3 30\n2024-02-02 B 4 40\n"
                   "2024-03-01 A 5 50\n2024-03-02 B - -\n");
    lochan_stream__release(&stream);
}

/* With hardly any memory nothing is decoded ahead; the rows are the same. */
static void test_scan__little_memory_means_no_read_ahead(void **state) {
    enum { N = 20000, CAP = 40 * N };
    lake_env *env = *state;
    lochan_error err;
    char *text = malloc(CAP);
    size_t n = 0;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    for (int i = 0; i < N; i++)
        n += (size_t)snprintf(text + n, CAP - n, "2024-%02d-%02d a%05d %d %d\n", 1 + i / 2000,
                              1 + i / 100 % 20, i % 100, i, i);
    env_write(env, text);
    env->memory_limit = 400000;
    env->threads = 3;
    env_reopen(env);
    lochan_status rc = env_try_read(env, &o, NULL, &err);
    assert_ok(rc);
    assert_string_equal(env->text, text);
    free(text);
}

static void test_scan__released_early(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    three_months(env);
    o.batch_rows = 1;
    assert_ok(lochan_lake_scan(env->lake, "test", "daily", &o, &stream, &err));
    lochan_stream__release(&stream);
    assert_ok(lochan_lake_scan(env->lake, "test", "daily", &o, &stream, &err));
    assert_ok(lochan_stream__next(&stream, &batch, &err));
    lochan_stream__release(&stream);
    assert_int_equal(batch.length, 1); /* a batch outlives its stream */
    lochan_array__release(&batch);
}

static void test_scan__statistics_of_other_streams_are_refused(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_scan_stats stats;
    struct ArrowArrayStream stream;
    three_months(env);
    assert_ok(lochan_lake_files(env->lake, NULL, NULL, &stream, &err));
    assert_status(lochan_scan_get_stats(&stream, &stats, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_ok(env_drain(env, &stream, &err));
    assert_non_null(strstr(env->text, "data/test/daily/year=2024/month=02/"));
    lochan_stream__release(&stream);
}

static void test_scan__cancelled(void **state) {
    lake_env *env = *state;
    lochan_error err;
    three_months(env);
    struct ArrowArrayStream stream;
    assert_ok(lochan_lake_scan(env->lake, "test", "daily", NULL, &stream, &err));
    lochan_lake_cancel(env->lake);
    struct ArrowArray batch;
    assert_status(lochan_stream__next(&stream, &batch, &err), LOCHAN_ERR_CANCELLED);
    lochan_stream__release(&stream);
    lochan_lake_resume(env->lake);
    assert_int_equal(strlen(env_read(env, NULL)) > 0, 1);
}

static void test_scan__damaged_files_are_errors(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray list;
    lochan_view path = {0};
    char full[1024];
    env_write(env, "2024-01-01 A 1 10\n");
    assert_ok(lochan_lake_files(env->lake, "test", "daily", &stream, &err));
    assert_ok(lochan_stream__schema(&stream, &schema, &err));
    assert_ok(lochan_stream__next(&stream, &list, &err));
    int c = lochan_schema__find(&schema, "path");
    assert_ok(lochan_view__init(&path, schema.children[c], list.children[c], &err));
    lochan_str p = lochan_view__bytes(&path, 0);
    snprintf(full, sizeof full, "%s/%.*s", env->path, (int)p.n, p.p);
    lochan_view__deinit(&path);
    lochan_array__release(&list);
    lochan_schema__release(&schema);
    lochan_stream__release(&stream);
    size_t n;
    char *bytes = tmpdir_read(full, &n);
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    tmpdir_unlink(full);
    assert_status(env_try_read(env, &o, NULL, &err), LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.file, ".parquet"));
    tmpdir_write(full, bytes, n - 1);
    assert_status(env_try_read(env, &o, NULL, &err), LOCHAN_ERR_CORRUPT);
    bytes[20] ^= 1; /* in the first page */
    tmpdir_write(full, bytes, n);
    assert_true(env_try_read(env, &o, NULL, &err) != LOCHAN_OK);
    assert_non_null(strstr(err.file, ".parquet"));
    bytes[20] ^= 1;
    tmpdir_write(full, bytes, n);
    assert_ok(env_try_read(env, &o, NULL, &err));
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_scan__columns_in_the_order_asked, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__unknown_names_are_told, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__catalog_statistics_prune_files, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__row_groups_are_pruned, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__limit_and_batch_rows, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__as_of, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__older_snapshot_has_older_columns, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__known_at_is_never_null, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__keeps_its_snapshot_while_others_write, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__released_early, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__little_memory_means_no_read_ahead, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__statistics_of_other_streams_are_refused,
                                        env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__cancelled, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan__damaged_files_are_errors, env_setup,
                                        env_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
