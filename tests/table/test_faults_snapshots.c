/* test_faults_snapshots.c - every call that can fail does, at every place, in replace modes, rows
 * added in any order, diff, rollback, expire, gc, tags and lists; the lake stays whole. */
#include "support/fault.h"
#include "support/no_sync.h"
#include "table/lake_env.h"

#define ONE "2024-01-01 A 1 1\n2024-01-03 B 3 3\n2024-02-01 A 5 5\n"
#define TWO "2024-01-01 A 2 2\n2024-01-03 B 3 3\n2024-02-01 A 5 5\n2024-03-01 C 7 7\n"

typedef struct sweep {
    lake_env env;
    char *dir;
    char first[24]; /* the snapshot with ONE */
    const char *before, *after;
    bool fate_open;
} sweep;

static void make_template(sweep *s) {
    lochan_error err;
    memset(s, 0, sizeof *s);
    s->dir = tmpdir_make("faults");
    s->env.threads = 1;
    s->env.add = true;
    s->env.piece = 2;
    snprintf(s->env.path_text, sizeof s->env.path_text, "%s/template", s->dir);
    s->env.path = s->env.path_text;
    assert_ok(lochan_lake_init(s->env.path, NULL, &err));
    env_open(&s->env);
    env_write(&s->env, ONE);
    snprintf(s->first, sizeof s->first, "%lld", (long long)s->env.snapshot);
    env_write(&s->env, TWO);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
}

static void copy(void *ctx) {
    sweep *s = ctx;
    const char *lake = tmpdir_path(s->dir, "lake");
    if (tmpdir_exists(lake))
        tmpdir_clear(lake);
    tmpdir_copy(tmpdir_path(s->dir, "template"), lake);
    snprintf(s->env.path_text, sizeof s->env.path_text, "%s", lake);
    s->env.path = s->env.path_text;
}

static void prep(void *ctx) {
    sweep *s = ctx;
    copy(ctx);
    env_open(&s->env);
}

static lochan_status note_fate(sweep *s, lochan_status rc, const lochan_error *err) {
    s->fate_open = rc != LOCHAN_OK && err && strstr(err->hint, "take the commit back");
    return rc;
}

static void finish(sweep *s) {
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    free(s->env.text);
    s->env.text = NULL;
}

/* All or nothing. */
static void check(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    lochan_lake_close(s->env.lake);
    env_open(&s->env);
    bool landed = strcmp(env_read(&s->env, NULL), s->after) == 0;
    if (!s->fate_open || !landed)
        assert_string_equal(s->env.text, rc == LOCHAN_OK ? s->after : s->before);
    env_verify(&s->env, true);
    finish(s);
}

static void run(lochan_status (*body)(void *, lochan_error *), const char *name,
                const char *after) {
    sweep s;
    make_template(&s);
    s.before = TWO;
    s.after = after;
    fault_totals t = fault_sweep(&(fault_case){.name = name,
                                               .prep = prep,
                                               .body = body,
                                               .check = check,
                                               .ctx = &s,
                                               .kinds = FAULT_ALL,
                                               .dense = 6});
    assert_true(t.runs > 3);
    tmpdir_remove(s.dir);
}

static lochan_status body_replace(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_replace_scope a = {"A", INT32_MIN, INT32_MAX};
    lake_env env = s->env;
    env.text = NULL;
    env.mode = LOCHAN_WRITE_REPLACE_ASSETS;
    env.scopes = &a;
    env.n_scopes = 1;
    return note_fate(s, env_try_write(&env, "2024-01-03 A 9 9\n2024-01-03 A 8 8\n", err), err);
}

static void test_faults_snapshots__replace(void **state) {
    (void)state;
    run(body_replace, "replace", "2024-01-03 A 8 8\n2024-01-03 B 3 3\n2024-03-01 C 7 7\n");
}

static lochan_status body_rollback(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    return note_fate(
        s, lochan_lake_rollback(s->env.lake, "test", "daily", s->first, NULL, NULL, err), err);
}

static void test_faults_snapshots__rollback(void **state) {
    (void)state;
    run(body_rollback, "rollback", ONE);
}

