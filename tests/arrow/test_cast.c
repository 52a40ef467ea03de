/* test_cast.c - casts: every pair of types, lossless or refused with the row and the value. */
#include "arrow/kernel_sample.h"

/* Casts texts of one type to another and gives the first failing row, or -1; values go to
 * `printed`, one a line. */
static int64_t cast_texts(const char *from, const char *const *texts, int64_t n, const char *to,
                          lochan_buf *printed, lochan_error *err) {
    struct ArrowSchema schema, target = {0};
    struct ArrowArray batch, out;
    lochan_error_init(err);
    const char *behind[16] = {n > 1 ? texts[1] : NULL, NULL}; /* two rows that an offset hides */
    assert_true(n + 2 <= 16);
    memcpy(behind + 2, texts, (size_t)n * sizeof *texts);
    column_of(from, behind, n + 2, &schema, &batch);
    batch.children[0]->offset = 2;
    batch.children[0]->length = n;
    batch.children[0]->null_count = -1;
    assert_int_equal(sample_field(&target, "x", to, 0, err), LOCHAN_OK);
    lochan_status rc = lochan_cast(schema.children[0], batch.children[0], &target, &out, err);
    if (rc == LOCHAN_OK) {
        lochan_view view;
        assert_int_equal(out.length, n);
        assert_valid(&target, &out);
        assert_int_equal(lochan_view__init(&view, &target, &out, err), LOCHAN_OK);
        for (int64_t i = 0; printed && i < n; i++) {
            assert_int_equal(lochan_view__print(&view, i, printed, err), LOCHAN_OK);
            assert_int_equal(lochan_buf__putc(printed, '|', err), LOCHAN_OK);
        }
        lochan_view__deinit(&view);
        lochan_array__release(&out);
    } else {
        assert_null(out.release);
    }
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
    lochan_schema__release(&target);
    if (rc == LOCHAN_OK)
        return -1;
    if (rc != LOCHAN_ERR_VALUE)
        fail_msg("%s to %s: %s", from, to, err->message);
    assert_string_equal(err->column, "x");
    return err->row;
}

/* All values go over, and print as `want`. */
static void lossless(const char *from, const char *to, const char *const *texts, int64_t n,
                     const char *want) {
    lochan_error err;
    lochan_buf printed;
    lochan_buf__init(&printed, 1 << 16);
    if (cast_texts(from, texts, n, to, &printed, &err) >= 0)
        fail_msg("%s to %s: %s", from, to, err.message);
    if (strcmp((const char *)printed.data, want) != 0)
        fail_msg("%s to %s: got %s, expected %s", from, to, (const char *)printed.data, want);
    lochan_buf__deinit(&printed);
}
#define LOSSLESS(from, to, want, ...)                                                              \
    do {                                                                                           \
        const char *const texts_[] = {__VA_ARGS__};                                                \
        lossless(from, to, texts_, (int64_t)LOCHAN_COUNTOF(texts_), want);                         \
    } while (0)

/* The one value is refused, in row 2 behind a null and a good one, and is named. */
static void refused(const char *from, const char *to, const char *good, const char *bad,
                    const char *part) {
    lochan_error err;
    const char *const texts[] = {NULL, good, bad};
    int64_t row = cast_texts(from, texts, 3, to, NULL, &err);
    if (row != 2 || !strstr(err.message, part))
        fail_msg("%s to %s of %s: row %lld, '%s'", from, to, bad, (long long)row,
                 row < 0 ? "" : err.message);
}

static void test_cast__integers(void **state) {
    (void)state;
    LOSSLESS("i", "l", "-5|7||", "-5", "7", NULL);
    LOSSLESS("l", "c", "-128|127|", "-128", "127");
    LOSSLESS("l", "L", "0|9223372036854775807|", "0", "9223372036854775807");
    LOSSLESS("L", "l", "9223372036854775807|", "9223372036854775807");
    LOSSLESS("L", "g", "1.844674407370955e19|", "18446744073709549568");
    LOSSLESS("b", "C", "0|1|", "0", "1");
    LOSSLESS("s", "b", "false|true|", "0", "1");
    refused("l", "c", "1", "128", "'128' does not fit int8");
    refused("l", "C", "1", "-1", "'-1'");
    refused("L", "l", "1", "9223372036854775808", "'9223372036854775808'");
    refused("l", "b", "1", "2", "'2'");
    refused("i", "I", "1", "-2147483648", "does not fit uint32");
}

