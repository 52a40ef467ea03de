/* chart.c - line charts of Braille characters (2 x 4 dots a cell).
 * Without `by` there is one plot with axes; with it one line of text a series, each with its own
 * scale. Invariants: at most MAX_POINTS rows and MAX_SERIES series are held, more is an error that
 * says so. May call: libc, print.h.
 */
#include "cli/chart.h"

#include "cli/terminal.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define MAX_POINTS  10000000
#define MAX_SERIES  200
#define NAME_CELLS  20
#define LABEL_CELLS 10

typedef struct point {
    double x, y;
} point;

typedef struct series {
    char *name;
    point *points;
    size_t n, cap;
} series;

typedef struct drawing {
    const lochan_cli_chart *chart;
    size_t x, y, by; /* columns of the stream */
    series *all;
    size_t n_series, n_points;
    double x_min, x_max;
    lochan_cli_text first, last; /* x_min and x_max as text */
} drawing;

/* ---- reading ---- */

static lochan_status find_number(const lochan_cli_reader *reader, const char *name, size_t *out,
                                 lochan_error *err) {
    int found = lochan_cli__find_column(reader, name);
    if (found < 0)
        return lochan_cli__fail(err, LOCHAN_ERR_NOT_FOUND, "there is no column '%s' to draw", name);
    *out = (size_t)found;
    return LOCHAN_OK;
}

static lochan_status find_columns(drawing *d, const lochan_cli_reader *reader, lochan_error *err) {
    lochan_status rc = find_number(reader, d->chart->y, &d->y, err);
    if (rc == LOCHAN_OK && d->chart->by)
        rc = find_number(reader, d->chart->by, &d->by, err);
    if (rc != LOCHAN_OK)
        return rc;
    const lochan_cli_type *type = reader->type->children[d->y];
    if (!lochan_cli__is_number(type))
        return lochan_cli__fail(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "column '%s' holds no numbers to draw", type->name);
    if (d->chart->x)
        return find_number(reader, d->chart->x, &d->x, err);
    for (size_t i = 0; i < reader->type->n_children; i++) {
        lochan_cli_kind kind = reader->type->children[i]->kind;
        if (kind == LOCHAN_CLI_DATE || kind == LOCHAN_CLI_TIMESTAMP) {
            d->x = i;
            return LOCHAN_OK;
        }
    }
    return lochan_cli__fail(err, LOCHAN_ERR_INVALID_ARGUMENT,
                            "no date or timestamp column to draw along: name one with --x");
}

static lochan_status find_series(drawing *d, const lochan_cli_reader *reader, series **out,
                                 lochan_error *err) {
    lochan_cli_text name = {0};
    lochan_cli__add(&name, "", 0);
    if (d->chart->by)
        lochan_cli__add_cell(&name, reader, d->by, LOCHAN_CLI_PLAIN);
    *out = NULL;
    for (size_t i = 0; i < d->n_series && !*out; i++) {
        if (strcmp(d->all[i].name, name.data) == 0)
            *out = &d->all[i];
    }
    if (*out || d->n_series == MAX_SERIES) {
        lochan_cli__free(&name);
        if (!*out)
            return lochan_cli__fail(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                    "more than %d lines to draw: choose some with --where",
                                    MAX_SERIES);
        return LOCHAN_OK;
    }
    d->all = lochan_cli__grow(d->all, d->n_series + 1, sizeof *d->all);
    *out = &d->all[d->n_series++];
    **out = (series){.name = name.data};
    return LOCHAN_OK;
}

