/* test_sort.c - sort against a plain stable sort on random batches of many shapes. */
#include "arrow/kernel_sample.h"
#include <math.h>

enum { COLUMNS = 9 };
static const char *const formats[COLUMNS] = {"tdD", "u", "l", "g", "vu", "b", "d:30,2", "L", "w:3"};

/* A value of a random column. wide: few repeats. */
static void add_value(lochan_builder *b, int column, uint64_t r, bool wide) {
    lochan_error err;
    char text[40];
    int64_t small = (int64_t)(r % 50) - 25;
    switch (column) {
    case 0:
        assert_ok(lochan_builder__int64(b, wide ? (int32_t)r : small, &err));
        break;
    case 1: /* short text or, if wide, text with long common beginnings */
    case 4: {
        int n = snprintf(text, sizeof text, wide ? "a common beginning %llx" : "%llu.SZ",
                         (unsigned long long)(wide ? r : r % 70));
        assert_ok(lochan_builder__bytes_value(b, text, (size_t)n - (r % 5 == 0), &err));
        break;
    }
    case 2:
        assert_ok(lochan_builder__int64(b, wide ? (int64_t)r : small, &err));
        break;
    case 3: {
        static const double odd[] = {-0.0, 0.0, (double)INFINITY, -(double)INFINITY, (double)NAN};
        double v = r % 7 < 5 && !wide ? odd[r % 5] : (double)(int64_t)r / 1e9;
        assert_ok(lochan_builder__double(b, v, &err));
        break;
    }
    case 5:
        assert_ok(lochan_builder__int64(b, (int64_t)(r & 1), &err));
        break;
    case 6: {
        uint8_t raw[16];
        int64_t v[2] = {wide ? (int64_t)r : small, wide        ? (int64_t)(r % 31) - 15
                                                   : small < 0 ? -1
                                                               : 0};
        memcpy(raw, v, 16);
        assert_ok(lochan_builder__fixed(b, raw, &err));
        break;
    }
    case 7:
        assert_ok(lochan_builder__uint64(b, wide ? r : r % 40, &err));
        break;
    default:
        text[0] = (char)('a' + r % 3);
        text[1] = (char)('a' + r / 3 % (wide ? 26 : 2));
        text[2] = (char)(r / 99 % (wide ? 256 : 2));
        assert_ok(lochan_builder__bytes_value(b, text, 3, &err));
    }
}

static void random_batch(struct ArrowSchema *schema, int64_t rows, bool wide, bool nulls,
                         uint64_t *seed, struct ArrowArray *out) {
    lochan_error err;
    lochan_builder *b;
    assert_ok(lochan_schema__init_struct(schema, COLUMNS, &err));
    for (int c = 0; c < COLUMNS; c++)
        assert_ok(sample_field(schema->children[c], formats[c], formats[c], 0, &err));
    assert_ok(lochan_builder__create(schema, &b, &err));
    for (int64_t i = 0; i < rows; i++) {
        for (int c = 0; c < COLUMNS; c++) {
            uint64_t r = fake_random(seed);
            if (nulls && r % 11 == 0)
                assert_ok(lochan_builder__null(lochan_builder__child(b, c), &err));
            else
                add_value(lochan_builder__child(b, c), c, r >> 4, wide);
        }
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, out, &err));
    lochan_builder__free(b);
}

/* The comparator is tested on its own (test_compare.c); here it tells whether the order is right
 * and stable. */
static void assert_sorted(const struct ArrowSchema *schema, const struct ArrowArray *in,
                          const lochan_sort_key *keys, size_t n_keys) {
    lochan_error err;
    int64_t *rows;
    lochan_comparator *c;
    assert_ok(lochan_sort_indices(schema, in, keys, n_keys, &rows, &err));
    assert_ok(lochan_comparator__create(schema, keys, n_keys, &in, 1, &c, &err));
    char *seen = calloc((size_t)in->length + 1, 1);
    for (int64_t i = 0; i < in->length; i++) {
        assert_true(rows[i] >= 0 && rows[i] < in->length && !seen[rows[i]]);
        seen[rows[i]] = 1;
        if (i == 0)
            continue;
        int order = lochan_comparator__compare(c, 0, rows[i - 1], 0, rows[i]);
        if (order > 0 || (order == 0 && rows[i - 1] > rows[i]))
            fail_msg("rows %lld and %lld are out of order at %lld (first key %s%s)",
                     (long long)rows[i - 1], (long long)rows[i], (long long)i,
                     formats[keys[0].column], keys[0].descending ? ", descending" : "");
    }
    free(seen);
    lochan_comparator__free(c);
    lochan_mem__free(rows);
}

