/* txn.h - changing the catalog: one transaction = one commit = one journal record = at most one
 * snapshot. Invariants: a transaction holds the queue lock and the write lock of lake.db, so it is
 * short: no network, no data file is touched meanwhile. After a failure of any call the transaction
 * can only be aborted. commit reports success only when the commit is durable, and failure only
 * when it will never be seen. One thread; one transaction a catalog at a time (a second thread
 * waits). May call: base/, arrow/, catalog.h, read.h.
 */
#ifndef LOCHAN_CATALOG_TXN_H
#define LOCHAN_CATALOG_TXN_H

#include "catalog/read.h"
#include <lochan/update.h>

typedef struct lochan_txn lochan_txn;

/* Zeroed fields are the defaults. All text is copied. */
typedef struct lochan_txn_options {
    const char *kind; /* "update", "create", "source", ... for lochan_commit; NULL = "commit" */
    const char *commit_id; /* uuid that the files' footers name already; NULL = a new one */
    const char *token;     /* of the client, NULL = none */
    const char *message;   /* for ducklake_snapshot_changes; NULL = none */
    const char *author;    /* NULL = "lochan <version>" */
    int64_t base_snapshot; /* for lochan_txn__check_partitions' message only; may be 0 */
    bool unsynced; /* durability normal: the commit outlives the process, not a power cut; its files
                      have an unsynced_boot */
} lochan_txn_options;

/* Queues (LOCKED names the holder after lock_timeout), checks that lake.db is the file that was
 * opened (STALE), brings the journal up to date and begins. If the token was committed before: *out
 * = NULL, *already_done = true and *snapshot_id (may be NULL) is what that commit published (-1 =
 * none). */
lochan_status lochan_txn__begin(lochan_catalog *catalog, const lochan_txn_options *options,
                                bool *already_done, int64_t *snapshot_id, lochan_txn **out,
                                lochan_error *err);
/* Publishes. Takes the transaction, also on failure: *txn = NULL. *snapshot_id (may be NULL) = -1
 * if no table changed. A transaction without any change commits nothing but its token. */
lochan_status lochan_txn__commit(lochan_txn **txn, int64_t *snapshot_id, lochan_error *err);
/* After a failed commit: true if it may yet turn out to have landed, because the disk refused to
 * take it back. Then its files must stay. Not while holding a transaction. */
bool lochan_catalog__fate_is_open(lochan_catalog *catalog, const char *commit_id);
void lochan_txn__abort(lochan_txn *txn); /* NULL is a no-op */

const char *lochan_txn__commit_id(const lochan_txn *txn);
int64_t lochan_txn__base(const lochan_txn *txn); /* newest snapshot at begin */

/* ---- tables ---- */

typedef struct lochan_table_create {
    const char *source; /* schema; made if missing, path data/<source>/ */
    const char *dataset;
    const char *path; /* folder relative to the schema's, ending in '/'; NULL = "<dataset>/" */
    const struct ArrowSchema
        *schema; /* struct; nested fields allowed; dictionary fields count as their values */
    size_t n_partition;
    const lochan_partition_key *partition; /* column (index) and transform are read */
    size_t n_sort;
    const lochan_table_sort *sort; /* column, descending, nulls_first are read */
    bool keep_ids;                 /* top-level columns have the field ids of `schema` */
} lochan_table_create;

/* Column ids are given depth first from 1. EXISTS if there is such a table. UNSUPPORTED names a
 * column whose type has no DuckLake name; a struct needs at least one field. */
lochan_status lochan_txn__create_table(lochan_txn *txn, const lochan_table_create *create,
                                       int64_t *table_id, lochan_error *err);
/* The table as this transaction sees it (its own changes included). */
lochan_status lochan_txn__table(lochan_txn *txn, const char *source, const char *dataset,
                                lochan_table_def *out, lochan_error *err);
/* Adds a field (with its children) at the end: parent_id 0 = top level, else a struct column's id.
 * It must be nullable. *column_id = its id. */
