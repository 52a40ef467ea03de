/* column.c - see column.h.
 * Pages and rows; the values of a page are decoded by column_values.c. Flat columns take the short
 * way: their definition levels are the validity bits, and values are decoded straight into the
 * Arrow buffer. Nested ones read their levels through a window, since rows end inside pages. May
 * call: base/, arrow/, column_own.h, pages.h, out.h, dictionary.h, encodings.h.
 */
#include "parquet/column_own.h"
#include "parquet/bits.h"

enum { BLOCK = LOCHAN_PQ_COLUMN_BLOCK };

lochan_status lochan_pq_column__open(lochan_pq_column *c, lochan_pq_file *file,
                                     const lochan_pq_leaf *leaf,
                                     const lochan_pq_column_chunk *chunk, int row_group,
                                     int64_t rows, bool as_keys, size_t window, lochan_error *err) {
    memset(c, 0, sizeof *c);
    c->leaf = leaf;
    c->chunk = chunk;
    c->rows = rows;
    c->keep_levels = leaf->n_parts > 1 || leaf->max_rep > 0;
    c->as_keys = as_keys;
    /* under a budget, memory that others hold cannot be given up when it must */
    bool bounded = file->ctx.budget && file->ctx.budget->limit > 0;
    c->share =
        !as_keys && !bounded &&
        (leaf->type.id == LOCHAN_TYPE_STRING_VIEW || leaf->type.id == LOCHAN_TYPE_BINARY_VIEW);
    c->scratch.budget = c->made.budget = c->last.budget = file->ctx.budget;
    lochan_pq_out__init(&c->out, leaf, as_keys);
    if (c->keep_levels) {
        c->window = lochan_mem__alloc(2 * LOCHAN_PQ_LEVEL_WINDOW);
        if (!c->window)
            return lochan_error__nomem(err);
    }
    LOCHAN_TRY(lochan_pq_pages__init(&c->pages, file, leaf, chunk, row_group, window, err));
    c->pages.own_body = c->share;
    return LOCHAN_OK;
}

void lochan_pq_column__close(lochan_pq_column *c) {
    lochan_pq_pages__deinit(&c->pages);
    lochan_pq_dictionary__deinit(&c->dictionary);
    lochan_pq_out__free(&c->out);
    lochan_pq_vec__free(&c->defs);
    lochan_pq_vec__free(&c->reps);
    lochan_pq_vec__free(&c->extra);
    lochan_pq_vec__free(&c->extra_ends);
    lochan_pq_scratch__free(&c->scratch);
    lochan_pq_scratch__free(&c->made);
    lochan_pq_scratch__free(&c->last);
    lochan_buffer__unref(c->page_bytes);
    lochan_pq_places__free(&c->places);
    lochan_mem__free(c->window);
    memset(c, 0, sizeof *c);
}

void lochan_pq_column__clear(lochan_pq_column *c) {
    lochan_pq_out__free(&c->out);
    c->defs.len = c->reps.len = 0;
    if (c->page_left == 0 && c->window_at == c->window_n) /* nothing of the page is to come */
        lochan_pq_scratch__free(&c->pages.body);
    c->extra.len = c->extra_ends.len = 0;
}

size_t lochan_pq_column__held(const lochan_pq_column *c) {
    const lochan_pq_dictionary *d = &c->dictionary;
    return c->pages.window.cap + c->pages.body.cap + d->page.cap + d->values.cap + d->slices.cap +
           c->scratch.cap + c->made.cap + c->last.cap;
}

size_t lochan_pq_column__batch_bytes(const lochan_pq_column *c) {
    size_t keys = c->as_keys ? c->dictionary.page.cap + c->dictionary.slices.cap : 0;
    return c->out.validity.cap + c->out.values.cap + c->out.bytes.cap + c->defs.cap + c->reps.cap +
           c->extra.cap + c->extra_ends.cap + keys;
}

