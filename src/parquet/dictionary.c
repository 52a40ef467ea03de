/* dictionary.c - see dictionary.h. Repeated runs are filled, packed runs are unpacked in blocks
 * that stay in cache and gathered with the width as a constant. May call: base/, out.h, convert.h.
 */
#include "parquet/dictionary.h"
#include "parquet/convert.h"

void lochan_pq_dictionary__deinit(lochan_pq_dictionary *d) {
    lochan_pq_scratch__free(&d->page);
    lochan_pq_scratch__free(&d->values);
    lochan_pq_scratch__free(&d->slices);
    lochan_buffer__unref(d->bytes);
    lochan_shared__unref(d->array);
    d->bytes = NULL;
    d->array = NULL;
    d->n = 0;
    d->packed = d->too_long = false;
}

lochan_status lochan_pq_dictionary__share(lochan_pq_dictionary *d, lochan_error *err) {
    const lochan_pq_slice *slices = (const void *)d->slices.data;
    if (d->bytes)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_scratch__reserve(&d->values, (size_t)d->n * 16, err));
    d->bytes = lochan_pq_scratch__detach(&d->page);
    if (!d->bytes)
        return lochan_error__nomem(err);
    for (uint32_t i = 0; i < d->n; i++)
        lochan_pq_view__write(d->values.data + (size_t)i * 16, &slices[i], 0,
                              (uint32_t)(slices[i].p - d->bytes->data));
    return LOCHAN_OK;
}

static lochan_status load_slices(lochan_pq_dictionary *d, const lochan_pq_pages *pages,
                                 const lochan_pq_page *page, lochan_error *err) {
    lochan_pq_values v = {.physical = LOCHAN_PQ_BYTE_ARRAY};
    const lochan_pq_leaf *leaf = pages->leaf;
    LOCHAN_TRY(lochan_pq_scratch__reserve(&d->page, page->values_size, err));
    memcpy(d->page.data, page->values, page->values_size);
    v.pos = d->page.data;
    v.end = v.pos + page->values_size;
    LOCHAN_TRY(lochan_pq_scratch__reserve(&d->slices, d->n * sizeof(lochan_pq_slice), err));
    lochan_pq_slice *slices = (void *)d->slices.data;
    if (d->n > 0 && !lochan_pq_decoding__plain.bytes(&v, d->n, slices))
        return lochan_pq_pages__fail(pages, page, LOCHAN_ERR_CORRUPT, err,
                                     "the dictionary is cut off");
    if (lochan_pq_leaf__is_text(leaf) && !lochan_pq_slices__utf8(slices, d->n))
        return lochan_pq_pages__fail(pages, page, LOCHAN_ERR_CORRUPT, err,
                                     "the dictionary holds invalid UTF-8");
    if (leaf->convert != LOCHAN_PQ_CONVERT_DECIMAL)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_scratch__reserve(&d->values, d->n * (size_t)leaf->out_width, err));
    if (!lochan_pq_convert__read_slices(leaf, slices, d->n, d->values.data))
        return lochan_pq_pages__fail(pages, page, LOCHAN_ERR_CORRUPT, err,
                                     "a dictionary value does not fit its type");
    return LOCHAN_OK;
}

