/* pool.c - worker threads that serve a list of jobs; a job is a range of indices or a group's
 * queue. Invariants: one mutex guards the pool, its jobs and groups. A thread that waits runs only
 * tasks of what it waits for: so waits form a tree (no deadlock), and a task never runs inside an
 * unrelated one that may hold a lock. May call: status.h, mem.h, cancel.h.
 */
#include "base/pool.h"
#include "base/mem.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

#define MAX_THREADS 256

typedef struct task {
    lochan_task_fn fn;
    void *ctx;
    size_t index;
} task;

/* Work that threads can take from. Linked in the pool's list while it may have tasks to start. */
typedef struct job {
    struct job *next, *prev;
    bool linked;
    /* A range: the same fn for next_index .. count-1. */
    lochan_task_fn fn;
    void *ctx;
    size_t next_index, count;
    const lochan_cancel *cancel;
    bool stopped; /* no further index of a range is started */
    /* A queue: a ring of tasks, capacity 0 for a range. */
    task *ring;
    size_t ring_cap, ring_head, ring_len;

    size_t running;
    pthread_cond_t changed; /* a task ended or the ring has room */
    lochan_status rc;       /* of the lowest failed index */
    size_t failed_index;
    lochan_error error;
} job;

struct lochan_pool {
    pthread_mutex_t lock;
    pthread_cond_t work;
    job *first; /* the newest first: nested work ends sooner */
    bool closing;
    int threads; /* with the caller's own */
    int started;
    pthread_t workers[MAX_THREADS];
};

struct lochan_group {
    lochan_pool *pool; /* NULL: tasks run in submit */
    job job;
};

static void link_job(lochan_pool *pool, job *j) {
    if (j->linked)
        return;
    j->prev = NULL;
    j->next = pool->first;
    if (pool->first)
        pool->first->prev = j;
    pool->first = j;
    j->linked = true;
}

static void unlink_job(lochan_pool *pool, job *j) {
    if (!j->linked)
        return;
    if (j->prev)
        j->prev->next = j->next;
    else
        pool->first = j->next;
    if (j->next)
        j->next->prev = j->prev;
    j->linked = false;
}

/* Takes the next task of j, if it has one to start; unlinks j when that was the last. Under the
 * lock. */
static bool take_task(lochan_pool *pool, job *j, task *out) {
    bool got = false;
    if (j->ring_cap > 0) {
        if (j->ring_len > 0) {
            *out = j->ring[j->ring_head];
            j->ring_head = (j->ring_head + 1) % j->ring_cap;
            j->ring_len--;
            got = true;
            pthread_cond_broadcast(&j->changed); /* room for a submit that waits */
        }
        if (j->ring_len == 0)
            unlink_job(pool, j);
    } else {
        if (lochan_cancel__requested(j->cancel))
            j->stopped = true;
        if (!j->stopped && j->next_index < j->count) {
            *out = (task){j->fn, j->ctx, j->next_index++};
            got = true;
        }
        if (j->stopped || j->next_index >= j->count)
            unlink_job(pool, j);
    }
    if (got)
        j->running++;
    return got;
}

/* Keeps the error of the lowest index; equal indices keep the first. */
static void record(job *j, size_t index, lochan_status rc, const lochan_error *error) {
    if (rc == LOCHAN_OK)
        return;
    j->stopped = true;
    if (j->rc != LOCHAN_OK && j->failed_index <= index)
        return;
    j->rc = rc;
    j->failed_index = index;
    j->error = *error;
}

static lochan_status run_task(const task *t, lochan_error *error) {
    lochan_error_init(error);
    lochan_status rc = t->fn(t->ctx, t->index, error);
    if (rc != LOCHAN_OK && error->code == LOCHAN_OK)
        lochan_error__set(error, rc, "%s", lochan_status_text(rc));
    return rc;
}

/* Runs a task that was taken, with the lock released meanwhile. */
static void run_taken(lochan_pool *pool, job *j, const task *t) {
    lochan_error error;
    pthread_mutex_unlock(&pool->lock);
    lochan_status rc = run_task(t, &error);
    pthread_mutex_lock(&pool->lock);
    record(j, t->index, rc, &error);
    j->running--;
    pthread_cond_broadcast(&j->changed);
}

static void *worker(void *arg) {
    lochan_pool *pool = arg;
    pthread_mutex_lock(&pool->lock);
    for (;;) {
        task t;
        job *j = pool->first;
        if (j) {
            if (take_task(pool, j, &t))
                run_taken(pool, j, &t);
        } else if (pool->closing) {
            break;
        } else {
            pthread_cond_wait(&pool->work, &pool->lock);
        }
    }
    pthread_mutex_unlock(&pool->lock);
    return NULL;
}

static int processors(void) {
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > MAX_THREADS ? MAX_THREADS : (int)n;
}

lochan_status lochan_pool__create(int threads, lochan_pool **out, lochan_error *err) {
    *out = NULL;
    if (threads < 0 || threads > MAX_THREADS)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "number of threads is %d, expected 0 to %d", threads, MAX_THREADS);
    lochan_pool *pool = lochan_mem__zalloc(sizeof *pool);
    if (!pool)
        return lochan_error__nomem(err);
    pool->threads = threads ? threads : processors();
    pthread_mutex_init(&pool->lock, NULL);
    pthread_cond_init(&pool->work, NULL);
    for (; pool->started < pool->threads - 1; pool->started++) {
        int rc = pthread_create(&pool->workers[pool->started], NULL, worker, pool);
        if (rc != 0) {
            lochan_pool__free(pool);
            return lochan_error__sys(err, rc, "cannot start a thread");
        }
    }
    *out = pool;
    return LOCHAN_OK;
}

