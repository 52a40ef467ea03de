/* torn_cut.c - see torn.h: turns the real disk into a state that a power cut might have left. */
#include "support/torn.h"
#include "support/torn_private.h"
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/tmpdir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR ((size_t)512)

typedef struct content {
    uint8_t *data;
    uint64_t size, cap;
} content;

static void resize(content *c, uint64_t size) {
    if (size > c->cap) {
        c->cap = size * 2;
        c->data = realloc(c->data, c->cap + 1);
        if (!c->data)
            fail_msg("torn: out of memory");
    }
    if (size > c->size)
        memset(c->data + c->size, 0, size - c->size);
    c->size = size;
}

static void put(content *c, const torn_change *w, size_t from, size_t n) {
    if (w->offset + from + n > c->size)
        resize(c, w->offset + from + n);
    memcpy(c->data + w->offset + from, w->data + from, n);
}

/* Sectors are those of the disk: aligned to the file's start, not to the write's. */
static void put_torn(content *c, const torn_change *w, uint64_t *rng) {
    for (size_t at = 0; at < w->len;) {
        size_t n = SECTOR - (w->offset + at) % SECTOR;
        if (n > w->len - at)
            n = w->len - at;
        if (fake_random(rng) % 2)
            put(c, w, at, n);
        at += n;
    }
}

/* One pending change: dropped, kept or torn. */
static void settle_change(content *c, const torn_change *w, uint64_t *rng) {
    switch (fake_random(rng) % 4) {
    case 0:
        if (w->truncate)
            resize(c, w->offset);
        else
            put(c, w, 0, w->len);
        break;
    case 1:
        if (!w->truncate)
            put_torn(c, w, rng);
        break;
    case 2:
        if (!w->truncate && w->offset + w->len > c->size)
            resize(c, w->offset + w->len); /* the length arrived, the bytes did not */
        break;
    default:
        break;
    }
}

static void cut_file(torn_node *n, bool plain, uint64_t *rng) {
    content c = {.data = n->image, .size = n->image_size, .cap = n->image_size};
    for (size_t i = 0; i < n->count && !plain; i++)
        settle_change(&c, &n->changes[i], rng);
    if (ftruncate(n->fd, 0) != 0)
        fail_msg("torn: truncate: %s", strerror(errno));
    for (uint64_t at = 0; at < c.size;) {
        ssize_t rc = pwrite(n->fd, c.data + at, c.size - at, (off_t)at);
        if (rc <= 0)
            fail_msg("torn: write: %s", strerror(errno));
        at += (uint64_t)rc;
    }
    n->image = c.data;
}

static void remove_all(const char *path) {
    struct stat st;
    if (lstat(path, &st) == 0 && S_ISDIR(st.st_mode))
        tmpdir_clear(path);
    remove(path);
}

/* Gives a removed file its name back, unless the name is taken or its folder is lost too. */
static void restore(const torn_name *t) {
    if (t->stash && link(t->stash, t->path) != 0 && errno != EEXIST && errno != ENOENT)
        fail_msg("torn: restore %s: %s", t->path, strerror(errno));
}

/* Where a name was taken again by a change that survived, the later owner keeps it. */
static void undo(const torn_name *t) {
    switch (t->kind) {
    case TORN_CREATE:
    case TORN_MKDIR:
        remove_all(t->path);
        break;
    case TORN_RMDIR:
        mkdir(t->path, 0777);
        break;
    case TORN_RENAME:
        if (tmpdir_exists(t->from))
            remove_all(t->path);
        else
            rename(t->path, t->from);
        restore(t);
        break;
    case TORN_REMOVE:
        restore(t);
        break;
    }
}

/* For each folder the number of its oldest changes that survive is drawn when its first one is met;
 * the others are undone, the newest first. */
static void cut_names(bool plain, uint64_t *rng) {
    size_t count = torn_pending_names(), lost_count = 0;
    torn_name **all = calloc(count + 1, sizeof *all), **lost = calloc(count + 1, sizeof *lost);
    size_t i = 0;
    for (torn_name *t = torn_it.names; t; t = t->next)
        all[i++] = t;
    for (i = 0; i < count; i++) {
        size_t in_folder = 0, before = 0, survive = 0;
        for (size_t j = 0; j < count; j++) {
            if (strcmp(all[j]->folder, all[i]->folder) == 0) {
                in_folder++;
                before += j < i;
            }
        }
        if (!plain) { /* the same draw for all changes of one folder */
            uint64_t own = *rng;
            for (const char *p = all[i]->folder + strlen(torn_it.root); *p; p++)
                own = own * 31 + (unsigned char)*p;
            fake_random(&own);
            survive = fake_random(&own) % (in_folder + 1);
        }
        if (before >= survive)
            lost[lost_count++] = all[i];
    }
    while (lost_count > 0)
        undo(lost[--lost_count]);
    free(all);
    free(lost);
}

void torn_power_cut(uint64_t seed) {
    pthread_mutex_lock(&torn_it.lock);
    uint64_t rng = seed * UINT64_C(0x9E3779B97F4A7C15) + 1;
    bool plain = seed == 0;
    torn_it.dead = true;
    for (torn_node *n = torn_it.nodes; n; n = n->next)
        cut_file(n, plain, &rng);
    cut_names(plain, &rng);
    while (torn_it.names) {
        torn_name *t = torn_it.names;
        torn_it.names = t->next;
        torn_forget_name(t);
    }
    torn_it.names_end = &torn_it.names;
    while (torn_it.nodes)
        torn_forget_node(torn_it.nodes);
    rmdir(torn_it.stash);
    pthread_mutex_unlock(&torn_it.lock);
}

void torn_last_act(void *seed) {
    torn_power_cut(*(uint64_t *)seed);
}
