/* test_pool.c - parallel ranges, groups, nesting, errors, cancelling. Every case runs with 1 to 8
 * threads. */
#include "support/alloc.h"
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "base/clock.h"
#include "base/mem.h"
#include "base/pool.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { MANY = 2000 };

static const int thread_counts[] = {1, 2, 3, 8};

static lochan_pool *make_pool(int threads) {
    lochan_error err;
    lochan_pool *pool;
    assert_ok(lochan_pool__create(threads, &pool, &err));
    return pool;
}

static lochan_status count_one(void *ctx, size_t index, lochan_error *err) {
    (void)err;
    _Atomic int *counts = ctx;
    atomic_fetch_add(&counts[index], 1);
    return LOCHAN_OK;
}

static void test_pool__for_runs_each_index_once(void **state) {
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(thread_counts); i++) {
        static _Atomic int counts[MANY];
        lochan_pool *pool = make_pool(thread_counts[i]);
        assert_int_equal(lochan_pool__threads(pool), thread_counts[i]);
        for (int k = 0; k < MANY; k++)
            counts[k] = 0;
        assert_ok(lochan_pool__for(pool, MANY, count_one, counts, NULL, &err));
        assert_ok(lochan_pool__for(pool, 0, count_one, counts, NULL, &err));
        assert_ok(lochan_pool__for(pool, 1, count_one, counts, NULL, &err));
        assert_int_equal(counts[0], 2);
        for (int k = 1; k < MANY; k++)
            assert_int_equal(counts[k], 1);
        lochan_pool__free(pool);
    }
    _Atomic int one = 0;
    assert_ok(lochan_pool__for(NULL, 1, count_one, &one, NULL, &err));
    assert_int_equal(one, 1);
    assert_int_equal(lochan_pool__threads(NULL), 1);
    lochan_pool__free(NULL);
}

