/* types.c - DuckLake's type names and the text of its bounds.
 * Invariant: a bound that cannot be read means "unknown", never a wrong value. May call: base/,
 * arrow/.
 */
#include "catalog/internal.h"

#include "base/civil.h"

#include <string.h>

/* ---- type names ---- */

typedef struct type_name {
    const char *name;
    const char *format; /* of Arrow */
} type_name;

/* The first line of a format is the name that is written. */
static const type_name names[] = {
    {"boolean", "b"},
    {"int8", "c"},
    {"uint8", "C"},
    {"int16", "s"},
    {"uint16", "S"},
    {"int32", "i"},
    {"uint32", "I"},
    {"int64", "l"},
    {"uint64", "L"},
    {"float32", "f"},
    {"float64", "g"},
    {"varchar", "u"},
    {"blob", "z"},
    {"date", "tdD"},
    {"time", "ttu"},
    {"timestamp", "tsu:"},
    {"timestamp_s", "tss:"},
    {"timestamp_ms", "tsm:"},
    {"timestamp_ns", "tsn:"},
    {"timestamptz", "tsu:UTC"},
    {"timestamp_us", "tsu:"},
    {"json", "u"},
    {"uuid", "w:16"},
};

static lochan_status unsupported(const struct ArrowSchema *field, const lochan_type *type,
                                 lochan_error *err) {
    char name[80];
    lochan_type__name(type, name);
    lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "column %s: type %s has no place in the catalog",
                      field->name ? field->name : "?", name);
    return lochan_error__in_table(err, LOCHAN_ERR_UNSUPPORTED, NULL, field->name, -1);
}

lochan_status lochan_ducktype__of_field(const struct ArrowSchema *field, char dst[64],
                                        lochan_error *err) {
    lochan_type type;
    char format[64];
    if (field->dictionary) {
        LOCHAN_TRY(lochan_type__parse(field->dictionary->format, &type, err));
    } else {
        LOCHAN_TRY(lochan_type__parse(field->format, &type, err));
    }
    switch (type.id) {
    case LOCHAN_TYPE_STRUCT:
        return lochan_format(dst, 64, "struct") ? LOCHAN_OK : LOCHAN_ERR_INTERNAL;
    case LOCHAN_TYPE_LIST:
    case LOCHAN_TYPE_LARGE_LIST:
        return lochan_format(dst, 64, "list") ? LOCHAN_OK : LOCHAN_ERR_INTERNAL;
    case LOCHAN_TYPE_MAP:
        return lochan_format(dst, 64, "map") ? LOCHAN_OK : LOCHAN_ERR_INTERNAL;
    case LOCHAN_TYPE_DECIMAL128:
        if (type.precision < 1 || type.precision > 38 || type.scale < 0 ||
            type.scale > type.precision)
            return unsupported(field, &type, err);
        lochan_format(dst, 64, "decimal(%d,%d)", (int)type.precision, (int)type.scale);
        return LOCHAN_OK;
    case LOCHAN_TYPE_FIXED_BINARY: /* a uuid of another program can be read, but sixteen bytes are
                                      no uuid */
        return unsupported(field, &type, err);
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_STRING_VIEW:
        type.id = LOCHAN_TYPE_STRING;
        break;
    case LOCHAN_TYPE_LARGE_BINARY:
    case LOCHAN_TYPE_BINARY_VIEW:
        type.id = LOCHAN_TYPE_BINARY;
        break;
    default:
        break;
    }
    lochan_type__format(&type, format);
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++) {
        if (strcmp(names[i].format, format) == 0) {
            lochan_format(dst, 64, "%s", names[i].name);
            return LOCHAN_OK;
        }
    }
    return unsupported(field, &type, err);
}

lochan_status lochan_ducktype__parse(const char *name, lochan_type *out, lochan_error *err) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++)
        if (strcmp(names[i].name, name) == 0)
            return lochan_type__parse(names[i].format, out, err);
    int64_t precision, scale;
    const char *comma = strchr(name, ',');
    size_t n = strlen(name);
    if (strncmp(name, "decimal(", 8) == 0 && comma && name[n - 1] == ')' &&
        lochan_parse__int64(name + 8, (size_t)(comma - name) - 8, &precision) &&
        lochan_parse__int64(comma + 1, (size_t)(name + n - 1 - comma) - 1, &scale) &&
        precision >= 1 && precision <= 38 && scale >= 0 && scale <= precision) {
        memset(out, 0, sizeof *out);
        out->id = LOCHAN_TYPE_DECIMAL128;
        out->precision = (int32_t)precision;
        out->scale = (int32_t)scale;
        return LOCHAN_OK;
    }
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "type %.60s is not supported", name);
}

/* ---- bounds ---- */

static bool parse_time_of_day(const char *s, int64_t *us) {
    int64_t ns;
    char text[64];
    if (strlen(s) > 20 || !lochan_format(text, sizeof text, "1970-01-01 %s", s) ||
        !lochan_civil__parse_utc(text, strlen(text), &ns))
        return false;
    *us = ns / 1000;
    return true;
}

/* Down for a minimum, up for a maximum, so that a bound in coarser units stays a bound. */
static int64_t divide(int64_t v, int64_t by, bool up) {
    int64_t q = v / by, r = v % by;
    if (r < 0 && !up)
        q--;
    if (r > 0 && up)
        q++;
    return q;
}

static bool parse_timestamp(const lochan_type *type, const char *s, bool up, int64_t *out) {
    static const int64_t unit[] = {1000000000, 1000000, 1000, 1};
    int64_t ns;
    if (!lochan_civil__parse_utc(s, strlen(s), &ns))
        return false;
    *out = divide(ns, unit[type->unit], up);
    return true;
}

