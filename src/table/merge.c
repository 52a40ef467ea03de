/* merge.c - sorted new rows into the files of one partition.
 *
 * The files of a keyed table have disjoint key ranges, so they and the new rows are walked together
 * in key order. New rows between two files go straight to the output; a file whose range holds new
 * rows is read: if they change nothing it stays, else it is read again while old and new rows flow
 * into new files, and is retired. The output is cut wherever an untouched file lies between, which
 * keeps ranges disjoint.
 *
 * Invariants: memory is the new rows of one file's range and one batch of that file; rows in = new
 * + replaced + unchanged. May call: base/, arrow/, parquet/, match.h, incoming.h.
 */
#include "table/merge.h"
#include "table/old_file.h"

/* ---- an old file ---- */

/* Row groups that may hold keys between the first and the last new row, judged by the order's first
 * column. */
static lochan_status choose_groups(lochan_old_file *f, lochan_write *w, const lochan_segment *seg,
                                   int **groups, size_t *n, lochan_error *err) {
    int all = lochan_pq_reader__row_groups(f->reader);
    int column = f->projection.source[w->table->order[0].column];
    *n = 0;
    *groups = lochan_mem__array((size_t)all + 1, sizeof **groups);
    if (!*groups)
        return lochan_error__nomem(err);
    for (int g = 0; g < all; g++) {
        lochan_expr_stats stats;
        bool known = column >= 0 && lochan_pq_reader__column_stats(f->reader, g, column, &stats);
        if (!known ||
            lochan_segment__may_meet(seg, &w->base.schema, w->table->order[0].column, &stats))
            (*groups)[(*n)++] = g;
    }
    return LOCHAN_OK;
}

/* Whether the new rows of the file's range change anything in it. */
static lochan_status changes_file(lochan_merge *m, lochan_old_file *f, lochan_segment *seg,
                                  bool *changed, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int *groups = NULL;
    size_t n = 0;
    struct ArrowArray batch = {0};
    lochan_match match = {0};
    *changed = false;
    LOCHAN_TRYG(choose_groups(f, m->w, seg, &groups, &n, err));
    if (n == 0) {
        *changed = true;
        goto done;
    }
    LOCHAN_TRYG(lochan_old_file__rewind(f, groups, n, err));
    lochan_segment__rewind(seg);
    while (!*changed) {
        LOCHAN_TRYG(lochan_cancel__check(m->w->lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_old_file__next(f, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(lochan_match__run(&match, m->w, &batch, seg, err));
        *changed = match.n_new > 0 || match.n_replaced > 0;
        lochan_array__release(&batch);
    }
    *changed = *changed || lochan_segment__left(seg) > 0;
done:
    lochan_array__release(&batch);
    lochan_match__deinit(&match);
    lochan_mem__free(groups);
    return rc;
}

lochan_status lochan_merge__write(lochan_merge *m, const lochan_match *match,
                                  const struct ArrowArray *old, const lochan_segment *seg,
                                  lochan_error *err) {
    enum { CHUNK = 65536 };
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray rows = {0};
    const struct ArrowArray **batches = lochan_mem__array(seg->n + 1, sizeof *batches);
    if (!batches)
        return lochan_error__nomem(err);
    batches[0] = old;
    for (size_t i = 0; i < seg->n; i++)
        batches[i + 1] = &seg->batches[i];
    for (size_t from = 0; from < match->n_rows; from += CHUNK) {
        size_t n = match->n_rows - from < CHUNK ? match->n_rows - from : CHUNK;
        LOCHAN_TRYG(lochan_take_many(&m->w->base.schema, batches, seg->n + 1,
                                     match->batch_of + from, match->row_of + from, n, &rows, err));
        LOCHAN_TRYG(lochan_output__rows(&m->out, &rows, err));
        lochan_array__release(&rows);
    }
done:
    lochan_array__release(&rows);
    lochan_mem__free(batches);
    return rc;
}

/* Old rows must come in order, or the merge would scramble the table silently. */
static lochan_status check_old_order(lochan_merge *m, const lochan_old_file *f,
                                     const struct ArrowArray *batch, lochan_buf *last,
                                     int64_t first_row, lochan_error *err) {
    int64_t bad = -1;
    LOCHAN_TRY(
        lochan_rows__check_order(m->w->table, &m->w->base.schema, true, batch, last, &bad, err));
    if (bad < 0)
        return LOCHAN_OK;
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                         "row %lld of %s is out of order or repeats a key",
                                         (long long)(first_row + bad), f->file->path);
    lochan_error__in_table(err, rc, m->w->table->full_name, NULL, first_row + bad);
    return lochan_error__in_file(err, rc, f->file->path, -1);
}

static lochan_status rewrite_file(lochan_merge *m, lochan_old_file *f, lochan_segment *seg,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_write *w = m->w;
    struct ArrowArray raw = {0}, batch = {0};
    lochan_match match = {0};
    lochan_buf last;
    int64_t row = 0;
    lochan_buf__init(&last, LOCHAN_KEYCODE_MAX * 4);
    LOCHAN_TRYG(lochan_old_file__rewind(f, NULL, 0, err));
    lochan_segment__rewind(seg);
    LOCHAN_TRYG(lochan_output__replace(&m->out, &f->file->file_id, 1, err));
    for (;;) {
        LOCHAN_TRYG(lochan_old_file__next(f, &raw, err));
        if (!raw.release)
            break;
        LOCHAN_TRYG(check_old_order(m, f, &raw, &last, row, err));
        row += raw.length;
        LOCHAN_TRYG(lochan_known_at__fill(&w->base.schema, w->table->known_at,
                                          f->file->published_ns, &raw, &batch, err));
        LOCHAN_TRYG(lochan_match__run(&match, w, &batch, seg, err));
        LOCHAN_TRYG(lochan_merge__write(m, &match, &batch, seg, err));
        m->counts->rows_new += match.n_new;
        m->counts->rows_replaced += match.n_replaced;
        m->counts->rows_unchanged += match.n_unchanged;
        lochan_array__release(&batch);
    }
    if (lochan_segment__left(seg) > 0) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               "the keys of %s end before the last key that the catalog names",
                               f->file->path);
        rc = lochan_error__in_file(err, rc, f->file->path, -1);
        goto done;
    }
    LOCHAN_TRYG(lochan_output__replace(&m->out, NULL, 0, err));
    LOCHAN_TRYG(lochan_write__retire(w, m->out.partition, f->file, err));
    m->counts->files_retired++;
done:
    lochan_array__release(&raw);
    lochan_array__release(&batch);
    lochan_match__deinit(&match);
    lochan_buf__deinit(&last);
    return rc;
}

