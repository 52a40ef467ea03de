/* Sources in code: what the functions are told, and that their rows go the way of every other
 * provider's, also when an update is cut off. */
#include "arrow/builder.h"
#include "arrow/view.h"
#include "base/cancel.h"
#include "base/civil.h"
#include "pipeline/pipeline.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#define FIRST_DAY 18262 /* 2020-01-01 */

/* What the test's functions do and what they saw. */
static struct script {
    int batches, rows; /* of each answer: days of the window, one after the other */
    int fail_fetches;  /* the first so many say NETWORK */
    int break_at;      /* the stream of fetch number .. fails after its first batch, 0 = none */
    bool text, parallel, bad_plan, skip_days;
    lochan_status fail_with;
    int fetches, plans, released;
    char scopes[2000];
    char context[400];
    pthread_mutex_t mutex;
} script;

static char *home;
static lochan_lake *lake;
static lochan_error err;

static const char source_spec[] = "name: own\nkind: callback\nretry_backoff: 1ms\n"
                                  "options: {desk: equities, depth: 3}\n";
static const char dataset_spec[] = "name: ticks\nsource: own\nsource_dataset: feed7\n"
                                   "default_start: 2020-01-01\nsettle_days: 0\n"
                                   "request_options: {date_chunk_months: 1, params: {level: 2}}\n"
                                   "asset_column: code\ntime_column: day\n"
                                   "columns:\n"
                                   "  asset_id: string\n"
                                   "  time: {type: date, nullable: false}\n"
                                   "  price: {type: float64, nullable: false}\n"
                                   "  note: string\n"
                                   "primary_key: [asset_id, time]\n"
                                   "partition_strategy: year_month\n";

/* ---- rows ---- */

struct answer {
    int32_t from, to, next;
    int per_batch;
    bool breaks, broke;
};

static void field(struct ArrowSchema *schema, int i, const char *name, lochan_type_id id) {
    const lochan_type type = {.id = id};
    assert_ok(lochan_schema__set_field(schema->children[i], name, &type, true, &err));
}

static void make_schema(struct ArrowSchema *schema) {
    assert_ok(lochan_schema__init_struct(schema, 4, &err));
    field(schema, 0, "code", LOCHAN_TYPE_STRING);
    field(schema, 1, "day", script.text ? LOCHAN_TYPE_STRING : LOCHAN_TYPE_DATE32);
    field(schema, 2, "price", script.text ? LOCHAN_TYPE_STRING : LOCHAN_TYPE_INT32);
    field(schema, 3, "extra", LOCHAN_TYPE_INT64); /* not declared; `note` is not there */
}

static lochan_status next_batch(void *state, struct ArrowArray *out, lochan_error *e) {
    struct answer *a = state;
    struct ArrowSchema schema;
    lochan_builder *builders[4];
    char text[32];
    if (a->broke)
        return lochan_error__set(e, LOCHAN_ERR_NETWORK, "the line went dead");
    a->broke = a->breaks;
    if (a->next > a->to)
        return LOCHAN_OK;
    make_schema(&schema);
    for (int i = 0; i < 4; i++)
        assert_ok(lochan_builder__create(schema.children[i], &builders[i], e));
    int64_t n = 0;
    for (; a->next <= a->to && n < a->per_batch; a->next++, n++) {
        assert_ok(lochan_builder__str(builders[0], lochan_str__of("A1"), e));
        if (script.text) {
            lochan_civil__format_date(a->next, text);
            assert_ok(lochan_builder__str(builders[1], lochan_str__of(text), e));
            snprintf(text, sizeof text, "%d", (int)a->next);
            assert_ok(lochan_builder__str(builders[2], lochan_str__of(text), e));
        } else {
            assert_ok(lochan_builder__int64(builders[1], a->next, e));
            assert_ok(lochan_builder__int64(builders[2], a->next, e));
        }
        assert_ok(lochan_builder__int64(builders[3], n, e));
    }
    assert_ok(lochan_array__init(out, 1, 4, e));
    out->length = n;
    for (int i = 0; i < 4; i++) {
        assert_ok(lochan_builder__finish(builders[i], out->children[i], e));
        lochan_builder__free(builders[i]);
    }
    lochan_schema__release(&schema);
    return LOCHAN_OK;
}

