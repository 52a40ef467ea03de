/* fs.c - open files: reading, writing, syncing, mapping, locking.
 * Invariants: EINTR is retried, except by close; a failed sync is reported at once, because
 * the kernel may have dropped the pages and a second sync would say "fine". May call: fs_private.h,
 * mem.h.
 */
#include "base/fs.h"
#include "base/fs_private.h"

#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const lochan_fs_ops *current;

void lochan_fs__set_ops(const lochan_fs_ops *ops) {
    current = ops;
}

const lochan_fs_ops *lochan_fs__ops(void) {
    return current ? current : lochan_fs__system();
}

const char *lochan_fs__tail(const char *path, bool *cut) {
    size_t n = strlen(path), longest = 300;
    *cut = n > longest;
    if (!*cut)
        return path;
    path += n - longest;
    while (((unsigned char)*path & 0xC0) == 0x80) /* not into the middle of a character */
        path++;
    return path;
}

lochan_status lochan_fs__failed(lochan_error *err, int sys_errno, bool change, const char *what,
                                const char *path) {
    bool cut;
    const char *tail = lochan_fs__tail(path, &cut);
    lochan_status code =
        lochan_error__sys(err, sys_errno, "cannot %s '%s%s'", what, cut ? "..." : "", tail);
    if (change && (sys_errno == EACCES || sys_errno == EPERM)) {
        code = LOCHAN_ERR_READ_ONLY;
        if (err)
            err->code = code;
    }
    return lochan_error__in_file(err, code, path, -1);
}

lochan_status lochan_file__open(const char *path, int flags, lochan_file **out, lochan_error *err) {
    *out = NULL;
    bool change = (flags & (LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_TRUNCATE)) != 0;
    size_t n = strlen(path);
    lochan_file *file = lochan_mem__alloc(sizeof *file + n + 1);
    if (!file)
        return lochan_error__nomem(err);
    memcpy(file->path, path, n + 1);
    const lochan_fs_ops *ops = lochan_fs__ops();
    LOCHAN_FS_RETRY(file->fd, ops->open(ops->self, path, flags, 0666));
    if (file->fd < 0) {
        int sys_errno = -file->fd;
        lochan_mem__free(file);
        return lochan_fs__failed(err, sys_errno, change,
                                 flags & LOCHAN_FS_CREATE ? "create" : "open", path);
    }
    *out = file;
    return LOCHAN_OK;
}

lochan_status lochan_file__close(lochan_file *file, lochan_error *err) {
    if (!file)
        return LOCHAN_OK;
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc = ops->close(ops->self, file->fd);
    lochan_status status = LOCHAN_OK;
    if (rc < 0 &&
        rc != -EINTR) /* after EINTR Linux has closed it; trying again could close another's */
        status = lochan_fs__failed(err, -rc, true, "close", file->path);
    lochan_mem__free(file);
    return status;
}

const char *lochan_file__path(const lochan_file *file) {
    return file->path;
}

static lochan_status check_range(const lochan_file *file, size_t n, uint64_t offset,
                                 lochan_error *err) {
    if (offset <= INT64_MAX && n <= INT64_MAX - offset)
        return LOCHAN_OK;
    bool cut;
    const char *tail = lochan_fs__tail(file->path, &cut);
    lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "no file reaches byte %llu: '%s%s'",
                      (unsigned long long)offset, cut ? "..." : "", tail);
    return lochan_error__in_file(err, LOCHAN_ERR_INVALID_ARGUMENT, file->path, -1);
}

lochan_status lochan_file__read_some(lochan_file *file, void *p, size_t n, uint64_t offset,
                                     size_t *got, lochan_error *err) {
    *got = 0;
    LOCHAN_TRY(check_range(file, n, offset, err));
    const lochan_fs_ops *ops = lochan_fs__ops();
    size_t done_bytes = 0;
    while (done_bytes < n) {
        int64_t rc;
        LOCHAN_FS_RETRY(rc, ops->pread(ops->self, file->fd, (uint8_t *)p + done_bytes,
                                       n - done_bytes, offset + done_bytes));
        if (rc < 0) {
            lochan_status code = lochan_fs__failed(err, (int)-rc, false, "read", file->path);
            return lochan_error__in_file(err, code, NULL, (int64_t)(offset + done_bytes));
        }
        if (rc == 0)
            break;
        done_bytes += (size_t)rc;
    }
    *got = done_bytes;
    return LOCHAN_OK;
}

lochan_status lochan_file__read(lochan_file *file, void *p, size_t n, uint64_t offset,
                                lochan_error *err) {
    size_t got;
    LOCHAN_TRY(lochan_file__read_some(file, p, n, offset, &got, err));
    if (got == n)
        return LOCHAN_OK;
    bool cut;
    const char *tail = lochan_fs__tail(file->path, &cut);
    lochan_error__set(
        err, LOCHAN_ERR_CORRUPT, "'%s%s' ends at byte %llu, but %zu bytes at %llu were to be read",
        cut ? "..." : "", tail, (unsigned long long)(offset + got), n, (unsigned long long)offset);
    return lochan_error__in_file(err, LOCHAN_ERR_CORRUPT, file->path, (int64_t)(offset + got));
}

