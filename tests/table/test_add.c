/* test_add.c - rows in any order: deduplication, spilled runs, merging again after a conflict. */
#include "support/alloc.h"
#include "table/lake_env.h"

static char *rows_of_days(int days, int assets, double price) {
    size_t cap = (size_t)days * (size_t)assets * 40 + 1;
    char *text = calloc(1, cap);
    size_t n = 0;
    for (int d = 0; d < days; d++) {
        lochan_civil c = lochan_civil__from_days(19723 + d);
        for (int a = 0; a < assets; a++)
            n += (size_t)snprintf(text + n, cap - n, "%04d-%02d-%02d A%05d %.17g %d\n", c.year,
                                  c.month, c.day, a, price, d);
    }
    return text;
}

static void test_add__last_of_the_plan_wins(void **state) {
    lake_env *env = *state;
    env->add = true;
    env->piece = 2;
    const char *rows = "2024-01-02 B 1 1\n2024-01-01 A 1 1\n2024-01-01 A 2 2\n2024-01-02 B 2 2\n"
                       "2024-02-01 C 1 1\n2024-01-01 A 3 3\n";
    const char *settled = "2024-01-01 A 3 3\n2024-01-02 B 2 2\n2024-02-01 C 1 1\n";
    for (int i = 0; i < 2; i++) {
        env->descending = i; /* the order in which pieces come does not matter */
        env_write(env, rows);
        assert_string_equal(env_read(env, NULL), settled);
        assert_int_equal(env->counts.rows_duplicate, 3);
        env_counts(env, i ? 0 : 3, 0, i ? 3 : 0);
    }
    env_verify(env, false);
}

static void test_add__order_column_decides_before_the_plan(void **state) {
    lake_env *env = *state;
    env->add = true;
    env->piece = 1;
    env->order_column = "qty";
    env_write(env, "2024-01-01 A 1 5\n2024-01-01 A 2 9\n2024-01-01 A 3 -\n2024-01-01 A 4 7\n");
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 2 9\n");
    lochan_error err;
    env->order_column = "colour";
    assert_status(env_try_write(env, "2024-01-01 A 1 5\n", &err), LOCHAN_ERR_SCHEMA);
}

static void test_add__exact_drops_equal_rows_only(void **state) {
    lochan_error err;
    lake_env *env = *state;
    env->add = true;
    env->dedup = LOCHAN_DEDUP_EXACT;
    env_write(env, "2024-01-01 A 1 5\n2024-01-01 B 1 5\n2024-01-01 A 1 5\n");
    assert_int_equal(env->counts.rows_duplicate, 1);
    assert_status(env_try_write(env, "2024-01-01 A 1 5\n2024-01-01 A 2 5\n", &err),
                  LOCHAN_ERR_DATA);
    env->dedup = LOCHAN_DEDUP_NONE;
    assert_status(env_try_write(env, "2024-01-01 A 1 5\n2024-01-01 A 1 5\n", &err),
                  LOCHAN_ERR_DATA);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 5\n2024-01-01 B 1 5\n");
}

static void test_add__exact_without_a_key(void **state) {
    lake_env *env = *state;
    env->add = true;
    env->keyless = true;
    env->dedup = LOCHAN_DEDUP_EXACT;
    env_write(env, "2024-01-01 A 1 5\n2024-01-01 A 2 5\n2024-01-01 A 1 5\n");
    assert_int_equal(env->counts.rows_duplicate, 1);
    assert_int_equal(env->counts.rows_new, 2);
    env->dedup = LOCHAN_DEDUP_NONE;
    env_write(env, "2024-01-01 A 1 5\n2024-01-01 A 1 5\n");
    assert_int_equal(env->counts.rows_new, 2);
}

