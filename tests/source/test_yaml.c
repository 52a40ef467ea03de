/* test_yaml.c - the tree, its places, typed reading, refusals, setting and printing. */
#include "support/alloc.h"
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "source/yaml.h"

#include <string.h>

static lochan_yaml *parse(const char *text) {
    lochan_error err;
    lochan_yaml *doc = NULL;
    assert_ok(lochan_yaml__parse(text, strlen(text), "t.yaml", &doc, &err));
    return doc;
}

/* The text must be refused at this place with these words. */
static void refused(const char *text, int line, int column, const char *words) {
    lochan_error err;
    lochan_yaml *doc = NULL;
    lochan_status rc = lochan_yaml__parse(text, strlen(text), "t.yaml", &doc, &err);
    if (rc != LOCHAN_ERR_SPEC)
        fail_msg("'%s' gave %s", text, lochan_status_name(rc));
    assert_null(doc);
    assert_string_equal(err.file, "t.yaml");
    if (err.line != line || (column > 0 && err.line_column != column) ||
        !strstr(err.message, words))
        fail_msg("'%s': %d:%d: %s", text, (int)err.line, (int)err.line_column, err.message);
}

static void test_yaml__tree_with_places(void **state) {
    (void)state;
    lochan_yaml *doc = parse("a: 1\nlist:\n  - x\n  - {b: 'two', c: }\n");
    const lochan_yaml_node *root = lochan_yaml__root(doc);
    assert_int_equal(root->kind, LOCHAN_YAML_MAP);
    assert_int_equal(root->count, 2);
    const lochan_yaml_node *list = lochan_yaml__get(root, "list");
    assert_int_equal(list->kind, LOCHAN_YAML_LIST);
    assert_int_equal(list->count, 2);
    assert_int_equal(list->key_line, 2);
    assert_int_equal(list->key_column, 1);
    assert_string_equal(list->first->text.p, "x");
    assert_int_equal(list->first->line, 3);
    assert_int_equal(list->first->column, 5);
    const lochan_yaml_node *map = list->first->next;
    const lochan_yaml_node *b = lochan_yaml__get(map, "b");
    assert_true(b->quoted);
    assert_int_equal(b->line, 4);
    assert_int_equal(b->column, 9);
    assert_null(lochan_yaml__get(map, "c")); /* null reads as missing */
    assert_int_equal(map->count, 2);
    char path[64];
    lochan_yaml__path(b, path, sizeof path);
    assert_string_equal(path, "list[1].b");
    lochan_yaml__free(doc);
    doc = parse("");
    assert_int_equal(lochan_yaml__root(doc)->kind, LOCHAN_YAML_NULL);
    lochan_yaml__free(doc);
    doc = parse("# only a comment\n");
    assert_int_equal(lochan_yaml__root(doc)->kind, LOCHAN_YAML_NULL);
    lochan_yaml__free(doc);
}

static void test_yaml__refusals_name_the_place(void **state) {
    (void)state;
    refused("a: 1\nb: 2\na: 3\n", 3, 1, "duplicate key 'a', first in line 1");
    refused("a: 1\nb: null\nb: 2\n", 3, 1, "duplicate key 'b'");
    refused("a: &x 1\n", 1, 0, "anchors");
    refused("a: *x\n", 1, 4, "");
    refused("a: !!int 3\n", 1, 0, "tags");
    refused("b: {a: 1}\n<<: {c: 2}\n", 2, 1, "merge keys");
    refused("--- 1\n--- 2\n", 2, 0, "several documents");
    refused("? [a, b]\n: 1\n", 1, 0, "key");
    refused("a: [1, 2\nb: 3\n", 3, 0, "invalid YAML");
    refused("a: 'x\n", 1, 0, "invalid YAML");
    refused("a: \"\\0\"\n", 1, 4, "zero byte");
    refused("ok: 1\nb: \xff\xfe\n", 2, 0, "UTF-8");
    refused("a: \x01\n", 1, 4, "control character 0x01");
    refused("\"\": 1\n", 1, 1, "empty key");
}

