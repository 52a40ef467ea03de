/* replace.c - the two ways out when lake.db and its journal do not fit: lake.db made again from the
 * journal, or the journal cut back to where lake.db ends.
 * Invariants: all of it under the queue lock; nothing is removed before its copy is durable; a lake
 * in which this was cut off shows no state that was never committed, and it can be repeated. May
 * call: base/, internal.h, rebuild.h.
 */
#include "catalog/rebuild.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"
#include "catalog/internal.h"

#include <string.h>

enum { DEFAULT_LOCK_TIMEOUT_MS = 60000 };
#define SEGMENT_BYTES_MAX (LOCHAN_JOURNAL_SEGMENT_MAX + LOCHAN_JOURNAL_RECORD_MAX)

static lochan_status lock_queue(const char *path, const lochan_catalog_options *o,
                                lochan_lock **out, lochan_error *err) {
    char *file = lochan_path__join(path, LOCHAN_QUEUE);
    if (!file)
        return lochan_error__nomem(err);
    int64_t timeout = o->lock_timeout_ms ? o->lock_timeout_ms : DEFAULT_LOCK_TIMEOUT_MS;
    lochan_status rc = lochan_lock__acquire(file, "the lake", o->command ? o->command : "lochan",
                                            timeout, o->cancel, out, err);
    lochan_mem__free(file);
    return rc;
}

/* What says that lake.db cannot be used, not that we cannot look. */
static bool is_unusable(lochan_status rc) {
    return rc == LOCHAN_ERR_NOT_FOUND || rc == LOCHAN_ERR_CORRUPT || rc == LOCHAN_ERR_CATALOG;
}

static lochan_status give(lochan_status rc, const lochan_error *seen, lochan_error *err) {
    if (rc != LOCHAN_OK && err)
        *err = *seen;
    return rc;
}

/* ---- what a readable lake.db still holds of the journal ---- */

/* Commits of other programs enter the journal by a plain open for writing. */
static lochan_status settle(const char *path, const lochan_catalog_options *o, lochan_error *err) {
    lochan_error seen;
    lochan_catalog *catalog = NULL;
    lochan_error_init(&seen);
    lochan_status rc = lochan_catalog__open(path, o, &catalog, &seen);
    lochan_catalog__close(catalog);
    if (rc == LOCHAN_ERR_JOURNAL_AHEAD || is_unusable(rc))
        return LOCHAN_OK;
    return give(rc, &seen, err);
}

static lochan_status add_missing(lochan_catalog *c, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    lochan_hash128 hash;
    uint64_t seq, oldest;
    lochan_journal *j = &c->journal;
    LOCHAN_TRY(lochan_journal__read_end(j, true, err));
    LOCHAN_TRY(lochan_catalog__read_begin(c, &db, err));
    LOCHAN_TRYG(lochan_journal__newest(db, &seq, &hash, &oldest, err));
    if (j->seq + 1 < oldest) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               "the journal ends with record %llu, and lake.db knows %llu: made "
                               "again, it would lose commits",
                               (unsigned long long)j->seq, (unsigned long long)seq);
        lochan_error__hint(err, "lake.db can be read: make a backup of it; to go by the journal "
                                "alone, move lake.db away first");
        goto done;
    }
    if (j->seq < seq) {
        LOCHAN_TRYG(lochan_journal__catch_up(db, j, err));
        LOCHAN_TRYG(lochan_journal__sync(j, err));
    }
done:
    lochan_catalog__read_end(c);
    return rc;
}

static lochan_status save_outbox(const char *path, const lochan_catalog_options *o,
                                 lochan_error *err) {
    lochan_error seen;
    lochan_catalog *catalog = NULL;
    lochan_catalog_options look = *o;
    look.read_only = true;
    lochan_error_init(&seen);
    lochan_status rc = lochan_catalog__open(path, &look, &catalog, &seen);
    if (is_unusable(rc))
        return LOCHAN_OK;
    if (rc == LOCHAN_OK)
        rc = add_missing(catalog, &seen);
    lochan_catalog__close(catalog);
    return give(rc, &seen, err);
}

/* ---- lake.db made again ---- */

