/* test_decimal.c - exact decimals, and half precision beside them. */
#include "arrow/sample.h"

#include "arrow/decimal.h"
#include "arrow/half.h"
#include "support/clock_fake.h"
#include <math.h>

/* Reads the text into a decimal and prints it; NULL: refused. */
static const char *again(const char *text, int width, int32_t precision, int32_t scale) {
    static char printed[LOCHAN_DECIMAL_TEXT];
    uint8_t value[32];
    if (!lochan_decimal__parse(text, strlen(text), width, precision, scale, value))
        return NULL;
    assert_true(lochan_decimal__fits(value, width, precision));
    size_t n = lochan_decimal__print(value, width, scale, printed);
    assert_int_equal(n, strlen(printed));
    return printed;
}

static void test_decimal__text_round_trip(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int32_t precision, scale;
        const char *printed;
    } cases[] = {
        {"0", 5, 2, "0.00"},
        {"-0", 5, 2, "0.00"},
        {"1.5", 5, 2, "1.50"},
        {"-1.25", 5, 2, "-1.25"},
        {"+7", 5, 2, "7.00"},
        {".5", 5, 2, "0.50"},
        {"5.", 5, 2, "5.00"},
        {"1e2", 5, 2, "100.00"},
        {"12345e-3", 6, 3, "12.345"},
        {"1.250000", 5, 2, "1.25"},
        {"000001", 5, 2, "1.00"},
        {"999.99", 5, 2, "999.99"},
        {"1200", 5, -2, "1200"},
        {"1E+2", 5, -2, "100"},
        {"0.001", 3, 5, "0.00100"},
        {"99999999999999999999999999999999999999", 38, 0, "99999999999999999999999999999999999999"},
        {"-18446744073709551616", 38, 0, "-18446744073709551616"},
        {"1000000000000000000", 38, 0, "1000000000000000000"},
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        for (int width = 16; width <= 32; width += 16) {
            const char *got = again(cases[i].text, width, cases[i].precision, cases[i].scale);
            assert_non_null(got);
            assert_string_equal(got, cases[i].printed);
        }
    }
}

static void test_decimal__what_would_lose_digits_is_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",      "-",    ".",     "e5",    "1e",
                                      "1.2.3", "1 ",   " 1",    "0x1",   "1,5",
                                      "nan",   "inf",  "1.234", "1000",  "1e99999999999",
                                      "1e4",   "1e-3", "--1",   "1e--1", "9999.9"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++)
        if (again(bad[i], 16, 5, 2))
            fail_msg("'%s' was read", bad[i]);
    assert_null(again("100000000000000000000000000000000000000", 16, 38, 0));
    char digits[200];
    memset(digits, '9', sizeof digits);
    digits[77] = '\0';
    assert_null(again(digits, 32, 76, 0));
    digits[76] = '\0';
    assert_string_equal(again(digits, 32, 76, 0), digits);
    memset(digits, '0', sizeof digits);
    digits[0] = '1';
    digits[199] = '\0';
    assert_null(again(digits, 32, 76, 0));
    digits[1] = '.';
    assert_string_equal(again(digits, 16, 5, 1), "1.0");
}

static void test_decimal__limits_of_the_stored_bytes(void **state) {
    (void)state;
    uint8_t value[32];
    char text[LOCHAN_DECIMAL_TEXT];
    memset(value, 0, sizeof value);
    value[15] = 0x80;
    lochan_decimal__print(value, 16, 0, text);
    assert_string_equal(text, "-170141183460469231731687303715884105728");
    assert_false(lochan_decimal__fits(value, 16, 38));
    value[15] = 0;
    value[31] = 0x80;
    lochan_decimal__print(value, 32, 76, text);
    assert_string_equal(
        text, "-5.7896044618658097711785492504343953926634992332820282019728792003956564819968");
    memset(value, 0xff, sizeof value);
    lochan_decimal__print(value, 32, -76, text);
    assert_int_equal(strlen(text), 78);
}

static void test_decimal__doubles_are_the_nearest(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int i = 0; i < 20000; i++) {
        uint8_t value[16];
        char text[LOCHAN_DECIMAL_TEXT];
        double expected;
        int32_t scale = (int32_t)(fake_random(&seed) % 30);
        uint64_t low = fake_random(&seed) >> fake_random(&seed) % 60;
        uint64_t high = i % 3 ? 0 : fake_random(&seed) >> 8;
        memcpy(value, &low, 8);
        memcpy(value + 8, &high, 8);
        size_t n = lochan_decimal__print(value, 16, scale, text);
        assert_true(lochan_parse__double(text, n, false, &expected));
        assert_true(lochan_decimal__to_double(value, 16, scale) == expected);
    }
}

static void test_decimal__halves_survive_the_way_to_double(void **state) {
    (void)state;
    for (uint32_t h = 0; h < 65536; h++) {
        double v = lochan_half__to_double((uint16_t)h);
        if (isnan(v))
            assert_true(isnan(lochan_half__to_double(lochan_half__from_double(v))));
        else
            assert_int_equal(lochan_half__from_double(v), h);
    }
    assert_int_equal(lochan_half__from_double(65519.99), 0x7bff);
    assert_int_equal(lochan_half__from_double(65520), 0x7c00);
    assert_int_equal(lochan_half__from_double(2049), 0x6800); /* ties to even */
    assert_int_equal(lochan_half__from_double(2051), 0x6802);
    assert_int_equal(lochan_half__from_double(1e-8), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decimal__text_round_trip),
        cmocka_unit_test(test_decimal__what_would_lose_digits_is_refused),
        cmocka_unit_test(test_decimal__limits_of_the_stored_bytes),
        cmocka_unit_test(test_decimal__doubles_are_the_nearest),
        cmocka_unit_test(test_decimal__halves_survive_the_way_to_double),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
