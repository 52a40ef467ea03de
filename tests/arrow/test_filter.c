/* test_filter.c - rows by bitmap: scattered rows, long runs, all, none. */
#include "arrow/kernel_sample.h"

static void filter_case(const struct ArrowSchema *schema, int64_t offset, int64_t n,
                        const uint8_t *bits) {
    lochan_error err;
    struct ArrowArray in, out;
    sample_slice(schema, offset, n, &in);
    assert_ok(lochan_filter(schema, &in, bits, &out, &err));
    assert_valid(schema, &out);
    int64_t at = 0;
    for (int64_t i = 0; i < n; i++) {
        if (lochan_bit__get(bits, i))
            assert_row(schema, &out, at++, &in, i);
    }
    assert_int_equal(out.length, at);
    lochan_array__release(&out);
    lochan_array__release(&in);
}

static void test_filter__random_bits(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    uint8_t bits[32];
    uint64_t seed = 5;
    assert_ok(sample_schema(&schema, &err));
    for (int round = 0; round < 6; round++) {
        for (size_t i = 0; i < sizeof bits; i++)
            bits[i] = (uint8_t)fake_random(&seed);
        filter_case(&schema, round * 3, 60 + round * 13, bits);
    }
    lochan_schema__release(&schema);
}

static void test_filter__runs(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    uint8_t bits[32];
    assert_ok(sample_schema(&schema, &err));
    for (int64_t from = 0; from < 80; from += 19) {
        for (int64_t to = from; to < 210; to += 37) {
            memset(bits, 0, sizeof bits);
            for (int64_t i = from; i < to; i++)
                lochan_bit__set(bits, i);
            lochan_bit__set(bits, 215);
            filter_case(&schema, from % 7, 216, bits);
        }
    }
    lochan_schema__release(&schema);
}

static void test_filter__all_and_none(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    uint8_t bits[32];
    assert_ok(sample_schema(&schema, &err));
    memset(bits, 0xff, sizeof bits);
    filter_case(&schema, 1, 0, bits);
    filter_case(&schema, 0, 64, bits);
    filter_case(&schema, 5, 129, bits);
    memset(bits, 0, sizeof bits);
    filter_case(&schema, 5, 129, bits);
    lochan_schema__release(&schema);
}

static struct ArrowSchema fault_schema;
static struct ArrowArray fault_in;

static lochan_status fault_body(void *ctx, lochan_error *err) {
    (void)ctx;
    struct ArrowArray out = {0};
    static const uint8_t scattered[4] = {0x55, 0x12, 0, 1}, run[4] = {0xf8, 0xff, 0xff, 0};
    lochan_status rc = lochan_filter(&fault_schema, &fault_in, scattered, &out, err);
    lochan_array__release(&out);
    if (rc == LOCHAN_OK)
        rc = lochan_filter(&fault_schema, &fault_in, run, &out, err);
    lochan_array__release(&out);
    return rc;
}

static void test_filter__survives_lack_of_memory(void **state) {
    (void)state;
    lochan_error err;
    assert_ok(sample_schema(&fault_schema, &err));
    sample_slice(&fault_schema, 1, 30, &fault_in);
    fault_sweep(
        &(fault_case){.name = "filter", .body = fault_body, .kinds = FAULT_OOM, .dense = 60});
    lochan_array__release(&fault_in);
    lochan_schema__release(&fault_schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_filter__random_bits),
        cmocka_unit_test(test_filter__runs),
        cmocka_unit_test(test_filter__all_and_none),
        cmocka_unit_test(test_filter__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
