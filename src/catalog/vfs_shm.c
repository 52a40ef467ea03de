/* vfs_shm.c - the shared memory of WAL mode: lake.db-shm, mapped, with its lock bytes.
 * Invariants: layout and lock bytes as in SQLite's unix VFS (eight locks from byte 120, the "dead
 * man's switch" at 128); each connection has an open file of its own, so its locks are its own.
 * Whoever finds nobody at the switch empties the file, and with it what a crash left. May call:
 * base/, vfs.h.
 */
#include "catalog/vfs.h"

#include "base/mem.h"

#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#define SHM_BASE   120ull
#define SHM_DMS    (SHM_BASE + SQLITE_SHM_NLOCK)
#define WRITE_LOCK 0 /* number of the lock that a writer of the log holds */

static int shm_range(lochan_file *file, lochan_lock_kind kind, uint64_t offset, uint64_t n) {
    lochan_error err;
    bool got;
    if (lochan_file__lock(file, kind, offset, n, &got, &err) != LOCHAN_OK)
        return lochan_vfs__code(&err, SQLITE_IOERR_SHMLOCK);
    return got ? SQLITE_OK : SQLITE_BUSY;
}

/* First one here: empties the file under the exclusive switch, then everybody keeps it shared. The
 * file is cut to three bytes, not none, as SQLite does, so that a mapping of it is never of size
 * zero. */
static int take_switch(lochan_file *file) {
    lochan_error err;
    bool others;
    if (lochan_file__lock_test(file, LOCHAN_LOCK_EXCLUSIVE, SHM_DMS, 1, &others, &err) != LOCHAN_OK)
        return lochan_vfs__code(&err, SQLITE_IOERR_LOCK);
    if (!others) {
        int rc = shm_range(file, LOCHAN_LOCK_EXCLUSIVE, SHM_DMS, 1);
        if (rc != SQLITE_OK)
            return rc;
        if (lochan_file__truncate(file, 3, &err) != LOCHAN_OK)
            return lochan_vfs__code(&err, SQLITE_IOERR_SHMOPEN);
    }
    return shm_range(file, LOCHAN_LOCK_SHARED, SHM_DMS, 1);
}

static int shm_open_file(lochan_vfs_file *f, lochan_vfs_shm *shm) {
    lochan_error err;
    size_t n = strlen(f->path);
    char *path = lochan_mem__alloc(n + 5);
    if (!path)
        return SQLITE_NOMEM;
    memcpy(path, f->path, n);
    memcpy(path + n, "-shm", 5);
    int how = LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_NOFOLLOW;
    lochan_status rc = lochan_file__open(path, how, &shm->file, &err);
    lochan_mem__free(path);
    return rc == LOCHAN_OK ? SQLITE_OK : lochan_vfs__code(&err, SQLITE_CANTOPEN);
}

static void shm_free(lochan_vfs_shm *shm) {
    for (int i = 0; i < shm->n_maps; i++)
        lochan_file__unmap_shared(shm->maps[i], (size_t)shm->region_size * (size_t)shm->per_map);
    lochan_mem__free(shm->maps);
    (void)!lochan_file__close(shm->file, NULL);
    lochan_mem__free(shm);
}

static int shm_start(lochan_vfs_file *f, int region_size) {
    lochan_vfs_shm *shm = lochan_mem__zalloc(sizeof *shm);
    if (!shm)
        return SQLITE_NOMEM;
    long page = sysconf(_SC_PAGESIZE);
    shm->region_size = region_size;
    shm->per_map = page > region_size ? (int)(page / region_size) : 1;
    int rc = shm_open_file(f, shm);
    if (rc == SQLITE_OK)
        rc = take_switch(shm->file);
    if (rc != SQLITE_OK) {
        shm_free(shm);
        return rc;
    }
    f->shm = shm;
    return SQLITE_OK;
}

/* Writes zeros up to `size`, so that no later access to the mapping can fail for want of disk
 * space. Only the holder of the write lock extends, so nobody else's bytes are there yet. */
