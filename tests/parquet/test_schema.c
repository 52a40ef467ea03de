/* test_schema.c - Arrow schema <-> Parquet schema, levels, legacy layouts, hostile schemas. */
#include "parquet/pq_sample.h"

#include "parquet/schema.h"

#define B LOCHAN_THRIFT_BIT

static lochan_pq_element leaf(const char *name, int32_t repetition, int32_t type) {
    return (lochan_pq_element){.set = B(1) | B(3) | B(4),
                               .type = type,
                               .repetition = repetition,
                               .name = lochan_str__of(name)};
}

static lochan_pq_element group(const char *name, int32_t repetition, int32_t children,
                               int converted) {
    lochan_pq_element e = {.set = B(3) | B(4) | B(5),
                           .repetition = repetition,
                           .name = lochan_str__of(name),
                           .num_children = children};
    if (converted >= 0) {
        e.set |= B(6);
        e.converted = converted;
    }
    return e;
}

static void test_schema__every_type_comes_back(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema arrow;
    pq_schema(&arrow, true);
    assert_ok(lochan_schema__set_field_id(arrow.children[3], 77, &err));
    lochan_pq_schema written, back;
    assert_ok(lochan_pq_schema__from_arrow(&arrow, &written, &err));
    assert_ok(lochan_pq_schema__from_parquet(written.elements, written.n_elements,
                                             LOCHAN_PQ_STRINGS_PLAIN, &back, &err));
    assert_int_equal(back.arrow.n_children, arrow.n_children);
    assert_int_equal(back.n_leaves, written.n_leaves);
    assert_int_equal(lochan_schema__field_id(back.arrow.children[3]), 77);
    for (int64_t i = 0; i < PQ_FLAT; i++) {
        lochan_type want = sample_type(arrow.children[i]->format),
                    got = sample_type(back.arrow.children[i]->format);
        if (lochan_type__is_bytes(want.id)) /* layouts of text are the reader's choice */
            want.id = want.id <= LOCHAN_TYPE_STRING_VIEW ? LOCHAN_TYPE_STRING : LOCHAN_TYPE_BINARY;
        assert_true(lochan_type__equal(&want, &got));
        assert_string_equal(back.arrow.children[i]->name, arrow.children[i]->name);
    }
    for (int i = 0; i < written.n_leaves; i++) {
        assert_int_equal(back.leaves[i].max_def, written.leaves[i].max_def);
        assert_int_equal(back.leaves[i].max_rep, written.leaves[i].max_rep);
        assert_string_equal(back.leaves[i].path, written.leaves[i].path);
    }
    lochan_pq_schema__deinit(&written);
    lochan_pq_schema__deinit(&back);
    lochan_schema__release(&arrow);
}

static void test_schema__levels_follow_the_path(void **state) {
    (void)state;
    lochan_error err;
    /* optional list of optional struct { required int, optional list of optional double } */
    lochan_pq_element e[] = {
        group("root", 0, 1, -1),       group("a", 1, 1, LOCHAN_PQ_CONVERTED_LIST),
        group("list", 2, 1, -1),       group("element", 1, 2, -1),
        leaf("x", 0, LOCHAN_PQ_INT32), group("y", 1, 1, LOCHAN_PQ_CONVERTED_LIST),
        group("list", 2, 1, -1),       leaf("element", 1, LOCHAN_PQ_DOUBLE)};
    lochan_pq_schema s;
    assert_ok(
        lochan_pq_schema__from_parquet(e, LOCHAN_COUNTOF(e), LOCHAN_PQ_STRINGS_PLAIN, &s, &err));
    assert_int_equal(s.n_leaves, 2);
    assert_string_equal(s.leaves[0].path, "a.list.element.x");
    assert_int_equal(s.leaves[0].max_def, 3);
    assert_int_equal(s.leaves[0].max_rep, 1);
    assert_int_equal(s.leaves[0].slot_def, 2);
    assert_int_equal(s.leaves[1].max_def, 6);
    assert_int_equal(s.leaves[1].max_rep, 2);
    assert_int_equal(s.leaves[1].slot_def, 5);
    const lochan_pq_field *a = &s.root.children[0];
    assert_int_equal(a->def, 1);
    assert_int_equal(a->item_def, 2);
    assert_int_equal(a->children[0].def, 3);
    assert_int_equal(a->n_leaves, 2);
    assert_string_equal(s.arrow.children[0]->format, "+l");
    assert_string_equal(s.arrow.children[0]->children[0]->format, "+s");
    lochan_pq_schema__deinit(&s);
}

