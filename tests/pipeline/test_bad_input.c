/* Answers that are well-formed and wrong: none is believed, none is taken for "no rows", and each
 * is asked again by the next update. And commands that nobody answers questions of. */
#include "pipeline/pipeline.h"
#include "source/rude_server.c" /* the project's feed refuses to serve such rows */

static lochan_error err;
static lochan_lake *lake;
static char *home;
static const char *said; /* what the provider answers */

static bool answer(rude_server *server, int fd, const char *path, int nth, const char *request) {
    (void)server, (void)path, (void)nth, (void)request;
    rude_page(fd, "200 OK", "Content-Type: text/csv\r\n", said);
    return true;
}

static void add_specs(rude_server *server) {
    static const char dataset[] =
        "name: daily\nsource: rude\nasset_column: code\ntime_column: day\n"
        "default_start: 2020-01-01\n"
        "columns: {asset_id: string, time: {type: date, format: '%Y-%m-%d'}, "
        "price: {type: float64, nullable: false}}\nprimary_key: [asset_id, time]\n";
    char text[300];
    snprintf(text, sizeof text,
             "name: rude\nkind: http\nurl: http://127.0.0.1:%d\nmax_retries: 0\n"
             "retry_backoff: 1ms\n",
             (int)rude_port(server));
    assert_ok(lochan_source_add(lake, text, strlen(text), "rude.yaml", false, &err));
    assert_ok(lochan_dataset_add(lake, dataset, strlen(dataset), "daily.yaml", false, &err));
}

static lochan_status update(lochan_update_report *report) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    request.source = "rude";
    request.dataset = "daily";
    request.end = "2020-01-31";
    lochan_error_init(&err);
    return lochan_update_run(lake, &request, report, &err);
}

static void start(rude_server **server) {
    char path[300];
    home = tmpdir_make("bad-input");
    snprintf(path, sizeof path, "%s/lake", home);
    *server = rude_start(answer);
    assert_ok(lochan_lake_init(path, NULL, &err));
    assert_ok(lochan_lake_open(path, NULL, &lake, &err));
    add_specs(*server);
}

static void stop(rude_server *server) {
    lochan_lake_close(lake);
    rude_stop(server);
    tmpdir_remove(home);
}

static void test_bad_input__wrong_keys_and_dates_are_asked_again(void **state) {
    (void)state;
    static const struct {
        const char *rows, *words;
    } cases[] = {
        {"A,2020-01-02,1\n,2020-01-03,1\n", "asset_id"},       /* no key */
        {"A,2020-01-02,1\nA,2020-13-45,1\n", "2020-13-45"},    /* no such day */
        {"A,2020-01-02,1\nA,2020-02-30,1\n", "2020-02-30"},    /* nor this */
        {"A,2020-01-02,1\nA,,1\n", "time"},                    /* no day */
        {"A,2020-01-02,1\nA,20200103,1\n", "20200103"},        /* not as the spec says */
        {"A,2020-01-02,1\nA,2020-01-03,\n", "price"},          /* a required value */
        {"A,2020-01-02,1\nA,2020-01-03,1.5x\n", "1.5x"},       /* no number */
        {"A,2020-01-02,1\nA,2020-01-03,1,9\n", "more than 3"}, /* another shape */
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        rude_server *server;
        lochan_update_report report;
        char text[200];
        start(&server);
        snprintf(text, sizeof text, "code,day,price\n%s", cases[i].rows);
        said = text;
        lochan_status rc = update(&report);
        if (rc == LOCHAN_OK || report.scopes_failed != 1 || report.rows_new != 0)
            fail_msg("'%s' gave %s", cases[i].rows, lochan_status_name(rc));
        if (!strstr(err.message, cases[i].words) && strcmp(err.column, cases[i].words) != 0)
            fail_msg("'%s': %s (column %s)", cases[i].rows, err.message, err.column);
        said = "code,day,price\nA,2020-01-02,1\nA,2020-01-03,2\n";
        assert_ok(update(&report));
        assert_int_equal(report.requests, 1);
        assert_int_equal(report.rows_new, 2);
        assert_ok(update(&report)); /* and then no more */
        assert_int_equal(report.requests, 0);
        stop(server);
    }
}

/* An answer without a row in it, beside one that is not there at all. */
static void test_bad_input__nothing_is_not_no_rows(void **state) {
    (void)state;
    rude_server *server;
    lochan_update_report report;
    start(&server);
    said = "";
    assert_true(update(&report) != LOCHAN_OK);
    assert_int_equal(report.scopes_failed, 1);
    said = "code,day,price\n";
    assert_ok(update(&report));
    assert_int_equal(report.requests, 1);
    assert_int_equal(report.rows_new, 0);
    stop(server);
}

/* Runs the command with nobody at its input; what it ends with. */
static int run(const char *arguments) {
    char command[600];
    snprintf(command, sizeof command,
             "timeout 60 \"$LOCHAN_BIN\" --lake %s/lake %s >%s/out 2>&1 <%s", home, arguments, home,
             "/dev/null");
    int status = system(command);
    assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_bad_input__no_question_is_asked(void **state) {
    (void)state;
    rude_server *server;
    if (!getenv("LOCHAN_BIN"))
        skip();
    start(&server);
    said = "code,day,price\nA,2020-01-02,1\n";
    assert_int_equal(run("update --all --end 2020-01-31"), 0);
    assert_int_equal(run("update rude/daily --force --end 2020-01-31"), 0);
    assert_int_equal(run("update rude/daily --workers -3"), 2);
    assert_int_equal(run("update rude/daily --start 2020-02-01 --end 2020-01-01"), 2);
    assert_true(run("dataset remove rude/daily --delete-data") == 2); /* says --yes, and ends */
    assert_int_equal(run("dataset disable rude/daily"), 0);
    int asked = rude_requests(server, NULL);
    assert_true(run("update rude/daily --force --end 2020-01-31") != 124);
    (void)run("update --source rude --force --end 2020-01-31");
    assert_int_equal(rude_requests(server, NULL), asked); /* disabled: not asked */
    assert_int_equal(run("dataset remove rude/daily --delete-data --yes"), 0);
    stop(server);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_bad_input__wrong_keys_and_dates_are_asked_again),
        cmocka_unit_test(test_bad_input__nothing_is_not_no_rows),
        cmocka_unit_test(test_bad_input__no_question_is_asked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
