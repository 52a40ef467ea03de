/* test_spec.c - defaults, every refusal with its place, meanings of errors. */
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "source/spec.h"

#include <stdio.h>
#include <string.h>

static lochan_error err;

static lochan_source_spec *parse(const char *text) {
    lochan_source_spec *spec = NULL;
    assert_ok(lochan_source_spec__parse(text, strlen(text), "s.yaml", &spec, &err));
    return spec;
}

#define BASE "name: s\nkind: http\nurl: http://h\n"

static void refused(const char *text, int line, const char *words) {
    lochan_source_spec *spec = NULL;
    lochan_status rc = lochan_source_spec__parse(text, strlen(text), "s.yaml", &spec, &err);
    if (rc != LOCHAN_ERR_SPEC)
        fail_msg("'%s' gave %s", text, lochan_status_name(rc));
    assert_int_equal(err.code, LOCHAN_ERR_SPEC);
    assert_null(spec);
    if (err.line != line || !strstr(err.message, words))
        fail_msg("'%s': line %d: %s", text, (int)err.line, err.message);
}

static void test_spec__defaults(void **state) {
    (void)state;
    lochan_source_spec *s = parse(BASE);
    assert_string_equal(s->name, "s");
    assert_string_equal(s->path, "");
    assert_int_equal(s->method, LOCHAN_METHOD_GET);
    assert_int_equal(s->format, LOCHAN_FORMAT_CSV);
    assert_int_equal(s->csv_delimiter, ',');
    assert_int_equal(s->n_csv_null_texts, 1);
    assert_string_equal(s->csv_null_texts[0], "");
    assert_int_equal(s->workers, 4);
    assert_int_equal(s->max_retries, 4);
    assert_true(s->max_body == 256 << 20);
    assert_int_equal(s->retry_backoff_ns, 500000000);
    assert_null(s->secret);
    char date[32];
    assert_ok(lochan_source_spec__print_date(s, 20756, date, sizeof date, &err));
    assert_string_equal(date, "2026-10-30");
    lochan_source_spec__free(s);
    lochan_source_spec__free(NULL);
}

static void test_spec__every_field(void **state) {
    (void)state;
    lochan_source_spec *s = parse(
        "name: x\ndescription: d\nkind: http\nurl: https://h:1/base\npath: /{source_dataset}\n"
        "method: POST\nheaders: {X-Key: '{secret}'}\nquery: {a: b, n: 1}\nbody: '{\"x\": 1}'\n"
        "secret: env:T\nformat: csv\ncsv: {delimiter: \"\\t\", null_texts: [N/A, '']}\n"
        "date_format: '%Y%m%d'\nerrors: [{http: 404, meaning: empty}, {http: 403, meaning: "
        "rate_limit}]\ntimeout: 5s\nconnect_timeout: 1s\nstall_timeout: 2s\nmax_body: 1MiB\n"
        "workers: 9\nmax_retries: 0\nretry_backoff: 0\nmax_backoff: 1m\nuser_agent: me\n");
    assert_int_equal(s->method, LOCHAN_METHOD_POST);
    assert_int_equal(s->n_headers, 1);
    assert_string_equal(s->headers[0].value, "{secret}");
    assert_int_equal(s->n_query, 2);
    assert_string_equal(s->query[1].value, "1");
    assert_int_equal(s->csv_delimiter, '\t');
    assert_int_equal(s->n_csv_null_texts, 2);
    assert_string_equal(s->secret, "env:T");
    assert_int_equal(s->max_retries, 0);
    assert_true(s->max_body == 1 << 20);
    assert_true(s->timeout_ns == INT64_C(5000000000));
    assert_int_equal(lochan_source_spec__meaning(s, 404), LOCHAN_MEANING_EMPTY);
    assert_int_equal(lochan_source_spec__meaning(s, 403), LOCHAN_MEANING_RATE_LIMIT);
    assert_int_equal(lochan_source_spec__meaning(s, 400), LOCHAN_MEANING_FATAL);
    assert_int_equal(lochan_source_spec__meaning(s, 408), LOCHAN_MEANING_RETRY);
    assert_int_equal(lochan_source_spec__meaning(s, 425), LOCHAN_MEANING_RETRY);
    assert_int_equal(lochan_source_spec__meaning(s, 429), LOCHAN_MEANING_RATE_LIMIT);
    assert_int_equal(lochan_source_spec__meaning(s, 502), LOCHAN_MEANING_RETRY);
    lochan_source_spec__free(s);
}

