/* writer.c - see writer.h. Options, metadata and the footer; group_writer.c does the rows. May
 * call: base/, arrow/, the rest of parquet/.
 */
#include "parquet/writer.h"
#include "parquet/encode.h"
#include "parquet/summary_own.h"
#include "parquet/writer_own.h"

#define BIT LOCHAN_THRIFT_BIT

enum {
    DEFAULT_GROUP_ROWS = 131072,
    DEFAULT_GROUP_BYTES = 64 << 20,
    DEFAULT_PAGE_BYTES = 1 << 20,
    DEFAULT_STATISTICS_BYTES = 64,
    MIN_STEP_ROWS = 8192, /* rows between two looks at the size of the row group: */
    MAX_STEP_ROWS = 65536,
    STEP_BYTES = 8 << 20,  /* about so many bytes */
    GROUPS_OF_LIMIT = 4,   /* the part of a memory limit that encoded pages may take, */
    PAGES_OF_LIMIT = 16,   /* that what waits for its page may take, */
    MIN_PAGE_BYTES = 4096, /* and the least of a page */
    MAX_ROW_GROUPS = 32767 /* an ordinal has 16 bits */
};

lochan_status lochan_pq_writer__fail(lochan_pq_writer *w, lochan_status rc, lochan_error *err) {
    if (rc != LOCHAN_OK && w->failed == LOCHAN_OK)
        w->failed = rc;
    return rc == LOCHAN_OK ? rc : lochan_error__in_file(err, rc, w->name, -1);
}

lochan_status lochan_pq_writer__check(lochan_pq_writer *w, lochan_error *err) {
    if (w->failed != LOCHAN_OK)
        return lochan_error__set(err, w->failed, "writing %s has failed before", w->name);
    if (w->closed)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "%s is closed", w->name);
    return LOCHAN_OK;
}

lochan_status lochan_pq_writer__put(lochan_pq_writer *w, const void *p, size_t n,
                                    lochan_error *err) {
    if (n == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(w->sink.write(w->sink.self, p, n, err));
    w->offset += n;
    return LOCHAN_OK;
}

/* ---- sinks ---- */

static lochan_status write_file(void *self, const void *p, size_t n, lochan_error *err) {
    lochan_pq_file_sink *s = self;
    LOCHAN_TRY(lochan_file__write(s->file, p, n, s->offset, err));
    s->offset += n;
    return LOCHAN_OK;
}

lochan_pq_sink lochan_pq_sink__of_file(lochan_pq_file_sink *state, lochan_file *file) {
    *state = (lochan_pq_file_sink){file, 0};
    return (lochan_pq_sink){write_file, state, lochan_file__path(file)};
}

static lochan_status write_buf(void *self, const void *p, size_t n, lochan_error *err) {
    return lochan_buf__append(self, p, n, err);
}

lochan_pq_sink lochan_pq_sink__of_buf(lochan_buf *buf) {
    return (lochan_pq_sink){write_buf, buf, "memory"};
}

/* ---- open ---- */

static lochan_status fill_options(lochan_pq_writer *w, const lochan_pq_write_options *options,
                                  lochan_error *err) {
    lochan_pq_write_options *o = &w->options;
    if (options)
        *o = *options;
    if (!o->codec_set)
        o->codec = LOCHAN_PQ_ZSTD;
    if (!lochan_pq_codec__writable(o->codec))
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "codec %s cannot be written",
                                 lochan_pq_codec__label(o->codec));
    if (!lochan_pq_codec__level_ok(o->codec, o->level))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "codec %s has no level %d",
                                 lochan_pq_codec__label(o->codec), o->level);
    LOCHAN_CHECK_ARG(o->row_group_rows >= 0 && o->row_group_bytes >= 0 && o->page_bytes >= 0 &&
                         o->page_rows >= 0 && o->max_statistics_bytes >= 0,
                     err);
    o->row_group_rows = o->row_group_rows ? o->row_group_rows : DEFAULT_GROUP_ROWS;
    o->row_group_bytes = o->row_group_bytes ? o->row_group_bytes : DEFAULT_GROUP_BYTES;
    o->page_bytes = o->page_bytes ? o->page_bytes : DEFAULT_PAGE_BYTES;
    o->max_statistics_bytes =
        o->max_statistics_bytes ? o->max_statistics_bytes : DEFAULT_STATISTICS_BYTES;
    o->created_by =
        lochan_arena__strdup(&w->arena, o->created_by ? o->created_by : "lochan version 0.1.0");
    lochan_sort_key *sorting = lochan_arena__array(&w->arena, o->n_sorting + 1, sizeof *sorting);
    if (!o->created_by || !sorting)
        return lochan_error__nomem(err);
    if (o->n_sorting > 0)
        memcpy(sorting, o->sorting, o->n_sorting * sizeof *sorting);
    o->sorting = sorting;
    return LOCHAN_OK;
}