lochan_status lochan_pq_dictionary__load(lochan_pq_dictionary *d, const lochan_pq_pages *pages,
                                         const lochan_pq_page *page, lochan_error *err) {
    const lochan_pq_leaf *leaf = pages->leaf;
    size_t width = leaf->physical == LOCHAN_PQ_BYTE_ARRAY ? 4 : (size_t)leaf->width;
    if (d->loaded)
        return lochan_pq_pages__fail(pages, page, LOCHAN_ERR_CORRUPT, err,
                                     "a second dictionary page");
    if ((page->encoding != LOCHAN_PQ_PLAIN && page->encoding != LOCHAN_PQ_PLAIN_DICTIONARY) ||
        width == 0)
        return lochan_pq_pages__fail(
            pages, page, LOCHAN_ERR_UNSUPPORTED, err, "a dictionary encoded as %s of %s",
            lochan_pq_encoding__name(page->encoding), lochan_pq_physical__name(leaf->physical));
    if (page->num_values > page->values_size / width)
        return lochan_pq_pages__fail(pages, page, LOCHAN_ERR_CORRUPT, err,
                                     "a dictionary of %u values in %zu bytes", page->num_values,
                                     page->values_size);
    d->n = page->num_values;
    d->loaded = true;
    d->page.budget = d->values.budget = d->slices.budget = pages->file->ctx.budget;
    if (leaf->physical == LOCHAN_PQ_BYTE_ARRAY)
        return load_slices(d, pages, page, err);
    LOCHAN_TRY(lochan_pq_scratch__reserve(&d->values, d->n * (size_t)leaf->out_width, err));
    if (leaf->convert != LOCHAN_PQ_CONVERT_NULL &&
        !lochan_pq_convert__read(leaf, page->values, d->n, d->values.data))
        return lochan_pq_pages__fail(pages, page, LOCHAN_ERR_CORRUPT, err, "%s",
                                     lochan_pq_convert__misfit(leaf));
    return LOCHAN_OK;
}

enum { BLOCK = 512 };

static inline uint32_t largest(const uint32_t *keys, size_t n) {
    uint32_t max = 0;
    for (size_t i = 0; i < n; i++)
        max = keys[i] > max ? keys[i] : max;
    return max;
}

#define GATHER(W)                                                                                  \
    static void gather_##W(const uint8_t *from, const uint32_t *keys, size_t n, uint8_t *dst) {    \
        for (size_t i = 0; i < n; i++)                                                             \
            memcpy(dst + i * (W), from + (size_t)keys[i] * (W), (W));                              \
    }                                                                                              \
    static void fill_##W(const uint8_t *value, size_t n, uint8_t *dst) {                           \
        uint8_t v[(W)];                                                                            \
        memcpy(v, value, (W));                                                                     \
        for (size_t i = 0; i < n; i++)                                                             \
            memcpy(dst + i * (W), v, (W));                                                         \
    }
GATHER(1)
GATHER(2)
GATHER(4)
GATHER(8)
GATHER(16)

static void gather(const uint8_t *from, const uint32_t *keys, size_t n, size_t width,
                   uint8_t *dst) {
    switch (width) {
    case 1:
        gather_1(from, keys, n, dst);
        break;
    case 2:
        gather_2(from, keys, n, dst);
        break;
    case 4:
        gather_4(from, keys, n, dst);
        break;
    case 8:
        gather_8(from, keys, n, dst);
        break;
    case 16:
        gather_16(from, keys, n, dst);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            memcpy(dst + i * width, from + keys[i] * width, width);
    }
}

static void fill(const uint8_t *value, size_t n, size_t width, uint8_t *dst) {
    switch (width) {
    case 4:
        fill_4(value, n, dst);
        break;
    case 8:
        fill_8(value, n, dst);
        break;
    case 1:
        fill_1(value, n, dst);
        break;
    case 2:
        fill_2(value, n, dst);
        break;
    case 16:
        fill_16(value, n, dst);
        break;
    default:
        for (size_t i = 0; i < n; i++)
            memcpy(dst + i * width, value, width);
    }
}

