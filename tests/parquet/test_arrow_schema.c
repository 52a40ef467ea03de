/* test_arrow_schema.c - the key ARROW:schema: what is written restores types; what is damaged or
 * contradicts the Parquet schema changes nothing. */
#include "parquet/pq_sample.h"

#include "parquet/arrow_schema.h"
#include "parquet/flat.h"
#include "parquet/schema.h"

/* Column i is written as formats[i]; Parquet alone gives plain[i]. */
static const char *const formats[] = {"tss:",
                                      "tss:Asia/Shanghai",
                                      "tsu:Europe/Berlin",
                                      "tDs",
                                      "tDn",
                                      "tdm",
                                      "U",
                                      "vu",
                                      "Z",
                                      "vz",
                                      "d:9,2,256",
                                      "l",
                                      "ttm",
                                      "+L",
                                      "+w:3",
                                      "b"};
static const char *const plain[] = {"tsm:", "tsm:UTC", "tsu:UTC", "l", "l",   "tdD", "u",  "u",
                                    "z",    "z",       "d:9,2",   "l", "ttm", "+l",  "+l", "b"};
enum { COLUMNS = LOCHAN_COUNTOF(formats) };

static void make_schema(struct ArrowSchema *out, const char *const *types) {
    lochan_error err;
    lochan_type item = {.id = LOCHAN_TYPE_INT16};
    assert_ok(lochan_schema__init_struct(out, COLUMNS, &err));
    for (int i = 0; i < COLUMNS; i++) {
        char name[8];
        lochan_type type = sample_type(types[i]);
        (void)lochan_format(name, sizeof name, "c%d", i);
        assert_ok(lochan_schema__set_nested(out->children[i], name, &type, true, types[i][0] == '+',
                                            &err));
        if (types[i][0] == '+')
            assert_ok(lochan_schema__set_field(out->children[i]->children[0], "element", &item,
                                               true, &err));
    }
}

static void assert_formats(const struct ArrowSchema *schema, const char *const *wanted) {
    for (int i = 0; i < COLUMNS; i++) {
        lochan_type a = sample_type(schema->children[i]->format), b = sample_type(wanted[i]);
        if (!lochan_type__equal(&a, &b))
            fail_msg("column %d is '%s', expected '%s'", i, schema->children[i]->format, wanted[i]);
    }
}

static void write_key(const struct ArrowSchema *schema, lochan_buf *text) {
    lochan_error err;
    lochan_buf__init(text, 1 << 20);
    assert_ok(lochan_pq_arrow_schema__write(schema, text, &err));
}

static lochan_status restore(struct ArrowSchema *schema, const lochan_buf *text, bool texts,
                             lochan_error *err) {
    return lochan_pq_arrow_schema__restore(schema, (const char *)text->data, text->len, texts, err);
}

static void test_arrow_schema__types_come_back(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema written, back;
    lochan_buf text, again;
    make_schema(&written, formats);
    make_schema(&back, plain);
    assert_ok(lochan_schema__set_metadata(written.children[0], "unit", "second", &err));
    assert_ok(lochan_schema__set_field_id(written.children[0], 5, &err));
    assert_ok(lochan_schema__set_field_id(back.children[0], 7, &err));
    assert_ok(lochan_schema__set_metadata(written.children[13], "kind", "list", &err));
    write_key(&written, &text);
    write_key(&written, &again);
    assert_int_equal(text.len, again.len);
    assert_memory_equal(text.data, again.data, text.len);
    assert_ok(restore(&back, &text, true, &err));
    assert_formats(&back, formats);
    const char *value;
    size_t n;
    assert_true(lochan_schema__get_metadata(back.children[0], "unit", &value, &n));
    assert_memory_equal(value, "second", n);
    assert_true(lochan_schema__get_metadata(back.children[13], "kind", &value, &n));
    assert_int_equal(lochan_schema__field_id(back.children[0]), 7); /* Parquet's own */
    lochan_buf__deinit(&text);
    lochan_buf__deinit(&again);
    lochan_schema__release(&written);
    lochan_schema__release(&back);
}

