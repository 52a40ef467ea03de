/* test_large.c - large.h: blocks do not overlap, gaps are used again, empty regions go back. */
#include "support/cmocka_all.h"

#include "base/large.h"
#include "base/mem.h"

#include <pthread.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KIB = 1 << 10, MIB = 1 << 20, REGION = 32 << 20 };

static void fill(uint8_t *p, size_t n, uint8_t v) {
    memset(p, v, n);
}

static bool holds(const uint8_t *p, size_t n, uint8_t v) {
    for (size_t i = 0; i < n; i++) {
        if (p[i] != v)
            return false;
    }
    return true;
}

static void test_large__blocks_are_apart_and_aligned(void **state) {
    static const size_t sizes[] = {0,         1,        16 * KIB,     16 * KIB + 1, 64 * KIB,
                                   512 * KIB, MIB + 32, 16 * MIB - 1, 16 * MIB,     16 * MIB + 1,
                                   40 * MIB,  3 * MIB,  900 * KIB};
    uint8_t *blocks[LOCHAN_COUNTOF(sizes)];
    (void)state;
    for (size_t i = 0; i < LOCHAN_COUNTOF(sizes); i++) {
        blocks[i] = lochan_large__alloc(sizes[i]);
        assert_non_null(blocks[i]);
        assert_int_equal((uintptr_t)blocks[i] % 64, 0);
        fill(blocks[i], sizes[i], (uint8_t)(i + 1));
    }
    for (size_t i = 0; i < LOCHAN_COUNTOF(sizes); i++) {
        assert_true(holds(blocks[i], sizes[i], (uint8_t)(i + 1)));
        lochan_large__free(blocks[i]);
    }
    lochan_large__free(NULL);
}

static void test_large__gap_is_used_again(void **state) {
    uint8_t *blocks[20];
    (void)state;
    for (int i = 0; i < 20; i++)
        assert_non_null(blocks[i] = lochan_large__alloc(512 * KIB));
    size_t before = lochan_large__mapped();
    lochan_large__free(blocks[7]);
    lochan_large__free(blocks[8]);
    uint8_t *p = lochan_large__alloc(MIB);
    assert_ptr_equal(p, blocks[7]);
    assert_int_equal(lochan_large__mapped(), before);
    lochan_large__free(p);
    for (int i = 0; i < 20; i++) {
        if (i != 7 && i != 8)
            lochan_large__free(blocks[i]);
    }
}

static void test_large__empty_regions_go_back(void **state) {
    uint8_t *blocks[128];
    (void)state;
    for (int i = 0; i < 128; i++)
        assert_non_null(blocks[i] = lochan_large__alloc(8 * MIB));
    assert_true(lochan_large__mapped() >= (size_t)1024 * MIB);
    for (int i = 0; i < 128; i++)
        lochan_large__free(blocks[i]);
    assert_true(lochan_large__mapped() <= (size_t)24 * REGION);
}

static void test_large__impossible_sizes_fail(void **state) {
    (void)state;
    assert_null(lochan_large__alloc(SIZE_MAX));
    assert_null(lochan_large__alloc(SIZE_MAX / 2));
    assert_null(lochan_large__alloc(SIZE_MAX / 2 - REGION));
}

static void *churn(void *arg) {
    unsigned seed = (unsigned)(uintptr_t)arg;
    uint8_t *blocks[16] = {0};
    size_t sizes[16] = {0};
    for (int i = 0; i < 2000; i++) {
        unsigned k = (seed = seed * 1103515245u + 12345u) >> 16 & 15;
        if (blocks[k] && !holds(blocks[k], 64, (uint8_t)(k + 1)))
            return arg;
        lochan_large__free(blocks[k]);
        sizes[k] = (size_t)(seed >> 8 & 0xfffff) + 64;
        blocks[k] = lochan_large__alloc(sizes[k]);
        if (!blocks[k])
            return arg;
        fill(blocks[k], 64, (uint8_t)(k + 1));
        fill(blocks[k] + sizes[k] - 64, 64, (uint8_t)(k + 1));
    }
    for (int k = 0; k < 16; k++)
        lochan_large__free(blocks[k]);
    return NULL;
}

static void test_large__threads(void **state) {
    pthread_t threads[4];
    void *failed;
    (void)state;
    for (uintptr_t i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, churn, (void *)(i + 1)), 0);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_join(threads[i], &failed), 0);
        assert_null(failed);
    }
}

static void test_large__child_of_fork_can_go_on(void **state) {
    (void)state;
    uint8_t *p = lochan_large__alloc(MIB);
    assert_non_null(p);
    pid_t child = fork();
    if (child == 0) {
        lochan_large__free(p);
        p = lochan_large__alloc(2 * MIB);
        _exit(p ? 0 : 1);
    }
    int status = 1;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    lochan_large__free(p);
}

/* What mem.h makes of it: aligned, zeroed to the end of the last 64 bytes, freed by the same call.
 */
static void test_large__aligned_blocks_of_any_size(void **state) {
    (void)state;
    for (size_t size = 60 * KIB; size < 70 * KIB; size += 61) {
        uint8_t *p = lochan_mem__alloc_aligned(size);
        assert_non_null(p);
        assert_int_equal((uintptr_t)p % 64, 0);
        fill(p, size, 7);
        for (size_t i = size; i % 64 != 0; i++)
            assert_int_equal(p[i], 0);
        lochan_mem__free_aligned(p);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_large__blocks_are_apart_and_aligned),
        cmocka_unit_test(test_large__gap_is_used_again),
        cmocka_unit_test(test_large__empty_regions_go_back),
        cmocka_unit_test(test_large__impossible_sizes_fail),
        cmocka_unit_test(test_large__threads),
        cmocka_unit_test(test_large__child_of_fork_can_go_on),
        cmocka_unit_test(test_large__aligned_blocks_of_any_size),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
