/* restore.c - a lake made from a backup.
 * Invariants: lake.db appears last, so that there is a lake or none; a folder that holds something
 * else is left alone. May call: base/, store/, catalog/, backup.h.
 */
#include "base/clock.h"
#include "base/str.h"
#include "catalog/snapshots.h"
#include "table/backup.h"

#define MARK    "lochan.restore" /* in the new lake until it is whole */
#define DB_NEW  "lake.db.restored"
#define DB_NAME "lake.db"

typedef struct restore {
    const char *from, *to;
    lochan_restore_options options;
    lochan_restore_report *report;
    lochan_backup_note note;
    lochan_backup set;
    lochan_copying copying;
} restore;

/* ---- the new folder ---- */

static lochan_status found_entry(void *ctx, const char *name, const lochan_stat *st,
                                 lochan_error *err) {
    (void)st, (void)err;
    if (strncmp(name, MARK, strlen(MARK)) != 0 && strncmp(name, "." MARK, strlen(MARK) + 1) != 0)
        *(bool *)ctx = true; /* not the beginning of a restore that was cut off */
    return LOCHAN_OK;
}

static lochan_status claim(const restore *r, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool any = false;
    lochan_buf mark;
    lochan_buf__init(&mark, 4096);
    char *path = lochan_path__join(r->to, MARK);
    if (!path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__mkdirs(r->to, NULL, err));
    if (lochan_fs__exists(path)) {
        LOCHAN_TRYG(lochan_fs__read_all(path, 4096, &mark, err));
        any = strcmp((const char *)mark.data, r->note.catalog) != 0;
    } else {
        LOCHAN_TRYG(lochan_fs__list(r->to, found_entry, &any, err));
    }
    if (any) {
        rc = lochan_error__set(err, LOCHAN_ERR_EXISTS, "%s is not empty", r->to);
        lochan_error__hint(err, "restore into a new folder");
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__write_all(path, r->note.catalog, strlen(r->note.catalog), err));
done:
    lochan_buf__deinit(&mark);
    lochan_mem__free(path);
    return rc;
}

/* ---- copying ---- */

/* A small file whole, or its first `bytes`. */
static lochan_status copy_part(const char *from, const char *to, int64_t bytes, lochan_error *err) {
    enum { CHUNK = 1 << 20 };
    lochan_status rc = LOCHAN_OK;
    lochan_file *in = NULL, *out = NULL;
    lochan_stat st;
    uint8_t *chunk = lochan_mem__alloc(CHUNK);
    if (!chunk)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_file__open(from, LOCHAN_FS_READ, &in, err));
    LOCHAN_TRYG(lochan_file__stat(in, &st, err));
    if (bytes >= 0 && (int64_t)st.size < bytes) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s has %llu bytes, %lld were backed up",
                               from, (unsigned long long)st.size, (long long)bytes);
        goto done;
    }
    uint64_t size = bytes >= 0 ? (uint64_t)bytes : st.size;
    LOCHAN_TRYG(
        lochan_fs__unlink(to, true, err)); /* what could not be synced is not synced again */
    LOCHAN_TRYG(lochan_file__open(
        to, LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_TRUNCATE, &out, err));
    for (uint64_t at = 0; at < size;) {
        size_t n = size - at < CHUNK ? (size_t)(size - at) : CHUNK;
        LOCHAN_TRYG(lochan_file__read(in, chunk, n, at, err));
        LOCHAN_TRYG(lochan_file__write(out, chunk, n, at, err));
        at += n;
    }
    LOCHAN_TRYG(lochan_file__sync(out, false, err));
done:
    LOCHAN_KEEP(lochan_file__close(in, LOCHAN_KEEP_ERR(rc, err)));
    LOCHAN_KEEP(lochan_file__close(out, LOCHAN_KEEP_ERR(rc, err)));
    lochan_mem__free(chunk);
    return rc;
}

static lochan_status copy_named(const char *from_dir, const char *from, const char *to_dir,
                                const char *to, int64_t bytes, lochan_error *err) {
    char *a = lochan_path__join(from_dir, from), *b = lochan_path__join(to_dir, to);
    lochan_status rc = a && b ? copy_part(a, b, bytes, err) : lochan_error__nomem(err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "the backup lacks %s", from);
    lochan_mem__free(a);
    lochan_mem__free(b);
    return rc;
}

static lochan_status copy_catalog(restore *r, lochan_error *err) {
    LOCHAN_TRY(copy_named(r->from, r->note.catalog, r->to, DB_NEW, -1, err));
    char *db = lochan_path__join(r->to, DB_NEW);
    if (!db)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_backup__renew(db, err);
    if (rc == LOCHAN_OK)
        rc = lochan_backup__list(db, r->note.all, &r->set, err);
    lochan_mem__free(db);
    return rc;
}

static lochan_status copy_journal(restore *r, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char *from = lochan_path__join(r->from, "journal"), *to = lochan_path__join(r->to, "journal");
    if (!from || !to) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__mkdirs(to, NULL, err));
    for (size_t i = 0; i < r->note.n_segments; i++) {
        const lochan_backup_segment *s = &r->note.segments[i];
        LOCHAN_TRYG(copy_named(from, s->name, to, s->name, s->bytes, err));
    }
    LOCHAN_TRYG(lochan_fs__sync_dir(to, err));
done:
    lochan_mem__free(from);
    lochan_mem__free(to);
    return rc;
}

