/* expr_apply.c - which rows of a batch satisfy a predicate.
 * Each leaf fills a bitmap column-wise, "and" and "or" join bitmaps word by word. A dictionary
 * column tests its values once and then looks keys up. Invariant: a row's bit is set exactly if the
 * predicate is true for it (not unknown). May call: base/, expr_tree.h.
 */
#include "arrow/expr_tree.h"
#include "arrow/spans.h"

typedef uint64_t word;

static size_t words_of(int64_t rows) {
    return ((size_t)rows + 63) / 64;
}

/* Packs 64 bytes of 0 and 1 into bits. The product gathers the lowest bits of 8 bytes in its
 * highest byte. */
static word pack64(const uint8_t *b) {
    word w = 0;
    for (int k = 0; k < 8; k++) {
        uint64_t eight = 0;
        for (int j = 0; j < 8; j++) /* the compiler makes one load of it */
            eight |= (uint64_t)b[8 * k + j] << (8 * j);
        w |= (eight * 0x0102040810204080ull >> 56) << (8 * k);
    }
    return w;
}

/* Tests n values in stretches of 64: bytes first, because that loop vectorises, then bits. */
#define EACH_STRETCH(n, test)                                                                      \
    do {                                                                                           \
        for (int64_t start = 0; start < (n); start += 64) {                                        \
            uint8_t hit[64] = {0};                                                                 \
            int64_t left = (n)-start < 64 ? (n)-start : 64;                                        \
            for (int64_t j = 0; j < left; j++) {                                                   \
                const int64_t i = start + j;                                                       \
                hit[j] = (uint8_t)(test);                                                          \
            }                                                                                      \
            out[start / 64] = pack64(hit);                                                         \
        }                                                                                          \
    } while (0)

/* lo and hi have been narrowed to the type; one subtraction tests both ends. */
#define INT_RANGE(T, U)                                                                            \
    static void range_##T(const lochan_cells *c, int64_t n, const lochan_expr_bound *b,            \
                          word *out) {                                                             \
        const T *v = (const T *)c->data + c->at;                                                   \
        const U lo = (U)b->lo, span = (U)((U)b->hi - (U)b->lo);                                    \
        EACH_STRETCH(n, (U)((U)v[i] - lo) <= span);                                                \
    }
INT_RANGE(int8_t, uint8_t)
INT_RANGE(uint8_t, uint8_t)
INT_RANGE(int16_t, uint16_t)
INT_RANGE(uint16_t, uint16_t)
INT_RANGE(int32_t, uint32_t)
INT_RANGE(uint32_t, uint32_t)
INT_RANGE(int64_t, uint64_t)
INT_RANGE(uint64_t, uint64_t)

static void range_float(const lochan_cells *c, int64_t n, const lochan_expr_bound *b, word *out) {
    const float *v = (const float *)c->data + c->at;
    const double lo = b->lo_f, hi = b->hi_f;
    EACH_STRETCH(n, (v[i] >= lo) & (v[i] <= hi));
}

static void range_double(const lochan_cells *c, int64_t n, const lochan_expr_bound *b, word *out) {
    const double *v = (const double *)c->data + c->at;
    const double lo = b->lo_f, hi = b->hi_f;
    EACH_STRETCH(n, (v[i] >= lo) & (v[i] <= hi));
}

/* lo and hi cut to what the column's type holds (a batch may be narrower than the bound schema);
 * false: nothing is left. */
static bool narrow(lochan_expr_bound *b, const lochan_type *type) {
    bool is_unsigned = type->id == LOCHAN_TYPE_UINT8 || type->id == LOCHAN_TYPE_UINT16 ||
                       type->id == LOCHAN_TYPE_UINT32 || type->id == LOCHAN_TYPE_UINT64;
    int bits = lochan_type__bit_width(type) - !is_unsigned;
    lochan_wide most = ((lochan_wide)1 << bits) - 1, least = is_unsigned ? 0 : -most - 1;
    b->lo = b->lo < least ? least : b->lo;
    b->hi = b->hi > most ? most : b->hi;
    return b->lo <= b->hi;
}

typedef void (*range_fn)(const lochan_cells *c, int64_t n, const lochan_expr_bound *b, word *out);

