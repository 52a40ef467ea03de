/* test_fetch.c - the fetcher against a server that does everything wrong. The clock is a fake one,
 * so back-off takes no time; only what libcurl itself times (time-outs, stalls) is waited for. */
#include "rude_server.h"
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "source/fetch.h"

#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND INT64_C(1000000000)
#define WALL   INT64_C(1793318400000000000) /* 2026-10-30 00:00:00 UTC */

enum { MAX_PAGES = 300 };
static lochan_error err;
static rude_server *server;

/* What a run delivered. */
static struct run {
    lochan_source_spec *spec;
    lochan_ctx ctx;
    lochan_budget budget;
    lochan_cancel cancel;
    lochan_fetcher *f;
    uint16_t port;
    bool done[MAX_PAGES], failed[MAX_PAGES];
    char *body[MAX_PAGES];
    lochan_fetch_meta meta[MAX_PAGES];
    lochan_error error[MAX_PAGES];
    int attempts[MAX_PAGES];
    lochan_fetch_counters counters;
    int bad_checks; /* how many bodies check calls unusable */
    lochan_status check_code;
    int follow; /* pages that on_page adds, one after the other */
    int again;  /* how often on_page sends a page back */
    lochan_status page_code;
    int turns, cancel_at_turn;
    char waited_for[128];
} run;

static lochan_status on_check(void *ctx, size_t index, const lochan_buf *body,
                              const lochan_fetch_meta *meta, lochan_error *e) {
    (void)ctx, (void)index, (void)body, (void)meta;
    if (run.bad_checks-- > 0)
        return lochan_error__set(e, run.check_code, "not what was asked for");
    return LOCHAN_OK;
}

static void add(size_t index, const char *path);

static lochan_status on_page(void *ctx, size_t index, lochan_buf *body,
                             const lochan_fetch_meta *meta, lochan_error *e) {
    (void)ctx;
    assert_false(run.failed[index]);
    if (run.page_code != LOCHAN_OK)
        return lochan_error__set(e, run.page_code, "the caller stops");
    run.done[index] = true;
    run.meta[index] = *meta;
    size_t n;
    lochan_mem__free(run.body[index]);
    run.body[index] = (char *)lochan_buf__take(body, &n);
    if (run.follow > 0) {
        run.follow--;
        add(index + 1, "/next");
    }
    if (run.again > 0) {
        run.again--;
        lochan_error why;
        lochan_error__set(&why, LOCHAN_ERR_PAGE, "seen to be wrong later");
        run.done[index] = false;
        return lochan_fetcher__again(run.f, index, &why, e);
    }
    return LOCHAN_OK;
}

static lochan_status on_failure(void *ctx, size_t index, const lochan_error *error,
                                int32_t attempts, lochan_error *e) {
    (void)ctx, (void)e;
    assert_false(run.done[index] || run.failed[index]);
    run.failed[index] = true;
    run.error[index] = *error;
    run.attempts[index] = attempts;
    return LOCHAN_OK;
}

static void on_progress(void *ctx, const lochan_fetch_counters *c) {
    (void)ctx;
    if (c->waiting_for)
        snprintf(run.waited_for, sizeof run.waited_for, "%s", c->waiting_for);
}

static lochan_status on_turn(void *ctx, lochan_fetch_turn *turn, lochan_error *e) {
    (void)ctx, (void)turn, (void)e;
    if (++run.turns == run.cancel_at_turn)
        atomic_store(&run.cancel.requested, 1);
    return LOCHAN_OK;
}

static void open_spec(const char *more) {
    char text[2048];
    snprintf(text, sizeof text,
             "name: t\nkind: http\nurl: http://127.0.0.1:%u\ntimeout: 20s\nworkers: 4\n%s",
             (unsigned)run.port, more);
    assert_ok(lochan_source_spec__parse(text, strlen(text), "t", &run.spec, &err));
}

static void open_fetcher(void) {
    lochan_fetch_options o;
    lochan_fetch_options__init(&o, run.spec);
    const lochan_fetch_callbacks c = {.check = run.check_code ? on_check : NULL,
                                      .on_page = on_page,
                                      .on_failure = on_failure,
                                      .on_progress = on_progress,
                                      .on_turn = on_turn};
    run.ctx = (lochan_ctx){.budget = &run.budget, .cancel = &run.cancel};
    assert_ok(lochan_fetcher__create(&run.ctx, run.spec, &o, &c, &run.f, &err));
}

