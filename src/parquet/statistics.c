/* statistics.c - see statistics.h. May call: base/, arrow/, schema.h. */
#include "parquet/statistics.h"
#include "base/mem.h"
#include <math.h>

#define BIT LOCHAN_THRIFT_BIT

void lochan_pq_stats__init(lochan_pq_stats *s, const lochan_pq_leaf *leaf) {
    *s = (lochan_pq_stats){.leaf = leaf, .broken = leaf->order == LOCHAN_PQ_ORDER_NONE};
    lochan_buf__init(&s->min, SIZE_MAX / 4);
    lochan_buf__init(&s->max, SIZE_MAX / 4);
}

void lochan_pq_stats__deinit(lochan_pq_stats *s) {
    lochan_buf__deinit(&s->min);
    lochan_buf__deinit(&s->max);
}

void lochan_pq_stats__clear(lochan_pq_stats *s) {
    lochan_buf__clear(&s->min);
    lochan_buf__clear(&s->max);
    s->has = false;
    s->broken = s->leaf->order == LOCHAN_PQ_ORDER_NONE;
    s->values = s->nulls = s->nans = 0;
}

static float half_to_float(uint16_t h) {
    uint32_t sign = (uint32_t)(h & 0x8000) << 16, exponent = (h >> 10) & 31, mantissa = h & 0x3ff,
             bits;
    if (exponent == 0) { /* zero or subnormal */
        float f = (float)mantissa * 0x1p-24f;
        return sign ? -f : f;
    }
    bits = sign | (exponent == 31 ? 0x7f800000u : (exponent + 112) << 23) | mantissa << 13;
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static double float_at(const lochan_pq_leaf *leaf, const uint8_t *p) {
    if (leaf->width == 8) {
        double d;
        memcpy(&d, p, 8);
        return d;
    }
    if (leaf->width == 4) {
        float f;
        memcpy(&f, p, 4);
        return (double)f;
    }
    uint16_t h;
    memcpy(&h, p, 2);
    return (double)half_to_float(h);
}

static int compare_decimal(lochan_str a, lochan_str b) {
    /* two's complement, big-endian, any widths: bring both to one width by their signs */
    size_t n = a.n > b.n ? a.n : b.n;
    uint8_t sa = a.n && (uint8_t)a.p[0] & 0x80 ? 0xff : 0,
            sb = b.n && (uint8_t)b.p[0] & 0x80 ? 0xff : 0;
    if (sa != sb)
        return sa ? -1 : 1;
    for (size_t i = 0; i < n; i++) {
        uint8_t x = i < n - a.n ? sa : (uint8_t)a.p[i - (n - a.n)];
        uint8_t y = i < n - b.n ? sb : (uint8_t)b.p[i - (n - b.n)];
        if (x != y)
            return x < y ? -1 : 1;
    }
    return 0;
}

static int64_t int_at(const lochan_pq_leaf *leaf, const char *p) {
    int32_t v32;
    int64_t v64;
    if (leaf->width == 8) {
        memcpy(&v64, p, 8);
        return v64;
    }
    if (leaf->width == 0) /* boolean */
        return (uint8_t)p[0];
    memcpy(&v32, p, 4);
    return leaf->order == LOCHAN_PQ_ORDER_UNSIGNED ? (int64_t)(uint32_t)v32 : v32;
}

int lochan_pq_stats__compare(const lochan_pq_leaf *leaf, lochan_str a, lochan_str b) {
    switch (leaf->order) {
    case LOCHAN_PQ_ORDER_FLOAT: {
        double x = float_at(leaf, (const void *)a.p), y = float_at(leaf, (const void *)b.p);
        return x < y ? -1 : x > y;
    }
    case LOCHAN_PQ_ORDER_DECIMAL:
        return compare_decimal(a, b);
    case LOCHAN_PQ_ORDER_BYTES: {
        size_t n = a.n < b.n ? a.n : b.n;
        int c = n ? memcmp(a.p, b.p, n) : 0;
        return c ? c : (a.n > b.n) - (a.n < b.n);
    }
    case LOCHAN_PQ_ORDER_UNSIGNED: {
        uint64_t x = (uint64_t)int_at(leaf, a.p), y = (uint64_t)int_at(leaf, b.p);
        return x < y ? -1 : x > y;
    }
    default: {
        int64_t x = int_at(leaf, a.p), y = int_at(leaf, b.p);
        return x < y ? -1 : x > y;
    }
    }
}

static void set_bound(lochan_pq_stats *s, lochan_buf *bound, const void *p, size_t n) {
    lochan_buf__clear(bound);
    if (lochan_buf__append(bound, p, n, NULL) != LOCHAN_OK)
        s->broken = true;
}

static lochan_str bound_str(const lochan_buf *b) {
    return (lochan_str){b->data ? (const char *)b->data : "", b->len};
}

/* Widens [min, max] by one value each way. */
static void include(lochan_pq_stats *s, lochan_str min, lochan_str max) {
    if (s->broken)
        return;
    if (!s->has || lochan_pq_stats__compare(s->leaf, min, bound_str(&s->min)) < 0)
        set_bound(s, &s->min, min.p, min.n);
    if (!s->has || lochan_pq_stats__compare(s->leaf, max, bound_str(&s->max)) > 0)
        set_bound(s, &s->max, max.p, max.n);
    s->has = true;
}

#define RANGE(name, type)                                                                          \
    static void range_##name(const uint8_t *values, size_t n, uint8_t *min, uint8_t *max) {        \
        type lo, hi;                                                                               \
        memcpy(&lo, values, sizeof lo);                                                            \
        hi = lo;                                                                                   \
        for (size_t i = 0; i < n; i++) {                                                           \
            type v;                                                                                \
            memcpy(&v, values + i * sizeof v, sizeof v);                                           \
            lo = v < lo ? v : lo;                                                                  \
            hi = v > hi ? v : hi;                                                                  \
        }                                                                                          \
        memcpy(min, &lo, sizeof lo);                                                               \
        memcpy(max, &hi, sizeof hi);                                                               \
    }
