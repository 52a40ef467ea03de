/* rewrite.c - one old file and the new rows of its range: whether they change anything, and if so,
 * the file written anew.
 *
 * Row groups that no new row meets are copied as bytes; the others are decoded one after the other
 * and walked together with the new rows, a batch of each at a time. New rows between two groups go
 * with the group behind them, and a small group with the one before it if that was decoded, so that
 * groups do not crumble.
 *
 * Invariant: memory is one batch of old and one of new rows, whatever came. May call: base/,
 * arrow/, parquet/, merge.h, group_range.h.
 */
#include "table/group_range.h"
#include "table/merge.h"
#include "table/replace.h"

lochan_status lochan_merge__mark(lochan_merge *m, const struct ArrowArray *old,
                                 const uint8_t **remove, lochan_error *err) {
    bool any = false;
    *remove = NULL;
    if (!lochan_replace__is_on(m->w))
        return LOCHAN_OK;
    if ((size_t)old->length > m->cap_remove) {
        uint8_t *list = lochan_mem__realloc(m->remove, (size_t)old->length);
        if (!list)
            return lochan_error__nomem(err);
        m->remove = list;
        m->cap_remove = (size_t)old->length;
    }
    if (m->remove)
        LOCHAN_TRY(lochan_replace__mark(m->w, old, m->remove, &any, err));
    *remove = any ? m->remove : NULL;
    return LOCHAN_OK;
}

/* ---- does anything change? ---- */

/* Row groups that may hold keys of the new rows; all of them where old rows may be removed. */
static lochan_status choose_groups(lochan_merge *m, lochan_old_file *f, const lochan_segment *seg,
                                   int **groups, size_t *n, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int all = lochan_pq_reader__row_groups(f->reader);
    bool removing = lochan_replace__is_on(m->w) && lochan_replace__may_touch(m->w, f->file);
    lochan_group_range range;
    lochan_group_range__init(&range);
    *n = 0;
    *groups = lochan_mem__array((size_t)all + 1, sizeof **groups);
    if (!*groups) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int g = 0; g < all; g++) {
        bool meets = removing;
        if (!meets) {
            LOCHAN_TRYG(lochan_group_range__read(&range, f, m->w, g, err));
            LOCHAN_TRYG(lochan_group_range__meets(&range, seg, m->w, &meets, err));
        }
        if (meets)
            (*groups)[(*n)++] = g;
    }
done:
    lochan_group_range__deinit(&range);
    return rc;
}

