/* table.c - Arrow streams as aligned tables.
 * Invariants: the widths come from the first MEASURED rows, the others flow past with what width
 * they have, so memory is bounded; control characters never reach a terminal; lines are cut only on
 * a terminal. May call: libc, print.h.
 */
#include "cli/print.h"
#include "cli/terminal.h"

#include <stdlib.h>
#include <string.h>

#define MEASURED  1000
#define NARROWEST 10 /* a text column is not cut below this: a date fits */

typedef struct cell {
    size_t start, len; /* in the text */
    int width;
} cell;

typedef struct shown {
    size_t column; /* in the stream */
    const char *title;
    lochan_cli_how how;
    bool right;
    bool may_narrow; /* text: dates and numbers are never cut */
    bool if_any;
    bool any; /* some value is worth showing */
    int width;
} shown;

typedef struct layout {
    shown *columns;
    size_t n;
    lochan_cli_text text; /* of the measured cells */
    cell *cells;
    size_t cells_per_row;
    size_t n_rows;
    int line; /* cells of a line, 0 = no limit */
} layout;

static void choose_columns(layout *l, const lochan_cli_reader *reader,
                           const lochan_cli_column *columns) {
    size_t all = reader->type->n_children;
    l->columns = lochan_cli__alloc(all + 1, sizeof *l->columns);
    for (size_t i = 0; columns ? columns[i].name && l->n < all : i < all; i++) {
        int found = columns ? lochan_cli__find_column(reader, columns[i].name) : (int)i;
        if (found < 0)
            continue;
        const lochan_cli_type *type = reader->type->children[found];
        shown *s = &l->columns[l->n++];
        s->column = (size_t)found;
        s->title = columns ? columns[i].title : type->name;
        int how = columns ? columns[i].how : LOCHAN_CLI_AS_IT_IS;
        s->how = (lochan_cli_how)(how & ~LOCHAN_CLI_IF_ANY);
        s->right = lochan_cli__is_number(type);
        s->may_narrow = type->kind == LOCHAN_CLI_STRING || type->kind == LOCHAN_CLI_BINARY ||
                        type->kind >= LOCHAN_CLI_LIST;
        s->if_any = (how & LOCHAN_CLI_IF_ANY) != 0;
        s->width = lochan_cli__width(s->title, strlen(s->title));
    }
}

static void add_for_people(lochan_cli_text *t, const lochan_cli_reader *reader, const shown *s) {
    const lochan_cli_type *type = reader->type->children[s->column];
    const struct ArrowArray *array = reader->batch.children[s->column];
    int64_t row = reader->row + reader->batch.offset;
    double v;
    if (s->how == LOCHAN_CLI_AS_COUNT && type->kind == LOCHAN_CLI_INT) {
        lochan_cli__add_count(t, lochan_cli__integer(type, array, row));
    } else if (s->how == LOCHAN_CLI_AS_BYTES && type->kind == LOCHAN_CLI_INT) {
        lochan_cli__add_bytes(t, lochan_cli__integer(type, array, row));
    } else if (s->how == LOCHAN_CLI_AS_SECONDS && type->kind == LOCHAN_CLI_TIMESTAMP) {
        int64_t units = lochan_cli__integer(type, array, row);
        lochan_cli__add_timestamp(t, units / type->per_second - (units % type->per_second < 0), 1,
                                  0, ' ');
    } else if (s->how == LOCHAN_CLI_AS_SECONDS && lochan_cli__number(type, array, row, &v)) {
        lochan_cli__add_seconds(t, v);
    } else {
        lochan_cli_text plain = {0};
        lochan_cli__add_value(&plain, type, array, row, LOCHAN_CLI_PLAIN);
        lochan_cli__add_visible(t, plain.data ? plain.data : "", plain.len);
        lochan_cli__free(&plain);
    }
}

static cell read_cell(lochan_cli_text *t, const lochan_cli_reader *reader, const shown *s) {
    cell c = {.start = t->len};
    if (lochan_cli__cell_is_null(reader, s->column))
        return c; /* null is shown as nothing */
    add_for_people(t, reader, s);
    c.len = t->len - c.start;
    c.width = c.len ? lochan_cli__width(t->data + c.start, c.len) : 0;
    return c;
}

/* Narrows the widest text columns until a line fits; what still does not is cut at the end of the
 * line. */
static void fit_line(layout *l) {
    while (l->line > 0) {
        int total = -2;
        shown *widest = NULL;
        for (size_t i = 0; i < l->n; i++) {
            shown *s = &l->columns[i];
            total += s->width + 2;
            if (s->may_narrow && s->width > NARROWEST && (!widest || s->width > widest->width))
                widest = s;
        }
        if (total <= l->line || !widest)
            return;
        widest->width--;
    }
}

static void add_padding(lochan_cli_text *t, int n) {
    while (n-- > 0)
        lochan_cli__addc(t, ' ');
}

/* One cell with what fills its column; the last column is not filled up. */
static void add_aligned(lochan_cli_text *t, const layout *l, size_t i, const char *s, size_t n,
                        int width) {
    const shown *column = &l->columns[i];
    bool cut = l->line > 0 && width > column->width && column->may_narrow;
    if (i > 0)
        lochan_cli__adds(t, "  ");
    if (column->right)
        add_padding(t, column->width - width);
    if (cut) {
        n = lochan_cli__fit(s, n, column->width - 1);
        width = lochan_cli__width(s, n) + 1;
    }
    lochan_cli__add(t, s, n);
    if (cut)
        lochan_cli__adds(t, "…");
    if (!column->right && i + 1 < l->n)
        add_padding(t, column->width - width);
}

