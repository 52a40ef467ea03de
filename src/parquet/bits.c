/* bits.c - see bits.h. One function per width, so that every shift and mask is a constant; AVX2
 * chosen at run time. Algorithm: eight values of w bits fill w bytes, so each group of eight starts
 * at a byte; a value is one unaligned load, a shift and a mask. May call: nothing.
 */
#include "parquet/bits.h"
#include <stdatomic.h>
#include <string.h>

#if defined(__x86_64__)
#include <immintrin.h>
#define HAVE_AVX2_PATH 1
#endif

static atomic_int force_plain;

void lochan_bits__force_plain(bool plain) {
    atomic_store(&force_plain, plain);
}

bool lochan_bits__is_plain(void) {
    return atomic_load_explicit(&force_plain, memory_order_relaxed);
}

static inline uint64_t load64(const uint8_t *p) {
    uint64_t v;
    memcpy(&v, p, 8);
    return v;
}

/* Unpacks groups of 8; needs 8 readable bytes after the start of each value. */
#define UNPACK_FN(w)                                                                               \
    static void unpack_##w(const uint8_t *src, uint32_t *out, size_t groups) {                     \
        const uint64_t mask = (w) == 32 ? 0xffffffffu : (1ull << ((w)&31)) - 1;                    \
        for (size_t g = 0; g < groups; g++, src += (w), out += 8) {                                \
            for (unsigned i = 0; i < 8; i++)                                                       \
                out[i] = (uint32_t)((load64(src + (i * (w) >> 3)) >> (i * (w)&7)) & mask);         \
        }                                                                                          \
    }
/* clang-format off */
#define FOR_WIDTHS(X)                                                                              \
    X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15) X(16) X(17)   \
    X(18) X(19) X(20) X(21) X(22) X(23) X(24) X(25) X(26) X(27) X(28) X(29) X(30) X(31) X(32)
/* clang-format on */
FOR_WIDTHS(UNPACK_FN)

typedef void (*unpack_fn)(const uint8_t *src, uint32_t *out, size_t groups);
#define UNPACK_ENTRY(w) unpack_##w,
static const unpack_fn unpack_table[33] = {NULL, FOR_WIDTHS(UNPACK_ENTRY)};

#ifdef HAVE_AVX2_PATH
/* Widths up to 25: every value lies inside four bytes. Each half of the register holds four values,
 * picked by a byte shuffle and shifted lane by lane. Reads 16 bytes from the start of the second
 * half of a group. */
__attribute__((target("avx2"))) static void unpack_avx2(const uint8_t *src, unsigned w,
                                                        uint32_t *out, size_t groups) {
    unsigned half = 4 * w >> 3;
    uint8_t pick[32];
    uint32_t shift[8];
    for (unsigned i = 0; i < 8; i++) {
        unsigned byte = (i * w >> 3) - (i < 4 ? 0 : half);
        shift[i] = i * w & 7;
        for (unsigned b = 0; b < 4; b++)
            pick[4 * i + b] = (uint8_t)(byte + b);
    }
    const __m256i vpick = _mm256_loadu_si256((const __m256i *)pick);
    const __m256i vshift = _mm256_loadu_si256((const __m256i *)shift);
    const __m256i vmask = _mm256_set1_epi32((int)((1u << w) - 1));
    for (size_t g = 0; g < groups; g++, src += w, out += 8) {
        __m128i lo = _mm_loadu_si128((const __m128i *)src);
        __m128i hi = _mm_loadu_si128((const __m128i *)(src + half));
        __m256i v = _mm256_inserti128_si256(_mm256_castsi128_si256(lo), hi, 1);
        v = _mm256_shuffle_epi8(v, vpick);
        v = _mm256_and_si256(_mm256_srlv_epi32(v, vshift), vmask);
        _mm256_storeu_si256((__m256i *)out, v);
    }
}

static bool use_avx2(void) {
    return __builtin_cpu_supports("avx2") && !lochan_bits__is_plain();
}
#endif

static void unpack_groups(const uint8_t *src, unsigned width, uint32_t *out, size_t groups) {
#ifdef HAVE_AVX2_PATH
    if (width <= 25 && groups > 2 && use_avx2()) {
        unpack_avx2(src, width, out, groups);
        return;
    }
#endif
    unpack_table[width](src, out, groups);
}

enum { SLACK = 32 }; /* bytes that the group functions may read past the end of a group */

void lochan_bits__unpack32(const uint8_t *src, size_t n_bytes, unsigned width, uint32_t *out,
                           size_t n) {
    if (width == 0) {
        memset(out, 0, n * sizeof *out);
        return;
    }
    size_t safe = n_bytes > SLACK ? (n_bytes - SLACK) / width : 0;
    size_t groups = n / 8 < safe ? n / 8 : safe;
    unpack_groups(src, width, out, groups);
    src += groups * width, n_bytes -= groups * width;
    out += groups * 8, n -= groups * 8;
    /* the last groups, from a padded copy */
    while (n > 0) {
        uint8_t padded[SLACK * 2] = {0};
        uint32_t values[8];
        size_t take = n < 8 ? n : 8, bytes = n_bytes < width ? n_bytes : width;
        memcpy(padded, src, bytes);
        unpack_table[width](padded, values, 1);
        memcpy(out, values, take * sizeof *out);
        src += bytes, n_bytes -= bytes;
        out += take, n -= take;
    }
}

