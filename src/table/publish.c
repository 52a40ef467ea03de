/* publish.c - the end of a write: files durable, then one transaction.
 * Invariants: rows add up before anything is published; every file is durable under its name before
 * the transaction that names it begins (unless the write is unsynced); after a failure no file of
 * the write is left. May call: base/, store/, catalog/.
 */
#include "base/cancel.h"
#include "table/replace.h"

/* For each partition: rows before - rows of retired files + rows of new files = rows after. */
static lochan_status check_accounts(const lochan_write *w, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t *sum = lochan_mem__array(w->n_partitions + 1, sizeof *sum);
    if (!sum)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < w->n_partitions; i++)
        sum[i] = w->partitions[i]->merged ? w->partitions[i]->counts.rows_before : 0;
    for (size_t i = 0; i < w->n_new; i++)
        sum[w->new_files[i].partition] += w->new_files[i].summary.rows;
    for (size_t i = 0; i < w->n_retired; i++)
        sum[w->retired[i].partition] -= w->retired[i].file->rows;
    for (size_t i = 0; i < w->n_partitions && rc == LOCHAN_OK; i++) {
        const lochan_write_partition *p = w->partitions[i];
        if (p->merged && sum[i] != p->counts.rows_after)
            rc = lochan_error__set(err, LOCHAN_ERR_ACCOUNTING,
                                   "partition '%s' would hold %lld rows instead of %lld", p->folder,
                                   (long long)sum[i], (long long)p->counts.rows_after);
    }
    lochan_mem__free(sum);
    return rc;
}

static lochan_status check_conflict(const lochan_write *w, lochan_txn *txn, lochan_error *err) {
    size_t n = 0;
    if (w->options.mode == LOCHAN_WRITE_APPEND)
        return LOCHAN_OK;
    if (lochan_replace__is_on(w)) /* rows of a scope may have come into any partition */
        return lochan_txn__check_partitions(txn, w->base.table_id, w->base.snapshot_id, NULL, 0,
                                            err);
    lochan_partition_ref *touched = lochan_mem__array(w->n_partitions + 1, sizeof *touched);
    if (!touched)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < w->n_partitions; i++) {
        if (w->partitions[i]->merged)
            touched[n++].values = (const char *const *)w->partitions[i]->texts;
    }
    /* none would mean the whole table */
    lochan_status rc = n > 0 ? lochan_txn__check_partitions(txn, w->base.table_id,
                                                            w->base.snapshot_id, touched, n, err)
                             : LOCHAN_OK;
    lochan_mem__free(touched);
    return rc;
}

lochan_status lochan_data_file__add(lochan_txn *txn, int64_t table_id, const lochan_pq_summary *s,
                                    int stats_columns, lochan_file_add *add, lochan_error *err) {
    size_t n = 0;
    lochan_column_stats *stats = lochan_mem__array((size_t)s->n_leaves + 1, sizeof *stats);
    if (!stats)
        return lochan_error__nomem(err);
    for (int i = 0; i < s->n_leaves; i++) {
        const lochan_pq_leaf_summary *leaf = &s->leaves[i];
        bool kept = stats_columns == 0 || leaf->column < stats_columns;
        stats[n++] = (lochan_column_stats){.column_id = leaf->field_id,
                                           .compressed_bytes = leaf->compressed_bytes,
                                           .value_count = leaf->value_count,
                                           .null_count = leaf->null_count,
                                           .contains_nan = leaf->contains_nan,
                                           .min = leaf->min_text,
                                           .max = leaf->max_text,
                                           .table_only = !kept};
    }
    add->rows = s->rows;
    add->bytes = (int64_t)s->file_size;
    add->footer_bytes = (int64_t)s->footer_length;
    add->stats = stats;
    add->n_stats = n;
    int64_t id;
    lochan_status rc = lochan_txn__add_file(txn, table_id, add, &id, err);
    lochan_mem__free(stats);
    return rc;
}

static lochan_status add_file(const lochan_write *w, lochan_txn *txn, const lochan_new_file *f,
                              lochan_error *err) {
    const lochan_write_partition *p = w->partitions[f->partition];
    lochan_file_add add = {.path = f->path,
                           .file_id = f->file_id,
                           .ordinal = f->ordinal,
                           .sorted = w->table->n_order > 0,
                           .unsynced_boot = w->boot[0] ? w->boot : NULL};
    if (w->table->partition->n_fields > 0) {
        add.partition_values = (const char *const *)p->texts;
        add.n_partition_values = w->table->partition->n_fields;
    }
    if (w->keyed) {
        add.key_min = (lochan_str){(const char *)f->key_min.data, f->key_min.len};
        add.key_max = (lochan_str){(const char *)f->key_max.data, f->key_max.len};
    }
    return lochan_data_file__add(txn, w->base.table_id, &f->summary, w->options.stats_columns, &add,
                                 err);
}

static int by_ordinal(const void *a, const void *b) {
    const lochan_new_file *x = a, *y = b;
    return (x->ordinal > y->ordinal) - (x->ordinal < y->ordinal);
}

static lochan_status list_changes(lochan_write *w, lochan_txn *txn, lochan_error *err) {
    if (w->n_new > 0)
        qsort(w->new_files, w->n_new, sizeof *w->new_files, by_ordinal);
    for (size_t i = 0; i < w->n_retired; i++)
        LOCHAN_TRY(lochan_txn__retire_file(txn, w->base.table_id, w->retired[i].file->id, err));
    for (size_t i = 0; i < w->n_new; i++)
        LOCHAN_TRY(add_file(w, txn, &w->new_files[i], err));
    return LOCHAN_OK;
}

