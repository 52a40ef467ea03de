/* stream_tasks.c - the threads of a stream. Whoever is free takes the first task that is ready, in
 * the order of the units: the consumer while it waits for the next batch, helpers of the pool also
 * while it is away, as far ahead as AHEAD_BYTES allows. Invariants: batches leave in the order of
 * the file, and an error where its rows would have been: that of the lowest leaf of the first unit
 * that failed, whatever the timing. A helper ends when nothing is ready. May call: base/, arrow/,
 * the rest of parquet/.
 */
#include "parquet/stream_own.h"

enum {
    AHEAD_BYTES = 32 << 20, /* of batches behind the one that comes next */
    MOST_UNITS = 32,
    MOST_LEAVES = 1024,  /* in all units: they are looked through under the lock */
    ROWS_FOR_HELP = 2048 /* less is done sooner than another thread wakes up */
};

typedef enum task_kind { TASK_PLAN, TASK_READ, TASK_TEST, TASK_JOIN } task_kind;

typedef struct stream_task {
    task_kind kind;
    lochan_pq_unit *unit;
    size_t leaf;
} stream_task;

static size_t n_first(const lochan_pq_stream *s) {
    return s->plan.first.n_slots;
}

static size_t n_leaves(const lochan_pq_stream *s) {
    return s->plan.first.n_slots + s->plan.rest.n_slots;
}

/* ---- which task is ready (under the lock) ---- */

static size_t size_of(const lochan_pq_unit *u) {
    return u->bytes > u->expected ? u->bytes : u->expected;
}

/* The same, where sums must not overflow. */
static size_t capped(const lochan_pq_unit *u) {
    return size_of(u) < AHEAD_BYTES ? size_of(u) : AHEAD_BYTES;
}

static bool may_plan(const lochan_pq_stream *s) {
    size_t ahead = s->tail ? size_of(s->tail) : 0;
    if (s->planned || s->planning || s->failed)
        return false;
    if (!s->head)
        return true;
    if (!s->helpers || s->bounded || s->n_units >= MOST_UNITS ||
        s->n_units * n_leaves(s) >= MOST_LEAVES)
        return false;
    for (const lochan_pq_unit *u = s->head->next; u && ahead <= AHEAD_BYTES; u = u->next)
        ahead += capped(u);
    return ahead <= AHEAD_BYTES;
}

/* Whether the leaf has done with the units of the row group before this one. */
static bool is_turn(const lochan_pq_unit *u, size_t leaf) {
    const lochan_pq_unit *before = u->previous;
    while (before && before->stage == LOCHAN_PQ_STAGE_READY && before->kept == 0)
        before = before->previous; /* of which only the predicate's leaves were read */
    return !before || before->states[leaf] == LOCHAN_PQ_LEAF_DONE;
}

static bool find_leaf(const lochan_pq_stream *s, lochan_pq_unit *u, stream_task *task) {
    size_t end = u->stage == LOCHAN_PQ_STAGE_FIRST ? n_first(s) : n_leaves(s);
    if (u->rc != LOCHAN_OK && u->failed < end)
        end = u->failed;
    while (u->from < end && u->states[u->from] != LOCHAN_PQ_LEAF_WAITS)
        u->from++;
    for (size_t i = u->from; i < end; i++) {
        if (u->states[i] != LOCHAN_PQ_LEAF_WAITS || !is_turn(u, i))
            continue;
        *task = (stream_task){TASK_READ, u, i};
        return true;
    }
    return false;
}

static bool find_in_unit(const lochan_pq_stream *s, lochan_pq_unit *u, stream_task *task) {
    switch (u->stage) {
    case LOCHAN_PQ_STAGE_FIRST:
    case LOCHAN_PQ_STAGE_REST:
        return find_leaf(s, u, task);
    case LOCHAN_PQ_STAGE_TEST:
        *task = (stream_task){TASK_TEST, u, 0};
        return !u->busy && u->rc == LOCHAN_OK;
    case LOCHAN_PQ_STAGE_JOIN:
        *task = (stream_task){TASK_JOIN, u, 0};
        return !u->busy && u->rc == LOCHAN_OK;
    default:
        return false;
    }
}

static bool find_task(const lochan_pq_stream *s, stream_task *task) {
    size_t ahead = 0;
    if (s->closing)
        return false;
    *task = (stream_task){.kind = TASK_PLAN};
    if (may_plan(s))
        return true;
    /* What was planned may turn out larger than expected: it waits then. */
    for (lochan_pq_unit *u = s->head; u && ahead <= AHEAD_BYTES; u = u->next) {
        if (find_in_unit(s, u, task))
            return true;
        if (u->rc != LOCHAN_OK) /* what comes behind it is not wanted */
            return false;
        if (u != s->head)
            ahead += capped(u);
    }
    return false;
}

