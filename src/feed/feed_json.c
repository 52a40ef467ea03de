/* feed_json.c - renders rows once, when the feed starts, and picks them by date and value.
 * Invariant: rows keep the order of the file. May call: base/, feed_table.h, source/csv_scan.h.
 */
#include "feed/feed_json.h"

#include "source/csv_scan.h"

#include <stdlib.h>

enum { BLOCK_ROWS = 512, MAX_COLUMNS = 4096 };
#define MAX_TEXT ((size_t)8 << 30)

/* ---- cells ---- */

static bool is_number(const char *p, size_t n) {
    double ignored;
    size_t minus = n > 0 && p[0] == '-';
    if (n == minus || p[minus] < '0' || p[minus] > '9' || p[n - 1] == '.' ||
        (p[minus] == '0' && n > minus + 1 && p[minus + 1] >= '0' && p[minus + 1] <= '9'))
        return false;
    return lochan_parse__double(p, n, false, &ignored);
}

static void look_at(lochan_feed_json *j, const lochan_csv_cell *cells, size_t rows, bool *dated,
                    bool *filled) {
    size_t n = j->table->n_columns;
    for (size_t i = 0; i < rows * n; i++) {
        const lochan_csv_cell *cell = &cells[i];
        int32_t days;
        if (cell->n == 0)
            continue;
        filled[i % n] = true;
        if (!is_number(cell->p, cell->n))
            j->is_text[i % n] = true;
        if (cell->n != 8 || !lochan_feed__parse_date(cell->p, cell->n, &days))
            dated[i % n] = false;
    }
}

static lochan_status print_cell(const lochan_feed_json *j, const lochan_csv_cell *cell,
                                size_t column, lochan_buf *out, lochan_error *err) {
    if (cell->n == 0)
        return lochan_buf__puts(out, "null", err);
    if (!j->is_text[column])
        return lochan_buf__append(out, cell->p, cell->n, err);
    if (!(cell->flags & LOCHAN_CSV_DOUBLED))
        return lochan_buf__json_string(out, cell->p, cell->n, err);
    char *plain = lochan_mem__alloc(cell->n);
    if (!plain)
        return lochan_error__nomem(err);
    size_t n = 0;
    for (size_t i = 0; i < cell->n; i++) {
        plain[n++] = cell->p[i];
        i += cell->p[i] == '"';
    }
    lochan_status rc = lochan_buf__json_string(out, plain, n, err);
    lochan_mem__free(plain);
    return rc;
}

/* ---- making ---- */

typedef lochan_status (*block_fn)(lochan_feed_json *j, const lochan_csv_cell *cells, size_t rows,
                                  void *ctx, lochan_error *err);

static lochan_status each_block(lochan_feed_json *j, block_fn fn, void *ctx, lochan_error *err) {
    const lochan_feed_table *t = j->table;
    lochan_csv_scanner scanner;
    lochan_csv_cell *cells = lochan_mem__array(BLOCK_ROWS * t->n_columns, sizeof(*cells));
    if (!cells)
        return lochan_error__nomem(err);
    lochan_csv_scanner__init(&scanner, t->text.data + t->header_end, t->text.len - t->header_end,
                             t->delimiter);
    lochan_status rc = LOCHAN_OK;
    for (size_t rows = BLOCK_ROWS; rows == BLOCK_ROWS && rc == LOCHAN_OK;) {
        rc = lochan_csv_scanner__rows(&scanner, t->n_columns, BLOCK_ROWS, cells, &rows, err);
        if (rc == LOCHAN_OK)
            rc = fn(j, cells, rows, ctx, err);
    }
    lochan_mem__free(cells);
    return rc;
}

struct looks {
    bool *dated, *filled;
};

static lochan_status look_block(lochan_feed_json *j, const lochan_csv_cell *cells, size_t rows,
                                void *ctx, lochan_error *err) {
    const struct looks *looks = ctx;
    (void)err;
    look_at(j, cells, rows, looks->dated, looks->filled);
    return LOCHAN_OK;
}

