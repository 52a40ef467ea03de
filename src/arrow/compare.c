/* compare.c - ordering rows by sort keys.
 * Invariant: one total order for all users (comparator, sort): nulls where the key says, NaN above
 * all numbers, -0.0 equal to 0.0, text as bytes. A descending key turns the values round, NaN too,
 * but not the nulls. May call: base/, cells.h, kernels.h.
 */
#include "arrow/cells.h"
#include "arrow/kernels.h"

#define COMPARE(name, T)                                                                           \
    static int compare_##name(const lochan_cells *a, int64_t sa, const lochan_cells *b,            \
                              int64_t sb) {                                                        \
        T x = ((const T *)a->data)[sa], y = ((const T *)b->data)[sb];                              \
        return (x > y) - (x < y);                                                                  \
    }
COMPARE(int8, int8_t)
COMPARE(uint8, uint8_t)
COMPARE(int16, int16_t)
COMPARE(uint16, uint16_t)
COMPARE(int32, int32_t)
COMPARE(uint32, uint32_t)
COMPARE(int64, int64_t)
COMPARE(uint64, uint64_t)

static int compare_bool(const lochan_cells *a, int64_t sa, const lochan_cells *b, int64_t sb) {
    return lochan_bit__get(a->data, sa) - lochan_bit__get(b->data, sb);
}

static int compare_float(const lochan_cells *a, int64_t sa, const lochan_cells *b, int64_t sb) {
    return lochan_double__compare(lochan_cells__float(a, sa), lochan_cells__float(b, sb));
}

static int compare_decimal128(const lochan_cells *a, int64_t sa, const lochan_cells *b,
                              int64_t sb) {
    lochan_i128 x = lochan_cells__decimal(a, sa), y = lochan_cells__decimal(b, sb);
    return (x > y) - (x < y);
}

static int compare_decimal256(const lochan_cells *a, int64_t sa, const lochan_cells *b,
                              int64_t sb) {
    uint64_t x[4], y[4];
    memcpy(x, (const uint8_t *)a->data + 32 * sa, 32);
    memcpy(y, (const uint8_t *)b->data + 32 * sb, 32);
    if (x[3] != y[3])
        return (int64_t)x[3] < (int64_t)y[3] ? -1 : 1;
    for (int i = 2; i >= 0; i--) {
        if (x[i] != y[i])
            return x[i] < y[i] ? -1 : 1;
    }
    return 0;
}

static int compare_bytes(const lochan_cells *a, int64_t sa, const lochan_cells *b, int64_t sb) {
    return lochan_str__compare(lochan_cells__bytes(a, sa), lochan_cells__bytes(b, sb));
}

static int compare_nothing(const lochan_cells *a, int64_t sa, const lochan_cells *b, int64_t sb) {
    (void)a, (void)sa, (void)b, (void)sb;
    return 0;
}

lochan_slot_compare lochan_slot_compare__of(const lochan_type *type) {
    static const lochan_slot_compare by_type[] = {
        [LOCHAN_TYPE_NULL] = compare_nothing,
        [LOCHAN_TYPE_BOOL] = compare_bool,
        [LOCHAN_TYPE_INT8] = compare_int8,
        [LOCHAN_TYPE_UINT8] = compare_uint8,
        [LOCHAN_TYPE_INT16] = compare_int16,
        [LOCHAN_TYPE_UINT16] = compare_uint16,
        [LOCHAN_TYPE_INT32] = compare_int32,
        [LOCHAN_TYPE_UINT32] = compare_uint32,
        [LOCHAN_TYPE_INT64] = compare_int64,
        [LOCHAN_TYPE_UINT64] = compare_uint64,
        [LOCHAN_TYPE_FLOAT16] = compare_float,
        [LOCHAN_TYPE_FLOAT32] = compare_float,
        [LOCHAN_TYPE_FLOAT64] = compare_float,
        [LOCHAN_TYPE_DECIMAL128] = compare_decimal128,
        [LOCHAN_TYPE_DECIMAL256] = compare_decimal256,
        [LOCHAN_TYPE_STRING] = compare_bytes,
        [LOCHAN_TYPE_LARGE_STRING] = compare_bytes,
        [LOCHAN_TYPE_STRING_VIEW] = compare_bytes,
        [LOCHAN_TYPE_BINARY] = compare_bytes,
        [LOCHAN_TYPE_LARGE_BINARY] = compare_bytes,
        [LOCHAN_TYPE_BINARY_VIEW] = compare_bytes,
        [LOCHAN_TYPE_FIXED_BINARY] = compare_bytes,
        [LOCHAN_TYPE_DATE32] = compare_int32,
        [LOCHAN_TYPE_DATE64] = compare_int64,
        [LOCHAN_TYPE_TIME32] = compare_int32,
        [LOCHAN_TYPE_TIME64] = compare_int64,
        [LOCHAN_TYPE_TIMESTAMP] = compare_int64,
        [LOCHAN_TYPE_DURATION] = compare_int64,
    };
    return (size_t)type->id < LOCHAN_COUNTOF(by_type) ? by_type[type->id] : NULL;
}

