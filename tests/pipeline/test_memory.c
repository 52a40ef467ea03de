/* Updates of more rows than memory holds: they go through the writer, and wait in staging where
 * they have to wait. */
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LIMIT ((uint64_t)24 << 20)

/* 364 days x 600 assets: 218,400 rows, 14 MB in memory. */
static const market large = {.days = 364, .assets = 600};

static void reopen(pipe_lake *p) {
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_error err;
    lochan_lake_close(p->lake);
    p->lake = NULL;
    options.memory_limit = LIMIT;
    options.threads = 2;
    assert_ok(lochan_lake_open(p->path, &options, &p->lake, &err));
}

static void check(const char *extra, const lochan_feed_options *feed, int64_t columns) {
    pipe_lake p = pipe_start(large, feed, extra);
    lochan_update_report report;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    lochan_error err;
    reopen(&p);
    if (feed) {
        assert_ok(lochan_source_set(p.lake, "market", "paging.kind", "offset", &err));
        assert_ok(lochan_source_set(p.lake, "market", "query.offset", "{offset}", &err));
        assert_ok(lochan_source_set(p.lake, "market", "query.limit", "{limit}", &err));
        assert_ok(lochan_source_set(p.lake, "market", "paging.page_size", "1000", &err));
    }
    assert_ok(pipe_update(&p, "2020-12-29", NULL, &report, &err));
    assert_int_equal(report.rows_fetched, 218400);
    assert_int_equal(report.rows_new, 218400);
    assert_int_equal(report.partitions_written, 12);
    pipe_expect(p.lake, large, 364);
    assert_ok(lochan_lake_scan(p.lake, "market", "daily", NULL, &stream, &err));
    assert_int_equal(stream.get_schema(&stream, &schema), 0);
    assert_int_equal(schema.n_children, columns);
    schema.release(&schema);
    stream.release(&stream);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

/* asset_id, time, price, source, source_dataset */
static void test_memory__declared_rows_stream(void **state) {
    (void)state;
    check("new_columns: ignore\n", NULL, 5);
}

/* Field `lots` is not declared: its type is known when everything was seen. */
static void test_memory__new_fields_wait_in_staging(void **state) {
    (void)state;
    check("", NULL, 6);
}

/* Scopes of many pages, all under way at once. */
static void test_memory__many_pages_of_a_scope(void **state) {
    (void)state;
    lochan_feed_options feed = LOCHAN_FEED_OPTIONS_INIT;
    feed.page_cap = 1000;
    check("new_columns: ignore\n", &feed, 5);
}

static void test_memory__unique_sees_all_rows(void **state) {
    (void)state;
    check("new_columns: ignore\nvalidation: [{rule: unique, columns: [asset_id, time]}]\n", NULL,
          5);
}

/* The second update brings a field after others were delivered: the writer begins anew. */
static void test_memory__a_field_that_comes_late(void **state) {
    (void)state;
    market some = {.days = 91, .assets = 3};
    pipe_lake p = pipe_start(some, NULL, "");
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    provider_stop(&p.provider);
    FILE *file = fopen(p.csv, "w");
    assert_non_null(file);
    fprintf(file, "code,day,price,note,lots\n");
    for (int day = 1; day <= 31; day++) /* `note` has values in February only */
        fprintf(file, "A000,2020-01-%02d,%d,,%d\n", day, day, day);
    for (int day = 1; day <= 29; day++)
        fprintf(file, "A000,2020-02-%02d,%d,007,%d\n", day, day, day);
    for (int day = 1; day <= 31; day++)
        fprintf(file, "A000,2020-03-%02d,%d,,%d\n", day, day, day);
    assert_int_equal(fclose(file), 0);
    p.provider = provider_start(p.csv, NULL);
    assert_ok(lochan_source_set(p.lake, "market", "url", p.provider.url, &err));
    assert_ok(pipe_update(&p, "2020-01-31", &request, &report, &err)); /* lots is known now */
    request.force = true;
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    assert_int_equal(report.rows_fetched, 91);
    assert_int_equal(report.rows_new, 60);
    assert_int_equal(report.rows_unchanged, 31);
    assert_int_equal(pipe_rows(p.lake, "note = '007'"), 29);
    assert_int_equal(pipe_rows(p.lake, "lots > 0"), 91);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memory__declared_rows_stream),
        cmocka_unit_test(test_memory__new_fields_wait_in_staging),
        cmocka_unit_test(test_memory__many_pages_of_a_scope),
        cmocka_unit_test(test_memory__unique_sees_all_rows),
        cmocka_unit_test(test_memory__a_field_that_comes_late),
    };
    return cmocka_run_group_tests_name("pipeline/memory", tests, NULL, NULL);
}
