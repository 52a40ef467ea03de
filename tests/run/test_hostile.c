/* test_hostile.c - Arrow data that lies, streams that fail, arguments that are missing: an error,
 * nothing written, everything released once. */
#include "run_env.h"
#include "support/no_sync.h"

#include <errno.h>

typedef struct spoiled {
    run_env *env;
    struct ArrowSchema schema;
    struct ArrowArray rows;
} spoiled;

static void make(spoiled *s, const char *schema, const char *text) {
    lochan_error err;
    struct ArrowArrayStream stream;
    assert_ok(make_rows(schema, text, &stream, &err));
    assert_ok(lochan_stream_get_schema(&stream, &s->schema, &err));
    assert_ok(lochan_stream_get_next(&stream, &s->rows, &err));
    lochan_stream__release(&stream);
}

/* Appends the spoiled rows; they must be refused without a trace. */
static void refused(spoiled *s) {
    lochan_error err;
    lochan_run *run;
    struct ArrowArrayStream stream;
    int64_t before = env_snapshot(s->env);
    lochan_error_init(&err);
    assert_ok(lochan_stream__of_batches(&s->schema, &s->rows, 1, &stream, &err));
    assert_ok(lochan_run_open(s->env->lake, "r", NULL, &run, &err));
    lochan_status rc = lochan_run_append(run, "holdings", &stream, NULL, NULL, &err);
    assert_true(rc == LOCHAN_ERR_DATA || rc == LOCHAN_ERR_SCHEMA || rc == LOCHAN_ERR_UNSUPPORTED);
    assert_true(err.message[0] != 0);
    assert_null(stream.release);
    lochan_run_close(run);
    assert_int_equal(env_snapshot(s->env), before);
}

static void test_hostile__lengths_offsets_counts(void **state) {
    spoiled s = {.env = *state};
    make(&s, HOLDINGS, "1 a A 1\n2 b B 2\n");
    s.rows.length = 3;
    refused(&s);
    make(&s, HOLDINGS, "1 a A 1\n2 b B 2\n");
    s.rows.children[0]->length = -1;
    refused(&s);
    make(&s, HOLDINGS, "1 a A 1\n2 b B 2\n");
    s.rows.children[1]->offset = INT64_MAX;
    refused(&s);
    make(&s, HOLDINGS, "1 a A 1\n2 b B 2\n");
    s.rows.children[3]->null_count = 5;
    refused(&s);
    make(&s, HOLDINGS, "1 a A 1\n2 b B 2\n");
    s.rows.n_children = 3;
    refused(&s);
    make(&s, HOLDINGS, "1 a A 1\n2 b B 2\n");
    s.rows.children[2]->n_buffers = 1;
    refused(&s);
}

static void test_hostile__text_and_offsets(void **state) {
    spoiled s = {.env = *state};
    make(&s, HOLDINGS, "1 a A 1\n2 b B 2\n");
    ((int32_t *)(uintptr_t)s.rows.children[1]->buffers[1])[1] = 100;
    refused(&s);
    make(&s, HOLDINGS, "1 a A 1\n2 b B 2\n");
    ((char *)(uintptr_t)s.rows.children[1]->buffers[2])[0] = (char)0xff;
    refused(&s);
}

static void test_hostile__schemas(void **state) {
    spoiled s = {.env = *state};
    make(&s, HOLDINGS, "1 a A 1\n");
    s.schema.children[0]->name = "";
    refused(&s);
    make(&s, HOLDINGS, "1 a A 1\n");
    s.schema.children[0]->format = "nonsense";
    refused(&s);
    make(&s, HOLDINGS, "1 a A 1\n");
    s.schema.children[1]->name = "tick";
    refused(&s);
    make(&s, HOLDINGS, "1 a A 1\n");
    s.schema.children[3]->format = "+us:0,1";
    refused(&s);
}

/* ---- streams ---- */

typedef struct bad_stream {
    int calls, released, fail_at;
} bad_stream;

static int bad_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out) {
    lochan_error err;
    (void)stream;
    return parse_schema(HOLDINGS, out, &err) == LOCHAN_OK ? 0 : ENOMEM;
}

