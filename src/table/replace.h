/* replace.h - which old rows a write in one of the replace modes may remove.
 * Invariant: scopes are merged and in order before the first row is judged. May call: base/,
 * arrow/, write.h.
 */
#ifndef LOCHAN_TABLE_REPLACE_H
#define LOCHAN_TABLE_REPLACE_H

#include "table/write.h"

/* Finds the columns that the options name; INVALID_ARGUMENT, SCHEMA. */
lochan_status lochan_replace__init(lochan_write *w, lochan_error *err);
void lochan_replace__deinit(lochan_write *w);
static inline bool lochan_replace__is_on(const lochan_write *w) {
    return w->options.mode == LOCHAN_WRITE_REPLACE_ALL || w->replace.n > 0;
}
/* Ends the list of scopes. Under the mutex; may be repeated. */
void lochan_replace__close(lochan_write *w);
/* By the statistics of its file: false only if no row of it is in a scope. */
bool lochan_replace__may_touch(const lochan_write *w, const lochan_data_file *file);
/* remove[i] = 1 for the rows of a batch (of the table's schema) that are in a scope; *any: there is
 * one. `remove` has room for the batch. */
lochan_status lochan_replace__mark(const lochan_write *w, const struct ArrowArray *batch,
                                   uint8_t *remove, bool *any, lochan_error *err);
/* Makes the partitions known that hold files with rows of a scope. */
lochan_status lochan_replace__find_partitions(lochan_write *w, lochan_error *err);

#endif
