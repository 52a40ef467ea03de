/* run.c - one update from start to end: the order of the steps, their times, what the caller is
 * told. May call: base/, catalog/, table/, source/, the rest of update/.
 */
#include "update/callback.h"
#include "update/claim.h"
#include "update/heal.h"
#include "update/missing.h"
#include "update/raw.h"

#include "base/clock.h"

#define PROGRESS_NS INT64_C(100000000)

void lochan_job__progress(lochan_job *job, bool now) {
    int64_t mono = lochan_clock__mono_ns();
    if (!job->request->progress || (!now && mono - job->last_progress_mono < PROGRESS_NS))
        return;
    job->last_progress_mono = mono;
    job->request->progress(job->request->payload, &job->progress);
}

void lochan_job__enter(lochan_job *job, lochan_stage stage) {
    int64_t mono = lochan_clock__mono_ns();
    job->report->stage_seconds[job->progress.stage] += (double)(mono - job->stage_mono) / 1e9;
    job->stage_mono = mono;
    job->progress.stage = stage;
    job->progress.waiting_for = NULL;
    lochan_job__progress(job, true);
}

static void init_job(lochan_job *job, lochan_lake *lake, const lochan_update_request *request,
                     lochan_update_report *report) {
    *report = (lochan_update_report){.struct_size = sizeof *report, .snapshot_id = -1};
    job->lake = lake;
    job->request = request;
    job->report = report;
    job->started_ns = lochan_clock__wall_ns();
    job->started_mono = job->stage_mono = lochan_clock__mono_ns();
    job->progress.struct_size = sizeof job->progress;
    job->progress.source = request->source;
    job->progress.dataset = request->dataset;
    lochan_uuid__make(job->update_id);
    memcpy(report->update_id, job->update_id, sizeof job->update_id);
    (void)lochan_format(job->full_name, sizeof job->full_name, "%s.%s",
                        request->source ? request->source : "?",
                        request->dataset ? request->dataset : "?");
}

static void deinit_job(lochan_job *job) {
    lochan_write__free(job->write);
    lochan_table__close(job->table);
    lochan_staging__free(job->staging);
    lochan_extras__deinit(job);
    lochan_missing__deinit(job);
    lochan_job__unplan(job);
    lochan_schema__release(&job->schema);
    lochan_lease__release(job->lease);
    lochan_callback__release(job);
    lochan_source_spec__free(job->source);
    lochan_dataset_spec__free(job->spec);
    lochan_dataset_rows__deinit(&job->dataset_rows);
    lochan_mem__free(job->request_json);
}

/* OK, PARTIAL, or the first failure if nothing landed. */
static lochan_status outcome(const lochan_job *job, lochan_error *err) {
    const lochan_update_report *report = job->report;
    if (report->scopes_failed == 0)
        return LOCHAN_OK;
    const lochan_error *first = NULL;
    for (size_t i = 0; i < job->n_scopes && !first; i++)
        first = job->scopes[i].state == LOCHAN_SCOPE_FAILED ? &job->scopes[i].error : NULL;
    bool none_landed = report->scopes_failed == report->scopes;
    lochan_status code = none_landed ? first->code : LOCHAN_ERR_PARTIAL;
    if (err) {
        lochan_error cause = *first; /* where it happened stays in the fields */
        *err = cause;
        err->code = code;
        (void)lochan_format(err->message, sizeof err->message,
                            "%s: %lld of %lld scopes failed%s; the first: %s", job->full_name,
                            (long long)report->scopes_failed, (long long)report->scopes,
                            none_landed ? "" : ", the others were published", cause.message);
        (void)lochan_format(err->hint, sizeof err->hint, "%s",
                            none_landed ? lochan_status_hint(code)
                                        : lochan_status_hint(LOCHAN_ERR_PARTIAL));
        err->retryable = true;
    }
    return code;
}

static lochan_status open_staging(lochan_job *job, lochan_error *err) {
    const lochan_staging_claim claim = {lochan_raw__claim, job};
    if (job->replay)
        return lochan_staging__at(job->replay->folder, &job->staging, err);
    return lochan_staging__open(lochan_lake_path(job->lake), job->update_id, job->spec->source,
                                job->spec->name, job->spec->staging_max_age_ns, &claim,
                                &job->staging, &job->adopted, err);
}

