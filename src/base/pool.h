/* pool.h - worker threads: run many tasks, wait for all, keep the first error.
 * Invariant: a group is waited for before it goes out of scope; a task may start another group (no
 * deadlock: a waiting thread helps). May call: status.h, mem.h, cancel.h.
 */
#ifndef LOCHAN_BASE_POOL_H
#define LOCHAN_BASE_POOL_H

#include "base/cancel.h"
#include "base/status.h"

typedef struct lochan_pool lochan_pool;

/* threads: 0 = number of processors, 1 = everything runs in the calling thread. */
lochan_status lochan_pool__create(int threads, lochan_pool **out, lochan_error *err);
void lochan_pool__free(lochan_pool *pool);
int lochan_pool__threads(const lochan_pool *pool); /* pool may be NULL: 1 */

typedef lochan_status (*lochan_task_fn)(void *ctx, size_t index, lochan_error *err);

/* Runs fn(ctx, 0..count-1), in any order, in parallel; returns the error of the lowest failed index
 * (so that the result does not depend on timing). After a failure or a cancel no further index is
 * started. pool may be NULL. */
lochan_status lochan_pool__for(lochan_pool *pool, size_t count, lochan_task_fn fn, void *ctx,
                               const lochan_cancel *cancel, lochan_error *err);

/* A group of tasks submitted one by one while others run. Every task is run exactly once, also
 * after another failed: it may own its ctx. A producer asks lochan_group__failed to stop early. */
typedef struct lochan_group lochan_group;
lochan_status lochan_group__create(lochan_pool *pool, lochan_group **out, lochan_error *err);
/* The queue is bounded (twice the threads): when it is full, the caller runs a task of the group
 * itself. index only labels the error order. Never fails; an error of fn comes from wait. */
lochan_status lochan_group__submit(lochan_group *group, lochan_task_fn fn, void *ctx, size_t index,
                                   lochan_error *err);
bool lochan_group__failed(lochan_group *group);
/* Waits for all tasks; the error of the lowest index. Tasks may be submitted again afterwards; the
 * error stays. */
lochan_status lochan_group__wait(lochan_group *group, lochan_error *err);
void lochan_group__free(lochan_group *group); /* waits */

#endif