/* Encodings asked for by path: copied, checked against the leaves. */
static lochan_status check_encodings(lochan_pq_writer *w, lochan_error *err) {
    lochan_pq_write_options *o = &w->options;
    lochan_pq_column_encoding *copy =
        lochan_arena__array(&w->arena, o->n_encodings + 1, sizeof *copy);
    if (!copy)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < o->n_encodings; i++) {
        const lochan_pq_leaf *leaf = NULL;
        copy[i] = o->encodings[i];
        for (int l = 0; l < w->schema.n_leaves && !leaf; l++) {
            if (strcmp(w->schema.leaves[l].path, copy[i].path) == 0)
                leaf = &w->schema.leaves[l];
        }
        if (!leaf)
            return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no column '%s' to encode",
                                     copy[i].path);
        bool dictionary =
            copy[i].encoding == LOCHAN_PQ_RLE_DICTIONARY && leaf->physical != LOCHAN_PQ_BOOLEAN;
        if (!dictionary && !lochan_pq_encode__fits(copy[i].encoding, leaf))
            return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                     "column '%s' of %s cannot be encoded as %s", leaf->path,
                                     lochan_pq_physical__name(leaf->physical),
                                     lochan_pq_encoding__name(copy[i].encoding));
        copy[i].path = leaf->path;
    }
    o->encodings = copy;
    return LOCHAN_OK;
}

/* Columns with Bloom filters: copied, checked against the leaves. */
static lochan_status check_blooms(lochan_pq_writer *w, lochan_error *err) {
    lochan_pq_write_options *o = &w->options;
    const char **copy = lochan_arena__array(&w->arena, o->n_bloom_filters + 1, sizeof *copy);
    if (!copy)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < o->n_bloom_filters; i++) {
        const lochan_pq_leaf *leaf = NULL;
        for (int l = 0; l < w->schema.n_leaves && !leaf; l++) {
            if (strcmp(w->schema.leaves[l].path, o->bloom_filters[i]) == 0)
                leaf = &w->schema.leaves[l];
        }
        if (!leaf)
            return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                                     "there is no column '%s' for a Bloom filter",
                                     o->bloom_filters[i]);
        if (!lochan_pq_bloom__fits(leaf))
            return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                     "column '%s' of %s cannot have a Bloom filter", leaf->path,
                                     lochan_pq_physical__name(leaf->physical));
        copy[i] = leaf->path;
    }
    o->bloom_filters = copy;
    return LOCHAN_OK;
}

static lochan_status check_sorting(const lochan_pq_writer *w, lochan_error *err) {
    for (size_t i = 0; i < w->options.n_sorting; i++) {
        int c = w->options.sorting[i].column;
        if (c < 0 || c >= w->schema.root.n_children || w->schema.root.children[c].leaf < 0)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "sorting column %d is not a flat column", c);
    }
    return LOCHAN_OK;
}

/* Long steps make few pauses in which threads wait for each other. From schema and options alone,
 * since row groups end between steps. */
static int64_t choose_step(const lochan_pq_writer *w) {
    int64_t row = 0, step = MIN_STEP_ROWS, most = w->options.row_group_bytes / 16;
    for (int i = 0; i < w->schema.n_leaves; i++)
        row += w->schema.leaves[i].width ? w->schema.leaves[i].width : 16;
    most = most < STEP_BYTES ? most : STEP_BYTES;
    while (step < MAX_STEP_ROWS && step * 2 * row <= most)
        step *= 2;
    while (w->ctx.budget && w->ctx.budget->limit > 0 && step > LOCHAN_PQ_WRITE_BLOCK &&
           step * row > most)
        step /= 2;
    return step;
}

/* With a memory limit row groups end sooner and pages are smaller, so that wide tables pass too.
 * What pages hold and what waits for its page may take more than these parts: buffers grow by
 * doubling. */
static void fit_budget(lochan_pq_writer *w) {
    lochan_pq_write_options *o = &w->options;
    int64_t limit = w->ctx.budget && w->ctx.budget->limit < INT64_MAX
                        ? (int64_t)w->ctx.budget->limit
                        : 0,
            leaves = w->schema.n_leaves > 0 ? w->schema.n_leaves : 1;
    if (limit == 0)
        return;
    int64_t page = limit / PAGES_OF_LIMIT / leaves;
    page = page > MIN_PAGE_BYTES ? page : MIN_PAGE_BYTES;
    o->page_bytes = page < o->page_bytes ? (int32_t)page : o->page_bytes;
    if (limit / GROUPS_OF_LIMIT < o->row_group_bytes)
        o->row_group_bytes = limit / GROUPS_OF_LIMIT;
}

