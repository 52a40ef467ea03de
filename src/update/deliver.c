/* deliver.c - see deliver.h.
 * Lock: extras.mutex while the writer is opened; the writer itself takes rows from several threads.
 * May call: base/, arrow/, table/, source/, page.h, staging.h.
 */
#include "update/deliver.h"

#include "arrow/builder.h"
#include "arrow/view.h"
#include "update/dedup.h"
#include "update/manage.h"
#include "update/mode.h"
#include "update/page.h"
#include "update/same.h"
#include "update/validate.h"

/* ---- opening ---- */

void lochan_deliver__begin(lochan_job *job) {
    const lochan_dataset_spec *spec = job->spec;
    job->streams = spec->dedup->keep == NULL;
    for (size_t i = 0; i < spec->n_rules && job->level != LOCHAN_VALIDATE_OFF; i++)
        job->streams = job->streams && spec->rules[i].kind != LOCHAN_RULE_UNIQUE;
}

static lochan_status open_table(lochan_job *job, lochan_error *err) {
    lochan_table_spec wish;
    int64_t removed;
    lochan_dataset_spec__table(job->spec, &job->schema, &wish);
    LOCHAN_TRY(lochan_table__ensure(job->lake, &wish, &job->table, err));
    if (job->adopted == 0)
        return LOCHAN_OK;
    /* an update was cut off, perhaps while it wrote: what it left under temporary names is of no
     * use */
    return lochan_table__clean(job->lake, job->table, &removed, err);
}

static lochan_status open_write(lochan_job *job, bool decide, lochan_error *err) {
    const lochan_dataset_spec *spec = job->spec;
    lochan_write_options options = {.mode = spec->update_mode->write,
                                    .kind = "update",
                                    .token = job->request->token,
                                    .message = job->update_id,
                                    .dedup = spec->dedup->write,
                                    .order_column = spec->order_column};
    if (spec->update_mode->asks_assets) {
        options.asset_column = "asset_id";
        options.time_column = lochan_job__window_column(job);
    }
    LOCHAN_TRY(lochan_extras__schema(job, decide, &job->schema, err));
    LOCHAN_TRY(open_table(job, err));
    return lochan_write__begin(job->lake, job->table, &job->schema, &options, &job->write, err);
}

lochan_status lochan_deliver__open(lochan_job *job, bool decide, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    pthread_mutex_lock(&job->extras.mutex);
    if (!job->opened) {
        rc = job->broken ? lochan_error__set(err, LOCHAN_ERR_CANCELLED, "the update failed")
                         : open_write(job, decide, err);
        job->opened = rc == LOCHAN_OK;
        job->broken = job->broken || rc != LOCHAN_OK;
    }
    pthread_mutex_unlock(&job->extras.mutex);
    return rc;
}

void lochan_deliver__reopen(lochan_job *job) {
    lochan_write__free(job->write);
    lochan_table__close(job->table);
    lochan_schema__release(&job->schema);
    job->write = NULL;
    job->table = NULL;
    job->opened = false;
    for (size_t i = 0; i < job->n_scopes; i++) {
        job->scopes[i].delivered = false;
        for (size_t p = 0; p < job->scopes[i].n_pages; p++) {
            if (job->scopes[i].pages[p].conformed)
                lochan_scope__drop_rows(job, &job->scopes[i].pages[p]);
        }
    }
}

/* ---- one schema ---- */

static lochan_status null_column(const struct ArrowSchema *schema, int64_t rows,
                                 struct ArrowArray *out, lochan_error *err) {
    lochan_builder *builder = NULL;
    LOCHAN_TRY(lochan_builder__create(schema, &builder, err));
    lochan_status rc = LOCHAN_OK;
    for (int64_t i = 0; i < rows && rc == LOCHAN_OK; i++)
        rc = lochan_builder__null(builder, err);
    if (rc == LOCHAN_OK)
        rc = lochan_builder__finish(builder, out, err);
    lochan_builder__free(builder);
    return rc;
}

