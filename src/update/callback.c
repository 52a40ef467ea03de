/* callback.c - rows from functions of the caller's: what they are told, and what becomes of their
 * batches. registered.c keeps the functions.
 *
 * Each batch is a page: checked, made canonical, and staged as a Parquet file of what was given.
 * After the last one an end mark is staged, which counts them; a stream begins anew when it is
 * asked again, so staged pages are used only if the whole scope is there. May call: base/, arrow/,
 * source/, page.h, staging.h.
 */
#include "update/callback.h"

#include "base/clock.h"
#include "source/typed.h"
#include "update/page.h"
#include "update/raw.h"
#include "update/registered.h"

#define MAX_KEY    ((size_t)64 << 20)
#define MAX_PAGES  1000000
#define MAX_STAGED ((size_t)4 << 30)

/* ---- whose functions ---- */

lochan_status lochan_callback__acquire(lochan_job *job, lochan_error *err) {
    job->registered = lochan_registered__find(job->lake, job->source->name);
    if (job->registered)
        return LOCHAN_OK;
    lochan_status rc = lochan_error__set(
        err, LOCHAN_ERR_INVALID_ARGUMENT,
        "%s: source '%.100s' is of kind callback, and this process has registered no functions for "
        "it",
        job->full_name, job->source->name);
    lochan_error__hint(err, "call lochan_source_register (in Python: lake.sources.register) on the "
                            "open lake before the update");
    return rc;
}

void lochan_callback__release(lochan_job *job) {
    lochan_registered__unref(job->registered);
    job->registered = NULL;
}

/* ---- what the functions are told ---- */

struct call {
    lochan_arena arena;
    lochan_source_context context;
    lochan_source_scope scope;
    char from[16], to[16];
};

static const char *pair_text(lochan_arena *arena, const lochan_source_pair *pair) {
    size_t n = strlen(pair->name) + strlen(pair->value) + 2;
    char *text = lochan_arena__alloc(arena, n);
    if (text)
        (void)lochan_format(text, n, "%s=%s", pair->name, pair->value);
    return text;
}

static lochan_status add_pairs(lochan_arena *arena, const lochan_source_pair *pairs, size_t n,
                               const char **list, size_t *at, lochan_error *err) {
    for (size_t i = 0; i < n; i++) {
        list[*at] = pair_text(arena, &pairs[i]);
        if (!list[(*at)++])
            return lochan_error__nomem(err);
    }
    return LOCHAN_OK;
}

static lochan_status fill_context(const lochan_job *job, struct call *call, lochan_error *err) {
    const lochan_update_request *r = job->request;
    const lochan_source_spec *source = job->source;
    const char **options =
        lochan_arena__array(&call->arena, source->n_options + 1, sizeof *options);
    size_t n = 0;
    if (!options)
        return lochan_error__nomem(err);
    LOCHAN_TRY(add_pairs(&call->arena, source->options, source->n_options, options, &n, err));
    call->context = (lochan_source_context){
        .struct_size = sizeof call->context,
        .source = job->spec->source,
        .dataset = job->spec->name,
        .source_dataset = job->spec->source_dataset,
        .start = r->start,
        .end = r->end,
        .assets = r->assets,
        .n_assets = r->n_assets,
        .force = r->force,
        .repair = r->repair,
        .backfill = r->backfill,
        .validate = r->validate ? r->validate : "spec",
        .workers = r->workers > 0 ? r->workers : source->workers,
        .batch_size = r->batch_size > 0 ? r->batch_size : job->spec->batch_size,
        .max_retries = r->max_retries >= 0 ? r->max_retries : source->max_retries,
        .retry_backoff_seconds = r->retry_backoff_seconds >= 0
                                     ? r->retry_backoff_seconds
                                     : (double)source->retry_backoff_ns / 1e9,
        .options = options,
        .n_options = n};
    return LOCHAN_OK;
}

