/* test_decode_json.c - pages of JSON: shapes, types, codes in the body, what follows, and bad
 * input. */
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "arrow/view.h"
#include "source/decode.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static lochan_error err;
static struct ArrowSchema schema;
static struct ArrowArray batch;
static lochan_page_facts facts;

#define BASE "name: s\nkind: http\nurl: http://h\n"
#define TABLE                                                                                      \
    BASE "format: table\nresponse: {fields: data.fields, items: data.items, error_code: code, "    \
         "ok: [0], message: msg}\nerrors: [{code: 40203, meaning: rate_limit, wait: 60s}, {code: " \
         "[50000, 50001], meaning: retry}, {code: 7, meaning: empty}]\n"
#define RECORDS BASE "format: records\nresponse: {items: data}\n"

static const lochan_csv_column typed[] = {
    {.name = "s", .type = {.id = LOCHAN_TYPE_STRING}, .nullable = true},
    {.name = "x", .type = {.id = LOCHAN_TYPE_FLOAT64}, .nullable = true},
    {.name = "i", .type = {.id = LOCHAN_TYPE_INT32}, .nullable = true, .optional = true},
};

static void release(void) {
    lochan_schema__release(&schema);
    lochan_array__release(&batch);
    lochan_page_facts__deinit(&facts);
}

static size_t n_declared = LOCHAN_COUNTOF(typed);

static lochan_status decode_n(const char *spec_text, const lochan_paging *paging, const void *text,
                              size_t n) {
    lochan_source_spec *spec;
    lochan_buf body;
    lochan_csv_options options = {.columns = typed, .n_columns = n_declared};
    assert_ok(lochan_source_spec__parse(spec_text, strlen(spec_text), "s.yaml", &spec, &err));
    lochan_buf__init(&body, n + 1);
    assert_ok(lochan_buf__append(&body, text, n, &err));
    lochan_error_init(&err);
    lochan_status rc = lochan_source__decode(NULL, spec, paging ? paging : &spec->paging, &options,
                                             &body, &schema, &batch, &facts, &err);
    lochan_buf__deinit(&body);
    lochan_source_spec__free(spec);
    if (rc != LOCHAN_OK) {
        assert_int_equal(err.code, rc);
        assert_null(schema.release);
        assert_null(batch.release);
    } else {
        assert_ok(lochan_array__check(&schema, &batch, &err));
    }
    return rc;
}

static lochan_status decode(const char *spec_text, const char *text) {
    return decode_n(spec_text, NULL, text, strlen(text));
}

static void refused(const char *spec_text, const char *text, lochan_status code,
                    const char *words) {
    lochan_status rc = decode(spec_text, text);
    if (rc != code || !strstr(err.message, words))
        fail_msg("%.200s: %s: %s", text, lochan_status_name(rc), err.message);
}

/* The text of a cell, for strings; NULL = null. */
static const char *cell(const char *name, int64_t row) {
    static char text[256];
    int at = lochan_schema__find(&schema, name);
    lochan_view view;
    assert_true(at >= 0);
    assert_ok(lochan_view__init(&view, schema.children[at], batch.children[at], &err));
    bool valid = lochan_view__is_valid(&view, row);
    if (valid && view.type.id == LOCHAN_TYPE_STRING) {
        lochan_str s = lochan_view__bytes(&view, row);
        lochan_format(text, sizeof text, "%.*s", (int)s.n, s.p);
    } else if (valid && view.type.id == LOCHAN_TYPE_FLOAT64) {
        text[lochan_format__double(lochan_view__double(&view, row), text)] = '\0';
    } else if (valid) {
        lochan_format(text, sizeof text, "%lld", (long long)lochan_view__int64(&view, row));
    }
    lochan_view__deinit(&view);
    return valid ? text : NULL;
}

