/* upkeep.h - what the owner of a table wants done with its files: from when on small ones are
 * joined, and by which columns partitions that rest are sorted. Kept with the table as a setting of
 * the lake, which changes by a commit of its own. May call: base/, catalog/, table.h.
 */
#ifndef LOCHAN_TABLE_UPKEEP_H
#define LOCHAN_TABLE_UPKEEP_H

#include "table/table.h"

/* Label of a clustered file: the field ids of the columns of its order, divided by commas. */
#define LOCHAN_LABEL_CLUSTERED "lochan.clustered"

/* What is kept; names became columns. Zeroed fields are not set. */
typedef struct lochan_kept_upkeep {
    lochan_upkeep set;     /* without names */
    lochan_sort_key *rows; /* the order of clustered files: the columns to cluster by, then those of
                              the table's order that are missing from them */
    size_t n_rows;         /* 0: partitions are not clustered */
    size_t n_columns;      /* of the first so many it is said */
} lochan_kept_upkeep;

/* CORRUPT: what lake.db keeps cannot be read. A column that is gone ends the list. */
lochan_status lochan_upkeep__load(const lochan_table *table, lochan_kept_upkeep *out,
                                  lochan_error *err);
void lochan_upkeep__deinit(lochan_kept_upkeep *kept);
/* Keeps the wish, if it is another than what is kept. */
lochan_status lochan_upkeep__keep(const lochan_table *table, const lochan_upkeep *wish,
                                  lochan_error *err);

#endif
