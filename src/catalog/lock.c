/* lock.c - see lock.h. Waiting is polling with a growing, random pause, so that it can be cancelled
 * and bounded. May call: base/, lock.h.
 */
#include "catalog/lock.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/fs.h"
#include "base/mem.h"
#include "base/str.h"

#include <string.h>
#include <unistd.h>

#define HOLDER_BYTES 400

struct lochan_lock {
    lochan_file *file;
};

void lochan_lock__release(lochan_lock *lock) {
    if (!lock)
        return;
    (void)!lochan_file__close(lock->file, NULL); /* gives the lock back */
    lochan_mem__free(lock);
}

/* One line about us. Failing to write it harms nobody, so it is no error. */
static void write_holder(lochan_file *file, const char *command) {
    char host[128], since[40], text[HOLDER_BYTES];
    if (gethostname(host, sizeof host) != 0)
        memcpy(host, "?", 2);
    host[sizeof host - 1] = '\0';
    lochan_civil__format_utc(lochan_clock__wall_ns(), since);
    since[19] = '\0'; /* without the fraction */
    lochan_format(text, sizeof text, "process %ld on %s (%s), since %s UTC\n", (long)getpid(), host,
                  command, since);
    lochan_stat st;
    size_t n = strlen(text);
    if (lochan_file__write(file, text, n, 0, NULL) == LOCHAN_OK &&
        (lochan_file__stat(file, &st, NULL) != LOCHAN_OK || st.size != n))
        (void)!lochan_file__truncate(file, n, NULL);
}

/* The line of the holder, harmless to print; "another process" if there is none. */
static void read_holder(lochan_file *file, char dst[HOLDER_BYTES]) {
    size_t n = 0;
    if (lochan_file__read_some(file, dst, HOLDER_BYTES - 1, 0, &n, NULL) != LOCHAN_OK)
        n = 0;
    for (size_t i = 0; i < n; i++) {
        if ((unsigned char)dst[i] < ' ' || (unsigned char)dst[i] > '~')
            n = i; /* the first line, and only plain characters */
    }
    dst[n] = '\0';
    if (n == 0)
        lochan_format(dst, HOLDER_BYTES, "another process");
}

static lochan_status refuse(lochan_file *file, const char *what, int64_t timeout_ms,
                            lochan_error *err) {
    char holder[HOLDER_BYTES];
    read_holder(file, holder);
    if (timeout_ms == 0)
        return lochan_error__set(err, LOCHAN_ERR_LOCKED, "%s is locked by %s", what, holder);
    return lochan_error__set(err, LOCHAN_ERR_LOCKED, "%s is still locked after %.1f s by %s", what,
                             (double)timeout_ms / 1000.0, holder);
}

static lochan_status wait_for(lochan_file *file, const char *what, int64_t timeout_ms,
                              const lochan_cancel *cancel, lochan_error *err) {
    int64_t start = lochan_clock__mono_ns();
    int64_t pause = 500000;
    if (timeout_ms > INT64_MAX / 1000000)
        timeout_ms = -1;
    for (;;) {
        bool got;
        LOCHAN_TRY(lochan_cancel__check(cancel, err));
        LOCHAN_TRY(lochan_file__lock(file, LOCHAN_LOCK_EXCLUSIVE, 0, 1, &got, err));
        if (got)
            return LOCHAN_OK;
        int64_t left = timeout_ms * 1000000 - (lochan_clock__mono_ns() - start);
        if (timeout_ms >= 0 && left <= 0)
            return refuse(file, what, timeout_ms, err);
        int64_t ns = pause / 2 + (int64_t)lochan_random__below((uint64_t)pause);
        lochan_clock__sleep_ns(timeout_ms >= 0 && left < ns ? left : ns);
        if (pause < 20000000)
            pause += pause / 2;
    }
}

lochan_status lochan_lock__acquire(const char *path, const char *what, const char *command,
                                   int64_t timeout_ms, const lochan_cancel *cancel,
                                   lochan_lock **out, lochan_error *err) {
    *out = NULL;
    lochan_status rc = LOCHAN_OK;
    lochan_lock *lock = lochan_mem__zalloc(sizeof *lock);
    if (!lock)
        return lochan_error__nomem(err);
    int how = LOCHAN_FS_READ | LOCHAN_FS_WRITE | LOCHAN_FS_CREATE | LOCHAN_FS_NOFOLLOW;
    LOCHAN_TRYG(lochan_file__open(path, how, &lock->file, err));
    LOCHAN_TRYG(wait_for(lock->file, what, timeout_ms, cancel, err));
    write_holder(lock->file, command);
done:
    if (rc != LOCHAN_OK) {
        lochan_lock__release(lock);
        return rc;
    }
    *out = lock;
    return LOCHAN_OK;
}
