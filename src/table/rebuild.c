/* rebuild.c - a partition with files of another program, or one that was clustered, written anew in
 * the table's order.
 * Invariants: of rows with one key the one of the newest file stays, and of one file the last;
 * dropped rows are counted. Memory is the whole partition, drawn from the budget. A clustered
 * partition that the new rows do not change stays as it is. May call: base/,
 * arrow/, parquet/, merge.h, old_file.h.
 */
#include "table/merge.h"
#include "table/old_file.h"

static int by_age(const void *x, const void *y) {
    const lochan_data_file *a = *(const lochan_data_file *const *)x,
                           *b = *(const lochan_data_file *const *)y;
    return (a->id > b->id) - (a->id < b->id);
}

/* Appends the rows of one file. */
static lochan_status load_file(lochan_merge *m, const lochan_data_file *file, lochan_segment *rows,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_write *w = m->w;
    lochan_old_file f = {0};
    struct ArrowArray raw = {0}, batch = {0};
    LOCHAN_TRYG(lochan_old_file__open(&f, w, file, err));
    LOCHAN_TRYG(lochan_old_file__rewind(&f, NULL, 0, err));
    for (;;) {
        LOCHAN_TRYG(lochan_cancel__check(w->lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_old_file__next(&f, &raw, err));
        if (!raw.release)
            break;
        LOCHAN_TRYG(lochan_known_at__fill(&w->base.schema, w->table->known_at, file->published_ns,
                                          &raw, &batch, err));
        LOCHAN_TRYG(lochan_segment__give(rows, w, &batch, err));
    }
done:
    lochan_array__release(&raw);
    lochan_array__release(&batch);
    lochan_old_file__deinit(&f);
    return rc;
}

/* All rows of the segment as one batch. */
static lochan_status join(lochan_write *w, const lochan_segment *seg, struct ArrowArray *out,
                          lochan_error *err) {
    const struct ArrowArray **batches = lochan_mem__array(seg->n + 1, sizeof *batches);
    if (!batches)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < seg->n; i++)
        batches[i] = &seg->batches[i];
    lochan_status rc = lochan_concat(&w->base.schema, batches, seg->n, out, err);
    lochan_mem__free(batches);
    return rc;
}

/* Sorts the rows, which come oldest first, and keeps the last of each key. */
static lochan_status sort_and_settle(lochan_merge *m, const struct ArrowArray *rows,
                                     struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const struct ArrowSchema *schema = &m->w->base.schema;
    const lochan_table *t = m->w->table;
    lochan_comparator *cmp = NULL;
    int64_t *order = NULL;
    size_t kept = 0;
    LOCHAN_TRYG(lochan_sort_indices(schema, rows, t->order, t->n_order, &order, err));
    LOCHAN_TRYG(lochan_comparator__create(schema, t->order, t->n_order, &rows, 1, &cmp, err));
    for (int64_t i = 0; i < rows->length; i++) {
        bool last = i + 1 == rows->length ||
                    lochan_comparator__compare(cmp, 0, order[i], 0, order[i + 1]) != 0;
        if (last)
            order[kept++] = order[i];
    }
    m->counts->rows_dropped += rows->length - (int64_t)kept;
    LOCHAN_TRYG(lochan_take(schema, rows, order, kept, out, err));
done:
    lochan_comparator__free(cmp);
    lochan_mem__free(order);
    return rc;
}

/* Finds out what the new rows, all in memory, do to the old ones. */
static lochan_status match_all(lochan_merge *m, const struct ArrowArray *old, lochan_segment *seg,
                               lochan_match *match, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray rows = {0};
    for (;;) {
        LOCHAN_TRYG(lochan_incoming__take(&m->in, NULL, false, &rows, err));
        if (!rows.release)
            break;
        LOCHAN_TRYG(lochan_segment__give(seg, m->w, &rows, err));
    }
    LOCHAN_TRYG(lochan_merge__mark(m, old, &match->remove, err));
    LOCHAN_TRYG(lochan_match__run(match, m->w, old, seg, err));
    m->counts->rows_new += match->n_new + lochan_segment__left(seg);
    m->counts->rows_replaced += match->n_replaced;
    m->counts->rows_unchanged += match->n_unchanged;
    m->counts->rows_removed += match->n_removed;
done:
    lochan_array__release(&rows);
    return rc;
}

static bool is_changed(const lochan_merge *m, const lochan_write_partition *p) {
    const lochan_write_counts *c = m->counts;
    bool foreign = false;
    for (size_t i = 0; i < p->n_files; i++)
        foreign = foreign || p->files[i]->foreign;
    return foreign || c->rows_new + c->rows_replaced + c->rows_removed + c->rows_dropped > 0;
}

/* The partition's files go, and what became of their rows is written. */
static lochan_status write_all(lochan_merge *m, const lochan_write_partition *p, const char **ids,
                               const struct ArrowArray *old, const lochan_match *match,
                               lochan_segment *seg, lochan_error *err) {
    size_t n_ids = 0;
    for (size_t i = 0; i < p->n_files; i++) {
        LOCHAN_TRY(lochan_write__retire(m->w, m->out.partition, p->files[i], err));
        m->counts->files_retired++;
        if (p->files[i]->file_id[0])
            ids[n_ids++] = p->files[i]->file_id;
    }
    LOCHAN_TRY(lochan_output__replace(&m->out, ids, n_ids, err));
    LOCHAN_TRY(lochan_merge__write(m, match, old, seg, err));
    LOCHAN_TRY(lochan_segment__write_left(seg, &m->out, err));
    return lochan_output__replace(&m->out, NULL, 0, err);
}

lochan_status lochan_merge__rebuild(lochan_merge *m, const lochan_write_partition *p,
                                    lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_segment all = {0}, seg = {0};
    lochan_match match = {0};
    struct ArrowArray joined = {0}, old = {0};
    const lochan_data_file **files = lochan_mem__array(p->n_files + 1, sizeof *files);
    const char **ids = lochan_mem__array(p->n_files + 1, sizeof *ids);
    if (!files || !ids) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    memcpy(files, p->files, p->n_files * sizeof *files);
    qsort(files, p->n_files, sizeof *files, by_age);
    for (size_t i = 0; i < p->n_files; i++)
        LOCHAN_TRYG(load_file(m, files[i], &all, err));
    LOCHAN_TRYG(join(m->w, &all, &joined, err));
    LOCHAN_TRYG(sort_and_settle(m, &joined, &old, err));
    lochan_array__release(&joined);
    LOCHAN_TRYG(match_all(m, &old, &seg, &match, err));
    if (is_changed(m, p))
        LOCHAN_TRYG(write_all(m, p, ids, &old, &match, &seg, err));
done:
    lochan_match__deinit(&match);
    lochan_segment__deinit(&seg, m->w);
    lochan_array__release(&joined);
    lochan_array__release(&old);
    lochan_segment__deinit(&all, m->w);
    lochan_mem__free((void *)files);
    lochan_mem__free((void *)ids);
    return rc;
}
