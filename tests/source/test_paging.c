/* test_paging.c - the paging block, the requests of pages, and walks that end, or fail. */
#include "support/cmocka_all.h"

#include "source/page_request.h"

#include <string.h>

static lochan_error err;
static lochan_paging paging;
static lochan_pager pager;
static bool more, discard;

static void start(lochan_paging_kind kind) {
    lochan_paging__init(&paging);
    paging.kind = kind;
    lochan_pager__deinit(&pager);
    lochan_pager__init(&pager, &paging);
}

static int stop(void **state) {
    (void)state;
    lochan_pager__deinit(&pager);
    return 0;
}

/* A page of so many rows; each has other bytes unless `hash` is given. */
static lochan_status page(int64_t rows, lochan_page_facts facts) {
    static uint64_t next = 1000;
    facts.rows = rows;
    if (facts.hash.lo == 0)
        facts.hash.lo = next++;
    return lochan_pager__advance(&pager, &facts, &more, &discard, &err);
}

#define NOTHING    ((lochan_page_facts){0})
#define MORE(yes)  ((lochan_page_facts){.has_more_known = true, .has_more = (yes)})
#define NEXT(text) ((lochan_page_facts){.next = (char *)(uintptr_t)(text)})

static const char *value(const char *name) {
    static lochan_pager_ask ask;
    lochan_pager__ask(&pager, &ask);
    for (size_t i = 0; i < ask.n_values; i++)
        if (strcmp(ask.values[i].name, name) == 0)
            return ask.values[i].value;
    return NULL;
}

static void test_paging__offset_follows_the_rows(void **state) {
    (void)state;
    start(LOCHAN_PAGING_OFFSET);
    paging.page_size = 100;
    assert_string_equal(value("offset"), "0");
    assert_ok(page(60, NOTHING)); /* a cap of the provider's that nobody told us */
    assert_true(more);
    assert_string_equal(value("offset"), "60");
    assert_ok(page(60, NOTHING));
    assert_string_equal(value("offset"), "120");
    assert_ok(page(0, NOTHING));
    assert_false(more);
    /* With a known cap a short page is the last. */
    start(LOCHAN_PAGING_OFFSET);
    paging.page_size = paging.max_rows = 100;
    assert_ok(page(100, NOTHING));
    assert_true(more);
    assert_ok(page(99, NOTHING));
    assert_false(more);
}

static void test_paging__has_more_is_obeyed(void **state) {
    (void)state;
    start(LOCHAN_PAGING_OFFSET);
    paging.page_size = paging.max_rows = 100;
    assert_ok(page(7, MORE(true)));
    assert_true(more);
    assert_string_equal(value("offset"), "7");
    assert_int_equal(page(0, MORE(true)), LOCHAN_ERR_PAGE);
    assert_ok(page(100, MORE(false)));
    assert_false(more);
    start(LOCHAN_PAGING_NONE);
    assert_int_equal(page(3, MORE(true)), LOCHAN_ERR_PAGE);
    assert_ok(page(3, MORE(false)));
}

static void test_paging__total(void **state) {
    (void)state;
    start(LOCHAN_PAGING_PAGE);
    paging.start = 1;
    lochan_page_facts facts = {.total_known = true, .total = 5};
    assert_string_equal(value("page"), "1");
    assert_ok(page(3, facts));
    assert_true(more);
    assert_string_equal(value("page"), "2");
    assert_int_equal(page(0, facts), LOCHAN_ERR_PAGE);
    assert_ok(page(2, facts));
    assert_false(more);
    start(LOCHAN_PAGING_PAGE);
    facts.has_more_known = true;
    assert_int_equal(page(3, facts), LOCHAN_ERR_PAGE); /* no more, but 3 of 5 */
}

static void test_paging__repeated_page_fails(void **state) {
    (void)state;
    lochan_page_facts same = {.hash = {.lo = 5}};
    start(LOCHAN_PAGING_OFFSET);
    assert_ok(page(10, same));
    assert_int_equal(page(10, same), LOCHAN_ERR_PAGE);
    assert_non_null(strstr(err.message, "repeats itself"));
    assert_ok(page(10, NOTHING)); /* asked again, another answer */
    assert_string_equal(value("offset"), "20");
}

static void test_paging__no_end_fails(void **state) {
    (void)state;
    start(LOCHAN_PAGING_OFFSET);
    paging.max_pages = 3;
    assert_ok(page(1, NOTHING));
    assert_ok(page(1, NOTHING));
    assert_int_equal(page(1, NOTHING), LOCHAN_ERR_UNSUPPORTED);
}

