/* kill.h - run a function in a forked child and kill it (SIGKILL) at a failpoint or after a while.
 * Invariant: the parent must have no other thread at the time of the call (a forked child has only
 * the caller's); the child never returns into the test.
 *
 *     kill_trace trace;
 *     kill_list(body, ctx, &trace);                     // which failpoints does a whole run pass?
 *     for (size_t n = 1; n <= trace.count; n++) {
 *         prepare();
 *         kill_result r = kill_at(body, ctx, n, NULL, NULL);
 *         assert_true(r.reached);
 *         look_at_what_is_left();
 *     }
 */
#ifndef TEST_SUPPORT_KILL_H
#define TEST_SUPPORT_KILL_H

#include <lochan/error.h>
#include <stdbool.h>
#include <stddef.h>

typedef lochan_status (*kill_body)(void *ctx, lochan_error *err);

enum { KILL_NAME = 64, KILL_MAX = 4096 };

typedef struct kill_trace {
    size_t count;                    /* failpoints passed, also beyond KILL_MAX */
    char names[KILL_MAX][KILL_NAME]; /* in order */
} kill_trace;

typedef struct kill_result {
    bool reached;  /* the failpoint was, and the child was killed there */
    bool finished; /* the body returned: rc and err are its result */
    lochan_status rc;
    lochan_error err;
    char name[KILL_NAME]; /* of the failpoint at which it was killed */
    size_t passed;        /* failpoints passed before the end */
} kill_result;

/* Runs body to its end in a child and lists what it passed. */
kill_result kill_list(kill_body body, void *ctx, kill_trace *out);

/* Kills at the nth failpoint (1..). last_act, if not NULL, runs in the child just before (e.g.
 * torn_power_cut). */
kill_result kill_at(kill_body body, void *ctx, size_t nth, void (*last_act)(void *), void *act_ctx);
/* The same at the nth time the failpoint of this name is passed. */
kill_result kill_at_name(kill_body body, void *ctx, const char *name, size_t nth,
                         void (*last_act)(void *), void *act_ctx);
/* Kills after so many nanoseconds, wherever the child is; finished tells whether it was too late.
 */
kill_result kill_after(kill_body body, void *ctx, long long ns);

#endif
