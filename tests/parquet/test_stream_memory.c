/* test_stream_memory.c - what streams hold of files whose rows are larger than the footer lets one
 * expect, and of wide ones, with and without threads: within the budget, or little ahead of the
 * consumer. Invariant: memory is counted by the allocator, not by what the reader says of itself.
 */
#include "parquet/pq_sample.h"

#include "base/pool.h"
#include "parquet/stream_own.h"

#include <malloc.h>
#include <unistd.h>

/* ---- an allocator that counts ---- */

static _Atomic size_t held, most;

static void count(void *p) {
    size_t now = atomic_fetch_add(&held, malloc_usable_size(p)) + malloc_usable_size(p);
    size_t seen = most;
    while (now > seen && !atomic_compare_exchange_weak(&most, &seen, now)) {
    }
}

static void *counted_alloc(void *self, size_t size) {
    (void)self;
    void *p = malloc(size);
    if (p)
        count(p);
    return p;
}

static void *counted_realloc(void *self, void *p, size_t size) {
    (void)self;
    size_t before = p ? malloc_usable_size(p) : 0;
    void *q = realloc(p, size);
    if (q) {
        held -= before;
        count(q);
    }
    return q;
}

static void counted_free(void *self, void *p) {
    (void)self;
    if (p)
        held -= malloc_usable_size(p);
    free(p);
}

static const lochan_allocator counting = {counted_alloc, counted_realloc, counted_free, NULL};

static int count_memory(void **state) {
    (void)state;
    lochan_mem__set_allocator(&counting);
    return 0;
}

static int stop_counting(void **state) {
    (void)state;
    lochan_mem__set_allocator(NULL);
    return 0;
}

/* ---- files ---- */

/* Rows of a number and a text, which is empty in `few` rows and then one of some long ones. */
static void write_texts(int64_t few, int64_t many, size_t length, int64_t group_rows,
                        lochan_buf *file) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_builder *b;
    lochan_type number = {.id = LOCHAN_TYPE_INT64}, text = {.id = LOCHAN_TYPE_STRING};
    char *value = malloc(length + 1);
    memset(value, 'x', length);
    assert_ok(lochan_schema__init_struct(&schema, 2, &err));
    assert_ok(lochan_schema__set_field(schema.children[0], "n", &number, false, &err));
    assert_ok(lochan_schema__set_field(schema.children[1], "t", &text, false, &err));
    const lochan_pq_write_options o = {.row_group_rows = group_rows, .page_rows = 500};
    lochan_pq_writer *w;
    lochan_buf__init(file, (size_t)1 << 30);
    lochan_pq_sink sink = lochan_pq_sink__of_buf(file);
    assert_ok(lochan_pq_writer__open(NULL, &sink, &schema, &o, &w, &err));
    for (int64_t at = 0; at < few + many;) {
        assert_ok(lochan_builder__create(&schema, &b, &err));
        for (int64_t end = at + 500; at < end && at < few + many; at++) {
            value[0] = (char)('a' + at % 2);
            assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), at, &err));
            assert_ok(lochan_builder__bytes_value(lochan_builder__child(b, 1), value,
                                                  at < few ? 0 : length, &err));
            assert_ok(lochan_builder__end_row(b, &err));
        }
        assert_ok(lochan_builder__finish(b, &batch, &err));
        assert_ok(lochan_pq_writer__write_batch(w, &batch, &err));
        lochan_builder__free(b);
        lochan_array__release(&batch);
    }
    assert_ok(lochan_pq_writer__close(w, NULL, &err));
    lochan_pq_writer__free(w);
    lochan_schema__release(&schema);
    free(value);
}

/* ---- reading ---- */

typedef struct outcome {
    lochan_status rc;
    int64_t rows, sum;
    size_t most; /* bytes held at a time, beyond those at the start */
    size_t peak; /* as the budget has it */
} outcome;

typedef struct how {
    int threads;
    size_t limit;
    const char *where;
    int64_t batch_rows;
    int64_t pause_at; /* row with whose batch the consumer takes its time */
} how;

/* Batches are released before the next is asked for. The first column is one of numbers. */
static outcome read_all(const lochan_buf *file, how h) {
    lochan_error err;
    lochan_pool *pool;
    lochan_budget budget;
    lochan_pq_reader *r;
    lochan_expr *e = NULL;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    outcome seen = {0};
    lochan_budget__init(&budget, h.limit);
    assert_ok(lochan_pool__create(h.threads, &pool, &err));
    lochan_ctx ctx = {.pool = pool, .budget = &budget};
    assert_ok(pq_open(&ctx, file, NULL, &r, &err));
    assert_ok(lochan_expr__parse(h.where, &e, &err));
    if (e)
        assert_ok(lochan_expr__bind(e, lochan_pq_reader__schema(r), &err));
    const lochan_pq_scan scan = {.predicate = e, .batch_rows = h.batch_rows};
    size_t before = held;
    most = before;
    assert_ok(lochan_pq_reader__stream(r, &scan, &stream, &err));
    while ((seen.rc = lochan_stream__next(&stream, &batch, &err)) == LOCHAN_OK && batch.release) {
        const int64_t *n = (const int64_t *)batch.children[0]->buffers[1];
        for (int64_t i = 0; i < batch.length; i++)
            seen.sum += n[batch.children[0]->offset + i];
        seen.rows += batch.length;
        if (h.pause_at > 0 && seen.rows >= h.pause_at) {
            usleep(300000);
            h.pause_at = 0;
        }
        batch.release(&batch);
    }
    seen.most = most - before;
    seen.peak = budget.peak;
    lochan_stream__release(&stream);
    lochan_expr__free(e);
    lochan_pq_reader__close(r);
    lochan_pool__free(pool);
    assert_int_equal(budget.used, 0);
    return seen;
}

