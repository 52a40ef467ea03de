/* test_schema.c - schemas: ownership, copies, comparison, the check of foreign ones. */
#include "arrow/sample.h"
#include "support/alloc.h"
#include "support/fault.h"

static void test_schema__sample_passes_the_check(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema s;
    assert_ok(sample_schema(&s, &err));
    assert_ok(lochan_schema__check(&s, &err));
    assert_int_equal(lochan_schema__find(&s, "tdD"), 22);
    assert_int_equal(lochan_schema__find(&s, "none"), -1);
    assert_int_equal(lochan_schema__find(&s, NULL), -1);
    lochan_schema__release(&s);
    assert_null(s.release);
    lochan_schema__release(&s);
    lochan_schema__release(NULL);
}

static void test_schema__dup_outlives_the_original(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema s;
    struct ArrowSchema copy;
    assert_ok(sample_schema(&s, &err));
    assert_ok(lochan_schema__set_metadata(s.children[1], "k", "v", &err));
    assert_ok(lochan_schema__dup(&s, &copy, &err));
    assert_ok(lochan_schema__check_equal(&s, &copy, &err));
    lochan_schema__release(&s);
    const char *value;
    size_t n;
    assert_true(lochan_schema__get_metadata(copy.children[1], "k", &value, &n));
    assert_int_equal(n, 1);
    assert_ok(lochan_schema__check(&copy, &err));
    lochan_schema__release(&copy);
}

static void test_schema__moved_out_children_are_passed_over(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema s;
    struct ArrowSchema child;
    struct ArrowSchema dictionary;
    assert_ok(sample_schema(&s, &err));
    lochan_schema__move(s.children[2], &child);
    struct ArrowSchema *word = s.children[SAMPLE_FLAT + 5];
    lochan_schema__move(word->dictionary, &dictionary);
    assert_null(s.children[2]->release);
    assert_status(lochan_schema__check(&s, &err), LOCHAN_ERR_DATA);
    lochan_schema__release(&s);
    assert_string_equal(child.format, "c");
    assert_string_equal(dictionary.format, "u");
    lochan_schema__release(&child);
    lochan_schema__release(&dictionary);
}

