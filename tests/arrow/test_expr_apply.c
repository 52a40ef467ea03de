/* test_expr_apply.c - predicates applied to batches, against a plain evaluator and by hand. */
#include "arrow/expr_model.h"

static void test_expr_apply__agrees_with_plain_evaluation(void **state) {
    (void)state;
    uint64_t seed = 2024;
    static model_batch m;
    for (int round = 0; round < 60; round++) {
        model_make(&m, &seed);
        for (int k = 0; k < 60; k++) {
            lochan_error err;
            lochan_buf text;
            uint8_t bits[MODEL_ROWS / 8 + 2];
            int64_t count, want = 0;
            model_expr *p = model_predicate(&seed, k % 4);
            lochan_expr *e = model_bind(p, &m, &text);
            memset(bits, 0xee, sizeof bits);
            assert_ok(lochan_expr__apply(e, &m.schema, &m.array, bits, &count, &err));
            for (int64_t r = 0; r < m.rows; r++) {
                bool keep = model_eval(p, &m, r) == 1;
                want += keep;
                if (lochan_bit__get(bits, r) != keep)
                    fail_msg("row %lld should %sbe kept by %s", (long long)r, keep ? "" : "not ",
                             (const char *)text.data);
            }
            assert_int_equal(count, want);
            assert_int_equal(bits[(m.rows + 7) / 8], 0xee); /* nothing past the end */
            lochan_expr__free(e);
            lochan_buf__deinit(&text);
            model_expr_free(p);
        }
        model_free(&m);
    }
}

/* Rows of column x that the predicate keeps, as a string of 0 and 1. */
static const char *kept(const char *format, const char *const *texts, int64_t n,
                        const char *predicate) {
    static char out[256];
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_expr *e;
    uint8_t bits[32];
    int64_t count;
    column_of(format, texts, n, &schema, &batch);
    assert_ok(lochan_expr__parse(predicate, &e, &err));
    assert_ok(lochan_expr__bind(e, &schema, &err));
    assert_ok(lochan_expr__apply(e, &schema, &batch, bits, &count, &err));
    for (int64_t i = 0; i < n; i++)
        out[i] = lochan_bit__get(bits, i) ? '1' : '0';
    out[n] = 0;
    lochan_expr__free(e);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    return out;
}
#define KEPT(want, format, predicate, ...)                                                         \
    do {                                                                                           \
        const char *const texts_[] = {__VA_ARGS__};                                                \
        const char *got_ = kept(format, texts_, (int64_t)LOCHAN_COUNTOF(texts_), predicate);       \
        if (strcmp(got_, want) != 0)                                                               \
            fail_msg("%s keeps %s, not %s", predicate, got_, want);                                \
    } while (0)

static void test_expr_apply__nan(void **state) {
    (void)state;
    KEPT("0000", "g", "x = 'nan'", "1", "nan", NULL, "inf");
    KEPT("1101", "g", "x != 'nan'", "1", "nan", NULL, "inf");
    KEPT("0101", "g", "not x < 5", "1", "nan", NULL, "inf");
    KEPT("1000", "g", "x < 'inf'", "1", "nan", NULL, "inf");
    KEPT("0001", "g", "x = 'inf'", "1", "nan", NULL, "inf");
    KEPT("0001", "g", "x > 1e999", "1", "nan", NULL, "inf");
    KEPT("1000", "g", "x < 1e999", "1", "nan", NULL, "inf");
    KEPT("0001", "g", "x >= 1e999", "1", "nan", NULL, "inf");
    KEPT("0000", "g", "x = 1e999", "1", "nan", NULL, "inf");
    KEPT("1101", "g", "x != 1e999", "1", "nan", NULL, "inf");
    KEPT("1000", "g", "x between -1e999 and 1e999", "1", "nan", NULL, "inf");
    KEPT("1000", "g", "x in (1, 'nan')", "1", "nan", NULL, "inf");
}

static void test_expr_apply__literals_between_and_beyond_values(void **state) {
    (void)state;
    KEPT("110", "c", "x < 1.5", "-128", "1", "2");
    KEPT("000", "c", "x = 1.5", "-128", "1", "2");
    KEPT("111", "c", "x != 1.5", "-128", "1", "2");
    KEPT("111", "c", "x < 1000", "-128", "1", "2");
    KEPT("000", "c", "x > 99999999999999999999999999999999999999999999", "-128", "1", "2");
    KEPT("111", "c", "x > -1e60", "-128", "1", "2");
    KEPT("011", "c", "x >= 1e0", "-128", "1", "2");
    KEPT("001", "c", "x = 0.2e1", "-128", "1", "2");
    KEPT("11", "L", "x > -1", "0", "18446744073709551615");
    KEPT("01", "L", "x >= 18446744073709551615", "0", "18446744073709551615");
    KEPT("00", "L", "x > 18446744073709551615", "0", "18446744073709551615");
    KEPT("01", "L", "x in (18446744073709551615, 5, -1)", "0", "18446744073709551615");
    KEPT("10", "l", "x = 9007199254740993", "9007199254740993", "9007199254740992");
    KEPT("01", "f", "x = 0.1", "1", "0.1");
    KEPT("11", "f", "x < 1e300", "1", "0.1");
    KEPT("10", "d:20,4", "x > 6.99999999", "7", "6");
    KEPT("10", "tdD", "x >= '1970-01-01 00:00:01'", "1", "0");
    KEPT("11", "tdD", "x < '9999-12-31'", "1", "0");
    KEPT("01", "tsn:UTC", "x = '1970-01-01T01:00:00+01:00'", "1", "0");
    KEPT("01", "tts", "x < '00:00:01'", "1", "0");
    KEPT("01", "tDs", "x >= '2m'", "119", "120");
    KEPT("01", "tDs", "x >= 120", "119", "120");
    KEPT("0", "n", "x = 5", NULL);
    KEPT("1", "n", "x is null", NULL);
}

