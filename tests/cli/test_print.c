/* Streams as table, CSV, NDJSON and chart; small helpers of the printers. */
#include "support/cmocka_all.h"

#include "printers.h"

/* name (string), n (int64), x (float64): three rows, a null in each column. */
static struct ArrowSchema name_schema = {
    .format = "u", .name = "name", .flags = ARROW_FLAG_NULLABLE};
static struct ArrowSchema n_schema = {.format = "l", .name = "n", .flags = ARROW_FLAG_NULLABLE};
static struct ArrowSchema x_schema = {
    .format = "g", .name = "x, \"y\"", .flags = ARROW_FLAG_NULLABLE};
static struct ArrowSchema *field_schemas[] = {&name_schema, &n_schema, &x_schema};

static const int32_t name_offsets[] = {0, 6, 6, 10};
static const void *name_buffers[] = {(const uint8_t[]){0x05}, name_offsets,
                                     "\xe4\xb8\xad\xe6\x96\x87,\"\n\x1b"};
static const void *n_buffers[] = {(const uint8_t[]){0x06}, (const int64_t[]){0, 1234567, -3}};
static const void *x_buffers[] = {(const uint8_t[]){0x03}, (const double[]){0.5, 100, 0}};
static struct ArrowArray name_array = {
    .length = 3, .null_count = 1, .n_buffers = 3, .buffers = name_buffers};
static struct ArrowArray n_array = {
    .length = 3, .null_count = 1, .n_buffers = 2, .buffers = n_buffers};
static struct ArrowArray x_array = {
    .length = 3, .null_count = 1, .n_buffers = 2, .buffers = x_buffers};
static struct ArrowArray *field_arrays[] = {&name_array, &n_array, &x_array};
static const void *no_buffers[] = {NULL};

static hand_stream sample(int times, int fail) {
    return (hand_stream){
        .schema = {.format = "+s", .name = "", .n_children = 3, .children = field_schemas},
        .batch = {.length = 3,
                  .n_buffers = 1,
                  .buffers = no_buffers,
                  .n_children = 3,
                  .children = field_arrays},
        .times = times,
        .fail = fail};
}

typedef struct printed {
    char *text;
    size_t size;
    FILE *file;
    lochan_cli_out out;
} printed;

static void open_printed(printed *p) {
    *p = (printed){0};
    p->file = open_memstream(&p->text, &p->size);
    assert_non_null(p->file);
    p->out = (lochan_cli_out){.file = p->file, .name = "memory"};
}

static void close_printed(printed *p) {
    lochan_error err;
    assert_ok(lochan_cli__finish(&p->out, &err));
    fclose(p->file);
}

static void test_print__csv_quotes_what_needs_it(void **state) {
    hand_stream h = sample(1, 0);
    struct ArrowArrayStream stream = hand_make(&h);
    lochan_error err;
    int64_t rows;
    printed p;
    open_printed(&p);
    assert_ok(lochan_cli__print_csv(&stream, &p.out, &rows, &err));
    close_printed(&p);
    assert_int_equal(rows, 3);
    assert_string_equal(
        p.text, "name,n,\"x, "
                "\"\"y\"\"\"\n\xe4\xb8\xad\xe6\x96\x87,,0.5\n,1234567,100\n\",\"\"\n\x1b\",-3,\n");
    free(p.text);
}

static void test_print__ndjson_has_every_column(void **state) {
    hand_stream h = sample(1, 0);
    struct ArrowArrayStream stream = hand_make(&h);
    lochan_error err;
    int64_t rows;
    printed p;
    open_printed(&p);
    assert_ok(lochan_cli__print_ndjson(&stream, &p.out, &rows, &err));
    close_printed(&p);
    assert_string_equal(p.text,
                        "{\"name\":\"\xe4\xb8\xad\xe6\x96\x87\",\"n\":null,\"x, \\\"y\\\"\":0.5}\n"
                        "{\"name\":null,\"n\":1234567,\"x, \\\"y\\\"\":100}\n"
                        "{\"name\":\",\\\"\\n\\u001b\",\"n\":-3,\"x, \\\"y\\\"\":null}\n");
    free(p.text);
}

