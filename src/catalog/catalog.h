/* catalog.h - the manifest of a lake: DuckLake 1.0 tables and lochan's own, in lake.db, with the
 * journal beside it. Invariants: every change is one transaction under the queue lock and one
 * journal record (txn.h); no read transaction outlives the call that reads (read.h, query.h); what
 * other programs wrote is checked when it is read, never trusted. A catalog may be used from
 * several threads; close it after everything made from it. May call: base/, arrow/, store/.
 */
#ifndef LOCHAN_CATALOG_CATALOG_H
#define LOCHAN_CATALOG_CATALOG_H

#include "base/cancel.h"
#include "base/status.h"
#include <lochan/lake.h>

#define LOCHAN_FORMAT_VERSION 1

typedef struct lochan_catalog lochan_catalog;

typedef struct lochan_catalog_options {
    bool read_only;          /* never writes; chosen by itself if the folder cannot be written */
    int64_t lock_timeout_ms; /* how long writers queue, 0 = 60,000, -1 = for ever */
    const lochan_cancel *cancel; /* ends waiting; may be NULL */
    const char *command;         /* how lock files name us, NULL = "lochan"; copied */
    int64_t *salvage;   /* not NULL: lake.db is gone; it is read from the journal, read-only, with
                           nothing written into the folder; *salvage = records of the journal */
    const char *beside; /* not NULL: lake.db is gone; the one in this folder is read in its place,
                           read-only, and the folder is removed when the catalog is closed */
} lochan_catalog_options;

/* Makes lake.db, journal/ and locks/ in `path` (made if missing). EXISTS if there is a lake;
 * INVALID_ARGUMENT if other things bear these names. Interrupted anywhere, it can be repeated. */
lochan_status lochan_catalog__init(const char *path, lochan_error *err);
/* NOT_FOUND (no lake, or one that init did not finish), CORRUPT, VERSION, JOURNAL_AHEAD (unless
 * read_only), IO. options NULL = defaults. */
lochan_status lochan_catalog__open(const char *path, const lochan_catalog_options *options,
                                   lochan_catalog **out, lochan_error *err);
void lochan_catalog__close(lochan_catalog *catalog); /* NULL is a no-op */

bool lochan_catalog__is_read_only(const lochan_catalog *catalog);
const char *lochan_catalog__lake_id(const lochan_catalog *catalog); /* uuid */
/* READ_ONLY with the lake's name unless it can be written. */
lochan_status lochan_catalog__check_writable(const lochan_catalog *catalog, lochan_error *err);
/* The ATTACH statement for DuckDB; lochan_mem__free. */
lochan_status lochan_catalog__attach_sql(const lochan_catalog *catalog, char **out,
                                         lochan_error *err);

/* ---- commits ---- */

/* The fate of the commit with this token: *done, and its snapshot (-1: it published none). */
lochan_status lochan_catalog__commit_by_token(lochan_catalog *catalog, const char *token,
                                              bool *done, int64_t *snapshot_id, lochan_error *err);

/* ---- settings of the lake ---- */

/* "" if it was never set. */
lochan_status lochan_catalog__option(lochan_catalog *catalog, const char *name, char *dst,
                                     size_t cap, lochan_error *err);
lochan_status lochan_catalog__set_option(lochan_catalog *catalog, const char *name,
                                         const char *value, lochan_error *err);
/* fn is called after each commit of this catalog that made a snapshot, without any lock. Set it
 * before the catalog is shared. */
void lochan_catalog__on_publish(lochan_catalog *catalog, void (*fn)(void *ctx), void *ctx);

/* ---- checks, for verify ---- */

/* One finding. kind: "catalog", "journal". path: "lake.db" or "journal/000001.ljl". */
typedef lochan_status (*lochan_problem_fn)(void *ctx, const char *kind, const char *path,
                                           const char *detail, lochan_error *err);
/* SQLite's own check, the references of rows, the whole chain of the journal and the
 * journal against the catalog. Findings are no error. */
lochan_status lochan_catalog__verify(lochan_catalog *catalog, lochan_problem_fn fn, void *ctx,
                                     lochan_error *err);

/* Makes a new lake.db at `db_path` (must not exist) by replaying the journal of folder `path`.
 * *records = replayed. */
lochan_status lochan_catalog__rebuild_from_journal(const char *path, const char *db_path,
                                                   int64_t *records, lochan_error *err);

#endif