static lochan_status print_block(lochan_feed_json *j, const lochan_csv_cell *cells, size_t rows,
                                 void *ctx, lochan_error *err) {
    size_t *at = ctx, n = j->table->n_columns;
    for (size_t i = 0; i < rows; i++) {
        j->offsets[(*at)++] = j->lists.len;
        for (size_t c = 0; c < n; c++) {
            LOCHAN_TRY(lochan_buf__putc(&j->lists, c ? ',' : '[', err));
            LOCHAN_TRY(print_cell(j, &cells[i * n + c], c, &j->lists, err));
        }
        LOCHAN_TRY(lochan_buf__putc(&j->lists, ']', err));
    }
    return LOCHAN_OK;
}

static lochan_status read_names(lochan_feed_json *j, lochan_error *err) {
    const lochan_feed_table *t = j->table;
    lochan_csv_scanner scanner;
    size_t n;
    lochan_buf header;
    lochan_buf__init(&header, MAX_COLUMNS * sizeof(lochan_csv_cell));
    lochan_csv_scanner__init(&scanner, t->text.data, t->header_end, t->delimiter);
    lochan_status rc = lochan_csv_scanner__header(&scanner, MAX_COLUMNS, &header, &n, err);
    const lochan_csv_cell *cells = (const lochan_csv_cell *)(const void *)header.data;
    for (size_t i = 0; rc == LOCHAN_OK && i < t->n_columns; i++) {
        j->names[i] = lochan_mem__strndup(cells[i].p, cells[i].n);
        rc = j->names[i] ? LOCHAN_OK : lochan_error__nomem(err);
    }
    lochan_buf__deinit(&header);
    return rc;
}

/* The first value of a row as it stands in its JSON. */
static lochan_str first_value(const lochan_feed_json *j, uint32_t row) {
    const char *p = (const char *)j->lists.data + j->offsets[row] + 1;
    size_t n = 0;
    if (p[0] == '"')
        for (p++; p[n] != '"'; n++)
            n += p[n] == '\\';
    else
        while (p[n] != ',' && p[n] != ']')
            n++;
    return (lochan_str){p, n};
}

static int compare_str(lochan_str a, lochan_str b) {
    int order = memcmp(a.p, b.p, a.n < b.n ? a.n : b.n);
    return order ? order : (a.n > b.n) - (a.n < b.n);
}

static int compare_rows(const void *a, const void *b, void *ctx) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    int order = compare_str(first_value(ctx, x), first_value(ctx, y));
    return order ? order : (x > y) - (x < y);
}

static lochan_status render(lochan_feed_json *j, lochan_error *err) {
    const lochan_feed_table *t = j->table;
    struct looks looks;
    size_t rows = 0;
    bool *flags = lochan_mem__array(t->n_columns * 2 + 1, sizeof(*flags));
    if (!flags)
        return lochan_error__nomem(err);
    looks.dated = flags;
    looks.filled = flags + t->n_columns;
    memset(looks.dated, 1, t->n_columns);
    lochan_status rc = each_block(j, look_block, &looks, err);
    for (size_t i = 0; i < t->n_columns; i++)
        j->is_text[i] |= looks.dated[i] || !looks.filled[i];
    lochan_mem__free(flags);
    LOCHAN_TRY(rc);
    LOCHAN_TRY(each_block(j, print_block, &rows, err));
    j->offsets[rows] = j->lists.len;
    for (size_t i = 0; i < rows; i++)
        j->by_first[i] = (uint32_t)i;
    qsort_r(j->by_first, rows, sizeof(*j->by_first), compare_rows, j);
    return LOCHAN_OK;
}