static void begin(rude_handler handler, const char *more) {
    memset(&run, 0, sizeof run);
    lochan_budget__init(&run.budget, 0);
    fake_clock_install(WALL, 1);
    server = rude_start(handler);
    run.port = rude_port(server);
    open_spec(more);
}

static void add(size_t index, const char *path) {
    char url[512];
    snprintf(url, sizeof url, "%s%s", run.spec->url, path);
    lochan_source_request r = {.url = url, .method = run.spec->method};
    r.headers = (lochan_source_pair *)(uintptr_t)run.spec->headers;
    r.n_headers = run.spec->n_headers;
    r.body = (char *)(uintptr_t)run.spec->body;
    assert_ok(lochan_fetcher__add(run.f, index, &r, &err));
}

static void finish(void) {
    lochan_fetcher__free(run.f);
    assert_int_equal(atomic_load(&run.budget.used), 0);
    lochan_source_spec__free(run.spec);
    for (int i = 0; i < MAX_PAGES; i++)
        lochan_mem__free(run.body[i]);
    rude_stop(server);
    fake_clock_remove();
}

/* One page through a server, whatever comes of it. */
static void fetch_one(rude_handler handler, const char *more, const char *path) {
    begin(handler, more);
    open_fetcher();
    add(0, path);
    assert_ok(lochan_fetcher__run(run.f, &err));
    lochan_fetcher__get_counters(run.f, &run.counters);
    assert_true(run.done[0] != run.failed[0]);
    assert_int_equal(run.counters.running + run.counters.waiting, 0);
}

/* ---- good answers ---- */

static bool good(rude_server *s, int fd, const char *path, int nth, const char *request) {
    (void)s, (void)nth, (void)request;
    rude_page(fd, "200 OK", "Content-Type: text/csv\r\nX-Has-More: true\r\n", path);
    return true;
}

static void test_fetch__many_pages(void **state) {
    (void)state;
    begin(good, "");
    open_fetcher();
    char path[32];
    for (size_t i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/p%zu", i);
        add(i, path);
    }
    assert_ok(lochan_fetcher__run(run.f, &err));
    for (size_t i = 0; i < 200; i++) {
        snprintf(path, sizeof path, "/p%zu", i);
        assert_true(run.done[i]);
        assert_string_equal(run.body[i], path);
        assert_int_equal(run.meta[i].attempts, 1);
    }
    assert_string_equal(run.meta[0].content_type, "text/csv");
    assert_true(run.meta[0].has_more && run.meta[0].has_more_known && run.meta[0].end_is_marked);
    assert_int_equal(run.meta[0].wall_ns, WALL);
    lochan_fetcher__get_counters(run.f, &run.counters);
    assert_int_equal(run.counters.requests, 200);
    assert_int_equal(run.counters.done, 200);
    assert_int_equal(run.counters.retries, 0);
    assert_true(rude_most_at_once(server) <= 4);
    assert_true(rude_connections(server) <= 8); /* reused */
    assert_int_equal(fake_clock_sleeps(), 0);
    finish();
}

static void test_fetch__pages_add_pages(void **state) {
    (void)state;
    begin(good, "");
    open_fetcher();
    run.follow = 5;
    run.again = 1;
    add(0, "/first");
    assert_ok(lochan_fetcher__run(run.f, &err));
    for (size_t i = 0; i < 6; i++)
        assert_true(run.done[i]);
    assert_int_equal(rude_requests(server, "/first"), 2);
    assert_int_equal(run.meta[0].attempts, 2);
    lochan_fetcher__get_counters(run.f, &run.counters);
    assert_int_equal(run.counters.retries, 1);
    assert_int_equal(run.counters.done, 6);
    lochan_source_request r = {.url = (char *)(uintptr_t)run.spec->url};
    assert_status(lochan_fetcher__add(run.f, 3, &r, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_fetcher__again(run.f, 77, &err, NULL), LOCHAN_ERR_INVALID_ARGUMENT);
    finish();
}

static bool without_length(rude_server *s, int fd, const char *path, int nth, const char *request) {
    (void)s, (void)nth, (void)request;
    if (strcmp(path, "/chunked") == 0) {
        rude_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: "
                     "chunked\r\n\r\n4\r\na,b\n\r\n4\r\n1,2\n\r\n0\r\n\r\n");
        return true;
    }
    rude_say(fd,
             "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nConnection: close\r\n\r\na,b\n1,2\n");
    return false;
}

