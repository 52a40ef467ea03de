/* str.h - string views, names from users, numbers in text.
 * Invariant: names become path parts only through lochan_name__check. May call: status.h.
 */
#ifndef LOCHAN_BASE_STR_H
#define LOCHAN_BASE_STR_H

#include "base/status.h"
#include <string.h>

typedef struct lochan_str { /* not NUL-terminated, borrowed */
    const char *p;
    size_t n;
} lochan_str;

#define LOCHAN_STR(literal) ((lochan_str){(literal), sizeof(literal) - 1})
static inline lochan_str lochan_str__of(const char *s) {
    return (lochan_str){s, s ? strlen(s) : 0};
}
static inline bool lochan_str__eq(lochan_str a, lochan_str b) {
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}
lochan_str lochan_str__trim(lochan_str s); /* ASCII blanks */

/* A name from a user that may become one part of a path: 1 to 120 bytes of [A-Za-z0-9._-], the
 * first a letter, digit or underscore; so no separator, no control character, no "..", no leading
 * dot or dash. `what` is e.g. "dataset". */
lochan_status lochan_name__check(const char *what, const char *name, lochan_error *err);

/* The candidate nearest to `name` by edit distance, NULL if none is near (distance <= 1 + len/4).
 * For "did you mean". */
const char *lochan_name__nearest(const char *name, const char *const *candidates, size_t count);

/* Whole-string parsers: false unless every byte belongs to the number; no blanks;
 * locale-independent. lochan_parse__double is correctly rounded (fast path after Clinger 1990, else
 * strtod in the C locale) and accepts inf/nan only if allow_special; a number too large for a
 * double and a text of many digits above 1000 bytes are refused. *out is untouched on failure. */
bool lochan_parse__int64(const char *s, size_t n, int64_t *out);
bool lochan_parse__uint64(const char *s, size_t n, uint64_t *out);
bool lochan_parse__double(const char *s, size_t n, bool allow_special, double *out);
/* Byte sizes such as "256MB", "64MiB", "1g" (k, m, g, t are decimal, KiB .. binary); and durations
 * "500ms", "20s", "5m", "2h", "3d" in nanoseconds. */
bool lochan_parse__bytes(const char *s, uint64_t *out);
bool lochan_parse__duration_ns(const char *s, int64_t *out);

/* The shortest text that reads back as the same double; dst holds 32 bytes. Returns the length.
 * Locale-independent. */
size_t lochan_format__double(double v, char *dst);
/* Thin wrapper: always terminated, returns false if truncated. */
bool lochan_format(char *dst, size_t cap, const char *fmt, ...) LOCHAN_PRINTF(3, 4);

bool lochan_utf8__valid(const void *p, size_t n);

#endif
