/* test_snapshots.c - list, tags, as-of, diff, rollback, expire, gc. */
#include "support/clock_fake.h"
#include "table/lake_env.h"
#include <unistd.h>

#define ONE "2024-01-01 A 1 1\n2024-01-01 B 2 2\n2024-02-01 A 3 3\n"
#define TWO "2024-01-01 A 10 1\n2024-01-02 C 4 4\n"

/* Two states; returns the snapshots of both as text in a and b. */
static void two_states(lake_env *env, char a[24], char b[24]) {
    env_write(env, ONE);
    snprintf(a, 24, "%lld", (long long)env->snapshot);
    env_write(env, TWO);
    snprintf(b, 24, "%lld", (long long)env->snapshot);
}

static const char *read_as_of(lake_env *env, const char *as_of) {
    lochan_error err;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.as_of = as_of;
    assert_ok(env_try_read(env, &o, NULL, &err));
    return env->text;
}

static const char *diff(lake_env *env, const char *from, const char *to) {
    lochan_error err;
    struct ArrowArrayStream stream;
    assert_ok(lochan_lake_diff(env->lake, "test", "daily", from, to, &stream, &err));
    assert_ok(env_drain(env, &stream, &err));
    lochan_stream__release(&stream);
    return env->text;
}

static void test_snapshots__list_names_tags(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char a[24], b[24];
    struct ArrowArrayStream stream;
    int64_t id;
    two_states(env, a, b);
    assert_ok(lochan_lake_tag(env->lake, "good", a, NULL, &id, &err));
    assert_int_equal(id, atoll(a));
    assert_ok(lochan_lake_snapshots(env->lake, "test", "daily", -1, &stream, &err));
    assert_ok(env_drain(env, &stream, &err));
    lochan_stream__release(&stream);
    assert_non_null(strstr(env->text, "good"));
    assert_non_null(strstr(env->text, "update"));
    assert_string_equal(read_as_of(env, "good"), ONE);
    assert_string_equal(read_as_of(env, a), ONE);
    assert_ok(lochan_lake_tag(env->lake, "good", NULL, NULL, &id, &err));
    assert_int_equal(id, atoll(b));
    assert_ok(lochan_lake_untag(env->lake, "good", NULL, &err));
    assert_status(lochan_lake_untag(env->lake, "good", NULL, &err), LOCHAN_ERR_NOT_FOUND);
    assert_status(lochan_lake_tag(env->lake, "12", NULL, NULL, &id, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_lake_tag(env->lake, "2024-01-01", NULL, NULL, &id, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_lake_tag(env->lake, "x", "99", NULL, &id, &err), LOCHAN_ERR_NOT_FOUND);
    env_verify(env, false);
}

static void test_snapshots__diff_by_key(void **state) {
    lake_env *env = *state;
    char a[24], b[24];
    two_states(env, a, b);
    assert_string_equal(diff(env, a, b), "before 2024-01-01 A 1 1\nafter 2024-01-01 A 10 1\n"
                                         "added 2024-01-02 C 4 4\n");
    assert_string_equal(diff(env, b, a), "before 2024-01-01 A 10 1\nafter 2024-01-01 A 1 1\n"
                                         "removed 2024-01-02 C 4 4\n");
    assert_string_equal(diff(env, b, NULL), "");
    lochan_error err;
    struct ArrowArrayStream stream;
    assert_status(lochan_lake_diff(env->lake, "test", "daily", "77", NULL, &stream, &err),
                  LOCHAN_ERR_NOT_FOUND);
}

/* Rows of one key in different batches, many of them. */
static void test_snapshots__diff_of_many_rows(void **state) {
    lake_env *env = *state;
    char *rows = calloc(1, 40 * 30000 + 1);
    size_t n = 0;
    for (int i = 0; i < 30000; i++)
        n += (size_t)snprintf(rows + n, 40, "2024-01-01 A%05d 1 1\n", i);
    env_write(env, rows);
    char a[24];
    snprintf(a, sizeof a, "%lld", (long long)env->snapshot);
    for (char *p = rows; (p = strstr(p, " 1 1\n")); p += 5)
        p[3] = '2';
    env_write(env, rows);
    assert_int_equal(env->counts.rows_replaced, 30000);
    const char *text = diff(env, a, NULL);
    size_t lines = 0;
    for (const char *p = text; (p = strchr(p, '\n')); p++)
        lines++;
    assert_int_equal(lines, 60000);
    assert_null(strstr(text, "added"));
    free(rows);
}

static void test_snapshots__diff_without_a_key_counts(void **state) {
    lake_env *env = *state;
    char a[24];
    env->keyless = true;
    env_write(env, "2024-01-01 A 1 1\n2024-01-01 A 1 1\n2024-01-01 B 1 1\n");
    snprintf(a, sizeof a, "%lld", (long long)env->snapshot);
    env->mode = LOCHAN_WRITE_REPLACE_ALL;
    env_write(env, "2024-01-01 A 1 1\n2024-01-01 B 1 1\n2024-01-01 C 1 1\n2024-01-01 C 1 1\n");
    const char *text = diff(env, a, NULL);
    assert_non_null(strstr(text, "removed 1 2024-01-01 A 1 1\n"));
    assert_non_null(strstr(text, "added 2 2024-01-01 C 1 1\n"));
    assert_null(strstr(text, " B "));
}

static void test_snapshots__rollback(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char a[24], b[24];
    int64_t id;
    two_states(env, a, b);
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", a, NULL, &id, &err));
    assert_true(id > atoll(b));
    assert_string_equal(env_read(env, NULL), ONE);
    assert_string_equal(read_as_of(env, a), ONE);
    env_verify(env, false);
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", a, NULL, &id, &err));
    assert_string_equal(env_read(env, NULL), ONE);
    env_write(env, TWO); /* the table goes on */
    env_counts(env, 1, 1, 0);
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", b, NULL, &id, &err));
    assert_string_equal(diff(env, b, NULL), "");
    env_verify(env, false);
    env_reopen(env);
    env_verify(env, false);
}

static void age(void) {
    usleep(20000);
}

static void test_snapshots__expire_and_gc(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char a[24], b[24];
    two_states(env, a, b);
    lochan_expire_options x = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report expired;
    lochan_gc_options g = LOCHAN_GC_OPTIONS_INIT;
    lochan_gc_report removed;
    assert_ok(lochan_lake_expire(env->lake, &x, &expired, &err));
    assert_int_equal(expired.snapshots, 0); /* nothing is 30 days old */
    x.older_than = 0;
    assert_ok(lochan_lake_tag(env->lake, "good", a, NULL, NULL, &err));
    age();
    assert_ok(lochan_lake_expire(env->lake, &x, &expired, &err));
    assert_int_equal(expired.files, 0);
    assert_string_equal(read_as_of(env, "good"), ONE);
    assert_ok(lochan_lake_untag(env->lake, "good", NULL, &err));
    x.dry_run = true;
    assert_ok(lochan_lake_expire(env->lake, &x, &expired, &err));
    assert_int_equal(expired.files, 1);
    x.dry_run = false;
    assert_ok(lochan_lake_expire(env->lake, &x, &expired, &err));
    assert_int_equal(expired.snapshots, 1);
    assert_int_equal(expired.files, 1);
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.as_of = a;
    assert_status(env_try_read(env, &o, NULL, &err), LOCHAN_ERR_NOT_FOUND);
    assert_ok(lochan_lake_gc(env->lake, &g, &removed, NULL, &err));
    assert_int_equal(removed.files, 0);
    assert_int_equal(removed.waiting, 1);
    g.grace = 0;
    g.dry_run = true;
    age();
    struct ArrowArrayStream plan;
    assert_ok(lochan_lake_gc(env->lake, &g, &removed, &plan, &err));
    assert_ok(env_drain(env, &plan, &err));
    lochan_stream__release(&plan);
    assert_non_null(strstr(env->text, "data/test/daily/year=2024/month=01/"));
    g.dry_run = false;
    assert_ok(lochan_lake_gc(env->lake, &g, &removed, NULL, &err));
    assert_int_equal(removed.files, 1);
    assert_ok(lochan_lake_gc(env->lake, &g, &removed, NULL, &err));
    assert_int_equal(removed.files, 0);
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 10 1\n2024-01-01 B 2 2\n2024-01-02 C 4 4\n"
                        "2024-02-01 A 3 3\n");
    env_verify(env, false);
    env_reopen(env);
    env_write(env, ONE);
    env_verify(env, false);
}

static void test_snapshots__rolled_back_files_survive_gc(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char a[24], b[24];
    int64_t id;
    two_states(env, a, b);
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", a, NULL, &id, &err));
    lochan_expire_options x = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report expired;
    lochan_gc_options g = LOCHAN_GC_OPTIONS_INIT;
    lochan_gc_report removed;
    x.older_than = g.grace = 0;
    age();
    assert_ok(lochan_lake_expire(env->lake, &x, &expired, &err));
    age();
    assert_ok(lochan_lake_gc(env->lake, &g, &removed, NULL, &err));
    assert_int_equal(removed.files, 2); /* what was merged, under its old name, and the result */
    assert_string_equal(env_read(env, NULL), ONE);
    env_verify(env, false);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)

/* ---- by itself ---- */

#define DAY_NS (INT64_C(86400) * 1000000000)

static int64_t count_snapshots(lake_env *env) {
    lochan_error err;
    struct ArrowArrayStream stream;
    int64_t n = 0;
    assert_ok(lochan_lake_snapshots(env->lake, "test", "daily", -1, &stream, &err));
    assert_ok(env_drain(env, &stream, &err));
    lochan_stream__release(&stream);
    for (const char *s = env->text; *s; s++)
        n += *s == '\n';
    return n;
}

static void test_snapshots__old_ones_are_expired_by_a_publish(void **state) {
    lake_env *env = *state;
    lochan_error err;
    fake_clock_install(INT64_C(1704067200000000000) + INT64_C(4000) * DAY_NS, 7);
    env_write(env, "2024-01-01 A 1 1\n");
    int64_t made = count_snapshots(env) - 1; /* that of the table */
    env_write(env, "2024-01-02 A 2 2\n");
    assert_ok(lochan_lake_tag(env->lake, "kept", NULL, NULL, NULL, &err));
    fake_clock_advance(29 * DAY_NS);
    env_write(env, "2024-01-03 A 3 3\n");
    assert_int_equal(count_snapshots(env), made + 3);
    fake_clock_advance(2 * DAY_NS);
    env_write(env, "2024-01-03 A 3 3\n"); /* nothing new: no snapshot, and nothing is expired */
    assert_int_equal(count_snapshots(env), made + 3);
    env_write(env, "2024-01-04 A 4 4\n");
    assert_int_equal(count_snapshots(env), 3); /* the tagged one, of day 29 and of day 31 */
    assert_ok(lochan_lake_set_retention(env->lake, 86400, &err));
    env_write(env, "2024-01-05 A 5 5\n"); /* within the hour */
    assert_int_equal(count_snapshots(env), 4);
    fake_clock_advance(DAY_NS / 12);
    env_reopen(env); /* another process */
    env_write(env, "2024-01-06 A 6 6\n");
    assert_int_equal(count_snapshots(env), 4); /* that of day 29 went */
    assert_status(lochan_lake_set_retention(env->lake, -1, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    env_verify(env, false);
    fake_clock_remove();
}

/* ---- tokens ---- */

static bool is_committed(lake_env *env, const char *token) {
    lochan_error err;
    lochan_commit_state state;
    int64_t id;
    assert_ok(lochan_commit_status(env->lake, token, &state, &id, &err));
    return state == LOCHAN_COMMIT_DONE;
}

static void test_snapshots__tags_with_a_token_are_not_repeated(void **state) {
    lake_env *env = *state;
    lochan_error err;
    int64_t id, first;
    lochan_commit_options o = LOCHAN_COMMIT_OPTIONS_INIT;
    env_write(env, "2024-01-01 A 1 1\n");
    first = env->snapshot;
    o.token = "t1";
    assert_false(is_committed(env, "t1"));
    assert_ok(lochan_lake_tag(env->lake, "good", NULL, &o, &id, &err));
    assert_true(is_committed(env, "t1"));
    env_write(env, "2024-01-02 A 1 1\n");
    assert_ok(lochan_lake_tag(env->lake, "good", NULL, &o, &id, &err));
    assert_int_equal(id, first); /* it did not move */
    o.token = "t2";
    assert_ok(lochan_lake_untag(env->lake, "good", &o, &err));
    assert_ok(lochan_lake_untag(env->lake, "good", &o, &err)); /* without the token: NOT_FOUND */
    o.token = "t1";
    assert_ok(lochan_lake_tag(env->lake, "good", NULL, &o, &id, &err));
    assert_int_equal(id, -1);
    o.struct_size = 1;
    assert_status(lochan_lake_untag(env->lake, "good", &o, &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_snapshots__rollback_with_a_token_is_not_repeated(void **state) {
    lake_env *env = *state;
    lochan_error err;
    int64_t id, again;
    char a[24];
    lochan_commit_options o = LOCHAN_COMMIT_OPTIONS_INIT;
    env_write(env, "2024-01-01 A 1 1\n");
    snprintf(a, sizeof a, "%lld", (long long)env->snapshot);
    env_write(env, "2024-01-02 A 1 1\n");
    o.token = "back";
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", a, &o, &id, &err));
    env_write(env, "2024-01-03 A 1 1\n");
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", a, &o, &again, &err));
    assert_int_equal(again, id);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n2024-01-03 A 1 1\n");
    o.token = "nothing to do";
    snprintf(a, sizeof a, "%lld", (long long)env->snapshot);
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", a, &o, &id, &err));
    assert_int_equal(id, -1);
    assert_true(is_committed(env, "nothing to do"));
}

static void test_snapshots__expire_and_gc_with_a_token_are_not_repeated(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_expire_options x = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_gc_options g = LOCHAN_GC_OPTIONS_INIT;
    lochan_expire_report expired;
    lochan_gc_report removed;
    x.older_than = g.grace = 0;
    x.token = "expire";
    g.token = "gc";
    for (int round = 0; round < 2; round++) {
        env_write(env, "2024-01-01 A 1 1\n");
        env_write(env, round ? "2024-01-01 A 2 2\n" : "2024-01-01 A 3 3\n");
        x.dry_run = true; /* commits no token */
        assert_ok(lochan_lake_expire(env->lake, &x, &expired, &err));
        assert_int_equal(is_committed(env, "expire"), round);
        x.dry_run = false;
        assert_ok(lochan_lake_expire(env->lake, &x, &expired, &err));
        assert_int_equal(expired.snapshots > 0, !round);
        assert_ok(lochan_lake_gc(env->lake, &g, &removed, NULL, &err));
        assert_int_equal(removed.files > 0, !round);
        assert_true(is_committed(env, "expire") && is_committed(env, "gc"));
    }
    env_verify(env, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_snapshots__list_names_tags),
        TEST(test_snapshots__diff_by_key),
        TEST(test_snapshots__diff_of_many_rows),
        TEST(test_snapshots__diff_without_a_key_counts),
        TEST(test_snapshots__rollback),
        TEST(test_snapshots__expire_and_gc),
        TEST(test_snapshots__old_ones_are_expired_by_a_publish),
        TEST(test_snapshots__rolled_back_files_survive_gc),
        TEST(test_snapshots__tags_with_a_token_are_not_repeated),
        TEST(test_snapshots__rollback_with_a_token_is_not_repeated),
        TEST(test_snapshots__expire_and_gc_with_a_token_are_not_repeated),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
