/* fetch.c - the loop that keeps requests in flight: queue, back-off, delivery.
 * Invariants: a page is queued, running, waiting, delivered or failed, and each change of state
 * goes through one function below; `running` transfers never exceed `workers`. May call: base/,
 * fetch_own.h, libcurl.
 */
#include "source/fetch.h"

#include "base/clock.h"
#include "base/fs.h"
#include "source/fetch_own.h"
#include "source/rate_limit.h"
#include "source/recorded.h"

#include <pthread.h>
#include <stdio.h>

#define TURN_NS                                                                                    \
    ((int64_t)100000000) /* longest wait without a look at cancel, callbacks and due pages */
#define SECOND_NS ((int64_t)1000000000)

enum { MAX_PAGES = 50000000 };

struct page_list {
    lochan_fetch_page *first, *last;
};

struct lochan_fetcher {
    const lochan_ctx *ctx;
    const lochan_source_spec *spec;
    lochan_fetch_options options;
    lochan_fetch_callbacks callbacks;
    lochan_secret *secret;
    CURLM *multi;
    lochan_fetch_transfer *transfers; /* options.workers of them */
    lochan_fetch_page **pages;        /* by the caller's index; NULL = none */
    size_t n_pages;
    struct page_list queue;
    struct page_list waiting;
    lochan_rate_limit *limit; /* NULL = none */
    int64_t limit_until_ns;   /* nothing is started before: we asked as often as we may */
    char limit_reason[64];
    int64_t last_record;   /* number of the last recorded answer */
    int64_t hold_until_ns; /* nothing is started before: the provider asked for it */
    char hold_reason[64];
    bool alone; /* memory was short: the next request runs by itself */
    lochan_fetch_turn turn;
    lochan_fetch_counters counters;
    char waiting_for[128];
    int64_t last_progress_ns;
    char last_waiting_for[128];
};

/* ---- life ---- */

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static CURLcode curl_init_result;

static void init_curl(void) {
    curl_init_result = curl_global_init(CURL_GLOBAL_DEFAULT);
}

void lochan_fetch_options__init(lochan_fetch_options *options, const lochan_source_spec *spec) {
    *options = (lochan_fetch_options){
        .workers = spec->workers,
        .max_retries = spec->max_retries,
        .retry_backoff_ns = spec->retry_backoff_ns,
        .max_backoff_ns = spec->max_backoff_ns,
        .max_retry_after_ns = 3600 * SECOND_NS,
        .retry_budget = spec->retry_budget,
    };
}

static lochan_status open_transfers(lochan_fetcher *f, lochan_error *err) {
    size_t n = (size_t)f->options.workers;
    f->transfers = lochan_mem__array(n, sizeof(*f->transfers));
    if (!f->transfers)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(
            lochan_fetch_transfer__init(&f->transfers[i], f->spec, f->secret, f->ctx->budget, err));
    f->multi = curl_multi_init();
    if (!f->multi || curl_multi_setopt(f->multi, CURLMOPT_MAXCONNECTS, (long)n * 2) != CURLM_OK)
        return lochan_error__nomem(err);
    return LOCHAN_OK;
}