static void test_spec__refusals(void **state) {
    (void)state;
    refused("", 1, "expected a map");
    refused("- a\n", 1, "expected a map");
    refused("kind: http\nurl: http://h\n", 1, "the key 'name' is missing");
    refused("name: ../x\nkind: http\nurl: http://h\n", 1, "source");
    refused("name: staging\nkind: http\nurl: http://h\n", 1, "reserved");
    refused("name: s\nkind: ftp\nurl: http://h\n", 2, "expected one of http");
    refused("name: s\nkind: http\n", 1, "the key 'url' is missing");
    refused("name: s\nkind: http\nurl: file:///etc/passwd\n", 3, "http://HOST");
    refused("name: s\nkind: http\nurl: http://\n", 3, "http://HOST");
    refused("name: s\nkind: http\nurl: http://h/a b\n", 3, "not allowed");
    refused("name: s\nkind: http\nurl: http://h/?a=1\n", 3, "belong under 'query'");
    refused(BASE "wrokers: 3\n", 4, "did you mean 'workers'?");
    refused(BASE "workers: -3\n", 4, "from 1 to 256, found '-3'");
    refused(BASE "workers: 0\n", 4, "from 1 to 256");
    refused(BASE "method: get\n", 4, "expected one of GET, POST");
    refused(BASE "body: x\n", 4, "only for method POST");
    refused(BASE "path: x\n", 4, "must begin with '/'");
    refused(BASE "path: /x?y\n", 4, "parameters belong");
    refused(BASE "headers: {Host: x}\n", 4, "cannot be set");
    refused(BASE "headers: {'a b': x}\n", 4, "no header name");
    refused(BASE "headers:\n  A: \"x\\r\\nB: y\"\n", 5, "line breaks");
    refused(BASE "headers: [a]\n", 4, "expected a map");
    refused(BASE "query: {a: [1]}\n", 4, "expected text");
    refused(BASE "secret: abc123\n", 4, "env:NAME or file:PATH");
    refused(BASE "secret: 'env:'\n", 4, "env:NAME or file:PATH");
    refused(BASE "headers: {K: '{secret}'}\n", 1, "the key 'secret'");
    refused(BASE "date_format: '%Q'\n", 4, "");
    refused(BASE "csv: {delimiter: ';;'}\n", 4, "one ASCII character");
    refused(BASE "csv: {delimiter: '\"'}\n", 4, "one ASCII character");
    refused(BASE "csv:\n  delim: ','\n", 5, "unknown key 'csv.delim'");
    refused(BASE "format: cvs\n", 4, "expected one of csv");
    refused(BASE "errors: [{http: 99, meaning: empty}]\n", 4, "from 200 to 599");
    refused(BASE "errors: [{http: 404, meaning: ignore}]\n", 4, "expected one of retry");
    refused(BASE "errors: [{http: 404}]\n", 4, "'meaning' is missing");
    refused(BASE "timeout: 0\n", 4, "at least 1ms");
    refused(BASE "max_body: 8GiB\n", 4, "4GiB");
    refused(BASE "retry_backoff: 2m\n", 4, "shorter than retry_backoff");
    refused(BASE "max_backoff: 1ms\n", 4, "shorter than retry_backoff");
}

/* The value of the pair of that name, NULL if there is none. */
static const char *pair(const lochan_source_pair *pairs, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(pairs[i].name, name) == 0)
            return pairs[i].value;
    return NULL;
}

#define WITH_SECRET BASE "secret: env:T\n"