static void test_yaml__bounds(void **state) {
    (void)state;
    lochan_error err;
    lochan_yaml *doc = NULL;
    size_t n = (1 << 20) + 1;
    char *text = test_malloc(n + 1);
    memset(text, ' ', n);
    assert_status(lochan_yaml__parse(text, n, "big", &doc, &err), LOCHAN_ERR_SPEC);
    assert_non_null(strstr(err.message, "larger than"));
    /* deep */
    memset(text, '[', 100000);
    assert_status(lochan_yaml__parse(text, 100000, "deep", &doc, &err), LOCHAN_ERR_SPEC);
    assert_non_null(strstr(err.message, "nested deeper than"));
    /* many */
    for (size_t i = 0; i < 60000; i += 2)
        memcpy(text + i, "1,", 2);
    memcpy(text, "[ ", 2);
    assert_status(lochan_yaml__parse(text, 60000, "many", &doc, &err), LOCHAN_ERR_SPEC);
    assert_non_null(strstr(err.message, "more than 20000 values"));
    test_free(text);
}

static void test_yaml__typed_values(void **state) {
    (void)state;
    lochan_error err;
    lochan_yaml *doc = parse(
        "i: -7\nd: 2.5\nb: true\nt: 1m\nn: 1.5\nz: 64MB\ns: '8'\nl: [a, 2]\none: x\nw: post\n");
    const lochan_yaml_node *root = lochan_yaml__root(doc);
    int64_t i = 0, ns = 0, n2 = 0, missing = 42;
    double d = 0;
    bool b = false;
    uint64_t z = 0;
    const char *s = NULL;
    const char *const *list = NULL;
    size_t n = 0;
    int choice = -1;
    assert_ok(lochan_yaml__get_int64(root, "i", -10, 10, &i, &err));
    assert_int_equal(i, -7);
    assert_ok(lochan_yaml__get_int64(root, "nope", 0, 10, &missing, &err));
    assert_int_equal(missing, 42);
    assert_ok(lochan_yaml__get_double(root, "d", 0, 10, &d, &err));
    assert_true(d == 2.5);
    assert_ok(lochan_yaml__get_bool(root, "b", &b, &err));
    assert_true(b);
    assert_ok(lochan_yaml__get_duration_ns(root, "t", &ns, &err));
    assert_int_equal(ns, INT64_C(60000000000));
    assert_ok(lochan_yaml__get_duration_ns(root, "n", &n2, &err));
    assert_int_equal(n2, 1500000000);
    assert_ok(lochan_yaml__get_bytes(root, "z", &z, &err));
    assert_true(z > 60000000);
    assert_ok(lochan_yaml__get_string(root, "s", &s, &err));
    assert_string_equal(s, "8");
    assert_ok(lochan_yaml__get_strings(root, "l", &list, &n, &err));
    assert_int_equal(n, 2);
    assert_string_equal(list[1], "2");
    assert_ok(lochan_yaml__get_strings(root, "one", &list, &n, &err));
    assert_int_equal(n, 1);
    static const char *const words[] = {"get", "post"};
    assert_ok(lochan_yaml__get_choice(root, "w", words, 2, &choice, &err));
    assert_int_equal(choice, 1);
    lochan_yaml__free(doc);
}

static void test_yaml__wrong_values(void **state) {
    (void)state;
    lochan_error err;
    lochan_yaml *doc = parse("n:\n  i: many\n  q: '4'\n  d: [1]\n  b: yes\n  t: -5s\n  w: pots\n");
    const lochan_yaml_node *map = lochan_yaml__get(lochan_yaml__root(doc), "n");
    int64_t i;
    double d;
    bool b;
    int choice;
    static const char *const words[] = {"get", "post"};
    assert_status(lochan_yaml__get_int64(map, "i", 1, 256, &i, &err), LOCHAN_ERR_SPEC);
    assert_string_equal(err.message, "n.i: expected a whole number from 1 to 256, found 'many'");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.line_column, 6);
    assert_status(lochan_yaml__get_int64(map, "q", 1, 256, &i, &err), LOCHAN_ERR_SPEC);
    assert_non_null(strstr(err.message, "the text '4'"));
    assert_status(lochan_yaml__get_double(map, "d", 0, 1, &d, &err), LOCHAN_ERR_SPEC);
    assert_non_null(strstr(err.message, "found a list"));
    assert_status(lochan_yaml__get_bool(map, "b", &b, &err), LOCHAN_ERR_SPEC);
    assert_status(lochan_yaml__get_duration_ns(map, "t", &i, &err), LOCHAN_ERR_SPEC);
    assert_int_equal(err.line, 6);
    assert_status(lochan_yaml__get_choice(map, "w", words, 2, &choice, &err), LOCHAN_ERR_SPEC);
    assert_string_equal(err.hint, "did you mean 'post'?");
    const lochan_yaml_node *node;
    assert_status(lochan_yaml__require(map, "url", &node, &err), LOCHAN_ERR_SPEC);
    assert_string_equal(err.message, "n: the key 'url' is missing");
    lochan_yaml__free(doc);
}

