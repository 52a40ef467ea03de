/* codec.c - see codec.h. A codec is one entry of the table at the end.
 * Invariants: a context carries nothing from one page to the next; no size comes from the
 * compressed bytes without being checked against the page header. May call: base/, zstd, snappy,
 * libdeflate, lz4, brotli.
 */
#include "parquet/codec.h"

#include <brotli/decode.h>
#include <brotli/encode.h>
#include <libdeflate.h>
#include <lz4.h>
#include <lz4frame.h>
#include <lz4hc.h>
#include <snappy-c.h>
#include <string.h>
#include <zstd.h>

typedef struct codec_entry {
    int32_t id;
    const char *name;
    uint32_t max_ratio; /* of decompressed to compressed size */
    bool no_bound;      /* a usual ratio: the format allows any */
    int min_level, max_level;
    size_t (*bound)(size_t n);
    /* Both return false on failure. compress sets *out_n. */
    bool (*compress)(lochan_pq_codec_cache *cache, int level, const uint8_t *src, size_t n,
                     uint8_t *dst, size_t cap, size_t *out_n);
    bool (*decompress)(lochan_pq_codec_cache *cache, const uint8_t *src, size_t n, uint8_t *dst,
                       size_t dst_n);
} codec_entry;

static void *slot_take(_Atomic(void *) *slots) {
    for (int i = 0; i < LOCHAN_PQ_CODEC_SLOTS; i++) {
        void *p = atomic_exchange(&slots[i], NULL);
        if (p)
            return p;
    }
    return NULL;
}

/* Puts p back; false if all slots are full. */
static bool slot_give(_Atomic(void *) *slots, void *p) {
    for (int i = 0; i < LOCHAN_PQ_CODEC_SLOTS; i++) {
        void *empty = NULL;
        if (atomic_compare_exchange_strong(&slots[i], &empty, p))
            return true;
    }
    return false;
}

/* Contexts that outlive the file they were made for: making one costs as much as a small file. Who
 * needs one takes it for one page, so there are no more than threads, however many files are open.
 */
static lochan_pq_codec_cache spare;

enum { MOST_SPARE_BYTES = 4 << 20 }; /* of one context; a larger one goes with its file */

static void free_compress(void *context) {
    ZSTD_freeCCtx(context);
}

static void free_decompress(void *context) {
    ZSTD_freeDCtx(context);
}

/* Keeps a context for the next page of any file, else of this one. */
static void give_back(_Atomic(void *) *own, _Atomic(void *) *shared, void *context, size_t bytes,
                      void (*drop)(void *)) {
    if (bytes <= MOST_SPARE_BYTES && slot_give(shared, context))
        return;
    if (!slot_give(own, context))
        drop(context);
}

void lochan_pq_codec_cache__deinit(lochan_pq_codec_cache *cache) {
    for (int i = 0; i < LOCHAN_PQ_CODEC_SLOTS; i++) {
        ZSTD_freeCCtx(atomic_exchange(&cache->zstd_compress[i], NULL));
        ZSTD_freeDCtx(atomic_exchange(&cache->zstd_decompress[i], NULL));
    }
}

static size_t plain_bound(size_t n) {
    return n;
}

static bool plain_compress(lochan_pq_codec_cache *cache, int level, const uint8_t *src, size_t n,
                           uint8_t *dst, size_t cap, size_t *out_n) {
    (void)cache, (void)level, (void)cap;
    memcpy(dst, src, n);
    *out_n = n;
    return true;
}

static bool plain_decompress(lochan_pq_codec_cache *cache, const uint8_t *src, size_t n,
                             uint8_t *dst, size_t dst_n) {
    (void)cache;
    if (n != dst_n)
        return false;
    memcpy(dst, src, n);
    return true;
}

static bool snappy_do_compress(lochan_pq_codec_cache *cache, int level, const uint8_t *src,
                               size_t n, uint8_t *dst, size_t cap, size_t *out_n) {
    (void)cache, (void)level;
    *out_n = cap;
    return snappy_compress((const char *)src, n, (char *)dst, out_n) == SNAPPY_OK;
}

