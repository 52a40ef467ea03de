/* lake.h - an open lake: what every table, update and run hangs on.
 *
 * Invariants: fields do not change after lochan_lake_open returned it; everything made from a lake
 * is closed before it. A lake that cannot be written is opened read-only by itself. May call:
 * base/, store/, catalog/.
 */
#ifndef LOCHAN_TABLE_LAKE_H
#define LOCHAN_TABLE_LAKE_H

#include "base/ctx.h"
#include "catalog/catalog.h"
#include "store/store.h"
#include <lochan/lake.h>

struct lochan_lake {
    lochan_ctx ctx; /* pool, budget and cancel flag below: hand &lake->ctx on */
    lochan_budget budget;
    lochan_cancel cancel;
    lochan_store *store; /* rooted at path */
    lochan_catalog *catalog;
    char *path;              /* as given, without trailing slash */
    int64_t lock_timeout_ms; /* -1 = for ever */
    bool read_only;
    void *callbacks; /* of update/: the sources in code that this handle knows; NULL = none */
    void (*free_callbacks)(void *callbacks); /* called by close */
};

/* Opens a lake whose lake.db is gone, read-only, from its journal; *records = of that. Nothing is
 * written into its folder. */
lochan_status lochan_lake__open_salvaged(const char *path, const lochan_lake_options *options,
                                         int64_t *records, lochan_lake **out, lochan_error *err);

/* The same with a lake.db that was made in `dir`, which is removed when the lake is closed. */
lochan_status lochan_lake__open_beside(const char *path, const lochan_lake_options *options,
                                       const char *dir, lochan_lake **out, lochan_error *err);

/* unsynced.c: looks at files that were published without being synced before the machine was
 * started anew. Where one is broken, its commit and every later one to the table is taken back, in
 * one commit, and a warning names them; the others are made durable. */
lochan_status lochan_lake__settle_unsynced(lochan_lake *lake, lochan_error *err);

/* current.c: has current/ follow every commit, if the lake's setting says so. */
lochan_status lochan_lake__watch_current(lochan_lake *lake, lochan_error *err);

/* READ_ONLY with the lake's path if the lake cannot be written; for the first line of everything
 * that writes. */
lochan_status lochan_lake__check_writable(const lochan_lake *lake, lochan_error *err);

#endif