/* Many small runs, of three levels, give what one sorted batch gives. */
static void test_add__spilled_runs(void **state) {
    lake_env *env = *state;
    env->add = true;
    env->memory_limit = 16 << 20;
    env->piece = 977;
    env->descending = true;
    env_reopen(env);
    char *rows = rows_of_days(120, 1500, 1.5);
    env_write(env, rows);
    assert_int_equal(env->counts.rows_new, 120 * 1500);
    assert_int_equal(env->counts.partitions_written, 4);
    env_verify(env, false);
    assert_string_equal(env_read(env, NULL), rows);
    env->piece = 50000;
    env_write(env, rows);
    env_counts(env, 0, 0, 120 * 1500);
    assert_int_equal(env->counts.files_written, 0);
    assert_int_equal(env->snapshot, -1);
    free(rows);
}

static int count_staging(const char *lake) {
    char command[600];
    int n = 0;
    snprintf(command, sizeof command, "ls '%s/data/staging' 2>/dev/null | wc -l", lake);
    FILE *p = popen(command, "r");
    if (!p || fscanf(p, "%d", &n) != 1)
        n = -1;
    if (p)
        pclose(p);
    return n;
}

/* A second writer publishes while the first is about to. */
typedef struct rival {
    lake_env *env;
    const char *rows;
    int times;
    bool busy;
} rival;

static void write_beside(rival *r) {
    lochan_error err;
    lochan_lake *mine = r->env->lake;
    lake_env other = *r->env;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    other.text = NULL;
    other.mode = LOCHAN_WRITE_UPSERT;
    other.scopes = NULL;
    other.n_scopes = 0;
    assert_ok(lochan_lake_open(r->env->path, &o, &other.lake, &err));
    assert_ok(env_try_write(&other, r->rows, &err));
    lochan_lake_close(other.lake);
    r->env->lake = mine;
}

/* Begins a write of `text`, lets the rival publish, and publishes. */
static lochan_status write_after_rival(lake_env *env, const char *text, rival *r,
                                       lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table *table = NULL;
    lochan_write *w = NULL;
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_write_options o = {.mode = env->mode,
                              .asset_column = "asset_id",
                              .time_column = "time",
                              .row_group_rows = env->row_group_rows,
                              .conflict_retries = env->conflict_retries};
    LOCHAN_TRYG(env_schema(env, 0, &schema, err));
    LOCHAN_TRYG(env_batch(env, 0, text, &batch, err));
    LOCHAN_TRYG(env_ensure(env, 0, &table, err));
    LOCHAN_TRYG(lochan_write__begin(env->lake, table, &schema, &o, &w, err));
    LOCHAN_TRYG(lochan_write__replace(w, env->scopes, env->n_scopes, err));
    LOCHAN_TRYG(env_add_all(env, w, &batch, err));
    LOCHAN_TRYG(lochan_write__merge_added(w, err));
    write_beside(r);
    LOCHAN_TRYG(lochan_write__publish(w, NULL, NULL, &env->snapshot, err));
    lochan_write__totals(w, &env->counts);
done:
    lochan_write__free(w);
    lochan_table__close(table);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    return rc;
}

/* Scopes are added by several threads: whichever is told first names the cause. */
static void test_add__later_batches_are_told_the_first_failure(void **state) {
    lake_env *env = *state;
    lochan_error err, later;
    lochan_table *table = NULL;
    lochan_write *w = NULL;
    struct ArrowSchema schema = {0};
    struct ArrowArray first = {0}, second = {0};
    lochan_write_options o = {.mode = env->mode};
    lochan_error_init(&err);
    lochan_error_init(&later);
    assert_ok(env_schema(env, 0, &schema, &err));
    assert_ok(env_batch(env, 0, "2024-01-01 A 1 1\n", &first, &err));
    assert_ok(env_batch(env, 0, "2024-02-01 B 1 1\n", &second, &err));
    assert_ok(env_ensure(env, 0, &table, &err));
    assert_ok(lochan_write__begin(env->lake, table, &schema, &o, &w, &err));
    alloc_install();
    alloc_fail_at(1, true);
    lochan_status rc = lochan_write__add(w, 0, &first, &err);
    alloc_fail_at(0, false);
    alloc_remove();
    assert_int_equal(rc, LOCHAN_ERR_NO_MEMORY);
    assert_int_equal(lochan_write__add(w, 1, &second, &later), rc);
    assert_string_equal(later.message, err.message);
    lochan_write__free(w);
    lochan_table__close(table);
    lochan_array__release(&first);
    lochan_array__release(&second);
    lochan_schema__release(&schema);
}

