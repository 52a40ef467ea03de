/* encoding_split.c - BYTE_STREAM_SPLIT: the first bytes of all values, then the second bytes, and
 * so on. Invariant: the plain and the vector path give the same result. May call: bits.h,
 * encodings.h.
 */
#include "parquet/bits.h"
#include "parquet/encodings.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static bool split_begin(lochan_pq_values *v) {
    return v->width > 0 && (size_t)(v->end - v->pos) % (size_t)v->width == 0;
}

#if defined(__SSE2__)
/* Sixteen values of eight bytes from eight streams: three rounds of interleaving. */
static void join8(const uint8_t *src, size_t stride, uint8_t *out) {
    __m128i s[8], t[8];
    for (int b = 0; b < 8; b++)
        s[b] = _mm_loadu_si128((const __m128i *)(src + (size_t)b * stride));
    for (int b = 0; b < 4; b++) { /* bytes 0+4, 1+5, 2+6, 3+7 */
        t[2 * b] = _mm_unpacklo_epi8(s[b], s[b + 4]);
        t[2 * b + 1] = _mm_unpackhi_epi8(s[b], s[b + 4]);
    }
    for (int h = 0; h < 2; h++) {
        __m128i a0 = _mm_unpacklo_epi8(t[h], t[4 + h]), a1 = _mm_unpackhi_epi8(t[h], t[4 + h]);
        __m128i b0 = _mm_unpacklo_epi8(t[2 + h], t[6 + h]),
                b1 = _mm_unpackhi_epi8(t[2 + h], t[6 + h]);
        __m128i *o = (__m128i *)(out + h * 64);
        _mm_storeu_si128(o, _mm_unpacklo_epi8(a0, b0));
        _mm_storeu_si128(o + 1, _mm_unpackhi_epi8(a0, b0));
        _mm_storeu_si128(o + 2, _mm_unpacklo_epi8(a1, b1));
        _mm_storeu_si128(o + 3, _mm_unpackhi_epi8(a1, b1));
    }
}

static void join4(const uint8_t *src, size_t stride, uint8_t *out) {
    __m128i s[4];
    for (int b = 0; b < 4; b++)
        s[b] = _mm_loadu_si128((const __m128i *)(src + (size_t)b * stride));
    __m128i a0 = _mm_unpacklo_epi8(s[0], s[2]), a1 = _mm_unpackhi_epi8(s[0], s[2]);
    __m128i b0 = _mm_unpacklo_epi8(s[1], s[3]), b1 = _mm_unpackhi_epi8(s[1], s[3]);
    __m128i *o = (__m128i *)out;
    _mm_storeu_si128(o, _mm_unpacklo_epi8(a0, b0));
    _mm_storeu_si128(o + 1, _mm_unpackhi_epi8(a0, b0));
    _mm_storeu_si128(o + 2, _mm_unpacklo_epi8(a1, b1));
    _mm_storeu_si128(o + 3, _mm_unpackhi_epi8(a1, b1));
}
#endif

void lochan_pq_split__join(const uint8_t *src, size_t stride, size_t n, size_t width,
                           uint8_t *out) {
    size_t i = 0;
#if defined(__SSE2__)
    if (!lochan_bits__is_plain() && (width == 8 || width == 4)) {
        for (; i + 16 <= n; i += 16)
            (width == 8 ? join8 : join4)(src + i, stride, out + i * width);
    }
#endif
    for (; i < n; i++) {
        for (size_t b = 0; b < width; b++)
            out[i * width + b] = src[b * stride + i];
    }
}

void lochan_pq_split__part(const uint8_t *src, size_t n, size_t width, uint8_t *out) {
    for (size_t from = 0; from < n;
         from += 1024) { /* blocks that stay in cache while their streams are written */
        size_t to = n - from < 1024 ? n : from + 1024;
        for (size_t b = 0; b < width; b++) {
            for (size_t i = from; i < to; i++)
                out[b * n + i] = src[i * width + b];
        }
    }
}

static bool split_fixed(lochan_pq_values *v, size_t n, uint8_t *out) {
    size_t width = (size_t)v->width, count = (size_t)(v->end - v->pos) / width;
    if (n > count - v->index)
        return false;
    lochan_pq_split__join(v->pos + v->index, count, n, width, out);
    v->index += n;
    return true;
}

const lochan_pq_decoding lochan_pq_decoding__split = {LOCHAN_PQ_BYTE_STREAM_SPLIT, split_begin,
                                                      split_fixed, NULL, NULL};
