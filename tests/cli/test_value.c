/* Single values of every Arrow type as text and JSON. */
#include "support/cmocka_all.h"

#include "printers.h"

#include <limits.h>

static char *texts[8];
static int turn;

/* One value as text; the result lives for eight calls. */
static const char *show(const char *format, const struct ArrowArray *array, int64_t row,
                        lochan_cli_style style) {
    struct ArrowSchema schema = {.format = format, .name = "c"};
    lochan_cli_type *type;
    lochan_error err;
    lochan_cli_text t = {0};
    assert_ok(lochan_cli__read_type(&schema, &type, &err));
    lochan_cli__add(&t, "", 0);
    lochan_cli__add_value(&t, type, array, row, style);
    lochan_cli__free_type(type);
    turn = (turn + 1) % 8;
    free(texts[turn]);
    return texts[turn] = t.data;
}

static const char *show_values(const char *format, const void *values, int64_t row,
                               lochan_cli_style style) {
    const void *buffers[] = {NULL, values};
    struct ArrowArray array = {.length = 100, .n_buffers = 2, .buffers = buffers};
    return show(format, &array, row, style);
}

#define PLAIN(format, row, ...) show_values(format, __VA_ARGS__, row, LOCHAN_CLI_PLAIN)
#define JSON(format, row, ...)  show_values(format, __VA_ARGS__, row, LOCHAN_CLI_JSON)

static void test_value__whole_numbers(void **state) {
    assert_string_equal(PLAIN("c", 1, (int8_t[]){0, INT8_MIN}), "-128");
    assert_string_equal(PLAIN("C", 0, (uint8_t[]){UINT8_MAX}), "255");
    assert_string_equal(PLAIN("s", 0, (int16_t[]){INT16_MIN}), "-32768");
    assert_string_equal(PLAIN("S", 0, (uint16_t[]){UINT16_MAX}), "65535");
    assert_string_equal(PLAIN("i", 0, (int32_t[]){INT32_MIN}), "-2147483648");
    assert_string_equal(PLAIN("I", 0, (uint32_t[]){UINT32_MAX}), "4294967295");
    assert_string_equal(PLAIN("l", 0, (int64_t[]){INT64_MIN}), "-9223372036854775808");
    assert_string_equal(JSON("L", 0, (uint64_t[]){UINT64_MAX}), "18446744073709551615");
    assert_string_equal(PLAIN("tDm", 0, (int64_t[]){1500}), "1500");
    assert_string_equal(PLAIN("b", 9, (uint8_t[]){0, 2}), "true");
    assert_string_equal(PLAIN("b", 8, (uint8_t[]){0, 2}), "false");
}

static void test_value__floats_are_the_shortest_that_read_back(void **state) {
    static const double values[] = {
        0.1, 1.0 / 3, 1e300, 5e-324, 0.30000000000000004, 1.0851, -0.0, 123456789012345678.0};
    static const char *const expected[] = {"0.1",    "0.3333333333333333",    "1e+300",
                                           "5e-324", "0.30000000000000004",   "1.0851",
                                           "-0",     "1.2345678901234568e+17"};
    for (int i = 0; i < 8; i++) {
        const char *text = PLAIN("g", i, values);
        assert_string_equal(text, expected[i]);
        assert_true(strtod(text, NULL) == values[i]);
    }
    assert_string_equal(PLAIN("f", 0, (float[]){0.1f}), "0.1");
    assert_string_equal(PLAIN("f", 0, (float[]){16777216.f}), "16777216");
    assert_string_equal(PLAIN("e", 0, (uint16_t[]){0x3c00}), "1");
    assert_string_equal(PLAIN("e", 0, (uint16_t[]){0xc000}), "-2");
    assert_string_equal(PLAIN("e", 0, (uint16_t[]){0x7c00}), "inf");
}

static void test_value__nan_is_text_but_null_in_json(void **state) {
    static const double values[] = {(double)NAN, (double)INFINITY, (double)-INFINITY};
    assert_string_equal(PLAIN("g", 0, values), "nan");
    assert_string_equal(PLAIN("g", 1, values), "inf");
    assert_string_equal(PLAIN("g", 2, values), "-inf");
    assert_string_equal(JSON("g", 0, values), "null");
    assert_string_equal(JSON("g", 2, values), "null");
}

