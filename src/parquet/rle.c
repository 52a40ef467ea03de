/* rle.c - see rle.h.
 * Writing: long runs of equal values become repeated runs, all else packed groups of eight, so the
 * result is never much larger than plain bit packing. May call: base/, bits.h.
 */
#include "parquet/rle.h"
#include "parquet/bits.h"
#include <string.h>

void lochan_rle__init(lochan_rle *rle, const uint8_t *data, size_t n, unsigned width) {
    *rle = (lochan_rle){.pos = data, .end = n ? data + n : data, .width = width};
}

/* Reads the header of the next run. */
static bool next_run(lochan_rle *rle) {
    uint64_t header = 0;
    unsigned shift = 0;
    for (;; shift += 7) {
        if (rle->pos == rle->end || shift > 28)
            return false;
        uint8_t b = *rle->pos++;
        header |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80))
            break;
    }
    size_t have = (size_t)(rle->end - rle->pos);
    rle->packed = header & 1;
    if (rle->packed) {
        uint64_t values = (header >> 1) * 8, bytes = (header >> 1) * rle->width;
        if (bytes > have) { /* some writers cut the padding of the last group */
            bytes = have;
            values = have * 8 / rle->width;
        }
        rle->bits = rle->pos;
        rle->bits_size = (size_t)bytes;
        rle->next = 0;
        rle->left = values;
        rle->pos += bytes;
        return values > 0;
    }
    size_t bytes = (rle->width + 7) / 8;
    if (bytes > have)
        return false;
    rle->value = 0;
    for (size_t i = 0; i < bytes; i++)
        rle->value |= (uint32_t)rle->pos[i] << (8 * i);
    if (rle->width < 32 && rle->value >> rle->width)
        return false;
    rle->pos += bytes;
    rle->left = header >> 1;
    return rle->left > 0;
}

bool lochan_rle__next(lochan_rle *rle, uint32_t max, lochan_rle_span *out) {
    if (rle->left == 0 && !next_run(rle)) {
        rle->left = 0;
        return false;
    }
    uint32_t n = rle->left < max ? (uint32_t)rle->left : max;
    *out = (lochan_rle_span){n, rle->packed, rle->value, rle->bits, rle->bits_size, rle->next};
    rle->left -= n;
    rle->next += n;
    return true;
}

void lochan_rle_span__unpack(const lochan_rle_span *span, unsigned width, uint32_t at, uint32_t n,
                             uint32_t *out) {
    uint64_t first = span->first + at;
    unsigned lead = first & 7; /* values of the first group that were read before */
    size_t byte = (size_t)(first >> 3) * width;
    if (lead) {
        uint32_t group[8];
        uint32_t take = 8 - lead < n ? 8 - lead : n;
        size_t have = span->bits_size - byte;
        lochan_bits__unpack32(span->bits + byte, have, width, group, lead + take);
        for (uint32_t i = 0; i < take; i++)
            out[i] = group[lead + i];
        out += take, n -= take;
        byte += width;
    }
    if (n > 0)
        lochan_bits__unpack32(span->bits + byte, span->bits_size - byte, width, out, n);
}

bool lochan_rle__read32(lochan_rle *rle, uint32_t *out, size_t n) {
    while (n > 0) {
        lochan_rle_span span;
        if (!lochan_rle__next(rle, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, &span))
            return false;
        if (span.packed) {
            lochan_rle_span__unpack(&span, rle->width, 0, span.n, out);
        } else {
            for (uint32_t i = 0; i < span.n; i++)
                out[i] = span.value;
        }
        out += span.n, n -= span.n;
    }
    return true;
}

bool lochan_rle__read8(lochan_rle *rle, uint8_t *out, size_t n) {
    while (n > 0) {
        lochan_rle_span span;
        uint32_t values[512];
        if (!lochan_rle__next(rle, n < 512 ? (uint32_t)n : 512, &span))
            return false;
        if (span.packed) {
            lochan_rle_span__unpack(&span, rle->width, 0, span.n, values);
            for (uint32_t i = 0; i < span.n; i++)
                out[i] = (uint8_t)values[i];
        } else {
            memset(out, (int)span.value, span.n);
        }
        out += span.n, n -= span.n;
    }
    return true;
}

static size_t count_ones(const uint8_t *bits, int64_t from, int64_t n) {
    size_t ones = 0;
    for (; n > 0 && (from & 7) != 0; from++, n--)
        ones += (bits[from >> 3] >> (from & 7)) & 1;
    const uint8_t *p = bits + (from >> 3);
    for (; n >= 64; n -= 64, p += 8) {
        uint64_t w;
        memcpy(&w, p, 8);
        ones += (size_t)__builtin_popcountll(w);
    }
    for (; n >= 8; n -= 8)
        ones += (size_t)__builtin_popcount(*p++);
    for (int64_t i = 0; i < n; i++)
        ones += (*p >> i) & 1;
    return ones;
}

bool lochan_rle__read_bits(lochan_rle *rle, uint8_t *dst, int64_t to, size_t n, size_t *ones) {
    *ones = 0;
    while (n > 0) {
        lochan_rle_span span;
        if (!lochan_rle__next(rle, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, &span))
            return false;
        if (span.packed) {
            lochan_bits__copy(dst, to, span.bits, (int64_t)span.first, span.n);
            *ones += count_ones(dst, to, span.n);
        } else {
            lochan_bits__fill(dst, to, span.n, span.value != 0);
            *ones += span.value ? span.n : 0;
        }
        to += span.n, n -= span.n;
    }
    return true;
}

bool lochan_rle__skip(lochan_rle *rle, size_t n) {
    while (n > 0) {
        lochan_rle_span span;
        if (!lochan_rle__next(rle, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, &span))
            return false;
        n -= span.n;
    }
    return true;
}

