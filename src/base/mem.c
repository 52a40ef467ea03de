/* mem.c - the allocator table, aligned blocks and the budget.
 * Invariants: only this file names the C library's allocator; sizes that overflow count as out of
 * memory. May call: status.h, large.h.
 */
#include "base/mem.h"
#include "base/large.h"

#include <string.h>

#define ALIGNMENT ((size_t)64)

static void *system_alloc(void *self, size_t size) {
    (void)self;
    return malloc(size);
}

static void *system_realloc(void *self, void *p, size_t size) {
    (void)self;
    return realloc(p, size);
}

static void system_free(void *self, void *p) {
    (void)self;
    free(p);
}

static const lochan_allocator system_allocator = {system_alloc, system_realloc, system_free, NULL};
static lochan_allocator table = {system_alloc, system_realloc, system_free, NULL};

void lochan_mem__set_allocator(const lochan_allocator *allocator) {
    table = allocator ? *allocator : system_allocator;
}

/* Size 0 becomes 1, so that NULL always means out of memory. Half of the address space is refused
 * at once: no pointer difference inside a block may overflow. */
static bool size_ok(size_t *size) {
    if (*size == 0)
        *size = 1;
    return *size <= (size_t)PTRDIFF_MAX;
}

void *lochan_mem__alloc(size_t size) {
    return size_ok(&size) ? table.alloc(table.self, size) : NULL;
}

void *lochan_mem__zalloc(size_t size) {
    if (!size_ok(&size))
        return NULL;
    if (table.alloc == system_alloc)
        return calloc(1, size); /* large blocks come zeroed from the kernel */
    void *p = table.alloc(table.self, size);
    if (p)
        memset(p, 0, size);
    return p;
}

void *lochan_mem__realloc(void *p, size_t size) {
    return size_ok(&size) ? table.realloc(table.self, p, size) : NULL;
}

void lochan_mem__free(void *p) {
    if (p)
        table.free(table.self, p);
}

char *lochan_mem__strdup(const char *s) {
    return lochan_mem__strndup(s, strlen(s));
}

char *lochan_mem__strndup(const char *s, size_t n) {
    size_t size;
    if (!lochan_size__add(n, 1, &size))
        return NULL;
    char *p = lochan_mem__alloc(size);
    if (p) {
        if (n)
            memcpy(p, s, n);
        p[n] = '\0';
    }
    return p;
}

void *lochan_mem__array(size_t count, size_t size) {
    size_t total;
    return lochan_size__mul(count, size, &total) ? lochan_mem__zalloc(total) : NULL;
}

void *lochan_mem__grow(void *items, size_t n, size_t *cap, size_t size) {
    size_t more = *cap ? *cap * 2 : 16, total;
    if (n < *cap)
        return items;
    void *p = lochan_size__mul(more, size, &total) ? lochan_mem__realloc(items, total) : NULL;
    if (p)
        *cap = more;
    return p;
}

enum { LARGE_BLOCKS = !LOCHAN_ASAN };

/* The block is kept in the word before the aligned address; NULL there means that large.h gave it.
 */
void *lochan_mem__alloc_aligned(size_t size) {
    size_t padded, total;
    if (!lochan_size__add(size, ALIGNMENT - 1, &padded))
        return NULL;
    padded &= ~(ALIGNMENT - 1);
    if (padded == 0)
        padded = ALIGNMENT;
    if (!lochan_size__add(padded, ALIGNMENT + sizeof(void *), &total))
        return NULL;
    if (LARGE_BLOCKS && size >= LOCHAN_LARGE_MIN && table.alloc == system_alloc) {
        char *large = lochan_large__alloc(padded + ALIGNMENT);
        if (large) {
            memset(large, 0, ALIGNMENT);
            memset(large + ALIGNMENT + size, 0, padded - size);
            return large + ALIGNMENT;
        }
    }
    char *raw = lochan_mem__alloc(total);
    if (!raw)
        return NULL;
    uintptr_t address = (uintptr_t)raw + sizeof(void *) + ALIGNMENT - 1;
    char *aligned = raw + ((address & ~(uintptr_t)(ALIGNMENT - 1)) - (uintptr_t)raw);
    memcpy(aligned - sizeof(void *), &raw, sizeof(void *));
    memset(aligned + size, 0, padded - size);
    return aligned;
}

void lochan_mem__free_aligned(void *p) {
    if (!p)
        return;
    void *raw;
    memcpy(&raw, (char *)p - sizeof(void *), sizeof(void *));
    if (raw)
        lochan_mem__free(raw);
    else
        lochan_large__free((char *)p - ALIGNMENT);
}

void lochan_budget__init(lochan_budget *budget, size_t limit) {
    atomic_init(&budget->used, 0);
    atomic_init(&budget->peak, 0);
    budget->limit = limit;
}

bool lochan_budget__try_take(lochan_budget *budget, size_t bytes) {
    if (!budget)
        return true;
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    size_t after;
    do {
        if (!lochan_size__add(used, bytes, &after) || (budget->limit && after > budget->limit))
            return false;
    } while (!atomic_compare_exchange_weak_explicit(&budget->used, &used, after,
                                                    memory_order_relaxed, memory_order_relaxed));
    size_t peak = atomic_load_explicit(&budget->peak, memory_order_relaxed);
    while (peak < after &&
           !atomic_compare_exchange_weak_explicit(&budget->peak, &peak, after, memory_order_relaxed,
                                                  memory_order_relaxed)) {
    }
    return true;
}

lochan_status lochan_budget__take(lochan_budget *budget, size_t bytes, const char *what,
                                  lochan_error *err) {
    if (lochan_budget__try_take(budget, bytes))
        return LOCHAN_OK;
    size_t used = atomic_load_explicit(&budget->used, memory_order_relaxed);
    return lochan_error__set(
        err, LOCHAN_ERR_MEMORY_LIMIT,
        "%s needs %zu bytes more, but %zu of the limit of %zu bytes are in use", what, bytes, used,
        budget->limit);
}

void lochan_budget__give(lochan_budget *budget, size_t bytes) {
    if (!budget)
        return;
    size_t before = atomic_fetch_sub_explicit(&budget->used, bytes, memory_order_relaxed);
    LOCHAN_ASSERT(before >= bytes);
    (void)before;
}
