/* test_statistics.c - bounds: orders, NaN, zeros, cutting of text, what is not trusted, text forms.
 */
#include "parquet/pq_sample.h"

#include "parquet/statistics.h"
#include <math.h>

typedef struct fixture {
    struct ArrowSchema arrow;
    lochan_pq_schema schema;
    lochan_pq_stats stats;
    lochan_arena arena;
    lochan_pq_statistics out;
} fixture;

static const lochan_pq_leaf *begin(fixture *f, const char *format) {
    lochan_error err;
    memset(f, 0, sizeof *f);
    pq_schema_one(&f->arrow, format, true);
    assert_ok(lochan_pq_schema__from_arrow(&f->arrow, &f->schema, &err));
    lochan_pq_stats__init(&f->stats, &f->schema.leaves[0]);
    lochan_arena__init(&f->arena, 0);
    return &f->schema.leaves[0];
}

static void finish(fixture *f, int32_t max_bytes) {
    lochan_error err;
    assert_ok(lochan_pq_stats__finish(&f->stats, max_bytes, &f->arena, &f->out, &err));
}

static void end(fixture *f) {
    lochan_pq_stats__deinit(&f->stats);
    lochan_arena__deinit(&f->arena);
    lochan_pq_schema__deinit(&f->schema);
    lochan_schema__release(&f->arrow);
}

static void add_text(fixture *f, const char *s) {
    lochan_pq_slice slice = {(const uint8_t *)s, (uint32_t)strlen(s)};
    lochan_pq_stats__add_slices(&f->stats, &slice, 1);
}

static void test_statistics__floats_pass_over_nan_and_widen_zeros(void **state) {
    (void)state;
    fixture f;
    lochan_expr_stats read;
    const double values[] = {0.0, NAN, 3.5, NAN};
    const lochan_pq_leaf *leaf = begin(&f, "g");
    lochan_pq_stats__add_fixed(&f.stats, (const uint8_t *)values, 4);
    finish(&f, 64);
    assert_int_equal(f.out.nan_count, 2);
    double min;
    memcpy(&min, f.out.min.p, 8);
    assert_true(min == 0 && signbit(min));
    assert_true(lochan_pq_stats__read(leaf, &f.out, 4, &read));
    assert_true(read.max_f == 3.5 && read.may_have_nan);
    end(&f);
}

static void test_statistics__only_nan_gives_no_bounds(void **state) {
    (void)state;
    fixture f;
    const double values[] = {NAN, NAN};
    begin(&f, "g");
    lochan_pq_stats__add_fixed(&f.stats, (const uint8_t *)values, 2);
    finish(&f, 64);
    assert_false(LOCHAN_PQ_HAS(&f.out, 5));
    assert_false(LOCHAN_PQ_HAS(&f.out, 6));
    assert_int_equal(f.out.nan_count, 2);
    end(&f);
}

static void test_statistics__unsigned_and_signed_differ(void **state) {
    (void)state;
    static const uint32_t values[] = {5, 0xfffffff0u, 7};
    fixture f;
    lochan_expr_stats read;
    const lochan_pq_leaf *leaf = begin(&f, "I");
    lochan_pq_stats__add_fixed(&f.stats, (const uint8_t *)values, 3);
    finish(&f, 64);
    assert_true(lochan_pq_stats__read(leaf, &f.out, 3, &read));
    assert_int_equal(read.min_i, 5);
    assert_int_equal(read.max_i, 0xfffffff0);
    end(&f);
    leaf = begin(&f, "i");
    lochan_pq_stats__add_fixed(&f.stats, (const uint8_t *)values, 3);
    finish(&f, 64);
    assert_true(lochan_pq_stats__read(leaf, &f.out, 3, &read));
    assert_int_equal(read.min_i, -16);
    assert_int_equal(read.max_i, 7);
    assert_true(read.min_exact && read.max_exact);
    end(&f);
}

static void test_statistics__decimals_compare_by_sign(void **state) {
    (void)state;
    fixture f;
    const lochan_pq_leaf *leaf = begin(&f, "d:20,4"); /* nine bytes, big-endian */
    uint8_t values[3][9] = {{0, 0, 0, 0, 0, 0, 0, 0, 5}, {0}, {0, 0, 0, 0, 0, 0, 1, 0, 0}};
    memset(values[1], 0xff, 9);
    lochan_pq_stats__add_fixed(&f.stats, &values[0][0], 3);
    finish(&f, 64);
    assert_memory_equal(f.out.min.p, values[1], 9);
    assert_memory_equal(f.out.max.p, values[2], 9);
    assert_string_equal(lochan_pq_stats__text(leaf, f.out.min, &f.arena), "-0.0001");
    assert_string_equal(lochan_pq_stats__text(leaf, f.out.max, &f.arena), "6.5536");
    end(&f);
}

