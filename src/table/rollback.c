/* rollback.c - the rows of a table as they were: files that went come back under new names, files
 * that came go.
 * Invariants: a path that was retired is never listed again, since DuckLake's own clean-up would
 * remove it; what a failed rollback linked is removed. May call: base/, store/, parquet/, catalog/.
 */
#include "base/clock.h"
#include "base/fs.h"
#include "base/str.h"
#include "table/write.h"

typedef struct come_back {
    const lochan_data_file *file;
    char *path; /* the new one; NULL until it is there */
    lochan_pq_summary summary;
} come_back;

typedef struct rollback {
    lochan_lake *lake;
    lochan_table_def now, then;
    lochan_file_list files_now, files_then;
    come_back *back; /* to be listed again */
    size_t n_back;
    const lochan_data_file **gone; /* to be retired */
    size_t n_gone;
    bool published;
} rollback;

static void deinit(rollback *r) {
    for (size_t i = 0; i < r->n_back; i++) {
        if (r->back[i].path && !r->published)
            (void)lochan_store__remove(r->lake->store, r->back[i].path, true, NULL);
        lochan_mem__free(r->back[i].path);
        lochan_pq_summary__deinit(&r->back[i].summary);
    }
    lochan_mem__free(r->back);
    lochan_mem__free((void *)r->gone);
    lochan_file_list__deinit(&r->files_now);
    lochan_file_list__deinit(&r->files_then);
    lochan_table_def__deinit(&r->now);
    lochan_table_def__deinit(&r->then);
}

/* ---- what has to be done ---- */

static lochan_status check_tables(const rollback *r, lochan_error *err) {
    if (r->now.table_id != r->then.table_id)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "%s.%s was another table in snapshot %lld", r->now.source,
                                 r->now.dataset, (long long)r->then.snapshot_id);
    if (r->now.partition_id != r->then.partition_id)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "%s.%s was partitioned otherwise in snapshot %lld", r->now.source,
                                 r->now.dataset, (long long)r->then.snapshot_id);
    return LOCHAN_OK;
}

/* Both lists are in the order of ids. */
static lochan_status compare_lists(rollback *r, lochan_error *err) {
    size_t a = 0, b = 0;
    r->back = lochan_mem__array(r->files_then.n + 1, sizeof *r->back);
    r->gone = lochan_mem__array(r->files_now.n + 1, sizeof *r->gone);
    if (!r->back || !r->gone)
        return lochan_error__nomem(err);
    while (a < r->files_then.n || b < r->files_now.n) {
        const lochan_data_file *x = a < r->files_then.n ? &r->files_then.files[a] : NULL,
                               *y = b < r->files_now.n ? &r->files_now.files[b] : NULL;
        if (x && y && x->id == y->id) {
            a++;
            b++;
        } else if (x && (!y || x->id < y->id)) {
            if (x->foreign) {
                lochan_status rc = lochan_error__set(
                    err, LOCHAN_ERR_UNSUPPORTED,
                    "cannot go back to snapshot %lld: %s was written by another program",
                    (long long)r->then.snapshot_id, x->path);
                return lochan_error__in_file(err, rc, x->path, -1);
            }
            r->back[r->n_back++].file = x;
            a++;
        } else {
            r->gone[r->n_gone++] = y;
            b++;
        }
    }
    return LOCHAN_OK;
}

/* ---- files that come back ---- */

static lochan_status copy_file(lochan_lake *lake, const char *from, const char *to,
                               lochan_error *err) {
    enum { CHUNK = 1 << 20 };
    lochan_status rc = LOCHAN_OK;
    lochan_store_reader *in = NULL;
    lochan_store_writer *out = NULL;
    uint8_t *chunk = lochan_mem__alloc(CHUNK);
    if (!chunk)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_store__open(lake->store, from, &in, err));
    LOCHAN_TRYG(lochan_store__create(lake->store, to, &out, err));
    uint64_t size = lochan_store_reader__size(in);
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        LOCHAN_TRYG(lochan_store_reader__read(in, at, n, chunk, err));
        LOCHAN_TRYG(lochan_store_writer__write(out, chunk, n, err));
        at += n;
    }
    lochan_store_writer *done_with = out;
    out = NULL;
    LOCHAN_TRYG(lochan_store_writer__finish(done_with, err));
done:
    lochan_store_writer__abort(out);
    lochan_store_reader__close(in);
    lochan_mem__free(chunk);
    return rc;
}

/* A second name for the bytes, or a copy where the system gives none. */
static lochan_status link_file(lochan_lake *lake, const char *from, const char *to,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const char *root = lochan_store__root(lake->store);
    char *old = lochan_path__join(root, from), *fresh = lochan_path__join(root, to);
    char *folder = fresh ? lochan_mem__strdup(fresh) : NULL;
    lochan_file *file = NULL;
    if (!old || !folder) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    *strrchr(folder, '/') = '\0';
    if (lochan_fs__link(old, fresh, NULL) != LOCHAN_OK) {
        rc = copy_file(lake, from, to, err);
        goto done;
    }
    LOCHAN_TRYG(lochan_file__open(fresh, LOCHAN_FS_READ | LOCHAN_FS_NOFOLLOW, &file, err));
    LOCHAN_TRYG(lochan_file__sync(file, true, err));
    LOCHAN_TRYG(lochan_fs__sync_dir(folder, err));
done:
    (void)lochan_file__close(file, NULL);
    lochan_mem__free(old);
    lochan_mem__free(fresh);
    lochan_mem__free(folder);
    return rc;
}

