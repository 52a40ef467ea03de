/* Rejects released or dropped, a dataset removed, damaged files taken out: killed at every
 * failpoint and met by a failing disk or memory, the lake shows it done or not done, nothing
 * between. */
#include "pipeline/pipeline.h"
#include "support/fault.h"
#include "support/kill.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const market small = {.days = 40, .assets = 3}; /* 120 rows, of which 29 are quarantined */
static const char quarantine[] =
    "validation:\n"
    "  - {rule: range, column: price, max: 30, on_error: quarantine}\n";

typedef lochan_status (*act_fn)(lochan_lake *lake, lochan_error *err);

struct fixture {
    pipe_lake base;
    char copy[320];
    act_fn act;
    int64_t rows_done; /* of the table after the act */
};

static struct fixture make_fixture(act_fn act, int64_t rows_done) {
    struct fixture f = {.act = act, .rows_done = rows_done};
    lochan_error err;
    f.base = pipe_start(small, NULL, quarantine);
    assert_ok(pipe_update(&f.base, "2020-02-09", NULL, NULL, &err));
    lochan_lake_close(f.base.lake);
    f.base.lake = NULL;
    snprintf(f.copy, sizeof f.copy, "%s/copy", f.base.dir);
    return f;
}

static void free_fixture(struct fixture *f) {
    provider_stop(&f->base.provider);
    tmpdir_remove(f->base.dir);
}

static void fresh_copy(void *ctx) {
    struct fixture *f = ctx;
    tmpdir_mkdir(f->copy);
    tmpdir_clear(f->copy);
    tmpdir_copy(f->base.path, f->copy);
}

static lochan_status act_on_copy(void *ctx, lochan_error *err) {
    struct fixture *f = ctx;
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_lake *lake = NULL;
    options.threads = 1;
    lochan_status rc = lochan_lake_open(f->copy, &options, &lake, err);
    if (rc == LOCHAN_OK)
        rc = f->act(lake, err);
    lochan_lake_close(lake);
    return rc;
}

static int64_t kept_rejects(lochan_lake *lake) {
    struct ArrowArrayStream stream;
    lochan_error err;
    int64_t rows = 0;
    lochan_status rc = lochan_status_rejects(lake, "market", "daily", NULL, &stream, &err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return 0;
    assert_int_equal(rc, LOCHAN_OK);
    for (;;) {
        struct ArrowArray batch = {0};
        struct ArrowSchema schema;
        assert_int_equal(stream.get_schema(&stream, &schema), 0);
        schema.release(&schema);
        assert_int_equal(stream.get_next(&stream, &batch), 0);
        if (!batch.release)
            break;
        rows += batch.length;
        batch.release(&batch);
    }
    stream.release(&stream);
    return rows;
}

/* Both sides of the act, and nothing else. */
static void check_whole(struct fixture *f, lochan_status rc) {
    lochan_lake *lake = NULL;
    lochan_error err;
    assert_ok(lochan_lake_open(f->copy, NULL, &lake, &err));
    int64_t rows = pipe_rows(lake, NULL);
    if (rc == LOCHAN_OK)
        assert_int_equal(rows, f->rows_done);
    else if (rows != 91)
        assert_int_equal(rows, f->rows_done);
    if (rows == 91 && f->rows_done != 91)
        assert_int_equal(kept_rejects(lake), 29);
    pipe_verify(lake);
    lochan_lake_close(lake);
}

static void check_after_fault(void *ctx, lochan_status rc) {
    check_whole(ctx, rc);
}

static void killed_everywhere(struct fixture *f) {
    static kill_trace trace;
    fresh_copy(f);
    kill_result whole = kill_list(act_on_copy, f, &trace);
    assert_true(whole.finished && whole.rc == LOCHAN_OK);
    assert_true(trace.count > 2);
    for (size_t n = 1; n <= trace.count; n++) {
        fresh_copy(f);
        kill_result r = kill_at(act_on_copy, f, n, NULL, NULL);
        assert_true(r.reached);
        check_whole(f, LOCHAN_ERR_CANCELLED);
        lochan_error err;
        lochan_error_init(&err);
        (void)act_on_copy(f, &err); /* again: done, or there is nothing left to do */
        check_whole(f, LOCHAN_OK);
    }
}

static void swept(struct fixture *f) {
    fault_totals totals = fault_sweep(
        &(fault_case){.name = "manage",
                      .prep = fresh_copy,
                      .body = act_on_copy,
                      .check = check_after_fault,
                      .ctx = f,
                      .kinds = FAULT_EIO | FAULT_ENOSPC | FAULT_SYNC | FAULT_POINT | FAULT_OOM,
                      .once_only = true,
                      .dense = 8});
    assert_true(totals.failed > 0);
}

static lochan_status release(lochan_lake *lake, lochan_error *err) {
    int64_t rows;
    return lochan_rejects_release(lake, "market", "daily", NULL, &rows, err);
}

static lochan_status drop(lochan_lake *lake, lochan_error *err) {
    int64_t rows;
    return lochan_rejects_drop(lake, "market", "daily", NULL, &rows, err);
}

static lochan_status remove_all(lochan_lake *lake, lochan_error *err) {
    return lochan_dataset_remove(lake, "market", "daily", true, err);
}

static void try_act(act_fn act, int64_t rows_done) {
    struct fixture f = make_fixture(act, rows_done);
    killed_everywhere(&f);
    swept(&f);
    free_fixture(&f);
}

static void test_manage_faults__release_of_rejects(void **state) {
    try_act(release, 120);
}

static void test_manage_faults__drop_of_rejects(void **state) {
    try_act(drop, 91);
}

static void test_manage_faults__removal_of_a_dataset(void **state) {
    try_act(remove_all, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_manage_faults__release_of_rejects),
        cmocka_unit_test(test_manage_faults__drop_of_rejects),
        cmocka_unit_test(test_manage_faults__removal_of_a_dataset),
    };
    return cmocka_run_group_tests_name("pipeline/manage_faults", tests, NULL, NULL);
}
