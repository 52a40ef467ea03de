/* api_reader.c - the public reader: opening, closing, facts of the footer.
 * Invariants: whatever a caller's read function returns, its errors leave here whole; a failed open
 * leaves nothing open. May call: base/, arrow/, reader.h.
 */
#include "parquet/api.h"
#include "parquet/reader_own.h"

/* Below this size a file is read sooner than threads are started. */
enum { SMALL_FILE = 1 << 20 };

/* ---- sources ---- */

static lochan_status read_file(void *self, uint64_t offset, size_t n, void *dst,
                               lochan_error *err) {
    return lochan_file__read(self, dst, n, offset, err);
}

static void close_file(void *self) {
    (void)lochan_file__close(self, NULL);
}

typedef struct mapped_file {
    lochan_file *file;
    const uint8_t *data;
    size_t size;
} mapped_file;

static void close_mapped(void *self) {
    mapped_file *m = self;
    lochan_file__unmap(m->data, m->size);
    (void)lochan_file__close(m->file, NULL);
    lochan_mem__free(m);
}

/* Touching a page of a mapping that the file no longer has ends the process. */
static lochan_status check_mapped(void *self, lochan_error *err) {
    const mapped_file *m = self;
    lochan_stat st;
    LOCHAN_TRY(lochan_file__stat(m->file, &st, err));
    if (st.size >= m->size)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_CORRUPT, "the file shrank from %zu to %llu bytes",
                          m->size, (unsigned long long)st.size);
    return lochan_error__in_file(err, rc, lochan_file__path(m->file), (int64_t)st.size);
}

/* Takes the file, also on failure. */
static lochan_status map_file(lochan_file *file, lochan_pq_source *source, lochan_error *err) {
    mapped_file *m = lochan_mem__zalloc(sizeof *m);
    lochan_status rc =
        m ? lochan_file__map(file, &m->data, &m->size, err) : lochan_error__nomem(err);
    if (rc != LOCHAN_OK) {
        lochan_mem__free(m);
        (void)lochan_file__close(file, NULL);
        return rc;
    }
    m->file = file;
    source->read = NULL;
    source->data = m->data ? m->data : (const uint8_t *)"";
    source->size = m->size;
    source->self = m;
    source->close = close_mapped;
    source->check = check_mapped;
    return LOCHAN_OK;
}

/* A caller's source. Its error may come with nothing but the status. */
static lochan_status read_public(void *self, uint64_t offset, size_t n, void *dst,
                                 lochan_error *err) {
    const lochan_parquet_source *s = self;
    lochan_error own;
    lochan_error_init(&own);
    lochan_status rc = s->read(s->self, offset, n, dst, &own);
    if (rc == LOCHAN_OK)
        return rc;
    if (!own.message[0])
        return lochan_error__set(err, rc, "the source could not deliver %zu bytes", n);
    own.code = rc;
    if (err)
        *err = own;
    return rc;
}

static void close_public(void *self) {
    lochan_parquet_source *s = self;
    if (s->close)
        s->close(s->self);
    lochan_mem__free(s);
}

/* ---- open and close ---- */

lochan_parquet_reader *lochan_parquet_reader__ref(const lochan_parquet_reader *reader) {
    lochan_parquet_reader *r = (lochan_parquet_reader *)(uintptr_t)reader;
    atomic_fetch_add(&r->refs, 1);
    return r;
}

void lochan_parquet_reader_close(lochan_parquet_reader *reader) {
    if (!reader || atomic_fetch_sub(&reader->refs, 1) != 1)
        return;
    lochan_pq_reader__close(reader->inner);
    lochan_pool__free(reader->ctx.pool);
    lochan_mem__free(reader);
}

static lochan_status read_options(const lochan_parquet_read_options *options,
                                  lochan_parquet_read_options *out, lochan_error *err) {
    *out = (lochan_parquet_read_options)LOCHAN_PARQUET_READ_OPTIONS_INIT;
    LOCHAN_TRY(LOCHAN_PARQUET_TAKE(options, out, lochan_parquet_read_options, err));
    LOCHAN_CHECK_ARG(out->threads >= 0 && out->threads <= 1024, err);
    LOCHAN_CHECK_ARG(out->strings >= LOCHAN_PARQUET_STRINGS_PLAIN &&
                         out->strings <= LOCHAN_PARQUET_STRINGS_DICTIONARY,
                     err);
    return LOCHAN_OK;
}

/* Takes the source, also on failure. */
static lochan_status open_over(lochan_pq_source *source, const lochan_parquet_read_options *o,
                               lochan_parquet_reader **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool given = false;
    lochan_parquet_reader *r = lochan_mem__zalloc(sizeof *r);
    if (!r) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    atomic_init(&r->refs, 1);
    lochan_budget__init(&r->budget,
                        o->memory_limit < SIZE_MAX ? (size_t)o->memory_limit : SIZE_MAX);
    r->ctx.budget = &r->budget;
    r->ctx.cancel = &r->cancel;
    if (o->threads != 1 && (o->threads > 1 || source->size >= SMALL_FILE))
        LOCHAN_TRYG(lochan_pool__create(o->threads, &r->ctx.pool, err));
    lochan_pq_read_options inner = {.strings = (lochan_pq_strings)o->strings,
                                    .arrow_schema = !o->no_arrow_schema,
                                    .max_page_bytes = o->max_page_bytes,
                                    .max_footer = o->max_footer < SIZE_MAX ? (size_t)o->max_footer
                                                                           : SIZE_MAX};
    given = true;
    LOCHAN_TRYG(lochan_pq_reader__open(&r->ctx, source, &inner, &r->inner, err));
    *out = r;
    r = NULL;
done:
    if (!given && source->close)
        source->close(source->self);
    lochan_parquet_reader_close(r);
    return rc;
}

