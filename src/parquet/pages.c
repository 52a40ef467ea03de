/* pages.c - see pages.h.
 * The chunk is read through a window that grows to one page at most; in a file that lies in memory
 * it costs nothing. May call: base/, file.h, metadata.h, schema.h.
 */
#include "parquet/pages.h"
#include "base/hash.h"
#include <stdio.h>

enum { FIRST_HEADER_BYTES = 512, MAX_HEADER_BYTES = 16 << 20 };

lochan_status lochan_pq_pages__fail(const lochan_pq_pages *pages, const lochan_pq_page *page,
                                    lochan_status code, lochan_error *err, const char *fmt, ...) {
    if (!err)
        return code;
    va_list args;
    va_start(args, fmt);
    (void)lochan_error__vset(err, code, fmt, args);
    va_end(args);
    (void)lochan_error__prefix(err, code, "column '%s', row group %d", pages->leaf->path,
                               pages->row_group);
    (void)lochan_error__in_table(err, code, "", pages->leaf->path, -1);
    return lochan_error__in_file(err, code, pages->file->name,
                                 (int64_t)(page ? page->offset : pages->pos));
}

lochan_status lochan_pq_pages__init(lochan_pq_pages *pages, lochan_pq_file *file,
                                    const lochan_pq_leaf *leaf, const lochan_pq_column_chunk *chunk,
                                    int row_group, size_t window, lochan_error *err) {
    const lochan_pq_column_meta *meta = &chunk->meta;
    *pages = (lochan_pq_pages){
        .file = file, .leaf = leaf, .meta = meta, .row_group = row_group, .window_target = window};
    pages->landing_rows = -1;
    pages->window.budget = pages->body.budget = file->ctx.budget;
    int64_t start = meta->data_page_offset, footer = (int64_t)file->source.size - 8;
    if (LOCHAN_PQ_HAS(meta, 11) && meta->dictionary_page_offset > 0 &&
        meta->dictionary_page_offset < start)
        start = meta->dictionary_page_offset;
    pages->pos = start < 0 ? 0 : (uint64_t)start;
    if (LOCHAN_PQ_HAS(chunk, 1) && chunk->file_path.n > 0)
        return lochan_pq_pages__fail(pages, NULL, LOCHAN_ERR_UNSUPPORTED, err,
                                     "its pages lie in another file");
    if (LOCHAN_PQ_HAS(chunk, 8))
        return lochan_pq_pages__fail(pages, NULL, LOCHAN_ERR_UNSUPPORTED, err, "it is encrypted");
    if (meta->type != leaf->physical)
        return lochan_pq_pages__fail(
            pages, NULL, LOCHAN_ERR_CORRUPT, err, "type %s, but the schema says %s",
            lochan_pq_physical__name(meta->type), lochan_pq_physical__name(leaf->physical));
    if (start < 4 || meta->compressed_size < 0 || start > footer ||
        meta->compressed_size > footer - start)
        return lochan_pq_pages__fail(pages, NULL, LOCHAN_ERR_CORRUPT, err,
                                     "%lld bytes of pages at %lld do not fit into the file",
                                     (long long)meta->compressed_size, (long long)start);
    if (!lochan_pq_codec__readable(meta->codec))
        return lochan_pq_pages__fail(pages, NULL, LOCHAN_ERR_UNSUPPORTED, err,
                                     "codec %s (%d) is not supported",
                                     lochan_pq_codec__label(meta->codec), (int)meta->codec);
    if (meta->num_values < 0)
        return lochan_pq_pages__fail(pages, NULL, LOCHAN_ERR_CORRUPT, err,
                                     "a negative number of values");
    pages->end = pages->pos + (uint64_t)meta->compressed_size;
    if (file->short_chunks) {
        uint64_t left = (uint64_t)footer - pages->end;
        pages->end += left < LOCHAN_PQ_SHORT_BY ? left : LOCHAN_PQ_SHORT_BY;
    }
    pages->values_left = meta->num_values;
    return LOCHAN_OK;
}

void lochan_pq_pages__deinit(lochan_pq_pages *pages) {
    lochan_pq_scratch__free(&pages->window);
    lochan_pq_scratch__free(&pages->body);
}

/* Room for `want` bytes of the file from `offset` on; what the window has of them already, *kept
 * bytes, goes to its front: a page that passes the window's end is not read twice. */
