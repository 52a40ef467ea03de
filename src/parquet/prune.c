/* prune.c - see prune.h. The pages of the predicate's columns end at different rows; between two
 * ends lies a stretch in which every column shows one page, so the predicate is asked once per
 * stretch. May call: base/, arrow/, the rest of parquet/.
 */
#include "parquet/prune.h"

enum { MAX_INDEX_BYTES = 16 << 20, MAX_STRETCHES = 1 << 20 };

typedef struct page_stats {
    const lochan_pq_leaf *leaf;
    lochan_pq_column_index index;
    lochan_pq_offset_index offsets;
    uint32_t at; /* page that the stretch lies in */
} page_stats;

typedef struct pruner {
    lochan_pq_reader *reader;
    int row_group;
    int64_t rows;
    lochan_arena arena;
    page_stats *columns;
    size_t n;
} pruner;

static lochan_status read_struct(pruner *p, int64_t offset, int32_t length,
                                 const lochan_thrift_type *type, void *out, lochan_error *err) {
    if (offset < 0 || length <= 0 || length > MAX_INDEX_BYTES)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "a page index of %d bytes", (int)length);
    uint8_t *bytes = lochan_arena__alloc(&p->arena, (size_t)length);
    if (!bytes)
        return lochan_error__nomem(err);
    LOCHAN_TRY(
        lochan_pq_file__read(&p->reader->file, (uint64_t)offset, (size_t)length, bytes, err));
    lochan_cursor cursor = {bytes, bytes + length};
    return lochan_thrift__read(&cursor, bytes, type, &p->arena, out, err);
}

/* Whether both indexes speak of the same pages, in ascending rows. */
static bool consistent(const page_stats *s, int64_t rows) {
    const lochan_pq_column_index *x = &s->index;
    const lochan_pq_page_location *pages = s->offsets.pages.items;
    uint32_t n = s->offsets.pages.n;
    if (n == 0 || x->null_pages.n != n || x->mins.n != n || x->maxs.n != n ||
        (LOCHAN_PQ_HAS(x, 5) && x->null_counts.n != n) ||
        (LOCHAN_PQ_HAS(x, 8) && x->nan_counts.n != n) || pages[0].first_row != 0)
        return false;
    for (uint32_t i = 1; i < n; i++) {
        if (pages[i].first_row <= pages[i - 1].first_row)
            return false;
    }
    return pages[n - 1].first_row < rows;
}

/* Loads the index of a column; *has = false if there is none worth using. A damaged one is passed
 * over: it could only have saved work. */
static lochan_status load(pruner *p, int leaf, page_stats *out, bool *has, lochan_error *err) {
    *has = false;
    const lochan_pq_column_chunk *chunk = lochan_pq_reader__chunk(p->reader, p->row_group, leaf);
    *out = (page_stats){.leaf = &p->reader->schema.leaves[leaf]};
    if (!LOCHAN_PQ_HAS(chunk, 4) || !LOCHAN_PQ_HAS(chunk, 5) || !LOCHAN_PQ_HAS(chunk, 6) ||
        !LOCHAN_PQ_HAS(chunk, 7))
        return LOCHAN_OK;
    lochan_status rc = read_struct(p, chunk->column_index_offset, chunk->column_index_length,
                                   &lochan_pq_column_index__type, &out->index, err);
    if (rc == LOCHAN_OK)
        rc = read_struct(p, chunk->offset_index_offset, chunk->offset_index_length,
                         &lochan_pq_offset_index__type, &out->offsets, err);
    *has = rc == LOCHAN_OK && consistent(out, p->rows);
    return rc == LOCHAN_ERR_CORRUPT ? LOCHAN_OK : rc;
}

static const lochan_pq_page_location *pages_of(const page_stats *s) {
    return s->offsets.pages.items;
}

static int64_t page_end(const page_stats *s, uint32_t page, int64_t rows) {
    return page + 1 < s->offsets.pages.n ? pages_of(s)[page + 1].first_row : rows;
}

