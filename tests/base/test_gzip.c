/* test_gzip.c - members, limits, damage. */
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "base/gzip.h"

#include <libdeflate.h>
#include <stdlib.h>
#include <string.h>

static lochan_error err;
static uint8_t packed[1 << 16];
static size_t n_packed;

static void pack(const void *p, size_t n) {
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    n_packed += libdeflate_gzip_compress(c, p, n, packed + n_packed, sizeof packed - n_packed);
    libdeflate_free_compressor(c);
}

static int setup(void **state) {
    (void)state;
    n_packed = 0;
    return 0;
}

static void test_gzip__members_follow_each_other(void **state) {
    (void)state;
    lochan_buf out;
    lochan_buf__init(&out, 100);
    assert_ok(lochan_buf__puts(&out, "> ", &err));
    pack("one ", 4);
    pack("", 0);
    pack("two", 3);
    assert_ok(lochan_gzip__unpack(packed, n_packed, &out, &err));
    assert_string_equal((char *)out.data, "> one two");
    lochan_buf__deinit(&out);
}

static void test_gzip__bounded_by_the_buffer(void **state) {
    (void)state;
    size_t n = (size_t)8 << 20;
    char *zeros = calloc(1, n);
    pack(zeros, n); /* a thousand to one */
    lochan_buf out;
    lochan_buf__init(&out, n);
    assert_ok(lochan_gzip__unpack(packed, n_packed, &out, &err));
    assert_int_equal(out.len, n);
    lochan_buf__deinit(&out);
    lochan_buf__init(&out, n - 1);
    assert_status(lochan_gzip__unpack(packed, n_packed, &out, &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_true(out.cap <= n - 1);
    lochan_buf__deinit(&out);
    free(zeros);
}

static void test_gzip__damage_is_noticed(void **state) {
    (void)state;
    pack("some text, some text, some more text", 36);
    size_t whole = n_packed;
    for (size_t n = 0; n < whole; n++) {
        lochan_buf out;
        lochan_buf__init(&out, 1000);
        assert_status(lochan_gzip__unpack(packed, n, &out, &err), LOCHAN_ERR_CORRUPT);
        lochan_buf__deinit(&out);
    }
    for (size_t i = 10; i < whole; i++) { /* behind the header every bit counts */
        lochan_buf out;
        lochan_buf__init(&out, 1000);
        packed[i] ^= 1;
        lochan_status rc = lochan_gzip__unpack(packed, whole, &out, &err);
        assert_true(rc == LOCHAN_ERR_CORRUPT || rc == LOCHAN_ERR_MEMORY_LIMIT);
        packed[i] ^= 1;
        lochan_buf__deinit(&out);
    }
    lochan_buf out;
    lochan_buf__init(&out, 1000);
    packed[whole] = 'x'; /* noise behind the last member */
    assert_status(lochan_gzip__unpack(packed, whole + 1, &out, &err), LOCHAN_ERR_CORRUPT);
    assert_int_equal(err.offset, whole);
    lochan_buf__deinit(&out);
}

static lochan_status sweep_body(void *ctx, lochan_error *e) {
    (void)ctx;
    lochan_buf out;
    lochan_buf__init(&out, 1 << 20);
    lochan_status rc = lochan_gzip__unpack(packed, n_packed, &out, e);
    lochan_buf__deinit(&out);
    return rc;
}

static void test_gzip__fault_sweep(void **state) {
    (void)state;
    char *zeros = calloc(1, 1 << 20);
    pack(zeros, 1 << 20);
    fault_totals t =
        fault_sweep(&(fault_case){.name = "gzip", .body = sweep_body, .kinds = FAULT_OOM});
    assert_true(t.failed > 2);
    free(zeros);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_gzip__members_follow_each_other, setup),
        cmocka_unit_test_setup(test_gzip__bounded_by_the_buffer, setup),
        cmocka_unit_test_setup(test_gzip__damage_is_noticed, setup),
        cmocka_unit_test_setup(test_gzip__fault_sweep, setup),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
