/* page_index.c - see page_index.h. May call: base/, metadata.h, statistics.h. */
#include "parquet/page_index.h"

#define BIT LOCHAN_THRIFT_BIT

void lochan_pq_page_index__init(lochan_pq_page_index *x) {
    *x = (lochan_pq_page_index){0};
    lochan_buf__init(&x->bounds, UINT32_MAX);
}

void lochan_pq_page_index__deinit(lochan_pq_page_index *x) {
    lochan_buf__deinit(&x->bounds);
    lochan_mem__free(x->entries);
    x->entries = NULL;
    x->n = x->cap = 0;
}

void lochan_pq_page_index__clear(lochan_pq_page_index *x) {
    lochan_buf__clear(&x->bounds);
    x->n = 0;
}

static lochan_status add_bound(lochan_pq_page_index *x, lochan_str s, uint32_t *at, uint32_t *n,
                               lochan_error *err) {
    *at = (uint32_t)x->bounds.len;
    *n = (uint32_t)s.n;
    return s.n ? lochan_buf__append(&x->bounds, s.p, s.n, err) : LOCHAN_OK;
}

lochan_status lochan_pq_page_index__add(lochan_pq_page_index *x, lochan_pq_page_entry entry,
                                        const lochan_pq_stats *stats, int32_t max_bytes,
                                        lochan_error *err) {
    lochan_pq_statistics cut = {0};
    lochan_arena arena;
    lochan_status rc = LOCHAN_OK;
    if (x->n == x->cap) {
        size_t cap = x->cap ? x->cap * 2 : 8;
        lochan_pq_page_entry *entries = lochan_mem__realloc(x->entries, cap * sizeof *entries);
        if (!entries)
            return lochan_error__nomem(err);
        x->entries = entries;
        x->cap = cap;
    }
    lochan_arena__init(&arena, 0);
    if (stats) {
        LOCHAN_TRYG(lochan_pq_stats__finish(stats, max_bytes, &arena, &cut, err));
        entry.nulls = stats->nulls;
        entry.nans = stats->nans;
        entry.has = LOCHAN_PQ_HAS(&cut, 5) && LOCHAN_PQ_HAS(&cut, 6);
    }
    if (entry.has) {
        LOCHAN_TRYG(add_bound(x, cut.min, &entry.min_at, &entry.min_n, err));
        LOCHAN_TRYG(add_bound(x, cut.max, &entry.max_at, &entry.max_n, err));
    }
    x->entries[x->n++] = entry;
done:
    lochan_arena__deinit(&arena);
    return rc;
}

static lochan_str bound(const lochan_pq_page_index *x, uint32_t at, uint32_t n) {
    return (lochan_str){n ? (const char *)x->bounds.data + at : "", n};
}

static bool is_null_page(const lochan_pq_page_entry *e) {
    return e->nulls == e->values;
}

/* Pages without bounds that hold more than nulls make the column index useless. */
static bool has_bounds(const lochan_pq_page_index *x) {
    for (size_t i = 0; i < x->n; i++) {
        if (!x->entries[i].has && !is_null_page(&x->entries[i]))
            return false;
    }
    return x->n > 0;
}

/* 0 unordered, 1 ascending, 2 descending, over pages that have bounds. */
static int32_t order_of(const lochan_pq_page_index *x, const lochan_pq_leaf *leaf) {
    bool up = true, down = true;
    const lochan_pq_page_entry *before = NULL;
    for (size_t i = 0; i < x->n; i++) {
        const lochan_pq_page_entry *e = &x->entries[i];
        if (!e->has)
            continue;
        if (before) {
            int min = lochan_pq_stats__compare(leaf, bound(x, before->min_at, before->min_n),
                                               bound(x, e->min_at, e->min_n));
            int max = lochan_pq_stats__compare(leaf, bound(x, before->max_at, before->max_n),
                                               bound(x, e->max_at, e->max_n));
            up = up && min <= 0 && max <= 0;
            down = down && min >= 0 && max >= 0;
        }
        before = e;
    }
    return up ? 1 : down ? 2 : 0;
}

