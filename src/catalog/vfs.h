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

/* ---- between vfs.c and vfs_shm.c ---- */

typedef struct lochan_vfs_shm {
    lochan_file *file;
    void **maps; /* each maps `per_map` regions */
    int n_maps;
    int region_size;
    int per_map;
} lochan_vfs_shm;

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
} lochan_vfs_file;

/* Remembers *err for last_error and turns it into SQLite's code: FULL, IOERR_NOMEM or `otherwise`.
 */
int lochan_vfs__code(const lochan_error *err, int otherwise);

int lochan_vfs__shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out);
int lochan_vfs__shm_lock(sqlite3_file *file, int offset, int n, int flags);
void lochan_vfs__shm_barrier(sqlite3_file *file);
int lochan_vfs__shm_unmap(sqlite3_file *file, int remove);

#endif