/* Merges the new rows that lie in the file's range. */
static lochan_status merge_file(lochan_merge *m, const lochan_data_file *file, lochan_segment *seg,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_old_file f = {0};
    bool changed;
    LOCHAN_TRYG(lochan_old_file__open(&f, m->w, file, err));
    LOCHAN_TRYG(changes_file(m, &f, seg, &changed, err));
    if (changed) {
        LOCHAN_TRYG(rewrite_file(m, &f, seg, err));
    } else {
        m->counts->rows_unchanged += lochan_segment__rows(seg);
        LOCHAN_TRYG(lochan_output__cut(&m->out, err));
    }
done:
    lochan_old_file__deinit(&f);
    return rc;
}

/* ---- the walk ---- */

lochan_status lochan_merge__write_gap(lochan_merge *m, const lochan_str *key, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray rows = {0};
    for (;;) {
        LOCHAN_TRYG(lochan_incoming__take(&m->in, key, false, &rows, err));
        if (!rows.release)
            break;
        m->counts->rows_new += rows.length;
        LOCHAN_TRYG(lochan_output__rows(&m->out, &rows, err));
        lochan_array__release(&rows);
    }
done:
    lochan_array__release(&rows);
    return rc;
}

static lochan_status walk_file(lochan_merge *m, const lochan_data_file *file, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_segment seg = {0};
    struct ArrowArray rows = {0};
    LOCHAN_TRYG(lochan_merge__write_gap(m, &file->key_min, err));
    for (;;) {
        LOCHAN_TRYG(lochan_incoming__take(&m->in, &file->key_max, true, &rows, err));
        if (!rows.release)
            break;
        LOCHAN_TRYG(lochan_segment__give(&seg, m->w, &rows, err));
    }
    if (lochan_segment__rows(&seg) > 0)
        LOCHAN_TRYG(merge_file(m, file, &seg, err));
    else
        LOCHAN_TRYG(lochan_output__cut(&m->out, err));
done:
    lochan_array__release(&rows);
    lochan_segment__deinit(&seg, m->w);
    return rc;
}

static lochan_status check_file(lochan_merge *m, const lochan_data_file *file,
                                const lochan_data_file *before, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    if (file->key_min.n == 0 || file->key_max.n == 0 || !file->sorted) {
        rc = lochan_error__set(
            err, LOCHAN_ERR_UNSUPPORTED,
            "cannot merge into %s: %s was not written as part of a table with a key",
            m->w->table->full_name, file->path);
    } else if (lochan_keycode__compare(file->key_min, file->key_max) > 0 ||
               (before && lochan_keycode__compare(before->key_max, file->key_min) >= 0)) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               "the key range of %s overlaps that of another file", file->path);
    }
    return lochan_error__in_file(err, rc, file->path, -1);
}

lochan_status lochan_merge__run(lochan_write *w, uint32_t partition,
                                struct ArrowArrayStream *stream, const struct ArrowArray *batch,
                                lochan_write_counts *counts, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_merge m = {.w = w, .counts = counts};
    m.out = (lochan_output){.w = w, .partition = partition, .counts = counts};
    pthread_mutex_lock(&w->mutex);
    const lochan_write_partition *p = w->partitions[partition];
    pthread_mutex_unlock(&w->mutex);
    LOCHAN_TRYG(lochan_incoming__init(&m.in, w, partition, stream, batch, err));
    bool foreign = false;
    for (size_t i = 0; i < p->n_files; i++)
        foreign = foreign || p->files[i]->foreign;
    if (foreign)
        LOCHAN_TRYG(lochan_merge__rebuild(&m, p, err));
    for (size_t i = 0; !foreign && i < p->n_files; i++) {
        LOCHAN_TRYG(check_file(&m, p->files[i], i > 0 ? p->files[i - 1] : NULL, err));
        LOCHAN_TRYG(walk_file(&m, p->files[i], err));
    }
    LOCHAN_TRYG(lochan_merge__write_gap(&m, NULL, err));
    LOCHAN_TRYG(lochan_output__cut(&m.out, err));
    if (m.in.rows != counts->rows_new + counts->rows_replaced + counts->rows_unchanged) {
        rc = lochan_error__set(err, LOCHAN_ERR_ACCOUNTING,
                               "%lld rows came, %lld are new, %lld replaced, %lld unchanged",
                               (long long)m.in.rows, (long long)counts->rows_new,
                               (long long)counts->rows_replaced, (long long)counts->rows_unchanged);
        goto done;
    }
done:
    lochan_output__deinit(&m.out);
    lochan_incoming__deinit(&m.in);
    return rc;
}
