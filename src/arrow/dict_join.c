/* dict_join.c - one dictionary for many arrays, and dictionaries made from plain values.
 * Invariant: a joined dictionary keeps the values of the first array in place, so the usual case
 * (all alike) copies keys. May call: base/, array.h, spans.h, kernels.h.
 */
#include "arrow/cells.h"
#include "arrow/kernels.h"
#include "arrow/spans.h"

#include <inttypes.h>

/* A one-column struct around a dictionary, for kernels that want a batch. Nothing in it is owned.
 */
typedef struct boxed {
    struct ArrowSchema schema;
    struct ArrowArray array;
    struct ArrowSchema *schemas[1];
    struct ArrowArray *arrays[1];
    const void *buffers[1];
} boxed;

static void box(boxed *b, const struct ArrowSchema *schema, const struct ArrowArray *array) {
    memset(b, 0, sizeof(*b));
    b->schemas[0] = (struct ArrowSchema *)(uintptr_t)schema;
    b->arrays[0] = (struct ArrowArray *)(uintptr_t)array;
    b->schema =
        (struct ArrowSchema){.format = "+s", .name = "", .n_children = 1, .children = b->schemas};
    b->array = (struct ArrowArray){.length = array->length,
                                   .n_buffers = 1,
                                   .n_children = 1,
                                   .buffers = b->buffers,
                                   .children = b->arrays};
}

static lochan_status hash_values(const struct ArrowSchema *schema, const struct ArrowArray *values,
                                 lochan_hash128 **out, lochan_error *err) {
    boxed b;
    box(&b, schema, values);
    *out = lochan_mem__array(values->length ? (size_t)values->length : 1, sizeof(**out));
    if (!*out)
        return lochan_error__nomem(err);
    int column = 0;
    lochan_status rc = lochan_hash_rows(&b.schema, &b.array, &column, 1, *out, err);
    if (rc != LOCHAN_OK) {
        lochan_mem__free(*out);
        *out = NULL;
    }
    return rc;
}

/* Open addressing from the hash of a value to its place in the joined dictionary. Values with equal
 * 128-bit hashes are compared, so a forged collision costs a probe, never a wrong value. */
typedef struct value_map {
    lochan_hash128 *hashes;
    lochan_span *values;         /* where each entry of the joined dictionary comes from */
    uint32_t *sources;           /* index of its array in `cells` */
    lochan_cells *cells;         /* one for each source array */
    lochan_slot_compare compare; /* NULL: nested values, compared as arrays */
    int64_t *slots;              /* -1 = free */
    size_t mask;
    size_t n;
} value_map;

static lochan_status map_init(value_map *m, const struct ArrowSchema *schema, size_t n_sources,
                              size_t max_values, lochan_error *err) {
    lochan_type type;
    size_t slots = 16;
    size_t cap = max_values ? max_values : 1;
    while (slots < max_values * 2)
        slots *= 2;
    LOCHAN_TRY(lochan_type__parse(schema->format, &type, err));
    m->compare = schema->dictionary ? NULL : lochan_slot_compare__of(&type);
    m->mask = slots - 1;
    m->hashes = lochan_mem__array(cap, sizeof(*m->hashes));
    m->values = lochan_mem__array(cap, sizeof(*m->values));
    m->sources = lochan_mem__array(cap, sizeof(*m->sources));
    m->cells = lochan_mem__array(n_sources, sizeof(*m->cells));
    m->slots = lochan_mem__alloc(slots * sizeof(*m->slots));
    if (!m->hashes || !m->values || !m->sources || !m->cells || !m->slots)
        return lochan_error__nomem(err);
    memset(m->slots, 0xff, slots * sizeof(*m->slots));
    return LOCHAN_OK;
}

static void map_deinit(value_map *m) {
    lochan_mem__free(m->hashes);
    lochan_mem__free(m->values);
    lochan_mem__free(m->sources);
    lochan_mem__free(m->cells);
    lochan_mem__free(m->slots);
}

static lochan_status same_nested(const struct ArrowSchema *schema, lochan_span a, lochan_span b,
                                 bool *same, lochan_error *err) {
    struct ArrowArray x = *a.array, y = *b.array;
    x.offset += a.start;
    y.offset += b.start;
    x.length = y.length = 1;
    x.null_count = x.null_count == 0 ? 0 : -1;
    y.null_count = y.null_count == 0 ? 0 : -1;
    return lochan_equal_columns(schema, &x, &y, same, err);
}