static void test_fetch__ends_of_bodies(void **state) {
    (void)state;
    fetch_one(without_length, "", "/chunked");
    assert_string_equal(run.body[0], "a,b\n1,2\n");
    assert_true(run.meta[0].end_is_marked);
    finish();
    fetch_one(without_length, "", "/close");
    assert_string_equal(run.body[0], "a,b\n1,2\n");
    assert_false(run.meta[0].end_is_marked);
    finish();
}

/* ---- statuses ---- */

static bool ill_twice(rude_server *s, int fd, const char *path, int nth, const char *request) {
    (void)s, (void)request;
    if (nth <= 2)
        rude_page(fd, path + 1, "", "sorry");
    else
        rude_page(fd, "200 OK", "", "a\n1\n");
    return true;
}

static void test_fetch__retryable_statuses(void **state) {
    (void)state;
    static const char *const statuses[] = {"/408", "/425", "/429", "/500", "/502", "/503", "/504"};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        fetch_one(ill_twice, "retry_backoff: 100ms\n", statuses[i]);
        assert_true(run.done[0]);
        assert_int_equal(run.meta[0].attempts, 3);
        assert_int_equal(run.counters.retries, 2);
        assert_true(fake_clock_slept() >= 2 * SECOND / 10);
        assert_non_null(strstr(run.waited_for, "after HTTP"));
        finish();
    }
}

static bool always(rude_server *s, int fd, const char *path, int nth, const char *request) {
    (void)s, (void)nth, (void)request;
    rude_page(fd, path + 1, "", "no  such\n\ttable");
    return true;
}

static void test_fetch__other_statuses_fail_at_once(void **state) {
    (void)state;
    static const char *const statuses[] = {"/400", "/401", "/403", "/404", "/410", "/204", "/304"};
    for (size_t i = 0; i < sizeof statuses / sizeof statuses[0]; i++) {
        fetch_one(always, "", statuses[i]);
        assert_true(run.failed[0]);
        assert_int_equal(run.attempts[0], 1);
        assert_int_equal(run.error[0].code, LOCHAN_ERR_HTTP);
        assert_int_equal(run.error[0].http_status, atoi(statuses[i] + 1));
        assert_false(run.error[0].retryable);
        finish();
    }
    fetch_one(always, "", "/404");
    assert_non_null(strstr(run.error[0].message, "/404: HTTP 404: no such table"));
    finish();
}

static void test_fetch__the_budget_of_a_page(void **state) {
    (void)state;
    fetch_one(always, "max_retries: 3\nretry_backoff: 1s\nmax_backoff: 5s\n", "/503");
    assert_true(run.failed[0]);
    assert_int_equal(run.attempts[0], 4);
    assert_int_equal(rude_requests(server, NULL), 4);
    assert_true(run.error[0].retryable);
    assert_true(fake_clock_slept() >= 3 * SECOND && fake_clock_slept() <= 16 * SECOND);
    finish();
    fetch_one(always, "max_retries: 0\n", "/503");
    assert_int_equal(run.attempts[0], 1);
    finish();
}

static void test_fetch__meanings_of_the_spec(void **state) {
    (void)state;
    fetch_one(always, "errors: [{http: 404, meaning: empty}, {http: 500, meaning: fatal}]\n",
              "/404");
    assert_true(run.done[0]);
    assert_true(run.meta[0].empty);
    finish();
    fetch_one(always, "errors: [{http: 404, meaning: empty}, {http: 500, meaning: fatal}]\n",
              "/500");
    assert_true(run.failed[0]);
    assert_int_equal(run.attempts[0], 1);
    finish();
}

/* ---- Retry-After ---- */

static char retry_after[100];

static bool limited_once(rude_server *s, int fd, const char *path, int nth, const char *request) {
    char header[128];
    (void)s, (void)path, (void)request;
    snprintf(header, sizeof header, "Retry-After: %s\r\n", retry_after);
    if (nth == 1)
        rude_page(fd, "429 Too Many Requests", header, "slow down");
    else
        rude_page(fd, "200 OK", "", "a\n1\n");
    return true;
}

