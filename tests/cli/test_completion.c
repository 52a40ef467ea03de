/* What the shell is told about a word under the cursor. */
#include "command.h"

static void test_completion__offers_commands_and_options(void **state) {
    (void)state;
    call c = RUN("completion", "words", "--", "sou");
    assert_code(c, 0);
    assert_string_equal(c.out, "source\n");
    c = RUN("completion", "words", "--", "source", "re");
    assert_string_equal(c.out, "remove\n");
    c = RUN("completion", "words", "--", "scan", "a/b", "--as");
    assert_string_equal(c.out, "--as-of\n");
    c = RUN("completion", "words", "--", "help", "spec", "");
    assert_string_equal(c.out, "draft\n");
    c = RUN("completion", "words", "--", "no-such", "");
    assert_string_equal(c.out, "");
    c = RUN("completion", "words");
    assert_code(c, 0);
}

static void test_completion__offers_names_of_the_lake(void **state) {
    (void)state;
    char *lake = strdup(tmpdir_path(dir, "lake"));
    assert_code(RUN("--lake", lake, "init"), 0);
    assert_code(RUN("--lake", lake, "source", "add", "ecb"), 0);
    assert_code(RUN("--lake", lake, "dataset", "add", "ecb/fx_daily"), 0);
    assert_code(RUN("--lake", lake, "tag", "first"), 0);
    call c = RUN("completion", "words", "--", "--lake", lake, "scan", "e");
    assert_string_equal(c.out, "ecb/fx_daily\n");
    c = RUN("--lake", lake, "completion", "words", "--", "source", "show", "");
    assert_string_equal(c.out, "ecb\n");
    c = RUN("--lake", lake, "completion", "words", "--", "scan", "--as-of", "");
    assert_string_equal(c.out, "first\n");
    c = RUN("--lake", lake, "completion", "words", "--", "diff", "ecb/fx_daily", "fi");
    assert_string_equal(c.out, "first\n");
    c = RUN("--lake", lake, "completion", "words", "--", "run", "append", "r", "hold");
    assert_string_equal(c.out, "holdings\nholdings_valuation\n");
    c = RUN("completion", "words", "--", "source", "add", "t");
    assert_string_equal(c.out, "tushare\n");
    /* no lake, or a broken one: nothing to offer, and nothing said */
    c = RUN("completion", "words", "--", "--lake", dir, "scan", "");
    assert_code(c, 0);
    assert_string_equal(c.out, "");
    assert_string_equal(c.err, "");
    free(lake);
}

/* As the shell does it: the function is called with the line, and what it leaves is looked at. */
static void test_completion__works_in_bash(void **state) {
    (void)state;
    static const char *const calls[][2] = {{"lochan upd", "update"},
                                           {"lochan source te", "test"},
                                           {"lochan scan --lake=x --form", "--format"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        char script[4096], out[256] = "";
        snprintf(script, sizeof script,
                 "bash -c 'lochan() { \"%s\" \"$@\"; }; eval \"$(lochan completion bash)\"; "
                 "COMP_LINE=\"%s\"; COMP_POINT=${#COMP_LINE}; _lochan; "
                 "printf \"%%s\\n\" \"${COMPREPLY[@]}\"'",
                 command_path(), calls[i][0]);
        FILE *shell = popen(script, "r");
        assert_non_null(shell);
        assert_non_null(fgets(out, sizeof out, shell));
        pclose(shell);
        out[strcspn(out, "\n")] = '\0';
        assert_string_equal(out, calls[i][1]);
    }
}

static void test_completion__knows_its_shells(void **state) {
    (void)state;
    assert_says(RUN("completion", "zsh").out, "#compdef lochan");
    assert_says(RUN("completion", "fish").out, "complete -c lochan");
    call c = RUN("completion", "tcsh");
    assert_code(c, 2);
    assert_says(c.err, "bash, zsh and fish");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup_dir, remove_dir)

int main(void) {
    const struct CMUnitTest tests[] = {
        TEST(test_completion__offers_commands_and_options),
        TEST(test_completion__offers_names_of_the_lake),
        TEST(test_completion__works_in_bash),
        TEST(test_completion__knows_its_shells),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