/* window NULL: of the scope itself. Deinit the arena also after a failure. */
static lochan_status make_call(const lochan_job *job, const lochan_scope *scope,
                               lochan_window window, struct call *call, lochan_error *err) {
    const lochan_dataset_spec *spec = job->spec;
    size_t n_sets = scope->variant ? scope->variant->n_params : 0, n = 0;
    bool by_asset = scope->n_series > 0 && scope->series[0]->asset[0];
    lochan_arena__init(&call->arena, 0);
    LOCHAN_TRY(fill_context(job, call, err));
    const char **assets = lochan_arena__array(&call->arena, scope->n_series + 1, sizeof *assets);
    const char **params =
        lochan_arena__array(&call->arena, spec->n_params + n_sets + 1, sizeof *params);
    if (!assets || !params)
        return lochan_error__nomem(err);
    for (size_t i = 0; by_asset && i < scope->n_series; i++)
        assets[i] = scope->series[i]->asset;
    LOCHAN_TRY(add_pairs(&call->arena, spec->params, spec->n_params, params, &n, err));
    if (n_sets)
        LOCHAN_TRY(add_pairs(&call->arena, scope->variant->params, n_sets, params, &n, err));
    lochan_civil__format_date(window.from, call->from);
    lochan_civil__format_date(window.to, call->to);
    call->scope =
        (lochan_source_scope){.struct_size = sizeof call->scope,
                              .context = &call->context,
                              .start = job->timeless ? NULL : call->from,
                              .end = job->timeless ? NULL : call->to,
                              .assets = assets,
                              .n_assets = by_asset ? scope->n_series : 0,
                              .parameters = params,
                              .n_parameters = n,
                              .parameter_set = scope->variant ? scope->variant->name : NULL};
    return LOCHAN_OK;
}

/* A function that failed without saying why. */
static lochan_status blame(const lochan_job *job, const char *what, lochan_status rc,
                           lochan_error *err) {
    if (err && (err->code == LOCHAN_OK || !err->message[0]))
        (void)lochan_error__set(err, rc, "%s of source '%.100s' failed: %s", what,
                                job->source->name, lochan_status_text(rc));
    if (err)
        err->code = rc;
    return rc;
}

/* ---- planning ---- */

struct lochan_source_plan {
    lochan_window within;
    lochan_windows *out;
    size_t first; /* of out, that belongs to this scope */
};

static lochan_status parse_day(const char *text, int32_t *day, lochan_error *err) {
    if (text && lochan_civil__parse_date(text, strlen(text), day))
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                             "a planned window: expected a date like 2026-01-31, got '%.40s'",
                             text ? text : "NULL");
}

lochan_status lochan_source_plan_add(lochan_source_plan *plan, const char *start, const char *end,
                                     lochan_error *err) {
    LOCHAN_CHECK_ARG(plan, err);
    int32_t from, to;
    LOCHAN_TRY(parse_day(start, &from, err));
    LOCHAN_TRY(parse_day(end, &to, err));
    if (from > to || from < plan->within.from || to > plan->within.to)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "a planned window %.10s..%.10s lies outside of what is missing",
                                 start, end);
    for (size_t i = plan->first; i < plan->out->count; i++)
        if (from <= plan->out->items[i].to && to >= plan->out->items[i].from)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "planned windows overlap at %.10s..%.10s", start, end);
    return lochan_windows__add(plan->out, from, to, err);
}

static int compare_windows(const void *a, const void *b) {
    const lochan_window *x = a, *y = b;
    return (x->from > y->from) - (x->from < y->from);
}

