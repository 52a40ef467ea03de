/* parquet.h - reading and writing Parquet files, without a lake.
 *
 * Rows come and go as record batches of the Arrow C interfaces (arrow.h), so that any Arrow library
 * can take them without a copy. This header needs nothing else of lochan but arrow.h and error.h.
 *
 *     lochan_parquet_reader *reader = NULL;
 *     struct ArrowArrayStream rows;
 *     lochan_parquet_scan scan = LOCHAN_PARQUET_SCAN_INIT;
 *     scan.where = "price > 10 and day >= '2024-01-01'";
 *     if (lochan_parquet_reader_open("prices.parquet", NULL, &reader, &err) == LOCHAN_OK &&
 *         lochan_parquet_reader_stream(reader, &scan, &rows, &err) == LOCHAN_OK) ...
 *
 * Conventions. Option structs are made with their INIT macro and only ever grow at their end: a
 * caller compiled against an older header works with a newer library. NULL options are the
 * defaults. Outputs are set to NULL or 0 first; an error is a status, with its place (file, byte
 * offset, column) in `err`, which may be NULL. Lists (columns, chunks, problems) come as Arrow
 * streams, whose columns are named here; new columns are added at the end. Text is UTF-8.
 *
 * What is in a file is never trusted: claimed sizes are checked before memory is taken, page
 * checksums are verified wherever the file has them, and damage gives CORRUPT with the place, never
 * a wrong number.
 *
 * Threads. A reader may be used by several threads at a time, a stream and a writer by one at a
 * time. After fork, the child must not touch what the parent opened. Since 0.1.
 */
#ifndef LOCHAN_PARQUET_H
#define LOCHAN_PARQUET_H

#include <lochan/arrow.h>
#include <lochan/error.h>
#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct lochan_parquet_reader lochan_parquet_reader;
typedef struct lochan_parquet_writer lochan_parquet_writer;

/* Numbers of the Parquet format. */
typedef enum lochan_parquet_codec {
    LOCHAN_PARQUET_UNCOMPRESSED = 0,
    LOCHAN_PARQUET_SNAPPY = 1,
    LOCHAN_PARQUET_GZIP = 2,
    LOCHAN_PARQUET_BROTLI = 4,
    LOCHAN_PARQUET_LZ4 = 5, /* deprecated by the format, framing not defined: only read */
    LOCHAN_PARQUET_ZSTD = 6,
    LOCHAN_PARQUET_LZ4_RAW = 7
} lochan_parquet_codec;

/* Numbers of the Parquet format; AUTO lets the writer choose from the data. */
typedef enum lochan_parquet_encoding {
    LOCHAN_PARQUET_ENCODING_AUTO = -1,
    LOCHAN_PARQUET_PLAIN = 0,
    LOCHAN_PARQUET_DELTA_BINARY_PACKED = 5,
    LOCHAN_PARQUET_DELTA_LENGTH_BYTE_ARRAY = 6,
    LOCHAN_PARQUET_DELTA_BYTE_ARRAY = 7,
    LOCHAN_PARQUET_RLE_DICTIONARY = 8,
    LOCHAN_PARQUET_BYTE_STREAM_SPLIT = 9
} lochan_parquet_encoding;

/* "zstd", "snappy", "gzip", "brotli", "lz4", "none" (upper case too) and "auto", "plain",
 * "dictionary", "rle_dictionary", "delta_binary_packed", ... INVALID_ARGUMENT names the known ones.
 */
LOCHAN_API lochan_status lochan_parquet_codec_from_name(const char *name, int32_t *out,
                                                        lochan_error *err) LOCHAN_MUST_CHECK;
