/* verify_leaf.c - one leaf of one row group against its statistics, page index and Bloom filter.
 * The entries are read in order and counted into the pages that their headers announce, so each is
 * held against its own page's bounds. Invariant: what the file does wrong is a finding; only what
 * keeps us from looking is an error. May call: base/, arrow/, reader_own.h, pages.h.
 */
#include "arrow/view.h"
#include "base/hash.h"
#include "parquet/bloom.h"
#include "parquet/convert.h"
#include "parquet/pages.h"
#include "parquet/verify_own.h"

enum { BATCH_ROWS = 16384, HEADER_WINDOW = 1 << 16, READ_WINDOW = 1 << 18, MAX_INDEX = 64 << 20 };

/* A data page as its header has it. */
typedef struct page_fact {
    uint64_t offset, size;
    uint32_t entries;
} page_fact;

typedef struct bounds {
    lochan_str min, max; /* p NULL: none */
    bool max_cut;        /* the greatest value may begin with it and go on */
} bounds;

typedef struct leaf_walk {
    lochan_pq_reader *reader;
    int row_group;
    const lochan_pq_leaf *leaf;
    const lochan_pq_column_chunk *chunk;
    lochan_pq_leaf_check *check;
    lochan_arena arena;
    page_fact *facts;
    size_t n_facts, cap_facts;
    lochan_pq_column_index columns;
    lochan_pq_offset_index offsets;
    bool has_columns, has_offsets, comparable;
    uint8_t *bits; /* of the Bloom filter */
    uint32_t n_bits;
    bounds of_chunk, of_page;
    size_t page;  /* that the next entry belongs to */
    uint32_t at;  /* entries of it seen */
    int64_t rows; /* begun */
    int64_t nulls, nans, page_nulls, page_nans;
    lochan_pq_scratch physical;
} leaf_walk;

static bool is_bad(const lochan_error *finding) {
    return finding->code != LOCHAN_OK;
}

/* ---- what the file says ---- */

static lochan_status list_pages(leaf_walk *w, lochan_error *err) {
    lochan_pq_pages pages;
    lochan_pq_page page;
    bool more = true;
    lochan_status rc = lochan_pq_pages__init(&pages, &w->reader->file, w->leaf, w->chunk,
                                             w->row_group, HEADER_WINDOW, err);
    while (rc == LOCHAN_OK) {
        rc = lochan_pq_pages__next(&pages, &page, &more, err);
        if (rc != LOCHAN_OK || !more)
            break;
        w->check->pages++;
        w->check->without_crc += !LOCHAN_PQ_HAS(&page.header, 4);
        if (page.header.type == LOCHAN_PQ_DICTIONARY_PAGE)
            continue;
        page_fact *facts = lochan_mem__grow(w->facts, w->n_facts, &w->cap_facts, sizeof *facts);
        if (!facts) {
            rc = lochan_error__nomem(err);
            break;
        }
        w->facts = facts;
        facts[w->n_facts++] = (page_fact){page.offset, page.end - page.offset, page.num_values};
    }
    lochan_pq_pages__deinit(&pages);
    return rc;
}

static lochan_status read_struct(leaf_walk *w, int64_t offset, int32_t length,
                                 const lochan_thrift_type *type, void *out, lochan_error *err) {
    uint64_t size = w->reader->file.source.size;
    if (offset < 0 || length <= 0 || length > MAX_INDEX || (uint64_t)offset > size ||
        (uint64_t)length > size - (uint64_t)offset)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "the page index lies at %lld, %d bytes, outside the file",
                                 (long long)offset, (int)length);
    uint8_t *bytes = lochan_arena__alloc(&w->arena, (size_t)length);
    if (!bytes)
        return lochan_error__nomem(err);
    LOCHAN_TRY(
        lochan_pq_file__read(&w->reader->file, (uint64_t)offset, (size_t)length, bytes, err));
    lochan_cursor cursor = {bytes, bytes + length};
    return lochan_thrift__read(&cursor, bytes, type, &w->arena, out, err);
}