/* The undeclared columns of the table, from what the page calls so. */
static lochan_status cast_extras(const lochan_job *job, const lochan_scope_page *page,
                                 struct ArrowArray *out, lochan_error *err) {
    for (int64_t i = lochan_extras__n_declared(job); i < job->schema.n_children; i++) {
        const struct ArrowSchema *to = job->schema.children[i];
        int from = lochan_schema__find(&page->schema, to->name);
        if (from < 0) {
            LOCHAN_TRY(null_column(to, out->length, out->children[i], err));
            continue;
        }
        lochan_status rc = lochan_cast(page->schema.children[from], page->batch.children[from], to,
                                       out->children[i], err);
        if (rc != LOCHAN_OK)
            return lochan_error__in_table(err, rc, job->full_name, to->name, -1);
    }
    return LOCHAN_OK;
}

static lochan_status conform_page(const lochan_job *job, lochan_scope_page *page,
                                  lochan_error *err) {
    int64_t declared = lochan_extras__n_declared(job);
    struct ArrowArray out = {0};
    lochan_status rc = LOCHAN_OK;
    if (page->conformed)
        return LOCHAN_OK;
    page->conformed = true;
    if (job->schema.n_children == declared && page->schema.n_children == declared)
        return LOCHAN_OK;
    LOCHAN_TRYG(lochan_array__init(&out, 1, job->schema.n_children, err));
    out.length = page->batch.length;
    LOCHAN_TRYG(cast_extras(job, page, &out, err));
    for (int64_t i = 0; i < declared; i++)
        lochan_array__move(page->batch.children[i], out.children[i]);
    lochan_array__release(&page->batch);
    lochan_array__move(&out, &page->batch);
done:
    lochan_array__release(&out);
    page->conformed = rc == LOCHAN_OK;
    return rc;
}

/* ---- rows in memory ---- */

/* What a page's answer gives, once more: it is in staging, and was good before. */
static lochan_status decode_again(lochan_job *job, const lochan_scope *scope,
                                  const lochan_scope_page *page, lochan_scope *copy,
                                  lochan_error *err) {
    lochan_rows rows = {0};
    lochan_page_facts facts = {0};
    lochan_buf body;
    int64_t fetched_at;
    bool found = false;
    lochan_buf__init(&body, (size_t)job->source->max_body + 1);
    lochan_status rc =
        lochan_staging__get(job->staging, page->request, (size_t)job->source->max_body, &body,
                            &fetched_at, &found, err);
    if (rc == LOCHAN_OK && !found)
        rc = lochan_error__set(err, LOCHAN_ERR_IO, "%s: a staged answer is gone or damaged",
                               job->full_name);
    if (rc == LOCHAN_OK)
        rc = lochan_page__decode(job, scope, job->spec->paging, &body, &rows, &facts, err);
    lochan_buf__deinit(&body);
    if (rc == LOCHAN_OK)
        rc = lochan_page__keep(job, copy, page->number, &rows, err);
    lochan_rows__release(&rows);
    lochan_page_facts__deinit(&facts);
    return rc;
}

static lochan_status apply_kept(lochan_scope_page *from, const uint8_t *kept, lochan_error *err) {
    struct ArrowArray rows = {0};
    if (!kept)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_filter(&from->schema, &from->batch, kept, &rows, err));
    lochan_array__release(&from->batch);
    lochan_array__move(&rows, &from->batch);
    return LOCHAN_OK;
}