static bool stats_of_page(void *ctx, const char *column, lochan_expr_stats *out) {
    const pruner *p = ctx;
    int leaf = lochan_pq_path__leaf(&p->reader->schema, column);
    for (size_t c = 0; c < p->n; c++) {
        const page_stats *s = &p->columns[c];
        if (s->leaf->index != leaf)
            continue;
        int64_t rows = page_end(s, s->at, p->rows) - pages_of(s)[s->at].first_row;
        bool nulls_only = ((const bool *)s->index.null_pages.items)[s->at];
        lochan_pq_statistics in = {0};
        if (LOCHAN_PQ_HAS(&s->index, 5) || nulls_only) {
            in.set |= LOCHAN_THRIFT_BIT(3);
            in.null_count =
                nulls_only ? rows : ((const int64_t *)s->index.null_counts.items)[s->at];
        }
        if (LOCHAN_PQ_HAS(&s->index, 8)) {
            in.set |= LOCHAN_THRIFT_BIT(9);
            in.nan_count = ((const int64_t *)s->index.nan_counts.items)[s->at];
        }
        if (!nulls_only) {
            in.set |= LOCHAN_THRIFT_BIT(5) | LOCHAN_THRIFT_BIT(6);
            in.min = ((const lochan_str *)s->index.mins.items)[s->at];
            in.max = ((const lochan_str *)s->index.maxs.items)[s->at];
        }
        return lochan_pq_stats__read(s->leaf, &in, rows, out);
    }
    /* a column without an index: what is known of the row group */
    return leaf >= 0 && lochan_pq_reader__leaf_stats(p->reader, p->row_group, leaf, out);
}

static lochan_status make_ranges(pruner *p, const lochan_expr *predicate, lochan_pq_range **out,
                                 size_t *n, lochan_error *err) {
    size_t most = 1;
    for (size_t c = 0; c < p->n; c++)
        most += p->columns[c].offsets.pages.n;
    if (most > MAX_STRETCHES)
        return LOCHAN_OK;
    lochan_pq_range *ranges = lochan_mem__array(most, sizeof *ranges);
    if (!ranges)
        return lochan_error__nomem(err);
    size_t k = 0;
    for (int64_t row = 0; row < p->rows;) {
        int64_t end = p->rows;
        for (size_t c = 0; c < p->n; c++) {
            int64_t e = page_end(&p->columns[c], p->columns[c].at, p->rows);
            end = e < end ? e : end;
        }
        if (lochan_expr__may_match(predicate, stats_of_page, p)) {
            if (k > 0 && ranges[k - 1].end == row)
                ranges[k - 1].end = end;
            else
                ranges[k++] = (lochan_pq_range){row, end};
        }
        for (size_t c = 0; c < p->n; c++)
            p->columns[c].at += page_end(&p->columns[c], p->columns[c].at, p->rows) == end;
        row = end;
    }
    *out = ranges;
    *n = k;
    return LOCHAN_OK;
}

lochan_status lochan_pq_prune(lochan_pq_reader *reader, int row_group, const lochan_expr *predicate,
                              lochan_pq_range **ranges, size_t *n, lochan_error *err) {
    pruner p = {.reader = reader, .row_group = row_group};
    lochan_status rc = LOCHAN_OK;
    size_t n_columns = lochan_expr__columns(predicate);
    *ranges = NULL;
    *n = 0;
    p.rows = lochan_pq_reader__group(reader, row_group)->num_rows;
    lochan_arena__init(&p.arena, (size_t)MAX_INDEX_BYTES * 64);
    p.columns = lochan_arena__array(&p.arena, n_columns + 1, sizeof *p.columns);
    if (!p.columns)
        rc = lochan_error__nomem(err);
    for (size_t i = 0; i < n_columns && rc == LOCHAN_OK; i++) {
        bool has = false;
        int leaf = lochan_pq_path__leaf(&reader->schema, lochan_expr__column(predicate, i));
        rc = leaf < 0 ? LOCHAN_OK : load(&p, leaf, &p.columns[p.n], &has, err);
        p.n += has;
    }
    if (rc == LOCHAN_OK && p.n > 0)
        rc = make_ranges(&p, predicate, ranges, n, err);
    lochan_arena__deinit(&p.arena);
    return rc;
}