/* Keeps what is the file's fault, passes on the rest. */
static lochan_status note(lochan_status rc, lochan_error *seen, lochan_error *finding,
                          lochan_error *err) {
    if (rc == LOCHAN_OK)
        return LOCHAN_OK;
    if (lochan_pq_verify__is_ours(rc)) {
        if (err)
            *err = *seen;
        return rc;
    }
    *finding = *seen;
    finding->code = rc;
    return LOCHAN_OK;
}

static lochan_status load_index(leaf_walk *w, lochan_error *err) {
    const lochan_pq_column_chunk *c = w->chunk;
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = LOCHAN_OK;
    bool offsets = LOCHAN_PQ_HAS(c, 4) && LOCHAN_PQ_HAS(c, 5);
    bool columns = LOCHAN_PQ_HAS(c, 6) && LOCHAN_PQ_HAS(c, 7);
    if (offsets)
        rc = read_struct(w, c->offset_index_offset, c->offset_index_length,
                         &lochan_pq_offset_index__type, &w->offsets, &seen);
    w->has_offsets = offsets && rc == LOCHAN_OK;
    if (columns && rc == LOCHAN_OK)
        rc = read_struct(w, c->column_index_offset, c->column_index_length,
                         &lochan_pq_column_index__type, &w->columns, &seen);
    w->has_columns = columns && rc == LOCHAN_OK;
    return note(rc, &seen, &w->check->index, err);
}

/* The places of pages; and whether both indexes speak of as many pages as there are. */
static void check_places(leaf_walk *w) {
    const lochan_pq_page_location *place = w->offsets.pages.items;
    const lochan_pq_column_index *x = &w->columns;
    lochan_error *finding = &w->check->index;
    size_t n = w->n_facts;
    if (w->has_offsets && w->offsets.pages.n != n)
        (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                "the offset index tells of %u pages, the column has %zu",
                                w->offsets.pages.n, n);
    for (size_t i = 0; w->has_offsets && !is_bad(finding) && i < n; i++) {
        if (place[i].offset != (int64_t)w->facts[i].offset ||
            place[i].compressed_size != (int64_t)w->facts[i].size)
            (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                    "page %zu lies at %llu, %llu bytes; the offset index says "
                                    "%lld, %d",
                                    i, (unsigned long long)w->facts[i].offset,
                                    (unsigned long long)w->facts[i].size,
                                    (long long)place[i].offset, (int)place[i].compressed_size);
    }
    if (w->has_columns && !is_bad(finding) &&
        (x->null_pages.n != n || x->mins.n != n || x->maxs.n != n ||
         (LOCHAN_PQ_HAS(x, 5) && x->null_counts.n != n) ||
         (LOCHAN_PQ_HAS(x, 8) && x->nan_counts.n != n)))
        (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                "the column index does not tell of %zu pages, as the column has",
                                n);
    w->has_offsets = w->has_offsets && !is_bad(finding);
    w->has_columns = w->has_columns && !is_bad(finding);
}

static lochan_status load_bloom(leaf_walk *w, lochan_error *err) {
    lochan_pq_bloom bloom;
    lochan_error seen;
    bool found = false;
    lochan_error_init(&seen);
    if (!LOCHAN_PQ_HAS(&w->chunk->meta, 14) || !lochan_pq_bloom__fits(w->leaf))
        return LOCHAN_OK;
    lochan_status rc =
        lochan_pq_bloom__find(&w->reader->file, &w->chunk->meta, &bloom, &found, &seen);
    if (rc == LOCHAN_OK && !found)
        rc = lochan_error__set(&seen, LOCHAN_ERR_CORRUPT, "its Bloom filter cannot be read");
    if (rc == LOCHAN_OK) {
        w->bits = lochan_mem__alloc(bloom.size);
        if (!w->bits)
            return lochan_error__nomem(err);
        w->n_bits = bloom.size;
        rc = lochan_pq_file__read(&w->reader->file, bloom.bits, bloom.size, w->bits, &seen);
    }
    return note(rc, &seen, &w->check->bloom, err);
}

