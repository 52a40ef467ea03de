/* plan.c - from the ledger's gaps to scopes: which windows are asked for, each with its request.
 * Windows are cut at calendar boundaries (year, month), so that the same gap gives the same
 * requests whenever it is planned. May call: base/, catalog/, source/, ledger.h.
 */
#include "update/job.h"

#define MAX_SCOPES 1000000

static lochan_status load_cover(lochan_ledger *ledger, const lochan_coverage *row,
                                lochan_error *err) {
    lochan_cover cover = {0};
    cover.from = row->day_from;
    cover.to = row->day_to;
    cover.state = (lochan_cover_state)(row->state - LOCHAN_COVERAGE_SUCCESS);
    cover.asked_at = row->asked_ns;
    cover.attempts = (int32_t)row->attempts;
    cover.rows = row->rows;
    (void)lochan_format(cover.hash, sizeof cover.hash, "%s", row->content_hash);
    (void)lochan_format(cover.update_id, sizeof cover.update_id, "%s", row->update_id);
    (void)lochan_format(cover.message, sizeof cover.message, "%s", row->message);
    return lochan_ledger__load(ledger, &cover, err);
}

/* The series of all assets and no variant: the one that planner snapshot keeps. */
static lochan_status load_ledger(lochan_job *job, lochan_error *err) {
    lochan_coverage_rows rows = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_catalog__coverage(job->lake->catalog, job->dataset->dataset_id, &rows, err));
    for (size_t i = 0; i < rows.n; i++) {
        if (rows.rows[i].asset[0] || rows.rows[i].variant[0])
            continue;
        LOCHAN_TRYG(load_cover(&job->ledger, &rows.rows[i], err));
        LOCHAN_TRYG(load_cover(&job->ledger_after, &rows.rows[i], err));
    }
done:
    lochan_coverage_rows__deinit(&rows);
    return rc;
}

/* Without a start: where the ledger begins, but never later than the spec's default_start. */
static lochan_status choose_start(lochan_job *job, lochan_error *err) {
    if (job->has_start)
        return LOCHAN_OK;
    bool known = job->spec->has_default_start;
    job->start = job->spec->default_start;
    if (job->ledger.count > 0 && (!known || job->ledger.rows[0].from < job->start)) {
        job->start = job->ledger.rows[0].from;
        known = true;
    }
    if (known)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                          "%s was never updated and its spec has no default_start", job->full_name);
    lochan_error__hint(err, "say from when: --start YYYY-MM-DD, or default_start in the spec");
    return rc;
}

/* Last day of the chunk that holds `day`. Chunks of years and months count from year 0; days at
 * 1970-01-01. */
static int32_t chunk_end(const lochan_dataset_spec *spec, int32_t day) {
    lochan_civil c = lochan_civil__from_days(day);
    int32_t n = spec->chunk_count;
    switch (spec->chunk_unit) {
    case LOCHAN_CHUNK_NONE:
        return INT32_MAX;
    case LOCHAN_CHUNK_DAYS:
        return day - (((day % n) + n) % n) + n - 1;
    case LOCHAN_CHUNK_MONTHS: {
        int32_t month = (c.year * 12 + c.month - 1) / n * n +
                        n; /* first month after the chunk, counted from year 0 */
        c = (lochan_civil){month / 12, month % 12 + 1, 1};
        break;
    }
    case LOCHAN_CHUNK_YEARS:
        c = (lochan_civil){c.year / n * n + n, 1, 1};
        break;
    }
    return c.year > 9999 ? INT32_MAX : lochan_civil__to_days(c) - 1;
}

static lochan_status cut_windows(const lochan_job *job, const lochan_windows *gaps,
                                 lochan_windows *out, lochan_error *err) {
    for (size_t i = 0; i < gaps->count; i++) {
        int32_t from = gaps->items[i].from, last = gaps->items[i].to;
        while (from <= last) {
            int32_t end = chunk_end(job->spec, from);
            end = end < last ? end : last;
            if (out->count >= MAX_SCOPES)
                return lochan_error__set(
                    err, LOCHAN_ERR_INVALID_ARGUMENT,
                    "%s: more than %d requests; ask for a smaller window or larger chunks",
                    job->full_name, MAX_SCOPES);
            LOCHAN_TRY(lochan_windows__add(out, from, end, err));
            if (end == last)
                break;
            from = end + 1;
        }
    }
    return LOCHAN_OK;
}

static lochan_status build_request(lochan_job *job, lochan_scope *scope, lochan_error *err) {
    char from[64], to[64];
    LOCHAN_TRY(
        lochan_source_spec__print_date(job->source, scope->window.from, from, sizeof from, err));
    LOCHAN_TRY(lochan_source_spec__print_date(job->source, scope->window.to, to, sizeof to, err));
    const lochan_source_value values[] = {{"start", from},
                                          {"end", to},
                                          {"dataset", job->spec->name},
                                          {"source_dataset", job->spec->source_dataset}};
    LOCHAN_TRY(lochan_source__build_request(job->source, values, LOCHAN_COUNTOF(values),
                                            job->spec->params, job->spec->n_params, &scope->request,
                                            err));
    return lochan_source_request__hash(&scope->request, &scope->request_hash, err);
}

static lochan_gap_kind gap_kind(const lochan_update_request *request) {
    if (request->repair)
        return LOCHAN_GAP_FAILED;
    return request->force ? LOCHAN_GAP_ALL : LOCHAN_GAP_OPEN;
}

lochan_status lochan_job__plan(lochan_job *job, lochan_error *err) {
    lochan_windows gaps = {0}, windows = {0};
    lochan_status rc;
    LOCHAN_TRYG(load_ledger(job, err));
    LOCHAN_TRYG(choose_start(job, err));
    if (job->start <= job->end)
        LOCHAN_TRYG(lochan_ledger__gaps(&job->ledger, job->start, job->end, job->spec->settle_days,
                                        gap_kind(job->request), &gaps, err));
    LOCHAN_TRYG(cut_windows(job, &gaps, &windows, err));
    job->plan_budget = windows.count * sizeof *job->scopes;
    rc = lochan_budget__take(job->lake->ctx.budget, job->plan_budget, "the plan of an update", err);
    if (rc != LOCHAN_OK) {
        job->plan_budget = 0;
        goto done;
    }
    job->scopes = lochan_mem__array(windows.count ? windows.count : 1, sizeof *job->scopes);
    if (!job->scopes) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < windows.count; i++) {
        lochan_scope *scope = &job->scopes[i];
        scope->window = windows.items[i];
        job->n_scopes = i + 1;
        LOCHAN_TRYG(build_request(job, scope, err));
    }
    job->report->scopes = (int64_t)job->n_scopes;
    job->progress.pages_total = (int64_t)job->n_scopes;
done:
    lochan_windows__deinit(&gaps);
    lochan_windows__deinit(&windows);
    return rc;
}
