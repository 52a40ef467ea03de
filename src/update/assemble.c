/* assemble.c - rows of all good scopes into the table: one schema, one partition at a time, each
 * key once.
 *
 * The type of a field that the spec does not declare is decided here, once for the table: what the
 * table has already; else float64 if every value of this update is a number as JSON writes it (so
 * "000001" is text); else string; and a field without any value yet is no column yet. "Last" is
 * decided by the order of the plan (scope, then row), never by arrival. May call: base/, arrow/,
 * table/.
 */
#include "update/job.h"

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

static bool has_rows(const lochan_scope *scope) {
    return scope->state == LOCHAN_SCOPE_DONE && scope->batch.release && scope->batch.length > 0;
}

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

static lochan_status find_extras(lochan_job *job, const lochan_table *table, struct extras *all,
                                 lochan_error *err) {
    all->declared = (int64_t)job->spec->n_columns + 2; /* source and source_dataset */
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        if (!has_rows(scope))
            continue;
        for (int64_t c = all->declared; c < scope->schema.n_children; c++) {
            struct extra *extra = find_extra(all, scope->schema.children[c]->name);
            if (!extra)
                LOCHAN_TRY(add_extra(all, scope->schema.children[c]->name, table, &extra, err));
            LOCHAN_TRY(
                look_at_column(extra, scope->schema.children[c], scope->batch.children[c], err));
        }
    }
    size_t kept = 0;
    for (size_t i = 0; i < all->n; i++) {
        if (all->items[i].has_values)
            all->items[kept++] = all->items[i];
    }
    all->n = kept;
    return LOCHAN_OK;
}

