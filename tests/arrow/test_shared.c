/* test_shared.c - slices and children of shared arrays. */
#include "arrow/sample.h"
#include "support/alloc.h"
#include "support/fault.h"
#include <pthread.h>

static lochan_shared *shared_sample(struct ArrowSchema *schema, int64_t rows) {
    lochan_error err;
    struct ArrowArray a;
    assert_ok(sample_schema(schema, &err));
    assert_ok(sample_batch(schema, rows, &a, &err));
    lochan_shared *s = lochan_shared__give(&a);
    assert_non_null(s);
    assert_null(a.release);
    return s;
}

static void test_shared__slices_show_the_same_rows(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    lochan_shared *s = shared_sample(&schema, 40);
    for (int64_t from = 0; from <= 40; from += 9) {
        for (int64_t n = 0; n <= 40 - from; n += 7) {
            struct ArrowArray part;
            assert_ok(lochan_shared__slice(s, from, n, &part, &err));
            assert_ok(lochan_array__check(&schema, &part, &err));
            assert_int_equal(part.length, n);
            assert_int_equal(part.offset, 0);
            for (int64_t i = 0; i < n; i++) {
                char expected[8192];
                strcpy(expected, sample_json(&schema, lochan_shared__get(s), from + i));
                assert_string_equal(sample_json(&schema, &part, i), expected);
            }
            lochan_array__release(&part);
        }
    }
    lochan_shared__unref(s);
    lochan_schema__release(&schema);
}

static void test_shared__slices_of_slices_agree(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray part;
    lochan_shared *s = shared_sample(&schema, 30);
    assert_ok(lochan_shared__slice(s, 5, 20, &part, &err));
    lochan_shared *second = lochan_shared__give(&part);
    assert_ok(lochan_shared__slice(second, 3, 10, &part, &err));
    char expected[8192];
    strcpy(expected, sample_json(&schema, lochan_shared__get(s), 12));
    assert_string_equal(sample_json(&schema, &part, 4), expected);
    assert_ok(lochan_array__check(&schema, &part, &err));
    lochan_array__release(&part);
    lochan_shared__unref(second);
    lochan_shared__unref(s);
    lochan_schema__release(&schema);
}

static void test_shared__slice_outlives_its_source(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray part;
    struct ArrowArray child;
    lochan_shared *s = shared_sample(&schema, 10);
    assert_ok(lochan_shared__slice(s, 2, 5, &part, &err));
    assert_ptr_equal(lochan_shared__ref(s), s);
    lochan_shared__unref(s);
    lochan_shared__unref(s);
    /* a child moved out of the slice holds the source on its own */
    child = *part.children[15];
    part.children[15]->release = NULL;
    lochan_array__release(&part);
    lochan_array__release(&part);
    assert_string_equal(sample_json(schema.children[15], &child, 0), "\"v2\"");
    lochan_array__release(&child);
    lochan_shared__unref(NULL);
    lochan_schema__release(&schema);
}

