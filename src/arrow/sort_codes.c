/* sort_codes.c - order-preserving codes: integers less their minimum, floats by their bits, short
 * text as big-endian integers, text with few different values and dictionaries by rank, all else by
 * a prefix that the comparator completes. Invariant: the order is that of compare.c. May call:
 * base/, cells.h, sort_codes.h.
 */
#include "arrow/sort_codes.h"
#include "base/hash.h"
#include "base/mem.h"

enum {
    MAX_RANKS = 1 << 16, /* different texts worth ranking; more are cheaper to sort by prefix */
    MAX_PROBES = 256,
    MAX_COMMON = 256
};

/* Codes of the valid rows are raw (any uint64 order); this shifts them to start at 0, turns them
 * round and adds the place of the nulls. */
typedef struct range {
    uint64_t min, max;
    bool any_null;
} range;

static int bits_of(uint64_t v) {
    return v ? 64 - __builtin_clzll(v) : 0;
}

static void settle(lochan_sort_codes *out, const lochan_cells *c, int64_t rows, const range *r,
                   const lochan_sort_key *key) {
    uint64_t *v = out->codes;
    bool empty = r->min > r->max;
    uint64_t span = empty ? 0 : r->max - r->min;
    int shift =
        r->any_null && span == UINT64_MAX; /* no code is left for null: give up the lowest bit */
    out->exact = out->exact && !shift;
    uint64_t null_code = key->nulls_first ? 0 : (span >> shift) + 1;
    uint64_t lift = r->any_null && key->nulls_first;
    if (!r->any_null) {
        for (int64_t i = 0; i < rows; i++)
            v[i] = key->descending ? r->max - v[i] : v[i] - r->min;
    } else {
        for (int64_t i = 0; i < rows; i++) {
            if (lochan_cells__slot(c, i) < 0)
                v[i] = null_code;
            else
                v[i] = ((key->descending ? r->max - v[i] : v[i] - r->min) >> shift) + lift;
        }
    }
    out->bits = bits_of((span >> shift) + r->any_null);
}

#define EACH_SLOT(c, rows, expression)                                                             \
    do {                                                                                           \
        for (int64_t i = 0; i < (rows); i++) {                                                     \
            const int64_t slot = lochan_cells__slot((c), i);                                       \
            if (slot < 0) {                                                                        \
                r.any_null = true;                                                                 \
                continue;                                                                          \
            }                                                                                      \
            const uint64_t code = (expression);                                                    \
            v[i] = code;                                                                           \
            r.min = code < r.min ? code : r.min;                                                   \
            r.max = code > r.max ? code : r.max;                                                   \
        }                                                                                          \
    } while (0)

#define PLAIN_INTS(T)                                                                              \
    do {                                                                                           \
        const T *data = (const T *)c->data + c->at;                                                \
        for (int64_t i = 0; i < rows; i++) {                                                       \
            const uint64_t code = (uint64_t)(int64_t)data[i] ^ sign;                               \
            v[i] = code;                                                                           \
            r.min = code < r.min ? code : r.min;                                                   \
            r.max = code > r.max ? code : r.max;                                                   \
        }                                                                                          \
    } while (0)

static range int_codes(uint64_t *v, const lochan_cells *c, int64_t rows) {
    range r = {UINT64_MAX, 0, false};
    uint64_t sign = c->type.id == LOCHAN_TYPE_UINT64 ? 0 : 1ull << 63;
    if (!c->keys && !c->validity && rows > 0) {
        if (c->type.id == LOCHAN_TYPE_INT32 || c->type.id == LOCHAN_TYPE_DATE32) {
            PLAIN_INTS(int32_t);
            return r;
        }
        if (lochan_type__bit_width(&c->type) == 64) {
            PLAIN_INTS(int64_t);
            return r;
        }
    }
    EACH_SLOT(c, rows, (uint64_t)lochan_cells__int(c, slot) ^ sign);
    return r;
}

static uint64_t float_code(double d) {
    uint64_t bits;
    if (isnan(d))
        return UINT64_MAX;
    d = d == 0 ? 0 : d; /* -0.0 becomes 0.0 */
    memcpy(&bits, &d, 8);
    return bits >> 63 ? ~bits : bits | 1ull << 63;
}

static range float_codes(uint64_t *v, const lochan_cells *c, int64_t rows) {
    range r = {UINT64_MAX, 0, false};
    EACH_SLOT(c, rows, float_code(lochan_cells__float(c, slot)));
    return r;
}

static range decimal_codes(uint64_t *v, const lochan_cells *c, int64_t rows, bool *exact) {
    lochan_u128 min = ~(lochan_u128)0, max = 0, sign = (lochan_u128)1 << 127;
    for (int64_t i = 0; i < rows; i++) {
        int64_t slot = lochan_cells__slot(c, i);
        if (slot < 0)
            continue;
        lochan_u128 x = (lochan_u128)lochan_cells__decimal(c, slot) ^ sign;
        min = x < min ? x : min;
        max = x > max ? x : max;
    }
    int shift = 0;
    while (max >= min && ((max - min) >> shift) > UINT64_MAX)
        shift++;
    *exact = shift == 0;
    range r = {UINT64_MAX, 0, false};
    EACH_SLOT(c, rows,
              (uint64_t)((((lochan_u128)lochan_cells__decimal(c, slot) ^ sign) - min) >> shift));
    return r;
}

