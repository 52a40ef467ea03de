/* test_ledger.c - sources, datasets, coverage and updates; status, runs and files as streams;
 * rebuild; foreign commits. */
#include "lake.h"

#include "arrow/array.h"
#include "arrow/view.h"

#include <sqlite3.h>

#define DAY_NS 86400000000000ll

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

static int32_t day(const char *s) {
    int32_t days;
    assert_true(lochan_civil__parse_date(s, strlen(s), &days));
    return days;
}

/* source ecb, dataset fx with a table of two files, one update, and coverage. */
static int64_t fill(const char *dir, lochan_catalog **out) {
    lochan_error err;
    lochan_txn *txn;
    int64_t table_id, id, dataset_id, snapshot;
    lochan_source_row source = {
        .name = "ecb", .spec = "name: ecb", .overrides = "{}", .bundled = true};
    lochan_dataset_row dataset = {.source = "ecb",
                                  .name = "fx",
                                  .spec = "name: fx",
                                  .spec_hash = "h",
                                  .mapping_hash = "m",
                                  .time_column = "day",
                                  .settle_ns = 2 * DAY_NS,
                                  .enabled = true,
                                  .table_id = -1};
    ok(lochan_catalog__open(dir, NULL, out, &err));
    ok(lochan_txn__begin(*out, NULL, NULL, NULL, &txn, &err));
    ok(lochan_txn__put_source(txn, &source, &err));
    ok(lochan_txn__put_dataset(txn, &dataset, &dataset_id, &err));
    ok(lochan_txn__commit(&txn, &snapshot, &err));
    assert_int_equal(snapshot, -1); /* no table changed */
    ok(lochan_txn__begin(*out, NULL, NULL, NULL, &txn, &err));
    ok(create_demo(txn, "fx", &table_id, &err));
    ok(lochan_txn__bind_dataset(txn, dataset_id, table_id, &err));
    ok(add_demo(txn, table_id, "fx", 1, &id, &err));
    ok(add_demo(txn, table_id, "fx", 2, &id, &err));
    lochan_coverage c = {.day_from = day("2024-01-01"),
                         .day_to = day("2024-01-31"),
                         .state = LOCHAN_COVERAGE_SUCCESS,
                         .asked_ns = (int64_t)day("2024-06-01") * DAY_NS,
                         .attempts = 1,
                         .rows = 10,
                         .content_hash = "abc",
                         .update_id = "u1"};
    ok(lochan_txn__put_coverage(txn, dataset_id, &c, &err));
    c.day_from = day("2024-02-01");
    c.day_to = day("2024-02-20");
    c.state = LOCHAN_COVERAGE_EMPTY;
    c.asked_ns = (int64_t)day("2024-02-15") * DAY_NS;
    ok(lochan_txn__put_coverage(txn, dataset_id, &c, &err));
    c.day_from = day("2024-02-21");
    c.day_to = day("2024-02-22");
    c.state = LOCHAN_COVERAGE_FAILED;
    c.message = "HTTP 503";
    ok(lochan_txn__put_coverage(txn, dataset_id, &c, &err));
    lochan_update_report report = {.struct_size = sizeof report,
                                   .snapshot_id = -1,
                                   .rows_fetched = 21,
                                   .rows_new = 20,
                                   .rows_duplicate = 1,
                                   .requests = 3,
                                   .seconds = 1.5};
    lochan_update_row update = {.update_id = "u1",
                                .dataset_id = dataset_id,
                                .kind = "backfill",
                                .state = "partial",
                                .started_ns = (int64_t)day("2024-06-01") * DAY_NS,
                                .finished_ns = (int64_t)day("2024-06-01") * DAY_NS + 1500000000,
                                .request = "{}",
                                .error = "one page failed",
                                .report = &report};
    lochan_failure_row failure = {.update_id = "u1",
                                  .scope = "2024-02-21..2024-02-22",
                                  .page = "0",
                                  .code = "HTTP",
                                  .http_status = 503,
                                  .message = "m",
                                  .attempts = 4,
                                  .at_ns = 1};
    ok(lochan_txn__put_update(txn, &update, &err));
    ok(lochan_txn__put_failure(txn, &failure, &err));
    ok(lochan_txn__commit(&txn, &snapshot, &err));
    assert_int_equal(snapshot, 1);
    return table_id;
}

