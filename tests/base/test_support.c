/* test_support.c - the fault, kill and power-cut tools find what they are meant to find. */
#include "support/alloc.h"
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/fault.h"
#include "support/kill.h"
#include "support/tmpdir.h"
#include "support/torn.h"

#include "base/cancel.h"
#include "base/fs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *dir;

static int setup(void **state) {
    (void)state;
    dir = tmpdir_make("support");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fault_disarm();
    alloc_remove();
    tmpdir_remove(dir);
    return 0;
}

static const char *at(const char *rel) {
    return tmpdir_path(dir, rel);
}

static char *content(const char *rel) {
    static char text[4][8192];
    static int next;
    size_t n = 0;
    char *p = tmpdir_read(at(rel), &n), *dst = text[next++ % 4];
    if (!p)
        return NULL;
    memcpy(dst, p, n < 8191 ? n + 1 : 8192);
    free(p);
    return dst;
}

/* Faults */

static lochan_status three_blocks(void *ctx, lochan_error *err) {
    (void)ctx;
    void *p[3];
    lochan_status rc = LOCHAN_OK;
    for (int i = 0; i < 3; i++) {
        p[i] = lochan_mem__alloc(10);
        if (!p[i])
            rc = lochan_error__nomem(err);
    }
    for (int i = 0; i < 3; i++)
        lochan_mem__free(p[i]);
    return rc;
}

static void test_support__sweep_reaches_every_allocation(void **state) {
    (void)state;
    fault_totals t =
        fault_sweep(&(fault_case){.name = "three", .body = three_blocks, .kinds = FAULT_OOM});
    assert_int_equal(t.runs, 8); /* 3 that fail and 1 that does not, twice */
    assert_int_equal(t.failed, 6);
    assert_int_equal(t.absorbed, 0);
    t = fault_sweep(&(fault_case){
        .name = "three", .body = three_blocks, .kinds = FAULT_OOM, .once_only = true});
    assert_int_equal(t.runs, 4);
}

static lochan_status points(void *ctx, lochan_error *err) {
    int *passed = ctx;
    *passed = 0;
    LOCHAN_FAILPOINT("one", err);
    ++*passed;
    LOCHAN_FAILPOINT("two", err);
    ++*passed;
    LOCHAN_FAILPOINT("three", err);
    ++*passed;
    return LOCHAN_OK;
}

static void test_support__sweep_reaches_every_failpoint(void **state) {
    (void)state;
    int passed;
    fault_totals t = fault_sweep(
        &(fault_case){.name = "points", .body = points, .ctx = &passed, .kinds = FAULT_POINT});
    assert_int_equal(t.failed, 6);
    assert_int_equal(passed, 3);
}

static void test_support__one_fault_at_a_chosen_place(void **state) {
    (void)state;
    lochan_error err;
    fault_arm(FAULT_ENOSPC, 1, false);
    lochan_file *f;
    assert_int_equal(lochan_file__open(at("f"), LOCHAN_FS_WRITE | LOCHAN_FS_CREATE, &f, &err),
                     LOCHAN_ERR_NO_SPACE);
    assert_true(fault_fired());
    assert_ok(lochan_file__open(at("f"), LOCHAN_FS_WRITE | LOCHAN_FS_CREATE, &f, &err));
    fault_arm(FAULT_SYNC, 1, false);
    assert_int_equal(lochan_file__sync(f, false, &err), LOCHAN_ERR_IO);
    assert_false(fault_sync_retried());
    assert_ok(lochan_file__sync(f, false, &err));
    assert_true(fault_sync_retried()); /* this is what a sweep would refuse */
    assert_ok(lochan_file__close(f, &err));
    assert_int_equal(fault_counted(), 2);
}

/* Kills */

