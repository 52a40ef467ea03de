/* write.c - a write: its base snapshot, its partitions, the rows on their way.
 * Invariants: what is compared, replaced and counted is the state of one snapshot, noted at begin;
 * a failed write can only be freed. May call: base/, arrow/, store/, catalog/.
 */
#include "table/write.h"

#include "base/clock.h"
#include "base/hash.h"
#include "table/spec.h"

/* ---- begin ---- */

static int compare_values(const char *const *a, const char *const *b, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int c = !a[i] || !b[i] ? (a[i] != NULL) - (b[i] != NULL) : strcmp(a[i], b[i]);
        if (c != 0)
            return c;
    }
    return 0;
}

static int compare_files(const void *x, const void *y, void *ctx) {
    const lochan_data_file *a = *(const lochan_data_file *const *)x,
                           *b = *(const lochan_data_file *const *)y;
    int c = compare_values((const char *const *)a->partition_values,
                           (const char *const *)b->partition_values, *(size_t *)ctx);
    if (c == 0)
        c = lochan_keycode__compare(a->key_min, b->key_min);
    return c != 0 ? c : (a->id > b->id) - (a->id < b->id);
}

static lochan_status list_files(lochan_write *w, lochan_error *err) {
    size_t n_values = w->base.n_partition;
    LOCHAN_TRY(lochan_catalog__files(w->lake->catalog, &w->base, NULL, 0, &w->files, err));
    w->by_partition = lochan_mem__array(w->files.n + 1, sizeof *w->by_partition);
    if (!w->by_partition)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < w->files.n; i++) {
        const lochan_data_file *f = &w->files.files[i];
        w->by_partition[i] = f;
        for (size_t v = 0; v < n_values && w->options.mode == LOCHAN_WRITE_UPSERT; v++) {
            if (f->partition_id != w->base.partition_id || !f->partition_values[v]) {
                lochan_status rc =
                    lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                      "cannot merge into %s: file %s belongs to no known partition",
                                      w->table->full_name, f->path);
                return lochan_error__in_file(err, rc, f->path, -1);
            }
        }
    }
    qsort_r(w->by_partition, w->files.n, sizeof *w->by_partition, compare_files, &n_values);
    return LOCHAN_OK;
}

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
    if (w->options.mode == LOCHAN_WRITE_UPSERT && !w->keyed)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%s has no key: rows can only be appended", t->full_name);
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
        if ((int)i != w->table->known_at)
            columns[n++] = (int)i;
    }
    lochan_status rc = lochan_schema__select(&w->base.schema, columns, n, out, err);
    lochan_mem__free(columns);
    return rc;
}

static lochan_status check_input_column(const lochan_write *w, const char *name,
                                        lochan_error *err) {
    if (lochan_schema__find(&w->input.from, name) >= 0)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_SCHEMA, "the new rows have no column '%s'", name);
    return lochan_error__in_table(err, rc, w->table->full_name, name, -1);
}