static void test_yaml__unknown_key_names_the_nearest(void **state) {
    (void)state;
    lochan_error err;
    static const char *const known[] = {"name", "workers", "timeout"};
    lochan_yaml *doc = parse("name: a\nwrokers: 3\n");
    assert_status(lochan_yaml__check_keys(lochan_yaml__root(doc), known, 3, &err), LOCHAN_ERR_SPEC);
    assert_string_equal(err.message, "unknown key 'wrokers', did you mean 'workers'?");
    assert_int_equal(err.line, 2);
    assert_int_equal(err.line_column, 1);
    assert_string_equal(err.hint, "known keys: name, workers, timeout");
    lochan_yaml__free(doc);
    doc = parse("[a]\n");
    assert_status(lochan_yaml__check_keys(lochan_yaml__root(doc), known, 3, &err), LOCHAN_ERR_SPEC);
    lochan_yaml__free(doc);
}

static void printed(lochan_yaml *doc, const char *expected) {
    lochan_error err;
    lochan_buf out;
    lochan_buf__init(&out, 1 << 20);
    assert_ok(lochan_yaml__print(lochan_yaml__root(doc), &out, &err));
    assert_string_equal((char *)out.data, expected);
    lochan_buf__deinit(&out);
}

static void test_yaml__set_and_print(void **state) {
    (void)state;
    lochan_error err;
    lochan_yaml *doc = parse("name: ecb # the bank\nurl: http://x\ncsv:\n  delimiter: ','\n");
    assert_ok(lochan_yaml__set(doc, "url", "http://127.0.0.1:8000", &err));
    assert_ok(lochan_yaml__set(doc, "csv.null_texts", "['', N/A]", &err));
    assert_ok(lochan_yaml__set(doc, "query.start", "{start}", &err));
    assert_ok(lochan_yaml__set(doc, "date_format", "%Y%m%d", &err));
    assert_ok(lochan_yaml__set(doc, "workers", "8", &err));
    printed(doc, "name: ecb\nurl: http://127.0.0.1:8000\ncsv:\n  delimiter: \",\"\n  null_texts:\n "
                 "   - \"\"\n    - N/A\n"
                 "query:\n  start: \"{start}\"\ndate_format: \"%Y%m%d\"\nworkers: 8\n");
    int64_t workers = 0;
    assert_ok(lochan_yaml__get_int64(lochan_yaml__root(doc), "workers", 1, 10, &workers, &err));
    assert_int_equal(workers, 8);
    assert_ok(lochan_yaml__set(doc, "csv.delimiter", NULL, &err));
    assert_ok(lochan_yaml__set(doc, "not.there", NULL, &err));
    assert_ok(lochan_yaml__set(doc, "query", NULL, &err));
    assert_ok(lochan_yaml__set(doc, "name", "~", &err));
    printed(doc,
            "name: null\nurl: http://127.0.0.1:8000\ncsv:\n  null_texts:\n    - \"\"\n    - N/A\n"
            "date_format: \"%Y%m%d\"\nworkers: 8\n");
    assert_status(lochan_yaml__set(doc, "url.host", "x", &err), LOCHAN_ERR_SPEC);
    assert_status(lochan_yaml__set(doc, "a..b", "x", &err), LOCHAN_ERR_SPEC);
    assert_status(lochan_yaml__set(doc, "", "x", &err), LOCHAN_ERR_SPEC);
    assert_status(lochan_yaml__set(doc, "a", "[1, 2", &err), LOCHAN_ERR_SPEC);
    lochan_yaml__free(doc);
    doc = parse("");
    assert_ok(lochan_yaml__set(doc, "a.b", "1", &err));
    printed(doc, "a:\n  b: 1\n");
    lochan_yaml__free(doc);
}

