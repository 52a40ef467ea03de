/* shred.c - see shred.h. A leaf's path is walked from the top: each step turns the entries of one
 * field into those of its child. Entries whose level is that of the field are live: each has a
 * position in the field's array; all others ended above. Invariants: live entries and positions
 * correspond in order; while positions are one stretch and all entries live, neither is written
 * down. May call: base/, arrow/, schema.h.
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

static lochan_status reserve(lochan_pq_vec *v, size_t bytes, lochan_error *err) {
    v->len = 0;
    return lochan_pq_vec__reserve(v, bytes, err);
}

/* Where the walk is. */
typedef struct walk {
    lochan_pq_shred *s;
    const lochan_pq_leaf *leaf;
    uint8_t level; /* definition level of live entries */
    bool all_live; /* def_mem is not written */
    bool flat;     /* rep_mem is not written: one entry a row */
    bool stretch;  /* positions are first, first + 1, ...: pos_mem is not written */
    int64_t first;
    size_t live;
    int64_t row0;
} walk;

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

static int64_t position(const walk *w, size_t i) {
    return w->stretch ? w->first + (int64_t)i : ((const int64_t *)(void *)w->s->pos_mem.data)[i];
}

/* How many items the live entries have, how many are empty, and whether items are one stretch. No
 * branch depends on a length: lists are short and of all lengths. */
static void measure_items(const walk *w, const lochan_pq_field *field, const struct ArrowArray *a,
                          size_t *items, size_t *empty, int64_t *first, bool *stretch) {
    int64_t next = 0, from = 0;
    size_t sum = 0, none = 0;
    bool gaps = false;
    for (size_t i = 0; i < w->live; i++) {
        int64_t begin, end;
        list_range(field, a, position(w, i), &begin, &end);
        bool some = end > begin, more = sum > 0;
        gaps |= some & more & (begin != next);
        from = some && !more ? begin : from;
        next = some ? end : next;
        sum += some ? (size_t)(end - begin) : 0;
        none += !some;
    }
    *items = sum, *empty = none;
    *first = from, *stretch = !gaps;
}

/* Writes down the items' positions. */
static void list_positions(const walk *w, const lochan_pq_field *field, const struct ArrowArray *a,
                           int64_t *pos) {
    for (size_t i = 0; i < w->live; i++) {
        int64_t begin, end;
        list_range(field, a, position(w, i), &begin, &end);
        for (int64_t item = begin; item < end; item++)
            *pos++ = item;
    }
}

/* One step down a list: every item becomes an entry, an empty or ended list one that ends. All
 * levels are set as those of items behind the first; then each list's first entry is. */
static lochan_status expand_list(walk *w, const lochan_pq_field *field, const struct ArrowArray *a,
                                 lochan_error *err) {
    lochan_pq_shred *s = w->s;
    size_t items, empty, k = 0, j = 0;
    int64_t first;
    bool stretch;
    measure_items(w, field, a, &items, &empty, &first, &stretch);
    size_t total = s->n_entries - w->live + empty + items;
    LOCHAN_TRY(reserve(&s->spare[0], total, err));
    LOCHAN_TRY(reserve(&s->spare[1], total, err));
    LOCHAN_TRY(reserve(&s->spare[2], stretch ? 0 : items * sizeof(int64_t), err));
    const uint8_t *def = s->def_mem.data, *rep = s->rep_mem.data;
    const uint8_t level = w->level, item_def = field->item_def;
    const bool all_live = w->all_live, flat = w->flat;
    uint8_t *def2 = s->spare[0].data, *rep2 = s->spare[1].data;
    memset(def2, item_def, total);
    memset(rep2, field->item_rep, total);
    for (size_t i = 0; i < s->n_entries; i++) {
        int64_t begin = 0, end = 0;
        uint8_t have = all_live ? level : def[i];
        if (have == level)
            list_range(field, a, position(w, j++), &begin, &end);
        rep2[k] = flat ? 0 : rep[i];
        def2[k] = end > begin ? item_def : have;
        k += end > begin ? (size_t)(end - begin) : 1;
    }
    if (!stretch)
        list_positions(w, field, a, (void *)s->spare[2].data);
    lochan_pq_vec swap[3] = {s->def_mem, s->rep_mem, s->pos_mem};
    s->def_mem = s->spare[0], s->rep_mem = s->spare[1], s->pos_mem = s->spare[2];
    s->spare[0] = swap[0], s->spare[1] = swap[1], s->spare[2] = swap[2];
    w->all_live = w->flat = false;
    w->level = field->item_def;
    w->stretch = stretch;
    w->first = first;
    w->live = items;
    s->n_entries = k;
    return LOCHAN_OK;
}

/* The row of the file an entry belongs to. */
static int64_t row_of(const walk *w, size_t entry) {
    const uint8_t *rep = w->s->rep_mem.data;
    int64_t row = w->row0 - 1;
    if (w->flat)
        return w->row0 + (int64_t)entry;
    for (size_t i = 0; i <= entry; i++)
        row += rep[i] == 0;
    return row;
}

/* Live entries all go on. */
static void go_on(walk *w, uint8_t level) {
    uint8_t *def = w->s->def_mem.data;
    if (!w->all_live && level != w->level) {
        for (size_t i = 0; i < w->s->n_entries; i++)
            def[i] = def[i] == w->level ? level : def[i];
    }
    w->level = level;
}

