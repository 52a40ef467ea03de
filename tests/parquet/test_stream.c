/* test_stream.c - streams with predicates: rows picked out of pages, texts compared as keys, give
 * what reading everything and filtering gives. */
#include "parquet/pq_sample.h"

#include "parquet/metadata.h"

enum { ROWS = 4000 };

/* Values come in short runs and again and again, so that dictionaries pay. */
static void repeated_file(const lochan_pq_write_options *base, bool nested, lochan_buf *file) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_builder *b;
    pq_schema(&schema, nested);
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int64_t r = 0; r < ROWS; r++) {
        for (int64_t c = 0; c < schema.n_children; c++)
            assert_ok(
                sample_fill(lochan_builder__child(b, c), schema.children[c], r / 7 % 97, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &batch, &err));
    lochan_pq_write_options o = *base;
    o.row_group_rows = 1500;
    o.page_rows = 130;
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, file, NULL, &err));
    lochan_builder__free(b);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static void print_filtered(lochan_pq_reader *r, const lochan_expr *e, lochan_buf *out) {
    lochan_error err;
    const struct ArrowSchema *schema = lochan_pq_reader__schema(r);
    for (int g = 0; g < lochan_pq_reader__row_groups(r); g++) {
        struct ArrowArray a, kept;
        uint8_t bits[ROWS / 8 + 1];
        int64_t count;
        assert_ok(lochan_pq_reader__read_row_group(r, g, NULL, 0, &a, &err));
        assert_ok(lochan_expr__apply(e, schema, &a, bits, &count, &err));
        assert_ok(lochan_filter(schema, &a, bits, &kept, &err));
        pq_print(schema, &kept, out);
        lochan_array__release(&kept);
        lochan_array__release(&a);
    }
}

