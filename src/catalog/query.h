/* query.h - the lists of the public API as Arrow streams. Columns as documented in lake.h and
 * update.h. Invariant: the stream is complete in memory when the call returns. May call: read.h,
 * arrow/.
 */
#ifndef LOCHAN_CATALOG_QUERY_H
#define LOCHAN_CATALOG_QUERY_H

#include "catalog/read.h"
#include <lochan/update.h>

/* One dataset's state. Text is borrowed for the call. */
typedef struct lochan_dataset_status {
    int64_t dataset_id;
    int64_t table_id; /* -1: no table yet */
    const char *source, *dataset;
    int64_t rows, bytes, files, partitions;
    const char *time_min, *time_max; /* NULL = unknown */
    bool has_covered_to;
    int32_t covered_to;     /* day up to which every series of the ledger is final without a gap */
    int64_t last_update_ns; /* 0 = never */
    const char *last_state; /* NULL = never */
    int64_t failed_scopes;
    int64_t staged_bytes; /* 0 here: the caller's hook knows the staging folder */
    int64_t snapshot_id;  /* newest snapshot that changed the table, -1 = none */
    bool has_asked_to;
    int32_t asked_to; /* last day for which the provider gave an answer, with rows or without */
    int64_t asked_ns; /* when it was last asked, 0 = never */
    int64_t raw_files, raw_bytes; /* of kept answers; 0 here, like staged_bytes */
} lochan_dataset_status;

/* May fill in or correct a row before it is handed out. */
typedef lochan_status (*lochan_dataset_status_fn)(void *ctx, lochan_dataset_status *row,
                                                  lochan_error *err);

/* lochan_status_datasets. hook may be NULL. */
lochan_status lochan_catalog__query_status(lochan_catalog *catalog, const char *source,
                                           const char *dataset, lochan_dataset_status_fn hook,
                                           void *ctx, struct ArrowArrayStream *out,
                                           lochan_error *err);
/* lochan_status_runs. limit -1 = all. */
lochan_status lochan_catalog__query_runs(lochan_catalog *catalog, const char *source,
                                         const char *dataset, int64_t limit,
                                         struct ArrowArrayStream *out, lochan_error *err);
/* lochan_lake_files. */
lochan_status lochan_catalog__query_files(lochan_catalog *catalog, const char *source,
                                          const char *dataset, struct ArrowArrayStream *out,
                                          lochan_error *err);

/* lochan_status_failures. limit -1 = all. */
lochan_status lochan_catalog__query_failures(lochan_catalog *catalog, const char *source,
                                             const char *dataset, int64_t limit,
                                             struct ArrowArrayStream *out, lochan_error *err);
/* lochan_status_partitions. */
lochan_status lochan_catalog__query_partitions(lochan_catalog *catalog, const char *source,
                                               const char *dataset, struct ArrowArrayStream *out,
                                               lochan_error *err);

#endif
