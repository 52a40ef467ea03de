/* test_repair.c - damaged files leave their table, and the ledger opens their days. */
#include "table/lake_template.h"

#define JANUARY  "2024-01-01 A 1 1\n2024-01-31 A 2 2\n"
#define FEBRUARY "2024-02-01 A 5 5\n"
#define MARCH    "2024-03-01 C 7 7\n"
#define ALL      JANUARY FEBRUARY MARCH

static int32_t day(const char *text) {
    int32_t days = 0;
    assert_true(lochan_civil__parse_date(text, strlen(text), &days));
    return days;
}

/* A dataset that fills the table, and was asked for a year. */
static void add_dataset(lake_env *env) {
    lochan_error err;
    lochan_txn *txn;
    int64_t id = 0;
    lochan_table_def def;
    lochan_dataset_row row = {.source = "test",
                              .name = "daily",
                              .spec = "x: 1",
                              .spec_hash = "h",
                              .mapping_hash = "m",
                              .time_column = "time",
                              .enabled = true,
                              .table_id = -1};
    lochan_coverage c = {.asset = "",
                         .variant = "",
                         .day_from = day("2024-01-01"),
                         .day_to = day("2024-12-31"),
                         .state = LOCHAN_COVERAGE_SUCCESS,
                         .asked_ns = 1,
                         .attempts = 1,
                         .rows = 4,
                         .content_hash = "abc",
                         .update_id = "u"};
    assert_ok(lochan_catalog__table(env->lake->catalog, "test", "daily", -1, &def, &err));
    assert_ok(lochan_txn__begin(env->lake->catalog, NULL, NULL, NULL, &txn, &err));
    assert_ok(lochan_txn__put_dataset(txn, &row, &id, &err));
    assert_ok(lochan_txn__bind_dataset(txn, id, def.table_id, &err));
    assert_ok(lochan_txn__put_coverage(txn, id, &c, &err));
    assert_ok(lochan_txn__commit(&txn, NULL, &err));
    lochan_table_def__deinit(&def);
}

/* "from-to hash\n" of every interval. */
static char *ledger(lake_env *env) {
    lochan_error err;
    lochan_dataset_rows d;
    lochan_coverage_rows rows;
    char *text = calloc(1, 4096);
    assert_ok(lochan_catalog__datasets(env->lake->catalog, "test", "daily", &d, &err));
    assert_int_equal(d.n, 1);
    assert_ok(lochan_catalog__coverage(env->lake->catalog, d.rows[0].dataset_id, &rows, &err));
    for (size_t i = 0; i < rows.n; i++) {
        char from[16], to[16];
        lochan_civil__format_date(rows.rows[i].day_from, from);
        lochan_civil__format_date(rows.rows[i].day_to, to);
        bool owed = rows.rows[i].state == LOCHAN_COVERAGE_FAILED;
        snprintf(text + strlen(text), 4096 - strlen(text), "%s %s %s\n", from, to,
                 owed ? "owed" : rows.rows[i].content_hash);
    }
    lochan_coverage_rows__deinit(&rows);
    lochan_dataset_rows__deinit(&d);
    return text;
}

/* Full path of the live file whose path has that part. */
static char *file_of(lake_env *env, const char *part) {
    lochan_error err;
    struct ArrowArrayStream files = {0};
    char path[300], *full = NULL;
    assert_ok(lochan_lake_files(env->lake, "test", "daily", &files, &err));
    assert_ok(env_drain(env, &files, &err));
    lochan_stream__release(&files);
    for (char *line = env->text; *line && !full; line += strcspn(line, "\n") + 1)
        if (sscanf(line, "test daily %299s", path) == 1 && strstr(path, part))
            full = strdup(tmpdir_path(env->path, path));
    assert_non_null(full);
    return full;
}

static lochan_status try_repair(lake_env *env, bool plan, bool deep, lochan_repair_report *r,
                                lochan_error *err) {
    lochan_repair_options o = LOCHAN_REPAIR_OPTIONS_INIT;
    o.dry_run = plan;
    o.deep = deep;
    return lochan_lake_repair(env->lake, NULL, NULL, &o, r, NULL, err);
}

static void lose(lake_env *env, const char *part) {
    char *path = file_of(env, part);
    tmpdir_unlink(path);
    free(path);
}

