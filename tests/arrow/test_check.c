/* test_check.c - the gate for foreign arrays: every lie an array can tell. */
#include "arrow/sample.h"
#include "support/alloc.h"
#include "support/clock_fake.h"

/* A foreign array whose buffers are plain memory of the test. */
static void no_release(struct ArrowArray *a) {
    a->release = NULL;
}

typedef struct foreign {
    struct ArrowSchema schema; /* struct of one column "x" */
    struct ArrowArray column;
    struct ArrowArray root;
    const void *root_buffers[1];
    const void *buffers[8];
    struct ArrowArray *children[1];
} foreign;

static void foreign_init(foreign *f, const char *format, int64_t rows, int64_t n_buffers,
                         int64_t n_children) {
    lochan_error err;
    memset(f, 0, sizeof *f);
    assert_ok(lochan_schema__init_struct(&f->schema, 1, &err));
    assert_ok(sample_field(f->schema.children[0], "x", format, n_children, &err));
    f->column = (struct ArrowArray){.length = rows,
                                    .null_count = -1,
                                    .n_buffers = n_buffers,
                                    .buffers = f->buffers,
                                    .release = no_release};
    f->children[0] = &f->column;
    f->root = (struct ArrowArray){.length = rows,
                                  .n_buffers = 1,
                                  .n_children = 1,
                                  .buffers = f->root_buffers,
                                  .children = f->children,
                                  .release = no_release};
}

static void expect_ok(foreign *f) {
    lochan_error err;
    assert_ok(lochan_array__check(&f->schema, &f->root, &err));
}

/* DATA in column "x", at that row. */
static void expect_bad(foreign *f, int64_t row, const char *part) {
    lochan_error err;
    assert_status(lochan_array__check(&f->schema, &f->root, &err), LOCHAN_ERR_DATA);
    if (!strstr(err.message, part))
        fail_msg("'%s' does not say '%s'", err.message, part);
    assert_string_equal(err.column, "x");
    assert_int_equal(err.row, row);
}

static void foreign_free(foreign *f) {
    lochan_schema__release(&f->schema);
}

static void test_check__sample_passes(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray a;
    assert_ok(sample_schema(&schema, &err));
    for (int64_t rows = 0; rows < 70; rows += 23) {
        assert_ok(sample_batch(&schema, rows, &a, &err));
        assert_ok(lochan_array__check(&schema, &a, &err));
        lochan_array__release(&a);
        assert_status(lochan_array__check(&schema, &a, &err), LOCHAN_ERR_DATA);
    }
    assert_status(lochan_array__check(&schema, NULL, &err), LOCHAN_ERR_DATA);
    lochan_schema__release(&schema);
}

static void test_check__impossible_lengths(void **state) {
    (void)state;
    int32_t values[4] = {1, 2, 3, 4};
    foreign f;
    foreign_init(&f, "i", 4, 2, 0);
    f.buffers[1] = values;
    expect_ok(&f);
    f.column.length = -1;
    expect_bad(&f, -1, "length");
    f.column.length = 4;
    f.column.offset = -1;
    expect_bad(&f, -1, "offset");
    f.column.offset = INT64_MAX;
    expect_bad(&f, -1, "offset");
    f.column.offset = 0;
    f.column.length = INT64_MAX;
    expect_bad(&f, -1, "length");
    f.column.length = 3;
    expect_bad(&f, -1, "refers to 4");
    foreign_free(&f);
}