static void test_value__decimals_are_exact(void **state) {
    __extension__ typedef __int128 int128;
    int128 values[] = {0, 5, -5, 12345, -100000, (int128)INT64_MAX * 10};
    assert_string_equal(PLAIN("d:19,2", 0, values), "0.00");
    assert_string_equal(PLAIN("d:19,2", 1, values), "0.05");
    assert_string_equal(PLAIN("d:19,2", 2, values), "-0.05");
    assert_string_equal(PLAIN("d:19,2", 3, values), "123.45");
    assert_string_equal(PLAIN("d:19,5", 4, values), "-1.00000");
    assert_string_equal(PLAIN("d:38,0", 5, values), "92233720368547758070");
    assert_string_equal(PLAIN("d:38,-2", 3, values), "1234500");
    assert_string_equal(PLAIN("d:9,1,32", 0, (int32_t[]){-15}), "-1.5");
    assert_string_equal(PLAIN("d:18,1,64", 0, (int64_t[]){INT64_MIN}), "-922337203685477580.8");
    assert_string_equal(PLAIN("d:76,0,256", 0, (uint64_t[]){0, 0, 0, 1u << 31}),
                        "13479973333575319897333507543509815336818572211270286240551805124608");
}

static void test_value__dates_and_times(void **state) {
    assert_string_equal(PLAIN("tdD", 0, (int32_t[]){0}), "1970-01-01");
    assert_string_equal(PLAIN("tdD", 0, (int32_t[]){10595}), "1999-01-04");
    assert_string_equal(PLAIN("tdD", 0, (int32_t[]){11016}), "2000-02-29");
    assert_string_equal(PLAIN("tdD", 0, (int32_t[]){-1}), "1969-12-31");
    assert_string_equal(PLAIN("tdD", 0, (int32_t[]){-719528}), "0000-01-01");
    assert_string_equal(PLAIN("tdD", 0, (int32_t[]){2932896}), "9999-12-31");
    assert_string_equal(PLAIN("tdD", 0, (int32_t[]){INT32_MAX}), "5881580-07-11");
    assert_string_equal(PLAIN("tdm", 0, (int64_t[]){-1}), "1969-12-31");
    assert_string_equal(PLAIN("tts", 0, (int32_t[]){86399}), "23:59:59");
    assert_string_equal(PLAIN("ttn", 0, (int64_t[]){1}), "00:00:00.000000001");
    assert_string_equal(PLAIN("tsu:", 0, (int64_t[]){1}), "1970-01-01 00:00:00.000001");
    assert_string_equal(PLAIN("tsm:UTC", 0, (int64_t[]){-1}), "1969-12-31 23:59:59.999Z");
    assert_string_equal(JSON("tss:Europe/Berlin", 0, (int64_t[]){86400}),
                        "\"1970-01-02T00:00:00Z\"");
    assert_string_equal(JSON("tdD", 0, (int32_t[]){59}), "\"1970-03-01\"");
    assert_non_null(PLAIN("tsn:", 0, (int64_t[]){INT64_MIN}));
    assert_non_null(PLAIN("tss:", 0, (int64_t[]){INT64_MIN}));
    assert_non_null(PLAIN("tss:", 0, (int64_t[]){INT64_MAX}));
}

static void test_value__texts_of_every_layout(void **state) {
    static const int32_t offsets[] = {0, 2, 2, 5};
    const void *buffers[] = {NULL, offsets, "ab\"\n\xff"};
    struct ArrowArray array = {.length = 3, .n_buffers = 3, .buffers = buffers};
    assert_string_equal(show("u", &array, 0, LOCHAN_CLI_PLAIN), "ab");
    assert_string_equal(show("u", &array, 1, LOCHAN_CLI_JSON), "\"\"");
    assert_string_equal(show("u", &array, 2, LOCHAN_CLI_JSON), "\"\\\"\\n\\ufffd\"");
    assert_string_equal(show("z", &array, 2, LOCHAN_CLI_PLAIN), "220aff");
    assert_string_equal(show("z", &array, 0, LOCHAN_CLI_JSON), "\"6162\"");
    static const int64_t large[] = {0, 2};
    const void *large_buffers[] = {NULL, large, "ab"};
    struct ArrowArray large_array = {.length = 1, .n_buffers = 3, .buffers = large_buffers};
    assert_string_equal(show("U", &large_array, 0, LOCHAN_CLI_PLAIN), "ab");
    uint8_t views[32] = {2, 0, 0, 0, 'a', 'b'};
    memcpy(views + 16, (int32_t[]){14, 0, 0, 1}, 16);
    const void *view_buffers[] = {NULL, views, " a longer text", (int64_t[]){15}};
    struct ArrowArray view_array = {.length = 2, .n_buffers = 4, .buffers = view_buffers};
    assert_string_equal(show("vu", &view_array, 0, LOCHAN_CLI_PLAIN), "ab");
    view_buffers[2] = "_ a longer text";
    assert_string_equal(show("vu", &view_array, 1, LOCHAN_CLI_PLAIN), " a longer text");
    const void *fixed_buffers[] = {NULL, "abcd"};
    struct ArrowArray fixed_array = {.length = 2, .n_buffers = 2, .buffers = fixed_buffers};
    assert_string_equal(show("w:2", &fixed_array, 1, LOCHAN_CLI_PLAIN), "6364");
}

