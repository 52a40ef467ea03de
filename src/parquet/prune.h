/* prune.h - which rows of a row group a predicate can match, by the page index.
 * Invariant: a range left out holds no row that the predicate keeps; without an index everything
 * stays. May call: base/, arrow/, the rest of parquet/.
 */
#ifndef LOCHAN_PARQUET_PRUNE_H
#define LOCHAN_PARQUET_PRUNE_H

#include "parquet/reader_own.h"

/* *ranges (of rows of the row group; lochan_mem__free it) ascending and apart; *ranges = NULL:
 * there is nothing to prune by. */
lochan_status lochan_pq_prune(lochan_pq_reader *reader, int row_group, const lochan_expr *predicate,
                              lochan_pq_range **ranges, size_t *n, lochan_error *err);
/* Whether the row group may match, by dictionaries that hold all values of a chunk. `g`: the
 * predicate's columns, of which nothing has been read but dictionaries; `schema`: theirs. */
lochan_status lochan_pq_prune__dictionaries(lochan_pq_group_read *g,
                                            const struct ArrowSchema *schema,
                                            const lochan_expr *predicate, bool *may,
                                            lochan_error *err);

#endif
