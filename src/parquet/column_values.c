/* column_values.c - the values of the page at hand, densely, from slot out.length of a column on:
 * straight from their encoding, by their dictionary, converted, or shown where they lie.
 * Invariant: a page that has too few values, or values that do not fit their type, is refused. May
 * call: base/, arrow/, column_own.h, pages.h, out.h, dictionary.h, encodings.h, convert.h.
 */
#include "parquet/column_own.h"
#include "parquet/convert.h"

enum { BLOCK = LOCHAN_PQ_COLUMN_BLOCK };

static lochan_status bad_keys(lochan_pq_column *c, lochan_error *err) {
    return lochan_pq_pages__fail(
        &c->pages, &c->page, LOCHAN_ERR_CORRUPT, err,
        "the keys of a page are damaged, too few, or lie past the %u values of the dictionary",
        c->dictionary.n);
}

/* At least one and at most n; 0: damaged. */
static size_t next_slices(lochan_pq_column *c, size_t n, lochan_pq_slice *slices) {
    if (c->page_has_keys)
        return lochan_pq_dictionary__gather_slices(&c->dictionary, &c->keys, n, slices) ? n : 0;
    return c->values.ops->bytes(&c->values, n, slices);
}

/* Texts of a page without keys become entries of their own, after those of the dictionary. */
static lochan_status add_extra(lochan_pq_column *c, const lochan_pq_slice *slices, size_t n,
                               int64_t at, lochan_error *err) {
    size_t total = 0, count = c->extra_ends.len / sizeof(int64_t);
    for (size_t i = 0; i < n; i++)
        total += slices[i].n;
    if (c->dictionary.n + count + n > INT32_MAX)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "a dictionary of more than 2^31 values");
    LOCHAN_TRY(lochan_pq_out__grow(&c->out, &c->extra, total, err));
    LOCHAN_TRY(lochan_pq_out__grow(&c->out, &c->extra_ends, n * sizeof(int64_t), err));
    for (size_t i = 0; i < n; i++) {
        memcpy(c->extra.data + c->extra.len, slices[i].p, slices[i].n);
        c->extra.len += slices[i].n;
        int64_t end = (int64_t)c->extra.len;
        memcpy(c->extra_ends.data + c->extra_ends.len, &end, sizeof end);
        c->extra_ends.len += sizeof end;
        uint32_t key = c->dictionary.n + (uint32_t)(count + i);
        memcpy(lochan_pq_out__slot(&c->out, c->out.length + at + (int64_t)i), &key, 4);
    }
    return LOCHAN_OK;
}

/* Room for the texts of a batch at once, if the dictionary's are anything to go by: growing copies.
 */
static lochan_status reserve_texts(lochan_pq_column *c, lochan_error *err) {
    enum { MOST = 4 << 20 };
    const lochan_pq_slice *all = (const void *)c->dictionary.slices.data;
    uint32_t n = c->dictionary.n;
    if (!c->page_has_keys || n == 0 || c->out.bytes.len > 0)
        return LOCHAN_OK;
    double mean = (double)(all[n - 1].p + all[n - 1].n - all[0].p) / (double)n;
    double want = mean * (double)c->asked;
    return lochan_pq_out__grow(&c->out, &c->out.bytes, want < MOST ? (size_t)want : MOST, err);
}

/* The page's memory as a buffer that views may show, NULL if its texts are better copied: they are
 * put together elsewhere, or so short that views hold most of them. */
static lochan_status shared_page(lochan_pq_column *c, lochan_buffer **out, lochan_error *err) {
    enum { STORED_LENGTH = 4, INLINE = 12 };
    const lochan_pq_page *p = &c->page;
    *out = NULL;
    if (!c->share || c->few || c->page_has_keys ||
        c->values.ops == &lochan_pq_decoding__delta_bytes ||
        p->values_size / (STORED_LENGTH + INLINE) < p->num_values)
        return LOCHAN_OK;
    if (!c->page_bytes)
        c->page_bytes = lochan_pq_scratch__detach(&c->pages.body);
    *out = c->page_bytes;
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

/* Views of a dictionary that is shown instead of copied. *done = false: not possible here. */
static lochan_status decode_dictionary_views(lochan_pq_column *c, int64_t n, bool *done,
                                             lochan_error *err) {
    uint32_t number;
    *done = false;
    if (!c->share || c->few || !c->page_has_keys || (c->out.n_shown > 0 && !c->dictionary.bytes))
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_dictionary__share(&c->dictionary, err));
    if (c->out.n_shown > 0 && c->out.shown[0] != c->dictionary.bytes)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_out__show(&c->out, c->dictionary.bytes, &number, err));
    *done = true;
    return lochan_pq_dictionary__gather(&c->dictionary, &c->keys, (size_t)n, 16,
                                        lochan_pq_out__slot(&c->out, c->out.length))
               ? LOCHAN_OK
               : bad_keys(c, err);
}