/* The first `width` bytes as a big-endian number, missing ones as 0. */
static uint64_t prefix_of(lochan_str s, size_t width) {
    uint64_t x = 0;
    memcpy(&x, s.p, s.n < width ? s.n : width);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    return x;
#else
    return __builtin_bswap64(x);
#endif
}

/* What the texts of a column have in common. */
typedef struct text_shape {
    size_t common;  /* bytes that all begin with */
    size_t longest; /* bytes behind those */
} text_shape;

static text_shape shape_of(const lochan_cells *c, int64_t rows) {
    lochan_str first = {NULL, 0};
    size_t common = SIZE_MAX, longest = 0;
    for (int64_t i = 0; i < rows; i++) {
        int64_t slot = lochan_cells__slot(c, i);
        if (slot < 0)
            continue;
        lochan_str s = lochan_cells__bytes(c, slot);
        if (common == SIZE_MAX) {
            first = s;
            common = s.n < MAX_COMMON ? s.n : MAX_COMMON;
        }
        common = s.n < common ? s.n : common;
        while (common > 0 && memcmp(s.p, first.p, common) != 0)
            common--;
        longest = s.n > longest ? s.n : longest;
    }
    return common == SIZE_MAX ? (text_shape){0, 0} : (text_shape){common, longest - common};
}

/* The bytes behind the common ones, then how many: so "a" comes before "a\0". */
static uint64_t short_text_code(lochan_str s, const text_shape *shape) {
    lochan_str rest = {s.p + shape->common, s.n - shape->common};
    uint64_t bytes = shape->longest ? prefix_of(rest, 7) >> (8 * (8 - shape->longest)) : 0;
    return bytes << 3 | rest.n;
}

/* Text of at most 7 bytes behind what all have in common is a number with its length; longer text
 * gives the next 8 bytes. */
static range text_codes(uint64_t *v, const lochan_cells *c, int64_t rows, bool *exact) {
    text_shape shape = shape_of(c, rows);
    range r = {UINT64_MAX, 0, false};
    *exact = shape.longest < 8;
    if (*exact)
        EACH_SLOT(c, rows, short_text_code(lochan_cells__bytes(c, slot), &shape));
    else
        EACH_SLOT(c, rows,
                  prefix_of((lochan_str){lochan_cells__bytes(c, slot).p + shape.common,
                                         lochan_cells__bytes(c, slot).n - shape.common},
                            8));
    return r;
}

/* The different texts of a column, numbered as they come. */
typedef struct text_set {
    lochan_str *texts;
    uint64_t *hashes;
    int32_t *slots; /* -1 = free; 4 * MAX_RANKS of them */
    int32_t n;
} text_set;

static lochan_status text_set_init(text_set *set, lochan_error *err) {
    size_t slots = 4 * (size_t)MAX_RANKS;
    set->texts = lochan_mem__alloc(MAX_RANKS * sizeof(*set->texts));
    set->hashes = lochan_mem__alloc(MAX_RANKS * sizeof(*set->hashes));
    set->slots = lochan_mem__alloc(slots * sizeof(*set->slots));
    if (!set->texts || !set->hashes || !set->slots)
        return lochan_error__nomem(err);
    memset(set->slots, 0xff, slots * sizeof(*set->slots));
    return LOCHAN_OK;
}

static void text_set_deinit(text_set *set) {
    lochan_mem__free(set->texts);
    lochan_mem__free(set->hashes);
    lochan_mem__free(set->slots);
}

/* The number of a text; -1 if it is new and the set is full, or made to collide. */
static int32_t text_set_add(text_set *set, lochan_str s) {
    uint64_t hash =
        s.n <= 8 ? (prefix_of(s, 8) ^ s.n) * 0x9e3779b97f4a7c15ull : lochan_hash__64(s.p, s.n, 0);
    size_t slot = (size_t)(hash >> 46); /* 18 bits: 4 * MAX_RANKS */
    int probes = 0;
    for (; set->slots[slot] >= 0; slot = (slot + 1) & (4 * (size_t)MAX_RANKS - 1)) {
        int32_t id = set->slots[slot];
        if (set->hashes[id] == hash && lochan_str__eq(set->texts[id], s))
            return id;
        if (++probes > MAX_PROBES)
            return -1;
    }
    if (set->n == MAX_RANKS)
        return -1;
    set->slots[slot] = set->n;
    set->texts[set->n] = s;
    set->hashes[set->n] = hash;
    return set->n++;
}

static int tie_text(const void *ctx, int64_t a, int64_t b) {
    const lochan_str *texts = ctx;
    return lochan_str__compare(texts[a], texts[b]);
}