static bool is_complete(const lochan_pq_stream *s, const lochan_pq_unit *u) {
    if (u->rc == LOCHAN_OK || u->running > 0)
        return u->stage == LOCHAN_PQ_STAGE_READY;
    size_t i = u->stage == LOCHAN_PQ_STAGE_REST ? n_first(s) : 0;
    while (i < u->failed && u->states[i] != LOCHAN_PQ_LEAF_WAITS)
        i++;
    return i >= u->failed;
}

/* ---- tasks begin and end (under the lock) ---- */

static void begin(lochan_pq_stream *s, const stream_task *task) {
    if (task->kind == TASK_PLAN) {
        s->planning = true;
        return;
    }
    task->unit->running++;
    if (task->kind == TASK_READ)
        task->unit->states[task->leaf] = LOCHAN_PQ_LEAF_RUNS;
    else
        task->unit->busy = true;
}

/* Moves the unit on when nothing of its stage is left. */
static void advance(const lochan_pq_stream *s, lochan_pq_unit *u) {
    if (u->stage == LOCHAN_PQ_STAGE_FIRST) {
        u->stage = LOCHAN_PQ_STAGE_TEST;
    } else if (u->stage == LOCHAN_PQ_STAGE_TEST) {
        u->from = n_first(s);
        u->left = n_leaves(s) - n_first(s);
        u->stage = u->kept == 0   ? LOCHAN_PQ_STAGE_READY
                   : u->left == 0 ? LOCHAN_PQ_STAGE_JOIN
                                  : LOCHAN_PQ_STAGE_REST;
    } else {
        u->stage++;
    }
}

static void fail(lochan_pq_stream *s, lochan_pq_unit *u, size_t leaf, lochan_status rc,
                 const lochan_error *error) {
    s->failed = true;
    if (u->rc != LOCHAN_OK && u->failed <= leaf)
        return;
    u->rc = rc;
    u->failed = leaf;
    u->error = *error;
}

static void end_in_unit(lochan_pq_stream *s, const stream_task *task, size_t bytes,
                        lochan_status rc, const lochan_error *error) {
    lochan_pq_unit *u = task->unit;
    bool reads = task->kind == TASK_READ;
    u->running--;
    u->busy = false;
    u->bytes += bytes;
    if (reads)
        u->states[task->leaf] = LOCHAN_PQ_LEAF_DONE;
    if (rc != LOCHAN_OK)
        fail(s, u, task->leaf, rc, error);
    else if (!reads || --u->left == 0)
        advance(s, u);
}

/* unit: what was planned, NULL: the end; rc: or a failure, for which a unit takes its place. */
static void end_plan(lochan_pq_stream *s, lochan_pq_unit *unit) {
    s->planning = false;
    s->planned = !unit || !unit->group;
    if (!unit)
        return;
    if (s->tail && s->tail->group == unit->group)
        unit->previous = s->tail;
    if (s->tail)
        s->tail->next = unit;
    else
        s->head = unit;
    s->tail = unit;
    s->n_units++;
    if (!unit->group)
        return;
    unit->group->users++;
    unit->left = n_first(s);
    unit->stage = LOCHAN_PQ_STAGE_FIRST;
    if (unit->left == 0)
        advance(s, unit);
}

/* ---- work ---- */

static void plan(lochan_pq_stream *s) {
    lochan_error error;
    lochan_pq_unit *unit;
    lochan_error_init(&error);
    pthread_mutex_unlock(&s->lock);
    lochan_status rc = lochan_pq_stream__plan(s, &unit, &error);
    pthread_mutex_lock(&s->lock);
    if (rc == LOCHAN_OK) {
        end_plan(s, unit);
        return;
    }
    unit = &s->unplanned;
    fail(s, unit, 0, rc, &error);
    end_plan(s, unit);
}

static void work(lochan_pq_stream *s, const stream_task *task) {
    lochan_error error;
    lochan_status rc;
    size_t bytes = 0;
    lochan_error_init(&error);
    pthread_mutex_unlock(&s->lock);
    if (task->kind == TASK_READ)
        rc = lochan_pq_unit__read(s, task->unit, task->leaf, &bytes, &error);
    else if (task->kind == TASK_TEST)
        rc = lochan_pq_unit__test(s, task->unit, &error);
    else
        rc = lochan_pq_unit__join(s, task->unit, &error);
    if (rc != LOCHAN_OK && error.code == LOCHAN_OK)
        lochan_error__set(&error, rc, "%s", lochan_status_text(rc));
    pthread_mutex_lock(&s->lock);
    end_in_unit(s, task, bytes, rc, &error);
}

static lochan_status help(void *ctx, size_t index, lochan_error *err);

/* Calls a helper if a task worth it is ready. Its place in the queue is there, so this never waits:
 * there are fewer helpers than threads. */
static void call_helper(lochan_pq_stream *s) {
    stream_task task;
    if (!s->helpers || s->n_helpers >= s->most_helpers || !find_task(s, &task) || !task.unit ||
        (task.unit->rows < ROWS_FOR_HELP && !s->bounded))
        return;
    s->n_helpers++;
    (void)lochan_group__submit(s->helpers, help, s, 0, NULL);
}

