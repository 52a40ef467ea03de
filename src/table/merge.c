/* merge.c - sorted new rows into the files of one partition.
 *
 * The files of a keyed table have disjoint key ranges, so they and the new rows are walked together
 * in key order. New rows between two files go straight to the output; a file whose range holds new
 * rows is read: if they change nothing it stays, else it is written anew with them (rewrite.c) and
 * retired. The output is cut wherever an untouched file lies between, which keeps ranges disjoint.
 *
 * Invariants: memory is bounded whatever comes (collect); rows in = new + replaced + unchanged. May
 * call: base/, arrow/, parquet/, match.h, incoming.h.
 */
#include "table/merge.h"
#include "table/intake.h"
#include "table/replace.h"

/* ---- writing ---- */

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

/* Collects the new rows of the file's range, as far as memory should hold them. *whole: all of
 * them. */
static lochan_status collect(lochan_merge *m, const lochan_data_file *file, lochan_segment *seg,
                             bool *whole, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray rows = {0};
    *whole = false;
    while (!lochan_segment__is_full(seg, m->w)) {
        LOCHAN_TRYG(lochan_incoming__take(&m->in, &file->key_max, true, &rows, err));
        *whole = !rows.release;
        if (*whole)
            break;
        LOCHAN_TRYG(lochan_segment__give(seg, m->w, &rows, err));
    }
done:
    lochan_array__release(&rows);
    return rc;
}

/* The new rows of the file's range, or none where some of its own may be removed. More rows than
 * memory should hold are taken to change it. */
static lochan_status merge_file(lochan_merge *m, const lochan_data_file *file, lochan_segment *seg,
                                bool whole, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_old_file f = {0};
    bool changed = true;
    LOCHAN_TRYG(lochan_old_file__open(&f, m->w, file, err));
    if (whole)
        LOCHAN_TRYG(lochan_merge__changes(m, &f, seg, &changed, err));
    if (changed) {
        lochan_incoming__give_back(&m->in, seg);
        LOCHAN_TRYG(lochan_merge__rewrite(m, &f, err));
    } else {
        m->counts->rows_unchanged += lochan_segment__rows(seg);
        LOCHAN_TRYG(lochan_output__cut(&m->out, err));
    }
done:
    lochan_old_file__deinit(&f);
    return rc;
}

/* Takes the new rows of a file's range that a dry walk found to be its own. */
static lochan_status skip_equal(lochan_merge *m, const lochan_data_file *file, lochan_error *err) {
    struct ArrowArray rows = {0};
    for (;;) {
        LOCHAN_TRY(lochan_incoming__take(&m->in, &file->key_max, true, &rows, err));
        if (!rows.release)
            return lochan_output__cut(&m->out, err);
        m->counts->rows_unchanged += rows.length;
        lochan_array__release(&rows);
    }
}

static lochan_status walk_file(lochan_merge *m, const lochan_data_file *file, const bool *changed,
                               lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_segment seg = {0};
    bool whole;
    LOCHAN_TRYG(lochan_merge__write_gap(m, &file->key_min, err));
    if (changed && !*changed) {
        rc = skip_equal(m, file, err);
        goto done;
    }
    LOCHAN_TRYG(collect(m, file, &seg, &whole, err));
    bool removing = lochan_replace__is_on(m->w) && lochan_replace__may_touch(m->w, file);
    if (removing || lochan_segment__rows(&seg) > 0)
        LOCHAN_TRYG(merge_file(m, file, &seg, whole, err));
    else
        LOCHAN_TRYG(lochan_output__cut(&m->out, err));
done:
    lochan_segment__deinit(&seg, m->w);
    return rc;
}

/* A table without a key: all its old rows go. */
static lochan_status retire_all(lochan_merge *m, const lochan_write_partition *p,
                                lochan_error *err) {
    for (size_t i = 0; i < p->n_files; i++) {
        LOCHAN_TRY(lochan_write__retire(m->w, m->out.partition, p->files[i], err));
        m->counts->files_retired++;
        m->counts->rows_removed += p->files[i]->rows;
    }
    return LOCHAN_OK;
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

/* Rows below the first key of a file: they change none. */
static lochan_status skip_gap(lochan_merge *m, const lochan_data_file *file, lochan_error *err) {
    struct ArrowArray rows = {0};
    for (;;) {
        LOCHAN_TRY(lochan_incoming__take(&m->in, &file->key_min, false, &rows, err));
        if (!rows.release)
            return LOCHAN_OK;
        lochan_array__release(&rows);
    }
}

/* Finds out which files the rows change when they are too many to be held: they are asked for
 * twice. */
static lochan_status walk_dry(lochan_write *w, uint32_t partition, const lochan_write_partition *p,
                              bool **changed, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_write_counts counts = {0};
    struct ArrowArrayStream stream = {0};
    lochan_old_file f = {0};
    lochan_merge m = {.w = w, .counts = &counts, .dry = true, .in = {.stored = true}};
    *changed = lochan_mem__array(p->n_files + 1, sizeof **changed);
    if (!*changed)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_intake__stream(w, partition, &stream, err));
    LOCHAN_TRYG(lochan_incoming__init(&m.in, w, partition, &stream, NULL, err));
    for (size_t i = 0; i < p->n_files; i++) {
        LOCHAN_TRYG(check_file(&m, p->files[i], i > 0 ? p->files[i - 1] : NULL, err));
        LOCHAN_TRYG(skip_gap(&m, p->files[i], err));
        LOCHAN_TRYG(lochan_old_file__open(&f, w, p->files[i], err));
        LOCHAN_TRYG(lochan_merge__compare(&m, &f, &(*changed)[i], err));
        lochan_old_file__deinit(&f);
    }
done:
    lochan_old_file__deinit(&f);
    lochan_incoming__deinit(&m.in);
    lochan_stream__release(&stream);
    lochan_mem__free(m.remove);
    return rc;
}

lochan_status lochan_merge__run(lochan_write *w, uint32_t partition,
                                struct ArrowArrayStream *stream, const struct ArrowArray *batch,
                                bool stored, lochan_write_counts *counts, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_merge m = {.w = w, .counts = counts};
    m.out = (lochan_output){.w = w, .partition = partition, .counts = counts};
    pthread_mutex_lock(&w->mutex);
    const lochan_write_partition *p = w->partitions[partition];
    pthread_mutex_unlock(&w->mutex);
    m.in.stored = stored;
    LOCHAN_TRYG(lochan_incoming__init(&m.in, w, partition, stream, batch, err));
    bool anew = false; /* files whose order is not the table's */
    for (size_t i = 0; i < p->n_files; i++)
        anew = anew || p->files[i]->foreign || p->files[i]->clustered;
    bool appends = !w->keyed;
    if (stored && !appends && !anew && lochan_intake__is_large(w, partition))
        LOCHAN_TRYG(walk_dry(w, partition, p, &m.changed, err));
    if (appends)
        LOCHAN_TRYG(retire_all(&m, p, err));
    else if (anew)
        LOCHAN_TRYG(lochan_merge__rebuild(&m, p, err));
    for (size_t i = 0; !appends && !anew && i < p->n_files; i++) {
        LOCHAN_TRYG(check_file(&m, p->files[i], i > 0 ? p->files[i - 1] : NULL, err));
        LOCHAN_TRYG(walk_file(&m, p->files[i], m.changed ? &m.changed[i] : NULL, err));
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
    lochan_mem__free(m.remove);
    lochan_mem__free(m.changed);
    return rc;
}
