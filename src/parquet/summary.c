/* summary.c - joins the statistics of all row groups, leaf by leaf. May call: base/, arrow/,
 * statistics.h. */
#include "parquet/summary.h"
#include "parquet/reader_own.h"
#include "parquet/summary_own.h"

void lochan_pq_summary__deinit(lochan_pq_summary *summary) {
    lochan_arena__deinit(&summary->arena);
    memset(summary, 0, sizeof *summary);
}

const lochan_pq_leaf_summary *lochan_pq_summary__column(const lochan_pq_summary *summary,
                                                        int column) {
    for (int i = 0; i < summary->n_leaves; i++) {
        if (summary->leaves[i].column == column)
            return summary->leaves[i].is_flat ? &summary->leaves[i] : NULL;
    }
    return NULL;
}

/* Bounds over all row groups in physical form, and whether they are exact. */
typedef struct joined {
    lochan_pq_statistics stats; /* min, max, exactness, counts; set as in a file */
    bool min_lost, max_lost, nulls_lost, nans_lost;
} joined;

static void join_group(joined *j, const lochan_pq_leaf *leaf, const lochan_pq_column_meta *meta) {
    const lochan_pq_statistics *in = &meta->statistics;
    bool known = LOCHAN_PQ_HAS(meta, 12);
    lochan_str min = {NULL, 0}, max = {NULL, 0};
    int64_t values = meta->num_values;
    bool cut = leaf->physical == LOCHAN_PQ_BYTE_ARRAY;
    if (known)
        (void)lochan_pq_stats__bounds(leaf, in, &min, &max);
    int64_t nulls = known && LOCHAN_PQ_HAS(in, 3) && in->null_count >= 0 && in->null_count <= values
                        ? in->null_count
                        : -1;
    int64_t nans = known && LOCHAN_PQ_HAS(in, 9) && in->nan_count >= 0 && in->nan_count <= values
                       ? in->nan_count
                       : -1;
    bool no_bounds_needed =
        nulls >= 0 && (nans > 0 ? nans : 0) == values - nulls; /* nothing but nulls and NaN */
    if (min.p && (!j->stats.min.p || lochan_pq_stats__compare(leaf, min, j->stats.min) < 0)) {
        j->stats.min = min;
        j->stats.min_exact = !cut || (LOCHAN_PQ_HAS(in, 8) && in->min_exact);
    }
    if (max.p && (!j->stats.max.p || lochan_pq_stats__compare(leaf, max, j->stats.max) > 0)) {
        j->stats.max = max;
        j->stats.max_exact = !cut || (LOCHAN_PQ_HAS(in, 7) && in->max_exact);
    }
    j->min_lost = j->min_lost || (!min.p && !no_bounds_needed);
    j->max_lost = j->max_lost || (!max.p && !no_bounds_needed);
    j->nulls_lost = j->nulls_lost || nulls < 0;
    j->nans_lost = j->nans_lost || nans < 0;
    j->stats.null_count += nulls > 0 ? nulls : 0;
    j->stats.nan_count += nans > 0 ? nans : 0;
}

static bool dup_str(lochan_arena *arena, lochan_str *s) {
    if (!s->p)
        return true;
    char *copy = lochan_arena__alloc(arena, s->n + 1);
    if (!copy)
        return false;
    memcpy(copy, s->p, s->n);
    s->p = copy;
    return true;
}

static lochan_status fill_leaf(const lochan_pq_leaf *leaf, joined *j, lochan_pq_leaf_summary *out,
                               lochan_arena *arena, lochan_error *err) {
    lochan_pq_statistics *s = &j->stats;
    s->set = (j->nulls_lost ? 0 : LOCHAN_THRIFT_BIT(3)) | (j->nans_lost ? 0 : LOCHAN_THRIFT_BIT(9));
    if (!j->min_lost && s->min.p)
        s->set |= LOCHAN_THRIFT_BIT(6) | LOCHAN_THRIFT_BIT(8);
    else
        s->min = (lochan_str){NULL, 0};
    if (!j->max_lost && s->max.p)
        s->set |= LOCHAN_THRIFT_BIT(5) | LOCHAN_THRIFT_BIT(7);
    else
        s->max = (lochan_str){NULL, 0};
    if (!dup_str(arena, &s->min) || !dup_str(arena, &s->max))
        return lochan_error__nomem(err);
    (void)lochan_pq_stats__read(leaf, s, out->value_count, &out->stats);
    out->null_count = j->nulls_lost ? -1 : s->null_count;
    out->contains_nan = !lochan_type__is_float(leaf->type.id) ? 0
                        : j->nans_lost                        ? -1
                                                              : s->nan_count > 0;
    out->min_text = lochan_pq_stats__text(leaf, s->min, arena);
    out->max_text = lochan_pq_stats__text(leaf, s->max, arena);
    return LOCHAN_OK;
}

lochan_status lochan_pq_summary__of_meta(const lochan_pq_file_meta *meta,
                                         const lochan_pq_schema *schema, uint64_t file_size,
                                         uint32_t footer_length, lochan_pq_summary *out,
                                         lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_pq_row_group_meta *groups = meta->row_groups.items;
    *out = (lochan_pq_summary){.file_size = file_size,
                               .footer_length = footer_length,
                               .rows = meta->num_rows,
                               .row_groups = (int)meta->row_groups.n,
                               .n_leaves = schema->n_leaves};
    lochan_arena__init(&out->arena, 0);
    out->leaves =
        lochan_arena__array(&out->arena, (size_t)schema->n_leaves + 1, sizeof *out->leaves);
    if (!out->leaves)
        rc = lochan_error__nomem(err);
    for (int l = 0; l < schema->n_leaves && rc == LOCHAN_OK; l++) {
        const lochan_pq_leaf *leaf = &schema->leaves[l];
        lochan_pq_leaf_summary *s = &out->leaves[l];
        joined j = {0};
        s->column = leaf->column;
        s->field_id = leaf->field_id;
        s->is_flat = leaf->n_parts == 1 && leaf->max_rep == 0;
        s->path = lochan_arena__strdup(&out->arena, leaf->path);
        for (uint32_t g = 0; g < meta->row_groups.n; g++) {
            const lochan_pq_column_meta *m =
                &((const lochan_pq_column_chunk *)groups[g].columns.items)[l].meta;
            if (m->compressed_size < 0 || m->num_values < 0 ||
                __builtin_add_overflow(s->compressed_bytes, m->compressed_size,
                                       &s->compressed_bytes) ||
                __builtin_add_overflow(s->value_count, m->num_values, &s->value_count)) {
                rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                       "column '%s' claims impossible sizes", leaf->path);
                break;
            }
            join_group(&j, leaf, m);
        }
        if (rc == LOCHAN_OK)
            rc = s->path ? fill_leaf(leaf, &j, s, &out->arena, err) : lochan_error__nomem(err);
    }
    if (rc != LOCHAN_OK)
        lochan_pq_summary__deinit(out);
    return rc;
}

lochan_status lochan_pq_reader__summary(const lochan_pq_reader *r, lochan_pq_summary *out,
                                        lochan_error *err) {
    return lochan_pq_summary__of_meta(&r->meta, &r->schema, r->file.source.size, r->footer_length,
                                      out, err);
}
