/* mode.h - how the rows of an update meet the rows that are there: one entry each, in mode.c.
 * The work is the table's (table/write.h); an entry says what it needs of the spec and of the
 * update. May call: base/, table/, spec.h.
 */
#ifndef LOCHAN_UPDATE_MODE_H
#define LOCHAN_UPDATE_MODE_H

#include "table/table.h"
#include "update/spec.h"

typedef struct lochan_update_mode {
    const char *name;
    lochan_write_mode write;
    bool keyed;       /* rows need a key */
    bool record_hash; /* without a primary key the hash of the row serves (column record_hash) */
    bool all_scopes;  /* publishes only if every scope succeeded and covers everything */
    bool asks_assets; /* replaces what the scopes asked for: needs asset_id and time */
} lochan_update_mode;

extern const lochan_update_mode lochan_mode__upsert;
extern const lochan_update_mode lochan_mode__append;
extern const lochan_update_mode lochan_mode__replace_asset;
extern const lochan_update_mode lochan_mode__snapshot_replace;

#endif
