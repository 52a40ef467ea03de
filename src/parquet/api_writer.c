/* api_writer.c - the public writer, over a file or a caller's sink.
 * Invariants: a file's name appears only over a whole file; after a failure nothing is left of it.
 * What comes in is checked before the codec sees it. May call: base/, arrow/, writer.h.
 */
#include "arrow/view.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "parquet/api.h"
#include "parquet/arrow_schema.h"
#include "parquet/writer.h"

struct lochan_parquet_writer {
    lochan_cancel cancel;
    lochan_budget budget;
    lochan_ctx ctx;
    struct ArrowSchema schema;
    lochan_pq_writer *inner;
    lochan_parquet_sink sink; /* of the caller; write NULL: a file */
    lochan_file *file;
    lochan_pq_file_sink file_sink;
    char *path, *temp, *dir;
    bool overwrite, no_sync, arrow_schema, made, closed;
};

/* ---- options ---- */

/* AUTO is what the codec does where nothing is said. */
static lochan_status find_encodings(const lochan_parquet_write_options *o,
                                    lochan_pq_column_encoding *out, size_t *n, lochan_error *err) {
    *n = 0;
    for (size_t i = 0; i < o->n_encodings; i++) {
        const lochan_parquet_column_encoding *e = &o->encodings[i];
        LOCHAN_CHECK_ARG(e->column, err);
        if (e->encoding != LOCHAN_PARQUET_ENCODING_AUTO)
            out[(*n)++] = (lochan_pq_column_encoding){e->column, e->encoding};
    }
    return LOCHAN_OK;
}

static lochan_status find_sorting(const lochan_parquet_write_options *o,
                                  const struct ArrowSchema *schema, lochan_sort_key *out,
                                  lochan_error *err) {
    for (size_t i = 0; i < o->n_sorting; i++) {
        const lochan_parquet_sorting *s = &o->sorting[i];
        LOCHAN_CHECK_ARG(s->column, err);
        LOCHAN_TRY(lochan_parquet__find_column(schema, s->column, &out[i].column, err));
        if (schema->children[out[i].column]->n_children > 0)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "sorting by '%s': it is nested", s->column);
        out[i].descending = s->descending;
        out[i].nulls_first = s->nulls_first;
    }
    return LOCHAN_OK;
}

static lochan_status read_options(const lochan_parquet_write_options *options,
                                  lochan_parquet_write_options *out, lochan_error *err) {
    *out = (lochan_parquet_write_options)LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    LOCHAN_TRY(LOCHAN_PARQUET_TAKE(options, out, lochan_parquet_write_options, err));
    LOCHAN_CHECK_ARG(out->threads >= 0 && out->threads <= 1024, err);
    LOCHAN_CHECK_ARG(out->row_group_rows >= 0 && out->row_group_bytes >= 0, err);
    LOCHAN_CHECK_ARG(out->page_bytes >= 0 && out->page_rows >= 0 && out->max_statistics_bytes >= 0,
                     err);
    LOCHAN_CHECK_ARG(out->n_encodings == 0 || out->encodings, err);
    LOCHAN_CHECK_ARG(out->n_metadata == 0 || out->metadata, err);
    LOCHAN_CHECK_ARG(out->n_bloom_filters == 0 || out->bloom_filters, err);
    for (size_t i = 0; i < out->n_bloom_filters; i++)
        LOCHAN_CHECK_ARG(out->bloom_filters[i], err);
    LOCHAN_CHECK_ARG(out->n_sorting == 0 || out->sorting, err);
    for (size_t i = 0; i < out->n_metadata; i++)
        LOCHAN_CHECK_ARG(out->metadata[i].key && out->metadata[i].value, err);
    return LOCHAN_OK;
}

/* ---- open ---- */

/* Metadata of the schema become pairs of the footer, as with other Arrow libraries; what is no text
 * is left out. */
