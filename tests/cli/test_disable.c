/* lochan source disable, enable: an update says why it does not run, and fails. */
#include "command.h"

static const char *lake;
static feed shop;

static int start_shop(void **state) {
    setup_dir(state);
    write_prices("prices.csv", 31, 4);
    shop = feed_start(in_dir("prices.csv"), NULL);
    lake = make_shop(shop.url);
    return 0;
}

static int stop_shop(void **state) {
    feed_stop(&shop);
    return remove_dir(state);
}

static void test_disable__a_source_and_back(void **state) {
    call c = RUN("--lake", lake, "source", "disable", "shop");
    assert_code(c, 0);
    assert_string_equal(c.out, "disabled source shop\n");
    c = RUN("--lake", lake, "source", "list", "--json");
    assert_says(c.out, "\"enabled\":false");
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-01-31");
    assert_true(c.code != 0);
    assert_says(c.err, "source shop is disabled");
    assert_says(c.err, "lochan source enable shop");
    c = RUN("--lake", lake, "update", "--all", "--end", "2020-01-31");
    assert_code(c, 0);
    c = RUN("--lake", lake, "source", "enable", "shop", "--json");
    assert_code(c, 0);
    assert_string_equal(c.out, "{\"enabled\":\"shop\"}\n");
    c = RUN("--lake", lake, "update", "shop/prices", "--end", "2020-01-31");
    assert_code(c, 0);
    assert_says(c.out, "124 new");
    c = RUN("--lake", lake, "source", "disable", "none");
    assert_true(c.code != 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_disable__a_source_and_back, start_shop, stop_shop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
