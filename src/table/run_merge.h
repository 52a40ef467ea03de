/* run_merge.h - sorted streams of rows into one, with rows of the same key settled on the way.
 * Invariants: the result is in the order of the keys; rows that compare equal come in the order of
 * the streams; memory is a few batches a stream. May call: base/, arrow/.
 */
#ifndef LOCHAN_TABLE_RUN_MERGE_H
#define LOCHAN_TABLE_RUN_MERGE_H

#include "arrow/array.h"
#include "arrow/kernels.h"

typedef struct lochan_run_order {
    const lochan_sort_key *keys;
    size_t n_keys;
    size_t n_same; /* rows equal in the first so many keys are one: the last of them stays. 0: every
                      row stays */
} lochan_run_order;

typedef struct lochan_run_merge lochan_run_merge;

/* Takes the streams, also on failure; schema and order are borrowed. */
lochan_status lochan_run_merge__create(const struct ArrowSchema *schema,
                                       const lochan_run_order *order,
                                       struct ArrowArrayStream *streams, size_t n,
                                       lochan_run_merge **out, lochan_error *err);
/* The next rows; release NULL at the end. */
lochan_status lochan_run_merge__next(lochan_run_merge *m, struct ArrowArray *out,
                                     lochan_error *err);
/* Rows left out so far, because a later one had their key. */
int64_t lochan_run_merge__dropped(const lochan_run_merge *m);
void lochan_run_merge__free(lochan_run_merge *m); /* NULL is a no-op */

#endif
