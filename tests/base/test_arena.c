/* test_arena.c - lifetimes, limits and alignment of arenas. */
#include "support/alloc.h"
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "base/arena.h"

#include <string.h>

static void test_arena__aligned_zeroed_and_apart(void **state) {
    (void)state;
    lochan_arena a;
    lochan_arena__init(&a, 0);
    unsigned char *before = NULL;
    size_t before_size = 0;
    for (size_t n = 0; n < 3000; n += 7) {
        unsigned char *p = lochan_arena__alloc(&a, n);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 16, 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, (int)(n & 0xFF) | 1, n);
        for (size_t i = 0; i < before_size; i++)
            assert_int_equal(before[i], (before_size & 0xFF) | 1);
        before = p;
        before_size = n;
    }
    lochan_arena__deinit(&a);
}

static void test_arena__max_is_kept(void **state) {
    (void)state;
    lochan_arena a;
    lochan_arena__init(&a, 100);
    assert_non_null(lochan_arena__alloc(&a, 64));
    assert_null(lochan_arena__alloc(&a, 48));
    assert_non_null(lochan_arena__alloc(&a, 32));
    assert_null(lochan_arena__alloc(&a, 1));
    assert_int_equal(a.used, 96);
    lochan_arena__reset(&a);
    assert_int_equal(a.used, 0);
    assert_non_null(lochan_arena__alloc(&a, 96));
    lochan_arena__deinit(&a);
}

static void test_arena__overflow(void **state) {
    (void)state;
    lochan_arena a;
    lochan_arena__init(&a, 0);
    assert_null(lochan_arena__alloc(&a, SIZE_MAX));
    assert_null(lochan_arena__alloc(&a, SIZE_MAX - 20));
    assert_null(lochan_arena__array(&a, SIZE_MAX / 2, 4));
    assert_null(lochan_arena__strndup(&a, "", SIZE_MAX));
    assert_non_null(lochan_arena__array(&a, 5, 5));
    lochan_arena__deinit(&a);
}

static void test_arena__large_blocks(void **state) {
    (void)state;
    lochan_arena a;
    lochan_arena__init(&a, 0);
    char *small = lochan_arena__strdup(&a, "small");
    char *large = lochan_arena__alloc(&a, 5 << 20);
    large[(5 << 20) - 1] = 'x';
    char *text = lochan_arena__printf(&a, "%s-%d", small, 42);
    assert_string_equal(small, "small");
    assert_string_equal(text, "small-42");
    assert_string_equal(lochan_arena__strndup(&a, "abcdef", 3), "abc");
    lochan_arena__deinit(&a);
}

static lochan_status many_steps(void *ctx, lochan_error *err) {
    (void)ctx;
    lochan_arena a;
    lochan_arena__init(&a, 0);
    bool ok = true;
    for (int i = 0; i < 10 && ok; i++)
        ok = lochan_arena__alloc(&a, 3000) && lochan_arena__strdup(&a, "x") &&
             lochan_arena__printf(&a, "%d", i);
    lochan_arena__deinit(&a);
    return ok ? LOCHAN_OK : lochan_error__nomem(err);
}

static void test_arena__out_of_memory_at_every_step(void **state) {
    (void)state;
    fault_totals t =
        fault_sweep(&(fault_case){.name = "arena", .body = many_steps, .kinds = FAULT_OOM});
    assert_true(t.failed >= 4);
    assert_int_equal(t.absorbed, 0);
}

#define WITH_COUNTS(f) cmocka_unit_test_setup_teardown(f, alloc_setup, alloc_teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_COUNTS(test_arena__aligned_zeroed_and_apart),
        WITH_COUNTS(test_arena__max_is_kept),
        WITH_COUNTS(test_arena__overflow),
        WITH_COUNTS(test_arena__large_blocks),
        cmocka_unit_test(test_arena__out_of_memory_at_every_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