/* Whether entry k is the value of that row of source `s`. */
static lochan_status same_value(const value_map *m, const struct ArrowSchema *schema, size_t k,
                                uint32_t s, lochan_span value, bool *same, lochan_error *err) {
    if (!m->compare)
        return same_nested(schema, m->values[k], value, same, err);
    const lochan_cells *x = &m->cells[m->sources[k]], *y = &m->cells[s];
    int64_t a = lochan_cells__slot(x, m->values[k].start), b = lochan_cells__slot(y, value.start);
    *same = a < 0 || b < 0 ? a < 0 && b < 0 : m->compare(x, a, y, b) == 0;
    return LOCHAN_OK;
}

/* Finds or adds one value of source `s`; *place is its index in the joined dictionary. */
static lochan_status map_add(value_map *m, const struct ArrowSchema *schema, uint32_t s,
                             lochan_span value, lochan_hash128 hash, int64_t *place,
                             lochan_error *err) {
    size_t slot = (size_t)hash.lo & m->mask;
    for (; m->slots[slot] >= 0; slot = (slot + 1) & m->mask) {
        size_t k = (size_t)m->slots[slot];
        bool same = false;
        if (m->hashes[k].lo != hash.lo || m->hashes[k].hi != hash.hi)
            continue;
        LOCHAN_TRY(same_value(m, schema, k, s, value, &same, err));
        if (same) {
            *place = (int64_t)k;
            return LOCHAN_OK;
        }
    }
    m->slots[slot] = (int64_t)m->n;
    m->hashes[m->n] = hash;
    m->values[m->n] = value;
    m->sources[m->n] = s;
    *place = (int64_t)m->n++;
    return LOCHAN_OK;
}

static bool same_memory(const struct ArrowArray *a, const struct ArrowArray *b) {
    if (a == b)
        return true;
    if (a->length != b->length || a->offset != b->offset || a->n_buffers != b->n_buffers ||
        a->n_children > 0 || a->dictionary || b->dictionary)
        return false;
    for (int64_t i = 0; i < a->n_buffers; i++) {
        if (a->buffers[i] != b->buffers[i])
            return false;
    }
    return true;
}

/* Whether all dictionaries hold the same values in the same order. */
static lochan_status all_alike(const struct ArrowSchema *schema,
                               const struct ArrowArray *const *arrays, size_t n, bool *alike,
                               lochan_error *err) {
    *alike = true;
    for (size_t i = 1; i < n && *alike; i++) {
        const struct ArrowArray *a = arrays[0]->dictionary, *b = arrays[i]->dictionary;
        if (same_memory(a, b))
            continue;
        *alike = a->length == b->length;
        if (*alike)
            LOCHAN_TRY(lochan_equal_columns(schema->dictionary, a, b, alike, err));
    }
    return LOCHAN_OK;
}

static int64_t largest_key(lochan_type_id id) {
    static const int64_t largest[] = {INT8_MAX,  UINT8_MAX,  INT16_MAX, UINT16_MAX,
                                      INT32_MAX, UINT32_MAX, INT64_MAX, INT64_MAX};
    return lochan_type__is_integer(id) ? largest[id - LOCHAN_TYPE_INT8] : INT64_MAX;
}

static lochan_status check_keys_fit(const struct ArrowSchema *schema, size_t values,
                                    lochan_error *err) {
    lochan_type key;
    LOCHAN_TRY(lochan_type__parse(schema->format, &key, err));
    if (values > 0 && values - 1 > (size_t)largest_key(key.id)) {
        char name[80];
        lochan_type__name(&key, name);
        return lochan_error__set(err, LOCHAN_ERR_VALUE,
                                 "a joined dictionary of %zu values does not fit its %s keys",
                                 values, name);
    }
    return LOCHAN_OK;
}

