/* shred.c - see shred.h. A leaf's path is walked from the top: each step turns the entries of one
 * field into those of its child. An entry is a position in the current array and its levels; a
 * position of -1 has ended above. May call: base/, arrow/, schema.h.
 */
#include "parquet/shred.h"
#include "arrow/view.h"

void lochan_pq_shred__free(lochan_pq_shred *s) {
    lochan_pq_vec__free(&s->def_mem);
    lochan_pq_vec__free(&s->rep_mem);
    lochan_pq_vec__free(&s->pos_mem);
    for (int i = 0; i < 3; i++)
        lochan_pq_vec__free(&s->spare[i]);
}

static lochan_status not_nullable(const lochan_pq_leaf *leaf, int64_t row, lochan_error *err) {
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_VALUE,
                                         "row %lld of column '%s' is null, but the column is not "
                                         "nullable",
                                         (long long)row, leaf->path);
    return lochan_error__in_table(err, rc, "", leaf->path, row);
}

/* Working arrays of n entries. */
static lochan_status reserve(lochan_pq_vec *def, lochan_pq_vec *rep, lochan_pq_vec *pos, size_t n,
                             lochan_error *err) {
    def->len = rep->len = pos->len = 0;
    LOCHAN_TRY(lochan_pq_vec__reserve(def, n, err));
    LOCHAN_TRY(lochan_pq_vec__reserve(rep, n, err));
    return lochan_pq_vec__reserve(pos, n * sizeof(int64_t), err);
}

static void list_range(const lochan_pq_field *field, const struct ArrowArray *a, int64_t i,
                       int64_t *begin, int64_t *end) {
    i += a->offset;
    if (field->type.id == LOCHAN_TYPE_FIXED_LIST) {
        *begin = i * field->type.byte_width;
        *end = *begin + field->type.byte_width;
    } else if (field->type.id == LOCHAN_TYPE_LARGE_LIST) {
        const int64_t *o = a->buffers[1];
        *begin = o[i], *end = o[i + 1];
    } else {
        const int32_t *o = a->buffers[1];
        *begin = o[i], *end = o[i + 1];
    }
}

/* One step down a list: every item becomes an entry, an empty or ended list one that ends. */
static lochan_status expand_list(lochan_pq_shred *s, const lochan_pq_field *field,
                                 const struct ArrowArray *a, lochan_error *err) {
    const uint8_t *def = s->def_mem.data, *rep = s->rep_mem.data;
    const int64_t *pos = (const void *)s->pos_mem.data;
    size_t n = s->n_entries, total = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t begin = 0, end = 0;
        if (pos[i] >= 0)
            list_range(field, a, pos[i], &begin, &end);
        total += end > begin ? (size_t)(end - begin) : 1;
    }
    LOCHAN_TRY(reserve(&s->spare[0], &s->spare[1], &s->spare[2], total, err));
    uint8_t *def2 = s->spare[0].data, *rep2 = s->spare[1].data;
    int64_t *pos2 = (void *)s->spare[2].data;
    size_t k = 0;
    for (size_t i = 0; i < n; i++) {
        int64_t begin = 0, end = 0;
        if (pos[i] >= 0)
            list_range(field, a, pos[i], &begin, &end);
        if (begin >= end) {
            def2[k] = def[i], rep2[k] = rep[i], pos2[k++] = -1;
            continue;
        }
        for (int64_t item = begin; item < end; item++) {
            def2[k] = field->item_def;
            rep2[k] = item == begin ? rep[i] : field->item_rep;
            pos2[k++] = item;
        }
    }
    lochan_pq_vec swap[3] = {s->def_mem, s->rep_mem, s->pos_mem};
    s->def_mem = s->spare[0], s->rep_mem = s->spare[1], s->pos_mem = s->spare[2];
    s->spare[0] = swap[0], s->spare[1] = swap[1], s->spare[2] = swap[2];
    s->n_entries = k;
    return LOCHAN_OK;
}

/* The row of the file an entry belongs to. */
static int64_t row_of(const lochan_pq_shred *s, size_t entry, int64_t row0) {
    const uint8_t *rep = s->rep_mem.data;
    int64_t row = row0 - 1;
    for (size_t i = 0; i <= entry; i++)
        row += rep[i] == 0;
    return row;
}

/* Raises the levels of entries that are not null at this field and ends the others. `view` only
 * where nulls may come from elsewhere than the array's bits: dictionaries, columns of nulls. */
