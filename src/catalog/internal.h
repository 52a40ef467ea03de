/* internal.h - what the files of catalog/ share.
 * Invariant: nothing outside catalog/ includes it. May call: base/, arrow/, the headers of
 * catalog/.
 */
#ifndef LOCHAN_CATALOG_INTERNAL_H
#define LOCHAN_CATALOG_INTERNAL_H

#include "catalog/journal.h"
#include "catalog/lock.h"
#include "catalog/sql.h"
#include "catalog/txn.h"
#include "store/store.h"

#include <pthread.h>

#define LOCHAN_DB_NAME  "lake.db"
#define LOCHAN_NEW_NAME "lake.db.new"
#define LOCHAN_LOCKS    "locks"
#define LOCHAN_QUEUE    "lake.lock"

/* What a reader of an unwritable folder looked at, to see whether it changed. */
typedef struct lochan_seen {
    lochan_stat db, wal;
} lochan_seen;

struct lochan_catalog {
    char *path, *db_path, *command;
    char *copy_dir;    /* private copy of lake.db and its WAL, NULL = none */
    char *salvage_dir; /* where lake.db was made again from the journal, NULL = it was not */
    bool read_only;
    bool unwritable; /* the folder: read without locks */
    lochan_seen seen;
    int64_t lock_timeout_ms;
    const lochan_cancel *cancel;
    char lake_id[37], incarnation[37];
    pthread_mutex_t read_mutex; /* order: queue lock, write_mutex, read_mutex */
    lochan_db *reader;
    pthread_mutex_t write_mutex; /* writer and journal; held by whoever holds the queue lock */
    lochan_db *writer;
    bool names_synced;    /* the names in the lake's folder are durable */
    int checkpoint_pages; /* a checkpoint runs when the WAL has so many */
    char open_commit[37]; /* id of the last commit whose fate is not known, "" = none */
    lochan_store *store;  /* to sync files with; NULL until needed */
    int64_t synced_to;    /* every data file up to this id is durable, as far as we know */
    bool sync_failed;     /* of files published unsynced; they are not trusted any more */
    bool suspects_marked; /* and lake.db says so */
    _Atomic int64_t expire_asked_ns; /* when expire_due last looked, 0 = never */
    pthread_mutex_t known_mutex;     /* definitions of tables; the last to be taken */
    struct lochan_known_table *known[16];
    size_t n_known, next_known;
    lochan_journal journal;
    void (*published)(void *ctx); /* after each commit that made a snapshot; may be NULL */
    void *published_ctx;
};

/* ---- catalog.c ---- */

/* One read transaction on the reader connection. STALE if lake.db was replaced. Not nested. */
lochan_status lochan_catalog__read_begin(lochan_catalog *catalog, lochan_db **db,
                                         lochan_error *err);
void lochan_catalog__read_end(lochan_catalog *catalog);
/* The same for a few rows, on the writer's connection if nobody writes: its cache of pages outlives
 * this process's own commits, the reader's does not. End it with look_end. */
lochan_status lochan_catalog__look_begin(lochan_catalog *catalog, lochan_db **db,
                                         lochan_error *err);
void lochan_catalog__look_end(lochan_catalog *catalog, lochan_db *db);
lochan_status lochan_db__check_moved(lochan_db *db, lochan_error *err);
/* A row of lochan_meta into dst. */
lochan_status lochan_db__meta(lochan_db *db, const char *key, char *dst, size_t cap,
                              lochan_error *err);

/* ---- known_table.c ---- */

typedef struct lochan_known_table lochan_known_table;

void lochan_known_table__init(lochan_catalog *catalog);
void lochan_known_table__deinit(lochan_catalog *catalog);
/* *found: *out is the definition that was kept, but for what changes without the schema version;
 * the caller sets snapshot_id. */
lochan_status lochan_known_table__get(lochan_catalog *catalog, const char *source,
                                      const char *dataset, int64_t schema_version, bool *found,
                                      lochan_table_def *out, lochan_error *err);
void lochan_known_table__keep(lochan_catalog *catalog, const lochan_table_def *def,
                              int64_t schema_version);

/* ---- read_only.c ---- */

/* Opens catalog->reader of a folder that cannot be written: in place, or as a private copy if a WAL
 * is left. */
lochan_status lochan_catalog__open_unwritable(lochan_catalog *catalog, lochan_error *err);
/* Whether lake.db or its WAL changed since. */
bool lochan_catalog__unwritable_changed(lochan_catalog *catalog);
void lochan_catalog__remove_copy(lochan_catalog *catalog);

/* ---- salvage.c ---- */

/* Makes the private lake.db and points db_path at it. */
lochan_status lochan_catalog__salvage(lochan_catalog *catalog, int64_t *records, lochan_error *err);
/* The same with a lake.db that was made in `dir`. */
lochan_status lochan_catalog__stand_in(lochan_catalog *catalog, const char *dir, lochan_error *err);
void lochan_catalog__remove_salvage(lochan_catalog *catalog);

