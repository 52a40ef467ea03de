/* convert.c - see convert.h. Arrow decimals are little-endian two's complement of 16 or 32 bytes,
 * Parquet's big-endian of any width. May call: base/, schema.h.
 */
#include "parquet/convert.h"
#include "arrow/decimal.h"

/* Days from the Julian day number used by INT96 to 1970-01-01. */
enum { JULIAN_EPOCH = 2440588 };

static bool narrow(const lochan_pq_leaf *leaf, const uint8_t *src, size_t n, uint8_t *dst) {
    uint32_t bad = 0;
    for (size_t i = 0; i < n; i++) {
        int32_t v;
        memcpy(&v, src + 4 * i, 4);
        switch (leaf->type.id) {
        case LOCHAN_TYPE_INT8:
            bad |= (uint32_t)(v != (int8_t)v);
            dst[i] = (uint8_t)v;
            break;
        case LOCHAN_TYPE_UINT8:
            bad |= (uint32_t)(v != (uint8_t)v);
            dst[i] = (uint8_t)v;
            break;
        case LOCHAN_TYPE_INT16:
            bad |= (uint32_t)(v != (int16_t)v);
            memcpy(dst + 2 * i, &v, 2);
            break;
        default:
            bad |= (uint32_t)(v != (uint16_t)v);
            memcpy(dst + 2 * i, &v, 2);
        }
    }
    return bad == 0;
}

/* Big-endian two's complement of n bytes -> little-endian of width bytes. */
static bool decimal_from_bytes(const uint8_t *src, size_t n, uint8_t *dst, size_t width) {
    uint8_t sign = n > 0 && src[0] & 0x80 ? 0xff : 0;
    while (n > width) { /* wider than Arrow's: the rest must be sign only */
        if (src[0] != sign)
            return false;
        src++, n--;
    }
    if (n == width && sign != (src[0] & 0x80 ? 0xff : 0))
        return false;
    for (size_t i = 0; i < n; i++)
        dst[i] = src[n - 1 - i];
    memset(dst + n, sign, width - n);
    return true;
}

/* Whether n Arrow decimals have no more digits than their type. Most are small and seen so at once.
 */
static bool decimals_fit(const lochan_pq_leaf *leaf, const uint8_t *values, size_t n) {
    size_t width = (size_t)leaf->out_width;
    int64_t limit = 1;
    for (int i = 0; i < leaf->type.precision && i < 18; i++)
        limit *= 10;
    for (size_t i = 0; i < n; i++, values += width) {
        int64_t low, high;
        memcpy(&low, values, 8);
        memcpy(&high, values + 8, 8);
        bool small = width == 16 && high == low >> 63 && low < limit && low > -limit;
        if (!small && !lochan_decimal__fits(values, (int)width, leaf->type.precision))
            return false;
    }
    return true;
}

static bool read_decimal(const lochan_pq_leaf *leaf, const uint8_t *src, size_t n, uint8_t *dst) {
    size_t out = (size_t)leaf->out_width, width = (size_t)leaf->width;
    if (leaf->physical == LOCHAN_PQ_FIXED_BYTES) {
        for (size_t i = 0; i < n; i++) {
            if (!decimal_from_bytes(src + i * width, width, dst + i * out, out))
                return false;
        }
        return decimals_fit(leaf, dst, n);
    }
    for (size_t i = 0; i < n; i++) { /* INT32, INT64: little-endian already */
        memcpy(dst + i * out, src + i * width, width);
        memset(dst + i * out + width, src[i * width + width - 1] & 0x80 ? 0xff : 0, out - width);
    }
    return decimals_fit(leaf, dst, n);
}

static bool read_int96(const uint8_t *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++, src += 12) {
        int64_t ns, out;
        int32_t day;
        memcpy(&ns, src, 8);
        memcpy(&day, src + 8, 4);
        /* a date before 1677 or after 2262 would wrap into another one */
        if (__builtin_mul_overflow((int64_t)day - JULIAN_EPOCH, INT64_C(86400000000000), &out) ||
            __builtin_add_overflow(out, ns, &out))
            return false;
        memcpy(dst + 8 * i, &out, 8);
    }
    return true;
}

/* Milliseconds that were written from whole seconds. */
static bool read_seconds(const lochan_pq_leaf *leaf, const uint8_t *src, size_t n, uint8_t *dst) {
    bool whole = true;
    for (size_t i = 0; i < n; i++) {
        if (leaf->width == 4) {
            int32_t ms, s;
            memcpy(&ms, src + 4 * i, 4);
            s = ms / 1000;
            whole &= s * 1000 == ms;
            memcpy(dst + 4 * i, &s, 4);
        } else {
            int64_t ms, s;
            memcpy(&ms, src + 8 * i, 8);
            s = ms / 1000;
            whole &= s * 1000 == ms;
            memcpy(dst + 8 * i, &s, 8);
        }
    }
    return whole;
}

