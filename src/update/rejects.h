/* rejects.h - rows that broke a rule which quarantines: kept apart in a file of the lake, one file
 * an update, until somebody looks at them and releases or drops them.
 *
 * The file (rejects/<source>/<dataset>/<update id>.parquet) has the columns that
 * lochan_status_rejects lists after `state`. Invariant: it is durable before the update is
 * published, and the catalog lists it in the same transaction. May call: base/, arrow/, parquet/,
 * catalog/, table/.
 */
#ifndef LOCHAN_UPDATE_REJECTS_H
#define LOCHAN_UPDATE_REJECTS_H

#include "arrow/array.h"
#include "base/buf.h"
#include "update/spec.h"

typedef struct lochan_reject {
    int64_t page; /* of the scope, from 1 */
    int64_t row;  /* of the page's rows, from 0, after wide-to-long */
    const lochan_rule *rule;
    char reason[160];
} lochan_reject;

/* The rejects of one scope. */
typedef struct lochan_rejects {
    lochan_reject *items;
    size_t n, cap;
    char **records; /* of each: JSON object of the row's values as text */
    size_t cap_records;
} lochan_rejects;

void lochan_rejects__deinit(lochan_rejects *rejects);
/* Adds one; takes the text of *record. */
lochan_status lochan_rejects__add(lochan_rejects *rejects, const lochan_reject *reject,
                                  lochan_buf *record, lochan_error *err);

#endif