static void test_spec__auth(void **state) {
    (void)state;
    lochan_source_spec *s = parse(WITH_SECRET "headers: {A: b}\nauth: bearer\n");
    assert_string_equal(pair(s->headers, s->n_headers, "Authorization"), "Bearer {secret}");
    assert_string_equal(pair(s->headers, s->n_headers, "A"), "b");
    lochan_source_spec__free(s);
    s = parse(WITH_SECRET "auth: {kind: basic, user: me}\nca_file: ca.pem\n");
    assert_string_equal(pair(s->headers, s->n_headers, "Authorization"), "Basic {secret:basic}");
    assert_string_equal(s->auth_user, "me");
    assert_string_equal(s->ca_file, "ca.pem");
    lochan_source_spec__free(s);
    s = parse(WITH_SECRET "auth: {kind: header, name: X-Key}\n");
    assert_string_equal(pair(s->headers, s->n_headers, "X-Key"), "{secret}");
    lochan_source_spec__free(s);
    s = parse(WITH_SECRET "query: {a: b}\nauth: {kind: query, name: key}\n");
    assert_string_equal(pair(s->query, s->n_query, "key"), "{secret}");
    lochan_source_spec__free(s);
    s = parse(WITH_SECRET "auth: none\n");
    assert_int_equal(s->n_headers + s->n_query, 0);
    lochan_source_spec__free(s);
}

static void test_spec__auth_in_the_body(void **state) {
    (void)state;
    static const struct {
        const char *more, *body;
    } cases[] = {{"", "{\"token\":\"{secret}\"}"},
                 {"body: {a: 1}\n", "{\"token\":\"{secret}\",\"a\":1}"},
                 {"body: {}\n", "{\"token\":\"{secret}\"}"}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        char text[400];
        lochan_source_request request;
        snprintf(text, sizeof text, "%s%sauth: {kind: body, name: token}\n",
                 WITH_SECRET "method: POST\n", cases[i].more);
        lochan_source_spec *s = parse(text);
        assert_ok(lochan_source__build_request(s, NULL, 0, NULL, 0, &request, &err));
        assert_string_equal(request.body, cases[i].body);
        lochan_source_request__deinit(&request);
        lochan_source_spec__free(s);
    }
}

static void test_spec__refusals_of_auth(void **state) {
    (void)state;
    refused(BASE "auth: bearer\n", 4, "the key 'secret'");
    refused(WITH_SECRET "auth: digest\n", 5, "expected one of none, bearer, basic");
    refused(WITH_SECRET "auth: {name: x}\n", 5, "auth: the key 'kind' is missing");
    refused(WITH_SECRET "auth: {kind: bearer, nmae: x}\n", 5, "did you mean 'name'?");
    refused(WITH_SECRET "auth: header\n", 5, "{kind: header, name: NAME}");
    refused(WITH_SECRET "auth: {kind: query, name: ''}\n", 5, "which one?");
    refused(WITH_SECRET "auth: {kind: bearer, name: x}\n", 5, "only for header, query and body");
    refused(WITH_SECRET "auth: {kind: bearer, user: x}\n", 5, "only for kind basic");
    refused(WITH_SECRET "auth: {kind: basic, user: 'a:b'}\n", 5, "colons");
    refused(WITH_SECRET "auth: {kind: header, name: Host}\n", 5, "cannot be set");
    refused(WITH_SECRET "auth: {kind: header, name: 'a b'}\n", 5, "no header name");
    refused(WITH_SECRET "auth: {kind: query, name: '{x}'}\n", 5, "braces");
    refused(WITH_SECRET "headers: {authorization: x}\nauth: bearer\n", 6, "already");
    refused(WITH_SECRET "query: {key: x}\nauth: {kind: query, name: key}\n", 6, "already");
    refused(WITH_SECRET "auth: {kind: body, name: t}\n", 5, "method POST");
    refused(WITH_SECRET "method: POST\nbody: a=b\nauth: {kind: body, name: t}\n", 7,
            "the body is text");
    refused(WITH_SECRET "method: POST\nbody: {t: 1}\nauth: {kind: body, name: t}\n", 7,
            "no map without");
    refused(WITH_SECRET "method: POST\nbody: [1]\nauth: {kind: body, name: t}\n", 7,
            "no map without");
    refused(BASE "ca_file: ''\n", 4, "is empty");
}

/* A password written where only a reference may stand must not come back in the message. */
static void test_spec__a_secret_in_the_wrong_place_is_not_repeated(void **state) {
    (void)state;
    refused(BASE "secret: hunter2-hunter2\n", 4, "env:NAME");
    assert_null(strstr(err.message, "hunter2"));
    assert_null(strstr(err.hint, "hunter2"));
    refused("name: s\nkind: http\nurl: http://me:hunter2@h/\n", 3, "do not belong here");
    assert_null(strstr(err.message, "hunter2"));
}

