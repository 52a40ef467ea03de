/* reference.h - what an update reads from other datasets of the lake: which assets there are, which
 * days are trading days. May call: base/, arrow/, table/, spec.h.
 */
#ifndef LOCHAN_UPDATE_REFERENCE_H
#define LOCHAN_UPDATE_REFERENCE_H

#include "base/arena.h"
#include "table/lake.h"
#include "update/spec.h"

typedef struct lochan_names {
    const char **items; /* in the arena */
    size_t n, cap;
} lochan_names;

/* Distinct texts of the reference's column, sorted; null and empty ones are left out. The table is
 * read as of now. NOT_FOUND hints at the update that is due first. Values that cannot be part of a
 * request (control characters, the separator, more than 200 bytes) are DATA. */
lochan_status lochan_reference__read(lochan_lake *lake, const lochan_reference *reference,
                                     const char *separator, lochan_arena *arena, lochan_names *out,
                                     lochan_error *err);
/* Sorts and drops repeated ones. */
void lochan_names__sort(lochan_names *names);
lochan_status lochan_names__add(lochan_names *names, lochan_arena *arena, const char *text,
                                size_t size, lochan_error *err);

/* Adds the distinct texts of one column of a batch; sorts. */
lochan_status lochan_names__of_column(lochan_names *names, lochan_arena *arena,
                                      const struct ArrowSchema *schema,
                                      const struct ArrowArray *batch, const char *column,
                                      lochan_error *err);

/* Days of a reference, sorted. */
typedef struct lochan_calendar {
    const int32_t *days;
    size_t n;
} lochan_calendar;
lochan_status lochan_calendar__read(lochan_lake *lake, const lochan_reference *reference,
                                    lochan_arena *arena, lochan_calendar *out, lochan_error *err);
bool lochan_calendar__has(const lochan_calendar *calendar, int32_t day);

#endif
