/* run.h - run tables: rows that a simulation or experiment writes once, tick after tick.
 *
 * A run table has a descriptor (YAML, docs/run-tables.md): its columns, which may be null, which
 * values they take. Eight are bundled and known by name; others are added with
 * lochan_run_table_add. All runs of a table live in one table of the lake, `runs.<table>`, with the
 * columns `run_id` and `bucket` = tick / tick_bucket_size stored in every row, in the files
 * runs/<run_id>/tables/<table>/bucket=000123/part-<uuid>.parquet. An append is one commit: all of
 * its parts become visible together or none does, and it costs the same in a table of any size.
 * Any number of processes may append to one table, or to one run, at the same time.
 *
 * Rows that do not fit (a null in a required column, a negative or fractional tick, a value that a
 * cast would change, an unknown column or table) are SCHEMA errors that name table, column and row;
 * nothing is written then.
 *
 * Threads: a lochan_run may be used by several threads at once. Close it before its lake. Since
 * 0.1.
 */
#ifndef LOCHAN_RUN_H
#define LOCHAN_RUN_H

#include <lochan/arrow.h>
#include <lochan/error.h>
#include <lochan/lake.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- tables: a lake that is NULL has the bundled ones ---- */

/* Adds a descriptor. `file` is what errors call it. SPEC with line and column; EXISTS unless
 * `replace`; with it SCHEMA if the columns stored already do not fit the new descriptor. */
LOCHAN_API lochan_status lochan_run_table_add(lochan_lake *lake, const char *yaml, size_t size,
                                              const char *file, bool replace,
                                              lochan_error *err) LOCHAN_MUST_CHECK;
/* One row a table, bundled ones too: table, version, columns, bundled, added (its descriptor is in
 * the lake), rows, parts, bytes, description. */
LOCHAN_API lochan_status lochan_run_table_list(lochan_lake *lake, struct ArrowArrayStream *out,
                                               lochan_error *err) LOCHAN_MUST_CHECK;
/* The descriptor as YAML; free with lochan_free. SCHEMA if there is no such table. */
LOCHAN_API lochan_status lochan_run_table_show(lochan_lake *lake, const char *table, char **out,
                                               lochan_error *err) LOCHAN_MUST_CHECK;
/* The columns of a descriptor in its order: column, type, required, nullable, open, values. */
LOCHAN_API lochan_status lochan_run_table_columns(lochan_lake *lake, const char *table,
                                                  struct ArrowArrayStream *out,
                                                  lochan_error *err) LOCHAN_MUST_CHECK;