static lochan_status set_aside(const char *path, const char *name, const char *uuid,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char aside[80];
    lochan_format(aside, sizeof aside, "%s.damaged-%s", name, uuid);
    char *from = lochan_path__join(path, name), *to = lochan_path__join(path, aside);
    if (!from || !to)
        rc = lochan_error__nomem(err);
    else if (lochan_fs__exists(from))
        rc = lochan_fs__rename(from, to, err);
    lochan_mem__free(from);
    lochan_mem__free(to);
    return rc;
}

static lochan_status sync_segment(void *ctx, const char *name, const lochan_stat *st,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    if (st->is_dir)
        return LOCHAN_OK;
    char *path = lochan_path__join(ctx, name);
    if (!path)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE, &file, err));
    LOCHAN_TRYG(lochan_file__sync(file, false, err));
done:
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    lochan_mem__free(path);
    return rc;
}

/* The new lake.db holds no outbox with which the end of the journal could be written again. */
static lochan_status sync_journal(const char *path, lochan_error *err) {
    char *dir = lochan_path__join(path, LOCHAN_JOURNAL_DIR);
    if (!dir)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_fs__list(dir, sync_segment, dir, err);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__sync_dir(dir, err);
    lochan_mem__free(dir);
    return rc;
}

/* lake.db goes first: without it nobody takes its log for that of another file. */
static lochan_status rebuild_locked(const char *path, int64_t *records, lochan_error *err) {
    static const char *const old[] = {LOCHAN_DB_NAME, LOCHAN_DB_NAME "-wal", LOCHAN_DB_NAME "-shm"};
    lochan_status rc = LOCHAN_OK;
    char uuid[37];
    char *made = lochan_path__join(path, LOCHAN_DB_NAME ".rebuilt"),
         *wanted = lochan_path__join(path, LOCHAN_DB_NAME);
    lochan_uuid__make(uuid);
    if (!made || !wanted) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__unlink(made, true, err)); /* of one that was cut off */
    LOCHAN_TRYG(lochan_catalog__rebuild_from_journal(path, made, records, err));
    LOCHAN_TRYG(sync_journal(path, err));
    LOCHAN_FAILPOINTG("catalog.rebuild.made", err);
    for (size_t i = 0; i < LOCHAN_COUNTOF(old); i++)
        LOCHAN_TRYG(set_aside(path, old[i], uuid, err));
    LOCHAN_TRYG(lochan_fs__sync_dir(path, err));
    LOCHAN_FAILPOINTG("catalog.rebuild.aside", err);
    LOCHAN_TRYG(lochan_fs__rename(made, wanted, err));
    LOCHAN_TRYG(lochan_fs__sync_dir(path, err));
done:
    lochan_mem__free(made);
    lochan_mem__free(wanted);
    return rc;
}

lochan_status lochan_catalog__rebuild(const char *path, const lochan_catalog_options *options,
                                      int64_t *records, lochan_error *err) {
    static const lochan_catalog_options none;
    lochan_status rc = LOCHAN_OK;
    lochan_lock *queue = NULL;
    const lochan_catalog_options *o = options ? options : &none;
    *records = 0;
    LOCHAN_TRY(settle(path, o, err));
    LOCHAN_TRY(lock_queue(path, o, &queue, err));
    LOCHAN_TRYG(save_outbox(path, o, err));
    LOCHAN_TRYG(rebuild_locked(path, records, err));
done:
    lochan_lock__release(queue);
    return rc;
}

/* ---- the journal cut ---- */

typedef struct cut {
    uint64_t seq; /* the last record that stays */
    lochan_hash128 hash;
    char now[64], path[64]; /* segment being read, segment of that record */
    uint64_t at, end;       /* behind the record being read, behind that record */
    bool found;
    int64_t after; /* records that go */
    uint64_t last; /* record that was read */
} cut;

static lochan_status on_record(void *ctx, const char *path, const lochan_record_view *record,
                               lochan_error *err) {
    cut *c = ctx;
    if (strcmp(path, c->now) != 0) {
        lochan_format(c->now, sizeof c->now, "%s", path);
        c->at = LOCHAN_JOURNAL_HEAD_BYTES;
    }
    c->at += record->total_bytes;
    c->last = record->seq;
    c->after += c->found;
    if (record->seq != c->seq)
        return LOCHAN_OK;
    if (record->hash.lo != c->hash.lo || record->hash.hi != c->hash.hi)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "journal and lake.db disagree about record %llu: they are not of "
                                 "one lake, or went different ways",
                                 (unsigned long long)c->seq);
    c->found = true;
    c->end = c->at;
    memcpy(c->path, c->now, sizeof c->path);
    return LOCHAN_OK;
}