static void test_ledger__rows_are_read_back(void **state) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_source_rows sources;
    lochan_dataset_rows datasets;
    lochan_coverage_rows coverage;
    int64_t table_id = fill(*state, &catalog);
    ok(lochan_catalog__sources(catalog, NULL, &sources, &err));
    assert_int_equal(sources.n, 1);
    assert_string_equal(sources.rows[0].spec, "name: ecb");
    assert_true(sources.rows[0].bundled);
    assert_true(sources.rows[0].created_ns > 0);
    lochan_source_rows__deinit(&sources);
    ok(lochan_catalog__datasets(catalog, "ecb", "fx", &datasets, &err));
    assert_int_equal(datasets.n, 1);
    assert_int_equal(datasets.rows[0].table_id, table_id);
    assert_int_equal(datasets.rows[0].settle_ns, 2 * DAY_NS);
    ok(lochan_catalog__coverage(catalog, datasets.rows[0].dataset_id, &coverage, &err));
    assert_int_equal(coverage.n, 3);
    assert_int_equal(coverage.rows[0].day_to, day("2024-01-31"));
    assert_string_equal(coverage.rows[0].content_hash, "abc");
    assert_int_equal(coverage.rows[2].state, LOCHAN_COVERAGE_FAILED);
    assert_string_equal(coverage.rows[2].message, "HTTP 503");
    lochan_coverage_rows__deinit(&coverage);
    /* the same key again replaces, another name is refused, delete deletes */
    lochan_txn *txn;
    lochan_dataset_row twin = {.source = "ecb", .name = "fx", .spec = "x"};
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    assert_int_equal(lochan_txn__put_dataset(txn, &twin, NULL, &err), LOCHAN_ERR_EXISTS);
    assert_int_equal(lochan_txn__commit(&txn, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(lochan_txn__delete_coverage(txn, datasets.rows[0].dataset_id, "", "", day("2024-02-21"),
                                   &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    ok(lochan_catalog__coverage(catalog, datasets.rows[0].dataset_id, &coverage, &err));
    assert_int_equal(coverage.n, 2);
    lochan_coverage_rows__deinit(&coverage);
    lochan_dataset_rows__deinit(&datasets);
    lochan_catalog__close(catalog);
}

/* ---- streams ---- */

typedef struct table {
    struct ArrowSchema schema;
    struct ArrowArray batch;
} table;

static void take(struct ArrowArrayStream *stream, table *out) {
    lochan_error err;
    struct ArrowArray end = {0};
    memset(out, 0, sizeof *out);
    ok(lochan_stream__schema(stream, &out->schema, &err));
    ok(lochan_stream__next(stream, &out->batch, &err));
    ok(lochan_stream__next(stream, &end, &err));
    assert_null(end.release);
    stream->release(stream);
    ok(lochan_array__check(&out->schema, &out->batch, &err));
}

static void drop(table *t) {
    t->schema.release(&t->schema);
    t->batch.release(&t->batch);
}

/* Text of one cell; "" for null. */
static const char *cell(const table *t, const char *column, int64_t row) {
    static char text[4][200];
    static int turn;
    lochan_error err;
    lochan_view view;
    lochan_buf buf;
    char *out = text[turn++ % 4];
    int i = lochan_schema__find(&t->schema, column);
    assert_true(i >= 0);
    lochan_buf__init(&buf, 1000);
    ok(lochan_view__init(&view, t->schema.children[i], t->batch.children[i], &err));
    ok(lochan_view__print(&view, row, &buf, &err));
    snprintf(out, 200, "%s", buf.data ? (char *)buf.data : "");
    lochan_view__deinit(&view);
    lochan_buf__deinit(&buf);
    return out;
}

static lochan_status add_staged(void *ctx, lochan_dataset_status *row, lochan_error *err) {
    (void)err;
    row->staged_bytes = *(int64_t *)ctx;
    return LOCHAN_OK;
}

static void test_ledger__status_tells_the_state(void **state) {
    lochan_error err;
    lochan_catalog *catalog;
    struct ArrowArrayStream stream;
    table t;
    int64_t staged = 77;
    fill(*state, &catalog);
    ok(lochan_catalog__query_status(catalog, NULL, NULL, add_staged, &staged, &stream, &err));
    take(&stream, &t);
    assert_int_equal(t.batch.length, 1);
    assert_int_equal(t.schema.n_children, 18);
    assert_string_equal(cell(&t, "dataset", 0), "fx");
    assert_string_equal(cell(&t, "rows", 0), "20");
    assert_string_equal(cell(&t, "files", 0), "2");
    assert_string_equal(cell(&t, "partitions", 0), "2");
    assert_string_equal(cell(&t, "time_min", 0), "2024-01-01");
    assert_string_equal(cell(&t, "time_max", 0), "2024-02-10");
    assert_string_equal(cell(&t, "covered_to", 0),
                        "2024-02-12"); /* asked on the 15th, settles in two days */
    assert_string_equal(cell(&t, "last_state", 0), "partial");
    assert_string_equal(cell(&t, "failed_scopes", 0), "1");
    assert_string_equal(cell(&t, "staged_bytes", 0), "77");
    assert_string_equal(cell(&t, "snapshot_id", 0), "1");
    assert_string_equal(cell(&t, "asked_to", 0), "2024-02-20"); /* not what failed */
    assert_memory_equal(cell(&t, "asked_at", 0), "2024-06-01", 10);
    drop(&t);
    ok(lochan_catalog__query_status(catalog, "none", NULL, NULL, NULL, &stream, &err));
    take(&stream, &t);
    assert_int_equal(t.batch.length, 0);
    drop(&t);
    lochan_catalog__close(catalog);
}

static void test_ledger__runs_and_files(void **state) {
    lochan_error err;
    lochan_catalog *catalog;
    struct ArrowArrayStream stream;
    table t;
    fill(*state, &catalog);
    ok(lochan_catalog__query_runs(catalog, "ecb", NULL, -1, &stream, &err));
    take(&stream, &t);
    assert_int_equal(t.batch.length, 1);
    assert_string_equal(cell(&t, "kind", 0), "backfill");
    assert_string_equal(cell(&t, "rows_new", 0), "20");
    assert_string_equal(cell(&t, "seconds", 0), "1.5");
    assert_string_equal(cell(&t, "snapshot_id", 0), "1");
    assert_string_equal(cell(&t, "error", 0), "one page failed");
    drop(&t);
    ok(lochan_catalog__query_runs(catalog, NULL, NULL, 0, &stream, &err));
    take(&stream, &t);
    assert_int_equal(t.batch.length, 0);
    drop(&t);
    ok(lochan_catalog__query_files(catalog, NULL, NULL, &stream, &err));
    take(&stream, &t);
    assert_int_equal(t.batch.length, 2);
    assert_string_equal(cell(&t, "partition", 1), "2024/2");
    assert_string_equal(cell(&t, "time_max", 0), "2024-01-10");
    assert_int_equal(strncmp(cell(&t, "path", 0), "data/ecb/fx/2024-01/", 20), 0);
    drop(&t);
    assert_int_equal(lochan_catalog__query_files(catalog, "ecb", "none", &stream, &err),
                     LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "ecb/fx"));
    lochan_catalog__close(catalog);
}

/* ---- table statistics ---- */

static void test_ledger__statistics_follow_files(void **state) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_table_def def;
    lochan_txn *txn;
    lochan_file_list files;
    struct ArrowArrayStream stream;
    struct ArrowSchema field = {0};
    table t;
    int64_t table_id = fill(*state, &catalog), column_id, id;
    ok(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err));
    ok(lochan_catalog__files(catalog, &def, NULL, 0, &files, &err));
    /* replace both files by one of March, and add a column */
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(lochan_txn__retire_file(txn, table_id, files.files[0].id, &err));
    ok(lochan_txn__retire_file(txn, table_id, files.files[1].id, &err));
    ok(add_demo(txn, table_id, "fx", 3, &id, &err));
    lochan_type type = {.id = LOCHAN_TYPE_INT64};
    ok(lochan_schema__set_field(&field, "volume", &type, true, &err));
    ok(lochan_txn__add_column(txn, table_id, 0, &field, &column_id, &err));
    assert_int_equal(column_id, 4);
    assert_int_equal(lochan_txn__add_column(txn, table_id, 0, &field, &column_id, &err),
                     LOCHAN_ERR_EXISTS);
    lochan_txn__abort(txn);
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(lochan_txn__retire_file(txn, table_id, files.files[0].id, &err));
    ok(lochan_txn__retire_file(txn, table_id, files.files[1].id, &err));
    ok(add_demo(txn, table_id, "fx", 3, &id, &err));
    ok(lochan_txn__add_column(txn, table_id, 0, &field, &column_id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    field.release(&field);
    lochan_file_list__deinit(&files);
    lochan_table_def__deinit(&def);
    ok(lochan_catalog__query_status(catalog, NULL, NULL, NULL, NULL, &stream, &err));
    take(&stream, &t);
    assert_string_equal(cell(&t, "rows", 0), "10");
    assert_string_equal(cell(&t, "files", 0), "1");
    assert_string_equal(cell(&t, "partitions", 0), "1");
    assert_string_equal(cell(&t, "time_min", 0), "2024-01-01"); /* bounds only widen */
    assert_string_equal(cell(&t, "time_max", 0), "2024-03-10");
    drop(&t);
    ok(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err));
    assert_int_equal(def.schema.n_children, 4);
    assert_int_equal(lochan_schema__field_id(def.schema.children[3]), 4);
    lochan_table_def__deinit(&def);
    ok(lochan_catalog__table(catalog, "ecb", "fx", 1, &def, &err)); /* as of before */
    assert_int_equal(def.schema.n_children, 3);
    lochan_table_def__deinit(&def);
    lochan_catalog__close(catalog);
}

/* ---- rebuild ---- */

/* All rows of all tables but the outbox and what belongs to one file alone. */
static char *dump(const char *path) {
    sqlite3 *db;
    sqlite3_stmt *tables, *rows;
    lochan_error err;
    lochan_buf out;
    lochan_buf__init(&out, 64 << 20);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(
        sqlite3_prepare_v2(db,
                           "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> "
                           "'lochan_journal_outbox' ORDER BY name",
                           -1, &tables, NULL),
        SQLITE_OK);
    while (sqlite3_step(tables) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(tables, 0);
        char sql[400];
        int n = snprintf(sql, sizeof sql, "SELECT * FROM %s", name);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
        for (int i = 1; i <= sqlite3_column_count(rows); i++)
            n += snprintf(sql + n, sizeof sql - (size_t)n, "%s%d", i > 1 ? ", " : " ORDER BY ", i);
        sqlite3_finalize(rows);
        assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &rows, NULL), SQLITE_OK);
        while (sqlite3_step(rows) == SQLITE_ROW) {
            if (strcmp(name, "lochan_meta") == 0 &&
                strcmp((const char *)sqlite3_column_text(rows, 0), "incarnation") == 0)
                continue;
            ok(lochan_buf__puts(&out, name, &err));
            for (int i = 0; i < sqlite3_column_count(rows); i++) {
                const char *text = (const char *)sqlite3_column_text(rows, i);
                ok(lochan_buf__printf(&out, &err, "|%d:%s", sqlite3_column_type(rows, i),
                                      text ? text : ""));
            }
            ok(lochan_buf__putc(&out, '\n', &err));
        }
        sqlite3_finalize(rows);
    }
    sqlite3_finalize(tables);
    sqlite3_close(db);
    return (char *)lochan_buf__take(&out, NULL);
}