/* The same as the schema of rows without undeclared columns and fields; the caller releases it. */
LOCHAN_API lochan_status lochan_run_table_schema(lochan_lake *lake, const char *table,
                                                 struct ArrowSchema *out,
                                                 lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- a run ---- */

typedef struct lochan_run lochan_run;

typedef struct lochan_run_options {
    uint32_t struct_size;
    int64_t tick_bucket_size; /* 0 = what the run has, else 100; another than the run has: SCHEMA */
    int64_t row_group_size;   /* rows; 0 = 131,072 */
    const char *compression;  /* "zstd", "lz4", "snappy", "none"; NULL = zstd */
    int32_t compression_level; /* of zstd; 0 = 3 */
    uint8_t reserved[36];
} lochan_run_options;
#define LOCHAN_RUN_OPTIONS_INIT                                                                    \
    {                                                                                              \
        sizeof(lochan_run_options), 0, 0, NULL, 0, {                                               \
            0                                                                                      \
        }                                                                                          \
    }

/* A new run id: prefix (NULL = "run"), UTC time, random digits; at most 80 bytes and NUL. */
LOCHAN_API lochan_status lochan_run_make_id(const char *prefix, char dst[81],
                                            lochan_error *err) LOCHAN_MUST_CHECK;
/* SCHEMA unless the id is 1 to 120 of [A-Za-z0-9._:-], not beginning with '.' or '-' and without
 * "..". */
LOCHAN_API lochan_status lochan_run_check_id(const char *run_id,
                                             lochan_error *err) LOCHAN_MUST_CHECK;

/* A handle; looks at no file and asks the lake nothing. The run itself comes into being with its
 * first append. SCHEMA for a bad id, INVALID_ARGUMENT for bad options. The caller owns *out. */
LOCHAN_API lochan_status lochan_run_open(lochan_lake *lake, const char *run_id,
                                         const lochan_run_options *options, lochan_run **out,
                                         lochan_error *err) LOCHAN_MUST_CHECK;
LOCHAN_API void lochan_run_close(lochan_run *run);           /* NULL is a no-op */
LOCHAN_API const char *lochan_run_id(const lochan_run *run); /* borrowed */

/* ---- appending ---- */

/* FULL: a reported append is on the disk. NORMAL: nothing is synced, so a killed process loses
 * nothing, but a power cut may lose the last appends to a table, never one in the middle; they are
 * made durable together by the next FULL append to the table, or within a few hundred appends. */
typedef enum lochan_durability {
    LOCHAN_DURABILITY_FULL = 0,
    LOCHAN_DURABILITY_NORMAL = 1
} lochan_durability;

typedef struct lochan_append_options {
    uint32_t struct_size;
    bool skip_schema;   /* lets undeclared columns in, and required ones (but tick) out */
    bool validate_rows; /* also checks the values and rules that the descriptor lists */
    bool not_strict;    /* undeclared columns are stored instead of refused */
    int32_t durability; /* lochan_durability */
    const char *token;  /* commit token: repeating an append with it is a no-op; NULL = none */
    uint8_t reserved[32];
} lochan_append_options;
#define LOCHAN_APPEND_OPTIONS_INIT                                                                 \
    {                                                                                              \
        sizeof(lochan_append_options), false, false, false, 0, NULL, {                             \
            0                                                                                      \
        }                                                                                          \
    }

/* How far an append came, for callers that tell failures apart. */
typedef enum lochan_append_stage {
    LOCHAN_APPEND_CHECK = 0,   /* rows and schema; nothing was written */
    LOCHAN_APPEND_WRITE = 1,   /* the parts */
    LOCHAN_APPEND_PUBLISH = 2, /* the commit */
    LOCHAN_APPEND_DONE = 3
} lochan_append_stage;

typedef struct lochan_part_info {
    int64_t bucket_id;
    const char *path; /* relative to the lake */
    int64_t rows, bytes, tick_min, tick_max;
} lochan_part_info;

typedef struct lochan_append_summary {
    uint32_t struct_size;
    int32_t stage; /* lochan_append_stage; filled on every outcome */
    int64_t rows;
    int64_t snapshot_id; /* -1: nothing was to do */
    bool repeated;       /* the token was committed before: nothing was written; parts are empty */
    size_t n_parts;
    lochan_part_info *parts; /* by bucket */
    size_t n_buckets;
    int64_t *buckets; /* ascending, each once */
    void *memory;     /* what parts and buckets live in */
    uint8_t reserved[32];
} lochan_append_summary;
#define LOCHAN_APPEND_SUMMARY_INIT                                                                 \
    {                                                                                              \
        sizeof(lochan_append_summary), 0, 0, -1, false, 0, NULL, 0, NULL, NULL, {                  \
            0                                                                                      \
        }                                                                                          \
    }
LOCHAN_API void lochan_append_summary_deinit(lochan_append_summary *summary);

/* Appends all rows of a stream; no row at all is a no-op. Takes the stream (releases it) on every
 * outcome. A column may come in any Arrow type that casts to its own without loss; `bucket` is
 * computed anew if it is there. options and summary may be NULL; deinit the summary. */
LOCHAN_API lochan_status lochan_run_append(lochan_run *run, const char *table,
                                           struct ArrowArrayStream *rows,
                                           const lochan_append_options *options,
                                           lochan_append_summary *summary,
                                           lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- many small appends ---- */

/* Buffers rows and appends them together. Rows are checked when they come, as in
 * lochan_run_append, but no reader sees them before they were flushed: by a threshold, by
 * lochan_run_appender_flush or by close. Buffered rows draw on the lake's memory limit. Several
 * threads may use one appender. */
typedef struct lochan_run_appender lochan_run_appender;

typedef struct lochan_run_appender_options {
    uint32_t struct_size;
    int64_t rows;  /* flush at so many rows; 0 = 100,000, -1 = never for this reason */
    int64_t bytes; /* of memory; 0 = an eighth of the lake's memory limit, -1 as above */
    int64_t ticks; /* flush when the ticks in the buffer span so many; 0 or -1 = never */
    const lochan_append_options *append; /* copied; without token; NULL = defaults */
    uint8_t reserved[32];
} lochan_run_appender_options;
#define LOCHAN_RUN_APPENDER_OPTIONS_INIT                                                           \
    {                                                                                              \
        sizeof(lochan_run_appender_options), 0, 0, 0, NULL, {                                      \
            0                                                                                      \
        }                                                                                          \
    }

/* Looks at the table's descriptor, at no part. The run must outlive the appender. */
LOCHAN_API lochan_status lochan_run_appender_open(lochan_run *run, const char *table,
                                                  const lochan_run_appender_options *options,
                                                  lochan_run_appender **out,
                                                  lochan_error *err) LOCHAN_MUST_CHECK;
/* Takes the stream. If its rows are refused (SCHEMA), none of them is buffered. If they are
 * buffered and the flush that they brought about failed, *kept (may be NULL) is true: they are not
 * to be given again. */
LOCHAN_API lochan_status lochan_run_appender_append(lochan_run_appender *appender,
                                                    struct ArrowArrayStream *rows, bool *kept,
                                                    lochan_error *err) LOCHAN_MUST_CHECK;
/* Appends what is buffered, as one commit. After a failure the rows are still buffered, and the
 * next flush tries again; a commit whose answer was lost is not made twice. summary (may be NULL;
 * deinit it) is that of the commit; snapshot_id -1: nothing was buffered. */
LOCHAN_API lochan_status lochan_run_appender_flush(lochan_run_appender *appender,
                                                   lochan_append_summary *summary,
                                                   lochan_error *err) LOCHAN_MUST_CHECK;
/* What is buffered, and what was appended so far. Any pointer may be NULL. */
LOCHAN_API void lochan_run_appender_state(lochan_run_appender *appender, int64_t *buffered_rows,
                                          int64_t *buffered_bytes, int64_t *appended_rows,
                                          int64_t *commits);
/* Flushes and frees. If the flush fails, the appender stays as it was: try again, or discard it.
 * NULL is a no-op. */
LOCHAN_API lochan_status lochan_run_appender_close(lochan_run_appender *appender,
                                                   lochan_error *err) LOCHAN_MUST_CHECK;
/* Frees, and forgets what is buffered. NULL is a no-op. */
LOCHAN_API void lochan_run_appender_discard(lochan_run_appender *appender);

/* ---- reading ---- */

/* Opens a lake to read its runs. As lochan_lake_open, and where lake.db is gone but the journal is
 * there, what lake.db held is read from the journal into a private temporary copy: the lake opens
 * read-only, nothing is written into its folder, and *warning (may be NULL; free with lochan_free;
 * NULL if all is well) says so and names the rebuild; it is logged too. A part that was lost with
 * it fails by name when it is read. Without a journal the same is made of the footers of the parts
 * under runs/, of appends that are there as a whole; what is known of runs beside their rows, and
 * descriptors that were added to the lake, are gone then. CORRUPT for a damaged lake.db, with a
 * hint that names the rebuild. */
LOCHAN_API lochan_status lochan_run_lake_open(const char *path, const lochan_lake_options *options,
                                              char **warning, lochan_lake **out,
                                              lochan_error *err) LOCHAN_MUST_CHECK;

typedef struct lochan_run_scan_options {
    uint32_t struct_size;
    const int64_t *tick_min, *tick_max; /* inclusive; NULL = open */
    const char *const *columns; /* NULL = all of the table but run_id (of many runs: with it) */
    size_t n_columns;
    const char *where;  /* predicate, see docs/scan.md; NULL = every row */
    int64_t limit;      /* rows, -1 = all */
    int64_t batch_rows; /* 0 = 131,072 */
    const char *as_of;  /* snapshot id or UTC time; NULL = newest */
    uint8_t reserved[32];
} lochan_run_scan_options;
#define LOCHAN_RUN_SCAN_OPTIONS_INIT                                                               \
    {                                                                                              \
        sizeof(lochan_run_scan_options), NULL, NULL, NULL, 0, NULL, -1, 0, NULL, {                 \
            0                                                                                      \
        }                                                                                          \
    }

/* Rows of one run, by bucket and in the order of their commits, as one snapshot. Parts are pruned
 * by bucket and by their range of ticks. Where nothing was appended yet the stream is empty and has
 * the descriptor's columns. The stream may be used after the run is closed, not after the lake. */
LOCHAN_API lochan_status lochan_run_scan(lochan_run *run, const char *table,
                                         const lochan_run_scan_options *options,
                                         struct ArrowArrayStream *out,
                                         lochan_error *err) LOCHAN_MUST_CHECK;
/* Rows of many runs (run_ids NULL = all) with the column run_id. */
LOCHAN_API lochan_status lochan_runs_scan(lochan_lake *lake, const char *table,
                                          const char *const *run_ids, size_t n_run_ids,
                                          const lochan_run_scan_options *options,
                                          struct ArrowArrayStream *out,
                                          lochan_error *err) LOCHAN_MUST_CHECK;
/* Of a stream made by one of these; INVALID_ARGUMENT for others. */
LOCHAN_API lochan_status lochan_run_scan_stats(const struct ArrowArrayStream *scan,
                                               lochan_scan_stats *out,
                                               lochan_error *err) LOCHAN_MUST_CHECK;

/* One row a part, by bucket and commit: bucket_id, state ("ready"), tick_min, tick_max, row_count,
 * byte_size (of the bucket), path (of the part, relative to the lake), rows, bytes, part_tick_min,
 * part_tick_max, created_at. No row: nothing was appended. */
LOCHAN_API lochan_status lochan_run_manifest(lochan_run *run, const char *table,
                                             struct ArrowArrayStream *out,
                                             lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- looking after runs ---- */

/* One row a run: run_id, created_at, tick_bucket_size, tables, parts, rows, bytes, seed,
 * code_version, parameters. */
LOCHAN_API lochan_status lochan_run_list(lochan_lake *lake, struct ArrowArrayStream *out,
                                         lochan_error *err) LOCHAN_MUST_CHECK;
/* Notes what a run is about; NULL keeps what is there. parameters is a JSON object. Makes the run
 * known if it is not yet. */
LOCHAN_API lochan_status lochan_run_describe(lochan_run *run, const char *parameters,
                                             const char *seed, const char *code_version,
                                             lochan_error *err) LOCHAN_MUST_CHECK;
/* The runs that have rows in a table (table NULL: every run, also one that has only been
 * described), oldest first: run_id, created_at, tick_bucket_size, parts, rows, bytes, seed,
 * code_version, parameters. SCHEMA if there is no such table. */
LOCHAN_API lochan_status lochan_runs_of(lochan_lake *lake, const char *table,
                                        struct ArrowArrayStream *out,
                                        lochan_error *err) LOCHAN_MUST_CHECK;
/* What is known of a run as one JSON object: format "lochan.run", version 1, run_id, created_at,
 * tick_bucket_size, seed, code_version, parameters (the object that was given), and tables, each
 * with table, version, rows, bytes, tick_min, tick_max, columns (name, type) and parts (bucket_id,
 * path, rows, bytes, tick_min, tick_max, created_at). Free with lochan_free. NOT_FOUND if nobody
 * knows the run. */
LOCHAN_API lochan_status lochan_run_export(lochan_lake *lake, const char *run_id, char **json,
                                           lochan_error *err) LOCHAN_MUST_CHECK;
/* Removes every row of the run from every table, in one commit; the files go with the retention of
 * the lake. *parts (may be NULL) = how many. NOT_FOUND if nobody knows the run. */
LOCHAN_API lochan_status lochan_run_delete(lochan_lake *lake, const char *run_id, int64_t *parts,
                                           lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- making it whole again ---- */

typedef struct lochan_rebuild_report {
    uint32_t struct_size;
    bool lake_rebuilt;     /* lake.db was missing or damaged and was made again */
    int64_t records;       /* of the journal it was made from; 0: there was no journal */
    int64_t parts_whole;   /* in the catalog and as it says */
    int64_t parts_damaged; /* taken out of the catalog, in one commit, or never in it */
    int64_t parts_adopted; /* of a tree that came without a catalog */
    int64_t parts_ignored; /* copies, halves of appends, parts of appends that never ended */
    int64_t rows;          /* of the run in this table, afterwards */
    uint8_t reserved[32];
} lochan_rebuild_report;
#define LOCHAN_REBUILD_REPORT_INIT                                                                 \
    {                                                                                              \
        sizeof(lochan_rebuild_report), false, 0, 0, 0, 0, 0, 0, {                                  \
            0                                                                                      \
        }                                                                                          \
    }

/* Brings the catalog of one run and table into agreement with the files. Where lake.db is gone or
 * damaged, the whole lake is made again from its journal first (the damaged one is set aside, not
 * removed); where there is no journal either, an empty lake is made. Then every part of the run is
 * looked at: footer and ticks are read; a part that is missing or damaged leaves the catalog. Parts
 * that no catalog ever knew are taken over only if they are older than the lake's catalog (a tree
 * from elsewhere) and their append is complete, or if the Python original wrote them (its
 * manifest.json, where it can be read, tells which count); what is taken over is written anew, the
 * old files stay. `run_options` gives the bucket size of such a tree, if it does not say.
 * problems (may be NULL): kind, path, detail of every part that is not whole. Close the lake first
 * if lake.db is not whole. */
LOCHAN_API lochan_status lochan_run_rebuild(
    const char *lake_path, const lochan_lake_options *lake_options, const char *run_id,
    const char *table, const lochan_run_options *run_options, lochan_rebuild_report *report,
    struct ArrowArrayStream *problems, lochan_error *err) LOCHAN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