lochan_status lochan_txn__add_column(lochan_txn *txn, int64_t table_id, int64_t parent_id,
                                     const struct ArrowSchema *field, int64_t *column_id,
                                     lochan_error *err);

/* ---- files ---- */

typedef struct lochan_column_stats {
    int64_t column_id; /* of a leaf */
    int64_t compressed_bytes;
    int64_t value_count;
    int64_t null_count;    /* -1 = unknown */
    int contains_nan;      /* 1, 0; -1 = unknown: for floats that switches pruning off */
    const char *min, *max; /* DuckLake's text form; NULL = unknown */
    bool table_only;       /* widens the table's statistics, but none are kept of this file */
} lochan_column_stats;

typedef struct lochan_file_add {
    const char *path; /* relative to the lake; must lie below the table's folder */
    int64_t rows;
    int64_t bytes;
    int64_t footer_bytes;
    const char *const *partition_values; /* one for each key of the table, NULL = null; NULL array
                                            if not partitioned */
    size_t n_partition_values;
    const lochan_column_stats *stats;
    size_t n_stats;
    const char *file_id; /* uuid; "" = a file that another program wrote */
    int64_t ordinal;     /* of this file in the commit, from 0 */
    bool sorted;
    bool clustered;              /* see lochan_data_file */
    lochan_str key_min, key_max; /* memcmp order; n = 0: unknown */
    int64_t published_ns;        /* of rows that stood in another file before; 0 = now */
    const char *unsynced_boot;   /* boot id if the file was not synced, else NULL */
    int64_t mapping_id; /* of lochan_txn__add_mapping; 0 = fields bear the ids of the columns */
} lochan_file_add;

/* One line of a mapping, fields of structs behind their struct. */
typedef struct lochan_mapping_line {
    const char *name;
    int64_t column_id; /* of the table */
    int parent;        /* line of the struct, -1 = none */
    bool is_partition; /* stands in the path, not in the file */
} lochan_mapping_line;
/* Says what columns are called in files of other programs. */
lochan_status lochan_txn__add_mapping(lochan_txn *txn, int64_t table_id,
                                      const lochan_mapping_line *lines, size_t n,
                                      int64_t *mapping_id, lochan_error *err);

/* Refuses a path that the catalog ever knew. Keeps table statistics. */
lochan_status lochan_txn__add_file(lochan_txn *txn, int64_t table_id, const lochan_file_add *file,
                                   int64_t *data_file_id, lochan_error *err);
/* Retires a live file. CONFLICT if it is not live any more. */
lochan_status lochan_txn__retire_file(lochan_txn *txn, int64_t table_id, int64_t data_file_id,
                                      lochan_error *err);

/* Partition values of one partition, as in lochan_file_add. */
typedef struct lochan_partition_ref {
    const char *const *values;
} lochan_partition_ref;
/* CONFLICT names the first of these partitions in which a file began or ended after base_snapshot;
 * n = 0 checks the whole table. */
lochan_status lochan_txn__check_partitions(lochan_txn *txn, int64_t table_id, int64_t base_snapshot,
                                           const lochan_partition_ref *touched, size_t n,
                                           lochan_error *err);

/* ---- sources, datasets, ledger: no snapshot of their own ---- */

/* Insert or replace. created_ns and updated_ns are set here. */
lochan_status lochan_txn__put_source(lochan_txn *txn, const lochan_source_row *row,
                                     lochan_error *err);
/* Insert (dataset_id 0: *dataset_id gets the new one) or replace. */
lochan_status lochan_txn__put_dataset(lochan_txn *txn, const lochan_dataset_row *row,
                                      int64_t *dataset_id, lochan_error *err);
/* Says which table a dataset's rows are in. */
lochan_status lochan_txn__bind_dataset(lochan_txn *txn, int64_t dataset_id, int64_t table_id,
                                       lochan_error *err);

/* The key of a row is (dataset, asset, variant, day_from). */
lochan_status lochan_txn__put_coverage(lochan_txn *txn, int64_t dataset_id,
                                       const lochan_coverage *row, lochan_error *err);
