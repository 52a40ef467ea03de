/* The interval algebra against an oracle that keeps one entry a day. */
#include "update/ledger.h"

#include "support/cmocka_all.h"
#include <string.h>

#define DAY_NS INT64_C(86400000000000)

static lochan_finality settled(int32_t days) {
    return (lochan_finality){.settle_days = days};
}

static lochan_cover cover(int32_t from, int32_t to, lochan_cover_state state, int32_t asked_day) {
    lochan_cover c = {
        .from = from, .to = to, .state = state, .asked_at = asked_day * DAY_NS, .rows = 1};
    return c;
}

static void record(lochan_ledger *ledger, int32_t from, int32_t to, lochan_cover_state state,
                   int32_t asked_day, int32_t settle) {
    lochan_cover c = cover(from, to, state, asked_day);
    assert_int_equal(lochan_ledger__record(ledger, &c, settled(settle), NULL), LOCHAN_OK);
}

static void test_ledger__neighbours_join(void **state) {
    lochan_ledger ledger = {0};
    (void)state;
    for (int32_t day = 100; day < 200; day++)
        record(&ledger, day, day, LOCHAN_COVER_SUCCESS, 1000, 1);
    assert_int_equal(ledger.count, 1);
    assert_int_equal(ledger.rows[0].from, 100);
    assert_int_equal(ledger.rows[0].to, 199);
    assert_int_equal(ledger.rows[0].rows, 100);
    lochan_ledger__deinit(&ledger);
}

static void test_ledger__ten_years_of_daily_updates_stay_small(void **state) {
    lochan_ledger ledger = {0};
    (void)state;
    for (int32_t today = 1000; today < 1000 + 3650; today++) {
        lochan_windows gaps = {0};
        assert_int_equal(
            lochan_ledger__gaps(&ledger, 990, today, settled(3), LOCHAN_GAP_OPEN, &gaps, NULL),
            LOCHAN_OK);
        assert_int_equal(gaps.count, 1);
        record(&ledger, gaps.items[0].from, gaps.items[0].to, LOCHAN_COVER_SUCCESS, today, 3);
        lochan_windows__deinit(&gaps);
        assert_true(ledger.count <= 2);
    }
    lochan_ledger__deinit(&ledger);
}

static void test_ledger__recent_days_are_asked_again(void **state) {
    lochan_ledger ledger = {0};
    lochan_windows gaps = {0};
    (void)state;
    record(&ledger, 0, 100, LOCHAN_COVER_SUCCESS, 100, 3); /* asked on day 100: final up to 96 */
    assert_int_equal(lochan_ledger__final_to(&ledger, 3), 96);
    assert_int_equal(lochan_ledger__gaps(&ledger, 0, 120, settled(3), LOCHAN_GAP_OPEN, &gaps, NULL),
                     LOCHAN_OK);
    assert_int_equal(gaps.count, 1);
    assert_int_equal(gaps.items[0].from, 97);
    assert_int_equal(gaps.items[0].to, 120);
    lochan_windows__deinit(&gaps);
    lochan_ledger__deinit(&ledger);
}

static void test_ledger__failed_is_a_gap_and_repair_sees_only_it(void **state) {
    lochan_ledger ledger = {0};
    lochan_windows gaps = {0};
    (void)state;
    record(&ledger, 0, 99, LOCHAN_COVER_SUCCESS, 1000, 1);
    record(&ledger, 40, 49, LOCHAN_COVER_FAILED, 1000, 1);
    assert_int_equal(ledger.count, 3);
    assert_int_equal(
        lochan_ledger__gaps(&ledger, 0, 150, settled(1), LOCHAN_GAP_FAILED, &gaps, NULL),
        LOCHAN_OK);
    assert_int_equal(gaps.count, 1);
    assert_int_equal(gaps.items[0].from, 40);
    assert_int_equal(gaps.items[0].to, 49);
    lochan_windows__deinit(&gaps);
    assert_int_equal(lochan_ledger__gaps(&ledger, 0, 150, settled(1), LOCHAN_GAP_OPEN, &gaps, NULL),
                     LOCHAN_OK);
    assert_int_equal(gaps.count, 2);
    assert_int_equal(gaps.items[1].from, 100);
    lochan_windows__deinit(&gaps);
    assert_int_equal(lochan_ledger__final_to(&ledger, 1), 39);
    lochan_ledger__deinit(&ledger);
}