static void test_check__wrong_counts_of_parts(void **state) {
    (void)state;
    int32_t values[4] = {0};
    foreign f;
    foreign_init(&f, "i", 4, 2, 0);
    f.buffers[1] = values;
    f.column.n_buffers = 1;
    expect_bad(&f, -1, "1 buffers, expected 2");
    f.column.n_buffers = 3;
    expect_bad(&f, -1, "3 buffers");
    f.column.n_buffers = -2;
    expect_bad(&f, -1, "buffers");
    f.column.n_buffers = 2;
    f.column.buffers = NULL;
    expect_bad(&f, -1, "missing");
    f.column.buffers = f.buffers;
    f.column.n_children = 1;
    expect_bad(&f, -1, "children");
    f.column.n_children = 0;
    f.column.dictionary = &f.root;
    expect_bad(&f, -1, "unexpected dictionary");
    f.column.dictionary = NULL;
    f.buffers[1] = NULL;
    expect_bad(&f, -1, "buffer 1 is missing");
    f.buffers[1] = (const char *)values + 1;
    expect_bad(&f, -1, "aligned");
    f.buffers[1] = values;
    f.column.release = NULL;
    expect_bad(&f, -1, "released");
    f.column.release = no_release;
    expect_ok(&f);
    f.children[0] = NULL;
    assert_status(lochan_array__check(&f.schema, &f.root, NULL), LOCHAN_ERR_DATA);
    f.root.children = NULL;
    assert_status(lochan_array__check(&f.schema, &f.root, NULL), LOCHAN_ERR_DATA);
    foreign_free(&f);
}

static void test_check__null_columns_may_have_a_validity_buffer(void **state) {
    (void)state;
    foreign f;
    const uint8_t validity[1] = {0};
    foreign_init(&f, "n", 3, 0, 0);
    expect_ok(&f);
    f.column.n_buffers = 1;
    expect_ok(&f);
    f.buffers[0] = validity;
    expect_ok(&f);
    f.column.n_buffers = 2;
    expect_bad(&f, -1, "2 buffers, expected 0");
    foreign_free(&f);
}

static void test_check__columns_without_rows_may_lack_buffers(void **state) {
    (void)state;
    static const char *const formats[] = {"i", "b", "u", "U", "d:5,2", "w:4"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(formats); i++) {
        foreign f;
        foreign_init(&f, formats[i], 0, i == 2 || i == 3 ? 3 : 2, 0);
        expect_ok(&f);
        foreign_free(&f);
    }
}

static void test_check__null_counts_that_lie(void **state) {
    (void)state;
    int64_t values[10] = {0};
    uint8_t bits[2] = {0xfb, 0x03};
    foreign f;
    foreign_init(&f, "l", 10, 2, 0);
    f.buffers[0] = bits;
    f.buffers[1] = values;
    expect_ok(&f);
    f.column.null_count = 1;
    expect_ok(&f);
    f.column.null_count = 0;
    expect_bad(&f, -1, "the bitmap has 1");
    f.column.null_count = 11;
    expect_bad(&f, -1, "null count");
    f.column.null_count = -2;
    expect_bad(&f, -1, "null count");
    f.buffers[0] = NULL;
    f.column.null_count = 2;
    expect_bad(&f, -1, "without a validity bitmap");
    foreign_free(&f);
}

static void test_check__nulls_where_the_schema_has_none(void **state) {
    (void)state;
    int64_t values[10] = {0};
    uint8_t bits[2] = {0xfb, 0x03};
    foreign f;
    foreign_init(&f, "l", 10, 2, 0);
    f.buffers[0] = bits;
    f.buffers[1] = values;
    f.schema.children[0]->flags = 0;
    expect_bad(&f, 2, "not nullable");
    f.root_buffers[0] = bits; /* the row itself is null there */
    f.root.null_count = 1;
    expect_ok(&f);
    foreign_free(&f);
}

static void test_check__offsets_that_fall(void **state) {
    (void)state;
    int32_t offsets[5] = {0, 2, 1, 3, 4};
    int64_t large[5] = {0, 1, 2, 3, 2};
    foreign f;
    foreign_init(&f, "u", 4, 3, 0);
    f.buffers[1] = offsets;
    f.buffers[2] = "abcdefgh";
    expect_bad(&f, 1, "offsets");
    offsets[2] = 2;
    expect_ok(&f);
    offsets[0] = -1;
    expect_bad(&f, 0, "offsets");
    f.buffers[2] = NULL;
    offsets[0] = 0;
    expect_bad(&f, -1, "buffer 2");
    f.buffers[1] = NULL;
    expect_bad(&f, -1, "buffer 1");
    foreign_free(&f);
    foreign_init(&f, "Z", 4, 3, 0);
    f.buffers[1] = large;
    f.buffers[2] = "abcdefgh";
    expect_bad(&f, 3, "offsets");
    large[0] = INT64_MIN;
    large[4] = 3;
    expect_bad(&f, 0, "offsets");
    foreign_free(&f);
}