static lochan_status prepare_input(lochan_write *w, const struct ArrowSchema *schema,
                                   lochan_error *err) {
    const lochan_table *t = w->table;
    const struct ArrowSchema *stored = &w->base.schema;
    LOCHAN_TRY(lochan_projection__init(&w->input, schema, stored, LOCHAN_BY_NAME, err));
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *name = schema->children[i]->name;
        if (lochan_schema__find(stored, name) < 0) {
            lochan_status rc = lochan_error__set(err, LOCHAN_ERR_SCHEMA, "%s has no column '%s'",
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
    LOCHAN_TRYG(list_files(w, err));
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

static void free_partition(lochan_write_partition *p) {
    if (!p)
        return;
    for (size_t i = 0; i < LOCHAN_PARTITION_MAX; i++)
        lochan_mem__free(p->texts[i]);
    lochan_mem__free(p->folder);
    lochan_mem__free(p->json);
    lochan_mem__free((void *)p->files);
    lochan_mem__free(p);
}

void lochan_write__free(lochan_write *w) {
    if (!w)
        return;
    lochan_part__free(w->held);
    if (w->published)
        lochan_store_batch__free(w->batch);
    else
        lochan_store_batch__discard(w->batch);
    for (size_t i = 0; i < w->n_partitions; i++)
        free_partition(w->partitions[i]);
    for (size_t i = 0; i < w->n_new; i++)
        lochan_new_file__deinit(&w->new_files[i]);
    lochan_mem__free(w->partitions);
    lochan_mem__free(w->slots);
    lochan_mem__free(w->new_files);
    lochan_mem__free(w->retired);
    lochan_mem__free((void *)w->by_partition);
    lochan_mem__free(w->input_order);
    lochan_file_list__deinit(&w->files);
    lochan_projection__deinit(&w->input);
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

/* ---- partitions ---- */

static uint64_t hash_values(const lochan_partition_strategy *s, const lochan_partition_values *v) {
    uint64_t h = 0;
    for (size_t f = 0; f < s->n_fields; f++)
        h = s->fields[f].is_text ? lochan_hash__64(v->v[f].s.p, v->v[f].s.n, h)
                                 : lochan_hash__64(&v->v[f].i, sizeof v->v[f].i, h);
    return h;
}

/* The base snapshot's files of one partition: a run of by_partition. */
static lochan_status find_files(lochan_write *w, lochan_write_partition *p, lochan_error *err) {
    size_t n_values = w->base.n_partition, low = 0, high = w->files.n;
    const char *const *values = (const char *const *)p->texts;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare_values((const char *const *)w->by_partition[mid]->partition_values, values,
                           n_values) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    size_t end = low;
    while (end < w->files.n &&
           compare_values((const char *const *)w->by_partition[end]->partition_values, values,
                          n_values) == 0)
        end++;
    p->n_files = end - low;
    p->files = lochan_mem__array(p->n_files + 1, sizeof *p->files);
    if (!p->files)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < p->n_files; i++) {
        p->files[i] = w->by_partition[low + i];
        p->counts.rows_before += p->files[i]->rows;
    }
    return LOCHAN_OK;
}

static lochan_status take_text(lochan_buf *buf, char **out, lochan_error *err) {
    *out = buf->data ? (char *)lochan_buf__take(buf, NULL) : lochan_mem__strdup("");
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

static lochan_status make_partition(lochan_write *w, const lochan_partition_values *v,
                                    lochan_write_partition **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_partition_strategy *s = w->table->partition;
    lochan_buf buf;
    lochan_buf__init(&buf, 4096);
    lochan_write_partition *p = lochan_mem__zalloc(sizeof *p);
    if (!p)
        return lochan_error__nomem(err);
    p->values = *v;
    for (size_t f = 0; f < s->n_fields; f++) {
        LOCHAN_TRYG(lochan_partition__value_text(s, v, f, &buf, err));
        LOCHAN_TRYG(take_text(&buf, &p->texts[f], err));
        if (s->fields[f].is_text)
            p->values.v[f].s = lochan_str__of(p->texts[f]);
    }
    LOCHAN_TRYG(lochan_partition__folder(s, v, &buf, err));
    LOCHAN_TRYG(take_text(&buf, &p->folder, err));
    LOCHAN_TRYG(lochan_partition__json(s, v, &buf, err));
    LOCHAN_TRYG(take_text(&buf, &p->json, err));
    LOCHAN_TRYG(find_files(w, p, err));
    *out = p;
    p = NULL;
done:
    lochan_buf__deinit(&buf);
    free_partition(p);
    return rc;
}

static lochan_status grow_slots(lochan_write *w, lochan_error *err) {
    size_t n = w->n_slots ? w->n_slots * 2 : 64;
    uint32_t *slots = lochan_mem__array(n, sizeof *slots);
    lochan_write_partition **list = lochan_mem__realloc(w->partitions, n / 2 * sizeof *list);
    if (list)
        w->partitions = list;
    if (!slots || !list) {
        lochan_mem__free(slots);
        return lochan_error__nomem(err);
    }
    lochan_mem__free(w->slots);
    w->slots = slots;
    w->n_slots = n;
    w->cap_partitions = n / 2;
    for (size_t i = 0; i < w->n_partitions; i++) {
        size_t at = hash_values(w->table->partition, &w->partitions[i]->values) & (n - 1);
        while (slots[at])
            at = (at + 1) & (n - 1);
        slots[at] = (uint32_t)i + 1;
    }
    return LOCHAN_OK;
}

/* Number of the partition with these values, made if new. Under the mutex. */
static lochan_status intern(lochan_write *w, const lochan_partition_values *v, uint32_t *id,
                            lochan_error *err) {
    const lochan_partition_strategy *s = w->table->partition;
    if (w->n_partitions == w->cap_partitions)
        LOCHAN_TRY(grow_slots(w, err));
    size_t at = hash_values(s, v) & (w->n_slots - 1);
    while (w->slots[at] && !lochan_partition__equal(s, &w->partitions[w->slots[at] - 1]->values, v))
        at = (at + 1) & (w->n_slots - 1);
    if (!w->slots[at]) {
        LOCHAN_TRY(make_partition(w, v, &w->partitions[w->n_partitions], err));
        w->slots[at] = (uint32_t)++w->n_partitions;
    }
    *id = w->slots[at] - 1;
    return LOCHAN_OK;
}

static lochan_status no_partition(const lochan_write *w, int64_t row, lochan_error *err) {
    const char *column = w->base.schema.children[w->table->partition_columns[0]]->name;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_VALUE,
                          "row %lld belongs to no partition: column '%s' is null or out of range",
                          (long long)row, column);
    return lochan_error__in_table(err, rc, w->table->full_name, column, row);
}

static lochan_status init_views(const lochan_write *w, const struct ArrowSchema *schema,
                                const struct ArrowArray *batch, lochan_view *views,
                                lochan_error *err) {
    const lochan_table *t = w->table;
    memset(views, 0, LOCHAN_PARTITION_MAX * sizeof *views);
    for (size_t i = 0; i < t->partition->n_columns; i++) {
        int c = lochan_schema__find(schema, w->base.schema.children[t->partition_columns[i]]->name);
        LOCHAN_TRY(lochan_view__init(&views[i], schema->children[c], batch->children[c], err));
        views[i].offset += batch->offset;
        if (!t->partition->accepts(i, &views[i].type))
            return lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                                     "column '%s' of the new rows cannot choose a partition",
                                     schema->children[c]->name);
    }
    return LOCHAN_OK;
}

static void deinit_views(lochan_view *views) {
    for (size_t i = 0; i < LOCHAN_PARTITION_MAX; i++)
        lochan_view__deinit(&views[i]);
}

lochan_status lochan_write__partition_of(lochan_write *w, const struct ArrowArray *batch,
                                         uint32_t *ids, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_partition_strategy *s = w->table->partition;
    lochan_partition_values v = {0}, last = {0};
    lochan_view views[LOCHAN_PARTITION_MAX];
    pthread_mutex_lock(&w->mutex);
    LOCHAN_TRYG(init_views(w, &w->input.from, batch, views, err));
    for (int64_t i = 0; i < batch->length; i++) {
        if (s->n_fields > 0 && !s->values_of(views, i, &v)) {
            rc = no_partition(w, i, err);
            goto done;
        }
        if (i > 0 && lochan_partition__equal(s, &v, &last))
            ids[i] = ids[i - 1];
        else
            LOCHAN_TRYG(intern(w, &v, &ids[i], err));
        last = v;
    }
done:
    pthread_mutex_unlock(&w->mutex);
    deinit_views(views);
    return rc;
}

lochan_status lochan_write__check_rows(lochan_write *w, uint32_t partition,
                                       const struct ArrowArray *rows, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_partition_strategy *s = w->table->partition;
    lochan_view views[LOCHAN_PARTITION_MAX];
    lochan_partition_values v = {0};
    pthread_mutex_lock(&w->mutex);
    const lochan_write_partition *p = w->partitions[partition];
    pthread_mutex_unlock(&w->mutex);
    LOCHAN_TRYG(init_views(w, &w->base.schema, rows, views, err));
    for (int64_t i = 0; s->n_fields > 0 && i < rows->length; i++) {
        if (!s->values_of(views, i, &v)) {
            rc = no_partition(w, i, err);
            goto done;
        }
        if (!lochan_partition__equal(s, &v, &p->values)) {
            rc = lochan_error__set(err, LOCHAN_ERR_DATA, "row %lld does not belong to partition %s",
                                   (long long)i, p->folder);
            rc = lochan_error__in_table(err, rc, w->table->full_name, NULL, i);
            goto done;
        }
    }
done:
    deinit_views(views);
    return rc;
}

size_t lochan_write__partitions(lochan_write *w) {
    pthread_mutex_lock(&w->mutex);
    size_t n = w->n_partitions;
    pthread_mutex_unlock(&w->mutex);
    return n;
}

const char *lochan_write__partition_folder(lochan_write *w, uint32_t partition) {
    pthread_mutex_lock(&w->mutex);
    const char *folder = partition < w->n_partitions ? w->partitions[partition]->folder : "";
    pthread_mutex_unlock(&w->mutex);
    return folder;
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
                           const struct ArrowArray *batch, lochan_write_counts *counts,
                           lochan_error *err) {
    lochan_write_counts c = {0};
    if (counts)
        memset(counts, 0, sizeof *counts);
    pthread_mutex_lock(&w->mutex);
    lochan_write_partition *p = partition < w->n_partitions ? w->partitions[partition] : NULL;
    bool fresh = p && !p->merged && !w->failed && !w->published;
    if (fresh)
        p->merged = true;
    pthread_mutex_unlock(&w->mutex);
    if (!fresh)
        return lochan_error__set(
            err, LOCHAN_ERR_INVALID_ARGUMENT,
            "partition %u of %s is unknown or merged already, or the write has ended", partition,
            w->table->full_name);
    lochan_status rc = lochan_merge__run(w, partition, stream, batch, &c, err);
    pthread_mutex_lock(&w->mutex);
    if (rc != LOCHAN_OK)
        w->failed = true;
    c.rows_before = p->counts.rows_before;
    c.rows_after = c.rows_before + c.rows_new;
    c.partitions_written = c.files_written > 0;
    c.partitions_skipped = c.files_written == 0;
    p->counts = c;
    pthread_mutex_unlock(&w->mutex);
    if (counts && rc == LOCHAN_OK)
        *counts = c;
    return lochan_error__in_table(err, rc, w->table->full_name, NULL, -1);
}

lochan_status lochan_write__merge_partition(lochan_write *w, uint32_t partition,
                                            const struct ArrowArray *batch,
                                            lochan_write_counts *counts, lochan_error *err) {
    return merge(w, partition, NULL, batch, counts, err);
}

lochan_status lochan_write__merge_partition_stream(lochan_write *w, uint32_t partition,
                                                   struct ArrowArrayStream *batches,
                                                   lochan_write_counts *counts, lochan_error *err) {
    return merge(w, partition, batches, NULL, counts, err);
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
