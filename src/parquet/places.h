/* places.h - where the pages of a chunk lie, by its offset index, so that pages can be left out
 * unread. Invariants: places ascend in bytes and rows, do not overlap and lie inside the chunk; the
 * first one holds row 0. May call: base/, pages.h.
 */
#ifndef LOCHAN_PARQUET_PLACES_H
#define LOCHAN_PARQUET_PLACES_H

#include "parquet/pages.h"

typedef struct lochan_pq_places {
    bool asked; /* the index has been looked for */
    lochan_pq_page_location *items;
    uint32_t n; /* 0: there is none worth using */
} lochan_pq_places;

/* rows: of the row group. A damaged index is passed over: it could only have saved work. */
lochan_status lochan_pq_places__load(lochan_pq_places *p, const lochan_pq_pages *pages,
                                     const lochan_pq_column_chunk *chunk, int64_t rows,
                                     lochan_error *err);
void lochan_pq_places__free(lochan_pq_places *p);

#endif