static void test_decode_json__table(void **state) {
    (void)state;
    assert_ok(decode(
        TABLE, "{\"request_id\":\"a\",\"code\":0,\"msg\":\"\",\"data\":{\"fields\":[\"s\",\"x\","
               "\"i\",\"more\"],\"items\":[[\"000001.SZ\",1.5,3,\"q\"],[null,\"2.25\",\"4\",7],"
               "[\"a\\u00e9\\n\\\"b\",null,5.0,true],[\"\",\"\",1e3,null]],\"has_more\":false}}"));
    assert_int_equal(batch.length, 4);
    assert_int_equal(facts.rows, 4);
    assert_string_equal(cell("s", 0), "000001.SZ");
    assert_null(cell("s", 1));
    assert_string_equal(cell("s", 2), "a\xc3\xa9\n\"b");
    assert_string_equal(cell("s", 3), ""); /* a text, not a null */
    assert_string_equal(cell("x", 1), "2.25");
    assert_null(cell("x", 3)); /* as a number it is none */
    assert_string_equal(cell("i", 2), "5");
    assert_string_equal(cell("i", 3), "1000");
    assert_string_equal(cell("more", 1), "7");
    assert_string_equal(cell("more", 2), "true");
    release();
}

static void test_decode_json__no_rows(void **state) {
    (void)state;
    assert_ok(decode(TABLE, "{\"code\":0,\"data\":{\"fields\":[\"s\",\"x\"],\"items\":[]}}"));
    assert_int_equal(batch.length, 0);
    assert_int_equal(schema.n_children, 3);
    release();
    assert_ok(decode(RECORDS, "{\"data\":[]}"));
    assert_int_equal(batch.length, 0);
    release();
    assert_ok(decode(TABLE, "{\"code\":7,\"data\":null}"));
    assert_int_equal(batch.length, 0);
    release();
    /* Nothing where rows should be is not the same as no rows. */
    refused(TABLE, "{\"code\":0,\"data\":null}", LOCHAN_ERR_PAGE, "no list of rows at data.items");
    refused(TABLE, "{\"code\":0}", LOCHAN_ERR_PAGE, "no list of rows");
    refused(RECORDS, "{}", LOCHAN_ERR_PAGE, "no list of rows");
}

/* A trial of a source declares nothing. */
static void test_decode_json__no_rows_and_nothing_declared(void **state) {
    (void)state;
    n_declared = 0;
    assert_ok(decode(RECORDS, "{\"data\": []}"));
    assert_int_equal(batch.length, 0);
    assert_int_equal(batch.n_children, 0);
    release();
    refused(RECORDS, "{\"data\": [{}]}", LOCHAN_ERR_PAGE, "the page has no fields");
    n_declared = LOCHAN_COUNTOF(typed);
}

static void test_decode_json__records(void **state) {
    (void)state;
    assert_ok(decode(
        RECORDS,
        "{\"data\":[{\"s\":\"a\",\"x\":1,\"new\":{\"k\":[1, 2]}},{\"x\":2,\"s\":\"b\",\"i\":-5},"
        "{\"late\":\"z\",\"x\":3.5,\"s\":\"\\u4e2d\"}]}"));
    assert_int_equal(batch.length, 3);
    assert_string_equal(cell("s", 1), "b");
    assert_string_equal(cell("s", 2), "\xe4\xb8\xad");
    assert_null(cell("i", 0));
    assert_string_equal(cell("i", 1), "-5");
    assert_string_equal(cell("new", 0), "{\"k\":[1, 2]}");
    assert_null(cell("new", 1));
    assert_string_equal(cell("late", 2), "z");
    release();
    assert_ok(decode(BASE "format: records\n", "  [ {\"s\": null, \"x\": null} ] \n"));
    assert_null(cell("s", 0));
    assert_null(cell("i", 0)); /* optional, and in no record */
    release();
    refused(RECORDS, "{\"data\":[{\"s\":\"a\"}]}", LOCHAN_ERR_PAGE, "no column 'x'");
    refused(RECORDS, "{\"data\":[{\"s\":\"a\",\"x\":1},5]}", LOCHAN_ERR_PAGE,
            "row 1: expected an object");
    refused(RECORDS, "{\"data\":[{\"s\":\"a\",\"x\":1,\"s\":\"b\"}]}", LOCHAN_ERR_PAGE,
            "'s' stands twice");
}

