/* mem.h - all heap memory: one allocator table, checked sizes, the budget.
 * Invariant: every allocation of the library goes through this table, so that tests can fail the
 * N-th one. May call: status.h.
 */
#ifndef LOCHAN_BASE_MEM_H
#define LOCHAN_BASE_MEM_H

#include "base/status.h"
#include <stdatomic.h>
#include <stdlib.h>

/* Is this a build with AddressSanitizer? It sees the end of a block only if each comes from the C
 * library by itself. gcc tells by a macro, clang by a feature. */
#if defined(__SANITIZE_ADDRESS__)
#define LOCHAN_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define LOCHAN_ASAN 1
#endif
#endif
#ifndef LOCHAN_ASAN
#define LOCHAN_ASAN 0
#endif

/* The allocator of the process. Set once before any other call, or by a test while nothing is
 * allocated elsewhere. realloc(NULL, n) allocates. Alignment: 64 bytes for `alloc` results of 64
 * bytes and more is NOT promised; use lochan_mem__alloc_aligned for Arrow buffers. */
typedef struct lochan_allocator {
    void *(*alloc)(void *self, size_t size);
    void *(*realloc)(void *self, void *p, size_t size);
    void (*free)(void *self, void *p);
    void *self;
} lochan_allocator;

void lochan_mem__set_allocator(const lochan_allocator *allocator); /* NULL = the C library's */

/* All return NULL when out of memory (size 0 gives a unique pointer). Contents of alloc are
 * undefined, of zalloc zero. */
void *lochan_mem__alloc(size_t size);
void *lochan_mem__zalloc(size_t size);
void *lochan_mem__realloc(void *p, size_t size);
void lochan_mem__free(void *p); /* NULL is a no-op */
char *lochan_mem__strdup(const char *s);
char *lochan_mem__strndup(const char *s, size_t n);
/* count * size with overflow check; zeroed. */
void *lochan_mem__array(size_t count, size_t size);
/* Room for one more in a list of n elements of `size`, whose capacity *cap starts at 0 with `items`
 * NULL. NULL: out of memory, `items` is as it was. */
void *lochan_mem__grow(void *items, size_t n, size_t *cap, size_t size);
/* 64-byte aligned, padded to a multiple of 64 with zeros (as Arrow recommends). Free with
 * lochan_mem__free_aligned. */
void *lochan_mem__alloc_aligned(size_t size);
void lochan_mem__free_aligned(void *p);

/* Checked sizes: false on overflow, *out untouched then. */
static inline bool lochan_size__add(size_t a, size_t b, size_t *out) {
    return !__builtin_add_overflow(a, b, out);
}
static inline bool lochan_size__mul(size_t a, size_t b, size_t *out) {
    return !__builtin_mul_overflow(a, b, out);
}

/* A memory budget: large users take before they allocate and give back after they free.
 * Thread-safe. Exceeding it is LOCHAN_ERR_MEMORY_LIMIT, never an abort. */
typedef struct lochan_budget {
    _Atomic size_t used;
    _Atomic size_t peak;
    size_t limit; /* 0 = unlimited */
} lochan_budget;

void lochan_budget__init(lochan_budget *budget, size_t limit);
/* budget may be NULL (no limit). `what` names the user in the error, e.g. "sorting fx_daily". */
lochan_status lochan_budget__take(lochan_budget *budget, size_t bytes, const char *what,
                                  lochan_error *err);
bool lochan_budget__try_take(lochan_budget *budget, size_t bytes);
void lochan_budget__give(lochan_budget *budget, size_t bytes);

#endif
