/* lease.h - the right to fetch and publish a range of a dataset, lent for a while.
 *
 * Two updates of one dataset may run beside each other where their ranges (days x assets) do not
 * meet. A lease is a row of lochan_lease with an end that a heartbeat keeps moving; its number
 * grows with every lease of the lake and is never given twice. A publish asks, inside its own
 * transaction, whether the lease still holds: a process that was stopped, and wakes after its lease
 * ended, is refused, whether or not somebody else has taken the range meanwhile.
 *
 * Invariants: of two leases whose ranges meet at most one holds; a lease that ended is never
 * prolonged; the lease of a killed process ends at once (it holds a byte of locks/leases.lock,
 * too). Lock order: the heartbeat takes the queue lock, so nothing here may be called inside a
 * transaction but check and end. Threads: one at a time for each lease. May call: base/, txn.h.
 */
#ifndef LOCHAN_CATALOG_LEASE_H
#define LOCHAN_CATALOG_LEASE_H

#include "catalog/txn.h"

typedef struct lochan_lease lochan_lease;

/* What a lease covers. Borrowed. */
typedef struct lochan_lease_range {
    const char *source, *dataset;
    int32_t day_from, day_to;  /* since 1970-01-01, both included; INT32_MIN, INT32_MAX: open */
    const char *const *assets; /* in any order; NULL = every asset */
    size_t n_assets;
} lochan_lease_range;

/* Takes a lease of ttl_ms (0 = 60,000) and keeps it alive from a thread of its own. Waits up to
 * wait_ms (0 = one try, -1 = for ever) for leases whose ranges meet; then LOCKED names the holder,
 * its range and when it was taken. CANCELLED, READ_ONLY, STALE. */
lochan_status lochan_lease__acquire(lochan_catalog *catalog, const lochan_lease_range *range,
                                    int64_t ttl_ms, int64_t wait_ms, lochan_lease **out,
                                    lochan_error *err);
/* The fencing number. */
int64_t lochan_lease__number(const lochan_lease *lease);
/* Moves the end; what the heartbeat does. LOCKED: the lease is over. */
lochan_status lochan_lease__renew(lochan_lease *lease, lochan_error *err);
/* Inside the transaction that publishes: LOCKED if the lease is over. */
lochan_status lochan_lease__check(const lochan_lease *lease, lochan_txn *txn, lochan_error *err);
/* As check; and the lease ends with this transaction, if that is committed. */
lochan_status lochan_lease__end(const lochan_lease *lease, lochan_txn *txn, lochan_error *err);
/* Stops the heartbeat and gives the range back, if it still is ours. NULL is a no-op. */
void lochan_lease__release(lochan_lease *lease);

#endif
