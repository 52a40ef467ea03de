/* test_compact.c - small files joined: the same rows in the same order, times kept, conflicts,
 * caps, faults, kills. */
#include "table/lake_template.h"

static lochan_status try_compact(lake_env *env, int64_t min_files, bool full,
                                 lochan_compact_report *r, lochan_error *err) {
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    o.min_files = min_files;
    o.full = full;
    return lochan_lake_compact(env->lake, "test", "daily", &o, r, NULL, err);
}

static lochan_compact_report compact(lake_env *env, bool full) {
    lochan_error err;
    lochan_compact_report r;
    assert_ok(try_compact(env, 4, full, &r, &err));
    return r;
}

/* One file a day in one month. */
static void write_days(lake_env *env, int from, int to) {
    char text[128];
    for (int d = from; d <= to; d++) {
        snprintf(text, sizeof text, "2024-01-%02d A %d 1\n2024-01-%02d B %d 2\n", d, d, d, d);
        env_write(env, text);
    }
}

static char *rows(lake_env *env) {
    return strdup(env_read(env, NULL));
}

static void test_compact__joins_neighbours_and_keeps_rows(void **state) {
    lake_env *env = *state;
    lochan_error err;
    write_days(env, 1, 10);
    env_write(env, "2024-02-01 A 1 1\n");
    char *before = rows(env);
    int64_t base = env->snapshot;
    lochan_compact_report r = compact(env, false);
    assert_int_equal(r.groups, 1);
    assert_int_equal(r.files_joined, 10);
    assert_int_equal(r.rows, 20);
    assert_int_equal(r.snapshot_id, base + 1);
    assert_int_equal(env_files(env), 2);
    assert_string_equal(env_read(env, NULL), before);
    env_verify(env, false);
    assert_int_equal(compact(env, false).groups, 0);
    assert_int_equal(compact(env, true).groups, 0); /* February has one file */
    lochan_scan_options then = LOCHAN_SCAN_OPTIONS_INIT;
    char id[24];
    snprintf(id, sizeof id, "%lld", (long long)base);
    then.as_of = id;
    assert_ok(env_try_read(env, &then, NULL, &err)); /* the old files are there */
    assert_string_equal(env->text, before);
    free(before);
    env_write(env, "2024-01-05 A 99 9\n"); /* and a merge goes on */
    env_counts(env, 0, 1, 0);
    env_verify(env, false);
}

static void test_compact__is_tiered(void **state) {
    lake_env *env = *state;
    write_days(env, 1, 8);
    assert_int_equal(compact(env, false).files_joined, 8);
    write_days(env, 9, 10); /* too few */
    assert_int_equal(compact(env, false).groups, 0);
    write_days(env, 11, 12);
    lochan_compact_report r = compact(env, false);
    assert_true(r.groups == 1 && r.files_joined >= 4);
    assert_int_equal(compact(env, true).groups + env_files(env) > 0, 1);
    env_verify(env, false);
}

static void test_compact__keeps_the_order_of_appends(void **state) {
    lake_env *env = *state;
    env->keyless = true;
    write_days(env, 1, 6);
    char *before = rows(env);
    assert_int_equal(compact(env, false).files_joined, 6);
    assert_string_equal(env_read(env, NULL), before);
    env_verify(env, false);
    write_days(env, 20, 20);
    write_days(env, 3, 3); /* appended later, so read later */
    char *more = rows(env);
    assert_int_equal(compact(env, true).files_joined, 3);
    assert_string_equal(env_read(env, NULL), more);
    assert_int_equal(env_files(env), 1);
    env_verify(env, false);
    free(before);
    free(more);
}

static void test_compact__keeps_known_at(void **state) {
    lake_env *env = *state;
    env->point_in_time = true;
    write_days(env, 1, 5);
    char *before = rows(env);
    assert_int_equal(compact(env, false).files_joined, 5);
    assert_string_equal(env_read(env, NULL), before);
    free(before);
    env_verify(env, false);
}

static void test_compact__copies_large_row_groups(void **state) {
    lake_env *env = *state;
    lochan_buf text;
    lochan_error err;
    env->single_file = true;
    lochan_buf__init(&text, 1 << 26);
    for (int part = 0; part < 4; part++) {
        lochan_buf__clear(&text);
        for (int i = 0; i < 40000; i++)
            assert_ok(lochan_buf__printf(&text, &err, "20%02d-%02d-%02d A%05d %d 1\n", part + 10,
                                         1 + i / 28 % 12, 1 + i % 28, i / 336, i));
        env_write(env, (const char *)text.data);
    }
    lochan_buf__deinit(&text);
    char *before = rows(env);
    lochan_compact_report r = compact(env, false);
    assert_int_equal(r.groups, 1);
    assert_int_equal(r.groups_copied, 4);
    assert_int_equal(r.groups_decoded, 0);
    assert_string_equal(env_read(env, NULL), before);
    free(before);
    env_verify(env, false);
}

