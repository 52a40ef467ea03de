/* test_status.c - codes, messages, decorations. */
#include "support/cmocka_all.h"

#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void test_status__facts_of_codes(void **state) {
    (void)state;
    assert_string_equal(lochan_status_name(LOCHAN_OK), "OK");
    assert_string_equal(lochan_status_name(LOCHAN_ERR_NOT_FOUND), "NOT_FOUND");
    assert_string_equal(lochan_status_text(LOCHAN_ERR_NOT_FOUND), "not found");
    assert_string_equal(lochan_status_python(LOCHAN_ERR_NOT_FOUND), "NotFoundError");
    assert_int_equal(lochan_status_exit_code(LOCHAN_ERR_NOT_FOUND), 3);
    assert_int_equal(lochan_status_exit_code(LOCHAN_OK), 0);
    assert_int_equal(lochan_status_exit_code(12345), 70);
    assert_string_equal(lochan_status_text(-7), "unknown");
    assert_string_equal(lochan_status_hint(-7), "");
}

static void test_status__set_fills_every_field(void **state) {
    (void)state;
    lochan_error err;
    memset(&err, 0x5A, sizeof err);
    assert_int_equal(lochan_error__set(&err, LOCHAN_ERR_LOCKED, "held by %d", 17),
                     LOCHAN_ERR_LOCKED);
    assert_int_equal(err.code, LOCHAN_ERR_LOCKED);
    assert_true(err.retryable);
    assert_string_equal(err.message, "held by 17");
    assert_string_equal(err.hint, lochan_status_hint(LOCHAN_ERR_LOCKED));
    assert_string_equal(err.table, "");
    assert_string_equal(err.column, "");
    assert_string_equal(err.file, "");
    assert_int_equal(err.offset, -1);
    assert_int_equal(err.row, -1);
    assert_int_equal(err.line, -1);
    assert_int_equal(err.line_column, -1);
    assert_int_equal(err.retry_after_ms, -1);
    assert_int_equal(err.http_status, 0);
    assert_int_equal(err.sys_errno, 0);
    assert_int_equal(lochan_error__set(NULL, LOCHAN_ERR_IO, "x"), LOCHAN_ERR_IO);
}

static void test_status__message_is_one_line(void **state) {
    (void)state;
    lochan_error err;
    lochan_error__set(&err, LOCHAN_ERR_PAGE, "a\nb\tc\x1b[31m\x7f");
    assert_string_equal(err.message, "a b c [31m ");
}

static void test_status__message_may_quote_itself(void **state) {
    (void)state;
    lochan_error err;
    lochan_error__set(&err, LOCHAN_ERR_PAGE, "inner");
    lochan_error__set(&err, LOCHAN_ERR_SPEC, "outer: %s", err.message);
    assert_string_equal(err.message, "outer: inner");
}

static void test_status__long_message_is_cut_at_a_character(void **state) {
    (void)state;
    lochan_error err;
    char text[2000];
    for (size_t shift = 0; shift < 4; shift++) {
        memset(text, 'x', shift);
        for (size_t i = shift; i + 4 < sizeof text; i += 4)
            memcpy(text + i, "\xF0\x9F\x8C\x8A", 5);
        lochan_error__set(&err, LOCHAN_ERR_PAGE, "%s", text);
        size_t n = strlen(err.message);
        assert_true(n < sizeof err.message && n > sizeof err.message - 6);
        assert_int_equal((n - shift) % 4, 0);
    }
}

