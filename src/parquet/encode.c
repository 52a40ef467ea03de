/* encode.c - see encode.h. May call: base/, bits.h, rle.h, schema.h. */
#include "parquet/encode.h"
#include "parquet/bits.h"

enum { BLOCK = 128, MINIS = 4, PER_MINI = BLOCK / MINIS };

typedef struct encode_input {
    const lochan_pq_leaf *leaf;
    const uint8_t *values;
    size_t bytes, n;
} encode_input;

static uint64_t zigzag(uint64_t v) {
    return (v << 1) ^ (0 - (v >> 63));
}

/* Writes numbers as a DELTA_BINARY_PACKED run. `at` delivers the i-th number, sign-extended. */
typedef uint64_t (*number_fn)(const void *ctx, size_t i);

static lochan_status put_block(lochan_buf *out, uint64_t *deltas, size_t n, lochan_error *err) {
    int64_t min = INT64_MAX;
    for (size_t i = 0; i < n; i++)
        min = (int64_t)deltas[i] < min ? (int64_t)deltas[i] : min;
    LOCHAN_TRY(lochan_buf__varint(out, zigzag((uint64_t)min), err));
    LOCHAN_TRY(lochan_buf__reserve(out, MINIS + BLOCK * 8, err));
    uint8_t *widths = out->data + out->len;
    memset(widths, 0, MINIS);
    out->len += MINIS;
    for (size_t i = 0; i < BLOCK; i++)
        deltas[i] = i < n ? deltas[i] - (uint64_t)min : 0;
    for (size_t m = 0; m * PER_MINI < n; m++) {
        uint64_t all = 0;
        for (size_t i = 0; i < PER_MINI; i++)
            all |= deltas[m * PER_MINI + i];
        unsigned width = lochan_bits__width(all);
        widths[m] = (uint8_t)width;
        lochan_bits__pack64(deltas + m * PER_MINI, PER_MINI, width, out->data + out->len);
        out->len += PER_MINI / 8 * width;
    }
    return LOCHAN_OK;
}

static lochan_status put_numbers(lochan_buf *out, number_fn at, const void *ctx, size_t n,
                                 bool narrow, lochan_error *err) {
    uint64_t deltas[BLOCK], last = n ? at(ctx, 0) : 0;
    LOCHAN_TRY(lochan_buf__varint(out, BLOCK, err));
    LOCHAN_TRY(lochan_buf__varint(out, MINIS, err));
    LOCHAN_TRY(lochan_buf__varint(out, n, err));
    LOCHAN_TRY(lochan_buf__varint(out, zigzag(last), err));
    for (size_t i = 1; i < n;) {
        size_t m = 0;
        for (; m < BLOCK && i < n; m++, i++) {
            uint64_t v = at(ctx, i);
            deltas[m] = v - last;
            if (narrow) /* INT32 wraps at 32 bits: no difference is wider */
                deltas[m] = (uint64_t)(int64_t)(int32_t)(uint32_t)deltas[m];
            last = v;
        }
        LOCHAN_TRY(put_block(out, deltas, m, err));
    }
    return LOCHAN_OK;
}

static uint64_t number32(const void *ctx, size_t i) {
    int32_t v;
    memcpy(&v, (const uint8_t *)ctx + 4 * i, 4);
    return (uint64_t)(int64_t)v;
}

static uint64_t number64(const void *ctx, size_t i) {
    uint64_t v;
    memcpy(&v, (const uint8_t *)ctx + 8 * i, 8);
    return v;
}

static lochan_status encode_delta(const encode_input *in, lochan_buf *out, lochan_error *err) {
    bool narrow = in->leaf->width == 4;
    return put_numbers(out, narrow ? number32 : number64, in->values, in->n, narrow, err);
}

static lochan_status encode_plain(const encode_input *in, lochan_buf *out, lochan_error *err) {
    if (in->leaf->physical != LOCHAN_PQ_BOOLEAN)
        return in->bytes ? lochan_buf__append(out, in->values, in->bytes, err) : LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__reserve(out, in->n / 8 + 1, err));
    for (size_t i = 0; i < in->n; i += 8) {
        unsigned byte = 0;
        for (size_t b = 0; b < 8 && i + b < in->n; b++)
            byte |= (unsigned)in->values[i + b] << b;
        out->data[out->len++] = (uint8_t)byte;
    }
    return LOCHAN_OK;
}

static lochan_status encode_rle(const encode_input *in, lochan_buf *out, lochan_error *err) {
    size_t at = out->len;
    LOCHAN_TRY(lochan_buf__u32le(out, 0, err));
    LOCHAN_TRY(lochan_rle__write8(out, in->values, in->n, 1, err));
    uint32_t size = (uint32_t)(out->len - at - 4);
    memcpy(out->data + at, &size, 4);
    return LOCHAN_OK;
}

static lochan_status encode_split(const encode_input *in, lochan_buf *out, lochan_error *err) {
    if (in->n == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__reserve(out, in->bytes, err));
    lochan_pq_split__part(in->values, in->n, (size_t)in->leaf->width, out->data + out->len);
    out->len += in->bytes;
    return LOCHAN_OK;
}

/* Where byte arrays begin, so that numbers about them can be asked for by index. */
typedef struct byte_arrays {
    lochan_pq_slice *slices;
    uint32_t *prefixes; /* bytes shared with the value before; NULL: none */
} byte_arrays;

static void byte_arrays_free(byte_arrays *b) {
    lochan_mem__free(b->slices);
    lochan_mem__free(b->prefixes);
}