static void test_value__nulls_and_offsets(void **state) {
    const void *buffers[] = {(uint8_t[]){0x05}, (int32_t[]){1, 2, 3}};
    struct ArrowArray array = {
        .length = 2, .null_count = 1, .offset = 1, .n_buffers = 2, .buffers = buffers};
    assert_string_equal(show("i", &array, 0, LOCHAN_CLI_PLAIN), "");
    assert_string_equal(show("i", &array, 0, LOCHAN_CLI_JSON), "null");
    assert_string_equal(show("i", &array, 1, LOCHAN_CLI_PLAIN), "3");
    struct ArrowArray nothing = {.length = 2, .null_count = 2};
    assert_string_equal(show("n", &nothing, 1, LOCHAN_CLI_JSON), "null");
}

/* struct<a: list<int32>, b: dictionary of string> */
static void test_value__nested_is_json(void **state) {
    lochan_error err;
    struct ArrowSchema item = {.format = "i", .name = "item"};
    struct ArrowSchema *items[] = {&item};
    struct ArrowSchema list = {.format = "+l", .name = "a", .n_children = 1, .children = items};
    struct ArrowSchema words = {.format = "u", .name = ""};
    struct ArrowSchema coded = {.format = "c", .name = "b\"", .dictionary = &words};
    struct ArrowSchema *fields[] = {&list, &coded};
    struct ArrowSchema schema = {.format = "+s", .name = "s", .n_children = 2, .children = fields};

    const void *item_buffers[] = {(uint8_t[]){0x0d}, (int32_t[]){1, 2, 3, 4}};
    struct ArrowArray item_array = {
        .length = 4, .null_count = 1, .n_buffers = 2, .buffers = item_buffers};
    struct ArrowArray *item_arrays[] = {&item_array};
    const void *list_buffers[] = {NULL, (int32_t[]){0, 3, 3, 4}};
    struct ArrowArray list_array = {.length = 3,
                                    .n_buffers = 2,
                                    .buffers = list_buffers,
                                    .n_children = 1,
                                    .children = item_arrays};
    const void *word_buffers[] = {NULL, (int32_t[]){0, 1, 3}, "xyz"};
    struct ArrowArray word_array = {.length = 2, .n_buffers = 3, .buffers = word_buffers};
    const void *code_buffers[] = {NULL, (int8_t[]){1, 0, 1}};
    struct ArrowArray code_array = {
        .length = 3, .n_buffers = 2, .buffers = code_buffers, .dictionary = &word_array};
    struct ArrowArray *field_arrays[] = {&list_array, &code_array};
    const void *no_nulls[] = {NULL};
    struct ArrowArray array = {.length = 3,
                               .n_buffers = 1,
                               .buffers = no_nulls,
                               .n_children = 2,
                               .children = field_arrays};

    lochan_cli_type *type;
    lochan_cli_text t = {0};
    assert_ok(lochan_cli__read_type(&schema, &type, &err));
    for (int row = 0; row < 3; row++)
        lochan_cli__add_value(&t, type, &array, row, LOCHAN_CLI_PLAIN);
    assert_string_equal(t.data, "{\"a\":[1,null,3],\"b\\\"\":\"yz\"}{\"a\":[],\"b\\\"\":\"x\"}{"
                                "\"a\":[4],\"b\\\"\":\"yz\"}");
    lochan_cli__free(&t);
    lochan_cli__free_type(type);
}

static void test_value__unknown_types_are_refused(void **state) {
    static const char *const formats[] = {"",        "x",    "tsx:",  "ts",  "d:x", "d:5",
                                          "d:5,2,7", "w:-1", "+ud:0", "+vl", "tiM"};
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++) {
        struct ArrowSchema schema = {.format = formats[i], .name = "odd"};
        lochan_cli_type *type;
        lochan_error err;
        assert_status(lochan_cli__read_type(&schema, &type, &err), LOCHAN_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "'odd'"));
    }
}

static int free_texts(void **state) {
    for (int i = 0; i < 8; i++)
        free(texts[i]);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_value__whole_numbers),
        cmocka_unit_test(test_value__floats_are_the_shortest_that_read_back),
        cmocka_unit_test(test_value__nan_is_text_but_null_in_json),
        cmocka_unit_test(test_value__decimals_are_exact),
        cmocka_unit_test(test_value__dates_and_times),
        cmocka_unit_test(test_value__texts_of_every_layout),
        cmocka_unit_test(test_value__nulls_and_offsets),
        cmocka_unit_test(test_value__nested_is_json),
        cmocka_unit_test(test_value__unknown_types_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, free_texts);
}
