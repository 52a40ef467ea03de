/* raw.c - the folders of kept answers: how they come to be, what is in them, how much they take.
 * Order: answers and `evidence` are made durable, the update is published, what is not evidence
 * goes, the folder moves. A kill in between leaves it in staging, and the next update or rebuild of
 * the dataset moves it if the catalog says that it was published. May call: base/, catalog/,
 * staging.h.
 */
#include "update/raw.h"

#include "base/fs.h"
#include "base/log.h"
#include "update/mode.h"

#define SINGLE_SYNCS 16 /* files that are synced one by one; beyond it the whole file system is */

static char *join3(const char *a, const char *b, const char *c) {
    char *ab = lochan_path__join(a, b), *out = ab ? lochan_path__join(ab, c) : NULL;
    lochan_mem__free(ab);
    return out;
}

/* <lake>/data/staging/raw/<source>/<dataset>; both names were checked. */
static char *dataset_folder(const char *lake_path, const char *source, const char *dataset) {
    char *root = lochan_path__join(lake_path, "data/staging/raw");
    char *out = root ? join3(root, source, dataset) : NULL;
    lochan_mem__free(root);
    return out;
}

/* ---- during the update ---- */

lochan_status lochan_raw__note(const lochan_job *job, lochan_scope *scope, lochan_error *err) {
    if (!job->spec->keep_raw || job->replay || scope->again)
        return LOCHAN_OK;
    void *list = lochan_mem__grow(scope->answers, scope->n_answers, &scope->cap_answers,
                                  sizeof *scope->answers);
    if (!list)
        return lochan_error__nomem(err);
    scope->answers = list;
    scope->answers[scope->n_answers++] = scope->page_request;
    return LOCHAN_OK;
}

static lochan_status sync_file(void *ctx, const char *name, const lochan_stat *st,
                               lochan_error *err) {
    lochan_file *file = NULL;
    lochan_hash128 request;
    if (st->is_dir || !lochan_staging__is_page(name, &request))
        return LOCHAN_OK;
    char *path = lochan_path__join(ctx, name);
    lochan_status rc =
        path ? lochan_file__open(path, LOCHAN_FS_READ, &file, err) : lochan_error__nomem(err);
    if (rc == LOCHAN_OK)
        rc = lochan_file__sync(file, false, err);
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    lochan_mem__free(path);
    return rc;
}

/* Pages, then the record (which syncs the folder), then the folder's own name. */
static lochan_status make_durable(const lochan_job *job, const lochan_buf *record, size_t pages,
                                  lochan_error *err) {
    const char *folder = lochan_staging__folder(job->staging);
    char *path = lochan_path__join(folder, LOCHAN_RAW_FILE);
    char *root = lochan_path__join(lochan_lake_path(job->lake), "data/staging");
    lochan_status rc = path && root ? LOCHAN_OK : lochan_error__nomem(err);
    if (rc == LOCHAN_OK)
        rc = pages <= SINGLE_SYNCS
                 ? lochan_fs__list(folder, sync_file, (void *)(uintptr_t)folder, err)
                 : lochan_fs__sync_all(folder, err);
    if (rc == LOCHAN_OK)
        rc = lochan_failpoint__hit("update.raw.synced", err);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__write_all(path, record->data, record->len, err);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__sync_dir(root, err);
    lochan_mem__free(path);
    lochan_mem__free(root);
    return rc;
}

lochan_status lochan_raw__prepare(lochan_job *job, bool *kept, lochan_error *err) {
    lochan_buf record;
    size_t good = 0, pages = 0;
    *kept = false;
    if (!job->spec->keep_raw || job->replay)
        return LOCHAN_OK;
    for (size_t i = 0; i < job->n_scopes; i++) {
        good += job->scopes[i].state == LOCHAN_SCOPE_DONE;
        pages += job->scopes[i].n_answers;
    }
    /* what did not become the table is no evidence of it */
    if (good == 0 || (job->spec->update_mode->all_scopes && job->report->scopes_failed > 0))
        return LOCHAN_OK;
    lochan_status rc = lochan_raw_record__encode(job, &record, err);
    if (rc == LOCHAN_OK)
        rc = make_durable(job, &record, pages, err);
    lochan_buf__deinit(&record);
    *kept = rc == LOCHAN_OK;
    return rc;
}

/* ---- moving ---- */

struct purge {
    const char *folder;
    lochan_hash128 *answers; /* sorted */
    size_t n;
};

static int compare_hashes(const void *a, const void *b) {
    return memcmp(a, b, sizeof(lochan_hash128));
}