void lochan_pq_column__suspend(lochan_pq_column *c) {
    c->suspended = c->page_left > 0 || c->window_at < c->window_n;
    lochan_pq_pages__deinit(&c->pages);
    c->pages.window_size = 0;
    lochan_pq_dictionary__deinit(&c->dictionary);
    c->dictionary.loaded = false;
    lochan_pq_scratch__free(&c->scratch);
    lochan_pq_scratch__free(&c->made);
    lochan_pq_scratch__free(&c->last);
}

lochan_status lochan_pq_column__damaged(lochan_pq_column *c, const char *what, lochan_error *err) {
    return lochan_pq_pages__fail(&c->pages, &c->page, LOCHAN_ERR_CORRUPT, err, "%s", what);
}

/* ---- pages ---- */

static lochan_status begin_values(lochan_pq_column *c, lochan_error *err) {
    const lochan_pq_page *p = &c->page;
    c->page_has_keys =
        p->encoding == LOCHAN_PQ_PLAIN_DICTIONARY || p->encoding == LOCHAN_PQ_RLE_DICTIONARY;
    if (c->page_has_keys) {
        if (!c->dictionary.loaded)
            return lochan_pq_column__damaged(c, "a page of keys without a dictionary", err);
        if (p->values_size > 0 && p->values[0] > 32)
            return lochan_pq_column__damaged(c, "keys of more than 32 bits", err);
        lochan_rle__init(&c->keys, p->values + (p->values_size > 0),
                         p->values_size - (p->values_size > 0),
                         p->values_size > 0 ? p->values[0] : 0);
        return LOCHAN_OK;
    }
    c->values = (lochan_pq_values){.physical = c->leaf->physical,
                                   .width = c->leaf->width,
                                   .pos = p->values,
                                   .end = p->values + p->values_size,
                                   .count = p->num_values,
                                   .made = &c->made,
                                   .last = &c->last};
    c->values.ops = lochan_pq_decoding__find(p->encoding, c->leaf->physical);
    if (!c->values.ops)
        return lochan_pq_pages__fail(&c->pages, p, LOCHAN_ERR_UNSUPPORTED, err,
                                     "encoding %s (%d) of %s",
                                     lochan_pq_encoding__name(p->encoding), (int)p->encoding,
                                     lochan_pq_physical__name(c->leaf->physical));
    if (c->values.ops->begin && !c->values.ops->begin(&c->values))
        return lochan_pq_column__damaged(c, "the values of a page are damaged", err);
    return LOCHAN_OK;
}

static lochan_status load_dictionary(lochan_pq_column *c, lochan_pq_page *p, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_pages__load(&c->pages, p, err));
    return lochan_pq_dictionary__load(&c->dictionary, &c->pages, p, err);
}

lochan_status lochan_pq_column__note_dictionary(lochan_pq_column *c, const lochan_pq_page *p,
                                                lochan_error *err) {
    if (c->dictionary_page.end > 0)
        return lochan_pq_column__damaged(c, "a second dictionary page", err);
    c->dictionary_page = *p;
    return LOCHAN_OK;
}

/* A dictionary given up is fetched before the page that needs it, since both are decompressed into
 * the same memory. */
lochan_status lochan_pq_column__load_page(lochan_pq_column *c, lochan_error *err) {
    lochan_pq_page *p = &c->page;
    lochan_buffer__unref(c->page_bytes);
    c->page_bytes = NULL;
    if (p->header.type == LOCHAN_PQ_DICTIONARY_PAGE) {
        LOCHAN_TRY(lochan_pq_column__note_dictionary(c, p, err));
        return load_dictionary(c, p, err);
    }
    bool keys =
        p->encoding == LOCHAN_PQ_PLAIN_DICTIONARY || p->encoding == LOCHAN_PQ_RLE_DICTIONARY;
    if ((keys || c->as_keys) && !c->dictionary.loaded && c->dictionary_page.end > 0)
        LOCHAN_TRY(load_dictionary(c, &c->dictionary_page, err));
    LOCHAN_TRY(lochan_pq_pages__load(&c->pages, p, err));
    c->page_values = 0;
    lochan_pq_levels__begin(&c->def, c->leaf->max_def, p->def, p->def_size, p->def_packed);
    lochan_pq_levels__begin(&c->rep, c->leaf->max_rep, p->rep, p->rep_size, p->rep_packed);
    c->page_left = p->num_values;
    return begin_values(c, err);
}

