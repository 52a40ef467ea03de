/* The commands about snapshots: list, tags, as-of, diff, rollback, expire, gc. */
#include "command.h"

static const char *lake;
static feed shop;

static void update_to(const char *day) {
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", day);
    assert_code(c, 0);
}

/* Two updates: January, then February. */
static int start_shop(void **state) {
    setup_dir(state);
    write_prices("prices.csv", 60, 2);
    shop = feed_start(in_dir("prices.csv"), NULL);
    lake = make_shop(shop.url);
    update_to("2020-01-31");
    return 0;
}

static int stop_shop(void **state) {
    feed_stop(&shop);
    return remove_dir(state);
}

static int rows(const char *as_of) {
    call c = as_of ? RUN("--lake", lake, "scan", "shop/prices", "--as-of", as_of, "--format", "csv")
                   : RUN("--lake", lake, "scan", "shop/prices", "--format", "csv");
    assert_code(c, 0);
    int n = 0;
    for (const char *s = c.out; *s; s++)
        n += *s == '\n';
    return n - 1; /* the header */
}

static void test_snapshots__tag_and_read_as_of(void **state) {
    (void)state;
    call c = RUN("--lake", lake, "tag", "january");
    assert_code(c, 0);
    assert_says(c.err, "january is snapshot ");
    update_to("2020-02-29");
    assert_int_equal(rows(NULL), 120);
    assert_int_equal(rows("january"), 62);
    c = RUN("--lake", lake, "snapshots", "shop/prices");
    assert_code(c, 0);
    assert_says(c.out, "january");
    assert_says(c.out, "update");
    c = RUN("--lake", lake, "snapshots", "--json", "--limit", "1");
    assert_code(c, 0);
    assert_says(c.out, "\"snapshot_id\":");
    assert_null(strstr(c.out, "january"));
    c = RUN("--lake", lake, "untag", "january");
    assert_code(c, 0);
    c = RUN("--lake", lake, "scan", "shop/prices", "--as-of", "january");
    assert_true(c.code != 0);
    assert_says(c.err, "january");
    c = RUN("--lake", lake, "tag", "2020-01-01");
    assert_code(c, 2);
    assert_says(c.err, "number or a time");
    c = RUN("--lake", lake, "tag", "x", "999");
    assert_true(c.code != 0);
    assert_says(c.err, "999");
}

static void test_snapshots__diff_and_rollback(void **state) {
    (void)state;
    assert_code(RUN("--lake", lake, "tag", "january"), 0);
    update_to("2020-02-29");
    call c = RUN("--lake", lake, "diff", "shop/prices", "january", "--format", "csv");
    assert_code(c, 0);
    assert_says(c.out, "_change");
    assert_says(c.out, "added,A00,2020-02-01");
    assert_null(strstr(c.out, "removed"));
    assert_null(strstr(c.out, "2020-01-"));
    c = RUN("--lake", lake, "rollback", "shop/prices", "january", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"snapshot_id\":");
    assert_int_equal(rows(NULL), 62);
    c = RUN("--lake", lake, "rollback", "shop/prices", "january");
    assert_code(c, 0);
    assert_says(c.err, "is already so");
    c = RUN("--lake", lake, "diff", "shop/prices", "january", "--format", "csv");
    assert_code(c, 0);
    assert_null(strstr(c.out, "2020-"));
    c = RUN("--lake", lake, "diff", "shop/prices", "nothing_of_that_name");
    assert_true(c.code != 0);
    assert_says(c.err, "nothing_of_that_name");
    c = RUN("--lake", lake, "diff", "shop/other", "january");
    assert_code(c, 3);
}

static void test_snapshots__expire_then_gc(void **state) {
    (void)state;
    assert_code(RUN("--lake", lake, "tag", "january"), 0);
    update_to("2020-02-29");
    assert_code(RUN("--lake", lake, "rollback", "shop/prices", "january"), 0);
    call c = RUN("--lake", lake, "expire", "--older-than", "0", "--dry-run", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"dry_run\":true");
    assert_int_equal(rows("january"), 62);
    c = RUN("--lake", lake, "expire", "--older-than", "0");
    assert_code(c, 0);
    assert_says(c.err, "1 files are shown by no other: 'lochan gc' removes them");
    c = RUN("--lake", lake, "gc");
    assert_code(c, 0);
    assert_says(c.err, "removed 0 files");
    assert_says(c.err, "1 are within their grace");
    c = RUN("--lake", lake, "gc", "--grace", "0", "--dry-run");
    assert_code(c, 0);
    assert_says(c.out, ".parquet");
    c = RUN("--lake", lake, "gc", "--grace", "0", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"files\":1");
    c = RUN("--lake", lake, "verify", "--deep", "--json");
    assert_code(c, 0);
    assert_says(c.out, "\"problems\":0");
    assert_int_equal(rows("january"), 62);
    c = RUN("--lake", lake, "expire", "--older-than", "-1");
    assert_code(c, 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_snapshots__tag_and_read_as_of, start_shop, stop_shop),
        cmocka_unit_test_setup_teardown(test_snapshots__diff_and_rollback, start_shop, stop_shop),
        cmocka_unit_test_setup_teardown(test_snapshots__expire_then_gc, start_shop, stop_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
