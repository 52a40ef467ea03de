/* writer.h - writing a Parquet file from record batches.
 * Invariants: bytes go to the sink in order, once; at most one row group's encoded pages are held
 * in memory; the same input and options give the same bytes, whatever the number of threads. Not
 * thread-safe (it uses the context's pool inside). After a failure every further call but free
 * fails too. May call: base/, arrow/, the rest of parquet/.
 */
#ifndef LOCHAN_PARQUET_WRITER_H
#define LOCHAN_PARQUET_WRITER_H

#include "arrow/kernels.h"
#include "base/ctx.h"
#include "base/fs.h"
#include "parquet/codec.h"
#include "parquet/summary.h"

/* Where the bytes go: sequential, one call at a time. */
typedef struct lochan_pq_sink {
    lochan_status (*write)(void *self, const void *p, size_t n, lochan_error *err);
    void *self;
    const char *name; /* for errors; copied */
} lochan_pq_sink;

/* How the values of one leaf are to be encoded, instead of being chosen from the data: PLAIN,
 * RLE_DICTIONARY, DELTA_BINARY_PACKED, ... (numbers of the format). */
typedef struct lochan_pq_column_encoding {
    const char *path; /* dotted path of the leaf: "price", "tags.list.element" */
    int32_t encoding;
} lochan_pq_column_encoding;

/* Zeroed fields are the defaults. A context with a memory limit makes row groups, pages and
 * dictionaries smaller where the defaults, or what is asked for, would pass it. */
typedef struct lochan_pq_write_options {
    lochan_pq_codec codec; /* set codec_set to choose; default zstd */
    bool codec_set;
    int level;               /* of zstd, gzip, brotli; 0 = the codec's default (zstd: 1) */
    int64_t row_group_rows;  /* 0 = 131,072 */
    int64_t row_group_bytes; /* cut when the encoded pages pass it; 0 = 64 MiB */
    int32_t page_bytes;      /* 0 = 1 MiB before compression */
    int32_t page_rows; /* 0 = 20,000; 160,000 of nested columns, which page_bytes ends first */
    bool no_dictionary;
    bool no_statistics;
    bool no_crc;
    bool no_page_index;
    bool page_v2;         /* data pages of version 2 */
    bool sink_any_thread; /* the sink may be called from the pool's threads, still one call at a
                             time: one writes while others encode. Files and buffers always may */
    const lochan_pq_column_encoding *encodings;
    size_t n_encodings;
    const char *created_by; /* NULL = "lochan version 0.1.0" */
    const lochan_sort_key
        *sorting; /* recorded per row group; top-level flat columns; the caller vouches for it */
    size_t n_sorting;
    int32_t max_statistics_bytes;     /* longest text bound, cut at a character; 0 = 64 */
    const char *const *bloom_filters; /* dotted paths of leaves that get a Bloom filter */
    size_t n_bloom_filters;
} lochan_pq_write_options;

typedef struct lochan_pq_writer lochan_pq_writer;

/* schema: a struct schema; copied. Field ids come from PARQUET:field_id. UNSUPPORTED names a column
 * whose type has no Parquet form. */
lochan_status lochan_pq_writer__open(const lochan_ctx *ctx, const lochan_pq_sink *sink,
                                     const struct ArrowSchema *schema,
                                     const lochan_pq_write_options *options, lochan_pq_writer **out,
                                     lochan_error *err);

/* A sink over an open file, from offset 0 on. The file must outlive the writer. */
typedef struct lochan_pq_file_sink {
    lochan_file *file;
    uint64_t offset;
} lochan_pq_file_sink;
lochan_pq_sink lochan_pq_sink__of_file(lochan_pq_file_sink *state, lochan_file *file);
/* A sink that appends to a buffer. */
lochan_pq_sink lochan_pq_sink__of_buf(lochan_buf *buf);

/* Adds the rows of a struct array of the writer's schema (any number of rows, an offset is fine).
 * The array is borrowed and must hold what lochan_array__check accepts. A null in a column that is
 * not nullable: VALUE with column and row. */
lochan_status lochan_pq_writer__write_batch(lochan_pq_writer *writer,
                                            const struct ArrowArray *batch, lochan_error *err);
/* Ends the row group under way, if it has rows. */
lochan_status lochan_pq_writer__end_row_group(lochan_pq_writer *writer, lochan_error *err);
/* Raw copy: a row group's pages move as bytes, undecoded; every page's checksum is verified, and
 * all offsets and indexes are rewritten. Columns are matched by field id, without ids by path.
 * Possible if every column of the file is one of the writer's with the same physical and logical
 * type, length and levels, and the writer's other columns are nullable: those become null. can_copy
 * says whether; reason (may be NULL, 160 bytes) why not. Deciding which files to trust is the
 * caller's. */
struct lochan_pq_reader;
bool lochan_pq_writer__can_copy(const lochan_pq_writer *writer,
                                const struct lochan_pq_reader *reader, char reason[160]);
/* Ends the row group under way first. UNSUPPORTED where can_copy says no, or a page has no
 * checksum. */
lochan_status lochan_pq_writer__copy_row_group(lochan_pq_writer *writer,
                                               struct lochan_pq_reader *reader, int row_group,
                                               lochan_error *err);
/* One column that is written anew: nulls become `value`, other rows keep theirs. */
typedef struct lochan_pq_fill {
    int column;                      /* of the writer's schema; flat, 64-bit integers or times */
    const struct ArrowSchema *field; /* of that column */
    int64_t value;                   /* in its unit */
} lochan_pq_fill;
/* The same, but for that column; fill NULL: all are copied. */
lochan_status lochan_pq_writer__copy_filled(lochan_pq_writer *writer,
                                            struct lochan_pq_reader *reader, int row_group,
                                            const lochan_pq_fill *fill, lochan_error *err);
/* Rows and encoded bytes so far (for cutting files). */
int64_t lochan_pq_writer__rows(const lochan_pq_writer *writer);
uint64_t lochan_pq_writer__bytes(const lochan_pq_writer *writer);

/* Writes the last row group. No rows after that; metadata may still be set: a commit writes its
 * total in the last file closed. Optional: close does it too. */
lochan_status lochan_pq_writer__finish_data(lochan_pq_writer *writer, lochan_error *err);
/* Adds or replaces a key of the footer's key-value metadata. Allowed until close. */
lochan_status lochan_pq_writer__set_metadata(lochan_pq_writer *writer, const char *key,
                                             const char *value, lochan_error *err);
/* Writes the footer. summary may be NULL; deinit it. The writer stays to be freed. The sink is
 * neither synced nor closed. */
lochan_status lochan_pq_writer__close(lochan_pq_writer *writer, lochan_pq_summary *summary,
                                      lochan_error *err);
void lochan_pq_writer__free(
    lochan_pq_writer *writer); /* NULL is a no-op; without close the file is unusable */

#endif
