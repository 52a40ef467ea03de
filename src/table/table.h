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
    const char *strategy; /* "single_file", "year_month"; NULL = single_file */
    const char *const
        *columns; /* the columns it looks at: for year_month one date32 or timestamp */
    size_t n_columns;
} lochan_partition_def;

/* The i-th strategy's name, NULL past the last: for checks and messages of specs. */
const char *lochan_partition__name(size_t i);
/* How many columns the strategy looks at; 0 if it is unknown. */
size_t lochan_partition__column_count(const char *strategy);

/* The column of point-in-time tables: when a row was first published, null = when its file was. */
#define LOCHAN_KNOWN_AT "_known_at"

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
    int partition_columns[4]; /* indices, partition->n_columns of them */
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
/* Removes temporary files of the table whose writer was killed; looks through all its folders, so
 * it is for those who know that a write was cut off. Files under way and files that bear their
 * names are never touched. */
lochan_status lochan_table__clean(lochan_lake *lake, const lochan_table *table, int64_t *removed,
                                  lochan_error *err);

/* ---- writing ---- */

typedef enum lochan_write_mode {
    LOCHAN_WRITE_UPSERT, /* by key: the new row wins; needs a key */
    LOCHAN_WRITE_APPEND  /* new files beside the old ones; for tables without a key */
} lochan_write_mode;

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
    const char *const (*metadata)[2]; /* more pairs for the footers; borrowed until free */
    size_t n_metadata;
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

/* ids[i] = number of the partition that row i belongs to, counted from 0 in the order in which they
 * were first seen by this write. May be called by several threads. VALUE names the row whose
 * partition cannot be told (a null, a year outside 1..9999). */
lochan_status lochan_write__partition_of(lochan_write *w, const struct ArrowArray *batch,
                                         uint32_t *ids, lochan_error *err);
size_t lochan_write__partitions(lochan_write *w);
/* "year=2024/month=01", "" for single_file; borrowed from the write. */
const char *lochan_write__partition_folder(lochan_write *w, uint32_t partition);

/* Rows that come to one partition: new + replaced + unchanged = rows of the batches. */
typedef struct lochan_write_counts {
    int64_t rows_new, rows_replaced, rows_unchanged;
    int64_t rows_dropped; /* of other programs' files: older rows of a key that they hold twice */
    int64_t rows_before, rows_after; /* of the partition; an append counts its own rows only */
    int64_t files_written, files_retired;
    int64_t bytes_written;
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
 * partitions since begin. Call once. */
lochan_status lochan_write__publish(lochan_write *w, lochan_write_hook hook, void *ctx,
                                    int64_t *snapshot_id, lochan_error *err);

/* ---- reading ---- */

typedef struct lochan_table_scan {
    const int *columns; /* indices into the table's schema; NULL = all */
    size_t n_columns;
    const char *where;                   /* text of arrow/expr.h; NULL = every row */
    int64_t limit;                       /* -1 = all */
    int64_t batch_rows;                  /* 0 = 65,536 */
    const lochan_file_range *partitions; /* only files in these; NULL = all */
    size_t n_partitions;
} lochan_table_scan;

/* Rows of the table as of its snapshot. The stream keeps what it needs of the table; the lake must
 * stay open. */
lochan_status lochan_table__scan(const lochan_table *table, const lochan_table_scan *scan,
                                 struct ArrowArrayStream *out, lochan_error *err);

#endif
