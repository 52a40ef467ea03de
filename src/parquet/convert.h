/* convert.h - physical values <-> Arrow values where they differ.
 * Invariant: no value changes; what does not fit is reported, never cut. May call: base/, schema.h.
 */
#ifndef LOCHAN_PARQUET_CONVERT_H
#define LOCHAN_PARQUET_CONVERT_H

#include "parquet/encodings.h"
#include "parquet/schema.h"

/* n fixed-width physical values at src -> Arrow values at dst. False: a value outside its type. */
bool lochan_pq_convert__read(const lochan_pq_leaf *leaf, const uint8_t *src, size_t n,
                             uint8_t *dst);
/* Says of a value that read refuses what is wrong with it. */
static inline const char *lochan_pq_convert__misfit(const lochan_pq_leaf *leaf) {
    switch (leaf->convert) {
    case LOCHAN_PQ_CONVERT_INT96:
        return "an INT96 time does not fit nanoseconds, from the year 1677 to 2262";
    case LOCHAN_PQ_CONVERT_SECONDS:
        return "a time is no whole second, though the file's ARROW:schema says so";
    default:
        return "a value does not fit the column's type";
    }
}
/* The same for BYTE_ARRAY values (decimals). */
bool lochan_pq_convert__read_slices(const lochan_pq_leaf *leaf, const lochan_pq_slice *src,
                                    size_t n, uint8_t *dst);
/* n Arrow values -> physical values. False: a value that Parquet cannot hold (seconds past the
 * range of milliseconds, date64 that is no whole day, decimals with too many digits); *bad is its
 * index. */
bool lochan_pq_convert__write(const lochan_pq_leaf *leaf, const uint8_t *src, size_t n,
                              uint8_t *dst, size_t *bad);

#endif
