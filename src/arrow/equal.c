/* equal.c - whether two arrays of one schema hold the same values.
 * Invariant: layout does not matter: offsets, dictionaries' order, spare bytes under nulls. NaN
 * equals NaN, null equals null, -0.0 equals 0.0, as in compare.c and hash_rows.c. May call: base/,
 * cells.h, kernels.h.
 */
#include "arrow/cells.h"
#include "arrow/kernels.h"
#include "arrow/spans.h"

/* n rows of x from row `xi` on and of y from `yi` on; rows count from the arrays' own offsets. */
typedef struct stretch {
    const struct ArrowArray *x, *y;
    int64_t xi, yi, n;
} stretch;

static lochan_status equal_stretch(const struct ArrowSchema *schema, stretch s, bool *equal,
                                   lochan_error *err);

static bool same_nulls(const stretch *s) {
    const uint8_t *x = lochan_array__validity(s->x), *y = lochan_array__validity(s->y);
    for (int64_t i = 0; (x || y) && i < s->n; i++) {
        bool xv = !x || lochan_bit__get(x, s->x->offset + s->xi + i);
        bool yv = !y || lochan_bit__get(y, s->y->offset + s->yi + i);
        if (xv != yv)
            return false;
    }
    return true;
}

static bool is_valid(const struct ArrowArray *a, int64_t i) {
    const uint8_t *bits = lochan_array__validity(a);
    return !bits || lochan_bit__get(bits, a->offset + i);
}

static lochan_status equal_flat(const struct ArrowSchema *schema, stretch s, bool *equal,
                                lochan_error *err) {
    lochan_cells x, y;
    LOCHAN_TRY(lochan_cells__init(&x, schema, s.x, s.xi, err));
    LOCHAN_TRY(lochan_cells__init(&y, schema, s.y, s.yi, err));
    lochan_slot_compare compare = lochan_slot_compare__of(&x.type);
    if (!compare)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "column %s: a dictionary of nested values",
                                 schema->name ? schema->name : "");
    size_t width = (size_t)lochan_type__byte_width(&x.type);
    if (!x.keys && !x.validity && !y.validity && width > 0 && !lochan_type__is_float(x.type.id)) {
        *equal = s.n == 0 ||
                 memcmp((const uint8_t *)x.data + (size_t)x.at * width,
                        (const uint8_t *)y.data + (size_t)y.at * width, (size_t)s.n * width) == 0;
        return LOCHAN_OK;
    }
    for (int64_t i = 0; i < s.n && *equal; i++) {
        int64_t a = lochan_cells__slot(&x, i), b = lochan_cells__slot(&y, i);
        *equal = a < 0 || b < 0 ? a < 0 && b < 0 : compare(&x, a, &y, b) == 0;
    }
    return LOCHAN_OK;
}

/* Lists row by row: items of null rows do not count. Neighbouring rows are joined while both sides
 * lie without gaps. */
static lochan_status equal_lists(const struct ArrowSchema *schema, stretch s, bool large,
                                 bool *equal, lochan_error *err) {
    stretch items = {s.x->children[0], s.y->children[0], 0, 0, 0};
    for (int64_t i = 0; i < s.n; i++) {
        if (!is_valid(s.x, s.xi + i))
            continue;
        int64_t x = lochan_array__offset_at(s.x, large, s.xi + i);
        int64_t y = lochan_array__offset_at(s.y, large, s.yi + i);
        int64_t nx = lochan_array__offset_at(s.x, large, s.xi + i + 1) - x;
        int64_t ny = lochan_array__offset_at(s.y, large, s.yi + i + 1) - y;
        if (nx != ny) {
            *equal = false;
            return LOCHAN_OK;
        }
        if (items.xi + items.n != x || items.yi + items.n != y) {
            LOCHAN_TRY(equal_stretch(schema->children[0], items, equal, err));
            if (!*equal)
                return LOCHAN_OK;
            items.xi = x;
            items.yi = y;
            items.n = 0;
        }
        items.n += nx;
    }
    return equal_stretch(schema->children[0], items, equal, err);
}

/* Structs (factor 1) and fixed-size lists, in runs of rows that are not null. */
static lochan_status equal_children(const struct ArrowSchema *schema, stretch s, int64_t factor,
                                    bool *equal, lochan_error *err) {
    for (int64_t i = 0; i < s.n && *equal;) {
        int64_t end = i;
        while (end < s.n && is_valid(s.x, s.xi + end))
            end++;
        for (int64_t c = 0; c < schema->n_children && *equal && end > i; c++) {
            stretch child = {s.x->children[c], s.y->children[c], (s.x->offset + s.xi + i) * factor,
                             (s.y->offset + s.yi + i) * factor, (end - i) * factor};
            LOCHAN_TRY(equal_stretch(schema->children[c], child, equal, err));
        }
        i = end + 1;
    }
    return LOCHAN_OK;
}

static lochan_status equal_stretch(const struct ArrowSchema *schema, stretch s, bool *equal,
                                   lochan_error *err) {
    lochan_type type;
    LOCHAN_TRY(lochan_type__parse(schema->format, &type, err));
    *equal = true;
    if (s.n == 0 || (type.id == LOCHAN_TYPE_NULL && !schema->dictionary))
        return LOCHAN_OK;
    if (schema->dictionary || !lochan_type__is_nested(type.id))
        return equal_flat(schema, s, equal, err);
    *equal = same_nulls(&s);
    if (!*equal)
        return LOCHAN_OK;
    switch (type.id) {
    case LOCHAN_TYPE_STRUCT:
        return equal_children(schema, s, 1, equal, err);
    case LOCHAN_TYPE_FIXED_LIST:
        return equal_children(schema, s, type.byte_width, equal, err);
    default:
        return equal_lists(schema, s, type.id == LOCHAN_TYPE_LARGE_LIST, equal, err);
    }
}

lochan_status lochan_equal_columns(const struct ArrowSchema *schema, const struct ArrowArray *x,
                                   const struct ArrowArray *y, bool *equal, lochan_error *err) {
    *equal = false;
    if (x->length != y->length)
        return LOCHAN_OK;
    return equal_stretch(schema, (stretch){x, y, 0, 0, x->length}, equal, err);
}
