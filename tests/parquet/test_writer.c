/* test_writer.c - round trips over types, nulls, counts and options; determinism; what must be
 * refused. */
#include "parquet/pq_sample.h"
#include "support/fault.h"
#include "support/tmpdir.h"

static const int64_t counts[] = {0, 1, 7, 8, 9, 100};

static void test_writer__every_type_comes_back(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    pq_schema(&schema, true);
    static const lochan_pq_codec codecs[] = {LOCHAN_PQ_ZSTD, LOCHAN_PQ_SNAPPY,
                                             LOCHAN_PQ_UNCOMPRESSED};
    for (size_t i = 0; i < LOCHAN_COUNTOF(counts); i++) {
        struct ArrowArray batch;
        assert_ok(sample_batch(&schema, counts[i], &batch, &err));
        for (int variant = 0; variant < 6; variant++) {
            lochan_pq_write_options o = {.codec = codecs[variant % 3],
                                         .codec_set = true,
                                         .no_dictionary = variant > 2,
                                         .page_v2 = variant & 1,
                                         .page_rows = variant & 1 ? 3 : 0,
                                         .row_group_rows = variant & 2 ? 8 : 0};
            lochan_pq_read_options ro = {.strings = (lochan_pq_strings)(variant % 4)};
            lochan_pq_scan scan = {.batch_rows = variant == 4 ? 5 : 0};
            pq_round_trip(&schema, &batch, variant == 5 ? 3 : 0, &o, &ro, &scan);
        }
        lochan_array__release(&batch);
    }
    lochan_schema__release(&schema);
}

/* n values of one column, null where the bits of `nulls` say so. */
static void one_column(const char *format, bool nullable, int64_t n, int null_every,
                       struct ArrowSchema *schema, struct ArrowArray *batch) {
    lochan_error err;
    lochan_builder *b;
    pq_schema_one(schema, format, nullable);
    assert_ok(lochan_builder__create(schema, &b, &err));
    lochan_builder *x = lochan_builder__child(b, 0);
    bool text = format[0] == 'u';
    for (int64_t i = 0; i < n; i++) {
        char s[32];
        int len = snprintf(s, sizeof s, "%lld", (long long)(i * 7919 % 1000));
        if (nullable && null_every && i % null_every == 0)
            assert_ok(lochan_builder__null(x, &err));
        else if (text)
            assert_ok(lochan_builder__bytes_value(x, s, (size_t)len, &err));
        else if (format[0] == 'g')
            assert_ok(lochan_builder__double(x, (double)i * 0.37, &err));
        else
            assert_ok(lochan_builder__int64(x, i * 7919 % (format[0] == 'b' ? 2 : 100), &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, batch, &err));
    lochan_builder__free(b);
}

static void test_writer__page_and_row_group_edges_hold(void **state) {
    (void)state;
    static const char *const formats[] = {"b", "i", "l", "g", "u"};
    static const int64_t edges[] = {1023, 1024, 1025, 4999, 5000, 5001};
    for (size_t f = 0; f < LOCHAN_COUNTOF(formats); f++) {
        for (size_t e = 0; e < LOCHAN_COUNTOF(edges); e++) {
            for (int nulls = 0; nulls < 3; nulls++) {
                struct ArrowSchema schema;
                struct ArrowArray batch;
                one_column(formats[f], nulls > 0, edges[e], nulls == 2 ? 3 : 0, &schema, &batch);
                lochan_pq_write_options o = {
                    .page_rows = 1000, .row_group_rows = 2500, .no_dictionary = e & 1};
                lochan_pq_scan scan = {.batch_rows = 777};
                pq_round_trip(&schema, &batch, 0, &o, NULL, &scan);
                lochan_array__release(&batch);
                lochan_schema__release(&schema);
            }
        }
    }
}

static void test_writer__a_dictionary_that_stops_paying_is_left(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_buf with, without;
    lochan_pq_summary s = {0};
    one_column("g", false, 100000, 0, &schema, &batch); /* all different */
    lochan_pq_write_options o = {.codec_set = true},
                            plain = {.codec_set = true, .no_dictionary = true};
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, &with, &s, &err));
    assert_ok(pq_write(NULL, &schema, &batch, 0, &plain, &without, NULL, &err));
    assert_true(with.len <= without.len + 64);
    lochan_pq_summary__deinit(&s);
    lochan_buf__deinit(&with);
    lochan_buf__deinit(&without);
    pq_round_trip(&schema, &batch, 0, &o, NULL, NULL);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

