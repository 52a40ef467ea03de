/* catalog.c - making, opening and closing a catalog.
 * Invariants: lake.db appears whole (built under another name, synced, renamed), so that a lake is
 * there or not; opening waits for no lock. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include "base/cancel.h"
#include "base/civil.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"

#include <string.h>

#define DEFAULT_LOCK_TIMEOUT_MS 60000
/* 2 MB of log, which a process that opens the lake reads in about a millisecond. */
#define DEFAULT_CHECKPOINT_PAGES 1000

/* ---- small reads ---- */

lochan_status lochan_db__meta(lochan_db *db, const char *key, char *dst, size_t cap,
                              lochan_error *err) {
    lochan_arena arena;
    lochan_arena__init(&arena, 1 << 16);
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_META, "lochan_meta", &arena, err);
    lochan_reader__bind_text(&r, 1, key);
    dst[0] = '\0';
    if (lochan_reader__next(&r)) {
        if (!lochan_format(dst, cap, "%s", lochan_reader__text(&r, 0)))
            lochan_reader__corrupt(&r, 0, "shorter");
    } else if (r.rc == LOCHAN_OK) {
        r.rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "lake.db: lochan_meta has no '%s'", key);
    }
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

lochan_status lochan_db__check_moved(lochan_db *db, lochan_error *err) {
    int moved = 0;
    sqlite3_file_control(db->handle, "main", SQLITE_FCNTL_HAS_MOVED, &moved);
    if (moved)
        return lochan_error__set(err, LOCHAN_ERR_STALE,
                                 "lake.db was replaced by another file since it was opened");
    return LOCHAN_OK;
}

lochan_status lochan_catalog__read_begin(lochan_catalog *catalog, lochan_db **db,
                                         lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *db = NULL;
    pthread_mutex_lock(&catalog->read_mutex);
    if (catalog->unwritable && (!catalog->reader || lochan_catalog__unwritable_changed(catalog)))
        LOCHAN_TRYG(lochan_catalog__open_unwritable(catalog, err));
    if (!catalog->unwritable)
        LOCHAN_TRYG(lochan_db__check_moved(catalog->reader, err));
    LOCHAN_TRYG(lochan_db__begin_read(catalog->reader, err));
    *db = catalog->reader;
done:
    if (rc != LOCHAN_OK)
        pthread_mutex_unlock(&catalog->read_mutex);
    return rc;
}

void lochan_catalog__read_end(lochan_catalog *catalog) {
    lochan_db__end_read(catalog->reader);
    pthread_mutex_unlock(&catalog->read_mutex);
}

lochan_status lochan_catalog__look_begin(lochan_catalog *catalog, lochan_db **db,
                                         lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *db = NULL;
    if (pthread_mutex_trylock(&catalog->write_mutex) != 0)
        return lochan_catalog__read_begin(catalog, db, err);
    if (!catalog->writer) {
        pthread_mutex_unlock(&catalog->write_mutex);
        return lochan_catalog__read_begin(catalog, db, err);
    }
    LOCHAN_TRYG(lochan_db__check_moved(catalog->writer, err));
    LOCHAN_TRYG(lochan_db__begin_read(catalog->writer, err));
    *db = catalog->writer;
done:
    if (rc != LOCHAN_OK)
        pthread_mutex_unlock(&catalog->write_mutex);
    return rc;
}

void lochan_catalog__look_end(lochan_catalog *catalog, lochan_db *db) {
    if (db == catalog->reader) {
        lochan_catalog__read_end(catalog);
        return;
    }
    lochan_db__end_read(db);
    pthread_mutex_unlock(&catalog->write_mutex);
}

/* ---- init ---- */

static lochan_status put_meta(lochan_txn *txn, const char *key, const char *value,
                              lochan_error *err) {
    return lochan_txn__insert(txn, LOCHAN_ROW_META,
                              LOCHAN_ROW(lochan_value__text(key), lochan_value__text(value)), err);
}

static lochan_status put_ducklake_meta(lochan_txn *txn, const char *key, const char *value,
                                       lochan_error *err) {
    return lochan_txn__insert(txn, LOCHAN_ROW_METADATA,
                              LOCHAN_ROW(lochan_value__text(key), lochan_value__text(value),
                                         lochan_value__null(), lochan_value__null()),
                              err);
}

/* What DuckLake's own client writes into a new catalog. Its inlining of small inserts is switched
 * off: rows belong in files. */
