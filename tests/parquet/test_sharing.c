/* test_sharing.c - views that show pages and dictionaries instead of copies, dictionaries that
 * batches share, mapped files: the same rows, from memory that lives as long as it is needed. */
#include "parquet/pq_sample.h"
#include "support/tmpdir.h"

#include "base/fs.h"
#include "parquet/metadata.h"
#include <lochan/parquet.h>

enum { ROWS = 3000, BATCH = 500, WORDS = 20 };

static int make_text(char *dst, size_t size, int64_t r, bool repeated) {
    return snprintf(dst, size, "a text that no view holds by itself: %lld",
                    (long long)(repeated ? r % WORDS : r * 7919));
}

/* One nullable column of strings: repeated ones in dictionary pages, others in plain ones. */
static void text_file(bool repeated, const lochan_pq_write_options *base, lochan_buf *file) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_builder *b;
    const lochan_pq_column_encoding encoding = {"x", repeated ? LOCHAN_PQ_RLE_DICTIONARY
                                                              : LOCHAN_PQ_PLAIN};
    pq_schema_one(&schema, "u", true);
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int64_t r = 0; r < ROWS; r++) {
        char text[80];
        int n = make_text(text, sizeof text, r, repeated);
        lochan_builder *x = lochan_builder__child(b, 0);
        assert_ok(r % 50 == 3 ? lochan_builder__null(x, &err)
                              : lochan_builder__bytes_value(x, text, (size_t)n, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &batch, &err));
    lochan_pq_write_options o = *base;
    o.encodings = &encoding;
    o.n_encodings = 1;
    o.row_group_rows = ROWS;
    o.page_rows = 2 * BATCH;
    assert_ok(pq_write(NULL, &schema, &batch, 0, &o, file, NULL, &err));
    lochan_builder__free(b);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

/* All batches of BATCH rows; the reader and the stream are gone before they are looked at. */
static void read_batches(const lochan_buf *file, lochan_pq_strings strings,
                         struct ArrowSchema *schema, struct ArrowArray batches[ROWS / BATCH]) {
    lochan_error err;
    lochan_pq_reader *r;
    struct ArrowArrayStream stream;
    const lochan_pq_read_options o = {.strings = strings};
    assert_ok(pq_open(NULL, file, &o, &r, &err));
    assert_ok(lochan_pq_reader__stream(r, &(lochan_pq_scan){.batch_rows = BATCH}, &stream, &err));
    lochan_pq_reader__close(r);
    assert_ok(lochan_stream__schema(&stream, schema, &err));
    for (int i = 0; i < ROWS / BATCH; i++) {
        assert_ok(lochan_stream__next(&stream, &batches[i], &err));
        assert_int_equal(batches[i].length, BATCH);
        assert_ok(lochan_array__check(schema, &batches[i], &err));
    }
    lochan_stream__release(&stream);
}

static void check_values(const struct ArrowSchema *schema, const struct ArrowArray *batches,
                         bool repeated) {
    lochan_error err;
    for (int64_t r = 0; r < ROWS; r++) {
        char text[80];
        lochan_view view;
        (void)make_text(text, sizeof text, r, repeated);
        assert_ok(
            lochan_view__init(&view, schema->children[0], batches[r / BATCH].children[0], &err));
        if (r % 50 == 3) {
            assert_true(lochan_view__is_null(&view, r % BATCH));
        } else {
            lochan_str got = lochan_view__bytes(&view, r % BATCH);
            assert_true(lochan_str__eq(got, lochan_str__of(text)));
        }
        lochan_view__deinit(&view);
    }
}

static const void *data_buffer(const struct ArrowArray *batch, int64_t i) {
    assert_true(batch->children[0]->n_buffers > 3 + i);
    return batch->children[0]->buffers[2 + i];
}

static void release_all(struct ArrowSchema *schema, struct ArrowArray *batches) {
    lochan_schema__release(schema);
    for (int i = 0; i < ROWS / BATCH; i++)
        lochan_array__release(&batches[i]);
}

static void test_sharing__views_show_the_dictionary_page(void **state) {
    struct ArrowSchema schema;
    struct ArrowArray batches[ROWS / BATCH];
    lochan_buf file;
    (void)state;
    text_file(true, &(lochan_pq_write_options){0}, &file);
    read_batches(&file, LOCHAN_PQ_STRINGS_VIEW, &schema, batches);
    lochan_buf__deinit(&file);
    check_values(&schema, batches, true);
    for (int i = 0; i < ROWS / BATCH; i++) {
        assert_int_equal(batches[i].children[0]->n_buffers, 4);
        assert_ptr_equal(data_buffer(&batches[i], 0), data_buffer(&batches[0], 0));
    }
    release_all(&schema, batches);
}

/* Two batches of a page show the same memory, whatever its codec. */
static void check_plain(const lochan_pq_write_options *o) {
    struct ArrowSchema schema;
    struct ArrowArray batches[ROWS / BATCH];
    lochan_buf file;
    text_file(false, o, &file);
    read_batches(&file, LOCHAN_PQ_STRINGS_VIEW, &schema, batches);
    lochan_buf__deinit(&file);
    check_values(&schema, batches, false);
    for (int i = 0; i < ROWS / BATCH; i += 2) {
        assert_int_equal(batches[i].children[0]->n_buffers, 4);
        assert_ptr_equal(data_buffer(&batches[i], 0), data_buffer(&batches[i + 1], 0));
        assert_ptr_not_equal(data_buffer(&batches[i], 0),
                             data_buffer(&batches[(i + 2) % (ROWS / BATCH)], 0));
    }
    release_all(&schema, batches);
}

static void test_sharing__views_show_plain_pages(void **state) {
    (void)state;
    check_plain(&(lochan_pq_write_options){0});
    check_plain(&(lochan_pq_write_options){.page_v2 = true});
    check_plain(&(lochan_pq_write_options){.codec = LOCHAN_PQ_UNCOMPRESSED, .codec_set = true});
}

static void test_sharing__batches_share_their_dictionary(void **state) {
    struct ArrowSchema schema;
    struct ArrowArray batches[ROWS / BATCH];
    lochan_buf file;
    (void)state;
    text_file(true, &(lochan_pq_write_options){0}, &file);
    read_batches(&file, LOCHAN_PQ_STRINGS_DICTIONARY, &schema, batches);
    lochan_buf__deinit(&file);
    check_values(&schema, batches, true);
    for (int i = 0; i < ROWS / BATCH; i++) {
        const struct ArrowArray *d = batches[i].children[0]->dictionary;
        assert_int_equal(d->length, WORDS);
        assert_ptr_equal(d->buffers[2], batches[0].children[0]->dictionary->buffers[2]);
    }
    release_all(&schema, batches);
}

/* A row picked out of a page does not keep the page. */
static void test_sharing__picked_rows_are_copies(void **state) {
    lochan_error err;
    struct ArrowArrayStream stream;
    struct ArrowArray a, b;
    lochan_expr *e;
    lochan_pq_reader *r;
    lochan_buf file;
    const lochan_pq_read_options o = {.strings = LOCHAN_PQ_STRINGS_VIEW};
    (void)state;
    text_file(false, &(lochan_pq_write_options){0}, &file);
    assert_ok(pq_open(NULL, &file, &o, &r, &err));
    assert_ok(lochan_expr__parse("x = 'a text that no view holds by itself: 791900'", &e, &err));
    assert_ok(lochan_pq_reader__bind(r, e, &err));
    assert_ok(lochan_pq_reader__stream(r, &(lochan_pq_scan){.predicate = e}, &stream, &err));
    assert_ok(lochan_stream__next(&stream, &a, &err));
    assert_int_equal(a.length, 1);
    const int64_t *sizes = a.children[0]->buffers[a.children[0]->n_buffers - 1];
    for (int64_t i = 0; i < a.children[0]->n_buffers - 3; i++)
        assert_true(sizes[i] < 1000);
    assert_ok(lochan_stream__next(&stream, &b, &err));
    assert_null(b.release);
    lochan_array__release(&a);
    lochan_stream__release(&stream);
    lochan_expr__free(e);
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&file);
}

