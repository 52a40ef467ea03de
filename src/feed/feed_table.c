/* feed_table.c - loads a CSV file and cuts windows of dates out of it.
 * Invariants: rows are served byte for byte as they stand in the file; a file whose rows do not fit
 * its header is refused. May call: base/, source/csv_scan.h.
 */
#include "feed/feed_table.h"

#include "base/civil.h"
#include "base/fs.h"
#include "base/gzip.h"
#include "base/str.h"
#include "source/csv_scan.h"

#define MAX_FILE    ((size_t)2 << 30)
#define BLOCK_ROWS  ((size_t)1024)
#define MAX_COLUMNS 4096

/* ---- loading ---- */

static bool ends_with(const char *s, const char *tail) {
    size_t n = strlen(s), t = strlen(tail);
    return n > t && strcmp(s + n - t, tail) == 0;
}

static lochan_status read_text(const char *path, lochan_buf *out, lochan_error *err) {
    lochan_buf__init(out, MAX_FILE + 1);
    if (!ends_with(path, ".gz"))
        return lochan_fs__read_all(path, MAX_FILE, out, err);
    lochan_buf packed;
    lochan_buf__init(&packed, MAX_FILE);
    lochan_status rc = lochan_fs__read_all(path, MAX_FILE, &packed, err);
    if (rc == LOCHAN_OK)
        rc = lochan_error__in_file(err, lochan_gzip__unpack(packed.data, packed.len, out, err),
                                   path, -1);
    lochan_buf__deinit(&packed);
    return rc;
}

/* ---- indexing ---- */

bool lochan_feed__parse_date(const char *s, size_t n, int32_t *days) {
    char dashed[10];
    if (n == 8) {
        memcpy(dashed, s, 4);
        memcpy(dashed + 5, s + 4, 2);
        memcpy(dashed + 8, s + 6, 2);
        dashed[4] = dashed[7] = '-';
        return lochan_civil__parse_date(dashed, 10, days);
    }
    return lochan_civil__parse_date(s, n, days);
}

struct indexer {
    lochan_feed_table *table;
    lochan_csv_scanner scanner;
    lochan_csv_cell *cells;
    size_t date_column; /* SIZE_MAX = none */
    size_t room;
};

/* Where the row of this first cell begins. */
static size_t row_offset(const struct indexer *x, const lochan_csv_cell *first) {
    const char *begin = first->flags & LOCHAN_CSV_QUOTED ? first->p - 1 : first->p;
    return (size_t)(begin - (const char *)x->table->text.data);
}

static lochan_status find_date_column(struct indexer *x, const lochan_csv_cell *header,
                                      const char *wanted, lochan_error *err) {
    x->date_column = SIZE_MAX;
    if (!wanted)
        return LOCHAN_OK;
    for (size_t i = 0; i < x->table->n_columns; i++)
        if (lochan_str__eq(lochan_str__of(wanted), (lochan_str){header[i].p, header[i].n}))
            x->date_column = i;
    if (x->date_column == SIZE_MAX)
        return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no column '%.60s'", wanted);
    return LOCHAN_OK;
}

static lochan_status read_header(struct indexer *x, const char *date_column, lochan_error *err) {
    lochan_feed_table *t = x->table;
    lochan_buf header;
    lochan_buf__init(&header, MAX_COLUMNS * sizeof(lochan_csv_cell));
    t->header_begin = (size_t)(x->scanner.start - (const char *)t->text.data);
    lochan_status rc =
        lochan_csv_scanner__header(&x->scanner, MAX_COLUMNS, &header, &t->n_columns, err);
    if (rc == LOCHAN_OK) {
        t->header_end = (size_t)(x->scanner.start - (const char *)t->text.data);
        rc = find_date_column(x, (const lochan_csv_cell *)(const void *)header.data, date_column,
                              err);
    }
    lochan_buf__deinit(&header);
    return rc;
}

/* The first row decides which column is the date, if none was named. */
static void guess_date_column(struct indexer *x) {
    int32_t days;
    for (size_t i = 0; i < x->table->n_columns && x->date_column == SIZE_MAX; i++)
        if (lochan_feed__parse_date(x->cells[i].p, x->cells[i].n, &days))
            x->date_column = i;
}

