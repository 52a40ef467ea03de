/* csv.c - decodes a page of CSV: header, mapping to declared columns, blocks of rows column by
 * column. Invariants: either the whole page is decoded or nothing is handed out; memory depends on
 * the page's size, not on what it claims. May call: base/, arrow/, csv_scan.h, csv_column.h.
 */
#include "source/csv.h"

#include "base/arena.h"
#include "source/csv_column.h"
#include "source/csv_scan.h"

#include <stdio.h>
#include <stdlib.h>

enum {
    MAX_COLUMNS = 16384,
    BLOCK_CELLS = 8192, /* cells of one block of rows: they stay in the processor's cache */
    SHOWN_VALUE = 40    /* bytes of a wrong value in a message */
};

struct decoder {
    const lochan_csv_options *options;
    lochan_csv_scanner scanner;
    lochan_arena arena;
    const char **names; /* of the header */
    size_t n_columns;   /* of the header, with a last unnamed one */
    lochan_csv_writer *writers;
    bool *used; /* writers[i] is in the batch */
    size_t n_used;
    bool last_is_unnamed;
    bool check_utf8;
    lochan_csv_cell *cells;
    size_t block_rows;
    int64_t rows;
};

/* ---- header ---- */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static lochan_status check_names(struct decoder *d, lochan_error *err) {
    size_t n = d->n_columns - d->last_is_unnamed;
    if (n == 0) {
        lochan_error__set(err, LOCHAN_ERR_PAGE, "the page has no header line");
        return lochan_error__in_line(err, LOCHAN_ERR_PAGE, NULL, 1, -1);
    }
    const char **sorted = lochan_mem__array(n, sizeof(*sorted));
    if (!sorted)
        return lochan_error__nomem(err);
    memcpy(sorted, d->names, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_names);
    lochan_status rc = LOCHAN_OK;
    for (size_t i = 0; i < n && rc == LOCHAN_OK; i++) {
        if (sorted[i][0] == '\0')
            rc = lochan_error__set(err, LOCHAN_ERR_PAGE, "the header has a column without a name");
        else if (i > 0 && strcmp(sorted[i - 1], sorted[i]) == 0)
            rc = lochan_error__set(err, LOCHAN_ERR_PAGE,
                                   "the header names the column '%.60s' twice", sorted[i]);
    }
    lochan_mem__free(sorted);
    return lochan_error__in_line(err, rc, NULL, 1, -1);
}

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
    lochan_buf line;
    lochan_buf__init(&line, (size_t)MAX_COLUMNS * sizeof(lochan_csv_cell));
    lochan_status rc =
        lochan_csv_scanner__header(&d->scanner, MAX_COLUMNS, &line, &d->n_columns, err);
    if (rc != LOCHAN_OK)
        goto done;
    const lochan_csv_cell *cells = (const lochan_csv_cell *)(const void *)line.data;
    d->names = lochan_arena__array(&d->arena, d->n_columns, sizeof(*d->names));
    if (!d->names) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (size_t i = 0; i < d->n_columns; i++)
        LOCHAN_TRYG(read_name(d, &cells[i], &d->names[i], err));
    d->last_is_unnamed = d->names[d->n_columns - 1][0] == '\0';
    LOCHAN_TRYG(check_names(d, err));
done:
    lochan_buf__deinit(&line);
    return rc;
}

/* ---- columns ---- */

static const lochan_csv_column *find_declared(const lochan_csv_options *options, const char *name) {
    for (size_t i = 0; i < options->n_columns; i++)
        if (strcmp(options->columns[i].name, name) == 0)
            return &options->columns[i];
    return NULL;
}

static lochan_status missing_column(const struct decoder *d, const char *name, lochan_error *err) {
    char list[160] = "";
    size_t n = d->n_columns - d->last_is_unnamed;
    for (size_t i = 0; i < n && strlen(list) + 1 < sizeof(list); i++)
        lochan_format(list + strlen(list), sizeof(list) - strlen(list), "%s%.40s", i ? ", " : "",
                      d->names[i]);
    const char *near = lochan_name__nearest(name, d->names, n);
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_PAGE,
                                         "the page has no column '%s'; it has %s", name, list);
    if (near)
        lochan_error__hint(err, "did the provider rename it to '%s'?", near);
    lochan_error__in_table(err, rc, NULL, name, -1);
    return lochan_error__in_line(err, rc, NULL, 1, -1);
}