static void test_decode_json__ndjson(void **state) {
    (void)state;
    assert_ok(decode(BASE "format: ndjson\n",
                     "{\"s\":\"a\\\\\",\"x\":1}\n{\"s\":\"b\\\"\\n\",\"x\":2}\r\n"));
    assert_int_equal(batch.length, 2);
    assert_string_equal(cell("s", 1), "b\"\n");
    release();
    refused(BASE "format: ndjson\n", "{\"s\":\"a\",\"x\":1}\n{\"s\":", LOCHAN_ERR_PAGE, "JSON");
    assert_ok(decode(BASE "format: ndjson\n", ""));
    assert_int_equal(batch.length, 0);
    release();
}

static void test_decode_json__codes(void **state) {
    (void)state;
    refused(TABLE, "{\"code\":40203,\"msg\":\"slow down\",\"data\":null}", LOCHAN_ERR_RATE_LIMIT,
            "the provider answers code 40203: slow down");
    assert_int_equal(err.retry_after_ms, 60000);
    refused(TABLE, "{\"code\":\"50001\",\"msg\":\"oops\"}", LOCHAN_ERR_NETWORK, "oops");
    refused(TABLE, "{\"code\":40001,\"msg\":\"bad\\ntoken\"}", LOCHAN_ERR_HTTP, "40001: bad token");
    refused(TABLE, "{\"data\":{\"fields\":[],\"items\":[]}}", LOCHAN_ERR_PAGE,
            "the answer has no code");
    refused(BASE "format: records\nresponse: {items: data, error_code: error.code, message: "
                 "error.message}\n",
            "{\"error\":{\"code\":\"E1\",\"message\":\"m\"},\"data\":[]}", LOCHAN_ERR_HTTP,
            "E1: m");
    assert_ok(decode(BASE "format: records\nresponse: {items: data, error_code: error.code}\n",
                     "{\"data\":[]}"));
    release();
}

static void test_decode_json__what_follows(void **state) {
    (void)state;
    lochan_paging paging;
    lochan_paging__init(&paging);
    paging.kind = LOCHAN_PAGING_CURSOR;
    paging.next = "meta.next";
    paging.has_more = "more";
    paging.total = "meta.total";
    const char *text =
        "{\"meta\":{\"next\":\"c\\/1\",\"total\":7},\"data\":[{\"s\":1,\"x\":1}],\"more\":true}";
    assert_ok(decode_n(RECORDS, &paging, text, strlen(text)));
    assert_string_equal(facts.next, "c/1");
    assert_true(facts.has_more && facts.has_more_known && facts.total_known);
    assert_int_equal(facts.total, 7);
    release();
    text = "{\"meta\":{\"next\":null},\"data\":[]}";
    assert_ok(decode_n(RECORDS, &paging, text, strlen(text)));
    assert_null(facts.next);
    assert_false(facts.has_more_known || facts.total_known);
    release();
    text = "{\"more\":\"yes\",\"data\":[]}";
    assert_int_equal(decode_n(RECORDS, &paging, text, strlen(text)), LOCHAN_ERR_PAGE);
}

#define ROWS(items) "{\"code\":0,\"data\":{\"fields\":[\"s\",\"x\"],\"items\":[" items "]}}"

