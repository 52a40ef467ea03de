/* test_foreign.c - tables into which another DuckLake client wrote: read as they are, merged by
 * writing the partition anew, refused where rows were deleted. What such a client leaves is made
 * here with plain SQL and our Parquet writer.
 */
#include "parquet/writer.h"
#include "table/lake_env.h"

#include <sqlite3.h>

static void sql(lake_env *env, const char *text) {
    sqlite3 *db;
    char path[600], *message = NULL;
    snprintf(path, sizeof path, "%s/lake.db", env->path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 5000);
    if (sqlite3_exec(db, text, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", text, message);
    sqlite3_close(db);
}

/* Writes rows, in the order given, to a file of the lake. *bytes = its size. */
static void write_file(lake_env *env, const char *name, const char *rows, int64_t *n,
                       int64_t *bytes, int64_t *footer) {
    lochan_error err;
    lochan_ctx ctx = {0};
    struct ArrowArray batch;
    lochan_table *table;
    lochan_file *file;
    lochan_pq_file_sink state;
    lochan_pq_writer *writer;
    lochan_pq_summary summary = {0};
    char path[700];
    snprintf(path, sizeof path, "%s/data/test/daily/%s", env->path, name);
    assert_ok(env_ensure(env, 0, &table, &err));
    assert_ok(env_batch(env, 0, rows, &batch, &err));
    assert_ok(lochan_file__open(path, LOCHAN_FS_WRITE | LOCHAN_FS_CREATE, &file, &err));
    lochan_pq_sink sink = lochan_pq_sink__of_file(&state, file);
    assert_ok(lochan_pq_writer__open(&ctx, &sink, &table->def.schema, NULL, &writer, &err));
    assert_ok(lochan_pq_writer__write_batch(writer, &batch, &err));
    assert_ok(lochan_pq_writer__close(writer, &summary, &err));
    *n = batch.length;
    *bytes = (int64_t)summary.file_size;
    *footer = (int64_t)summary.footer_length;
    lochan_pq_summary__deinit(&summary);
    lochan_pq_writer__free(writer);
    assert_ok(lochan_file__close(file, &err));
    lochan_array__release(&batch);
    lochan_table__close(table);
}

/* A commit of another client that adds one file to a partition of 2024. */
static void foreign_insert(lake_env *env, const char *name, const char *month, const char *rows) {
    char text[4000];
    int64_t n, bytes, footer;
    write_file(env, name, rows, &n, &bytes, &footer);
    snprintf(
        text, sizeof text,
        "BEGIN IMMEDIATE;"
        "INSERT INTO ducklake_data_file SELECT next_file_id, t.table_id, snapshot_id + 1, NULL, "
        "NULL, '%s', 1, 'parquet',"
        " %lld, %lld, %lld, 0, i.partition_id, NULL, NULL, NULL FROM ducklake_snapshot, "
        "ducklake_table t,"
        " ducklake_partition_info i WHERE t.table_name = 'daily' ORDER BY snapshot_id DESC LIMIT 1;"
        "INSERT INTO ducklake_file_partition_value SELECT max(data_file_id), table_id, 0, '2024' "
        "FROM ducklake_data_file;"
        "INSERT INTO ducklake_file_partition_value SELECT max(data_file_id), table_id, 1, '%s' "
        "FROM ducklake_data_file;"
        "INSERT INTO ducklake_snapshot SELECT snapshot_id + 1, '2099-01-01 00:00:00.000000+00', "
        "schema_version,"
        " next_catalog_id, next_file_id + 1 FROM ducklake_snapshot ORDER BY snapshot_id DESC LIMIT "
        "1;"
        "INSERT INTO ducklake_snapshot_changes SELECT max(snapshot_id), 'inserted_into_table:1', "
        "NULL, NULL, NULL FROM"
        " ducklake_snapshot;"
        "UPDATE ducklake_table_stats SET record_count = record_count + %lld;"
        "COMMIT;",
        name, (long long)n, (long long)bytes, (long long)footer, month, (long long)n);
    sql(env, text);
}

static void test_foreign__rows_are_read(void **state) {
    lake_env *env = *state;
    env_write(env, "2024-01-01 A 1 1\n2024-02-01 A 2 2\n");
    foreign_insert(env, "other.parquet", "1", "2024-01-05 B 5 5\n2024-01-03 B 3 3\n");
    env_read(env, NULL);
    assert_non_null(strstr(env->text, "2024-01-05 B 5 5\n"));
    assert_non_null(strstr(env->text, "2024-01-03 B 3 3\n"));
    assert_string_equal(env_read(env, "qty = 3"),
                        "2024-01-03 B 3 3\n"); /* without statistics nothing is pruned */
}

static void test_foreign__merge_writes_the_partition_anew(void **state) {
    lake_env *env = *state;
    env_write(env, "2024-01-01 A 1 1\n2024-01-03 A 3 3\n2024-02-01 A 2 2\n");
    foreign_insert(env, "one.parquet", "1",
                   "2024-01-05 B 5 5\n2024-01-03 A 33 33\n2024-01-05 B 6 6\n");
    foreign_insert(env, "two.parquet", "1", "2024-01-02 C 2 2\n2024-01-05 B 7 7\n");
    env_write(env, "2024-01-02 C 2 2\n2024-01-04 D 4 4\n2024-01-05 B 8 8\n2024-01-09 E 9 9\n");
    env_counts(env, 2, 1, 1);
    assert_int_equal(env->counts.rows_dropped, 3); /* A of day 3 once, B of day 5 twice */
    assert_int_equal(env->counts.files_retired, 3);
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 1 1\n2024-01-02 C 2 2\n2024-01-03 A 33 33\n2024-01-04 D 4 4\n"
                        "2024-01-05 B 8 8\n2024-01-09 E 9 9\n2024-02-01 A 2 2\n");
    env_verify(env, false);
    env_write(env, "2024-01-04 D 5 5\n"); /* all files are ours again */
    env_counts(env, 0, 1, 0);
    assert_int_equal(env->counts.rows_dropped, 0);
}

static void test_foreign__other_partitions_are_left_alone(void **state) {
    lake_env *env = *state;
    env_write(env, "2024-01-01 A 1 1\n2024-02-01 A 2 2\n");
    foreign_insert(env, "other.parquet", "1", "2024-01-05 B 5 5\n");
    env_write(env, "2024-02-01 A 3 3\n");
    assert_int_equal(env->counts.files_retired, 1);
    assert_non_null(strstr(env_read(env, NULL), "2024-01-05 B 5 5\n"));
}

static void test_foreign__file_without_a_partition_is_refused(void **state) {
    lake_env *env = *state;
    lochan_error err;
    env_write(env, "2024-01-01 A 1 1\n");
    foreign_insert(env, "other.parquet", "1", "2024-01-05 B 5 5\n");
    sql(env, "DELETE FROM ducklake_file_partition_value WHERE data_file_id = (SELECT "
             "max(data_file_id) FROM "
             "ducklake_data_file)");
    assert_status(env_try_write(env, "2024-01-02 A 1 1\n", &err), LOCHAN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.file, "other.parquet"));
    assert_non_null(strstr(env_read(env, NULL), "2024-01-05 B 5 5\n"));
}

