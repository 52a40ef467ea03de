/* test_reader.c - opening, projections, predicates with pruning, damage of every kind. */
#include "parquet/pq_sample.h"

/* A file of n rows {id int64 = row, name text, price double, day date} in row groups of 1000. */
static void market_file(int64_t n, const lochan_pq_write_options *base, lochan_buf *file) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_builder *b;
    static const char *const names[] = {"id", "name", "price", "day"};
    static const char *const formats[] = {"l", "u", "g", "tdD"};
    assert_ok(lochan_schema__init_struct(&schema, 4, &err));
    for (int i = 0; i < 4; i++)
        assert_ok(sample_field(schema.children[i], names[i], formats[i], 0, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int64_t i = 0; i < n; i++) {
        char name[16];
        int len = snprintf(name, sizeof name, "n%03d", (int)(i / 100 % 50));
        assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), i, &err));
        assert_ok(
            lochan_builder__bytes_value(lochan_builder__child(b, 1), name, (size_t)len, &err));
        if (i % 11 == 0)
            assert_ok(lochan_builder__null(lochan_builder__child(b, 2), &err));
        else
            assert_ok(
                lochan_builder__double(lochan_builder__child(b, 2), (double)(i % 500) / 4, &err));
        assert_ok(lochan_builder__int64(lochan_builder__child(b, 3), 10000 + i / 700, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &batch, &err));
    lochan_builder__free(b);
    lochan_pq_write_options o = base ? *base : (lochan_pq_write_options){0};
    o.row_group_rows = 1000;
    o.page_rows = 200;
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, file, NULL, &err));
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static lochan_expr *predicate(lochan_pq_reader *r, const char *text) {
    lochan_error err;
    lochan_expr *e;
    assert_ok(lochan_expr__parse(text, &e, &err));
    assert_ok(lochan_expr__bind(e, lochan_pq_reader__schema(r), &err));
    return e;
}

