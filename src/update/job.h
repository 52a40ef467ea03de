/* job.h - one update of one dataset, from request to report: the state its steps share.
 * The steps, each in a file of its own: request.c, plan.c, collect.c (fetch, stage, decode in
 * parallel), page.c (one page to canonical rows), deliver.c (whole scopes to the table's writer),
 * assemble.c (one table schema, the rest of the rows, merge), publish.c; run.c calls them.
 * Invariants: a lease on what is planned is held from before the first request to the publish
 * (claim.h), and nothing is published without it; nothing of a failed scope reaches the table. May
 * call: base/, arrow/, catalog/, table/, source/.
 */
#ifndef LOCHAN_UPDATE_JOB_H
#define LOCHAN_UPDATE_JOB_H

#include "catalog/lease.h"
#include "source/fetch.h"
#include "table/table.h"
#include "update/extras.h"
#include "update/ledger.h"
#include "update/planner.h"
#include "update/series.h"
#include "update/reference.h"
#include "update/rejects.h"
#include "update/spec.h"
#include "update/staging.h"
#include <lochan/update.h>

typedef enum lochan_validate_level {
    LOCHAN_VALIDATE_SPEC = 0, /* what the spec says */
    LOCHAN_VALIDATE_STRICT,   /* every rule fails its scope */
    LOCHAN_VALIDATE_OFF       /* no rules, only what the table needs */
} lochan_validate_level;

typedef enum lochan_scope_state {
    LOCHAN_SCOPE_OPEN = 0,
    LOCHAN_SCOPE_DONE,  /* decoded: schema and batch are there */
    LOCHAN_SCOPE_FAILED /* given up: error says why */
} lochan_scope_state;

/* Canonical rows of one page. They are held only while there is memory for them: what staging has
 * can be decoded again (deliver.h). */
typedef struct lochan_scope_page {
    int64_t number;         /* from 0 */
    lochan_hash128 request; /* under which staging has the answer; zero: nothing has it */
    int64_t rows;           /* of the batch */
    bool conformed;         /* the batch has the table's columns */
    struct ArrowSchema schema;
    struct ArrowArray batch; /* released = not held */
    size_t budget;           /* bytes taken for it */
    uint8_t *kept;           /* bits: rows of the answer that rule unique left; NULL = all */
    int64_t answered;        /* rows that `kept` speaks of */
} lochan_scope_page;

/* A field of a scope's answer that the spec does not declare; see extras.h. */
typedef struct lochan_scope_extra {
    uint32_t field;  /* number in the job's extras */
    bool has_values; /* some are not null */
    bool has_text;   /* some are no number as JSON writes it */
} lochan_scope_extra;

typedef struct lochan_job lochan_job;

/* One scope: a window of days, of all assets or a batch of them, under one set of parameters. */
typedef struct lochan_scope {
    lochan_window window;
    const char *assets;              /* "A,B" as the request says it; NULL = all of them */
    const lochan_param_set *variant; /* NULL = none */
    lochan_series **series; /* whose ledger gets the result: one, or one an asset of the batch */
    size_t n_series;
    lochan_source_request request; /* of the first page */
    lochan_hash128 request_hash;
    lochan_scope_state state;
    bool open_ended; /* nothing but the connection's end says that the answer is whole */
    lochan_error error;
    int32_t attempts;
    int64_t asked_ns;            /* when the answer came, or was given up */
    int64_t bytes;               /* of the answer */
    lochan_hash128 page_request; /* of the page that is being taken, if staging gets it */
    lochan_scope_page *pages;    /* with rows, in the order in which they were asked */
    size_t n_pages, cap_pages;
    lochan_hash128 *answers; /* requests of all pages taken, if answers are kept; see raw.h */
    size_t n_answers, cap_answers;
    lochan_scope_extra *extras; /* in the order in which they were met */
    size_t n_extras, cap_extras;
    bool delivered;         /* the table's writer has the rows */
    lochan_hash128 content; /* of the rows so far (same.h) */
    int64_t content_rows;
    bool no_content;       /* it cannot be told */
    bool unchanged;        /* the table has these rows: they are not merged */
    bool again;            /* a copy for a page that is decoded again: counts nothing */
    int64_t *series_rows;  /* delivered rows of each series, NULL = none */
    int64_t rows_fetched;  /* after wide-to-long */
    int64_t rows_filtered; /* outside of the window asked for, or of row_filter */
    int64_t rows_rejected; /* quarantined by a rule */
    int64_t rows_warned;   /* broke a rule that only warns */
    lochan_rejects rejects;
    const struct lochan_listed_file *file; /* of a source of kind files, else NULL */
} lochan_scope;

