/* test_view.c - reading, printing and JSON of single values. */
#include "arrow/sample.h"
#include "support/alloc.h"
#include "support/fault.h"
#include <math.h>

/* A column of one int64-like value of the format, as text and as JSON. */
static void expect_int(const char *format, int64_t v, const char *text, const char *json) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_builder *b;
    lochan_view view;
    lochan_buf out;
    sample_one(format, &schema, &b);
    assert_ok(lochan_builder__null(b, &err));
    assert_ok(lochan_builder__int64(b, v, &err));
    assert_ok(lochan_builder__finish(b, &a, &err));
    lochan_builder__free(b);
    assert_ok(lochan_view__init(&view, &schema, &a, &err));
    lochan_buf__init(&out, 1000);
    assert_ok(lochan_view__print(&view, 0, &out, &err));
    assert_int_equal(out.len, 0);
    assert_ok(lochan_view__print(&view, 1, &out, &err));
    assert_string_equal((char *)out.data, text);
    lochan_buf__deinit(&out);
    assert_string_equal(sample_json(&schema, &a, 1), json);
    assert_string_equal(sample_json(&schema, &a, 0), "null");
    lochan_view__deinit(&view);
    lochan_array__release(&a);
    lochan_schema__release(&schema);
}

static void test_view__integers_and_bools(void **state) {
    (void)state;
    expect_int("b", 1, "true", "true");
    expect_int("b", 0, "false", "false");
    expect_int("c", -128, "-128", "-128");
    expect_int("C", 255, "255", "255");
    expect_int("s", -32768, "-32768", "-32768");
    expect_int("S", 65535, "65535", "65535");
    expect_int("I", 4294967295, "4294967295", "4294967295");
    expect_int("l", INT64_MIN, "-9223372036854775808", "-9223372036854775808");
    expect_int("l", INT64_MAX, "9223372036854775807", "9223372036854775807");
}

static void test_view__dates(void **state) {
    (void)state;
    expect_int("tdD", 0, "1970-01-01", "\"1970-01-01\"");
    expect_int("tdD", -719162, "0001-01-01", "\"0001-01-01\"");
    expect_int("tdD", 2932896, "9999-12-31", "\"9999-12-31\"");
    expect_int("tdD", 2932897, "2932897", "\"2932897\"");
    expect_int("tdD", INT32_MIN, "-2147483648", "\"-2147483648\"");
    expect_int("tdm", 86400000, "1970-01-02", "\"1970-01-02\"");
    expect_int("tdm", -1, "1969-12-31T23:59:59.999", "\"1969-12-31T23:59:59.999\"");
    expect_int("tdm", INT64_MIN, "-9223372036854775808", "\"-9223372036854775808\"");
}

static void test_view__timestamps(void **state) {
    (void)state;
    expect_int("tss:", 1, "1970-01-01T00:00:01", "\"1970-01-01T00:00:01\"");
    expect_int("tsm:UTC", -1, "1969-12-31T23:59:59.999Z", "\"1969-12-31T23:59:59.999Z\"");
    expect_int("tsu:Europe/Paris", 1500000, "1970-01-01T00:00:01.500000Z",
               "\"1970-01-01T00:00:01.500000Z\"");
    expect_int("tsn:+05:30", 1, "1970-01-01T05:30:00.000000001+05:30",
               "\"1970-01-01T05:30:00.000000001+05:30\"");
    expect_int("tss:-0800", 0, "1969-12-31T16:00:00-08:00", "\"1969-12-31T16:00:00-08:00\"");
    expect_int("tss:+00:00", 0, "1970-01-01T00:00:00+00:00", "\"1970-01-01T00:00:00+00:00\"");
    expect_int("tss:+99:99", 0, "1970-01-01T00:00:00Z", "\"1970-01-01T00:00:00Z\"");
    expect_int("tsn:", INT64_MIN, "1677-09-21T00:12:43.145224192",
               "\"1677-09-21T00:12:43.145224192\"");
    expect_int("tsn:", INT64_MAX, "2262-04-11T23:47:16.854775807",
               "\"2262-04-11T23:47:16.854775807\"");
    expect_int("tss:+01:00", INT64_MAX, "9223372036854775807", "\"9223372036854775807\"");
    expect_int("tsu:", INT64_MIN, "-9223372036854775808", "\"-9223372036854775808\"");
}

