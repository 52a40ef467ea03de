/* tmpdir.h - a temporary folder for one test, and plain files in it.
 * Invariant: these go past base/fs.h, so that they work while faults are armed. Failures end the
 * test.
 */
#ifndef TEST_SUPPORT_TMPDIR_H
#define TEST_SUPPORT_TMPDIR_H

#include <stddef.h>
#include <stdint.h>

/* Makes $TMPDIR/lochan-<name>-XXXXXX (or under /tmp). Free with tmpdir_remove, which removes the
 * tree, also read-only folders in it. */
char *tmpdir_make(const char *name);
void tmpdir_remove(char *dir);

/* dir + "/" + rel in one of 16 buffers used in turn. */
const char *tmpdir_path(const char *dir, const char *rel);

void tmpdir_write(const char *path, const void *p, size_t n);
/* The whole file with a zero byte after it; free() it. NULL if there is no such file. */
char *tmpdir_read(const char *path, size_t *n);
int tmpdir_exists(const char *path);
void tmpdir_mkdir(const char *path);
void tmpdir_unlink(const char *path); /* a missing file is fine */
/* Copies a tree of folders and files, for tests that damage one copy after another. */
void tmpdir_copy(const char *from, const char *to);
void tmpdir_clear(const char *dir); /* removes what is in it */

#endif
