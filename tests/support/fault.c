/* fault.c - see fault.h. The file operations forward to the system's. */
#include "support/fault.h"
#include "support/alloc.h"
#include "support/cmocka_all.h"

#include "base/cancel.h"
#include "base/fs.h"

#include <dirent.h>
#include <errno.h>
#include <stdatomic.h>
#include <string.h>

#define MAX_FD 4096

static unsigned armed_kind;
static bool armed_persistent;
static _Atomic long countdown, counted;
static _Atomic bool fired, sync_retried;
static _Atomic unsigned char sync_failed[MAX_FD];
static _Thread_local bool interrupted; /* the call before was: this one is its repetition */

/* Whether this operation of `kind` fails now. */
static bool strikes(unsigned kind) {
    if (kind != armed_kind)
        return false;
    if (kind == FAULT_EINTR && interrupted) {
        interrupted = false;
        return false;
    }
    atomic_fetch_add(&counted, 1);
    bool now = atomic_load(&countdown) > 0 && atomic_fetch_sub(&countdown, 1) == 1;
    if (now)
        atomic_store(&fired, true);
    else if (atomic_load(&fired) && armed_persistent)
        now = true;
    if (now && kind == FAULT_EINTR)
        interrupted = true;
    return now;
}

/* The error of an operation, or 0. `space`: it may need space. */
static int error_of(bool space) {
    if (strikes(FAULT_EINTR))
        return -EINTR;
    if (strikes(FAULT_EIO))
        return -EIO;
    if (space && strikes(FAULT_ENOSPC))
        return -ENOSPC;
    return 0;
}

#define SYS (lochan_fs__system())
#define FAIL_OR(space, call)                                                                       \
    int fault_rc_ = error_of(space);                                                               \
    return fault_rc_ ? fault_rc_ : (call)

static int fault_open(void *self, const char *path, int flags, int mode) {
    (void)self;
    FAIL_OR((flags & LOCHAN_FS_CREATE) != 0, SYS->open(NULL, path, flags, mode));
}

/* The descriptor is gone whatever close says, as on Linux. An interrupted close is not repeated. */
static int fault_close(void *self, int fd) {
    (void)self;
    int fault = error_of(true);
    interrupted = false;
    if (fd >= 0 && fd < MAX_FD)
        atomic_store(&sync_failed[fd], 0);
    int rc = SYS->close(NULL, fd);
    return fault ? fault : rc;
}

static int64_t fault_pread(void *self, int fd, void *p, size_t n, uint64_t offset) {
    (void)self;
    int fault = error_of(false);
    if (fault)
        return fault;
    return SYS->pread(NULL, fd, p, n > 1 && strikes(FAULT_SHORT) ? n / 2 : n, offset);
}

static int64_t fault_pwrite(void *self, int fd, const void *p, size_t n, uint64_t offset) {
    (void)self;
    int fault = error_of(true);
    if (fault)
        return fault;
    return SYS->pwrite(NULL, fd, p, n > 1 && strikes(FAULT_SHORT) ? n / 2 : n, offset);
}

static int fault_truncate(void *self, int fd, uint64_t size) {
    (void)self;
    FAIL_OR(true, SYS->truncate(NULL, fd, size));
}

static int sync_fault(int fd) {
    int fault = error_of(true);
    if (!fault && strikes(FAULT_SYNC))
        fault = -EIO;
    if (fd < 0 || fd >= MAX_FD)
        return fault;
    if (atomic_load(&sync_failed[fd]))
        atomic_store(&sync_retried, true);
    if (fault && fault != -EINTR)
        atomic_store(&sync_failed[fd], 1);
    return fault;
}

static int fault_sync(void *self, int fd, bool data_only) {
    (void)self;
    int fault = sync_fault(fd);
    return fault ? fault : SYS->sync(NULL, fd, data_only);
}

static int fault_sync_fs(void *self, int fd) {
    (void)self;
    int fault = sync_fault(fd);
    return fault ? fault
                 : SYS->sync(NULL, fd, false); /* a real syncfs would wait for other programs */
}

static int fault_fstat(void *self, int fd, lochan_stat *out) {
    (void)self;
    FAIL_OR(false, SYS->fstat(NULL, fd, out));
}

static int fault_stat(void *self, const char *path, bool follow, lochan_stat *out) {
    (void)self;
    FAIL_OR(false, SYS->stat(NULL, path, follow, out));
}

static int fault_rename(void *self, const char *from, const char *to) {
    (void)self;
    FAIL_OR(true, SYS->rename(NULL, from, to));
}

static int fault_link(void *self, const char *from, const char *to) {
    (void)self;
    FAIL_OR(true, SYS->link(NULL, from, to));
}

static int fault_unlink(void *self, const char *path) {
    (void)self;
    FAIL_OR(false, SYS->unlink(NULL, path));
}

static int fault_mkdir(void *self, const char *path, int mode) {
    (void)self;
    FAIL_OR(true, SYS->mkdir(NULL, path, mode));
}

static int fault_rmdir(void *self, const char *path) {
    (void)self;
    FAIL_OR(false, SYS->rmdir(NULL, path));
}

static const lochan_fs_ops fault_ops = {
    .open = fault_open,
    .close = fault_close,
    .pread = fault_pread,
    .pwrite = fault_pwrite,
    .truncate = fault_truncate,
    .sync = fault_sync,
    .sync_fs = fault_sync_fs,
    .fstat = fault_fstat,
    .stat = fault_stat,
    .rename = fault_rename,
    .link = fault_link,
    .unlink = fault_unlink,
    .mkdir = fault_mkdir,
    .rmdir = fault_rmdir,
};

