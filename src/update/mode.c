/* mode.c - the update modes that come with lochan; see mode.h. May call: mode.h. */
#include "update/mode.h"

/* New keys are added, known ones replaced. */
const lochan_update_mode lochan_mode__upsert = {
    .name = "upsert", .write = LOCHAN_WRITE_UPSERT, .keyed = true};

/* Every row is added. */
const lochan_update_mode lochan_mode__append = {.name = "append", .write = LOCHAN_WRITE_APPEND};

/* What came of an asset takes the place of what the table has of it in the window asked for. */
const lochan_update_mode lochan_mode__replace_asset = {.name = "replace_asset",
                                                       .write = LOCHAN_WRITE_REPLACE_ASSETS,
                                                       .keyed = true,
                                                       .record_hash = true,
                                                       .asks_assets = true};

/* The table becomes what came. */
const lochan_update_mode lochan_mode__snapshot_replace = {
    .name = "snapshot_replace", .write = LOCHAN_WRITE_REPLACE_ALL, .all_scopes = true};
