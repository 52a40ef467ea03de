/* codec.h - the compression codecs, one table.
 * Invariant: decompression gives exactly the size asked or fails. Contexts of a cache may be used
 * by several threads. May call: base/, the codec libraries.
 */
#ifndef LOCHAN_PARQUET_CODEC_H
#define LOCHAN_PARQUET_CODEC_H

#include "base/buf.h"
#include "base/mem.h"

typedef enum lochan_pq_codec {
    LOCHAN_PQ_UNCOMPRESSED = 0, /* numbers of the Parquet format */
    LOCHAN_PQ_SNAPPY = 1,
    LOCHAN_PQ_GZIP = 2,
    LOCHAN_PQ_BROTLI = 4,
    LOCHAN_PQ_LZ4_LEGACY = 5, /* read only */
    LOCHAN_PQ_ZSTD = 6,
    LOCHAN_PQ_LZ4_RAW = 7
} lochan_pq_codec;

/* "zstd", "snappy", "none", ...; false if unknown. */
bool lochan_pq_codec__from_name(const char *name, lochan_pq_codec *out);

/* Working memory of the codec libraries, reused from page to page. Zeroed is empty. */
enum { LOCHAN_PQ_CODEC_SLOTS = 8 };
typedef struct lochan_pq_codec_cache {
    _Atomic(void *) zstd_compress[LOCHAN_PQ_CODEC_SLOTS];
    _Atomic(void *) zstd_decompress[LOCHAN_PQ_CODEC_SLOTS];
} lochan_pq_codec_cache;
void lochan_pq_codec_cache__deinit(lochan_pq_codec_cache *cache);

/* Whether this build can read / write the codec number of a file. */
bool lochan_pq_codec__readable(int32_t codec);
bool lochan_pq_codec__writable(int32_t codec);
const char *lochan_pq_codec__label(int32_t codec);
/* Level bounds; false if the level is not one of the codec's. 0 is always fine. */
bool lochan_pq_codec__level_ok(int32_t codec, int level);

/* In place of level 0: for repeating numbers of eight bytes, which level 1 of zstd loses sight of.
 * Other codecs take it for 0. */
enum { LOCHAN_PQ_LEVEL_NUMBERS = 1000 };

/* Largest size that `n` compressed bytes can stand for; without a bound: usually stand for. */
uint64_t lochan_pq_codec__max_size(int32_t codec, size_t n);
bool lochan_pq_codec__has_bound(int32_t codec);

/* Appends the compressed form of src to dst. */
lochan_status lochan_pq_codec__compress(lochan_pq_codec_cache *cache, int32_t codec, int level,
                                        const uint8_t *src, size_t n, lochan_buf *dst,
                                        lochan_error *err);
/* dst_n is the size the result must have. CORRUPT otherwise. */
lochan_status lochan_pq_codec__decompress(lochan_pq_codec_cache *cache, int32_t codec,
                                          const uint8_t *src, size_t n, uint8_t *dst, size_t dst_n,
                                          lochan_error *err);

#endif