static void test_compact__plan_changes_nothing_and_caps_hold(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    lochan_compact_report r;
    struct ArrowArrayStream plan = {0};
    write_days(env, 1, 4);
    o.dry_run = true;
    o.min_files = 4;
    assert_ok(lochan_lake_compact(env->lake, NULL, NULL, &o, &r, &plan, &err));
    assert_ok(env_drain(env, &plan, &err));
    assert_non_null(strstr(env->text, "test daily data/test/daily/year=2024/month=01 4 8 "));
    lochan_stream__release(&plan);
    assert_int_equal(env_files(env), 4);
    o.dry_run = false;
    o.max_input_bytes = 10;
    assert_ok(lochan_lake_compact(env->lake, NULL, NULL, &o, &r, NULL, &err));
    assert_int_equal(r.groups, 0);
    assert_int_equal(r.groups_left, 1);
    assert_int_equal(env_files(env), 4);
    assert_int_equal(lochan_lake_compact(env->lake, "test", "nothing", &o, &r, NULL, &err),
                     LOCHAN_ERR_NOT_FOUND);
    o.min_files = 1;
    assert_int_equal(lochan_lake_compact(env->lake, NULL, NULL, &o, &r, NULL, &err),
                     LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_compact__of_a_missing_file_names_it(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_compact_report r;
    struct ArrowArrayStream files = {0};
    write_days(env, 1, 4);
    assert_ok(lochan_lake_files(env->lake, "test", "daily", &files, &err));
    assert_ok(env_drain(env, &files, &err));
    lochan_stream__release(&files);
    char path[300], full[900];
    assert_int_equal(sscanf(env->text, "test daily %299s", path), 1);
    snprintf(full, sizeof full, "%s/%s", env->path, path);
    tmpdir_unlink(full);
    assert_int_equal(try_compact(env, 4, false, &r, &err), LOCHAN_ERR_CORRUPT);
    assert_non_null(strstr(err.message, path));
}

/* ---- faults and kills ---- */

static void make_template(lake_template *t) {
    template_make(t, "compact");
    write_days(&t->env, 1, 4);
    t->expected = rows(&t->env);
    template_keep(t);
}

static lochan_status body(void *ctx, lochan_error *err) {
    lake_template *s = ctx;
    lochan_compact_report r;
    return try_compact(&s->env, 4, false, &r, err);
}

static void check(void *ctx, lochan_status rc) {
    lake_template *s = ctx;
    lochan_lake_close(s->env.lake);
    env_open(&s->env);
    assert_string_equal(env_read(&s->env, NULL), s->expected);
    if (rc == LOCHAN_OK)
        assert_int_equal(env_files(&s->env), 1);
    env_verify(&s->env, true);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
}

static void test_compact__under_faults(void **state) {
    lake_template s;
    (void)state;
    make_template(&s);
    fault_totals t = fault_sweep(&(fault_case){.name = "compact",
                                               .prep = template_open_copy,
                                               .body = body,
                                               .check = check,
                                               .ctx = &s,
                                               .kinds = FAULT_ALL,
                                               .dense = 3});
    assert_true(t.runs > 3);
    template_free(&s);
}

static lochan_status in_child(void *ctx, lochan_error *err) {
    lake_template *s = ctx;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    LOCHAN_TRY(lochan_lake_open(s->env.path, &o, &s->env.lake, err));
    lochan_status rc = body(ctx, err);
    lochan_lake_close(s->env.lake);
    return rc;
}

static void test_compact__killed_at_every_failpoint(void **state) {
    lake_template s;
    static kill_trace trace;
    (void)state;
    make_template(&s);
    template_copy(&s);
    kill_result r = kill_list(in_child, &s, &trace);
    assert_true(r.finished);
    assert_int_equal(r.rc, LOCHAN_OK);
    assert_true(trace.count >= 3);
    for (size_t n = 1; n <= trace.count; n++) {
        template_copy(&s);
        r = kill_at(in_child, &s, n, NULL, NULL);
        assert_true(r.reached);
        s.env.lake = NULL;
        check(&s, LOCHAN_ERR_IO);
        env_open(&s.env);
        compact(&s.env, false);
        check(&s, LOCHAN_OK); /* repeated, it goes on */
    }
    template_free(&s);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_compact__joins_neighbours_and_keeps_rows),
        TEST(test_compact__is_tiered),
        TEST(test_compact__keeps_the_order_of_appends),
        TEST(test_compact__keeps_known_at),
        TEST(test_compact__copies_large_row_groups),
        TEST(test_compact__plan_changes_nothing_and_caps_hold),
        TEST(test_compact__of_a_missing_file_names_it),
        cmocka_unit_test(test_compact__under_faults),
        cmocka_unit_test(test_compact__killed_at_every_failpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
