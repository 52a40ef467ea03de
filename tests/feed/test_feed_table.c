/* test_feed_table.c - loading, windows in any order of dates, refusals. */
#include "support/cmocka_all.h"
#include "support/clock_fake.h"
#include "support/fault.h"
#include "support/tmpdir.h"

#include "feed/feed_table.h"

#include <libdeflate.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lochan_error err;
static char *dir;

static int setup(void **state) {
    (void)state;
    dir = tmpdir_make("feed-table");
    return 0;
}

static int teardown(void **state) {
    (void)state;
    tmpdir_remove(dir);
    return 0;
}

static const char *write_text(const char *name, const char *text) {
    const char *path = tmpdir_path(dir, name);
    tmpdir_write(path, text, strlen(text));
    return path;
}

static int32_t day(const char *s) {
    int32_t days;
    assert_true(lochan_feed__parse_date(s, strlen(s), &days));
    return days;
}

static void window(const lochan_feed_table *t, const char *start, const char *end, int64_t offset,
                   int64_t limit, const char *expected, bool has_more) {
    lochan_feed_window w;
    char got[1000] = "";
    assert_ok(lochan_feed_table__window(t, start ? day(start) : INT32_MIN,
                                        end ? day(end) : INT32_MAX, offset, limit, &w, &err));
    for (size_t i = 0; i < w.n_parts; i++)
        strncat(got, w.parts[i].iov_base, w.parts[i].iov_len);
    assert_string_equal(got, expected);
    assert_int_equal(w.bytes, strlen(expected));
    assert_int_equal(w.has_more, has_more);
    lochan_feed_window__deinit(&w);
}

static void test_feed_table__newest_first(void **state) {
    (void)state;
    lochan_feed_table t;
    assert_ok(lochan_feed_table__load(
        write_text("fx.csv", "Date,USD,\n2024-01-05,3,\n2024-01-03,2,\n2024-01-02,1,"), NULL, &t,
        &err));
    assert_string_equal(t.name, "fx");
    assert_int_equal(t.n_rows, 3);
    assert_int_equal(t.direction, -1);
    window(&t, NULL, NULL, 0, -1, "Date,USD,\n2024-01-05,3,\n2024-01-03,2,\n2024-01-02,1,\n",
           false);
    window(&t, "2024-01-03", "2024-01-04", 0, -1, "Date,USD,\n2024-01-03,2,\n", false);
    window(&t, "2024-01-04", "2024-01-04", 0, -1, "Date,USD,\n", false);
    window(&t, "20240102", "20240105", 1, 1, "Date,USD,\n2024-01-03,2,\n", true);
    window(&t, NULL, NULL, 2, 1, "Date,USD,\n2024-01-02,1,\n", false);
    window(&t, NULL, NULL, 9, -1, "Date,USD,\n", false);
    window(&t, NULL, NULL, 0, 0, "Date,USD,\n", true);
    window(&t, "2024-01-05", "2024-01-01", 0, -1, "Date,USD,\n", false);
    lochan_feed_table__deinit(&t);
}

static void test_feed_table__any_order(void **state) {
    (void)state;
    lochan_feed_table t;
    const char *path = write_text(
        "a.csv", "\xEF\xBB\xBF"
                 "k,d\r\na,20240103\r\n\"b\nb\",20240101\r\n\"c\",20240103\r\nd,20240104\r\n");
    assert_ok(lochan_feed_table__load(path, "d", &t, &err));
    assert_int_equal(t.direction, 0);
    window(&t, "2024-01-03", "2024-01-03", 0, -1, "k,d\r\na,20240103\r\n\"c\",20240103\r\n", false);
    window(&t, "2024-01-03", "2024-01-04", 1, 1, "k,d\r\n\"c\",20240103\r\n", true);
    window(&t, "2024-01-01", "2024-01-02", 0, -1, "k,d\r\n\"b\nb\",20240101\r\n", false);
    lochan_feed_table__deinit(&t);
}

/* Against a plain loop over the rows. */
static void test_feed_table__windows_match_a_plain_loop(void **state) {
    (void)state;
    uint64_t seed = 7;
    for (int round = 0; round < 300; round++) {
        char text[4096] = "d,i\n", expected[4096];
        int dates[40], n = (int)(fake_random(&seed) % 40), order = round % 3;
        for (int i = 0; i < n; i++) {
            int step = (int)(fake_random(&seed) % 3);
            dates[i] = order == 0   ? (i ? dates[i - 1] + step : 100)
                       : order == 1 ? (i ? dates[i - 1] - step : 200)
                                    : 100 + (int)(fake_random(&seed) % 30);
            char date[16];
            snprintf(date, sizeof date, "2024-%02d-%02d", 1 + dates[i] / 28 % 12,
                     1 + dates[i] % 28);
            snprintf(text + strlen(text), sizeof text - strlen(text), "%s,%d\n", date, i);
        }
        lochan_feed_table t;
        assert_ok(lochan_feed_table__load(write_text("r.csv", text), NULL, &t, &err));
        for (int k = 0; k < 20; k++) {
            int from = 80 + (int)(fake_random(&seed) % 140),
                to = from + (int)(fake_random(&seed) % 40);
            char start[16], end[16];
            snprintf(start, sizeof start, "2024-%02d-%02d", 1 + from / 28 % 12, 1 + from % 28);
            snprintf(end, sizeof end, "2024-%02d-%02d", 1 + to / 28 % 12, 1 + to % 28);
            long offset = (long)(fake_random(&seed) % 5), limit = (long)(fake_random(&seed) % 12),
                 seen = 0, left = limit;
            bool more = false;
            snprintf(expected, sizeof expected, "d,i\n");
            for (int i = 0; i < n; i++) {
                if (dates[i] < from || dates[i] > to || seen++ < offset)
                    continue;
                if (left-- <= 0) {
                    more = true;
                    continue;
                }
                snprintf(expected + strlen(expected), sizeof expected - strlen(expected),
                         "2024-%02d-%02d,%d\n", 1 + dates[i] / 28 % 12, 1 + dates[i] % 28, i);
            }
            window(&t, start, end, offset, limit, expected, more);
        }
        lochan_feed_table__deinit(&t);
    }
}

