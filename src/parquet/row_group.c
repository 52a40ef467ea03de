/* row_group.c - reading the selected columns of one row group, whole or batch by batch, leaves in
 * parallel. Invariant: a batch is assembled only after every leaf delivered its rows. May call:
 * base/, arrow/, the rest of parquet/.
 */
#include "arrow/kernels.h"
#include "parquet/assemble.h"
#include "parquet/reader_own.h"

/* Whole row groups of claimed rows are decoded without further thought up to OUTPUT_FREE bytes of
 * arrays; beyond, the pages must hold at least a byte for OUTPUT_RATIO of them. */
enum { OUTPUT_FREE = 512 << 20, OUTPUT_RATIO = 2000 };
enum { WHOLE_CHUNK = 16 << 20 };

/* Leaves that cost next to nothing are not worth a task of their own. */
enum { ROWS_FOR_TASKS = 2048 };

static lochan_status select_leaves(lochan_pq_group_read *g, lochan_error *err) {
    const lochan_pq_field *root = &g->reader->schema.root;
    int n_leaves = g->reader->schema.n_leaves;
    g->leaves = lochan_mem__array((size_t)n_leaves + 1, sizeof *g->leaves);
    g->selected = lochan_mem__array((size_t)n_leaves + 1, sizeof *g->selected);
    if (!g->leaves || !g->selected)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < g->n; i++) {
        int column = g->columns[i];
        if (column < 0 || column >= root->n_children)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "there is no column %d",
                                     column);
        const lochan_pq_field *field = &root->children[column];
        for (int l = field->first_leaf; l < field->first_leaf + field->n_leaves; l++) {
            if (g->leaves[l].leaf)
                return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                         "column %d is asked for twice", column);
            g->leaves[l].leaf = &g->reader->schema.leaves[l];
            g->selected[g->n_selected++] = l;
        }
    }
    return LOCHAN_OK;
}

/* Whether a flat column of text has a dictionary in this row group. */
static bool has_text_dictionary(const lochan_pq_leaf *leaf, const lochan_pq_column_chunk *chunk) {
    return leaf->convert == LOCHAN_PQ_CONVERT_BYTES && lochan_type__is_bytes(leaf->type.id) &&
           leaf->n_parts == 1 && leaf->max_rep == 0 && LOCHAN_PQ_HAS(&chunk->meta, 11);
}

bool lochan_pq_group_read__is_keyed(const lochan_pq_group_read *g, size_t i) {
    const lochan_pq_field *field = &g->reader->schema.root.children[g->columns[i]];
    return field->leaf >= 0 && g->leaves[field->leaf].as_keys && !field->schema->dictionary;
}

lochan_status lochan_pq_group_read__begin(lochan_pq_group_read *g, lochan_pq_reader *reader,
                                          int row_group, const int *columns, size_t n,
                                          size_t window, bool text_keys, lochan_error *err) {
    lochan_status rc;
    *g = (lochan_pq_group_read){
        .reader = reader, .row_group = row_group, .columns = columns, .n = n};
    g->rows_left = lochan_pq_reader__group(reader, row_group)->num_rows;
    LOCHAN_TRYG(select_leaves(g, err));
    atomic_fetch_add_explicit(&reader->file.row_groups_read, 1, memory_order_relaxed);
    for (size_t i = 0; i < g->n_selected; i++) {
        const lochan_pq_leaf *leaf = &reader->schema.leaves[g->selected[i]];
        const lochan_pq_column_chunk *chunk =
            lochan_pq_reader__chunk(reader, row_group, leaf->index);
        bool asked = reader->schema.root.children[leaf->column].schema->dictionary != NULL;
        bool keyed = text_keys && !asked && has_text_dictionary(leaf, chunk);
        g->keyed = g->keyed || keyed;
        LOCHAN_TRYG(lochan_pq_column__open(&g->leaves[leaf->index], &reader->file, leaf, chunk,
                                           row_group, asked || keyed, window, err));
    }
done:
    if (rc != LOCHAN_OK)
        lochan_pq_group_read__end(g);
    return rc;
}

