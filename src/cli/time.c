/* time.c - dates and times as text, in the proleptic Gregorian calendar, UTC.
 * Invariant: every int64 can be written; years beyond 9999 or before 0 have more digits or a sign.
 * May call: libc.
 */
#include "cli/value.h"

#include <stdint.h>

static int64_t floor_divide(int64_t a, int64_t b) {
    return a / b - (a % b < 0);
}

/* Not a - b * floor_divide(a, b), which overflows near the ends of the range. */
static int64_t floor_rest(int64_t a, int64_t b) {
    return a % b + (a % b < 0 ? b : 0);
}

/* Counts from 0000-03-01, so that the leap day ends a year, in eras of 400 years (146,097 days). */
void lochan_cli__add_date(lochan_cli_text *t, int64_t days) {
    int64_t era = floor_divide(days, 146097); /* split before the shift, so nothing overflows */
    int64_t day = floor_rest(days, 146097) + 719468 % 146097;
    era += 719468 / 146097;
    if (day >= 146097) {
        day -= 146097;
        era++;
    }
    int64_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    int64_t in_year = day - (365 * year + year / 4 - year / 100);
    int64_t month = (5 * in_year + 2) / 153; /* from March */
    int64_t in_month = in_year - (153 * month + 2) / 5 + 1;
    month += month < 10 ? 3 : -9;
    year += era * 400 + (month <= 2);
    lochan_cli__addf(t, "%04lld-%02lld-%02lld", (long long)year, (long long)month,
                     (long long)in_month);
}

void lochan_cli__add_time(lochan_cli_text *t, int64_t value, int64_t per_second, int digits) {
    int64_t seconds = floor_divide(value, per_second);
    int64_t fraction = floor_rest(value, per_second);
    lochan_cli__addf(t, "%02lld:%02lld:%02lld", (long long)(seconds / 3600),
                     (long long)(seconds / 60 % 60), (long long)(seconds % 60));
    if (fraction > 0)
        lochan_cli__addf(t, ".%0*lld", digits, (long long)fraction);
}

void lochan_cli__add_timestamp(lochan_cli_text *t, int64_t value, int64_t per_second, int digits,
                               char between) {
    int64_t seconds = floor_divide(value, per_second);
    lochan_cli__add_date(t, floor_divide(seconds, 86400));
    lochan_cli__addc(t, between);
    int64_t in_day = floor_rest(seconds, 86400);
    lochan_cli__add_time(t, in_day * per_second + floor_rest(value, per_second), per_second,
                         digits);
}
