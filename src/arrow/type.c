/* type.c - Arrow data types: format strings and the names people write.
 * Invariant: parse and format are inverse for every type lochan supports. May call: base/.
 */
#include "arrow/type.h"
#include "base/str.h"

/* Keeps lochan_type__bit_width inside an int. */
#define MAX_FIXED_BINARY (INT32_MAX / 8)

static const char unit_letters[] = "smun";
static const char *const unit_names[] = {"s", "ms", "us", "ns"};

/* Types whose format string and name have no parameter. */
static const struct plain_type {
    lochan_type_id id;
    const char *format;
    const char *name;
} plain_types[] = {
    {LOCHAN_TYPE_NULL, "n", "null"},
    {LOCHAN_TYPE_BOOL, "b", "bool"},
    {LOCHAN_TYPE_INT8, "c", "int8"},
    {LOCHAN_TYPE_UINT8, "C", "uint8"},
    {LOCHAN_TYPE_INT16, "s", "int16"},
    {LOCHAN_TYPE_UINT16, "S", "uint16"},
    {LOCHAN_TYPE_INT32, "i", "int32"},
    {LOCHAN_TYPE_UINT32, "I", "uint32"},
    {LOCHAN_TYPE_INT64, "l", "int64"},
    {LOCHAN_TYPE_UINT64, "L", "uint64"},
    {LOCHAN_TYPE_FLOAT16, "e", "float16"},
    {LOCHAN_TYPE_FLOAT32, "f", "float32"},
    {LOCHAN_TYPE_FLOAT64, "g", "float64"},
    {LOCHAN_TYPE_STRING, "u", "string"},
    {LOCHAN_TYPE_LARGE_STRING, "U", "large_string"},
    {LOCHAN_TYPE_STRING_VIEW, "vu", "string_view"},
    {LOCHAN_TYPE_BINARY, "z", "binary"},
    {LOCHAN_TYPE_LARGE_BINARY, "Z", "large_binary"},
    {LOCHAN_TYPE_BINARY_VIEW, "vz", "binary_view"},
    {LOCHAN_TYPE_DATE32, "tdD", "date"},
    {LOCHAN_TYPE_DATE64, "tdm", "date64"},
    {LOCHAN_TYPE_LIST, "+l", "list"},
    {LOCHAN_TYPE_LARGE_LIST, "+L", "large_list"},
    {LOCHAN_TYPE_STRUCT, "+s", "struct"},
    {LOCHAN_TYPE_MAP, "+m", "map"},
};

/* Candidates for "did you mean". */
static const char *const known_names[] = {
    "null",          "bool",          "int8",          "uint8",
    "int16",         "uint16",        "int32",         "uint32",
    "int64",         "uint64",        "float16",       "float32",
    "float64",       "string",        "large_string",  "string_view",
    "binary",        "large_binary",  "date",          "binary_view",
    "date64",        "list",          "large_list",    "struct",
    "map",           "time[s]",       "time[ms]",      "time[us]",
    "time[ns]",      "timestamp[s]",  "decimal(18,4)", "timestamp[ms]",
    "timestamp[us]", "timestamp[ns]", "duration[us]",  "fixed_binary[16]",
};

static const struct plain_type *plain_of(lochan_type_id id) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(plain_types); i++)
        if (plain_types[i].id == id)
            return &plain_types[i];
    return NULL;
}

/* One number of a parameter list: reads up to `stop` or the end, moves *s behind it. */
static bool read_number(const char **s, char stop, int64_t lo, int64_t hi, int32_t *out) {
    const char *end = strchr(*s, stop);
    size_t n = end ? (size_t)(end - *s) : strlen(*s);
    int64_t v;
    if (n > 20 || !lochan_parse__int64(*s, n, &v) || v < lo || v > hi)
        return false;
    *out = (int32_t)v;
    *s += n + (end ? 1 : 0);
    return true;
}

static bool zone_ok(const char *zone, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (zone[i] <= ' ' || zone[i] > '~' || zone[i] == ']' || zone[i] == ',')
            return false;
    return true;
}

static lochan_status set_zone(lochan_type *out, const char *zone, size_t n, lochan_error *err) {
    if (n >= sizeof out->zone)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "time zone name of %zu bytes is too long", n);
    if (!zone_ok(zone, n))
        return lochan_error__set(err, LOCHAN_ERR_DATA, "time zone name holds odd characters");
    memcpy(out->zone, zone, n);
    out->zone[n] = '\0';
    return LOCHAN_OK;
}

