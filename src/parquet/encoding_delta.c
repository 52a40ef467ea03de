/* encoding_delta.c - the DELTA family: numbers as packed differences, byte arrays whose lengths
 * (and shared prefixes) are such numbers. Invariant: nothing is allocated for what a header claims;
 * numbers are unpacked a few at a time. May call: base/, bits.h, encodings.h.
 */
#include "parquet/bits.h"
#include "parquet/encodings.h"

enum { MAX_PER_MINI = 1 << 20, MAX_MINIS = 1 << 16, MADE_BYTES = 1 << 20 };

static bool varint(const uint8_t **pos, const uint8_t *end, uint64_t *out) {
    uint64_t v = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (*pos == end)
            return false;
        uint8_t b = *(*pos)++;
        v |= (uint64_t)(b & 0x7f) << shift;
        if (!(b & 0x80)) {
            *out = v;
            return true;
        }
    }
    return false;
}

static uint64_t unzigzag(uint64_t v) {
    return (v >> 1) ^ (0 - (v & 1));
}

/* Reads a block's head and finds where its `left` values end. */
static bool block_head(lochan_pq_delta *d) {
    if (!varint(&d->pos, d->end, &d->min_delta) || (size_t)(d->end - d->pos) < d->minis)
        return false;
    d->min_delta = unzigzag(d->min_delta);
    d->widths = d->pos;
    d->pos += d->minis;
    d->mini = 0;
    return true;
}

/* Opens the next miniblock. The last one may be cut where its values end. */
static bool open_mini(lochan_pq_delta *d) {
    if (d->mini == d->minis && !block_head(d))
        return false;
    unsigned width = d->widths[d->mini++];
    size_t left = (size_t)(d->end - d->pos), whole = (size_t)d->per_mini / 8 * width;
    uint64_t values = d->left < d->per_mini ? d->left : d->per_mini;
    size_t needed = (size_t)((values * width + 7) / 8);
    if (width > 64 || needed > left)
        return false;
    d->bits = d->pos;
    d->width = width;
    d->mini_left = (uint32_t)values;
    d->pos += whole < left ? whole : left;
    return true;
}

/* Passes over all values to find the end of the run. */
static bool find_end(lochan_pq_delta copy, const uint8_t **out) {
    copy.left -= copy.first && copy.left > 0;
    while (copy.left > 0) {
        if (!open_mini(&copy))
            return false;
        copy.left -= copy.mini_left;
    }
    *out = copy.pos;
    return true;
}

bool lochan_pq_delta__begin(lochan_pq_delta *d, const uint8_t *pos, const uint8_t *end,
                            const uint8_t **end_of_run) {
    uint64_t block, minis, total, first;
    d->pos = pos;
    d->end = end;
    if (!varint(&d->pos, end, &block) || !varint(&d->pos, end, &minis) ||
        !varint(&d->pos, end, &total) || !varint(&d->pos, end, &first))
        return false;
    if (minis == 0 || minis > MAX_MINIS || block % minis != 0 || block / minis % 8 != 0 ||
        block / minis == 0 || block / minis > MAX_PER_MINI)
        return false;
    d->minis = d->mini = (uint32_t)minis; /* no block is open */
    d->per_mini = (uint32_t)(block / minis);
    d->left = total;
    d->last = unzigzag(first);
    d->first = true;
    d->mini_left = d->at = d->n = 0;
    return !end_of_run || find_end(*d, end_of_run);
}

/* Unpacks the next values into the buffer, summed up. */
static bool fill(lochan_pq_delta *d) {
    d->at = d->n = 0;
    if (d->first) {
        d->first = false;
        d->buffer[0] = d->last;
        d->n = 1;
        return true;
    }
    if (d->mini_left == 0 && !open_mini(d))
        return false;
    uint32_t n = d->mini_left < LOCHAN_PQ_DELTA_BUFFER ? d->mini_left : LOCHAN_PQ_DELTA_BUFFER;
    lochan_bits__unpack64(d->bits, (size_t)(d->end - d->bits), d->width, d->buffer, n);
    d->bits += (size_t)n * d->width / 8; /* n is a multiple of 8 or the last */
    uint64_t last = d->last, min = d->min_delta;
    for (uint32_t i = 0; i < n; i++)
        d->buffer[i] = last += d->buffer[i] + min;
    d->last = last;
    d->mini_left -= n;
    d->n = n;
    return true;
}

/* Unpacked values wait in the buffer: *out points to at most n of them, *m tells how many. */
static bool take(lochan_pq_delta *d, size_t n, const uint64_t **out, size_t *m) {
    if (n > d->left)
        return false;
    if (d->at == d->n && !fill(d))
        return false;
    *m = d->n - d->at < n ? d->n - d->at : n;
    *out = d->buffer + d->at;
    d->at += (uint32_t)*m;
    return true;
}

bool lochan_pq_delta__read(lochan_pq_delta *d, uint64_t *out, size_t n) {
    while (n > 0) {
        const uint64_t *from;
        size_t m;
        if (!take(d, n, &from, &m))
            return false;
        memcpy(out, from, m * sizeof *out);
        d->left -= m;
        out += m, n -= m;
    }
    return true;
}

/* ---- DELTA_BINARY_PACKED ---- */

static bool delta_begin(lochan_pq_values *v) {
    if (v->pos == v->end) { /* a page of nulls only */
        v->numbers.left = 0;
        return true;
    }
    return lochan_pq_delta__begin(&v->numbers, v->pos, v->end, NULL);
}