static void test_cast__floats(void **state) {
    (void)state;
    LOSSLESS("i", "g", "-2147483648|", "-2147483648");
    LOSSLESS("l", "g", "9007199254740992|", "9007199254740992");
    LOSSLESS("g", "l", "-9007199254740992|0||", "-9007199254740992", "-0.0", NULL);
    LOSSLESS("g", "f", "0.5|inf|nan|", "0.5", "inf", "nan");
    LOSSLESS("f", "g", "0.5|-inf|", "0.5", "-inf");
    LOSSLESS("g", "e", "0.5|65504|", "0.5", "65504");
    refused("l", "g", "1", "9007199254740993", "'9007199254740993' does not fit float64");
    refused("l", "g", "1", "9223372036854775807", "does not fit");
    refused("i", "f", "1", "16777217", "'16777217'");
    refused("g", "l", "1", "1.5", "'1.5' does not fit int64");
    refused("g", "l", "1", "nan", "does not fit");
    refused("g", "l", "1", "9223372036854775808", "does not fit");
    refused("g", "f", "0.5", "0.1", "'0.1'");
    refused("g", "f", "0.5", "1e300", "does not fit");
    refused("g", "e", "0.5", "65505", "does not fit");
    refused("g", "C", "1", "256", "does not fit");
}

static void test_cast__decimals(void **state) {
    (void)state;
    LOSSLESS("l", "d:20,4", "5.0000|-7.0000|", "5", "-7");
    LOSSLESS("d:20,4", "l", "5|", "5");
    LOSSLESS("d:20,4", "d:10,2", "5.00|", "5");
    LOSSLESS("d:20,4", "d:50,10,256", "5.0000000000|", "5");
    LOSSLESS("d:20,4", "g", "5|", "5");
    LOSSLESS("g", "d:10,2", "0.10|-12.50|", "0.1", "-12.5");
    LOSSLESS("u", "d:10,2", "0.10|-12.50|100.00|", "0.1", "-12.5", "1e2");
    LOSSLESS("d:20,4", "u", "5.0000|", "5");
    refused("l", "d:3,1", "99", "100", "'100' does not fit decimal");
    refused("g", "d:10,2", "0.1", "0.125", "'0.125'");
    refused("g", "d:10,2", "0.1", "inf", "does not fit");
    refused("u", "d:10,2", "0.1", "0.125", "'0.125'");
    refused("u", "d:10,2", "0.1", "", "''");
    refused("d:20,4", "c", "1", "128", "does not fit");
}

static void test_cast__text(void **state) {
    (void)state;
    LOSSLESS("u", "l", "5|-7|1000||", "5", "-7", "1e3", NULL);
    LOSSLESS("vu", "L", "18446744073709551615|", "18446744073709551615");
    LOSSLESS("U", "g", "0.1|nan|", "0.1", "nan");
    LOSSLESS("u", "f", "0.1|", "0.1");
    LOSSLESS("u", "b", "true|false|true|", "true", "False", "1");
    LOSSLESS("l", "u", "5||", "5", NULL);
    LOSSLESS("g", "vu", "0.1|", "0.1");
    LOSSLESS("b", "u", "true|", "1");
    LOSSLESS("u", "vu", "|a long text of many bytes|", "", "a long text of many bytes");
    LOSSLESS("vu", "U", "|a long text of many bytes|", "", "a long text of many bytes");
    LOSSLESS("u", "w:3", "616263|", "abc");
    LOSSLESS("z", "u", "a|", "a");
    refused("u", "l", "5", "5.5", "'5.5' does not fit int64");
    refused("u", "l", "5", " 5", "' 5'");
    refused("u", "l", "5", "99999999999999999999", "'99999999999999999999'");
    refused("u", "c", "5", "128", "'128'");
    refused("u", "g", "5", "five", "'five' does not fit float64");
    refused("u", "g", "5", "1e999", "'1e999'");
    refused("u", "b", "true", "maybe", "'maybe' does not fit bool");
    refused("u", "w:3", "abc", "abcd", "'abcd'");
    refused("z", "u", "a", "\xff", "does not fit string");
}