lochan_status lochan_feed_json__make(const lochan_feed_table *table, lochan_feed_json *out,
                                     lochan_error *err) {
    memset(out, 0, sizeof(*out));
    out->table = table;
    lochan_buf__init(&out->lists, MAX_TEXT);
    out->names = lochan_mem__array(table->n_columns + 1, sizeof(*out->names));
    out->is_text = lochan_mem__array(table->n_columns + 1, sizeof(*out->is_text));
    out->offsets = lochan_mem__array(table->n_rows + 1, sizeof(*out->offsets));
    out->by_first = lochan_mem__array(table->n_rows + 1, sizeof(*out->by_first));
    lochan_status rc = out->names && out->is_text && out->offsets && out->by_first
                           ? read_names(out, err)
                           : lochan_error__nomem(err);
    if (rc == LOCHAN_OK)
        rc = render(out, err);
    if (rc != LOCHAN_OK)
        lochan_feed_json__deinit(out);
    return rc;
}

void lochan_feed_json__deinit(lochan_feed_json *j) {
    for (size_t i = 0; j->names && i < j->table->n_columns; i++)
        lochan_mem__free(j->names[i]);
    lochan_mem__free(j->names);
    lochan_mem__free(j->is_text);
    lochan_mem__free(j->offsets);
    lochan_mem__free(j->by_first);
    lochan_buf__deinit(&j->lists);
    memset(j, 0, sizeof(*j));
}

size_t lochan_feed_json__column(const lochan_feed_json *j, lochan_str name) {
    for (size_t i = 0; i < j->table->n_columns; i++)
        if (lochan_str__eq(lochan_str__of(j->names[i]), name))
            return i;
    return SIZE_MAX;
}

/* ---- picking ---- */

struct picker {
    const lochan_feed_json *json;
    const lochan_feed_query *query;
    bool objects;
    const size_t *columns;
    size_t n_columns;
    lochan_buf *out;
    int64_t skip, rows;
    bool has_more;
};

/* The values of a row as they stand in its JSON; at most `max`. */
static void cut_row(const lochan_feed_json *j, size_t row, lochan_str *values, size_t max) {
    const char *p = (const char *)j->lists.data + j->offsets[row] + 1;
    for (size_t i = 0; i < max; i++) {
        const char *begin = p;
        if (*p == '"')
            for (p++; *p != '"'; p++)
                p += *p == '\\';
        while (*p != ',' && *p != ']')
            p++;
        values[i] = (lochan_str){begin, (size_t)(p - begin)};
        p++;
    }
}

static bool is_listed(lochan_str value, lochan_str list) {
    if (value.n >= 2 && value.p[0] == '"')
        value = (lochan_str){value.p + 1, value.n - 2};
    for (size_t i = 0; i <= list.n;) {
        size_t n = 0;
        while (i + n < list.n && list.p[i + n] != ',')
            n++;
        if (lochan_str__eq(value, (lochan_str){list.p + i, n}))
            return true;
        i += n + 1;
    }
    return false;
}

static bool is_wanted(const struct picker *p, size_t row) {
    const lochan_feed_query *q = p->query;
    const lochan_feed_table *t = p->json->table;
    if (t->dates && (t->dates[row] < q->start || t->dates[row] > q->end))
        return false;
    if (q->n_filters == 0)
        return true;
    lochan_str values[MAX_COLUMNS];
    cut_row(p->json, row, values, t->n_columns);
    for (size_t i = 0; i < q->n_filters; i++)
        if (!is_listed(values[q->filters[i].column], q->filters[i].values))
            return false;
    return true;
}

