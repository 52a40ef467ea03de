/* reader.h - reading a Parquet file: metadata, whole row groups, streams with projection and
 * predicate. Invariants: page checksums are always verified where the file has them; nothing the
 * file claims is trusted before it has been checked against the file's size or against what was
 * decompressed; errors name file, byte offset and column. A reader may be used by several threads
 * at a time. May call: base/, arrow/, the rest of parquet/.
 */
#ifndef LOCHAN_PARQUET_READER_H
#define LOCHAN_PARQUET_READER_H

#include "arrow/expr.h"
#include "base/ctx.h"
#include "base/fs.h"
#include "parquet/summary.h"

/* Where the bytes are. read must deliver exactly n bytes or fail, and may be called from several
 * threads at a time. */
typedef struct lochan_pq_source {
    lochan_status (*read)(void *self, uint64_t offset, size_t n, void *dst, lochan_error *err);
    void (*close)(void *self); /* may be NULL */
    void *self;
    uint64_t size;
    const char *name;    /* for errors; copied by open */
    const uint8_t *data; /* not NULL: the whole file lies in memory here, `read` may be NULL */
    /* Asked before each row group whether the bytes are still there; may be NULL. */
    lochan_status (*check)(void *self, lochan_error *err);
} lochan_pq_source;

/* How strings and binaries come out. */
typedef enum lochan_pq_strings {
    LOCHAN_PQ_STRINGS_PLAIN,     /* 32-bit offsets; a batch whose text passes 2 GiB is refused */
    LOCHAN_PQ_STRINGS_LARGE,     /* 64-bit offsets */
    LOCHAN_PQ_STRINGS_VIEW,      /* views */
    LOCHAN_PQ_STRINGS_DICTIONARY /* int32 keys into plain strings, for columns of strings; each
                                    batch has its own values */
} lochan_pq_strings;

typedef struct lochan_pq_read_options {
    lochan_pq_strings strings;
    size_t max_footer; /* refuse larger footers, 0 = 256 MiB */
    /* Pages whose few bytes could stand for any size (brotli) are believed up to this, 0 = 16 MiB.
     */
    uint64_t max_page_bytes;
    bool arrow_schema; /* show types as the file's key ARROW:schema has them, where it fits */
} lochan_pq_read_options;

typedef struct lochan_pq_reader lochan_pq_reader;

/* Opens a file and reads its footer. Takes `source` (calls its close when the last user is gone,
 * also if open fails). options NULL = defaults. ctx is copied. CORRUPT: no Parquet file, or a
 * damaged one; UNSUPPORTED: encrypted. */
lochan_status lochan_pq_reader__open(const lochan_ctx *ctx, const lochan_pq_source *source,
                                     const lochan_pq_read_options *options, lochan_pq_reader **out,
                                     lochan_error *err);
/* The same over a local file; `name` (NULL = path) is what errors call it. */
lochan_status lochan_pq_reader__open_file(const lochan_ctx *ctx, const char *path, const char *name,
                                          const lochan_pq_read_options *options,
                                          lochan_pq_reader **out, lochan_error *err);
/* Drops the caller's hold. Streams made from the reader keep it (and the file) open until they are
 * released. */
void lochan_pq_reader__close(lochan_pq_reader *reader); /* NULL is a no-op */

/* Facts of the footer. Strings are borrowed from the reader. */
int64_t lochan_pq_reader__rows(const lochan_pq_reader *reader);
uint64_t lochan_pq_reader__file_size(const lochan_pq_reader *reader);
uint32_t lochan_pq_reader__footer_length(const lochan_pq_reader *reader);
const char *lochan_pq_reader__created_by(const lochan_pq_reader *reader); /* "" if missing */
/* Struct schema (borrowed); fields carry PARQUET:field_id. Children are the columns that `columns`
 * index below. */