static lochan_status write_ducklake_rows(lochan_txn *txn, lochan_error *err) {
    char uuid[37];
    lochan_uuid__make(uuid);
    LOCHAN_TRY(put_ducklake_meta(txn, "version", "1.0", err));
    LOCHAN_TRY(put_ducklake_meta(txn, "created_by", "lochan 0.1.0", err));
    LOCHAN_TRY(put_ducklake_meta(txn, "data_path", "./", err));
    LOCHAN_TRY(put_ducklake_meta(txn, "encrypted", "false", err));
    LOCHAN_TRY(put_ducklake_meta(txn, "data_inlining_row_limit", "0", err));
    LOCHAN_TRY(lochan_txn__insert(
        txn, LOCHAN_ROW_SCHEMA,
        LOCHAN_ROW(lochan_value__int(0), lochan_value__text(uuid), lochan_value__int(0),
                   lochan_value__null(), lochan_value__text("main"),
                   lochan_value__text("data/main/"), lochan_value__int(1)),
        err));
    LOCHAN_TRY(lochan_txn__insert(txn, LOCHAN_ROW_SNAPSHOT,
                                  LOCHAN_ROW(lochan_value__int(0), lochan_value__text(txn->time),
                                             lochan_value__int(0), lochan_value__int(1),
                                             lochan_value__int(0)),
                                  err));
    return lochan_txn__insert(
        txn, LOCHAN_ROW_SNAPSHOT_CHANGES,
        LOCHAN_ROW(lochan_value__int(0), lochan_value__text("created_schema:\"main\""),
                   lochan_value__text(txn->author), lochan_value__null(), lochan_value__null()),
        err);
}

static lochan_status write_first_rows(lochan_txn *txn, lochan_error *err) {
    char lake_id[37], incarnation[37], version[16];
    lochan_uuid__make(lake_id);
    lochan_uuid__make(incarnation);
    lochan_format(version, sizeof version, "%d", LOCHAN_FORMAT_VERSION);
    txn->time_ns = lochan_clock__wall_ns() / 1000 * 1000;
    lochan_civil__format_utc(txn->time_ns, txn->time);
    LOCHAN_TRY(write_ducklake_rows(txn, err));
    LOCHAN_TRY(put_meta(txn, "format_version", version, err));
    LOCHAN_TRY(put_meta(txn, "lake_id", lake_id, err));
    LOCHAN_TRY(put_meta(txn, "incarnation", incarnation, err));
    LOCHAN_TRY(put_meta(txn, "created_at", txn->time, err));
    LOCHAN_TRY(
        lochan_txn__insert(txn, LOCHAN_ROW_MIGRATION,
                           LOCHAN_ROW(lochan_value__int(LOCHAN_MIGRATION_NEWEST),
                                      lochan_value__text(txn->time), lochan_value__text("0.1.0")),
                           err));
    return lochan_txn__store_record(txn, 0, err);
}

/* Fills a new database file, in WAL mode when it is done, and closes it with everything in the one
 * file. */
static lochan_status build_db(const char *path, lochan_error *err) {
    static const lochan_txn_options options = {.kind = "init"};
    lochan_status rc = LOCHAN_OK;
    lochan_db *db = NULL;
    lochan_txn *txn = lochan_mem__zalloc(sizeof *txn);
    if (!txn)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_txn__setup(txn, &options, err));
    LOCHAN_TRYG(lochan_db__open(path, LOCHAN_DB_CREATE, 0, NULL, &db, err));
    txn->db = db;
    LOCHAN_TRYG(lochan_db__exec(db, "BEGIN", err));
    LOCHAN_TRYG(lochan_catalog__create_tables(db, err));
    LOCHAN_TRYG(write_first_rows(txn, err));
    LOCHAN_TRYG(lochan_db__exec(db, "COMMIT", err));
    LOCHAN_TRYG(lochan_db__exec(db, "PRAGMA journal_mode=WAL", err));
done:
    lochan_db__close(db);
    lochan_txn__free(txn);
    return rc;
}

static lochan_status sync_file(const char *path, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    LOCHAN_TRYG(lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE, &file, err));
    LOCHAN_TRYG(lochan_file__sync(file, false, err));
done:
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    return rc;
}

static lochan_status remove_in(const char *dir, const char *name, lochan_error *err) {
    char *path = lochan_path__join(dir, name);
    if (!path)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_fs__unlink(path, true, err);
    lochan_mem__free(path);
    return rc;
}

static lochan_status remove_leftovers(const char *dir, lochan_error *err) {
    static const char *const names[] = {LOCHAN_NEW_NAME, LOCHAN_NEW_NAME "-wal",
                                        LOCHAN_NEW_NAME "-shm", LOCHAN_NEW_NAME "-journal"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++)
        LOCHAN_TRY(remove_in(dir, names[i], err));
    return LOCHAN_OK;
}