lochan_status lochan_callback__plan(lochan_job *job, const lochan_scope *scope,
                                    lochan_windows *windows, lochan_error *err) {
    const lochan_source_callbacks *c = lochan_registered__get(job->registered);
    lochan_windows out = {0};
    lochan_status rc = LOCHAN_OK;
    if (!c->plan)
        return LOCHAN_OK;
    for (size_t i = 0; i < windows->count && rc == LOCHAN_OK; i++) {
        struct call call;
        lochan_source_plan plan = {windows->items[i], &out, out.count};
        rc = make_call(job, scope, windows->items[i], &call, err);
        if (rc == LOCHAN_OK) {
            rc = c->plan(c->payload, &call.scope, &plan, err);
            if (rc != LOCHAN_OK)
                rc = blame(job, "plan", rc, err);
        }
        lochan_arena__deinit(&call.arena);
    }
    if (rc != LOCHAN_OK) {
        lochan_windows__deinit(&out);
        return rc;
    }
    if (out.count > 1)
        qsort(out.items, out.count, sizeof *out.items, compare_windows);
    lochan_windows__deinit(windows);
    *windows = out;
    return LOCHAN_OK;
}

/* ---- staging ---- */

/* What a scope is, for staging: other options or parameters are other rows. */
static lochan_status name_scope(const lochan_source_scope *s, lochan_buf *out, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__printf(out, err, "callback %s/%s %s..%s", s->context->source,
                                  s->context->source_dataset, s->start ? s->start : "",
                                  s->end ? s->end : ""));
    for (size_t i = 0; i < s->n_assets; i++)
        LOCHAN_TRY(lochan_buf__printf(out, err, "%s%s", i ? "," : "\nassets ", s->assets[i]));
    for (size_t i = 0; i < s->n_parameters; i++)
        LOCHAN_TRY(lochan_buf__printf(out, err, "\nparameter %s", s->parameters[i]));
    for (size_t i = 0; i < s->context->n_options; i++)
        LOCHAN_TRY(lochan_buf__printf(out, err, "\noption %s", s->context->options[i]));
    return lochan_buf__putc(out, 0, err);
}

struct intake {
    lochan_job *job;
    lochan_scope *scope;
    lochan_direct_outcome *outcome;
    lochan_buf key; /* text, with its zero */
};

/* number -1: the end mark. */
static lochan_hash128 key_of(const struct intake *in, int64_t number) {
    char text[64], hex[33];
    lochan_hash128__hex(lochan_hash__128(in->key.data, in->key.len), hex);
    (void)lochan_format(text, sizeof text, "%s %lld", hex, (long long)number);
    return lochan_hash__128(text, strlen(text));
}

static lochan_status put_staged(struct intake *in, int64_t number, const void *data, size_t n,
                                lochan_error *err) {
    const lochan_staged_page page = {.request = key_of(in, number),
                                     .request_text = (const char *)in->key.data,
                                     .fetched_at = in->scope->asked_ns};
    return lochan_staging__put(in->job->staging, &page, data, n, err);
}

static lochan_status get_staged(struct intake *in, int64_t number, size_t most, lochan_buf *body,
                                bool *found, lochan_error *err) {
    int64_t fetched_at = 0, known = lochan_job__asked_at(in->job, in->scope);
    lochan_buf__init(body, most + 1);
    LOCHAN_TRY(lochan_staging__get(in->job->staging, key_of(in, number), most, body, &fetched_at,
                                   found, err));
    *found = *found && fetched_at / 1000 > known / 1000;
    if (*found)
        in->scope->asked_ns = fetched_at;
    return LOCHAN_OK;
}

/* ---- taking rows ---- */

static lochan_status keep_rows(struct intake *in, int64_t number, lochan_rows *rows, int64_t bytes,
                               lochan_error *err) {
    in->scope->bytes += bytes;
    in->outcome->pages++;
    in->scope->page_request = key_of(in, number);
    LOCHAN_TRY(lochan_raw__note(in->job, in->scope, err));
    return lochan_page__keep(in->job, in->scope, number, rows, err);
}