lochan_status lochan_fetcher__create(const lochan_ctx *ctx, const lochan_source_spec *spec,
                                     const lochan_fetch_options *options,
                                     const lochan_fetch_callbacks *callbacks, lochan_fetcher **out,
                                     lochan_error *err) {
    *out = NULL;
    LOCHAN_CHECK_ARG(
        ctx && spec && options && callbacks && callbacks->on_page && callbacks->on_failure, err);
    LOCHAN_CHECK_ARG(options->workers >= 1 && options->workers <= 256 && options->max_retries >= 0,
                     err);
    LOCHAN_CHECK_ARG(options->retry_backoff_ns >= 0 &&
                         options->max_backoff_ns >= options->retry_backoff_ns,
                     err);
    pthread_once(&curl_once, init_curl);
    if (curl_init_result != CURLE_OK)
        return lochan_error__set(err, LOCHAN_ERR_NETWORK, "libcurl cannot start: %s",
                                 curl_easy_strerror(curl_init_result));
    lochan_fetcher *f = lochan_mem__zalloc(sizeof(*f));
    if (!f)
        return lochan_error__nomem(err);
    f->ctx = ctx;
    f->spec = spec;
    f->options = *options;
    f->callbacks = *callbacks;
    f->last_progress_ns = INT64_MIN;
    lochan_status rc =
        spec->auth == LOCHAN_AUTH_BASIC
            ? lochan_secret__load_basic(spec->secret, spec->auth_user, &f->secret, err)
            : lochan_secret__load(spec->secret, &f->secret, err);
    if (rc != LOCHAN_OK)
        lochan_error__prefix(err, rc, "source '%s'", spec->name);
    else
        rc = open_transfers(f, err);
    if (rc == LOCHAN_OK && options->record_dir)
        rc = lochan_fs__mkdirs(options->record_dir, NULL, err);
    if (rc == LOCHAN_OK)
        rc = lochan_rate_limit__open(spec, options->endpoint, f->secret, options->state_dir,
                                     &f->limit, err);
    if (rc != LOCHAN_OK) {
        lochan_fetcher__free(f);
        return rc;
    }
    *out = f;
    return LOCHAN_OK;
}

void lochan_fetcher__free(lochan_fetcher *f) {
    if (!f)
        return;
    for (int32_t i = 0; f->transfers && i < f->options.workers; i++) {
        lochan_fetch_transfer *t = &f->transfers[i];
        if (t->page && f->multi)
            curl_multi_remove_handle(f->multi, t->easy);
        lochan_fetch_transfer__deinit(t);
    }
    if (f->multi)
        curl_multi_cleanup(f->multi);
    for (size_t i = 0; i < f->n_pages; i++) {
        if (f->pages[i])
            lochan_source_request__deinit(&f->pages[i]->request);
        lochan_mem__free(f->pages[i]);
    }
    lochan_mem__free(f->pages);
    lochan_mem__free(f->transfers);
    lochan_rate_limit__close(f->limit);
    lochan_secret__free(f->secret);
    lochan_mem__free(f);
}

void lochan_fetcher__wake(lochan_fetcher *f) {
    curl_multi_wakeup(f->multi);
}

void lochan_fetcher__get_counters(const lochan_fetcher *f, lochan_fetch_counters *out) {
    *out = f->counters;
}

/* ---- lists of pages ---- */

static void push_last(struct page_list *list, lochan_fetch_page *page) {
    page->next = NULL;
    if (list->last)
        list->last->next = page;
    else
        list->first = page;
    list->last = page;
}

static void push_first(struct page_list *list, lochan_fetch_page *page) {
    page->next = list->first;
    list->first = page;
    if (!list->last)
        list->last = page;
}

static lochan_fetch_page *pop_first(struct page_list *list) {
    lochan_fetch_page *page = list->first;
    list->first = page->next;
    if (!list->first)
        list->last = NULL;
    return page;
}

static lochan_status make_place(lochan_fetcher *f, size_t index, lochan_error *err) {
    if (index < f->n_pages)
        return LOCHAN_OK;
    if (index >= MAX_PAGES)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "more than %d pages in one run",
                                 MAX_PAGES);
    size_t n = f->n_pages < 64 ? 64 : f->n_pages * 2;
    if (n <= index)
        n = index + 1;
    lochan_fetch_page **pages = lochan_mem__realloc(f->pages, n * sizeof(*pages));
    if (!pages)
        return lochan_error__nomem(err);
    memset(pages + f->n_pages, 0, (n - f->n_pages) * sizeof(*pages));
    f->pages = pages;
    f->n_pages = n;
    return LOCHAN_OK;
}

