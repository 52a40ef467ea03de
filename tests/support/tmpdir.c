/* tmpdir.c - see tmpdir.h. Calls the operating system directly. */
#include "support/tmpdir.h"
#include "support/cmocka_all.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

char *tmpdir_make(const char *name) {
    const char *base = getenv("TMPDIR");
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/lochan-%s-XXXXXX", base && base[0] ? base : "/tmp", name);
    if (!mkdtemp(path))
        fail_msg("mkdtemp %s: %s", path, strerror(errno));
    return strdup(path);
}

static int unlock_folder(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)ftw;
    if (type == FTW_D || type == FTW_DNR)
        chmod(path, 0777);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
    (void)st;
    (void)type;
    if (ftw->level > 0)
        remove(path);
    return 0;
}

void tmpdir_clear(const char *dir) {
    nftw(dir, unlock_folder, 16, FTW_PHYS);
    nftw(dir, remove_one, 16, FTW_PHYS | FTW_DEPTH);
}

void tmpdir_remove(char *dir) {
    if (!dir)
        return;
    tmpdir_clear(dir);
    rmdir(dir);
    free(dir);
}

const char *tmpdir_path(const char *dir, const char *rel) {
    static char buffers[16][PATH_MAX];
    static unsigned next;
    char *p = buffers[next++ % 16];
    if (snprintf(p, PATH_MAX, "%s/%s", dir, rel) >= PATH_MAX)
        fail_msg("path is too long: %s/%s", dir, rel);
    return p;
}

void tmpdir_write(const char *path, const void *p, size_t n) {
    FILE *f = fopen(path, "wb");
    if (!f)
        fail_msg("create %s: %s", path, strerror(errno));
    if (fwrite(p, 1, n, f) != n || fclose(f) != 0)
        fail_msg("write %s: %s", path, strerror(errno));
}

char *tmpdir_read(const char *path, size_t *n) {
    FILE *f = fopen(path, "rb");
    if (!f)
        return NULL;
    size_t len = 0, cap = 4096, got;
    char *data = malloc(cap + 1);
    while (data && (got = fread(data + len, 1, cap - len, f)) > 0) {
        len += got;
        if (len == cap)
            data = realloc(data, (cap *= 2) + 1);
    }
    fclose(f);
    if (!data)
        fail_msg("read %s: out of memory", path);
    data[len] = '\0';
    if (n)
        *n = len;
    return data;
}

int tmpdir_exists(const char *path) {
    struct stat st;
    return lstat(path, &st) == 0;
}

void tmpdir_mkdir(const char *path) {
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        fail_msg("mkdir %s: %s", path, strerror(errno));
}

void tmpdir_unlink(const char *path) {
    unlink(path);
}

void tmpdir_copy(const char *from, const char *to) {
    struct stat st;
    if (lstat(from, &st) != 0)
        fail_msg("copy %s: %s", from, strerror(errno));
    if (!S_ISDIR(st.st_mode)) {
        size_t n;
        char *data = tmpdir_read(from, &n);
        tmpdir_write(to, data ? data : "", data ? n : 0);
        free(data);
        return;
    }
    tmpdir_mkdir(to);
    DIR *d = opendir(from);
    for (struct dirent *e; d && (e = readdir(d));) {
        char a[PATH_MAX], b[PATH_MAX];
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
            continue;
        if (snprintf(a, sizeof a, "%s/%s", from, e->d_name) >= (int)sizeof a ||
            snprintf(b, sizeof b, "%s/%s", to, e->d_name) >= (int)sizeof b)
            fail_msg("path is too long under %s", from);
        tmpdir_copy(a, b);
    }
    if (d)
        closedir(d);
}
