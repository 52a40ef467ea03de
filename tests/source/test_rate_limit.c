/* test_rate_limit.c - limits by time and by number at once, over processes; where the state is kept
 * and what is in it. The clock is a fake one. */
#include "support/clock_fake.h"
#include "support/cmocka_all.h"
#include "support/tmpdir.h"

#include "base/fs.h"
#include "source/rate_limit.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND INT64_C(1000000000)
#define WALL   INT64_C(1793318400000000000)

static lochan_error err;
static char *home;

static int setup(void **state) {
    (void)state;
    home = tmpdir_make("limits");
    setenv("XDG_STATE_HOME", home, 1);
    setenv("LIMIT_TOKEN", "MARKED-TOKEN-0123456789", 1);
    fake_clock_install(WALL, 7);
    return 0;
}

static int teardown(void **state) {
    (void)state;
    fake_clock_remove();
    tmpdir_remove(home);
    unsetenv("XDG_STATE_HOME");
    return 0;
}

static lochan_rate_limit *open_as(const char *limits, const char *endpoint, const char *fallback) {
    char text[300];
    lochan_source_spec *spec;
    lochan_secret *secret;
    lochan_rate_limit *limit;
    lochan_format(text, sizeof text,
                  "name: s\nkind: http\nurl: http://h\nsecret: env:LIMIT_TOKEN\nrate_limit: {%s}\n",
                  limits);
    assert_ok(lochan_source_spec__parse(text, strlen(text), "s.yaml", &spec, &err));
    assert_ok(lochan_secret__load(spec->secret, &secret, &err));
    assert_ok(lochan_rate_limit__open(spec, endpoint, secret, fallback, &limit, &err));
    lochan_secret__free(secret);
    lochan_source_spec__free(spec);
    return limit;
}

/* The wait that a request is told, 0 = it may go. */
static int64_t ask(lochan_rate_limit *limit, int32_t *place) {
    int64_t wait;
    const char *why;
    int32_t ignored;
    assert_ok(lochan_rate_limit__take(limit, place ? place : &ignored, &wait, &why, &err));
    return wait;
}

static void test_rate_limit__by_time(void **state) {
    (void)state;
    lochan_rate_limit *limit = open_as("per_second: 2, per_minute: 3", "d", NULL);
    assert_int_equal(ask(limit, NULL), 0);
    fake_clock_advance(SECOND / 10);
    assert_int_equal(ask(limit, NULL), 0);
    assert_int_equal(ask(limit, NULL), SECOND - SECOND / 10); /* until the first is a second old */
    fake_clock_advance(SECOND);
    assert_int_equal(ask(limit, NULL), 0);
    assert_int_equal(ask(limit, NULL), 60 * SECOND - SECOND - SECOND / 10);
    fake_clock_advance(59 * SECOND);
    assert_int_equal(ask(limit, NULL), 0);
    /* A clock that is set back makes nobody wait longer than the limit's own time. */
    fake_clock_set_wall(WALL - 3600 * SECOND);
    assert_true(ask(limit, NULL) <= 60 * SECOND);
    lochan_rate_limit__close(limit);
}

static void test_rate_limit__shared(void **state) {
    (void)state;
    lochan_rate_limit *one = open_as("per_minute: 2", "d", NULL);
    lochan_rate_limit *two = open_as("per_minute: 2", "other", NULL);
    lochan_rate_limit *own = open_as("per_minute: 2, scope: endpoint", "other", NULL);
    assert_int_equal(ask(one, NULL), 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(ask(two, NULL) == 0 ? 0 : 1);
    int status;
    waitpid(pid, &status, 0);
    assert_int_equal(status, 0);
    assert_int_equal(ask(one, NULL), 60 * SECOND);
    assert_int_equal(ask(two, NULL), 60 * SECOND);
    assert_int_equal(ask(own, NULL), 0); /* an endpoint with limits of its own */
    setenv("LIMIT_TOKEN", "another token", 1);
    lochan_rate_limit *token = open_as("per_minute: 2", "d", NULL);
    assert_int_equal(ask(token, NULL), 0);
    lochan_rate_limit__close(one);
    lochan_rate_limit__close(two);
    lochan_rate_limit__close(own);
    lochan_rate_limit__close(token);
}

static void test_rate_limit__places(void **state) {
    (void)state;
    int32_t a, b, c;
    lochan_rate_limit *one = open_as("concurrent: 2", "d", NULL);
    lochan_rate_limit *two = open_as("concurrent: 2", "d", NULL);
    assert_int_equal(ask(one, &a), 0);
    assert_int_equal(ask(two, &b), 0);
    assert_true(ask(one, &c) > 0);
    lochan_rate_limit__give(two, b);
    assert_int_equal(ask(one, &c), 0);
    assert_true(ask(two, &b) > 0);
    lochan_rate_limit__close(one); /* as a killed process would */
    assert_int_equal(ask(two, &b), 0);
    lochan_rate_limit__close(two);
}

static lochan_status look(void *ctx, const char *name, const lochan_stat *st, lochan_error *e) {
    (void)st, (void)e;
    char path[600];
    size_t n;
    lochan_format(path, sizeof path, "%s/%s", (const char *)ctx, name);
    char *text = tmpdir_read(path, &n);
    assert_null(strstr(name, "MARKED"));
    assert_null(memmem(text, n, "MARKED", 6));
    free(text);
    return LOCHAN_OK;
}

static void test_rate_limit__no_secret_in_it(void **state) {
    (void)state;
    setenv("LIMIT_TOKEN", "MARKED-TOKEN-0123456789", 1);
    lochan_rate_limit *limit = open_as("per_day: 5", "d", NULL);
    assert_int_equal(ask(limit, NULL), 0);
    lochan_rate_limit__close(limit);
    char folder[600];
    lochan_format(folder, sizeof folder, "%s/lochan/limits", home);
    assert_ok(lochan_fs__list(folder, look, folder, &err));
}

static void test_rate_limit__falls_back_to_the_lake(void **state) {
    (void)state;
    char file[600];
    lochan_format(file, sizeof file, "%s/file", home);
    tmpdir_write(file, "x", 1);
    setenv("XDG_STATE_HOME", file, 1); /* no folder */
    lochan_rate_limit *limit = open_as("per_day: 1", "d", home);
    assert_int_equal(ask(limit, NULL), 0);
    assert_true(ask(limit, NULL) > 0);
    lochan_rate_limit__close(limit);
    lochan_format(file, sizeof file, "%s/data/limits/salt", home);
    assert_true(tmpdir_exists(file));
    setenv("XDG_STATE_HOME", home, 1);
}

static void test_rate_limit__damaged_state_begins_anew(void **state) {
    (void)state;
    lochan_rate_limit *limit = open_as("per_day: 1", "damaged", NULL);
    assert_int_equal(ask(limit, NULL), 0);
    lochan_rate_limit__close(limit);
    char folder[600];
    lochan_format(folder, sizeof folder, "%s/lochan/limits", home);
    limit = open_as("per_day: 7", "damaged", NULL); /* raised: the ring was too small */
    for (int i = 0; i < 7; i++)
        assert_int_equal(ask(limit, NULL), 0);
    assert_true(ask(limit, NULL) > 0);
    lochan_rate_limit__close(limit);
    lochan_rate_limit *none = open_as("scope: source", "d", NULL);
    assert_null(none);
    lochan_rate_limit__close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_rate_limit__by_time, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit__shared, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit__places, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit__no_secret_in_it, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit__falls_back_to_the_lake, setup, teardown),
        cmocka_unit_test_setup_teardown(test_rate_limit__damaged_state_begins_anew, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
