/* mapping.h - whether a table still holds rows that were made under another mapping.
 *
 * Replacing a dataset's spec by one that makes other rows of the same answers changes no row. It is
 * noted with the lake, and each update says so, until all rows were made anew: from kept answers,
 * or by a forced update of everything. May call: base/, catalog/, job.h.
 */
#ifndef LOCHAN_UPDATE_MAPPING_H
#define LOCHAN_UPDATE_MAPPING_H

#include "update/job.h"

/* Before a spec with another mapping takes the place of the dataset's. */
lochan_status lochan_mapping__note(lochan_lake *lake, const lochan_dataset_row *old,
                                   const char *mapping, lochan_error *err);
/* Warns at the begin of an update. */
lochan_status lochan_mapping__warn(const lochan_job *job, lochan_error *err);
/* After an update: whether it made all rows anew; then the note goes. Best effort. */
void lochan_mapping__settle(const lochan_job *job);
/* All rows are of the mapping that the spec has now. Best effort. */
void lochan_mapping__forget(lochan_lake *lake, const lochan_dataset_row *dataset);

#endif