static void test_check__text_that_is_no_utf8(void **state) {
    (void)state;
    int32_t offsets[5] = {0, 2, 3, 4, 5};
    uint8_t bits = 0x0d;
    foreign f;
    foreign_init(&f, "u", 4, 3, 0);
    f.buffers[1] = offsets;
    f.buffers[2] = "ab\xc3\xa4x"; /* a character cut between rows 1 and 2 */
    expect_bad(&f, 1, "UTF-8");
    f.buffers[2] = "abc\xff"
                   "d";
    expect_bad(&f, 2, "UTF-8");
    f.buffers[2] = "ab\xff"
                   "cd";
    f.buffers[0] = &bits; /* row 1 is null and may hold anything */
    expect_ok(&f);
    f.schema.children[0]->format = "z";
    f.buffers[0] = NULL;
    expect_ok(&f);
    f.schema.children[0]->format = "u";
    f.column.offset = 2; /* rows count from the offset */
    f.column.length = 2;
    f.root.length = 2;
    f.buffers[2] = "abc\xff"
                   "d";
    expect_bad(&f, 0, "UTF-8");
    foreign_free(&f);
}

typedef struct view_ref {
    int32_t length;
    char first[4];
    int32_t buffer;
    int32_t offset;
} view_ref;

static void test_check__view_references(void **state) {
    (void)state;
    _Alignas(8) view_ref refs[2] = {{2, "ab", 0, 0}, {13, "this", 0, 3}};
    int64_t lengths[1] = {16};
    foreign f;
    foreign_init(&f, "vu", 2, 4, 0);
    f.buffers[1] = refs;
    f.buffers[2] = "...this text is long";
    f.buffers[3] = lengths;
    expect_ok(&f);
    refs[1].offset = 4;
    expect_bad(&f, 1, "outside");
    refs[1].offset = -1;
    expect_bad(&f, 1, "outside");
    refs[1].offset = 3;
    refs[1].buffer = 1;
    expect_bad(&f, 1, "data buffer 1 of 1");
    refs[1].buffer = -1;
    expect_bad(&f, 1, "data buffer");
    refs[1].buffer = 0;
    refs[1].first[0] = 'T';
    expect_bad(&f, 1, "first bytes");
    refs[1].first[0] = 't';
    refs[1].length = -5;
    expect_bad(&f, 1, "-5 bytes");
    refs[1].length = INT32_MAX;
    expect_bad(&f, 1, "outside");
    refs[1].length = 13;
    lengths[0] = -1;
    expect_bad(&f, -1, "negative length");
    lengths[0] = 16;
    refs[0].first[1] = '\xff';
    expect_bad(&f, 0, "UTF-8");
    refs[0].first[1] = 'b';
    f.buffers[2] = NULL;
    expect_bad(&f, -1, "data buffer 0");
    f.buffers[3] = NULL;
    expect_bad(&f, -1, "lengths");
    f.column.n_buffers = 2;
    expect_bad(&f, -1, "2 buffers");
    foreign_free(&f);
}

static void test_check__dictionary_keys(void **state) {
    (void)state;
    lochan_error err;
    int8_t keys[4] = {0, 1, 2, -1};
    uint8_t bits = 0x07;
    int32_t offsets[4] = {0, 1, 2, 3};
    const void *buffers[3] = {NULL, offsets, "abc"};
    struct ArrowArray values = {
        .length = 3, .n_buffers = 3, .buffers = buffers, .release = no_release};
    lochan_type index = sample_type("c");
    lochan_type text = sample_type("u");
    foreign f;
    foreign_init(&f, "c", 4, 2, 0);
    lochan_schema__release(f.schema.children[0]);
    assert_ok(lochan_schema__set_dictionary(f.schema.children[0], "x", &index, &text, true, &err));
    f.buffers[1] = keys;
    expect_bad(&f, -1, "dictionary is missing");
    f.column.dictionary = &values;
    expect_bad(&f, 3, "key -1");
    keys[3] = 3;
    expect_bad(&f, 3, "key 3 in a dictionary of 3");
    f.buffers[0] = &bits; /* a null's key may be anything */
    expect_ok(&f);
    buffers[2] = "a\xff"
                 "c";
    assert_status(lochan_array__check(&f.schema, &f.root, &err), LOCHAN_ERR_DATA);
    assert_string_equal(err.column, "x.(dictionary)");
    values.length = -1;
    assert_status(lochan_array__check(&f.schema, &f.root, &err), LOCHAN_ERR_DATA);
    foreign_free(&f);
}