static lochan_status slide(lochan_pq_pages *p, uint64_t offset, size_t want, size_t *kept,
                           lochan_error *err) {
    uint64_t end = p->window_start + p->window_size;
    lochan_pq_scratch fresh = {.budget = p->window.budget};
    *kept = offset >= p->window_start && offset < end ? (size_t)(end - offset) : 0;
    if (want > p->window.cap && *kept > 0) {
        if (lochan_pq_scratch__reserve(&fresh, want, NULL) == LOCHAN_OK) {
            memcpy(fresh.data, p->window.data + (offset - p->window_start), *kept);
            lochan_pq_scratch__free(&p->window);
            p->window = fresh;
            return LOCHAN_OK;
        }
        *kept = 0; /* not both at a time */
    }
    if (*kept > 0)
        memmove(p->window.data, p->window.data + (offset - p->window_start), *kept);
    p->window_size = 0;
    return lochan_pq_scratch__reserve(&p->window, want, err);
}

/* Makes bytes [offset, offset + n) of the chunk readable at *out; n is at most what is left of the
 * chunk. */
static lochan_status ensure(lochan_pq_pages *p, uint64_t offset, size_t n, const uint8_t **out,
                            lochan_error *err) {
    lochan_pq_file *file = p->file;
    if (file->source.data) {
        *out = file->source.data + offset;
        return LOCHAN_OK;
    }
    if (offset < p->window_start || offset + n > p->window_start + p->window_size) {
        size_t left = (size_t)(p->end - offset);
        size_t want = n > p->window_target ? n : p->window_target;
        if (p->landing_rows >= 0 && n <= (size_t)p->landing.compressed_size)
            want = (size_t)p->landing.compressed_size; /* the page, and nothing beside it */
        want = want < left ? want : left;
        size_t kept;
        LOCHAN_TRY(slide(p, offset, want, &kept, err));
        p->window_size = 0;
        LOCHAN_TRY(
            lochan_pq_file__read(file, offset + kept, want - kept, p->window.data + kept, err));
        p->window_start = offset;
        p->window_size = want;
    }
    *out = p->window.data + (offset - p->window_start);
    return LOCHAN_OK;
}

/* Parses the header at pos. Its length is unknown: most are tiny, statistics can make them large.
 */
static lochan_status read_header(lochan_pq_pages *p, lochan_pq_page *page, size_t *header_size,
                                 lochan_error *err) {
    size_t left = (size_t)(p->end - p->pos);
    if (p->landing_rows >= 0 && left > (size_t)p->landing.compressed_size)
        left = (size_t)p->landing.compressed_size;
    for (size_t n = FIRST_HEADER_BYTES;; n *= 16) {
        const uint8_t *bytes;
        size_t have = n < left ? n : left;
        LOCHAN_TRY(ensure(p, p->pos, have, &bytes, err));
        lochan_cursor cursor = {bytes, bytes + have};
        lochan_arena none;
        lochan_error inner;
        lochan_error_init(&inner);
        lochan_arena__init(&none, 1 << 16); /* page headers hold no lists that we keep */
        lochan_status rc = lochan_thrift__read(&cursor, bytes, &lochan_pq_page_header__type, &none,
                                               &page->header, &inner);
        lochan_arena__deinit(&none);
        if (rc == LOCHAN_OK) {
            *header_size = (size_t)(cursor.pos - bytes);
            return LOCHAN_OK;
        }
        if (have == left || n >= MAX_HEADER_BYTES)
            return lochan_pq_pages__fail(p, page, rc, err, "page header: %s", inner.message);
    }
}

/* Checks the header and fills what all page types share. *skip: a page type that holds no values.
 */
static lochan_status check_header(lochan_pq_pages *p, lochan_pq_page *page, bool *skip,
                                  lochan_error *err) {
    const lochan_pq_page_header *h = &page->header;
    int32_t values = 0;
    *skip = false;
    if (h->compressed_size < 0 || h->uncompressed_size < 0 ||
        (uint64_t)h->compressed_size > p->end - p->pos)
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "a page of %d bytes passes the end of its chunk",
                                     (int)h->compressed_size);
    if (h->type == LOCHAN_PQ_DATA_PAGE && LOCHAN_PQ_HAS(h, 5)) {
        values = h->data.num_values;
        page->encoding = h->data.encoding;
    } else if (h->type == LOCHAN_PQ_DATA_PAGE_V2 && LOCHAN_PQ_HAS(h, 8)) {
        values = h->data_v2.num_values;
        page->encoding = h->data_v2.encoding;
    } else if (h->type == LOCHAN_PQ_DICTIONARY_PAGE && LOCHAN_PQ_HAS(h, 7)) {
        values = h->dictionary.num_values;
        page->encoding = h->dictionary.encoding;
    } else if (h->type == LOCHAN_PQ_DATA_PAGE || h->type == LOCHAN_PQ_DATA_PAGE_V2 ||
               h->type == LOCHAN_PQ_DICTIONARY_PAGE) {
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "a page without the header of its type");
    } else {
        *skip = true;
        return LOCHAN_OK;
    }
    if (values < 0)
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err, "a page of %d values",
                                     (int)values);
    page->num_values = (uint32_t)values;
    if (h->type == LOCHAN_PQ_DICTIONARY_PAGE)
        return LOCHAN_OK;
    if (values > p->values_left)
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "its pages hold more values than it claims");
    p->values_left -= values;
    return LOCHAN_OK;
}

