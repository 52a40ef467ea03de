/* test_txn.c - one commit after the other: what is written, what is read back. */
#include "lake.h"

#include <sqlite3.h>

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

static lochan_catalog *open_lake(const char *dir) {
    lochan_error err;
    lochan_catalog *catalog;
    ok(lochan_catalog__open(dir, NULL, &catalog, &err));
    return catalog;
}

static int64_t commit_table(lochan_catalog *catalog, const char *dataset, int64_t *table_id) {
    lochan_error err;
    lochan_txn *txn;
    int64_t snapshot;
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(create_demo(txn, dataset, table_id, &err));
    ok(lochan_txn__commit(&txn, &snapshot, &err));
    return snapshot;
}

static int64_t commit_file(lochan_catalog *catalog, int64_t table_id, const char *dataset,
                           int month, int64_t *id) {
    lochan_error err;
    lochan_txn *txn;
    int64_t snapshot;
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(add_demo(txn, table_id, dataset, month, id, &err));
    ok(lochan_txn__commit(&txn, &snapshot, &err));
    return snapshot;
}

static void test_txn__a_table_and_its_files_are_read_back(void **state) {
    lochan_error err;
    lochan_table_def def;
    lochan_file_list files;
    int64_t table_id, id1, id2;
    lochan_catalog *catalog = open_lake(*state);
    assert_int_equal(commit_table(catalog, "fx", &table_id), 1);
    assert_int_equal(commit_file(catalog, table_id, "fx", 1, &id1), 2);
    assert_int_equal(commit_file(catalog, table_id, "fx", 2, &id2), 3);
    ok(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err));
    assert_string_equal(def.path, "data/ecb/fx/");
    assert_int_equal(def.schema.n_children, 3);
    assert_string_equal(def.schema.children[2]->name, "close");
    assert_string_equal(def.schema.children[2]->format, "g");
    assert_int_equal(lochan_schema__field_id(def.schema.children[2]), 3);
    assert_int_equal(def.n_partition, 2);
    assert_string_equal(def.partition[1].transform, "month");
    assert_int_equal(def.partition[1].column, 1);
    assert_int_equal(def.n_sort, 2);
    assert_int_equal(def.sort[0].column, 1);
    assert_int_equal(def.sort[1].column, 0);
    assert_int_equal(def.rows, 20);
    int64_t columns[] = {2, 3, 1};
    ok(lochan_catalog__files(catalog, &def, columns, 3, &files, &err));
    assert_int_equal(files.n, 2);
    assert_int_equal(files.files[0].id, id1);
    assert_string_equal(files.files[1].partition_values[1], "2");
    assert_int_equal(files.files[1].row_id_start, 10);
    assert_false(files.files[1].foreign);
    assert_true(files.files[1].sorted);
    assert_true(files.files[1].stats_known[0]);
    int32_t day;
    assert_true(lochan_civil__parse_date("2024-02-01", 10, &day));
    assert_int_equal(files.files[1].stats[0].min_i, day);
    assert_int_equal(files.files[1].stats[1].null_count, 1);
    assert_true(files.files[1].stats[1].max_f == 1.25);
    assert_false(files.files[1].stats[1].may_have_nan);
    assert_int_equal(files.files[1].stats[2].max_s.n, 3);
    lochan_file_list__deinit(&files);
    lochan_table_def__deinit(&def);
    /* as of the snapshot before */
    ok(lochan_catalog__table(catalog, "ecb", "fx", 2, &def, &err));
    ok(lochan_catalog__files(catalog, &def, NULL, 0, &files, &err));
    assert_int_equal(files.n, 1);
    lochan_file_list__deinit(&files);
    lochan_table_def__deinit(&def);
    assert_int_equal(lochan_catalog__table(catalog, "ecb", "fx", 0, &def, &err),
                     LOCHAN_ERR_NOT_FOUND);
    lochan_catalog__close(catalog);
}

