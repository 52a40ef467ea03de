/* copy.c - raw copy of row groups: pages as bytes, metadata and indexes with new offsets; one
 * column may be written anew meanwhile, without nulls. Invariants: a page goes to the sink only
 * after its checksum held; nothing of the reader is referred to afterwards. May call: base/,
 * arrow/, the rest of parquet/.
 */
#include "arrow/builder.h"
#include "arrow/view.h"
#include "parquet/reader_own.h"
#include "parquet/writer_own.h"

#define BIT LOCHAN_THRIFT_BIT

enum { COPY_WINDOW = 1 << 20, MAX_INDEX = 64 << 20 };

/* The file's leaf that a leaf of the writer is copied from, -1 if there is none. */
static int source_leaf(const lochan_pq_leaf *leaf, const lochan_pq_schema *from) {
    for (int i = 0; i < from->n_leaves; i++) {
        const lochan_pq_leaf *other = &from->leaves[i];
        if (leaf->field_id >= 0 || other->field_id >= 0 ? leaf->field_id == other->field_id
                                                        : strcmp(leaf->path, other->path) == 0)
            return i;
    }
    return -1;
}

/* Types as a file keeps them: layouts of text and units of seconds are Arrow's alone. */
static bool same_leaf(const lochan_pq_leaf *a, const lochan_pq_leaf *b) {
    const lochan_pq_logical *x = &a->element->logical, *y = &b->element->logical;
    if (a->physical != b->physical || a->width != b->width || a->max_def != b->max_def ||
        a->max_rep != b->max_rep || lochan_pq_logical__id(x) != lochan_pq_logical__id(y) ||
        a->order != b->order)
        return false;
    switch (lochan_pq_logical__id(x)) {
    case LOCHAN_PQ_LOGICAL_DECIMAL:
        return x->decimal.precision == y->decimal.precision && x->decimal.scale == y->decimal.scale;
    case LOCHAN_PQ_LOGICAL_TIME:
    case LOCHAN_PQ_LOGICAL_TIMESTAMP:
        return x->time.is_utc == y->time.is_utc && x->time.unit.set == y->time.unit.set;
    case LOCHAN_PQ_LOGICAL_INTEGER:
        return x->integer.bit_width == y->integer.bit_width &&
               x->integer.is_signed == y->integer.is_signed;
    default:
        return true;
    }
}

bool lochan_pq_writer__can_copy(const lochan_pq_writer *w, const lochan_pq_reader *r,
                                char reason[160]) {
    char none[160];
    char *why = reason ? reason : none;
    int matched = 0;
    why[0] = '\0';
    for (int i = 0; i < w->schema.n_leaves; i++) {
        const lochan_pq_leaf *leaf = &w->schema.leaves[i];
        int from = source_leaf(leaf, &r->schema);
        if (from < 0) {
            if (!w->schema.root.children[leaf->column].nullable) {
                (void)lochan_format(why, 160, "column '%.80s' is missing and not nullable",
                                    leaf->path);
                return false;
            }
            continue;
        }
        matched++;
        if (!same_leaf(leaf, &r->schema.leaves[from])) {
            (void)lochan_format(why, 160, "column '%.80s' has another type or levels", leaf->path);
            return false;
        }
    }
    if (matched != r->schema.n_leaves)
        (void)lochan_format(why, 160, "the file has columns that are not copied");
    return matched == r->schema.n_leaves;
}

/* ---- copies into the writer's arena ---- */

static bool dup_str(lochan_arena *arena, lochan_str *s) {
    if (s->n == 0)
        return true;
    char *p = lochan_arena__alloc(arena, s->n);
    if (p)
        memcpy(p, s->p, s->n);
    s->p = p;
    return p != NULL;
}

static bool dup_list(lochan_arena *arena, lochan_thrift_list *list, size_t size) {
    if (list->n == 0)
        return true;
    void *items = lochan_arena__array(arena, list->n, size);
    if (items)
        memcpy(items, list->items, list->n * size);
    list->items = items;
    return items != NULL;
}

