/* damage.c - the first step of an update that repairs: damaged files leave the table, and the
 * ledger owes their days. May call: base/, table/, job.h.
 */
#include "update/job.h"

#include "base/log.h"

lochan_status lochan_job__forget_damaged(lochan_job *job, lochan_error *err) {
    int64_t files;
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = lochan_table__repair(job->lake, job->spec->source, job->spec->name,
                                            lochan_job__window_column(job), &files, &seen);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK && err)
        *err = seen;
    if (rc == LOCHAN_OK && files > 0)
        LOCHAN_WARN("%s: %lld damaged files were taken out; their days are asked again",
                    job->full_name, (long long)files);
    return rc;
}
