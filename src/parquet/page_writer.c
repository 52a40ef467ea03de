/* page_writer.c - waiting entries -> encoded, compressed, checksummed pages in w->pages.
 * Invariant: a page holds whole rows; its statistics go into those of the chunk. May call: base/,
 * the rest of parquet/.
 */
#include "base/hash.h"
#include "parquet/bits.h"
#include "parquet/column_writer.h"
#include "parquet/encode.h"

#define BIT LOCHAN_THRIFT_BIT

/* The bytes of a page before compression: w->raw, or the values where they lie. */
typedef struct page_body {
    const uint8_t *p;
    size_t n;
    int level; /* of the codec */
} page_body;

/* Appends header, w->levels (pages of version 2) and the compressed body to `to`. */
static lochan_status put_page(lochan_pq_column_writer *w, lochan_pq_page_header *header,
                              page_body body, lochan_buf *to, lochan_error *err) {
    const lochan_pq_write_options *o = w->options;
    size_t before = to->len;
    bool v2 = header->type == LOCHAN_PQ_DATA_PAGE_V2;
    lochan_buf__clear(&w->packed);
    if (v2 && w->levels.len > 0)
        LOCHAN_TRY(lochan_buf__append(&w->packed, w->levels.data, w->levels.len, err));
    size_t head = w->packed.len;
    LOCHAN_TRY(lochan_pq_codec__compress(w->codecs, o->codec, body.level, body.p, body.n,
                                         &w->packed, err));
    if (v2) {
        header->data_v2.is_compressed = w->packed.len - head < body.n;
        if (!header->data_v2.is_compressed) {
            w->packed.len = head;
            if (body.n > 0)
                LOCHAN_TRY(lochan_buf__append(&w->packed, body.p, body.n, err));
        }
    }
    size_t size = head + body.n;
    if (size > INT32_MAX || w->packed.len > INT32_MAX)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "a page of column '%s' passes 2 GiB",
                                 w->leaf->path);
    header->set |= BIT(1) | BIT(2) | BIT(3);
    header->uncompressed_size = (int32_t)size;
    header->compressed_size = (int32_t)w->packed.len;
    if (!o->no_crc) {
        header->set |= BIT(4);
        header->crc = (int32_t)lochan_hash__crc32(w->packed.data, w->packed.len);
    }
    LOCHAN_TRY(lochan_thrift__write(to, &lochan_pq_page_header__type, header, err));
    w->uncompressed_size += (int64_t)(to->len - before) + (int64_t)size;
    return lochan_buf__append(to, w->packed.data, w->packed.len, err);
}

/* Levels as the hybrid; in pages of version 1 a length of four bytes stands before it. */
static lochan_status put_levels(lochan_buf *buf, const uint8_t *levels, size_t n, unsigned max,
                                bool length, lochan_error *err) {
    if (max == 0)
        return LOCHAN_OK;
    size_t at = buf->len;
    if (length)
        LOCHAN_TRY(lochan_buf__u32le(buf, 0, err));
    LOCHAN_TRY(lochan_rle__write8(buf, levels, n, lochan_bits__width(max), err));
    uint32_t size = (uint32_t)(buf->len - at - 4);
    for (int i = 0; length && i < 4; i++)
        buf->data[at + (size_t)i] = (uint8_t)(size >> 8 * i);
    return LOCHAN_OK;
}

static lochan_status put_keys(lochan_pq_column_writer *w, size_t n_values, lochan_error *err) {
    unsigned width = w->dictionary.n > 1 ? lochan_bits__width(w->dictionary.n - 1) : 0;
    LOCHAN_TRY(lochan_buf__putc(&w->raw, (char)width, err));
    return lochan_rle__write32(&w->raw, (const void *)w->keys.data, n_values, width, err);
}

/* Bytes of the first n waiting values. */
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

/* Values of four and eight bytes are looked up in blocks: comparing all of them is faster than
 * finding out which have been seen. */
