/* csv_column.c - the parsers of each type, and the loop that fills a column with them.
 * Invariants: a value is taken exactly or refused, never rounded to another type's grid; floats are
 * rounded correctly. May call: base/, arrow/.
 */
#include "source/csv_column.h"

#include "arrow/decimal.h"
#include "arrow/view.h"

#include <math.h>
#include <strings.h>

#define LONGEST_VALUE 1024 /* bytes of a number or date in quotes with doubled quotes in it */

/* ---- one parser a type ---- */

/* Up to 15 digits and a point: mantissa and power of ten are exact doubles, so one division rounds
 * once. Everything else goes the general way. */
static inline bool parse_short_double(const char *p, size_t n, double *out) {
    static const double powers[] = {1e0, 1e1, 1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15};
    const char *end = p + n, *point = NULL;
    bool negative = n > 0 && *p == '-';
    p += negative;
    size_t length = (size_t)(end - p);
    if (length == 0 || length > 15)
        return false;
    uint64_t m = 0;
    for (; p < end; p++) {
        unsigned digit = (unsigned)((unsigned char)*p - '0');
        if (digit <= 9)
            m = m * 10 + digit;
        else if (*p == '.' && !point)
            point = p;
        else
            return false;
    }
    if (point && length == 1)
        return false;
    double v = point ? (double)m / powers[end - point - 1] : (double)m;
    *out = negative ? -v : v;
    return true;
}

static bool parse_float64(lochan_csv_writer *w, const char *p, size_t n, void *dst) {
    (void)w;
    double v;
    if (!parse_short_double(p, n, &v) && !lochan_parse__double(p, n, false, &v))
        return false;
    memcpy(dst, &v, sizeof(v));
    return true;
}

static bool parse_float32(lochan_csv_writer *w, const char *p, size_t n, void *dst) {
    double v;
    if (!parse_float64(w, p, n, &v))
        return false;
    float f = (float)v;
    if (isinf(f))
        return false;
    memcpy(dst, &f, sizeof(f));
    return true;
}

static bool parse_signed(lochan_csv_writer *w, const char *p, size_t n, void *dst) {
    int64_t v, limit = w->width == 8 ? INT64_MAX : ((int64_t)1 << (w->width * 8 - 1)) - 1;
    if (!lochan_parse__int64(p, n, &v) || v > limit || v < -limit - 1)
        return false;
    memcpy(dst, &v, w->width); /* little-endian: the low bytes come first */
    return true;
}

static bool parse_unsigned(lochan_csv_writer *w, const char *p, size_t n, void *dst) {
    uint64_t v, limit = w->width == 8 ? UINT64_MAX : ((uint64_t)1 << (w->width * 8)) - 1;
    if (!lochan_parse__uint64(p, n, &v) || v > limit)
        return false;
    memcpy(dst, &v, w->width);
    return true;
}

/* true, false in any case, 1, 0. */
static bool parse_bool(lochan_csv_writer *w, const char *p, size_t n, void *dst) {
    (void)w;
    bool yes = (n == 1 && *p == '1') || (n == 4 && strncasecmp(p, "true", 4) == 0);
    bool no = (n == 1 && *p == '0') || (n == 5 && strncasecmp(p, "false", 5) == 0);
    *(uint8_t *)dst = yes;
    return yes || no;
}

static bool parse_decimal(lochan_csv_writer *w, const char *p, size_t n, void *dst) {
    return lochan_decimal__parse(p, n, (int)w->width, w->type.precision, w->type.scale, dst);
}

static bool same_as_last(const lochan_csv_writer *w, const char *p, size_t n) {
    return n > 0 && n == w->last_n && memcmp(p, w->last_text, n) == 0;
}

static void remember(lochan_csv_writer *w, const char *p, size_t n, int64_t value) {
    if (n > sizeof(w->last_text))
        return;
    memcpy(w->last_text, p, n);
    w->last_n = n;
    w->last_value = value;
}

