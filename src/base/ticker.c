/* ticker.c - see ticker.h. May call: mem.h. */
#include "base/ticker.h"

#include "base/mem.h"

#include <pthread.h>
#include <time.h>

struct lochan_ticker {
    pthread_t thread;
    pthread_mutex_t mutex; /* guards stop */
    pthread_cond_t wake;
    bool stop;
    int64_t every_ns;
    void (*fn)(void *ctx);
    void *ctx;
};

/* False when it is to stop. */
static bool sleep_once(lochan_ticker *t) {
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    int64_t ns = until.tv_nsec + t->every_ns;
    until.tv_sec += ns / 1000000000;
    until.tv_nsec = ns % 1000000000;
    int rc = 0;
    pthread_mutex_lock(&t->mutex);
    while (!t->stop && rc == 0)
        rc = pthread_cond_timedwait(&t->wake, &t->mutex, &until);
    bool go_on = !t->stop;
    pthread_mutex_unlock(&t->mutex);
    return go_on;
}

static void *run(void *ctx) {
    lochan_ticker *t = ctx;
    while (sleep_once(t))
        t->fn(t->ctx);
    return NULL;
}

static void free_ticker(lochan_ticker *t) {
    pthread_cond_destroy(&t->wake);
    pthread_mutex_destroy(&t->mutex);
    lochan_mem__free(t);
}

lochan_status lochan_ticker__start(int64_t every_ns, void (*fn)(void *ctx), void *ctx,
                                   lochan_ticker **out, lochan_error *err) {
    pthread_condattr_t how;
    *out = NULL;
    lochan_ticker *t = lochan_mem__zalloc(sizeof *t);
    if (!t)
        return lochan_error__nomem(err);
    t->every_ns = every_ns > 0 ? every_ns : 1;
    t->fn = fn;
    t->ctx = ctx;
    pthread_mutex_init(&t->mutex, NULL);
    pthread_condattr_init(&how);
    pthread_condattr_setclock(&how, CLOCK_MONOTONIC);
    pthread_cond_init(&t->wake, &how);
    pthread_condattr_destroy(&how);
    int code = pthread_create(&t->thread, NULL, run, t);
    if (code != 0) {
        free_ticker(t);
        return lochan_error__sys(err, code, "cannot start a thread");
    }
    *out = t;
    return LOCHAN_OK;
}

void lochan_ticker__stop(lochan_ticker *t) {
    if (!t)
        return;
    pthread_mutex_lock(&t->mutex);
    t->stop = true;
    pthread_cond_signal(&t->wake);
    pthread_mutex_unlock(&t->mutex);
    pthread_join(t->thread, NULL);
    free_ticker(t);
}
