/* test_number.c - numbers to and from text, against the C library. */
#include "support/clock_fake.h"
#include "support/cmocka_all.h"

#include "base/str.h"

#include <locale.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

static bool same_bits(double a, double b) {
    return memcmp(&a, &b, sizeof a) == 0;
}

static void check_double(const char *text) {
    double v, expected = strtod(text, NULL);
    if (!lochan_parse__double(text, strlen(text), false, &v))
        fail_msg("'%s' was refused", text);
    if (!same_bits(v, expected))
        fail_msg("'%s' gave %.17g, expected %.17g", text, v, expected);
}

static void test_number__int64(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t value;
    } good[] = {{"0", 0},
                {"-0", 0},
                {"+5", 5},
                {"007", 7},
                {"9223372036854775807", INT64_MAX},
                {"-9223372036854775808", INT64_MIN},
                {"00000000000000000000000000000000000000012", 12},
                {"1234567890123456789", INT64_C(1234567890123456789)}};
    static const char *const bad[] = {"",
                                      "-",
                                      "+",
                                      "--1",
                                      "+-1",
                                      " 1",
                                      "1 ",
                                      "1.",
                                      "1e3",
                                      "0x1",
                                      "9223372036854775808",
                                      "-9223372036854775809",
                                      "99999999999999999999999",
                                      "1\0"};
    int64_t v;
    for (size_t i = 0; i < LOCHAN_COUNTOF(good); i++) {
        assert_true(lochan_parse__int64(good[i].text, strlen(good[i].text), &v));
        assert_true(v == good[i].value);
    }
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++)
        assert_false(
            lochan_parse__int64(bad[i], i + 1 == LOCHAN_COUNTOF(bad) ? 2 : strlen(bad[i]), &v));
}

static void test_number__uint64(void **state) {
    (void)state;
    uint64_t v;
    assert_true(lochan_parse__uint64("18446744073709551615", 20, &v));
    assert_true(v == UINT64_MAX);
    assert_false(lochan_parse__uint64("18446744073709551616", 20, &v));
    assert_false(lochan_parse__uint64("28446744073709551615", 20, &v));
    assert_false(lochan_parse__uint64("-1", 2, &v));
    assert_false(lochan_parse__uint64("", 0, &v));
}

static void test_number__integers_round_trip(void **state) {
    (void)state;
    uint64_t rng = 5;
    for (int i = 0; i < 100000; i++) {
        int64_t v, in = (int64_t)fake_random(&rng) >> (fake_random(&rng) % 64);
        char text[32];
        int n = snprintf(text, sizeof text, "%lld", (long long)in);
        assert_true(lochan_parse__int64(text, (size_t)n, &v));
        assert_true(v == in);
    }
}

static void test_number__double_forms(void **state) {
    (void)state;
    static const char *const good[] = {
        "0",
        "-0",
        "+1",
        "1.",
        ".5",
        "-.5e1",
        "1e5",
        "1E+5",
        "1e-5",
        "00001.5000",
        "1e0000005",
        "123456789012345678",
        "9007199254740993",
        "9007199254740992.5",
        "0.1",
        "0.30000000000000004",
        "1.7976931348623157e308",
        "2.2250738585072014e-308",
        "4.9406564584124654e-324",
        "1e-400",
        "2.4703282292062327e-324",
        "2.4703282292062328e-324",
        "0e999999999",
        "1e23",
        "8.5e22",
        "18446744073709551615",
        "18446744073709551616",
        "9999999999999999999",
        "0.000000000000000000000000000000000000000000000000000001",
        "0000000000000000000000000000000000000000000000000000001.25",
        "100000000000000000000000000000000000000000000000000000000e-50",
        "9007199254740993.00000000000000000000000000000000000000000000000000000000000000000001",
        "1.00000000000000011102230246251565404236316680908203125",
        "1.00000000000000011102230246251565404236316680908203124",
        "1.00000000000000011102230246251565404236316680908203126",
        "7.2057594037927933e16",
        "6.02214076e23",
        "1448997445238699",
        "5e-20",
        "67e14"};
    static const char *const bad[] = {"",      "-",     ".",     "-.",    "e5",      "1e",
                                      "1e+",   "1e5.5", "1.2.3", " 1",    "1 ",      "1,5",
                                      "0x1p3", "inf",   "nan",   "1e5e5", "1e309",   "-1e400",
                                      "--1",   "+-1",   "1_000", "1f",    "infinity"};
    double v;
    for (size_t i = 0; i < LOCHAN_COUNTOF(good); i++)
        check_double(good[i]);
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        if (lochan_parse__double(bad[i], strlen(bad[i]), false, &v))
            fail_msg("'%s' was accepted", bad[i]);
    }
    assert_false(lochan_parse__double("1\0", 2, false, &v));
}

