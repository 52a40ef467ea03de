/* test_compare.c - the order of rows: every type, nulls, directions, several batches. */
#include "arrow/kernel_sample.h"

/* texts must be in ascending order; every pair is compared. NULLs come last. */
static void ascending(const char *format, const char *const *texts, int64_t n) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_comparator *up, *down;
    column_of(format, texts, n, &schema, &batch);
    const struct ArrowArray *batches[1] = {&batch};
    lochan_sort_key key = {0, false, false};
    assert_ok(lochan_comparator__create(&schema, &key, 1, batches, 1, &up, &err));
    key.descending = key.nulls_first = true;
    assert_ok(lochan_comparator__create(&schema, &key, 1, batches, 1, &down, &err));
    for (int64_t a = 0; a < n; a++) {
        for (int64_t b = 0; b < n; b++) {
            int want = (a > b) - (a < b);
            int got = lochan_comparator__compare(up, 0, a, 0, b);
            int back = lochan_comparator__compare(down, 0, b, 0, a);
            if ((got > 0) - (got < 0) != want || (back > 0) - (back < 0) != want)
                fail_msg("%s: %s and %s compare as %d, descending %d", format, texts[a], texts[b],
                         got, back);
        }
    }
    lochan_comparator__free(up);
    lochan_comparator__free(down);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}
#define ASCENDING(format, ...)                                                                     \
    do {                                                                                           \
        const char *const texts_[] = {__VA_ARGS__};                                                \
        ascending(format, texts_, (int64_t)LOCHAN_COUNTOF(texts_));                                \
    } while (0)

static void test_compare__every_type(void **state) {
    (void)state;
    ASCENDING("b", "0", "1", NULL);
    ASCENDING("c", "-128", "-1", "0", "127", NULL);
    ASCENDING("C", "0", "127", "128", "255", NULL);
    ASCENDING("s", "-32768", "0", "32767", NULL);
    ASCENDING("S", "0", "65535", NULL);
    ASCENDING("i", "-2147483648", "-5", "2147483647", NULL);
    ASCENDING("I", "0", "4294967295", NULL);
    ASCENDING("l", "-9223372036854775808", "0", "9223372036854775807", NULL);
    ASCENDING("L", "0", "9223372036854775808", "18446744073709551615", NULL);
    ASCENDING("e", "-inf", "-1", "0", "0.5", "inf", "nan", NULL);
    ASCENDING("f", "-inf", "-1", "0", "0.5", "inf", "nan", NULL);
    ASCENDING("g", "-inf", "-1e300", "0", "1e-300", "inf", "nan", NULL);
    ASCENDING("d:20,4", "-5", "0", "7", NULL);
    ASCENDING("d:50,10,256", "-5", "0", "7", NULL);
    ASCENDING("u", "", "A", "AA", "B", "\xc3\xa4", "\xff", NULL);
    ASCENDING("U", "", "A", "AA", "B", NULL);
    ASCENDING("vu", "", "A", "a long text of many bytes", "a long text of many bytez", NULL);
    ASCENDING("z", "", "A", "AA", NULL);
    ASCENDING("w:2", "AA", "AB", "BA", NULL);
    ASCENDING("tdD", "-3", "0", "20000", NULL);
    ASCENDING("tdm", "-86400000", "0", "86400000", NULL);
    ASCENDING("tts", "0", "86399", NULL);
    ASCENDING("ttn", "0", "86399000000000", NULL);
    ASCENDING("tsn:UTC", "-1", "0", "1", NULL);
    ASCENDING("tDs", "-1", "0", "1", NULL);
}

static void test_compare__zeros_and_nans_are_equal(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_comparator *c;
    column_of("g", (const char *[]){"-0.0", "0.0", "nan", "-nan", NULL, NULL}, 6, &schema, &batch);
    const struct ArrowArray *batches[2] = {&batch, &batch};
    lochan_sort_key key = {0, false, false};
    assert_ok(lochan_comparator__create(&schema, &key, 1, batches, 2, &c, &err));
    for (int64_t i = 0; i < 6; i += 2)
        assert_int_equal(lochan_comparator__compare(c, 0, i, 1, i + 1), 0);
    lochan_comparator__free(c);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static void test_compare__dictionaries_of_two_batches(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in[2];
    const struct ArrowArray *batches[2] = {&in[0], &in[1]};
    lochan_comparator *c;
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 0, 9, &in[0]); /* words 0 1 2 0 1 2: v0, v2 short, value 1 long */
    sample_slice(&schema, 1, 9, &in[1]);
    lochan_sort_key key = {lochan_schema__find(&schema, "word"), false, false};
    assert_ok(lochan_comparator__create(&schema, &key, 1, batches, 2, &c, &err));
    for (int64_t i = 0; i < 8; i++)
        assert_int_equal(lochan_comparator__compare(c, 0, i + 1, 1, i), 0);
    assert_true(lochan_comparator__compare(c, 0, 0, 1, 1) < 0); /* "v0", "v2" */
    assert_true(lochan_comparator__compare(c, 0, 3, 1, 1) > 0); /* null is last */
    lochan_comparator__free(c);
    key.column = lochan_schema__find(&schema, "list");
    assert_status(lochan_comparator__create(&schema, &key, 1, batches, 2, &c, &err),
                  LOCHAN_ERR_UNSUPPORTED);
    assert_string_equal(err.column, "list");
    key.column = 4000;
    assert_status(lochan_comparator__create(&schema, &key, 1, batches, 2, &c, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(c);
    lochan_array__release(&in[0]);
    lochan_array__release(&in[1]);
    lochan_schema__release(&schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_compare__every_type),
        cmocka_unit_test(test_compare__zeros_and_nans_are_equal),
        cmocka_unit_test(test_compare__dictionaries_of_two_batches),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
