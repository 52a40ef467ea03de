/* test_fetch_auth.c - what a server sees of each kind of `auth`, and that neither its echo nor a
 * redirect gives the secret away. */
#include "rude_server.h"
#include "support/cmocka_all.h"

#include "source/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TOKEN        "tok-12345/678"
#define TOKEN_BASE64 "bWU6dG9rLTEyMzQ1LzY3OA==" /* of "me:" TOKEN */

static lochan_error err;
static char seen[16384]; /* the last request */
static char page[2000], failure[2000];
static bool elsewhere;

static bool answer(rude_server *server, int fd, const char *path, int nth, const char *request) {
    (void)nth;
    char header[200];
    snprintf(seen, sizeof seen, "%s", request);
    elsewhere |= strncmp(path, "/elsewhere", 10) == 0;
    snprintf(header, sizeof header, "Location: http://localhost:%d/elsewhere\r\n",
             (int)rude_port(server));
    if (strncmp(path, "/moved", 6) == 0)
        rude_page(fd, "307 Temporary Redirect", header, "");
    else if (strncmp(path, "/bad", 4) == 0)
        rude_page(fd, "401 Unauthorized", "", "no: " TOKEN " " TOKEN_BASE64);
    else
        rude_page(fd, "200 OK", "", "yes: " TOKEN " " TOKEN_BASE64);
    return true;
}

static lochan_status on_page(void *ctx, size_t index, lochan_buf *body,
                             const lochan_fetch_meta *meta, lochan_error *e) {
    (void)ctx, (void)index, (void)e;
    assert_int_equal(meta->http_version, 11);
    snprintf(page, sizeof page, "%.*s", (int)body->len, (const char *)body->data);
    return LOCHAN_OK;
}

static lochan_status on_failure(void *ctx, size_t index, const lochan_error *error,
                                int32_t attempts, lochan_error *e) {
    (void)ctx, (void)index, (void)attempts, (void)e;
    snprintf(failure, sizeof failure, "%s %s", error->message, error->hint);
    return LOCHAN_OK;
}

/* Asks for the path once, with the lines of `auth` in the spec. */
static void ask(rude_server *server, const char *auth, const char *path) {
    char text[1000];
    lochan_budget budget;
    lochan_cancel cancel = {0};
    lochan_source_spec *spec;
    lochan_source_request request;
    lochan_fetcher *f;
    lochan_fetch_options options;
    const lochan_fetch_callbacks callbacks = {.on_page = on_page, .on_failure = on_failure};
    seen[0] = page[0] = failure[0] = '\0';
    snprintf(text, sizeof text,
             "name: t\nkind: http\nurl: http://127.0.0.1:%d\npath: %s\nformat: records\n%s",
             (int)rude_port(server), path, auth);
    lochan_budget__init(&budget, 0);
    const lochan_ctx ctx = {.budget = &budget, .cancel = &cancel};
    assert_ok(lochan_source_spec__parse(text, strlen(text), "t", &spec, &err));
    lochan_fetch_options__init(&options, spec);
    assert_ok(lochan_source__build_request(spec, NULL, 0, NULL, 0, &request, &err));
    assert_ok(lochan_fetcher__create(&ctx, spec, &options, &callbacks, &f, &err));
    assert_ok(lochan_fetcher__add(f, 0, &request, &err));
    assert_ok(lochan_fetcher__run(f, &err));
    lochan_fetcher__free(f);
    lochan_source_request__deinit(&request);
    lochan_source_spec__free(spec);
}

static void test_fetch_auth__every_kind(void **state) {
    (void)state;
    static const struct {
        const char *auth, *sent;
    } cases[] = {
        {"secret: env:LOCHAN_TEST_AUTH\nauth: bearer\n", "\r\nAuthorization: Bearer " TOKEN "\r\n"},
        {"secret: env:LOCHAN_TEST_AUTH\nauth: {kind: basic, user: me}\n",
         "\r\nAuthorization: Basic " TOKEN_BASE64 "\r\n"},
        {"secret: env:LOCHAN_TEST_PAIR\nauth: basic\n",
         "\r\nAuthorization: Basic " TOKEN_BASE64 "\r\n"},
        {"secret: env:LOCHAN_TEST_AUTH\nauth: {kind: header, name: X-Key}\n",
         "\r\nX-Key: " TOKEN "\r\n"},
        {"secret: env:LOCHAN_TEST_AUTH\nauth: {kind: query, name: key}\n",
         "?key=tok-12345%2F678 HTTP/1.1\r\n"},
        {"secret: env:LOCHAN_TEST_AUTH\nmethod: POST\nauth: {kind: body, name: key}\n",
         "\r\n\r\n{\"key\":\"" TOKEN "\"}"},
    };
    setenv("LOCHAN_TEST_AUTH", TOKEN, 1);
    setenv("LOCHAN_TEST_PAIR", "me:" TOKEN, 1);
    rude_server *server = rude_start(answer);
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        ask(server, cases[i].auth, "/good");
        if (!strstr(seen, cases[i].sent))
            fail_msg("%s sent %s", cases[i].auth, seen);
        assert_null(strstr(page, TOKEN));
        assert_non_null(strstr(page, "yes: *************"));
        ask(server, cases[i].auth, "/bad");
        assert_null(strstr(failure, TOKEN));
        assert_non_null(strstr(failure, "HTTP 401: no: *************"));
        assert_non_null(strstr(failure, "check the secret"));
        if (strstr(cases[i].auth, "basic"))
            assert_null(strstr(page, TOKEN_BASE64) || strstr(failure, TOKEN_BASE64) ? "" : NULL);
        ask(server, cases[i].auth, "/moved");
        assert_non_null(strstr(failure, "the secret is not for it"));
    }
    assert_false(elsewhere);
    rude_stop(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetch_auth__every_kind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