static lochan_status make_room(struct indexer *x, size_t rows, lochan_error *err) {
    lochan_feed_table *t = x->table;
    size_t need = t->n_rows + rows + 1;
    if (need <= x->room)
        return LOCHAN_OK;
    size_t room = x->room * 2 > need ? x->room * 2 : need;
    uint64_t *offsets = lochan_mem__realloc(t->offsets, room * sizeof(*offsets));
    if (!offsets)
        return lochan_error__nomem(err);
    t->offsets = offsets;
    int32_t *dates = lochan_mem__realloc(t->dates, room * sizeof(*dates));
    if (!dates)
        return lochan_error__nomem(err);
    t->dates = dates;
    x->room = room;
    return LOCHAN_OK;
}

static lochan_status add_rows(struct indexer *x, size_t rows, lochan_error *err) {
    lochan_feed_table *t = x->table;
    LOCHAN_TRY(make_room(x, rows, err));
    for (size_t i = 0; i < rows; i++) {
        const lochan_csv_cell *row = x->cells + i * t->n_columns;
        int32_t days = 0;
        if (x->date_column != SIZE_MAX) {
            const lochan_csv_cell *date = &row[x->date_column];
            if (!lochan_feed__parse_date(date->p, date->n, &days)) {
                lochan_status rc = lochan_error__set(err, LOCHAN_ERR_PAGE, "'%.*s' is no date",
                                                     (int)(date->n < 40 ? date->n : 40), date->p);
                return lochan_error__in_line(err, rc, NULL,
                                             lochan_csv_scanner__line(&x->scanner, date->p), -1);
            }
        }
        t->offsets[t->n_rows] = row_offset(x, row);
        t->dates[t->n_rows++] = days;
    }
    return LOCHAN_OK;
}

static int direction_of(const int32_t *dates, size_t n) {
    bool falls = false, rises = false;
    for (size_t i = 1; i < n; i++) {
        falls |= dates[i] < dates[i - 1];
        rises |= dates[i] > dates[i - 1];
    }
    return !falls ? 1 : !rises ? -1 : 0;
}

static lochan_status index_rows(struct indexer *x, lochan_error *err) {
    lochan_feed_table *t = x->table;
    x->cells = lochan_mem__array(BLOCK_ROWS * t->n_columns, sizeof(*x->cells));
    if (!x->cells)
        return lochan_error__nomem(err);
    for (size_t rows = BLOCK_ROWS; rows == BLOCK_ROWS;) {
        LOCHAN_TRY(
            lochan_csv_scanner__rows(&x->scanner, t->n_columns, BLOCK_ROWS, x->cells, &rows, err));
        if (t->n_rows == 0 && rows > 0 && x->date_column == SIZE_MAX)
            guess_date_column(x);
        LOCHAN_TRY(add_rows(x, rows, err));
    }
    t->offsets[t->n_rows] = t->text.len;
    t->direction = direction_of(t->dates, t->n_rows);
    if (x->date_column == SIZE_MAX && t->n_rows > 0) {
        lochan_mem__free(t->dates);
        t->dates = NULL;
    }
    return LOCHAN_OK;
}

