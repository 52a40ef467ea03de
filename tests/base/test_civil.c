/* test_civil.c - the calendar from year 1 to 9999, UTC texts. */
#include "support/cmocka_all.h"

#include "base/civil.h"

#include <string.h>
#include <time.h>

static void test_civil__every_day_round_trips(void **state) {
    (void)state;
    static const int lengths[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    int32_t day = lochan_civil__to_days((lochan_civil){1, 1, 1});
    assert_int_equal(day, -719162);
    for (int32_t y = 1; y <= 9999; y++) {
        bool leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0;
        for (int32_t m = 1; m <= 12; m++) {
            int32_t last = lengths[m - 1] + (m == 2 && leap);
            for (int32_t d = 1; d <= last; d++, day++) {
                lochan_civil c = lochan_civil__from_days(day);
                if (c.year != y || c.month != m || c.day != d || lochan_civil__to_days(c) != day ||
                    !lochan_civil__valid(c))
                    fail_msg("day %d of %d-%d-%d", day, y, m, d);
            }
            assert_false(lochan_civil__valid((lochan_civil){y, m, last + 1}));
        }
    }
    assert_int_equal(day - 1, 2932896);
}

static void test_civil__agrees_with_the_c_library(void **state) {
    (void)state;
    for (int64_t d = -719162; d <= 2932896; d += 997) {
        time_t t = (time_t)(d * 86400);
        struct tm tm;
        gmtime_r(&t, &tm);
        lochan_civil c = lochan_civil__from_days((int32_t)d);
        assert_int_equal(c.year, tm.tm_year + 1900);
        assert_int_equal(c.month, tm.tm_mon + 1);
        assert_int_equal(c.day, tm.tm_mday);
    }
}

static void test_civil__outside_the_range_is_harmless(void **state) {
    (void)state;
    static const int32_t days[] = {INT32_MIN, INT32_MIN + 1, -800000, 3000000, INT32_MAX};
    for (size_t i = 0; i < LOCHAN_COUNTOF(days); i++) {
        lochan_civil c = lochan_civil__from_days(days[i]);
        assert_int_equal(lochan_civil__to_days(c), days[i]);
        assert_false(lochan_civil__valid(c));
        char text[16];
        lochan_civil__format_date(days[i], text);
        assert_true(strlen(text) < sizeof text);
    }
    assert_false(lochan_civil__valid((lochan_civil){0, 1, 1}));
    assert_false(lochan_civil__valid((lochan_civil){10000, 1, 1}));
    assert_false(lochan_civil__valid((lochan_civil){2020, 0, 1}));
    assert_false(lochan_civil__valid((lochan_civil){2020, 13, 1}));
    assert_false(lochan_civil__valid((lochan_civil){2020, 1, 0}));
}

static void check_months(lochan_civil c, int32_t months, lochan_civil expected) {
    lochan_civil r = lochan_civil__add_months(c, months);
    assert_int_equal(r.year, expected.year);
    assert_int_equal(r.month, expected.month);
    assert_int_equal(r.day, expected.day);
}

static void test_civil__add_months(void **state) {
    (void)state;
    check_months((lochan_civil){2024, 1, 31}, 1, (lochan_civil){2024, 2, 29});
    check_months((lochan_civil){2023, 1, 31}, 1, (lochan_civil){2023, 2, 28});
    check_months((lochan_civil){2023, 12, 15}, 1, (lochan_civil){2024, 1, 15});
    check_months((lochan_civil){2024, 1, 15}, -1, (lochan_civil){2023, 12, 15});
    check_months((lochan_civil){2024, 3, 31}, -13, (lochan_civil){2023, 2, 28});
    check_months((lochan_civil){2024, 5, 5}, 0, (lochan_civil){2024, 5, 5});
    check_months((lochan_civil){2000, 2, 29}, 1200, (lochan_civil){2100, 2, 28});
    check_months((lochan_civil){1, 1, 1}, -1, (lochan_civil){0, 12, 1});
    check_months((lochan_civil){1, 1, 1}, -13, (lochan_civil){-1, 12, 1});
    lochan_civil__add_months((lochan_civil){9999, 12, 31}, INT32_MAX);
    lochan_civil__add_months((lochan_civil){1, 1, 1}, INT32_MIN);
}

static void test_civil__dates_as_text(void **state) {
    (void)state;
    int32_t day = 77;
    char text[16];
    assert_true(lochan_civil__parse_date("2026-10-30", 10, &day));
    assert_int_equal(day, 20756);
    lochan_civil__format_date(day, text);
    assert_string_equal(text, "2026-10-30");
    static const char *const bad[] = {"",           "2026-10-3",  "2026-10-300", "2026-13-01",
                                      "2026-02-29", "2026/10/30", "0000-01-01",  "+026-10-30",
                                      "2026-1 -30", " 026-10-30", "2026-10-3x",  "20261030"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++)
        assert_false(lochan_civil__parse_date(bad[i], strlen(bad[i]), &day));
    assert_int_equal(day, 20756);
    assert_true(lochan_civil__parse_date("0001-01-01", 10, &day));
    assert_int_equal(day, -719162);
    lochan_civil__format_date(day, text);
    assert_string_equal(text, "0001-01-01");
}

static int64_t parsed(const char *text) {
    int64_t ns = -1;
    if (!lochan_civil__parse_utc(text, strlen(text), &ns))
        fail_msg("'%s' was refused", text);
    return ns;
}

static void test_civil__utc_texts(void **state) {
    (void)state;
    char text[40];
    lochan_civil__format_utc(0, text);
    assert_string_equal(text, "1970-01-01 00:00:00.000000+00");
    lochan_civil__format_utc(-1, text);
    assert_string_equal(text, "1969-12-31 23:59:59.999999+00");
    lochan_civil__format_utc(INT64_C(1793363696123456789), text);
    assert_string_equal(text, "2026-10-30 12:34:56.123456+00");
    assert_true(parsed(text) == INT64_C(1793363696123456000));
    lochan_civil__format_utc(INT64_MIN, text);
    assert_string_equal(text, "1677-09-21 00:12:43.145224+00");
    lochan_civil__format_utc(INT64_MAX, text);
    assert_string_equal(text, "2262-04-11 23:47:16.854775+00");
    assert_true(parsed("1970-01-01") == 0);
    assert_true(parsed("1970-01-02T00:00") == INT64_C(86400000000000));
    assert_true(parsed("1970-01-01 00:00:01Z") == 1000000000);
    assert_true(parsed("1970-01-01T00:00:00.5Z") == 500000000);
    assert_true(parsed("1970-01-01T02:00+02") == 0);
    assert_true(parsed("1970-01-01T02:30:00+02:30") == 0);
    assert_true(parsed("1969-12-31T22:00:00.000000001-02:00") == 1);
    assert_true(parsed("1677-09-21 00:12:43.145224192") == INT64_MIN);
    assert_true(parsed("2262-04-11 23:47:16.854775807") == INT64_MAX);
}

static void test_civil__bad_utc_texts(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "1970",
                                      "1970-01-01 ",
                                      "1970-01-01T",
                                      "1970-01-01x00:00",
                                      "1970-01-01 24:00",
                                      "1970-01-01 00:60",
                                      "1970-01-01 00:00:60",
                                      "1970-01-01 00:00:00.",
                                      "1970-01-01 00:00:00.1234567890",
                                      "1970-01-01 00:00:00 Z",
                                      "1970-01-01 00:00+24",
                                      "1970-01-01 00:00+2",
                                      "1970-01-01 00:00ZZ",
                                      "1970-02-30 00:00",
                                      "1677-09-21 00:12:43.145224191",
                                      "2262-04-11 23:47:16.854775808",
                                      "0001-01-01",
                                      "9999-12-31T23:59-01"};
    int64_t ns = 5;
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        if (lochan_civil__parse_utc(bad[i], strlen(bad[i]), &ns))
            fail_msg("'%s' was accepted", bad[i]);
    }
    assert_true(ns == 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_civil__every_day_round_trips),
        cmocka_unit_test(test_civil__agrees_with_the_c_library),
        cmocka_unit_test(test_civil__outside_the_range_is_harmless),
        cmocka_unit_test(test_civil__add_months),
        cmocka_unit_test(test_civil__dates_as_text),
        cmocka_unit_test(test_civil__utc_texts),
        cmocka_unit_test(test_civil__bad_utc_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
