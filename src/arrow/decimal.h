/* decimal.h - 128 and 256 bit decimals as Arrow stores them: little-endian two's complement and a
 * scale. Invariant: every function is exact. May call: base/.
 */
#ifndef LOCHAN_ARROW_DECIMAL_H
#define LOCHAN_ARROW_DECIMAL_H

#include "base/status.h"
#include <stddef.h>

/* Sign, 78 digits, zeros or a point from the scale, NUL. */
#define LOCHAN_DECIMAL_TEXT 176

/* Writes the value exactly, with `scale` digits behind the point (a negative scale appends zeros).
 * width: 16 or 32 bytes. Returns the length. */
size_t lochan_decimal__print(const uint8_t *value, int width, int32_t scale,
                             char dst[LOCHAN_DECIMAL_TEXT]);
/* The nearest double. */
double lochan_decimal__to_double(const uint8_t *value, int width, int32_t scale);
/* Whether the value has at most `precision` digits. */
bool lochan_decimal__fits(const uint8_t *value, int width, int32_t precision);
/* Reads [+-]digits[.digits][e[+-]digits]; false if it is no number, or has a digit that the scale
 * or the precision would lose. width: 16 or 32. */
bool lochan_decimal__parse(const char *s, size_t n, int width, int32_t precision, int32_t scale,
                           uint8_t *value);

#endif
