/* lake.c - making, opening and closing a lake; the small public calls around it.
 * Invariants: a lake that open returned is whole; a failed open leaves nothing behind. May call:
 * base/, store/, catalog/.
 */
#include "table/lake.h"

#include "base/fs.h"
#include "base/str.h"
#include "catalog/query.h"

enum { DEFAULT_MEMORY_LIMIT = 256 * 1024 * 1024 };

const char *lochan_version(void) {
    return LOCHAN_VERSION;
}

void lochan_free(void *p) {
    lochan_mem__free(p);
}

/* Takes over the options a caller of any version gave: what it does not know is default. */
static lochan_status read_options(const lochan_lake_options *options, lochan_lake_options *out,
                                  lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_lake_options)LOCHAN_LAKE_OPTIONS_INIT;
    if (options) {
        LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_lake_options, reserved), err);
        LOCHAN_CHECK_ARG(options->threads >= 0, err);
        LOCHAN_CHECK_ARG(options->lock_timeout_ms >= -1, err);
        size_t n = options->struct_size < sizeof *out ? options->struct_size : sizeof *out;
        memcpy(out, options, n);
        LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    }
    if (out->memory_limit == 0)
        out->memory_limit = DEFAULT_MEMORY_LIMIT;
    if (out->lock_timeout_ms == 0)
        out->lock_timeout_ms = 60000;
    return LOCHAN_OK;
}

static lochan_status found_entry(void *ctx, const char *name, const lochan_stat *st,
                                 lochan_error *err) {
    (void)name, (void)st, (void)err;
    *(bool *)ctx = true;
    return LOCHAN_OK;
}

/* A new lake takes over no folder of somebody else: `name` must be missing or empty. */
static lochan_status check_free(const char *path, const char *name, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool any = false;
    char *full = lochan_path__join(path, name);
    if (!full)
        return lochan_error__nomem(err);
    if (lochan_fs__exists(full)) {
        lochan_stat st;
        LOCHAN_TRYG(lochan_fs__stat(full, &st, err));
        if (st.is_dir)
            LOCHAN_TRYG(lochan_fs__list(full, found_entry, &any, err));
        if (any || !st.is_dir) {
            rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                   "cannot make a lake in '%s': '%s' there holds something else",
                                   path, name);
            lochan_error__hint(err, "choose an empty folder");
        }
    }
done:
    lochan_mem__free(full);
    return rc;
}

lochan_status lochan_lake_init(const char *path, const lochan_lake_options *options,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char *db = NULL, *data = NULL;
    lochan_lake_options o;
    LOCHAN_CHECK_ARG(path && *path, err);
    LOCHAN_TRY(read_options(options, &o, err));
    if (o.read_only)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "a lake cannot be made read-only");
    db = lochan_path__join(path, "lake.db");
    data = lochan_path__join(path, "data");
    if (!db || !data) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (!lochan_fs__exists(db)) {
        LOCHAN_TRYG(check_free(path, "data", err));
        LOCHAN_TRYG(check_free(path, "runs", err));
    }
    LOCHAN_TRYG(lochan_catalog__init(path, err));
    LOCHAN_TRYG(lochan_fs__mkdirs(data, NULL, err));
    LOCHAN_TRYG(lochan_fs__sync_dir(path, err));
done:
    lochan_mem__free(db);
    lochan_mem__free(data);
    return rc;
}

static char *without_trailing_slash(const char *path) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    return lochan_mem__strndup(path, n);
}

