/* test_array.c - buffers and arrays: references, moved-out children, release from anywhere. */
#include "arrow/sample.h"
#include "support/alloc.h"
#include "support/fault.h"
#include <pthread.h>

static int releases;

static void count_release(lochan_buffer *self) {
    releases++;
    *(int *)self->owner += 1;
}

static void test_array__buffer_is_aligned_and_counted(void **state) {
    (void)state;
    lochan_buffer *b = lochan_buffer__create(100);
    assert_non_null(b);
    assert_int_equal((uintptr_t)b->data % 64, 0);
    assert_int_equal(b->size, 100);
    assert_ptr_equal(lochan_buffer__ref(b), b);
    lochan_buffer__unref(b);
    memset(b->data, 1, 100);
    lochan_buffer__unref(b);
    lochan_buffer__unref(NULL);
    assert_null(lochan_buffer__ref(NULL));
    b = lochan_buffer__create(0);
    assert_non_null(b->data);
    lochan_buffer__unref(b);
}

static void test_array__wrapped_memory_is_given_back_once(void **state) {
    (void)state;
    static const char text[] = "text";
    int given_back = 0;
    lochan_buffer *b = lochan_buffer__wrap(text, 4, count_release, &given_back);
    lochan_buffer__ref(b);
    lochan_buffer__unref(b);
    assert_int_equal(given_back, 0);
    lochan_buffer__unref(b);
    assert_int_equal(given_back, 1);
}

/* A struct of n children of one int32 buffer each. */
static void make_struct(struct ArrowArray *out, int64_t n) {
    lochan_error err;
    assert_ok(lochan_array__init(out, 1, n, &err));
    for (int64_t i = 0; i < n; i++) {
        assert_null(out->children[i]->release);
        assert_ok(lochan_array__init(out->children[i], 2, 0, &err));
        lochan_array__give_buffer(out->children[i], 1, lochan_buffer__create(40));
        memset((void *)(uintptr_t)out->children[i]->buffers[1], (int)i, 40);
    }
}

static void test_array__double_release_does_nothing(void **state) {
    (void)state;
    struct ArrowArray a;
    make_struct(&a, 3);
    lochan_array__release(&a);
    assert_null(a.release);
    lochan_array__release(&a);
    lochan_array__release(NULL);
    make_struct(&a, 1);
    void (*release)(struct ArrowArray *) = a.release;
    release(&a);
    release(&a); /* even a consumer that calls the function itself */
}

static void test_array__moved_out_children_live_on(void **state) {
    (void)state;
    struct ArrowArray a;
    struct ArrowArray child;
    make_struct(&a, 3);
    /* as the specification tells consumers: copy the bytes, then mark the child released */
    child = *a.children[1];
    a.children[1]->release = NULL;
    lochan_array__release(&a);
    assert_int_equal(((const uint8_t *)child.buffers[1])[39], 1);
    lochan_array__release(&child);
}

static void test_array__consumers_may_change_what_they_see(void **state) {
    (void)state;
    struct ArrowArray a;
    make_struct(&a, 3);
    a.n_children = 0;
    a.n_buffers = 0;
    a.children = NULL;
    a.buffers = NULL;
    lochan_array__release(&a);
}

