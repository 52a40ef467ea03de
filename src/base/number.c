/* number.c - numbers to and from text; the hot path of CSV decoding.
 * Invariants: results do not depend on the locale; a double is correctly rounded whatever path it took.
 * May call: str.h.
 */
#include "base/str.h"

#include <float.h>
#include <locale.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#define LONGEST_NUMBER 1000 /* bytes of text; no double needs more than 770 digits */

bool lochan_parse__uint64(const char *s, size_t n, uint64_t *out) {
    uint64_t v = 0;
    if (n == 0)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned digit = (unsigned)((unsigned char)s[i] - '0');
        if (digit > 9)
            return false;
        /* 19 digits always fit */
        if (i >= 19 && (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, digit, &v)))
            return false;
        if (i < 19)
            v = v * 10 + digit;
    }
    *out = v;
    return true;
}

bool lochan_parse__int64(const char *s, size_t n, int64_t *out) {
    bool negative = n > 0 && s[0] == '-';
    uint64_t v;
    if (n > 0 && (s[0] == '-' || s[0] == '+')) {
        s++;
        n--;
    }
    if (!lochan_parse__uint64(s, n, &v) || v > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(UINT64_C(0) - v) : (int64_t)v;
    return true;
}

static pthread_once_t c_locale_once = PTHREAD_ONCE_INIT;
static locale_t c_locale;

static void make_c_locale(void) {
    c_locale = newlocale(LC_ALL_MASK, "C", (locale_t)0);
}

static locale_t get_c_locale(void) {
    pthread_once(&c_locale_once, make_c_locale);
    return c_locale;
}

/* What the text of a decimal number says: (-1)^negative * mantissa * 10^exponent. `exact` is false if there were more
 * digits than the mantissa holds. */
typedef struct decimal {
    uint64_t mantissa;
    int64_t exponent;
    bool negative;
    bool exact;
} decimal;

static bool scan_exponent(const char *p, const char *end, int64_t *out) {
    bool negative = false;
    int64_t e = 0;
    if (p < end && (*p == '-' || *p == '+'))
        negative = *p++ == '-';
    if (p == end)
        return false;
    for (; p < end; p++) {
        unsigned digit = (unsigned)((unsigned char)*p - '0');
        if (digit > 9)
            return false;
        if (e < 1000000)
            e = e * 10 + digit;
    }
    *out = negative ? -e : e;
    return true;
}

/* [+-] digits [. digits] [e [+-] digits], at least one digit before the exponent. */
static bool scan_decimal(const char *s, size_t n, decimal *d) {
    const char *p = s, *end = s + n;
    d->negative = false;
    if (p < end && (*p == '-' || *p == '+'))
        d->negative = *p++ == '-';
    uint64_t m = 0;
    const char *first = p, *point = NULL;
    for (; p < end; p++) {
        unsigned digit = (unsigned)((unsigned char)*p - '0');
        if (digit <= 9)
            m = m * 10 + digit; /* may wrap: then `digits` tells */
        else if (*p == '.' && !point)
            point = p;
        else
            break;
    }
    int64_t digits = p - first - (point != NULL);
    if (digits == 0)
        return false;
    d->exponent = point ? -(int64_t)(p - point - 1) : 0;
    d->exact = true;
    if (digits > 19) {
        /* Leading zeros do not count. */
        const char *q = first;
        while (q < p && (*q == '0' || *q == '.')) {
            digits -= *q == '0';
            q++;
        }
        d->exact = digits <= 19;
    }
    d->mantissa = m;
    if (p < end) {
        int64_t e;
        if ((*p != 'e' && *p != 'E') || !scan_exponent(p + 1, end, &e))
            return false;
        d->exponent += e;
    }
    return true;
}

static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

/* Clinger's fast path: both operands are exact doubles, so the one operation rounds once, correctly. */
static bool from_exact_doubles(const decimal *d, double *out) {
    if (d->mantissa > UINT64_C(1) << 53 || d->exponent < -22 || d->exponent > 22)
        return false;
    double v = (double)d->mantissa;
    *out = d->exponent < 0 ? v / powers[-d->exponent] : v * powers[d->exponent];
    return true;
}

/* The same idea with the 64-bit mantissa of the x87 long double, for 16 to 19 digits: the result has 11 bits more than
 * a double, and rounding it again is right unless those bits say "exactly half". */
#if LDBL_MANT_DIG == 64
static const long double long_powers[] = {
    1e0L,  1e1L,  1e2L,  1e3L,  1e4L,  1e5L,  1e6L,  1e7L,  1e8L,  1e9L,  1e10L, 1e11L, 1e12L, 1e13L,
    1e14L, 1e15L, 1e16L, 1e17L, 1e18L, 1e19L, 1e20L, 1e21L, 1e22L, 1e23L, 1e24L, 1e25L, 1e26L, 1e27L};

static bool from_long_doubles(const decimal *d, double *out) {
    if (d->exponent < -27 || d->exponent > 27)
        return false;
    long double v = (long double)d->mantissa;
    v = d->exponent < 0 ? v / long_powers[-d->exponent] : v * long_powers[d->exponent];
    uint64_t bits;
    memcpy(&bits, &v, sizeof bits);
    if ((bits & 0x7FF) == 0x400)
        return false;
    *out = (double)v;
    return true;
}
#else
static bool from_long_doubles(const decimal *d, double *out) {
    (void)d;
    (void)out;
    return false;
}
#endif

static bool from_strtod(const char *s, size_t n, double *out) {
    char text[LONGEST_NUMBER + 1];
    if (n > LONGEST_NUMBER || !get_c_locale())
        return false;
    memcpy(text, s, n);
    text[n] = '\0';
    char *end;
    double v = strtod_l(text, &end, get_c_locale());
    if (end != text + n || isinf(v))
        return false;
    *out = v;
    return true;
}

static bool matches(const char *s, size_t n, const char *lower) {
    if (strlen(lower) != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((s[i] | 0x20) != lower[i])
            return false;
    }
    return true;
}

static bool parse_special(const char *s, size_t n, double *out) {
    bool negative = n > 0 && s[0] == '-';
    if (n > 0 && (s[0] == '-' || s[0] == '+')) {
        s++;
        n--;
    }
    double v;
    if (matches(s, n, "inf") || matches(s, n, "infinity"))
        v = INFINITY;
    else if (matches(s, n, "nan"))
        v = NAN;
    else
        return false;
    *out = negative ? -v : v;
    return true;
}

bool lochan_parse__double(const char *s, size_t n, bool allow_special, double *out) {
    decimal d;
    double v;
    if (!scan_decimal(s, n, &d))
        return allow_special && parse_special(s, n, out);
    if (!d.exact || !(from_exact_doubles(&d, &v) || from_long_doubles(&d, &v)))
        return from_strtod(s, n, out);
    *out = d.negative ? -v : v;
    return true;
}

/* Writes the digits of m with `decimals` of them after the point. */
static size_t put_decimal(char *dst, bool negative, uint64_t m, int decimals) {
    char reversed[32];
    size_t n = 0, len = 0;
    for (int i = 0; m > 0 || i <= decimals; i++) {
        if (i == decimals && decimals > 0)
            reversed[n++] = '.';
        reversed[n++] = (char)('0' + m % 10);
        m /= 10;
    }
    if (negative)
        dst[len++] = '-';
    while (n > 0)
        dst[len++] = reversed[--n];
    dst[len] = '\0';
    return len;
}

/* Short decimals: the first number of decimals at which dividing the digits by a power of ten gives v back. The division
 * is the one Clinger's path does, so the text is known to read back. */
static bool format_short(double v, char *dst, size_t *len) {
    double a = fabs(v);
    if (a != 0 && (a < 1e-5 || a >= 1e15))
        return false;
    for (int k = 0; k <= 19; k++) {
        double scaled = a * powers[k];
        if (scaled > 9007199254740992.0)
            return false;
        double m = nearbyint(scaled);
        if (m / powers[k] == a) {
            *len = put_decimal(dst, signbit(v), (uint64_t)m, k);
            return true;
        }
    }
    return false;
}

/* "1.5e+07" -> "1.5e7", "1e-09" -> "1e-9". */
static size_t shorten_exponent(char *text) {
    char *e = strchr(text, 'e');
    if (e) {
        char *from = e + 1, *to = e + 1;
        if (*from == '-')
            *to++ = *from++;
        else if (*from == '+')
            from++;
        while (*from == '0' && from[1])
            from++;
        memmove(to, from, strlen(from) + 1);
    }
    return strlen(text);
}

size_t lochan_format__double(double v, char *dst) {
    size_t len;
    if (isnan(v) || isinf(v)) {
        const char *text = isnan(v) ? "nan" : v < 0 ? "-inf" : "inf";
        len = strlen(text);
        memcpy(dst, text, len + 1);
        return len;
    }
    if (format_short(v, dst, &len))
        return len;
    locale_t before = uselocale(get_c_locale());
    for (int digits = 15; digits <= 17; digits++) {
        double back;
        int n = snprintf(dst, 32, "%.*g", digits, v);
        if (n > 0 && lochan_parse__double(dst, (size_t)n, false, &back) && back == v)
            break;
    }
    uselocale(before);
    return shorten_exponent(dst);
}
