/* local.h - the parts of the local store. Invariant: internal to store/local*.c. May call: ops.h.
 */
#ifndef LOCHAN_STORE_LOCAL_H
#define LOCHAN_STORE_LOCAL_H

#include "store/ops.h"

#include <pthread.h>

#define LOCHAN_TMP_PREFIX ".tmp-"
#define LOCHAN_OWNER_DIR  "locks"

/* Temporary names carry the uuid of their owner, the open store that writes them:
 * ".tmp-<owner>-<number>". The owner holds a lock on locks/writer-<owner>.lock while it lives, so
 * leftovers of the dead are told from work under way. */
typedef struct lochan_local {
    lochan_store base;
    pthread_mutex_t mutex; /* owner, counter, durable */
    lochan_file *owner_lock;
    char owner[37];
    uint64_t counter;
    char **durable; /* sorted: folders whose own names are known to be on disk */
    size_t n_durable, cap_durable;
} lochan_local;

typedef struct lochan_local_writer {
    lochan_store_writer base;
    lochan_file *file; /* NULL once closed */
    char *temp;        /* full paths */
    char *target;
    char *small; /* writes that wait to be one; NULL = none, or no memory for it */
    size_t n_small;
} lochan_local_writer;

/* A growing set of folders (full paths). */
typedef struct lochan_dir_set {
    char **names; /* sorted */
    size_t n, cap;
} lochan_dir_set;
lochan_status lochan_local__dirs_add(lochan_dir_set *set, const char *dir, size_t n,
                                     lochan_error *err);
void lochan_local__dirs_deinit(lochan_dir_set *set);
/* Adds the folder of `target` and those above it, up to the root, that are not known to be durable.
 */
lochan_status lochan_local__dirs_of(lochan_local *local, const char *target, lochan_dir_set *set,
                                    lochan_error *err);
/* Syncs all of them; afterwards their subfolders are known to be durable. */
lochan_status lochan_local__dirs_sync(lochan_local *local, const lochan_dir_set *set,
                                      lochan_error *err);

lochan_status lochan_local__create(lochan_store *store, const char *path, lochan_store_writer **out,
                                   lochan_error *err);
lochan_status lochan_local__write(lochan_store_writer *writer, const void *p, size_t n,
                                  lochan_error *err);
lochan_status lochan_local__finish(lochan_store_writer *writer, lochan_error *err);
void lochan_local__abort(lochan_store_writer *writer);
lochan_status lochan_local__batch_create(lochan_store *store, lochan_store_batch **out,
                                         lochan_error *err);
lochan_status lochan_local__batch_add(lochan_store_batch *batch, lochan_store_writer *writer,
                                      lochan_error *err);
lochan_status lochan_local__batch_finish(lochan_store_batch *batch, bool sync, lochan_error *err);
lochan_status lochan_local__sync(lochan_store *store, const char *const *paths, size_t n,
                                 lochan_error *err);
void lochan_local__batch_free(lochan_store_batch *batch, bool discard);

/* Makes sure that this store owns its temporary names; *number is the next one. */
lochan_status lochan_local__own(lochan_local *local, uint64_t *number, lochan_error *err);
lochan_status lochan_local__list(lochan_store *store, const char *path, lochan_store_list_fn fn,
                                 void *ctx, lochan_error *err);
lochan_status lochan_local__clean(lochan_store *store, const char *path, int64_t *removed,
                                  lochan_error *err);

#endif