/* The metadata of a chunk that moves by `shift` bytes. */
static lochan_status copy_meta(lochan_pq_writer *w, const lochan_pq_leaf *leaf,
                               const lochan_pq_column_meta *from, int64_t shift,
                               lochan_pq_column_chunk *out, lochan_error *err) {
    lochan_pq_column_meta *m = &out->meta;
    memset(out, 0, sizeof *out);
    out->set = BIT(2) | BIT(3);
    *m = *from;
    m->set &= ~(BIT(14) | BIT(15));
    m->path = (lochan_thrift_list){(void *)(uintptr_t)leaf->parts, leaf->n_parts};
    if (__builtin_add_overflow(m->data_page_offset, shift, &m->data_page_offset) ||
        (LOCHAN_PQ_HAS(m, 11) &&
         __builtin_add_overflow(m->dictionary_page_offset, shift, &m->dictionary_page_offset)))
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "column '%s' claims pages outside the file", leaf->path);
    lochan_pq_statistics *s = &m->statistics;
    if (!dup_str(&w->arena, &s->min) || !dup_str(&w->arena, &s->max) ||
        !dup_str(&w->arena, &s->min_old) || !dup_str(&w->arena, &s->max_old) ||
        !dup_list(&w->arena, &m->encodings, sizeof(int32_t)) ||
        !dup_list(&w->arena, &m->encoding_stats, sizeof(lochan_pq_encoding_stats)) ||
        !dup_list(&w->arena, &m->sizes.rep_histogram, sizeof(int64_t)) ||
        !dup_list(&w->arena, &m->sizes.def_histogram, sizeof(int64_t)))
        return lochan_error__nomem(err);
    return LOCHAN_OK;
}

/* ---- pages ---- */

/* Copies all pages of a chunk. *shift = how far they move. */
static lochan_status copy_pages(lochan_pq_writer *w, lochan_pq_reader *r, int row_group,
                                const lochan_pq_column_chunk *chunk, const lochan_pq_leaf *leaf,
                                int64_t *shift, lochan_error *err) {
    lochan_pq_pages pages;
    lochan_pq_page page;
    bool more;
    lochan_status rc =
        lochan_pq_pages__init(&pages, &r->file, leaf, chunk, row_group, COPY_WINDOW, err);
    *shift = (int64_t)w->offset - (int64_t)pages.pos;
    uint64_t at = pages.pos;
    while (rc == LOCHAN_OK) {
        const uint8_t *bytes;
        size_t n;
        LOCHAN_TRYG(lochan_pq_pages__next(&pages, &page, &more, err));
        if (!more)
            break;
        if (page.offset != at) { /* something between two pages that we do not know */
            rc = lochan_pq_pages__fail(&pages, &page, LOCHAN_ERR_UNSUPPORTED, err,
                                       "pages with gaps between them");
            goto done;
        }
        LOCHAN_TRYG(lochan_pq_pages__raw(&pages, &page, &bytes, &n, err));
        LOCHAN_TRYG(lochan_pq_writer__put(w, bytes, n, err));
        at += n;
    }
    if (rc == LOCHAN_OK && at != pages.end)
        rc = lochan_pq_pages__fail(&pages, NULL, LOCHAN_ERR_UNSUPPORTED, err,
                                   "bytes after its last page");
done:
    lochan_pq_pages__deinit(&pages);
    return rc;
}

/* ---- indexes ---- */

static lochan_status read_index(lochan_pq_reader *r, int64_t offset, int32_t length,
                                lochan_buf *out, lochan_error *err) {
    if (offset < 0 || length <= 0 || length > MAX_INDEX)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "a page index of %d bytes at %lld",
                                 (int)length, (long long)offset);
    lochan_buf__clear(out);
    LOCHAN_TRY(lochan_buf__reserve(out, (size_t)length, err));
    out->len = (size_t)length;
    return lochan_pq_file__read(&r->file, (uint64_t)offset, (size_t)length, out->data, err);
}

