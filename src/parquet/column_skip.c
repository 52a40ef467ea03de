/* column_skip.c - passing over rows of a column, and reading single ones: whole pages by the offset
 * index or by their headers, the rest by their levels. May call: base/, column_own.h, pages.h,
 * places.h, encodings.h.
 */
#include "parquet/column_own.h"

enum { BLOCK = LOCHAN_PQ_COLUMN_BLOCK };

/* Goes from row *at, where a page begins, on to the page that holds row `to`, or to the end of the
 * chunk, past pages that are neither read nor looked at. */
static lochan_status jump(lochan_pq_column *c, int64_t *at, int64_t to, lochan_error *err) {
    const lochan_pq_page_location *places;
    uint32_t low = 0, high, n;
    if (to >= c->rows) {
        lochan_pq_pages__finish(&c->pages);
        *at = c->rows;
        return LOCHAN_OK;
    }
    if (!c->places.asked)
        LOCHAN_TRY(lochan_pq_places__load(&c->places, &c->pages, c->chunk, c->rows, err));
    places = c->places.items;
    high = n = c->places.n;
    while (low + 1 < high) { /* places[low].first_row <= to */
        uint32_t middle = low + (high - low) / 2;
        if (places[middle].first_row <= to)
            low = middle;
        else
            high = middle;
    }
    if (n == 0 || places[low].first_row <= *at)
        return LOCHAN_OK;
    if (c->dictionary_page.end == 0 && c->pages.pos < (uint64_t)places[0].offset) {
        bool more;
        LOCHAN_TRY(lochan_pq_pages__next(&c->pages, &c->page, &more, err));
        if (more && c->page.header.type == LOCHAN_PQ_DICTIONARY_PAGE)
            LOCHAN_TRY(lochan_pq_column__note_dictionary(c, &c->page, err));
    }
    lochan_pq_pages__jump(&c->pages, &places[low],
                          (low + 1 < n ? places[low + 1].first_row : c->rows) -
                              places[low].first_row);
    *at = places[low].first_row;
    return LOCHAN_OK;
}

/* Rows of the page at hand, as its header tells; -1: it does not. */
static int64_t rows_of_page(const lochan_pq_column *c) {
    if (c->leaf->max_rep == 0)
        return c->page.num_values;
    return c->page.header.type == LOCHAN_PQ_DATA_PAGE_V2 ? c->page.header.data_v2.num_rows : -1;
}

/* Passes over whole pages by their headers from row *at, where one begins, on; loads the one that
 * holds row `to`. */
static lochan_status walk_pages(lochan_pq_column *c, int64_t *at, int64_t to, lochan_error *err) {
    while (c->page_left == 0 && *at < to) {
        bool more;
        LOCHAN_TRY(lochan_pq_pages__next(&c->pages, &c->page, &more, err));
        if (!more)
            return lochan_pq_pages__fail(&c->pages, NULL, LOCHAN_ERR_CORRUPT, err,
                                         "%lld rows are missing", (long long)(to - *at));
        int64_t rows = rows_of_page(c);
        if (c->page.header.type == LOCHAN_PQ_DICTIONARY_PAGE)
            LOCHAN_TRY(lochan_pq_column__note_dictionary(c, &c->page, err));
        else if (rows >= 0 && rows <= to - *at)
            *at += rows;
        else
            LOCHAN_TRY(lochan_pq_column__load_page(c, err));
    }
    return LOCHAN_OK;
}

