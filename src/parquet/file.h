/* file.h - what the parts of one open file share: source, name, context, counters, scratch memory.
 * Invariant: safe to use from several threads; reads are checked against the size of the file. May
 * call: base/, arrow/, codec.h.
 */
#ifndef LOCHAN_PARQUET_FILE_H
#define LOCHAN_PARQUET_FILE_H

#include "arrow/array.h"
#include "parquet/codec.h"
#include "parquet/reader.h"

typedef struct lochan_pq_file {
    lochan_ctx ctx;
    lochan_pq_source source;
    char *name;
    bool short_chunks; /* sizes of chunks may be too small by a page header */
    uint64_t believed; /* size of a page that is believed though its bytes hardly explain it */
    lochan_pq_codec_cache codecs;
    _Atomic uint64_t bytes_read, pages_decoded, row_groups_read, row_groups_pruned;
} lochan_pq_file;

/* Exactly n bytes at offset. CORRUPT if that is past the end of the file. */
lochan_status lochan_pq_file__read(lochan_pq_file *file, uint64_t offset, size_t n, void *dst,
                                   lochan_error *err);

/* Memory reused from page to page, drawn from the budget. Always followed by PAD readable bytes. */
enum { LOCHAN_PQ_PAD = 32 };
typedef struct lochan_pq_scratch {
    lochan_budget *budget;
    uint8_t *data;
    size_t cap;
} lochan_pq_scratch;
/* At least n bytes; the contents are lost when it grows. */
lochan_status lochan_pq_scratch__reserve(lochan_pq_scratch *s, size_t n, lochan_error *err);
void lochan_pq_scratch__free(lochan_pq_scratch *s);
/* Makes a buffer of its memory, in place, and leaves it empty; the budget forgets it. NULL: out of
 * memory, nothing has changed. */
lochan_buffer *lochan_pq_scratch__detach(lochan_pq_scratch *s);

#endif
