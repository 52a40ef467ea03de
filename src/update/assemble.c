/* assemble.c - rows of all good scopes into the table: one schema, what is replaced, then the rows.
 *
 * The type of a field that the spec does not declare is decided here, once for the table: what the
 * table has already; else float64 if every value of this update is a number as JSON writes it (so
 * "000001" is text); else string; and a field without any value yet is no column yet. "Last" is
 * decided by the order of the plan (scope, page, row), never by arrival. May call: base/, arrow/,
 * table/, dedup.h, mode.h, validate.h.
 */
#include "update/dedup.h"
#include "update/manage.h"
#include "update/mode.h"
#include "update/validate.h"

#include "arrow/builder.h"
#include "arrow/view.h"

/* ---- one schema ---- */

/* A field that the spec does not declare, over all scopes. */
struct extra {
    const char *name; /* borrowed from a scope's schema */
    lochan_type type;
    bool has_values;
    bool fixed; /* the table has it: its type stays */
};

struct extras {
    struct extra *items;
    size_t n, capacity;
    int64_t declared; /* fields before the undeclared ones in a scope's schema */
};

/* A number as JSON writes it: no leading zeros, no plus, no blanks, no "nan". */
static bool is_json_number(lochan_str s) {
    size_t i = 0;
    i += i < s.n && s.p[i] == '-';
    if (i >= s.n || s.p[i] < '0' || s.p[i] > '9')
        return false;
    if (s.p[i] == '0' && i + 1 < s.n && s.p[i + 1] >= '0' && s.p[i + 1] <= '9')
        return false;
    double ignored;
    return s.p[s.n - 1] != '.' && lochan_parse__double(s.p, s.n, false, &ignored);
}

static struct extra *find_extra(struct extras *all, const char *name) {
    for (size_t i = 0; i < all->n; i++) {
        if (strcmp(all->items[i].name, name) == 0)
            return &all->items[i];
    }
    return NULL;
}

static lochan_status add_extra(struct extras *all, const char *name, const lochan_table *table,
                               struct extra **out, lochan_error *err) {
    void *items = lochan_mem__grow(all->items, all->n, &all->capacity, sizeof *all->items);
    if (!items)
        return lochan_error__nomem(err);
    all->items = items;
    struct extra *extra = &all->items[all->n++];
    *extra = (struct extra){.name = name, .type = {.id = LOCHAN_TYPE_FLOAT64}};
    int at = table ? lochan_schema__find(&table->def.schema, name) : -1;
    if (at >= 0) {
        extra->fixed = true;
        extra->has_values = true;
        LOCHAN_TRY(lochan_type__parse(table->def.schema.children[at]->format, &extra->type, err));
    }
    *out = extra;
    return LOCHAN_OK;
}

static lochan_status look_at_column(struct extra *extra, const struct ArrowSchema *schema,
                                    const struct ArrowArray *column, lochan_error *err) {
    if (extra->fixed || (extra->has_values && extra->type.id == LOCHAN_TYPE_STRING))
        return LOCHAN_OK;
    lochan_view view;
    LOCHAN_TRY(lochan_view__init(&view, schema, column, err));
    for (int64_t i = 0; i < view.length; i++) {
        if (!lochan_view__is_valid(&view, i))
            continue;
        extra->has_values = true;
        if (!is_json_number(lochan_view__bytes(&view, i))) {
            extra->type = (lochan_type){.id = LOCHAN_TYPE_STRING};
            break;
        }
    }
    lochan_view__deinit(&view);
    return LOCHAN_OK;
}

static lochan_status look_at_page(struct extras *all, const lochan_scope_page *page,
                                  const lochan_table *table, lochan_error *err) {
    for (int64_t c = all->declared; c < page->schema.n_children; c++) {
        struct extra *extra = find_extra(all, page->schema.children[c]->name);
        if (!extra)
            LOCHAN_TRY(add_extra(all, page->schema.children[c]->name, table, &extra, err));
        LOCHAN_TRY(look_at_column(extra, page->schema.children[c], page->batch.children[c], err));
    }
    return LOCHAN_OK;
}

static lochan_status find_extras(lochan_job *job, const lochan_table *table, struct extras *all,
                                 lochan_error *err) {
    all->declared =
        (int64_t)job->spec->n_columns + 2 + job->spec->has_record_hash; /* what the pipeline adds */
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        for (size_t p = 0; scope->state == LOCHAN_SCOPE_DONE && p < scope->n_pages; p++)
            LOCHAN_TRY(look_at_page(all, &scope->pages[p], table, err));
    }
    size_t kept = 0;
    for (size_t i = 0; i < all->n; i++) {
        if (all->items[i].has_values)
            all->items[kept++] = all->items[i];
    }
    all->n = kept;
    return LOCHAN_OK;
}

