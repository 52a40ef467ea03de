/* test_concat.c - batches one after the other, with offsets and dictionaries of their own. */
#include "arrow/kernel_sample.h"

static void test_concat__all_types(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in[4], out;
    const struct ArrowArray *batches[4];
    static const int64_t shape[4][2] = {{0, 11}, {5, 0}, {7, 30}, {1, 70}};
    assert_ok(sample_schema(&schema, &err));
    for (int i = 0; i < 4; i++) {
        sample_slice(&schema, shape[i][0], shape[i][1], &in[i]);
        batches[i] = &in[i];
    }
    assert_ok(lochan_concat(&schema, batches, 4, &out, &err));
    assert_valid(&schema, &out);
    assert_int_equal(out.length, 111);
    int64_t at = 0;
    for (int i = 0; i < 4; i++) {
        for (int64_t r = 0; r < in[i].length; r++)
            assert_row(&schema, &out, at++, &in[i], r);
        lochan_array__release(&in[i]);
    }
    lochan_array__release(&out);
    assert_ok(lochan_concat(&schema, NULL, 0, &out, &err));
    assert_int_equal(out.length, 0);
    assert_valid(&schema, &out);
    lochan_array__release(&out);
    lochan_schema__release(&schema);
}

/* Batches whose int8 dictionaries hold `n` texts from `first` on. */
static void words(struct ArrowSchema *schema, int first, int n, struct ArrowArray *out) {
    lochan_error err;
    lochan_builder *b;
    lochan_type key = sample_type("c"), text = sample_type("u");
    assert_ok(lochan_schema__set_dictionary(schema, "x", &key, &text, true, &err));
    assert_ok(lochan_builder__create(schema, &b, &err));
    for (int i = 0; i < n; i++) {
        char word[16];
        int length = snprintf(word, sizeof word, "w%d", first + i);
        assert_ok(lochan_builder__bytes_value(b, word, (size_t)length, &err));
    }
    assert_ok(lochan_builder__finish(b, out, &err));
    lochan_builder__free(b);
}

static void test_concat__joins_dictionaries(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema, other;
    struct ArrowArray in[2], out;
    const struct ArrowArray *batches[2] = {&in[0], &in[1]};
    words(&schema, 0, 100, &in[0]);
    words(&other, 60, 68, &in[1]); /* 28 new ones: 128 in all, the most int8 can number */
    assert_ok(lochan_concat(&schema, batches, 2, &out, &err));
    assert_valid(&schema, &out);
    assert_int_equal(out.dictionary->length, 128);
    for (int64_t i = 0; i < 168; i++)
        assert_row(&schema, &out, i, i < 100 ? &in[0] : &in[1], i < 100 ? i : i - 100);
    lochan_array__release(&out);
    lochan_array__release(&in[1]);
    lochan_schema__release(&other);
    words(&other, 60, 69, &in[1]);
    assert_status(lochan_concat(&schema, batches, 2, &out, &err), LOCHAN_ERR_VALUE);
    assert_non_null(strstr(err.message, "129 values"));
    assert_null(out.release);
    for (int i = 0; i < 2; i++)
        lochan_array__release(&in[i]);
    lochan_schema__release(&schema);
    lochan_schema__release(&other);
}

static struct ArrowSchema fault_schema;
static struct ArrowArray fault_in[2];

static lochan_status fault_body(void *ctx, lochan_error *err) {
    (void)ctx;
    struct ArrowArray out = {0};
    const struct ArrowArray *batches[2] = {&fault_in[0], &fault_in[1]};
    lochan_status rc = lochan_concat(&fault_schema, batches, 2, &out, err);
    lochan_array__release(&out);
    return rc;
}

static void test_concat__survives_lack_of_memory(void **state) {
    (void)state;
    lochan_error err;
    assert_ok(sample_schema(&fault_schema, &err));
    sample_slice(&fault_schema, 1, 5, &fault_in[0]);
    sample_slice(&fault_schema, 8, 5, &fault_in[1]);
    fault_sweep(
        &(fault_case){.name = "concat", .body = fault_body, .kinds = FAULT_OOM, .dense = 60});
    lochan_array__release(&fault_in[0]);
    lochan_array__release(&fault_in[1]);
    lochan_schema__release(&fault_schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_concat__all_types),
        cmocka_unit_test(test_concat__joins_dictionaries),
        cmocka_unit_test(test_concat__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
