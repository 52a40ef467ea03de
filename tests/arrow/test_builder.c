/* test_builder.c - building arrays value by value and in runs. */
#include "arrow/sample.h"
#include "support/alloc.h"
#include "support/fault.h"
#include <math.h>

/* Finishes, checks against the schema, frees the builder. */
static void finish(lochan_builder *b, const struct ArrowSchema *schema, struct ArrowArray *out) {
    lochan_error err;
    assert_ok(lochan_builder__finish(b, out, &err));
    assert_ok(lochan_array__check(schema, out, &err));
    lochan_builder__free(b);
}

static void test_builder__batches_are_sound_and_reusable(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    lochan_builder *b;
    assert_ok(sample_schema(&schema, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int round = 0; round < 3; round++) {
        struct ArrowArray a;
        for (int64_t r = 0; r < 200 * round; r++) {
            for (int64_t c = 0; c < schema.n_children; c++)
                assert_ok(sample_fill(lochan_builder__child(b, c), schema.children[c], r, &err));
            assert_ok(lochan_builder__end_row(b, &err));
        }
        assert_int_equal(lochan_builder__length(b), 200 * round);
        assert_true(round == 0 || lochan_builder__bytes(b) > 10000);
        assert_ok(lochan_builder__finish(b, &a, &err));
        assert_int_equal(lochan_builder__length(b), 0);
        assert_int_equal(a.length, 200 * round);
        assert_ok(lochan_array__check(&schema, &a, &err));
        lochan_array__release(&a);
    }
    lochan_builder__free(b);
    lochan_builder__free(NULL);
    lochan_schema__release(&schema);
}

static void test_builder__validity_begins_at_the_first_null(void **state) {
    (void)state;
    lochan_error err;
    for (int64_t nulls_from = 0; nulls_from <= 130; nulls_from += 13) {
        struct ArrowSchema schema;
        struct ArrowArray a;
        lochan_builder *b;
        sample_one("l", &schema, &b);
        for (int64_t r = 0; r < 130; r++)
            assert_ok(r >= nulls_from && r % 2 ? lochan_builder__null(b, &err)
                                               : lochan_builder__int64(b, r, &err));
        finish(b, &schema, &a);
        assert_int_equal(a.buffers[0] == NULL, nulls_from == 130);
        for (int64_t r = 0; r < 130 && a.buffers[0]; r++)
            assert_int_equal(lochan_bit__get(a.buffers[0], r), !(r >= nulls_from && r % 2));
        lochan_array__release(&a);
        lochan_schema__release(&schema);
    }
}

static void expect_int(const char *format, int64_t v, bool fits) {
    lochan_error err;
    struct ArrowSchema schema;
    lochan_builder *b;
    sample_one(format, &schema, &b);
    lochan_status rc = lochan_builder__int64(b, v, &err);
    if (rc != (fits ? LOCHAN_OK : LOCHAN_ERR_VALUE))
        fail_msg("%lld in %s: %s", (long long)v, format, lochan_status_name(rc));
    assert_int_equal(lochan_builder__length(b), fits);
    if (!fits) {
        assert_string_equal(err.column, "x");
        assert_int_equal(err.row, 0);
        assert_non_null(strstr(err.message, "does not fit"));
    }
    lochan_builder__free(b);
    lochan_schema__release(&schema);
}

static void test_builder__integers_fit_or_are_refused(void **state) {
    (void)state;
    static const struct {
        const char *format;
        int64_t lo, hi;
    } ranges[] = {{"b", 0, 1},
                  {"c", INT8_MIN, INT8_MAX},
                  {"C", 0, UINT8_MAX},
                  {"s", INT16_MIN, INT16_MAX},
                  {"S", 0, UINT16_MAX},
                  {"i", INT32_MIN, INT32_MAX},
                  {"I", 0, UINT32_MAX},
                  {"tdD", INT32_MIN, INT32_MAX},
                  {"tts", INT32_MIN, INT32_MAX},
                  {"d:3,0", -999, 999},
                  {"d:5,2", -999, 999}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(ranges); i++) {
        expect_int(ranges[i].format, ranges[i].lo, true);
        expect_int(ranges[i].format, ranges[i].hi, true);
        expect_int(ranges[i].format, ranges[i].lo - 1, false);
        expect_int(ranges[i].format, ranges[i].hi + 1, false);
    }
    expect_int("L", -1, false);
    expect_int("L", INT64_MAX, true);
    expect_int("l", INT64_MIN, true);
    expect_int("tsn:", INT64_MIN, true);
    expect_int("g", 1LL << 53, true);
    expect_int("g", (1LL << 53) + 1, false);
    expect_int("f", 1 << 24, true);
    expect_int("f", (1 << 24) + 1, false);
    expect_int("e", 2048, true);
    expect_int("e", 2049, false);
    expect_int("e", 70000, false);
    expect_int("d:9,-2", 1200, true);
    expect_int("d:9,-2", 1250, false);
}

static void expect_uint(const char *format, uint64_t v, bool fits) {
    lochan_error err;
    struct ArrowSchema schema;
    lochan_builder *b;
    sample_one(format, &schema, &b);
    assert_status(lochan_builder__uint64(b, v, &err), fits ? LOCHAN_OK : LOCHAN_ERR_VALUE);
    lochan_builder__free(b);
    lochan_schema__release(&schema);
}

static void test_builder__large_unsigned_numbers(void **state) {
    (void)state;
    expect_uint("L", UINT64_MAX, true);
    expect_uint("l", UINT64_MAX, false);
    expect_uint("l", INT64_MAX, true);
    expect_uint("g", 1ULL << 63, true);
    expect_uint("g", UINT64_MAX, false);
    expect_uint("d:20,0", UINT64_MAX, true);
    expect_uint("d:19,0", UINT64_MAX, false);
    expect_uint("tsn:", UINT64_MAX, false);
}

static void expect_real(const char *format, double v, bool fits) {
    lochan_error err;
    struct ArrowSchema schema;
    lochan_builder *b;
    sample_one(format, &schema, &b);
    lochan_status rc = lochan_builder__double(b, v, &err);
    if (rc != (fits ? LOCHAN_OK : LOCHAN_ERR_VALUE))
        fail_msg("%g in %s: %s", v, format, lochan_status_name(rc));
    lochan_builder__free(b);
    lochan_schema__release(&schema);
}

static void test_builder__doubles_fit_or_are_refused(void **state) {
    (void)state;
    expect_real("g", (double)NAN, true);
    expect_real("f", 1e300, false);
    expect_real("f", (double)INFINITY, true);
    expect_real("f", 0.1, true);
    expect_real("e", 1e6, false);
    expect_real("e", 0.1, true);
    expect_real("l", 3.0, true);
    expect_real("l", 3.5, false);
    expect_real("l", 0x1p63, false);
    expect_real("l", -0x1p63, true);
    expect_real("L", 0x1p63, true);
    expect_real("L", 0x1p64, false);
    expect_real("i", 1e10, false);
    expect_real("i", (double)NAN, false);
    expect_real("b", 1, true);
    expect_real("d:10,2", 12.34, true);
    expect_real("d:10,2", 12.345, false);
    expect_real("d:10,2", 1e300, false);
    expect_real("d:10,2", (double)INFINITY, false);
}

static void test_builder__wrong_kinds_are_refused(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    lochan_builder *b;
    sample_one("u", &schema, &b);
    assert_status(lochan_builder__int64(b, 1, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_builder__uint64(b, UINT64_MAX, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_builder__double(b, 1, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_builder__fixed(b, "x", &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_builder__end_row(b, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_builder__append_doubles(b, NULL, 0, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(lochan_builder__child(b, 0));
    lochan_builder__free(b);
    lochan_schema__release(&schema);
    sample_one("w:3", &schema, &b);
    assert_status(lochan_builder__bytes_value(b, "ab", 2, &err), LOCHAN_ERR_VALUE);
    assert_ok(lochan_builder__fixed(b, "abc", &err));
    assert_status(lochan_builder__int64(b, 1, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_builder__free(b);
    lochan_schema__release(&schema);
    sample_one("i", &schema, &b);
    assert_status(lochan_builder__bytes_value(b, "ab", 2, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_builder__reserve(b, -1, &err), LOCHAN_ERR_VALUE);
    assert_status(lochan_builder__reserve(b, INT64_MAX, &err), LOCHAN_ERR_VALUE);
    alloc_fail_at(1, false);
    assert_status(lochan_builder__reserve(b, 1000, &err), LOCHAN_ERR_NO_MEMORY);
    alloc_fail_at(0, false);
    assert_ok(lochan_builder__int64(b, 1, &err));
    lochan_builder__free(b);
    lochan_schema__release(&schema);
}

static void test_builder__runs_of_values(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_builder *b;
    double values[100];
    uint8_t bits[13];
    memset(bits, 0xff, sizeof bits);
    lochan_bit__clear(bits, 1);
    lochan_bit__clear(bits, 99);
    for (int i = 0; i < 100; i++)
        values[i] = i;
    sample_one("g", &schema, &b);
    assert_ok(lochan_builder__append_doubles(b, values, 0, &err));
    for (int round = 0; round < 3; round++)
        assert_ok(lochan_builder__append_doubles(b, values, 33, &err));
    assert_ok(lochan_builder__append_values(b, values, 8, bits, 100, &err));
    assert_ok(lochan_builder__append_doubles(b, values, 3, &err));
    assert_status(lochan_builder__append_int32s(b, (int32_t[]){1}, 1, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    void *place;
    assert_ok(lochan_builder__extend(b, 2, &place, &err));
    memcpy(place, values + 50, 16);
    finish(b, &schema, &a);
    assert_int_equal(a.length, 204);
    assert_int_equal(a.null_count, 2);
    const double *got = a.buffers[1];
    assert_true(got[98] == 32 && got[99] == 0 && got[150] == 51 && got[203] == 51);
    assert_false(lochan_bit__get(a.buffers[0], 100));
    assert_false(lochan_bit__get(a.buffers[0], 198));
    assert_ptr_equal((const uint8_t *)place - 202 * 8,
                     (const uint8_t *)got); /* moved, not copied */
    lochan_array__release(&a);
    lochan_schema__release(&schema);
}

static void test_builder__dictionary_holds_each_value_once(void **state) {
    (void)state;
    lochan_error err;
    static const char *const values[] = {"u", "U", "vu", "w:8", "l", "g", "tdD"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(values); i++) {
        struct ArrowSchema schema;
        struct ArrowArray a;
        lochan_builder *b;
        lochan_type index = sample_type("s");
        lochan_type value = sample_type(values[i]);
        assert_ok(lochan_schema__set_dictionary(&schema, "x", &index, &value, true, &err));
        assert_ok(lochan_builder__create(&schema, &b, &err));
        for (int r = 0; r < 3000; r++) {
            char text[40];
            snprintf(text, sizeof text, i < 3 && r % 2 ? "%08d and quite long" : "%08d", r % 700);
            if (i < 4)
                assert_ok(lochan_builder__bytes_value(b, text, strlen(text), &err));
            else
                assert_ok(lochan_builder__int64(b, r % 700, &err));
        }
        finish(b, &schema, &a);
        assert_int_equal(a.length, 3000);
        assert_int_equal(a.dictionary->length, 700);
        for (int r = 0; r < 700; r += 99) {
            char first[200];
            strcpy(first, sample_json(&schema, &a, r));
            assert_string_equal(sample_json(&schema, &a, r + 700), first);
        }
        lochan_array__release(&a);
        lochan_schema__release(&schema);
    }
}

static void test_builder__dictionary_keys_run_out(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_builder *b;
    lochan_type index = sample_type("c");
    lochan_type value = sample_type("i");
    assert_ok(lochan_schema__set_dictionary(&schema, "x", &index, &value, true, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int r = 0; r < 128; r++)
        assert_ok(lochan_builder__int64(b, r, &err));
    assert_status(lochan_builder__int64(b, 128, &err), LOCHAN_ERR_VALUE);
    assert_ok(lochan_builder__int64(b, 127, &err));
    assert_ok(lochan_builder__null(b, &err));
    finish(b, &schema, &a);
    assert_int_equal(a.length, 130);
    lochan_array__release(&a);
    lochan_schema__release(&schema);
    value = sample_type("+s");
    assert_ok(lochan_schema__set_dictionary(&schema, "x", &index, &value, true, &err));
    assert_status(lochan_builder__create(&schema, &b, &err), LOCHAN_ERR_UNSUPPORTED);
    assert_null(b);
    lochan_schema__release(&schema);
}

static void test_builder__views_fill_several_blocks(void **state) {
    (void)state;
    enum { SIZE = 1 << 20 };
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_builder *b;
    lochan_view view;
    char *text = lochan_mem__alloc(SIZE);
    sample_one("vz", &schema, &b);
    for (int r = 0; r < 40; r++) {
        memset(text, 'a' + r % 26, SIZE);
        assert_ok(lochan_builder__bytes_value(b, text, SIZE, &err));
        assert_ok(lochan_builder__bytes_value(b, "short", 5, &err));
    }
    finish(b, &schema, &a);
    assert_true(a.n_buffers >= 5);
    assert_ok(lochan_view__init(&view, &schema, &a, &err));
    for (int r = 0; r < 40; r++) {
        lochan_str s = lochan_view__bytes(&view, 2 * r);
        assert_int_equal(s.n, SIZE);
        assert_int_equal(s.p[0], 'a' + r % 26);
        assert_int_equal(s.p[SIZE - 1], 'a' + r % 26);
        assert_int_equal(lochan_view__bytes(&view, 2 * r + 1).n, 5);
    }
    lochan_view__deinit(&view);
    lochan_mem__free(text);
    lochan_array__release(&a);
    lochan_schema__release(&schema);
}

static void test_builder__unequal_children_are_refused(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_builder *b;
    assert_ok(lochan_schema__init_struct(&schema, 2, &err));
    assert_ok(sample_field(schema.children[0], "left", "i", 0, &err));
    assert_ok(sample_field(schema.children[1], "right", "i", 0, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), 1, &err));
    assert_status(lochan_builder__end_row(b, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_string_equal(err.column, "right");
    assert_status(lochan_builder__finish(b, &a, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(a.release);
    assert_ok(lochan_builder__int64(lochan_builder__child(b, 1), 2, &err));
    assert_ok(lochan_builder__end_row(b, &err));
    finish(b, &schema, &a); /* nothing was lost */
    assert_string_equal(sample_json(&schema, &a, 0), "{\"left\":1,\"right\":2}");
    lochan_array__release(&a);
    lochan_schema__release(&schema);
}

static void test_builder__list_items_without_an_end_are_refused(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_builder *b;
    assert_ok(sample_field(&schema, "x", "+l", 1, &err));
    assert_ok(sample_field(schema.children[0], "item", "i", 0, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), 1, &err));
    assert_status(lochan_builder__finish(b, &a, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_ok(lochan_builder__end_row(b, &err));
    finish(b, &schema, &a);
    assert_string_equal(sample_json(&schema, &a, 0), "[1]");
    lochan_array__release(&a);
    lochan_schema__release(&schema);
}

static void test_builder__copies_rows_of_every_type(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    struct ArrowArray part;
    struct ArrowArray copy;
    lochan_builder *b;
    lochan_view view;
    assert_ok(sample_schema(&schema, &err));
    assert_ok(sample_batch(&schema, 30, &a, &err));
    lochan_shared *shared = lochan_shared__give(&a);
    assert_ok(lochan_shared__slice(shared, 7, 20, &part, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    assert_ok(lochan_view__init(&view, &schema, &part, &err));
    for (int64_t i = 19; i >= 0; i--)
        assert_ok(lochan_builder__copy(b, &view, i, &err));
    lochan_view__deinit(&view);
    finish(b, &schema, &copy);
    for (int64_t i = 0; i < 20; i++) {
        char expected[8192];
        strcpy(expected, sample_json(&schema, &part, 19 - i));
        assert_string_equal(sample_json(&schema, &copy, i), expected);
    }
    lochan_array__release(&part);
    lochan_array__release(&copy);
    lochan_shared__unref(shared);
    lochan_schema__release(&schema);
}

static void test_builder__copies_text_between_layouts(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema from_schema;
    struct ArrowSchema to_schema;
    struct ArrowArray from;
    struct ArrowArray to;
    lochan_builder *b;
    lochan_view view;
    lochan_type index = sample_type("i");
    lochan_type text = sample_type("vu");
    assert_ok(lochan_schema__set_dictionary(&from_schema, "x", &index, &text, true, &err));
    assert_ok(lochan_builder__create(&from_schema, &b, &err));
    assert_ok(lochan_builder__str(b, LOCHAN_STR("a text of more than twelve"), &err));
    assert_ok(lochan_builder__null(b, &err));
    finish(b, &from_schema, &from);
    sample_one("U", &to_schema, &b);
    assert_ok(lochan_view__init(&view, &from_schema, &from, &err));
    assert_ok(lochan_builder__copy(b, &view, 0, &err));
    assert_ok(lochan_builder__copy(b, &view, 1, &err));
    finish(b, &to_schema, &to);
    assert_string_equal(sample_json(&to_schema, &to, 0), "\"a text of more than twelve\"");
    assert_string_equal(sample_json(&to_schema, &to, 1), "null");
    lochan_array__release(&to);
    lochan_schema__release(&to_schema);
    sample_one("i", &to_schema, &b);
    assert_status(lochan_builder__copy(b, &view, 0, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_builder__free(b);
    lochan_view__deinit(&view);
    lochan_array__release(&from);
    lochan_schema__release(&from_schema);
    lochan_schema__release(&to_schema);
}

static lochan_status sweep_body(void *ctx, lochan_error *err) {
    (void)ctx;
    struct ArrowSchema schema = {0};
    struct ArrowArray a = {0};
    lochan_status rc;
    LOCHAN_TRYG(sample_schema(&schema, err));
    LOCHAN_TRYG(sample_batch(&schema, 70, &a, err));
done:
    lochan_schema__release(&schema);
    lochan_array__release(&a);
    return rc;
}

static void test_builder__out_of_memory_leaks_nothing(void **state) {
    (void)state;
    fault_totals totals = fault_sweep(
        &(fault_case){.name = "builder", .body = sweep_body, .kinds = FAULT_OOM, .dense = 1000});
    assert_true(totals.failed > 500);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_builder__batches_are_sound_and_reusable),
        cmocka_unit_test(test_builder__validity_begins_at_the_first_null),
        cmocka_unit_test(test_builder__integers_fit_or_are_refused),
        cmocka_unit_test(test_builder__large_unsigned_numbers),
        cmocka_unit_test(test_builder__doubles_fit_or_are_refused),
        cmocka_unit_test(test_builder__wrong_kinds_are_refused),
        cmocka_unit_test(test_builder__runs_of_values),
        cmocka_unit_test(test_builder__dictionary_holds_each_value_once),
        cmocka_unit_test(test_builder__dictionary_keys_run_out),
        cmocka_unit_test(test_builder__views_fill_several_blocks),
        cmocka_unit_test(test_builder__unequal_children_are_refused),
        cmocka_unit_test(test_builder__list_items_without_an_end_are_refused),
        cmocka_unit_test(test_builder__copies_rows_of_every_type),
        cmocka_unit_test(test_builder__copies_text_between_layouts),
        cmocka_unit_test(test_builder__out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, alloc_setup, alloc_teardown);
}
