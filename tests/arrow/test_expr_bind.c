/* test_expr_bind.c - columns that do not exist and literals that do not belong to a column. */
#include "arrow/kernel_sample.h"

#include "arrow/expr.h"

static lochan_status bind(const char *text, lochan_error *err) {
    lochan_error ignored;
    struct ArrowSchema schema;
    lochan_expr *e;
    assert_int_equal(sample_schema(&schema, &ignored), LOCHAN_OK);
    assert_int_equal(lochan_expr__parse(text, &e, &ignored), LOCHAN_OK);
    lochan_status rc = lochan_expr__bind(e, &schema, err);
    lochan_expr__free(e);
    lochan_schema__release(&schema);
    return rc;
}

static void bind_bad(const char *text, lochan_status want, const char *column, int64_t at,
                     const char *part) {
    lochan_error err;
    lochan_error_init(&err);
    assert_status(bind(text, &err), want);
    assert_string_equal(err.column, column);
    assert_int_equal(err.line_column, at);
    if (!strstr(err.message, part) && !strstr(err.hint, part))
        fail_msg("%s: '%s' (%s) does not say '%s'", text, err.message, err.hint, part);
}

static void test_expr_bind__missing_column(void **state) {
    (void)state;
    bind_bad("i = 1 and struc is null", LOCHAN_ERR_NOT_FOUND, "struc", 11,
             "did you mean 'struct'?");
    bind_bad("something_else = 1", LOCHAN_ERR_NOT_FOUND, "something_else", 1, "does not exist");
    bind_bad("I = 1 and WORD = 'x'", LOCHAN_ERR_NOT_FOUND, "WORD", 11, "does not exist");
}

static void test_expr_bind__literals_of_another_kind(void **state) {
    (void)state;
    bind_bad("i = 'x'", LOCHAN_ERR_VALUE, "i", 5, "is int32");
    bind_bad("i = true", LOCHAN_ERR_VALUE, "i", 5, "a number");
    bind_bad("u = 5", LOCHAN_ERR_VALUE, "u", 5, "text in single quotes");
    bind_bad("word in ('a', 5)", LOCHAN_ERR_VALUE, "word", 15, "text in single quotes");
    bind_bad("b = 1", LOCHAN_ERR_VALUE, "b", 5, "true or false");
    bind_bad("g = 'five'", LOCHAN_ERR_VALUE, "g", 5, "a number");
    bind_bad("g = true", LOCHAN_ERR_VALUE, "g", 5, "a number");
    bind_bad("tdD = 20240105", LOCHAN_ERR_VALUE, "tdD", 7, "YYYY-MM-DD");
    bind_bad("tdD = '2024-02-30'", LOCHAN_ERR_VALUE, "tdD", 7, "YYYY-MM-DD");
    bind_bad("tdD = '2024-01-05x'", LOCHAN_ERR_VALUE, "tdD", 7, "YYYY-MM-DD");
    bind_bad("\"tss:\" between '2024-01-05' and '2024-01-05T00:00:00Z'", LOCHAN_ERR_VALUE,
             "tss:", 33, "without a zone");
    bind_bad("tts = '25:00:00'", LOCHAN_ERR_VALUE, "tts", 7, "hh:mm:ss");
    bind_bad("\"tDs\" = 'soon'", LOCHAN_ERR_VALUE, "tDs", 9, "5m");
    bind_bad("list = 5", LOCHAN_ERR_UNSUPPORTED, "list", 1, "is null");
    bind_bad("\"d:50,10,256\" = 5", LOCHAN_ERR_UNSUPPORTED, "d:50,10,256", 1, "is null");
}

static void test_expr_bind__fitting_literals(void **state) {
    (void)state;
    lochan_error err;
    assert_ok(
        bind("i = '5' and g < '1e5' and \"d:20,4\" in ('1.5', 2)", &err)); /* numbers in quotes */
    assert_ok(
        bind("\"tsm:UTC\" > '2024-01-05 10:00:00.5+02:00' and \"tsn:Europe/Paris\" < '9999-12-31'",
             &err));
    assert_ok(bind("list is null or struct is not null or map is null or n is null", &err));
    assert_ok(bind("n = 5 or n in ('x', 1)", &err));
    assert_ok(bind("\"w:3\" = 'longer than three' and z = ''", &err));
}

/* The same predicate may be bound again, to another schema. */
static void test_expr_bind__twice(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema, other;
    struct ArrowArray batch;
    lochan_expr *e;
    uint8_t bits[1];
    int64_t count;
    assert_ok(lochan_expr__parse("x > '2'", &e, &err));
    column_of("u", (const char *[]){"10", "3"}, 2, &schema, &batch);
    assert_ok(lochan_expr__bind(e, &schema, &err));
    assert_ok(lochan_expr__apply(e, &schema, &batch, bits, &count, &err));
    assert_int_equal(bits[0], 2);
    lochan_array__release(&batch);
    column_of("i", (const char *[]){"10", "1"}, 2, &other, &batch);
    assert_status(lochan_expr__apply(e, &other, &batch, bits, &count, &err), LOCHAN_ERR_SCHEMA);
    assert_ok(lochan_expr__bind(e, &other, &err));
    assert_ok(lochan_expr__apply(e, &other, &batch, bits, &count, &err));
    assert_int_equal(bits[0], 1);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_schema__release(&other);
    lochan_expr__free(e);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_bind__missing_column),
        cmocka_unit_test(test_expr_bind__literals_of_another_kind),
        cmocka_unit_test(test_expr_bind__fitting_literals),
        cmocka_unit_test(test_expr_bind__twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