/* ranks[id] = place of text id among all. */
static lochan_status rank_texts(const text_set *set, uint64_t *ranks, lochan_error *err) {
    lochan_sort_item *items = lochan_mem__array(2 * (size_t)set->n + 1, sizeof(*items));
    if (!items)
        return lochan_error__nomem(err);
    for (int32_t i = 0; i < set->n; i++)
        items[i] = (lochan_sort_item){prefix_of(set->texts[i], 8), i};
    lochan_sort_items__merge(items, items + set->n, set->n, tie_text, set->texts);
    for (int32_t i = 0; i < set->n; i++)
        ranks[items[i].row] = (uint64_t)i;
    lochan_mem__free(items);
    return LOCHAN_OK;
}

/* Fills v with ranks, *done false if there are too many different texts. */
static lochan_status text_ranks(uint64_t *v, const lochan_cells *c, int64_t rows, range *out,
                                bool *done, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    text_set set = {0};
    uint64_t *ranks = NULL;
    lochan_str last = {NULL, 0};
    int32_t id = -1;
    *done = false;
    *out = (range){UINT64_MAX, 0, false};
    LOCHAN_TRYG(text_set_init(&set, err));
    for (int64_t i = 0; i < rows; i++) {
        int64_t slot = lochan_cells__slot(c, i);
        if (slot < 0) {
            out->any_null = true;
            continue;
        }
        lochan_str s = lochan_cells__bytes(c, slot);
        if (id < 0 || !lochan_str__eq(s, last))
            id = text_set_add(&set, s);
        if (id < 0)
            goto done;
        last = s;
        v[i] = (uint64_t)id;
    }
    ranks = lochan_mem__array((size_t)set.n + 1, sizeof(*ranks));
    if (!ranks) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(rank_texts(&set, ranks, err));
    for (int64_t i = 0; i < rows; i++) {
        if (!out->any_null || lochan_cells__slot(c, i) >= 0)
            v[i] = ranks[v[i]];
    }
    if (set.n > 0)
        *out = (range){0, (uint64_t)set.n - 1, out->any_null};
    *done = true;
done:
    text_set_deinit(&set);
    lochan_mem__free(ranks);
    return rc;
}

typedef struct value_order {
    const lochan_cells *values;
    lochan_slot_compare compare;
} value_order;

static int tie_value(const void *ctx, int64_t a, int64_t b) {
    const value_order *o = ctx;
    return o->compare(o->values, a, o->values, b);
}

/* Ranks of a dictionary's values; equal values share one. */
static lochan_status dictionary_ranks(uint64_t *v, const lochan_cells *c, int64_t rows, range *out,
                                      lochan_error *err) {
    lochan_cells values = lochan_cells__dictionary(c);
    value_order order = {&values, lochan_slot_compare__of(&c->type)};
    lochan_status rc = LOCHAN_OK;
    size_t n = 0, cap = (size_t)values.length + 1;
    lochan_sort_item *items = lochan_mem__array(cap, 2 * sizeof(*items));
    uint64_t *ranks = lochan_mem__array(cap, sizeof(*ranks));
    if (!items || !ranks) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t i = 0; i < values.length; i++) {
        int64_t slot = lochan_cells__slot(&values, i);
        if (slot >= 0)
            items[n++].row = slot;
    }
    lochan_sort_items__merge(items, items + n, (int64_t)n, tie_value, &order);
    uint64_t rank = 0;
    for (size_t i = 0; i < n; i++) {
        rank += i > 0 && tie_value(&order, items[i - 1].row, items[i].row) != 0;
        ranks[items[i].row - c->at] = rank;
    }
    range r = {UINT64_MAX, 0, false};
    EACH_SLOT(c, rows, ranks[slot - c->at]);
    *out = r;
done:
    lochan_mem__free(items);
    lochan_mem__free(ranks);
    return rc;
}

lochan_status lochan_sort_codes__make(lochan_sort_codes *out, const lochan_cells *c, int64_t rows,
                                      const lochan_sort_key *key, lochan_error *err) {
    range r = {UINT64_MAX, 0, false};
    lochan_type_id id = c->type.id;
    bool done = false;
    out->exact = true;
    out->bits = 0;
    if (id == LOCHAN_TYPE_NULL)
        return LOCHAN_OK;
    if (c->keys && c->array->length <= 2 * rows + 1024) {
        LOCHAN_TRY(dictionary_ranks(out->codes, c, rows, &r, err));
    } else if (lochan_type__is_float(id)) {
        r = float_codes(out->codes, c, rows);
    } else if (id == LOCHAN_TYPE_DECIMAL128) {
        r = decimal_codes(out->codes, c, rows, &out->exact);
    } else if (lochan_type__is_bytes(id) || id == LOCHAN_TYPE_FIXED_BINARY) {
        if (rows >= 256)
            LOCHAN_TRY(text_ranks(out->codes, c, rows, &r, &done, err));
        if (!done)
            r = text_codes(out->codes, c, rows, &out->exact);
    } else if (id == LOCHAN_TYPE_DECIMAL256) {
        out->exact = false; /* left to the comparator */
        return LOCHAN_OK;
    } else {
        r = int_codes(out->codes, c, rows);
    }
    settle(out, c, rows, &r, key);
    return LOCHAN_OK;
}