static void assert_rebuilds(const char *dir) {
    lochan_error err;
    int64_t records;
    char *db = path_in(dir, "lake.db"), *copy = path_in(dir, "again.db");
    ok(lochan_catalog__rebuild_from_journal(dir, copy, &records, &err));
    assert_int_equal(lochan_catalog__rebuild_from_journal(dir, copy, &records, &err),
                     LOCHAN_ERR_EXISTS);
    char *was = dump(db), *is = dump(copy);
    assert_string_equal(was, is);
    lochan_mem__free(was);
    lochan_mem__free(is);
    ok(lochan_fs__unlink(copy, false, &err));
    lochan_mem__free(db);
    lochan_mem__free(copy);
}

static void test_ledger__rebuild_gives_the_same_rows(void **state) {
    lochan_catalog *catalog;
    fill(*state, &catalog);
    lochan_catalog__close(catalog);
    assert_rebuilds(*state);
}

static void run_sql(const char *dir, const char *sql) {
    sqlite3 *db;
    char *path = path_in(dir, "lake.db"), *message = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db, sql, NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s: %s", sql, message);
    sqlite3_close(db);
    lochan_mem__free(path);
}

/* What a client of DuckLake writes for an insert and for a delete. */
static const char foreign_insert[] =
    "BEGIN; INSERT INTO ducklake_snapshot VALUES (2, '2030-01-01 00:00:00.5+00', 1, 10, 3);"
    "INSERT INTO ducklake_snapshot_changes VALUES (2, 'inserted_into_table:1', NULL, NULL, NULL);"
    "INSERT INTO ducklake_data_file VALUES (2, (SELECT table_id FROM ducklake_table), 2, NULL, "
    "NULL, 'd/x.parquet', 1, "
    "'parquet', 5, 400, 100, 20, (SELECT partition_id FROM ducklake_partition_info), NULL, NULL, "
    "NULL);"
    "INSERT INTO ducklake_file_partition_value VALUES (2, (SELECT table_id FROM ducklake_table), "
    "0, '2024');"
    "INSERT INTO ducklake_file_partition_value VALUES (2, (SELECT table_id FROM ducklake_table), "
    "1, '7');"
    "UPDATE ducklake_table_stats SET record_count = 25, next_row_id = 25, file_size_bytes = 2400;"
    "UPDATE ducklake_data_file SET end_snapshot = 2 WHERE data_file_id = 0;"
    "UPDATE ducklake_table_stats SET record_count = 15; COMMIT";

