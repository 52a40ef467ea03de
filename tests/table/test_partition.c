/* test_partition.c - strategies: values, folders, transforms. */
#include "table/partition.h"

#include "arrow/builder.h"
#include "base/civil.h"
#include "support/cmocka_all.h"
#include <stdio.h>

/* The folder of one value of a type, "" if it has no partition. */
static void folder_of(const char *type_name, int64_t value, char dst[64]) {
    lochan_error err;
    lochan_type type;
    struct ArrowSchema schema = {0};
    struct ArrowArray array;
    lochan_builder *b;
    lochan_view view = {0};
    lochan_partition_values v = {0};
    lochan_buf out;
    const lochan_partition_strategy *s = lochan_partition__find("year_month");
    assert_ok(lochan_type__from_name(type_name, &type, &err));
    assert_true(s->accepts(0, &type));
    assert_ok(lochan_schema__set_field(&schema, "t", &type, true, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    assert_ok(lochan_builder__int64(b, value, &err));
    assert_ok(lochan_builder__finish(b, &array, &err));
    assert_ok(lochan_view__init(&view, &schema, &array, &err));
    lochan_buf__init(&out, 1000);
    dst[0] = '\0';
    if (s->values_of(&view, 0, &v)) {
        assert_ok(lochan_partition__folder(s, "daily", &v, &out, &err));
        snprintf(dst, 64, "%s", (const char *)out.data);
    }
    lochan_buf__deinit(&out);
    lochan_view__deinit(&view);
    lochan_array__release(&array);
    lochan_builder__free(b);
    lochan_schema__release(&schema);
}

static void test_partition__year_month_of_dates_and_times(void **state) {
    char f[64];
    (void)state;
    folder_of("date", 0, f);
    assert_string_equal(f, "year=1970/month=01");
    folder_of("date", -1, f);
    assert_string_equal(f, "year=1969/month=12");
    folder_of("timestamp[us]", -1, f);
    assert_string_equal(f, "year=1969/month=12");
    folder_of("timestamp[s]", 1709164800, f); /* 2024-02-29 */
    assert_string_equal(f, "year=2024/month=02");
    folder_of("timestamp[ns, UTC]", 1735689599999999999, f); /* the last of 2024 */
    assert_string_equal(f, "year=2024/month=12");
    folder_of("date", -719162, f);
    assert_string_equal(f, "year=0001/month=01");
    folder_of("date", -719163, f);
    assert_string_equal(f, "");
    folder_of("date", 2932896, f);
    assert_string_equal(f, "year=9999/month=12");
    folder_of("date", 2932897, f);
    assert_string_equal(f, "");
}

static void test_partition__found_by_name_and_transforms(void **state) {
    static const char *const transforms[] = {"year", "month"}, *const others[] = {"month", "year"};
    (void)state;
    assert_string_equal(lochan_partition__find(NULL)->name, "single_file");
    assert_null(lochan_partition__find("weekly"));
    assert_ptr_equal(lochan_partition__find_transforms(transforms, 2),
                     lochan_partition__find("year_month"));
    assert_null(lochan_partition__find_transforms(others, 2));
    assert_null(lochan_partition__find_transforms(transforms, 1));
    assert_ptr_equal(lochan_partition__find_transforms(NULL, 0),
                     lochan_partition__find("single_file"));
    size_t n = 0;
    while (lochan_partition__name(n))
        assert_non_null(lochan_partition__find(lochan_partition__name(n++)));
    assert_true(n >= 2);
    assert_int_equal(lochan_partition__column_count("year_month"), 1);
    assert_int_equal(lochan_partition__column_count("single_file"), 0);
}

static void test_partition__texts(void **state) {
    lochan_error err;
    lochan_buf out;
    const lochan_partition_strategy *s = lochan_partition__find("year_month");
    lochan_partition_values v = {.v = {{.i = 2024}, {.i = 3}}};
    (void)state;
    lochan_buf__init(&out, 1000);
    assert_ok(lochan_partition__json(s, &v, &out, &err));
    assert_string_equal((const char *)out.data, "{\"year\":2024,\"month\":3}");
    lochan_buf__clear(&out);
    assert_ok(lochan_partition__value_text(s, &v, 1, &out, &err));
    assert_string_equal((const char *)out.data, "3"); /* as DuckLake writes it */
    lochan_buf__clear(&out);
    assert_ok(lochan_partition__json(lochan_partition__find(NULL), &v, &out, &err));
    assert_string_equal((const char *)out.data, "{}");
    lochan_buf__deinit(&out);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_partition__year_month_of_dates_and_times),
        cmocka_unit_test(test_partition__found_by_name_and_transforms),
        cmocka_unit_test(test_partition__texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
