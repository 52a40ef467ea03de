/* dict_builder.c - see dict_builder.h. Linear probing over keys; an entry's hash is kept, so that
 * growing and most misses need no look at the value. May call: base/.
 */
#include "parquet/dict_builder.h"
#include "base/hash.h"

/* Sparse while the table fits into the first cache: nearly every search ends at its first slot, and
 * a slot more is a branch that nobody foresees. */
enum { FIRST_TABLE = 1024, SMALL_TABLE = 8192, SPARSE = 4, DENSE = 2 };

void lochan_pq_dict_builder__init(lochan_pq_dict_builder *b, int32_t width) {
    *b = (lochan_pq_dict_builder){.width = width};
    lochan_buf__init(&b->values, UINT32_MAX);
}

void lochan_pq_dict_builder__deinit(lochan_pq_dict_builder *b) {
    lochan_buf__deinit(&b->values);
    lochan_mem__free(b->table);
    lochan_mem__free(b->hashes);
    lochan_mem__free(b->ends);
    b->table = b->hashes = b->ends = NULL;
}

void lochan_pq_dict_builder__clear(lochan_pq_dict_builder *b) {
    lochan_buf__clear(&b->values);
    if (b->table)
        memset(b->table, 0, ((size_t)b->mask + 1) * sizeof *b->table);
    b->n = 0;
}

static bool grow_table(lochan_pq_dict_builder *b) {
    size_t size = b->table ? ((size_t)b->mask + 1) * 2 : FIRST_TABLE;
    uint32_t *table = lochan_mem__array(size, sizeof *table);
    if (!table)
        return false;
    lochan_mem__free(b->table);
    b->table = table;
    b->mask = (uint32_t)(size - 1);
    for (uint32_t i = 0; i < b->n; i++) {
        uint32_t at = b->hashes[i] & b->mask;
        while (table[at])
            at = (at + 1) & b->mask;
        table[at] = i + 1;
    }
    return true;
}

static bool grow_entries(lochan_pq_dict_builder *b) {
    size_t cap = b->cap ? b->cap * 2 : FIRST_TABLE;
    uint32_t *hashes = lochan_mem__realloc(b->hashes, cap * sizeof *hashes);
    if (!hashes)
        return false;
    b->hashes = hashes;
    if (b->width == 0) {
        uint32_t *ends = lochan_mem__realloc(b->ends, cap * sizeof *ends);
        if (!ends)
            return false;
        b->ends = ends;
    }
    b->cap = cap;
    return true;
}

/* Entries that the table takes before it grows. */
static uint32_t table_limit(const lochan_pq_dict_builder *b) {
    return b->table ? (b->mask + 1) / (b->mask < SMALL_TABLE ? SPARSE : DENSE) : 0;
}

/* Room for one more entry; of fixed values also for their bytes. */
static lochan_status grow(lochan_pq_dict_builder *b, lochan_error *err) {
    if (b->n >= table_limit(b) && !grow_table(b))
        return lochan_error__nomem(err);
    if (b->n >= b->cap && !grow_entries(b))
        return lochan_error__nomem(err);
    uint32_t limit = table_limit(b);
    limit = b->cap < limit ? (uint32_t)b->cap : limit;
    LOCHAN_TRY(lochan_buf__reserve(&b->values, (size_t)(limit - b->n) * (size_t)b->width, err));
    b->limit = limit;
    return LOCHAN_OK;
}

static inline lochan_status make_room(lochan_pq_dict_builder *b, lochan_error *err) {
    return __builtin_expect(b->n < b->limit, 1) ? LOCHAN_OK : grow(b, err);
}

/* A multiplication carries only upwards, and doubles of few digits differ in their high bits only:
 * fold first. */
static inline uint32_t hash_word(uint64_t v) {
    v ^= v >> 32;
    v *= 0x9e3779b97f4a7c15ull;
    return (uint32_t)(v >> 32);
}

static inline uint32_t hash_bytes(const uint8_t *p, size_t n) {
    if (n > 16)
        return (uint32_t)lochan_hash__64(p, n, 0);
    uint64_t a = 0, b = 0;
    if (n >= 8) { /* two overlapping words cover 8 to 16 bytes */
        memcpy(&a, p, 8);
        memcpy(&b, p + n - 8, 8);
    } else if (n >= 4) {
        uint32_t x, y;
        memcpy(&x, p, 4);
        memcpy(&y, p + n - 4, 4);
        a = x, b = y;
    } else if (n > 0) {
        a = (uint64_t)p[0] | (uint64_t)p[n / 2] << 8 | (uint64_t)p[n - 1] << 16;
    }
    return hash_word(a ^ (b << 29 | b >> 35) ^ ((uint64_t)n << 56)) ^ hash_word(b + n);
}