static void test_print__table_aligns_and_hides_control_characters(void **state) {
    static const lochan_cli_column columns[] = {
        {"name", "name", 0}, {"missing", "missing", 0}, {"n", "count", LOCHAN_CLI_AS_COUNT}, {0}};
    hand_stream h = sample(1, 0);
    struct ArrowArrayStream stream = hand_make(&h);
    lochan_error err;
    int64_t rows;
    printed p;
    open_printed(&p);
    assert_ok(lochan_cli__print_table(&stream, columns, -1, &p.out, &rows, NULL, &err));
    close_printed(&p);
    assert_string_equal(p.text,
                        "name          count\n────────  ─────────\n"
                        "\xe4\xb8\xad\xe6\x96\x87\n          1,234,567\n,\"\\n\\x1b         -3\n");
    free(p.text);
}

static void test_print__table_of_many_rows_keeps_its_limit(void **state) {
    for (int64_t limit = 998; limit < 1004; limit++) {
        hand_stream h = sample(1000, 0);
        struct ArrowArrayStream stream = hand_make(&h);
        lochan_error err;
        int64_t rows;
        bool more = false;
        printed p;
        open_printed(&p);
        assert_ok(lochan_cli__print_table(&stream, NULL, limit, &p.out, &rows, &more, &err));
        close_printed(&p);
        assert_int_equal(rows, limit);
        assert_true(more);
        size_t lines = 0;
        for (const char *s = p.text; *s; s++)
            lines += *s == '\n';
        assert_int_equal(lines, limit + 2);
        free(p.text);
    }
}

static void test_print__an_error_of_the_stream_comes_back(void **state) {
    hand_stream h = sample(2, EIO);
    struct ArrowArrayStream stream = hand_make(&h);
    lochan_error err;
    int64_t rows;
    printed p;
    open_printed(&p);
    assert_status(lochan_cli__print_csv(&stream, &p.out, &rows, &err), LOCHAN_ERR_IO);
    assert_non_null(strstr(err.message, "made to fail"));
    assert_int_equal(rows, 6);
    close_printed(&p);
    free(p.text);
}

static void test_print__a_full_device_is_an_error(void **state) {
    lochan_error err;
    FILE *file = fopen("/dev/full", "w");
    if (!file)
        skip();
    lochan_cli_out out = {.file = file, .name = "the device"};
    lochan_cli__adds(&out.text, "text");
    assert_status(lochan_cli__finish(&out, &err), LOCHAN_ERR_NO_SPACE);
    assert_non_null(strstr(err.message, "the device"));
    fclose(file);
}

/* time (date32) and v (float64), a wave over 400 days. */
static void test_print__chart_draws_a_line(void **state) {
    static int32_t days[400];
    static double values[400];
    for (int i = 0; i < 400; i++) {
        days[i] = 18262 + i;
        values[i] = sin(i / 30.0);
    }
    static struct ArrowSchema time_schema = {.format = "tdD", .name = "time"},
                              v_schema = {.format = "g", .name = "v"};
    static struct ArrowSchema *schemas[] = {&time_schema, &v_schema};
    const void *time_buffers[] = {NULL, days}, *v_buffers[] = {NULL, values};
    struct ArrowArray time_array = {.length = 400, .n_buffers = 2, .buffers = time_buffers};
    struct ArrowArray v_array = {.length = 400, .n_buffers = 2, .buffers = v_buffers};
    struct ArrowArray *arrays[] = {&time_array, &v_array};
    hand_stream h = {.schema = {.format = "+s", .name = "", .n_children = 2, .children = schemas},
                     .batch = {.length = 400,
                               .n_buffers = 1,
                               .buffers = no_buffers,
                               .n_children = 2,
                               .children = arrays},
                     .times = 1};
    struct ArrowArrayStream stream = hand_make(&h);
    lochan_cli_chart chart = {.y = "v", .width = 60, .height = 6};
    lochan_error err;
    printed p;
    open_printed(&p);
    assert_ok(lochan_cli__print_chart(&stream, &chart, &p.out, &err));
    close_printed(&p);
    assert_non_null(strstr(p.text, "2020-01-01"));
    assert_non_null(strstr(p.text, "2021-02-03"));
    assert_non_null(strstr(p.text, "┤"));
    for (char *line = strtok(p.text, "\n"); line; line = strtok(NULL, "\n"))
        assert_true(lochan_cli__width(line, strlen(line)) <= 60);
    free(p.text);

    h.times = 1;
    chart.y = "nothing";
    open_printed(&p);
    assert_status(lochan_cli__print_chart(&stream, &chart, &p.out, &err), LOCHAN_ERR_NOT_FOUND);
    close_printed(&p);
    free(p.text);
}

