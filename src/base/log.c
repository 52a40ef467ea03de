/* log.c - one callback, one message at a time.
 * Invariants: a message below the level is not formatted; the callback runs under the lock and must
 * not log. May call: status.h.
 */
#include "base/log.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static lochan_log_fn callback;
static void *callback_payload;
static _Atomic int threshold = LOCHAN_LOG_WARN;

void lochan_log_set(lochan_log_fn fn, void *payload, lochan_log_level level) {
    pthread_mutex_lock(&lock);
    callback = fn;
    callback_payload = payload;
    atomic_store(&threshold, (int)level);
    pthread_mutex_unlock(&lock);
}

static const char *level_name(lochan_log_level level) {
    switch (level) {
    case LOCHAN_LOG_DEBUG:
        return "debug";
    case LOCHAN_LOG_INFO:
        return "info";
    case LOCHAN_LOG_WARN:
        return "warning";
    default:
        return "error";
    }
}

void lochan_log(lochan_log_level level, const char *fmt, ...) {
    if ((int)level < atomic_load_explicit(&threshold, memory_order_relaxed))
        return;
    char message[1024];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(message, sizeof message, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    for (char *p = message; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = ' '; /* one line, and nothing that steers a terminal */
    }
    pthread_mutex_lock(&lock);
    if (callback)
        callback(callback_payload, level, message);
    else
        fprintf(stderr, "lochan: %s: %s\n", level_name(level), message);
    pthread_mutex_unlock(&lock);
}