static void test_fetch__retry_after(void **state) {
    (void)state;
    static const struct {
        const char *text;
        int least, most; /* seconds slept */
    } cases[] = {
        {"7", 7, 8},  {"Fri, 30 Oct 2026 00:00:20 GMT", 20, 21}, {"0", 1, 4},
        {"-5", 1, 4}, {"Thu, 29 Oct 2026 23:59:00 GMT", 1, 4},   {"soon", 1, 4},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        snprintf(retry_after, sizeof retry_after, "%s", cases[i].text);
        fetch_one(limited_once, "retry_backoff: 1s\n", "/x");
        assert_true(run.done[0]);
        int64_t slept = fake_clock_slept();
        if (slept < cases[i].least * SECOND || slept > cases[i].most * SECOND)
            fail_msg("%s: slept %.3f s", cases[i].text, (double)slept / 1e9);
        finish();
    }
    snprintf(retry_after, sizeof retry_after, "86400"); /* longer than anybody waits */
    fetch_one(limited_once, "", "/x");
    assert_true(run.failed[0]);
    assert_int_equal(run.error[0].code, LOCHAN_ERR_RATE_LIMIT);
    assert_int_equal(run.error[0].retry_after_ms, 86400000);
    assert_int_equal(fake_clock_slept(), 0);
    finish();
}

/* After a 429 nothing else is asked until the wait is over. */
static void test_fetch__a_rate_limit_holds_all(void **state) {
    (void)state;
    snprintf(retry_after, sizeof retry_after, "30");
    begin(limited_once, "");
    run.spec->workers = 1;
    open_fetcher();
    add(0, "/a");
    add(1, "/b");
    assert_ok(lochan_fetcher__run(run.f, &err));
    assert_true(run.done[0] && run.done[1]);
    assert_true(fake_clock_slept() >= 30 * SECOND);
    assert_non_null(strstr(run.waited_for, "after HTTP 429"));
    finish();
}

/* ---- answers that are not whole ---- */

static bool broken_once(rude_server *s, int fd, const char *path, int nth, const char *request) {
    (void)s, (void)request;
    if (nth > 1) {
        rude_page(fd, "200 OK", "", "a\n1\n");
        return true;
    }
    if (strcmp(path, "/short") == 0)
        rude_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\na\n1\n");
    else if (strcmp(path, "/chunk") == 0)
        rude_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\na\n1\n\r\n");
    else if (strcmp(path, "/badchunk") == 0)
        rude_say(fd, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\na\n1\n\r\n");
    else if (strcmp(path, "/nothing") == 0)
        return false;
    else if (strcmp(path, "/reset") == 0)
        return rude_reset(fd);
    else if (strcmp(path, "/head") == 0)
        rude_say(fd, "HTTP/1.1 200 OK\r\nContent-Le");
    else if (strcmp(path, "/noise") == 0)
        rude_say(fd, "\x16\x03\x01 this is no HTTP at all\r\n\r\n");
    else if (strcmp(path, "/html") == 0)
        rude_page(fd, "200 OK", "Content-Type: text/html; charset=utf-8\r\n", "<html>error</html>");
    return false;
}

static void test_fetch__broken_answers_are_asked_again(void **state) {
    (void)state;
    static const char *const paths[] = {"/short", "/chunk", "/badchunk", "/nothing",
                                        "/reset", "/head",  "/noise",    "/html"};
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        fetch_one(broken_once, "", paths[i]);
        if (!run.done[0])
            fail_msg("%s: %s", paths[i], run.error[0].message);
        if (!run.body[0] || strcmp(run.body[0], "a\n1\n") != 0)
            fail_msg("%s: '%s'", paths[i], run.body[0]);
        assert_int_equal(run.meta[0].attempts, 2);
        finish();
    }
}

static bool hangs(rude_server *s, int fd, const char *path, int nth, const char *request) {
    (void)nth, (void)request;
    if (strcmp(path, "/drip") == 0) {
        rude_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
        for (int i = 0; i < 500 && !rude_is_over(s); i++) {
            struct timespec ts = {0, 100000000};
            rude_say(fd, "x");
            nanosleep(&ts, NULL);
        }
        return false;
    }
    rude_wait(s, fd);
    return false;
}