static void test_paging__cursor(void **state) {
    (void)state;
    start(LOCHAN_PAGING_CURSOR);
    assert_null(value("cursor"));
    assert_ok(page(2, NEXT("abc")));
    assert_true(more);
    assert_string_equal(value("cursor"), "abc");
    assert_int_equal(page(2, NEXT("abc")), LOCHAN_ERR_PAGE);
    assert_ok(page(0, NEXT("d"))); /* no rows here, but the provider goes on */
    assert_true(more);
    assert_ok(page(2, NEXT("")));
    assert_false(more);
    lochan_page_facts facts = MORE(true);
    assert_int_equal(page(2, facts), LOCHAN_ERR_PAGE);
}

static void test_paging__window_is_halved(void **state) {
    (void)state;
    int asked[64][2], n = 0;
    start(LOCHAN_PAGING_WINDOW);
    paging.max_rows = 10;
    lochan_pager__set_window(&pager, 0, 15); /* four rows a day */
    for (more = true; more && n < 64; n++) {
        asked[n][0] = pager.from;
        asked[n][1] = pager.to;
        int64_t rows = 4 * (pager.to - pager.from + 1);
        assert_ok(page(rows < 10 ? rows : 10, NOTHING));
        assert_int_equal(discard, rows >= 10);
        asked[n][1] -= discard ? 100 : 0;
    }
    int day = 0;
    for (int i = 0; i < n; i++) {
        if (asked[i][1] < asked[i][0])
            continue;
        assert_int_equal(asked[i][0], day); /* no gap, no overlap */
        day = asked[i][1] + 1;
    }
    assert_int_equal(day, 16);
    start(LOCHAN_PAGING_WINDOW);
    paging.max_rows = 10;
    lochan_pager__set_window(&pager, 3, 3);
    assert_int_equal(page(10, NOTHING), LOCHAN_ERR_UNSUPPORTED);
}

static lochan_source_spec *parse(const char *text) {
    lochan_source_spec *spec = NULL;
    assert_ok(lochan_source_spec__parse(text, strlen(text), "s.yaml", &spec, &err));
    return spec;
}

static void test_paging__link_stays_with_its_host(void **state) {
    (void)state;
    lochan_source_spec *spec = parse("name: s\nkind: http\nurl: https://h:1/v1\n");
    static const struct {
        const char *link;
        lochan_status code;
        const char *url;
    } cases[] = {{"/v1/x?page=2", LOCHAN_OK, "https://h:1/v1/x?page=2"},
                 {"https://h:1/y", LOCHAN_OK, "https://h:1/y"},
                 {"https://other/y", LOCHAN_ERR_UNSUPPORTED, NULL},
                 {"http://h:1/y", LOCHAN_ERR_UNSUPPORTED, NULL},
                 {"https://h:1@evil/", LOCHAN_ERR_UNSUPPORTED, NULL},
                 {"//evil/y", LOCHAN_ERR_UNSUPPORTED, NULL},
                 {"/a{secret}", LOCHAN_ERR_PAGE, NULL},
                 {"/a\r\nX: y", LOCHAN_ERR_PAGE, NULL}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        lochan_source_request request;
        start(LOCHAN_PAGING_LINK);
        assert_ok(page(1, NEXT(cases[i].link)));
        assert_ok(lochan_source__build_request(spec, NULL, 0, NULL, 0, &request, &err));
        assert_int_equal(lochan_pager__follow(&pager, spec, &request, &err), cases[i].code);
        if (cases[i].url)
            assert_string_equal(request.url, cases[i].url);
        lochan_source_request__deinit(&request);
    }
    lochan_source_spec__free(spec);
}

/* `auth: query`: the provider leaves its key out of the link, or gives back the stars that were
 * written over it. */
