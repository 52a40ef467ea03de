/* pages.h - the pages of one column chunk, one after the other: header, checksum, decompression,
 * split into parts. Invariants: every size is checked against the bytes of the chunk and the
 * codec's largest ratio before memory is taken; the parts of a page lie inside what was
 * decompressed and are followed by LOCHAN_PQ_PAD readable bytes. May call: base/, file.h,
 * metadata.h, schema.h.
 */
#ifndef LOCHAN_PARQUET_PAGES_H
#define LOCHAN_PARQUET_PAGES_H

#include "parquet/file.h"
#include "parquet/schema.h"

typedef struct lochan_pq_page {
    uint64_t offset; /* of its header in the file */
    uint64_t end;    /* of its bytes */
    lochan_pq_page_header header;
    int32_t encoding;
    uint32_t num_values; /* entries, nulls included; of a dictionary: its entries */
    /* filled by load */
    const uint8_t *rep, *def, *values;
    size_t rep_size, def_size, values_size;
    bool rep_packed, def_packed; /* the deprecated BIT_PACKED level encoding */
} lochan_pq_page;

typedef struct lochan_pq_pages {
    lochan_pq_file *file;
    const lochan_pq_leaf *leaf;
    const lochan_pq_column_meta *meta;
    int row_group;
    uint64_t pos, end;   /* next page header, end of the chunk */
    int64_t values_left; /* entries that data pages still owe */
    bool jumped;         /* pages were passed over unseen: of lists, that is a bound only */
    lochan_pq_page_location landing; /* the page jumped to, as the offset index describes it */
    int64_t landing_rows;            /* of it; -1: there is no such page */
    lochan_pq_scratch window;        /* bytes [window_start, +window_size) of the file */
    uint64_t window_start;
    size_t window_size;
    size_t window_target;   /* how much to read ahead */
    bool own_body;          /* pages lie in `body` even if they are not compressed */
    lochan_pq_scratch body; /* decompressed */
} lochan_pq_pages;

/* How far chunks may pass their sizes where sizes are known to be wrong. */
enum { LOCHAN_PQ_SHORT_BY = 100 };
/* window: bytes to read at a time (at least a page is read). */
lochan_status lochan_pq_pages__init(lochan_pq_pages *pages, lochan_pq_file *file,
                                    const lochan_pq_leaf *leaf, const lochan_pq_column_chunk *chunk,
                                    int row_group, size_t window, lochan_error *err);
void lochan_pq_pages__deinit(lochan_pq_pages *pages);

/* Reads the header of the next data or dictionary page; *more = false after the last value of the
 * chunk. Unless load is called, the page is passed over undecoded. */
lochan_status lochan_pq_pages__next(lochan_pq_pages *pages, lochan_pq_page *page, bool *more,
                                    lochan_error *err);
/* Goes to a later page, whose `rows` rows begin at place->first_row; next checks that it is the one
 * described. */
void lochan_pq_pages__jump(lochan_pq_pages *pages, const lochan_pq_page_location *place,
                           int64_t rows);
/* Goes to the end: nothing of the chunk is needed any more. */
void lochan_pq_pages__finish(lochan_pq_pages *pages);
/* Verifies and decompresses the page and fills its parts, valid until the next load. Any page whose
 * header next has read may be loaded, also again. */
lochan_status lochan_pq_pages__load(lochan_pq_pages *pages, lochan_pq_page *page,
                                    lochan_error *err);

/* Decompresses a page without repetition levels whose entries are all valid, `bytes` bytes of PLAIN
 * values, straight to dst; the LOCHAN_PQ_LEVELS bytes before dst must be writable and stay as they
 * are. *done = false: it is no such page, and is to be loaded; *odd: it only looked like one. */
enum { LOCHAN_PQ_LEVELS = 16 };
lochan_status lochan_pq_pages__load_values(lochan_pq_pages *pages, const lochan_pq_page *page,
                                           uint8_t *dst, size_t bytes, bool *done, bool *odd,
                                           lochan_error *err);

/* Verifies the checksum of the page at hand and shows its bytes with the header, valid until the
 * next call. UNSUPPORTED if it has none. */
lochan_status lochan_pq_pages__raw(lochan_pq_pages *pages, const lochan_pq_page *page,
                                   const uint8_t **bytes, size_t *n, lochan_error *err);

/* Sets CORRUPT (or code) with file, offset, column and row group. */
lochan_status lochan_pq_pages__fail(const lochan_pq_pages *pages, const lochan_pq_page *page,
                                    lochan_status code, lochan_error *err, const char *fmt, ...)
    LOCHAN_PRINTF(5, 6);

#endif
