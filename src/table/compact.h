/* compact.h - which neighbouring small files are to be joined: shared by compact.c and
 * compact_plan.c. May call: write.h. */
#ifndef LOCHAN_TABLE_COMPACT_H
#define LOCHAN_TABLE_COMPACT_H

#include "table/write.h"

/* Files of one partition that become one, in the order of their rows. */
typedef struct lochan_compaction_group {
    const lochan_data_file *const *files; /* borrowed from the plan */
    size_t n;
    int64_t bytes, rows;
} lochan_compaction_group;

typedef struct lochan_compaction_plan {
    lochan_file_list list; /* of the table, with the statistics that the catalog keeps */
    const lochan_data_file **files;
    lochan_compaction_group *groups;
    size_t n, cap;
} lochan_compaction_plan;

lochan_status lochan_compaction_plan__make(lochan_lake *lake, const lochan_table *table,
                                           const lochan_compact_options *options,
                                           lochan_compaction_plan *out, lochan_error *err);
void lochan_compaction_plan__deinit(lochan_compaction_plan *plan);

/* Whether two files are of one partition. */
bool lochan_files__same_partition(const lochan_data_file *a, const lochan_data_file *b, size_t n);

#endif
