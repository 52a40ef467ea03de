/* scope.c - what a scope holds of its answer. May call: base/, arrow/, job.h, same.h. */
#include "update/same.h"

/* Bytes that a flat batch holds, for the memory budget. */
static size_t batch_bytes(const struct ArrowSchema *schema, const struct ArrowArray *batch) {
    size_t total = 0;
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowArray *column = batch->children[i];
        lochan_type type;
        if (lochan_type__parse(schema->children[i]->format, &type, NULL) != LOCHAN_OK)
            continue;
        int bits = lochan_type__bit_width(&type);
        total += (size_t)(column->length + column->offset) * (size_t)(bits ? bits : 32) / 8;
        if (type.id == LOCHAN_TYPE_STRING && column->length > 0)
            total += (size_t)((const int32_t *)column->buffers[1])[column->offset + column->length];
    }
    return total;
}

static lochan_scope_page *make_room(lochan_scope *scope, int64_t number) {
    void *pages =
        lochan_mem__grow(scope->pages, scope->n_pages, &scope->cap_pages, sizeof *scope->pages);
    if (!pages)
        return NULL;
    scope->pages = pages;
    size_t at = scope->n_pages++;
    for (; at > 0 && scope->pages[at - 1].number > number; at--)
        scope->pages[at] = scope->pages[at - 1];
    scope->pages[at] = (lochan_scope_page){.number = number};
    return &scope->pages[at];
}

/* Rows for which there is no budget are held all the same if they can be got again:
 * lochan_job__taken lets them go at once. */
static lochan_status take_budget(lochan_job *job, const lochan_scope *scope, size_t bytes,
                                 size_t *taken, lochan_error *err) {
    static const lochan_hash128 none;
    bool can_go = scope->again || memcmp(&scope->page_request, &none, sizeof none) != 0;
    *taken = 0;
    if (can_go && !lochan_budget__try_take(job->lake->ctx.budget, bytes))
        return LOCHAN_OK;
    if (!can_go)
        LOCHAN_TRY(lochan_budget__take(job->lake->ctx.budget, bytes, "rows of an update", err));
    *taken = bytes;
    return LOCHAN_OK;
}

lochan_status lochan_scope__give_page(lochan_job *job, lochan_scope *scope, int64_t number,
                                      struct ArrowSchema *schema, struct ArrowArray *batch,
                                      lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t bytes = batch_bytes(schema, batch), taken;
    if (batch->length == 0)
        goto done;
    if (!scope->again) {
        LOCHAN_TRYG(lochan_extras__note(job, scope, schema, batch, err));
        lochan_same__note(job, scope, schema, batch);
    }
    LOCHAN_TRYG(take_budget(job, scope, bytes, &taken, err));
    lochan_scope_page *page = make_room(scope, number);
    if (!page) {
        lochan_budget__give(job->lake->ctx.budget, taken);
        rc = lochan_error__nomem(err);
        goto done;
    }
    page->request = scope->page_request;
    page->rows = batch->length;
    page->budget = taken;
    job->held += taken;
    lochan_schema__move(schema, &page->schema);
    lochan_array__move(batch, &page->batch);
done:
    lochan_array__release(batch);
    lochan_schema__release(schema);
    return rc;
}

lochan_status lochan_scope__hold(lochan_job *job, lochan_scope_page *page, lochan_error *err) {
    if (page->budget > 0)
        return LOCHAN_OK;
    size_t bytes = batch_bytes(&page->schema, &page->batch);
    LOCHAN_TRY(lochan_budget__take(job->lake->ctx.budget, bytes, "rows of an update", err));
    page->budget = bytes;
    job->held += bytes;
    return LOCHAN_OK;
}

void lochan_scope__drop_rows(lochan_job *job, lochan_scope_page *page) {
    lochan_schema__release(&page->schema);
    lochan_array__release(&page->batch);
    lochan_budget__give(job->lake->ctx.budget, page->budget);
    job->held -= page->budget;
    page->budget = 0;
    page->conformed = false;
}

void lochan_scope__clear(lochan_job *job, lochan_scope *scope) {
    for (size_t i = 0; i < scope->n_pages; i++) {
        lochan_scope__drop_rows(job, &scope->pages[i]);
        lochan_mem__free(scope->pages[i].kept);
    }
    lochan_mem__free(scope->pages);
    lochan_mem__free(scope->answers);
    lochan_mem__free(scope->extras);
    lochan_mem__free(scope->series_rows);
    scope->pages = NULL;
    scope->answers = NULL;
    scope->extras = NULL;
    scope->series_rows = NULL;
    scope->n_pages = scope->cap_pages = scope->n_extras = scope->cap_extras = 0;
    scope->n_answers = scope->cap_answers = 0;
    lochan_rejects__deinit(&scope->rejects);
    scope->rows_fetched = scope->rows_filtered = scope->rows_rejected = scope->rows_warned = 0;
    scope->delivered = scope->unchanged = scope->no_content = false;
    scope->content = (lochan_hash128){0, 0};
    scope->content_rows = 0;
}