lochan_status lochan_parquet_reader_open(const char *path,
                                         const lochan_parquet_read_options *options,
                                         lochan_parquet_reader **out, lochan_error *err) {
    lochan_parquet_read_options o;
    lochan_file *file = NULL;
    lochan_stat st;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(path && *path, err);
    LOCHAN_TRY(read_options(options, &o, err));
    const char *name = o.name ? o.name : path;
    lochan_status rc = lochan_fs__stat(path, &st, err);
    if (rc == LOCHAN_OK && st.is_dir)
        rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                               "'%s' is a folder, not a Parquet file", path);
    if (rc == LOCHAN_OK)
        rc = lochan_file__open(path, LOCHAN_FS_READ, &file, err);
    if (rc == LOCHAN_OK)
        rc = lochan_file__stat(file, &st, err);
    if (rc != LOCHAN_OK) {
        (void)lochan_file__close(file, NULL);
        return lochan_error__in_file(err, rc, name, -1);
    }
    lochan_pq_source source = {
        .read = read_file, .close = close_file, .self = file, .size = st.size, .name = name};
    if (o.map) {
        rc = map_file(file, &source, err);
        if (rc != LOCHAN_OK)
            return lochan_error__in_file(err, rc, name, -1);
    }
    return open_over(&source, &o, out, err);
}

lochan_status lochan_parquet_reader_open_source(const lochan_parquet_source *source,
                                                const lochan_parquet_read_options *options,
                                                lochan_parquet_reader **out, lochan_error *err) {
    lochan_parquet_read_options o;
    lochan_parquet_source s = LOCHAN_PARQUET_SOURCE_INIT;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(source, err);
    LOCHAN_TRY(LOCHAN_PARQUET_TAKE(source, &s, lochan_parquet_source, err));
    LOCHAN_CHECK_ARG(s.read, err);
    lochan_status rc = read_options(options, &o, err);
    lochan_parquet_source *copy = rc == LOCHAN_OK ? lochan_mem__alloc(sizeof *copy) : NULL;
    if (!copy) {
        if (s.close)
            s.close(s.self);
        return rc == LOCHAN_OK ? lochan_error__nomem(err) : rc;
    }
    *copy = s;
    lochan_pq_source inner = {
        .read = read_public, .close = close_public, .self = copy, .size = s.size, .name = o.name};
    return open_over(&inner, &o, out, err);
}

lochan_status lochan_parquet_reader_open_memory(const void *data, size_t size,
                                                const lochan_parquet_read_options *options,
                                                lochan_parquet_reader **out, lochan_error *err) {
    lochan_parquet_read_options o;
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(data || size == 0, err);
    LOCHAN_TRY(read_options(options, &o, err));
    lochan_pq_source source = {.data = data ? data : (const uint8_t *)"",
                               .size = size,
                               .name = o.name ? o.name : "memory"};
    return open_over(&source, &o, out, err);
}

void lochan_parquet_reader_cancel(lochan_parquet_reader *reader) {
    if (reader)
        atomic_store_explicit(&reader->cancel.requested, 1, memory_order_relaxed);
}

void lochan_parquet_reader_resume(lochan_parquet_reader *reader) {
    if (reader)
        atomic_store_explicit(&reader->cancel.requested, 0, memory_order_relaxed);
}

/* ---- facts ---- */

lochan_status lochan_parquet_reader_info(const lochan_parquet_reader *reader,
                                         lochan_parquet_info *out, lochan_error *err) {
    LOCHAN_CHECK_ARG(reader && out, err);
    const lochan_pq_reader *r = reader->inner;
    lochan_parquet_info info = {.version = r->meta.version,
                                .rows = lochan_pq_reader__rows(r),
                                .row_groups = lochan_pq_reader__row_groups(r),
                                .columns = (int32_t)lochan_pq_reader__schema(r)->n_children,
                                .leaf_columns = r->schema.n_leaves,
                                .metadata_pairs = (int32_t)r->meta.key_values.n,
                                .file_bytes = lochan_pq_reader__file_size(r),
                                .footer_bytes = lochan_pq_reader__footer_length(r),
                                .created_by = lochan_pq_reader__created_by(r)};
    return lochan_parquet__give(&info, sizeof info, out, err);
}

lochan_status lochan_parquet_reader_schema(const lochan_parquet_reader *reader,
                                           struct ArrowSchema *out, lochan_error *err) {
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(reader, err);
    return lochan_schema__dup(lochan_pq_reader__schema(reader->inner), out, err);
}

const char *lochan_parquet_reader_metadata(const lochan_parquet_reader *reader, const char *key) {
    return reader && key ? lochan_pq_reader__metadata(reader->inner, key) : NULL;
}

bool lochan_parquet_reader_metadata_at(const lochan_parquet_reader *reader, size_t i,
                                       const char **key, const char **value) {
    return reader && key && value && lochan_pq_reader__metadata_at(reader->inner, i, key, value);
}

lochan_status lochan_parquet_reader_counters(const lochan_parquet_reader *reader,
                                             lochan_parquet_counters *out, lochan_error *err) {
    lochan_pq_counters c;
    LOCHAN_CHECK_ARG(reader && out, err);
    lochan_pq_reader__counters(reader->inner, &c);
    lochan_parquet_counters counters = {.bytes_read = c.bytes_read,
                                        .pages_decoded = c.pages_decoded,
                                        .row_groups_read = c.row_groups_read,
                                        .row_groups_pruned = c.row_groups_pruned};
    return lochan_parquet__give(&counters, sizeof counters, out, err);
}