static void test_reader__projects_columns_in_the_order_asked(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf file, got;
    lochan_pq_reader *r;
    market_file(1500, NULL, &file);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    lochan_buf__init(&got, 1 << 20);
    const int columns[] = {3, 0};
    const int groups[] = {1};
    lochan_pq_scan scan = {
        .columns = columns, .n_columns = 2, .row_groups = groups, .n_row_groups = 1};
    assert_ok(pq_read(r, &scan, &got, &err));
    assert_memory_equal(got.data, "{\"day\":\"1997-05-20\",\"id\":1000}\n", 31);
    struct ArrowArray a;
    assert_ok(lochan_pq_reader__read_row_group(r, 1, columns, 2, &a, &err));
    assert_int_equal(a.length, 500);
    assert_int_equal(a.n_children, 2);
    assert_int_equal(((const int64_t *)a.children[1]->buffers[1])[0], 1000);
    lochan_array__release(&a);
    const int twice[] = {1, 1};
    assert_status(lochan_pq_reader__read_row_group(r, 0, twice, 2, &a, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_pq_reader__read_row_group(r, 9, NULL, 0, &a, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&got);
    lochan_buf__deinit(&file);
}

static void test_reader__no_columns_still_counts_rows(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf file;
    lochan_pq_reader *r;
    struct ArrowArrayStream stream;
    struct ArrowArray a;
    int none = 0;
    int64_t rows = 0;
    market_file(2345, NULL, &file);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    lochan_pq_scan scan = {.columns = &none, .n_columns = 0};
    assert_ok(lochan_pq_reader__stream(r, &scan, &stream, &err));
    lochan_pq_reader__close(r); /* the stream keeps the file open */
    for (;;) {
        assert_ok(lochan_stream__next(&stream, &a, &err));
        if (!a.release)
            break;
        rows += a.length;
        lochan_array__release(&a);
    }
    assert_int_equal(rows, 2345);
    lochan_stream__release(&stream);
    lochan_buf__deinit(&file);
}

static void test_reader__prunes_row_groups_and_pages_by_the_predicate(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf file, got;
    lochan_pq_reader *r;
    lochan_pq_counters c;
    market_file(10000, NULL, &file);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    lochan_buf__init(&got, 1 << 20);
    lochan_expr *e = predicate(r, "id >= 4321 and id < 4325");
    const int columns[] = {1};
    lochan_pq_scan scan = {.columns = columns, .n_columns = 1, .predicate = e, .batch_rows = 200};
    assert_ok(pq_read(r, &scan, &got, &err));
    assert_string_equal((char *)got.data,
                        "{\"name\":\"n043\"}\n{\"name\":\"n043\"}\n{\"name\":\"n043\"}\n"
                        "{\"name\":\"n043\"}\n");
    lochan_pq_reader__counters(r, &c);
    assert_int_equal(c.row_groups_read, 1);
    assert_int_equal(c.row_groups_pruned, 9);
    /* ids: dictionary or five pages; names: their dictionary and the one page the rows lie in */
    assert_true(c.pages_decoded <= 8);
    lochan_expr__free(e);
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&got);
    lochan_buf__deinit(&file);
}

static void test_reader__a_predicate_keeps_exactly_its_rows(void **state) {
    (void)state;
    static const char *const texts[] = {"price is null",
                                        "price > 100 and name = 'n007'",
                                        "name in ('n001', 'n049')",
                                        "day = '1997-05-21'",
                                        "not price > 3",
                                        "id < 0",
                                        "id >= 0"};
    lochan_error err;
    lochan_buf file;
    lochan_pq_reader *r;
    market_file(6000, NULL, &file);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(texts); i++) {
        lochan_expr *e = predicate(r, texts[i]);
        lochan_buf got, want;
        lochan_buf__init(&got, 1 << 24);
        lochan_buf__init(&want, 1 << 24);
        lochan_pq_scan scan = {.predicate = e, .batch_rows = 300};
        assert_ok(pq_read(r, &scan, &got, &err));
        for (int g = 0; g < lochan_pq_reader__row_groups(r); g++) {
            struct ArrowArray a, kept;
            uint8_t bits[125];
            int64_t count;
            assert_ok(lochan_pq_reader__read_row_group(r, g, NULL, 0, &a, &err));
            assert_ok(lochan_expr__apply(e, lochan_pq_reader__schema(r), &a, bits, &count, &err));
            assert_ok(lochan_filter(lochan_pq_reader__schema(r), &a, bits, &kept, &err));
            pq_print(lochan_pq_reader__schema(r), &kept, &want);
            lochan_array__release(&kept);
            lochan_array__release(&a);
        }
        assert_same_lines(&got, &want);
        lochan_buf__deinit(&got);
        lochan_buf__deinit(&want);
        lochan_expr__free(e);
    }
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&file);
}

static void test_reader__statistics_join_over_the_file(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf file;
    lochan_pq_reader *r;
    lochan_expr_stats s;
    market_file(3500, NULL, &file);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    assert_true(lochan_pq_reader__column_stats(r, 2, 0, &s));
    assert_int_equal(s.min_i, 2000);
    assert_int_equal(s.max_i, 2999);
    assert_true(lochan_pq_reader__column_stats(r, -1, 0, &s));
    assert_int_equal(s.min_i, 0);
    assert_int_equal(s.max_i, 3499);
    assert_int_equal(s.row_count, 3500);
    assert_int_equal(s.null_count, 0);
    assert_true(lochan_pq_reader__column_stats(r, -1, 1, &s));
    assert_true(lochan_str__eq(s.min_s, LOCHAN_STR("n000")));
    assert_true(lochan_str__eq(s.max_s, LOCHAN_STR("n034")));
    assert_true(lochan_pq_reader__column_stats(r, -1, 2, &s));
    assert_int_equal(s.null_count, 319);
    assert_false(s.may_have_nan);
    assert_false(lochan_pq_reader__column_stats(r, 0, 99, &s));
    lochan_pq_row_group_info info;
    lochan_pq_reader__row_group(r, 3, &info);
    assert_int_equal(info.first_row, 3000);
    assert_int_equal(info.rows, 500);
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&file);
}