static lochan_status copy_files(restore *r, lochan_error *err) {
    lochan_copying *c = &r->copying;
    c->link = r->options.link;
    LOCHAN_TRY(lochan_store__open_local(r->from, true, &c->from, err));
    LOCHAN_TRY(lochan_store__open_local(r->to, false, &c->to, err));
    for (size_t i = 0; i < r->set.n_files; i++) {
        LOCHAN_TRY(lochan_copying__file(c, r->set.files[i].path, r->set.files[i].bytes, err));
        r->report->files++;
        r->report->bytes += r->set.files[i].bytes > 0 ? r->set.files[i].bytes : 0;
        if (r->options.progress)
            r->options.progress(r->options.payload, (int64_t)i + 1, (int64_t)r->set.n_files);
    }
    return lochan_copying__finish(c, err);
}

/* ---- the end ---- */

static lochan_status make_folder(const char *dir, const char *name, lochan_error *err) {
    char *path = lochan_path__join(dir, name);
    lochan_status rc = path ? lochan_fs__mkdirs(path, NULL, err) : lochan_error__nomem(err);
    lochan_mem__free(path);
    return rc;
}

static lochan_status show(const restore *r, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char *made = lochan_path__join(r->to, DB_NEW), *wanted = lochan_path__join(r->to, DB_NAME);
    if (!made || !wanted) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(make_folder(r->to, "data", err));
    LOCHAN_TRYG(make_folder(r->to, "locks", err));
    LOCHAN_TRYG(lochan_fs__sync_dir(r->to, err));
    LOCHAN_FAILPOINTG("table.restore.copied", err);
    LOCHAN_TRYG(lochan_fs__rename(made, wanted, err));
    LOCHAN_TRYG(lochan_fs__sync_dir(r->to, err));
    LOCHAN_FAILPOINTG("table.restore.shown", err);
done:
    lochan_mem__free(made);
    lochan_mem__free(wanted);
    return rc;
}

/* Snapshots whose files are not here are forgotten, with the files that only they show. */
static lochan_status forget(lochan_lake *lake, const restore *r, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lochan_expired did = {.more = true};
    lochan_txn_options options = {.kind = "restore"};
    while (did.more && !r->note.all) {
        LOCHAN_TRYG(lochan_txn__begin(lake->catalog, &options, NULL, NULL, &txn, err));
        LOCHAN_TRYG(lochan_txn__expire(txn, INT64_MAX, 1, 1000, &did, err));
        LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
        r->report->forgotten += did.snapshots;
    }
done:
    lochan_txn__abort(txn);
    return rc;
}

static lochan_status finish(const restore *r, const lochan_lake_options *lake_options,
                            struct ArrowArrayStream *problems, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_lake *lake = NULL;
    int64_t removed;
    char *mark = lochan_path__join(r->to, MARK);
    if (!mark)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_lake_open(r->to, lake_options, &lake, err));
    /* what a restore that was cut off left under temporary names */
    (void)!lochan_store__clean(lake->store, "data", &removed, NULL);
    (void)!lochan_store__clean(lake->store, "runs", &removed, NULL);
    LOCHAN_TRYG(forget(lake, r, err));
    if (r->options.verify) {
        lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
        lochan_verify_report report;
        o.deep = true;
        LOCHAN_TRYG(lochan_lake_verify(lake, &o, &report, problems, err));
        r->report->problems = report.problems;
    }
    LOCHAN_TRYG(lochan_fs__unlink(mark, true, err));
done:
    lochan_lake_close(lake);
    lochan_mem__free(mark);
    return rc;
}

static lochan_status read_options(const lochan_restore_options *options,
                                  lochan_restore_options *out, lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_restore_options)LOCHAN_RESTORE_OPTIONS_INIT;
    if (!options)
        return LOCHAN_OK;
    LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_restore_options, reserved), err);
    memcpy(out, options, options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
    LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    return LOCHAN_OK;
}

static lochan_status read_note(restore *r, lochan_error *err) {
    lochan_status rc = lochan_backup_note__read(r->from, &r->note, err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        rc = lochan_error__set(err, rc, "%s is no backup of a lake", r->from);
    if (rc == LOCHAN_OK && !r->note.complete)
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "the backup in %s never ended", r->from);
    return rc;
}

lochan_status lochan_lake_restore(const char *from, const char *path,
                                  const lochan_lake_options *lake_options,
                                  const lochan_restore_options *options,
                                  lochan_restore_report *report, struct ArrowArrayStream *problems,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    if (problems)
        memset(problems, 0, sizeof *problems);
    LOCHAN_CHECK_ARG(report, err);
    memset(report, 0, sizeof *report);
    LOCHAN_CHECK_ARG(from && *from && path && *path, err);
    restore r = {.from = from, .to = path, .report = report};
    LOCHAN_TRY(read_options(options, &r.options, err));
    LOCHAN_TRYG(read_note(&r, err));
    LOCHAN_TRYG(claim(&r, err));
    LOCHAN_TRYG(copy_catalog(&r, err));
    LOCHAN_TRYG(copy_files(&r, err));
    LOCHAN_TRYG(copy_journal(&r, err));
    LOCHAN_TRYG(show(&r, err));
    report->snapshot_id = r.note.snapshot_id;
    LOCHAN_TRYG(finish(&r, lake_options, problems, err));
done:
    lochan_copying__deinit(&r.copying);
    lochan_backup__deinit(&r.set);
    lochan_backup_note__deinit(&r.note);
    return rc;
}
