/* rejects.h - rows that broke a rule that quarantines: kept apart in a file of the lake, one file
 * an update, until somebody looks at them, releases them or drops them.
 *
 * The file (rejects/<source>/<dataset>/<update id>.parquet) has the columns of lochan_rejects_list
 * and one text column for each column of the row. Invariant: it is durable before the update is
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
    lochan_buf *values; /* of each: JSON object of the row's values as text; n of them */
    size_t cap_values;
} lochan_rejects;

void lochan_rejects__deinit(lochan_rejects *rejects);
/* Adds one; takes the text of *values. */
lochan_status lochan_rejects__add(lochan_rejects *rejects, const lochan_reject *reject,
                                  lochan_buf *values, lochan_error *err);

#endif