static void test_pool__thread_counts(void **state) {
    (void)state;
    lochan_error err;
    lochan_pool *pool;
    assert_int_equal(lochan_pool__create(-1, &pool, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(pool);
    assert_int_equal(lochan_pool__create(100000, &pool, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    pool = make_pool(0);
    assert_true(lochan_pool__threads(pool) >= 1);
    lochan_pool__free(pool);
}

typedef struct failing {
    size_t first_bad;
    _Atomic size_t ran;
} failing;

static lochan_status fail_from(void *ctx, size_t index, lochan_error *err) {
    failing *f = ctx;
    atomic_fetch_add(&f->ran, 1);
    if (index < f->first_bad)
        return LOCHAN_OK;
    if (index == f->first_bad)
        lochan_clock__sleep_ns(200000); /* the later ones are faster */
    return lochan_error__set(err, LOCHAN_ERR_PAGE, "index %zu", index);
}

static void test_pool__for_returns_the_lowest_failed_index(void **state) {
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(thread_counts); i++) {
        lochan_pool *pool = make_pool(thread_counts[i]);
        for (size_t bad = 0; bad < 50; bad += 7) {
            failing f = {.first_bad = bad};
            char expected[32];
            snprintf(expected, sizeof expected, "index %zu", bad);
            assert_int_equal(lochan_pool__for(pool, MANY, fail_from, &f, NULL, &err),
                             LOCHAN_ERR_PAGE);
            assert_string_equal(err.message, expected);
            assert_true(f.ran < MANY);
            f.ran = 0;
            assert_int_equal(lochan_pool__for(pool, MANY, fail_from, &f, NULL, NULL),
                             LOCHAN_ERR_PAGE);
        }
        lochan_pool__free(pool);
    }
}

static lochan_status fail_mutely(void *ctx, size_t index, lochan_error *err) {
    (void)ctx, (void)index, (void)err;
    return LOCHAN_ERR_SCHEMA;
}

static void test_pool__a_mute_failure_gets_a_text(void **state) {
    (void)state;
    lochan_error err;
    lochan_pool *pool = make_pool(2);
    assert_int_equal(lochan_pool__for(pool, 5, fail_mutely, NULL, NULL, &err), LOCHAN_ERR_SCHEMA);
    assert_int_equal(err.code, LOCHAN_ERR_SCHEMA);
    assert_string_equal(err.message, "schema mismatch");
    lochan_pool__free(pool);
}

typedef struct cancelling {
    lochan_cancel cancel;
    _Atomic int ran;
} cancelling;

static lochan_status cancel_at_ten(void *ctx, size_t index, lochan_error *err) {
    (void)index, (void)err;
    cancelling *c = ctx;
    if (atomic_fetch_add(&c->ran, 1) + 1 == 10)
        atomic_store(&c->cancel.requested, 1);
    return LOCHAN_OK;
}

static void test_pool__cancel_stops_a_range(void **state) {
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(thread_counts); i++) {
        lochan_pool *pool = make_pool(thread_counts[i]);
        cancelling c = {.ran = 0};
        assert_int_equal(lochan_pool__for(pool, MANY, cancel_at_ten, &c, &c.cancel, &err),
                         LOCHAN_ERR_CANCELLED);
        assert_in_range(c.ran, 10, 10 + thread_counts[i]);
        c.ran = 0;
        assert_int_equal(lochan_pool__for(pool, MANY, cancel_at_ten, &c, &c.cancel, &err),
                         LOCHAN_ERR_CANCELLED);
        assert_int_equal(c.ran, 0);
        cancelling last = {.ran = 0}; /* asked for when nothing was left to start */
        assert_ok(lochan_pool__for(pool, 10, cancel_at_ten, &last, &last.cancel, &err));
        lochan_pool__free(pool);
    }
}

typedef struct nest {
    lochan_pool *pool;
    int depth;
    _Atomic int *leaves;
} nest;

static lochan_status go_down(void *ctx, size_t index, lochan_error *err) {
    nest *n = ctx;
    (void)index;
    if (n->depth == 0) {
        atomic_fetch_add(n->leaves, 1);
        return LOCHAN_OK;
    }
    nest deeper = {n->pool, n->depth - 1, n->leaves};
    if (index % 2)
        return lochan_pool__for(n->pool, 4, go_down, &deeper, NULL, err);
    lochan_group *g;
    LOCHAN_TRY(lochan_group__create(n->pool, &g, err));
    lochan_status rc = LOCHAN_OK;
    for (size_t i = 0; i < 4; i++)
        LOCHAN_TRYG(lochan_group__submit(g, go_down, &deeper, i, err));
    LOCHAN_TRYG(lochan_group__wait(g, err));
done:
    lochan_group__free(g);
    return rc;
}

static void test_pool__nested_work_does_not_deadlock(void **state) {
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(thread_counts); i++) {
        _Atomic int leaves = 0;
        lochan_pool *pool = make_pool(thread_counts[i]);
        nest n = {pool, 5, &leaves};
        assert_ok(lochan_pool__for(pool, 4, go_down, &n, NULL, &err));
        assert_int_equal(leaves, 4096);
        lochan_pool__free(pool);
    }
}

typedef struct outer {
    lochan_pool *pool;
    pthread_mutex_t lock;
    int in_lock;
} outer;

static lochan_status nothing(void *ctx, size_t index, lochan_error *err) {
    (void)ctx, (void)index, (void)err;
    lochan_clock__sleep_ns(10000);
    return LOCHAN_OK;
}

/* Holds a lock while it waits for nested work: fatal if the wait ran another task of this kind. */
static lochan_status lock_and_nest(void *ctx, size_t index, lochan_error *err) {
    (void)index;
    outer *o = ctx;
    pthread_mutex_lock(&o->lock);
    assert_int_equal(o->in_lock++, 0);
    lochan_status rc = lochan_pool__for(o->pool, 4, nothing, NULL, NULL, err);
    o->in_lock--;
    pthread_mutex_unlock(&o->lock);
    return rc;
}

static void test_pool__a_waiting_thread_runs_nothing_unrelated(void **state) {
    (void)state;
    lochan_error err;
    outer o = {.pool = make_pool(4)};
    pthread_mutex_init(&o.lock, NULL);
    assert_ok(lochan_pool__for(o.pool, 100, lock_and_nest, &o, NULL, &err));
    pthread_mutex_destroy(&o.lock);
    lochan_pool__free(o.pool);
}

static void test_pool__group_runs_everything(void **state) {
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(thread_counts); i++) {
        static _Atomic int counts[MANY];
        for (int k = 0; k < MANY; k++)
            counts[k] = 0;
        lochan_pool *pool = make_pool(thread_counts[i]);
        lochan_group *g;
        assert_ok(lochan_group__create(pool, &g, &err));
        assert_ok(lochan_group__wait(g, &err)); /* of nothing */
        for (size_t k = 0; k < MANY; k++)
            assert_ok(lochan_group__submit(g, count_one, counts, k, &err));
        assert_ok(lochan_group__wait(g, &err));
        for (int k = 0; k < MANY; k++)
            assert_int_equal(counts[k], 1);
        for (size_t k = 0; k < 10; k++) /* and again; free waits */
            assert_ok(lochan_group__submit(g, count_one, counts, k, &err));
        assert_false(lochan_group__failed(g));
        lochan_group__free(g);
        for (int k = 0; k < 10; k++)
            assert_int_equal(counts[k], 2);
        lochan_pool__free(pool);
    }
    lochan_group__free(NULL);
}