/* Sets id, precision and scale; the width in bits decides between the two decimals. */
static bool set_decimal(lochan_type *out, int32_t precision, int32_t scale, int32_t bits) {
    int32_t most = bits == 128 ? 38 : 76;
    if (precision < 1 || precision > most || scale < -most || scale > most)
        return false;
    out->id = bits == 128 ? LOCHAN_TYPE_DECIMAL128 : LOCHAN_TYPE_DECIMAL256;
    out->precision = precision;
    out->scale = scale;
    return true;
}

static lochan_status nonsense(const char *format, lochan_error *err) {
    return lochan_error__set(err, LOCHAN_ERR_DATA, "'%.40s' is no Arrow format string", format);
}

static lochan_status parse_decimal(const char *format, lochan_type *out, lochan_error *err) {
    const char *s = format + 2;
    int32_t precision = 0;
    int32_t scale = 0;
    int32_t bits = 128;
    if (!strchr(s, ',') || !read_number(&s, ',', 0, 100, &precision))
        return nonsense(format, err);
    bool has_bits = strchr(s, ',') != NULL;
    if (!read_number(&s, ',', -100, 100, &scale))
        return nonsense(format, err);
    if (has_bits && !read_number(&s, ',', 1, 1024, &bits))
        return nonsense(format, err);
    if (bits != 128 && bits != 256)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "decimals of %d bits", bits);
    if (*s != '\0' || !set_decimal(out, precision, scale, bits))
        return nonsense(format, err);
    return LOCHAN_OK;
}

static lochan_status parse_time(const char *format, lochan_type *out, lochan_error *err) {
    if (format[1] == 'i')
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "interval types ('%.40s')", format);
    const char *unit = format[1] && format[2] ? strchr(unit_letters, format[2]) : NULL;
    if (!unit)
        return nonsense(format, err);
    out->unit = (lochan_time_unit)(unit - unit_letters);
    const char *rest = format + 3;
    if (format[1] == 's' && *rest == ':') {
        out->id = LOCHAN_TYPE_TIMESTAMP;
        return set_zone(out, rest + 1, strlen(rest + 1), err);
    }
    if (*rest != '\0')
        return nonsense(format, err);
    if (format[1] == 't')
        out->id = out->unit <= LOCHAN_UNIT_MILLI ? LOCHAN_TYPE_TIME32 : LOCHAN_TYPE_TIME64;
    else if (format[1] == 'D')
        out->id = LOCHAN_TYPE_DURATION;
    else
        return nonsense(format, err);
    return LOCHAN_OK;
}

static bool known_unsupported(const char *format) {
    static const char *const prefixes[] = {"+ud:", "+us:", "+r", "+vl", "+vL"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(prefixes); i++)
        if (strncmp(format, prefixes[i], strlen(prefixes[i])) == 0)
            return true;
    return false;
}

lochan_status lochan_type__parse(const char *format, lochan_type *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    if (!format || !*format)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "the Arrow format string is missing");
    for (size_t i = 0; i < LOCHAN_COUNTOF(plain_types); i++) {
        if (strcmp(format, plain_types[i].format) == 0) {
            out->id = plain_types[i].id;
            return LOCHAN_OK;
        }
    }
    lochan_status rc;
    const char *s = format + 2;
    if (strncmp(format, "d:", 2) == 0) {
        rc = parse_decimal(format, out, err);
    } else if (strncmp(format, "w:", 2) == 0) {
        out->id = LOCHAN_TYPE_FIXED_BINARY;
        rc = read_number(&s, '\0', 0, MAX_FIXED_BINARY, &out->byte_width) ? LOCHAN_OK
                                                                          : nonsense(format, err);
    } else if (strncmp(format, "+w:", 3) == 0) {
        s = format + 3;
        out->id = LOCHAN_TYPE_FIXED_LIST;
        rc = read_number(&s, '\0', 0, INT32_MAX, &out->byte_width) ? LOCHAN_OK
                                                                   : nonsense(format, err);
    } else if (format[0] == 't') {
        rc = parse_time(format, out, err);
    } else if (known_unsupported(format)) {
        rc = lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                               "unions, run-end encoded arrays and list views ('%.40s')", format);
    } else {
        rc = nonsense(format, err);
    }
    if (rc != LOCHAN_OK)
        memset(out, 0, sizeof *out);
    return rc;
}

