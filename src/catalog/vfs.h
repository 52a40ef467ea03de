/* vfs.h - SQLite's files through base/fs, so that tests can fail, tear and drop what the catalog
 * writes. Invariants: file formats, lock bytes and shared memory are those of SQLite's own unix
 * VFS, so that other programs may have the same lake.db open; locks belong to the open file, so two
 * connections of one process exclude each other too. May call: base/.
 */
#ifndef LOCHAN_CATALOG_VFS_H
#define LOCHAN_CATALOG_VFS_H

#include "base/fs.h"
#include "base/status.h"
#include <sqlite3.h>

#define LOCHAN_VFS_NAME "lochan"

/* Registers the VFS (not as the default); may be called any number of times from any thread. */
lochan_status lochan_vfs__register(lochan_error *err);

/* The newest file error of this thread, with its path and errno: SQLite itself hands up only a
 * number. False if there is none since the last clear. */
bool lochan_vfs__last_error(lochan_error *err);
void lochan_vfs__clear_error(void);

/* ---- between vfs.c, vfs_log.c and vfs_shm.c ---- */

typedef struct lochan_vfs_shm {
    lochan_file *file;
    void **maps; /* each maps `per_map` regions */
    int n_maps;
    int region_size;
    int per_map;
} lochan_vfs_shm;

/* Frames of the log that were not written yet; see vfs_log.c. */
typedef struct lochan_vfs_log {
    char *bytes;
    size_t n;
    uint64_t offset; /* of bytes[0] in the file */
    bool in_frame;   /* a header came, its page did not yet */
    bool is_commit;  /* the header of the commit came: what follows is written as it comes */
    struct lochan_vfs_file *main; /* the database that the log belongs to */
} lochan_vfs_log;

typedef struct lochan_vfs_file {
    sqlite3_file base; /* first: SQLite sees only this */
    lochan_file *file;
    char *path;
    bool is_main;
    bool read_only;
    bool sync_dir; /* made by us: its folder is synced with its first sync */
    bool delete_on_close;
    int lock; /* SQLITE_LOCK_... held */
    lochan_vfs_shm *shm;
    lochan_vfs_log *log;              /* of a log, may be NULL */
    struct lochan_vfs_file *log_file; /* of a database: its log, if open */
} lochan_vfs_file;

/* Remembers *err for last_error and turns it into SQLite's code: FULL, IOERR_NOMEM or `otherwise`.
 */
int lochan_vfs__code(const lochan_error *err, int otherwise);

/* ---- vfs_log.c: a commit's frames are written at once ---- */

void lochan_vfs__log_open(lochan_vfs_file *f, lochan_vfs_file *main);
void lochan_vfs__log_close(lochan_vfs_file *f);
/* All return SQLite's codes; for other files than logs they write as they are told. */
int lochan_vfs__log_write(lochan_vfs_file *f, const void *p, size_t n, uint64_t offset);
int lochan_vfs__log_flush(lochan_vfs_file *f);
/* The write lock was given back: what was not committed is forgotten. */
void lochan_vfs__log_end(lochan_vfs_file *main);

int lochan_vfs__shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out);
int lochan_vfs__shm_lock(sqlite3_file *file, int offset, int n, int flags);
void lochan_vfs__shm_barrier(sqlite3_file *file);
int lochan_vfs__shm_unmap(sqlite3_file *file, int remove);

#endif
