/* test_cluster.c - partitions that rest, sorted by other columns: what readers, merges, verify,
 * diff and rollback make of them; thresholds kept with the table; by itself. */
#include "base/clock.h"
#include "support/clock_fake.h"
#include "table/lake_template.h"
#include <lochan/log.h>

static const char *const by_asset[] = {"asset_id", "time"};

static void cluster_env(lake_env *env) {
    env->upkeep = (lochan_upkeep){.cluster = by_asset, .n_cluster = 2, .cluster_after_days = 10};
}

/* A file a day, three assets. */
static void write_days(lake_env *env, int month, int from, int to) {
    char text[160];
    for (int d = from; d <= to; d++) {
        snprintf(text, sizeof text,
                 "2024-%02d-%02d A %d 1\n2024-%02d-%02d B %d 2\n2024-%02d-%02d C - 3\n", month, d,
                 d, month, d, d, month, d);
        env_write(env, text);
    }
}

static lochan_status try_cluster(lake_env *env, bool now, lochan_compact_report *r,
                                 lochan_error *err) {
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    o.cluster = now;
    return lochan_lake_compact(env->lake, "test", "daily", &o, r, NULL, err);
}

static lochan_compact_report cluster(lake_env *env, bool now) {
    lochan_error err;
    lochan_compact_report r;
    assert_ok(try_cluster(env, now, &r, &err));
    return r;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The lines of a text, sorted. */
static char *sorted_lines(const char *text) {
    char *copy = strdup(text), *lines[2000], *out = calloc(1, strlen(text) + 1);
    size_t n = 0;
    for (char *p = strtok(copy, "\n"); p && n < 2000; p = strtok(NULL, "\n"))
        lines[n++] = p;
    qsort(lines, n, sizeof *lines, by_text);
    for (size_t i = 0, at = 0; i < n; i++)
        at += (size_t)sprintf(out + at, "%s\n", lines[i]);
    free(copy);
    return out;
}

static void assert_same_rows(lake_env *env, const char *expected) {
    char *now = sorted_lines(env_read(env, NULL));
    assert_string_equal(now, expected);
    free(now);
}

static void test_cluster__sorts_a_partition_anew(void **state) {
    lake_env *env = *state;
    cluster_env(env);
    write_days(env, 1, 1, 5);
    write_days(env, 2, 1, 2);
    char *rows = sorted_lines(env_read(env, NULL));
    lochan_compact_report r = cluster(env, true);
    assert_int_equal(r.groups, 2);
    assert_int_equal(r.groups_clustered, 2);
    assert_int_equal(r.rows, 21);
    assert_int_equal(env_files(env), 2);
    assert_same_rows(env, rows);
    const char *text = env_read(env, NULL);
    assert_int_equal(strncmp(text, "2024-01-01 A", 12), 0); /* the asset's days follow */
    assert_non_null(strstr(text, "2024-01-05 A 5 1\n2024-01-01 B 1 2\n"));
    assert_string_equal(env_read(env, "asset_id = 'B' and time >= '2024-02-01'"),
                        "2024-02-01 B 1 2\n2024-02-02 B 2 2\n");
    env_verify(env, false);
    assert_int_equal(cluster(env, true).groups, 0); /* once */
    free(rows);
}

static void test_cluster__waits_until_a_partition_rests(void **state) {
    lake_env *env = *state;
    cluster_env(env);
    write_days(env, 1, 1, 3);
    assert_int_equal(cluster(env, false).groups, 0);
    fake_clock_install(lochan_clock__wall_ns() + 11 * INT64_C(86400000000000), 1);
    write_days(env, 2, 1, 3);
    lochan_compact_report r = cluster(env, false);
    fake_clock_remove();
    assert_int_equal(r.groups_clustered, 1);
    assert_int_equal(env_files(env), 4);
    env_verify(env, false);
}

static void test_cluster__a_merge_puts_the_order_back(void **state) {
    lake_env *env = *state;
    cluster_env(env);
    write_days(env, 1, 1, 5);
    write_days(env, 2, 1, 2);
    char *before = strdup(env_read(env, NULL));
    cluster(env, true);
    env_write(env, "2024-01-03 B 3 2\n"); /* known */
    env_counts(env, 0, 0, 1);
    assert_int_equal(env->counts.files_written, 0);
    env_write(env, "2024-01-03 B 33 2\n2024-01-09 A 9 1\n");
    env_counts(env, 1, 1, 0);
    assert_int_equal(env->counts.files_retired, 1);
    assert_string_equal(env_read(env, "time >= '2024-01-03' and time < '2024-02-01'"),
                        "2024-01-03 A 3 1\n2024-01-03 B 33 2\n2024-01-03 C - 3\n"
                        "2024-01-04 A 4 1\n2024-01-04 B 4 2\n2024-01-04 C - 3\n"
                        "2024-01-05 A 5 1\n2024-01-05 B 5 2\n2024-01-05 C - 3\n2024-01-09 A 9 1\n");
    env_verify(env, false);
    env_write(env, "2024-01-03 B 3 2\n");
    env->mode = LOCHAN_WRITE_REPLACE_ASSETS;
    lochan_replace_scope scope = {.asset = "A", .day_from = 19731, .day_to = 19731};
    env->scopes = &scope; /* 2024-01-09 */
    env->n_scopes = 1;
    env->add = true;
    cluster(env, true);
    env_write(env, "");
    assert_int_equal(env->counts.rows_removed, 1);
    char *now = sorted_lines(env_read(env, NULL)), *then = sorted_lines(before);
    assert_string_equal(now, then);
    env_verify(env, false);
    free(now);
    free(then);
    free(before);
}

static void test_cluster__appends_go_beside_it(void **state) {
    lake_env *env = *state;
    env->keyless = true;
    cluster_env(env);
    write_days(env, 1, 1, 4);
    assert_int_equal(cluster(env, true).groups_clustered, 1);
    write_days(env, 1, 1, 9); /* the same days again */
    char *rows = sorted_lines(env_read(env, NULL));
    lochan_compact_report r = cluster(env, false);
    assert_true(r.groups == 1 && r.files_joined == 9 && r.groups_clustered == 0);
    assert_int_equal(env_files(env), 2); /* never joined with the clustered one */
    assert_same_rows(env, rows);
    env_verify(env, false);
    assert_int_equal(cluster(env, true).groups_clustered, 1);
    assert_int_equal(env_files(env), 1);
    assert_same_rows(env, rows);
    env_verify(env, false);
    free(rows);
}

static void test_cluster__keeps_known_at(void **state) {
    lake_env *env = *state;
    env->point_in_time = true;
    cluster_env(env);
    write_days(env, 1, 1, 4);
    char *rows = sorted_lines(env_read(env, NULL));
    cluster(env, true);
    assert_same_rows(env, rows);
    free(rows);
}

static void test_cluster__diff_and_rollback_see_the_same_rows(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char a[24], b[24];
    struct ArrowArrayStream diff = {0};
    cluster_env(env);
    write_days(env, 1, 1, 4);
    char *rows = sorted_lines(env_read(env, NULL));
    snprintf(a, sizeof a, "%lld", (long long)env->snapshot);
    snprintf(b, sizeof b, "%lld", (long long)cluster(env, true).snapshot_id);
    assert_ok(lochan_lake_diff(env->lake, "test", "daily", a, b, &diff, &err));
    assert_ok(env_drain(env, &diff, &err));
    lochan_stream__release(&diff);
    assert_string_equal(env->text, "");
    env_write(env, "2024-01-02 B 22 2\n");
    assert_ok(lochan_lake_rollback(env->lake, "test", "daily", b, NULL, &env->snapshot, &err));
    assert_same_rows(env, rows);
    env_verify(env, false);
    env_write(env, "2024-01-02 B 2 2\n"); /* still known as clustered */
    assert_int_equal(env->counts.files_written, 0);
    free(rows);
}

static void test_cluster__partitions_beyond_memory_stay(void **state) {
    lake_env *env = *state;
    lochan_buf text;
    lochan_error err;
    cluster_env(env);
    lochan_buf__init(&text, 1 << 24);
    for (int i = 0; i < 28 * 1500; i++)
        assert_ok(lochan_buf__printf(&text, &err, "2024-01-%02d A%05d %d 1\n", 1 + i / 1500,
                                     i % 1500, i));
    env_write(env, (const char *)text.data);
    lochan_buf__deinit(&text);
    env->memory_limit = 8 << 20;
    env_reopen(env);
    assert_int_equal(cluster(env, true).groups, 0);
    env->memory_limit = 64 << 20;
    env_reopen(env);
    assert_int_equal(cluster(env, true).groups_clustered, 1);
    env_verify(env, false);
}

static void test_cluster__needs_columns(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_compact_report r;
    write_days(env, 1, 1, 2);
    assert_int_equal(try_cluster(env, true, &r, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "cluster_columns"));
    static const char *const wrong[] = {"nothing"};
    env->upkeep = (lochan_upkeep){.cluster = wrong, .n_cluster = 1};
    assert_int_equal(env_try_write(env, "2024-01-01 A 1 1\n", &err), LOCHAN_ERR_SPEC);
    assert_non_null(strstr(err.message, "nothing"));
}

/* ---- thresholds ---- */

static int64_t tend(lake_env *env) {
    lochan_error err;
    lochan_table *t = NULL;
    assert_ok(env_ensure(env, 0, &t, &err));
    lochan_table__tend(t);
    lochan_table__close(t);
    return env_files(env);
}

static void test_cluster__thresholds_are_kept_with_the_table(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream plan = {0};
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    lochan_compact_report r;
    env->upkeep = (lochan_upkeep){.max_files = 3, .automatic = true};
    write_days(env, 1, 1, 2);
    assert_int_equal(tend(env), 2);
    write_days(env, 1, 3, 3);
    o.dry_run = true;
    assert_ok(lochan_lake_compact(env->lake, NULL, NULL, &o, &r, &plan, &err));
    assert_ok(env_drain(env, &plan, &err));
    lochan_stream__release(&plan);
    assert_non_null(strstr(env->text, "month=01 3 9 "));
    assert_non_null(strstr(env->text, " join\n"));
    assert_int_equal(tend(env), 1);
    env_verify(env, false);
    env->upkeep = (lochan_upkeep){.max_files = 2, .target_file_bytes = 4000, .automatic = true};
    write_days(env, 2, 1, 4);
    assert_true(tend(env) >= 3); /* two fit into a file */
    env->upkeep = (lochan_upkeep){.max_files = 2, .max_input_bytes = 10, .automatic = true};
    write_days(env, 3, 1, 4);
    int64_t files = env_files(env);
    assert_int_equal(tend(env), files); /* over the cap */
    env->upkeep = (lochan_upkeep){.max_files = 2, .min_file_bytes = 10, .automatic = true};
    assert_int_equal(tend(env), files); /* none is small */
    env->upkeep = (lochan_upkeep){.max_files = 2};
    assert_int_equal(tend(env), files); /* not by itself */
    env->upkeep.automatic = true;
    assert_true(tend(env) < files);
    env_verify(env, false);
}

static int warnings;
static void count_warning(void *payload, lochan_log_level level, const char *message) {
    (void)payload;
    warnings += level == LOCHAN_LOG_WARN && strstr(message, "were not joined") != NULL;
}

static lochan_status fail_there(void *self, const char *name, lochan_error *err) {
    return strcmp(name, self) == 0 ? lochan_error__set(err, LOCHAN_ERR_IO, "%s", name) : LOCHAN_OK;
}

static void test_cluster__a_failure_by_itself_is_a_warning(void **state) {
    lake_env *env = *state;
    env->upkeep = (lochan_upkeep){.max_files = 2, .automatic = true};
    write_days(env, 1, 1, 3);
    char *before = strdup(env_read(env, NULL));
    warnings = 0;
    lochan_log_set(count_warning, NULL, LOCHAN_LOG_WARN);
    static char point[] = "table.compact.durable";
    lochan_failpoint__set(fail_there, point);
    lochan_error err;
    lochan_table *t = NULL;
    assert_ok(env_ensure(env, 0, &t, &err));
    lochan_table__tend(t);
    lochan_failpoint__set(NULL, NULL);
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    lochan_table__close(t);
    assert_int_equal(warnings, 1);
    assert_int_equal(env_files(env), 3);
    assert_string_equal(env_read(env, NULL), before);
    env_verify(env, false);
    free(before);
}

/* ---- faults and kills ---- */

static lochan_status body(void *ctx, lochan_error *err) {
    lake_template *t = ctx;
    lochan_compact_report r;
    return try_cluster(&t->env, true, &r, err);
}

static void check(void *ctx, lochan_status rc) {
    lake_template *t = ctx;
    lochan_lake_close(t->env.lake);
    env_open(&t->env);
    assert_same_rows(&t->env, t->expected);
    if (rc == LOCHAN_OK)
        assert_int_equal(env_files(&t->env), 1);
    env_verify(&t->env, true);
    template_keep(t);
}

static void make_template(lake_template *t) {
    template_make(t, "cluster");
    cluster_env(&t->env);
    write_days(&t->env, 1, 1, 4);
    t->expected = sorted_lines(env_read(&t->env, NULL));
    template_keep(t);
}

static void test_cluster__under_faults(void **state) {
    lake_template t;
    (void)state;
    make_template(&t);
    fault_totals totals = fault_sweep(&(fault_case){.name = "cluster",
                                                    .prep = template_open_copy,
                                                    .body = body,
                                                    .check = check,
                                                    .ctx = &t,
                                                    .kinds = FAULT_ALL,
                                                    .dense = 3});
    assert_true(totals.runs > 3);
    template_free(&t);
}

/* A merge into a clustered partition. */
static void prep_merge(void *ctx) {
    lake_template *t = ctx;
    template_open_copy(t);
    cluster(&t->env, true);
}

static lochan_status merge(void *ctx, lochan_error *err) {
    lake_template *t = ctx;
    return env_try_write(&t->env, "2024-01-02 A 7 7\n2024-01-20 A 1 1\n", err);
}

static void check_merge(void *ctx, lochan_status rc) {
    lake_template *t = ctx;
    lochan_lake_close(t->env.lake);
    env_open(&t->env);
    const char *text = env_read(&t->env, NULL);
    bool done = strstr(text, "2024-01-20") != NULL;
    assert_true(done || rc != LOCHAN_OK);
    assert_int_equal(strstr(text, "2024-01-02 A 7 7\n") != NULL, done);
    env_verify(&t->env, true);
    template_keep(t);
}

static void test_cluster__merge_under_faults(void **state) {
    lake_template t;
    (void)state;
    make_template(&t);
    fault_totals totals = fault_sweep(&(fault_case){.name = "merge",
                                                    .prep = prep_merge,
                                                    .body = merge,
                                                    .check = check_merge,
                                                    .ctx = &t,
                                                    .kinds = FAULT_ALL,
                                                    .dense = 3});
    assert_true(totals.runs > 3);
    template_free(&t);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_cluster__sorts_a_partition_anew),
        TEST(test_cluster__waits_until_a_partition_rests),
        TEST(test_cluster__a_merge_puts_the_order_back),
        TEST(test_cluster__appends_go_beside_it),
        TEST(test_cluster__keeps_known_at),
        TEST(test_cluster__diff_and_rollback_see_the_same_rows),
        TEST(test_cluster__partitions_beyond_memory_stay),
        TEST(test_cluster__needs_columns),
        TEST(test_cluster__thresholds_are_kept_with_the_table),
        TEST(test_cluster__a_failure_by_itself_is_a_warning),
        cmocka_unit_test(test_cluster__under_faults),
        cmocka_unit_test(test_cluster__merge_under_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