static void test_ledger__foreign_commits_enter_the_journal(void **state) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_table_def def;
    lochan_file_list files;
    struct ArrowArrayStream stream;
    table t;
    fill(*state, &catalog);
    lochan_catalog__close(catalog);
    run_sql(*state, foreign_insert);
    ok(lochan_catalog__open(*state, NULL, &catalog, &err));
    ok(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err));
    ok(lochan_catalog__files(catalog, &def, NULL, 0, &files, &err));
    assert_int_equal(files.n, 2);
    assert_true(files.files[1].foreign);
    assert_string_equal(files.files[1].path, "data/ecb/fx/d/x.parquet");
    assert_string_equal(files.files[1].partition_values[1], "7");
    lochan_file_list__deinit(&files);
    lochan_table_def__deinit(&def);
    ok(lochan_catalog__query_status(catalog, NULL, NULL, NULL, NULL, &stream, &err));
    take(&stream, &t);
    assert_string_equal(cell(&t, "files", 0), "2");
    assert_string_equal(cell(&t, "partitions", 0), "2");
    assert_string_equal(cell(&t, "rows", 0), "15");
    drop(&t);
    lochan_catalog__close(catalog);
    assert_rebuilds(*state);
    /* the clock of that client ran ahead: our next snapshot is younger all the same */
    lochan_txn *txn;
    int64_t id, snapshot;
    lochan_snapshot s2, s3;
    ok(lochan_catalog__open(*state, NULL, &catalog, &err));
    ok(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(add_demo(txn, def.table_id, "fx", 9, &id, &err));
    assert_int_equal(id, 3);
    ok(lochan_txn__commit(&txn, &snapshot, &err));
    assert_int_equal(snapshot, 3);
    ok(lochan_catalog__snapshot_at(catalog, "2", &s2, &err));
    ok(lochan_catalog__snapshot_at(catalog, NULL, &s3, &err));
    assert_true(s3.time_ns > s2.time_ns);
    lochan_table_def__deinit(&def);
    lochan_catalog__close(catalog);
}

