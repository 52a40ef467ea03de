/* row_group.c - reading the selected columns of one row group: leaf by leaf for streams, or whole.
 * Invariant: a batch is assembled only after every leaf delivered its rows. May call:
 * base/, arrow/, the rest of parquet/.
 */
#include "parquet/assemble.h"
#include "parquet/reader_own.h"

/* Whole row groups of claimed rows are decoded without further thought up to OUTPUT_FREE bytes of
 * arrays; beyond, the pages must hold at least a byte for OUTPUT_RATIO of them. */
enum { OUTPUT_FREE = 512 << 20, OUTPUT_RATIO = 2000 };
enum { WHOLE_CHUNK = 16 << 20 };

/* Whether a flat column of text has a dictionary in this row group. */
static bool has_text_dictionary(const lochan_pq_leaf *leaf, const lochan_pq_column_chunk *chunk) {
    return leaf->convert == LOCHAN_PQ_CONVERT_BYTES && lochan_type__is_bytes(leaf->type.id) &&
           leaf->n_parts == 1 && leaf->max_rep == 0 && LOCHAN_PQ_HAS(&chunk->meta, 11);
}

bool lochan_pq_group_read__is_keyed(const lochan_pq_group_read *g, size_t i) {
    const lochan_pq_field *field = &g->projection->columns[i];
    return field->leaf >= 0 && lochan_pq_group_read__column(g, field->leaf)->as_keys &&
           !field->schema->dictionary;
}

static lochan_status open_column(lochan_pq_group_read *g, const lochan_pq_field *field,
                                 size_t window, bool text_keys, lochan_error *err) {
    if (field->leaf >= 0) {
        const lochan_pq_leaf *leaf = lochan_pq_projection__leaf(g->projection, field->leaf);
        const lochan_pq_column_chunk *chunk =
            lochan_pq_reader__chunk(g->reader, g->row_group, leaf->index);
        bool asked = field->schema->dictionary != NULL;
        bool keyed = text_keys && !asked && has_text_dictionary(leaf, chunk);
        g->keyed = g->keyed || keyed;
        return lochan_pq_column__open(lochan_pq_group_read__column(g, field->leaf),
                                      &g->reader->file, leaf, chunk, g->row_group, g->rows,
                                      asked || keyed, window, err);
    }
    for (int i = 0; i < field->n_children; i++)
        LOCHAN_TRY(open_column(g, &field->children[i], window, text_keys, err));
    return LOCHAN_OK;
}

lochan_status lochan_pq_group_read__begin(lochan_pq_group_read *g, lochan_pq_reader *reader,
                                          int row_group, const lochan_pq_projection *projection,
                                          size_t window, bool text_keys, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *g = (lochan_pq_group_read){.reader = reader, .row_group = row_group, .projection = projection};
    g->rows = lochan_pq_reader__group(reader, row_group)->num_rows;
    g->leaves = lochan_mem__array(projection->n_slots + 1, sizeof *g->leaves);
    if (!g->leaves) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < projection->n; i++)
        LOCHAN_TRYG(open_column(g, &projection->columns[i], window, text_keys, err));
done:
    if (rc != LOCHAN_OK)
        lochan_pq_group_read__end(g);
    return rc;
}

void lochan_pq_group_read__end(lochan_pq_group_read *g) {
    for (size_t i = 0; g->leaves && i < g->projection->n_slots; i++)
        lochan_pq_column__close(&g->leaves[i]);
    lochan_mem__free(g->leaves);
    memset(g, 0, sizeof *g);
}

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

lochan_status lochan_pq_group_read__leaf(lochan_pq_group_read *g, size_t i, int64_t row,
                                         int64_t rows, const uint8_t *bits, int64_t kept,
                                         lochan_pq_leaf_rows *out, size_t *bytes,
                                         lochan_error *err) {
    lochan_pq_column *c = &g->leaves[i];
    *bytes = 0;
    LOCHAN_TRY(lochan_pq_column__skip(c, row - c->row, err));
    if (bits)
        LOCHAN_TRY(lochan_pq_column__read_selected(c, bits, rows, kept, err));
    else
        LOCHAN_TRY(lochan_pq_column__read(c, rows, err));
    *bytes = lochan_pq_column__batch_bytes(c);
    if (!c->as_keys) /* keys: their dictionary goes into the batch first */
        settle(g, c);
    LOCHAN_TRY(lochan_pq_leaf_rows__take(out, c, err));
    if (c->as_keys)
        settle(g, c);
    return LOCHAN_OK;
}

lochan_status lochan_pq_group_read__assemble(const lochan_pq_group_read *g,
                                             lochan_pq_leaf_rows *leaves, int64_t length,
                                             struct ArrowArray *out, lochan_error *err) {
    const lochan_pq_projection *p = g->projection;
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(lochan_array__init(out, 1, (int64_t)p->n, err));
    for (size_t i = 0; i < p->n; i++)
        LOCHAN_TRYG(lochan_pq_assemble(&p->columns[i], p->place, leaves, out->children[i], err));
    out->length = length;
done:
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

/* Refuses whole row groups whose claimed rows could not come from their bytes. */
static lochan_status check_output(const lochan_pq_group_read *g, lochan_error *err) {
    uint64_t output = 0, stored = 0, rows = (uint64_t)g->rows;
    for (size_t i = 0; i < g->projection->n_slots; i++) {
        const lochan_pq_leaf *leaf = g->leaves[i].leaf;
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
                          g->row_group, (long long)g->rows, (unsigned long long)stored);
    return lochan_error__in_file(err, rc, g->reader->file.name, -1);
}

typedef struct whole_task {
    lochan_pq_group_read *g;
    lochan_pq_leaf_rows *leaves;
} whole_task;

static lochan_status read_whole(void *ctx, size_t i, lochan_error *err) {
    whole_task *task = ctx;
    size_t bytes;
    return lochan_pq_group_read__leaf(task->g, i, 0, task->g->rows, NULL, task->g->rows,
                                      &task->leaves[i], &bytes, err);
}

/* All rows of the row group. */
static lochan_status read_group(lochan_pq_group_read *g, struct ArrowArray *out,
                                lochan_error *err) {
    const lochan_ctx *ctx = &g->reader->file.ctx;
    size_t n = g->projection->n_slots;
    whole_task task = {g, lochan_mem__array(n + 1, sizeof *task.leaves)};
    if (!task.leaves)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_pool__for(ctx->pool, n, read_whole, &task, ctx->cancel, err);
    if (rc == LOCHAN_OK)
        rc = lochan_pq_group_read__assemble(g, task.leaves, g->rows, out, err);
    for (size_t i = 0; i < n; i++)
        lochan_pq_leaf_rows__free(&task.leaves[i]);
    lochan_mem__free(task.leaves);
    return rc;
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
    LOCHAN_TRYG(read_group(&g, out, err));
done:
    lochan_pq_group_read__end(&g);
    lochan_pq_projection__deinit(&projection);
    lochan_mem__free(wants);
    lochan_mem__free(marks);
    return rc;
}
