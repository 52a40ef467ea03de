/* test_ticker.c - a function called again and again; never after stop. */
#include "support/cmocka_all.h"

#include "base/clock.h"
#include "base/ticker.h"

#include <stdatomic.h>

static void count(void *ctx) {
    atomic_fetch_add((_Atomic long *)ctx, 1);
}

static void test_ticker__calls_until_stopped(void **state) {
    _Atomic long calls = 0;
    lochan_ticker *ticker;
    lochan_error err;
    (void)state;
    assert_int_equal(lochan_ticker__start(1000000, count, &calls, &ticker, &err), LOCHAN_OK);
    while (atomic_load(&calls) < 3)
        lochan_clock__sleep_ns(1000000);
    lochan_ticker__stop(ticker);
    long seen = atomic_load(&calls);
    lochan_clock__sleep_ns(5000000);
    assert_int_equal(atomic_load(&calls), seen);
}

static void test_ticker__stop_does_not_wait_for_the_next_call(void **state) {
    _Atomic long calls = 0;
    lochan_ticker *ticker;
    lochan_error err;
    (void)state;
    assert_int_equal(lochan_ticker__start(INT64_C(86400000000000), count, &calls, &ticker, &err),
                     LOCHAN_OK);
    lochan_ticker__stop(ticker);
    lochan_ticker__stop(NULL);
    assert_int_equal(atomic_load(&calls), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ticker__calls_until_stopped),
        cmocka_unit_test(test_ticker__stop_does_not_wait_for_the_next_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