void lochan_pq_pages__jump(lochan_pq_pages *p, const lochan_pq_page_location *place, int64_t rows) {
    p->pos = (uint64_t)place->offset;
    p->landing = *place;
    p->landing_rows = rows;
    p->jumped = true;
    if (p->leaf->max_rep == 0)
        p->values_left = p->meta->num_values - place->first_row;
}

void lochan_pq_pages__finish(lochan_pq_pages *p) {
    p->pos = p->end;
    p->values_left = 0;
    p->landing_rows = -1;
}

/* The offset index is the file's word only: what it leads to must be what it says. */
static lochan_status check_landing(lochan_pq_pages *p, const lochan_pq_page *page,
                                   lochan_error *err) {
    int64_t rows = p->landing_rows;
    bool flat = p->leaf->max_rep == 0;
    if (rows < 0)
        return LOCHAN_OK;
    p->landing_rows = -1;
    if (page->offset != (uint64_t)p->landing.offset ||
        page->end != page->offset + (uint64_t)p->landing.compressed_size ||
        page->header.type == LOCHAN_PQ_DICTIONARY_PAGE || (flat && page->num_values != rows))
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "its offset index leads to another page");
    return LOCHAN_OK;
}

lochan_status lochan_pq_pages__next(lochan_pq_pages *p, lochan_pq_page *page, bool *more,
                                    lochan_error *err) {
    bool skip = true;
    *more = false;
    while (skip) {
        size_t header_size;
        if (p->pos >= p->end || p->values_left == 0) {
            if (p->values_left > 0 && !(p->jumped && p->leaf->max_rep > 0))
                return lochan_pq_pages__fail(p, NULL, LOCHAN_ERR_CORRUPT, err,
                                             "%lld values are missing", (long long)p->values_left);
            return LOCHAN_OK;
        }
        memset(page, 0, sizeof *page);
        page->offset = p->pos;
        LOCHAN_TRY(read_header(p, page, &header_size, err));
        p->pos += header_size;
        LOCHAN_TRY(check_header(p, page, &skip, err));
        p->pos += (uint64_t)page->header.compressed_size;
        page->end = p->pos;
    }
    *more = true;
    return check_landing(p, page, err);
}

/* Cuts off the levels that lead a v1 page: a length and hybrid bytes, or the old packing whose
 * length follows from n. */
static bool cut_levels(const uint8_t **at, const uint8_t *end, int32_t encoding, unsigned max_level,
                       uint32_t n, const uint8_t **out, size_t *size, bool *packed) {
    size_t left = (size_t)(end - *at);
    if (max_level == 0)
        return true;
    *packed = encoding == LOCHAN_PQ_BIT_PACKED;
    if (*packed) {
        unsigned width = 32u - (unsigned)__builtin_clz(max_level);
        *size = (size_t)(((uint64_t)n * width + 7) / 8);
    } else {
        if (encoding != LOCHAN_PQ_RLE || left < 4)
            return false;
        *size = (size_t)(*at)[0] | (size_t)(*at)[1] << 8 | (size_t)(*at)[2] << 16 |
                (size_t)(*at)[3] << 24;
        *at += 4;
        left -= 4;
    }
    if (*size > left)
        return false;
    *out = *at;
    *at += *size;
    return true;
}

static lochan_status split(lochan_pq_pages *p, lochan_pq_page *page, const uint8_t *body, size_t n,
                           lochan_error *err) {
    const lochan_pq_page_header *h = &page->header;
    const uint8_t *at = body, *end = body + n;
    if (h->type == LOCHAN_PQ_DATA_PAGE &&
        (!cut_levels(&at, end, h->data.rep_encoding, p->leaf->max_rep, page->num_values, &page->rep,
                     &page->rep_size, &page->rep_packed) ||
         !cut_levels(&at, end, h->data.def_encoding, p->leaf->max_def, page->num_values, &page->def,
                     &page->def_size, &page->def_packed)))
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "the levels of a page pass its end");
    page->values = at;
    page->values_size = (size_t)(end - at);
    return LOCHAN_OK;
}

