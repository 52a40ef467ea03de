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
    if (s->values_of(&view, 0, s->number, &v)) {
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

/* The strategy of a stored table with columns t (a date) and a (a text). */
static const char *of_table(const char *const *transforms, const int *columns, size_t n,
                            int64_t *number) {
    static const char *const names[] = {"t", "a", "_ten_years"};
    lochan_error err;
    lochan_table_def def = {.n_partition = n};
    lochan_partition_key keys[LOCHAN_PARTITION_MAX];
    lochan_type date = {.id = LOCHAN_TYPE_DATE32}, text = {.id = LOCHAN_TYPE_STRING},
                range = {.id = LOCHAN_TYPE_INT32};
    int found[LOCHAN_PARTITION_MAX];
    for (size_t i = 0; i < n; i++)
        keys[i] = (lochan_partition_key){
            .column = columns[i], .name = names[columns[i]], .transform = transforms[i]};
    def.partition = keys;
    assert_ok(lochan_schema__init_struct(&def.schema, 3, &err));
    assert_ok(lochan_schema__set_field(def.schema.children[0], "t", &date, true, &err));
    assert_ok(lochan_schema__set_field(def.schema.children[1], "a", &text, true, &err));
    assert_ok(lochan_schema__set_field(def.schema.children[2], "_ten_years", &range, true, &err));
    const lochan_partition_strategy *s = lochan_partition__of_table(&def, found, number);
    lochan_schema__release(&def.schema);
    return s ? s->name : "none";
}

static void test_partition__found_by_name_and_transforms(void **state) {
    static const char *const months[] = {"year", "month"}, *const others[] = {"month", "year"},
                             *const days[] = {"year", "month", "day"},
                             *const buckets[] = {"year", "bucket(12)"},
                             *const odd[] = {"year", "bucket(x)"}, *const same[] = {"identity"};
    static const int time[] = {0, 0, 0}, both[] = {0, 1}, asset[] = {1}, range[] = {2};
    int64_t number;
    (void)state;
    assert_string_equal(lochan_partition__find(NULL)->name, "single_file");
    assert_null(lochan_partition__find("weekly"));
    assert_string_equal(of_table(months, time, 2, &number), "year_month");
    assert_string_equal(of_table(others, time, 2, &number), "none");
    assert_string_equal(of_table(months, time, 1, &number), "none");
    assert_string_equal(of_table(days, time, 3, &number), "day");
    assert_string_equal(of_table(buckets, both, 2, &number), "year_bucket");
    assert_int_equal(number, 12);
    assert_string_equal(of_table(buckets, time, 2, &number), "none");
    assert_string_equal(of_table(odd, both, 2, &number), "none");
    assert_string_equal(of_table(same, asset, 1, &number), "identity");
    assert_string_equal(of_table(same, range, 1, &number), "ten_year_range");
    assert_string_equal(of_table(same, time, 1, &number), "none");
    assert_string_equal(of_table(NULL, NULL, 0, &number), "single_file");
    size_t n = 0;
    while (lochan_partition__name(n))
        assert_non_null(lochan_partition__find(lochan_partition__name(n++)));
    assert_true(n >= 2);
    assert_int_equal(lochan_partition__column_count("year_month"), 1);
    assert_int_equal(lochan_partition__column_count("single_file"), 0);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(lochan_partition__name(i), lochan_partition__name(j));
    }
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
