/* test_date_format.c - providers' date formats. */
#include "support/cmocka_all.h"

#include "base/civil.h"

#include <string.h>

static lochan_date_format compiled(const char *text) {
    lochan_error err;
    lochan_date_format f;
    assert_ok(lochan_date_format__init(&f, text, &err));
    return f;
}

static bool parse(const char *format, const char *text, int32_t *days, int64_t *ns) {
    lochan_date_format f = compiled(format);
    return lochan_date_format__parse(&f, text, strlen(text), days, ns);
}

static void test_date_format__kinds(void **state) {
    (void)state;
    lochan_date_format f = compiled("%Y%m%d");
    assert_false(f.has_time || f.has_zone);
    f = compiled("%Y-%m-%d %H:%M:%S");
    assert_true(f.has_time && !f.has_zone);
    f = compiled("%Y-%m-%dT%H:%M:%S.%f%z");
    assert_true(f.has_time && f.has_zone);
}

static void test_date_format__refused_when_compiled(void **state) {
    (void)state;
    static const char *const bad[] = {
        "",      "%d",       "%m",         "%Y%d",     "%Y%Y", "%y%m%d", "%Y%q", "%Y%",
        "%H:%M", "%Y%m%d%M", "%Y%m%d%H%S", "%Y%m%d%z", "%Y\n", "plain",  "%%Y",  "%Y%m%d%H%M%f"};
    lochan_error err;
    lochan_date_format f;
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        assert_int_equal(lochan_date_format__init(&f, bad[i], &err), LOCHAN_ERR_INVALID_ARGUMENT);
        assert_true(strlen(err.message) > 10);
    }
    char text[80];
    memset(text, '-', sizeof text);
    memcpy(text, "%Y", 2);
    text[63] = '\0';
    assert_ok(lochan_date_format__init(&f, text, &err));
    text[63] = '-';
    text[64] = '\0';
    assert_int_equal(lochan_date_format__init(&f, text, &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_date_format__reads(void **state) {
    (void)state;
    static const struct {
        const char *format, *text, *date;
        int64_t ns;
    } good[] = {
        {"%Y%m%d", "20261030", "2026-10-30", 0},
        {"%Y-%m-%d", "2026-10-30", "2026-10-30", 0},
        {"%d/%m/%Y", "30/10/2026", "2026-10-30", 0},
        {"%Y%m", "202610", "2026-10-01", 0},
        {"%Y", "2026", "2026-01-01", 0},
        {"100%% %Y", "100% 2026", "2026-01-01", 0},
        {"%Y-%m-%d %H:%M:%S", "2026-10-30 12:34:56", "2026-10-30", INT64_C(45296000000000)},
        {"%Y-%m-%d %H:%M:%S.%f", "2026-10-30 00:00:00.5", "2026-10-30", 500000000},
        {"%Y-%m-%d %H:%M:%S.%f", "2026-10-30 00:00:00.000000001", "2026-10-30", 1},
        {"%Y-%m-%dT%H:%M:%S%z", "2026-10-30T01:00:00+02:00", "2026-10-29", INT64_C(82800000000000)},
        {"%Y-%m-%dT%H:%M:%S%z", "2026-10-30T23:00:00-0230", "2026-10-31", INT64_C(5400000000000)},
        {"%Y-%m-%dT%H:%M:%S%z", "2026-10-30T23:00:00Z", "2026-10-30", INT64_C(82800000000000)},
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(good); i++) {
        int32_t days;
        int64_t ns;
        char date[16];
        assert_true(parse(good[i].format, good[i].text, &days, &ns));
        lochan_civil__format_date(days, date);
        assert_string_equal(date, good[i].date);
        assert_true(ns == good[i].ns);
    }
    int32_t days;
    assert_true(parse("%Y", "1970", &days, NULL));
    assert_int_equal(days, 0);
}

static void test_date_format__refuses_what_does_not_match(void **state) {
    (void)state;
    static const struct {
        const char *format, *text;
    } bad[] = {
        {"%Y%m%d", ""},
        {"%Y%m%d", "2026103"},
        {"%Y%m%d", "202610301"},
        {"%Y%m%d", "20261330"},
        {"%Y%m%d", "20260229"},
        {"%Y%m%d", "2026103x"},
        {"%Y-%m-%d", "2026-1-5"},
        {"%Y-%m-%d", "2026/10/30"},
        {"%Y", "0000"},
        {"%Y %m", "2026"},
        {"%Y-%m-%d %H:%M", "2026-10-30 24:00"},
        {"%Y-%m-%d %H:%M", "2026-10-30 23:60"},
        {"%Y-%m-%d %H:%M:%S", "2026-10-30 23:59:60"},
        {"%Y-%m-%d %H:%M:%S.%f", "2026-10-30 23:59:59."},
        {"%Y-%m-%d %H:%M:%S.%f", "2026-10-30 23:59:59.1234567890"},
        {"%Y-%m-%d %H:%M%z", "2026-10-30 23:59"},
        {"%Y-%m-%d %H:%M%z", "2026-10-30 23:59+99:00"},
        {"%Y-%m-%d %H:%M%z", "0001-01-01 00:00+01:00"},
        {"%Y-%m-%d %H:%M%z", "9999-12-31 23:59-01:00"},
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        int32_t days = 42;
        int64_t ns = 43;
        if (parse(bad[i].format, bad[i].text, &days, &ns))
            fail_msg("'%s' was accepted by '%s'", bad[i].text, bad[i].format);
        assert_int_equal(days, 42);
        assert_int_equal(ns, 43);
    }
}

static void test_date_format__prints_and_reads_back(void **state) {
    (void)state;
    static const char *const formats[] = {"%Y%m%d", "%d.%m.%Y", "%Y-%m-%d %H:%M:%S.%f",
                                          "%Y-%m-%dT%H:%M:%S%z", "%%%Y%%%m%%%d"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(formats); i++) {
        lochan_date_format f = compiled(formats[i]);
        for (int32_t d = -719162; d <= 2932896; d += 12345) {
            char text[64];
            int32_t back;
            int64_t ns;
            assert_true(lochan_date_format__print(&f, d, text, sizeof text));
            assert_true(lochan_date_format__parse(&f, text, strlen(text), &back, &ns));
            assert_int_equal(back, d);
            assert_int_equal(ns, 0);
        }
    }
    lochan_date_format f = compiled("%Y%m%d");
    char text[16];
    assert_true(lochan_date_format__print(&f, 0, text, 9));
    assert_string_equal(text, "19700101");
    assert_false(lochan_date_format__print(&f, 0, text, 8));
    assert_string_equal(text, "");
    assert_false(lochan_date_format__print(&f, 0, text, 0));
    assert_false(lochan_date_format__print(&f, 2932897, text, sizeof text));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_date_format__kinds),
        cmocka_unit_test(test_date_format__refused_when_compiled),
        cmocka_unit_test(test_date_format__reads),
        cmocka_unit_test(test_date_format__refuses_what_does_not_match),
        cmocka_unit_test(test_date_format__prints_and_reads_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