/* Gives the column one child of int64 values. */
static void add_items(foreign *f, struct ArrowArray *items, struct ArrowArray **slot,
                      const void **buffers, int64_t n) {
    lochan_error err;
    assert_ok(sample_field(f->schema.children[0]->children[0], "item", "l", 0, &err));
    *items = (struct ArrowArray){
        .length = n, .null_count = -1, .n_buffers = 2, .buffers = buffers, .release = no_release};
    *slot = items;
    f->column.children = slot;
    f->column.n_children = 1;
}

static void test_check__lists_stay_inside_their_items(void **state) {
    (void)state;
    lochan_error err;
    int64_t values[6] = {0};
    int32_t offsets[3] = {0, 2, 7};
    uint8_t bits = 0x2f;
    const void *buffers[2] = {NULL, values};
    struct ArrowArray items;
    struct ArrowArray *slot;
    foreign f;
    foreign_init(&f, "+l", 2, 2, 1);
    add_items(&f, &items, &slot, buffers, 6);
    f.buffers[1] = offsets;
    assert_status(lochan_array__check(&f.schema, &f.root, &err), LOCHAN_ERR_DATA);
    assert_string_equal(err.column, "x.item");
    offsets[2] = 6;
    expect_ok(&f);
    offsets[1] = 7;
    expect_bad(&f, 1, "offsets");
    offsets[1] = 2;
    buffers[0] = &bits;
    f.schema.children[0]->children[0]->flags = 0;
    assert_status(lochan_array__check(&f.schema, &f.root, &err), LOCHAN_ERR_DATA);
    assert_non_null(strstr(err.message, "item 4"));
    assert_int_equal(err.row, -1);
    foreign_free(&f);
}

static void test_check__fixed_lists_need_all_items(void **state) {
    (void)state;
    lochan_error err;
    int64_t values[6] = {0};
    const void *buffers[2] = {NULL, values};
    struct ArrowArray items;
    struct ArrowArray *slot;
    foreign f;
    foreign_init(&f, "+w:3", 2, 1, 1);
    add_items(&f, &items, &slot, buffers, 6);
    expect_ok(&f);
    items.length = 5;
    assert_status(lochan_array__check(&f.schema, &f.root, &err), LOCHAN_ERR_DATA);
    assert_string_equal(err.column, "x.item");
    f.column.length = f.root.length = INT64_MAX / 64;
    assert_status(lochan_array__check(&f.schema, &f.root, &err), LOCHAN_ERR_DATA);
    foreign_free(&f);
}

static void test_check__decimals_within_their_precision(void **state) {
    (void)state;
    int64_t values[4] = {999, 0, -1000, -1};
    foreign f;
    foreign_init(&f, "d:3,1", 2, 2, 0);
    f.buffers[1] = values;
    expect_bad(&f, 1, "3 digits");
    values[2] = -999;
    expect_ok(&f);
    foreign_free(&f);
}

static void test_check__widths_that_overflow(void **state) {
    (void)state;
    int64_t value = 0;
    foreign f;
    foreign_init(&f, "w:200000000", INT64_MAX / 64, 2, 0);
    f.buffers[1] = &value;
    expect_bad(&f, -1, "impossible length");
    foreign_free(&f);
}

/* Only what the rows shown refer to is looked at; slicing a large table stays cheap and hides what
 * lies outside. */