/* Number of pages of a scope that was given whole, -1 = it was not. */
static lochan_status staged_pages(struct intake *in, int64_t *n, lochan_error *err) {
    lochan_buf body;
    bool found;
    *n = -1;
    if (in->job->request->force)
        return LOCHAN_OK;
    lochan_status rc = get_staged(in, -1, 8, &body, &found, err);
    lochan_cursor c = {body.data, body.data + body.len};
    uint64_t count;
    if (rc == LOCHAN_OK && found && lochan_cursor__u64le(&c, &count) && count <= MAX_PAGES)
        *n = (int64_t)count;
    lochan_buf__deinit(&body);
    return rc;
}

static lochan_status take_staged_page(struct intake *in, int64_t number, bool *good,
                                      lochan_error *err) {
    lochan_rows rows = {0};
    lochan_page_facts facts = {0};
    lochan_buf body;
    lochan_budget *budget = in->job->lake->ctx.budget;
    lochan_status rc = get_staged(in, number, MAX_STAGED, &body, good, err);
    size_t taken = 0;
    if (rc == LOCHAN_OK && *good) {
        rc = lochan_budget__take(budget, body.len, "a staged page", err);
        taken = rc == LOCHAN_OK ? body.len : 0;
        if (rc == LOCHAN_OK)
            rc = lochan_page__decode(in->job, in->scope, NULL, &body, &rows, &facts, err);
        if (rc == LOCHAN_OK)
            rc = keep_rows(in, number, &rows, (int64_t)body.len, err);
    }
    lochan_budget__give(budget, taken);
    lochan_rows__release(&rows);
    lochan_page_facts__deinit(&facts);
    lochan_buf__deinit(&body);
    return rc;
}

static lochan_status take_staged(struct intake *in, bool *done, lochan_error *err) {
    int64_t n, asked_ns = in->scope->asked_ns;
    *done = false;
    LOCHAN_TRY(staged_pages(in, &n, err));
    bool good = n >= 0;
    for (int64_t i = 0; i < n && good; i++) {
        lochan_status rc = take_staged_page(in, i, &good, err);
        if (rc == LOCHAN_ERR_PAGE) /* damaged: the rows are asked for again */
            good = false;
        else if (rc != LOCHAN_OK)
            return rc;
    }
    *done = good;
    if (!good) {
        lochan_scope__clear(in->job, in->scope);
        in->scope->bytes = 0;
        in->outcome->pages = 0;
        in->scope->asked_ns = asked_ns;
    }
    return LOCHAN_OK;
}

/* A batch from outside, once it was checked: a struct of its own columns, cut to its rows. */
static lochan_status plain_batch(const struct ArrowSchema *schema, struct ArrowArray *batch,
                                 lochan_shared **shared, struct ArrowArray *out,
                                 lochan_error *err) {
    memset(out, 0, sizeof *out);
    *shared = NULL;
    lochan_status rc = lochan_array__check(schema, batch, err);
    if (rc == LOCHAN_OK && batch->null_count != 0 && batch->n_buffers > 0 && batch->buffers[0])
        rc = lochan_error__set(err, LOCHAN_ERR_VALIDATION, "a batch has rows that are null");
    int64_t length = batch->length;
    if (rc != LOCHAN_OK) {
        lochan_array__release(batch);
        return rc;
    }
    *shared = lochan_shared__give(batch);
    if (!*shared)
        return lochan_error__nomem(err);
    return lochan_shared__slice(*shared, 0, length, out, err);
}

static lochan_status stage_batch(struct intake *in, int64_t number,
                                 const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                 int64_t *bytes, lochan_error *err) {
    lochan_buf file;
    lochan_buf__init(&file, MAX_STAGED);
    lochan_status rc = lochan_typed__encode_parquet(schema, batch, &file, err);
    if (rc == LOCHAN_OK)
        rc = put_staged(in, number, file.data, file.len, err);
    *bytes = (int64_t)file.len;
    lochan_buf__deinit(&file);
    return rc;
}

