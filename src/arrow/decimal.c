/* decimal.c - decimals as four 64-bit limbs, least significant first, whatever their stored width.
 * Invariant: arithmetic is on magnitudes; the sign is kept beside. May call: base/.
 */
#include "arrow/decimal.h"
#include "base/str.h"

#define LIMBS      4
#define MAX_DIGITS 78

typedef struct magnitude {
    uint64_t limb[LIMBS];
    bool negative;
} magnitude;

static void negate(uint64_t limb[LIMBS]) {
    unsigned carry = 1;
    for (int i = 0; i < LIMBS; i++) {
        limb[i] = ~limb[i] + carry;
        carry = carry && limb[i] == 0;
    }
}

static magnitude load(const uint8_t *value, int width) {
    magnitude m;
    uint64_t fill = value[width - 1] & 0x80 ? UINT64_MAX : 0;
    for (int i = 0; i < LIMBS; i++) {
        m.limb[i] = fill;
        if (i * 8 < width)
            memcpy(&m.limb[i], value + 8 * i, 8);
    }
    m.negative = fill != 0;
    if (m.negative)
        negate(m.limb);
    return m;
}

static void store(magnitude m, int width, uint8_t *value) {
    if (m.negative)
        negate(m.limb);
    memcpy(value, m.limb, (size_t)width);
}

/* m = m * by + add; false on overflow of 256 bits. */
static bool mul_add(magnitude *m, uint64_t by, uint64_t add) {
    unsigned __int128 carry = add;
    for (int i = 0; i < LIMBS; i++) {
        carry += (unsigned __int128)m->limb[i] * by;
        m->limb[i] = (uint64_t)carry;
        carry >>= 64;
    }
    return carry == 0;
}

/* Divides by a small number; returns the remainder. */
static uint64_t div_small(magnitude *m, uint64_t by) {
    unsigned __int128 rest = 0;
    for (int i = LIMBS - 1; i >= 0; i--) {
        rest = rest << 64 | m->limb[i];
        m->limb[i] = (uint64_t)(rest / by);
        rest %= by;
    }
    return (uint64_t)rest;
}

static bool is_zero(const magnitude *m) {
    return (m->limb[0] | m->limb[1] | m->limb[2] | m->limb[3]) == 0;
}

/* Digits without leading zeros ("0" for zero), most significant first. Returns their number. */
static int digits_of(magnitude m, char digits[MAX_DIGITS + 2]) {
    char reversed[MAX_DIGITS + 20];
    int n = 0;
    do {
        /* 18 digits at a time; fast for the values of ordinary columns */
        uint64_t part = div_small(&m, 1000000000000000000u);
        bool last = is_zero(&m);
        for (int i = 0; last ? part != 0 || n == 0 : i < 18; i++) {
            reversed[n++] = (char)('0' + part % 10);
            part /= 10;
        }
    } while (!is_zero(&m));
    for (int i = 0; i < n; i++)
        digits[i] = reversed[n - 1 - i];
    return n;
}

size_t lochan_decimal__print(const uint8_t *value, int width, int32_t scale,
                             char dst[LOCHAN_DECIMAL_TEXT]) {
    char digits[MAX_DIGITS + 2];
    magnitude m = load(value, width);
    int n = digits_of(m, digits);
    bool zero = n == 1 && digits[0] == '0';
    char *p = dst;
    if (m.negative)
        *p++ = '-';
    int whole = n - scale; /* digits before the point */
    if (scale <= 0) {
        memcpy(p, digits, (size_t)n);
        p += n;
        for (int i = scale; i < 0 && !zero; i++)
            *p++ = '0';
    } else {
        if (whole <= 0)
            *p++ = '0';
        else
            memcpy(p, digits, (size_t)whole);
        p += whole > 0 ? whole : 0;
        *p++ = '.';
        for (int i = whole; i < 0; i++)
            *p++ = '0';
        int from = whole > 0 ? whole : 0;
        memcpy(p, digits + from, (size_t)(n - from));
        p += n - from;
    }
    *p = '\0';
    return (size_t)(p - dst);
}

double lochan_decimal__to_double(const uint8_t *value, int width, int32_t scale) {
    static const double powers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                                    1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                                    1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
    magnitude m = load(value, width);
    /* both operands exact, one rounding */
    if (!(m.limb[1] | m.limb[2] | m.limb[3]) && m.limb[0] <= (1ull << 53) && scale >= 0 &&
        scale <= 22) {
        double v = (double)m.limb[0] / powers[scale];
        return m.negative ? -v : v;
    }
    char text[LOCHAN_DECIMAL_TEXT];
    double v = 0;
    size_t n = lochan_decimal__print(value, width, scale, text);
    lochan_parse__double(text, n, false, &v);
    return v;
}

bool lochan_decimal__fits(const uint8_t *value, int width, int32_t precision) {
    magnitude m = load(value, width);
    if (precision >= 19 && !(m.limb[1] | m.limb[2] | m.limb[3]) &&
        m.limb[0] <= 9999999999999999999u)
        return true;
    char digits[MAX_DIGITS + 2];
    return digits_of(m, digits) <= precision;
}

/* Splits a number into its digits and the power of ten of the last one. */
static bool scan(const char *s, size_t n, bool *negative, char *digits, int *n_digits,
                 int64_t *power) {
    size_t i = 0;
    int64_t exponent = 0;
    bool point = false;
    bool any = false;
    *negative = n > 0 && s[0] == '-';
    i = n > 0 && (s[0] == '-' || s[0] == '+') ? 1 : 0;
    *n_digits = 0;
    *power = 0;
    for (; i < n && s[i] != 'e' && s[i] != 'E'; i++) {
        if (s[i] == '.' && !point) {
            point = true;
            continue;
        }
        if (s[i] < '0' || s[i] > '9')
            return false;
        any = true;
        *power -= point;
        if (*n_digits == 0 && s[i] == '0')
            continue;
        if (*n_digits < MAX_DIGITS)
            digits[(*n_digits)++] = s[i];
        else if (s[i] == '0')
            ++*power; /* a trailing zero that finds no room */
        else
            return false;
    }
    if (i < n) {
        size_t from = i + 1 < n && s[i + 1] == '+' ? i + 2 : i + 1;
        if (!lochan_parse__int64(s + from, n - from, &exponent) || exponent > 10000 ||
            exponent < -10000)
            return false;
    }
    *power += exponent;
    return any;
}

bool lochan_decimal__parse(const char *s, size_t n, int width, int32_t precision, int32_t scale,
                           uint8_t *value) {
    char digits[MAX_DIGITS];
    int n_digits;
    int64_t power;
    magnitude m = {{0}, false};
    if (!scan(s, n, &m.negative, digits, &n_digits, &power))
        return false;
    while (n_digits > 0 && digits[n_digits - 1] == '0') {
        n_digits--;
        power++;
    }
    if (n_digits == 0) {
        m.negative = false;
        store(m, width, value);
        return true;
    }
    /* the last digit must reach down to 10^-scale at most; what lies between is filled with zeros
     */
    int64_t zeros = power + scale;
    if (zeros < 0 || n_digits + zeros > precision)
        return false;
    bool fits = true;
    for (int i = 0; i < n_digits; i++)
        fits = fits && mul_add(&m, 10, (uint64_t)(digits[i] - '0'));
    for (int64_t i = 0; i < zeros; i++)
        fits = fits && mul_add(&m, 10, 0);
    if (fits)
        store(m, width, value);
    return fits;
}
