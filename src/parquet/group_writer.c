/* group_writer.c - rows -> row groups. Batches are cut into slices that end at row-group ends and
 * at fixed steps; each slice goes to all leaves in parallel. In the slice that ends a row group
 * each leaf is finished too, and leaves go to the sink in order as they are done: one thread writes
 * while the others still encode. Invariant: who encodes and writes when leaves no trace in the
 * file. May call: base/, arrow/, the rest of parquet/.
 */
#include "base/clock.h"
#include "parquet/writer_own.h"

enum { ROWS_FOR_TASKS = 1024 /* fewer rows are not worth other threads */ };

/* One slice of a batch on its way to all leaves. */
typedef struct slice {
    lochan_pq_writer *w;
    const struct ArrowArray *batch; /* NULL: no rows, only the end */
    int64_t first, n;               /* rows of the batch */
    int64_t row0;                   /* number of the first in the file */
    bool ends;                      /* the row group */
    lochan_pq_row_group_meta *group;
} slice;

static lochan_pq_column_chunk *chunk_of(const slice *s, int leaf) {
    return (lochan_pq_column_chunk *)s->group->columns.items + leaf;
}

/* Describes and writes a finished leaf. */
static lochan_status put_leaf(const slice *s, int leaf, lochan_error *err) {
    lochan_pq_writer *w = s->w;
    lochan_pq_column_writer *c = &w->columns[leaf];
    lochan_pq_column_chunk *chunk = chunk_of(s, leaf);
    LOCHAN_TRY(lochan_pq_column_writer__describe(c, (int64_t)w->offset, &w->arena, chunk, err));
    LOCHAN_TRY(lochan_pq_writer__put_indexes(w, c, chunk, err));
    s->group->total_byte_size += chunk->meta.uncompressed_size;
    s->group->total_compressed += chunk->meta.compressed_size;
    LOCHAN_TRY(lochan_pq_writer__put(w, c->dictionary_page.data, c->dictionary_page.len, err));
    LOCHAN_TRY(lochan_pq_writer__put(w, c->pages.data, c->pages.len, err));
    lochan_pq_column_writer__clear(c);
    return LOCHAN_OK;
}

/* Writes the finished leaves whose turn it is, unless another thread is at it. */
static lochan_status put_ready(const slice *s, lochan_error *err) {
    lochan_pq_writer *w = s->w;
    lochan_status rc = LOCHAN_OK;
    pthread_mutex_lock(&w->lock);
    if (!w->putting) {
        w->putting = true;
        while (rc == LOCHAN_OK && w->next_leaf < w->n_columns && w->columns[w->next_leaf].done) {
            int leaf = w->next_leaf;
            pthread_mutex_unlock(&w->lock);
            rc = put_leaf(s, leaf, err);
            pthread_mutex_lock(&w->lock);
            w->next_leaf += rc == LOCHAN_OK;
        }
        w->putting = rc != LOCHAN_OK; /* after a failure nobody goes on */
    }
    pthread_mutex_unlock(&w->lock);
    return rc;
}

static lochan_status do_leaf(void *ctx, size_t i, lochan_error *err) {
    const slice *s = ctx;
    lochan_pq_writer *w = s->w;
    lochan_pq_column_writer *c = &w->columns[s->ends ? (int)i : w->order[i]];
    if (s->batch) {
        int64_t begin = lochan_clock__mono_ns();
        LOCHAN_TRY(lochan_pq_column_writer__append(c, s->batch->children[c->leaf->column],
                                                   s->batch->offset + s->first, s->n, s->row0,
                                                   err));
        c->cost = lochan_clock__mono_ns() - begin;
    }
    if (!s->ends)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_column_writer__finish(c, err));
    pthread_mutex_lock(&w->lock);
    c->done = true;
    pthread_mutex_unlock(&w->lock);
    return w->any_thread ? put_ready(s, err) : LOCHAN_OK;
}

/* Leaves that took long come first, so that threads end together. */
static void sort_leaves(lochan_pq_writer *w) {
    for (int i = 1; i < w->n_columns; i++) {
        int leaf = w->order[i], k = i;
        for (; k > 0 && w->columns[w->order[k - 1]].cost < w->columns[leaf].cost; k--)
            w->order[k] = w->order[k - 1];
        w->order[k] = leaf;
    }
}

static lochan_status begin_end(slice *s, lochan_error *err) {
    lochan_pq_writer *w = s->w;
    LOCHAN_TRY(lochan_pq_writer__add_group(w, &s->group, err));
    lochan_pq_column_chunk *chunks =
        lochan_arena__array(&w->arena, (size_t)w->n_columns + 1, sizeof *chunks);
    if (!chunks)
        return lochan_error__nomem(err);
    s->group->columns = (lochan_thrift_list){chunks, (uint32_t)w->n_columns};
    for (int i = 0; i < w->n_columns; i++)
        w->columns[i].done = false;
    w->next_leaf = 0;
    return lochan_pq_writer__put_sorting(w, s->group, err);
}

/* Takes a slice to all leaves and, where it ends the row group, to the sink. */
static lochan_status run(slice *s, lochan_error *err) {
    lochan_pq_writer *w = s->w;
    w->group_rows += s->n;
    if (s->ends)
        LOCHAN_TRY(begin_end(s, err));
    bool tasks = (s->batch ? s->n : w->group_rows) >= ROWS_FOR_TASKS;
    LOCHAN_TRY(lochan_pool__for(tasks ? w->ctx.pool : NULL, (size_t)w->n_columns, do_leaf, s,
                                w->ctx.cancel, err));
    if (!s->ends) {
        sort_leaves(w);
        return LOCHAN_OK;
    }
    LOCHAN_TRY(put_ready(s, err));
    for (int i = 0; i < w->n_columns; i++)
        LOCHAN_TRY(lochan_pq_writer__put_bloom(w, &w->columns[i], chunk_of(s, i), err));
    w->n_groups++;
    w->rows += w->group_rows;
    w->group_rows = 0;
    return LOCHAN_OK;
}

lochan_status lochan_pq_writer__finish_group(lochan_pq_writer *w, lochan_error *err) {
    slice s = {.w = w, .ends = true};
    return run(&s, err);
}

lochan_status lochan_pq_writer__put_rows(lochan_pq_writer *w, const struct ArrowArray *batch,
                                         lochan_error *err) {
    for (int64_t at = 0; at < batch->length;) {
        int64_t n = batch->length - at, room = w->options.row_group_rows - w->group_rows;
        int64_t step = w->step_rows - w->group_rows % w->step_rows;
        n = n < room ? n : room;
        n = n < step ? n : step;
        slice s = {.w = w,
                   .batch = batch,
                   .first = at,
                   .n = n,
                   .row0 = w->rows + w->group_rows,
                   .ends = n == room};
        LOCHAN_TRY(run(&s, err));
        at += n;
        if (w->group_rows > 0 && w->group_rows % w->step_rows == 0 &&
            lochan_pq_writer__bytes(w) - w->offset >= (uint64_t)w->options.row_group_bytes)
            LOCHAN_TRY(lochan_pq_writer__finish_group(w, err));
    }
    return LOCHAN_OK;
}
