/* listing.h - small tables made row by row: the lists that the public API hands out as streams.
 * Invariant: every column of a row is set once, in any order, before end_row; what is not set is
 * null. May call: base/, builder.h.
 */
#ifndef LOCHAN_ARROW_LISTING_H
#define LOCHAN_ARROW_LISTING_H

#include "arrow/builder.h"

typedef struct lochan_listing_column {
    const char *name;
    const char *type; /* as lochan_type__from_name reads it: "string", "int64", "bool",
                         "timestamp[us, UTC]" */
} lochan_listing_column;

typedef struct lochan_listing {
    struct ArrowSchema schema;
    lochan_builder *builder;
    int64_t rows;
} lochan_listing;

/* columns end with a NULL name. */
lochan_status lochan_listing__init(lochan_listing *listing, const lochan_listing_column *columns,
                                   lochan_error *err);
void lochan_listing__deinit(lochan_listing *listing); /* a zeroed one is fine */

lochan_status lochan_listing__string(lochan_listing *listing, int column, const char *text,
                                     lochan_error *err);
lochan_status lochan_listing__int64(lochan_listing *listing, int column, int64_t v,
                                    lochan_error *err); /* bool too */
/* ns since 1970 into a timestamp[us] column. */
lochan_status lochan_listing__time(lochan_listing *listing, int column, int64_t ns,
                                   lochan_error *err);
lochan_status lochan_listing__end_row(lochan_listing *listing, lochan_error *err);

/* Moves the rows into a stream and leaves the listing empty. */
lochan_status lochan_listing__finish(lochan_listing *listing, struct ArrowArrayStream *out,
                                     lochan_error *err);

#endif
