/* test_clock.c - time, random numbers, UUIDs, cancel, failpoints and log. */
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/tmpdir.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void test_clock__system_moves_forward(void **state) {
    (void)state;
    int64_t a = lochan_clock__mono_ns(), w = lochan_clock__wall_ns();
    lochan_clock__sleep_ns(1000000);
    lochan_clock__sleep_ns(0);
    lochan_clock__sleep_ns(-5);
    assert_true(lochan_clock__mono_ns() > a);
    assert_true(w > INT64_C(1600000000000000000));
}

static void test_clock__fake_stands_still(void **state) {
    (void)state;
    fake_clock_install(5000, 1);
    assert_int_equal(lochan_clock__wall_ns(), 5000);
    int64_t m = lochan_clock__mono_ns();
    lochan_clock__sleep_ns(700);
    lochan_clock__sleep_ns(30);
    assert_int_equal(lochan_clock__wall_ns(), 5730);
    assert_int_equal(lochan_clock__mono_ns(), m + 730);
    assert_int_equal(fake_clock_sleeps(), 2);
    assert_int_equal(fake_clock_sleep(0), 700);
    assert_int_equal(fake_clock_sleep(1), 30);
    assert_int_equal(fake_clock_slept(), 730);
    fake_clock_set_wall(10);
    fake_clock_advance(5);
    assert_int_equal(lochan_clock__wall_ns(), 15);
    assert_int_equal(lochan_clock__mono_ns(), m + 735);
    fake_clock_tick(3);
    assert_int_equal(lochan_clock__wall_ns(), 18);
    assert_int_equal(lochan_clock__wall_ns(), 21);
    fake_clock_remove();
    assert_true(lochan_clock__wall_ns() > 1000000);
}

static void test_clock__random_follows_the_seed(void **state) {
    (void)state;
    uint8_t a[100], b[100], c[100] = {0}, zero[100] = {0};
    fake_clock_install(0, 9);
    lochan_random__bytes(a, sizeof a);
    fake_clock_install(0, 9);
    lochan_random__bytes(b, sizeof b);
    assert_memory_equal(a, b, sizeof a);
    fake_clock_install(0, 10);
    lochan_random__bytes(b, sizeof b);
    assert_memory_not_equal(a, b, sizeof a);
    fake_clock_remove();
    lochan_random__bytes(c, sizeof c);
    assert_memory_not_equal(c, zero, sizeof c);
}

static void test_clock__random_below_is_uniform(void **state) {
    (void)state;
    size_t counts[7] = {0};
    fake_clock_install(0, 3);
    for (int i = 0; i < 70000; i++) {
        uint64_t v = lochan_random__below(7);
        assert_in_range(v, 0, 6);
        counts[v]++;
    }
    for (int i = 0; i < 7; i++)
        assert_in_range(counts[i], 9500, 10500);
    assert_int_equal(lochan_random__below(1), 0);
    for (int i = 0; i < 100; i++)
        assert_true(lochan_random__below(UINT64_MAX) < UINT64_MAX);
    fake_clock_remove();
}

static void check_uuid(const char *u) {
    assert_int_equal(strlen(u), 36);
    for (int i = 0; i < 36; i++) {
        if (i == 8 || i == 13 || i == 18 || i == 23)
            assert_int_equal(u[i], '-');
        else
            assert_true((u[i] >= '0' && u[i] <= '9') || (u[i] >= 'a' && u[i] <= 'f'));
    }
    assert_int_equal(u[14], '7');
    assert_non_null(strchr("89ab", u[19]));
}

static void test_clock__uuids_sort_in_order_of_making(void **state) {
    (void)state;
    char before[37] = "", now[37];
    for (int i = 0; i < 20000; i++) {
        lochan_uuid__make(now);
        check_uuid(now);
        assert_true(strcmp(before, now) < 0);
        memcpy(before, now, sizeof now);
    }
}

static void test_clock__uuids_sort_when_the_clock_steps_back(void **state) {
    (void)state;
    char a[37], b[37], c[37];
    fake_clock_install(INT64_C(1793363696123000000), 1);
    lochan_uuid__make(a);
    unsigned long long ms;
    unsigned low;
    assert_int_equal(sscanf(a, "%8llx-%4x", &ms, &low), 2);
    assert_true((ms << 16 | low) == 1793363696123u);
    fake_clock_set_wall(1000);
    lochan_uuid__make(b);
    assert_true(strcmp(a, b) < 0);
    fake_clock_set_wall(INT64_C(1793363697000000000));
    lochan_uuid__make(c);
    assert_true(strcmp(b, c) < 0);
    fake_clock_set_wall(-5);
    lochan_uuid__make(b);
    check_uuid(b);
    fake_clock_remove();
}

enum { UUIDS = 4000 };

static void *make_uuids(void *arg) {
    char(*dst)[37] = arg;
    for (int i = 0; i < UUIDS; i++)
        lochan_uuid__make(dst[i]);
    return NULL;
}

