/* half.h - IEEE 754 half precision, stored only; arithmetic is on doubles.
 * Invariant: to_double is exact, from_double rounds to nearest even. May call: nothing.
 */
#ifndef LOCHAN_ARROW_HALF_H
#define LOCHAN_ARROW_HALF_H

#include <stdint.h>

double lochan_half__to_double(uint16_t half);
/* Numbers past 65504 (after rounding) become infinite. */
uint16_t lochan_half__from_double(double v);

#endif