static void load_statistics(leaf_walk *w) {
    const lochan_pq_column_meta *meta = &w->chunk->meta;
    const lochan_pq_statistics *s = &meta->statistics;
    if (LOCHAN_PQ_HAS(meta, 12) &&
        lochan_pq_stats__bounds(w->leaf, s, &w->of_chunk.min, &w->of_chunk.max))
        w->of_chunk.max_cut =
            w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY && !(LOCHAN_PQ_HAS(s, 7) && s->max_exact);
}

/* ---- page by page ---- */

/* Bounds of the page that begins. */
static void begin_page(leaf_walk *w) {
    lochan_error *finding = &w->check->index;
    w->page_nulls = w->page_nans = 0;
    w->of_page = (bounds){0};
    const lochan_pq_page_location *place = w->offsets.pages.items;
    if (w->has_offsets && !is_bad(finding) && place[w->page].first_row != w->rows)
        (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                "page %zu begins at row %lld; the offset index says %lld", w->page,
                                (long long)w->rows, (long long)place[w->page].first_row);
    if (!w->has_columns || ((const bool *)w->columns.null_pages.items)[w->page])
        return;
    lochan_pq_statistics in = {.set = LOCHAN_THRIFT_BIT(5) | LOCHAN_THRIFT_BIT(6)};
    in.min = ((const lochan_str *)w->columns.mins.items)[w->page];
    in.max = ((const lochan_str *)w->columns.maxs.items)[w->page];
    w->of_page.max_cut = w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY;
    if (w->leaf->order != LOCHAN_PQ_ORDER_NONE && !is_bad(finding) &&
        !lochan_pq_stats__bounds(w->leaf, &in, &w->of_page.min, &w->of_page.max))
        (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                "the bounds of page %zu in the column index are none", w->page);
}

static void end_page(leaf_walk *w) {
    const lochan_pq_column_index *x = &w->columns;
    lochan_error *finding = &w->check->index;
    if (!w->has_columns || is_bad(finding))
        return;
    bool all = ((const bool *)x->null_pages.items)[w->page];
    int64_t nulls = LOCHAN_PQ_HAS(x, 5) ? ((const int64_t *)x->null_counts.items)[w->page] : -1;
    int64_t nans = LOCHAN_PQ_HAS(x, 8) ? ((const int64_t *)x->nan_counts.items)[w->page] : -1;
    if (all && w->page_nulls != w->facts[w->page].entries)
        (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                "page %zu holds values; the column index says that it has none",
                                w->page);
    else if (nulls >= 0 && nulls != w->page_nulls)
        (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                "page %zu has %lld nulls; the column index says %lld", w->page,
                                (long long)w->page_nulls, (long long)nulls);
    else if (nans >= 0 && lochan_type__is_float(w->leaf->type.id) && nans != w->page_nans)
        (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                "page %zu has %lld NaN; the column index says %lld", w->page,
                                (long long)w->page_nans, (long long)nans);
}

static bool outside(const lochan_pq_leaf *leaf, const bounds *b, lochan_str x) {
    if (b->min.p && lochan_pq_stats__compare(leaf, x, b->min) < 0)
        return true;
    if (!b->max.p || lochan_pq_stats__compare(leaf, x, b->max) <= 0)
        return false;
    return !(b->max_cut && x.n >= b->max.n && memcmp(x.p, b->max.p, b->max.n) == 0);
}