/* Answers of scopes that failed, and those that were asked again in parts. */
static lochan_status purge_file(void *ctx, const char *name, const lochan_stat *st,
                                lochan_error *err) {
    const struct purge *p = ctx;
    lochan_hash128 request;
    bool page = lochan_staging__is_page(name, &request);
    if (st->is_dir || strcmp(name, LOCHAN_RAW_FILE) == 0 || strcmp(name, "update.yaml") == 0 ||
        strcmp(name, LOCHAN_STAGING_LOCK) == 0 ||
        (page && p->n > 0 &&
         bsearch(&request, p->answers, p->n, sizeof request, compare_hashes) != NULL))
        return LOCHAN_OK;
    char *path = lochan_path__join(p->folder, name);
    lochan_status rc = path ? lochan_fs__unlink(path, true, err) : lochan_error__nomem(err);
    lochan_mem__free(path);
    return rc;
}

static lochan_status purge(const char *folder, lochan_error *err) {
    lochan_raw_record record;
    struct purge p = {.folder = folder};
    lochan_status rc = lochan_raw_record__read(folder, &record, err);
    if (rc == LOCHAN_OK) {
        p.answers = lochan_mem__array((size_t)record.answers + 1, sizeof *p.answers);
        rc = p.answers ? LOCHAN_OK : lochan_error__nomem(err);
    }
    for (size_t i = 0; i < record.n_scopes && rc == LOCHAN_OK; i++) {
        for (size_t a = 0; a < record.scopes[i].n_answers; a++)
            p.answers[p.n++] = record.scopes[i].answers[a];
    }
    if (rc == LOCHAN_OK) {
        if (p.n > 0)
            qsort(p.answers, p.n, sizeof *p.answers, compare_hashes);
        rc = lochan_fs__list(folder, purge_file, &p, err);
    }
    lochan_mem__free(p.answers);
    lochan_raw_record__deinit(&record);
    return rc;
}

/* Of an update that was published. */
static lochan_status move_folder(const char *lake_path, const char *source, const char *dataset,
                                 const char *folder, const char *update_id, lochan_error *err) {
    char *into = dataset_folder(lake_path, source, dataset);
    char *to = into ? lochan_path__join(into, update_id) : NULL;
    lochan_status rc = to ? LOCHAN_OK : lochan_error__nomem(err);
    if (rc == LOCHAN_OK)
        rc = purge(folder, err);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__mkdirs(into, NULL, err);
    (void)lochan_failpoint__hit("update.raw.purged", NULL);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__rename(folder, to, err);
    (void)lochan_failpoint__hit("update.raw.moved", NULL);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__sync_dir(into, err);
    char *lock = rc == LOCHAN_OK ? lochan_path__join(to, LOCHAN_STAGING_LOCK) : NULL;
    if (lock) /* whoever holds it is done with the folder */
        (void)lochan_fs__unlink(lock, true, NULL);
    lochan_mem__free(lock);
    lochan_mem__free(into);
    lochan_mem__free(to);
    return rc;
}

static bool is_published(const lochan_published_rows *rows, const char *update_id) {
    for (size_t i = 0; i < rows->n; i++) {
        if (strcmp(rows->rows[i].update_id, update_id) == 0)
            return true;
    }
    return false;
}

struct claim {
    lochan_lake *lake;
    const lochan_dataset_row *dataset;
    char *staging;
};

static lochan_status claim_folder(const struct claim *c, const char *folder, const char *update_id,
                                  bool *claimed, lochan_error *err) {
    lochan_published_rows published = {0};
    char *record = lochan_path__join(folder, LOCHAN_RAW_FILE);
    lochan_status rc = LOCHAN_OK;
    *claimed = false;
    if (!record) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (!lochan_fs__exists(record))
        goto done;
    LOCHAN_TRYG(
        lochan_catalog__published(c->lake->catalog, c->dataset->dataset_id, &published, err));
    if (!is_published(&published, update_id))
        goto done; /* its answers are as good as any others in staging */
    LOCHAN_TRYG(move_folder(lochan_lake_path(c->lake), c->dataset->source, c->dataset->name, folder,
                            update_id, err));
    *claimed = true;
done:
    lochan_published_rows__deinit(&published);
    lochan_mem__free(record);
    return rc;
}

lochan_status lochan_raw__claim(void *job, const char *folder, const char *name, bool *claimed,
                                lochan_error *err) {
    const lochan_job *j = job;
    const struct claim c = {j->lake, j->dataset, NULL};
    lochan_error why;
    lochan_error_init(&why);
    lochan_status rc = claim_folder(&c, folder, name, claimed, &why);
    if (rc == LOCHAN_ERR_CORRUPT) { /* no reason not to update; a rebuild stops at it */
        LOCHAN_WARN("%s: %s/%s: %s; it stays where it is", j->full_name, folder, LOCHAN_RAW_FILE,
                    why.message);
        *claimed = true;
        return LOCHAN_OK;
    }
    if (rc != LOCHAN_OK && err)
        *err = why;
    return rc;
}

