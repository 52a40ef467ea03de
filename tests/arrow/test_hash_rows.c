/* test_hash_rows.c - row hashes: their definition, pinned values, the same for every layout. */
#include "arrow/kernel_sample.h"

/* Hash of row `row` of column x as hex. */
static const char *hash_of(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                           int column, int64_t row) {
    static char hex[4][33];
    static int turn;
    lochan_error err;
    lochan_hash128 *hashes = lochan_mem__array((size_t)batch->length, sizeof *hashes);
    assert_ok(lochan_hash_rows(schema, batch, &column, 1, hashes, &err));
    turn = (turn + 1) % 4;
    lochan_hash128__hex(hashes[row], hex[turn]);
    lochan_mem__free(hashes);
    return hex[turn];
}

static const char *hash_text(const char *format, const char *text) {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    column_of(format, &text, 1, &schema, &batch);
    const char *hex = hash_of(&schema, &batch, 0, 0);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    return hex;
}

/* These values are stored in lakes. If this test fails, the code is wrong, not the test. */
static void test_hash_rows__pinned(void **state) {
    (void)state;
    static const struct {
        const char *format, *text, *hex;
    } cases[] = {
        {"i", NULL, "a6cd5e9392000f6ac44bdff4074eecdb"},
        {"n", NULL, "a6cd5e9392000f6ac44bdff4074eecdb"},
        {"u", NULL, "a6cd5e9392000f6ac44bdff4074eecdb"},
        {"b", "1", "4bf11acb9ef8ce739a0670b0dfa048f0"},
        {"c", "1", "4bf11acb9ef8ce739a0670b0dfa048f0"},
        {"l", "1", "4bf11acb9ef8ce739a0670b0dfa048f0"},
        {"L", "1", "4bf11acb9ef8ce739a0670b0dfa048f0"},
        {"tdD", "1", "4bf11acb9ef8ce739a0670b0dfa048f0"},
        {"tsn:UTC", "1", "4bf11acb9ef8ce739a0670b0dfa048f0"},
        {"i", "-1", "c8376ffe4131faf5893fd9db86b0c612"},
        {"l", "-1", "c8376ffe4131faf5893fd9db86b0c612"},
        {"L", "18446744073709551615", "c8376ffe4131faf5893fd9db86b0c612"},
        {"e", "1.5", "29e4828d0270e51aa6e14b5d3d7b2de0"},
        {"f", "1.5", "29e4828d0270e51aa6e14b5d3d7b2de0"},
        {"g", "1.5", "29e4828d0270e51aa6e14b5d3d7b2de0"},
        {"f", "-0.0", "fa3f5392c40387fb428516d12156e7b6"},
        {"g", "0.0", "fa3f5392c40387fb428516d12156e7b6"},
        {"f", "nan", "b6208a817740aa049d90c95f8d711d09"},
        {"g", "-nan", "b6208a817740aa049d90c95f8d711d09"},
        {"d:20,4", "7", "e4721bb5250f9e181a59127a8772f8ed"},
        {"u", "EUR", "281d45efc595728d481ca60b68cb9b8b"},
        {"U", "EUR", "281d45efc595728d481ca60b68cb9b8b"},
        {"vu", "EUR", "281d45efc595728d481ca60b68cb9b8b"},
        {"z", "EUR", "281d45efc595728d481ca60b68cb9b8b"},
        {"w:3", "EUR", "281d45efc595728d481ca60b68cb9b8b"},
        {"u", "", "fa3f5392c40387fb428516d12156e7b6"},
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        const char *hex = hash_text(cases[i].format, cases[i].text);
        if (strcmp(hex, cases[i].hex) != 0)
            fail_msg("%s %s hashes to %s, not %s", cases[i].format,
                     cases[i].text ? cases[i].text : "null", hex, cases[i].hex);
    }
}

