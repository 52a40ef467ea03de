/* fs_system.c - the raw operations of the operating system, as the table of fs.h wants them.
 * Invariant: nothing is retried or completed here; each function is one system call and returns
 * -errno. May call: fs.h.
 */
#include "base/fs.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static int result(int rc) {
    return rc < 0 ? -errno : rc;
}

static int system_open(void *self, const char *path, int flags, int mode) {
    (void)self;
    int os = O_CLOEXEC | O_NOCTTY;
    if ((flags & LOCHAN_FS_READ) && (flags & LOCHAN_FS_WRITE))
        os |= O_RDWR;
    else
        os |= (flags & LOCHAN_FS_WRITE) ? O_WRONLY : O_RDONLY;
    os |= (flags & LOCHAN_FS_CREATE) ? O_CREAT : 0;
    os |= (flags & LOCHAN_FS_EXCLUSIVE) ? O_EXCL : 0;
    os |= (flags & LOCHAN_FS_TRUNCATE) ? O_TRUNC : 0;
    os |= (flags & LOCHAN_FS_NOFOLLOW) ? O_NOFOLLOW : 0;
    os |= (flags & LOCHAN_FS_WRITE) ? 0 : O_NONBLOCK; /* a pipe in a file's place has no writer */
    return result(open(path, os, (mode_t)mode));
}

static int system_close(void *self, int fd) {
    (void)self;
    return result(close(fd));
}

static int64_t system_pread(void *self, int fd, void *p, size_t n, uint64_t offset) {
    (void)self;
    ssize_t got = pread(fd, p, n, (off_t)offset);
    return got < 0 ? -errno : got;
}

static int64_t system_pwrite(void *self, int fd, const void *p, size_t n, uint64_t offset) {
    (void)self;
    ssize_t put = pwrite(fd, p, n, (off_t)offset);
    return put < 0 ? -errno : put;
}

static int system_truncate(void *self, int fd, uint64_t size) {
    (void)self;
    return result(ftruncate(fd, (off_t)size));
}

static int system_sync(void *self, int fd, bool data_only) {
    (void)self;
    return result(data_only ? fdatasync(fd) : fsync(fd));
}

static int system_sync_fs(void *self, int fd) {
    (void)self;
    return result(syncfs(fd));
}

static void copy_stat(const struct stat *from, lochan_stat *to) {
    to->size = (uint64_t)from->st_size;
    to->device = (uint64_t)from->st_dev;
    to->inode = (uint64_t)from->st_ino;
    to->mtime_ns = (int64_t)from->st_mtim.tv_sec * 1000000000 + from->st_mtim.tv_nsec;
    to->is_dir = S_ISDIR(from->st_mode);
    to->is_link = S_ISLNK(from->st_mode);
}

static int system_fstat(void *self, int fd, lochan_stat *out) {
    (void)self;
    struct stat st;
    int rc = result(fstat(fd, &st));
    if (rc == 0)
        copy_stat(&st, out);
    return rc;
}

static int system_stat(void *self, const char *path, bool follow, lochan_stat *out) {
    (void)self;
    struct stat st;
    int rc = result(follow ? stat(path, &st) : lstat(path, &st));
    if (rc == 0)
        copy_stat(&st, out);
    return rc;
}

static int system_rename(void *self, const char *from, const char *to) {
    (void)self;
    return result(rename(from, to));
}

static int system_link(void *self, const char *from, const char *to) {
    (void)self;
    return result(link(from, to));
}

static int system_unlink(void *self, const char *path) {
    (void)self;
    return result(unlink(path));
}

static int system_mkdir(void *self, const char *path, int mode) {
    (void)self;
    return result(mkdir(path, (mode_t)mode));
}

static int system_rmdir(void *self, const char *path) {
    (void)self;
    return result(rmdir(path));
}

const lochan_fs_ops *lochan_fs__system(void) {
    static const lochan_fs_ops ops = {
        .open = system_open,
        .close = system_close,
        .pread = system_pread,
        .pwrite = system_pwrite,
        .truncate = system_truncate,
        .sync = system_sync,
        .sync_fs = system_sync_fs,
        .fstat = system_fstat,
        .stat = system_stat,
        .rename = system_rename,
        .link = system_link,
        .unlink = system_unlink,
        .mkdir = system_mkdir,
        .rmdir = system_rmdir,
        .self = NULL,
    };
    return &ops;
}
