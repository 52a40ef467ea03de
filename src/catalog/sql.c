/* sql.c - connections, statements and steps.
 * Invariants: see sql.h. A connection trusts nothing in lake.db: no triggers, no views, no schema
 * functions, no mmap. May call: base/, vfs.h, rows.h.
 */
#include "catalog/sql.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/mem.h"
#include "catalog/vfs.h"

#include <string.h>

static const char *const texts[] = {
#define LOCHAN_SQL(name, text) text,
#include "catalog/sql.def"
#undef LOCHAN_SQL
};

/* Longest text or blob: a journal record of a very large commit. */
#define MAX_VALUE_BYTES (512 * 1024 * 1024)

/* ---- errors ---- */

static lochan_status code_of(int code) {
    switch (code & 0xFF) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return LOCHAN_ERR_LOCKED;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_FORMAT:
        return LOCHAN_ERR_CORRUPT;
    case SQLITE_NOMEM:
        return LOCHAN_ERR_NO_MEMORY;
    case SQLITE_FULL:
        return LOCHAN_ERR_NO_SPACE;
    case SQLITE_READONLY:
        return LOCHAN_ERR_READ_ONLY;
    case SQLITE_IOERR:
        return code == SQLITE_IOERR_NOMEM ? LOCHAN_ERR_NO_MEMORY : LOCHAN_ERR_IO;
    case SQLITE_CANTOPEN:
        return LOCHAN_ERR_IO;
    case SQLITE_INTERRUPT:
        return LOCHAN_ERR_CANCELLED;
    default:
        return LOCHAN_ERR_CATALOG;
    }
}

lochan_status lochan_db__fail(lochan_db *db, int code, const char *what, lochan_error *err) {
    lochan_status status = code_of(code);
    lochan_error file_error;
    if (status == LOCHAN_ERR_NO_MEMORY)
        return lochan_error__nomem(err);
    bool of_file =
        status == LOCHAN_ERR_IO || status == LOCHAN_ERR_NO_SPACE || status == LOCHAN_ERR_READ_ONLY;
    if (of_file && lochan_vfs__last_error(&file_error)) {
        if (err)
            *err = file_error;
        return lochan_error__prefix(err, file_error.code, "%s", what);
    }
    if (status == LOCHAN_ERR_CANCELLED)
        return lochan_error__set(err, status, "%s: cancelled", what);
    if (status == LOCHAN_ERR_LOCKED)
        return lochan_error__set(err, status, "%s: another program holds lake.db locked", what);
    lochan_error__set(err, status, "%s: lake.db: %s", what,
                      db && db->handle ? sqlite3_errmsg(db->handle) : sqlite3_errstr(code));
    return lochan_error__in_file(err, status, "lake.db", -1);
}

/* ---- opening ---- */

/* Waits a little, longer each time and by a random part, so that several waiters do not meet again.
 */
static int busy(void *self, int count) {
    lochan_db *db = self;
    int64_t now = lochan_clock__mono_ns();
    if (count == 0)
        db->busy_since = now;
    if (lochan_cancel__requested(db->cancel))
        return 0;
    if (db->timeout_ms >= 0 && (now - db->busy_since) / 1000000 >= db->timeout_ms)
        return 0;
    int64_t most = count < 6 ? (int64_t)1000000 << count : 50000000;
    lochan_clock__sleep_ns(most / 2 + (int64_t)lochan_random__below((uint64_t)most));
    return 1;
}

static int progress(void *self) {
    lochan_db *db = self;
    return lochan_cancel__requested(db->cancel);
}

static int after_commit(void *self, sqlite3 *handle, const char *name, int pages) {
    (void)handle;
    (void)name;
    ((lochan_db *)self)->wal_pages = pages;
    return SQLITE_OK;
}

/* "file:<path>?<query>" with everything but plain characters escaped. */
static char *make_uri(const char *path, const char *query) {
    static const char hex[] = "0123456789abcdef";
    size_t n = strlen(path), q = strlen(query);
    char *uri = lochan_mem__alloc(n * 3 + q + 16);
    if (!uri)
        return NULL;
    char *p = uri;
    memcpy(p, "file:", 5);
    p += 5;
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)path[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                     c == '/' || c == '.' || c == '-' || c == '_';
        if (plain) {
            *p++ = (char)c;
        } else {
            *p++ = '%';
            *p++ = hex[c >> 4];
            *p++ = hex[c & 15];
        }
    }
    memcpy(p, query, q + 1);
    return uri;
}