static void test_repair__opens_the_days_of_a_missing_file(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_repair_report r;
    lochan_repair_options o = LOCHAN_REPAIR_OPTIONS_INIT;
    struct ArrowArrayStream plan = {0};
    env_write(env, ALL);
    add_dataset(env);
    lose(env, "month=01");
    assert_int_equal(env_try_read(env, NULL, NULL, &err), LOCHAN_ERR_CORRUPT);
    o.dry_run = true;
    assert_ok(lochan_lake_repair(env->lake, "test", "daily", &o, &r, &plan, &err));
    assert_ok(env_drain(env, &plan, &err));
    lochan_stream__release(&plan);
    assert_non_null(strstr(env->text, "missing fetch again days 2024-01-01 to 2024-01-31"));
    assert_int_equal(r.files_damaged, 1);
    assert_int_equal(r.files_taken_out, 0);
    char *text = ledger(env);
    assert_string_equal(text, "2024-01-01 2024-12-31 abc\n");
    free(text);
    assert_ok(try_repair(env, false, false, &r, &err));
    assert_int_equal(r.files_taken_out, 1);
    assert_int_equal(r.rows_taken_out, 2);
    assert_int_equal(r.intervals_reopened, 1);
    assert_string_equal(env_read(env, NULL), FEBRUARY MARCH);
    text = ledger(env);
    assert_string_equal(text, "2024-01-01 2024-01-31 owed\n2024-02-01 2024-12-31 \n");
    free(text);
    env_verify(env, false);
    assert_ok(try_repair(env, false, true, &r, &err)); /* nothing is left to do */
    assert_int_equal(r.files_damaged, 0);
}

static void test_repair__finds_damaged_pages_when_deep(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_repair_report r;
    size_t n;
    env_write(env, ALL);
    add_dataset(env);
    char *path = file_of(env, "month=02"), *bytes = tmpdir_read(path, &n);
    for (size_t i = 4; i < 40; i++)
        bytes[i] ^= 0x55;
    tmpdir_write(path, bytes, n);
    free(path);
    free(bytes);
    assert_ok(try_repair(env, false, false, &r, &err));
    assert_int_equal(r.files_damaged, 0);
    assert_ok(try_repair(env, false, true, &r, &err));
    assert_int_equal(r.files_taken_out, 1);
    assert_string_equal(env_read(env, NULL), JANUARY MARCH);
    char *text = ledger(env);
    assert_string_equal(
        text, "2024-01-01 2024-01-31 \n2024-02-01 2024-02-01 owed\n2024-02-02 2024-12-31 \n");
    free(text);
    env_verify(env, true);
}

static void test_repair__refuses_where_most_is_missing(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_repair_report r;
    lochan_repair_options o = LOCHAN_REPAIR_OPTIONS_INIT;
    env_write(env, ALL);
    lose(env, "month=01");
    lose(env, "month=02");
    assert_int_equal(try_repair(env, false, false, &r, &err), LOCHAN_ERR_IO);
    assert_non_null(strstr(err.hint, "disk"));
    o.force = true;
    assert_ok(lochan_lake_repair(env->lake, NULL, NULL, &o, &r, NULL, &err));
    assert_int_equal(r.files_taken_out, 2);
    assert_int_equal(r.intervals_reopened, 0); /* no dataset fills it */
    assert_string_equal(env_read(env, NULL), MARCH);
}

/* ---- faults and kills ---- */

static void make_template(lake_template *t) {
    template_make(t, "repair");
    env_write(&t->env, ALL);
    add_dataset(&t->env);
    lose(&t->env, "month=01");
    template_keep(t);
}

static lochan_status body(void *ctx, lochan_error *err) {
    lake_template *s = ctx;
    lochan_repair_report r;
    return try_repair(&s->env, false, true, &r, err);
}

/* The file leaves and the days open, together; whole files stay. */
static void check(void *ctx, lochan_status rc) {
    lake_template *s = ctx;
    lochan_error err;
    lochan_lake_close(s->env.lake);
    env_open(&s->env);
    bool done = env_try_read(&s->env, NULL, NULL, &err) == LOCHAN_OK;
    assert_true(done || rc != LOCHAN_OK);
    char *text = ledger(&s->env);
    assert_string_equal(text, done ? "2024-01-01 2024-01-31 owed\n2024-02-01 2024-12-31 \n"
                                   : "2024-01-01 2024-12-31 abc\n");
    free(text);
    if (done)
        assert_string_equal(env_read(&s->env, NULL), FEBRUARY MARCH);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
}

static void test_repair__under_faults(void **state) {
    lake_template s;
    (void)state;
    make_template(&s);
    fault_totals t = fault_sweep(&(fault_case){.name = "repair",
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

static void test_repair__killed_at_every_failpoint(void **state) {
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
        check(&s, LOCHAN_ERR_IO);
    }
    template_free(&s);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_repair__opens_the_days_of_a_missing_file),
        TEST(test_repair__finds_damaged_pages_when_deep),
        TEST(test_repair__refuses_where_most_is_missing),
        cmocka_unit_test(test_repair__under_faults),
        cmocka_unit_test(test_repair__killed_at_every_failpoint),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