static lochan_status build_schema(lochan_job *job, const lochan_scope_page *first,
                                  const struct extras *extras, lochan_error *err) {
    LOCHAN_TRY(
        lochan_schema__init_struct(&job->schema, extras->declared + (int64_t)extras->n, err));
    for (int64_t i = 0; i < extras->declared; i++)
        LOCHAN_TRY(lochan_schema__dup(first->schema.children[i], job->schema.children[i], err));
    for (size_t i = 0; i < extras->n; i++)
        LOCHAN_TRY(lochan_schema__set_field(job->schema.children[extras->declared + (int64_t)i],
                                            extras->items[i].name, &extras->items[i].type, true,
                                            err));
    return LOCHAN_OK;
}

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

/* Brings one page to the common schema. */
static lochan_status conform(const lochan_job *job, int64_t declared, lochan_scope_page *page,
                             lochan_error *err) {
    int64_t n = job->schema.n_children;
    struct ArrowArray out = {0};
    lochan_status rc;
    if (n == declared && page->schema.n_children == declared)
        return LOCHAN_OK;
    LOCHAN_TRYG(lochan_array__init(&out, 1, n, err));
    out.length = page->batch.length;
    for (int64_t i = declared; i < n; i++) {
        const struct ArrowSchema *to = job->schema.children[i];
        int from = lochan_schema__find(&page->schema, to->name);
        if (from < 0) {
            LOCHAN_TRYG(null_column(to, out.length, out.children[i], err));
            continue;
        }
        rc = lochan_cast(page->schema.children[from], page->batch.children[from], to,
                         out.children[i], err);
        if (rc != LOCHAN_OK) {
            lochan_error__in_table(err, rc, job->full_name, to->name, -1);
            goto done;
        }
    }
    for (int64_t i = 0; i < declared; i++)
        lochan_array__move(page->batch.children[i], out.children[i]);
    lochan_array__release(&page->batch);
    lochan_array__move(&out, &page->batch);
done:
    lochan_array__release(&out);
    return rc;
}

static lochan_status conform_scope(lochan_job *job, int64_t declared, lochan_scope *scope,
                                   lochan_error *err) {
    for (size_t p = 0; scope->state == LOCHAN_SCOPE_DONE && p < scope->n_pages; p++)
        LOCHAN_TRY(conform(job, declared, &scope->pages[p], err));
    return LOCHAN_OK;
}

/* A value that does not fit the table's type is a failure of its scope, not of the update. */
static lochan_status conform_all(lochan_job *job, int64_t declared, lochan_error *err) {
    for (size_t i = 0; i < job->n_scopes; i++) {
        lochan_error why;
        lochan_error_init(&why);
        lochan_status rc = conform_scope(job, declared, &job->scopes[i], &why);
        if (rc == LOCHAN_ERR_VALUE) {
            lochan_scope__clear(job, &job->scopes[i]);
            lochan_job__fail_scope(job, i, &why, job->scopes[i].attempts);
        } else if (rc != LOCHAN_OK) {
            if (err)
                *err = why;
            return rc;
        }
    }
    return LOCHAN_OK;
}

static const lochan_scope_page *first_page(const lochan_job *job) {
    for (size_t i = 0; i < job->n_scopes; i++) {
        if (job->scopes[i].state == LOCHAN_SCOPE_DONE && job->scopes[i].n_pages > 0)
            return &job->scopes[i].pages[0];
    }
    return NULL;
}

static lochan_status unify(lochan_job *job, lochan_error *err) {
    struct extras extras = {0};
    lochan_table *existing = NULL;
    const lochan_scope_page *first = first_page(job);
    lochan_status rc = LOCHAN_OK;
    if (!first)
        return LOCHAN_OK;
    if (job->dataset->table_id >= 0)
        LOCHAN_TRYG(
            lochan_table__open(job->lake, job->spec->source, job->spec->name, -1, &existing, err));
    LOCHAN_TRYG(find_extras(job, existing, &extras, err));
    LOCHAN_TRYG(build_schema(job, first, &extras, err));
    LOCHAN_TRYG(conform_all(job, extras.declared, err));
done:
    lochan_table__close(existing);
    lochan_mem__free(extras.items);
    return rc;
}

/* ---- into the table ---- */

static lochan_status open_table(lochan_job *job, lochan_error *err) {
    lochan_table_spec wish;
    int64_t removed;
    if (!job->schema.release) /* nothing came; what there is may have to go */
        return lochan_manage__open_table(job->lake, job->spec, &job->table, err);
    lochan_dataset_spec__table(job->spec, &job->schema, &wish);
    LOCHAN_TRY(lochan_table__ensure(job->lake, &wish, &job->table, err));
    if (job->adopted == 0)
        return LOCHAN_OK;
    /* an update was cut off, perhaps while it wrote: what it left under temporary names is of no
     * use */
    return lochan_table__clean(job->lake, job->table, &removed, err);
}

/* ---- what is replaced ---- */

/* The assets of a scope whose rows in its window give way: those that came, and with empty_removes
 * those that were asked for. */
