/* test_pages.c - pages that claim what their bytes hardly explain, and pages of keys that need no
 * bits or lie past the dictionary. */
#include "parquet/pq_sample.h"

#include "parquet/metadata.h"

enum { LARGE = 20 << 20, ROWS = 1000 };

/* One column "x" of n rows with the same text of `size` bytes. */
static void constant_file(size_t size, int64_t n, const lochan_pq_write_options *o,
                          lochan_buf *file) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_builder *b;
    char *text = lochan_mem__alloc(size);
    assert_non_null(text);
    memset(text, 'a', size);
    pq_schema_one(&schema, "u", false);
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int64_t r = 0; r < n; r++) {
        assert_ok(lochan_builder__bytes_value(lochan_builder__child(b, 0), text, size, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &batch, &err));
    assert_ok(pq_write(NULL, &schema, &batch, 0, o, file, NULL, &err));
    lochan_builder__free(b);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_mem__free(text);
}

static lochan_status read_all(const lochan_buf *file, const lochan_pq_read_options *o,
                              lochan_buf *lines, lochan_error *err) {
    lochan_pq_reader *r;
    LOCHAN_TRY(pq_open(NULL, file, o, &r, err));
    lochan_status rc = pq_read(r, NULL, lines, err);
    lochan_pq_reader__close(r);
    return rc;
}

static void test_pages__a_few_bytes_of_brotli_are_believed_up_to_a_limit(void **state) {
    (void)state;
    const lochan_pq_write_options o = {.codec = LOCHAN_PQ_BROTLI, .codec_set = true};
    lochan_buf file, lines;
    lochan_error err;
    constant_file(LARGE, 1, &o, &file);
    assert_true(file.len < 4096); /* far below a 4096th of the text */
    lochan_buf__init(&lines, (size_t)1 << 30);
    assert_status(read_all(&file, NULL, &lines, &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_non_null(strstr(err.message, "20971524")); /* the text behind its length */
    assert_non_null(strstr(err.message, "16777216"));
    assert_non_null(strstr(err.message, "brotli"));
    assert_non_null(strstr(err.hint, "max_page_bytes"));
    assert_string_equal(err.column, "x");
    assert_int_equal(err.offset, 4);
    assert_ok(read_all(&file, &(lochan_pq_read_options){.max_page_bytes = 32 << 20}, &lines, &err));
    assert_true(lines.len > LARGE);
    lochan_buf__deinit(&lines);
    lochan_buf__deinit(&file);
}

/* Codecs whose ratio has a bound give no page the benefit of a doubt. */
static void test_pages__sizes_that_no_bytes_explain_are_damage(void **state) {
    (void)state;
    static const struct {
        lochan_pq_codec codec;
        uint64_t most; /* of a byte */
    } bounds[] = {{LOCHAN_PQ_UNCOMPRESSED, 1},
                  {LOCHAN_PQ_SNAPPY, 64},
                  {LOCHAN_PQ_GZIP, 1100},
                  {LOCHAN_PQ_LZ4_RAW, 260},
                  {LOCHAN_PQ_ZSTD, 45000}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(bounds); i++) {
        assert_true(lochan_pq_codec__has_bound(bounds[i].codec));
        assert_int_equal(lochan_pq_codec__max_size(bounds[i].codec, 10), 10 * bounds[i].most);
    }
    assert_false(lochan_pq_codec__has_bound(LOCHAN_PQ_BROTLI));
}

/* Where the only page of keys of a file with one constant column begins: its width, a run. */
static uint8_t *find_keys(const lochan_buf *file) {
    const uint8_t run[] = {0, 0xd0, 0x0f}; /* no bits; 1000 times */
    uint8_t *at = memmem(file->data, file->len, run, sizeof run);
    assert_non_null(at);
    return at;
}

static void test_pages__keys_of_no_bits_name_the_first_value(void **state) {
    (void)state;
    const lochan_pq_column_encoding encoding = {"x", LOCHAN_PQ_RLE_DICTIONARY};
    const lochan_pq_write_options o = {
        .codec_set = true, .encodings = &encoding, .n_encodings = 1, .no_crc = true};
    const lochan_pq_strings layouts[] = {LOCHAN_PQ_STRINGS_PLAIN, LOCHAN_PQ_STRINGS_VIEW,
                                         LOCHAN_PQ_STRINGS_DICTIONARY};
    lochan_buf file, lines;
    lochan_error err;
    constant_file(30, ROWS, &o, &file);
    for (size_t i = 0; i < LOCHAN_COUNTOF(layouts); i++) {
        const lochan_pq_read_options ro = {.strings = layouts[i]};
        uint8_t *keys = find_keys(&file);
        lochan_buf__init(&lines, 1 << 20);
        assert_ok(read_all(&file, &ro, &lines, &err));
        assert_int_equal(lines.len, ROWS * strlen("{\"x\":\"\"}\n") + ROWS * 30);
        /* seven bits, and the key 127 once */
        keys[0] = 7, keys[1] = 2, keys[2] = 127;
        assert_status(read_all(&file, &ro, &lines, &err), LOCHAN_ERR_CORRUPT);
        assert_non_null(strstr(err.message, "past the 1 values of the dictionary"));
        keys[0] = 0, keys[1] = 0xd0, keys[2] = 0x0f;
        lochan_buf__deinit(&lines);
    }
    lochan_buf__deinit(&file);
}

static lochan_status read_buf(void *self, uint64_t offset, size_t n, void *dst, lochan_error *err) {
    const lochan_buf *file = self;
    memcpy(dst, file->data + offset, n);
    return LOCHAN_OK;
}

/* Pages are as large as what is read at a time, so that each passes its end. */
static void test_pages__no_byte_is_read_twice(void **state) {
    (void)state;
    const lochan_pq_column_encoding encoding = {"x", LOCHAN_PQ_PLAIN};
    const lochan_pq_write_options o = {.codec_set = true, .encodings = &encoding, .n_encodings = 1};
    lochan_buf file, lines;
    lochan_error err;
    lochan_pq_reader *r;
    constant_file(1000, 5000, &o, &file);
    assert_true(file.len > 5000 * 1000);
    lochan_pq_counters counters;
    lochan_pq_source source = {.read = read_buf, .self = &file, .size = file.len};
    assert_ok(lochan_pq_reader__open(NULL, &source, NULL, &r, &err));
    lochan_buf__init(&lines, (size_t)1 << 30);
    assert_ok(pq_read(r, NULL, &lines, &err));
    assert_int_equal(lines.len, 5000 * (strlen("{\"x\":\"\"}\n") + 1000));
    lochan_pq_reader__counters(r, &counters);
    assert_true(counters.bytes_read <= file.len + 16); /* the footer's length and the magic */
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&lines);
    lochan_buf__deinit(&file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pages__a_few_bytes_of_brotli_are_believed_up_to_a_limit),
        cmocka_unit_test(test_pages__sizes_that_no_bytes_explain_are_damage),
        cmocka_unit_test(test_pages__keys_of_no_bits_name_the_first_value),
        cmocka_unit_test(test_pages__no_byte_is_read_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
