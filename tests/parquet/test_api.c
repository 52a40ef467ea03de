/* test_api.c - the public reader and writer of <lochan/parquet.h>. */
#include "arrow/builder.h"
#include "arrow/view.h"
#include "base/fs.h"
#include "base/str.h"
#include "support/cmocka_all.h"
#include "support/fault.h"
#include "support/tmpdir.h"

#include <lochan/parquet.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000 };

typedef struct api_env {
    char *dir;
    char path[256];
} api_env;

/* id 0, 1, ...; name "n0".."n9", null where id % 7 is 3; price id / 2. */
static void make_schema(struct ArrowSchema *schema) {
    lochan_error err;
    static const char *const names[] = {"id", "name", "price"}, *const types[] = {"int64", "string",
                                                                                  "float64"};
    assert_ok(lochan_schema__init_struct(schema, 3, &err));
    for (int i = 0; i < 3; i++) {
        lochan_type type;
        assert_ok(lochan_type__from_name(types[i], &type, &err));
        assert_ok(lochan_schema__set_field(schema->children[i], names[i], &type, i == 1, &err));
    }
}

static void make_batch(const struct ArrowSchema *schema, int64_t first, int64_t n,
                       struct ArrowArray *out) {
    lochan_error err;
    lochan_builder *b = NULL;
    assert_ok(lochan_builder__create(schema, &b, &err));
    for (int64_t i = first; i < first + n; i++) {
        char name[16];
        (void)lochan_format(name, sizeof name, "n%d", (int)(i % 10));
        assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), i, &err));
        if (i % 7 == 3)
            assert_ok(lochan_builder__null(lochan_builder__child(b, 1), &err));
        else
            assert_ok(lochan_builder__str(lochan_builder__child(b, 1), lochan_str__of(name), &err));
        assert_ok(lochan_builder__double(lochan_builder__child(b, 2), (double)i / 2, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, out, &err));
    lochan_builder__free(b);
}

static void make_stream(int64_t batches, int64_t rows, struct ArrowArrayStream *out) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray list[8];
    make_schema(&schema);
    for (int64_t i = 0; i < batches; i++)
        make_batch(&schema, i * rows, rows, &list[i]);
    assert_ok(lochan_stream__of_batches(&schema, list, (size_t)batches, out, &err));
}

/* 1000 rows in four row groups. */
static void write_sample(const char *path) {
    lochan_error err;
    struct ArrowArrayStream stream;
    int64_t rows;
    lochan_parquet_pair pair = {"made by", "a test"};
    lochan_parquet_sorting sorting = {"id", false, false};
    lochan_parquet_write_options o = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    o.row_group_rows = ROWS / 4;
    o.metadata = &pair;
    o.n_metadata = 1;
    o.sorting = &sorting;
    o.n_sorting = 1;
    o.overwrite = true;
    make_stream(2, ROWS / 2, &stream);
    assert_ok(lochan_parquet_write(&stream, path, &o, &rows, &err));
    assert_int_equal(rows, ROWS);
    lochan_stream__release(&stream);
}

static int setup(void **state) {
    api_env *env = calloc(1, sizeof *env);
    env->dir = tmpdir_make("api");
    strcpy(env->path, tmpdir_path(env->dir, "a.parquet"));
    write_sample(env->path);
    *state = env;
    return 0;
}

static int teardown(void **state) {
    api_env *env = *state;
    tmpdir_remove(env->dir);
    free(env);
    return 0;
}

static lochan_parquet_reader *open_sample(const api_env *env) {
    lochan_error err;
    lochan_parquet_reader *reader = NULL;
    assert_ok(lochan_parquet_reader_open(env->path, NULL, &reader, &err));
    return reader;
}

/* Sum of the ids and number of rows of a stream, which is released. */
static int64_t drain(struct ArrowArrayStream *stream, int64_t *sum) {
    lochan_error err;
    struct ArrowSchema schema;
    int64_t rows = 0;
    *sum = 0;
    assert_ok(lochan_stream_get_schema(stream, &schema, &err));
    int id = lochan_schema__find(&schema, "id");
    for (;;) {
        struct ArrowArray batch;
        lochan_view view;
        assert_ok(lochan_stream_get_next(stream, &batch, &err));
        if (!batch.release)
            break;
        assert_ok(lochan_array__check(&schema, &batch, &err));
        rows += batch.length;
        if (id >= 0) {
            assert_ok(lochan_view__init(&view, schema.children[id], batch.children[id], &err));
            for (int64_t i = 0; i < batch.length; i++)
                *sum += lochan_view__int64(&view, i);
            lochan_view__deinit(&view);
        }
        batch.release(&batch);
    }
    lochan_schema__release(&schema);
    stream->release(stream);
    return rows;
}

