/* test_projection.c - fields of nested columns, ranges of rows, predicates on fields and on
 * dictionaries: the same rows as from reading everything, from fewer bytes and pages. */
#include "parquet/pq_sample.h"

#include "parquet/metadata.h"

enum { ROWS = 4000, GROUP_ROWS = 2000, PAGE_ROWS = 100 };

/* id, a {b, c, d {e, f}}, l [{x, y}], m {key: {p, q}}, tag. */
static void nested_schema(struct ArrowSchema *s) {
    lochan_error err;
    assert_ok(lochan_schema__init_struct(s, 5, &err));
    assert_ok(sample_field(s->children[0], "id", "l", 0, &err));
    struct ArrowSchema *a = s->children[1], *l = s->children[2], *m = s->children[3];
    assert_ok(sample_field(a, "a", "+s", 3, &err));
    assert_ok(sample_field(a->children[0], "b", "l", 0, &err));
    assert_ok(sample_field(a->children[1], "c", "u", 0, &err));
    assert_ok(sample_field(a->children[2], "d", "+s", 2, &err));
    assert_ok(sample_field(a->children[2]->children[0], "e", "g", 0, &err));
    assert_ok(sample_field(a->children[2]->children[1], "f", "u", 0, &err));
    assert_ok(sample_field(l, "l", "+l", 1, &err));
    assert_ok(sample_field(l->children[0], "element", "+s", 2, &err));
    assert_ok(sample_field(l->children[0]->children[0], "x", "g", 0, &err));
    assert_ok(sample_field(l->children[0]->children[1], "y", "u", 0, &err));
    assert_ok(sample_field(m, "m", "+m", 1, &err));
    const lochan_type text = sample_type("u"), entries = {.id = LOCHAN_TYPE_STRUCT};
    assert_ok(lochan_schema__set_nested(m->children[0], "entries", &entries, false, 2, &err));
    assert_ok(lochan_schema__set_field(m->children[0]->children[0], "key", &text, false, &err));
    struct ArrowSchema *value = m->children[0]->children[1];
    assert_ok(sample_field(value, "value", "+s", 2, &err));
    assert_ok(sample_field(value->children[0], "p", "i", 0, &err));
    assert_ok(sample_field(value->children[1], "q", "u", 0, &err));
    assert_ok(sample_field(s->children[4], "tag", "u", 0, &err));
}

/* ids ascend; the rest repeats. */
static void nested_file(const lochan_pq_write_options *base, lochan_buf *file) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_builder *b;
    nested_schema(&schema);
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int64_t r = 0; r < ROWS; r++) {
        char tag[24];
        int n = snprintf(tag, sizeof tag, "tag %lld", (long long)(r / 7 % 40 * 2 + r / GROUP_ROWS));
        assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), r, &err));
        for (int64_t c = 1; c < 4; c++)
            assert_ok(sample_fill(lochan_builder__child(b, c), schema.children[c], r % 977, &err));
        assert_ok(lochan_builder__bytes_value(lochan_builder__child(b, 4), tag, (size_t)n, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &batch, &err));
    lochan_pq_write_options o = *base;
    o.row_group_rows = GROUP_ROWS;
    o.page_rows = PAGE_ROWS;
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, file, NULL, &err));
    lochan_builder__free(b);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

typedef struct answer {
    lochan_buf lines;
    lochan_pq_counters counters;
} answer;

/* Bytes that are read, not shown: they are counted. */
static lochan_status read_file(void *self, uint64_t offset, size_t n, void *dst,
                               lochan_error *err) {
    const lochan_buf *file = self;
    (void)err;
    assert_true(offset + n <= file->len);
    memcpy(dst, file->data + offset, n);
    return LOCHAN_OK;
}

/* where may be NULL. Bytes are counted without the footer. */
static answer ask(const lochan_buf *file, lochan_pq_scan scan, const char *where) {
    lochan_error err;
    lochan_pq_reader *r;
    lochan_expr *e = NULL;
    answer a;
    lochan_pq_source source = {.read = read_file,
                               .self = (void *)(uintptr_t)file,
                               .size = file->len,
                               .name = "test.parquet"};
    lochan_pq_counters opened;
    assert_ok(lochan_pq_reader__open(NULL, &source, NULL, &r, &err));
    lochan_pq_reader__counters(r, &opened);
    assert_ok(lochan_expr__parse(where, &e, &err));
    if (e)
        assert_ok(lochan_pq_reader__bind(r, e, &err));
    scan.predicate = e;
    lochan_buf__init(&a.lines, 1 << 28);
    assert_ok(pq_read(r, &scan, &a.lines, &err));
    lochan_pq_reader__counters(r, &a.counters);
    a.counters.bytes_read -= opened.bytes_read;
    lochan_expr__free(e);
    lochan_pq_reader__close(r);
    return a;
}

