/* direct.h - scopes of sources that are not asked over HTTP: callbacks and files.
 * Invariant: as of lochan_job__collect. May call: base/, job.h.
 */
#ifndef LOCHAN_UPDATE_DIRECT_H
#define LOCHAN_UPDATE_DIRECT_H

#include "update/job.h"

/* What became of one try of a scope. */
typedef struct lochan_direct_outcome {
    bool theirs;  /* the error is of the source, not of ours: the scope's failure, whatever it is */
    bool resumed; /* the rows came from staging */
    int64_t pages; /* taken */
} lochan_direct_outcome;

/* Gets every scope, in several threads where the source allows it. */
lochan_status lochan_direct__collect(lochan_job *job, lochan_error *err);

#endif
