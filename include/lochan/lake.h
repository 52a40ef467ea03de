/* lake.h - opening a lake, reading its tables, looking after it.
 *
 * A lake is one folder: `lake.db` (the catalog), `journal/`, `data/`, `runs/`. Any number of
 * processes and threads may have it open. Thread rule: a lochan_lake may be used from several
 * threads at once; close it after everything opened from it.
 *
 * Tables are named by source and dataset ("ecb", "fx_daily"). Lists come back as Arrow streams
 * (arrow.h), so that every caller prints, filters or hands them on by one means; their columns are
 * documented with each function. Since 0.1.
 */
#ifndef LOCHAN_LAKE_H
#define LOCHAN_LAKE_H

#include <lochan/arrow.h>
#include <lochan/error.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lochan_lake lochan_lake;

/* Of this header; lochan_version() is that of the library in use. */
#define LOCHAN_VERSION "0.1.0"

/* "0.1.0"; static. */
LOCHAN_API const char *lochan_version(void);

typedef struct lochan_lake_options {
    uint32_t struct_size;    /* set by the INIT macro */
    int32_t threads;         /* worker threads, 0 = number of processors */
    uint64_t memory_limit;   /* bytes, 0 = 256 MB */
    int64_t lock_timeout_ms; /* how long writers queue, 0 = 60,000, -1 = for ever */
    bool read_only;          /* never writes; chosen by itself if the folder cannot be written */
    uint8_t reserved[31];    /* zero */
} lochan_lake_options;
/* clang-format off */
#define LOCHAN_LAKE_OPTIONS_INIT \
    {sizeof(lochan_lake_options), 0, 0, 0, false, {0}}
/* clang-format on */

/* Makes an empty lake in `path` (created if missing). EXISTS if there is one already;
 * INVALID_ARGUMENT if the folder holds something else under one of the lake's names. A crash on the
 * way leaves a folder on which init can be repeated. */
LOCHAN_API lochan_status lochan_lake_init(const char *path, const lochan_lake_options *options,
                                          lochan_error *err) LOCHAN_MUST_CHECK;

/* Opens a lake. NOT_FOUND if there is none (the hint names init), CORRUPT, VERSION if it is from a
 * newer lochan, JOURNAL_AHEAD if an older lake.db was put back (read_only still opens). The caller
 * owns *out. */
LOCHAN_API lochan_status lochan_lake_open(const char *path, const lochan_lake_options *options,
                                          lochan_lake **out, lochan_error *err) LOCHAN_MUST_CHECK;
/* NULL is a no-op. */
LOCHAN_API void lochan_lake_close(lochan_lake *lake);

/* Asks everything that runs on this lake to stop soon with CANCELLED, leaving the lake whole. May
 * be called from a signal handler. lochan_lake_resume clears it. */
LOCHAN_API void lochan_lake_cancel(lochan_lake *lake);
LOCHAN_API void lochan_lake_resume(lochan_lake *lake);

/* Folder as given to open, without trailing slash; borrowed. */
LOCHAN_API const char *lochan_lake_path(const lochan_lake *lake);
LOCHAN_API bool lochan_lake_is_read_only(const lochan_lake *lake);

/* The SQL statement with which DuckDB attaches this lake (read-only, with its data path). Free with
 * lochan_free. */
LOCHAN_API lochan_status lochan_lake_sql(lochan_lake *lake, char **out,
                                         lochan_error *err) LOCHAN_MUST_CHECK;

/* Frees what the library handed out as a plain pointer. NULL is a no-op. */
LOCHAN_API void lochan_free(void *p);

/* ---- reading ---- */

typedef struct lochan_scan_options {
    uint32_t struct_size;
    const char *const *columns; /* NULL = all but _known_at, in table order */
    size_t n_columns;
    const char *where;  /* predicate, see docs/scan.md; NULL = every row */
    int64_t limit;      /* rows, -1 = all */
    const char *as_of;  /* snapshot id, tag, or UTC time ("2026-10-30 12:00:00"); NULL = newest */
    int64_t batch_rows; /* at most this many rows a batch, 0 = 131,072 */
    /* UTC time: only rows that were published, as they are, by then; NULL = every row. For
     * point_in_time datasets, see docs/point-in-time.md; elsewhere UNSUPPORTED */
    const char *known_as_of;
    uint8_t reserved[24];
} lochan_scan_options;
/* clang-format off */
#define LOCHAN_SCAN_OPTIONS_INIT \
    {sizeof(lochan_scan_options), NULL, 0, NULL, -1, NULL, 0, NULL, {0}}
