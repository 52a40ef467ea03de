/* torn.c - see torn.h: the operations, and which of them are pending. What a cut does is in
 * torn_cut.c. */
#include "support/torn.h"
#include "support/torn_private.h"
#include "support/cmocka_all.h"
#include "support/tmpdir.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

torn_state torn_it;

#define SYS (lochan_fs__system())

static void must(bool ok, const char *what) {
    if (!ok)
        fail_msg("torn: %s: %s", what, strerror(errno));
}

static bool under_root(const char *path) {
    size_t n = strlen(torn_it.root);
    return strncmp(path, torn_it.root, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* The absolute path with its folder resolved, so that one name has one spelling. False if it is not
 * under the root. */
static bool canonical(const char *path, char dst[PATH_MAX]) {
    char folder[PATH_MAX], resolved[PATH_MAX];
    if (snprintf(folder, sizeof folder, "%s", path) >= (int)sizeof folder)
        return false;
    size_t n = strlen(folder);
    while (n > 1 && folder[n - 1] == '/')
        folder[--n] = '\0';
    char *slash = strrchr(folder, '/');
    char *name = slash ? slash + 1 : folder;
    char base[NAME_MAX + 1];
    if (snprintf(base, sizeof base, "%s", name) >= (int)sizeof base)
        return false;
    if (!slash)
        snprintf(folder, sizeof folder, ".");
    else if (slash == folder)
        slash[1] = '\0';
    else
        *slash = '\0';
    if (!realpath(folder, resolved))
        return false;
    if (snprintf(dst, PATH_MAX, "%s/%s", strcmp(resolved, "/") ? resolved : "", base) >= PATH_MAX)
        return false;
    return under_root(dst);
}

static void folder_of(const char *path, char dst[PATH_MAX]) {
    snprintf(dst, PATH_MAX, "%s", path);
    char *slash = strrchr(dst, '/');
    if (slash)
        *slash = '\0';
}

static torn_node *node_of(const lochan_stat *st) {
    for (torn_node *n = torn_it.nodes; n; n = n->next) {
        if (n->device == st->device && n->inode == st->inode)
            return n;
    }
    return NULL;
}

void torn_forget_node(torn_node *gone) {
    torn_node **link = &torn_it.nodes;
    while (*link != gone)
        link = &(*link)->next;
    *link = gone->next;
    for (size_t i = 0; i < gone->count; i++)
        free(gone->changes[i].data);
    close(gone->fd);
    free(gone->changes);
    free(gone->image);
    free(gone);
}

/* The path of an open file or folder, if it is under the root. */
static bool path_of_fd(int fd, char dst[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, dst, PATH_MAX - 1);
    if (n < 0)
        return false;
    dst[n] = '\0';
    return under_root(dst); /* " (deleted)" after the name of a removed file does no harm */
}

/* The node of a file about to be changed; its durable image is taken before the first change. NULL:
 * not ours. */
static torn_node *node_for_change(int fd) {
    char path[PATH_MAX], link[64];
    lochan_stat st;
    if (!path_of_fd(fd, path) || SYS->fstat(NULL, fd, &st) != 0 || st.is_dir)
        return NULL;
    torn_node *n = node_of(&st);
    if (n)
        return n;
    n = calloc(1, sizeof *n);
    must(n != NULL, "memory");
    n->device = st.device;
    n->inode = st.inode;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    n->fd = open(link, O_RDWR | O_CLOEXEC);
    must(n->fd >= 0, "open for the image");
    n->image_size = st.size;
    n->image = malloc(st.size + 1);
    must(n->image != NULL, "memory");
    for (uint64_t at = 0; at < st.size;) {
        ssize_t got = pread(n->fd, n->image + at, st.size - at, (off_t)at);
        must(got > 0, "read the image");
        at += (uint64_t)got;
    }
    n->next = torn_it.nodes;
    torn_it.nodes = n;
    return n;
}

static void add_change(torn_node *n, bool truncate, const void *p, size_t len, uint64_t offset) {
    if (n->count == n->cap) {
        n->cap = n->cap ? n->cap * 2 : 16;
        n->changes = realloc(n->changes, n->cap * sizeof *n->changes);
        must(n->changes != NULL, "memory");
    }
    torn_change *c = &n->changes[n->count++];
    *c = (torn_change){.truncate = truncate, .offset = offset, .len = len};
    if (len) {
        c->data = malloc(len);
        must(c->data != NULL, "memory");
        memcpy(c->data, p, len);
    }
}

static torn_name *add_name(torn_name_kind kind, const char *from, const char *path) {
    torn_name *t = calloc(1, sizeof *t);
    must(t != NULL, "memory");
    t->kind = kind;
    t->from = from ? strdup(from) : NULL;
    t->path = strdup(path);
    char folder[PATH_MAX];
    folder_of(path, folder);
    t->folder = strdup(folder);
    *torn_it.names_end = t;
    torn_it.names_end = &t->next;
    return t;
}

void torn_forget_name(torn_name *t) {
    if (t->stash) {
        unlink(t->stash);
        free(t->stash);
    }
    free(t->from);
    free(t->path);
    free(t->folder);
    free(t);
}

/* Keeps a second name for a file that is about to lose this one. */
static char *stash_file(const char *path) {
    lochan_stat st;
    char name[PATH_MAX];
    if (SYS->stat(NULL, path, false, &st) != 0 || st.is_dir)
        return NULL;
    int n = snprintf(name, sizeof name, "%s/%lu", torn_it.stash, torn_it.stashed++);
    must(n < (int)sizeof name && link(path, name) == 0, "keep a removed file");
    return strdup(name);
}

/* Makes durable the names in `folder` (NULL: all). */
static void settle_names(const char *folder) {
    torn_name **link = &torn_it.names;
    while (*link) {
        torn_name *t = *link;
        if (folder && strcmp(t->folder, folder) != 0) {
            link = &t->next;
            continue;
        }
        *link = t->next;
        torn_forget_name(t);
    }
    torn_it.names_end = link;
}

#define ENTER()                                                                                    \
    do {                                                                                           \
        pthread_mutex_lock(&torn_it.lock);                                                         \
        if (torn_it.dead) {                                                                        \
            pthread_mutex_unlock(&torn_it.lock);                                                   \
            return -EIO;                                                                           \
        }                                                                                          \
    } while (0)
#define LEAVE(rc)                                                                                  \
    do {                                                                                           \
        pthread_mutex_unlock(&torn_it.lock);                                                       \
        return (rc);                                                                               \
    } while (0)

static int torn_open(void *self, const char *path, int flags, int mode) {
    (void)self;
    ENTER();
    char name[PATH_MAX];
    bool ours = canonical(path, name);
    lochan_stat st;
    bool fresh = ours && (flags & LOCHAN_FS_CREATE) && SYS->stat(NULL, path, true, &st) == -ENOENT;
    bool cut = ours && !fresh && (flags & LOCHAN_FS_TRUNCATE) && (flags & LOCHAN_FS_WRITE);
    /* A truncation is done as a step of its own, so that the old content is seen first. */
    int fd = SYS->open(NULL, path, cut ? flags & ~LOCHAN_FS_TRUNCATE : flags, mode);
    if (fd >= 0 && fresh)
        add_name(TORN_CREATE, NULL, name);
    if (fd >= 0 && cut) {
        torn_node *n = node_for_change(fd);
        int rc = SYS->truncate(NULL, fd, 0);
        if (rc != 0) {
            SYS->close(NULL, fd);
            LEAVE(rc);
        }
        if (n)
            add_change(n, true, NULL, 0, 0);
    }
    LEAVE(fd);
}

/* Works after the cut too: what was open must be closed. */
static int torn_close(void *self, int fd) {
    (void)self;
    int rc = SYS->close(NULL, fd);
    return torn_it.dead ? -EIO : rc;
}

static int64_t torn_pread(void *self, int fd, void *p, size_t n, uint64_t offset) {
    (void)self;
    return torn_it.dead ? -EIO : SYS->pread(NULL, fd, p, n, offset);
}

static int64_t torn_pwrite(void *self, int fd, const void *p, size_t n, uint64_t offset) {
    (void)self;
    ENTER();
    torn_node *node = node_for_change(fd);
    int64_t put = SYS->pwrite(NULL, fd, p, n, offset);
    if (node && put > 0)
        add_change(node, false, p, (size_t)put, offset);
    LEAVE(put);
}

static int torn_truncate(void *self, int fd, uint64_t size) {
    (void)self;
    ENTER();
    torn_node *node = node_for_change(fd);
    int rc = SYS->truncate(NULL, fd, size);
    if (node && rc == 0)
        add_change(node, true, NULL, 0, size);
    LEAVE(rc);
}

/* Nothing is really synced: the test does not cut the machine's power. */
static int torn_sync(void *self, int fd, bool data_only) {
    (void)self;
    (void)data_only;
    ENTER();
    lochan_stat st;
    char path[PATH_MAX];
    int rc = SYS->fstat(NULL, fd, &st);
    if (rc == 0 && st.is_dir) {
        if (path_of_fd(fd, path))
            settle_names(path);
    } else if (rc == 0) {
        torn_node *n = node_of(&st);
        if (n)
            torn_forget_node(n);
    }
    LEAVE(rc);
}

static int torn_sync_fs(void *self, int fd) {
    (void)self;
    (void)fd;
    ENTER();
    settle_names(NULL);
    while (torn_it.nodes)
        torn_forget_node(torn_it.nodes);
    LEAVE(0);
}

static int torn_fstat(void *self, int fd, lochan_stat *out) {
    (void)self;
    return torn_it.dead ? -EIO : SYS->fstat(NULL, fd, out);
}

static int torn_stat(void *self, const char *path, bool follow, lochan_stat *out) {
    (void)self;
    return torn_it.dead ? -EIO : SYS->stat(NULL, path, follow, out);
}

/* A renamed folder takes the pending names in it along: they become durable with an fsync of its
 * new path. */
static void move_folders(const char *from, const char *to) {
    size_t n = strlen(from);
    for (torn_name *t = torn_it.names; t; t = t->next) {
        char moved[PATH_MAX];
        if (strncmp(t->folder, from, n) != 0 || (t->folder[n] && t->folder[n] != '/'))
            continue;
        must(snprintf(moved, PATH_MAX, "%s%s", to, t->folder + n) < PATH_MAX, "path length");
        free(t->folder);
        t->folder = strdup(moved);
    }
}

static int torn_rename(void *self, const char *from, const char *to) {
    (void)self;
    ENTER();
    char a[PATH_MAX], b[PATH_MAX];
    bool ours = canonical(from, a) && canonical(to, b);
    lochan_stat st;
    char *stash = NULL;
    if (ours && SYS->stat(NULL, from, false, &st) == 0)
        stash = stash_file(to);
    int rc = SYS->rename(NULL, from, to);
    if (ours && rc == 0) {
        move_folders(a, b);
        add_name(TORN_RENAME, a, b)->stash = stash;
        stash = NULL;
    }
    if (stash) {
        unlink(stash);
        free(stash);
    }
    LEAVE(rc);
}

static int torn_link(void *self, const char *from, const char *to) {
    (void)self;
    ENTER();
    char name[PATH_MAX];
    int rc = SYS->link(NULL, from, to);
    if (rc == 0 && canonical(to, name))
        add_name(TORN_CREATE, NULL, name);
    LEAVE(rc);
}

static int torn_unlink(void *self, const char *path) {
    (void)self;
    ENTER();
    char name[PATH_MAX];
    char *stash = canonical(path, name) ? stash_file(name) : NULL;
    int rc = SYS->unlink(NULL, path);
    if (stash && rc == 0) {
        add_name(TORN_REMOVE, NULL, name)->stash = stash;
    } else if (stash) {
        unlink(stash);
        free(stash);
    }
    LEAVE(rc);
}

static int torn_mkdir(void *self, const char *path, int mode) {
    (void)self;
    ENTER();
    char name[PATH_MAX];
    int rc = SYS->mkdir(NULL, path, mode);
    if (rc == 0 && canonical(path, name))
        add_name(TORN_MKDIR, NULL, name);
    LEAVE(rc);
}

static int torn_rmdir(void *self, const char *path) {
    (void)self;
    ENTER();
    char name[PATH_MAX];
    bool ours = canonical(path, name);
    int rc = SYS->rmdir(NULL, path);
    if (rc == 0 && ours)
        add_name(TORN_RMDIR, NULL, name);
    LEAVE(rc);
}

void torn_start(const char *root) {
    static const lochan_fs_ops ops = {
        .open = torn_open,
        .close = torn_close,
        .pread = torn_pread,
        .pwrite = torn_pwrite,
        .truncate = torn_truncate,
        .sync = torn_sync,
        .sync_fs = torn_sync_fs,
        .fstat = torn_fstat,
        .stat = torn_stat,
        .rename = torn_rename,
        .link = torn_link,
        .unlink = torn_unlink,
        .mkdir = torn_mkdir,
        .rmdir = torn_rmdir,
    };
    memset(&torn_it, 0, sizeof torn_it);
    pthread_mutex_init(&torn_it.lock, NULL);
    must(realpath(root, torn_it.root) != NULL, root);
    must(snprintf(torn_it.stash, PATH_MAX, "%s.torn", torn_it.root) < PATH_MAX, "path length");
    int rc = SYS->mkdir(NULL, torn_it.stash, 0777);
    must(rc == 0 || rc == -EEXIST, "create the stash");
    torn_it.names_end = &torn_it.names;
    lochan_fs__set_ops(&ops);
}

void torn_stop(void) {
    lochan_fs__set_ops(NULL);
    settle_names(NULL);
    while (torn_it.nodes)
        torn_forget_node(torn_it.nodes);
    tmpdir_clear(torn_it.stash); /* a killed child may have left something */
    rmdir(torn_it.stash);
    pthread_mutex_destroy(&torn_it.lock);
}

size_t torn_pending_files(void) {
    size_t count = 0;
    for (torn_node *n = torn_it.nodes; n; n = n->next)
        count += n->count > 0;
    return count;
}

size_t torn_pending_names(void) {
    size_t count = 0;
    for (torn_name *t = torn_it.names; t; t = t->next)
        count++;
    return count;
}