/* ---- migrate.c ---- */

#define LOCHAN_MIGRATION_NEWEST 6
#define LOCHAN_MIGRATION_TAGS   5
/* All tables and indexes of the newest version in an empty database. */
lochan_status lochan_catalog__create_tables(lochan_db *db, lochan_error *err);
/* Makes (or drops) indexes by which rows of single files are found: for the transaction that
 * removes many, since every other one would pay for them. */
lochan_status lochan_db__index_files(lochan_db *db, bool make, lochan_error *err);
/* CORRUPT: not a lake; VERSION: from a newer lochan. */
lochan_status lochan_catalog__check_version(lochan_db *db, lochan_error *err);
/* Number of the newest migration that the lake has. */
lochan_status lochan_db__migration(lochan_db *db, int64_t *number, lochan_error *err);
/* Brings a lake of an older lochan up to the newest migration, inside the transaction. */
lochan_status lochan_txn__migrate(lochan_txn *txn, lochan_error *err);

/* ---- txn.c ---- */

typedef struct lochan_txn_column {
    int64_t id;
    lochan_type type;
    bool typed;  /* a scalar whose bounds we can compare */
    bool stored; /* has a row in ducklake_table_column_stats */
    bool changed;
    bool maybe_empty; /* as stored: no bounds, so either no value yet or bounds unknown */
    int64_t begin_snapshot;
    int64_t seen_in;                     /* data file that last brought statistics */
    int64_t contains_null, contains_nan; /* -1 = unknown */
    const char *min, *max;
} lochan_txn_column;

/* What a transaction keeps of a table it changes. */
typedef struct lochan_txn_table {
    struct lochan_txn_table *next;
    int64_t table_id;
    const char *source, *dataset;
    const char *folder; /* relative to the lake, "" or ending in '/' */
    int64_t partition_id;
    size_t n_partition;
    bool created, altered, inserted, retired;
    int64_t first_unsynced; /* id of the first file added without being synced, 0 = none */
    bool has_stats;         /* a row in ducklake_table_stats */
    int64_t rows, next_row_id, bytes;
    int64_t files, partitions;
    lochan_txn_column *columns; /* leaves */
    size_t n_columns;
} lochan_txn_table;

struct lochan_txn {
    lochan_catalog *catalog; /* NULL while a lake is made */
    lochan_db *db;
    lochan_lock *queue;
    lochan_arena arena;
    bool owns_writer; /* holds write_mutex */
    bool began;       /* the SQL transaction is open */
    bool failed;      /* a call failed: only abort is left */
    bool unsynced;    /* durability normal: a power cut may take the commit away */
    bool took_over;   /* commits that only the journal had kept */
    const char *kind, *token, *message, *author;
    char commit_id[37];
    int64_t base; /* newest snapshot at begin; this one would be base + 1 */
    int64_t time_ns;
    char time[40];
    int64_t schema_version, next_catalog_id, next_file_id;
    bool tables_changed, schema_changed;
    lochan_buf changes; /* changes_made of schemas and new tables */
    lochan_txn_table *tables;
    lochan_record record;
    uint64_t seq;
    lochan_hash128 previous; /* hash of the record before */
};

/* Every change goes through here: executed, and noted in the journal's record. END: *n_changed (may
 * be NULL) says whether a live row was there. */
lochan_status lochan_txn__insert(lochan_txn *txn, lochan_row_kind kind, const lochan_value *values,
                                 size_t n, lochan_error *err);
lochan_status lochan_txn__replace(lochan_txn *txn, lochan_row_kind kind, const lochan_value *values,
                                  size_t n, lochan_error *err);
lochan_status lochan_txn__delete(lochan_txn *txn, lochan_row_kind kind, const lochan_value *keys,
                                 size_t n, lochan_error *err);
/* keys are followed by the snapshot. */
lochan_status lochan_txn__end(lochan_txn *txn, lochan_row_kind kind,
                              const lochan_value *keys_and_snapshot, size_t n, int64_t *n_changed,
                              lochan_error *err);
#define LOCHAN_ROW(...)                                                                            \
    (const lochan_value[]){__VA_ARGS__},                                                           \
        sizeof((lochan_value[]){__VA_ARGS__}) / sizeof(lochan_value)

static inline int64_t lochan_txn__sid(const lochan_txn *txn) {
    return txn->base + 1;
}
lochan_status lochan_txn__check(lochan_txn *txn, lochan_error *err); /* not failed */
/* Marks the transaction as failed unless rc is OK; returns rc. */
lochan_status lochan_txn__note(lochan_txn *txn, lochan_status rc);
/* Sets commit time, author and empty state; the caller fills base and counters. */
lochan_status lochan_txn__setup(lochan_txn *txn, const lochan_txn_options *options,
                                lochan_error *err);
void lochan_txn__free(lochan_txn *txn);
/* Writes lochan_commit and the outbox row: the last statements before COMMIT. snapshot -1 = none.
 */