void lochan_type__format(const lochan_type *type, char dst[64]) {
    const struct plain_type *plain = plain_of(type->id);
    char unit = unit_letters[type->unit & 3];
    if (plain)
        lochan_format(dst, 64, "%s", plain->format);
    else if (type->id == LOCHAN_TYPE_DECIMAL128)
        lochan_format(dst, 64, "d:%d,%d", type->precision, type->scale);
    else if (type->id == LOCHAN_TYPE_DECIMAL256)
        lochan_format(dst, 64, "d:%d,%d,256", type->precision, type->scale);
    else if (type->id == LOCHAN_TYPE_FIXED_BINARY)
        lochan_format(dst, 64, "w:%d", type->byte_width);
    else if (type->id == LOCHAN_TYPE_FIXED_LIST)
        lochan_format(dst, 64, "+w:%d", type->byte_width);
    else if (type->id == LOCHAN_TYPE_TIMESTAMP)
        lochan_format(dst, 64, "ts%c:%.39s", unit, type->zone);
    else if (type->id == LOCHAN_TYPE_DURATION)
        lochan_format(dst, 64, "tD%c", unit);
    else
        lochan_format(dst, 64, "tt%c", unit);
}

bool lochan_type__equal(const lochan_type *a, const lochan_type *b) {
    if (a->id != b->id)
        return false;
    switch (a->id) {
    case LOCHAN_TYPE_DECIMAL128:
    case LOCHAN_TYPE_DECIMAL256:
        return a->precision == b->precision && a->scale == b->scale;
    case LOCHAN_TYPE_FIXED_BINARY:
    case LOCHAN_TYPE_FIXED_LIST:
        return a->byte_width == b->byte_width;
    case LOCHAN_TYPE_TIMESTAMP:
        return a->unit == b->unit && strcmp(a->zone, b->zone) == 0;
    case LOCHAN_TYPE_TIME32:
    case LOCHAN_TYPE_TIME64:
    case LOCHAN_TYPE_DURATION:
        return a->unit == b->unit;
    default:
        return true;
    }
}

void lochan_type__name(const lochan_type *type, char dst[80]) {
    const struct plain_type *plain = plain_of(type->id);
    const char *unit = unit_names[type->unit & 3];
    if (plain)
        lochan_format(dst, 80, "%s", plain->name);
    else if (type->id == LOCHAN_TYPE_DECIMAL128)
        lochan_format(dst, 80, "decimal(%d,%d)", type->precision, type->scale);
    else if (type->id == LOCHAN_TYPE_DECIMAL256)
        lochan_format(dst, 80, "decimal256(%d,%d)", type->precision, type->scale);
    else if (type->id == LOCHAN_TYPE_FIXED_BINARY)
        lochan_format(dst, 80, "fixed_binary[%d]", type->byte_width);
    else if (type->id == LOCHAN_TYPE_FIXED_LIST)
        lochan_format(dst, 80, "fixed_list[%d]", type->byte_width);
    else if (type->id == LOCHAN_TYPE_TIMESTAMP && type->zone[0])
        lochan_format(dst, 80, "timestamp[%s, %.39s]", unit, type->zone);
    else if (type->id == LOCHAN_TYPE_TIMESTAMP)
        lochan_format(dst, 80, "timestamp[%s]", unit);
    else if (type->id == LOCHAN_TYPE_DURATION)
        lochan_format(dst, 80, "duration[%s]", unit);
    else
        lochan_format(dst, 80, "time[%s]", unit);
}

static bool unit_from_name(lochan_str s, lochan_time_unit *out) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(unit_names); i++) {
        if (lochan_str__eq(s, lochan_str__of(unit_names[i]))) {
            *out = (lochan_time_unit)i;
            return true;
        }
    }
    return false;
}

/* The text between "head" and the closing bracket, split at the first comma; false if the shape
 * does not fit. */
static bool split_parameters(const char *name, const char *head, char close, lochan_str *first,
                             lochan_str *second) {
    size_t n = strlen(name);
    size_t h = strlen(head);
    if (n < h + 2 || strncmp(name, head, h) != 0 || name[n - 1] != close)
        return false;
    lochan_str inner = {name + h, n - h - 1};
    const char *comma = memchr(inner.p, ',', inner.n);
    *second = (lochan_str){NULL, 0};
    *first = inner;
    if (comma) {
        first->n = (size_t)(comma - inner.p);
        *second = lochan_str__trim((lochan_str){comma + 1, inner.n - first->n - 1});
    }
    *first = lochan_str__trim(*first);
    return true;
}

static bool int_from(lochan_str s, int64_t lo, int64_t hi, int32_t *out) {
    int64_t v;
    if (!s.p || !lochan_parse__int64(s.p, s.n, &v) || v < lo || v > hi)
        return false;
    *out = (int32_t)v;
    return true;
}