static void check_value(leaf_walk *w, lochan_str x) {
    lochan_pq_leaf_check *c = w->check;
    long long row = (long long)w->rows - 1;
    if (!is_bad(&c->statistics) && outside(w->leaf, &w->of_chunk, x))
        (void)lochan_error__set(
            &c->statistics, LOCHAN_ERR_CORRUPT,
            "row %lld of the row group lies outside the bounds in its statistics", row);
    if (!is_bad(&c->index) && outside(w->leaf, &w->of_page, x))
        (void)lochan_error__set(&c->index, LOCHAN_ERR_CORRUPT,
                                "row %lld of the row group lies outside the bounds of page %zu in "
                                "the column index",
                                row, w->page);
    if (w->bits && !is_bad(&c->bloom) &&
        !lochan_pq_bloom__says(w->bits, w->n_bits, lochan_hash__xxh64(x.p, x.n, 0)))
        (void)lochan_error__set(&c->bloom, LOCHAN_ERR_CORRUPT,
                                "the Bloom filter denies row %lld of the row group, in page %zu",
                                row, w->page);
}

/* Slots of a batch in the form they have in pages. */
static lochan_status make_physical(leaf_walk *w, const struct ArrowArray *a, lochan_error *err) {
    const lochan_pq_leaf *leaf = w->leaf;
    size_t n = (size_t)a->length, bad;
    if (!w->comparable || leaf->width == 0 || n == 0)
        return LOCHAN_OK;
    w->physical.budget = w->reader->file.ctx.budget;
    LOCHAN_TRY(lochan_pq_scratch__reserve(&w->physical, n * (size_t)leaf->width, err));
    if (!lochan_pq_convert__write(leaf, a->buffers[1], n, w->physical.data, &bad))
        return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "a value that was read is none");
    return LOCHAN_OK;
}

static lochan_str value_at(const leaf_walk *w, const lochan_view *view, int64_t i,
                           uint8_t *boolean) {
    if (w->leaf->width > 0)
        return (lochan_str){(const char *)w->physical.data + (size_t)i * (size_t)w->leaf->width,
                            (size_t)w->leaf->width};
    if (w->leaf->physical == LOCHAN_PQ_BYTE_ARRAY)
        return lochan_view__bytes(view, i);
    *boolean = lochan_view__int64(view, i) != 0;
    return (lochan_str){(const char *)boolean, 1};
}

/* The entries of a batch; the slots of the leaf's array are among them. */
static void add_entries(leaf_walk *w, const lochan_pq_column *c, const lochan_view *view,
                        int64_t slots) {
    const uint8_t *def = c->keep_levels ? c->defs.data : NULL;
    const uint8_t *rep = c->keep_levels && w->leaf->max_rep > 0 ? c->reps.data : NULL;
    int64_t n = def ? (int64_t)c->defs.len : slots, slot = 0;
    bool is_float = lochan_type__is_float(w->leaf->type.id);
    for (int64_t e = 0; e < n; e++) {
        uint8_t boolean;
        while (w->page < w->n_facts && w->at == w->facts[w->page].entries) {
            end_page(w);
            w->page++;
            w->at = 0;
            if (w->page < w->n_facts)
                begin_page(w);
        }
        if (w->page == w->n_facts)
            return; /* reading has told of it */
        w->at++;
        w->rows += !rep || rep[e] == 0;
        bool is_slot = !def || def[e] >= w->leaf->slot_def;
        int64_t i = slot;
        slot += is_slot;
        bool null = def ? def[e] < w->leaf->max_def : lochan_view__is_null(view, i);
        if (null || i >= slots) {
            w->nulls++;
            w->page_nulls++;
            continue;
        }
        if (is_float && lochan_view__double(view, i) != lochan_view__double(view, i)) {
            w->nans++;
            w->page_nans++;
        }
        if (w->comparable)
            check_value(w, value_at(w, view, i, &boolean));
    }
}

static lochan_status read_batch(leaf_walk *w, lochan_pq_column *c, const struct ArrowSchema *field,
                                int64_t rows, lochan_error *err) {
    struct ArrowArray a = {0};
    lochan_view view = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_pq_column__read(c, rows, err));
    int64_t slots = c->out.length;
    LOCHAN_TRYG(lochan_pq_out__finish(&c->out, &a, err));
    LOCHAN_TRYG(lochan_view__init(&view, field, &a, err));
    LOCHAN_TRYG(make_physical(w, &a, err));
    add_entries(w, c, &view, slots);
    lochan_pq_column__clear(c);