lochan_status lochan_file__write(lochan_file *file, const void *p, size_t n, uint64_t offset,
                                 lochan_error *err) {
    LOCHAN_TRY(check_range(file, n, offset, err));
    const lochan_fs_ops *ops = lochan_fs__ops();
    size_t done_bytes = 0;
    while (done_bytes < n) {
        int64_t rc;
        LOCHAN_FS_RETRY(rc, ops->pwrite(ops->self, file->fd, (const uint8_t *)p + done_bytes,
                                        n - done_bytes, offset + done_bytes));
        if (rc <= 0) { /* a write of nothing would be tried for ever */
            lochan_status code =
                lochan_fs__failed(err, rc < 0 ? (int)-rc : EIO, true, "write", file->path);
            return lochan_error__in_file(err, code, NULL, (int64_t)(offset + done_bytes));
        }
        done_bytes += (size_t)rc;
    }
    return LOCHAN_OK;
}

lochan_status lochan_file__truncate(lochan_file *file, uint64_t size, lochan_error *err) {
    LOCHAN_TRY(check_range(file, 0, size, err));
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc;
    LOCHAN_FS_RETRY(rc, ops->truncate(ops->self, file->fd, size));
    return rc < 0 ? lochan_fs__failed(err, -rc, true, "truncate", file->path) : LOCHAN_OK;
}

lochan_status lochan_file__sync(lochan_file *file, bool data_only, lochan_error *err) {
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc;
    LOCHAN_FS_RETRY(rc, ops->sync(ops->self, file->fd, data_only));
    return rc < 0 ? lochan_fs__failed(err, -rc, true, "sync", file->path) : LOCHAN_OK;
}

lochan_status lochan_file__stat(lochan_file *file, lochan_stat *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc;
    LOCHAN_FS_RETRY(rc, ops->fstat(ops->self, file->fd, out));
    return rc < 0 ? lochan_fs__failed(err, -rc, false, "inspect", file->path) : LOCHAN_OK;
}

lochan_status lochan_file__map(lochan_file *file, const uint8_t **out, size_t *n,
                               lochan_error *err) {
    *out = NULL;
    *n = 0;
    lochan_stat st;
    LOCHAN_TRY(lochan_file__stat(file, &st, err));
    if (st.size > SIZE_MAX)
        return lochan_fs__failed(err, EFBIG, false, "map", file->path);
    if (st.size == 0)
        return LOCHAN_OK;
    void *p = mmap(NULL, (size_t)st.size, PROT_READ, MAP_PRIVATE, file->fd, 0);
    if (p == MAP_FAILED)
        return lochan_fs__failed(err, errno, false, "map", file->path);
    *out = p;
    *n = (size_t)st.size;
    return LOCHAN_OK;
}

void lochan_file__unmap(const uint8_t *p, size_t n) {
    if (p)
        munmap((void *)(uintptr_t)p, n);
}

lochan_status lochan_file__map_shared(lochan_file *file, uint64_t offset, size_t n, bool writable,
                                      void **out, lochan_error *err) {
    *out = NULL;
    LOCHAN_TRY(check_range(file, n, offset, err));
    int protection = PROT_READ | (writable ? PROT_WRITE : 0);
    void *p = mmap(NULL, n, protection, MAP_SHARED, file->fd, (off_t)offset);
    if (p == MAP_FAILED)
        return lochan_fs__failed(err, errno, writable, "map", file->path);
    *out = p;
    return LOCHAN_OK;
}

void lochan_file__unmap_shared(void *p, size_t n) {
    if (p)
        munmap(p, n);
}

static struct flock lock_of(lochan_lock_kind kind, uint64_t offset, uint64_t length) {
    struct flock lock;
    memset(&lock, 0, sizeof lock); /* open file description locks want l_pid 0 */
    lock.l_type = kind == LOCHAN_LOCK_EXCLUSIVE ? F_WRLCK
                  : kind == LOCHAN_LOCK_SHARED  ? F_RDLCK
                                                : F_UNLCK;
    lock.l_whence = SEEK_SET;
    lock.l_start = (off_t)offset;
    lock.l_len = (off_t)length;
    return lock;
}

/* Runs a lock command; returns 0 or -errno. */
static int lock_command(const lochan_file *file, int command, struct flock *lock) {
    int rc;
    LOCHAN_FS_RETRY(rc, fcntl(file->fd, command, lock) < 0 ? -errno : 0);
    return rc;
}

lochan_status lochan_file__lock(lochan_file *file, lochan_lock_kind kind, uint64_t offset,
                                uint64_t length, bool *got, lochan_error *err) {
    *got = false;
    LOCHAN_TRY(check_range(file, length, offset, err));
    struct flock lock = lock_of(kind, offset, length);
    int rc = lock_command(file, F_OFD_SETLK, &lock);
    if (rc == -EAGAIN || rc == -EACCES)
        return LOCHAN_OK;
    if (rc < 0)
        return lochan_fs__failed(err, -rc, false, "lock", file->path);
    *got = true;
    return LOCHAN_OK;
}

lochan_status lochan_file__lock_test(lochan_file *file, lochan_lock_kind kind, uint64_t offset,
                                     uint64_t length, bool *held, lochan_error *err) {
    *held = false;
    LOCHAN_TRY(check_range(file, length, offset, err));
    if (kind == LOCHAN_LOCK_NONE)
        return LOCHAN_OK;
    struct flock lock = lock_of(kind, offset, length);
    int rc = lock_command(file, F_OFD_GETLK, &lock);
    if (rc < 0)
        return lochan_fs__failed(err, -rc, false, "test the lock of", file->path);
    *held = lock.l_type != F_UNLCK;
    return LOCHAN_OK;
}
