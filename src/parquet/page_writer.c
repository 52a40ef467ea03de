/* page_writer.c - waiting entries -> encoded, compressed, checksummed pages in w->pages.
 * Invariant: a page holds whole rows; its statistics go into those of the chunk. May call: base/,
 * the rest of parquet/.
 */
#include "base/hash.h"
#include "parquet/bits.h"
#include "parquet/column_writer.h"

#define BIT LOCHAN_THRIFT_BIT

/* Compresses w->raw and appends header and page to `to`. */
static lochan_status put_page(lochan_pq_column_writer *w, lochan_pq_page_header *header,
                              lochan_buf *to, lochan_error *err) {
    const lochan_pq_write_options *o = w->options;
    size_t before = to->len;
    lochan_buf__clear(&w->packed);
    LOCHAN_TRY(lochan_pq_codec__compress(w->codecs, o->codec, o->level, w->raw.data, w->raw.len,
                                         &w->packed, err));
    if (w->raw.len > INT32_MAX || w->packed.len > INT32_MAX)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "a page of column '%s' passes 2 GiB",
                                 w->leaf->path);
    header->set |= BIT(1) | BIT(2) | BIT(3);
    header->uncompressed_size = (int32_t)w->raw.len;
    header->compressed_size = (int32_t)w->packed.len;
    if (!o->no_crc) {
        header->set |= BIT(4);
        header->crc = (int32_t)lochan_hash__crc32(w->packed.data, w->packed.len);
    }
    LOCHAN_TRY(lochan_thrift__write(to, &lochan_pq_page_header__type, header, err));
    w->uncompressed_size += (int64_t)(to->len - before) + (int64_t)w->raw.len;
    return lochan_buf__append(to, w->packed.data, w->packed.len, err);
}

/* Levels of a v1 page: a length of four bytes, then the hybrid. */
static lochan_status put_levels(lochan_buf *raw, const uint8_t *levels, size_t n, unsigned max,
                                lochan_error *err) {
    if (max == 0)
        return LOCHAN_OK;
    size_t at = raw->len;
    LOCHAN_TRY(lochan_buf__u32le(raw, 0, err));
    LOCHAN_TRY(lochan_rle__write8(raw, levels, n, lochan_bits__width(max), err));
    uint32_t size = (uint32_t)(raw->len - at - 4);
    for (int i = 0; i < 4; i++)
        raw->data[at + (size_t)i] = (uint8_t)(size >> 8 * i);
    return LOCHAN_OK;
}

static lochan_status put_keys(lochan_pq_column_writer *w, size_t n_values, lochan_error *err) {
    unsigned width = w->dictionary.n > 1 ? lochan_bits__width(w->dictionary.n - 1) : 0;
    LOCHAN_TRY(lochan_buf__putc(&w->raw, (char)width, err));
    return lochan_rle__write32(&w->raw, (const void *)w->keys.data, n_values, width, err);
}

static lochan_status put_bits(lochan_buf *raw, const uint8_t *values, size_t n, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__reserve(raw, n / 8 + 1, err));
    for (size_t i = 0; i < n; i += 8) {
        unsigned byte = 0;
        for (size_t b = 0; b < 8 && i + b < n; b++)
            byte |= (unsigned)values[i + b] << b;
        raw->data[raw->len++] = (uint8_t)byte;
    }
    return LOCHAN_OK;
}

/* Bytes of the first n waiting values in PLAIN form (booleans: of one byte each). */
static size_t values_size(const lochan_pq_column_writer *w, size_t n) {
    if (w->leaf->physical == LOCHAN_PQ_BOOLEAN)
        return n;
    if (w->leaf->physical != LOCHAN_PQ_BYTE_ARRAY)
        return n * (size_t)w->leaf->width;
    if (n == w->n_values)
        return w->values.len;
    size_t at = 0;
    for (size_t i = 0; i < n; i++) {
        uint32_t len;
        memcpy(&len, w->values.data + at, 4);
        at += 4 + (size_t)len;
    }
    return at;
}

/* ---- statistics of a page ---- */

static void stats_of_slices(lochan_pq_column_writer *w, size_t n) {
    lochan_pq_slice block[256];
    const uint8_t *at = w->values.data;
    while (n > 0) {
        size_t m = n < LOCHAN_COUNTOF(block) ? n : LOCHAN_COUNTOF(block);
        for (size_t i = 0; i < m; i++) {
            memcpy(&block[i].n, at, 4);
            block[i].p = at + 4;
            at += 4 + (size_t)block[i].n;
        }
        lochan_pq_stats__add_slices(&w->page_stats, block, m);
        n -= m;
    }
}

