/* arena.c - bump allocation from a chain of zeroed blocks.
 * Invariants: blocks are never moved nor reused before reset; what is handed out is zero. May call:
 * mem.h.
 */
#include "base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ALIGNMENT   ((size_t)16)
#define FIRST_BLOCK ((size_t)4096)
#define LAST_BLOCK  ((size_t)1 << 20)

struct lochan_arena_block {
    struct lochan_arena_block *next;
    size_t used;
    size_t size;
    size_t padding; /* keeps `data` aligned */
    unsigned char data[];
};

void lochan_arena__init(lochan_arena *arena, size_t max) {
    arena->head = NULL;
    arena->used = 0;
    arena->max = max;
}

void lochan_arena__reset(lochan_arena *arena) {
    struct lochan_arena_block *block = arena->head;
    while (block) {
        struct lochan_arena_block *next = block->next;
        lochan_mem__free(block);
        block = next;
    }
    arena->head = NULL;
    arena->used = 0;
}

void lochan_arena__deinit(lochan_arena *arena) {
    lochan_arena__reset(arena);
}

static size_t next_block_size(const lochan_arena *arena, size_t need) {
#if LOCHAN_ASAN
    /* One block for each allocation, so that the sanitizer sees a read past its end. */
    (void)arena;
    return need;
#else
    size_t size = arena->head ? arena->head->size * 2 : FIRST_BLOCK;
    if (size < FIRST_BLOCK)
        size = FIRST_BLOCK;
    if (size > LAST_BLOCK)
        size = LAST_BLOCK;
    return need > size ? need : size;
#endif
}

static struct lochan_arena_block *add_block(lochan_arena *arena, size_t need) {
    size_t size = next_block_size(arena, need), total;
    if (!lochan_size__add(size, sizeof(struct lochan_arena_block), &total))
        return NULL;
    struct lochan_arena_block *block = lochan_mem__zalloc(total);
    if (!block)
        return NULL;
    block->size = size;
    block->next = arena->head;
    arena->head = block;
    return block;
}

void *lochan_arena__alloc(lochan_arena *arena, size_t size) {
    size_t rounded, after;
    if (!lochan_size__add(size ? size : 1, ALIGNMENT - 1, &rounded))
        return NULL;
    rounded &= ~(ALIGNMENT - 1);
    if (!lochan_size__add(arena->used, rounded, &after) || (arena->max && after > arena->max))
        return NULL;
    struct lochan_arena_block *block = arena->head;
    if (!block || block->size - block->used < rounded)
        block = add_block(arena, rounded);
    if (!block)
        return NULL;
    void *p = block->data + block->used;
    block->used += rounded;
    arena->used = after;
    return p;
}

void *lochan_arena__array(lochan_arena *arena, size_t count, size_t size) {
    size_t total;
    return lochan_size__mul(count, size, &total) ? lochan_arena__alloc(arena, total) : NULL;
}

char *lochan_arena__strdup(lochan_arena *arena, const char *s) {
    return lochan_arena__strndup(arena, s, strlen(s));
}

char *lochan_arena__strndup(lochan_arena *arena, const char *s, size_t n) {
    size_t size;
    if (!lochan_size__add(n, 1, &size))
        return NULL;
    char *p = lochan_arena__alloc(arena, size);
    if (p && n)
        memcpy(p, s, n);
    return p;
}

void *lochan_arena__grow(lochan_arena *arena, void *old, size_t n, size_t *cap, size_t size) {
    if (n < *cap)
        return old;
    size_t more = *cap ? *cap * 2 : 16;
    void *p = lochan_arena__array(arena, more, size);
    if (p && n)
        memcpy(p, old, n * size);
    if (p)
        *cap = more;
    return p;
}

char *lochan_arena__printf(lochan_arena *arena, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(NULL, 0, fmt, args);
    va_end(args);
    if (n < 0)
        return NULL;
    char *p = lochan_arena__alloc(arena, (size_t)n + 1);
    if (!p)
        return NULL;
    va_start(args, fmt);
    vsnprintf(p, (size_t)n + 1, fmt, args);
    va_end(args);
    return p;
}
