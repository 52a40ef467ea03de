/* publish.c - the end of an update: coverage, run record, failures and files become visible in one
 * transaction, which checks that the update's lease still holds. Invariant: the ledger never says
 * more than the table holds, nor less. Staging goes only after the commit. May call: base/,
 * catalog/, table/, ledger.h, staging.h.
 */
#include "update/files.h"
#include "update/heal.h"
#include "update/mapping.h"
#include "update/mode.h"
#include "update/same.h"
#include "update/raw.h"
#include "update/validate.h"

#include "arrow/view.h"
#include "base/clock.h"
#include "base/log.h"

#define DAY_NS INT64_C(86400000000000)

/* ---- coverage ---- */

/* How often the window was asked in vain before. */
static int32_t earlier_attempts(const lochan_ledger *ledger, lochan_window window) {
    for (size_t i = 0; i < ledger->count; i++) {
        const lochan_cover *cover = &ledger->rows[i];
        bool failed = cover->state == LOCHAN_COVER_FAILED || cover->state == LOCHAN_COVER_INVALID;
        if (failed && cover->from <= window.to && cover->to >= window.from)
            return cover->attempts;
    }
    return 0;
}

static lochan_cover_state failed_state(lochan_status code) {
    bool invalid =
        code == LOCHAN_ERR_VALIDATION || code == LOCHAN_ERR_SCHEMA || code == LOCHAN_ERR_VALUE;
    return invalid ? LOCHAN_COVER_INVALID : LOCHAN_COVER_FAILED;
}

/* The series of the scope in a book that was read since. */
static lochan_status series_of(lochan_book *book, const lochan_scope *scope, size_t i,
                               lochan_series **out, lochan_error *err) {
    return lochan_book__get(book, scope->series[i]->asset, scope->series[i]->variant, out, err);
}

static lochan_status record_good(lochan_job *job, lochan_book *book, const lochan_scope *scope,
                                 lochan_cover *cover, lochan_finality f, lochan_error *err) {
    for (size_t i = 0; i < scope->n_series; i++) {
        lochan_series *series;
        LOCHAN_TRY(series_of(book, scope, i, &series, err));
        cover->rows = scope->series_rows ? scope->series_rows[i] : 0;
        cover->state = cover->rows > 0 ? LOCHAN_COVER_SUCCESS : LOCHAN_COVER_EMPTY;
        if (job->timeless)
            lochan_series__clear(series);
        LOCHAN_TRY(lochan_series__record(series, cover, f, err));
    }
    return LOCHAN_OK;
}

static lochan_status record_failed(lochan_job *job, lochan_book *book, const lochan_scope *scope,
                                   lochan_cover *cover, lochan_finality f, lochan_error *err) {
    cover->rows = -1;
    cover->state = failed_state(scope->error.code);
    cover->message = lochan_arena__strdup(&job->arena, scope->error.message);
    if (!cover->message)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < scope->n_series; i++) {
        lochan_series *series;
        LOCHAN_TRY(series_of(book, scope, i, &series, err));
        cover->attempts = earlier_attempts(&series->before, scope->window) + 1;
        if (job->timeless)
            lochan_series__clear(series);
        LOCHAN_TRY(lochan_series__record(series, cover, f, err));
    }
    return LOCHAN_OK;
}

static lochan_status record_scope(lochan_job *job, lochan_book *book, const lochan_scope *scope,
                                  int64_t base, lochan_error *err) {
    lochan_finality f = job->finality;
    if (scope->unchanged && job->intruded)
        return LOCHAN_OK;
    lochan_cover cover = {
        .from = scope->window.from, .to = scope->window.to, .asked_at = scope->asked_ns};
    if (job->timeless) /* what is known is the table as of the day of asking */
        cover.from = cover.to = (int32_t)(scope->asked_ns / DAY_NS);
    f.settle_days = job->spec->settle_days; /* the look-back asks again, it does not unsettle */
    memcpy(cover.update_id, job->update_id, sizeof cover.update_id);
    if (scope->state != LOCHAN_SCOPE_DONE)
        return record_failed(job, book, scope, &cover, f, err);
    if (scope->file)
        memcpy(cover.hash, scope->file->state, sizeof scope->file->state);
    else
        lochan_same__hash(job, scope, base, cover.hash);
    /* rows of an update that replaces the table land together or not at all */
    if (job->spec->update_mode->all_scopes && job->report->scopes_failed > 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_same__void_others(job, book, scope, f, err));
    return record_good(job, book, scope, &cover, f, err);
}

