/* civil.h - dates and times of the proleptic Gregorian calendar, without time zones tables or
 * locale. Invariant: days count from 1970-01-01; valid years are 1 to 9999. May call: status.h.
 */
#ifndef LOCHAN_BASE_CIVIL_H
#define LOCHAN_BASE_CIVIL_H

#include "base/status.h"

typedef struct lochan_civil {
    int32_t year;
    int32_t month; /* 1..12 */
    int32_t day;   /* 1..31 */
} lochan_civil;

int32_t lochan_civil__to_days(lochan_civil c);
lochan_civil lochan_civil__from_days(int32_t days);
bool lochan_civil__valid(lochan_civil c);
/* Adds months; the day is clamped to the length of the month. */
lochan_civil lochan_civil__add_months(lochan_civil c, int32_t months);

/* "2026-10-30" exactly. */
bool lochan_civil__parse_date(const char *s, size_t n, int32_t *days);
void lochan_civil__format_date(int32_t days, char dst[16]);

/* A compiled format of a provider's dates: %Y %m %d %H %M %S %f (1 to 9 digits) %z (Z, +hh:mm,
 * +hhmm, +hh) %% and literals. Widths are fixed: %Y has 4 digits, %m %d %H %M %S have 2. %Y is
 * needed, a missing month or day is the first. Anything else is refused when the format is
 * compiled. */
typedef struct lochan_date_format {
    char text[64];
    bool has_time;
    bool has_zone;
} lochan_date_format;

lochan_status lochan_date_format__init(lochan_date_format *f, const char *text, lochan_error *err);
/* The days since 1970-01-01 and the nanoseconds within that day, 0 .. 86400e9-1 (UTC if the format
 * has a zone, else as written); ns_of_day may be NULL. False, and nothing written, if s does not
 * match the whole format or is no valid date. */
bool lochan_date_format__parse(const lochan_date_format *f, const char *s, size_t n, int32_t *days,
                               int64_t *ns_of_day);
/* Formats a day (time of day zero). False if it does not fit. */
bool lochan_date_format__print(const lochan_date_format *f, int32_t days, char *dst, size_t cap);

/* "2026-10-30 12:34:56.123456+00": UTC, the form DuckLake uses; from nanoseconds since the epoch.
 */
void lochan_civil__format_utc(int64_t ns, char dst[40]);
/* Accepts "YYYY-MM-DD", "YYYY-MM-DD[ T]hh:mm[:ss[.fffffffff]][Z|+hh|+hh:mm]"; without a zone it is
 * UTC. */
bool lochan_civil__parse_utc(const char *s, size_t n, int64_t *ns);

#endif
