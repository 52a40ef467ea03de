/* rebuild.h - lake.db made again, cut loose from a journal that is ahead of it, and copied.
 * Invariants: the queue lock is held whenever lake.db or the journal changes its place; what is
 * replaced is set aside under another name, never removed. May call: base/, catalog.h.
 */
#ifndef LOCHAN_CATALOG_REBUILD_H
#define LOCHAN_CATALOG_REBUILD_H

#include "base/arena.h"
#include "catalog/read.h"

/* Makes lake.db of a lake again from its journal, after adding to the journal what a readable
 * lake.db still holds of it. The old one is set aside as lake.db.damaged-<uuid>. *records =
 * replayed. NOT_FOUND: the journal is empty; CORRUPT: it is damaged, or lacks records that are in
 * no outbox.
 */
lochan_status lochan_catalog__rebuild(const char *path, const lochan_catalog_options *options,
                                      int64_t *records, lochan_error *err);

/* lake.db is older than the journal and shall win: the records it lacks leave the journal for a
 * folder journal.cut-<uuid>, and a commit of kind "cut" notes it. *records = set aside. */
lochan_status lochan_catalog__cut_journal(const char *path, const lochan_catalog_options *options,
                                          int64_t *records, lochan_error *err);

/* Whether a commit with this id ever landed. */
lochan_status lochan_catalog__has_commit(lochan_catalog *catalog, const char *commit_id, bool *has,
                                         lochan_error *err);

/* A file that a backup has to hold. */
typedef struct lochan_backup_file {
    const char *path; /* relative to the lake */
    int64_t bytes;    /* -1 = not known */
} lochan_backup_file;

typedef struct lochan_backup_segment {
    const char *name; /* "000001.ljl" */
    int64_t bytes;
} lochan_backup_segment;

typedef struct lochan_backup {
    int64_t snapshot_id;
    size_t n_files, n_segments;
    lochan_backup_file *files; /* by path */
    lochan_backup_segment *segments;
    lochan_arena arena;
} lochan_backup;

/* Copies lake.db to `db_path` (must not exist) and the journal up to it into folder `journal_dir`
 * (which may hold segments of earlier backups; whole ones are not copied again), while writers
 * wait. The files are those of the newest snapshot and of every tag; `all`: of every snapshot. */
lochan_status lochan_catalog__backup(lochan_catalog *catalog, const char *db_path,
                                     const char *journal_dir, bool all, lochan_backup *out,
                                     lochan_error *err);
void lochan_backup__deinit(lochan_backup *backup);

/* Files that belong to no table's list and are known all the same: what other programs wrote down
 * as deleted rows, and rejected rows. Deinit the backup. */
lochan_status lochan_catalog__side_files(lochan_catalog *catalog, lochan_backup *out,
                                         lochan_error *err);

/* The same list, of a copy made before. */
lochan_status lochan_backup__list(const char *db_path, bool all, lochan_backup *out,
                                  lochan_error *err);
/* Gives a copied lake.db an incarnation of its own. */
lochan_status lochan_backup__renew(const char *db_path, lochan_error *err);

#endif