/* Gives a page's canonical rows to its scope: takes both, also on failure. Pages may come in any
 * order of numbers. No rows: nothing is kept. */
lochan_status lochan_scope__give_page(lochan_job *job, lochan_scope *scope, int64_t number,
                                      struct ArrowSchema *schema, struct ArrowArray *batch,
                                      lochan_error *err);
/* Takes the budget for rows that are to stay in memory, if it was not there when they came. */
lochan_status lochan_scope__hold(lochan_job *job, lochan_scope_page *page, lochan_error *err);
/* Frees the rows of one page; its place stays. */
void lochan_scope__drop_rows(lochan_job *job, lochan_scope_page *page);
/* Drops all pages, counts and rejects, before the scope is asked anew. */
void lochan_scope__clear(lochan_job *job, lochan_scope *scope);

struct lochan_job {
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
    struct lochan_registered *registered; /* of a source of kind callback, else NULL */
    lochan_lease *lease;                  /* NULL: nothing is planned yet, or it was published */
    char waiting[400];                    /* why, for progress */
    lochan_book book;                     /* the ledger as it was when the plan was made */
    lochan_arena arena;                   /* texts of the plan */
    lochan_finality finality;
    bool timeless;            /* rows have no days: the window is the day of asking */
    lochan_calendar calendar; /* days there can be rows for; empty = every day */

    lochan_validate_level level;
    lochan_gap_kind gap_kind;
    int32_t start, end; /* days, inclusive */
    bool has_start;
    lochan_scope *scopes;
    size_t n_scopes;
    size_t plan_budget; /* taken for scopes */

    lochan_staging *staging;
    int64_t adopted; /* pages that a cut-off update left */
    lochan_progress progress;
    int64_t last_progress_mono;

    _Atomic bool *seen;   /* declared columns that had a value (missing.h) */
    char mapping[33];     /* version of what makes rows of answers */
    bool hashes, skips;   /* contents are noted; equal ones need no merge */
    int64_t intrusion;    /* newest snapshot that voids content hashes */
    bool intruded;        /* there is a newer one by now */
    char healed[400];     /* rows that others changed and that are asked again (heal.h), "" */
    _Atomic bool unasked; /* rows came of assets that their scope does not ask for */

    lochan_extras extras;      /* fields that the spec does not declare */
    _Atomic size_t held;       /* bytes of rows that wait in memory */
    bool streams;              /* scopes may be delivered before the others are there */
    _Atomic bool broken;       /* a delivery failed halfway: nothing can be published */
    bool opened;               /* write, table and schema are there; under extras.mutex */
    struct ArrowSchema schema; /* of the table's rows in this update */
    lochan_table *table;
    lochan_write *write;
    const struct lochan_replay
        *replay; /* answers come from there, see raw.h; NULL = from the source */
    char *request_json;
    char reject_path[400]; /* of the file of rejects, relative to the lake */
    int64_t n_rejects;
    int64_t duplicates; /* rows that a deduplication of the update's own dropped */
};

