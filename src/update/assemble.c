/* assemble.c - the rest of the rows into the table: what had to wait until all was there, what is
 * replaced, the merge; then the count of every row.
 *
 * Most scopes were delivered as they came (deliver.h). New undeclared fields make the writer begin
 * anew with more columns: its rows are then decoded from staging once more. "Last" is decided by
 * the order of the plan (scope, page, row), never by arrival. May call: base/, arrow/, table/,
 * dedup.h, mode.h, validate.h, deliver.h.
 */
#include "update/dedup.h"
#include "update/deliver.h"
#include "update/mode.h"
#include "update/same.h"
#include "update/validate.h"

static bool waits(const lochan_scope *scope) {
    return scope->state == LOCHAN_SCOPE_DONE && scope->n_pages > 0 && !scope->delivered &&
           !scope->unchanged;
}

static void fail_scope(lochan_job *job, size_t index, const lochan_error *why) {
    lochan_error copy = *why;
    lochan_job__fail_scope(job, index, &copy, job->scopes[index].attempts);
}

/* ---- opening ---- */

/* The writer, with every column that the update's rows have. */
static lochan_status open_for_all(lochan_job *job, lochan_error *err) {
    bool more = false;
    for (size_t i = 0; i < job->n_scopes; i++)
        more = more || (waits(&job->scopes[i]) && lochan_extras__are_new(job, &job->scopes[i]));
    if (more && job->opened)
        lochan_deliver__reopen(job);
    return lochan_deliver__open(job, true, err);
}

/* ---- scope by scope ---- */

struct delivery {
    lochan_job *job;
    const size_t *list;
};

/* A value that does not fit the table's type is a failure of its scope, not of the update. */
static lochan_status deliver_one(void *ctx, size_t index, lochan_error *err) {
    struct delivery *d = ctx;
    size_t at = d->list[index];
    lochan_error why;
    lochan_error_init(&why);
    lochan_status rc = lochan_deliver__scope(d->job, at, &why);
    d->job->scopes[at].error = why;
    if (rc == LOCHAN_ERR_VALUE && !d->job->broken)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK && err)
        *err = why;
    return rc;
}

static lochan_status deliver_waiting(lochan_job *job, lochan_error *err) {
    size_t n = 0;
    size_t *list = lochan_mem__array(job->n_scopes + 1, sizeof *list);
    if (!list)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < job->n_scopes; i++) {
        if (waits(&job->scopes[i]))
            list[n++] = i;
    }
    struct delivery d = {job, list};
    lochan_status rc =
        lochan_pool__for(job->lake->ctx.pool, n, deliver_one, &d, job->lake->ctx.cancel, err);
    for (size_t i = 0; i < n && rc == LOCHAN_OK; i++) {
        if (!job->scopes[list[i]].delivered)
            fail_scope(job, list[i], &job->scopes[list[i]].error);
    }
    lochan_mem__free(list);
    return rc;
}

/* With empty_removes, rows of what was asked for give way, whether something came or not. */
static lochan_status replace_asked(lochan_job *job, const lochan_scope *scope, lochan_error *err) {
    lochan_replace_scope r = {.day_from = scope->window.from, .day_to = scope->window.to};
    if (job->timeless) {
        r.day_from = INT32_MIN;
        r.day_to = INT32_MAX;
    }
    if (!scope->assets)
        return lochan_write__replace(job->write, &r, 1, err);
    for (size_t i = 0; i < scope->n_series; i++) {
        r.asset = scope->series[i]->asset;
        LOCHAN_TRY(lochan_write__replace(job->write, &r, 1, err));
    }
    return LOCHAN_OK;
}

/* ---- a deduplication of its own ---- */

