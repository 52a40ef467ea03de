/* csv.c - decodes a page of CSV: header, mapping to declared columns, blocks of rows column by
 * column. Invariants: either the whole page is decoded or nothing is handed out; memory depends on
 * the page's size, not on what it claims. May call: base/, arrow/, csv_scan.h, page_columns.h.
 */
#include "source/csv.h"

#include "base/arena.h"
#include "source/csv_scan.h"
#include "source/page_columns.h"

enum {
    MAX_COLUMNS = 16384,
    BLOCK_CELLS = 8192 /* cells of one block of rows: they stay in the processor's cache */
};

struct decoder {
    const lochan_csv_options *options;
    lochan_csv_scanner scanner;
    lochan_arena arena;
    lochan_page_columns columns;
    lochan_csv_cell *cells;
    size_t block_rows;
};

/* ---- header ---- */

static lochan_status read_name(struct decoder *d, const lochan_csv_cell *cell, const char **out,
                               lochan_error *err) {
    if (cell->n > 1024 || !lochan_utf8__valid(cell->p, cell->n) || memchr(cell->p, '\0', cell->n)) {
        lochan_status rc =
            lochan_error__set(err, LOCHAN_ERR_PAGE, "the header line is no list of column names");
        return lochan_error__in_line(err, rc, NULL, 1, -1);
    }
    char *name = lochan_arena__strndup(&d->arena, cell->p, cell->n);
    if (!name)
        return lochan_error__nomem(err);
    if (cell->flags & LOCHAN_CSV_DOUBLED)
        name[lochan_csv__undouble(cell->p, cell->n, name)] = '\0';
    *out = name;
    return LOCHAN_OK;
}

static lochan_status read_header(struct decoder *d, lochan_error *err) {
    lochan_page_columns *c = &d->columns;
    lochan_status rc = LOCHAN_OK;
    lochan_buf line;
    lochan_buf__init(&line, (size_t)MAX_COLUMNS * sizeof(lochan_csv_cell));
    LOCHAN_TRYG(lochan_csv_scanner__header(&d->scanner, MAX_COLUMNS, &line, &c->n, err));
    const lochan_csv_cell *cells = (const lochan_csv_cell *)(const void *)line.data;
    c->names = lochan_arena__array(&d->arena, c->n, sizeof(*c->names));
    if (!c->names) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < c->n; i++)
        LOCHAN_TRYG(read_name(d, &cells[i], &c->names[i], err));
    c->n_named = c->n - (c->names[c->n - 1][0] == '\0');
    rc = lochan_page_columns__check_names(c, err);
    if (rc == LOCHAN_OK)
        rc = lochan_page_columns__map(c, &d->arena, err);
    if (rc == LOCHAN_ERR_PAGE)
        lochan_error__in_line(err, rc, NULL, 1, -1);
done:
    lochan_buf__deinit(&line);
    return rc;
}

/* ---- rows ---- */

/* At most so many rows are left: one a newline, and each takes its delimiters and newline from the
 * text. */
static int64_t bound_rows(const struct decoder *d) {
    const char *p = d->scanner.start;
    size_t left = (size_t)(d->scanner.end - p), newlines = 1;
    while (p < d->scanner.end && (p = memchr(p, '\n', (size_t)(d->scanner.end - p))) != NULL) {
        newlines++;
        p++;
    }
    size_t by_size = left / d->columns.n + 1;
    return (int64_t)(newlines < by_size ? newlines : by_size);
}

static lochan_status decode_block(struct decoder *d, size_t rows, lochan_error *err) {
    const lochan_csv_cell *bad;
    lochan_status rc = lochan_page_columns__append(&d->columns, d->cells, rows, &bad, err);
    if (!bad)
        return rc;
    return lochan_error__in_line(err, rc, NULL, lochan_csv_scanner__line(&d->scanner, bad->p), -1);
}

static lochan_status decode_rows(struct decoder *d, const lochan_cancel *cancel,
                                 lochan_error *err) {
    d->block_rows = BLOCK_CELLS / d->columns.n + 1;
    d->cells = lochan_mem__array(d->block_rows * d->columns.n, sizeof(*d->cells));
    if (!d->cells)
        return lochan_error__nomem(err);
    for (size_t rows = d->block_rows; rows == d->block_rows;) {
        lochan_error scan_error;
        lochan_status rc = lochan_csv_scanner__rows(&d->scanner, d->columns.n, d->block_rows,
                                                    d->cells, &rows, &scan_error);
        LOCHAN_TRY(decode_block(d, rows, err)); /* the first error of the page is reported */
        if (rc != LOCHAN_OK) {
            if (err)
                *err = scan_error;
            return lochan_error__in_table(err, rc, NULL, NULL, d->columns.rows);
        }
        LOCHAN_TRY(lochan_cancel__check(cancel, err));
    }
    if (d->options->strict_end && d->columns.rows > 0 && d->scanner.last_row_is_open) {
        lochan_status rc = lochan_error__set(err, LOCHAN_ERR_PAGE,
                                             "the last line has no line end: the page was cut");
        return lochan_error__in_table(err, rc, NULL, NULL, d->columns.rows - 1);
    }
    return LOCHAN_OK;
}

/* ---- all of it ---- */

static lochan_status decode(struct decoder *d, const lochan_ctx *ctx, size_t size,
                            struct ArrowSchema *schema, struct ArrowArray *batch,
                            lochan_error *err) {
    lochan_budget *budget = ctx ? ctx->budget : NULL;
    LOCHAN_TRY(read_header(d, err));
    int64_t rows = bound_rows(d);
    size_t bytes = lochan_page_columns__bytes_for(&d->columns, rows, size);
    LOCHAN_TRY(lochan_budget__take(budget, bytes, "decoding a page", err));
    lochan_status rc = lochan_page_columns__reserve(&d->columns, rows, size, err);
    if (rc == LOCHAN_OK)
        rc = decode_rows(d, ctx ? ctx->cancel : NULL, err);
    if (rc == LOCHAN_OK)
        rc = lochan_page_columns__finish(&d->columns, schema, batch, err);
    lochan_budget__give(budget, bytes);
    return rc;
}

lochan_status lochan_csv__decode(const lochan_ctx *ctx, const lochan_csv_options *options,
                                 const void *body, size_t size, struct ArrowSchema *schema,
                                 struct ArrowArray *batch, lochan_error *err) {
    memset(schema, 0, sizeof(*schema));
    memset(batch, 0, sizeof(*batch));
    LOCHAN_CHECK_ARG(options && (body || size == 0), err);
    struct decoder d = {.options = options, .columns = {.options = options}};
    lochan_arena__init(&d.arena, 0);
    d.columns.check_utf8 = !lochan_utf8__valid(body, size);
    lochan_csv_scanner__init(&d.scanner, body, size, options->delimiter ? options->delimiter : ',');
    lochan_status rc = decode(&d, ctx, size, schema, batch, err);
    lochan_page_columns__deinit(&d.columns);
    lochan_mem__free(d.cells);
    lochan_arena__deinit(&d.arena);
    if (rc != LOCHAN_OK) {
        lochan_schema__release(schema);
        lochan_array__release(batch);
    }
    return rc;
}
