/* test_stream_tasks.c - streams that several threads read ahead of the consumer: the same rows in
 * the same order as from one thread, the same error after the same rows, nothing left running. */
#include "parquet/pq_sample.h"

#include "base/pool.h"
#include "parquet/reader_own.h"

enum { ROWS = 24000, GROUP_ROWS = 9000, BATCH_ROWS = 2500, THREADS = 4, TIMES = 20 };

static void write_file(lochan_buf *file) {
    static const char *const formats[] = {"l", "u", "g", "z", "d:7,2"};
    enum { FLAT = LOCHAN_COUNTOF(formats) };
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_builder *b;
    assert_ok(lochan_schema__init_struct(&schema, FLAT + SAMPLE_NESTED, &err));
    for (int i = 0; i < FLAT; i++)
        assert_ok(sample_field(schema.children[i], formats[i], formats[i], 0, &err));
    assert_ok(sample_nested(schema.children + FLAT, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int64_t r = 0; r < ROWS; r++) {
        for (int64_t c = 0; c < schema.n_children; c++)
            assert_ok(
                sample_fill(lochan_builder__child(b, c), schema.children[c], r * 31 % 1999, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &batch, &err));
    const lochan_pq_write_options o = {.row_group_rows = GROUP_ROWS, .page_rows = 700};
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, file, NULL, &err));
    lochan_builder__free(b);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

typedef struct opened {
    lochan_pool *pool;
    lochan_cancel cancel;
    lochan_pq_reader *reader;
} opened;

static void open_file(opened *o, const lochan_buf *file, int threads) {
    lochan_error err;
    memset(o, 0, sizeof *o);
    assert_ok(lochan_pool__create(threads, &o->pool, &err));
    lochan_ctx ctx = {.pool = o->pool, .cancel = &o->cancel};
    assert_ok(pq_open(&ctx, file, NULL, &o->reader, &err));
}

static void close_file(opened *o) {
    lochan_pq_reader__close(o->reader);
    lochan_pool__free(o->pool);
}

static void read_with(const lochan_buf *file, int threads, const char *where, lochan_buf *out) {
    lochan_error err;
    opened o;
    lochan_expr *e = NULL;
    open_file(&o, file, threads);
    assert_ok(lochan_expr__parse(where, &e, &err));
    if (e)
        assert_ok(lochan_expr__bind(e, lochan_pq_reader__schema(o.reader), &err));
    lochan_pq_scan scan = {.predicate = e, .batch_rows = BATCH_ROWS};
    lochan_buf__init(out, 1 << 28);
    assert_ok(pq_read(o.reader, &scan, out, &err));
    lochan_expr__free(e);
    close_file(&o);
}

static void test_stream_tasks__threads_give_the_rows_of_one(void **state) {
    (void)state;
    static const char *const texts[] = {
        NULL,        "l = 60",       "u in ('v20', 'v44') or g > 1000",
        "l is null", "not u = 'v2'", "u = 'nowhere'"};
    lochan_buf file;
    write_file(&file);
    for (size_t i = 0; i < LOCHAN_COUNTOF(texts); i++) {
        lochan_buf one, many;
        read_with(&file, 1, texts[i], &one);
        read_with(&file, THREADS, texts[i], &many);
        assert_true(texts[i] || one.len > 0);
        assert_int_equal(one.len, many.len);
        if (one.len > 0)
            assert_memory_equal(one.data, many.data, one.len);
        lochan_buf__deinit(&one);
        lochan_buf__deinit(&many);
    }
    lochan_buf__deinit(&file);
}

/* Rows until the error, which is returned. */
static int64_t read_to_error(const opened *o, lochan_error *told) {
    lochan_error err;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    lochan_status rc;
    int64_t rows = 0;
    const lochan_pq_scan scan = {.batch_rows = BATCH_ROWS};
    assert_ok(lochan_pq_reader__stream(o->reader, &scan, &stream, &err));
    while ((rc = lochan_stream__next(&stream, &batch, &err)) == LOCHAN_OK && batch.release) {
        rows += batch.length;
        batch.release(&batch);
    }
    assert_int_not_equal(rc, LOCHAN_OK);
    lochan_stream__release(&stream);
    *told = err;
    return rows;
}

/* Turns a byte in the middle of the pages of a leaf. */
static void damage(lochan_buf *file, int group, int leaf) {
    lochan_error err;
    lochan_pq_reader *r;
    assert_ok(pq_open(NULL, file, NULL, &r, &err));
    const lochan_pq_column_meta *meta = &lochan_pq_reader__chunk(r, group, leaf)->meta;
    file->data[meta->data_page_offset + meta->compressed_size / 2] ^= 0x10;
    lochan_pq_reader__close(r);
}

static void test_stream_tasks__the_first_error_is_told_whatever_the_timing(void **state) {
    (void)state;
    lochan_buf file;
    lochan_error want, err;
    opened o;
    write_file(&file);
    damage(&file, 1, 4);
    damage(&file, 1, 2);
    damage(&file, 2, 0); /* comes later than both */
    open_file(&o, &file, 1);
    int64_t rows = read_to_error(&o, &want);
    close_file(&o);
    assert_int_equal(want.code, LOCHAN_ERR_CORRUPT);
    assert_true(rows >= GROUP_ROWS && rows < 2 * GROUP_ROWS);
    for (int i = 0; i < TIMES; i++) {
        open_file(&o, &file, THREADS);
        assert_int_equal(read_to_error(&o, &err), rows);
        assert_string_equal(err.message, want.message);
        assert_int_equal(err.offset, want.offset);
        close_file(&o);
    }
    lochan_buf__deinit(&file);
}

static void test_stream_tasks__may_be_left_at_any_batch(void **state) {
    (void)state;
    lochan_buf file;
    write_file(&file);
    for (int stop = 0; stop < 12; stop++) {
        lochan_error err;
        opened o;
        struct ArrowArrayStream stream;
        struct ArrowArray batch;
        const lochan_pq_scan scan = {.batch_rows = BATCH_ROWS};
        open_file(&o, &file, THREADS);
        assert_ok(lochan_pq_reader__stream(o.reader, &scan, &stream, &err));
        for (int i = 0; i < stop; i++) {
            assert_ok(lochan_stream__next(&stream, &batch, &err));
            lochan_array__release(&batch);
        }
        lochan_stream__release(&stream);
        close_file(&o);
    }
    lochan_buf__deinit(&file);
}

static void test_stream_tasks__ends_when_cancelled(void **state) {
    (void)state;
    lochan_buf file;
    write_file(&file);
    for (int at = 0; at < 4; at++) {
        lochan_error err;
        opened o;
        struct ArrowArrayStream stream;
        struct ArrowArray batch;
        const lochan_pq_scan scan = {.batch_rows = BATCH_ROWS};
        open_file(&o, &file, THREADS);
        assert_ok(lochan_pq_reader__stream(o.reader, &scan, &stream, &err));
        for (int i = 0; i < at; i++) {
            assert_ok(lochan_stream__next(&stream, &batch, &err));
            lochan_array__release(&batch);
        }
        atomic_store(&o.cancel.requested, 1);
        assert_int_equal(lochan_stream__next(&stream, &batch, &err), LOCHAN_ERR_CANCELLED);
        lochan_stream__release(&stream);
        close_file(&o);
    }
    lochan_buf__deinit(&file);
}

/* Several consumers, each a task of the pool whose threads help them. */
static lochan_status consume(void *ctx, size_t index, lochan_error *err) {
    opened *o = ctx;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    int64_t rows = 0;
    const lochan_pq_scan scan = {.batch_rows = BATCH_ROWS + (int64_t)index * 100};
    LOCHAN_TRY(lochan_pq_reader__stream(o->reader, &scan, &stream, err));
    lochan_status rc;
    while ((rc = lochan_stream__next(&stream, &batch, err)) == LOCHAN_OK && batch.release) {
        rows += batch.length;
        batch.release(&batch);
    }
    lochan_stream__release(&stream);
    if (rc == LOCHAN_OK && rows != ROWS)
        rc = lochan_error__set(err, LOCHAN_ERR_DATA, "%lld rows", (long long)rows);
    return rc;
}

static void test_stream_tasks__consumers_share_a_pool(void **state) {
    (void)state;
    lochan_buf file;
    lochan_error err;
    opened o;
    write_file(&file);
    open_file(&o, &file, THREADS);
    assert_ok(lochan_pool__for(o.pool, 6, consume, &o, NULL, &err));
    close_file(&o);
    lochan_buf__deinit(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_tasks__threads_give_the_rows_of_one),
        cmocka_unit_test(test_stream_tasks__the_first_error_is_told_whatever_the_timing),
        cmocka_unit_test(test_stream_tasks__may_be_left_at_any_batch),
        cmocka_unit_test(test_stream_tasks__ends_when_cancelled),
        cmocka_unit_test(test_stream_tasks__consumers_share_a_pool),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
