/* files.h - sources of kind files: which files there are, which of them are new or changed, and
 * reading one.
 * The ledger has a series a file (its variant is the file's name below the source's folder), whose
 * hash tells size, time and content of the file that was read. Invariant: a file that is gone is
 * reported and removes nothing. May call: base/, source/, parquet/, job.h.
 */
#ifndef LOCHAN_UPDATE_FILES_H
#define LOCHAN_UPDATE_FILES_H

#include "update/direct.h"

typedef struct lochan_listed_file {
    const char *path; /* to open it */
    const char *name; /* below the folder before the first wildcard */
    uint64_t size;
    int64_t mtime_ns;
    char state[33]; /* of what was read: 16 digits of size and time, 16 of the content */
} lochan_listed_file;

/* Lists the files of the job's source into the job's arena, in the order of their names.
 * NOT_FOUND: the folder is not there. */
lochan_status lochan_files__list(lochan_job *job, lochan_listed_file **out, size_t *n,
                                 lochan_error *err);

/* A scope for each file that has to be read. */
lochan_status lochan_files__plan(lochan_job *job, lochan_error *err);
lochan_status lochan_files__fetch(lochan_job *job, lochan_scope *scope,
                                  lochan_direct_outcome *outcome, lochan_error *err);

#endif
