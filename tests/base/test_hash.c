/* test_hash.c - known values (they are part of the disk format), streaming. */
#include "support/alloc.h"
#include "support/cmocka_all.h"

#include "base/hash.h"

#include <string.h>

static void test_hash__known_values(void **state) {
    (void)state;
    assert_true(lochan_hash__crc32("123456789", 9) == 0xCBF43926u);
    assert_true(lochan_hash__crc32("", 0) == 0);
    assert_true(lochan_hash__crc32(NULL, 0) == 0);
    assert_true(lochan_hash__xxh64("", 0, 0) == UINT64_C(0xEF46DB3751D8E999));
    assert_true(lochan_hash__xxh64("abc", 3, 0) == UINT64_C(0x44BC2CF5AD770999));
    assert_true(lochan_hash__64("", 0, 0) == UINT64_C(0x2D06800538D394C2));
    char hex[33];
    lochan_hash128__hex(lochan_hash__128("", 0), hex);
    assert_string_equal(hex, "99aa06d3014798d86001c324468d497f");
    lochan_hash128__hex((lochan_hash128){.lo = 0x0123456789abcdef, .hi = 1}, hex);
    assert_string_equal(hex, "00000000000000010123456789abcdef");
}

static void test_hash__seed_and_bytes_matter(void **state) {
    (void)state;
    assert_true(lochan_hash__64("a", 1, 0) != lochan_hash__64("a", 1, 1));
    assert_true(lochan_hash__64("a", 1, 0) != lochan_hash__64("b", 1, 0));
    assert_true(lochan_hash__xxh64("a", 1, 0) != lochan_hash__xxh64("a", 1, 1));
}

static void test_hash__streaming_equals_one_call(void **state) {
    (void)state;
    unsigned char data[5000];
    for (size_t i = 0; i < sizeof data; i++)
        data[i] = (unsigned char)(i * 7 + i / 256);
    for (size_t n = 0; n <= sizeof data; n += 83) {
        lochan_hasher *h = lochan_hasher__create();
        assert_non_null(h);
        for (size_t at = 0, step = 1; at < n; at += step, step = step * 3 % 401 + 1) {
            if (step > n - at)
                step = n - at;
            lochan_hasher__update(h, data + at, step);
        }
        lochan_hasher__update(h, NULL, 0);
        lochan_hash128 a = lochan_hasher__digest(h), b = lochan_hash__128(data, n);
        assert_true(a.lo == b.lo && a.hi == b.hi);
        lochan_hasher__free(h);
    }
    lochan_hasher__free(NULL);
}

static void test_hash__out_of_memory(void **state) {
    (void)state;
    alloc_fail_at(1, false);
    assert_null(lochan_hasher__create());
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash__known_values),
        cmocka_unit_test(test_hash__seed_and_bytes_matter),
        cmocka_unit_test_setup_teardown(test_hash__streaming_equals_one_call, alloc_setup,
                                        alloc_teardown),
        cmocka_unit_test_setup_teardown(test_hash__out_of_memory, alloc_setup, alloc_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
