/* clock_fake.h - a clock that stands still until told, records sleeps, and gives the same random
 * bytes for one seed. Invariant: sleeping moves both clocks on by the time slept and takes no time.
 * Thread-safe.
 */
#ifndef TEST_SUPPORT_CLOCK_FAKE_H
#define TEST_SUPPORT_CLOCK_FAKE_H

#include <stddef.h>
#include <stdint.h>

void fake_clock_install(int64_t wall_ns, uint64_t seed); /* the monotonic clock starts at 1 s */
void fake_clock_remove(void);

void fake_clock_set_wall(int64_t wall_ns); /* may go back */
void fake_clock_advance(int64_t ns);       /* both clocks */
void fake_clock_tick(int64_t ns); /* every reading moves both clocks on by this; 0 = stand still */

size_t fake_clock_sleeps(void);     /* how many since install */
int64_t fake_clock_sleep(size_t i); /* the i-th, in nanoseconds; at most the last 1024 are kept */
int64_t fake_clock_slept(void);     /* their sum */

/* A seeded random number for tests, without any clock: xorshift. The state may not be 0. */
uint64_t fake_random(uint64_t *state);

#endif