static lochan_status note_entry(void *ctx, const char *name, const lochan_stat *st,
                                lochan_error *err) {
    (void)name;
    (void)st;
    (void)err;
    *(bool *)ctx = true;
    return LOCHAN_OK;
}

/* Makes a folder of the lake, or accepts the one that is there. */
static lochan_status make_folder(const char *dir, const char *name, bool must_be_empty,
                                 lochan_error *err) {
    lochan_stat st;
    bool filled = false;
    char *path = lochan_path__join(dir, name);
    if (!path)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_fs__lstat(path, &st, NULL);
    if (rc == LOCHAN_OK && !st.is_dir)
        rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                               "%s is in the way: a lake needs a folder there", path);
    else
        rc = lochan_fs__mkdirs(path, NULL, err);
    if (rc == LOCHAN_OK && must_be_empty)
        rc = lochan_fs__list(path, note_entry, &filled, err);
    if (rc == LOCHAN_OK && filled) {
        rc = lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                               "%s holds files of another lake whose lake.db is missing", path);
        lochan_error__hint(err, "put lake.db back, make it again with 'lochan rebuild', or choose "
                                "another folder");
    }
    lochan_mem__free(path);
    return rc;
}

static lochan_status check_no_lake(const char *dir, lochan_error *err) {
    lochan_stat st;
    char *path = lochan_path__join(dir, LOCHAN_DB_NAME);
    if (!path)
        return lochan_error__nomem(err);
    lochan_status rc = LOCHAN_OK;
    if (lochan_fs__lstat(path, &st, NULL) == LOCHAN_OK)
        rc = st.is_dir
                 ? lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "%s is in the way: a lake needs a file there", path)
                 : lochan_error__set(err, LOCHAN_ERR_EXISTS, "there is a lake in %s already", dir);
    lochan_mem__free(path);
    return rc;
}

static lochan_status init_locked(const char *dir, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    char *fresh = lochan_path__join(dir, LOCHAN_NEW_NAME);
    char *final = lochan_path__join(dir, LOCHAN_DB_NAME);
    if (!fresh || !final) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(check_no_lake(dir, err));
    LOCHAN_TRYG(make_folder(dir, LOCHAN_JOURNAL_DIR, true, err));
    LOCHAN_TRYG(make_folder(dir, LOCHAN_LOCKS, false, err));
    LOCHAN_TRYG(make_folder(dir, "data", false, err));
    LOCHAN_FAILPOINTG("catalog.init.folders", err);
    LOCHAN_TRYG(remove_leftovers(dir, err));
    LOCHAN_TRYG(build_db(fresh, err));
    LOCHAN_FAILPOINTG("catalog.init.built", err);
    LOCHAN_TRYG(remove_in(dir, LOCHAN_NEW_NAME "-wal", err));
    LOCHAN_TRYG(remove_in(dir, LOCHAN_NEW_NAME "-shm", err));
    LOCHAN_TRYG(sync_file(fresh, err));
    LOCHAN_FAILPOINTG("catalog.init.synced", err);
    LOCHAN_TRYG(lochan_fs__rename(fresh, final, err));
    LOCHAN_FAILPOINTG("catalog.init.renamed", err);
    LOCHAN_TRYG(lochan_fs__sync_dir(dir, err));
done:
    lochan_mem__free(fresh);
    lochan_mem__free(final);
    return rc;
}

lochan_status lochan_catalog__init(const char *path, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_lock *lock = NULL;
    lochan_stat st;
    LOCHAN_CHECK_ARG(path && *path, err);
    if (lochan_fs__stat(path, &st, NULL) == LOCHAN_OK && !st.is_dir)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "%s is not a folder", path);
    LOCHAN_TRY(lochan_fs__mkdirs(path, NULL, err));
    LOCHAN_TRY(check_no_lake(path, err));
    char *queue = lochan_path__join(path, LOCHAN_QUEUE);
    if (!queue)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(
        lochan_lock__acquire(queue, "the lake", "init", DEFAULT_LOCK_TIMEOUT_MS, NULL, &lock, err));
    LOCHAN_TRYG(init_locked(path, err));
done:
    lochan_lock__release(lock);
    lochan_mem__free(queue);
    return rc;
}

/* ---- open ---- */

