/* typed.c - see typed.h. Columns of text go through the writers of CSV columns, so that formats of
 * dates and null texts mean the same everywhere; all others through the cast kernel.
 * Invariant: as in typed.h. May call: base/, arrow/, parquet/, page_columns.h.
 */
#include "source/typed.h"

#include "arrow/kernels.h"
#include "arrow/view.h"
#include "parquet/reader.h"
#include "parquet/writer.h"
#include "source/page_columns.h"

enum { MAX_COLUMNS = 16384, BLOCK_ROWS = 1024 };

/* ---- one column ---- */

/* Cells point into the array: views in text layouts give the bytes themselves. */
static lochan_status take_text(lochan_csv_writer *w, const lochan_view *view, int64_t *bad,
                               lochan_error *err) {
    lochan_csv_cell cells[BLOCK_ROWS];
    size_t text = 0;
    for (int64_t i = 0; i < view->length; i++)
        text += lochan_view__is_null(view, i) ? 0 : lochan_view__bytes(view, i).n;
    LOCHAN_TRY(lochan_csv_writer__reserve(w, view->length, text + 1, err));
    for (int64_t done = 0; done < view->length;) {
        size_t n = 0, at;
        for (; n < BLOCK_ROWS && done + (int64_t)n < view->length; n++) {
            int64_t row = done + (int64_t)n;
            bool null = lochan_view__is_null(view, row);
            lochan_str s = null ? (lochan_str){"", 0} : lochan_view__bytes(view, row);
            if (s.n > INT32_MAX) {
                *bad = row;
                return lochan_error__set(err, LOCHAN_ERR_VALIDATION, "a text is larger than 2 GB");
            }
            cells[n] = (lochan_csv_cell){s.p ? s.p : "", (uint32_t)s.n, null ? LOCHAN_CSV_NULL : 0};
        }
        lochan_status rc = lochan_csv_writer__append(w, cells, 1, n, &at, err);
        if (rc != LOCHAN_OK) {
            *bad = at < n ? done + (int64_t)at : -1;
            return rc;
        }
        done += (int64_t)n;
    }
    return LOCHAN_OK;
}

/* Any value as text, for a column whose type is decided over all pages. */
static lochan_status print_values(const struct ArrowSchema *schema, const struct ArrowArray *column,
                                  struct ArrowArray *out, lochan_error *err) {
    const lochan_type type = {.id = LOCHAN_TYPE_STRING};
    struct ArrowSchema field = {0};
    lochan_builder *builder = NULL;
    lochan_view view = {0};
    lochan_buf text;
    lochan_status rc;
    lochan_buf__init(&text, 64u << 20);
    LOCHAN_TRYG(lochan_view__init(&view, schema, column, err));
    LOCHAN_TRYG(lochan_schema__set_field(&field, "text", &type, true, err));
    LOCHAN_TRYG(lochan_builder__create(&field, &builder, err));
    for (int64_t i = 0; i < view.length; i++) {
        if (lochan_view__is_null(&view, i)) {
            LOCHAN_TRYG(lochan_builder__null(builder, err));
            continue;
        }
        lochan_buf__clear(&text);
        LOCHAN_TRYG(lochan_view__print(&view, i, &text, err));
        LOCHAN_TRYG(
            lochan_builder__str(builder, (lochan_str){(const char *)text.data, text.len}, err));
    }
    LOCHAN_TRYG(lochan_builder__finish(builder, out, err));
done:
    lochan_buf__deinit(&text);
    lochan_builder__free(builder);
    lochan_schema__release(&field);
    lochan_view__deinit(&view);
    return rc;
}

static bool is_text(const lochan_view *view) {
    return view->type.id == LOCHAN_TYPE_STRING || view->type.id == LOCHAN_TYPE_LARGE_STRING ||
           view->type.id == LOCHAN_TYPE_STRING_VIEW;
}

/* The contract is about values: what does not fit is named with its place. */
static lochan_status blame(const char *column, const lochan_type *type, int64_t row,
                           lochan_status rc, lochan_error *err) {
    char name[80];
    if (rc == LOCHAN_ERR_NO_MEMORY || rc == LOCHAN_ERR_MEMORY_LIMIT)
        return rc;
    lochan_type__name(type, name);
    if (err) {
        err->code = LOCHAN_ERR_VALIDATION;
        (void)lochan_error__prefix(err, LOCHAN_ERR_VALIDATION, "column '%.60s', expected %s",
                                   column, name);
        if (row >= 0)
            (void)lochan_error__in_table(err, LOCHAN_ERR_VALIDATION, NULL, column, row);
    }
    return lochan_error__in_table(err, LOCHAN_ERR_VALIDATION, NULL, column, -1);
}

