/* shred.h - rows of an Arrow array cut into the entries of one leaf: levels and positions of
 * values. Invariant: entries come in row order; positions are logical rows of the leaf's array (its
 * offset not applied). May call: base/, arrow/, schema.h.
 */
#ifndef LOCHAN_PARQUET_SHRED_H
#define LOCHAN_PARQUET_SHRED_H

#include "parquet/out.h"
#include "parquet/schema.h"

typedef struct lochan_pq_shred {
    const struct ArrowArray *array; /* of the leaf */
    const struct ArrowSchema *schema;
    size_t n_entries, n_values;
    const uint8_t *defs, *reps; /* NULL: all max_def / all 0 */
    const int64_t *positions;   /* of the values; NULL: first, first + 1, ... */
    int64_t first;
    /* memory, reused */
    lochan_pq_vec def_mem, rep_mem, pos_mem, spare[3];
} lochan_pq_shred;

void lochan_pq_shred__free(lochan_pq_shred *s);
/* Rows [first, first + n) of a top-level column. `row0` is the number of `first` in the file, for
 * errors. */
lochan_status lochan_pq_shred__rows(lochan_pq_shred *s, const lochan_pq_schema *schema,
                                    const lochan_pq_leaf *leaf, const struct ArrowArray *column,
                                    int64_t first, int64_t n, int64_t row0, lochan_error *err);

#endif
