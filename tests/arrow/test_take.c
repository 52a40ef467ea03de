/* test_take.c - rows by index from one batch and from many. */
#include "arrow/kernel_sample.h"

static void test_take__all_types_any_order(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in, out;
    enum { N = 200 };
    int64_t rows[N];
    uint64_t seed = 7;
    assert_ok(sample_schema(&schema, &err));
    for (int64_t offset = 0; offset < 12; offset += 11) {
        sample_slice(&schema, offset, 40, &in);
        for (int i = 0; i < N; i++)
            rows[i] = (int64_t)(fake_random(&seed) % 41) - 1;
        assert_ok(lochan_take(&schema, &in, rows, N, &out, &err));
        assert_int_equal(out.length, N);
        assert_valid(&schema, &out);
        for (int i = 0; i < N; i++)
            assert_row(&schema, &out, i, &in, rows[i]);
        lochan_array__release(&out);
        lochan_array__release(&in);
    }
    lochan_schema__release(&schema);
}

static void test_take__nothing(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in, out;
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 3, 4, &in);
    assert_ok(lochan_take(&schema, &in, NULL, 0, &out, &err));
    assert_int_equal(out.length, 0);
    assert_valid(&schema, &out);
    lochan_array__release(&out);
    assert_ok(lochan_take_many(&schema, NULL, 0, NULL, NULL, 0, &out, &err));
    assert_int_equal(out.length, 0);
    assert_valid(&schema, &out);
    lochan_array__release(&out);
    lochan_array__release(&in);
    lochan_schema__release(&schema);
}