LOCHAN_API lochan_status lochan_parquet_encoding_from_name(const char *name, int32_t *out,
                                                           lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- reading ---- */

/* How columns of strings and binaries come out. */
typedef enum lochan_parquet_strings {
    /* As the file's ARROW:schema has them, else 32-bit offsets; with those, a batch with more than
     * 2 GiB of text in a column is an error. */
    LOCHAN_PARQUET_STRINGS_PLAIN = 0,
    LOCHAN_PARQUET_STRINGS_LARGE = 1, /* 64-bit offsets */
    /* Views into the pages and dictionaries as they were unpacked, which a batch keeps alive; texts
     * are copied where rows are picked from pages and where a memory limit is set. */
    LOCHAN_PARQUET_STRINGS_VIEW = 2,
    /* Strings as int32 keys. Batches of one row group share their dictionary; another row group has
     * another. */
    LOCHAN_PARQUET_STRINGS_DICTIONARY = 3
} lochan_parquet_strings;

typedef struct lochan_parquet_read_options {
    uint32_t struct_size;
    int32_t threads;       /* workers that decode columns; 0 = number of processors (none for small
                            * files), 1 = only the caller's thread */
    uint64_t memory_limit; /* bytes for pages under way, 0 = no limit; past it: MEMORY_LIMIT */
    uint64_t max_footer;   /* larger footers are refused with MEMORY_LIMIT, 0 = 256 MiB */
    int32_t strings;       /* lochan_parquet_strings */
    bool no_arrow_schema;  /* takes types from the Parquet schema alone */
    const char *name;      /* what errors call the file, NULL = its path */
    /* Maps the file instead of reading it. Only for files that nobody cuts off: one that shrinks
     * under the mapping gives CORRUPT if that is seen before a row group is begun, and otherwise
     * the system ends the process with SIGBUS. Files that are replaced by renaming, as those of a
     * lake are, never shrink. */
    bool map;
    /* A few bytes of brotli can stand for a page of any size. One that claims more than 4096 times
     * its bytes and more than this is refused with MEMORY_LIMIT; 0 = 16 MiB. */
    uint64_t max_page_bytes;
    uint8_t reserved[16];
} lochan_parquet_read_options;
#define LOCHAN_PARQUET_READ_OPTIONS_INIT                                                           \
    {                                                                                              \
        sizeof(lochan_parquet_read_options), 0, 0, 0, 0, false, NULL, false, 0, {                  \
            0                                                                                      \
        }                                                                                          \
    }

/* Opens a file and reads its footer. NOT_FOUND, IO; CORRUPT if it is no Parquet file or a damaged
 * one; UNSUPPORTED if it is encrypted or its schema has something that Arrow has no form for. */
LOCHAN_API lochan_status lochan_parquet_reader_open(const char *path,
                                                    const lochan_parquet_read_options *options,
                                                    lochan_parquet_reader **out,
                                                    lochan_error *err) LOCHAN_MUST_CHECK;

/* Bytes from anywhere: object storage, an archive, another process. */
typedef struct lochan_parquet_source {
    uint32_t struct_size;
    /* Delivers exactly n bytes at offset, or returns a status and fills code and message of *err.
     * Called from several threads at a time unless options.threads is 1. */
    lochan_status (*read)(void *self, uint64_t offset, size_t n, void *dst, lochan_error *err);
    void (*close)(void *self); /* called once, when the reader and its streams are gone, also if
                                  open fails; may be NULL */
    void *self;
    uint64_t size; /* of the whole file */
    uint8_t reserved[16];
} lochan_parquet_source;
#define LOCHAN_PARQUET_SOURCE_INIT                                                                 \
    {                                                                                              \
        sizeof(lochan_parquet_source), NULL, NULL, NULL, 0, {                                      \
            0                                                                                      \
        }                                                                                          \
    }

LOCHAN_API lochan_status lochan_parquet_reader_open_source(
    const lochan_parquet_source *source, const lochan_parquet_read_options *options,
    lochan_parquet_reader **out, lochan_error *err) LOCHAN_MUST_CHECK;
/* A whole file in memory, which must stay there, unchanged, until the reader and its streams are
 * gone. */
LOCHAN_API lochan_status lochan_parquet_reader_open_memory(
    const void *data, size_t size, const lochan_parquet_read_options *options,
    lochan_parquet_reader **out, lochan_error *err) LOCHAN_MUST_CHECK;
/* NULL is a no-op. Streams made from the reader go on; the file is closed with the last of them. */
LOCHAN_API void lochan_parquet_reader_close(lochan_parquet_reader *reader);

/* Asks the reader's streams to stop soon with CANCELLED. May be called from a signal handler and
 * from any thread. resume clears it; a stream that has returned CANCELLED is at its end. */
LOCHAN_API void lochan_parquet_reader_cancel(lochan_parquet_reader *reader);
LOCHAN_API void lochan_parquet_reader_resume(lochan_parquet_reader *reader);

typedef struct lochan_parquet_info {
    uint32_t struct_size; /* set by the caller: fields past it stay untouched */
    int32_t version;      /* of the format, as the file says: 1 or 2 */
    int64_t rows;
    int32_t row_groups;
    int32_t columns;        /* of the schema's top level */
    int32_t leaf_columns;   /* columns as Parquet counts them */
    int32_t metadata_pairs; /* of key-value metadata */
    uint64_t file_bytes;
    uint64_t footer_bytes;
    const char *created_by; /* borrowed from the reader; "" if missing */
} lochan_parquet_info;
#define LOCHAN_PARQUET_INFO_INIT                                                                   \
    { sizeof(lochan_parquet_info), 0, 0, 0, 0, 0, 0, 0, 0, NULL }

LOCHAN_API lochan_status lochan_parquet_reader_info(const lochan_parquet_reader *reader,
                                                    lochan_parquet_info *out,
                                                    lochan_error *err) LOCHAN_MUST_CHECK;

/* The Arrow schema of the rows: a struct whose children are the columns; field ids are in the
 * metadata key PARQUET:field_id. Where the file's key ARROW:schema goes with its Parquet schema,
 * types are as written (seconds, durations, zones, dictionaries, layouts), with their fields'
 * metadata; the footer's pairs are the schema's. The caller releases *out. */
LOCHAN_API lochan_status lochan_parquet_reader_schema(const lochan_parquet_reader *reader,
                                                      struct ArrowSchema *out,
                                                      lochan_error *err) LOCHAN_MUST_CHECK;

/* Key-value metadata of the footer, borrowed from the reader: the value of a key, NULL if it is not
 * there; the i-th pair, false past the last. */
LOCHAN_API const char *lochan_parquet_reader_metadata(const lochan_parquet_reader *reader,
                                                      const char *key);
LOCHAN_API bool lochan_parquet_reader_metadata_at(const lochan_parquet_reader *reader, size_t i,
                                                  const char **key, const char **value);

/* One row a row group: row_group, first_row, rows, compressed_bytes, uncompressed_bytes, offset (of
 * its first page), sorting
 * ("a, b desc nulls first", null if none is recorded). */
LOCHAN_API lochan_status lochan_parquet_reader_row_groups(const lochan_parquet_reader *reader,
                                                          struct ArrowArrayStream *out,
                                                          lochan_error *err) LOCHAN_MUST_CHECK;
/* One row a leaf column, over the whole file: column (dotted path), type (of its values in Arrow),
 * physical, logical, repetition (required, optional, repeated), field_id, max_definition,
 * max_repetition, codecs, encodings (each a list in text, "RLE_DICTIONARY, PLAIN"), values (nulls
 * included), nulls, min, max (as text), compressed_bytes, uncompressed_bytes. What is not known is
 * null. */
LOCHAN_API lochan_status lochan_parquet_reader_columns(const lochan_parquet_reader *reader,
                                                       struct ArrowArrayStream *out,
                                                       lochan_error *err) LOCHAN_MUST_CHECK;
/* One row a column chunk (a leaf column in a row group): row_group, column, codec, encodings,
 * values, nulls, nans, distinct, min, max, min_exact, max_exact (false: a cut text),
 * compressed_bytes, uncompressed_bytes, offset (of its first page), dictionary (has a dictionary
 * page), column_index, offset_index, bloom_filter (whether it has them). Bounds that the file has
 * but that cannot be trusted are left out. */
LOCHAN_API lochan_status lochan_parquet_reader_chunks(const lochan_parquet_reader *reader,
                                                      struct ArrowArrayStream *out,
                                                      lochan_error *err) LOCHAN_MUST_CHECK;

/* Rows from..to-1 of the file. */
typedef struct lochan_parquet_rows {
    int64_t from, to;
} lochan_parquet_rows;

typedef struct lochan_parquet_scan {
    uint32_t struct_size;
    bool no_columns; /* rows without any column: only to be counted */
    /* In the order wanted; NULL = all. Also fields of nested columns: "a.b" of a struct or of the
     * structs in a list ("a.element.b" and, as Parquet spells it, "a.list.element.b" do too),
     * "a.value" of a map, whose keys always come along. Fields of one column come as one column, in
     * the order of the file. A column whose own name has dots goes before a field. */
    const char *const *columns;
    size_t n_columns;
    /* Rows to keep, see docs/scan.md; its columns need not be among `columns`. It may name fields
     * of structs ("a.b", null where a is). NULL = all */
    const char *where;
    const int32_t *row_groups; /* ascending; NULL = all */
    size_t n_row_groups;
    int64_t batch_rows; /* at most this many rows a batch, 0 = 131,072 */
    int64_t limit;      /* rows, -1 = all */
    /* Ascending and apart; NULL = all. Where the file has an offset index, only the pages that hold
     * them are read. */
    const lochan_parquet_rows *rows;
    size_t n_rows;
    uint8_t reserved[16];
} lochan_parquet_scan;
#define LOCHAN_PARQUET_SCAN_INIT                                                                   \
    {                                                                                              \
        sizeof(lochan_parquet_scan), false, NULL, 0, NULL, NULL, 0, 0, -1, NULL, 0, {              \
            0                                                                                      \
        }                                                                                          \
    }

/* Rows in the order of the file. What the statistics exclude is not read; of what is read, the
 * predicate's columns are decoded first and the others only where rows are left. Everything in
 * `scan` is copied. The stream keeps the file open; the caller releases it, before or after the
 * reader. NOT_FOUND for an unknown column (with the nearest name), INVALID_ARGUMENT for a wrong
 * predicate (with its position in line_column). */
LOCHAN_API lochan_status lochan_parquet_reader_stream(lochan_parquet_reader *reader,
                                                      const lochan_parquet_scan *scan,
                                                      struct ArrowArrayStream *out,
                                                      lochan_error *err) LOCHAN_MUST_CHECK;

/* What has been done so far, over all streams of the reader. */
typedef struct lochan_parquet_counters {
    uint32_t struct_size; /* set by the caller */
    uint64_t bytes_read;  /* from the file, footer included */
    uint64_t pages_decoded;
    uint64_t row_groups_read;
    uint64_t row_groups_pruned; /* excluded by statistics, filters, indexes or dictionaries */
} lochan_parquet_counters;
#define LOCHAN_PARQUET_COUNTERS_INIT                                                               \
    { sizeof(lochan_parquet_counters), 0, 0, 0, 0 }

LOCHAN_API lochan_status lochan_parquet_reader_counters(const lochan_parquet_reader *reader,
                                                        lochan_parquet_counters *out,
                                                        lochan_error *err) LOCHAN_MUST_CHECK;

typedef struct lochan_parquet_verify_report {
    uint32_t struct_size;      /* set by the caller */
    int64_t rows;              /* of the file */
    int64_t chunks;            /* column chunks read to their end without a problem */
    int64_t pages;             /* of data and dictionaries that were looked at */
    int64_t pages_without_crc; /* data and dictionary pages that carry no checksum: damage there may
                                  go unseen */
    int64_t bytes_read;
    int64_t problems;
} lochan_parquet_verify_report;
#define LOCHAN_PARQUET_VERIFY_REPORT_INIT                                                          \
    { sizeof(lochan_parquet_verify_report), 0, 0, 0, 0, 0, 0 }

/* Reads everything: each leaf column of each row group is decoded on its own, so that all damaged
 * ones are found, its text checked for UTF-8 and its values compared with the statistics, the page
 * index (places, first rows, bounds, counts) and the Bloom filter. Problems are data, not an error:
 * `problems` (may be NULL) gets kind (footer, page, value, statistics, index, bloom, read,
 * unsupported), row_group, column, offset (byte in the file), detail; what does not apply is null.
 * The status is an error only if the check itself could not be done (no such file, no memory,
 * cancelled). */
LOCHAN_API lochan_status lochan_parquet_verify(const char *path,
                                               const lochan_parquet_read_options *options,
                                               lochan_parquet_verify_report *report,
                                               struct ArrowArrayStream *problems,
                                               lochan_error *err) LOCHAN_MUST_CHECK;
LOCHAN_API lochan_status lochan_parquet_reader_verify(lochan_parquet_reader *reader,
                                                      lochan_parquet_verify_report *report,
                                                      struct ArrowArrayStream *problems,
                                                      lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- writing ---- */

typedef struct lochan_parquet_column_encoding {
    const char *column; /* dotted path of a leaf: "price", "tags.list.element" */
    int32_t encoding;   /* lochan_parquet_encoding */
} lochan_parquet_column_encoding;

typedef struct lochan_parquet_pair {
    const char *key;
    const char *value;
} lochan_parquet_pair;

typedef struct lochan_parquet_sorting {
    const char *column; /* top-level column that is not nested */
    bool descending;
    bool nulls_first;
} lochan_parquet_sorting;

typedef struct lochan_parquet_write_options {
    uint32_t struct_size;
    int32_t threads; /* workers that encode columns; 0 = number of processors, 1 = only the caller's
                        thread */
    uint64_t memory_limit;        /* bytes, 0 = no limit; past it: MEMORY_LIMIT */
    int32_t codec;                /* lochan_parquet_codec */
    int32_t level;                /* of zstd, gzip, brotli; 0 = the codec's default */
    int64_t row_group_rows;       /* a row group is ended at so many rows, 0 = 131,072 */
    int64_t row_group_bytes;      /* or so many encoded bytes, 0 = 64 MiB */
    int32_t page_bytes;           /* before compression, 0 = 1 MiB */
    int32_t page_rows;            /* 0 = 20,000 */
    int32_t max_statistics_bytes; /* longest text bound, cut at a character, 0 = 64 */
    bool no_dictionary;
    bool no_statistics;
    bool no_crc;
    bool overwrite;     /* of a file that is there; else EXISTS */
    bool no_page_index; /* leaves out what lets readers skip pages */
    bool page_v2;       /* data pages of version 2 */
    bool no_sync;       /* leaves it to the system when the file becomes durable */
    const lochan_parquet_column_encoding *encodings; /* columns that are not named: AUTO */
    size_t n_encodings;
    const lochan_parquet_pair *metadata; /* of the footer */
    size_t n_metadata;
    /* Recorded for readers; that rows are so sorted is the caller's promise. */
    const lochan_parquet_sorting *sorting;
    size_t n_sorting;
    const char *created_by;           /* NULL = lochan and its version */
    const char *const *bloom_filters; /* dotted paths of columns that get a Bloom filter */
    size_t n_bloom_filters;
    bool no_arrow_schema; /* leaves out the schema's own metadata and the key ARROW:schema, from
                             which Arrow libraries know types that Parquet has not: durations,
                             dictionaries, zones, layouts */
    uint8_t reserved[47];
} lochan_parquet_write_options;
#define LOCHAN_PARQUET_WRITE_OPTIONS_INIT                                                          \
    {                                                                                              \
        sizeof(lochan_parquet_write_options), 0, 0, LOCHAN_PARQUET_ZSTD, 0, 0, 0, 0, 0, 0, false,  \
            false, false, false, false, false, false, NULL, 0, NULL, 0, NULL, 0, NULL, NULL, 0,    \
            false, {                                                                               \
            0                                                                                      \
        }                                                                                          \
    }

/* Opens a file for writing, under a temporary name beside it: `path` appears only with close, whole
 * and durable. schema: a struct whose children are the columns; copied. UNSUPPORTED names a column
 * whose type Parquet has no form for. The same rows and options give the same bytes, whatever the
 * number of threads. */
LOCHAN_API lochan_status lochan_parquet_writer_open(const char *path,
                                                    const struct ArrowSchema *schema,
                                                    const lochan_parquet_write_options *options,
                                                    lochan_parquet_writer **out,
                                                    lochan_error *err) LOCHAN_MUST_CHECK;

/* Bytes to anywhere, in order. A status other than OK, with code and message of *err filled, ends
 * the writing. */
typedef struct lochan_parquet_sink {
    uint32_t struct_size;
    lochan_status (*write)(void *self, const void *data, size_t n, lochan_error *err);
    void *self;
    const char *name; /* for errors; copied; NULL = none */
    uint8_t reserved[16];
} lochan_parquet_sink;
#define LOCHAN_PARQUET_SINK_INIT                                                                   \
    {                                                                                              \
        sizeof(lochan_parquet_sink), NULL, NULL, NULL, {                                           \
            0                                                                                      \
        }                                                                                          \
    }

LOCHAN_API lochan_status
lochan_parquet_writer_open_sink(const lochan_parquet_sink *sink, const struct ArrowSchema *schema,
                                const lochan_parquet_write_options *options,
                                lochan_parquet_writer **out, lochan_error *err) LOCHAN_MUST_CHECK;

/* Adds the rows of a struct array of the writer's schema, which is borrowed and checked: lengths,
 * offsets, keys, text. DATA or VALUE with column and row. After a failure only free is left. */
LOCHAN_API lochan_status lochan_parquet_writer_write_batch(lochan_parquet_writer *writer,
                                                           const struct ArrowArray *batch,
                                                           lochan_error *err) LOCHAN_MUST_CHECK;
/* Ends the row group under way, if it has rows. */
LOCHAN_API lochan_status lochan_parquet_writer_end_row_group(lochan_parquet_writer *writer,
                                                             lochan_error *err) LOCHAN_MUST_CHECK;
/* Copies a row group of another file as bytes, undecoded: each page's checksum is verified, offsets
 * and indexes are rewritten. Columns are matched by field id, without ids by path. Possible if each
 * column of the file is one of the writer's, of the same type and nullability, and the others are
 * nullable: those become null. can_copy says whether; otherwise, and where a page has no checksum,
 * copy_row_group is UNSUPPORTED and tells why. */
LOCHAN_API bool lochan_parquet_writer_can_copy(const lochan_parquet_writer *writer,
                                               const lochan_parquet_reader *reader);
LOCHAN_API lochan_status lochan_parquet_writer_copy_row_group(lochan_parquet_writer *writer,
                                                              lochan_parquet_reader *reader,
                                                              int32_t row_group,
                                                              lochan_error *err) LOCHAN_MUST_CHECK;
/* Adds or replaces a pair of the footer. */
LOCHAN_API lochan_status lochan_parquet_writer_set_metadata(lochan_parquet_writer *writer,
                                                            const char *key, const char *value,
                                                            lochan_error *err) LOCHAN_MUST_CHECK;
/* Rows and encoded bytes so far. */
LOCHAN_API int64_t lochan_parquet_writer_rows(const lochan_parquet_writer *writer);
LOCHAN_API uint64_t lochan_parquet_writer_bytes(const lochan_parquet_writer *writer);
/* As for readers. A writer that was cancelled can only be freed. */
LOCHAN_API void lochan_parquet_writer_cancel(lochan_parquet_writer *writer);
/* Writes the footer and gives the file its name. The writer stays to be freed. */
LOCHAN_API lochan_status lochan_parquet_writer_close(lochan_parquet_writer *writer,
                                                     lochan_error *err) LOCHAN_MUST_CHECK;
/* NULL is a no-op. Without close, nothing is left of the file. */
LOCHAN_API void lochan_parquet_writer_free(lochan_parquet_writer *writer);

/* All rows of a stream to one file: open, write, close. The caller releases the stream. rows may be
 * NULL. */
LOCHAN_API lochan_status lochan_parquet_write(struct ArrowArrayStream *stream, const char *path,
                                              const lochan_parquet_write_options *options,
                                              int64_t *rows, lochan_error *err) LOCHAN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
