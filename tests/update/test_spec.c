/* Dataset specs: what a good one becomes, and that every error says where it is. */
#include "support/cmocka_all.h"
#include "update/bundled.h"
#include "update/spec.h"

#include <stdio.h>
#include <string.h>

static lochan_dataset_spec *parse(const char *text) {
    lochan_dataset_spec *spec = NULL;
    lochan_error err;
    lochan_error_init(&err);
    assert_ok(lochan_dataset_spec__parse(text, strlen(text), "test.yaml", &spec, &err));
    return spec;
}

static const char good[] = "name: daily\n"
                           "source: tushare\n"
                           "asset_column: ts_code\n"
                           "time_column: trade_date\n"
                           "request_options: {date_chunk_months: 3, params: {adj: none}}\n"
                           "columns:\n"
                           "  close: float64\n"
                           "  time: {type: date, format: \"%Y%m%d\"}\n"
                           "  vol: {type: int64, nullable: false}\n"
                           "primary_key: [asset_id, time]\n"
                           "partition_strategy: year_month\n"
                           "sort_columns: [time, asset_id]\n";

static void test_spec__columns_are_in_table_order(void **state) {
    (void)state;
    lochan_dataset_spec *spec = parse(good);
    const char *const expected[] = {"asset_id", "time", "close", "vol"};
    assert_int_equal(spec->n_columns, 4);
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(spec->columns[i].name, expected[i]);
    assert_string_equal(spec->columns[0].field, "ts_code");
    assert_string_equal(spec->columns[1].field, "trade_date");
    assert_true(spec->columns[1].has_format);
    lochan_dataset_spec__free(spec);
}

static void test_spec__key_columns_are_never_null(void **state) {
    (void)state;
    lochan_dataset_spec *spec = parse(good);
    assert_false(lochan_dataset_spec__column(spec, "asset_id")->nullable);
    assert_false(lochan_dataset_spec__column(spec, "time")->nullable);
    assert_true(lochan_dataset_spec__column(spec, "close")->nullable);
    assert_false(lochan_dataset_spec__column(spec, "vol")->nullable);
    lochan_dataset_spec__free(spec);
}

static void test_spec__defaults(void **state) {
    (void)state;
    lochan_dataset_spec *spec = parse(good);
    assert_string_equal(spec->source_dataset, "daily");
    assert_int_equal(spec->chunk_unit, LOCHAN_CHUNK_MONTHS);
    assert_int_equal(spec->chunk_count, 3);
    assert_int_equal(spec->settle_days, 1);
    assert_int_equal(spec->n_params, 1);
    assert_string_equal(spec->params[0].value, "none");
    assert_false(spec->has_default_start);
    assert_int_equal(spec->new_columns, LOCHAN_NEW_COLUMNS_EVOLVE);
    lochan_dataset_spec__free(spec);
}

static void test_spec__upkeep_of_files(void **state) {
    (void)state;
    char text[1024];
    lochan_dataset_spec *spec = parse(good);
    assert_true(!spec->upkeep.automatic && spec->upkeep.n_cluster == 0);
    lochan_dataset_spec__free(spec);
    snprintf(text, sizeof text, "%scluster_columns: [asset_id, time]\n", good);
    spec = parse(text);
    assert_false(spec->upkeep.automatic);
    assert_int_equal(spec->upkeep.n_cluster, 2);
    assert_string_equal(spec->upkeep.cluster[0], "asset_id");
    lochan_dataset_spec__free(spec);
    snprintf(text, sizeof text,
             "%scompaction: {max_files: 12, min_file_bytes: 1MiB, target_file_bytes: 64MiB,"
             " max_input_bytes: 1GiB}\n",
             good);
    spec = parse(text);
    assert_true(spec->upkeep.automatic);
    assert_int_equal(spec->upkeep.max_files, 12);
    assert_int_equal(spec->upkeep.min_file_bytes, 1 << 20);
    assert_int_equal(spec->upkeep.target_file_bytes, 64 << 20);
    assert_int_equal(spec->upkeep.max_input_bytes, 1 << 30);
    lochan_dataset_spec__free(spec);
    snprintf(text, sizeof text, "%scompaction: {auto: false}\n", good);
    spec = parse(text);
    assert_false(spec->upkeep.automatic);
    lochan_dataset_spec__free(spec);
}

static void test_spec__bundled_ones_parse(void **state) {
    (void)state;
    size_t datasets = 0;
    for (size_t i = 0; i < lochan_bundled__count; i++) {
        const lochan_bundled *bundled = &lochan_bundled__specs[i];
        if (strncmp(bundled->path, "datasets/", 9) != 0)
            continue;
        datasets++;
        lochan_dataset_spec *spec = parse(bundled->text);
        char path[300];
        snprintf(path, sizeof path, "datasets/%s/%s.yaml", spec->source, spec->name);
        assert_string_equal(path, bundled->path);
        lochan_dataset_spec__free(spec);
    }
    assert_true(datasets >= 1);
}