static void test_cast__times(void **state) {
    (void)state;
    LOSSLESS("u", "tdD", "2026-10-30||", "2026-10-30", NULL);
    LOSSLESS("tdD", "u", "1970-01-02|", "1");
    LOSSLESS("tdD", "i", "-1|", "-1");
    LOSSLESS("i", "tdD", "1969-12-31|", "-1");
    lochan_error err;
    /* Ticks, as text through int64. */
    static const struct {
        const char *from, *to, *value, *ticks;
    } cases[] = {
        {"tdD", "tdm", "-1", "-86400000"},
        {"tdD", "tsn:", "1", "86400000000000"},
        {"tdD", "tss:UTC", "-1", "-86400"},
        {"tdm", "tdD", "-86400000", "-1"},
        {"tss:", "tsu:", "-5", "-5000000"},
        {"tsn:", "tsm:", "-5000000", "-5"},
        {"tsn:Europe/Paris", "tsn:UTC", "7", "7"},
        {"tsu:", "tdD", "86400000000", "1"},
        {"tts", "ttn", "7", "7000000000"},
        {"ttn", "ttm", "7000000", "7"},
        {"tDs", "tDn", "-7", "-7000000000"},
        {"u", "tsm:UTC", "1970-01-01T01:00:00.5+01:00", "500"},
        {"u", "tsu:", "0001-01-01", "-62135596800000000"},
        {"u", "tss:", "9999-12-31 23:59:59", "253402300799"},
        {"u", "ttu", "01:02:03.5", "3723500000"},
        {"u", "tdm", "1969-12-31", "-86400000"},
    };
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        struct ArrowSchema schema, target = {0}, number = {0};
        struct ArrowArray batch, middle, out;
        lochan_type type = sample_type(cases[i].to);
        bool narrow = lochan_type__bit_width(&type) == 32;
        column_of(cases[i].from, &cases[i].value, 1, &schema, &batch);
        assert_ok(sample_field(&target, "x", cases[i].to, 0, &err));
        assert_ok(sample_field(&number, "x", narrow ? "i" : "l", 0, &err));
        assert_ok(lochan_cast(schema.children[0], batch.children[0], &target, &middle, &err));
        assert_ok(lochan_cast(&target, &middle, &number, &out, &err));
        assert_string_equal(sample_json(&number, &out, 0), cases[i].ticks);
        lochan_array__release(&batch);
        lochan_array__release(&middle);
        lochan_array__release(&out);
        lochan_schema__release(&schema);
        lochan_schema__release(&target);
        lochan_schema__release(&number);
    }
    refused("tsu:", "tss:", "1000000", "1000001", "does not fit");
    refused("tsu:", "tdD", "0", "1", "does not fit date");
    refused("tss:", "tsn:", "0", "9223372037", "does not fit");
    refused("l", "tdD", "0", "2147483648", "does not fit");
    refused("u", "tdD", "2024-02-29", "2023-02-29", "'2023-02-29' does not fit date");
    refused("u", "tdD", "2024-02-29", "2024-02-29 12:00:00", "does not fit");
    refused("u", "tsu:", "2024-02-29", "2024-02-29T00:00:00Z",
            "does not fit"); /* the zone would be lost */
    refused("u", "tts", "10:00", "24:00:00", "'24:00:00'");
    refused("u", "tts", "10:00", "10:00:00.5", "does not fit");
}

static void test_cast__null_type(void **state) {
    (void)state;
    LOSSLESS("n", "l", "||", NULL, NULL);
    LOSSLESS("u", "n", "|", NULL);
    lochan_error err;
    assert_int_equal(cast_texts("u", (const char *[]){NULL, "x"}, 2, "n", NULL, &err), 1);
}