static void test_fetch__hanging_and_dripping(void **state) {
    (void)state;
    begin(hangs, "max_retries: 1\n");
    run.spec->timeout_ns = SECOND / 5;
    open_fetcher();
    add(0, "/hang");
    assert_ok(lochan_fetcher__run(run.f, &err));
    assert_true(run.failed[0]);
    assert_int_equal(run.error[0].code, LOCHAN_ERR_TIMEOUT);
    assert_int_equal(run.attempts[0], 2);
    assert_true(run.error[0].retryable);
    finish();
    begin(hangs, "max_retries: 0\nstall_timeout: 1s\n"); /* long before its timeout of 20 s */
    open_fetcher();
    add(0, "/drip");
    assert_ok(lochan_fetcher__run(run.f, &err));
    assert_int_equal(run.error[0].code, LOCHAN_ERR_TIMEOUT);
    assert_non_null(strstr(run.error[0].message, "slow"));
    finish();
}

static void test_fetch__nobody_listens(void **state) {
    (void)state;
    begin(good, "max_retries: 2\n");
    uint16_t port = run.port;
    rude_stop(server);
    server = rude_start(good); /* another port */
    run.port = port;
    open_fetcher();
    add(0, "/x");
    assert_ok(lochan_fetcher__run(run.f, &err));
    assert_true(run.failed[0]);
    assert_int_equal(run.error[0].code, LOCHAN_ERR_NETWORK);
    assert_int_equal(run.attempts[0], 3);
    finish();
}

/* ---- too much ---- */

static bool too_much(rude_server *s, int fd, const char *path, int nth, const char *request) {
    static char block[65536];
    (void)nth, (void)request;
    memset(block, 'x', sizeof block);
    if (strcmp(path, "/endless") == 0) {
        rude_say(fd, "HTTP/1.1 200 OK\r\n\r\n");
        for (int i = 0; i < 2000 && !rude_is_over(s); i++)
            rude_write(fd, block, sizeof block);
    } else if (strcmp(path, "/claims") == 0) {
        rude_say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\nabc");
    } else if (strcmp(path, "/line") == 0) {
        rude_say(fd, "HTTP/1.1 200 OK\r\nX-Long: ");
        for (int i = 0; i < 100 && !rude_is_over(s); i++)
            rude_write(fd, block, sizeof block);
    } else if (strcmp(path, "/headers") == 0) {
        rude_say(fd, "HTTP/1.1 200 OK\r\n");
        for (int i = 0; i < 20000 && !rude_is_over(s); i++)
            rude_say(fd, "X-Header: 0123456789012345678901234567890123456789\r\n");
    } else if (strcmp(path, "/bomb") == 0 || strcmp(path, "/zip") == 0 ||
               strcmp(path, "/cutzip") == 0) {
        size_t n = strcmp(path, "/bomb") == 0 ? (size_t)32 << 20 : 1000;
        char *zeros = calloc(1, n), *packed = malloc(n + 1000);
        struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
        memset(zeros, 'z', n);
        size_t size = libdeflate_gzip_compress(c, zeros, n, packed, n + 1000);
        libdeflate_free_compressor(c);
        if (strcmp(path, "/cutzip") == 0)
            size -= 12;
        char head[200];
        snprintf(head, sizeof head,
                 "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", size);
        rude_say(fd, head);
        rude_write(fd, packed, size);
        free(zeros);
        free(packed);
    }
    return false;
}

static void test_fetch__bodies_are_bounded(void **state) {
    (void)state;
    static const char *const paths[] = {"/endless", "/claims", "/bomb"};
    for (size_t i = 0; i < 3; i++) {
        fetch_one(too_much, "max_body: 1MiB\n", paths[i]);
        assert_true(run.failed[0]);
        if (run.error[0].code != LOCHAN_ERR_MEMORY_LIMIT)
            fail_msg("%s: %s", paths[i], run.error[0].message);
        assert_int_equal(run.attempts[0], 1);
        assert_true(atomic_load(&run.budget.peak) <= 2 << 20); /* packed and unpacked */
        finish();
    }
    fetch_one(too_much, "", "/zip");
    assert_true(run.done[0]);
    assert_int_equal(run.meta[0].bytes, 1000);
    assert_true(run.meta[0].wire_bytes < 100);
    finish();
}