static lochan_status take_metadata(lochan_parquet_writer *w, lochan_error *err) {
    lochan_str key, value;
    lochan_status rc = LOCHAN_OK;
    for (lochan_schema_pairs at = {0};
         rc == LOCHAN_OK && lochan_schema__next_metadata(&w->schema, &at, &key, &value);) {
        if (!lochan_utf8__valid(key.p, key.n) || !lochan_utf8__valid(value.p, value.n) ||
            memchr(key.p, 0, key.n) || memchr(value.p, 0, value.n))
            continue;
        char *k = lochan_mem__strndup(key.p, key.n), *v = lochan_mem__strndup(value.p, value.n);
        rc =
            k && v ? lochan_pq_writer__set_metadata(w->inner, k, v, err) : lochan_error__nomem(err);
        lochan_mem__free(k);
        lochan_mem__free(v);
    }
    return rc;
}

static lochan_status open_inner(lochan_parquet_writer *w, const lochan_pq_sink *sink,
                                const lochan_parquet_write_options *o, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t n_encodings = 0;
    lochan_sort_key *sorting = lochan_mem__array(o->n_sorting + 1, sizeof *sorting);
    lochan_pq_column_encoding *encodings = lochan_mem__array(o->n_encodings + 1, sizeof *encodings);
    if (!sorting || !encodings) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(find_encodings(o, encodings, &n_encodings, err));
    LOCHAN_TRYG(find_sorting(o, &w->schema, sorting, err));
    lochan_pq_write_options inner = {.codec = (lochan_pq_codec)o->codec,
                                     .codec_set = true,
                                     .level = o->level,
                                     .row_group_rows = o->row_group_rows,
                                     .row_group_bytes = o->row_group_bytes,
                                     .page_bytes = o->page_bytes,
                                     .page_rows = o->page_rows,
                                     .no_dictionary = o->no_dictionary,
                                     .no_statistics = o->no_statistics,
                                     .no_crc = o->no_crc,
                                     .no_page_index = o->no_page_index,
                                     .page_v2 = o->page_v2,
                                     .encodings = encodings,
                                     .n_encodings = n_encodings,
                                     .created_by = o->created_by,
                                     .sorting = sorting,
                                     .n_sorting = o->n_sorting,
                                     .bloom_filters = o->bloom_filters,
                                     .n_bloom_filters = o->n_bloom_filters,
                                     .max_statistics_bytes = o->max_statistics_bytes};
    LOCHAN_TRYG(lochan_pq_writer__open(&w->ctx, sink, &w->schema, &inner, &w->inner, err));
    if (!o->no_arrow_schema)
        LOCHAN_TRYG(take_metadata(w, err));
    for (size_t i = 0; i < o->n_metadata; i++)
        LOCHAN_TRYG(lochan_pq_writer__set_metadata(w->inner, o->metadata[i].key,
                                                   o->metadata[i].value, err));
done:
    lochan_mem__free(sorting);
    lochan_mem__free(encodings);
    return rc;
}

/* A writer with its schema and context, but no sink. */
static lochan_status make_writer(const struct ArrowSchema *schema,
                                 const lochan_parquet_write_options *o, lochan_parquet_writer **out,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    LOCHAN_CHECK_ARG(schema && schema->release, err);
    LOCHAN_TRY(lochan_schema__check(schema, err));
    if (strcmp(schema->format, "+s") != 0)
        return lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                                 "a file holds a table: expected a struct of columns, got '%.40s'",
                                 schema->format);
    lochan_parquet_writer *w = lochan_mem__zalloc(sizeof *w);
    if (!w)
        return lochan_error__nomem(err);
    lochan_budget__init(&w->budget,
                        o->memory_limit < SIZE_MAX ? (size_t)o->memory_limit : SIZE_MAX);
    w->ctx.budget = &w->budget;
    w->ctx.cancel = &w->cancel;
    w->overwrite = o->overwrite;
    w->no_sync = o->no_sync;
    w->arrow_schema = !o->no_arrow_schema;
    LOCHAN_TRYG(lochan_schema__dup(schema, &w->schema, err));
    if (o->threads != 1)
        LOCHAN_TRYG(lochan_pool__create(o->threads, &w->ctx.pool, err));
    *out = w;
    w = NULL;
