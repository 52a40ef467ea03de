/* test_stream.c - streams of ours, and the errors of foreign ones. */
#include "arrow/sample.h"
#include "support/alloc.h"
#include "support/fault.h"
#include <errno.h>

static void one_column(struct ArrowSchema *schema) {
    lochan_error err;
    assert_ok(lochan_schema__init_struct(schema, 1, &err));
    assert_ok(sample_field(schema->children[0], "x", "i", 0, &err));
}

static void test_stream__gives_its_batches_once_each(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowSchema got;
    struct ArrowArray batches[3];
    struct ArrowArray batch;
    struct ArrowArrayStream stream;
    one_column(&schema);
    for (int i = 0; i < 3; i++)
        assert_ok(sample_batch(&schema, i, &batches[i], &err));
    assert_ok(lochan_stream__of_batches(&schema, batches, 3, &stream, &err));
    assert_null(schema.release);
    assert_null(batches[0].release);
    for (int i = 0; i < 2; i++) {
        assert_ok(lochan_stream__schema(&stream, &got, &err));
        assert_string_equal(got.children[0]->name, "x");
        lochan_schema__release(&got);
    }
    for (int i = 0; i < 2; i++) {
        assert_ok(lochan_stream__next(&stream, &batch, &err));
        assert_int_equal(batch.length, i);
        lochan_array__release(&batch);
    }
    /* the third batch is freed with the stream */
    lochan_stream__release(&stream);
    assert_null(stream.release);
    lochan_stream__release(&stream);
    lochan_stream__release(NULL);
    assert_status(lochan_stream__next(&stream, &batch, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_stream__schema(&stream, &got, &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

static void test_stream__end_stays_the_end(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    struct ArrowArrayStream stream;
    one_column(&schema);
    assert_ok(lochan_stream__of_batches(&schema, NULL, 0, &stream, &err));
    for (int i = 0; i < 3; i++) {
        assert_ok(lochan_stream__next(&stream, &batch, &err));
        assert_null(batch.release);
    }
    assert_null(stream.get_last_error(&stream));
    lochan_stream__release(&stream);
}

typedef struct counted {
    int calls;
    int freed;
} counted;

static lochan_status fail_second(void *state, struct ArrowArray *out, lochan_error *err) {
    counted *c = state;
    if (++c->calls == 1)
        return lochan_array__init(out, 1, 0, err);
    lochan_error__set(err, LOCHAN_ERR_PAGE, "page 7 is broken");
    return lochan_error__in_table(err, LOCHAN_ERR_PAGE, "ecb.fx", "rate", 12);
}

static void count_free(void *state) {
    ((counted *)state)->freed++;
}

static void test_stream__own_errors_are_kept_whole(void **state) {
    (void)state;
    lochan_error err;
    counted c = {0};
    struct ArrowSchema schema;
    struct ArrowArray batch;
    struct ArrowArrayStream stream;
    one_column(&schema);
    assert_ok(lochan_stream__make(&schema, fail_second, count_free, &c, &stream, &err));
    assert_ok(lochan_stream__next(&stream, &batch, &err));
    lochan_array__release(&batch);
    for (int i = 0; i < 2; i++) {
        assert_status(lochan_stream__next(&stream, &batch, &err), LOCHAN_ERR_PAGE);
        assert_string_equal(err.message, "page 7 is broken");
        assert_string_equal(err.table, "ecb.fx");
        assert_int_equal(err.row, 12);
        assert_null(batch.release);
    }
    assert_int_equal(c.calls, 2);
    assert_status(lochan_stream__next(&stream, &batch, NULL), LOCHAN_ERR_PAGE);
    /* what a foreign consumer sees of it */
    assert_int_equal(stream.get_next(&stream, &batch), EIO);
    assert_string_equal(stream.get_last_error(&stream), "page 7 is broken");
    lochan_stream__release(&stream);
    assert_int_equal(c.freed, 1);
}

static int foreign_code;
static const char *foreign_text;

static int foreign_schema(struct ArrowArrayStream *s, struct ArrowSchema *out) {
    (void)s;
    (void)out;
    return foreign_code;
}

static int foreign_next(struct ArrowArrayStream *s, struct ArrowArray *out) {
    (void)s;
    memset(out, 0xee, sizeof *out); /* garbage, as an error leaves it */
    return foreign_code;
}

static const char *foreign_error(struct ArrowArrayStream *s) {
    (void)s;
    return foreign_text;
}

static void foreign_release(struct ArrowArrayStream *s) {
    s->release = NULL;
}

static void test_stream__foreign_errors_become_ours(void **state) {
    (void)state;
    static const struct {
        int code;
        lochan_status status;
    } cases[] = {{ENOMEM, LOCHAN_ERR_NO_MEMORY},   {EINVAL, LOCHAN_ERR_DATA},
                 {ENOSYS, LOCHAN_ERR_UNSUPPORTED}, {EIO, LOCHAN_ERR_IO},
                 {12345, LOCHAN_ERR_IO},           {ECANCELED, LOCHAN_ERR_CANCELLED}};
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray batch;
    struct ArrowArrayStream s = {foreign_schema, foreign_next, foreign_error, foreign_release,
                                 NULL};
    foreign_text = "boom\non two lines";
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        foreign_code = cases[i].code;
        assert_status(lochan_stream__next(&s, &batch, &err), cases[i].status);
        assert_non_null(strstr(err.message, "boom on two lines"));
        assert_null(batch.release);
        assert_status(lochan_stream__schema(&s, &schema, &err), cases[i].status);
    }
    foreign_text = NULL;
    assert_status(lochan_stream__next(&s, &batch, &err), LOCHAN_ERR_CANCELLED);
    s.get_last_error = NULL;
    assert_status(lochan_stream__next(&s, &batch, &err), LOCHAN_ERR_CANCELLED);
    foreign_code = 0;
    assert_status(lochan_stream__schema(&s, &schema, &err), LOCHAN_ERR_DATA);
    lochan_stream__release(&s);
    assert_null(s.release);
}

static void test_stream__long_and_odd_foreign_texts_are_cut(void **state) {
    (void)state;
    lochan_error err;
    char text[2000];
    struct ArrowArray batch;
    struct ArrowArrayStream s = {foreign_schema, foreign_next, foreign_error, foreign_release,
                                 NULL};
    for (size_t i = 0; i + 1 < sizeof text; i += 2)
        memcpy(text + i, "\xc3\xa4", 2);
    text[sizeof text - 2] = '\0';
    foreign_text = text;
    foreign_code = EIO;
    assert_status(lochan_stream__next(&s, &batch, &err), LOCHAN_ERR_IO);
    assert_true(lochan_utf8__valid(err.message, strlen(err.message)));
}

static lochan_status sweep_body(void *ctx, lochan_error *err) {
    (void)ctx;
    struct ArrowSchema schema = {0};
    struct ArrowSchema got = {0};
    struct ArrowArray batch = {0};
    struct ArrowArrayStream stream = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_schema__init_struct(&schema, 1, err));
    LOCHAN_TRYG(sample_field(schema.children[0], "x", "u", 0, err));
    LOCHAN_TRYG(sample_batch(&schema, 3, &batch, err));
    LOCHAN_TRYG(lochan_stream__of_batches(&schema, &batch, 1, &stream, err));
    LOCHAN_TRYG(lochan_stream__schema(&stream, &got, err));
    LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
done:
    lochan_schema__release(&schema);
    lochan_schema__release(&got);
    lochan_array__release(&batch);
    lochan_stream__release(&stream);
    return rc;
}

static void test_stream__out_of_memory_leaks_nothing(void **state) {
    (void)state;
    fault_totals totals =
        fault_sweep(&(fault_case){.name = "stream", .body = sweep_body, .kinds = FAULT_OOM});
    assert_true(totals.failed > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stream__gives_its_batches_once_each),
        cmocka_unit_test(test_stream__end_stays_the_end),
        cmocka_unit_test(test_stream__own_errors_are_kept_whole),
        cmocka_unit_test(test_stream__foreign_errors_become_ours),
        cmocka_unit_test(test_stream__long_and_odd_foreign_texts_are_cut),
        cmocka_unit_test(test_stream__out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, alloc_setup, alloc_teardown);
}
