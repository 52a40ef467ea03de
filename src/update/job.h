/* job.h - one update of one dataset, from request to report: the state its steps share.
 * The steps, each in a file of its own: request.c, plan.c, collect.c (fetch, stage, decode in
 * parallel), page.c (one page to canonical rows), assemble.c (one table schema, deduplicate, split,
 * merge), publish.c; run.c calls them in this order. Invariant: the dataset's lock is held from
 * plan to the end; nothing of a failed scope reaches the table. May call: base/, arrow/, catalog/,
 * table/, source/.
 */
#ifndef LOCHAN_UPDATE_JOB_H
#define LOCHAN_UPDATE_JOB_H

#include "catalog/txn.h"
#include "source/fetch.h"
#include "table/table.h"
#include "update/ledger.h"
#include "update/spec.h"
#include "update/staging.h"
#include <lochan/update.h>

typedef enum lochan_scope_state {
    LOCHAN_SCOPE_OPEN = 0,
    LOCHAN_SCOPE_DONE,  /* decoded: schema and batch are there */
    LOCHAN_SCOPE_FAILED /* given up: error says why */
} lochan_scope_state;

/* One scope: a window of days, answered by one page (a physical request). */
typedef struct lochan_scope {
    lochan_window window;
    lochan_source_request request;
    lochan_hash128 request_hash;
    lochan_scope_state state;
    bool open_ended; /* nothing but the connection's end says that the answer is whole */
    lochan_error error;
    int32_t attempts;
    int64_t asked_ns; /* when the answer came, or was given up */
    int64_t bytes;    /* of the answer */
    struct ArrowSchema schema;
    struct ArrowArray batch; /* canonical rows of the window */
    int64_t rows_fetched;    /* after wide-to-long */
    int64_t rows_filtered;   /* outside of the window asked for */
    size_t budget;           /* taken for batch */
} lochan_scope;

typedef struct lochan_job {
    lochan_lake *lake;
    const lochan_update_request *request;
    lochan_update_report *report;
    char full_name[260]; /* "source.dataset" */
    char update_id[37];
    int64_t started_ns; /* wall */
    int64_t started_mono;
    int64_t stage_mono;

    lochan_dataset_rows dataset_rows;
    const lochan_dataset_row *dataset;
    lochan_dataset_spec *spec;
    lochan_source_spec *source;
    lochan_lock *lock;
    lochan_ledger ledger;       /* as it was */
    lochan_ledger ledger_after; /* with this update's results */

    int32_t start, end; /* days, inclusive */
    bool has_start;
    lochan_scope *scopes;
    size_t n_scopes;
    size_t plan_budget; /* taken for scopes */

    lochan_staging *staging;
    int64_t adopted; /* pages that a cut-off update left */
    lochan_progress progress;
    int64_t last_progress_mono;

    struct ArrowSchema schema; /* of the table's rows in this update */
    lochan_table *table;
    lochan_write *write;
    char *request_json;
} lochan_job;

/* request.c: checks the request, loads dataset and source, takes the lock. */
lochan_status lochan_job__prepare(lochan_job *job, lochan_error *err);
/* plan.c: ledger to scopes with their requests. */
lochan_status lochan_job__plan(lochan_job *job, lochan_error *err);
/* collect.c: every scope ends DONE or FAILED; an error only if the update itself cannot go on. */
lochan_status lochan_job__collect(lochan_job *job, lochan_error *err);
/* collect.c: gives a scope up; its error becomes part of the ledger and of the run's failures. */
void lochan_job__fail_scope(lochan_job *job, size_t index, const lochan_error *error,
                            int32_t attempts);
/* page.c: one answer to canonical rows. PAGE: worth asking again; VALIDATION, SCHEMA: the answer
 * breaks the contract. */
lochan_status lochan_job__decode_page(lochan_job *job, lochan_scope *scope, const lochan_buf *body,
                                      lochan_error *err);
/* assemble.c: rows of all good scopes into job->write. */
lochan_status lochan_job__assemble(lochan_job *job, lochan_error *err);
/* publish.c: ledger, run record and table in one transaction; then the staging is removed. */
lochan_status lochan_job__publish(lochan_job *job, lochan_error *err);
/* publish.c: a run record for an update that failed as a whole; best effort. */
void lochan_job__record_failure(lochan_job *job, lochan_status status, const lochan_error *err);

/* run.c: tells the caller, at most ten times a second unless `now`. */
void lochan_job__progress(lochan_job *job, bool now);
/* run.c: ends the stage under way and begins the next one. */
void lochan_job__enter(lochan_job *job, lochan_stage stage);

#endif
