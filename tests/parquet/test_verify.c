/* test_verify.c - verify finds what page index and Bloom filters say wrongly, and names column and
 * page. Files are made sound, then one claim in them is changed. */
#include "parquet/pq_sample.h"

#include "arrow/builder.h"
#include "arrow/view.h"
#include "parquet/bloom.h"
#include "parquet/reader_own.h"

#include <lochan/parquet.h>
#include <math.h>

enum { ROWS = 100, PAGE_ROWS = 10 };

/* n: 0, 1, ... with every seventh null; list: n % 3 texts; real: n / 2, NaN at 55. */
static void make_rows(struct ArrowSchema *schema, struct ArrowArray *rows) {
    lochan_error err;
    lochan_builder *b;
    lochan_type number = {.id = LOCHAN_TYPE_INT64}, list = {.id = LOCHAN_TYPE_LIST},
                text = {.id = LOCHAN_TYPE_STRING}, real = {.id = LOCHAN_TYPE_FLOAT64};
    assert_ok(lochan_schema__init_struct(schema, 3, &err));
    assert_ok(lochan_schema__set_field(schema->children[0], "n", &number, true, &err));
    assert_ok(lochan_schema__set_nested(schema->children[1], "list", &list, true, 1, &err));
    assert_ok(
        lochan_schema__set_field(schema->children[1]->children[0], "element", &text, true, &err));
    assert_ok(lochan_schema__set_field(schema->children[2], "real", &real, false, &err));
    assert_ok(lochan_builder__create(schema, &b, &err));
    for (int i = 0; i < ROWS; i++) {
        lochan_builder *items = lochan_builder__child(b, 1),
                       *item = lochan_builder__child(items, 0);
        if (i % 7 == 3)
            assert_ok(lochan_builder__null(lochan_builder__child(b, 0), &err));
        else
            assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), i, &err));
        for (int k = 0; k < i % 3; k++) {
            char s[16];
            (void)lochan_format(s, sizeof s, "t%03d", i * 2 + k);
            assert_ok(lochan_builder__str(item, lochan_str__of(s), &err));
        }
        assert_ok(lochan_builder__end_row(items, &err));
        assert_ok(
            lochan_builder__double(lochan_builder__child(b, 2), i == 55 ? NAN : i / 2.0, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, rows, &err));
    lochan_builder__free(b);
}

/* A file, and where its claims lie. */
typedef struct sample {
    lochan_buf file;
    lochan_pq_reader *reader;
} sample;

static void make_sample(sample *s) {
    static const char *const filters[] = {"n", "list.list.element", "real"};
    lochan_pq_write_options o = {
        .page_rows = PAGE_ROWS, .bloom_filters = filters, .n_bloom_filters = 3};
    struct ArrowSchema schema;
    struct ArrowArray rows;
    lochan_error err;
    make_rows(&schema, &rows);
    assert_ok(pq_write(NULL, &schema, &rows, 0, &o, &s->file, NULL, &err));
    lochan_pq_source source = {.data = s->file.data, .size = s->file.len, .name = "sample"};
    assert_ok(lochan_pq_reader__open(NULL, &source, NULL, &s->reader, &err));
    lochan_array__release(&rows);
    lochan_schema__release(&schema);
}

static void free_sample(sample *s) {
    lochan_pq_reader__close(s->reader);
    lochan_buf__deinit(&s->file);
}

/* Verifies; wants one problem of this kind (NULL: none) of the column, which tells of `detail`. */
static void expect(const sample *s, const char *kind, const char *column, const char *detail) {
    lochan_error err;
    lochan_parquet_reader *reader = NULL;
    struct ArrowArrayStream problems;
    struct ArrowSchema schema;
    struct ArrowArray list = {0};
    lochan_parquet_verify_report report = LOCHAN_PARQUET_VERIFY_REPORT_INIT;
    assert_ok(lochan_parquet_reader_open_memory(s->file.data, s->file.len, NULL, &reader, &err));
    assert_ok(lochan_parquet_reader_verify(reader, &report, &problems, &err));
    assert_int_equal(report.rows, ROWS);
    assert_int_equal(report.problems, kind ? 1 : 0);
    if (kind) {
        lochan_view view;
        const char *wanted[] = {kind, column, detail};
        assert_ok(lochan_stream__schema(&problems, &schema, &err));
        assert_ok(lochan_stream__next(&problems, &list, &err));
        for (int i = 0; i < 3; i++) {
            char text[256];
            int child = 2 * i;
            assert_ok(lochan_view__init(&view, schema.children[child], list.children[child], &err));
            lochan_str got = lochan_view__bytes(&view, 0);
            (void)lochan_format(text, sizeof text, "%.*s", (int)got.n, got.p);
            if (!strstr(text, wanted[i]))
                fail_msg("'%s' does not tell of '%s'", text, wanted[i]);
            lochan_view__deinit(&view);
        }
        lochan_array__release(&list);
        lochan_schema__release(&schema);
    }
    problems.release(&problems);
    lochan_parquet_reader_close(reader);
}

static const lochan_pq_column_chunk *chunk_of(const sample *s, int leaf) {
    return lochan_pq_reader__chunk(s->reader, 0, leaf);
}