/* Passes over n values of a page without keys. Those that lie at known places cost nothing. */
bool lochan_pq_column__skip_values(lochan_pq_column *c, size_t n) {
    lochan_pq_values *v = &c->values;
    lochan_pq_slice slices[BLOCK];
    uint8_t bits[BLOCK / 8];
    if (v->physical != LOCHAN_PQ_BYTE_ARRAY && v->physical != LOCHAN_PQ_BOOLEAN) {
        size_t width = (size_t)v->width, count = (size_t)(v->end - v->pos) / width;
        if (v->ops == &lochan_pq_decoding__plain) {
            v->pos += n <= count ? n * width : 0;
            return n <= count;
        }
        if (v->ops == &lochan_pq_decoding__split) {
            bool ok = n <= count - v->index;
            v->index += ok ? n : 0;
            return ok;
        }
    }
    while (n > 0) {
        size_t m = n < BLOCK ? n : BLOCK;
        if (v->physical == LOCHAN_PQ_BYTE_ARRAY)
            m = v->ops->bytes(v, m, slices);
        else if (v->physical == LOCHAN_PQ_BOOLEAN)
            m = v->ops->bits(v, m, bits, 0) ? m : 0;
        else
            m = v->ops->fixed(v, m, c->scratch.data) ? m : 0;
        if (m == 0)
            return false;
        n -= m;
    }
    return true;
}

/* Passes over rows of the page at hand. */
static lochan_status skip_in_page(lochan_pq_column *c, uint32_t n, lochan_error *err) {
    size_t valid = n, width = (size_t)c->leaf->width;
    if (n == c->page_left) { /* nothing of the page is needed any more */
        c->page_left = 0;
        c->suspended = false;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_pq_column__resume(c, err));
    LOCHAN_TRY(lochan_pq_scratch__reserve(&c->scratch, BLOCK * width + n / 8 + 1, err));
    if (c->leaf->max_def > 0 &&
        !lochan_pq_levels__read_bits(&c->def, c->scratch.data, 0, n, &valid))
        return lochan_pq_column__damaged(
            c, "the definition levels of a page are damaged or too few", err);
    c->page_left -= n;
    if (valid == 0 || c->leaf->convert == LOCHAN_PQ_CONVERT_NULL)
        return LOCHAN_OK;
    c->page_values += (uint32_t)valid;
    bool ok = c->page_has_keys ? lochan_rle__skip(&c->keys, valid)
                               : lochan_pq_column__skip_values(c, valid);
    return ok ? LOCHAN_OK
              : lochan_pq_column__damaged(c, "the values of a page are damaged or too few", err);
}

static lochan_status skip_pages(lochan_pq_column *c, int64_t *at, int64_t to, lochan_error *err) {
    enum { HEADERS = 4096 }; /* read at a time where pages are not wanted */
    size_t window = c->pages.window_target;
    LOCHAN_TRY(jump(c, at, to, err));
    c->pages.window_target = window < HEADERS ? window : HEADERS;
    lochan_status rc = walk_pages(c, at, to, err);
    c->pages.window_target = window;
    return rc;
}

static lochan_status skip_flat(lochan_pq_column *c, int64_t at, int64_t to, lochan_error *err) {
    while (at < to) {
        if (c->page_left == 0)
            LOCHAN_TRY(skip_pages(c, &at, to, err));
        uint32_t n = to - at < c->page_left ? (uint32_t)(to - at) : c->page_left;
        if (n > 0)
            LOCHAN_TRY(skip_in_page(c, n, err));
        at += n;
    }
    return LOCHAN_OK;
}

/* Passes over n entries of the window. */
static lochan_status skip_entries(lochan_pq_column *c, uint32_t n, lochan_error *err) {
    const uint8_t *def = c->window + c->window_at;
    uint32_t valid = 0;
    for (uint32_t i = 0; i < n; i++)
        valid += def[i] == c->leaf->max_def;
    c->window_at += n;
    if (valid == 0 || c->leaf->convert == LOCHAN_PQ_CONVERT_NULL)
        return LOCHAN_OK;
    c->page_values += valid;
    LOCHAN_TRY(lochan_pq_scratch__reserve(&c->scratch, BLOCK * (size_t)c->leaf->width, err));
    bool ok = c->page_has_keys ? lochan_rle__skip(&c->keys, valid)
                               : lochan_pq_column__skip_values(c, valid);
    return ok ? LOCHAN_OK
              : lochan_pq_column__damaged(c, "the values of a page are damaged or too few", err);
}

