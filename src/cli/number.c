/* number.c - floating-point numbers and decimals as text.
 * Invariant: what is written reads back as the same value, and no shorter text does. The process
 * never calls setlocale, so the decimal point is a point. May call: libc.
 */
#include "cli/value.h"

#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

static bool add_special(lochan_cli_text *t, double v) {
    if (isnan(v))
        lochan_cli__adds(t, "nan");
    else if (isinf(v))
        lochan_cli__adds(t, v > 0 ? "inf" : "-inf");
    else
        return false;
    return true;
}

void lochan_cli__add_double(lochan_cli_text *t, double v) {
    char text[40];
    if (add_special(t, v))
        return;
    /* 15 digits always survive and %g drops closing zeros; numbers near zero have fewer digits to
     * begin with. */
    int digits = fabs(v) < DBL_MIN ? 1 : DBL_DIG;
    for (; digits <= DBL_DECIMAL_DIG; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, v);
        if (strtod(text, NULL) == v)
            break;
    }
    lochan_cli__adds(t, text);
}

void lochan_cli__add_float(lochan_cli_text *t, float v) {
    char text[40];
    if (add_special(t, (double)v))
        return;
    int digits = fabsf(v) < FLT_MIN ? 1 : FLT_DIG;
    for (; digits <= FLT_DECIMAL_DIG; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)v);
        if (strtof(text, NULL) == v)
            break;
    }
    lochan_cli__adds(t, text);
}

double lochan_cli__half(uint16_t bits) {
    int exponent = (bits >> 10) & 0x1f;
    double fraction = bits & 0x3ff;
    double v;
    if (exponent == 0x1f)
        v = fraction != 0 ? NAN : INFINITY;
    else if (exponent == 0)
        v = ldexp(fraction, -24);
    else
        v = ldexp(fraction + 1024, exponent - 25);
    return bits & 0x8000 ? -v : v;
}

/* Divides the number (limbs, least first) by 10^9; returns the remainder. */
static uint32_t divide_billion(uint32_t *limbs, int n) {
    uint64_t rest = 0;
    for (int i = n - 1; i >= 0; i--) {
        uint64_t v = rest << 32 | limbs[i];
        limbs[i] = (uint32_t)(v / 1000000000);
        rest = v % 1000000000;
    }
    return (uint32_t)rest;
}

/* Decimal digits of the number, least first; their count (at least one). */
static int reverse_digits(uint32_t *limbs, int n, char *dst) {
    int len = 0;
    bool more = true;
    while (more) {
        uint32_t rest = divide_billion(limbs, n);
        more = false;
        for (int i = 0; i < n; i++)
            more |= limbs[i] != 0;
        for (int i = 0; i < 9 && (more || rest > 0 || len == 0); i++, rest /= 10)
            dst[len++] = (char)('0' + rest % 10);
    }
    return len;
}

void lochan_cli__add_decimal(lochan_cli_text *t, const void *value, int bytes, int scale) {
    uint32_t limbs[8] = {0};
    char digits[96];
    int n = bytes / 4;
    memcpy(limbs, value, (size_t)bytes);
    if (limbs[n - 1] >> 31) {
        uint64_t carry = 1;
        for (int i = 0; i < n; i++) {
            carry += (uint32_t)~limbs[i];
            limbs[i] = (uint32_t)carry;
            carry >>= 32;
        }
        lochan_cli__addc(t, '-');
    }
    int len = reverse_digits(limbs, n, digits);
    if (scale >= len) { /* 0.00x */
        lochan_cli__adds(t, "0.");
        for (int i = len; i < scale; i++)
            lochan_cli__addc(t, '0');
    }
    for (int i = len - 1; i >= 0; i--) {
        lochan_cli__addc(t, digits[i]);
        if (scale > 0 && i == scale && scale < len)
            lochan_cli__addc(t, '.');
    }
    bool is_zero = len == 1 && digits[0] == '0';
    for (int i = scale; i < 0 && !is_zero; i++)
        lochan_cli__addc(t, '0');
}
