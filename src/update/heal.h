/* heal.h - days whose rows others changed since the dataset's last update are owed again.
 *
 * The ledger knows what the provider answered, not what became of the rows. A commit of another
 * program, a rollback or a power cut that changed the table makes the days of the files concerned
 * owed: the plan asks for them, and the publish writes into the ledger, in its own transaction,
 * what it still owes and up to which snapshot the table is known. Whatever fails before leaves all
 * of it to be found again. May call: base/, catalog/, job.h.
 */
#ifndef LOCHAN_UPDATE_HEAL_H
#define LOCHAN_UPDATE_HEAL_H

#include "update/job.h"

/* The days are owed in the job's book, which was just loaded. */
lochan_status lochan_heal__plan(lochan_job *job, lochan_error *err);
/* Says what is asked again and why; nothing if nothing is. */
void lochan_heal__tell(const lochan_job *job);
/* The same in the book that is about to be put, before the update's results are recorded. */
lochan_status lochan_heal__publish(lochan_job *job, lochan_book *book, lochan_txn *txn,
                                   lochan_error *err);

#endif