static void test_arrow_schema__dictionaries_and_text(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema written, back;
    lochan_buf text;
    lochan_type keys = {.id = LOCHAN_TYPE_INT8}, values = {.id = LOCHAN_TYPE_LARGE_STRING};
    assert_ok(lochan_schema__init_struct(&written, 1, &err));
    assert_ok(lochan_schema__set_dictionary(written.children[0], "x", &keys, &values, true, &err));
    written.children[0]->flags |= ARROW_FLAG_DICTIONARY_ORDERED;
    write_key(&written, &text);
    pq_schema_one(&back, "u", true);
    assert_ok(restore(&back, &text, true, &err));
    assert_string_equal(back.children[0]->format, "i");
    assert_non_null(back.children[0]->dictionary);
    assert_string_equal(back.children[0]->dictionary->format, "U");
    assert_true(back.children[0]->flags & ARROW_FLAG_DICTIONARY_ORDERED);
    lochan_schema__release(&back);
    pq_schema_one(&back, "u", true); /* a layout of text was asked for */
    assert_ok(restore(&back, &text, false, &err));
    assert_string_equal(back.children[0]->format, "u");
    assert_null(back.children[0]->dictionary);
    lochan_schema__release(&back);
    pq_schema_one(&back, "l", true); /* the file holds numbers */
    assert_ok(restore(&back, &text, true, &err));
    assert_string_equal(back.children[0]->format, "l");
    assert_null(back.children[0]->dictionary);
    lochan_schema__release(&back);
    lochan_buf__deinit(&text);
    lochan_schema__release(&written);
}

static void test_arrow_schema__what_contradicts_is_passed_over(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema written, back;
    lochan_buf text;
    make_schema(&written, plain);
    write_key(&written, &text);
    for (int first = 0; first < COLUMNS; first++) { /* each type against each other one */
        struct ArrowSchema turned;
        assert_ok(lochan_schema__init_struct(&turned, COLUMNS, &err));
        for (int i = 0; i < COLUMNS; i++)
            assert_ok(lochan_schema__dup(written.children[(i + first) % COLUMNS],
                                         turned.children[i], &err));
        assert_ok(restore(&turned, &text, true, &err)); /* other names */
        for (int i = 0; i < COLUMNS; i++)
            assert_string_equal(turned.children[i]->format,
                                written.children[(i + first) % COLUMNS]->format);
        lochan_schema__release(&turned);
    }
    pq_schema_one(&back, "l", true);
    assert_ok(restore(&back, &text, true, &err)); /* another number of columns */
    assert_string_equal(back.children[0]->format, "l");
    lochan_schema__release(&back);
    lochan_buf__deinit(&text);
    lochan_schema__release(&written);
}

static void test_arrow_schema__damage_changes_no_shape(void **state) {
    (void)state;
    lochan_error err;
    struct ArrowSchema written, back;
    lochan_buf text;
    size_t n;
    make_schema(&written, formats);
    write_key(&written, &text);
    uint8_t *message = lochan_mem__alloc(text.len);
    assert_true(lochan_base64__decode((const char *)text.data, text.len, message, &n));
    for (size_t cut = 0; cut < n; cut += 3) {
        uint8_t *exact = lochan_mem__alloc(cut ? cut : 1); /* ASan sees a read past its end */
        memcpy(exact, message, cut);
        make_schema(&back, plain);
        assert_ok(lochan_pq_arrow_schema__restore_message(&back, exact, cut, true, &err));
        assert_ok(lochan_schema__check(&back, &err));
        lochan_schema__release(&back);
        lochan_mem__free(exact);
    }
    for (size_t bit = 0; bit < n * 8; bit += 5) {
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
        make_schema(&back, plain);
        assert_ok(lochan_pq_arrow_schema__restore_message(&back, message, n, true, &err));
        assert_ok(lochan_schema__check(&back, &err));
        assert_int_equal(back.n_children, COLUMNS);
        lochan_schema__release(&back);
        message[bit / 8] ^= (uint8_t)(1 << bit % 8);
    }
    assert_false(lochan_base64__decode("ab*=", 4, message, &n));
    assert_false(lochan_base64__decode("abc", 3, message, &n));
    lochan_mem__free(message);
    lochan_buf__deinit(&text);
    lochan_schema__release(&written);
}

static void test_arrow_schema__base64_is_the_usual_one(void **state) {
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},        {"f", "Zg=="},        {"fo", "Zm8="},
        {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}, {"\xff\xfe\xfd", "//79"}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(pairs); i++) {
        lochan_error err;
        lochan_buf text;
        uint8_t back[16];
        size_t n;
        lochan_buf__init(&text, 64);
        assert_ok(
            lochan_base64__encode((const uint8_t *)pairs[i][0], strlen(pairs[i][0]), &text, &err));
        assert_int_equal(text.len, strlen(pairs[i][1]));
        if (text.len > 0)
            assert_memory_equal(text.data, pairs[i][1], text.len);
        assert_true(lochan_base64__decode(pairs[i][1], strlen(pairs[i][1]), back, &n));
        assert_int_equal(n, strlen(pairs[i][0]));
        assert_memory_equal(back, pairs[i][0], n);
        lochan_buf__deinit(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_arrow_schema__types_come_back),
        cmocka_unit_test(test_arrow_schema__dictionaries_and_text),
        cmocka_unit_test(test_arrow_schema__what_contradicts_is_passed_over),
        cmocka_unit_test(test_arrow_schema__damage_changes_no_shape),
        cmocka_unit_test(test_arrow_schema__base64_is_the_usual_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
