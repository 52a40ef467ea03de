/* txn.c - one transaction: begin, row changes, commit, abort.
 * Invariants: see txn.h. Lock order: queue lock, write_mutex, write lock of lake.db. Steps of a
 * commit: statistics and snapshot rows, record into the outbox, COMMIT (durable from here on),
 * journal, unlock. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include "base/cancel.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/mem.h"

#include <stdio.h>
#include <string.h>

/* ---- row changes ---- */

lochan_status lochan_txn__note(lochan_txn *txn, lochan_status rc) {
    if (rc != LOCHAN_OK)
        txn->failed = true;
    return rc;
}

lochan_status lochan_txn__check(lochan_txn *txn, lochan_error *err) {
    if (txn->failed)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "this transaction failed before; abort it");
    return LOCHAN_OK;
}

static lochan_status change(lochan_txn *txn, lochan_row_kind kind, lochan_row_op op,
                            const lochan_value *values, size_t n, int64_t *changes,
                            lochan_error *err) {
    int64_t count = 0;
    LOCHAN_ASSERT(n == lochan_row__n_values(lochan_row__table(kind), op));
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_TRY(lochan_txn__note(txn, lochan_db__change(txn->db, kind, op, values, n, &count, err)));
    if (changes)
        *changes = count;
    if (op == LOCHAN_OP_END && count == 0)
        return LOCHAN_OK;
    return lochan_txn__note(txn, lochan_record__add(&txn->record, kind, op, values, n, err));
}

lochan_status lochan_txn__insert(lochan_txn *txn, lochan_row_kind kind, const lochan_value *values,
                                 size_t n, lochan_error *err) {
    return change(txn, kind, LOCHAN_OP_INSERT, values, n, NULL, err);
}

lochan_status lochan_txn__replace(lochan_txn *txn, lochan_row_kind kind, const lochan_value *values,
                                  size_t n, lochan_error *err) {
    return change(txn, kind, LOCHAN_OP_REPLACE, values, n, NULL, err);
}

lochan_status lochan_txn__delete(lochan_txn *txn, lochan_row_kind kind, const lochan_value *keys,
                                 size_t n, lochan_error *err) {
    return change(txn, kind, LOCHAN_OP_DELETE, keys, n, NULL, err);
}

lochan_status lochan_txn__end(lochan_txn *txn, lochan_row_kind kind,
                              const lochan_value *keys_and_snapshot, size_t n, int64_t *n_changed,
                              lochan_error *err) {
    return change(txn, kind, LOCHAN_OP_END, keys_and_snapshot, n, n_changed, err);
}

lochan_status lochan_txn__add_change(lochan_txn *txn, lochan_error *err, const char *fmt, ...) {
    char text[1024];
    va_list args;
    if (txn->changes.len > 0)
        LOCHAN_TRY(lochan_buf__putc(&txn->changes, ',', err));
    va_start(args, fmt);
    vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    return lochan_buf__puts(&txn->changes, text, err);
}

/* ---- begin ---- */

static const char *copy_or(lochan_txn *txn, const char *s, const char *otherwise) {
    return s ? lochan_arena__strdup(&txn->arena, s) : otherwise;
}

lochan_status lochan_txn__setup(lochan_txn *txn, const lochan_txn_options *options,
                                lochan_error *err) {
    static const lochan_txn_options none;
    const lochan_txn_options *o = options ? options : &none;
    lochan_arena__init(&txn->arena, 0);
    lochan_buf__init(&txn->changes, 1 << 20);
    lochan_record__init(&txn->record);
    txn->unsynced = o->unsynced;
    txn->kind = copy_or(txn, o->kind, "commit");
    txn->author = copy_or(txn, o->author, "lochan 0.1.0");
    txn->token = copy_or(txn, o->token, NULL);
    txn->message = copy_or(txn, o->message, NULL);
    if (!txn->kind || !txn->author || (o->token && !txn->token) || (o->message && !txn->message))
        return lochan_error__nomem(err);
    if (o->commit_id) {
        if (strlen(o->commit_id) != 36)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "commit id '%.40s' is no uuid", o->commit_id);
        memcpy(txn->commit_id, o->commit_id, 37);
    } else {
        lochan_uuid__make(txn->commit_id);
    }
    return LOCHAN_OK;
}