static lochan_status run_steps(lochan_job *job, lochan_error *err) {
    lochan_job__enter(job, LOCHAN_STAGE_FETCH);
    LOCHAN_TRY(open_staging(job, err));
    LOCHAN_FAILPOINT("update.staging.open", err);
    LOCHAN_TRY(lochan_job__collect(job, err));
    LOCHAN_FAILPOINT("update.collected", err);
    lochan_job__enter(job, LOCHAN_STAGE_WRITE);
    LOCHAN_TRY(lochan_job__assemble(job, err));
    lochan_missing__warn(job);
    LOCHAN_FAILPOINT("update.assembled", err);
    LOCHAN_TRY(lochan_cancel__check(job->lake->ctx.cancel, err));
    lochan_job__enter(job, LOCHAN_STAGE_PUBLISH);
    return lochan_job__publish(job, err);
}

/* A token that was committed already: the same answer again, without asking the provider. */
static lochan_status already_done(lochan_job *job, bool *done, lochan_error *err) {
    *done = false;
    if (!job->request->token)
        return LOCHAN_OK;
    return lochan_catalog__commit_by_token(job->lake->catalog, job->request->token, done,
                                           &job->report->snapshot_id, err);
}

/* A repair has the dataset for itself, since it takes files out before it plans. */
static lochan_status plan_and_claim(lochan_job *job, lochan_error *err) {
    bool dry = job->request->dry_run;
    if (job->request->repair && !dry && job->dataset->table_id >= 0) {
        LOCHAN_TRY(lochan_job__claim_dataset(job, err));
        LOCHAN_TRY(lochan_job__load_specs(job, err));
        LOCHAN_TRY(lochan_job__forget_damaged(job, err));
    }
    LOCHAN_TRY(lochan_job__plan(job, err));
    if (dry || job->lease || job->replay || job->n_scopes == 0)
        return LOCHAN_OK;
    return lochan_job__claim_plan(job, err);
}

static lochan_status run_job(lochan_job *job, lochan_error *err) {
    bool done;
    lochan_job__progress(job, true);
    LOCHAN_TRY(lochan_job__prepare(job, err));
    LOCHAN_TRY(already_done(job, &done, err));
    if (!done)
        LOCHAN_TRY(plan_and_claim(job, err));
    if (!done) /* somebody may have waited for the same commit */
        LOCHAN_TRY(already_done(job, &done, err));
    job->report->nothing_to_do = done || job->n_scopes == 0;
    if (!done)
        lochan_heal__tell(job);
    if (job->report->nothing_to_do || job->request->dry_run)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_extras__init(job, err));
    LOCHAN_TRY(lochan_missing__begin(job, err));
    lochan_error why;
    lochan_error_init(&why);
    lochan_status rc = run_steps(job, &why);
    if (rc != LOCHAN_OK) {
        lochan_job__record_failure(job, rc, &why);
        if (err)
            *err = why;
        return lochan_error__in_table(err, rc, job->full_name, NULL, -1);
    }
    return job->replay ? LOCHAN_OK : outcome(job, err); /* a replay looks at the ledger */
}

static lochan_status run(lochan_lake *lake, const lochan_update_request *request,
                         const lochan_replay *replay, lochan_update_report *report,
                         lochan_error *err) {
    lochan_job job = {0};
    init_job(&job, lake, request, report);
    if (replay) { /* it is that update once more */
        job.replay = replay;
        job.started_ns = replay->record->started_ns;
        memcpy(job.update_id, replay->record->update_id, sizeof job.update_id);
    }
    lochan_status rc = run_job(&job, err);
    lochan_job__enter(&job, LOCHAN_STAGE_DONE);
    report->seconds = (double)(lochan_clock__mono_ns() - job.started_mono) / 1e9;
    deinit_job(&job);
    return rc;
}

lochan_status lochan_replay__run(lochan_lake *lake, const lochan_update_request *request,
                                 const lochan_replay *replay, lochan_update_report *report,
                                 lochan_error *err) {
    return run(lake, request, replay, report, err);
}

lochan_status lochan_update_run(lochan_lake *lake, const lochan_update_request *request,
                                lochan_update_report *report, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && request && report, err);
    return run(lake, request, NULL, report, err);
}