/* Gives up what has been read if nothing behind the page is in it: with many columns, what each of
 * them keeps adds up. */
static void drop_window(lochan_pq_pages *p, const lochan_pq_page *page) {
    if (p->window_start + p->window_size > page->end)
        return;
    lochan_pq_scratch__free(&p->window);
    p->window_size = 0;
}

/* Whether `n` bytes may be a page of `size`. */
static lochan_status check_size(const lochan_pq_pages *p, const lochan_pq_page *page, int32_t codec,
                                size_t n, size_t size, lochan_error *err) {
    if (size <= lochan_pq_codec__max_size(codec, n))
        return LOCHAN_OK;
    if (lochan_pq_codec__has_bound(codec))
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "%zu bytes cannot be a page of %zu", n, size);
    if (size <= p->file->believed)
        return LOCHAN_OK;
    lochan_status rc = lochan_pq_pages__fail(
        p, page, LOCHAN_ERR_MEMORY_LIMIT, err,
        "a page of %zu bytes of %s claims to hold %zu: more than the %llu that are believed", n,
        lochan_pq_codec__label(codec), size, (unsigned long long)p->file->believed);
    lochan_error__hint(err, "raise max_page_bytes if the file can be trusted");
    return rc;
}

/* Decompresses src into body after `keep` bytes that stay as they are (the levels of a v2 page). */
static lochan_status inflate(lochan_pq_pages *p, lochan_pq_page *page, const uint8_t *src, size_t n,
                             size_t keep, size_t size, bool compressed, const uint8_t **out,
                             lochan_error *err) {
    int32_t codec = compressed ? p->meta->codec : LOCHAN_PQ_UNCOMPRESSED;
    if (size < keep || n < keep)
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "%zu bytes cannot be a page of %zu", n, size);
    LOCHAN_TRY(check_size(p, page, codec, n - keep, size - keep, err));
    if (codec == LOCHAN_PQ_UNCOMPRESSED && n != size)
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "an uncompressed page of %zu bytes claims %zu", n, size);
    bool padded = p->file->source.data == NULL && !p->own_body;
    if (codec == LOCHAN_PQ_UNCOMPRESSED && padded) {
        *out = src;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_pq_scratch__reserve(&p->body, size, err));
    memcpy(p->body.data, src, keep);
    lochan_error inner;
    lochan_error_init(&inner);
    lochan_status rc = lochan_pq_codec__decompress(&p->file->codecs, codec, src + keep, n - keep,
                                                   p->body.data + keep, size - keep, &inner);
    if (rc != LOCHAN_OK)
        return lochan_pq_pages__fail(p, page, rc, err, "%s", inner.message);
    *out = p->body.data;
    drop_window(p, page);
    return LOCHAN_OK;
}

lochan_status lochan_pq_pages__load(lochan_pq_pages *p, lochan_pq_page *page, lochan_error *err) {
    const lochan_pq_page_header *h = &page->header;
    size_t n = (size_t)h->compressed_size, size = (size_t)h->uncompressed_size, keep = 0;
    const uint8_t *src, *body;
    LOCHAN_TRY(lochan_cancel__check(p->file->ctx.cancel, err));
    LOCHAN_TRY(ensure(p, page->end - n, n, &src, err));
    if (LOCHAN_PQ_HAS(h, 4) && lochan_hash__crc32(src, n) != (uint32_t)h->crc)
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "the checksum of a page is wrong");
    bool compressed = true;
    if (h->type == LOCHAN_PQ_DATA_PAGE_V2) {
        const lochan_pq_data_header_v2 *v2 = &h->data_v2;
        if (v2->rep_length < 0 || v2->def_length < 0 ||
            (uint64_t)v2->rep_length + (uint64_t)v2->def_length > n)
            return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                         "the levels of a page pass its end");
        keep = (size_t)v2->rep_length + (size_t)v2->def_length;
        compressed = !LOCHAN_PQ_HAS(v2, 7) || v2->is_compressed;
        /* some writers leave an empty values part uncompressed */
        if (n == keep && size == keep)
            compressed = false;
    }
    LOCHAN_TRY(inflate(p, page, src, n, keep, size, compressed, &body, err));
    atomic_fetch_add_explicit(&p->file->pages_decoded, 1, memory_order_relaxed);
    if (keep > 0) {
        page->rep = body;
        page->rep_size = (size_t)h->data_v2.rep_length;
        page->def = body + page->rep_size;
        page->def_size = (size_t)h->data_v2.def_length;
    }
    return split(p, page, body + keep, size - keep, err);
}

