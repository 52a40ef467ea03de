/* write_partition.c - the partitions of a write: which row belongs to which, and which files they
 * hold. Invariants: a partition's files are those of the base snapshot; only partitions that rows
 * came for are looked up, so a write costs what it touches. May call: base/, arrow/, catalog/.
 */
#include "arrow/builder.h"
#include "base/hash.h"
#include "table/write.h"

/* ---- the files of partitions ---- */

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

/* A value as the catalog writes it in the text of a partition: '/' and '%' escaped. */
static lochan_status put_value(lochan_buf *out, const char *value, lochan_error *err) {
    for (; *value; value++) {
        if (*value == '/' || *value == '%')
            LOCHAN_TRY(lochan_buf__puts(out, *value == '/' ? "%2F" : "%25", err));
        else
            LOCHAN_TRY(lochan_buf__putc(out, *value, err));
    }
    return LOCHAN_OK;
}

static lochan_status partition_text(const lochan_write_partition *p, size_t n, lochan_arena *arena,
                                    const char **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf text;
    lochan_buf__init(&text, 1 << 20);
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            LOCHAN_TRYG(lochan_buf__putc(&text, '/', err));
        LOCHAN_TRYG(put_value(&text, p->texts[i], err));
    }
    *out = lochan_arena__strndup(arena, text.data ? (const char *)text.data : "", text.len);
    if (!*out)
        rc = lochan_error__nomem(err);
done:
    lochan_buf__deinit(&text);
    return rc;
}

/* Files of the partitions from number `first` on. */
static lochan_status list_files(lochan_write *w, size_t first, lochan_file_list *out,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_arena arena;
    size_t n = w->n_partitions - first, n_values = w->base.n_partition;
    memset(out, 0, sizeof *out);
    const int64_t *ids = w->replace.stats_ids;
    size_t n_ids = w->replace.n_stats;
    if (n_values == 0)
        return lochan_catalog__files(w->lake->catalog, &w->base, ids, n_ids, out, err);
    lochan_arena__init(&arena, 0);
    lochan_file_range *ranges = lochan_arena__array(&arena, n + 1, sizeof *ranges);
    if (!ranges) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n; i++) {
        LOCHAN_TRYG(
            partition_text(w->partitions[first + i], n_values, &arena, &ranges[i].low, err));
        ranges[i].high = ranges[i].low;
    }
    ranges[n] = (lochan_file_range){"", ""}; /* files of others that stand in no partition */
    LOCHAN_TRYG(
        lochan_catalog__files_in(w->lake->catalog, &w->base, ranges, n + 1, ids, n_ids, out, err));
done:
    lochan_arena__deinit(&arena);
    return rc;
}

/* What another program put into no partition, or into partitions of another kind, may hold any key.
 */
static lochan_status check_known(const lochan_write *w, const lochan_data_file *f,
                                 lochan_error *err) {
    for (size_t v = 0; v < w->base.n_partition; v++) {
        if (f->partition_id != w->base.partition_id || !f->partition_values[v]) {
            lochan_status rc =
                lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                  "cannot merge into %s: file %s belongs to no known partition",
                                  w->table->full_name, f->path);
            return lochan_error__in_file(err, rc, f->path, -1);
        }
    }
    return LOCHAN_OK;
}

/* Gives the partition its run of the sorted files. */
static lochan_status give_files(lochan_write *w, lochan_write_partition *p,
                                const lochan_data_file **sorted, size_t n, lochan_error *err) {
    size_t n_values = w->base.n_partition, low = 0, high = n;
    const char *const *values = (const char *const *)p->texts;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare_values((const char *const *)sorted[mid]->partition_values, values, n_values) <
            0)
            low = mid + 1;
        else
            high = mid;
    }
    size_t end = low;
    while (end < n && compare_values((const char *const *)sorted[end]->partition_values, values,
                                     n_values) == 0)
        end++;
    p->n_files = end - low;
    p->files = lochan_mem__array(p->n_files + 1, sizeof *p->files);
    if (!p->files)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < p->n_files; i++) {
        p->files[i] = sorted[low + i];
        p->counts.rows_before += p->files[i]->rows;
    }
    return LOCHAN_OK;
}

static lochan_status grow_lists(lochan_write *w, lochan_error *err) {
    if (w->n_lists < w->cap_lists)
        return LOCHAN_OK;
    size_t cap = w->cap_lists ? w->cap_lists * 2 : 4;
    lochan_file_list *lists = lochan_mem__realloc(w->lists, cap * sizeof *lists);
    if (!lists)
        return lochan_error__nomem(err);
    w->lists = lists;
    w->cap_lists = cap;
    return LOCHAN_OK;
}