lochan_status lochan_txn__store_record(lochan_txn *txn, int64_t snapshot, lochan_error *err);
/* changes_made: appends one item. */
lochan_status lochan_txn__add_change(lochan_txn *txn, lochan_error *err, const char *fmt, ...)
    LOCHAN_PRINTF(3, 4);

/* ---- publish.c ---- */

/* Under the queue lock and inside the transaction: makes the journal agree with the outbox.
 * JOURNAL_AHEAD, CORRUPT. */
lochan_status lochan_journal__attach(lochan_txn *txn, lochan_error *err);
/* After COMMIT: appends what is missing. */
lochan_status lochan_journal__catch_up(lochan_db *db, lochan_journal *journal, lochan_error *err);
/* Drops outbox rows that are safely in the journal, now and then. */
lochan_status lochan_journal__prune(lochan_txn *txn, lochan_error *err);
/* Newest outbox row. */
lochan_status lochan_journal__newest(lochan_db *db, uint64_t *seq, lochan_hash128 *hash,
                                     uint64_t *oldest, lochan_error *err);

lochan_status lochan_db__put_outbox(lochan_db *db, uint64_t seq, lochan_hash128 hash,
                                    lochan_str record, lochan_error *err);

/* ---- unsynced.c ---- */

/* Before the record of a commit is stored: notes the unsynced files it adds; a synced commit makes
 * the earlier ones of its tables durable. STALE: they must be looked at first. */
lochan_status lochan_txn__note_unsynced(lochan_txn *txn, lochan_error *err);
/* Makes all files durable, as a checkpoint demands. */
lochan_status lochan_txn__sync_all(lochan_txn *txn, lochan_error *err);
/* After a failed sync, outside of a transaction. */
void lochan_catalog__mark_suspects(lochan_catalog *catalog);
/* The journal is ahead of lake.db: takes its records over if they are unsynced commits of an
 * earlier boot. *done = false: they are not. */
lochan_status lochan_journal__take_over(lochan_txn *txn, bool *done, lochan_error *err);

/* ---- foreign.c ---- */

/* Records snapshots of other programs that the journal does not know, each as a commit of its own.
 */
lochan_status lochan_txn__record_foreign(lochan_txn *txn, lochan_error *err);

/* ---- txn_table.c ---- */

/* State of a live table; loaded once. NOT_FOUND. */
lochan_status lochan_txn__load(lochan_txn *txn, int64_t table_id, lochan_txn_table **out,
                               lochan_error *err);
/* Writes the statistics of changed tables; before the record is stored. */
lochan_status lochan_txn__write_stats(lochan_txn *txn, lochan_error *err);

/* ---- read_table.c ---- */

lochan_status lochan_db__newest_snapshot(lochan_db *db, int64_t *out, lochan_error *err);
lochan_status lochan_db__table(lochan_db *db, const char *source, const char *dataset,
                               int64_t snapshot_id, lochan_table_def *out, lochan_error *err);
/* The folder of a table: data path, schema path and table path together. */
lochan_status lochan_db__folder(lochan_arena *arena, const char *table, const char *schema_path,
                                bool schema_relative, const char *table_path, bool table_relative,
                                const char **out, lochan_error *err);

/* ---- snapshots.c ---- */

/* The snapshot that a tag names. */
lochan_status lochan_db__tag(lochan_db *db, const char *name, bool *found, int64_t *snapshot_id,
                             lochan_error *err);

/* ---- read_ledger.c ---- */

lochan_status lochan_db__coverage(lochan_db *db, int64_t dataset_id, lochan_coverage_rows *out,
                                  lochan_error *err);

/* ---- types.c ---- */

/* DuckLake's name of a field's type ("int64", "struct", ...). Dictionaries count as their values.
 * UNSUPPORTED. */
lochan_status lochan_ducktype__of_field(const struct ArrowSchema *field, char dst[64],
                                        lochan_error *err);
/* A scalar type by DuckLake's name. UNSUPPORTED. */
lochan_status lochan_ducktype__parse(const char *name, lochan_type *out, lochan_error *err);
/* Typed bounds from DuckLake's text; false if nothing can be said. Strings are borrowed. */
bool lochan_ducktype__stats(const lochan_type *type, const char *min, const char *max,
                            lochan_expr_stats *out);
/* Order of two bounds; *known = false if one cannot be read. */
int lochan_ducktype__compare(const lochan_type *type, const char *a, const char *b, bool *known);

/* Canonical text of partition values: joined by '/', '%' and '/' escaped, null as "%N". */
const char *lochan_partition__text(lochan_arena *arena, const char *const *values, size_t n);

/* mapping.c: the name mappings of the listed files. UNSUPPORTED: one cannot be read right. */
lochan_status lochan_db__read_mappings(lochan_db *db, const lochan_table_def *def,
                                       lochan_file_list *list, lochan_error *err);

#endif
