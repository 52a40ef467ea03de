/* callback.h - sources of kind callback: whose functions are registered for a lake handle, and one
 * update's use of them.
 * Invariant: an update keeps the functions it began with until its end. May call: base/, arrow/,
 * source/, job.h.
 */
#ifndef LOCHAN_UPDATE_CALLBACK_H
#define LOCHAN_UPDATE_CALLBACK_H

#include "update/direct.h"

/* Functions of the job's source into job->registered; INVALID_ARGUMENT if there are none. */
lochan_status lochan_callback__acquire(lochan_job *job, lochan_error *err);
/* No-op without. */
void lochan_callback__release(lochan_job *job);

/* Replaces the windows of a scope by those that the plan function makes of them, if there is one.
 */
lochan_status lochan_callback__plan(lochan_job *job, const lochan_scope *scope,
                                    lochan_windows *windows, lochan_error *err);

/* Whether fetch may run in several threads at a time. */
bool lochan_callback__is_parallel(const lochan_job *job);
/* All rows of a scope: from staging if an update that was cut off got them whole, else from fetch.
 */
lochan_status lochan_callback__fetch(lochan_job *job, lochan_scope *scope,
                                     lochan_direct_outcome *outcome, lochan_error *err);

#endif
