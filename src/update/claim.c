/* claim.c - see claim.h. Invariant: a job has one lease at most; it is given back when the job
 * ends, or with the transaction that publishes. May call: base/, catalog/, table/, job.h, manage.h.
 */
#include "update/claim.h"

#include "base/clock.h"
#include "update/manage.h"
#include "update/mode.h"

enum { TRIES = 4, FIRST_PAUSE_NS = 5000000, LONGEST_PAUSE_NS = 500000000 };

static lochan_lease_range whole(const char *source, const char *dataset) {
    return (lochan_lease_range){
        .source = source, .dataset = dataset, .day_from = INT32_MIN, .day_to = INT32_MAX};
}

lochan_status lochan_claim__dataset(lochan_lake *lake, const char *source, const char *dataset,
                                    lochan_lease **out, lochan_error *err) {
    const lochan_lease_range range = whole(source, dataset);
    return lochan_lease__acquire(lake->catalog, &range, 0, 0, out, err);
}

/* ---- waiting ---- */

static void tell_waiting(lochan_job *job, const lochan_error *why) {
    bool first = !job->progress.waiting_for;
    (void)lochan_format(job->waiting, sizeof job->waiting, "%s", why->message);
    job->progress.waiting_for = job->waiting;
    lochan_job__progress(job, first);
}

static lochan_status acquire(lochan_job *job, const lochan_lease_range *range, lochan_error *err) {
    int64_t limit = job->lake->lock_timeout_ms, start = lochan_clock__mono_ns();
    int64_t pause = FIRST_PAUSE_NS;
    for (;;) {
        lochan_error why;
        lochan_error_init(&why);
        LOCHAN_TRY(lochan_cancel__check(job->lake->ctx.cancel, err));
        lochan_status rc =
            lochan_lease__acquire(job->lake->catalog, range, 0, 0, &job->lease, &why);
        int64_t spent = (lochan_clock__mono_ns() - start) / 1000000;
        if (rc != LOCHAN_ERR_LOCKED || (limit >= 0 && spent >= limit)) {
            job->progress.waiting_for = NULL;
            if (rc != LOCHAN_OK && err)
                *err = why;
            return rc;
        }
        tell_waiting(job, &why);
        lochan_clock__sleep_ns(pause / 2 + (int64_t)lochan_random__below((uint64_t)pause));
        pause = 2 * pause < LONGEST_PAUSE_NS ? 2 * pause : LONGEST_PAUSE_NS;
    }
}

lochan_status lochan_job__claim_dataset(lochan_job *job, lochan_error *err) {
    const lochan_lease_range range = whole(job->spec->source, job->spec->name);
    return acquire(job, &range, err);
}

/* ---- what is planned ---- */

/* The days between the first and the last of the plan, of the assets that were named. */
static lochan_lease_range range_of_plan(const lochan_job *job) {
    lochan_lease_range range = whole(job->request->source, job->request->dataset);
    if (job->spec->update_mode->all_scopes || job->source->kind == LOCHAN_SOURCE_FILES)
        return range;
    range.assets = job->request->assets;
    range.n_assets = job->request->n_assets;
    if (job->timeless)
        return range;
    range.day_from = INT32_MAX;
    range.day_to = INT32_MIN;
    for (size_t i = 0; i < job->n_scopes; i++) {
        lochan_window window = job->scopes[i].window;
        range.day_from = window.from < range.day_from ? window.from : range.day_from;
        range.day_to = window.to > range.day_to ? window.to : range.day_to;
    }
    return range;
}

static bool lies_within(const lochan_lease_range *inner, const lochan_lease_range *outer) {
    return inner->day_from >= outer->day_from && inner->day_to <= outer->day_to &&
           (outer->n_assets == 0 || inner->n_assets > 0);
}

/* ---- what others did since the plan was made ---- */

static bool same_dataset(const lochan_dataset_row *a, const lochan_dataset_row *b) {
    return a->dataset_id == b->dataset_id && a->table_id == b->table_id &&
           a->enabled == b->enabled && strcmp(a->spec, b->spec) == 0;
}

static bool same_coverage(const lochan_coverage *a, const lochan_coverage *b) {
    return a->day_from == b->day_from && a->day_to == b->day_to && a->state == b->state &&
           a->asked_ns == b->asked_ns && strcmp(a->asset, b->asset) == 0 &&
           strcmp(a->variant, b->variant) == 0;
}

static lochan_status is_current(const lochan_job *job, bool *current, lochan_error *err) {
    lochan_dataset_rows datasets = {0};
    lochan_coverage_rows rows = {0};
    lochan_catalog *catalog = job->lake->catalog;
    lochan_status rc;
    *current = false;
    LOCHAN_TRYG(lochan_catalog__datasets(catalog, job->request->source, job->request->dataset,
                                         &datasets, err));
    if (datasets.n != 1 || !same_dataset(&datasets.rows[0], job->dataset))
        goto done;
    LOCHAN_TRYG(lochan_catalog__coverage(catalog, job->dataset->dataset_id, &rows, err));
    *current = rows.n == job->book.rows.n;
    for (size_t i = 0; i < rows.n && *current; i++)
        *current = same_coverage(&rows.rows[i], &job->book.rows.rows[i]);
done:
    lochan_coverage_rows__deinit(&rows);
    lochan_dataset_rows__deinit(&datasets);
    return rc;
}

static void give_back(lochan_job *job) {
    lochan_lease__release(job->lease);
    job->lease = NULL;
}

lochan_status lochan_job__claim_plan(lochan_job *job, lochan_error *err) {
    for (int i = 0;; i++) {
        bool current;
        lochan_lease_range range =
            i < TRIES ? range_of_plan(job) : whole(job->request->source, job->request->dataset);
        LOCHAN_TRY(acquire(job, &range, err));
        LOCHAN_TRY(is_current(job, &current, err));
        if (current)
            return LOCHAN_OK;
        lochan_job__unplan(job);
        LOCHAN_TRY(lochan_job__load_specs(job, err));
        LOCHAN_TRY(lochan_job__plan(job, err));
        if (job->n_scopes == 0)
            break;
        lochan_lease_range now = range_of_plan(job);
        if (lies_within(&now, &range))
            return LOCHAN_OK;
        give_back(job); /* more is missing than before */
    }
    give_back(job);
    return LOCHAN_OK;
}