static lochan_status join_values(lochan_dict_join *join, const struct ArrowSchema *schema,
                                 const struct ArrowArray *const *arrays, size_t n,
                                 struct ArrowArray *dictionary, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    value_map map = {0};
    lochan_hash128 *hashes = NULL;
    size_t all = 0;
    for (size_t i = 0; i < n; i++)
        all += i > 0 && same_memory(arrays[i]->dictionary, arrays[i - 1]->dictionary)
                   ? 0
                   : (size_t)arrays[i]->dictionary->length;
    LOCHAN_TRYG(map_init(&map, schema->dictionary, n, all, err));
    for (size_t i = 0; i < n; i++) {
        const struct ArrowArray *d = arrays[i]->dictionary;
        join->remap[i] = lochan_mem__array(d->length ? (size_t)d->length : 1, sizeof(int64_t));
        if (!join->remap[i]) {
            rc = lochan_error__nomem(err);
            goto done;
        }
        if (i > 0 && same_memory(d, arrays[i - 1]->dictionary)) {
            memcpy(join->remap[i], join->remap[i - 1], (size_t)d->length * sizeof(int64_t));
            continue;
        }
        LOCHAN_TRYG(lochan_cells__init(&map.cells[i], schema->dictionary, d, 0, err));
        LOCHAN_TRYG(hash_values(schema->dictionary, d, &hashes, err));
        for (int64_t k = 0; k < d->length; k++)
            LOCHAN_TRYG(map_add(&map, schema->dictionary, (uint32_t)i, (lochan_span){d, k, 1},
                                hashes[k], &join->remap[i][k], err));
        lochan_mem__free(hashes);
        hashes = NULL;
    }
    LOCHAN_TRYG(check_keys_fit(schema, map.n, err));
    LOCHAN_TRYG(lochan_spans__copy(schema->dictionary, map.values, map.n, dictionary, err));
done:
    lochan_mem__free(hashes);
    map_deinit(&map);
    return rc;
}

lochan_status lochan_dict_join__make(lochan_dict_join *join, const struct ArrowSchema *schema,
                                     const struct ArrowArray *const *arrays, size_t n,
                                     struct ArrowArray *dictionary, lochan_error *err) {
    memset(join, 0, sizeof(*join));
    if (n == 0)
        return lochan_spans__copy(schema->dictionary, NULL, 0, dictionary, err);
    join->n = n;
    join->remap = lochan_mem__array(n, sizeof(*join->remap));
    join->sizes = lochan_mem__array(n, sizeof(*join->sizes));
    if (!join->remap || !join->sizes)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++)
        join->sizes[i] = arrays[i]->dictionary->length;
    bool alike;
    LOCHAN_TRY(all_alike(schema, arrays, n, &alike, err));
    if (!alike)
        return join_values(join, schema, arrays, n, dictionary, err);
    lochan_span whole = {arrays[0]->dictionary, 0, arrays[0]->dictionary->length};
    return lochan_spans__copy(schema->dictionary, &whole, 1, dictionary, err);
}

void lochan_dict_join__deinit(lochan_dict_join *join) {
    for (size_t i = 0; join->remap && i < join->n; i++)
        lochan_mem__free(join->remap[i]);
    lochan_mem__free(join->remap);
    lochan_mem__free(join->sizes);
    memset(join, 0, sizeof(*join));
}

/* Keys of null rows may be anything, so they are looked at last. */
#define REMAP(T)                                                                                   \
    static lochan_status remap_##T(const int64_t *map, int64_t size, T *keys, int64_t n,           \
                                   const uint8_t *valid, int64_t at, lochan_error *err) {          \
        for (int64_t i = 0; i < n; i++) {                                                          \
            if (valid && !lochan_bit__get(valid, at + i))                                          \
                keys[i] = 0;                                                                       \
            else if ((uint64_t)keys[i] >= (uint64_t)size)                                          \
                return lochan_error__set(err, LOCHAN_ERR_DATA,                                     \
                                         "row %" PRId64 " has a key outside of its dictionary of " \
                                         "%" PRId64 " values",                                     \
                                         at + i, size);                                            \
            else if (map)                                                                          \
                keys[i] = (T)map[keys[i]];                                                         \
        }                                                                                          \
        return LOCHAN_OK;                                                                          \
    }
REMAP(int8_t)
REMAP(uint8_t)
REMAP(int16_t)
REMAP(uint16_t)
REMAP(int32_t)
REMAP(uint32_t)
REMAP(int64_t)
REMAP(uint64_t)