/* The definition in hash_rows.c, written out by hand for one row. */
static void test_hash_rows__is_the_hash_of_the_encoding(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_hash128 got[5], want;
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 0, 5, &batch);
    int columns[] = {lochan_schema__find(&schema, "i"),      lochan_schema__find(&schema, "u"),
                     lochan_schema__find(&schema, "n"),      lochan_schema__find(&schema, "list"),
                     lochan_schema__find(&schema, "struct"), lochan_schema__find(&schema, "pair")};
    assert_ok(lochan_hash_rows(&schema, &batch, columns, 6, got, &err));
    static const uint8_t row2[] = "\1\2\0\0\0\0\0\0\0"     /* 2 */
                                  "\1\2\0\0\0\0\0\0\0v2"   /* "v2" */
                                  "\0"                     /* null */
                                  "\1\2\0\0\0\0\0\0\0"     /* two items: row 3 is null */
                                  "\1\2\0\0\0\0\0\0\0v2\0" /* "v2", null */
                                  "\1\1\2\0\0\0\0\0\0\0"   /* struct, a = 2 */
                                  "\1\2\0\0\0\0\0\0\0v2"   /* b = "v2" */
                                  "\1\2\0\0\0\0\0\0\0"     /* fixed list of two */
                                  "\1\2\0\0\0\0\0\0\0\0";  /* 2, null */
    want = lochan_hash__128(row2, sizeof row2 - 1);
    assert_true(got[2].lo == want.lo && got[2].hi == want.hi);
    want = lochan_hash__128("", 0);
    assert_ok(lochan_hash_rows(&schema, &batch, NULL, 0, got, &err));
    assert_true(got[4].lo == want.lo && got[4].hi == want.hi);
    columns[0] = 1000;
    assert_status(lochan_hash_rows(&schema, &batch, columns, 1, got, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static void test_hash_rows__offsets_and_dictionaries(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray whole, part;
    enum { N = 700 };
    assert_ok(sample_schema(&schema, &err));
    int n = (int)schema.n_children, columns[64];
    for (int i = 0; i < n; i++)
        columns[i] = i;
    assert_ok(sample_batch(&schema, N, &whole, &err));
    lochan_hash128 *a = lochan_mem__array(N, sizeof *a), *b = lochan_mem__array(N, sizeof *b);
    assert_ok(lochan_hash_rows(&schema, &whole, columns, (size_t)n, a, &err));
    for (int64_t offset = 1; offset < 600; offset += 123) {
        sample_slice(&schema, offset, N - offset, &part);
        assert_ok(lochan_hash_rows(&schema, &part, columns, (size_t)n, b, &err));
        assert_memory_equal(a + offset, b, (size_t)(N - offset) * sizeof *a);
        lochan_array__release(&part);
    }
    for (int i = 1; i < N; i++)
        assert_true(a[i].lo != a[i - 1].lo);
    /* A dictionary of the same texts as plain ones: rows 0 and 2 of "word" are rows 0 and 2 of "u".
     */
    int word = lochan_schema__find(&schema, "word"), text = lochan_schema__find(&schema, "u");
    for (int64_t r = 0; r < 3; r++)
        assert_string_equal(hash_of(&schema, &whole, word, r), hash_of(&schema, &whole, text, r));
    lochan_mem__free(a);
    lochan_mem__free(b);
    lochan_array__release(&whole);
    lochan_schema__release(&schema);
}

/* Rows beyond the block's memory take another way to the same hash. */
static void test_hash_rows__huge_values(void **state) {
    (void)state;
    lochan_error err;
    enum { LONG = 3 << 20 };
    char *text = malloc(LONG + 1);
    memset(text, 'x', LONG);
    text[LONG] = 0;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_hash128 got[3];
    int column = 0;
    column_of("u", (const char *[]){"EUR", text, NULL}, 3, &schema, &batch);
    assert_ok(lochan_hash_rows(&schema, &batch, &column, 1, got, &err));
    char hex[33];
    lochan_hash128__hex(got[0], hex);
    assert_string_equal(hex, hash_text("u", "EUR"));
    uint8_t *encoded = malloc(LONG + 9);
    uint64_t length = LONG;
    encoded[0] = 1;
    memcpy(encoded + 1, &length, 8);
    memcpy(encoded + 9, text, LONG);
    lochan_hash128 want = lochan_hash__128(encoded, LONG + 9);
    assert_true(got[1].lo == want.lo && got[1].hi == want.hi);
    free(encoded);
    free(text);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hash_rows__pinned),
        cmocka_unit_test(test_hash_rows__is_the_hash_of_the_encoding),
        cmocka_unit_test(test_hash_rows__offsets_and_dictionaries),
        cmocka_unit_test(test_hash_rows__huge_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