static lochan_status three_steps(void *ctx, lochan_error *err) {
    (void)ctx;
    LOCHAN_TRY(lochan_fs__write_all(at("1"), "1", 1, err));
    LOCHAN_FAILPOINT("after.first", err);
    LOCHAN_TRY(lochan_fs__write_all(at("2"), "2", 1, err));
    LOCHAN_FAILPOINT("after.second", err);
    LOCHAN_FAILPOINT("after.first", err);
    return lochan_fs__write_all(at("3"), "3", 1, err);
}

static void test_support__kill_lists_and_kills(void **state) {
    (void)state;
    static kill_trace trace;
    kill_result r = kill_list(three_steps, NULL, &trace);
    assert_true(r.finished && !r.reached);
    assert_int_equal(r.rc, LOCHAN_OK);
    assert_int_equal(trace.count, 3);
    assert_string_equal(trace.names[0], "after.first");
    assert_string_equal(trace.names[1], "after.second");
    for (size_t n = 1; n <= 4; n++) {
        tmpdir_clear(dir);
        r = kill_at(three_steps, NULL, n, NULL, NULL);
        assert_int_equal(r.reached, n <= 3);
        assert_int_equal(r.finished, n == 4);
        if (r.reached)
            assert_string_equal(r.name, trace.names[n - 1]);
        assert_true(tmpdir_exists(at("1")));
        assert_int_equal(tmpdir_exists(at("2")), n >= 2);
        assert_int_equal(tmpdir_exists(at("3")), n == 4);
    }
    tmpdir_clear(dir);
    r = kill_at_name(three_steps, NULL, "after.first", 2, NULL, NULL);
    assert_true(r.reached);
    assert_int_equal(r.passed, 3);
    r = kill_at_name(three_steps, NULL, "no such", 1, NULL, NULL);
    assert_true(r.finished && !r.reached);
}

static lochan_status fail_in_child(void *ctx, lochan_error *err) {
    (void)ctx;
    return lochan_error__set(err, LOCHAN_ERR_SPEC, "from the child");
}

static lochan_status never_end(void *ctx, lochan_error *err) {
    (void)ctx;
    pause();
    return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "nobody killed the child");
}

static void test_support__kill_reports_the_result(void **state) {
    (void)state;
    kill_result r = kill_at(fail_in_child, NULL, 1, NULL, NULL);
    assert_true(r.finished);
    assert_int_equal(r.rc, LOCHAN_ERR_SPEC);
    assert_string_equal(r.err.message, "from the child");
    r = kill_after(never_end, NULL, 1000000);
    assert_false(r.finished || r.reached);
}

/* Power cuts */

static lochan_file *create(const char *rel) {
    lochan_error err;
    lochan_file *f;
    assert_ok(
        lochan_file__open(at(rel), LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_CREATE, &f, &err));
    return f;
}

static void test_support__cut_loses_what_was_not_synced(void **state) {
    (void)state;
    lochan_error err;
    tmpdir_write(at("old"), "old content", 11);
    torn_start(dir);
    lochan_file *f = create("old"), *g = create("new"), *h = create("synced");
    assert_ok(lochan_file__write(f, "NEW", 3, 0, &err));
    assert_ok(lochan_file__write(f, "longer now", 10, 20, &err));
    assert_ok(lochan_file__write(g, "x", 1, 0, &err));
    assert_ok(lochan_file__write(h, "kept", 4, 0, &err));
    assert_ok(lochan_file__sync(h, true, &err));
    assert_ok(lochan_file__write(h, "lost", 4, 0, &err));
    char got[3];
    assert_ok(lochan_file__read(f, got, 3, 0, &err)); /* the running program sees its writes */
    assert_memory_equal(got, "NEW", 3);
    assert_int_equal(torn_pending_files(), 3);
    assert_int_equal(torn_pending_names(), 2);
    assert_ok(lochan_fs__sync_dir(dir, &err));
    assert_int_equal(torn_pending_names(), 0);
    torn_power_cut(0);
    assert_int_equal(lochan_file__write(f, "dead", 4, 0, &err), LOCHAN_ERR_IO);
    assert_int_equal(lochan_file__sync(h, true, &err), LOCHAN_ERR_IO);
    lochan_file__close(f, NULL);
    lochan_file__close(g, NULL);
    lochan_file__close(h, NULL);
    torn_stop();
    assert_string_equal(content("old"), "old content");
    assert_string_equal(content("new"), "");
    assert_string_equal(content("synced"), "kept");
    char stash[300];
    snprintf(stash, sizeof stash, "%s.torn", dir);
    assert_false(tmpdir_exists(stash));
}

