/* test_scan.c - reading one run and many, the manifest, the list of runs, the end of a run. */
#include "run_env.h"
#include "support/no_sync.h"

static void test_scan__ticks_columns_predicate_limit(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run_scan_options o = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    int64_t min = 150, max = 260;
    const char *columns[] = {"quantity", "tick"};
    env_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n120 b A 2\n150 c A 3\n");
    env_append(env, "r", "holdings", HOLDINGS, "260 d A 4\n261 e A 5\n155 f B 6\n");
    env_append(env, "other", "holdings", HOLDINGS, "200 x X 9\n");
    o.tick_min = &min;
    o.tick_max = &max;
    assert_ok(env_try_scan(env, "r", "holdings", &o, &err));
    assert_string_equal(env->text, "1 150 c A 3\n1 155 f B 6\n2 260 d A 4\n");
    o.columns = columns;
    o.n_columns = 2;
    o.where = "token_id = 'A' or quantity = 9";
    assert_ok(env_try_scan(env, "r", "holdings", &o, &err));
    assert_string_equal(env->text, "3 150\n4 260\n");
    o.limit = 1;
    assert_ok(env_try_scan(env, "r", "holdings", &o, &err));
    assert_string_equal(env->text, "3 150\n");
    o.where = "1 = 1) or (tick > 0";
    assert_int_not_equal(env_try_scan(env, "r", "holdings", &o, &err), LOCHAN_OK);
    o.where = NULL;
    columns[0] = "quantitty";
    assert_status(env_try_scan(env, "r", "holdings", &o, &err), LOCHAN_ERR_SCHEMA);
    assert_non_null(strstr(err.hint, "quantity"));
}

static void test_scan__nothing_gives_the_columns(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    assert_ok(lochan_run_open(env->lake, "r", NULL, &run, &err));
    assert_ok(lochan_run_scan(run, "messages", NULL, &stream, &err));
    assert_ok(lochan_stream_get_schema(&stream, &schema, &err));
    assert_int_equal(schema.n_children, 11);
    assert_string_equal(schema.children[0]->name, "bucket");
    assert_string_equal(schema.children[5]->format, "+s");
    assert_ok(lochan_stream_get_next(&stream, &batch, &err));
    assert_null(batch.release);
    lochan_schema__release(&schema);
    lochan_stream__release(&stream);
    assert_ok(lochan_run_manifest(run, "messages", &stream, &err));
    assert_ok(drain_text(&stream, &env->text, &err));
    assert_string_equal(env->text, "");
    lochan_run_close(run);
    env_append(env, "r2", "holdings", HOLDINGS, "5 a A 1\n");
    assert_string_equal(env_scan(env, "r", "holdings"), "");
}

static void test_scan__reads_only_the_parts_it_must(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    struct ArrowArrayStream stream;
    lochan_scan_stats stats;
    lochan_run_scan_options o = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    int64_t min = 110, max = 119;
    for (int i = 0; i < 20; i++) {
        char row[64];
        snprintf(row, sizeof row, "%d a A 1\n", i * 10 + i % 10);
        env_append(env, i % 2 ? "odd" : "even", "holdings", HOLDINGS, row);
    }
    assert_ok(lochan_run_open(env->lake, "odd", NULL, &run, &err));
    o.tick_min = &min;
    o.tick_max = &max;
    assert_ok(lochan_run_scan(run, "holdings", &o, &stream, &err));
    assert_ok(lochan_run_scan_stats(&stream, &stats, &err));
    assert_int_equal(stats.files, 5); /* of one bucket of one run */
    assert_int_equal(stats.files_read, 1);
    assert_ok(drain_text(&stream, &env->text, &err));
    assert_string_equal(env->text, "1 111 a A 1\n");
    lochan_run_close(run);
}

