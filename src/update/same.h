/* same.h - whether a scope's answer is the one that the table already holds.
 *
 * The content of an answer is the sum of the hashes of its canonical rows, so their order does not
 * matter; with it go the version of the mapping and the snapshot from which on the table held it
 * (the ledger's content hash). An equal answer is not merged: its rows count as unchanged. Commits
 * of other programs, rollbacks, repairs and the like void what is older than they, whatever table
 * they concern. Invariant: an answer is skipped only if merging it could not change a row, also in
 * the presence of the other scopes of its update. May call: base/, arrow/, catalog/, job.h.
 */
#ifndef LOCHAN_UPDATE_SAME_H
#define LOCHAN_UPDATE_SAME_H

#include "update/job.h"

/* Before the first page: whether this update may skip at all, and which hashes still hold. */
lochan_status lochan_same__begin(lochan_job *job, lochan_error *err);
/* Rows of a page, as they would reach the table. One thread a scope. */
void lochan_same__note(lochan_job *job, lochan_scope *scope, const struct ArrowSchema *schema,
                       const struct ArrowArray *batch);
/* A scope whose pages are all there: sets scope->unchanged if nothing of it needs to be merged. */
lochan_status lochan_same__check(const lochan_job *job, lochan_scope *scope, lochan_error *err);
/* Once all scopes are there: takes back what cannot be skipped beside the others. */
void lochan_same__settle(lochan_job *job);
/* Inside the transaction that publishes: sets job->intruded if what was skipped may have changed
 * since the update looked; the ledger then keeps what it says of it, so that it is asked again. */
lochan_status lochan_same__confirm(lochan_job *job, lochan_txn *txn, lochan_error *err);
/* A merged answer for all assets voids what is known of single ones on these days, and the other
 * way round: their rows are the same. */
lochan_status lochan_same__void_others(const lochan_job *job, lochan_book *book,
                                       const lochan_scope *scope, lochan_finality f,
                                       lochan_error *err);
/* For the ledger: of the publish whose base is that snapshot; "" = nothing is known. */
void lochan_same__hash(const lochan_job *job, const lochan_scope *scope, int64_t base,
                       char out[LOCHAN_COVER_HASH]);

#endif
