/* fault.h - the fault sweep: run a body again and again, failing its 1st, 2nd, ... operation until
 * none fails.
 *
 *     static void prep(void *ctx);                             // from scratch, no fault is armed
 *     static lochan_status body(void *ctx, lochan_error *err); // what is tested
 *     static void check(void *ctx, lochan_status rc);          // whole, with or without the body's
 * work; frees it
 *
 *     fault_sweep(&(fault_case){.name = "commit", .prep = prep, .body = body, .check = check, .ctx
 * = &ctx, .kinds = FAULT_ALL});
 *
 * Each kind of fault is swept once (only the N-th operation fails) and persistently (it and all
 * later ones fail). After every run the sweep itself asserts: a failed body filled its error;
 * interruptions and short transfers do not fail it; a failed sync was not tried again on the same
 * file; no block of memory is left; no descriptor is left; and the run in which no fault fired
 * succeeded.
 *
 * Invariant: replaces the allocator table, the file operations and the failpoint hook, and restores
 * the defaults after it.
 */
#ifndef TEST_SUPPORT_FAULT_H
#define TEST_SUPPORT_FAULT_H

#include <lochan/error.h>
#include <stdbool.h>

enum {
    FAULT_OOM = 1,    /* the N-th allocation */
    FAULT_EIO = 2,    /* the N-th operation on files */
    FAULT_ENOSPC = 4, /* the N-th operation that may need space */
    FAULT_SHORT = 8,  /* the N-th read or write moves half of the bytes */
    FAULT_EINTR = 16, /* the N-th operation is interrupted; persistently: each is, once */
    FAULT_SYNC = 32,  /* the N-th fsync, fdatasync or syncfs */
    FAULT_POINT = 64, /* the N-th failpoint fails with IO */
    FAULT_FILES = FAULT_EIO | FAULT_ENOSPC | FAULT_SHORT | FAULT_EINTR | FAULT_SYNC,
    FAULT_ALL = FAULT_OOM | FAULT_FILES | FAULT_POINT
};

typedef struct fault_case {
    const char *name;
    void (*prep)(void *ctx); /* may be NULL */
    lochan_status (*body)(void *ctx, lochan_error *err);
    void (*check)(void *ctx, lochan_status rc); /* may be NULL; runs without faults */
    void *ctx;
    unsigned kinds;
    bool once_only; /* leave out the persistent half */
    long dense;     /* every N up to here, then steps of an eighth of N; 0 = every N */
    long max_runs;  /* of one kind and half; ends the sweep with a failure; 0 = 100000 */
} fault_case;

typedef struct fault_totals {
    long runs;     /* of the body */
    long failed;   /* of them ended with an error */
    long absorbed; /* a fault fired and the body succeeded all the same */
} fault_totals;

fault_totals fault_sweep(const fault_case *c);

/* The pieces, for tests that need one fault at a chosen place. Arming counts from 1. */
void fault_arm(unsigned kind, long nth, bool persistent);
void fault_disarm(void);  /* restores the defaults; asks nothing */
bool fault_fired(void);   /* since the last arm */
long fault_counted(void); /* operations of that kind since the last arm */
bool fault_sync_retried(void);

#endif