static lochan_status load_again(lochan_job *job, const lochan_scope *scope, lochan_scope_page *page,
                                lochan_error *err) {
    lochan_scope copy = {.window = scope->window,
                         .assets = scope->assets,
                         .variant = scope->variant,
                         .series = scope->series,
                         .n_series = scope->n_series,
                         .open_ended = scope->open_ended,
                         .page_request = page->request,
                         .again = true};
    lochan_status rc = decode_again(job, scope, page, &copy, err);
    lochan_scope_page *got = copy.n_pages == 1 ? &copy.pages[0] : NULL;
    if (rc == LOCHAN_OK && got)
        rc = apply_kept(got, page->kept, err);
    if (rc == LOCHAN_OK && (!got || got->batch.length != page->rows))
        rc = lochan_error__set(err, LOCHAN_ERR_IO, "%s: a staged answer is another one than it was",
                               job->full_name);
    if (rc == LOCHAN_OK) {
        lochan_schema__move(&got->schema, &page->schema);
        lochan_array__move(&got->batch, &page->batch);
        page->budget = got->budget;
        got->budget = 0;
    }
    lochan_scope__clear(job, &copy);
    return rc;
}

lochan_status lochan_deliver__load(lochan_job *job, const lochan_scope *scope,
                                   lochan_scope_page *page, lochan_error *err) {
    if (!page->batch.release)
        LOCHAN_TRY(load_again(job, scope, page, err));
    return job->opened ? conform_page(job, page, err) : LOCHAN_OK;
}

static bool can_go(const lochan_scope_page *page) {
    static const lochan_hash128 none;
    return memcmp(&page->request, &none, sizeof none) != 0;
}

void lochan_deliver__relieve(lochan_job *job, lochan_scope *scope) {
    const lochan_budget *budget = job->lake->ctx.budget;
    bool bounded = budget && budget->limit > 0;
    for (size_t p = 0; p < scope->n_pages; p++) {
        lochan_scope_page *page = &scope->pages[p];
        bool too_much = bounded && (page->budget == 0 || job->held > budget->limit / 4);
        if (page->batch.release && too_much && can_go(page))
            lochan_scope__drop_rows(job, page);
    }
}

/* ---- delivering ---- */

lochan_status lochan_deliver__conform(lochan_job *job, lochan_scope *scope, lochan_error *err) {
    for (size_t p = 0; p < scope->n_pages; p++) {
        lochan_scope_page *page = &scope->pages[p];
        bool held = page->batch.release != NULL;
        if (scope->n_extras == 0 && !held)
            continue; /* nothing of it is cast */
        LOCHAN_TRY(lochan_deliver__load(job, scope, page, err));
        if (!held)
            lochan_scope__drop_rows(job, page);
    }
    return LOCHAN_OK;
}

static int compare_series(const void *name, const void *series) {
    return strcmp(name, (*(lochan_series *const *)series)->asset);
}

/* Assets that came unasked are nobody's. */
lochan_status lochan_deliver__count(lochan_job *job, lochan_scope *scope,
                                    const lochan_scope_page *page, lochan_error *err) {
    int at = lochan_schema__find(&page->schema, "asset_id");
    lochan_view view;
    (void)job;
    if (!scope->series_rows) {
        scope->series_rows = lochan_mem__zalloc((scope->n_series + 1) * sizeof(int64_t));
        if (!scope->series_rows)
            return lochan_error__nomem(err);
    }
    if (scope->n_series <= 1) {
        scope->series_rows[0] += page->batch.length;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_view__init(&view, page->schema.children[at], page->batch.children[at], err));
    lochan_buf name;
    lochan_status rc = LOCHAN_OK;
    lochan_buf__init(&name, 1u << 20);
    for (int64_t i = 0; i < view.length && rc == LOCHAN_OK; i++) {
        lochan_buf__clear(&name);
        rc = lochan_view__print(&view, i, &name, err);
        if (rc == LOCHAN_OK)
            rc = lochan_buf__putc(&name, 0, err);
        lochan_series **found = rc == LOCHAN_OK ? bsearch(name.data, scope->series, scope->n_series,
                                                          sizeof *scope->series, compare_series)
                                                : NULL;
        if (found)
            scope->series_rows[found - scope->series]++;
    }
    lochan_buf__deinit(&name);
    lochan_view__deinit(&view);
    return rc;
}