/* Reads a struct of the file's index; put_back writes it where it was, in as many bytes. */
static void read_index(const sample *s, lochan_arena *arena, int64_t offset, int32_t length,
                       const lochan_thrift_type *type, void *out) {
    lochan_error err;
    lochan_cursor cursor = {s->file.data + offset, s->file.data + offset + length};
    lochan_arena__init(arena, 1 << 20);
    assert_ok(lochan_thrift__read(&cursor, cursor.pos, type, arena, out, &err));
}

static void put_back(sample *s, lochan_arena *arena, int64_t offset, int32_t length,
                     const lochan_thrift_type *type, const void *in) {
    lochan_error err;
    lochan_buf buf;
    lochan_buf__init(&buf, 1 << 20);
    assert_ok(lochan_thrift__write(&buf, type, in, &err));
    assert_int_equal(buf.len, length);
    memcpy(s->file.data + offset, buf.data, buf.len);
    lochan_buf__deinit(&buf);
    lochan_arena__deinit(arena);
}

static void test_verify__sound_files_have_no_problems(void **state) {
    (void)state;
    sample s;
    make_sample(&s);
    for (int leaf = 0; leaf < 3; leaf++) {
        assert_true(LOCHAN_PQ_HAS(chunk_of(&s, leaf), 6));
        assert_true(LOCHAN_PQ_HAS(&chunk_of(&s, leaf)->meta, 14));
    }
    expect(&s, NULL, NULL, NULL);
    free_sample(&s);
}

/* Changes one thing of the column index of a leaf. */
typedef void (*change_fn)(lochan_pq_column_index *x);

static void change_columns(int leaf, change_fn change, const char *column, const char *detail) {
    sample s;
    lochan_arena arena;
    lochan_pq_column_index x;
    make_sample(&s);
    const lochan_pq_column_chunk *c = chunk_of(&s, leaf);
    read_index(&s, &arena, c->column_index_offset, c->column_index_length,
               &lochan_pq_column_index__type, &x);
    change(&x);
    put_back(&s, &arena, c->column_index_offset, c->column_index_length,
             &lochan_pq_column_index__type, &x);
    expect(&s, "index", column, detail);
    free_sample(&s);
}

static void raise_min(lochan_pq_column_index *x) {
    lochan_str *min = (lochan_str *)x->mins.items + 2;
    ((uint8_t *)(uintptr_t)min->p)[0]++;
}
static void lower_max(lochan_pq_column_index *x) {
    lochan_str *max = (lochan_str *)x->maxs.items + 4;
    ((uint8_t *)(uintptr_t)max->p)[3]--;
}
static void more_nulls(lochan_pq_column_index *x) {
    ((int64_t *)x->null_counts.items)[1]++;
}
static void no_values(lochan_pq_column_index *x) {
    ((bool *)x->null_pages.items)[3] = true;
}

static void test_verify__wrong_bounds_and_counts_are_named(void **state) {
    (void)state;
    change_columns(0, raise_min, "n", "page 2");
    change_columns(1, lower_max, "list.list.element", "page 4");
    change_columns(0, more_nulls, "n", "page 1 has 2 nulls; the column index says 3");
    change_columns(1, more_nulls, "list.list.element", "page 1 has");
    change_columns(2, no_values, "real", "page 3 holds values");
}

static void test_verify__wrong_places_are_named(void **state) {
    (void)state;
    for (int field = 0; field < 3; field++) {
        static const char *const details[] = {"page 5 lies at", "page 5 lies at",
                                              "page 5 begins at row 50; the offset index says 51"};
        sample s;
        lochan_arena arena;
        lochan_pq_offset_index x;
        make_sample(&s);
        const lochan_pq_column_chunk *c = chunk_of(&s, 1);
        read_index(&s, &arena, c->offset_index_offset, c->offset_index_length,
                   &lochan_pq_offset_index__type, &x);
        lochan_pq_page_location *place = (lochan_pq_page_location *)x.pages.items + 5;
        place->offset += field == 0;
        place->compressed_size += field == 1;
        place->first_row += field == 2;
        put_back(&s, &arena, c->offset_index_offset, c->offset_index_length,
                 &lochan_pq_offset_index__type, &x);
        expect(&s, "index", "list.list.element", details[field]);
        free_sample(&s);
    }
}

static void test_verify__a_filter_that_denies_a_value_is_named(void **state) {
    (void)state;
    static const char *const columns[] = {"n", "list.list.element", "real"};
    for (int leaf = 0; leaf < 3; leaf++) {
        sample s;
        lochan_pq_bloom bloom;
        bool found;
        lochan_error err;
        make_sample(&s);
        assert_ok(lochan_pq_bloom__find(&s.reader->file, &chunk_of(&s, leaf)->meta, &bloom, &found,
                                        &err));
        assert_true(found);
        memset(s.file.data + bloom.bits + bloom.size / 2, 0, bloom.size / 2);
        expect(&s, "bloom", columns[leaf], "denies row");
        free_sample(&s);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_verify__sound_files_have_no_problems),
        cmocka_unit_test(test_verify__wrong_bounds_and_counts_are_named),
        cmocka_unit_test(test_verify__wrong_places_are_named),
        cmocka_unit_test(test_verify__a_filter_that_denies_a_value_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
