/* test_compact_beside.c - a commit of somebody else while a compaction has written its files and
 * not published them: no row is lost, none comes twice, and what was touched is left for the next
 * call. */
#include "table/lake_env.h"

/* Somebody else: writes once, when the compaction comes by a place. */
typedef struct other {
    lake_env *env;
    const char *place, *text;
} other;

static lochan_status on_failpoint(void *self, const char *name, lochan_error *err) {
    other *o = self;
    const char *text = o->text;
    if (!text || strcmp(name, o->place) != 0)
        return LOCHAN_OK;
    o->text = NULL;
    lake_env beside = {.path = o->env->path, .keyless = o->env->keyless, .threads = 1};
    beside.upkeep = o->env->upkeep;
    env_open(&beside);
    lochan_status rc = env_try_write(&beside, text, err);
    lochan_lake_close(beside.lake);
    return rc;
}

static lochan_compact_report compact_beside(lake_env *env, bool cluster, const char *place,
                                            const char *text) {
    lochan_error err;
    lochan_compact_report r;
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    other somebody = {env, place, text};
    o.full = !cluster;
    o.cluster = cluster;
    lochan_failpoint__set(on_failpoint, &somebody);
    lochan_status rc = lochan_lake_compact(env->lake, "test", "daily", &o, &r, NULL, &err);
    lochan_failpoint__set(NULL, NULL);
    assert_ok(rc);
    return r;
}

static void write_days(lake_env *env, int month, int from, int to) {
    char text[128];
    for (int d = from; d <= to; d++) {
        snprintf(text, sizeof text, "2024-%02d-%02d A %d 1\n2024-%02d-%02d B %d 2\n", month, d, d,
                 month, d, d);
        env_write(env, text);
    }
}

static const char *const places[] = {"table.compact.written", "table.compact.durable"};

/* Of the two months one is touched: that one stays as it is. */
static void check_dropped(lake_env *env, bool cluster, const char *place, const char *text,
                          const char *expected) {
    write_days(env, 1, 2, 4);
    write_days(env, 2, 1, 3);
    lochan_compact_report r = compact_beside(env, cluster, place, text);
    assert_int_equal(r.conflicts, 1);
    assert_int_equal(r.groups, 1);
    assert_string_equal(env_read(env, "time < '2024-02-01'"), expected);
    assert_int_equal(env_files(env), 4 + (strstr(expected, "2024-01-03 C") != NULL));
    env_verify(env, false); /* nor is a file left over */
    r = compact_beside(env, cluster, place, NULL);
    assert_int_equal(r.conflicts, 0);
    assert_int_equal(env_files(env), 2);
    env_verify(env, false);
}

#define REST "2024-01-04 A 4 1\n2024-01-04 B 4 2\n"
#define DAY2 "2024-01-02 A 2 1\n2024-01-02 B 2 2\n"

static void test_compact_beside__a_merge_into_its_files(void **state) {
    check_dropped(*state, false, places[0], "2024-01-03 A 33 1\n",
                  DAY2 "2024-01-03 A 33 1\n2024-01-03 B 3 2\n" REST);
}

static void test_compact_beside__a_merge_just_before_the_commit(void **state) {
    check_dropped(*state, false, places[1], "2024-01-03 A 33 1\n",
                  DAY2 "2024-01-03 A 33 1\n2024-01-03 B 3 2\n" REST);
}

/* Its keys lie between those of two files, so that it is a file of its own. */
static void test_compact_beside__a_new_file_among_its_keys(void **state) {
    check_dropped(*state, false, places[0], "2024-01-03 C 3 3\n",
                  DAY2 "2024-01-03 A 3 1\n2024-01-03 B 3 2\n2024-01-03 C 3 3\n" REST);
}

static void test_compact_beside__a_merge_into_a_partition_to_be_clustered(void **state) {
    static const char *const columns[] = {"asset_id", "time"};
    lake_env *env = *state;
    env->upkeep = (lochan_upkeep){.cluster = columns, .n_cluster = 2};
    check_dropped(env, true, places[0], "2024-01-03 A 33 1\n",
                  DAY2 "2024-01-03 A 33 1\n2024-01-03 B 3 2\n" REST);
}

static void test_compact_beside__keys_behind_its_own_are_no_conflict(void **state) {
    lake_env *env = *state;
    write_days(env, 1, 2, 4);
    lochan_compact_report r = compact_beside(env, false, places[0], "2024-01-09 A 9 1\n");
    assert_true(r.conflicts == 0 && r.groups == 1);
    assert_int_equal(env_files(env), 2);
    assert_string_equal(env_read(env, NULL),
                        DAY2 "2024-01-03 A 3 1\n2024-01-03 B 3 2\n" REST "2024-01-09 A 9 1\n");
    env_verify(env, false);
}

static void test_compact_beside__an_append_stays_beside_it(void **state) {
    lake_env *env = *state;
    env->keyless = true;
    write_days(env, 1, 2, 4);
    lochan_compact_report r = compact_beside(env, false, places[1], DAY2);
    assert_true(r.conflicts == 0 && r.groups == 1 && r.files_joined == 3);
    assert_int_equal(env_files(env), 2);
    const char *rows = env_read(env, NULL);
    assert_int_equal(strlen(rows), strlen(DAY2 "2024-01-03 A 3 1\n2024-01-03 B 3 2\n" REST DAY2));
    env_verify(env, false);
    assert_int_equal(compact_beside(env, false, places[0], NULL).groups, 1);
    assert_int_equal(env_files(env), 1);
    assert_int_equal(strlen(env_read(env, NULL)),
                     strlen(DAY2 "2024-01-03 A 3 1\n2024-01-03 B 3 2\n" REST DAY2));
    env_verify(env, false);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_compact_beside__a_merge_into_its_files),
        TEST(test_compact_beside__a_merge_just_before_the_commit),
        TEST(test_compact_beside__a_new_file_among_its_keys),
        TEST(test_compact_beside__a_merge_into_a_partition_to_be_clustered),
        TEST(test_compact_beside__keys_behind_its_own_are_no_conflict),
        TEST(test_compact_beside__an_append_stays_beside_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