static lochan_status fault_point(void *self, const char *name, lochan_error *err) {
    (void)self;
    if (!strikes(FAULT_POINT))
        return LOCHAN_OK;
    lochan_status code = LOCHAN_ERR_IO;
    if (err) {
        lochan_error_init(err);
        err->code = code;
        strncpy(err->message, name, sizeof err->message - 1);
    }
    return code;
}

static void set_counters(unsigned kind, long nth, bool persistent) {
    armed_kind = kind;
    armed_persistent = persistent;
    interrupted = false;
    atomic_store(&counted, 0);
    atomic_store(&fired, false);
    atomic_store(&sync_retried, false);
    for (int i = 0; i < MAX_FD; i++)
        atomic_store(&sync_failed[i], 0);
    atomic_store(&countdown, nth);
}

void fault_arm(unsigned kind, long nth, bool persistent) {
    set_counters(kind, nth, persistent);
    if (kind == FAULT_OOM)
        alloc_fail_at(nth, persistent);
    else if (kind == FAULT_POINT)
        lochan_failpoint__set(fault_point, NULL);
    else
        lochan_fs__set_ops(&fault_ops);
}

void fault_disarm(void) {
    alloc_fail_at(0, false);
    lochan_failpoint__set(NULL, NULL);
    lochan_fs__set_ops(NULL);
    armed_kind = 0;
    interrupted = false;
}

bool fault_fired(void) {
    return atomic_load(&fired) || alloc_fired();
}

long fault_counted(void) {
    return atomic_load(&counted);
}

bool fault_sync_retried(void) {
    return atomic_load(&sync_retried);
}

static int open_descriptors(void) {
    int n = 0;
    DIR *d = opendir("/proc/self/fd");
    while (d && readdir(d))
        n++;
    if (d)
        closedir(d);
    return n;
}

static const char *kind_name(unsigned kind) {
    switch (kind) {
    case FAULT_OOM:
        return "OOM";
    case FAULT_EIO:
        return "EIO";
    case FAULT_ENOSPC:
        return "ENOSPC";
    case FAULT_SHORT:
        return "short transfer";
    case FAULT_EINTR:
        return "EINTR";
    case FAULT_SYNC:
        return "failed sync";
    default:
        return "failpoint";
    }
}

typedef struct sweep {
    const fault_case *c;
    unsigned kind;
    bool persistent;
    long nth;
    fault_totals totals;
} sweep;

#define SWEEP_ASSERT(s, cond, ...)                                                                 \
    do {                                                                                           \
        if (!(cond)) {                                                                             \
            print_error("%s: %s %ld, %s:\n", (s)->c->name, kind_name((s)->kind), (s)->nth,         \
                        (s)->persistent ? "persistent" : "once");                                  \
            fail_msg(__VA_ARGS__);                                                                 \
        }                                                                                          \
    } while (0)

static void judge(const sweep *s, lochan_status rc, const lochan_error *err, bool struck) {
    bool harmless = s->kind == FAULT_EINTR || s->kind == FAULT_SHORT;
    if (rc != LOCHAN_OK) {
        SWEEP_ASSERT(s, struck, "failed without a fault: %s: %s", lochan_status_name(rc),
                     err->message);
        SWEEP_ASSERT(s, !harmless, "not completed: %s", err->message);
        SWEEP_ASSERT(s, err->code == rc, "returned %d, but err->code is %d", rc, err->code);
        SWEEP_ASSERT(s, err->message[0], "no message for %s", lochan_status_name(rc));
    }
}

/* One run. Returns whether the fault fired. */
static bool run_once(sweep *s) {
    const fault_case *c = s->c;
    lochan_error err;
    lochan_error_init(&err);
    long blocks = alloc_live();
    int descriptors = open_descriptors();
    if (c->prep)
        c->prep(c->ctx);
    fault_arm(s->kind, s->nth, s->persistent);
    lochan_status rc = c->body(c->ctx, &err);
    bool struck = fault_fired(), retried = fault_sync_retried();
    fault_disarm();
    s->totals.runs++;
    s->totals.failed += rc != LOCHAN_OK;
    s->totals.absorbed += struck && rc == LOCHAN_OK;
    judge(s, rc, &err, struck);
    SWEEP_ASSERT(s, !retried, "a failed sync was tried again on the same file");
    if (c->check)
        c->check(c->ctx, rc);
    SWEEP_ASSERT(s, alloc_live() == blocks, "%ld blocks of memory are left", alloc_live() - blocks);
    int after = open_descriptors();
    SWEEP_ASSERT(s, after == descriptors, "%d descriptors are left", after - descriptors);
    return struck;
}

static void sweep_half(sweep *s) {
    long max = s->c->max_runs ? s->c->max_runs : 100000, runs = 0;
    for (s->nth = 1; run_once(s);) {
        SWEEP_ASSERT(s, ++runs < max, "still failing after %ld runs", runs);
        bool sparse = s->c->dense && s->nth > s->c->dense;
        s->nth += sparse ? s->nth / 8 + 1 : 1;
    }
}

fault_totals fault_sweep(const fault_case *c) {
    sweep s = {.c = c};
    alloc_install();
    for (unsigned kind = 1; kind & FAULT_ALL; kind <<= 1) {
        if (!(c->kinds & kind))
            continue;
        s.kind = kind;
        for (int half = 0; half < (c->once_only ? 1 : 2); half++) {
            s.persistent = half == 1;
            sweep_half(&s);
        }
    }
    alloc_remove();
    return s.totals;
}