static int compare_uuids(const void *a, const void *b) {
    return memcmp(a, b, 37);
}

static void test_clock__uuids_of_threads_differ(void **state) {
    (void)state;
    static char all[4 * UUIDS][37];
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, make_uuids, all + i * UUIDS), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    qsort(all, 4 * UUIDS, 37, compare_uuids);
    for (int i = 1; i < 4 * UUIDS; i++)
        assert_true(memcmp(all[i - 1], all[i], 14 + 4) < 0); /* the times alone differ */
}

static void test_clock__cancel_flag(void **state) {
    (void)state;
    lochan_error err;
    lochan_cancel c = {0};
    assert_ok(lochan_cancel__check(NULL, &err));
    assert_ok(lochan_cancel__check(&c, &err));
    atomic_store(&c.requested, 1);
    assert_true(lochan_cancel__requested(&c));
    assert_int_equal(lochan_cancel__check(&c, &err), LOCHAN_ERR_CANCELLED);
    assert_int_equal(err.code, LOCHAN_ERR_CANCELLED);
}

static lochan_status refuse_second(void *self, const char *name, lochan_error *err) {
    int *n = self;
    return ++*n == 2 ? lochan_error__set(err, LOCHAN_ERR_IO, "at %s", name) : LOCHAN_OK;
}

static lochan_status two_points(lochan_error *err) {
    LOCHAN_FAILPOINT("first", err);
    LOCHAN_FAILPOINT("second", err);
    return LOCHAN_OK;
}

static void test_clock__failpoints(void **state) {
    (void)state;
    lochan_error err;
    int n = 0;
    assert_ok(two_points(&err));
    lochan_failpoint__set(refuse_second, &n);
    assert_int_equal(two_points(&err), LOCHAN_ERR_IO);
    assert_string_equal(err.message, "at second");
    lochan_failpoint__set(NULL, NULL);
    assert_ok(two_points(&err));
    assert_int_equal(n, 2);
}

typedef struct heard {
    int count;
    lochan_log_level level;
    char text[1100];
} heard;

static void hear(void *payload, lochan_log_level level, const char *message) {
    heard *h = payload;
    h->count++;
    h->level = level;
    snprintf(h->text, sizeof h->text, "%s", message);
}

static void test_clock__log_levels_and_lines(void **state) {
    (void)state;
    heard h = {0};
    lochan_log_set(hear, &h, LOCHAN_LOG_INFO);
    LOCHAN_DEBUG("not heard");
    assert_int_equal(h.count, 0);
    LOCHAN_INFO("one\ntwo \x1b[0m %d", 3);
    assert_int_equal(h.count, 1);
    assert_int_equal(h.level, LOCHAN_LOG_INFO);
    assert_string_equal(h.text, "one two  [0m 3");
    char text[3000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    LOCHAN_WARN("%s", text);
    assert_int_equal(h.count, 2);
    assert_int_equal(strlen(h.text), 1023);
    lochan_log_set(hear, &h, LOCHAN_LOG_OFF);
    lochan_log(LOCHAN_LOG_ERROR, "silence");
    assert_int_equal(h.count, 2);
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
}

static void test_clock__log_goes_to_stderr_by_default(void **state) {
    (void)state;
    char *dir = tmpdir_make("log");
    const char *path = tmpdir_path(dir, "stderr");
    fflush(stderr);
    int before = dup(STDERR_FILENO);
    assert_non_null(freopen(path, "w", stderr));
    lochan_log_set(NULL, NULL, LOCHAN_LOG_DEBUG);
    LOCHAN_DEBUG("d");
    LOCHAN_INFO("i");
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    LOCHAN_INFO("not shown");
    LOCHAN_WARN("w %d", 1);
    lochan_log(LOCHAN_LOG_ERROR, "e");
    fflush(stderr);
    dup2(before, STDERR_FILENO);
    close(before);
    char *text = tmpdir_read(path, NULL);
    assert_string_equal(
        text, "lochan: debug: d\nlochan: info: i\nlochan: warning: w 1\nlochan: error: e\n");
    free(text);
    tmpdir_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clock__system_moves_forward),
        cmocka_unit_test(test_clock__fake_stands_still),
        cmocka_unit_test(test_clock__random_follows_the_seed),
        cmocka_unit_test(test_clock__random_below_is_uniform),
        cmocka_unit_test(test_clock__uuids_sort_in_order_of_making),
        cmocka_unit_test(test_clock__uuids_sort_when_the_clock_steps_back),
        cmocka_unit_test(test_clock__uuids_of_threads_differ),
        cmocka_unit_test(test_clock__cancel_flag),
        cmocka_unit_test(test_clock__failpoints),
        cmocka_unit_test(test_clock__log_levels_and_lines),
        cmocka_unit_test(test_clock__log_goes_to_stderr_by_default),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
