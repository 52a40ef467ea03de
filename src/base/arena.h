/* arena.h - memory with one lifetime: parse, plan, commit.
 * Invariant: pointers stay valid until reset or deinit; nothing is freed singly. Not thread-safe.
 * May call: mem.h.
 */
#ifndef LOCHAN_BASE_ARENA_H
#define LOCHAN_BASE_ARENA_H

#include "base/mem.h"

typedef struct lochan_arena {
    struct lochan_arena_block *head;
    size_t used; /* bytes handed out */
    size_t max;  /* refuses to grow past this, 0 = unlimited */
} lochan_arena;

void lochan_arena__init(lochan_arena *arena, size_t max);
void lochan_arena__reset(lochan_arena *arena); /* frees all */
void lochan_arena__deinit(lochan_arena *arena);

/* 16-byte aligned, zeroed; NULL when out of memory or past max. */
void *lochan_arena__alloc(lochan_arena *arena, size_t size);
void *lochan_arena__array(lochan_arena *arena, size_t count, size_t size); /* checked product */
/* Room for one more in a list of n elements of `size`: the list itself, or a larger copy (the old
 * one stays in the arena). *cap starts at 0 with `old` NULL. NULL: out of memory. */
void *lochan_arena__grow(lochan_arena *arena, void *old, size_t n, size_t *cap, size_t size);
char *lochan_arena__strdup(lochan_arena *arena, const char *s);
char *lochan_arena__strndup(lochan_arena *arena, const char *s, size_t n);
char *lochan_arena__printf(lochan_arena *arena, const char *fmt, ...) LOCHAN_PRINTF(2, 3);

#endif