static void test_number__special_values_only_if_allowed(void **state) {
    (void)state;
    static const char *const infinite[] = {"inf", "INF", "Inf", "infinity", "+inf", "Infinity"};
    double v;
    for (size_t i = 0; i < LOCHAN_COUNTOF(infinite); i++) {
        assert_true(lochan_parse__double(infinite[i], strlen(infinite[i]), true, &v));
        assert_true(isinf(v) && v > 0);
    }
    assert_true(lochan_parse__double("-inf", 4, true, &v));
    assert_true(isinf(v) && v < 0);
    assert_true(lochan_parse__double("NaN", 3, true, &v));
    assert_true(isnan(v));
    assert_false(lochan_parse__double("nanx", 4, true, &v));
    assert_false(lochan_parse__double("infinit", 7, true, &v));
    assert_false(lochan_parse__double("1e999", 5, true, &v)); /* too large is not infinite */
}

static void test_number__long_texts_end(void **state) {
    (void)state;
    char text[3001];
    double v;
    memset(text, '1', sizeof text);
    text[1] = '.';
    text[1000] = '\0';
    check_double(text);
    text[1000] = '1';
    assert_false(lochan_parse__double(text, 3000, false, &v));
    memset(text, '0', sizeof text);
    assert_true(lochan_parse__double(text, 3000, false, &v));
    assert_true(v == 0);
}

static void test_number__random_decimals_match_strtod(void **state) {
    (void)state;
    uint64_t rng = 7;
    for (int i = 0; i < 400000; i++) {
        char text[64];
        int digits = 1 + (int)(fake_random(&rng) % 20), n = 0, point = -1;
        if (fake_random(&rng) % 2)
            point = (int)(fake_random(&rng) % (uint64_t)digits);
        if (fake_random(&rng) % 4 == 0)
            text[n++] = '-';
        for (int d = 0; d < digits; d++) {
            text[n++] = (char)('0' + fake_random(&rng) % 10);
            if (d == point)
                text[n++] = '.';
        }
        text[n] = '\0';
        if (fake_random(&rng) % 3 == 0)
            snprintf(text + n, sizeof text - (size_t)n, "e%d", (int)(fake_random(&rng) % 80) - 40);
        check_double(text);
    }
}

/* Texts at and beside the middle of two doubles are the hard ones. */
static void test_number__halfway_cases_match_strtod(void **state) {
    (void)state;
    uint64_t rng = 11;
    for (int i = 0; i < 100000; i++) {
        uint64_t m = (fake_random(&rng) >> 11) | UINT64_C(1) << 52;
        char text[64];
        int shift = (int)(fake_random(&rng) % 10);
        uint64_t half = (m << 1 | 1) << shift;
        uint64_t beside = half + fake_random(&rng) % 3 - 1;
        snprintf(text, sizeof text, "%llu", (unsigned long long)beside);
        check_double(text);
        size_t n = strlen(text);
        snprintf(text + n, sizeof text - n, "e-%d", (int)(fake_random(&rng) % 28));
        check_double(text);
    }
}