void lochan_bits__unpack64(const uint8_t *src, size_t n_bytes, unsigned width, uint64_t *out,
                           size_t n) {
    if (width <= 32) {
        uint32_t values[256];
        while (n > 0) {
            size_t take = n < 256 ? n : 256;
            lochan_bits__unpack32(src, n_bytes, width, values, take);
            for (size_t i = 0; i < take; i++)
                out[i] = values[i];
            size_t used = take * width / 8;
            used = used < n_bytes ? used : n_bytes;
            src += used, n_bytes -= used;
            out += take, n -= take;
        }
        return;
    }
    uint64_t mask = width == 64 ? UINT64_MAX : (1ull << width) - 1;
    for (size_t i = 0; i < n; i++) {
        size_t bit = i * width, byte = bit >> 3;
        unsigned shift = bit & 7;
        uint8_t window[16] = {0};
        size_t have = n_bytes - byte < 9 ? n_bytes - byte : 9;
        memcpy(window, src + byte, have);
        uint64_t v = load64(window) >> shift;
        if (shift + width > 64)
            v |= (uint64_t)window[8] << (64 - shift);
        out[i] = v & mask;
    }
}

void lochan_bits__pack32(const uint32_t *in, size_t n, unsigned width, uint8_t *dst) {
    uint64_t acc = 0;
    unsigned fill = 0;
    for (size_t i = 0; i < n; i++) {
        acc |= (uint64_t)in[i] << fill;
        fill += width;
        if (fill >= 32) {
            uint32_t word = (uint32_t)acc;
            memcpy(dst, &word, 4);
            dst += 4;
            acc >>= 32;
            fill -= 32;
        }
    }
    for (; fill > 0; fill -= 8, acc >>= 8)
        *dst++ = (uint8_t)acc;
}

void lochan_bits__pack64(const uint64_t *in, size_t n, unsigned width, uint8_t *dst) {
    uint64_t acc = 0;
    unsigned fill = 0; /* below 64 between values */
    if (width == 0)
        return;
    for (size_t i = 0; i < n; i++) {
        acc |= in[i] << fill;
        fill += width;
        if (fill < 64)
            continue;
        memcpy(dst, &acc, 8);
        dst += 8;
        fill -= 64;
        acc = fill ? in[i] >> (width - fill) : 0;
    }
    for (unsigned done = 0; done < fill; done += 8, acc >>= 8)
        *dst++ = (uint8_t)acc;
}

size_t lochan_bits__count_bytes(const uint8_t *bytes, size_t n, uint8_t v) {
    size_t count = 0, i = 0;
    while (i + 32 <= n) { /* sums of a byte each, which 255 rounds do not overflow */
        uint8_t sums[32] = {0};
        for (int round = 0; round < 255 && i + 32 <= n; round++, i += 32) {
            for (int k = 0; k < 32; k++)
                sums[k] = (uint8_t)(sums[k] + (bytes[i + (size_t)k] == v));
        }
        for (int k = 0; k < 32; k++)
            count += sums[k];
    }
    for (; i < n; i++)
        count += bytes[i] == v;
    return count;
}

/* Bits [to, to + n) of a byte, taken from the low bits of v. */
static inline void put_bits(uint8_t *byte, unsigned to, unsigned n, unsigned v) {
    unsigned mask = ((1u << n) - 1) << to;
    *byte = (uint8_t)((*byte & ~mask) | (v << to & mask));
}

/* n bits, at most 8, from bit `from` on; reads no byte beyond them. */
static inline unsigned take_bits(const uint8_t *src, int64_t from, unsigned n) {
    const uint8_t *p = src + (from >> 3);
    unsigned shift = from & 7;
    return shift + n > 8 ? (unsigned)p[0] >> shift | (unsigned)p[1] << (8 - shift)
                         : (unsigned)p[0] >> shift;
}

void lochan_bits__copy(uint8_t *dst, int64_t to, const uint8_t *src, int64_t from, int64_t n) {
    if ((to & 7) == 0 && (from & 7) == 0) {
        memcpy(dst + (to >> 3), src + (from >> 3), (size_t)(n >> 3));
        to += n & ~(int64_t)7, from += n & ~(int64_t)7, n &= 7;
    }
    /* up to the next byte of dst, then whole bytes, then the rest */
    if (n > 0 && (to & 7) != 0) {
        unsigned room = 8 - (to & 7), m = n < room ? (unsigned)n : room;
        put_bits(dst + (to >> 3), to & 7, m, take_bits(src, from, m));
        to += m, from += m, n -= m;
    }
    unsigned shift = from & 7;
    for (; n >= 8; to += 8, from += 8, n -= 8) {
        const uint8_t *p = src + (from >> 3);
        dst[to >> 3] = shift ? (uint8_t)(p[0] >> shift | p[1] << (8 - shift)) : p[0];
    }
    if (n > 0)
        put_bits(dst + (to >> 3), 0, (unsigned)n, take_bits(src, from, (unsigned)n));
}

void lochan_bits__fill(uint8_t *dst, int64_t to, int64_t n, bool v) {
    unsigned all = v ? 0xff : 0;
    if (n > 0 && (to & 7) != 0) {
        unsigned room = 8 - (to & 7), m = n < room ? (unsigned)n : room;
        put_bits(dst + (to >> 3), to & 7, m, all);
        to += m, n -= m;
    }
    if (n >= 8)
        memset(dst + (to >> 3), (int)all, (size_t)(n >> 3));
    to += n & ~(int64_t)7, n &= 7;
    if (n > 0)
        put_bits(dst + (to >> 3), 0, (unsigned)n, all);
}