static lochan_status shift_offsets(const lochan_buf *in, int64_t shift, lochan_buf *out,
                                   lochan_error *err) {
    lochan_pq_offset_index index;
    lochan_arena arena;
    lochan_cursor cursor = {in->data, in->data + in->len};
    lochan_arena__init(&arena, in->len * 64 + 4096);
    lochan_status rc =
        lochan_thrift__read(&cursor, in->data, &lochan_pq_offset_index__type, &arena, &index, err);
    lochan_pq_page_location *pages = index.pages.items;
    for (uint32_t i = 0; rc == LOCHAN_OK && i < index.pages.n; i++) {
        if (__builtin_add_overflow(pages[i].offset, shift, &pages[i].offset))
            rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "a page index points outside the file");
    }
    if (rc == LOCHAN_OK)
        rc = lochan_thrift__write(out, &lochan_pq_offset_index__type, &index, err);
    lochan_arena__deinit(&arena);
    return rc;
}

static lochan_status copy_indexes(lochan_pq_writer *w, lochan_pq_reader *r,
                                  const lochan_pq_column_chunk *from, int64_t shift,
                                  lochan_pq_column_chunk *out, lochan_error *err) {
    lochan_buf bytes;
    lochan_status rc = LOCHAN_OK;
    lochan_buf__init(&bytes, MAX_INDEX + 1);
    if (LOCHAN_PQ_HAS(from, 4) && LOCHAN_PQ_HAS(from, 5) && !w->options.no_page_index) {
        size_t at = w->offset_indexes.len;
        LOCHAN_TRYG(
            read_index(r, from->offset_index_offset, from->offset_index_length, &bytes, err));
        LOCHAN_TRYG(shift_offsets(&bytes, shift, &w->offset_indexes, err));
        out->set |= BIT(4) | BIT(5);
        out->offset_index_offset = (int64_t)at;
        out->offset_index_length = (int32_t)(w->offset_indexes.len - at);
    }
    if (LOCHAN_PQ_HAS(from, 6) && LOCHAN_PQ_HAS(from, 7) && LOCHAN_PQ_HAS(out, 4)) {
        size_t at = w->column_indexes.len;
        LOCHAN_TRYG(
            read_index(r, from->column_index_offset, from->column_index_length, &bytes, err));
        LOCHAN_TRYG(lochan_buf__append(&w->column_indexes, bytes.data, bytes.len, err));
        out->set |= BIT(6) | BIT(7);
        out->column_index_offset = (int64_t)at;
        out->column_index_length = (int32_t)bytes.len;
    }
done:
    lochan_buf__deinit(&bytes);
    return rc == LOCHAN_OK ? rc : lochan_error__in_file(err, rc, r->file.name, -1);
}

/* ---- Bloom filters ---- */

/* A damaged one is left behind: it could only have saved work. */
static lochan_status copy_bloom(lochan_pq_writer *w, lochan_pq_reader *r,
                                const lochan_pq_column_meta *from, lochan_pq_column_chunk *out,
                                lochan_error *err) {
    lochan_pq_bloom bloom;
    bool found;
    LOCHAN_TRY(lochan_pq_bloom__find(&r->file, from, &bloom, &found, err));
    uint64_t end = found ? bloom.bits + bloom.size : 0;
    if (!found)
        return LOCHAN_OK;
    out->meta.set |= BIT(14) | BIT(15);
    out->meta.bloom_filter_offset = (int64_t)w->offset;
    out->meta.bloom_filter_length = (int32_t)(end - bloom.header);
    lochan_buf bytes;
    lochan_status rc = LOCHAN_OK;
    lochan_buf__init(&bytes, COPY_WINDOW);
    for (uint64_t at = bloom.header; at < end && rc == LOCHAN_OK; at += bytes.len) {
        lochan_buf__clear(&bytes);
        size_t n = end - at < COPY_WINDOW ? (size_t)(end - at) : COPY_WINDOW;
        LOCHAN_TRYG(lochan_buf__reserve(&bytes, n, err));
        bytes.len = n;
        LOCHAN_TRYG(lochan_pq_file__read(&r->file, at, n, bytes.data, err));
        LOCHAN_TRYG(lochan_pq_writer__put(w, bytes.data, n, err));
    }
done:
    lochan_buf__deinit(&bytes);
    return rc;
}

/* ---- row groups ---- */