/* Damage behind the cut goes with what is cut off. */
static lochan_status on_damage(void *ctx, const char *path, uint64_t offset, const char *detail,
                               lochan_error *err) {
    const cut *c = ctx;
    if (c->found)
        return LOCHAN_OK;
    lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s: %s", path, detail);
    return lochan_error__in_file(err, LOCHAN_ERR_CORRUPT, path, (int64_t)offset);
}

/* Names of the segments from the one that is cut on. */
typedef struct segments {
    const char *first;
    char **names;
    size_t n, cap;
} segments;

static lochan_status note_segment(void *ctx, const char *name, const lochan_stat *st,
                                  lochan_error *err) {
    segments *s = ctx;
    size_t n = strlen(name);
    if (st->is_dir || n < 5 || strcmp(name + n - 4, ".ljl") != 0 || strcmp(name, s->first) < 0)
        return LOCHAN_OK;
    char **names = lochan_mem__grow(s->names, s->n, &s->cap, sizeof *names);
    if (!names)
        return lochan_error__nomem(err);
    s->names = names;
    s->names[s->n] = lochan_mem__strdup(name);
    return s->names[s->n] ? (s->n++, LOCHAN_OK) : lochan_error__nomem(err);
}

static lochan_status copy_segment(const char *journal, const char *aside, const char *name,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf bytes;
    lochan_buf__init(&bytes, SEGMENT_BYTES_MAX);
    char *from = lochan_path__join(journal, name), *to = lochan_path__join(aside, name);
    if (!from || !to) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__read_all(from, SEGMENT_BYTES_MAX, &bytes, err));
    LOCHAN_TRYG(lochan_fs__write_all(to, bytes.data, bytes.len, err));
done:
    lochan_buf__deinit(&bytes);
    lochan_mem__free(from);
    lochan_mem__free(to);
    return rc;
}

static lochan_status shorten(const char *path, uint64_t end, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    LOCHAN_TRYG(lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE, &file, err));
    LOCHAN_TRYG(lochan_file__truncate(file, end, err));
    LOCHAN_TRYG(lochan_file__sync(file, false, err));
done:
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    return rc;
}

/* The last segments go first, so that what is left is a journal at every moment. */
static lochan_status take_out(const char *journal, const segments *s, uint64_t end,
                              lochan_error *err) {
    for (size_t i = s->n; i-- > 0;) {
        char *path = lochan_path__join(journal, s->names[i]);
        if (!path)
            return lochan_error__nomem(err);
        lochan_status rc = i > 0 ? lochan_fs__unlink(path, true, err) : shorten(path, end, err);
        lochan_mem__free(path);
        LOCHAN_TRY(rc);
        LOCHAN_FAILPOINT("catalog.cut.removed", err);
    }
    return lochan_fs__sync_dir(journal, err);
}

static lochan_status move_segments(const char *lake, const char *name, const cut *c,
                                   lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    segments s = {.first = lochan_path__basename(c->path)};
    char *journal = lochan_path__join(lake, LOCHAN_JOURNAL_DIR),
         *aside = lochan_path__join(lake, name);
    if (!journal || !aside) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__list(journal, note_segment, &s, err));
    LOCHAN_TRYG(lochan_fs__mkdirs(aside, NULL, err));
    for (size_t i = 0; i < s.n; i++)
        LOCHAN_TRYG(copy_segment(journal, aside, s.names[i], err));
    LOCHAN_TRYG(lochan_fs__sync_dir(lake, err));
    LOCHAN_FAILPOINTG("catalog.cut.copied", err);
    LOCHAN_TRYG(take_out(journal, &s, c->end, err));
done:
    for (size_t i = 0; i < s.n; i++)
        lochan_mem__free(s.names[i]);
    lochan_mem__free(s.names);
    lochan_mem__free(journal);
    lochan_mem__free(aside);
    return rc;
}

