/* plan.c - from the ledger's gaps to scopes: which windows are asked for, of which assets and under
 * which parameters, each with its request. Windows are cut at calendar boundaries, so that the same
 * gap gives the same requests whenever it is planned; assets that miss the same days share
 * requests. May call: base/, catalog/, source/, ledger.h, series.h, planner.h, reference.h.
 */
#include "update/job.h"

#include "update/callback.h"
#include "update/files.h"
#include "update/heal.h"
#include "update/mode.h"
#include "update/raw.h"

#define MAX_SCOPES 1000000
#define MAX_VALUES 24
#define DAY_NS     INT64_C(86400000000000)

/* ---- windows ---- */

/* First day of the chunk that holds `day`; INT32_MIN before year 1. */
int32_t lochan_plan__chunk_start(lochan_chunk_unit unit, int32_t count, int32_t day) {
    lochan_civil c = lochan_civil__from_days(day);
    switch (unit) {
    case LOCHAN_CHUNK_NONE:
        return INT32_MIN;
    case LOCHAN_CHUNK_DAYS:
        return day - ((day % count) + count) % count;
    case LOCHAN_CHUNK_MONTHS: {
        int32_t month = (c.year * 12 + c.month - 1) / count * count; /* counted from year 0 */
        c = (lochan_civil){month / 12, month % 12 + 1, 1};
        break;
    }
    case LOCHAN_CHUNK_YEARS:
        c = (lochan_civil){c.year / count * count, 1, 1};
        break;
    }
    return c.year < 1 ? INT32_MIN : lochan_civil__to_days(c);
}

/* Last day of the chunk that holds `day`; INT32_MAX after year 9999. */
int32_t lochan_plan__chunk_end(lochan_chunk_unit unit, int32_t count, int32_t day) {
    lochan_civil c = lochan_civil__from_days(day);
    switch (unit) {
    case LOCHAN_CHUNK_NONE:
        return INT32_MAX;
    case LOCHAN_CHUNK_DAYS:
        return day - ((day % count) + count) % count + count - 1;
    case LOCHAN_CHUNK_MONTHS: {
        int32_t month = (c.year * 12 + c.month - 1) / count * count + count;
        c = (lochan_civil){month / 12, month % 12 + 1, 1};
        break;
    }
    case LOCHAN_CHUNK_YEARS:
        c = (lochan_civil){c.year / count * count + count, 1, 1};
        break;
    }
    return c.year > 9999 ? INT32_MAX : lochan_civil__to_days(c) - 1;
}

lochan_status lochan_plan__cut_chunks(lochan_chunk_unit unit, int32_t count, lochan_window gap,
                                      lochan_windows *out, lochan_error *err) {
    for (int32_t from = gap.from;;) {
        int32_t end = lochan_plan__chunk_end(unit, count, from);
        end = end < gap.to ? end : gap.to;
        LOCHAN_TRY(lochan_windows__add(out, from, end, err));
        if (end == gap.to)
            return LOCHAN_OK;
        from = end + 1;
    }
}

const char *lochan_job__window_column(const lochan_job *job) {
    return job->spec->window_column;
}

int64_t lochan_job__asked_at(const lochan_job *job, const lochan_scope *scope) {
    int64_t last = 0;
    for (size_t i = 0; i < scope->n_series; i++) {
        lochan_window all = {INT32_MIN, INT32_MAX};
        int64_t asked =
            lochan_ledger__asked_at(&scope->series[i]->before, job->timeless ? all : scope->window);
        last = asked > last ? asked : last;
    }
    return last;
}

bool lochan_job__is_holiday(const lochan_job *job, int32_t day) {
    const lochan_calendar *c = &job->calendar;
    return c->n > 0 && day >= c->days[0] && day <= c->days[c->n - 1] &&
           !lochan_calendar__has(c, day);
}

/* ---- requests ---- */

