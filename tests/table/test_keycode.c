/* test_keycode.c - codes of keys order as the comparator does. */
#include "table/keycode.h"

#include "arrow/builder.h"
#include "support/cmocka_all.h"

/* Builds one column of values given as text, and asserts that codes and comparator agree on every
 * pair. */
static void check_type(const char *type_name, const char *const *values, size_t n) {
    lochan_error err;
    lochan_type type;
    struct ArrowSchema schema, text_schema;
    struct ArrowArray text, column, rows;
    lochan_builder *b;
    lochan_type string = {.id = LOCHAN_TYPE_STRING};
    lochan_sort_key key = {.nulls_first = true};
    assert_ok(lochan_type__from_name(type_name, &type, &err));
    assert_true(lochan_keycode__supports(&type));
    assert_ok(lochan_schema__init_struct(&schema, 1, &err));
    assert_ok(lochan_schema__set_field(schema.children[0], "k", &type, true, &err));
    memset(&text_schema, 0, sizeof text_schema);
    assert_ok(lochan_schema__set_field(&text_schema, "k", &string, true, &err));
    assert_ok(lochan_builder__create(&text_schema, &b, &err));
    for (size_t i = 0; i < n; i++) {
        if (values[i])
            assert_ok(lochan_builder__bytes_value(b, values[i], strlen(values[i]), &err));
        else
            assert_ok(lochan_builder__null(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &text, &err));
    lochan_builder__free(b);
    assert_ok(lochan_cast(&text_schema, &text, schema.children[0], &column, &err));
    assert_ok(lochan_array__init(&rows, 1, 1, &err));
    rows.length = (int64_t)n;
    lochan_array__move(&column, rows.children[0]);

    const struct ArrowArray *batch = &rows;
    lochan_comparator *cmp;
    lochan_keycode codes;
    lochan_buf a, c;
    lochan_buf__init(&a, 1 << 16);
    lochan_buf__init(&c, 1 << 16);
    assert_ok(lochan_comparator__create(&schema, &key, 1, &batch, 1, &cmp, &err));
    assert_ok(lochan_keycode__init(&codes, &schema, &rows, &key, 1, &err));
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < n; j++) {
            assert_ok(lochan_keycode__encode(&codes, (int64_t)i, &a, &err));
            assert_ok(lochan_keycode__encode(&codes, (int64_t)j, &c, &err));
            int got = lochan_keycode__compare((lochan_str){(char *)a.data, a.len},
                                              (lochan_str){(char *)c.data, c.len});
            int expected = lochan_comparator__compare(cmp, 0, (int64_t)i, 0, (int64_t)j);
            assert_int_equal((got > 0) - (got < 0), (expected > 0) - (expected < 0));
        }
    }
    lochan_buf__deinit(&a);
    lochan_buf__deinit(&c);
    lochan_keycode__deinit(&codes);
    lochan_comparator__free(cmp);
    lochan_array__release(&rows);
    lochan_array__release(&text);
    lochan_schema__release(&schema);
    lochan_schema__release(&text_schema);
}

static void test_keycode__orders_as_the_comparator(void **state) {
    static const char *const text[] = {NULL, "",         "a",  "b",    "ab",
                                       "a ", "\xc3\xa9", "aa", "\x01", "zzzzzzzzzzzzzzzzzzz"};
    static const char *const ints[] = {NULL, "0", "-1", "1", "127", "-128", "100", "-100", "0"};
    static const char *const longs[] = {
        "9223372036854775807", "-9223372036854775808", "0", "-1", "256", "65536"};
    static const char *const unsigned_longs[] = {"18446744073709551615", "0", "9223372036854775808",
                                                 "1"};
    static const char *const days[] = {"1969-12-31", "1970-01-01", "2024-02-29",
                                       "0001-01-01", "9999-12-31", NULL};
    static const char *const times[] = {"1969-12-31 23:59:59", "1970-01-01 00:00:00",
                                        "2024-02-29 10:00:00.5"};
    static const char *const floats[] = {"0",      "-0.0", "1.5",  "-1.5", "1e300",
                                         "-1e300", "inf",  "-inf", "nan",  NULL};
    static const char *const decimals[] = {"0.00", "-0.01", "12.50", "-12.50", "99999999.99", NULL};
    (void)state;
    check_type("string", text, LOCHAN_COUNTOF(text));
    check_type("int8", ints, LOCHAN_COUNTOF(ints));
    check_type("int32", ints, LOCHAN_COUNTOF(ints));
    check_type("int64", longs, LOCHAN_COUNTOF(longs));
    check_type("uint64", unsigned_longs, LOCHAN_COUNTOF(unsigned_longs));
    check_type("date", days, LOCHAN_COUNTOF(days));
    check_type("timestamp[us]", times, LOCHAN_COUNTOF(times));
    check_type("float64", floats, LOCHAN_COUNTOF(floats));
    check_type("decimal(10,2)", decimals, LOCHAN_COUNTOF(decimals));
}