lochan_status lochan_dict_join__apply(const lochan_dict_join *join, size_t i,
                                      lochan_type_id key_type, void *keys, int64_t n,
                                      const uint8_t *valid, int64_t valid_at, lochan_error *err) {
    const int64_t *map = join->remap[i];
    int64_t size = join->sizes[i];
    switch (key_type) {
    case LOCHAN_TYPE_INT8:
        return remap_int8_t(map, size, keys, n, valid, valid_at, err);
    case LOCHAN_TYPE_UINT8:
        return remap_uint8_t(map, size, keys, n, valid, valid_at, err);
    case LOCHAN_TYPE_INT16:
        return remap_int16_t(map, size, keys, n, valid, valid_at, err);
    case LOCHAN_TYPE_UINT16:
        return remap_uint16_t(map, size, keys, n, valid, valid_at, err);
    case LOCHAN_TYPE_INT32:
        return remap_int32_t(map, size, keys, n, valid, valid_at, err);
    case LOCHAN_TYPE_UINT32:
        return remap_uint32_t(map, size, keys, n, valid, valid_at, err);
    case LOCHAN_TYPE_INT64:
        return remap_int64_t(map, size, keys, n, valid, valid_at, err);
    case LOCHAN_TYPE_UINT64:
        return remap_uint64_t(map, size, keys, n, valid, valid_at, err);
    default:
        return lochan_error__set(err, LOCHAN_ERR_DATA, "dictionary keys must be integers");
    }
}

static void store_key(void *to, size_t width, int64_t key) {
    int8_t k8 = (int8_t)key;
    int16_t k16 = (int16_t)key;
    int32_t k32 = (int32_t)key;
    memcpy(to,
           width == 1   ? (void *)&k8
           : width == 2 ? (void *)&k16
           : width == 4 ? (void *)&k32
                        : (void *)&key,
           width);
}

lochan_status lochan_dict__encode(const struct ArrowSchema *schema, const struct ArrowArray *values,
                                  struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    value_map map = {0};
    lochan_hash128 *hashes = NULL;
    int64_t *keys = NULL;
    int64_t n = values->length;
    const uint8_t *validity = lochan_array__validity(values);
    lochan_type key;
    memset(out, 0, sizeof(*out));
    LOCHAN_TRYG(lochan_type__parse(schema->format, &key, err));
    LOCHAN_TRYG(hash_values(schema->dictionary, values, &hashes, err));
    LOCHAN_TRYG(map_init(&map, schema->dictionary, 1, (size_t)n, err));
    LOCHAN_TRYG(lochan_cells__init(&map.cells[0], schema->dictionary, values, 0, err));
    keys = lochan_mem__array((size_t)n + 1, sizeof(*keys));
    if (!keys) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t i = 0; i < n; i++) {
        if (!validity || lochan_bit__get(validity, values->offset + i))
            LOCHAN_TRYG(map_add(&map, schema->dictionary, 0, (lochan_span){values, i, 1}, hashes[i],
                                &keys[i], err));
    }
    LOCHAN_TRYG(check_keys_fit(schema, map.n, err));
    LOCHAN_TRYG(lochan_array__init(out, 2, 0, err));
    out->length = n;
    if (validity) {
        LOCHAN_TRYG(lochan_array__make_bits(out, 0, n, err));
        lochan_bitmap__copy((uint8_t *)(uintptr_t)out->buffers[0], 0, validity, values->offset, n);
    }
    lochan_array__settle_nulls(out);
    size_t width = (size_t)lochan_type__byte_width(&key);
    LOCHAN_TRYG(lochan_array__make_values(out, 1, n, width, err));
    uint8_t *to = (uint8_t *)(uintptr_t)out->buffers[1];
    for (int64_t i = 0; i < n; i++)
        store_key(to + (size_t)i * width, width, keys[i]);
    struct ArrowArray *dictionary = lochan_array__add_dictionary(out);
    if (!dictionary) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_spans__copy(schema->dictionary, map.values, map.n, dictionary, err));
done:
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    lochan_mem__free(hashes);
    lochan_mem__free(keys);
    map_deinit(&map);
    return rc;
}