lochan_status lochan_pq_writer__open(const lochan_ctx *ctx, const lochan_pq_sink *sink,
                                     const struct ArrowSchema *schema,
                                     const lochan_pq_write_options *options, lochan_pq_writer **out,
                                     lochan_error *err) {
    lochan_status rc;
    *out = NULL;
    lochan_pq_writer *w = lochan_mem__zalloc(sizeof *w);
    if (!w)
        return lochan_error__nomem(err);
    if (ctx)
        w->ctx = *ctx;
    w->sink = *sink;
    pthread_mutex_init(&w->lock, NULL);
    lochan_arena__init(&w->arena, 0);
    lochan_buf__init(&w->column_indexes, INT32_MAX);
    lochan_buf__init(&w->offset_indexes, INT32_MAX);
    w->name = lochan_mem__strdup(sink->name ? sink->name : "");
    if (!w->name) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(fill_options(w, options, err));
    LOCHAN_TRYG(lochan_pq_schema__from_arrow(schema, &w->schema, err));
    fit_budget(w);
    LOCHAN_TRYG(check_sorting(w, err));
    LOCHAN_TRYG(check_encodings(w, err));
    LOCHAN_TRYG(check_blooms(w, err));
    w->columns = lochan_mem__array((size_t)w->schema.n_leaves + 1, sizeof *w->columns);
    w->order = lochan_mem__array((size_t)w->schema.n_leaves + 1, sizeof *w->order);
    if (!w->columns || !w->order) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (; w->n_columns < w->schema.n_leaves; w->n_columns++)
        LOCHAN_TRYG(lochan_pq_column_writer__init(&w->columns[w->n_columns], &w->schema,
                                                  &w->schema.leaves[w->n_columns], &w->options,
                                                  &w->codecs, w->ctx.budget, err));
    for (int i = 0; i < w->n_columns; i++)
        w->order[i] = i;
    w->any_thread =
        w->options.sink_any_thread || sink->write == write_file || sink->write == write_buf;
    w->step_rows = choose_step(w);
    LOCHAN_TRYG(lochan_pq_writer__put(w, "PAR1", 4, err));
    *out = w;
done:
    if (rc != LOCHAN_OK)
        lochan_pq_writer__free(w);
    return rc;
}

void lochan_pq_writer__free(lochan_pq_writer *w) {
    if (!w)
        return;
    for (int i = 0; i < w->n_columns; i++)
        lochan_pq_column_writer__deinit(&w->columns[i]);
    pthread_mutex_destroy(&w->lock);
    lochan_mem__free(w->columns);
    lochan_mem__free(w->order);
    lochan_mem__free(w->groups);
    lochan_mem__free(w->metadata);
    lochan_mem__free(w->name);
    lochan_pq_codec_cache__deinit(&w->codecs);
    lochan_pq_schema__deinit(&w->schema);
    lochan_buf__deinit(&w->column_indexes);
    lochan_buf__deinit(&w->offset_indexes);
    lochan_arena__deinit(&w->arena);
    lochan_mem__free(w);
}

/* ---- rows ---- */

uint64_t lochan_pq_writer__bytes(const lochan_pq_writer *w) {
    uint64_t n = w->offset;
    for (int i = 0; i < w->n_columns; i++)
        n += lochan_pq_column_writer__bytes(&w->columns[i]);
    return n;
}

int64_t lochan_pq_writer__rows(const lochan_pq_writer *w) {
    return w->rows + w->group_rows;
}

static lochan_status check_batch(const lochan_pq_writer *w, const struct ArrowArray *batch,
                                 lochan_error *err) {
    if (batch->n_children != w->schema.root.n_children)
        return lochan_error__set(err, LOCHAN_ERR_SCHEMA, "a batch of %lld columns for a file of %d",
                                 (long long)batch->n_children, w->schema.root.n_children);
    for (int64_t i = 0; i < batch->n_children; i++) {
        if (batch->children[i]->length < batch->offset + batch->length)
            return lochan_error__set(err, LOCHAN_ERR_DATA,
                                     "column %lld of a batch is shorter than the batch",
                                     (long long)i);
    }
    return LOCHAN_OK;
}