static void test_stream_memory__rows_larger_than_expected_come_in_smaller_batches(void **state) {
    enum { FEW = 60000, MANY = 3000, LENGTH = 40000, LIMIT = 16 << 20 };
    lochan_buf file;
    (void)state;
    write_texts(FEW, MANY, LENGTH, 1 << 20, &file);
    for (int threads = 1; threads <= 3; threads += 2) {
        outcome all = read_all(&file, (how){.threads = threads, .limit = LIMIT});
        assert_int_equal(all.rc, LOCHAN_OK);
        assert_int_equal(all.rows, FEW + MANY);
        assert_int_equal(all.sum, (int64_t)(FEW + MANY) * (FEW + MANY - 1) / 2);
        assert_true(all.peak <= LIMIT);
        assert_true(all.most <= LIMIT + LIMIT / 2); /* growing copies */
        /* the texts of the predicate come as keys, and become texts at the end */
        outcome some = read_all(
            &file, (how){.threads = threads, .limit = LIMIT, .where = "t >= 'a' and n >= 1000"});
        assert_int_equal(some.rc, LOCHAN_OK);
        assert_int_equal(some.rows, MANY);
        assert_true(some.peak <= LIMIT && some.most <= LIMIT + LIMIT / 2);
    }
    lochan_buf__deinit(&file);
}

static void test_stream_memory__rows_that_never_fit_are_refused(void **state) {
    enum { FEW = 30000, MANY = 100, LENGTH = 1 << 19, LIMIT = 6 << 20 };
    lochan_buf file;
    (void)state;
    write_texts(FEW, MANY, LENGTH, 1 << 20, &file);
    for (int threads = 1; threads <= 3; threads += 2) {
        outcome all = read_all(&file, (how){.threads = threads, .limit = LIMIT});
        assert_int_equal(all.rc, LOCHAN_ERR_MEMORY_LIMIT);
        assert_true(all.rows < FEW + LOCHAN_PQ_MIN_BATCH_ROWS);
        assert_true(all.peak <= LIMIT);
        assert_true(all.most <= 2 * (size_t)LIMIT);
    }
    lochan_buf__deinit(&file);
}

/* Batches ten times as large as the row group lets one expect, all of which are within reach. */
static void test_stream_memory__little_is_read_ahead_of_a_slow_consumer(void **state) {
    enum { FEW = 300000, MANY = 30000, LENGTH = 4000, BATCH_ROWS = 2500, BATCH = 10 << 20 };
    lochan_buf file;
    (void)state;
    write_texts(FEW, MANY, LENGTH, 1 << 20, &file);
    outcome all = read_all(&file, (how){.threads = 3, .batch_rows = BATCH_ROWS, .pause_at = FEW});
    assert_int_equal(all.rc, LOCHAN_OK);
    assert_int_equal(all.rows, FEW + MANY);
    /* 32 MiB ahead, the last of which goes beyond; one that comes next, one with the consumer; all
     * with room to grow. */
    assert_true(all.most <= (32 << 20) + 3 * (BATCH + BATCH / 2));
    lochan_buf__deinit(&file);
}

static void release_borrowed(struct ArrowArray *a) {
    a->release = NULL;
}

static void write_wide(int columns, const int64_t *values, int64_t rows, lochan_buf *file) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    const lochan_type type = {.id = LOCHAN_TYPE_INT64};
    const void *buffers[] = {NULL, values};
    assert_ok(lochan_schema__init_struct(&schema, columns, &err));
    assert_ok(lochan_array__init(&batch, 1, columns, &err));
    for (int c = 0; c < columns; c++) {
        char name[16];
        (void)snprintf(name, sizeof name, "c%d", c);
        assert_ok(lochan_schema__set_field(schema.children[c], name, &type, false, &err));
        *batch.children[c] = (struct ArrowArray){
            .length = rows, .n_buffers = 2, .buffers = buffers, .release = release_borrowed};
    }
    batch.length = rows;
    const lochan_pq_write_options o = {.row_group_rows = rows};
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, file, NULL, &err));
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

/* A row group of 300 MiB with threads that could read far ahead. */
static void test_stream_memory__wide_row_groups_within_the_budget(void **state) {
    enum { COLUMNS = 300, ROWS = 131072, LIMIT = 64 << 20 };
    static int64_t values[ROWS];
    lochan_buf file;
    (void)state;
    for (int64_t i = 0; i < ROWS; i++)
        values[i] = i * 7919 % ROWS << 20;
    write_wide(COLUMNS, values, ROWS, &file);
    for (int threads = 1; threads <= 4; threads += 3) {
        outcome all = read_all(&file, (how){.threads = threads, .limit = LIMIT});
        assert_int_equal(all.rc, LOCHAN_OK);
        assert_int_equal(all.rows, ROWS);
        assert_int_equal(all.sum, (int64_t)ROWS * (ROWS - 1) / 2 << 20);
        assert_true(all.peak <= LIMIT && all.most <= LIMIT);
    }
    lochan_buf__deinit(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream_memory__rows_larger_than_expected_come_in_smaller_batches),
        cmocka_unit_test(test_stream_memory__rows_that_never_fit_are_refused),
        cmocka_unit_test(test_stream_memory__little_is_read_ahead_of_a_slow_consumer),
        cmocka_unit_test(test_stream_memory__wide_row_groups_within_the_budget),
    };
    return cmocka_run_group_tests(tests, count_memory, stop_counting);
}