static lochan_status take_column(lochan_csv_writer *w, const struct ArrowSchema *schema,
                                 const struct ArrowArray *column, struct ArrowSchema *out_schema,
                                 struct ArrowArray *out, lochan_error *err) {
    lochan_view view = {0};
    int64_t bad = -1;
    lochan_status rc;
    LOCHAN_TRYG(lochan_schema__set_field(out_schema, w->name, &w->type, w->nullable, err));
    LOCHAN_TRYG(lochan_view__init(&view, schema, column, err));
    if (is_text(&view)) {
        rc = take_text(w, &view, &bad, err);
        if (rc == LOCHAN_OK)
            rc = lochan_csv_writer__finish(w, out, err);
    } else if (w->type.id == LOCHAN_TYPE_STRING) {
        rc = print_values(schema, column, out, err);
    } else {
        rc = lochan_cast(schema, column, out_schema, out, err);
    }
    if (rc != LOCHAN_OK)
        rc = blame(w->name, &w->type, bad, rc, err);
done:
    lochan_view__deinit(&view);
    return rc;
}

/* ---- all of them ---- */

static lochan_status map_columns(lochan_page_columns *columns, const struct ArrowSchema *schema,
                                 lochan_arena *arena, lochan_error *err) {
    if (schema->n_children < 1 || schema->n_children > MAX_COLUMNS)
        return lochan_error__set(err, LOCHAN_ERR_VALIDATION, "rows have %lld columns",
                                 (long long)schema->n_children);
    columns->n = columns->n_named = (size_t)schema->n_children;
    columns->names = lochan_arena__array(arena, columns->n, sizeof *columns->names);
    if (!columns->names)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < columns->n; i++)
        columns->names[i] = schema->children[i]->name ? schema->children[i]->name : "";
    lochan_status rc = lochan_page_columns__check_names(columns, err);
    if (rc == LOCHAN_OK)
        rc = lochan_page_columns__map(columns, arena, err);
    if (rc == LOCHAN_ERR_PAGE && err) /* asking again gives the same columns */
        err->code = LOCHAN_ERR_VALIDATION;
    return rc == LOCHAN_ERR_PAGE ? LOCHAN_ERR_VALIDATION : rc;
}

/* Optional columns that the batch does not have. */
static size_t list_missing(const lochan_csv_options *options, const struct ArrowSchema *schema,
                           const lochan_csv_column **out) {
    size_t n = 0;
    for (size_t i = 0; i < options->n_columns; i++)
        if (options->columns[i].optional &&
            lochan_schema__find(schema, options->columns[i].name) < 0)
            out[n++] = &options->columns[i];
    return n;
}

static lochan_status null_column(const lochan_csv_column *column, int64_t rows,
                                 struct ArrowSchema *schema, struct ArrowArray *out,
                                 lochan_error *err) {
    lochan_builder *builder = NULL;
    lochan_status rc = lochan_schema__set_field(schema, column->name, &column->type, true, err);
    if (rc == LOCHAN_OK)
        rc = lochan_builder__create(schema, &builder, err);
    if (rc == LOCHAN_OK)
        rc = lochan_builder__nulls(builder, rows, err);
    if (rc == LOCHAN_OK)
        rc = lochan_builder__finish(builder, out, err);
    lochan_builder__free(builder);
    return rc;
}

lochan_status lochan_typed__conform(const lochan_csv_options *options,
                                    const struct ArrowSchema *schema,
                                    const struct ArrowArray *batch, struct ArrowSchema *out_schema,
                                    struct ArrowArray *out, lochan_error *err) {
    lochan_page_columns columns = {.options = options, .is_json = true};
    lochan_arena arena;
    lochan_status rc;
    int64_t k = 0;
    size_t n_missing = 0;
    memset(out_schema, 0, sizeof *out_schema);
    memset(out, 0, sizeof *out);
    lochan_arena__init(&arena, 0);
    LOCHAN_TRYG(map_columns(&columns, schema, &arena, err));
    const lochan_csv_column **missing =
        lochan_arena__array(&arena, options->n_columns + 1, sizeof *missing);
    if (!missing) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    n_missing = list_missing(options, schema, missing);
    int64_t n = (int64_t)(columns.n_used + n_missing);
    LOCHAN_TRYG(lochan_schema__init_struct(out_schema, n, err));
    LOCHAN_TRYG(lochan_array__init(out, 1, n, err));
    out->length = batch->length;
    for (size_t i = 0; i < columns.n; i++) {
        if (!columns.used[i])
            continue;
        LOCHAN_TRYG(take_column(&columns.writers[i], schema->children[i], batch->children[i],
                                out_schema->children[k], out->children[k], err));
        k++;
    }
    for (size_t i = 0; i < n_missing; i++, k++)
        LOCHAN_TRYG(
            null_column(missing[i], out->length, out_schema->children[k], out->children[k], err));
done:
    lochan_page_columns__deinit(&columns);
    lochan_arena__deinit(&arena);
    if (rc != LOCHAN_OK) {
        lochan_schema__release(out_schema);
        lochan_array__release(out);
    }
    return rc;
}

