/* cancel.c - the cancel check and the failpoint hook.
 * Invariant: without a hook a failpoint costs one load and no branch that is taken. May call:
 * status.h.
 */
#include "base/cancel.h"

static _Atomic(lochan_failpoint_hook) current_hook;
static void *hook_self;

lochan_status lochan_cancel__check(const lochan_cancel *c, lochan_error *err) {
    if (!lochan_cancel__requested(c))
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_CANCELLED, "cancelled");
}

void lochan_failpoint__set(lochan_failpoint_hook hook, void *self) {
    atomic_store(&current_hook, (lochan_failpoint_hook)0);
    hook_self = self;
    atomic_store(&current_hook, hook);
}

lochan_status lochan_failpoint__hit(const char *name, lochan_error *err) {
    lochan_failpoint_hook hook = atomic_load_explicit(&current_hook, memory_order_acquire);
    return hook ? hook(hook_self, name, err) : LOCHAN_OK;
}
