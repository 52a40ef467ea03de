/* unsynced.h - files that were published without being synced (durability normal).
 *
 * A row of lochan_meta for each table that has such files, "unsynced.<table_id>", holds the id of
 * the first file that may not be on the disk yet and the boot in which it was written. Within that
 * boot the files are as good as any. They are synced before the next synced commit to the table,
 * and before a checkpoint. After another boot they have to be looked at (table/unsynced.c).
 * Invariants: no row is removed before the files are durable or retired; what a power cut takes
 * away is the end of a table's commits, since the log of lake.db and the journal lose their ends
 * only. May call: base/, store/, catalog.h.
 */
#ifndef LOCHAN_CATALOG_UNSYNCED_H
#define LOCHAN_CATALOG_UNSYNCED_H

#include "base/arena.h"
#include "base/boot.h"
#include "catalog/txn.h"

/* A table with unsynced files. */
typedef struct lochan_unsynced_table {
    int64_t table_id;
    int64_t first_file;
    const char *boot;
} lochan_unsynced_table;

typedef struct lochan_unsynced_tables {
    size_t n;
    lochan_unsynced_table *tables; /* by the text of their ids */
    lochan_arena arena;
} lochan_unsynced_tables;

/* A live file that was not synced when it was published. */
typedef struct lochan_unsynced_file {
    int64_t id, begin_snapshot;
    const char *path; /* relative to the lake */
} lochan_unsynced_file;

typedef struct lochan_unsynced_files {
    size_t n;
    lochan_unsynced_file *files; /* by id */
    lochan_arena arena;
} lochan_unsynced_files;

lochan_status lochan_catalog__unsynced(lochan_catalog *catalog, lochan_unsynced_tables *out,
                                       lochan_error *err);
void lochan_unsynced_tables__deinit(lochan_unsynced_tables *list); /* a zeroed one is fine */
lochan_status lochan_catalog__unsynced_files(lochan_catalog *catalog,
                                             const lochan_unsynced_table *table,
                                             lochan_unsynced_files *out, lochan_error *err);
void lochan_unsynced_files__deinit(lochan_unsynced_files *list); /* a zeroed one is fine */

/* The table's files have been looked at and are durable or retired by this transaction. *still =
 * false: somebody else did it meanwhile, or the files are others; nothing is changed then. */
lochan_status lochan_txn__settle_unsynced(lochan_txn *txn, const lochan_unsynced_table *table,
                                          bool *still, lochan_error *err);

#endif
