/* csv_column.h - turns the cells of one CSV column into one Arrow array.
 * Invariant: room for all rows of the page is made at once, so nothing is allocated per row. May
 * call: base/, arrow/.
 */
#ifndef LOCHAN_SOURCE_CSV_COLUMN_H
#define LOCHAN_SOURCE_CSV_COLUMN_H

#include "base/arena.h"
#include "source/csv.h"
#include "source/csv_scan.h"

typedef struct lochan_csv_writer lochan_csv_writer;

/* Parses n bytes at p into dst (a value of the type's width). */
typedef bool (*lochan_csv_parse_fn)(lochan_csv_writer *w, const char *p, size_t n, void *dst);

struct lochan_csv_writer {
    const char *name; /* borrowed */
    lochan_type type;
    const lochan_date_format *date_format;
    bool nullable;
    bool only_empty_is_null; /* the usual null text, and the fast way */
    bool is_json; /* 1.0 is a whole number; quotes do not keep a text from being a null text */
    const char *const *null_texts;
    size_t n_null_texts;
    lochan_csv_parse_fn parse; /* NULL for strings */
    size_t width;              /* bytes a value; 1 for bool while parsing */
    int64_t capacity, rows, nulls;
    lochan_buffer *values; /* fixed-width values, or int32 offsets of strings */
    lochan_buffer *validity;
    lochan_buf bytes; /* of strings */
    bool check_utf8;
    char last_text[32]; /* the last date or time that was parsed: its neighbours are mostly the same
                         */
    size_t last_n;
    int64_t last_value;
};

/* SPEC (UNSUPPORTED) for types that CSV cannot hold. */
lochan_status lochan_csv_writer__init(lochan_csv_writer *w, const lochan_type *type,
                                      lochan_error *err);
/* Memory for `rows` rows; the strings of a column are never longer than the page. */
lochan_status lochan_csv_writer__reserve(lochan_csv_writer *w, int64_t rows, size_t page_size,
                                         lochan_error *err);
size_t lochan_csv_writer__bytes_for(const lochan_csv_writer *w,
                                    int64_t rows); /* without the bytes of strings */
/* Appends `rows` cells, `stride` cells apart. PAGE: *bad = index of the cell that could not be
 * taken. */
lochan_status lochan_csv_writer__append(lochan_csv_writer *w, const lochan_csv_cell *cells,
                                        size_t stride, size_t rows, size_t *bad, lochan_error *err);
/* Moves what was built into *out. */
lochan_status lochan_csv_writer__finish(lochan_csv_writer *w, struct ArrowArray *out,
                                        lochan_error *err);
void lochan_csv_writer__deinit(lochan_csv_writer *w);

/* Removes doubled quotes: dst has room for n bytes; returns the new length. */
size_t lochan_csv__undouble(const char *p, size_t n, char *dst);

#endif