static void test_fetch__headers_are_bounded(void **state) {
    (void)state;
    fetch_one(too_much, "max_retries: 1\n", "/line");
    assert_true(run.failed[0]);
    finish();
    fetch_one(too_much, "max_retries: 1\n", "/headers");
    assert_true(run.failed[0]);
    finish();
}

static void test_fetch__gzip_that_is_cut(void **state) {
    (void)state;
    fetch_one(too_much, "max_retries: 1\n", "/cutzip");
    assert_true(run.failed[0]);
    assert_int_equal(run.error[0].code, LOCHAN_ERR_PAGE);
    assert_int_equal(run.attempts[0], 2);
    finish();
}

static bool big(rude_server *s, int fd, const char *path, int nth, const char *request) {
    (void)s, (void)nth, (void)request;
    size_t n = strtoul(path + 1, NULL, 10);
    char *text = malloc(n + 1);
    memset(text, 'b', n);
    text[n] = '\0';
    rude_page(fd, "200 OK", "", text);
    free(text);
    return true;
}

static void test_fetch__the_memory_budget(void **state) {
    (void)state;
    begin(big, "");
    lochan_budget__init(&run.budget, 1 << 20);
    open_fetcher();
    for (size_t i = 0; i < 12; i++)
        add(i, "/600000"); /* one at a time fits */
    add(12, "/3000000");   /* never fits */
    assert_ok(lochan_fetcher__run(run.f, &err));
    for (size_t i = 0; i < 12; i++)
        assert_true(run.done[i]);
    assert_true(run.failed[12]);
    assert_int_equal(run.error[12].code, LOCHAN_ERR_MEMORY_LIMIT);
    assert_true(atomic_load(&run.budget.peak) <= 1 << 20);
    finish();
}

/* ---- secrets and redirects ---- */

static bool echoes(rude_server *s, int fd, const char *path, int nth, const char *request) {
    (void)s, (void)nth;
    char body[512];
    bool has_key = strstr(request, "X-Key: tok-12345678\r\n") != NULL;
    snprintf(body, sizeof body, "key %s tok-12345678 of %s", has_key ? "sent" : "missing", path);
    if (strncmp(path, "/bad", 4) == 0)
        rude_page(fd, "401 Unauthorized", "", body);
    else if (strcmp(path, "/to-same") == 0)
        rude_page(fd, "302 Found", "Location: /landed\r\n", "");
    else if (strcmp(path, "/to-file") == 0)
        rude_page(fd, "302 Found", "Location: file:///etc/passwd\r\n", "");
    else if (strcmp(path, "/loop") == 0)
        rude_page(fd, "302 Found", "Location: /loop\r\n", "");
    else if (strcmp(path, "/to-other") == 0) {
        const char *host = strstr(request, "Host: 127.0.0.1:");
        char header[200];
        snprintf(header, sizeof header, "Location: http://localhost:%d/landed?k=tok-12345678\r\n",
                 host ? atoi(host + 16) : 0);
        rude_page(fd, "307 Temporary Redirect", header, "");
    } else
        rude_page(fd, "200 OK", "", body);
    return true;
}

static const char with_key[] = "secret: env:LOCHAN_TEST_KEY\nheaders: {X-Key: '{secret}'}\n";

static void test_fetch__secrets_are_sent_and_never_shown(void **state) {
    (void)state;
    setenv("LOCHAN_TEST_KEY", "tok-12345678", 1);
    fetch_one(echoes, with_key, "/good");
    assert_string_equal(run.body[0], "key sent ************ of /good");
    finish();
    fetch_one(echoes, with_key, "/bad?k={secret}");
    assert_true(run.failed[0]);
    assert_int_equal(rude_requests(server, "/bad?k=tok-12345678"), 1);
    assert_non_null(
        strstr(run.error[0].message, "/bad?k={secret}: HTTP 401: key sent ************"));
    assert_null(strstr(run.error[0].message, "tok-"));
    finish();
    unsetenv("LOCHAN_TEST_KEY");
    begin(echoes, with_key);
    lochan_fetch_options o;
    lochan_fetch_options__init(&o, run.spec);
    const lochan_fetch_callbacks c = {.on_page = on_page, .on_failure = on_failure};
    assert_status(lochan_fetcher__create(&run.ctx, run.spec, &o, &c, &run.f, &err),
                  LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.message, "source 't'"));
    finish();
}