static lochan_status decode_bytes(lochan_pq_column *c, int64_t n, lochan_error *err) {
    lochan_pq_slice slices[BLOCK];
    lochan_buffer *page;
    bool done;
    if (c->as_keys && c->page_has_keys) {
        uint32_t *keys = (void *)lochan_pq_out__slot(&c->out, c->out.length);
        return lochan_pq_dictionary__keys(&c->dictionary, &c->keys, (size_t)n, keys)
                   ? LOCHAN_OK
                   : bad_keys(c, err);
    }
    LOCHAN_TRY(decode_dictionary_views(c, n, &done, err));
    if (done)
        return LOCHAN_OK;
    LOCHAN_TRY(shared_page(c, &page, err));
    LOCHAN_TRY(reserve_texts(c, err));
    if (c->page_has_keys && c->out.kind == LOCHAN_PQ_OUT_STRING) {
        bool bad;
        LOCHAN_TRY(lochan_pq_dictionary__append_short(&c->dictionary, &c->keys, &c->out, (size_t)n,
                                                      &done, &bad, err));
        if (bad)
            return bad_keys(c, err);
        if (done)
            return LOCHAN_OK;
    }
    for (int64_t at = 0; at < n;) {
        size_t m = next_slices(c, n - at < BLOCK ? (size_t)(n - at) : BLOCK, slices);
        if (m == 0 && c->page_has_keys)
            return bad_keys(c, err);
        if (m == 0)
            return lochan_pq_column__damaged(c, "the values of a page are damaged or too few", err);
        if (!c->page_has_keys && lochan_pq_leaf__is_text(c->leaf) &&
            !lochan_pq_slices__utf8(slices, m))
            return lochan_pq_column__damaged(c, "a text is not valid UTF-8", err);
        if (c->as_keys)
            LOCHAN_TRY(add_extra(c, slices, m, at, err));
        else if (page)
            LOCHAN_TRY(lochan_pq_out__show_slices(&c->out, at, slices, m, page, err));
        else
            LOCHAN_TRY(lochan_pq_out__add_slices(&c->out, at, slices, m, err));
        at += (int64_t)m;
    }
    return LOCHAN_OK;
}

/* Fixed-width values whose physical form is not the Arrow form. */
static lochan_status decode_converted(lochan_pq_column *c, int64_t n, lochan_error *err) {
    lochan_pq_slice slices[BLOCK];
    size_t width = (size_t)c->leaf->width;
    LOCHAN_TRY(lochan_pq_scratch__reserve(&c->scratch, BLOCK * width, err));
    for (int64_t at = 0; at < n;) {
        size_t m = n - at < BLOCK ? (size_t)(n - at) : BLOCK;
        uint8_t *dst = lochan_pq_out__slot(&c->out, c->out.length + at);
        bool fits;
        if (c->leaf->physical == LOCHAN_PQ_BYTE_ARRAY) {
            m = c->values.ops->bytes(&c->values, m, slices);
            if (m == 0)
                return lochan_pq_column__damaged(c, "the values of a page are damaged or too few",
                                                 err);
            fits = lochan_pq_convert__read_slices(c->leaf, slices, m, dst);
        } else {
            if (!c->values.ops->fixed(&c->values, m, c->scratch.data))
                return lochan_pq_column__damaged(c, "the values of a page are damaged or too few",
                                                 err);
            fits = lochan_pq_convert__read(c->leaf, c->scratch.data, m, dst);
        }
        if (!fits)
            return lochan_pq_column__damaged(c, lochan_pq_convert__misfit(c->leaf), err);
        at += (int64_t)m;
    }
    return LOCHAN_OK;
}

lochan_status lochan_pq_column__decode(lochan_pq_column *c, int64_t n, lochan_error *err) {
    bool ok;
    if (n == 0)
        return LOCHAN_OK;
    c->page_values += (uint32_t)n;
    switch (c->leaf->convert) {
    case LOCHAN_PQ_CONVERT_NULL:
        return lochan_pq_column__damaged(c, "a value in a column of nulls", err);
    case LOCHAN_PQ_CONVERT_BYTES:
        return decode_bytes(c, n, err);
    case LOCHAN_PQ_CONVERT_BOOL:
        ok = !c->page_has_keys &&
             c->values.ops->bits(&c->values, (size_t)n, c->out.values.data, c->out.length);
        break;
    default: {
        uint8_t *dst = lochan_pq_out__slot(&c->out, c->out.length);
        if (c->page_has_keys)
            ok = lochan_pq_dictionary__gather(&c->dictionary, &c->keys, (size_t)n,
                                              c->leaf->out_width, dst);
        else if (c->leaf->convert == LOCHAN_PQ_CONVERT_SAME)
            ok = c->values.ops->fixed(&c->values, (size_t)n, dst);
        else
            return decode_converted(c, n, err);
    }
    }
    if (!ok && c->page_has_keys)
        return bad_keys(c, err);
    return ok ? LOCHAN_OK
              : lochan_pq_column__damaged(c, "the values of a page are damaged or too few", err);
}
