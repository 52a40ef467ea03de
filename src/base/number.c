/* number.c - numbers to and from text; the hot path of CSV decoding.
 * Invariants: results do not depend on the locale; a double is correctly rounded whatever path it
 * took. May call: str.h.
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

/* What the text of a decimal number says: (-1)^negative * mantissa * 10^exponent. `exact` is false
 * if there were more digits than the mantissa holds. */
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

/* Clinger's fast path: both operands are exact doubles, so the one operation rounds once,
 * correctly. */
static bool from_exact_doubles(const decimal *d, double *out) {
    if (d->mantissa > UINT64_C(1) << 53 || d->exponent < -22 || d->exponent > 22)
        return false;
    double v = (double)d->mantissa;
    *out = d->exponent < 0 ? v / powers[-d->exponent] : v * powers[d->exponent];
    return true;
}

/* For 16 to 19 digits: the exact value in 128-bit integers, rounded once by the conversion to
 * double. 10^e is 5^e * 2^e, 5^27 is the last power below 2^63, and powers of two cost nothing. */
__extension__ typedef unsigned __int128 uint128;

static const uint64_t powers_of_5[] = {
    1u,
    5u,
    25u,
    125u,
    625u,
    3125u,
    15625u,
    78125u,
    390625u,
    1953125u,
    9765625u,
    48828125u,
    244140625u,
    1220703125u,
    6103515625u,
    30517578125u,
    152587890625u,
    762939453125u,
    3814697265625u,
    19073486328125u,
    95367431640625u,
    476837158203125u,
    2384185791015625u,
    11920928955078125u,
    59604644775390625u,
    298023223876953125u,
    1490116119384765625u,
    7450580596923828125u,
};

static bool from_wide_integers(const decimal *d, double *out) {
    if (d->exponent < -27 || d->exponent > 27 || d->mantissa == 0)
        return false;
    int e = (int)d->exponent, shift;
    uint128 q;
    if (e >= 0) {
        q = (uint128)d->mantissa * powers_of_5[e];
        shift = e;
    } else {
        int zeros = __builtin_clzll(d->mantissa);
        uint128 wide = (uint128)(d->mantissa << zeros) << 64;
        uint64_t divisor = powers_of_5[-e];
        q = wide / divisor; /* at least 65 bits, so a set last bit stands for any remainder */
        q |= q * divisor != wide;
        shift = e - 64 - zeros;
    }
    *out = ldexp((double)q, shift);
    return true;
}

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
    if (!d.exact || !(from_exact_doubles(&d, &v) || from_wide_integers(&d, &v)))
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

/* Short decimals: the first number of decimals at which dividing the digits by a power of ten gives
 * v back. The division is the one Clinger's path does, so the text is known to read back. */
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
    /* A subnormal has fewer digits than 15 that mean something. */
    for (int digits = fabs(v) < DBL_MIN ? 1 : 15; digits <= 17; digits++) {
        double back;
        int n = snprintf(dst, 32, "%.*g", digits, v);
        if (n > 0 && lochan_parse__double(dst, (size_t)n, false, &back) && back == v)
            break;
    }
    uselocale(before);
    return shorten_exponent(dst);
}