static void drop(answer *a) {
    lochan_buf__deinit(&a->lines);
}

static int64_t count_lines(const lochan_buf *b) {
    int64_t n = 0;
    for (size_t i = 0; i < b->len; i++)
        n += b->data[i] == '\n';
    return n;
}

/* Lines [from, to). */
static lochan_str lines_of(const lochan_buf *b, int64_t from, int64_t to) {
    size_t begin = 0, end;
    for (; from > 0; begin++)
        from -= b->data[begin] == '\n', to -= b->data[begin] == '\n';
    for (end = begin; to > 0; end++)
        to -= b->data[end] == '\n';
    return (lochan_str){(const char *)b->data + begin, end - begin};
}

static void check_first_line(const lochan_buf *file, const char *const *paths, size_t n,
                             const char *want) {
    const lochan_pq_range rows[] = {{1003, 1004}};
    answer a = ask(
        file, (lochan_pq_scan){.paths = paths, .n_columns = n, .rows = rows, .n_rows = 1}, NULL);
    assert_int_equal(count_lines(&a.lines), 1);
    char *got = strndup((const char *)a.lines.data, a.lines.len - 1);
    assert_string_equal(got, want);
    free(got);
    drop(&a);
}
#define CHECK_LINE(file, want, ...)                                                                \
    do {                                                                                           \
        const char *const paths_[] = {__VA_ARGS__};                                                \
        check_first_line(file, paths_, sizeof paths_ / sizeof *paths_, want);                      \
    } while (0)

static void test_projection__takes_fields_of_nested_columns(void **state) {
    lochan_buf file;
    (void)state;
    nested_file(&(lochan_pq_write_options){0}, &file);
    CHECK_LINE(&file, "{\"a\":{\"b\":26}}", "a.b");
    CHECK_LINE(&file, "{\"a\":{\"d\":{\"f\":\"v26\"}},\"id\":1003}", "a.d.f", "id");
    CHECK_LINE(&file, "{\"a\":{\"b\":26,\"d\":{\"e\":13,\"f\":\"v26\"}},\"id\":1003}", "a.d", "id",
               "a.b");
    const char *list = "{\"l\":[{\"x\":13},{\"x\":13.5}]}";
    CHECK_LINE(&file, list, "l.x");
    CHECK_LINE(&file, list, "l.element.x");
    CHECK_LINE(&file, list, "l.list.element.x");
    const char *text = "value 27 of some length \xc3\xa4";
    char want[256];
    (void)snprintf(want, sizeof want, "{\"m\":{\"v26\":{\"p\":26},\"%s\":{\"p\":27}}}", text);
    CHECK_LINE(&file, want, "m.value.p");
    CHECK_LINE(&file, want, "m.key_value.value.p");
    (void)snprintf(want, sizeof want,
                   "{\"m\":{\"v26\":{\"p\":26,\"q\":\"v26\"},\"%s\":{\"p\":27,\"q\":\"%s\"}}}",
                   text, text);
    CHECK_LINE(&file, want, "m.key");
    CHECK_LINE(&file, want, "m");
    lochan_buf__deinit(&file);
}

static void check_refused(const lochan_buf *file, const char *const *paths, size_t n,
                          lochan_status want) {
    struct ArrowArrayStream stream;
    lochan_error err;
    lochan_pq_reader *r;
    assert_ok(pq_open(NULL, file, NULL, &r, &err));
    const lochan_pq_scan scan = {.paths = paths, .n_columns = n};
    assert_status(lochan_pq_reader__stream(r, &scan, &stream, &err), want);
    lochan_pq_reader__close(r);
}