lochan_status lochan_pq_column__load_dictionary(lochan_pq_column *c, bool *found,
                                                lochan_error *err) {
    lochan_pq_pages *pages = &c->pages;
    const lochan_pq_column_meta *meta = &c->chunk->meta;
    uint64_t pos = pages->pos;
    int64_t values_left = pages->values_left;
    size_t target = pages->window_target, size = (size_t)meta->data_page_offset - (size_t)pos;
    bool more;
    *found = c->dictionary.loaded;
    if (*found || c->row > 0 || c->page_left > 0 || !LOCHAN_PQ_HAS(meta, 11) ||
        meta->data_page_offset <= (int64_t)pos)
        return LOCHAN_OK;
    if (size < target) /* and no byte behind it */
        pages->window_target = size;
    lochan_status rc = lochan_pq_pages__next(pages, &c->page, &more, err);
    if (rc == LOCHAN_OK && more && c->page.header.type == LOCHAN_PQ_DICTIONARY_PAGE) {
        *found = true;
        rc = lochan_pq_column__load_page(c, err);
    } else {
        pages->pos = pos;
        pages->values_left = values_left;
    }
    pages->window_target = target;
    return rc;
}

/* Moves to the next data page with entries. *more = false at the end of the chunk. */
static lochan_status next_page(lochan_pq_column *c, bool *more, lochan_error *err) {
    for (;;) {
        LOCHAN_TRY(lochan_pq_pages__next(&c->pages, &c->page, more, err));
        if (!*more)
            return LOCHAN_OK;
        LOCHAN_TRY(lochan_pq_column__load_page(c, err));
        if (c->page.header.type != LOCHAN_PQ_DICTIONARY_PAGE && c->page_left > 0)
            return LOCHAN_OK;
    }
}

/* ---- rows ---- */

/* Loads the page again that was given up, and passes over what has been read of it. */
lochan_status lochan_pq_column__resume(lochan_pq_column *c, lochan_error *err) {
    uint32_t left = c->page_left, done = c->page.num_values - left, values = c->page_values;
    bool ok = true;
    if (!c->suspended)
        return LOCHAN_OK;
    lochan_status rc = lochan_pq_column__load_page(c, err);
    c->page_left = left;
    c->page_values = values;
    LOCHAN_TRY(rc);
    LOCHAN_TRY(lochan_pq_scratch__reserve(&c->scratch, BLOCK * (size_t)c->leaf->width, err));
    ok = lochan_pq_levels__skip(&c->def, done) && lochan_pq_levels__skip(&c->rep, done);
    if (ok && values > 0)
        ok = c->page_has_keys ? lochan_rle__skip(&c->keys, values)
                              : lochan_pq_column__skip_values(c, values);
    c->suspended = !ok;
    return ok ? LOCHAN_OK
              : lochan_pq_column__damaged(c, "a page reads differently the second time", err);
}

/* Claimed numbers of rows reserve at most this much at once; real rows grow past it. */
enum { RESERVE_ROWS = 1 << 22 };

/* The page at hand, not loaded yet, decompressed into the column where it is wanted whole and its
 * values are those of Arrow. */
