/* test_durability.c - unsynced appends: a kill loses nothing, a power cut only the last ones. */
#include "power.h"
#include "support/kill.h"
#include "support/no_sync.h"

/* With another outcome of the power cut at each of them. */
static void at_every_failpoint(const char *plan, bool torn, int checkpoint_pages) {
    power p;
    static kill_trace trace;
    make_template(&p, plan);
    p.checkpoint_pages = checkpoint_pages;
    p.torn = torn;
    fresh_copy(&p);
    kill_result r = kill_list(body, &p, &trace);
    assert_true(r.finished);
    assert_int_equal(r.rc, LOCHAN_OK);
    for (size_t n = 1; n <= trace.count; n++) {
        fresh_copy(&p);
        p.seed = n % 5;
        r = kill_at(body, &p, n, torn ? torn_last_act : NULL, &p.seed);
        assert_true(r.reached);
        look(&p, torn);
    }
    free_template(&p);
}

static void test_durability__a_kill_loses_nothing(void **state) {
    (void)state;
    at_every_failpoint("nNfn", false, 0);
}

static void test_durability__a_power_cut_takes_the_end_only(void **state) {
    (void)state;
    at_every_failpoint("nN", true, 0);
}

static void test_durability__a_synced_append_saves_those_before(void **state) {
    (void)state;
    at_every_failpoint("nNfF", true, 0);
}

static void test_durability__checkpoints_sync_first(void **state) {
    (void)state;
    at_every_failpoint("nnNn", true, 4);
}

/* Many outcomes of a cut at the end. */
static void test_durability__many_power_cuts(void **state) {
    power p;
    (void)state;
    make_template(&p, "nnnNnNnn");
    p.torn = true;
    for (p.seed = 0; p.seed < 12; p.seed++) {
        fresh_copy(&p);
        kill_result r = kill_at_name(body, &p, "test.end", 1, torn_last_act, &p.seed);
        assert_true(r.reached);
        look(&p, true);
    }
    free_template(&p);
}

int main(void) {
    no_sync_start();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_durability__a_kill_loses_nothing),
        cmocka_unit_test(test_durability__a_power_cut_takes_the_end_only),
        cmocka_unit_test(test_durability__a_synced_append_saves_those_before),
        cmocka_unit_test(test_durability__checkpoints_sync_first),
        cmocka_unit_test(test_durability__many_power_cuts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