static bool snappy_do_decompress(lochan_pq_codec_cache *cache, const uint8_t *src, size_t n,
                                 uint8_t *dst, size_t dst_n) {
    (void)cache;
    size_t claimed = 0;
    if (snappy_uncompressed_length((const char *)src, n, &claimed) != SNAPPY_OK || claimed != dst_n)
        return false;
    return snappy_uncompress((const char *)src, n, (char *)dst, &claimed) == SNAPPY_OK &&
           claimed == dst_n;
}

static size_t gzip_bound(size_t n) {
    return libdeflate_gzip_compress_bound(NULL, n);
}

static bool gzip_compress(lochan_pq_codec_cache *cache, int level, const uint8_t *src, size_t n,
                          uint8_t *dst, size_t cap, size_t *out_n) {
    (void)cache;
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(level ? level : 6);
    if (!c)
        return false;
    *out_n = libdeflate_gzip_compress(c, src, n, dst, cap);
    libdeflate_free_compressor(c);
    return *out_n != 0;
}

/* A page may hold several gzip members one after the other. */
static bool gzip_decompress(lochan_pq_codec_cache *cache, const uint8_t *src, size_t n,
                            uint8_t *dst, size_t dst_n) {
    (void)cache;
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    if (!d)
        return false;
    bool ok = true;
    do {
        size_t used = 0, made = 0;
        ok = libdeflate_gzip_decompress_ex(d, src, n, dst, dst_n, &used, &made) ==
             LIBDEFLATE_SUCCESS;
        src += used, n -= used;
        dst += made, dst_n -= made;
    } while (ok && n > 0);
    libdeflate_free_decompressor(d);
    return ok && dst_n == 0;
}

/* Level 1 with a hash that holds the values of a whole page, and matches shorter than a value: its
 * last bytes often differ. */
static size_t zstd_numbers(ZSTD_CCtx *c, uint8_t *dst, size_t cap, const uint8_t *src, size_t n) {
    ZSTD_CCtx_reset(c, ZSTD_reset_session_and_parameters);
    ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, 1);
    ZSTD_CCtx_setParameter(c, ZSTD_c_hashLog, 16);
    ZSTD_CCtx_setParameter(c, ZSTD_c_minMatch, 5);
    return ZSTD_compress2(c, dst, cap, src, n);
}

static bool zstd_compress(lochan_pq_codec_cache *cache, int level, const uint8_t *src, size_t n,
                          uint8_t *dst, size_t cap, size_t *out_n) {
    ZSTD_CCtx *c = slot_take(cache->zstd_compress);
    if (!c)
        c = slot_take(spare.zstd_compress);
    if (!c)
        c = ZSTD_createCCtx();
    if (!c)
        return false;
    if (level == LOCHAN_PQ_LEVEL_NUMBERS)
        *out_n = zstd_numbers(c, dst, cap, src, n);
    else
        *out_n = ZSTD_compressCCtx(c, dst, cap, src, n, level ? level : 1);
    give_back(cache->zstd_compress, spare.zstd_compress, c, ZSTD_sizeof_CCtx(c), free_compress);
    return !ZSTD_isError(*out_n);
}

static bool zstd_decompress(lochan_pq_codec_cache *cache, const uint8_t *src, size_t n,
                            uint8_t *dst, size_t dst_n) {
    ZSTD_DCtx *d = slot_take(cache->zstd_decompress);
    if (!d)
        d = slot_take(spare.zstd_decompress);
    if (!d)
        d = ZSTD_createDCtx();
    if (!d)
        return false;
    size_t made = ZSTD_decompressDCtx(d, dst, dst_n, src, n);
    give_back(cache->zstd_decompress, spare.zstd_decompress, d, ZSTD_sizeof_DCtx(d),
              free_decompress);
    return !ZSTD_isError(made) && made == dst_n;
}

static size_t brotli_bound(size_t n) {
    return BrotliEncoderMaxCompressedSize(n) + 16;
}

static bool brotli_compress(lochan_pq_codec_cache *cache, int level, const uint8_t *src, size_t n,
                            uint8_t *dst, size_t cap, size_t *out_n) {
    (void)cache;
    *out_n = cap;
    return BrotliEncoderCompress(level ? level : 4, BROTLI_DEFAULT_WINDOW, BROTLI_MODE_GENERIC, n,
                                 src, out_n, dst);
}