static lochan_status read_direct(lochan_pq_column *c, int64_t rows, bool *done, lochan_error *err) {
    const lochan_pq_page *p = &c->page;
    size_t n = p->num_values;
    _Static_assert((int)LOCHAN_PQ_LEVELS <= (int)LOCHAN_PQ_LEAD, "levels fit before the values");
    *done = false;
    if (c->no_direct || c->leaf->convert != LOCHAN_PQ_CONVERT_SAME ||
        p->header.type == LOCHAN_PQ_DICTIONARY_PAGE || p->encoding != LOCHAN_PQ_PLAIN || n == 0 ||
        (int64_t)n > rows)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_out__reserve(&c->out, rows < RESERVE_ROWS ? rows : (int64_t)n, err));
    LOCHAN_TRY(lochan_pq_pages__load_values(&c->pages, p,
                                            lochan_pq_out__slot(&c->out, c->out.length),
                                            n * (size_t)c->leaf->width, done, &c->no_direct, err));
    if (!*done)
        return LOCHAN_OK;
    if (c->out.nullable)
        lochan_bits__fill(c->out.validity.data, c->out.length, (int64_t)n, true);
    lochan_pq_out__spread(&c->out, (int64_t)n, (int64_t)n);
    return LOCHAN_OK;
}

static lochan_status read_flat(lochan_pq_column *c, int64_t rows, lochan_error *err) {
    while (rows > 0) {
        bool more = true, done = false;
        if (c->page_left == 0) {
            LOCHAN_TRY(lochan_pq_pages__next(&c->pages, &c->page, &more, err));
            if (more)
                LOCHAN_TRY(read_direct(c, rows, &done, err));
            if (more && !done)
                LOCHAN_TRY(lochan_pq_column__load_page(c, err));
        }
        if (!more)
            return lochan_pq_pages__fail(&c->pages, NULL, LOCHAN_ERR_CORRUPT, err,
                                         "%lld rows are missing", (long long)rows);
        if (done) {
            rows -= c->page.num_values;
            continue;
        }
        int64_t n = rows < c->page_left ? rows : c->page_left;
        int64_t ahead = rows < RESERVE_ROWS ? rows : RESERVE_ROWS;
        size_t valid = (size_t)n;
        LOCHAN_TRY(lochan_pq_out__reserve(&c->out, n > ahead ? n : ahead, err));
        if (c->leaf->max_def > 0 &&
            !lochan_pq_levels__read_bits(&c->def, c->out.validity.data, c->out.length, (uint32_t)n,
                                         &valid))
            return lochan_pq_column__damaged(
                c, "the definition levels of a page are damaged or too few", err);
        LOCHAN_TRY(lochan_pq_column__decode(c, (int64_t)valid, err));
        lochan_pq_out__spread(&c->out, n, (int64_t)valid);
        c->page_left -= (uint32_t)n;
        rows -= n;
    }
    return LOCHAN_OK;
}

lochan_status lochan_pq_column__fill_window(lochan_pq_column *c, bool *more, lochan_error *err) {
    *more = true;
    if (c->page_left == 0)
        LOCHAN_TRY(next_page(c, more, err));
    if (!*more)
        return LOCHAN_OK;
    uint32_t n = c->page_left < LOCHAN_PQ_LEVEL_WINDOW ? c->page_left : LOCHAN_PQ_LEVEL_WINDOW;
    if (!lochan_pq_levels__read(&c->def, c->window, n) ||
        !lochan_pq_levels__read(&c->rep, c->window + LOCHAN_PQ_LEVEL_WINDOW, n))
        return lochan_pq_column__damaged(c, "the levels of a page are damaged or too few", err);
    c->page_left -= n;
    c->window_at = 0;
    c->window_n = n;
    return LOCHAN_OK;
}

/* Validity bits, from bit `at` on, of the entries that are slots: returns how many, *valid of them
 * with a value. Without branches, since nulls come as they like. */
static int64_t slot_bits(const uint8_t *def, uint32_t n, uint8_t slot_def, uint8_t max_def,
                         uint8_t *bits, int64_t at, int64_t *valid) {
    uint8_t *byte = bits + (at >> 3);
    unsigned fill = at & 7, acc = fill ? *byte & ((1u << fill) - 1) : 0;
    uint32_t slots = 0, ones = 0;
    for (uint32_t i = 0; i < n; i++) {
        unsigned one = def[i] == max_def, is_slot = def[i] >= slot_def;
        acc |= one << fill;
        fill += is_slot;
        slots += is_slot;
        ones += one;
        if (fill == 8) {
            *byte++ = (uint8_t)acc;
            fill = acc = 0;
        }
    }
    if (fill > 0)
        *byte = (uint8_t)acc;
    *valid = ones;
    return slots;
}