static lochan_status find_cut(lochan_catalog *c, cut *out, lochan_error *err) {
    lochan_db *db;
    uint64_t oldest;
    LOCHAN_TRY(lochan_catalog__read_begin(c, &db, err));
    lochan_status rc = lochan_journal__newest(db, &out->seq, &out->hash, &oldest, err);
    lochan_catalog__read_end(c);
    LOCHAN_TRY(rc);
    LOCHAN_TRY(lochan_journal__each(c->path, on_record, on_damage, out, err));
    if (out->found || out->last < out->seq) /* behind: the next commit adds what it lacks */
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                             "the journal is ahead of lake.db, but does not hold record %llu",
                             (unsigned long long)out->seq);
}

/* The cut is a commit of its own. The incarnation is a new one: whoever had a newer lake.db open
 * cannot publish. */
static lochan_status record_cut(const char *path, const lochan_catalog_options *o, const cut *c,
                                const char *folder, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_catalog *catalog = NULL;
    lochan_txn *txn = NULL;
    char uuid[37], text[200];
    lochan_txn_options options = {.kind = "cut", .message = text};
    lochan_uuid__make(uuid);
    lochan_format(text, sizeof text, "records %llu to %llu of the journal set aside in %s",
                  (unsigned long long)c->seq + 1, (unsigned long long)c->seq + (uint64_t)c->after,
                  folder);
    LOCHAN_TRYG(lochan_catalog__open(path, o, &catalog, err));
    LOCHAN_TRYG(lochan_txn__begin(catalog, &options, NULL, NULL, &txn, err));
    LOCHAN_TRYG(lochan_txn__replace(
        txn, LOCHAN_ROW_META,
        LOCHAN_ROW(lochan_value__text("journal_cut"), lochan_value__text(text)), err));
    LOCHAN_TRYG(lochan_txn__replace(
        txn, LOCHAN_ROW_META,
        LOCHAN_ROW(lochan_value__text("incarnation"), lochan_value__text(uuid)), err));
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
done:
    lochan_txn__abort(txn);
    lochan_catalog__close(catalog);
    return rc;
}

lochan_status lochan_catalog__cut_journal(const char *path, const lochan_catalog_options *options,
                                          int64_t *records, lochan_error *err) {
    static const lochan_catalog_options none;
    lochan_status rc = LOCHAN_OK;
    const lochan_catalog_options *o = options ? options : &none;
    lochan_catalog_options look = *o;
    lochan_catalog *catalog = NULL;
    lochan_lock *queue = NULL;
    char uuid[37], folder[64];
    cut c = {0};
    *records = 0;
    look.read_only = true;
    lochan_uuid__make(uuid);
    lochan_format(folder, sizeof folder, "journal.cut-%s", uuid);
    LOCHAN_TRYG(lock_queue(path, o, &queue, err));
    LOCHAN_TRYG(lochan_catalog__open(path, &look, &catalog, err));
    LOCHAN_TRYG(find_cut(catalog, &c, err));
    lochan_catalog__close(catalog);
    catalog = NULL;
    if (c.after > 0)
        LOCHAN_TRYG(move_segments(path, folder, &c, err));
    lochan_lock__release(queue);
    queue = NULL;
    if (c.after > 0)
        LOCHAN_TRYG(record_cut(path, o, &c, folder, err));
    *records = c.after;
done:
    lochan_catalog__close(catalog);
    lochan_lock__release(queue);
    return rc;
}

/* ---- commits ---- */

lochan_status lochan_catalog__has_commit(lochan_catalog *catalog, const char *commit_id, bool *has,
                                         lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    sqlite3_stmt *stmt = NULL;
    *has = false;
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    int code = sqlite3_prepare_v2(db->handle, "SELECT 1 FROM lochan_commit WHERE commit_id = ?1",
                                  -1, &stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(stmt, 1, commit_id, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    *has = code == SQLITE_ROW;
    if (code != SQLITE_ROW && code != SQLITE_DONE)
        rc = lochan_db__fail(db, code, "looking for a commit", err);
    sqlite3_finalize(stmt);
    lochan_catalog__read_end(catalog);
    return rc;
}
