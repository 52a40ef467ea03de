/* group_range.h - which keys a row group of one of our files may hold, from its statistics.
 * Invariant: every key of the group lies in the range; a group of which nothing is known has the
 * widest one. May call: base/, arrow/, parquet/, write.h.
 */
#ifndef LOCHAN_TABLE_GROUP_RANGE_H
#define LOCHAN_TABLE_GROUP_RANGE_H

#include "table/incoming.h"
#include "table/old_file.h"

/* Beginnings of key codes; empty: unknown. */
typedef struct lochan_group_range {
    lochan_buf low, high;
} lochan_group_range;

void lochan_group_range__init(lochan_group_range *range);
void lochan_group_range__deinit(lochan_group_range *range);
/* Replaces what the range held. */
lochan_status lochan_group_range__read(lochan_group_range *range, const lochan_old_file *f,
                                       const lochan_write *w, int group, lochan_error *err);
/* <0, 0, >0: the key lies below the range, perhaps in it, above it. */
int lochan_group_range__compare(const lochan_group_range *range, lochan_str key);
/* Whether one of the segment's rows may lie in it. */
lochan_status lochan_group_range__meets(const lochan_group_range *range, const lochan_segment *seg,
                                        const lochan_write *w, bool *meets, lochan_error *err);
/* The key of the group's first or last row, read from the file. */
lochan_status lochan_group__key(lochan_old_file *f, const lochan_write *w, int group, bool last,
                                lochan_buf *key, lochan_error *err);

#endif