static void test_ledger__what_we_cannot_read_is_refused_by_name(void **state) {
    static const char *const changes[][2] = {
        {"INSERT INTO ducklake_delete_file VALUES (9, (SELECT table_id FROM ducklake_table), 1, "
         "NULL, 0, 'x', 1, "
         "'parquet', 1, 1, 1, NULL, NULL)",
         "delete files"},
        {"DELETE FROM ducklake_delete_file; INSERT INTO ducklake_inlined_data_tables VALUES "
         "((SELECT table_id FROM "
         "ducklake_table), 'ducklake_inlined_data_1_1', 1); CREATE TABLE "
         "ducklake_inlined_data_1_1(row_id BIGINT, "
         "begin_snapshot BIGINT, end_snapshot BIGINT, a); INSERT INTO ducklake_inlined_data_1_1 "
         "VALUES (0, 1, NULL, 1)",
         "inside the catalog"},
        {"DELETE FROM ducklake_inlined_data_tables; UPDATE ducklake_data_file SET mapping_id = 3",
         "name mapping"},
    };
    lochan_error err;
    lochan_catalog *catalog;
    lochan_table_def def;
    lochan_file_list files;
    fill(*state, &catalog);
    ok(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err));
    ok(lochan_catalog__check_readable(catalog, &def, def.snapshot_id, &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(changes); i++) {
        run_sql(*state, changes[i][0]);
        assert_int_equal(lochan_catalog__files(catalog, &def, NULL, 0, &files, &err),
                         LOCHAN_ERR_UNSUPPORTED);
        assert_string_equal(err.table, "ecb.fx");
        assert_non_null(strstr(err.message, changes[i][1]));
    }
    lochan_table_def__deinit(&def);
    lochan_catalog__close(catalog);
}

