/* The ledger of many assets: series by (asset, variant), and how little ten years of updates leave.
 */
#include "update/series.h"

#include "support/cmocka_all.h"
#include <stdio.h>
#include <string.h>

#define DAY_NS INT64_C(86400000000000)

static const lochan_finality one_day = {.settle_days = 1};

/* One daily update of a series as the plan and the publish step make it. */
static void update(lochan_series *series, int32_t first, int32_t today, lochan_cover_state state) {
    lochan_windows gaps = {0};
    assert_int_equal(lochan_ledger__gaps(lochan_series__now(series), first, today, one_day,
                                         LOCHAN_GAP_OPEN, &gaps, NULL),
                     LOCHAN_OK);
    for (size_t i = 0; i < gaps.count; i++) {
        lochan_cover cover = {.from = gaps.items[i].from,
                              .to = gaps.items[i].to,
                              .state = state,
                              .asked_at = today * DAY_NS,
                              .rows = state == LOCHAN_COVER_SUCCESS ? 1 : 0,
                              .message = state == LOCHAN_COVER_FAILED ? "cut off" : NULL};
        assert_int_equal(lochan_series__record(series, &cover, one_day, NULL), LOCHAN_OK);
    }
    lochan_windows__deinit(&gaps);
}

/* Weekends are empty, some days fail and are asked again the next day. */
static lochan_cover_state answer(int32_t day, int asset) {
    if ((day + asset) % 97 == 0)
        return LOCHAN_COVER_FAILED;
    return day % 7 >= 5 || (day + asset) % 11 == 0 ? LOCHAN_COVER_EMPTY : LOCHAN_COVER_SUCCESS;
}

static void run_years(int assets, int days) {
    lochan_book book = {0};
    size_t most = 0;
    for (int day = 0; day < days; day++) {
        for (int a = 0; a < assets; a++) {
            char name[16];
            lochan_series *series;
            snprintf(name, sizeof name, "A%05d", a);
            assert_int_equal(lochan_book__get(&book, name, "", &series, NULL), LOCHAN_OK);
            update(series, 10000, 10000 + day, answer(day, a));
            size_t rows = lochan_series__now(series)->count;
            most = rows > most ? rows : most;
        }
    }
    assert_int_equal(book.n, assets);
    assert_in_range(most, 1, 4);
    lochan_book__deinit(&book);
}

static void test_series__ten_years_of_daily_updates_leave_a_few_rows_an_asset(void **state) {
    (void)state;
    run_years(20, 3650);
}

static void test_series__five_thousand_assets_are_no_different(void **state) {
    (void)state;
    run_years(5000, 40);
}

/* A provider that revises is asked for two weeks again each day. */
static void test_series__a_look_back_leaves_no_more(void **state) {
    const lochan_finality asks = {.settle_days = 14};
    lochan_book book = {0};
    lochan_series *series;
    (void)state;
    assert_int_equal(lochan_book__get(&book, "A", "", &series, NULL), LOCHAN_OK);
    for (int32_t day = 10000; day < 13650; day++) {
        lochan_windows gaps = {0};
        assert_int_equal(lochan_ledger__gaps(lochan_series__now(series), 10000, day, asks,
                                             LOCHAN_GAP_OPEN, &gaps, NULL),
                         LOCHAN_OK);
        assert_int_equal(gaps.count, 1);
        /* one day more after a failure */
        if (day > 10020)
            assert_in_range(gaps.items[0].from, day - 16, day - 15);
        lochan_cover cover = {.from = gaps.items[0].from,
                              .to = day,
                              .state = answer(day, 0),
                              .asked_at = day * DAY_NS,
                              .rows = 1};
        assert_int_equal(lochan_series__record(series, &cover, one_day, NULL), LOCHAN_OK);
        assert_in_range(lochan_series__now(series)->count, 1, 4);
        lochan_windows__deinit(&gaps);
    }
    lochan_book__deinit(&book);
}

static void test_series__asset_and_variant_name_a_series(void **state) {
    (void)state;
    lochan_book book = {0};
    lochan_series *a, *b, *c, *again;
    assert_int_equal(lochan_book__get(&book, "A", "", &a, NULL), LOCHAN_OK);
    assert_int_equal(lochan_book__get(&book, "A", "exchange=SSE", &b, NULL), LOCHAN_OK);
    assert_int_equal(lochan_book__get(&book, "", "exchange=SSE", &c, NULL), LOCHAN_OK);
    assert_int_equal(lochan_book__get(&book, "A", "", &again, NULL), LOCHAN_OK);
    assert_ptr_equal(a, again);
    assert_true(a != b && b != c);
    assert_null(lochan_book__find(&book, "B", ""));
    lochan_book__deinit(&book);
}

/* What was asked longer ago than refresh_days is asked again, and the rows stay few. */
static void test_series__refresh_asks_again(void **state) {
    (void)state;
    lochan_finality f = {.settle_days = 1, .refresh_days = 30};
    lochan_ledger ledger = {0};
    size_t most = 0;
    int refreshed = 0;
    for (int32_t today = 1000; today < 1400; today++) {
        lochan_windows gaps = {0};
        f.now = today * DAY_NS;
        assert_int_equal(lochan_ledger__gaps(&ledger, 900, today, f, LOCHAN_GAP_OPEN, &gaps, NULL),
                         LOCHAN_OK);
        for (size_t i = 0; i < gaps.count; i++) {
            lochan_cover cover = {.from = gaps.items[i].from,
                                  .to = gaps.items[i].to,
                                  .asked_at = today * DAY_NS,
                                  .rows = 1};
            refreshed += today > 1000 && gaps.items[i].from == 900;
            assert_int_equal(lochan_ledger__record(&ledger, &cover, f, NULL), LOCHAN_OK);
        }
        most = ledger.count > most ? ledger.count : most;
        lochan_windows__deinit(&gaps);
    }
    assert_in_range(refreshed, 6, 14);
    assert_in_range(most, 1, 6);
    lochan_ledger__deinit(&ledger);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_series__ten_years_of_daily_updates_leave_a_few_rows_an_asset),
        cmocka_unit_test(test_series__five_thousand_assets_are_no_different),
        cmocka_unit_test(test_series__a_look_back_leaves_no_more),
        cmocka_unit_test(test_series__asset_and_variant_name_a_series),
        cmocka_unit_test(test_series__refresh_asks_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
