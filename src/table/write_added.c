/* write_added.c - the end of a write whose rows came by lochan_write__add: every partition merged,
 * and merged again where another commit came in between.
 * Invariant: a partition is merged with the files that it holds at the write's base snapshot. May
 * call: base/, arrow/, catalog/, intake.h, replace.h.
 */
#include "table/group_range.h"
#include "table/intake.h"
#include "table/replace.h"

static lochan_status merge_one(void *ctx, size_t index, lochan_error *err) {
    lochan_write *w = ctx;
    struct ArrowArrayStream stream = {0};
    pthread_mutex_lock(&w->mutex);
    bool merged = w->partitions[index]->merged;
    pthread_mutex_unlock(&w->mutex);
    if (merged)
        return LOCHAN_OK;
    if (w->intake)
        LOCHAN_TRY(lochan_intake__stream(w, (uint32_t)index, &stream, err));
    lochan_status rc = lochan_write__merge_stored(w, (uint32_t)index, &stream, err);
    lochan_stream__release(&stream);
    return rc;
}

lochan_status lochan_write__merge_added(lochan_write *w, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    if (!w->intake && !lochan_replace__is_on(w))
        return LOCHAN_OK;
    pthread_mutex_lock(&w->mutex);
    lochan_replace__close(w);
    pthread_mutex_unlock(&w->mutex);
    LOCHAN_TRYG(lochan_replace__find_partitions(w, err));
    LOCHAN_TRYG(lochan_intake__close(w, err));
    LOCHAN_TRYG(lochan_pool__for(w->lake->ctx.pool, lochan_write__partitions(w), merge_one, w,
                                 w->lake->ctx.cancel, err));
done:
    if (rc != LOCHAN_OK)
        w->failed = true;
    return lochan_error__in_table(err, rc, w->table->full_name, NULL, -1);
}

/* ---- again, on a newer snapshot ---- */

static bool same_files(const lochan_write_partition *p, const lochan_data_file *const *files,
                       size_t n) {
    bool same = p->n_files == n;
    for (size_t i = 0; same && i < n; i++)
        same = p->files[i]->id == files[i]->id;
    return same;
}

/* Takes back what the merge of one partition made. */
static lochan_status forget_merge(lochan_write *w, uint32_t partition, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t n = 0;
    for (size_t i = 0; i < w->n_new; i++) {
        lochan_new_file *f = &w->new_files[i];
        if (f->partition != partition) {
            w->new_files[n++] = *f;
            continue;
        }
        LOCHAN_KEEP(lochan_store__remove(w->lake->store, f->path, true, LOCHAN_KEEP_ERR(rc, err)));
        lochan_new_file__deinit(f);
    }
    w->n_new = n;
    n = 0;
    for (size_t i = 0; i < w->n_retired; i++) {
        if (w->retired[i].partition != partition)
            w->retired[n++] = w->retired[i];
    }
    w->n_retired = n;
    return rc;
}

/* Gives each partition its files of the new base; those with other files are to be merged again. */
static lochan_status compare_partitions(lochan_write *w, size_t *again, lochan_error *err) {
    *again = 0;
    for (uint32_t i = 0; i < w->n_partitions; i++) {
        lochan_write_partition *p = w->partitions[i], now = {0};
        memcpy(now.texts, p->texts, sizeof now.texts);
        LOCHAN_TRY(lochan_write__load_newest(w, &now, err));
        if (same_files(p, now.files, now.n_files)) {
            lochan_mem__free((void *)now.files);
            continue;
        }
        lochan_mem__free((void *)p->files);
        p->files = now.files;
        p->n_files = now.n_files;
        p->counts = now.counts;
        p->merged = false;
        LOCHAN_TRY(forget_merge(w, i, err));
        ++*again;
    }
    return LOCHAN_OK;
}

lochan_status lochan_write__rebase(lochan_write *w, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_def now = {0};
    size_t again;
    LOCHAN_TRY(
        lochan_catalog__table(w->lake->catalog, w->base.source, w->base.dataset, -1, &now, err));
    if (now.table_id != w->base.table_id || now.schema_begin != w->base.schema_begin ||
        now.partition_id != w->base.partition_id) {
        lochan_table_def__deinit(&now);
        return lochan_error__set(err, LOCHAN_ERR_CONFLICT,
                                 "the columns of %s changed since the write began",
                                 w->table->full_name);
    }
    lochan_table_def__deinit(&w->base);
    w->base = now;
    LOCHAN_TRYG(lochan_write__list_newest(w, err));
    LOCHAN_TRYG(compare_partitions(w, &again, err));
    LOCHAN_TRYG(lochan_write__next_batch(w, err));
    LOCHAN_TRYG(lochan_write__merge_added(w, err));
done:
    return rc;
}