static void test_view__times_and_durations(void **state) {
    (void)state;
    expect_int("tts", 86399, "23:59:59", "\"23:59:59\"");
    expect_int("ttm", 1, "00:00:00.001", "\"00:00:00.001\"");
    expect_int("ttu", 3600000000, "01:00:00.000000", "\"01:00:00.000000\"");
    expect_int("ttn", 86400000000000 - 1, "23:59:59.999999999", "\"23:59:59.999999999\"");
    expect_int("tts", 86400, "86400", "\"86400\"");
    expect_int("tts", -1, "-1", "\"-1\"");
    expect_int("tDm", 1500, "1500ms", "\"1500ms\"");
    expect_int("tDs", -3, "-3s", "\"-3s\"");
}

static void test_view__decimals_are_exact(void **state) {
    (void)state;
    expect_int("d:20,0", -42, "-42", "-42");
    expect_int("d:20,4", 12, "12.0000", "12.0000");
    expect_int("d:38,19", INT64_MIN, "-9223372036854775808.0000000000000000000",
               "-9223372036854775808.0000000000000000000");
    expect_int("d:20,-3", 12000, "12000", "12000");
    expect_int("d:76,50,256", -7, "-7.00000000000000000000000000000000000000000000000000",
               "-7.00000000000000000000000000000000000000000000000000");
}

static void expect_double(const char *format, double v, const char *text, const char *json) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_builder *b;
    lochan_view view;
    lochan_buf out;
    sample_one(format, &schema, &b);
    assert_ok(lochan_builder__double(b, v, &err));
    assert_ok(lochan_builder__finish(b, &a, &err));
    lochan_builder__free(b);
    assert_ok(lochan_view__init(&view, &schema, &a, &err));
    lochan_buf__init(&out, 1000);
    assert_ok(lochan_view__print(&view, 0, &out, &err));
    assert_string_equal((char *)out.data, text);
    lochan_buf__deinit(&out);
    assert_string_equal(sample_json(&schema, &a, 0), json);
    lochan_view__deinit(&view);
    lochan_array__release(&a);
    lochan_schema__release(&schema);
}

static void test_view__floats_in_their_shortest_form(void **state) {
    (void)state;
    expect_double("g", 0.1, "0.1", "0.1");
    expect_double("g", 1.0 / 3, "0.3333333333333333", "0.3333333333333333");
    expect_double("f", (double)0.1f, "0.1", "0.1");
    expect_double("f", (double)16777216.0f, "16777216", "16777216");
    expect_double("f", (double)1.0e-45f, "1e-45", "1e-45");
    expect_double("f", (double)3.4028235e38f, "3.4028235e38", "3.4028235e38");
    expect_double("e", 0.5, "0.5", "0.5");
    expect_double("e", 65504, "65504", "65504");
    expect_double("g", (double)INFINITY, "inf", "null");
    expect_double("f", (double)NAN, "nan", "null");
    expect_double("e", (double)-INFINITY, "-inf", "null");
    expect_double("d:10,2", 12.34, "12.34", "12.34");
    expect_double("d:10,2", -0.05, "-0.05", "-0.05");
}

/* Digits of a number less the zeros at both ends. */
static int significant(const char *text) {
    int digits = 0;
    int zeros = 0;
    for (; *text && *text != 'e'; text++) {
        zeros = *text == '0' ? zeros + 1 : *text >= '1' && *text <= '9' ? 0 : zeros;
        digits += (*text >= '1' && *text <= '9') || (digits > 0 && *text == '0');
    }
    return digits - (digits > zeros ? zeros : digits);
}

/* Every float reads back as itself, and no number has more digits than it needs. */
static void test_view__floats_read_back(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_builder *b;
    lochan_view view;
    lochan_buf out;
    uint32_t bits = 12345;
    sample_one("f", &schema, &b);
    for (int i = 0; i < 20000; i++) {
        float v;
        bits = bits * 1664525u + 1013904223u;
        memcpy(&v, &bits, sizeof v);
        if (i % 2)
            v = (float)(bits % 2000000) / 100;
        assert_ok(lochan_builder__double(b, (double)v, &err));
    }
    assert_ok(lochan_builder__finish(b, &a, &err));
    lochan_builder__free(b);
    assert_ok(lochan_view__init(&view, &schema, &a, &err));
    lochan_buf__init(&out, 100);
    for (int i = 0; i < 20000; i++) {
        float v = ((const float *)a.buffers[1])[i];
        double back;
        lochan_buf__clear(&out);
        assert_ok(lochan_view__print(&view, i, &out, &err));
        assert_true(lochan_parse__double((char *)out.data, out.len, true, &back));
        assert_true((float)back == v || isnan(v));
        assert_true(significant((char *)out.data) <= 9);
        if (i % 2 && v < 10000) /* two digits behind the point are enough */
            assert_true(out.len <= 7);
    }
    lochan_buf__deinit(&out);
    lochan_view__deinit(&view);
    lochan_array__release(&a);
    lochan_schema__release(&schema);
}