static void test_scan__many_runs_whatever_their_buckets(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    struct ArrowArrayStream stream;
    lochan_run_options wide = LOCHAN_RUN_OPTIONS_INIT;
    lochan_run_scan_options o = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    const char *ids[] = {"b", "a", "b", "nobody"};
    int64_t min = 5, max = 150;
    wide.tick_bucket_size = 1000;
    env_append(env, "a", "holdings", HOLDINGS, "1 a A 1\n7 a A 2\n150 a A 3\n");
    env_append(env, "c", "holdings", HOLDINGS, "8 c C 1\n");
    assert_ok(lochan_run_open(env->lake, "b", &wide, &run, &err));
    assert_ok(make_rows(HOLDINGS, "2 b B 1\n9 b B 2\n151 b B 3\n", &stream, &err));
    assert_ok(lochan_run_append(run, "holdings", &stream, NULL, NULL, &err));
    lochan_run_close(run);
    o.tick_min = &min;
    o.tick_max = &max;
    assert_ok(lochan_runs_scan(env->lake, "holdings", ids, 4, &o, &stream, &err));
    assert_ok(drain_text(&stream, &env->text, &err));
    assert_string_equal(env->text, "a 0 7 a A 2\na 1 150 a A 3\nb 0 9 b B 2\n");
    assert_ok(lochan_runs_scan(env->lake, "holdings", NULL, 0, &o, &stream, &err));
    assert_ok(drain_text(&stream, &env->text, &err));
    assert_string_equal(env->text, "a 0 7 a A 2\na 1 150 a A 3\nb 0 9 b B 2\nc 0 8 c C 1\n");
    ids[3] = "../x";
    assert_status(lochan_runs_scan(env->lake, "holdings", ids, 4, &o, &stream, &err),
                  LOCHAN_ERR_SCHEMA);
    assert_ok(lochan_runs_scan(env->lake, "holdings", ids, 0, &o, &stream, &err));
    assert_ok(drain_text(&stream, &env->text, &err));
    assert_string_equal(env->text, "");
}

static void test_scan__run_ids_stay_apart(void **state) {
    run_env *env = *state;
    env_append(env, "run", "holdings", HOLDINGS, "1 a A 1\n");
    env_append(env, "run0", "holdings", HOLDINGS, "2 a A 2\n");
    env_append(env, "run.1", "holdings", HOLDINGS, "3 a A 3\n");
    env_append(env, "run:1-x", "holdings", HOLDINGS, "4 a A 4\n");
    assert_string_equal(env_scan(env, "run", "holdings"), "0 1 a A 1\n");
    assert_string_equal(env_scan(env, "run0", "holdings"), "0 2 a A 2\n");
    assert_string_equal(env_scan(env, "run.1", "holdings"), "0 3 a A 3\n");
    assert_string_equal(env_scan(env, "run:1-x", "holdings"), "0 4 a A 4\n");
}

static void test_scan__bad_run_ids(void **state) {
    static const char *const bad[] = {"",    "..",   "a/b",  "../x",     ".hidden", "-x",
                                      "a b", "a..b", "a\nb", "\xc3\xa4", NULL};
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    char longest[200];
    for (size_t i = 0; bad[i]; i++) {
        assert_status(lochan_run_open(env->lake, bad[i], NULL, &run, &err), LOCHAN_ERR_SCHEMA);
        assert_null(run);
    }
    memset(longest, 'a', sizeof longest);
    longest[121] = 0;
    assert_status(lochan_run_check_id(longest, &err), LOCHAN_ERR_SCHEMA);
    longest[120] = 0;
    assert_ok(lochan_run_check_id(longest, &err));
    assert_status(lochan_run_check_id(NULL, &err), LOCHAN_ERR_SCHEMA);
    char id[81];
    assert_ok(lochan_run_make_id(NULL, id, &err));
    assert_memory_equal(id, "run-2", 5);
    assert_ok(lochan_run_check_id(id, &err));
    assert_status(lochan_run_make_id("a/b", id, &err), LOCHAN_ERR_SCHEMA);
}

