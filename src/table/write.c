/* write.c - a write: its base snapshot, its partitions, the rows on their way.
 * Invariants: what is compared, replaced and counted is the state of one snapshot, noted at begin;
 * a failed write can only be freed. May call: base/, arrow/, store/, catalog/.
 */
#include "table/write.h"

#include "base/clock.h"
#include "table/intake.h"
#include "table/replace.h"
#include "table/spec.h"

/* ---- begin ---- */

static lochan_status copy_text(const char *in, char **out, lochan_error *err) {
    *out = in ? lochan_mem__strdup(in) : NULL;
    return in && !*out ? lochan_error__nomem(err) : LOCHAN_OK;
}

static lochan_status copy_options(lochan_write *w, const lochan_write_options *options,
                                  lochan_error *err) {
    if (options)
        w->options = *options;
    if (w->options.target_file_bytes == 0)
        w->options.target_file_bytes = 128u << 20;
    if (w->options.row_group_rows == 0)
        w->options.row_group_rows = 131072;
    if (w->options.zstd_level == 0)
        w->options.zstd_level = 3;
    if (!w->options.codec)
        w->options.codec = "zstd";
    if (!lochan_pq_codec__from_name(w->options.codec, &w->codec) ||
        !lochan_pq_codec__writable((int32_t)w->codec))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "there is no compression '%s'",
                                 w->options.codec);
    if (w->options.unsynced && w->options.mode == LOCHAN_WRITE_APPEND)
        lochan_boot__id(w->boot); /* where there is none, syncing is the only way */
    LOCHAN_TRY(copy_text(w->options.kind ? w->options.kind : "update", &w->kind, err));
    LOCHAN_TRY(copy_text(w->options.token, &w->token, err));
    LOCHAN_TRY(copy_text(w->options.author, &w->author, err));
    return copy_text(w->options.message, &w->message, err);
}

static lochan_status check_table(const lochan_write *w, lochan_error *err) {
    const lochan_table *t = w->table;
    if (!t->partition || t->n_order != t->def.n_sort)
        return lochan_error__set(
            err, LOCHAN_ERR_UNSUPPORTED,
            "%s is partitioned or ordered in a way that only another program knows", t->full_name);
    if (w->base.table_id != t->def.table_id || w->base.schema_begin != t->def.schema_begin ||
        w->base.partition_id != t->def.partition_id)
        return lochan_error__set(err, LOCHAN_ERR_CONFLICT,
                                 "the columns of %s changed since it was opened", t->full_name);
    if ((w->options.mode == LOCHAN_WRITE_UPSERT ||
         w->options.mode == LOCHAN_WRITE_REPLACE_ASSETS) &&
        !w->keyed)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%s has no key: rows can only be appended, or all replaced",
                                 t->full_name);
    if (w->options.mode == LOCHAN_WRITE_APPEND && w->keyed)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%s has a key: rows must be merged", t->full_name);
    return LOCHAN_OK;
}

/* The table's columns without _known_at. */
static lochan_status default_input(const lochan_write *w, struct ArrowSchema *out,
                                   lochan_error *err) {
    size_t n = 0, all = (size_t)w->base.schema.n_children;
    int *columns = lochan_mem__array(all + 1, sizeof *columns);
    if (!columns)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < all; i++) {
        if ((int)i != w->table->known_at && (int)i != w->table->derived)
            columns[n++] = (int)i;
    }
    lochan_status rc = lochan_schema__select(&w->base.schema, columns, n, out, err);
    lochan_mem__free(columns);
    return rc;
}

static lochan_status check_input_column(const lochan_write *w, const char *name,
                                        lochan_error *err) {
    if (lochan_schema__find(&w->input_schema, name) >= 0)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_SCHEMA, "the new rows have no column '%s'", name);
    return lochan_error__in_table(err, rc, w->table->full_name, name, -1);
}