/* The files of the partitions from number `first` on, sorted, as a list of the write. */
static lochan_status list_sorted(lochan_write *w, size_t first, const lochan_data_file ***out,
                                 size_t *n, lochan_error *err) {
    size_t n_values = w->base.n_partition;
    LOCHAN_TRY(grow_lists(w, err));
    lochan_file_list *list = &w->lists[w->n_lists];
    LOCHAN_TRY(list_files(w, first, list, err));
    w->n_lists++;
    const lochan_data_file **sorted =
        lochan_arena__array(&list->arena, list->n + 1, sizeof *sorted);
    if (!sorted)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < list->n; i++) {
        sorted[i] = &list->files[i];
        LOCHAN_TRY(check_known(w, sorted[i], err));
    }
    if (list->n > 0)
        qsort_r(sorted, list->n, sizeof *sorted, compare_files, &n_values);
    *out = sorted;
    *n = list->n;
    return LOCHAN_OK;
}

/* Looks up the files of the partitions from number `first` on. Appends need none. Under the mutex.
 */
static lochan_status load_files(lochan_write *w, size_t first, lochan_error *err) {
    const lochan_data_file **sorted;
    size_t n;
    if (w->options.mode == LOCHAN_WRITE_APPEND)
        return LOCHAN_OK;
    LOCHAN_TRY(list_sorted(w, first, &sorted, &n, err));
    for (size_t i = first; i < w->n_partitions; i++)
        LOCHAN_TRY(give_files(w, w->partitions[i], sorted, n, err));
    return LOCHAN_OK;
}

lochan_status lochan_write__list_newest(lochan_write *w, lochan_error *err) {
    return list_sorted(w, 0, &w->newest, &w->n_newest, err);
}

lochan_status lochan_write__load_newest(lochan_write *w, lochan_write_partition *p,
                                        lochan_error *err) {
    return give_files(w, p, w->newest, w->n_newest, err);
}

/* ---- partitions ---- */

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

void lochan_write__free_partitions(lochan_write *w) {
    for (size_t i = 0; i < w->n_partitions; i++)
        free_partition(w->partitions[i]);
    for (size_t i = 0; i < w->n_lists; i++)
        lochan_file_list__deinit(&w->lists[i]);
    lochan_mem__free(w->partitions);
    lochan_mem__free(w->slots);
    lochan_mem__free(w->lists);
}

