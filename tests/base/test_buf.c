/* test_buf.c - growth, limits, encodings, the bounded reader. */
#include "support/alloc.h"
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "base/buf.h"

#include <string.h>

static void test_buf__grows_and_is_terminated(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf b;
    lochan_buf__init(&b, 100000);
    assert_ok(lochan_buf__append(&b, NULL, 0, &err));
    assert_null(b.data);
    for (int i = 0; i < 10000; i++) {
        assert_ok(lochan_buf__putc(&b, (char)('a' + i % 26), &err));
        assert_int_equal(b.data[b.len], 0);
        assert_true(b.len <= b.cap && b.cap <= b.max);
    }
    assert_int_equal(b.len, 10000);
    assert_int_equal(b.data[9999], 'a' + 9999 % 26);
    lochan_buf__clear(&b);
    assert_int_equal(b.len, 0);
    assert_string_equal((char *)b.data, "");
    lochan_buf__deinit(&b);
    assert_ok(lochan_buf__puts(&b, "again", &err));
    assert_string_equal((char *)b.data, "again");
    lochan_buf__deinit(&b);
}

static void test_buf__max_is_exact(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf b;
    lochan_buf__init(&b, 10);
    assert_ok(lochan_buf__puts(&b, "0123456789", &err));
    assert_int_equal(lochan_buf__putc(&b, 'x', &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_int_equal(lochan_buf__printf(&b, &err, "%d", 5), LOCHAN_ERR_MEMORY_LIMIT);
    assert_int_equal(lochan_buf__reserve(&b, SIZE_MAX, &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_int_equal(lochan_buf__json_string(&b, "q", 1, &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_string_equal((char *)b.data, "0123456789");
    assert_int_equal(b.len, 10);
    lochan_buf__deinit(&b);
    lochan_buf none = {0};
    assert_int_equal(lochan_buf__putc(&none, 'x', &err), LOCHAN_ERR_MEMORY_LIMIT);
}

static void test_buf__printf_any_length(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf b;
    lochan_buf__init(&b, 1 << 20);
    assert_ok(lochan_buf__printf(&b, &err, "%s", ""));
    char text[300];
    for (int n = 0; n < 299; n++) {
        memset(text, 'z', sizeof text);
        text[n] = '\0';
        size_t before = b.len;
        assert_ok(lochan_buf__printf(&b, &err, "%s", text));
        assert_int_equal(b.len - before, n);
        assert_int_equal(strlen((char *)b.data), b.len);
    }
    lochan_buf__deinit(&b);
}

static void test_buf__take_hands_over(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf b;
    size_t n = 7;
    lochan_buf__init(&b, 100);
    assert_null(lochan_buf__take(&b, &n));
    assert_int_equal(n, 0);
    assert_ok(lochan_buf__puts(&b, "mine", &err));
    uint8_t *p = lochan_buf__take(&b, &n);
    assert_string_equal((char *)p, "mine");
    assert_int_equal(n, 4);
    assert_null(b.data);
    assert_int_equal(b.max, 100);
    lochan_mem__free(p);
}

static void check_json(const char *in, size_t n, const char *out) {
    lochan_error err;
    lochan_buf b;
    lochan_buf__init(&b, 1000);
    assert_ok(lochan_buf__json_string(&b, in, n, &err));
    assert_string_equal((char *)b.data, out);
    lochan_buf__deinit(&b);
}

static void test_buf__json_strings(void **state) {
    (void)state;
    check_json("", 0, "\"\"");
    check_json("plain", 5, "\"plain\"");
    check_json("a\"b\\c", 5, "\"a\\\"b\\\\c\"");
    check_json("\n\r\t\b\f\x01\x1f\x7f", 8, "\"\\n\\r\\t\\b\\f\\u0001\\u001f\\u007f\"");
    check_json("a\0b", 3, "\"a\\u0000b\"");
    check_json("\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8C\x8A", 9,
               "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x8C\x8A\"");
    check_json("a\xFFz", 3, "\"a\xEF\xBF\xBDz\"");
    check_json("\xE2\x82", 2, "\"\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void test_buf__integers_round_trip(void **state) {
    (void)state;
    static const uint64_t values[] = {0,         1,          127,        128,
                                      16383,     16384,      UINT32_MAX, (uint64_t)UINT32_MAX + 1,
                                      INT64_MAX, UINT64_MAX, 1u << 31,   UINT64_C(1) << 63};
    lochan_error err;
    lochan_buf b;
    lochan_buf__init(&b, 1000);
    for (size_t i = 0; i < LOCHAN_COUNTOF(values); i++) {
        assert_ok(lochan_buf__u32le(&b, (uint32_t)values[i], &err));
        assert_ok(lochan_buf__u64le(&b, values[i], &err));
        assert_ok(lochan_buf__varint(&b, values[i], &err));
    }
    lochan_cursor c = {b.data, b.data + b.len};
    for (size_t i = 0; i < LOCHAN_COUNTOF(values); i++) {
        uint32_t a;
        uint64_t v;
        assert_true(lochan_cursor__u32le(&c, &a));
        assert_int_equal(a, (uint32_t)values[i]);
        assert_true(lochan_cursor__u64le(&c, &v));
        assert_true(v == values[i]);
        assert_true(lochan_cursor__varint(&c, &v));
        assert_true(v == values[i]);
    }
    assert_int_equal(lochan_cursor__left(&c), 0);
    lochan_buf__deinit(&b);
}

static void test_buf__bytes_are_little_endian(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf b;
    lochan_buf__init(&b, 100);
    assert_ok(lochan_buf__u32le(&b, 0x01020304, &err));
    assert_ok(lochan_buf__varint(&b, 300, &err));
    assert_memory_equal(b.data, "\x04\x03\x02\x01\xAC\x02", 6);
    lochan_buf__deinit(&b);
}

static void test_buf__cursor_stops_at_the_end(void **state) {
    (void)state;
    static const uint8_t bytes[12] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                      0x80, 0x80, 0x80, 0x80, 0x80, 0x01};
    uint32_t a;
    uint64_t v;
    const uint8_t *p;
    for (size_t n = 0; n < 8; n++) {
        lochan_cursor c = {bytes, bytes + n};
        assert_false(lochan_cursor__u64le(&c, &v));
        assert_false(lochan_cursor__varint(&c, &v));
        assert_false(lochan_cursor__bytes(&c, n + 1, &p));
        assert_false(lochan_cursor__bytes(&c, SIZE_MAX, &p));
        assert_null(p);
        if (n < 4)
            assert_false(lochan_cursor__u32le(&c, &a));
        assert_ptr_equal(c.pos, bytes);
        assert_true(lochan_cursor__bytes(&c, n, &p));
        assert_ptr_equal(c.pos, c.end);
    }
    lochan_cursor c = {bytes, bytes + sizeof bytes};
    assert_false(lochan_cursor__varint(&c, &v)); /* 12 bytes */
    static const uint8_t wide[10] = {0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x02};
    c = (lochan_cursor){wide, wide + 10};
    assert_false(lochan_cursor__varint(&c, &v)); /* 65 bits */
}

static lochan_status fill(void *ctx, lochan_error *err) {
    (void)ctx;
    lochan_buf b;
    lochan_buf__init(&b, 1 << 16);
    lochan_status rc = LOCHAN_OK;
    for (int i = 0; i < 40 && rc == LOCHAN_OK; i++) {
        size_t before = b.len;
        rc = i % 3 == 0   ? lochan_buf__printf(&b, err, "%0100d", i)
             : i % 3 == 1 ? lochan_buf__json_string(&b, "a\nb\xFF\x01", 5, err)
                          : lochan_buf__varint(&b, UINT64_MAX, err);
        if (rc != LOCHAN_OK) {
            assert_int_equal(b.len, before);
            if (b.data)
                assert_int_equal(b.data[b.len], 0);
        }
    }
    lochan_buf__deinit(&b);
    return rc;
}

static void test_buf__out_of_memory_keeps_the_contents(void **state) {
    (void)state;
    fault_totals t = fault_sweep(&(fault_case){.name = "buf", .body = fill, .kinds = FAULT_OOM});
    assert_true(t.failed >= 6);
}

#define WITH_COUNTS(f) cmocka_unit_test_setup_teardown(f, alloc_setup, alloc_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_COUNTS(test_buf__grows_and_is_terminated),
        WITH_COUNTS(test_buf__max_is_exact),
        WITH_COUNTS(test_buf__printf_any_length),
        WITH_COUNTS(test_buf__take_hands_over),
        WITH_COUNTS(test_buf__json_strings),
        WITH_COUNTS(test_buf__integers_round_trip),
        WITH_COUNTS(test_buf__bytes_are_little_endian),
        cmocka_unit_test(test_buf__cursor_stops_at_the_end),
        cmocka_unit_test(test_buf__out_of_memory_keeps_the_contents),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
