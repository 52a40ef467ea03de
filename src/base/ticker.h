/* ticker.h - a function that is called again and again, from a thread of its own.
 * Invariant: after stop returned it is not called any more. Real time, whatever clock is set:
 * a heartbeat must not race where a test's clock stands still. May call: status.h.
 */
#ifndef LOCHAN_BASE_TICKER_H
#define LOCHAN_BASE_TICKER_H

#include "base/status.h"
#include <stdint.h>

typedef struct lochan_ticker lochan_ticker;

/* Calls fn(ctx) every every_ns from now on, the first time after every_ns. */
lochan_status lochan_ticker__start(int64_t every_ns, void (*fn)(void *ctx), void *ctx,
                                   lochan_ticker **out, lochan_error *err);
/* Waits for a call under way. Not from fn. NULL is a no-op. */
void lochan_ticker__stop(lochan_ticker *ticker);

#endif