static lochan_status name_of(const char *path, char **out, lochan_error *err) {
    const char *base = lochan_path__basename(path);
    size_t n = strlen(base);
    n -= ends_with(base, ".gz") ? 3 : 0;
    n -= n > 4 && strncmp(base + n - 4, ".csv", 4) == 0 ? 4 : 0;
    *out = lochan_mem__strndup(base, n);
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

lochan_status lochan_feed_table__load(const char *path, const char *date_column,
                                      lochan_feed_table *out, lochan_error *err) {
    memset(out, 0, sizeof(*out));
    struct indexer x = {.table = out};
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRYG(name_of(path, &out->name, err));
    LOCHAN_TRYG(read_text(path, &out->text, err));
    if (out->text.len > 0 && out->text.data[out->text.len - 1] != '\n')
        LOCHAN_TRYG(lochan_buf__putc(&out->text, '\n', err));
    out->delimiter = ',';
    lochan_csv_scanner__init(&x.scanner, out->text.data, out->text.len, out->delimiter);
    LOCHAN_TRYG(read_header(&x, date_column, err));
    LOCHAN_TRYG(index_rows(&x, err));
done:
    lochan_mem__free(x.cells);
    if (rc != LOCHAN_OK) {
        lochan_error__in_file(err, rc, path, -1);
        lochan_error__prefix(err, rc, "%s", path);
        lochan_feed_table__deinit(out);
    }
    return rc;
}

void lochan_feed_table__deinit(lochan_feed_table *table) {
    lochan_mem__free(table->name);
    lochan_buf__deinit(&table->text);
    lochan_mem__free(table->offsets);
    lochan_mem__free(table->dates);
    memset(table, 0, sizeof(*table));
}

/* ---- windows ---- */

struct cutter {
    const lochan_feed_table *table;
    lochan_feed_window *window;
    size_t room;
    size_t skip, take; /* rows still to leave out, still to serve */
};

static lochan_status add_part(struct cutter *c, size_t begin, size_t end, lochan_error *err) {
    lochan_feed_window *w = c->window;
    if (w->n_parts == c->room) {
        size_t room = c->room ? c->room * 2 : 8;
        struct iovec *parts = lochan_mem__realloc(w->parts, room * sizeof(*parts));
        if (!parts)
            return lochan_error__nomem(err);
        w->parts = parts;
        c->room = room;
    }
    w->parts[w->n_parts++] = (struct iovec){c->table->text.data + begin, end - begin};
    w->bytes += end - begin;
    return LOCHAN_OK;
}

/* Rows [first, last) belong to the window. */
static lochan_status add_run(struct cutter *c, size_t first, size_t last, lochan_error *err) {
    size_t skip = last - first < c->skip ? last - first : c->skip;
    c->skip -= skip;
    first += skip;
    if (last - first > c->take) {
        last = first + c->take;
        c->window->has_more = true;
    }
    c->take -= last - first;
    c->window->rows += last - first;
    return first == last ? LOCHAN_OK
                         : add_part(c, c->table->offsets[first], c->table->offsets[last], err);
}

/* First row at which the dates have reached `date` in the table's direction (past it, with `past`).
 */
static size_t search(const lochan_feed_table *t, int32_t date, bool past) {
    size_t low = 0, high = t->n_rows;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int64_t ahead = ((int64_t)t->dates[mid] - date) * t->direction;
        if (ahead > 0 || (ahead == 0 && !past))
            high = mid;
        else
            low = mid + 1;
    }
    return low;
}

static lochan_status cut_unordered(struct cutter *c, int32_t start, int32_t end,
                                   lochan_error *err) {
    const lochan_feed_table *t = c->table;
    for (size_t i = 0; i < t->n_rows;) {
        while (i < t->n_rows && (t->dates[i] < start || t->dates[i] > end))
            i++;
        size_t first = i;
        while (i < t->n_rows && t->dates[i] >= start && t->dates[i] <= end)
            i++;
        if (i > first)
            LOCHAN_TRY(add_run(c, first, i, err));
    }
    return LOCHAN_OK;
}

void lochan_feed_table__rows(const lochan_feed_table *t, int32_t start, int32_t end, size_t *from,
                             size_t *to) {
    *from = *to = 0;
    if (start > end)
        return;
    *from = search(t, t->direction > 0 ? start : end, false);
    *to = search(t, t->direction > 0 ? end : start, true);
}

lochan_status lochan_feed_table__window(const lochan_feed_table *table, int32_t start, int32_t end,
                                        int64_t offset, int64_t limit, lochan_feed_window *out,
                                        lochan_error *err) {
    memset(out, 0, sizeof(*out));
    struct cutter c = {.table = table, .window = out, .skip = (size_t)offset};
    c.take = limit < 0 ? SIZE_MAX : (size_t)limit;
    lochan_status rc = add_part(&c, table->header_begin, table->header_end, err);
    if (rc == LOCHAN_OK) {
        if (!table->dates)
            rc = add_run(&c, 0, table->n_rows, err);
        else if (table->direction == 0)
            rc = cut_unordered(&c, start, end, err);
        else if (start <= end)
            rc = add_run(&c, search(table, table->direction > 0 ? start : end, false),
                         search(table, table->direction > 0 ? end : start, true), err);
    }
    if (rc != LOCHAN_OK)
        lochan_feed_window__deinit(out);
    return rc;
}

void lochan_feed_window__deinit(lochan_feed_window *window) {
    lochan_mem__free(window->parts);
    memset(window, 0, sizeof(*window));
}
