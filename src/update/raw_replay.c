/* raw_replay.c - an update once more, from its kept answers: the record gives the plan, the folder
 * the answers, and everything after that is the update's usual way.
 * Invariant: no provider is asked. May call: base/, source/decode.h, deliver.h, page.h, raw.h.
 */
#include "update/raw.h"

#include "base/hash.h"
#include "source/decode.h"
#include "update/deliver.h"
#include "update/page.h"

/* ---- the plan ---- */

static lochan_status join_assets(lochan_job *job, const lochan_raw_scope *raw, const char **out,
                                 lochan_error *err) {
    lochan_buf text;
    lochan_buf__init(&text, 16u << 20);
    lochan_status rc = LOCHAN_OK;
    for (size_t i = 0; i < raw->n_assets && rc == LOCHAN_OK; i++)
        rc = lochan_buf__printf(&text, err, "%s%s", i ? job->spec->asset_separator : "",
                                raw->assets[i]);
    if (rc == LOCHAN_OK) {
        *out = lochan_arena__strndup(&job->arena, (const char *)text.data, text.len);
        rc = *out ? LOCHAN_OK : lochan_error__nomem(err);
    }
    lochan_buf__deinit(&text);
    return rc;
}

/* The name is all that the way of the rows needs of a set of parameters. */
static lochan_status name_variant(lochan_job *job, const char *name, const lochan_param_set **out,
                                  lochan_error *err) {
    *out = NULL;
    if (!name[0])
        return LOCHAN_OK;
    lochan_param_set *set = lochan_arena__alloc(&job->arena, sizeof *set);
    if (!set)
        return lochan_error__nomem(err);
    set->name = name;
    *out = set;
    return LOCHAN_OK;
}

static lochan_status plan_scope(lochan_job *job, const lochan_raw_scope *raw, lochan_scope *scope,
                                lochan_error *err) {
    size_t n = raw->n_assets > 0 ? raw->n_assets : 1;
    scope->window = raw->window;
    scope->asked_ns = raw->asked_ns;
    scope->open_ended = raw->open_ended;
    scope->attempts = 1;
    scope->series = lochan_arena__array(&job->arena, n, sizeof(lochan_series *));
    if (!scope->series)
        return lochan_error__nomem(err);
    LOCHAN_TRY(name_variant(job, raw->variant, &scope->variant, err));
    if (raw->n_assets > 0)
        LOCHAN_TRY(join_assets(job, raw, &scope->assets, err));
    for (; scope->n_series < n; scope->n_series++)
        LOCHAN_TRY(lochan_book__get(&job->book,
                                    raw->n_assets > 0 ? raw->assets[scope->n_series] : "",
                                    raw->variant, &scope->series[scope->n_series], err));
    return LOCHAN_OK;
}

lochan_status lochan_replay__plan(lochan_job *job, lochan_error *err) {
    const lochan_raw_record *record = job->replay->record;
    size_t bytes = record->n_scopes * sizeof *job->scopes;
    job->level = record->level;
    if (job->spec->calendar.source)
        LOCHAN_TRY(lochan_calendar__read(job->replay->lake, &job->spec->calendar, &job->arena,
                                         &job->calendar, err));
    LOCHAN_TRY(lochan_budget__take(job->lake->ctx.budget, bytes, "the plan of an update", err));
    job->plan_budget += bytes;
    job->scopes = lochan_mem__array(record->n_scopes + 1, sizeof *job->scopes);
    if (!job->scopes)
        return lochan_error__nomem(err);
    for (; job->n_scopes < record->n_scopes; job->n_scopes++)
        LOCHAN_TRY(
            plan_scope(job, &record->scopes[job->n_scopes], &job->scopes[job->n_scopes], err));
    job->report->scopes = job->progress.pages_total = (int64_t)job->n_scopes;
    return LOCHAN_OK;
}

/* ---- the answers ---- */

struct replay {
    lochan_job *job;
    pthread_mutex_t mutex; /* guards the job's report */
};

static lochan_status take_answer(lochan_job *job, lochan_scope *scope, size_t number,
                                 lochan_hash128 request, lochan_error *err) {
    lochan_rows rows = {0};
    lochan_page_facts facts = {0};
    lochan_buf body;
    int64_t fetched_at;
    size_t taken = 0;
    bool found = false;
    lochan_status rc;
    lochan_buf__init(&body, (size_t)job->source->max_body + 1);
    LOCHAN_TRYG(lochan_staging__get(job->staging, request, (size_t)job->source->max_body, &body,
                                    &fetched_at, &found, err));
    if (!found) {
        char hex[33];
        lochan_hash128__hex(request, hex);
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "the kept answer %s is gone or damaged",
                               hex);
        lochan_error__in_file(err, rc, job->replay->folder, -1);
        goto done;
    }
    LOCHAN_TRYG(lochan_budget__take(job->lake->ctx.budget, body.len, "a kept answer", err));
    taken = body.len;
    scope->page_request = request;
    LOCHAN_TRYG(lochan_page__decode(job, scope, job->spec->paging, &body, &rows, &facts, err));
    rc = lochan_page__keep(job, scope, (int64_t)number, &rows, err);
done:
    lochan_budget__give(job->lake->ctx.budget, taken);
    lochan_buf__deinit(&body);
    lochan_rows__release(&rows);
    lochan_page_facts__deinit(&facts);
    return rc;
}

static lochan_status take_scope(lochan_job *job, size_t index, lochan_error *err) {
    lochan_scope *scope = &job->scopes[index];
    const lochan_raw_scope *raw = &job->replay->record->scopes[index];
    for (size_t i = 0; i < raw->n_answers; i++) {
        LOCHAN_TRY(lochan_cancel__check(job->lake->ctx.cancel, err));
        LOCHAN_TRY(take_answer(job, scope, i, raw->answers[i], err));
        LOCHAN_TRY(lochan_deliver__page_taken(job, index, i + 1 == raw->n_answers, err));
    }
    return LOCHAN_OK;
}

/* An answer that the spec as it is now does not take fails its scope, as in an update. */
static lochan_status run_scope(void *ctx, size_t index, lochan_error *err) {
    struct replay *all = ctx;
    lochan_job *job = all->job;
    int64_t asked_ns = job->scopes[index].asked_ns;
    lochan_error why;
    lochan_error_init(&why);
    lochan_status rc = take_scope(job, index, &why);
    bool ends = job->broken || (rc != LOCHAN_ERR_CORRUPT && lochan_page__ends_update(rc));
    if (rc != LOCHAN_OK && ends) {
        if (err)
            *err = why;
        return rc;
    }
    pthread_mutex_lock(&all->mutex);
    if (rc != LOCHAN_OK)
        lochan_job__fail_scope(job, index, &why, 1);
    else
        job->scopes[index].state = LOCHAN_SCOPE_DONE;
    job->scopes[index].asked_ns = asked_ns;
    job->report->pages += (int64_t)job->replay->record->scopes[index].n_answers;
    pthread_mutex_unlock(&all->mutex);
    return LOCHAN_OK;
}

lochan_status lochan_replay__collect(lochan_job *job, lochan_error *err) {
    struct replay all = {.job = job};
    pthread_mutex_init(&all.mutex, NULL);
    lochan_status rc = lochan_pool__for(job->lake->ctx.pool, job->n_scopes, run_scope, &all,
                                        job->lake->ctx.cancel, err);
    pthread_mutex_destroy(&all.mutex);
    return rc;
}
