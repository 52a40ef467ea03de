/* csv_scan.h - cuts CSV text into cells, a block of rows at a time.
 * Invariant: cells point into the text; every row of a block has the same number of cells. May
 * call: base/.
 */
#ifndef LOCHAN_SOURCE_CSV_SCAN_H
#define LOCHAN_SOURCE_CSV_SCAN_H

#include "base/buf.h"
#include "base/status.h"
#include "source/cell.h"

typedef struct lochan_csv_scanner {
    const char *text; /* the whole page */
    const char *end;
    const char *start;  /* of the next cell */
    const char *window; /* up to 64 bytes under inspection */
    uint64_t mask; /* delimiters, newlines and quotes of the window that were not looked at yet */
    char delimiter;
    bool last_row_is_open; /* the last row read had no newline */
} lochan_csv_scanner;

void lochan_csv_scanner__init(lochan_csv_scanner *s, const void *text, size_t n, char delimiter);

/* Reads rows of n_cells cells into `cells` (room for max_rows * n_cells). *rows < max_rows only at
 * the end of the text. On an error, *rows is the number of whole rows before the bad one; err has
 * message and line. */
lochan_status lochan_csv_scanner__rows(lochan_csv_scanner *s, size_t n_cells, size_t max_rows,
                                       lochan_csv_cell *cells, size_t *rows, lochan_error *err);
/* Reads one row of any width: an array of lochan_csv_cell is appended to `out`. PAGE if the text is
 * at its end. */
lochan_status lochan_csv_scanner__header(lochan_csv_scanner *s, size_t max_cells, lochan_buf *out,
                                         size_t *n_cells, lochan_error *err);
/* 1-based line of a byte. */
int64_t lochan_csv_scanner__line(const lochan_csv_scanner *s, const char *at);

#endif
