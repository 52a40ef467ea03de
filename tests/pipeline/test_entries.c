/* Discovery: which assets an update asks; and that a new update mode is one entry. */
#include "pipeline/pipeline.h"
#include "update/mode.h"
#include "update/registry.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const market few = {.days = 10, .assets = 3};

/* "changed" tells which assets have news; "all" which there are. */
static const char spec_all[] =
    "name: all\nsource: market\nsource_dataset: all\nasset_column: code\ntime_column: day\n"
    "default_start: 2020-01-01\ncolumns: {time: {type: date, format: \"%Y-%m-%d\"}}\n"
    "primary_key: [asset_id, time]\n";
static const char spec_changed[] =
    "name: changed\nsource: market\nsource_dataset: changed\nasset_column: code\n"
    "time_column: day\ndefault_start: 2020-01-01\n"
    "columns: {time: {type: date, format: \"%Y-%m-%d\"}}\nprimary_key: [asset_id, time]\n";
/* A source that has a file an asset. */
static const char spec_stocks[] = "name: stocks\nkind: http\nurl: http://127.0.0.1:1\n"
                                  "path: /{assets}.csv\nquery: {start: \"{start}\", end: "
                                  "\"{end}\"}\nformat: csv\n";
static const char spec_prices[] =
    "name: prices\nsource: stocks\nasset_column: code\ntime_column: day\n"
    "request_planner: by_asset\n"
    "request_options: {reference_source: market, reference_dataset: all}\n"
    "discovery: {source: market, dataset: changed, column: asset_id}\n"
    "default_start: 2020-01-01\n"
    "columns: {price: float64, time: {type: date, format: \"%Y-%m-%d\"}}\n"
    "new_columns: ignore\nprimary_key: [asset_id, time]\n";

static void put(const pipe_lake *p, const char *name, const char *text) {
    char path[400];
    snprintf(path, sizeof path, "%s/feed/%s.csv", p->dir, name);
    tmpdir_write(path, text, strlen(text));
}

static void serve(pipe_lake *p, const char *all, const char *changed) {
    char folder[400], path[440];
    lochan_error err;
    provider_stop(&p->provider);
    snprintf(folder, sizeof folder, "%s/feed", p->dir);
    snprintf(path, sizeof path, "mkdir -p '%s'", folder);
    assert_int_equal(system(path), 0);
    put(p, "all", all);
    put(p, "changed", changed);
    for (int i = 0; i < 3; i++) {
        char name[16], rows[600] = "code,day,price\n";
        snprintf(name, sizeof name, "A%03d", i);
        for (int day = 1; day < 10; day++)
            snprintf(rows + strlen(rows), sizeof rows - strlen(rows), "A%03d,2020-01-%02d,1\n", i,
                     day);
        put(p, name, rows);
    }
    p->provider = provider_start(folder, NULL);
    assert_ok(lochan_source_set(p->lake, "market", "url", p->provider.url, &err));
    assert_ok(lochan_source_set(p->lake, "stocks", "url", p->provider.url, &err));
}

static void update(pipe_lake *p, const char *dataset, bool force, const char *end,
                   lochan_update_report *report) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_error err;
    lochan_error_init(&err);
    request.source = strcmp(dataset, "prices") == 0 ? "stocks" : "market";
    request.dataset = dataset;
    request.force = force;
    request.end = end;
    assert_ok(lochan_update_run(p->lake, &request, report, &err));
}

static void test_entries__discovery_names_assets_and_forgets_none(void **state) {
    (void)state;
    pipe_lake p = pipe_start(few, NULL, "");
    lochan_update_report report;
    lochan_error err;
    assert_ok(lochan_source_add(p.lake, spec_stocks, strlen(spec_stocks), "s.yaml", false, &err));
    serve(&p, "code,day\nA000,2020-01-01\nA001,2020-01-01\n", "code,day\nA001,2020-01-02\n");
    assert_ok(lochan_dataset_add(p.lake, spec_all, strlen(spec_all), "a.yaml", false, &err));
    assert_ok(
        lochan_dataset_add(p.lake, spec_changed, strlen(spec_changed), "c.yaml", false, &err));
    assert_ok(lochan_dataset_add(p.lake, spec_prices, strlen(spec_prices), "p.yaml", false, &err));
    update(&p, "all", false, "2020-01-05", &report);
    update(&p, "changed", false, "2020-01-05", &report);
    update(&p, "prices", false, "2020-01-05", &report); /* the first: all there are */
    assert_int_equal(report.requests, 2);
    update(&p, "prices", false, "2020-01-07", &report); /* then those with news */
    assert_int_equal(report.requests, 1);
    serve(&p, "code,day\nA000,2020-01-01\nA001,2020-01-01\nA002,2020-01-01\n",
          "code,day\nA001,2020-01-02\n");
    update(&p, "all", true, "2020-01-05", &report);
    update(&p, "prices", false, "2020-01-08", &report); /* and one that was never asked */
    assert_int_equal(report.requests, 2);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

static const lochan_update_mode whole = {
    .name = "test_whole", .write = LOCHAN_WRITE_REPLACE_ALL, .keyed = true};

static void test_entries__a_new_update_mode_is_an_entry(void **state) {
    (void)state;
    lochan_error err;
    lochan_update_report report;
    assert_ok(lochan_registry__add(LOCHAN_REGISTRY_MODE,
                                   (const lochan_choice *)(const void *)&whole, &err));
    pipe_lake p = pipe_start(few, NULL, "update_mode: test_whole\n");
    assert_ok(pipe_update(&p, "2020-01-05", NULL, &report, &err));
    assert_int_equal(pipe_rows(p.lake, NULL), 15);
    assert_ok(pipe_update(&p, "2020-01-10", NULL, &report, &err)); /* five more days, no others */
    assert_int_equal(report.rows_new, 15);
    assert_int_equal(report.rows_removed, 15);
    assert_int_equal(pipe_rows(p.lake, NULL), 15);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_entries__discovery_names_assets_and_forgets_none),
        cmocka_unit_test(test_entries__a_new_update_mode_is_an_entry),
    };
    return cmocka_run_group_tests_name("pipeline/entries", tests, NULL, NULL);
}