static void test_shared__child_is_cut_to_the_rows_of_its_struct(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray part;
    struct ArrowArray child;
    lochan_shared *s = shared_sample(&schema, 20);
    assert_ok(lochan_shared__slice(s, 4, 6, &part, &err));
    lochan_shared *second = lochan_shared__give(&part);
    assert_ok(lochan_shared__child(second, 8, &child, &err));
    assert_int_equal(child.length, 6);
    assert_string_equal(sample_json(schema.children[8], &child, 0), "4");
    assert_int_equal(child.null_count, 1);
    lochan_array__release(&child);
    assert_status(lochan_shared__child(second, -1, &child, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_shared__child(second, 99, &child, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    lochan_shared__unref(second);
    lochan_shared__unref(s);
    lochan_schema__release(&schema);
}

static void test_shared__rows_outside_are_refused(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray part;
    lochan_shared *s = shared_sample(&schema, 10);
    static const int64_t bad[][2] = {{-1, 1}, {0, 11}, {11, 0}, {5, 6}, {5, -1}, {1, INT64_MAX}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        assert_status(lochan_shared__slice(s, bad[i][0], bad[i][1], &part, &err),
                      LOCHAN_ERR_INVALID_ARGUMENT);
        assert_null(part.release);
    }
    lochan_shared__unref(s);
    lochan_schema__release(&schema);
}

/* Without a schema both look alike: one buffer, one child. */
static void test_shared__fixed_list_is_no_struct(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    struct ArrowArray part;
    lochan_builder *b;
    assert_ok(sample_field(&schema, "x", "+w:2", 1, &err));
    assert_ok(sample_field(schema.children[0], "item", "i", 0, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int64_t r = 0; r < 12; r++) {
        assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), r, &err));
        if (r % 2)
            assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &a, &err));
    lochan_builder__free(b);
    lochan_shared *s = lochan_shared__give(&a);
    assert_ok(lochan_shared__slice(s, 2, 3, &part, &err));
    assert_ok(lochan_array__check(&schema, &part, &err));
    assert_string_equal(sample_json(&schema, &part, 0), "[4,5]");
    assert_string_equal(sample_json(&schema, &part, 2), "[8,9]");
    lochan_array__release(&part);
    lochan_shared__unref(s);
    lochan_schema__release(&schema);
}

static void *slice_often(void *arg) {
    lochan_shared *s = arg;
    for (int i = 0; i < 100; i++) {
        struct ArrowArray part;
        if (lochan_shared__slice(s, i % 10, 5, &part, NULL) == LOCHAN_OK)
            lochan_array__release(&part);
    }
    lochan_shared__unref(s);
    return NULL;
}

static void test_shared__threads_slice_and_release_at_once(void **state) {
    (void)state;
    struct ArrowSchema schema;
    pthread_t threads[4];
    lochan_shared *s = shared_sample(&schema, 20);
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, slice_often, lochan_shared__ref(s)), 0);
    lochan_shared__unref(s);
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
    lochan_schema__release(&schema);
}

typedef struct sweep_state {
    struct ArrowSchema schema;
    struct ArrowArray batch;
} sweep_state;

static void sweep_prep(void *ctx) {
    sweep_state *s = ctx;
    lochan_error err;
    assert_ok(sample_schema(&s->schema, &err));
    assert_ok(sample_batch(&s->schema, 10, &s->batch, &err));
}

static lochan_status sweep_body(void *ctx, lochan_error *err) {
    sweep_state *s = ctx;
    struct ArrowArray part;
    lochan_shared *shared = lochan_shared__give(&s->batch);
    if (!shared)
        return lochan_error__nomem(err);
    lochan_status rc = lochan_shared__slice(shared, 1, 8, &part, err);
    lochan_array__release(&part);
    if (rc == LOCHAN_OK)
        rc = lochan_shared__child(shared, 34, &part, err);
    lochan_array__release(&part);
    lochan_shared__unref(shared);
    return rc;
}

static void sweep_check(void *ctx, lochan_status rc) {
    (void)rc;
    sweep_state *s = ctx;
    assert_null(s->batch.release); /* taken, also on failure */
    lochan_schema__release(&s->schema);
}

static void test_shared__out_of_memory_leaks_nothing(void **state) {
    (void)state;
    sweep_state s;
    fault_totals totals = fault_sweep(&(fault_case){.name = "shared",
                                                    .prep = sweep_prep,
                                                    .body = sweep_body,
                                                    .check = sweep_check,
                                                    .ctx = &s,
                                                    .kinds = FAULT_OOM});
    assert_true(totals.failed > 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_shared__slices_show_the_same_rows),
        cmocka_unit_test(test_shared__slices_of_slices_agree),
        cmocka_unit_test(test_shared__slice_outlives_its_source),
        cmocka_unit_test(test_shared__child_is_cut_to_the_rows_of_its_struct),
        cmocka_unit_test(test_shared__rows_outside_are_refused),
        cmocka_unit_test(test_shared__fixed_list_is_no_struct),
        cmocka_unit_test(test_shared__threads_slice_and_release_at_once),
        cmocka_unit_test(test_shared__out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, alloc_setup, alloc_teardown);
}