void lochan_pq_group_read__end(lochan_pq_group_read *g) {
    for (size_t i = 0; g->leaves && i < g->n_selected; i++)
        lochan_pq_column__close(&g->leaves[g->selected[i]]);
    lochan_mem__free(g->leaves);
    lochan_mem__free(g->selected);
    memset(g, 0, sizeof *g);
}

typedef struct leaf_task {
    lochan_pq_group_read *g;
    int64_t rows, kept;
    const uint8_t *bits; /* of the rows wanted; NULL: all */
} leaf_task;

/* Keeps or gives up the column's pages. */
static void settle(lochan_pq_group_read *g, lochan_pq_column *c) {
    size_t held = lochan_pq_column__held(c);
    if (!g->hold)
        return;
    size_t others = atomic_fetch_sub(&g->hold->used, c->held) - c->held;
    c->held = held;
    if (others + held > g->hold->limit) {
        lochan_pq_column__suspend(c);
        c->held = 0;
    }
    atomic_fetch_add(&g->hold->used, c->held);
}

static lochan_status read_leaf(void *ctx, size_t i, lochan_error *err) {
    leaf_task *task = ctx;
    lochan_pq_column *c = &task->g->leaves[task->g->selected[i]];
    if (task->bits && !c->keep_levels)
        LOCHAN_TRY(lochan_pq_column__read_selected(c, task->bits, task->rows, task->kept, err));
    else
        LOCHAN_TRY(lochan_pq_column__read(c, task->rows, err));
    if (task->g->hold)
        atomic_fetch_add(&task->g->batch_bytes, lochan_pq_column__batch_bytes(c));
    if (!c->as_keys) /* keys: their dictionary goes into the batch first */
        settle(task->g, c);
    return LOCHAN_OK;
}

static lochan_status skip_leaf(void *ctx, size_t i, lochan_error *err) {
    leaf_task *task = ctx;
    lochan_pq_column *c = &task->g->leaves[task->g->selected[i]];
    LOCHAN_TRY(lochan_pq_column__skip(c, task->rows, err));
    settle(task->g, c);
    return LOCHAN_OK;
}

typedef struct assemble_task {
    lochan_pq_group_read *g;
    const uint8_t *bits;
    struct ArrowArray *out;
} assemble_task;

/* Nested columns are read whole: the rows wanted are picked here. */
static lochan_status pick_rows(const lochan_pq_field *field, const uint8_t *bits,
                               struct ArrowArray *a, lochan_error *err) {
    struct ArrowArray kept;
    LOCHAN_TRY(lochan_filter(field->schema, a, bits, &kept, err));
    lochan_array__release(a);
    lochan_array__move(&kept, a);
    return LOCHAN_OK;
}

static lochan_status assemble_column(void *ctx, size_t i, lochan_error *err) {
    assemble_task *task = ctx;
    lochan_pq_group_read *g = task->g;
    const lochan_pq_field *field = &g->reader->schema.root.children[g->columns[i]];
    LOCHAN_TRY(lochan_pq_assemble(field, g->leaves, task->out->children[i], err));
    if (task->bits && g->leaves[field->first_leaf].keep_levels)
        LOCHAN_TRY(pick_rows(field, task->bits, task->out->children[i], err));
    for (int l = field->first_leaf; l < field->first_leaf + field->n_leaves; l++) {
        lochan_pq_column__clear(&g->leaves[l]);
        if (g->leaves[l].as_keys)
            settle(g, &g->leaves[l]);
    }
    return LOCHAN_OK;
}

static bool has_nested(const lochan_pq_group_read *g) {
    for (size_t i = 0; i < g->n; i++) {
        if (g->reader->schema.root.children[g->columns[i]].leaf < 0)
            return true;
    }
    return false;
}

static lochan_status for_leaves(lochan_pq_group_read *g, lochan_task_fn fn, leaf_task task,
                                lochan_error *err) {
    const lochan_ctx *ctx = &g->reader->file.ctx;
    lochan_pool *pool = task.rows >= ROWS_FOR_TASKS || g->hold ? ctx->pool : NULL;
    return lochan_pool__for(pool, g->n_selected, fn, &task, ctx->cancel, err);
}

