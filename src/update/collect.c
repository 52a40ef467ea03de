/* collect.c - gets the answer of every scope: from staging if an earlier update left it there, else
 * from the provider.
 *
 * One thread (the caller's) speaks to the network; worker threads decode and stage what came. A
 * page that turns out to be unusable goes back to the network thread and is asked again within its
 * budget of retries; a page that breaks the dataset's contract fails its scope at once. Staging
 * takes a page only after it was decoded, so what an update goes on from is never what made it
 * stop. Invariant: a scope belongs to one task at a time. May call: base/, arrow/, source/,
 * staging.h.
 */
#include "update/job.h"

#include "base/clock.h"
#include <pthread.h>

#define QUEUE_PER_THREAD 3 /* pages waiting for a worker before fetching pauses */

typedef struct collector collector;

struct page_task {
    collector *all;
    size_t index;
    lochan_buf body;
    bool stage;  /* it came from the network */
    bool usable; /* false with LOCHAN_ERR_PAGE: ask again */
    struct page_task *next;
};

struct collector {
    lochan_job *job;
    lochan_fetcher *fetcher;
    lochan_group *group;
    int64_t rows; /* decoded so far, for progress */
    _Atomic int64_t worker_ns;
    size_t outstanding; /* tasks not yet back; network thread only */
    pthread_mutex_t mutex;
    struct page_task *finished; /* under mutex: tasks that came back */
    bool stop;                  /* under mutex: the update itself failed */
    lochan_error stop_error;
};

/* ---- workers ---- */

/* Failures that are not the page's fault end the update: the scope would fail for them again. */
static bool ends_update(lochan_status code) {
    switch (code) {
    case LOCHAN_ERR_PAGE:
    case LOCHAN_ERR_VALIDATION:
    case LOCHAN_ERR_SCHEMA:
    case LOCHAN_ERR_VALUE:
        return false;
    default:
        return true;
    }
}

static lochan_status stage_page(struct page_task *task, lochan_error *err) {
    lochan_scope *scope = &task->all->job->scopes[task->index];
    lochan_staged_page page = {scope->request_hash, scope->request.url, 200, scope->asked_ns};
    return lochan_staging__put(task->all->job->staging, &page, task->body.data, task->body.len,
                               err);
}

static void give_back(collector *all, struct page_task *task) {
    pthread_mutex_lock(&all->mutex);
    task->next = all->finished;
    all->finished = task;
    pthread_mutex_unlock(&all->mutex);
    if (all->fetcher)
        lochan_fetcher__wake(all->fetcher);
}

static void stop_update(collector *all, const lochan_error *error) {
    pthread_mutex_lock(&all->mutex);
    if (!all->stop) {
        all->stop = true;
        all->stop_error = *error;
    }
    pthread_mutex_unlock(&all->mutex);
}

static lochan_status run_task(void *ctx, size_t index, lochan_error *err) {
    (void)index;
    (void)err;
    struct page_task *task = ctx;
    lochan_job *job = task->all->job;
    lochan_scope *scope = &job->scopes[task->index];
    lochan_error error;
    lochan_error_init(&error);
    int64_t began = lochan_clock__mono_ns();
    lochan_status rc = lochan_job__decode_page(job, scope, &task->body, &error);
    if (rc == LOCHAN_OK && task->stage)
        rc = stage_page(task, &error);
    if (rc == LOCHAN_OK) {
        scope->state = LOCHAN_SCOPE_DONE;
    } else {
        scope->error = error;
        if (ends_update(rc))
            stop_update(task->all, &error);
    }
    task->usable = rc == LOCHAN_OK;
    task->all->worker_ns += lochan_clock__mono_ns() - began;
    size_t size = task->body.len;
    lochan_buf__deinit(&task->body);
    lochan_budget__give(job->lake->ctx.budget, size);
    give_back(task->all, task);
    return LOCHAN_OK;
}

/* When the budget is short, the pages that are being decoded are waited for: they give theirs back.
 */
static lochan_status take_budget(collector *all, size_t bytes, lochan_error *err) {
    if (lochan_budget__try_take(all->job->lake->ctx.budget, bytes))
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_group__wait(all->group, err));
    return lochan_budget__take(all->job->lake->ctx.budget, bytes, "a page on its way", err);
}

