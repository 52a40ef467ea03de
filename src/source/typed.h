/* typed.h - rows that come with types of their own (a Parquet file, a callback's batch) to the
 * columns that a dataset declares.
 * Invariants: a value is cast exactly or the batch is refused; text is read like the cells of a
 * CSV page. Declared and other columns are kept as from any other page. May call: base/, arrow/,
 * parquet/, csv.h.
 */
#ifndef LOCHAN_SOURCE_TYPED_H
#define LOCHAN_SOURCE_TYPED_H

#include "source/csv.h"

/* batch: a struct array of `schema`, which passed lochan_array__check; both are borrowed. *out has
 * a field for each column that is kept, in the batch's order. VALIDATION: a column is missing or
 * there twice, or a value does not fit; with column and row. */
lochan_status lochan_typed__conform(const lochan_csv_options *options,
                                    const struct ArrowSchema *schema,
                                    const struct ArrowArray *batch, struct ArrowSchema *out_schema,
                                    struct ArrowArray *out, lochan_error *err);

/* A whole Parquet file in memory, as one batch. PAGE: it is none, or a damaged one. */
lochan_status lochan_typed__decode_parquet(const lochan_ctx *ctx, const lochan_csv_options *options,
                                           const void *body, size_t size,
                                           struct ArrowSchema *schema, struct ArrowArray *batch,
                                           lochan_error *err);
/* The batch as a Parquet file: what a callback gave, for staging. */
lochan_status lochan_typed__encode_parquet(const struct ArrowSchema *schema,
                                           const struct ArrowArray *batch, lochan_buf *out,
                                           lochan_error *err);

#endif