const struct ArrowSchema *lochan_pq_reader__schema(const lochan_pq_reader *reader);
/* Key-value metadata: value of `key`, NULL if missing; n-th pair, false past the last. */
const char *lochan_pq_reader__metadata(const lochan_pq_reader *reader, const char *key);
bool lochan_pq_reader__metadata_at(const lochan_pq_reader *reader, size_t i, const char **key,
                                   const char **value);

typedef struct lochan_pq_row_group_info {
    int64_t first_row; /* in the file */
    int64_t rows;
    int64_t uncompressed_bytes; /* of all columns, as claimed by the footer */
    int64_t compressed_bytes;
    uint64_t offset; /* first byte of its pages */
} lochan_pq_row_group_info;

int lochan_pq_reader__row_groups(const lochan_pq_reader *reader);
void lochan_pq_reader__row_group(const lochan_pq_reader *reader, int row_group,
                                 lochan_pq_row_group_info *out);

/* Statistics of a flat column in one row group (row_group -1: over the whole file). False if
 * nothing is known (nested columns, missing or untrustworthy statistics). Strings are borrowed from
 * the reader. */
bool lochan_pq_reader__column_stats(const lochan_pq_reader *reader, int row_group, int column,
                                    lochan_expr_stats *out);
/* The figures a catalog keeps, from the footer alone. Deinit it. */
lochan_status lochan_pq_reader__summary(const lochan_pq_reader *reader, lochan_pq_summary *out,
                                        lochan_error *err);

/* Decodes the given top-level columns (NULL, 0 = all) of one row group into a struct array whose
 * children are in the order of `columns`. Columns are decoded in parallel on the context's pool.
 * Release *out. */
lochan_status lochan_pq_reader__read_row_group(lochan_pq_reader *reader, int row_group,
                                               const int *columns, size_t n, struct ArrowArray *out,
                                               lochan_error *err);

/* Rows [begin, end). */
typedef struct lochan_pq_range {
    int64_t begin, end;
} lochan_pq_range;

/* Binds a predicate to the reader's columns; it may name leaves of structs too ("a.b", null where a
 * is). */
lochan_status lochan_pq_reader__bind(const lochan_pq_reader *reader, lochan_expr *predicate,
                                     lochan_error *err);

typedef struct lochan_pq_scan {
    const int *columns; /* NULL = all */
    size_t n_columns;
    const char *const *paths; /* instead of `columns`, n_columns of them: columns and fields in them
                               * (projection.h). A column comes where it is named first, with all
                               * its fields that are named. */
    const lochan_expr *predicate; /* bound to the reader's schema or a schema holding the same
                                   * columns by name, or by lochan_pq_reader__bind; NULL = all
                                   * rows; borrowed until the stream is released. Its columns need
                                   * not be among `columns`. */
    const int *row_groups;        /* ascending; NULL = all */
    size_t n_row_groups;
    const lochan_pq_range *rows; /* of the file, ascending and apart; NULL = all */
    size_t n_rows;
    int64_t batch_rows; /* at most this many rows a batch; 0 = 131,072 */
} lochan_pq_scan;

/* A stream of struct batches in file order (columns in the order asked). Row groups whose
 * statistics exclude the predicate are not read. The predicate's columns are decoded first; the
 * others only where rows are left. scan NULL = everything. Under a memory budget batches are as
 * small as it asks for, and pages may be decompressed more than once; a batch handed out is the
 * caller's and no longer counted. */
lochan_status lochan_pq_reader__stream(lochan_pq_reader *reader, const lochan_pq_scan *scan,
                                       struct ArrowArrayStream *out, lochan_error *err);

/* What has been done so far, over all calls and streams of this reader. */
typedef struct lochan_pq_counters {
    uint64_t bytes_read;    /* from the source, footer included */
    uint64_t pages_decoded; /* data and dictionary pages decompressed */
    uint64_t row_groups_read;
    uint64_t row_groups_pruned;
} lochan_pq_counters;
void lochan_pq_reader__counters(const lochan_pq_reader *reader, lochan_pq_counters *out);

#endif