static lochan_status add_point(drawing *d, const lochan_cli_reader *reader, lochan_error *err) {
    const lochan_cli_type *types[] = {reader->type->children[d->x], reader->type->children[d->y]};
    int64_t row = reader->row + reader->batch.offset;
    point p;
    if (!lochan_cli__number(types[0], reader->batch.children[d->x], row, &p.x) ||
        !lochan_cli__number(types[1], reader->batch.children[d->y], row, &p.y))
        return LOCHAN_OK;
    if (d->n_points++ >= MAX_POINTS)
        return lochan_cli__fail(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                "more than %d rows to draw: choose some with --where", MAX_POINTS);
    series *s;
    lochan_status rc = find_series(d, reader, &s, err);
    if (rc != LOCHAN_OK)
        return rc;
    if (s->n == s->cap) {
        s->cap = s->cap ? s->cap * 2 : 256;
        s->points = lochan_cli__grow(s->points, s->cap, sizeof *s->points);
    }
    s->points[s->n++] = p;
    if (d->n_points == 1 || p.x < d->x_min) {
        d->x_min = p.x;
        d->first.len = 0;
        lochan_cli__add_cell(&d->first, reader, d->x, LOCHAN_CLI_PLAIN);
    }
    if (d->n_points == 1 || p.x > d->x_max) {
        d->x_max = p.x;
        d->last.len = 0;
        lochan_cli__add_cell(&d->last, reader, d->x, LOCHAN_CLI_PLAIN);
    }
    return LOCHAN_OK;
}

static lochan_status read_points(drawing *d, struct ArrowArrayStream *stream, lochan_error *err) {
    lochan_cli_reader reader;
    bool more = true;
    lochan_status rc = lochan_cli__open_reader(stream, &reader, err);
    if (rc == LOCHAN_OK)
        rc = find_columns(d, &reader, err);
    while (rc == LOCHAN_OK) {
        rc = lochan_cli__next_row(&reader, &more, err);
        if (rc != LOCHAN_OK || !more)
            break;
        rc = add_point(d, &reader, err);
    }
    lochan_cli__close_reader(&reader);
    return rc;
}

/* ---- drawing ---- */

/* A bitmap of Braille dots. */
typedef struct canvas {
    int width, height; /* cells */
    uint8_t *cells;
} canvas;

static void set_dot(canvas *c, int x, int y) {
    static const uint8_t dots[4][2] = {{0x01, 0x08}, {0x02, 0x10}, {0x04, 0x20}, {0x40, 0x80}};
    if (x >= 0 && x < c->width * 2 && y >= 0 && y < c->height * 4)
        c->cells[y / 4 * c->width + x / 2] |= dots[y % 4][x % 2];
}

static void add_cells(lochan_cli_text *t, const canvas *c, int line) {
    for (int x = 0; x < c->width; x++) {
        uint8_t dots = c->cells[line * c->width + x]; /* U+2800 + dots in UTF-8 */
        lochan_cli__addf(t, "%c%c%c", 0xe2, 0xa0 | dots >> 6, 0x80 | (dots & 0x3f));
    }
}

/* Means of the points of each of n columns of dots; NAN where there is none. */
static double *means(const drawing *d, const series *s, int n) {
    double *sums = lochan_cli__alloc((size_t)n, sizeof *sums);
    int64_t *counts = lochan_cli__alloc((size_t)n, sizeof *counts);
    double span = d->x_max - d->x_min;
    for (size_t i = 0; i < s->n; i++) {
        int at = span > 0 ? (int)((s->points[i].x - d->x_min) / span * (n - 1) + 0.5) : 0;
        sums[at] += s->points[i].y;
        counts[at]++;
    }
    for (int i = 0; i < n; i++)
        sums[i] = counts[i] ? sums[i] / (double)counts[i] : (double)NAN;
    free(counts);
    return sums;
}

/* Draws one series over the whole canvas; a column joins its left neighbour by a vertical stroke.
 */
static void draw_series(canvas *c, const double *values, double low, double high) {
    int n = c->width * 2, top = c->height * 4 - 1, last = -1;
    double span = high - low;
    for (int x = 0; x < n; x++) {
        if (isnan(values[x]))
            continue;
        int y = top - (span > 0 ? (int)((values[x] - low) / span * top + 0.5) : top / 2);
        int step = last < 0 || last == y ? 0 : last < y ? 1 : -1;
        for (int k = y; step != 0 && k != last; k -= step)
            set_dot(c, x, k);
        set_dot(c, x, y);
        last = y;
    }
}

static void find_range(const double *values, int n, double *low, double *high) {
    *low = INFINITY;
    *high = -INFINITY;
    for (int i = 0; i < n; i++) {
        if (values[i] < *low)
            *low = values[i];
        if (values[i] > *high)
            *high = values[i];
    }
}

