/* lochan update --explain: one line before the report, as text and as JSON. */
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

static void test_explain__as_text_and_as_json(void **state) {
    call c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-01-31", "--explain");
    assert_code(c, 0);
    assert_says(c.out, "shop/prices: the merge has 124 rows for ");
    assert_says(c.out, "touches 0 files; memory ");
    assert_true(strstr(c.out, "the merge has") < strstr(c.out, "updated"));
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-02-29", "--explain", "--json");
    assert_code(c, 0);
    assert_says(c.out,
                "{\"source\":\"shop\",\"dataset\":\"prices\",\"explain\":true,\"rows\":116,");
    assert_says(c.out, "\"files_bytes\":");
    assert_says(c.out, "\"row_groups\":");
    assert_says(c.out, "\"memory_bytes\":");
    assert_says(c.out, "\"spilled_bytes\":0}\n{");
    c = RUN("--lake", lake, "update", "--all", "--end", "2020-03-31", "--explain");
    assert_code(c, 0);
    assert_says(c.out, "shop/prices: the merge has 124 rows for ");
    c = RUN("--lake", lake, "update", "shop/prices", "--explain", "--dry-run");
    assert_code(c, 2);
    assert_says(c.err, "--explain");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_explain__as_text_and_as_json, start_shop, stop_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