done:
    lochan_parquet_writer_free(w);
    return rc;
}

/* Temporary name beside the target, and the folder of both. */
static lochan_status make_names(lochan_parquet_writer *w, const char *path, lochan_error *err) {
    lochan_buf buf;
    char uuid[37];
    const char *base = lochan_path__basename(path);
    size_t n = (size_t)(base - path);
    lochan_buf__init(&buf, 1 << 16);
    lochan_uuid__make(uuid);
    w->path = lochan_mem__strdup(path);
    w->dir = n == 0 ? lochan_mem__strdup(".") : lochan_mem__strndup(path, n > 1 ? n - 1 : 1);
    lochan_status rc =
        lochan_buf__printf(&buf, err, "%.*s.%.150s.tmp-%s", (int)n, path, base, uuid);
    if (rc == LOCHAN_OK)
        w->temp = (char *)lochan_buf__take(&buf, NULL);
    lochan_buf__deinit(&buf);
    if (rc == LOCHAN_OK && (!w->temp || !w->dir || !w->path))
        rc = lochan_error__nomem(err);
    return rc;
}

/* Looks before the work is done; close looks again. */
static lochan_status check_free(const lochan_parquet_writer *w, lochan_error *err) {
    lochan_stat st;
    if (lochan_fs__stat(w->path, &st, NULL) != LOCHAN_OK)
        return LOCHAN_OK;
    if (st.is_dir)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "'%s' is a folder", w->path);
    if (w->overwrite)
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_EXISTS, "file '%s' exists already", w->path);
}

lochan_status lochan_parquet_writer_open(const char *path, const struct ArrowSchema *schema,
                                         const lochan_parquet_write_options *options,
                                         lochan_parquet_writer **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_parquet_write_options o;
    lochan_parquet_writer *w = NULL;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(path && *path, err);
    LOCHAN_TRY(read_options(options, &o, err));
    LOCHAN_TRY(make_writer(schema, &o, &w, err));
    LOCHAN_TRYG(make_names(w, path, err));
    LOCHAN_TRYG(check_free(w, err));
    LOCHAN_TRYG(lochan_file__open(w->temp, LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_EXCLUSIVE,
                                  &w->file, err));
    w->made = true;
    lochan_pq_sink sink = lochan_pq_sink__of_file(&w->file_sink, w->file);
    sink.name = w->path;
    LOCHAN_TRYG(open_inner(w, &sink, &o, err));
    *out = w;
    w = NULL;
done:
    lochan_parquet_writer_free(w);
    return lochan_error__in_file(err, rc, path, -1);
}

/* A caller's sink. Its error may come with nothing but the status. */
static lochan_status write_public(void *self, const void *data, size_t n, lochan_error *err) {
    const lochan_parquet_sink *s = self;
    lochan_error own;
    lochan_error_init(&own);
    lochan_status rc = s->write(s->self, data, n, &own);
    if (rc == LOCHAN_OK)
        return rc;
    if (!own.message[0])
        return lochan_error__set(err, rc, "the sink did not take %zu bytes", n);
    own.code = rc;
    if (err)
        *err = own;
    return rc;
}

lochan_status lochan_parquet_writer_open_sink(const lochan_parquet_sink *sink,
                                              const struct ArrowSchema *schema,
                                              const lochan_parquet_write_options *options,
                                              lochan_parquet_writer **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_parquet_write_options o;
    lochan_parquet_writer *w = NULL;
    lochan_parquet_sink s = LOCHAN_PARQUET_SINK_INIT;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(sink, err);
    LOCHAN_TRY(LOCHAN_PARQUET_TAKE(sink, &s, lochan_parquet_sink, err));
    LOCHAN_CHECK_ARG(s.write, err);
    LOCHAN_TRY(read_options(options, &o, err));
    LOCHAN_TRY(make_writer(schema, &o, &w, err));
    w->sink = s;
    lochan_pq_sink inner = {write_public, &w->sink, s.name};
    LOCHAN_TRYG(open_inner(w, &inner, &o, err));
    *out = w;
    w = NULL;
done:
    lochan_parquet_writer_free(w);
    return rc;
}

