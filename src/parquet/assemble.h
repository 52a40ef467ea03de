/* assemble.h - the columns of a batch put together into Arrow arrays: lists, structs and maps from
 * levels. Invariant: children's lengths agree, or the file is refused as damaged. May call: base/,
 * arrow/, column.h.
 */
#ifndef LOCHAN_PARQUET_ASSEMBLE_H
#define LOCHAN_PARQUET_ASSEMBLE_H

#include "parquet/column.h"

/* What a leaf brings to a batch. */
typedef struct lochan_pq_leaf_rows {
    const lochan_pq_column *column; /* where from; of it, only what never changes is looked at */
    struct ArrowArray array;        /* its slots */
    lochan_pq_vec defs, reps;       /* below structs and lists: a byte an entry */
} lochan_pq_leaf_rows;

/* Moves what the column has read to *out; the column goes on with the next batch. */
lochan_status lochan_pq_leaf_rows__take(lochan_pq_leaf_rows *out, lochan_pq_column *c,
                                        lochan_error *err);
void lochan_pq_leaf_rows__free(lochan_pq_leaf_rows *r); /* a zeroed one is fine */

/* leaves: in any order, that of the leaf numbered n at place[n]; those below `field` hold the same
 * rows. Moves their arrays into *out. */
lochan_status lochan_pq_assemble(const lochan_pq_field *field, const int *place,
                                 lochan_pq_leaf_rows *leaves, struct ArrowArray *out,
                                 lochan_error *err);
/* Gives an array of keys its dictionary. Batches of one chunk show the same one, unless some of
 * their texts are not in it. */
lochan_status lochan_pq_assemble__dictionary(lochan_pq_column *c, struct ArrowArray *array,
                                             lochan_error *err);

#endif
