/* local.c - a store that is a directory: opening, reading, listing, leftovers.
 * Invariants: nothing outside the root is touched; a link as the last part of a path is not
 * followed; leftovers are removed only when the lock of their owner is free. May call: base/,
 * local.h.
 */
#include "store/local.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>

/* ---- owner of temporary names ---- */

static char *owner_path(const lochan_local *local, const char *owner) {
    size_t cap = strlen(local->base.root) + 80;
    char *path = lochan_mem__alloc(cap);
    if (path)
        lochan_format(path, cap, "%s/" LOCHAN_OWNER_DIR "/writer-%s.lock", local->base.root, owner);
    return path;
}

/* Opens and locks our owner file. A cleaner may lock and remove it between the two steps: then
 * *held is false. */
static lochan_status try_own(lochan_local *local, const char *path, bool *held, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    lochan_stat named, opened;
    *held = false;
    LOCHAN_TRYG(
        lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_CREATE, &file, err));
    LOCHAN_TRYG(lochan_file__lock(file, LOCHAN_LOCK_EXCLUSIVE, 0, 1, held, err));
    if (*held) {
        LOCHAN_TRYG(lochan_file__stat(file, &opened, err));
        *held = lochan_fs__stat(path, &named, NULL) == LOCHAN_OK && named.inode == opened.inode;
    }
    if (*held) {
        local->owner_lock = file;
        file = NULL;
    }
done:
    if (rc != LOCHAN_OK)
        *held = false;
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    return rc;
}

static lochan_status become_owner(lochan_local *local, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool held = false;
    char *path = NULL;
    char *dir = lochan_path__join(local->base.root, LOCHAN_OWNER_DIR);
    if (!dir)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_fs__mkdirs(dir, NULL, err));
    for (int attempt = 0; attempt < 10 && !held; attempt++) {
        lochan_uuid__make(local->owner);
        lochan_mem__free(path);
        path = owner_path(local, local->owner);
        if (!path) {
            rc = lochan_error__nomem(err);
            goto done;
        }
        LOCHAN_TRYG(try_own(local, path, &held, err));
    }
    if (!held)
        rc = lochan_error__set(err, LOCHAN_ERR_IO, "cannot lock a file of our own in %s", dir);
done:
    lochan_mem__free(path);
    lochan_mem__free(dir);
    return rc;
}

lochan_status lochan_local__own(lochan_local *local, uint64_t *number, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    pthread_mutex_lock(&local->mutex);
    if (!local->owner_lock)
        rc = become_owner(local, err);
    *number = local->counter++;
    pthread_mutex_unlock(&local->mutex);
    return rc;
}

/* ---- opening ---- */

static void local_close(lochan_store *store) {
    lochan_local *local = (lochan_local *)store;
    if (local->owner_lock) {
        char *path = owner_path(local, local->owner);
        if (path)
            (void)!lochan_fs__unlink(path, true, NULL);
        lochan_mem__free(path);
        (void)!lochan_file__close(local->owner_lock, NULL);
    }
    lochan_dir_set known = {local->durable, local->n_durable, local->cap_durable};
    lochan_local__dirs_deinit(&known);
    pthread_mutex_destroy(&local->mutex);
    lochan_mem__free(store->root);
    lochan_mem__free(local);
}

/* ---- reading ---- */

typedef struct lochan_local_reader {
    lochan_store_reader base;
    lochan_file *file;
} lochan_local_reader;

static void local_reader_close(lochan_store_reader *reader) {
    lochan_local_reader *r = (lochan_local_reader *)reader;
    (void)!lochan_file__close(r->file, NULL);
    lochan_mem__free(reader->path);
    lochan_mem__free(r);
}

static lochan_status local_open(lochan_store *store, const char *path, lochan_store_reader **out,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_stat st;
    char *full = lochan_path__join(store->root, path);
    lochan_local_reader *r = lochan_mem__zalloc(sizeof(*r));
    if (!full || !r || !(r->base.path = lochan_mem__strdup(path))) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    r->base.store = store;
    LOCHAN_TRYG(lochan_file__open(full, LOCHAN_FS_READ | LOCHAN_FS_NOFOLLOW, &r->file, err));
    LOCHAN_TRYG(lochan_file__stat(r->file, &st, err));
    if (st.is_dir) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s is a folder, not a file", path);
        goto done;
    }
    r->base.size = st.size;
done:
    lochan_mem__free(full);
    if (rc != LOCHAN_OK) {
        if (r)
            local_reader_close(&r->base);
        return lochan_error__in_file(err, rc, path, -1);
    }
    *out = &r->base;
    return LOCHAN_OK;
}

static lochan_status local_read(lochan_store_reader *reader, uint64_t offset, size_t n, void *dst,
                                lochan_error *err) {
    return lochan_file__read(((lochan_local_reader *)reader)->file, dst, n, offset, err);
}

/* ---- small ones ---- */

static lochan_status local_stat(lochan_store *store, const char *path, lochan_stat *out,
                                lochan_error *err) {
    char *full = lochan_path__join(store->root, path);
    if (!full)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_fs__lstat(full, out, err);
    lochan_mem__free(full);
    return rc;
}

static lochan_status local_remove(lochan_store *store, const char *path, bool missing_ok,
                                  lochan_error *err) {
    char *full = lochan_path__join(store->root, path);
    if (!full)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_fs__unlink(full, missing_ok, err);
    lochan_mem__free(full);
    return rc;
}

static lochan_status local_remove_tree(lochan_store *store, const char *path, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_stat st;
    char *full = lochan_path__join(store->root, path);
    if (!full)
        return lochan_error__nomem(err);
    if (lochan_fs__lstat(full, &st, NULL) == LOCHAN_OK)
        rc = lochan_fs__remove_tree(full, err);
    lochan_mem__free(full);
    return rc;
}