/* clang-format on */

/* What a scan did so far; valid until the stream is released. */
typedef struct lochan_scan_stats {
    int64_t snapshot_id;
    int64_t files;      /* in the snapshot */
    int64_t files_read; /* left after pruning by the catalog's statistics */
    int64_t row_groups_read;
    int64_t bytes_read;
    int64_t rows_returned;
} lochan_scan_stats;

/* Rows of one table, in partition order and the table's own order inside a partition, as one
 * consistent snapshot. The stream may be used after other threads write; release it before the lake
 * is closed. NOT_FOUND names the tables there are. */
LOCHAN_API lochan_status lochan_lake_scan(lochan_lake *lake, const char *source,
                                          const char *dataset, const lochan_scan_options *options,
                                          struct ArrowArrayStream *out,
                                          lochan_error *err) LOCHAN_MUST_CHECK;
/* Of a stream made by lochan_lake_scan; INVALID_ARGUMENT for other streams. */
LOCHAN_API lochan_status lochan_scan_get_stats(const struct ArrowArrayStream *scan,
                                               lochan_scan_stats *out,
                                               lochan_error *err) LOCHAN_MUST_CHECK;

/* The live files of one table (dataset NULL: of all tables of the source; source NULL: of all).
 * Columns: source, dataset, path (relative to the lake), partition, rows, bytes, time_min,
 * time_max, snapshot_id, file_id. NOT_FOUND names the tables there are: the dataset has none. */
LOCHAN_API lochan_status lochan_lake_files(lochan_lake *lake, const char *source,
                                           const char *dataset, struct ArrowArrayStream *out,
                                           lochan_error *err) LOCHAN_MUST_CHECK;

/* The same as of a snapshot (id, tag or UTC time; NULL = newest): source, dataset, path, rows,
 * bytes. NOT_FOUND as above. */
LOCHAN_API lochan_status lochan_lake_files_at(lochan_lake *lake, const char *source,
                                              const char *dataset, const char *as_of,
                                              struct ArrowArrayStream *out,
                                              lochan_error *err) LOCHAN_MUST_CHECK;

/* For readers that glob: folder current/ of the lake holds a hard link to each live file and to no
 * other, and follows every commit of lochan. The setting stays with the lake; switched off, the
 * links go. UNSUPPORTED where the file system has no hard links. */