static lochan_status free_and_fail(void *ctx, size_t index, lochan_error *err) {
    lochan_mem__free(ctx);
    return index % 10 == 7 ? lochan_error__set(err, LOCHAN_ERR_PAGE, "index %zu", index)
                           : LOCHAN_OK;
}

static void test_pool__group_runs_tasks_after_a_failure_too(void **state) {
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(thread_counts); i++) {
        lochan_pool *pool = make_pool(thread_counts[i]);
        lochan_group *g;
        assert_ok(lochan_group__create(pool, &g, &err));
        for (size_t k = 0; k < 200; k++) /* each owns its memory: a task left out would leak */
            assert_ok(lochan_group__submit(g, free_and_fail, lochan_mem__alloc(8), 199 - k, &err));
        assert_int_equal(lochan_group__wait(g, &err), LOCHAN_ERR_PAGE);
        assert_string_equal(err.message, "index 7");
        assert_true(lochan_group__failed(g));
        lochan_group__free(g);
        lochan_pool__free(pool);
    }
}

typedef struct gate {
    _Atomic int open, running, most;
} gate;

static lochan_status wait_at_gate(void *ctx, size_t index, lochan_error *err) {
    (void)err;
    gate *g = ctx;
    int now = atomic_fetch_add(&g->running, 1) + 1;
    if (now > atomic_load(&g->most))
        atomic_store(&g->most, now);
    while (index < 3 && !atomic_load(&g->open))
        lochan_clock__sleep_ns(100000);
    atomic_fetch_sub(&g->running, 1);
    return LOCHAN_OK;
}

/* With all workers held up, submit must not pile up tasks: the caller does the work instead. */
static void test_pool__group_queue_is_bounded(void **state) {
    (void)state;
    lochan_error err;
    lochan_pool *pool = make_pool(4);
    lochan_group *g;
    gate held = {0};
    assert_ok(lochan_group__create(pool, &g, &err));
    for (size_t k = 0; k < 3; k++)
        assert_ok(lochan_group__submit(g, wait_at_gate, &held, k, &err));
    while (atomic_load(&held.running) < 3)
        lochan_clock__sleep_ns(100000);
    long made = alloc_made();
    for (size_t k = 3; k < 1000; k++)
        assert_ok(lochan_group__submit(g, wait_at_gate, &held, k, &err));
    assert_int_equal(alloc_made(), made);
    atomic_store(&held.open, 1);
    assert_ok(lochan_group__wait(g, &err));
    lochan_group__free(g);
    assert_int_equal(held.most, 4); /* three workers and the caller */
    lochan_pool__free(pool);
}