/* ---- what it would touch ---- */

/* The lowest and highest key of the rows of a partition. */
static lochan_status key_range(lochan_write *w, uint32_t partition, lochan_buf *low,
                               lochan_buf *high, int64_t *rows, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    lochan_keycode codes = {0};
    *rows = 0;
    LOCHAN_TRYG(lochan_intake__stream(w, partition, &stream, err));
    for (;;) {
        LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
        if (!batch.release)
            break;
        LOCHAN_TRYG(lochan_keycode__init(&codes, &w->base.schema, &batch, w->table->order,
                                         w->table->n_order, err));
        if (*rows == 0)
            LOCHAN_TRYG(lochan_keycode__encode(&codes, 0, low, err));
        LOCHAN_TRYG(lochan_keycode__encode(&codes, batch.length - 1, high, err));
        *rows += batch.length;
        lochan_keycode__deinit(&codes);
        lochan_array__release(&batch);
    }
done:
    lochan_keycode__deinit(&codes);
    lochan_array__release(&batch);
    lochan_stream__release(&stream);
    return rc;
}

/* Row groups of a file that keys between two would have decoded. */
static lochan_status count_groups(lochan_write *w, const lochan_data_file *file, lochan_str low,
                                  lochan_str high, bool all, lochan_write_plan *plan,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_old_file f = {0};
    lochan_group_range range;
    int64_t largest = 0;
    lochan_group_range__init(&range);
    LOCHAN_TRYG(lochan_old_file__open(&f, w, file, err));
    for (int g = 0; g < lochan_pq_reader__row_groups(f.reader); g++) {
        lochan_pq_row_group_info info;
        lochan_pq_reader__row_group(f.reader, g, &info);
        LOCHAN_TRYG(lochan_group_range__read(&range, &f, w, g, err));
        bool below = lochan_group_range__compare(&range, high) < 0;
        bool above = lochan_group_range__compare(&range, low) > 0;
        if (!all && (below || above))
            continue;
        plan->row_groups++;
        largest = info.uncompressed_bytes > largest ? info.uncompressed_bytes : largest;
    }
    plan->files++;
    plan->files_bytes += file->bytes;
    plan->memory_bytes = largest > plan->memory_bytes ? largest : plan->memory_bytes;
done:
    lochan_group_range__deinit(&range);
    lochan_old_file__deinit(&f);
    return rc;
}

static lochan_status explain_partition(lochan_write *w, uint32_t i, lochan_write_plan *plan,
                                       lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_write_partition *p = w->partitions[i];
    lochan_buf low, high;
    int64_t rows = 0;
    lochan_buf__init(&low, LOCHAN_KEYCODE_MAX * 4);
    lochan_buf__init(&high, LOCHAN_KEYCODE_MAX * 4);
    if (w->intake && w->keyed)
        LOCHAN_TRYG(key_range(w, i, &low, &high, &rows, err));
    lochan_str a = lochan_keycode__of(&low), b = lochan_keycode__of(&high);
    for (size_t n = 0; w->keyed && n < p->n_files; n++) {
        const lochan_data_file *f = p->files[n];
        bool removing = lochan_replace__is_on(w) && lochan_replace__may_touch(w, f);
        bool anew = f->foreign || f->clustered;
        bool met = rows > 0 && (anew || (lochan_keycode__compare(f->key_min, b) <= 0 &&
                                         lochan_keycode__compare(a, f->key_max) <= 0));
        if (removing || met)
            LOCHAN_TRYG(count_groups(w, f, a, b, removing || anew, plan, err));
    }
    plan->partitions++;
done:
    lochan_buf__deinit(&low);
    lochan_buf__deinit(&high);
    return rc;
}

lochan_status lochan_write__explain(lochan_write *w, lochan_write_plan *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_intake_figures figures;
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&w->mutex);
    lochan_replace__close(w);
    pthread_mutex_unlock(&w->mutex);
    lochan_intake__figures(w, &figures);
    LOCHAN_TRYG(lochan_replace__find_partitions(w, err));
    LOCHAN_TRYG(lochan_intake__close(w, err));
    out->rows = figures.rows;
    for (uint32_t i = 0; i < lochan_write__partitions(w); i++)
        LOCHAN_TRYG(explain_partition(w, i, out, err));
    out->memory_bytes += (int64_t)figures.memory_bytes;
    lochan_intake__figures(w, &figures);
    out->spilled_bytes = (int64_t)figures.spilled_bytes;
done:
    if (rc != LOCHAN_OK)
        w->failed = true;
    return lochan_error__in_table(err, rc, w->table->full_name, NULL, -1);
}