static void test_sort__random_batches(void **state) {
    (void)state;
    uint64_t seed = 42;
    for (int round = 0; round < 16; round++) {
        struct ArrowSchema schema;
        struct ArrowArray in;
        int64_t rows = round < 2 ? round : (int64_t)(fake_random(&seed) % 900) + 2;
        random_batch(&schema, rows, round & 1, round & 2, &seed, &in);
        for (int k = 0; k < 24; k++) {
            lochan_sort_key keys[3];
            size_t n_keys = 1 + fake_random(&seed) % 3;
            for (size_t i = 0; i < n_keys; i++) {
                uint64_t r = fake_random(&seed);
                keys[i] = (lochan_sort_key){k < COLUMNS && i == 0 ? k : (int)(r % COLUMNS), r & 256,
                                            r & 512};
            }
            assert_sorted(&schema, &in, keys, n_keys);
        }
        lochan_array__release(&in);
        lochan_schema__release(&schema);
    }
}

static void test_sort__slices_and_dictionaries(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in;
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 7, 600, &in);
    static const char *const names[] = {"word", "day", "n", "d:50,10,256", "vz", "ttn", "e"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++) {
        lochan_sort_key keys[2] = {{lochan_schema__find(&schema, names[i]), i & 1, i & 2},
                                   {lochan_schema__find(&schema, "b"), true, false}};
        int64_t *rows;
        lochan_comparator *c;
        const struct ArrowArray *batches[1] = {&in};
        assert_ok(lochan_sort_indices(&schema, &in, keys, 2, &rows, &err));
        assert_ok(lochan_comparator__create(&schema, keys, 2, batches, 1, &c, &err));
        for (int64_t r = 1; r < in.length; r++) {
            int order = lochan_comparator__compare(c, 0, rows[r - 1], 0, rows[r]);
            assert_true(order < 0 || (order == 0 && rows[r - 1] < rows[r]));
        }
        lochan_comparator__free(c);
        lochan_mem__free(rows);
    }
    lochan_array__release(&in);
    lochan_schema__release(&schema);
}

/* A foreign dictionary may hold a value twice: rows of equal value keep their order. */
static void test_sort__repeats_in_a_dictionary(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema = {0}, values;
    struct ArrowArray in, dictionary;
    lochan_type key = sample_type("i"), text = sample_type("u");
    assert_ok(lochan_schema__init_struct(&schema, 1, &err));
    assert_ok(lochan_schema__set_dictionary(schema.children[0], "x", &key, &text, true, &err));
    column_of("u", (const char *[]){"b", "a", "b", NULL, "a"}, 5, &values, &dictionary);
    static const int32_t keys[] = {2, 0, 4, 3, 1, 0, 2, 1, 3, 4};
    assert_ok(lochan_array__init(&in, 1, 1, &err));
    assert_ok(lochan_array__init(in.children[0], 2, 0, &err));
    in.length = in.children[0]->length = 10;
    lochan_buffer *buffer = lochan_buffer__create(sizeof keys);
    memcpy(buffer->data, keys, sizeof keys);
    lochan_array__give_buffer(in.children[0], 1, buffer);
    lochan_array__move(dictionary.children[0], lochan_array__add_dictionary(in.children[0]));
    for (int how = 0; how < 4; how++) {
        lochan_sort_key by = {0, how & 1, how & 2};
        assert_sorted(&schema, &in, &by, 1);
    }
    lochan_array__release(&in);
    lochan_array__release(&dictionary);
    lochan_schema__release(&values);
    lochan_schema__release(&schema);
}

