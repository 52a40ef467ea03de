/* row_group.c - reading the selected columns of one row group, whole or batch by batch, leaves in
 * parallel. Invariant: a batch is assembled only after every leaf delivered its rows. May call:
 * base/, arrow/, the rest of parquet/.
 */
#include "parquet/assemble.h"
#include "parquet/reader_own.h"

/* Whole row groups of claimed rows are decoded without further thought up to OUTPUT_FREE bytes of
 * arrays; beyond, the pages must hold at least a byte for OUTPUT_RATIO of them. */
enum { OUTPUT_FREE = 512 << 20, OUTPUT_RATIO = 2000 };
enum { WHOLE_CHUNK = 16 << 20 };

/* Leaves that cost next to nothing are not worth a task of their own. */
enum { ROWS_FOR_TASKS = 2048 };

static void select_leaves(lochan_pq_group_read *g, const lochan_pq_field *field) {
    if (field->leaf >= 0) {
        g->leaves[field->leaf].leaf = lochan_pq_projection__leaf(g->projection, field->leaf);
        g->selected[g->n_selected++] = field->leaf;
    }
    for (int i = 0; i < field->n_children; i++)
        select_leaves(g, &field->children[i]);
}

/* Whether a flat column of text has a dictionary in this row group. */
static bool has_text_dictionary(const lochan_pq_leaf *leaf, const lochan_pq_column_chunk *chunk) {
    return leaf->convert == LOCHAN_PQ_CONVERT_BYTES && lochan_type__is_bytes(leaf->type.id) &&
           leaf->n_parts == 1 && leaf->max_rep == 0 && LOCHAN_PQ_HAS(&chunk->meta, 11);
}

bool lochan_pq_group_read__is_keyed(const lochan_pq_group_read *g, size_t i) {
    const lochan_pq_field *field = &g->projection->columns[i];
    return field->leaf >= 0 && g->leaves[field->leaf].as_keys && !field->schema->dictionary;
}

static lochan_status open_column(lochan_pq_group_read *g, const lochan_pq_field *field,
                                 size_t window, bool text_keys, lochan_error *err) {
    if (field->leaf >= 0) {
        const lochan_pq_leaf *leaf = g->leaves[field->leaf].leaf;
        const lochan_pq_column_chunk *chunk =
            lochan_pq_reader__chunk(g->reader, g->row_group, leaf->index);
        bool asked = field->schema->dictionary != NULL;
        bool keyed = text_keys && !asked && has_text_dictionary(leaf, chunk);
        g->keyed = g->keyed || keyed;
        return lochan_pq_column__open(&g->leaves[field->leaf], &g->reader->file, leaf, chunk,
                                      g->row_group, g->rows_left, asked || keyed, window, err);
    }
    for (int i = 0; i < field->n_children; i++)
        LOCHAN_TRY(open_column(g, &field->children[i], window, text_keys, err));
    return LOCHAN_OK;
}

lochan_status lochan_pq_group_read__begin(lochan_pq_group_read *g, lochan_pq_reader *reader,
                                          int row_group, const lochan_pq_projection *projection,
                                          size_t window, bool text_keys, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t slots = (size_t)reader->schema.n_leaves + (size_t)projection->n_flat;
    *g = (lochan_pq_group_read){.reader = reader, .row_group = row_group, .projection = projection};
    g->rows_left = lochan_pq_reader__group(reader, row_group)->num_rows;
    g->leaves = lochan_mem__array(slots + 1, sizeof *g->leaves);
    g->selected = lochan_mem__array(slots + 1, sizeof *g->selected);
    if (!g->leaves || !g->selected) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < projection->n; i++)
        select_leaves(g, &projection->columns[i]);
    for (size_t i = 0; i < projection->n; i++)
        LOCHAN_TRYG(open_column(g, &projection->columns[i], window, text_keys, err));
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
    if (task->bits)
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
    struct ArrowArray *out;
} assemble_task;

