/* kernel_sample.h - what the tests of the kernels share: slices, comparing rows as JSON, small
 * columns from text. Invariant: expected values come from the view's JSON or from the test itself,
 * never from another kernel.
 */
#ifndef TEST_ARROW_KERNEL_SAMPLE_H
#define TEST_ARROW_KERNEL_SAMPLE_H

#include "arrow/sample.h"
#include "support/clock_fake.h"
#include "support/fault.h"

#include "arrow/kernels.h"

/* Rows [offset, offset + n) of the sample, cut from a longer batch: with an odd offset the struct
 * itself has it, else its children. */
static inline void sample_slice(const struct ArrowSchema *schema, int64_t offset, int64_t n,
                                struct ArrowArray *out) {
    lochan_error err;
    struct ArrowArray whole;
    assert_ok(sample_batch(schema, offset + n + 3, &whole, &err));
    if (offset & 1) {
        lochan_array__move(&whole, out);
        out->offset = offset;
        out->length = n;
        return;
    }
    lochan_shared *shared = lochan_shared__give(&whole);
    assert_non_null(shared);
    assert_ok(lochan_shared__slice(shared, offset, n, out, &err));
    lochan_shared__unref(shared);
}

/* Fails unless row `at` of got is row r of expected. r -1: all columns are null. */
static inline void assert_row(const struct ArrowSchema *schema, const struct ArrowArray *got,
                              int64_t at, const struct ArrowArray *expected, int64_t r) {
    static char want[8192];
    const char *text = sample_json(schema, got, at);
    if (r >= 0) {
        char copy[8192];
        memcpy(copy, text, strlen(text) + 1);
        snprintf(want, sizeof want, "%s", sample_json(schema, expected, r));
        if (strcmp(copy, want) != 0)
            fail_msg("row %lld: got %s, expected row %lld: %s", (long long)at, copy, (long long)r,
                     want);
        return;
    }
    if (strcmp(text, "null") != 0)
        fail_msg("row %lld: got %s, expected null", (long long)at, text);
}

static inline void assert_valid(const struct ArrowSchema *schema, const struct ArrowArray *array) {
    lochan_error err;
    assert_ok(lochan_array__check(schema, array, &err));
}

/* A one-column batch {x} of the format from texts, NULL = null. Numbers for number types, text for
 * others. Times and dates are given as their ticks. */
static inline void column_of(const char *format, const char *const *texts, int64_t n,
                             struct ArrowSchema *schema, struct ArrowArray *out) {
    lochan_error err;
    lochan_builder *b;
    assert_ok(lochan_schema__init_struct(schema, 1, &err));
    assert_ok(sample_field(schema->children[0], "x", format, 0, &err));
    assert_ok(lochan_builder__create(schema, &b, &err));
    lochan_type type = sample_type(format);
    lochan_builder *x = lochan_builder__child(b, 0);
    for (int64_t i = 0; i < n; i++) {
        uint64_t u;
        if (!texts[i])
            assert_ok(lochan_builder__null(x, &err));
        else if (lochan_type__is_bytes(type.id) || type.id == LOCHAN_TYPE_FIXED_BINARY)
            assert_ok(lochan_builder__str(x, lochan_str__of(texts[i]), &err));
        else if (lochan_type__is_float(type.id))
            assert_ok(lochan_builder__double(x, strtod(texts[i], NULL), &err));
        else if (lochan_parse__uint64(texts[i], strlen(texts[i]), &u))
            assert_ok(lochan_builder__uint64(x, u, &err));
        else
            assert_ok(lochan_builder__int64(x, strtoll(texts[i], NULL, 10), &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, out, &err));
    lochan_builder__free(b);
}

#endif
