/* test_summary.c - what a hostile footer claims does not overflow, and times that nanoseconds
 * cannot hold are refused. */
#include "parquet/pq_sample.h"

#include "parquet/convert.h"
#include "parquet/reader_own.h"

static void test_summary__impossible_sizes_are_refused(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_builder *b;
    lochan_buf file;
    lochan_pq_reader *r;
    lochan_pq_summary summary;
    pq_schema_one(&schema, "l", false);
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int64_t i = 0; i < 20; i++) {
        assert_ok(sample_fill(lochan_builder__child(b, 0), schema.children[0], 1, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &batch, &err));
    assert_ok(pq_write(NULL, &schema, &batch, 0, &(lochan_pq_write_options){.row_group_rows = 10},
                       &file, NULL, &err));
    assert_ok(pq_open(NULL, &file, NULL, &r, &err));
    assert_ok(lochan_pq_reader__summary(r, &summary, &err));
    lochan_pq_summary__deinit(&summary);
    lochan_pq_column_chunk *chunk =
        (lochan_pq_column_chunk *)(uintptr_t)lochan_pq_reader__chunk(r, 1, 0);
    const int64_t hostile[] = {INT64_MAX, -1};
    for (size_t i = 0; i < LOCHAN_COUNTOF(hostile); i++) {
        chunk->meta.compressed_size = hostile[i];
        assert_status(lochan_pq_reader__summary(r, &summary, &err), LOCHAN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "'x'"));
    }
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&file);
    lochan_builder__free(b);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static bool read_int96(int32_t julian_day, int64_t ns, int64_t *out) {
    const lochan_pq_leaf leaf = {.convert = LOCHAN_PQ_CONVERT_INT96,
                                 .physical = LOCHAN_PQ_INT96,
                                 .width = 12,
                                 .out_width = 8};
    uint8_t src[12];
    memcpy(src, &ns, 8);
    memcpy(src + 8, &julian_day, 4);
    return lochan_pq_convert__read(&leaf, src, 1, (uint8_t *)out);
}

static void test_summary__int96_past_nanoseconds_is_refused(void **state) {
    (void)state;
    int64_t out = 0;
    assert_true(read_int96(2440588, 5, &out));
    assert_int_equal(out, 5);
    assert_true(read_int96(2440587, 0, &out));
    assert_int_equal(out, INT64_C(-86400000000000));
    assert_true(read_int96(2440588 + 106751, 0, &out)); /* 2262-04-11 */
    assert_false(read_int96(2440588 + 106752, 0, &out));
    assert_false(read_int96(5373484, 0, &out)); /* 9999-12-31 */
    assert_false(read_int96(INT32_MIN, 0, &out));
    assert_false(read_int96(2440588, INT64_MAX, &out) && out != INT64_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summary__impossible_sizes_are_refused),
        cmocka_unit_test(test_summary__int96_past_nanoseconds_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