done:
    lochan_view__deinit(&view);
    lochan_array__release(&a);
    return rc;
}

static lochan_status read_all(leaf_walk *w, lochan_error *err) {
    lochan_pq_column c = {0};
    struct ArrowSchema field = {0};
    int64_t left = lochan_pq_reader__group(w->reader, w->row_group)->num_rows;
    lochan_status rc;
    LOCHAN_TRYG(lochan_schema__set_field(&field, "", &w->leaf->type, true, err));
    LOCHAN_TRYG(lochan_pq_column__open(&c, &w->reader->file, w->leaf, w->chunk, w->row_group, left,
                                       false, READ_WINDOW, err));
    if (w->n_facts > 0)
        begin_page(w);
    for (int64_t n; left > 0; left -= n) {
        n = left < BATCH_ROWS ? left : BATCH_ROWS;
        LOCHAN_TRYG(lochan_cancel__check(w->reader->file.ctx.cancel, err));
        LOCHAN_TRYG(read_batch(w, &c, &field, n, err));
        w->check->rows += n;
    }
    if (w->page < w->n_facts)
        end_page(w);
done:
    lochan_pq_column__close(&c);
    lochan_schema__release(&field);
    return rc;
}

static void check_counts(leaf_walk *w) {
    const lochan_pq_column_meta *meta = &w->chunk->meta;
    const lochan_pq_statistics *s = &meta->statistics;
    lochan_error *finding = &w->check->statistics;
    if (!LOCHAN_PQ_HAS(meta, 12) || is_bad(finding))
        return;
    if (LOCHAN_PQ_HAS(s, 3) && s->null_count != w->nulls)
        (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                "the column has %lld nulls, its statistics say %lld",
                                (long long)w->nulls, (long long)s->null_count);
    else if (LOCHAN_PQ_HAS(s, 9) && lochan_type__is_float(w->leaf->type.id) &&
             s->nan_count != w->nans)
        (void)lochan_error__set(finding, LOCHAN_ERR_CORRUPT,
                                "the column has %lld NaN, its statistics say %lld",
                                (long long)w->nans, (long long)s->nan_count);
}

lochan_status lochan_pq_verify__leaf(lochan_pq_reader *reader, int row_group, int leaf,
                                     lochan_pq_leaf_check *out, lochan_error *err) {
    lochan_error seen;
    leaf_walk w = {.reader = reader,
                   .row_group = row_group,
                   .leaf = &reader->schema.leaves[leaf],
                   .chunk = lochan_pq_reader__chunk(reader, row_group, leaf),
                   .check = out};
    lochan_error_init(&seen);
    lochan_arena__init(&w.arena, MAX_INDEX);
    /* decimals in byte arrays come in any width and have no one form to hash or to compare */
    w.comparable =
        w.leaf->convert != LOCHAN_PQ_CONVERT_NULL && w.leaf->physical != LOCHAN_PQ_INT96 &&
        (w.leaf->convert != LOCHAN_PQ_CONVERT_DECIMAL || w.leaf->physical != LOCHAN_PQ_BYTE_ARRAY);
    lochan_status rc = list_pages(&w, &seen);
    if (rc == LOCHAN_OK) {
        load_statistics(&w);
        LOCHAN_TRYG(load_index(&w, err));
        check_places(&w);
        LOCHAN_TRYG(load_bloom(&w, err));
        rc = read_all(&w, &seen);
    }
    if (rc == LOCHAN_OK)
        check_counts(&w);
    rc = note(rc, &seen, &out->damage, err);
done:
    lochan_arena__deinit(&w.arena);
    lochan_pq_scratch__free(&w.physical);
    lochan_mem__free(w.facts);
    lochan_mem__free(w.bits);
    return rc;
}