static bool parse_date32(lochan_csv_writer *w, const char *p, size_t n, void *dst) {
    int32_t days;
    if (same_as_last(w, p, n)) {
        days = (int32_t)w->last_value;
    } else {
        int64_t ns = 0;
        bool ok = w->date_format ? lochan_date_format__parse(w->date_format, p, n, &days, &ns)
                                 : lochan_civil__parse_date(p, n, &days);
        if (!ok || ns != 0) /* a time of day would be lost */
            return false;
        remember(w, p, n, days);
    }
    memcpy(dst, &days, sizeof(days));
    return true;
}

/* Nanoseconds in one unit of the type. */
static int64_t unit_ns(lochan_time_unit unit) {
    static const int64_t ns[] = {1000000000, 1000000, 1000, 1};
    return ns[unit];
}

static bool parse_timestamp(lochan_csv_writer *w, const char *p, size_t n, void *dst) {
    int64_t v, unit = unit_ns(w->type.unit);
    if (same_as_last(w, p, n)) {
        v = w->last_value;
    } else if (w->date_format) {
        int32_t days;
        int64_t ns = 0;
        if (!lochan_date_format__parse(w->date_format, p, n, &days, &ns) || ns % unit != 0 ||
            __builtin_mul_overflow((int64_t)days, INT64_C(86400000000000) / unit, &v) ||
            __builtin_add_overflow(v, ns / unit, &v))
            return false;
        remember(w, p, n, v);
    } else {
        int64_t ns;
        if (!lochan_civil__parse_utc(p, n, &ns) || ns % unit != 0)
            return false;
        v = ns / unit;
        remember(w, p, n, v);
    }
    memcpy(dst, &v, sizeof(v));
    return true;
}

/* ---- types ---- */

/* A new type is one entry here. */
static const struct csv_type {
    lochan_type_id id;
    size_t width;
    lochan_csv_parse_fn parse;
} csv_types[] = {
    {LOCHAN_TYPE_BOOL, 1, parse_bool},           {LOCHAN_TYPE_INT8, 1, parse_signed},
    {LOCHAN_TYPE_UINT8, 1, parse_unsigned},      {LOCHAN_TYPE_INT16, 2, parse_signed},
    {LOCHAN_TYPE_UINT16, 2, parse_unsigned},     {LOCHAN_TYPE_INT32, 4, parse_signed},
    {LOCHAN_TYPE_UINT32, 4, parse_unsigned},     {LOCHAN_TYPE_INT64, 8, parse_signed},
    {LOCHAN_TYPE_UINT64, 8, parse_unsigned},     {LOCHAN_TYPE_FLOAT32, 4, parse_float32},
    {LOCHAN_TYPE_FLOAT64, 8, parse_float64},     {LOCHAN_TYPE_DECIMAL128, 16, parse_decimal},
    {LOCHAN_TYPE_DATE32, 4, parse_date32},       {LOCHAN_TYPE_TIMESTAMP, 8, parse_timestamp},
    {LOCHAN_TYPE_STRING, sizeof(int32_t), NULL}, {LOCHAN_TYPE_BINARY, sizeof(int32_t), NULL},
};

lochan_status lochan_csv_writer__init(lochan_csv_writer *w, const lochan_type *type,
                                      lochan_error *err) {
    memset(w, 0, sizeof(*w));
    w->type = *type;
    lochan_buf__init(&w->bytes, INT32_MAX);
    for (size_t i = 0; i < LOCHAN_COUNTOF(csv_types); i++) {
        if (csv_types[i].id != type->id)
            continue;
        w->parse = csv_types[i].parse;
        w->width = csv_types[i].width;
        return LOCHAN_OK;
    }
    char name[80];
    lochan_type__name(type, name);
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "CSV cannot be read as %s", name);
}

void lochan_csv_writer__deinit(lochan_csv_writer *w) {
    lochan_buffer__unref(w->values);
    lochan_buffer__unref(w->validity);
    lochan_buf__deinit(&w->bytes);
    w->values = w->validity = NULL;
}

size_t lochan_csv_writer__bytes_for(const lochan_csv_writer *w, int64_t rows) {
    return ((size_t)rows + 1) * w->width + (size_t)rows / 8 + 1;
}

