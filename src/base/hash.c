/* hash.c - xxHash and libdeflate under our names. xxHash is compiled in, so that short keys cost no
 * call. Invariant: as hash.h. May call: mem.h.
 */
#include "base/hash.h"
#include "base/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>
#include <libdeflate.h>

struct lochan_hasher {
    XXH3_state_t state; /* wants 64-byte alignment */
};

uint64_t lochan_hash__64(const void *p, size_t n, uint64_t seed) {
    return XXH3_64bits_withSeed(p, n, seed);
}

lochan_hash128 lochan_hash__128(const void *p, size_t n) {
    XXH128_hash_t h = XXH3_128bits(p, n);
    return (lochan_hash128){h.low64, h.high64};
}

uint64_t lochan_hash__xxh64(const void *p, size_t n, uint64_t seed) {
    return XXH64(p, n, seed);
}

uint32_t lochan_hash__crc32(const void *p, size_t n) {
    return n ? libdeflate_crc32(0, p, n) : 0;
}

void lochan_hash128__hex(lochan_hash128 h, char dst[33]) {
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 16; i++) {
        dst[i] = digits[(h.hi >> (60 - 4 * i)) & 15];
        dst[16 + i] = digits[(h.lo >> (60 - 4 * i)) & 15];
    }
    dst[32] = '\0';
}

lochan_hasher *lochan_hasher__create(void) {
    lochan_hasher *h = lochan_mem__alloc_aligned(sizeof *h);
    if (h) {
        XXH3_INITSTATE(&h->state);
        XXH3_128bits_reset(&h->state);
    }
    return h;
}

void lochan_hasher__update(lochan_hasher *h, const void *p, size_t n) {
    if (n)
        XXH3_128bits_update(&h->state, p, n);
}

lochan_hash128 lochan_hasher__digest(const lochan_hasher *h) {
    XXH128_hash_t d = XXH3_128bits_digest(&h->state);
    return (lochan_hash128){d.low64, d.high64};
}

void lochan_hasher__free(lochan_hasher *h) {
    lochan_mem__free_aligned(h);
}