static lochan_status print_row(struct picker *p, size_t row, lochan_error *err) {
    const lochan_feed_json *j = p->json;
    lochan_buf *out = p->out;
    size_t n = p->columns ? p->n_columns : j->table->n_columns;
    if (!p->objects && !p->columns)
        return lochan_buf__append(out, j->lists.data + j->offsets[row],
                                  j->offsets[row + 1] - j->offsets[row], err);
    lochan_str values[MAX_COLUMNS];
    cut_row(j, row, values, j->table->n_columns);
    LOCHAN_TRY(lochan_buf__putc(out, p->objects ? '{' : '[', err));
    for (size_t i = 0; i < n; i++) {
        size_t c = p->columns ? p->columns[i] : i;
        if (i > 0)
            LOCHAN_TRY(lochan_buf__putc(out, ',', err));
        if (p->objects) {
            LOCHAN_TRY(lochan_buf__json_string(out, j->names[c], strlen(j->names[c]), err));
            LOCHAN_TRY(lochan_buf__putc(out, ':', err));
        }
        LOCHAN_TRY(lochan_buf__append(out, values[c].p, values[c].n, err));
    }
    return lochan_buf__putc(out, p->objects ? '}' : ']', err);
}

/* *full: no further row is needed. */
static lochan_status offer(struct picker *p, size_t row, bool *full, lochan_error *err) {
    const lochan_feed_query *q = p->query;
    *full = false;
    if (!is_wanted(p, row) || p->skip-- > 0)
        return LOCHAN_OK;
    if (q->limit >= 0 && p->rows == q->limit) {
        *full = p->has_more = true;
        return LOCHAN_OK;
    }
    if (p->rows++ > 0)
        LOCHAN_TRY(lochan_buf__putc(p->out, ',', err));
    return print_row(p, row, err);
}

/* First place in by_first whose value is not less. */
static size_t lower_bound(const lochan_feed_json *j, lochan_str value) {
    size_t low = 0, high = j->table->n_rows;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (compare_str(first_value(j, j->by_first[mid]), value) < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

/* One value of the first column: its rows are found without looking at the others. */
static lochan_status offer_value(struct picker *p, lochan_str value, lochan_error *err) {
    const lochan_feed_json *j = p->json;
    bool full = false;
    for (size_t i = lower_bound(j, value); i < j->table->n_rows && !full; i++) {
        if (compare_str(first_value(j, j->by_first[i]), value) != 0)
            break;
        LOCHAN_TRY(offer(p, j->by_first[i], &full, err));
    }
    return LOCHAN_OK;
}

/* The rows that can lie between the dates: all, unless the file is in their order. */
static void bound_rows(const lochan_feed_table *t, const lochan_feed_query *q, size_t *from,
                       size_t *to) {
    *from = 0;
    *to = t->n_rows;
    if (t->dates && t->direction != 0)
        lochan_feed_table__rows(t, q->start, q->end, from, to);
}

lochan_status lochan_feed_json__print(const lochan_feed_json *json, const lochan_feed_query *query,
                                      bool objects, const size_t *columns, size_t n_columns,
                                      lochan_buf *out, int64_t *rows, bool *has_more,
                                      lochan_error *err) {
    struct picker p = {.json = json, .query = query, .objects = objects, .columns = columns};
    p.n_columns = n_columns;
    p.out = out;
    p.skip = query->offset;
    bool full = false;
    lochan_status rc = LOCHAN_OK;
    const lochan_feed_filter *first = NULL;
    for (size_t i = 0; i < query->n_filters; i++)
        if (query->filters[i].column == 0 &&
            !memchr(query->filters[i].values.p, ',', query->filters[i].values.n))
            first = &query->filters[i];
    if (first) {
        rc = offer_value(&p, first->values, err);
    } else {
        size_t from, to;
        bound_rows(json->table, query, &from, &to);
        if (query->n_filters == 0 && json->table->direction != 0 && p.skip > 0) {
            size_t skip = (size_t)p.skip < to - from ? (size_t)p.skip : to - from;
            from += skip; /* nothing in between is left out */
            p.skip = 0;
        }
        for (size_t row = from; row < to && !full && rc == LOCHAN_OK; row++)
            rc = offer(&p, row, &full, err);
    }
    *rows = p.rows;
    *has_more = p.has_more;
    return rc;
}
