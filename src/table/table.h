/* table.h - tables of a lake: what they are, how rows get into them and out of them.
 *
 * A table is a set of immutable Parquet files listed by the catalog. A keyed table holds each key
 * once; inside a partition its files have disjoint key ranges, so readers merge nothing. A table
 * without a key promises no order beyond that of each file.
 *
 * The way of a write: lochan_table__ensure, lochan_write__begin, rows to partitions
 * (lochan_write__partition_of), one lochan_write__merge_partition for each touched partition (in
 * parallel if wanted), lochan_write__publish. Nothing is visible before publish succeeded; nothing
 * of it is visible if it failed. May call: base/, arrow/, parquet/, store/, catalog/, lake.h.
 */
#ifndef LOCHAN_TABLE_TABLE_H
#define LOCHAN_TABLE_TABLE_H

#include "arrow/expr.h"
#include "arrow/kernels.h"
#include "catalog/txn.h"
#include "table/lake.h"

/* ---- what a table is ---- */

/* How rows become partitions. The strategies are entries of one list in partition.c. */
typedef struct lochan_partition_def {
    const char *strategy; /* "single_file", "year_month", "day", "year_bucket", "ten_year_range",
                             "identity"; NULL = single_file */
    const char *const *columns; /* the columns it looks at: one date32 or timestamp; for year_bucket
                                   also the asset; for identity any text or integer */
    size_t n_columns;
    int64_t number; /* of buckets of year_bucket, 1..4096; 0 = 16 */
} lochan_partition_def;

/* The i-th strategy's name, NULL past the last: for checks and messages of specs. */
const char *lochan_partition__name(size_t i);
/* How many columns the strategy looks at; 0 if it is unknown. */
size_t lochan_partition__column_count(const char *strategy);

/* The column of point-in-time tables: when a row was first published, null = when its file was. */
#define LOCHAN_KNOWN_AT "_known_at"

/* From when on files of the table are joined by themselves or by lochan_lake_compact, and how
 * partitions are sorted that were not written for a while. 0 = as usual. */
enum { LOCHAN_CLUSTER_MAX = 8 };
typedef struct lochan_upkeep {
    bool automatic;            /* after an update, too */
    int64_t max_files;         /* so many small neighbours are joined */
    int64_t min_file_bytes;    /* larger files are not small */
    int64_t target_file_bytes; /* joined files are not larger */
    int64_t max_input_bytes;   /* of one compaction */
    int64_t cluster_after_days;
    const char *const *cluster; /* columns, at most LOCHAN_CLUSTER_MAX */
    size_t n_cluster;
} lochan_upkeep;

/* A wish: what ensure shall make or find. All borrowed. */
typedef struct lochan_table_spec {
    const char *source;
    const char *name;
    const struct ArrowSchema
        *schema;            /* struct schema: names, types, nullability; without _known_at */
    const char *const *key; /* columns that identify a row; none: the table has no key */
    size_t n_key;
    const char *const *sort; /* the order is these, followed by the key columns missing from them */
    size_t n_sort;
    lochan_partition_def partition;
    bool point_in_time; /* adds _known_at */
    lochan_upkeep upkeep;
} lochan_table_spec;

/* Checks a definition without a lake: names, types with a stored form, key, sort and partition
 * columns that exist, key columns neither nullable nor floating, a key that determines partition
 * and sort columns. SPEC with the column. */
lochan_status lochan_table_spec__check(const lochan_table_spec *spec, lochan_error *err);

/* An open table: its description as of one snapshot. Immutable, may be shared by threads. */
typedef struct lochan_table {
    lochan_lake *lake;
    lochan_table_def def; /* what the catalog says: ids, names, folder, schema with field ids =
                             column ids, snapshot */
    char full_name[260];  /* "source.name", for messages */
    int *key;             /* indices into def.schema.children; known only after ensure */
    size_t n_key;
    lochan_sort_key *order; /* sort columns, then missing key columns; all ascending */
    size_t n_order;
    int known_at;    /* index of _known_at, -1 */
    int time_column; /* index of the first date or timestamp among partition and order columns, -1
                      */
    const struct lochan_partition_strategy *partition;
    int partition_columns[4]; /* indices, partition->n_columns of them; -1: not known without the
                                 definition that made the table */
    int64_t partition_number; /* of buckets */
    int derived;              /* index of the column that the partition strategy added, -1 */
} lochan_table;

