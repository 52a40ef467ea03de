/* write.h - inside a write: shared by write.c, output.c, merge.c and publish.c.
 *
 * A write owns its partitions, the data files it makes and the list of those it retires. One data
 * file at a time is kept back with its footer unwritten (`held`): the last one of the commit tells
 * how many there are. Lock: `mutex` guards partitions, new files, retired files, ordinals, `held`
 * and the store's batch; no Parquet is encoded or decoded under it. May call: base/, arrow/,
 * parquet/, store/, catalog/.
 */
#ifndef LOCHAN_TABLE_WRITE_H
#define LOCHAN_TABLE_WRITE_H

#include "base/boot.h"
#include "parquet/reader.h"
#include "parquet/writer.h"
#include "table/keycode.h"
#include "table/partition.h"
#include "table/projection.h"
#include "table/table.h"
#include <pthread.h>

#define LOCHAN_FILE_FORMAT "1" /* lochan.format in footers */

/* A data file under way. */
typedef struct lochan_part {
    lochan_store_writer *store;
    lochan_pq_writer *parquet;
    uint32_t partition;
    char file_id[37];
    char *path;
    lochan_buf key_min, key_max;
    lochan_buf replaces; /* JSON list without its closing bracket */
    int64_t rows;
} lochan_part;

/* A finished one. */
typedef struct lochan_new_file {
    char *path;
    char file_id[37];
    uint32_t partition;
    int64_t ordinal;
    lochan_pq_summary summary;
    lochan_buf key_min, key_max;
} lochan_new_file;

typedef struct lochan_retired {
    const lochan_data_file *file;
    uint32_t partition;
} lochan_retired;

/* Old rows that the write may remove; see replace.h. */
typedef struct lochan_replacement {
    lochan_replace_scope *scopes;
    size_t n, cap;
    bool joined;                   /* the list has ended */
    int asset_column, time_column; /* indices into the table's schema, -1 = none */
    int stats_columns[2];          /* whose statistics of files tell whether they are concerned */
    int64_t stats_ids[2];
    size_t n_stats;
    lochan_arena arena;
} lochan_replacement;

typedef struct lochan_intake lochan_intake;

typedef struct lochan_write_partition {
    lochan_partition_values values; /* text in `texts` */
    char *texts[LOCHAN_PARTITION_MAX];
    char *folder;
    char *json;
    const lochan_data_file **files; /* live at the base snapshot, by key */
    size_t n_files;
    bool merged;
    lochan_write_counts counts;
} lochan_write_partition;

enum { LOCHAN_WRITE_BATCHES = 32 };

struct lochan_write {
    lochan_lake *lake;
    const lochan_table *table;
    lochan_table_def base;           /* the table as of the base snapshot */
    struct ArrowSchema input_schema; /* of the rows that come */
    lochan_projection input;         /* from it to what is stored */
    lochan_sort_key *input_order;    /* the order in columns of the input */
    lochan_write_options options;
    char *kind, *token, *author, *message;
    lochan_pq_codec codec;
    char commit_id[37];
    char boot[LOCHAN_BOOT_MAX + 1]; /* of unsynced files; "" = they are synced */
    bool keyed;
    lochan_replacement replace;
    lochan_intake *intake; /* rows of lochan_write__add, NULL = none came */

    pthread_mutex_t mutex;
    lochan_write_partition **partitions;
    size_t n_partitions, cap_partitions;
    uint32_t *slots; /* hash table: number of a partition + 1 */
    size_t n_slots;
    lochan_file_list
        *lists; /* files of the partitions seen so far, a list for each call that found new ones */
    size_t n_lists, cap_lists;
    const lochan_data_file **newest; /* all files of the newest list, sorted */
    size_t n_newest;
    lochan_store_batch *batch;
    lochan_store_batch *earlier[LOCHAN_WRITE_BATCHES]; /* durable already, of merges that met a
                                                           conflict */
    size_t n_earlier;
    lochan_part *held;
    int64_t next_ordinal;
    lochan_new_file *new_files;
    size_t n_new, cap_new;
    struct lochan_retired *retired;
    size_t n_retired, cap_retired;
    bool failed;
    lochan_error failure; /* of the first add that failed; code 0: none */
    bool published;
    bool durable; /* what is to be published is on disk */
};

