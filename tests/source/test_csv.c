/* test_csv.c - types, nulls, quotes, refusals with their place, and a comparison with a naive
 * parser. */
#include "support/alloc.h"
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "arrow/view.h"
#include "source/csv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define TYPE(i)                                                                                    \
    { .id = LOCHAN_TYPE_##i }

struct page {
    struct ArrowSchema schema;
    struct ArrowArray batch;
};

static lochan_error err;

static struct page decode(const lochan_csv_options *o, const char *text) {
    struct page p;
    assert_ok(lochan_csv__decode(NULL, o, text, strlen(text), &p.schema, &p.batch, &err));
    assert_ok(lochan_array__check(&p.schema, &p.batch, &err));
    return p;
}

static void release(struct page *p) {
    lochan_schema__release(&p->schema);
    lochan_array__release(&p->batch);
}

static lochan_view column(const struct page *p, int i) {
    lochan_view v;
    assert_ok(lochan_view__init(&v, p->schema.children[i], p->batch.children[i], &err));
    return v;
}

/* The value as text, "NULL" for null. */
static const char *value(const struct page *p, int i, int64_t row) {
    static char text[8][256];
    static unsigned turn;
    char *dst = text[turn++ % 8];
    lochan_view v = column(p, i);
    if (lochan_view__is_null(&v, row))
        return "NULL";
    lochan_buf b;
    lochan_buf__init(&b, 10000);
    assert_ok(lochan_view__print(&v, row, &b, &err));
    snprintf(dst, 256, "%.*s", (int)b.len, b.data ? (char *)b.data : "");
    lochan_buf__deinit(&b);
    lochan_view__deinit(&v);
    return dst;
}

/* The page is refused with a PAGE error at this row, line and column, and with these words. */
static void refused(const lochan_csv_options *o, const char *text, size_t n, int row, int line,
                    const char *name, const char *words) {
    struct page p;
    lochan_status rc = lochan_csv__decode(NULL, o, text, n, &p.schema, &p.batch, &err);
    if (rc != LOCHAN_ERR_PAGE)
        fail_msg("'%s' gave %s", text, lochan_status_name(rc));
    assert_null(p.schema.release);
    assert_null(p.batch.release);
    if (err.row != row || err.line != line || strcmp(err.column, name) != 0 ||
        !strstr(err.message, words))
        fail_msg("'%s': row %d line %d column '%s': %s", text, (int)err.row, (int)err.line,
                 err.column, err.message);
}

static void test_csv__market_rows(void **state) {
    (void)state;
    const lochan_csv_column columns[] = {
        {.name = "trade_date", .type = TYPE(DATE32)},
        {.name = "code", .type = TYPE(STRING)},
        {.name = "vol", .type = TYPE(INT64), .nullable = true},
    };
    const lochan_csv_options o = {.columns = columns, .n_columns = 3, .rest_type = TYPE(FLOAT64)};
    struct page p = decode(
        &o, "code,trade_date,open,vol\n000001.SZ,2024-01-02,10.25,100\n000002.SZ,2024-01-03,,\n");
    assert_int_equal(p.batch.length, 2);
    assert_int_equal(p.batch.n_children, 4);
    assert_string_equal(p.schema.children[1]->name, "trade_date");
    assert_string_equal(p.schema.children[1]->format, "tdD");
    assert_string_equal(p.schema.children[2]->format, "g");
    assert_false(p.schema.children[0]->flags & ARROW_FLAG_NULLABLE);
    assert_true(p.schema.children[2]->flags & ARROW_FLAG_NULLABLE);
    assert_string_equal(value(&p, 0, 1), "000002.SZ");
    assert_string_equal(value(&p, 1, 0), "2024-01-02");
    assert_string_equal(value(&p, 2, 0), "10.25");
    assert_string_equal(value(&p, 2, 1), "NULL");
    assert_string_equal(value(&p, 3, 0), "100");
    assert_string_equal(value(&p, 3, 1), "NULL");
    assert_int_equal(p.batch.children[0]->null_count, 0);
    assert_null(p.batch.children[0]->buffers[0]);
    assert_int_equal(p.batch.children[3]->null_count, 1);
    release(&p);
}

/* As the ECB writes it: newest first, N/A, a trailing comma in every line. */
static void test_csv__wide_page_of_the_ecb(void **state) {
    (void)state;
    static const char *const nulls[] = {"N/A"};
    const lochan_csv_column columns[] = {{.name = "Date", .type = TYPE(DATE32)}};
    const lochan_csv_options o = {.columns = columns,
                                  .n_columns = 1,
                                  .null_texts = nulls,
                                  .n_null_texts = 1,
                                  .rest_type = TYPE(FLOAT64)};
    struct page p = decode(
        &o, "Date,USD,JPY,BGN,\n2026-10-30,1.1172,175.68,N/A,\n2026-10-29,1.113,136,1.9558,\n");
    assert_int_equal(p.batch.n_children, 4);
    assert_int_equal(p.batch.length, 2);
    assert_string_equal(value(&p, 3, 0), "NULL");
    assert_string_equal(value(&p, 3, 1), "1.9558");
    assert_string_equal(value(&p, 2, 1), "136");
    release(&p);
    const char *bad = "Date,USD,\n2026-10-30,1.1,\n2026-10-29,1.2,x\n";
    refused(&o, bad, strlen(bad), 1, 3, "", "has no name");
    bad = "Date,USD,\n2026-10-30,,\n"; /* only N/A means null here */
    refused(&o, bad, strlen(bad), 0, 2, "USD", "expected float64, found ''");
}

static void test_csv__every_type(void **state) {
    (void)state;
    lochan_date_format ymd, stamp;
    assert_ok(lochan_date_format__init(&ymd, "%Y%m%d", &err));
    assert_ok(lochan_date_format__init(&stamp, "%d.%m.%Y %H:%M", &err));
    const lochan_csv_column columns[] = {
        {.name = "b", .type = TYPE(BOOL), .nullable = true},
        {.name = "i8", .type = TYPE(INT8)},
        {.name = "u16", .type = TYPE(UINT16)},
        {.name = "u64", .type = TYPE(UINT64)},
        {.name = "f32", .type = TYPE(FLOAT32)},
        {.name = "dec", .type = {.id = LOCHAN_TYPE_DECIMAL128, .precision = 10, .scale = 3}},
        {.name = "ymd", .type = TYPE(DATE32), .date_format = &ymd},
        {.name = "ts", .type = {.id = LOCHAN_TYPE_TIMESTAMP, .unit = LOCHAN_UNIT_MICRO}},
        {.name = "tf",
         .type = {.id = LOCHAN_TYPE_TIMESTAMP, .unit = LOCHAN_UNIT_SECOND},
         .date_format = &stamp},
        {.name = "bin", .type = TYPE(BINARY)},
    };
    const lochan_csv_options o = {.columns = columns, .n_columns = 10};
    struct page p = decode(
        &o, "b,i8,u16,u64,f32,dec,ymd,ts,tf,bin\n"
            "true,-128,65535,18446744073709551615,0.5,-12.345,20240229,2024-01-02T03:04:05.000006,"
            "29.02.2024 12:30,\xff\xfe\n"
            "0,127,0,0,-1e3,7,19700101,1969-12-31 23:59:59,01.01.1970 00:00,x\n"
            ",1,1,1,1,1,20240229,2024-01-02,29.02.2024 12:30,y\n");
    assert_int_equal(p.batch.length, 3);
    assert_string_equal(value(&p, 0, 0), "true");
    assert_string_equal(value(&p, 0, 1), "false");
    assert_string_equal(value(&p, 0, 2), "NULL");
    assert_string_equal(value(&p, 1, 0), "-128");
    assert_string_equal(value(&p, 2, 0), "65535");
    assert_string_equal(value(&p, 3, 0), "18446744073709551615");
    assert_string_equal(value(&p, 4, 1), "-1000");
    assert_string_equal(value(&p, 5, 0), "-12.345");
    assert_string_equal(value(&p, 5, 1), "7.000");
    assert_string_equal(value(&p, 6, 0), "2024-02-29");
    assert_string_equal(value(&p, 6, 2), "2024-02-29");
    lochan_view ts = column(&p, 7), tf = column(&p, 8);
    assert_true(lochan_view__int64(&ts, 0) == INT64_C(1704164645000006));
    assert_true(lochan_view__int64(&ts, 1) == -1000000);
    assert_true(lochan_view__int64(&tf, 0) == 1709209800);
    assert_true(lochan_view__int64(&tf, 1) == 0);
    assert_true(lochan_view__int64(&tf, 2) == 1709209800);
    release(&p);
}

static void test_csv__values_that_do_not_fit(void **state) {
    (void)state;
    static const struct {
        lochan_type type;
        const char *text;
    } bad[] = {
        {TYPE(BOOL), "maybe"},
        {TYPE(INT8), "128"},
        {TYPE(INT8), "-129"},
        {TYPE(INT64), "1.0"},
        {TYPE(UINT8), "-1"},
        {TYPE(INT32), "1e3"},
        {TYPE(FLOAT32), "1e39"},
        {TYPE(FLOAT64), "1,5"},
        {TYPE(FLOAT64), "abc"},
        {TYPE(FLOAT64), "."},
        {TYPE(FLOAT64), "-"},
        {TYPE(FLOAT64), "1.2.3"},
        {TYPE(FLOAT64), "nan"},
        {TYPE(FLOAT64), "0x10"},
        {TYPE(FLOAT64), "1 2"},
        {TYPE(DATE32), "2024-02-30"},
        {TYPE(DATE32), "20240101"},
        {TYPE(DATE32), "2024-01-01 00:00"},
        {{.id = LOCHAN_TYPE_DECIMAL128, .precision = 4, .scale = 2}, "1.234"},
        {{.id = LOCHAN_TYPE_DECIMAL128, .precision = 4, .scale = 2}, "123.4"},
        {{.id = LOCHAN_TYPE_TIMESTAMP, .unit = LOCHAN_UNIT_SECOND}, "2024-01-01T00:00:00.5"},
        {TYPE(INT64), ""},
        {TYPE(STRING), ""},
        {TYPE(INT64), "9223372036854775808"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        const lochan_csv_column c = {.name = "v", .type = bad[i].type};
        const lochan_csv_options o = {.columns = &c, .n_columns = 1};
        char text[200];
        snprintf(text, sizeof text, "k,v\na,\"%s\"\n", bad[i].text);
        if (bad[i].type.id == LOCHAN_TYPE_STRING)
            snprintf(text, sizeof text, "k,v\na,%s\n", bad[i].text);
        refused(&o, text, strlen(text), 0, 2, "v", "column 'v': expected ");
    }
    const lochan_csv_column list = {.name = "v", .type = TYPE(LIST)};
    const lochan_csv_options o = {.columns = &list, .n_columns = 1};
    struct page p;
    assert_status(lochan_csv__decode(NULL, &o, "v\n1\n", 4, &p.schema, &p.batch, &err),
                  LOCHAN_ERR_UNSUPPORTED);
}

static void test_csv__quotes(void **state) {
    (void)state;
    const lochan_csv_column columns[] = {{.name = "n", .type = TYPE(FLOAT64), .nullable = true}};
    const lochan_csv_options o = {.columns = columns, .n_columns = 1};
    struct page p = decode(&o, "\xEF\xBB\xBF\"a \"\"x\"\"\",n,c\r\n"
                               "\"one, \"\"two\"\"\r\nthree\",\"1.5\",\r\n"
                               "\"\",\"\",\"\"\r\n"
                               "mid\"quote, 2 ,\"x\"\r\n");
    assert_int_equal(p.batch.length, 3);
    assert_string_equal(p.schema.children[0]->name, "a \"x\"");
    assert_string_equal(value(&p, 0, 0), "one, \"two\"\r\nthree");
    assert_string_equal(value(&p, 1, 0), "1.5");
    assert_string_equal(value(&p, 2, 0), "NULL");
    assert_string_equal(value(&p, 0, 1), "");     /* a quoted empty text is text ... */
    assert_string_equal(value(&p, 1, 1), "NULL"); /* ... and no number */
    assert_string_equal(value(&p, 0, 2), "mid\"quote");
    assert_string_equal(value(&p, 1, 2), "2");
    release(&p);
    const char *bad = "a,n\n1,\"open\n2,3\n";
    refused(&o, bad, strlen(bad), 0, 2, "", "inside a quoted field");
    bad = "a,n\nx,1\n\"y\"z,2\n";
    refused(&o, bad, strlen(bad), 1, 3, "", "behind the closing quote");
}

static void test_csv__ends_of_the_page(void **state) {
    (void)state;
    lochan_csv_options o = {0};
    static const char *const two_rows[] = {"a,b\n1,2\n3,4", "a,b\n1,2\n3,4\n",
                                           "a,b\r\n1,2\r\n3,4\r\n", "a,b\n1,2\n3,4\n\n\n",
                                           "a,b\n1,2\n3,4\r"};
    for (size_t i = 0; i < 5; i++) {
        struct page p = decode(&o, two_rows[i]);
        assert_int_equal(p.batch.length, 2);
        assert_string_equal(value(&p, 1, 1), "4");
        release(&p);
    }
    struct page p = decode(&o, "a,b\n");
    assert_int_equal(p.batch.length, 0);
    assert_int_equal(p.batch.n_children, 2);
    release(&p);
    p = decode(&o, "a,b");
    assert_int_equal(p.batch.length, 0);
    release(&p);
    p = decode(&o, "a\n\nx\n"); /* one column: an empty line is an empty field */
    assert_int_equal(p.batch.length, 2);
    release(&p);
    refused(&o, "", 0, -1, -1, "", "empty");
    refused(&o, "\n", 1, -1, 1, "", "no header line");
    refused(&o, "a,b\n\n1,2\n", 9, 0, 2, "", "expected 2 columns as in the header, found 1");
    o.strict_end = true;
    refused(&o, "a,b\n1,2\n3,4", 11, 1, -1, "", "the page was cut");
    p = decode(&o, "a,b\n1,2\n");
    release(&p);
}

static void test_csv__shape_is_refused_with_its_place(void **state) {
    (void)state;
    const lochan_csv_options o = {0};
    refused(&o, "a,b\n1,2\n3\n", 10, 1, 3, "", "expected 2 columns as in the header, found 1");
    refused(&o, "a,b\n1,2\n3,4,5\n", 14, 1, 3, "", "found more than 2");
    refused(&o, "a,b\n1,2\n3,4,", 12, 1, 3, "", "found more than 2");
    refused(&o, "a,b\n1,\"x\ny\"\n3\n", 14, 1, 4, "", "found 1"); /* lines inside a field count */
    struct page p = decode(&o, "a,b\n1,2\n3,");
    assert_int_equal(p.batch.length, 2);
    assert_string_equal(value(&p, 1, 1), "NULL");
    release(&p);
}

static void test_csv__names_of_the_header(void **state) {
    (void)state;
    const lochan_csv_column columns[] = {{.name = "close", .type = TYPE(FLOAT64)}};
    lochan_csv_options o = {.columns = columns, .n_columns = 1};
    const char *bad = "date,closs\n1,2\n";
    refused(&o, bad, strlen(bad), -1, 1, "close",
            "the page has no column 'close'; it has date, closs");
    assert_string_equal(err.hint, "did the provider rename it to 'closs'?");
    o = (lochan_csv_options){0};
    refused(&o, "a,b,a\n", 6, -1, 1, "", "names the column 'a' twice");
    refused(&o, "a,,b\n", 5, -1, 1, "", "without a name");
    refused(&o, "a,\xff\n", 5, -1, 1, "", "no list of column names");
    lochan_csv_column optional = {.name = "x", .type = TYPE(FLOAT64), .optional = true};
    o = (lochan_csv_options){.columns = &optional, .n_columns = 1, .rest = LOCHAN_CSV_REST_SKIP};
    struct page p = decode(&o, "a,b\n1,2\n");
    assert_int_equal(p.batch.n_children, 0);
    assert_int_equal(p.batch.length, 1);
    release(&p);
    p = decode(&o, "a,x,b\nq,1,\"\xff\"\n"); /* what is left out is not looked at */
    assert_int_equal(p.batch.n_children, 1);
    assert_string_equal(value(&p, 0, 0), "1");
    release(&p);
}

static void test_csv__invalid_utf8(void **state) {
    (void)state;
    const lochan_csv_options o = {0};
    refused(&o, "a,b\nx,y\nz,\xc3(\n", 14, 1, 3, "b", "in valid UTF-8");
    refused(&o, "a,b\nx,\xed\xa0\x80\n", 10, 0, 2, "b", "in valid UTF-8");
}

/* The first wrong row is named, whatever comes behind it. */
static void test_csv__first_error_wins(void **state) {
    (void)state;
    const lochan_csv_column columns[] = {{.name = "a", .type = TYPE(INT64)}};
    const lochan_csv_options o = {.columns = columns, .n_columns = 1};
    const char *bad = "a,b\n1,x\nq,x\n3\n";
    refused(&o, bad, strlen(bad), 1, 3, "a", "expected int64 that is not null, found 'q'");
}

static void test_csv__many_blocks(void **state) {
    (void)state;
    const lochan_csv_column columns[] = {{.name = "i", .type = TYPE(INT32)},
                                         {.name = "b", .type = TYPE(BOOL)}};
    const lochan_csv_options o = {.columns = columns, .n_columns = 2};
    enum { ROWS = 30000 };
    lochan_buf text;
    lochan_buf__init(&text, 1 << 24);
    assert_ok(lochan_buf__puts(&text, "i,s,b\n", &err));
    for (int i = 0; i < ROWS; i++)
        assert_ok(lochan_buf__printf(
            &text, &err, i % 7 ? "%d,text %d,%d\n" : "%d,\"text\n%d\",%d\n", i, i, i % 3 == 0));
    struct page p = decode(&o, (char *)text.data);
    assert_int_equal(p.batch.length, ROWS);
    lochan_view i = column(&p, 0), s = column(&p, 1), b = column(&p, 2);
    for (int k = 0; k < ROWS; k++) {
        char expected[32];
        snprintf(expected, sizeof expected, k % 7 ? "text %d" : "text\n%d", k);
        lochan_str got = lochan_view__bytes(&s, k);
        assert_true(lochan_view__int64(&i, k) == k && lochan_view__int64(&b, k) == (k % 3 == 0));
        assert_true(got.n == strlen(expected) && memcmp(got.p, expected, got.n) == 0);
    }
    release(&p);
    lochan_buf__deinit(&text);
}

static void test_csv__memory_follows_the_page_not_its_claims(void **state) {
    (void)state;
    lochan_budget budget;
    lochan_ctx ctx = {.budget = &budget};
    const lochan_csv_options o = {.rest_type = TYPE(FLOAT64)};
    lochan_buf text;
    lochan_buf__init(&text, 1 << 24);
    for (int i = 0; i < 2000; i++)
        assert_ok(lochan_buf__printf(&text, &err, "column%d,", i));
    assert_ok(lochan_buf__puts(&text, "last", &err));
    for (int i = 0; i < 200000; i++)
        assert_ok(lochan_buf__putc(&text, '\n', &err));
    lochan_budget__init(&budget, 10 * text.len);
    struct page p; /* lines, but no rows that could fill 2001 columns */
    assert_ok(lochan_csv__decode(&ctx, &o, text.data, text.len, &p.schema, &p.batch, &err));
    assert_int_equal(p.batch.length, 0);
    assert_int_equal(atomic_load(&budget.used), 0);
    release(&p);
    lochan_budget__init(&budget, 1000);
    assert_status(lochan_csv__decode(&ctx, &o, text.data, text.len, &p.schema, &p.batch, &err),
                  LOCHAN_ERR_MEMORY_LIMIT);
    assert_int_equal(atomic_load(&budget.used), 0);
    lochan_buf__clear(&text);
    for (int i = 0; i < 20000; i++)
        assert_ok(lochan_buf__puts(&text, "a,", &err));
    assert_status(lochan_csv__decode(NULL, &o, text.data, text.len, &p.schema, &p.batch, &err),
                  LOCHAN_ERR_PAGE);
    assert_non_null(strstr(err.message, "more than 16384 columns"));
    lochan_buf__deinit(&text);
    lochan_cancel cancel = {1};
    ctx = (lochan_ctx){.cancel = &cancel};
    assert_status(lochan_csv__decode(&ctx, &o, "a\n1\n", 4, &p.schema, &p.batch, &err),
                  LOCHAN_ERR_CANCELLED);
}

/* ---- against a parser that is plainly right ---- */

enum { MOST_CELLS = 4000 };
static char naive_text[MOST_CELLS][64];
static size_t naive_cells, naive_rows, naive_columns;

/* Byte by byte, as RFC 4180 reads; false if the text is no CSV with equally long rows. */
static bool naive_parse(const char *p, const char *end) {
    naive_cells = naive_rows = naive_columns = 0;
    size_t in_row = 0;
    while (p < end) {
        char *dst = naive_text[naive_cells++];
        size_t n = 0;
        assert_true(naive_cells < MOST_CELLS);
        if (*p == '"') {
            for (p++;; p++) {
                if (p == end)
                    return false;
                if (*p == '"' && p + 1 < end && p[1] == '"')
                    p++;
                else if (*p == '"')
                    break;
                dst[n++] = *p;
            }
            p++;
            if (p < end && *p == '\r' && (p + 1 == end || p[1] == '\n'))
                p++;
            if (p < end && *p != ',' && *p != '\n')
                return false;
        } else {
            while (p < end && *p != ',' && *p != '\n')
                dst[n++] = *p++;
            if ((p == end || *p == '\n') && n > 0 && dst[n - 1] == '\r')
                n--;
        }
        dst[n] = '\0';
        in_row++;
        bool more = p < end && *p == ',';
        if (p < end)
            p++;
        if (more && p == end) { /* a delimiter at the very end: one more empty cell */
            naive_text[naive_cells++][0] = '\0';
            in_row++;
            more = false;
        }
        if (more)
            continue;
        if (naive_columns == 0)
            naive_columns = in_row;
        if (in_row != naive_columns)
            return false;
        naive_rows++;
        in_row = 0;
    }
    return naive_rows > 0;
}

static void compare_with_naive(const char *text, size_t n) {
    static const char *const no_nulls[] = {"\x01"};
    const lochan_csv_options o = {.null_texts = no_nulls, .n_null_texts = 1};
    char *exact = test_malloc(n ? n : 1); /* so that a sanitizer sees one byte too far */
    memcpy(exact, text, n);
    struct page p;
    lochan_status rc = lochan_csv__decode(NULL, &o, exact, n, &p.schema, &p.batch, &err);
    test_free(exact);
    bool good = naive_parse(text, text + n);
    if (good != (rc == LOCHAN_OK))
        fail_msg("'%.*s': naive %d, decoder %s %s", (int)n, text, good, lochan_status_name(rc),
                 err.message);
    if (!good)
        return;
    assert_int_equal(p.batch.length, naive_rows - 1);
    assert_int_equal(p.batch.n_children, naive_columns);
    for (size_t c = 0; c < naive_columns; c++) {
        lochan_view v = column(&p, (int)c);
        for (size_t r = 1; r < naive_rows; r++) {
            lochan_str got = lochan_view__bytes(&v, (int64_t)r - 1);
            const char *expected = naive_text[r * naive_columns + c];
            if (got.n != strlen(expected) || memcmp(got.p, expected, got.n) != 0)
                fail_msg("row %zu column %zu: '%.*s', expected '%s'", r, c, (int)got.n, got.p,
                         expected);
        }
    }
    release(&p);
}

static void test_csv__agrees_with_a_naive_parser(void **state) {
    (void)state;
    uint64_t seed = 20261030;
    static const char *const pieces[] = {",",
                                         ",",
                                         "\n",
                                         "\r\n",
                                         "\"\"",
                                         "\"a,b\"",
                                         "\"x\ny\"",
                                         "\"q\"\"q\"",
                                         "q",
                                         "12",
                                         "long text of a cell",
                                         "\xc3\xa9",
                                         "\"",
                                         "a\"b",
                                         " "};
    for (int round = 0; round < 20000; round++) {
        char text[1024];
        size_t n = 0, columns = 1 + fake_random(&seed) % 4;
        for (size_t c = 0; c < columns; c++)
            n += (size_t)snprintf(text + n, sizeof text - n, "%sc%zu", c ? "," : "", c);
        text[n++] = '\n';
        size_t rows = fake_random(&seed) % 12;
        bool wild = round % 4 == 0;
        for (size_t r = 0; r < rows && n < 800; r++) {
            for (size_t c = 0; c < columns && n < 800; c++) {
                const char *piece =
                    pieces[wild ? fake_random(&seed) % 15 : 4 + fake_random(&seed) % 8];
                n += (size_t)snprintf(text + n, sizeof text - n, "%s%s", c ? "," : "", piece);
            }
            if (r + 1 < rows || fake_random(&seed) % 3)
                n += (size_t)snprintf(text + n, sizeof text - n, "%s",
                                      fake_random(&seed) % 4 ? "\n" : "\r\n");
        }
        /* Blank lines at the end are the one thing where the decoder is kinder. */
        while (n > 1 && (text[n - 1] == '\n' || text[n - 1] == '\r') &&
               (text[n - 2] == '\n' || text[n - 2] == '\r'))
            n--;
        if (columns > 1 && n > 0 && text[n - 1] == '\r')
            text[n - 1] = '\n';
        compare_with_naive(text, n);
    }
}

static lochan_status sweep_body(void *ctx, lochan_error *e) {
    (void)ctx;
    const lochan_csv_column columns[] = {{.name = "a", .type = TYPE(INT64)}};
    const lochan_csv_options o = {.columns = columns, .n_columns = 1};
    static const char text[] = "a,b,c\n1,x,\n2,\"y\"\"y\",\n3,z,w\n";
    struct page p;
    lochan_status rc = lochan_csv__decode(NULL, &o, text, sizeof text - 1, &p.schema, &p.batch, e);
    if (rc == LOCHAN_OK)
        release(&p);
    return rc;
}

static void test_csv__fault_sweep(void **state) {
    (void)state;
    fault_totals t =
        fault_sweep(&(fault_case){.name = "csv", .body = sweep_body, .kinds = FAULT_OOM});
    assert_true(t.failed > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_csv__market_rows),
        cmocka_unit_test(test_csv__wide_page_of_the_ecb),
        cmocka_unit_test(test_csv__every_type),
        cmocka_unit_test(test_csv__values_that_do_not_fit),
        cmocka_unit_test(test_csv__quotes),
        cmocka_unit_test(test_csv__ends_of_the_page),
        cmocka_unit_test(test_csv__shape_is_refused_with_its_place),
        cmocka_unit_test(test_csv__names_of_the_header),
        cmocka_unit_test(test_csv__invalid_utf8),
        cmocka_unit_test(test_csv__first_error_wins),
        cmocka_unit_test(test_csv__many_blocks),
        cmocka_unit_test(test_csv__memory_follows_the_page_not_its_claims),
        cmocka_unit_test(test_csv__agrees_with_a_naive_parser),
        cmocka_unit_test(test_csv__fault_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