/* ---- rows ---- */

/* Parquet has no null rows, only null cells: losing them silently is worse than refusing them. */
static lochan_status check_rows(const struct ArrowArray *batch, lochan_error *err) {
    const uint8_t *bits = batch->n_buffers > 0 ? batch->buffers[0] : NULL;
    for (int64_t i = 0; bits && batch->null_count != 0 && i < batch->length; i++) {
        if (!lochan_bit__get(bits, batch->offset + i))
            return lochan_error__in_table(err,
                                          lochan_error__set(err, LOCHAN_ERR_DATA,
                                                            "row %lld is null as a whole",
                                                            (long long)i),
                                          "", NULL, i);
    }
    return LOCHAN_OK;
}

static lochan_status check_open(const lochan_parquet_writer *w, lochan_error *err) {
    LOCHAN_CHECK_ARG(w, err);
    if (w->closed)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "the writer is closed");
    return LOCHAN_OK;
}

lochan_status lochan_parquet_writer_write_batch(lochan_parquet_writer *writer,
                                                const struct ArrowArray *batch, lochan_error *err) {
    LOCHAN_TRY(check_open(writer, err));
    LOCHAN_CHECK_ARG(batch && batch->release, err);
    LOCHAN_TRY(lochan_array__check(&writer->schema, batch, err));
    LOCHAN_TRY(check_rows(batch, err));
    return lochan_pq_writer__write_batch(writer->inner, batch, err);
}

lochan_status lochan_parquet_writer_end_row_group(lochan_parquet_writer *writer,
                                                  lochan_error *err) {
    LOCHAN_TRY(check_open(writer, err));
    return lochan_pq_writer__end_row_group(writer->inner, err);
}

/* Whether ARROW:schema tells of fields what not every stored value fulfils: whole seconds, lists of
 * one size. */
static bool has_promises(const struct ArrowSchema *s) {
    if (strncmp(s->format, "tss:", 4) == 0 || strncmp(s->format, "+w:", 3) == 0)
        return true;
    for (int64_t i = 0; i < s->n_children; i++) {
        if (has_promises(s->children[i]))
            return true;
    }
    return false;
}

/* Then only files that tell the same can be copied from. */
static bool keeps_promises(const lochan_parquet_writer *w, const lochan_parquet_reader *r) {
    return !w->arrow_schema || !has_promises(&w->schema) ||
           lochan_schema__check_equal(&w->schema, lochan_pq_reader__schema(r->inner), NULL) ==
               LOCHAN_OK;
}

bool lochan_parquet_writer_can_copy(const lochan_parquet_writer *writer,
                                    const lochan_parquet_reader *reader) {
    return writer && reader && !writer->closed && keeps_promises(writer, reader) &&
           lochan_pq_writer__can_copy(writer->inner, reader->inner, NULL);
}

lochan_status lochan_parquet_writer_copy_row_group(lochan_parquet_writer *writer,
                                                   lochan_parquet_reader *reader, int32_t row_group,
                                                   lochan_error *err) {
    LOCHAN_TRY(check_open(writer, err));
    LOCHAN_CHECK_ARG(reader, err);
    LOCHAN_CHECK_ARG(row_group >= 0 && row_group < lochan_pq_reader__row_groups(reader->inner),
                     err);
    if (!keeps_promises(writer, reader))
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "the file does not tell of whole seconds or lists of one size, as "
                                 "the writer's schema does");
    return lochan_pq_writer__copy_row_group(writer->inner, reader->inner, row_group, err);
}

lochan_status lochan_parquet_writer_set_metadata(lochan_parquet_writer *writer, const char *key,
                                                 const char *value, lochan_error *err) {
    LOCHAN_TRY(check_open(writer, err));
    LOCHAN_CHECK_ARG(key && value, err);
    return lochan_pq_writer__set_metadata(writer->inner, key, value, err);
}