static int configure(lochan_db *db, lochan_db_mode mode) {
    static const struct {
        int option, value;
    } options[] = {
        {SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
        {SQLITE_DBCONFIG_ENABLE_VIEW, 0},
        {SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
        {SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
        {SQLITE_DBCONFIG_DEFENSIVE, 1},
        {SQLITE_DBCONFIG_DQS_DML, 0},
        {SQLITE_DBCONFIG_DQS_DDL, 0},
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(options); i++) {
        int rc = sqlite3_db_config(db->handle, options[i].option, options[i].value, NULL);
        if (rc != SQLITE_OK)
            return rc;
    }
    sqlite3_limit(db->handle, SQLITE_LIMIT_LENGTH, MAX_VALUE_BYTES);
    sqlite3_limit(db->handle, SQLITE_LIMIT_SQL_LENGTH, 1000000);
    sqlite3_limit(db->handle, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_extended_result_codes(db->handle, 1);
    sqlite3_progress_handler(db->handle, 100000, progress, db);
    sqlite3_busy_handler(db->handle, busy, db);
    if (mode == LOCHAN_DB_CREATE)
        return SQLITE_OK;
    sqlite3_wal_hook(db->handle, after_commit, db);
    return sqlite3_db_config(db->handle, SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, NULL);
}

static lochan_status open_handle(lochan_db *db, const char *path, lochan_db_mode mode,
                                 lochan_error *err) {
    /* IMMUTABLE reads a file nobody writes; the others are full connections, because WAL readers
     * write locks too */
    static const int flags[] = {SQLITE_OPEN_READWRITE, SQLITE_OPEN_READWRITE,
                                SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, SQLITE_OPEN_READONLY};
    char *uri = make_uri(path, mode == LOCHAN_DB_IMMUTABLE ? "?immutable=1" : "");
    if (!uri)
        return lochan_error__nomem(err);
    int rc = sqlite3_open_v2(uri, &db->handle, flags[mode] | SQLITE_OPEN_URI | SQLITE_OPEN_NOMUTEX,
                             LOCHAN_VFS_NAME);
    lochan_mem__free(uri);
    if (rc == SQLITE_OK)
        rc = configure(db, mode);
    return rc == SQLITE_OK ? LOCHAN_OK : lochan_db__fail(db, rc, "opening the catalog", err);
}

lochan_status lochan_db__open(const char *path, lochan_db_mode mode, int64_t timeout_ms,
                              const lochan_cancel *cancel, lochan_db **out, lochan_error *err) {
    *out = NULL;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(lochan_vfs__register(err));
    lochan_db *db = lochan_mem__zalloc(sizeof *db);
    if (!db)
        return lochan_error__nomem(err);
    db->timeout_ms = timeout_ms;
    db->cancel = cancel;
    lochan_vfs__clear_error();
    LOCHAN_TRYG(open_handle(db, path, mode, err));
    LOCHAN_TRYG(lochan_db__exec(db,
                                "PRAGMA mmap_size=0; PRAGMA cache_size=-16000; PRAGMA "
                                "temp_store=MEMORY; PRAGMA cell_size_check=ON",
                                err));
    if (mode == LOCHAN_DB_CREATE)
        LOCHAN_TRYG(lochan_db__exec(db, "PRAGMA synchronous=OFF; PRAGMA journal_mode=MEMORY", err));
    else if (mode != LOCHAN_DB_IMMUTABLE)
        LOCHAN_TRYG(lochan_db__exec(db, "PRAGMA synchronous=FULL", err));
    if (mode == LOCHAN_DB_READ)
        LOCHAN_TRYG(lochan_db__exec(db, "PRAGMA query_only=ON", err));
done:
    if (rc != LOCHAN_OK) {
        lochan_db__close(db);
        return rc;
    }
    *out = db;
    return LOCHAN_OK;
}

lochan_status lochan_db__set_unsynced(lochan_db *db, bool unsynced, lochan_error *err) {
    if (db->unsynced != unsynced)
        LOCHAN_TRY(lochan_db__exec(
            db, unsynced ? "PRAGMA synchronous=NORMAL" : "PRAGMA synchronous=FULL", err));
    db->unsynced = unsynced;
    return LOCHAN_OK;
}

void lochan_db__close(lochan_db *db) {
    if (!db)
        return;
    for (size_t i = 0; i < LOCHAN_SQL_COUNT; i++)
        sqlite3_finalize(db->fixed[i]);
    for (size_t i = 0; i < LOCHAN_ROW_COUNT; i++)
        for (size_t op = 0; op < LOCHAN_OP_COUNT; op++)
            sqlite3_finalize(db->row[i][op]);
    sqlite3_close_v2(db->handle);
    lochan_mem__free(db);
}

/* ---- statements ---- */

lochan_status lochan_db__exec(lochan_db *db, const char *sql, lochan_error *err) {
    lochan_vfs__clear_error();
    int rc = sqlite3_exec(db->handle, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? LOCHAN_OK : lochan_db__fail(db, rc, "the catalog", err);
}

static lochan_status prepare(lochan_db *db, const char *sql, sqlite3_stmt **slot,
                             lochan_error *err) {
    if (*slot) {
        sqlite3_reset(*slot);
        sqlite3_clear_bindings(*slot);
        return LOCHAN_OK;
    }
    lochan_vfs__clear_error();
    int rc = sqlite3_prepare_v3(db->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, slot, NULL);
    if (rc == SQLITE_ERROR) { /* a table or column is missing */
        lochan_error__set(err, LOCHAN_ERR_CORRUPT, "lake.db is not a whole catalog: %s",
                          sqlite3_errmsg(db->handle));
        return lochan_error__in_file(err, LOCHAN_ERR_CORRUPT, "lake.db", -1);
    }
    return rc == SQLITE_OK ? LOCHAN_OK : lochan_db__fail(db, rc, "reading the catalog", err);
}

lochan_status lochan_db__get(lochan_db *db, lochan_sql sql, sqlite3_stmt **out, lochan_error *err) {
    *out = NULL;
    LOCHAN_TRY(prepare(db, texts[sql], &db->fixed[sql], err));
    *out = db->fixed[sql];
    return LOCHAN_OK;
}

lochan_status lochan_db__get_row(lochan_db *db, lochan_row_kind kind, lochan_row_op op,
                                 sqlite3_stmt **out, lochan_error *err) {
    *out = NULL;
    lochan_status rc = LOCHAN_OK;
    sqlite3_stmt **slot = &db->row[kind][op];
    lochan_buf sql;
    lochan_buf__init(&sql, 8192);
    if (!*slot)
        LOCHAN_TRYG(lochan_row__sql(lochan_row__table(kind), op, &sql, err));
    LOCHAN_TRYG(prepare(db, (const char *)sql.data, slot, err));
    *out = *slot;
done:
    lochan_buf__deinit(&sql);
    return rc;
}

lochan_status lochan_db__bind(lochan_db *db, sqlite3_stmt *stmt, int index,
                              const lochan_value *value, lochan_error *err) {
    int rc = SQLITE_OK;
    switch (value->type) {
    case LOCHAN_VALUE_NULL:
        rc = sqlite3_bind_null(stmt, index);
        break;
    case LOCHAN_VALUE_INT:
        rc = sqlite3_bind_int64(stmt, index, value->i);
        break;
    case LOCHAN_VALUE_REAL:
        rc = sqlite3_bind_double(stmt, index, value->f);
        break;
    case LOCHAN_VALUE_TEXT:
        rc = sqlite3_bind_text64(stmt, index, value->s.p ? value->s.p : "", value->s.n,
                                 SQLITE_STATIC, SQLITE_UTF8);
        break;
    case LOCHAN_VALUE_BLOB:
        rc = sqlite3_bind_blob64(stmt, index, value->s.p, value->s.n, SQLITE_STATIC);
        break;
    }
    if (rc == SQLITE_TOOBIG)
        return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT,
                                 "a value of %zu bytes is too large for the catalog", value->s.n);
    return rc == SQLITE_OK ? LOCHAN_OK : lochan_db__fail(db, rc, "the catalog", err);
}

lochan_status lochan_db__step(lochan_db *db, sqlite3_stmt *stmt, bool *row, lochan_error *err) {
    lochan_vfs__clear_error();
    int rc = sqlite3_step(stmt);
    *row = rc == SQLITE_ROW;
    if (rc == SQLITE_ROW)
        return LOCHAN_OK;
    lochan_status status =
        rc == SQLITE_DONE ? LOCHAN_OK : lochan_db__fail(db, rc, "the catalog", err);
    sqlite3_reset(stmt);
    return status;
}

lochan_status lochan_db__run(lochan_db *db, sqlite3_stmt *stmt, int64_t *changes,
                             lochan_error *err) {
    bool row;
    LOCHAN_TRY(lochan_db__step(db, stmt, &row, err));
    if (row)
        sqlite3_reset(stmt);
    if (changes)
        *changes = sqlite3_changes(db->handle);
    return LOCHAN_OK;
}

static lochan_status run_row(lochan_db *db, lochan_row_kind kind, lochan_row_op op,
                             const lochan_value *values, size_t n, int64_t *changes,
                             lochan_error *err) {
    sqlite3_stmt *stmt;
    LOCHAN_TRY(lochan_db__get_row(db, kind, op, &stmt, err));
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(lochan_db__bind(db, stmt, (int)i + 1, &values[i], err));
    lochan_status rc = lochan_db__run(db, stmt, changes, err);
    return lochan_error__in_table(err, rc, lochan_row__table(kind)->name, NULL, -1);
}

lochan_status lochan_db__change(lochan_db *db, lochan_row_kind kind, lochan_row_op op,
                                const lochan_value *values, size_t n, int64_t *changes,
                                lochan_error *err) {
    if (op != LOCHAN_OP_REPLACE)
        return run_row(db, kind, op, values, n, changes, err);
    const lochan_row_table *table = lochan_row__table(kind);
    lochan_value keys[LOCHAN_ROW_MAX_COLUMNS];
    size_t n_keys = 0;
    for (size_t i = 0; i < n; i++)
        if (table->columns[i].key)
            keys[n_keys++] = values[i];
    LOCHAN_TRY(run_row(db, kind, LOCHAN_OP_DELETE, keys, n_keys, NULL, err));
    return run_row(db, kind, LOCHAN_OP_INSERT, values, n, changes, err);
}

lochan_status lochan_db__do(lochan_db *db, lochan_sql sql, lochan_error *err) {
    sqlite3_stmt *stmt;
    LOCHAN_TRY(lochan_db__get(db, sql, &stmt, err));
    return lochan_db__run(db, stmt, NULL, err);
}

lochan_status lochan_db__begin_read(lochan_db *db, lochan_error *err) {
    return lochan_db__do(db, LOCHAN_SQL_BEGIN, err);
}

void lochan_db__end_read(lochan_db *db) {
    for (size_t i = 0; i < LOCHAN_SQL_COUNT; i++)
        if (db->fixed[i])
            sqlite3_reset(db->fixed[i]);
    if (lochan_db__do(db, LOCHAN_SQL_ROLLBACK, NULL) != LOCHAN_OK)
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
}

/* ---- checked columns ---- */

lochan_reader lochan_reader__start(lochan_db *db, lochan_sql sql, const char *table,
                                   lochan_arena *arena, lochan_error *err) {
    lochan_reader r = {db, NULL, table, arena, LOCHAN_OK, err};
    r.rc = lochan_db__get(db, sql, &r.stmt, err);
    return r;
}

static void bind_value(lochan_reader *r, int index, lochan_value value) {
    if (r->rc == LOCHAN_OK)
        r->rc = lochan_db__bind(r->db, r->stmt, index, &value, r->err);
}

void lochan_reader__bind_int(lochan_reader *r, int index, int64_t value) {
    bind_value(r, index, lochan_value__int(value));
}

void lochan_reader__bind_text(lochan_reader *r, int index, const char *value) {
    bind_value(r, index, lochan_value__text(value));
}

bool lochan_reader__next(lochan_reader *r) {
    bool row = false;
    if (r->rc == LOCHAN_OK)
        r->rc = lochan_db__step(r->db, r->stmt, &row, r->err);
    return r->rc == LOCHAN_OK && row;
}

lochan_status lochan_reader__end(lochan_reader *r) {
    if (r->stmt)
        sqlite3_reset(r->stmt);
    return r->rc;
}

void lochan_reader__corrupt(lochan_reader *r, int column, const char *expected) {
    if (r->rc != LOCHAN_OK)
        return;
    const char *name = sqlite3_column_name(r->stmt, column);
    r->rc = lochan_error__set(r->err, LOCHAN_ERR_CORRUPT, "lake.db: %s.%s should be %s", r->table,
                              name ? name : "?", expected);
    lochan_error__in_file(r->err, r->rc, "lake.db", -1);
}

static bool is_null(lochan_reader *r, int column) {
    return r->rc != LOCHAN_OK || sqlite3_column_type(r->stmt, column) == SQLITE_NULL;
}

int64_t lochan_reader__int(lochan_reader *r, int column) {
    if (r->rc != LOCHAN_OK)
        return 0;
    if (sqlite3_column_type(r->stmt, column) != SQLITE_INTEGER) {
        lochan_reader__corrupt(r, column, "an integer");
        return 0;
    }
    return sqlite3_column_int64(r->stmt, column);
}

int64_t lochan_reader__int_or(lochan_reader *r, int column, int64_t otherwise) {
    return is_null(r, column) ? otherwise : lochan_reader__int(r, column);
}

int64_t lochan_reader__count(lochan_reader *r, int column) {
    int64_t v = lochan_reader__int(r, column);
    bool sound = v >= 0 && v <= LOCHAN_COUNT_MAX;
    if (!sound)
        lochan_reader__corrupt(r, column, v < 0 ? "zero or more" : "at most 2^53");
    return sound ? v : 0;
}

double lochan_reader__real(lochan_reader *r, int column) {
    if (r->rc == LOCHAN_OK && sqlite3_column_type(r->stmt, column) == SQLITE_FLOAT)
        return sqlite3_column_double(r->stmt, column);
    return (double)lochan_reader__int(r, column);
}

bool lochan_reader__bool(lochan_reader *r, int column, bool otherwise) {
    return lochan_reader__int_or(r, column, otherwise) != 0;
}

static const char *copy_text(lochan_reader *r, int column) {
    if (sqlite3_column_type(r->stmt, column) != SQLITE_TEXT) {
        lochan_reader__corrupt(r, column, "text");
        return "";
    }
    const char *s = (const char *)sqlite3_column_text(r->stmt, column);
    size_t n = (size_t)sqlite3_column_bytes(r->stmt, column);
    char *copy = s ? lochan_arena__strndup(r->arena, s, n) : NULL;
    if (!copy) {
        r->rc = lochan_error__nomem(r->err);
        return "";
    }
    if (strlen(copy) != n || !lochan_utf8__valid(copy, n)) {
        lochan_reader__corrupt(r, column, "valid UTF-8 text");
        return "";
    }
    return copy;
}

const char *lochan_reader__text(lochan_reader *r, int column) {
    return r->rc == LOCHAN_OK ? copy_text(r, column) : "";
}

const char *lochan_reader__text_or(lochan_reader *r, int column, const char *otherwise) {
    return is_null(r, column) ? otherwise : lochan_reader__text(r, column);
}

lochan_str lochan_reader__blob(lochan_reader *r, int column) {
    lochan_str none = {NULL, 0};
    if (is_null(r, column))
        return none;
    if (sqlite3_column_type(r->stmt, column) != SQLITE_BLOB) {
        lochan_reader__corrupt(r, column, "a blob");
        return none;
    }
    const void *p = sqlite3_column_blob(r->stmt, column);
    size_t n = (size_t)sqlite3_column_bytes(r->stmt, column);
    char *copy = lochan_arena__alloc(r->arena, n + 1);
    if (!copy || (!p && n)) {
        r->rc = lochan_error__nomem(r->err);
        return none;
    }
    if (n)
        memcpy(copy, p, n);
    return (lochan_str){copy, n};
}

int64_t lochan_reader__time(lochan_reader *r, int column) {
    int64_t ns = 0;
    if (is_null(r, column))
        return 0;
    if (sqlite3_column_type(r->stmt, column) != SQLITE_TEXT) {
        lochan_reader__corrupt(r, column, "a time");
        return 0;
    }
    const char *s = (const char *)sqlite3_column_text(r->stmt, column);
    if (!s)
        r->rc = lochan_error__nomem(r->err);
    else if (!lochan_civil__parse_utc(s, (size_t)sqlite3_column_bytes(r->stmt, column), &ns))
        lochan_reader__corrupt(r, column, "a time");
    return ns;
}

lochan_value lochan_reader__value(lochan_reader *r, int column) {
    if (is_null(r, column))
        return lochan_value__null();
    switch (sqlite3_column_type(r->stmt, column)) {
    case SQLITE_INTEGER:
        return lochan_value__int(sqlite3_column_int64(r->stmt, column));
    case SQLITE_FLOAT:
        return lochan_value__real(sqlite3_column_double(r->stmt, column));
    case SQLITE_TEXT:
        return lochan_value__text(copy_text(r, column));
    default: {
        lochan_value v = {LOCHAN_VALUE_BLOB, 0, 0, lochan_reader__blob(r, column)};
        return v;
    }
    }
}