lochan_status lochan_job__page_request(const lochan_job *job, const lochan_scope *scope,
                                       const lochan_page_ask *ask, lochan_source_request *out,
                                       lochan_error *err) {
    const lochan_dataset_spec *spec = job->spec;
    lochan_window window = ask ? ask->window : scope->window;
    size_t n_sets = scope->variant ? scope->variant->n_params : 0,
           n_pages = ask ? ask->n_params : 0;
    size_t n = 0, n_extra = 0;
    char from[64], to[64];
    lochan_source_value values[MAX_VALUES];
    LOCHAN_TRY(lochan_source_spec__print_date(job->source, window.from, from, sizeof from, err));
    LOCHAN_TRY(lochan_source_spec__print_date(job->source, window.to, to, sizeof to, err));
    values[n++] = (lochan_source_value){"start", from};
    values[n++] = (lochan_source_value){"end", to};
    values[n++] = (lochan_source_value){"date", to};
    values[n++] = (lochan_source_value){"period", to};
    values[n++] = (lochan_source_value){"dataset", spec->name};
    values[n++] = (lochan_source_value){"source_dataset", spec->source_dataset};
    if (scope->assets)
        values[n++] = (lochan_source_value){"assets", scope->assets};
    for (size_t i = 0; ask && i < ask->n_values && n < MAX_VALUES; i++)
        values[n++] = ask->values[i];
    lochan_source_pair *extra =
        lochan_mem__array(spec->n_params + n_sets + n_pages + 1, sizeof *extra);
    if (!extra)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < spec->n_params; i++)
        extra[n_extra++] = spec->params[i];
    for (size_t i = 0; i < n_sets; i++)
        extra[n_extra++] = scope->variant->params[i];
    if (scope->assets && spec->request_param)
        extra[n_extra++] = (lochan_source_pair){spec->request_param, "{assets}"};
    for (size_t i = 0; i < n_pages; i++)
        extra[n_extra++] = ask->params[i];
    lochan_status rc =
        lochan_source__build_request(job->source, values, n, extra, n_extra, out, err);
    lochan_mem__free(extra);
    return rc;
}

/* ---- what to ask for ---- */

/* First day of the ledger over all series, INT32_MAX if it knows nothing. */
static int32_t first_known_day(const lochan_book *book) {
    int32_t first = INT32_MAX;
    for (size_t i = 0; i < book->n; i++) {
        const lochan_ledger *ledger = &book->items[i]->before;
        if (ledger->count > 0 && ledger->rows[0].from < first)
            first = ledger->rows[0].from;
    }
    return first;
}

/* Without a start: where the ledger begins, but never later than the spec's default_start. */
static lochan_status choose_start(lochan_job *job, lochan_error *err) {
    if (job->has_start)
        return LOCHAN_OK;
    if (job->timeless) { /* the days only fill placeholders, if there are any */
        job->start = job->spec->has_default_start && job->spec->default_start < job->end
                         ? job->spec->default_start
                         : job->end;
        return LOCHAN_OK;
    }
    int32_t known = first_known_day(&job->book);
    if (job->spec->has_default_start && job->spec->default_start < known)
        known = job->spec->default_start;
    job->start = known;
    if (known != INT32_MAX)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                          "%s was never updated and its spec has no default_start", job->full_name);
    lochan_error__hint(err, "say from when: --start YYYY-MM-DD, or default_start in the spec");
    return rc;
}

static bool is_owed(const lochan_series *series) {
    for (size_t i = 0; i < series->before.count; i++) {
        lochan_cover_state state = series->before.rows[i].state;
        if (state == LOCHAN_COVER_FAILED || state == LOCHAN_COVER_INVALID)
            return true;
    }
    return false;
}

/* What discovery does not know of: assets that failed, and those that were never asked. */
static lochan_status add_owed(lochan_job *job, lochan_names *names, lochan_error *err) {
    const lochan_dataset_spec *spec = job->spec;
    const char *variant = spec->n_param_sets ? spec->param_sets[0].name : "";
    lochan_names all = {0};
    for (size_t i = 0; i < job->book.n; i++) {
        const char *asset = job->book.items[i]->asset;
        if (asset[0] && is_owed(job->book.items[i]))
            LOCHAN_TRY(lochan_names__add(names, &job->arena, asset, strlen(asset), err));
    }
    if (spec->assets.source)
        LOCHAN_TRY(lochan_reference__read(job->lake, &spec->assets, spec->asset_separator,
                                          &job->arena, &all, err));
    for (size_t i = 0; i < all.n; i++) {
        if (!lochan_book__find(&job->book, all.items[i], variant))
            LOCHAN_TRY(
                lochan_names__add(names, &job->arena, all.items[i], strlen(all.items[i]), err));
    }
    lochan_names__sort(names);
    return LOCHAN_OK;
}