static lochan_status make_durable(lochan_write *w, lochan_error *err) {
    w->durable = false;
    LOCHAN_TRY(lochan_write__close_held(w, err));
    LOCHAN_TRY(check_accounts(w, err));
    LOCHAN_FAILPOINT("table.publish.written", err);
    if (w->n_new > 0)
        LOCHAN_TRY(w->boot[0] ? lochan_store_batch__finish_unsynced(w->batch, err)
                              : lochan_store_batch__finish(w->batch, err));
    w->durable = true;
    LOCHAN_FAILPOINT("table.publish.durable", err);
    return lochan_cancel__check(w->lake->ctx.cancel, err);
}

bool lochan_write__is_durable(const lochan_write *w) {
    return w->durable;
}

static lochan_status commit(lochan_write *w, lochan_write_hook hook, void *ctx,
                            int64_t *snapshot_id, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    bool done_already = false;
    lochan_txn_options options = {.kind = w->kind,
                                  .commit_id = w->commit_id,
                                  .token = w->token,
                                  .message = w->message,
                                  .author = w->author,
                                  .base_snapshot = w->base.snapshot_id,
                                  .unsynced = w->boot[0] != '\0'};
    LOCHAN_TRYG(
        lochan_txn__begin(w->lake->catalog, &options, &done_already, snapshot_id, &txn, err));
    if (done_already)
        goto done;
    LOCHAN_TRYG(check_conflict(w, txn, err));
    LOCHAN_TRYG(list_changes(w, txn, err));
    LOCHAN_FAILPOINTG("table.publish.listed", err);
    if (hook)
        LOCHAN_TRYG(hook(ctx, txn, err));
    LOCHAN_FAILPOINTG("table.publish.hooked", err);
    rc = lochan_txn__commit(&txn, snapshot_id, err);
    /* a commit that the disk may still bring back needs its files */
    w->published = rc == LOCHAN_OK || lochan_catalog__fate_is_open(w->lake->catalog, w->commit_id);
done:
    lochan_txn__abort(txn);
    return rc;
}

/* Commits; where others wrote into the same partitions meanwhile, those are merged again. */
static lochan_status commit_or_merge_again(lochan_write *w, lochan_write_hook hook, void *ctx,
                                           int64_t *id, lochan_error *err) {
    int left = w->options.conflict_retries == 0 ? 5 : w->options.conflict_retries;
    lochan_error seen;
    for (;;) {
        lochan_error_init(&seen);
        lochan_status rc = commit(w, hook, ctx, id, &seen);
        if (rc != LOCHAN_ERR_CONFLICT || !w->intake || left-- <= 0) {
            if (rc != LOCHAN_OK && err)
                *err = seen;
            return rc;
        }
        LOCHAN_TRY(lochan_write__rebase(w, err));
        LOCHAN_TRY(make_durable(w, err));
    }
}

lochan_status lochan_write__publish(lochan_write *w, lochan_write_hook hook, void *ctx,
                                    int64_t *snapshot_id, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t id = -1;
    if (snapshot_id)
        *snapshot_id = -1;
    if (w->failed || w->published)
        return lochan_error__set(
            err, LOCHAN_ERR_INVALID_ARGUMENT, "the write into %s %s", w->table->full_name,
            w->failed ? "failed and cannot be published" : "was published already");
    LOCHAN_TRYG(lochan_write__merge_added(w, err));
    LOCHAN_TRYG(make_durable(w, err));
    if (w->n_new == 0 && w->n_retired == 0 && !hook && !w->token) {
        w->published = true;
        goto done;
    }
    LOCHAN_TRYG(commit_or_merge_again(w, hook, ctx, &id, err));
    /* No failpoint or error after this line: the commit is there. */
    if (snapshot_id)
        *snapshot_id = id;
    if (id >= 0)
        lochan_lake__expire_now_and_then(w->lake);
done:
    if (rc != LOCHAN_OK)
        w->failed = true;
    return lochan_error__in_table(err, rc, w->table->full_name, NULL, -1);
}

bool lochan_write__file(const lochan_write *w, size_t i, int column, lochan_written_file *out) {
    memset(out, 0, sizeof *out);
    if (i >= w->n_new)
        return false;
    const lochan_new_file *f = &w->new_files[i];
    const lochan_pq_leaf_summary *leaf = lochan_pq_summary__column(&f->summary, column);
    *out = (lochan_written_file){.path = f->path,
                                 .partition = f->partition,
                                 .rows = f->summary.rows,
                                 .bytes = (int64_t)f->summary.file_size};
    if (leaf && leaf->stats.has_min && leaf->stats.has_max) {
        out->has_range = true;
        out->min = leaf->stats.min_i;
        out->max = leaf->stats.max_i;
    }
    return true;
}

bool lochan_write__leaf_range(const lochan_write *w, int32_t field_id, int64_t *min, int64_t *max) {
    bool any = false;
    for (size_t i = 0; i < w->n_new; i++) {
        const lochan_pq_summary *s = &w->new_files[i].summary;
        for (int l = 0; l < s->n_leaves; l++) {
            const lochan_expr_stats *stats = &s->leaves[l].stats;
            if (s->leaves[l].field_id != field_id || !stats->has_min || !stats->has_max)
                continue;
            *min = !any || stats->min_i < *min ? stats->min_i : *min;
            *max = !any || stats->max_i > *max ? stats->max_i : *max;
            any = true;
        }
    }
    return any;
}