static void test_cast__pairs_without_a_way(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"b", "tdD"},    {"tdD", "tts"}, {"g", "tdD"}, {"tss:", "tts"},   {"l", "z"},
        {"tDs", "tss:"}, {"u", "+s"},    {"w:3", "l"}, {"d:20,4", "tdD"}, {"tdD", "g"}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(pairs); i++) {
        lochan_error err;
        struct ArrowSchema schema, target = {0};
        struct ArrowArray batch, out;
        column_of(pairs[i][0], (const char *[]){NULL}, 1, &schema, &batch);
        assert_ok(sample_field(&target, "x", pairs[i][1], 0, &err));
        assert_status(lochan_cast(schema.children[0], batch.children[0], &target, &out, &err),
                      LOCHAN_ERR_UNSUPPORTED);
        assert_null(out.release);
        lochan_array__release(&batch);
        lochan_schema__release(&schema);
        lochan_schema__release(&target);
    }
}

/* Same type: a copy, for every type and any offset. */
static void test_cast__same_type_copies(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema;
    struct ArrowArray in, out;
    assert_ok(sample_schema(&schema, &err));
    for (int64_t offset = 0; offset < 8; offset += 7) {
        sample_slice(&schema, offset, 23, &in);
        assert_ok(lochan_cast(&schema, &in, &schema, &out, &err));
        assert_valid(&schema, &out);
        for (int64_t i = 0; i < 23; i++)
            assert_row(&schema, &out, i, &in, i);
        lochan_array__release(&in);
        lochan_array__release(&out);
    }
    lochan_schema__release(&schema);
}

static void json_equal(const struct ArrowSchema *a, const struct ArrowArray *x,
                       const struct ArrowSchema *b, const struct ArrowArray *y) {
    assert_int_equal(x->length, y->length);
    for (int64_t i = 0; i < x->length; i++) {
        char text[8192];
        snprintf(text, sizeof text, "%s", sample_json(a, x, i));
        assert_string_equal(text, sample_json(b, y, i));
    }
}

static void test_cast__dictionaries(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema, plain = {0}, coded = {0};
    struct ArrowArray in, out, back;
    lochan_type key = sample_type("C"), text = sample_type("vu");
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 6, 30, &in);
    int word = lochan_schema__find(&schema, "word");
    assert_ok(sample_field(&plain, "x", "u", 0, &err));
    assert_ok(lochan_schema__set_dictionary(&coded, "x", &key, &text, true, &err));
    assert_ok(lochan_cast(schema.children[word], in.children[word], &plain, &out, &err));
    assert_valid(&plain, &out);
    json_equal(schema.children[word], in.children[word], &plain, &out);
    assert_ok(lochan_cast(&plain, &out, &coded, &back, &err));
    assert_valid(&coded, &back);
    json_equal(&plain, &out, &coded, &back);
    assert_int_equal(back.dictionary->length, 6); /* three words, long and short */
    lochan_array__release(&back);
    assert_ok(lochan_cast(schema.children[word], in.children[word], &coded, &back, &err));
    json_equal(&plain, &out, &coded, &back);
    lochan_array__release(&back);
    lochan_array__release(&out);
    lochan_array__release(&in);
    lochan_schema__release(&schema);
    lochan_schema__release(&plain);
    lochan_schema__release(&coded);
}

static void test_cast__nested(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema, target = {0};
    struct ArrowArray in, out;
    assert_ok(sample_schema(&schema, &err));
    for (int64_t offset = 0; offset < 10; offset += 3) {
        sample_slice(&schema, offset, 30, &in);
        /* list of views to large list of text; fixed list to list of wider numbers */
        int list = lochan_schema__find(&schema, "list"),
            pair = lochan_schema__find(&schema, "pair");
        struct ArrowArray column;
        int64_t rows[30];
        for (int i = 0; i < 30; i++)
            rows[i] = i;
        for (int k = 0; k < 2; k++) {
            int child = k ? pair : list;
            struct ArrowArray part = *in.children[child]; /* rows of the batch, borrowed */
            part.offset += in.offset;
            part.length = in.length;
            part.null_count = -1;
            assert_ok(lochan_take(schema.children[child], &part, rows, 30, &column, &err));
            assert_ok(sample_field(&target, "x", k ? "+l" : "+L", 1, &err));
            assert_ok(sample_field(target.children[0], "item", k ? "l" : "u", 0, &err));
            assert_ok(lochan_cast(schema.children[child], &part, &target, &out, &err));
            assert_valid(&target, &out);
            json_equal(schema.children[child], &column, &target, &out);
            lochan_array__release(&out);
            lochan_array__release(&column);
            lochan_schema__release(&target);
        }
        lochan_array__release(&in);
    }
    lochan_schema__release(&schema);
}