static void test_check__items_outside_the_rows_are_not_looked_at(void **state) {
    (void)state;
    int32_t offsets[5] = {0, 1, 2, 3, 4};
    foreign f;
    foreign_init(&f, "u", 4, 3, 0);
    f.buffers[1] = offsets;
    f.buffers[2] = "a\xff"
                   "cd";
    f.root.offset = 2;
    f.root.length = 2;
    expect_ok(&f);
    f.buffers[2] = "abc\xff";
    expect_bad(&f, 1, "UTF-8");
    foreign_free(&f);
}

/* Flips bytes in buffers that hold offsets, references, keys, bits or text, anywhere in the tree.
 */
static void spoil(struct ArrowArray *a, const struct ArrowSchema *schema, uint64_t *seed) {
    lochan_type type = sample_type(schema->format);
    for (int64_t i = 0; i < a->n_children; i++)
        spoil(a->children[i], schema->children[i], seed);
    if (a->dictionary)
        spoil(a->dictionary, schema->dictionary, seed);
    int width = lochan_type__bit_width(&type) / 8;
    if (a->n_buffers < 2 || a->length == 0 || fake_random(seed) % 3)
        return;
    uint8_t *data = (uint8_t *)(uintptr_t)a->buffers[1];
    if (lochan_type__is_bytes(type.id) || type.id >= LOCHAN_TYPE_LIST)
        width = type.id == LOCHAN_TYPE_STRING_VIEW || type.id == LOCHAN_TYPE_BINARY_VIEW ? 16 : 4;
    if (width > 0)
        data[fake_random(seed) % (uint64_t)(a->length * width)] ^=
            (uint8_t)(1u << fake_random(seed) % 8);
}

/* Whatever the check lets pass can be read to the last value; the sanitizers watch. */
static void test_check__what_passes_can_be_read(void **state) {
    (void)state;
    enum { ROWS = 9, ROUNDS = 1500 };
    lochan_error err;
    struct ArrowSchema schema;
    uint64_t seed = 20261120;
    int passed = 0;
    assert_ok(sample_schema(&schema, &err));
    for (int round = 0; round < ROUNDS; round++) {
        struct ArrowArray a;
        int64_t column = (int64_t)(fake_random(&seed) % (uint64_t)schema.n_children);
        assert_ok(sample_batch(&schema, ROWS, &a, &err));
        for (int k = 0; k < 3; k++)
            spoil(a.children[column], schema.children[column], &seed);
        lochan_status rc = lochan_array__check(&schema, &a, &err);
        assert_true(rc == LOCHAN_OK || rc == LOCHAN_ERR_DATA);
        for (int64_t row = 0; rc == LOCHAN_OK && row < ROWS; row++)
            sample_json(schema.children[column], a.children[column], row);
        passed += rc == LOCHAN_OK;
        lochan_array__release(&a);
    }
    assert_true(passed > ROUNDS / 10 && passed < ROUNDS * 9 / 10);
    lochan_schema__release(&schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_check__sample_passes),
        cmocka_unit_test(test_check__impossible_lengths),
        cmocka_unit_test(test_check__wrong_counts_of_parts),
        cmocka_unit_test(test_check__null_columns_may_have_a_validity_buffer),
        cmocka_unit_test(test_check__columns_without_rows_may_lack_buffers),
        cmocka_unit_test(test_check__null_counts_that_lie),
        cmocka_unit_test(test_check__nulls_where_the_schema_has_none),
        cmocka_unit_test(test_check__offsets_that_fall),
        cmocka_unit_test(test_check__text_that_is_no_utf8),
        cmocka_unit_test(test_check__view_references),
        cmocka_unit_test(test_check__dictionary_keys),
        cmocka_unit_test(test_check__lists_stay_inside_their_items),
        cmocka_unit_test(test_check__fixed_lists_need_all_items),
        cmocka_unit_test(test_check__decimals_within_their_precision),
        cmocka_unit_test(test_check__widths_that_overflow),
        cmocka_unit_test(test_check__items_outside_the_rows_are_not_looked_at),
        cmocka_unit_test(test_check__what_passes_can_be_read),
    };
    return cmocka_run_group_tests(tests, alloc_setup, alloc_teardown);
}
