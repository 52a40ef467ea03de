/* test_faults.c - every call that can fail does, at every place; the lake stays whole. */
#include "support/fault.h"
#include "support/no_sync.h"
#include "table/lake_env.h"

#include <lochan/parquet.h>

#define BEFORE "2024-01-01 A 1 1\n2024-01-03 A 3 3\n2024-02-01 A 5 5\n"
#define CHANGE "2024-01-01 A 2 2\n2024-01-02 A 2 2\n2024-03-01 A 7 7\n"
#define AFTER                                                                                      \
    "2024-01-01 A 2 2\n2024-01-02 A 2 2\n2024-01-03 A 3 3\n2024-02-01 A 5 5\n2024-03-01 A 7 7\n"

/* One lake is made for the sweep, and copied before each run. */
typedef struct sweep {
    lake_env env;
    char *dir;
    char *copy_text;
    bool fate_open; /* the disk refused to take the commit back: it may have landed */
} sweep;

static void make_template(sweep *s) {
    lochan_error err;
    memset(s, 0, sizeof *s);
    s->dir = tmpdir_make("faults");
    s->env.threads = 1;
    snprintf(s->env.path_text, sizeof s->env.path_text, "%s/template", s->dir);
    s->env.path = s->env.path_text;
    assert_ok(lochan_lake_init(s->env.path, NULL, &err));
    env_open(&s->env);
    env_write(&s->env, BEFORE);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
}

static void drop_template(sweep *s) {
    tmpdir_remove(s->dir);
    free(s->env.text);
}

static void prep_copy(void *ctx) {
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
    prep_copy(ctx);
    env_open(&s->env);
}

static lochan_status body_write(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_status rc = env_try_write(&s->env, CHANGE, err);
    s->fate_open = rc != LOCHAN_OK && err && strstr(err->hint, "take the commit back");
    return rc;
}

/* All or nothing: a failure never landed (unless its hint says that this is open until the lake is
 * opened again), a success is there after opening again. */
static void check_write(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    assert_string_equal(env_read(&s->env, NULL), rc == LOCHAN_OK ? AFTER : BEFORE);
    lochan_lake_close(s->env.lake);
    env_open(&s->env);
    bool landed = strcmp(env_read(&s->env, NULL), AFTER) == 0;
    if (!s->fate_open || !landed)
        assert_string_equal(s->env.text, rc == LOCHAN_OK ? AFTER : BEFORE);
    env_verify(&s->env, true);
    env_write(&s->env, CHANGE); /* a second run heals */
    assert_string_equal(env_read(&s->env, NULL), AFTER);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    free(s->env.text);
    s->env.text = NULL;
}

static void run(unsigned kinds, const char *name, void (*before)(void *),
                lochan_status (*body)(void *, lochan_error *),
                void (*check)(void *, lochan_status)) {
    sweep s;
    make_template(&s);
    fault_totals t = fault_sweep(&(fault_case){.name = name,
                                               .prep = before,
                                               .body = body,
                                               .check = check,
                                               .ctx = &s,
                                               .kinds = kinds,
                                               .dense = 20});
    assert_true(t.runs > 3);
    drop_template(&s);
}

static void test_faults__write_and_publish_files(void **state) {
    (void)state;
    run(FAULT_FILES, "write", prep, body_write, check_write);
}

static void test_faults__write_and_publish_memory(void **state) {
    (void)state;
    run(FAULT_OOM, "write", prep, body_write, check_write);
}

static void test_faults__write_and_publish_failpoints(void **state) {
    (void)state;
    run(FAULT_POINT, "write", prep, body_write, check_write);
}

static lochan_status body_read(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    lochan_verify_options v = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    o.where = "qty < 4";
    LOCHAN_TRY(lochan_lake_open(s->env.path, NULL, &s->env.lake, err));
    lochan_status rc = env_try_read(&s->env, &o, NULL, err);
    v.deep = true;
    if (rc == LOCHAN_OK)
        rc = lochan_lake_verify(s->env.lake, &v, &report, NULL, err);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    free(s->env.text);
    s->env.text = NULL;
    return rc;
}

static void check_read(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    (void)rc;
    env_open(&s->env);
    assert_string_equal(env_read(&s->env, NULL), BEFORE);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    free(s->env.text);
    s->env.text = NULL;
}

static void test_faults__open_scan_verify(void **state) {
    (void)state;
    run(FAULT_OOM | FAULT_EIO | FAULT_SHORT | FAULT_EINTR, "read", prep_copy, body_read,
        check_read);
}

static lochan_status body_init(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    return lochan_lake_init(s->env.path, NULL, err);
}

static void prep_init(void *ctx) {
    sweep *s = ctx;
    const char *lake = tmpdir_path(s->dir, "new");
    if (tmpdir_exists(lake))
        tmpdir_clear(lake);
    snprintf(s->env.path_text, sizeof s->env.path_text, "%s", lake);
    s->env.path = s->env.path_text;
}

static void check_init(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    lochan_error err;
    lochan_status again = lochan_lake_init(s->env.path, NULL, &err);
    if (rc == LOCHAN_OK)
        assert_int_equal(again, LOCHAN_ERR_EXISTS);
    else
        assert_true(again == LOCHAN_OK || again == LOCHAN_ERR_EXISTS);
    env_open(&s->env);
    env_verify(&s->env, false);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    free(s->env.text);
    s->env.text = NULL;
}

static void test_faults__init_can_be_repeated(void **state) {
    (void)state;
    run(FAULT_ALL, "init", prep_init, body_init, check_init);
}

static lochan_status body_export(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    struct ArrowArrayStream stream = {0};
    lochan_parquet_write_options o = LOCHAN_PARQUET_WRITE_OPTIONS_INIT;
    o.overwrite = true;
    o.threads = 1;
    LOCHAN_TRY(lochan_lake_scan(s->env.lake, "test", "daily", NULL, &stream, err));
    lochan_status rc =
        lochan_parquet_write(&stream, tmpdir_path(s->dir, "out.parquet"), &o, NULL, err);
    lochan_stream__release(&stream);
    return rc;
}

static void check_export(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    size_t n = 0;
    char *bytes = tmpdir_read(tmpdir_path(s->dir, "out.parquet"), &n);
    if (rc == LOCHAN_OK)
        assert_non_null(bytes);
    if (bytes) { /* under its name there is never half a file */
        assert_memory_equal(bytes, "PAR1", 4);
        assert_memory_equal(bytes + n - 4, "PAR1", 4);
    }
    free(bytes);
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
}

static void test_faults__export(void **state) {
    (void)state;
    run(FAULT_ALL, "export", prep, body_export, check_export);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults__write_and_publish_files),
        cmocka_unit_test(test_faults__write_and_publish_memory),
        cmocka_unit_test(test_faults__write_and_publish_failpoints),
        cmocka_unit_test(test_faults__open_scan_verify),
        cmocka_unit_test(test_faults__init_can_be_repeated),
        cmocka_unit_test(test_faults__export),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