static void test_paging__link_gets_the_key(void **state) {
    (void)state;
    static const struct {
        const char *link, *url;
    } cases[] = {{"/x", "https://h/x?a%20key={secret}"},
                 {"/x?page=2", "https://h/x?page=2&a%20key={secret}"},
                 {"https://h/x?a%20key=****&page=2&", "https://h/x?page=2&a%20key={secret}"},
                 {"/x?b=1&a%20key=**&c&a%20key=", "https://h/x?b=1&c&a%20key={secret}"}};
    lochan_source_spec *spec = parse("name: s\nkind: http\nurl: https://h\nsecret: env:K\n"
                                     "auth: {kind: query, name: a key}\n");
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        lochan_source_request request;
        start(LOCHAN_PAGING_LINK);
        assert_ok(page(1, NEXT(cases[i].link)));
        assert_ok(lochan_source__build_request(spec, NULL, 0, NULL, 0, &request, &err));
        assert_ok(lochan_pager__follow(&pager, spec, &request, &err));
        assert_string_equal(request.url, cases[i].url);
        lochan_source_request__deinit(&request);
    }
    lochan_source_spec__free(spec);
}

static void test_paging__parameters_go_into_the_body(void **state) {
    (void)state;
    lochan_source_spec *spec =
        parse("name: s\nkind: http\nurl: http://h\nmethod: POST\nsecret: env:X\n"
              "body: {api_name: \"{source_dataset}\", token: \"{secret}\", params: \"{params}\", "
              "fields: \"\", "
              "n: 5, gone: \"{nothing}\", list: [1, \"{nothing}\", \"a\\\"{start}\"]}\n"
              "paging: {kind: offset, page_size: 500, limit_param: limit, offset_param: offset}\n");
    lochan_source_request request;
    lochan_pager_ask ask;
    lochan_pager__deinit(&pager);
    lochan_pager__init(&pager, &spec->paging);
    lochan_pager__ask(&pager, &ask);
    lochan_source_value values[8] = {{"source_dataset", "daily"}, {"start", "20240101"}};
    memcpy(values + 2, ask.values, ask.n_values * sizeof *values);
    lochan_source_pair extra[8] = {{"start_date", "{start}"}, {"limit", "7"}, {"x", "{params}"}};
    memcpy(extra + 3, ask.params, ask.n_params * sizeof *extra);
    assert_ok(lochan_source__build_request(spec, values, 2 + ask.n_values, extra, 3 + ask.n_params,
                                           &request, &err));
    assert_string_equal(request.url, "http://h");
    assert_string_equal(request.body,
                        "{\"api_name\":\"daily\",\"token\":\"{secret}\",\"params\":{\"start_date\":"
                        "\"20240101\",\"x\":{},\"limit\":500,\"offset\":0},\"fields\":\"\",\"n\":5,"
                        "\"list\":[1,\"a\\\"20240101\"]}");
    lochan_source_request__deinit(&request);
    lochan_source_spec__free(spec);
}

static void test_paging__block(void **state) {
    (void)state;
    static const struct {
        const char *block, *words;
    } wrong[] = {{"kind: offset, page_param: p", "page_param: only with pagination page"},
                 {"kind: cursor", "needs 'next'"},
                 {"kind: window", "needs max_rows"},
                 {"kind: offset, page_size: 5, max_rows: 4", "more than max_rows"},
                 {"kind: offset, ahead: 2", "ahead"},
                 {"kind: spiral", "spiral"},
                 {"kind: offset, page_size: 0", "page_size"},
                 {"kind: cursor, next: a..b", "path"},
                 {"kind: offset, pagesize: 3", "pagesize"}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(wrong); i++) {
        char text[300];
        lochan_source_spec *spec;
        lochan_format(text, sizeof text, "name: s\nkind: http\nurl: http://h\npaging: {%s}\n",
                      wrong[i].block);
        assert_int_equal(lochan_source_spec__parse(text, strlen(text), "s.yaml", &spec, &err),
                         LOCHAN_ERR_SPEC);
        if (!strstr(err.message, wrong[i].words) || err.line != 4)
            fail_msg("%s: line %d: %s", wrong[i].block, (int)err.line, err.message);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_paging__offset_follows_the_rows, stop),
        cmocka_unit_test_teardown(test_paging__has_more_is_obeyed, stop),
        cmocka_unit_test_teardown(test_paging__total, stop),
        cmocka_unit_test_teardown(test_paging__repeated_page_fails, stop),
        cmocka_unit_test_teardown(test_paging__no_end_fails, stop),
        cmocka_unit_test_teardown(test_paging__cursor, stop),
        cmocka_unit_test_teardown(test_paging__window_is_halved, stop),
        cmocka_unit_test_teardown(test_paging__link_stays_with_its_host, stop),
        cmocka_unit_test_teardown(test_paging__link_gets_the_key, stop),
        cmocka_unit_test_teardown(test_paging__parameters_go_into_the_body, stop),
        cmocka_unit_test_teardown(test_paging__block, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
