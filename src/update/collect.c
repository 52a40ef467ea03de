/* collect.c - gets the answers of every scope, page after page: from staging if an earlier update
 * left them there, else from the provider.
 *
 * One thread (the caller's) speaks to the network; worker threads decode and stage what came. A
 * page that turns out to be unusable goes back to the network thread and is asked again within its
 * budget of retries; a page that breaks the dataset's contract fails its scope at once. Staging
 * takes a page only after it was decoded, so what an update goes on from is never what made it
 * stop. Which page follows is known when a page was decoded. Where staging has only the first pages
 * of a scope, the last of them is asked once more: if its rows are not the same any more, places in
 * the provider's list mean something else now, and the whole scope is asked anew. When a source
 * fails again and again, the rest is not asked any more. Invariant: a scope has one page at a time,
 * in one task or with the fetcher. May call: base/, arrow/, source/, staging.h.
 */
#include "update/job.h"

#include "base/clock.h"
#include "source/decode.h"
#include "source/page_request.h"
#include "update/direct.h"
#include "update/deliver.h"
#include "update/page.h"
#include "update/same.h"
#include "update/raw.h"
#include <pthread.h>

#define QUEUE_PER_THREAD 3 /* pages waiting for a worker before fetching pauses */

typedef struct collector collector;

/* Where a scope of several pages stands; made with its first page, freed with its last. */
struct walk {
    lochan_pager pager;
    lochan_source_request request; /* of the page that is asked */
    lochan_hash128 hash;
    bool more; /* another page follows: the pager stands at it */

    /* of the page before, for joining staged pages with new ones */
    lochan_source_request last_request;
    lochan_hash128 last_rows_hash;
    int64_t last_rows;
    int64_t n_staged; /* pages so far, all of them, that came from staging */
    bool checks;      /* last_request is being asked once more */
    bool fresh;       /* staged pages are not to be used */
};

struct page_task {
    collector *all;
    size_t page;  /* index for the fetcher */
    size_t index; /* of the scope */
    lochan_buf body;
    size_t taken;             /* of the budget, for body */
    lochan_page_facts header; /* what the headers say of the rest */
    int64_t rows;             /* decoded */
    bool stage;               /* it came from the network */
    bool usable;              /* false with LOCHAN_ERR_PAGE: ask again */
    bool same;                /* a check: the rows are those of the staged page */
    struct page_task *next;
};

struct collector {
    lochan_job *job;
    const lochan_paging *paging;
    lochan_fetcher *fetcher;
    lochan_group *group;
    struct walk **walks; /* by scope */
    size_t *scope_of;    /* by page */
    size_t n_pages, cap_pages;
    int32_t failed_in_row; /* pages that the source did not answer */
    bool gave_up;
    int64_t rows; /* decoded so far, for progress */
    _Atomic int64_t worker_ns;
    size_t outstanding; /* tasks not yet back; network thread only */
    pthread_mutex_t mutex;
    struct page_task *finished; /* under mutex: tasks that came back */
    bool stop;                  /* under mutex: the update itself failed */
    lochan_error stop_error;
};

static void free_walk(struct walk *walk) {
    if (!walk)
        return;
    lochan_pager__deinit(&walk->pager);
    lochan_source_request__deinit(&walk->request);
    lochan_source_request__deinit(&walk->last_request);
    lochan_mem__free(walk);
}

/* ---- workers ---- */

