/* civil.c - days and civil dates; the fixed forms of dates and UTC times.
 * Invariant: all arithmetic is exact over the years 1 to 9999 and does not overflow outside. May
 * call: str.h.
 */
#include "base/civil.h"
#include "base/civil_text.h"

#include <string.h>

#define DAYS_PER_ERA 146097 /* 400 years */
#define DAYS_TO_1970 719468 /* from 0000-03-01, where an era begins */
#define FIRST_DAY    (-719162)
#define LAST_DAY     2932896
#define NS_PER_S     INT64_C(1000000000)
#define NS_PER_DAY   (86400 * NS_PER_S)

static bool is_leap(int32_t year) {
    return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

static int32_t days_in_month(int32_t year, int32_t month) {
    static const int8_t days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return month == 2 && is_leap(year) ? 29 : days[month - 1];
}

bool lochan_civil__valid(lochan_civil c) {
    return c.year >= 1 && c.year <= 9999 && c.month >= 1 && c.month <= 12 && c.day >= 1 &&
           c.day <= days_in_month(c.year, c.month);
}

/* Years that begin in March put the leap day last, so that the days before a month are a linear
 * formula. */
int32_t lochan_civil__to_days(lochan_civil c) {
    int64_t year = (int64_t)c.year - (c.month <= 2);
    int64_t era = (year >= 0 ? year : year - 399) / 400;
    int64_t year_of_era = year - era * 400;
    int64_t month = c.month + (c.month > 2 ? -3 : 9);
    int64_t day_of_year = (153 * month + 2) / 5 + c.day - 1;
    int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return (int32_t)(era * DAYS_PER_ERA + day_of_era - DAYS_TO_1970);
}

lochan_civil lochan_civil__from_days(int32_t days) {
    int64_t z = (int64_t)days + DAYS_TO_1970;
    int64_t era = (z >= 0 ? z : z - (DAYS_PER_ERA - 1)) / DAYS_PER_ERA;
    int64_t day_of_era = z - era * DAYS_PER_ERA;
    int64_t year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    int64_t month = (5 * day_of_year + 2) / 153;
    lochan_civil c;
    c.day = (int32_t)(day_of_year - (153 * month + 2) / 5 + 1);
    c.month = (int32_t)(month < 10 ? month + 3 : month - 9);
    c.year = (int32_t)(year_of_era + era * 400 + (c.month <= 2));
    return c;
}

lochan_civil lochan_civil__add_months(lochan_civil c, int32_t months) {
    int64_t total = (int64_t)c.year * 12 + (c.month - 1) + months;
    int64_t year = total >= 0 ? total / 12 : -((11 - total) / 12);
    c.year = (int32_t)year;
    c.month = (int32_t)(total - year * 12) + 1;
    int32_t last = days_in_month(c.year, c.month);
    if (c.day > last)
        c.day = last;
    return c;
}

bool lochan_civil__digits(const char **p, const char *end, int count, int32_t *out) {
    int32_t v = 0;
    if (end - *p < count)
        return false;
    for (int i = 0; i < count; i++) {
        unsigned digit = (unsigned)((unsigned char)(*p)[i] - '0');
        if (digit > 9)
            return false;
        v = v * 10 + (int32_t)digit;
    }
    *p += count;
    *out = v;
    return true;
}

static bool literal(const char **p, const char *end, char c) {
    if (*p == end || **p != c)
        return false;
    (*p)++;
    return true;
}

bool lochan_civil__fraction(const char **p, const char *end, int32_t *ns) {
    int32_t v = 0;
    int digits = 0;
    while (*p < end && digits < 9 && **p >= '0' && **p <= '9') {
        v = v * 10 + (*(*p)++ - '0');
        digits++;
    }
    if (digits == 0)
        return false;
    for (; digits < 9; digits++)
        v *= 10;
    *ns = v;
    return true;
}

bool lochan_civil__zone(const char **p, const char *end, int32_t *seconds) {
    if (literal(p, end, 'Z')) {
        *seconds = 0;
        return true;
    }
    int32_t sign, hours, minutes = 0;
    if (literal(p, end, '+'))
        sign = 1;
    else if (literal(p, end, '-'))
        sign = -1;
    else
        return false;
    if (!lochan_civil__digits(p, end, 2, &hours))
        return false;
    if (literal(p, end, ':')) {
        if (!lochan_civil__digits(p, end, 2, &minutes))
            return false;
    } else {
        lochan_civil__digits(p, end, 2, &minutes);
    }
    if (hours > 23 || minutes > 59)
        return false;
    *seconds = sign * (hours * 3600 + minutes * 60);
    return true;
}

bool lochan_civil__shift(int32_t *days, int64_t *ns_of_day, int32_t zone_seconds) {
    *ns_of_day -= zone_seconds * NS_PER_S;
    if (*ns_of_day < 0) {
        *ns_of_day += NS_PER_DAY;
        (*days)--;
    } else if (*ns_of_day >= NS_PER_DAY) {
        *ns_of_day -= NS_PER_DAY;
        (*days)++;
    }
    return *days >= FIRST_DAY && *days <= LAST_DAY;
}

static bool scan_date(const char **p, const char *end, int32_t *days) {
    lochan_civil c;
    if (!lochan_civil__digits(p, end, 4, &c.year) || !literal(p, end, '-') ||
        !lochan_civil__digits(p, end, 2, &c.month) || !literal(p, end, '-') ||
        !lochan_civil__digits(p, end, 2, &c.day) || !lochan_civil__valid(c))
        return false;
    *days = lochan_civil__to_days(c);
    return true;
}

bool lochan_civil__parse_date(const char *s, size_t n, int32_t *days) {
    const char *p = s;
    int32_t d;
    if (n != 10 || !scan_date(&p, s + n, &d))
        return false;
    *days = d;
    return true;
}

/* At least `width` digits; returns the end. */
static char *put_digits(char *p, uint32_t v, int width) {
    char reversed[10];
    int n = 0;
    for (; v > 0 || n < width; v /= 10)
        reversed[n++] = (char)('0' + v % 10);
    while (n > 0)
        *p++ = reversed[--n];
    return p;
}

/* At most 14 characters: years of 32-bit days have up to 7 digits and a sign. */
static char *put_date(char *p, int32_t days) {
    lochan_civil c = lochan_civil__from_days(days);
    if (c.year < 0)
        *p++ = '-';
    p = put_digits(p, (uint32_t)(c.year < 0 ? -c.year : c.year), 4);
    *p++ = '-';
    p = put_digits(p, (uint32_t)c.month, 2);
    *p++ = '-';
    return put_digits(p, (uint32_t)c.day, 2);
}

void lochan_civil__format_date(int32_t days, char dst[16]) {
    *put_date(dst, days) = '\0';
}

void lochan_civil__format_utc(int64_t ns, char dst[40]) {
    int64_t day = ns / NS_PER_DAY, rest = ns % NS_PER_DAY;
    if (rest < 0) {
        rest += NS_PER_DAY;
        day--;
    }
    uint32_t second = (uint32_t)(rest / NS_PER_S);
    char *p = put_date(dst, (int32_t)day);
    *p++ = ' ';
    p = put_digits(p, second / 3600, 2);
    *p++ = ':';
    p = put_digits(p, second / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, second % 60, 2);
    *p++ = '.';
    p = put_digits(p, (uint32_t)(rest % NS_PER_S / 1000), 6);
    memcpy(p, "+00", 4);
}

static bool scan_time(const char **p, const char *end, int64_t *ns_of_day) {
    int32_t h, m, s = 0, fraction = 0;
    if (!lochan_civil__digits(p, end, 2, &h) || !literal(p, end, ':') ||
        !lochan_civil__digits(p, end, 2, &m))
        return false;
    if (literal(p, end, ':')) {
        if (!lochan_civil__digits(p, end, 2, &s))
            return false;
        if (literal(p, end, '.') && !lochan_civil__fraction(p, end, &fraction))
            return false;
    }
    if (h > 23 || m > 59 || s > 59)
        return false;
    *ns_of_day = (h * 3600 + m * 60 + s) * NS_PER_S + fraction;
    return true;
}

bool lochan_civil__parse_utc(const char *s, size_t n, int64_t *ns) {
    const char *p = s, *end = s + n;
    int32_t days, zone = 0;
    int64_t ns_of_day = 0, total;
    if (n < 10 || !scan_date(&p, end, &days))
        return false;
    if (p < end) {
        if ((*p != ' ' && *p != 'T') || (p++, !scan_time(&p, end, &ns_of_day)))
            return false;
        if (p < end && !lochan_civil__zone(&p, end, &zone))
            return false;
    }
    if (p != end || !lochan_civil__shift(&days, &ns_of_day, zone))
        return false;
    /* Before 1970 the whole days alone may be below what 64 bits hold though the sum is not. */
    if (days < 0) {
        days++;
        ns_of_day -= NS_PER_DAY;
    }
    if (__builtin_mul_overflow((int64_t)days, NS_PER_DAY, &total) ||
        __builtin_add_overflow(total, ns_of_day, &total))
        return false;
    *ns = total;
    return true;
}