static void test_projection__refuses_unknown_and_repeated_fields(void **state) {
    static const char *const unknown[] = {"a.z"}, *const below[] = {"id.b"},
                             *const twice[] = {"a.d", "a.d.e"}, *const again[] = {"a", "a"};
    lochan_buf file;
    (void)state;
    nested_file(&(lochan_pq_write_options){0}, &file);
    check_refused(&file, unknown, 1, LOCHAN_ERR_NOT_FOUND);
    check_refused(&file, below, 1, LOCHAN_ERR_NOT_FOUND);
    check_refused(&file, twice, 2, LOCHAN_ERR_INVALID_ARGUMENT);
    check_refused(&file, again, 2, LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_buf__deinit(&file);
}

static void test_projection__reads_no_other_fields(void **state) {
    static const char *const paths[] = {"a.d.e"};
    lochan_buf file;
    (void)state;
    nested_file(&(lochan_pq_write_options){.no_dictionary = true}, &file);
    answer one = ask(&file, (lochan_pq_scan){.paths = paths, .n_columns = 1}, NULL);
    answer all = ask(&file, (lochan_pq_scan){0}, NULL);
    assert_int_equal(one.counters.pages_decoded, ROWS / PAGE_ROWS);
    assert_int_equal(all.counters.pages_decoded, ROWS / PAGE_ROWS * 11);
    assert_true(one.counters.bytes_read * 3 < all.counters.bytes_read);
    drop(&one);
    drop(&all);
    lochan_buf__deinit(&file);
}

/* ---- rows ---- */

static void check_rows(const lochan_buf *file, const lochan_pq_range *rows, size_t n,
                       int64_t batch_rows) {
    answer all = ask(file, (lochan_pq_scan){0}, NULL);
    answer some =
        ask(file, (lochan_pq_scan){.rows = rows, .n_rows = n, .batch_rows = batch_rows}, NULL);
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        lochan_str want = lines_of(&all.lines, rows[i].begin, rows[i].end);
        assert_true(at + want.n <= some.lines.len);
        assert_memory_equal(some.lines.data + at, want.p, want.n);
        at += want.n;
    }
    assert_int_equal(at, some.lines.len);
    drop(&all);
    drop(&some);
}

static void test_projection__reads_ranges_of_rows(void **state) {
    static const lochan_pq_range sets[][4] = {
        {{0, 1}, {1, 2}, {2, 2}, {3999, 4000}},
        {{99, 101}, {150, 160}, {500, 700}, {1999, 2001}},
        {{10, 1990}, {2000, 2100}, {3050, 3051}, {3950, 4000}},
        {{0, 4000}, {4000, 4000}, {4000, 4000}, {5000, 6000}},
    };
    const lochan_pq_write_options forms[] = {
        {0},
        {.no_page_index = true},
        {.page_v2 = true, .no_page_index = true},
        {.page_v2 = true, .no_dictionary = true},
    };
    (void)state;
    for (size_t f = 0; f < LOCHAN_COUNTOF(forms); f++) {
        lochan_buf file;
        nested_file(&forms[f], &file);
        for (size_t i = 0; i < LOCHAN_COUNTOF(sets) - 1; i++)
            check_rows(&file, sets[i], 4, f % 2 ? 0 : 37);
        check_rows(&file, sets[3], 1, 0);
        lochan_buf__deinit(&file);
    }
}