static lochan_status choose_assets(lochan_job *job, lochan_names *names, lochan_error *err) {
    const lochan_update_request *r = job->request;
    for (size_t i = 0; i < r->n_assets; i++)
        LOCHAN_TRY(lochan_names__add(names, &job->arena, r->assets[i], strlen(r->assets[i]), err));
    lochan_names__sort(names);
    if (r->n_assets > 0 || !job->spec->planner->by_asset)
        return LOCHAN_OK;
    const lochan_reference *from =
        job->spec->discovery.source && !r->force && !r->repair && job->book.n > 0
            ? &job->spec->discovery
            : &job->spec->assets;
    if (from->source) {
        LOCHAN_TRY(lochan_reference__read(job->lake, from, job->spec->asset_separator, &job->arena,
                                          names, err));
        return from == &job->spec->discovery ? add_owed(job, names, err) : LOCHAN_OK;
    }
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                          "%s is asked asset by asset, and nothing says which", job->full_name);
    lochan_error__hint(err, "name them with --assets A,B, or reference_dataset in the spec");
    return rc;
}

static lochan_gap_kind gap_kind(const lochan_update_request *request) {
    if (request->repair)
        return LOCHAN_GAP_FAILED;
    return request->force ? LOCHAN_GAP_ALL : LOCHAN_GAP_OPEN;
}

/* What is missing of one series; days that were asked for all assets at once count for each. */
static lochan_status find_gaps(const lochan_job *job, const lochan_series *series,
                               lochan_windows *out, lochan_error *err) {
    lochan_gap_kind kind = job->gap_kind;
    lochan_finality f = job->finality;
    const lochan_ledger none = {0};
    const lochan_series *all =
        series->asset[0] ? lochan_book__find(&job->book, "", series->variant) : NULL;
    lochan_windows first = {0};
    lochan_status rc;
    if (job->start > job->end)
        return LOCHAN_OK;
    if (job->timeless) { /* asked whole, as often as refresh_days says */
        bool fresh = job->spec->refresh_days > 0 && series->before.count > 0 &&
                     lochan_ledger__is_fresh(&series->before, f);
        bool failed = lochan_ledger__has_failed(&series->before);
        bool ask = kind == LOCHAN_GAP_ALL || (kind == LOCHAN_GAP_FAILED ? failed : !fresh);
        return ask ? lochan_windows__add(out, job->start, job->end, err) : LOCHAN_OK;
    }
    if (kind != LOCHAN_GAP_OPEN || !all)
        return lochan_ledger__gaps(&series->before, job->start, job->end, f, kind, out, err);
    LOCHAN_TRYG(lochan_ledger__gaps(all ? &all->before : &none, job->start, job->end, f, kind,
                                    &first, err));
    for (size_t i = 0; i < first.count; i++)
        LOCHAN_TRYG(lochan_ledger__gaps(&series->before, first.items[i].from, first.items[i].to, f,
                                        kind, out, err));
done:
    lochan_windows__deinit(&first);
    return rc;
}

/* ---- scopes ---- */

struct planning {
    lochan_job *job;
    const lochan_param_set *variant;
    size_t cap; /* of job->scopes */
};

/* Assets that miss the same days. */
struct batch {
    lochan_series **series;
    size_t n;
    lochan_windows gaps;
};

static lochan_status join_assets(lochan_job *job, const struct batch *batch, const char **out,
                                 lochan_error *err) {
    lochan_buf text;
    lochan_buf__init(&text, 16u << 20);
    lochan_status rc = LOCHAN_OK;
    *out = NULL;
    for (size_t i = 0; i < batch->n && rc == LOCHAN_OK; i++)
        rc = lochan_buf__printf(&text, err, "%s%s", i ? job->spec->asset_separator : "",
                                batch->series[i]->asset);
    if (rc == LOCHAN_OK) {
        *out = lochan_arena__strndup(&job->arena, (const char *)text.data, text.len);
        rc = *out ? LOCHAN_OK : lochan_error__nomem(err);
    }
    lochan_buf__deinit(&text);
    return rc;
}

