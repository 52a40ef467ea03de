/* csv_scan.c - finds delimiters, newlines and quotes 64 bytes at a time and walks from one to the
 * next. SSE2 belongs to every x86-64 processor, so it needs no dispatch; elsewhere a plain loop
 * makes the same mask. Invariant: never reads outside the text. May call: base/.
 */
#include "source/csv_scan.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define WINDOW ((size_t)64)

#if defined(__SSE2__)
static uint64_t mask_of_16(const char *p, __m128i delimiter, __m128i newline, __m128i quote) {
    __m128i bytes = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i hits =
        _mm_or_si128(_mm_cmpeq_epi8(bytes, delimiter),
                     _mm_or_si128(_mm_cmpeq_epi8(bytes, newline), _mm_cmpeq_epi8(bytes, quote)));
    return (uint64_t)(uint32_t)_mm_movemask_epi8(hits);
}

static uint64_t mask_of_64(const char *p, char c) {
    __m128i delimiter = _mm_set1_epi8(c), newline = _mm_set1_epi8('\n'), quote = _mm_set1_epi8('"');
    return mask_of_16(p, delimiter, newline, quote) |
           mask_of_16(p + 16, delimiter, newline, quote) << 16 |
           mask_of_16(p + 32, delimiter, newline, quote) << 32 |
           mask_of_16(p + 48, delimiter, newline, quote) << 48;
}
#else
static uint64_t mask_of_64(const char *p, char c) {
    uint64_t mask = 0;
    for (size_t i = 0; i < WINDOW; i++)
        mask |= (uint64_t)(p[i] == c || p[i] == '\n' || p[i] == '"') << i;
    return mask;
}
#endif

/* Moves the window to p. */
static void look_at(lochan_csv_scanner *s, const char *p) {
    s->window = p;
    size_t left = (size_t)(s->end - p);
    if (left >= WINDOW) {
        s->mask = mask_of_64(p, s->delimiter);
        return;
    }
    char tail[WINDOW] = {
        0}; /* a zero byte is no delimiter: specs refuse control characters but tab */
    if (left > 0)
        memcpy(tail, p, left);
    s->mask = mask_of_64(tail, s->delimiter);
}

/* The next special byte at or behind the window's unread part; NULL at the end of the text. */
static const char *next_special(lochan_csv_scanner *s) {
    while (s->mask == 0) {
        if ((size_t)(s->end - s->window) <= WINDOW)
            return NULL;
        look_at(s, s->window + WINDOW);
    }
    const char *p = s->window + __builtin_ctzll(s->mask);
    s->mask &= s->mask - 1;
    return p;
}

void lochan_csv_scanner__init(lochan_csv_scanner *s, const void *text, size_t n, char delimiter) {
    memset(s, 0, sizeof(*s));
    s->text = n ? text : "";
    s->end = s->text + n;
    s->start = s->text;
    if (n >= 3 && memcmp(s->text, "\xEF\xBB\xBF", 3) == 0)
        s->start += 3;
    s->delimiter = delimiter;
    look_at(s, s->start);
}

int64_t lochan_csv_scanner__line(const lochan_csv_scanner *s, const char *at) {
    int64_t line = 1;
    for (const char *p = s->text; p < at && (p = memchr(p, '\n', (size_t)(at - p))) != NULL; p++)
        line++;
    return line;
}

static lochan_status problem(const lochan_csv_scanner *s, const char *at, lochan_error *err,
                             const char *fmt, ...) LOCHAN_PRINTF(4, 5);
static lochan_status problem(const lochan_csv_scanner *s, const char *at, lochan_error *err,
                             const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lochan_status rc = lochan_error__vset(err, LOCHAN_ERR_PAGE, fmt, args);
    va_end(args);
    return lochan_error__in_line(err, rc, NULL, lochan_csv_scanner__line(s, at), -1);
}

/* How a cell ended. */
enum stop { AT_DELIMITER, AT_NEWLINE, AT_END };