static void test_support__cut_undoes_names(void **state) {
    (void)state;
    lochan_error err;
    tmpdir_write(at("removed"), "r", 1);
    tmpdir_write(at("replaced"), "before", 6);
    tmpdir_write(at("moved"), "m", 1);
    tmpdir_mkdir(at("gone"));
    torn_start(dir);
    assert_ok(lochan_fs__mkdirs(at("a/b"), NULL, &err));
    lochan_file__close(create("a/b/f"), NULL);
    assert_ok(lochan_fs__unlink(at("removed"), false, &err));
    assert_ok(lochan_fs__rename(at("moved"), at("replaced"), &err));
    assert_ok(lochan_fs__rmdir(at("gone"), false, &err));
    assert_ok(lochan_fs__link(at("replaced"), at("second"), &err));
    torn_power_cut(0);
    torn_stop();
    assert_false(tmpdir_exists(at("a")));
    assert_false(tmpdir_exists(at("second")));
    assert_string_equal(content("removed"), "r");
    assert_string_equal(content("replaced"), "before");
    assert_string_equal(content("moved"), "m");
    assert_true(tmpdir_exists(at("gone")));
}

static void test_support__file_sync_does_not_save_the_name(void **state) {
    (void)state;
    lochan_error err;
    torn_start(dir);
    lochan_file *f = create("f");
    assert_ok(lochan_file__write(f, "x", 1, 0, &err));
    assert_ok(lochan_file__sync(f, false, &err));
    lochan_file__close(f, NULL);
    torn_power_cut(0);
    torn_stop();
    assert_false(tmpdir_exists(at("f")));
}

static void test_support__write_all_survives_every_cut(void **state) {
    (void)state;
    lochan_error err;
    for (uint64_t seed = 0; seed < 20; seed++) {
        tmpdir_clear(dir);
        torn_start(dir);
        assert_ok(lochan_fs__write_all(at("f"), "one", 3, &err));
        assert_int_equal(torn_pending_files() + torn_pending_names(), 0);
        torn_power_cut(seed);
        torn_stop();
        assert_string_equal(content("f"), "one");
    }
}

static void test_support__sync_of_the_file_system_saves_all(void **state) {
    (void)state;
    lochan_error err;
    torn_start(dir);
    assert_ok(lochan_fs__mkdirs(at("a/b"), NULL, &err));
    lochan_file *f = create("a/b/f");
    assert_ok(lochan_file__write(f, "x", 1, 0, &err));
    assert_ok(lochan_fs__sync_all(dir, &err));
    lochan_file__close(f, NULL);
    torn_power_cut(3);
    torn_stop();
    assert_string_equal(content("a/b/f"), "x");
}

static void overwrite_and_cut(uint64_t seed) {
    static char block[4096];
    lochan_error err;
    memset(block, 'o', sizeof block);
    tmpdir_write(at("f"), block, sizeof block);
    torn_start(dir);
    lochan_file *f = create("f");
    memset(block, 'n', sizeof block);
    assert_ok(lochan_file__write(f, block, sizeof block, 0, &err));
    assert_ok(lochan_file__write(f, block, 1000, sizeof block, &err));
    torn_power_cut(seed);
    lochan_file__close(f, NULL);
    torn_stop();
}

