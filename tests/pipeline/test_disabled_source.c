/* A source that is switched off is asked by no update, and what came of it stays. */
#include "pipeline/pipeline.h"

#include <stdlib.h>
#include <string.h>

static const market data = {.days = 91, .assets = 5};
static lochan_error err;

static void test_disabled_source__is_not_asked(void **state) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(data, NULL, "");
    assert_ok(pipe_update(&p, "2020-01-31", NULL, NULL, &err));
    int64_t asked = provider_stats(&p.provider).requests;
    assert_ok(lochan_source_set(p.lake, "market", "enabled", "false", &err));
    assert_int_equal(pipe_update(&p, "2020-03-31", NULL, &report, &err), LOCHAN_ERR_UNSUPPORTED);
    assert_non_null(strstr(err.message, "source market is disabled"));
    assert_non_null(strstr(err.hint, "lochan source enable market"));
    request.dry_run = true;
    assert_int_equal(pipe_update(&p, "2020-03-31", &request, &report, &err),
                     LOCHAN_ERR_UNSUPPORTED);
    assert_int_equal(provider_stats(&p.provider).requests, asked);
    pipe_expect(p.lake, data, 31);
    assert_ok(lochan_source_set(p.lake, "market", "enabled", "true", &err));
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    pipe_expect(p.lake, data, 91);
    pipe_stop(&p);
}

static void count(void *payload, const lochan_update_result *result) {
    int *n = payload;
    *n += result->status == LOCHAN_OK ? 1 : 100;
}

/* All that is enabled leaves its datasets out; a dataset that was named is refused. */
static void test_disabled_source__is_left_out_of_many(void **state) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_many which = LOCHAN_UPDATE_MANY_INIT;
    const char *const named[] = {"market/daily"};
    int done = 0;
    pipe_lake p = pipe_start(data, NULL, "");
    request.end = "2020-03-31";
    which.on_done = count;
    which.payload = &done;
    assert_ok(lochan_source_set(p.lake, "market", "enabled", "false", &err));
    assert_ok(lochan_update_run_many(p.lake, &which, &request, &err));
    assert_int_equal(done, 0);
    which.datasets = named;
    which.n_datasets = 1;
    assert_int_equal(lochan_update_run_many(p.lake, &which, &request, &err),
                     LOCHAN_ERR_UNSUPPORTED);
    assert_int_equal(done, 100);
    which.n_datasets = 0;
    assert_ok(lochan_source_set(p.lake, "market", "enabled", NULL, &err));
    assert_ok(lochan_update_run_many(p.lake, &which, &request, &err));
    assert_int_equal(done, 101);
    pipe_expect(p.lake, data, 91);
    pipe_stop(&p);
}

static void test_disabled_source__says_so_in_lists_and_wants_a_truth_value(void **state) {
    struct ArrowArrayStream stream = {0};
    pipe_lake p = pipe_start(data, NULL, "");
    assert_ok(lochan_source_list(p.lake, &stream, &err));
    assert_int_equal(stream_int(&stream, "enabled"), 1);
    assert_int_equal(lochan_source_set(p.lake, "market", "enabled", "perhaps", &err),
                     LOCHAN_ERR_SPEC);
    assert_ok(lochan_source_set(p.lake, "market", "enabled", "false", &err));
    assert_ok(lochan_source_list(p.lake, &stream, &err));
    assert_int_equal(stream_int(&stream, "enabled"), 0);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_disabled_source__is_not_asked),
        cmocka_unit_test(test_disabled_source__is_left_out_of_many),
        cmocka_unit_test(test_disabled_source__says_so_in_lists_and_wants_a_truth_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