static int shm_extend(lochan_file *file, uint64_t have, uint64_t size) {
    static const char zeros[4096];
    lochan_error err;
    for (uint64_t at = have; at < size;) {
        size_t n = sizeof zeros - at % sizeof zeros;
        if (n > size - at)
            n = (size_t)(size - at);
        if (lochan_file__write(file, zeros, n, at, &err) != LOCHAN_OK)
            return lochan_vfs__code(&err, SQLITE_IOERR_SHMSIZE);
        at += n;
    }
    return SQLITE_OK;
}

static int shm_map_more(lochan_vfs_shm *shm, int n_maps) {
    lochan_error err;
    void **maps = lochan_mem__realloc(shm->maps, (size_t)n_maps * sizeof *maps);
    if (!maps)
        return SQLITE_IOERR_NOMEM;
    shm->maps = maps;
    size_t size = (size_t)shm->region_size * (size_t)shm->per_map;
    while (shm->n_maps < n_maps) {
        void *p;
        if (lochan_file__map_shared(shm->file, (uint64_t)shm->n_maps * size, size, true, &p,
                                    &err) != LOCHAN_OK)
            return lochan_vfs__code(&err, SQLITE_IOERR_SHMMAP);
        shm->maps[shm->n_maps++] = p;
    }
    return SQLITE_OK;
}

int lochan_vfs__shm_map(sqlite3_file *file, int region, int size, int extend, void volatile **out) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    lochan_error err;
    *out = NULL;
    if (!f->shm) {
        int rc = shm_start(f, size);
        if (rc != SQLITE_OK)
            return rc;
    }
    lochan_vfs_shm *shm = f->shm;
    int n_maps = region / shm->per_map + 1;
    if (n_maps > shm->n_maps) {
        lochan_stat st;
        if (lochan_file__stat(shm->file, &st, &err) != LOCHAN_OK)
            return lochan_vfs__code(&err, SQLITE_IOERR_SHMSIZE);
        uint64_t need = (uint64_t)n_maps * (uint64_t)shm->per_map * (uint64_t)size;
        if (st.size < need && !extend)
            return SQLITE_OK;
        int rc = st.size < need ? shm_extend(shm->file, st.size, need) : SQLITE_OK;
        if (rc == SQLITE_OK)
            rc = shm_map_more(shm, n_maps);
        if (rc != SQLITE_OK)
            return rc;
    }
    *out =
        (char *)shm->maps[region / shm->per_map] + (size_t)(region % shm->per_map) * (size_t)size;
    return SQLITE_OK;
}

int lochan_vfs__shm_lock(sqlite3_file *file, int offset, int n, int flags) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    if (!f->shm)
        return SQLITE_IOERR_SHMLOCK;
    lochan_lock_kind kind = flags & SQLITE_SHM_UNLOCK   ? LOCHAN_LOCK_NONE
                            : flags & SQLITE_SHM_SHARED ? LOCHAN_LOCK_SHARED
                                                        : LOCHAN_LOCK_EXCLUSIVE;
    if (kind == LOCHAN_LOCK_NONE && offset == WRITE_LOCK)
        lochan_vfs__log_end(f);
    return shm_range(f->shm->file, kind, SHM_BASE + (uint64_t)offset, (uint64_t)n);
}

void lochan_vfs__shm_barrier(sqlite3_file *file) {
    (void)file;
    atomic_thread_fence(memory_order_seq_cst);
}

int lochan_vfs__shm_unmap(sqlite3_file *file, int remove) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    if (!f->shm)
        return SQLITE_OK;
    char path[4200];
    bool named = remove && strlen(f->path) + 5 < sizeof path;
    if (named) {
        memcpy(path, f->path, strlen(f->path));
        memcpy(path + strlen(f->path), "-shm", 5);
        (void)!lochan_fs__unlink(path, true, NULL);
    }
    shm_free(f->shm);
    f->shm = NULL;
    return SQLITE_OK;
}