static lochan_status init_writer(struct decoder *d, size_t i, const lochan_csv_column *declared,
                                 lochan_error *err) {
    static const char *const empty_text[] = {""};
    const lochan_csv_options *o = d->options;
    lochan_type type = {.id = LOCHAN_TYPE_STRING};
    if (declared)
        type = declared->type;
    else if (o->rest_type.id != LOCHAN_TYPE_NULL)
        type = o->rest_type;
    lochan_csv_writer *w = &d->writers[i];
    lochan_status rc = lochan_csv_writer__init(w, &type, err);
    if (rc != LOCHAN_OK)
        return lochan_error__in_table(err, rc, NULL, d->names[i], -1);
    w->name = d->names[i];
    w->nullable = declared ? declared->nullable : true;
    w->date_format = declared ? declared->date_format : NULL;
    w->null_texts = o->null_texts ? o->null_texts : empty_text;
    w->n_null_texts = o->null_texts ? o->n_null_texts : 1;
    if (declared && declared->null_texts) {
        w->null_texts = declared->null_texts;
        w->n_null_texts = declared->n_null_texts;
    }
    w->only_empty_is_null = w->n_null_texts == 1 && w->null_texts[0][0] == '\0';
    w->check_utf8 = d->check_utf8 && type.id == LOCHAN_TYPE_STRING;
    d->used[i] = true;
    d->n_used++;
    return LOCHAN_OK;
}

static lochan_status map_columns(struct decoder *d, lochan_error *err) {
    const lochan_csv_options *o = d->options;
    for (size_t k = 0; k < o->n_columns; k++) {
        bool found = o->columns[k].optional;
        for (size_t i = 0; i < d->n_columns && !found; i++)
            found = strcmp(d->names[i], o->columns[k].name) == 0;
        if (!found)
            return missing_column(d, o->columns[k].name, err);
    }
    d->writers = lochan_arena__array(&d->arena, d->n_columns, sizeof(*d->writers));
    d->used = lochan_arena__array(&d->arena, d->n_columns, sizeof(*d->used));
    if (!d->writers || !d->used)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < d->n_columns - d->last_is_unnamed; i++) {
        const lochan_csv_column *declared = find_declared(o, d->names[i]);
        if (declared || o->rest != LOCHAN_CSV_REST_SKIP)
            LOCHAN_TRY(init_writer(d, i, declared, err));
    }
    return LOCHAN_OK;
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
    size_t by_size = left / d->n_columns + 1;
    return (int64_t)(newlines < by_size ? newlines : by_size);
}

/* "expected float64, found 'abc'" with row, line and column. */
static lochan_status wrong_value(const struct decoder *d, size_t column,
                                 const lochan_csv_cell *cell, int64_t row, lochan_error *err) {
    const lochan_csv_writer *w = &d->writers[column];
    char type[80] = "nothing (the column has no name)", value[SHOWN_VALUE + 4];
    size_t n = cell->n < SHOWN_VALUE ? cell->n : SHOWN_VALUE;
    for (size_t i = 0; i < n; i++)
        value[i] = (unsigned char)cell->p[i] < ' '    ? ' '
                   : (unsigned char)cell->p[i] < 0x7f ? cell->p[i]
                                                      : '?';
    lochan_format(value + n, sizeof(value) - n, "%s", n < cell->n ? "..." : "");
    if (d->used[column])
        lochan_type__name(&w->type, type);
    const char *rule = !d->used[column] ? ""
                       : w->parse == NULL && !lochan_utf8__valid(cell->p, cell->n)
                           ? " in valid UTF-8"
                       : w->nullable ? ""
                                     : " that is not null";
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_PAGE, "column '%.60s': expected %s%s, found '%s'",
                          d->names[column], type, rule, value);
    lochan_error__in_table(err, rc, NULL, d->names[column], row);
    return lochan_error__in_line(err, rc, NULL, lochan_csv_scanner__line(&d->scanner, cell->p), -1);
}

static lochan_status decode_block(struct decoder *d, size_t rows, lochan_error *err) {
    for (size_t i = 0; i < d->n_columns; i++) {
        size_t bad = rows;
        if (d->used[i]) {
            lochan_status rc = lochan_csv_writer__append(&d->writers[i], d->cells + i, d->n_columns,
                                                         rows, &bad, err);
            if (rc != LOCHAN_OK && bad == rows)
                return rc;
        } else if (d->last_is_unnamed && i + 1 == d->n_columns) {
            for (bad = 0; bad < rows && d->cells[bad * d->n_columns + i].n == 0;)
                bad++;
        }
        if (bad < rows)
            return wrong_value(d, i, &d->cells[bad * d->n_columns + i], d->rows + (int64_t)bad,
                               err);
    }
    d->rows += (int64_t)rows;
    return LOCHAN_OK;
}

