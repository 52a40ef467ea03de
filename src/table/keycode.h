/* keycode.h - a row's place in the table's order, as bytes that compare with memcmp.
 *
 * The catalog keeps the codes of the first and the last row of each file of a keyed table, so that
 * overlaps are found without opening files. The form is part of the on-disk format: for each column
 * of the order a byte 1 (0 and nothing more for null), then integers, dates and times as 64 bit
 * big-endian with the sign bit turned (unsigned ones without), bools as one byte, doubles as their
 * bits ordered (NaN last, -0 as 0), decimals as 128 bit big-endian with the sign bit turned, text
 * and binary with 00 written as 00 FF and 00 00 at the end. Invariant: codes compare as
 * lochan_comparator does over the same columns. May call: base/, arrow/.
 */
#ifndef LOCHAN_TABLE_KEYCODE_H
#define LOCHAN_TABLE_KEYCODE_H

#include "arrow/kernels.h"
#include "arrow/view.h"
#include "base/buf.h"

/* Longer keys are refused: they would fill the catalog. */
enum { LOCHAN_KEYCODE_MAX = 4096 };

/* Whether columns of this type can be ordered. */
bool lochan_keycode__supports(const lochan_type *type);

/* Views of the order's columns in one batch. */
typedef struct lochan_keycode {
    lochan_view *views;
    size_t n;
} lochan_keycode;

/* columns[i].column indexes the children of `schema` and `batch`. Deinit a zeroed or failed one
 * freely. */
lochan_status lochan_keycode__init(lochan_keycode *k, const struct ArrowSchema *schema,
                                   const struct ArrowArray *batch, const lochan_sort_key *columns,
                                   size_t n, lochan_error *err);
void lochan_keycode__deinit(lochan_keycode *k);
/* Replaces out's bytes. VALUE if the key is longer than LOCHAN_KEYCODE_MAX. */
lochan_status lochan_keycode__encode(const lochan_keycode *k, int64_t row, lochan_buf *out,
                                     lochan_error *err);

/* Append the code of one value that is not null, as encode does it. put_int: of bools, integers,
 * dates, times and timestamps. */
lochan_status lochan_keycode__put_bytes(lochan_buf *out, lochan_str s, lochan_error *err);
lochan_status lochan_keycode__put_int(lochan_buf *out, const lochan_type *type, int64_t v,
                                      lochan_error *err);

static inline lochan_str lochan_keycode__of(const lochan_buf *code) {
    return (lochan_str){(const char *)code->data, code->len};
}
/* memcmp order: <0, 0, >0. */
int lochan_keycode__compare(lochan_str a, lochan_str b);

#endif
