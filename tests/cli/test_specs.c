/* Specs with errors of every kind: each names file, line and column, exits with 2, and adds
 * nothing. */
#include "command.h"

typedef struct bad {
    const char *yaml;
    const char *place; /* ":line:column:" */
    const char *says;
} bad;

#define HEAD "name: shop\nkind: http\n"

static const bad sources[] = {
    {"", ":1:1:", "expected a map"},
    {"name: [\n", ":", "invalid YAML"},
    {"name: shop\nkind: http\nurl: http://h\nname: again\n", ":4:1:", "duplicate key 'name'"},
    {"name: &a shop\nkind: http\nurl: http://h\n", ":1:", "anchors"},
    {"name: shop\n---\nname: b\n", ":", "documents"},
    {"name: shop\nkind: htpp\nurl: http://h\n", ":2:7:", "http"},
    {HEAD, ":1:1:", "url"},
    {HEAD "url: ftp://h\n", ":3:6:", "http://HOST"},
    {HEAD "url: http://me:pw@h\n", ":3:6:", "password"},
    {HEAD "url: http://h?x=1\n", ":3:6:", "query"},
    {HEAD "url: http://h\nwokers: 3\n", ":4:1:", "wokers"},
    {HEAD "url: http://h\nworkers: 0\n", ":4:10:", "workers"},
    {HEAD "url: http://h\nworkers: many\n", ":4:10:", "workers"},
    {HEAD "url: http://h\ntimeout: 5 parsecs\n", ":4:10:", "timeout"},
    {HEAD "url: http://h\npath: prices\n", ":4:7:", "begin with '/'"},
    {HEAD "url: http://h\nheaders: {Host: x}\n", ":4:11:", "Host"},
    {HEAD "url: http://h\nheaders: {X-Key: \"{secret}\"}\n", ":1:1:", "secret"},
    {HEAD "url: http://h\nsecret: hunter2\n", ":4:9:", "env:NAME"},
    {HEAD "url: http://h\ncsv: {delimiter: ab}\n", ":4:18:", "delimiter"},
    {HEAD "url: http://h\nerrors: [{http: 99, meaning: empty}]\n", ":4:17:", "http"},
    {HEAD "url: http://h\ndate_format: \"%Q\"\n", ":4:14:", "%Q"},
    {"name: ../../x\nkind: http\nurl: http://h\n", ":1:7:", "source name '../../x'"},
    {"name: staging\nkind: http\nurl: http://h\n", ":1:7:", "reserved"},
    {"name: shop\n\tkind: http\n", ":1:7:", "invalid YAML"},
};

#define DATA "name: prices\nsource: shop\ntime_column: day\nasset_column: code\n"
#define KEY  "primary_key: [asset_id, time]\n"

static const bad datasets[] = {
    {"name: prices\n" KEY, ":1:1:", "source"},
    {"name: ../../x\nsource: shop\n", ":1:7:", "../../x"},
    {"name: prices\nsource: ../shop\n", ":2:9:", "../shop"},
    {DATA "primary_keys: [time]\n", ":5:1:", "primary_keys"},
    {DATA, ":1:1:", "primary_key"},
    {DATA "primary_key: [asset_id, tiem]\n", ":5:14:", "tiem"},
    {DATA "primary_key: [time, time]\n", ":5:14:", "twice"},
    {DATA KEY "sort_columns: [close]\n", ":6:15:", "close"},
    {DATA KEY "columns:\n  close: flaot64\n", ":7:10:", "flaot64"},
    {DATA KEY "columns:\n  close: {type: float64, fromat: x}\n", ":7:26:", "fromat"},
    {DATA KEY "columns:\n  close: {nullable: true}\n", ":7:10:", "type"},
    {DATA KEY "columns:\n  close: {type: float64, format: \"%Y\"}\n", ":7:26:", "format"},
    {DATA KEY "columns:\n  time: {type: date, format: \"%d\"}\n", ":7:30:", "%d"},
    {DATA KEY "columns:\n  _known_at: date\n", ":7:3:", "reserved"},
    {DATA KEY "columns: [a]\n", ":6:10:", "columns"},
    {DATA KEY "update_mode: upsret\n", ":6:14:", "upsert"},
    {DATA KEY "partition_strategy: yearmonth\n", ":6:21:", "year_month"},
    {DATA KEY "request_options: {date_chunk_days: 1, date_chunk_years: 1}\n", ":6:39:", "exclude"},
    {DATA KEY "request_options: {date_chunk_days: 0}\n", ":6:36:", "date_chunk_days"},
    {DATA KEY "default_start: yesterday\n", ":6:16:", "default_start"},
    {DATA KEY "normalizer: wide_to_long\n", ":1:1:", "normalizer_options"},
    {DATA KEY "normalizer: wide_to_long\nnormalizer_options: {name_to: x, value_to: y}\n",
     ":7:31:", "'x'"},
    {DATA KEY "field_mapping: {day: x}\n", ":3:14:", "mapped"},
    {"name: prices\nsource: shop\nprimary_key: [asset_id]\nasset_column: c\npartition_strategy: "
     "year_month\n",
     ":5:21:", "time column"},
};