/* Doubles of few digits that come again after tens of thousands of others: zstd's level 1 loses
 * sight of them, the default of the writer does not. */
static void test_writer__repeating_numbers_pack_better_than_level_one(void **state) {
    (void)state;
    enum { ROWS = 100000 };
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_buf usual, one;
    one_column("g", false, ROWS, 0, &schema, &batch);
    double *values = (double *)(uintptr_t)batch.children[0]->buffers[1];
    uint64_t seed = 5;
    for (size_t i = 0; i < ROWS; i++)
        values[i] = 100 + (double)(fake_random(&seed) % 60000) / 10000;
    lochan_pq_write_options o = {.page_rows = ROWS, .no_dictionary = true}, level = o;
    level.level = 1;
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, &usual, NULL, &err));
    assert_ok(pq_write(NULL, &schema, &batch, 0, &level, &one, NULL, &err));
    assert_true(usual.len < one.len - one.len / 20);
    lochan_buf__deinit(&usual);
    lochan_buf__deinit(&one);
    pq_round_trip(&schema, &batch, 0, &o, NULL, NULL);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static void test_writer__bytes_do_not_depend_on_threads_or_batches(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_ctx ctx = {0};
    lochan_buf first, again;
    pq_schema(&schema, false);
    assert_ok(sample_batch(&schema, 5000, &batch, &err));
    lochan_pq_write_options o = {.row_group_rows = 3000, .page_rows = 700};
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, &first, NULL, &err));
    assert_ok(lochan_pool__create(3, &ctx.pool, &err));
    static const int64_t steps[] = {0, 1, 333, 1024, 2999};
    for (size_t i = 0; i < LOCHAN_COUNTOF(steps); i++) {
        assert_ok(pq_write(&ctx, &schema, &batch, steps[i], &o, &again, NULL, &err));
        assert_int_equal(again.len, first.len);
        assert_memory_equal(again.data, first.data, first.len);
        lochan_buf__deinit(&again);
    }
    lochan_pool__free(ctx.pool);
    lochan_buf__deinit(&first);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static void test_writer__a_null_where_none_may_be_is_refused(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_buf file;
    one_column("l", true, 10, 4, &schema, &batch);
    schema.children[0]->flags = 0;
    assert_status(pq_write(NULL, &schema, &batch, 3, NULL, &file, NULL, &err), LOCHAN_ERR_VALUE);
    assert_string_equal(err.column, "x");
    assert_int_equal(err.row, 0);
    lochan_buf__deinit(&file);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static void test_writer__seconds_become_milliseconds_or_are_refused(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    lochan_buf file, got;
    for (int round = 0; round < 2; round++) {
        struct ArrowArray batch;
        lochan_builder *b;
        pq_schema_one(&schema, "tss:", true);
        assert_ok(lochan_builder__create(&schema, &b, &err));
        assert_ok(lochan_builder__int64(lochan_builder__child(b, 0),
                                        round ? INT64_MAX / 500 : 1700000000, &err));
        assert_ok(lochan_builder__end_row(b, &err));
        assert_ok(lochan_builder__finish(b, &batch, &err));
        lochan_builder__free(b);
        if (round) {
            assert_status(pq_write(NULL, &schema, &batch, 0, NULL, &file, NULL, &err),
                          LOCHAN_ERR_VALUE);
            assert_string_equal(err.column, "x");
        } else {
            lochan_pq_reader *r;
            assert_ok(pq_write(NULL, &schema, &batch, 0, NULL, &file, NULL, &err));
            assert_ok(pq_open(NULL, &file, NULL, &r, &err));
            assert_string_equal(lochan_pq_reader__schema(r)->children[0]->format, "tsm:");
            lochan_buf__init(&got, 1 << 20);
            assert_ok(pq_read(r, NULL, &got, &err));
            assert_non_null(strstr((char *)got.data, "2023-11-14"));
            lochan_buf__deinit(&got);
            lochan_pq_reader__close(r);
        }
        lochan_buf__deinit(&file);
        lochan_array__release(&batch);
        lochan_schema__release(&schema);
    }
}

static void test_writer__metadata_may_come_after_the_data(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_pq_writer *w;
    lochan_pq_reader *r;
    lochan_buf file;
    lochan_pq_summary s;
    one_column("l", false, 10, 0, &schema, &batch);
    lochan_buf__init(&file, 1 << 20);
    lochan_pq_sink sink = lochan_pq_sink__of_buf(&file);
    lochan_sort_key key = {.column = 0, .descending = true};
    lochan_pq_write_options o = {.sorting = &key, .n_sorting = 1, .created_by = "me"};
    assert_ok(lochan_pq_writer__open(NULL, &sink, &schema, &o, &w, &err));
    assert_ok(lochan_pq_writer__set_metadata(w, "a", "1", &err));
    assert_ok(lochan_pq_writer__write_batch(w, &batch, &err));
    assert_ok(lochan_pq_writer__finish_data(w, &err));
    assert_int_equal(lochan_pq_writer__rows(w), 10);
    assert_status(lochan_pq_writer__write_batch(w, &batch, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_ok(lochan_pq_writer__set_metadata(w, "b", "2", &err));
    assert_ok(lochan_pq_writer__set_metadata(w, "a", "3", &err));
    assert_ok(lochan_pq_writer__close(w, &s, &err));
    assert_int_equal(s.file_size, file.len);
    assert_int_equal(s.row_groups, 1);
    lochan_pq_writer__free(w);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    assert_string_equal(lochan_pq_reader__metadata(r, "a"), "3");
    assert_string_equal(lochan_pq_reader__metadata(r, "b"), "2");
    assert_null(lochan_pq_reader__metadata(r, "c"));
    assert_string_equal(lochan_pq_reader__created_by(r), "me");
    assert_int_equal(lochan_pq_reader__footer_length(r), s.footer_length);
    lochan_pq_summary__deinit(&s);
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&file);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static void test_writer__the_summary_tells_what_was_written(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_pq_reader *r;
    lochan_buf file;
    lochan_pq_summary s, again;
    one_column("l", true, 3000, 3, &schema, &batch);
    assert_ok(lochan_schema__set_field_id(schema.children[0], 5, &err));
    lochan_pq_write_options o = {.row_group_rows = 1000};
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, &file, &s, &err));
    const lochan_pq_leaf_summary *x = lochan_pq_summary__column(&s, 0);
    assert_non_null(x);
    assert_int_equal(s.rows, 3000);
    assert_int_equal(s.row_groups, 3);
    assert_int_equal(x->value_count, 3000);
    assert_int_equal(x->null_count, 1000);
    assert_int_equal(x->contains_nan, 0);
    assert_int_equal(x->field_id, 5);
    assert_string_equal(x->min_text, "0");
    assert_string_equal(x->max_text, "99");
    assert_true(x->stats.has_min && x->stats.min_i == 0 && x->stats.max_i == 99);
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    assert_ok(lochan_pq_reader__summary(r, &again, &err));
    assert_int_equal(again.file_size, s.file_size);
    assert_int_equal(again.footer_length, s.footer_length);
    assert_string_equal(again.leaves[0].max_text, "99");
    assert_int_equal(again.leaves[0].compressed_bytes, x->compressed_bytes);
    lochan_pq_reader__close(r);
    lochan_pq_summary__deinit(&s);
    lochan_pq_summary__deinit(&again);
    lochan_buf__deinit(&file);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static void test_writer__row_groups_are_cut_by_bytes(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_pq_summary s;
    lochan_buf file;
    one_column("g", false, 100000, 0, &schema, &batch);
    lochan_pq_write_options o = {
        .codec_set = true, .row_group_bytes = 200000, .no_dictionary = true};
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, &file, &s, &err));
    assert_in_range(s.row_groups, 3, 5);
    lochan_pq_summary__deinit(&s);
    lochan_buf__deinit(&file);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

/* ---- faults ---- */

typedef struct fault_state {
    struct ArrowSchema schema;
    struct ArrowArray batch;
    char *dir;
    char path[512];
} fault_state;

static lochan_status fault_body(void *ctx, lochan_error *err) {
    fault_state *s = ctx;
    lochan_file *file = NULL;
    lochan_pq_writer *w = NULL;
    lochan_pq_reader *r = NULL;
    struct ArrowArray out = {0};
    lochan_pq_summary summary = {0};
    lochan_pq_file_sink sink_state;
    lochan_pq_write_options o = {.row_group_rows = 30};
    lochan_status rc;
    LOCHAN_TRY(lochan_file__open(s->path, LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_TRUNCATE,
                                 &file, err));
    lochan_pq_sink sink = lochan_pq_sink__of_file(&sink_state, file);
    LOCHAN_TRYG(lochan_pq_writer__open(NULL, &sink, &s->schema, &o, &w, err));
    LOCHAN_TRYG(lochan_pq_writer__write_batch(w, &s->batch, err));
    LOCHAN_TRYG(lochan_pq_writer__close(w, &summary, err));
    LOCHAN_TRYG(lochan_pq_reader__open_file(NULL, s->path, NULL, NULL, &r, err));
    LOCHAN_TRYG(lochan_pq_reader__read_row_group(r, 1, NULL, 0, &out, err));
done:
    lochan_array__release(&out);
    lochan_pq_reader__close(r);
    lochan_pq_summary__deinit(&summary);
    lochan_pq_writer__free(w);
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    return rc;
}

static void test_writer__every_fault_is_an_error_and_leaks_nothing(void **state) {
    (void)state;
    lochan_error err;
    fault_state s = {0};
    struct ArrowSchema all;
    static const int columns[] = {1, 7, 12, 14, 17, 19};
    pq_schema(&all, true);
    assert_ok(lochan_schema__select(&all, columns, LOCHAN_COUNTOF(columns), &s.schema, &err));
    assert_ok(sample_batch(&s.schema, 40, &s.batch, &err));
    s.dir = tmpdir_make("parquet");
    snprintf(s.path, sizeof s.path, "%s/f.parquet", s.dir);
    fault_sweep(
        &(fault_case){.name = "parquet",
                      .body = fault_body,
                      .ctx = &s,
                      .kinds = FAULT_OOM | FAULT_EIO | FAULT_ENOSPC | FAULT_SHORT | FAULT_EINTR,
                      .once_only = true,
                      .dense = 150});
    tmpdir_remove(s.dir);
    lochan_array__release(&s.batch);
    lochan_schema__release(&s.schema);
    lochan_schema__release(&all);
}

static void release_borrowed(struct ArrowArray *a) {
    a->release = NULL;
}

static lochan_status discard(void *self, const void *p, size_t n, lochan_error *err) {
    (void)p;
    (void)err;
    *(size_t *)self += n;
    return LOCHAN_OK;
}

/* 200 columns of doubles that do not compress, batch by batch, in no more than `limit` bytes. */
static lochan_status write_wide(lochan_budget *budget, size_t limit, size_t *written) {
    enum { COLUMNS = 200, STEP = 2000, STEPS = 10 };
    static double values[COLUMNS][STEP];
    static const void *buffers[COLUMNS][2];
    const lochan_pq_write_options o = {
        .row_group_bytes = 2 << 20, .page_bytes = 16 << 10, .no_dictionary = true};
    const lochan_type type = {.id = LOCHAN_TYPE_FLOAT64};
    const lochan_pq_sink sink = {.write = discard, .self = written};
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_pq_writer *w = NULL;
    uint64_t x = 1;
    lochan_error err;
    lochan_status rc;
    *written = 0;
    lochan_budget__init(budget, limit);
    lochan_ctx ctx = {.budget = budget};
    assert_ok(lochan_schema__init_struct(&schema, COLUMNS, &err));
    assert_ok(lochan_array__init(&batch, 1, COLUMNS, &err));
    for (int c = 0; c < COLUMNS; c++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", c);
        assert_ok(lochan_schema__set_field(schema.children[c], name, &type, false, &err));
        buffers[c][1] = values[c];
        *batch.children[c] = (struct ArrowArray){
            .length = STEP, .n_buffers = 2, .buffers = buffers[c], .release = release_borrowed};
    }
    batch.length = STEP;
    LOCHAN_TRYG(lochan_pq_writer__open(&ctx, &sink, &schema, &o, &w, &err));
    for (int s = 0; s < STEPS; s++) {
        for (size_t i = 0; i < (size_t)COLUMNS * STEP; i++) {
            x = x * 6364136223846793005u + 1442695040888963407u;
            values[i / STEP][i % STEP] = (double)(x >> 11);
        }
        LOCHAN_TRYG(lochan_pq_writer__write_batch(w, &batch, &err));
    }
    LOCHAN_TRYG(lochan_pq_writer__close(w, NULL, &err));
done:
    lochan_pq_writer__free(w);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    return rc;
}

static void test_writer__counts_what_wide_tables_take(void **state) {
    lochan_budget budget;
    size_t written;
    (void)state;
    assert_int_equal(write_wide(&budget, (size_t)1 << 30, &written), LOCHAN_OK);
    assert_int_equal(budget.used, 0);
    assert_true(written > 24u << 20); /* 32 MB of values */
    assert_true(budget.peak > 4u << 20 && budget.peak < written);
    size_t enough = budget.peak;
    assert_int_equal(write_wide(&budget, enough, &written), LOCHAN_OK);
    assert_true(budget.peak <= enough);
    assert_int_equal(write_wide(&budget, 1 << 20, &written), LOCHAN_ERR_MEMORY_LIMIT);
    assert_int_equal(budget.used, 0);
}

/* Row groups, pages and dictionaries become smaller, not the column count or the rows. */
static void test_writer__keeps_to_a_memory_limit(void **state) {
    lochan_budget budget;
    size_t written;
    (void)state;
    for (size_t limit = (size_t)12 << 20; limit >= (size_t)6 << 20; limit -= (size_t)2 << 20) {
        assert_int_equal(write_wide(&budget, limit, &written), LOCHAN_OK);
        assert_true(budget.peak <= limit);
        assert_true(written > 24u << 20);
        assert_int_equal(budget.used, 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_writer__every_type_comes_back),
        cmocka_unit_test(test_writer__page_and_row_group_edges_hold),
        cmocka_unit_test(test_writer__a_dictionary_that_stops_paying_is_left),
        cmocka_unit_test(test_writer__repeating_numbers_pack_better_than_level_one),
        cmocka_unit_test(test_writer__bytes_do_not_depend_on_threads_or_batches),
        cmocka_unit_test(test_writer__a_null_where_none_may_be_is_refused),
        cmocka_unit_test(test_writer__seconds_become_milliseconds_or_are_refused),
        cmocka_unit_test(test_writer__metadata_may_come_after_the_data),
        cmocka_unit_test(test_writer__the_summary_tells_what_was_written),
        cmocka_unit_test(test_writer__row_groups_are_cut_by_bytes),
        cmocka_unit_test(test_writer__every_fault_is_an_error_and_leaks_nothing),
        cmocka_unit_test(test_writer__counts_what_wide_tables_take),
        cmocka_unit_test(test_writer__keeps_to_a_memory_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