/* Looks at each distinct key once. NaN are counted by value. */
static lochan_status stats_of_keys(lochan_pq_column_writer *w, size_t n, lochan_error *err) {
    const uint32_t *keys = (const void *)w->keys.data;
    size_t bytes = w->dictionary.n / 8 + 1;
    lochan_pq_stats *s = &w->page_stats;
    w->seen.len = 0;
    LOCHAN_TRY(lochan_pq_vec__reserve(&w->seen, bytes, err));
    memset(w->seen.data, 0, bytes);
    int64_t nans = 0;
    for (size_t i = 0; i < n; i++) {
        uint8_t bit = (uint8_t)(1u << (keys[i] & 7)), *byte = &w->seen.data[keys[i] >> 3];
        if (*byte & bit)
            continue;
        *byte |= bit;
        lochan_pq_slice e = lochan_pq_dict_builder__entry(&w->dictionary, keys[i]);
        int64_t before = s->nans;
        if (w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY)
            lochan_pq_stats__add_slices(s, &e, 1);
        else
            lochan_pq_stats__add_fixed(s, e.p, 1);
        if (s->nans > before) /* rare: count how often this NaN comes */
            for (size_t j = i; j < n; j++)
                nans += keys[j] == keys[i];
    }
    s->nans = nans;
    s->values = (int64_t)n;
    return LOCHAN_OK;
}

static lochan_status gather_stats(lochan_pq_column_writer *w, size_t entries, size_t n,
                                  lochan_error *err) {
    if (w->options->no_statistics)
        return LOCHAN_OK;
    lochan_pq_stats__clear(&w->page_stats);
    if (w->leaf->convert != LOCHAN_PQ_CONVERT_NULL) {
        if (w->use_dictionary)
            LOCHAN_TRY(stats_of_keys(w, n, err));
        else if (w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY)
            stats_of_slices(w, n);
        else
            lochan_pq_stats__add_fixed(&w->page_stats, w->values.data, n);
    }
    w->page_stats.nulls = (int64_t)(entries - n);
    lochan_pq_stats__merge(&w->stats, &w->page_stats);
    return LOCHAN_OK;
}

static void drop_front(lochan_pq_vec *v, size_t n) {
    if (n < v->len)
        memmove(v->data, v->data + n, v->len - n);
    v->len -= n;
}

lochan_status lochan_pq_column_writer__data_page(lochan_pq_column_writer *w, size_t entries,
                                                 lochan_error *err) {
    size_t n = w->leaf->max_def > 0 ? 0 : entries, rows = w->leaf->max_rep > 0 ? 0 : entries;
    for (size_t i = 0; w->leaf->max_def > 0 && i < entries; i++)
        n += w->defs.data[i] == w->leaf->max_def;
    for (size_t i = 0; w->leaf->max_rep > 0 && i < entries; i++)
        rows += w->reps.data[i] == 0;
    size_t bytes = w->use_dictionary ? 0 : values_size(w, n);
    lochan_buf__clear(&w->raw);
    LOCHAN_TRY(gather_stats(w, entries, n, err));
    LOCHAN_TRY(put_levels(&w->raw, w->reps.data, entries, w->leaf->max_rep, err));
    LOCHAN_TRY(put_levels(&w->raw, w->defs.data, entries, w->leaf->max_def, err));
    if (w->use_dictionary)
        LOCHAN_TRY(put_keys(w, n, err));
    else if (w->leaf->physical == LOCHAN_PQ_BOOLEAN)
        LOCHAN_TRY(put_bits(&w->raw, w->values.data, n, err));
    else if (bytes > 0)
        LOCHAN_TRY(lochan_buf__append(&w->raw, w->values.data, bytes, err));
    lochan_pq_page_header header = {.set = BIT(5), .type = LOCHAN_PQ_DATA_PAGE};
    header.data =
        (lochan_pq_data_header){BIT(1) | BIT(2) | BIT(3) | BIT(4), (int32_t)entries,
                                w->use_dictionary ? LOCHAN_PQ_RLE_DICTIONARY : LOCHAN_PQ_PLAIN,
                                LOCHAN_PQ_RLE, LOCHAN_PQ_RLE};
    LOCHAN_TRY(put_page(w, &header, &w->pages, err));
    if (w->use_dictionary)
        w->key_pages++;
    else
        w->plain_pages++;
    w->total_entries += (int64_t)entries;
    w->n_entries -= entries;
    w->n_values -= n;
    w->n_rows -= rows;
    if (w->leaf->max_def > 0)
        drop_front(&w->defs, entries);
    if (w->leaf->max_rep > 0)
        drop_front(&w->reps, entries);
    if (w->use_dictionary)
        drop_front(&w->keys, n * sizeof(uint32_t));
    else
        drop_front(&w->values, bytes);
    return LOCHAN_OK;
}

lochan_status lochan_pq_column_writer__dictionary_page(lochan_pq_column_writer *w,
                                                       lochan_error *err) {
    lochan_buf__clear(&w->raw);
    LOCHAN_TRY(
        lochan_buf__append(&w->raw, w->dictionary.values.data, w->dictionary.values.len, err));
    lochan_pq_page_header header = {.set = BIT(7), .type = LOCHAN_PQ_DICTIONARY_PAGE};
    header.dictionary = (lochan_pq_dictionary_header){BIT(1) | BIT(2), (int32_t)w->dictionary.n,
                                                      LOCHAN_PQ_PLAIN, false};
    w->dictionary_pages = 1;
    return put_page(w, &header, &w->dictionary_page, err);
}