static void test_status__sys_maps_errno(void **state) {
    (void)state;
    static const struct {
        int sys_errno;
        lochan_status code;
    } cases[] = {{ENOSPC, LOCHAN_ERR_NO_SPACE},  {EDQUOT, LOCHAN_ERR_NO_SPACE},
                 {EROFS, LOCHAN_ERR_READ_ONLY},  {ENOMEM, LOCHAN_ERR_NO_MEMORY},
                 {ENOENT, LOCHAN_ERR_NOT_FOUND}, {EEXIST, LOCHAN_ERR_EXISTS},
                 {EIO, LOCHAN_ERR_IO},           {EACCES, LOCHAN_ERR_IO}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        lochan_error err;
        assert_int_equal(lochan_error__sys(&err, cases[i].sys_errno, "cannot open '%s'", "a/b"),
                         cases[i].code);
        assert_int_equal(err.sys_errno, cases[i].sys_errno);
        assert_memory_equal(err.message, "cannot open 'a/b': ", 19);
        assert_true(strlen(err.message) > 19);
    }
    lochan_error err;
    lochan_error__sys(&err, 9999, "x");
    assert_string_equal(err.message, "x: error 9999");
}

static void test_status__sys_keeps_the_reason_of_a_long_message(void **state) {
    (void)state;
    lochan_error err;
    char path[3000];
    memset(path, 'p', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    lochan_error__sys(&err, ENOSPC, "cannot write '%s'", path);
    const char *reason = "No space left on device";
    assert_string_equal(err.message + strlen(err.message) - strlen(reason), reason);
}

static void test_status__decorations_keep_the_innermost(void **state) {
    (void)state;
    lochan_error err;
    lochan_status rc = lochan_error__set(&err, LOCHAN_ERR_CORRUPT, "bad page");
    rc = lochan_error__in_file(&err, rc, "a.parquet", 40);
    rc = lochan_error__in_file(&err, rc, "b.parquet", 50);
    rc = lochan_error__in_table(&err, rc, "s.t", "c", 7);
    rc = lochan_error__in_table(&err, rc, "s.u", "d", 8);
    rc = lochan_error__in_line(&err, rc, "x.yaml", 3, 4);
    rc = lochan_error__in_line(&err, rc, "x.yaml", 5, 6);
    rc = lochan_error__prefix(&err, rc, "reading %s", "t");
    lochan_error__hint(&err, "look at %d", 5);
    assert_int_equal(rc, LOCHAN_ERR_CORRUPT);
    assert_string_equal(err.file, "a.parquet");
    assert_int_equal(err.offset, 40);
    assert_string_equal(err.table, "s.t");
    assert_string_equal(err.column, "c");
    assert_int_equal(err.row, 7);
    assert_int_equal(err.line, 3);
    assert_int_equal(err.line_column, 4);
    assert_string_equal(err.message, "reading t: bad page");
    assert_string_equal(err.hint, "look at 5");
}

static void test_status__decorations_fill_what_is_missing(void **state) {
    (void)state;
    lochan_error err;
    lochan_status rc = lochan_error__set(&err, LOCHAN_ERR_CORRUPT, "bad page");
    rc = lochan_error__in_file(&err, rc, NULL, 9);
    rc = lochan_error__in_file(&err, rc, "a", -1);
    rc = lochan_error__in_table(&err, rc, NULL, "c", -1);
    rc = lochan_error__in_table(&err, rc, "t", NULL, 3);
    assert_int_equal(rc, LOCHAN_ERR_CORRUPT);
    assert_string_equal(err.file, "a");
    assert_int_equal(err.offset, 9);
    assert_string_equal(err.table, "t");
    assert_string_equal(err.column, "c");
    assert_int_equal(err.row, 3);
}

static void test_status__decorations_ignore_success_and_null(void **state) {
    (void)state;
    lochan_error err;
    lochan_error_init(&err);
    lochan_error before = err;
    assert_int_equal(lochan_error__in_file(&err, LOCHAN_OK, "f", 1), LOCHAN_OK);
    assert_int_equal(lochan_error__in_line(&err, LOCHAN_OK, "f", 1, 1), LOCHAN_OK);
    assert_int_equal(lochan_error__in_table(&err, LOCHAN_OK, "t", "c", 1), LOCHAN_OK);
    assert_int_equal(lochan_error__prefix(&err, LOCHAN_OK, "p"), LOCHAN_OK);
    assert_memory_equal(&err, &before, sizeof err);
    assert_int_equal(lochan_error__in_file(NULL, LOCHAN_ERR_IO, "f", 1), LOCHAN_ERR_IO);
    assert_int_equal(lochan_error__in_line(NULL, LOCHAN_ERR_IO, "f", 1, 1), LOCHAN_ERR_IO);
    assert_int_equal(lochan_error__in_table(NULL, LOCHAN_ERR_IO, "t", "c", 1), LOCHAN_ERR_IO);
    assert_int_equal(lochan_error__prefix(NULL, LOCHAN_ERR_IO, "p"), LOCHAN_ERR_IO);
    lochan_error__hint(NULL, "h");
}

static void test_status__over_long_file_keeps_its_end(void **state) {
    (void)state;
    lochan_error err;
    char path[1000];
    memset(path, 'd', sizeof path);
    memcpy(path + sizeof path - 12, "end.parquet", 12);
    lochan_status rc = lochan_error__set(&err, LOCHAN_ERR_CORRUPT, "x");
    lochan_error__in_file(&err, rc, path, 0);
    assert_int_equal(strlen(err.file), sizeof err.file - 1);
    assert_string_equal(err.file + strlen(err.file) - 11, "end.parquet");

    char table[500];
    memset(table, 't', sizeof table - 1);
    table[0] = 'B';
    table[sizeof table - 1] = '\0';
    lochan_error__in_table(&err, rc, table, table, 0);
    assert_int_equal(strlen(err.table), sizeof err.table - 1);
    assert_int_equal(err.table[0], 'B');
}

static void test_status__long_prefix_does_not_overflow(void **state) {
    (void)state;
    lochan_error err;
    char text[600];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    lochan_status rc = lochan_error__set(&err, LOCHAN_ERR_CORRUPT, "%s", text);
    lochan_error__prefix(&err, rc, "%s", text);
    assert_int_equal(strlen(err.message), sizeof err.message - 1);
    lochan_error__hint(&err, "%s", text);
    assert_int_equal(strlen(err.hint), sizeof err.hint - 1);
}

static lochan_status try_twice(int *steps, lochan_status first, lochan_error *err) {
    LOCHAN_CHECK_ARG(steps != NULL, err);
    ++*steps;
    LOCHAN_TRY(first);
    ++*steps;
    return LOCHAN_OK;
}

static lochan_status keep_first(lochan_status a, lochan_status b) {
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRYG(a);
done:
    LOCHAN_KEEP(b);
    return rc;
}

static void test_status__macros(void **state) {
    (void)state;
    lochan_error err;
    int steps = 0;
    assert_int_equal(try_twice(&steps, LOCHAN_OK, &err), LOCHAN_OK);
    assert_int_equal(steps, 2);
    assert_int_equal(try_twice(&steps, LOCHAN_ERR_IO, &err), LOCHAN_ERR_IO);
    assert_int_equal(steps, 3);
    assert_int_equal(try_twice(NULL, LOCHAN_OK, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_string_equal(err.message, "try_twice: expected steps != NULL");
    assert_int_equal(keep_first(LOCHAN_ERR_IO, LOCHAN_ERR_PAGE), LOCHAN_ERR_IO);
    assert_int_equal(keep_first(LOCHAN_OK, LOCHAN_ERR_PAGE), LOCHAN_ERR_PAGE);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status__facts_of_codes),
        cmocka_unit_test(test_status__set_fills_every_field),
        cmocka_unit_test(test_status__message_is_one_line),
        cmocka_unit_test(test_status__message_may_quote_itself),
        cmocka_unit_test(test_status__long_message_is_cut_at_a_character),
        cmocka_unit_test(test_status__sys_maps_errno),
        cmocka_unit_test(test_status__sys_keeps_the_reason_of_a_long_message),
        cmocka_unit_test(test_status__decorations_keep_the_innermost),
        cmocka_unit_test(test_status__decorations_fill_what_is_missing),
        cmocka_unit_test(test_status__decorations_ignore_success_and_null),
        cmocka_unit_test(test_status__over_long_file_keeps_its_end),
        cmocka_unit_test(test_status__long_prefix_does_not_overflow),
        cmocka_unit_test(test_status__macros),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