/* ---- Parquet ---- */

struct batches {
    struct ArrowArray *items;
    size_t n, cap;
};

static lochan_status read_batches(lochan_pq_reader *reader, struct batches *all,
                                  lochan_error *err) {
    struct ArrowArrayStream stream;
    LOCHAN_TRY(lochan_pq_reader__stream(reader, NULL, &stream, err));
    lochan_status rc = LOCHAN_OK;
    while (rc == LOCHAN_OK) {
        void *items = lochan_mem__grow(all->items, all->n, &all->cap, sizeof *all->items);
        if (!items) {
            rc = lochan_error__nomem(err);
            break;
        }
        all->items = items;
        memset(&all->items[all->n], 0, sizeof *all->items);
        rc = lochan_stream__next(&stream, &all->items[all->n], err);
        if (rc != LOCHAN_OK || !all->items[all->n].release)
            break;
        all->n++;
    }
    lochan_stream__release(&stream);
    return rc;
}

static lochan_status join_batches(const struct ArrowSchema *schema, const struct batches *all,
                                  struct ArrowArray *out, lochan_error *err) {
    const struct ArrowArray **list = lochan_mem__array(all->n + 1, sizeof *list);
    if (!list)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < all->n; i++)
        list[i] = &all->items[i];
    lochan_status rc = lochan_concat(schema, list, all->n, out, err);
    lochan_mem__free((void *)list);
    return rc;
}

lochan_status lochan_typed__decode_parquet(const lochan_ctx *ctx, const lochan_csv_options *options,
                                           const void *body, size_t size,
                                           struct ArrowSchema *schema, struct ArrowArray *batch,
                                           lochan_error *err) {
    const lochan_pq_source source = {.size = size, .name = "the page", .data = body};
    const lochan_pq_read_options read = {.arrow_schema = true};
    lochan_pq_reader *reader = NULL;
    struct batches all = {0};
    struct ArrowArray joined = {0};
    lochan_status rc = lochan_pq_reader__open(ctx, &source, &read, &reader, err);
    if (rc == LOCHAN_OK)
        rc = read_batches(reader, &all, err);
    if (rc == LOCHAN_ERR_CORRUPT) { /* an answer that was cut may come whole the next time */
        rc = LOCHAN_ERR_PAGE;
        if (err)
            err->code = rc;
    }
    LOCHAN_TRYG(rc);
    const struct ArrowSchema *stored = lochan_pq_reader__schema(reader);
    LOCHAN_TRYG(join_batches(stored, &all, &joined, err));
    LOCHAN_TRYG(lochan_typed__conform(options, stored, &joined, schema, batch, err));
done:
    lochan_array__release(&joined);
    for (size_t i = 0; i < all.n; i++)
        lochan_array__release(&all.items[i]);
    lochan_mem__free(all.items);
    lochan_pq_reader__close(reader);
    return rc;
}

lochan_status lochan_typed__encode_parquet(const struct ArrowSchema *schema,
                                           const struct ArrowArray *batch, lochan_buf *out,
                                           lochan_error *err) {
    const lochan_ctx alone = {0};
    const lochan_pq_write_options options = {.codec =
                                                 LOCHAN_PQ_UNCOMPRESSED, /* staging compresses */
                                             .codec_set = true,
                                             .no_statistics = true,
                                             .no_page_index = true};
    lochan_pq_sink sink = lochan_pq_sink__of_buf(out);
    lochan_pq_writer *writer = NULL;
    lochan_status rc;
    LOCHAN_TRYG(lochan_pq_writer__open(&alone, &sink, schema, &options, &writer, err));
    LOCHAN_TRYG(lochan_pq_writer__write_batch(writer, batch, err));
    LOCHAN_TRYG(lochan_pq_writer__close(writer, NULL, err));
done:
    lochan_pq_writer__free(writer);
    return rc;
}
