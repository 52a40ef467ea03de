/* split.c - rows of all good scopes, split by partition, each key once, merged in parallel.
 * May call: base/, arrow/, table/.
 */
#include "update/job.h"

#include "arrow/view.h"

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
    size_t n = 0, bytes = 0;
    for (size_t i = 0; i < job->n_scopes; i++)
        n += job->scopes[i].n_pages;
    split->batches = lochan_mem__array(n + 1, sizeof *split->batches);
    split->ids = lochan_mem__array(n + 1, sizeof *split->ids);
    if (!split->batches || !split->ids)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < job->n_scopes; i++) {
        const lochan_scope *scope = &job->scopes[i];
        for (size_t p = 0; scope->state == LOCHAN_SCOPE_DONE && p < scope->n_pages; p++) {
            split->batches[split->n_batches++] = &scope->pages[p].batch;
            split->total += (size_t)scope->pages[p].batch.length;
            bytes += scope->pages[p].budget;
        }
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

lochan_status lochan_job__split_and_merge(lochan_job *job, int64_t *duplicates, lochan_error *err) {
    struct split split = {.job = job};
    lochan_status rc;
    LOCHAN_TRYG(list_batches(&split, err));
    LOCHAN_TRYG(find_partitions(&split, err));
    LOCHAN_TRYG(index_rows(&split, err));
    LOCHAN_TRYG(lochan_pool__for(job->lake->ctx.pool, split.n_partitions, merge_task, &split,
                                 job->lake->ctx.cancel, err));
    *duplicates += split.duplicates;
done:
    split_deinit(&split);
    return rc;
}
