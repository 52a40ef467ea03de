/* stream.c - a stream of batches over row groups: prunes by statistics, decodes the predicate's
 * columns first, and the others only for batches in which rows are left. Invariants: batches never
 * cross row groups; memory is a batch and a page per column, or what the budget leaves: then
 * batches are smaller, and columns give up their pages between them. May call: base/, arrow/, the
 * rest of parquet/.
 */
#include "arrow/kernels.h"
#include "arrow/view.h"
#include "parquet/bloom.h"
#include "parquet/plan.h"
#include "parquet/prune.h"

/* Where pages are left out, little is read ahead. */
enum {
    DEFAULT_BATCH_ROWS = 131072,
    MAX_WINDOW = 1 << 20,
    MIN_WINDOW = 64 << 10,
    ALL_WINDOWS = 16 << 20,
    PRUNED_WINDOW = 4096,
    /* of what the budget leaves, one part each for a batch and for pages kept between batches */
    BUDGET_PARTS = 4,
    MIN_BATCH_ROWS = 16,
    PROBE_ROWS = 1024 /* in a first batch whose size cannot be told from the footer */
};

typedef struct pq_stream {
    lochan_pq_reader *reader; /* one reference */
    const lochan_expr *predicate;
    int *groups;
    size_t n_groups, next_group;
    int64_t batch_rows;
    lochan_pq_read_plan plan;
    struct ArrowSchema keyed_schema; /* of `first` where some of its columns come as keys */
    lochan_pq_range *rows;           /* of the file; NULL: all */
    size_t n_rows;
    bool open;               /* a row group is under way */
    bool all_match;          /* its statistics say that the predicate holds everywhere */
    lochan_pq_range *ranges; /* rows of the row group that may match; NULL: all */
    size_t n_ranges, next_range;
    int64_t row; /* of the row group, next to be read */
    lochan_pq_group_read first, rest;
    /* under a budget: */
    bool bounded, probing;
    lochan_pq_hold hold;
    double batch_bytes, row_bytes; /* of the largest batch; what a row is expected to take */
} pq_stream;

static void free_stream(void *state) {
    pq_stream *s = state;
    lochan_pq_group_read__end(&s->first);
    lochan_pq_group_read__end(&s->rest);
    lochan_schema__release(&s->keyed_schema);
    lochan_pq_read_plan__deinit(&s->plan);
    lochan_mem__free(s->ranges);
    lochan_mem__free(s->rows);
    lochan_mem__free(s->groups);
    lochan_pq_reader__close(s->reader);
    lochan_mem__free(s);
}

typedef struct stats_of_group {
    const lochan_pq_reader *reader;
    int row_group;
} stats_of_group;

static bool stats_by_name(void *ctx, const char *column, lochan_expr_stats *out) {
    stats_of_group *s = ctx;
    int leaf = lochan_pq_path__leaf(&s->reader->schema, column);
    return leaf >= 0 && lochan_pq_reader__leaf_stats(s->reader, s->row_group, leaf, out);
}

typedef struct filter_of_column {
    lochan_pq_file *file;
    const lochan_pq_leaf *leaf;
    lochan_pq_bloom bloom;
    bool has;
} filter_of_column;

typedef struct filters_of_group {
    const lochan_pq_reader *reader;
    int row_group;
    filter_of_column *leaves;
} filters_of_group;

static bool filter_may_hold(void *ctx, const lochan_expr_value *value) {
    const filter_of_column *f = ctx;
    return lochan_pq_bloom__may_hold(f->file, &f->bloom, f->leaf, value);
}

static bool filter_by_name(void *ctx, const char *column, lochan_expr_stats *out) {
    filters_of_group *g = ctx;
    int leaf = lochan_pq_path__leaf(&g->reader->schema, column);
    if (leaf < 0)
        return false;
    bool known = lochan_pq_reader__leaf_stats(g->reader, g->row_group, leaf, out);
    filter_of_column *f = &g->leaves[leaf];
    if (!f->has)
        return known;
    if (!known)
        *out = (lochan_expr_stats){
            .type = f->leaf->type, .null_count = -1, .row_count = -1, .may_have_nan = true};
    out->may_hold = filter_may_hold;
    out->may_hold_ctx = f;
    return true;
}