RANGE(i32, int32_t)
RANGE(u32, uint32_t)
RANGE(i64, int64_t)
RANGE(u64, uint64_t)
RANGE(u8, uint8_t)

/* Comparisons with NaN are false, so NaN changes neither bound; start from the infinities. Eight
 * lanes, since one comparison after the other would wait for its result. */
#define FLOAT_RANGE(name, type)                                                                    \
    static size_t range_##name(const uint8_t *values, size_t n, type *min, type *max) {            \
        type lo = (type)INFINITY, hi = (type)-INFINITY, low[8], high[8], v[8];                     \
        size_t nans = 0, i = 0;                                                                    \
        for (int k = 0; k < 8; k++)                                                                \
            low[k] = lo, high[k] = hi;                                                             \
        for (; i + 8 <= n; i += 8) {                                                               \
            unsigned odd = 0;                                                                      \
            memcpy(v, values + i * sizeof *v, sizeof v);                                           \
            for (int k = 0; k < 8; k++) {                                                          \
                low[k] = v[k] < low[k] ? v[k] : low[k];                                            \
                high[k] = v[k] > high[k] ? v[k] : high[k];                                         \
                odd += v[k] != v[k];                                                               \
            }                                                                                      \
            nans += odd;                                                                           \
        }                                                                                          \
        for (int k = 0; k < 8; k++) {                                                              \
            lo = low[k] < lo ? low[k] : lo;                                                        \
            hi = high[k] > hi ? high[k] : hi;                                                      \
        }                                                                                          \
        for (; i < n; i++) {                                                                       \
            memcpy(v, values + i * sizeof *v, sizeof *v);                                          \
            lo = v[0] < lo ? v[0] : lo;                                                            \
            hi = v[0] > hi ? v[0] : hi;                                                            \
            nans += v[0] != v[0];                                                                  \
        }                                                                                          \
        *min = lo == 0 ? (type)-0.0 : lo;                                                          \
        *max = hi == 0 ? (type)0.0 : hi;                                                           \
        return nans;                                                                               \
    }