/* Text that differs only by zero bytes and lengths, short enough to be packed into a number. */
static void test_sort__short_text_with_zero_bytes(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in;
    lochan_builder *b;
    assert_ok(lochan_schema__init_struct(&schema, 1, &err));
    assert_ok(sample_field(schema.children[0], "x", "z", 0, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int i = 12; i >= 0; i--) {
        static const uint8_t bytes[7] = "a\0\0\0\0\0";
        if (i == 7)
            assert_ok(lochan_builder__null(lochan_builder__child(b, 0), &err));
        else
            assert_ok(lochan_builder__bytes_value(lochan_builder__child(b, 0), bytes + (i > 7),
                                                  (size_t)i % 7, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &in, &err));
    lochan_builder__free(b);
    for (int how = 0; how < 4; how++) {
        lochan_sort_key key = {0, how & 1, how & 2};
        assert_sorted(&schema, &in, &key, 1);
    }
    lochan_array__release(&in);
    lochan_schema__release(&schema);
}

static void test_sort__extremes_with_nulls(void **state) {
    (void)state;
    struct ArrowSchema schema;
    struct ArrowArray in;
    column_of("l",
              (const char *[]){NULL, "9223372036854775807", "-9223372036854775808", "0", NULL,
                               "9223372036854775806", "-9223372036854775807"},
              7, &schema, &in);
    for (int how = 0; how < 4; how++) {
        lochan_sort_key key = {0, how & 1, how & 2};
        assert_sorted(&schema, &in, &key, 1);
    }
    lochan_array__release(&in);
    lochan_schema__release(&schema);
    column_of("tdD", (const char *[]){NULL, NULL, NULL}, 3, &schema, &in);
    lochan_sort_key key = {0, false, true};
    assert_sorted(&schema, &in, &key, 1);
    lochan_array__release(&in);
    lochan_schema__release(&schema);
}

/* More different texts than are ranked, and enough rows for the radix sort. */
static void test_sort__many_rows(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in;
    lochan_builder *b;
    uint64_t seed = 3;
    enum { ROWS = 90000 };
    assert_ok(lochan_schema__init_struct(&schema, 3, &err));
    assert_ok(sample_field(schema.children[0], "day", "tdD", 0, &err));
    assert_ok(sample_field(schema.children[1], "asset", "u", 0, &err));
    assert_ok(sample_field(schema.children[2], "id", "u", 0, &err));
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int i = 0; i < ROWS; i++) {
        char text[32];
        uint64_t r = fake_random(&seed);
        assert_ok(lochan_builder__int64(lochan_builder__child(b, 0), (int64_t)(r % 900), &err));
        int n = snprintf(text, sizeof text, "%06llu.SZ", (unsigned long long)(r >> 20) % 400);
        assert_ok(lochan_builder__bytes_value(lochan_builder__child(b, 1), text, (size_t)n, &err));
        n = snprintf(text, sizeof text, "order-%llx", (unsigned long long)r);
        assert_ok(lochan_builder__bytes_value(lochan_builder__child(b, 2), text, (size_t)n, &err));
        assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &in, &err));
    lochan_builder__free(b);
    assert_sorted(&schema, &in, (lochan_sort_key[]){{0, false, false}, {1, false, false}}, 2);
    assert_sorted(&schema, &in, (lochan_sort_key[]){{1, true, false}, {0, false, false}}, 2);
    assert_sorted(&schema, &in, (lochan_sort_key[]){{2, false, false}}, 1);
    assert_sorted(&schema, &in, (lochan_sort_key[]){{0, true, false}, {2, true, false}}, 2);
    lochan_array__release(&in);
    lochan_schema__release(&schema);
}

static struct ArrowSchema fault_schema;
static struct ArrowArray fault_in;

static lochan_status fault_body(void *ctx, lochan_error *err) {
    (void)ctx;
    lochan_status rc = LOCHAN_OK;
    for (int c = 0; c < COLUMNS && rc == LOCHAN_OK; c++) {
        int64_t *rows = NULL;
        lochan_sort_key keys[2] = {{c, true, false}, {1, false, false}};
        rc = lochan_sort_indices(&fault_schema, &fault_in, keys, 2, &rows, err);
        lochan_mem__free(rows);
    }
    return rc;
}

static void test_sort__survives_lack_of_memory(void **state) {
    (void)state;
    uint64_t seed = 11;
    random_batch(&fault_schema, 300, true, true, &seed, &fault_in);
    fault_sweep(&(fault_case){.name = "sort", .body = fault_body, .kinds = FAULT_OOM});
    lochan_array__release(&fault_in);
    lochan_schema__release(&fault_schema);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_sort__random_batches),
        cmocka_unit_test(test_sort__slices_and_dictionaries),
        cmocka_unit_test(test_sort__repeats_in_a_dictionary),
        cmocka_unit_test(test_sort__short_text_with_zero_bytes),
        cmocka_unit_test(test_sort__extremes_with_nulls),
        cmocka_unit_test(test_sort__many_rows),
        cmocka_unit_test(test_sort__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
