/* The command at its work: update, interrupt, resume, read, with pipes that close early. */
#include "command.h"

static const char *lake;
static feed shop;

static int start_shop(void **state) {
    setup_dir(state);
    write_prices("prices.csv", 91, 4); /* 2020-01-01 .. 2020-03-31 */
    shop = feed_start(in_dir("prices.csv"), NULL);
    lake = make_shop(shop.url);
    return 0;
}

static int stop_shop(void **state) {
    feed_stop(&shop);
    return remove_dir(state);
}

/* The feed starts anew with other options; the source follows. */
static void restart_shop(const char *const *options) {
    char pair[80];
    feed_stop(&shop);
    shop = feed_start(in_dir("prices.csv"), options);
    snprintf(pair, sizeof pair, "url=%s", shop.url);
    call c = RUN("--lake", lake, "source", "set", "shop", pair);
    assert_code(c, 0);
}

static void fill(void) {
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-03-31");
    assert_code(c, 0);
}

static size_t count_lines(const char *s) {
    size_t n = 0;
    for (; *s; s++)
        n += *s == '\n';
    return n;
}

static void test_update__fills_then_has_nothing_to_do(void **state) {
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-03-31", "--dry-run");
    assert_code(c, 0);
    assert_says(c.out, "would ask for 3 scopes");
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-03-31");
    assert_code(c, 0);
    assert_says(c.out, "shop/prices: updated, final up to 2020-03-31");
    assert_says(c.out, "364 new");
    assert_string_equal(c.err, ""); /* no progress: stderr is no terminal */
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-03-31");
    assert_code(c, 0);
    assert_string_equal(c.out, "shop/prices: nothing to do, the data is final up to 2020-03-31\n");
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-03-31", "--force", "-q");
    assert_code(c, 0);
    assert_string_equal(c.out, "");
    c = RUN("--lake", lake, "backfill", "prices", "--source", "shop", "--start", "2020-01-01",
            "--end", "2020-03-31");
    assert_code(c, 0);
    assert_says(c.out, "nothing to do");
}

static void test_update__json_has_every_figure(void **state) {
    static const char *const keys[] = {"source",
                                       "dataset",
                                       "kind",
                                       "status",
                                       "dry_run",
                                       "nothing_to_do",
                                       "covered_to",
                                       "update_id",
                                       "snapshot_id",
                                       "scopes",
                                       "scopes_failed",
                                       "requests",
                                       "pages",
                                       "pages_resumed",
                                       "retries",
                                       "failures",
                                       "rows_fetched",
                                       "rows_new",
                                       "rows_replaced",
                                       "rows_unchanged",
                                       "rows_duplicate",
                                       "rows_rejected",
                                       "rows_filtered",
                                       "partitions_written",
                                       "partitions_skipped",
                                       "files_written",
                                       "bytes_fetched",
                                       "bytes_written",
                                       "plan_seconds",
                                       "fetch_seconds",
                                       "normalise_seconds",
                                       "write_seconds",
                                       "publish_seconds",
                                       "seconds"};
    call c = RUN("--lake", lake, "backfill", "shop/prices", "--start", "2020-01-01", "--end",
                 "2020-03-31", "--json");
    assert_code(c, 0);
    for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
        char key[40];
        snprintf(key, sizeof key, "\"%s\":", keys[i]);
        assert_says(c.out, key);
    }
    assert_says(c.out,
                "\"kind\":\"backfill\",\"status\":\"OK\",\"dry_run\":false,\"nothing_to_do\":false,"
                "\"covered_to\":\"2020-03-31\"");
    assert_says(c.out, "\"rows_new\":364,");
    assert_int_equal(count_lines(c.out), 1);
    assert_string_equal(c.err, "");
}