/* Levels of n valid entries as writers put them: one run, in pages of version 1 after its length.
 * Returns their size. */
static size_t valid_levels(uint32_t n, bool v2, uint8_t out[LOCHAN_PQ_LEVELS]) {
    uint8_t *at = out + (v2 ? 0 : 4);
    uint64_t run = (uint64_t)n << 1;
    for (; run >= 0x80; run >>= 7)
        *at++ = (uint8_t)(run | 0x80);
    *at++ = (uint8_t)run;
    *at++ = 1;
    if (!v2) {
        memset(out, 0, 4);
        out[0] = (uint8_t)(at - out - 4);
    }
    return (size_t)(at - out);
}

lochan_status lochan_pq_pages__load_values(lochan_pq_pages *p, const lochan_pq_page *page,
                                           uint8_t *dst, size_t bytes, bool *done, bool *odd,
                                           lochan_error *err) {
    const lochan_pq_page_header *h = &page->header;
    bool v2 = h->type == LOCHAN_PQ_DATA_PAGE_V2, levels = p->leaf->max_def > 0;
    size_t n = (size_t)h->compressed_size, size = (size_t)h->uncompressed_size;
    uint8_t expected[LOCHAN_PQ_LEVELS], before[LOCHAN_PQ_LEVELS];
    const uint8_t *src;
    *done = *odd = false;
    size_t lead = levels ? valid_levels(page->num_values, v2, expected) : 0, keep = v2 ? lead : 0;
    if (p->meta->codec == LOCHAN_PQ_UNCOMPRESSED || p->leaf->max_def > 1 || size != lead + bytes ||
        n <= keep || bytes > lochan_pq_codec__max_size(p->meta->codec, n - keep) ||
        (v2 ? h->data_v2.rep_length != 0 || h->data_v2.def_length != (int32_t)keep ||
                  (LOCHAN_PQ_HAS(&h->data_v2, 7) && !h->data_v2.is_compressed)
            : levels && h->data.def_encoding != LOCHAN_PQ_RLE))
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_cancel__check(p->file->ctx.cancel, err));
    LOCHAN_TRY(ensure(p, page->end - n, n, &src, err));
    if (LOCHAN_PQ_HAS(h, 4) && lochan_hash__crc32(src, n) != (uint32_t)h->crc)
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "the checksum of a page is wrong");
    if (keep > 0 && memcmp(src, expected, keep) != 0) {
        *odd = true;
        return LOCHAN_OK;
    }
    lochan_error inner;
    lochan_error_init(&inner);
    lead -= keep;
    memcpy(before, dst - LOCHAN_PQ_LEVELS, LOCHAN_PQ_LEVELS);
    lochan_status rc = lochan_pq_codec__decompress(&p->file->codecs, p->meta->codec, src + keep,
                                                   n - keep, dst - lead, lead + bytes, &inner);
    *odd = rc == LOCHAN_OK && lead > 0 && memcmp(dst - lead, expected, lead) != 0;
    memcpy(dst - LOCHAN_PQ_LEVELS, before, LOCHAN_PQ_LEVELS);
    if (rc != LOCHAN_OK)
        return lochan_pq_pages__fail(p, page, rc, err, "%s", inner.message);
    *done = !*odd;
    if (*done)
        atomic_fetch_add_explicit(&p->file->pages_decoded, 1, memory_order_relaxed);
    drop_window(p, page);
    return LOCHAN_OK;
}

lochan_status lochan_pq_pages__raw(lochan_pq_pages *p, const lochan_pq_page *page,
                                   const uint8_t **bytes, size_t *n, lochan_error *err) {
    size_t body = (size_t)page->header.compressed_size;
    *n = (size_t)(p->pos - page->offset);
    LOCHAN_TRY(lochan_cancel__check(p->file->ctx.cancel, err));
    LOCHAN_TRY(ensure(p, page->offset, *n, bytes, err));
    if (!LOCHAN_PQ_HAS(&page->header, 4))
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_UNSUPPORTED, err,
                                     "a page without a checksum");
    if (lochan_hash__crc32(*bytes + (*n - body), body) != (uint32_t)page->header.crc)
        return lochan_pq_pages__fail(p, page, LOCHAN_ERR_CORRUPT, err,
                                     "the checksum of a page is wrong");
    return LOCHAN_OK;
}
