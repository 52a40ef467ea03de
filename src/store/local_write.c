/* local_write.c - writing files of a local store, singly and as the batch of one commit.
 * Invariants: order is data sync, rename, folder sync, always; a failed sync is final: the files
 * are removed, never synced again. May call: base/, local.h.
 */
#include "store/local.h"

#include "base/cancel.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* Up to this many files are kept open and synced one by one; past it all are closed and one syncfs
 * is cheaper. Folders likewise. */
#define FSYNC_MAX 16

enum { SMALL_BYTES = 32 << 10 };

/* ---- folders ---- */

static size_t dirs_find(char *const *names, size_t n, const char *dir, size_t len, bool *found) {
    size_t low = 0, high = n;
    *found = false;
    while (low < high) {
        size_t mid = (low + high) / 2;
        int c = strncmp(names[mid], dir, len);
        if (c == 0 && names[mid][len] != '\0')
            c = 1;
        if (c == 0) {
            *found = true;
            return mid;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

lochan_status lochan_local__dirs_add(lochan_dir_set *set, const char *dir, size_t n,
                                     lochan_error *err) {
    bool found;
    size_t at = dirs_find(set->names, set->n, dir, n, &found);
    if (found)
        return LOCHAN_OK;
    if (set->n == set->cap) {
        size_t cap = set->cap ? set->cap * 2 : 16;
        char **names = lochan_mem__realloc(set->names, cap * sizeof(*names));
        if (!names)
            return lochan_error__nomem(err);
        set->names = names;
        set->cap = cap;
    }
    char *copy = lochan_mem__strndup(dir, n);
    if (!copy)
        return lochan_error__nomem(err);
    memmove(set->names + at + 1, set->names + at, (set->n - at) * sizeof(*set->names));
    set->names[at] = copy;
    set->n++;
    return LOCHAN_OK;
}

void lochan_local__dirs_deinit(lochan_dir_set *set) {
    for (size_t i = 0; i < set->n; i++)
        lochan_mem__free(set->names[i]);
    lochan_mem__free(set->names);
    *set = (lochan_dir_set){0};
}

static bool is_durable(lochan_local *local, const char *dir, size_t n) {
    bool found;
    pthread_mutex_lock(&local->mutex);
    dirs_find(local->durable, local->n_durable, dir, n, &found);
    pthread_mutex_unlock(&local->mutex);
    return found;
}

/* Whether a folder's own name is on disk is not known from its existence: another process may have
 * made it a moment ago and not synced its parent yet. So each process syncs every parent once. */
lochan_status lochan_local__dirs_of(lochan_local *local, const char *target, lochan_dir_set *set,
                                    lochan_error *err) {
    size_t root = strlen(local->base.root);
    size_t n = (size_t)(strrchr(target, '/') - target);
    LOCHAN_TRY(lochan_local__dirs_add(set, target, n, err));
    while (n > root && !is_durable(local, target, n)) {
        while (n > root && target[--n] != '/') {
        }
        LOCHAN_TRY(lochan_local__dirs_add(set, target, n, err));
    }
    return LOCHAN_OK;
}

/* A folder is known durable when its parent was synced after it was made. Being forgetful here only
 * costs a sync. */
static void mark_durable(lochan_local *local, const lochan_dir_set *set) {
    size_t root = strlen(local->base.root);
    pthread_mutex_lock(&local->mutex);
    lochan_dir_set known = {local->durable, local->n_durable, local->cap_durable};
    for (size_t i = 0; i < set->n; i++) {
        const char *dir = set->names[i];
        size_t n = strlen(dir);
        bool parent_synced = false;
        size_t up = n;
        while (up > root && dir[--up] != '/') {
        }
        dirs_find(set->names, set->n, dir, up, &parent_synced);
        if (n > root && parent_synced && known.n < 100000 &&
            lochan_local__dirs_add(&known, dir, n, NULL) != LOCHAN_OK)
            break;
    }
    local->durable = known.names;
    local->n_durable = known.n;
    local->cap_durable = known.cap;
    pthread_mutex_unlock(&local->mutex);
}

lochan_status lochan_local__dirs_sync(lochan_local *local, const lochan_dir_set *set,
                                      lochan_error *err) {
    if (set->n > FSYNC_MAX)
        LOCHAN_TRY(lochan_fs__sync_all(local->base.root, err));
    for (size_t i = set->n <= FSYNC_MAX ? set->n : 0;
         i-- > 0;) /* deeper folders first: sorted order puts a parent before its children */
        LOCHAN_TRY(lochan_fs__sync_dir(set->names[i], err));
    mark_durable(local, set);
    return LOCHAN_OK;
}

/* ---- one file ---- */

static void writer_free(lochan_local_writer *w) {
    if (w->file)
        (void)!lochan_file__close(w->file, NULL);
    lochan_mem__free(w->temp);
    lochan_mem__free(w->target);
    lochan_mem__free(w->base.path);
    lochan_mem__free(w->small);
    lochan_mem__free(w);
}

static lochan_status make_names(lochan_local *local, lochan_local_writer *w, const char *path,
                                lochan_error *err) {
    uint64_t number;
    LOCHAN_TRY(lochan_local__own(local, &number, err));
    w->base.path = lochan_mem__strdup(path);
    w->target = lochan_path__join(local->base.root, path);
    size_t cap = strlen(local->base.root) + strlen(path) + 96;
    w->temp = lochan_mem__alloc(cap);
    if (!w->base.path || !w->target || !w->temp)
        return lochan_error__nomem(err);
    int dir = (int)(strrchr(w->target, '/') - w->target);
    lochan_format(w->temp, cap, "%.*s/" LOCHAN_TMP_PREFIX "%s-%llu", dir, w->target, local->owner,
                  (unsigned long long)number);
    return LOCHAN_OK;
}

lochan_status lochan_local__create(lochan_store *store, const char *path, lochan_store_writer **out,
                                   lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_local *local = (lochan_local *)store;
    lochan_local_writer *w = lochan_mem__zalloc(sizeof(*w));
    if (!w)
        return lochan_error__nomem(err);
    w->base.store = store;
    LOCHAN_TRYG(make_names(local, w, path, err));
    char *slash = strrchr(w->target, '/');
    *slash = '\0';
    rc = lochan_fs__mkdirs(w->target, NULL, err);
    *slash = '/';
    LOCHAN_TRYG(rc);
    if (lochan_fs__exists(w->target)) {
        rc = lochan_error__set(err, LOCHAN_ERR_EXISTS, "file %s exists already", path);
        goto done;
    }
    LOCHAN_TRYG(lochan_file__open(w->temp, LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_EXCLUSIVE,
                                  &w->file, err));
done:
    if (rc != LOCHAN_OK) {
        writer_free(w);
        return rc;
    }
    *out = &w->base;
    return LOCHAN_OK;
}

static lochan_status flush_small(lochan_local_writer *w, lochan_error *err) {
    size_t n = w->n_small;
    w->n_small = 0;
    return n > 0 ? lochan_file__write(w->file, w->small, n, w->base.size - n, err) : LOCHAN_OK;
}

/* A Parquet file of few rows is written in many small pieces: they wait to be one. */
lochan_status lochan_local__write(lochan_store_writer *writer, const void *p, size_t n,
                                  lochan_error *err) {
    lochan_local_writer *w = (lochan_local_writer *)writer;
    if (!w->small && n < SMALL_BYTES)
        w->small = lochan_mem__alloc(SMALL_BYTES);
    if (w->n_small + n > SMALL_BYTES)
        LOCHAN_TRY(flush_small(w, err));
    if (w->small && n < SMALL_BYTES) {
        memcpy(w->small + w->n_small, p, n);
        w->n_small += n;
    } else {
        LOCHAN_TRY(lochan_file__write(w->file, p, n, writer->size, err));
    }
    writer->size += n;
    return LOCHAN_OK;
}

void lochan_local__abort(lochan_store_writer *writer) {
    lochan_local_writer *w = (lochan_local_writer *)writer;
    (void)!lochan_fs__unlink(w->temp, true, NULL);
    writer_free(w);
}

lochan_status lochan_local__finish(lochan_store_writer *writer, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_store_batch *batch = NULL;
    lochan_store *store = writer->store;
    rc = lochan_local__batch_create(store, &batch, err);
    if (rc != LOCHAN_OK) {
        lochan_local__abort(writer);
        return rc;
    }
    LOCHAN_TRYG(lochan_local__batch_add(batch, writer, err));
    LOCHAN_TRYG(lochan_local__batch_finish(batch, true, err));
done:
    lochan_local__batch_free(batch, false);
    return rc;
}

/* ---- a batch ---- */

typedef struct lochan_local_batch {
    lochan_store_batch base;
    lochan_local_writer **files;
    size_t n, cap;
    size_t renamed; /* files [0, renamed) bear their names */
    bool finished;
} lochan_local_batch;

lochan_status lochan_local__batch_create(lochan_store *store, lochan_store_batch **out,
                                         lochan_error *err) {
    lochan_local_batch *b = lochan_mem__zalloc(sizeof(*b));
    if (!b)
        return lochan_error__nomem(err);
    b->base.store = store;
    *out = &b->base;
    return LOCHAN_OK;
}

static lochan_status close_file(lochan_local_writer *w, lochan_error *err) {
    lochan_file *file = w->file;
    w->file = NULL;
    return lochan_file__close(file, err);
}

static lochan_status batch_grow(lochan_local_batch *b, lochan_error *err) {
    if (b->n < b->cap)
        return LOCHAN_OK;
    size_t cap = b->cap ? b->cap * 2 : FSYNC_MAX;
    lochan_local_writer **files = lochan_mem__realloc(b->files, cap * sizeof(*files));
    if (!files)
        return lochan_error__nomem(err);
    b->files = files;
    b->cap = cap;
    return LOCHAN_OK;
}

lochan_status lochan_local__batch_add(lochan_store_batch *batch, lochan_store_writer *writer,
                                      lochan_error *err) {
    lochan_local_batch *b = (lochan_local_batch *)batch;
    lochan_local_writer *w = (lochan_local_writer *)writer;
    lochan_status rc = flush_small(w, err);
    lochan_mem__free(w->small);
    w->small = NULL;
    if (rc == LOCHAN_OK)
        rc = batch_grow(b, err);
    if (rc != LOCHAN_OK) {
        lochan_local__abort(writer);
        return rc;
    }
    b->files[b->n++] = w;
    if (b->n <= FSYNC_MAX)
        return LOCHAN_OK;
    for (size_t i = b->n == FSYNC_MAX + 1 ? 0 : b->n - 1; i < b->n; i++)
        LOCHAN_TRY(close_file(b->files[i], err));
    return LOCHAN_OK;
}

static lochan_status sync_files(lochan_local_batch *b, lochan_error *err) {
    if (b->n > FSYNC_MAX)
        return lochan_fs__sync_all(b->base.store->root, err);
    for (size_t i = 0; i < b->n; i++) {
        LOCHAN_TRY(lochan_file__sync(b->files[i]->file, false, err));
        LOCHAN_TRY(close_file(b->files[i], err));
    }
    return LOCHAN_OK;
}

static lochan_status close_files(lochan_local_batch *b, lochan_error *err) {
    for (size_t i = 0; i < b->n; i++)
        LOCHAN_TRY(close_file(b->files[i], err));
    return LOCHAN_OK;
}

lochan_status lochan_local__batch_finish(lochan_store_batch *batch, bool sync, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_local_batch *b = (lochan_local_batch *)batch;
    lochan_local *local = (lochan_local *)batch->store;
    lochan_dir_set dirs = {0};
    for (size_t i = 0; sync && i < b->n; i++)
        LOCHAN_TRYG(lochan_local__dirs_of(local, b->files[i]->target, &dirs, err));
    LOCHAN_FAILPOINTG("store.written", err);
    LOCHAN_TRYG(sync ? sync_files(b, err) : close_files(b, err));
    LOCHAN_FAILPOINTG("store.synced", err);
    for (; b->renamed < b->n; b->renamed++)
        LOCHAN_TRYG(
            lochan_fs__rename(b->files[b->renamed]->temp, b->files[b->renamed]->target, err));
    LOCHAN_FAILPOINTG("store.renamed", err);
    LOCHAN_TRYG(lochan_local__dirs_sync(local, &dirs, err)); /* none if unsynced */
    LOCHAN_FAILPOINTG("store.durable", err);
    b->finished = true;
done:
    lochan_local__dirs_deinit(&dirs);
    return rc;
}

void lochan_local__batch_free(lochan_store_batch *batch, bool discard) {
    lochan_local_batch *b = (lochan_local_batch *)batch;
    for (size_t i = 0; i < b->n; i++) {
        lochan_local_writer *w = b->files[i];
        if (!b->finished || discard)
            (void)!lochan_fs__unlink(i < b->renamed ? w->target : w->temp, true, NULL);
        writer_free(w);
    }
    lochan_mem__free(b->files);
    lochan_mem__free(b);
}

/* ---- files that were finished unsynced ---- */

static lochan_status sync_one(const char *path, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    LOCHAN_TRYG(lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_NOFOLLOW, &file, err));
    LOCHAN_TRYG(lochan_file__sync(file, false, err));
done:
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    return rc;
}

lochan_status lochan_local__sync(lochan_store *store, const char *const *paths, size_t n,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_local *local = (lochan_local *)store;
    lochan_dir_set dirs = {0};
    for (size_t i = 0; i < n; i++) {
        char *full = lochan_path__join(store->root, paths[i]);
        if (!full) {
            rc = lochan_error__nomem(err);
            goto done;
        }
        rc = lochan_local__dirs_of(local, full, &dirs, err);
        if (rc == LOCHAN_OK && n <= FSYNC_MAX)
            rc = sync_one(full, err);
        lochan_mem__free(full);
        if (rc != LOCHAN_OK)
            goto done;
    }
    if (n > FSYNC_MAX)
        LOCHAN_TRYG(lochan_fs__sync_all(store->root, err));
    LOCHAN_TRYG(lochan_local__dirs_sync(local, &dirs, err));
done:
    lochan_local__dirs_deinit(&dirs);
    return rc;
}