/* Opens an existing table as of a snapshot (-1 = newest). NOT_FOUND lists the tables there are. */
lochan_status lochan_table__open(lochan_lake *lake, const char *source, const char *name,
                                 int64_t snapshot_id, lochan_table **out, lochan_error *err);
/* Opens the table, after making it or adding missing columns in a short commit of its own. Columns
 * the definition lacks stay (they must be nullable). A type, order or partition that differs from
 * what is stored: SCHEMA naming both. */
lochan_status lochan_table__ensure(lochan_lake *lake, const lochan_table_spec *spec,
                                   lochan_table **out, lochan_error *err);
void lochan_table__close(lochan_table *table); /* NULL is a no-op */
/* Its live files, with the statistics of every column. */
lochan_status lochan_table__files(const lochan_table *table, lochan_file_list *out,
                                  lochan_error *err);
/* Removes temporary files of the table whose writer was killed; looks through all its folders, so
 * it is for those who know that a write was cut off. Files under way and files that bear their
 * names are never touched. */
lochan_status lochan_table__clean(lochan_lake *lake, const lochan_table *table, int64_t *removed,
                                  lochan_error *err);

/* Before an update that repairs: looks at every page of the table's files and takes out those that
 * verify complains of, in one commit with the ledger, which then owes the days that they may have
 * held. `days_column` holds days (NULL: the dataset's time column). *files = so many. NOT_FOUND:
 * there is no table. IO: most of its files are missing. */
lochan_status lochan_table__repair(lochan_lake *lake, const char *source, const char *dataset,
                                   const char *days_column, int64_t *files, lochan_error *err);

/* After a publish: joins and clusters files as the table's spec has it, if it says so, within its
 * cap on input. A failure is a warning: the publish before it stands. */
void lochan_table__tend(const lochan_table *table);

/* ---- writing ---- */

typedef enum lochan_write_mode {
    LOCHAN_WRITE_UPSERT, /* by key: the new row wins; needs a key */
    LOCHAN_WRITE_APPEND, /* new files beside the old ones; for tables without a key */
    /* upsert, and then rows that the table holds in the scopes of lochan_write__replace and that
     * did not come again are removed; needs a key */
    LOCHAN_WRITE_REPLACE_ASSETS,
    /* afterwards the table holds what came, and nothing else */
    LOCHAN_WRITE_REPLACE_ALL
} lochan_write_mode;

/* What lochan_write__add does with rows of one update that have the same key. */
typedef enum lochan_dedup {
    LOCHAN_DEDUP_LAST,  /* the last one stays: by order_column, then by place in the plan */
    LOCHAN_DEDUP_EXACT, /* one of rows that are equal in every column; another row of that key is
                           refused */
    LOCHAN_DEDUP_NONE   /* a key that comes twice is refused; without a key every row stays */
} lochan_dedup;

/* Zeroed fields are the defaults. */
typedef struct lochan_write_options {
    lochan_write_mode mode;
    const char *kind;           /* of the commit, for lochan_txn; NULL = "update" */
    const char *token;          /* commit token, NULL = none */
    const char *author;         /* for the snapshot's log, may be NULL */
    const char *message;        /* may be NULL */
    uint64_t target_file_bytes; /* files are cut near it; 0 = 128 MiB */
    int64_t row_group_rows;     /* 0 = 131,072 */
    int zstd_level;             /* 0 = 3 */
    const char *codec;          /* "zstd", "lz4", "snappy", "none"; NULL = zstd */
    int stats_columns; /* the catalog keeps statistics of each file for the table's first so many
                          columns only; 0 = all */
    bool unsynced;     /* durability normal: neither files nor commit are synced (append only) */
    const char *const (*metadata)[2]; /* more pairs for the footers; borrowed until free */
    size_t n_metadata;
    const char *asset_column; /* of REPLACE_ASSETS: a text */
    const char *time_column;  /* of REPLACE_ASSETS: a date or timestamp; NULL: rows have no time */
    lochan_dedup dedup;       /* of lochan_write__add */
    const char *order_column; /* of LOCHAN_DEDUP_LAST: the row with the largest value stays, null is
                                 the smallest; NULL: the last of the plan */
    int conflict_retries;     /* how often publish merges partitions again in which others wrote
                                 meanwhile; 0 = 5, -1 = never. Rows must have come by add. */
} lochan_write_options;

