/* clock_fake.c - see clock_fake.h. */
#include "support/clock_fake.h"

#include "base/clock.h"

#include <pthread.h>
#include <string.h>

#define KEPT 1024

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int64_t wall, mono, tick, slept;
static int64_t sleeps[KEPT];
static size_t sleep_count;
static uint64_t random_state;

uint64_t fake_random(uint64_t *state) {
    uint64_t x = *state ? *state : 1;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    *state = x;
    return x * UINT64_C(0x2545F4914F6CDD1D);
}

static void move(int64_t ns) {
    wall += ns;
    mono += ns;
}

static int64_t get_wall(void *self) {
    (void)self;
    pthread_mutex_lock(&lock);
    move(tick);
    int64_t v = wall;
    pthread_mutex_unlock(&lock);
    return v;
}

static int64_t get_mono(void *self) {
    (void)self;
    pthread_mutex_lock(&lock);
    move(tick);
    int64_t v = mono;
    pthread_mutex_unlock(&lock);
    return v;
}

static void do_sleep(void *self, int64_t ns) {
    (void)self;
    if (ns < 0)
        ns = 0;
    pthread_mutex_lock(&lock);
    sleeps[sleep_count++ % KEPT] = ns;
    slept += ns;
    move(ns);
    pthread_mutex_unlock(&lock);
}

static void fill_random(void *self, void *dst, size_t n) {
    (void)self;
    uint8_t *p = dst;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < n; i++)
        p[i] = (uint8_t)(fake_random(&random_state) >> 32);
    pthread_mutex_unlock(&lock);
}

void fake_clock_install(int64_t wall_ns, uint64_t seed) {
    static const lochan_clock clock = {get_wall, get_mono, do_sleep, fill_random, NULL};
    pthread_mutex_lock(&lock);
    wall = wall_ns;
    mono = 1000000000;
    tick = slept = 0;
    sleep_count = 0;
    random_state = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    pthread_mutex_unlock(&lock);
    lochan_clock__set(&clock);
}

void fake_clock_remove(void) {
    lochan_clock__set(NULL);
}

void fake_clock_set_wall(int64_t wall_ns) {
    pthread_mutex_lock(&lock);
    wall = wall_ns;
    pthread_mutex_unlock(&lock);
}

void fake_clock_advance(int64_t ns) {
    pthread_mutex_lock(&lock);
    move(ns);
    pthread_mutex_unlock(&lock);
}

void fake_clock_tick(int64_t ns) {
    pthread_mutex_lock(&lock);
    tick = ns;
    pthread_mutex_unlock(&lock);
}

size_t fake_clock_sleeps(void) {
    pthread_mutex_lock(&lock);
    size_t n = sleep_count;
    pthread_mutex_unlock(&lock);
    return n;
}

int64_t fake_clock_sleep(size_t i) {
    pthread_mutex_lock(&lock);
    int64_t v = i < sleep_count ? sleeps[i % KEPT] : -1;
    pthread_mutex_unlock(&lock);
    return v;
}

int64_t fake_clock_slept(void) {
    pthread_mutex_lock(&lock);
    int64_t v = slept;
    pthread_mutex_unlock(&lock);
    return v;
}
