/* read.h - reading the catalog: snapshots, tables, files, sources, datasets, coverage.
 * Invariants: each call sees one snapshot of lake.db and keeps no transaction open; results own all
 * they show (an arena each: deinit, also of a zeroed one); types and ranges of every row were
 * checked (CORRUPT names table and row). May call: base/, arrow/, catalog.h.
 */
#ifndef LOCHAN_CATALOG_READ_H
#define LOCHAN_CATALOG_READ_H

#include "arrow/expr.h"
#include "arrow/schema.h"
#include "base/arena.h"
#include "catalog/catalog.h"

/* ---- snapshots ---- */

typedef struct lochan_snapshot {
    int64_t id;
    int64_t time_ns;
    int64_t schema_version;
} lochan_snapshot;

/* as_of: NULL = newest; digits = a snapshot id; else a UTC time: the newest snapshot not younger.
 * NOT_FOUND says what there is; INVALID_ARGUMENT if it is neither id nor time. */
lochan_status lochan_catalog__snapshot_at(lochan_catalog *catalog, const char *as_of,
                                          lochan_snapshot *out, lochan_error *err);

/* ---- tables ---- */

typedef struct lochan_partition_key {
    int64_t column_id;
    int column;            /* index in the schema's children */
    const char *name;      /* of the column */
    const char *transform; /* "identity", "year", "month", "day", "hour", "bucket(N)" */
} lochan_partition_key;

typedef struct lochan_table_sort {
    int column;             /* index in the schema's children; -1: an expression we do not know */
    const char *expression; /* the column's name as a rule */
    bool descending;
    bool nulls_first;
} lochan_table_sort;

typedef struct lochan_table_def {
    int64_t table_id;
    int64_t snapshot_id; /* as of which it was read */
    const char *uuid;
    const char *source; /* schema name */
    const char *dataset;
    const char *path; /* folder relative to the lake, ends in '/', "" for the lake itself */
    struct ArrowSchema
        schema; /* struct; every field, nested ones too, carries PARQUET:field_id = column id */
    int64_t schema_begin; /* snapshot of the newest change of the columns */
    int64_t partition_id; /* -1: not partitioned */
    size_t n_partition;
    lochan_partition_key *partition;
    size_t n_sort;
    lochan_table_sort *sort;
    int64_t rows; /* table statistics of the newest snapshot */
    int64_t bytes;
    int64_t dataset_id; /* of lochan_dataset, -1 if foreign */
    lochan_arena arena;
} lochan_table_def;

/* snapshot_id -1 = newest. NOT_FOUND names the tables there are (or that the table is younger). */
lochan_status lochan_catalog__table(lochan_catalog *catalog, const char *source,
                                    const char *dataset, int64_t snapshot_id, lochan_table_def *out,
                                    lochan_error *err);
void lochan_table_def__deinit(lochan_table_def *def);

typedef struct lochan_table_name {
    int64_t table_id;
    const char *source;
    const char *dataset;
} lochan_table_name;
typedef struct lochan_table_names {
    size_t n;
    lochan_table_name *names; /* by source and dataset */
    lochan_arena arena;
} lochan_table_names;
lochan_status lochan_catalog__tables(lochan_catalog *catalog, int64_t snapshot_id,
                                     lochan_table_names *out, lochan_error *err);
void lochan_table_names__deinit(lochan_table_names *names);

/* UNSUPPORTED names the table and what in it we cannot read right: delete files, inlined rows,
 * encrypted files, files outside the lake, other formats. lochan_catalog__files calls it too, and
 * refuses name mappings of another kind than by name. */
lochan_status lochan_catalog__check_readable(lochan_catalog *catalog, const lochan_table_def *def,
                                             int64_t snapshot_id, lochan_error *err);

/* ---- files ---- */

/* lochan_file.sorted of a clustered file; 1 of one in the table's order. */
#define LOCHAN_FILE_CLUSTERED 2

/* What the columns of a file are called, where its fields bear no ids of ours. */
typedef struct lochan_mapped_name {
    const char *name;
    int64_t column_id; /* of the table */
    bool is_partition; /* not in the file: the value stands in its path, as name=value */
} lochan_mapped_name;
typedef struct lochan_name_mapping {
    int64_t id;
    size_t n;
    lochan_mapped_name *names; /* of top-level columns; fields below have the table's names */
} lochan_name_mapping;