/* ---- what there is ---- */

void lochan_raw_updates__deinit(lochan_raw_updates *updates) {
    for (size_t i = 0; i < updates->n; i++)
        lochan_mem__free(updates->items[i].folder);
    lochan_mem__free(updates->items);
    *updates = (lochan_raw_updates){0};
}

struct size {
    int64_t files, bytes;
};

static lochan_status add_size(void *ctx, const char *name, const lochan_stat *st,
                              lochan_error *err) {
    struct size *size = ctx;
    (void)name;
    (void)err;
    size->files += !st->is_dir;
    size->bytes += st->is_dir ? 0 : (int64_t)st->size;
    return LOCHAN_OK;
}

/* A folder that goes away meanwhile has no size. */
static lochan_status list_quietly(const char *folder, lochan_fs_list_fn fn, void *ctx,
                                  lochan_error *err) {
    lochan_error why;
    lochan_error_init(&why);
    lochan_status rc = lochan_fs__list(folder, fn, ctx, &why);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK && err)
        *err = why;
    return rc;
}

static lochan_status add_update(lochan_raw_updates *out, const char *root,
                                const lochan_published_row *row, lochan_error *err) {
    const char *update_id = row->update_id;
    struct size size = {0, 0};
    char *folder = lochan_path__join(root, update_id);
    char *record = folder ? lochan_path__join(folder, LOCHAN_RAW_FILE) : NULL;
    lochan_status rc = record ? LOCHAN_OK : lochan_error__nomem(err);
    bool there = rc == LOCHAN_OK && lochan_fs__exists(record);
    if (there)
        rc = list_quietly(folder, add_size, &size, err);
    void *items = there && rc == LOCHAN_OK
                      ? lochan_mem__grow(out->items, out->n, &out->cap, sizeof *out->items)
                      : NULL;
    if (items) {
        out->items = items;
        lochan_raw_update *u = &out->items[out->n++];
        *u = (lochan_raw_update){.folder = folder,
                                 .finished_ns = row->finished_ns,
                                 .files = size.files,
                                 .bytes = size.bytes};
        (void)lochan_format(u->update_id, sizeof u->update_id, "%s", update_id);
        folder = NULL;
    } else if (there && rc == LOCHAN_OK) {
        rc = lochan_error__nomem(err);
    }
    lochan_mem__free(folder);
    lochan_mem__free(record);
    return rc;
}

static lochan_status settle_folder(void *ctx, const char *name, const lochan_stat *st,
                                   lochan_error *err) {
    const struct claim *c = ctx;
    lochan_lock *lock = NULL;
    bool claimed;
    char *folder = lochan_path__join(c->staging, name), *record = NULL;
    lochan_status rc = LOCHAN_OK;
    if (folder)
        record = lochan_path__join(folder, LOCHAN_RAW_FILE);
    if (!record)
        rc = lochan_error__nomem(err);
    if (record && st->is_dir && lochan_fs__exists(record)) {
        lochan_error why;
        lochan_error_init(&why);
        rc = lochan_staging__lock(folder, &lock, &why);
        if (rc == LOCHAN_OK)
            rc = claim_folder(c, folder, name, &claimed, &why);
        if (rc == LOCHAN_ERR_LOCKED || rc == LOCHAN_ERR_NOT_FOUND)
            rc = LOCHAN_OK; /* its update is about to move it */
        else if (rc != LOCHAN_OK && err)
            *err = why;
    }
    lochan_lock__release(lock);
    lochan_mem__free(folder);
    lochan_mem__free(record);
    return rc;
}

static lochan_status settle_all(lochan_lake *lake, const lochan_dataset_row *dataset,
                                lochan_error *err) {
    struct claim c = {lake, dataset, lochan_path__join(lochan_lake_path(lake), "data/staging")};
    lochan_status rc =
        c.staging ? list_quietly(c.staging, settle_folder, &c, err) : lochan_error__nomem(err);
    lochan_mem__free(c.staging);
    return rc;
}

lochan_status lochan_raw__list(lochan_lake *lake, const lochan_dataset_row *dataset, bool settle,
                               lochan_raw_updates *out, lochan_error *err) {
    lochan_published_rows published = {0};
    lochan_status rc = LOCHAN_OK;
    char *root = dataset_folder(lochan_lake_path(lake), dataset->source, dataset->name);
    *out = (lochan_raw_updates){0};
    if (!root) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (settle)
        LOCHAN_TRYG(settle_all(lake, dataset, err));
    if (!lochan_fs__exists(root))
        goto done;
    LOCHAN_TRYG(lochan_catalog__published(lake->catalog, dataset->dataset_id, &published, err));
    for (size_t i = 0; i < published.n; i++) {
        if (lochan_name__check("update", published.rows[i].update_id, NULL) == LOCHAN_OK)
            LOCHAN_TRYG(add_update(out, root, &published.rows[i], err));
    }
done:
    lochan_published_rows__deinit(&published);
    lochan_mem__free(root);
    if (rc != LOCHAN_OK)
        lochan_raw_updates__deinit(out);
    return rc;
}

