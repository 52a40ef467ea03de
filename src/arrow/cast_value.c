/* cast_value.c - one value from one flat type to another of fixed width.
 * Invariant: lossless: what is stored reads back as the same value, or the function says no.
 * Decimals go through their text, which is exact for both widths. May call: base/, cast.h,
 * decimal.h, half.h.
 */
#include "arrow/cast.h"
#include "arrow/decimal.h"
#include "arrow/half.h"

#define TWO_63 9223372036854775808.0

static lochan_wide read_wide(const lochan_cast_plan *p, int64_t slot) {
    int64_t v = lochan_cells__int(&p->column, slot);
    return p->from.id == LOCHAN_TYPE_UINT64 ? (lochan_wide)(uint64_t)v : v;
}

static bool store_wide(const lochan_cast_plan *p, lochan_wide v, void *out) {
    if (v < p->least || v > p->most)
        return false;
    switch (lochan_type__bit_width(&p->to)) {
    case 1:
    case 8:
        *(uint8_t *)out = (uint8_t)v;
        break;
    case 16:
        *(uint16_t *)out = (uint16_t)v;
        break;
    case 32:
        *(uint32_t *)out = (uint32_t)v;
        break;
    default:
        *(uint64_t *)out = (uint64_t)v;
    }
    return true;
}

static bool store_float(const lochan_cast_plan *p, double v, bool may_round, void *out) {
    if (p->to.id == LOCHAN_TYPE_FLOAT64) {
        *(double *)out = v;
        return true;
    }
    if (p->to.id == LOCHAN_TYPE_FLOAT16) {
        uint16_t half = lochan_half__from_double(v);
        double back = lochan_half__to_double(half);
        *(uint16_t *)out = half;
        return isnan(v) || back == v || (may_round && !isinf(back));
    }
    if (!isinf(v) && fabs(v) > 3.4028235677973366e38) /* rounds past the largest float32 */
        return false;
    float f = (float)v;
    *(float *)out = f;
    return isnan(v) || (double)f == v || (may_round && !isinf(f));
}

static bool int_to_int(const lochan_cast_plan *p, int64_t slot, void *out) {
    lochan_wide v = read_wide(p, slot) * p->mul;
    if (p->div > 1) {
        if (v % p->div)
            return false;
        v /= p->div;
    }
    return store_wide(p, v, out);
}

static bool int_to_float(const lochan_cast_plan *p, int64_t slot, void *out) {
    lochan_wide v = read_wide(p, slot);
    double d = (double)v;
    return (lochan_wide)d == v && store_float(p, d, false, out);
}

static bool float_to_int(const lochan_cast_plan *p, int64_t slot, void *out) {
    double v = lochan_cells__float(&p->column, slot);
    if (!(v >= -TWO_63 && v < 2 * TWO_63) || v != floor(v))
        return false;
    return store_wide(p, (lochan_wide)v, out);
}

static bool float_to_float(const lochan_cast_plan *p, int64_t slot, void *out) {
    return store_float(p, lochan_cells__float(&p->column, slot), false, out);
}

static bool store_decimal(const lochan_cast_plan *p, lochan_str text, void *out) {
    int width = p->to.id == LOCHAN_TYPE_DECIMAL128 ? 16 : 32;
    return lochan_decimal__parse(text.p, text.n, width, p->to.precision, p->to.scale, out);
}

static lochan_str decimal_text(const lochan_cast_plan *p, int64_t slot,
                               char dst[LOCHAN_DECIMAL_TEXT]) {
    int width = p->from.id == LOCHAN_TYPE_DECIMAL128 ? 16 : 32;
    const uint8_t *value = (const uint8_t *)p->column.data + slot * width;
    return (lochan_str){dst, lochan_decimal__print(value, width, p->from.scale, dst)};
}

static bool int_to_decimal(const lochan_cast_plan *p, int64_t slot, void *out) {
    char text[LOCHAN_DECIMAL_TEXT];
    lochan_wide v = read_wide(p, slot);
    uint8_t raw[16];
    memcpy(raw, &v, 16);
    size_t n = lochan_decimal__print(raw, 16, 0, text);
    return store_decimal(p, (lochan_str){text, n}, out);
}

/* Through the shortest text of the float: 0.1 is the decimal 0.1. */
static bool float_to_decimal(const lochan_cast_plan *p, int64_t slot, void *out) {
    char text[32];
    double v = lochan_cells__float(&p->column, slot);
    if (!isfinite(v))
        return false;
    return store_decimal(p, (lochan_str){text, lochan_format__double(v, text)}, out);
}

