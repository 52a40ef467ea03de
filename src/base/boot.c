/* boot.c - the boot id that Linux makes anew with each start.
 * Invariant: see boot.h. May call: base/fs.h.
 */
#include "base/boot.h"

#include "base/fs.h"
#include "base/str.h"

#include <pthread.h>
#include <string.h>

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static char found[LOCHAN_BOOT_MAX + 1]; /* by this process, "" = not yet */
static char replaced[LOCHAN_BOOT_MAX + 1];
static bool is_replaced;

void lochan_boot__set(const char *id) {
    is_replaced = id != NULL;
    lochan_format(replaced, sizeof replaced, "%s", id ? id : "");
}

static bool is_plain(const char *id, size_t n) {
    for (size_t i = 0; i < n; i++)
        if (!((id[i] >= '0' && id[i] <= '9') || (id[i] >= 'a' && id[i] <= 'z') || id[i] == '-'))
            return false;
    return n > 0;
}

static void read_id(char dst[LOCHAN_BOOT_MAX + 1]) {
    char text[LOCHAN_BOOT_MAX + 1];
    lochan_file *file = NULL;
    size_t n = 0;
    if (lochan_file__open("/proc/sys/kernel/random/boot_id", LOCHAN_FS_READ, &file, NULL) !=
        LOCHAN_OK)
        return;
    if (lochan_file__read_some(file, text, LOCHAN_BOOT_MAX, 0, &n, NULL) != LOCHAN_OK)
        n = 0;
    (void)!lochan_file__close(file, NULL);
    while (n > 0 && text[n - 1] == '\n')
        n--;
    if (!is_plain(text, n))
        return;
    memcpy(dst, text, n);
    dst[n] = '\0';
}

void lochan_boot__id(char dst[LOCHAN_BOOT_MAX + 1]) {
    if (is_replaced) {
        memcpy(dst, replaced, sizeof replaced);
        return;
    }
    pthread_mutex_lock(&mutex);
    if (found[0] == '\0')
        read_id(found);
    memcpy(dst, found, sizeof found);
    pthread_mutex_unlock(&mutex);
}