static void test_update__lists_as_json_and_table(void **state) {
    fill();
    call c = RUN("--lake", lake, "status", "--json");
    assert_code(c, 0);
    assert_int_equal(count_lines(c.out), 1);
    assert_says(c.out, "\"source\":\"shop\",\"dataset\":\"prices\",\"rows\":364,");
    assert_says(c.out, "\"covered_to\":\"2020-03-31\"");
    c = RUN("--lake", lake, "status", "shop/prices");
    assert_code(c, 0);
    assert_says(c.out, "final to");
    assert_says(c.out, "2020-03-31");
    c = RUN("--lake", lake, "runs", "shop", "--json", "--limit", "5");
    assert_code(c, 0);
    assert_says(c.out, "\"kind\":\"update\",\"state\":\"");
    assert_says(c.out, "\"rows_new\":364,");
    c = RUN("--lake", lake, "files", "shop/prices", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"path\":\"data/shop/prices/");
    c = RUN("--lake", lake, "files", "shop/prices");
    assert_code(c, 0);
    assert_says(c.out, ".parquet");
    c = RUN("--lake", lake, "dataset", "list");
    assert_code(c, 0);
    assert_says(c.out, "asset_id, time");
    c = RUN("--lake", lake, "verify", "--deep");
    assert_code(c, 0);
    assert_says(c.out, "0 problems");
}

static void test_update__scan_in_every_format(void **state) {
    fill();
    call c = RUN("--lake", lake, "scan", "shop/prices", "--columns", "time,asset_id,close,note",
                 "--where", "asset_id in ('A00', 'A01') and time <= '2020-01-02'");
    assert_code(c, 0);
    assert_string_equal(c.out, "time,asset_id,close,note\n2020-01-01,A00,0,\n2020-01-01,A01,0.1,"
                               "\"say \"\"hi\"\", twice\"\n"
                               "2020-01-02,A00,1,\n2020-01-02,A01,1.1,\"say \"\"hi\"\", twice\"\n");
    c = RUN("--lake", lake, "scan", "shop.prices", "--columns", "asset_id,note", "--limit", "2",
            "--json");
    assert_code(c, 0);
    assert_string_equal(c.out, "{\"asset_id\":\"A00\",\"note\":null}\n{\"asset_id\":\"A01\","
                               "\"note\":\"say \\\"hi\\\", twice\"}\n");
    c = RUN("--lake", lake, "scan", "prices", "--source", "shop", "--columns", "asset_id,close",
            "--limit", "2", "--format", "table");
    assert_code(c, 0);
    assert_string_equal(c.out,
                        "asset_id  close\n────────  ─────\nA00           0\nA01         0.1\n");
    c = RUN("--lake", lake, "scan", "shop/prices");
    assert_int_equal(count_lines(c.out), 365);
    c = RUN("--lake", lake, "scan", "shop/prices", "--where", "asset_id = 'A03'", "--chart",
            "close");
    assert_code(c, 0);
    assert_says(c.out, "2020-01-01");
    assert_says(c.out, "2020-03-31");
    assert_says(c.out, "⣀");
    c = RUN("--lake", lake, "scan", "shop/prices", "--chart", "close", "--by", "asset_id");
    assert_code(c, 0);
    assert_says(c.out, "A02 ");
    c = RUN("--lake", lake, "scan", "shop/prices", "--chart", "clsoe");
    assert_code(c, 3);
}

static void test_update__scan_to_files(void **state) {
    fill();
    char *csv = strdup(in_dir("out.csv")), *parquet = strdup(in_dir("out.parquet"));
    call c = RUN("--lake", lake, "scan", "shop/prices", "--output", csv);
    assert_code(c, 0);
    assert_says(c.err, "wrote ");
    c = RUN("--lake", lake, "scan", "shop/prices", "--output", csv);
    assert_code(c, 4);
    assert_says(c.err, "--overwrite");
    c = RUN("--lake", lake, "scan", "shop/prices", "--limit", "1", "--output", csv, "--overwrite");
    assert_code(c, 0);
    size_t n;
    char *text = tmpdir_read(csv, &n);
    assert_int_equal(count_lines(text), 2);
    free(text);
    c = RUN("--lake", lake, "scan", "shop/prices", "--output", parquet);
    assert_code(c, 0);
    text = tmpdir_read(parquet, &n);
    assert_true(n > 8 && memcmp(text, "PAR1", 4) == 0);
    free(text);
    c = RUN("--lake", lake, "scan", "shop/prices", "--output", in_dir("no/such/folder.csv"));
    assert_code(c, 5);
    c = RUN("--lake", lake, "scan", "shop/prices", "--where", "bogus = 1", "--output",
            in_dir("other.csv"));
    assert_int_not_equal(c.code, 0);
    assert_false(tmpdir_exists(in_dir("other.csv")));
    free(csv);
    free(parquet);
}

