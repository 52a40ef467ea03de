/* dict_builder.h - the distinct values of a chunk while it is written: value -> key by hashing.
 * Invariant: keys count from 0 in order of first appearance, so output does not depend on the hash.
 * May call: base/, encodings.h.
 */
#ifndef LOCHAN_PARQUET_DICT_BUILDER_H
#define LOCHAN_PARQUET_DICT_BUILDER_H

#include "parquet/encodings.h"

typedef struct lochan_pq_dict_builder {
    int32_t width; /* of fixed values; 0 = byte arrays */
    uint32_t n;
    uint32_t *table; /* key + 1, 0 = free; open addressing */
    uint32_t mask;
    uint32_t limit;    /* entries for which there is room */
    uint32_t *hashes;  /* of each entry */
    size_t cap;        /* of hashes and ends */
    uint32_t *ends;    /* byte arrays: end of entry i in values */
    lochan_buf values; /* fixed: the entries; byte arrays: PLAIN form (length, bytes) */
} lochan_pq_dict_builder;

void lochan_pq_dict_builder__init(lochan_pq_dict_builder *b, int32_t width);
void lochan_pq_dict_builder__deinit(lochan_pq_dict_builder *b);
void lochan_pq_dict_builder__clear(lochan_pq_dict_builder *b);
/* Keys of n values. */
lochan_status lochan_pq_dict_builder__add_fixed(lochan_pq_dict_builder *b, const uint8_t *values,
                                                size_t n, uint32_t *keys, lochan_error *err);
lochan_status lochan_pq_dict_builder__add_slices(lochan_pq_dict_builder *b,
                                                 const lochan_pq_slice *values, size_t n,
                                                 uint32_t *keys, lochan_error *err);
/* Bytes that it holds. */
static inline size_t lochan_pq_dict_builder__memory(const lochan_pq_dict_builder *b) {
    return (b->table ? ((size_t)b->mask + 1) * sizeof *b->table : 0) +
           b->cap * (sizeof *b->hashes + (b->ends ? sizeof *b->ends : 0)) + b->values.cap;
}
/* Entry i; a byte array without its length. */
static inline lochan_pq_slice lochan_pq_dict_builder__entry(const lochan_pq_dict_builder *b,
                                                            uint32_t i) {
    if (b->width > 0)
        return (lochan_pq_slice){b->values.data + (size_t)i * (size_t)b->width, (uint32_t)b->width};
    uint32_t begin = (i ? b->ends[i - 1] : 0) + 4;
    return (lochan_pq_slice){b->values.data + begin, b->ends[i] - begin};
}

#endif