static void test_fetch__redirects(void **state) {
    (void)state;
    setenv("LOCHAN_TEST_KEY", "tok-12345678", 1);
    fetch_one(echoes, with_key, "/to-same");
    assert_true(run.done[0]);
    assert_non_null(strstr(run.body[0], "key sent"));
    assert_int_equal(run.meta[0].attempts, 1);
    finish();
    fetch_one(echoes, with_key,
              "/to-other"); /* the same machine under another name is another host */
    assert_true(run.failed[0]);
    assert_non_null(strstr(run.error[0].message, "a redirect to localhost:"));
    assert_null(strstr(run.error[0].message, "tok-"));
    assert_int_equal(rude_requests(server, NULL), 1);
    finish();
    fetch_one(echoes, "", "/to-other"); /* nothing to betray */
    assert_true(run.done[0]);
    finish();
    fetch_one(echoes, "", "/to-file");
    assert_true(run.failed[0]);
    assert_non_null(strstr(run.error[0].message, "a redirect to nowhere"));
    finish();
    fetch_one(echoes, "", "/loop");
    assert_true(run.failed[0]);
    assert_int_equal(rude_requests(server, "/loop"), 6);
    finish();
    fetch_one(echoes, "method: POST\nbody: '{}'\n", "/to-same");
    assert_true(run.failed[0]);
    assert_non_null(strstr(run.error[0].message, "would drop the request's body"));
    finish();
}

static bool posted(rude_server *s, int fd, const char *path, int nth, const char *request) {
    (void)s, (void)path, (void)nth;
    bool ok = strncmp(request, "POST ", 5) == 0 &&
              strstr(request, "Content-Type: application/json\r\n") &&
              strstr(request, "\r\n\r\n{\"token\": \"to\\\"k\"}") && !strstr(request, "Expect:");
    rude_page(fd, ok ? "200 OK" : "400 Bad Request", "", request);
    return true;
}

static void test_fetch__post(void **state) {
    (void)state;
    setenv("LOCHAN_TEST_KEY", "to\"k", 1);
    fetch_one(posted,
              "method: POST\nsecret: env:LOCHAN_TEST_KEY\nbody: '{\"token\": \"{secret}\"}'\n",
              "/api");
    if (!run.done[0])
        fail_msg("%s", run.error[0].message);
    finish();
}

/* ---- the caller's part ---- */

static void test_fetch__check_decides(void **state) {
    (void)state;
    begin(good, "");
    run.check_code = LOCHAN_ERR_PAGE;
    run.bad_checks = 2;
    open_fetcher();
    add(0, "/x");
    assert_ok(lochan_fetcher__run(run.f, &err));
    assert_true(run.done[0]);
    assert_int_equal(run.meta[0].attempts, 3);
    finish();
    begin(good, "");
    run.check_code = LOCHAN_ERR_SCHEMA;
    run.bad_checks = 1;
    open_fetcher();
    add(0, "/x");
    assert_ok(lochan_fetcher__run(run.f, &err));
    assert_true(run.failed[0]);
    assert_int_equal(run.attempts[0], 1);
    assert_int_equal(run.error[0].code, LOCHAN_ERR_SCHEMA);
    finish();
}

static void test_fetch__the_caller_stops_the_run(void **state) {
    (void)state;
    begin(good, "");
    run.page_code = LOCHAN_ERR_NO_SPACE;
    open_fetcher();
    for (size_t i = 0; i < 10; i++)
        add(i, "/x");
    assert_status(lochan_fetcher__run(run.f, &err), LOCHAN_ERR_NO_SPACE);
    assert_string_equal(err.message, "the caller stops");
    finish();
}