static void test_number__random_doubles_round_trip(void **state) {
    (void)state;
    uint64_t rng = 13;
    for (int i = 0; i < 200000; i++) {
        uint64_t bits = fake_random(&rng);
        double v, back;
        char text[64];
        memcpy(&v, &bits, sizeof v);
        if (isnan(v) || isinf(v))
            continue;
        if (i % 2)
            v = (double)(int64_t)(bits >> 20) / 1e4; /* money-like */
        size_t n = lochan_format__double(v, text);
        assert_int_equal(n, strlen(text));
        assert_true(n < 32);
        if (!lochan_parse__double(text, n, false, &back) || !same_bits(v, back) ||
            !same_bits(strtod(text, NULL), v))
            fail_msg("%.17g became '%s'", v, text);
    }
}

static size_t significant(const char *text) {
    char digits[40];
    size_t n = 0;
    for (const char *p = text; *p && *p != 'e'; p++) {
        if (*p >= '0' && *p <= '9' && (n > 0 || *p != '0'))
            digits[n++] = *p;
    }
    while (n > 0 && digits[n - 1] == '0')
        n--;
    return n;
}

static void test_number__format_is_the_shortest(void **state) {
    (void)state;
    static const struct {
        double v;
        const char *text;
    } cases[] = {{0.0, "0"},
                 {-0.0, "-0"},
                 {1.0, "1"},
                 {-1.5, "-1.5"},
                 {0.1, "0.1"},
                 {221702, "221702"},
                 {1e15, "1e15"},
                 {1e300, "1e300"},
                 {1.5e-9, "1.5e-9"},
                 {1e-5, "0.00001"},
                 {123456.789, "123456.789"},
                 {1.1789, "1.1789"},
                 {0.3, "0.3"},
                 {999999999999999.0, "999999999999999"},
                 {5e-324, "5e-324"},
                 {0.1 + 0.2, "0.30000000000000004"}};
    char text[32];
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        lochan_format__double(cases[i].v, text);
        assert_string_equal(text, cases[i].text);
    }
    lochan_format__double(INFINITY, text);
    assert_string_equal(text, "inf");
    lochan_format__double(-INFINITY, text);
    assert_string_equal(text, "-inf");
    lochan_format__double(NAN, text);
    assert_string_equal(text, "nan");
    uint64_t rng = 17;
    for (int i = 0; i < 30000;
         i++) { /* never more digits than the first precision that reads back */
        double v = (double)(fake_random(&rng) >> 11) / 9007199254740992.0 * 1000;
        char reference[32];
        int precision = 1;
        do
            snprintf(reference, sizeof reference, "%.*g", precision, v);
        while (strtod(reference, NULL) != v && ++precision <= 17);
        lochan_format__double(v, text);
        if (significant(text) > significant(reference))
            fail_msg("'%s' is longer than '%s'", text, reference);
    }
}

static void test_number__locale_changes_nothing(void **state) {
    (void)state;
    static const char *const names[] = {"de_DE.UTF-8", "fr_FR.UTF-8", "de_DE", "ru_RU.UTF-8"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++)
        if (setlocale(LC_ALL, names[i]))
            break;
    char text[32];
    double v;
    lochan_format__double(0.1 + 0.2, text);
    assert_string_equal(text, "0.30000000000000004");
    assert_true(lochan_parse__double("0.1234567890123456789012", 24, false, &v));
    setlocale(LC_ALL, "C");
    assert_true(same_bits(v, strtod("0.1234567890123456789012", NULL)));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_number__int64),
        cmocka_unit_test(test_number__uint64),
        cmocka_unit_test(test_number__integers_round_trip),
        cmocka_unit_test(test_number__double_forms),
        cmocka_unit_test(test_number__special_values_only_if_allowed),
        cmocka_unit_test(test_number__long_texts_end),
        cmocka_unit_test(test_number__random_decimals_match_strtod),
        cmocka_unit_test(test_number__halfway_cases_match_strtod),
        cmocka_unit_test(test_number__random_doubles_round_trip),
        cmocka_unit_test(test_number__format_is_the_shortest),
        cmocka_unit_test(test_number__locale_changes_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