/* Number of failures: all of them are shown, not only the first. */
static int expect_error(const char *lake, const char *what, const bad *b) {
    char place[400];
    write_text("bad.yaml", b->yaml);
    const char *file = tmpdir_path(dir, "bad.yaml");
    call c = RUN("--lake", lake, what, "add", file);
    snprintf(place, sizeof place, "lochan: %s/bad.yaml%s", dir, b->place);
    if (c.code != 2 || !strstr(c.err, place) || !strstr(c.err, b->says)) {
        print_error("expected exit code 2, '%s' and '%s' for:\n%s\ngot %d: %s\n", place, b->says,
                    b->yaml, c.code, c.err);
        return 1;
    }
    c = RUN("--lake", lake, what, "add", tmpdir_path(dir, "bad.yaml"), "--json");
    assert_code(c, 2);
    assert_says(c.err, "{\"error\":\"SPEC\",");
    assert_says(c.err, "bad.yaml\",\"line\":");
    assert_says(c.err, "\"line_column\":");
    return 0;
}

static void test_specs__errors_of_sources_name_their_place(void **state) {
    const char *lake = make_lake();
    int failures = 0;
    for (size_t i = 0; i < sizeof sources / sizeof *sources; i++)
        failures += expect_error(lake, "source", &sources[i]);
    assert_int_equal(failures, 0);
    call c = RUN("--lake", lake, "source", "list", "--json");
    assert_code(c, 0);
    assert_string_equal(c.out, "");
}

static void test_specs__errors_of_datasets_name_their_place(void **state) {
    const char *lake = make_shop("http://127.0.0.1:1");
    int failures = 0;
    for (size_t i = 0; i < sizeof datasets / sizeof *datasets; i++)
        failures += expect_error(lake, "dataset", &datasets[i]);
    assert_int_equal(failures, 0);
    call c = RUN("--lake", lake, "dataset", "list", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"dataset\":\"prices\"");
    assert_int_equal(strchr(c.out, '\n') - c.out, (long)strlen(c.out) - 1);
}

static void test_specs__near_names_are_hinted(void **state) {
    const char *lake = make_shop("http://127.0.0.1:1");
    write_text("near.yaml", HEAD "url: http://h\nwokers: 3\n");
    call c = RUN("--lake", lake, "source", "add", in_dir("near.yaml"));
    assert_says(c.err, "hint: ");
    assert_says(c.err, "workers");
    c = RUN("--lake", lake, "dataset", "show", "shop/prcies");
    assert_code(c, 3);
    assert_says(c.err, "did you mean shop/prices?");
    c = RUN("--lake", lake, "update", "shop.price");
    assert_code(c, 3);
    assert_says(c.err, "did you mean shop/prices?");
    c = RUN("--lake", lake, "source", "add", "ebc");
    assert_code(c, 3);
    assert_says(c.err, "ecb");
    c = RUN("--lake", lake, "source", "add", "no-such.yaml");
    assert_code(c, 3);
    assert_says(c.err, "cannot read spec 'no-such.yaml'");
    c = RUN("--lake", lake, "source", "add", dir);
    assert_code(c, 3);
    c = RUN("--lake", lake, "dataset", "add", "ecb/fx_daily");
    assert_code(c, 3);
    assert_says(c.err, "lochan source add ecb");
}

static void test_specs__add_show_set_unset(void **state) {
    const char *lake = make_shop("http://127.0.0.1:1");
    call c = RUN("--lake", lake, "source", "add", in_dir("shop.yaml"));
    assert_code(c, 4);
    assert_says(c.err, "--replace");
    c = RUN("--lake", lake, "source", "add", in_dir("shop.yaml"), "--replace", "--json");
    assert_code(c, 0);
    assert_says(c.out, "{\"added\":\"");
    c = RUN("--lake", lake, "source", "set", "shop", "url=http://127.0.0.1:2", "csv.delimiter=;");
    assert_code(c, 0);
    assert_string_equal(c.out, "changed source shop\n");
    c = RUN("--lake", lake, "source", "show", "shop");
    assert_code(c, 0);
    assert_says(c.out, "http://127.0.0.1:2");
    assert_says(c.out, "delimiter");
    c = RUN("--lake", lake, "source", "set", "shop", "--unset", "csv.delimiter");
    assert_code(c, 0);
    c = RUN("--lake", lake, "source", "show", "shop", "--json");
    assert_null(strstr(c.out, "delimiter"));
    assert_says(c.out, "\"yaml\":\"name: shop\\n");
    c = RUN("--lake", lake, "source", "set", "shop", "wokers=2");
    assert_code(c, 2);
    assert_says(c.err, "wokers");
    c = RUN("--lake", lake, "source", "set", "shop", "workers=none");
    assert_code(c, 2);
    c = RUN("--lake", lake, "source", "set", "shop", "=x");
    assert_code(c, 2);
    assert_says(c.err, "expected KEY=VALUE");
    c = RUN("--lake", lake, "dataset", "show", "prices", "--source", "shop");
    assert_code(c, 0);
    assert_string_equal(c.out, PRICES_SPEC);
    c = RUN("--lake", lake, "source", "add", "ecb");
    assert_code(c, 0);
    c = RUN("--lake", lake, "dataset", "add", "ecb/fx_daily");
    assert_code(c, 0);
    c = RUN("--lake", lake, "dataset", "add", "ecb", "--json");
    assert_code(c, 0);
    assert_string_equal(c.out, "{\"dataset\":\"ecb\",\"added\":0}\n");
    c = RUN("--lake", lake, "source", "list", "--json");
    assert_says(c.out, "{\"name\":\"ecb\",\"kind\":\"http\",\"url\":\"");
    assert_says(c.out, "\"bundled\":true,\"datasets\":1}\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_dir, remove_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_specs__errors_of_sources_name_their_place),
        TEST(test_specs__errors_of_datasets_name_their_place),
        TEST(test_specs__near_names_are_hinted),
        TEST(test_specs__add_show_set_unset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