lochan_status lochan_fetcher__add(lochan_fetcher *f, size_t index,
                                  const lochan_source_request *request, lochan_error *err) {
    LOCHAN_TRY(make_place(f, index, err));
    if (f->pages[index])
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "page %zu was added before",
                                 index);
    lochan_fetch_page *page = lochan_mem__zalloc(sizeof(*page));
    if (!page)
        return lochan_error__nomem(err);
    page->index = index;
    lochan_status rc = lochan_source_request__dup(request, &page->request, err);
    if (rc != LOCHAN_OK) {
        lochan_mem__free(page);
        return rc;
    }
    f->pages[index] = page;
    f->counters.added++;
    page->state = LOCHAN_PAGE_QUEUED;
    push_last(&f->queue, page);
    return LOCHAN_OK;
}

/* ---- ends of an attempt ---- */

static lochan_status fail_page(lochan_fetcher *f, lochan_fetch_page *page, const lochan_error *why,
                               lochan_error *err) {
    page->state = LOCHAN_PAGE_FAILED;
    f->counters.failed++;
    return f->callbacks.on_failure(f->callbacks.ctx, page->index, why, page->attempts, err);
}

/* Lets the page wait for its next attempt, or gives it up. */
static lochan_status retry_page(lochan_fetcher *f, lochan_fetch_page *page,
                                const lochan_fetch_verdict *verdict, const lochan_error *why,
                                lochan_error *err) {
    if (!verdict->retry || page->attempts > f->options.max_retries ||
        f->counters.retries >= f->options.retry_budget)
        return fail_page(f, page, why, err);
    const lochan_fetch_options *o = &f->options;
    page->backoff_ns =
        lochan_fetch__next_backoff(o->retry_backoff_ns, o->max_backoff_ns, page->backoff_ns);
    int64_t wait = page->backoff_ns;
    if (verdict->retry_after_ns > 0) {
        if (verdict->retry_after_ns > o->max_retry_after_ns)
            return fail_page(f, page, why, err);
        /* A little more than asked for, not all at the same moment. */
        wait = verdict->retry_after_ns +
               (int64_t)lochan_random__below((uint64_t)o->retry_backoff_ns / 4 + 1);
    }
    page->due_ns = lochan_clock__mono_ns() + wait;
    lochan_format(page->reason, sizeof(page->reason), "%s", verdict->reason);
    if (verdict->hold_all && page->due_ns > f->hold_until_ns) {
        f->hold_until_ns = page->due_ns;
        lochan_format(f->hold_reason, sizeof(f->hold_reason), "%s", verdict->reason);
    }
    page->state = LOCHAN_PAGE_WAITING;
    f->counters.retries++;
    f->counters.waiting++;
    push_last(&f->waiting, page);
    return LOCHAN_OK;
}

/* Our own memory was short. While others hold some of it the page waits for them; alone, it can
 * never fit. */
static lochan_status retry_without_memory(lochan_fetcher *f, lochan_fetch_page *page,
                                          const lochan_error *why, lochan_error *err) {
    if (page->ran_alone && !f->turn.pending)
        return fail_page(f, page, why, err);
    f->alone = true;
    page->attempts--;
    page->state = LOCHAN_PAGE_WAITING;
    page->due_ns = lochan_clock__mono_ns() + (f->counters.running == 0 ? TURN_NS : 0);
    lochan_format(page->reason, sizeof(page->reason), "memory");
    f->counters.waiting++;
    push_last(&f->waiting, page);
    return LOCHAN_OK;
}

/* Errors of the caller's check that another attempt may cure. */
static bool check_can_retry(lochan_status code) {
    return code == LOCHAN_ERR_PAGE || code == LOCHAN_ERR_RATE_LIMIT || code == LOCHAN_ERR_NETWORK ||
           code == LOCHAN_ERR_TIMEOUT;
}

