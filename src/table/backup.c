/* backup.c - a copy of a lake in another folder, brought up to date by each backup.
 * Invariants: the folder holds the last whole backup at every moment; only files that an earlier
 * backup into this folder listed are ever removed from it. May call: base/, store/, catalog/.
 */
#include "base/clock.h"
#include "base/log.h"
#include "base/str.h"
#include "catalog/lock.h"
#include "table/backup.h"

typedef struct backup {
    lochan_lake *lake;
    const char *dir;
    lochan_backup_options options;
    lochan_backup_report *report;
    lochan_lock *lock;
    lochan_backup_note old, fresh;
    bool has_old;
    lochan_backup set;
    lochan_copying copying;
} backup;

static void deinit(backup *b) {
    lochan_copying__deinit(&b->copying);
    lochan_backup__deinit(&b->set);
    lochan_backup_note__deinit(&b->old);
    lochan_lock__release(b->lock);
}

/* ---- the folder ---- */

static lochan_status found_entry(void *ctx, const char *name, const lochan_stat *st,
                                 lochan_error *err) {
    (void)st, (void)err;
    if (strcmp(name, "backup.lock") != 0)
        *(bool *)ctx = true;
    return LOCHAN_OK;
}

/* A folder that was no backup becomes one only if it is empty. */
static lochan_status claim(backup *b, lochan_error *err) {
    bool any = false;
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = lochan_backup_note__read(b->dir, &b->old, &seen);
    b->has_old = rc == LOCHAN_OK;
    if (rc != LOCHAN_OK && rc != LOCHAN_ERR_NOT_FOUND) {
        if (err)
            *err = seen;
        return rc;
    }
    const char *id = lochan_catalog__lake_id(b->lake->catalog);
    if (b->has_old && strcmp(b->old.lake_id, id) != 0)
        return lochan_error__set(err, LOCHAN_ERR_EXISTS, "%s is the backup of another lake",
                                 b->dir);
    if (b->has_old)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_fs__list(b->dir, found_entry, &any, err));
    if (any) {
        rc = lochan_error__set(err, LOCHAN_ERR_EXISTS, "%s is not empty and no backup", b->dir);
        lochan_error__hint(err, "choose a new folder, or one that holds a backup of this lake");
        return rc;
    }
    lochan_backup_note begun = {0};
    memcpy(begun.lake_id, id, sizeof begun.lake_id);
    return lochan_backup_note__write(b->dir, &begun, err);
}

static lochan_status open_dir(backup *b, lochan_error *err) {
    size_t n = strlen(b->lake->path);
    if (strncmp(b->dir, b->lake->path, n) == 0 && (b->dir[n] == '/' || b->dir[n] == '\0'))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%s lies in the lake: a backup belongs elsewhere", b->dir);
    LOCHAN_TRY(lochan_fs__mkdirs(b->dir, NULL, err));
    char *lock = lochan_path__join(b->dir, "backup.lock");
    if (!lock)
        return lochan_error__nomem(err);
    lochan_status rc =
        lochan_lock__acquire(lock, "the backup", "lochan backup", b->lake->lock_timeout_ms,
                             &b->lake->cancel, &b->lock, err);
    lochan_mem__free(lock);
    LOCHAN_TRY(rc);
    return claim(b, err);
}

/* ---- copying ---- */

static lochan_status copy_catalog(backup *b, lochan_error *err) {
    char uuid[37];
    lochan_backup_note *n = &b->fresh;
    lochan_uuid__make(uuid);
    lochan_format(n->catalog, sizeof n->catalog, "catalog-%s.db", uuid);
    memcpy(n->lake_id, lochan_catalog__lake_id(b->lake->catalog), sizeof n->lake_id);
    char *db = lochan_path__join(b->dir, n->catalog),
         *journal = lochan_path__join(b->dir, "journal");
    lochan_status rc = db && journal ? lochan_catalog__backup(b->lake->catalog, db, journal,
                                                              b->options.all, &b->set, err)
                                     : lochan_error__nomem(err);
    lochan_mem__free(db);
    lochan_mem__free(journal);
    LOCHAN_TRY(rc);
    n->snapshot_id = b->set.snapshot_id;
    n->segments = b->set.segments;
    n->n_segments = b->set.n_segments;
    return lochan_fs__sync_dir(b->dir, err);
}