/* Writes the chunk whose rows the column writer has. */
static lochan_status put_chunk(lochan_pq_writer *w, lochan_pq_column_writer *c,
                               lochan_pq_column_chunk *out, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_column_writer__finish(c, err));
    LOCHAN_TRY(lochan_pq_column_writer__describe(c, (int64_t)w->offset, &w->arena, out, err));
    LOCHAN_TRY(lochan_pq_writer__put_indexes(w, c, out, err));
    LOCHAN_TRY(lochan_pq_writer__put(w, c->dictionary_page.data, c->dictionary_page.len, err));
    LOCHAN_TRY(lochan_pq_writer__put(w, c->pages.data, c->pages.len, err));
    lochan_pq_column_writer__clear(c);
    return LOCHAN_OK;
}

/* A column the file does not have: all null. */
static lochan_status null_chunk(lochan_pq_writer *w, lochan_pq_column_writer *c, int64_t rows,
                                lochan_pq_column_chunk *out, lochan_error *err) {
    LOCHAN_TRY(lochan_pq_column_writer__append_nulls(c, rows, err));
    return put_chunk(w, c, out, err);
}

/* Rows of the filled column: those of `in` (NULL: nulls) with the value in the place of nulls. */
static lochan_status append_filled(lochan_pq_column_writer *c, const lochan_pq_fill *fill,
                                   const struct ArrowSchema *field, const struct ArrowArray *in,
                                   int64_t rows, int64_t row0, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_view view = {0};
    lochan_builder *b = NULL;
    struct ArrowArray filled = {0};
    if (in)
        LOCHAN_TRYG(lochan_view__init(&view, field, in, err));
    LOCHAN_TRYG(lochan_builder__create(fill->field, &b, err));
    LOCHAN_TRYG(lochan_builder__reserve(b, rows, err));
    for (int64_t i = 0; i < rows; i++) {
        bool null = !in || lochan_view__is_null(&view, i);
        LOCHAN_TRYG(
            lochan_builder__int64(b, null ? fill->value : lochan_view__int64(&view, i), err));
    }
    LOCHAN_TRYG(lochan_builder__finish(b, &filled, err));
    LOCHAN_TRYG(lochan_pq_column_writer__append(c, &filled, 0, rows, row0, err));
done:
    lochan_array__release(&filled);
    lochan_builder__free(b);
    lochan_view__deinit(&view);
    return rc;
}

/* A column that is decoded and written anew, batch by batch. */
static lochan_status filled_chunk(lochan_pq_writer *w, lochan_pq_reader *r, int row_group, int leaf,
                                  const lochan_pq_fill *fill, lochan_pq_column_chunk *out,
                                  lochan_error *err) {
    enum { CHUNK = 65536 };
    lochan_status rc = LOCHAN_OK;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    int at = source_leaf(&w->schema.leaves[leaf], &r->schema);
    int column = at >= 0 ? r->schema.leaves[at].column : -1;
    const struct ArrowSchema *field =
        at >= 0 ? lochan_pq_reader__schema(r)->children[column] : NULL;
    int64_t rows = w->group_rows, row = 0, n = 0;
    lochan_pq_scan scan = {
        .columns = &column, .n_columns = 1, .row_groups = &row_group, .n_row_groups = 1};
    if (at >= 0)
        LOCHAN_TRYG(lochan_pq_reader__stream(r, &scan, &stream, err));
    for (; row < rows; row += n) {
        n = rows - row < CHUNK ? rows - row : CHUNK;
        if (at >= 0) {
            LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
            n = batch.release ? batch.length : 0;
        }
        if (n <= 0 || n > rows - row) {
            rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                   "column '%s' of row group %d has another number of rows",
                                   w->schema.leaves[leaf].path, row_group);
            goto done;
        }
        LOCHAN_TRYG(append_filled(&w->columns[leaf], fill, field,
                                  at >= 0 ? batch.children[0] : NULL, n, w->rows + row, err));
        lochan_array__release(&batch);
    }
    rc = put_chunk(w, &w->columns[leaf], out, err);
done:
    lochan_array__release(&batch);
    lochan_stream__release(&stream);
    return rc;
}