static void test_txn__a_token_commits_once(void **state) {
    lochan_error err;
    lochan_txn *txn;
    bool already, done;
    int64_t snapshot, table_id;
    lochan_catalog *catalog = open_lake(*state);
    lochan_txn_options options = {.token = "tok-1"};
    ok(lochan_txn__begin(catalog, &options, &already, &snapshot, &txn, &err));
    assert_false(already);
    ok(create_demo(txn, "fx", &table_id, &err));
    ok(lochan_txn__commit(&txn, &snapshot, &err));
    assert_int_equal(snapshot, 1);
    ok(lochan_txn__begin(catalog, &options, &already, &snapshot, &txn, &err));
    assert_true(already);
    assert_null(txn);
    assert_int_equal(snapshot, 1);
    ok(lochan_catalog__commit_by_token(catalog, "tok-1", &done, &snapshot, &err));
    assert_true(done);
    assert_int_equal(snapshot, 1);
    ok(lochan_catalog__commit_by_token(catalog, "tok-2", &done, &snapshot, &err));
    assert_false(done);
    lochan_catalog__close(catalog);
}

static void test_txn__a_token_without_a_change_is_known(void **state) {
    lochan_error err;
    lochan_txn *txn;
    bool already, done;
    int64_t snapshot;
    lochan_catalog *catalog = open_lake(*state);
    lochan_txn_options options = {.token = "tok-1"};
    ok(lochan_txn__begin(catalog, &options, &already, &snapshot, &txn, &err));
    ok(lochan_txn__commit(&txn, &snapshot, &err));
    assert_int_equal(snapshot, -1);
    ok(lochan_catalog__commit_by_token(catalog, "tok-1", &done, &snapshot, &err));
    assert_true(done);
    assert_int_equal(snapshot, -1);
    ok(lochan_txn__begin(catalog, &options, &already, &snapshot, &txn, &err));
    assert_true(already);
    lochan_catalog__close(catalog);
}

/* The bounds of column `id` in the table's statistics, as "min max". */
static void bounds(const char *dir, int id, char dst[64]) {
    char path[300], sql[200];
    sqlite3 *db;
    sqlite3_stmt *stmt;
    snprintf(path, sizeof path, "%s/lake.db", dir);
    snprintf(sql, sizeof sql,
             "SELECT coalesce(min_value, '?') || ' ' || coalesce(max_value, '?') FROM "
             "ducklake_table_column_stats WHERE column_id = %d",
             id);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    snprintf(dst, 64, "%s", (const char *)sqlite3_column_text(stmt, 0));
    sqlite3_finalize(stmt);
    sqlite3_close(db);
}