static lochan_status byte_arrays_init(byte_arrays *b, const encode_input *in, bool prefixes,
                                      lochan_error *err) {
    size_t width = (size_t)in->leaf->width; /* 0: lengths stand before the bytes */
    *b = (byte_arrays){lochan_mem__array(in->n + 1, sizeof *b->slices), NULL};
    if (prefixes)
        b->prefixes = lochan_mem__array(in->n + 1, sizeof *b->prefixes);
    if (!b->slices || (prefixes && !b->prefixes)) {
        byte_arrays_free(b);
        return lochan_error__nomem(err);
    }
    const uint8_t *at = in->values;
    for (size_t i = 0; i < in->n; i++) {
        uint32_t n = (uint32_t)width, shared = 0;
        if (width == 0) {
            memcpy(&n, at, 4);
            at += 4;
        }
        b->slices[i] = (lochan_pq_slice){at, n};
        at += n;
        if (!prefixes || i == 0)
            continue;
        const lochan_pq_slice *before = &b->slices[i - 1];
        while (shared < n && shared < before->n && before->p[shared] == b->slices[i].p[shared])
            shared++;
        b->prefixes[i] = shared;
    }
    return LOCHAN_OK;
}

static uint64_t suffix_length(const void *ctx, size_t i) {
    const byte_arrays *b = ctx;
    return b->slices[i].n - (b->prefixes ? b->prefixes[i] : 0);
}

static uint64_t prefix_length(const void *ctx, size_t i) {
    return ((const byte_arrays *)ctx)->prefixes[i];
}

static lochan_status put_byte_arrays(const encode_input *in, bool prefixes, lochan_buf *out,
                                     lochan_error *err) {
    byte_arrays b;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(byte_arrays_init(&b, in, prefixes, err));
    if (prefixes)
        LOCHAN_TRYG(put_numbers(out, prefix_length, &b, in->n, true, err));
    LOCHAN_TRYG(put_numbers(out, suffix_length, &b, in->n, true, err));
    LOCHAN_TRYG(lochan_buf__reserve(out, in->bytes, err));
    for (size_t i = 0; i < in->n; i++) {
        size_t n = (size_t)suffix_length(&b, i);
        memcpy(out->data + out->len, b.slices[i].p + (b.slices[i].n - n), n);
        out->len += n;
    }
done:
    byte_arrays_free(&b);
    return rc;
}

static lochan_status encode_lengths(const encode_input *in, lochan_buf *out, lochan_error *err) {
    return put_byte_arrays(in, false, out, err);
}

static lochan_status encode_prefixes(const encode_input *in, lochan_buf *out, lochan_error *err) {
    return put_byte_arrays(in, true, out, err);
}

/* Which physical types an encoder takes: one bit each. */
#define T(type) (1u << LOCHAN_PQ_##type)
#define NUMBERS (T(INT32) | T(INT64) | T(FLOAT) | T(DOUBLE) | T(FIXED_BYTES))

static const struct {
    int32_t encoding;
    unsigned types;
    lochan_status (*encode)(const encode_input *in, lochan_buf *out, lochan_error *err);
} table[] = {
    {LOCHAN_PQ_PLAIN, 0xff, encode_plain},
    {LOCHAN_PQ_RLE, T(BOOLEAN), encode_rle},
    {LOCHAN_PQ_DELTA_BINARY_PACKED, T(INT32) | T(INT64), encode_delta},
    {LOCHAN_PQ_BYTE_STREAM_SPLIT, NUMBERS, encode_split},
    {LOCHAN_PQ_DELTA_LENGTH_BYTE_ARRAY, T(BYTE_ARRAY), encode_lengths},
    {LOCHAN_PQ_DELTA_BYTE_ARRAY, T(BYTE_ARRAY) | T(FIXED_BYTES), encode_prefixes},
};

bool lochan_pq_encode__fits(int32_t encoding, const lochan_pq_leaf *leaf) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(table); i++) {
        if (table[i].encoding == encoding)
            return table[i].types >> leaf->physical & 1u;
    }
    return false;
}

lochan_status lochan_pq_encode(int32_t encoding, const lochan_pq_leaf *leaf, const uint8_t *values,
                               size_t bytes, size_t n, lochan_buf *out, lochan_error *err) {
    const encode_input in = {leaf, values, bytes, n};
    for (size_t i = 0; i < LOCHAN_COUNTOF(table); i++) {
        if (table[i].encoding == encoding)
            return table[i].encode(&in, out, err);
    }
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "encoding %s cannot be written",
                             lochan_pq_encoding__name(encoding));
}

int lochan_pq_encode__candidates(const lochan_pq_leaf *leaf, int32_t out[4]) {
    int n = 0;
    out[n++] = LOCHAN_PQ_PLAIN;
    switch (leaf->physical) {
    case LOCHAN_PQ_BOOLEAN:
        out[n++] = LOCHAN_PQ_RLE;
        break;
    case LOCHAN_PQ_INT32:
    case LOCHAN_PQ_INT64:
        out[n++] = LOCHAN_PQ_DELTA_BINARY_PACKED;
        break;
    case LOCHAN_PQ_BYTE_ARRAY:
        out[n++] = LOCHAN_PQ_DELTA_LENGTH_BYTE_ARRAY;
        out[n++] = LOCHAN_PQ_DELTA_BYTE_ARRAY;
        break;
    case LOCHAN_PQ_FLOAT:
    case LOCHAN_PQ_DOUBLE:
        out[n++] = LOCHAN_PQ_BYTE_STREAM_SPLIT;
        break;
    default: /* other readers do not know splitting for the rest yet */
        break;
    }
    return n;
}
