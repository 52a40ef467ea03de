/* test_thrift.c - the compact protocol: what is written is read, and lies are refused. */
#include "support/cmocka_all.h"

#include "parquet/metadata.h"

static lochan_status read_header(const lochan_buf *buf, lochan_pq_page_header *out,
                                 lochan_error *err) {
    lochan_arena arena;
    lochan_arena__init(&arena, 1 << 16);
    lochan_cursor c = {buf->data, buf->data + buf->len};
    lochan_status rc =
        lochan_thrift__read(&c, buf->data, &lochan_pq_page_header__type, &arena, out, err);
    lochan_arena__deinit(&arena);
    return rc;
}

static void test_thrift__writes_and_reads_a_struct(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf buf;
    lochan_buf__init(&buf, 1 << 20);
    lochan_pq_page_header in = {
        .set = 0x2e | 1u << 8, .type = 3, .uncompressed_size = 1 << 30, .compressed_size = 77};
    in.set = LOCHAN_THRIFT_BIT(1) | LOCHAN_THRIFT_BIT(2) | LOCHAN_THRIFT_BIT(3) |
             LOCHAN_THRIFT_BIT(4) | LOCHAN_THRIFT_BIT(8);
    in.crc = -5;
    in.data_v2 = (lochan_pq_data_header_v2){.set = 0xfe,
                                            .num_values = 9,
                                            .num_nulls = 1,
                                            .num_rows = 8,
                                            .encoding = 2,
                                            .def_length = 4,
                                            .rep_length = 0,
                                            .is_compressed = false};
    assert_ok(lochan_thrift__write(&buf, &lochan_pq_page_header__type, &in, &err));
    lochan_pq_page_header out;
    assert_ok(read_header(&buf, &out, &err));
    assert_int_equal(out.set, in.set);
    assert_int_equal(out.uncompressed_size, 1 << 30);
    assert_int_equal(out.crc, -5);
    assert_int_equal(out.data_v2.num_values, 9);
    assert_false(out.data_v2.is_compressed);
    lochan_buf__deinit(&buf);
}

static void test_thrift__refuses_every_cut(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf buf;
    lochan_buf__init(&buf, 1 << 20);
    lochan_pq_page_header in = {
        .set = 0x2e, .type = 0, .uncompressed_size = 100, .compressed_size = 50};
    in.data = (lochan_pq_data_header){.set = 0x1e, .num_values = 5};
    assert_ok(lochan_thrift__write(&buf, &lochan_pq_page_header__type, &in, &err));
    size_t whole = buf.len;
    for (size_t n = 0; n < whole; n++) {
        lochan_pq_page_header out;
        buf.len = n;
        assert_status(read_header(&buf, &out, &err), LOCHAN_ERR_CORRUPT);
        assert_true(err.offset >= 0 && err.offset <= (int64_t)n);
    }
    lochan_buf__deinit(&buf);
}

static lochan_status read_bytes(const char *bytes, size_t n, const lochan_thrift_type *type,
                                void *out, lochan_error *err) {
    lochan_arena arena;
    lochan_arena__init(&arena, 1 << 16);
    lochan_cursor c = {(const uint8_t *)bytes, (const uint8_t *)bytes + n};
    lochan_status rc = lochan_thrift__read(&c, c.pos, type, &arena, out, err);
    lochan_arena__deinit(&arena);
    return rc;
}

#define READ(bytes, type, out) read_bytes(bytes, sizeof(bytes) - 1, &type, out, &err)

static void test_thrift__a_list_cannot_claim_more_items_than_bytes(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_file_meta meta;
    /* version 1, then a schema of 2^31 structs */
    assert_status(
        READ("\x15\x02\x19\xfc\xff\xff\xff\xff\x07\x00", lochan_pq_file_meta__type, &meta),
        LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "schema"));
}

static void test_thrift__skips_unknown_fields_of_every_type(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_offset_index index;
    /* field 1: empty list; field 9: map<i32, list<bool>>; field 10: struct {1: double, 2: true};
     * field 11: binary */
    assert_ok(READ("\x19\x0c\x8b\x01\x59\x02\x21\x01\x02\x1c\x17........\x11\x00\x18\x03"
                   "abc\x00",
                   lochan_pq_offset_index__type, &index));
    assert_int_equal(index.pages.n, 0);
}

static void test_thrift__bounds_the_depth_of_unknown_fields(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_offset_index index;
    char bytes[4096];
    size_t n = 0;
    bytes[n++] = '\x9c'; /* field 9: struct { field 9: struct { ... */
    while (n < 2000)
        bytes[n++] = '\x9c';
    assert_status(read_bytes(bytes, n, &lochan_pq_offset_index__type, &index, &err),
                  LOCHAN_ERR_CORRUPT);
}

static void test_thrift__refuses_wrong_types_doubles_and_missing_fields(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_offset_index index;
    assert_status(READ("\x15\x02\x00", lochan_pq_offset_index__type, &index), LOCHAN_ERR_CORRUPT);
    assert_status(READ("\x19\x0c\x09\x02\x0c\x00", lochan_pq_offset_index__type, &index),
                  LOCHAN_ERR_CORRUPT);
    assert_status(READ("\x00", lochan_pq_offset_index__type, &index), LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "pages"));
}

static void test_thrift__numbers_out_of_range_are_refused(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_page_header h;
    /* field 1 as i64 of 2^40 */
    assert_status(READ("\x16\x80\x80\x80\x80\x80\x40\x00", lochan_pq_page_header__type, &h),
                  LOCHAN_ERR_CORRUPT);
    assert_status(READ("\x15\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x00",
                       lochan_pq_page_header__type, &h),
                  LOCHAN_ERR_CORRUPT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_thrift__writes_and_reads_a_struct),
        cmocka_unit_test(test_thrift__refuses_every_cut),
        cmocka_unit_test(test_thrift__a_list_cannot_claim_more_items_than_bytes),
        cmocka_unit_test(test_thrift__skips_unknown_fields_of_every_type),
        cmocka_unit_test(test_thrift__bounds_the_depth_of_unknown_fields),
        cmocka_unit_test(test_thrift__refuses_wrong_types_doubles_and_missing_fields),
        cmocka_unit_test(test_thrift__numbers_out_of_range_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