/* budget: bytes, 0 = none. The answer: pages decompressed. */
static uint64_t check_within(const lochan_buf *file, lochan_pq_strings strings, int64_t batch_rows,
                             size_t limit) {
    static const char *const texts[] = {
        "u = 'v20'",
        "u in ('v20', 'v44') or l = 7",
        "vu = 'v6' and U = 'v6'",
        "U = 'value 21 of some length \xc3\xa4' or z = 'v90'",
        "u is null and l is null",
        "u = 'nowhere'",
        "g > 45 and u >= 'v9'",
        "not u = 'v2'",
        "l >= 0 or l is null",
    };
    lochan_error err;
    lochan_pq_reader *r;
    const lochan_pq_read_options o = {.strings = strings};
    lochan_budget budget;
    lochan_budget__init(&budget, limit);
    lochan_ctx ctx = {.budget = limit ? &budget : NULL};
    lochan_pq_counters counters;
    assert_ok(pq_open(&ctx, file, &o, &r, &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(texts); i++) {
        lochan_expr *e;
        lochan_buf got, want;
        assert_ok(lochan_expr__parse(texts[i], &e, &err));
        assert_ok(lochan_expr__bind(e, lochan_pq_reader__schema(r), &err));
        lochan_buf__init(&got, 1 << 26);
        lochan_buf__init(&want, 1 << 26);
        lochan_pq_scan scan = {.predicate = e, .batch_rows = batch_rows};
        assert_ok(pq_read(r, &scan, &got, &err));
        print_filtered(r, e, &want);
        assert_same_lines(&got, &want);
        lochan_buf__deinit(&got);
        lochan_buf__deinit(&want);
        lochan_expr__free(e);
    }
    lochan_pq_reader__counters(r, &counters);
    lochan_pq_reader__close(r);
    assert_int_equal(budget.used, 0);
    return counters.pages_decoded;
}

static void check(const lochan_buf *file, lochan_pq_strings strings, int64_t batch_rows) {
    (void)check_within(file, strings, batch_rows, 0);
}

static void check_all(const lochan_pq_write_options *o, bool nested) {
    lochan_buf file;
    repeated_file(o, nested, &file);
    check(&file, LOCHAN_PQ_STRINGS_PLAIN, 1000);
    check(&file, LOCHAN_PQ_STRINGS_LARGE, 333);
    check(&file, LOCHAN_PQ_STRINGS_VIEW, 0);
    check(&file, LOCHAN_PQ_STRINGS_DICTIONARY, 1000);
    lochan_buf__deinit(&file);
}

static void test_stream__picks_rows_of_dictionaries(void **state) {
    (void)state;
    check_all(&(lochan_pq_write_options){0}, false);
}

static void test_stream__picks_rows_of_plain_pages(void **state) {
    (void)state;
    check_all(&(lochan_pq_write_options){.no_dictionary = true, .no_page_index = true}, false);
}

static void test_stream__picks_rows_beside_nested_columns(void **state) {
    (void)state;
    check_all(&(lochan_pq_write_options){.page_v2 = true}, true);
}

static void test_stream__picks_rows_of_every_encoding(void **state) {
    static const lochan_pq_column_encoding encodings[] = {
        {"l", LOCHAN_PQ_DELTA_BINARY_PACKED},       {"i", LOCHAN_PQ_BYTE_STREAM_SPLIT},
        {"g", LOCHAN_PQ_BYTE_STREAM_SPLIT},         {"f", LOCHAN_PQ_BYTE_STREAM_SPLIT},
        {"u", LOCHAN_PQ_DELTA_BYTE_ARRAY},          {"U", LOCHAN_PQ_DELTA_LENGTH_BYTE_ARRAY},
        {"tsm:UTC", LOCHAN_PQ_DELTA_BINARY_PACKED},
    };
    (void)state;
    check_all(&(lochan_pq_write_options){.encodings = encodings,
                                         .n_encodings = LOCHAN_COUNTOF(encodings),
                                         .no_dictionary = true},
              false);
}

/* So little memory that columns give up their pages after every batch, whatever they hold. */
static void check_suspended(const lochan_pq_write_options *o, bool nested) {
    lochan_buf file;
    repeated_file(o, nested, &file);
    uint64_t free_pages = check_within(&file, LOCHAN_PQ_STRINGS_PLAIN, 100, (size_t)1 << 30);
    uint64_t pages = check_within(&file, LOCHAN_PQ_STRINGS_PLAIN, 100, 400 << 10);
    assert_true(pages > free_pages);
    pages = check_within(&file, LOCHAN_PQ_STRINGS_DICTIONARY, 100, 400 << 10);
    assert_true(pages > free_pages);
    lochan_buf__deinit(&file);
}

static void test_stream__gives_pages_up_and_reads_on(void **state) {
    static const lochan_pq_column_encoding encodings[] = {
        {"l", LOCHAN_PQ_DELTA_BINARY_PACKED},       {"i", LOCHAN_PQ_BYTE_STREAM_SPLIT},
        {"g", LOCHAN_PQ_BYTE_STREAM_SPLIT},         {"u", LOCHAN_PQ_DELTA_BYTE_ARRAY},
        {"tsm:UTC", LOCHAN_PQ_DELTA_BINARY_PACKED}, {"U", LOCHAN_PQ_DELTA_LENGTH_BYTE_ARRAY},
    };
    (void)state;
    check_suspended(&(lochan_pq_write_options){0}, true);
    check_suspended(&(lochan_pq_write_options){.encodings = encodings,
                                               .n_encodings = LOCHAN_COUNTOF(encodings),
                                               .page_v2 = true,
                                               .codec = LOCHAN_PQ_UNCOMPRESSED,
                                               .codec_set = true,
                                               .no_dictionary = true},
                    true);
}

static uint64_t groups_pruned(const lochan_buf *file, const char *predicate) {
    lochan_error err;
    lochan_pq_reader *r;
    lochan_expr *e;
    lochan_buf got;
    lochan_pq_counters counters;
    assert_ok(pq_open(NULL, file, NULL, &r, &err));
    assert_ok(lochan_expr__parse(predicate, &e, &err));
    assert_ok(lochan_expr__bind(e, lochan_pq_reader__schema(r), &err));
    lochan_buf__init(&got, 1 << 26);
    assert_ok(pq_read(r, &(lochan_pq_scan){.predicate = e}, &got, &err));
    lochan_pq_reader__counters(r, &counters);
    lochan_buf__deinit(&got);
    lochan_expr__free(e);
    lochan_pq_reader__close(r);
    return counters.row_groups_pruned;
}

/* Three row groups; what none of them holds lies between their bounds. */
static void check_blooms(const lochan_buf *file, bool has) {
    uint64_t all = has ? 3 : 0;
    assert_int_equal(groups_pruned(file, "u = 'v9 nowhere'"), all);
    assert_int_equal(groups_pruned(file, "u in ('v20 no', 'v4 no') or l = 1000000007"), all);
    assert_int_equal(groups_pruned(file, "U = 'v7 no' and g > 0"), all);
    assert_int_equal(groups_pruned(file, "g = 0.123456"), all);
    assert_int_equal(groups_pruned(file, "u = 'v20'"), 0);
    assert_int_equal(groups_pruned(file, "not u = 'v9 nowhere'"), 0);
    assert_int_equal(groups_pruned(file, "u = 'v9 nowhere' or i >= 0"), 0);
}

static void test_stream__asks_bloom_filters(void **state) {
    static const char *const paths[] = {"u", "U", "vu", "z", "l", "i", "g", "f", "w:3", "c"};
    lochan_pq_write_options o = {.no_statistics = true};
    lochan_buf file, copy;
    lochan_error err;
    lochan_pq_reader *r;
    lochan_pq_writer *w;
    (void)state;
    repeated_file(&o, true, &file);
    check_blooms(&file, false);
    lochan_buf__deinit(&file);
    o.bloom_filters = paths;
    o.n_bloom_filters = LOCHAN_COUNTOF(paths);
    for (int dictionary = 0; dictionary < 2; dictionary++) {
        o.no_dictionary = dictionary == 0;
        repeated_file(&o, true, &file);
        check_blooms(&file, true);
        check(&file, LOCHAN_PQ_STRINGS_PLAIN, 1000);
        /* a raw copy keeps them */
        lochan_buf__init(&copy, 1 << 28);
        lochan_pq_sink sink = lochan_pq_sink__of_buf(&copy);
        assert_ok(pq_open(NULL, &file, NULL, &r, &err));
        assert_ok(lochan_pq_writer__open(NULL, &sink, lochan_pq_reader__schema(r), NULL, &w, &err));
        for (int g = 0; g < lochan_pq_reader__row_groups(r); g++)
            assert_ok(lochan_pq_writer__copy_row_group(w, r, g, &err));
        assert_ok(lochan_pq_writer__close(w, NULL, &err));
        lochan_pq_writer__free(w);
        lochan_pq_reader__close(r);
        check_blooms(&copy, true);
        lochan_buf__deinit(&copy);
        lochan_buf__deinit(&file);
    }
}

static void test_stream__bloom_filters_need_a_column_that_has_values(void **state) {
    static const char *const unknown[] = {"nowhere"}, *const flag[] = {"b"};
    lochan_pq_write_options o = {.bloom_filters = unknown, .n_bloom_filters = 1};
    struct ArrowSchema schema;
    lochan_error err;
    lochan_buf out;
    lochan_pq_writer *w;
    (void)state;
    lochan_buf__init(&out, 1 << 16);
    lochan_pq_sink sink = lochan_pq_sink__of_buf(&out);
    pq_schema(&schema, false);
    assert_status(lochan_pq_writer__open(NULL, &sink, &schema, &o, &w, &err), LOCHAN_ERR_NOT_FOUND);
    o.bloom_filters = flag;
    assert_status(lochan_pq_writer__open(NULL, &sink, &schema, &o, &w, &err),
                  LOCHAN_ERR_UNSUPPORTED);
    lochan_schema__release(&schema);
    lochan_buf__deinit(&out);
}

static void release_borrowed(struct ArrowArray *a) {
    a->release = NULL;
}

/* 300 columns whose row group takes ten times the budget. */
static void test_stream__reads_wide_row_groups_within_the_budget(void **state) {
    enum { COLUMNS = 300, LONG_ROWS = 8000, LIMIT = 2 << 20 };
    static double values[LONG_ROWS];
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch, got;
    struct ArrowArrayStream stream;
    const lochan_type type = {.id = LOCHAN_TYPE_FLOAT64};
    const void *buffers[] = {NULL, values};
    lochan_buf file;
    lochan_budget budget;
    lochan_pq_reader *r;
    int64_t rows = 0;
    (void)state;
    assert_ok(lochan_schema__init_struct(&schema, COLUMNS, &err));
    assert_ok(lochan_array__init(&batch, 1, COLUMNS, &err));
    for (int c = 0; c < COLUMNS; c++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", c);
        assert_ok(lochan_schema__set_field(schema.children[c], name, &type, false, &err));
        *batch.children[c] = (struct ArrowArray){
            .length = LONG_ROWS, .n_buffers = 2, .buffers = buffers, .release = release_borrowed};
    }
    batch.length = LONG_ROWS;
    for (int i = 0; i < LONG_ROWS; i++)
        values[i] = (double)(i * 7919 % LONG_ROWS) / 3;
    assert_ok(pq_write(NULL, &schema, &batch, 0, NULL, &file, NULL, &err));
    lochan_budget__init(&budget, LIMIT);
    lochan_ctx ctx = {.budget = &budget};
    assert_ok(pq_open(&ctx, &file, NULL, &r, &err));
    assert_int_equal(lochan_pq_reader__row_groups(r), 1);
    assert_ok(lochan_pq_reader__stream(r, NULL, &stream, &err));
    while (assert_int_equal(stream.get_next(&stream, &got), 0), got.release) {
        assert_true(got.length * COLUMNS * 8 <= LIMIT / 2);
        for (int c = 0; c < COLUMNS; c++)
            assert_memory_equal(got.children[c]->buffers[1], values + rows,
                                (size_t)got.length * sizeof *values);
        rows += got.length;
        got.release(&got);
    }
    assert_int_equal(rows, LONG_ROWS);
    stream.release(&stream);
    lochan_pq_reader__close(r);
    assert_true(budget.peak <= LIMIT && budget.used == 0);
    lochan_buf__deinit(&file);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream__picks_rows_of_dictionaries),
        cmocka_unit_test(test_stream__picks_rows_of_plain_pages),
        cmocka_unit_test(test_stream__picks_rows_beside_nested_columns),
        cmocka_unit_test(test_stream__picks_rows_of_every_encoding),
        cmocka_unit_test(test_stream__gives_pages_up_and_reads_on),
        cmocka_unit_test(test_stream__asks_bloom_filters),
        cmocka_unit_test(test_stream__bloom_filters_need_a_column_that_has_values),
        cmocka_unit_test(test_stream__reads_wide_row_groups_within_the_budget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
