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

/* Reader of one DELTA_BINARY_PACKED run of numbers. */
enum { LOCHAN_PQ_DELTA_BUFFER = 64 };
typedef struct lochan_pq_delta {
    const uint8_t *pos, *end;
    uint64_t left;                  /* values not handed out */
    uint64_t last;                  /* value before the next; wraps as the format says */
    uint64_t min_delta;             /* of the block at hand */
    uint32_t per_mini, minis, mini; /* values of a miniblock, miniblocks of a block, next one */
    const uint8_t *widths;
    uint32_t mini_left; /* values of the open miniblock not unpacked */
    unsigned width;
    const uint8_t *bits; /* rest of the open miniblock */
    bool first;          /* the first value stands in the header */
    uint32_t at, n;      /* unpacked values not handed out */
    uint64_t buffer[LOCHAN_PQ_DELTA_BUFFER];
} lochan_pq_delta;

/* The values of one page. Set physical, width, pos, end and count, then call begin. */
typedef struct lochan_pq_values {
    const struct lochan_pq_decoding *ops;
    int32_t physical;
    int32_t width; /* bytes of a fixed-width value */
    const uint8_t *pos, *end;
    uint64_t count; /* entries of the page, nulls included: an upper bound of the values */
    int64_t bit;    /* PLAIN booleans */
    lochan_rle rle; /* RLE booleans */
    uint64_t index; /* BYTE_STREAM_SPLIT: values handed out */
    lochan_pq_delta numbers, suffixes; /* the DELTA family */
    lochan_pq_scratch *made, *last;    /* DELTA_BYTE_ARRAY: values put together, the last one */
    uint32_t last_size;
} lochan_pq_values;

typedef struct lochan_pq_decoding {
    int32_t encoding;
    bool (*begin)(lochan_pq_values *v); /* may be NULL */
    /* The next n values. NULL: not for this kind of type. fixed: fixed width, all n. bytes: byte
     * arrays, at least one and at most n, valid until the next call; 0 = damaged. bits: booleans,
     * from bit `to` on. */
    bool (*fixed)(lochan_pq_values *v, size_t n, uint8_t *out);
    size_t (*bytes)(lochan_pq_values *v, size_t n, lochan_pq_slice *out);
    bool (*bits)(lochan_pq_values *v, size_t n, uint8_t *out, int64_t to);
} lochan_pq_decoding;

/* NULL if there is no such decoder for the physical type. */
const lochan_pq_decoding *lochan_pq_decoding__find(int32_t encoding, int32_t physical);

/* Whether all slices are valid UTF-8: text that goes to Arrow must be. */
bool lochan_pq_slices__utf8(const lochan_pq_slice *slices, size_t n);

extern const lochan_pq_decoding lochan_pq_decoding__plain;
extern const lochan_pq_decoding lochan_pq_decoding__rle;
extern const lochan_pq_decoding lochan_pq_decoding__delta; /* encoding_delta.c */
extern const lochan_pq_decoding lochan_pq_decoding__delta_length;
extern const lochan_pq_decoding lochan_pq_decoding__delta_bytes;
extern const lochan_pq_decoding lochan_pq_decoding__split; /* encoding_split.c */

/* BYTE_STREAM_SPLIT: n values from streams `stride` bytes apart, and the way back (stride n). */
void lochan_pq_split__join(const uint8_t *src, size_t stride, size_t n, size_t width, uint8_t *out);
void lochan_pq_split__part(const uint8_t *src, size_t n, size_t width, uint8_t *out);

/* Opens a run of numbers at pos; *end_of_run (may be NULL) = first byte after it. */
bool lochan_pq_delta__begin(lochan_pq_delta *d, const uint8_t *pos, const uint8_t *end,
                            const uint8_t **end_of_run);
/* The next n numbers; false if there are fewer or they are damaged. */
bool lochan_pq_delta__read(lochan_pq_delta *d, uint64_t *out, size_t n);

#endif
