/* test_table.c - table definitions: what is refused, what is made, what may change later. */
#include "table/lake_env.h"

static lochan_status ensure(lake_env *env, const lochan_table_spec *spec, lochan_error *err) {
    lochan_table *table = NULL;
    lochan_status rc = lochan_table__ensure(env->lake, spec, &table, err);
    assert_true((rc == LOCHAN_OK) == (table != NULL));
    lochan_table__close(table);
    return rc;
}

static void test_table__made_once_and_found_again(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_table *a, *b;
    assert_ok(env_ensure(env, 0, &a, &err));
    assert_string_equal(a->full_name, "test.daily");
    assert_string_equal(a->def.path, "data/test/daily/");
    assert_int_equal(a->n_order, 2);
    assert_int_equal(a->order[0].column, 0);
    assert_int_equal(a->order[1].column, 1);
    assert_int_equal(a->n_key, 2);
    assert_int_equal(a->time_column, 0);
    assert_int_equal(a->known_at, -1);
    assert_int_equal(lochan_schema__field_id(a->def.schema.children[3]), 4);
    assert_ok(env_ensure(env, 0, &b, &err));
    assert_int_equal(a->def.table_id, b->def.table_id);
    assert_int_equal(a->def.snapshot_id, b->def.snapshot_id); /* nothing was committed */
    lochan_table__close(a);
    lochan_table__close(b);
}

static void test_table__columns_are_added(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_table *a, *b;
    assert_ok(env_ensure(env, 0, &a, &err));
    assert_ok(env_ensure(env, 1, &b, &err));
    assert_int_equal(b->def.schema.n_children, 5);
    assert_int_equal(lochan_schema__field_id(b->def.schema.children[4]), 5);
    assert_true(b->def.schema_begin > a->def.schema_begin);
    lochan_table__close(b);
    env->point_in_time = true;
    assert_ok(env_ensure(env, 0, &b, &err)); /* _known_at comes, note stays */
    assert_int_equal(b->def.schema.n_children, 6);
    assert_int_equal(b->known_at, 5);
    lochan_table__close(a);
    lochan_table__close(b);
}

/* DuckDB cannot open a lake with two such columns. */
static void test_table__column_that_differs_in_case_is_refused(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_table *table;
    struct ArrowSchema schema = {0};
    lochan_type text = {.id = LOCHAN_TYPE_STRING};
    assert_ok(env_ensure(env, 0, &table, &err));
    lochan_table__close(table);
    assert_ok(env_schema(env, 0, &schema, &err));
    lochan_schema__release(schema.children[2]);
    assert_ok(lochan_schema__set_field(schema.children[2], "PRICE", &text, true, &err));
    lochan_table_spec spec = env_spec(env, &schema);
    assert_status(lochan_table__ensure(env->lake, &spec, &table, &err), LOCHAN_ERR_SCHEMA);
    assert_non_null(strstr(err.message, "'price'"));
    lochan_schema__release(&schema);
}

static void test_table__wrong_definitions_are_refused(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowSchema schema;
    static const char *const unknown[] = {"colour"}, *const price[] = {"price"},
                             *const asset[] = {"asset_id"}, *const twice[] = {"time", "time"},
                             *const both[] = {"asset_id", "time"};
    assert_ok(env_schema(env, 0, &schema, &err));
    const lochan_table_spec good = env_spec(env, &schema);
    lochan_table_spec s = good;
#define REFUSED(expected_column)                                                                   \
    do {                                                                                           \
        assert_status(ensure(env, &s, &err), LOCHAN_ERR_SPEC);                                     \
        assert_string_equal(err.column, expected_column);                                          \
        s = good;                                                                                  \
    } while (0)
    s.key = unknown, s.n_key = 1;
    REFUSED("colour");
    s.key = price, s.n_key = 1; /* nullable and floating */
    REFUSED("price");
    s.key = twice, s.n_key = 2;
    REFUSED("time");
    s.key = asset, s.n_key = 1; /* does not determine sort and partition */
    REFUSED("time");
    s.sort = unknown, s.n_sort = 1;
    REFUSED("colour");
    s.sort = both, s.n_sort = 2, s.key = asset, s.n_key = 1;
    REFUSED("time");
    s.partition.columns = asset; /* text has no year */
    REFUSED("asset_id");
    s.partition.columns = unknown;
    REFUSED("colour");
    s.partition.strategy = "by_moon";
    REFUSED("");
    s.partition.n_columns = 0;
    REFUSED("");
    s.source = "staging";
    REFUSED("");
    lochan_schema__release(&schema);
#undef REFUSED
}

