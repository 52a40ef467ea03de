/* encodings.c - the table of decoders, and the two simplest of them: PLAIN and RLE (booleans).
 * Invariant: see encodings.h. May call: base/, bits.h, rle.h.
 */
#include "parquet/encodings.h"
#include "parquet/bits.h"

static bool plain_fixed(lochan_pq_values *v, size_t n, uint8_t *out) {
    size_t left = (size_t)(v->end - v->pos);
    if (n > left / (size_t)v->width)
        return false;
    memcpy(out, v->pos, n * (size_t)v->width);
    v->pos += n * (size_t)v->width;
    return true;
}

static bool plain_bytes(lochan_pq_values *v, size_t n, lochan_pq_slice *out) {
    const uint8_t *pos = v->pos, *end = v->end;
    for (size_t i = 0; i < n; i++) {
        uint32_t len;
        if (end - pos < 4)
            return false;
        memcpy(&len, pos, 4);
        pos += 4;
        if (len > (size_t)(end - pos))
            return false;
        out[i] = (lochan_pq_slice){pos, len};
        pos += len;
    }
    v->pos = pos;
    return true;
}

static bool plain_bits(lochan_pq_values *v, size_t n, uint8_t *out, int64_t to) {
    if ((uint64_t)v->bit + n > (uint64_t)(v->end - v->pos) * 8)
        return false;
    lochan_bits__copy(out, to, v->pos, v->bit, (int64_t)n);
    v->bit += (int64_t)n;
    return true;
}

const lochan_pq_decoding lochan_pq_decoding__plain = {LOCHAN_PQ_PLAIN, NULL, plain_fixed, plain_bytes, plain_bits};

/* RLE booleans: a length of four bytes, then the hybrid. */
static bool rle_begin(lochan_pq_values *v) {
    uint32_t n;
    if (v->end - v->pos < 4)
        return v->pos == v->end; /* a page of nulls only */
    memcpy(&n, v->pos, 4);
    if (n > (size_t)(v->end - v->pos - 4))
        return false;
    lochan_rle__init(&v->rle, v->pos + 4, n, 1);
    return true;
}

static bool rle_bits(lochan_pq_values *v, size_t n, uint8_t *out, int64_t to) {
    size_t ones;
    return lochan_rle__read_bits(&v->rle, out, to, n, &ones);
}

const lochan_pq_decoding lochan_pq_decoding__rle = {LOCHAN_PQ_RLE, rle_begin, NULL, NULL, rle_bits};

static const lochan_pq_decoding *const table[] = {
    &lochan_pq_decoding__plain,
    &lochan_pq_decoding__rle,
};

const lochan_pq_decoding *lochan_pq_decoding__find(int32_t encoding, int32_t physical) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(table); i++) {
        const lochan_pq_decoding *d = table[i];
        if (d->encoding != encoding)
            continue;
        bool ok = physical == LOCHAN_PQ_BOOLEAN      ? d->bits != NULL
                  : physical == LOCHAN_PQ_BYTE_ARRAY ? d->bytes != NULL
                                                     : d->fixed != NULL;
        return ok ? d : NULL;
    }
    return NULL;
}