/* Leaf of the i-th column of the predicate, -1 if it is nested. */
static int predicate_leaf(const pq_stream *s, size_t i) {
    int slot = s->plan.first.columns[i].leaf;
    return slot < 0 ? -1 : lochan_pq_projection__leaf(&s->plan.first, slot)->index;
}

/* Whether the row group may match by the Bloom filters of the predicate's columns. */
static lochan_status ask_filters(pq_stream *s, int group, bool *may, lochan_error *err) {
    const lochan_pq_reader *r = s->reader;
    bool any = false;
    lochan_status rc = LOCHAN_OK;
    *may = true;
    for (size_t i = 0; i < s->plan.first.n && !any; i++) {
        int leaf = predicate_leaf(s, i);
        any = leaf >= 0 && LOCHAN_PQ_HAS(&lochan_pq_reader__chunk(r, group, leaf)->meta, 14);
    }
    if (!any)
        return LOCHAN_OK;
    filters_of_group g = {.reader = r, .row_group = group};
    g.leaves = lochan_mem__array((size_t)r->schema.n_leaves + 1, sizeof *g.leaves);
    if (!g.leaves)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < s->plan.first.n && rc == LOCHAN_OK; i++) {
        int leaf = predicate_leaf(s, i);
        if (leaf < 0)
            continue;
        filter_of_column *f = &g.leaves[leaf];
        f->file = &s->reader->file;
        f->leaf = &r->schema.leaves[leaf];
        rc = lochan_pq_bloom__find(f->file, &lochan_pq_reader__chunk(r, group, leaf)->meta,
                                   &f->bloom, &f->has, err);
    }
    if (rc == LOCHAN_OK)
        *may = lochan_expr__may_match(s->predicate, filter_by_name, &g);
    lochan_mem__free(g.leaves);
    return rc;
}

static size_t count_columns(const pq_stream *s) {
    return s->plan.first.n + s->plan.rest.n;
}

/* Bytes read ahead per column: together they stay bounded, however many columns there are. */
static size_t stream_window(const pq_stream *s) {
    size_t part = ALL_WINDOWS / (count_columns(s) + 1);
    return part < MIN_WINDOW ? MIN_WINDOW : part > MAX_WINDOW ? MAX_WINDOW : part;
}

/* Bytes that a row of a leaf takes in a batch, as far as the footer tells. *sure = false: it may be
 * more. */
static double leaf_row_bytes(const lochan_pq_reader *r, int group, int leaf_index, bool *sure) {
    const lochan_pq_leaf *leaf = &r->schema.leaves[leaf_index];
    const lochan_pq_column_meta *meta = &lochan_pq_reader__chunk(r, group, leaf_index)->meta;
    double rows = (double)lochan_pq_reader__group(r, group)->num_rows;
    double slots = leaf->max_rep > 0 ? (double)meta->num_values / rows : 1;
    double bytes = slots * (leaf->out_width > 0 ? leaf->out_width + 0.25 : 16.25);
    if (leaf->max_rep > 0 || leaf->n_parts > 1)
        bytes += slots * 4;
    if (leaf->out_width == 0 && LOCHAN_PQ_HAS(meta, 16) && LOCHAN_PQ_HAS(&meta->sizes, 1))
        bytes += (double)meta->sizes.unencoded_bytes / rows;
    else if (leaf->out_width == 0)
        bytes += (double)meta->uncompressed_size / rows;
    *sure = *sure && leaf->out_width > 0 && leaf->max_rep == 0;
    return bytes > 0 ? bytes : 1;
}

static double field_row_bytes(const lochan_pq_reader *r, int group, const lochan_pq_projection *p,
                              const lochan_pq_field *field, bool *sure) {
    double bytes = 0;
    if (field->leaf >= 0)
        return leaf_row_bytes(r, group, lochan_pq_projection__leaf(p, field->leaf)->index, sure);
    for (int i = 0; i < field->n_children; i++)
        bytes += field_row_bytes(r, group, p, &field->children[i], sure);
    return bytes;
}

/* Shares out what the budget has left. */
static void plan_memory(pq_stream *s, int group) {
    lochan_budget *budget = s->reader->file.ctx.budget;
    bool sure = true;
    s->bounded = budget && budget->limit > 0;
    if (!s->bounded)
        return;
    size_t used = atomic_load(&budget->used);
    size_t part = (budget->limit > used ? budget->limit - used : 0) / BUDGET_PARTS;
    s->hold.limit = part;
    atomic_store(&s->hold.used, 0);
    s->batch_bytes = (double)part;
    s->row_bytes = 0;
    const lochan_pq_projection *parts[] = {&s->plan.first, &s->plan.rest};
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < parts[k]->n; i++)
            s->row_bytes +=
                field_row_bytes(s->reader, group, parts[k], &parts[k]->columns[i], &sure);
    }
    s->probing = !sure;
}