static void test_table__hostile_names_are_refused(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowSchema schema;
    static const char *const bad[] = {"",    "..",   "../../x", "a/b",        ".hidden",
                                      "-rf", "a\nb", "a b",     "caf\xc3\xa9"};
    assert_ok(env_schema(env, 0, &schema, &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        lochan_table_spec s = env_spec(env, &schema);
        s.name = bad[i];
        assert_true(ensure(env, &s, &err) != LOCHAN_OK);
        s = env_spec(env, &schema);
        s.source = bad[i];
        assert_true(ensure(env, &s, &err) != LOCHAN_OK);
    }
    lochan_schema__release(&schema);
    env_verify(env, false);
}

static void test_table__columns_readers_would_stumble_over(void **state) {
    lake_env *env = *state;
    lochan_error err;
    static const char *const bad[] = {"year", "Month", "_known_at", "_KNOWN_AT", "PRICE", ""};
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        struct ArrowSchema schema;
        lochan_type text = {.id = LOCHAN_TYPE_STRING};
        assert_ok(env_schema(env, 1, &schema, &err));
        lochan_schema__release(schema.children[4]);
        assert_ok(lochan_schema__set_field(schema.children[4], bad[i], &text, true, &err));
        lochan_table_spec s = env_spec(env, &schema);
        assert_status(ensure(env, &s, &err), LOCHAN_ERR_SPEC);
        lochan_schema__release(&schema);
    }
}

static void test_table__type_clash_names_both(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowSchema schema;
    lochan_table *table;
    lochan_type integer = {.id = LOCHAN_TYPE_INT32};
    assert_ok(env_ensure(env, 0, &table, &err));
    lochan_table__close(table);
    assert_ok(env_schema(env, 0, &schema, &err));
    lochan_schema__release(schema.children[2]);
    assert_ok(lochan_schema__set_field(schema.children[2], "price", &integer, true, &err));
    lochan_table_spec s = env_spec(env, &schema);
    assert_status(ensure(env, &s, &err), LOCHAN_ERR_SCHEMA);
    assert_string_equal(err.column, "price");
    assert_string_equal(err.table, "test.daily");
    assert_non_null(strstr(err.message, "float64"));
    assert_non_null(strstr(err.message, "int32"));
    lochan_schema__release(&schema);
}

static void test_table__layouts_of_text_are_one_type(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowSchema schema;
    lochan_table *table;
    lochan_type index = {.id = LOCHAN_TYPE_INT32}, text = {.id = LOCHAN_TYPE_STRING},
                large = {.id = LOCHAN_TYPE_LARGE_STRING};
    assert_ok(env_ensure(env, 0, &table, &err));
    lochan_table__close(table);
    assert_ok(env_schema(env, 0, &schema, &err));
    lochan_schema__release(schema.children[1]);
    assert_ok(
        lochan_schema__set_dictionary(schema.children[1], "asset_id", &index, &text, false, &err));
    lochan_table_spec s = env_spec(env, &schema);
    assert_ok(ensure(env, &s, &err));
    lochan_schema__release(schema.children[1]);
    assert_ok(lochan_schema__set_field(schema.children[1], "asset_id", &large, false, &err));
    assert_ok(ensure(env, &s, &err));
    lochan_schema__release(&schema);
}

