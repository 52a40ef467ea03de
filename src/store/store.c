/* store.c - argument checks common to all stores, then dispatch.
 * Invariants: no path reaches an implementation unchecked; a read-only store creates and removes
 * nothing. May call: base/, ops.h.
 */
#include "store/ops.h"

#include "base/mem.h"

static lochan_status check_writable(const lochan_store *store, const char *path,
                                    lochan_error *err) {
    if (store->read_only)
        return lochan_error__set(err, LOCHAN_ERR_READ_ONLY,
                                 "cannot change %s: the lake %s is open read-only", path,
                                 store->root);
    return lochan_path__check_relative(path, err);
}

void lochan_store__close(lochan_store *store) {
    if (store)
        store->ops->close(store);
}

const char *lochan_store__root(const lochan_store *store) {
    return store->root;
}

lochan_status lochan_store__create(lochan_store *store, const char *path, lochan_store_writer **out,
                                   lochan_error *err) {
    *out = NULL;
    LOCHAN_TRY(check_writable(store, path, err));
    return store->ops->create(store, path, out, err);
}

lochan_status lochan_store_writer__write(void *self, const void *p, size_t n, lochan_error *err) {
    lochan_store_writer *writer = self;
    return writer->store->ops->write(writer, p, n, err);
}

uint64_t lochan_store_writer__size(const lochan_store_writer *writer) {
    return writer->size;
}

const char *lochan_store_writer__path(const lochan_store_writer *writer) {
    return writer->path;
}

lochan_status lochan_store_writer__finish(lochan_store_writer *writer, lochan_error *err) {
    return writer->store->ops->finish(writer, err);
}

void lochan_store_writer__abort(lochan_store_writer *writer) {
    if (writer)
        writer->store->ops->abort(writer);
}

lochan_status lochan_store_batch__create(lochan_store *store, lochan_store_batch **out,
                                         lochan_error *err) {
    *out = NULL;
    if (store->read_only)
        return lochan_error__set(err, LOCHAN_ERR_READ_ONLY,
                                 "cannot write files: the lake %s is open read-only", store->root);
    return store->ops->batch_create(store, out, err);
}

lochan_status lochan_store_batch__add(lochan_store_batch *batch, lochan_store_writer *writer,
                                      lochan_error *err) {
    return batch->store->ops->batch_add(batch, writer, err);
}

lochan_status lochan_store_batch__finish(lochan_store_batch *batch, lochan_error *err) {
    return batch->store->ops->batch_finish(batch, true, err);
}

lochan_status lochan_store_batch__finish_unsynced(lochan_store_batch *batch, lochan_error *err) {
    return batch->store->ops->batch_finish(batch, false, err);
}

lochan_status lochan_store__sync(lochan_store *store, const char *const *paths, size_t n,
                                 lochan_error *err) {
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(check_writable(store, paths[i], err));
    return n > 0 ? store->ops->sync(store, paths, n, err) : LOCHAN_OK;
}

void lochan_store_batch__free(lochan_store_batch *batch) {
    if (batch)
        batch->store->ops->batch_free(batch, false);
}

void lochan_store_batch__discard(lochan_store_batch *batch) {
    if (batch)
        batch->store->ops->batch_free(batch, true);
}

lochan_status lochan_store__open(lochan_store *store, const char *path, lochan_store_reader **out,
                                 lochan_error *err) {
    *out = NULL;
    LOCHAN_TRY(lochan_path__check_relative(path, err));
    return store->ops->open(store, path, out, err);
}

uint64_t lochan_store_reader__size(const lochan_store_reader *reader) {
    return reader->size;
}

lochan_status lochan_store_reader__read(void *self, uint64_t offset, size_t n, void *dst,
                                        lochan_error *err) {
    lochan_store_reader *reader = self;
    if (offset > reader->size || n > reader->size - offset) {
        lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                          "%zu bytes at offset %llu lie outside of %s, which has %llu bytes", n,
                          (unsigned long long)offset, reader->path,
                          (unsigned long long)reader->size);
        return lochan_error__in_file(err, LOCHAN_ERR_CORRUPT, reader->path, (int64_t)offset);
    }
    return reader->store->ops->read(reader, offset, n, dst, err);
}

void lochan_store_reader__close(void *self) {
    lochan_store_reader *reader = self;
    if (reader)
        reader->store->ops->reader_close(reader);
}

lochan_status lochan_store__stat(lochan_store *store, const char *path, lochan_stat *out,
                                 lochan_error *err) {
    LOCHAN_TRY(lochan_path__check_relative(path, err));
    return store->ops->stat(store, path, out, err);
}

lochan_status lochan_store__remove(lochan_store *store, const char *path, bool missing_ok,
                                   lochan_error *err) {
    LOCHAN_TRY(check_writable(store, path, err));
    return store->ops->remove(store, path, missing_ok, err);
}

lochan_status lochan_store__remove_tree(lochan_store *store, const char *path, lochan_error *err) {
    LOCHAN_TRY(check_writable(store, path, err));
    return store->ops->remove_tree(store, path, err);
}

lochan_status lochan_store__list(lochan_store *store, const char *path, lochan_store_list_fn fn,
                                 void *ctx, lochan_error *err) {
    LOCHAN_TRY(lochan_path__check_relative(path, err));
    return store->ops->list(store, path, fn, ctx, err);
}

lochan_status lochan_store__clean(lochan_store *store, const char *path, int64_t *removed,
                                  lochan_error *err) {
    *removed = 0;
    LOCHAN_TRY(check_writable(store, path, err));
    return store->ops->clean(store, path, removed, err);
}