static void test_cast__structs_by_name(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema schema, target = {0};
    struct ArrowArray in, out;
    assert_ok(sample_schema(&schema, &err));
    sample_slice(&schema, 0, 10, &in);
    int child = lochan_schema__find(&schema, "struct");
    assert_ok(sample_field(&target, "x", "+s", 3, &err));
    assert_ok(sample_field(target.children[0], "new", "g", 0, &err));
    assert_ok(sample_field(target.children[1], "b", "vu", 0, &err));
    assert_ok(sample_field(target.children[2], "a", "u", 0, &err));
    assert_ok(lochan_cast(schema.children[child], in.children[child], &target, &out, &err));
    assert_valid(&target, &out);
    assert_string_equal(sample_json(&target, &out, 3), "null");
    assert_non_null(strstr(sample_json(&target, &out, 4), "\"a\":\"4\""));
    assert_non_null(strstr(sample_json(&target, &out, 4), "\"b\":\"v4\""));
    assert_non_null(strstr(sample_json(&target, &out, 4), "\"new\":null"));
    lochan_array__release(&out);
    lochan_schema__release(&target);
    assert_ok(sample_field(&target, "x", "+s", 1, &err));
    assert_ok(sample_field(target.children[0], "a", "l", 0, &err));
    assert_status(lochan_cast(schema.children[child], in.children[child], &target, &out, &err),
                  LOCHAN_ERR_SCHEMA);
    assert_non_null(strstr(err.message, "'b'"));
    assert_null(out.release);
    lochan_array__release(&in);
    lochan_schema__release(&schema);
    lochan_schema__release(&target);
}

static struct ArrowSchema fault_schema, fault_target;
static struct ArrowArray fault_in;

static lochan_status fault_body(void *ctx, lochan_error *err) {
    (void)ctx;
    static const char *const from[] = {"i", "u", "vu", "g", "word", "u"};
    lochan_status rc = LOCHAN_OK;
    for (int k = 0; k < 6 && rc == LOCHAN_OK; k++) {
        struct ArrowArray out = {0};
        int child = lochan_schema__find(&fault_schema, from[k]);
        int to = k == 5 ? 5 : k == 0 ? 0 : k % 2 + 1;
        rc = lochan_cast(fault_schema.children[child], fault_in.children[child],
                         fault_target.children[to % 4], &out, err);
        lochan_array__release(&out);
    }
    return rc;
}

static void test_cast__survives_lack_of_memory(void **state) {
    (void)state;
    lochan_error err;
    lochan_type key = sample_type("c"), text = sample_type("u");
    assert_ok(sample_schema(&fault_schema, &err));
    assert_ok(lochan_schema__init_struct(&fault_target, 4, &err));
    assert_ok(sample_field(fault_target.children[0], "a", "d:30,2", 0, &err));
    assert_ok(
        lochan_schema__set_dictionary(fault_target.children[1], "b", &key, &text, true, &err));
    assert_ok(sample_field(fault_target.children[2], "c", "vu", 0, &err));
    assert_ok(sample_field(fault_target.children[3], "d", "l", 0, &err));
    sample_slice(&fault_schema, 2, 9, &fault_in);
    fault_sweep(&(fault_case){.name = "cast", .body = fault_body, .kinds = FAULT_OOM});
    lochan_array__release(&fault_in);
    lochan_schema__release(&fault_schema);
    lochan_schema__release(&fault_target);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cast__integers),
        cmocka_unit_test(test_cast__floats),
        cmocka_unit_test(test_cast__decimals),
        cmocka_unit_test(test_cast__text),
        cmocka_unit_test(test_cast__times),
        cmocka_unit_test(test_cast__null_type),
        cmocka_unit_test(test_cast__pairs_without_a_way),
        cmocka_unit_test(test_cast__same_type_copies),
        cmocka_unit_test(test_cast__dictionaries),
        cmocka_unit_test(test_cast__nested),
        cmocka_unit_test(test_cast__structs_by_name),
        cmocka_unit_test(test_cast__survives_lack_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
