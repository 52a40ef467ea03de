/* column.h - reading one leaf of one row group, rows at a time, into its Arrow buffers.
 * Invariants: holds one decompressed page and the dictionary at a time, or neither while it is
 * suspended; rows come in order. One thread at a time. May call: base/, arrow/, pages.h, places.h,
 * out.h, dictionary.h, encodings.h.
 */
#ifndef LOCHAN_PARQUET_COLUMN_H
#define LOCHAN_PARQUET_COLUMN_H

#include "parquet/dictionary.h"
#include "parquet/levels.h"
#include "parquet/places.h"

enum { LOCHAN_PQ_LEVEL_WINDOW = 4096 };

typedef struct lochan_pq_column {
    lochan_pq_pages pages;
    const lochan_pq_leaf *leaf;
    const lochan_pq_column_chunk *chunk;
    int64_t row, rows; /* next to be read, of the row group */
    lochan_pq_places places;
    bool keep_levels; /* nested: levels of the batch are kept in defs and reps */
    bool as_keys;     /* output are keys into a dictionary */
    bool share;       /* views show pages and dictionaries instead of copies */
    bool few;         /* single rows are being picked: not worth a whole page */
    lochan_pq_dictionary dictionary;
    lochan_pq_page dictionary_page; /* `end` is 0: not met yet */
    lochan_pq_out out;
    lochan_pq_vec defs, reps; /* one byte an entry of the batch */
    /* the page at hand */
    lochan_pq_page page;
    uint32_t page_left;        /* entries not read (into the window, if levels are kept) */
    uint32_t page_values;      /* values read or passed over */
    lochan_buffer *page_bytes; /* the page, once views show it */
    bool suspended;            /* the page is to be loaded again */
    bool page_has_keys;
    bool no_direct; /* pages that looked like plain values without nulls were not */
    lochan_rle keys;
    lochan_pq_values values;
    lochan_pq_levels def, rep;
    /* levels read ahead of the rows wanted */
    uint8_t *window; /* defs, then reps */
    uint32_t window_at, window_n;
    lochan_pq_scratch scratch;    /* physical values before conversion, slices */
    lochan_pq_scratch made, last; /* of decoders that put values together */
    lochan_pq_vec extra;          /* as_keys: texts of pages without keys, as slices' bytes */
    lochan_pq_vec extra_ends;
    int64_t asked; /* rows of the read under way */
    size_t held;   /* what the group of columns has counted for this one */
} lochan_pq_column;

lochan_status lochan_pq_column__open(lochan_pq_column *c, lochan_pq_file *file,
                                     const lochan_pq_leaf *leaf,
                                     const lochan_pq_column_chunk *chunk, int row_group,
                                     int64_t rows, bool as_keys, size_t window, lochan_error *err);
void lochan_pq_column__close(lochan_pq_column *c); /* a zeroed one is fine */
/* Adds the next `rows` rows to c->out (and the levels, if kept). */
lochan_status lochan_pq_column__read(lochan_pq_column *c, int64_t rows, lochan_error *err);
/* Passes over rows. Whole pages are not decompressed, nor read where there is an offset index;
 * without one, pages of lists are, unless they are of version 2. */
lochan_status lochan_pq_column__skip(lochan_pq_column *c, int64_t rows, lochan_error *err);
/* As read, but of the next `rows` rows only those whose bit is set, `kept` of them. */
lochan_status lochan_pq_column__read_selected(lochan_pq_column *c, const uint8_t *bits,
                                              int64_t rows, int64_t kept, lochan_error *err);
/* Loads the dictionary of a chunk that has one and of which nothing has been read; *found = false:
 * it does not begin with a dictionary page. */
lochan_status lochan_pq_column__load_dictionary(lochan_pq_column *c, bool *found,
                                                lochan_error *err);
/* Bytes of pages and dictionary that are kept between two reads. */
size_t lochan_pq_column__held(const lochan_pq_column *c);
/* Gives them up: whatever is needed again is read and decompressed again. */
void lochan_pq_column__suspend(lochan_pq_column *c);
/* Bytes of the batch read so far. */
size_t lochan_pq_column__batch_bytes(const lochan_pq_column *c);
/* Empties out and levels for the next batch. */
void lochan_pq_column__clear(lochan_pq_column *c);

#endif
