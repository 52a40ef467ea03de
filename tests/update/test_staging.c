/* Staged pages: kept, taken over by the next update, and never believed when damaged. */
#include "base/civil.h"
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/fault.h"
#include "support/tmpdir.h"
#include "update/staging.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HOUR_NS INT64_C(3600000000000)

static const char body[] = "Date,USD\n2020-01-02,1.1193\n";

static lochan_staging *open_staging(const char *lake, const char *id, const char *dataset,
                                    int64_t expect_adopted) {
    lochan_staging *staging = NULL;
    int64_t adopted = -1;
    lochan_error err;
    assert_ok(lochan_staging__open(lake, id, "ecb", dataset, 24 * HOUR_NS, NULL, &staging, &adopted,
                                   &err));
    assert_int_equal(adopted, expect_adopted);
    return staging;
}

static lochan_hash128 key(uint64_t n) {
    return (lochan_hash128){n, n};
}

static void put(lochan_staging *staging, uint64_t n) {
    lochan_error err;
    lochan_staged_page page = {key(n), "http://127.0.0.1/x.csv", 200, 1234567890, n % 2, n > 1};
    assert_ok(lochan_staging__put(staging, &page, body, sizeof body - 1, &err));
}

static bool get(lochan_staging *staging, uint64_t n) {
    lochan_error err;
    lochan_buf buf;
    bool found;
    lochan_staged_page page;
    lochan_buf__init(&buf, 1 << 20);
    assert_ok(lochan_staging__get_page(staging, key(n), 1 << 16, &buf, &page, &found, &err));
    if (found) {
        assert_int_equal(buf.len, sizeof body - 1);
        assert_memory_equal(buf.data, body, buf.len);
        assert_int_equal(page.fetched_at, 1234567890);
        assert_int_equal(page.http_status, 200);
        assert_true(page.has_more == (n % 2 == 1) && page.has_more_known == (n > 1));
    }
    lochan_buf__deinit(&buf);
    return found;
}

static void test_staging__gives_back_what_was_put(void **state) {
    (void)state;
    char *lake = tmpdir_make("staging");
    lochan_staging *staging = open_staging(lake, "u1", "fx", 0);
    put(staging, 7);
    assert_true(get(staging, 7));
    assert_false(get(staging, 8));
    assert_int_equal(lochan_staging__remove(staging, NULL), LOCHAN_OK);
    assert_false(tmpdir_exists(tmpdir_path(lake, "data/staging/u1")));
    lochan_staging__free(staging);
    tmpdir_remove(lake);
}

static void test_staging__pages_of_a_living_update_are_left_alone(void **state) {
    (void)state;
    char *lake = tmpdir_make("staging");
    lochan_staging *first = open_staging(lake, "u1", "fx", 0);
    put(first, 1);
    lochan_staging *beside = open_staging(lake, "u2", "fx", 0);
    assert_true(get(first, 1));
    assert_false(get(beside, 1));
    lochan_staging__free(first); /* it was cut off */
    lochan_staging *third = open_staging(lake, "u3", "fx", 1);
    assert_true(get(third, 1));
    lochan_staging__free(beside);
    lochan_staging__free(third);
    tmpdir_remove(lake);
}

static void test_staging__next_update_takes_over(void **state) {
    (void)state;
    char *lake = tmpdir_make("staging");
    lochan_staging *first = open_staging(lake, "u1", "fx", 0);
    put(first, 1);
    put(first, 2);
    lochan_staging__free(first);
    lochan_staging *other = open_staging(lake, "u2", "another", 0); /* not its pages */
    assert_true(tmpdir_exists(tmpdir_path(lake, "data/staging/u1")));
    lochan_staging *second = open_staging(lake, "u3", "fx", 2);
    assert_true(get(second, 1));
    assert_true(get(second, 2));
    assert_false(tmpdir_exists(tmpdir_path(lake, "data/staging/u1")));
    int64_t mine, all;
    assert_int_equal(lochan_staging__disk_use(lake, "ecb", "fx", &mine, NULL), LOCHAN_OK);
    assert_int_equal(lochan_staging__disk_use(lake, NULL, NULL, &all, NULL), LOCHAN_OK);
    assert_true(mine > 0 && all > mine);
    lochan_staging__free(other);
    lochan_staging__free(second);
    tmpdir_remove(lake);
}

static void test_staging__old_pages_are_not_believed(void **state) {
    (void)state;
    char *lake = tmpdir_make("staging");
    lochan_staging *first = open_staging(lake, "u1", "fx", 0);
    put(first, 1);
    lochan_staging__free(first);
    int64_t day_ns;
    assert_true(lochan_civil__parse_utc("2100-01-01", 10, &day_ns));
    fake_clock_install(day_ns, 1); /* long after the files were written */
    lochan_staging *second = open_staging(lake, "u2", "fx", 0);
    assert_false(get(second, 1));
    lochan_staging__free(second);
    fake_clock_remove();
    tmpdir_remove(lake);
}

/* A page of the older layout lacks what the headers said: an update asks for it again, evidence can
 * still be read. */
