/* What the merge would touch is told once all rows are there and before anything is written. */
#include "pipeline/pipeline.h"

#include <stdlib.h>
#include <string.h>

static const market data = {.days = 91, .assets = 5};
static lochan_error err;

struct told {
    lochan_lake *lake;
    lochan_update_plan plan;
    int calls;
    int64_t snapshot; /* when it was told */
};

static void on_plan(void *payload, const lochan_update_plan *plan) {
    struct told *told = payload;
    assert_int_equal(plan->struct_size, sizeof *plan);
    assert_string_equal(plan->source, "market");
    assert_string_equal(plan->dataset, "daily");
    told->plan = *plan;
    told->snapshot = pipe_snapshot(told->lake);
    told->calls++;
}

static lochan_update_report explained(pipe_lake *p, struct told *told) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    *told = (struct told){.lake = p->lake};
    request.explain = on_plan;
    request.payload = told;
    request.force = true;
    int64_t before = pipe_snapshot(p->lake);
    assert_ok(pipe_update(p, "2020-03-31", &request, &report, &err));
    assert_int_equal(told->calls, 1);
    assert_int_equal(told->snapshot, before);
    return report;
}

static void test_explain__tells_rows_files_and_memory_before_it_writes(void **state) {
    const market revised = {.days = 91, .assets = 5, .bump_days = 40, .bump = 0.25};
    struct told told;
    pipe_lake p = pipe_start(data, NULL, "");
    lochan_update_report report = explained(&p, &told);
    assert_int_equal(told.plan.rows, 455);
    assert_int_equal(told.plan.partitions, 3);
    assert_int_equal(told.plan.files, 0);
    assert_true(told.plan.memory_bytes > 0);
    assert_int_equal(report.files_written, 3);
    int64_t first_bytes = report.bytes_written;

    pipe_provider(&p, revised, NULL);
    report = explained(&p, &told); /* February and March are other rows now */
    assert_int_equal(told.plan.rows, 455);
    assert_int_equal(told.plan.files, 3);
    assert_int_equal(told.plan.row_groups, 3);
    assert_true(told.plan.files_bytes >= first_bytes);
    assert_int_equal(report.files_written, 2);
    pipe_expect(p.lake, revised, 91);
    pipe_stop(&p);
}

static void cancel(void *payload, const lochan_update_plan *plan) {
    (void)plan;
    lochan_lake_cancel(payload);
}

/* Who does not like the plan stops the update, and nothing was written. */
static void test_explain__may_stop_the_update(void **state) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(data, NULL, "");
    request.explain = cancel;
    request.payload = p.lake;
    assert_int_equal(pipe_update(&p, "2020-03-31", &request, &report, &err), LOCHAN_ERR_CANCELLED);
    assert_int_equal(report.files_written, 0);
    lochan_lake_resume(p.lake);
    assert_true(pipe_rows(p.lake, NULL) <= 0);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_int_equal(report.pages_resumed, 3);
    pipe_expect(p.lake, data, 91);
    pipe_stop(&p);
}

static void test_explain__needs_rows(void **state) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    pipe_lake p = pipe_start(data, NULL, "");
    request.explain = cancel;
    request.dry_run = true;
    assert_int_equal(pipe_update(&p, "2020-03-31", &request, &report, &err),
                     LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "dry_run"));
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_explain__tells_rows_files_and_memory_before_it_writes),
        cmocka_unit_test(test_explain__may_stop_the_update),
        cmocka_unit_test(test_explain__needs_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
