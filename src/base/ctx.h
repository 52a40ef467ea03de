/* ctx.h - what every layer is handed: threads, memory budget, cancel flag.
 * Invariant: outlives everything made with it. May call: the rest of base/.
 */
#ifndef LOCHAN_BASE_CTX_H
#define LOCHAN_BASE_CTX_H

#include "base/cancel.h"
#include "base/mem.h"
#include "base/pool.h"

typedef struct lochan_ctx {
    lochan_pool *pool;           /* NULL = single-threaded */
    lochan_budget *budget;       /* NULL = unlimited */
    const lochan_cancel *cancel; /* NULL = cannot be cancelled */
} lochan_ctx;

#endif