static bool parse_bound(const lochan_type *type, const char *s, bool up, int64_t *i, double *f,
                        lochan_str *str) {
    int32_t days;
    size_t n = strlen(s);
    switch (type->id) {
    case LOCHAN_TYPE_BOOL:
        *i = strcmp(s, "true") == 0 || strcmp(s, "1") == 0;
        return *i || strcmp(s, "false") == 0 || strcmp(s, "0") == 0;
    case LOCHAN_TYPE_DATE32:
        if (!lochan_civil__parse_date(s, n, &days))
            return false;
        *i = days;
        return true;
    case LOCHAN_TYPE_TIME64:
        return parse_time_of_day(s, i);
    case LOCHAN_TYPE_TIMESTAMP:
        return parse_timestamp(type, s, up, i);
    case LOCHAN_TYPE_STRING:
        *str = (lochan_str){s, n};
        return true;
    default:
        if (lochan_type__is_integer(type->id))
            return lochan_parse__int64(s, n, i);
        if (!lochan_type__is_float(type->id) || !lochan_parse__double(s, n, true, f))
            return false;
        if (type->id == LOCHAN_TYPE_FLOAT32) /* others write the shortest text of the float */
            *f = (double)(float)*f;
        return *f == *f;
    }
}

bool lochan_ducktype__stats(const lochan_type *type, const char *min, const char *max,
                            lochan_expr_stats *out) {
    memset(out, 0, sizeof *out);
    out->type = *type;
    out->null_count = out->row_count = -1;
    out->may_have_nan = lochan_type__is_float(type->id);
    out->has_min = min && parse_bound(type, min, false, &out->min_i, &out->min_f, &out->min_s);
    out->has_max = max && parse_bound(type, max, true, &out->max_i, &out->max_f, &out->max_s);
    /* text may have been cut, and floats rounded, by whoever wrote them: still bounds, but not
     * values */
    bool exact = type->id != LOCHAN_TYPE_STRING && !lochan_type__is_float(type->id);
    out->min_exact = out->has_min && exact;
    out->max_exact = out->has_max && exact;
    return out->has_min || out->has_max;
}

/* Compares decimals in plain notation without losing a digit. */
static int compare_decimal(const char *a, const char *b) {
    bool minus_a = *a == '-', minus_b = *b == '-';
    a += minus_a;
    b += minus_b;
    while (*a == '0')
        a++;
    while (*b == '0')
        b++;
    size_t int_a = strcspn(a, "."), int_b = strcspn(b, ".");
    int c = 0;
    if (int_a != int_b)
        c = int_a < int_b ? -1 : 1;
    for (size_t i = 0; c == 0 && (a[i] || b[i]); i++) {
        char x = a[i] ? a[i] : (i == int_a ? '.' : '0'), y = b[i] ? b[i] : (i == int_b ? '.' : '0');
        c = x < y ? -1 : x > y;
        if (!a[i] || !b[i]) { /* the longer one: only digits other than 0 matter */
            const char *rest = a[i] ? a + i : b + i;
            size_t zeros = strspn(rest, ".0");
            c = rest[zeros] ? (a[i] ? 1 : -1) : 0;
            break;
        }
    }
    bool zero_a = a[strspn(a, ".0")] == '\0', zero_b = b[strspn(b, ".0")] == '\0';
    if (minus_a != minus_b)
        return zero_a && zero_b ? 0 : minus_a ? -1 : 1;
    return minus_a ? -c : c;
}

static bool is_decimal(const char *s) {
    s += *s == '-';
    size_t digits = strspn(s, "0123456789");
    size_t all = digits;
    if (s[digits] == '.')
        all = digits + 1 + strspn(s + digits + 1, "0123456789");
    return digits > 0 && s[all] == '\0' && s[all - 1] != '.';
}

int lochan_ducktype__compare(const lochan_type *type, const char *a, const char *b, bool *known) {
    int64_t ia = 0, ib = 0;
    double fa = 0, fb = 0;
    lochan_str sa = {NULL, 0}, sb = {NULL, 0};
    *known = true;
    if (type->id == LOCHAN_TYPE_DECIMAL128 || type->id == LOCHAN_TYPE_UINT64) {
        *known = is_decimal(a) && is_decimal(b);
        return *known ? compare_decimal(a, b) : 0;
    }
    *known =
        parse_bound(type, a, false, &ia, &fa, &sa) && parse_bound(type, b, false, &ib, &fb, &sb);
    if (!*known)
        return 0;
    if (type->id == LOCHAN_TYPE_STRING)
        return strcmp(a, b);
    if (lochan_type__is_float(type->id))
        return fa < fb ? -1 : fa > fb;
    return ia < ib ? -1 : ia > ib;
}

/* ---- partitions ---- */

const char *lochan_partition__text(lochan_arena *arena, const char *const *values, size_t n) {
    size_t cap = 1;
    for (size_t i = 0; i < n; i++)
        cap += (values[i] ? 3 * strlen(values[i]) : 2) + 1;
    char *text = lochan_arena__alloc(arena, cap);
    if (!text)
        return NULL;
    char *p = text;
    for (size_t i = 0; i < n; i++) {
        if (i > 0)
            *p++ = '/';
        const char *v = values[i] ? values[i] : "%N";
        for (; *v; v++) {
            bool escape = values[i] && (*v == '/' || *v == '%');
            if (escape) {
                memcpy(p, *v == '/' ? "%2F" : "%25", 3);
                p += 3;
            } else {
                *p++ = *v;
            }
        }
    }
    *p = '\0';
    return text;
}