static void test_projection__ranges_past_the_end_are_empty(void **state) {
    const lochan_pq_range rows[] = {{3999, 4000}, {4000, 9000}}, wrong[] = {{5, 9}, {8, 12}};
    struct ArrowArrayStream stream;
    lochan_error err;
    lochan_pq_reader *r;
    lochan_buf file;
    (void)state;
    nested_file(&(lochan_pq_write_options){0}, &file);
    answer a = ask(&file, (lochan_pq_scan){.rows = rows, .n_rows = 2}, NULL);
    assert_int_equal(count_lines(&a.lines), 1);
    drop(&a);
    a = ask(&file, (lochan_pq_scan){.rows = rows, .n_rows = 0}, NULL);
    assert_int_equal(count_lines(&a.lines), 0);
    drop(&a);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    const lochan_pq_scan scan = {.rows = wrong, .n_rows = 2};
    assert_status(lochan_pq_reader__stream(r, &scan, &stream, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&file);
}

/* A row of each of 11 leaves lies in one page, whatever its depth. */
static void test_projection__a_range_reads_only_its_pages(void **state) {
    const lochan_pq_range rows[] = {{1234, 1236}, {3333, 3334}};
    lochan_buf file;
    (void)state;
    nested_file(&(lochan_pq_write_options){.no_dictionary = true}, &file);
    answer a = ask(&file, (lochan_pq_scan){.rows = rows, .n_rows = 2}, NULL);
    assert_int_equal(count_lines(&a.lines), 3);
    assert_int_equal(a.counters.pages_decoded, 2 * 11);
    assert_int_equal(a.counters.row_groups_read, 2);
    answer all = ask(&file, (lochan_pq_scan){0}, NULL);
    assert_true(a.counters.bytes_read * 3 < all.counters.bytes_read);
    drop(&a);
    drop(&all);
    lochan_buf__deinit(&file);
}

/* ---- predicates ---- */

/* Only the lines of everything that hold `part`. */
static void check_where(const lochan_buf *file, const char *where, const char *part) {
    answer all = ask(file, (lochan_pq_scan){.batch_rows = 700}, NULL);
    answer some = ask(file, (lochan_pq_scan){.batch_rows = 700}, where);
    lochan_error err;
    lochan_buf want;
    lochan_buf__init(&want, 1 << 28);
    for (const char *at = (const char *)all.lines.data; *at;) {
        const char *end = strchr(at, '\n'), *found = strstr(at, part);
        if (found && found < end)
            assert_ok(lochan_buf__append(&want, at, (size_t)(end - at) + 1, &err));
        at = end + 1;
    }
    assert_true(want.len > 0);
    assert_same_lines(&some.lines, &want);
    lochan_buf__deinit(&want);
    drop(&all);
    drop(&some);
}

static void test_projection__predicates_name_fields_of_structs(void **state) {
    const lochan_pq_write_options forms[] = {
        {0}, {.no_dictionary = true}, {.page_v2 = true, .no_page_index = true}};
    (void)state;
    for (size_t f = 0; f < LOCHAN_COUNTOF(forms); f++) {
        lochan_buf file;
        nested_file(&forms[f], &file);
        check_where(&file, "a.d.e = 13", "\"e\":13,");
        check_where(&file, "a.b = 26 and a.d.f = 'v26'", "\"f\":\"v26\"");
        check_where(&file, "a.c = 'v26'", "\"c\":\"v26\"");
        check_where(&file, "\"a.d.f\" in ('v26', 'nowhere')", "\"f\":\"v26\"");
        check_where(&file, "a.b is null and a is null", "\"a\":null");
        lochan_buf__deinit(&file);
    }
}

static void test_projection__fields_of_structs_prune(void **state) {
    lochan_buf file;
    (void)state;
    nested_file(&(lochan_pq_write_options){0}, &file);
    answer a = ask(&file, (lochan_pq_scan){0}, "a.d.e > 1000");
    assert_int_equal(a.lines.len, 0);
    assert_int_equal(a.counters.row_groups_pruned, 2);
    assert_int_equal(a.counters.pages_decoded, 0);
    drop(&a);
    lochan_buf__deinit(&file);
}

/* What follows the predicate's column is read only where rows are left: with an offset index just
 * their pages, without one by the headers of pages, except for lists in pages of version 1. */
static void test_projection__other_columns_are_read_where_rows_are_left(void **state) {
    static const char *const paths[] = {"id", "a", "l"};
    const lochan_pq_scan scan = {.paths = paths, .n_columns = 3};
    lochan_pq_write_options o = {.no_dictionary = true};
    enum { PAGES = GROUP_ROWS / PAGE_ROWS, STRUCT = 4, LIST = 2 };
    lochan_buf file;
    (void)state;
    /* the predicate's pages all hold it, the row is one of each group */
    const char *where = "tag = 'tag 6' and id between 21 and 22 or tag = 'tag 19' and id = 2024";
    nested_file(&o, &file);
    answer a = ask(&file, scan, where);
    assert_int_equal(count_lines(&a.lines), 3);
    assert_in_range(a.counters.pages_decoded, 2 * (2 + STRUCT + LIST), 2 * (3 + STRUCT + LIST));
    drop(&a);
    lochan_buf__deinit(&file);
    o.no_page_index = true;
    o.page_v2 = true;
    nested_file(&o, &file);
    a = ask(&file, scan, where);
    assert_int_equal(count_lines(&a.lines), 3);
    assert_in_range(a.counters.pages_decoded, 2 * (2 * PAGES + STRUCT + LIST),
                    2 * (2 * PAGES + STRUCT + 2 * LIST));
    drop(&a);
    lochan_buf__deinit(&file);
}

static void test_projection__dictionaries_prune_row_groups(void **state) {
    static const char *const paths[] = {"tag"};
    const lochan_pq_scan scan = {.paths = paths, .n_columns = 1};
    enum { PAGES = GROUP_ROWS / PAGE_ROWS };
    lochan_buf file;
    (void)state;
    static const lochan_pq_column_encoding encodings[] = {{"tag", LOCHAN_PQ_RLE_DICTIONARY},
                                                          {"a.b", LOCHAN_PQ_RLE_DICTIONARY}};
    nested_file(&(lochan_pq_write_options){.encodings = encodings,
                                           .n_encodings = LOCHAN_COUNTOF(encodings),
                                           .no_statistics = true,
                                           .no_page_index = true},
                &file);
    answer all = ask(&file, scan, NULL);
    assert_int_equal(all.counters.pages_decoded, 2 * (1 + PAGES));
    answer a = ask(&file, scan, "tag = 'tag 3'");
    assert_int_equal(count_lines(&a.lines), 49);
    assert_int_equal(a.counters.row_groups_pruned, 1);
    assert_int_equal(a.counters.pages_decoded, 1 + 1 + PAGES);
    assert_true(a.counters.bytes_read < all.counters.bytes_read);
    drop(&a);
    a = ask(&file, scan, "tag > 'tag 79' and tag < 'tag 8'");
    assert_int_equal(a.counters.row_groups_pruned, 2);
    assert_int_equal(a.counters.pages_decoded, 2);
    assert_int_equal(a.lines.len, 0);
    drop(&a);
    a = ask(&file, scan, "tag in ('tag 4', 'nowhere') and id >= 0");
    assert_int_equal(a.counters.row_groups_pruned, 1);
    drop(&a);
    a = ask(&file, scan, "a.b = 1000 or tag = 'nowhere'");
    assert_int_equal(a.counters.row_groups_pruned, 2);
    drop(&a);
    a = ask(&file, scan, "a.b is null"); /* nulls are in no dictionary */
    assert_int_equal(a.counters.row_groups_pruned, 0);
    assert_true(a.lines.len > 0);
    drop(&a);
    drop(&all);
    lochan_buf__deinit(&file);
}

/* ---- damage ---- */

/* An offset index that lies leads to an error or to the right rows. */
static void test_projection__a_damaged_offset_index_gives_no_wrong_rows(void **state) {
    static const char *const paths[] = {"id", "l"};
    const lochan_pq_range rows[] = {{550, 551}, {1234, 1236}};
    const lochan_pq_scan scan = {.paths = paths, .n_columns = 2, .rows = rows, .n_rows = 2};
    enum { INDEXES = 9000 };
    lochan_buf file;
    int failed = 0, right = 0;
    (void)state;
    nested_file(&(lochan_pq_write_options){0}, &file);
    answer want = ask(&file, scan, NULL);
    size_t footer = file.data[file.len - 8] | (size_t)file.data[file.len - 7] << 8;
    size_t end = file.len - 8 - footer;
    for (size_t at = end - INDEXES; at < end; at += 9) {
        lochan_error err;
        lochan_pq_reader *r;
        lochan_buf got;
        uint8_t flip = (uint8_t)(1u << (at / 9 % 8));
        file.data[at] ^= flip;
        lochan_buf__init(&got, 1 << 20);
        assert_ok(pq_open(NULL, &file, NULL, &r, &err));
        if (pq_read(r, &scan, &got, &err) == LOCHAN_OK) {
            assert_same_lines(&got, &want.lines);
            right++;
        } else {
            assert_int_equal(err.code, LOCHAN_ERR_CORRUPT);
            failed++;
        }
        lochan_pq_reader__close(r);
        lochan_buf__deinit(&got);
        file.data[at] ^= flip;
    }
    assert_true(right > 0 && failed > 0);
    drop(&want);
    lochan_buf__deinit(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_projection__takes_fields_of_nested_columns),
        cmocka_unit_test(test_projection__refuses_unknown_and_repeated_fields),
        cmocka_unit_test(test_projection__reads_no_other_fields),
        cmocka_unit_test(test_projection__reads_ranges_of_rows),
        cmocka_unit_test(test_projection__ranges_past_the_end_are_empty),
        cmocka_unit_test(test_projection__a_range_reads_only_its_pages),
        cmocka_unit_test(test_projection__predicates_name_fields_of_structs),
        cmocka_unit_test(test_projection__fields_of_structs_prune),
        cmocka_unit_test(test_projection__other_columns_are_read_where_rows_are_left),
        cmocka_unit_test(test_projection__dictionaries_prune_row_groups),
        cmocka_unit_test(test_projection__a_damaged_offset_index_gives_no_wrong_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
