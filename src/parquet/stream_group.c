/* stream_group.c - the row groups of a stream: prunes them by statistics, filters, indexes and
 * dictionaries, opens their columns and cuts them into units. Invariants: units never cross row
 * groups; under a budget a unit is as small as that asks for. May call: base/, arrow/, the rest of
 * parquet/.
 */
#include "arrow/kernels.h"
#include "parquet/bloom.h"
#include "parquet/prune.h"
#include "parquet/stream_own.h"

/* Where pages are left out, little is read ahead. */
enum {
    MAX_WINDOW = 1 << 20,
    MIN_WINDOW = 64 << 10,
    ALL_WINDOWS = 16 << 20,
    PRUNED_WINDOW = 4096,
    /* of what the budget leaves, one part each for a batch and for pages kept between batches */
    BUDGET_PARTS = 4,
    PROBE_ROWS = 1024 /* in a first batch whose size cannot be told from the footer */
};

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
static int predicate_leaf(const lochan_pq_stream *s, size_t i) {
    int slot = s->plan.first.columns[i].leaf;
    return slot < 0 ? -1 : lochan_pq_projection__leaf(&s->plan.first, slot)->index;
}

/* Whether the row group may match by the Bloom filters of the predicate's columns. */
static lochan_status ask_filters(lochan_pq_stream *s, int group, bool *may, lochan_error *err) {
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

static size_t count_columns(const lochan_pq_stream *s) {
    return s->plan.first.n + s->plan.rest.n;
}

/* Bytes read ahead per column: together they stay bounded, however many columns there are. */
static size_t stream_window(const lochan_pq_stream *s) {
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

/* What a row of all columns takes. */
static double group_row_bytes(const lochan_pq_stream *s, int group, bool *sure) {
    const lochan_pq_projection *parts[] = {&s->plan.first, &s->plan.rest};
    double bytes = 1;
    *sure = true;
    for (int k = 0; k < 2; k++) {
        for (size_t i = 0; i < parts[k]->n; i++)
            bytes += field_row_bytes(s->reader, group, parts[k], &parts[k]->columns[i], sure);
    }
    return bytes;
}

/* Shares out what the budget has left. */
static void plan_memory(lochan_pq_stream *s, int group) {
    lochan_budget *budget = s->reader->file.ctx.budget;
    bool sure;
    s->open->row_bytes = group_row_bytes(s, group, &sure);
    if (!s->bounded)
        return;
    size_t used = atomic_load(&budget->used);
    size_t part = (budget->limit > used ? budget->limit - used : 0) / BUDGET_PARTS;
    s->hold.limit = part;
    atomic_store(&s->hold.used, 0);
    s->batch_bytes = (double)part;
    s->row_bytes = s->open->row_bytes;
    s->probing = !sure;
}

/* How many of `rows` the next batch takes; *taken from the budget. */
static lochan_status claim_batch(const lochan_pq_stream *s, int64_t *rows, size_t *taken,
                                 lochan_error *err) {
    *taken = 0;
    if (!s->bounded)
        return LOCHAN_OK;
    double fit = s->batch_bytes / s->row_bytes;
    int64_t most = fit < (double)LOCHAN_PQ_MIN_BATCH_ROWS ? LOCHAN_PQ_MIN_BATCH_ROWS
                   : fit < 1e9                            ? (int64_t)fit
                                                          : *rows;
    if (s->probing && most > PROBE_ROWS)
        most = PROBE_ROWS;
    *rows = *rows < most ? *rows : most;
    for (;; *rows /= 2) {
        double bytes = (double)*rows * s->row_bytes;
        *taken = bytes < (double)(SIZE_MAX / 2) ? (size_t)bytes : SIZE_MAX / 2;
        if (*rows <= LOCHAN_PQ_MIN_BATCH_ROWS)
            break;
        if (lochan_budget__try_take(s->reader->file.ctx.budget, *taken))
            return LOCHAN_OK;
    }
    lochan_status rc = lochan_budget__take(s->reader->file.ctx.budget, *taken,
                                           "a batch of rows of a Parquet file", err);
    *taken = rc == LOCHAN_OK ? *taken : 0;
    return rc;
}

void lochan_pq_stream__learn(lochan_pq_stream *s, const lochan_pq_unit *unit) {
    if (!s->bounded || unit->rows == 0)
        return;
    double row = (double)unit->bytes / (double)unit->rows;
    s->row_bytes = s->probing || row > s->row_bytes ? row + 1 : s->row_bytes;
    s->probing = false;
}

void lochan_pq_open_group__close(lochan_pq_open_group *group) {
    if (!group)
        return;
    lochan_pq_group_read__end(&group->first);
    lochan_pq_group_read__end(&group->rest);
    lochan_schema__release(&group->keyed_schema);
    lochan_mem__free(group->ranges);
    lochan_mem__free(group);
}

/* The predicate's columns with those that come as keys described as such. */
static lochan_status describe_keys(const lochan_pq_stream *s, lochan_pq_open_group *o,
                                   lochan_error *err) {
    const lochan_type keys = {.id = LOCHAN_TYPE_INT32};
    if (!o->first.keyed)
        return LOCHAN_OK;
    const struct ArrowSchema *plain = &s->plan.first.arrow;
    LOCHAN_TRY(lochan_schema__dup(plain, &o->keyed_schema, err));
    for (size_t i = 0; i < s->plan.first.n; i++) {
        struct ArrowSchema *from = plain->children[i], *to = o->keyed_schema.children[i];
        lochan_type type;
        if (!lochan_pq_group_read__is_keyed(&o->first, i))
            continue;
        LOCHAN_TRY(lochan_type__parse(from->format, &type, err));
        lochan_schema__release(to);
        LOCHAN_TRY(lochan_schema__set_dictionary(to, from->name, &keys, &type,
                                                 from->flags & ARROW_FLAG_NULLABLE, err));
    }
    return LOCHAN_OK;
}

/* Cuts o->ranges (NULL: all of the row group) down to the rows asked for. */
static lochan_status cut_ranges(const lochan_pq_stream *s, lochan_pq_open_group *o, int group,
                                lochan_error *err) {
    int64_t first = s->reader->first_rows[group];
    const lochan_pq_range all = {0, lochan_pq_reader__group(s->reader, group)->num_rows};
    const lochan_pq_range *have = o->ranges ? o->ranges : &all;
    size_t n_have = o->ranges ? o->n_ranges : 1, i = 0, j = 0, n = 0;
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
    lochan_mem__free(o->ranges);
    o->ranges = whole ? NULL : cut;
    o->n_ranges = whole ? 0 : n;
    if (whole)
        lochan_mem__free(cut);
    return LOCHAN_OK;
}

/* Whether any row of the group is asked for. */
static bool is_asked(const lochan_pq_stream *s, int group) {
    int64_t begin = s->reader->first_rows[group];
    int64_t end = begin + lochan_pq_reader__group(s->reader, group)->num_rows;
    for (size_t i = 0; i < s->n_rows; i++) {
        if (s->rows[i].begin < end && s->rows[i].end > begin)
            return true;
    }
    return !s->rows;
}

/* What statistics, filters and indexes leave of the row group: *may = false: nothing. */
static lochan_status prune_group(lochan_pq_stream *s, int group, bool *may, lochan_error *err) {
    lochan_pq_open_group *o = s->open;
    stats_of_group stats = {s->reader, group};
    *may = lochan_expr__may_match(s->predicate, stats_by_name, &stats);
    if (*may && s->predicate)
        LOCHAN_TRY(ask_filters(s, group, may, err));
    if (!*may)
        return LOCHAN_OK;
    o->all_match = !s->predicate || lochan_expr__all_match(s->predicate, stats_by_name, &stats);
    if (!o->all_match)
        LOCHAN_TRY(lochan_pq_prune(s->reader, group, s->predicate, &o->ranges, &o->n_ranges, err));
    LOCHAN_TRY(cut_ranges(s, o, group, err));
    *may = !o->ranges || o->n_ranges > 0;
    return LOCHAN_OK;
}

/* Opens the columns of a row group. *may = false: its dictionaries say that nothing matches. */
static lochan_status open_columns(lochan_pq_stream *s, int group, bool *may, lochan_error *err) {
    lochan_pq_open_group *o = s->open;
    size_t window = o->ranges ? PRUNED_WINDOW : stream_window(s);
    plan_memory(s, group);
    size_t window_share = s->hold.limit / (2 * count_columns(s) + 1);
    if (s->bounded && window > window_share)
        window = window_share > PRUNED_WINDOW ? window_share : PRUNED_WINDOW;
    LOCHAN_TRY(lochan_pq_group_read__begin(&o->first, s->reader, group, &s->plan.first, window,
                                           !o->all_match, err));
    LOCHAN_TRY(describe_keys(s, o, err));
    if (!o->all_match)
        LOCHAN_TRY(lochan_pq_prune__dictionaries(
            &o->first, o->first.keyed ? &o->keyed_schema : &s->plan.first.arrow, s->predicate, may,
            err));
    if (*may)
        LOCHAN_TRY(lochan_pq_group_read__begin(&o->rest, s->reader, group, &s->plan.rest, window,
                                               false, err));
    o->first.hold = o->rest.hold = s->bounded ? &s->hold : NULL;
    return LOCHAN_OK;
}

lochan_status lochan_pq_stream__back(lochan_pq_stream *s, int64_t row, int64_t rows,
                                     lochan_error *err) {
    enum { FEWER = 4 };
    lochan_pq_open_group *o = s->open;
    int group = o->first.row_group;
    bool may = true;
    lochan_pq_group_read__end(&o->first);
    lochan_pq_group_read__end(&o->rest);
    lochan_schema__release(&o->keyed_schema);
    o->row = row;
    LOCHAN_TRY(open_columns(s, group, &may, err));
    s->row_bytes = s->batch_bytes * FEWER / (double)rows;
    s->probing = false;
    return LOCHAN_OK;
}

static lochan_status try_group(lochan_pq_stream *s, int group, bool *may, lochan_error *err) {
    s->open = lochan_mem__zalloc(sizeof *s->open);
    if (!s->open)
        return lochan_error__nomem(err);
    s->open->users = 1;
    LOCHAN_TRY(prune_group(s, group, may, err));
    return *may ? open_columns(s, group, may, err) : LOCHAN_OK;
}

/* Opens the next row group that may hold matching rows: s->open, NULL if none is left. */
static lochan_status open_group(lochan_pq_stream *s, lochan_error *err) {
    lochan_pq_file *file = &s->reader->file;
    while (s->next_group < s->n_groups && !s->open) {
        int g = s->groups[s->next_group++];
        bool may = false;
        if (lochan_pq_reader__group(s->reader, g)->num_rows == 0 || !is_asked(s, g))
            continue;
        LOCHAN_TRY(lochan_cancel__check(file->ctx.cancel, err));
        if (file->source.check)
            LOCHAN_TRY(file->source.check(file->source.self, err));
        lochan_status rc = try_group(s, g, &may, err);
        if (rc != LOCHAN_OK || !may) {
            lochan_pq_open_group__close(s->open);
            s->open = NULL;
        }
        LOCHAN_TRY(rc);
        atomic_fetch_add_explicit(may ? &file->row_groups_read : &file->row_groups_pruned, 1,
                                  memory_order_relaxed);
    }
    return LOCHAN_OK;
}

/* The next rows of the row group that may match; *rows = 0: none are left. */
static void next_rows(const lochan_pq_stream *s, lochan_pq_open_group *o, int64_t *rows) {
    int64_t end = o->first.reader ? o->first.rows : 0;
    if (o->ranges) {
        while (o->next_range < o->n_ranges && o->ranges[o->next_range].end <= o->row)
            o->next_range++;
        end = o->next_range < o->n_ranges ? o->ranges[o->next_range].end : o->row;
        if (o->next_range < o->n_ranges && o->ranges[o->next_range].begin > o->row)
            o->row = o->ranges[o->next_range].begin;
    }
    *rows = end - o->row < s->batch_rows ? end - o->row : s->batch_rows;
}

static lochan_status make_unit(lochan_pq_stream *s, int64_t rows, lochan_pq_unit **out,
                               lochan_error *err) {
    size_t n = s->plan.first.n_slots + s->plan.rest.n_slots;
    lochan_pq_unit *u = lochan_mem__zalloc(sizeof *u);
    if (!u)
        return lochan_error__nomem(err);
    u->states = lochan_mem__array(n + 1, sizeof *u->states);
    u->leaves = lochan_mem__array(n + 1, sizeof *u->leaves);
    lochan_status rc = u->states && u->leaves ? LOCHAN_OK : lochan_error__nomem(err);
    if (rc == LOCHAN_OK)
        rc = claim_batch(s, &rows, &u->taken, err);
    if (rc != LOCHAN_OK) {
        lochan_pq_unit__free(s, u);
        return rc;
    }
    u->group = s->open;
    u->claim.budget = s->reader->file.ctx.budget;
    u->claim.free = u->taken;
    u->row = s->open->row;
    u->rows = u->kept = rows;
    double bytes = (double)rows * s->open->row_bytes;
    u->expected = bytes < (double)(SIZE_MAX / 2) ? (size_t)bytes : SIZE_MAX / 2;
    s->open->row += rows;
    *out = u;
    return LOCHAN_OK;
}

lochan_status lochan_pq_stream__plan(lochan_pq_stream *s, lochan_pq_unit **out, lochan_error *err) {
    *out = NULL;
    for (;;) {
        int64_t rows = 0;
        if (!s->open)
            LOCHAN_TRY(open_group(s, err));
        if (!s->open)
            return LOCHAN_OK;
        next_rows(s, s->open, &rows);
        if (rows > 0)
            return make_unit(s, rows, out, err);
        lochan_pq_stream__leave_group(s);
    }
}