static void test_feed_table__gzip(void **state) {
    (void)state;
    lochan_feed_table t;
    const char text[] = "Date,A\n2024-01-01,1\n2024-01-02,2\n";
    char packed[2000];
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    size_t n = libdeflate_gzip_compress(c, text, 20, packed, 1000);
    n += libdeflate_gzip_compress(c, text + 20, sizeof text - 21, packed + n,
                                  1000); /* two members */
    libdeflate_free_compressor(c);
    const char *path = tmpdir_path(dir, "z.csv.gz");
    tmpdir_write(path, packed, n);
    assert_ok(lochan_feed_table__load(path, NULL, &t, &err));
    assert_string_equal(t.name, "z");
    window(&t, NULL, NULL, 0, -1, text, false);
    lochan_feed_table__deinit(&t);
    tmpdir_write(path, packed, n - 5);
    assert_status(lochan_feed_table__load(path, NULL, &t, &err), LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "z.csv.gz"));
    packed[15] ^= 0x40;
    tmpdir_write(path, packed, n);
    assert_status(lochan_feed_table__load(path, NULL, &t, &err), LOCHAN_ERR_CORRUPT);
}

static void test_feed_table__refusals(void **state) {
    (void)state;
    lochan_feed_table t;
    assert_status(lochan_feed_table__load(tmpdir_path(dir, "none.csv"), NULL, &t, &err),
                  LOCHAN_ERR_NOT_FOUND);
    assert_status(lochan_feed_table__load(write_text("e.csv", ""), NULL, &t, &err),
                  LOCHAN_ERR_PAGE);
    assert_status(lochan_feed_table__load(write_text("c.csv", "d,x\n2024-01-01,1\n2024-01-02\n"),
                                          NULL, &t, &err),
                  LOCHAN_ERR_PAGE);
    assert_int_equal(err.line, 3);
    assert_status(lochan_feed_table__load(write_text("d.csv", "d,x\n2024-01-01,1\n2024-13-02,1\n"),
                                          NULL, &t, &err),
                  LOCHAN_ERR_PAGE);
    assert_int_equal(err.line, 3);
    assert_non_null(strstr(err.message, "'2024-13-02' is no date"));
    assert_status(
        lochan_feed_table__load(write_text("n.csv", "d,x\n2024-01-01,1\n"), "day", &t, &err),
        LOCHAN_ERR_NOT_FOUND);
    assert_ok(lochan_feed_table__load(write_text("p.csv", "a,b\n1,x\n"), NULL, &t,
                                      &err)); /* a table without dates */
    assert_null(t.dates);
    window(&t, NULL, NULL, 0, -1, "a,b\n1,x\n", false);
    lochan_feed_table__deinit(&t);
    assert_ok(lochan_feed_table__load(write_text("h.csv", "a,b\n"), NULL, &t, &err));
    window(&t, "2024-01-01", "2024-01-02", 0, -1, "a,b\n", false);
    lochan_feed_table__deinit(&t);
}

static lochan_status sweep_body(void *ctx, lochan_error *e) {
    lochan_feed_table t;
    lochan_feed_window w;
    LOCHAN_TRY(lochan_feed_table__load(ctx, NULL, &t, e));
    lochan_status rc = lochan_feed_table__window(&t, 0, INT32_MAX, 0, -1, &w, e);
    if (rc == LOCHAN_OK)
        lochan_feed_window__deinit(&w);
    lochan_feed_table__deinit(&t);
    return rc;
}

static void test_feed_table__fault_sweep(void **state) {
    (void)state;
    char path[512];
    snprintf(path, sizeof path, "%s",
             write_text("s.csv", "d,x\n2024-01-01,1\n2024-01-03,1\n2024-01-02,1\n"));
    fault_totals t =
        fault_sweep(&(fault_case){.name = "table",
                                  .body = sweep_body,
                                  .ctx = path,
                                  .kinds = FAULT_OOM | FAULT_EIO | FAULT_SHORT | FAULT_EINTR});
    assert_true(t.failed > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_feed_table__newest_first, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed_table__any_order, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed_table__windows_match_a_plain_loop, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_feed_table__gzip, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed_table__refusals, setup, teardown),
        cmocka_unit_test_setup_teardown(test_feed_table__fault_sweep, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