/* Old rows of the assets that came, in the days asked for, give way. */
static lochan_status replace_names(lochan_job *job, const lochan_scope *scope,
                                   const lochan_names *came, lochan_error *err) {
    lochan_replace_scope r = {.day_from = scope->window.from, .day_to = scope->window.to};
    lochan_status rc = LOCHAN_OK;
    if (job->timeless) {
        r.day_from = INT32_MIN;
        r.day_to = INT32_MAX;
    }
    for (size_t i = 0; i < came->n && rc == LOCHAN_OK; i++) {
        r.asset = came->items[i];
        rc = lochan_write__replace(job->write, &r, 1, err);
    }
    return rc;
}

static bool replaces_what_came(const lochan_job *job) {
    return job->spec->update_mode->asks_assets && !job->spec->replace_empty;
}

lochan_status lochan_deliver__replace(lochan_job *job, const lochan_scope *scope,
                                      lochan_error *err) {
    lochan_arena arena;
    lochan_names came = {0};
    lochan_status rc = LOCHAN_OK;
    if (!replaces_what_came(job))
        return LOCHAN_OK;
    lochan_arena__init(&arena, 0);
    for (size_t p = 0; p < scope->n_pages && rc == LOCHAN_OK; p++)
        rc = lochan_names__of_column(&came, &arena, &scope->pages[p].schema, &scope->pages[p].batch,
                                     "asset_id", err);
    if (rc == LOCHAN_OK)
        rc = replace_names(job, scope, &came, err);
    lochan_arena__deinit(&arena);
    return rc;
}

static lochan_status send(lochan_job *job, size_t index, lochan_arena *arena, lochan_error *err) {
    lochan_scope *scope = &job->scopes[index];
    lochan_names came = {0};
    lochan_mem__free(scope->series_rows);
    scope->series_rows = NULL;
    for (size_t p = 0; p < scope->n_pages; p++) {
        lochan_scope_page *page = &scope->pages[p];
        LOCHAN_TRY(lochan_deliver__load(job, scope, page, err));
        LOCHAN_TRY(lochan_deliver__count(job, scope, page, err));
        if (replaces_what_came(job))
            LOCHAN_TRY(lochan_names__of_column(&came, arena, &page->schema, &page->batch,
                                               "asset_id", err));
        LOCHAN_TRY(lochan_write__add(job->write, ((uint64_t)index << 32) | (uint64_t)p,
                                     &page->batch, err));
        lochan_scope__drop_rows(job, page);
    }
    LOCHAN_TRY(replace_names(job, scope, &came, err));
    scope->delivered = true;
    return LOCHAN_OK;
}

lochan_status lochan_deliver__scope(lochan_job *job, size_t index, lochan_error *err) {
    lochan_arena arena;
    LOCHAN_TRY(lochan_deliver__conform(job, &job->scopes[index], err));
    lochan_arena__init(&arena, 0);
    lochan_status rc = send(job, index, &arena, err);
    lochan_arena__deinit(&arena);
    job->broken = job->broken || rc != LOCHAN_OK;
    return rc;
}

/* Whether the scope's rows can be got again, should a new field make the writer begin anew. */
static bool all_can_go(const lochan_scope *scope) {
    for (size_t p = 0; p < scope->n_pages; p++) {
        if (!can_go(&scope->pages[p]))
            return false;
    }
    return true;
}

lochan_status lochan_deliver__page_taken(lochan_job *job, size_t index, bool whole,
                                         lochan_error *err) {
    lochan_scope *scope = &job->scopes[index];
    if (whole && all_can_go(scope))
        LOCHAN_TRY(lochan_same__check(job, scope, err));
    if (scope->unchanged) {
        for (size_t p = 0; p < scope->n_pages; p++)
            lochan_scope__drop_rows(job, &scope->pages[p]);
        return LOCHAN_OK;
    }
    if (whole && scope->n_pages > 0 && job->streams && all_can_go(scope) &&
        !lochan_extras__are_new(job, scope)) {
        LOCHAN_TRY(lochan_deliver__open(job, false, err));
        return lochan_deliver__scope(job, index, err);
    }
    lochan_deliver__relieve(job, scope);
    return LOCHAN_OK;
}