/* DuckDB applies the table's bounds to older snapshots too. */
static void test_txn__bounds_outlive_retired_files(void **state) {
    lochan_error err;
    lochan_txn *txn;
    int64_t table_id, old, id;
    char text[64];
    lochan_catalog *catalog = open_lake(*state);
    commit_table(catalog, "fx", &table_id);
    commit_file(catalog, table_id, "fx", 1, &old);
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(lochan_txn__retire_file(txn, table_id, old, &err));
    ok(add_demo(txn, table_id, "fx", 3, &id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    bounds(*state, 2, text);
    assert_string_equal(text, "2024-01-01 2024-03-10");
    lochan_catalog__close(catalog);
}

static void test_txn__a_column_added_later_has_bounds(void **state) {
    lochan_error err;
    lochan_txn *txn;
    int64_t table_id, id, column_id;
    char text[64];
    struct ArrowSchema field = {0};
    lochan_type type = {.id = LOCHAN_TYPE_STRING};
    lochan_catalog *catalog = open_lake(*state);
    commit_table(catalog, "fx", &table_id);
    commit_file(catalog, table_id, "fx", 1, &id);
    ok(lochan_schema__set_field(&field, "note", &type, true, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(lochan_txn__add_column(txn, table_id, 0, &field, &column_id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    const char *values[] = {"2024", "2"};
    lochan_column_stats stats = {.column_id = column_id,
                                 .value_count = 5,
                                 .contains_nan = -1,
                                 .min = "hello",
                                 .max = "world"};
    lochan_file_add file = {.path = "data/ecb/fx/2.parquet",
                            .rows = 5,
                            .bytes = 100,
                            .footer_bytes = 50,
                            .partition_values = values,
                            .n_partition_values = 2,
                            .stats = &stats,
                            .n_stats = 1,
                            .file_id = "01234567-89ab-cdef-0123-456789abcdef"};
    ok(lochan_txn__add_file(txn, table_id, &file, &id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    bounds(*state, (int)column_id, text);
    assert_string_equal(text, "hello world");
    field.release(&field);
    lochan_catalog__close(catalog);
}

static void test_txn__names_that_differ_in_case_are_refused(void **state) {
    lochan_error err;
    lochan_txn *txn;
    int64_t table_id, other, column_id;
    struct ArrowSchema field = {0}, pair = {0};
    lochan_type type = {.id = LOCHAN_TYPE_INT64}, nested = {.id = LOCHAN_TYPE_STRUCT};
    lochan_catalog *catalog = open_lake(*state);
    commit_table(catalog, "fx", &table_id);
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    assert_int_equal(create_demo(txn, "FX", &other, &err), LOCHAN_ERR_SCHEMA);
    assert_non_null(strstr(err.message, "'FX' differs only in case from 'fx'"));
    lochan_txn__abort(txn);
    ok(lochan_schema__set_field(&field, "Close", &type, true, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    assert_int_equal(lochan_txn__add_column(txn, table_id, 0, &field, &column_id, &err),
                     LOCHAN_ERR_SCHEMA);
    assert_non_null(strstr(err.message, "'Close' differs only in case from 'close'"));
    lochan_txn__abort(txn);
    ok(lochan_schema__set_nested(&pair, "pair", &nested, true, 2, &err));
    ok(lochan_schema__set_field(pair.children[0], "a", &type, true, &err));
    ok(lochan_schema__set_field(pair.children[1], "A", &type, true, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    assert_int_equal(lochan_txn__add_column(txn, table_id, 0, &pair, &column_id, &err),
                     LOCHAN_ERR_SCHEMA);
    lochan_txn__abort(txn);
    field.release(&field);
    pair.release(&pair);
    lochan_catalog__close(catalog);
}

static void test_txn__an_aborted_transaction_leaves_nothing(void **state) {
    lochan_error err;
    lochan_txn *txn;
    int64_t table_id;
    lochan_snapshot snapshot;
    lochan_catalog *catalog = open_lake(*state);
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(create_demo(txn, "fx", &table_id, &err));
    lochan_txn__abort(txn);
    ok(lochan_catalog__snapshot_at(catalog, NULL, &snapshot, &err));
    assert_int_equal(snapshot.id, 0);
    lochan_catalog__close(catalog);
}

static void test_txn__conflicts_are_found_by_partition(void **state) {
    lochan_error err;
    lochan_txn *txn;
    int64_t table_id, id;
    lochan_catalog *catalog = open_lake(*state);
    commit_table(catalog, "fx", &table_id);
    int64_t base = commit_file(catalog, table_id, "fx", 1, &id);
    const char *january[] = {"2024", "1"}, *february[] = {"2024", "2"};
    lochan_partition_ref jan = {january}, feb = {february};
    commit_file(catalog, table_id, "fx", 2, &id); /* somebody else's, into an empty partition */
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(lochan_txn__check_partitions(txn, table_id, base, &jan, 1, &err));
    assert_int_equal(lochan_txn__check_partitions(txn, table_id, base, &feb, 1, &err),
                     LOCHAN_ERR_CONFLICT);
    assert_non_null(strstr(err.message, "2024/2"));
    ok(lochan_txn__check_partitions(txn, table_id, base + 1, &feb, 1, &err));
    assert_int_equal(lochan_txn__check_partitions(txn, table_id, base, NULL, 0, &err),
                     LOCHAN_ERR_CONFLICT);
    lochan_txn__abort(txn);
    /* a retired file is a change too */
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(lochan_txn__retire_file(txn, table_id, id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    assert_int_equal(lochan_txn__check_partitions(txn, table_id, base + 1, &feb, 1, &err),
                     LOCHAN_ERR_CONFLICT);
    assert_int_equal(lochan_txn__retire_file(txn, table_id, id, &err), LOCHAN_ERR_CONFLICT);
    lochan_txn__abort(txn);
    lochan_catalog__close(catalog);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_txn__a_table_and_its_files_are_read_back, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_txn__a_token_commits_once, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn__a_token_without_a_change_is_known, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_txn__bounds_outlive_retired_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn__a_column_added_later_has_bounds, setup, teardown),
        cmocka_unit_test_setup_teardown(test_txn__names_that_differ_in_case_are_refused, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_txn__an_aborted_transaction_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_txn__conflicts_are_found_by_partition, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
