/* fs.h - all files: the only place that calls the operating system for them.
 * Invariant: EINTR is retried, short reads and writes are completed, every failure names its path;
 * a failed fsync is never retried as if it had worked. May call: status.h, mem.h, buf.h.
 */
#ifndef LOCHAN_BASE_FS_H
#define LOCHAN_BASE_FS_H

#include "base/buf.h"
#include "base/status.h"

typedef struct lochan_file lochan_file;

enum {
    LOCHAN_FS_READ = 1,      /* open for reading */
    LOCHAN_FS_WRITE = 2,     /* and/or writing */
    LOCHAN_FS_CREATE = 4,    /* create if missing */
    LOCHAN_FS_EXCLUSIVE = 8, /* with CREATE: fail with EXISTS if present */
    LOCHAN_FS_TRUNCATE = 16,
    LOCHAN_FS_NOFOLLOW = 32 /* refuse a symbolic link in the last part */
};

typedef struct lochan_stat {
    uint64_t size;
    uint64_t device;
    uint64_t inode;
    int64_t mtime_ns;
    bool is_dir;
    bool is_link; /* only lstat-like calls see it */
} lochan_stat;

/* The table of raw operations. Tests replace it to fail, shorten, tear or drop operations; each
 * returns 0 / a count, or -errno. `lochan_fs__system()` is the real one, for layers that forward.
 */
typedef struct lochan_fs_ops {
    int (*open)(void *self, const char *path, int flags,
                int mode); /* fd or -errno; flags as above */
    int (*close)(void *self, int fd);
    int64_t (*pread)(void *self, int fd, void *p, size_t n, uint64_t offset);
    int64_t (*pwrite)(void *self, int fd, const void *p, size_t n, uint64_t offset);
    int (*truncate)(void *self, int fd, uint64_t size);
    int (*sync)(void *self, int fd, bool data_only);
    int (*sync_fs)(void *self, int fd); /* syncfs of the file system that holds fd */
    int (*fstat)(void *self, int fd, lochan_stat *out);
    int (*stat)(void *self, const char *path, bool follow, lochan_stat *out);
    int (*rename)(void *self, const char *from, const char *to);
    int (*link)(void *self, const char *from, const char *to);
    int (*unlink)(void *self, const char *path);
    int (*mkdir)(void *self, const char *path, int mode);
    int (*rmdir)(void *self, const char *path);
    void *self;
} lochan_fs_ops;

const lochan_fs_ops *lochan_fs__system(void);
void lochan_fs__set_ops(
    const lochan_fs_ops *ops); /* NULL = system; tests only, before threads start */

lochan_status lochan_file__open(const char *path, int flags, lochan_file **out, lochan_error *err);
lochan_status lochan_file__close(lochan_file *file,
                                 lochan_error *err); /* NULL is a no-op; frees even on failure */
const char *lochan_file__path(const lochan_file *file);
/* Reads exactly n bytes or fails; past the end is CORRUPT with the offset. */
lochan_status lochan_file__read(lochan_file *file, void *p, size_t n, uint64_t offset,
                                lochan_error *err);
/* Reads up to n bytes, *got < n only at the end of the file. */
lochan_status lochan_file__read_some(lochan_file *file, void *p, size_t n, uint64_t offset,
                                     size_t *got, lochan_error *err);
lochan_status lochan_file__write(lochan_file *file, const void *p, size_t n, uint64_t offset,
                                 lochan_error *err);
lochan_status lochan_file__truncate(lochan_file *file, uint64_t size, lochan_error *err);
lochan_status lochan_file__sync(lochan_file *file, bool data_only, lochan_error *err);
lochan_status lochan_file__stat(lochan_file *file, lochan_stat *out, lochan_error *err);
/* Read-only private mapping of the whole file; *out = NULL and *n = 0 for an empty file. Unmap with
 * unmap. */
lochan_status lochan_file__map(lochan_file *file, const uint8_t **out, size_t *n,
                               lochan_error *err);
void lochan_file__unmap(const uint8_t *p, size_t n);

/* Byte-range locks that belong to the open file (not to the process): conflict between two opens in
 * one process too, and with POSIX locks of other programs. */
typedef enum lochan_lock_kind {
    LOCHAN_LOCK_NONE,
    LOCHAN_LOCK_SHARED,
    LOCHAN_LOCK_EXCLUSIVE
} lochan_lock_kind;
/* Never waits: *got = false if another holder is in the way. length 0 = to the end. */
lochan_status lochan_file__lock(lochan_file *file, lochan_lock_kind kind, uint64_t offset,
                                uint64_t length, bool *got, lochan_error *err);
/* Whether somebody else holds a lock that would conflict with `kind`. */
lochan_status lochan_file__lock_test(lochan_file *file, lochan_lock_kind kind, uint64_t offset,
                                     uint64_t length, bool *held, lochan_error *err);
/* Shared writable mapping, for SQLite's -shm only. */
lochan_status lochan_file__map_shared(lochan_file *file, uint64_t offset, size_t n, bool writable,
                                      void **out, lochan_error *err);
void lochan_file__unmap_shared(void *p, size_t n);

lochan_status lochan_fs__stat(const char *path, lochan_stat *out,
                              lochan_error *err); /* NOT_FOUND if missing */
lochan_status lochan_fs__lstat(const char *path, lochan_stat *out,
                               lochan_error *err); /* does not follow a link */
bool lochan_fs__exists(const char *path);
bool lochan_fs__writable(const char *path); /* for this process, now */
lochan_status lochan_fs__rename(const char *from, const char *to, lochan_error *err);
lochan_status lochan_fs__link(const char *from, const char *to, lochan_error *err);
lochan_status lochan_fs__unlink(const char *path, bool missing_ok, lochan_error *err);
lochan_status lochan_fs__rmdir(const char *path, bool missing_ok, lochan_error *err);
/* Creates missing parents too. *created (may be NULL) tells whether any part was new. Parents are
 * synced by the caller. */
lochan_status lochan_fs__mkdirs(const char *path, bool *created, lochan_error *err);
lochan_status lochan_fs__sync_dir(const char *path, lochan_error *err);
lochan_status lochan_fs__sync_all(const char *path_on_fs, lochan_error *err); /* syncfs */
/* Removes a directory tree; links in it are removed, not followed. A missing one is fine; a link or
 * file is refused. */
lochan_status lochan_fs__remove_tree(const char *path, lochan_error *err);

/* Calls fn for each entry (not "." and ".."), in byte order of the names. A non-OK return stops and
 * is returned. */
typedef lochan_status (*lochan_fs_list_fn)(void *ctx, const char *name, const lochan_stat *st,
                                           lochan_error *err);
lochan_status lochan_fs__list(const char *dir, lochan_fs_list_fn fn, void *ctx, lochan_error *err);

/* Whole small files. read_all appends to out and refuses more than max bytes (MEMORY_LIMIT).
 * write_all: temporary name, fsync, rename, fsync of the folder. */
lochan_status lochan_fs__read_all(const char *path, size_t max, lochan_buf *out, lochan_error *err);
lochan_status lochan_fs__write_all(const char *path, const void *p, size_t n, lochan_error *err);

/* "a" + "b/c" -> "a/b/c"; allocated, NULL when out of memory. */
char *lochan_path__join(const char *a, const char *b);
const char *lochan_path__basename(const char *path); /* borrowed */
/* A relative path of a catalog or journal: refuses absolute paths, "..", "." parts, empty parts,
 * control characters. */
lochan_status lochan_path__check_relative(const char *path, lochan_error *err);

#endif
