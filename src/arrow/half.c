/* half.c - half precision to double and back.
 * Invariant: every half survives the way to double and back. May call: nothing.
 */
#include "arrow/half.h"
#include <math.h>

double lochan_half__to_double(uint16_t half) {
    int exponent = (half >> 10) & 31;
    double fraction = half & 1023;
    double v;
    if (exponent == 31)
        v = fraction != 0 ? (double)NAN : (double)INFINITY;
    else if (exponent == 0)
        v = ldexp(fraction, -24);
    else
        v = ldexp(fraction + 1024, exponent - 25);
    return half & 0x8000 ? -v : v;
}

uint16_t lochan_half__from_double(double v) {
    uint16_t sign = signbit(v) ? 0x8000 : 0;
    if (isnan(v))
        return sign | 0x7e00;
    v = fabs(v);
    if (v >= 65520) /* halfway to the number after the largest */
        return sign | 0x7c00;
    int exponent = -14;
    if (v >= ldexp(1, -14))
        exponent = ilogb(v);
    /* units of the last place; a carry into the next binade comes out right by itself */
    uint16_t units = (uint16_t)nearbyint(ldexp(v, 10 - exponent));
    return (uint16_t)(sign + units + ((exponent + 14) << 10));
}