static lochan_status add_scope(struct planning *p, const lochan_scope *scope, lochan_error *err) {
    lochan_job *job = p->job;
    if (job->n_scopes >= MAX_SCOPES)
        return lochan_error__set(
            err, LOCHAN_ERR_INVALID_ARGUMENT,
            "%s: more than %d requests; ask for a smaller window or larger chunks", job->full_name,
            MAX_SCOPES);
    if (job->n_scopes == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 64, more = (cap - p->cap) * sizeof *job->scopes;
        LOCHAN_TRY(lochan_budget__take(job->lake->ctx.budget, more, "the plan of an update", err));
        job->plan_budget += more;
        lochan_scope *scopes = lochan_mem__array(cap, sizeof *scopes);
        if (!scopes)
            return lochan_error__nomem(err);
        if (job->n_scopes > 0)
            memcpy(scopes, job->scopes, job->n_scopes * sizeof *scopes);
        lochan_mem__free(job->scopes);
        job->scopes = scopes;
        p->cap = cap;
    }
    job->scopes[job->n_scopes] = *scope;
    if (job->source->kind != LOCHAN_SOURCE_HTTP) {
        job->n_scopes++;
        return LOCHAN_OK;
    }
    return lochan_job__page_request(job, scope, NULL, &job->scopes[job->n_scopes++].request, err);
}

static lochan_status add_scopes(struct planning *p, const struct batch *batch, lochan_error *err) {
    lochan_job *job = p->job;
    lochan_scope scope = {.variant = p->variant, .n_series = batch->n};
    lochan_windows windows = {0};
    lochan_status rc;
    if (batch->gaps.count == 0 || batch->n == 0)
        return LOCHAN_OK;
    if (batch->series[0]->asset[0])
        LOCHAN_TRYG(join_assets(job, batch, &scope.assets, err));
    scope.series = lochan_arena__array(&job->arena, batch->n, sizeof(lochan_series *));
    if (!scope.series) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    memcpy(scope.series, batch->series, batch->n * sizeof(lochan_series *));
    if (job->timeless) {
        LOCHAN_TRYG(lochan_windows__add(&windows, job->start, job->end, err));
    }
    for (size_t i = 0; i < batch->gaps.count && !job->timeless; i++)
        LOCHAN_TRYG(job->spec->planner->cut(job, batch->gaps.items[i], &windows, err));
    if (job->registered && !job->timeless)
        LOCHAN_TRYG(lochan_callback__plan(job, &scope, &windows, err));
    for (size_t i = 0; i < windows.count; i++) {
        if (i > 0 && windows.items[i].from == windows.items[i - 1].from)
            continue; /* two gaps in one period */
        scope.window = windows.items[i];
        LOCHAN_TRYG(add_scope(p, &scope, err));
    }
done:
    lochan_windows__deinit(&windows);
    return rc;
}

static bool same_windows(const lochan_windows *a, const lochan_windows *b) {
    return a->count == b->count &&
           (a->count == 0 || memcmp(a->items, b->items, a->count * sizeof *a->items) == 0);
}

static lochan_status plan_assets(struct planning *p, const lochan_names *assets,
                                 lochan_error *err) {
    lochan_job *job = p->job;
    size_t most =
        (size_t)(job->request->batch_size > 0 ? job->request->batch_size : job->spec->batch_size);
    struct batch batch = {0};
    lochan_windows gaps = {0};
    lochan_status rc = LOCHAN_OK;
    batch.series =
        lochan_mem__array(most < assets->n ? most : assets->n + 1, sizeof(lochan_series *));
    if (!batch.series)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < assets->n; i++) {
        lochan_series *series;
        LOCHAN_TRYG(lochan_book__get(&job->book, assets->items[i],
                                     p->variant ? p->variant->name : "", &series, err));
        gaps.count = 0;
        LOCHAN_TRYG(find_gaps(job, series, &gaps, err));
        if (batch.n == most || (batch.n > 0 && !same_windows(&batch.gaps, &gaps))) {
            LOCHAN_TRYG(add_scopes(p, &batch, err));
            batch.n = 0;
        }
        if (batch.n == 0) {
            lochan_windows swap = batch.gaps;
            batch.gaps = gaps;
            gaps = swap;
        }
        batch.series[batch.n++] = series;
    }
    LOCHAN_TRYG(add_scopes(p, &batch, err));
