/* fs_tree.c - names and folders: stat, rename, unlink, making, listing and removing trees.
 * Invariant: no function follows a symbolic link into a tree that it removes. May call:
 * fs_private.h, mem.h, arena.h.
 */
#include "base/arena.h"
#include "base/fs.h"
#include "base/fs_private.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static lochan_status stat_path(const char *path, bool follow, lochan_stat *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc;
    LOCHAN_FS_RETRY(rc, ops->stat(ops->self, path, follow, out));
    return rc < 0 ? lochan_fs__failed(err, -rc, false, "inspect", path) : LOCHAN_OK;
}

lochan_status lochan_fs__stat(const char *path, lochan_stat *out, lochan_error *err) {
    return stat_path(path, true, out, err);
}

lochan_status lochan_fs__lstat(const char *path, lochan_stat *out, lochan_error *err) {
    return stat_path(path, false, out, err);
}

bool lochan_fs__exists(const char *path) {
    lochan_stat st;
    return stat_path(path, true, &st, NULL) == LOCHAN_OK;
}

bool lochan_fs__writable(const char *path) {
    return faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) == 0;
}

lochan_status lochan_fs__rename(const char *from, const char *to, lochan_error *err) {
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc;
    LOCHAN_FS_RETRY(rc, ops->rename(ops->self, from, to));
    return rc < 0 ? lochan_fs__failed(err, -rc, true, "rename a file to", to) : LOCHAN_OK;
}

lochan_status lochan_fs__link(const char *from, const char *to, lochan_error *err) {
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc;
    LOCHAN_FS_RETRY(rc, ops->link(ops->self, from, to));
    return rc < 0 ? lochan_fs__failed(err, -rc, true, "link a file as", to) : LOCHAN_OK;
}

lochan_status lochan_fs__unlink(const char *path, bool missing_ok, lochan_error *err) {
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc;
    LOCHAN_FS_RETRY(rc, ops->unlink(ops->self, path));
    if (rc == -ENOENT && missing_ok)
        return LOCHAN_OK;
    return rc < 0 ? lochan_fs__failed(err, -rc, true, "remove", path) : LOCHAN_OK;
}

lochan_status lochan_fs__rmdir(const char *path, bool missing_ok, lochan_error *err) {
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc;
    LOCHAN_FS_RETRY(rc, ops->rmdir(ops->self, path));
    if (rc == -ENOENT && missing_ok)
        return LOCHAN_OK;
    return rc < 0 ? lochan_fs__failed(err, -rc, true, "remove", path) : LOCHAN_OK;
}

/* Makes one folder; one that is there already is fine if it is a folder. */
static lochan_status make_one(const char *path, bool *created, lochan_error *err) {
    const lochan_fs_ops *ops = lochan_fs__ops();
    int rc;
    LOCHAN_FS_RETRY(rc, ops->mkdir(ops->self, path, 0777));
    if (rc == 0) {
        *created = true;
        return LOCHAN_OK;
    }
    if (rc != -EEXIST)
        return lochan_fs__failed(err, -rc, true, "create folder", path);
    lochan_stat st;
    LOCHAN_TRY(stat_path(path, true, &st, err));
    return st.is_dir ? LOCHAN_OK : lochan_fs__failed(err, ENOTDIR, true, "create folder", path);
}

lochan_status lochan_fs__mkdirs(const char *path, bool *created, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool ignored;
    if (!created)
        created = &ignored;
    *created = false;
    lochan_stat st;
    if (stat_path(path, true, &st, NULL) == LOCHAN_OK && st.is_dir)
        return LOCHAN_OK;
    char *part = lochan_mem__strdup(path);
    if (!part)
        return lochan_error__nomem(err);
    for (char *p = part + 1; part[0] && *p; p++) {
        if (*p != '/' || p[-1] == '/')
            continue;
        *p = '\0';
        /* A parent that is there may lie in a folder where we may create nothing. */
        if (stat_path(part, true, &st, NULL) != LOCHAN_OK || !st.is_dir)
            LOCHAN_TRYG(make_one(part, created, err));
        *p = '/';
    }
    LOCHAN_TRYG(make_one(path, created, err));
done:
    lochan_mem__free(part);
    return rc;
}

lochan_status lochan_fs__sync_dir(const char *path, lochan_error *err) {
    lochan_file *dir;
    LOCHAN_TRY(lochan_file__open(path, LOCHAN_FS_READ, &dir, err));
    lochan_status rc = lochan_file__sync(dir, false, err);
    LOCHAN_KEEP(lochan_file__close(dir, LOCHAN_KEEP_ERR(rc, err)));
    return rc;
}

