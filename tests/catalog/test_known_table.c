/* test_known_table.c - a table's definition that is kept is the one that lake.db holds. */
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

static int64_t make_table(lochan_catalog *catalog, const char *name) {
    lochan_error err;
    lochan_txn *txn;
    int64_t table_id;
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(create_demo(txn, name, &table_id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    return table_id;
}

static void add_rows(lochan_catalog *catalog, int64_t table_id, const char *name) {
    lochan_error err;
    lochan_txn *txn;
    int64_t id;
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(add_demo(txn, table_id, name, 1, &id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
}

static void add_column(lochan_catalog *catalog, int64_t table_id, const char *name) {
    lochan_error err;
    lochan_txn *txn;
    int64_t column_id;
    struct ArrowSchema field;
    lochan_type type = {.id = LOCHAN_TYPE_STRING};
    ok(lochan_schema__set_field(&field, name, &type, true, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(lochan_txn__add_column(txn, table_id, 0, &field, &column_id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    field.release(&field);
}

/* The definition that `catalog` gives is the one that a fresh one reads. */
static void check_same(lochan_catalog *catalog, const char *dir, const char *name, int64_t columns,
                       int64_t rows) {
    lochan_error err;
    lochan_table_def a, b;
    lochan_catalog *fresh = open_lake(dir);
    ok(lochan_catalog__table(catalog, "ecb", name, -1, &a, &err));
    ok(lochan_catalog__table(fresh, "ecb", name, -1, &b, &err));
    assert_int_equal(a.schema.n_children, columns);
    assert_int_equal(b.schema.n_children, columns);
    for (int64_t i = 0; i < columns; i++) {
        assert_string_equal(a.schema.children[i]->name, b.schema.children[i]->name);
        assert_string_equal(a.schema.children[i]->format, b.schema.children[i]->format);
        assert_int_equal(lochan_schema__field_id(a.schema.children[i]),
                         lochan_schema__field_id(b.schema.children[i]));
    }
    assert_int_equal(a.rows, rows);
    assert_int_equal(b.rows, rows);
    assert_int_equal(a.bytes, b.bytes);
    assert_int_equal(a.snapshot_id, b.snapshot_id);
    assert_int_equal(a.table_id, b.table_id);
    assert_int_equal(a.schema_begin, b.schema_begin);
    assert_int_equal(a.partition_id, b.partition_id);
    assert_int_equal(a.dataset_id, b.dataset_id);
    assert_string_equal(a.uuid, b.uuid);
    assert_string_equal(a.path, b.path);
    assert_int_equal(a.n_partition, 2);
    assert_int_equal(a.n_sort, 2);
    for (size_t i = 0; i < 2; i++) {
        assert_string_equal(a.partition[i].transform, b.partition[i].transform);
        assert_string_equal(a.partition[i].name, b.partition[i].name);
        assert_string_equal(a.sort[i].expression, b.sort[i].expression);
        assert_int_equal(a.sort[i].column, b.sort[i].column);
    }
    lochan_table_def__deinit(&a);
    lochan_table_def__deinit(&b);
    lochan_catalog__close(fresh);
}

static void test_known_table__own_commits_are_seen(void **state) {
    lochan_catalog *catalog = open_lake(*state);
    int64_t id = make_table(catalog, "fx");
    check_same(catalog, *state, "fx", 3, 0);
    add_rows(catalog, id, "fx");
    check_same(catalog, *state, "fx", 3, 10);
    add_column(catalog, id, "note");
    check_same(catalog, *state, "fx", 4, 10);
    lochan_catalog__close(catalog);
}

static void test_known_table__commits_of_others_are_seen(void **state) {
    lochan_catalog *catalog = open_lake(*state), *other = open_lake(*state);
    int64_t id = make_table(other, "fx");
    check_same(catalog, *state, "fx", 3, 0);
    add_column(other, id, "note");
    check_same(catalog, *state, "fx", 4, 0);
    add_rows(other, id, "fx");
    check_same(catalog, *state, "fx", 4, 10);
    lochan_catalog__close(other);
    lochan_catalog__close(catalog);
}

/* A program that knows DuckLake only: a new schema version, and the column under another name. */
static void test_known_table__changes_of_other_programs_are_seen(void **state) {
    lochan_error err;
    sqlite3 *db;
    char *path = path_in(*state, "lake.db"), *message = NULL;
    lochan_table_def def;
    lochan_catalog *catalog = open_lake(*state);
    make_table(catalog, "fx");
    check_same(catalog, *state, "fx", 3, 0);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    if (sqlite3_exec(db,
                     "BEGIN; INSERT INTO ducklake_snapshot SELECT snapshot_id + 1, snapshot_time, "
                     "schema_version + 1, next_catalog_id, next_file_id FROM ducklake_snapshot "
                     "ORDER BY snapshot_id DESC LIMIT 1;"
                     "UPDATE ducklake_column SET column_name = 'last' WHERE column_name = 'close';"
                     "COMMIT",
                     NULL, NULL, &message) != SQLITE_OK)
        fail_msg("%s", message);
    sqlite3_close(db);
    ok(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, &err));
    assert_string_equal(def.schema.children[2]->name, "last");
    lochan_table_def__deinit(&def);
    lochan_catalog__close(catalog);
    lochan_mem__free(path);
}

static void test_known_table__more_tables_than_are_kept(void **state) {
    char name[16];
    int64_t ids[20];
    lochan_catalog *catalog = open_lake(*state);
    for (int i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "t%d", i);
        ids[i] = make_table(catalog, name);
    }
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof name, "t%d", i);
            check_same(catalog, *state, name, 3, round * 10);
            if (round == 0)
                add_rows(catalog, ids[i], name);
        }
    }
    lochan_catalog__close(catalog);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_known_table__own_commits_are_seen, setup, teardown),
        cmocka_unit_test_setup_teardown(test_known_table__commits_of_others_are_seen, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_known_table__changes_of_other_programs_are_seen, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_known_table__more_tables_than_are_kept, setup,
                                        teardown),
    };
    be_quiet();
    use_memory_folder();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