static range_fn range_of(lochan_type_id id) {
    switch (id) {
    case LOCHAN_TYPE_INT8:
        return range_int8_t;
    case LOCHAN_TYPE_UINT8:
        return range_uint8_t;
    case LOCHAN_TYPE_INT16:
        return range_int16_t;
    case LOCHAN_TYPE_UINT16:
        return range_uint16_t;
    case LOCHAN_TYPE_INT32:
    case LOCHAN_TYPE_DATE32:
    case LOCHAN_TYPE_TIME32:
        return range_int32_t;
    case LOCHAN_TYPE_UINT32:
        return range_uint32_t;
    case LOCHAN_TYPE_INT64:
    case LOCHAN_TYPE_DATE64:
    case LOCHAN_TYPE_TIME64:
    case LOCHAN_TYPE_TIMESTAMP:
    case LOCHAN_TYPE_DURATION:
        return range_int64_t;
    case LOCHAN_TYPE_UINT64:
        return range_uint64_t;
    case LOCHAN_TYPE_FLOAT32:
        return range_float;
    case LOCHAN_TYPE_FLOAT64:
        return range_double;
    default:
        return NULL;
    }
}

static bool in_text_range(const lochan_expr_bound *b, lochan_str s) {
    if (b->has_lo_s) {
        int c = lochan_str__compare(s, b->lo_s);
        if (c < 0 || (c == 0 && b->lo_open))
            return false;
    }
    if (b->has_hi_s) {
        int c = lochan_str__compare(s, b->hi_s);
        if (c > 0 || (c == 0 && b->hi_open))
            return false;
    }
    return true;
}

/* Binary search: LESS(k) tells whether item k lies below the value, SAME(k) whether it is the
 * value. */
#define SEARCH(n, LESS, SAME)                                                                      \
    do {                                                                                           \
        size_t from = 0, to = (n);                                                                 \
        while (from < to) {                                                                        \
            size_t k = from + (to - from) / 2;                                                     \
            if (LESS)                                                                              \
                from = k + 1;                                                                      \
            else                                                                                   \
                to = k;                                                                            \
        }                                                                                          \
        size_t k = from;                                                                           \
        return k < (n) && (SAME);                                                                  \
    } while (0)

static bool in_ints(const lochan_expr_bound *b, int64_t v) {
    if (b->dense) {
        uint64_t place = (uint64_t)v - (uint64_t)b->list_i[0];
        return place <= (uint64_t)b->list_i[b->n_list - 1] - (uint64_t)b->list_i[0] &&
               lochan_bit__get(b->dense, (int64_t)place);
    }
    if (b->class == LOCHAN_CLASS_UINT)
        SEARCH(b->n_list, (uint64_t)b->list_i[k] < (uint64_t)v, b->list_i[k] == v);
    SEARCH(b->n_list, b->list_i[k] < v, b->list_i[k] == v);
}

static bool in_floats(const lochan_expr_bound *b, double v) {
    SEARCH(b->n_list, b->list_f[k] < v, b->list_f[k] == v);
}

static bool in_decimals(const lochan_expr_bound *b, lochan_wide v) {
    SEARCH(b->n_list, b->list_d[k] < v, b->list_d[k] == v);
}

static bool in_texts(const lochan_expr_bound *b, lochan_str v) {
    SEARCH(b->n_list, lochan_str__compare(b->list_s[k], v) < 0, lochan_str__eq(b->list_s[k], v));
}

/* Any single value; the slow way that knows all types. */
static bool matches(const lochan_expr_bound *b, const lochan_cells *c, int64_t slot) {
    lochan_wide v;
    double f;
    lochan_str s;
    switch (b->class) {
    case LOCHAN_CLASS_INT:
    case LOCHAN_CLASS_UINT:
        if (b->is_list)
            return in_ints(b, lochan_cells__int(c, slot));
        v = lochan_cells__int(c, slot);
        v = b->class == LOCHAN_CLASS_UINT ? (lochan_wide)(uint64_t)v : v;
        return v >= b->lo && v <= b->hi;
    case LOCHAN_CLASS_DECIMAL:
        v = lochan_cells__decimal(c, slot);
        return b->is_list ? in_decimals(b, v) : v >= b->lo && v <= b->hi;
    case LOCHAN_CLASS_FLOAT:
        f = lochan_cells__float(c, slot);
        return b->is_list ? in_floats(b, f) : f >= b->lo_f && f <= b->hi_f;
    case LOCHAN_CLASS_TEXT:
        s = lochan_cells__bytes(c, slot);
        return b->is_list ? in_texts(b, s) : in_text_range(b, s);
    default:
        return false;
    }
}