/* A list long enough to be searched, one dense enough for a bitmap. */
static void test_expr_apply__long_lists(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf text;
    lochan_buf__init(&text, 1 << 20);
    for (int step = 3; step < 5000; step += 4000) {
        lochan_buf__clear(&text);
        for (int i = 0; i < 500; i++)
            assert_ok(
                lochan_buf__printf(&text, &err, "%s%d", i ? "," : "x in (", (i * 7 % 500) * step));
        assert_ok(lochan_buf__puts(&text, ")", &err));
        char values[4][16];
        snprintf(values[0], 16, "%d", 499 * step);
        snprintf(values[1], 16, "%d", 499 * step + 1);
        snprintf(values[2], 16, "%d", -step);
        snprintf(values[3], 16, "%d", 250 * step);
        KEPT("10010", "i", (const char *)text.data, values[0], values[1], values[2], values[3],
             NULL);
    }
    lochan_buf__deinit(&text);
}

static void test_expr_apply__projection_and_mismatch(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema, projection;
    struct ArrowArray batch, column;
    lochan_expr *e;
    uint8_t bits[8];
    int64_t count;
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 0, 10, &batch);
    assert_ok(lochan_expr__parse("l >= 4 and word is not null", &e, &err));
    assert_status(lochan_expr__apply(e, &schema, &batch, bits, &count, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT); /* unbound */
    assert_ok(lochan_expr__bind(e, &schema, &err));
    assert_ok(lochan_expr__apply(e, &schema, &batch, bits, &count, &err));
    assert_int_equal(count, 5); /* 4 5 6 7 9; 8 is null */
    int only = lochan_schema__find(&schema, "l");
    assert_ok(lochan_schema__select(&schema, &only, 1, &projection, &err));
    lochan_shared *shared = lochan_shared__give(&batch);
    assert_ok(lochan_shared__child(shared, only, &column, &err));
    struct ArrowArray *children[1] = {&column};
    const void *buffers[1] = {NULL};
    struct ArrowArray part = {
        .length = 10, .n_buffers = 1, .n_children = 1, .buffers = buffers, .children = children};
    assert_status(lochan_expr__apply(e, &projection, &part, bits, &count, &err), LOCHAN_ERR_SCHEMA);
    assert_string_equal(err.column, "word");
    lochan_expr__free(e);
    assert_ok(lochan_expr__parse("l = 5", &e, &err));
    assert_ok(lochan_expr__bind(e, &schema, &err));
    assert_ok(lochan_expr__apply(e, &projection, &part, bits, &count, &err));
    assert_int_equal(count, 1);
    lochan_expr__free(e);
    assert_ok(lochan_expr__apply(NULL, &projection, &part, bits, &count, &err));
    assert_int_equal(count, 10);
    lochan_array__release(&column);
    lochan_shared__unref(shared);
    lochan_schema__release(&projection);
    lochan_schema__release(&schema);
}

static model_batch fault_batch;

static lochan_status fault_body(void *ctx, lochan_error *err) {
    (void)ctx;
    lochan_expr *e = NULL;
    uint8_t bits[MODEL_ROWS / 8 + 1];
    int64_t count;
    lochan_status rc =
        lochan_expr__parse("(i32 in (1,2,3,4,5) or text in ('a', 'b''c')) and not (word = 'a' and "
                           "f64 > 1) and dec between 1 and 2",
                           &e, err);
    if (rc == LOCHAN_OK)
        rc = lochan_expr__bind(e, &fault_batch.schema, err);
    if (rc == LOCHAN_OK)
        rc = lochan_expr__apply(e, &fault_batch.schema, &fault_batch.array, bits, &count, err);
    lochan_expr__free(e);
    return rc;
}

static void test_expr_apply__survives_lack_of_memory(void **state) {
    (void)state;
    uint64_t seed = 77;
    model_make(&fault_batch, &seed);
    fault_sweep(&(fault_case){.name = "predicate", .body = fault_body, .kinds = FAULT_OOM});
    model_free(&fault_batch);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_apply__agrees_with_plain_evaluation),
        cmocka_unit_test(test_expr_apply__nan),
        cmocka_unit_test(test_expr_apply__literals_between_and_beyond_values),
        cmocka_unit_test(test_expr_apply__long_lists),
        cmocka_unit_test(test_expr_apply__projection_and_mismatch),
        cmocka_unit_test(test_expr_apply__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