static const char *one_row_json(const char *format, const char *bytes, size_t n) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_builder *b;
    sample_one(format, &schema, &b);
    assert_ok(lochan_builder__bytes_value(b, bytes, n, &err));
    assert_ok(lochan_builder__finish(b, &a, &err));
    lochan_builder__free(b);
    const char *json = sample_json(&schema, &a, 0);
    lochan_array__release(&a);
    lochan_schema__release(&schema);
    return json;
}

static void test_view__text_and_binary(void **state) {
    (void)state;
    static const char *const texts[] = {"u", "U", "vu"};
    static const char *const binaries[] = {"z", "Z", "vz", "w:2"};
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(one_row_json(texts[i], "a\"b", 3), "\"a\\\"b\"");
        assert_string_equal(one_row_json(texts[i], "", 0), "\"\"");
        assert_string_equal(one_row_json(texts[i], NULL, 0), "\"\"");
        assert_string_equal(one_row_json(texts[i], "more than twelve", 16), "\"more than twelve\"");
    }
    for (size_t i = 0; i < 4; i++)
        assert_string_equal(one_row_json(binaries[i], "\x00\xfe", 2), "\"00fe\"");
}

static void test_view__nested_values_as_json(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    assert_ok(sample_schema(&schema, &err));
    assert_ok(sample_batch(&schema, 10, &a, &err));
    struct ArrowSchema **s = schema.children + SAMPLE_FLAT;
    struct ArrowArray **c = a.children + SAMPLE_FLAT;
    assert_string_equal(sample_json(s[0], c[0], 0), "[]");
    assert_string_equal(sample_json(s[0], c[0], 2), "[\"v2\",null]");
    assert_string_equal(sample_json(s[1], c[1], 6), "[{\"x\":3},{\"x\":3.5}]");
    assert_string_equal(sample_json(s[2], c[2], 4), "[4,5]");
    assert_string_equal(sample_json(s[2], c[2], 3), "null");
    assert_string_equal(sample_json(s[3], c[3], 4), "{\"a\":4,\"b\":\"v4\"}");
    assert_string_equal(sample_json(s[4], c[4], 2),
                        "{\"v2\":2,\"value 3 of some length \xc3\xa4\":null}");
    assert_string_equal(sample_json(s[5], c[5], 4), "\"v1\"");
    assert_string_equal(sample_json(s[6], c[6], 5), "\"1970-01-06\"");
    lochan_array__release(&a);
    lochan_schema__release(&schema);
}

static void test_view__reads_numbers_of_every_width(void **state) {
    (void)state;
    static const char *const formats[] = {"c", "C", "s", "S", "i",      "I",          "l",
                                          "L", "e", "f", "g", "d:20,4", "d:50,10,256"};
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(formats); i++) {
        struct ArrowSchema schema;
        struct ArrowArray a;
        lochan_builder *b;
        lochan_view view;
        sample_one(formats[i], &schema, &b);
        assert_ok(lochan_builder__int64(b, 77, &err));
        assert_ok(lochan_builder__finish(b, &a, &err));
        lochan_builder__free(b);
        assert_ok(lochan_view__init(&view, &schema, &a, &err));
        assert_true(lochan_view__double(&view, 0) == 77);
        if (i < 8)
            assert_int_equal(lochan_view__int64(&view, 0), 77);
        lochan_view__deinit(&view);
        lochan_array__release(&a);
        lochan_schema__release(&schema);
    }
}

static void test_view__dictionaries_are_followed(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    lochan_view view;
    assert_ok(sample_schema(&schema, &err));
    assert_ok(sample_batch(&schema, 10, &a, &err));
    int word = lochan_schema__find(&schema, "word");
    assert_ok(lochan_view__init(&view, schema.children[word], a.children[word], &err));
    assert_int_equal(view.type.id, LOCHAN_TYPE_STRING);
    assert_int_equal(view.index_id, LOCHAN_TYPE_INT8);
    assert_true(lochan_view__is_null(&view, 3));
    assert_false(lochan_view__is_null(&view, 4));
    assert_true(lochan_str__eq(lochan_view__bytes(&view, 4), LOCHAN_STR("v1")));
    lochan_view__deinit(&view);
    int day = lochan_schema__find(&schema, "day");
    assert_ok(lochan_view__init(&view, schema.children[day], a.children[day], &err));
    assert_int_equal(lochan_view__int64(&view, 9), 9);
    assert_true(lochan_view__double(&view, 9) == 9);
    lochan_view__deinit(&view);
    /* a null among the values makes the row null */
    struct ArrowArray *values = a.children[day]->dictionary;
    uint8_t bits[8] = {0xfe};
    values->buffers[0] = bits;
    values->null_count = 1;
    assert_ok(lochan_view__init(&view, schema.children[day], a.children[day], &err));
    assert_true(lochan_view__is_null(&view, 0));
    assert_string_equal(sample_json(schema.children[day], a.children[day], 0), "null");
    lochan_view__deinit(&view);
    lochan_array__release(&a);
    lochan_schema__release(&schema);
}