static lochan_status body_expire(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_expire_options x = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report expired;
    lochan_gc_options g = LOCHAN_GC_OPTIONS_INIT;
    lochan_gc_report removed;
    x.older_than = -1;
    g.grace = 0;
    LOCHAN_TRY(lochan_lake_set_retention(s->env.lake, 0, err));
    LOCHAN_TRY(lochan_lake_expire(s->env.lake, &x, &expired, err));
    return lochan_lake_gc(s->env.lake, &g, &removed, NULL, err);
}

static void test_faults_snapshots__expire_and_gc(void **state) {
    (void)state;
    run(body_expire, "expire", TWO);
}

static lochan_status body_diff(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    struct ArrowArrayStream stream = {0};
    lake_env env = s->env;
    env.text = NULL;
    LOCHAN_TRY(lochan_lake_diff(s->env.lake, "test", "daily", s->first, NULL, &stream, err));
    lochan_status rc = env_drain(&env, &stream, err);
    lochan_stream__release(&stream);
    free(env.text);
    return rc;
}

static void test_faults_snapshots__diff(void **state) {
    (void)state;
    run(body_diff, "diff", TWO);
}

static lochan_status body_tag(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    LOCHAN_TRY(note_fate(s, lochan_lake_tag(s->env.lake, "kept", s->first, NULL, NULL, err), err));
    return note_fate(s, lochan_lake_untag(s->env.lake, "kept", NULL, err), err);
}

static void test_faults_snapshots__tag(void **state) {
    (void)state;
    run(body_tag, "tag", TWO);
}

static lochan_status explain(sweep *s, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table *table = NULL;
    lochan_write *w = NULL;
    struct ArrowArray rows = {0};
    struct ArrowSchema schema = {0};
    lochan_write_options o = {.mode = LOCHAN_WRITE_UPSERT};
    lochan_write_plan plan;
    LOCHAN_TRYG(env_schema(&s->env, 0, &schema, err));
    LOCHAN_TRYG(env_batch(&s->env, 0, "2024-02-01 A 6 6\n", &rows, err));
    LOCHAN_TRYG(env_ensure(&s->env, 0, &table, err));
    LOCHAN_TRYG(lochan_write__begin(s->env.lake, table, &schema, &o, &w, err));
    LOCHAN_TRYG(lochan_write__add(w, 0, &rows, err));
    LOCHAN_TRYG(lochan_write__explain(w, &plan, err));
    if (plan.files != 1 || plan.rows != 1)
        rc = lochan_error__set(err, LOCHAN_ERR_INTERNAL, "explained %lld files",
                               (long long)plan.files);
done:
    lochan_write__free(w);
    lochan_table__close(table);
    lochan_array__release(&rows);
    lochan_schema__release(&schema);
    return rc;
}

static lochan_status body_look(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_lake *lake = s->env.lake;
    lochan_commit_state fate;
    int64_t snapshot;
    char *sql = NULL;
    struct ArrowArrayStream list = {0};
    LOCHAN_TRY(lochan_lake_files(lake, "test", "daily", &list, err));
    lochan_stream__release(&list);
    LOCHAN_TRY(lochan_lake_files_at(lake, "test", "daily", s->first, &list, err));
    lochan_stream__release(&list);
    LOCHAN_TRY(lochan_lake_snapshots(lake, "test", "daily", -1, &list, err));
    lochan_stream__release(&list);
    LOCHAN_TRY(lochan_commit_status(lake, "a-token", &fate, &snapshot, err));
    LOCHAN_TRY(lochan_lake_sql(lake, &sql, err));
    lochan_free(sql);
    return explain(s, err);
}

static void test_faults_snapshots__looking(void **state) {
    (void)state;
    run(body_look, "look", TWO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_snapshots__replace),
        cmocka_unit_test(test_faults_snapshots__rollback),
        cmocka_unit_test(test_faults_snapshots__expire_and_gc),
        cmocka_unit_test(test_faults_snapshots__diff),
        cmocka_unit_test(test_faults_snapshots__tag),
        cmocka_unit_test(test_faults_snapshots__looking),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
