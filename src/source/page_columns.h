/* page_columns.h - the columns of a page under decoding: which are kept, of which type, and what
 * was read of them so far. Shared by the decoders of CSV and JSON. Invariant: a column is kept if
 * it is declared or the rest is wanted; kept ones are in the page's order. May call: base/, arrow/,
 * csv_column.h.
 */
#ifndef LOCHAN_SOURCE_PAGE_COLUMNS_H
#define LOCHAN_SOURCE_PAGE_COLUMNS_H

#include "source/csv_column.h"

typedef struct lochan_page_columns {
    const lochan_csv_options *options;
    const char **names; /* of the page */
    size_t n;           /* columns of the page; the cells of a row */
    size_t n_named;     /* the last one may have no name */
    lochan_csv_writer *writers;
    bool *used; /* writers[i] is in the batch */
    size_t n_used;
    bool check_utf8;
    bool is_json; /* values have kinds: see lochan_csv_writer.is_json */
    int64_t rows;
} lochan_page_columns;

/* Each name once, none empty. */
lochan_status lochan_page_columns__check_names(const lochan_page_columns *c, lochan_error *err);
/* Finds the declared columns by name and makes the writers; names, n and options are set. Memory of
 * the arena. */
lochan_status lochan_page_columns__map(lochan_page_columns *c, lochan_arena *arena,
                                       lochan_error *err);
/* Memory of `rows` rows of a page of `size` bytes, for the budget; and the taking of it. */
size_t lochan_page_columns__bytes_for(const lochan_page_columns *c, int64_t rows, size_t size);
lochan_status lochan_page_columns__reserve(lochan_page_columns *c, int64_t rows, size_t size,
                                           lochan_error *err);
/* Takes a block of rows. PAGE: *bad = the cell that could not be taken, err says what was expected,
 * with row and column; the place in the text is the caller's to add. */
lochan_status lochan_page_columns__append(lochan_page_columns *c, const lochan_csv_cell *cells,
                                          size_t rows, const lochan_csv_cell **bad,
                                          lochan_error *err);
lochan_status lochan_page_columns__finish(lochan_page_columns *c, struct ArrowSchema *schema,
                                          struct ArrowArray *batch, lochan_error *err);
void lochan_page_columns__deinit(lochan_page_columns *c);

#endif
