/* What needs no lake: help, versions, wrong commands and options, and the shape of errors. */
#include "command.h"

static const char *const commands[] = {"init",       "source add",  "source list",  "source show",
                                       "source set", "dataset add", "dataset list", "dataset show",
                                       "update",     "backfill",    "status",       "runs",
                                       "scan",       "files",       "sql",          "verify",
                                       "feed",       "version",     "help"};

static void test_usage__help_names_every_command(void **state) {
    call c = RUN("--help");
    assert_code(c, 0);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++)
        assert_says(c.out, commands[i]);
    assert_says(c.out, "Exit codes");
    assert_string_equal(c.err, "");
    c = RUN("help");
    assert_code(c, 0);
    c = RUN("source", "--help");
    assert_code(c, 0);
    assert_says(c.out, "source set");
    assert_null(strstr(c.out, "dataset add"));
}

static void test_usage__each_command_has_help_with_an_example(void **state) {
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        char word[32];
        snprintf(word, sizeof word, "%s", commands[i]);
        char *second = strchr(word, ' ');
        if (second)
            *second++ = '\0';
        call c = second ? RUN(word, second, "--help") : RUN(word, "--help");
        assert_code(c, 0);
        assert_says(c.out, "Usage: lochan [--lake DIR]");
        assert_says(c.out, "--json");
        assert_says(c.out, "Example:\n  ");
        call again = second ? RUN("help", word, second) : RUN("help", word);
        assert_code(again, 0);
        assert_string_equal(again.out, c.out);
    }
}

static void test_usage__version(void **state) {
    call c = RUN("version");
    assert_code(c, 0);
    assert_string_equal(c.out, "lochan 0.1.0\n");
    c = RUN("--version");
    assert_string_equal(c.out, "lochan 0.1.0\n");
    c = RUN("version", "--json");
    assert_string_equal(c.out, "{\"version\":\"0.1.0\"}\n");
    c = RUN("--version", "--json");
    assert_string_equal(c.out, "{\"version\":\"0.1.0\"}\n");
}

static void test_usage__wrong_words_name_the_right_ones(void **state) {
    call c = RUN("updtae", "ecb/fx_daily");
    assert_code(c, 2);
    assert_says(c.err, "lochan: unknown command 'updtae'");
    assert_says(c.err, "hint: did you mean 'update'?");
    c = RUN("source", "ad", "x");
    assert_code(c, 2);
    assert_says(c.err, "did you mean 'source add'?");
    c = RUN("source");
    assert_code(c, 2);
    assert_says(c.err, "'source' needs a command");
    c = RUN("frobnicate");
    assert_code(c, 2);
    assert_says(c.err, "lochan --help");
    c = RUN("help", "updat");
    assert_code(c, 2);
    assert_says(c.err, "did you mean 'update'?");
    c = RUN("scan", "a/b", "--colums", "x");
    assert_code(c, 2);
    assert_says(c.err, "unknown option --colums");
    assert_says(c.err, "did you mean --columns?");
    c = RUN("scan", "a/b", "-z");
    assert_code(c, 2);
    assert_says(c.err, "unknown option -z");
    c = RUN("scan", "a/b", "--format", "cvs");
    assert_code(c, 2);
    assert_says(c.err, "did you mean csv?");
    static const how plain = {0};
    c = run_argv(&plain, (const char *const[]){NULL});
    assert_code(c, 2);
    assert_says(c.err, "which command?");
}