/* How many of `rows` the next batch takes; *taken from the budget. */
static lochan_status claim_batch(const pq_stream *s, int64_t *rows, size_t *taken,
                                 lochan_error *err) {
    *taken = 0;
    if (!s->bounded)
        return LOCHAN_OK;
    double fit = s->batch_bytes / s->row_bytes;
    int64_t most = fit < (double)MIN_BATCH_ROWS ? MIN_BATCH_ROWS : fit < 1e9 ? (int64_t)fit : *rows;
    if (s->probing && most > PROBE_ROWS)
        most = PROBE_ROWS;
    *rows = *rows < most ? *rows : most;
    for (;; *rows /= 2) {
        double bytes = (double)*rows * s->row_bytes;
        *taken = bytes < (double)(SIZE_MAX / 2) ? (size_t)bytes : SIZE_MAX / 2;
        if (*rows <= MIN_BATCH_ROWS)
            break;
        if (lochan_budget__try_take(s->reader->file.ctx.budget, *taken))
            return LOCHAN_OK;
    }
    lochan_status rc = lochan_budget__take(s->reader->file.ctx.budget, *taken,
                                           "a batch of rows of a Parquet file", err);
    *taken = rc == LOCHAN_OK ? *taken : 0;
    return rc;
}

/* Learns from a batch what the next ones may take. */
static void learn_size(pq_stream *s, int64_t rows) {
    if (!s->bounded || rows == 0)
        return;
    size_t bytes = atomic_load(&s->first.batch_bytes) + atomic_load(&s->rest.batch_bytes);
    double row = (double)bytes / (double)rows;
    s->row_bytes = s->probing || row > s->row_bytes ? row + 1 : s->row_bytes;
    s->probing = false;
}

static void close_group(pq_stream *s) {
    lochan_pq_group_read__end(&s->first);
    lochan_pq_group_read__end(&s->rest);
    lochan_schema__release(&s->keyed_schema);
    lochan_mem__free(s->ranges);
    s->ranges = NULL;
    s->n_ranges = s->next_range = 0;
    s->row = 0;
    s->open = false;
}

/* The predicate's columns with those that come as keys described as such. */
static lochan_status describe_keys(pq_stream *s, lochan_error *err) {
    const lochan_type keys = {.id = LOCHAN_TYPE_INT32};
    if (!s->first.keyed)
        return LOCHAN_OK;
    const struct ArrowSchema *plain = &s->plan.first.arrow;
    LOCHAN_TRY(lochan_schema__dup(plain, &s->keyed_schema, err));
    for (size_t i = 0; i < s->plan.first.n; i++) {
        struct ArrowSchema *from = plain->children[i], *to = s->keyed_schema.children[i];
        lochan_type type;
        if (!lochan_pq_group_read__is_keyed(&s->first, i))
            continue;
        LOCHAN_TRY(lochan_type__parse(from->format, &type, err));
        lochan_schema__release(to);
        LOCHAN_TRY(lochan_schema__set_dictionary(to, from->name, &keys, &type,
                                                 from->flags & ARROW_FLAG_NULLABLE, err));
    }
    return LOCHAN_OK;
}

/* Cuts s->ranges (NULL: all of the row group) down to the rows asked for. */
static lochan_status cut_ranges(pq_stream *s, int group, lochan_error *err) {
    int64_t first = s->reader->first_rows[group];
    const lochan_pq_range all = {0, lochan_pq_reader__group(s->reader, group)->num_rows};
    const lochan_pq_range *have = s->ranges ? s->ranges : &all;
    size_t n_have = s->ranges ? s->n_ranges : 1, i = 0, j = 0, n = 0;
    if (!s->rows)
        return LOCHAN_OK;
    lochan_pq_range *cut = lochan_mem__array(n_have + s->n_rows + 1, sizeof *cut);
    if (!cut)
        return lochan_error__nomem(err);
    while (i < n_have && j < s->n_rows) {
        int64_t begin = s->rows[j].begin - first, end = s->rows[j].end - first;
        int64_t from = begin > have[i].begin ? begin : have[i].begin;
        int64_t to = end < have[i].end ? end : have[i].end;
        if (from < to)
            cut[n++] = (lochan_pq_range){from, to};
        if (have[i].end < end)
            i++;
        else
            j++;
    }
    bool whole = n == 1 && cut[0].begin == 0 && cut[0].end == all.end;
    lochan_mem__free(s->ranges);
    s->ranges = whole ? NULL : cut;
    s->n_ranges = whole ? 0 : n;
    if (whole)
        lochan_mem__free(cut);
    return LOCHAN_OK;
}