/* The values to write, one or four bytes each. */
typedef struct rle_input {
    const uint8_t *narrow; /* NULL: wide */
    const uint32_t *wide;
    size_t n;
    unsigned width;
} rle_input;

static uint32_t value_at(const rle_input *in, size_t i) {
    return in->narrow ? in->narrow[i] : in->wide[i];
}

/* Whether the eight values from `at` on are equal. */
static inline bool eight_equal(const rle_input *in, size_t at) {
    if (in->narrow) {
        uint64_t eight;
        memcpy(&eight, in->narrow + at, 8);
        return eight == in->narrow[at] * 0x0101010101010101ull;
    }
    const uint32_t *v = in->wide + at;
    if (v[0] != v[1])
        return false;
    uint32_t differ = 0;
    for (int i = 2; i < 8; i++)
        differ |= v[i] ^ v[0];
    return differ == 0;
}

static size_t run_length(const rle_input *in, size_t from) {
    uint32_t v = value_at(in, from);
    size_t i = from;
    while (i + 8 <= in->n && value_at(in, i) == v && eight_equal(in, i))
        i += 8;
    while (i < in->n && value_at(in, i) == v)
        i++;
    return i - from;
}

/* Groups of eight values of one byte each, squeezed inside a word. Each stores eight bytes, so
 * there must be room for that after the last group. */
static void pack_narrow(const uint8_t *in, size_t groups, unsigned width, uint8_t *dst) {
    const uint64_t one = ((1ull << width) - 1) * 0x0001000100010001ull,
                   two = ((1ull << 2 * width) - 1) * 0x0000000100000001ull,
                   four = (1ull << 4 * width) - 1;
    for (size_t g = 0; g < groups; g++, in += 8, dst += width) {
        uint64_t v;
        memcpy(&v, in, 8);
        v = (v & one) | (v >> (8 - width) & one << width);
        v = (v & two) | (v >> (16 - 2 * width) & two << 2 * width);
        v = (v & four) | (v >> (32 - 4 * width) & four << 4 * width);
        memcpy(dst, &v, 8);
    }
}

/* Values [from, to) as packed groups; the last group is padded with zeros. */
static lochan_status write_packed(lochan_buf *buf, const rle_input *in, size_t from, size_t to,
                                  lochan_error *err) {
    size_t groups = (to - from + 7) / 8, whole = (to - from) / 8;
    LOCHAN_TRY(lochan_buf__varint(buf, (uint64_t)groups << 1 | 1, err));
    LOCHAN_TRY(lochan_buf__reserve(buf, groups * in->width + 8, err));
    uint8_t *dst = buf->data + buf->len;
    buf->len += groups * in->width;
    if (in->narrow && in->width < 8)
        pack_narrow(in->narrow + from, whole, in->width, dst);
    else if (in->narrow)
        memcpy(dst, in->narrow + from, whole * 8);
    else
        lochan_bits__pack32(in->wide + from, whole * 8, in->width, dst);
    if (whole < groups) {
        uint32_t rest[8] = {0};
        for (size_t i = from + whole * 8; i < to; i++)
            rest[(i - from) & 7] = value_at(in, i);
        lochan_bits__pack32(rest, 8, in->width, dst + whole * in->width);
    }
    return LOCHAN_OK;
}

static lochan_status write_repeated(lochan_buf *buf, uint32_t value, size_t n, unsigned width,
                                    lochan_error *err) {
    LOCHAN_TRY(lochan_buf__varint(buf, (uint64_t)n << 1, err));
    uint8_t le[4] = {(uint8_t)value, (uint8_t)(value >> 8), (uint8_t)(value >> 16),
                     (uint8_t)(value >> 24)};
    return lochan_buf__append(buf, le, (width + 7) / 8, err);
}

/* A run leaves the packed groups where it takes less room than they do: two heads of a byte or two
 * and the value, against width bytes for eight values. */
static size_t least_run(unsigned width) {
    return width >= 4 ? 8 : width == 0 ? 1 : 32 / width;
}

/* Runs are looked for at the ends of groups only: what a run has before lends itself to a group. */
static lochan_status write_hybrid(lochan_buf *buf, const rle_input *in, lochan_error *err) {
    size_t packed_from = 0, i = 0, least = least_run(in->width); /* [packed_from, i) waits */
    while (i + 8 <= in->n) {
        if (!eight_equal(in, i)) {
            i += 8;
            continue;
        }
        size_t run = run_length(in, i);
        bool tail = i + run == in->n && i == packed_from;
        if (run < least && !tail) {
            i += run & ~(size_t)7;
            continue;
        }
        if (i > packed_from)
            LOCHAN_TRY(write_packed(buf, in, packed_from, i, err));
        LOCHAN_TRY(write_repeated(buf, value_at(in, i), run, in->width, err));
        packed_from = i = i + run;
    }
    size_t left = in->n - packed_from;
    if (left == 0)
        return LOCHAN_OK;
    if (left < 8 && run_length(in, packed_from) == left)
        return write_repeated(buf, value_at(in, packed_from), left, in->width, err);
    return write_packed(buf, in, packed_from, in->n, err);
}

lochan_status lochan_rle__write32(lochan_buf *buf, const uint32_t *values, size_t n, unsigned width,
                                  lochan_error *err) {
    rle_input in = {NULL, values, n, width};
    return write_hybrid(buf, &in, err);
}

lochan_status lochan_rle__write8(lochan_buf *buf, const uint8_t *values, size_t n, unsigned width,
                                 lochan_error *err) {
    rle_input in = {values, NULL, n, width};
    return write_hybrid(buf, &in, err);
}