static lochan_status prepare_input(lochan_write *w, const struct ArrowSchema *schema,
                                   lochan_error *err) {
    const lochan_table *t = w->table;
    const struct ArrowSchema *stored = &w->base.schema;
    LOCHAN_TRY(lochan_schema__dup(schema, &w->input_schema, err));
    LOCHAN_TRY(lochan_projection__init(&w->input, schema, stored, LOCHAN_BY_NAME, err));
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *name = schema->children[i]->name;
        int c = lochan_schema__find(stored, name);
        if (c < 0 || c == t->derived) {
            lochan_status rc = lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                                                 c < 0 ? "%s has no column '%s'"
                                                       : "%s fills its column '%s' itself",
                                                 t->full_name, name);
            return lochan_error__in_table(err, rc, t->full_name, name, -1);
        }
    }
    w->input_order = lochan_mem__array(t->n_order + 1, sizeof *w->input_order);
    if (!w->input_order)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < t->n_order; i++) {
        const char *name = stored->children[t->order[i].column]->name;
        LOCHAN_TRY(check_input_column(w, name, err));
        w->input_order[i] = t->order[i];
        w->input_order[i].column = lochan_schema__find(schema, name);
    }
    for (size_t i = 0; i < t->partition->n_columns; i++) {
        if (t->partition_columns[i] < 0)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "%s was opened without its definition, which tells how rows "
                                     "become partitions",
                                     t->full_name);
        const struct ArrowSchema *field = stored->children[t->partition_columns[i]];
        LOCHAN_TRY(check_input_column(w, field->name, err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_write__begin(lochan_lake *lake, const lochan_table *table,
                                  const struct ArrowSchema *schema,
                                  const lochan_write_options *options, lochan_write **out,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_write *w = NULL;
    struct ArrowSchema input = {0};
    *out = NULL;
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    w = lochan_mem__zalloc(sizeof *w);
    if (!w)
        return lochan_error__nomem(err);
    pthread_mutex_init(&w->mutex, NULL);
    w->lake = lake;
    w->table = table;
    w->keyed = table->n_key > 0;
    lochan_uuid__make(w->commit_id);
    LOCHAN_TRYG(copy_options(w, options, err));
    LOCHAN_TRYG(lochan_catalog__table(lake->catalog, table->def.source, table->def.dataset, -1,
                                      &w->base, err));
    LOCHAN_TRYG(check_table(w, err));
    LOCHAN_TRYG(lochan_replace__init(w, err));
    if (!schema)
        LOCHAN_TRYG(default_input(w, &input, err));
    LOCHAN_TRYG(prepare_input(w, schema ? schema : &input, err));
    LOCHAN_TRYG(lochan_store_batch__create(lake->store, &w->batch, err));
    *out = w;
    w = NULL;
done:
    lochan_schema__release(&input);
    lochan_write__free(w);
    return lochan_error__in_table(err, rc, table->full_name, NULL, -1);
}

void lochan_write__free(lochan_write *w) {
    if (!w)
        return;
    lochan_part__free(w->held);
    if (w->published)
        lochan_store_batch__free(w->batch);
    else
        lochan_store_batch__discard(w->batch);
    for (size_t i = 0; i < w->n_earlier; i++) {
        if (w->published)
            lochan_store_batch__free(w->earlier[i]);
        else
            lochan_store_batch__discard(w->earlier[i]);
    }
    lochan_intake__free(w->intake);
    lochan_write__free_partitions(w);
    for (size_t i = 0; i < w->n_new; i++)
        lochan_new_file__deinit(&w->new_files[i]);
    lochan_mem__free(w->new_files);
    lochan_mem__free(w->retired);
    lochan_mem__free(w->input_order);
    lochan_replace__deinit(w);
    lochan_projection__deinit(&w->input);
    lochan_schema__release(&w->input_schema);
    lochan_table_def__deinit(&w->base);
    lochan_mem__free(w->kind);
    lochan_mem__free(w->token);
    lochan_mem__free(w->author);
    lochan_mem__free(w->message);
    pthread_mutex_destroy(&w->mutex);
    lochan_mem__free(w);
}

const lochan_sort_key *lochan_write__order(const lochan_write *w, size_t *n) {
    *n = w->table->n_order;
    return w->input_order;
}

/* ---- merging ---- */

lochan_status lochan_write__retire(lochan_write *w, uint32_t partition,
                                   const lochan_data_file *file, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    pthread_mutex_lock(&w->mutex);
    if (w->n_retired == w->cap_retired) {
        size_t cap = w->cap_retired ? w->cap_retired * 2 : 16;
        lochan_retired *list = lochan_mem__realloc(w->retired, cap * sizeof *list);
        if (list) {
            w->retired = list;
            w->cap_retired = cap;
        } else {
            rc = lochan_error__nomem(err);
        }
    }
    if (rc == LOCHAN_OK)
        w->retired[w->n_retired++] = (lochan_retired){file, partition};
    pthread_mutex_unlock(&w->mutex);
    return rc;
}

static lochan_status merge(lochan_write *w, uint32_t partition, struct ArrowArrayStream *stream,
                           const struct ArrowArray *batch, bool stored, lochan_write_counts *counts,
                           lochan_error *err) {
    lochan_write_counts c = {0};
    if (counts)
        memset(counts, 0, sizeof *counts);
    pthread_mutex_lock(&w->mutex);
    lochan_write_partition *p = partition < w->n_partitions ? w->partitions[partition] : NULL;
    bool again = w->options.mode == LOCHAN_WRITE_APPEND; /* appends may come piece by piece */
    bool fresh = p && (again || !p->merged) && !w->failed && !w->published;
    if (fresh) {
        p->merged = true;
        lochan_replace__close(w);
    }
    pthread_mutex_unlock(&w->mutex);
    if (!fresh)
        return lochan_error__set(
            err, LOCHAN_ERR_INVALID_ARGUMENT,
            "partition %u of %s is unknown or merged already, or the write has ended", partition,
            w->table->full_name);
    lochan_status rc = lochan_merge__run(w, partition, stream, batch, stored, &c, err);
    pthread_mutex_lock(&w->mutex);
    if (rc != LOCHAN_OK)
        w->failed = true;
    if (again) {
        c.rows_new += p->counts.rows_new;
        c.files_written += p->counts.files_written;
        c.bytes_written += p->counts.bytes_written;
    }
    c.rows_before = p->counts.rows_before;
    c.rows_after = c.rows_before + c.rows_new - c.rows_dropped - c.rows_removed;
    c.rows_duplicate = stored ? lochan_intake__duplicates(w, partition) : 0;
    c.partitions_written = c.files_written > 0 || c.files_retired > 0;
    c.partitions_skipped = !c.partitions_written;
    p->counts = c;
    pthread_mutex_unlock(&w->mutex);
    if (counts && rc == LOCHAN_OK)
        *counts = c;
    return lochan_error__in_table(err, rc, w->table->full_name, NULL, -1);
}

lochan_status lochan_write__merge_partition(lochan_write *w, uint32_t partition,
                                            const struct ArrowArray *batch,
                                            lochan_write_counts *counts, lochan_error *err) {
    return merge(w, partition, NULL, batch, false, counts, err);
}

lochan_status lochan_write__merge_partition_stream(lochan_write *w, uint32_t partition,
                                                   struct ArrowArrayStream *batches,
                                                   lochan_write_counts *counts, lochan_error *err) {
    return merge(w, partition, batches, NULL, false, counts, err);
}

lochan_status lochan_write__merge_stored(lochan_write *w, uint32_t partition,
                                         struct ArrowArrayStream *stream, lochan_error *err) {
    return merge(w, partition, stream->release ? stream : NULL, NULL, true, NULL, err);
}

lochan_status lochan_write__next_batch(lochan_write *w, lochan_error *err) {
    lochan_store_batch *batch;
    if (w->n_earlier == LOCHAN_WRITE_BATCHES)
        return lochan_error__set(err, LOCHAN_ERR_CONFLICT,
                                 "others wrote into the same partitions again and again");
    LOCHAN_TRY(lochan_store_batch__create(w->lake->store, &batch, err));
    w->earlier[w->n_earlier++] = w->batch;
    w->batch = batch;
    return LOCHAN_OK;
}

void lochan_write__totals(lochan_write *w, lochan_write_counts *out) {
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&w->mutex);
    for (size_t i = 0; i < w->n_partitions; i++) {
        const lochan_write_counts *c = &w->partitions[i]->counts;
        if (!w->partitions[i]->merged)
            continue;
        out->rows_new += c->rows_new;
        out->rows_replaced += c->rows_replaced;
        out->rows_unchanged += c->rows_unchanged;
        out->rows_dropped += c->rows_dropped;
        out->rows_removed += c->rows_removed;
        out->rows_duplicate += c->rows_duplicate;
        out->groups_copied += c->groups_copied;
        out->groups_decoded += c->groups_decoded;
        out->rows_before += c->rows_before;
        out->rows_after += c->rows_after;
        out->files_written += c->files_written;
        out->files_retired += c->files_retired;
        out->bytes_written += c->bytes_written;
        out->partitions_written += c->partitions_written;
        out->partitions_skipped += c->partitions_skipped;
    }
    pthread_mutex_unlock(&w->mutex);
}