/* ---- listing ---- */

typedef struct walk {
    const char *root;
    const char *rel; /* folder under way */
    int depth;
    lochan_store_list_fn fn;
    void *ctx;
} walk;

static lochan_status walk_dir(const walk *w, lochan_error *err);

static lochan_status walk_entry(void *ctx, const char *name, const lochan_stat *st,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    walk *w = ctx;
    char *path = lochan_path__join(w->rel, name);
    if (!path)
        return lochan_error__nomem(err);
    if (st->is_dir && !st->is_link) {
        walk below = *w;
        below.rel = path;
        below.depth++;
        rc = walk_dir(&below, err);
    } else {
        bool temporary = strncmp(name, LOCHAN_TMP_PREFIX, strlen(LOCHAN_TMP_PREFIX)) == 0;
        rc = w->fn(w->ctx, path, st, temporary, err);
    }
    lochan_mem__free(path);
    return rc;
}

static lochan_status walk_dir(const walk *w, lochan_error *err) {
    if (w->depth > 64)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "folders are nested more than 64 deep at %s", w->rel);
    char *full = lochan_path__join(w->root, w->rel);
    if (!full)
        return lochan_error__nomem(err);
    walk self = *w;
    lochan_status rc = lochan_fs__list(full, walk_entry, &self, err);
    lochan_mem__free(full);
    return rc;
}

lochan_status lochan_local__list(lochan_store *store, const char *path, lochan_store_list_fn fn,
                                 void *ctx, lochan_error *err) {
    lochan_stat st;
    lochan_status rc = local_stat(store, path, &st, err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    LOCHAN_TRY(rc);
    walk w = {store->root, path, 0, fn, ctx};
    return walk_dir(&w, err);
}

/* ---- leftovers ---- */

typedef struct cleaner {
    lochan_local *local;
    int64_t removed;
} cleaner;

/* Dead: the owner's lock file is gone, or free. A dead owner's lock file is removed while we hold
 * its lock. */
static lochan_status owner_is_dead(lochan_local *local, const char *owner, bool *dead,
                                   lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    *dead = false;
    char *path = owner_path(local, owner);
    if (!path)
        return lochan_error__nomem(err);
    rc = lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE, &file, err);
    if (rc == LOCHAN_ERR_NOT_FOUND) {
        *dead = true;
        rc = LOCHAN_OK;
        goto done;
    }
    LOCHAN_TRYG(rc);
    LOCHAN_TRYG(lochan_file__lock(file, LOCHAN_LOCK_EXCLUSIVE, 0, 1, dead, err));
    if (*dead)
        LOCHAN_TRYG(lochan_fs__unlink(path, true, err));
done:
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    lochan_mem__free(path);
    return rc;
}

static lochan_status clean_entry(void *ctx, const char *path, const lochan_stat *st, bool temporary,
                                 lochan_error *err) {
    cleaner *c = ctx;
    char owner[37];
    const char *name = lochan_path__basename(path) + strlen(LOCHAN_TMP_PREFIX);
    if (!temporary || st->is_link || strlen(name) < 38 || name[36] != '-')
        return LOCHAN_OK;
    memcpy(owner, name, 36);
    owner[36] = '\0';
    bool dead;
    if (lochan_name__check("owner", owner, NULL) != LOCHAN_OK)
        return LOCHAN_OK;
    LOCHAN_TRY(owner_is_dead(c->local, owner, &dead, err));
    if (!dead)
        return LOCHAN_OK;
    LOCHAN_TRY(local_remove(&c->local->base, path, true, err));
    c->removed++;
    return LOCHAN_OK;
}

lochan_status lochan_local__clean(lochan_store *store, const char *path, int64_t *removed,
                                  lochan_error *err) {
    cleaner c = {(lochan_local *)store, 0};
    lochan_status rc = lochan_local__list(store, path, clean_entry, &c, err);
    *removed = c.removed;
    return rc;
}

static const lochan_store_ops local_ops = {
    .close = local_close,
    .create = lochan_local__create,
    .write = lochan_local__write,
    .finish = lochan_local__finish,
    .abort = lochan_local__abort,
    .batch_create = lochan_local__batch_create,
    .batch_add = lochan_local__batch_add,
    .batch_finish = lochan_local__batch_finish,
    .batch_free = lochan_local__batch_free,
    .sync = lochan_local__sync,
    .open = local_open,
    .read = local_read,
    .reader_close = local_reader_close,
    .stat = local_stat,
    .remove = local_remove,
    .remove_tree = local_remove_tree,
    .list = lochan_local__list,
    .clean = lochan_local__clean,
};

lochan_status lochan_store__open_local(const char *root, bool read_only, lochan_store **out,
                                       lochan_error *err) {
    *out = NULL;
    lochan_stat st;
    LOCHAN_TRY(lochan_fs__stat(root, &st, err));
    if (!st.is_dir)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "%s is not a folder", root);
    lochan_local *local = lochan_mem__zalloc(sizeof(*local));
    if (!local)
        return lochan_error__nomem(err);
    size_t n = strlen(root);
    while (n > 1 && root[n - 1] == '/')
        n--;
    local->base.root = lochan_mem__strndup(root, n);
    if (!local->base.root) {
        lochan_mem__free(local);
        return lochan_error__nomem(err);
    }
    local->base.ops = &local_ops;
    local->base.read_only = read_only;
    pthread_mutex_init(&local->mutex, NULL);
    *out = &local->base;
    return LOCHAN_OK;
}
