/* iso.h - dates and times of day as text, without the range limit of 64-bit nanoseconds, and exact
 * numbers from text. Invariant: nothing is rounded silently. May call: base/.
 */
#ifndef LOCHAN_ARROW_ISO_H
#define LOCHAN_ARROW_ISO_H

#include "base/status.h"
#include "base/str.h"
#include "arrow/type.h"

typedef __int128 lochan_wide; /* scaled integers and nanoseconds: holds 38 digits */

#define LOCHAN_WIDE_MAX ((lochan_wide)(~(unsigned __int128)0 >> 1))

typedef struct lochan_iso {
    lochan_wide ns; /* since 1970-01-01T00:00:00, of UTC if has_zone, else as written */
    bool has_time;
    bool has_zone;
} lochan_iso;

/* "YYYY-MM-DD", "YYYY-MM-DD[ T]hh:mm[:ss[.fffffffff]][Z|+hh|+hhmm|+hh:mm]". */
bool lochan_iso__parse(lochan_str s, lochan_iso *out);
/* "hh:mm[:ss[.fffffffff]]": nanoseconds of the day. */
bool lochan_iso__parse_time(lochan_str s, int64_t *ns);
/* Nanoseconds of one tick of a unit. */
int64_t lochan_unit__ns(lochan_time_unit unit);

/* A number in text times 10^scale: *floor is its integer part (towards minus infinity), *exact
 * tells whether nothing was cut. Numbers past 38 digits give the nearest of +-LOCHAN_WIDE_MAX and
 * exact = false. False if s is no number. */
bool lochan_number__scaled(lochan_str s, int32_t scale, lochan_wide *floor, bool *exact);
/* Floor division with the same meaning of *exact; d > 0. */
lochan_wide lochan_wide__floor_div(lochan_wide v, lochan_wide d, bool *exact);

#endif
