/* column_own.h - the insides of a column, shared by column.c, column_values.c and column_skip.c.
 * May call: column.h.
 */
#ifndef LOCHAN_PARQUET_COLUMN_OWN_H
#define LOCHAN_PARQUET_COLUMN_OWN_H

#include "parquet/column.h"

enum { LOCHAN_PQ_COLUMN_BLOCK = 1024 }; /* values handled at a time */

/* CORRUPT at the page at hand. */
lochan_status lochan_pq_column__damaged(lochan_pq_column *c, const char *what, lochan_error *err);
/* Keeps in mind where the dictionary page lies. */
lochan_status lochan_pq_column__note_dictionary(lochan_pq_column *c, const lochan_pq_page *p,
                                                lochan_error *err);
/* Loads the page whose header was read last, and the dictionary that it needs. */
lochan_status lochan_pq_column__load_page(lochan_pq_column *c, lochan_error *err);
/* The next n values of the page, from slot out.length on. */
lochan_status lochan_pq_column__decode(lochan_pq_column *c, int64_t n, lochan_error *err);
/* Loads the page again that was given up, and passes over what has been read of it. */
lochan_status lochan_pq_column__resume(lochan_pq_column *c, lochan_error *err);
/* The next levels of a nested column. *more = false: the chunk is at its end. */
lochan_status lochan_pq_column__fill_window(lochan_pq_column *c, bool *more, lochan_error *err);
/* With the window at its end: whether a row ends there too, without a look at what follows. */
bool lochan_pq_column__ends_with_row(const lochan_pq_column *c);
lochan_status lochan_pq_column__read_rows(lochan_pq_column *c, int64_t rows, lochan_error *err);
/* Passes over n values of a page without keys. */
bool lochan_pq_column__skip_values(lochan_pq_column *c, size_t n);

#endif