struct walk {
    const char *root;
    struct size size;
};

static lochan_status add_folder(void *ctx, const char *name, const lochan_stat *st,
                                lochan_error *err) {
    struct walk *w = ctx;
    if (!st->is_dir)
        return LOCHAN_OK;
    char *folder = lochan_path__join(w->root, name);
    lochan_status rc =
        folder ? list_quietly(folder, add_size, &w->size, err) : lochan_error__nomem(err);
    lochan_mem__free(folder);
    return rc;
}

lochan_status lochan_raw__disk_use(const char *lake_path, const char *source, const char *dataset,
                                   int64_t *files, int64_t *bytes, lochan_error *err) {
    *files = *bytes = 0;
    char *root = dataset_folder(lake_path, source, dataset);
    struct walk w = {.root = root};
    lochan_status rc = root ? list_quietly(root, add_folder, &w, err) : lochan_error__nomem(err);
    *files = w.size.files;
    *bytes = w.size.bytes;
    lochan_mem__free(root);
    return rc;
}

lochan_status lochan_raw__remove(const char *lake_path, const char *source, const char *dataset,
                                 lochan_error *err) {
    char *root = dataset_folder(lake_path, source, dataset);
    lochan_status rc = root ? lochan_fs__remove_tree(root, err) : lochan_error__nomem(err);
    lochan_mem__free(root);
    return rc;
}

/* ---- the bound ---- */

/* Without its record a folder is no evidence, however much of it is left. */
static lochan_status remove_update(const lochan_raw_update *update, lochan_error *err) {
    char *record = lochan_path__join(update->folder, LOCHAN_RAW_FILE);
    lochan_status rc = record ? lochan_fs__unlink(record, true, err) : lochan_error__nomem(err);
    (void)lochan_failpoint__hit("update.raw.trimmed", NULL);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__remove_tree(update->folder, err);
    lochan_mem__free(record);
    return rc;
}

/* What was left of a removal that was cut off. */
static lochan_status remove_leftover(void *ctx, const char *name, const lochan_stat *st,
                                     lochan_error *err) {
    const char *root = ctx;
    char *folder = lochan_path__join(root, name);
    char *record = join3(root, name, LOCHAN_RAW_FILE);
    lochan_status rc = folder && record ? LOCHAN_OK : lochan_error__nomem(err);
    if (rc == LOCHAN_OK && st->is_dir && !lochan_fs__exists(record))
        rc = lochan_fs__remove_tree(folder, err);
    lochan_mem__free(folder);
    lochan_mem__free(record);
    return rc;
}

lochan_status lochan_raw__trim(lochan_lake *lake, const lochan_dataset_row *dataset,
                               uint64_t max_bytes, int64_t *files, int64_t *bytes,
                               lochan_error *err) {
    lochan_raw_updates all = {0};
    uint64_t total = 0;
    lochan_status rc;
    *files = *bytes = 0;
    char *root = dataset_folder(lochan_lake_path(lake), dataset->source, dataset->name);
    if (!root)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_raw__list(lake, dataset, false, &all, err));
    LOCHAN_TRYG(list_quietly(root, remove_leftover, root, err));
    for (size_t i = 0; i < all.n; i++)
        total += (uint64_t)all.items[i].bytes;
    for (size_t i = 0; i < all.n && total > max_bytes; i++) {
        LOCHAN_TRYG(remove_update(&all.items[i], err));
        total -= (uint64_t)all.items[i].bytes;
        *files += all.items[i].files;
        *bytes += all.items[i].bytes;
    }
done:
    lochan_raw_updates__deinit(&all);
    lochan_mem__free(root);
    return rc;
}

lochan_status lochan_raw__keep(lochan_job *job, lochan_error *err) {
    int64_t files, bytes;
    LOCHAN_TRY(move_folder(lochan_lake_path(job->lake), job->spec->source, job->spec->name,
                           lochan_staging__folder(job->staging), job->update_id, err));
    LOCHAN_TRY(
        lochan_raw__trim(job->lake, job->dataset, job->spec->raw_max_bytes, &files, &bytes, err));
    if (files > 0)
        LOCHAN_WARN("%s: the oldest kept answers went (%lld files, %lld bytes): raw_max_bytes is "
                    "%llu",
                    job->full_name, (long long)files, (long long)bytes,
                    (unsigned long long)job->spec->raw_max_bytes);
    return LOCHAN_OK;
}
