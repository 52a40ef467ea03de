/* verify_own.h - what api_verify.c asks of one leaf of one row group. Private to verify. May call:
 * reader_own.h.
 */
#ifndef LOCHAN_PARQUET_VERIFY_OWN_H
#define LOCHAN_PARQUET_VERIFY_OWN_H

#include "parquet/reader_own.h"

/* Findings, at most one of each kind; code OK: none. */
typedef struct lochan_pq_leaf_check {
    lochan_error damage;     /* a page cannot be read */
    lochan_error statistics; /* those of the chunk do not hold */
    lochan_error index;      /* nor do the page index's places, bounds or counts */
    lochan_error bloom;      /* the Bloom filter denies a value that is there */
    int64_t rows, pages, without_crc;
} lochan_pq_leaf_check;

/* Failures that say nothing about the file. */
static inline bool lochan_pq_verify__is_ours(lochan_status rc) {
    return rc == LOCHAN_ERR_NO_MEMORY || rc == LOCHAN_ERR_MEMORY_LIMIT ||
           rc == LOCHAN_ERR_CANCELLED || rc == LOCHAN_ERR_INTERNAL;
}

/* Reads the leaf's pages and compares what they hold with all that the file says of them. */
lochan_status lochan_pq_verify__leaf(lochan_pq_reader *reader, int row_group, int leaf,
                                     lochan_pq_leaf_check *out, lochan_error *err);

#endif
