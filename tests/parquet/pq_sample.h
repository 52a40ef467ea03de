/* pq_sample.h - what the tests of parquet/ share: batches of every type Parquet holds, files in
 * memory, rows as text. Invariant: expected values come from the Arrow batch that was written,
 * never from the file.
 */
#ifndef TEST_PARQUET_PQ_SAMPLE_H
#define TEST_PARQUET_PQ_SAMPLE_H

#include "arrow/sample.h"
#include "support/clock_fake.h"

#include "parquet/reader.h"
#include "parquet/writer.h"

/* Types that come back as the same text (seconds and milliseconds of date64 are tested on their
 * own). */
static const char *const pq_formats[] = {
    "n",  "b",   "c",     "C",      "s",      "S",           "i",       "I",    "l",       "L", "e",
    "f",  "g",   "d:7,2", "d:17,3", "d:20,4", "d:50,10,256", "u",       "U",    "vu",      "z", "Z",
    "vz", "w:3", "tdD",   "ttm",    "ttu",    "ttn",         "tsm:UTC", "tsu:", "tsn:UTC",
};
enum { PQ_FLAT = sizeof pq_formats / sizeof pq_formats[0] };

static inline void pq_schema(struct ArrowSchema *out, bool nested) {
    lochan_error err;
    assert_ok(lochan_schema__init_struct(out, PQ_FLAT + (nested ? SAMPLE_NESTED : 0), &err));
    for (int i = 0; i < PQ_FLAT; i++)
        assert_ok(sample_field(out->children[i], pq_formats[i], pq_formats[i], 0, &err));
    if (nested)
        assert_ok(sample_nested(out->children + PQ_FLAT, &err));
}

/* A schema of one column "x". */
static inline void pq_schema_one(struct ArrowSchema *out, const char *format, bool nullable) {
    lochan_error err;
    lochan_type type = sample_type(format);
    assert_ok(lochan_schema__init_struct(out, 1, &err));
    assert_ok(lochan_schema__set_field(out->children[0], "x", &type, nullable, &err));
}

/* Writes `batch` in pieces of `step` rows (0 = whole) into a new buffer. */
static inline lochan_status pq_write(const lochan_ctx *ctx, const struct ArrowSchema *schema,
                                     const struct ArrowArray *batch, int64_t step,
                                     const lochan_pq_write_options *o, lochan_buf *out,
                                     lochan_pq_summary *summary, lochan_error *err) {
    lochan_pq_writer *w = NULL;
    lochan_status rc;
    lochan_buf__init(out, (size_t)1 << 30);
    lochan_pq_sink sink = lochan_pq_sink__of_buf(out);
    LOCHAN_TRYG(lochan_pq_writer__open(ctx, &sink, schema, o, &w, err));
    step = step ? step : batch->length ? batch->length : 1;
    for (int64_t at = 0; at < batch->length; at += step) {
        struct ArrowArray piece = *batch; /* a borrowed slice, never released */
        piece.offset += at;
        piece.length = batch->length - at < step ? batch->length - at : step;
        LOCHAN_TRYG(lochan_pq_writer__write_batch(w, &piece, err));
    }
    LOCHAN_TRYG(lochan_pq_writer__close(w, summary, err));
done:
    lochan_pq_writer__free(w);
    return rc;
}

static inline lochan_status pq_open(const lochan_ctx *ctx, const lochan_buf *file,
                                    const lochan_pq_read_options *o, lochan_pq_reader **out,
                                    lochan_error *err) {
    lochan_pq_source source = {.data = file->data, .size = file->len, .name = "test.parquet"};
    return lochan_pq_reader__open(ctx, &source, o, out, err);
}

/* Appends every row of a batch as a line of JSON. */
static inline void pq_print(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                            lochan_buf *out) {
    lochan_error err;
    lochan_view view;
    assert_ok(lochan_view__init(&view, schema, batch, &err));
    for (int64_t i = 0; i < batch->length; i++) {
        assert_ok(lochan_view__json(&view, i, out, &err));
        assert_ok(lochan_buf__putc(out, '\n', &err));
    }
    lochan_view__deinit(&view);
}

/* Reads a stream to its end; rows as lines in *out. Every batch is checked as if it came from
 * outside. */
static inline lochan_status pq_read(lochan_pq_reader *r, const lochan_pq_scan *scan,
                                    lochan_buf *out, lochan_error *err) {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_status rc;
    LOCHAN_TRY(lochan_pq_reader__stream(r, scan, &stream, err));
    LOCHAN_TRYG(lochan_stream__schema(&stream, &schema, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
        if (!batch.release)
            break;
        lochan_error inner;
        if (lochan_array__check(&schema, &batch, &inner) != LOCHAN_OK)
            fail_msg("an array came out wrong: %s", inner.message);
        pq_print(&schema, &batch, out);
        lochan_array__release(&batch);
    }
done:
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_stream__release(&stream);
    return rc;
}

/* Fails at the first line in which the two texts differ. */
static inline void assert_same_lines(const lochan_buf *got, const lochan_buf *want) {
    if (got->len == want->len && (got->len == 0 || memcmp(got->data, want->data, got->len) == 0))
        return;
    const char *g = got->data ? (const char *)got->data : "",
               *w = want->data ? (const char *)want->data : "";
    for (int line = 0;; line++) {
        size_t gn = strcspn(g, "\n"), wn = strcspn(w, "\n");
        if (gn != wn || memcmp(g, w, gn) != 0 || gn == 0)
            fail_msg("row %d: got %.*s, expected %.*s", line, (int)gn, g, (int)wn, w);
        g += gn + 1;
        w += wn + 1;
    }
}

/* Writes, reads back and compares all rows. */
static inline void pq_round_trip(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                 int64_t step, const lochan_pq_write_options *o,
                                 const lochan_pq_read_options *ro, const lochan_pq_scan *scan) {
    lochan_error err;
    lochan_buf file, got, want;
    lochan_pq_reader *r;
    lochan_buf__init(&got, (size_t)1 << 30);
    lochan_buf__init(&want, (size_t)1 << 30);
    assert_ok(pq_write(NULL, schema, batch, step, o, &file, NULL, &err));
    assert_ok(pq_open(NULL, &file, ro, &r, &err));
    assert_int_equal(lochan_pq_reader__rows(r), batch->length);
    assert_ok(pq_read(r, scan, &got, &err));
    pq_print(schema, batch, &want);
    assert_same_lines(&got, &want);
    lochan_pq_reader__close(r);
    lochan_buf__deinit(&got);
    lochan_buf__deinit(&want);
    lochan_buf__deinit(&file);
}

#endif