lochan_status lochan_pq_writer__write_batch(lochan_pq_writer *w, const struct ArrowArray *batch,
                                            lochan_error *err) {
    LOCHAN_TRY(lochan_pq_writer__check(w, err));
    LOCHAN_CHECK_ARG(!w->finished, err);
    LOCHAN_TRY(check_batch(w, batch, err));
    return lochan_pq_writer__fail(w, lochan_pq_writer__put_rows(w, batch, err), err);
}

/* ---- row groups ---- */

lochan_status lochan_pq_writer__add_group(lochan_pq_writer *w, lochan_pq_row_group_meta **out,
                                          lochan_error *err) {
    if (w->n_groups == w->cap_groups) {
        size_t cap = w->cap_groups ? w->cap_groups * 2 : 16;
        lochan_pq_row_group_meta *groups = lochan_mem__realloc(w->groups, cap * sizeof *groups);
        if (!groups)
            return lochan_error__nomem(err);
        w->groups = groups;
        w->cap_groups = cap;
    }
    lochan_pq_row_group_meta *g = &w->groups[w->n_groups];
    memset(g, 0, sizeof *g);
    g->set = BIT(1) | BIT(2) | BIT(3) | BIT(5) | BIT(6);
    if (w->n_groups <= MAX_ROW_GROUPS) {
        g->set |= BIT(7);
        g->ordinal = (int32_t)w->n_groups;
    }
    g->num_rows = w->group_rows;
    g->file_offset = (int64_t)w->offset;
    *out = g;
    return LOCHAN_OK;
}

lochan_status lochan_pq_writer__put_sorting(lochan_pq_writer *w, lochan_pq_row_group_meta *g,
                                            lochan_error *err) {
    size_t n = w->options.n_sorting;
    if (n == 0)
        return LOCHAN_OK;
    lochan_pq_sorting_column *s = lochan_arena__array(&w->arena, n, sizeof *s);
    if (!s)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++) {
        const lochan_sort_key *k = &w->options.sorting[i];
        s[i] = (lochan_pq_sorting_column){BIT(1) | BIT(2) | BIT(3),
                                          w->schema.root.children[k->column].leaf, k->descending,
                                          k->nulls_first};
    }
    g->set |= BIT(4);
    g->sorting = (lochan_thrift_list){s, (uint32_t)n};
    return LOCHAN_OK;
}

/* Serialises the page indexes of a finished chunk. Their places are counted from the first one
 * until place_indexes. */
lochan_status lochan_pq_writer__put_indexes(lochan_pq_writer *w, const lochan_pq_column_writer *c,
                                            lochan_pq_column_chunk *chunk, lochan_error *err) {
    size_t columns = w->column_indexes.len, offsets = w->offset_indexes.len;
    if (w->options.no_page_index)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_pq_page_index__finish(&c->index, c->leaf, chunk->meta.data_page_offset,
                                            &w->column_indexes, &w->offset_indexes, err));
    if (w->column_indexes.len > columns) {
        chunk->set |= BIT(6) | BIT(7);
        chunk->column_index_offset = (int64_t)columns;
        chunk->column_index_length = (int32_t)(w->column_indexes.len - columns);
    }
    chunk->set |= BIT(4) | BIT(5);
    chunk->offset_index_offset = (int64_t)offsets;
    chunk->offset_index_length = (int32_t)(w->offset_indexes.len - offsets);
    return LOCHAN_OK;
}

lochan_status lochan_pq_writer__put_bloom(lochan_pq_writer *w, lochan_pq_column_writer *c,
                                          lochan_pq_column_chunk *chunk, lochan_error *err) {
    if (c->bloom.len == 0)
        return LOCHAN_OK;
    if (c->bloom.len <= INT32_MAX) {
        chunk->meta.set |= BIT(14) | BIT(15);
        chunk->meta.bloom_filter_offset = (int64_t)w->offset;
        chunk->meta.bloom_filter_length = (int32_t)c->bloom.len;
        LOCHAN_TRY(lochan_pq_writer__put(w, c->bloom.data, c->bloom.len, err));
    }
    lochan_buf__deinit(&c->bloom);
    return LOCHAN_OK;
}

lochan_status lochan_pq_writer__end_row_group(lochan_pq_writer *w, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_writer__check(w, err));
    if (w->group_rows == 0)
        return LOCHAN_OK;
    return lochan_pq_writer__fail(w, lochan_pq_writer__finish_group(w, err), err);
}

lochan_status lochan_pq_writer__finish_data(lochan_pq_writer *w, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_writer__end_row_group(w, err));
    w->finished = true;
    return LOCHAN_OK;
}

/* ---- footer ---- */