/* ---- the functions ---- */

static void note_scope(const lochan_source_scope *scope) {
    size_t used = strlen(script.scopes);
    snprintf(script.scopes + used, sizeof script.scopes - used, "%s..%s ",
             scope->start ? scope->start : "-", scope->end ? scope->end : "-");
    const lochan_source_context *c = scope->context;
    snprintf(script.context, sizeof script.context, "%s/%s/%s %s %s | %s | %s force=%d workers=%d",
             c->source, c->dataset, c->source_dataset, c->options[0], c->options[1],
             scope->n_parameters ? scope->parameters[0] : "", c->validate, c->force, c->workers);
}

static lochan_status fetch(void *payload, const lochan_source_scope *scope,
                           struct ArrowArrayStream *out, lochan_error *e) {
    struct script *s = payload;
    struct ArrowSchema schema;
    pthread_mutex_lock(&s->mutex);
    int number = ++s->fetches;
    note_scope(scope);
    pthread_mutex_unlock(&s->mutex);
    if (number <= s->fail_fetches)
        return lochan_error__set(e, s->fail_with, "nobody home");
    struct answer *a = lochan_mem__zalloc(sizeof *a);
    assert_true(lochan_civil__parse_date(scope->start, strlen(scope->start), &a->from));
    assert_true(lochan_civil__parse_date(scope->end, strlen(scope->end), &a->to));
    a->next = a->from;
    a->per_batch = 10;
    a->breaks = number == s->break_at;
    make_schema(&schema);
    return lochan_stream__make(&schema, next_batch, lochan_mem__free, a, out, e);
}

static lochan_status plan(void *payload, const lochan_source_scope *scope,
                          lochan_source_plan *windows, lochan_error *e) {
    struct script *s = payload;
    char middle[16];
    int32_t from, to;
    s->plans++;
    if (s->bad_plan)
        return lochan_source_plan_add(windows, "1999-01-01", scope->end, e);
    assert_true(lochan_civil__parse_date(scope->start, strlen(scope->start), &from));
    assert_true(lochan_civil__parse_date(scope->end, strlen(scope->end), &to));
    lochan_civil__format_date(from + 9, middle);
    lochan_status rc = lochan_source_plan_add(windows, scope->start, middle, e);
    if (rc == LOCHAN_OK && !s->skip_days && from + 10 <= to) {
        lochan_civil__format_date(from + 10, middle);
        rc = lochan_source_plan_add(windows, middle, scope->end, e);
    }
    return rc;
}

static void release(void *payload) {
    ((struct script *)payload)->released++;
}

/* ---- set-up ---- */

static void use(bool planned) {
    lochan_source_callbacks c = LOCHAN_SOURCE_CALLBACKS_INIT;
    c.payload = &script;
    c.fetch = fetch;
    c.plan = planned ? plan : NULL;
    c.release = release;
    c.parallel = script.parallel;
    assert_ok(lochan_source_register(lake, "own", &c, &err));
}

static int setup(void **state) {
    (void)state;
    memset(&script, 0, sizeof script);
    pthread_mutex_init(&script.mutex, NULL);
    lochan_error_init(&err);
    home = tmpdir_make("callback");
    assert_ok(lochan_lake_init(home, NULL, &err));
    assert_ok(lochan_lake_open(home, NULL, &lake, &err));
    assert_ok(lochan_source_add(lake, source_spec, strlen(source_spec), "own.yaml", false, &err));
    assert_ok(
        lochan_dataset_add(lake, dataset_spec, strlen(dataset_spec), "ticks.yaml", false, &err));
    return 0;
}

static int teardown(void **state) {
    (void)state;
    lochan_lake_close(lake);
    lake = NULL;
    pthread_mutex_destroy(&script.mutex);
    tmpdir_remove(home);
    return 0;
}

static lochan_status update(const char *end, lochan_update_report *report) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    request.source = "own";
    request.dataset = "ticks";
    request.end = end;
    lochan_error_init(&err);
    return lochan_update_run(lake, &request, report, &err);
}

