/* page_index.h - where the pages of a chunk are and what they hold: gathered while writing,
 * serialised before the footer. Invariant: bounds of a page may be wider than its values, never
 * narrower. May call: base/, metadata.h, statistics.h.
 */
#ifndef LOCHAN_PARQUET_PAGE_INDEX_H
#define LOCHAN_PARQUET_PAGE_INDEX_H

#include "parquet/statistics.h"

typedef struct lochan_pq_page_entry {
    size_t offset; /* from the first data page */
    int32_t size;  /* with its header */
    int64_t first_row;
    int64_t values, nulls, nans, text_bytes;
    bool has; /* bounds */
    uint32_t min_at, min_n, max_at, max_n;
} lochan_pq_page_entry;

typedef struct lochan_pq_page_index {
    lochan_pq_page_entry *entries;
    size_t n, cap;
    lochan_buf bounds;
} lochan_pq_page_index;

void lochan_pq_page_index__init(lochan_pq_page_index *x);
void lochan_pq_page_index__deinit(lochan_pq_page_index *x);
void lochan_pq_page_index__clear(lochan_pq_page_index *x);
/* Adds a page; its bounds are those of `stats` (NULL: none), text cut to max_bytes. */
lochan_status lochan_pq_page_index__add(lochan_pq_page_index *x, lochan_pq_page_entry entry,
                                        const lochan_pq_stats *stats, int32_t max_bytes,
                                        lochan_error *err);
/* Serialised forms of the chunk whose first data page lies at `offset`. columns stays empty where a
 * page has no bounds. */
lochan_status lochan_pq_page_index__finish(const lochan_pq_page_index *x,
                                           const lochan_pq_leaf *leaf, int64_t offset,
                                           lochan_buf *columns, lochan_buf *offsets,
                                           lochan_error *err);

#endif
