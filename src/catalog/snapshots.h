/* snapshots.h - the list of snapshots, names for them, and forgetting old ones.
 * Invariants: the newest snapshot and those that a tag names are never forgotten; a file is listed
 * for deletion only by the transaction that forgets its last snapshot, and nothing else ever lists
 * one. May call: base/, arrow/, read.h, txn.h.
 */
#ifndef LOCHAN_CATALOG_SNAPSHOTS_H
#define LOCHAN_CATALOG_SNAPSHOTS_H

#include "catalog/txn.h"

typedef struct lochan_snapshot_row {
    int64_t id;
    int64_t time_ns;
    const char *kind;    /* of the commit: "update", ...; "" = of another program */
    const char *author;  /* "" = none */
    const char *message; /* "" = none */
    const char *changes; /* as DuckLake words them */
    const char *tags;    /* names divided by ", "; "" = none */
} lochan_snapshot_row;
typedef struct lochan_snapshot_rows {
    size_t n;
    lochan_snapshot_row *rows; /* newest first */
    lochan_arena arena;
} lochan_snapshot_rows;
/* table_id -1 = all; else those that changed the table. limit -1 = all. */
lochan_status lochan_catalog__snapshots(lochan_catalog *catalog, int64_t table_id, int64_t limit,
                                        lochan_snapshot_rows *out, lochan_error *err);
void lochan_snapshot_rows__deinit(lochan_snapshot_rows *rows);

/* The newest snapshot after `since` that was no update, append or rewrite of ours: another
 * program's, a rollback, a repair and the like, of any table; -1 = none. Commits of others count
 * once they are in the journal, as after any commit. */
lochan_status lochan_catalog__newest_intrusion(lochan_catalog *catalog, int64_t since, int64_t *out,
                                               lochan_error *err);
/* The same inside a transaction, with what was committed until it began, whoever did. */
lochan_status lochan_txn__newest_intrusion(lochan_txn *txn, int64_t since, int64_t *out,
                                           lochan_error *err);

/* Names a snapshot, or gives the name to another one. INVALID_ARGUMENT for a name that reads as a
 * number or a time. */
lochan_status lochan_txn__put_tag(lochan_txn *txn, const char *name, int64_t snapshot_id,
                                  lochan_error *err);
/* NOT_FOUND if there is none of that name. */
lochan_status lochan_txn__delete_tag(lochan_txn *txn, const char *name, lochan_error *err);

typedef struct lochan_expired {
    int64_t snapshots, files, bytes;
    bool more; /* stopped at the limit */
} lochan_expired;
/* Forgets snapshots older than a time, but for the newest `keep`, and those with tags; at most
 * `limit` of them. Files that no snapshot shows any more are listed for deletion. */
lochan_status lochan_txn__expire(lochan_txn *txn, int64_t before_ns, int64_t keep, int64_t limit,
                                 lochan_expired *out, lochan_error *err);

/* Seconds for which snapshots of this lake are kept; 30 days unless it says otherwise. */
lochan_status lochan_catalog__retention(lochan_catalog *catalog, int64_t *seconds,
                                        lochan_error *err);
lochan_status lochan_catalog__set_retention(lochan_catalog *catalog, int64_t seconds,
                                            lochan_error *err);
/* Whether it is time to expire by itself: the oldest snapshot is older than the retention, and
 * nobody did it in the last hour. Looks once an hour, and says no in between. */
lochan_status lochan_catalog__expire_due(lochan_catalog *catalog, bool *due, int64_t *seconds,
                                         lochan_error *err);
/* Notes in the transaction of an expire that it was done. */
lochan_status lochan_txn__note_expire(lochan_txn *txn, lochan_error *err);

/* A file listed for deletion. */
typedef struct lochan_scheduled_file {
    int64_t id;
    const char *path; /* relative to the lake */
    int64_t since_ns;
} lochan_scheduled_file;
typedef struct lochan_scheduled_files {
    size_t n;
    lochan_scheduled_file *files;
    lochan_arena arena;
} lochan_scheduled_files;
lochan_status lochan_catalog__scheduled(lochan_catalog *catalog, lochan_scheduled_files *out,
                                        lochan_error *err);
void lochan_scheduled_files__deinit(lochan_scheduled_files *list);
/* The file is gone. */
lochan_status lochan_txn__forget_scheduled(lochan_txn *txn, int64_t id, lochan_error *err);

#endif