typedef struct lochan_write lochan_write;

/* Notes the base snapshot. Batches given later have the columns of `schema` (NULL: those of the
 * table without _known_at); they are matched by name, columns that the table has and `schema` lacks
 * become null. Lake and table must outlive the write. READ_ONLY, SCHEMA; CONFLICT: the table's
 * columns changed since it was opened. */
lochan_status lochan_write__begin(lochan_lake *lake, const lochan_table *table,
                                  const struct ArrowSchema *schema,
                                  const lochan_write_options *options, lochan_write **out,
                                  lochan_error *err);
/* Frees; removes what was written if it was not published. NULL is a no-op. */
void lochan_write__free(lochan_write *w);

/* ---- rows in any order: the usual way ---- */

/* Old rows of these assets and days may be removed by this write. Borrowed during the call only.
 * In mode REPLACE_ASSETS, any number of times, before or between adds; ignored in the others. A row
 * that comes in this write is never removed. */
typedef struct lochan_replace_scope {
    const char *asset;        /* NULL = every asset */
    int32_t day_from, day_to; /* since 1970-01-01, both included; INT32_MIN, INT32_MAX: open. Rows
                                 without a time (and tables without time_column) are in only where
                                 both ends are open. */
} lochan_replace_scope;
lochan_status lochan_write__replace(lochan_write *w, const lochan_replace_scope *scopes, size_t n,
                                    lochan_error *err);

/* Takes rows of the write's schema in any order and of any number; the batch is borrowed. `place`
 * is the batch's place in the plan (scope and page): of equal keys the one with the higher place
 * wins, within a place the later one. Under memory_limit rows lie in memory; beyond it in sorted
 * runs in data/staging, which vanish with the write. May be called by several threads. Partitions
 * are merged by lochan_write__publish (or lochan_write__merge_added), which may be followed by no
 * add. */
lochan_status lochan_write__add(lochan_write *w, uint64_t place, const struct ArrowArray *batch,
                                lochan_error *err);
/* Merges every partition that rows came for, or that holds rows of a replace scope, on the lake's
 * pool. publish calls it itself; a caller that wants the counts before does. */
lochan_status lochan_write__merge_added(lochan_write *w, lochan_error *err);

/* What a merge of the rows added so far would touch, before anything is written. */
typedef struct lochan_write_plan {
    int64_t rows;          /* added */
    int64_t partitions;    /* touched */
    int64_t files;         /* that may be rewritten */
    int64_t files_bytes;   /* of them */
    int64_t row_groups;    /* of them that have to be decoded; the others are copied as they are */
    int64_t memory_bytes;  /* an estimate of what the merge holds at a time */
    int64_t spilled_bytes; /* in data/staging */
} lochan_write_plan;
lochan_status lochan_write__explain(lochan_write *w, lochan_write_plan *out, lochan_error *err);

/* ---- rows sorted by partition and key: for callers that did that already ---- */

/* ids[i] = number of the partition that row i belongs to, counted from 0 in the order in which they
 * were first seen by this write. May be called by several threads. VALUE names the row whose
 * partition cannot be told (a null, a year outside 1..9999). */
lochan_status lochan_write__partition_of(lochan_write *w, const struct ArrowArray *batch,
                                         uint32_t *ids, lochan_error *err);
size_t lochan_write__partitions(lochan_write *w);

