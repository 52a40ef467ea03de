/* claim.h - the days and assets of a dataset that somebody is about to fetch or to change.
 *
 * An update takes a lease (catalog/lease.h) on what its plan asks for, so that two updates of one
 * dataset whose plans do not meet fetch beside each other; one whose plan does waits for the other,
 * and then plans anew by what that one left in the ledger. What concerns the dataset as a whole (a
 * repair, update_mode snapshot_replace, files, a change of the dataset) takes all of it. May call:
 * base/, catalog/, table/, job.h.
 */
#ifndef LOCHAN_UPDATE_CLAIM_H
#define LOCHAN_UPDATE_CLAIM_H

#include "update/job.h"

/* The whole dataset, without waiting: LOCKED names the holder. */
lochan_status lochan_claim__dataset(lochan_lake *lake, const char *source, const char *dataset,
                                    lochan_lease **out, lochan_error *err);
/* The same for a job, which waits up to the lake's lock_timeout and says so in its progress. */
lochan_status lochan_job__claim_dataset(lochan_job *job, lochan_error *err);
/* Claims what was planned. Afterwards the plan is one that was made from the ledger as it is now,
 * and nobody else is at work on its scopes; if others have left nothing to do, job->n_scopes = 0
 * and nothing is claimed. */
lochan_status lochan_job__claim_plan(lochan_job *job, lochan_error *err);

#endif
