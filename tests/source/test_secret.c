/* test_secret.c - references, filling in, redacting. */
#include "support/cmocka_all.h"
#include "support/fault.h"
#include "support/tmpdir.h"

#include "source/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lochan_error err;

static lochan_secret *secret_of(const char *value) {
    lochan_secret *s = NULL;
    setenv("LOCHAN_TEST_SECRET", value, 1);
    assert_ok(lochan_secret__load("env:LOCHAN_TEST_SECRET", &s, &err));
    return s;
}

static void filled(const lochan_secret *s, lochan_secret_form form, const char *text,
                   const char *expected) {
    lochan_buf out;
    lochan_buf__init(&out, 1000);
    assert_ok(lochan_secret__fill(s, form, text, &out, &err));
    assert_string_equal((char *)out.data, expected);
    lochan_secret__wipe(&out);
    assert_null(out.data);
}

static void test_secret__references(void **state) {
    (void)state;
    lochan_secret *s = (lochan_secret *)&err;
    assert_ok(lochan_secret__load(NULL, &s, &err));
    assert_null(s);
    unsetenv("LOCHAN_TEST_SECRET");
    assert_status(lochan_secret__load("env:LOCHAN_TEST_SECRET", &s, &err), LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "LOCHAN_TEST_SECRET"));
    assert_status(lochan_secret__load("plain-secret", &s, &err), LOCHAN_ERR_SPEC);
    assert_null(strstr(err.message, "plain-secret"));
    setenv("LOCHAN_TEST_SECRET", "a\nb", 1);
    assert_status(lochan_secret__load("env:LOCHAN_TEST_SECRET", &s, &err), LOCHAN_ERR_SPEC);
    assert_non_null(strstr(err.message, "control character"));
    char *dir = tmpdir_make("secret");
    char reference[512];
    snprintf(reference, sizeof reference, "file:%s", tmpdir_path(dir, "key"));
    assert_status(lochan_secret__load(reference, &s, &err), LOCHAN_ERR_NOT_FOUND);
    tmpdir_write(tmpdir_path(dir, "key"), "  tok-123\n", 10);
    assert_ok(lochan_secret__load(reference, &s, &err));
    filled(s, LOCHAN_SECRET_PLAIN, "Bearer {secret}", "Bearer tok-123");
    lochan_secret__free(s);
    tmpdir_write(tmpdir_path(dir, "key"), " \n", 2);
    assert_status(lochan_secret__load(reference, &s, &err), LOCHAN_ERR_SPEC);
    tmpdir_remove(dir);
}

static void test_secret__forms(void **state) {
    (void)state;
    lochan_secret *s = secret_of("a b\"c/\\d");
    filled(s, LOCHAN_SECRET_PLAIN, "{secret}", "a b\"c/\\d");
    filled(s, LOCHAN_SECRET_PERCENT, "x={secret}&y={secret}",
           "x=a%20b%22c%2F%5Cd&y=a%20b%22c%2F%5Cd");
    filled(s, LOCHAN_SECRET_JSON, "{\"t\": \"{secret}\"}", "{\"t\": \"a b\\\"c/\\\\d\"}");
    filled(NULL, LOCHAN_SECRET_PLAIN, "nothing to fill", "nothing to fill");
    lochan_buf out;
    lochan_buf__init(&out, 1000);
    assert_status(lochan_secret__fill(NULL, LOCHAN_SECRET_PLAIN, "{secret}", &out, &err),
                  LOCHAN_ERR_SPEC);
    lochan_buf__deinit(&out);
    lochan_secret__free(s);
}

