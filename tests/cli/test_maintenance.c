/* test_maintenance.c - compact, verify, repair, rebuild, backup, restore and files as a user calls
 * them. */
#include "command.h"

#include <unistd.h>

static void test_maintenance__backup_and_restore(void **state) {
    (void)state;
    const char *lake = make_lake();
    char *to = strdup(in_dir("backup")), *again = strdup(in_dir("again"));
    call c = RUN("--lake", lake, "backup", to, "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"files_copied\":0");
    c = RUN("restore", to, again, "--verify", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"problems\":0");
    c = RUN("restore", to, again);
    assert_code(c, 4);
    assert_says(c.err, "not empty");
    c = RUN("--lake", again, "verify", "--deep");
    assert_code(c, 0);
    c = RUN("restore", lake, again);
    assert_code(c, 3);
    free(to);
    free(again);
}

static void test_maintenance__rebuild(void **state) {
    (void)state;
    const char *lake = make_lake();
    char db[400];
    assert_code(RUN("--lake", lake, "tag", "first"), 0); /* the journal follows the first commit */
    snprintf(db, sizeof db, "%s/lake.db", lake);
    tmpdir_unlink(db);
    assert_code(RUN("--lake", lake, "status"), 3);
    call c = RUN("--lake", lake, "rebuild", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"records\":2");
    assert_code(RUN("--lake", lake, "status"), 0);
    c = RUN("--lake", lake, "rebuild", "--cut");
    assert_code(c, 0);
    c = RUN("--lake", in_dir("nowhere"), "rebuild");
    assert_code(c, 3);
}

static void test_maintenance__plans_of_an_empty_lake(void **state) {
    (void)state;
    const char *lake = make_lake();
    call c = RUN("--lake", lake, "compact", "--plan");
    assert_code(c, 0);
    c = RUN("--lake", lake, "compact", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"groups\":0");
    c = RUN("--lake", lake, "repair", "--plan", "--deep");
    assert_code(c, 0);
    c = RUN("--lake", lake, "compact", "no/such");
    assert_code(c, 3);
    c = RUN("--lake", lake, "files", "--live");
    assert_code(c, 0);
    assert_string_equal(c.out, "");
    c = RUN("--lake", lake, "files", "no/such", "--live");
    assert_code(c, 3);
    assert_string_equal(c.out, "");
    assert_says(c.err, "no/such");
    c = RUN("--lake", lake, "files", "no/such", "--live", "--json");
    assert_code(c, 3);
    assert_code(RUN("--lake", lake, "compact", "--cluster", "--min-bytes", "1MiB"), 0);
    assert_code(RUN("--lake", lake, "files", "--current", "maybe"), 2);
    char locks[512];
    snprintf(locks, sizeof locks, "%s/locks", lake);
    (void)rmdir(locks); /* as in lakes that were copied without it */
    assert_code(RUN("--lake", lake, "files", "--current", "on"), 0);
    assert_code(RUN("--lake", lake, "files", "--current", "off"), 0);
}

static void test_maintenance__tokens(void **state) {
    (void)state;
    const char *lake = make_lake();
    assert_code(RUN("--lake", lake, "tag", "first", "--token", "t"), 0);
    assert_code(RUN("--lake", lake, "untag", "first", "--token", "u"), 0);
    assert_code(RUN("--lake", lake, "untag", "first", "--token", "u"), 0);
    assert_code(RUN("--lake", lake, "untag", "first", "--token", "v"), 3);
    call c = RUN("--lake", lake, "tag", "first", "--token", "t", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"snapshot_id\":-1"); /* it was done, and taken back */
    assert_code(RUN("--lake", lake, "expire", "--token", "e"), 0);
    assert_code(RUN("--lake", lake, "gc", "--token", "g"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_maintenance__backup_and_restore, setup_dir,
                                        remove_dir),
        cmocka_unit_test_setup_teardown(test_maintenance__rebuild, setup_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_maintenance__tokens, setup_dir, remove_dir),
        cmocka_unit_test_setup_teardown(test_maintenance__plans_of_an_empty_lake, setup_dir,
                                        remove_dir),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
