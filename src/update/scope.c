/* scope.c - what a scope holds of its answer. May call: base/, arrow/, job.h. */
#include "update/job.h"

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

lochan_status lochan_scope__give_page(lochan_job *job, lochan_scope *scope, int64_t number,
                                      struct ArrowSchema *schema, struct ArrowArray *batch,
                                      lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t bytes = batch_bytes(schema, batch);
    if (batch->length == 0)
        goto done;
    LOCHAN_TRYG(lochan_budget__take(job->lake->ctx.budget, bytes, "rows of an update", err));
    lochan_scope_page *page = make_room(scope, number);
    if (!page) {
        lochan_budget__give(job->lake->ctx.budget, bytes);
        rc = lochan_error__nomem(err);
        goto done;
    }
    page->budget = bytes;
    lochan_schema__move(schema, &page->schema);
    lochan_array__move(batch, &page->batch);
done:
    lochan_array__release(batch);
    lochan_schema__release(schema);
    return rc;
}

void lochan_scope__drop_pages(lochan_job *job, lochan_scope *scope) {
    for (size_t i = 0; i < scope->n_pages; i++) {
        lochan_schema__release(&scope->pages[i].schema);
        lochan_array__release(&scope->pages[i].batch);
        lochan_budget__give(job->lake->ctx.budget, scope->pages[i].budget);
    }
    lochan_mem__free(scope->pages);
    scope->pages = NULL;
    scope->n_pages = scope->cap_pages = 0;
}

void lochan_scope__clear(lochan_job *job, lochan_scope *scope) {
    lochan_scope__drop_pages(job, scope);
    lochan_rejects__deinit(&scope->rejects);
    scope->rows_fetched = scope->rows_filtered = scope->rows_rejected = scope->rows_warned = 0;
}