static lochan_status replace_scope(lochan_job *job, const lochan_scope *scope, lochan_error *err) {
    lochan_replace_scope r = {.day_from = scope->window.from, .day_to = scope->window.to};
    lochan_names came = {0};
    lochan_status rc = LOCHAN_OK;
    if (job->timeless) {
        r.day_from = INT32_MIN;
        r.day_to = INT32_MAX;
    }
    if (job->spec->replace_empty && !scope->assets)
        return lochan_write__replace(job->write, &r, 1, err);
    for (size_t i = 0; job->spec->replace_empty && i < scope->n_series; i++) {
        r.asset = scope->series[i]->asset;
        LOCHAN_TRY(lochan_write__replace(job->write, &r, 1, err));
    }
    for (size_t p = 0; !job->spec->replace_empty && p < scope->n_pages; p++)
        LOCHAN_TRY(lochan_names__of_column(&came, &job->arena, &scope->pages[p].schema,
                                           &scope->pages[p].batch, "asset_id", err));
    for (size_t i = 0; i < came.n && rc == LOCHAN_OK; i++) {
        r.asset = came.items[i];
        rc = lochan_write__replace(job->write, &r, 1, err);
    }
    return rc;
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

/* ---- rows ---- */

/* Rows leave memory as the writer takes them. */
static lochan_status add_scope_rows(lochan_job *job, size_t index, lochan_error *err) {
    lochan_scope *scope = &job->scopes[index];
    for (size_t p = 0; p < scope->n_pages; p++)
        LOCHAN_TRY(lochan_write__add(job->write, ((uint64_t)index << 32) | (uint64_t)p,
                                     &scope->pages[p].batch, err));
    return LOCHAN_OK;
}

static lochan_status add_rows(lochan_job *job, int64_t *duplicates, lochan_error *err) {
    const lochan_update_mode *mode = job->spec->update_mode;
    for (size_t i = 0; i < job->n_scopes; i++) {
        if (job->scopes[i].state == LOCHAN_SCOPE_DONE && mode->asks_assets)
            LOCHAN_TRY(replace_scope(job, &job->scopes[i], err));
    }
    if (job->spec->dedup->keep)
        return add_all_kept(job, duplicates, err);
    for (size_t i = 0; i < job->n_scopes; i++) {
        if (job->scopes[i].state == LOCHAN_SCOPE_DONE)
            LOCHAN_TRY(add_scope_rows(job, i, err));
    }
    return LOCHAN_OK;
}

static void report_write(lochan_job *job, int64_t duplicates) {
    lochan_write_counts totals;
    lochan_write__totals(job->write, &totals);
    lochan_update_report *report = job->report;
    report->rows_new = totals.rows_new;
    report->rows_replaced = totals.rows_replaced;
    report->rows_unchanged = totals.rows_unchanged;
    report->rows_duplicate = totals.rows_duplicate + duplicates;
    report->rows_removed = totals.rows_removed;
    report->partitions_written = totals.partitions_written;
    report->partitions_skipped = totals.partitions_skipped;
    report->files_written = totals.files_written;
    report->bytes_written = totals.bytes_written;
}

static lochan_status write_rows(lochan_job *job, lochan_error *err) {
    const lochan_dataset_spec *spec = job->spec;
    int64_t duplicates = 0;
    lochan_write_options options = {.mode = spec->update_mode->write,
                                    .kind = "update",
                                    .token = job->request->token,
                                    .message = job->update_id,
                                    .dedup = spec->dedup->write,
                                    .order_column = spec->order_column};
    if (spec->update_mode->asks_assets) {
        options.asset_column = "asset_id";
        options.time_column = job->timeless ? NULL : "time";
    }
    LOCHAN_TRY(open_table(job, err));
    LOCHAN_TRY(lochan_write__begin(job->lake, job->table, job->schema.release ? &job->schema : NULL,
                                   &options, &job->write, err));
    LOCHAN_TRY(add_rows(job, &duplicates, err));
    LOCHAN_TRY(lochan_write__merge_added(job->write, err));
    report_write(job, duplicates);
    return LOCHAN_OK;
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
}

lochan_status lochan_job__assemble(lochan_job *job, lochan_error *err) {
    LOCHAN_TRY(lochan_job__check_unique(job, err));
    LOCHAN_TRY(unify(job, err));
    drop_partial(job);
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        if (scope->state != LOCHAN_SCOPE_DONE)
            continue;
        job->report->rows_fetched += scope->rows_fetched;
        job->report->rows_filtered += scope->rows_filtered;
        job->report->rows_rejected += scope->rows_rejected;
        job->report->rows_warned += scope->rows_warned;
    }
    bool replaces = job->spec->update_mode->asks_assets && job->spec->replace_empty;
    if (first_page(job) || (replaces && job->dataset->table_id >= 0))
        LOCHAN_TRY(write_rows(job, err));
    return check_accounting(job, err);
}