bool lochan_pq_dictionary__gather(const lochan_pq_dictionary *d, lochan_rle *keys, size_t n,
                                  int32_t width, uint8_t *dst) {
    uint32_t block[BLOCK];
    size_t w = (size_t)width;
    while (n > 0) {
        lochan_rle_span span;
        if (!lochan_rle__next(keys, n < UINT32_MAX ? (uint32_t)n : UINT32_MAX, &span))
            return false;
        n -= span.n;
        if (!span.packed) {
            if (span.value >= d->n)
                return false;
            fill(d->values.data + span.value * w, span.n, w, dst);
            dst += span.n * w;
            continue;
        }
        for (uint32_t at = 0; at < span.n; at += BLOCK) {
            uint32_t m = span.n - at < BLOCK ? span.n - at : BLOCK;
            lochan_rle_span__unpack(&span, keys->width, at, m, block);
            if (largest(block, m) >= d->n)
                return false;
            gather(d->values.data, block, m, w, dst);
            dst += m * w;
        }
    }
    return true;
}

bool lochan_pq_dictionary__gather_slices(const lochan_pq_dictionary *d, lochan_rle *keys, size_t n,
                                         lochan_pq_slice *dst) {
    uint32_t block[BLOCK];
    const lochan_pq_slice *slices = (const void *)d->slices.data;
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        if (!lochan_pq_dictionary__keys(d, keys, m, block))
            return false;
        for (size_t i = 0; i < m; i++)
            dst[at + i] = slices[block[i]];
    }
    return true;
}

bool lochan_pq_dictionary__keys(const lochan_pq_dictionary *d, lochan_rle *keys, size_t n,
                                uint32_t *dst) {
    return lochan_rle__read32(keys, dst, n) && (n == 0 || largest(dst, n) < d->n);
}

/* ---- short texts ---- */

/* An entry with its length is one load. */
enum { SHORT_TEXT = 16 };

static lochan_status pack_entries(lochan_pq_dictionary *d, lochan_error *err) {
    const lochan_pq_slice *slices = (const void *)d->slices.data;
    for (uint32_t i = 0; i < d->n && !d->too_long; i++)
        d->too_long = slices[i].n >= SHORT_TEXT;
    if (d->too_long)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_scratch__reserve(&d->values, (size_t)d->n * SHORT_TEXT, err));
    for (uint32_t i = 0; i < d->n; i++) {
        uint8_t *entry = d->values.data + (size_t)i * SHORT_TEXT;
        memset(entry, 0, SHORT_TEXT);
        memcpy(entry, slices[i].p, slices[i].n);
        entry[SHORT_TEXT - 1] = (uint8_t)slices[i].n;
    }
    d->packed = true;
    return LOCHAN_OK;
}

lochan_status lochan_pq_dictionary__append_short(lochan_pq_dictionary *d, lochan_rle *keys,
                                                 lochan_pq_out *out, size_t n, bool *done,
                                                 bool *damaged, lochan_error *err) {
    uint32_t block[BLOCK];
    *damaged = false;
    if (!d->packed && !d->too_long)
        LOCHAN_TRY(pack_entries(d, err));
    *done = d->packed && n * SHORT_TEXT < (size_t)INT32_MAX - out->bytes.len;
    if (!*done)
        return LOCHAN_OK;
    int32_t *offset = (int32_t *)(void *)out->values.data + out->length + 1;
    for (size_t at = 0; at < n; at += BLOCK) {
        size_t m = n - at < BLOCK ? n - at : BLOCK;
        if (!lochan_pq_dictionary__keys(d, keys, m, block)) {
            *damaged = true;
            return LOCHAN_OK;
        }
        LOCHAN_TRY(lochan_pq_out__grow(out, &out->bytes, m * SHORT_TEXT, err));
        uint8_t *dst = out->bytes.data + out->bytes.len;
        const uint8_t *begin = dst;
        int32_t end = (int32_t)out->bytes.len;
        for (size_t i = 0; i < m; i++) {
            const uint8_t *entry = d->values.data + (size_t)block[i] * SHORT_TEXT;
            memcpy(dst, entry, SHORT_TEXT);
            dst += entry[SHORT_TEXT - 1];
            end += entry[SHORT_TEXT - 1];
            offset[at + i] = end;
        }
        out->bytes.len += (size_t)(dst - begin);
    }
    return LOCHAN_OK;
}