/* Each bad spec with the line and column of the blame and a part of the message or hint. */
static const struct bad {
    const char *text;
    int line, column;
    const char *says;
} bad[] = {
    {"source: s\n", 1, 1, "name"},
    {"name: d\n", 1, 1, "source"},
    {"name: ../../x\nsource: s\n", 1, 7, "name"},
    {"name: d\nsource: a/b\n", 2, 9, "source"},
    {"name: d\nsource: staging\n", 2, 9, "reserved"},
    {"name: d\nsource: s\nprimary_keys: [a]\n", 3, 1, "primary_key"},
    {"name: d\nsource: s\nrequest_planner: snapshoot\n", 3, 18, "snapshot"},
    {"name: d\nsource: s\npartition_strategy: year_monht\n", 3, 21, "year_month"},
    {"name: d\nsource: s\nupdate_mode: merge\n", 3, 14, "upsert"},
    {"name: d\nsource: s\nrequest_options: {date_chunk_years: 0}\n", 3, 37, "date_chunk_years"},
    {"name: d\nsource: s\nrequest_options: {date_chunk_years: 1, date_chunk_days: 2}\n", 3, 19,
     "exclude"},
    {"name: d\nsource: s\ndefault_start: 2020-13-01\n", 3, 16, "2020-13-01"},
    {"name: d\nsource: s\nsettle_days: -1\n", 3, 14, "settle_days"},
    {"name: d\nsource: s\ncolumns:\n  close: flaot64\n", 4, 10, "flaot64"},
    {"name: d\nsource: s\ncolumns:\n  close: {typ: float64}\n", 4, 11, "type"},
    {"name: d\nsource: s\ncolumns:\n  close: {type: float64, format: \"%Y\"}\n", 4, 26, "format"},
    {"name: d\nsource: s\ncolumns:\n  t: {type: date, format: \"%Q\"}\n", 4, 27, "%Q"},
    {"name: d\nsource: s\ncolumns:\n  _known_at: date\n", 4, 3, "reserved"},
    {"name: d\nsource: s\ncolumns:\n  source: string\n", 4, 3, "reserved"},
    {"name: d\nsource: s\ncolumns: {a: int64}\nprimary_key: [a, b]\n", 4, 14,
     "'b' is not declared"},
    {"name: d\nsource: s\ncolumns: {a: int64}\nprimary_key: [a, a]\n", 4, 14, "twice"},
    {"name: d\nsource: s\ncolumns: {a: int64}\n", 1, 1, "primary_key"},
    {"name: d\nsource: s\ncolumns: {a: int64}\nprimary_key: [a]\npartition_strategy: year_month\n",
     5, 21, "time"},
    {"name: d\nsource: s\nfield_mapping: {x: a, y: a}\n", 3, 16, "both become 'a'"},
    {"name: d\nsource: s\nfield_mapping: {x: a}\ntime_column: x\n", 4, 14, "mapped to 'a'"},
    {"name: d\nsource: s\ncolumns: {a: int64}\nprimary_key: [a]\ncompaction: {max_file: 2}\n", 5,
     14, "max_files"},
    {"name: d\nsource: s\ncolumns: {a: int64}\nprimary_key: [a]\ncompaction: {max_files: 1}\n", 5,
     25, "max_files"},
    {"name: d\nsource: s\ncolumns: {a: int64}\nprimary_key: [a]\n"
     "compaction: {max_input_bytes: 2TiB}\n",
     5, 31, "1 TiB"},
    {"name: d\nsource: s\ncolumns: {a: int64}\nprimary_key: [a]\n"
     "compaction: {cluster_after_days: 2}\n",
     5, 34, "cluster_columns"},
    {"name: d\nsource: s\ncolumns: {a: int64}\nprimary_key: [a]\ncluster_columns: [b]\n", 5, 18,
     "'b' is not declared"},
    {"name: d\nsource: s\ncolumns: {a: int64}\nupdate_mode: snapshot_replace\ndeduplication: none\n"
     "point_in_time: true\n",
     6, 16, "primary_key"},
    {"name: d\nsource: s\nnormalizer: wide_to_long\n", 1, 1, "normalizer_options"},
    {"name: d\nsource: s\nnormalizer: wide_to_long\nnormalizer_options: {name_to: a, value_to: "
     "b}\n",
     4, 31, "not declared"},
    {"name: d\nsource: s\nnormalizer: wide_to_long\ncolumns: {v: string}\n"
     "normalizer_options: {name_to: v, value_to: v}\n",
     5, 44, "both 'v'"},
    {"name: d\nsource: s\ntime_column: day\ncolumns: {day: string}\n", 4, 10,
     "both filled from field 'day'"},
    {"name: d\nsource: s\ncolumns: {time: string}\n", 3, 10, "date or a timestamp"},
    {"name: d\nname: e\nsource: s\n", 2, 1, "name"},
    {"name: d\nsource: s\ncolumns: [a]\n", 3, 10, "map"},
    {"- a\n", 1, 1, "map"},
    {"name: [d\n", 2, 1, ""},
};

static void test_spec__errors_say_where(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        lochan_dataset_spec *spec = NULL;
        lochan_error err;
        lochan_error_init(&err);
        lochan_status rc =
            lochan_dataset_spec__parse(bad[i].text, strlen(bad[i].text), "bad.yaml", &spec, &err);
        if (rc != LOCHAN_ERR_SPEC)
            fail_msg("%s\n: got %s", bad[i].text, lochan_status_name(rc));
        assert_null(spec);
        assert_string_equal(err.file, "bad.yaml");
        if (err.line != bad[i].line || err.line_column != bad[i].column)
            fail_msg("%s\n: %lld:%lld, expected %d:%d: %s", bad[i].text, (long long)err.line,
                     (long long)err.line_column, bad[i].line, bad[i].column, err.message);
        if (!strstr(err.message, bad[i].says) && !strstr(err.hint, bad[i].says))
            fail_msg("%s\n: '%s' (hint '%s') does not say '%s'", bad[i].text, err.message, err.hint,
                     bad[i].says);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec__columns_are_in_table_order),
        cmocka_unit_test(test_spec__key_columns_are_never_null),
        cmocka_unit_test(test_spec__defaults),
        cmocka_unit_test(test_spec__upkeep_of_files),
        cmocka_unit_test(test_spec__bundled_ones_parse),
        cmocka_unit_test(test_spec__errors_say_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