/* Text equal to one value: the length decides most rows. */
static void equal_text(const lochan_cells *c, int64_t n, const lochan_expr_bound *b, word *out) {
    const lochan_str want = b->lo_s;
    const int32_t *o = (const int32_t *)c->data + c->at;
    EACH_STRETCH(n, (size_t)(o[i + 1] - o[i]) == want.n &&
                        (want.n == 0 || memcmp(c->bytes + o[i], want.p, want.n) == 0));
}

static void flip(word *out, int64_t n) {
    for (size_t i = 0; i < words_of(n); i++)
        out[i] = ~out[i];
}

static void clear_tail(word *out, int64_t n) {
    if (n & 63)
        out[n / 64] &= (1ull << (n & 63)) - 1;
}

static word load_word(const uint8_t *bits, int64_t at, int64_t n) {
    word w = 0;
    lochan_bitmap__copy((uint8_t *)&w, 0, bits, at, n < 64 ? n : 64);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

static void and_validity(const uint8_t *bits, int64_t at, int64_t n, word *out) {
    for (int64_t start = 0; bits && start < n; start += 64)
        out[start / 64] &= load_word(bits, at + start, n - start);
}

/* Values without keys: every row tested whatever its validity, then nulls are taken out. */
static void test_plain(const lochan_cells *c, int64_t n, const lochan_expr_node *leaf, word *out) {
    lochan_expr_bound b = leaf->bound;
    range_fn range = b.is_list ? NULL : range_of(c->type.id);
    bool whole = b.class == LOCHAN_CLASS_INT || b.class == LOCHAN_CLASS_UINT;
    bool equal = b.class == LOCHAN_CLASS_TEXT && !b.is_list && leaf->op == LOCHAN_EXPR_EQ &&
                 (c->type.id == LOCHAN_TYPE_STRING || c->type.id == LOCHAN_TYPE_BINARY);
    if (b.empty || (range && whole && !narrow(&b, &c->type))) {
        memset(out, 0, words_of(n) * sizeof(word));
    } else if (range) {
        range(c, n, &b, out);
    } else if (equal) {
        equal_text(c, n, &b, out);
    } else {
        EACH_STRETCH(n, !c->validity || lochan_bit__get(c->validity, c->at + i)
                            ? matches(&b, c, c->at + i)
                            : 0);
    }
    if (leaf->negated)
        flip(out, n);
    and_validity(c->validity, c->at, n, out);
    clear_tail(out, n);
}

/* Keys of null rows may be anything. */
static bool key_hits(const lochan_cells *c, int64_t row, const word *hits, uint64_t n_values) {
    if (c->keys_validity && !lochan_bit__get(c->keys_validity, c->keys_at + row))
        return false;
    uint64_t key = (uint64_t)lochan_cells__key(c, row);
    return key < n_values && (hits[key / 64] >> (key & 63) & 1);
}

/* Whether at most one value hits: its key, or one that no row has. */
static bool only_hit(const word *hits, int64_t n_values, int32_t *key) {
    int found = 0;
    *key = -1;
    for (size_t k = 0; k < words_of(n_values); k++) {
        found += __builtin_popcountll(hits[k]);
        if (hits[k] && found == 1)
            *key = (int32_t)(64 * k) + __builtin_ctzll(hits[k]);
    }
    return found <= 1;
}

static lochan_status test_keys(const lochan_cells *c, int64_t n, const lochan_expr_node *leaf,
                               word *out, lochan_error *err) {
    lochan_cells values = lochan_cells__dictionary(c);
    int32_t key;
    word *hits = lochan_mem__array(words_of(values.length) + 1, sizeof(word));
    if (!hits)
        return lochan_error__nomem(err);
    test_plain(&values, values.length, leaf, hits);
    if (c->key_id == LOCHAN_TYPE_INT32 && !c->keys_validity &&
        only_hit(hits, values.length, &key)) {
        const int32_t *keys = (const int32_t *)c->keys + c->keys_at;
        EACH_STRETCH(n, keys[i] == key);
    } else {
        EACH_STRETCH(n, key_hits(c, i, hits, (uint64_t)values.length));
    }
    lochan_mem__free(hits);
    return LOCHAN_OK;
}

static void test_null(const lochan_cells *c, int64_t n, const lochan_expr_node *leaf, word *out) {
    EACH_STRETCH(n, (lochan_cells__slot(c, i) < 0) != leaf->negated);
}

/* Whether values of the batch's type may be compared with what was bound. */
static bool fits(const lochan_expr_bound *b, const lochan_type *type) {
    bool comparable;
    if (lochan_expr_class__of(type, &comparable) != b->class)
        return false;
    if (b->class == LOCHAN_CLASS_DECIMAL)
        return type->scale == b->type.scale;
    if (b->class != LOCHAN_CLASS_INT ||
        (lochan_type__is_integer(type->id) && lochan_type__is_integer(b->type.id)))
        return true;
    return type->id == b->type.id && type->unit == b->type.unit;
}

static lochan_status test_leaf(const lochan_expr *e, const lochan_expr_node *leaf,
                               const struct ArrowSchema *schema, const struct ArrowArray *batch,
                               word *out, lochan_error *err) {
    const char *name = e->columns[leaf->column];
    int child = lochan_schema__find(schema, name);
    int64_t n = batch->length;
    lochan_cells c;
    if (child < 0)
        return lochan_error__in_table(
            err,
            lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                              "the batch lacks column '%.100s' of the predicate", name),
            NULL, name, -1);
    LOCHAN_TRY(lochan_cells__init(&c, schema->children[child], batch->children[child],
                                  batch->offset, err));
    if (leaf->op == LOCHAN_EXPR_IS_NULL) {
        test_null(&c, n, leaf, out);
        return LOCHAN_OK;
    }
    if (!fits(&leaf->bound, &c.type)) {
        char got[80], want[80];
        lochan_type__name(&c.type, got);
        lochan_type__name(&leaf->bound.type, want);
        lochan_status rc = lochan_error__set(
            err, LOCHAN_ERR_SCHEMA,
            "column '%.100s' is %s in the batch, but the predicate was bound to %s", name, got,
            want);
        return lochan_error__in_table(err, rc, NULL, name, -1);
    }
    if (leaf->bound.class == LOCHAN_CLASS_NONE) {
        memset(out, 0, words_of(n) * sizeof(word));
        return LOCHAN_OK;
    }
    if (c.keys)
        return test_keys(&c, n, leaf, out, err);
    test_plain(&c, n, leaf, out);
    return LOCHAN_OK;
}