/* Adds the value as a new entry at table slot `at`. */
static lochan_status add_entry(lochan_pq_dict_builder *b, const uint8_t *p, size_t n, uint32_t hash,
                               uint32_t at, lochan_error *err) {
    if (b->width == 0)
        LOCHAN_TRY(lochan_buf__u32le(&b->values, (uint32_t)n, err));
    LOCHAN_TRY(lochan_buf__append(&b->values, p, n, err));
    b->hashes[b->n] = hash;
    if (b->width == 0)
        b->ends[b->n] = (uint32_t)b->values.len;
    b->table[at] = ++b->n;
    return LOCHAN_OK;
}

/* The loops differ in the width, which must be a constant for speed. A repeated value needs no
 * hashing. */
#define ADD_WORDS(name, type)                                                                      \
    static lochan_status add_##name(lochan_pq_dict_builder *b, const uint8_t *values, size_t n,    \
                                    uint32_t *keys, lochan_error *err) {                           \
        for (size_t i = 0; i < n; i++) {                                                           \
            type v, seen;                                                                          \
            memcpy(&v, values + i * sizeof v, sizeof v);                                           \
            if (i > 0 && memcmp(&v, values + (i - 1) * sizeof v, sizeof v) == 0) {                 \
                keys[i] = keys[i - 1];                                                             \
                continue;                                                                          \
            }                                                                                      \
            LOCHAN_TRY(make_room(b, err));                                                         \
            uint32_t hash = hash_word(v), at = hash & b->mask, key;                                \
            while ((key = b->table[at]) != 0) {                                                    \
                memcpy(&seen, b->values.data + (size_t)(key - 1) * sizeof v, sizeof v);            \
                if (seen == v)                                                                     \
                    break;                                                                         \
                at = (at + 1) & b->mask;                                                           \
            }                                                                                      \
            if (key == 0) {                                                                        \
                memcpy(b->values.data + b->values.len, &v, sizeof v);                              \
                b->values.len += sizeof v;                                                         \
                b->hashes[b->n] = hash;                                                            \
                key = b->table[at] = ++b->n;                                                       \
            }                                                                                      \
            keys[i] = key - 1;                                                                     \
        }                                                                                          \
        return LOCHAN_OK;                                                                          \
    }
ADD_WORDS(32, uint32_t)
ADD_WORDS(64, uint64_t)

/* Short texts are compared by two words that overlap. */
static inline bool same_bytes(const uint8_t *a, const uint8_t *b, size_t n) {
    uint64_t x[4];
    uint32_t y[4];
    if (n > 16)
        return memcmp(a, b, n) == 0;
    if (n >= 8) {
        memcpy(&x[0], a, 8), memcpy(&x[1], b, 8);
        memcpy(&x[2], a + n - 8, 8), memcpy(&x[3], b + n - 8, 8);
        return x[0] == x[1] && x[2] == x[3];
    }
    if (n >= 4) {
        memcpy(&y[0], a, 4), memcpy(&y[1], b, 4);
        memcpy(&y[2], a + n - 4, 4), memcpy(&y[3], b + n - 4, 4);
        return y[0] == y[1] && y[2] == y[3];
    }
    return n == 0 || (a[0] == b[0] && a[n / 2] == b[n / 2] && a[n - 1] == b[n - 1]);
}

static lochan_status add_one(lochan_pq_dict_builder *b, const uint8_t *p, size_t n, uint32_t *out,
                             lochan_error *err) {
    LOCHAN_TRY(make_room(b, err));
    uint32_t hash = hash_bytes(p, n), at = hash & b->mask, key;
    while ((key = b->table[at]) != 0) {
        if (b->hashes[key - 1] == hash) {
            lochan_pq_slice e = lochan_pq_dict_builder__entry(b, key - 1);
            if (e.n == n && same_bytes(e.p, p, n))
                break;
        }
        at = (at + 1) & b->mask;
    }
    if (key == 0) {
        LOCHAN_TRY(add_entry(b, p, n, hash, at, err));
        key = b->n;
    }
    *out = key - 1;
    return LOCHAN_OK;
}

lochan_status lochan_pq_dict_builder__add_fixed(lochan_pq_dict_builder *b, const uint8_t *values,
                                                size_t n, uint32_t *keys, lochan_error *err) {
    size_t w = (size_t)b->width;
    if (w == 4)
        return add_32(b, values, n, keys, err);
    if (w == 8)
        return add_64(b, values, n, keys, err);
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(add_one(b, values + i * w, w, &keys[i], err));
    return LOCHAN_OK;
}

lochan_status lochan_pq_dict_builder__add_slices(lochan_pq_dict_builder *b,
                                                 const lochan_pq_slice *values, size_t n,
                                                 uint32_t *keys, lochan_error *err) {
    for (size_t i = 0; i < n; i++) {
        const lochan_pq_slice *v = &values[i];
        if (i > 0 && v->n == v[-1].n && same_bytes(v->p, v[-1].p, v->n))
            keys[i] = keys[i - 1];
        else
            LOCHAN_TRY(add_one(b, v->p, v->n, &keys[i], err));
    }
    return LOCHAN_OK;
}
