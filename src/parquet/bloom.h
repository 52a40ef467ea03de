/* bloom.h - split-block Bloom filters of column chunks: made from values, asked for one.
 * Invariant: a filter says no only of a value that is not in the chunk; a damaged one is as good as
 * none. Values are hashed in PLAIN form, byte arrays without their length. May call: base/, file.h,
 * metadata.h, schema.h, encodings.h, arrow/expr.h.
 */
#ifndef LOCHAN_PARQUET_BLOOM_H
#define LOCHAN_PARQUET_BLOOM_H

#include "arrow/expr.h"
#include "parquet/file.h"
#include "parquet/out.h"

/* Whether values of the leaf can be asked for. */
bool lochan_pq_bloom__fits(const lochan_pq_leaf *leaf);
/* Appends the hashes of n values, as the column writer keeps them. */
lochan_status lochan_pq_bloom__hash_plain(const lochan_pq_leaf *leaf, const uint8_t *values,
                                          size_t n, lochan_pq_vec *hashes, lochan_error *err);
lochan_status lochan_pq_bloom__hash_slice(lochan_pq_slice value, lochan_pq_vec *hashes,
                                          lochan_error *err);
/* Appends the filter of these hashes, with its header. Sorts them and drops repeats. Too many for
 * the largest filter: a filter that says no less often. */
lochan_status lochan_pq_bloom__write(lochan_pq_vec *hashes, lochan_buf *out, lochan_error *err);

/* Where a filter of a file lies; *found = false: there is none, or a damaged one. */
typedef struct lochan_pq_bloom {
    uint64_t header, bits; /* first bytes */
    uint32_t size;         /* of the bits */
} lochan_pq_bloom;
lochan_status lochan_pq_bloom__find(lochan_pq_file *file, const lochan_pq_column_meta *meta,
                                    lochan_pq_bloom *out, bool *found, lochan_error *err);
/* Whether a filter in memory says that it may hold a value of this hash. */
bool lochan_pq_bloom__says(const uint8_t *bits, uint32_t size, uint64_t hash);
/* Whether the chunk may hold the value; true in every doubt. */
bool lochan_pq_bloom__may_hold(lochan_pq_file *file, const lochan_pq_bloom *bloom,
                               const lochan_pq_leaf *leaf, const lochan_expr_value *value);

#endif