static void test_support__writes_tear_at_sectors(void **state) {
    (void)state;
    bool torn = false, whole = false, lost = false, zeros = false;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        overwrite_and_cut(seed);
        size_t n, again;
        char *p = tmpdir_read(at("f"), &n);
        assert_in_range(n, 4096, 5096);
        for (size_t s = 0; s < 4096; s += 512) {
            for (size_t i = 1; i < 512; i++)
                assert_int_equal(p[s + i], p[s]);
        }
        bool any_old = memchr(p, 'o', 4096) != NULL, any_new = memchr(p, 'n', 4096) != NULL;
        torn |= any_old && any_new;
        whole |= !any_old;
        lost |= !any_new;
        zeros |= memchr(p, 0, n) != NULL;
        overwrite_and_cut(seed); /* the same seed gives the same disk */
        char *q = tmpdir_read(at("f"), &again);
        assert_int_equal(n, again);
        assert_memory_equal(p, q, n);
        free(p);
        free(q);
    }
    assert_true(torn && whole && lost && zeros);
}

static void test_support__truncation_by_open_can_be_lost(void **state) {
    (void)state;
    lochan_error err;
    lochan_file *f;
    tmpdir_write(at("f"), "content", 7);
    torn_start(dir);
    assert_ok(lochan_file__open(at("f"), LOCHAN_FS_WRITE | LOCHAN_FS_TRUNCATE, &f, &err));
    torn_power_cut(0);
    lochan_file__close(f, NULL);
    torn_stop();
    assert_string_equal(content("f"), "content");
}

static void test_support__without_a_cut_nothing_is_lost(void **state) {
    (void)state;
    lochan_error err;
    torn_start(dir);
    assert_ok(lochan_fs__mkdirs(at("a"), NULL, &err));
    lochan_file *f = create("a/f");
    assert_ok(lochan_file__write(f, "x", 1, 0, &err));
    assert_ok(lochan_fs__rename(at("a"), at("b"), &err));
    assert_ok(lochan_fs__sync_dir(at("b"), &err)); /* under its new name */
    assert_int_equal(torn_pending_names(), 2);
    lochan_file__close(f, NULL);
    torn_stop();
    assert_string_equal(content("b/f"), "x");
}

/* The pattern of docs: a power cut at every failpoint, several outcomes each. */
static void test_support__kill_and_cut_together(void **state) {
    (void)state;
    for (size_t n = 1; n <= 3; n++) {
        for (uint64_t seed = 0; seed < 5; seed++) {
            tmpdir_clear(dir);
            torn_start(dir);
            kill_result r = kill_at(three_steps, NULL, n, torn_last_act, &seed);
            torn_stop();
            assert_true(r.reached);
            assert_string_equal(content("1"), "1");
            assert_int_equal(tmpdir_exists(at("2")), n >= 2);
            assert_false(tmpdir_exists(at("3")));
        }
    }
}

static void test_support__copies_of_trees(void **state) {
    (void)state;
    tmpdir_mkdir(at("a"));
    tmpdir_mkdir(at("a/b"));
    tmpdir_write(at("a/b/f"), "text", 4);
    tmpdir_copy(at("a"), at("c"));
    assert_string_equal(content("c/b/f"), "text");
    assert_null(content("none"));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_support__sweep_reaches_every_allocation),
        CASE(test_support__sweep_reaches_every_failpoint),
        CASE(test_support__one_fault_at_a_chosen_place),
        CASE(test_support__kill_lists_and_kills),
        CASE(test_support__kill_reports_the_result),
        CASE(test_support__cut_loses_what_was_not_synced),
        CASE(test_support__cut_undoes_names),
        CASE(test_support__file_sync_does_not_save_the_name),
        CASE(test_support__write_all_survives_every_cut),
        CASE(test_support__sync_of_the_file_system_saves_all),
        CASE(test_support__writes_tear_at_sectors),
        CASE(test_support__truncation_by_open_can_be_lost),
        CASE(test_support__without_a_cut_nothing_is_lost),
        CASE(test_support__kill_and_cut_together),
        CASE(test_support__copies_of_trees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