static void stats_of_numbers(lochan_pq_column_writer *w, size_t n) {
    uint64_t block[512];
    const uint32_t *keys = (const void *)w->keys.data;
    const uint8_t *values = w->dictionary.values.data;
    for (size_t at = 0; at < n; at += LOCHAN_COUNTOF(block)) {
        size_t m = n - at < LOCHAN_COUNTOF(block) ? n - at : LOCHAN_COUNTOF(block);
        if (w->leaf->width == 8) {
            for (size_t i = 0; i < m; i++)
                memcpy(block + i, values + (size_t)keys[at + i] * 8, 8);
        } else {
            for (size_t i = 0; i < m; i++)
                memcpy((uint8_t *)block + 4 * i, values + (size_t)keys[at + i] * 4, 4);
        }
        lochan_pq_stats__add_fixed(&w->page_stats, (const uint8_t *)block, m);
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

/* Bytes of text in the first n waiting values. */
static int64_t text_bytes(const lochan_pq_column_writer *w, size_t n, size_t bytes) {
    int64_t total = 0;
    if (w->leaf->physical != LOCHAN_PQ_BYTE_ARRAY)
        return 0;
    if (!w->use_dictionary)
        return (int64_t)(bytes - 4 * n);
    for (size_t i = 0; i < n; i++)
        total += lochan_pq_dict_builder__entry(&w->dictionary,
                                               ((const uint32_t *)(const void *)w->keys.data)[i])
                     .n;
    return total;
}

static lochan_status gather_stats(lochan_pq_column_writer *w, size_t entries, size_t n,
                                  lochan_error *err) {
    lochan_pq_stats__clear(&w->page_stats);
    w->page_stats.nulls = (int64_t)(entries - n);
    if (w->options->no_statistics)
        return LOCHAN_OK;
    if (w->leaf->convert != LOCHAN_PQ_CONVERT_NULL) {
        if (w->use_dictionary && (w->leaf->width == 8 || w->leaf->width == 4))
            stats_of_numbers(w, n);
        else if (w->use_dictionary)
            LOCHAN_TRY(stats_of_keys(w, n, err));
        else if (w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY)
            stats_of_slices(w, n);
        else
            lochan_pq_stats__add_fixed(&w->page_stats, w->values.data, n);
    }
    lochan_pq_stats__merge(&w->stats, &w->page_stats);
    return LOCHAN_OK;
}

static void drop_front(lochan_pq_vec *v, size_t n) {
    if (n < v->len)
        memmove(v->data, v->data + n, v->len - n);
    v->len -= n;
}

static void count_levels(int64_t *histogram, const uint8_t *levels, size_t n, unsigned max) {
    size_t left = n;
    for (unsigned level = 0; level < max && left > 0; level++) {
        size_t found = lochan_bits__count_bytes(levels, n, (uint8_t)level);
        histogram[level] += (int64_t)found;
        left -= found;
    }
    histogram[max] += (int64_t)left;
}

/* Counts a page of the encoding. */
static void count_page(lochan_pq_column_writer *w) {
    if (w->use_dictionary) {
        w->key_pages++;
        return;
    }
    int i = 0;
    while (i < w->n_used && w->used[i].encoding != w->encoding)
        i++;
    if (i == w->n_used) {
        w->used[w->n_used].encoding = w->encoding;
        w->used[w->n_used++].pages = 0;
    }
    w->used[i].pages++;
}

/* The first `entries` entries leave the waiting line. */
static void take_entries(lochan_pq_column_writer *w, size_t entries, size_t rows, size_t n,
                         size_t bytes) {
    w->total_entries += (int64_t)entries;
    w->total_rows += (int64_t)rows;
    w->n_entries -= entries;
    w->n_values -= n;
    w->n_rows -= rows;
    if (w->leaf->max_def > 0) {
        count_levels(w->def_histogram, w->defs.data, entries, w->leaf->max_def);
        drop_front(&w->defs, entries);
    }
    if (w->leaf->max_rep > 0) {
        count_levels(w->rep_histogram, w->reps.data, entries, w->leaf->max_rep);
        drop_front(&w->reps, entries);
    }
    if (w->use_dictionary)
        drop_front(&w->keys, n * sizeof(uint32_t));
    else
        drop_front(&w->values, bytes);
}

static lochan_pq_page_header make_header(const lochan_pq_column_writer *w, size_t entries,
                                         size_t rows, size_t n, size_t rep_size) {
    int32_t encoding = w->use_dictionary ? LOCHAN_PQ_RLE_DICTIONARY : w->encoding;
    lochan_pq_page_header h = {.set = BIT(5), .type = LOCHAN_PQ_DATA_PAGE};
    if (!w->options->page_v2) {
        h.data = (lochan_pq_data_header){BIT(1) | BIT(2) | BIT(3) | BIT(4), (int32_t)entries,
                                         encoding, LOCHAN_PQ_RLE, LOCHAN_PQ_RLE};
        return h;
    }
    h.set = BIT(8);
    h.type = LOCHAN_PQ_DATA_PAGE_V2;
    h.data_v2 = (lochan_pq_data_header_v2){.set = 0xfe,
                                           .num_values = (int32_t)entries,
                                           .num_nulls = (int32_t)(entries - n),
                                           .num_rows = (int32_t)rows,
                                           .encoding = encoding,
                                           .rep_length = (int32_t)rep_size,
                                           .def_length = (int32_t)(w->levels.len - rep_size)};
    return h;
}

lochan_status lochan_pq_column_writer__data_page(lochan_pq_column_writer *w, size_t entries,
                                                 lochan_error *err) {
    const lochan_pq_leaf *leaf = w->leaf;
    size_t n = entries, rows = entries;
    if (leaf->max_def > 0)
        n = lochan_bits__count_bytes(w->defs.data, entries, leaf->max_def);
    if (leaf->max_rep > 0)
        rows = lochan_bits__count_bytes(w->reps.data, entries, 0);
    size_t bytes = w->use_dictionary ? 0 : values_size(w, n), before = w->pages.len;
    bool v2 = w->options->page_v2;
    lochan_buf *levels = v2 ? &w->levels : &w->raw;
    lochan_buf__clear(&w->raw);
    lochan_buf__clear(&w->levels);
    LOCHAN_TRY(gather_stats(w, entries, n, err));
    LOCHAN_TRY(put_levels(levels, w->reps.data, entries, leaf->max_rep, !v2, err));
    size_t rep_size = w->levels.len;
    LOCHAN_TRY(put_levels(levels, w->defs.data, entries, leaf->max_def, !v2, err));
    bool in_place = !w->use_dictionary && w->encoding == LOCHAN_PQ_PLAIN && w->raw.len == 0 &&
                    leaf->physical != LOCHAN_PQ_BOOLEAN && bytes > 0;
    if (w->use_dictionary)
        LOCHAN_TRY(put_keys(w, n, err));
    else if (!in_place) /* also for no values: some encodings have a head */
        LOCHAN_TRY(lochan_pq_encode(w->encoding, leaf, w->values.data, bytes, n, &w->raw, err));
    lochan_pq_page_header header = make_header(w, entries, rows, n, rep_size);
    page_body body = {w->raw.data, w->raw.len, w->use_dictionary ? w->options->level : w->level};
    if (in_place)
        body.p = w->values.data, body.n = bytes;
    LOCHAN_TRY(put_page(w, &header, body, &w->pages, err));
    lochan_pq_page_entry entry = {.offset = before,
                                  .size = (int32_t)(w->pages.len - before),
                                  .first_row = w->total_rows,
                                  .values = (int64_t)entries,
                                  .text_bytes = text_bytes(w, n, bytes)};
    w->text_bytes += entry.text_bytes;
    if (!w->options->no_page_index)
        LOCHAN_TRY(lochan_pq_page_index__add(&w->index, entry,
                                             w->options->no_statistics ? NULL : &w->page_stats,
                                             w->options->max_statistics_bytes, err));
    if (w->has_bloom && !w->use_dictionary)
        LOCHAN_TRY(lochan_pq_bloom__hash_plain(leaf, w->values.data, n, &w->hashes, err));
    count_page(w);
    take_entries(w, entries, rows, n, bytes);
    return LOCHAN_OK;
}

lochan_status lochan_pq_column_writer__dictionary_page(lochan_pq_column_writer *w,
                                                       lochan_error *err) {
    const lochan_buf *entries = &w->dictionary.values;
    page_body body = {entries->data, entries->len, w->options->level};
    lochan_buf__clear(&w->levels);
    lochan_pq_page_header header = {.set = BIT(7), .type = LOCHAN_PQ_DICTIONARY_PAGE};
    header.dictionary = (lochan_pq_dictionary_header){BIT(1) | BIT(2), (int32_t)w->dictionary.n,
                                                      LOCHAN_PQ_PLAIN, false};
    return put_page(w, &header, body, &w->dictionary_page, err);
}
