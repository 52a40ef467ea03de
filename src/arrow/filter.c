/* filter.c - the rows whose bit is set.
 * Invariant: the order of rows is kept. Long runs are copied as spans, scattered rows are taken by
 * index. May call: base/, spans.h, kernels.h.
 */
#include "arrow/kernels.h"
#include "arrow/spans.h"
#include "arrow/view.h"

/* 64 bits from bit 64*k on; bits past n are zero. */
static uint64_t word_at(const uint8_t *bits, int64_t k, int64_t n) {
    int64_t left = n - 64 * k;
    size_t bytes = left >= 64 ? 8 : (size_t)(left + 7) / 8;
    uint64_t w = 0;
    for (size_t i = 0; i < bytes; i++)
        w |= (uint64_t)bits[8 * k + (int64_t)i] << (8 * i);
    return left >= 64 ? w : w & ((1ull << left) - 1);
}

/* Counts set bits and runs of them. */
static void survey(const uint8_t *bits, int64_t n, int64_t *set, int64_t *runs) {
    uint64_t before = 0; /* the bit before this word */
    *set = *runs = 0;
    for (int64_t k = 0; 64 * k < n; k++) {
        uint64_t w = word_at(bits, k, n);
        *set += __builtin_popcountll(w);
        *runs += __builtin_popcountll(w & ~((w << 1) | before));
        before = w >> 63;
    }
}

static void fill_rows(const uint8_t *bits, int64_t n, int64_t *rows) {
    for (int64_t k = 0; 64 * k < n; k++) {
        for (uint64_t w = word_at(bits, k, n); w; w &= w - 1)
            *rows++ = 64 * k + __builtin_ctzll(w);
    }
}

static void fill_spans(const uint8_t *bits, int64_t n, const struct ArrowArray *in,
                       lochan_span *spans) {
    lochan_span *last = NULL;
    for (int64_t k = 0; 64 * k < n; k++) {
        uint64_t w = word_at(bits, k, n);
        int at = 0;
        while (w >> at) {
            at += __builtin_ctzll(w >> at);
            uint64_t holes = ~(w >> at);
            int length = holes ? __builtin_ctzll(holes) : 64;
            if (length > 64 - at)
                length = 64 - at;
            int64_t start = 64 * k + at;
            if (last && last->start + last->n == start) {
                last->n += length;
            } else {
                last = spans++;
                *last = (lochan_span){in, start, length};
            }
            at += length;
            if (at >= 64)
                break;
        }
    }
}

lochan_status lochan_filter(const struct ArrowSchema *schema, const struct ArrowArray *in,
                            const uint8_t *bits, struct ArrowArray *out, lochan_error *err) {
    enum { LONG_RUN = 16 };
    memset(out, 0, sizeof(*out));
    int64_t set, runs;
    survey(bits, in->length, &set, &runs);
    bool spans = runs * LONG_RUN <= set;
    void *p = lochan_mem__array((size_t)(spans ? runs : set) + 1,
                                spans ? sizeof(lochan_span) : sizeof(int64_t));
    if (!p)
        return lochan_error__nomem(err);
    lochan_status rc;
    if (spans) {
        fill_spans(bits, in->length, in, p);
        rc = lochan_spans__copy(schema, p, (size_t)runs, out, err);
    } else {
        fill_rows(bits, in->length, p);
        rc = lochan_take(schema, in, p, (size_t)set, out, err);
    }
    lochan_mem__free(p);
    return rc;
}