/* ---- output.c: rows to data files ---- */

/* The rows of one merge on their way into files. Zeroed, then w and partition set. */
typedef struct lochan_output {
    lochan_write *w;
    uint32_t partition;
    lochan_part *part; /* NULL between files */
    bool cut_next;     /* the file is large enough: end it before the next row with another key */
    const char *const *replacing; /* ids of the old files whose rows flow now */
    size_t n_replacing;
    lochan_write_counts *counts;
} lochan_output;

/* Rows of the table's schema, in order. Borrowed. */
lochan_status lochan_output__rows(lochan_output *o, const struct ArrowArray *batch,
                                  lochan_error *err);
/* Rows that follow come from these old files; the list is borrowed until the next call. */
lochan_status lochan_output__replace(lochan_output *o, const char *const *file_ids, size_t n,
                                     lochan_error *err);
/* For a row group that is to be copied: cuts where the file is large enough, and opens a file if
 * none is under way (*fresh: its first key is the caller's to note). */
lochan_status lochan_output__begin_group(lochan_output *o, bool *fresh, lochan_error *err);
/* Copies it undecoded, but for the column of `fill` (may be NULL). The caller notes the last key
 * where the file may end. */
lochan_status lochan_output__copy_group(lochan_output *o, lochan_pq_reader *reader, int group,
                                        const lochan_pq_fill *fill, lochan_error *err);
/* Ends the file under way, if there is one. */
lochan_status lochan_output__cut(lochan_output *o, lochan_error *err);
void lochan_output__deinit(lochan_output *o); /* drops a file that was not ended */

/* Closes the file kept back, as the last one of the commit. */
lochan_status lochan_write__close_held(lochan_write *w, lochan_error *err);
void lochan_part__free(lochan_part *part); /* removes its bytes; NULL is a no-op */
void lochan_new_file__deinit(lochan_new_file *file);
/* Notes that an old file is replaced. */
lochan_status lochan_write__retire(lochan_write *w, uint32_t partition,
                                   const lochan_data_file *file, lochan_error *err);

/* ---- write_partition.c ---- */

void lochan_write__free_partitions(lochan_write *w);

/* Makes the partition known that holds the file, if it is not. */
lochan_status lochan_write__add_partition_of(lochan_write *w, const lochan_data_file *file,
                                             lochan_error *err);
/* Fills the column that the partition strategy added, in rows of the table's schema. */
lochan_status lochan_write__fill_derived(const lochan_write *w, struct ArrowArray *rows,
                                         lochan_error *err);
/* DATA names the first row (of the table's schema) that belongs to another partition, VALUE one
 * that belongs to none. */
lochan_status lochan_write__check_rows(lochan_write *w, uint32_t partition,
                                       const struct ArrowArray *rows, lochan_error *err);

/* The files of all partitions as of w->base, for load_newest: which gives the partition with the
 * given texts its files, and the count of their rows. */
lochan_status lochan_write__list_newest(lochan_write *w, lochan_error *err);
lochan_status lochan_write__load_newest(lochan_write *w, lochan_write_partition *p,
                                        lochan_error *err);

/* ---- write.c ---- */

/* Merges a stream (released: of no rows) of rows in the table's schema. */
lochan_status lochan_write__merge_stored(lochan_write *w, uint32_t partition,
                                         struct ArrowArrayStream *stream, lochan_error *err);
/* Puts the durable batch aside and begins another. */
lochan_status lochan_write__next_batch(lochan_write *w, lochan_error *err);

/* ---- write_added.c ---- */

/* After a conflict: takes the newest snapshot as base and merges the partitions again whose files
 * changed. CONFLICT: the table's columns changed. */
lochan_status lochan_write__rebase(lochan_write *w, lochan_error *err);