static lochan_fetch_verdict verdict_of(const lochan_error *why) {
    lochan_fetch_verdict verdict = {.retry = check_can_retry(why->code), .retry_after_ns = -1};
    verdict.hold_all = why->code == LOCHAN_ERR_RATE_LIMIT;
    if (why->retry_after_ms > 0)
        verdict.retry_after_ns =
            why->retry_after_ms < INT64_MAX / 1000000 ? why->retry_after_ms * 1000000 : INT64_MAX;
    lochan_format(verdict.reason, sizeof(verdict.reason), "%s", lochan_status_text(why->code));
    return verdict;
}

lochan_status lochan_fetcher__again(lochan_fetcher *f, size_t index, const lochan_error *why,
                                    lochan_error *err) {
    lochan_fetch_page *page = index < f->n_pages ? f->pages[index] : NULL;
    if (!page || page->state != LOCHAN_PAGE_DELIVERED)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "page %zu was not delivered",
                                 index);
    f->counters.done--;
    lochan_fetch_verdict verdict = verdict_of(why);
    return retry_page(f, page, &verdict, why, err);
}

lochan_status lochan_fetcher__abandon(lochan_fetcher *f, const lochan_error *why,
                                      lochan_error *err) {
    struct page_list lists[2] = {f->queue, f->waiting};
    f->queue = f->waiting = (struct page_list){NULL, NULL};
    f->counters.waiting = 0;
    for (int i = 0; i < 2; i++)
        while (lists[i].first)
            LOCHAN_TRY(fail_page(f, pop_first(&lists[i]), why, err));
    return LOCHAN_OK;
}

void lochan_fetcher__redact(const lochan_fetcher *f, lochan_error *err) {
    lochan_secret__redact(f->secret, err->message, strlen(err->message), false);
    lochan_secret__redact(f->secret, err->hint, strlen(err->hint), false);
}

static lochan_status deliver(lochan_fetcher *f, lochan_fetch_transfer *t,
                             const lochan_fetch_meta *meta, lochan_error *err) {
    lochan_fetch_page *page = t->page;
    const lochan_fetch_callbacks *c = &f->callbacks;
    if (c->check && !meta->empty) {
        lochan_error why;
        lochan_error_init(&why);
        lochan_status rc = c->check(c->ctx, page->index, &t->body, meta, &why);
        if (rc != LOCHAN_OK) {
            why.code = rc;
            lochan_fetch_transfer__reset(t);
            lochan_fetch_verdict verdict = verdict_of(&why);
            return retry_page(f, page, &verdict, &why, err);
        }
    }
    page->state = LOCHAN_PAGE_DELIVERED;
    f->counters.done++;
    f->counters.bytes += meta->bytes;
    lochan_buf body = t->body;
    lochan_buf__init(&t->body, body.max);
    lochan_fetch_transfer__reset(t); /* from here on the body is the callback's to account for */
    lochan_status rc = c->on_page(c->ctx, page->index, &body, meta, err);
    lochan_buf__deinit(&body);
    return rc;
}

/* ---- the loop ---- */

static lochan_status start_transfer(lochan_fetcher *f, lochan_fetch_transfer *t,
                                    lochan_fetch_page *page, const char *url, lochan_error *err) {
    LOCHAN_TRY(lochan_fetch_transfer__prepare(t, page, url, err));
    CURLMcode code = curl_multi_add_handle(f->multi, t->easy);
    if (code != CURLM_OK) {
        t->page = NULL;
        return code == CURLM_OUT_OF_MEMORY
                   ? lochan_error__nomem(err)
                   : lochan_error__set(err, LOCHAN_ERR_INTERNAL, "libcurl: %s",
                                       curl_multi_strerror(code));
    }
    page->state = LOCHAN_PAGE_RUNNING;
    f->counters.running++;
    f->counters.requests++;
    return LOCHAN_OK;
}

