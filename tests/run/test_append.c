/* test_append.c - what an append takes, what it refuses, and that a refusal leaves no trace. */
#include "run_env.h"
#include "support/no_sync.h"

static void test_append__rows_come_back_by_bucket(void **state) {
    run_env *env = *state;
    env_append(env, "r", "holdings", HOLDINGS, "250 a A 1\n7 b B 2\n199 c C 3\n100 d D 4\n");
    assert_int_equal(env->summary.stage, LOCHAN_APPEND_DONE);
    assert_int_equal(env->summary.rows, 4);
    assert_int_equal(env->summary.n_buckets, 3);
    assert_int_equal(env->summary.n_parts, 3);
    assert_int_equal(env->summary.buckets[2], 2);
    assert_int_equal(env->summary.parts[1].bucket_id, 1);
    assert_int_equal(env->summary.parts[1].rows, 2);
    assert_int_equal(env->summary.parts[1].tick_min, 100);
    assert_int_equal(env->summary.parts[1].tick_max, 199);
    assert_non_null(
        strstr(env->summary.parts[0].path, "runs/r/tables/holdings/bucket=000000/part-"));
    assert_string_equal(env_scan(env, "r", "holdings"),
                        "0 7 b B 2\n1 199 c C 3\n1 100 d D 4\n2 250 a A 1\n");
    env_verify(env);
}

static void test_append__no_rows_are_a_no_op(void **state) {
    run_env *env = *state;
    int64_t before = env_snapshot(env);
    env_append(env, "r", "holdings", "wrong:l", "");
    assert_int_equal(env->summary.rows, 0);
    assert_int_equal(env->summary.n_parts, 0);
    assert_int_equal(env->summary.snapshot_id, -1);
    assert_int_equal(env_snapshot(env), before);
}

static void test_append__casts_without_loss(void **state) {
    run_env *env = *state;
    env_append(env, "r", "holdings", "bucket:l tick:g agent_id:U token_id:u quantity:s",
               "77 3 a A 5\n");
    assert_string_equal(env_scan(env, "r", "holdings"), "0 3 a A 5\n");
}

static void test_append__refusals_name_column_and_row(void **state) {
    static const struct {
        const char *table, *schema, *rows, *says;
    } bad[] = {
        {"holding", HOLDINGS, "1 a A 1\n", "no run table 'holding'"},
        {"holdings", "tick:l agent_id:u token_id:u", "1 a A\n", "no column 'quantity'"},
        {"holdings", "agent_id:u token_id:u quantity:l", "a A 1\n", "no column 'tick'"},
        {"holdings", HOLDINGS " extra:l", "1 a A 1 1\n", "no column 'extra'"},
        {"holdings", HOLDINGS " run_id:u", "1 a A 1 r\n", "run_id is written by lochan"},
        {"holdings", HOLDINGS " Tick:l", "1 a A 1 1\n", "twice"},
        {"holdings", HOLDINGS, "1 a A 1\n- a A 1\n", "row 1: column 'tick' must not be null"},
        {"holdings", HOLDINGS, "1 a A 1\n-1 a A 1\n", "row 1: tick -1 is negative"},
        {"holdings", HOLDINGS, "-9223372036854775808 a A 1\n", "is negative"},
        {"holdings", "tick:g agent_id:u token_id:u quantity:l", "1 a A 1\n1.5 a A 1\n", "row 1"},
        {"holdings", "tick:l agent_id:u token_id:u quantity:u", "1 a A oops\n", "oops"},
        {"holdings", "tick:l agent_id:u token_id:u quantity:g", "1 a A 1.9\n", "1.9"},
        {"holdings", HOLDINGS, "1 a A 1\n2 b - 2\n", "row 1: column 'token_id' must not be null"},
        {"exchange", EXCHANGE ":l", "1 v t trade 5\n", "declared as struct"},
        {"holdings", "tick:l agent_id{x:l} token_id:u quantity:l", "1 1 A 1\n", "declared as str"},
    };
    run_env *env = *state;
    int64_t before = env_snapshot(env);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        env_refused(env, bad[i].table, bad[i].schema, bad[i].rows, NULL, bad[i].says);
    assert_int_equal(env_snapshot(env), before);
    assert_false(tmpdir_exists(tmpdir_path(env->path, "runs")));
}