lochan_status lochan_pq_writer__set_metadata(lochan_pq_writer *w, const char *key,
                                             const char *value, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_writer__check(w, err));
    size_t i = 0;
    while (i < w->n_metadata && strcmp(w->metadata[i].key.p, key) != 0)
        i++;
    if (i == w->cap_metadata) {
        size_t cap = w->cap_metadata ? w->cap_metadata * 2 : 16;
        lochan_pq_key_value *metadata = lochan_mem__realloc(w->metadata, cap * sizeof *metadata);
        if (!metadata)
            return lochan_error__nomem(err);
        w->metadata = metadata;
        w->cap_metadata = cap;
    }
    char *k = lochan_arena__strdup(&w->arena, key), *v = lochan_arena__strdup(&w->arena, value);
    if (!k || !v)
        return lochan_error__nomem(err);
    w->metadata[i] = (lochan_pq_key_value){BIT(1) | BIT(2), lochan_str__of(k), lochan_str__of(v)};
    if (i == w->n_metadata)
        w->n_metadata++;
    return LOCHAN_OK;
}

static lochan_status make_meta(lochan_pq_writer *w, lochan_pq_file_meta *meta, lochan_error *err) {
    lochan_pq_column_order *orders =
        lochan_arena__array(&w->arena, (size_t)w->n_columns + 1, sizeof *orders);
    if (!orders)
        return lochan_error__nomem(err);
    for (int i = 0; i < w->n_columns; i++)
        orders[i].set = BIT(1);
    *meta = (lochan_pq_file_meta){.set = BIT(1) | BIT(2) | BIT(3) | BIT(4) | BIT(6) | BIT(7),
                                  .version = 2};
    meta->schema = (lochan_thrift_list){w->schema.elements, w->schema.n_elements};
    meta->num_rows = w->rows;
    meta->row_groups = (lochan_thrift_list){w->groups, (uint32_t)w->n_groups};
    meta->created_by = lochan_str__of(w->options.created_by);
    meta->column_orders = (lochan_thrift_list){orders, (uint32_t)w->n_columns};
    if (w->n_metadata > 0) {
        meta->set |= BIT(5);
        meta->key_values = (lochan_thrift_list){w->metadata, (uint32_t)w->n_metadata};
    }
    return LOCHAN_OK;
}

/* Writes all column indexes, then all offset indexes, and turns their places into those of the
 * file. */
static lochan_status place_indexes(lochan_pq_writer *w, lochan_error *err) {
    int64_t columns = (int64_t)w->offset, offsets = columns + (int64_t)w->column_indexes.len;
    for (size_t g = 0; g < w->n_groups; g++) {
        lochan_pq_column_chunk *chunks = w->groups[g].columns.items;
        for (uint32_t i = 0; i < w->groups[g].columns.n; i++) {
            chunks[i].column_index_offset += LOCHAN_PQ_HAS(&chunks[i], 6) ? columns : 0;
            chunks[i].offset_index_offset += LOCHAN_PQ_HAS(&chunks[i], 4) ? offsets : 0;
        }
    }
    LOCHAN_TRY(lochan_pq_writer__put(w, w->column_indexes.data, w->column_indexes.len, err));
    return lochan_pq_writer__put(w, w->offset_indexes.data, w->offset_indexes.len, err);
}

static lochan_status write_footer(lochan_pq_writer *w, lochan_pq_summary *summary,
                                  lochan_error *err) {
    lochan_pq_file_meta meta;
    lochan_buf buf;
    lochan_status rc;
    lochan_buf__init(&buf, INT32_MAX);
    LOCHAN_TRYG(place_indexes(w, err));
    LOCHAN_TRYG(make_meta(w, &meta, err));
    LOCHAN_TRYG(lochan_thrift__write(&buf, &lochan_pq_file_meta__type, &meta, err));
    uint32_t length = (uint32_t)buf.len;
    LOCHAN_TRYG(lochan_buf__u32le(&buf, length, err));
    LOCHAN_TRYG(lochan_buf__append(&buf, "PAR1", 4, err));
    LOCHAN_TRYG(lochan_pq_writer__put(w, buf.data, buf.len, err));
    if (summary)
        LOCHAN_TRYG(lochan_pq_summary__of_meta(&meta, &w->schema, w->offset, length, summary, err));
done:
    lochan_buf__deinit(&buf);
    return rc;
}

lochan_status lochan_pq_writer__close(lochan_pq_writer *w, lochan_pq_summary *summary,
                                      lochan_error *err) {
    if (summary)
        memset(summary, 0, sizeof *summary);
    LOCHAN_TRY(lochan_pq_writer__finish_data(w, err));
    LOCHAN_TRY(lochan_pq_writer__fail(w, write_footer(w, summary, err), err));
    w->closed = true;
    return LOCHAN_OK;
}