typedef struct lochan_data_file {
    int64_t id;
    const char *path; /* relative to the lake */
    int64_t rows;
    int64_t bytes;
    int64_t footer_bytes; /* -1 = unknown */
    int64_t row_id_start;
    int64_t begin_snapshot;
    int64_t partition_id; /* -1: none */
    const char *
        *partition_values; /* one for each key of the table's partition, NULL = null or not known */
    bool foreign;          /* written by another program: nothing below is known */
    const char *file_id;   /* uuid, "" if unknown */
    int64_t published_ns;  /* when its commit was published; 0 = unknown */
    bool sorted;           /* in the table's order */
    bool clustered;        /* a whole partition, in an order of its own */
    lochan_str key_min, key_max;        /* bytes that compare with memcmp; n = 0: unknown */
    lochan_expr_stats *stats;           /* one for each asked column, in that order */
    bool *stats_known;                  /* false: nothing is known of that column in this file */
    int64_t mapping_id;                 /* -1: columns are known by the ids of their fields */
    const lochan_name_mapping *mapping; /* NULL with it */
} lochan_data_file;

typedef struct lochan_file_list {
    size_t n;
    lochan_data_file *files; /* in the order of their ids */
    lochan_arena arena;
} lochan_file_list;

/* Live files at def->snapshot_id; statistics only of the asked columns (ids of leaves; n may be 0).
 */
lochan_status lochan_catalog__files(lochan_catalog *catalog, const lochan_table_def *def,
                                    const int64_t *column_ids, size_t n_columns,
                                    lochan_file_list *out, lochan_error *err);
void lochan_file_list__deinit(lochan_file_list *list);

/* Partitions whose text (values joined by '/', see internal.h) lies between two texts, both
 * included. */
typedef struct lochan_file_range {
    const char *low, *high;
} lochan_file_range;
/* The files of some partitions; ranges must not overlap. The cost is that of these files, however
 * many the table has. Files that another program added since our last commit are always listed. */
lochan_status lochan_catalog__files_in(lochan_catalog *catalog, const lochan_table_def *def,
                                       const lochan_file_range *ranges, size_t n_ranges,
                                       const int64_t *column_ids, size_t n_columns,
                                       lochan_file_list *out, lochan_error *err);

/* Every path that the catalog knows, live or retired, of every table; for verify. */
typedef struct lochan_known_file {
    int64_t id;
    int64_t table_id;
    const char *source, *dataset;
    const char *path;
    int64_t rows, bytes, footer_bytes;
    bool live; /* in the newest snapshot */
    bool foreign;
} lochan_known_file;
typedef struct lochan_known_files {
    size_t n;
    lochan_known_file *files; /* by path */
    lochan_arena arena;
} lochan_known_files;
lochan_status lochan_catalog__known_files(lochan_catalog *catalog, lochan_known_files *out,
                                          lochan_error *err);
bool lochan_known_files__has(const lochan_known_files *list, const char *path);
void lochan_known_files__deinit(lochan_known_files *list);

/* ---- sources and datasets ---- */

typedef struct lochan_source_row {
    const char *name;
    const char *spec;      /* YAML */
    const char *overrides; /* JSON object or "" */
    bool bundled;
    int64_t created_ns, updated_ns;
} lochan_source_row;
typedef struct lochan_source_rows {
    size_t n;
    lochan_source_row *rows; /* by name */
    lochan_arena arena;
} lochan_source_rows;
/* name NULL = all; a name that is not there gives n = 0. */
lochan_status lochan_catalog__sources(lochan_catalog *catalog, const char *name,
                                      lochan_source_rows *out, lochan_error *err);
void lochan_source_rows__deinit(lochan_source_rows *rows);

typedef struct lochan_dataset_row {
    int64_t dataset_id; /* 0 when it is put for the first time */
    const char *source;
    const char *name;
    const char *spec; /* YAML */
    const char *spec_hash;
    const char *mapping_hash;
    const char *time_column; /* "" = none; for time_min and time_max of status and files */
    int64_t settle_ns;       /* answers are final for days older than the asking time less this */
    bool enabled;
    bool bundled;
    int64_t table_id; /* -1 until the table was made */
    int64_t created_ns, updated_ns;
} lochan_dataset_row;
typedef struct lochan_dataset_rows {
    size_t n;
    lochan_dataset_row *rows; /* by source and name */
    lochan_arena arena;
} lochan_dataset_rows;
/* Either name may be NULL = all. */
lochan_status lochan_catalog__datasets(lochan_catalog *catalog, const char *source,
                                       const char *name, lochan_dataset_rows *out,
                                       lochan_error *err);
void lochan_dataset_rows__deinit(lochan_dataset_rows *rows);

/* ---- coverage: the fetch ledger ---- */