static lochan_status build_schema(lochan_job *job, const lochan_scope *first,
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

/* Brings one scope's batch to the common schema. */
static lochan_status conform(const lochan_job *job, int64_t declared, lochan_scope *scope,
                             lochan_error *err) {
    int64_t n = job->schema.n_children;
    struct ArrowArray out = {0};
    lochan_status rc;
    if (n == declared && scope->schema.n_children == declared)
        return LOCHAN_OK;
    LOCHAN_TRYG(lochan_array__init(&out, 1, n, err));
    out.length = scope->batch.length;
    for (int64_t i = declared; i < n; i++) {
        const struct ArrowSchema *to = job->schema.children[i];
        int from = lochan_schema__find(&scope->schema, to->name);
        if (from < 0) {
            LOCHAN_TRYG(null_column(to, out.length, out.children[i], err));
            continue;
        }
        rc = lochan_cast(scope->schema.children[from], scope->batch.children[from], to,
                         out.children[i], err);
        if (rc != LOCHAN_OK) {
            lochan_error__in_table(err, rc, job->full_name, to->name, -1);
            goto done;
        }
    }
    for (int64_t i = 0; i < declared; i++)
        lochan_array__move(scope->batch.children[i], out.children[i]);
    lochan_array__release(&scope->batch);
    lochan_array__move(&out, &scope->batch);
done:
    lochan_array__release(&out);
    return rc;
}

/* A value that does not fit the table's type is a failure of its scope, not of the update. */
static lochan_status conform_all(lochan_job *job, int64_t declared, lochan_error *err) {
    for (size_t i = 0; i < job->n_scopes; i++) {
        lochan_scope *scope = &job->scopes[i];
        lochan_error why;
        lochan_error_init(&why);
        if (!has_rows(scope))
            continue;
        lochan_status rc = conform(job, declared, scope, &why);
        if (rc == LOCHAN_ERR_VALUE) {
            lochan_array__release(&scope->batch);
            lochan_job__fail_scope(job, i, &why, scope->attempts);
        } else if (rc != LOCHAN_OK) {
            if (err)
                *err = why;
            return rc;
        }
    }
    return LOCHAN_OK;
}

static lochan_status unify(lochan_job *job, lochan_error *err) {
    struct extras extras = {0};
    lochan_table *existing = NULL;
    const lochan_scope *first = NULL;
    lochan_status rc = LOCHAN_OK;
    for (size_t i = 0; i < job->n_scopes && !first; i++)
        first = has_rows(&job->scopes[i]) ? &job->scopes[i] : NULL;
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

/* ---- rows of each partition ---- */

/* Where the rows of a partition are: ranges of the two index arrays. */
struct split {
    lochan_job *job;
    const struct ArrowArray **batches; /* of the scopes with rows, in plan order */
    size_t n_batches;
    uint32_t **ids; /* partition of each row of each batch */
    size_t n_partitions;
    size_t *begin; /* n_partitions + 1: first index of each partition */
    uint32_t *batch_of;
    uint32_t *row_of;
    size_t total;
    size_t bytes_per_row;
    _Atomic int64_t duplicates;
};

static void split_deinit(struct split *split) {
    for (size_t i = 0; split->ids && i < split->n_batches; i++)
        lochan_mem__free(split->ids[i]);
    lochan_mem__free(split->ids);
    lochan_mem__free((void *)split->batches);
    lochan_mem__free(split->begin);
    lochan_mem__free(split->batch_of);
    lochan_mem__free(split->row_of);
}

static lochan_status list_batches(struct split *split, lochan_error *err) {
    lochan_job *job = split->job;
    split->batches = lochan_mem__array(job->n_scopes + 1, sizeof *split->batches);
    split->ids = lochan_mem__array(job->n_scopes + 1, sizeof *split->ids);
    if (!split->batches || !split->ids)
        return lochan_error__nomem(err);
    size_t bytes = 0;
    for (size_t i = 0; i < job->n_scopes; i++) {
        if (!has_rows(&job->scopes[i]))
            continue;
        split->batches[split->n_batches++] = &job->scopes[i].batch;
        split->total += (size_t)job->scopes[i].batch.length;
        bytes += job->scopes[i].budget;
    }
    if (split->total > UINT32_MAX)
        return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT,
                                 "%s: more than %u rows in one update", job->full_name, UINT32_MAX);
    split->bytes_per_row = split->total ? bytes / split->total + 1 : 0;
    return LOCHAN_OK;
}

static lochan_status find_partitions(struct split *split, lochan_error *err) {
    for (size_t b = 0; b < split->n_batches; b++) {
        size_t n = (size_t)split->batches[b]->length;
        split->ids[b] = lochan_mem__array(n, sizeof **split->ids);
        if (!split->ids[b])
            return lochan_error__nomem(err);
        LOCHAN_TRY(
            lochan_write__partition_of(split->job->write, split->batches[b], split->ids[b], err));
    }
    split->n_partitions = lochan_write__partitions(split->job->write);
    return LOCHAN_OK;
}

/* Counting sort of all rows by partition; inside a partition they stay in plan order. */
static lochan_status index_rows(struct split *split, lochan_error *err) {
    split->begin = lochan_mem__array(split->n_partitions + 2, sizeof *split->begin);
    split->batch_of = lochan_mem__array(split->total, sizeof *split->batch_of);
    split->row_of = lochan_mem__array(split->total, sizeof *split->row_of);
    if (!split->begin || !split->batch_of || !split->row_of)
        return lochan_error__nomem(err);
    size_t *next =
        split->begin + 1; /* shifted by one: ends up as `begin` of the following partition */
    for (size_t b = 0; b < split->n_batches; b++) {
        for (int64_t i = 0; i < split->batches[b]->length; i++)
            next[split->ids[b][i] + 1]++;
    }
    for (size_t p = 1; p <= split->n_partitions; p++)
        next[p] += next[p - 1];
    for (size_t b = 0; b < split->n_batches; b++) {
        for (int64_t i = 0; i < split->batches[b]->length; i++) {
            size_t at = next[split->ids[b][i]]++;
            split->batch_of[at] = (uint32_t)b;
            split->row_of[at] = (uint32_t)i;
        }
    }
    return LOCHAN_OK;
}

/* ---- one partition ---- */

/* Of rows in sorted order, the last of each key. *n_kept <= n. */
static lochan_status keep_last(const struct split *split, const struct ArrowArray *batch,
                               const int64_t *order, int64_t *kept, size_t *n_kept,
                               lochan_error *err) {
    size_t n_keys, n = (size_t)batch->length;
    const lochan_sort_key *keys = lochan_write__order(split->job->write, &n_keys);
    lochan_comparator *comparator = NULL;
    LOCHAN_TRY(
        lochan_comparator__create(&split->job->schema, keys, n_keys, &batch, 1, &comparator, err));
    *n_kept = 0;
    for (size_t i = 0; i < n; i++) {
        bool last =
            i + 1 == n || lochan_comparator__compare(comparator, 0, order[i], 0, order[i + 1]) != 0;
        if (last)
            kept[(*n_kept)++] = order[i];
    }
    lochan_comparator__free(comparator);
    return LOCHAN_OK;
}

static bool is_identity(const int64_t *rows, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (rows[i] != (int64_t)i)
            return false;
    }
    return true;
}