static void test_schema__select_takes_columns_in_order(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema s;
    struct ArrowSchema part;
    assert_ok(sample_schema(&s, &err));
    assert_ok(lochan_schema__select(&s, (int[]){5, 0, 5}, 3, &part, &err));
    assert_int_equal(part.n_children, 3);
    assert_string_equal(part.children[0]->name, "S");
    assert_string_equal(part.children[1]->name, "n");
    lochan_schema__release(&part);
    assert_status(lochan_schema__select(&s, (int[]){-1}, 1, &part, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(lochan_schema__select(&s, (int[]){1000}, 1, &part, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    assert_null(part.release);
    lochan_schema__release(&s);
}

static void two_fields(struct ArrowSchema *s, const char *name, const char *format, bool nullable) {
    lochan_error err;
    lochan_type type = sample_type(format);
    assert_ok(lochan_schema__init_struct(s, 2, &err));
    assert_ok(sample_field(s->children[0], "first", "i", 0, &err));
    assert_ok(
        lochan_schema__set_nested(s->children[1], name, &type, nullable, format[0] == '+', &err));
    if (format[0] == '+')
        assert_ok(sample_field(s->children[1]->children[0], name, "i", 0, &err));
}

static void expect_difference(struct ArrowSchema *x, const char *name, const char *format,
                              bool nullable, const char *message) {
    lochan_error err;
    struct ArrowSchema y;
    two_fields(&y, name, format, nullable);
    assert_status(lochan_schema__check_equal(x, &y, &err), LOCHAN_ERR_SCHEMA);
    assert_string_equal(err.message, message);
    assert_string_equal(err.column, "second");
    lochan_schema__release(&y);
}

static void test_schema__check_equal_names_the_first_difference(void **state) {
    (void)state;
    struct ArrowSchema x;
    two_fields(&x, "second", "g", true);
    expect_difference(&x, "second", "f", true, "column 'second': expected float64, got float32");
    expect_difference(&x, "other", "g", true, "column 'second': expected this name, got 'other'");
    expect_difference(&x, "second", "g", false,
                      "column 'second': expected nullable, got not nullable");
    lochan_schema__release(&x);
}

static void test_schema__names_of_list_items_do_not_matter(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema x;
    struct ArrowSchema y;
    two_fields(&x, "list", "+l", true);
    two_fields(&y, "list", "+l", true);
    lochan_schema__release(y.children[1]->children[0]);
    assert_ok(sample_field(y.children[1]->children[0], "element", "i", 0, &err));
    assert_ok(lochan_schema__check_equal(&x, &y, &err));
    lochan_schema__release(y.children[1]->children[0]);
    assert_ok(sample_field(y.children[1]->children[0], "element", "l", 0, &err));
    assert_status(lochan_schema__check_equal(&x, &y, &err), LOCHAN_ERR_SCHEMA);
    assert_string_equal(err.column, "list.list");
    lochan_schema__release(&x);
    lochan_schema__release(&y);
}

static void test_schema__metadata_is_replaced_not_doubled(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema s;
    const char *value;
    size_t n;
    assert_ok(sample_field(&s, "x", "i", 0, &err));
    assert_false(lochan_schema__get_metadata(&s, "a", &value, &n));
    assert_int_equal(lochan_schema__field_id(&s), -1);
    assert_ok(lochan_schema__set_metadata(&s, "a", "first", &err));
    assert_ok(lochan_schema__set_metadata(&s, "b", "", &err));
    assert_ok(lochan_schema__set_field_id(&s, 7, &err));
    assert_ok(lochan_schema__set_metadata(&s, "a", "second one", &err));
    int32_t count;
    memcpy(&count, s.metadata, sizeof count);
    assert_int_equal(count, 3);
    assert_true(lochan_schema__get_metadata(&s, "a", &value, &n));
    assert_int_equal(n, 10);
    assert_memory_equal(value, "second one", 10);
    assert_true(lochan_schema__get_metadata(&s, "b", &value, &n));
    assert_int_equal(n, 0);
    assert_int_equal(lochan_schema__field_id(&s), 7);
    assert_ok(lochan_schema__set_metadata(&s, "PARQUET:field_id", "9x", &err));
    assert_int_equal(lochan_schema__field_id(&s), -1);
    lochan_schema__release(&s);
}

static void never_called(struct ArrowSchema *schema) {
    schema->release = NULL;
}

static struct ArrowSchema foreign(const char *format) {
    return (struct ArrowSchema){.format = format, .name = "x", .release = never_called};
}

static void expect_bad(const struct ArrowSchema *s, lochan_status code) {
    lochan_error err;
    assert_status(lochan_schema__check(s, &err), code);
    assert_true(err.message[0] != '\0');
}

static void test_schema__hostile_heads_are_refused(void **state) {
    (void)state;
    struct ArrowSchema s = foreign("i");
    struct ArrowSchema *none[1] = {NULL};
    expect_bad(NULL, LOCHAN_ERR_DATA);
    s.release = NULL;
    expect_bad(&s, LOCHAN_ERR_DATA);
    s = foreign(NULL);
    expect_bad(&s, LOCHAN_ERR_DATA);
    s = foreign("+ud:1");
    expect_bad(&s, LOCHAN_ERR_UNSUPPORTED);
    s = foreign("i");
    s.name = "\xff";
    expect_bad(&s, LOCHAN_ERR_DATA);
    s = foreign("i");
    s.n_children = 1;
    expect_bad(&s, LOCHAN_ERR_DATA);
    s = foreign("+l");
    expect_bad(&s, LOCHAN_ERR_DATA);
    s = foreign("+s");
    s.n_children = -1;
    expect_bad(&s, LOCHAN_ERR_DATA);
    s.n_children = INT64_MAX;
    expect_bad(&s, LOCHAN_ERR_DATA);
    s.n_children = 1;
    expect_bad(&s, LOCHAN_ERR_DATA);
    s.children = none;
    expect_bad(&s, LOCHAN_ERR_DATA);
    s = foreign("i");
    s.metadata = "\xff\xff\xff\xff";
    expect_bad(&s, LOCHAN_ERR_DATA);
    s.metadata = "\1\0\0\0\xff\xff\xff\x7f";
    expect_bad(&s, LOCHAN_ERR_DATA);
}

static void test_schema__dictionaries_need_integer_keys(void **state) {
    (void)state;
    struct ArrowSchema inner = foreign("i");
    struct ArrowSchema values = foreign("u");
    struct ArrowSchema s = foreign("g");
    s.dictionary = &values;
    expect_bad(&s, LOCHAN_ERR_DATA);
    s.format = "i";
    values.format = "i";
    values.dictionary = &inner;
    expect_bad(&s, LOCHAN_ERR_UNSUPPORTED);
}

static void test_schema__maps_need_key_and_value(void **state) {
    (void)state;
    struct ArrowSchema entries = foreign("i");
    struct ArrowSchema *children[1] = {&entries};
    struct ArrowSchema s = foreign("+m");
    s.n_children = 1;
    s.children = children;
    expect_bad(&s, LOCHAN_ERR_DATA);
    entries.format = "+s";
    expect_bad(&s, LOCHAN_ERR_DATA);
}

/* A schema that is its own child, once and twice over. */
static void test_schema__circles_end(void **state) {
    (void)state;
    struct ArrowSchema s = foreign("+s");
    struct ArrowSchema copy;
    struct ArrowSchema *children[2] = {&s, &s};
    s.children = children;
    s.n_children = 1;
    expect_bad(&s, LOCHAN_ERR_DATA);
    assert_status(lochan_schema__dup(&s, &copy, NULL), LOCHAN_ERR_DATA);
    assert_null(copy.release);
    s.n_children = 2;
    expect_bad(&s, LOCHAN_ERR_DATA);
}

/* A tree without a circle whose every level doubles: small in memory, endless to walk. */
static void test_schema__shared_nodes_do_not_hang_the_check(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema levels[60];
    struct ArrowSchema *children[60][2];
    for (int i = 0; i < 60; i++) {
        levels[i] = foreign(i == 59 ? "i" : "+s");
        levels[i].n_children = i == 59 ? 0 : 2;
        levels[i].children = children[i];
        children[i][0] = children[i][1] = &levels[i < 59 ? i + 1 : i];
    }
    assert_status(lochan_schema__check(&levels[0], &err), LOCHAN_ERR_DATA);
    assert_non_null(strstr(err.message, "million"));
}

static lochan_status sweep_body(void *ctx, lochan_error *err) {
    (void)ctx;
    struct ArrowSchema s = {0};
    struct ArrowSchema copy = {0};
    lochan_status rc;
    LOCHAN_TRYG(sample_schema(&s, err));
    LOCHAN_TRYG(lochan_schema__set_field_id(s.children[0], 3, err));
    LOCHAN_TRYG(lochan_schema__dup(&s, &copy, err));
    lochan_schema__release(&copy);
    LOCHAN_TRYG(lochan_schema__select(&s, (int[]){36, 0}, 2, &copy, err));
done:
    lochan_schema__release(&s);
    lochan_schema__release(&copy);
    return rc;
}

static void test_schema__out_of_memory_leaks_nothing(void **state) {
    (void)state;
    fault_totals totals = fault_sweep(
        &(fault_case){.name = "schema", .body = sweep_body, .kinds = FAULT_OOM, .dense = 60});
    assert_true(totals.failed > 60);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema__sample_passes_the_check),
        cmocka_unit_test(test_schema__dup_outlives_the_original),
        cmocka_unit_test(test_schema__moved_out_children_are_passed_over),
        cmocka_unit_test(test_schema__select_takes_columns_in_order),
        cmocka_unit_test(test_schema__check_equal_names_the_first_difference),
        cmocka_unit_test(test_schema__names_of_list_items_do_not_matter),
        cmocka_unit_test(test_schema__metadata_is_replaced_not_doubled),
        cmocka_unit_test(test_schema__hostile_heads_are_refused),
        cmocka_unit_test(test_schema__dictionaries_need_integer_keys),
        cmocka_unit_test(test_schema__maps_need_key_and_value),
        cmocka_unit_test(test_schema__circles_end),
        cmocka_unit_test(test_schema__shared_nodes_do_not_hang_the_check),
        cmocka_unit_test(test_schema__out_of_memory_leaks_nothing),
    };
    return cmocka_run_group_tests(tests, alloc_setup, alloc_teardown);
}