void lochan_txn__free(lochan_txn *txn) {
    lochan_record__deinit(&txn->record);
    lochan_buf__deinit(&txn->changes);
    lochan_arena__deinit(&txn->arena);
    lochan_mem__free(txn);
}

/* Snapshot times never go back, even if the clock does: "as of" must find the newest snapshot not
 * younger. */
static void set_time(lochan_txn *txn, int64_t newest_ns) {
    txn->time_ns = lochan_clock__wall_ns() / 1000 * 1000;
    if (txn->time_ns <= newest_ns)
        txn->time_ns = newest_ns + 1000;
    lochan_civil__format_utc(txn->time_ns, txn->time);
}

static lochan_status read_base(lochan_txn *txn, lochan_error *err) {
    int64_t newest = 0;
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_SNAPSHOT_NEWEST, "ducklake_snapshot",
                                           &txn->arena, err);
    if (lochan_reader__next(&r)) {
        txn->base = lochan_reader__count(&r, 0);
        newest = lochan_reader__time(&r, 1);
        txn->schema_version = lochan_reader__count(&r, 2);
        txn->next_catalog_id = lochan_reader__count(&r, 3);
        txn->next_file_id = lochan_reader__count(&r, 4);
        if (txn->base > INT64_MAX / 2 || txn->next_catalog_id > INT64_MAX / 2 ||
            txn->next_file_id > INT64_MAX / 2)
            lochan_reader__corrupt(&r, 0, "a smaller number");
    } else if (r.rc == LOCHAN_OK) {
        r.rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "lake.db has no snapshot");
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    set_time(txn, newest);
    return LOCHAN_OK;
}

static lochan_status find_token(lochan_txn *txn, bool *found, int64_t *snapshot_id,
                                lochan_error *err) {
    *found = false;
    if (!txn->token)
        return LOCHAN_OK;
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_COMMIT_BY_TOKEN, "lochan_commit",
                                           &txn->arena, err);
    lochan_reader__bind_text(&r, 1, txn->token);
    if (lochan_reader__next(&r)) {
        *found = true;
        *snapshot_id = lochan_reader__int_or(&r, 0, -1);
    }
    return lochan_reader__end(&r);
}

static lochan_status check_incarnation(lochan_txn *txn, lochan_error *err) {
    char now[64];
    LOCHAN_TRY(lochan_db__check_moved(txn->db, err));
    LOCHAN_TRY(lochan_db__meta(txn->db, "incarnation", now, sizeof now, err));
    if (strcmp(now, txn->catalog->incarnation) != 0)
        return lochan_error__set(err, LOCHAN_ERR_STALE,
                                 "lake.db of %s was rebuilt since it was opened",
                                 txn->catalog->path);
    return LOCHAN_OK;
}

static lochan_status open_writer(lochan_catalog *catalog, lochan_error *err) {
    if (!catalog->writer)
        LOCHAN_TRY(lochan_db__open(catalog->db_path, LOCHAN_DB_WRITE, catalog->lock_timeout_ms,
                                   catalog->cancel, &catalog->writer, err));
    return LOCHAN_OK;
}

/* The log may have been made a moment ago, by a reader, which syncs nothing: before the first
 * commit of this process its name, and that of lake.db, become durable. */
static lochan_status sync_names(lochan_catalog *catalog, lochan_error *err) {
    if (!catalog->names_synced)
        LOCHAN_TRY(lochan_fs__sync_dir(catalog->path, err));
    catalog->names_synced = true;
    return LOCHAN_OK;
}