static lochan_status put_columns(const lochan_pq_page_index *x, const lochan_pq_leaf *leaf,
                                 lochan_arena *arena, lochan_buf *out, lochan_error *err) {
    uint32_t n = (uint32_t)x->n;
    bool *null_pages = lochan_arena__array(arena, n, sizeof *null_pages);
    lochan_str *mins = lochan_arena__array(arena, n, sizeof *mins),
               *maxs = lochan_arena__array(arena, n, sizeof *maxs);
    int64_t *nulls = lochan_arena__array(arena, n, sizeof *nulls),
            *nans = lochan_arena__array(arena, n, sizeof *nans);
    if (!null_pages || !mins || !maxs || !nulls || !nans)
        return lochan_error__nomem(err);
    for (uint32_t i = 0; i < n; i++) {
        const lochan_pq_page_entry *e = &x->entries[i];
        null_pages[i] = is_null_page(e);
        mins[i] = e->has ? bound(x, e->min_at, e->min_n) : (lochan_str){"", 0};
        maxs[i] = e->has ? bound(x, e->max_at, e->max_n) : (lochan_str){"", 0};
        nulls[i] = e->nulls;
        nans[i] = e->nans;
    }
    lochan_pq_column_index index = {.set = BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(5),
                                    .order = order_of(x, leaf)};
    index.null_pages = (lochan_thrift_list){null_pages, n};
    index.mins = (lochan_thrift_list){mins, n};
    index.maxs = (lochan_thrift_list){maxs, n};
    index.null_counts = (lochan_thrift_list){nulls, n};
    if (leaf->order == LOCHAN_PQ_ORDER_FLOAT) {
        index.set |= BIT(8);
        index.nan_counts = (lochan_thrift_list){nans, n};
    }
    return lochan_thrift__write(out, &lochan_pq_column_index__type, &index, err);
}

static lochan_status put_offsets(const lochan_pq_page_index *x, const lochan_pq_leaf *leaf,
                                 int64_t offset, lochan_arena *arena, lochan_buf *out,
                                 lochan_error *err) {
    uint32_t n = (uint32_t)x->n;
    lochan_pq_page_location *pages = lochan_arena__array(arena, n + 1, sizeof *pages);
    int64_t *bytes = lochan_arena__array(arena, n + 1, sizeof *bytes);
    if (!pages || !bytes)
        return lochan_error__nomem(err);
    for (uint32_t i = 0; i < n; i++) {
        const lochan_pq_page_entry *e = &x->entries[i];
        pages[i] = (lochan_pq_page_location){BIT(1) | BIT(2) | BIT(3), offset + (int64_t)e->offset,
                                             e->size, e->first_row};
        bytes[i] = e->text_bytes;
    }
    lochan_pq_offset_index index = {.set = BIT(1), .pages = {pages, n}};
    if (leaf->physical == LOCHAN_PQ_BYTE_ARRAY) {
        index.set |= BIT(2);
        index.unencoded_bytes = (lochan_thrift_list){bytes, n};
    }
    return lochan_thrift__write(out, &lochan_pq_offset_index__type, &index, err);
}

lochan_status lochan_pq_page_index__finish(const lochan_pq_page_index *x,
                                           const lochan_pq_leaf *leaf, int64_t offset,
                                           lochan_buf *columns, lochan_buf *offsets,
                                           lochan_error *err) {
    lochan_arena arena;
    lochan_status rc = LOCHAN_OK;
    lochan_arena__init(&arena, 0);
    if (has_bounds(x))
        LOCHAN_TRYG(put_columns(x, leaf, &arena, columns, err));
    LOCHAN_TRYG(put_offsets(x, leaf, offset, &arena, offsets, err));
done:
    lochan_arena__deinit(&arena);
    return rc;
}
