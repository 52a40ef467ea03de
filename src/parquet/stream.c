/* stream.c - a stream of batches over row groups: what is asked for, checked and planned. How it is
 * done: stream_group.c cuts row groups into units, stream_unit.c makes batches of them,
 * stream_tasks.c lets threads work on several at a time. May call: base/, arrow/, the rest of
 * parquet/.
 */
#include "parquet/stream_own.h"

enum { DEFAULT_BATCH_ROWS = 131072 };

static void free_stream(void *state) {
    lochan_pq_stream *s = state;
    lochan_pq_stream__stop(s);
    lochan_pq_read_plan__deinit(&s->plan);
    lochan_mem__free(s->rows);
    lochan_mem__free(s->groups);
    pthread_cond_destroy(&s->changed);
    pthread_mutex_destroy(&s->lock);
    lochan_pq_reader__close(s->reader);
    lochan_mem__free(s);
}

static lochan_status next_batch(void *state, struct ArrowArray *out, lochan_error *err) {
    return lochan_pq_stream__next(state, out, err);
}

static lochan_status plan_rows(lochan_pq_stream *s, const lochan_pq_scan *scan, lochan_error *err) {
    if (!scan->rows)
        return LOCHAN_OK;
    s->rows = lochan_mem__array(scan->n_rows + 1, sizeof *s->rows);
    if (!s->rows)
        return lochan_error__nomem(err);
    for (; s->n_rows < scan->n_rows; s->n_rows++) {
        const lochan_pq_range *range = &scan->rows[s->n_rows];
        if (range->begin < 0 || range->end < range->begin ||
            (s->n_rows > 0 && range->begin < scan->rows[s->n_rows - 1].end))
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "ranges of rows must ascend and not overlap");
        s->rows[s->n_rows] = *range;
    }
    return LOCHAN_OK;
}

static lochan_status plan_groups(lochan_pq_stream *s, const lochan_pq_scan *scan,
                                 lochan_error *err) {
    int n = lochan_pq_reader__row_groups(s->reader);
    s->n_groups = scan->row_groups ? scan->n_row_groups : (size_t)n;
    s->groups = lochan_mem__array(s->n_groups + 1, sizeof *s->groups);
    if (!s->groups)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < s->n_groups; i++) {
        s->groups[i] = scan->row_groups ? scan->row_groups[i] : (int)i;
        if (s->groups[i] < 0 || s->groups[i] >= n)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "there is no row group %d",
                                     s->groups[i]);
    }
    return LOCHAN_OK;
}

static lochan_status plan_threads(lochan_pq_stream *s, lochan_error *err) {
    const lochan_ctx *ctx = &s->reader->file.ctx;
    int threads = lochan_pool__threads(ctx->pool);
    s->bounded = ctx->budget && ctx->budget->limit > 0;
    if (threads == 1)
        return LOCHAN_OK;
    s->most_helpers = (size_t)threads - 1;
    return lochan_group__create(ctx->pool, &s->helpers, err);
}

lochan_status lochan_pq_reader__stream(lochan_pq_reader *reader, const lochan_pq_scan *scan,
                                       struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_pq_scan everything = {0};
    struct ArrowSchema schema = {0};
    lochan_status rc;
    memset(out, 0, sizeof *out);
    if (!scan)
        scan = &everything;
    lochan_pq_stream *s = lochan_mem__zalloc(sizeof *s);
    if (!s)
        return lochan_error__nomem(err);
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->changed, NULL);
    s->reader = reader;
    atomic_fetch_add(&reader->refs, 1);
    s->predicate = scan->predicate;
    s->batch_rows = scan->batch_rows > 0 ? scan->batch_rows : DEFAULT_BATCH_ROWS;
    LOCHAN_TRYG(plan_groups(s, scan, err));
    LOCHAN_TRYG(plan_rows(s, scan, err));
    LOCHAN_TRYG(lochan_pq_read_plan__make(&s->plan, &reader->schema, scan, &schema, err));
    LOCHAN_TRYG(plan_threads(s, err));
    return lochan_stream__make(&schema, next_batch, free_stream, s, out, err);
done:
    lochan_schema__release(&schema);
    free_stream(s);
    return rc;
}