static void test_decode_json__bad_rows(void **state) {
    (void)state;
    refused(TABLE, ROWS("[\"a\",1],[\"b\"]"), LOCHAN_ERR_PAGE, "row 1: 1 values for 2 fields");
    refused(TABLE, ROWS("[\"a\",1,2]"), LOCHAN_ERR_PAGE, "3 values for 2 fields");
    refused(TABLE, ROWS("[\"a\",\"1.5x\"]"), LOCHAN_ERR_PAGE, "expected float64, found '1.5x'");
    assert_string_equal(err.column, "x");
    assert_int_equal(err.row, 0);
    refused(TABLE, ROWS("[\"a\",1],[\"b\",[1]]"), LOCHAN_ERR_PAGE, "expected float64");
    assert_int_equal(err.row, 1);
    refused(TABLE, ROWS("[\"a\",NaN]"), LOCHAN_ERR_PAGE, "NaN at byte 51");
    refused(TABLE, ROWS("[\"a\",-Infinity]"), LOCHAN_ERR_PAGE, "-Infinity");
    assert_ok(decode(TABLE "json: {nan_is_null: true}\n", ROWS("[\"a\",NaN]")));
    assert_null(cell("x", 0));
    release();
    refused(TABLE, ROWS("[\"\\ud800\",1]"), LOCHAN_ERR_PAGE, "lone surrogate");
    refused(TABLE, ROWS("[\"\\q\",1]"), LOCHAN_ERR_PAGE, "escape");
    static const char *const wrong[] = {"01",       "1.",     ".5",           "+1",      "1e",
                                        "tru",      "nul",    "0x1",          "--1",     "1 2",
                                        "\"5\"1.5", "\"5\"x", "\"\\u0041\"1", "\"5\" 6", "",
                                        "1,",       "\"5\",", "\"5\"\"6\""};
    for (size_t i = 0; i < LOCHAN_COUNTOF(wrong); i++) {
        char text[200];
        lochan_format(text, sizeof text,
                      "{\"code\":0,\"data\":{\"fields\":[\"s\",\"x\"],\"items\":[[\"a\",%s]]}}",
                      wrong[i]);
        assert_int_equal(decode(TABLE, text), LOCHAN_ERR_PAGE);
    }
    refused(TABLE, "{\"code\":0,\"data\":{\"fields\":[\"s\",\"s\"],\"items\":[[1,2]]}}",
            LOCHAN_ERR_PAGE, "'s' twice");
    refused(TABLE, "{\"code\":0,\"data\":{\"fields\":[\"s\",\"\"],\"items\":[[1,2]]}}",
            LOCHAN_ERR_PAGE, "without a name");
    refused(TABLE, "{\"code\":0,\"data\":{\"fields\":[\"s\",5],\"items\":[[1,2]]}}",
            LOCHAN_ERR_PAGE, "field 2 has no name");
    refused(TABLE, "{\"code\":0,\"code\":1,\"data\":{}}", LOCHAN_ERR_PAGE, "'code' twice");
}

static void test_decode_json__bad_text(void **state) {
    (void)state;
    static const char *const texts[] = {
        "",
        " ",
        "[",
        "{",
        "}",
        "]",
        "null",
        "5",
        "\"x\"",
        "{\"code\":0",
        "{\"code\":0,}",
        "{\"code\":0}}",
        "{\"code\":0}{\"code\":0}",
        "<html>",
        "{\"data\":{\"items\":[[1]}",
        "\xef\xbb\xbf",
        "{\"code\":\"\xff\"}",
        "{\"code\":0,\"data\":{\"fields\":[\"s\",\"x\"],\"items\":[[\"a\",1],",
        "{'code':0}",
        "{\"code\" 0}",
        "[[[[",
        "{\"a\":\"\n\"}"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(texts); i++) {
        lochan_status rc = decode(TABLE, texts[i]);
        if (rc != LOCHAN_ERR_PAGE)
            fail_msg("'%s' gave %s", texts[i], lochan_status_name(rc));
        rc = decode(RECORDS, texts[i]);
        if (rc != LOCHAN_ERR_PAGE)
            fail_msg("'%s' gave %s", texts[i], lochan_status_name(rc));
    }
}