/* Rows and the sum of their prices, which are their days. */
static int64_t count(int64_t *sum) {
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    lochan_scan_options options = LOCHAN_SCAN_OPTIONS_INIT;
    int64_t rows = 0;
    *sum = 0;
    if (lochan_lake_scan(lake, "own", "ticks", &options, &stream, &err) != LOCHAN_OK)
        return -1;
    assert_ok(lochan_stream__schema(&stream, &schema, &err));
    int price = lochan_schema__find(&schema, "price"), note = lochan_schema__find(&schema, "note");
    assert_true(price >= 0 && note >= 0);
    for (;;) {
        struct ArrowArray batch = {0};
        assert_ok(lochan_stream__next(&stream, &batch, &err));
        if (!batch.release)
            break;
        lochan_view view, notes;
        assert_ok(lochan_view__init(&view, schema.children[price], batch.children[price], &err));
        assert_ok(lochan_view__init(&notes, schema.children[note], batch.children[note], &err));
        for (int64_t i = 0; i < batch.length; i++, rows++) {
            *sum += (int64_t)lochan_view__double(&view, i) - FIRST_DAY;
            assert_true(lochan_view__is_null(&notes, i));
        }
        lochan_view__deinit(&view);
        lochan_view__deinit(&notes);
        batch.release(&batch);
    }
    lochan_schema__release(&schema);
    stream.release(&stream);
    return rows;
}

static void expect_days(int days) {
    int64_t sum;
    assert_int_equal(count(&sum), days);
    assert_int_equal(sum, (int64_t)days * (days - 1) / 2);
    pipe_verify(lake);
}

/* ---- tests ---- */

static void test_callback__rows_go_the_usual_way(void **state) {
    (void)state;
    lochan_update_report report;
    use(false);
    assert_ok(update("2020-02-29", &report));
    assert_int_equal(report.scopes, 2);
    assert_int_equal(report.pages, 4 + 3);
    assert_int_equal(report.rows_new, 60);
    assert_string_equal(script.scopes, "2020-01-01..2020-01-31 2020-02-01..2020-02-29 ");
    assert_string_equal(script.context,
                        "own/ticks/feed7 desk=equities depth=3 | level=2 | spec force=0 workers=4");
    expect_days(60);
    assert_ok(update("2020-02-29", &report));
    assert_true(report.nothing_to_do);
    assert_int_equal(script.fetches, 2);
}

static void test_callback__text_is_read_as_anywhere(void **state) {
    (void)state;
    lochan_update_report report;
    script.text = true;
    use(false);
    assert_ok(update("2020-01-31", &report));
    expect_days(31);
}

static void test_callback__many_threads(void **state) {
    (void)state;
    lochan_update_report report;
    script.parallel = true;
    use(false);
    assert_ok(update("2020-12-31", &report));
    assert_int_equal(report.scopes, 12);
    expect_days(366);
}

static void test_callback__unregistered_is_an_error(void **state) {
    (void)state;
    lochan_update_report report;
    assert_int_equal(update("2020-01-31", &report), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "registered no functions"));
    assert_int_equal(lochan_source_unregister(lake, "own", &err), LOCHAN_ERR_NOT_FOUND);
    use(false);
    use(false); /* the first ones are let go */
    assert_int_equal(script.released, 1);
    assert_ok(lochan_source_unregister(lake, "own", &err));
    assert_int_equal(script.released, 2);
    assert_int_equal(update("2020-01-31", &report), LOCHAN_ERR_INVALID_ARGUMENT);
    use(false);
    lochan_lake_close(lake);
    lake = NULL;
    assert_int_equal(script.released, 3);
}

static void test_callback__plans(void **state) {
    (void)state;
    lochan_update_report report;
    use(true);
    assert_ok(update("2020-01-31", &report));
    assert_string_equal(script.scopes, "2020-01-01..2020-01-10 2020-01-11..2020-01-31 ");
    expect_days(31);
}

static void test_callback__days_left_out_stay_missing(void **state) {
    (void)state;
    lochan_update_report report;
    script.skip_days = true;
    use(true);
    assert_ok(update("2020-01-31", &report));
    expect_days(10);
    script.skip_days = false;
    assert_ok(update("2020-01-31", &report));
    assert_string_equal(script.scopes, "2020-01-01..2020-01-10 2020-01-11..2020-01-20 "
                                       "2020-01-21..2020-01-31 ");
    expect_days(31);
}

