/* run_file.h - a sorted run of rows, in memory or in a file without a name in data/staging.
 * Invariant: rows of one partition lie together; a file vanishes with its run, however the process
 * ends. May call: base/, arrow/, parquet/, run_merge.h.
 */
#ifndef LOCHAN_TABLE_RUN_FILE_H
#define LOCHAN_TABLE_RUN_FILE_H

#include "base/ctx.h"
#include "base/fs.h"
#include "parquet/reader.h"
#include "table/run_merge.h"

/* Where a partition lies in a run. */
typedef struct lochan_run_part {
    uint32_t partition;
    int64_t from, to; /* rows */
} lochan_run_part;

typedef struct lochan_run {
    int level; /* how often its rows were merged */
    lochan_shared *memory;
    lochan_file *file;
    lochan_pq_reader *reader;
    lochan_run_part *parts; /* ascending */
    size_t n_parts, cap_parts;
    int64_t rows;
    uint64_t bytes; /* of the file */
} lochan_run;

void lochan_run__free(lochan_run *run); /* NULL is a no-op */
/* Takes rows sorted by partition; column `partition` (int32) tells it. */
lochan_status lochan_run__of_memory(struct ArrowArray *rows, int partition, lochan_run **out,
                                    lochan_error *err);
/* Writes what the merge gives into a file in `folder`. */
lochan_status lochan_run__write(const lochan_ctx *ctx, const char *folder,
                                const struct ArrowSchema *schema, int partition,
                                lochan_run_merge *rows, lochan_run **out, lochan_error *err);
/* Rows [from, to) of the run, which must outlive the stream. */
lochan_status lochan_run__rows(lochan_run *run, const struct ArrowSchema *schema, int64_t from,
                               int64_t to, struct ArrowArrayStream *out, lochan_error *err);
/* NULL: none of its rows belong to the partition. */
const lochan_run_part *lochan_run__part(const lochan_run *run, uint32_t partition);

#endif
