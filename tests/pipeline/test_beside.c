/* Two updates of one dataset: beside each other where they ask for different days, one after the
 * other where they do not; and one that was stopped for longer than its lease publishes nothing. */
#include "pipeline/pipeline.h"

#include "base/clock.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const market small = {.days = 91, .assets = 5};

/* What else happens when the first update reaches a stage. */
struct rival {
    lochan_lake *lake;
    lochan_stage when;
    const char *start, *end;
    bool tried;
    lochan_status rc;
    lochan_update_report report;
    lochan_error err;
    pthread_t thread;
    atomic_bool waits, done;
    char reason[400];
};

static lochan_status run(lochan_lake *lake, const char *start, const char *end,
                         lochan_update_request request, lochan_update_report *report,
                         lochan_error *err) {
    request.source = "market";
    request.dataset = "daily";
    request.start = start;
    request.end = end;
    lochan_error_init(err);
    return lochan_update_run(lake, &request, report, err);
}

static lochan_lake *open_again(const pipe_lake *p, int64_t lock_timeout_ms) {
    lochan_lake_options options = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_lake *lake;
    lochan_error err;
    options.lock_timeout_ms = lock_timeout_ms;
    assert_ok(lochan_lake_open(p->path, &options, &lake, &err));
    return lake;
}

static bool is_time(struct rival *r, const lochan_progress *progress) {
    if (r->tried || progress->stage != r->when)
        return false;
    r->tried = true;
    return true;
}

/* The whole of the rival's update while the first stands still. */
static void update_between(void *payload, const lochan_progress *progress) {
    struct rival *r = payload;
    const lochan_update_request plain = LOCHAN_UPDATE_REQUEST_INIT;
    if (is_time(r, progress))
        r->rc = run(r->lake, r->start, r->end, plain, &r->report, &r->err);
}

/* ---- beside each other ---- */

static void beside(lochan_stage when, const char *extra) {
    pipe_lake p = pipe_start(small, NULL, extra);
    struct rival r = {
        .lake = open_again(&p, 0), .when = when, .start = "2020-03-01", .end = "2020-03-15"};
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-02-29", NULL, NULL, &err));
    request.progress = update_between;
    request.payload = &r;
    assert_ok(run(p.lake, "2020-03-16", "2020-03-31", request, &report, &err));
    assert_true(r.tried);
    if (r.rc != LOCHAN_OK)
        fail_msg("the rival failed: %s", r.err.message);
    assert_int_equal(r.report.rows_new, 15 * 5);
    assert_int_equal(report.rows_new, 16 * 5);
    assert_int_equal(r.report.pages_resumed, 0); /* nobody's pages were taken from him */
    assert_int_equal(report.pages_resumed, 0);
    pipe_expect(p.lake, small, 91);
    pipe_verify(p.lake);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err));
    assert_true(report.nothing_to_do); /* the ledger has what both did */
    lochan_lake_close(r.lake);
    pipe_stop(&p);
}

static void test_beside__other_days_are_fetched_at_the_same_time(void **state) {
    (void)state;
    beside(LOCHAN_STAGE_FETCH, "");
}

/* Both write the file of March: the second to publish merges once more. */
static void test_beside__one_publishes_after_the_other(void **state) {
    (void)state;
    beside(LOCHAN_STAGE_PUBLISH, "");
}

static void test_beside__replace_asset_keeps_what_the_other_wrote(void **state) {
    (void)state;
    beside(LOCHAN_STAGE_PUBLISH, "update_mode: replace_asset\n");
}

static void test_beside__replace_asset_with_empty_keeps_what_the_other_wrote(void **state) {
    (void)state;
    beside(LOCHAN_STAGE_PUBLISH,
           "update_mode: replace_asset\nupdate_options: {empty_removes: true}\n");
}

/* ---- the same days ---- */

static void note_waiting(void *payload, const lochan_progress *progress) {
    struct rival *r = payload;
    if (!progress->waiting_for || r->waits)
        return;
    snprintf(r->reason, sizeof r->reason, "%s", progress->waiting_for);
    r->waits = true;
}

static void *update_in_thread(void *arg) {
    struct rival *r = arg;
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    request.progress = note_waiting;
    request.payload = r;
    r->rc = run(r->lake, r->start, r->end, request, &r->report, &r->err);
    r->done = true;
    return NULL;
}

static void start_rival(void *payload, const lochan_progress *progress) {
    struct rival *r = payload;
    if (!is_time(r, progress))
        return;
    assert_int_equal(pthread_create(&r->thread, NULL, update_in_thread, r), 0);
    while (!r->waits && !r->done)
        usleep(1000);
}

static void test_beside__the_same_days_are_fetched_once(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, "");
    struct rival r = {.lake = open_again(&p, -1),
                      .when = LOCHAN_STAGE_FETCH,
                      .start = "2020-01-01",
                      .end = "2020-03-31"};
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    char pid[24];
    request.progress = start_rival;
    request.payload = &r;
    assert_ok(pipe_update(&p, "2020-02-29", &request, &report, &err));
    assert_int_equal(pthread_join(r.thread, NULL), 0);
    if (r.rc != LOCHAN_OK)
        fail_msg("the rival failed: %s", r.err.message);
    assert_true(r.waits);
    snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_non_null(strstr(r.reason, pid));
    assert_non_null(strstr(r.reason, "2020-01-01 to 2020-02-29"));
    assert_int_equal(r.report.scopes, 1); /* March: the rest was there by then */
    assert_int_equal(r.report.rows_new, 31 * 5);
    assert_int_equal(provider_stats(&p.provider).requests, 3);
    pipe_expect(p.lake, small, 91);
    lochan_lake_close(r.lake);
    pipe_stop(&p);
}

