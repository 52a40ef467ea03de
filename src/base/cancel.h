/* cancel.h - asking long work to stop (Ctrl-C), and the points where tests kill it.
 * Invariant: a cancel flag is only ever set, and may be set from a signal handler. May call:
 * status.h.
 */
#ifndef LOCHAN_BASE_CANCEL_H
#define LOCHAN_BASE_CANCEL_H

#include "base/status.h"
#include <stdatomic.h>

typedef struct lochan_cancel {
    _Atomic int requested;
} lochan_cancel;

static inline bool lochan_cancel__requested(const lochan_cancel *c) {
    return c && atomic_load_explicit(&c->requested, memory_order_relaxed) != 0;
}
/* LOCHAN_ERR_CANCELLED if requested. c may be NULL. */
lochan_status lochan_cancel__check(const lochan_cancel *c, lochan_error *err);

/* A failpoint is a named place between two steps whose order matters ("catalog.publish.committed").
 * It costs one load. A test installs a hook that counts, kills the process or makes the step fail
 * with a status. */
typedef lochan_status (*lochan_failpoint_hook)(void *self, const char *name, lochan_error *err);
void lochan_failpoint__set(lochan_failpoint_hook hook, void *self); /* NULL removes it */
lochan_status lochan_failpoint__hit(const char *name, lochan_error *err);
#define LOCHAN_FAILPOINT(name, err)  LOCHAN_TRY(lochan_failpoint__hit((name), (err)))
#define LOCHAN_FAILPOINTG(name, err) LOCHAN_TRYG(lochan_failpoint__hit((name), (err)))

#endif