/* The form is on disk for ever. */
static void test_keycode__form_is_fixed(void **state) {
    static const uint8_t expected[] = {1, 0x80, 0, 0,    0,   0, 0, 0x4d, 0x0a,
                                       1, 'a',  0, 0xFF, 'b', 0, 0, 0};
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray rows;
    lochan_builder *b;
    lochan_keycode codes;
    lochan_buf out;
    lochan_type date = {.id = LOCHAN_TYPE_DATE32}, text = {.id = LOCHAN_TYPE_STRING},
                flag = {.id = LOCHAN_TYPE_BOOL};
    lochan_sort_key keys[] = {{.column = 0}, {.column = 1}, {.column = 2}};
    (void)state;
    assert_ok(lochan_schema__init_struct(&schema, 3, &err));
    assert_ok(lochan_schema__set_field(schema.children[0], "d", &date, true, &err));
    assert_ok(lochan_schema__set_field(schema.children[1], "t", &text, true, &err));
    assert_ok(lochan_schema__set_field(schema.children[2], "f", &flag, true, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), 0x4d0a, &err));
    assert_ok(lochan_builder__bytes_value(lochan_builder__child(b, 1), "a\0b", 3, &err));
    assert_ok(lochan_builder__null(lochan_builder__child(b, 2), &err));
    assert_ok(lochan_builder__end_row(b, &err));
    assert_ok(lochan_builder__finish(b, &rows, &err));
    lochan_buf__init(&out, 1 << 16);
    assert_ok(lochan_keycode__init(&codes, &schema, &rows, keys, 3, &err));
    assert_ok(lochan_keycode__encode(&codes, 0, &out, &err));
    assert_int_equal(out.len, sizeof expected);
    assert_memory_equal(out.data, expected, sizeof expected);
    lochan_keycode__deinit(&codes);
    lochan_buf__deinit(&out);
    lochan_array__release(&rows);
    lochan_builder__free(b);
    lochan_schema__release(&schema);
}

static void test_keycode__long_keys_are_refused(void **state) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray rows;
    lochan_builder *b;
    lochan_keycode codes;
    lochan_buf out;
    lochan_type text = {.id = LOCHAN_TYPE_STRING};
    lochan_sort_key key = {0};
    char *bytes = calloc(1, 100000);
    (void)state;
    assert_ok(lochan_schema__init_struct(&schema, 1, &err));
    assert_ok(lochan_schema__set_field(schema.children[0], "t", &text, true, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    static const size_t sizes[] = {4000, 4094, 5000, 100000};
    for (size_t i = 0; i < LOCHAN_COUNTOF(sizes); i++) {
        memset(bytes, 'x', sizes[i]);
        assert_ok(lochan_builder__bytes_value(lochan_builder__child(b, 0), bytes, sizes[i], &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &rows, &err));
    lochan_buf__init(&out, LOCHAN_KEYCODE_MAX * 4);
    assert_ok(lochan_keycode__init(&codes, &schema, &rows, &key, 1, &err));
    assert_ok(lochan_keycode__encode(&codes, 0, &out, &err));
    for (int64_t i = 1; i < 4; i++) {
        assert_status(lochan_keycode__encode(&codes, i, &out, &err), LOCHAN_ERR_VALUE);
        assert_int_equal(err.row, i);
    }
    lochan_keycode__deinit(&codes);
    lochan_buf__deinit(&out);
    lochan_array__release(&rows);
    lochan_builder__free(b);
    lochan_schema__release(&schema);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keycode__orders_as_the_comparator),
        cmocka_unit_test(test_keycode__form_is_fixed),
        cmocka_unit_test(test_keycode__long_keys_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
