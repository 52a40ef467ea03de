/* cast.h - what the files of the cast kernel share.
 * Invariant: a conversion either stores exactly the value it read or says no. May call: base/,
 * cells.h.
 */
#ifndef LOCHAN_ARROW_CAST_H
#define LOCHAN_ARROW_CAST_H

#include "arrow/cells.h"
#include "arrow/iso.h"
#include "arrow/kernels.h"

typedef struct lochan_cast_plan {
    lochan_type from, to;
    lochan_cells column;     /* of the source */
    lochan_wide mul, div;    /* ticks of time types: value * mul / div */
    lochan_wide least, most; /* what the target holds, integer-like targets */
} lochan_cast_plan;

/* Converts the value in `slot` into `out` (the target's byte width; a bool is one byte of 0 or 1).
 * False: refused. */
typedef bool (*lochan_cast_fn)(const lochan_cast_plan *p, int64_t slot, void *out);
/* The function for a pair of flat types with a fixed-width target; NULL if there is none. Fills the
 * plan's numbers. */
lochan_cast_fn lochan_cast__find(lochan_cast_plan *p);

/* Nested types and dictionaries. */
lochan_status lochan_cast__nested(const struct ArrowSchema *from_schema,
                                  const struct ArrowArray *from,
                                  const struct ArrowSchema *to_schema, struct ArrowArray *out,
                                  lochan_error *err);
/* UNSUPPORTED with the names of both types. */
lochan_status lochan_cast__no_way(const struct ArrowSchema *from_schema,
                                  const struct ArrowSchema *to_schema, lochan_error *err);

#endif