static void test_statistics__long_text_is_cut_into_bounds(void **state) {
    (void)state;
    fixture f;
    lochan_expr_stats read;
    const lochan_pq_leaf *leaf = begin(&f, "u");
    add_text(&f, "aaaaaaaaaaaaaaa");
    add_text(&f, "zzzzzzzzzz\x7fzzz");
    finish(&f, 11);
    assert_true(lochan_pq_stats__read(leaf, &f.out, 2, &read));
    assert_false(read.min_exact);
    assert_false(read.max_exact);
    assert_true(lochan_str__eq(read.min_s, LOCHAN_STR("aaaaaaaaaaa")));
    assert_true(lochan_str__eq(read.max_s, LOCHAN_STR("zzzzzzzzz{")));
    end(&f);
}

static void test_statistics__cut_text_stays_text(void **state) {
    (void)state;
    uint64_t seed = 77;
    static const char *const letters[] = {
        "a", "\x7f", "\xc3\xbf", "\xdf\xbf", "\xed\x9f\xbf", "\xef\xbf\xbf", "\xf4\x8f\xbf\xbf",
        "z"};
    for (int round = 0; round < 3000; round++) {
        fixture f;
        char text[80] = "";
        for (int i = 0; i < 15; i++)
            strcat(text, letters[fake_random(&seed) % LOCHAN_COUNTOF(letters)]);
        begin(&f, "u");
        add_text(&f, text);
        finish(&f, 1 + (int32_t)(fake_random(&seed) % 20));
        lochan_str whole = lochan_str__of(text);
        const lochan_pq_leaf *leaf = &f.schema.leaves[0];
        assert_true(lochan_utf8__valid(f.out.min.p, f.out.min.n));
        assert_true(lochan_pq_stats__compare(leaf, f.out.min, whole) <= 0);
        if (LOCHAN_PQ_HAS(&f.out, 5)) {
            assert_true(lochan_utf8__valid(f.out.max.p, f.out.max.n));
            assert_true(lochan_pq_stats__compare(leaf, f.out.max, whole) >= 0);
        }
        end(&f);
    }
}

static void test_statistics__wrong_bounds_are_not_trusted(void **state) {
    (void)state;
    fixture f;
    lochan_expr_stats read;
    const lochan_pq_leaf *leaf = begin(&f, "i");
    lochan_pq_statistics s = {.set = 0x60, .min = {"\x05\0\0\0", 4}, .max = {"\x01\0\0\0", 4}};
    assert_false(lochan_pq_stats__read(leaf, &s, 3, &read)); /* min above max */
    s.max = (lochan_str){"\x09\0\0", 3};
    assert_false(lochan_pq_stats__read(leaf, &s, 3, &read)); /* three bytes */
    s = (lochan_pq_statistics){.set = 0x08, .null_count = 9};
    assert_false(lochan_pq_stats__read(leaf, &s, 3, &read)); /* more nulls than values */
    s = (lochan_pq_statistics){
        .set = 0x06, .min_old = {"\x01\0\0\0", 4}, .max_old = {"\x05\0\0\0", 4}};
    assert_true(lochan_pq_stats__read(leaf, &s, 3, &read)); /* the old fields, for signed numbers */
    assert_int_equal(read.max_i, 5);
    end(&f);
    leaf = begin(&f, "u");
    assert_false(lochan_pq_stats__read(leaf, &s, 3, &read)); /* not for text */
    end(&f);
}

static void assert_text(const char *format, const void *value, size_t n, const char *expected) {
    fixture f;
    const lochan_pq_leaf *leaf = begin(&f, format);
    const char *got = lochan_pq_stats__text(leaf, (lochan_str){value, n}, &f.arena);
    if (!expected)
        assert_null(got);
    else
        assert_string_equal(got, expected);
    end(&f);
}

static void test_statistics__text_forms_are_those_of_a_catalog(void **state) {
    (void)state;
    int64_t v = -1;
    int32_t day = 19753, ms = 3661007;
    assert_text("l", &v, 8, "-1");
    assert_text("L", &v, 8, "18446744073709551615");
    assert_text("tdD", &day, 4, "2024-01-31");
    day = INT32_MAX;
    assert_text("tdD", &day, 4, NULL);
    assert_text("ttm", &ms, 4, "01:01:01.007");
    assert_text("tsu:", &v, 8, "1969-12-31 23:59:59.999999");
    v = 0;
    assert_text("tsn:UTC", &v, 8, "1970-01-01 00:00:00+00");
    assert_text("b", "\x01", 1, "true");
    assert_text("u", "caf\xc3\xa9", 5, "caf\xc3\xa9");
    assert_text("u", "\xff", 1, NULL);
    assert_text("z", "abc", 3, NULL);
    double d = 0.1;
    assert_text("g", &d, 8, "0.1");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_statistics__floats_pass_over_nan_and_widen_zeros),
        cmocka_unit_test(test_statistics__only_nan_gives_no_bounds),
        cmocka_unit_test(test_statistics__unsigned_and_signed_differ),
        cmocka_unit_test(test_statistics__decimals_compare_by_sign),
        cmocka_unit_test(test_statistics__long_text_is_cut_into_bounds),
        cmocka_unit_test(test_statistics__cut_text_stays_text),
        cmocka_unit_test(test_statistics__wrong_bounds_are_not_trusted),
        cmocka_unit_test(test_statistics__text_forms_are_those_of_a_catalog),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