static void clear_leaves(lochan_pq_group_read *g, const lochan_pq_field *field) {
    for (int i = 0; i < field->n_children; i++)
        clear_leaves(g, &field->children[i]);
    if (field->leaf < 0)
        return;
    lochan_pq_column *c = &g->leaves[field->leaf];
    lochan_pq_column__clear(c);
    if (c->as_keys)
        settle(g, c);
}

static lochan_status assemble_column(void *ctx, size_t i, lochan_error *err) {
    assemble_task *task = ctx;
    lochan_pq_group_read *g = task->g;
    const lochan_pq_field *field = &g->projection->columns[i];
    LOCHAN_TRY(lochan_pq_assemble(field, g->leaves, task->out->children[i], err));
    clear_leaves(g, field);
    return LOCHAN_OK;
}

static bool has_nested(const lochan_pq_group_read *g) {
    for (size_t i = 0; i < g->projection->n; i++) {
        if (g->projection->columns[i].leaf < 0)
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
    assemble_task task = {g, out};
    memset(out, 0, sizeof *out);
    atomic_store(&g->batch_bytes, 0);
    LOCHAN_TRY(for_leaves(g, read_leaf, (leaf_task){g, rows, kept, bits}, err));
    LOCHAN_TRY(lochan_array__init(out, 1, (int64_t)g->projection->n, err));
    /* flat columns only hand their buffers over */
    lochan_pool *pool = rows >= ROWS_FOR_TASKS && has_nested(g) ? ctx->pool : NULL;
    LOCHAN_TRYG(lochan_pool__for(pool, g->projection->n, assemble_column, &task, ctx->cancel, err));
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
        const lochan_pq_leaf *leaf = g->leaves[g->selected[i]].leaf;
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

/* The columns named by number as wants, their leaves marked. */
static lochan_status want_columns(const lochan_pq_schema *schema, const int *columns, size_t n,
                                  lochan_pq_want *wants, bool *marks, lochan_error *err) {
    for (size_t i = 0; i < n; i++) {
        int column = columns ? columns[i] : (int)i;
        if (column < 0 || column >= schema->root.n_children)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "there is no column %d",
                                     column);
        for (size_t j = 0; j < i; j++) {
            if (wants[j].column == column)
                return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                         "column %d is asked for twice", column);
        }
        wants[i] = (lochan_pq_want){column, -1};
        lochan_pq_column__mark(schema, column, marks);
    }
    return LOCHAN_OK;
}

lochan_status lochan_pq_reader__read_row_group(lochan_pq_reader *reader, int row_group,
                                               const int *columns, size_t n, struct ArrowArray *out,
                                               lochan_error *err) {
    const lochan_pq_schema *schema = &reader->schema;
    lochan_pq_group_read g = {0};
    lochan_pq_projection projection = {0};
    lochan_status rc;
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(row_group >= 0 && row_group < (int)reader->meta.row_groups.n, err);
    n = columns ? n : (size_t)schema->root.n_children;
    lochan_pq_want *wants = lochan_mem__array(n + 1, sizeof *wants);
    bool *marks = lochan_mem__array((size_t)schema->n_leaves + 1, sizeof *marks);
    if (!wants || !marks) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(want_columns(schema, columns, n, wants, marks, err));
    LOCHAN_TRYG(lochan_pq_projection__make(&projection, schema, wants, n, marks, err));
    LOCHAN_TRYG(
        lochan_pq_group_read__begin(&g, reader, row_group, &projection, WHOLE_CHUNK, false, err));
    atomic_fetch_add_explicit(&reader->file.row_groups_read, 1, memory_order_relaxed);
    LOCHAN_TRYG(check_output(&g, err));
    LOCHAN_TRYG(lochan_pq_group_read__next(&g, g.rows_left, out, err));
done:
    lochan_pq_group_read__end(&g);
    lochan_pq_projection__deinit(&projection);
    lochan_mem__free(wants);
    lochan_mem__free(marks);
    return rc;
}