/* Cuts what was added since `start` to the width of the terminal. */
static void end_line(lochan_cli_text *t, const layout *l, size_t start) {
    if (l->line > 0 && lochan_cli__width(t->data + start, t->len - start) > l->line) {
        t->len = start + lochan_cli__fit(t->data + start, t->len - start, l->line - 1);
        lochan_cli__adds(t, "…");
    }
    while (t->len > start && t->data[t->len - 1] == ' ')
        t->len--;
    lochan_cli__addc(t, '\n');
}

static void add_row(lochan_cli_text *t, const layout *l, const char *text, const cell *cells) {
    size_t start = t->len;
    for (size_t i = 0; i < l->n; i++)
        add_aligned(t, l, i, text + cells[i].start, cells[i].len, cells[i].width);
    end_line(t, l, start);
}

static void add_header(lochan_cli_text *t, const layout *l) {
    size_t start = t->len;
    for (size_t i = 0; i < l->n; i++) {
        const char *title = l->columns[i].title;
        add_aligned(t, l, i, title, strlen(title), lochan_cli__width(title, strlen(title)));
    }
    end_line(t, l, start);
    start = t->len;
    for (size_t i = 0; i < l->n; i++) {
        lochan_cli__adds(t, i ? "  " : "");
        for (int k = 0; k < l->columns[i].width; k++)
            lochan_cli__adds(t, "─");
    }
    end_line(t, l, start);
}

/* Takes out the columns that are shown only if they hold something. */
static void drop_columns(layout *l) {
    size_t kept = 0;
    for (size_t i = 0; i < l->n; i++) {
        if (l->columns[i].if_any && !l->columns[i].any)
            continue;
        for (size_t row = 0; row < l->n_rows; row++)
            l->cells[row * l->n + kept] = l->cells[row * l->n + i];
        l->columns[kept++] = l->columns[i];
    }
    l->cells_per_row = l->n;
    l->n = kept;
}

static bool is_something(const char *s, size_t n) {
    return n > 0 && !(s[0] == '0' && (n == 1 || s[1] == ' ')); /* "0", "0 B" */
}

/* Reads rows into the layout until it has `limit` of them or the stream ends. */
static lochan_status measure(layout *l, lochan_cli_reader *reader, int64_t limit, bool *more,
                             lochan_error *err) {
    size_t cap = 0;
    *more = true;
    while ((int64_t)l->n_rows < limit) {
        lochan_status rc = lochan_cli__next_row(reader, more, err);
        if (rc != LOCHAN_OK || !*more)
            return rc;
        if (l->n_rows == cap) {
            cap = cap ? cap * 2 : 64;
            l->cells = lochan_cli__grow(l->cells, cap * (l->n + 1), sizeof *l->cells);
        }
        for (size_t i = 0; i < l->n; i++) {
            cell c = read_cell(&l->text, reader, &l->columns[i]);
            l->cells[l->n_rows * l->n + i] = c;
            if (c.width > l->columns[i].width)
                l->columns[i].width = c.width;
            l->columns[i].any |= is_something(l->text.data + c.start, c.len);
        }
        l->n_rows++;
    }
    return LOCHAN_OK;
}

/* The rows after the measured ones. */
static lochan_status flow(layout *l, lochan_cli_reader *reader, int64_t limit, lochan_cli_out *out,
                          int64_t *rows, bool *more, lochan_error *err) {
    cell *cells = lochan_cli__alloc(l->n, sizeof *cells);
    lochan_status rc = LOCHAN_OK;
    while (lochan_cli__drain(out)) {
        rc = lochan_cli__next_row(reader, more, err);
        if (rc != LOCHAN_OK || !*more || (limit >= 0 && *rows >= limit))
            break;
        l->text.len = 0;
        for (size_t i = 0; i < l->n; i++)
            cells[i] = read_cell(&l->text, reader, &l->columns[i]);
        add_row(&out->text, l, l->text.data ? l->text.data : "", cells);
        (*rows)++;
    }
    free(cells);
    return rc;
}

lochan_status lochan_cli__print_table(struct ArrowArrayStream *stream,
                                      const lochan_cli_column *columns, int64_t limit,
                                      lochan_cli_out *out, int64_t *rows, bool *more,
                                      lochan_error *err) {
    lochan_cli_reader reader;
    bool goes_on = true;
    bool terminal = out->file == stdout && lochan_cli__is_terminal(1);
    layout l = {.line = terminal ? lochan_cli__columns(1) : 0};
    *rows = 0;
    lochan_status rc = lochan_cli__open_reader(stream, &reader, err);
    if (rc == LOCHAN_OK) {
        choose_columns(&l, &reader, columns);
        rc = measure(&l, &reader, limit >= 0 && limit < MEASURED ? limit : MEASURED, &goes_on, err);
    }
    if (rc == LOCHAN_OK || l.n_rows > 0) {
        drop_columns(&l);
        fit_line(&l);
        add_header(&out->text, &l);
        for (size_t i = 0; i < l.n_rows && lochan_cli__drain(out); i++)
            add_row(&out->text, &l, l.text.data ? l.text.data : "", l.cells + i * l.cells_per_row);
        *rows = (int64_t)l.n_rows;
    }
    if (rc == LOCHAN_OK && goes_on)
        rc = flow(&l, &reader, limit, out, rows, &goes_on, err);
    if (more)
        *more = goes_on;
    free(l.columns);
    free(l.cells);
    lochan_cli__free(&l.text);
    lochan_cli__close_reader(&reader);
    return rc;
}