void lochan_pool__free(lochan_pool *pool) {
    if (!pool)
        return;
    pthread_mutex_lock(&pool->lock);
    pool->closing = true;
    pthread_cond_broadcast(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    for (int i = 0; i < pool->started; i++)
        pthread_join(pool->workers[i], NULL);
    pthread_cond_destroy(&pool->work);
    pthread_mutex_destroy(&pool->lock);
    lochan_mem__free(pool);
}

int lochan_pool__threads(const lochan_pool *pool) {
    return pool ? pool->threads : 1;
}

static void job_init(job *j) {
    memset(j, 0, offsetof(job, error));
    pthread_cond_init(&j->changed, NULL);
}

static lochan_status job_result(const job *j, lochan_error *err) {
    if (j->rc != LOCHAN_OK && err)
        *err = j->error;
    return j->rc;
}

static lochan_status run_serial(size_t count, lochan_task_fn fn, void *ctx,
                                const lochan_cancel *cancel, lochan_error *err) {
    for (size_t i = 0; i < count; i++) {
        lochan_error error;
        task t = {fn, ctx, i};
        LOCHAN_TRY(lochan_cancel__check(cancel, err));
        lochan_status rc = run_task(&t, &error);
        if (rc != LOCHAN_OK) {
            if (err)
                *err = error;
            return rc;
        }
    }
    return LOCHAN_OK;
}

lochan_status lochan_pool__for(lochan_pool *pool, size_t count, lochan_task_fn fn, void *ctx,
                               const lochan_cancel *cancel, lochan_error *err) {
    if (lochan_pool__threads(pool) == 1 || count <= 1)
        return run_serial(count, fn, ctx, cancel, err);
    job j;
    task t;
    job_init(&j);
    j.fn = fn;
    j.ctx = ctx;
    j.count = count;
    j.cancel = cancel;
    pthread_mutex_lock(&pool->lock);
    link_job(pool, &j);
    pthread_cond_broadcast(&pool->work);
    while (take_task(pool, &j, &t))
        run_taken(pool, &j, &t);
    while (j.running > 0)
        pthread_cond_wait(&j.changed, &pool->lock);
    pthread_mutex_unlock(&pool->lock);
    pthread_cond_destroy(&j.changed);
    lochan_status rc = job_result(&j, err);
    if (rc == LOCHAN_OK && j.next_index < count)
        rc = lochan_cancel__check(cancel, err);
    return rc;
}

lochan_status lochan_group__create(lochan_pool *pool, lochan_group **out, lochan_error *err) {
    *out = NULL;
    lochan_group *group = lochan_mem__zalloc(sizeof *group);
    if (!group)
        return lochan_error__nomem(err);
    job_init(&group->job);
    if (lochan_pool__threads(pool) > 1) {
        group->pool = pool;
        group->job.ring_cap = (size_t)pool->threads * 2;
        group->job.ring = lochan_mem__array(group->job.ring_cap, sizeof(task));
        if (!group->job.ring) {
            lochan_group__free(group);
            return lochan_error__nomem(err);
        }
    }
    *out = group;
    return LOCHAN_OK;
}

lochan_status lochan_group__submit(lochan_group *group, lochan_task_fn fn, void *ctx, size_t index,
                                   lochan_error *err) {
    (void)err; /* the place in the queue is there already: nothing can fail */
    lochan_pool *pool = group->pool;
    job *j = &group->job;
    task t = {fn, ctx, index}, mine;
    if (!pool) {
        lochan_error error;
        lochan_status rc = run_task(&t, &error);
        record(j, index, rc, &error);
        return LOCHAN_OK;
    }
    pthread_mutex_lock(&pool->lock);
    while (j->ring_len == j->ring_cap) {
        if (take_task(pool, j, &mine)) /* no room: do some of the work instead of waiting */
            run_taken(pool, j, &mine);
    }
    j->ring[(j->ring_head + j->ring_len++) % j->ring_cap] = t;
    link_job(pool, j);
    pthread_cond_signal(&pool->work);
    pthread_mutex_unlock(&pool->lock);
    return LOCHAN_OK;
}

bool lochan_group__failed(lochan_group *group) {
    if (!group->pool)
        return group->job.rc != LOCHAN_OK;
    pthread_mutex_lock(&group->pool->lock);
    bool failed = group->job.rc != LOCHAN_OK;
    pthread_mutex_unlock(&group->pool->lock);
    return failed;
}

lochan_status lochan_group__wait(lochan_group *group, lochan_error *err) {
    lochan_pool *pool = group->pool;
    job *j = &group->job;
    if (!pool)
        return job_result(j, err);
    task t;
    pthread_mutex_lock(&pool->lock);
    while (j->ring_len > 0 || j->running > 0) {
        if (take_task(pool, j, &t))
            run_taken(pool, j, &t);
        else
            pthread_cond_wait(&j->changed, &pool->lock);
    }
    lochan_status rc = job_result(j, err);
    pthread_mutex_unlock(&pool->lock);
    return rc;
}

void lochan_group__free(lochan_group *group) {
    if (!group)
        return;
    lochan_group__wait(group, NULL);
    pthread_cond_destroy(&group->job.changed);
    lochan_mem__free(group->job.ring);
    lochan_mem__free(group);
}