static lochan_status bring_back(rollback *r, come_back *b, lochan_error *err) {
    char id[37];
    lochan_pq_reader *reader = NULL;
    LOCHAN_TRY(lochan_cancel__check(r->lake->ctx.cancel, err));
    LOCHAN_TRY(lochan_data_file__open(r->lake, b->file, &reader, err));
    lochan_status rc = lochan_pq_reader__summary(reader, &b->summary, err);
    lochan_pq_reader__close(reader);
    LOCHAN_TRY(rc);
    lochan_uuid__make(id);
    b->path = lochan_data_file__new_path(b->file, id);
    if (!b->path)
        return lochan_error__nomem(err);
    LOCHAN_TRY(link_file(r->lake, b->file->path, b->path, err));
    LOCHAN_FAILPOINT("table.rollback.linked", err);
    return LOCHAN_OK;
}

/* ---- publishing ---- */

static lochan_status list_files(rollback *r, lochan_txn *txn, lochan_error *err) {
    LOCHAN_TRY(
        lochan_txn__check_partitions(txn, r->now.table_id, r->now.snapshot_id, NULL, 0, err));
    for (size_t i = 0; i < r->n_gone; i++)
        LOCHAN_TRY(lochan_txn__retire_file(txn, r->now.table_id, r->gone[i]->id, err));
    for (size_t i = 0; i < r->n_back; i++) {
        const lochan_data_file *f = r->back[i].file;
        lochan_file_add add = {.path = r->back[i].path,
                               .file_id = f->file_id,
                               .ordinal = (int64_t)i,
                               .sorted = f->sorted,
                               .clustered = f->clustered,
                               .key_min = f->key_min,
                               .key_max = f->key_max,
                               .published_ns = f->published_ns,
                               .n_partition_values = r->now.n_partition};
        if (r->now.n_partition > 0)
            add.partition_values = (const char *const *)f->partition_values;
        LOCHAN_TRY(lochan_data_file__add(txn, r->now.table_id, &r->back[i].summary, 0, &add, err));
    }
    return LOCHAN_OK;
}

static lochan_status publish(rollback *r, const char *token, int64_t *snapshot_id,
                             lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    bool done_already;
    char commit_id[37], message[64];
    lochan_uuid__make(commit_id);
    lochan_format(message, sizeof message, "back to snapshot %lld", (long long)r->then.snapshot_id);
    lochan_txn_options options = {.kind = "rollback",
                                  .commit_id = commit_id,
                                  .token = token,
                                  .message = message,
                                  .base_snapshot = r->now.snapshot_id};
    LOCHAN_TRYG(
        lochan_txn__begin(r->lake->catalog, &options, &done_already, snapshot_id, &txn, err));
    if (done_already)
        goto done;
    LOCHAN_TRYG(list_files(r, txn, err));
    LOCHAN_FAILPOINTG("table.rollback.listed", err);
    rc = lochan_txn__commit(&txn, snapshot_id, err);
    r->published = rc == LOCHAN_OK || lochan_catalog__fate_is_open(r->lake->catalog, commit_id);
done:
    lochan_txn__abort(txn);
    return rc;
}

static lochan_status roll_back(lochan_lake *lake, const char *source, const char *dataset,
                               const char *to, const char *token, int64_t *snapshot_id,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    rollback r = {.lake = lake};
    lochan_snapshot at;
    LOCHAN_TRYG(lochan_catalog__snapshot_at(lake->catalog, to, &at, err));
    LOCHAN_TRYG(lochan_catalog__table(lake->catalog, source, dataset, at.id, &r.then, err));
    LOCHAN_TRYG(lochan_catalog__table(lake->catalog, source, dataset, -1, &r.now, err));
    LOCHAN_TRYG(check_tables(&r, err));
    LOCHAN_TRYG(lochan_catalog__files(lake->catalog, &r.then, NULL, 0, &r.files_then, err));
    LOCHAN_TRYG(lochan_catalog__files(lake->catalog, &r.now, NULL, 0, &r.files_now, err));
    LOCHAN_TRYG(compare_lists(&r, err));
    for (size_t i = 0; i < r.n_back; i++)
        LOCHAN_TRYG(bring_back(&r, &r.back[i], err));
    if (r.n_back + r.n_gone > 0 || token)
        LOCHAN_TRYG(publish(&r, token, snapshot_id, err));
done:
    deinit(&r);
    return rc;
}

lochan_status lochan_lake_rollback(lochan_lake *lake, const char *source, const char *dataset,
                                   const char *to, const lochan_commit_options *options,
                                   int64_t *snapshot_id, lochan_error *err) {
    enum { TRIES = 5 };
    lochan_error seen;
    const char *token;
    bool done;
    int64_t id = -1;
    if (snapshot_id)
        *snapshot_id = -1;
    LOCHAN_CHECK_ARG(lake && source && dataset && to, err);
    LOCHAN_TRY(lochan_commit_options__token(options, &token, err));
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    LOCHAN_TRY(lochan_lake__is_done(lake, token, &done, &id, err));
    lochan_status rc = done ? LOCHAN_OK : LOCHAN_ERR_CONFLICT;
    for (int i = 0; i < TRIES && rc == LOCHAN_ERR_CONFLICT; i++) {
        lochan_error_init(&seen);
        rc = roll_back(lake, source, dataset, to, token, &id, &seen);
    }
    if (rc != LOCHAN_OK && err)
        *err = seen;
    if (rc == LOCHAN_OK && snapshot_id)
        *snapshot_id = id;
    return rc;
}