LOCHAN_API lochan_status lochan_lake_keep_current(lochan_lake *lake, bool on,
                                                  lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- snapshots, see docs/snapshots.md ---- */

/* Of calls that make one commit and need nothing else; NULL = defaults. */
typedef struct lochan_commit_options {
    uint32_t struct_size;
    const char *token; /* commit token: repeating a commit with it does nothing; NULL = none */
    uint8_t reserved[24];
} lochan_commit_options;
/* clang-format off */
#define LOCHAN_COMMIT_OPTIONS_INIT \
    {sizeof(lochan_commit_options), NULL, {0}}
/* clang-format on */

/* The snapshots that are kept, newest first; with a table, those that changed it. limit -1 = all.
 * Columns: snapshot_id, time, kind (of the commit; null = another program's), author, message,
 * changes, tags. */
LOCHAN_API lochan_status lochan_lake_snapshots(lochan_lake *lake, const char *source,
                                               const char *dataset, int64_t limit,
                                               struct ArrowArrayStream *out,
                                               lochan_error *err) LOCHAN_MUST_CHECK;

/* Gives a snapshot a name, or the name to another snapshot. A tagged snapshot is never expired, and
 * its name can stand wherever an id or a time can. as_of NULL = newest. *snapshot_id (may be NULL)
 * is the one named; of a repeated token the one that bears the name now, -1 = none.
 * INVALID_ARGUMENT if the name reads as a number or a time. */
LOCHAN_API lochan_status lochan_lake_tag(lochan_lake *lake, const char *name, const char *as_of,
                                         const lochan_commit_options *options, int64_t *snapshot_id,
                                         lochan_error *err) LOCHAN_MUST_CHECK;
LOCHAN_API lochan_status lochan_lake_untag(lochan_lake *lake, const char *name,
                                           const lochan_commit_options *options,
                                           lochan_error *err) LOCHAN_MUST_CHECK;

/* What changed in a table between two snapshots (ids, times or tags; NULL = newest). Only files
 * that the two do not share are read. Columns: _change, then those of the table as of `to`. With a
 * key: "added", "removed", and of a changed row "before" and "after", in the order of the key
 * within a partition. Without one: "added" and "removed" with a column _count (how often that row),
 * whole rows in no order. */
LOCHAN_API lochan_status lochan_lake_diff(lochan_lake *lake, const char *source,
                                          const char *dataset, const char *from, const char *to,
                                          struct ArrowArrayStream *out,
                                          lochan_error *err) LOCHAN_MUST_CHECK;

/* Makes the rows of a table what they were, as a new snapshot: what came after stays readable as of
 * its own snapshot. Columns that were added stay, as null. A file that comes back gets a new name.
 * *snapshot_id = the new one (of a repeated token: that of its commit), -1 if there was nothing to
 * do. */
LOCHAN_API lochan_status lochan_lake_rollback(lochan_lake *lake, const char *source,
                                              const char *dataset, const char *to,
                                              const lochan_commit_options *options,
                                              int64_t *snapshot_id,
                                              lochan_error *err) LOCHAN_MUST_CHECK;

typedef struct lochan_expire_options {
    uint32_t struct_size;
    bool dry_run;        /* only counts */
    int64_t older_than;  /* seconds; -1 = the lake's retention */
    int64_t keep_newest; /* so many stay, however old; 0 = 1 */
    const char *token;   /* of its last commit: with one that is known nothing is forgotten */
    uint8_t reserved[24];
} lochan_expire_options;
/* clang-format off */
#define LOCHAN_EXPIRE_OPTIONS_INIT \
    {sizeof(lochan_expire_options), false, -1, 0, NULL, {0}}
/* clang-format on */
typedef struct lochan_expire_report {
    int64_t snapshots; /* forgotten */
    int64_t files;     /* that no snapshot shows any more: lochan_lake_gc removes them */
    int64_t bytes;
} lochan_expire_report;
/* Forgets old snapshots, but for the newest and those with a tag. No file is removed. */
LOCHAN_API lochan_status lochan_lake_expire(lochan_lake *lake, const lochan_expire_options *options,
                                            lochan_expire_report *report,
                                            lochan_error *err) LOCHAN_MUST_CHECK;

/* How long snapshots are kept, in seconds; 30 days until it is set. A commit that changes a table
 * is followed, once an hour at most, by an expire with it. */
LOCHAN_API lochan_status lochan_lake_set_retention(lochan_lake *lake, int64_t seconds,
                                                   lochan_error *err) LOCHAN_MUST_CHECK;

typedef struct lochan_gc_options {
    uint32_t struct_size;
    bool dry_run;      /* only the plan */
    int64_t grace;     /* seconds that a file stays after it was forgotten, for readers that began
                          before; -1 = one day */
    const char *token; /* of its commit: with one that is known nothing is removed */
    uint8_t reserved[24];
} lochan_gc_options;
/* clang-format off */
#define LOCHAN_GC_OPTIONS_INIT \
    {sizeof(lochan_gc_options), false, -1, NULL, {0}}
/* clang-format on */
typedef struct lochan_gc_report {
    int64_t files, bytes; /* removed; of a dry run: that would be */
    int64_t waiting;      /* files still within their grace */
} lochan_gc_report;
/* Removes files that expire forgot, and nothing else: never a file because a folder shows it and
 * the catalog does not. `plan` (may be NULL) gets the columns path, bytes, forgotten_at of those
 * concerned. */
LOCHAN_API lochan_status lochan_lake_gc(lochan_lake *lake, const lochan_gc_options *options,
                                        lochan_gc_report *report, struct ArrowArrayStream *plan,
                                        lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- looking after it ---- */

typedef struct lochan_verify_options {
    uint32_t struct_size;
    bool deep;           /* also reads every page: checksums, statistics, order, keys, row counts */
    const char *source;  /* NULL = all */
    const char *dataset; /* NULL = all of the source */
    /* files; may be NULL; called from any thread, one call at a time */
    void (*progress)(void *payload, int64_t done, int64_t total);
    void *payload;
    uint8_t reserved[32];
} lochan_verify_options;
/* clang-format off */
#define LOCHAN_VERIFY_OPTIONS_INIT \
    {sizeof(lochan_verify_options), false, NULL, NULL, NULL, NULL, {0}}
/* clang-format on */

typedef struct lochan_verify_report {
    int64_t files_checked;
    int64_t rows_checked;
    int64_t bytes_read;
    int64_t problems;      /* rows of the problems stream whose kind is not "unknown" */
    int64_t unknown_files; /* in data/ and runs/ but not in the catalog (a write that was cut off
                              leaves such): never removed here */
} lochan_verify_report;

/* Compares catalog, journal and files. Problems are data, not an error: `problems` (may be NULL)
 * gets a stream of kind, source, dataset, path, detail. Kinds: catalog, journal, table, missing,
 * size, footer, and with `deep` page, statistics, order, key, partition, time (a row whose
 * _known_at is younger than its file); "unknown" is a file that belongs to no commit, which harms
 * no reader. The status is an error only if the check itself could not be done. */
LOCHAN_API lochan_status lochan_lake_verify(lochan_lake *lake, const lochan_verify_options *options,
                                            lochan_verify_report *report,
                                            struct ArrowArrayStream *problems,
                                            lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- small files, see docs/maintenance.md ---- */

typedef struct lochan_compact_options {
    uint32_t struct_size;
    bool dry_run;             /* only the plan */
    bool full;                /* joins whatever fits into one file, from two files on */
    bool cluster;             /* sorts every partition by cluster_columns, not only those that rest;
                                 with `full` also those that are sorted already */
    int64_t min_files;        /* neighbours that are worth joining; 0: as the spec says, else 8 */
    uint64_t target_bytes;    /* files grow up to this; 0: as the spec says, else 128 MiB */
    uint64_t max_input_bytes; /* of the whole call; what is left is for the next; 0: as the spec
                                 says, else no limit */
    uint64_t min_file_bytes; /* larger files stay; 0: as the spec says, else half of target_bytes */
    uint8_t reserved[24];
} lochan_compact_options;
/* clang-format off */
#define LOCHAN_COMPACT_OPTIONS_INIT \
    {sizeof(lochan_compact_options), false, false, false, 0, 0, 0, 0, {0}}
/* clang-format on */
typedef struct lochan_compact_report {
    int64_t groups;       /* new files */
    int64_t files_joined; /* that they stand for */
    int64_t rows;
    int64_t bytes_read, bytes_written;
    int64_t groups_copied, groups_decoded; /* row groups */
    int64_t bytes_planned;
    int64_t groups_left;      /* over max_input_bytes */
    int64_t conflicts;        /* groups that others changed meanwhile: they stay as they are */
    int64_t tables_skipped;   /* that only another program understands */
    int64_t snapshot_id;      /* of the last commit, -1 = none */
    int64_t groups_clustered; /* of the new files: partitions sorted by cluster_columns */
    uint8_t reserved[24];
} lochan_compact_report;
/* Joins small neighbouring files of the tables (NULL: of all) into larger ones, and sorts
 * partitions that were not written for a while by the spec's cluster_columns. No row changes, and
 * none of a joined file its order; readers and writers go on meanwhile. Each commit stands for
 * itself: cut off anywhere, the call can be repeated. plan (may be NULL): source, dataset, folder,
 * files, rows, bytes, action ("join", "cluster") of each group. INVALID_ARGUMENT: `cluster` of a
 * dataset without cluster_columns. */
LOCHAN_API lochan_status lochan_lake_compact(lochan_lake *lake, const char *source,
                                             const char *dataset,
                                             const lochan_compact_options *options,
                                             lochan_compact_report *report,
                                             struct ArrowArrayStream *plan,
                                             lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- making whole again, see docs/maintenance.md ---- */

typedef struct lochan_repair_options {
    uint32_t struct_size;
    bool dry_run; /* only the plan */
    bool deep;    /* looks into every page, not only at sizes and footers */
    bool force;   /* also where most of a table seems damaged, and where the system cannot read */
    uint8_t reserved[29];
} lochan_repair_options;
/* clang-format off */
#define LOCHAN_REPAIR_OPTIONS_INIT \
    {sizeof(lochan_repair_options), false, false, false, {0}}
/* clang-format on */
typedef struct lochan_repair_report {
    int64_t files_damaged;
    int64_t files_taken_out, rows_taken_out;
    int64_t intervals_reopened; /* of ledgers: the next update asks for these days again */
    int64_t not_repaired;       /* problems of another kind: the plan says what helps */
    int64_t snapshot_id;        /* of the last commit, -1 = none */
    uint8_t reserved[32];
} lochan_repair_report;
/* Looks for damaged files of the tables (NULL: of all) and takes them out, in one commit a table;
 * the ledger notes that the days that they held are owed, so that the next update fetches them.
 * Rows of tables that no dataset fills are lost with their file. The files stay where they are, and
 * older snapshots show them still. plan (may be NULL): source, dataset, path, problem, action
 * ("fetch again", "take out", "rebuild", "restore a backup"), detail. IO: most of a table is
 * missing: is the disk there?
 */
LOCHAN_API lochan_status lochan_lake_repair(lochan_lake *lake, const char *source,
                                            const char *dataset,
                                            const lochan_repair_options *options,
                                            lochan_repair_report *report,
                                            struct ArrowArrayStream *plan,
                                            lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- taking over, see docs/adopt.md ---- */

typedef enum lochan_adopt_how {
    LOCHAN_ADOPT_LINK = 0, /* the lake's file is a second name of the same bytes */
    LOCHAN_ADOPT_COPY = 1,
    LOCHAN_ADOPT_MOVE = 2 /* a link, whose old name goes once the commit is durable */
} lochan_adopt_how;
typedef struct lochan_adopt_options {
    uint32_t struct_size;
    const char *source;     /* NULL = the name of the folder above the dataset's */
    const char *dataset;    /* NULL = the name of the dataset's folder */
    const char *const *key; /* columns that identify a row, in the order of the table */
    size_t n_key;           /* 0 = a table without a key */
    int32_t how;            /* lochan_adopt_how */
    bool dry_run;           /* looks and plans, changes nothing */
    uint8_t reserved[27];
} lochan_adopt_options;
/* clang-format off */
#define LOCHAN_ADOPT_OPTIONS_INIT \
    {sizeof(lochan_adopt_options), NULL, NULL, NULL, 0, LOCHAN_ADOPT_LINK, false, {0}}
/* clang-format on */
typedef struct lochan_adopt_report {
    int64_t datasets;
    int64_t files, rows, bytes; /* that are new */
    int64_t files_known;        /* adopted before: nothing is done for them */
    int64_t snapshot_id;        /* -1 = there was nothing to do, or dry_run */
    uint8_t reserved[32];
} lochan_adopt_report;
/* Makes Parquet files below a folder part of the lake, as they are: each folder with Parquet files
 * or folders key=value becomes a dataset, all of them in one commit. list (may be NULL): source,
 * dataset, path (that it was found at), partition, rows, bytes, state ("new", "known"). SCHEMA:
 * types of a column that no type holds without loss, naming file and column; CORRUPT names a file
 * that is damaged. After a failure nothing is published and nothing is left in the lake. */
LOCHAN_API lochan_status lochan_lake_adopt(lochan_lake *lake, const char *dir,
                                           const lochan_adopt_options *options,
                                           lochan_adopt_report *report,
                                           struct ArrowArrayStream *list,
                                           lochan_error *err) LOCHAN_MUST_CHECK;

typedef struct lochan_lake_rebuild_options {
    uint32_t struct_size;
    bool cut;   /* lake.db wins over a journal that is ahead of it: what it lacks is set aside */
    bool adopt; /* whole appends that no catalog knows become part of their tables */
    uint8_t reserved[30];
} lochan_lake_rebuild_options;
/* clang-format off */
#define LOCHAN_LAKE_REBUILD_OPTIONS_INIT \
    {sizeof(lochan_lake_rebuild_options), false, false, {0}}
/* clang-format on */
typedef struct lochan_lake_rebuild_report {
    int64_t records;             /* of the journal: replayed, or with `cut` set aside */
    int64_t tables, files, rows; /* the lake has now */
    int64_t missing;             /* of these files are not there, or not whole */
    int64_t unknown_files;       /* that belong to no commit */
    int64_t adopted;             /* of them are part of tables now */
    uint8_t reserved[32];
} lochan_lake_rebuild_report;
/* Makes lake.db of a lake again from its journal, whatever became of it; the old one is set aside
 * as lake.db.damaged-<uuid>. Where the journal is ahead of lake.db it wins, unless `cut` is set:
 * then lake.db stays, and the records it lacks go to a folder journal.cut-<uuid>. Nobody who had
 * the lake open can write into it any more. problems (may be NULL): kind, source, dataset, path,
 * detail; kinds are those of verify, and "kept" for a file that `adopt` did not take. NOT_FOUND:
 * there is no journal; CORRUPT: it is damaged, or misses commits that lake.db has. Close the lake
 * first. */
LOCHAN_API lochan_status lochan_lake_rebuild(const char *path,
                                             const lochan_lake_options *lake_options,
                                             const lochan_lake_rebuild_options *options,
                                             lochan_lake_rebuild_report *report,
                                             struct ArrowArrayStream *problems,
                                             lochan_error *err) LOCHAN_MUST_CHECK;

typedef struct lochan_backup_options {
    uint32_t struct_size;
    bool all;  /* also the files of snapshots that are neither newest nor tagged */
    bool link; /* hard links where the file system has them: no space, but the same bytes */
    /* files; may be NULL */
    void (*progress)(void *payload, int64_t done, int64_t total);
    void *payload;
    uint8_t reserved[32];
} lochan_backup_options;
/* clang-format off */
#define LOCHAN_BACKUP_OPTIONS_INIT \
    {sizeof(lochan_backup_options), false, false, NULL, NULL, {0}}
/* clang-format on */
typedef struct lochan_backup_report {
    int64_t snapshot_id;
    int64_t files, bytes;               /* of the whole backup */
    int64_t files_copied, bytes_copied; /* that were not there yet */
    int64_t files_removed;              /* that only the backup before needed */
    uint8_t reserved[32];
} lochan_backup_report;
/* Copies catalog, journal and the files of the newest snapshot and of every tag into a folder of
 * its own (new, empty, or a backup of this lake: then only what is new is copied). Writers wait
 * while the catalog is copied, not while files are. Cut off anywhere, the backup before is still
 * whole. EXISTS: the folder holds something else. CORRUPT names a file that is missing or cut. */
LOCHAN_API lochan_status lochan_lake_backup(lochan_lake *lake, const char *dir,
                                            const lochan_backup_options *options,
                                            lochan_backup_report *report,
                                            lochan_error *err) LOCHAN_MUST_CHECK;

typedef struct lochan_restore_options {
    uint32_t struct_size;
    bool verify; /* read everything back, to the last page */
    bool link;   /* as of a backup */
    void (*progress)(void *payload, int64_t done, int64_t total);
    void *payload;
    uint8_t reserved[32];
} lochan_restore_options;
/* clang-format off */
#define LOCHAN_RESTORE_OPTIONS_INIT \
    {sizeof(lochan_restore_options), false, false, NULL, NULL, {0}}
/* clang-format on */
typedef struct lochan_restore_report {
    int64_t snapshot_id; /* as backed up */
    int64_t files, bytes;
    int64_t forgotten; /* snapshots whose files the backup does not hold */
    int64_t problems;  /* of `verify` */
    uint8_t reserved[32];
} lochan_restore_report;
/* Makes a lake in `path` (missing or empty, or left by a restore that was cut off) from a backup.
 * Snapshots whose files were not backed up are forgotten in it. problems (may be NULL) as of
 * lochan_lake_verify, if `verify` is set. NOT_FOUND: no backup there; EXISTS: something else is in
 * the way; CORRUPT: the backup lacks a file or never ended. */
LOCHAN_API lochan_status lochan_lake_restore(const char *backup, const char *path,
                                             const lochan_lake_options *lake_options,
                                             const lochan_restore_options *options,
                                             lochan_restore_report *report,
                                             struct ArrowArrayStream *problems,
                                             lochan_error *err) LOCHAN_MUST_CHECK;

/* The fate of the commit that carried this token. */
typedef enum lochan_commit_state {
    LOCHAN_COMMIT_UNKNOWN = 0,
    LOCHAN_COMMIT_DONE = 1
} lochan_commit_state;
LOCHAN_API lochan_status lochan_commit_status(lochan_lake *lake, const char *token,
                                              lochan_commit_state *state, int64_t *snapshot_id,
                                              lochan_error *err) LOCHAN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