/* Takes *body, also on failure. */
static lochan_status submit(collector *all, size_t index, lochan_buf *body, bool stage,
                            lochan_error *err) {
    lochan_status rc = take_budget(all, body->len, err);
    struct page_task *task = rc == LOCHAN_OK ? lochan_mem__zalloc(sizeof *task) : NULL;
    if (!task) {
        if (rc == LOCHAN_OK) {
            lochan_budget__give(all->job->lake->ctx.budget, body->len);
            rc = lochan_error__nomem(err);
        }
        lochan_buf__deinit(body);
        return rc;
    }
    task->all = all;
    task->index = index;
    task->stage = stage;
    task->body = *body;
    *body = (lochan_buf){0};
    all->outstanding++;
    rc = lochan_group__submit(all->group, run_task, task, index, err);
    if (rc != LOCHAN_OK) {
        all->outstanding--;
        lochan_budget__give(all->job->lake->ctx.budget, task->body.len);
        lochan_buf__deinit(&task->body);
        lochan_mem__free(task);
    }
    return rc;
}

/* ---- the network thread ---- */

void lochan_job__fail_scope(lochan_job *job, size_t index, const lochan_error *error,
                            int32_t attempts) {
    lochan_scope *scope = &job->scopes[index];
    scope->state = LOCHAN_SCOPE_FAILED;
    scope->error = *error;
    scope->attempts = attempts;
    scope->asked_ns = lochan_clock__wall_ns();
    job->report->failures++;
    job->report->scopes_failed++;
}

/* Handles the tasks that came back. A page from staging that cannot be decoded is fetched; one from
 * the network is asked again if another answer may be better. */
static lochan_status handle_finished(collector *all, lochan_error *err) {
    pthread_mutex_lock(&all->mutex);
    struct page_task *list = all->finished;
    all->finished = NULL;
    bool stop = all->stop;
    pthread_mutex_unlock(&all->mutex);
    lochan_status rc = LOCHAN_OK;
    while (list) {
        struct page_task *task = list;
        list = task->next;
        all->outstanding--;
        lochan_scope *scope = &all->job->scopes[task->index];
        if (task->usable) {
            all->rows += scope->rows_fetched;
            all->job->report->pages++;
            all->job->report->pages_resumed += !task->stage;
            all->job->progress.pages_done++;
        } else if (rc == LOCHAN_OK && !stop) {
            if (!task->stage)
                rc = lochan_fetcher__add(all->fetcher, task->index, &scope->request, err);
            else if (scope->error.code == LOCHAN_ERR_PAGE)
                rc = lochan_fetcher__again(all->fetcher, task->index, &scope->error, err);
            else
                lochan_job__fail_scope(all->job, task->index, &scope->error, scope->attempts);
        }
        lochan_mem__free(task);
    }
    if (stop) {
        if (err)
            *err = all->stop_error;
        return all->stop_error.code;
    }
    return rc;
}

static lochan_status on_page(void *ctx, size_t index, lochan_buf *body,
                             const lochan_fetch_meta *meta, lochan_error *err) {
    collector *all = ctx;
    lochan_scope *scope = &all->job->scopes[index];
    scope->attempts = meta->attempts;
    scope->asked_ns = meta->wall_ns;
    scope->bytes = meta->bytes;
    scope->open_ended = !meta->end_is_marked;
    if (meta->empty) { /* the source's spec says that this status means "no rows" */
        scope->state = LOCHAN_SCOPE_DONE;
        all->job->report->pages++;
        all->job->progress.pages_done++;
        return LOCHAN_OK;
    }
    lochan_buf taken = *body;
    *body = (lochan_buf){0};
    return submit(all, index, &taken, true, err);
}

static lochan_status on_failure(void *ctx, size_t index, const lochan_error *error,
                                int32_t attempts, lochan_error *err) {
    (void)err;
    collector *all = ctx;
    lochan_job__fail_scope(all->job, index, error, attempts);
    return LOCHAN_OK;
}

static void on_progress(void *ctx, const lochan_fetch_counters *counters) {
    collector *all = ctx;
    all->job->progress.retries = counters->retries;
    all->job->progress.bytes = counters->bytes;
    all->job->progress.rows = all->rows;
    all->job->progress.waiting_for = counters->waiting_for;
    lochan_job__progress(all->job, false);
}