/* All rows of the update in one batch, of which the entry keeps some. */
static lochan_status add_kept(lochan_job *job, const struct ArrowArray *const *batches, size_t n,
                              int64_t *duplicates, lochan_error *err) {
    struct ArrowArray all = {0}, kept = {0};
    int64_t *rows = NULL;
    size_t n_rows = 0;
    lochan_status rc;
    LOCHAN_TRYG(lochan_concat(&job->schema, batches, n, &all, err));
    rows = lochan_mem__array((size_t)all.length + 1, sizeof *rows);
    if (!rows) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(job->spec->dedup->keep(job->spec, &job->schema, &all, rows, &n_rows, err));
    LOCHAN_TRYG(lochan_take(&job->schema, &all, rows, n_rows, &kept, err));
    *duplicates = all.length - (int64_t)n_rows;
    rc = lochan_write__add(job->write, 0, &kept, err);
done:
    lochan_array__release(&all);
    lochan_array__release(&kept);
    lochan_mem__free(rows);
    return rc;
}

/* Rows of every page lie in memory together, in the table's columns. */
static lochan_status load_all(lochan_job *job, lochan_error *err) {
    for (size_t i = 0; i < job->n_scopes; i++) {
        lochan_scope *scope = &job->scopes[i];
        lochan_error why;
        lochan_error_init(&why);
        lochan_status rc = LOCHAN_OK;
        for (size_t p = 0; waits(scope) && p < scope->n_pages && rc == LOCHAN_OK; p++) {
            rc = lochan_deliver__load(job, scope, &scope->pages[p], &why);
            if (rc == LOCHAN_OK)
                rc = lochan_scope__hold(job, &scope->pages[p], &why);
            if (rc == LOCHAN_OK)
                rc = lochan_deliver__count(job, scope, &scope->pages[p], &why);
        }
        if (rc == LOCHAN_ERR_VALUE) {
            fail_scope(job, i, &why);
        } else if (rc != LOCHAN_OK) {
            if (err)
                *err = why;
            return rc;
        }
    }
    return LOCHAN_OK;
}

static lochan_status add_all_kept(lochan_job *job, int64_t *duplicates, lochan_error *err) {
    size_t n = 0, bytes = 0;
    for (size_t i = 0; i < job->n_scopes; i++)
        n += job->scopes[i].state == LOCHAN_SCOPE_DONE ? job->scopes[i].n_pages : 0;
    const struct ArrowArray **batches = lochan_mem__array(n + 1, sizeof *batches);
    if (!batches)
        return lochan_error__nomem(err);
    n = 0;
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        for (size_t p = 0; scope->state == LOCHAN_SCOPE_DONE && p < scope->n_pages; p++) {
            batches[n++] = &scope->pages[p].batch;
            bytes += 2 * scope->pages[p].budget;
        }
    }
    lochan_status rc =
        lochan_budget__take(job->lake->ctx.budget, bytes, "deduplicating an update", err);
    if (rc == LOCHAN_OK) {
        rc = add_kept(job, batches, n, duplicates, err);
        lochan_budget__give(job->lake->ctx.budget, bytes);
    }
    lochan_mem__free((void *)batches);
    return rc;
}

void lochan_job__report_write(lochan_job *job) {
    lochan_write_counts totals = {0};
    if (job->write)
        lochan_write__totals(job->write, &totals);
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        for (size_t p = 0; scope->unchanged && p < scope->n_pages; p++)
            totals.rows_unchanged += scope->pages[p].rows;
    }
    lochan_update_report *report = job->report;
    report->rows_new = totals.rows_new;
    report->rows_replaced = totals.rows_replaced;
    report->rows_unchanged = totals.rows_unchanged;
    report->rows_duplicate = totals.rows_duplicate + job->duplicates;
    report->rows_removed = totals.rows_removed;
    report->partitions_written = totals.partitions_written;
    report->partitions_skipped = totals.partitions_skipped;
    report->files_written = totals.files_written;
    report->bytes_written = totals.bytes_written;
}

/* fetched = new + replaced + unchanged + duplicate + rejected + filtered, or nothing is published.
 */
