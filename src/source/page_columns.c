/* page_columns.c - columns of a page: mapping to what is declared, blocks of rows column by column,
 * and what is said of a value that does not fit.
 * Invariant: as in page_columns.h. May call: base/, arrow/, csv_column.h.
 */
#include "source/page_columns.h"

#include "base/arena.h"

#include <stdlib.h>

enum { SHOWN_VALUE = 40 }; /* bytes of a wrong value in a message */

static int compare_names(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

lochan_status lochan_page_columns__check_names(const lochan_page_columns *c, lochan_error *err) {
    size_t n = c->n_named;
    if (n == 0) {
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "the page has no %s",
                                 c->is_json ? "fields" : "header line");
    }
    const char **sorted = lochan_mem__array(n, sizeof(*sorted));
    if (!sorted)
        return lochan_error__nomem(err);
    memcpy(sorted, c->names, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_names);
    lochan_status rc = LOCHAN_OK;
    for (size_t i = 0; i < n && rc == LOCHAN_OK; i++) {
        if (sorted[i][0] == '\0')
            rc = lochan_error__set(err, LOCHAN_ERR_PAGE, "the %s has a column without a name",
                                   c->is_json ? "list of fields" : "header");
        else if (i > 0 && strcmp(sorted[i - 1], sorted[i]) == 0)
            rc = lochan_error__set(err, LOCHAN_ERR_PAGE, "the %s names the column '%.60s' twice",
                                   c->is_json ? "list of fields" : "header", sorted[i]);
    }
    lochan_mem__free(sorted);
    return rc;
}

static const lochan_csv_column *find_declared(const lochan_csv_options *options, const char *name) {
    for (size_t i = 0; i < options->n_columns; i++)
        if (strcmp(options->columns[i].name, name) == 0)
            return &options->columns[i];
    return NULL;
}

static lochan_status missing_column(const lochan_page_columns *c, const char *name,
                                    lochan_error *err) {
    char list[160] = "";
    size_t n = c->n_named;
    for (size_t i = 0; i < n && strlen(list) + 1 < sizeof(list); i++)
        lochan_format(list + strlen(list), sizeof(list) - strlen(list), "%s%.40s", i ? ", " : "",
                      c->names[i]);
    const char *near = lochan_name__nearest(name, c->names, n);
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_PAGE,
                                         "the page has no column '%s'; it has %s", name, list);
    if (near)
        lochan_error__hint(err, "did the provider rename it to '%s'?", near);
    return lochan_error__in_table(err, rc, NULL, name, -1);
}

static lochan_status init_writer(lochan_page_columns *c, size_t i,
                                 const lochan_csv_column *declared, lochan_error *err) {
    static const char *const empty_text[] = {""};
    const lochan_csv_options *o = c->options;
    lochan_type type = {.id = LOCHAN_TYPE_STRING};
    if (declared)
        type = declared->type;
    else if (o->rest_type.id != LOCHAN_TYPE_NULL)
        type = o->rest_type;
    lochan_csv_writer *w = &c->writers[i];
    lochan_status rc = lochan_csv_writer__init(w, &type, err);
    if (rc != LOCHAN_OK)
        return lochan_error__in_table(err, rc, NULL, c->names[i], -1);
    w->name = c->names[i];
    w->nullable = declared ? declared->nullable : true;
    w->date_format = declared ? declared->date_format : NULL;
    w->null_texts = o->null_texts ? o->null_texts : empty_text;
    w->n_null_texts = o->null_texts ? o->n_null_texts : 1;
    if (declared && declared->null_texts) {
        w->null_texts = declared->null_texts;
        w->n_null_texts = declared->n_null_texts;
    }
    if (c->is_json && !(declared && declared->null_texts)) {
        /* "" is a text of its own; as a number or a date it is none */
        w->n_null_texts = o->null_texts ? o->n_null_texts : w->parse != NULL;
    }
    w->is_json = c->is_json;
    w->only_empty_is_null = !c->is_json && w->n_null_texts == 1 && w->null_texts[0][0] == '\0';
    w->check_utf8 = c->check_utf8 && type.id == LOCHAN_TYPE_STRING;
    c->used[i] = true;
    c->n_used++;
    return LOCHAN_OK;
}