FLOAT_RANGE(f32, float)
FLOAT_RANGE(f64, double)

static void add_floats(lochan_pq_stats *s, const uint8_t *values, size_t n) {
    size_t nans;
    if (s->leaf->width == 8) {
        double min, max;
        nans = range_f64(values, n, &min, &max);
        if (nans < n)
            include(s, (lochan_str){(char *)&min, 8}, (lochan_str){(char *)&max, 8});
    } else if (s->leaf->width == 4) {
        float min, max;
        nans = range_f32(values, n, &min, &max);
        if (nans < n)
            include(s, (lochan_str){(char *)&min, 4}, (lochan_str){(char *)&max, 4});
    } else {
        nans = 0;
        for (size_t i = 0; i < n; i++) {
            float v = (float)float_at(s->leaf, values + 2 * i);
            uint16_t low, high;
            memcpy(&low, values + 2 * i, 2);
            high = low;
            if (v != v)
                nans++;
            else if (v == 0)
                low = 0x8000, high = 0;
            if (v == v)
                include(s, (lochan_str){(char *)&low, 2}, (lochan_str){(char *)&high, 2});
        }
    }
    s->nans += (int64_t)nans;
}

void lochan_pq_stats__add_fixed(lochan_pq_stats *s, const uint8_t *values, size_t n) {
    const lochan_pq_leaf *leaf = s->leaf;
    uint8_t min[8], max[8];
    if (n == 0)
        return;
    s->values += (int64_t)n;
    if (leaf->order == LOCHAN_PQ_ORDER_FLOAT) {
        add_floats(s, values, n);
        return;
    }
    if (s->broken)
        return;
    bool is_unsigned = leaf->order == LOCHAN_PQ_ORDER_UNSIGNED;
    size_t width = (size_t)leaf->width;
    if (leaf->physical == LOCHAN_PQ_BOOLEAN) {
        width = 1;
        range_u8(values, n, min, max);
    } else if (leaf->physical == LOCHAN_PQ_INT32) {
        (is_unsigned ? range_u32 : range_i32)(values, n, min, max);
    } else if (leaf->physical == LOCHAN_PQ_INT64) {
        (is_unsigned ? range_u64 : range_i64)(values, n, min, max);
    } else {
        lochan_str lo = {(const char *)values, width}, hi = lo;
        for (size_t i = 1; i < n; i++) {
            lochan_str v = {(const char *)values + i * width, width};
            if (lochan_pq_stats__compare(leaf, v, lo) < 0)
                lo = v;
            else if (lochan_pq_stats__compare(leaf, v, hi) > 0)
                hi = v;
        }
        include(s, lo, hi);
        return;
    }
    include(s, (lochan_str){(char *)min, width}, (lochan_str){(char *)max, width});
}

void lochan_pq_stats__add_slices(lochan_pq_stats *s, const lochan_pq_slice *values, size_t n) {
    if (n == 0)
        return;
    s->values += (int64_t)n;
    if (s->broken)
        return;
    lochan_str lo = {(const char *)values[0].p, values[0].n}, hi = lo;
    for (size_t i = 1; i < n; i++) {
        lochan_str v = {(const char *)values[i].p, values[i].n};
        if (lochan_pq_stats__compare(s->leaf, v, lo) < 0)
            lo = v;
        else if (lochan_pq_stats__compare(s->leaf, v, hi) > 0)
            hi = v;
    }
    include(s, lo, hi);
}

void lochan_pq_stats__merge(lochan_pq_stats *s, const lochan_pq_stats *from) {
    s->values += from->values;
    s->nulls += from->nulls;
    s->nans += from->nans;
    s->broken = s->broken || from->broken;
    if (from->has)
        include(s, bound_str(&from->min), bound_str(&from->max));
}

