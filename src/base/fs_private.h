/* fs_private.h - what the files of fs.h share: the table in use and the wording of failures.
 * Invariant: private to base/fs*.c. May call: fs.h.
 */
#ifndef LOCHAN_BASE_FS_PRIVATE_H
#define LOCHAN_BASE_FS_PRIVATE_H

#include "base/fs.h"

#include <errno.h>

struct lochan_file {
    int fd;
    char path[]; /* as the caller named it */
};

const lochan_fs_ops *lochan_fs__ops(void);

/* "cannot <what> '<path>': <errno>", with err->file set. A change refused by permissions is
 * READ_ONLY. */
lochan_status lochan_fs__failed(lochan_error *err, int sys_errno, bool change, const char *what,
                                const char *path);
/* The end of a path that fits a message; *cut tells whether something was left out. */
const char *lochan_fs__tail(const char *path, bool *cut);

/* Runs an operation again while a signal interrupts it. */
#define LOCHAN_FS_RETRY(rc, call)                                                                  \
    do {                                                                                           \
        (rc) = (call);                                                                             \
    } while ((rc) == -EINTR)

#endif