static void add_plot(const drawing *d, lochan_cli_text *t) {
    canvas c = {.width = d->chart->width - LABEL_CELLS - 2, .height = d->chart->height};
    c.width = c.width < 10 ? 10 : c.width;
    c.cells = lochan_cli__alloc((size_t)c.width * (size_t)c.height, 1);
    double *values = means(d, &d->all[0], c.width * 2);
    double low, high;
    find_range(values, c.width * 2, &low, &high);
    draw_series(&c, values, low, high);
    for (int line = 0; line < c.height; line++) {
        if (line == 0 || line == c.height - 1 || line == c.height / 2) {
            double share = c.height > 1 ? (double)line / (c.height - 1) : 0;
            lochan_cli__addf(t, "%*.5g ┤", LABEL_CELLS, high - (high - low) * share);
        } else {
            lochan_cli__addf(t, "%*s │", LABEL_CELLS, "");
        }
        add_cells(t, &c, line);
        lochan_cli__addc(t, '\n');
    }
    lochan_cli__addf(t, "%*s └", LABEL_CELLS, "");
    for (int i = 0; i < c.width; i++)
        lochan_cli__adds(t, "─");
    int gap = c.width - (int)d->first.len - (int)d->last.len;
    lochan_cli__addf(t, "\n%*s %s%*s%s\n", LABEL_CELLS + 1, "", d->first.data, gap > 1 ? gap : 1,
                     "", d->last.data);
    free(values);
    free(c.cells);
}

static void add_lines(const drawing *d, lochan_cli_text *t) {
    int names = (int)strlen(d->chart->by);
    for (size_t i = 0; i < d->n_series; i++) {
        int width = lochan_cli__width(d->all[i].name, strlen(d->all[i].name));
        names = width > names ? width : names;
    }
    names = names > NAME_CELLS ? NAME_CELLS : names;
    canvas c = {.width = d->chart->width - names - 3 * (LABEL_CELLS + 1) - 2, .height = 1};
    c.width = c.width < 10 ? 10 : c.width;
    c.cells = lochan_cli__alloc((size_t)c.width, 1);
    lochan_cli__addf(t, "%-*s  %s%*s%s %*s %*s %*s\n", names, d->chart->by, d->first.data,
                     c.width > 22 ? c.width - (int)d->first.len - (int)d->last.len : 1, "",
                     d->last.data, LABEL_CELLS, "min", LABEL_CELLS, "max", LABEL_CELLS, "last");
    for (size_t i = 0; i < d->n_series; i++) {
        const series *s = &d->all[i];
        double low = s->points[0].y, high = low, *values = means(d, s, c.width * 2), from, to;
        size_t newest = 0;
        for (size_t k = 0; k < s->n; k++) {
            low = fmin(low, s->points[k].y);
            high = fmax(high, s->points[k].y);
            newest = s->points[k].x >= s->points[newest].x ? k : newest;
        }
        find_range(values, c.width * 2, &from, &to);
        memset(c.cells, 0, (size_t)c.width);
        draw_series(&c, values, from, to);
        lochan_cli_text name = {0};
        lochan_cli__add(&name, "", 0);
        lochan_cli__add_visible(&name, s->name, strlen(s->name));
        name.len = lochan_cli__fit(name.data, name.len, names);
        lochan_cli__add(t, name.data, name.len);
        lochan_cli__addf(t, "%*s  ", names - lochan_cli__width(name.data, name.len), "");
        add_cells(t, &c, 0);
        lochan_cli__addf(t, " %*.6g %*.6g %*.6g\n", LABEL_CELLS, low, LABEL_CELLS, high,
                         LABEL_CELLS, s->points[newest].y);
        lochan_cli__free(&name);
        free(values);
    }
    free(c.cells);
}

lochan_status lochan_cli__print_chart(struct ArrowArrayStream *stream,
                                      const lochan_cli_chart *chart, lochan_cli_out *out,
                                      lochan_error *err) {
    drawing d = {.chart = chart};
    lochan_status rc = read_points(&d, stream, err);
    if (rc == LOCHAN_OK && d.n_series > 0) {
        if (chart->by)
            add_lines(&d, &out->text);
        else
            add_plot(&d, &out->text);
    }
    for (size_t i = 0; i < d.n_series; i++) {
        free(d.all[i].name);
        free(d.all[i].points);
    }
    free(d.all);
    lochan_cli__free(&d.first);
    lochan_cli__free(&d.last);
    return rc;
}