/* Length of s cut to at most max bytes; text is cut between characters. */
static size_t cut_length(lochan_str s, size_t max, bool text) {
    if (s.n <= max)
        return s.n;
    while (text && max > 0 && ((uint8_t)s.p[max] & 0xc0) == 0x80)
        max--;
    return max;
}

/* Makes the n bytes at p the smallest text that is larger than everything they begin. Returns the
 * new length, 0 if there is none. Text keeps to characters of one byte or steps by code point where
 * the last one allows it. */
static size_t increment(uint8_t *p, size_t n, bool text) {
    while (n > 0) {
        size_t first = n - 1;
        while (text && first > 0 && (p[first] & 0xc0) == 0x80)
            first--;
        if (!text || n - first == 1) {
            if (p[first] < (text ? 0x7f : 0xff)) {
                p[first]++;
                return n;
            }
        } else { /* a longer character: step its last byte, if that keeps it whole */
            bool before_surrogates =
                n - first == 3 && p[first] == 0xed && p[first + 1] == 0x9f && p[n - 1] == 0xbf;
            if (p[n - 1] < 0xbf && !before_surrogates) {
                p[n - 1]++;
                return n;
            }
        }
        n = first;
    }
    return 0;
}

static bool dup_bound(lochan_arena *arena, const lochan_buf *from, size_t n, lochan_str *out) {
    char *p = lochan_arena__alloc(arena, n ? n : 1);
    if (!p)
        return false;
    if (n > 0)
        memcpy(p, from->data, n);
    *out = (lochan_str){p, n};
    return true;
}

lochan_status lochan_pq_stats__finish(const lochan_pq_stats *s, int32_t max_bytes,
                                      lochan_arena *arena, lochan_pq_statistics *out,
                                      lochan_error *err) {
    memset(out, 0, sizeof *out);
    out->set = BIT(3);
    out->null_count = s->nulls;
    if (s->leaf->order == LOCHAN_PQ_ORDER_FLOAT) {
        out->set |= BIT(9);
        out->nan_count = s->nans;
    }
    if (!s->has || s->broken)
        return LOCHAN_OK;
    bool cuts =
        s->leaf->physical == LOCHAN_PQ_BYTE_ARRAY && s->leaf->order == LOCHAN_PQ_ORDER_BYTES;
    bool text = LOCHAN_PQ_HAS(s->leaf->element, 6) &&
                s->leaf->element->converted == LOCHAN_PQ_CONVERTED_UTF8;
    size_t limit = cuts ? (size_t)max_bytes : SIZE_MAX;
    size_t min_n = cut_length(bound_str(&s->min), limit, text),
           max_n = cut_length(bound_str(&s->max), limit, text);
    if (!dup_bound(arena, &s->min, min_n, &out->min) ||
        !dup_bound(arena, &s->max, max_n, &out->max))
        return lochan_error__nomem(err);
    out->set |= BIT(6) | BIT(8);
    out->min_exact = min_n == s->min.len;
    out->max_exact = max_n == s->max.len;
    if (!out->max_exact)
        out->max.n = increment((uint8_t *)(uintptr_t)out->max.p, max_n, text);
    if (out->max_exact || out->max.n > 0)
        out->set |= BIT(5) | BIT(7);
    return LOCHAN_OK;
}

/* ---- reading ---- */

static bool bound_ok(const lochan_pq_leaf *leaf, lochan_str v) {
    size_t width = leaf->physical == LOCHAN_PQ_BOOLEAN ? 1 : (size_t)leaf->width;
    if (leaf->physical == LOCHAN_PQ_BYTE_ARRAY)
        return true;
    if (v.n != width)
        return false;
    if (leaf->order != LOCHAN_PQ_ORDER_FLOAT)
        return true;
    double d = float_at(leaf, (const void *)v.p);
    return d == d;
}

