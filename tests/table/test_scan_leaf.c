/* test_scan_leaf.c - predicates on fields of structs: decided by the catalog's statistics, by the
 * reader, and on rows where the file cannot decide. */
#include "table/lake_env.h"

#include <lochan/lake.h>

/* time, asset_id, quote{bid, venue{code}} */
static lochan_status make_schema(struct ArrowSchema *out, lochan_error *err) {
    lochan_type date = {.id = LOCHAN_TYPE_DATE32}, text = {.id = LOCHAN_TYPE_STRING},
                count = {.id = LOCHAN_TYPE_INT64}, group = {.id = LOCHAN_TYPE_STRUCT};
    LOCHAN_TRY(lochan_schema__init_struct(out, 3, err));
    LOCHAN_TRY(lochan_schema__set_field(out->children[0], "time", &date, false, err));
    LOCHAN_TRY(lochan_schema__set_field(out->children[1], "asset_id", &text, false, err));
    LOCHAN_TRY(lochan_schema__set_nested(out->children[2], "quote", &group, true, 2, err));
    struct ArrowSchema **quote = out->children[2]->children;
    LOCHAN_TRY(lochan_schema__set_field(quote[0], "bid", &count, true, err));
    LOCHAN_TRY(lochan_schema__set_nested(quote[1], "venue", &group, true, 1, err));
    return lochan_schema__set_field(quote[1]->children[0], "code", &text, true, err);
}

/* i % 5 == 0: no quote; i % 5 == 1: no venue; else bid = i, code = "c<i % 3>". */
static lochan_status make_rows(const struct ArrowSchema *schema, int first, int n,
                               struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_builder *b = NULL;
    memset(out, 0, sizeof *out);
    LOCHAN_TRYG(lochan_builder__create(schema, &b, err));
    lochan_builder *quote = lochan_builder__child(b, 2), *venue = lochan_builder__child(quote, 1);
    for (int i = first; i < first + n; i++) {
        char code[8];
        snprintf(code, sizeof code, "c%d", i % 3);
        LOCHAN_TRYG(lochan_builder__int64(lochan_builder__child(b, 0), 19723 + i, err));
        LOCHAN_TRYG(lochan_builder__bytes_value(lochan_builder__child(b, 1), "A", 1, err));
        if (i % 5 == 0) {
            LOCHAN_TRYG(lochan_builder__null(quote, err));
        } else {
            LOCHAN_TRYG(lochan_builder__int64(lochan_builder__child(quote, 0), i, err));
            if (i % 5 == 1) {
                LOCHAN_TRYG(lochan_builder__null(venue, err));
            } else {
                LOCHAN_TRYG(
                    lochan_builder__bytes_value(lochan_builder__child(venue, 0), code, 2, err));
                LOCHAN_TRYG(lochan_builder__end_row(venue, err));
            }
            LOCHAN_TRYG(lochan_builder__end_row(quote, err));
        }
        LOCHAN_TRYG(lochan_builder__end_row(b, err));
    }
    LOCHAN_TRYG(lochan_builder__finish(b, out, err));
done:
    lochan_builder__free(b);
    return rc;
}

static lochan_status write_rows(lake_env *env, int first, int n, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    static const char *const key[] = {"asset_id", "time"};
    struct ArrowSchema schema = {0};
    struct ArrowArray rows = {0};
    lochan_table *table = NULL;
    lochan_write *w = NULL;
    lochan_write_options o = {.mode = LOCHAN_WRITE_UPSERT};
    LOCHAN_TRYG(make_schema(&schema, err));
    lochan_table_spec spec = {
        .source = "test",
        .name = "daily",
        .schema = &schema,
        .key = key,
        .n_key = 2,
        .sort = &key[1],
        .n_sort = 1,
        .partition = {.strategy = "year_month", .columns = &key[1], .n_columns = 1},
        .point_in_time = true};
    LOCHAN_TRYG(make_rows(&schema, first, n, &rows, err));
    LOCHAN_TRYG(lochan_table__ensure(env->lake, &spec, &table, err));
    LOCHAN_TRYG(lochan_write__begin(env->lake, table, &schema, &o, &w, err));
    LOCHAN_TRYG(lochan_write__add(w, 0, &rows, err));
    LOCHAN_TRYG(lochan_write__publish(w, NULL, NULL, NULL, err));
done:
    lochan_write__free(w);
    lochan_table__close(table);
    lochan_array__release(&rows);
    lochan_schema__release(&schema);
    return rc;
}

static const char *days(lake_env *env, const char *where, int64_t *files_read) {
    static const char *const columns[] = {"time"};
    lochan_error err;
    lochan_scan_stats stats;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.where = where;
    o.columns = columns;
    o.n_columns = 1;
    assert_ok(env_try_read(env, &o, &stats, &err));
    if (files_read)
        *files_read = stats.files_read;
    return env->text;
}

static void test_scan_leaf__values_and_nulls(void **state) {
    lake_env *env = *state;
    lochan_error err;
    assert_ok(write_rows(env, 0, 10, &err));
    assert_string_equal(days(env, "quote.bid > 6", NULL), "2024-01-08\n2024-01-09\n2024-01-10\n");
    assert_string_equal(days(env, "quote.bid is null", NULL), "2024-01-01\n2024-01-06\n");
    assert_string_equal(days(env, "quote.venue.code is null", NULL),
                        "2024-01-01\n2024-01-02\n2024-01-06\n2024-01-07\n");
    assert_string_equal(days(env, "quote.venue.code = 'c2' and quote.bid < 5", NULL),
                        "2024-01-03\n");
}

/* _known_at cannot be judged by the file: the predicate is applied to rows. */
static void test_scan_leaf__on_rows(void **state) {
    lake_env *env = *state;
    lochan_error err;
    assert_ok(write_rows(env, 0, 10, &err));
    assert_string_equal(days(env, "_known_at is not null and quote.bid > 6", NULL),
                        "2024-01-08\n2024-01-09\n2024-01-10\n");
    assert_string_equal(days(env, "_known_at is not null and quote.venue.code is null", NULL),
                        "2024-01-01\n2024-01-02\n2024-01-06\n2024-01-07\n");
    assert_string_equal(days(env, "_known_at is null and quote.bid > 6", NULL), "");
}

static void test_scan_leaf__files_are_pruned(void **state) {
    lake_env *env = *state;
    lochan_error err;
    int64_t read;
    assert_ok(write_rows(env, 0, 10, &err));
    assert_ok(write_rows(env, 40, 10, &err));
    assert_string_equal(days(env, "quote.bid = 42", &read), "2024-02-12\n");
    assert_int_equal(read, 1);
    assert_string_equal(days(env, "quote.bid > 1000", &read), "");
    assert_int_equal(read, 0);
}

static void test_scan_leaf__unknown_fields_are_told(void **state) {
    static const char *const wrong[] = {"quote.ask > 1", "quote.venue = 'x'", "quote. = 1",
                                        "quote.bid.x = 1", "asset_id.x = 1"};
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream stream;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    assert_ok(write_rows(env, 0, 10, &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(wrong); i++) {
        o.where = wrong[i];
        assert_true(lochan_lake_scan(env->lake, "test", "daily", &o, &stream, &err) != LOCHAN_OK);
        assert_true(err.message[0] != '\0');
        assert_null(stream.release);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_scan_leaf__values_and_nulls, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan_leaf__on_rows, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan_leaf__files_are_pruned, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_scan_leaf__unknown_fields_are_told, env_setup,
                                        env_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