/* Names with parameters. */
static bool from_parameters(const char *name, lochan_type *out) {
    lochan_str a;
    lochan_str b;
    int32_t p;
    int32_t s;
    if (split_parameters(name, "decimal(", ')', &a, &b) ||
        split_parameters(name, "decimal128(", ')', &a, &b))
        return int_from(a, 1, 76, &p) && int_from(b, -76, 76, &s) &&
               set_decimal(out, p, s, p > 38 && name[7] == '(' ? 256 : 128);
    if (split_parameters(name, "decimal256(", ')', &a, &b))
        return int_from(a, 1, 76, &p) && int_from(b, -76, 76, &s) && set_decimal(out, p, s, 256);
    if (split_parameters(name, "timestamp[", ']', &a, &b)) {
        out->id = LOCHAN_TYPE_TIMESTAMP;
        return unit_from_name(a, &out->unit) &&
               (!b.p || (b.n > 0 && set_zone(out, b.p, b.n, NULL) == LOCHAN_OK));
    }
    if (split_parameters(name, "duration[", ']', &a, &b)) {
        out->id = LOCHAN_TYPE_DURATION;
        return !b.p && unit_from_name(a, &out->unit);
    }
    if (split_parameters(name, "time[", ']', &a, &b)) {
        if (b.p || !unit_from_name(a, &out->unit))
            return false;
        out->id = out->unit <= LOCHAN_UNIT_MILLI ? LOCHAN_TYPE_TIME32 : LOCHAN_TYPE_TIME64;
        return true;
    }
    if (split_parameters(name, "fixed_binary[", ']', &a, &b)) {
        out->id = LOCHAN_TYPE_FIXED_BINARY;
        return !b.p && int_from(a, 0, MAX_FIXED_BINARY, &out->byte_width);
    }
    if (split_parameters(name, "fixed_list[", ']', &a, &b)) {
        out->id = LOCHAN_TYPE_FIXED_LIST;
        return !b.p && int_from(a, 0, INT32_MAX, &out->byte_width);
    }
    return false;
}

lochan_status lochan_type__from_name(const char *name, lochan_type *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    if (!name)
        name = "";
    for (size_t i = 0; i < LOCHAN_COUNTOF(plain_types); i++) {
        if (strcmp(name, plain_types[i].name) == 0) {
            out->id = plain_types[i].id;
            return LOCHAN_OK;
        }
    }
    if (strcmp(name, "date32") == 0) {
        out->id = LOCHAN_TYPE_DATE32;
        return LOCHAN_OK;
    }
    if (from_parameters(name, out))
        return LOCHAN_OK;
    memset(out, 0, sizeof *out);
    lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "unknown type '%.60s'", name);
    const char *near = lochan_name__nearest(name, known_names, LOCHAN_COUNTOF(known_names));
    if (strcmp(name, "timestamp") == 0 || strcmp(name, "time") == 0 ||
        strcmp(name, "duration") == 0)
        lochan_error__hint(err, "name the unit: %s[us]", name);
    else if (near)
        lochan_error__hint(err, "did you mean %s?", near);
    return LOCHAN_ERR_INVALID_ARGUMENT;
}

int lochan_type__bit_width(const lochan_type *type) {
    switch (type->id) {
    case LOCHAN_TYPE_BOOL:
        return 1;
    case LOCHAN_TYPE_INT8:
    case LOCHAN_TYPE_UINT8:
        return 8;
    case LOCHAN_TYPE_INT16:
    case LOCHAN_TYPE_UINT16:
    case LOCHAN_TYPE_FLOAT16:
        return 16;
    case LOCHAN_TYPE_INT32:
    case LOCHAN_TYPE_UINT32:
    case LOCHAN_TYPE_FLOAT32:
    case LOCHAN_TYPE_DATE32:
    case LOCHAN_TYPE_TIME32:
        return 32;
    case LOCHAN_TYPE_INT64:
    case LOCHAN_TYPE_UINT64:
    case LOCHAN_TYPE_FLOAT64:
    case LOCHAN_TYPE_DATE64:
    case LOCHAN_TYPE_TIME64:
    case LOCHAN_TYPE_TIMESTAMP:
    case LOCHAN_TYPE_DURATION:
        return 64;
    case LOCHAN_TYPE_DECIMAL128:
        return 128;
    case LOCHAN_TYPE_DECIMAL256:
        return 256;
    case LOCHAN_TYPE_FIXED_BINARY:
        return type->byte_width * 8;
    default:
        return 0;
    }
}