static void test_add__conflict_merges_again(void **state) {
    lochan_error err;
    lake_env *env = *state;
    env_write(env, "2024-01-01 A 1 1\n2024-02-01 A 1 1\n");
    rival r = {.env = env, .rows = "2024-01-01 A 5 5\n2024-01-02 B 6 6\n"};
    assert_ok(write_after_rival(env, "2024-01-02 A 2 2\n2024-02-02 A 2 2\n", &r, &err));
    assert_string_equal(env_read(env, NULL),
                        "2024-01-01 A 5 5\n2024-01-02 A 2 2\n2024-01-02 B 6 6\n"
                        "2024-02-01 A 1 1\n2024-02-02 A 2 2\n");
    env_counts(env, 2, 0, 0);
    env_verify(env, false);
}

static void test_add__conflict_in_an_empty_partition(void **state) {
    lochan_error err;
    lake_env *env = *state;
    env_write(env, "2024-01-01 A 1 1\n");
    rival r = {.env = env, .rows = "2024-05-01 A 5 5\n2024-05-02 B 6 6\n"};
    assert_ok(write_after_rival(env, "2024-05-01 A 7 7\n2024-05-03 A 8 8\n", &r, &err));
    assert_string_equal(env_read(env, "time >= '2024-05-01'"),
                        "2024-05-01 A 7 7\n2024-05-02 B 6 6\n2024-05-03 A 8 8\n");
    env_counts(env, 1, 1, 0);
    env_verify(env, false);
    env->conflict_retries = -1;
    r.rows = "2024-05-01 A 9 9\n";
    assert_status(write_after_rival(env, "2024-05-01 A 7 7\n2024-05-03 A 9 9\n", &r, &err),
                  LOCHAN_ERR_CONFLICT);
    env_verify(env, false);
}

/* What others added to a scope meanwhile goes too: it is as if they had come before. */
static void test_add__conflict_of_a_replacement(void **state) {
    lochan_error err;
    lake_env *env = *state;
    env_write(env, "2024-01-01 A 1 1\n");
    lochan_replace_scope a = {"A", INT32_MIN, INT32_MAX};
    env->mode = LOCHAN_WRITE_REPLACE_ASSETS;
    env->scopes = &a;
    env->n_scopes = 1;
    rival r = {.env = env, .rows = "2024-03-01 A 5 5\n2024-03-01 B 6 6\n"};
    assert_ok(write_after_rival(env, "2024-01-02 A 2 2\n", &r, &err));
    assert_string_equal(env_read(env, NULL), "2024-01-02 A 2 2\n2024-03-01 B 6 6\n");
    assert_int_equal(env->counts.rows_removed, 2);
    env_verify(env, false);
}

static void test_add__nothing_is_left_in_staging(void **state) {
    lake_env *env = *state;
    env->add = true;
    env->memory_limit = 16 << 20;
    env_reopen(env);
    char *rows = rows_of_days(40, 1500, 2.5);
    env->piece = 1000;
    env_write(env, rows);
    assert_int_equal(count_staging(env->path), 0);
    free(rows);
}

/* ---- raw copy ---- */

static void test_add__row_groups_not_met_are_copied(void **state) {
    lake_env *env = *state;
    env->add = true;
    env->single_file = true;
    env->row_group_rows = 1000;
    char *rows = rows_of_days(100, 100, 1.5);
    env_write(env, rows);
    env_write(env, "2024-01-31 A00007 9.5 1\n2024-01-31 B 9.5 1\n2024-03-02 A00008 9.5 1\n");
    env_counts(env, 1, 2, 0);
    assert_int_equal(env->counts.groups_decoded, 2);
    assert_int_equal(env->counts.groups_copied, 8);
    env_verify(env, false);
    lochan_table *t;
    lochan_error err;
    assert_ok(env_ensure(env, 0, &t, &err));
    lochan_table__close(t);
    assert_string_equal(env_read(env, "price = 9.5"),
                        "2024-01-31 A00007 9.5 1\n2024-01-31 B 9.5 1\n"
                        "2024-03-02 A00008 9.5 1\n");
    assert_string_equal(env_read(env, "asset_id = 'A00099' and time < '2024-01-03'"),
                        "2024-01-01 A00099 1.5 0\n2024-01-02 A00099 1.5 1\n");
    free(rows);
}

