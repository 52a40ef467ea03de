/* feed_json.h - the rows of a table as JSON, and which of them a request wants.
 * Numbers are written as numbers if the whole column holds such; dates, codes with leading zeros
 * and all else as text; an empty cell is null. Invariant: never changes after it was made. May
 * call: base/, feed_table.h, source/csv_scan.h.
 */
#ifndef LOCHAN_FEED_FEED_JSON_H
#define LOCHAN_FEED_FEED_JSON_H

#include "base/str.h"
#include "feed/feed_table.h"

typedef struct lochan_feed_json {
    const lochan_feed_table *table;
    char **names;       /* n_columns */
    bool *is_text;      /* n_columns */
    lochan_buf lists;   /* each row as [..] */
    uint64_t *offsets;  /* n_rows + 1, into lists */
    uint32_t *by_first; /* row numbers in the order of the first column, then of the file */
} lochan_feed_json;

lochan_status lochan_feed_json__make(const lochan_feed_table *table, lochan_feed_json *out,
                                     lochan_error *err);
void lochan_feed_json__deinit(lochan_feed_json *json);

/* A column that must have one of the values of a list cut at commas. */
typedef struct lochan_feed_filter {
    size_t column;
    lochan_str values;
} lochan_feed_filter;

typedef struct lochan_feed_query {
    int32_t start, end;    /* days, inclusive */
    int64_t offset, limit; /* -1 = all */
    lochan_feed_filter filters[8];
    size_t n_filters;
} lochan_feed_query;

/* SIZE_MAX if there is none. */
size_t lochan_feed_json__column(const lochan_feed_json *json, lochan_str name);
/* Appends the rows as a list of lists (columns NULL: all of them) or of objects, separated by
 * commas. */
lochan_status lochan_feed_json__print(const lochan_feed_json *json, const lochan_feed_query *query,
                                      bool objects, const size_t *columns, size_t n_columns,
                                      lochan_buf *out, int64_t *rows, bool *has_more,
                                      lochan_error *err);

#endif