static void test_foreign__delete_files_are_refused_by_name(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    env_write(env, "2024-01-01 A 1 1\n");
    sql(env, "INSERT INTO ducklake_delete_file SELECT 900, table_id, (SELECT max(snapshot_id) FROM "
             "ducklake_snapshot), "
             "NULL, data_file_id, 'd.parquet', 1, 'parquet', 1, 100, 50, NULL, NULL FROM "
             "ducklake_data_file LIMIT 1");
    assert_status(env_try_read(env, &o, NULL, &err), LOCHAN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "test.daily"));
    assert_status(env_try_write(env, "2024-01-01 A 2 2\n", &err), LOCHAN_ERR_UNSUPPORTED);
}

static void test_foreign__file_without_a_partition_stays_refused(void **state) {
    lake_env *env = *state;
    lochan_error err;
    env_write(env, "2024-01-01 A 1 1\n");
    foreign_insert(env, "other.parquet", "1", "2024-01-05 B 5 5\n");
    sql(env, "DELETE FROM ducklake_file_partition_value WHERE data_file_id = (SELECT "
             "max(data_file_id) FROM ducklake_data_file)");
    env_reopen(env); /* the other program's commit is recorded */
    assert_status(env_try_write(env, "2024-01-05 B 6 6\n", &err), LOCHAN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.file, "other.parquet"));
}

/* Another client deletes rows while a merge of their file is under way. */
static void test_foreign__rows_deleted_meanwhile_are_a_conflict(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_table *table;
    lochan_write *w;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_write_options o = {.mode = LOCHAN_WRITE_UPSERT};
    env_write(env, "2024-01-01 A 1 1\n2024-01-02 A 2 2\n");
    assert_ok(env_schema(env, 0, &schema, &err));
    assert_ok(env_ensure(env, 0, &table, &err));
    assert_ok(env_batch(env, 0, "2024-01-01 A 9 9\n", &batch, &err));
    assert_ok(lochan_write__begin(env->lake, table, &schema, &o, &w, &err));
    assert_ok(env_merge_all(w, &schema, &batch, &err));
    sql(env, "BEGIN; INSERT INTO ducklake_delete_file SELECT 900, table_id, (SELECT "
             "max(snapshot_id) + 1 FROM ducklake_snapshot), NULL, data_file_id, 'd.parquet', 1, "
             "'parquet', 1, 100, 50, NULL, NULL FROM ducklake_data_file LIMIT 1;"
             "INSERT INTO ducklake_snapshot SELECT snapshot_id + 1, '2099-01-01 "
             "00:00:00.000000+00', schema_version, next_catalog_id, next_file_id + 1 FROM "
             "ducklake_snapshot ORDER BY snapshot_id DESC LIMIT 1; COMMIT");
    assert_status(lochan_write__publish(w, NULL, NULL, NULL, &err), LOCHAN_ERR_CONFLICT);
    lochan_write__free(w);
    lochan_table__close(table);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_foreign__rows_are_read, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_foreign__merge_writes_the_partition_anew, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_foreign__other_partitions_are_left_alone, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_foreign__file_without_a_partition_is_refused,
                                        env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_foreign__file_without_a_partition_stays_refused,
                                        env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_foreign__rows_deleted_meanwhile_are_a_conflict,
                                        env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_foreign__delete_files_are_refused_by_name, env_setup,
                                        env_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