lochan_status lochan_merge__changes(lochan_merge *m, lochan_old_file *f, lochan_segment *seg,
                                    bool *changed, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int *groups = NULL;
    size_t n = 0;
    struct ArrowArray batch = {0};
    lochan_match match = {0};
    *changed = false;
    LOCHAN_TRYG(choose_groups(m, f, seg, &groups, &n, err));
    lochan_segment__rewind(seg);
    if (n > 0)
        LOCHAN_TRYG(lochan_old_file__rewind(f, groups, n, err));
    while (n > 0 && !*changed) {
        LOCHAN_TRYG(lochan_cancel__check(m->w->lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_old_file__next(f, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(lochan_merge__mark(m, &batch, &match.remove, err));
        LOCHAN_TRYG(lochan_match__run(&match, m->w, &batch, seg, err));
        *changed = match.n_new > 0 || match.n_replaced > 0 || match.n_removed > 0;
        lochan_array__release(&batch);
    }
    *changed = *changed || lochan_segment__left(seg) > 0;
done:
    lochan_array__release(&batch);
    lochan_match__deinit(&match);
    lochan_mem__free(groups);
    return rc;
}

/* ---- decoded groups ---- */

static void count(lochan_merge *m, const lochan_match *match) {
    m->counts->rows_new += match->n_new;
    m->counts->rows_replaced += match->n_replaced;
    m->counts->rows_unchanged += match->n_unchanged;
    m->counts->rows_removed += match->n_removed;
}

/* Old rows [from, to) and the new ones that were taken for them. */
static lochan_status write_step(lochan_merge *m, lochan_match *match, lochan_shared *old,
                                const uint8_t *remove, int64_t from, int64_t to,
                                struct ArrowArray *fresh, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray part = {0};
    lochan_segment seg = {0};
    if (fresh->release) {
        seg.batches = fresh;
        seg.n = 1;
        seg.rows = fresh->length;
    }
    LOCHAN_TRYG(lochan_shared__slice(old, from, to - from, &part, err));
    match->remove = remove ? remove + from : NULL;
    LOCHAN_TRYG(lochan_match__run(match, m->w, &part, &seg, err));
    count(m, match);
    m->counts->rows_new += lochan_segment__left(&seg); /* above the last old row */
    if (m->dry)
        goto done;
    LOCHAN_TRYG(lochan_merge__write(m, match, &part, &seg, err));
    LOCHAN_TRYG(lochan_segment__write_left(&seg, &m->out, err));
done:
    lochan_array__release(&part);
    return rc;
}

/* First old row whose key is above that of the last new one. */
static lochan_status find_above(const lochan_merge *m, const struct ArrowArray *old, int64_t from,
                                const struct ArrowArray *fresh, int64_t *above, lochan_error *err) {
    const struct ArrowArray *batches[] = {old, fresh};
    lochan_comparator *cmp = NULL;
    int64_t low = from, high = old->length;
    LOCHAN_TRY(lochan_comparator__create(&m->w->base.schema, m->w->table->order,
                                         m->w->table->n_order, batches, 2, &cmp, err));
    while (low < high) {
        int64_t mid = low + (high - low) / 2;
        if (lochan_comparator__compare(cmp, 0, mid, 1, fresh->length - 1) <= 0)
            low = mid + 1;
        else
            high = mid;
    }
    lochan_comparator__free(cmp);
    *above = low;
    return LOCHAN_OK;
}

/* A batch of old rows with the new ones up to its last key. Takes the batch. */
static lochan_status merge_batch(lochan_merge *m, lochan_match *match, struct ArrowArray *batch,
                                 const lochan_buf *last, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const uint8_t *remove = NULL;
    struct ArrowArray fresh = {0};
    lochan_str key = lochan_keycode__of(last);
    int64_t from = 0, rows = batch->length;
    lochan_shared *old = NULL;
    rc = lochan_merge__mark(m, batch, &remove, err);
    old = lochan_shared__give(batch);
    if (rc == LOCHAN_OK && !old)
        rc = lochan_error__nomem(err);
    LOCHAN_TRYG(rc);
    while (from < rows) {
        int64_t to = rows;
        LOCHAN_TRYG(lochan_incoming__take(&m->in, &key, true, &fresh, err));
        if (fresh.release)
            LOCHAN_TRYG(find_above(m, lochan_shared__get(old), from, &fresh, &to, err));
        if (to > from)
            LOCHAN_TRYG(write_step(m, match, old, remove, from, to, &fresh, err));
        else if (fresh.release) {
            m->counts->rows_new += fresh.length;
            if (!m->dry)
                LOCHAN_TRYG(lochan_output__rows(&m->out, &fresh, err));
        }
        lochan_array__release(&fresh);
        from = to;
    }
done:
    lochan_array__release(&fresh);
    lochan_shared__unref(old);
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

static lochan_status decode_group(lochan_merge *m, lochan_old_file *f, int group, lochan_buf *last,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray raw = {0}, batch = {0};
    lochan_match match = {0};
    lochan_pq_row_group_info info;
    lochan_pq_reader__row_group(f->reader, group, &info);
    int64_t row = info.first_row;
    LOCHAN_TRYG(lochan_old_file__rewind(f, &group, 1, err));
    for (;;) {
        LOCHAN_TRYG(lochan_cancel__check(m->w->lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_old_file__next(f, &raw, err));
        if (!raw.release)
            break;
        LOCHAN_TRYG(check_old_order(m, f, &raw, last, row, err));
        row += raw.length;
        LOCHAN_TRYG(lochan_known_at__fill(&m->w->base.schema, m->w->table->known_at,
                                          f->file->published_ns, &raw, &batch, err));
        LOCHAN_TRYG(merge_batch(m, &match, &batch, last, err));
    }
    m->counts->groups_decoded++;
done:
    lochan_array__release(&raw);
    lochan_array__release(&batch);
    lochan_match__deinit(&match);
    return rc;
}

/* ---- copied groups ---- */

/* Whether new rows come before the end of the group. */
static lochan_status is_met(lochan_merge *m, lochan_old_file *f, lochan_group_range *range,
                            int group, bool *met, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf next;
    lochan_buf__init(&next, LOCHAN_KEYCODE_MAX * 4);
    LOCHAN_TRYG(lochan_incoming__peek(&m->in, &next, met, err));
    if (*met) {
        LOCHAN_TRYG(lochan_group_range__read(range, f, m->w, group, err));
        *met = lochan_group_range__compare(range, lochan_keycode__of(&next)) <= 0;
    }
done:
    lochan_buf__deinit(&next);
    return rc;
}

/* The key of the group's first (or last) row, which is the file's for the first (last) group. */
static lochan_status edge_key(lochan_merge *m, lochan_old_file *f, int group, bool last,
                              lochan_buf *key, lochan_error *err) {
    int edge = last ? lochan_pq_reader__row_groups(f->reader) - 1 : 0;
    lochan_str known = last ? f->file->key_max : f->file->key_min;
    if (group != edge)
        return lochan_group__key(f, m->w, group, last, key, err);
    lochan_buf__clear(key);
    return lochan_buf__append(key, known.p, known.n, err);
}

/* A null in _known_at means the time of the file it lies in, so this column cannot move as it is.
 */
static lochan_status copy_group(lochan_merge *m, lochan_old_file *f, int group, lochan_error *err) {
    lochan_output *out = &m->out;
    lochan_pq_fill fill;
    const lochan_pq_fill *times = lochan_known_at__fill_group(
        &m->w->base.schema, m->w->table->known_at, f->file->published_ns, f->reader, group, &fill);
    bool fresh, last = group == lochan_pq_reader__row_groups(f->reader) - 1;
    LOCHAN_TRY(lochan_output__begin_group(out, &fresh, err));
    if (fresh)
        LOCHAN_TRY(edge_key(m, f, group, false, &out->part->key_min, err));
    LOCHAN_TRY(lochan_output__copy_group(out, f->reader, group, times, err));
    /* where a file may end now, its last key has to be known */
    if (last || out->cut_next)
        LOCHAN_TRY(edge_key(m, f, group, true, &out->part->key_max, err));
    m->counts->groups_copied++;
    return LOCHAN_OK;
}

/* ---- the file ---- */

/* Whether groups of this file can be copied into files of this write at all. */
static lochan_status can_copy(lochan_merge *m, lochan_old_file *f, bool *can, lochan_error *err) {
    bool fresh;
    *can = false;
    if (f->file->foreign || lochan_pq_reader__row_groups(f->reader) < 2)
        return LOCHAN_OK;
    if (lochan_replace__is_on(m->w) && lochan_replace__may_touch(m->w, f->file))
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_output__begin_group(&m->out, &fresh, err));
    *can = lochan_pq_writer__can_copy(m->out.part->parquet, f->reader, NULL);
    return LOCHAN_OK;
}

static lochan_status write_groups(lochan_merge *m, lochan_old_file *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool copyable, decoded = false;
    lochan_buf last;
    lochan_group_range range;
    lochan_buf__init(&last, LOCHAN_KEYCODE_MAX * 4);
    lochan_group_range__init(&range);
    LOCHAN_TRYG(can_copy(m, f, &copyable, err));
    for (int g = 0; g < lochan_pq_reader__row_groups(f->reader); g++) {
        lochan_pq_row_group_info info;
        lochan_pq_reader__row_group(f->reader, g, &info);
        bool small = decoded && info.rows < m->w->options.row_group_rows / 4;
        bool met = !copyable || small;
        if (!met)
            LOCHAN_TRYG(is_met(m, f, &range, g, &met, err));
        if (met)
            LOCHAN_TRYG(decode_group(m, f, g, &last, err));
        else
            LOCHAN_TRYG(copy_group(m, f, g, err));
        decoded = met;
    }
done:
    lochan_group_range__deinit(&range);
    lochan_buf__deinit(&last);
    return rc;
}

/* New rows of the file's range that no row group of it met: the catalog's range is wrong. */
static lochan_status check_end(lochan_merge *m, const lochan_old_file *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf next;
    bool any;
    lochan_buf__init(&next, LOCHAN_KEYCODE_MAX * 4);
    LOCHAN_TRYG(lochan_incoming__peek(&m->in, &next, &any, err));
    if (any && lochan_keycode__compare(lochan_keycode__of(&next), f->file->key_max) <= 0) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               "the keys of %s end before the last key that the catalog names",
                               f->file->path);
        rc = lochan_error__in_file(err, rc, f->file->path, -1);
    }
done:
    lochan_buf__deinit(&next);
    return rc;
}

/* Drops the rows that are left up to the file's last key; *n = how many. */
static lochan_status drop_rest(lochan_merge *m, const lochan_old_file *f, int64_t *n,
                               lochan_error *err) {
    struct ArrowArray rows = {0};
    *n = 0;
    for (;;) {
        LOCHAN_TRY(lochan_incoming__take(&m->in, &f->file->key_max, true, &rows, err));
        if (!rows.release)
            return LOCHAN_OK;
        *n += rows.length;
        lochan_array__release(&rows);
    }
}

static bool has_changes(const lochan_write_counts *c) {
    return c->rows_new + c->rows_replaced + c->rows_removed > 0;
}

lochan_status lochan_merge__compare(lochan_merge *m, lochan_old_file *f, bool *changed,
                                    lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool removing = lochan_replace__is_on(m->w) && lochan_replace__may_touch(m->w, f->file);
    int64_t left;
    lochan_buf last;
    lochan_group_range range;
    lochan_buf__init(&last, LOCHAN_KEYCODE_MAX * 4);
    lochan_group_range__init(&range);
    memset(m->counts, 0, sizeof *m->counts);
    for (int g = 0; g < lochan_pq_reader__row_groups(f->reader) && !has_changes(m->counts); g++) {
        bool met = removing;
        if (!met)
            LOCHAN_TRYG(is_met(m, f, &range, g, &met, err));
        if (met)
            LOCHAN_TRYG(decode_group(m, f, g, &last, err));
    }
    LOCHAN_TRYG(drop_rest(m, f, &left, err));
    *changed = left > 0 || has_changes(m->counts);
done:
    lochan_group_range__deinit(&range);
    lochan_buf__deinit(&last);
    return rc;
}

lochan_status lochan_merge__rewrite(lochan_merge *m, lochan_old_file *f, lochan_error *err) {
    LOCHAN_TRY(lochan_output__replace(&m->out, &f->file->file_id, 1, err));
    LOCHAN_TRY(write_groups(m, f, err));
    LOCHAN_TRY(check_end(m, f, err));
    LOCHAN_TRY(lochan_output__replace(&m->out, NULL, 0, err));
    LOCHAN_TRY(lochan_write__retire(m->w, m->out.partition, f->file, err));
    m->counts->files_retired++;
    return LOCHAN_OK;
}
