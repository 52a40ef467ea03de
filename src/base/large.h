/* large.h - blocks of memory from 64 KiB up, out of regions of huge pages.
 * Column buffers come and go by the hundred; from the C library each of them would be mapped,
 * zeroed page by page and unmapped again, which costs more than decoding into them.
 * Invariants: blocks are aligned to 64 bytes; a freed block is used again before more is mapped;
 * at most 24 empty regions are kept, and
 * those only until the system asks for memory. Thread-safe, also across fork. May call: the system.
 */
#ifndef LOCHAN_BASE_LARGE_H
#define LOCHAN_BASE_LARGE_H

#include <stddef.h>

enum { LOCHAN_LARGE_MIN = 64 << 10 }; /* smaller blocks would waste too much */

/* NULL: out of memory. The contents are undefined. */
void *lochan_large__alloc(size_t size);
void lochan_large__free(void *p); /* NULL is a no-op */

/* Bytes mapped now, for tests. */
size_t lochan_large__mapped(void);

#endif
