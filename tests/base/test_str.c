/* test_str.c - views, names, sizes, durations, UTF-8. */
#include "support/cmocka_all.h"

#include "base/str.h"

static void test_str__views(void **state) {
    (void)state;
    assert_true(lochan_str__eq(LOCHAN_STR("abc"), lochan_str__of("abc")));
    assert_false(lochan_str__eq(LOCHAN_STR("abc"), LOCHAN_STR("abd")));
    assert_false(lochan_str__eq(LOCHAN_STR("abc"), LOCHAN_STR("ab")));
    assert_true(lochan_str__eq(lochan_str__of(NULL), LOCHAN_STR("")));
    assert_true(
        lochan_str__eq(lochan_str__trim(LOCHAN_STR(" \t\r\n a b \v\f")), LOCHAN_STR("a b")));
    assert_int_equal(lochan_str__trim(LOCHAN_STR(" \t ")).n, 0);
    assert_int_equal(lochan_str__trim(LOCHAN_STR("")).n, 0);
}

static void test_str__names(void **state) {
    (void)state;
    static const char *const good[] = {"a",     "A9",   "_x", "9", "fx_daily",
                                       "a.b-c", "a..b", "x.", "x-"};
    static const char *const bad[] = {"",     ".",   "..",  "../x", "a/b",   "/",
                                      ".x",   "-x",  "a b", "a\n",  "a\x7f", "caf\xC3\xA9",
                                      "a\\b", "a:b", "a*",  " a",   "a\x01b"};
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(good); i++)
        assert_ok(lochan_name__check("dataset", good[i], &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        assert_int_equal(lochan_name__check("dataset", bad[i], &err), LOCHAN_ERR_INVALID_ARGUMENT);
        assert_memory_equal(err.message, "dataset name", 12);
    }
    assert_int_equal(lochan_name__check("dataset", NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    char text[200];
    memset(text, 'n', sizeof text);
    text[120] = '\0';
    assert_ok(lochan_name__check("source", text, &err));
    text[120] = 'n';
    text[121] = '\0';
    assert_int_equal(lochan_name__check("source", text, &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_str__nearest_name(void **state) {
    (void)state;
    static const char *const keys[] = {"columns", "primary_key", "planner", "url", "name"};
    size_t n = LOCHAN_COUNTOF(keys);
    assert_string_equal(lochan_name__nearest("colums", keys, n), "columns");
    assert_string_equal(lochan_name__nearest("column", keys, n), "columns");
    assert_string_equal(lochan_name__nearest("primray_key", keys, n), "primary_key");
    assert_string_equal(lochan_name__nearest("planner", keys, n), "planner");
    assert_string_equal(lochan_name__nearest("urls", keys, n), "url");
    assert_null(lochan_name__nearest("something_else", keys, n));
    assert_null(lochan_name__nearest("", keys, n));
    assert_null(lochan_name__nearest("x", NULL, 0));
    char longest[400];
    memset(longest, 'a', sizeof longest);
    longest[399] = '\0';
    assert_null(lochan_name__nearest(longest, keys, n));
    const char *const itself = longest;
    assert_null(lochan_name__nearest("a", &itself, 1));
}

static void test_str__sizes(void **state) {
    (void)state;
    static const struct {
        const char *text;
        uint64_t value;
    } good[] = {{"0", 0},
                {"17", 17},
                {"17B", 17},
                {"1k", 1000},
                {"256MB", 256000000},
                {"64MiB", 64 << 20},
                {"64mib", 64 << 20},
                {"1g", 1000000000},
                {"2TiB", UINT64_C(2) << 40},
                {"18446744073709551615", UINT64_MAX}};
    static const char *const bad[] = {"",
                                      "k",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 k",
                                      "1.5g",
                                      "1kk",
                                      "1x",
                                      "18446744073709551616",
                                      "18446744073709551615k",
                                      "1MBs"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(good); i++) {
        uint64_t v = 1;
        assert_true(lochan_parse__bytes(good[i].text, &v));
        assert_true(v == good[i].value);
    }
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        uint64_t v;
        assert_false(lochan_parse__bytes(bad[i], &v));
    }
}

static void test_str__durations(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int64_t ns;
    } good[] = {{"500ms", 500000000},
                {"20s", 20000000000},
                {"5m", 300000000000},
                {"2h", 7200000000000},
                {"3d", INT64_C(259200000000000)},
                {"0s", 0},
                {"7us", 7000},
                {"106751d", INT64_C(106751) * 86400 * 1000000000}};
    static const char *const bad[] = {"",   "5",    "s",    "-5s",     "5 s",
                                      "5S", "1.5s", "5sec", "106752d", "99999999999999999999s"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(good); i++) {
        int64_t v = 1;
        assert_true(lochan_parse__duration_ns(good[i].text, &v));
        assert_true(v == good[i].ns);
    }
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        int64_t v;
        assert_false(lochan_parse__duration_ns(bad[i], &v));
    }
}

static void test_str__format_tells_truncation(void **state) {
    (void)state;
    char dst[6];
    assert_true(lochan_format(dst, sizeof dst, "%d", 12345));
    assert_string_equal(dst, "12345");
    assert_false(lochan_format(dst, sizeof dst, "%d", 123456));
    assert_string_equal(dst, "12345");
    assert_false(lochan_format(dst, 0, "x"));
}

/* By the table of the Unicode standard, written out another way than the code does it. */
static bool utf8_reference(const unsigned char *p, size_t n) {
    for (size_t i = 0; i < n;) {
        uint32_t c = p[i];
        size_t len = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
        static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
        if (c >= 0x80 && (c < 0xC0 || c >= 0xF8))
            return false;
        if (n - i < len)
            return false;
        c &= len == 1 ? 0x7F : 0xFFu >> (len + 1);
        for (size_t k = 1; k < len; k++) {
            if (p[i + k] < 0x80 || p[i + k] >= 0xC0)
                return false;
            c = c << 6 | (p[i + k] & 0x3F);
        }
        if (c < least[len] || c > 0x10FFFF || (c >= 0xD800 && c < 0xE000))
            return false;
        i += len;
    }
    return true;
}

static void test_str__utf8_all_short_sequences(void **state) {
    (void)state;
    unsigned char p[4];
    for (uint32_t v = 0; v < 1u << 24; v += v < 1u << 16 ? 1 : 37) {
        p[0] = (unsigned char)v;
        p[1] = (unsigned char)(v >> 8);
        p[2] = (unsigned char)(v >> 16);
        p[3] = (unsigned char)(v * 2654435761u >> 24);
        for (size_t n = 1; n <= 4; n++) {
            if (lochan_utf8__valid(p, n) != utf8_reference(p, n))
                fail_msg("%02x %02x %02x %02x, %zu bytes", p[0], p[1], p[2], p[3], n);
        }
    }
}

static void test_str__utf8_long_texts(void **state) {
    (void)state;
    char text[100];
    memset(text, 'a', sizeof text);
    assert_true(lochan_utf8__valid(text, sizeof text));
    assert_true(lochan_utf8__valid(NULL, 0));
    for (size_t at = 0; at < sizeof text; at++) {
        text[at] = (char)0x80;
        assert_false(lochan_utf8__valid(text, sizeof text));
        assert_true(lochan_utf8__valid(text, at));
        text[at] = 'a';
    }
    memcpy(text + 98, "\xC3\xA9", 2);
    assert_true(lochan_utf8__valid(text, 100));
    assert_false(lochan_utf8__valid(text, 99));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_str__views),
        cmocka_unit_test(test_str__names),
        cmocka_unit_test(test_str__nearest_name),
        cmocka_unit_test(test_str__sizes),
        cmocka_unit_test(test_str__durations),
        cmocka_unit_test(test_str__format_tells_truncation),
        cmocka_unit_test(test_str__utf8_all_short_sequences),
        cmocka_unit_test(test_str__utf8_long_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