/* The ledger as it is in this transaction, with what this update adds: others may have published
 * other days of the same series since the plan was made. */
static lochan_status put_coverage(lochan_job *job, lochan_txn *txn, lochan_error *err) {
    lochan_book book = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_same__confirm(job, txn, err));
    LOCHAN_TRYG(lochan_book__load(&book, job->lake->catalog, job->dataset->dataset_id, err));
    LOCHAN_TRYG(lochan_heal__publish(job, &book, txn, err));
    for (size_t i = 0; i < job->n_scopes; i++)
        LOCHAN_TRYG(record_scope(job, &book, &job->scopes[i], lochan_txn__base(txn), err));
    rc = lochan_book__put(&book, txn, job->dataset->dataset_id, err);
done:
    lochan_book__deinit(&book);
    return rc;
}

/* ---- run record ---- */

/* "2026-01-01..2026-01-31 A,B exchange=SSE"; a long list of assets is cut. */
void lochan_job__scope_name(const lochan_scope *scope, char *dst, size_t cap) {
    char from[16], to[16];
    lochan_civil__format_date(scope->window.from, from);
    lochan_civil__format_date(scope->window.to, to);
    bool cut = scope->assets && strlen(scope->assets) > 120;
    (void)lochan_format(dst, cap, "%s..%s%s%.120s%s%s%.160s", from, to, scope->assets ? " " : "",
                        scope->assets ? scope->assets : "", cut ? "..." : "",
                        scope->variant ? " " : "", scope->variant ? scope->variant->name : "");
}

static const char *kind_of(const lochan_update_request *request) {
    if (request->repair)
        return "repair";
    return request->backfill ? "backfill" : "update";
}

static lochan_status put_run(lochan_job *job, lochan_txn *txn, const char *state,
                             const char *message, lochan_error *err) {
    job->report->seconds = (double)(lochan_clock__mono_ns() - job->started_mono) / 1e9;
    lochan_update_row row = {.update_id = job->update_id,
                             .dataset_id = job->dataset->dataset_id,
                             .kind = kind_of(job->request),
                             .state = state,
                             .started_ns = job->started_ns,
                             .finished_ns = lochan_clock__wall_ns(),
                             .request = job->request_json ? job->request_json : "{}",
                             .error = message,
                             .report = job->report};
    return lochan_txn__put_update(txn, &row, err);
}

static lochan_status put_failures(lochan_job *job, lochan_txn *txn, lochan_error *err) {
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        if (scope->state != LOCHAN_SCOPE_FAILED)
            continue;
        char name[400];
        lochan_job__scope_name(scope, name, sizeof name);
        lochan_failure_row row = {.update_id = job->update_id,
                                  .scope = name,
                                  .page = "1",
                                  .code = lochan_status_name(scope->error.code),
                                  .http_status = scope->error.http_status,
                                  .message = scope->error.message,
                                  .attempts = scope->attempts,
                                  .at_ns = scope->asked_ns};
        LOCHAN_TRY(lochan_txn__put_failure(txn, &row, err));
    }
    return LOCHAN_OK;
}

static const lochan_error *first_failure(const lochan_job *job) {
    for (size_t i = 0; i < job->n_scopes; i++) {
        if (job->scopes[i].state == LOCHAN_SCOPE_FAILED)
            return &job->scopes[i].error;
    }
    return NULL;
}

static const char *state_of(const lochan_job *job) {
    if (job->report->scopes_failed == 0)
        return "success";
    return job->report->scopes_failed < job->report->scopes ? "partial" : "failed";
}

/* ---- the transaction ---- */

