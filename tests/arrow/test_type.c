/* test_type.c - format strings and names of types. */
#include "arrow/sample.h"

static void test_type__format_round_trip(void **state) {
    (void)state;
    static const char *const more[] = {"+l",  "+L",      "+w:4", "+s", "+m",
                                       "w:0", "d:38,-3", "tDm",  "tDu"};
    for (size_t i = 0; i < SAMPLE_FLAT + LOCHAN_COUNTOF(more); i++) {
        const char *format = i < SAMPLE_FLAT ? sample_formats[i] : more[i - SAMPLE_FLAT];
        lochan_type type = sample_type(format);
        char again[64];
        lochan_type__format(&type, again);
        assert_string_equal(again, format);
    }
}

static void test_type__name_round_trip(void **state) {
    (void)state;
    lochan_error err;
    static const char *const more[] = {"+l", "+L", "+w:4", "+s", "+m"};
    for (size_t i = 0; i < SAMPLE_FLAT + LOCHAN_COUNTOF(more); i++) {
        const char *format = i < SAMPLE_FLAT ? sample_formats[i] : more[i - SAMPLE_FLAT];
        lochan_type type = sample_type(format);
        lochan_type again;
        char name[80];
        lochan_type__name(&type, name);
        assert_ok(lochan_type__from_name(name, &again, &err));
        assert_true(lochan_type__equal(&type, &again));
    }
}

static void test_type__names_are_the_written_ones(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"tdD", "date"},
        {"tsu:", "timestamp[us]"},
        {"tsu:UTC", "timestamp[us, UTC]"},
        {"ttm", "time[ms]"},
        {"d:18,4", "decimal(18,4)"},
        {"w:16", "fixed_binary[16]"},
        {"tDs", "duration[s]"},
        {"g", "float64"},
        {"d:9,2,256", "decimal256(9,2)"},
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(pairs); i++) {
        lochan_type type = sample_type(pairs[i][0]);
        char name[80];
        lochan_type__name(&type, name);
        assert_string_equal(name, pairs[i][1]);
    }
}

static void test_type__other_spellings(void **state) {
    (void)state;
    static const char *const pairs[][2] = {{"decimal( 18 , 4 )", "d:18,4"},
                                           {"decimal(50,2)", "d:50,2,256"},
                                           {"timestamp[ms,UTC]", "tsm:UTC"},
                                           {"date32", "tdD"}};
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(pairs); i++) {
        lochan_type type;
        char format[64];
        assert_ok(lochan_type__from_name(pairs[i][0], &type, &err));
        lochan_type__format(&type, format);
        assert_string_equal(format, pairs[i][1]);
    }
}

static void test_type__unknown_names_are_refused(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "int",
                                      "Int64",
                                      "decimal",
                                      "decimal()",
                                      "decimal(0,0)",
                                      "decimal(77,0)",
                                      "decimal(5)",
                                      "time[x]",
                                      "timestamp[]",
                                      "timestamp[us, ]",
                                      "timestamp[us",
                                      "fixed_binary[-1]",
                                      "fixed_binary[]",
                                      "duration[us, UTC]",
                                      "decimal128(40,2)",
                                      "timestamp[us, a b]"};
    lochan_type type;
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++)
        if (lochan_type__from_name(bad[i], &type, NULL) != LOCHAN_ERR_INVALID_ARGUMENT)
            fail_msg("%s was taken for a type", bad[i]);
    assert_status(lochan_type__from_name(NULL, &type, NULL), LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_type__hints_at_the_near_name(void **state) {
    (void)state;
    lochan_error err;
    lochan_type type;
    assert_status(lochan_type__from_name("flaot64", &type, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.hint, "float64"));
    assert_status(lochan_type__from_name("timestamp", &type, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.hint, "timestamp[us]"));
}

static void test_type__nonsense_formats_are_data_errors(void **state) {
    (void)state;
    static const char *const bad[] = {"",
                                      "x",
                                      "nn",
                                      "d:",
                                      "d:5",
                                      "d:0,0",
                                      "d:39,0",
                                      "d:5,a",
                                      "d:5,1,",
                                      "w:",
                                      "w:-1",
                                      "w:1x",
                                      "+",
                                      "+w:",
                                      "t",
                                      "td",
                                      "tdx",
                                      "ttx",
                                      "tsu",
                                      "tsx:",
                                      "tDux",
                                      "ttuu",
                                      "tsu:a b",
                                      "v",
                                      "d:5,1,128,3",
                                      "w:999999999999",
                                      "d:77,0,256"};
    lochan_type type;
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++)
        if (lochan_type__parse(bad[i], &type, NULL) != LOCHAN_ERR_DATA)
            fail_msg("'%s' was taken for a format", bad[i]);
    assert_status(lochan_type__parse(NULL, &type, NULL), LOCHAN_ERR_DATA);
}

static void test_type__unsupported_formats_say_so(void **state) {
    (void)state;
    static const char *const bad[] = {
        "+ud:0,1", "+us:0",    "+r",
        "+vl",     "+vL",      "tiM",
        "tin",     "d:5,2,64", "tsu:A/Name/That/Is/Longer/Than/Thirty/Nine/Bytes"};
    lochan_type type;
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++)
        assert_status(lochan_type__parse(bad[i], &type, NULL), LOCHAN_ERR_UNSUPPORTED);
}

static void test_type__equal_looks_at_parameters(void **state) {
    (void)state;
    for (int i = 0; i < SAMPLE_FLAT; i++) {
        for (int k = 0; k < SAMPLE_FLAT; k++) {
            lochan_type a = sample_type(sample_formats[i]);
            lochan_type b = sample_type(sample_formats[k]);
            assert_int_equal(lochan_type__equal(&a, &b), i == k);
        }
    }
}

static void test_type__bit_widths(void **state) {
    (void)state;
    static const struct {
        const char *format;
        int bits;
    } widths[] = {{"n", 0},    {"b", 1},       {"c", 8},           {"S", 16}, {"e", 16},
                  {"tdD", 32}, {"g", 64},      {"tsu:", 64},       {"u", 0},  {"vu", 0},
                  {"w:3", 24}, {"d:5,2", 128}, {"d:5,2,256", 256}, {"+s", 0}, {"+w:2", 0}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(widths); i++) {
        lochan_type type = sample_type(widths[i].format);
        assert_int_equal(lochan_type__bit_width(&type), widths[i].bits);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_type__format_round_trip),
        cmocka_unit_test(test_type__name_round_trip),
        cmocka_unit_test(test_type__names_are_the_written_ones),
        cmocka_unit_test(test_type__other_spellings),
        cmocka_unit_test(test_type__unknown_names_are_refused),
        cmocka_unit_test(test_type__hints_at_the_near_name),
        cmocka_unit_test(test_type__nonsense_formats_are_data_errors),
        cmocka_unit_test(test_type__unsupported_formats_say_so),
        cmocka_unit_test(test_type__equal_looks_at_parameters),
        cmocka_unit_test(test_type__bit_widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