static lochan_status on_turn(void *ctx, lochan_fetch_turn *turn, lochan_error *err) {
    collector *all = ctx;
    LOCHAN_TRY(handle_finished(all, err));
    size_t most = (size_t)lochan_pool__threads(all->job->lake->ctx.pool) * QUEUE_PER_THREAD;
    turn->pending = all->outstanding > 0;
    turn->hold = all->outstanding >= most;
    return LOCHAN_OK;
}

/* ---- before and after ---- */

/* The answer that an earlier update staged, unless the ledger knows a newer one (that update was
 * killed after it had published) or the caller wants the provider asked. */
static lochan_status get_staged(const lochan_job *job, lochan_scope *scope, lochan_buf *body,
                                bool *found, lochan_error *err) {
    *found = false;
    if (job->request->force)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_staging__get(job->staging, scope->request_hash, (size_t)job->source->max_body,
                                   body, &scope->asked_ns, found, err));
    int64_t known = lochan_job__asked_at(job, scope); /* the catalog keeps microseconds */
    *found = *found && scope->asked_ns / 1000 > known / 1000;
    return LOCHAN_OK;
}

/* What an earlier update staged is decoded first; the rest is queued for the network. */
static lochan_status start_all(collector *all, lochan_error *err) {
    lochan_job *job = all->job;
    for (size_t i = 0; i < job->n_scopes; i++) {
        lochan_scope *scope = &job->scopes[i];
        lochan_buf body;
        bool found;
        LOCHAN_TRY(lochan_cancel__check(job->lake->ctx.cancel, err));
        lochan_buf__init(&body, (size_t)job->source->max_body + 1);
        lochan_status rc = get_staged(job, scope, &body, &found, err);
        if (rc == LOCHAN_OK && found) {
            scope->bytes = (int64_t)body.len;
            rc = submit(all, i, &body, false, err);
        } else if (rc == LOCHAN_OK) {
            rc = lochan_fetcher__add(all->fetcher, i, &scope->request, err);
        }
        lochan_buf__deinit(&body);
        LOCHAN_TRY(rc);
    }
    return LOCHAN_OK;
}

static void choose_options(const lochan_job *job, lochan_fetch_options *options) {
    lochan_fetch_options__init(options, job->source);
    if (job->request->workers > 0)
        options->workers = job->request->workers;
    if (job->request->max_retries >= 0)
        options->max_retries = job->request->max_retries;
    if (job->request->retry_backoff_seconds >= 0)
        options->retry_backoff_ns = (int64_t)(job->request->retry_backoff_seconds * 1e9);
    if (options->max_backoff_ns < options->retry_backoff_ns)
        options->max_backoff_ns = options->retry_backoff_ns;
}

static lochan_status run_all(collector *all, lochan_error *err) {
    lochan_fetch_options options;
    choose_options(all->job, &options);
    lochan_fetch_callbacks callbacks = {.ctx = all,
                                        .on_page = on_page,
                                        .on_failure = on_failure,
                                        .on_progress = on_progress,
                                        .on_turn = on_turn};
    LOCHAN_TRY(lochan_group__create(all->job->lake->ctx.pool, &all->group, err));
    LOCHAN_TRY(lochan_fetcher__create(&all->job->lake->ctx, all->job->source, &options, &callbacks,
                                      &all->fetcher, err));
    LOCHAN_TRY(start_all(all, err));
    LOCHAN_TRY(lochan_fetcher__run(all->fetcher, err));
    return handle_finished(all, err);
}

lochan_status lochan_job__collect(lochan_job *job, lochan_error *err) {
    collector all = {.job = job};
    pthread_mutex_init(&all.mutex, NULL);
    lochan_status rc = run_all(&all, err);
    if (all.group)
        LOCHAN_KEEP(lochan_group__wait(all.group, LOCHAN_KEEP_ERR(rc, err)));
    LOCHAN_KEEP(handle_finished(&all, LOCHAN_KEEP_ERR(rc, err)));
    if (all.fetcher) {
        lochan_fetch_counters counters;
        lochan_fetcher__get_counters(all.fetcher, &counters);
        job->report->requests += counters.requests;
        job->report->retries += counters.retries;
        job->report->bytes_fetched += counters.bytes;
    }
    job->report->stage_seconds[LOCHAN_STAGE_NORMALISE] = (double)all.worker_ns / 1e9;
    job->progress.rows = all.rows;
    job->progress.waiting_for = NULL;
    lochan_fetcher__free(all.fetcher);
    lochan_group__free(all.group);
    pthread_mutex_destroy(&all.mutex);
    return rc;
}
