/* An update that is killed, cut off from power, or met by a failing disk or memory: afterwards the
 * lake is whole, and the next update ends with exactly the rows of the provider. */
#include "pipeline/pipeline.h"
#include "support/fault.h"
#include "support/kill.h"
#include "support/torn.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const market before = {.days = 60, .assets = 3};
static const market after = {.days = 91, .assets = 3, .bump_days = 40, .bump = 0.25};

/* A lake that holds `before`, whose provider now serves `after`; each round works on a copy of it.
 */
struct fixture {
    pipe_lake base;
    char copy[320];
    bool first_update; /* the copy is of an empty lake */
};

static struct fixture make_fixture(bool first_update) {
    struct fixture f = {.first_update = first_update};
    lochan_error err;
    f.base = pipe_start(before, NULL, "settle_days: 0\n");
    if (!first_update)
        assert_ok(pipe_update(&f.base, "2020-02-29", NULL, NULL, &err));
    pipe_provider(&f.base, after, NULL);
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
    char torn[340];
    snprintf(torn, sizeof torn, "%s.torn", f->copy); /* what a cut of the round before set aside */
    tmpdir_mkdir(torn);
    tmpdir_clear(torn);
    rmdir(torn);
    tmpdir_mkdir(f->copy);
    tmpdir_clear(f->copy);
    tmpdir_copy(f->base.path, f->copy);
}

/* The whole life of a process that updates. One thread: the order of operations is then always the
 * same. */
static lochan_status update_copy(void *ctx, lochan_error *err) {
    struct fixture *f = ctx;
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_lake *lake = NULL;
    options.threads = 1;
    lochan_status rc = lochan_lake_open(f->copy, &options, &lake, err);
    if (rc == LOCHAN_OK) {
        request.source = "market";
        request.dataset = "daily";
        request.end = "2020-03-31";
        request.force = !f->first_update; /* revised days are met too: files are replaced; without
                                             it, staged pages are */
        request.workers = 1;
        rc = lochan_update_run(lake, &request, &report, err);
    }
    lochan_lake_close(lake);
    return rc;
}

/* Before or after, nothing in between; then a second run brings `after`. */
static void check_whole(struct fixture *f) {
    lochan_lake *lake = NULL;
    lochan_error err;
    lochan_error_init(&err);
    assert_ok(lochan_lake_open(f->copy, NULL, &lake, &err));
    int64_t rows = pipe_rows(lake, NULL);
    if (rows == 91 * 3)
        pipe_expect(lake, after, 91);
    else if (f->first_update)
        assert_true(rows == -1 || rows == 0);
    else
        pipe_expect(lake, before, 60);
    pipe_verify(lake);
    lochan_lake_close(lake);
    assert_ok(update_copy(f, &err));
    assert_ok(lochan_lake_open(f->copy, NULL, &lake, &err));
    pipe_expect(lake, after, 91);
    pipe_verify(lake);
    lochan_lake_close(lake);
}

static void kill_everywhere(bool first_update) {
    struct fixture f = make_fixture(first_update);
    static kill_trace trace;
    fresh_copy(&f);
    kill_result whole = kill_list(update_copy, &f, &trace);
    if (!whole.finished || whole.rc != LOCHAN_OK)
        fail_msg("the update itself failed: %s", whole.err.message);
    assert_true(trace.count >= 8);
    for (size_t n = 1; n <= trace.count; n++) {
        fresh_copy(&f);
        kill_result r = kill_at(update_copy, &f, n, NULL, NULL);
        assert_true(r.reached);
        check_whole(&f);
    }
    free_fixture(&f);
}

static void test_interrupted__killed_at_every_failpoint_of_a_revision(void **state) {
    kill_everywhere(false);
}

static void test_interrupted__killed_at_every_failpoint_of_the_first_update(void **state) {
    kill_everywhere(true);
}

/* At random times, without regard to failpoints. */
static void test_interrupted__killed_at_any_time(void **state) {
    struct fixture f = make_fixture(false);
    for (int round = 0; round < 30; round++) {
        fresh_copy(&f);
        (void)kill_after(update_copy, &f, (round * 7919LL % 60 + 1) * 1000000);
        check_whole(&f);
    }
    free_fixture(&f);
}

/* ---- power ---- */

static lochan_status update_torn(void *ctx, lochan_error *err) {
    struct fixture *f = ctx;
    torn_start(f->copy);
    return update_copy(ctx, err);
}

static void test_interrupted__power_cut_at_every_failpoint(void **state) {
    struct fixture f = make_fixture(false);
    static kill_trace trace;
    fresh_copy(&f);
    kill_result whole = kill_list(update_copy, &f, &trace);
    assert_true(whole.finished && whole.rc == LOCHAN_OK);
    for (size_t n = 1; n <= trace.count; n++) {
        for (uint64_t seed = 0; seed < 3; seed++) {
            fresh_copy(&f);
            kill_result r = kill_at(update_torn, &f, n, torn_last_act, &seed);
            assert_true(r.reached);
            check_whole(&f);
        }
    }
    free_fixture(&f);
}

/* ---- failing operations ---- */

static void check_after_fault(void *ctx, lochan_status rc) {
    struct fixture *f = ctx;
    (void)rc;
    check_whole(f);
}

static void sweep(unsigned kinds, long dense) {
    struct fixture f = make_fixture(false);
    fault_totals totals = fault_sweep(&(fault_case){.name = "update",
                                                    .prep = fresh_copy,
                                                    .body = update_copy,
                                                    .check = check_after_fault,
                                                    .ctx = &f,
                                                    .kinds = kinds,
                                                    .dense = dense});
    assert_true(totals.failed > 0);
    free_fixture(&f);
}

static void test_interrupted__every_file_operation_can_fail(void **state) {
    sweep(FAULT_EIO | FAULT_ENOSPC | FAULT_SYNC, 40);
}

static void test_interrupted__short_and_interrupted_transfers_do_no_harm(void **state) {
    struct fixture f = make_fixture(false);
    fault_sweep(&(fault_case){.name = "update",
                              .prep = fresh_copy,
                              .body = update_copy,
                              .check = check_after_fault,
                              .ctx = &f,
                              .kinds = FAULT_SHORT | FAULT_EINTR,
                              .dense = 10});
    free_fixture(&f);
}

static void test_interrupted__memory_can_run_out_anywhere(void **state) {
    sweep(FAULT_OOM, 60);
}

static void test_interrupted__every_failpoint_can_fail(void **state) {
    sweep(FAULT_POINT, 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_interrupted__killed_at_every_failpoint_of_a_revision),
        cmocka_unit_test(test_interrupted__killed_at_every_failpoint_of_the_first_update),
        cmocka_unit_test(test_interrupted__killed_at_any_time),
        cmocka_unit_test(test_interrupted__power_cut_at_every_failpoint),
        cmocka_unit_test(test_interrupted__every_file_operation_can_fail),
        cmocka_unit_test(test_interrupted__short_and_interrupted_transfers_do_no_harm),
        cmocka_unit_test(test_interrupted__memory_can_run_out_anywhere),
        cmocka_unit_test(test_interrupted__every_failpoint_can_fail),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