static int bad_next(struct ArrowArrayStream *stream, struct ArrowArray *out) {
    bad_stream *b = stream->private_data;
    lochan_error err;
    struct ArrowArrayStream one;
    memset(out, 0, sizeof *out);
    if (++b->calls == b->fail_at)
        return EIO;
    if (make_rows(HOLDINGS, "1 a A 1\n", &one, &err) != LOCHAN_OK)
        return ENOMEM;
    int rc = one.get_next(&one, out);
    one.release(&one);
    return rc;
}

static const char *bad_error(struct ArrowArrayStream *stream) {
    (void)stream;
    return "the other side broke";
}

static void bad_release(struct ArrowArrayStream *stream) {
    ((bad_stream *)stream->private_data)->released++;
    stream->release = NULL;
}

static void test_hostile__a_stream_that_fails_half_way(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    assert_ok(lochan_run_open(env->lake, "r", NULL, &run, &err));
    env_append(env, "r", "holdings", HOLDINGS, "7 b B 2\n");
    for (int fail_at = 1; fail_at < 4; fail_at++) {
        bad_stream b = {.fail_at = fail_at};
        struct ArrowArrayStream stream = {bad_schema, bad_next, bad_error, bad_release, &b};
        lochan_append_summary summary = LOCHAN_APPEND_SUMMARY_INIT;
        assert_status(lochan_run_append(run, "holdings", &stream, NULL, &summary, &err),
                      LOCHAN_ERR_IO);
        assert_non_null(strstr(err.message, "the other side broke"));
        assert_int_equal(b.released, 1);
        assert_int_equal(summary.n_parts, 0);
    }
    lochan_run_close(run);
    assert_string_equal(env_scan(env, "r", "holdings"), "0 7 b B 2\n");
    env_verify(env);
}

static void test_hostile__arguments(void **state) {
    run_env *env = *state;
    lochan_error err;
    lochan_run *run;
    struct ArrowArrayStream stream = {0};
    lochan_run_options o = LOCHAN_RUN_OPTIONS_INIT;
    lochan_append_options a = LOCHAN_APPEND_OPTIONS_INIT;
    lochan_run_scan_options s = LOCHAN_RUN_SCAN_OPTIONS_INIT;
    o.tick_bucket_size = -1;
    assert_status(lochan_run_open(env->lake, "r", &o, &run, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    o = (lochan_run_options)LOCHAN_RUN_OPTIONS_INIT;
    o.reserved[0] = 1;
    assert_status(lochan_run_open(env->lake, "r", &o, &run, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_run_open(NULL, "r", NULL, &run, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_ok(lochan_run_open(env->lake, "r", NULL, &run, NULL));
    assert_status(lochan_run_append(run, "holdings", &stream, NULL, NULL, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_run_append(run, "holdings", NULL, NULL, NULL, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    a.durability = 7;
    assert_ok(make_rows(HOLDINGS, "1 a A 1\n", &stream, &err));
    assert_status(lochan_run_append(run, "holdings", &stream, &a, NULL, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(stream.release);
    s.limit = -2;
    assert_status(lochan_run_scan(run, "holdings", &s, &stream, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_run_scan(run, NULL, NULL, &stream, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_run_scan(run, "../x", NULL, &stream, &err), LOCHAN_ERR_SCHEMA);
    lochan_run_close(run);
    lochan_run_close(NULL);
    o = (lochan_run_options)LOCHAN_RUN_OPTIONS_INIT;
    o.compression = "rar";
    assert_ok(lochan_run_open(env->lake, "r", &o, &run, &err));
    assert_ok(make_rows(HOLDINGS, "1 a A 1\n", &stream, &err));
    assert_status(lochan_run_append(run, "holdings", &stream, NULL, NULL, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_run_close(run);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_hostile__##name, env_setup, env_teardown)

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {
        TEST(lengths_offsets_counts),       TEST(text_and_offsets), TEST(schemas),
        TEST(a_stream_that_fails_half_way), TEST(arguments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