static void test_scan__manifest_sums_buckets(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    struct ArrowArrayStream stream;
    struct ArrowArray batch;
    env_append(env, "r", "holdings", HOLDINGS, "5 a A 1\n110 a A 2\n");
    env_append(env, "r", "holdings", HOLDINGS, "3 a A 1\n99 a A 2\n");
    assert_ok(lochan_run_open(env->lake, "r", NULL, &run, &err));
    assert_ok(lochan_run_manifest(run, "holdings", &stream, &err));
    assert_ok(lochan_stream_get_next(&stream, &batch, &err));
    const int64_t expected[][3] = {{0, 0, 1}, {3, 3, 110}, {99, 99, 110}, {3, 3, 1}};
    const int columns[] = {0, 2, 3, 4};
    assert_int_equal(batch.length, 3);
    for (int c = 0; c < 4; c++)
        assert_memory_equal(batch.children[columns[c]]->buffers[1], expected[c],
                            sizeof expected[c]);
    lochan_array__release(&batch);
    lochan_stream__release(&stream);
    lochan_run_close(run);
}

static void test_scan__delete_takes_a_run_out_at_once(void **state) {
    run_env *env = *state;
    lochan_error err;
    int64_t parts;
    struct ArrowArrayStream stream;
    char as_of[32];
    lochan_run_scan_options o = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    env_append(env, "r", "holdings", HOLDINGS, "5 a A 1\n110 a A 2\n");
    env_append(env, "r", "exchange", EXCHANGE "{a:l}", "1 " TRADE("1\n"));
    env_append(env, "s", "holdings", HOLDINGS, "5 s S 1\n");
    int64_t before = env_snapshot(env);
    assert_ok(lochan_run_delete(env->lake, "r", &parts, &err));
    assert_int_equal(parts, 3);
    assert_int_equal(env_snapshot(env), before + 1);
    assert_string_equal(env_scan(env, "r", "holdings"), "");
    assert_string_equal(env_scan(env, "r", "exchange"), "");
    assert_string_equal(env_scan(env, "s", "holdings"), "0 5 s S 1\n");
    assert_status(lochan_run_delete(env->lake, "r", &parts, &err), LOCHAN_ERR_NOT_FOUND);
    snprintf(as_of, sizeof as_of, "%lld", (long long)before);
    o.as_of = as_of;
    assert_ok(env_try_scan(env, "r", "holdings", &o, &err));
    assert_string_equal(env->text, "0 5 a A 1\n1 110 a A 2\n");
    assert_ok(lochan_run_list(env->lake, &stream, &err));
    assert_ok(drain_text(&stream, &env->text, &err));
    assert_memory_equal(env->text, "s ", 2);
    env_append(env, "r", "holdings", HOLDINGS, "6 a A 1\n");
    assert_string_equal(env_scan(env, "r", "holdings"), "0 6 a A 1\n");
    env_verify(env);
}

static void test_scan__runs_are_described(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    struct ArrowArrayStream stream;
    assert_ok(lochan_run_open(env->lake, "r", NULL, &run, &err));
    assert_ok(lochan_run_describe(run, "{\"alpha\": 1}", "42", NULL, &err));
    assert_ok(lochan_run_describe(run, NULL, NULL, "v1", &err));
    assert_status(lochan_run_describe(run, "[1]", NULL, NULL, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_run_close(run);
    assert_ok(lochan_run_list(env->lake, &stream, &err));
    assert_ok(drain_text(&stream, &env->text, &err));
    assert_non_null(strstr(env->text, "100 0 0 0 0 42 v1 {\"alpha\": 1}\n"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_scan__##name, env_setup, env_teardown)

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {
        TEST(ticks_columns_predicate_limit),
        TEST(nothing_gives_the_columns),
        TEST(reads_only_the_parts_it_must),
        TEST(many_runs_whatever_their_buckets),
        TEST(run_ids_stay_apart),
        TEST(bad_run_ids),
        TEST(manifest_sums_buckets),
        TEST(delete_takes_a_run_out_at_once),
        TEST(runs_are_described),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
