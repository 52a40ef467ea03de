/* missing.h - declared columns that no row of an update had a value for.
 * Records leave out what is null, so a field that a provider has renamed looks like one that is
 * always null: the update goes on, and a warning names it. May call: base/, arrow/, job.h.
 */
#ifndef LOCHAN_UPDATE_MISSING_H
#define LOCHAN_UPDATE_MISSING_H

#include "update/job.h"

/* Whether an answer may leave the column out. */
bool lochan_missing__may_be(const lochan_job *job, const lochan_dataset_column *column);
lochan_status lochan_missing__begin(lochan_job *job, lochan_error *err);
void lochan_missing__deinit(lochan_job *job); /* of a zeroed job: a no-op */
/* Canonical rows of a page, before any is filtered; a no-op without begin. Thread-safe. */
lochan_status lochan_missing__note(lochan_job *job, const struct ArrowSchema *schema,
                                   const struct ArrowArray *batch, lochan_error *err);
/* Once, when all rows were seen. */
void lochan_missing__warn(const lochan_job *job);

#endif