/* A list as lines of text: the named columns separated by blanks, null as "-". */
static void list_text(struct ArrowArrayStream *stream, const char *const *columns, size_t n,
                      lochan_buf *out) {
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_buf__clear(out);
    assert_ok(lochan_buf__reserve(out, 1, &err)); /* no rows: an empty text */
    assert_ok(lochan_stream_get_schema(stream, &schema, &err));
    for (;;) {
        assert_ok(lochan_stream_get_next(stream, &batch, &err));
        if (!batch.release)
            break;
        for (int64_t row = 0; row < batch.length; row++) {
            for (size_t i = 0; i < n; i++) {
                lochan_view view;
                int c = lochan_schema__find(&schema, columns[i]);
                assert_true(c >= 0);
                assert_ok(lochan_view__init(&view, schema.children[c], batch.children[c], &err));
                if (lochan_view__is_null(&view, row))
                    assert_ok(lochan_buf__puts(out, "-", &err));
                else
                    assert_ok(lochan_view__print(&view, row, out, &err));
                assert_ok(lochan_buf__putc(out, i + 1 < n ? ' ' : '\n', &err));
                lochan_view__deinit(&view);
            }
        }
        batch.release(&batch);
    }
    schema.release(&schema);
    stream->release(stream);
}

/* ---- reading ---- */

static void test_api__facts_of_the_footer(void **state) {
    lochan_error err;
    lochan_parquet_reader *reader = open_sample(*state);
    lochan_parquet_info info = LOCHAN_PARQUET_INFO_INIT;
    struct ArrowSchema schema;
    const char *key, *value;
    assert_ok(lochan_parquet_reader_info(reader, &info, &err));
    assert_int_equal(info.rows, ROWS);
    assert_int_equal(info.row_groups, 4);
    assert_int_equal(info.columns, 3);
    assert_int_equal(info.leaf_columns, 3);
    assert_true(info.file_bytes > info.footer_bytes && info.footer_bytes > 0);
    assert_non_null(strstr(info.created_by, "lochan"));
    assert_string_equal(lochan_parquet_reader_metadata(reader, "made by"), "a test");
    assert_null(lochan_parquet_reader_metadata(reader, "nothing"));
    assert_true(lochan_parquet_reader_metadata_at(reader, 0, &key, &value));
    assert_string_equal(key, "made by");
    assert_false(
        lochan_parquet_reader_metadata_at(reader, (size_t)info.metadata_pairs, &key, &value));
    assert_ok(lochan_parquet_reader_schema(reader, &schema, &err));
    lochan_parquet_reader_close(reader);
    assert_string_equal(schema.children[1]->name, "name"); /* a copy */
    schema.release(&schema);
}