static lochan_status copy_files(backup *b, lochan_error *err) {
    lochan_copying *c = &b->copying;
    c->cancel = &b->lake->cancel;
    c->link = b->options.link;
    LOCHAN_TRY(lochan_store__open_local(b->lake->path, true, &c->from, err));
    LOCHAN_TRY(lochan_store__open_local(b->dir, false, &c->to, err));
    for (size_t i = 0; i < b->set.n_files; i++) {
        const lochan_backup_file *f = &b->set.files[i];
        lochan_status rc = lochan_copying__file(c, f->path, f->bytes, err);
        if (rc == LOCHAN_ERR_CORRUPT)
            lochan_error__hint(err, "'lochan repair --plan' tells what can be done");
        LOCHAN_TRY(rc);
        b->fresh.files++;
        b->fresh.bytes += f->bytes > 0 ? f->bytes : 0;
        if (b->options.progress)
            b->options.progress(b->options.payload, (int64_t)i + 1, (int64_t)b->set.n_files);
    }
    return lochan_copying__finish(c, err);
}

/* ---- what the backup before had and this one has not ---- */

static int compare_paths(const void *path, const void *file) {
    return strcmp(path, ((const lochan_backup_file *)file)->path);
}

static bool is_wanted(const lochan_backup *set, const char *path) {
    return set->n_files > 0 &&
           bsearch(path, set->files, set->n_files, sizeof *set->files, compare_paths) != NULL;
}

static lochan_status remove_old(backup *b, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_backup before = {0};
    char *db = lochan_path__join(b->dir, b->old.catalog);
    if (!db)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_backup__list(db, b->old.all, &before, err));
    for (size_t i = 0; i < before.n_files; i++) {
        if (is_wanted(&b->set, before.files[i].path))
            continue;
        LOCHAN_TRYG(lochan_store__remove(b->copying.to, before.files[i].path, true, err));
        b->report->files_removed++;
        LOCHAN_FAILPOINTG("table.backup.removed", err);
    }
    LOCHAN_TRYG(lochan_fs__unlink(db, true, err));
done:
    lochan_backup__deinit(&before);
    lochan_mem__free(db);
    return rc;
}

/* Copies of lake.db that no note names: of backups that were cut off. */
static lochan_status remove_leftover(void *ctx, const char *name, const lochan_stat *st,
                                     lochan_error *err) {
    const backup *b = ctx;
    if (st->is_dir || strncmp(name, "catalog-", 8) != 0 || strcmp(name, b->fresh.catalog) == 0)
        return LOCHAN_OK;
    char *path = lochan_path__join(b->dir, name);
    lochan_status rc = path ? lochan_fs__unlink(path, true, err) : lochan_error__nomem(err);
    lochan_mem__free(path);
    return rc;
}

/* The backup is whole: what fails here only leaves files that nobody needs. */
static void clean(backup *b) {
    lochan_error seen;
    lochan_error_init(&seen);
    bool kept = false;
    if (b->has_old && b->old.complete && remove_old(b, &seen) != LOCHAN_OK)
        kept = true;
    if (!kept && lochan_fs__list(b->dir, remove_leftover, b, &seen) != LOCHAN_OK)
        kept = true;
    if (kept)
        LOCHAN_WARN("what the backup before left could not be removed: %s", seen.message);
}

static lochan_status read_options(const lochan_backup_options *options, lochan_backup_options *out,
                                  lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_backup_options)LOCHAN_BACKUP_OPTIONS_INIT;
    if (!options)
        return LOCHAN_OK;
    LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_backup_options, reserved), err);
    memcpy(out, options, options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
    LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    return LOCHAN_OK;
}

lochan_status lochan_lake_backup(lochan_lake *lake, const char *dir,
                                 const lochan_backup_options *options, lochan_backup_report *report,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    LOCHAN_CHECK_ARG(report, err);
    memset(report, 0, sizeof *report);
    LOCHAN_CHECK_ARG(lake && dir && *dir, err);
    backup b = {.lake = lake, .dir = dir, .report = report};
    LOCHAN_TRY(read_options(options, &b.options, err));
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(open_dir(&b, err));
    LOCHAN_TRYG(copy_catalog(&b, err));
    LOCHAN_TRYG(copy_files(&b, err));
    LOCHAN_FAILPOINTG("table.backup.copied", err);
    b.fresh.complete = true;
    b.fresh.all = b.options.all;
    b.fresh.time_ns = lochan_clock__wall_ns();
    LOCHAN_TRYG(lochan_backup_note__write(dir, &b.fresh, err));
    report->snapshot_id = b.fresh.snapshot_id;
    report->files = b.fresh.files;
    report->bytes = b.fresh.bytes;
    report->files_copied = b.copying.files;
    report->bytes_copied = b.copying.bytes;
    clean(&b);
done:
    deinit(&b);
    return rc;
}
