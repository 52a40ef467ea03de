/* test_bits.c - bit packing: every width, the vector path against the plain one, nothing read past
 * the end. */
#include "support/clock_fake.h"
#include "support/cmocka_all.h"

#include "parquet/bits.h"
#include <stdlib.h>
#include <string.h>

static void fill32(uint32_t *v, size_t n, unsigned width, uint64_t *seed) {
    for (size_t i = 0; i < n; i++)
        v[i] = width ? (uint32_t)(fake_random(seed) >> (64 - width)) : 0;
}

/* Unpacks from a heap block of exactly the packed size, so that a sanitizer sees a read too far. */
static void check32(unsigned width, size_t n, uint64_t *seed) {
    size_t padded = (n + 7) & ~(size_t)7, bytes = padded / 8 * width;
    uint32_t *in = calloc(padded + 1, sizeof *in), *out = calloc(n + 1, sizeof *out);
    uint8_t *packed = malloc(bytes ? bytes : 1);
    fill32(in, n, width, seed);
    lochan_bits__pack32(in, padded, width, packed);
    size_t needed = (n * width + 7) / 8;
    uint8_t *exact = malloc(needed ? needed : 1);
    memcpy(exact, packed, needed);
    for (int plain = 0; plain < 2; plain++) {
        lochan_bits__force_plain(plain);
        memset(out, 0xee, n * sizeof *out);
        lochan_bits__unpack32(exact, needed, width, out, n);
        assert_memory_equal(out, in, n * sizeof *out);
    }
    lochan_bits__force_plain(false);
    free(in);
    free(out);
    free(packed);
    free(exact);
}

static void test_bits__every_width_and_length_comes_back(void **state) {
    (void)state;
    uint64_t seed = 42;
    for (unsigned width = 0; width <= 32; width++) {
        for (size_t n = 0; n <= 40; n++)
            check32(width, n, &seed);
        check32(width, 1000, &seed);
        check32(width, 4103, &seed);
    }
}

static void test_bits__wide_values_come_back(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (unsigned width = 0; width <= 64; width++) {
        for (size_t n = 0; n <= 304; n += n < 24 ? 1 : 40) {
            size_t padded = (n + 7) & ~(size_t)7, bytes = padded / 8 * width;
            uint64_t *in = calloc(padded + 1, sizeof *in), *out = calloc(n + 1, sizeof *out);
            uint8_t *packed = malloc(bytes ? bytes : 1);
            for (size_t i = 0; i < n; i++)
                in[i] = width ? fake_random(&seed) >> (64 - width) : 0;
            lochan_bits__pack64(in, padded, width, packed);
            lochan_bits__unpack64(packed, bytes, width, out, n);
            assert_memory_equal(out, in, n * sizeof *out);
            free(in);
            free(out);
            free(packed);
        }
    }
}

static void test_bits__copies_and_fills_ranges_only(void **state) {
    (void)state;
    uint64_t seed = 3;
    for (int round = 0; round < 2000; round++) {
        uint8_t src[40], dst[40], want[40];
        for (size_t i = 0; i < sizeof src; i++) {
            src[i] = (uint8_t)fake_random(&seed);
            dst[i] = want[i] = (uint8_t)fake_random(&seed);
        }
        int64_t to = (int64_t)(fake_random(&seed) % 60), from = (int64_t)(fake_random(&seed) % 60);
        int64_t n = (int64_t)(fake_random(&seed) % 200);
        bool fill = round & 1, v = round & 2;
        for (int64_t i = 0; i < n; i++) {
            bool bit = fill ? v : (src[(from + i) >> 3] >> ((from + i) & 7)) & 1;
            want[(to + i) >> 3] = (uint8_t)((want[(to + i) >> 3] & ~(1u << ((to + i) & 7))) |
                                            (unsigned)bit << ((to + i) & 7));
        }
        if (fill)
            lochan_bits__fill(dst, to, n, v);
        else
            lochan_bits__copy(dst, to, src, from, n);
        assert_memory_equal(dst, want, sizeof dst);
    }
}

static void test_bits__counts_bytes_of_one_value(void **state) {
    enum { MOST = 20000 };
    static uint8_t bytes[MOST];
    (void)state;
    for (size_t i = 0; i < MOST; i++)
        bytes[i] = i % 7 == 0 ? 3 : (uint8_t)(i % 3);
    const size_t lengths[] = {0, 1, 31, 32, 33, 8159, 8160, 8161, MOST};
    for (size_t l = 0; l < sizeof lengths / sizeof *lengths; l++) {
        for (uint8_t v = 0; v < 5; v++) {
            size_t expected = 0;
            for (size_t i = 0; i < lengths[l]; i++)
                expected += bytes[i] == v;
            assert_int_equal(lochan_bits__count_bytes(bytes, lengths[l], v), expected);
        }
    }
    memset(bytes, 9, sizeof bytes); /* no sum overflows */
    assert_int_equal(lochan_bits__count_bytes(bytes, MOST, 9), MOST);
}

static void test_bits__width_is_that_of_the_value(void **state) {
    (void)state;
    assert_int_equal(lochan_bits__width(0), 0);
    assert_int_equal(lochan_bits__width(1), 1);
    assert_int_equal(lochan_bits__width(255), 8);
    assert_int_equal(lochan_bits__width(256), 9);
    assert_int_equal(lochan_bits__width(UINT64_MAX), 64);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bits__every_width_and_length_comes_back),
        cmocka_unit_test(test_bits__wide_values_come_back),
        cmocka_unit_test(test_bits__copies_and_fills_ranges_only),
        cmocka_unit_test(test_bits__counts_bytes_of_one_value),
        cmocka_unit_test(test_bits__width_is_that_of_the_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