static bool decimal_to_decimal(const lochan_cast_plan *p, int64_t slot, void *out) {
    char text[LOCHAN_DECIMAL_TEXT];
    return store_decimal(p, decimal_text(p, slot, text), out);
}

static bool decimal_to_int(const lochan_cast_plan *p, int64_t slot, void *out) {
    char text[LOCHAN_DECIMAL_TEXT];
    lochan_wide v;
    bool exact;
    return lochan_number__scaled(decimal_text(p, slot, text), 0, &v, &exact) && exact &&
           store_wide(p, v, out);
}

/* Accepted if the float's shortest text is the decimal again. */
static bool decimal_to_float(const lochan_cast_plan *p, int64_t slot, void *out) {
    char text[32];
    uint8_t back[32];
    int width = p->from.id == LOCHAN_TYPE_DECIMAL128 ? 16 : 32;
    const uint8_t *value = (const uint8_t *)p->column.data + slot * width;
    double v = lochan_decimal__to_double(value, width, p->from.scale);
    size_t n = lochan_format__double(v, text);
    int32_t digits = width == 16 ? 38 : 76;
    return lochan_decimal__parse(text, n, width, digits, p->from.scale, back) &&
           memcmp(back, value, (size_t)width) == 0 && store_float(p, v, false, out);
}

static bool text_to_int(const lochan_cast_plan *p, int64_t slot, void *out) {
    lochan_wide v;
    bool exact;
    lochan_str s = lochan_cells__bytes(&p->column, slot);
    return lochan_number__scaled(s, 0, &v, &exact) && exact && store_wide(p, v, out);
}

static bool text_to_bool(const lochan_cast_plan *p, int64_t slot, void *out) {
    lochan_str s = lochan_cells__bytes(&p->column, slot);
    bool yes = lochan_str__eq(s, LOCHAN_STR("true")) || lochan_str__eq(s, LOCHAN_STR("1")) ||
               lochan_str__eq(s, LOCHAN_STR("True")) || lochan_str__eq(s, LOCHAN_STR("TRUE"));
    bool no = lochan_str__eq(s, LOCHAN_STR("false")) || lochan_str__eq(s, LOCHAN_STR("0")) ||
              lochan_str__eq(s, LOCHAN_STR("False")) || lochan_str__eq(s, LOCHAN_STR("FALSE"));
    *(uint8_t *)out = yes;
    return yes || no;
}

/* A number in text is what its writer rounded it to; the nearest float is taken. */
static bool text_to_float(const lochan_cast_plan *p, int64_t slot, void *out) {
    double v;
    lochan_str s = lochan_cells__bytes(&p->column, slot);
    if (!lochan_parse__double(s.p, s.n, true, &v))
        return false;
    bool named = memchr(s.p, 'n', s.n) ||
                 memchr(s.p, 'N', s.n); /* inf, nan; a number that overflows is refused */
    return (!isinf(v) || named) && store_float(p, v, true, out);
}

static bool text_to_decimal(const lochan_cast_plan *p, int64_t slot, void *out) {
    return store_decimal(p, lochan_cells__bytes(&p->column, slot), out);
}

static bool text_to_time(const lochan_cast_plan *p, int64_t slot, void *out) {
    lochan_str s = lochan_cells__bytes(&p->column, slot);
    lochan_iso iso = {0};
    int64_t ns;
    if (p->to.id == LOCHAN_TYPE_TIME32 || p->to.id == LOCHAN_TYPE_TIME64) {
        if (!lochan_iso__parse_time(s, &ns))
            return false;
        iso.ns = ns;
    } else if (!lochan_iso__parse(s, &iso) || (iso.has_zone && !p->to.zone[0])) {
        return false;
    }
    bool exact;
    lochan_wide v = lochan_wide__floor_div(iso.ns, p->div, &exact);
    return exact && store_wide(p, v, out);
}

static bool bytes_to_fixed(const lochan_cast_plan *p, int64_t slot, void *out) {
    lochan_str s = lochan_cells__bytes(&p->column, slot);
    if (s.n != (size_t)p->to.byte_width)
        return false;
    if (s.n)
        memcpy(out, s.p, s.n);
    return true;
}

/* Nanoseconds of one tick; 0 for types that are no time. */
static lochan_wide tick_of(const lochan_type *t) {
    if (t->id == LOCHAN_TYPE_DATE32)
        return (lochan_wide)86400 * 1000000000;
    if (t->id == LOCHAN_TYPE_DATE64)
        return 1000000;
    return t->id >= LOCHAN_TYPE_TIME32 && t->id <= LOCHAN_TYPE_DURATION ? lochan_unit__ns(t->unit)
                                                                        : 0;
}