/* Everything that needs the locks; what it leaves half done, abort undoes. */
static lochan_status begin_locked(lochan_txn *txn, bool *already, int64_t *snapshot_id,
                                  lochan_error *err) {
    lochan_catalog *c = txn->catalog;
    char *path = lochan_path__join(c->path, LOCHAN_QUEUE);
    if (!path)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_lock__acquire(path, "the lake", c->command, c->lock_timeout_ms,
                                            c->cancel, &txn->queue, err);
    lochan_mem__free(path);
    LOCHAN_TRY(rc);
    pthread_mutex_lock(&c->write_mutex); /* free: other threads wait for the queue lock too */
    txn->owns_writer = true;
    LOCHAN_FAILPOINT("catalog.begin.queued", err);
    LOCHAN_TRY(open_writer(c, err));
    txn->db = c->writer;
    LOCHAN_TRY(lochan_db__set_unsynced(txn->db, txn->unsynced, err));
    LOCHAN_TRY(lochan_db__do(txn->db, LOCHAN_SQL_BEGIN_WRITE, err));
    txn->began = true;
    LOCHAN_TRY(check_incarnation(txn, err));
    LOCHAN_TRY(sync_names(c, err));
    LOCHAN_TRY(lochan_catalog__check_version(txn->db, err));
    LOCHAN_TRY(read_base(txn, err));
    LOCHAN_TRY(lochan_journal__attach(txn, err));
    if (txn->took_over)
        LOCHAN_TRY(read_base(txn, err));
    LOCHAN_FAILPOINT("catalog.begin.attached", err);
    LOCHAN_TRY(lochan_txn__record_foreign(txn, err));
    LOCHAN_TRY(lochan_txn__migrate(txn, err));
    return find_token(txn, already, snapshot_id, err);
}

lochan_status lochan_txn__begin(lochan_catalog *catalog, const lochan_txn_options *options,
                                bool *already_done, int64_t *snapshot_id, lochan_txn **out,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool already = false;
    int64_t snapshot = -1;
    *out = NULL;
    if (already_done)
        *already_done = false;
    if (snapshot_id)
        *snapshot_id = -1;
    LOCHAN_TRY(lochan_catalog__check_writable(catalog, err));
    lochan_txn *txn = lochan_mem__zalloc(sizeof *txn);
    if (!txn)
        return lochan_error__nomem(err);
    txn->catalog = catalog;
    LOCHAN_TRYG(lochan_txn__setup(txn, options, err));
    LOCHAN_TRYG(begin_locked(txn, &already, &snapshot, err));
done:
    if (rc != LOCHAN_OK || already) {
        lochan_txn__abort(txn);
        txn = NULL;
    }
    if (rc == LOCHAN_OK && already_done)
        *already_done = already;
    if (rc == LOCHAN_OK && snapshot_id)
        *snapshot_id = snapshot;
    *out = txn;
    return rc;
}

void lochan_txn__abort(lochan_txn *txn) {
    if (!txn)
        return;
    lochan_catalog *c = txn->catalog;
    if (txn->began)
        sqlite3_exec(txn->db->handle, "ROLLBACK", NULL, NULL, NULL);
    if (txn->owns_writer)
        lochan_catalog__mark_suspects(c);
    if (txn->owns_writer)
        pthread_mutex_unlock(&c->write_mutex);
    lochan_lock__release(txn->queue);
    lochan_txn__free(txn);
}

/* ---- commit ---- */

static lochan_status write_snapshot(lochan_txn *txn, lochan_error *err) {
    for (const lochan_txn_table *t = txn->tables; t; t = t->next) {
        if (t->altered && !t->created)
            LOCHAN_TRY(
                lochan_txn__add_change(txn, err, "altered_table:%lld", (long long)t->table_id));
        bool same_rows = strcmp(txn->kind, "compact") == 0;
        if (same_rows && t->inserted)
            LOCHAN_TRY(
                lochan_txn__add_change(txn, err, "merge_adjacent:%lld", (long long)t->table_id));
        if (t->inserted && !same_rows)
            LOCHAN_TRY(lochan_txn__add_change(txn, err, "inserted_into_table:%lld",
                                              (long long)t->table_id));
        if (t->retired && !same_rows)
            LOCHAN_TRY(lochan_txn__add_change(txn, err, "deleted_from_table:%lld",
                                              (long long)t->table_id));
    }
    int64_t sid = lochan_txn__sid(txn);
    int64_t schema_version = txn->schema_version + txn->schema_changed;
    LOCHAN_TRY(lochan_txn__insert(txn, LOCHAN_ROW_SNAPSHOT,
                                  LOCHAN_ROW(lochan_value__int(sid), lochan_value__text(txn->time),
                                             lochan_value__int(schema_version),
                                             lochan_value__int(txn->next_catalog_id),
                                             lochan_value__int(txn->next_file_id)),
                                  err));
    return lochan_txn__insert(txn, LOCHAN_ROW_SNAPSHOT_CHANGES,
                              LOCHAN_ROW(lochan_value__int(sid),
                                         lochan_value__text((const char *)txn->changes.data),
                                         lochan_value__text(txn->author),
                                         lochan_value__text(txn->message), lochan_value__null()),
                              err);
}