static bool brotli_decompress(lochan_pq_codec_cache *cache, const uint8_t *src, size_t n,
                              uint8_t *dst, size_t dst_n) {
    (void)cache;
    size_t made = dst_n;
    return BrotliDecoderDecompress(n, src, &made, dst) == BROTLI_DECODER_RESULT_SUCCESS &&
           made == dst_n;
}

static size_t lz4_bound(size_t n) {
    return n > LZ4_MAX_INPUT_SIZE ? 0 : (size_t)LZ4_compressBound((int)n);
}

static bool lz4_compress(lochan_pq_codec_cache *cache, int level, const uint8_t *src, size_t n,
                         uint8_t *dst, size_t cap, size_t *out_n) {
    (void)cache;
    if (n > LZ4_MAX_INPUT_SIZE)
        return false;
    int made = level ? LZ4_compress_HC((const char *)src, (char *)dst, (int)n, (int)cap, level)
                     : LZ4_compress_default((const char *)src, (char *)dst, (int)n, (int)cap);
    *out_n = made > 0 ? (size_t)made : 0;
    return made > 0;
}

static bool lz4_decompress(lochan_pq_codec_cache *cache, const uint8_t *src, size_t n, uint8_t *dst,
                           size_t dst_n) {
    (void)cache;
    return n <= INT32_MAX && dst_n <= INT32_MAX &&
           LZ4_decompress_safe((const char *)src, (char *)dst, (int)n, (int)dst_n) == (int)dst_n;
}

static uint32_t big_endian(const uint8_t *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | (uint32_t)p[3];
}

/* Hadoop's framing: again and again the sizes after and before decompression, big-endian, and a
 * block. */
static bool lz4_hadoop(const uint8_t *src, size_t n, uint8_t *dst, size_t dst_n) {
    while (n > 8) {
        uint32_t size = big_endian(src), packed = big_endian(src + 4);
        src += 8, n -= 8;
        if (packed > n || size > dst_n || !lz4_decompress(NULL, src, packed, dst, size))
            return false;
        src += packed, n -= packed;
        dst += size, dst_n -= size;
    }
    return n == 0 && dst_n == 0;
}

static bool lz4_frame(const uint8_t *src, size_t n, uint8_t *dst, size_t dst_n) {
    LZ4F_dctx *d = NULL;
    if (LZ4F_isError(LZ4F_createDecompressionContext(&d, LZ4F_VERSION)))
        return false;
    size_t made = dst_n, used = n;
    size_t left = LZ4F_decompress(d, dst, &made, src, &used, NULL);
    LZ4F_freeDecompressionContext(d);
    return left == 0 && made == dst_n && used == n;
}

/* The deprecated codec says nothing of its framing: Hadoop's, a bare block, or the LZ4 frame. */
static bool lz4_legacy(lochan_pq_codec_cache *cache, const uint8_t *src, size_t n, uint8_t *dst,
                       size_t dst_n) {
    return lz4_hadoop(src, n, dst, dst_n) || lz4_decompress(cache, src, n, dst, dst_n) ||
           lz4_frame(src, n, dst, dst_n);
}

/* Ratios: snappy copies at most 64 bytes per 3; lz4 255 per byte; deflate reaches 1032; a zstd
 * block of a few bytes stands for 128 KiB. A few bytes of brotli stand for as many as they like. */
static const codec_entry codecs[] = {
    {LOCHAN_PQ_UNCOMPRESSED, "none", 1, false, 0, 0, plain_bound, plain_compress, plain_decompress},
    {LOCHAN_PQ_SNAPPY, "snappy", 64, false, 0, 0, snappy_max_compressed_length, snappy_do_compress,
     snappy_do_decompress},
    {LOCHAN_PQ_GZIP, "gzip", 1100, false, 1, 12, gzip_bound, gzip_compress, gzip_decompress},
    {LOCHAN_PQ_BROTLI, "brotli", 4096, true, 1, 11, brotli_bound, brotli_compress,
     brotli_decompress},
    {LOCHAN_PQ_LZ4_LEGACY, "lz4 (legacy)", 260, false, 0, 0, NULL, NULL, lz4_legacy},
    {LOCHAN_PQ_ZSTD, "zstd", 45000, false, -7, 22, ZSTD_compressBound, zstd_compress,
     zstd_decompress},
    {LOCHAN_PQ_LZ4_RAW, "lz4", 260, false, 1, 12, lz4_bound, lz4_compress, lz4_decompress},
};

