/* encodings.h - decoders of page values behind one small table.
 * Invariants: a decoder never reads outside the page it was given nor hands out a slice that does;
 * false means that the page's bytes are damaged or too few. Dictionary keys are decoded by
 * dictionary.h, since they need the dictionary. May call: base/, metadata.h, rle.h.
 */
#ifndef LOCHAN_PARQUET_ENCODINGS_H
#define LOCHAN_PARQUET_ENCODINGS_H

#include "parquet/file.h"
#include "parquet/metadata.h"
#include "parquet/rle.h"

typedef struct lochan_pq_slice {
    const uint8_t *p;
    uint32_t n;
} lochan_pq_slice;

struct lochan_pq_decoding;

/* The values of one page. Set physical, width, pos, end and count, then call begin. */
typedef struct lochan_pq_values {
    const struct lochan_pq_decoding *ops;
    int32_t physical;
    int32_t width; /* bytes of a fixed-width value */
    const uint8_t *pos, *end;
    uint64_t count; /* entries of the page, nulls included: an upper bound of the values */
    int64_t bit;    /* PLAIN booleans */
    lochan_rle rle; /* RLE booleans */
    uint64_t index; /* values handed out */
    void *state;    /* of decoders that need more, freed by end */
    lochan_pq_scratch
        *scratch; /* decoded ahead, e.g. lengths; lives as long as the column reader */
} lochan_pq_values;

typedef struct lochan_pq_decoding {
    int32_t encoding;
    bool (*begin)(lochan_pq_values *v); /* may be NULL */
    /* The next n values: fixed width, byte arrays, booleans (bits from bit `to` on). NULL: not for
     * this kind of type. */
    bool (*fixed)(lochan_pq_values *v, size_t n, uint8_t *out);
    bool (*bytes)(lochan_pq_values *v, size_t n, lochan_pq_slice *out);
    bool (*bits)(lochan_pq_values *v, size_t n, uint8_t *out, int64_t to);
} lochan_pq_decoding;

/* NULL if there is no such decoder for the physical type. */
const lochan_pq_decoding *lochan_pq_decoding__find(int32_t encoding, int32_t physical);

/* Whether all slices are valid UTF-8: text that goes to Arrow must be. */
bool lochan_pq_slices__utf8(const lochan_pq_slice *slices, size_t n);

extern const lochan_pq_decoding lochan_pq_decoding__plain;
extern const lochan_pq_decoding lochan_pq_decoding__rle;

#endif