static void test_view__schema_of_another_array_is_refused(void **state) {
    (void)state;
    lochan_error err;
    lochan_view view;
    struct ArrowSchema schema;
    struct ArrowArray a;
    assert_ok(sample_schema(&schema, &err));
    assert_ok(sample_batch(&schema, 3, &a, &err));
    int text = lochan_schema__find(&schema, "u");
    int number = lochan_schema__find(&schema, "i");
    int word = lochan_schema__find(&schema, "word");
    assert_status(lochan_view__init(&view, schema.children[text], a.children[number], &err),
                  LOCHAN_ERR_DATA);
    assert_status(lochan_view__init(&view, schema.children[word], a.children[number], &err),
                  LOCHAN_ERR_DATA);
    assert_status(lochan_view__init(&view, &schema, a.children[number], &err), LOCHAN_ERR_DATA);
    lochan_array__release(&a);
    assert_status(lochan_view__init(&view, &schema, &a, &err), LOCHAN_ERR_DATA);
    lochan_schema__release(&schema);
}

static void test_view__bits_are_counted_from_any_place(void **state) {
    (void)state;
    uint8_t bits[40];
    for (size_t i = 0; i < sizeof bits; i++)
        bits[i] = (uint8_t)(i * 37);
    for (int64_t from = 0; from < 80; from++) {
        int64_t expected = 0;
        for (int64_t n = 0; n < 200; n++) {
            assert_int_equal(lochan_bit__count(bits, from, n), expected);
            expected += lochan_bit__get(bits, from + n);
        }
    }
}

typedef struct sweep_state {
    struct ArrowSchema schema;
    struct ArrowArray batch;
} sweep_state;

static lochan_status sweep_body(void *ctx, lochan_error *err) {
    sweep_state *s = ctx;
    lochan_view view;
    lochan_buf out;
    lochan_buf__init(&out, 1 << 20);
    LOCHAN_TRY(lochan_view__init(&view, &s->schema, &s->batch, err));
    lochan_status rc = lochan_view__json(&view, 4, &out, err);
    lochan_view__deinit(&view);
    lochan_buf__deinit(&out);
    return rc;
}

static void sweep_prep(void *ctx) {
    sweep_state *s = ctx;
    lochan_error err;
    assert_ok(sample_schema(&s->schema, &err));
    assert_ok(sample_batch(&s->schema, 6, &s->batch, &err));
}

static void sweep_check(void *ctx, lochan_status rc) {
    (void)rc;
    sweep_state *s = ctx;
    lochan_array__release(&s->batch);
    lochan_schema__release(&s->schema);
}

static void test_view__out_of_memory_leaks_nothing(void **state) {
    (void)state;
    sweep_state s;
    fault_totals totals = fault_sweep(&(fault_case){.name = "view",
                                                    .prep = sweep_prep,
                                                    .body = sweep_body,
                                                    .check = sweep_check,
                                                    .ctx = &s,
                                                    .kinds = FAULT_OOM});
    assert_true(totals.failed > 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_view__integers_and_bools),
        cmocka_unit_test(test_view__dates),
        cmocka_unit_test(test_view__timestamps),
        cmocka_unit_test(test_view__times_and_durations),
        cmocka_unit_test(test_view__decimals_are_exact),
        cmocka_unit_test(test_view__floats_in_their_shortest_form),
        cmocka_unit_test(test_view__floats_read_back),
        cmocka_unit_test(test_view__text_and_binary),
        cmocka_unit_test(test_view__nested_values_as_json),
        cmocka_unit_test(test_view__reads_numbers_of_every_width),
        cmocka_unit_test(test_view__dictionaries_are_followed),
        cmocka_unit_test(test_view__schema_of_another_array_is_refused),
        cmocka_unit_test(test_view__bits_are_counted_from_any_place),
        cmocka_unit_test(test_view__out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, alloc_setup, alloc_teardown);
}