typedef struct key {
    lochan_slot_compare compare;
    bool descending;
    bool nulls_first;
} key;

struct lochan_comparator {
    size_t n_keys;
    key *keys;
    lochan_cells *columns; /* n_keys for each batch */
};

static lochan_status set_batch(lochan_comparator *c, size_t batch, const struct ArrowSchema *schema,
                               const struct ArrowArray *array, const lochan_sort_key *keys,
                               lochan_error *err) {
    for (size_t k = 0; k < c->n_keys; k++) {
        int child = keys[k].column;
        if (child < 0 || child >= schema->n_children)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "sort key %zu is column %d of %lld", k, child,
                                     (long long)schema->n_children);
        lochan_cells *column = &c->columns[batch * c->n_keys + k];
        LOCHAN_TRY(lochan_cells__init(column, schema->children[child], array->children[child],
                                      array->offset, err));
        c->keys[k] =
            (key){lochan_slot_compare__of(&column->type), keys[k].descending, keys[k].nulls_first};
        if (!c->keys[k].compare) {
            lochan_status rc = lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                                 "column %s is nested and cannot be sorted by",
                                                 schema->children[child]->name);
            return lochan_error__in_table(err, rc, NULL, schema->children[child]->name, -1);
        }
    }
    return LOCHAN_OK;
}

lochan_status lochan_comparator__create(const struct ArrowSchema *schema,
                                        const lochan_sort_key *keys, size_t n_keys,
                                        const struct ArrowArray *const *batches, size_t n_batches,
                                        lochan_comparator **out, lochan_error *err) {
    *out = NULL;
    lochan_status rc = LOCHAN_OK;
    lochan_comparator *c = lochan_mem__zalloc(sizeof(*c));
    if (!c)
        return lochan_error__nomem(err);
    size_t cells;
    if (lochan_size__mul(n_batches, n_keys, &cells)) {
        c->keys = lochan_mem__array(n_keys ? n_keys : 1, sizeof(*c->keys));
        c->columns = lochan_mem__array(cells ? cells : 1, sizeof(*c->columns));
    }
    c->n_keys = n_keys;
    if (!c->keys || !c->columns) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < n_batches; i++)
        LOCHAN_TRYG(set_batch(c, i, schema, batches[i], keys, err));
done:
    if (rc != LOCHAN_OK)
        lochan_comparator__free(c);
    else
        *out = c;
    return rc;
}

int lochan_comparator__compare(const lochan_comparator *c, size_t ba, int64_t ra, size_t bb,
                               int64_t rb) {
    const lochan_cells *a = c->columns + ba * c->n_keys, *b = c->columns + bb * c->n_keys;
    for (size_t k = 0; k < c->n_keys; k++) {
        const key *by = &c->keys[k];
        int64_t sa = lochan_cells__slot(&a[k], ra), sb = lochan_cells__slot(&b[k], rb);
        if (sa < 0 || sb < 0) {
            if (sa < 0 && sb < 0)
                continue;
            return (sa < 0) == by->nulls_first ? -1 : 1;
        }
        int order = by->compare(&a[k], sa, &b[k], sb);
        if (order)
            return by->descending ? -order : order;
    }
    return 0;
}

void lochan_comparator__free(lochan_comparator *c) {
    if (!c)
        return;
    lochan_mem__free(c->keys);
    lochan_mem__free(c->columns);
    lochan_mem__free(c);
}
