/* assemble.c - see assemble.h. Every nested field looks at the levels of its first leaf: one pass
 * gives validity and offsets. May call: base/, arrow/, column.h.
 */
#include "parquet/assemble.h"
#include "arrow/view.h"
#include "parquet/restore.h"

/* Where damage is reported: by now the column may be far ahead. */
static lochan_pq_page chunk_of(const lochan_pq_column *c) {
    return (lochan_pq_page){.offset = (uint64_t)c->chunk->meta.data_page_offset};
}

static lochan_status mismatch(const lochan_pq_leaf_rows *r, lochan_error *err) {
    lochan_pq_page at = chunk_of(r->column);
    return lochan_pq_pages__fail(&r->column->pages, &at, LOCHAN_ERR_CORRUPT, err,
                                 "its levels do not agree with those of its neighbours");
}

/* The chunk's entries, then texts of pages that had no keys. */
static lochan_status make_dictionary(lochan_pq_column *c, struct ArrowArray *dictionary,
                                     lochan_error *err) {
    lochan_pq_out out;
    lochan_pq_out__init(&out, c->leaf, false);
    out.nullable = false;
    const lochan_pq_slice *slices = (const void *)c->dictionary.slices.data;
    size_t extra = c->extra_ends.len / sizeof(int64_t);
    lochan_status rc = lochan_pq_out__reserve(&out, (int64_t)(c->dictionary.n + extra), err);
    if (rc == LOCHAN_OK && c->dictionary.n > 0)
        rc = lochan_pq_out__add_slices(&out, 0, slices, c->dictionary.n, err);
    out.length = c->dictionary.n;
    int64_t begin = 0;
    for (size_t i = 0; i < extra && rc == LOCHAN_OK; i++) {
        int64_t end;
        memcpy(&end, c->extra_ends.data + i * sizeof end, sizeof end);
        lochan_pq_slice one = {c->extra.data + begin, (uint32_t)(end - begin)};
        rc = lochan_pq_out__add_slices(&out, 0, &one, 1, err);
        out.length++;
        begin = end;
    }
    if (rc == LOCHAN_OK)
        rc = lochan_pq_out__finish(&out, dictionary, err);
    lochan_pq_out__free(&out);
    return rc;
}

lochan_status lochan_pq_assemble__dictionary(lochan_pq_column *c, struct ArrowArray *array,
                                             lochan_error *err) {
    struct ArrowArray *dictionary = lochan_array__add_dictionary(array), all = {0};
    lochan_pq_dictionary *d = &c->dictionary;
    if (!dictionary)
        return lochan_error__nomem(err);
    if (c->extra_ends.len > 0)
        return make_dictionary(c, dictionary, err);
    if (!d->array) {
        LOCHAN_TRY(make_dictionary(c, &all, err));
        d->array = lochan_shared__give(&all);
        if (!d->array)
            return lochan_error__nomem(err);
    }
    return lochan_shared__slice(d->array, 0, d->n, dictionary, err);
}

lochan_status lochan_pq_leaf_rows__take(lochan_pq_leaf_rows *out, lochan_pq_column *c,
                                        lochan_error *err) {
    *out = (lochan_pq_leaf_rows){.column = c};
    lochan_status rc = lochan_pq_out__finish(&c->out, &out->array, err);
    if (rc == LOCHAN_OK && c->as_keys)
        rc = lochan_pq_assemble__dictionary(c, &out->array, err);
    out->defs = c->defs;
    out->reps = c->reps;
    c->defs = c->reps = (lochan_pq_vec){0};
    lochan_pq_column__clear(c);
    if (rc != LOCHAN_OK)
        lochan_pq_leaf_rows__free(out);
    return rc;
}

void lochan_pq_leaf_rows__free(lochan_pq_leaf_rows *r) {
    lochan_array__release(&r->array);
    lochan_pq_vec__free(&r->defs);
    lochan_pq_vec__free(&r->reps);
    *r = (lochan_pq_leaf_rows){0};
}

/* Validity and, for lists, int32 offsets of a field's slots. */
typedef struct slots {
    int64_t length, nulls, items;
    lochan_pq_vec validity, offsets;
} slots;

static void slots_free(slots *s) {
    lochan_pq_vec__free(&s->validity);
    lochan_pq_vec__free(&s->offsets);
}

