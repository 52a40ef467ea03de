/* test_feed_fault.c - the list of faults, the draw, the damage. */
#include "support/cmocka_all.h"
#include "support/fault.h"

#include "feed/feed_fault.h"

#include <stdio.h>
#include <string.h>

static lochan_error err;

static void refused(const char *text, const char *words) {
    lochan_faults f;
    lochan_status rc = lochan_faults__init(&f, text, 0, &err);
    lochan_faults__deinit(&f);
    if (rc != LOCHAN_ERR_INVALID_ARGUMENT || !strstr(err.message, words))
        fail_msg("'%s': %s: %s", text, lochan_status_name(rc), err.message);
}

static void test_feed_fault__list(void **state) {
    (void)state;
    lochan_faults f;
    uint64_t draw;
    assert_ok(lochan_faults__init(&f, NULL, 0, &err));
    assert_int_equal(lochan_faults__choose(&f, "x", 1, &draw), LOCHAN_FAULT_NONE);
    lochan_faults__deinit(&f);
    assert_ok(lochan_faults__init(&f, " cut:0.25, hang ", 0, &err));
    assert_int_equal(f.n, 2);
    assert_true(f.rate[LOCHAN_FAULT_CUT] == 0.25 && f.rate[LOCHAN_FAULT_HANG] == 1);
    lochan_faults__deinit(&f);
    refused("htpp500", "did you mean 'http500'?");
    assert_non_null(strstr(err.hint, "http500, http503"));
    refused("cut:2", "no number from 0 to 1");
    refused("cut:", "no number from 0 to 1");
    refused("cut,cut", "given twice");
    refused("cut,,hang", "unknown fault ''");
}

static void test_feed_fault__draws_are_repeatable_and_as_often_as_asked(void **state) {
    (void)state;
    lochan_faults a, b;
    uint64_t da, db;
    int cut = 0, slow = 0, cured = 0;
    assert_ok(lochan_faults__init(&a, "cut:0.2,slow:0.1", 42, &err));
    assert_ok(lochan_faults__init(&b, "cut:0.2,slow:0.1", 42, &err));
    for (int i = 0; i < 20000; i++) {
        char request[32];
        int n = snprintf(request, sizeof request, "/x %d", i);
        lochan_fault_kind kind = lochan_faults__choose(&a, request, (size_t)n, &da);
        assert_int_equal(kind, lochan_faults__choose(&b, request, (size_t)n, &db));
        assert_true(da == db);
        cut += kind == LOCHAN_FAULT_CUT;
        slow += kind == LOCHAN_FAULT_SLOW;
        if (kind != LOCHAN_FAULT_NONE) /* asked again, most go well */
            cured += lochan_faults__choose(&a, request, (size_t)n, &da) == LOCHAN_FAULT_NONE;
        if (kind != LOCHAN_FAULT_NONE)
            (void)lochan_faults__choose(&b, request, (size_t)n, &db);
    }
    assert_in_range(cut, 3700, 4300);
    assert_in_range(slow, 1750, 2250);
    assert_in_range(cured, (uintmax_t)((cut + slow) * 0.65), (uintmax_t)((cut + slow) * 0.75));
    lochan_faults__deinit(&a);
    lochan_faults__deinit(&b);
}

static void damage(lochan_fault_kind kind, uint64_t draw, const char *page, char *dst) {
    lochan_buf b;
    lochan_buf__init(&b, 1000);
    assert_ok(lochan_buf__puts(&b, page, &err));
    assert_ok(lochan_faults__damage(kind, draw, ',', &b, &err));
    memcpy(dst, b.data, b.len);
    dst[b.len] = '\0';
    lochan_buf__deinit(&b);
}

static void test_feed_fault__damage(void **state) {
    (void)state;
    char got[200];
    for (uint64_t draw = 0; draw < 50; draw++) {
        damage(LOCHAN_FAULT_COLUMNS, draw, "a,b\n1,2\n3,4\n", got);
        assert_true(strcmp(got, "a,b\n1\n3,4\n") == 0 || strcmp(got, "a,b\n1,2\n3\n") == 0);
        damage(LOCHAN_FAULT_TYPE, draw, "a,b\n1,2\n3,4\n", got);
        assert_true(strcmp(got, "a,b\n1,x\n3,4\n") == 0 || strcmp(got, "a,b\n1,2\n3,x\n") == 0);
        damage(LOCHAN_FAULT_GARBAGE, draw, "a,b\n1,2\n", got);
        assert_string_not_equal(got, "a,b\n1,2\n");
    }
    damage(LOCHAN_FAULT_COLUMNS, 3, "a,b\n", got); /* no row to damage */
    assert_string_equal(got, "a,b\n");
    damage(LOCHAN_FAULT_TYPE, 3, "a,b\nx,y\r\n", got);
    assert_string_equal(got, "a,b\nx,y\r\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_feed_fault__list),
        cmocka_unit_test(test_feed_fault__draws_are_repeatable_and_as_often_as_asked),
        cmocka_unit_test(test_feed_fault__damage),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