/* Takes *batch. */
static lochan_status take_batch(struct intake *in, int64_t number, const struct ArrowSchema *schema,
                                struct ArrowArray *batch, lochan_error *err) {
    lochan_rows rows = {0};
    lochan_shared *shared = NULL;
    struct ArrowArray plain = {0};
    int64_t bytes = 0;
    lochan_status rc;
    LOCHAN_TRYG(plain_batch(schema, batch, &shared, &plain, err));
    LOCHAN_TRYG(lochan_page__conform(in->job, schema, &plain, &rows, err));
    LOCHAN_TRYG(stage_batch(in, number, schema, &plain, &bytes, err));
    rc = keep_rows(in, number, &rows, bytes, err);
done:
    lochan_rows__release(&rows);
    lochan_array__release(&plain);
    lochan_shared__unref(shared);
    return rc;
}

static lochan_status take_stream(struct intake *in, struct ArrowArrayStream *stream,
                                 lochan_error *err) {
    bool *theirs = &in->outcome->theirs;
    struct ArrowSchema schema = {0};
    lochan_buf end;
    int64_t n = 0;
    lochan_status rc;
    lochan_buf__init(&end, 16);
    *theirs = true;
    LOCHAN_TRYG(lochan_stream__schema(stream, &schema, err));
    LOCHAN_TRYG(lochan_schema__check(&schema, err));
    for (;; n++) {
        struct ArrowArray batch = {0};
        *theirs = true;
        LOCHAN_TRYG(lochan_cancel__check(in->job->lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_stream__next(stream, &batch, err));
        if (!batch.release)
            break;
        *theirs = false;
        if (n >= MAX_PAGES) {
            lochan_array__release(&batch);
            rc = lochan_error__set(err, LOCHAN_ERR_VALIDATION, "more than %d batches", MAX_PAGES);
            goto done;
        }
        LOCHAN_TRYG(take_batch(in, n, &schema, &batch, err));
    }
    *theirs = false;
    LOCHAN_TRYG(lochan_buf__u64le(&end, (uint64_t)n, err));
    rc = put_staged(in, -1, end.data, end.len, err);
done:
    lochan_schema__release(&schema);
    lochan_buf__deinit(&end);
    return rc;
}

static lochan_status ask(struct intake *in, const struct call *call, lochan_error *err) {
    const lochan_source_callbacks *c = lochan_registered__get(in->job->registered);
    struct ArrowArrayStream stream = {0};
    in->outcome->theirs = true;
    lochan_status rc = c->fetch(c->payload, &call->scope, &stream, err);
    if (rc == LOCHAN_OK && !stream.release)
        rc = lochan_error__set(err, LOCHAN_ERR_VALIDATION,
                               "fetch of source '%.100s' gave no stream", in->job->source->name);
    if (rc != LOCHAN_OK) {
        lochan_stream__release(&stream);
        return blame(in->job, "fetch", rc, err);
    }
    rc = take_stream(in, &stream, err);
    lochan_stream__release(&stream);
    return rc;
}

bool lochan_callback__is_parallel(const lochan_job *job) {
    return lochan_registered__get(job->registered)->parallel;
}

lochan_status lochan_callback__fetch(lochan_job *job, lochan_scope *scope,
                                     lochan_direct_outcome *outcome, lochan_error *err) {
    struct intake in = {.job = job, .scope = scope, .outcome = outcome};
    struct call call;
    lochan_buf__init(&in.key, MAX_KEY);
    lochan_status rc;
    LOCHAN_TRYG(make_call(job, scope, scope->window, &call, err));
    LOCHAN_TRYG(name_scope(&call.scope, &in.key, err));
    LOCHAN_TRYG(take_staged(&in, &outcome->resumed, err));
    if (!outcome->resumed)
        rc = ask(&in, &call, err);
done:
    lochan_buf__deinit(&in.key);
    lochan_arena__deinit(&call.arena);
    return rc;
}