typedef struct chain {
    lochan_group *group;
    _Atomic int ran;
} chain;

static lochan_status submit_more(void *ctx, size_t index, lochan_error *err) {
    chain *c = ctx;
    atomic_fetch_add(&c->ran, 1);
    if (index == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_group__submit(c->group, submit_more, c, index - 1, err));
    return lochan_group__submit(c->group, submit_more, c, index - 1, err);
}

static void test_pool__tasks_may_submit_to_their_own_group(void **state) {
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(thread_counts); i++) {
        lochan_pool *pool = make_pool(thread_counts[i]);
        chain c = {.ran = 0};
        assert_ok(lochan_group__create(pool, &c.group, &err));
        assert_ok(lochan_group__submit(c.group, submit_more, &c, 8, &err));
        assert_ok(lochan_group__wait(c.group, &err));
        assert_int_equal(c.ran, 511);
        lochan_group__free(c.group);
        lochan_pool__free(pool);
    }
}

static void *use_pool(void *arg) {
    lochan_pool *pool = arg;
    for (int i = 0; i < 50; i++) {
        _Atomic int counts[40];
        for (int k = 0; k < 40; k++)
            counts[k] = 0;
        if (lochan_pool__for(pool, 40, count_one, counts, NULL, NULL) != LOCHAN_OK)
            return arg;
        for (int k = 0; k < 40; k++) {
            if (counts[k] != 1)
                return arg;
        }
    }
    return NULL;
}

static void test_pool__many_callers_share_one_pool(void **state) {
    (void)state;
    lochan_pool *pool = make_pool(3);
    pthread_t t[5];
    for (int i = 0; i < 5; i++)
        assert_int_equal(pthread_create(&t[i], NULL, use_pool, pool), 0);
    for (int i = 0; i < 5; i++) {
        void *failed;
        pthread_join(t[i], &failed);
        assert_null(failed);
    }
    lochan_pool__free(pool);
}

static lochan_status make_and_use(void *ctx, lochan_error *err) {
    (void)ctx;
    lochan_pool *pool;
    lochan_group *g = NULL;
    _Atomic int counts[5] = {0};
    LOCHAN_TRY(lochan_pool__create(3, &pool, err));
    lochan_status rc;
    LOCHAN_TRYG(lochan_group__create(pool, &g, err));
    for (size_t i = 0; i < 5; i++)
        LOCHAN_TRYG(lochan_group__submit(g, count_one, counts, i, err));
    LOCHAN_TRYG(lochan_group__wait(g, err));
done:
    lochan_group__free(g);
    lochan_pool__free(pool);
    return rc;
}

static void test_pool__out_of_memory(void **state) {
    (void)state;
    fault_totals t =
        fault_sweep(&(fault_case){.name = "pool", .body = make_and_use, .kinds = FAULT_OOM});
    assert_int_equal(t.failed, 6); /* pool, group and ring, once and persistently */
    alloc_install();
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, alloc_setup, alloc_teardown)

int main(void) {
    alarm(120); /* a deadlock ends the test */
    const struct CMUnitTest tests[] = {
        CASE(test_pool__for_runs_each_index_once),
        CASE(test_pool__thread_counts),
        CASE(test_pool__for_returns_the_lowest_failed_index),
        CASE(test_pool__a_mute_failure_gets_a_text),
        CASE(test_pool__cancel_stops_a_range),
        CASE(test_pool__nested_work_does_not_deadlock),
        CASE(test_pool__a_waiting_thread_runs_nothing_unrelated),
        CASE(test_pool__group_runs_everything),
        CASE(test_pool__group_runs_tasks_after_a_failure_too),
        CASE(test_pool__group_queue_is_bounded),
        CASE(test_pool__tasks_may_submit_to_their_own_group),
        CASE(test_pool__many_callers_share_one_pool),
        CASE(test_pool__out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