static lochan_status check_accounting(const lochan_job *job, lochan_error *err) {
    const lochan_update_report *r = job->report;
    int64_t sum = r->rows_new + r->rows_replaced + r->rows_unchanged + r->rows_duplicate +
                  r->rows_rejected + r->rows_filtered;
    if (sum == r->rows_fetched)
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_ACCOUNTING,
                             "%s: %lld rows fetched, but %lld accounted for", job->full_name,
                             (long long)r->rows_fetched, (long long)sum);
}

/* An update mode that replaces the table needs all of it. */
static void drop_partial(lochan_job *job) {
    if (!job->spec->update_mode->all_scopes || job->report->scopes_failed == 0)
        return;
    for (size_t i = 0; i < job->n_scopes; i++) {
        if (job->scopes[i].state == LOCHAN_SCOPE_DONE)
            lochan_scope__clear(job, &job->scopes[i]);
    }
    lochan_write__free(job->write);
    job->write = NULL;
}

static void count_rows(lochan_job *job) {
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        if (scope->state != LOCHAN_SCOPE_DONE)
            continue;
        job->report->rows_fetched += scope->rows_fetched;
        job->report->rows_filtered += scope->rows_filtered;
        job->report->rows_rejected += scope->rows_rejected;
        job->report->rows_warned += scope->rows_warned;
    }
}

/* ---- all of it ---- */

/* Tells the caller what the merge would touch, before it begins. */
static lochan_status explain(lochan_job *job, lochan_error *err) {
    lochan_write_plan plan = {0};
    if (!job->request->explain)
        return LOCHAN_OK;
    if (job->write)
        LOCHAN_TRY(lochan_write__explain(job->write, &plan, err));
    const lochan_update_plan told = {.struct_size = sizeof told,
                                     .source = job->request->source,
                                     .dataset = job->request->dataset,
                                     .rows = plan.rows,
                                     .partitions = plan.partitions,
                                     .files = plan.files,
                                     .files_bytes = plan.files_bytes,
                                     .row_groups = plan.row_groups,
                                     .memory_bytes = plan.memory_bytes,
                                     .spilled_bytes = plan.spilled_bytes};
    job->request->explain(job->request->payload, &told);
    return lochan_cancel__check(job->lake->ctx.cancel, err);
}

static lochan_status deliver_rest(lochan_job *job, lochan_error *err) {
    LOCHAN_TRY(open_for_all(job, err));
    if (!job->spec->dedup->keep)
        return deliver_waiting(job, err);
    LOCHAN_TRY(load_all(job, err));
    if (job->spec->update_mode->all_scopes && job->report->scopes_failed > 0)
        return LOCHAN_OK;
    for (size_t i = 0; i < job->n_scopes; i++)
        LOCHAN_TRY(lochan_deliver__replace(job, &job->scopes[i], err));
    return add_all_kept(job, &job->duplicates, err);
}

lochan_status lochan_job__assemble(lochan_job *job, lochan_error *err) {
    const lochan_update_mode *mode = job->spec->update_mode;
    bool replaces = mode->asks_assets && job->spec->replace_empty && job->dataset->table_id >= 0;
    bool rest = false;
    LOCHAN_TRY(lochan_job__check_unique(job, err));
    lochan_same__settle(job);
    drop_partial(job);
    for (size_t i = 0; i < job->n_scopes; i++)
        rest = rest || waits(&job->scopes[i]);
    if (rest)
        LOCHAN_TRY(deliver_rest(job, err));
    else if (replaces && !job->opened)
        LOCHAN_TRY(lochan_deliver__open(job, true, err));
    drop_partial(job);
    count_rows(job);
    for (size_t i = 0; i < job->n_scopes && job->write; i++) {
        if (job->scopes[i].state == LOCHAN_SCOPE_DONE && !job->scopes[i].unchanged &&
            mode->asks_assets && job->spec->replace_empty)
            LOCHAN_TRY(replace_asked(job, &job->scopes[i], err));
    }
    LOCHAN_TRY(explain(job, err));
    if (job->write)
        LOCHAN_TRY(lochan_write__merge_added(job->write, err));
    lochan_job__report_write(job);
    return check_accounting(job, err);
}