lochan_status lochan_page_columns__map(lochan_page_columns *c, lochan_arena *arena,
                                       lochan_error *err) {
    const lochan_csv_options *o = c->options;
    for (size_t k = 0; k < o->n_columns; k++) {
        bool found = o->columns[k].optional;
        for (size_t i = 0; i < c->n && !found; i++)
            found = strcmp(c->names[i], o->columns[k].name) == 0;
        if (!found)
            return missing_column(c, o->columns[k].name, err);
    }
    c->writers = lochan_arena__array(arena, c->n, sizeof(*c->writers));
    c->used = lochan_arena__array(arena, c->n, sizeof(*c->used));
    if (!c->writers || !c->used)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < c->n_named; i++) {
        const lochan_csv_column *declared = find_declared(o, c->names[i]);
        if (declared || o->rest != LOCHAN_CSV_REST_SKIP)
            LOCHAN_TRY(init_writer(c, i, declared, err));
    }
    return LOCHAN_OK;
}

size_t lochan_page_columns__bytes_for(const lochan_page_columns *c, int64_t rows, size_t size) {
    size_t bytes = size; /* strings, at most */
    for (size_t i = 0; i < c->n; i++)
        bytes += c->used[i] ? lochan_csv_writer__bytes_for(&c->writers[i], rows) : 0;
    return bytes;
}

lochan_status lochan_page_columns__reserve(lochan_page_columns *c, int64_t rows, size_t size,
                                           lochan_error *err) {
    for (size_t i = 0; i < c->n; i++)
        if (c->used[i])
            LOCHAN_TRY(lochan_csv_writer__reserve(&c->writers[i], rows, size, err));
    return LOCHAN_OK;
}

/* "expected float64, found 'abc'" with row, line and column. */
static lochan_status wrong_value(const lochan_page_columns *c, size_t column,
                                 const lochan_csv_cell *cell, int64_t row, lochan_error *err) {
    const lochan_csv_writer *w = &c->writers[column];
    char type[80] = "nothing (the column has no name)", value[SHOWN_VALUE + 4];
    size_t n = cell->n < SHOWN_VALUE ? cell->n : SHOWN_VALUE;
    for (size_t i = 0; i < n; i++)
        value[i] = (unsigned char)cell->p[i] < ' '    ? ' '
                   : (unsigned char)cell->p[i] < 0x7f ? cell->p[i]
                                                      : '?';
    lochan_format(value + n, sizeof(value) - n, "%s", n < cell->n ? "..." : "");
    if (c->used[column])
        lochan_type__name(&w->type, type);
    const char *rule = !c->used[column] ? ""
                       : w->parse == NULL && !lochan_utf8__valid(cell->p, cell->n)
                           ? " in valid UTF-8"
                       : w->nullable ? ""
                                     : " that is not null";
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_PAGE, "column '%.60s': expected %s%s, found '%s'",
                          c->names[column], type, rule, value);
    return lochan_error__in_table(err, rc, NULL, c->names[column], row);
}

lochan_status lochan_page_columns__append(lochan_page_columns *c, const lochan_csv_cell *cells,
                                          size_t rows, const lochan_csv_cell **bad,
                                          lochan_error *err) {
    *bad = NULL;
    for (size_t i = 0; i < c->n; i++) {
        size_t at = rows;
        if (c->used[i]) {
            lochan_status rc =
                lochan_csv_writer__append(&c->writers[i], cells + i, c->n, rows, &at, err);
            if (rc != LOCHAN_OK && at == rows)
                return rc;
        } else if (i >= c->n_named) {
            for (at = 0; at < rows && cells[at * c->n + i].n == 0;)
                at++;
        }
        if (at < rows) {
            *bad = &cells[at * c->n + i];
            return wrong_value(c, i, *bad, c->rows + (int64_t)at, err);
        }
    }
    c->rows += (int64_t)rows;
    return LOCHAN_OK;
}

lochan_status lochan_page_columns__finish(lochan_page_columns *c, struct ArrowSchema *schema,
                                          struct ArrowArray *batch, lochan_error *err) {
    LOCHAN_TRY(lochan_schema__init_struct(schema, (int64_t)c->n_used, err));
    LOCHAN_TRY(lochan_array__init(batch, 1, (int64_t)c->n_used, err));
    batch->length = c->rows;
    size_t k = 0;
    for (size_t i = 0; i < c->n; i++) {
        if (!c->used[i])
            continue;
        const lochan_csv_writer *w = &c->writers[i];
        LOCHAN_TRY(
            lochan_schema__set_field(schema->children[k], w->name, &w->type, w->nullable, err));
        LOCHAN_TRY(lochan_csv_writer__finish(&c->writers[i], batch->children[k], err));
        k++;
    }
    return LOCHAN_OK;
}

void lochan_page_columns__deinit(lochan_page_columns *c) {
    for (size_t i = 0; c->writers && i < c->n; i++)
        if (c->used && c->used[i])
            lochan_csv_writer__deinit(&c->writers[i]);
}