/* Reads all of a damaged file; fails the test if rows came out that are not those of `want`. */
static bool read_damaged(const uint8_t *bytes, size_t n, const lochan_buf *want) {
    lochan_error err;
    lochan_pq_reader *r;
    lochan_budget budget;
    lochan_budget__init(&budget, 64 << 20);
    lochan_ctx ctx = {.budget = &budget};
    lochan_buf file = {.data = (uint8_t *)(uintptr_t)bytes, .len = n}, got;
    lochan_error_init(&err);
    if (pq_open(&ctx, &file, NULL, &r, &err) != LOCHAN_OK) {
        assert_true(err.message[0] != '\0');
        return false;
    }
    lochan_buf__init(&got, 1 << 24);
    lochan_status rc = pq_read(r, NULL, &got, &err);
    if (rc == LOCHAN_OK && want &&
        (got.len != want->len || memcmp(got.data, want->data, got.len) != 0))
        fail_msg("damage gave other rows");
    if (rc != LOCHAN_OK)
        assert_true(err.message[0] != '\0');
    lochan_buf__deinit(&got);
    lochan_pq_reader__close(r);
    assert_int_equal(budget.used, 0);
    return rc == LOCHAN_OK;
}

static void sample_file(const lochan_pq_write_options *o, lochan_buf *file, lochan_buf *want) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    pq_schema(&schema, true);
    assert_ok(sample_batch(&schema, 23, &batch, &err));
    assert_ok(pq_write(NULL, &schema, &batch, 0, o, file, NULL, &err));
    lochan_buf__init(want, 1 << 24);
    pq_print(&schema, &batch, want);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static void test_reader__every_cut_is_an_error(void **state) {
    (void)state;
    lochan_buf file, want;
    sample_file(NULL, &file, &want);
    for (size_t n = 0; n < file.len; n++) {
        uint8_t *cut = lochan_mem__alloc(n);
        memcpy(cut, file.data, n);
        if (read_damaged(cut, n, &want))
            fail_msg("a file cut to %zu of %zu bytes was read", n, file.len);
        lochan_mem__free(cut);
    }
    lochan_buf__deinit(&file);
    lochan_buf__deinit(&want);
}

/* Every bit of the pages is covered by a checksum: a flip there is an error. In the footer and in
 * page headers it may go unnoticed (a statistic, a name), so rows are only compared where no column
 * was renamed. */
static void test_reader__flipped_bits_of_pages_are_errors(void **state) {
    (void)state;
    lochan_error err;
    uint64_t seed = 1;
    lochan_buf file, want;
    lochan_pq_reader *r;
    lochan_pq_row_group_info info;
    sample_file(NULL, &file, &want);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    lochan_pq_reader__row_group(r, 0, &info);
    size_t footer = file.len - 8 - lochan_pq_reader__footer_length(r);
    lochan_pq_reader__close(r);
    for (int round = 0; round < 3000; round++) {
        size_t at = 4 + fake_random(&seed) % (footer - 4);
        uint8_t bit = (uint8_t)(1u << (fake_random(&seed) & 7));
        file.data[at] ^= bit;
        (void)read_damaged(file.data, file.len, &want);
        file.data[at] ^= bit;
    }
    assert_true(read_damaged(file.data, file.len, &want));
    lochan_buf__deinit(&file);
    lochan_buf__deinit(&want);
}

static void test_reader__damage_without_checksums_never_breaks_arrays(void **state) {
    (void)state;
    uint64_t seed = 99;
    for (int variant = 0; variant < 4; variant++) {
        lochan_pq_write_options o = {.codec_set = true,
                                     .no_crc = true,
                                     .no_dictionary = variant & 1,
                                     .codec =
                                         variant & 2 ? LOCHAN_PQ_SNAPPY : LOCHAN_PQ_UNCOMPRESSED};
        lochan_buf file, want;
        sample_file(&o, &file, &want);
        uint8_t *copy = lochan_mem__alloc(file.len);
        for (int round = 0; round < 1500; round++) {
            memcpy(copy, file.data, file.len);
            for (unsigned flips = 1 + fake_random(&seed) % 4; flips > 0; flips--)
                copy[fake_random(&seed) % file.len] ^= (uint8_t)(1u << (fake_random(&seed) & 7));
            (void)read_damaged(copy, file.len, NULL);
        }
        lochan_mem__free(copy);
        lochan_buf__deinit(&file);
        lochan_buf__deinit(&want);
    }
}