static lochan_fetch_transfer *idle_transfer(lochan_fetcher *f) {
    for (int32_t i = 0; i < f->options.workers; i++)
        if (!f->transfers[i].page)
            return &f->transfers[i];
    return NULL;
}

/* Pages whose back-off is over go before the pages that were never asked. */
static void queue_due_pages(lochan_fetcher *f, int64_t now) {
    struct page_list still = {NULL, NULL}, due = {NULL, NULL};
    while (f->waiting.first) {
        lochan_fetch_page *page = pop_first(&f->waiting);
        push_last(page->due_ns <= now ? &due : &still, page);
    }
    f->waiting = still;
    if (!due.first)
        return;
    for (lochan_fetch_page *page = due.first; page; page = page->next) {
        page->state = LOCHAN_PAGE_QUEUED;
        f->counters.waiting--;
    }
    due.last->next = f->queue.first;
    f->queue.first = due.first;
    if (!f->queue.last)
        f->queue.last = due.last;
}

static bool may_start(const lochan_fetcher *f, int64_t now) {
    if (!f->queue.first || f->turn.hold || now < f->hold_until_ns || now < f->limit_until_ns ||
        f->counters.running >= f->options.workers)
        return false;
    return !f->alone || f->counters.running == 0;
}

/* Counts the request that is about to start; *now = false if it has to wait. */
static lochan_status take_from_limit(lochan_fetcher *f, int64_t now_ns, int32_t *place, bool *now,
                                     lochan_error *err) {
    int64_t wait;
    const char *why;
    *place = -1;
    *now = true;
    if (!f->limit)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_rate_limit__take(f->limit, place, &wait, &why, err));
    if (wait > 0) {
        *now = false;
        f->limit_until_ns = now_ns + wait;
        lochan_format(f->limit_reason, sizeof(f->limit_reason), "%s", why);
    }
    return LOCHAN_OK;
}

static lochan_status start_pages(lochan_fetcher *f, lochan_error *err) {
    int64_t now = lochan_clock__mono_ns();
    queue_due_pages(f, now);
    while (may_start(f, now)) {
        int32_t place;
        bool allowed;
        LOCHAN_TRY(take_from_limit(f, now, &place, &allowed, err));
        if (!allowed)
            break;
        lochan_fetch_page *page = pop_first(&f->queue);
        page->place = place;
        page->attempts++;
        page->ran_alone = f->alone;
        lochan_status rc = start_transfer(f, idle_transfer(f), page, NULL, err);
        if (rc != LOCHAN_OK) {
            push_first(&f->queue, page);
            lochan_rate_limit__give(f->limit, place);
            return rc;
        }
    }
    return LOCHAN_OK;
}

/* Keeps what came as it came, but for secrets. Numbers are times, so that several updates can
 * record into one folder. */
static lochan_status record_answer(lochan_fetcher *f, const lochan_fetch_transfer *t,
                                   const lochan_fetch_meta *meta, lochan_error *err) {
    const lochan_source_request *request = &t->page->request;
    const char *target = lochan_recorded__target(request->url);
    lochan_recorded r = {.status = meta->http_status, .target = lochan_str__of(target)};
    char *body = lochan_mem__alloc(t->body.len + 1);
    if (!body)
        return lochan_error__nomem(err);
    if (t->body.len > 0)
        memcpy(body, t->body.data, t->body.len);
    lochan_secret__redact(f->secret, body, t->body.len, false);
    r.body = (lochan_str){body, t->body.len};
    r.request_body = request->body ? lochan_str__of(request->body) : (lochan_str){"", 0};
    lochan_format(r.method, sizeof(r.method), "%s",
                  request->method == LOCHAN_METHOD_POST ? "POST" : "GET");
    lochan_format(r.content_type, sizeof(r.content_type), "%s", meta->content_type);
    lochan_format(r.retry_after, sizeof(r.retry_after), "%s", t->retry_after);
    if (t->has_more_known)
        lochan_format(r.has_more, sizeof(r.has_more), "%s", t->has_more ? "true" : "false");
    int64_t now = lochan_clock__wall_ns();
    f->last_record = now > f->last_record ? now : f->last_record + 1;
    lochan_status rc = lochan_recorded__write(f->options.record_dir, f->last_record, &r, err);
    lochan_mem__free(body);
    return rc;
}