static void test_append__ticks_at_the_edge(void **state) {
    run_env *env = *state;
    env_append(env, "r", "holdings", HOLDINGS, "9223372036854775807 a A 1\n0 b B 2\n");
    assert_int_equal(env->summary.parts[1].bucket_id, INT64_MAX / 100);
    assert_string_equal(env_scan(env, "r", "holdings"),
                        "0 0 b B 2\n92233720368547758 9223372036854775807 a A 1\n");
    lochan_error err;
    lochan_run_scan_options o = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    int64_t low = INT64_MIN, high = INT64_MAX, top = INT64_MAX;
    o.tick_min = &low;
    o.tick_max = &high;
    assert_ok(env_try_scan(env, "r", "holdings", &o, &err));
    assert_int_equal(strlen(env->text),
                     strlen("0 0 b B 2\n92233720368547758 9223372036854775807 a A 1\n"));
    o.tick_min = &top;
    assert_ok(env_try_scan(env, "r", "holdings", &o, &err));
    assert_string_equal(env->text, "92233720368547758 9223372036854775807 a A 1\n");
    o.tick_max = &low;
    assert_ok(env_try_scan(env, "r", "holdings", &o, &err));
    assert_string_equal(env->text, "");
    env_verify(env);
}

static void test_append__token_makes_it_once(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_append_options o = LOCHAN_APPEND_OPTIONS_INIT;
    o.token = "t1";
    assert_ok(env_try_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n", &o, &err));
    int64_t snapshot = env->summary.snapshot_id;
    assert_ok(env_try_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n", &o, &err));
    assert_true(env->summary.repeated);
    assert_int_equal(env->summary.snapshot_id, snapshot);
    assert_string_equal(env_scan(env, "r", "holdings"), "0 1 a A 1\n");
}

static void test_append__two_bucket_sizes_are_refused(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    struct ArrowArrayStream rows;
    lochan_run_options o = LOCHAN_RUN_OPTIONS_INIT;
    o.tick_bucket_size = 10;
    env_append(env, "r", "holdings", HOLDINGS, "1 a A 1\n");
    assert_ok(lochan_run_open(env->lake, "r", &o, &run, &err));
    assert_ok(make_rows(HOLDINGS, "2 a A 1\n", &rows, &err));
    assert_status(lochan_run_append(run, "holdings", &rows, NULL, NULL, &err), LOCHAN_ERR_SCHEMA);
    assert_null(rows.release);
    lochan_run_close(run);
    assert_ok(lochan_run_open(env->lake, "r2", &o, &run, &err));
    assert_ok(make_rows(HOLDINGS, "25 a A 1\n", &rows, &err));
    assert_ok(lochan_run_append(run, "holdings", &rows, NULL, NULL, &err));
    lochan_run_close(run);
    assert_string_equal(env_scan(env, "r2", "holdings"), "2 25 a A 1\n");
}

static void test_append__undeclared_columns(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_append_options o = LOCHAN_APPEND_OPTIONS_INIT;
    o.not_strict = true;
    assert_ok(env_try_append(env, "r", "holdings", HOLDINGS " note:u", "1 a A 1 hi\n", &o, &err));
    o.not_strict = false;
    o.skip_schema = true;
    assert_ok(env_try_append(env, "r", "holdings", "tick:l note:u", "2 ho\n", &o, &err));
    env_append(env, "r", "holdings", HOLDINGS, "3 c C 3\n");
    assert_string_equal(env_scan(env, "r", "holdings"),
                        "0 1 a A 1 hi\n0 2 - - - ho\n0 3 c C 3 -\n");
    env_verify(env);
}

static void test_append__values_and_rules(void **state) {
    static const char schema[] = "tick:l observer_agent_id:u edge_kind:u subject_id:u object_id:u "
                                 "token_id:u edge_weight:g";
    run_env *env = *state;
    lochan_error err;
    lochan_append_options o = LOCHAN_APPEND_OPTIONS_INIT;
    o.validate_rows = true;
    env_refused(env, "identity_edges", schema,
                "1 a self_to_agent s o - 1\n1 a sell_to_agent s o - 1\n", &o,
                "row 1: column 'edge_kind' cannot be 'sell_to_agent'");
    env_refused(env, "identity_edges", schema, "1 a self_to_object s - - 1\n", &o,
                "row 0: column 'token_id' must not be null where edge_kind is 'self_to_object'");
    env_refused(env, "identity_edges", schema, "1 a agent_pair_to_object s - t 1\n", &o,
                "column 'related_agent_id' must not be null");
    assert_ok(env_try_append(env, "r", "identity_edges", schema,
                             "1 a self_to_object s - t 1\n2 a self_to_positive_valence - - - 1\n",
                             &o, &err));
    o.validate_rows = false;
    assert_ok(
        env_try_append(env, "r", "identity_edges", schema, "3 a anything - - - 1\n", &o, &err));
}

static void test_append__open_structs_grow(void **state) {
    run_env *env = *state;
    /* no field yet: nothing of it is stored, and it reads as there and empty */
    env_append(env, "r", "exchange", EXCHANGE "{}", "1 " TRADE("\n"));
    const char *first = "0 1 v t trade - - - - - - {}\n";
    assert_string_equal(env_scan(env, "r", "exchange"), first);
    env_append(env, "r", "exchange", EXCHANGE "{a:l}", "2 " TRADE("5\n"));
    env_append(env, "r", "exchange", EXCHANGE "{b:u c{d:l}}", "3 " TRADE("x 7\n"));
    env_append(env, "r", "exchange", EXCHANGE "{}", "4 " TRADE("\n"));
    env_append(env, "r", "exchange", EXCHANGE "{a:g}", "5 " TRADE("2.5\n"));
    env_append(env, "r", "exchange", EXCHANGE "{a:l}", "6 " TRADE("3\n"));
    assert_string_equal(env_scan(env, "r", "exchange"),
                        "0 1 v t trade - - - - - - {\"a\":null,\"b\":null,\"c\":null}\n"
                        "0 2 v t trade - - - - - - {\"a\":5,\"b\":null,\"c\":null}\n"
                        "0 3 v t trade - - - - - - {\"a\":null,\"b\":\"x\",\"c\":{\"d\":7}}\n"
                        "0 4 v t trade - - - - - - {\"a\":null,\"b\":null,\"c\":null}\n"
                        "0 5 v t trade - - - - - - {\"a\":2.5,\"b\":null,\"c\":null}\n"
                        "0 6 v t trade - - - - - - {\"a\":3,\"b\":null,\"c\":null}\n");
    env_verify(env);
}

static void test_append__clashes_name_the_run(void **state) {
    run_env *env = *state;
    env_append(env, "first-run", "exchange", EXCHANGE "{a:l n:l}",
               "1 " TRADE("9007199254740993 1\n"));
    env_refused(env, "exchange", EXCHANGE "{a:u}", "1 " TRADE("x\n"), NULL,
                "table exchange: additional_payload.a is i64 since run 'first-run'; this append "
                "brings str");
    env_refused(env, "exchange", EXCHANGE "{a:g}", "1 " TRADE("1.5\n"), NULL,
                "too large to stay exact");
    env_refused(env, "exchange", EXCHANGE "{A:l}", "1 " TRADE("1\n"), NULL, "differs in case only");
    env_refused(env, "exchange", EXCHANGE "{n{x:l}}", "1 " TRADE("1\n"), NULL,
                "additional_payload.n");
    /* a number that the wider type cannot hold exactly */
    env_append(env, "r", "exchange", EXCHANGE "{n:g}", "1 " TRADE("0.5\n"));
    env_refused(env, "exchange", EXCHANGE "{n:l}", "1 " TRADE("9007199254740993\n"), NULL,
                "9007199254740993");
    env_verify(env);
}

static void test_append__refused_rows_add_no_columns(void **state) {
    run_env *env = *state;
    env_append(env, "r", "exchange", EXCHANGE "{a:l}", "1 " TRADE("1\n"));
    int64_t before = env_snapshot(env);
    env_refused(env, "exchange", EXCHANGE "{b:l}", "1 " TRADE("1\n") "-1 " TRADE("1\n"), NULL,
                "negative");
    assert_int_equal(env_snapshot(env), before);
}

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_append__rows_come_back_by_bucket, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_append__no_rows_are_a_no_op, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_append__casts_without_loss, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_append__refusals_name_column_and_row, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_append__ticks_at_the_edge, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_append__token_makes_it_once, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_append__two_bucket_sizes_are_refused, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_append__undeclared_columns, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_append__values_and_rules, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_append__open_structs_grow, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_append__clashes_name_the_run, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_append__refused_rows_add_no_columns, env_setup,
                                        env_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