typedef enum kind {
    KIND_OTHER,
    KIND_INT,
    KIND_BOOL,
    KIND_FLOAT,
    KIND_DECIMAL,
    KIND_TEXT,
    KIND_FIXED,
    KIND_TIME
} kind;

static kind kind_of(const lochan_type *t) {
    if (lochan_type__is_integer(t->id))
        return KIND_INT;
    if (lochan_type__is_float(t->id))
        return KIND_FLOAT;
    if (lochan_type__is_bytes(t->id))
        return KIND_TEXT;
    if (tick_of(t))
        return KIND_TIME;
    switch (t->id) {
    case LOCHAN_TYPE_BOOL:
        return KIND_BOOL;
    case LOCHAN_TYPE_DECIMAL128:
    case LOCHAN_TYPE_DECIMAL256:
        return KIND_DECIMAL;
    case LOCHAN_TYPE_FIXED_BINARY:
        return KIND_FIXED;
    default:
        return KIND_OTHER;
    }
}

/* Dates and timestamps are points in time; times of day and durations are kinds of their own. */
static int time_family(const lochan_type *t) {
    if (t->id == LOCHAN_TYPE_TIME32 || t->id == LOCHAN_TYPE_TIME64)
        return 1;
    return t->id == LOCHAN_TYPE_DURATION ? 2 : 0;
}

static void set_limits(lochan_cast_plan *p) {
    int bits = lochan_type__bit_width(&p->to);
    bool is_unsigned = p->to.id == LOCHAN_TYPE_BOOL || p->to.id == LOCHAN_TYPE_UINT8 ||
                       p->to.id == LOCHAN_TYPE_UINT16 || p->to.id == LOCHAN_TYPE_UINT32 ||
                       p->to.id == LOCHAN_TYPE_UINT64;
    p->most = ((lochan_wide)1 << (bits - !is_unsigned)) - 1;
    p->least = is_unsigned ? 0 : -p->most - 1;
    p->mul = p->div = 1;
}

static lochan_cast_fn find_to_int(lochan_cast_plan *p, kind from) {
    switch (from) {
    case KIND_INT:
    case KIND_BOOL:
        return int_to_int;
    case KIND_TIME: /* ticks as they are */
        return p->to.id == LOCHAN_TYPE_BOOL ? NULL : int_to_int;
    case KIND_FLOAT:
        return float_to_int;
    case KIND_DECIMAL:
        return decimal_to_int;
    case KIND_TEXT:
        return p->to.id == LOCHAN_TYPE_BOOL ? text_to_bool : text_to_int;
    default:
        return NULL;
    }
}

static lochan_cast_fn find_to_time(lochan_cast_plan *p, kind from) {
    lochan_wide a = tick_of(&p->from), b = tick_of(&p->to);
    if (from == KIND_INT)
        return int_to_int;
    if (from == KIND_TEXT) {
        p->div = b;
        return time_family(&p->to) == 2 ? NULL : text_to_time;
    }
    if (from != KIND_TIME || time_family(&p->from) != time_family(&p->to))
        return NULL;
    p->mul = a > b ? a / b : 1;
    p->div = b > a ? b / a : 1;
    return int_to_int;
}

lochan_cast_fn lochan_cast__find(lochan_cast_plan *p) {
    kind from = kind_of(&p->from), to = kind_of(&p->to);
    switch (to) {
    case KIND_INT:
    case KIND_BOOL:
        set_limits(p);
        return find_to_int(p, from);
    case KIND_TIME:
        set_limits(p);
        return find_to_time(p, from);
    case KIND_FLOAT:
        return from == KIND_INT || from == KIND_BOOL ? int_to_float
               : from == KIND_FLOAT                  ? float_to_float
               : from == KIND_DECIMAL                ? decimal_to_float
               : from == KIND_TEXT                   ? text_to_float
                                                     : NULL;
    case KIND_DECIMAL:
        return from == KIND_INT       ? int_to_decimal
               : from == KIND_FLOAT   ? float_to_decimal
               : from == KIND_DECIMAL ? decimal_to_decimal
               : from == KIND_TEXT    ? text_to_decimal
                                      : NULL;
    case KIND_FIXED:
        return from == KIND_TEXT || from == KIND_FIXED ? bytes_to_fixed : NULL;
    default:
        return NULL;
    }
}
