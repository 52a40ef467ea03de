/* vfs.c - the SQLite VFS "lochan": open, read, write, sync and the locks of the main file.
 * Invariants: lock bytes as in SQLite's unix VFS; a failed sync is reported, never tried again;
 * files without a name (SQLite's spill files) are no part of a lake and are left to the default
 * VFS. May call: base/, vfs.h.
 */
#include "catalog/vfs.h"

#include "base/clock.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>

#define PENDING_BYTE  0x40000000ull
#define RESERVED_BYTE (PENDING_BYTE + 1)
#define SHARED_FIRST  (PENDING_BYTE + 2)
#define SHARED_SIZE   510ull
#define SECTOR_SIZE   4096

static _Thread_local lochan_error last_error;

int lochan_vfs__code(const lochan_error *err, int otherwise) {
    last_error = *err;
    if (err->code == LOCHAN_ERR_NO_SPACE)
        return SQLITE_FULL;
    if (err->code == LOCHAN_ERR_NO_MEMORY)
        return SQLITE_IOERR_NOMEM;
    return otherwise;
}

bool lochan_vfs__last_error(lochan_error *err) {
    if (last_error.code == LOCHAN_OK)
        return false;
    if (err)
        *err = last_error;
    return true;
}

void lochan_vfs__clear_error(void) {
    last_error.code = LOCHAN_OK;
}

/* ---- reading and writing ---- */

static int vfs_close(sqlite3_file *file) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    lochan_error err;
    int rc = SQLITE_OK;
    if (f->shm)
        lochan_vfs__shm_unmap(file, 0);
    lochan_vfs__log_close(f);
    if (f->log_file)
        lochan_vfs__log_close(f->log_file);
    if (lochan_file__close(f->file, &err) != LOCHAN_OK)
        rc = lochan_vfs__code(&err, SQLITE_IOERR_CLOSE);
    if (f->delete_on_close)
        (void)!lochan_fs__unlink(f->path, true, NULL);
    lochan_mem__free(f->path);
    f->base.pMethods = NULL;
    return rc;
}

static int vfs_read(sqlite3_file *file, void *p, int n, sqlite3_int64 offset) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    lochan_error err;
    size_t got = 0;
    if (lochan_vfs__log_flush(f) != SQLITE_OK)
        return SQLITE_IOERR_READ;
    if (lochan_file__read_some(f->file, p, (size_t)n, (uint64_t)offset, &got, &err) != LOCHAN_OK)
        return lochan_vfs__code(&err, SQLITE_IOERR_READ);
    if (got == (size_t)n)
        return SQLITE_OK;
    memset((char *)p + got, 0, (size_t)n - got); /* SQLite relies on the rest being zero */
    return SQLITE_IOERR_SHORT_READ;
}

static int vfs_write(sqlite3_file *file, const void *p, int n, sqlite3_int64 offset) {
    return lochan_vfs__log_write((lochan_vfs_file *)file, p, (size_t)n, (uint64_t)offset);
}

static int vfs_truncate(sqlite3_file *file, sqlite3_int64 size) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    lochan_error err;
    int flushed = lochan_vfs__log_flush(f);
    if (flushed != SQLITE_OK)
        return flushed;
    if (lochan_file__truncate(f->file, (uint64_t)size, &err) != LOCHAN_OK)
        return lochan_vfs__code(&err, SQLITE_IOERR_TRUNCATE);
    return SQLITE_OK;
}

/* Syncs the folder that holds `path`. */
static int sync_folder(const char *path) {
    lochan_error err;
    const char *slash = strrchr(path, '/');
    char *dir = slash ? lochan_mem__strndup(path, slash == path ? 1 : (size_t)(slash - path))
                      : lochan_mem__strdup(".");
    if (!dir)
        return SQLITE_IOERR_NOMEM;
    lochan_status rc = lochan_fs__sync_dir(dir, &err);
    lochan_mem__free(dir);
    return rc == LOCHAN_OK ? SQLITE_OK : lochan_vfs__code(&err, SQLITE_IOERR_DIR_FSYNC);
}

