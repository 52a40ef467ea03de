/* What the command says when a lake needs care: damage, an older catalog, two writers, copies, a
 * terminal. */
#include "command.h"

#include <pty.h>

static const char *lake;
static feed shop;

static int start_shop(void **state) {
    setup_dir(state);
    write_prices("prices.csv", 60, 3);
    shop = feed_start(in_dir("prices.csv"), NULL);
    lake = make_shop(shop.url);
    return 0;
}

static int stop_shop(void **state) {
    feed_stop(&shop);
    return remove_dir(state);
}

static void fill(const char *end) {
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", end);
    assert_code(c, 0);
}

/* The path of the table's one file. */
static char *data_file(void) {
    call c = RUN("--lake", lake, "files", "--json");
    assert_code(c, 0);
    const char *path = strstr(c.out, "\"path\":\"");
    assert_non_null(path);
    path += 8;
    char *full = malloc(1000);
    snprintf(full, 1000, "%s/%.*s", lake, (int)strcspn(path, "\""), path);
    return full;
}

static void test_care__verify_lists_damage_and_exits_with_6(void **state) {
    fill("2020-02-29");
    char *path = data_file();
    size_t n;
    char *bytes = tmpdir_read(path, &n);
    bytes[n / 3] ^= 0x20;
    tmpdir_write(path, bytes, n);
    call c = RUN("--lake", lake, "verify", "--deep");
    assert_code(c, 6);
    assert_says(c.out, "shop");
    assert_says(c.out, ".parquet");
    assert_says(c.err, "lochan: verify found ");
    c = RUN("--lake", lake, "verify", "--deep", "shop/prices", "--json");
    assert_code(c, 6);
    assert_says(c.out, "{\"kind\":\"");
    assert_says(c.out, "\"files_checked\":1,");
    assert_says(c.err, "{\"error\":\"CORRUPT\",\"exit_code\":6,");
    c = RUN("--lake", lake, "scan", "shop/prices");
    assert_code(c, 6);
    assert_says(c.err, ".parquet");
    c = RUN("--lake", lake, "scan", "shop/prices", "--output", in_dir("out.csv"));
    assert_code(c, 6);
    assert_false(tmpdir_exists(in_dir("out.csv")));
    tmpdir_unlink(path);
    c = RUN("--lake", lake, "verify");
    assert_code(c, 6);
    c = RUN("--lake", lake, "scan", "shop/prices");
    assert_int_not_equal(c.code, 0);
    free(bytes);
    free(path);
}

static void test_care__an_older_catalog_can_be_read_but_not_written(void **state) {
    fill("2020-01-31");
    char *old = strdup(in_dir("old"));
    tmpdir_copy(lake, old);
    fill("2020-02-29");
    char from[400], to[400];
    static const char *const names[] = {"lake.db", "lake.db-wal", "lake.db-shm"};
    for (size_t i = 0; i < 3; i++) {
        snprintf(from, sizeof from, "%s/%s", old, names[i]);
        snprintf(to, sizeof to, "%s/%s", lake, names[i]);
        tmpdir_unlink(to);
        if (tmpdir_exists(from))
            tmpdir_copy(from, to);
    }
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-02-29");
    assert_code(c, 6);
    assert_says(c.err, "journal");
    assert_says(c.err, "hint: ");
    c = RUN("--lake", lake, "scan", "shop/prices");
    assert_code(c, 0);
    assert_says(c.err, "reading what the catalog knows");
    assert_null(strstr(c.out, "2020-02-"));
    assert_says(c.out, "2020-01-31");
    free(old);
}

static void test_care__a_second_writer_is_told_who_holds_the_dataset(void **state) {
    static const how plain = {0};
    const char *const slow[] = {"--latency-ms", "1500", NULL};
    char pair[80];
    feed_stop(&shop);
    shop = feed_start(in_dir("prices.csv"), slow);
    snprintf(pair, sizeof pair, "url=%s", shop.url);
    call c = RUN("--lake", lake, "source", "set", "shop", pair);
    assert_code(c, 0);
    const char *argv[] = {"lochan",      "--lake", lake,         "update",
                          "shop/prices", "--end",  "2020-02-29", NULL};
    char *out = strdup(in_dir("first.out")), *err = strdup(in_dir("first.err")), staging[400];
    pid_t pid = start(&plain, (char *const *)argv, out, err);
    snprintf(staging, sizeof staging, "%s/data/staging", lake);
    for (int i = 0; !tmpdir_exists(staging) && i < 1000; i++)
        pause_ms(10);
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-02-29", "--lock-timeout", "0");
    assert_code(c, 4);
    assert_says(c.err, "shop/prices, 2020-01-01 to 2020-02-29, is being updated by process ");
    c = RUN("--lake", lake, "status"); /* readers never wait */
    assert_code(c, 0);
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-02-29", "--json"); /* waits */
    assert_code(c, 0);
    assert_says(c.out, "\"nothing_to_do\":true");
    assert_int_equal(wait_for(pid), 0);
    free(out);
    free(err);
}