int64_t lochan_parquet_writer_rows(const lochan_parquet_writer *writer) {
    return writer ? lochan_pq_writer__rows(writer->inner) : 0;
}

uint64_t lochan_parquet_writer_bytes(const lochan_parquet_writer *writer) {
    return writer ? lochan_pq_writer__bytes(writer->inner) : 0;
}

void lochan_parquet_writer_cancel(lochan_parquet_writer *writer) {
    if (writer)
        atomic_store_explicit(&writer->cancel.requested, 1, memory_order_relaxed);
}

/* ---- close ---- */

/* Without overwrite the name is given by link, which fails where something bears it already. */
static lochan_status give_name(lochan_parquet_writer *w, lochan_error *err) {
    if (w->overwrite)
        LOCHAN_TRY(lochan_fs__rename(w->temp, w->path, err));
    else
        LOCHAN_TRY(lochan_fs__link(w->temp, w->path, err));
    w->made = !w->overwrite; /* free removes the second name */
    return w->no_sync ? LOCHAN_OK : lochan_fs__sync_dir(w->dir, err);
}

static lochan_status close_file(lochan_parquet_writer *w, lochan_error *err) {
    if (!w->no_sync)
        LOCHAN_TRY(lochan_file__sync(w->file, false, err));
    lochan_status rc = lochan_file__close(w->file, err);
    w->file = NULL;
    return rc == LOCHAN_OK ? give_name(w, err) : rc;
}

/* Last, in place of one that the caller may have taken over from another file. */
static lochan_status put_arrow_schema(lochan_parquet_writer *w, lochan_error *err) {
    lochan_buf text;
    lochan_buf__init(&text, 1 << 27);
    lochan_status rc = lochan_pq_arrow_schema__write(&w->schema, &text, err);
    if (rc == LOCHAN_OK)
        rc = lochan_pq_writer__set_metadata(w->inner, LOCHAN_PQ_ARROW_SCHEMA_KEY,
                                            (const char *)text.data, err);
    lochan_buf__deinit(&text);
    return rc;
}

lochan_status lochan_parquet_writer_close(lochan_parquet_writer *writer, lochan_error *err) {
    LOCHAN_TRY(check_open(writer, err));
    LOCHAN_TRY(lochan_cancel__check(writer->ctx.cancel, err));
    if (writer->arrow_schema)
        LOCHAN_TRY(put_arrow_schema(writer, err));
    LOCHAN_TRY(lochan_pq_writer__close(writer->inner, NULL, err));
    writer->closed = true;
    lochan_status rc = writer->file ? close_file(writer, err) : LOCHAN_OK;
    return lochan_error__in_file(err, rc, writer->path ? writer->path : "", -1);
}

void lochan_parquet_writer_free(lochan_parquet_writer *writer) {
    if (!writer)
        return;
    lochan_pq_writer__free(writer->inner);
    (void)lochan_file__close(writer->file, NULL);
    if (writer->made)
        (void)lochan_fs__unlink(writer->temp, true, NULL);
    lochan_pool__free(writer->ctx.pool);
    lochan_schema__release(&writer->schema);
    lochan_mem__free(writer->path);
    lochan_mem__free(writer->temp);
    lochan_mem__free(writer->dir);
    lochan_mem__free(writer);
}

lochan_status lochan_parquet_write(struct ArrowArrayStream *stream, const char *path,
                                   const lochan_parquet_write_options *options, int64_t *rows,
                                   lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_parquet_writer *writer = NULL;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    if (rows)
        *rows = 0;
    LOCHAN_CHECK_ARG(stream && stream->release, err);
    LOCHAN_TRYG(lochan_stream__schema(stream, &schema, err));
    LOCHAN_TRYG(lochan_parquet_writer_open(path, &schema, options, &writer, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(stream, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(lochan_parquet_writer_write_batch(writer, &batch, err));
        lochan_array__release(&batch);
    }
    LOCHAN_TRYG(lochan_parquet_writer_close(writer, err));
    if (rows)
        *rows = lochan_parquet_writer_rows(writer);
done:
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_parquet_writer_free(writer);
    return rc;
}
