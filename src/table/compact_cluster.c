/* compact_cluster.c - a partition that rests, sorted by other columns than the table's order, so
 * that the history of one asset lies in a few pages.
 * Invariants: the same rows come out, rows equal in all columns of the order in the order of their
 * files; memory is the partition, drawn from the lake's budget; the plan chooses partitions that
 * fit. May call: base/, arrow/, parquet/.
 */
#include "table/compact.h"

#include "table/projection.h"

enum { TEXT_BYTES_A_ROW = 24, SLICE_ROWS = 16384 };

typedef struct gathered {
    struct ArrowArray *batches;
    size_t n, cap;
} gathered;

size_t lochan_cluster__row_bytes(const struct ArrowSchema *schema) {
    size_t bytes = 0;
    for (int64_t i = 0; i < schema->n_children; i++) {
        lochan_type type;
        int bits = 0;
        if (lochan_type__parse(schema->children[i]->format, &type, NULL) == LOCHAN_OK)
            bits = lochan_type__bit_width(&type);
        bytes += bits > 0 ? (size_t)(bits + 7) / 8 : TEXT_BYTES_A_ROW;
    }
    return bytes;
}

static lochan_status keep_batch(void *ctx, struct ArrowArray *rows, lochan_error *err) {
    gathered *g = ctx;
    struct ArrowArray *batches = lochan_mem__grow(g->batches, g->n, &g->cap, sizeof *batches);
    if (!batches)
        return lochan_error__nomem(err);
    g->batches = batches;
    lochan_array__move(rows, &batches[g->n++]);
    return LOCHAN_OK;
}

static lochan_status gather_file(lochan_compaction *c, const lochan_data_file *file, gathered *g,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_projection projection = {0};
    lochan_pq_reader *reader = NULL;
    LOCHAN_TRYG(lochan_data_file__open(c->lake, file, &reader, err));
    LOCHAN_TRYG(lochan_projection__init(&projection, lochan_pq_reader__schema(reader),
                                        &c->table->def.schema, LOCHAN_BY_FIELD_ID, err));
    for (int i = 0; i < lochan_pq_reader__row_groups(reader); i++)
        LOCHAN_TRYG(lochan_compaction__decode(c, file, reader, &projection, i, keep_batch, g, err));
done:
    lochan_projection__deinit(&projection);
    lochan_pq_reader__close(reader);
    return rc;
}

/* All batches as one; they are gone afterwards. */
static lochan_status join(const struct ArrowSchema *schema, gathered *g, struct ArrowArray *out,
                          lochan_error *err) {
    const struct ArrowArray **list = lochan_mem__array(g->n + 1, sizeof *list);
    if (!list)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < g->n; i++)
        list[i] = &g->batches[i];
    lochan_status rc = lochan_concat(schema, list, g->n, out, err);
    lochan_mem__free((void *)list);
    for (; g->n > 0; g->n--)
        lochan_array__release(&g->batches[g->n - 1]);
    return rc;
}

/* In slices, so that the sorted rows are never all there beside the unsorted ones. */
static lochan_status write_in_order(lochan_compaction *c, const struct ArrowArray *all,
                                    const int64_t *order, lochan_pq_writer *w, lochan_error *err) {
    struct ArrowArray slice = {0};
    lochan_status rc = LOCHAN_OK;
    for (int64_t at = 0; at < all->length && rc == LOCHAN_OK; at += SLICE_ROWS) {
        int64_t left = all->length - at;
        LOCHAN_TRY(lochan_cancel__check(c->lake->ctx.cancel, err));
        LOCHAN_TRY(lochan_take(&c->table->def.schema, all, order + at,
                               (size_t)(left < SLICE_ROWS ? left : SLICE_ROWS), &slice, err));
        rc = lochan_pq_writer__write_batch(w, &slice, err);
        lochan_array__release(&slice);
    }
    return rc;
}

lochan_status lochan_compaction__write_clustered(lochan_compaction *c,
                                                 const lochan_compaction_group *group,
                                                 lochan_pq_writer *w, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const struct ArrowSchema *schema = &c->table->def.schema;
    lochan_budget *budget = c->lake->ctx.budget;
    size_t bytes = 2 * (size_t)group->rows * lochan_cluster__row_bytes(schema);
    gathered g = {0};
    struct ArrowArray all = {0};
    int64_t *order = NULL;
    LOCHAN_TRY(lochan_budget__take(budget, bytes, "sorting a partition anew", err));
    for (size_t i = 0; i < group->n; i++)
        LOCHAN_TRYG(gather_file(c, group->files[i], &g, err));
    LOCHAN_TRYG(join(schema, &g, &all, err));
    LOCHAN_TRYG(lochan_sort_indices(schema, &all, c->upkeep.rows, c->upkeep.n_rows, &order, err));
    LOCHAN_TRYG(write_in_order(c, &all, order, w, err));
done:
    lochan_mem__free(order);
    lochan_array__release(&all);
    for (size_t i = 0; i < g.n; i++)
        lochan_array__release(&g.batches[i]);
    lochan_mem__free(g.batches);
    lochan_budget__give(budget, bytes);
    return rc;
}