lochan_status lochan_fs__sync_all(const char *path_on_fs, lochan_error *err) {
    lochan_file *file;
    LOCHAN_TRY(lochan_file__open(path_on_fs, LOCHAN_FS_READ, &file, err));
    const lochan_fs_ops *ops = lochan_fs__ops();
    lochan_status rc = LOCHAN_OK;
    int sys;
    LOCHAN_FS_RETRY(sys, ops->sync_fs(ops->self, file->fd));
    if (sys < 0)
        rc = lochan_fs__failed(err, -sys, true, "sync the file system of", path_on_fs);
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    return rc;
}

typedef struct name_list {
    lochan_arena arena;
    char **names;
    size_t count, cap;
} name_list;

static lochan_status add_name(name_list *list, const char *name, lochan_error *err) {
    if (list->count == list->cap) {
        size_t cap = list->cap ? list->cap * 2 : 64, size;
        if (!lochan_size__mul(cap, sizeof *list->names, &size))
            return lochan_error__nomem(err);
        char **names = lochan_mem__realloc(list->names, size);
        if (!names)
            return lochan_error__nomem(err);
        list->names = names;
        list->cap = cap;
    }
    char *copy = lochan_arena__strdup(&list->arena, name);
    if (!copy)
        return lochan_error__nomem(err);
    list->names[list->count++] = copy;
    return LOCHAN_OK;
}

static int compare_names(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static lochan_status read_names(const char *dir, name_list *list, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    DIR *d;
    do {
        d = opendir(dir);
    } while (!d && errno == EINTR);
    if (!d)
        return lochan_fs__failed(err, errno, false, "list", dir);
    for (;;) {
        errno = 0;
        const struct dirent *entry = readdir(d);
        if (!entry)
            break;
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            LOCHAN_TRYG(add_name(list, entry->d_name, err));
    }
    if (errno)
        rc = lochan_fs__failed(err, errno, false, "list", dir);
done:
    closedir(d);
    return rc;
}

/* The folder is read to its end and closed first: fn may change it, and a deep tree holds no
 * descriptors. */
lochan_status lochan_fs__list(const char *dir, lochan_fs_list_fn fn, void *ctx, lochan_error *err) {
    lochan_status rc;
    name_list list = {.names = NULL};
    lochan_arena__init(&list.arena, 0);
    LOCHAN_TRYG(read_names(dir, &list, err));
    if (list.count > 1)
        qsort(list.names, list.count, sizeof *list.names, compare_names);
    for (size_t i = 0; i < list.count; i++) {
        lochan_stat st;
        char *path = lochan_path__join(dir, list.names[i]);
        if (!path) {
            rc = lochan_error__nomem(err);
            break;
        }
        lochan_error stat_error;
        rc = stat_path(path, false, &st, &stat_error);
        lochan_mem__free(path);
        if (rc == LOCHAN_ERR_NOT_FOUND) { /* removed since it was listed */
            rc = LOCHAN_OK;
            continue;
        }
        if (rc != LOCHAN_OK) {
            if (err)
                *err = stat_error;
            break;
        }
        LOCHAN_TRYG(fn(ctx, list.names[i], &st, err));
    }
done:
    lochan_mem__free(list.names);
    lochan_arena__deinit(&list.arena);
    return rc;
}

static lochan_status remove_entry(void *ctx, const char *name, const lochan_stat *st,
                                  lochan_error *err) {
    char *path = lochan_path__join(ctx, name);
    if (!path)
        return lochan_error__nomem(err);
    lochan_status rc = LOCHAN_OK;
    if (st->is_dir) {
        LOCHAN_TRYG(lochan_fs__list(path, remove_entry, path, err));
        LOCHAN_TRYG(lochan_fs__rmdir(path, true, err));
    } else {
        LOCHAN_TRYG(lochan_fs__unlink(path, true, err)); /* of a link: the link itself */
    }
done:
    lochan_mem__free(path);
    return rc;
}

lochan_status lochan_fs__remove_tree(const char *path, lochan_error *err) {
    lochan_stat st;
    lochan_error stat_error;
    lochan_status rc = stat_path(path, false, &st, &stat_error);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK) {
        if (err)
            *err = stat_error;
        return rc;
    }
    if (!st.is_dir)
        return lochan_fs__failed(err, ENOTDIR, true, "remove the tree", path);
    LOCHAN_TRY(lochan_fs__list(path, remove_entry, (void *)(uintptr_t)path, err));
    return lochan_fs__rmdir(path, true, err);
}