/* Data and size, as in the unix VFS: times are nobody's concern. */
static int vfs_sync(sqlite3_file *file, int flags) {
    (void)flags;
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    lochan_error err;
    int rc = lochan_vfs__log_flush(f);
    if (rc != SQLITE_OK)
        return rc;
    if (lochan_file__sync(f->file, true, &err) != LOCHAN_OK)
        return lochan_vfs__code(&err, SQLITE_IOERR_FSYNC);
    if (!f->sync_dir)
        return SQLITE_OK;
    rc = sync_folder(f->path);
    if (rc == SQLITE_OK)
        f->sync_dir = false;
    return rc;
}

static int vfs_file_size(sqlite3_file *file, sqlite3_int64 *size) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    lochan_error err;
    lochan_stat st;
    int rc = lochan_vfs__log_flush(f);
    if (rc != SQLITE_OK)
        return rc;
    if (lochan_file__stat(f->file, &st, &err) != LOCHAN_OK)
        return lochan_vfs__code(&err, SQLITE_IOERR_FSTAT);
    *size = (sqlite3_int64)st.size;
    return SQLITE_OK;
}

/* ---- locks of the main file ---- */

/* One lock call; SQLITE_BUSY if somebody is in the way. */
static int lock_range(lochan_vfs_file *f, lochan_lock_kind kind, uint64_t offset, uint64_t n) {
    lochan_error err;
    bool got;
    if (lochan_file__lock(f->file, kind, offset, n, &got, &err) != LOCHAN_OK)
        return lochan_vfs__code(&err,
                                kind == LOCHAN_LOCK_NONE ? SQLITE_IOERR_UNLOCK : SQLITE_IOERR_LOCK);
    return got ? SQLITE_OK : SQLITE_BUSY;
}

static int lock_shared(lochan_vfs_file *f) {
    int rc =
        lock_range(f, LOCHAN_LOCK_SHARED, PENDING_BYTE, 1); /* lets a waiting writer go first */
    if (rc != SQLITE_OK)
        return rc;
    rc = lock_range(f, LOCHAN_LOCK_SHARED, SHARED_FIRST, SHARED_SIZE);
    int rc2 = lock_range(f, LOCHAN_LOCK_NONE, PENDING_BYTE, 1);
    if (rc == SQLITE_OK && rc2 != SQLITE_OK) {
        (void)lock_range(f, LOCHAN_LOCK_NONE, SHARED_FIRST, SHARED_SIZE);
        return rc2;
    }
    if (rc == SQLITE_OK)
        f->lock = SQLITE_LOCK_SHARED;
    return rc;
}

static int lock_exclusive(lochan_vfs_file *f) {
    if (f->lock < SQLITE_LOCK_PENDING) {
        int rc = lock_range(f, LOCHAN_LOCK_EXCLUSIVE, PENDING_BYTE, 1);
        if (rc != SQLITE_OK)
            return rc;
        f->lock = SQLITE_LOCK_PENDING;
    }
    int rc = lock_range(f, LOCHAN_LOCK_EXCLUSIVE, SHARED_FIRST, SHARED_SIZE);
    if (rc == SQLITE_OK)
        f->lock = SQLITE_LOCK_EXCLUSIVE;
    return rc;
}

static int vfs_lock(sqlite3_file *file, int level) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    int rc = SQLITE_OK;
    if (f->lock >= level)
        return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED)
        return lock_shared(f);
    if (level == SQLITE_LOCK_RESERVED) {
        rc = lock_range(f, LOCHAN_LOCK_EXCLUSIVE, RESERVED_BYTE, 1);
        if (rc == SQLITE_OK)
            f->lock = SQLITE_LOCK_RESERVED;
        return rc;
    }
    return lock_exclusive(f);
}

static int vfs_unlock(sqlite3_file *file, int level) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    int rc = SQLITE_OK;
    if (f->lock <= level)
        return SQLITE_OK;
    if (level == SQLITE_LOCK_SHARED) {
        rc = lock_range(f, LOCHAN_LOCK_SHARED, SHARED_FIRST, SHARED_SIZE);
        if (rc == SQLITE_OK)
            rc = lock_range(f, LOCHAN_LOCK_NONE, PENDING_BYTE, 2);
    } else {
        rc = lock_range(f, LOCHAN_LOCK_NONE, PENDING_BYTE, 2 + SHARED_SIZE);
    }
    f->lock = level;
    return rc;
}

