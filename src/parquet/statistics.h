/* statistics.h - smallest and largest values, counts of nulls and NaN: gathered on write, read with
 * care. Invariants: bounds follow the column's sort order; NaN enters none; a lower bound of zero
 * is -0.0, an upper one +0.0; a cut text bound is still a bound and says that it is not exact; what
 * cannot be trusted is reported as unknown. May call: base/, arrow/, schema.h, encodings.h.
 */
#ifndef LOCHAN_PARQUET_STATISTICS_H
#define LOCHAN_PARQUET_STATISTICS_H

#include "arrow/expr.h"
#include "parquet/encodings.h"
#include "parquet/schema.h"

/* Gathers over pages and chunks, in physical form. */
typedef struct lochan_pq_stats {
    const lochan_pq_leaf *leaf;
    bool has;       /* min and max hold something */
    bool broken;    /* out of memory, or no order: no bounds */
    int64_t values; /* non-null */
    int64_t nulls;
    int64_t nans;
    lochan_buf min, max;
} lochan_pq_stats;

void lochan_pq_stats__init(lochan_pq_stats *s, const lochan_pq_leaf *leaf);
void lochan_pq_stats__deinit(lochan_pq_stats *s);
void lochan_pq_stats__clear(lochan_pq_stats *s);
/* n non-null physical values: fixed width, byte arrays, booleans (one byte each). `count` is false
 * where the same values come as dictionary entries and are counted elsewhere. */
void lochan_pq_stats__add_fixed(lochan_pq_stats *s, const uint8_t *values, size_t n);
void lochan_pq_stats__add_slices(lochan_pq_stats *s, const lochan_pq_slice *values, size_t n);
void lochan_pq_stats__merge(lochan_pq_stats *s, const lochan_pq_stats *from);
/* Fills the Thrift struct; text longer than max_bytes is cut. Memory from the arena. */
lochan_status lochan_pq_stats__finish(const lochan_pq_stats *s, int32_t max_bytes,
                                      lochan_arena *arena, lochan_pq_statistics *out,
                                      lochan_error *err);

/* What a file's statistics say of a leaf. `values`: entries of the chunk. Strings are borrowed from
 * `in`. False: nothing is known. */
bool lochan_pq_stats__read(const lochan_pq_leaf *leaf, const lochan_pq_statistics *in,
                           int64_t values, lochan_expr_stats *out);
/* Raw bounds in physical form where they can be trusted; empty strings with *has false otherwise.
 */
bool lochan_pq_stats__bounds(const lochan_pq_leaf *leaf, const lochan_pq_statistics *in,
                             lochan_str *min, lochan_str *max);
/* <0, 0, >0 in the leaf's order. Both are whole physical values. */
int lochan_pq_stats__compare(const lochan_pq_leaf *leaf, lochan_str a, lochan_str b);
/* The text a catalog keeps (see summary.h), from the arena; NULL: none. */
const char *lochan_pq_stats__text(const lochan_pq_leaf *leaf, lochan_str value,
                                  lochan_arena *arena);

#endif