static void test_decode_json__every_cut_is_noticed(void **state) {
    (void)state;
    const char *whole = "{\"code\":0,\"msg\":\"\",\"data\":{\"fields\":[\"s\",\"x\"],\"items\":[["
                        "\"a\",1],[\"b\\u00e9\",-2.5e3]],\"has_more\":true}}";
    for (size_t n = 0; n < strlen(whole); n++)
        assert_int_equal(decode_n(TABLE, NULL, whole, n), LOCHAN_ERR_PAGE);
    assert_ok(decode(TABLE, whole));
    release();
}

static void test_decode_json__large(void **state) {
    (void)state;
    enum { DEEP = 10000, LONG = 10 << 20 };
    char *text = malloc(LONG + 200);
    /* A string of 10 MB. */
    size_t n = (size_t)sprintf(text, "{\"data\":[{\"x\":1,\"s\":\"");
    memset(text + n, 'y', LONG);
    strcpy(text + n + LONG, "\"}]}");
    assert_ok(decode(RECORDS, text));
    assert_int_equal(((const int32_t *)batch.children[1]->buffers[1])[1], LONG);
    release();
    /* Depth 10,000 as a value, and as the answer. */
    n = (size_t)sprintf(text, "{\"data\":[{\"x\":1,\"s\":");
    memset(text + n, '[', DEEP);
    memset(text + n + DEEP, ']', DEEP);
    strcpy(text + n + 2 * DEEP, "}]}");
    lochan_status rc = decode(RECORDS, text);
    assert_true(rc == LOCHAN_OK || rc == LOCHAN_ERR_PAGE);
    release();
    memset(text, '[', DEEP);
    text[DEEP] = '\0';
    assert_int_equal(decode(RECORDS, text), LOCHAN_ERR_PAGE);
    n = 0;
    for (int i = 0; i < DEEP; i++)
        n += (size_t)sprintf(text + n, "{\"data\":");
    assert_int_equal(decode(RECORDS, text), LOCHAN_ERR_PAGE);
    free(text);
}

static lochan_source_spec *swept;

static lochan_status sweep_body(void *ctx, lochan_error *e) {
    (void)ctx;
    const char *text = "{\"code\":0,\"data\":{\"fields\":[\"s\",\"x\"],\"items\":[[\"a\",1]]}}";
    lochan_buf body;
    lochan_csv_options options = {.columns = typed, .n_columns = LOCHAN_COUNTOF(typed)};
    lochan_buf__init(&body, 1000);
    lochan_status rc = lochan_buf__puts(&body, text, e);
    if (rc == LOCHAN_OK)
        rc = lochan_source__decode(NULL, swept, &swept->paging, &options, &body, &schema, &batch,
                                   &facts, e);
    lochan_buf__deinit(&body);
    if (rc == LOCHAN_OK)
        release();
    return rc;
}

static void test_decode_json__faults(void **state) {
    (void)state;
    assert_ok(lochan_source_spec__parse(TABLE, strlen(TABLE), "s.yaml", &swept, &err));
    fault_totals totals =
        fault_sweep(&(fault_case){.name = "decode", .body = sweep_body, .kinds = FAULT_OOM});
    assert_true(totals.failed > 3);
    lochan_source_spec__free(swept);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decode_json__table),
        cmocka_unit_test(test_decode_json__no_rows),
        cmocka_unit_test(test_decode_json__no_rows_and_nothing_declared),
        cmocka_unit_test(test_decode_json__records),
        cmocka_unit_test(test_decode_json__ndjson),
        cmocka_unit_test(test_decode_json__codes),
        cmocka_unit_test(test_decode_json__what_follows),
        cmocka_unit_test(test_decode_json__bad_rows),
        cmocka_unit_test(test_decode_json__bad_text),
        cmocka_unit_test(test_decode_json__every_cut_is_noticed),
        cmocka_unit_test(test_decode_json__large),
        cmocka_unit_test(test_decode_json__faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