static lochan_status mark_nulls(lochan_pq_shred *s, const lochan_pq_field *field,
                                const lochan_pq_leaf *leaf, const struct ArrowArray *a,
                                const lochan_view *view, int64_t row0, lochan_error *err) {
    uint8_t *def = s->def_mem.data;
    int64_t *pos = (void *)s->pos_mem.data;
    const uint8_t *bits = a->n_buffers > 0 && a->null_count != 0 ? a->buffers[0] : NULL;
    if (!view && !bits) {
        for (size_t i = 0; i < s->n_entries; i++)
            def[i] = pos[i] < 0 ? def[i] : field->def;
        return LOCHAN_OK;
    }
    for (size_t i = 0; i < s->n_entries; i++) {
        if (pos[i] < 0)
            continue;
        bool null =
            view ? lochan_view__is_null(view, pos[i]) : !lochan_bit__get(bits, a->offset + pos[i]);
        if (null && !field->nullable)
            return not_nullable(leaf, row_of(s, i, row0), err);
        pos[i] = null ? -1 : pos[i];
        def[i] = null ? def[i] : field->def;
    }
    return LOCHAN_OK;
}

static lochan_status finish(lochan_pq_shred *s, const lochan_pq_leaf *leaf) {
    int64_t *pos = (void *)s->pos_mem.data;
    size_t k = 0;
    for (size_t i = 0; i < s->n_entries; i++) {
        pos[k] = pos[i];
        k += pos[i] >= 0;
    }
    s->n_values = k;
    s->defs = s->def_mem.data;
    s->reps = leaf->max_rep > 0 ? s->rep_mem.data : NULL;
    s->positions = pos;
    if (k == 0 || pos[k - 1] - pos[0] == (int64_t)k - 1) { /* one stretch */
        s->positions = NULL;
        s->first = k ? pos[0] : 0;
    }
    return LOCHAN_OK;
}

/* The short way: a flat column without nulls needs no levels and no positions. */
static bool is_plain(const lochan_pq_leaf *leaf, const struct ArrowArray *a,
                     const struct ArrowSchema *schema, int64_t first, int64_t n) {
    const uint8_t *bits = a->n_buffers > 0 ? a->buffers[0] : NULL;
    if (leaf->n_parts > 1 || leaf->max_rep > 0 || schema->dictionary ||
        leaf->type.id == LOCHAN_TYPE_NULL)
        return false;
    return !bits || a->null_count == 0 || lochan_bit__count(bits, a->offset + first, n) == n;
}

lochan_status lochan_pq_shred__rows(lochan_pq_shred *s, const lochan_pq_schema *schema,
                                    const lochan_pq_leaf *leaf, const struct ArrowArray *column,
                                    int64_t first, int64_t n, int64_t row0, lochan_error *err) {
    const lochan_pq_field *field = &schema->root.children[leaf->column];
    const struct ArrowArray *a = column;
    s->n_entries = s->n_values = (size_t)n;
    s->first = first;
    s->defs = s->reps = NULL;
    s->positions = NULL;
    s->array = a;
    s->schema = field->schema;
    if (field->leaf >= 0 && is_plain(leaf, a, field->schema, first, n))
        return LOCHAN_OK;
    LOCHAN_TRY(reserve(&s->def_mem, &s->rep_mem, &s->pos_mem, (size_t)n, err));
    memset(s->def_mem.data, 0, (size_t)n);
    memset(s->rep_mem.data, 0, (size_t)n);
    for (int64_t i = 0; i < n; i++)
        ((int64_t *)(void *)s->pos_mem.data)[i] = first + i;
    while (field->leaf < 0) {
        LOCHAN_TRY(mark_nulls(s, field, leaf, a, NULL, row0, err));
        int child = 0;
        if (field->type.id == LOCHAN_TYPE_STRUCT) {
            while (leaf->index >=
                   field->children[child].first_leaf + field->children[child].n_leaves)
                child++;
            int64_t *pos = (void *)s->pos_mem.data;
            for (size_t i = 0; i < s->n_entries; i++)
                pos[i] += pos[i] >= 0 ? a->offset : 0;
        } else {
            LOCHAN_TRY(expand_list(s, field, a, err));
        }
        a = a->children[child];
        field = &field->children[child];
    }
    lochan_view view;
    LOCHAN_TRY(lochan_view__init(&view, field->schema, a, err));
    bool plain = !view.indices && view.type.id != LOCHAN_TYPE_NULL;
    lochan_status rc = mark_nulls(s, field, leaf, a, plain ? NULL : &view, row0, err);
    lochan_view__deinit(&view);
    s->array = a;
    s->schema = field->schema;
    return rc == LOCHAN_OK ? finish(s, leaf) : rc;
}
