/* dedup.h - which of several rows of one update stay: one entry each, in dedup.c.
 * The table's writer knows three ways (table/table.h), which need no more memory than a merge; an
 * entry either names one of them or has a function of its own, which sees all rows of the update.
 * "Last" is decided by the order of the plan (scope, page, row), never by arrival. May call: base/,
 * arrow/, table/, spec.h.
 */
#ifndef LOCHAN_UPDATE_DEDUP_H
#define LOCHAN_UPDATE_DEDUP_H

#include "table/table.h"
#include "update/spec.h"

typedef struct lochan_dedup_rule {
    const char *name;
    lochan_dedup write;
    bool needs_key;
    /* NULL, or: writes the rows of `batch` (all of the update, in plan order) that stay into `kept`
     * (room for all), in any order; what is left is then written as `write` says. */
    lochan_status (*keep)(const lochan_dataset_spec *spec, const struct ArrowSchema *schema,
                          const struct ArrowArray *batch, int64_t *kept, size_t *n_kept,
                          lochan_error *err);
} lochan_dedup_rule;

extern const lochan_dedup_rule lochan_dedup__none;
extern const lochan_dedup_rule lochan_dedup__exact_record_hash;
extern const lochan_dedup_rule lochan_dedup__primary_key_last;

#endif