static int vfs_check_reserved(sqlite3_file *file, int *reserved) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    lochan_error err;
    bool held = f->lock > SQLITE_LOCK_SHARED;
    if (!held && lochan_file__lock_test(f->file, LOCHAN_LOCK_EXCLUSIVE, RESERVED_BYTE, 1, &held,
                                        &err) != LOCHAN_OK)
        return lochan_vfs__code(&err, SQLITE_IOERR_CHECKRESERVEDLOCK);
    *reserved = held;
    return SQLITE_OK;
}

/* ---- the rest of a file's methods ---- */

static bool has_moved(const lochan_vfs_file *f) {
    lochan_stat named, opened;
    return lochan_fs__stat(f->path, &named, NULL) != LOCHAN_OK ||
           lochan_file__stat(f->file, &opened, NULL) != LOCHAN_OK ||
           named.device != opened.device || named.inode != opened.inode;
}

static int vfs_file_control(sqlite3_file *file, int op, void *arg) {
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    switch (op) {
    case SQLITE_FCNTL_LOCKSTATE:
        *(int *)arg = f->lock;
        return SQLITE_OK;
    case SQLITE_FCNTL_HAS_MOVED:
        *(int *)arg = has_moved(f);
        return SQLITE_OK;
    case SQLITE_FCNTL_VFSNAME:
        *(char **)arg = sqlite3_mprintf("%s", LOCHAN_VFS_NAME);
        return SQLITE_OK;
    default:
        return SQLITE_NOTFOUND;
    }
}

static int vfs_sector_size(sqlite3_file *file) {
    (void)file;
    return SECTOR_SIZE;
}

/* Nothing is promised: a torn write may damage its neighbours in the same sector. */
static int vfs_device_characteristics(sqlite3_file *file) {
    (void)file;
    return 0;
}

static const sqlite3_io_methods methods = {
    .iVersion = 2,
    .xClose = vfs_close,
    .xRead = vfs_read,
    .xWrite = vfs_write,
    .xTruncate = vfs_truncate,
    .xSync = vfs_sync,
    .xFileSize = vfs_file_size,
    .xLock = vfs_lock,
    .xUnlock = vfs_unlock,
    .xCheckReservedLock = vfs_check_reserved,
    .xFileControl = vfs_file_control,
    .xSectorSize = vfs_sector_size,
    .xDeviceCharacteristics = vfs_device_characteristics,
    .xShmMap = lochan_vfs__shm_map,
    .xShmLock = lochan_vfs__shm_lock,
    .xShmBarrier = lochan_vfs__shm_barrier,
    .xShmUnmap = lochan_vfs__shm_unmap,
};

/* ---- the file system ---- */

static sqlite3_vfs *fallback(sqlite3_vfs *vfs) {
    return vfs->pAppData;
}

static int vfs_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags,
                    int *out_flags) {
    if (!name)
        return fallback(vfs)->xOpen(fallback(vfs), name, file, flags, out_flags);
    lochan_error err;
    lochan_vfs_file *f = (lochan_vfs_file *)file;
    memset(f, 0, sizeof *f); /* pMethods stays NULL on failure: SQLite then does not call close */
    bool write = (flags & SQLITE_OPEN_READWRITE) != 0;
    int how = LOCHAN_FS_READ | LOCHAN_FS_NOFOLLOW;
    if (write)
        how |= LOCHAN_FS_WRITE;
    if (write && (flags & SQLITE_OPEN_CREATE))
        how |= LOCHAN_FS_CREATE;
    if (flags & SQLITE_OPEN_EXCLUSIVE)
        how |= LOCHAN_FS_EXCLUSIVE;
    f->path = lochan_mem__strdup(name);
    if (!f->path)
        return SQLITE_NOMEM;
    bool created = (how & LOCHAN_FS_CREATE) && !lochan_fs__exists(name);
    if (lochan_file__open(name, how, &f->file, &err) != LOCHAN_OK) {
        lochan_mem__free(f->path);
        return lochan_vfs__code(&err, SQLITE_CANTOPEN);
    }
    f->is_main = (flags & SQLITE_OPEN_MAIN_DB) != 0;
    f->read_only = !write;
    f->sync_dir = created;
    f->delete_on_close = (flags & SQLITE_OPEN_DELETEONCLOSE) != 0;
    f->base.pMethods = &methods;
    if (write && (flags & SQLITE_OPEN_WAL))
        lochan_vfs__log_open(f, (lochan_vfs_file *)sqlite3_database_file_object(name));
    if (out_flags)
        *out_flags = flags;
    return SQLITE_OK;
}