static lochan_status put_all(void *ctx, lochan_txn *txn, lochan_error *err) {
    lochan_job *job = ctx;
    const lochan_error *failure = first_failure(job);
    if (job->lease)
        LOCHAN_TRY(lochan_lease__end(job->lease, txn, err));
    if (job->table && job->dataset->table_id != job->table->def.table_id)
        LOCHAN_TRY(
            lochan_txn__bind_dataset(txn, job->dataset->dataset_id, job->table->def.table_id, err));
    lochan_job__report_write(job); /* partitions may have been merged again */
    LOCHAN_TRY(put_coverage(job, txn, err));
    LOCHAN_TRY(put_run(job, txn, state_of(job), failure ? failure->message : "", err));
    LOCHAN_TRY(lochan_job__put_rejects(job, txn, err));
    return put_failures(job, txn, err);
}

/* Without a row for the table: the ledger alone. */
static lochan_status commit_ledger(lochan_job *job, lochan_error *err) {
    lochan_txn *txn = NULL;
    bool done = false;
    lochan_txn_options options = {
        .kind = "update", .token = job->request->token, .message = job->update_id};
    LOCHAN_TRY(lochan_txn__begin(job->lake->catalog, &options, &done, &job->report->snapshot_id,
                                 &txn, err));
    if (done)
        return LOCHAN_OK;
    lochan_status rc = put_all(job, txn, err);
    if (rc != LOCHAN_OK) {
        lochan_txn__abort(txn);
        return rc;
    }
    return lochan_txn__commit(&txn, &job->report->snapshot_id, err);
}

lochan_status lochan_job__publish(lochan_job *job, lochan_error *err) {
    bool keep = false;
    LOCHAN_TRY(lochan_job__write_rejects(job, err));
    LOCHAN_TRY(lochan_raw__prepare(job, &keep, err));
    LOCHAN_FAILPOINT("update.publish.before", err);
    if (job->write)
        LOCHAN_TRY(lochan_write__publish(job->write, put_all, job, &job->report->snapshot_id, err));
    else
        LOCHAN_TRY(commit_ledger(job, err));
    /* Published: from here on nothing may make the update report a failure. What cannot be cleaned
     * up now goes when an update of this dataset has something to fetch again; its pages are never
     * taken for new ones. */
    (void)lochan_failpoint__hit("update.publish.committed", NULL);
    lochan_lease__release(job->lease);
    job->lease = NULL;
    lochan_error why;
    lochan_error_init(&why);
    if (job->replay)
        return LOCHAN_OK;
    lochan_mapping__settle(job);
    if (keep && lochan_raw__keep(job, &why) != LOCHAN_OK)
        LOCHAN_WARN("%s: answers are kept in staging until the next update: %s", job->full_name,
                    why.message);
    if (!keep && lochan_staging__remove(job->staging, &why) != LOCHAN_OK)
        LOCHAN_WARN("%s: staging was not removed: %s", job->full_name, why.message);
    if (job->table && job->report->files_written > 0)
        lochan_table__tend(job->table);
    return LOCHAN_OK;
}

/* Whether a failure leaves the lake able to take a record of it. After a failed write or sync the
 * disk is left alone; a cancelled update goes on later, from its staged pages. */
static bool may_record(lochan_status status) {
    switch (status) {
    case LOCHAN_ERR_CANCELLED:
    case LOCHAN_ERR_IO:
    case LOCHAN_ERR_NO_SPACE:
    case LOCHAN_ERR_NO_MEMORY:
    case LOCHAN_ERR_READ_ONLY:
    case LOCHAN_ERR_CORRUPT:
    case LOCHAN_ERR_CATALOG:
    case LOCHAN_ERR_STALE:
        return false;
    default:
        return true;
    }
}

void lochan_job__record_failure(lochan_job *job, lochan_status status, const lochan_error *err) {
    lochan_txn *txn = NULL;
    bool done = false;
    lochan_txn_options options = {.kind = "update", .message = job->update_id};
    if (!may_record(status) || !job->lease || job->n_scopes == 0)
        return;
    if (lochan_txn__begin(job->lake->catalog, &options, &done, NULL, &txn, NULL) != LOCHAN_OK ||
        done)
        return;
    if (put_run(job, txn, "failed", err->message, NULL) != LOCHAN_OK)
        lochan_txn__abort(txn);
    else if (lochan_txn__commit(&txn, NULL, NULL) != LOCHAN_OK)
        LOCHAN_WARN("%s: the failed update could not be recorded", job->full_name);
}