static lochan_status read_slots(const lochan_pq_field *field, const lochan_pq_leaf_rows *from,
                                bool list, slots *s, lochan_error *err) {
    const uint8_t *def = from->defs.data, *rep = NULL;
    size_t n = from->defs.len;
    if (from->column->leaf->max_rep > 0)
        rep = from->reps.data;
    LOCHAN_TRY(lochan_pq_vec__reserve(&s->validity, n / 8 + 1, err));
    memset(s->validity.data, 0, n / 8 + 1);
    if (list)
        LOCHAN_TRY(lochan_pq_vec__reserve(&s->offsets, (n + 1) * 4, err));
    int32_t *offsets = (void *)s->offsets.data;
    for (size_t i = 0; i < n; i++) {
        unsigned r = rep ? rep[i] : 0;
        if (def[i] < field->slot_def)
            continue;
        if (r <= field->slot_rep) {
            if (list)
                offsets[s->length] = (int32_t)s->items;
            if (def[i] >= field->def)
                lochan_bit__set(s->validity.data, s->length);
            else
                s->nulls++;
            s->length++;
        }
        if (list && def[i] >= field->item_def && r <= field->item_rep)
            s->items++;
        if (s->length == 0)
            return mismatch(from, err);
    }
    if (s->items > INT32_MAX)
        return lochan_error__set(
            err, LOCHAN_ERR_UNSUPPORTED,
            "more than 2^31 list items in one batch: read fewer rows at a time");
    if (list)
        offsets[s->length] = (int32_t)s->items;
    s->validity.len = (size_t)(s->length + 7) / 8;
    s->offsets.len = list ? (size_t)(s->length + 1) * 4 : 0;
    return LOCHAN_OK;
}

static lochan_status assemble_struct(const lochan_pq_field *field, const int *place,
                                     lochan_pq_leaf_rows *leaves, struct ArrowArray *out,
                                     lochan_error *err) {
    const lochan_pq_leaf_rows *first = &leaves[place[field->first_leaf]];
    slots s = {0};
    lochan_status rc = lochan_array__init(out, 1, field->n_children, err);
    if (rc != LOCHAN_OK)
        return rc;
    LOCHAN_TRYG(read_slots(field, first, false, &s, err));
    for (int i = 0; i < field->n_children; i++) {
        LOCHAN_TRYG(lochan_pq_assemble(&field->children[i], place, leaves, out->children[i], err));
        if (out->children[i]->length != s.length) {
            rc = mismatch(&leaves[place[field->children[i].first_leaf]], err);
            goto done;
        }
    }
    out->length = s.length;
    out->null_count = s.nulls;
    if (s.nulls > 0)
        LOCHAN_TRYG(lochan_pq_vec__give(&s.validity, out, 0, err));
done:
    slots_free(&s);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

static lochan_status assemble_list(const lochan_pq_field *field, const int *place,
                                   lochan_pq_leaf_rows *leaves, struct ArrowArray *out,
                                   lochan_error *err) {
    const lochan_pq_leaf_rows *first = &leaves[place[field->first_leaf]];
    slots s = {0};
    bool fixed = field->type.id == LOCHAN_TYPE_FIXED_LIST, fits = true;
    lochan_status rc = lochan_array__init(out, fixed ? 1 : 2, 1, err);
    if (rc != LOCHAN_OK)
        return rc;
    LOCHAN_TRYG(read_slots(field, first, true, &s, err));
    LOCHAN_TRYG(lochan_pq_assemble(&field->children[0], place, leaves, out->children[0], err));
    if (out->children[0]->length != s.items) {
        rc = mismatch(first, err);
        goto done;
    }
    out->length = s.length;
    out->null_count = s.nulls;
    if (fixed)
        LOCHAN_TRYG(lochan_pq_restore__fixed(field, s.validity.data, (const void *)s.offsets.data,
                                             s.length, out->children[0], &fits, err));
    if (!fits) {
        lochan_pq_page at = chunk_of(first->column);
        rc = lochan_pq_pages__fail(&first->column->pages, &at, LOCHAN_ERR_CORRUPT, err,
                                   "a list has not the %d items that the file's ARROW:schema tells",
                                   (int)field->type.byte_width);
        goto done;
    }
    if (field->type.id == LOCHAN_TYPE_LARGE_LIST)
        LOCHAN_TRYG(lochan_pq_restore__large(&s.offsets, s.length, err));
    if (s.nulls > 0)
        LOCHAN_TRYG(lochan_pq_vec__give(&s.validity, out, 0, err));
    if (!fixed)
        LOCHAN_TRYG(lochan_pq_vec__give(&s.offsets, out, 1, err));
done:
    slots_free(&s);
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

lochan_status lochan_pq_assemble(const lochan_pq_field *field, const int *place,
                                 lochan_pq_leaf_rows *leaves, struct ArrowArray *out,
                                 lochan_error *err) {
    if (field->type.id == LOCHAN_TYPE_STRUCT && field->leaf < 0)
        return assemble_struct(field, place, leaves, out, err);
    if (field->leaf < 0)
        return assemble_list(field, place, leaves, out, err);
    lochan_array__move(&leaves[place[field->leaf]].array, out);
    return LOCHAN_OK;
}