static void test_usage__wrong_values_and_counts(void **state) {
    static const struct {
        const char *words[8];
        const char *says;
    } wrong[] = {
        {{"scan", "a/b", "--limit", "many"}, "--limit: expected a whole number"},
        {{"scan", "a/b", "--limit", "-1"}, "--limit: expected a whole number"},
        {{"scan", "a/b", "--limit"}, "option --limit needs a value"},
        {{"scan", "a/b", "--json=yes"}, "option --json takes no value"},
        {{"scan", "a/b", "--format", "parquet"}, "--output FILE"},
        {{"scan", "a/b", "--columns", ","}, "--columns: names no column"},
        {{"scan"}, "scan needs SOURCE/DATASET"},
        {{"scan", "a/b", "c"}, "too many arguments"},
        {{"scan", "fx_daily"}, "does not name a dataset"},
        {{"scan", "../../x"}, "does not name a dataset"},
        {{"scan", "/etc/passwd"}, "does not name a dataset"},
        {{"scan", "a/"}, "does not name a dataset"},
        {{"scan", ""}, "does not name a dataset"},
        {{"update", "a/b", "--workers", "0"}, "--workers: expected a whole number"},
        {{"update", "a/b", "--retry-backoff", "nan"}, "--retry-backoff: expected a number"},
        {{"update", "a/b", "--force", "--repair"}, "exclude each other"},
        {{"backfill", "a/b", "--start", "2020-01-01"}, "backfill needs --start and --end"},
        {{"status", "--memory-limit", "lots"}, "expected a size like 64MB"},
        {{"source", "set", "ecb"}, "nothing to set"},
        {{"init", "a", "--lake", "b"}, "which one?"},
        {{"feed", "x.csv", "--port", "70000"}, "--port: expected a whole number"},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        call c = run_argv(NULL, wrong[i].words);
        assert_code(c, 2);
        assert_says(c.err, wrong[i].says);
        assert_string_equal(c.out, "");
    }
}

static void test_usage__errors_are_one_json_object_with_json(void **state) {
    static const char *const words[][4] = {{"updtae", "--json"},
                                           {"scan", "--json", "--colums"},
                                           {"--json"},
                                           {"status", "--json", "--lake=/none/such"}};
    static const int codes[] = {2, 2, 2, 3};
    for (size_t i = 0; i < 4; i++) {
        call c = run_argv(NULL, words[i]);
        assert_code(c, codes[i]);
        assert_int_equal(strncmp(c.err, "{\"error\":\"", 10), 0);
        assert_says(c.err, codes[i] == 3 ? "\"exit_code\":3," : "\"exit_code\":2,");
        assert_says(c.err, "\"message\":\"");
        assert_int_equal(strchr(c.err, '\n') - c.err, (long)strlen(c.err) - 1);
        assert_string_equal(c.out, "");
    }
}

static void test_usage__bundled_specs_need_no_lake(void **state) {
    call c = RUN("source", "list", "--bundled", "--json");
    assert_code(c, 0);
    assert_says(c.out, "{\"kind\":\"dataset\",\"name\":\"ecb/fx_daily\"}\n");
    assert_says(c.out, "{\"kind\":\"source\",\"name\":\"ecb\"}\n");
}

static void test_usage__a_full_disk_is_an_error(void **state) {
    static const how full = {.stdout = "/dev/full"};
    call c = RUN_HOW(full, "source", "list", "--bundled");
    assert_code(c, 5);
    assert_says(c.err, "cannot write to standard output: No space left");
}

static void test_usage__feed_serves_and_stops(void **state) {
    write_prices("prices.csv", 10, 2);
    const char *const options[] = {"--json", NULL};
    feed f = feed_start(in_dir("prices.csv"), options);
    feed_stop(&f);
    assert_false(tmpdir_exists(in_dir("feed-port")));
    size_t n;
    char *out = tmpdir_read(in_dir("feed.out"), &n);
    assert_says(out, "{\"url\":\"http://127.0.0.1:");
    free(out);
    char *csv = strdup(in_dir("prices.csv"));
    call c = RUN("feed", csv, "--for", "0.1");
    assert_code(c, 0);
    assert_says(c.out, "serving ");
    assert_says(c.err, "0 requests");
    c = RUN("feed", in_dir("nothing.csv"));
    assert_code(c, 3);
    c = RUN("feed", csv, "--faults", "htpp500");
    assert_code(c, 2);
    free(csv);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_dir, remove_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_usage__help_names_every_command),
        TEST(test_usage__each_command_has_help_with_an_example),
        TEST(test_usage__version),
        TEST(test_usage__wrong_words_name_the_right_ones),
        TEST(test_usage__wrong_values_and_counts),
        TEST(test_usage__errors_are_one_json_object_with_json),
        TEST(test_usage__bundled_specs_need_no_lake),
        TEST(test_usage__a_full_disk_is_an_error),
        TEST(test_usage__feed_serves_and_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
