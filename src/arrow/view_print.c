/* view_print.c - one value as text for people and CSV, and as JSON.
 * Invariant: locale-independent; numbers read back as the same value; a time outside the years 1 to
 * 9999 (or a time of day outside its day) is printed as the stored integer. May call: base/,
 * view.h.
 */
#include "arrow/decimal.h"
#include "arrow/view.h"
#include "base/civil.h"
#include <math.h>

#define MAX_DEPTH   64
#define FIRST_DAY   (-719162) /* 0001-01-01 */
#define LAST_DAY    2932896   /* 9999-12-31 */
#define DAY_SECONDS 86400

static const int64_t units_per_second[] = {1, 1000, 1000000, 1000000000};
static const int unit_digits[] = {0, 3, 6, 9};
static const char *const unit_names[] = {"s", "ms", "us", "ns"};

/* Writes exactly n digits. */
static char *put_digits(char *dst, int64_t v, int n) {
    for (int i = n - 1; i >= 0; i--) {
        dst[i] = (char)('0' + v % 10);
        v /= 10;
    }
    return dst + n;
}

static char *put_uint(char *dst, uint64_t v) {
    char reversed[20];
    int n = 0;
    do {
        reversed[n++] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    while (n > 0)
        *dst++ = reversed[--n];
    return dst;
}

static char *put_int(char *dst, int64_t v) {
    if (v < 0)
        *dst++ = '-';
    return put_uint(dst, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

static char *put_date(char *dst, int64_t days) {
    lochan_civil c = lochan_civil__from_days((int32_t)days);
    dst = put_digits(dst, c.year, 4);
    *dst++ = '-';
    dst = put_digits(dst, c.month, 2);
    *dst++ = '-';
    return put_digits(dst, c.day, 2);
}

/* "hh:mm:ss" and as many digits as the unit has. */
static char *put_clock(char *dst, int64_t seconds, int64_t fraction, lochan_time_unit unit) {
    dst = put_digits(dst, seconds / 3600, 2);
    *dst++ = ':';
    dst = put_digits(dst, seconds / 60 % 60, 2);
    *dst++ = ':';
    dst = put_digits(dst, seconds % 60, 2);
    if (unit_digits[unit] == 0)
        return dst;
    *dst++ = '.';
    return put_digits(dst, fraction, unit_digits[unit]);
}

static int64_t floor_div(int64_t v, int64_t by) {
    return v / by - (v % by < 0);
}

/* Seconds of a fixed offset: +hh:mm, +hhmm, +hh and the same with minus; false for names. */
static bool fixed_offset(const char *zone, int64_t *seconds) {
    size_t n = strlen(zone);
    if ((zone[0] != '+' && zone[0] != '-') || (n != 3 && n != 5 && !(n == 6 && zone[3] == ':')))
        return false;
    int64_t hours;
    int64_t minutes = 0;
    if (!lochan_parse__int64(zone + 1, 2, &hours) || zone[1] == '-' || hours > 23)
        return false;
    if (n > 3 && (!lochan_parse__int64(zone + n - 2, 2, &minutes) || minutes < 0 || minutes > 59))
        return false;
    *seconds = (hours * 60 + minutes) * 60 * (zone[0] == '-' ? -1 : 1);
    return true;
}

/* dst: at least 96 bytes. */
static char *put_timestamp(char *dst, int64_t v, lochan_time_unit unit, const char *zone) {
    int64_t offset = 0;
    int64_t per_second = units_per_second[unit];
    int64_t seconds = floor_div(v, per_second);
    int64_t fraction = v % per_second;
    fraction += fraction < 0 ? per_second : 0;
    bool fixed = zone[0] && fixed_offset(zone, &offset);
    if (__builtin_add_overflow(seconds, offset, &seconds))
        return put_int(dst, v);
    int64_t days = floor_div(seconds, DAY_SECONDS);
    if (days < FIRST_DAY || days > LAST_DAY)
        return put_int(dst, v);
    dst = put_date(dst, days);
    *dst++ = 'T';
    dst = put_clock(dst, seconds - days * DAY_SECONDS, fraction, unit);
    if (!fixed && zone[0]) {
        *dst++ = 'Z';
    } else if (fixed) {
        *dst++ = offset < 0 ? '-' : '+';
        dst = put_digits(dst, (offset < 0 ? -offset : offset) / 3600, 2);
        *dst++ = ':';
        dst = put_digits(dst, (offset < 0 ? -offset : offset) / 60 % 60, 2);
    }
    return dst;
}

static char *put_time(char *dst, int64_t v, lochan_time_unit unit) {
    int64_t per_second = units_per_second[unit];
    if (v < 0 || v / per_second >= DAY_SECONDS)
        return put_int(dst, v);
    return put_clock(dst, v / per_second, v % per_second, unit);
}

static char *put_date64(char *dst, int64_t ms) {
    int64_t days = floor_div(ms, DAY_SECONDS * 1000LL);
    if (ms % (DAY_SECONDS * 1000LL) != 0)
        return put_timestamp(dst, ms, LOCHAN_UNIT_MILLI, "");
    return days < FIRST_DAY || days > LAST_DAY ? put_int(dst, ms) : put_date(dst, days);
}

/* The decimal fraction with the fewest digits behind the point that rounds to v, as a double; for
 * numbers of ordinary size, where integer and power of ten are both exact. */
static bool short_fraction(float v, double *out) {
    double power = 1;
    for (int digits = 0; digits <= 12; digits++, power *= 10) {
        double d = nearbyint((double)v * power) / power;
        if ((float)d == v) {
            *out = d;
            return true;
        }
    }
    return false;
}

/* The same for any number: the first of 6 to 9 digits (1 to 9 among the smallest, which have fewer)
 * that reads back. */
static double short_digits(float v) {
    for (int digits = isnormal(v) ? 6 : 1; digits <= 9; digits++) {
        char text[40];
        double back;
        lochan_format(text, sizeof text, "%.*e", digits - 1, (double)v);
        size_t n = strlen(text);
        for (size_t i = 0; i < n; i++)
            if (text[i] == ',') /* the locale's point */
                text[i] = '.';
        if (lochan_parse__double(text, n, false, &back) && (float)back == v)
            return back;
    }
    return (double)v;
}

static char *put_float(char *dst, float v) {
    double d = (double)v;
    bool ordinary = fabsf(v) >= 1e-3f && fabsf(v) < 0x1p24f;
    if (isfinite(v) && v != 0 && !(ordinary && short_fraction(v, &d)))
        d = short_digits(v);
    return dst + lochan_format__double(d, dst);
}

/* Text of a value that is neither bytes nor nested. dst: at least LOCHAN_DECIMAL_TEXT bytes.
 * Returns the length. */
static size_t scalar_text(const lochan_view *v, int64_t i, char *dst) {
    const lochan_type *type = &v->type;
    int64_t at = v->offset + i;
    switch (type->id) {
    case LOCHAN_TYPE_BOOL:
        memcpy(dst, lochan_view__int64(v, i) ? "true\0" : "false", 6);
        return strlen(dst);
    case LOCHAN_TYPE_UINT64:
        return (size_t)(put_uint(dst, ((const uint64_t *)v->data)[at]) - dst);
    case LOCHAN_TYPE_FLOAT16:
        return (size_t)(put_float(dst, (float)lochan_view__double(v, i)) - dst);
    case LOCHAN_TYPE_FLOAT32:
        return (size_t)(put_float(dst, ((const float *)v->data)[at]) - dst);
    case LOCHAN_TYPE_FLOAT64:
        return lochan_format__double(((const double *)v->data)[at], dst);
    case LOCHAN_TYPE_DECIMAL128:
        return lochan_decimal__print((const uint8_t *)v->data + 16 * at, 16, type->scale, dst);
    case LOCHAN_TYPE_DECIMAL256:
        return lochan_decimal__print((const uint8_t *)v->data + 32 * at, 32, type->scale, dst);
    default:
        break;
    }
    int64_t n = lochan_view__int64(v, i);
    char *end = dst;
    if (type->id == LOCHAN_TYPE_DATE32 && n >= FIRST_DAY && n <= LAST_DAY)
        end = put_date(dst, n);
    else if (type->id == LOCHAN_TYPE_DATE64)
        end = put_date64(dst, n);
    else if (type->id == LOCHAN_TYPE_TIME32 || type->id == LOCHAN_TYPE_TIME64)
        end = put_time(dst, n, type->unit);
    else if (type->id == LOCHAN_TYPE_TIMESTAMP)
        end = put_timestamp(dst, n, type->unit, type->zone);
    else
        end = put_int(dst, n);
    if (type->id == LOCHAN_TYPE_DURATION)
        for (const char *unit = unit_names[type->unit]; *unit; unit++)
            *end++ = *unit;
    return (size_t)(end - dst);
}

static bool is_text(lochan_type_id id) {
    return id == LOCHAN_TYPE_STRING || id == LOCHAN_TYPE_LARGE_STRING ||
           id == LOCHAN_TYPE_STRING_VIEW;
}

static bool is_binary(lochan_type_id id) {
    return (lochan_type__is_bytes(id) && !is_text(id)) || id == LOCHAN_TYPE_FIXED_BINARY;
}

static lochan_status put_hex(lochan_str s, lochan_buf *out, lochan_error *err) {
    static const char hex[] = "0123456789abcdef";
    LOCHAN_TRY(lochan_buf__reserve(out, 2 * s.n, err));
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        char pair[2] = {hex[c >> 4], hex[c & 15]};
        LOCHAN_TRY(lochan_buf__append(out, pair, 2, err));
    }
    return LOCHAN_OK;
}

/* Whether JSON writes the value without quotes. */
static bool is_json_literal(lochan_type_id id) {
    return id == LOCHAN_TYPE_BOOL || lochan_type__is_integer(id) || lochan_type__is_float(id) ||
           id == LOCHAN_TYPE_DECIMAL128 || id == LOCHAN_TYPE_DECIMAL256;
}

static lochan_status json_at(const lochan_view *v, int64_t i, int depth, lochan_buf *out,
                             lochan_error *err);

/* Rows begin..end of a child, separated by commas. */
static lochan_status json_items(const lochan_view *child, int64_t begin, int64_t end, int depth,
                                lochan_buf *out, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__putc(out, '[', err));
    for (int64_t i = begin; i < end; i++) {
        if (i > begin)
            LOCHAN_TRY(lochan_buf__putc(out, ',', err));
        LOCHAN_TRY(json_at(child, i, depth + 1, out, err));
    }
    return lochan_buf__putc(out, ']', err);
}

static lochan_status json_list(const lochan_view *v, int64_t i, int depth, lochan_buf *out,
                               lochan_error *err) {
    lochan_view child;
    int64_t begin;
    int64_t end;
    lochan_view__list_range(v, i, &begin, &end);
    LOCHAN_TRY(lochan_view__init(&child, v->schema->children[0], v->array->children[0], err));
    lochan_status rc = json_items(&child, begin, end, depth, out, err);
    lochan_view__deinit(&child);
    return rc;
}

/* The physical row of a struct is the row of its children. */
static lochan_status json_struct(const lochan_view *v, int64_t i, int depth, lochan_buf *out,
                                 lochan_error *err) {
    LOCHAN_TRY(lochan_buf__putc(out, '{', err));
    for (int64_t c = 0; c < v->schema->n_children; c++) {
        const struct ArrowSchema *field = v->schema->children[c];
        const char *name = field->name ? field->name : "";
        lochan_view child;
        if (c > 0)
            LOCHAN_TRY(lochan_buf__putc(out, ',', err));
        LOCHAN_TRY(lochan_buf__json_string(out, name, strlen(name), err));
        LOCHAN_TRY(lochan_buf__putc(out, ':', err));
        LOCHAN_TRY(lochan_view__init(&child, field, v->array->children[c], err));
        lochan_status rc = json_at(&child, v->offset + i, depth + 1, out, err);
        lochan_view__deinit(&child);
        LOCHAN_TRY(rc);
    }
    return lochan_buf__putc(out, '}', err);
}

/* A key of any type becomes a JSON string. */
static lochan_status json_key(const lochan_view *keys, int64_t i, lochan_buf *out,
                              lochan_error *err) {
    lochan_buf text;
    lochan_buf__init(&text, out->max);
    lochan_status rc;
    LOCHAN_TRYG(lochan_view__print(keys, i, &text, err));
    LOCHAN_TRYG(
        lochan_buf__json_string(out, text.data ? (const char *)text.data : "", text.len, err));
    LOCHAN_TRYG(lochan_buf__putc(out, ':', err));
done:
    lochan_buf__deinit(&text);
    return rc;
}

static lochan_status json_map(const lochan_view *v, int64_t i, int depth, lochan_buf *out,
                              lochan_error *err) {
    const struct ArrowArray *entries = v->array->children[0];
    const struct ArrowSchema *schema = v->schema->children[0];
    lochan_view keys = {0};
    lochan_view values = {0};
    int64_t begin;
    int64_t end;
    lochan_status rc;
    if (entries->n_children != 2 || schema->n_children != 2)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "map entries are no struct of two fields");
    lochan_view__list_range(v, i, &begin, &end);
    LOCHAN_TRYG(lochan_view__init(&keys, schema->children[0], entries->children[0], err));
    LOCHAN_TRYG(lochan_view__init(&values, schema->children[1], entries->children[1], err));
    LOCHAN_TRYG(lochan_buf__putc(out, '{', err));
    for (int64_t row = begin; row < end; row++) {
        if (row > begin)
            LOCHAN_TRYG(lochan_buf__putc(out, ',', err));
        LOCHAN_TRYG(json_key(&keys, entries->offset + row, out, err));
        LOCHAN_TRYG(json_at(&values, entries->offset + row, depth + 1, out, err));
    }
    LOCHAN_TRYG(lochan_buf__putc(out, '}', err));
done:
    lochan_view__deinit(&keys);
    lochan_view__deinit(&values);
    return rc;
}