/* As read_nested, whose rows end where the next begins. */
static lochan_status skip_nested(lochan_pq_column *c, int64_t at, int64_t to, lochan_error *err) {
    bool begun = false;  /* a row whose end has not been seen */
    if (to >= c->rows) { /* nothing of the chunk is needed any more */
        lochan_pq_pages__finish(&c->pages);
        c->page_left = c->window_at = c->window_n = 0;
        c->suspended = false;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_pq_column__resume(c, err));
    for (;;) {
        if (c->window_at == c->window_n) {
            bool more;
            begun = begun && !lochan_pq_column__ends_with_row(c) &&
                    c->page.header.type != LOCHAN_PQ_DATA_PAGE_V2; /* those end with a row */
            if (at == to && !begun)
                return LOCHAN_OK;
            if (c->page_left == 0 && !begun)
                LOCHAN_TRY(skip_pages(c, &at, to, err));
            if (at == to && !begun)
                return LOCHAN_OK;
            LOCHAN_TRY(lochan_pq_column__fill_window(c, &more, err));
            if (!more) {
                c->window_at = c->window_n = 0;
                if (at == to)
                    return LOCHAN_OK;
                return lochan_pq_pages__fail(&c->pages, NULL, LOCHAN_ERR_CORRUPT, err,
                                             "%lld rows are missing", (long long)(to - at));
            }
        }
        const uint8_t *rep = c->window + LOCHAN_PQ_LEVEL_WINDOW + c->window_at;
        uint32_t left = c->window_n - c->window_at, n = 0;
        while (n < left && (rep[n] != 0 || at < to)) {
            at += rep[n] == 0;
            begun = begun || rep[n] == 0;
            if (!begun)
                return lochan_pq_column__damaged(c, "a row begins inside a list", err);
            n++;
        }
        LOCHAN_TRY(skip_entries(c, n, err));
        if (n < left)
            return LOCHAN_OK;
    }
}

lochan_status lochan_pq_column__skip(lochan_pq_column *c, int64_t rows, lochan_error *err) {
    if (rows == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(c->keep_levels ? skip_nested(c, c->row, c->row + rows, err)
                              : skip_flat(c, c->row, c->row + rows, err));
    c->row += rows;
    return LOCHAN_OK;
}

/* First row from `at` on whose bit is `on`; `rows` if there is none. */
static int64_t find_bit(const uint8_t *bits, int64_t at, int64_t rows, bool on) {
    uint8_t dull = on ? 0 : 0xff; /* a byte without it */
    uint64_t eight, dull_eight = on ? 0 : UINT64_MAX;
    while (at < rows) {
        bool far = (at & 7) == 0 && rows - at >= 64;
        if (far)
            memcpy(&eight, bits + (at >> 3), 8);
        if (far && eight == dull_eight)
            at += 64;
        else if ((at & 7) == 0 && bits[at >> 3] == dull)
            at += 8;
        else if (((bits[at >> 3] >> (at & 7)) & 1) == on)
            return at;
        else
            at++;
    }
    return rows;
}

lochan_status lochan_pq_column__read_selected(lochan_pq_column *c, const uint8_t *bits,
                                              int64_t rows, int64_t kept, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_out__reserve(&c->out, kept, err));
    c->few = true;
    for (int64_t at = 0; at < rows;) {
        int64_t begin = find_bit(bits, at, rows, true), end = find_bit(bits, begin, rows, false);
        LOCHAN_TRY(lochan_pq_column__skip(c, begin - at, err));
        if (end > begin)
            LOCHAN_TRY(lochan_pq_column__read_rows(c, end - begin, err));
        at = end;
    }
    return LOCHAN_OK;
}
