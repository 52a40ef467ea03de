/* str.c - views, names from users, sizes and durations in text.
 * Invariant: nothing here depends on the locale. May call: status.h.
 */
#include "base/str.h"

#include <stdio.h>

#define NAME_MAX_BYTES 120

static bool is_blank(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

lochan_str lochan_str__trim(lochan_str s) {
    while (s.n > 0 && is_blank(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n > 0 && is_blank(s.p[s.n - 1]))
        s.n--;
    return s;
}

static bool is_word(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

lochan_status lochan_name__check(const char *what, const char *name, lochan_error *err) {
    if (!name || !name[0])
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "%s name is empty", what);
    size_t n = strnlen(name, NAME_MAX_BYTES + 1);
    if (n > NAME_MAX_BYTES)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%s name '%.40s...' is longer than %d bytes", what, name,
                                 NAME_MAX_BYTES);
    for (size_t i = 0; i < n; i++) {
        char c = name[i];
        if (is_word(c) || (i > 0 && (c == '.' || c == '-')))
            continue;
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "%s name '%s' may not have byte 0x%02x at position %zu: use "
                                 "letters, digits, '_', and after the first also '.' and '-'",
                                 what, name, (unsigned char)c, i + 1);
    }
    return LOCHAN_OK;
}

/* Levenshtein distance with one row; texts longer than a name are never near. */
static size_t edit_distance(const char *a, size_t an, const char *b, size_t bn) {
    size_t row[NAME_MAX_BYTES + 1];
    for (size_t j = 0; j <= bn; j++)
        row[j] = j;
    for (size_t i = 1; i <= an; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= bn; j++) {
            size_t replace = diagonal + (a[i - 1] != b[j - 1]);
            size_t insert = row[j - 1] + 1;
            size_t remove = row[j] + 1;
            size_t best = replace < insert ? replace : insert;
            diagonal = row[j];
            row[j] = best < remove ? best : remove;
        }
    }
    return row[bn];
}

const char *lochan_name__nearest(const char *name, const char *const *candidates, size_t count) {
    const char *best = NULL;
    size_t n = strlen(name), limit = 1 + n / 4;
    if (n > NAME_MAX_BYTES)
        return NULL;
    for (size_t i = 0; i < count; i++) {
        size_t cn = strlen(candidates[i]);
        if (cn > NAME_MAX_BYTES || cn > n + limit || n > cn + limit)
            continue;
        size_t d = edit_distance(name, n, candidates[i], cn);
        if (d <= limit && d < (n > cn ? n : cn)) {
            best = candidates[i];
            if (d == 0)
                break;
            limit = d - 1; /* from here on only nearer ones */
        }
    }
    return best;
}

/* The digits at the start of s; *unit is what follows them. */
static bool split_number(const char *s, uint64_t *value, const char **unit) {
    size_t n = 0;
    while (s[n] >= '0' && s[n] <= '9')
        n++;
    *unit = s + n;
    return lochan_parse__uint64(s, n, value);
}

static bool equals_ignoring_case(const char *a, const char *b) {
    for (; *a && *b; a++, b++) {
        char x = *a >= 'A' && *a <= 'Z' ? (char)(*a + 32) : *a;
        char y = *b >= 'A' && *b <= 'Z' ? (char)(*b + 32) : *b;
        if (x != y)
            return false;
    }
    return *a == *b;
}

bool lochan_parse__bytes(const char *s, uint64_t *out) {
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {
        {"", 1},
        {"b", 1},
        {"k", 1000},
        {"kb", 1000},
        {"kib", UINT64_C(1) << 10},
        {"m", 1000000},
        {"mb", 1000000},
        {"mib", UINT64_C(1) << 20},
        {"g", 1000000000},
        {"gb", 1000000000},
        {"gib", UINT64_C(1) << 30},
        {"t", UINT64_C(1000000000000)},
        {"tb", UINT64_C(1000000000000)},
        {"tib", UINT64_C(1) << 40},
    };
    uint64_t value;
    const char *unit;
    if (!split_number(s, &value, &unit))
        return false;
    for (size_t i = 0; i < LOCHAN_COUNTOF(units); i++) {
        if (equals_ignoring_case(unit, units[i].unit))
            return !__builtin_mul_overflow(value, units[i].factor, out);
    }
    return false;
}

bool lochan_parse__duration_ns(const char *s, int64_t *out) {
    static const struct {
        const char *unit;
        int64_t factor;
    } units[] = {
        {"ns", 1},
        {"us", 1000},
        {"ms", 1000000},
        {"s", INT64_C(1000000000)},
        {"m", 60 * INT64_C(1000000000)},
        {"h", 3600 * INT64_C(1000000000)},
        {"d", 86400 * INT64_C(1000000000)},
    };
    uint64_t value;
    const char *unit;
    if (!split_number(s, &value, &unit))
        return false;
    for (size_t i = 0; i < LOCHAN_COUNTOF(units); i++) {
        if (strcmp(unit, units[i].unit) == 0)
            return !__builtin_mul_overflow(value, units[i].factor, out);
    }
    return false;
}

bool lochan_format(char *dst, size_t cap, const char *fmt, ...) {
    if (cap == 0)
        return false;
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(dst, cap, fmt, args);
    va_end(args);
    if (n < 0)
        dst[0] = '\0';
    return n >= 0 && (size_t)n < cap;
}
