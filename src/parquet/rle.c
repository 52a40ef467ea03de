/* rle.c - see rle.h.
 * Writing: runs of eight and more equal values become repeated runs, all else packed groups of
 * eight, so the result is never much larger than plain bit packing. May call: base/, bits.h.
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

static size_t run_length(const rle_input *in, size_t from) {
    size_t i = from + 1;
    if (in->narrow) {
        uint8_t v = in->narrow[from];
        uint64_t eight, pattern = v * 0x0101010101010101ull; /* levels are long runs */
        for (; i + 8 <= in->n; i += 8) {
            memcpy(&eight, in->narrow + i, 8);
            if (eight != pattern)
                break;
        }
        while (i < in->n && in->narrow[i] == v)
            i++;
    } else {
        uint32_t v = in->wide[from];
        while (i < in->n && in->wide[i] == v)
            i++;
    }
    return i - from;
}

/* Values [from, to) as packed groups; the last group is padded with zeros. */
static lochan_status write_packed(lochan_buf *buf, const rle_input *in, size_t from, size_t to,
                                  lochan_error *err) {
    size_t groups = (to - from + 7) / 8;
    LOCHAN_TRY(lochan_buf__varint(buf, (uint64_t)groups << 1 | 1, err));
    LOCHAN_TRY(lochan_buf__reserve(buf, groups * in->width, err));
    while (from < to) {
        uint32_t chunk[256];
        size_t n = to - from < LOCHAN_COUNTOF(chunk) ? to - from : LOCHAN_COUNTOF(chunk);
        for (size_t i = 0; i < n; i++)
            chunk[i] = value_at(in, from + i);
        size_t padded = (n + 7) & ~(size_t)7;
        memset(chunk + n, 0, (padded - n) * sizeof *chunk);
        lochan_bits__pack32(chunk, padded, in->width, buf->data + buf->len);
        buf->len += padded / 8 * in->width;
        from += n;
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

static lochan_status write_hybrid(lochan_buf *buf, const rle_input *in, lochan_error *err) {
    size_t packed_from = 0, i = 0; /* [packed_from, i) waits to be packed */
    while (i < in->n) {
        size_t run = run_length(in, i);
        bool tail = i + run == in->n;
        if (run >= 16 || (i == packed_from && (run >= 8 || tail))) {
            /* packed values before a repeated run must fill whole groups: lend them the head of the
             * run */
            size_t lend = (8 - ((i - packed_from) & 7)) & 7;
            if (i > packed_from)
                LOCHAN_TRY(write_packed(buf, in, packed_from, i + lend, err));
            LOCHAN_TRY(write_repeated(buf, value_at(in, i), run - lend, in->width, err));
            packed_from = i + run;
        }
        i += run;
    }
    return packed_from < in->n ? write_packed(buf, in, packed_from, in->n, err) : LOCHAN_OK;
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