/* request.c: checks the request, loads dataset and source. */
lochan_status lochan_job__prepare(lochan_job *job, lochan_error *err);
/* request.c: dataset and source as they are now, in place of what was loaded before. */
lochan_status lochan_job__load_specs(lochan_job *job, lochan_error *err);
/* damage.c: takes the damaged files of the table out and notes that their days are owed. */
lochan_status lochan_job__forget_damaged(lochan_job *job, lochan_error *err);
/* plan.c: ledger to scopes with their requests. */
lochan_status lochan_job__plan(lochan_job *job, lochan_error *err);
/* plan.c: forgets the plan and the ledger it was made from; of a zeroed job: a no-op. */
void lochan_job__unplan(lochan_job *job);
/* plan.c. The column of canonical rows whose days the windows are made of, NULL if rows have none.
 */
const char *lochan_job__window_column(const lochan_job *job);
/* When a day of the scope was last asked for, 0 = never. */
int64_t lochan_job__asked_at(const lochan_job *job, const lochan_scope *scope);
/* The calendar knows the day, and there can be no rows for it. */
bool lochan_job__is_holiday(const lochan_job *job, int32_t day);
/* What one page asks for beside what its scope says. */
typedef struct lochan_page_ask {
    lochan_window window;              /* the days, a part of the scope's window or all of it */
    const lochan_source_value *values; /* of paging's placeholders: limit, offset, page, cursor */
    size_t n_values;
    const lochan_source_pair *params; /* that paging adds; templates */
    size_t n_params;
} lochan_page_ask;
/* plan.c: the request of a page of the scope; ask NULL: of the whole window. Thread-safe. */
lochan_status lochan_job__page_request(const lochan_job *job, const lochan_scope *scope,
                                       const lochan_page_ask *ask, lochan_source_request *out,
                                       lochan_error *err);
/* collect.c: every scope ends DONE or FAILED; an error only if the update itself cannot go on. */
lochan_status lochan_job__collect(lochan_job *job, lochan_error *err);
/* collect.c: gives a scope up; its error becomes part of the ledger and of the run's failures. */
void lochan_job__fail_scope(lochan_job *job, size_t index, const lochan_error *error,
                            int32_t attempts);
/* validate.c: row filter and the spec's rules over canonical rows of one page (numbered from 0):
 * rows that are filtered or rejected go out of *batch and are counted in the scope; VALIDATION if a
 * rule says fail. Adds column record_hash where the spec needs it. One thread a scope. */
lochan_status lochan_job__check_rows(lochan_job *job, lochan_scope *scope, int64_t page,
                                     struct ArrowSchema *schema, struct ArrowArray *batch,
                                     lochan_error *err);
/* assemble.c: what good scopes have not delivered yet into job->write; then the table is merged. */
lochan_status lochan_job__assemble(lochan_job *job, lochan_error *err);
/* assemble.c: what the writer did so far, into the report. */
void lochan_job__report_write(lochan_job *job);
/* rejects.c: the rejects of all good scopes into a file, before the update is published; and the
 * row by which the catalog knows it. */
lochan_status lochan_job__write_rejects(lochan_job *job, lochan_error *err);
lochan_status lochan_job__put_rejects(lochan_job *job, lochan_txn *txn, lochan_error *err);
/* rejects.c: every batch of a file of rejects. */
typedef lochan_status (*lochan_reject_batch_fn)(void *ctx, const lochan_reject_row *file,
                                                const struct ArrowSchema *schema,
                                                const struct ArrowArray *batch, lochan_error *err);
lochan_status lochan_rejects__read(const char *lake_path, const lochan_reject_row *file,
                                   lochan_reject_batch_fn take, void *ctx, lochan_error *err);
/* publish.c: ledger, run record and table in one transaction; then the staging is removed. */
lochan_status lochan_job__publish(lochan_job *job, lochan_error *err);
/* publish.c: which days, assets and parameters a scope is, for people. */
void lochan_job__scope_name(const lochan_scope *scope, char *dst, size_t cap);
/* publish.c: a run record for an update that failed as a whole; best effort. */
void lochan_job__record_failure(lochan_job *job, lochan_status status, const lochan_error *err);

/* run.c: tells the caller, at most ten times a second unless `now`. */
void lochan_job__progress(lochan_job *job, bool now);
/* run.c: ends the stage under way and begins the next one. */
void lochan_job__enter(lochan_job *job, lochan_stage stage);

#endif
