/* log.h - what the library says while it works. Since 0.1. Thread rule: the callback may be called
 * from any thread, one call at a time. */
#ifndef LOCHAN_LOG_H
#define LOCHAN_LOG_H

#include <lochan/error.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef enum lochan_log_level {
    LOCHAN_LOG_DEBUG = 0,
    LOCHAN_LOG_INFO = 1,
    LOCHAN_LOG_WARN = 2,
    LOCHAN_LOG_ERROR = 3,
    LOCHAN_LOG_OFF = 4
} lochan_log_level;

/* message: one line without a newline, valid during the call only. */
typedef void (*lochan_log_fn)(void *payload, lochan_log_level level, const char *message);

/* Process-wide. fn NULL restores the default: lines at `level` and above go to stderr as "lochan:
 * warning: ...". Default level: LOCHAN_LOG_WARN. */
LOCHAN_API void lochan_log_set(lochan_log_fn fn, void *payload, lochan_log_level level);

#ifdef __cplusplus
}
#endif
#endif