lochan_status lochan_csv_writer__reserve(lochan_csv_writer *w, int64_t rows, size_t page_size,
                                         lochan_error *err) {
    size_t bits = (size_t)rows / 8 + 1;
    bool is_bool = w->type.id == LOCHAN_TYPE_BOOL;
    w->values =
        lochan_buffer__create(is_bool ? bits : ((size_t)rows + (w->parse == NULL)) * w->width);
    w->validity = w->values ? lochan_buffer__create(bits) : NULL;
    if (!w->validity)
        return lochan_error__nomem(err);
    memset(w->validity->data, 0xFF, bits);
    if (is_bool)
        memset(w->values->data, 0, bits);
    if (!w->parse)
        memset(w->values->data, 0, sizeof(int32_t)); /* the first offset */
    w->capacity = rows;
    w->bytes.max = page_size < INT32_MAX ? page_size : INT32_MAX;
    return LOCHAN_OK;
}

/* ---- cells to values ---- */

static inline bool is_null(const lochan_csv_writer *w, const lochan_csv_cell *cell) {
    if (!w->parse && (cell->flags & LOCHAN_CSV_QUOTED))
        return false;
    if (w->only_empty_is_null)
        return cell->n == 0;
    if (cell->flags & LOCHAN_CSV_NULL)
        return true;
    for (size_t i = 0; i < w->n_null_texts; i++)
        if (strlen(w->null_texts[i]) == cell->n && memcmp(w->null_texts[i], cell->p, cell->n) == 0)
            return true;
    return false;
}

static bool take_null(lochan_csv_writer *w, int64_t row) {
    if (!w->nullable)
        return false;
    lochan_bit__clear(w->validity->data, row);
    w->nulls++;
    return true;
}

size_t lochan_csv__undouble(const char *p, size_t n, char *dst) {
    char *out = dst;
    for (size_t i = 0; i < n; i++) {
        *out++ = p[i];
        if (p[i] == '"') /* the scanner saw that a second one follows */
            i++;
    }
    return (size_t)(out - dst);
}

/* A number of JSON such as 12.0 or 1e3 for a column of integers: exact or nothing. */
static bool parse_whole(lochan_csv_writer *w, const char *p, size_t n, void *dst) {
    double v;
    char text[32];
    if (!lochan_type__is_integer(w->type.id) || !lochan_parse__double(p, n, false, &v) ||
        v > 9007199254740992.0 || v < -9007199254740992.0 || v != (double)(int64_t)v)
        return false;
    lochan_format(text, sizeof(text), "%lld", (long long)v);
    return w->parse(w, text, strlen(text), dst);
}

/* The rarer spellings of a value: blanks around it, doubled quotes inside. */
static bool parse_unusual(lochan_csv_writer *w, const lochan_csv_cell *cell, void *dst) {
    char plain[LONGEST_VALUE];
    lochan_str s = {cell->p, cell->n};
    if (s.n > sizeof(plain))
        return false;
    if (cell->flags & LOCHAN_CSV_DOUBLED)
        s = (lochan_str){plain, lochan_csv__undouble(cell->p, cell->n, plain)};
    lochan_str trimmed = lochan_str__trim(s);
    if (w->is_json && parse_whole(w, trimmed.p, trimmed.n, dst))
        return true;
    return trimmed.n > 0 && (trimmed.n < cell->n) && w->parse(w, trimmed.p, trimmed.n, dst);
}

/* Index of the first cell that cannot be taken, or `rows`. */
static size_t append_values(lochan_csv_writer *w, const lochan_csv_cell *cells, size_t stride,
                            size_t rows) {
    uint8_t *dst = w->values->data + (size_t)w->rows * w->width;
    for (size_t i = 0; i < rows; i++, cells += stride, dst += w->width) {
        if (is_null(w, cells)) {
            if (!take_null(w, w->rows + (int64_t)i))
                return i;
            memset(dst, 0, w->width);
        } else if (!w->parse(w, cells->p, cells->n, dst) && !parse_unusual(w, cells, dst)) {
            return i;
        }
    }
    return rows;
}

static size_t append_bools(lochan_csv_writer *w, const lochan_csv_cell *cells, size_t stride,
                           size_t rows) {
    for (size_t i = 0; i < rows; i++, cells += stride) {
        uint8_t value = 0;
        int64_t row = w->rows + (int64_t)i;
        if (is_null(w, cells)) {
            if (!take_null(w, row))
                return i;
        } else if (!w->parse(w, cells->p, cells->n, &value) && !parse_unusual(w, cells, &value)) {
            return i;
        }
        if (value)
            lochan_bit__set(w->values->data, row);
    }
    return rows;
}

