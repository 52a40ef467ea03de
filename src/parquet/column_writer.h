/* column_writer.h - one leaf of the row group under way: values gathered, pages encoded and
 * compressed, statistics. Invariants: what is cut into pages depends on the values only, not on the
 * batches they came in; a dictionary is kept while it makes the column smaller. One thread at a
 * time. May call: base/, arrow/, the rest of parquet/.
 */
#ifndef LOCHAN_PARQUET_COLUMN_WRITER_H
#define LOCHAN_PARQUET_COLUMN_WRITER_H

#include "parquet/bloom.h"
#include "parquet/codec.h"
#include "parquet/dict_builder.h"
#include "parquet/page_index.h"
#include "parquet/shred.h"
#include "parquet/statistics.h"
#include "parquet/writer.h"

/* Values are added, pages cut and choices made at multiples of this many rows of a flat chunk. */
enum { LOCHAN_PQ_WRITE_BLOCK = 1024, LOCHAN_PQ_MAX_USED = 8 };

typedef struct lochan_pq_column_writer {
    const lochan_pq_schema *schema;
    const lochan_pq_leaf *leaf;
    const lochan_pq_write_options *options; /* all defaults filled in */
    lochan_pq_codec_cache *codecs;
    lochan_budget *budget;
    size_t budgeted; /* bytes taken */
    int64_t cost;    /* nanoseconds of the last append */
    bool done;       /* finished, to be written (under the writer's lock) */
    lochan_pq_shred shred;
    /* entries not yet in a page */
    size_t n_entries, n_rows, n_values;
    lochan_pq_vec defs, reps; /* one byte each, only if the leaf has such levels */
    lochan_pq_vec values; /* no dictionary: fixed values, PLAIN byte arrays, booleans of one byte */
    lochan_pq_vec keys;   /* dictionary: uint32 */
    /* how values are encoded */
    int32_t forced; /* by the options; -1: chosen from the data */
    bool use_dictionary;
    bool decided;     /* what follows stands until the next trial */
    int32_t encoding; /* without a dictionary */
    int level;        /* of the codec, for pages of that encoding */
    int groups_since_choice;
    lochan_pq_vec sample; /* values on trial */
    size_t checked_plain,
        checked_dictionary; /* sizes at the last look whether the dictionary pays */
    size_t plain_size;      /* of all values that went into the dictionary */
    lochan_pq_dict_builder dictionary;
    /* encoded */
    lochan_buf levels, raw, packed; /* scratch of one page */
    lochan_buf dictionary_page, pages;
    int32_t key_pages;
    struct {
        int32_t encoding, pages;
    } used[LOCHAN_PQ_MAX_USED]; /* of pages without keys */
    int n_used;
    lochan_pq_page_index index;
    int64_t total_entries, total_rows, uncompressed_size, text_bytes;
    int64_t def_histogram[2 * LOCHAN_PQ_MAX_DEPTH + 2], rep_histogram[LOCHAN_PQ_MAX_DEPTH + 2];
    lochan_pq_stats page_stats, stats;
    lochan_pq_scratch block; /* physical values of one block */
    lochan_pq_vec seen;      /* bits: keys met in a page */
    bool has_bloom;
    lochan_pq_vec hashes; /* for the Bloom filter: of values, those of the dictionary last */
    lochan_buf bloom;     /* of the finished chunk */
} lochan_pq_column_writer;

lochan_status lochan_pq_column_writer__init(lochan_pq_column_writer *w,
                                            const lochan_pq_schema *schema,
                                            const lochan_pq_leaf *leaf,
                                            const lochan_pq_write_options *options,
                                            lochan_pq_codec_cache *codecs, lochan_budget *budget,
                                            lochan_error *err);
void lochan_pq_column_writer__deinit(lochan_pq_column_writer *w);
/* Rows [first, first + n) of the top-level column the leaf belongs to; row0: number of `first` in
 * the file. */
lochan_status lochan_pq_column_writer__append(lochan_pq_column_writer *w,
                                              const struct ArrowArray *column, int64_t first,
                                              int64_t n, int64_t row0, lochan_error *err);
/* Adds n rows in which the leaf's top-level column is null. */
lochan_status lochan_pq_column_writer__append_nulls(lochan_pq_column_writer *w, int64_t n,
                                                    lochan_error *err);
/* Encodes what is left and the dictionary page. */
lochan_status lochan_pq_column_writer__finish(lochan_pq_column_writer *w, lochan_error *err);
/* Describes the finished chunk that starts at `offset` in the file. Memory from the arena. */
lochan_status lochan_pq_column_writer__describe(const lochan_pq_column_writer *w, int64_t offset,
                                                lochan_arena *arena, lochan_pq_column_chunk *out,
                                                lochan_error *err);
/* Ready for the next row group. */
void lochan_pq_column_writer__clear(lochan_pq_column_writer *w);
/* Encoded and waiting bytes, roughly. */
size_t lochan_pq_column_writer__bytes(const lochan_pq_column_writer *w);

/* choose.c: cuts full pages (last: all) and decides how they are encoded. */
lochan_status lochan_pq_column_writer__flush(lochan_pq_column_writer *w, bool last,
                                             lochan_error *err);
/* The encoding the options ask for, -1 if none. */
int32_t lochan_pq_write_options__encoding(const lochan_pq_write_options *o, const char *path);

/* page_writer.c: encodes the first `entries` waiting entries as one data page / the dictionary as
 * its page. */
lochan_status lochan_pq_column_writer__data_page(lochan_pq_column_writer *w, size_t entries,
                                                 lochan_error *err);
lochan_status lochan_pq_column_writer__dictionary_page(lochan_pq_column_writer *w,
                                                       lochan_error *err);

#endif