static lochan_status copy_group(lochan_pq_writer *w, lochan_pq_reader *r, int row_group,
                                const lochan_pq_fill *fill, lochan_error *err) {
    const lochan_pq_row_group_meta *from = lochan_pq_reader__group(r, row_group);
    lochan_pq_row_group_meta *g = NULL;
    w->group_rows = from->num_rows;
    LOCHAN_TRY(lochan_pq_writer__add_group(w, &g, err));
    lochan_pq_column_chunk *chunks =
        lochan_arena__array(&w->arena, (size_t)w->n_columns + 1, sizeof *chunks);
    if (!chunks)
        return lochan_error__nomem(err);
    g->columns = (lochan_thrift_list){chunks, (uint32_t)w->n_columns};
    LOCHAN_TRY(lochan_pq_writer__put_sorting(w, g, err));
    for (int i = 0; i < w->n_columns; i++) {
        const lochan_pq_leaf *leaf = &w->schema.leaves[i];
        int at = source_leaf(leaf, &r->schema);
        if (fill && leaf->column == fill->column) {
            LOCHAN_TRY(filled_chunk(w, r, row_group, i, fill, &chunks[i], err));
        } else if (at < 0) {
            LOCHAN_TRY(null_chunk(w, &w->columns[i], from->num_rows, &chunks[i], err));
        } else {
            const lochan_pq_column_chunk *chunk = lochan_pq_reader__chunk(r, row_group, at);
            int64_t shift;
            LOCHAN_TRY(copy_pages(w, r, row_group, chunk, &r->schema.leaves[at], &shift, err));
            LOCHAN_TRY(copy_meta(w, leaf, &chunk->meta, shift, &chunks[i], err));
            LOCHAN_TRY(copy_indexes(w, r, chunk, shift, &chunks[i], err));
        }
        if (__builtin_add_overflow(g->total_byte_size, chunks[i].meta.uncompressed_size,
                                   &g->total_byte_size) ||
            __builtin_add_overflow(g->total_compressed, chunks[i].meta.compressed_size,
                                   &g->total_compressed))
            return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "column '%s' claims impossible sizes",
                                     leaf->path);
    }
    for (int i = 0; i < w->n_columns; i++) {
        int at = source_leaf(&w->schema.leaves[i], &r->schema);
        if (at < 0 || (fill && w->schema.leaves[i].column == fill->column))
            LOCHAN_TRY(lochan_pq_writer__put_bloom(w, &w->columns[i], &chunks[i], err));
        else
            LOCHAN_TRY(copy_bloom(w, r, &lochan_pq_reader__chunk(r, row_group, at)->meta,
                                  &chunks[i], err));
    }
    w->n_groups++;
    w->rows += w->group_rows;
    w->group_rows = 0;
    return LOCHAN_OK;
}

/* Only a flat column of 64-bit integers can be filled. */
static bool can_fill(const lochan_pq_writer *w, const lochan_pq_fill *fill) {
    for (int i = 0; i < w->n_columns; i++) {
        const lochan_pq_leaf *leaf = &w->schema.leaves[i];
        if (leaf->column == fill->column)
            return leaf->physical == LOCHAN_PQ_INT64 && leaf->max_rep == 0 && leaf->max_def <= 1 &&
                   leaf->n_parts == 1;
    }
    return false;
}

lochan_status lochan_pq_writer__copy_row_group(lochan_pq_writer *w, lochan_pq_reader *r,
                                               int row_group, lochan_error *err) {
    return lochan_pq_writer__copy_filled(w, r, row_group, NULL, err);
}

lochan_status lochan_pq_writer__copy_filled(lochan_pq_writer *w, lochan_pq_reader *r, int row_group,
                                            const lochan_pq_fill *fill, lochan_error *err) {
    char reason[160];
    LOCHAN_TRY(lochan_pq_writer__end_row_group(w, err));
    LOCHAN_CHECK_ARG(!w->finished && row_group >= 0 && row_group < lochan_pq_reader__row_groups(r),
                     err);
    LOCHAN_CHECK_ARG(!fill || can_fill(w, fill), err);
    if (!lochan_pq_writer__can_copy(w, r, reason))
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "row group %d cannot be copied as it is: %s", row_group, reason);
    if (lochan_pq_reader__group(r, row_group)->num_rows == 0)
        return LOCHAN_OK;
    return lochan_pq_writer__fail(w, copy_group(w, r, row_group, fill, err), err);
}