static bool delta_fixed(lochan_pq_values *v, size_t n, uint8_t *out) {
    lochan_pq_delta *d = &v->numbers;
    if (v->width == 8 && ((uintptr_t)out & 7) == 0)
        return lochan_pq_delta__read(d, (uint64_t *)(void *)out, n);
    while (n > 0) {
        const uint64_t *from;
        size_t m;
        if (!take(d, n, &from, &m))
            return false;
        for (size_t i = 0; i < m; i++)
            memcpy(out + i * (size_t)v->width, &from[i],
                   (size_t)v->width); /* little-endian: the low bytes */
        d->left -= m;
        out += m * (size_t)v->width, n -= m;
    }
    return true;
}

const lochan_pq_decoding lochan_pq_decoding__delta = {LOCHAN_PQ_DELTA_BINARY_PACKED, delta_begin,
                                                      delta_fixed, NULL, NULL};

/* ---- DELTA_LENGTH_BYTE_ARRAY: all lengths, then all bytes ---- */

static bool length_begin(lochan_pq_values *v) {
    if (v->pos == v->end) {
        v->suffixes.left = 0;
        return true;
    }
    return lochan_pq_delta__begin(&v->suffixes, v->pos, v->end, &v->pos);
}

static size_t length_bytes(lochan_pq_values *v, size_t n, lochan_pq_slice *out) {
    const uint64_t *lengths;
    size_t m;
    if (!take(&v->suffixes, n < v->suffixes.left ? n : (size_t)v->suffixes.left, &lengths, &m) ||
        m == 0)
        return 0;
    for (size_t i = 0; i < m; i++) {
        if (lengths[i] > (size_t)(v->end - v->pos))
            return 0;
        out[i] = (lochan_pq_slice){v->pos, (uint32_t)lengths[i]};
        v->pos += lengths[i];
    }
    v->suffixes.left -= m;
    return m;
}

const lochan_pq_decoding lochan_pq_decoding__delta_length = {
    LOCHAN_PQ_DELTA_LENGTH_BYTE_ARRAY, length_begin, NULL, length_bytes, NULL};

/* ---- DELTA_BYTE_ARRAY: lengths of prefixes shared with the value before, then suffixes as above
 * ---- */

static bool prefix_begin(lochan_pq_values *v) {
    v->last_size = 0;
    if (v->pos == v->end) {
        v->numbers.left = v->suffixes.left = 0;
        return true;
    }
    return lochan_pq_delta__begin(&v->numbers, v->pos, v->end, &v->pos) && length_begin(v);
}

/* Puts together at most n values, as many as fit into MADE_BYTES or one. The value before lies in
 * v->last. */
static size_t prefix_bytes(lochan_pq_values *v, size_t n, lochan_pq_slice *out) {
    uint64_t prefixes[LOCHAN_PQ_DELTA_BUFFER];
    lochan_pq_slice suffixes[LOCHAN_PQ_DELTA_BUFFER];
    n = n < LOCHAN_PQ_DELTA_BUFFER ? n : LOCHAN_PQ_DELTA_BUFFER;
    size_t total = 0, size = v->last_size, m = 0;
    /* one value at a time: a value too many cannot be given back to the readers */
    while (m < n && (m == 0 || total < MADE_BYTES)) {
        if (!lochan_pq_delta__read(&v->numbers, &prefixes[m], 1) ||
            length_bytes(v, 1, &suffixes[m]) != 1) {
            if (m == 0)
                return 0;
            v->numbers.left = 0; /* what is there is handed out, then the damage is met again */
            break;
        }
        if (prefixes[m] > size)
            return 0;
        size = prefixes[m] + suffixes[m].n;
        if (size > UINT32_MAX)
            return 0;
        total += size;
        m++;
    }
    if (lochan_pq_scratch__reserve(v->made, total, NULL) != LOCHAN_OK)
        return 0;
    uint8_t *dst = v->made->data;
    const uint8_t *before = v->last->data;
    for (size_t i = 0; i < m; i++) {
        if (prefixes[i] > 0)
            memcpy(dst, before, prefixes[i]);
        if (suffixes[i].n > 0)
            memcpy(dst + prefixes[i], suffixes[i].p, suffixes[i].n);
        out[i] = (lochan_pq_slice){dst, (uint32_t)(prefixes[i] + suffixes[i].n)};
        before = dst;
        dst += out[i].n;
    }
    if (lochan_pq_scratch__reserve(v->last, out[m - 1].n, NULL) != LOCHAN_OK)
        return 0;
    memcpy(v->last->data, out[m - 1].p, out[m - 1].n);
    v->last_size = out[m - 1].n;
    return m;
}

static bool prefix_fixed(lochan_pq_values *v, size_t n, uint8_t *out) {
    lochan_pq_slice slices[LOCHAN_PQ_DELTA_BUFFER];
    while (n > 0) {
        size_t m = prefix_bytes(v, n < LOCHAN_PQ_DELTA_BUFFER ? n : LOCHAN_PQ_DELTA_BUFFER, slices);
        if (m == 0)
            return false;
        for (size_t i = 0; i < m; i++) {
            if (slices[i].n != (uint32_t)v->width)
                return false;
            memcpy(out, slices[i].p, slices[i].n);
            out += slices[i].n;
        }
        n -= m;
    }
    return true;
}

const lochan_pq_decoding lochan_pq_decoding__delta_bytes = {
    LOCHAN_PQ_DELTA_BYTE_ARRAY, prefix_begin, prefix_fixed, prefix_bytes, NULL};