/* Whether any row of the group is asked for. */
static bool is_asked(const pq_stream *s, int group) {
    int64_t begin = s->reader->first_rows[group];
    int64_t end = begin + lochan_pq_reader__group(s->reader, group)->num_rows;
    for (size_t i = 0; i < s->n_rows; i++) {
        if (s->rows[i].begin < end && s->rows[i].end > begin)
            return true;
    }
    return !s->rows;
}

/* What statistics, filters and indexes leave of the row group: *may = false: nothing. */
static lochan_status prune_group(pq_stream *s, int group, bool *may, lochan_error *err) {
    stats_of_group stats = {s->reader, group};
    *may = lochan_expr__may_match(s->predicate, stats_by_name, &stats);
    if (*may && s->predicate)
        LOCHAN_TRY(ask_filters(s, group, may, err));
    if (!*may)
        return LOCHAN_OK;
    s->all_match = !s->predicate || lochan_expr__all_match(s->predicate, stats_by_name, &stats);
    if (!s->all_match)
        LOCHAN_TRY(lochan_pq_prune(s->reader, group, s->predicate, &s->ranges, &s->n_ranges, err));
    LOCHAN_TRY(cut_ranges(s, group, err));
    *may = !s->ranges || s->n_ranges > 0;
    return LOCHAN_OK;
}

/* Opens the columns of a row group. *may = false: its dictionaries say that nothing matches. */
static lochan_status open_columns(pq_stream *s, int group, bool *may, lochan_error *err) {
    size_t window = s->ranges ? PRUNED_WINDOW : stream_window(s);
    plan_memory(s, group);
    size_t window_share = s->hold.limit / (2 * count_columns(s) + 1);
    if (s->bounded && window > window_share)
        window = window_share > PRUNED_WINDOW ? window_share : PRUNED_WINDOW;
    LOCHAN_TRY(lochan_pq_group_read__begin(&s->first, s->reader, group, &s->plan.first, window,
                                           !s->all_match, err));
    LOCHAN_TRY(describe_keys(s, err));
    if (!s->all_match)
        LOCHAN_TRY(lochan_pq_prune__dictionaries(
            &s->first, s->first.keyed ? &s->keyed_schema : &s->plan.first.arrow, s->predicate, may,
            err));
    if (*may)
        LOCHAN_TRY(lochan_pq_group_read__begin(&s->rest, s->reader, group, &s->plan.rest, window,
                                               false, err));
    s->first.hold = s->rest.hold = s->bounded ? &s->hold : NULL;
    return LOCHAN_OK;
}

/* Opens the next row group that may hold matching rows. *more = false: none is left. */
static lochan_status open_group(pq_stream *s, bool *more, lochan_error *err) {
    lochan_pq_file *file = &s->reader->file;
    *more = false;
    while (s->next_group < s->n_groups && !*more) {
        int g = s->groups[s->next_group++];
        if (lochan_pq_reader__group(s->reader, g)->num_rows == 0 || !is_asked(s, g))
            continue;
        if (file->source.check)
            LOCHAN_TRY(file->source.check(file->source.self, err));
        lochan_status rc = prune_group(s, g, more, err);
        if (rc == LOCHAN_OK && *more)
            rc = open_columns(s, g, more, err);
        if (rc != LOCHAN_OK || !*more)
            close_group(s);
        LOCHAN_TRY(rc);
        atomic_fetch_add_explicit(*more ? &file->row_groups_read : &file->row_groups_pruned, 1,
                                  memory_order_relaxed);
    }
    s->open = *more;
    return LOCHAN_OK;
}

/* Keeps the rows whose bit is set; *a is replaced. */
static lochan_status keep_rows(const struct ArrowSchema *schema, struct ArrowArray *a,
                               const uint8_t *bits, lochan_error *err) {
    struct ArrowArray kept;
    LOCHAN_TRY(lochan_filter(schema, a, bits, &kept, err));
    lochan_array__release(a);
    lochan_array__move(&kept, a);
    return LOCHAN_OK;
}

