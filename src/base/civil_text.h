/* civil_text.h - the pieces that readers of date text share; private to civil.c and date_format.c.
 * Invariant: a scanner advances *p only over what it accepted. May call: status.h.
 */
#ifndef LOCHAN_BASE_CIVIL_TEXT_H
#define LOCHAN_BASE_CIVIL_TEXT_H

#include "base/status.h"

/* Exactly `count` digits (at most 9). */
bool lochan_civil__digits(const char **p, const char *end, int count, int32_t *out);
/* 1 to 9 digits of a fraction of a second. */
bool lochan_civil__fraction(const char **p, const char *end, int32_t *ns);
/* Z, +hh, +hhmm or +hh:mm: seconds east of UTC. */
bool lochan_civil__zone(const char **p, const char *end, int32_t *seconds);
/* From local time to UTC; false if that leaves the years 1 to 9999. */
bool lochan_civil__shift(int32_t *days, int64_t *ns_of_day, int32_t zone_seconds);

#endif
