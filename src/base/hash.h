/* hash.h - checksums and hashes, thin over xxHash and libdeflate.
 * Invariant: results are the same on every machine; they are part of the on-disk format. May call:
 * mem.h.
 */
#ifndef LOCHAN_BASE_HASH_H
#define LOCHAN_BASE_HASH_H

#include <stddef.h>
#include <stdint.h>

typedef struct lochan_hash128 {
    uint64_t lo, hi;
} lochan_hash128;

uint64_t lochan_hash__64(const void *p, size_t n, uint64_t seed); /* XXH3 64 */
lochan_hash128 lochan_hash__128(const void *p, size_t n);         /* XXH3 128 */
uint64_t lochan_hash__xxh64(const void *p, size_t n,
                            uint64_t seed);           /* XXH64: Parquet bloom filters */
uint32_t lochan_hash__crc32(const void *p, size_t n); /* gzip polynomial: Parquet page CRC */

/* 32 lower-case hex digits and NUL. */
void lochan_hash128__hex(lochan_hash128 h, char dst[33]);

/* Streaming XXH3 128. */
typedef struct lochan_hasher lochan_hasher;
lochan_hasher *lochan_hasher__create(void); /* NULL: out of memory */
void lochan_hasher__update(lochan_hasher *h, const void *p, size_t n);
lochan_hash128 lochan_hasher__digest(const lochan_hasher *h);
void lochan_hasher__free(lochan_hasher *h);

#endif