lochan_status lochan_txn__store_record(lochan_txn *txn, int64_t snapshot, lochan_error *err) {
    lochan_hash128 hash;
    LOCHAN_TRY(lochan_txn__insert(
        txn, LOCHAN_ROW_COMMIT,
        LOCHAN_ROW(lochan_value__text(txn->commit_id),
                   snapshot < 0 ? lochan_value__null() : lochan_value__int(snapshot),
                   lochan_value__text(txn->token), lochan_value__text(txn->kind),
                   lochan_value__int((int64_t)txn->seq + 1), lochan_value__text(txn->time),
                   lochan_value__text(txn->author)),
        err));
    LOCHAN_TRY(lochan_record__seal(&txn->record, txn->seq + 1, txn->previous, &hash, err));
    LOCHAN_TRY(lochan_db__put_outbox(
        txn->db, txn->seq + 1, hash,
        (lochan_str){(const char *)txn->record.bytes.data, txn->record.bytes.len}, err));
    txn->seq++;
    txn->previous = hash;
    lochan_record__deinit(&txn->record);
    lochan_record__init(&txn->record);
    return LOCHAN_OK;
}

/* A connection whose file could not be synced is not used again: the next one gets files of its
 * own. */
static void drop_writer(lochan_txn *txn) {
    lochan_db__close(txn->catalog->writer);
    txn->catalog->writer = txn->db = NULL;
    txn->began = false;
}

/* A COMMIT whose sync failed has left its frames in the WAL, unsynced and unseen; a crash now could
 * bring them back. The next commit overwrites them, so one is made at once. If the disk refuses
 * this too, the fate of the commit is open, and the error's hint says so. */
static void bury_failed_commit(lochan_txn *txn, lochan_error *err) {
    drop_writer(txn);
    lochan_value row[] = {lochan_value__text("last_failed_commit"),
                          lochan_value__text(txn->commit_id)};
    bool buried = open_writer(txn->catalog, NULL) == LOCHAN_OK;
    txn->db = txn->catalog->writer;
    buried = buried && lochan_db__exec(txn->db, "BEGIN IMMEDIATE", NULL) == LOCHAN_OK &&
             lochan_db__change(txn->db, LOCHAN_ROW_META, LOCHAN_OP_REPLACE, row, 2, NULL, NULL) ==
                 LOCHAN_OK &&
             lochan_db__exec(txn->db, "COMMIT", NULL) == LOCHAN_OK;
    if (buried)
        return;
    drop_writer(txn);
    memcpy(txn->catalog->open_commit, txn->commit_id, sizeof txn->catalog->open_commit);
    lochan_error__hint(err,
                       "the disk refused to take the commit back: ask for its token, or list the "
                       "snapshots, before repeating it");
}

/* Moves the WAL into lake.db. The next commit begins it anew where it lies, since blocks that are
 * there already are synced sooner; one that grew too long is cut. It holds SQLite's write lock
 * meanwhile, so that no other program commits into a log that is being started anew, and waits for
 * no reader: then it is done later. */
static void checkpoint(lochan_txn *txn) {
    lochan_error err;
    int64_t timeout = txn->db->timeout_ms;
    txn->db->timeout_ms = 0;
    int mode = txn->db->wal_pages > 4 * txn->catalog->checkpoint_pages ? SQLITE_CHECKPOINT_TRUNCATE
                                                                       : SQLITE_CHECKPOINT_RESTART;
    int code = sqlite3_wal_checkpoint_v2(txn->db->handle, NULL, mode, NULL, NULL);
    txn->db->timeout_ms = timeout;
    txn->db->wal_pages = 0;
    if (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED)
        return;
    lochan_db__fail(txn->db, code, "moving the log into lake.db", &err);
    LOCHAN_WARN("%s", err.message);
    drop_writer(txn);
}