/* A caller compiled against a shorter struct gets no byte past its end. */
static void test_api__struct_sizes_are_kept(void **state) {
    lochan_error err;
    lochan_parquet_reader *reader = open_sample(*state);
    lochan_parquet_info info;
    memset(&info, 0x5a, sizeof info);
    info.struct_size = offsetof(lochan_parquet_info, row_groups);
    assert_ok(lochan_parquet_reader_info(reader, &info, &err));
    assert_int_equal(info.rows, ROWS);
    assert_int_equal(info.row_groups, 0x5a5a5a5a);
    info.struct_size = 0;
    assert_status(lochan_parquet_reader_info(reader, &info, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
    struct ArrowArrayStream stream;
    scan.reserved[3] = 1;
    assert_status(lochan_parquet_reader_stream(reader, &scan, &stream, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    scan = (lochan_parquet_scan){0};
    assert_status(lochan_parquet_reader_stream(reader, &scan, &stream, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "struct_size"));
    assert_null(stream.release);
    lochan_parquet_reader_close(reader);
}

static void test_api__columns_where_limit_row_groups(void **state) {
    lochan_error err;
    lochan_parquet_reader *reader = open_sample(*state);
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    int64_t sum;
    static const char *const columns[] = {"price", "id"};
    static const int32_t groups[] = {1, 3};
    lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
    assert_ok(lochan_parquet_reader_stream(reader, NULL, &stream, &err));
    assert_int_equal(drain(&stream, &sum), ROWS);
    assert_int_equal(sum, ROWS * (ROWS - 1) / 2);
    scan.columns = columns;
    scan.n_columns = 2;
    scan.batch_rows = 7;
    assert_ok(lochan_parquet_reader_stream(reader, &scan, &stream, &err));
    assert_ok(lochan_stream_get_schema(&stream, &schema, &err));
    assert_int_equal(schema.n_children, 2);
    assert_string_equal(schema.children[0]->name, "price");
    lochan_schema__release(&schema);
    assert_int_equal(drain(&stream, &sum), ROWS);
    scan.where =
        "name = 'n4' and id < 30"; /* name is not among the columns; 24 has none: 24 % 7 is 3 */
    assert_ok(lochan_parquet_reader_stream(reader, &scan, &stream, &err));
    assert_int_equal(drain(&stream, &sum), 2);
    assert_int_equal(sum, 4 + 14);
    scan = (lochan_parquet_scan)LOCHAN_PARQUET_SCAN_INIT;
    scan.row_groups = groups;
    scan.n_row_groups = 2;
    scan.limit = ROWS / 4 + 1;
    assert_ok(lochan_parquet_reader_stream(reader, &scan, &stream, &err));
    assert_int_equal(drain(&stream, &sum), ROWS / 4 + 1);
    assert_int_equal(sum, (250 + 499) * 250 / 2 + 750);
    scan = (lochan_parquet_scan)LOCHAN_PARQUET_SCAN_INIT;
    scan.no_columns = true;
    assert_ok(lochan_parquet_reader_stream(reader, &scan, &stream, &err));
    assert_int_equal(drain(&stream, &sum), ROWS);
    lochan_parquet_reader_close(reader);
}

static void test_api__statistics_prune_what_is_read(void **state) {
    lochan_error err;
    lochan_parquet_reader *reader = open_sample(*state);
    struct ArrowArrayStream stream;
    lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
    lochan_parquet_counters before = LOCHAN_PARQUET_COUNTERS_INIT, after = before;
    int64_t sum;
    scan.where = "id = 600";
    assert_ok(lochan_parquet_reader_counters(reader, &before, &err));
    assert_ok(lochan_parquet_reader_stream(reader, &scan, &stream, &err));
    assert_int_equal(drain(&stream, &sum), 1);
    assert_int_equal(sum, 600);
    assert_ok(lochan_parquet_reader_counters(reader, &after, &err));
    assert_int_equal(after.row_groups_pruned - before.row_groups_pruned, 3);
    assert_int_equal(after.row_groups_read - before.row_groups_read, 1);
    assert_true(after.bytes_read > before.bytes_read);
    lochan_parquet_reader_close(reader);
}

static void test_api__wrong_scans_are_told(void **state) {
    lochan_error err;
    lochan_parquet_reader *reader = open_sample(*state);
    struct ArrowArrayStream stream;
    static const char *const unknown[] = {"pric"}, *const twice[] = {"id", "id"};
    static const int32_t far[] = {4}, unordered[] = {2, 1};
    lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
    scan.columns = unknown;
    scan.n_columns = 1;
    assert_status(lochan_parquet_reader_stream(reader, &scan, &stream, &err), LOCHAN_ERR_NOT_FOUND);
    assert_non_null(strstr(err.hint, "price"));
    assert_string_equal(err.column, "pric");
    scan.columns = twice;
    scan.n_columns = 2;
    assert_status(lochan_parquet_reader_stream(reader, &scan, &stream, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    scan = (lochan_parquet_scan)LOCHAN_PARQUET_SCAN_INIT;
    scan.where = "price >";
    assert_true(lochan_parquet_reader_stream(reader, &scan, &stream, &err) != LOCHAN_OK);
    scan.where = "colour = 3";
    assert_true(lochan_parquet_reader_stream(reader, &scan, &stream, &err) != LOCHAN_OK);
    assert_non_null(strstr(err.message, "colour"));
    scan.where = NULL;
    scan.row_groups = far;
    scan.n_row_groups = 1;
    assert_status(lochan_parquet_reader_stream(reader, &scan, &stream, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    scan.row_groups = unordered;
    scan.n_row_groups = 2;
    assert_status(lochan_parquet_reader_stream(reader, &scan, &stream, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(stream.release);
    lochan_parquet_reader_close(reader);
}

static void test_api__a_stream_outlives_its_reader(void **state) {
    lochan_error err;
    const api_env *env = *state;
    lochan_parquet_reader *reader = open_sample(env);
    struct ArrowArrayStream stream;
    int64_t sum;
    char where[] = "id >= 0"; /* copied */
    lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
    scan.where = where;
    assert_ok(lochan_parquet_reader_stream(reader, &scan, &stream, &err));
    memset(where, 'x', sizeof where - 1);
    lochan_parquet_reader_close(reader);
    tmpdir_unlink(env->path);
    assert_int_equal(drain(&stream, &sum), ROWS);
}

static void test_api__cancel_stops_streams(void **state) {
    lochan_error err;
    lochan_parquet_reader *reader = open_sample(*state);
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    int64_t sum;
    assert_ok(lochan_parquet_reader_stream(reader, NULL, &stream, &err));
    lochan_parquet_reader_cancel(reader);
    assert_status(lochan_stream_get_next(&stream, &batch, &err), LOCHAN_ERR_CANCELLED);
    stream.release(&stream);
    lochan_parquet_reader_resume(reader);
    assert_ok(lochan_parquet_reader_stream(reader, NULL, &stream, &err));
    assert_int_equal(drain(&stream, &sum), ROWS);
    lochan_parquet_reader_close(reader);
}

/* ---- other places than files ---- */

typedef struct bytes_source {
    char *data;
    size_t size;
    int closed;
    int fail_after; /* reads that succeed, -1 = all */
    bool mute;      /* fails without a message */
} bytes_source;

static lochan_status read_bytes(void *self, uint64_t offset, size_t n, void *dst,
                                lochan_error *err) {
    bytes_source *s = self;
    if (s->fail_after == 0) {
        if (!s->mute) {
            strcpy(err->message, "the bucket is gone");
            err->http_status = 404;
        }
        return LOCHAN_ERR_NETWORK;
    }
    s->fail_after -= s->fail_after > 0;
    assert_true(offset + n <= s->size);
    memcpy(dst, s->data + offset, n);
    return LOCHAN_OK;
}

static void close_bytes(void *self) {
    ((bytes_source *)self)->closed++;
}

static void test_api__reads_through_a_callback(void **state) {
    lochan_error err;
    const api_env *env = *state;
    bytes_source bytes = {.fail_after = -1};
    lochan_parquet_source source = LOCHAN_PARQUET_SOURCE_INIT;
    lochan_parquet_reader *reader = NULL;
    lochan_parquet_read_options o = LOCHAN_PARQUET_READ_OPTIONS_INIT;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    int64_t sum;
    bytes.data = tmpdir_read(env->path, &bytes.size);
    source.read = read_bytes;
    source.close = close_bytes;
    source.self = &bytes;
    source.size = bytes.size;
    o.threads = 1;
    o.name = "bucket/a";
    assert_ok(lochan_parquet_reader_open_source(&source, &o, &reader, &err));
    assert_ok(lochan_parquet_reader_stream(reader, NULL, &stream, &err));
    assert_int_equal(drain(&stream, &sum), ROWS);
    assert_int_equal(sum, ROWS * (ROWS - 1) / 2);
    assert_ok(lochan_parquet_reader_stream(reader, NULL, &stream, &err));
    lochan_parquet_reader_close(reader);
    assert_int_equal(bytes.closed, 0);
    bytes.fail_after = 0;
    assert_status(lochan_stream_get_next(&stream, &batch, &err), LOCHAN_ERR_NETWORK);
    assert_non_null(strstr(err.message, "the bucket is gone"));
    assert_int_equal(err.http_status, 404);
    assert_string_equal(err.file, "bucket/a");
    stream.release(&stream);
    assert_int_equal(bytes.closed, 1);
    bytes.mute = true;
    assert_status(lochan_parquet_reader_open_source(&source, &o, &reader, &err),
                  LOCHAN_ERR_NETWORK);
    assert_true(strlen(err.message) > 0);
    assert_int_equal(bytes.closed, 2);
    assert_null(reader);
    free(bytes.data);
}

static void test_api__reads_from_memory(void **state) {
    lochan_error err;
    const api_env *env = *state;
    size_t size;
    char *data = tmpdir_read(env->path, &size);
    lochan_parquet_reader *reader = NULL;
    struct ArrowArrayStream stream;
    int64_t sum;
    assert_ok(lochan_parquet_reader_open_memory(data, size, NULL, &reader, &err));
    assert_ok(lochan_parquet_reader_stream(reader, NULL, &stream, &err));
    lochan_parquet_reader_close(reader);
    assert_int_equal(drain(&stream, &sum), ROWS);
    for (size_t n = 0; n < size; n += 1 + size / 200) {
        assert_status(lochan_parquet_reader_open_memory(data, n, NULL, &reader, &err),
                      LOCHAN_ERR_CORRUPT);
        assert_null(reader);
    }
    free(data);
}

static lochan_status collect(void *self, const void *data, size_t n, lochan_error *err) {
    return lochan_buf__append(self, data, n, err);
}

static lochan_status refuse(void *self, const void *data, size_t n, lochan_error *err) {
    (void)self, (void)data, (void)n, (void)err;
    return LOCHAN_ERR_NO_SPACE;
}

/* The same bytes as in the file of the sample, whatever the batches and the number of threads. */
static void test_api__writes_to_a_callback(void **state) {
    lochan_error err;
    const api_env *env = *state;
    lochan_buf buf;
    size_t size;
    char *expected = tmpdir_read(env->path, &size);
    lochan_parquet_sink sink = LOCHAN_PARQUET_SINK_INIT;
    lochan_parquet_writer *writer = NULL;
    lochan_parquet_sorting sorting = {"id", false, false};
    lochan_parquet_write_options o = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    o.row_group_rows = ROWS / 4;
    o.sorting = &sorting;
    o.n_sorting = 1;
    o.threads = 1;
    lochan_buf__init(&buf, 1 << 20);
    sink.write = collect;
    sink.self = &buf;
    make_schema(&schema);
    assert_ok(lochan_parquet_writer_open_sink(&sink, &schema, &o, &writer, &err));
    for (int i = 0; i < 10; i++) {
        make_batch(&schema, i * 100, 100, &batch);
        assert_ok(lochan_parquet_writer_write_batch(writer, &batch, &err));
        batch.release(&batch);
    }
    assert_int_equal(lochan_parquet_writer_rows(writer), ROWS);
    assert_true(lochan_parquet_writer_bytes(writer) > 0);
    assert_ok(lochan_parquet_writer_set_metadata(writer, "made by", "another", &err));
    assert_ok(lochan_parquet_writer_set_metadata(writer, "made by", "a test", &err));
    assert_ok(lochan_parquet_writer_close(writer, &err));
    assert_status(lochan_parquet_writer_close(writer, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_parquet_writer_free(writer);
    assert_int_equal(buf.len, size);
    assert_memory_equal(buf.data, expected, size);
    lochan_buf__deinit(&buf);
    sink.write = refuse;
    assert_status(lochan_parquet_writer_open_sink(&sink, &schema, NULL, &writer, &err),
                  LOCHAN_ERR_NO_SPACE);
    assert_null(writer);
    lochan_schema__release(&schema);
    free(expected);
}

/* ---- writing ---- */

static void test_api__a_file_appears_only_whole(void **state) {
    lochan_error err;
    const api_env *env = *state;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    lochan_parquet_writer *writer = NULL;
    const char *fresh = tmpdir_path(env->dir, "b.parquet");
    size_t before, after;
    char *old = tmpdir_read(env->path, &before);
    make_stream(1, 10, &stream);
    assert_status(lochan_parquet_write(&stream, env->path, NULL, NULL, &err), LOCHAN_ERR_EXISTS);
    assert_string_equal(err.file, env->path);
    lochan_stream__release(&stream);
    char *now = tmpdir_read(env->path, &after);
    assert_int_equal(before, after);
    free(old);
    free(now);
    make_schema(&schema);
    assert_ok(lochan_parquet_writer_open(fresh, &schema, NULL, &writer, &err));
    assert_false(tmpdir_exists(fresh));
    /* Somebody else takes the name meanwhile. */
    tmpdir_write(fresh, "mine", 4);
    assert_status(lochan_parquet_writer_close(writer, &err), LOCHAN_ERR_EXISTS);
    lochan_parquet_writer_free(writer);
    tmpdir_unlink(fresh);
    assert_ok(lochan_parquet_writer_open(fresh, &schema, NULL, &writer, &err));
    lochan_parquet_writer_free(writer);
    lochan_schema__release(&schema);
    tmpdir_unlink(env->path);
    /* Nothing is left beside it: the folder can go. */
    assert_int_equal(lochan_fs__rmdir(env->dir, false, &err), LOCHAN_OK);
    tmpdir_mkdir(env->dir);
}

static void test_api__bad_rows_are_refused(void **state) {
    lochan_error err;
    const api_env *env = *state;
    struct ArrowSchema schema, flat = {0};
    struct ArrowArray batch;
    lochan_parquet_writer *writer = NULL;
    lochan_type type;
    const char *path = tmpdir_path(env->dir, "bad.parquet");
    make_schema(&schema);
    make_batch(&schema, 0, 10, &batch);
    assert_ok(lochan_parquet_writer_open(path, &schema, NULL, &writer, &err));
    ((int32_t *)(uintptr_t)batch.children[1]->buffers[1])[4] = -1;
    assert_status(lochan_parquet_writer_write_batch(writer, &batch, &err), LOCHAN_ERR_DATA);
    assert_string_equal(err.column, "name");
    ((int32_t *)(uintptr_t)batch.children[1]->buffers[1])[4] = 1 << 30;
    assert_status(lochan_parquet_writer_write_batch(writer, &batch, &err), LOCHAN_ERR_DATA);
    batch.release(&batch);
    assert_status(lochan_parquet_writer_write_batch(writer, &batch, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_parquet_writer_free(writer);
    assert_false(tmpdir_exists(path));
    /* A null row of a struct has no place in a file. */
    schema.flags |= ARROW_FLAG_NULLABLE;
    make_batch(&schema, 0, 10, &batch);
    uint8_t valid[2] = {0xfb, 0xff};
    const void *buffers[1] = {valid};
    struct ArrowArray lent = batch;
    lent.buffers = buffers;
    lent.null_count = 1;
    assert_ok(lochan_parquet_writer_open(path, &schema, NULL, &writer, &err));
    assert_status(lochan_parquet_writer_write_batch(writer, &lent, &err), LOCHAN_ERR_DATA);
    assert_int_equal(err.row, 2);
    batch.release(&batch);
    lochan_parquet_writer_free(writer);
    lochan_schema__release(&schema);
    assert_ok(lochan_type__from_name("int64", &type, &err));
    assert_ok(lochan_schema__set_field(&flat, "x", &type, true, &err));
    assert_status(lochan_parquet_writer_open(path, &flat, NULL, &writer, &err), LOCHAN_ERR_SCHEMA);
    assert_null(writer);
    lochan_schema__release(&flat);
}

static void expect_refused(const struct ArrowSchema *schema, const lochan_parquet_write_options *o,
                           const char *path, lochan_status expected) {
    lochan_error err;
    lochan_parquet_writer *writer = NULL;
    assert_status(lochan_parquet_writer_open(path, schema, o, &writer, &err), expected);
    assert_null(writer);
    assert_false(tmpdir_exists(path));
}

static void test_api__wrong_options_are_told(void **state) {
    const api_env *env = *state;
    struct ArrowSchema schema;
    const char *path = tmpdir_path(env->dir, "o.parquet");
    lochan_parquet_sorting sorting = {"nothing", false, false};
    lochan_parquet_write_options o = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    make_schema(&schema);
    o.codec = LOCHAN_PARQUET_LZ4;
    expect_refused(&schema, &o, path, LOCHAN_ERR_UNSUPPORTED);
    o = (lochan_parquet_write_options)LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    o.level = 99;
    expect_refused(&schema, &o, path, LOCHAN_ERR_INVALID_ARGUMENT);
    o = (lochan_parquet_write_options)LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    o.row_group_rows = -1;
    expect_refused(&schema, &o, path, LOCHAN_ERR_INVALID_ARGUMENT);
    o = (lochan_parquet_write_options)LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    o.sorting = &sorting;
    o.n_sorting = 1;
    expect_refused(&schema, &o, path, LOCHAN_ERR_NOT_FOUND);
    o = (lochan_parquet_write_options)LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    expect_refused(&schema, &o, tmpdir_path(env->dir, "no/such/folder.parquet"),
                   LOCHAN_ERR_NOT_FOUND);
    lochan_schema__release(&schema);
}

static void test_api__encodings_are_taken(void **state) {
    lochan_error err;
    const api_env *env = *state;
    struct ArrowArrayStream stream;
    lochan_buf text;
    static const char *const shown[] = {"column", "encodings"};
    lochan_parquet_column_encoding wanted[] = {{"id", LOCHAN_PARQUET_DELTA_BINARY_PACKED},
                                               {"name", LOCHAN_PARQUET_ENCODING_AUTO},
                                               {"price", LOCHAN_PARQUET_BYTE_STREAM_SPLIT}};
    lochan_parquet_write_options o = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    o.encodings = wanted;
    o.n_encodings = 3;
    o.overwrite = true;
    o.page_v2 = true;
    make_stream(2, ROWS / 2, &stream);
    assert_ok(lochan_parquet_write(&stream, env->path, &o, NULL, &err));
    lochan_stream__release(&stream);
    lochan_parquet_reader *reader = open_sample(env);
    lochan_buf__init(&text, 1 << 20);
    assert_ok(lochan_parquet_reader_columns(reader, &stream, &err));
    list_text(&stream, shown, 2, &text);
    assert_non_null(strstr((char *)text.data, "id DELTA_BINARY_PACKED"));
    assert_non_null(strstr((char *)text.data, "price BYTE_STREAM_SPLIT"));
    lochan_buf__deinit(&text);
    int64_t sum;
    assert_ok(lochan_parquet_reader_stream(reader, NULL, &stream, &err));
    assert_int_equal(drain(&stream, &sum), ROWS);
    lochan_parquet_reader_close(reader);
    wanted[1] = (lochan_parquet_column_encoding){"nothing", LOCHAN_PARQUET_PLAIN};
    make_stream(1, 1, &stream);
    assert_status(lochan_parquet_write(&stream, env->path, &o, NULL, &err), LOCHAN_ERR_NOT_FOUND);
    wanted[1] = (lochan_parquet_column_encoding){"name", LOCHAN_PARQUET_BYTE_STREAM_SPLIT};
    assert_status(lochan_parquet_write(&stream, env->path, &o, NULL, &err), LOCHAN_ERR_UNSUPPORTED);
    lochan_stream__release(&stream);
}

static void test_api__row_groups_are_copied_as_bytes(void **state) {
    lochan_error err;
    const api_env *env = *state;
    lochan_parquet_reader *reader = open_sample(env), *other = NULL;
    lochan_parquet_writer *writer = NULL;
    struct ArrowSchema schema;
    struct ArrowArrayStream stream;
    int64_t sum;
    const char *path = tmpdir_path(env->dir, "copy.parquet");
    make_schema(&schema);
    assert_ok(lochan_parquet_writer_open(path, &schema, NULL, &writer, &err));
    assert_true(lochan_parquet_writer_can_copy(writer, reader));
    assert_ok(lochan_parquet_writer_copy_row_group(writer, reader, 3, &err));
    assert_ok(lochan_parquet_writer_copy_row_group(writer, reader, 0, &err));
    assert_status(lochan_parquet_writer_copy_row_group(writer, reader, 4, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_ok(lochan_parquet_writer_close(writer, &err));
    assert_false(lochan_parquet_writer_can_copy(writer, reader));
    lochan_parquet_writer_free(writer);
    assert_ok(lochan_parquet_reader_open(path, NULL, &other, &err));
    assert_ok(lochan_parquet_reader_stream(other, NULL, &stream, &err));
    assert_int_equal(drain(&stream, &sum), ROWS / 2);
    assert_int_equal(sum, (750 + 999) * 250 / 2 + 249 * 250 / 2);
    lochan_parquet_reader_close(other);
    lochan_schema__release(schema.children[0]);
    lochan_type type;
    assert_ok(lochan_type__from_name("int32", &type, &err));
    assert_ok(lochan_schema__set_field(schema.children[0], "id", &type, false, &err));
    assert_ok(lochan_parquet_writer_open(tmpdir_path(env->dir, "other.parquet"), &schema, NULL,
                                         &writer, &err));
    assert_false(lochan_parquet_writer_can_copy(writer, reader));
    assert_status(lochan_parquet_writer_copy_row_group(writer, reader, 0, &err),
                  LOCHAN_ERR_UNSUPPORTED);
    assert_true(strlen(err.message) > 0);
    lochan_parquet_writer_free(writer);
    lochan_schema__release(&schema);
    lochan_parquet_reader_close(reader);
}

static void test_api__names_of_codecs_and_encodings(void **state) {
    lochan_error err;
    int32_t n;
    (void)state;
    assert_ok(lochan_parquet_codec_from_name("ZSTD", &n, &err));
    assert_int_equal(n, LOCHAN_PARQUET_ZSTD);
    assert_ok(lochan_parquet_codec_from_name("none", &n, &err));
    assert_int_equal(n, LOCHAN_PARQUET_UNCOMPRESSED);
    assert_status(lochan_parquet_codec_from_name("zst", &n, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.hint, "zstd"));
    assert_ok(lochan_parquet_encoding_from_name("dictionary", &n, &err));
    assert_int_equal(n, LOCHAN_PARQUET_RLE_DICTIONARY);
    assert_ok(lochan_parquet_encoding_from_name("auto", &n, &err));
    assert_int_equal(n, LOCHAN_PARQUET_ENCODING_AUTO);
    assert_status(lochan_parquet_encoding_from_name(NULL, &n, &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

/* ---- lists ---- */

static void test_api__lists(void **state) {
    lochan_error err;
    lochan_parquet_reader *reader = open_sample(*state);
    struct ArrowArrayStream stream;
    lochan_buf text;
    lochan_buf__init(&text, 1 << 20);
    static const char *const of_groups[] = {"row_group", "first_row", "rows", "sorting"};
    static const char *const of_columns[] = {
        "column", "type",   "physical", "logical", "repetition", "max_definition",
        "codecs", "values", "nulls",    "min",     "max"};
    static const char *const of_chunks[] = {"row_group", "column", "codec", "values",
                                            "nulls",     "min",    "max",   "min_exact"};
    assert_ok(lochan_parquet_reader_row_groups(reader, &stream, &err));
    list_text(&stream, of_groups, 4, &text);
    assert_string_equal((char *)text.data,
                        "0 0 250 id\n1 250 250 id\n2 500 250 id\n3 750 250 id\n");
    assert_ok(lochan_parquet_reader_columns(reader, &stream, &err));
    list_text(&stream, of_columns, 11, &text);
    assert_string_equal((char *)text.data,
                        "id int64 INT64 - required 0 zstd 1000 0 0 999\n"
                        "name string BYTE_ARRAY STRING optional 1 zstd 1000 143 n0 n9\n"
                        "price float64 DOUBLE - required 0 zstd 1000 0 -0 499.5\n");
    assert_ok(lochan_parquet_reader_chunks(reader, &stream, &err));
    list_text(&stream, of_chunks, 8, &text);
    assert_non_null(strstr((char *)text.data, "3 id zstd 250 0 750 999 true\n"));
    assert_non_null(strstr((char *)text.data, "0 name zstd 250 36 n0 n9 true\n"));
    lochan_buf__deinit(&text);
    lochan_parquet_reader_close(reader);
}

/* ---- verify ---- */

static void test_api__verify_finds_each_damaged_column(void **state) {
    lochan_error err;
    const api_env *env = *state;
    struct ArrowArrayStream stream;
    lochan_parquet_verify_report report = LOCHAN_PARQUET_VERIFY_REPORT_INIT;
    lochan_buf text;
    size_t size;
    static const char *const columns[] = {"kind", "row_group", "column"};
    lochan_buf__init(&text, 1 << 20);
    assert_ok(lochan_parquet_verify(env->path, NULL, &report, &stream, &err));
    assert_int_equal(report.problems, 0);
    assert_int_equal(report.rows, ROWS);
    assert_int_equal(report.chunks, 12);
    assert_int_equal(report.pages_without_crc, 0);
    assert_true(report.pages >= 12);
    list_text(&stream, columns, 3, &text);
    assert_string_equal((char *)text.data, "");
    /* A byte in the pages of "price" in row group 1 and of "id" in row group 2. */
    lochan_parquet_reader *reader = open_sample(env);
    static const char *const where[] = {"offset", "compressed_bytes"};
    long offset[12], length[12];
    assert_ok(lochan_parquet_reader_chunks(reader, &stream, &err));
    list_text(&stream, where, 2, &text);
    char *p = (char *)text.data;
    for (int i = 0; i < 12; i++) {
        offset[i] = strtol(p, &p, 10);
        length[i] = strtol(p, &p, 10);
    }
    lochan_parquet_reader_close(reader);
    char *data = tmpdir_read(env->path, &size);
    data[offset[5] + length[5] - 1] ^= 1;
    data[offset[6] + length[6] - 1] ^= 1;
    tmpdir_write(env->path, data, size);
    assert_ok(lochan_parquet_verify(env->path, NULL, &report, &stream, &err));
    list_text(&stream, columns, 3, &text);
    assert_string_equal((char *)text.data, "page 1 price\npage 2 id\n");
    assert_int_equal(report.problems, 2);
    assert_int_equal(report.chunks, 10);
    /* A footer that cannot be read is a finding too, a missing file is not. */
    tmpdir_write(env->path, data, size - 1);
    assert_ok(lochan_parquet_verify(env->path, NULL, &report, &stream, &err));
    list_text(&stream, columns, 3, &text);
    assert_string_equal((char *)text.data, "footer - -\n");
    assert_status(
        lochan_parquet_verify(tmpdir_path(env->dir, "none"), NULL, &report, &stream, &err),
        LOCHAN_ERR_NOT_FOUND);
    assert_null(stream.release);
    free(data);
    lochan_buf__deinit(&text);
}

/* ---- faults ---- */

typedef struct sweep {
    const api_env *env;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    char path[256];
} sweep;

static void sweep_prep(void *ctx) {
    sweep *s = ctx;
    make_schema(&s->schema);
    make_batch(&s->schema, 0, 40, &s->batch);
    tmpdir_unlink(s->path);
}

static lochan_status sweep_write(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_parquet_writer *writer = NULL;
    lochan_parquet_write_options o = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    o.threads = 1;
    o.row_group_rows = 25;
    lochan_status rc = lochan_parquet_writer_open(s->path, &s->schema, &o, &writer, err);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_writer_write_batch(writer, &s->batch, err);
    if (rc == LOCHAN_OK)
        rc = lochan_parquet_writer_close(writer, err);
    lochan_parquet_writer_free(writer);
    return rc;
}

static void sweep_check_write(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    s->batch.release(&s->batch);
    lochan_schema__release(&s->schema);
    /* A whole file, or none; the last steps (syncing the folder) may fail after it has its name. */
    if (rc == LOCHAN_OK)
        assert_true(tmpdir_exists(s->path));
    if (tmpdir_exists(s->path)) {
        lochan_error err;
        lochan_parquet_verify_report report = LOCHAN_PARQUET_VERIFY_REPORT_INIT;
        assert_ok(lochan_parquet_verify(s->path, NULL, &report, NULL, &err));
        assert_int_equal(report.rows, 40);
        assert_int_equal(report.problems, 0);
    }
}

static void test_api__faults_while_writing(void **state) {
    sweep s = {.env = *state};
    strcpy(s.path, tmpdir_path(s.env->dir, "s.parquet"));
    fault_sweep(&(fault_case){.name = "write",
                              .prep = sweep_prep,
                              .body = sweep_write,
                              .check = sweep_check_write,
                              .ctx = &s,
                              .kinds = FAULT_ALL,
                              .dense = 60});
}

static lochan_status sweep_read(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_status rc = LOCHAN_OK;
    lochan_parquet_reader *reader = NULL;
    struct ArrowArrayStream stream = {0}, list = {0};
    struct ArrowArray batch = {0};
    lochan_parquet_verify_report report = LOCHAN_PARQUET_VERIFY_REPORT_INIT;
    lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
    static const char *const columns[] = {"price", "name"};
    scan.columns = columns;
    scan.n_columns = 2;
    scan.where = "id > 300";
    scan.limit = 420;
    LOCHAN_TRYG(lochan_parquet_reader_open(s->env->path, NULL, &reader, err));
    LOCHAN_TRYG(lochan_parquet_reader_columns(reader, &list, err));
    LOCHAN_TRYG(lochan_parquet_reader_stream(reader, &scan, &stream, err));
    int64_t rows = 0;
    for (;;) {
        LOCHAN_TRYG(lochan_stream_get_next(&stream, &batch, err));
        if (!batch.release)
            break;
        rows += batch.length;
        lochan_array__release(&batch);
    }
    assert_int_equal(rows, 420);
    /* Faults of the file system become findings of a verification; ours do not. */
    LOCHAN_TRYG(lochan_parquet_reader_verify(reader, &report, NULL, err));
done:
    lochan_array__release(&batch);
    lochan_stream__release(&stream);
    lochan_stream__release(&list);
    lochan_parquet_reader_close(reader);
    return rc;
}

static void test_api__faults_while_reading(void **state) {
    sweep s = {.env = *state};
    fault_sweep(&(fault_case){.name = "read",
                              .body = sweep_read,
                              .ctx = &s,
                              .kinds = FAULT_OOM | FAULT_EIO | FAULT_SHORT | FAULT_EINTR,
                              .dense = 60});
}

int main(void) {
#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_api__facts_of_the_footer),
        CASE(test_api__struct_sizes_are_kept),
        CASE(test_api__columns_where_limit_row_groups),
        CASE(test_api__statistics_prune_what_is_read),
        CASE(test_api__wrong_scans_are_told),
        CASE(test_api__a_stream_outlives_its_reader),
        CASE(test_api__cancel_stops_streams),
        CASE(test_api__reads_through_a_callback),
        CASE(test_api__reads_from_memory),
        CASE(test_api__writes_to_a_callback),
        CASE(test_api__a_file_appears_only_whole),
        CASE(test_api__bad_rows_are_refused),
        CASE(test_api__wrong_options_are_told),
        CASE(test_api__encodings_are_taken),
        CASE(test_api__row_groups_are_copied_as_bytes),
        CASE(test_api__names_of_codecs_and_encodings),
        CASE(test_api__lists),
        CASE(test_api__verify_finds_each_damaged_column),
        CASE(test_api__faults_while_writing),
        CASE(test_api__faults_while_reading),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
