/* no_sync.c - see no_sync.h. The linker takes these for the system's wherever the program itself
 * calls them, as soon as something of this file is called.
 */
#include "support/no_sync.h"

#include <unistd.h>

int fsync(int fd) {
    (void)fd;
    return 0;
}

int fdatasync(int fd) {
    (void)fd;
    return 0;
}

int syncfs(int fd) {
    (void)fd;
    return 0;
}

void no_sync_start(void) {
}