lochan_status lochan_pq_group_read__next(lochan_pq_group_read *g, int64_t rows,
                                         struct ArrowArray *out, lochan_error *err) {
    return lochan_pq_group_read__next_selected(g, rows, NULL, rows, out, err);
}

lochan_status lochan_pq_group_read__next_selected(lochan_pq_group_read *g, int64_t rows,
                                                  const uint8_t *bits, int64_t kept,
                                                  struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_ctx *ctx = &g->reader->file.ctx;
    assemble_task task = {g, bits, out};
    memset(out, 0, sizeof *out);
    atomic_store(&g->batch_bytes, 0);
    LOCHAN_TRY(for_leaves(g, read_leaf, (leaf_task){g, rows, kept, bits}, err));
    LOCHAN_TRY(lochan_array__init(out, 1, (int64_t)g->n, err));
    /* flat columns only hand their buffers over */
    lochan_pool *pool = rows >= ROWS_FOR_TASKS && has_nested(g) ? ctx->pool : NULL;
    LOCHAN_TRYG(lochan_pool__for(pool, g->n, assemble_column, &task, ctx->cancel, err));
    out->length = kept;
    g->rows_left -= rows;
done:
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

lochan_status lochan_pq_group_read__skip(lochan_pq_group_read *g, int64_t rows, lochan_error *err) {
    LOCHAN_TRY(for_leaves(g, skip_leaf, (leaf_task){g, rows, 0, NULL}, err));
    g->rows_left -= rows;
    return LOCHAN_OK;
}

/* Refuses whole row groups whose claimed rows could not come from their bytes. */
static lochan_status check_output(const lochan_pq_group_read *g, lochan_error *err) {
    uint64_t output = 0, stored = 0, rows = (uint64_t)g->rows_left;
    for (size_t i = 0; i < g->n_selected; i++) {
        const lochan_pq_leaf *leaf = &g->reader->schema.leaves[g->selected[i]];
        uint64_t width = leaf->out_width ? (uint64_t)leaf->out_width : 4, bytes;
        if (leaf->max_rep > 0 || leaf->type.id == LOCHAN_TYPE_NULL)
            continue;
        if (__builtin_mul_overflow(rows, width, &bytes) ||
            __builtin_add_overflow(output, bytes, &output))
            output = UINT64_MAX;
        stored += (uint64_t)lochan_pq_reader__chunk(g->reader, g->row_group, leaf->index)
                      ->meta.compressed_size;
    }
    if (output <= OUTPUT_FREE || output / OUTPUT_RATIO <= stored)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT,
                          "row group %d claims %lld rows in %llu bytes: read it as a stream",
                          g->row_group, (long long)g->rows_left, (unsigned long long)stored);
    return lochan_error__in_file(err, rc, g->reader->file.name, -1);
}

lochan_status lochan_pq_reader__read_row_group(lochan_pq_reader *reader, int row_group,
                                               const int *columns, size_t n, struct ArrowArray *out,
                                               lochan_error *err) {
    lochan_pq_group_read g = {0};
    int *all = NULL;
    lochan_status rc;
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(row_group >= 0 && row_group < (int)reader->meta.row_groups.n, err);
    if (!columns) {
        n = (size_t)reader->schema.root.n_children;
        all = lochan_mem__array(n + 1, sizeof *all);
        if (!all)
            return lochan_error__nomem(err);
        for (size_t i = 0; i < n; i++)
            all[i] = (int)i;
        columns = all;
    }
    LOCHAN_TRYG(
        lochan_pq_group_read__begin(&g, reader, row_group, columns, n, WHOLE_CHUNK, false, err));
    LOCHAN_TRYG(check_output(&g, err));
    LOCHAN_TRYG(lochan_pq_group_read__next(&g, g.rows_left, out, err));
done:
    lochan_pq_group_read__end(&g);
    lochan_mem__free(all);
    return rc;
}
