/* dictionary.h - a chunk's dictionary page, and pages of keys into it.
 * Invariant: a key is checked against the number of entries before it is followed. May call: base/,
 * out.h, convert.h.
 */
#ifndef LOCHAN_PARQUET_DICTIONARY_H
#define LOCHAN_PARQUET_DICTIONARY_H

#include "parquet/out.h"
#include "parquet/pages.h"

typedef struct lochan_pq_dictionary {
    bool loaded;
    uint32_t n;
    lochan_pq_scratch page;   /* the bytes that slices point to */
    lochan_pq_scratch values; /* fixed-width entries in Arrow form */
    lochan_pq_scratch slices; /* lochan_pq_slice[n] of byte arrays */
    /* Columns of views that share: the bytes instead of `page`, and entries as views into buffer 0.
     */
    lochan_buffer *bytes;
    bool packed; /* `values` are the entries in SHORT_TEXT bytes, the length in the last of them */
    bool too_long;        /* for that */
    lochan_shared *array; /* of the entries, once a batch of keys has shown them */
} lochan_pq_dictionary;

void lochan_pq_dictionary__deinit(lochan_pq_dictionary *d);
/* Decodes a loaded dictionary page. */
lochan_status lochan_pq_dictionary__load(lochan_pq_dictionary *d, const lochan_pq_pages *pages,
                                         const lochan_pq_page *page, lochan_error *err);
/* Appends the texts of the next n keys to slots [length + at, ...) of a column with 32-bit offsets.
 * *done = false: some entry is too long for the quick way, nothing has been read. */
lochan_status lochan_pq_dictionary__append_short(lochan_pq_dictionary *d, lochan_rle *keys,
                                                 lochan_pq_out *out, size_t n, bool *done,
                                                 bool *damaged, lochan_error *err);
/* Makes the bytes of a loaded dictionary a buffer that views may show; `values` become views. */
lochan_status lochan_pq_dictionary__share(lochan_pq_dictionary *d, lochan_error *err);
/* The next n keys as values of `width` bytes at dst / as slices / as keys. False: bytes end early
 * or a key is too large. */
bool lochan_pq_dictionary__gather(const lochan_pq_dictionary *d, lochan_rle *keys, size_t n,
                                  int32_t width, uint8_t *dst);
bool lochan_pq_dictionary__gather_slices(const lochan_pq_dictionary *d, lochan_rle *keys, size_t n,
                                         lochan_pq_slice *dst);
bool lochan_pq_dictionary__keys(const lochan_pq_dictionary *d, lochan_rle *keys, size_t n,
                                uint32_t *dst);

#endif