static void test_ledger__cutting_forgets_what_held_for_the_whole(void **state) {
    lochan_ledger ledger = {0};
    lochan_cover c = cover(0, 9, LOCHAN_COVER_SUCCESS, 1000);
    (void)state;
    memcpy(c.hash, "abc", 4);
    assert_int_equal(lochan_ledger__record(&ledger, &c, settled(1), NULL), LOCHAN_OK);
    assert_string_equal(ledger.rows[0].hash, "abc");
    record(&ledger, 5, 5, LOCHAN_COVER_INVALID, 1000, 1);
    assert_int_equal(ledger.count, 3);
    assert_int_equal(ledger.rows[0].rows, -1);
    assert_string_equal(ledger.rows[0].hash, "");
    lochan_ledger__deinit(&ledger);
}

static void test_ledger__load_refuses_overlaps(void **state) {
    lochan_ledger ledger = {0};
    lochan_cover a = cover(0, 9, LOCHAN_COVER_SUCCESS, 1000),
                 b = cover(9, 12, LOCHAN_COVER_EMPTY, 1000);
    (void)state;
    assert_int_equal(lochan_ledger__load(&ledger, &a, NULL), LOCHAN_OK);
    assert_int_equal(lochan_ledger__load(&ledger, &b, NULL), LOCHAN_ERR_CORRUPT);
    lochan_ledger__deinit(&ledger);
}

/* ---- oracle ---- */

enum { DAYS = 200, SETTLE = 2 };
struct day {
    bool known;
    lochan_cover_state state;
    int32_t asked;
};

static uint32_t next_random(uint32_t *seed) {
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

static bool day_final(const struct day *d, int32_t day) {
    return d->known && d->state <= LOCHAN_COVER_EMPTY && day <= d->asked - 1 - SETTLE;
}

static void check_against(const lochan_ledger *ledger, const struct day *days) {
    lochan_windows gaps = {0};
    assert_int_equal(
        lochan_ledger__gaps(ledger, 0, DAYS - 1, settled(SETTLE), LOCHAN_GAP_OPEN, &gaps, NULL),
        LOCHAN_OK);
    bool asked[DAYS] = {false};
    for (size_t i = 0; i < gaps.count; i++) {
        assert_true(i == 0 || gaps.items[i].from > gaps.items[i - 1].to + 1);
        for (int32_t d = gaps.items[i].from; d <= gaps.items[i].to; d++)
            asked[d] = true;
    }
    for (int32_t d = 0; d < DAYS; d++)
        assert_int_equal(asked[d], !day_final(&days[d], d));
    for (size_t i = 1; i < ledger->count; i++)
        assert_true(ledger->rows[i].from > ledger->rows[i - 1].to);
    lochan_windows__deinit(&gaps);
}

static void test_ledger__agrees_with_a_day_by_day_oracle(void **state) {
    (void)state;
    for (uint32_t round = 0; round < 200; round++) {
        lochan_ledger ledger = {0};
        struct day days[DAYS] = {{false, 0, 0}};
        uint32_t seed = round + 1;
        for (int step = 0; step < 40; step++) {
            int32_t from = (int32_t)(next_random(&seed) % DAYS);
            int32_t to = from + (int32_t)(next_random(&seed) % 30);
            to = to < DAYS ? to : DAYS - 1;
            lochan_cover_state kind = (lochan_cover_state)(next_random(&seed) % 4);
            int32_t asked = 50 + (int32_t)(next_random(&seed) % 200);
            record(&ledger, from, to, kind, asked, SETTLE);
            for (int32_t d = from; d <= to; d++)
                days[d] = (struct day){true, kind, asked};
            check_against(&ledger, days);
        }
        lochan_ledger__deinit(&ledger);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ledger__neighbours_join),
        cmocka_unit_test(test_ledger__ten_years_of_daily_updates_stay_small),
        cmocka_unit_test(test_ledger__recent_days_are_asked_again),
        cmocka_unit_test(test_ledger__failed_is_a_gap_and_repair_sees_only_it),
        cmocka_unit_test(test_ledger__cutting_forgets_what_held_for_the_whole),
        cmocka_unit_test(test_ledger__load_refuses_overlaps),
        cmocka_unit_test(test_ledger__agrees_with_a_day_by_day_oracle),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
