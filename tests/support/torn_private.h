/* torn_private.h - the state shared by torn.c (records) and torn_cut.c (cuts).
 * Invariants: a node exists only while its file may have pending changes; names are in the order
 * they happened.
 */
#ifndef TEST_SUPPORT_TORN_PRIVATE_H
#define TEST_SUPPORT_TORN_PRIVATE_H

#include "base/fs.h"

#include <limits.h>
#include <pthread.h>

typedef struct torn_change {
    bool truncate; /* to `offset` bytes; else a write */
    uint64_t offset;
    size_t len;
    uint8_t *data;
} torn_change;

typedef struct torn_node { /* a file */
    struct torn_node *next;
    uint64_t device, inode;
    int fd;         /* our own */
    uint8_t *image; /* the durable content */
    uint64_t image_size;
    torn_change *changes;
    size_t count, cap;
} torn_node;

typedef enum torn_name_kind {
    TORN_CREATE, /* of a file, or one more name of it */
    TORN_MKDIR,
    TORN_RENAME,
    TORN_REMOVE,
    TORN_RMDIR
} torn_name_kind;

typedef struct torn_name { /* a change of a name */
    struct torn_name *next;
    torn_name_kind kind;
    char *from; /* rename only */
    char *path;
    char *folder; /* whose fsync makes it durable */
    char *stash;  /* a second name of the file that was removed or replaced, or NULL */
} torn_name;

typedef struct torn_state {
    pthread_mutex_t lock;
    char root[PATH_MAX], stash[PATH_MAX];
    unsigned long stashed;
    torn_node *nodes;
    torn_name *names, **names_end;
    bool dead; /* the power is cut */
} torn_state;

extern torn_state torn_it;

void torn_forget_node(torn_node *gone);
void torn_forget_name(torn_name *t);

#endif