static void test_care__a_copied_lake_is_a_lake(void **state) {
    fill("2020-02-29");
    call c = RUN("--lake", lake, "scan", "shop/prices");
    char *expected = strdup(c.out), *copy = strdup(in_dir("copy"));
    tmpdir_copy(lake, copy);
    tmpdir_clear(lake);
    c = RUN("--lake", copy, "scan", "shop/prices");
    assert_code(c, 0);
    assert_string_equal(c.out, expected);
    c = RUN("--lake", copy, "verify", "--deep");
    assert_code(c, 0);
    c = RUN("--lake", copy, "sql");
    assert_says(c.out, copy);
    free(copy);
    free(expected);
}

static void test_care__a_token_makes_repeating_harmless(void **state) {
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-02-29", "--token",
                 "night-1", "--json");
    assert_code(c, 0);
    const char *snapshot = strstr(c.out, "\"snapshot_id\":");
    char id[40];
    snprintf(id, sizeof id, "%.*s", (int)strcspn(snapshot, ","), snapshot);
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-02-29", "--force", "--token",
            "night-1", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"nothing_to_do\":true");
    assert_says(c.out, "\"requests\":0,");
    assert_says(c.out, id);
}

static void test_care__specs_come_from_standard_input_too(void **state) {
    call c = RUN("--lake", lake, "source", "add", "-"); /* which is empty here */
    assert_code(c, 2);
    assert_says(c.err, "lochan: standard input:1:1: ");
}

/* ---- on a terminal ---- */

/* Runs the command with a terminal of so many columns as stdout and stderr; free() the result. */
static char *run_on_terminal(unsigned short columns, const char *const *argv, int *code) {
    int master;
    struct winsize size = {40, columns, 0, 0};
    fflush(NULL);
    pid_t pid = forkpty(&master, NULL, NULL, &size);
    if (pid < 0)
        skip(); /* a root without /dev/pts has no terminals to give */
    if (pid == 0) {
        setenv("TERM", "xterm", 1);
        execv(command_path(), (char *const *)argv);
        _exit(127);
    }
    size_t n = 0, cap = 1 << 20;
    char *text = malloc(cap);
    ssize_t got;
    while (n + 1 < cap && (got = read(master, text + n, cap - n - 1)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    *code = wait_for(pid);
    close(master);
    return text;
}

static void test_care__progress_and_limits_on_a_terminal(void **state) {
    int code;
    const char *update[] = {"lochan",      "--lake", lake,         "update",
                            "shop/prices", "--end",  "2020-02-29", NULL};
    char *text = run_on_terminal(80, update, &code);
    assert_int_equal(code, 0);
    assert_says(text, "\r\033[Kshop/prices: fetching");
    assert_says(text, "\r\033[Kshop/prices: updated, final up to 2020-02-29");
    free(text);
    const char *quiet[] = {"lochan", "--lake",     lake,      "update", "shop/prices",
                           "--end",  "2020-02-29", "--force", "-q",     NULL};
    text = run_on_terminal(80, quiet, &code);
    assert_int_equal(code, 0);
    assert_string_equal(text, "");
    free(text);
    const char *scan[] = {"lochan", "--lake", lake, "scan", "shop/prices", NULL};
    text = run_on_terminal(40, scan, &code);
    assert_int_equal(code, 0);
    assert_says(text, "the first 40 rows; --limit N shows more");
    assert_says(text, "…");
    free(text);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start_shop, stop_shop)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_care__verify_lists_damage_and_exits_with_6),
        TEST(test_care__an_older_catalog_can_be_read_but_not_written),
        TEST(test_care__a_second_writer_is_told_who_holds_the_dataset),
        TEST(test_care__a_copied_lake_is_a_lake),
        TEST(test_care__a_token_makes_repeating_harmless),
        TEST(test_care__specs_come_from_standard_input_too),
        TEST(test_care__progress_and_limits_on_a_terminal),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