/* Room for the bytes of these cells; grows ahead as the rows so far suggest, so that it happens
 * once or twice. */
static lochan_status reserve_bytes(lochan_csv_writer *w, const lochan_csv_cell *cells,
                                   size_t stride, size_t rows, lochan_error *err) {
    size_t need = 0;
    for (size_t i = 0; i < rows; i++)
        need += cells[i * stride].n;
    if (need <= w->bytes.cap - w->bytes.len && w->bytes.data)
        return LOCHAN_OK;
    if (need > w->bytes.max - w->bytes.len)
        return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                 "the texts of one column are larger than 2 GB in one page");
    double mean = (double)(w->bytes.len + need) / (double)(w->rows + (int64_t)rows);
    double ahead = mean * (double)(w->capacity - w->rows) * 1.02;
    if (ahead > (double)need && ahead < (double)(w->bytes.max - w->bytes.len))
        need = (size_t)ahead;
    return lochan_buf__reserve(&w->bytes, need, err);
}

static size_t append_strings(lochan_csv_writer *w, const lochan_csv_cell *cells, size_t stride,
                             size_t rows) {
    int32_t *offsets = (int32_t *)(void *)w->values->data + w->rows;
    char *dst = (char *)w->bytes.data + w->bytes.len;
    size_t i = 0;
    for (; i < rows; i++, cells += stride) {
        size_t n = cells->n;
        if (is_null(w, cells)) {
            if (!take_null(w, w->rows + (int64_t)i))
                break;
            n = 0;
        } else if (w->check_utf8 && !lochan_utf8__valid(cells->p, n)) {
            break;
        } else if (cells->flags & LOCHAN_CSV_DOUBLED) {
            n = lochan_csv__undouble(cells->p, n, dst);
        } else {
            memcpy(dst, cells->p, n);
        }
        dst += n;
        offsets[i + 1] = (int32_t)(dst - (char *)w->bytes.data);
    }
    w->bytes.len = (size_t)(dst - (char *)w->bytes.data);
    return i;
}

lochan_status lochan_csv_writer__append(lochan_csv_writer *w, const lochan_csv_cell *cells,
                                        size_t stride, size_t rows, size_t *bad,
                                        lochan_error *err) {
    *bad = rows;
    if (rows == 0)
        return LOCHAN_OK;
    LOCHAN_ASSERT(w->rows + (int64_t)rows <= w->capacity);
    if (!w->parse)
        LOCHAN_TRY(reserve_bytes(w, cells, stride, rows, err));
    *bad = !w->parse                        ? append_strings(w, cells, stride, rows)
           : w->type.id == LOCHAN_TYPE_BOOL ? append_bools(w, cells, stride, rows)
                                            : append_values(w, cells, stride, rows);
    if (*bad < rows)
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "unusable value");
    w->rows += (int64_t)rows;
    return LOCHAN_OK;
}

static void release_bytes(lochan_buffer *self) {
    lochan_mem__free(self->data);
}

lochan_status lochan_csv_writer__finish(lochan_csv_writer *w, struct ArrowArray *out,
                                        lochan_error *err) {
    LOCHAN_TRY(lochan_array__init(out, w->parse ? 2 : 3, 0, err));
    out->length = w->rows;
    out->null_count = w->nulls;
    if (!w->parse) {
        lochan_buffer *bytes =
            w->bytes.data ? lochan_buffer__wrap(w->bytes.data, w->bytes.len, release_bytes, NULL)
                          : lochan_buffer__create(0);
        if (!bytes)
            return lochan_error__nomem(err);
        if (w->bytes.data)
            lochan_buf__init(&w->bytes, INT32_MAX); /* the memory is the buffer's now */
        lochan_array__give_buffer(out, 2, bytes);
    }
    lochan_array__give_buffer(out, 1, w->values);
    w->values = NULL;
    if (w->nulls > 0) {
        lochan_array__give_buffer(out, 0, w->validity);
        w->validity = NULL;
    }
    return LOCHAN_OK;
}