static void test_take__refuses_rows_outside(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in, out;
    const struct ArrowArray *batches[1] = {&in};
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 0, 4, &in);
    assert_status(lochan_take(&schema, &in, (int64_t[]){0, 4}, 2, &out, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(out.release);
    assert_status(lochan_take(&schema, &in, (int64_t[]){-2}, 1, &out, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(
        lochan_take_many(&schema, batches, 1, (uint32_t[]){1}, (uint32_t[]){0}, 1, &out, &err),
        LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(
        lochan_take_many(&schema, batches, 1, (uint32_t[]){0}, (uint32_t[]){4}, 1, &out, &err),
        LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_array__release(&in);
    lochan_schema__release(&schema);
}

static void test_take__many_batches(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in[3], out;
    const struct ArrowArray *batches[3] = {&in[0], &in[1], &in[2]};
    enum { N = 300 };
    uint32_t batch_of[N], row_of[N];
    uint64_t seed = 9;
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 0, 20, &in[0]);
    sample_slice(&schema, 13, 9, &in[1]); /* another dictionary order */
    sample_slice(&schema, 2, 31, &in[2]);
    for (int i = 0; i < N; i++) {
        batch_of[i] = (uint32_t)(fake_random(&seed) % 3);
        row_of[i] = (uint32_t)(fake_random(&seed) % (uint64_t)in[batch_of[i]].length);
    }
    assert_ok(lochan_take_many(&schema, batches, 3, batch_of, row_of, N, &out, &err));
    assert_valid(&schema, &out);
    for (int i = 0; i < N; i++)
        assert_row(&schema, &out, i, &in[batch_of[i]], row_of[i]);
    lochan_array__release(&out);
    for (int i = 0; i < 3; i++)
        lochan_array__release(&in[i]);
    lochan_schema__release(&schema);
}

/* Picks in long runs are copied in runs: with nulls between them, from several batches. */
static void test_take__long_runs(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in[2], out;
    const struct ArrowArray *batches[2] = {&in[0], &in[1]};
    enum { N = 120 };
    int64_t rows[N];
    uint32_t batch_of[N], row_of[N];
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 3, 70, &in[0]);
    sample_slice(&schema, 4, 70, &in[1]);
    for (int i = 0; i < N; i++) {
        rows[i] = i < 40 ? i + 20 : i < 60 ? -1 : i - 58;
        batch_of[i] = i < 50;
        row_of[i] = (uint32_t)(i < 50 ? i + 7 : i - 50);
    }
    assert_ok(lochan_take(&schema, &in[0], rows, N, &out, &err));
    assert_valid(&schema, &out);
    for (int i = 0; i < N; i++)
        assert_row(&schema, &out, i, &in[0], rows[i]);
    lochan_array__release(&out);
    assert_ok(lochan_take_many(&schema, batches, 2, batch_of, row_of, N, &out, &err));
    assert_valid(&schema, &out);
    for (int i = 0; i < N; i++)
        assert_row(&schema, &out, i, &in[batch_of[i]], row_of[i]);
    lochan_array__release(&out);
    lochan_array__release(&in[0]);
    lochan_array__release(&in[1]);
    lochan_schema__release(&schema);
}

/* A view array may refer to one long text from every row; taking rows must not multiply it. */
static void test_take__shared_views_stay_small(void **state) {
    (void)state;
    lochan_error err;
    enum { ROWS = 1000, LONG = 100000 };
    struct ArrowSchema schema = {0};
    struct ArrowArray in, out;
    lochan_buffer *data = lochan_buffer__create(LONG), *views = lochan_buffer__create(16 * ROWS);
    memset(data->data, 'x', LONG);
    for (int i = 0; i < ROWS; i++) {
        int32_t view[4] = {LONG, 0x78787878, 0, 0};
        memcpy(views->data + 16 * i, view, 16);
    }
    assert_ok(sample_field(&schema, "x", "vu", 0, &err));
    assert_ok(lochan_array__init(&in, 2, 0, &err));
    in.length = ROWS;
    lochan_array__give_buffer(&in, 1, views);
    assert_ok(lochan_array__give_view_data(&in, &data, 1, &err));
    int64_t rows[ROWS];
    for (int i = 0; i < ROWS; i++)
        rows[i] = ROWS - 1 - i;
    assert_ok(lochan_take(&schema, &in, rows, ROWS, &out, &err));
    assert_valid(&schema, &out);
    const int64_t *sizes = out.buffers[out.n_buffers - 1];
    assert_int_equal(out.n_buffers, 4);
    assert_int_equal(sizes[0], LONG);
    lochan_array__release(&out);
    lochan_array__release(&in);
    lochan_schema__release(&schema);
}

static struct ArrowSchema fault_schema;
static struct ArrowArray fault_in[2];

static lochan_status fault_body(void *ctx, lochan_error *err) {
    (void)ctx;
    struct ArrowArray out = {0};
    const struct ArrowArray *batches[2] = {&fault_in[0], &fault_in[1]};
    lochan_status rc =
        lochan_take(&fault_schema, &fault_in[0], (int64_t[]){3, -1, 1, 1}, 4, &out, err);
    lochan_array__release(&out);
    if (rc == LOCHAN_OK)
        rc = lochan_take_many(&fault_schema, batches, 2, (uint32_t[]){0, 1, 0, 1},
                              (uint32_t[]){3, 4, 1, 2}, 4, &out, err);
    lochan_array__release(&out);
    return rc;
}

static void test_take__survives_lack_of_memory(void **state) {
    (void)state;
    lochan_error err;
    assert_ok(sample_schema(&fault_schema, &err));
    sample_slice(&fault_schema, 1, 5, &fault_in[0]);
    sample_slice(&fault_schema, 8, 5, &fault_in[1]);
    fault_sweep(&(fault_case){.name = "take", .body = fault_body, .kinds = FAULT_OOM, .dense = 60});
    lochan_array__release(&fault_in[0]);
    lochan_array__release(&fault_in[1]);
    lochan_schema__release(&fault_schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_take__all_types_any_order),
        cmocka_unit_test(test_take__nothing),
        cmocka_unit_test(test_take__refuses_rows_outside),
        cmocka_unit_test(test_take__many_batches),
        cmocka_unit_test(test_take__long_runs),
        cmocka_unit_test(test_take__shared_views_stay_small),
        cmocka_unit_test(test_take__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