static void test_array__given_buffer_replaces_the_old_one(void **state) {
    (void)state;
    int given_back = 0;
    lochan_error err;
    struct ArrowArray a;
    assert_ok(lochan_array__init(&a, 2, 0, &err));
    lochan_array__give_buffer(&a, 1, lochan_buffer__wrap("x", 1, count_release, &given_back));
    lochan_array__give_buffer(&a, 1, NULL);
    assert_int_equal(given_back, 1);
    assert_null(a.buffers[1]);
    lochan_array__release(&a);
    assert_status(lochan_array__init(&a, -1, 0, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_array__init(&a, 1, INT64_MAX, &err), LOCHAN_ERR_NO_MEMORY);
    assert_null(a.release);
}

static void test_array__view_data_keeps_lengths_last(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowArray a;
    assert_ok(lochan_array__init(&a, 2, 0, &err));
    lochan_array__give_buffer(&a, 1, lochan_buffer__create(16));
    assert_ok(lochan_array__give_view_data(&a, NULL, 0, &err));
    assert_int_equal(a.n_buffers, 3);
    for (int round = 0; round < 5; round++) {
        lochan_buffer *data[2] = {lochan_buffer__create(10 + (size_t)round),
                                  lochan_buffer__create(20 + (size_t)round)};
        assert_ok(lochan_array__give_view_data(&a, data, 2, &err));
        assert_int_equal(a.n_buffers, 5 + 2 * round);
        const int64_t *lengths = a.buffers[a.n_buffers - 1];
        assert_int_equal(lengths[0], 10);
        assert_int_equal(lengths[2 * round + 1], 20 + round);
    }
    lochan_array__release(&a);
}

static void test_array__dictionary_is_released_or_moved_out(void **state) {
    (void)state;
    struct ArrowArray a;
    struct ArrowArray values;
    make_struct(&a, 0);
    struct ArrowArray *slot = lochan_array__add_dictionary(&a);
    make_struct(slot, 1);
    assert_ptr_equal(a.dictionary, slot);
    lochan_array__release(&a);
    make_struct(&a, 0);
    make_struct(lochan_array__add_dictionary(&a), 1);
    lochan_array__move(a.dictionary, &values);
    lochan_array__release(&a);
    assert_int_equal(values.n_children, 1);
    lochan_array__release(&values);
}

static void *release_it(void *array) {
    lochan_array__release(array);
    return NULL;
}

/* Many threads drop the last references to the same buffers at once. */
static void test_array__release_from_other_threads(void **state) {
    (void)state;
    enum { THREADS = 4, ROUNDS = 50 };
    lochan_error err;
    int given_back = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct ArrowArray arrays[THREADS];
        pthread_t threads[THREADS];
        lochan_buffer *shared = lochan_buffer__wrap("x", 1, count_release, &given_back);
        for (int i = 0; i < THREADS; i++) {
            assert_ok(lochan_array__init(&arrays[i], 2, 0, &err));
            lochan_array__give_buffer(&arrays[i], 1, lochan_buffer__ref(shared));
        }
        lochan_buffer__unref(shared);
        for (int i = 0; i < THREADS; i++)
            assert_int_equal(pthread_create(&threads[i], NULL, release_it, &arrays[i]), 0);
        for (int i = 0; i < THREADS; i++)
            pthread_join(threads[i], NULL);
        assert_int_equal(given_back, round + 1);
    }
}

static lochan_status sweep_body(void *ctx, lochan_error *err) {
    (void)ctx;
    struct ArrowArray a;
    lochan_status rc;
    LOCHAN_TRY(lochan_array__init(&a, 2, 2, err));
    LOCHAN_TRYG(lochan_array__init(a.children[1], 2, 0, err));
    lochan_buffer *data[2] = {lochan_buffer__create(8), NULL};
    if (!data[0])
        LOCHAN_TRYG(lochan_error__nomem(err));
    data[1] = lochan_buffer__wrap("abc", 3, NULL, NULL);
    if (!data[1]) {
        lochan_buffer__unref(data[0]);
        LOCHAN_TRYG(lochan_error__nomem(err));
    }
    LOCHAN_TRYG(lochan_array__give_view_data(a.children[1], data, 2, err));
    struct ArrowArray *dictionary = lochan_array__add_dictionary(&a);
    if (!dictionary)
        LOCHAN_TRYG(lochan_error__nomem(err));
    LOCHAN_TRYG(lochan_array__init(dictionary, 3, 0, err));
done:
    lochan_array__release(&a);
    return rc;
}

static void test_array__out_of_memory_leaks_nothing(void **state) {
    (void)state;
    fault_totals totals =
        fault_sweep(&(fault_case){.name = "array", .body = sweep_body, .kinds = FAULT_OOM});
    assert_true(totals.failed >= 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_array__buffer_is_aligned_and_counted),
        cmocka_unit_test(test_array__wrapped_memory_is_given_back_once),
        cmocka_unit_test(test_array__double_release_does_nothing),
        cmocka_unit_test(test_array__moved_out_children_live_on),
        cmocka_unit_test(test_array__consumers_may_change_what_they_see),
        cmocka_unit_test(test_array__given_buffer_replaces_the_old_one),
        cmocka_unit_test(test_array__view_data_keeps_lengths_last),
        cmocka_unit_test(test_array__dictionary_is_released_or_moved_out),
        cmocka_unit_test(test_array__release_from_other_threads),
        cmocka_unit_test(test_array__out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, alloc_setup, alloc_teardown);
}
