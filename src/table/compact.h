/* compact.h - joining and clustering files: what compact.c, compact_plan.c, compact_file.c,
 * compact_cluster.c and compact_publish.c share. May call: write.h, upkeep.h.
 */
#ifndef LOCHAN_TABLE_COMPACT_H
#define LOCHAN_TABLE_COMPACT_H

#include "table/upkeep.h"
#include "table/write.h"

/* What the caller asked for, completed by what is kept with the table. */
typedef struct lochan_compact_rules {
    bool full;
    int64_t min_files;
    int64_t small_bytes;      /* files below are small */
    int64_t target_bytes;     /* no joined file is larger */
    int64_t max_input_bytes;  /* 0 = no limit */
    int64_t cold_before_ns;   /* partitions are clustered whose newest file is older; INT64_MIN:
                                 none, INT64_MAX: all */
    int64_t max_cluster_rows; /* of a partition: they are sorted in memory */
} lochan_compact_rules;

/* Files of one partition that become one, in the order of their rows. */
typedef struct lochan_compaction_group {
    const lochan_data_file *const *files; /* borrowed from the plan */
    size_t n;
    int64_t bytes, rows;
    bool cluster; /* the whole partition, sorted anew */
} lochan_compaction_group;

typedef struct lochan_compaction_plan {
    lochan_file_list list; /* of the table, with the statistics that the catalog keeps */
    const lochan_data_file **files;
    lochan_compaction_group *groups;
    size_t n, cap;
} lochan_compaction_plan;

lochan_status lochan_compaction_plan__make(lochan_lake *lake, const lochan_table *table,
                                           const lochan_compact_rules *rules,
                                           lochan_compaction_plan *out, lochan_error *err);
void lochan_compaction_plan__deinit(lochan_compaction_plan *plan);

/* Whether two files are of one partition. */
bool lochan_files__same_partition(const lochan_data_file *a, const lochan_data_file *b, size_t n);

/* One new file. */
typedef struct lochan_joined {
    const lochan_compaction_group *group;
    char *path;
    char file_id[37];
    lochan_pq_summary summary;
    bool sorted;
    bool dropped; /* somebody else changed its files meanwhile */
} lochan_joined;

#define LOCHAN_COMPACT_COMMIT_FILES 256 /* new files of one commit */

/* The compaction of one table. */
typedef struct lochan_compaction {
    lochan_lake *lake;
    lochan_table *table;
    lochan_kept_upkeep upkeep;
    lochan_compact_rules rules;
    lochan_compact_report *report;
    lochan_compaction_plan plan;
    int stats_columns; /* as lochan_write_options has it */
    lochan_store_batch *batch;
    char commit_id[37];
    lochan_joined files[LOCHAN_COMPACT_COMMIT_FILES]; /* of the commit under way */
    size_t n_files;
    bool published;
} lochan_compaction;

/* ---- compact_file.c ---- */

/* Writes the group as one new file of c->batch, the last of c->files. */
lochan_status lochan_compaction__join(lochan_compaction *c, const lochan_compaction_group *group,
                                      lochan_error *err);
/* The rows of one row group in the table's schema, handed to `fn` batch by batch. */
typedef lochan_status (*lochan_compaction_rows)(void *ctx, struct ArrowArray *rows,
                                                lochan_error *err);
lochan_status lochan_compaction__decode(lochan_compaction *c, const lochan_data_file *file,
                                        lochan_pq_reader *reader,
                                        const lochan_projection *projection, int group,
                                        lochan_compaction_rows fn, void *ctx, lochan_error *err);

/* ---- compact_cluster.c ---- */

/* About how many bytes a row takes in memory. */
size_t lochan_cluster__row_bytes(const struct ArrowSchema *schema);
/* Writes all rows of the group, sorted by the columns that the table is clustered by. */
lochan_status lochan_compaction__write_clustered(lochan_compaction *c,
                                                 const lochan_compaction_group *group,
                                                 lochan_pq_writer *w, lochan_error *err);

/* ---- compact_publish.c ---- */

/* Makes c->batch durable and lists it, but for groups that others changed; c->published says
 * whether its files are needed now. */
lochan_status lochan_compaction__publish(lochan_compaction *c, lochan_error *err);

#endif