/* Whether the validity bits leave all live entries as they are. */
static bool none_null(const walk *w, const struct ArrowArray *a, const uint8_t *bits) {
    if (!bits || a->null_count == 0)
        return true;
    return w->stretch &&
           lochan_bit__count(bits, a->offset + w->first, (int64_t)w->live) == (int64_t)w->live;
}

/* Raises the levels of entries that are not null at this field and ends the others. `view` only
 * where nulls may come from elsewhere than the array's bits: dictionaries, columns of nulls. */
static lochan_status mark_nulls(walk *w, const lochan_pq_field *field, const struct ArrowArray *a,
                                const lochan_view *view, lochan_error *err) {
    lochan_pq_shred *s = w->s;
    const uint8_t *bits = a->n_buffers > 0 ? a->buffers[0] : NULL;
    if (!view && none_null(w, a, bits)) {
        go_on(w, field->def);
        return LOCHAN_OK;
    }
    if (w->all_live) {
        LOCHAN_TRY(reserve(&s->def_mem, s->n_entries, err));
        memset(s->def_mem.data, w->level, s->n_entries);
    }
    if (w->stretch)
        LOCHAN_TRY(reserve(&s->pos_mem, w->live * sizeof(int64_t), err));
    uint8_t *def = s->def_mem.data;
    const uint8_t level = w->level, up = field->def;
    const bool stretch = w->stretch, strict = !field->nullable;
    const int64_t offset = a->offset;
    int64_t *pos = (void *)s->pos_mem.data, next = w->first;
    size_t j = 0, k = 0;
    for (size_t i = 0; i < s->n_entries; i++) {
        if (def[i] != level)
            continue;
        int64_t at = stretch ? next++ : pos[j++];
        bool null = view ? lochan_view__is_null(view, at) : !lochan_bit__get(bits, offset + at);
        if (strict & null)
            return not_nullable(w->leaf, row_of(w, i), err);
        pos[k] = at;
        k += !null;
        def[i] = null ? level : up;
    }
    w->all_live = w->stretch = false;
    w->level = field->def;
    w->live = k;
    return LOCHAN_OK;
}

/* What the walk has found, for the column writer. */
static void finish(walk *w) {
    lochan_pq_shred *s = w->s;
    const int64_t *pos = (const void *)s->pos_mem.data;
    s->n_values = w->live;
    s->defs = w->all_live ? NULL : s->def_mem.data;
    s->reps = w->leaf->max_rep > 0 ? s->rep_mem.data : NULL;
    s->first = w->first;
    s->positions = NULL;
    if (w->stretch)
        return;
    s->first = w->live ? pos[0] : 0;
    if (w->live > 0 && pos[w->live - 1] - pos[0] != (int64_t)w->live - 1)
        s->positions = pos;
}

/* From a struct to the child that holds the leaf: the struct's offset is the child's too. */
static int step_into(walk *w, const lochan_pq_field *field, const struct ArrowArray *a) {
    int child = 0;
    int64_t *pos = (void *)w->s->pos_mem.data;
    while (w->leaf->index >= field->children[child].first_leaf + field->children[child].n_leaves)
        child++;
    w->first += a->offset;
    for (size_t i = 0; !w->stretch && a->offset > 0 && i < w->live; i++)
        pos[i] += a->offset;
    return child;
}

/* The leaf itself. Only dictionaries and columns of nulls need a view. */
static lochan_status end_walk(walk *w, const lochan_pq_field *field, const struct ArrowArray *a,
                              lochan_error *err) {
    w->s->array = a;
    w->s->schema = field->schema;
    if (!field->schema->dictionary && w->leaf->type.id != LOCHAN_TYPE_NULL)
        return mark_nulls(w, field, a, NULL, err);
    lochan_view view;
    LOCHAN_TRY(lochan_view__init(&view, field->schema, a, err));
    lochan_status rc = mark_nulls(w, field, a, &view, err);
    lochan_view__deinit(&view);
    return rc;
}

lochan_status lochan_pq_shred__rows(lochan_pq_shred *s, const lochan_pq_schema *schema,
                                    const lochan_pq_leaf *leaf, const struct ArrowArray *column,
                                    int64_t first, int64_t n, int64_t row0, lochan_error *err) {
    const lochan_pq_field *field = &schema->root.children[leaf->column];
    const struct ArrowArray *a = column;
    walk w = {.s = s,
              .leaf = leaf,
              .all_live = true,
              .flat = true,
              .stretch = true,
              .first = first,
              .live = (size_t)n,
              .row0 = row0};
    s->n_entries = (size_t)n;
    while (field->leaf < 0) {
        int child = 0;
        LOCHAN_TRY(mark_nulls(&w, field, a, NULL, err));
        if (field->type.id == LOCHAN_TYPE_STRUCT)
            child = step_into(&w, field, a);
        else
            LOCHAN_TRY(expand_list(&w, field, a, err));
        a = a->children[child];
        field = &field->children[child];
    }
    LOCHAN_TRY(end_walk(&w, field, a, err));
    finish(&w);
    return LOCHAN_OK;
}
