/* test_dict_builder.c - distinct values get keys in order of appearance. */
#include "support/clock_fake.h"
#include "support/cmocka_all.h"

#include "parquet/dict_builder.h"
#include <stdlib.h>

static void check_fixed(int32_t width) {
    lochan_error err;
    lochan_pq_dict_builder b;
    uint64_t seed = 9;
    enum { N = 20000 };
    uint8_t *values = calloc(N, (size_t)width);
    uint32_t *keys = malloc(N * sizeof *keys);
    for (size_t i = 0; i < N; i++) {
        uint64_t v = fake_random(&seed) % 7000;
        memcpy(values + i * (size_t)width, &v, width < 8 ? (size_t)width : 8);
    }
    lochan_pq_dict_builder__init(&b, width);
    for (int round = 0; round < 2; round++) { /* the second after a clear */
        assert_ok(lochan_pq_dict_builder__add_fixed(&b, values, N / 2, keys, &err));
        assert_ok(lochan_pq_dict_builder__add_fixed(&b, values + (size_t)(N / 2 * width), N / 2,
                                                    keys + N / 2, &err));
        uint32_t next = 0;
        for (size_t i = 0; i < N; i++) {
            assert_true(keys[i] <= next);
            next += keys[i] == next;
            assert_memory_equal(lochan_pq_dict_builder__entry(&b, keys[i]).p,
                                values + i * (size_t)width, (size_t)width);
        }
        assert_int_equal(b.n, next);
        lochan_pq_dict_builder__clear(&b);
    }
    lochan_pq_dict_builder__deinit(&b);
    free(values);
    free(keys);
}

static void test_dict_builder__keys_of_fixed_values_lead_back(void **state) {
    (void)state;
    static const int32_t widths[] = {2, 4, 7, 8, 12, 16};
    for (size_t i = 0; i < LOCHAN_COUNTOF(widths); i++)
        check_fixed(widths[i]);
}

static void test_dict_builder__keys_of_texts_lead_back(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_dict_builder b;
    uint64_t seed = 4;
    static char texts[3000][64];
    static lochan_pq_slice slices[3000];
    static uint32_t keys[3000];
    for (size_t i = 0; i < LOCHAN_COUNTOF(slices); i++) {
        size_t n = fake_random(&seed) % 60;
        for (size_t k = 0; k < n; k++) /* few letters: many equal texts, and many of one length */
            texts[i][k] = (char)('a' + fake_random(&seed) % (n < 6 ? 3 : 2));
        slices[i] = (lochan_pq_slice){(const uint8_t *)texts[i], (uint32_t)n};
    }
    lochan_pq_dict_builder__init(&b, 0);
    assert_ok(lochan_pq_dict_builder__add_slices(&b, slices, LOCHAN_COUNTOF(slices), keys, &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(slices); i++) {
        lochan_pq_slice e = lochan_pq_dict_builder__entry(&b, keys[i]);
        assert_int_equal(e.n, slices[i].n);
        assert_memory_equal(e.p, slices[i].p, e.n);
    }
    for (uint32_t i = 0; i < b.n; i++) { /* all different */
        for (uint32_t k = i + 1; k < b.n && k < i + 50; k++) {
            lochan_pq_slice x = lochan_pq_dict_builder__entry(&b, i),
                            y = lochan_pq_dict_builder__entry(&b, k);
            assert_false(x.n == y.n && memcmp(x.p, y.p, x.n) == 0);
        }
    }
    lochan_pq_dict_builder__deinit(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dict_builder__keys_of_fixed_values_lead_back),
        cmocka_unit_test(test_dict_builder__keys_of_texts_lead_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
