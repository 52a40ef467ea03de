/* test_types.c - type names both ways, bounds and their order, partition texts. */
#include "lake.h"

#include "catalog/internal.h"

static void test_types__names_go_both_ways(void **state) {
    static const char *const pairs[][2] = {
        {"b", "boolean"},
        {"c", "int8"},
        {"C", "uint8"},
        {"s", "int16"},
        {"i", "int32"},
        {"l", "int64"},
        {"L", "uint64"},
        {"f", "float32"},
        {"g", "float64"},
        {"u", "varchar"},
        {"z", "blob"},
        {"tdD", "date"},
        {"ttu", "time"},
        {"tsu:", "timestamp"},
        {"tss:", "timestamp_s"},
        {"tsm:", "timestamp_ms"},
        {"tsn:", "timestamp_ns"},
        {"tsu:UTC", "timestamptz"},
        {"d:12,3", "decimal(12,3)"},
    };
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(pairs); i++) {
        struct ArrowSchema field = {0};
        lochan_type type, back;
        char name[64];
        ok(lochan_type__parse(pairs[i][0], &type, &err));
        ok(lochan_schema__set_field(&field, "c", &type, true, &err));
        ok(lochan_ducktype__of_field(&field, name, &err));
        assert_string_equal(name, pairs[i][1]);
        ok(lochan_ducktype__parse(name, &back, &err));
        assert_true(lochan_type__equal(&type, &back));
        field.release(&field);
    }
    lochan_type type;
    assert_int_equal(lochan_ducktype__parse("hugeint", &type, &err), LOCHAN_ERR_UNSUPPORTED);
    assert_int_equal(lochan_ducktype__parse("decimal(40,2)", &type, &err), LOCHAN_ERR_UNSUPPORTED);
    assert_int_equal(lochan_ducktype__parse("decimal(4,x)", &type, &err), LOCHAN_ERR_UNSUPPORTED);
}

static void test_types__other_types_are_refused_by_column(void **state) {
    static const char *const formats[] = {"e",    "tdm", "tts", "tsu:Europe/Berlin",
                                          "w:16", "tDs", "n"};
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(formats); i++) {
        struct ArrowSchema field = {0};
        lochan_type type;
        char name[64];
        ok(lochan_type__parse(formats[i], &type, &err));
        ok(lochan_schema__set_field(&field, "odd", &type, true, &err));
        assert_int_equal(lochan_ducktype__of_field(&field, name, &err), LOCHAN_ERR_UNSUPPORTED);
        assert_string_equal(err.column, "odd");
        field.release(&field);
    }
}

static void test_types__bounds_are_read_or_unknown(void **state) {
    (void)state;
    lochan_error err;
    lochan_type type;
    lochan_expr_stats s;
    ok(lochan_ducktype__parse("timestamp_s", &type, &err));
    assert_true(
        lochan_ducktype__stats(&type, "1970-01-01 00:00:01.5", "1970-01-01 00:00:02.5", &s));
    assert_int_equal(s.min_i, 1); /* down */
    assert_int_equal(s.max_i, 3); /* up */
    assert_true(lochan_ducktype__stats(&type, "1969-12-31 23:59:58.5", NULL, &s));
    assert_int_equal(s.min_i, -2);
    assert_false(s.has_max);
    ok(lochan_ducktype__parse("float64", &type, &err));
    assert_true(lochan_ducktype__stats(&type, "-inf", "1e300", &s));
    assert_false(lochan_ducktype__stats(&type, "nan", "abc", &s));
    assert_true(s.may_have_nan);
    ok(lochan_ducktype__parse("float32", &type, &err)); /* the shortest text of the float */
    assert_true(lochan_ducktype__stats(&type, "0.1", "0.1", &s));
    assert_true(s.max_f == (double)0.1f && s.min_f == (double)0.1f);
    ok(lochan_ducktype__parse("int8", &type, &err));
    assert_false(lochan_ducktype__stats(&type, "1.5", "", &s));
    ok(lochan_ducktype__parse("boolean", &type, &err));
    assert_true(lochan_ducktype__stats(&type, "false", "1", &s));
    assert_int_equal(s.max_i, 1);
    ok(lochan_ducktype__parse("varchar", &type, &err));
    assert_true(lochan_ducktype__stats(&type, "", "z", &s));
    assert_false(s.max_exact); /* it may have been cut */
    ok(lochan_ducktype__parse("time", &type, &err));
    assert_true(lochan_ducktype__stats(&type, "00:00:00.5", "23:59:59", &s));
    assert_int_equal(s.min_i, 500000);
}

static void test_types__bounds_are_compared_by_type(void **state) {
    static const struct {
        const char *type, *a, *b;
        int order;
    } cases[] = {
        {"int64", "9", "10", -1},
        {"int64", "-9", "-10", 1},
        {"float64", "1e2", "99", 1},
        {"varchar", "9", "10", 1},
        {"date", "2024-01-02", "2024-01-10", -1},
        {"uint64", "18446744073709551615", "9", 1},
        {"decimal(38,10)", "-12345678901234567890.5", "-12345678901234567890.4999999999", -1},
        {"decimal(9,2)", "1.50", "1.5", 0},
        {"decimal(9,2)", "-0.00", "0", 0},
        {"decimal(9,2)", "0.1", "0.09", 1},
        {"decimal(9,2)", "10", "9.99", 1},
        {"decimal(9,2)", "-1", "1", -1},
        {"decimal(9,2)", "2.01", "2", 1},
    };
    (void)state;
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        lochan_type type;
        bool known;
        ok(lochan_ducktype__parse(cases[i].type, &type, &err));
        int c = lochan_ducktype__compare(&type, cases[i].a, cases[i].b, &known);
        if (!known || (c > 0) - (c < 0) != cases[i].order)
            fail_msg("%s: %s against %s", cases[i].type, cases[i].a, cases[i].b);
        c = lochan_ducktype__compare(&type, cases[i].b, cases[i].a, &known);
        assert_int_equal((c > 0) - (c < 0), -cases[i].order);
    }
    lochan_type type;
    bool known;
    ok(lochan_ducktype__parse("decimal(9,2)", &type, &err));
    lochan_ducktype__compare(&type, "1e5", "2", &known);
    assert_false(known);
}

static void test_types__partition_texts_are_unique(void **state) {
    (void)state;
    lochan_arena arena;
    lochan_arena__init(&arena, 0);
    const char *a[] = {"2024", "1"}, *b[] = {"2024/1", NULL}, *c[] = {"%N", "x%2F"};
    assert_string_equal(lochan_partition__text(&arena, a, 2), "2024/1");
    assert_string_equal(lochan_partition__text(&arena, b, 2), "2024%2F1/%N");
    assert_string_equal(lochan_partition__text(&arena, c, 2), "%25N/x%252F");
    assert_string_equal(lochan_partition__text(&arena, NULL, 0), "");
    lochan_arena__deinit(&arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_types__names_go_both_ways),
        cmocka_unit_test(test_types__other_types_are_refused_by_column),
        cmocka_unit_test(test_types__bounds_are_read_or_unknown),
        cmocka_unit_test(test_types__bounds_are_compared_by_type),
        cmocka_unit_test(test_types__partition_texts_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