/* A cell in quotes that begins at s->start. */
static lochan_status quoted_cell(lochan_csv_scanner *s, lochan_csv_cell *cell, enum stop *stop,
                                 lochan_error *err) {
    const char *open = s->start, *p = open + 1;
    cell->flags = LOCHAN_CSV_QUOTED;
    for (;;) {
        p = memchr(p, '"', (size_t)(s->end - p));
        if (!p)
            return problem(s, open, err, "the page ends inside a quoted field");
        if (p + 1 == s->end || p[1] != '"')
            break;
        cell->flags |= LOCHAN_CSV_DOUBLED;
        p += 2;
    }
    if ((size_t)(p - open) > INT32_MAX)
        return problem(s, open, err, "a field is longer than 2 GB");
    cell->p = open + 1;
    cell->n = (uint32_t)(p - open - 1);
    p++;
    if (p < s->end && *p == '\r' && (p + 1 == s->end || p[1] == '\n'))
        p++;
    if (p == s->end)
        *stop = AT_END;
    else if (*p == s->delimiter)
        *stop = AT_DELIMITER;
    else if (*p == '\n')
        *stop = AT_NEWLINE;
    else
        return problem(s, p, err, "text behind the closing quote of a field");
    s->start = p < s->end ? p + 1 : p;
    look_at(s, s->start);
    return LOCHAN_OK;
}

/* The cell that begins at s->start; a quote inside an unquoted cell is an ordinary character. */
static inline lochan_status next_cell(lochan_csv_scanner *s, lochan_csv_cell *cell, enum stop *stop,
                                      lochan_error *err) {
    const char *p;
    for (;;) {
        p = next_special(s);
        if (!p || *p != '"')
            break;
        if (p == s->start)
            return quoted_cell(s, cell, stop, err);
    }
    const char *cell_end = p ? p : s->end;
    *stop = !p ? AT_END : *p == '\n' ? AT_NEWLINE : AT_DELIMITER;
    if (*stop != AT_DELIMITER && cell_end > s->start && cell_end[-1] == '\r')
        cell_end--;
    if ((size_t)(cell_end - s->start) > INT32_MAX)
        return problem(s, s->start, err, "a field is longer than 2 GB");
    *cell = (lochan_csv_cell){s->start, (uint32_t)(cell_end - s->start), 0};
    s->start = p ? p + 1 : s->end;
    return LOCHAN_OK;
}

/* Nothing but line ends up to the end of the text. */
static bool only_blank_lines(const lochan_csv_scanner *s) {
    for (const char *p = s->start; p < s->end; p++)
        if (*p != '\n' && *p != '\r')
            return false;
    return true;
}

static lochan_status wrong_count(const lochan_csv_scanner *s, const char *row, size_t expected,
                                 size_t found, bool more, lochan_error *err) {
    return problem(s, row, err, "expected %zu columns as in the header, found %s%zu", expected,
                   more ? "more than " : "", found);
}

lochan_status lochan_csv_scanner__rows(lochan_csv_scanner *s, size_t n_cells, size_t max_rows,
                                       lochan_csv_cell *cells, size_t *rows, lochan_error *err) {
    *rows = 0;
    while (*rows < max_rows) {
        if (s->start == s->end)
            return LOCHAN_OK;
        if (n_cells > 1 && (*s->start == '\n' || *s->start == '\r') && only_blank_lines(s)) {
            s->start = s->end;
            return LOCHAN_OK;
        }
        const char *row = s->start;
        lochan_csv_cell *cell = cells + *rows * n_cells;
        enum stop stop = AT_DELIMITER;
        for (size_t i = 0; i < n_cells; i++) {
            if (stop != AT_DELIMITER)
                return wrong_count(s, row, n_cells, i, false, err);
            LOCHAN_TRY(next_cell(s, cell + i, &stop, err));
        }
        if (stop == AT_DELIMITER)
            return wrong_count(s, row, n_cells, n_cells, true, err);
        s->last_row_is_open = stop == AT_END;
        (*rows)++;
    }
    return LOCHAN_OK;
}

lochan_status lochan_csv_scanner__header(lochan_csv_scanner *s, size_t max_cells, lochan_buf *out,
                                         size_t *n_cells, lochan_error *err) {
    *n_cells = 0;
    if (s->start == s->end)
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "the page is empty, not even a header line");
    for (enum stop stop = AT_DELIMITER; stop == AT_DELIMITER;) {
        lochan_csv_cell cell;
        if (*n_cells == max_cells)
            return problem(s, s->start, err, "the header has more than %zu columns", max_cells);
        LOCHAN_TRY(next_cell(s, &cell, &stop, err));
        LOCHAN_TRY(lochan_buf__append(out, &cell, sizeof(cell), err));
        (*n_cells)++;
    }
    return LOCHAN_OK;
}