static void test_secret__basic(void **state) {
    (void)state;
    static const struct {
        const char *user, *secret, *base64;
    } cases[] = {{"Aladdin", "open sesame", "QWxhZGRpbjpvcGVuIHNlc2FtZQ=="},
                 {"", "ab", "OmFi"},
                 {"u", "ab", "dTphYg=="},
                 {NULL, "Aladdin:open:sesame", "QWxhZGRpbjpvcGVuOnNlc2FtZQ=="}};
    lochan_secret *s;
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        setenv("LOCHAN_TEST_SECRET", cases[i].secret, 1);
        assert_ok(lochan_secret__load_basic("env:LOCHAN_TEST_SECRET", cases[i].user, &s, &err));
        filled(s, LOCHAN_SECRET_PLAIN, "Basic {secret:basic}",
               strcat(strcpy((char[80]){0}, "Basic "), cases[i].base64));
        lochan_secret__free(s);
    }
    /* The password alone is the secret, and the base64 is one, too. */
    char text[] = "open:sesame open%3Asesame QWxhZGRpbjpvcGVuOnNlc2FtZQ== Aladdin "
                  "QWxhZGRpbjpvcGVuOnNlc2FtZQ%3d%3d";
    assert_ok(lochan_secret__load_basic("env:LOCHAN_TEST_SECRET", NULL, &s, &err));
    assert_true(lochan_secret__redact(s, text, strlen(text), true));
    assert_string_equal(text, "*********** ************* **************************** Aladdin "
                              "********************************");
    lochan_secret__free(s);
    setenv("LOCHAN_TEST_SECRET", "no-colon", 1);
    assert_status(lochan_secret__load_basic("env:LOCHAN_TEST_SECRET", NULL, &s, &err),
                  LOCHAN_ERR_SPEC);
    assert_non_null(strstr(err.message, "auth.user"));
    assert_null(strstr(err.message, "no-colon"));
    setenv("LOCHAN_TEST_SECRET", "user:", 1);
    assert_status(lochan_secret__load_basic("env:LOCHAN_TEST_SECRET", NULL, &s, &err),
                  LOCHAN_ERR_SPEC);
    s = secret_of("abcdefgh"); /* not loaded for it */
    lochan_buf out;
    lochan_buf__init(&out, 1000);
    assert_status(lochan_secret__fill(s, LOCHAN_SECRET_PLAIN, "{secret:basic}", &out, &err),
                  LOCHAN_ERR_SPEC);
    lochan_buf__deinit(&out);
    lochan_secret__free(s);
}

static void test_secret__redact(void **state) {
    (void)state;
    lochan_secret *s = secret_of("tok en\"1");
    char text[] = "plain tok en\"1, url tok%20en%221, json tok en\\\"1, tok en";
    assert_true(lochan_secret__redact(s, text, strlen(text), false));
    assert_string_equal(text, "plain ********, url ************, json *********, tok en");
    assert_false(lochan_secret__redact(s, text, strlen(text), true));
    assert_false(lochan_secret__redact(NULL, text, strlen(text), true));
    lochan_secret__free(s);
    s = secret_of("demo");
    char data[] = "demo,1";
    assert_false(lochan_secret__redact(s, data, 6, true)); /* too short to be told from data */
    assert_true(lochan_secret__redact(s, data, 6, false));
    assert_string_equal(data, "****,1");
    lochan_secret__free(s);
}

static lochan_status sweep_body(void *ctx, lochan_error *e) {
    (void)ctx;
    lochan_secret *s = NULL;
    lochan_buf out;
    lochan_buf__init(&out, 1000);
    lochan_status rc = lochan_secret__load_basic("env:LOCHAN_TEST_SECRET", "me", &s, e);
    if (rc == LOCHAN_OK)
        rc = lochan_secret__fill(s, LOCHAN_SECRET_JSON, "{secret}", &out, e);
    lochan_secret__wipe(&out);
    lochan_secret__free(s);
    return rc;
}

static void test_secret__fault_sweep(void **state) {
    (void)state;
    setenv("LOCHAN_TEST_SECRET", "abcdefgh", 1);
    fault_totals t =
        fault_sweep(&(fault_case){.name = "secret", .body = sweep_body, .kinds = FAULT_OOM});
    assert_true(t.failed >= 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_secret__references),  cmocka_unit_test(test_secret__forms),
        cmocka_unit_test(test_secret__basic),       cmocka_unit_test(test_secret__redact),
        cmocka_unit_test(test_secret__fault_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