typedef enum lochan_coverage_state {
    LOCHAN_COVERAGE_SUCCESS = 1,
    LOCHAN_COVERAGE_EMPTY = 2,
    LOCHAN_COVERAGE_FAILED = 3,
    LOCHAN_COVERAGE_INVALID = 4
} lochan_coverage_state;

typedef struct lochan_coverage {
    const char *asset;   /* "" = all */
    const char *variant; /* "" = default */
    int32_t day_from;    /* days since 1970-01-01, inclusive */
    int32_t day_to;
    lochan_coverage_state state;
    int64_t asked_ns;
    int64_t attempts;
    int64_t rows;
    const char *content_hash; /* "" = none */
    const char *update_id;
    const char *message; /* "" = none */
} lochan_coverage;
typedef struct lochan_coverage_rows {
    size_t n;
    lochan_coverage *rows; /* by asset, variant, day_from */
    lochan_arena arena;
} lochan_coverage_rows;
lochan_status lochan_catalog__coverage(lochan_catalog *catalog, int64_t dataset_id,
                                       lochan_coverage_rows *out, lochan_error *err);
void lochan_coverage_rows__deinit(lochan_coverage_rows *rows);

/* ---- updates that were published ---- */

typedef struct lochan_published_row {
    const char *update_id;
    int64_t finished_ns;
} lochan_published_row;
typedef struct lochan_published_rows {
    size_t n;
    lochan_published_row *rows; /* in the order of their commits */
    lochan_arena arena;
} lochan_published_rows;
/* Whole or in part; of one dataset. */
lochan_status lochan_catalog__published(lochan_catalog *catalog, int64_t dataset_id,
                                        lochan_published_rows *out, lochan_error *err);
void lochan_published_rows__deinit(lochan_published_rows *rows);

/* ---- rejects: rows that a rule refused ---- */

typedef struct lochan_reject_row {
    const char *update_id;
    int64_t dataset_id;
    const char *source, *dataset; /* not written */
    const char *path;             /* of the file, relative to the lake */
    int64_t rows;
    const char *state; /* "kept", "released", "dropped" */
    int64_t changed_ns;
} lochan_reject_row;
typedef struct lochan_reject_rows {
    size_t n;
    lochan_reject_row *rows; /* oldest first */
    lochan_arena arena;
} lochan_reject_rows;
/* Each of source, dataset and update_id may be NULL = any. */
lochan_status lochan_catalog__rejects(lochan_catalog *catalog, const char *source,
                                      const char *dataset, const char *update_id,
                                      lochan_reject_rows *out, lochan_error *err);
void lochan_reject_rows__deinit(lochan_reject_rows *rows);

/* ---- run tables and runs ---- */

typedef struct lochan_run_table_row {
    const char *name;
    const char *spec; /* YAML */
    bool bundled;
    int64_t created_ns, updated_ns;
} lochan_run_table_row;
typedef struct lochan_run_table_rows {
    size_t n;
    lochan_run_table_row *rows; /* by name */
    lochan_arena arena;
} lochan_run_table_rows;
/* name NULL = all; a name that is not there gives n = 0. */
lochan_status lochan_catalog__run_tables(lochan_catalog *catalog, const char *name,
                                         lochan_run_table_rows *out, lochan_error *err);
void lochan_run_table_rows__deinit(lochan_run_table_rows *rows);

typedef struct lochan_run_row {
    const char *run_id;
    int64_t tick_bucket_size;
    int64_t created_ns;
    const char *parameters, *seed, *code_version; /* NULL = not told */
} lochan_run_row;
typedef struct lochan_run_rows {
    size_t n;
    lochan_run_row *rows; /* by time of creation */
    lochan_arena arena;
} lochan_run_rows;
/* run_id NULL = all; one that is not there gives n = 0. */
lochan_status lochan_catalog__runs(lochan_catalog *catalog, const char *run_id,
                                   lochan_run_rows *out, lochan_error *err);
void lochan_run_rows__deinit(lochan_run_rows *rows);

/* What a run has in one table. */
typedef struct lochan_run_figures {
    const char *run_id;
    int64_t table_id, files, rows, bytes;
} lochan_run_figures;
typedef struct lochan_run_figures_rows {
    size_t n;
    lochan_run_figures *rows; /* by run, then table */
    lochan_arena arena;
} lochan_run_figures_rows;
lochan_status lochan_catalog__run_figures(lochan_catalog *catalog, lochan_run_figures_rows *out,
                                          lochan_error *err);
void lochan_run_figures_rows__deinit(lochan_run_figures_rows *rows);

#endif