static void test_print__numbers_for_people(void **state) {
    lochan_cli_text t = {0};
    lochan_cli__add_count(&t, INT64_MIN);
    lochan_cli__addc(&t, ' ');
    lochan_cli__add_count(&t, 999);
    lochan_cli__addc(&t, ' ');
    lochan_cli__add_bytes(&t, 999);
    lochan_cli__addc(&t, ' ');
    lochan_cli__add_bytes(&t, 1234567);
    lochan_cli__addc(&t, ' ');
    lochan_cli__add_bytes(&t, 999999);
    lochan_cli__addc(&t, ' ');
    lochan_cli__add_seconds(&t, 0.0421);
    lochan_cli__addc(&t, ' ');
    lochan_cli__add_seconds(&t, 3661);
    assert_string_equal(t.data,
                        "-9,223,372,036,854,775,808 999 999 B 1.2 MB 1.0 MB 42 ms 1 h 1 min");
    lochan_cli__free(&t);
}

static void test_print__nearest_word(void **state) {
    static const char *const words[] = {"update", "status", "scan", "source add"};
    assert_string_equal(lochan_cli__nearest("updtae", words, 4), "update");
    assert_string_equal(lochan_cli__nearest("stauts", words, 4), "status");
    assert_string_equal(lochan_cli__nearest("scna", words, 4), "scan");
    assert_string_equal(lochan_cli__nearest("source ad", words, 4), "source add");
    assert_null(lochan_cli__nearest("zzzz", words, 4));
    assert_null(lochan_cli__nearest("", words, 4));
}

static void test_print__widths(void **state) {
    assert_int_equal(lochan_cli__width("e\xcc\x81", 3), 1);        /* e and a combining accent */
    assert_int_equal(lochan_cli__width("\xe4\xb8\xad", 3), 2);     /* a wide character */
    assert_int_equal(lochan_cli__width("\xff", 1), 1);             /* no UTF-8 */
    assert_int_equal(lochan_cli__width("\xf0\x9f\x98\x80", 4), 2); /* an emoji */
    assert_int_equal(lochan_cli__fit("\xe4\xb8\xad\xe4\xb8\xad", 6, 3), 3);
    uint32_t code;
    assert_int_equal(lochan_cli__utf8("\xc0\x80", 2, &code), 0);     /* overlong */
    assert_int_equal(lochan_cli__utf8("\xed\xa0\x80", 3, &code), 0); /* surrogate */
    assert_int_equal(lochan_cli__utf8("\xf5\x80\x80\x80", 4, &code), 0);
    assert_int_equal(lochan_cli__utf8("\xe4\xb8", 2, &code), 0); /* cut */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_print__csv_quotes_what_needs_it),
        cmocka_unit_test(test_print__ndjson_has_every_column),
        cmocka_unit_test(test_print__table_aligns_and_hides_control_characters),
        cmocka_unit_test(test_print__table_of_many_rows_keeps_its_limit),
        cmocka_unit_test(test_print__an_error_of_the_stream_comes_back),
        cmocka_unit_test(test_print__a_full_device_is_an_error),
        cmocka_unit_test(test_print__chart_draws_a_line),
        cmocka_unit_test(test_print__numbers_for_people),
        cmocka_unit_test(test_print__nearest_word),
        cmocka_unit_test(test_print__widths),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