static lochan_status open_lake(const char *path, const lochan_lake_options *options,
                               int64_t *salvage, const char *beside, lochan_lake **out,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_lake *lake = NULL;
    lochan_lake_options o;
    LOCHAN_TRY(read_options(options, &o, err));
    lake = lochan_mem__zalloc(sizeof *lake);
    if (!lake)
        return lochan_error__nomem(err);
    lake->path = without_trailing_slash(path);
    if (!lake->path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    lake->lock_timeout_ms = o.lock_timeout_ms;
    lochan_budget__init(&lake->budget, o.memory_limit);
    lake->ctx.budget = &lake->budget;
    lake->ctx.cancel = &lake->cancel;
    lochan_catalog_options c = {.read_only = o.read_only,
                                .lock_timeout_ms = o.lock_timeout_ms,
                                .cancel = &lake->cancel,
                                .salvage = salvage,
                                .beside = beside};
    rc = lochan_catalog__open(lake->path, &c, &lake->catalog, err);
    if (rc == LOCHAN_ERR_NOT_FOUND && err && !err->hint[0])
        lochan_error__hint(err, "'lochan init' makes a lake");
    LOCHAN_TRYG(rc);
    lake->read_only = lochan_catalog__is_read_only(lake->catalog);
    LOCHAN_TRYG(lochan_store__open_local(lake->path, lake->read_only, &lake->store, err));
    LOCHAN_TRYG(lochan_pool__create(o.threads, &lake->ctx.pool, err));
    if (!lake->read_only)
        LOCHAN_TRYG(lochan_lake__settle_unsynced(lake, err));
    if (!lake->read_only)
        LOCHAN_TRYG(lochan_lake__watch_current(lake, err));
    *out = lake;
    lake = NULL;
done:
    lochan_lake_close(lake);
    return rc;
}

lochan_status lochan_lake_open(const char *path, const lochan_lake_options *options,
                               lochan_lake **out, lochan_error *err) {
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(path && *path, err);
    return open_lake(path, options, NULL, NULL, out, err);
}

lochan_status lochan_lake__open_salvaged(const char *path, const lochan_lake_options *options,
                                         int64_t *records, lochan_lake **out, lochan_error *err) {
    *out = NULL;
    return open_lake(path, options, records, NULL, out, err);
}

lochan_status lochan_lake__open_beside(const char *path, const lochan_lake_options *options,
                                       const char *dir, lochan_lake **out, lochan_error *err) {
    *out = NULL;
    return open_lake(path, options, NULL, dir, out, err);
}

void lochan_lake_close(lochan_lake *lake) {
    if (!lake)
        return;
    if (lake->callbacks)
        lake->free_callbacks(lake->callbacks);
    lochan_pool__free(lake->ctx.pool);
    lochan_store__close(lake->store);
    lochan_catalog__close(lake->catalog);
    lochan_mem__free(lake->path);
    lochan_mem__free(lake);
}

void lochan_lake_cancel(lochan_lake *lake) {
    if (lake)
        atomic_store_explicit(&lake->cancel.requested, 1, memory_order_relaxed);
}

void lochan_lake_resume(lochan_lake *lake) {
    if (lake)
        atomic_store_explicit(&lake->cancel.requested, 0, memory_order_relaxed);
}

const char *lochan_lake_path(const lochan_lake *lake) {
    return lake ? lake->path : "";
}

bool lochan_lake_is_read_only(const lochan_lake *lake) {
    return lake && lake->read_only;
}

lochan_status lochan_lake__check_writable(const lochan_lake *lake, lochan_error *err) {
    return lochan_catalog__check_writable(lake->catalog, err);
}

lochan_status lochan_lake_sql(lochan_lake *lake, char **out, lochan_error *err) {
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(lake, err);
    return lochan_catalog__attach_sql(lake->catalog, out, err);
}

lochan_status lochan_commit_status(lochan_lake *lake, const char *token, lochan_commit_state *state,
                                   int64_t *snapshot_id, lochan_error *err) {
    bool known = false;
    int64_t id = -1;
    LOCHAN_CHECK_ARG(state, err);
    *state = LOCHAN_COMMIT_UNKNOWN;
    if (snapshot_id)
        *snapshot_id = -1;
    LOCHAN_CHECK_ARG(lake && token && *token, err);
    LOCHAN_TRY(lochan_catalog__commit_by_token(lake->catalog, token, &known, &id, err));
    if (known) {
        *state = LOCHAN_COMMIT_DONE;
        if (snapshot_id)
            *snapshot_id = id;
    }
    return LOCHAN_OK;
}

lochan_status lochan_lake_files(lochan_lake *lake, const char *source, const char *dataset,
                                struct ArrowArrayStream *out, lochan_error *err) {
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(lake, err);
    if (dataset && !source)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "a dataset needs its source");
    return lochan_catalog__query_files(lake->catalog, source, dataset, out, err);
}
