/* merge.h - inside a merge: shared by merge.c, rewrite.c and rebuild.c. May call: incoming.h,
 * match.h, old_file.h, write.h. */
#ifndef LOCHAN_TABLE_MERGE_H
#define LOCHAN_TABLE_MERGE_H

#include "table/match.h"
#include "table/old_file.h"

typedef struct lochan_merge {
    lochan_write *w;
    lochan_incoming in;
    lochan_output out;
    lochan_write_counts *counts;
    uint8_t *remove; /* of the old batch in hand: rows that may go */
    size_t cap_remove;
    bool dry;      /* rows are compared and counted, nothing is written */
    bool *changed; /* by file of the partition, what a dry walk found; NULL: there was none */
} lochan_merge;

/* Writes what a match found, in order. */
lochan_status lochan_merge__write(lochan_merge *m, const lochan_match *match,
                                  const struct ArrowArray *old, const lochan_segment *seg,
                                  lochan_error *err);
/* Writes new rows below `key` (NULL: all that are left): they meet no old row. */
lochan_status lochan_merge__write_gap(lochan_merge *m, const lochan_str *key, lochan_error *err);

/* ---- rewrite.c ---- */

/* Whether the new rows of the file's range change it, or rows of its own are to be removed. */
lochan_status lochan_merge__changes(lochan_merge *m, lochan_old_file *f, lochan_segment *seg,
                                    bool *changed, lochan_error *err);
/* The same for more rows than memory should hold: takes those up to the file's last key. The merge
 * is a dry one. */
lochan_status lochan_merge__compare(lochan_merge *m, lochan_old_file *f, bool *changed,
                                    lochan_error *err);
/* Writes the file anew with the rows that come up to its last key, and retires it. */
lochan_status lochan_merge__rewrite(lochan_merge *m, lochan_old_file *f, lochan_error *err);
/* Notes in m->remove which of the old rows may go; *remove = NULL: none. */
lochan_status lochan_merge__mark(lochan_merge *m, const struct ArrowArray *old,
                                 const uint8_t **remove, lochan_error *err);

/* ---- rebuild.c ---- */

/* Merges into a partition that holds files of another program: in any order, perhaps with keys of
 * other files. All files of the partition are read, the newest row of each key stays, and
 * everything is written anew. */
lochan_status lochan_merge__rebuild(lochan_merge *m, const lochan_write_partition *p,
                                    lochan_error *err);

#endif
