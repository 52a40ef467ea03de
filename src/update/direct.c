/* direct.c - see direct.h: each scope is one task, which tries again within its retries. The
 * source's own work happens in files.c and callback.c; what they give goes through page.c.
 * Invariants: a scope belongs to one thread; counts of the job are changed under the mutex;
 * progress is told by the caller's thread only. May call: base/, source/, callback.h, files.h.
 */
#include "update/direct.h"

#include "base/clock.h"
#include "source/fetch_own.h"
#include "update/callback.h"
#include "update/deliver.h"
#include "update/files.h"
#include "update/page.h"
#include <pthread.h>

#define NAP_NS                                                                                     \
    INT64_C(50000000) /* a wait is left within this time when the update is cancelled              \
                       */

struct direct {
    lochan_job *job;
    int32_t max_retries;
    int64_t backoff_ns, max_backoff_ns;
    pthread_t caller;
    pthread_mutex_t mutex; /* guards the job's report and progress */
};

static lochan_status fetch_scope(lochan_job *job, lochan_scope *scope,
                                 lochan_direct_outcome *outcome, lochan_error *err) {
    if (job->source->kind == LOCHAN_SOURCE_FILES)
        return lochan_files__fetch(job, scope, outcome, err);
    return lochan_callback__fetch(job, scope, outcome, err);
}

/* Only what the callback itself says is worth another try; a file does not get better by itself. */
static bool worth_another_try(const struct direct *all, const lochan_direct_outcome *outcome,
                              const lochan_error *error) {
    if (!outcome->theirs || all->job->source->kind != LOCHAN_SOURCE_CALLBACK)
        return false;
    return error->retryable || error->code == LOCHAN_ERR_PAGE ||
           error->code == LOCHAN_ERR_NETWORK || error->code == LOCHAN_ERR_TIMEOUT ||
           error->code == LOCHAN_ERR_RATE_LIMIT;
}

static lochan_status wait_for(const struct direct *all, int64_t ns, lochan_error *err) {
    int64_t until = lochan_clock__mono_ns() + ns;
    for (int64_t left = ns; left > 0; left = until - lochan_clock__mono_ns()) {
        LOCHAN_TRY(lochan_cancel__check(all->job->lake->ctx.cancel, err));
        lochan_clock__sleep_ns(left < NAP_NS ? left : NAP_NS);
    }
    return LOCHAN_OK;
}

static lochan_status wait_to_retry(struct direct *all, const lochan_error *error,
                                   int64_t *backoff_ns, lochan_error *err) {
    *backoff_ns = lochan_fetch__next_backoff(all->backoff_ns, all->max_backoff_ns, *backoff_ns);
    int64_t ns = *backoff_ns, asked = error->retry_after_ms;
    if (asked > 0 && asked < INT64_MAX / 1000000 && asked * 1000000 > ns)
        ns = asked * 1000000;
    pthread_mutex_lock(&all->mutex);
    all->job->report->retries++;
    all->job->progress.retries++;
    pthread_mutex_unlock(&all->mutex);
    return wait_for(all, ns, err);
}

static void count_scope(struct direct *all, size_t index, const lochan_direct_outcome *outcome,
                        const lochan_error *failure) {
    lochan_job *job = all->job;
    lochan_scope *scope = &job->scopes[index];
    pthread_mutex_lock(&all->mutex);
    job->report->requests += outcome->resumed ? 0 : scope->attempts;
    if (failure) {
        lochan_job__fail_scope(job, index, failure, scope->attempts);
    } else {
        scope->state = LOCHAN_SCOPE_DONE;
        job->report->pages += outcome->pages;
        job->report->pages_resumed += outcome->resumed ? outcome->pages : 0;
        job->report->bytes_fetched += scope->bytes;
        job->progress.rows += scope->rows_fetched;
        job->progress.bytes += scope->bytes;
    }
    job->progress.pages_done++;
    if (pthread_equal(all->caller, pthread_self()))
        lochan_job__progress(job, false);
    pthread_mutex_unlock(&all->mutex);
}

static lochan_status run_scope(void *ctx, size_t index, lochan_error *err) {
    struct direct *all = ctx;
    lochan_scope *scope = &all->job->scopes[index];
    int64_t backoff_ns = 0;
    for (;;) {
        lochan_error error;
        lochan_direct_outcome outcome = {0};
        lochan_error_init(&error);
        lochan_scope__clear(all->job, scope);
        scope->bytes = 0;
        scope->attempts++;
        scope->asked_ns = lochan_clock__wall_ns();
        lochan_status rc = fetch_scope(all->job, scope, &outcome, &error);
        if (rc == LOCHAN_OK) {
            outcome.theirs = false;
            rc = lochan_deliver__page_taken(all->job, index, true, &error);
        }
        if (rc == LOCHAN_OK) {
            count_scope(all, index, &outcome, NULL);
            return LOCHAN_OK;
        }
        error.code = rc;
        bool stop = lochan_cancel__requested(all->job->lake->ctx.cancel) || all->job->broken;
        if (stop || (!outcome.theirs && lochan_page__ends_update(rc))) {
            if (err)
                *err = error;
            return rc;
        }
        if (scope->attempts > all->max_retries || !worth_another_try(all, &outcome, &error)) {
            count_scope(all, index, &outcome, &error);
            return LOCHAN_OK;
        }
        LOCHAN_TRY(wait_to_retry(all, &error, &backoff_ns, err));
    }
}

static lochan_status run_in_order(struct direct *all, lochan_error *err) {
    for (size_t i = 0; i < all->job->n_scopes; i++) {
        LOCHAN_TRY(lochan_cancel__check(all->job->lake->ctx.cancel, err));
        LOCHAN_TRY(run_scope(all, i, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_direct__collect(lochan_job *job, lochan_error *err) {
    const lochan_update_request *r = job->request;
    struct direct all = {.job = job, .caller = pthread_self()};
    int workers = r->workers > 0 ? r->workers : job->source->workers;
    bool parallel = job->source->kind == LOCHAN_SOURCE_FILES || lochan_callback__is_parallel(job);
    int64_t began = lochan_clock__mono_ns();
    lochan_pool *pool = NULL;
    all.max_retries = r->max_retries >= 0 ? r->max_retries : job->source->max_retries;
    all.backoff_ns = r->retry_backoff_seconds >= 0 ? (int64_t)(r->retry_backoff_seconds * 1e9)
                                                   : job->source->retry_backoff_ns;
    all.max_backoff_ns =
        job->source->max_backoff_ns > all.backoff_ns ? job->source->max_backoff_ns : all.backoff_ns;
    pthread_mutex_init(&all.mutex, NULL);
    lochan_status rc = LOCHAN_OK;
    if (parallel && workers > 1 && job->n_scopes > 1) {
        /* threads of its own: a callback may wait long, which must not stop others' work */
        if ((size_t)workers > job->n_scopes)
            workers = (int)job->n_scopes;
        rc = lochan_pool__create(workers, &pool, err);
        if (rc == LOCHAN_OK)
            rc = lochan_pool__for(pool, job->n_scopes, run_scope, &all, job->lake->ctx.cancel, err);
        lochan_pool__free(pool);
    } else {
        rc = run_in_order(&all, err);
    }
    pthread_mutex_destroy(&all.mutex);
    job->report->stage_seconds[LOCHAN_STAGE_NORMALISE] =
        (double)(lochan_clock__mono_ns() - began) / 1e9;
    return rc;
}
