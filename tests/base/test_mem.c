/* test_mem.c - the allocator table, aligned blocks, the budget. */
#include "support/alloc.h"
#include "support/cmocka_all.h"

#include "base/mem.h"

#include <pthread.h>
#include <string.h>

static void test_mem__size_zero_is_a_unique_pointer(void **state) {
    (void)state;
    void *a = lochan_mem__alloc(0), *b = lochan_mem__zalloc(0), *c = lochan_mem__array(0, 8);
    assert_non_null(a);
    assert_non_null(b);
    assert_non_null(c);
    assert_ptr_not_equal(a, b);
    lochan_mem__free(a);
    lochan_mem__free(b);
    lochan_mem__free(c);
    lochan_mem__free(NULL);
}

static void test_mem__zeroed(void **state) {
    (void)state;
    for (int round = 0; round < 2; round++) {
        unsigned char *p = lochan_mem__zalloc(1000), *q = lochan_mem__array(10, 100);
        for (int i = 0; i < 1000; i++)
            assert_int_equal(p[i] | q[i], 0);
        memset(p, 0xFF, 1000);
        memset(q, 0xFF, 1000);
        lochan_mem__free(p);
        lochan_mem__free(q);
    }
}

static void test_mem__overflow_is_out_of_memory(void **state) {
    (void)state;
    assert_null(lochan_mem__array(SIZE_MAX / 2, 3));
    assert_null(lochan_mem__alloc(SIZE_MAX));
    assert_null(lochan_mem__zalloc((size_t)PTRDIFF_MAX + 1));
    assert_null(lochan_mem__realloc(NULL, SIZE_MAX - 7));
    assert_null(lochan_mem__alloc_aligned(SIZE_MAX));
    assert_null(lochan_mem__alloc_aligned(SIZE_MAX - 64));
    assert_null(lochan_mem__strndup("", SIZE_MAX));
    assert_int_equal(alloc_made(), 0);
}

static void test_mem__strings(void **state) {
    (void)state;
    char *a = lochan_mem__strdup("hello"), *b = lochan_mem__strndup("hello", 2);
    char *c = lochan_mem__strndup(NULL, 0);
    assert_string_equal(a, "hello");
    assert_string_equal(b, "he");
    assert_string_equal(c, "");
    a = lochan_mem__realloc(a, 1000);
    assert_string_equal(a, "hello");
    lochan_mem__free(a);
    lochan_mem__free(b);
    lochan_mem__free(c);
}

static void test_mem__aligned_and_padded(void **state) {
    (void)state;
    for (size_t n = 0; n < 300; n++) {
        unsigned char *p = lochan_mem__alloc_aligned(n);
        assert_int_equal((uintptr_t)p % 64, 0);
        memset(p, 0xAB, n);
        size_t padded = n == 0 ? 64 : (n + 63) / 64 * 64;
        for (size_t i = n; i < padded; i++)
            assert_int_equal(p[i], 0);
        lochan_mem__free_aligned(p);
    }
    lochan_mem__free_aligned(NULL);
}

static void test_mem__aligned_goes_through_the_table(void **state) {
    (void)state;
    long made = alloc_made();
    void *p = lochan_mem__alloc_aligned(100);
    assert_int_equal(alloc_made(), made + 1);
    assert_int_equal(alloc_live(), 1);
    lochan_mem__free_aligned(p);
    assert_int_equal(alloc_live(), 0);
    alloc_fail_at(1, false);
    assert_null(lochan_mem__alloc_aligned(100));
    assert_true(alloc_fired());
}

static void test_mem__table_can_fail(void **state) {
    (void)state;
    alloc_fail_at(2, false);
    void *a = lochan_mem__alloc(1), *b = lochan_mem__alloc(1), *c = lochan_mem__alloc(1);
    assert_non_null(a);
    assert_null(b);
    assert_non_null(c);
    alloc_fail_at(1, true);
    assert_null(lochan_mem__strdup("x"));
    assert_null(lochan_mem__zalloc(1));
    assert_null(lochan_mem__realloc(c, 50));
    alloc_fail_at(0, false);
    lochan_mem__free(a);
    lochan_mem__free(c);
}

static void test_mem__checked_sizes(void **state) {
    (void)state;
    size_t out = 77;
    assert_false(lochan_size__add(SIZE_MAX, 1, &out));
    assert_false(lochan_size__mul(SIZE_MAX, 2, &out));
    assert_true(lochan_size__add(SIZE_MAX - 1, 1, &out));
    assert_true(out == SIZE_MAX);
    assert_true(lochan_size__mul(3, 5, &out));
    assert_int_equal(out, 15);
}

static void test_mem__budget_limits(void **state) {
    (void)state;
    lochan_error err;
    lochan_budget b;
    lochan_budget__init(&b, 100);
    assert_ok(lochan_budget__take(&b, 60, "sorting", &err));
    assert_int_equal(lochan_budget__take(&b, 41, "sorting x.y", &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_non_null(strstr(err.message, "sorting x.y"));
    assert_true(lochan_budget__try_take(&b, 40));
    assert_false(lochan_budget__try_take(&b, 1));
    assert_false(lochan_budget__try_take(&b, SIZE_MAX));
    lochan_budget__give(&b, 100);
    assert_int_equal(b.used, 0);
    assert_int_equal(b.peak, 100);
    lochan_budget__init(&b, 0);
    assert_true(lochan_budget__try_take(&b, SIZE_MAX));
    assert_false(lochan_budget__try_take(&b, 1));
    assert_ok(lochan_budget__take(NULL, SIZE_MAX, "x", &err));
    lochan_budget__give(NULL, 1);
}

static void *take_and_give(void *arg) {
    lochan_budget *b = arg;
    size_t held = 0;
    for (int i = 0; i < 20000; i++) {
        if (lochan_budget__try_take(b, 3))
            held += 3;
        if (held > 30) {
            lochan_budget__give(b, held);
            held = 0;
        }
    }
    lochan_budget__give(b, held);
    return NULL;
}

static void test_mem__budget_is_exact_over_threads(void **state) {
    (void)state;
    lochan_budget b;
    lochan_budget__init(&b, 64);
    pthread_t t[4];
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&t[i], NULL, take_and_give, &b), 0);
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    assert_int_equal(b.used, 0);
    assert_in_range(b.peak, 33, 64);
}

#define WITH_COUNTS(f) cmocka_unit_test_setup_teardown(f, alloc_setup, alloc_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_COUNTS(test_mem__size_zero_is_a_unique_pointer),
        WITH_COUNTS(test_mem__zeroed),
        cmocka_unit_test(test_mem__zeroed),
        WITH_COUNTS(test_mem__overflow_is_out_of_memory),
        WITH_COUNTS(test_mem__strings),
        WITH_COUNTS(test_mem__aligned_and_padded),
        WITH_COUNTS(test_mem__aligned_goes_through_the_table),
        WITH_COUNTS(test_mem__table_can_fail),
        cmocka_unit_test(test_mem__checked_sizes),
        cmocka_unit_test(test_mem__budget_limits),
        cmocka_unit_test(test_mem__budget_is_exact_over_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
