/* check_values.h - what the two files of the array check share.
 * Invariant: private to check*.c. May call: base/, view.h.
 */
#ifndef LOCHAN_ARROW_CHECK_VALUES_H
#define LOCHAN_ARROW_CHECK_VALUES_H

#include "arrow/view.h"

/* One column under check, and the rows of it that matter. Rows are those of the array; its offset
 * is not in them. */
typedef struct lochan_column {
    const struct lochan_column *up;
    const char *name;
    const struct ArrowSchema *schema;
    const struct ArrowArray *array;
    lochan_type type;
    int64_t begin;
    int64_t end;
    const uint8_t *validity;
    int64_t nulls; /* among those rows */
    int depth;
    bool never_null;   /* the schema promises no nulls */
    bool hidden;       /* a null above may hide rows of this column */
    bool is_table_row; /* rows are the table's, `shift` further on */
    int64_t shift;
    lochan_error *err;
} lochan_column;

static inline bool lochan_column__is_valid(const lochan_column *c, int64_t i) {
    return !c->validity || lochan_bit__get(c->validity, c->array->offset + i);
}

/* DATA, naming the column and the row (at < 0: the column as a whole). */
lochan_status lochan_column__fail(const lochan_column *c, int64_t at, const char *fmt, ...)
    LOCHAN_PRINTF(3, 4);
/* Offsets of lists and of text not in views: present, from 0 up, never falling. The first and the
 * last of the rows. */
lochan_status lochan_column__check_offsets(const lochan_column *c, int64_t *first, int64_t *last);
/* Text and binary of any layout: references in range, strings UTF-8. */
lochan_status lochan_column__check_text(const lochan_column *c);
/* Fixed-width values: present and aligned, decimals within their precision. */
lochan_status lochan_column__check_fixed(const lochan_column *c);
/* Keys of a dictionary of n values. */
lochan_status lochan_column__check_keys(const lochan_column *c, int64_t n);

#endif