static void test_staging__older_pages_are_evidence_only(void **state) {
    (void)state;
    char *lake = tmpdir_make("staging"), path[500], folder[400], hex[33];
    lochan_staging *staging = open_staging(lake, "u1", "fx", 0), *evidence = NULL;
    lochan_error err;
    size_t n;
    lochan_hash128__hex(key(1), hex);
    snprintf(folder, sizeof folder, "%s/data/staging/u1", lake);
    snprintf(path, sizeof path, "%s/%s.page", folder, hex);
    put(staging, 1);
    char *whole = tmpdir_read(path, &n);
    assert_memory_equal(whole, "LCHPAGE2", 8);
    memset(whole + 48, 0, 8);
    whole[7] = '1';
    tmpdir_write(path, whole, n);
    assert_ok(lochan_staging__at(folder, &evidence, &err));
    lochan_staged_page page;
    lochan_buf buf;
    bool found;
    lochan_buf__init(&buf, 1 << 20);
    assert_ok(lochan_staging__get_page(evidence, key(1), 1 << 16, &buf, &page, &found, &err));
    assert_true(found && !page.has_more_known);
    assert_memory_equal(buf.data, body, sizeof body - 1);
    assert_false(get(staging, 1));
    assert_false(tmpdir_exists(path));
    lochan_buf__deinit(&buf);
    free(whole);
    lochan_staging__free(evidence);
    lochan_staging__free(staging);
    tmpdir_remove(lake);
}

/* Every single damaged byte of a page file, and every length it can be cut to. */
static void test_staging__damaged_pages_are_fetched_again(void **state) {
    (void)state;
    char *lake = tmpdir_make("staging"), path[400], hex[33];
    lochan_staging *staging = open_staging(lake, "u1", "fx", 0);
    lochan_hash128__hex(key(1), hex);
    snprintf(path, sizeof path, "%s/data/staging/u1/%s.page", lake, hex);
    put(staging, 1);
    size_t n;
    char *whole = tmpdir_read(path, &n);
    size_t believed = 0;
    for (size_t i = 0; i < n; i++) {
        char *damaged = malloc(n);
        memcpy(damaged, whole, n);
        damaged[i] ^= 0x10;
        tmpdir_write(path, damaged, n);
        free(damaged);
        lochan_buf buf;
        bool found;
        int64_t fetched_at;
        lochan_buf__init(&buf, 1 << 20);
        assert_int_equal(
            lochan_staging__get(staging, key(1), 1 << 16, &buf, &fetched_at, &found, NULL),
            LOCHAN_OK);
        if (found) { /* damage in the description of the request does no harm: the body is what
                        counts */
            assert_int_equal(buf.len, sizeof body - 1);
            assert_memory_equal(buf.data, body, buf.len);
            believed++;
        } else {
            assert_false(tmpdir_exists(path));
        }
        lochan_buf__deinit(&buf);
        tmpdir_write(path, whole, i);
        assert_false(get(staging, 1));
    }
    assert_true(believed < n / 2);
    free(whole);
    lochan_staging__free(staging);
    tmpdir_remove(lake);
}

/* ---- faults ---- */

struct sweep {
    char *lake;
};

static void sweep_prep(void *ctx) {
    struct sweep *sweep = ctx;
    sweep->lake = tmpdir_make("staging");
}

static lochan_status sweep_body(void *ctx, lochan_error *err) {
    struct sweep *sweep = ctx;
    lochan_staging *staging = NULL;
    int64_t adopted;
    lochan_status rc = lochan_staging__open(sweep->lake, "u1", "ecb", "fx", HOUR_NS, NULL, &staging,
                                            &adopted, err);
    lochan_staged_page page = {key(1), "http://127.0.0.1/x.csv", 200, 1234567890, true, true};
    if (rc == LOCHAN_OK)
        rc = lochan_staging__put(staging, &page, body, sizeof body - 1, err);
    if (rc == LOCHAN_OK)
        rc = lochan_staging__remove(staging, err);
    lochan_staging__free(staging);
    return rc;
}

static void sweep_check(void *ctx, lochan_status rc) {
    struct sweep *sweep = ctx;
    if (rc == LOCHAN_OK)
        assert_false(tmpdir_exists(tmpdir_path(sweep->lake, "data/staging/u1")));
    tmpdir_remove(sweep->lake);
}

static void test_staging__fault_sweep(void **state) {
    (void)state;
    struct sweep sweep;
    fault_totals totals = fault_sweep(&(fault_case){.name = "staging",
                                                    .prep = sweep_prep,
                                                    .body = sweep_body,
                                                    .check = sweep_check,
                                                    .ctx = &sweep,
                                                    .kinds = FAULT_ALL});
    assert_true(totals.failed > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_staging__gives_back_what_was_put),
        cmocka_unit_test(test_staging__pages_of_a_living_update_are_left_alone),
        cmocka_unit_test(test_staging__next_update_takes_over),
        cmocka_unit_test(test_staging__old_pages_are_not_believed),
        cmocka_unit_test(test_staging__older_pages_are_evidence_only),
        cmocka_unit_test(test_staging__damaged_pages_are_fetched_again),
        cmocka_unit_test(test_staging__fault_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
