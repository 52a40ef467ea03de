/* test_codec.c - compression: every codec comes back, sizes are held to. */
#include "support/cmocka_all.h"

#include "parquet/codec.h"
#include <string.h>

static const lochan_pq_codec codecs[] = {LOCHAN_PQ_UNCOMPRESSED, LOCHAN_PQ_SNAPPY,
                                         LOCHAN_PQ_GZIP,         LOCHAN_PQ_BROTLI,
                                         LOCHAN_PQ_ZSTD,         LOCHAN_PQ_LZ4_RAW};

static void test_codec__comes_back_with_every_codec(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_codec_cache cache = {0};
    uint8_t src[5000], dst[5000];
    for (size_t i = 0; i < sizeof src; i++)
        src[i] = (uint8_t)(i * i >> 7);
    for (size_t c = 0; c < LOCHAN_COUNTOF(codecs); c++) {
        for (size_t n = 0; n <= sizeof src; n = n * 3 + 1) {
            lochan_buf buf;
            lochan_buf__init(&buf, 1 << 20);
            assert_ok(lochan_pq_codec__compress(&cache, codecs[c], 0, src, n, &buf, &err));
            assert_true(n <= lochan_pq_codec__max_size(codecs[c], buf.len));
            assert_ok(
                lochan_pq_codec__decompress(&cache, codecs[c], buf.data, buf.len, dst, n, &err));
            assert_memory_equal(dst, src, n);
            lochan_buf__deinit(&buf);
        }
    }
    lochan_pq_codec_cache__deinit(&cache);
}

static void test_codec__refuses_another_size_and_cut_bytes(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_codec_cache cache = {0};
    uint8_t src[1000] = {1, 2, 3}, dst[2000];
    for (size_t c = 0; c < LOCHAN_COUNTOF(codecs); c++) {
        lochan_buf buf;
        lochan_buf__init(&buf, 1 << 20);
        assert_ok(lochan_pq_codec__compress(&cache, codecs[c], 0, src, sizeof src, &buf, &err));
        assert_status(
            lochan_pq_codec__decompress(&cache, codecs[c], buf.data, buf.len, dst, 999, &err),
            LOCHAN_ERR_CORRUPT);
        assert_status(
            lochan_pq_codec__decompress(&cache, codecs[c], buf.data, buf.len, dst, 1001, &err),
            LOCHAN_ERR_CORRUPT);
        assert_status(
            lochan_pq_codec__decompress(&cache, codecs[c], buf.data, buf.len - 1, dst, 1000, &err),
            LOCHAN_ERR_CORRUPT);
        lochan_buf__deinit(&buf);
    }
    lochan_pq_codec_cache__deinit(&cache);
}

static void test_codec__reads_several_gzip_members(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_codec_cache cache = {0};
    lochan_buf buf;
    uint8_t dst[10];
    lochan_buf__init(&buf, 1 << 20);
    assert_ok(lochan_pq_codec__compress(&cache, LOCHAN_PQ_GZIP, 0, (const uint8_t *)"hello", 5,
                                        &buf, &err));
    assert_ok(lochan_pq_codec__compress(&cache, LOCHAN_PQ_GZIP, 9, (const uint8_t *)"world", 5,
                                        &buf, &err));
    assert_ok(
        lochan_pq_codec__decompress(&cache, LOCHAN_PQ_GZIP, buf.data, buf.len, dst, 10, &err));
    assert_memory_equal(dst, "helloworld", 10);
    lochan_buf__deinit(&buf);
    lochan_pq_codec_cache__deinit(&cache);
}

static void test_codec__reads_lz4_in_hadoops_framing(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_codec_cache cache = {0};
    lochan_buf block, framed;
    uint8_t dst[10];
    lochan_buf__init(&block, 1 << 20);
    lochan_buf__init(&framed, 1 << 20);
    for (int i = 0; i < 2; i++) { /* two blocks of five bytes */
        lochan_buf__clear(&block);
        assert_ok(lochan_pq_codec__compress(&cache, LOCHAN_PQ_LZ4_RAW, 0,
                                            (const uint8_t *)(i ? "world" : "hello"), 5, &block,
                                            &err));
        const uint8_t sizes[8] = {0, 0, 0, 5, 0, 0, 0, (uint8_t)block.len};
        assert_ok(lochan_buf__append(&framed, sizes, 8, &err));
        assert_ok(lochan_buf__append(&framed, block.data, block.len, &err));
    }
    assert_ok(lochan_pq_codec__decompress(&cache, LOCHAN_PQ_LZ4_LEGACY, framed.data, framed.len,
                                          dst, 10, &err));
    assert_memory_equal(dst, "helloworld", 10);
    assert_ok(lochan_pq_codec__decompress(&cache, LOCHAN_PQ_LZ4_LEGACY, block.data, block.len, dst,
                                          5, &err));
    assert_memory_equal(dst, "world", 5);
    assert_status(lochan_pq_codec__decompress(&cache, LOCHAN_PQ_LZ4_LEGACY, framed.data,
                                              framed.len - 1, dst, 10, &err),
                  LOCHAN_ERR_CORRUPT);
    lochan_buf__deinit(&block);
    lochan_buf__deinit(&framed);
    lochan_pq_codec_cache__deinit(&cache);
}

static void test_codec__knows_names_and_levels(void **state) {
    (void)state;
    lochan_pq_codec codec;
    assert_true(lochan_pq_codec__from_name("zstd", &codec));
    assert_int_equal(codec, LOCHAN_PQ_ZSTD);
    assert_true(lochan_pq_codec__from_name("uncompressed", &codec));
    assert_int_equal(codec, LOCHAN_PQ_UNCOMPRESSED);
    assert_false(lochan_pq_codec__from_name("zip", &codec));
    assert_true(lochan_pq_codec__level_ok(LOCHAN_PQ_ZSTD, 19));
    assert_false(lochan_pq_codec__level_ok(LOCHAN_PQ_ZSTD, 99));
    assert_false(lochan_pq_codec__level_ok(LOCHAN_PQ_SNAPPY, 1));
    assert_false(lochan_pq_codec__readable(3)); /* LZO */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_codec__comes_back_with_every_codec),
        cmocka_unit_test(test_codec__refuses_another_size_and_cut_bytes),
        cmocka_unit_test(test_codec__reads_several_gzip_members),
        cmocka_unit_test(test_codec__reads_lz4_in_hadoops_framing),
        cmocka_unit_test(test_codec__knows_names_and_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
