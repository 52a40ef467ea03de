/* restore.h - lists that ARROW:schema shows in another layout than Parquet's: 64-bit offsets, fixed
 * sizes. Invariant: a size that the file's metadata claim is held against its lists, and against a
 * bound before nulls are filled up to it. May call: base/, arrow/, schema.h.
 */
#ifndef LOCHAN_PARQUET_RESTORE_H
#define LOCHAN_PARQUET_RESTORE_H

#include "parquet/out.h"

/* length + 1 offsets of 32 bits become as many of 64. */
lochan_status lochan_pq_restore__large(lochan_pq_vec *offsets, int64_t length, lochan_error *err);
/* Items of lists of one size: null lists, which have none, get as many as the others. `valid` has a
 * bit a list. *fits = false: a list has another number of items. */
lochan_status lochan_pq_restore__fixed(const lochan_pq_field *field, const uint8_t *valid,
                                       const int32_t *offsets, int64_t length,
                                       struct ArrowArray *items, bool *fits, lochan_error *err);

#endif
