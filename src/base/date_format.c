/* date_format.c - the date formats of providers, declared in a dataset spec.
 * Invariants: every field has a fixed width (but %f and %z), appears at most once, and the format
 * is checked once, so that reading a value never meets an unknown letter. May call: civil.h.
 */
#include "base/civil.h"
#include "base/civil_text.h"

#include <stdio.h>
#include <string.h>

#define NS_PER_S INT64_C(1000000000)

static const char known_fields[] = "YmdHMSfz";

static bool has_field(const char *text, char field) {
    for (const char *p = text; *p; p++) {
        if (*p == '%') {
            p++;
            if (*p == field)
                return true;
        }
    }
    return false;
}

/* Each field needs the one above it: a day without a month says nothing. */
static lochan_status check_order(const char *text, lochan_error *err) {
    static const char order[] = "YmdHMSf";
    for (size_t i = 1; i < sizeof order - 1; i++) {
        if (has_field(text, order[i]) && !has_field(text, order[i - 1]))
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "date format '%s' has %%%c but no %%%c", text, order[i],
                                     order[i - 1]);
    }
    if (!has_field(text, 'Y'))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "date format '%s' has no %%Y",
                                 text);
    if (has_field(text, 'z') && !has_field(text, 'H'))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "date format '%s' has %%z but no %%H", text);
    return LOCHAN_OK;
}

lochan_status lochan_date_format__init(lochan_date_format *f, const char *text, lochan_error *err) {
    memset(f, 0, sizeof *f);
    size_t n = strlen(text);
    if (n >= sizeof f->text)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "date format '%.30s...' is longer than %zu bytes", text,
                                 sizeof f->text - 1);
    bool seen[sizeof known_fields] = {false};
    for (const char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "date format '%s' has a control character", text);
        if (*p != '%' || *++p == '%')
            continue;
        const char *field = *p ? strchr(known_fields, *p) : NULL;
        if (!field)
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "date format '%s' has the unknown field '%%%.1s'; known are "
                                     "%%Y %%m %%d %%H %%M %%S %%f %%z %%%%",
                                     text, p);
        if (seen[field - known_fields])
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "date format '%s' has %%%c twice", text, *p);
        seen[field - known_fields] = true;
    }
    LOCHAN_TRY(check_order(text, err));
    memcpy(f->text, text, n + 1);
    f->has_time = has_field(text, 'H');
    f->has_zone = has_field(text, 'z');
    return LOCHAN_OK;
}

typedef struct fields {
    lochan_civil date;
    int32_t hour, minute, second, fraction_ns, zone_seconds;
} fields;

static bool scan_field(fields *v, char field, const char **p, const char *end) {
    switch (field) {
    case 'Y':
        return lochan_civil__digits(p, end, 4, &v->date.year);
    case 'm':
        return lochan_civil__digits(p, end, 2, &v->date.month);
    case 'd':
        return lochan_civil__digits(p, end, 2, &v->date.day);
    case 'H':
        return lochan_civil__digits(p, end, 2, &v->hour);
    case 'M':
        return lochan_civil__digits(p, end, 2, &v->minute);
    case 'S':
        return lochan_civil__digits(p, end, 2, &v->second);
    case 'f':
        return lochan_civil__fraction(p, end, &v->fraction_ns);
    default:
        return lochan_civil__zone(p, end, &v->zone_seconds);
    }
}

bool lochan_date_format__parse(const lochan_date_format *f, const char *s, size_t n, int32_t *days,
                               int64_t *ns_of_day) {
    fields v = {{1, 1, 1}, 0, 0, 0, 0, 0};
    const char *p = s, *end = s + n;
    for (const char *t = f->text; *t; t++) {
        if (*t == '%' && *++t != '%') {
            if (!scan_field(&v, *t, &p, end))
                return false;
        } else if (p == end || *p++ != *t) {
            return false;
        }
    }
    if (p != end || !lochan_civil__valid(v.date) || v.hour > 23 || v.minute > 59 || v.second > 59)
        return false;
    int32_t d = lochan_civil__to_days(v.date);
    int64_t ns = (v.hour * 3600 + v.minute * 60 + v.second) * NS_PER_S + v.fraction_ns;
    if (!lochan_civil__shift(&d, &ns, v.zone_seconds))
        return false;
    *days = d;
    if (ns_of_day)
        *ns_of_day = ns;
    return true;
}

bool lochan_date_format__print(const lochan_date_format *f, int32_t days, char *dst, size_t cap) {
    lochan_civil c = lochan_civil__from_days(days);
    size_t len = 0;
    if (cap == 0)
        return false;
    dst[0] = '\0';
    if (!lochan_civil__valid(c))
        return false;
    for (const char *t = f->text; *t; t++) {
        char piece[16] = {*t, '\0'};
        if (*t == '%' && *++t != '%') {
            if (*t == 'Y')
                snprintf(piece, sizeof piece, "%04d", (int)c.year);
            else if (*t == 'm' || *t == 'd')
                snprintf(piece, sizeof piece, "%02d", (int)(*t == 'm' ? c.month : c.day));
            else
                snprintf(piece, sizeof piece, "%s", *t == 'f' ? "000000" : *t == 'z' ? "Z" : "00");
        }
        size_t n = strlen(piece);
        if (n >= cap - len) {
            dst[0] = '\0';
            return false;
        }
        memcpy(dst + len, piece, n + 1);
        len += n;
    }
    return true;
}
