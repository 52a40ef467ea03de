/* test_constant.c - short chunks of one value, for which no encoding is tried: they come back, and
 * take no more than with a dictionary. */
#include "parquet/pq_sample.h"

#include "parquet/metadata.h"

/* n rows of 7 (null where i % nulls == 0), then as many of i. */
static void make(const char *format, int64_t n, int64_t nulls, bool more,
                 struct ArrowSchema *schema, struct ArrowArray *batch) {
    lochan_error err;
    lochan_builder *b;
    pq_schema_one(schema, format, nulls > 0);
    assert_ok(lochan_builder__create(schema, &b, &err));
    lochan_builder *x = lochan_builder__child(b, 0);
    for (int64_t i = 0; i < (more ? 2 * n : n); i++) {
        char text[24];
        int64_t v = i < n ? 7 : i;
        int len = snprintf(text, sizeof text, "%lld", (long long)v);
        if (nulls && i % nulls == 0)
            assert_ok(lochan_builder__null(x, &err));
        else if (format[0] == 'u')
            assert_ok(lochan_builder__bytes_value(x, text, (size_t)len, &err));
        else if (format[0] == 'g')
            assert_ok(lochan_builder__double(x, (double)v, &err));
        else
            assert_ok(lochan_builder__int64(x, v, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, batch, &err));
    lochan_builder__free(b);
}

static const char *const formats[] = {"l", "i", "g", "u"};
static const int64_t counts[] = {255, 256, 1000, 8192, 8193};
static const lochan_pq_codec codecs[] = {LOCHAN_PQ_ZSTD, LOCHAN_PQ_SNAPPY, LOCHAN_PQ_UNCOMPRESSED};

static void test_constant__comes_back_and_other_values_after_it(void **state) {
    (void)state;
    for (size_t f = 0; f < LOCHAN_COUNTOF(formats); f++) {
        for (size_t c = 0; c < LOCHAN_COUNTOF(counts); c++) {
            for (int nulls = 0; nulls < 2; nulls++) {
                struct ArrowSchema schema;
                struct ArrowArray batch;
                make(formats[f], counts[c], nulls * 3, true, &schema, &batch);
                lochan_pq_write_options o = {.codec = codecs[c % 3],
                                             .codec_set = true,
                                             .row_group_rows = counts[c],
                                             .page_v2 = c & 1};
                lochan_pq_scan scan = {.batch_rows = 777};
                pq_round_trip(&schema, &batch, 0, &o, NULL, &scan);
                lochan_array__release(&batch);
                lochan_schema__release(&schema);
            }
        }
    }
}

static void test_constant__takes_no_more_than_a_dictionary(void **state) {
    (void)state;
    lochan_error err;
    const lochan_pq_column_encoding forced = {"x", LOCHAN_PQ_RLE_DICTIONARY};
    for (size_t f = 0; f < LOCHAN_COUNTOF(formats); f++) {
        for (size_t c = 0; c < LOCHAN_COUNTOF(codecs); c++) {
            struct ArrowSchema schema;
            struct ArrowArray batch;
            lochan_buf ours, theirs;
            make(formats[f], 1000, 0, false, &schema, &batch);
            lochan_pq_write_options o = {.codec = codecs[c], .codec_set = true}, dictionary = o;
            dictionary.encodings = &forced;
            dictionary.n_encodings = 1;
            assert_ok(pq_write(NULL, &schema, &batch, 0, &o, &ours, NULL, &err));
            assert_ok(pq_write(NULL, &schema, &batch, 0, &dictionary, &theirs, NULL, &err));
            assert_true(ours.len <= theirs.len);
            lochan_buf__deinit(&ours);
            lochan_buf__deinit(&theirs);
            lochan_array__release(&batch);
            lochan_schema__release(&schema);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_constant__comes_back_and_other_values_after_it),
        cmocka_unit_test(test_constant__takes_no_more_than_a_dictionary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