static void test_update__wrong_scans(void **state) {
    fill();
    call c = RUN("--lake", lake, "scan", "shop/prcies");
    assert_code(c, 3);
    assert_says(c.err, "did you mean shop/prices?");
    c = RUN("--lake", lake, "scan", "shop/prices", "--columns", "clsoe");
    assert_true(c.code == 2 || c.code == 3);
    assert_says(c.err, "clsoe");
    c = RUN("--lake", lake, "scan", "shop/prices", "--where", "close >");
    assert_code(c, 2);
    assert_says(c.err, "character 8");
    c = RUN("--lake", lake, "scan", "shop/prices", "--where", "clsoe > 1");
    assert_true(c.code == 2 || c.code == 3);
    assert_says(c.err, "close");
    c = RUN("--lake", lake, "scan", "shop/prices", "--as-of", "99999");
    assert_int_not_equal(c.code, 0);
    c = RUN("--lake", lake, "scan", "shop/prices", "--as-of", "1990-01-01");
    assert_int_not_equal(c.code, 0);
    c = RUN("--lake", lake, "update", "shop/prices", "--start", "tomorrow");
    assert_code(c, 2);
    c = RUN("--lake", lake, "update", "shop/prices", "--assets", "A00");
    assert_code(c, 2);
    assert_says(c.err, "assets");
    c = RUN("--lake", lake, "update", "shop/prices", "--option", "wokers=2");
    assert_code(c, 2);
    assert_says(c.err, "wokers");
}

static void test_update__as_of_reads_an_older_snapshot(void **state) {
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-01-31", "--json");
    assert_code(c, 0);
    const char *at = strstr(c.out, "\"snapshot_id\":");
    char id[24];
    snprintf(id, sizeof id, "%d", (int)strtol(at + 14, NULL, 10));
    fill();
    c = RUN("--lake", lake, "scan", "shop/prices", "--as-of", id);
    assert_code(c, 0);
    assert_int_equal(count_lines(c.out), 1 + 31 * 4);
}

static void test_update__partial_success_has_a_code_of_its_own(void **state) {
    call c = {0};
    /* Which of the three requests fails depends on the seed: one of these leaves some good and some
     * bad. */
    for (int seed = 1; seed < 12 && c.code != 10; seed++) {
        char number[16];
        snprintf(number, sizeof number, "%d", seed);
        const char *const faults[] = {"--faults", "http404:0.5", "--seed", number, NULL};
        restart_shop(faults);
        c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-03-31", "--force",
                "--max-retries", "0", "--json");
    }
    assert_code(c, 10);
    assert_says(c.out, "\"status\":\"PARTIAL\"");
    assert_says(c.err, "{\"error\":\"PARTIAL\",\"exit_code\":10,");
    assert_says(c.err, "404");
    restart_shop(NULL);
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-03-31");
    assert_code(c, 0);
    c = RUN("--lake", lake, "scan", "shop/prices");
    assert_int_equal(count_lines(c.out), 365);
    c = RUN("--lake", lake, "verify", "--deep");
    assert_code(c, 0);
}

static void test_update__provider_errors_have_a_code_of_their_own(void **state) {
    const char *const faults[] = {"--faults", "http404", NULL};
    restart_shop(faults);
    call c =
        RUN("--lake", lake, "update", "shop/prices", "--end", "2020-01-31", "--max-retries", "1");
    assert_code(c, 9);
    assert_says(c.err, "404");
    c = RUN("--lake", lake, "runs", "--json");
    assert_says(c.out, "404");
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-01-31", "--max-retries", "0",
            "--option", "url=http://127.0.0.1:1", "--json");
    assert_code(c, 9);
    assert_says(c.err, "{\"error\":\"NETWORK\"");
    c = RUN("--lake", lake, "verify", "--deep");
    assert_code(c, 0);
}

/* ---- interrupts ---- */

static int staged_pages(void) {
    char command[400];
    int n = -1;
    snprintf(
        command, sizeof command,
        "find '%s/data/staging' -type f ! -name update.yaml ! -name owner.lock ! -name '*tmp*' "
        "2>/dev/null | wc -l",
        lake);
    FILE *found = popen(command, "r");
    assert_non_null(found);
    assert_int_equal(fscanf(found, "%d", &n), 1);
    pclose(found);
    return n;
}