lochan_status lochan_txn__delete_coverage(lochan_txn *txn, int64_t dataset_id, const char *asset,
                                          const char *variant, int32_t day_from, lochan_error *err);

typedef struct lochan_update_row {
    const char *update_id;
    int64_t dataset_id;
    const char *kind;  /* "update", "backfill", "repair" */
    const char *state; /* "success", "partial", "failed", "cancelled" */
    int64_t started_ns, finished_ns;
    const char *request; /* JSON */
    const char *error;   /* "" = none */
    const lochan_update_report
        *report; /* counters; its snapshot_id is replaced by this commit's if tables changed */
} lochan_update_row;
/* Insert or replace by update_id. */
lochan_status lochan_txn__put_update(lochan_txn *txn, const lochan_update_row *row,
                                     lochan_error *err);

typedef struct lochan_failure_row {
    const char *update_id;
    const char *scope;
    const char *page;
    const char *code; /* lochan_status_name */
    int64_t http_status;
    const char *message;
    int64_t attempts;
    int64_t at_ns;
} lochan_failure_row;
lochan_status lochan_txn__put_failure(lochan_txn *txn, const lochan_failure_row *row,
                                      lochan_error *err);

/* Insert or replace by update_id. changed_ns is set here. */
lochan_status lochan_txn__put_reject(lochan_txn *txn, const lochan_reject_row *row,
                                     lochan_error *err);
/* Removes a source; the caller has made sure that no dataset names it. */
lochan_status lochan_txn__delete_source(lochan_txn *txn, const char *name, lochan_error *err);
/* Removes a dataset with its ledger; its runs, failures and rejects stay as history without a name.
 */
lochan_status lochan_txn__delete_dataset(lochan_txn *txn, int64_t dataset_id, lochan_error *err);

/* ---- run tables and runs ---- */

/* Insert or replace by name. created_ns and updated_ns are set here. */
lochan_status lochan_txn__put_run_table(lochan_txn *txn, const lochan_run_table_row *row,
                                        lochan_error *err);
lochan_status lochan_txn__delete_run_table(lochan_txn *txn, const char *name, lochan_error *err);
/* The run as this transaction sees it; n = 0 if there is none. */
lochan_status lochan_txn__run(lochan_txn *txn, const char *run_id, lochan_run_rows *out,
                              lochan_error *err);
/* Insert or replace. created_ns 0 = now. */
lochan_status lochan_txn__put_run(lochan_txn *txn, const lochan_run_row *row, lochan_error *err);
lochan_status lochan_txn__delete_run(lochan_txn *txn, const char *run_id, lochan_error *err);
/* Retires every live file of a table in a range of partitions; *n = how many. */
lochan_status lochan_txn__retire_range(lochan_txn *txn, int64_t table_id,
                                       const lochan_file_range *range, int64_t *n,
                                       lochan_error *err);

/* A setting of the lake, as lochan_catalog__set_option, with what else the transaction does. */
lochan_status lochan_txn__set_option(lochan_txn *txn, const char *name, const char *value,
                                     lochan_error *err);

/* ---- columns that grow ---- */

/* Notes who fixed the type of a column, and tells it: NULL = nobody knows. *by lives as long as the
 * transaction. (Not a column tag of DuckLake: its clients know no tags but comments.) */
lochan_status lochan_txn__put_origin(lochan_txn *txn, int64_t table_id, int64_t column_id,
                                     const char *by, lochan_error *err);
lochan_status lochan_txn__origin(lochan_txn *txn, int64_t table_id, int64_t column_id,
                                 const char **by, lochan_error *err);
/* Makes an integer column float64, if every value that the table holds stays exact; *exact = false
 * and nothing is changed otherwise. */
lochan_status lochan_txn__widen_column(lochan_txn *txn, int64_t table_id, int64_t column_id,
                                       bool *exact, lochan_error *err);

#endif
