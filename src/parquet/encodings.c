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

static size_t plain_bytes(lochan_pq_values *v, size_t n, lochan_pq_slice *out) {
    const uint8_t *pos = v->pos, *end = v->end;
    for (size_t i = 0; i < n; i++) {
        uint32_t len;
        if (end - pos < 4)
            return 0;
        memcpy(&len, pos, 4);
        pos += 4;
        if (len > (size_t)(end - pos))
            return 0;
        out[i] = (lochan_pq_slice){pos, len};
        pos += len;
    }
    v->pos = pos;
    return n;
}

static bool plain_bits(lochan_pq_values *v, size_t n, uint8_t *out, int64_t to) {
    if ((uint64_t)v->bit + n > (uint64_t)(v->end - v->pos) * 8)
        return false;
    lochan_bits__copy(out, to, v->pos, v->bit, (int64_t)n);
    v->bit += (int64_t)n;
    return true;
}

const lochan_pq_decoding lochan_pq_decoding__plain = {LOCHAN_PQ_PLAIN, NULL, plain_fixed,
                                                      plain_bytes, plain_bits};

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

static bool is_ascii(const uint8_t *p, size_t n) {
    uint64_t all = 0, word;
    size_t i = 0;
    for (; i + 8 <= n; i += 8) {
        memcpy(&word, p + i, 8);
        all |= word;
    }
    uint8_t rest = 0;
    for (; i < n; i++)
        rest |= p[i];
    return ((all & 0x8080808080808080ull) | (rest & 0x80)) == 0;
}

/* Slices that lie side by side, or with their lengths between them as in PLAIN, are looked at in
 * one sweep. */
bool lochan_pq_slices__utf8(const lochan_pq_slice *slices, size_t n) {
    size_t total = 0;
    for (size_t i = 0; i < n; i++)
        total += slices[i].n;
    if (n == 0 || total == 0)
        return true;
    uintptr_t begin = (uintptr_t)slices[0].p, end = (uintptr_t)slices[n - 1].p + slices[n - 1].n;
    if (end - begin == total || end - begin == total + 4 * (n - 1)) {
        bool inside = true;
        for (size_t i = 1; i < n; i++)
            inside =
                inside && (uintptr_t)slices[i].p >= (uintptr_t)slices[i - 1].p + slices[i - 1].n;
        if (inside && is_ascii(slices[0].p, (size_t)(end - begin)))
            return true;
    }
    for (size_t i = 0; i < n; i++) {
        if (!is_ascii(slices[i].p, slices[i].n) && !lochan_utf8__valid(slices[i].p, slices[i].n))
            return false;
    }
    return true;
}

static const lochan_pq_decoding *const table[] = {
    &lochan_pq_decoding__plain,        &lochan_pq_decoding__rle,         &lochan_pq_decoding__delta,
    &lochan_pq_decoding__delta_length, &lochan_pq_decoding__delta_bytes, &lochan_pq_decoding__split,
};

const lochan_pq_decoding *lochan_pq_decoding__find(int32_t encoding, int32_t physical) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(table); i++) {
        const lochan_pq_decoding *d = table[i];
        if (d->encoding != encoding)
            continue;
        bool ok = physical == LOCHAN_PQ_BOOLEAN      ? d->bits != NULL
                  : physical == LOCHAN_PQ_BYTE_ARRAY ? d->bytes != NULL
                                                     : d->fixed != NULL;
        if (encoding == LOCHAN_PQ_DELTA_BINARY_PACKED)
            ok = physical == LOCHAN_PQ_INT32 || physical == LOCHAN_PQ_INT64;
        if (encoding == LOCHAN_PQ_DELTA_BYTE_ARRAY)
            ok = physical == LOCHAN_PQ_BYTE_ARRAY || physical == LOCHAN_PQ_FIXED_BYTES;
        return ok ? d : NULL;
    }
    return NULL;
}
