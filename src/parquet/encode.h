/* encode.h - encoders of page values behind one table; the way back is encodings.h.
 * Invariant: an encoder's bytes are read back to the same values. May call: base/, schema.h.
 *
 * Values come as the column writer keeps them: fixed-width values side by side, byte arrays in
 * PLAIN form (four bytes of length, then the bytes), booleans one byte each.
 */
#ifndef LOCHAN_PARQUET_ENCODE_H
#define LOCHAN_PARQUET_ENCODE_H

#include "parquet/encodings.h"
#include "parquet/schema.h"

/* Whether values of the leaf can be written so (dictionary encodings are not in the table). */
bool lochan_pq_encode__fits(int32_t encoding, const lochan_pq_leaf *leaf);
/* Appends the encoded form of n values in `bytes` bytes. */
lochan_status lochan_pq_encode(int32_t encoding, const lochan_pq_leaf *leaf, const uint8_t *values,
                               size_t bytes, size_t n, lochan_buf *out, lochan_error *err);
/* Encodings worth trying for the leaf, PLAIN first. Returns how many (at most 4). */
int lochan_pq_encode__candidates(const lochan_pq_leaf *leaf, int32_t out[4]);

#endif
