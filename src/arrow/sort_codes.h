/* sort_codes.h - turning one sort column into unsigned integers that order as its values do.
 * Invariant: a smaller code never belongs to a greater row; if `exact`, equal codes mean equal
 * values. May call: base/, cells.h.
 */
#ifndef LOCHAN_ARROW_SORT_CODES_H
#define LOCHAN_ARROW_SORT_CODES_H

#include "arrow/cells.h"
#include "arrow/kernels.h"

typedef struct lochan_sort_codes {
    uint64_t *codes; /* one a row, the caller's memory */
    int bits;        /* codes are below 2^bits */
    bool exact;
} lochan_sort_codes;

lochan_status lochan_sort_codes__make(lochan_sort_codes *out, const lochan_cells *c, int64_t rows,
                                      const lochan_sort_key *key, lochan_error *err);

/* What the merge sort moves: a code and the row it belongs to. */
typedef struct lochan_sort_item {
    uint64_t code;
    int64_t row;
} lochan_sort_item;

/* Decides between rows of equal code; NULL: they keep their order. */
typedef int (*lochan_sort_tie)(const void *ctx, int64_t a, int64_t b);
/* Stable; `spare` has room for n items. */
void lochan_sort_items__merge(lochan_sort_item *items, lochan_sort_item *spare, int64_t n,
                              lochan_sort_tie tie, const void *ctx);

#endif
