/* match.h - one sorted batch of old rows against the new rows of its file.
 * Invariant: the result is in order and holds each key once. May call: base/, arrow/, write.h.
 */
#ifndef LOCHAN_TABLE_MATCH_H
#define LOCHAN_TABLE_MATCH_H

#include "table/incoming.h"

/* The merged rows: batch 0 is the old one, 1.. are those of the segment. */
typedef struct lochan_match {
    uint32_t *batch_of, *row_of;
    size_t n_rows, cap_rows;
    int64_t n_new, n_replaced, n_unchanged, n_removed;
    /* not NULL: which old rows go unless a new one has their key; borrowed */
    const uint8_t *remove;
    /* keys found in both, in order: place in the lists above, old row, new batch and row */
    struct lochan_pair *pairs;
    size_t n_pairs, cap_pairs;
} lochan_match;

/* Merges `old` with the segment's next rows up to old's last key, and moves the segment past them.
 * A row that differs in no column but _known_at stays the old one. */
lochan_status lochan_match__run(lochan_match *m, lochan_write *w, const struct ArrowArray *old,
                                lochan_segment *seg, lochan_error *err);
void lochan_match__deinit(lochan_match *m);

#endif
