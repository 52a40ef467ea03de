/* feed_fault.h - which request goes wrong, and how.
 * Invariant: the choice depends on the seed, the request and how often it was asked before, not on
 * time or order. May call: base/.
 */
#ifndef LOCHAN_FEED_FEED_FAULT_H
#define LOCHAN_FEED_FEED_FAULT_H

#include "base/buf.h"

#include <pthread.h>

typedef enum lochan_fault_kind {
    LOCHAN_FAULT_NONE = -1,
    LOCHAN_FAULT_HTTP500,
    LOCHAN_FAULT_HTTP503,
    LOCHAN_FAULT_HTTP429,
    LOCHAN_FAULT_HTTP404,
    LOCHAN_FAULT_CUT,
    LOCHAN_FAULT_HANG,
    LOCHAN_FAULT_SLOW,
    LOCHAN_FAULT_EMPTY,
    LOCHAN_FAULT_GARBAGE,
    LOCHAN_FAULT_COLUMNS,
    LOCHAN_FAULT_TYPE,
    LOCHAN_FAULT_HTML,
    LOCHAN_FAULT_RESET,
    LOCHAN_FAULT_COUNT
} lochan_fault_kind;

enum { LOCHAN_FAULT_MEMORY = 1 << 16 }; /* requests whose attempts are counted */

typedef struct lochan_faults {
    double rate[LOCHAN_FAULT_COUNT];
    lochan_fault_kind order[LOCHAN_FAULT_COUNT]; /* as given */
    size_t n;
    uint64_t seed;
    pthread_mutex_t lock;
    uint64_t *asked; /* open hash: request */
    uint32_t *attempts;
} lochan_faults;

/* "KIND[:RATE][,...]"; NULL or "" = none. INVALID_ARGUMENT names the kinds there are. */
lochan_status lochan_faults__init(lochan_faults *faults, const char *text, uint64_t seed,
                                  lochan_error *err);
void lochan_faults__deinit(lochan_faults *faults);
/* Also gives a number to draw further choices from. */
lochan_fault_kind lochan_faults__choose(lochan_faults *faults, const void *request, size_t n,
                                        uint64_t *draw);

/* Damages a page (`columns`, `type`, `garbage`) by the drawn number. */
lochan_status lochan_faults__damage(lochan_fault_kind kind, uint64_t draw, char delimiter,
                                    lochan_buf *page, lochan_error *err);

#endif
