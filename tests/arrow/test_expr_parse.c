/* test_expr_parse.c - the grammar, and what hostile or mistaken text gets. */
#include "arrow/kernel_sample.h"

#include "arrow/expr.h"

static void parse_ok(const char *text) {
    lochan_error err;
    lochan_expr *e = NULL;
    lochan_status rc = lochan_expr__parse(text, &e, &err);
    if (rc != LOCHAN_OK)
        fail_msg("%s: %s", text, err.message);
    lochan_expr__free(e);
}

static void parse_bad(const char *text, int64_t column, const char *part) {
    lochan_error err;
    lochan_expr *e = NULL;
    assert_status(lochan_expr__parse(text, &e, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(e);
    if (err.line_column != column || !strstr(err.message, part))
        fail_msg("%.80s: column %lld, '%s'; expected column %lld and '%s'", text,
                 (long long)err.line_column, err.message, (long long)column, part);
}

static void test_expr_parse__grammar(void **state) {
    (void)state;
    parse_ok("a = 1");
    parse_ok("a=1 AND b<>-2.5e3 Or not c >= .5");
    parse_ok("\"and\" = 'it''s' and \"a \"\"b\"\"\" != ''");
    parse_ok("((a is null))");
    parse_ok("a is not NULL or a Between 1 and 2 and b not between 'x' and 'y'");
    parse_ok("a in (1)");
    parse_ok("a not in ('x', 'y' ,'z')");
    parse_ok("not not not (a = TRUE)");
    parse_ok("preis_\xc3\xa4 < +5\n\tand\r\nb = '\xf0\x9f\x98\x80'");
    parse_ok("between1 = 1 and inside = 2 and nullable = 3");
}

static void test_expr_parse__nothing_keeps_all(void **state) {
    (void)state;
    lochan_error err;
    lochan_expr *e = (lochan_expr *)&err;
    assert_ok(lochan_expr__parse(NULL, &e, &err));
    assert_null(e);
    assert_ok(lochan_expr__parse("", &e, &err));
    assert_null(e);
    assert_ok(lochan_expr__bind(NULL, NULL, &err));
    assert_int_equal(lochan_expr__columns(NULL), 0);
    lochan_expr__free(NULL);
}

static void test_expr_parse__columns_once_each(void **state) {
    (void)state;
    lochan_error err;
    lochan_expr *e;
    assert_ok(lochan_expr__parse("b = 1 or (a < 2 and \"b\" > 3) or C is null", &e, &err));
    assert_int_equal(lochan_expr__columns(e), 3);
    assert_string_equal(lochan_expr__column(e, 0), "b");
    assert_string_equal(lochan_expr__column(e, 1), "a");
    assert_string_equal(lochan_expr__column(e, 2), "C");
    assert_null(lochan_expr__column(e, 3));
    lochan_expr__free(e);
}

static void test_expr_parse__mistakes_have_a_place(void **state) {
    (void)state;
    parse_bad("   ", 4, "the end where a column");
    parse_bad("a", 2, "an operator");
    parse_bad("a =", 4, "a number, 'text'");
    parse_bad("a = b", 5, "'b'");
    parse_bad("a == 1", 4, "'='");
    parse_bad("a = 1 b = 2", 7, "'b'");
    parse_bad("a = 1 and", 10, "the end");
    parse_bad("(a = 1", 7, "')'");
    parse_bad("a = 1)", 6, "')'");
    parse_bad("a = 'x", 5, "without its closing '");
    parse_bad("\"a = 1", 1, "column name without its closing \"");
    parse_bad("a = null", 5, "is null");
    parse_bad("a is 5", 6, "'null'");
    parse_bad("a not 5", 7, "'between' or 'in'");
    parse_bad("a in ()", 7, "')'");
    parse_bad("a in (1", 8, "','");
    parse_bad("a in (1,)", 9, "')'");
    parse_bad("a between 1 or 2", 13, "'and'");
    parse_bad("a = 2024-01-05", 5, "single quotes");
    parse_bad("a = 1.2.3", 5, "a number");
    parse_bad("a = 1e", 5, "a number");
    parse_bad("5 < a", 1, "a column");
    parse_bad("a = 1; drop", 6, "';'");
    parse_bad("and = 1", 1, "'and'");
    parse_bad("\"\" = 1", 1, "a column name");
    parse_bad("\xc3\xa4\xc3\xa4 = ?", 6, "'?'");
    parse_bad("a = \x01", 5, "'?'"); /* control characters are not echoed */
    parse_bad("a = '\xff'", -1, "UTF-8");
    lochan_error err;
    lochan_expr *e;
    assert_status(lochan_expr__parse("a = 1 and\n  b ~ 2", &e, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_int_equal(err.line, 2);
    assert_int_equal(err.line_column, 5);
}

/* n times `part` between two ends; free() it. */
static char *repeat(const char *head, const char *part, size_t n, const char *tail) {
    size_t length = strlen(part);
    char *text = malloc(strlen(head) + n * length + strlen(tail) + 1), *p = text;
    p += sprintf(p, "%s", head);
    for (size_t i = 0; i < n; i++, p += length)
        memcpy(p, part, length);
    sprintf(p, "%s", tail);
    return text;
}

static void test_expr_parse__bounds(void **state) {
    (void)state;
    char *text = repeat("", "(", 200, "a = 1");
    parse_bad(text, 206, "')'");
    free(text);
    text = repeat("", "(", 201, "a = 1");
    parse_bad(text, 201, "deeper than 200");
    free(text);
    text = repeat("", "not ", 100000, "a = 1");
    parse_bad(text, 801, "deeper than 200");
    free(text);
    text = repeat("a = 1", " and a = 1", 9999, "");
    parse_ok(text);
    free(text);
    text = repeat("a = 1", " or a = 1", 10000, "");
    parse_bad(text, 90001, "more than 10000 comparisons");
    free(text);
    text = repeat("a in (1", ",1", 999999, ")");
    parse_ok(text);
    free(text);
    text = repeat("a in (1", ",1", 1000000, ")");
    parse_bad(text, 2000007, "more than 1000000 values");
    free(text);
    text = repeat("a = '", "x", 33 << 20, "'");
    parse_bad(text, -1, "bytes, more than");
    free(text);
}

/* Cut and changed predicates never do more than fail. */
static void test_expr_parse__mangled_text(void **state) {
    (void)state;
    static const char good[] = "(a = 'x''y' or \"b\" not in (1, -2.5e1, true)) and not c between "
                               "'2020-01-01' and 5 or d is null";
    uint64_t seed = 8;
    for (int i = 0; i < 20000; i++) {
        char text[sizeof good];
        memcpy(text, good, sizeof good);
        if (i < (int)sizeof good)
            text[i] = 0;
        for (uint64_t k = fake_random(&seed) % 4; i >= (int)sizeof good && k > 0; k--)
            text[fake_random(&seed) % (sizeof good - 1)] = (char)(1 + fake_random(&seed) % 255);
        lochan_error err;
        lochan_expr *e = NULL;
        lochan_status rc = lochan_expr__parse(text, &e, &err);
        assert_true(rc == LOCHAN_OK || rc == LOCHAN_ERR_INVALID_ARGUMENT);
        lochan_expr__free(e);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_expr_parse__grammar),
        cmocka_unit_test(test_expr_parse__nothing_keeps_all),
        cmocka_unit_test(test_expr_parse__columns_once_each),
        cmocka_unit_test(test_expr_parse__mistakes_have_a_place),
        cmocka_unit_test(test_expr_parse__bounds),
        cmocka_unit_test(test_expr_parse__mangled_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
