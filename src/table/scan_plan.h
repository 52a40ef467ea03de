/* scan_plan.h - what a scan reads: columns, predicate, files in order.
 * Invariant: pruning never leaves out a file that holds a wanted row. May call: base/, arrow/,
 * catalog/, write.h.
 */
#ifndef LOCHAN_TABLE_SCAN_PLAN_H
#define LOCHAN_TABLE_SCAN_PLAN_H

#include "table/write.h"

typedef struct lochan_scan_plan {
    lochan_lake *lake;
    lochan_table *table; /* owned copy of the description */
    int *columns;        /* of the table: the output's, _known_at if only the limit needs it, then
                            those only the predicate needs */
    size_t n_columns, n_output;
    struct ArrowSchema work; /* all of `columns`, types as they are stored */
    lochan_expr *where;      /* bound to the table's schema, NULL = every row */
    bool where_known_at;     /* it looks at _known_at, so files cannot judge it */
    int known_at;            /* index of _known_at in `work`, -1 */
    bool known_limited;      /* rows whose _known_at is above known_limit are left out */
    int64_t known_limit;     /* microseconds since 1970 */
    size_t n_needed;         /* columns of `work` that are needed once the predicate was applied */
    lochan_file_list list;
    const lochan_data_file **files; /* left after pruning, in the order of reading */
    size_t n_files;
    int64_t *stat_columns; /* ids, in the order of the catalog's statistics */
    size_t n_stat_columns;
} lochan_scan_plan;

/* columns NULL = all. Deinit also a failed one. */
lochan_status lochan_scan_plan__init(lochan_scan_plan *plan, lochan_lake *lake, const char *source,
                                     const char *name, int64_t snapshot_id,
                                     const lochan_table_scan *scan, lochan_error *err);
void lochan_scan_plan__deinit(lochan_scan_plan *plan);

/* Files in reading order: by partition, then by key. */
void lochan_files__order(const lochan_data_file **files, size_t n, size_t n_partition_values);

#endif