static lochan_status end_transfer(lochan_fetcher *f, lochan_fetch_transfer *t, CURLcode result,
                                  lochan_error *err) {
    lochan_fetch_meta meta;
    lochan_fetch_verdict verdict;
    lochan_error why;
    char *redirect = NULL;
    lochan_fetch_page *page = t->page;
    lochan_error_init(&why);
    lochan_status rc = lochan_fetch_transfer__finish(t, result, &meta, &verdict, &redirect, &why);
    curl_off_t wire = 0;
    curl_easy_getinfo(t->easy, CURLINFO_SIZE_DOWNLOAD_T, &wire);
    f->counters.wire_bytes += (int64_t)wire;
    curl_multi_remove_handle(f->multi, t->easy);
    f->counters.running--;
    if (f->options.record_dir && meta.http_status > 0 && !redirect)
        LOCHAN_TRY(record_answer(f, t, &meta, err));
    if (rc == LOCHAN_OK && redirect) {
        rc = start_transfer(f, t, page, redirect, err);
        lochan_mem__free(redirect);
        return rc;
    }
    lochan_rate_limit__give(f->limit, page->place);
    if (page->ran_alone)
        f->alone = false;
    if (rc == LOCHAN_OK)
        return deliver(f, t, &meta, err);
    lochan_fetch_transfer__reset(t);
    if (rc == LOCHAN_ERR_NO_MEMORY) {
        if (err)
            *err = why;
        return rc;
    }
    if (verdict.no_budget)
        return retry_without_memory(f, page, &why, err);
    return retry_page(f, page, &verdict, &why, err);
}

/* Lets curl work, then takes what it finished. *moved tells whether anything was. */
static lochan_status work(lochan_fetcher *f, bool *moved, lochan_error *err) {
    int running = 0, left = 0;
    *moved = false;
    CURLMcode code = curl_multi_perform(f->multi, &running);
    if (code != CURLM_OK)
        return lochan_error__set(
            err, code == CURLM_OUT_OF_MEMORY ? LOCHAN_ERR_NO_MEMORY : LOCHAN_ERR_NETWORK,
            "libcurl: %s", curl_multi_strerror(code));
    for (CURLMsg *m; (m = curl_multi_info_read(f->multi, &left)) != NULL;) {
        if (m->msg != CURLMSG_DONE)
            continue;
        char *transfer = NULL;
        CURLcode result = m->data.result; /* m is gone once the handle is removed */
        curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &transfer);
        *moved = true;
        LOCHAN_TRY(end_transfer(f, (lochan_fetch_transfer *)(void *)transfer, result, err));
    }
    return LOCHAN_OK;
}

static lochan_fetch_page *next_due(const lochan_fetcher *f) {
    lochan_fetch_page *best = f->waiting.first;
    for (lochan_fetch_page *page = best; page; page = page->next)
        if (page->due_ns < best->due_ns)
            best = page;
    return best;
}