/* The commit is durable already: what fails here is repaired by the next writer, and must not look
 * like a failure. */
static void after_commit(lochan_txn *txn) {
    lochan_error err;
    if (lochan_failpoint__hit("catalog.commit.committed", &err) != LOCHAN_OK ||
        lochan_journal__catch_up(txn->db, &txn->catalog->journal, &err) != LOCHAN_OK) {
        txn->catalog->journal.known = false;
        LOCHAN_WARN("the journal is behind, the next commit adds to it what is missing: %s",
                    err.message);
    }
    if (lochan_failpoint__hit("catalog.commit.journalled", &err) != LOCHAN_OK ||
        txn->db->wal_pages < txn->catalog->checkpoint_pages)
        return;
    if (lochan_txn__sync_all(txn, &err) != LOCHAN_OK) {
        LOCHAN_WARN("files could not be synced before a checkpoint: %s", err.message);
        return;
    }
    checkpoint(txn);
    (void)!lochan_failpoint__hit("catalog.commit.checkpointed", &err);
}

static lochan_status commit_steps(lochan_txn *txn, int64_t *snapshot, lochan_error *err) {
    LOCHAN_TRY(lochan_txn__check(txn, err));
    if (txn->tables_changed) {
        LOCHAN_TRY(lochan_txn__note_unsynced(txn, err));
        LOCHAN_TRY(lochan_txn__write_stats(txn, err));
        LOCHAN_TRY(write_snapshot(txn, err));
        *snapshot = lochan_txn__sid(txn);
    }
    if (txn->record.rows > 0 || txn->token) /* else only commits of others were recorded */
        LOCHAN_TRY(lochan_txn__store_record(txn, *snapshot, err));
    LOCHAN_TRY(lochan_journal__prune(txn, err));
    LOCHAN_FAILPOINT("catalog.commit.prepared", err);
    lochan_status rc = lochan_db__do(txn->db, LOCHAN_SQL_COMMIT, err);
    if (rc == LOCHAN_OK)
        txn->began = false;
    else if (rc != LOCHAN_ERR_CANCELLED && rc != LOCHAN_ERR_LOCKED) /* these wrote nothing */
        bury_failed_commit(txn, err);
    return rc;
}

lochan_status lochan_txn__commit(lochan_txn **taken, int64_t *snapshot_id, lochan_error *err) {
    lochan_txn *txn = *taken;
    int64_t snapshot = -1;
    uint64_t before = txn->catalog->journal.seq;
    *taken = NULL;
    if (snapshot_id)
        *snapshot_id = -1;
    lochan_status rc = LOCHAN_OK;
    bool foreign = txn->seq != before; /* commits of others were recorded */
    if (txn->record.rows > 0 || txn->token || foreign || txn->took_over || txn->failed)
        rc = commit_steps(txn, &snapshot, err);
    if (rc == LOCHAN_OK && !txn->began)
        after_commit(txn);
    if (rc == LOCHAN_OK && snapshot_id)
        *snapshot_id = snapshot;
    lochan_catalog *catalog = txn->catalog;
    lochan_txn__abort(txn); /* rolls back what is still open, unlocks */
    if (rc == LOCHAN_OK && snapshot >= 0 && catalog->published)
        catalog->published(catalog->published_ctx);
    return rc;
}

bool lochan_catalog__fate_is_open(lochan_catalog *catalog, const char *commit_id) {
    pthread_mutex_lock(&catalog->write_mutex);
    bool is_open = strcmp(catalog->open_commit, commit_id) == 0;
    pthread_mutex_unlock(&catalog->write_mutex);
    return is_open;
}

/* ---- small ones ---- */

const char *lochan_txn__commit_id(const lochan_txn *txn) {
    return txn->commit_id;
}

int64_t lochan_txn__base(const lochan_txn *txn) {
    return txn->base;
}