/* ---- as of, tokens, locks ---- */

static void test_ledger__snapshots_by_time(void **state) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_snapshot s;
    fill(*state, &catalog);
    run_sql(*state, "UPDATE ducklake_snapshot SET snapshot_time = '2024-01-01 00:00:00+00' WHERE "
                    "snapshot_id = 0;"
                    "UPDATE ducklake_snapshot SET snapshot_time = '2024-02-01 12:00:00.5+00' WHERE "
                    "snapshot_id = 1");
    ok(lochan_catalog__snapshot_at(catalog, "2024-01-15", &s, &err));
    assert_int_equal(s.id, 0);
    ok(lochan_catalog__snapshot_at(catalog, "2024-02-01 12:00:00", &s, &err));
    assert_int_equal(s.id, 0);
    ok(lochan_catalog__snapshot_at(catalog, "2024-02-01 12:00:01", &s, &err));
    assert_int_equal(s.id, 1);
    assert_int_equal(lochan_catalog__snapshot_at(catalog, "2023-12-31", &s, &err),
                     LOCHAN_ERR_NOT_FOUND);
    assert_int_equal(lochan_catalog__snapshot_at(catalog, "17", &s, &err), LOCHAN_ERR_NOT_FOUND);
    assert_int_equal(lochan_catalog__snapshot_at(catalog, "soon", &s, &err),
                     LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_catalog__close(catalog);
}

static void test_ledger__the_queue_lock_names_its_holder(void **state) {
    lochan_error err;
    lochan_catalog *one, *two;
    lochan_txn *txn, *waiting;
    char pid[32];
    lochan_catalog_options options = {.command = "update ecb/fx", .lock_timeout_ms = 30};
    snprintf(pid, sizeof pid, "process %ld", (long)getpid());
    ok(lochan_catalog__open(*state, &options, &one, &err));
    ok(lochan_catalog__open(*state, &options, &two, &err));
    ok(lochan_txn__begin(one, NULL, NULL, NULL, &txn, &err));
    assert_int_equal(lochan_txn__begin(two, NULL, NULL, NULL, &waiting, &err), LOCHAN_ERR_LOCKED);
    assert_non_null(strstr(err.message, pid));
    lochan_txn__abort(txn);
    lochan_catalog__close(two);
    lochan_catalog__close(one);
}

int main(void) {
    be_quiet();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_ledger__rows_are_read_back, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger__status_tells_the_state, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger__runs_and_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger__statistics_follow_files, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger__rebuild_gives_the_same_rows, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger__foreign_commits_enter_the_journal, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ledger__what_we_cannot_read_is_refused_by_name, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_ledger__snapshots_by_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_ledger__the_queue_lock_names_its_holder, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
