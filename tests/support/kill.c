/* kill.c - see kill.h. Child and parent share one mapping, which outlives the child. */
#include "support/kill.h"
#include "support/cmocka_all.h"

#include "base/cancel.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

typedef struct shared {
    kill_trace trace;
    bool finished, reached;
    lochan_status rc;
    lochan_error err;
    char name[KILL_NAME];
} shared;

typedef struct plan {
    shared *s;
    size_t nth; /* 0 = never */
    const char *name;
    size_t seen;
    void (*last_act)(void *);
    void *act_ctx;
} plan;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static lochan_status pass_failpoint(void *self, const char *name, lochan_error *err) {
    (void)err;
    plan *p = self;
    pthread_mutex_lock(&lock);
    if (p->s->trace.count < KILL_MAX)
        snprintf(p->s->trace.names[p->s->trace.count], KILL_NAME, "%s", name);
    p->s->trace.count++;
    if (p->nth && (!p->name || strcmp(p->name, name) == 0) && ++p->seen == p->nth) {
        snprintf(p->s->name, KILL_NAME, "%s", name);
        p->s->reached = true;
        if (p->last_act)
            p->last_act(p->act_ctx);
        kill(getpid(), SIGKILL);
        for (;;)
            pause();
    }
    pthread_mutex_unlock(&lock);
    return LOCHAN_OK;
}

static shared *map_shared(void) {
    shared *s = mmap(NULL, sizeof *s, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (s == MAP_FAILED)
        fail_msg("mmap: %s", strerror(errno));
    return s;
}

static pid_t start_child(kill_body body, void *ctx, plan *p) {
    fflush(NULL);
    pid_t child = fork();
    if (child < 0)
        fail_msg("fork: %s", strerror(errno));
    if (child == 0) {
        lochan_failpoint__set(pass_failpoint, p);
        lochan_error_init(&p->s->err);
        p->s->rc = body(ctx, &p->s->err);
        p->s->finished = true;
        fflush(NULL);
        _exit(0);
    }
    return child;
}

/* Waits; a child that ended in any way but its own end or SIGKILL fails the test. */
static kill_result end_of_child(pid_t child, shared *s, kill_trace *trace) {
    int status;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    kill_result r = {.reached = s->reached,
                     .finished = s->finished,
                     .rc = s->rc,
                     .err = s->err,
                     .passed = s->trace.count};
    memcpy(r.name, s->name, sizeof r.name);
    if (trace)
        *trace = s->trace;
    munmap(s, sizeof *s);
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    bool ended = WIFEXITED(status) && WEXITSTATUS(status) == 0 && r.finished;
    if (!killed && !ended)
        fail_msg("the child ended by itself, wait status 0x%x", (unsigned)status);
    return r;
}

kill_result kill_list(kill_body body, void *ctx, kill_trace *out) {
    plan p = {.s = map_shared()};
    return end_of_child(start_child(body, ctx, &p), p.s, out);
}

kill_result kill_at(kill_body body, void *ctx, size_t nth, void (*last_act)(void *),
                    void *act_ctx) {
    return kill_at_name(body, ctx, NULL, nth, last_act, act_ctx);
}

kill_result kill_at_name(kill_body body, void *ctx, const char *name, size_t nth,
                         void (*last_act)(void *), void *act_ctx) {
    plan p = {.s = map_shared(), .nth = nth, .name = name, .last_act = last_act};
    p.act_ctx = act_ctx;
    return end_of_child(start_child(body, ctx, &p), p.s, NULL);
}

kill_result kill_after(kill_body body, void *ctx, long long ns) {
    plan p = {.s = map_shared()};
    pid_t child = start_child(body, ctx, &p);
    struct timespec t = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
    nanosleep(&t, NULL);
    kill(child, SIGKILL);
    return end_of_child(child, p.s, NULL);
}