/* An error about a value that was set has a file, but no line. */
static void test_yaml__set_value_has_no_line(void **state) {
    (void)state;
    lochan_error err;
    int64_t v;
    lochan_yaml *doc = parse("workers: 3\n");
    assert_ok(lochan_yaml__set(doc, "workers", "many", &err));
    assert_status(lochan_yaml__get_int64(lochan_yaml__root(doc), "workers", 1, 9, &v, &err),
                  LOCHAN_ERR_SPEC);
    assert_int_equal(err.line, -1);
    assert_string_equal(err.file, "t.yaml");
    lochan_yaml__free(doc);
}

static void assert_same(const lochan_yaml_node *a, const lochan_yaml_node *b) {
    assert_int_equal(a->kind, b->kind);
    assert_int_equal(a->count, b->count);
    if (a->kind == LOCHAN_YAML_SCALAR)
        assert_string_equal(a->text.p, b->text.p);
    for (a = a->first, b = b->first; a; a = a->next, b = b->next) {
        if (a->key)
            assert_string_equal(a->key, b->key);
        assert_same(a, b);
    }
}

static void test_yaml__print_parses_back(void **state) {
    (void)state;
    static const char *const texts[] = {
        "a: 'null'\nb: '~'\nc: 'true'\nd: '- x'\ne: 'a: b'\nf: ' x '\ng: \"l1\\nl2\"\nh: '#no'\n",
        "- []\n- {}\n- [[a], {b: [c, {d: e}]}]\n- \n- ''\n",
        "'key: odd': 1\n'- k': 2\n'null': 3\n\"q\\\"\": '\"'\n",
        "a: |\n  text\n  more\nb: >-\n  folded\n  text\n",
        "plain: a:b\nu: \xc3\xa9t\xc3\xa9\nurl: http://h:1/x?a=1&b=2\n--x: 1\n",
        "just text\n",
        "a: -.5\nb: '---'\nc: '...'\nd: ':'\ne: 'x:'\nf: '-'\ng: '? x'\n",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        lochan_error err;
        lochan_yaml *doc = parse(texts[i]), *again;
        lochan_buf out;
        lochan_buf__init(&out, 1 << 20);
        assert_ok(lochan_yaml__print(lochan_yaml__root(doc), &out, &err));
        again = parse((char *)out.data);
        assert_same(lochan_yaml__root(doc), lochan_yaml__root(again));
        lochan_buf__deinit(&out);
        lochan_yaml__free(doc);
        lochan_yaml__free(again);
    }
}

static lochan_status sweep_body(void *ctx, lochan_error *err) {
    (void)ctx;
    static const char text[] = "a: 1\nb: [x, {c: d}]\n";
    lochan_yaml *doc = NULL;
    lochan_buf out;
    const char *const *list;
    size_t n;
    lochan_buf__init(&out, 1000);
    lochan_status rc = lochan_yaml__parse(text, sizeof text - 1, "t", &doc, err);
    if (rc == LOCHAN_OK)
        rc = lochan_yaml__set(doc, "q.r", "['a', b]", err);
    if (rc == LOCHAN_OK)
        rc = lochan_yaml__get_strings(lochan_yaml__get(lochan_yaml__root(doc), "q"), "r", &list, &n,
                                      err);
    if (rc == LOCHAN_OK)
        rc = lochan_yaml__print(lochan_yaml__root(doc), &out, err);
    lochan_buf__deinit(&out);
    lochan_yaml__free(doc);
    return rc;
}

static void test_yaml__fault_sweep(void **state) {
    (void)state;
    fault_totals t =
        fault_sweep(&(fault_case){.name = "yaml", .body = sweep_body, .kinds = FAULT_OOM});
    assert_true(t.failed > 5);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_yaml__tree_with_places),
        cmocka_unit_test(test_yaml__refusals_name_the_place),
        cmocka_unit_test(test_yaml__bounds),
        cmocka_unit_test(test_yaml__typed_values),
        cmocka_unit_test(test_yaml__wrong_values),
        cmocka_unit_test(test_yaml__unknown_key_names_the_nearest),
        cmocka_unit_test(test_yaml__set_and_print),
        cmocka_unit_test(test_yaml__set_value_has_no_line),
        cmocka_unit_test(test_yaml__print_parses_back),
        cmocka_unit_test(test_yaml__fault_sweep),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