/* Says why nothing moves, if nothing does. */
static void explain_wait(lochan_fetcher *f, int64_t now) {
    const lochan_fetch_page *page = next_due(f);
    f->waiting_for[0] = '\0';
    if (f->counters.running > 0) {
        f->counters.waiting_for = NULL;
        return;
    }
    if (f->queue.first && now < f->hold_until_ns)
        lochan_format(f->waiting_for, sizeof(f->waiting_for), "back-off %.1f s after %s",
                      (double)(f->hold_until_ns - now) / 1e9, f->hold_reason);
    else if (f->queue.first && now < f->limit_until_ns)
        lochan_format(f->waiting_for, sizeof(f->waiting_for), "rate limit of %s (%s), %.1f s",
                      f->spec->name, f->limit_reason, (double)(f->limit_until_ns - now) / 1e9);
    else if (f->turn.hold && f->queue.first)
        lochan_format(f->waiting_for, sizeof(f->waiting_for),
                      "what was fetched is being worked on");
    else if (page && !f->queue.first)
        lochan_format(f->waiting_for, sizeof(f->waiting_for), "back-off %.1f s after %s",
                      (double)(page->due_ns > now ? page->due_ns - now : 0) / 1e9, page->reason);
    f->counters.waiting_for = f->waiting_for[0] ? f->waiting_for : NULL;
}

static void report_progress(lochan_fetcher *f, int64_t now, bool last) {
    explain_wait(f, now);
    bool changed = strcmp(f->waiting_for, f->last_waiting_for) != 0;
    if (!f->callbacks.on_progress || (!last && !changed && now - TURN_NS < f->last_progress_ns))
        return;
    f->last_progress_ns = now;
    lochan_format(f->last_waiting_for, sizeof(f->last_waiting_for), "%s", f->waiting_for);
    f->callbacks.on_progress(f->callbacks.ctx, &f->counters);
}

/* Sleeps until something may have changed, at most one turn. */
static lochan_status wait_turn(lochan_fetcher *f, lochan_error *err) {
    int64_t now = lochan_clock__mono_ns(), wait = TURN_NS;
    const lochan_fetch_page *page = next_due(f);
    if (page && page->due_ns - now < wait)
        wait = page->due_ns - now;
    if (f->queue.first && !f->turn.hold && f->hold_until_ns > now && f->hold_until_ns - now < wait)
        wait = f->hold_until_ns - now;
    if (f->queue.first && !f->turn.hold && f->limit_until_ns > now &&
        f->limit_until_ns - now < wait)
        wait = f->limit_until_ns - now;
    if (wait < 0)
        wait = 0;
    if (f->counters.running == 0 && !f->turn.pending && !f->turn.hold) {
        if (wait > 0)
            lochan_clock__sleep_ns(wait);
        return LOCHAN_OK;
    }
    /* Rounded up: a wait of zero would be a busy loop. */
    CURLMcode code = curl_multi_poll(f->multi, NULL, 0, (int)((wait + 999999) / 1000000), NULL);
    if (code != CURLM_OK)
        return lochan_error__set(
            err, code == CURLM_OUT_OF_MEMORY ? LOCHAN_ERR_NO_MEMORY : LOCHAN_ERR_NETWORK,
            "libcurl: %s", curl_multi_strerror(code));
    return LOCHAN_OK;
}

static lochan_status take_turn(lochan_fetcher *f, lochan_error *err) {
    memset(&f->turn, 0, sizeof(f->turn));
    if (!f->callbacks.on_turn)
        return LOCHAN_OK;
    return f->callbacks.on_turn(f->callbacks.ctx, &f->turn, err);
}

static bool has_work(const lochan_fetcher *f) {
    return f->queue.first || f->waiting.first || f->counters.running > 0 || f->turn.pending;
}

lochan_status lochan_fetcher__run(lochan_fetcher *f, lochan_error *err) {
    for (;;) {
        bool moved;
        LOCHAN_TRY(lochan_cancel__check(f->ctx->cancel, err));
        LOCHAN_TRY(take_turn(f, err));
        LOCHAN_TRY(start_pages(f, err));
        LOCHAN_TRY(work(f, &moved, err));
        report_progress(f, lochan_clock__mono_ns(), false);
        if (moved)
            continue; /* places are free now, and callbacks may have added pages */
        if (!has_work(f))
            break;
        LOCHAN_TRY(wait_turn(f, err));
    }
    report_progress(f, lochan_clock__mono_ns(), true);
    return LOCHAN_OK;
}