static lochan_status json_scalar(const lochan_view *v, int64_t i, lochan_buf *out,
                                 lochan_error *err) {
    char text[LOCHAN_DECIMAL_TEXT];
    if (lochan_type__is_float(v->type.id)) {
        double d = lochan_view__double(v, i);
        if (!isfinite(d)) /* JSON has neither NaN nor infinity */
            return lochan_buf__puts(out, "null", err);
    }
    size_t n = scalar_text(v, i, text);
    if (is_json_literal(v->type.id))
        return lochan_buf__append(out, text, n, err);
    LOCHAN_TRY(lochan_buf__putc(out, '"', err));
    LOCHAN_TRY(lochan_buf__append(out, text, n, err));
    return lochan_buf__putc(out, '"', err);
}

static lochan_status json_at(const lochan_view *v, int64_t i, int depth, lochan_buf *out,
                             lochan_error *err) {
    if (depth > MAX_DEPTH)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "value nested deeper than 64 levels");
    if (!lochan_view__is_valid(v, i))
        return lochan_buf__puts(out, "null", err);
    if (v->dictionary)
        return json_at(v->dictionary, lochan_view__key(v, i), depth, out, err);
    switch (v->type.id) {
    case LOCHAN_TYPE_STRUCT:
        return json_struct(v, i, depth, out, err);
    case LOCHAN_TYPE_LIST:
    case LOCHAN_TYPE_LARGE_LIST:
    case LOCHAN_TYPE_FIXED_LIST:
        return json_list(v, i, depth, out, err);
    case LOCHAN_TYPE_MAP:
        return json_map(v, i, depth, out, err);
    default:
        break;
    }
    if (is_text(v->type.id)) {
        lochan_str s = lochan_view__bytes(v, i);
        return lochan_buf__json_string(out, s.p, s.n, err);
    }
    if (is_binary(v->type.id)) {
        LOCHAN_TRY(lochan_buf__putc(out, '"', err));
        LOCHAN_TRY(put_hex(lochan_view__bytes(v, i), out, err));
        return lochan_buf__putc(out, '"', err);
    }
    return json_scalar(v, i, out, err);
}

lochan_status lochan_view__json(const lochan_view *v, int64_t i, lochan_buf *out,
                                lochan_error *err) {
    return json_at(v, i, 0, out, err);
}

lochan_status lochan_view__print(const lochan_view *v, int64_t i, lochan_buf *out,
                                 lochan_error *err) {
    if (!lochan_view__is_valid(v, i))
        return LOCHAN_OK;
    if (v->dictionary)
        return lochan_view__print(v->dictionary, lochan_view__key(v, i), out, err);
    if (lochan_type__is_nested(v->type.id))
        return lochan_view__json(v, i, out, err);
    if (is_text(v->type.id)) {
        lochan_str s = lochan_view__bytes(v, i);
        return lochan_buf__append(out, s.p, s.n, err);
    }
    if (is_binary(v->type.id))
        return put_hex(lochan_view__bytes(v, i), out, err);
    char text[LOCHAN_DECIMAL_TEXT];
    return lochan_buf__append(out, text, scalar_text(v, i, text), err);
}