/* ---- merge.c ---- */

/* `stored`: the rows are in the table's schema. */
lochan_status lochan_merge__run(lochan_write *w, uint32_t partition,
                                struct ArrowArrayStream *stream, const struct ArrowArray *batch,
                                bool stored, lochan_write_counts *counts, lochan_error *err);

/* ---- order.c ---- */

/* *bad = first row of the batch that is not above the row before it (not keyed: that is below it),
 * -1 = none. `last` is the code of the row before the batch (empty: none) and becomes that of the
 * batch's last row. */
lochan_status lochan_rows__check_order(const lochan_table *t, const struct ArrowSchema *schema,
                                       bool keyed, const struct ArrowArray *batch, lochan_buf *last,
                                       int64_t *bad, lochan_error *err);

/* ---- publish.c ---- */

/* Lists a file with what its footer tells; the caller fills the rest of *add (path, id, partition,
 * keys). stats_columns as in the options of a write. */
lochan_status lochan_data_file__add(lochan_txn *txn, int64_t table_id,
                                    const lochan_pq_summary *summary, int stats_columns,
                                    lochan_file_add *add, lochan_error *err);

/* ---- snapshots.c ---- */

/* The token of the options, which may be NULL. */
lochan_status lochan_commit_options__token(const lochan_commit_options *options, const char **token,
                                           lochan_error *err);
/* Whether the token (NULL: no) was committed, and what that commit published (-1 = nothing). */
lochan_status lochan_lake__is_done(lochan_lake *lake, const char *token, bool *done,
                                   int64_t *snapshot_id, lochan_error *err);

/* After a publish: forgets snapshots older than the lake's retention, at most once an hour. */
void lochan_lake__expire_now_and_then(lochan_lake *lake);

/* The path beside `file` under a new id: a retired path is never listed again. Free it; NULL: out
 * of memory. */
char *lochan_data_file__new_path(const lochan_data_file *file, const char *id);
/* ---- data_file.c: reading a file that the catalog lists ---- */

lochan_status lochan_data_file__open(lochan_lake *lake, const lochan_data_file *file,
                                     lochan_pq_reader **out, lochan_error *err);
/* The same for a small file, all of which is read at once and kept while the reader is open. */
lochan_status lochan_data_file__open_whole(lochan_lake *lake, const lochan_data_file *file,
                                           lochan_pq_reader **out, lochan_error *err);
/* The way from the file's columns to those of `to`, by the ids of fields or by the file's name
 * mapping; `from` is the schema of its reader, or some columns of it. */
lochan_status lochan_data_file__project(const lochan_data_file *file,
                                        const struct ArrowSchema *from,
                                        const struct ArrowSchema *to, lochan_projection *out,
                                        lochan_error *err);
/* The value of `key` in the folders key=value of a path, %XX decoded; false: there is none, it is
 * null, or it is too long. */
#define LOCHAN_HIVE_NULL "__HIVE_DEFAULT_PARTITION__"
enum { LOCHAN_HIVE_VALUE = 1024 };
bool lochan_hive__value(const char *path, const char *key, char *out, size_t cap);
/* Id of the table's column that a top-level column of the file holds, -1 = none. */
int64_t lochan_data_file__column_id(const lochan_data_file *file, const struct ArrowSchema *field);
/* Puts the publish time into nulls of column `known_at` (timestamp[us]) of a struct array. Takes
 * *in. */
lochan_status lochan_known_at__fill(const struct ArrowSchema *schema, int known_at,
                                    int64_t published_ns, struct ArrowArray *in,
                                    struct ArrowArray *out, lochan_error *err);
/* The same for a row group that is copied as bytes. NULL: nothing has to be filled, all its rows
 * have a time of their own, or nobody knows when the file was published. */
const lochan_pq_fill *lochan_known_at__fill_group(const struct ArrowSchema *schema, int known_at,
                                                  int64_t published_ns,
                                                  const lochan_pq_reader *reader, int group,
                                                  lochan_pq_fill *fill);

#endif