/* There is no lake.db: never made, or lost. */
static lochan_status no_db(const lochan_catalog *c, lochan_error *err) {
    bool filled = false;
    char *queue = lochan_path__join(c->path, LOCHAN_QUEUE);
    char *journal = lochan_path__join(c->path, LOCHAN_JOURNAL_DIR);
    bool begun = queue && lochan_fs__exists(queue);
    if (journal)
        (void)lochan_fs__list(journal, note_entry, &filled, NULL); /* it need not be there */
    lochan_mem__free(queue);
    lochan_mem__free(journal);
    if (filled) {
        lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "the lake in %s has lost its lake.db",
                          c->path);
        lochan_error__hint(err, "'lochan --lake %.160s rebuild' makes it again from the journal",
                           c->path);
        return LOCHAN_ERR_NOT_FOUND;
    }
    lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                      begun ? "the lake in %s was not made to its end" : "there is no lake in %s",
                      c->path);
    lochan_error__hint(err, "make one with 'lochan --lake %.160s init'", c->path);
    return LOCHAN_ERR_NOT_FOUND;
}

static lochan_status check_there(const lochan_catalog *c, lochan_error *err) {
    lochan_stat st;
    LOCHAN_TRY(
        lochan_fs__stat(c->path, &st, NULL) == LOCHAN_OK
            ? LOCHAN_OK
            : lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no folder %s", c->path));
    lochan_status rc = lochan_fs__stat(c->db_path, &st, err);
    if (rc == LOCHAN_OK && st.is_dir)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s is a folder, not a catalog",
                                 c->db_path);
    return rc == LOCHAN_ERR_NOT_FOUND ? no_db(c, err) : rc;
}

static lochan_status setup(lochan_catalog *c, const char *path, const lochan_catalog_options *o,
                           lochan_error *err) {
    size_t n = strlen(path);
    while (n > 1 && path[n - 1] == '/')
        n--;
    c->path = lochan_mem__strndup(path, n);
    c->db_path = c->path ? lochan_path__join(c->path, LOCHAN_DB_NAME) : NULL;
    c->command = lochan_mem__strdup(o->command ? o->command : "lochan");
    c->cancel = o->cancel;
    c->checkpoint_pages = DEFAULT_CHECKPOINT_PAGES;
    c->lock_timeout_ms = o->lock_timeout_ms ? o->lock_timeout_ms : DEFAULT_LOCK_TIMEOUT_MS;
    if (!c->path || !c->db_path || !c->command)
        return lochan_error__nomem(err);
    if (o->beside)
        return lochan_catalog__stand_in(c, o->beside, err);
    if (o->salvage)
        return lochan_catalog__salvage(c, o->salvage, err);
    LOCHAN_TRY(check_there(c, err));
    c->unwritable = !lochan_fs__writable(c->path) || !lochan_fs__writable(c->db_path);
    c->read_only = o->read_only || c->unwritable;
    return LOCHAN_OK;
}

/* Is the journal behind lake.db or damaged where that holds the records, or are there commits of
 * others to record? Reads the journal first:
 * lake.db can only have moved on meanwhile. */
static lochan_status compare_journal(lochan_catalog *c, bool *behind, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    uint64_t seq, oldest;
    lochan_hash128 hash;
    int64_t newest, known = 0;
    lochan_journal *j = &c->journal;
    LOCHAN_TRY(lochan_journal__read_end(j, false, err));
    LOCHAN_TRY(lochan_catalog__read_begin(c, &db, err));
    LOCHAN_TRYG(lochan_journal__newest(db, &seq, &hash, &oldest, err));
    LOCHAN_TRYG(lochan_db__newest_snapshot(db, &newest, err));
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_COMMIT_NEWEST_SNAPSHOT, "lochan_commit", NULL, err);
    if (lochan_reader__next(&r))
        known = lochan_reader__int_or(&r, 0, 0);
    LOCHAN_TRYG(lochan_reader__end(&r));
    /* ahead: the next transaction takes over what it may, or tells */
    *behind = j->seq != seq || j->size > j->end || known < newest ||
              !lochan_journal__check_back(j, oldest); /* a power cut took bytes of its middle */
done:
    j->known = false; /* this look was without the lock */
    lochan_catalog__read_end(c);
    return rc;
}

/* Brings the journal up to date if that can be done at once; otherwise the next commit does it. */
static lochan_status settle_journal(lochan_catalog *c, lochan_error *err) {
    bool behind = false;
    lochan_error why;
    lochan_txn *txn = NULL;
    static const lochan_txn_options options = {.kind = "settle"};
    LOCHAN_TRY(compare_journal(c, &behind, err));
    if (!behind)
        return LOCHAN_OK;
    int64_t timeout = c->lock_timeout_ms;
    c->lock_timeout_ms = 0;
    lochan_status rc = lochan_txn__begin(c, &options, NULL, NULL, &txn, &why);
    c->lock_timeout_ms = timeout;
    if (c->writer)
        c->writer->timeout_ms = timeout;
    if (rc == LOCHAN_OK)
        rc = lochan_txn__commit(&txn, NULL, &why);
    if (rc == LOCHAN_ERR_LOCKED)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK && err)
        *err = why;
    return rc;
}

