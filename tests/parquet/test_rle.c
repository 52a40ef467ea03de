/* test_rle.c - the hybrid of runs and bit packing: round trips in odd pieces, damaged bytes. */
#include "support/clock_fake.h"
#include "support/cmocka_all.h"

#include "parquet/rle.h"
#include <stdlib.h>
#include <string.h>

/* Values in runs of random lengths. */
static void make_runs(uint32_t *v, size_t n, unsigned width, unsigned longest, uint64_t *seed) {
    for (size_t i = 0; i < n;) {
        uint32_t value = width ? (uint32_t)(fake_random(seed) >> (64 - width)) : 0;
        for (size_t run = 1 + fake_random(seed) % longest; run > 0 && i < n; run--)
            v[i++] = value;
    }
}

static void test_rle__reads_what_it_wrote_in_any_pieces(void **state) {
    (void)state;
    static const unsigned longest[] = {1, 3, 9, 20, 300};
    uint64_t seed = 11;
    lochan_error err;
    uint32_t in[1500], out[1500];
    for (unsigned width = 0; width <= 32; width++) {
        for (int round = 0; round < 20; round++) {
            size_t n = fake_random(&seed) % LOCHAN_COUNTOF(in);
            lochan_buf buf;
            lochan_buf__init(&buf, 1 << 20);
            make_runs(in, n, width, longest[round % 5], &seed);
            assert_ok(lochan_rle__write32(&buf, in, n, width, &err));
            uint8_t *exact = malloc(buf.len ? buf.len : 1);
            if (buf.len)
                memcpy(exact, buf.data, buf.len);
            lochan_rle rle;
            lochan_rle__init(&rle, exact, buf.len, width);
            for (size_t at = 0; at < n;) {
                size_t m = 1 + fake_random(&seed) % 70;
                m = m < n - at ? m : n - at;
                assert_true(lochan_rle__read32(&rle, out + at, m));
                at += m;
            }
            assert_memory_equal(out, in, n * sizeof *in);
            free(exact);
            lochan_buf__deinit(&buf);
        }
    }
}

static void test_rle__bytes_and_bits_read_the_same_as_words(void **state) {
    (void)state;
    uint64_t seed = 5;
    lochan_error err;
    for (int round = 0; round < 300; round++) {
        uint8_t in[900], out[900], bits[128] = {0};
        size_t n = fake_random(&seed) % sizeof in, want = 0, ones = 0;
        uint8_t v = 0;
        for (size_t i = 0; i < n; i++) {
            if (fake_random(&seed) % (round % 2 ? 3 : 40) == 0)
                v = (uint8_t)(fake_random(&seed) & 1);
            want += in[i] = v;
        }
        lochan_buf buf;
        lochan_rle rle;
        lochan_buf__init(&buf, 1 << 20);
        assert_ok(lochan_rle__write8(&buf, in, n, 1, &err));
        lochan_rle__init(&rle, buf.data, buf.len, 1);
        assert_true(lochan_rle__read8(&rle, out, n));
        assert_memory_equal(out, in, n);
        lochan_rle__init(&rle, buf.data, buf.len, 1);
        size_t head = n ? fake_random(&seed) % n : 0, some;
        assert_true(lochan_rle__read_bits(&rle, bits, 5, head, &some));
        assert_true(lochan_rle__read_bits(&rle, bits, 5 + (int64_t)head, n - head, &ones));
        assert_int_equal(ones + some, want);
        for (size_t i = 0; i < n; i++)
            assert_int_equal((bits[(i + 5) >> 3] >> ((i + 5) & 7)) & 1, in[i]);
        lochan_buf__deinit(&buf);
    }
}

static void test_rle__long_runs_cost_a_few_bytes(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf buf;
    uint8_t *levels = malloc(100000);
    lochan_buf__init(&buf, 1 << 20);
    memset(levels, 1, 100000);
    assert_ok(lochan_rle__write8(&buf, levels, 100000, 1, &err));
    assert_true(buf.len <= 5);
    free(levels);
    lochan_buf__deinit(&buf);
}

/* Runs of one to forty, of every width and beginning anywhere in a group. */
static void test_rle__runs_of_all_lengths_come_back(void **state) {
    enum { N = 3000 };
    static uint32_t wide[N], back[N];
    static uint8_t narrow[N];
    (void)state;
    for (unsigned width = 1; width <= 32; width++) {
        uint32_t mask = width == 32 ? UINT32_MAX : (1u << width) - 1;
        for (size_t i = 0, run = 1, value = 1; i < N; value = value * 2654435761u + 12345) {
            for (size_t k = 0; k < run && i < N; k++, i++) {
                wide[i] = (uint32_t)value & mask;
                narrow[i] = (uint8_t)wide[i];
            }
            run = run % 40 + 1;
        }
        for (size_t n = N; n > N - 20; n--) {
            lochan_buf buf;
            lochan_rle rle;
            lochan_error err;
            lochan_buf__init(&buf, SIZE_MAX / 4);
            assert_int_equal(lochan_rle__write32(&buf, wide, n, width, &err), LOCHAN_OK);
            lochan_rle__init(&rle, buf.data, buf.len, width);
            assert_true(lochan_rle__read32(&rle, back, n));
            assert_memory_equal(back, wide, n * sizeof *wide);
            if (width <= 8) {
                size_t len = buf.len;
                assert_int_equal(lochan_rle__write8(&buf, narrow, n, width, &err), LOCHAN_OK);
                assert_int_equal(buf.len, 2 * len); /* the same form */
                assert_memory_equal(buf.data, buf.data + len, len);
            }
            lochan_buf__deinit(&buf);
        }
    }
}

static void test_rle__damaged_bytes_end_the_values(void **state) {
    (void)state;
    uint32_t out[64];
    lochan_rle rle;
    lochan_rle__init(&rle, (const uint8_t *)"", 0, 3);
    assert_false(lochan_rle__read32(&rle, out, 1));
    /* a repeated value of 2 bytes that is wider than the width of 9 bits */
    lochan_rle__init(&rle, (const uint8_t *)"\x10\xff\xff", 3, 9);
    assert_false(lochan_rle__read32(&rle, out, 1));
    /* a run of no values */
    lochan_rle__init(&rle, (const uint8_t *)"\x00\x01", 2, 3);
    assert_false(lochan_rle__read32(&rle, out, 1));
    /* a header that never ends */
    lochan_rle__init(&rle, (const uint8_t *)"\xff\xff\xff\xff\xff\xff\xff", 7, 3);
    assert_false(lochan_rle__read32(&rle, out, 1));
}

static void test_rle__a_cut_last_group_gives_what_is_there(void **state) {
    (void)state;
    uint32_t out[64];
    lochan_rle rle;
    /* two groups of width 4 claimed, 5 bytes there: ten values */
    lochan_rle__init(&rle, (const uint8_t *)"\x05\x21\x43\x65\x87\x09", 6, 4);
    assert_true(lochan_rle__read32(&rle, out, 10));
    for (uint32_t i = 0; i < 9; i++)
        assert_int_equal(out[i], i + 1);
    assert_false(lochan_rle__read32(&rle, out, 1));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rle__reads_what_it_wrote_in_any_pieces),
        cmocka_unit_test(test_rle__bytes_and_bits_read_the_same_as_words),
        cmocka_unit_test(test_rle__long_runs_cost_a_few_bytes),
        cmocka_unit_test(test_rle__runs_of_all_lengths_come_back),
        cmocka_unit_test(test_rle__damaged_bytes_end_the_values),
        cmocka_unit_test(test_rle__a_cut_last_group_gives_what_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