static void test_callback__a_plan_outside_of_what_is_missing_fails(void **state) {
    (void)state;
    lochan_update_report report;
    script.bad_plan = true;
    use(true);
    assert_int_equal(update("2020-01-31", &report), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "outside of what is missing"));
    assert_int_equal(script.fetches, 0);
}

static void test_callback__failures_are_tried_again(void **state) {
    (void)state;
    lochan_update_report report;
    script.fail_fetches = 2;
    script.fail_with = LOCHAN_ERR_NETWORK;
    script.break_at = 3; /* the third gives one batch and breaks */
    use(false);
    assert_ok(update("2020-01-31", &report));
    assert_int_equal(report.retries, 3);
    assert_int_equal(script.fetches, 4);
    expect_days(31);
}

static void test_callback__a_failure_is_recorded_and_asked_again(void **state) {
    (void)state;
    lochan_update_report report;
    script.fail_fetches = 1;
    script.fail_with = LOCHAN_ERR_IO; /* not worth another try */
    use(false);
    assert_int_equal(update("2020-02-29", &report), LOCHAN_ERR_PARTIAL);
    assert_int_equal(report.scopes_failed, 1);
    assert_non_null(strstr(err.message, "nobody home"));
    int64_t sum;
    assert_int_equal(count(&sum), 29);
    assert_ok(update("2020-02-29", &report));
    assert_int_equal(report.scopes, 1);
    expect_days(60);
}

/* The first window is whole, the second broke; the update is then cut off before it publishes. */
static lochan_status cut_off(void *self, const char *name, lochan_error *e) {
    (void)self;
    return strcmp(name, "update.collected") == 0
               ? lochan_error__set(e, LOCHAN_ERR_IO, "cut off at %s", name)
               : LOCHAN_OK;
}

static void test_callback__what_was_given_whole_is_not_asked_again(void **state) {
    (void)state;
    lochan_update_report report;
    use(false);
    lochan_failpoint__set(cut_off, NULL);
    assert_int_equal(update("2020-01-31", &report), LOCHAN_ERR_IO);
    lochan_failpoint__set(NULL, NULL);
    assert_int_equal(script.fetches, 1);
    assert_ok(update("2020-01-31", &report));
    assert_int_equal(script.fetches, 1);
    assert_int_equal(report.pages_resumed, 4);
    expect_days(31);
}

static void test_callback__half_of_a_stream_is_never_used(void **state) {
    (void)state;
    lochan_update_report report;
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    script.break_at = 1;
    use(false);
    request.source = "own";
    request.dataset = "ticks";
    request.end = "2020-01-31";
    request.max_retries = 0;
    assert_int_equal(lochan_update_run(lake, &request, &report, &err), LOCHAN_ERR_NETWORK);
    int64_t sum;
    assert_true(count(&sum) <= 0);
    assert_ok(update("2020-01-31", &report));
    assert_int_equal(report.pages_resumed, 0);
    expect_days(31);
}

static void test_callback__a_value_that_does_not_fit_is_invalid(void **state) {
    (void)state;
    static const char other[] = "name: small\nsource: own\ndefault_start: 2020-01-01\n"
                                "asset_column: code\ntime_column: day\n"
                                "columns: {asset_id: string, time: date, price: int8}\n"
                                "primary_key: [asset_id, time]\n";
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    lochan_update_report report;
    use(false);
    assert_ok(lochan_dataset_add(lake, other, strlen(other), "small.yaml", false, &err));
    request.source = "own";
    request.dataset = "small";
    request.end = "2020-01-03";
    assert_int_equal(lochan_update_run(lake, &request, &report, &err), LOCHAN_ERR_VALIDATION);
    assert_string_equal(err.column, "price");
    assert_int_equal(script.fetches, 1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_callback__rows_go_the_usual_way, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback__text_is_read_as_anywhere, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback__many_threads, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback__unregistered_is_an_error, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback__plans, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback__days_left_out_stay_missing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback__a_plan_outside_of_what_is_missing_fails,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback__failures_are_tried_again, setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback__a_failure_is_recorded_and_asked_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_callback__what_was_given_whole_is_not_asked_again,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(test_callback__half_of_a_stream_is_never_used, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_callback__a_value_that_does_not_fit_is_invalid, setup,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
