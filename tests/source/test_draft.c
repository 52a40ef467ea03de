/* test_draft.c - first specs from samples: shapes are found, drafts parse, nonsense is refused. */
#include "support/cmocka_all.h"

#include "source/draft.h"
#include "source/spec.h"

#include <string.h>

static lochan_error err;
static lochan_buf source, dataset;

static lochan_status draft(const char *sample) {
    lochan_buf__deinit(&source);
    lochan_buf__deinit(&dataset);
    lochan_buf__init(&source, 1 << 20);
    lochan_buf__init(&dataset, 1 << 20);
    return lochan_source__draft(sample, strlen(sample), "p", &source, &dataset, &err);
}

static int stop(void **state) {
    (void)state;
    lochan_buf__deinit(&source);
    lochan_buf__deinit(&dataset);
    return 0;
}

static void has(const lochan_buf *text, const char *words) {
    if (!strstr((const char *)text->data, words))
        fail_msg("'%s' is not in:\n%s", words, (const char *)text->data);
}

static void test_draft__shapes(void **state) {
    (void)state;
    assert_ok(
        draft("{\"code\":0,\"data\":{\"fields\":[\"ts_code\",\"d\",\"x\"],\"items\":[[\"000001\","
              "\"20240102\",1.5],[\"A\",\"20240103\",null]]}}"));
    has(&source, "format: table\nresponse: {fields: \"data.fields\", items: \"data.items\"}");
    has(&dataset, "time: {type: date, format: \"%Y%m%d\"}");
    has(&dataset, "x: {type: float64}");
    has(&dataset, "primary_key: [ts_code, time]");
    assert_ok(draft("{\"meta\":{\"n\":1},\"results\":[{\"id\":\"007\",\"n\":3,\"ok\":true}]}"));
    has(&source, "format: records\nresponse: {items: \"results\"}");
    has(&dataset, "id: {type: string}");
    has(&dataset, "n: {type: int64}");
    has(&dataset, "ok: {type: bool}");
    assert_ok(draft("[{\"a\":1}]"));
    has(&source, "items: \"\"");
    assert_ok(draft("Date;Price\n2024-01-02;1.5\n"));
    has(&source, "format: csv\ncsv: {delimiter: \";\"}");
    has(&dataset, "time_column: Date");
}

static void test_draft__parses(void **state) {
    (void)state;
    lochan_source_spec *spec;
    assert_ok(draft("a\tb\n1\t2\n"));
    assert_ok(lochan_source_spec__parse((const char *)source.data, source.len, "d", &spec, &err));
    assert_int_equal(spec->csv_delimiter, '\t');
    lochan_source_spec__free(spec);
}

static void test_draft__refuses(void **state) {
    (void)state;
    static const char *const samples[] = {"",         "{}",      "[]",          "{\"a\":[1,2]}",
                                          "[1]",      "{\"a\":", "[[1,2]]",     "a,a\n1,2\n",
                                          "a,b\n1\n", "a,b\n",   "{\"a\":[{}]}"};
    for (size_t i = 0; i < sizeof samples / sizeof samples[0]; i++)
        if (draft(samples[i]) != LOCHAN_ERR_PAGE)
            fail_msg("'%s': %s", samples[i], (const char *)source.data);
    assert_int_equal(lochan_source__draft("a\n1\n", 4, "../x", &source, &dataset, &err),
                     LOCHAN_ERR_INVALID_ARGUMENT);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(test_draft__shapes, stop),
        cmocka_unit_test_teardown(test_draft__parses, stop),
        cmocka_unit_test_teardown(test_draft__refuses, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