static bool all_zero(const word *w, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (w[i])
            return false;
    }
    return true;
}

static lochan_status test_node(const lochan_expr *e, const lochan_expr_node *node,
                               const struct ArrowSchema *schema, const struct ArrowArray *batch,
                               word *out, lochan_error *err) {
    if (node->kind == LOCHAN_NODE_LEAF)
        return test_leaf(e, node, schema, batch, out, err);
    size_t n = words_of(batch->length);
    word *other = lochan_mem__array(n + 1, sizeof(word));
    if (!other)
        return lochan_error__nomem(err);
    bool is_and = node->kind == LOCHAN_NODE_AND;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRYG(test_node(e, node->first, schema, batch, out, err));
    for (const lochan_expr_node *child = node->first->next; child; child = child->next) {
        if (is_and && all_zero(out, n))
            break;
        LOCHAN_TRYG(test_node(e, child, schema, batch, other, err));
        for (size_t i = 0; i < n; i++)
            out[i] = is_and ? out[i] & other[i] : out[i] | other[i];
    }
done:
    lochan_mem__free(other);
    return rc;
}

lochan_status lochan_expr__apply(const lochan_expr *e, const struct ArrowSchema *schema,
                                 const struct ArrowArray *batch, uint8_t *bits, int64_t *count,
                                 lochan_error *err) {
    int64_t n = batch->length;
    size_t bytes = ((size_t)n + 7) / 8;
    *count = 0;
    if (bytes)
        memset(bits, 0, bytes);
    if (!e) {
        lochan_bitmap__fill(bits, 0, n, true);
        *count = n;
        return LOCHAN_OK;
    }
    LOCHAN_CHECK_ARG(e->is_bound, err);
    word *out = lochan_mem__array(words_of(n) + 1, sizeof(word));
    if (!out)
        return lochan_error__nomem(err);
    lochan_status rc = test_node(e, e->root, schema, batch, out, err);
    for (size_t i = 0; rc == LOCHAN_OK && i < bytes; i++)
        bits[i] = (uint8_t)(out[i / 8] >> (8 * (i % 8)));
    for (size_t i = 0; rc == LOCHAN_OK && i < words_of(n); i++)
        *count += __builtin_popcountll(out[i]);
    lochan_mem__free(out);
    return rc;
}