static lochan_status open_steps(lochan_catalog *c, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    if (!c->unwritable)
        LOCHAN_TRY(lochan_db__open(c->db_path, LOCHAN_DB_READ, c->lock_timeout_ms, c->cancel,
                                   &c->reader, err));
    LOCHAN_TRY(lochan_catalog__read_begin(c, &db, err));
    LOCHAN_TRYG(lochan_catalog__check_version(db, err));
    LOCHAN_TRYG(lochan_db__meta(db, "lake_id", c->lake_id, sizeof c->lake_id, err));
    LOCHAN_TRYG(lochan_db__meta(db, "incarnation", c->incarnation, sizeof c->incarnation, err));
done:
    lochan_catalog__read_end(c);
    LOCHAN_TRY(rc);
    LOCHAN_TRY(lochan_journal__init(&c->journal, c->path, c->lake_id, err));
    return c->read_only ? LOCHAN_OK : settle_journal(c, err);
}

lochan_status lochan_catalog__open(const char *path, const lochan_catalog_options *options,
                                   lochan_catalog **out, lochan_error *err) {
    static const lochan_catalog_options none;
    *out = NULL;
    LOCHAN_CHECK_ARG(path && *path, err);
    lochan_catalog *c = lochan_mem__zalloc(sizeof *c);
    if (!c)
        return lochan_error__nomem(err);
    pthread_mutex_init(&c->read_mutex, NULL);
    pthread_mutex_init(&c->write_mutex, NULL);
    lochan_known_table__init(c);
    lochan_status rc = setup(c, path, options ? options : &none, err);
    if (rc == LOCHAN_OK)
        rc = open_steps(c, err);
    if (rc != LOCHAN_OK) {
        lochan_catalog__close(c);
        return rc;
    }
    *out = c;
    return LOCHAN_OK;
}

void lochan_catalog__close(lochan_catalog *catalog) {
    if (!catalog)
        return;
    lochan_db__close(catalog->writer);
    lochan_db__close(catalog->reader);
    lochan_journal__deinit(&catalog->journal);
    lochan_store__close(catalog->store);
    lochan_catalog__remove_copy(catalog);
    lochan_catalog__remove_salvage(catalog);
    pthread_mutex_destroy(&catalog->read_mutex);
    pthread_mutex_destroy(&catalog->write_mutex);
    lochan_known_table__deinit(catalog);
    lochan_mem__free(catalog->path);
    lochan_mem__free(catalog->db_path);
    lochan_mem__free(catalog->command);
    lochan_mem__free(catalog);
}

/* ---- facts ---- */

bool lochan_catalog__is_read_only(const lochan_catalog *catalog) {
    return catalog->read_only;
}

const char *lochan_catalog__lake_id(const lochan_catalog *catalog) {
    return catalog->lake_id;
}

lochan_status lochan_catalog__check_writable(const lochan_catalog *catalog, lochan_error *err) {
    if (!catalog->read_only)
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_READ_ONLY, "the lake %s %s", catalog->path,
                             catalog->unwritable ? "cannot be written by this user"
                                                 : "was opened read-only");
}

/* 'text' with quotes doubled. */
static lochan_status put_quoted(lochan_buf *out, const char *text, lochan_error *err) {
    for (; *text; text++) {
        if (*text == '\'')
            LOCHAN_TRY(lochan_buf__putc(out, '\'', err));
        LOCHAN_TRY(lochan_buf__putc(out, *text, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_catalog__attach_sql(const lochan_catalog *catalog, char **out,
                                         lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf sql;
    *out = NULL;
    lochan_buf__init(&sql, 1 << 16);
    LOCHAN_TRYG(lochan_buf__puts(&sql, "ATTACH 'ducklake:sqlite:", err));
    LOCHAN_TRYG(put_quoted(&sql, catalog->db_path, err));
    LOCHAN_TRYG(lochan_buf__puts(&sql, "' AS lake (READ_ONLY, DATA_PATH '", err));
    LOCHAN_TRYG(put_quoted(&sql, catalog->path, err));
    LOCHAN_TRYG(lochan_buf__puts(&sql, "/', OVERRIDE_DATA_PATH true);", err));
    *out = (char *)lochan_buf__take(&sql, NULL);
done:
    lochan_buf__deinit(&sql);
    return rc;
}
