/* log.h - messages for people: levels and one callback.
 * Invariant: no secret is passed to it; without a callback, warnings and errors go to stderr. May
 * call: status.h.
 */
#ifndef LOCHAN_BASE_LOG_H
#define LOCHAN_BASE_LOG_H

#include "base/status.h"
#include <lochan/log.h>

void lochan_log(lochan_log_level level, const char *fmt, ...) LOCHAN_PRINTF(2, 3);
#define LOCHAN_DEBUG(...) lochan_log(LOCHAN_LOG_DEBUG, __VA_ARGS__)
#define LOCHAN_INFO(...)  lochan_log(LOCHAN_LOG_INFO, __VA_ARGS__)
#define LOCHAN_WARN(...)  lochan_log(LOCHAN_LOG_WARN, __VA_ARGS__)

#endif