static const codec_entry *find(int32_t codec) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(codecs); i++) {
        if (codecs[i].id == codec)
            return &codecs[i];
    }
    return NULL;
}

bool lochan_pq_codec__from_name(const char *name, lochan_pq_codec *out) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(codecs); i++) {
        if (codecs[i].compress && strcmp(codecs[i].name, name) == 0) {
            *out = (lochan_pq_codec)codecs[i].id;
            return true;
        }
    }
    if (strcmp(name, "uncompressed") != 0)
        return false;
    *out = LOCHAN_PQ_UNCOMPRESSED;
    return true;
}

const char *lochan_pq_codec__label(int32_t codec) {
    static const char *const known[] = {"none",   "snappy",       "gzip", "lzo",
                                        "brotli", "lz4 (legacy)", "zstd", "lz4"};
    return codec >= 0 && (size_t)codec < LOCHAN_COUNTOF(known) ? known[codec] : "unknown";
}

bool lochan_pq_codec__readable(int32_t codec) {
    return find(codec) != NULL;
}

bool lochan_pq_codec__writable(int32_t codec) {
    const codec_entry *e = find(codec);
    return e && e->compress;
}

bool lochan_pq_codec__level_ok(int32_t codec, int level) {
    const codec_entry *e = find(codec);
    return e && (level == 0 || (level >= e->min_level && level <= e->max_level));
}

uint64_t lochan_pq_codec__max_size(int32_t codec, size_t n) {
    const codec_entry *e = find(codec);
    return e ? (uint64_t)n * e->max_ratio : 0;
}

bool lochan_pq_codec__has_bound(int32_t codec) {
    const codec_entry *e = find(codec);
    return e && !e->no_bound;
}

lochan_status lochan_pq_codec__compress(lochan_pq_codec_cache *cache, int32_t codec, int level,
                                        const uint8_t *src, size_t n, lochan_buf *dst,
                                        lochan_error *err) {
    const codec_entry *e = find(codec);
    if (!e || !e->compress)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "cannot write codec %s",
                                 lochan_pq_codec__label(codec));
    if (level == LOCHAN_PQ_LEVEL_NUMBERS && codec != LOCHAN_PQ_ZSTD)
        level = 0;
    size_t out_n = 0, bound = e->bound(n);
    LOCHAN_TRY(lochan_buf__reserve(dst, bound, err));
    if (n > 0 && !e->compress(cache, level, src, n, dst->data + dst->len, bound, &out_n))
        return lochan_error__set(err, LOCHAN_ERR_NO_MEMORY,
                                 "out of memory while compressing with %s", e->name);
    if (n == 0 && codec != LOCHAN_PQ_UNCOMPRESSED &&
        !e->compress(cache, level, (const uint8_t *)"", 0, dst->data + dst->len, bound, &out_n))
        return lochan_error__set(err, LOCHAN_ERR_NO_MEMORY,
                                 "out of memory while compressing with %s", e->name);
    dst->len += out_n;
    return LOCHAN_OK;
}

lochan_status lochan_pq_codec__decompress(lochan_pq_codec_cache *cache, int32_t codec,
                                          const uint8_t *src, size_t n, uint8_t *dst, size_t dst_n,
                                          lochan_error *err) {
    const codec_entry *e = find(codec);
    if (!e)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "codec %s (%d) is not supported",
                                 lochan_pq_codec__label(codec), (int)codec);
    if (n == 0 && dst_n == 0)
        return LOCHAN_OK;
    if (!e->decompress(cache, src, n, dst, dst_n))
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "page does not decompress with %s to %zu bytes", e->name, dst_n);
    return LOCHAN_OK;
}
