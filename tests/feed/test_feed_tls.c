/* test_feed_tls.c - the feed over https, and what the fetcher says of certificates it does not
 * trust. They are made by the command openssl. */
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/tmpdir.h"

#include <lochan/feed.h>

#include "source/fetch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WALL INT64_C(1793318400000000000)

static lochan_error err, failure;
static char *dir;
static char page[200];
static int attempts;

/* dir/NAME.pem for a host, dir/NAME.key. */
static void make_certificate(const char *name, const char *host) {
    char command[1000];
    snprintf(command, sizeof command,
             "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=test -addext "
             "subjectAltName=%s -keyout %s/%s.key -out %s/%s.pem >%s/openssl.log 2>&1",
             host, dir, name, dir, name, dir);
    if (system(command) != 0)
        fail_msg("this failed: %s", command);
}

static int setup(void **state) {
    (void)state;
    dir = tmpdir_make("feed-tls");
    tmpdir_write(tmpdir_path(dir, "names.csv"), "asset,name\nA0,x\n", 16);
    make_certificate("good", "IP:127.0.0.1");
    make_certificate("other", "DNS:other.example");
    fake_clock_install(WALL, 3);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fake_clock_remove();
    tmpdir_remove(dir);
    return 0;
}

static lochan_status on_page(void *ctx, size_t index, lochan_buf *body,
                             const lochan_fetch_meta *meta, lochan_error *e) {
    (void)ctx, (void)index, (void)e;
    attempts = meta->attempts;
    snprintf(page, sizeof page, "%.*s", (int)body->len, (const char *)body->data);
    return LOCHAN_OK;
}

static lochan_status on_failure(void *ctx, size_t index, const lochan_error *error, int32_t tried,
                                lochan_error *e) {
    (void)ctx, (void)index, (void)e;
    attempts = tried;
    failure = *error;
    return LOCHAN_OK;
}

/* Starts the feed with a certificate and asks for its one page. ca NULL: none is named. */
static void ask(const char *certificate, const char *ca) {
    char pem[300], key[300], text[1000], url[100];
    lochan_feed *feed;
    lochan_feed_options options = LOCHAN_FEED_OPTIONS_INIT;
    snprintf(pem, sizeof pem, "%s/%s.pem", dir, certificate);
    snprintf(key, sizeof key, "%s/%s.key", dir, certificate);
    options.tls_certificate = pem;
    options.tls_key = key;
    assert_ok(lochan_feed_start(tmpdir_path(dir, "names.csv"), &options, &feed, &err));
    snprintf(url, sizeof url, "https://127.0.0.1:%d/names.csv", (int)lochan_feed_port(feed));
    snprintf(text, sizeof text, "name: t\nkind: http\nurl: https://127.0.0.1:%d\n",
             (int)lochan_feed_port(feed));
    if (ca)
        snprintf(text + strlen(text), sizeof text - strlen(text), "ca_file: %s/%s\n", dir, ca);
    lochan_budget budget;
    lochan_cancel cancel = {0};
    lochan_source_spec *spec;
    lochan_fetcher *f;
    lochan_fetch_options o;
    const lochan_fetch_callbacks callbacks = {.on_page = on_page, .on_failure = on_failure};
    const lochan_source_request request = {.url = url};
    lochan_budget__init(&budget, 0);
    const lochan_ctx ctx = {.budget = &budget, .cancel = &cancel};
    page[0] = '\0';
    lochan_error_init(&failure);
    assert_ok(lochan_source_spec__parse(text, strlen(text), "t", &spec, &err));
    lochan_fetch_options__init(&o, spec);
    assert_ok(lochan_fetcher__create(&ctx, spec, &o, &callbacks, &f, &err));
    assert_ok(lochan_fetcher__add(f, 0, &request, &err));
    assert_ok(lochan_fetcher__run(f, &err));
    lochan_fetcher__free(f);
    lochan_source_spec__free(spec);
    lochan_feed_stop(feed);
}

static void test_feed_tls__a_trusted_certificate(void **state) {
    (void)state;
    ask("good", "good.pem");
    assert_string_equal(page, "asset,name\nA0,x\n");
    assert_int_equal(failure.code, LOCHAN_OK);
}

static void refused(const char *words) {
    assert_string_equal(page, "");
    assert_int_equal(failure.code, LOCHAN_ERR_NETWORK);
    assert_false(failure.retryable);
    assert_int_equal(attempts, 1);
    if (!strstr(failure.message, words))
        fail_msg("%s", failure.message);
    assert_non_null(strstr(failure.hint, "'ca_file' of source 't'"));
}

static void test_feed_tls__others_are_not_asked_again(void **state) {
    (void)state;
    ask("good", NULL);
    refused("the server's certificate is not trusted");
    ask("good", "other.pem"); /* of somebody else */
    refused("the server's certificate is not trusted");
    ask("other", "other.pem"); /* trusted, but for another host */
    refused("the server's certificate is not trusted");
    ask("good", "none.pem");
    refused("none.pem cannot be read");
}

static void test_feed_tls__wrong_files_do_not_start(void **state) {
    (void)state;
    char pem[300], key[300];
    lochan_feed *feed = NULL;
    lochan_feed_options options = LOCHAN_FEED_OPTIONS_INIT;
    const char *path = tmpdir_path(dir, "names.csv");
    snprintf(pem, sizeof pem, "%s/good.pem", dir);
    snprintf(key, sizeof key, "%s/none.key", dir);
    options.tls_certificate = pem;
    assert_status(lochan_feed_start(path, &options, &feed, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    options.tls_key = key;
    assert_status(lochan_feed_start(path, &options, &feed, &err), LOCHAN_ERR_NOT_FOUND);
    options.tls_key = pem; /* no key */
    assert_status(lochan_feed_start(path, &options, &feed, &err), LOCHAN_ERR_IO);
    assert_non_null(strstr(err.message, "no pair of PEM files"));
    assert_null(feed);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed_tls__a_trusted_certificate),
        cmocka_unit_test(test_feed_tls__others_are_not_asked_again),
        cmocka_unit_test(test_feed_tls__wrong_files_do_not_start),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
