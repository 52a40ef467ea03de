/* sql.h - one connection to lake.db: statements, steps, checked columns.
 * Invariants: fixed statements live in sql.def, row statements come from rows.def; a statement is
 * reset as soon as its result was read, so no read transaction outlives a call; SQLite's codes
 * become lochan's here and nowhere else. One thread at a time. May call: base/, vfs.h, rows.h.
 */
#ifndef LOCHAN_CATALOG_SQL_H
#define LOCHAN_CATALOG_SQL_H

#include "base/arena.h"
#include "base/cancel.h"
#include "catalog/rows.h"
#include <sqlite3.h>

typedef enum lochan_sql {
#define LOCHAN_SQL(name, text) LOCHAN_SQL_##name,
#include "catalog/sql.def"
#undef LOCHAN_SQL
    LOCHAN_SQL_COUNT
} lochan_sql;

typedef enum lochan_db_mode {
    LOCHAN_DB_READ, /* of a lake that can be written (WAL needs its shared memory) */
    LOCHAN_DB_WRITE,
    LOCHAN_DB_CREATE, /* a new file, written by us alone and synced once at the end by the caller */
    LOCHAN_DB_IMMUTABLE /* nobody writes it: no locks, no WAL */
} lochan_db_mode;

typedef struct lochan_db {
    sqlite3 *handle;
    sqlite3_stmt *fixed[LOCHAN_SQL_COUNT];
    sqlite3_stmt *row[LOCHAN_ROW_COUNT][LOCHAN_OP_COUNT];
    const lochan_cancel *cancel;
    int64_t timeout_ms; /* of the busy handler; -1 = for ever */
    int64_t busy_since; /* mono_ns of the first refusal of the current wait */
    int wal_pages;      /* after the last commit */
    bool interrupted;
    bool unsynced; /* commits do not sync the log */
} lochan_db;

lochan_status lochan_db__open(const char *path, lochan_db_mode mode, int64_t timeout_ms,
                              const lochan_cancel *cancel, lochan_db **out, lochan_error *err);
/* Whether commits leave the log to the system (synchronous=NORMAL). Not inside a transaction. */
lochan_status lochan_db__set_unsynced(lochan_db *db, bool unsynced, lochan_error *err);
/* Never checkpoints (but for CREATE). NULL is a no-op. */
void lochan_db__close(lochan_db *db);

/* The error of the last failed call on db, as lochan's. what: what was being done ("publishing the
 * snapshot"). */
lochan_status lochan_db__fail(lochan_db *db, int code, const char *what, lochan_error *err);
/* Statements without result and parameters. */
lochan_status lochan_db__exec(lochan_db *db, const char *sql, lochan_error *err);

/* A fixed statement, reset and without bindings; borrowed from db. */
lochan_status lochan_db__get(lochan_db *db, lochan_sql sql, sqlite3_stmt **out, lochan_error *err);
/* The statement of a row operation (INSERT, DELETE, END). */
lochan_status lochan_db__get_row(lochan_db *db, lochan_row_kind kind, lochan_row_op op,
                                 sqlite3_stmt **out, lochan_error *err);
/* Binds the value to ?index; text and blobs must live until the reset. */
lochan_status lochan_db__bind(lochan_db *db, sqlite3_stmt *stmt, int index,
                              const lochan_value *value, lochan_error *err);
/* *row: there is one to read. After the last one and after a failure the statement is reset. */
lochan_status lochan_db__step(lochan_db *db, sqlite3_stmt *stmt, bool *row, lochan_error *err);
/* Steps a statement without rows; *changes (may be NULL) = rows changed. */
lochan_status lochan_db__run(lochan_db *db, sqlite3_stmt *stmt, int64_t *changes,
                             lochan_error *err);
/* Executes one change of rows (REPLACE included). */
lochan_status lochan_db__change(lochan_db *db, lochan_row_kind kind, lochan_row_op op,
                                const lochan_value *values, size_t n, int64_t *changes,
                                lochan_error *err);

/* One read transaction around several statements: end resets all and keeps none open. */
/* Runs a statement without parameters. */
lochan_status lochan_db__do(lochan_db *db, lochan_sql sql, lochan_error *err);
lochan_status lochan_db__begin_read(lochan_db *db, lochan_error *err);
void lochan_db__end_read(lochan_db *db);

/* ---- reading columns: checked, and with the first failure kept ---- */

typedef struct lochan_reader {
    lochan_db *db;
    sqlite3_stmt *stmt;
    const char *table;   /* for messages */
    lochan_arena *arena; /* for text */
    lochan_status rc;    /* first failure; getters then return 0 or "" */
    lochan_error *err;
} lochan_reader;

/* Prepares. Bind with the three below, in order from ?1; failures are kept in rc. */
lochan_reader lochan_reader__start(lochan_db *db, lochan_sql sql, const char *table,
                                   lochan_arena *arena, lochan_error *err);
void lochan_reader__bind_int(lochan_reader *r, int index, int64_t value);
void lochan_reader__bind_text(lochan_reader *r, int index, const char *value); /* NULL = null */
/* True while there is a row; false at the end and after a failure (then rc tells). */
bool lochan_reader__next(lochan_reader *r);
/* Resets and returns rc. */
lochan_status lochan_reader__end(lochan_reader *r);
/* Marks the row as damaged. */
void lochan_reader__corrupt(lochan_reader *r, int column, const char *expected);

/* What a lake can count of rows, bytes, ids: so that a sum of hostile ones does not overflow. */
#define LOCHAN_COUNT_MAX (1ll << 53)

int64_t lochan_reader__int(lochan_reader *r, int column);                       /* not null */
int64_t lochan_reader__int_or(lochan_reader *r, int column, int64_t otherwise); /* if null */
int64_t lochan_reader__count(lochan_reader *r, int column); /* not null, 0 to LOCHAN_COUNT_MAX */
double lochan_reader__real(lochan_reader *r, int column);   /* or integer; not null */
bool lochan_reader__bool(lochan_reader *r, int column, bool otherwise);
const char *lochan_reader__text(lochan_reader *r, int column); /* copied; not null; UTF-8 */
const char *lochan_reader__text_or(lochan_reader *r, int column, const char *otherwise);
lochan_str lochan_reader__blob(lochan_reader *r, int column);    /* copied; null = n 0 */
int64_t lochan_reader__time(lochan_reader *r, int column);       /* text -> ns; null = 0 */
lochan_value lochan_reader__value(lochan_reader *r, int column); /* copied */

#endif
