/* buckets.c - rows of the table, split by bucket and kept until their parts are written.
 * Invariant: the rows of a bucket stay in the order they came in. May call: base/, arrow/, table/.
 */
#include "run/own.h"

#include "arrow/kernels.h"
#include "base/mem.h"
#include "table/projection.h"

lochan_status lochan_run__push(struct ArrowArray **list, size_t *n, size_t *cap,
                               struct ArrowArray *batch, lochan_error *err) {
    if (*n == *cap) {
        size_t more = *cap ? *cap * 2 : 4;
        struct ArrowArray *grown = lochan_mem__realloc(*list, more * sizeof *grown);
        if (!grown) {
            lochan_array__release(batch);
            return lochan_error__nomem(err);
        }
        *list = grown;
        *cap = more;
    }
    lochan_array__move(batch, &(*list)[(*n)++]);
    return LOCHAN_OK;
}

static lochan_status reserve(lochan_run_buckets *b, lochan_error *err) {
    size_t n = lochan_write__partitions(b->write);
    if (n <= b->n)
        return LOCHAN_OK;
    lochan_run_bucket *more = lochan_mem__realloc(b->items, n * sizeof *more);
    if (!more)
        return lochan_error__nomem(err);
    memset(more + b->n, 0, (n - b->n) * sizeof *more);
    b->items = more;
    b->n = n;
    return LOCHAN_OK;
}

static lochan_status give_rows(lochan_run_buckets *b, uint32_t id, struct ArrowArray *rows,
                               lochan_error *err) {
    lochan_run_bucket *one = &b->items[id];
    b->held += rows->length;
    return lochan_run__push(&one->batches, &one->n, &one->cap, rows, err);
}

/* Ticks mostly come in order: then a bucket's rows are one run of the batch, and are shown, not
 * copied. */
static lochan_status split_runs(lochan_run_buckets *b, lochan_shared *batch, const uint32_t *ids,
                                int64_t n, lochan_error *err) {
    for (int64_t from = 0; from < n;) {
        int64_t to = from + 1;
        struct ArrowArray rows;
        while (to < n && ids[to] == ids[from])
            to++;
        LOCHAN_TRY(lochan_shared__slice(batch, from, to - from, &rows, err));
        LOCHAN_TRY(give_rows(b, ids[from], &rows, err));
        from = to;
    }
    return LOCHAN_OK;
}

/* Any order: the rows of each bucket are gathered. */
static lochan_status split_mixed(lochan_run_buckets *b, const struct ArrowArray *batch,
                                 const uint32_t *ids, int64_t n, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t *starts = lochan_mem__array(b->n + 1, sizeof *starts);
    int64_t *order = lochan_mem__array((size_t)n + 1, sizeof *order);
    if (!starts || !order) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t i = 0; i < n; i++)
        starts[ids[i] + 1]++;
    for (size_t k = 0; k < b->n; k++)
        starts[k + 1] += starts[k];
    for (int64_t i = 0; i < n; i++)
        order[starts[ids[i]]++] = i; /* now starts[k] is where k ends */
    for (size_t k = 0; k < b->n; k++) {
        int64_t begin = k > 0 ? starts[k - 1] : 0;
        struct ArrowArray rows;
        if (starts[k] == begin)
            continue;
        LOCHAN_TRYG(
            lochan_take(b->schema, batch, order + begin, (size_t)(starts[k] - begin), &rows, err));
        LOCHAN_TRYG(give_rows(b, (uint32_t)k, &rows, err));
    }
done:
    lochan_mem__free(starts);
    lochan_mem__free(order);
    return rc;
}

/* How often the bucket changes from one row to the next. */
static int64_t count_changes(const uint32_t *ids, int64_t n) {
    int64_t changes = 0;
    for (int64_t i = 1; i < n; i++)
        changes += ids[i] != ids[i - 1];
    return changes;
}

lochan_status lochan_run_buckets__add(lochan_run_buckets *b, struct ArrowArray *shaped,
                                      lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t n = shaped->length;
    uint32_t *ids = lochan_mem__array((size_t)n + 1, sizeof *ids);
    lochan_shared *shared = lochan_shared__give(shaped);
    if (!ids || !shared) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_write__partition_of(b->write, lochan_shared__get(shared), ids, err));
    LOCHAN_TRYG(reserve(b, err));
    if (count_changes(ids, n) < (int64_t)b->n)
        LOCHAN_TRYG(split_runs(b, shared, ids, n, err));
    else
        LOCHAN_TRYG(split_mixed(b, lochan_shared__get(shared), ids, n, err));
done:
    lochan_mem__free(ids);
    lochan_shared__unref(shared);
    return rc;
}

void lochan_run_buckets__deinit(lochan_run_buckets *b) {
    for (size_t k = 0; k < b->n; k++) {
        for (size_t i = 0; i < b->items[k].n; i++)
            lochan_array__release(&b->items[k].batches[i]);
        lochan_mem__free(b->items[k].batches);
    }
    lochan_mem__free(b->items);
    b->items = NULL;
    b->n = 0;
}
