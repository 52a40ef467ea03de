/* large.c - see large.h. A region is 32 MiB at a multiple of its size, so that a block finds its
 * region by its address. Its first unit holds the header; a bitmap says which units are taken,
 * the first gap that fits is used. A block of more than half a region is mapped alone.
 */
#include "base/large.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>

#define REGION    ((size_t)32 << 20)
#define UNIT      ((size_t)16 << 10)
#define HUGE_PAGE ((size_t)2 << 20)
enum { UNITS = 2048, WORDS = UNITS / 64, KEPT = 24, HEADER = 64 };

typedef struct region {
    struct region *next, *prev;
    size_t mapped;              /* bytes; more than REGION: one block alone */
    uint32_t used;              /* units, header included */
    uint32_t too_many;          /* no gap of so many units since the last free */
    uint16_t lengths[UNITS];    /* of the block that begins at a unit */
    uint64_t taken[UNITS / 64]; /* one bit a unit */
} region;

_Static_assert(sizeof(region) <= UNIT, "the header fits into its unit");

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static region *regions; /* those with units, the newest first */
static int empty;       /* of them */
static size_t mapped;

static void before_fork(void) {
    pthread_mutex_lock(&lock);
}

static void after_fork(void) {
    pthread_mutex_unlock(&lock);
}

static void start(void) {
    (void)pthread_atfork(before_fork, after_fork, after_fork);
}

/* Maps `size` bytes at a multiple of REGION. */
static region *map_region(size_t size) {
    if (size > SIZE_MAX / 2 - REGION)
        return NULL;
    uint8_t *p =
        mmap(NULL, size + REGION, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    size_t lead = (REGION - (uintptr_t)p % REGION) % REGION;
    if (lead > 0)
        (void)munmap(p, lead);
    if (lead < REGION)
        (void)munmap(p + lead + size, REGION - lead);
#ifdef MADV_HUGEPAGE
    (void)madvise(p + lead, size, MADV_HUGEPAGE); /* a wish: small pages work too */
#endif
    region *r = (void *)(p + lead);
    r->mapped = size;
    mapped += size;
    return r;
}

static void unmap_region(region *r) {
    mapped -= r->mapped;
    (void)munmap(r, r->mapped);
}

static void link_region(region *r) {
    r->prev = NULL;
    r->next = regions;
    if (regions)
        regions->prev = r;
    regions = r;
}

static void unlink_region(region *r) {
    if (r->next)
        r->next->prev = r->prev;
    if (r->prev)
        r->prev->next = r->next;
    else
        regions = r->next;
}

static void mark(region *r, unsigned from, unsigned n, bool taken) {
    for (unsigned i = from; i < from + n;) {
        unsigned in_word = 64 - i % 64, left = from + n - i, m = left < in_word ? left : in_word;
        uint64_t bits = (m == 64 ? UINT64_MAX : (1ull << m) - 1) << i % 64;
        r->taken[i / 64] = taken ? r->taken[i / 64] | bits : r->taken[i / 64] & ~bits;
        i += m;
    }
}

/* First of n free units in a row; 0 if there are none (unit 0 is the header's). */
static unsigned find_gap(const region *r, unsigned n) {
    unsigned at = 0, length = 0;
    for (unsigned w = 0; w < WORDS; w++) {
        if (r->taken[w] == UINT64_MAX) {
            length = 0;
            continue;
        }
        for (unsigned i = 0; i < 64; i++) {
            if (r->taken[w] >> i & 1u) {
                length = 0;
                continue;
            }
            if (length++ == 0)
                at = w * 64 + i;
            if (length == n)
                return at;
        }
    }
    return 0;
}

static void *take_units(region *r, unsigned at, unsigned n) {
    empty -= r->used == 1;
    mark(r, at, n, true);
    r->lengths[at] = (uint16_t)n;
    r->used += n;
    return (uint8_t *)r + at * UNIT;
}

static void *alloc_units(unsigned n) {
    for (region *r = regions; r; r = r->next) {
        if (n >= r->too_many || n > UNITS - r->used)
            continue;
        unsigned at = find_gap(r, n);
        if (at)
            return take_units(r, at, n);
        r->too_many = n;
    }
    region *r = map_region(REGION);
    if (!r)
        return NULL;
    r->used = 1;
    r->too_many = UNITS;
    mark(r, 0, 1, true);
    link_region(r);
    empty++;
    return take_units(r, 1, n);
}

void *lochan_large__alloc(size_t size) {
    (void)pthread_once(&once, start);
    void *p = NULL;
    pthread_mutex_lock(&lock);
    if (size <= REGION / 2) {
        p = alloc_units((unsigned)((size + UNIT - 1) / UNIT + (size == 0)));
    } else if (size < SIZE_MAX / 2) {
        region *r = map_region((size + HEADER + 4095) & ~(size_t)4095);
        p = r ? (uint8_t *)r + HEADER : NULL;
    }
    pthread_mutex_unlock(&lock);
    return p;
}

/* The system may take the memory of a kept region back whenever it wants it. */
static void keep_empty(region *r) {
    if (++empty > KEPT) {
        unlink_region(r);
        unmap_region(r);
        empty--;
        return;
    }
#ifdef MADV_FREE
    (void)madvise((uint8_t *)r + HUGE_PAGE, REGION - HUGE_PAGE, MADV_FREE);
#endif
}

void lochan_large__free(void *p) {
    if (!p)
        return;
    size_t offset = (uintptr_t)p % REGION;
    region *r = (void *)((uint8_t *)p - offset);
    unsigned at = (unsigned)(offset / UNIT);
    pthread_mutex_lock(&lock);
    if (at == 0) {
        unmap_region(r);
    } else {
        mark(r, at, r->lengths[at], false);
        r->used -= r->lengths[at];
        r->too_many = UNITS;
        if (r->used == 1)
            keep_empty(r);
    }
    pthread_mutex_unlock(&lock);
}

size_t lochan_large__mapped(void) {
    pthread_mutex_lock(&lock);
    size_t n = mapped;
    pthread_mutex_unlock(&lock);
    return n;
}