static bool old_bounds_ok(const lochan_pq_leaf *leaf) {
    return leaf->order == LOCHAN_PQ_ORDER_SIGNED || leaf->order == LOCHAN_PQ_ORDER_FLOAT;
}

bool lochan_pq_stats__bounds(const lochan_pq_leaf *leaf, const lochan_pq_statistics *in,
                             lochan_str *min, lochan_str *max) {
    bool has_min = LOCHAN_PQ_HAS(in, 6), has_max = LOCHAN_PQ_HAS(in, 5);
    *min = in->min;
    *max = in->max;
    if (!has_min && !has_max && old_bounds_ok(leaf) && LOCHAN_PQ_HAS(in, 1) &&
        LOCHAN_PQ_HAS(in, 2)) {
        has_min = has_max = true;
        *min = in->min_old;
        *max = in->max_old;
    }
    if (leaf->order == LOCHAN_PQ_ORDER_NONE || (has_min && !bound_ok(leaf, *min)) ||
        (has_max && !bound_ok(leaf, *max)) ||
        (has_min && has_max && lochan_pq_stats__compare(leaf, *min, *max) > 0))
        has_min = has_max = false; /* one wrong bound makes the other doubtful */
    if (!has_min)
        *min = (lochan_str){NULL, 0};
    if (!has_max)
        *max = (lochan_str){NULL, 0};
    return has_min || has_max;
}

static void typed_bounds(const lochan_pq_leaf *leaf, lochan_str min, lochan_str max,
                         lochan_expr_stats *out) {
    lochan_type_id id = leaf->type.id;
    out->has_min = min.p != NULL;
    out->has_max = max.p != NULL;
    if (leaf->order == LOCHAN_PQ_ORDER_FLOAT) {
        out->min_f = out->has_min ? float_at(leaf, (const void *)min.p) : 0;
        out->max_f = out->has_max ? float_at(leaf, (const void *)max.p) : 0;
    } else if (lochan_type__is_bytes(id) || id == LOCHAN_TYPE_FIXED_BINARY) {
        out->min_s = min;
        out->max_s = max;
    } else if (id == LOCHAN_TYPE_DECIMAL128 || id == LOCHAN_TYPE_DECIMAL256) {
        out->has_min = out->has_max = false; /* no typed form */
    } else {
        out->min_i = out->has_min ? int_at(leaf, min.p) : 0;
        out->max_i = out->has_max ? int_at(leaf, max.p) : 0;
        if (id == LOCHAN_TYPE_UINT64) { /* above the range of int64 there is no typed form */
            out->has_min = out->has_min && out->min_i >= 0;
            out->has_max = out->has_max && out->max_i >= 0;
        }
    }
}

bool lochan_pq_stats__read(const lochan_pq_leaf *leaf, const lochan_pq_statistics *in,
                           int64_t values, lochan_expr_stats *out) {
    lochan_str min, max;
    memset(out, 0, sizeof *out);
    out->type = leaf->type;
    out->row_count = values;
    out->null_count = LOCHAN_PQ_HAS(in, 3) && in->null_count >= 0 && in->null_count <= values
                          ? in->null_count
                          : -1;
    bool is_float = lochan_type__is_float(leaf->type.id);
    out->may_have_nan = is_float && !(LOCHAN_PQ_HAS(in, 9) && in->nan_count == 0);
    if (lochan_pq_stats__bounds(leaf, in, &min, &max))
        typed_bounds(leaf, min, max, out);
    bool cut = leaf->physical == LOCHAN_PQ_BYTE_ARRAY;
    out->min_exact = out->has_min && (!cut || (LOCHAN_PQ_HAS(in, 8) && in->min_exact));
    out->max_exact = out->has_max && (!cut || (LOCHAN_PQ_HAS(in, 7) && in->max_exact));
    return out->has_min || out->has_max || out->null_count >= 0;
}