/* Files cut near their size while groups are copied keep disjoint ranges. */
static void test_add__copied_groups_are_cut_into_files(void **state) {
    lake_env *env = *state;
    env->add = true;
    env->single_file = true;
    env->row_group_rows = 500;
    char *rows = rows_of_days(60, 200, 1.25);
    env_write(env, rows);
    assert_int_equal(env_files(env), 1);
    env->target_file_bytes = 4000;
    env_write(env, "2024-01-05 A00001 3 3\n2024-02-11 A00001 4 4\n");
    env_counts(env, 0, 2, 0);
    assert_true(env_files(env) > 2);
    assert_true(env->counts.groups_copied > 10);
    env_verify(env, false);
    env_write(env, "2024-01-17 A00001 3 3\n");
    env_verify(env, false);
    assert_string_equal(env_read(env, "price > 2"), "2024-01-05 A00001 3 3\n2024-01-17 A00001 3 3\n"
                                                    "2024-02-11 A00001 4 4\n");
    free(rows);
}

static void test_add__known_times_move_with_copied_groups(void **state) {
    lake_env *env = *state;
    env->add = true;
    env->single_file = true;
    env->point_in_time = true;
    env->row_group_rows = 100;
    char *rows = rows_of_days(10, 100, 1.5);
    env_write(env, rows);
    env_write(env, "2024-01-05 A00003 9 9\n");
    assert_true(env->counts.groups_copied > 0); /* their times were those of the file */
    env_write(env, "2024-01-06 A00003 9 9\n");
    assert_true(env->counts.groups_copied > 0); /* now they bear their own */
    env_verify(env, false);
    free(rows);
}

/* ---- partitions ---- */

static void test_add__every_partition_strategy(void **state) {
    static const char *const folders[] = {"year_month", "year_bucket", "ten_year_range",
                                          "day",        "identity",    "single_file"};
    const char *rows =
        "2019-12-31 A/x 1 1\n2019-12-31 B 2 2\n2020-01-01 A/x 3 3\n2024-02-01 B 4 4\n";
    (void)state;
    for (size_t i = 0; i < LOCHAN_COUNTOF(folders); i++) {
        void *made = NULL;
        assert_int_equal(env_setup(&made), 0);
        lake_env *env = made;
        env->strategy = folders[i];
        env->add = true;
        env_write(env, rows);
        int64_t written = env->counts.partitions_written;
        assert_int_equal(written, i == 0   ? 3
                                  : i == 1 ? written
                                  : i == 2 ? 2
                                  : i == 3 ? 3
                                  : i == 4 ? 2
                                           : 1);
        assert_true(written >= 1);
        env_write(env, "2019-12-31 B 20 2\n2020-01-01 A/x 3 3\n");
        env_counts(env, 0, 1, 1);
        env_verify(env, false);
        env_reopen(env);
        env_read(env, "price = 20");
        assert_non_null(strstr(env->text, "2019-12-31 B 20 2"));
        env_teardown(&made);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_add__last_of_the_plan_wins),
        TEST(test_add__order_column_decides_before_the_plan),
        TEST(test_add__exact_drops_equal_rows_only),
        TEST(test_add__exact_without_a_key),
        TEST(test_add__spilled_runs),
        TEST(test_add__later_batches_are_told_the_first_failure),
        TEST(test_add__conflict_merges_again),
        TEST(test_add__conflict_in_an_empty_partition),
        TEST(test_add__conflict_of_a_replacement),
        TEST(test_add__nothing_is_left_in_staging),
        TEST(test_add__row_groups_not_met_are_copied),
        TEST(test_add__copied_groups_are_cut_into_files),
        TEST(test_add__known_times_move_with_copied_groups),
        cmocka_unit_test(test_add__every_partition_strategy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