static int vfs_delete(sqlite3_vfs *vfs, const char *name, int sync_dir) {
    (void)vfs;
    lochan_error err;
    lochan_status rc = lochan_fs__unlink(name, false, &err);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return SQLITE_IOERR_DELETE_NOENT;
    if (rc != LOCHAN_OK)
        return lochan_vfs__code(&err, SQLITE_IOERR_DELETE);
    return sync_dir ? sync_folder(name) : SQLITE_OK;
}

static int vfs_access(sqlite3_vfs *vfs, const char *name, int flags, int *out) {
    (void)vfs;
    lochan_error err;
    lochan_stat st;
    lochan_status rc = lochan_fs__stat(name, &st, &err);
    if (rc != LOCHAN_OK && rc != LOCHAN_ERR_NOT_FOUND)
        return lochan_vfs__code(&err, SQLITE_IOERR_ACCESS);
    if (flags == SQLITE_ACCESS_EXISTS) /* an empty file is as good as none, as in the unix VFS */
        *out = rc == LOCHAN_OK && (st.is_dir || st.size > 0);
    else
        *out = rc == LOCHAN_OK && (flags == SQLITE_ACCESS_READ || lochan_fs__writable(name));
    return SQLITE_OK;
}

static int vfs_full_pathname(sqlite3_vfs *vfs, const char *name, int n, char *out) {
    return fallback(vfs)->xFullPathname(fallback(vfs), name, n, out);
}

static int vfs_randomness(sqlite3_vfs *vfs, int n, char *out) {
    (void)vfs;
    lochan_random__bytes(out, (size_t)n);
    return n;
}

static int vfs_sleep(sqlite3_vfs *vfs, int us) {
    (void)vfs;
    lochan_clock__sleep_ns((int64_t)us * 1000);
    return us;
}

static int vfs_time_int64(sqlite3_vfs *vfs, sqlite3_int64 *out) {
    (void)vfs;
    *out = 210866760000000ll +
           lochan_clock__wall_ns() / 1000000; /* julian day in ms; constant = 1970-01-01 */
    return SQLITE_OK;
}

static int vfs_time(sqlite3_vfs *vfs, double *out) {
    sqlite3_int64 ms;
    int rc = vfs_time_int64(vfs, &ms);
    *out = (double)ms / 86400000.0;
    return rc;
}

static int vfs_get_last_error(sqlite3_vfs *vfs, int n, char *out) {
    (void)vfs;
    (void)n;
    (void)out;
    return last_error.sys_errno;
}

static sqlite3_vfs vfs_object = {
    .iVersion = 2,
    .mxPathname = 4096,
    .zName = LOCHAN_VFS_NAME,
    .xOpen = vfs_open,
    .xDelete = vfs_delete,
    .xAccess = vfs_access,
    .xFullPathname = vfs_full_pathname,
    .xRandomness = vfs_randomness,
    .xSleep = vfs_sleep,
    .xCurrentTime = vfs_time,
    .xGetLastError = vfs_get_last_error,
    .xCurrentTimeInt64 = vfs_time_int64,
};

static pthread_mutex_t register_mutex = PTHREAD_MUTEX_INITIALIZER;
static bool registered;

lochan_status lochan_vfs__register(lochan_error *err) {
    pthread_mutex_lock(&register_mutex);
    int rc = SQLITE_OK;
    if (!registered) {
        sqlite3_vfs *system = NULL;
        rc = sqlite3_initialize();
        if (rc == SQLITE_OK)
            system = sqlite3_vfs_find(NULL);
        if (system) {
            vfs_object.pAppData = system;
            vfs_object.szOsFile = (int)sizeof(lochan_vfs_file) > system->szOsFile
                                      ? (int)sizeof(lochan_vfs_file)
                                      : system->szOsFile;
            rc = sqlite3_vfs_register(&vfs_object, 0);
            registered = rc == SQLITE_OK;
        } else if (rc == SQLITE_OK) {
            rc = SQLITE_ERROR;
        }
    }
    pthread_mutex_unlock(&register_mutex);
    if (rc == SQLITE_NOMEM)
        return lochan_error__nomem(err);
    if (rc != SQLITE_OK)
        return lochan_error__set(err, LOCHAN_ERR_CATALOG, "cannot start SQLite: %s",
                                 sqlite3_errstr(rc));
    return LOCHAN_OK;
}