static lochan_status stage_page(struct page_task *task, lochan_error *err) {
    lochan_scope *scope = &task->all->job->scopes[task->index];
    struct walk *walk = task->all->walks[task->index];
    lochan_staged_page page = {walk->hash,      walk->request.url,     200,
                               scope->asked_ns, task->header.has_more, task->header.has_more_known};
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

/* The last staged page once more: whether the provider still has the same rows in that place. A
 * cursor is one of this answer, the old one may have run out. */
static lochan_status check_page(struct page_task *task, lochan_error *err) {
    lochan_job *job = task->all->job;
    struct walk *walk = task->all->walks[task->index];
    lochan_rows rows = {0};
    lochan_page_facts facts = {0};
    lochan_status rc = lochan_page__decode(job, &job->scopes[task->index], task->all->paging,
                                           &task->body, &rows, &facts, err);
    bool same = facts.rows == walk->last_rows && facts.hash.lo == walk->last_rows_hash.lo &&
                facts.hash.hi == walk->last_rows_hash.hi;
    if (walk->pager.next)
        same = same && facts.next && facts.next[0];
    if (rc == LOCHAN_OK && same && facts.next) {
        lochan_mem__free(walk->pager.next);
        walk->pager.next = facts.next;
        facts.next = NULL;
    }
    task->same = same;
    lochan_rows__release(&rows);
    lochan_page_facts__deinit(&facts);
    return rc;
}

/* Decodes a page, then asks the pager what follows; rows that will be asked again in parts are
 * dropped. After the pager went on, nothing fails that another try could cure. */
static lochan_status take_page(struct page_task *task, lochan_error *err) {
    lochan_job *job = task->all->job;
    lochan_scope *scope = &job->scopes[task->index];
    struct walk *walk = task->all->walks[task->index];
    lochan_rows rows = {0};
    lochan_page_facts facts = {0};
    bool discard = false;
    int64_t number = walk->pager.number;
    scope->page_request = walk->hash;
    lochan_status rc =
        lochan_page__decode(job, scope, task->all->paging, &task->body, &rows, &facts, err);
    task->rows = facts.rows;
    if (rc == LOCHAN_OK) {
        walk->last_rows = facts.rows;
        walk->last_rows_hash = facts.hash;
    }
    if (rc == LOCHAN_OK && !facts.has_more_known) {
        facts.has_more = task->header.has_more;
        facts.has_more_known = task->header.has_more_known;
    }
    if (rc == LOCHAN_OK)
        rc = lochan_pager__advance(&walk->pager, &facts, &walk->more, &discard, err);
    if (rc == LOCHAN_OK && !discard)
        rc = lochan_page__keep(job, scope, number, &rows, err);
    if (rc == LOCHAN_OK && !discard)
        rc = lochan_raw__note(job, scope, err);
    if (rc == LOCHAN_OK && task->stage)
        rc = stage_page(task, err);
    if (rc == LOCHAN_OK && task->stage)
        rc = lochan_failpoint__hit("update.page.staged", err);
    if (rc == LOCHAN_OK)
        rc = lochan_deliver__page_taken(job, task->index, !walk->more, err);
    lochan_rows__release(&rows);
    lochan_page_facts__deinit(&facts);
    return rc;
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
    bool checks = task->all->walks[task->index]->checks;
    lochan_status rc = checks ? check_page(task, &error) : take_page(task, &error);
    if (rc != LOCHAN_OK) {
        lochan_fetcher__redact(task->all->fetcher, &error);
        scope->error = error;
        if (lochan_page__ends_update(rc) || job->broken)
            stop_update(task->all, &error);
    }
    task->usable = rc == LOCHAN_OK;
    task->all->worker_ns += lochan_clock__mono_ns() - began;
    lochan_buf__deinit(&task->body);
    lochan_budget__give(job->lake->ctx.budget, task->taken);
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

/* Takes *body, also on failure. stage false: the page comes from staging. */
static lochan_status submit(collector *all, size_t page, lochan_buf *body,
                            const lochan_page_facts *header, bool stage, lochan_error *err) {
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
    task->page = page;
    task->index = all->scope_of[page];
    task->stage = stage;
    task->taken = body->len;
    task->header = *header;
    task->body = *body;
    *body = (lochan_buf){0};
    all->outstanding++;
    rc = lochan_group__submit(all->group, run_task, task, task->index, err);
    if (rc != LOCHAN_OK) {
        all->outstanding--;
        lochan_budget__give(all->job->lake->ctx.budget, task->taken);
        lochan_buf__deinit(&task->body);
        lochan_mem__free(task);
    }
    return rc;
}

/* ---- the network thread ---- */

void lochan_job__fail_scope(lochan_job *job, size_t index, const lochan_error *error,
                            int32_t attempts) {
    lochan_scope *scope = &job->scopes[index];
    lochan_scope__clear(job, scope);
    scope->state = LOCHAN_SCOPE_FAILED;
    scope->error = *error;
    scope->attempts = attempts;
    scope->asked_ns = lochan_clock__wall_ns();
    job->report->failures++;
    job->report->scopes_failed++;
}

static void end_scope(collector *all, size_t index) {
    free_walk(all->walks[index]);
    all->walks[index] = NULL;
}

static void fail_scope(collector *all, size_t index, const lochan_error *error, int32_t attempts) {
    lochan_job__fail_scope(all->job, index, error, attempts);
    end_scope(all, index);
}

/* Whether the failure says something of the source as a whole, not of one page. */
static bool is_of_source(lochan_status code) {
    return code == LOCHAN_ERR_HTTP || code == LOCHAN_ERR_NETWORK || code == LOCHAN_ERR_TIMEOUT ||
           code == LOCHAN_ERR_RATE_LIMIT;
}

/* Whether the provider answered, and does not want to answer this request. */
static bool is_refusal(const lochan_error *error) {
    bool busy = error->http_status == 408 || error->http_status == 425 || error->http_status == 429;
    return error->http_status >= 400 && error->http_status < 500 && !busy;
}

/* A source that answers nothing any more is left alone: each page that it still owes fails now, and
 * is asked by the next update. */
static lochan_status count_failure(collector *all, const lochan_error *error, lochan_error *err) {
    all->failed_in_row = is_of_source(error->code) ? all->failed_in_row + 1 : 0;
    if (all->gave_up || all->failed_in_row < all->job->source->breaker_failures)
        return LOCHAN_OK;
    lochan_error why = *error;
    all->gave_up = true;
    lochan_error__prefix(&why, why.code, "not asked, since %d pages in a row failed",
                         (int)all->failed_in_row);
    return lochan_fetcher__abandon(all->fetcher, &why, err);
}

/* The answer that an earlier update staged, unless the ledger knows a newer one (that update was
 * killed after it had published) or the caller wants the provider asked. */
static lochan_status get_staged(const lochan_job *job, lochan_scope *scope, lochan_hash128 hash,
                                lochan_buf *body, lochan_page_facts *header, bool *found,
                                lochan_error *err) {
    lochan_staged_page page;
    *found = false;
    if (job->request->force)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_staging__get_page(job->staging, hash, (size_t)job->source->max_body, body,
                                        &page, found, err));
    int64_t known = lochan_job__asked_at(job, scope); /* the catalog keeps microseconds */
    *found = *found && page.fetched_at / 1000 > known / 1000;
    if (!*found)
        return LOCHAN_OK;
    scope->asked_ns = page.fetched_at;
    header->has_more = page.has_more;
    header->has_more_known = page.has_more_known;
    return LOCHAN_OK;
}

/* The request of the page at which the scope's pager stands. */
static lochan_status build_request(collector *all, size_t index, struct walk *walk,
                                   lochan_error *err) {
    lochan_pager_ask paging;
    lochan_page_ask ask = {.window = all->job->scopes[index].window};
    lochan_pager__ask(&walk->pager, &paging);
    if (walk->pager.has_window)
        ask.window = (lochan_window){walk->pager.from, walk->pager.to};
    ask.values = paging.values;
    ask.n_values = paging.n_values;
    ask.params = paging.params;
    ask.n_params = paging.n_params;
    lochan_source_request__deinit(&walk->last_request);
    walk->last_request = walk->request;
    walk->request = (lochan_source_request){0};
    LOCHAN_TRY(
        lochan_job__page_request(all->job, &all->job->scopes[index], &ask, &walk->request, err));
    LOCHAN_TRY(lochan_pager__follow(&walk->pager, all->job->source, &walk->request, err));
    return lochan_source_request__hash(&walk->request, &walk->hash, err);
}

/* Whether a page that is asked now must be shown to belong to the staged ones before it. Windows of
 * days are apart whatever the provider did meanwhile. */
static bool must_check(const struct walk *walk) {
    return walk->n_staged > 0 && walk->n_staged == walk->pager.number &&
           walk->pager.paging->kind != LOCHAN_PAGING_WINDOW;
}

/* Queues the page at which the pager stands, or a check of the one before. */
static lochan_status ask_page(collector *all, size_t page, struct walk *walk, lochan_error *err) {
    walk->checks = must_check(walk);
    return lochan_fetcher__add(all->fetcher, page,
                               walk->checks ? &walk->last_request : &walk->request, err);
}

static lochan_status add_page(collector *all, size_t index, size_t *page, lochan_error *err) {
    void *scope_of =
        lochan_mem__grow(all->scope_of, all->n_pages, &all->cap_pages, sizeof *all->scope_of);
    if (!scope_of)
        return lochan_error__nomem(err);
    all->scope_of = scope_of;
    *page = all->n_pages++;
    all->scope_of[*page] = index;
    return LOCHAN_OK;
}

/* Gets the next page of a scope: what an earlier update staged is decoded, else it is queued for
 * the network. */
static lochan_status start_page(collector *all, size_t index, lochan_error *err) {
    lochan_job *job = all->job;
    struct walk *walk = all->walks[index];
    lochan_buf body;
    lochan_page_facts header = {0};
    size_t page = 0;
    bool found = false;
    LOCHAN_TRY(build_request(all, index, walk, err));
    LOCHAN_TRY(add_page(all, index, &page, err));
    lochan_buf__init(&body, (size_t)job->source->max_body + 1);
    lochan_status rc = LOCHAN_OK;
    if (!walk->fresh && walk->n_staged == walk->pager.number)
        rc = get_staged(job, &job->scopes[index], walk->hash, &body, &header, &found, err);
    if (rc == LOCHAN_OK && found) {
        job->scopes[index].bytes += (int64_t)body.len;
        rc = submit(all, page, &body, &header, false, err);
    } else if (rc == LOCHAN_OK) {
        rc = ask_page(all, page, walk, err);
    }
    lochan_buf__deinit(&body);
    return rc;
}

/* A failure to make the next request is the scope's (a link that leads astray), unless it is ours.
 */
static lochan_status next_page(collector *all, size_t index, lochan_error *err) {
    lochan_error why;
    lochan_error_init(&why);
    all->job->progress.pages_total++;
    lochan_status rc = start_page(all, index, &why);
    if (rc == LOCHAN_ERR_PAGE || rc == LOCHAN_ERR_UNSUPPORTED) {
        fail_scope(all, index, &why, all->job->scopes[index].attempts);
        return LOCHAN_OK;
    }
    if (rc != LOCHAN_OK && err)
        *err = why;
    return rc;
}

static lochan_status page_is_done(collector *all, size_t index, lochan_error *err) {
    all->job->report->pages++;
    all->job->progress.pages_done++;
    all->failed_in_row = 0;
    if (all->walks[index]->more)
        return next_page(all, index, err);
    all->job->scopes[index].state = LOCHAN_SCOPE_DONE;
    end_scope(all, index);
    return LOCHAN_OK;
}

/* The staged pages of a scope are of other data than the provider has now. */
static lochan_status begin_anew(collector *all, size_t index, lochan_error *err) {
    lochan_job *job = all->job;
    struct walk *walk = all->walks[index];
    lochan_scope__clear(job, &job->scopes[index]);
    job->scopes[index].bytes = 0;
    job->report->pages -= walk->n_staged;
    job->report->pages_resumed -= walk->n_staged;
    lochan_pager__deinit(&walk->pager);
    lochan_pager__init(&walk->pager, all->paging);
    if (!job->timeless)
        lochan_pager__set_window(&walk->pager, job->scopes[index].window.from,
                                 job->scopes[index].window.to);
    walk->n_staged = 0;
    walk->checks = false;
    walk->fresh = true;
    return next_page(all, index, err);
}

/* After a check that was answered. */
static lochan_status handle_check(collector *all, struct page_task *task, lochan_error *err) {
    struct walk *walk = all->walks[task->index];
    if (!task->same)
        return begin_anew(all, task->index, err);
    walk->checks = false;
    walk->fresh = true; /* what follows is asked */
    walk->n_staged = 0;
    return next_page(all, task->index, err);
}

static bool worth_another_try(lochan_status code) {
    return code == LOCHAN_ERR_PAGE || code == LOCHAN_ERR_NETWORK || code == LOCHAN_ERR_RATE_LIMIT;
}

static lochan_status handle_task(collector *all, struct page_task *task, lochan_error *err) {
    lochan_scope *scope = &all->job->scopes[task->index];
    if (task->usable && all->walks[task->index]->checks)
        return handle_check(all, task, err);
    if (task->usable) {
        all->walks[task->index]->n_staged += !task->stage;
        all->rows += task->rows;
        all->job->report->pages_resumed += !task->stage;
        return page_is_done(all, task->index, err);
    }
    if (!task->stage)
        return ask_page(all, task->page, all->walks[task->index], err);
    if (worth_another_try(scope->error.code))
        return lochan_fetcher__again(all->fetcher, task->page, &scope->error, err);
    if (all->walks[task->index]->checks)
        return begin_anew(all, task->index, err);
    lochan_error why = scope->error;
    fail_scope(all, task->index, &why, scope->attempts);
    return count_failure(all, &why, err);
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
        if (rc == LOCHAN_OK && !stop)
            rc = handle_task(all, task, err);
        lochan_mem__free(task);
    }
    if (stop) {
        if (err)
            *err = all->stop_error;
        return all->stop_error.code;
    }
    return rc;
}