done:
    lochan_mem__free(batch.series);
    lochan_windows__deinit(&batch.gaps);
    lochan_windows__deinit(&gaps);
    return rc;
}

static lochan_status plan_variant(struct planning *p, const lochan_names *assets,
                                  lochan_error *err) {
    lochan_series *series;
    if (p->job->spec->planner->by_asset || assets->n > 0)
        return plan_assets(p, assets, err);
    struct batch batch = {.series = &series, .n = 1};
    LOCHAN_TRY(
        lochan_book__get(&p->job->book, "", p->variant ? p->variant->name : "", &series, err));
    lochan_status rc = find_gaps(p->job, series, &batch.gaps, err);
    if (rc == LOCHAN_OK)
        rc = add_scopes(p, &batch, err);
    lochan_windows__deinit(&batch.gaps);
    return rc;
}

static lochan_status plan_variants(struct planning *p, const lochan_names *assets,
                                   lochan_error *err) {
    const lochan_dataset_spec *spec = p->job->spec;
    for (size_t i = 0; i == 0 || i < spec->n_param_sets; i++) {
        p->variant = spec->n_param_sets ? &spec->param_sets[i] : NULL;
        LOCHAN_TRY(plan_variant(p, assets, err));
    }
    return LOCHAN_OK;
}

static void clear_scopes(lochan_job *job) {
    for (size_t i = 0; i < job->n_scopes; i++)
        lochan_source_request__deinit(&job->scopes[i].request);
    job->n_scopes = 0;
}

void lochan_job__unplan(lochan_job *job) {
    for (size_t i = 0; i < job->n_scopes; i++) {
        lochan_source_request__deinit(&job->scopes[i].request);
        lochan_scope__clear(job, &job->scopes[i]);
    }
    lochan_mem__free(job->scopes);
    lochan_budget__give(job->lake->ctx.budget, job->plan_budget);
    lochan_book__deinit(&job->book);
    lochan_arena__deinit(&job->arena);
    job->scopes = NULL;
    job->n_scopes = job->plan_budget = 0;
    job->calendar = (lochan_calendar){0};
}

lochan_status lochan_job__plan(lochan_job *job, lochan_error *err) {
    struct planning p = {.job = job};
    lochan_names assets = {0};
    const lochan_dataset_spec *spec = job->spec;
    lochan_arena__init(&job->arena, 0);
    job->timeless = !spec->window_column;
    job->finality = (lochan_finality){spec->settle_days, spec->refresh_days, job->started_ns};
    if (spec->revision_days > spec->settle_days)
        job->finality.settle_days = spec->revision_days;
    LOCHAN_TRY(lochan_book__load(&job->book, job->lake->catalog, job->dataset->dataset_id, err));
    if (job->replay)
        return lochan_replay__plan(job, err);
    LOCHAN_TRY(lochan_heal__plan(job, err));
    job->gap_kind = gap_kind(job->request);
    if (job->source->kind == LOCHAN_SOURCE_FILES) {
        LOCHAN_TRY(lochan_files__plan(job, err));
        job->report->scopes = job->progress.pages_total = (int64_t)job->n_scopes;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(choose_start(job, err));
    if (spec->calendar.source)
        LOCHAN_TRY(
            lochan_calendar__read(job->lake, &spec->calendar, &job->arena, &job->calendar, err));
    LOCHAN_TRY(choose_assets(job, &assets, err));
    LOCHAN_TRY(plan_variants(&p, &assets, err));
    if (spec->update_mode->all_scopes && job->n_scopes > 0 && job->gap_kind != LOCHAN_GAP_ALL) {
        clear_scopes(job); /* a table that becomes what comes needs all of it */
        job->gap_kind = LOCHAN_GAP_ALL;
        LOCHAN_TRY(plan_variants(&p, &assets, err));
    }
    job->report->scopes = (int64_t)job->n_scopes;
    job->progress.pages_total = (int64_t)job->n_scopes;
    return LOCHAN_OK;
}