static bool do_task(lochan_pq_stream *s) {
    stream_task task;
    if (!find_task(s, &task))
        return false;
    begin(s, &task);
    call_helper(s);
    if (task.kind == TASK_PLAN)
        plan(s);
    else
        work(s, &task);
    if (s->waiting)
        pthread_cond_signal(&s->changed);
    return true;
}

static lochan_status help(void *ctx, size_t index, lochan_error *err) {
    lochan_pq_stream *s = ctx;
    (void)index, (void)err; /* errors belong to units */
    pthread_mutex_lock(&s->lock);
    while (do_task(s)) {
    }
    s->n_helpers--;
    pthread_mutex_unlock(&s->lock);
    return LOCHAN_OK;
}

/* ---- the consumer ---- */

/* Frees the row group with its last user. */
static void leave(lochan_pq_stream *s, lochan_pq_open_group *group) {
    pthread_mutex_lock(&s->lock);
    bool last = --group->users == 0;
    pthread_mutex_unlock(&s->lock);
    if (last)
        lochan_pq_open_group__close(group);
}

void lochan_pq_stream__leave_group(lochan_pq_stream *s) {
    lochan_pq_open_group *group = s->open;
    s->open = NULL;
    leave(s, group);
}

/* Takes the first unit, which is ready, out of the stream. */
static void pop(lochan_pq_stream *s, struct ArrowArray *out) {
    lochan_pq_unit *u = s->head;
    s->head = u->next;
    if (!s->head)
        s->tail = NULL;
    else if (s->head->previous == u)
        s->head->previous = NULL;
    s->n_units--;
    pthread_mutex_unlock(&s->lock);
    lochan_array__move(&u->out, out);
    leave(s, u->group);
    lochan_pq_unit__free(s, u);
    pthread_mutex_lock(&s->lock);
}

/* Whether the unit, which failed, may be read as fewer rows at a time: it is the only one. */
static bool may_retry(const lochan_pq_stream *s, const lochan_pq_unit *u) {
    return u->rc == LOCHAN_ERR_MEMORY_LIMIT && s->bounded && u->group && u->group == s->open &&
           !u->next && u->rows > LOCHAN_PQ_MIN_BATCH_ROWS;
}

static lochan_status retry(lochan_pq_stream *s, lochan_error *err) {
    lochan_pq_unit *u = s->head;
    int64_t row = u->row, rows = u->rows;
    s->head = s->tail = NULL;
    s->n_units--;
    s->failed = false;
    s->planning = true; /* by us */
    pthread_mutex_unlock(&s->lock);
    leave(s, u->group);
    lochan_pq_unit__free(s, u);
    lochan_status rc = lochan_pq_stream__back(s, row, rows, err);
    pthread_mutex_lock(&s->lock);
    s->planning = false;
    return rc;
}

/* One step towards the next batch: *done at a batch, the end or an error. */
static lochan_status step(lochan_pq_stream *s, struct ArrowArray *out, bool *done,
                          lochan_error *err) {
    const lochan_pq_unit *u = s->head;
    LOCHAN_TRY(lochan_cancel__check(s->reader->file.ctx.cancel, err));
    if (u && is_complete(s, u)) {
        if (may_retry(s, u))
            return retry(s, err);
        if (u->rc != LOCHAN_OK && err)
            *err = u->error;
        if (u->rc != LOCHAN_OK)
            return u->rc;
        pop(s, out);
        *done = out->release != NULL;
        return LOCHAN_OK;
    }
    *done = !u && s->planned && !s->planning;
    if (*done || do_task(s))
        return LOCHAN_OK;
    s->waiting = true;
    pthread_cond_wait(&s->changed, &s->lock);
    s->waiting = false;
    return LOCHAN_OK;
}

lochan_status lochan_pq_stream__next(lochan_pq_stream *s, struct ArrowArray *out,
                                     lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    bool done = false;
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&s->lock);
    while (rc == LOCHAN_OK && !done)
        rc = step(s, out, &done, err);
    s->closing = s->closing || rc != LOCHAN_OK; /* nobody asks for more */
    if (rc == LOCHAN_OK)
        call_helper(s);
    pthread_mutex_unlock(&s->lock);
    return rc;
}

void lochan_pq_stream__stop(lochan_pq_stream *s) {
    pthread_mutex_lock(&s->lock);
    s->closing = true;
    pthread_mutex_unlock(&s->lock);
    lochan_group__free(s->helpers);
    while (s->head) {
        lochan_pq_unit *u = s->head;
        s->head = u->next;
        if (!u->group)
            continue;
        leave(s, u->group);
        lochan_pq_unit__free(s, u);
    }
    if (s->open)
        lochan_pq_stream__leave_group(s);
}
