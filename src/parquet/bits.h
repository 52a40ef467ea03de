/* bits.h - packing and unpacking of integers of 0 to 32 (64) bits, least significant bit first.
 * Invariants: never reads outside [src, src + n_bytes); the plain and the AVX2 path give the same
 * result. May call: nothing.
 */
#ifndef LOCHAN_PARQUET_BITS_H
#define LOCHAN_PARQUET_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* n values of `width` bits (0..32). The caller has checked that n_bytes holds them. */
void lochan_bits__unpack32(const uint8_t *src, size_t n_bytes, unsigned width, uint32_t *out,
                           size_t n);
/* The same for widths 0..64. */
void lochan_bits__unpack64(const uint8_t *src, size_t n_bytes, unsigned width, uint64_t *out,
                           size_t n);
/* Packs n values (a multiple of 8, each below 2^width) into n / 8 * width bytes. */
void lochan_bits__pack32(const uint32_t *in, size_t n, unsigned width, uint8_t *dst);
void lochan_bits__pack64(const uint64_t *in, size_t n, unsigned width, uint8_t *dst);

/* Bits needed for v. */
static inline unsigned lochan_bits__width(uint64_t v) {
    return v ? 64u - (unsigned)__builtin_clzll(v) : 0;
}

/* How many of n bytes are v. */
size_t lochan_bits__count_bytes(const uint8_t *bytes, size_t n, uint8_t v);

/* Copies n bits from src (starting at bit from) to dst (starting at bit to); bits of dst outside
 * the range are kept. */
void lochan_bits__copy(uint8_t *dst, int64_t to, const uint8_t *src, int64_t from, int64_t n);
/* Sets n bits from `to` on to v. */
void lochan_bits__fill(uint8_t *dst, int64_t to, int64_t n, bool v);

/* Tests only: leave the vector paths out. */
void lochan_bits__force_plain(bool plain);
bool lochan_bits__is_plain(void);

#endif