static lochan_status merge_rows(struct split *split, uint32_t partition,
                                const struct ArrowArray *batch, lochan_error *err) {
    size_t n_keys, n = (size_t)batch->length, n_kept = 0;
    const lochan_sort_key *keys = lochan_write__order(split->job->write, &n_keys);
    int64_t *order = NULL;
    struct ArrowArray sorted = {0};
    lochan_write_counts counts;
    lochan_status rc;
    int64_t *kept = lochan_mem__array(n, sizeof *kept);
    if (!kept)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_sort_indices(&split->job->schema, batch, keys, n_keys, &order, err));
    LOCHAN_TRYG(keep_last(split, batch, order, kept, &n_kept, err));
    split->duplicates += (int64_t)(n - n_kept);
    if (n_kept < n || !is_identity(kept, n)) {
        LOCHAN_TRYG(lochan_take(&split->job->schema, batch, kept, n_kept, &sorted, err));
        batch = &sorted;
    }
    LOCHAN_TRYG(lochan_write__merge_partition(split->job->write, partition, batch, &counts, err));
done:
    lochan_array__release(&sorted);
    lochan_mem__free(order);
    lochan_mem__free(kept);
    return rc;
}

/* Whether a partition's rows are exactly one whole batch, which then needs no copy. */
static bool is_whole_batch(const struct split *split, size_t first, size_t n) {
    uint32_t b = split->batch_of[first];
    return split->batch_of[first + n - 1] == b && split->batches[b]->length == (int64_t)n;
}

static lochan_status merge_task(void *ctx, size_t partition, lochan_error *err) {
    struct split *split = ctx;
    lochan_budget *budget = split->job->lake->ctx.budget;
    size_t first = split->begin[partition], n = split->begin[partition + 1] - first;
    if (n == 0)
        return LOCHAN_OK;
    size_t bytes = n * split->bytes_per_row;
    LOCHAN_TRY(lochan_budget__take(budget, bytes, "sorting a partition", err));
    struct ArrowArray gathered = {0};
    lochan_status rc;
    if (is_whole_batch(split, first, n)) {
        rc = merge_rows(split, (uint32_t)partition, split->batches[split->batch_of[first]], err);
    } else {
        rc = lochan_take_many(&split->job->schema, split->batches, split->n_batches,
                              split->batch_of + first, split->row_of + first, n, &gathered, err);
        if (rc == LOCHAN_OK)
            rc = merge_rows(split, (uint32_t)partition, &gathered, err);
        lochan_array__release(&gathered);
    }
    lochan_budget__give(budget, bytes);
    return rc;
}

/* ---- into the table ---- */

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

static void report_write(lochan_job *job, int64_t duplicates) {
    lochan_write_counts totals;
    lochan_write__totals(job->write, &totals);
    lochan_update_report *report = job->report;
    report->rows_new = totals.rows_new;
    report->rows_replaced = totals.rows_replaced;
    report->rows_unchanged = totals.rows_unchanged;
    report->rows_duplicate = duplicates;
    report->partitions_written = totals.partitions_written;
    report->partitions_skipped = totals.partitions_skipped;
    report->files_written = totals.files_written;
    report->bytes_written = totals.bytes_written;
}

static lochan_status write_rows(lochan_job *job, lochan_error *err) {
    struct split split = {.job = job};
    lochan_write_options options = {.mode = LOCHAN_WRITE_UPSERT,
                                    .kind = "update",
                                    .token = job->request->token,
                                    .message = job->update_id};
    lochan_status rc;
    LOCHAN_TRYG(open_table(job, err));
    LOCHAN_TRYG(
        lochan_write__begin(job->lake, job->table, &job->schema, &options, &job->write, err));
    LOCHAN_TRYG(list_batches(&split, err));
    LOCHAN_TRYG(find_partitions(&split, err));
    LOCHAN_TRYG(index_rows(&split, err));
    LOCHAN_TRYG(lochan_pool__for(job->lake->ctx.pool, split.n_partitions, merge_task, &split,
                                 job->lake->ctx.cancel, err));
    report_write(job, split.duplicates);
done:
    split_deinit(&split);
    return rc;
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

lochan_status lochan_job__assemble(lochan_job *job, lochan_error *err) {
    bool any = false;
    LOCHAN_TRY(unify(job, err));
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        if (scope->state != LOCHAN_SCOPE_DONE)
            continue;
        job->report->rows_fetched += scope->rows_fetched;
        job->report->rows_filtered += scope->rows_filtered;
        any = any || has_rows(scope);
    }
    if (any)
        LOCHAN_TRY(write_rows(job, err));
    return check_accounting(job, err);
}