static lochan_status on_page(void *ctx, size_t page, lochan_buf *body,
                             const lochan_fetch_meta *meta, lochan_error *err) {
    collector *all = ctx;
    size_t index = all->scope_of[page];
    lochan_scope *scope = &all->job->scopes[index];
    scope->attempts = meta->attempts;
    scope->asked_ns = meta->wall_ns;
    scope->bytes += meta->bytes;
    scope->open_ended = !meta->end_is_marked;
    if (meta->empty) { /* the source's spec says that this status means "no rows" */
        const lochan_page_facts none = {0};
        struct walk *walk = all->walks[index];
        bool discard;
        LOCHAN_TRY(lochan_pager__advance(&walk->pager, &none, &walk->more, &discard, err));
        return page_is_done(all, index, err);
    }
    lochan_buf taken = *body;
    *body = (lochan_buf){0};
    const lochan_page_facts header = {.has_more = meta->has_more,
                                      .has_more_known = meta->has_more_known};
    return submit(all, page, &taken, &header, true, err);
}

static lochan_status on_failure(void *ctx, size_t page, const lochan_error *error, int32_t attempts,
                                lochan_error *err) {
    collector *all = ctx;
    size_t index = all->scope_of[page];
    if (all->walks[index]->checks && is_refusal(error)) /* a cursor that ran out */
        return begin_anew(all, index, err);
    fail_scope(all, index, error, attempts);
    return count_failure(all, error, err);
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

static lochan_status start_all(collector *all, lochan_error *err) {
    lochan_job *job = all->job;
    all->walks = lochan_mem__array(job->n_scopes + 1, sizeof *all->walks);
    if (!all->walks)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < job->n_scopes; i++) {
        LOCHAN_TRY(lochan_cancel__check(job->lake->ctx.cancel, err));
        struct walk *walk = lochan_mem__zalloc(sizeof *walk);
        if (!walk)
            return lochan_error__nomem(err);
        all->walks[i] = walk;
        lochan_pager__init(&walk->pager, all->paging);
        if (!job->timeless)
            lochan_pager__set_window(&walk->pager, job->scopes[i].window.from,
                                     job->scopes[i].window.to);
        LOCHAN_TRY(start_page(all, i, err));
    }
    return LOCHAN_OK;
}

static void choose_options(const lochan_job *job, lochan_fetch_options *options) {
    lochan_fetch_options__init(options, job->source);
    options->endpoint = job->spec->source_dataset;
    options->state_dir = job->lake->path;
    options->record_dir = job->request->record;
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
    lochan_deliver__begin(job);
    LOCHAN_TRY(lochan_same__begin(job, err));
    if (job->replay)
        return lochan_replay__collect(job, err);
    if (job->source->kind != LOCHAN_SOURCE_HTTP)
        return lochan_direct__collect(job, err);
    all.paging = job->spec->paging ? job->spec->paging : &job->source->paging;
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
    for (size_t i = 0; all.walks && i < job->n_scopes; i++)
        free_walk(all.walks[i]);
    lochan_mem__free(all.walks);
    lochan_mem__free(all.scope_of);
    pthread_mutex_destroy(&all.mutex);
    return rc;
}
