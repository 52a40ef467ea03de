/* deliver.h - the rows of whole scopes to the table's writer, while others are still being asked.
 *
 * A scope is delivered when its last page was taken, so nothing of a failed scope reaches the
 * writer; the writer's places (scope, page) keep the order of the plan. Scopes wait for the end of
 * the update (assemble.c) where something needs all rows: rule unique, a deduplication of its own,
 * fields that the table does not have yet. Rows that wait take a quarter of the memory budget at
 * most; beyond it they are dropped, and decoded again from staging when their turn comes. May call:
 * base/, arrow/, table/, job.h.
 */
#ifndef LOCHAN_UPDATE_DELIVER_H
#define LOCHAN_UPDATE_DELIVER_H

#include "update/job.h"

/* Before the first page: whether scopes may be delivered as they come. */
void lochan_deliver__begin(lochan_job *job);
/* After each page of a scope, by the thread that has it; `whole`: it was the last one. VALUE: the
 * scope's values do not fit the table, it fails. job->broken after any error: the update fails. */
lochan_status lochan_deliver__page_taken(lochan_job *job, size_t index, bool whole,
                                         lochan_error *err);

/* For assemble.c. Opens table and writer if they are not, with new fields if decide. */
lochan_status lochan_deliver__open(lochan_job *job, bool decide, lochan_error *err);
/* Forgets the writer and what it has; scopes are to be delivered again. */
void lochan_deliver__reopen(lochan_job *job);
/* The rows of a page in memory, in the table's columns if the writer is open. */
lochan_status lochan_deliver__load(lochan_job *job, const lochan_scope *scope,
                                   lochan_scope_page *page, lochan_error *err);
/* Brings all pages of a scope to the table's columns: VALUE before any of them was delivered. */
lochan_status lochan_deliver__conform(lochan_job *job, lochan_scope *scope, lochan_error *err);
/* Counts the rows of each series. */
lochan_status lochan_deliver__count(lochan_job *job, lochan_scope *scope,
                                    const lochan_scope_page *page, lochan_error *err);
/* Update mode replace_asset: old rows of the assets in the scope's pages, all held, give way. */
lochan_status lochan_deliver__replace(lochan_job *job, const lochan_scope *scope,
                                      lochan_error *err);
/* Conforms and gives a scope to the writer. */
lochan_status lochan_deliver__scope(lochan_job *job, size_t index, lochan_error *err);
/* Lets the scope's rows go if too much is held. */
void lochan_deliver__relieve(lochan_job *job, lochan_scope *scope);

#endif