static lochan_status sweep_body(void *ctx, lochan_error *e) {
    (void)ctx;
    static const char text[] =
        BASE "headers: {a: b}\nquery: {c: d}\ncsv: {null_texts: [x]}\nsecret: env:T\n"
             "method: POST\nauth: {kind: body, name: t}\nca_file: x\n"
             "errors: [{http: 404, meaning: empty}]\n";
    lochan_source_spec *spec = NULL;
    lochan_status rc = lochan_source_spec__parse(text, sizeof text - 1, "s", &spec, e);
    lochan_source_spec__free(spec);
    return rc;
}

static void test_spec__fault_sweep(void **state) {
    (void)state;
    fault_totals t =
        fault_sweep(&(fault_case){.name = "spec", .body = sweep_body, .kinds = FAULT_OOM});
    assert_true(t.failed > 10);
}

static void test_spec__answers_and_limits(void **state) {
    (void)state;
    lochan_source_spec *s = parse(
        BASE "format: table\nresponse: {fields: a.f, items: a.i, error_code: code, ok: [0], "
             "message: msg}\nerrors: [{code: [1, 2], meaning: retry, wait: 5s}, {http: 404, "
             "meaning: empty}]\nrate_limit: {per_minute: 500, concurrent: 3, scope: endpoint}\n"
             "retry_budget: 7\nbreaker_failures: 2\nmethod: POST\nbody: {a: [1, \"{x:int}\"]}\n");
    const lochan_source_error_rule *rule;
    assert_int_equal(lochan_source_spec__code_meaning(s, "2", &rule), LOCHAN_MEANING_RETRY);
    assert_int_equal(rule->wait_ns, 5000000000);
    assert_int_equal(lochan_source_spec__code_meaning(s, "9", &rule), LOCHAN_MEANING_FATAL);
    assert_null(rule);
    assert_int_equal(lochan_source_spec__meaning(s, 404), LOCHAN_MEANING_EMPTY);
    assert_int_equal(s->limits.per_minute, 500);
    assert_int_equal(s->limits.concurrent, 3);
    assert_true(s->limits.per_endpoint);
    assert_int_equal(s->retry_budget, 7);
    assert_int_equal(s->breaker_failures, 2);
    assert_non_null(s->body_tree);
    lochan_source_spec__free(s);
    refused(BASE "format: table\n", 1, "response");
    refused(BASE "format: table\nresponse: {fields: a}\n", 5, "items");
    refused(BASE "response: {items: a}\n", 4, "only with format table or records");
    refused(BASE "format: records\nresponse: {items: a., x: 1}\n", 5, "x");
    refused(BASE "format: records\nresponse: {items: a.}\n", 5, "expected a path");
    refused(BASE "format: records\nresponse: {ok: [0]}\n", 5, "ok needs error_code");
    refused(BASE "errors: [{code: 1, meaning: retry}]\n", 4, "code needs response.error_code");
    refused(BASE "errors: [{meaning: retry}]\n", 4, "either http");
    refused(BASE "errors: [{http: 404, code: 1, meaning: retry}]\n", 4, "either http");
    refused(BASE "rate_limit: {per_minute: 0}\n", 4, "per_minute");
    refused(BASE "rate_limit: {per_month: 5}\n", 4, "per_month");
    refused(BASE "method: POST\nbody: {a: \"{x:date}\"}\n", 5, "types of placeholders");
    refused(BASE "method: POST\nbody: {a: [\"{secret}\"]}\n", 1, "'secret'");
    refused(BASE "body: {a: 1}\n", 4, "only for method POST");
    refused(BASE "breaker_failures: 0\n", 4, "breaker_failures");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_spec__answers_and_limits),
        cmocka_unit_test(test_spec__defaults),
        cmocka_unit_test(test_spec__every_field),
        cmocka_unit_test(test_spec__refusals),
        cmocka_unit_test(test_spec__auth),
        cmocka_unit_test(test_spec__auth_in_the_body),
        cmocka_unit_test(test_spec__refusals_of_auth),
        cmocka_unit_test(test_spec__a_secret_in_the_wrong_place_is_not_repeated),
        cmocka_unit_test(test_spec__fault_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