static void refused_between(const char *extra, const char *start, const char *end) {
    pipe_lake p = pipe_start(small, NULL, extra);
    struct rival r = {
        .lake = open_again(&p, 20), .when = LOCHAN_STAGE_FETCH, .start = start, .end = end};
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_error err;
    char pid[24];
    request.progress = update_between;
    request.payload = &r;
    assert_ok(pipe_update(&p, "2020-02-29", &request, NULL, &err));
    assert_true(r.tried);
    assert_int_equal(r.rc, LOCHAN_ERR_LOCKED);
    snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_non_null(strstr(r.err.message, pid)); /* names the holder */
    pipe_expect(p.lake, small, 60);
    lochan_lake_close(r.lake);
    pipe_stop(&p);
}

static void test_beside__waiting_ends_with_the_lock_timeout(void **state) {
    (void)state;
    refused_between("", "2020-02-10", "2020-03-31");
}

static void test_beside__snapshot_replace_has_the_dataset_for_itself(void **state) {
    (void)state;
    refused_between("update_mode: snapshot_replace\n", "2020-03-01", "2020-03-31");
}

static void disable_between(void *payload, const lochan_progress *progress) {
    struct rival *r = payload;
    if (is_time(r, progress))
        r->rc = lochan_dataset_enable(r->lake, "market", "daily", false, &r->err);
}

static void test_beside__a_dataset_is_not_changed_under_an_update(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, "");
    struct rival r = {.lake = open_again(&p, 0), .when = LOCHAN_STAGE_WRITE};
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_error err;
    request.progress = disable_between;
    request.payload = &r;
    assert_ok(pipe_update(&p, "2020-02-29", &request, NULL, &err));
    assert_int_equal(r.rc, LOCHAN_ERR_LOCKED);
    assert_ok(lochan_dataset_enable(r.lake, "market", "daily", false, &err));
    assert_status(pipe_update(&p, "2020-03-31", NULL, NULL, &err), LOCHAN_ERR_UNSUPPORTED);
    lochan_lake_close(r.lake);
    pipe_stop(&p);
}

/* ---- stopped ---- */

static int64_t two_minutes_on(void *self) {
    struct timespec t;
    (void)self;
    clock_gettime(CLOCK_REALTIME, &t);
    return ((int64_t)t.tv_sec + 120) * 1000000000 + t.tv_nsec;
}

static int64_t steady(void *self) {
    struct timespec t;
    (void)self;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void nap(void *self, int64_t ns) {
    (void)self;
    usleep((useconds_t)(ns / 1000));
}

static void dice(void *self, void *p, size_t n) {
    (void)self;
    assert_int_equal(getentropy(p, n), 0);
}

static const lochan_clock later = {two_minutes_on, steady, nap, dice, NULL};

static void stop_here(void *payload, const lochan_progress *progress) {
    bool *stopped = payload;
    if (*stopped || progress->stage != LOCHAN_STAGE_WRITE)
        return;
    *stopped = true;
    raise(SIGSTOP);
}

static pid_t start_and_stop(const pipe_lake *p) {
    pid_t pid = fork();
    if (pid == 0) {
        lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
        lochan_update_report report;
        lochan_lake *lake;
        lochan_error err;
        bool stopped = false;
        request.progress = stop_here;
        request.payload = &stopped;
        if (lochan_lake_open(p->path, NULL, &lake, &err) != LOCHAN_OK)
            _exit(250);
        lochan_status rc = run(lake, NULL, "2020-02-29", request, &report, &err);
        lochan_lake_close(lake);
        _exit((int)rc);
    }
    return pid;
}

static void test_beside__a_stopped_holder_cannot_publish(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, "");
    const lochan_update_request plain = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    lochan_error err;
    int status;
    lochan_lake_close(p.lake); /* a forked process has no other threads */
    pid_t pid = start_and_stop(&p);
    assert_int_equal(waitpid(pid, &status, WUNTRACED), pid);
    assert_true(WIFSTOPPED(status));
    p.lake = open_again(&p, 20);
    assert_status(run(p.lake, NULL, "2020-02-29", plain, &report, &err), LOCHAN_ERR_LOCKED);
    lochan_clock__set(&later);
    assert_ok(run(p.lake, NULL, "2020-02-29", plain, &report, &err));
    lochan_clock__set(NULL);
    assert_int_equal(report.pages_resumed, 0); /* the stopped one still lives */
    assert_int_equal(report.rows_new, 60 * 5);
    assert_int_equal(kill(pid, SIGCONT), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), LOCHAN_ERR_LOCKED);
    assert_int_equal(pipe_snapshot(p.lake), report.snapshot_id);
    pipe_expect(p.lake, small, 60);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_beside__other_days_are_fetched_at_the_same_time),
        cmocka_unit_test(test_beside__one_publishes_after_the_other),
        cmocka_unit_test(test_beside__replace_asset_keeps_what_the_other_wrote),
        cmocka_unit_test(test_beside__replace_asset_with_empty_keeps_what_the_other_wrote),
        cmocka_unit_test(test_beside__the_same_days_are_fetched_once),
        cmocka_unit_test(test_beside__waiting_ends_with_the_lock_timeout),
        cmocka_unit_test(test_beside__snapshot_replace_has_the_dataset_for_itself),
        cmocka_unit_test(test_beside__a_dataset_is_not_changed_under_an_update),
        cmocka_unit_test(test_beside__a_stopped_holder_cannot_publish),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
