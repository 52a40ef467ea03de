/* prune.h - which rows of a row group a predicate can match, by the page index.
 * Invariant: a range left out holds no row that the predicate keeps; without an index everything
 * stays. May call: base/, arrow/, the rest of parquet/.
 */
#ifndef LOCHAN_PARQUET_PRUNE_H
#define LOCHAN_PARQUET_PRUNE_H

#include "parquet/reader_own.h"

typedef struct lochan_pq_range {
    int64_t begin, end; /* rows of the row group */
} lochan_pq_range;

/* *ranges (lochan_mem__free it) ascending and apart; *ranges = NULL: there is nothing to prune by.
 */
lochan_status lochan_pq_prune(lochan_pq_reader *reader, int row_group, const lochan_expr *predicate,
                              lochan_pq_range **ranges, size_t *n, lochan_error *err);

#endif