/* Formats of a column and of its first child. */
static void assert_shape(const lochan_pq_element *e, uint32_t n, const char *outer,
                         const char *inner) {
    lochan_error err;
    lochan_pq_schema s;
    assert_ok(lochan_pq_schema__from_parquet(e, n, LOCHAN_PQ_STRINGS_PLAIN, &s, &err));
    assert_string_equal(s.arrow.children[0]->format, outer);
    assert_string_equal(s.arrow.children[0]->children[0]->format, inner);
    lochan_pq_schema__deinit(&s);
}

static void test_schema__legacy_lists_and_maps_follow_the_rules(void **state) {
    (void)state;
    lochan_pq_element repeated[] = {group("root", 0, 1, -1), leaf("a", 2, LOCHAN_PQ_INT32)};
    assert_shape(repeated, 2, "+l", "i");
    lochan_pq_element repeated_group[] = {group("root", 0, 1, -1), group("a", 2, 1, -1),
                                          leaf("x", 0, LOCHAN_PQ_INT64)};
    assert_shape(repeated_group, 3, "+l", "+s");
    lochan_pq_element two_level[] = {group("root", 0, 1, -1),
                                     group("a", 1, 1, LOCHAN_PQ_CONVERTED_LIST),
                                     leaf("array", 2, LOCHAN_PQ_INT32)};
    assert_shape(two_level, 3, "+l", "i");
    lochan_pq_element tuple[] = {group("root", 0, 1, -1),
                                 group("a", 1, 1, LOCHAN_PQ_CONVERTED_LIST),
                                 group("a_tuple", 2, 1, -1), leaf("x", 0, LOCHAN_PQ_INT32)};
    assert_shape(tuple, 4, "+l", "+s");
    lochan_pq_element wide[] = {group("root", 0, 1, -1), group("a", 1, 1, LOCHAN_PQ_CONVERTED_LIST),
                                group("element", 2, 2, -1), leaf("x", 0, LOCHAN_PQ_INT32),
                                leaf("y", 0, LOCHAN_PQ_INT32)};
    assert_shape(wide, 5, "+l", "+s");
    lochan_pq_element three[] = {group("root", 0, 1, -1),
                                 group("a", 1, 1, LOCHAN_PQ_CONVERTED_LIST), group("bag", 2, 1, -1),
                                 leaf("x", 1, LOCHAN_PQ_INT32)};
    assert_shape(three, 4, "+l", "i");
    lochan_pq_element map[] = {
        group("root", 0, 1, -1), group("a", 1, 1, LOCHAN_PQ_CONVERTED_MAP_KEY_VALUE),
        group("map", 2, 2, -1), leaf("k", 0, LOCHAN_PQ_INT32), leaf("v", 1, LOCHAN_PQ_INT32)};
    assert_shape(map, 5, "+m", "+s");
    lochan_pq_element no_list[] = {group("root", 0, 1, -1),
                                   group("a", 1, 1, LOCHAN_PQ_CONVERTED_LIST),
                                   leaf("x", 1, LOCHAN_PQ_INT32)};
    assert_shape(no_list, 3, "+s", "i");
}

static void assert_refused(const lochan_pq_element *e, uint32_t n, lochan_status expected) {
    lochan_error err;
    lochan_pq_schema s;
    assert_status(lochan_pq_schema__from_parquet(e, n, LOCHAN_PQ_STRINGS_PLAIN, &s, &err),
                  expected);
    assert_true(err.message[0] != '\0');
}

