/* data_file.c - opening the files that the catalog lists.
 * Invariant: a file whose size or row count is not the catalog's is never read. May call: base/,
 * arrow/, parquet/, store/.
 */
#include "arrow/builder.h"
#include "arrow/view.h"
#include "table/write.h"

char *lochan_data_file__new_path(const lochan_data_file *f, const char *id) {
    lochan_buf out;
    const char *slash = strrchr(f->path, '/'), *name = slash ? slash + 1 : f->path;
    const char *old = f->file_id[0] ? strstr(name, f->file_id) : NULL;
    lochan_buf__init(&out, 1 << 16);
    int keep = (int)((old ? old : name) - f->path);
    lochan_status rc = lochan_buf__printf(&out, NULL, "%.*s%s.parquet", keep, f->path, id);
    char *path = rc == LOCHAN_OK ? (char *)lochan_buf__take(&out, NULL) : NULL;
    lochan_buf__deinit(&out);
    return path;
}

static lochan_status missing(const char *path, lochan_error *err) {
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                         "file %s is in the catalog but not in the lake", path);
    return lochan_error__in_file(err, rc, path, -1);
}

/* The bytes of a file in memory. */
static void free_bytes(void *self) {
    lochan_mem__free(self);
}

/* Makes of the source one that has all bytes, read at once. Takes its reader, also on failure. */
static lochan_status read_whole(lochan_pq_source *source, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    uint8_t *bytes = lochan_mem__alloc((size_t)source->size + 1);
    if (bytes)
        rc = source->read(source->self, 0, (size_t)source->size, bytes, err);
    else
        rc = lochan_error__nomem(err);
    source->close(source->self);
    if (rc != LOCHAN_OK) {
        lochan_mem__free(bytes);
        return lochan_error__in_file(err, rc, source->name, 0);
    }
    source->read = NULL;
    source->close = free_bytes;
    source->self = bytes;
    source->data = bytes;
    return LOCHAN_OK;
}

static lochan_status open_source(lochan_lake *lake, const lochan_data_file *file,
                                 lochan_pq_source *out, lochan_error *err) {
    lochan_store_reader *store = NULL;
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = lochan_store__open(lake->store, file->path, &store, &seen);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return missing(file->path, err);
    if (rc != LOCHAN_OK) {
        if (err)
            *err = seen;
        return rc;
    }
    uint64_t size = lochan_store_reader__size(store);
    if (file->bytes < 0 || size != (uint64_t)file->bytes) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               "file %s has %llu bytes, the catalog says %lld", file->path,
                               (unsigned long long)size, (long long)file->bytes);
        lochan_store_reader__close(store);
        return lochan_error__in_file(err, rc, file->path, -1);
    }
    *out = (lochan_pq_source){.read = lochan_store_reader__read,
                              .close = lochan_store_reader__close,
                              .self = store,
                              .size = size,
                              .name = file->path};
    return LOCHAN_OK;
}

/* Takes the source. */
static lochan_status open_reader(lochan_lake *lake, const lochan_data_file *file,
                                 const lochan_pq_source *source, lochan_pq_reader **out,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_reader__open(&lake->ctx, source, NULL, out, err));
    if (lochan_pq_reader__rows(*out) != file->rows) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               "file %s has %lld rows, the catalog says %lld", file->path,
                               (long long)lochan_pq_reader__rows(*out), (long long)file->rows);
        lochan_pq_reader__close(*out);
        *out = NULL;
        return lochan_error__in_file(err, rc, file->path, -1);
    }
    return LOCHAN_OK;
}

lochan_status lochan_data_file__open(lochan_lake *lake, const lochan_data_file *file,
                                     lochan_pq_reader **out, lochan_error *err) {
    lochan_pq_source source;
    *out = NULL;
    LOCHAN_TRY(open_source(lake, file, &source, err));
    return open_reader(lake, file, &source, out, err);
}

lochan_status lochan_data_file__open_whole(lochan_lake *lake, const lochan_data_file *file,
                                           lochan_pq_reader **out, lochan_error *err) {
    lochan_pq_source source;
    *out = NULL;
    LOCHAN_TRY(open_source(lake, file, &source, err));
    LOCHAN_TRY(read_whole(&source, err));
    return open_reader(lake, file, &source, out, err);
}

static lochan_status filled_column(const struct ArrowSchema *field, const struct ArrowArray *column,
                                   int64_t micros, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_view view = {0};
    lochan_builder *b = NULL;
    LOCHAN_TRYG(lochan_view__init(&view, field, column, err));
    LOCHAN_TRYG(lochan_builder__create(field, &b, err));
    LOCHAN_TRYG(lochan_builder__reserve(b, column->length, err));
    for (int64_t i = 0; i < column->length; i++) {
        int64_t v = lochan_view__is_null(&view, i) ? micros : lochan_view__int64(&view, i);
        LOCHAN_TRYG(lochan_builder__int64(b, v, err));
    }
    LOCHAN_TRYG(lochan_builder__finish(b, out, err));
done:
    lochan_builder__free(b);
    lochan_view__deinit(&view);
    return rc;
}

lochan_status lochan_known_at__fill(const struct ArrowSchema *schema, int known_at,
                                    int64_t published_ns, struct ArrowArray *in,
                                    struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray column = {0}, filled = {0};
    memset(out, 0, sizeof *out);
    lochan_shared *shared = NULL;
    if (known_at < 0 || published_ns <= 0 || in->children[known_at]->null_count == 0) {
        lochan_array__move(in, out);
        return LOCHAN_OK;
    }
    shared = lochan_shared__give(in);
    if (!shared)
        return lochan_error__nomem(err);
    int64_t rows = lochan_shared__get(shared)->length;
    LOCHAN_TRYG(lochan_shared__child(shared, known_at, &column, err));
    LOCHAN_TRYG(
        filled_column(schema->children[known_at], &column, published_ns / 1000, &filled, err));
    LOCHAN_TRYG(lochan_shared__slice(shared, 0, rows, out, err));
    lochan_array__release(out->children[known_at]);
    lochan_array__move(&filled, out->children[known_at]);
done:
    lochan_array__release(&column);
    lochan_array__release(&filled);
    lochan_shared__unref(shared);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

const lochan_pq_fill *lochan_known_at__fill_group(const struct ArrowSchema *schema, int known_at,
                                                  int64_t published_ns,
                                                  const lochan_pq_reader *reader, int group,
                                                  lochan_pq_fill *fill) {
    const struct ArrowSchema *file = lochan_pq_reader__schema(reader);
    lochan_expr_stats stats;
    if (known_at < 0 || published_ns <= 0)
        return NULL;
    const struct ArrowSchema *field = schema->children[known_at];
    for (int64_t i = 0; i < file->n_children; i++) {
        if (lochan_schema__field_id(file->children[i]) == lochan_schema__field_id(field) &&
            lochan_pq_reader__column_stats(reader, group, (int)i, &stats) && stats.null_count == 0)
            return NULL;
    }
    *fill = (lochan_pq_fill){.column = known_at, .field = field, .value = published_ns / 1000};
    return fill;
}