static void test_table__order_partition_and_needed_columns_hold(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowSchema schema, fewer;
    lochan_table *table;
    static const char *const by_asset[] = {"asset_id"};
    static const int columns[] = {0, 1, 2};
    assert_ok(env_ensure(env, 0, &table, &err));
    lochan_table__close(table);
    assert_ok(env_schema(env, 0, &schema, &err));
    lochan_table_spec s = env_spec(env, &schema);
    s.sort = by_asset;
    assert_status(ensure(env, &s, &err), LOCHAN_ERR_SCHEMA);
    assert_non_null(strstr(err.message, "(time, asset_id)"));
    s = env_spec(env, &schema);
    s.partition = (lochan_partition_def){0};
    assert_status(ensure(env, &s, &err), LOCHAN_ERR_SCHEMA);
    assert_non_null(strstr(err.message, "year(time)"));
    assert_ok(
        lochan_schema__select(&schema, columns, 3, &fewer, &err)); /* qty is nullable: it may go */
    s = env_spec(env, &fewer);
    assert_ok(ensure(env, &s, &err));
    lochan_schema__release(&fewer);
    lochan_schema__release(&schema);
}

static void test_table__new_column_must_be_nullable(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowSchema schema;
    lochan_table *table;
    assert_ok(env_ensure(env, 0, &table, &err));
    lochan_table__close(table);
    assert_ok(env_schema(env, 1, &schema, &err));
    schema.children[4]->flags &= ~ARROW_FLAG_NULLABLE;
    lochan_table_spec s = env_spec(env, &schema);
    assert_status(ensure(env, &s, &err), LOCHAN_ERR_SCHEMA);
    assert_string_equal(err.column, "note");
    lochan_schema__release(&schema);
    assert_ok(env_ensure(env, 0, &table, &err));
    assert_int_equal(table->def.schema.n_children, 4);
    lochan_table__close(table);
}

static void test_table__all_stored_types(void **state) {
    lake_env *env = *state;
    lochan_error err;
    static const char *const names[] = {"bool",
                                        "int8",
                                        "int16",
                                        "int32",
                                        "int64",
                                        "uint8",
                                        "uint16",
                                        "uint32",
                                        "uint64",
                                        "float32",
                                        "float64",
                                        "decimal(12,3)",
                                        "string",
                                        "binary",
                                        "date",
                                        "timestamp[us]",
                                        "timestamp[us, UTC]",
                                        "timestamp[ns]",
                                        "timestamp[ms]",
                                        "timestamp[s]"};
    struct ArrowSchema schema;
    assert_ok(lochan_schema__init_struct(&schema, LOCHAN_COUNTOF(names), &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++) {
        char name[16];
        lochan_type type;
        snprintf(name, sizeof name, "c%zu", i);
        assert_ok(lochan_type__from_name(names[i], &type, &err));
        assert_ok(lochan_schema__set_field(schema.children[i], name, &type, true, &err));
    }
    lochan_table_spec s = {.source = "test", .name = "types", .schema = &schema};
    lochan_table *table;
    assert_ok(lochan_table__ensure(env->lake, &s, &table, &err));
    assert_ok(lochan_schema__check_equal(&schema, &table->def.schema, &err));
    lochan_table__close(table);
    lochan_schema__release(&schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_table__made_once_and_found_again, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_table__column_that_differs_in_case_is_refused,
                                        env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_table__columns_are_added, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_table__wrong_definitions_are_refused, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_table__hostile_names_are_refused, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_table__columns_readers_would_stumble_over, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_table__type_clash_names_both, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_table__layouts_of_text_are_one_type, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_table__order_partition_and_needed_columns_hold,
                                        env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_table__new_column_must_be_nullable, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_table__all_stored_types, env_setup, env_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
