/* alloc.c - see alloc.h. Calls the C library's allocator itself. */
#include "support/alloc.h"
#include "support/cmocka_all.h"

#include "base/mem.h"

#include <malloc.h>
#include <stdatomic.h>
#include <stdlib.h>

static _Atomic long live, made, countdown;
static _Atomic long bytes;
static _Atomic bool fired, keep_failing;

static bool fail_now(void) {
    atomic_fetch_add(&made, 1);
    if (atomic_load(&fired) && atomic_load(&keep_failing))
        return true;
    if (atomic_load(&countdown) <= 0)
        return false;
    if (atomic_fetch_sub(&countdown, 1) != 1)
        return false;
    atomic_store(&fired, true);
    return true;
}

static void *count_alloc(void *self, size_t size) {
    (void)self;
    if (fail_now())
        return NULL;
    void *p = malloc(size);
    if (p) {
        atomic_fetch_add(&live, 1);
        atomic_fetch_add(&bytes, (long)malloc_usable_size(p));
    }
    return p;
}

static void *count_realloc(void *self, void *p, size_t size) {
    (void)self;
    if (!p)
        return count_alloc(self, size);
    if (fail_now())
        return NULL;
    long before = (long)malloc_usable_size(p);
    void *q = realloc(p, size);
    if (q)
        atomic_fetch_add(&bytes, (long)malloc_usable_size(q) - before);
    return q;
}

static void count_free(void *self, void *p) {
    (void)self;
    atomic_fetch_sub(&live, 1);
    atomic_fetch_sub(&bytes, (long)malloc_usable_size(p));
    free(p);
}

void alloc_install(void) {
    static const lochan_allocator table = {count_alloc, count_realloc, count_free, NULL};
    alloc_fail_at(0, false);
    atomic_store(&live, 0);
    atomic_store(&made, 0);
    atomic_store(&bytes, 0);
    lochan_mem__set_allocator(&table);
}

void alloc_remove(void) {
    lochan_mem__set_allocator(NULL);
    alloc_fail_at(0, false);
}

long alloc_live(void) {
    return atomic_load(&live);
}

long alloc_made(void) {
    return atomic_load(&made);
}

size_t alloc_bytes(void) {
    long n = atomic_load(&bytes);
    return n > 0 ? (size_t)n : 0;
}

void alloc_fail_at(long nth, bool persistent) {
    atomic_store(&countdown, 0);
    atomic_store(&fired, false);
    atomic_store(&keep_failing, persistent);
    atomic_store(&countdown, nth);
}

bool alloc_fired(void) {
    return atomic_load(&fired);
}

int alloc_setup(void **state) {
    (void)state;
    alloc_install();
    return 0;
}

int alloc_teardown(void **state) {
    (void)state;
    long left = alloc_live();
    alloc_remove();
    if (left != 0)
        print_error("%ld blocks are still allocated\n", left);
    return left == 0 ? 0 : -1;
}
