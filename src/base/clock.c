/* clock.c - the system's clocks and random numbers behind one table; UUIDs of version 7.
 * Invariants: UUIDs made by one process sort in the order they were made, also when the wall clock
 * steps back. May call: status.h.
 */
#include "base/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_S INT64_C(1000000000)

static int64_t read_clock(clockid_t id) {
    struct timespec ts;
    clock_gettime(id, &ts);
    return (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static int64_t system_wall(void *self) {
    (void)self;
    return read_clock(CLOCK_REALTIME);
}

static int64_t system_mono(void *self) {
    (void)self;
    return read_clock(CLOCK_MONOTONIC);
}

static void system_sleep(void *self, int64_t ns) {
    (void)self;
    if (ns <= 0)
        return;
    struct timespec ts = {(time_t)(ns / NS_PER_S), (long)(ns % NS_PER_S)};
    nanosleep(&ts, NULL);
}

/* Only if the kernel has no getrandom: names must still differ between processes and calls. */
static void weak_random(uint8_t *p, size_t n) {
    static _Atomic uint64_t counter;
    uint64_t x = (uint64_t)read_clock(CLOCK_REALTIME) ^ ((uint64_t)getpid() << 40);
    x += atomic_fetch_add(&counter, 1) * UINT64_C(0x9E3779B97F4A7C15);
    for (size_t i = 0; i < n; i++) {
        x ^= x >> 30;
        x *= UINT64_C(0xBF58476D1CE4E5B9);
        x ^= x >> 27;
        p[i] = (uint8_t)(x >> 32);
        x += i + 1;
    }
}

static void system_random(void *self, void *dst, size_t n) {
    (void)self;
    uint8_t *p = dst;
    while (n > 0) {
        ssize_t got = getrandom(p, n > 256 ? 256 : n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            weak_random(p, n);
            return;
        }
        p += got;
        n -= (size_t)got;
    }
}

static const lochan_clock system_clock = {system_wall, system_mono, system_sleep, system_random,
                                          NULL};
static _Atomic(const lochan_clock *) current = &system_clock;
static _Atomic uint64_t last_stamp; /* of the newest UUID: milliseconds << 12 | fraction */

void lochan_clock__set(const lochan_clock *clock) {
    atomic_store(&current, clock ? clock : &system_clock);
    atomic_store(&last_stamp, 0);
}

static const lochan_clock *clock_now(void) {
    return atomic_load_explicit(&current, memory_order_acquire);
}

int64_t lochan_clock__wall_ns(void) {
    const lochan_clock *c = clock_now();
    return c->wall_ns(c->self);
}

int64_t lochan_clock__mono_ns(void) {
    const lochan_clock *c = clock_now();
    return c->mono_ns(c->self);
}

void lochan_clock__sleep_ns(int64_t ns) {
    const lochan_clock *c = clock_now();
    c->sleep_ns(c->self, ns);
}

void lochan_random__bytes(void *p, size_t n) {
    const lochan_clock *c = clock_now();
    c->random(c->self, p, n);
}

uint64_t lochan_random__below(uint64_t bound) {
    if (bound < 2)
        return 0;
    /* Values past the last whole multiple of bound would favour small results: draw again. */
    uint64_t excess = (UINT64_MAX % bound + 1) % bound;
    uint64_t x;
    do {
        lochan_random__bytes(&x, sizeof x);
    } while (x > UINT64_MAX - excess);
    return x % bound;
}

static uint64_t next_stamp(void) {
    int64_t ns = lochan_clock__wall_ns();
    if (ns < 0)
        ns = 0;
    uint64_t ms = (uint64_t)ns / 1000000, rest = (uint64_t)ns % 1000000;
    uint64_t stamp = ms << 12 | rest * 4096 / 1000000;
    uint64_t last = atomic_load(&last_stamp), next;
    do {
        next = stamp > last ? stamp : last + 1;
    } while (!atomic_compare_exchange_weak(&last_stamp, &last, next));
    return next;
}

void lochan_uuid__make(char dst[37]) {
    static const char digits[] = "0123456789abcdef";
    uint8_t b[16];
    uint64_t stamp = next_stamp();
    lochan_random__bytes(b + 8, 8);
    for (int i = 0; i < 6; i++)
        b[i] = (uint8_t)(stamp >> (12 + 40 - 8 * i));
    b[6] = (uint8_t)(0x70 | ((stamp >> 8) & 0x0F));
    b[7] = (uint8_t)stamp;
    b[8] = (uint8_t)(0x80 | (b[8] & 0x3F));
    char *p = dst;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *p++ = '-';
        *p++ = digits[b[i] >> 4];
        *p++ = digits[b[i] & 15];
    }
    *p = '\0';
}
