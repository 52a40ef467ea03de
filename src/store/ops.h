/* ops.h - what a kind of store implements; store.c checks arguments and dispatches.
 * Invariant: each object begins with the common part below; paths were checked before an operation
 * sees them. May call: store.h.
 */
#ifndef LOCHAN_STORE_OPS_H
#define LOCHAN_STORE_OPS_H

#include "store/store.h"

typedef struct lochan_store_ops {
    void (*close)(lochan_store *store);
    lochan_status (*create)(lochan_store *store, const char *path, lochan_store_writer **out,
                            lochan_error *err);
    lochan_status (*write)(lochan_store_writer *writer, const void *p, size_t n, lochan_error *err);
    lochan_status (*finish)(lochan_store_writer *writer, lochan_error *err);
    void (*abort)(lochan_store_writer *writer);
    lochan_status (*batch_create)(lochan_store *store, lochan_store_batch **out, lochan_error *err);
    lochan_status (*batch_add)(lochan_store_batch *batch, lochan_store_writer *writer,
                               lochan_error *err);
    lochan_status (*batch_finish)(lochan_store_batch *batch, bool sync, lochan_error *err);
    void (*batch_free)(lochan_store_batch *batch, bool discard);
    lochan_status (*sync)(lochan_store *store, const char *const *paths, size_t n,
                          lochan_error *err);
    lochan_status (*open)(lochan_store *store, const char *path, lochan_store_reader **out,
                          lochan_error *err);
    lochan_status (*read)(lochan_store_reader *reader, uint64_t offset, size_t n, void *dst,
                          lochan_error *err);
    void (*reader_close)(lochan_store_reader *reader);
    lochan_status (*stat)(lochan_store *store, const char *path, lochan_stat *out,
                          lochan_error *err);
    lochan_status (*remove)(lochan_store *store, const char *path, bool missing_ok,
                            lochan_error *err);
    lochan_status (*remove_tree)(lochan_store *store, const char *path, lochan_error *err);
    lochan_status (*list)(lochan_store *store, const char *path, lochan_store_list_fn fn, void *ctx,
                          lochan_error *err);
    lochan_status (*clean)(lochan_store *store, const char *path, int64_t *removed,
                           lochan_error *err);
} lochan_store_ops;

struct lochan_store {
    const lochan_store_ops *ops;
    char *root;
    bool read_only;
};

struct lochan_store_writer {
    lochan_store *store;
    char *path; /* final, relative */
    uint64_t size;
};

struct lochan_store_batch {
    lochan_store *store;
};

struct lochan_store_reader {
    lochan_store *store;
    char *path;
    uint64_t size;
};

#endif