static lochan_status decode_rows(struct decoder *d, const lochan_cancel *cancel,
                                 lochan_error *err) {
    d->block_rows = BLOCK_CELLS / d->n_columns + 1;
    d->cells = lochan_mem__array(d->block_rows * d->n_columns, sizeof(*d->cells));
    if (!d->cells)
        return lochan_error__nomem(err);
    for (size_t rows = d->block_rows; rows == d->block_rows;) {
        lochan_error scan_error;
        lochan_status rc = lochan_csv_scanner__rows(&d->scanner, d->n_columns, d->block_rows,
                                                    d->cells, &rows, &scan_error);
        LOCHAN_TRY(decode_block(d, rows, err)); /* the first error of the page is reported */
        if (rc != LOCHAN_OK) {
            if (err)
                *err = scan_error;
            return lochan_error__in_table(err, rc, NULL, NULL, d->rows);
        }
        LOCHAN_TRY(lochan_cancel__check(cancel, err));
    }
    if (d->options->strict_end && d->rows > 0 && d->scanner.last_row_is_open) {
        lochan_status rc = lochan_error__set(err, LOCHAN_ERR_PAGE,
                                             "the last line has no line end: the page was cut");
        return lochan_error__in_table(err, rc, NULL, NULL, d->rows - 1);
    }
    return LOCHAN_OK;
}

/* ---- the batch ---- */

static lochan_status finish(struct decoder *d, struct ArrowSchema *schema, struct ArrowArray *batch,
                            lochan_error *err) {
    LOCHAN_TRY(lochan_schema__init_struct(schema, (int64_t)d->n_used, err));
    LOCHAN_TRY(lochan_array__init(batch, 1, (int64_t)d->n_used, err));
    batch->length = d->rows;
    size_t k = 0;
    for (size_t i = 0; i < d->n_columns; i++) {
        if (!d->used[i])
            continue;
        const lochan_csv_writer *w = &d->writers[i];
        LOCHAN_TRY(
            lochan_schema__set_field(schema->children[k], w->name, &w->type, w->nullable, err));
        LOCHAN_TRY(lochan_csv_writer__finish(&d->writers[i], batch->children[k], err));
        k++;
    }
    return LOCHAN_OK;
}

static lochan_status decode(struct decoder *d, const lochan_ctx *ctx, size_t size,
                            struct ArrowSchema *schema, struct ArrowArray *batch,
                            lochan_error *err) {
    lochan_budget *budget = ctx ? ctx->budget : NULL;
    LOCHAN_TRY(read_header(d, err));
    LOCHAN_TRY(map_columns(d, err));
    int64_t rows = bound_rows(d);
    size_t bytes = size; /* strings, at most */
    for (size_t i = 0; i < d->n_columns; i++)
        bytes += d->used[i] ? lochan_csv_writer__bytes_for(&d->writers[i], rows) : 0;
    LOCHAN_TRY(lochan_budget__take(budget, bytes, "decoding a page", err));
    lochan_status rc = LOCHAN_OK;
    for (size_t i = 0; i < d->n_columns && rc == LOCHAN_OK; i++)
        rc = d->used[i] ? lochan_csv_writer__reserve(&d->writers[i], rows, size, err) : LOCHAN_OK;
    if (rc == LOCHAN_OK)
        rc = decode_rows(d, ctx ? ctx->cancel : NULL, err);
    if (rc == LOCHAN_OK)
        rc = finish(d, schema, batch, err);
    lochan_budget__give(budget, bytes);
    return rc;
}

lochan_status lochan_csv__decode(const lochan_ctx *ctx, const lochan_csv_options *options,
                                 const void *body, size_t size, struct ArrowSchema *schema,
                                 struct ArrowArray *batch, lochan_error *err) {
    memset(schema, 0, sizeof(*schema));
    memset(batch, 0, sizeof(*batch));
    LOCHAN_CHECK_ARG(options && (body || size == 0), err);
    struct decoder d = {.options = options};
    lochan_arena__init(&d.arena, 0);
    d.check_utf8 = !lochan_utf8__valid(body, size);
    lochan_csv_scanner__init(&d.scanner, body, size, options->delimiter ? options->delimiter : ',');
    lochan_status rc = decode(&d, ctx, size, schema, batch, err);
    for (size_t i = 0; d.writers && i < d.n_columns; i++)
        if (d.used && d.used[i])
            lochan_csv_writer__deinit(&d.writers[i]);
    lochan_mem__free(d.cells);
    lochan_arena__deinit(&d.arena);
    if (rc != LOCHAN_OK) {
        lochan_schema__release(schema);
        lochan_array__release(batch);
    }
    return rc;
}