static void test_fetch__cancel(void **state) {
    (void)state;
    begin(hangs, "");
    run.cancel_at_turn = 3;
    open_fetcher();
    for (size_t i = 0; i < 10; i++)
        add(i, "/hang");
    assert_status(lochan_fetcher__run(run.f, &err), LOCHAN_ERR_CANCELLED);
    assert_true(run.turns <= 4);
    finish();
    snprintf(retry_after, sizeof retry_after, "3000"); /* while it waits, too */
    begin(limited_once, "");
    run.cancel_at_turn = 10;
    open_fetcher();
    add(0, "/x");
    assert_status(lochan_fetcher__run(run.f, &err), LOCHAN_ERR_CANCELLED);
    for (size_t i = 0; i < fake_clock_sleeps(); i++)
        assert_true(fake_clock_sleep(i) <= SECOND / 10);
    finish();
}

/* ---- out of memory ---- */

static lochan_status sweep_page(void *ctx, size_t index, lochan_buf *body,
                                const lochan_fetch_meta *meta, lochan_error *e) {
    (void)index, (void)body, (void)meta, (void)e;
    ++*(int *)ctx;
    return LOCHAN_OK;
}

static lochan_status sweep_failure(void *ctx, size_t index, const lochan_error *error,
                                   int32_t attempts, lochan_error *e) {
    (void)ctx, (void)index, (void)attempts;
    if (e)
        *e = *error;
    return error->code;
}

static lochan_status sweep_body(void *ctx, lochan_error *e) {
    char url[100];
    int delivered = 0;
    snprintf(url, sizeof url, "http://127.0.0.1:%u/x?k={secret}", (unsigned)*(uint16_t *)ctx);
    lochan_source_request r = {.url = url};
    lochan_ctx c = {0};
    lochan_fetcher *f = NULL;
    lochan_fetch_options o;
    lochan_fetch_options__init(&o, run.spec);
    const lochan_fetch_callbacks callbacks = {
        .ctx = &delivered, .on_page = sweep_page, .on_failure = sweep_failure};
    lochan_status rc = lochan_fetcher__create(&c, run.spec, &o, &callbacks, &f, e);
    for (size_t i = 0; i < 3 && rc == LOCHAN_OK; i++)
        rc = lochan_fetcher__add(f, i, &r, e);
    if (rc == LOCHAN_OK)
        rc = lochan_fetcher__run(f, e);
    lochan_fetcher__free(f);
    assert_true(rc != LOCHAN_OK || delivered == 3);
    return rc;
}

static void test_fetch__fault_sweep(void **state) {
    (void)state;
    setenv("LOCHAN_TEST_KEY", "tok-12345678", 1);
    memset(&run, 0, sizeof run);
    int pid = rude_fork(good, &run.port);
    open_spec(with_key);
    fault_totals t = fault_sweep(&(fault_case){
        .name = "fetch", .body = sweep_body, .ctx = &run.port, .kinds = FAULT_OOM, .dense = 40});
    assert_true(t.failed > 10);
    lochan_source_spec__free(run.spec);
    rude_kill(pid);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_fetch__fault_sweep), /* first: it forks, so no thread may run yet */
        cmocka_unit_test(test_fetch__many_pages),
        cmocka_unit_test(test_fetch__pages_add_pages),
        cmocka_unit_test(test_fetch__ends_of_bodies),
        cmocka_unit_test(test_fetch__retryable_statuses),
        cmocka_unit_test(test_fetch__other_statuses_fail_at_once),
        cmocka_unit_test(test_fetch__the_budget_of_a_page),
        cmocka_unit_test(test_fetch__meanings_of_the_spec),
        cmocka_unit_test(test_fetch__retry_after),
        cmocka_unit_test(test_fetch__a_rate_limit_holds_all),
        cmocka_unit_test(test_fetch__broken_answers_are_asked_again),
        cmocka_unit_test(test_fetch__hanging_and_dripping),
        cmocka_unit_test(test_fetch__nobody_listens),
        cmocka_unit_test(test_fetch__bodies_are_bounded),
        cmocka_unit_test(test_fetch__headers_are_bounded),
        cmocka_unit_test(test_fetch__gzip_that_is_cut),
        cmocka_unit_test(test_fetch__the_memory_budget),
        cmocka_unit_test(test_fetch__secrets_are_sent_and_never_shown),
        cmocka_unit_test(test_fetch__redirects),
        cmocka_unit_test(test_fetch__post),
        cmocka_unit_test(test_fetch__check_decides),
        cmocka_unit_test(test_fetch__the_caller_stops_the_run),
        cmocka_unit_test(test_fetch__cancel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