static bool read_date64(const uint8_t *src, size_t n, uint8_t *dst) {
    for (size_t i = 0; i < n; i++) {
        int32_t day;
        memcpy(&day, src + 4 * i, 4);
        int64_t ms = (int64_t)day * 86400000;
        memcpy(dst + 8 * i, &ms, 8);
    }
    return true;
}

bool lochan_pq_convert__read(const lochan_pq_leaf *leaf, const uint8_t *src, size_t n,
                             uint8_t *dst) {
    switch (leaf->convert) {
    case LOCHAN_PQ_CONVERT_SECONDS:
        return read_seconds(leaf, src, n, dst);
    case LOCHAN_PQ_CONVERT_DATE64:
        return read_date64(src, n, dst);
    case LOCHAN_PQ_CONVERT_NARROW:
        return narrow(leaf, src, n, dst);
    case LOCHAN_PQ_CONVERT_DECIMAL:
        return read_decimal(leaf, src, n, dst);
    case LOCHAN_PQ_CONVERT_INT96:
        return read_int96(src, n, dst);
    default:
        memcpy(dst, src, n * (size_t)leaf->width);
        return true;
    }
}

bool lochan_pq_convert__read_slices(const lochan_pq_leaf *leaf, const lochan_pq_slice *src,
                                    size_t n, uint8_t *dst) {
    size_t out = (size_t)leaf->out_width;
    for (size_t i = 0; i < n; i++) {
        if (!decimal_from_bytes(src[i].p, src[i].n, dst + i * out, out))
            return false;
    }
    return decimals_fit(leaf, dst, n);
}

static int32_t widen_one(lochan_type_id id, const uint8_t *src, size_t i) {
    uint16_t two = 0;
    if (id == LOCHAN_TYPE_INT8)
        return (int8_t)src[i];
    if (id == LOCHAN_TYPE_UINT8)
        return src[i];
    memcpy(&two, src + 2 * i, 2);
    return id == LOCHAN_TYPE_INT16 ? (int16_t)two : two;
}

static bool write_seconds(const lochan_pq_leaf *leaf, const uint8_t *src, size_t n, uint8_t *dst,
                          size_t *bad) {
    for (size_t i = 0; i < n; i++) {
        if (leaf->width == 4) {
            int32_t v, ms;
            memcpy(&v, src + 4 * i, 4);
            *bad = i;
            if (__builtin_mul_overflow(v, 1000, &ms))
                return false;
            memcpy(dst + 4 * i, &ms, 4);
        } else {
            int64_t v, ms;
            memcpy(&v, src + 8 * i, 8);
            *bad = i;
            if (__builtin_mul_overflow(v, (int64_t)1000, &ms))
                return false;
            memcpy(dst + 8 * i, &ms, 8);
        }
    }
    return true;
}

static bool write_date64(const uint8_t *src, size_t n, uint8_t *dst, size_t *bad) {
    for (size_t i = 0; i < n; i++) {
        int64_t ms, days;
        memcpy(&ms, src + 8 * i, 8);
        days = ms / 86400000;
        *bad = i;
        if (days * 86400000 != ms || days != (int32_t)days)
            return false;
        int32_t day = (int32_t)days;
        memcpy(dst + 4 * i, &day, 4);
    }
    return true;
}

static bool write_decimal(const lochan_pq_leaf *leaf, const uint8_t *src, size_t n, uint8_t *dst,
                          size_t *bad) {
    size_t in = (size_t)leaf->out_width, width = (size_t)leaf->width;
    for (size_t i = 0; i < n; i++, src += in, dst += width) {
        uint8_t sign = src[width - 1] & 0x80 ? 0xff : 0;
        *bad = i;
        if (!decimals_fit(leaf, src, 1))
            return false;
        for (size_t b = width; b < in; b++) {
            if (src[b] != sign)
                return false;
        }
        if (leaf->physical != LOCHAN_PQ_FIXED_BYTES) {
            memcpy(dst, src, width);
            continue;
        }
        for (size_t b = 0; b < width; b++)
            dst[b] = src[width - 1 - b];
    }
    return true;
}

bool lochan_pq_convert__write(const lochan_pq_leaf *leaf, const uint8_t *src, size_t n,
                              uint8_t *dst, size_t *bad) {
    switch (leaf->convert) {
    case LOCHAN_PQ_CONVERT_NARROW:
        for (size_t i = 0; i < n; i++) {
            int32_t v = widen_one(leaf->type.id, src, i);
            memcpy(dst + 4 * i, &v, 4);
        }
        return true;
    case LOCHAN_PQ_CONVERT_SECONDS:
        return write_seconds(leaf, src, n, dst, bad);
    case LOCHAN_PQ_CONVERT_DATE64:
        return write_date64(src, n, dst, bad);
    case LOCHAN_PQ_CONVERT_DECIMAL:
        return write_decimal(leaf, src, n, dst, bad);
    default:
        memcpy(dst, src, n * (size_t)leaf->width);
        return true;
    }
}
