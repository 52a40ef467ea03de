/* verify.h - inside a verification: findings, and the check of one data file.
 * Lock: the mutex guards findings and counters. May call: base/, arrow/, parquet/, catalog/,
 * write.h.
 */
#ifndef LOCHAN_TABLE_VERIFY_H
#define LOCHAN_TABLE_VERIFY_H

#include "table/write.h"

typedef struct lochan_finding {
    const char *kind, *source, *dataset, *path, *detail; /* in the arena */
} lochan_finding;

typedef struct lochan_verification {
    lochan_lake *lake;
    const lochan_verify_options *options;
    lochan_verify_report *report;
    pthread_mutex_t mutex;
    lochan_arena arena;
    lochan_finding *findings;
    size_t n, cap;
    int64_t done, total; /* files, for progress */
    bool io_fails;       /* a file that the system cannot read is an error, not a finding */
} lochan_verification;

/* Adds a finding. kind: "catalog", "journal", "table", "missing", "size", "footer", "page",
 * "statistics", "order", "key", "partition", "time"; "unknown" and "kept" are no problems. NULL
 * names become "". */
lochan_status lochan_verification__add(lochan_verification *v, lochan_error *err, const char *kind,
                                       const lochan_table *table, const char *path, const char *fmt,
                                       ...) LOCHAN_PRINTF(6, 7);

/* Checks one live file; `leaves` are the column ids in the order of file->stats. Its findings are
 * no error. */
lochan_status lochan_verification__file(lochan_verification *v, const lochan_table *table,
                                        const lochan_data_file *file, lochan_error *err);

/* ---- verify.c: a whole verification ---- */

/* Zeroes *report, which is borrowed like the options. */
void lochan_verification__init(lochan_verification *v, lochan_lake *lake,
                               const lochan_verify_options *options, lochan_verify_report *report);
void lochan_verification__deinit(lochan_verification *v);
/* Catalog, journal, tables, files that nobody knows. */
lochan_status lochan_verification__collect(lochan_verification *v, lochan_error *err);
/* The findings as the stream of lochan_lake_verify; out may be NULL. */
lochan_status lochan_verification__finish(lochan_verification *v, struct ArrowArrayStream *out,
                                          lochan_error *err);

#endif
