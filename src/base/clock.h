/* clock.h - time, sleep and random numbers, all replaceable by tests.
 * Invariant: no other file asks the system for time or randomness. May call: status.h.
 */
#ifndef LOCHAN_BASE_CLOCK_H
#define LOCHAN_BASE_CLOCK_H

#include "base/status.h"

typedef struct lochan_clock {
    int64_t (*wall_ns)(void *self);           /* since 1970, UTC */
    int64_t (*mono_ns)(void *self);           /* never goes back */
    void (*sleep_ns)(void *self, int64_t ns); /* may return early */
    void (*random)(void *self, void *p, size_t n);
    void *self;
} lochan_clock;

void lochan_clock__set(const lochan_clock *clock); /* NULL = the system's; tests only */

int64_t lochan_clock__wall_ns(void);
int64_t lochan_clock__mono_ns(void);
void lochan_clock__sleep_ns(int64_t ns);
void lochan_random__bytes(void *p, size_t n);
uint64_t lochan_random__below(uint64_t bound); /* uniform in [0, bound), bound > 0 */

/* UUID version 7 (RFC 9562): time-ordered; text form, 36 characters and NUL. */
void lochan_uuid__make(char dst[37]);

#endif
