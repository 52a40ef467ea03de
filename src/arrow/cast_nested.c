/* cast_nested.c - casts of lists, structs, maps and dictionaries.
 * Invariant: only values that a reader can see are cast: items and fields under a null row are left
 * out first, since what lies there may be anything. May call: base/, cast.h, spans.h.
 */
#include "arrow/cast.h"
#include "arrow/spans.h"

#include <inttypes.h>

/* Dictionary to something: cast the values, then look them up by the keys. */
static lochan_status decode(const struct ArrowSchema *from_schema, const struct ArrowArray *from,
                            const struct ArrowSchema *to_schema, struct ArrowArray *out,
                            lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray values = {0};
    int64_t *rows = NULL;
    lochan_cells c;
    LOCHAN_TRYG(lochan_cells__init(&c, from_schema, from, 0, err));
    LOCHAN_TRYG(lochan_cast(from_schema->dictionary, from->dictionary, to_schema, &values, err));
    rows = lochan_mem__array((size_t)from->length + 1, sizeof(*rows));
    if (!rows) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t i = 0; i < from->length; i++) {
        int64_t slot = lochan_cells__slot(&c, i);
        rows[i] = slot < 0 ? -1 : slot - c.at;
    }
    LOCHAN_TRYG(lochan_take(to_schema, &values, rows, (size_t)from->length, out, err));
done:
    lochan_mem__free(rows);
    lochan_array__release(&values);
    return rc;
}

/* Something to a dictionary: cast to the type of its values, then number the different ones. */
static lochan_status encode(const struct ArrowSchema *from_schema, const struct ArrowArray *from,
                            const struct ArrowSchema *to_schema, struct ArrowArray *out,
                            lochan_error *err) {
    struct ArrowArray values = {0};
    LOCHAN_TRY(lochan_cast(from_schema, from, to_schema->dictionary, &values, err));
    lochan_status rc = lochan_dict__encode(to_schema, &values, out, err);
    lochan_array__release(&values);
    return rc;
}

static bool is_valid(const struct ArrowArray *a, int64_t row) {
    const uint8_t *bits = lochan_array__validity(a);
    return !bits || lochan_bit__get(bits, a->offset + row);
}

static lochan_status copy_validity(const struct ArrowArray *from, struct ArrowArray *out,
                                   lochan_error *err) {
    const uint8_t *bits = lochan_array__validity(from);
    if (bits && from->length > 0) {
        LOCHAN_TRY(lochan_array__make_bits(out, 0, from->length, err));
        lochan_bitmap__copy((uint8_t *)(uintptr_t)out->buffers[0], 0, bits, from->offset,
                            from->length);
    }
    lochan_array__settle_nulls(out);
    return LOCHAN_OK;
}

static int32_t find_field(const struct ArrowSchema *schema, const char *name) {
    return lochan_schema__find(schema, name ? name : "");
}

/* One field of a struct over its rows, null where the struct is. */
static lochan_status field_of(const struct ArrowSchema *schema, const struct ArrowArray *from,
                              int child, struct ArrowArray *out, lochan_error *err) {
    lochan_span *spans = lochan_mem__array((size_t)from->length + 1, sizeof(*spans));
    if (!spans)
        return lochan_error__nomem(err);
    size_t n = 0;
    for (int64_t i = 0; i < from->length; i++) {
        const struct ArrowArray *source = is_valid(from, i) ? from->children[child] : NULL;
        if (n > 0 && spans[n - 1].array == source)
            spans[n - 1].n++;
        else
            spans[n++] = (lochan_span){source, source ? from->offset + i : 0, 1};
    }
    lochan_status rc = lochan_spans__copy(schema->children[child], spans, n, out, err);
    lochan_mem__free(spans);
    return rc;
}

/* Fields go by name; a new one is null, one that would be lost is refused. */
static lochan_status cast_struct(const struct ArrowSchema *from_schema,
                                 const struct ArrowArray *from, const struct ArrowSchema *to_schema,
                                 struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray field = {0};
    for (int64_t i = 0; i < from_schema->n_children; i++) {
        if (find_field(to_schema, from_schema->children[i]->name) < 0)
            return lochan_error__set(
                err, LOCHAN_ERR_SCHEMA, "field '%.100s' is missing in the target of the cast",
                from_schema->children[i]->name ? from_schema->children[i]->name : "");
    }
    LOCHAN_TRYG(lochan_array__init(out, 1, to_schema->n_children, err));
    out->length = from->length;
    LOCHAN_TRYG(copy_validity(from, out, err));
    for (int64_t i = 0; i < to_schema->n_children; i++) {
        int child = find_field(from_schema, to_schema->children[i]->name);
        lochan_span nulls = {NULL, 0, from->length};
        if (child < 0) {
            LOCHAN_TRYG(
                lochan_spans__copy(to_schema->children[i], &nulls, 1, out->children[i], err));
            continue;
        }
        LOCHAN_TRYG(field_of(from_schema, from, child, &field, err));
        LOCHAN_TRYG(lochan_cast(from_schema->children[child], &field, to_schema->children[i],
                                out->children[i], err));
        lochan_array__release(&field);
    }
done:
    lochan_array__release(&field);
    return rc;
}

/* Where the items of one row of any kind of list lie in the child. */
static void items_of(const struct ArrowArray *list, const lochan_type *type, int64_t row,
                     int64_t *begin, int64_t *end) {
    if (type->id == LOCHAN_TYPE_FIXED_LIST) {
        *begin = (list->offset + row) * type->byte_width;
        *end = *begin + type->byte_width;
    } else {
        *begin = lochan_array__offset_at(list, type->id == LOCHAN_TYPE_LARGE_LIST, row);
        *end = lochan_array__offset_at(list, type->id == LOCHAN_TYPE_LARGE_LIST, row + 1);
    }
}