/* Adds n entries of the window: levels to defs and reps, slots and values to out. */
static lochan_status add_entries(lochan_pq_column *c, uint32_t n, lochan_error *err) {
    const uint8_t *def = c->window + c->window_at, *rep = def + LOCHAN_PQ_LEVEL_WINDOW;
    uint8_t max_def = c->leaf->max_def, slot_def = c->leaf->slot_def;
    LOCHAN_TRY(lochan_pq_out__grow(&c->out, &c->defs, n, err));
    memcpy(c->defs.data + c->defs.len, def, n);
    c->defs.len += n;
    if (c->leaf->max_rep > 0) {
        LOCHAN_TRY(lochan_pq_out__grow(&c->out, &c->reps, n, err));
        memcpy(c->reps.data + c->reps.len, rep, n);
        c->reps.len += n;
    }
    LOCHAN_TRY(lochan_pq_out__reserve(&c->out, n, err));
    int64_t slots = n, valid = n;
    if (max_def > 0)
        slots = slot_bits(def, n, slot_def, max_def, c->out.validity.data, c->out.length, &valid);
    LOCHAN_TRY(lochan_pq_column__decode(c, valid, err));
    lochan_pq_out__spread(&c->out, slots, valid);
    c->window_at += n;
    return LOCHAN_OK;
}

/* With the window at its end: whether a row ends there too, without a look at what follows. */
bool lochan_pq_column__ends_with_row(const lochan_pq_column *c) {
    return c->leaf->max_rep == 0 || (c->page_left == 0 && c->places.n > 0);
}

static lochan_status read_nested(lochan_pq_column *c, int64_t rows, lochan_error *err) {
    int64_t done = 0; /* rows begun; the last one ends where the next begins */
    for (;;) {
        if (c->window_at == c->window_n) {
            bool more;
            if (done == rows && lochan_pq_column__ends_with_row(c))
                return LOCHAN_OK;
            LOCHAN_TRY(lochan_pq_column__fill_window(c, &more, err));
            if (!more) {
                c->window_at = c->window_n = 0;
                if (done == rows)
                    return LOCHAN_OK;
                return lochan_pq_pages__fail(&c->pages, NULL, LOCHAN_ERR_CORRUPT, err,
                                             "%lld rows are missing", (long long)(rows - done));
            }
        }
        const uint8_t *rep = c->window + LOCHAN_PQ_LEVEL_WINDOW + c->window_at;
        uint32_t left = c->window_n - c->window_at, n = 0;
        while (n < left && (rep[n] != 0 || done < rows)) {
            done += rep[n] == 0;
            if (done == 0)
                return lochan_pq_column__damaged(c, "its first row begins inside a list", err);
            n++;
        }
        if (n > 0)
            LOCHAN_TRY(add_entries(c, n, err));
        if (n < left)
            return LOCHAN_OK;
    }
}

lochan_status lochan_pq_column__read_rows(lochan_pq_column *c, int64_t rows, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_column__resume(c, err));
    LOCHAN_TRY(c->keep_levels ? read_nested(c, rows, err) : read_flat(c, rows, err));
    c->row += rows;
    return LOCHAN_OK;
}

lochan_status lochan_pq_column__read(lochan_pq_column *c, int64_t rows, lochan_error *err) {
    if (rows == 0)
        return lochan_pq_out__reserve(&c->out, 0, err);
    if (c->keep_levels && c->out.length == 0)
        LOCHAN_TRY(lochan_pq_out__reserve(&c->out, rows < RESERVE_ROWS ? rows : RESERVE_ROWS, err));
    c->asked = rows;
    c->few = false;
    return lochan_pq_column__read_rows(c, rows, err);
}
