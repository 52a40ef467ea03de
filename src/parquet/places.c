/* places.c - see places.h. May call: base/, pages.h. */
#include "parquet/places.h"

/* An index is a few bytes a page; larger ones are not worth their memory. */
enum { MAX_INDEX_BYTES = 4 << 20, MAX_PARSED = 64 << 20 };

static bool consistent(const lochan_pq_page_location *items, uint32_t n,
                       const lochan_pq_pages *pages, int64_t rows) {
    uint64_t end = pages->pos;
    int64_t row = -1;
    for (uint32_t i = 0; i < n; i++) {
        if (items[i].offset < 0 || items[i].compressed_size <= 0 ||
            (uint64_t)items[i].offset < end || items[i].first_row <= row ||
            items[i].first_row >= rows)
            return false;
        end = (uint64_t)items[i].offset + (uint64_t)items[i].compressed_size;
        row = items[i].first_row;
    }
    return n > 0 && items[0].first_row == 0 && end <= pages->end;
}

/* The chunk from its first page on: pages->pos may have moved. */
static lochan_status parse(lochan_pq_places *p, const lochan_pq_pages *pages, const uint8_t *bytes,
                           size_t size, int64_t rows, lochan_error *err) {
    lochan_pq_pages whole = *pages;
    lochan_pq_offset_index index;
    lochan_arena arena;
    lochan_error inner;
    lochan_cursor cursor = {bytes, bytes + size};
    lochan_error_init(&inner);
    lochan_arena__init(&arena, MAX_PARSED);
    lochan_status rc =
        lochan_thrift__read(&cursor, bytes, &lochan_pq_offset_index__type, &arena, &index, &inner);
    whole.pos = pages->end - (uint64_t)pages->meta->compressed_size;
    if (pages->file->short_chunks && whole.pos > LOCHAN_PQ_SHORT_BY)
        whole.pos -= LOCHAN_PQ_SHORT_BY;
    if (rc == LOCHAN_OK && consistent(index.pages.items, index.pages.n, &whole, rows)) {
        p->items = lochan_mem__array(index.pages.n, sizeof *p->items);
        if (p->items) {
            memcpy(p->items, index.pages.items, index.pages.n * sizeof *p->items);
            p->n = index.pages.n;
        }
        rc = p->items ? LOCHAN_OK : lochan_error__nomem(err);
    } else {
        rc = rc == LOCHAN_ERR_NO_MEMORY ? lochan_error__nomem(err) : LOCHAN_OK;
    }
    lochan_arena__deinit(&arena);
    return rc;
}

lochan_status lochan_pq_places__load(lochan_pq_places *p, const lochan_pq_pages *pages,
                                     const lochan_pq_column_chunk *chunk, int64_t rows,
                                     lochan_error *err) {
    uint64_t file_size = pages->file->source.size;
    int64_t offset = chunk->offset_index_offset;
    int32_t size = chunk->offset_index_length;
    p->asked = true;
    if (!LOCHAN_PQ_HAS(chunk, 4) || !LOCHAN_PQ_HAS(chunk, 5) || offset < 4 || size <= 0 ||
        size > MAX_INDEX_BYTES || (uint64_t)offset > file_size ||
        (uint64_t)size > file_size - (uint64_t)offset)
        return LOCHAN_OK;
    uint8_t *bytes = lochan_mem__alloc((size_t)size);
    if (!bytes)
        return lochan_error__nomem(err);
    lochan_status rc =
        lochan_pq_file__read(pages->file, (uint64_t)offset, (size_t)size, bytes, err);
    if (rc == LOCHAN_OK)
        rc = parse(p, pages, bytes, (size_t)size, rows, err);
    lochan_mem__free(bytes);
    return rc;
}

void lochan_pq_places__free(lochan_pq_places *p) {
    lochan_mem__free(p->items);
    *p = (lochan_pq_places){0};
}