static void test_schema__hostile_schemas_are_refused(void **state) {
    (void)state;
    lochan_pq_element too_few[] = {group("root", 0, 3, -1), leaf("a", 0, LOCHAN_PQ_INT32)};
    assert_refused(too_few, 2, LOCHAN_ERR_CORRUPT);
    lochan_pq_element too_many[] = {group("root", 0, 1, -1), leaf("a", 0, 1), leaf("b", 0, 1)};
    assert_refused(too_many, 3, LOCHAN_ERR_CORRUPT);
    lochan_pq_element negative[] = {group("root", 0, -1, -1)};
    assert_refused(negative, 1, LOCHAN_ERR_CORRUPT);
    lochan_pq_element odd_type[] = {group("root", 0, 1, -1), leaf("a", 0, 9)};
    assert_refused(odd_type, 2, LOCHAN_ERR_UNSUPPORTED);
    lochan_pq_element odd_repetition[] = {group("root", 0, 1, -1), leaf("a", 5, 1)};
    assert_refused(odd_repetition, 2, LOCHAN_ERR_CORRUPT);
    lochan_pq_element odd_name[] = {group("root", 0, 1, -1), leaf("\xff", 0, 1)};
    assert_refused(odd_name, 2, LOCHAN_ERR_CORRUPT);
    lochan_pq_element fixed[] = {group("root", 0, 1, -1), leaf("a", 0, LOCHAN_PQ_FIXED_BYTES)};
    assert_refused(fixed, 2, LOCHAN_ERR_CORRUPT);
    lochan_pq_element decimal[] = {group("root", 0, 1, -1), leaf("a", 0, LOCHAN_PQ_INT32)};
    decimal[1].set |= B(6) | B(7) | B(8);
    decimal[1].converted = LOCHAN_PQ_CONVERTED_DECIMAL;
    decimal[1].precision = 3;
    decimal[1].scale = 4;
    assert_refused(decimal, 2, LOCHAN_ERR_CORRUPT);
    lochan_pq_element deep[200];
    for (int i = 0; i < 199; i++)
        deep[i] = group("g", 0, 1, -1);
    deep[199] = leaf("x", 0, 1);
    assert_refused(deep, 200, LOCHAN_ERR_UNSUPPORTED);
}

static void test_schema__what_parquet_cannot_hold_is_named(void **state) {
    (void)state;
    static const char *const formats[] = {"d:5,-2", "w:0"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(formats); i++) {
        lochan_error err;
        struct ArrowSchema arrow;
        lochan_pq_schema s;
        pq_schema_one(&arrow, formats[i], true);
        assert_status(lochan_pq_schema__from_arrow(&arrow, &s, &err), LOCHAN_ERR_UNSUPPORTED);
        assert_non_null(strstr(err.message, "'x'"));
        lochan_schema__release(&arrow);
    }
}

static void test_schema__an_annotation_that_does_not_fit_is_passed_over(void **state) {
    (void)state;
    lochan_error err;
    lochan_pq_schema s;
    lochan_pq_element e[] = {group("root", 0, 1, -1), leaf("a", 0, LOCHAN_PQ_DOUBLE)};
    e[1].set |= B(6);
    e[1].converted = LOCHAN_PQ_CONVERTED_DATE;
    assert_ok(lochan_pq_schema__from_parquet(e, 2, LOCHAN_PQ_STRINGS_PLAIN, &s, &err));
    assert_string_equal(s.arrow.children[0]->format, "g");
    lochan_pq_schema__deinit(&s);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_schema__every_type_comes_back),
        cmocka_unit_test(test_schema__levels_follow_the_path),
        cmocka_unit_test(test_schema__legacy_lists_and_maps_follow_the_rules),
        cmocka_unit_test(test_schema__hostile_schemas_are_refused),
        cmocka_unit_test(test_schema__what_parquet_cannot_hold_is_named),
        cmocka_unit_test(test_schema__an_annotation_that_does_not_fit_is_passed_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
