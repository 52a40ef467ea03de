/* lock.h - files whose lock means "mine": the queue lock of a lake and the owner's lock of a
 * folder of staging.
 * Invariants: the lock is the system's (it goes with the process); what the file says about its
 * holder is only for messages; lock files are never removed. May call: base/.
 */
#ifndef LOCHAN_CATALOG_LOCK_H
#define LOCHAN_CATALOG_LOCK_H

#include "base/cancel.h"
#include <lochan/error.h>

typedef struct lochan_lock lochan_lock;

/* Waits up to timeout_ms (0 = one try, -1 = for ever). LOCKED names the holder; CANCELLED. `what`
 * is what is locked, for the message; command names us to others. */
lochan_status lochan_lock__acquire(const char *path, const char *what, const char *command,
                                   int64_t timeout_ms, const lochan_cancel *cancel,
                                   lochan_lock **out, lochan_error *err);
void lochan_lock__release(lochan_lock *lock); /* NULL is a no-op */

#endif