/* Turns keys back into text. */
static lochan_status expand_keys(const pq_stream *s, struct ArrowArray *first, lochan_error *err) {
    for (size_t i = 0; s->first.keyed && i < s->plan.first.n; i++) {
        struct ArrowArray *a = first->children[i], text;
        if (!lochan_pq_group_read__is_keyed(&s->first, i))
            continue;
        const int32_t *keys = (const int32_t *)a->buffers[1] + a->offset;
        const uint8_t *valid = a->null_count != 0 ? a->buffers[0] : NULL;
        int64_t *rows = lochan_mem__array((size_t)a->length + 1, sizeof *rows);
        if (!rows)
            return lochan_error__nomem(err);
        for (int64_t r = 0; r < a->length; r++)
            rows[r] = valid && !lochan_bit__get(valid, a->offset + r) ? -1 : keys[r];
        lochan_status rc = lochan_take(s->plan.first.arrow.children[i], a->dictionary, rows,
                                       (size_t)a->length, &text, err);
        lochan_mem__free(rows);
        if (rc != LOCHAN_OK)
            return rc;
        lochan_array__release(a);
        lochan_array__move(&text, a);
    }
    return LOCHAN_OK;
}

/* Whether the rows wanted lie in so few stretches that passing over the others pays. */
static bool is_sparse(const uint8_t *bits, int64_t rows) {
    enum { ROWS_PER_STRETCH = 64 };
    int64_t edges = 0;
    unsigned before = 0;
    for (int64_t i = 0; i < (rows + 7) / 8; i++) {
        edges += __builtin_popcount((bits[i] ^ (bits[i] << 1 | before)) & 0xff);
        before = bits[i] >> 7;
    }
    return edges / 2 * ROWS_PER_STRETCH <= rows;
}

/* Columns of both parts in the order asked for. */
static lochan_status join_parts(pq_stream *s, struct ArrowArray *first, struct ArrowArray *rest,
                                int64_t rows, struct ArrowArray *out, lochan_error *err) {
    LOCHAN_TRY(lochan_array__init(out, 1, (int64_t)s->plan.n_out, err));
    for (size_t i = 0; i < s->plan.n_out; i++) {
        size_t at = (size_t)s->plan.order[i];
        struct ArrowArray *from =
            at < s->plan.first.n ? first->children[at] : rest->children[at - s->plan.first.n];
        lochan_array__move(from, out->children[i]);
    }
    out->length = rows;
    return LOCHAN_OK;
}

/* One batch of the open row group; *out stays released if no row is left of it. */
static lochan_status read_batch(pq_stream *s, struct ArrowArray *out, lochan_error *err) {
    int64_t left = s->ranges ? s->ranges[s->next_range].end - s->row : s->rest.rows_left;
    int64_t rows = left < s->batch_rows ? left : s->batch_rows, kept;
    size_t taken;
    struct ArrowArray first = {0}, rest = {0};
    const struct ArrowSchema *schema = s->first.keyed ? &s->keyed_schema : &s->plan.first.arrow;
    uint8_t *bits = NULL;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(claim_batch(s, &rows, &taken, err));
    kept = rows;
    if (s->plan.first.n > 0)
        LOCHAN_TRYG(lochan_pq_group_read__next(&s->first, rows, &first, err));
    if (s->predicate && !s->all_match) {
        bits = lochan_mem__alloc((size_t)(rows + 7) / 8);
        if (!bits) {
            rc = lochan_error__nomem(err);
            goto done;
        }
        LOCHAN_TRYG(lochan_expr__apply(s->predicate, schema, &first, bits, &kept, err));
    }
    if (kept == 0) {
        rc = lochan_pq_group_read__skip(&s->rest, rows, err);
        goto done;
    }
    bool sparse = kept < rows && is_sparse(bits, rows);
    LOCHAN_TRYG(lochan_pq_group_read__next_selected(&s->rest, rows, sparse ? bits : NULL,
                                                    sparse ? kept : rows, &rest, err));
    learn_size(s, rows);
    if (kept < rows) {
        LOCHAN_TRYG(keep_rows(schema, &first, bits, err));
        if (s->plan.rest.n > 0 && !sparse)
            LOCHAN_TRYG(keep_rows(&s->plan.rest.arrow, &rest, bits, err));
    }
    LOCHAN_TRYG(expand_keys(s, &first, err));
    rc = join_parts(s, &first, &rest, kept, out, err);
done:
    lochan_budget__give(s->reader->file.ctx.budget, taken);
    s->row += rows;
    lochan_array__release(&first);
    lochan_array__release(&rest);
    lochan_mem__free(bits);
    return rc;
}

