/* feed_table.h - one CSV file in memory, its rows found by date.
 * Invariant: never changes after load, so any thread may read it. May call: base/,
 * source/csv_scan.h.
 */
#ifndef LOCHAN_FEED_FEED_TABLE_H
#define LOCHAN_FEED_FEED_TABLE_H

#include "base/buf.h"

#include <sys/uio.h>

typedef struct lochan_feed_table {
    char *name;      /* file name without .csv or .csv.gz */
    lochan_buf text; /* the file, unpacked, ending with a newline */
    size_t header_begin, header_end;
    size_t n_rows, n_columns;
    uint64_t *offsets; /* n_rows + 1: row i is text[offsets[i], offsets[i + 1]) */
    int32_t *dates;    /* days, NULL if there is no date column */
    int direction;     /* of the dates: 1 never falls, -1 never rises, 0 neither */
    char delimiter;
} lochan_feed_table;

/* Runs of rows that lie side by side in the file. */
typedef struct lochan_feed_window {
    struct iovec *parts; /* the header line first */
    size_t n_parts;
    size_t bytes;
    size_t rows;
    bool has_more;
} lochan_feed_window;

/* path: a .csv or .csv.gz file. date_column NULL = the first whose first value is a date. */
lochan_status lochan_feed_table__load(const char *path, const char *date_column,
                                      lochan_feed_table *out, lochan_error *err);
void lochan_feed_table__deinit(lochan_feed_table *table);
/* "2026-10-30" or "20261030". */
bool lochan_feed__parse_date(const char *s, size_t n, int32_t *days);
/* Rows with start <= date <= end in file order, without the first `offset` of them, at most `limit`
 * (-1 = all). */
lochan_status lochan_feed_table__window(const lochan_feed_table *table, int32_t start, int32_t end,
                                        int64_t offset, int64_t limit, lochan_feed_window *out,
                                        lochan_error *err);
/* The rows [*from, *to) with start <= date <= end of a table whose dates never fall or never rise.
 */
void lochan_feed_table__rows(const lochan_feed_table *table, int32_t start, int32_t end,
                             size_t *from, size_t *to);
void lochan_feed_window__deinit(lochan_feed_window *window);

#endif
