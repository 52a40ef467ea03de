/* plan.h - the columns of a scan in two parts: those of the predicate, read first, and the others
 * asked for. Invariant: a column is in both parts only if the second has fields of it that the
 * first does not show. May call: base/, arrow/, projection.h.
 */
#ifndef LOCHAN_PARQUET_PLAN_H
#define LOCHAN_PARQUET_PLAN_H

#include "parquet/projection.h"

typedef struct lochan_pq_read_plan {
    lochan_pq_projection first, rest; /* without a predicate all are in `rest` */
    int *order; /* position of each column that comes out, in `first`, then `rest` */
    size_t n_out;
} lochan_pq_read_plan;

/* *out: the schema of what comes out; the caller releases it, also on failure. */
lochan_status lochan_pq_read_plan__make(lochan_pq_read_plan *plan, const lochan_pq_schema *schema,
                                        const lochan_pq_scan *scan, struct ArrowSchema *out,
                                        lochan_error *err);
void lochan_pq_read_plan__deinit(lochan_pq_read_plan *plan); /* a zeroed one is fine */

#endif