static void test_reader__errors_name_file_offset_and_column(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf file, got;
    lochan_pq_reader *r;
    market_file(100, NULL, &file);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    file.data[60] ^= 0x10; /* inside the first page of the first column */
    lochan_buf__init(&got, 1 << 20);
    assert_status(pq_read(r, NULL, &got, &err), LOCHAN_ERR_CORRUPT);
    assert_string_equal(err.file, "test.parquet");
    assert_string_equal(err.column, "id");
    assert_int_equal(err.offset, 4);
    lochan_buf__deinit(&got);
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&file);
}

static void test_reader__refuses_what_is_no_parquet_file(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_reader *r;
    static const struct {
        const char *bytes;
        size_t n;
        lochan_status expected;
    } cases[] = {
        {"", 0, LOCHAN_ERR_CORRUPT},
        {"PAR1PAR1", 8, LOCHAN_ERR_CORRUPT},
        {"PAR1....\x10\0\0\0PAR1", 16, LOCHAN_ERR_CORRUPT},
        {"PAR1....\xff\xff\xff\x7fPAR1", 16, LOCHAN_ERR_CORRUPT},
        {"PAR1....\0\0\0\0PAR1", 16, LOCHAN_ERR_CORRUPT},
        {"PARE....\x04\0\0\0PARE", 16, LOCHAN_ERR_UNSUPPORTED},
        {"just some text that is long enough", 34, LOCHAN_ERR_CORRUPT},
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        lochan_buf file = {.data = (uint8_t *)(uintptr_t)cases[i].bytes, .len = cases[i].n};
        assert_status(pq_open(NULL, &file, NULL, &r, &err), cases[i].expected);
        assert_null(r);
        assert_string_equal(err.file, "test.parquet");
    }
    lochan_pq_read_options o = {.max_footer = 10};
    lochan_buf file;
    market_file(10, NULL, &file);
    assert_status(pq_open(NULL, &file, &o, &r, &err), LOCHAN_ERR_MEMORY_LIMIT);
    lochan_buf__deinit(&file);
}

static void test_reader__a_budget_holds(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf file, got;
    lochan_pq_reader *r;
    lochan_budget budget;
    lochan_pq_write_options o = {.codec_set = true, .codec = LOCHAN_PQ_ZSTD};
    market_file(5000, &o, &file);
    lochan_budget__init(&budget, 100);
    lochan_ctx ctx = {.budget = &budget};
    assert_ok(pq_open(&ctx, &file, NULL, &r, &err));
    lochan_buf__init(&got, 1 << 24);
    assert_status(pq_read(r, NULL, &got, &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_int_equal(budget.used, 0);
    lochan_buf__deinit(&got);
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reader__projects_columns_in_the_order_asked),
        cmocka_unit_test(test_reader__no_columns_still_counts_rows),
        cmocka_unit_test(test_reader__prunes_row_groups_and_pages_by_the_predicate),
        cmocka_unit_test(test_reader__a_predicate_keeps_exactly_its_rows),
        cmocka_unit_test(test_reader__statistics_join_over_the_file),
        cmocka_unit_test(test_reader__every_cut_is_an_error),
        cmocka_unit_test(test_reader__flipped_bits_of_pages_are_errors),
        cmocka_unit_test(test_reader__damage_without_checksums_never_breaks_arrays),
        cmocka_unit_test(test_reader__errors_name_file_offset_and_column),
        cmocka_unit_test(test_reader__refuses_what_is_no_parquet_file),
        cmocka_unit_test(test_reader__a_budget_holds),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