static lochan_status refuse_length(const struct ArrowSchema *schema, int64_t row, int64_t items,
                                   int64_t wanted, lochan_error *err) {
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_VALUE,
                          "row %" PRId64 " has %" PRId64 " items, the target of the cast %" PRId64,
                          row, items, wanted);
    return lochan_error__in_table(err, rc, NULL, schema->name, row);
}

/* Offsets of the target and the spans of visible items. */
static lochan_status lay_out(const struct ArrowSchema *schema, const struct ArrowArray *from,
                             const lochan_type *a, const lochan_type *b, lochan_span *spans,
                             struct ArrowArray *out, lochan_error *err) {
    bool fixed = b->id == LOCHAN_TYPE_FIXED_LIST, large = b->id == LOCHAN_TYPE_LARGE_LIST;
    if (!fixed)
        LOCHAN_TRY(lochan_array__make_values(out, 1, from->length + 1, large ? 8 : 4, err));
    void *to = fixed ? NULL : (void *)(uintptr_t)out->buffers[1];
    int64_t pos = 0;
    for (int64_t i = 0; i <= from->length; i++) {
        if (large)
            ((int64_t *)to)[i] = pos;
        else if (!fixed)
            ((int32_t *)to)[i] = (int32_t)pos;
        if (i == from->length)
            break;
        int64_t begin = 0, end = 0;
        bool valid = is_valid(from, i);
        if (valid)
            items_of(from, a, i, &begin, &end);
        if (fixed && valid && end - begin != b->byte_width)
            return refuse_length(schema, i, end - begin, b->byte_width, err);
        spans[i] = (lochan_span){valid ? from->children[0] : NULL, begin,
                                 fixed ? b->byte_width : end - begin};
        pos += spans[i].n;
        if (!fixed && !large && pos > INT32_MAX)
            return lochan_error__set(
                err, LOCHAN_ERR_UNSUPPORTED,
                "more than 2^31 list items in one array: cast to the large type");
    }
    return LOCHAN_OK;
}

static lochan_status cast_list(const struct ArrowSchema *from_schema, const struct ArrowArray *from,
                               const lochan_type *a, const struct ArrowSchema *to_schema,
                               const lochan_type *b, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray items = {0};
    lochan_span *spans = lochan_mem__array((size_t)from->length + 1, sizeof(*spans));
    if (!spans)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_array__init(out, b->id == LOCHAN_TYPE_FIXED_LIST ? 1 : 2, 1, err));
    out->length = from->length;
    LOCHAN_TRYG(copy_validity(from, out, err));
    LOCHAN_TRYG(lay_out(from_schema, from, a, b, spans, out, err));
    LOCHAN_TRYG(
        lochan_spans__copy(from_schema->children[0], spans, (size_t)from->length, &items, err));
    LOCHAN_TRYG(lochan_cast(from_schema->children[0], &items, to_schema->children[0],
                            out->children[0], err));
done:
    lochan_array__release(&items);
    lochan_mem__free(spans);
    return rc;
}

/* A map's entry is key and value by place; their names are free. */
static lochan_status cast_map(const struct ArrowSchema *from_schema, const struct ArrowArray *from,
                              const struct ArrowSchema *to_schema, struct ArrowArray *out,
                              lochan_error *err) {
    const struct ArrowSchema *from_entry = from_schema->children[0],
                             *to_entry = to_schema->children[0];
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray whole = {0};
    if (from_entry->n_children != 2 || to_entry->n_children != 2)
        return lochan_cast__no_way(from_schema, to_schema, err);
    lochan_span all = {from, 0, from->length};
    LOCHAN_TRYG(lochan_spans__copy(from_schema, &all, 1, &whole, err));
    struct ArrowArray *entries = whole.children[0];
    for (int64_t i = 0; i < 2; i++) {
        struct ArrowArray field = {0};
        LOCHAN_TRYG(lochan_cast(from_entry->children[i], entries->children[i],
                                to_entry->children[i], &field, err));
        lochan_array__release(entries->children[i]);
        lochan_array__move(&field, entries->children[i]);
    }
    lochan_array__move(&whole, out);
done:
    lochan_array__release(&whole);
    return rc;
}

lochan_status lochan_cast__nested(const struct ArrowSchema *from_schema,
                                  const struct ArrowArray *from,
                                  const struct ArrowSchema *to_schema, struct ArrowArray *out,
                                  lochan_error *err) {
    if (to_schema->dictionary)
        return encode(from_schema, from, to_schema, out, err);
    if (from_schema->dictionary)
        return decode(from_schema, from, to_schema, out, err);
    lochan_type a, b;
    LOCHAN_TRY(lochan_type__parse(from_schema->format, &a, err));
    LOCHAN_TRY(lochan_type__parse(to_schema->format, &b, err));
    bool a_list = a.id >= LOCHAN_TYPE_LIST && a.id <= LOCHAN_TYPE_FIXED_LIST;
    bool b_list = b.id >= LOCHAN_TYPE_LIST && b.id <= LOCHAN_TYPE_FIXED_LIST;
    if (a.id == LOCHAN_TYPE_STRUCT && b.id == LOCHAN_TYPE_STRUCT)
        return cast_struct(from_schema, from, to_schema, out, err);
    if (a.id == LOCHAN_TYPE_MAP && b.id == LOCHAN_TYPE_MAP)
        return cast_map(from_schema, from, to_schema, out, err);
    if (a_list && b_list)
        return cast_list(from_schema, from, &a, to_schema, &b, out, err);
    return lochan_cast__no_way(from_schema, to_schema, err);
}