static uint64_t hash_values(const lochan_partition_strategy *s, const lochan_partition_values *v) {
    uint64_t h = 0;
    for (size_t f = 0; f < s->n_fields; f++)
        h = s->fields[f].is_text ? lochan_hash__64(v->v[f].s.p, v->v[f].s.n, h)
                                 : lochan_hash__64(&v->v[f].i, sizeof v->v[f].i, h);
    return h;
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
    LOCHAN_TRYG(lochan_partition__folder(s, w->base.dataset, v, &buf, err));
    LOCHAN_TRYG(take_text(&buf, &p->folder, err));
    LOCHAN_TRYG(lochan_partition__json(s, v, &buf, err));
    LOCHAN_TRYG(take_text(&buf, &p->json, err));
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

/* ---- runs of equal rows, which belong to one partition ---- */

enum { RUN_BLOCK = 1024 };

static int64_t run_of_numbers(const int64_t *p, int64_t n) {
    int64_t i = 1;
    while (i < n && p[i] == p[0])
        i++;
    return i;
}

/* Equal texts lie at equal distances, and each is like the one before. */
static int64_t run_of_texts(const int32_t *offsets, const uint8_t *bytes, int64_t n) {
    int32_t len = offsets[1] - offsets[0];
    int64_t i = 1;
    const uint8_t *first = bytes + offsets[0];
    while (i < n && offsets[i + 1] - offsets[i] == len)
        i++;
    if (i == 1 || memcmp(first, first + len, (size_t)(i - 1) * (size_t)len) == 0)
        return i;
    n = i;
    for (i = 1; i < n && memcmp(first, bytes + offsets[i], (size_t)len) == 0; i++) {
    }
    return i;
}

/* How many rows from row i on, up to n, have the same values in the strategy's columns as row i. At
 * least 1; fewer than there are where it is not easily seen. */
static int64_t run_of_rows(const lochan_view *views, size_t n_columns, int64_t i, int64_t n) {
    n = n - i < RUN_BLOCK ? n - i : RUN_BLOCK;
    for (size_t c = 0; c < n_columns && n > 1; c++) {
        const lochan_view *v = &views[c];
        int64_t at = v->offset + i;
        if (v->validity || v->indices)
            n = 1;
        else if (v->type.id == LOCHAN_TYPE_INT64)
            n = run_of_numbers((const int64_t *)v->data + at, n);
        else if (v->type.id == LOCHAN_TYPE_STRING && v->offsets && v->bytes)
            n = run_of_texts((const int32_t *)v->offsets + at, v->bytes, n);
        else
            n = 1;
    }
    return n;
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
    size_t known = w->n_partitions;
    LOCHAN_TRYG(init_views(w, &w->input_schema, batch, views, err));
    for (int64_t i = 0, end; i < batch->length; i = end) {
        end = i + run_of_rows(views, s->n_columns, i, batch->length);
        if (s->n_fields > 0 && !s->values_of(views, i, w->table->partition_number, &v)) {
            rc = no_partition(w, i, err);
            goto done;
        }
        if (i > 0 && lochan_partition__equal(s, &v, &last))
            ids[i] = ids[i - 1];
        else
            LOCHAN_TRYG(intern(w, &v, &ids[i], err));
        for (int64_t k = i + 1; k < end; k++)
            ids[k] = ids[i];
        last = v;
    }
done:
    if (w->n_partitions > known)
        LOCHAN_KEEP(load_files(w, known, LOCHAN_KEEP_ERR(rc, err)));
    if (rc != LOCHAN_OK)
        w->failed = true;
    pthread_mutex_unlock(&w->mutex);
    deinit_views(views);
    return rc;
}

/* The values of a partition from the catalog's texts; text is borrowed. */
static bool parse_values(const lochan_partition_strategy *s, const char *const *texts,
                         lochan_partition_values *out) {
    for (size_t f = 0; f < s->n_fields; f++) {
        lochan_str text = lochan_str__of(texts[f] ? texts[f] : "");
        out->v[f].s = text;
        if (!texts[f] ||
            (!s->fields[f].is_text && !lochan_parse__int64(text.p, text.n, &out->v[f].i)))
            return false;
    }
    return true;
}

lochan_status lochan_write__add_partition_of(lochan_write *w, const lochan_data_file *file,
                                             lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_partition_values v = {0};
    uint32_t id;
    LOCHAN_TRY(check_known(w, file, err));
    if (!parse_values(w->table->partition, (const char *const *)file->partition_values, &v)) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               "the catalog names a partition for %s that cannot be", file->path);
        return lochan_error__in_file(err, rc, file->path, -1);
    }
    pthread_mutex_lock(&w->mutex);
    size_t known = w->n_partitions;
    rc = intern(w, &v, &id, err);
    if (rc == LOCHAN_OK && w->n_partitions > known)
        rc = load_files(w, known, err);
    pthread_mutex_unlock(&w->mutex);
    return rc;
}

lochan_status lochan_write__fill_derived(const lochan_write *w, struct ArrowArray *rows,
                                         lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_table *t = w->table;
    lochan_builder *b = NULL;
    lochan_view views[LOCHAN_PARTITION_MAX] = {0};
    struct ArrowArray column = {0};
    if (t->derived < 0)
        return LOCHAN_OK;
    LOCHAN_TRYG(init_views(w, &w->base.schema, rows, views, err));
    LOCHAN_TRYG(lochan_builder__create(w->base.schema.children[t->derived], &b, err));
    LOCHAN_TRYG(lochan_builder__reserve(b, rows->length, err));
    for (int64_t i = 0; i < rows->length; i++) {
        lochan_partition_values v = {0};
        if (!t->partition->values_of(views, i, t->partition_number, &v)) {
            rc = no_partition(w, i, err);
            goto done;
        }
        LOCHAN_TRYG(lochan_builder__int64(b, v.v[0].i, err));
    }
    LOCHAN_TRYG(lochan_builder__finish(b, &column, err));
    lochan_array__release(rows->children[t->derived]);
    lochan_array__move(&column, rows->children[t->derived]);
done:
    lochan_builder__free(b);
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
    for (int64_t i = 0; s->n_fields > 0 && i < rows->length;
         i += run_of_rows(views, s->n_columns, i, rows->length)) {
        if (!s->values_of(views, i, w->table->partition_number, &v)) {
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
