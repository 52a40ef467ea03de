/* update --repair: damaged files are taken out, and what they held is asked again. */
#include "pipeline/pipeline.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const market small = {.days = 91, .assets = 5};

/* Writes over the middle of the data file of a month. */
static void damage(const pipe_lake *p, const char *month) {
    char command[1200], path[700];
    snprintf(command, sizeof command,
             "find '%s/data/market/daily/year=2020/month=%s' -name '*.parquet'", p->path, month);
    FILE *found = popen(command, "r");
    assert_non_null(found);
    assert_non_null(fgets(path, sizeof path, found));
    pclose(found);
    path[strcspn(path, "\n")] = 0;
    FILE *file = fopen(path, "r+");
    assert_non_null(file);
    assert_int_equal(fseek(file, 200, SEEK_SET), 0);
    for (int i = 0; i < 64; i++)
        fputc(0x5a, file);
    assert_int_equal(fclose(file), 0);
}

static lochan_update_request repair(void) {
    lochan_update_request request = LOCHAN_UPDATE_REQUEST_INIT;
    request.repair = true;
    request.max_retries = 0;
    return request;
}

static void test_repair__fetches_what_damaged_files_held(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = repair();
    lochan_update_report report;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-03-31", NULL, NULL, &err));
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    assert_true(report.nothing_to_do); /* nothing is wrong */
    damage(&p, "02");
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    assert_int_equal(report.requests, 1);
    assert_int_equal(report.rows_new, 29 * 5);
    pipe_expect(p.lake, small, 91);
    pipe_verify(p.lake);
    assert_ok(pipe_update(&p, "2020-03-31", &request, &report, &err));
    assert_true(report.nothing_to_do);
    pipe_stop(&p);
}

/* The ledger never says more than the table holds, also if the provider does not answer then. */
static void test_repair__what_is_not_fetched_stays_owed(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = repair();
    lochan_update_report report;
    lochan_feed_options down = LOCHAN_FEED_OPTIONS_INIT;
    struct ArrowArrayStream gaps;
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-03-31", NULL, NULL, &err));
    damage(&p, "01");
    down.faults = "http500";
    pipe_provider(&p, small, &down);
    assert_int_not_equal(pipe_update(&p, "2020-03-31", &request, &report, &err), LOCHAN_OK);
    assert_int_equal(pipe_rows(p.lake, NULL), 60 * 5);
    assert_ok(lochan_status_gaps(p.lake, "market", "daily", NULL, "2020-03-31", &gaps, &err));
    char *reason = stream_text(&gaps, "reason");
    assert_string_equal(reason, "failed");
    free(reason);
    pipe_provider(&p, small, NULL);
    assert_ok(pipe_update(&p, "2020-03-31", NULL, &report, &err)); /* a plain update asks as well */
    assert_int_equal(report.requests, 1);
    pipe_expect(p.lake, small, 91);
    pipe_verify(p.lake);
    pipe_stop(&p);
}

/* A table whose files are gone is more likely a disk that is not there. */
static void test_repair__most_of_a_table_is_not_forgotten(void **state) {
    (void)state;
    pipe_lake p = pipe_start(small, NULL, "");
    lochan_update_request request = repair();
    char command[700];
    lochan_error err;
    assert_ok(pipe_update(&p, "2020-03-31", NULL, NULL, &err));
    snprintf(command, sizeof command, "mv '%s/data/market/daily' '%s/aside'", p.path, p.dir);
    assert_int_equal(system(command), 0);
    assert_int_equal(pipe_update(&p, "2020-03-31", &request, NULL, &err), LOCHAN_ERR_IO);
    snprintf(command, sizeof command,
             "rm -rf '%s/data/market/daily'; mv '%s/aside' '%s/data/market/daily'", p.path, p.dir,
             p.path);
    assert_int_equal(system(command), 0);
    pipe_expect(p.lake, small, 91);
    pipe_stop(&p);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_repair__fetches_what_damaged_files_held),
        cmocka_unit_test(test_repair__most_of_a_table_is_not_forgotten),
        cmocka_unit_test(test_repair__what_is_not_fetched_stays_owed),
    };
    return cmocka_run_group_tests_name("pipeline/repair", tests, NULL, NULL);
}
