/* test_equal.c - equality of batches whatever their layout. */
#include "arrow/kernel_sample.h"

static bool equal(const struct ArrowSchema *schema, const struct ArrowArray *x,
                  const struct ArrowArray *y) {
    lochan_error err;
    bool same = false;
    assert_ok(lochan_equal_columns(schema, x, y, &same, &err));
    return same;
}

static void test_equal__slices_of_all_types(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray x, y, z;
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 0, 40, &x);
    int64_t rows[40];
    struct ArrowArray whole;
    assert_ok(sample_batch(&schema, 60, &whole, &err));
    for (int i = 0; i < 40; i++)
        rows[i] = i;
    assert_ok(lochan_take(&schema, &whole, rows, 40, &y, &err));
    assert_true(equal(&schema, &x, &y));
    rows[39] = 41;
    assert_ok(lochan_take(&schema, &whole, rows, 40, &z, &err));
    assert_false(equal(&schema, &x, &z));
    for (int64_t c = 1; c < schema.n_children; c++) {
        bool same = false, same_row = false;
        assert_ok(
            lochan_equal_columns(schema.children[c], x.children[c], y.children[c], &same, &err));
        assert_true(same);
        char before[8192];
        snprintf(before, sizeof before, "%s", sample_json(schema.children[c], x.children[c], 39));
        same_row = strcmp(before, sample_json(schema.children[c], z.children[c], 39)) == 0;
        assert_ok(
            lochan_equal_columns(schema.children[c], x.children[c], z.children[c], &same, &err));
        assert_int_equal(same, same_row);
    }
    lochan_array__release(&z);
    sample_slice(&schema, 0, 39, &z);
    assert_false(equal(&schema, &x, &z));
    lochan_array__release(&x);
    lochan_array__release(&y);
    lochan_array__release(&z);
    lochan_array__release(&whole);
    lochan_schema__release(&schema);
}

/* The same rows behind an offset of the struct, and one row further, which differs. */
static void test_equal__behind_offsets(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray x, y;
    int64_t rows[20];
    assert_ok(sample_schema(&schema, &err));
    for (int64_t offset = 1; offset < 6; offset++) {
        for (int64_t shift = 0; shift < 2; shift++) {
            struct ArrowArray whole;
            assert_ok(sample_batch(&schema, 40, &whole, &err));
            for (int i = 0; i < 20; i++)
                rows[i] = offset + i + (i == 19 ? shift : 0);
            assert_ok(lochan_take(&schema, &whole, rows, 20, &y, &err));
            sample_slice(&schema, offset, 20, &x);
            assert_int_equal(equal(&schema, &x, &y), shift == 0);
            assert_int_equal(equal(&schema, &y, &x), shift == 0);
            lochan_array__release(&x);
            lochan_array__release(&y);
            lochan_array__release(&whole);
        }
    }
    lochan_schema__release(&schema);
}

static void test_equal__floats(void **state) {
    (void)state;
    struct ArrowSchema schema, other;
    struct ArrowArray x, y;
    for (int i = 0; i < 3; i++) {
        const char *format = i == 0 ? "e" : i == 1 ? "f" : "g";
        column_of(format, (const char *[]){"nan", "-0.0", "inf"}, 3, &schema, &x);
        column_of(format, (const char *[]){"-nan", "0.0", "inf"}, 3, &other, &y);
        assert_true(equal(&schema, &x, &y));
        lochan_array__release(&y);
        lochan_schema__release(&other);
        column_of(format, (const char *[]){"nan", "0.0", "-inf"}, 3, &other, &y);
        assert_false(equal(&schema, &x, &y));
        lochan_array__release(&y);
        lochan_schema__release(&other);
        column_of(format, (const char *[]){NULL, "0.0", "inf"}, 3, &other, &y);
        assert_false(equal(&schema, &x, &y));
        lochan_array__release(&x);
        lochan_array__release(&y);
        lochan_schema__release(&schema);
        lochan_schema__release(&other);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equal__slices_of_all_types),
        cmocka_unit_test(test_equal__behind_offsets),
        cmocka_unit_test(test_equal__floats),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
