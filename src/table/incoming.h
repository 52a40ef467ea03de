/* incoming.h - the new rows of one merge: a batch or a stream of batches, checked, and taken in key
 * order. Invariant: rows of a keyed table come strictly ascending, others in their order. May call:
 * base/, arrow/, write.h.
 */
#ifndef LOCHAN_TABLE_INCOMING_H
#define LOCHAN_TABLE_INCOMING_H

#include "table/write.h"

typedef struct lochan_incoming_batch {
    lochan_shared *rows;  /* in the table's schema */
    lochan_keycode codes; /* of `rows` */
    int64_t pos, length;
} lochan_incoming_batch;

typedef struct lochan_segment lochan_segment;

typedef struct lochan_incoming {
    lochan_write *w;
    uint32_t partition;
    struct ArrowArrayStream *stream; /* NULL: one batch only */
    bool stored;                     /* rows come in the table's schema; set before init */
    lochan_incoming_batch now;
    lochan_incoming_batch back;    /* comes before `now` */
    struct ArrowArray *given_back; /* comes after `back` and before `now` */
    size_t n_given_back, at_given_back;
    lochan_buf last; /* code of the last row of the batch before */
    int64_t rows;    /* that came so far */
} lochan_incoming;

/* Either stream or batch; both are borrowed. */
lochan_status lochan_incoming__init(lochan_incoming *in, lochan_write *w, uint32_t partition,
                                    struct ArrowArrayStream *stream, const struct ArrowArray *batch,
                                    lochan_error *err);
void lochan_incoming__deinit(lochan_incoming *in);
/* Takes some of the next rows: those below `key` (or equal to it, if `inclusive`), NULL = any.
 * release NULL: there is none (the next row lies beyond key, or nothing is left). */
lochan_status lochan_incoming__take(lochan_incoming *in, const lochan_str *key, bool inclusive,
                                    struct ArrowArray *out, lochan_error *err);

/* Code of the next row; *any = false: there is none. */
lochan_status lochan_incoming__peek(lochan_incoming *in, lochan_buf *code, bool *any,
                                    lochan_error *err);
/* Gives back rows that were taken last: they come again. The batches leave the segment, which keeps
 * what it holds of the budget. */
void lochan_incoming__give_back(lochan_incoming *in, lochan_segment *seg);

/* New rows that belong to one old file. */
struct lochan_segment {
    struct ArrowArray *batches;
    size_t n, cap;
    int64_t rows;
    size_t budget; /* bytes taken from the lake's budget */
    size_t at;     /* next row: batch ... */
    int64_t row;   /* ... and row in it */
};

lochan_status lochan_segment__give(lochan_segment *seg, lochan_write *w, struct ArrowArray *rows,
                                   lochan_error *err);
void lochan_segment__deinit(lochan_segment *seg, lochan_write *w);
static inline int64_t lochan_segment__rows(const lochan_segment *seg) {
    return seg->rows;
}
void lochan_segment__rewind(lochan_segment *seg);
int64_t lochan_segment__left(const lochan_segment *seg);
/* Writes the rows that are left. */
lochan_status lochan_segment__write_left(lochan_segment *seg, lochan_output *out,
                                         lochan_error *err);
/* Whether it holds as much as should lie in memory at a time. */
bool lochan_segment__is_full(const lochan_segment *seg, const lochan_write *w);

#endif
