/* iso.c - reading dates, times and exact numbers.
 * Invariant: every byte of the text belongs to the value. May call: base/.
 */
#include "arrow/iso.h"
#include "base/civil.h"

#define NS_PER_SECOND ((int64_t)1000000000)

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool two_digits(const char **p, const char *end, int max, int *out) {
    if (end - *p < 2 || !is_digit((*p)[0]) || !is_digit((*p)[1]))
        return false;
    *out = ((*p)[0] - '0') * 10 + (*p)[1] - '0';
    *p += 2;
    return *out <= max;
}

static bool fraction(const char **p, const char *end, int64_t *ns) {
    int64_t unit = NS_PER_SECOND / 10;
    int digits = 0;
    for (; *p < end && is_digit(**p) && digits < 9; (*p)++, digits++, unit /= 10)
        *ns += (**p - '0') * unit;
    return digits > 0;
}

static bool time_of_day(const char **p, const char *end, int64_t *ns) {
    int hour, minute, second = 0;
    *ns = 0;
    if (!two_digits(p, end, 23, &hour) || *p == end || *(*p)++ != ':' ||
        !two_digits(p, end, 59, &minute))
        return false;
    if (*p < end && **p == ':') {
        (*p)++;
        if (!two_digits(p, end, 59, &second))
            return false;
        if (*p < end && **p == '.') {
            (*p)++;
            if (!fraction(p, end, ns))
                return false;
        }
    }
    *ns += (hour * 3600 + minute * 60 + second) * NS_PER_SECOND;
    return true;
}

static bool zone(const char **p, const char *end, int64_t *seconds) {
    int hours, minutes = 0;
    char sign = *(*p)++;
    *seconds = 0;
    if (sign == 'Z')
        return true;
    if ((sign != '+' && sign != '-') || !two_digits(p, end, 23, &hours))
        return false;
    if (*p < end && **p == ':')
        (*p)++;
    if (*p < end && !two_digits(p, end, 59, &minutes))
        return false;
    *seconds = (hours * 60 + minutes) * (sign == '-' ? -60 : 60);
    return (*p)[-1] != ':';
}

bool lochan_iso__parse(lochan_str s, lochan_iso *out) {
    int32_t days;
    int64_t ns = 0, east = 0;
    memset(out, 0, sizeof(*out));
    if (s.n < 10 || !lochan_civil__parse_date(s.p, 10, &days))
        return false;
    const char *p = s.p + 10, *end = s.p + s.n;
    if (p < end) {
        if (*p != ' ' && *p != 'T')
            return false;
        p++;
        out->has_time = true;
        if (!time_of_day(&p, end, &ns))
            return false;
        out->has_zone = p < end;
        if (out->has_zone && !zone(&p, end, &east))
            return false;
    }
    out->ns = (lochan_wide)days * 86400 * NS_PER_SECOND + ns - (lochan_wide)east * NS_PER_SECOND;
    return p == end;
}

bool lochan_iso__parse_time(lochan_str s, int64_t *ns) {
    const char *p = s.p, *end = s.p + s.n;
    return time_of_day(&p, end, ns) && p == end;
}

int64_t lochan_unit__ns(lochan_time_unit unit) {
    static const int64_t ns[] = {1000000000, 1000000, 1000, 1};
    return ns[unit];
}

lochan_wide lochan_wide__floor_div(lochan_wide v, lochan_wide d, bool *exact) {
    lochan_wide q = v / d, r = v % d;
    *exact = r == 0;
    return q - (r < 0);
}

/* The parts of [+-]digits[.digits][e[+-]digits]. */
typedef struct number {
    bool negative;
    const char *whole, *part; /* digits before and after the point */
    size_t n_whole, n_part;
    int64_t exponent;
} number;

static size_t count_digits(const char *p, const char *end) {
    size_t n = 0;
    while (p + n < end && is_digit(p[n]))
        n++;
    return n;
}

static bool split_number(lochan_str s, number *out) {
    const char *p = s.p, *end = s.p + s.n;
    memset(out, 0, sizeof(*out));
    if (p < end && (*p == '-' || *p == '+'))
        out->negative = *p++ == '-';
    out->whole = p;
    out->n_whole = count_digits(p, end);
    p += out->n_whole;
    if (p < end && *p == '.') {
        out->part = ++p;
        out->n_part = count_digits(p, end);
        p += out->n_part;
    }
    if (out->n_whole + out->n_part == 0)
        return false;
    if (p < end && (*p == 'e' || *p == 'E')) {
        p++;
        bool minus = p < end && *p == '-';
        if (p < end && (*p == '-' || *p == '+'))
            p++;
        size_t n = count_digits(p, end);
        if (n == 0)
            return false;
        for (; n > 0; n--, p++) {
            if (out->exponent < 1000000000)
                out->exponent = out->exponent * 10 + (*p - '0');
        }
        out->exponent = minus ? -out->exponent : out->exponent;
    }
    return p == end;
}

static int digit_at(const number *x, size_t i) {
    return (i < x->n_whole ? x->whole[i] : x->part[i - x->n_whole]) - '0';
}

bool lochan_number__scaled(lochan_str s, int32_t scale, lochan_wide *floor, bool *exact) {
    number x;
    *floor = 0;
    *exact = false;
    if (!split_number(s, &x))
        return false;
    size_t digits = x.n_whole + x.n_part, first = 0;
    while (first < digits && digit_at(&x, first) == 0)
        first++;
    *exact = true;
    if (first == digits)
        return true;
    /* Digits [first, point) are the integer part; the point may lie before the first or behind the
     * last one. */
    int64_t point = (int64_t)x.n_whole + x.exponent + scale;
    lochan_wide v = 0, limit = LOCHAN_WIDE_MAX / 10 - 1;
    bool over = point - (int64_t)first > 39;
    for (int64_t i = (int64_t)first; i < point && !over; i++) {
        over = v > limit;
        if (!over)
            v = v * 10 + ((size_t)i < digits ? digit_at(&x, (size_t)i) : 0);
    }
    for (size_t i = first; i < digits && *exact; i++)
        *exact = (int64_t)i < point || digit_at(&x, i) == 0;
    if (over) {
        *exact = false;
        *floor = x.negative ? -LOCHAN_WIDE_MAX : LOCHAN_WIDE_MAX - 1;
        return true;
    }
    *floor = x.negative ? -v - !*exact : v;
    return true;
}