/* Starts an update of three slow requests, one at a time, and interrupts it once one more page is
 * staged. */
static int interrupt_update(int number) {
    static const how plain = {0};
    const char *argv[] = {"lochan", "--lake",     lake,        "update", "shop/prices",
                          "--end",  "2020-03-31", "--workers", "1",      NULL};
    char *out = strdup(in_dir("stdout")), *err = strdup(in_dir("stderr"));
    int before = staged_pages();
    pid_t pid = start(&plain, (char *const *)argv, out, err);
    for (int i = 0; staged_pages() <= before; i++) {
        if (i > 2000)
            fail_msg("no page was staged");
        pause_ms(10);
    }
    kill(pid, number);
    int code = wait_for(pid);
    free(out);
    free(err);
    return code;
}

static void test_update__interrupted_goes_on_from_staged_pages(void **state) {
    static const int signals[] = {SIGINT, SIGTERM};
    const char *const slow[] = {"--latency-ms", "400", NULL};
    restart_shop(slow);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(interrupt_update(signals[i]), 130);
        size_t n;
        char *err = tmpdir_read(in_dir("stderr"), &n);
        assert_says(err, "hint: the lake is as it was; run the same command again: ");
        assert_says(err, "staged page");
        free(err);
        call c = RUN("--lake", lake, "verify", "--deep");
        assert_code(c, 0);
        c = RUN("--lake", lake, "status", "--json");
        assert_says(c.out, "\"rows\":0,");
    }
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-03-31", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"rows_new\":364,");
    assert_null(strstr(c.out, "\"pages_resumed\":0,"));
    c = RUN("--lake", lake, "scan", "shop/prices");
    assert_int_equal(count_lines(c.out), 365);
    c = RUN("--lake", lake, "verify", "--deep");
    assert_code(c, 0);
}

/* ---- pipes ---- */

/* stdout is a pipe whose reader goes away after `n` bytes. */
static call run_into_closed_pipe(size_t n, const char *const *words) {
    int ends[2];
    char buffer[64];
    static call c;
    const char *argv[32] = {"lochan"};
    for (size_t i = 0; words[i]; i++)
        argv[i + 1] = words[i];
    assert_int_equal(pipe(ends), 0);
    how h = {.out_fd = ends[1]};
    char *err = strdup(in_dir("stderr"));
    pid_t pid = start(&h, (char *const *)argv, "", err);
    close(ends[1]);
    if (n > 0)
        assert_true(read(ends[0], buffer, n < sizeof buffer ? n : sizeof buffer) > 0);
    close(ends[0]);
    c.code = wait_for(pid);
    size_t size;
    c.err = tmpdir_read(err, &size);
    free(err);
    return c;
}

static void test_update__pipes_closed_early_are_no_error(void **state) {
    static const char *const formats[] = {"csv", "ndjson", "table"};
    fill();
    for (size_t i = 0; i < 3; i++) {
        for (size_t n = 0; n < 20; n += 10) {
            const char *const words[] = {"--lake",   lake,       "scan", "shop/prices",
                                         "--format", formats[i], NULL};
            call c = run_into_closed_pipe(n, words);
            assert_int_equal(c.code, 0);
            assert_string_equal(c.err, "");
            free(c.err);
        }
    }
    const char *const update[] = {"--lake", lake,         "update",  "shop/prices",
                                  "--end",  "2020-03-31", "--force", NULL};
    call c = run_into_closed_pipe(0, update);
    assert_int_equal(c.code, 0);
    free(c.err);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_shop, stop_shop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_update__fills_then_has_nothing_to_do),
        TEST(test_update__json_has_every_figure),
        TEST(test_update__lists_as_json_and_table),
        TEST(test_update__scan_in_every_format),
        TEST(test_update__scan_to_files),
        TEST(test_update__wrong_scans),
        TEST(test_update__as_of_reads_an_older_snapshot),
        TEST(test_update__partial_success_has_a_code_of_its_own),
        TEST(test_update__provider_errors_have_a_code_of_their_own),
        TEST(test_update__interrupted_goes_on_from_staged_pages),
        TEST(test_update__pipes_closed_early_are_no_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
