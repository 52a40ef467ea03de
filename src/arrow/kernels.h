/* kernels.h - whole-column operations.
 * Invariant: inputs are borrowed and unchanged; outputs own their memory; on failure outputs are
 * released. All accept arrays with an offset and any layout of strings. May call: base/, the rest
 * of arrow/.
 */
#ifndef LOCHAN_ARROW_KERNELS_H
#define LOCHAN_ARROW_KERNELS_H

#include "arrow/array.h"
#include "base/ctx.h"
#include "base/hash.h"

/* Casts one column, lossless or refused: VALUE names the row and the value (integers that do not
 * fit, floats with a fraction to integer, integers that a float cannot hold, text that is no
 * number, times that would lose precision, decimals that would lose digits). Text to date/timestamp
 * reads ISO 8601. Struct fields go by name: a new one is null, one that would be lost is SCHEMA.
 * Same type: shares nothing, copies. UNSUPPORTED for pairs that have no meaning. */
lochan_status lochan_cast(const struct ArrowSchema *from_schema, const struct ArrowArray *from,
                          const struct ArrowSchema *to_schema, struct ArrowArray *out,
                          lochan_error *err);

/* Rows whose bit is set / rows at the given indices (int64, any order, repeats allowed; -1 gives a
 * null row). */
lochan_status lochan_filter(const struct ArrowSchema *schema, const struct ArrowArray *in,
                            const uint8_t *bits, struct ArrowArray *out, lochan_error *err);
lochan_status lochan_take(const struct ArrowSchema *schema, const struct ArrowArray *in,
                          const int64_t *rows, size_t n, struct ArrowArray *out, lochan_error *err);
/* Rows from several batches of one schema: batch_of[i], row_of[i]. The merge of sorted runs ends
 * here. */
lochan_status lochan_take_many(const struct ArrowSchema *schema,
                               const struct ArrowArray *const *batches, size_t n_batches,
                               const uint32_t *batch_of, const uint32_t *row_of, size_t n,
                               struct ArrowArray *out, lochan_error *err);
/* All batches one after the other. */
lochan_status lochan_concat(const struct ArrowSchema *schema,
                            const struct ArrowArray *const *batches, size_t n,
                            struct ArrowArray *out, lochan_error *err);

typedef struct lochan_sort_key {
    int column;
    bool descending;
    bool nulls_first;
} lochan_sort_key;

/* Stable order of the rows of a struct array: *out = malloc'd indices (lochan_mem__free), length
 * rows. NaN sorts after all numbers (before them if descending), -0.0 equals 0.0. Strings compare
 * as bytes. Already sorted input is noticed in O(n). UNSUPPORTED for nested keys. */
lochan_status lochan_sort_indices(const struct ArrowSchema *schema, const struct ArrowArray *in,
                                  const lochan_sort_key *keys, size_t n_keys, int64_t **out,
                                  lochan_error *err);

/* Compares rows of struct arrays by the keys of their schema; made once, used often. */
typedef struct lochan_comparator lochan_comparator;
lochan_status lochan_comparator__create(const struct ArrowSchema *schema,
                                        const lochan_sort_key *keys, size_t n_keys,
                                        const struct ArrowArray *const *batches, size_t n_batches,
                                        lochan_comparator **out, lochan_error *err);
/* <0, 0, >0: row ra of batch ba against row rb of batch bb. */
int lochan_comparator__compare(const lochan_comparator *c, size_t ba, int64_t ra, size_t bb,
                               int64_t rb);
void lochan_comparator__free(lochan_comparator *c);

/* One 128-bit hash a row over the given columns, the same for equal values whatever their layout
 * (dictionary, view, offset); null has a hash of its own; -0.0 hashes as 0.0, every NaN alike. Part
 * of the on-disk format (content hashes); hash_rows.c begins with the definition. */
lochan_status lochan_hash_rows(const struct ArrowSchema *schema, const struct ArrowArray *in,
                               const int *columns, size_t n_columns, lochan_hash128 *out,
                               lochan_error *err);

/* Whether row a of x equals row b of y in all columns (NaN equals NaN, null equals null,
 * -0.0 equals 0.0). Schemas are equal. */
lochan_status lochan_equal_columns(const struct ArrowSchema *schema, const struct ArrowArray *x,
                                   const struct ArrowArray *y, bool *equal, lochan_error *err);

#endif