/* ---- mapped files ---- */

static int64_t count_rows(lochan_parquet_reader *r, lochan_status *rc, lochan_error *err) {
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    int64_t rows = 0;
    *rc = lochan_parquet_reader_stream(r, NULL, &stream, err);
    while (*rc == LOCHAN_OK && (*rc = lochan_stream__next(&stream, &batch, err)) == LOCHAN_OK &&
           batch.release) {
        rows += batch.length;
        batch.release(&batch);
    }
    lochan_stream__release(&stream);
    return rows;
}

static void test_sharing__a_mapped_file_is_read(void **state) {
    lochan_parquet_read_options o = LOCHAN_PARQUET_READ_OPTIONS_INIT;
    lochan_parquet_counters mapped = LOCHAN_PARQUET_COUNTERS_INIT;
    lochan_parquet_reader *r;
    lochan_status rc;
    lochan_error err;
    lochan_buf file;
    (void)state;
    char *dir = tmpdir_make("sharing");
    const char *path = tmpdir_path(dir, "x.parquet");
    text_file(false, &(lochan_pq_write_options){0}, &file);
    tmpdir_write(path, file.data, file.len);
    o.map = true;
    assert_ok(lochan_parquet_reader_open(path, &o, &r, &err));
    assert_int_equal(count_rows(r, &rc, &err), ROWS);
    assert_ok(rc);
    assert_ok(lochan_parquet_reader_counters(r, &mapped, &err));
    assert_true(mapped.bytes_read < file.len / 2); /* the footer only */
    /* a file cut off is noticed before it is touched */
    tmpdir_write(path, file.data, file.len / 2);
    assert_int_equal(count_rows(r, &rc, &err), 0);
    assert_status(rc, LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, "shrank"));
    lochan_parquet_reader_close(r);
    lochan_buf__deinit(&file);
    tmpdir_remove(dir);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sharing__views_show_the_dictionary_page),
        cmocka_unit_test(test_sharing__views_show_plain_pages),
        cmocka_unit_test(test_sharing__batches_share_their_dictionary),
        cmocka_unit_test(test_sharing__picked_rows_are_copies),
        cmocka_unit_test(test_sharing__a_mapped_file_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