/* Rows that come to one partition: new + replaced + unchanged + duplicate = rows of the batches. */
typedef struct lochan_write_counts {
    int64_t rows_new, rows_replaced, rows_unchanged;
    int64_t rows_dropped;   /* of other programs' files: older rows of a key that they hold twice */
    int64_t rows_removed;   /* old rows of a replace scope that did not come again */
    int64_t rows_duplicate; /* given to add, and not the row of their key that stayed */
    int64_t rows_before, rows_after; /* of the partition; an append counts its own rows only */
    int64_t files_written, files_retired;
    int64_t bytes_written;
    int64_t groups_copied, groups_decoded;          /* row groups of rewritten files */
    int64_t partitions_written, partitions_skipped; /* 0 or 1; sums in the totals */
} lochan_write_counts;

/* Order in which batches of one partition must come: sorted by table order. Indices are columns of
 * the write's batch schema. */
const lochan_sort_key *lochan_write__order(const lochan_write *w, size_t *n);

/* Merges a batch into a partition: sorted by the table's order, each key once (unsorted or repeated
 * keys are refused with the row). Once per partition and write. May be called by several threads
 * for different partitions. If a failure comes back, the write can only be freed. */
lochan_status lochan_write__merge_partition(lochan_write *w, uint32_t partition,
                                            const struct ArrowArray *batch,
                                            lochan_write_counts *counts, lochan_error *err);
/* The same for a partition whose sorted rows do not fit into one batch: a stream of batches, in
 * order, no key twice. */
lochan_status lochan_write__merge_partition_stream(lochan_write *w, uint32_t partition,
                                                   struct ArrowArrayStream *batches,
                                                   lochan_write_counts *counts, lochan_error *err);

/* A file that publish made visible. */
typedef struct lochan_written_file {
    const char *path; /* borrowed from the write */
    uint32_t partition;
    int64_t rows, bytes;
    bool has_range; /* of the asked column, an integer: */
    int64_t min, max;
} lochan_written_file;
/* The i-th new file in the order of ordinals, with the range of one column of the table; false past
 * the last. Only after publish, or in its hook. */
bool lochan_write__file(const lochan_write *w, size_t i, int column, lochan_written_file *out);

/* The range of an integer leaf over all new files; false if none has a value. When as above. */
bool lochan_write__leaf_range(const lochan_write *w, int32_t field_id, int64_t *min, int64_t *max);

/* Sums over the partitions merged so far. */
void lochan_write__totals(lochan_write *w, lochan_write_counts *out);

/* Runs inside the transaction of the commit, after its files are listed: adds ledger rows and the
 * like. It must not read or write files. A failure takes the whole commit back. */
typedef lochan_status (*lochan_write_hook)(void *ctx, lochan_txn *txn, lochan_error *err);

/* Makes the files durable and visible: one transaction with the hook's rows, then the journal. If
 * nothing changed, only the hook's rows are committed, without a snapshot (and nothing at all
 * without a hook). *snapshot_id = the new snapshot, -1 = none. A commit whose token is known
 * already: OK with its snapshot, nothing is written. CONFLICT: another commit touched one of the
 * partitions since begin (with rows of add: again and again). Then the hook may have run more than
 * once. Call once. */
lochan_status lochan_write__publish(lochan_write *w, lochan_write_hook hook, void *ctx,
                                    int64_t *snapshot_id, lochan_error *err);
/* After a publish that failed: were the files on disk, so that it was the commit that failed? */
bool lochan_write__is_durable(const lochan_write *w);

/* ---- reading ---- */

typedef struct lochan_table_scan {
    const int *columns; /* indices into the table's schema; NULL = all */
    size_t n_columns;
    const char *where;                   /* text of arrow/expr.h; NULL = every row */
    int64_t limit;                       /* -1 = all */
    int64_t batch_rows;                  /* 0 = 131,072 */
    const lochan_file_range *partitions; /* only files in these; NULL = all */
    size_t n_partitions;
    bool without_known_at;   /* columns NULL = all but that one */
    const char *known_as_of; /* UTC: only rows whose _known_at is not younger; NULL = every row */
} lochan_table_scan;

/* Rows of the table as of its snapshot. The stream keeps what it needs of the table; the lake must
 * stay open. */
lochan_status lochan_table__scan(const lochan_table *table, const lochan_table_scan *scan,
                                 struct ArrowArrayStream *out, lochan_error *err);

#endif