/* Moves to the next rows that may match. *more = false: the row group is done. */
static lochan_status next_rows(pq_stream *s, bool *more, lochan_error *err) {
    *more = s->rest.rows_left > 0;
    if (!s->ranges || !*more)
        return LOCHAN_OK;
    while (s->next_range < s->n_ranges && s->ranges[s->next_range].end <= s->row)
        s->next_range++;
    *more = s->next_range < s->n_ranges;
    int64_t skip = *more ? s->ranges[s->next_range].begin - s->row : 0;
    if (skip <= 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_group_read__skip(&s->first, skip, err));
    LOCHAN_TRY(lochan_pq_group_read__skip(&s->rest, skip, err));
    s->row += skip;
    return LOCHAN_OK;
}

static lochan_status next_batch(void *state, struct ArrowArray *out, lochan_error *err) {
    pq_stream *s = state;
    memset(out, 0, sizeof *out);
    while (!out->release) {
        LOCHAN_TRY(lochan_cancel__check(s->reader->file.ctx.cancel, err));
        bool more = true;
        if (!s->open) {
            LOCHAN_TRY(open_group(s, &more, err));
            if (!more)
                return LOCHAN_OK;
        }
        LOCHAN_TRY(next_rows(s, &more, err));
        if (more)
            LOCHAN_TRY(read_batch(s, out, err));
        else
            close_group(s);
    }
    return LOCHAN_OK;
}

static lochan_status plan_rows(pq_stream *s, const lochan_pq_scan *scan, lochan_error *err) {
    if (!scan->rows)
        return LOCHAN_OK;
    s->rows = lochan_mem__array(scan->n_rows + 1, sizeof *s->rows);
    if (!s->rows)
        return lochan_error__nomem(err);
    for (; s->n_rows < scan->n_rows; s->n_rows++) {
        const lochan_pq_range *range = &scan->rows[s->n_rows];
        if (range->begin < 0 || range->end < range->begin ||
            (s->n_rows > 0 && range->begin < scan->rows[s->n_rows - 1].end))
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "ranges of rows must ascend and not overlap");
        s->rows[s->n_rows] = *range;
    }
    return LOCHAN_OK;
}

static lochan_status plan_groups(pq_stream *s, const lochan_pq_scan *scan, lochan_error *err) {
    int n = lochan_pq_reader__row_groups(s->reader);
    s->n_groups = scan->row_groups ? scan->n_row_groups : (size_t)n;
    s->groups = lochan_mem__array(s->n_groups + 1, sizeof *s->groups);
    if (!s->groups)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < s->n_groups; i++) {
        s->groups[i] = scan->row_groups ? scan->row_groups[i] : (int)i;
        if (s->groups[i] < 0 || s->groups[i] >= n)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "there is no row group %d",
                                     s->groups[i]);
    }
    return LOCHAN_OK;
}

lochan_status lochan_pq_reader__stream(lochan_pq_reader *reader, const lochan_pq_scan *scan,
                                       struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_pq_scan everything = {0};
    struct ArrowSchema schema = {0};
    lochan_status rc;
    memset(out, 0, sizeof *out);
    if (!scan)
        scan = &everything;
    pq_stream *s = lochan_mem__zalloc(sizeof *s);
    if (!s)
        return lochan_error__nomem(err);
    s->reader = reader;
    atomic_fetch_add(&reader->refs, 1);
    s->predicate = scan->predicate;
    s->batch_rows = scan->batch_rows > 0 ? scan->batch_rows : DEFAULT_BATCH_ROWS;
    LOCHAN_TRYG(plan_groups(s, scan, err));
    LOCHAN_TRYG(plan_rows(s, scan, err));
    LOCHAN_TRYG(lochan_pq_read_plan__make(&s->plan, &reader->schema, scan, &schema, err));
    return lochan_stream__make(&schema, next_batch, free_stream, s, out, err);
done:
    lochan_schema__release(&schema);
    free_stream(s);
    return rc;
}
