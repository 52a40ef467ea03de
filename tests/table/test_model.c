/* test_model.c - random merges against a plain array that says what the table must hold. */
#include "support/clock_fake.h"
#include "support/no_sync.h"
#include "table/lake_env.h"

enum { DAYS = 75, ASSETS = 9, ROUNDS = 24, CAP = DAYS * ASSETS * 40 };

typedef struct model {
    int qty[DAYS][ASSETS]; /* 0 = no such row */
    uint64_t seed;
} model;

static int below(model *m, int n) {
    return (int)(fake_random(&m->seed) % (uint64_t)n);
}

static size_t put_row(char *text, size_t n, int day, int asset, int qty) {
    char date[16];
    lochan_civil__format_date(19700 + day, date);
    return n + (size_t)snprintf(text + n, CAP - n, "%s asset-%d %d.5 %d\n", date, asset, qty, qty);
}

static void expected_text(const model *m, char *text) {
    size_t n = 0;
    text[0] = '\0';
    for (int d = 0; d < DAYS; d++) {
        for (int a = 0; a < ASSETS; a++) {
            if (m->qty[d][a])
                n = put_row(text, n, d, a, m->qty[d][a]);
        }
    }
}

/* A random slice: a few days of some assets, dense or sparse. */
static void random_round(model *m, char *text, int64_t counts[3]) {
    int first = below(m, DAYS), days = 1 + below(m, below(m, 4) == 0 ? DAYS : 6),
        every = 1 + below(m, 5);
    size_t n = 0;
    text[0] = '\0';
    memset(counts, 0, 3 * sizeof *counts);
    for (int d = first; d < first + days && d < DAYS; d++) {
        for (int a = 0; a < ASSETS; a++) {
            int qty = 1 + below(m, 3), *old = &m->qty[d][a];
            if (below(m, every) != 0)
                continue;
            counts[*old == 0 ? 0 : *old != qty ? 1 : 2]++;
            *old = qty;
            n = put_row(text, n, d, a, qty);
        }
    }
}

static void run_model(lake_env *env, uint64_t seed) {
    static const int64_t groups[] = {1, 7, 64, 0};
    static const uint64_t targets[] = {1, 1500, 0};
    lochan_error err;
    model m = {.seed = seed};
    char *text = malloc(CAP), *expected = malloc(CAP);
    char *history[ROUNDS] = {0};
    int64_t snapshots[ROUNDS];
    for (int round = 0; round < ROUNDS; round++) {
        int64_t counts[3];
        env->row_group_rows = groups[below(&m, 4)];
        env->target_file_bytes = targets[below(&m, 3)];
        random_round(&m, text, counts);
        env_write(env, text);
        env_counts(env, counts[0], counts[1], counts[2]);
        assert_int_equal(env->snapshot < 0, counts[0] + counts[1] == 0);
        expected_text(&m, expected);
        assert_string_equal(env_read(env, NULL), expected);
        history[round] = strdup(expected);
        snapshots[round] = env->snapshot;
        if (round % 8 == 7)
            env_verify(env, false);
    }
    for (int round = 0; round < ROUNDS; round++) {
        char id[24];
        lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
        snprintf(id, sizeof id, "%lld", (long long)snapshots[round]);
        o.as_of = id;
        if (snapshots[round] >= 0) {
            assert_ok(env_try_read(env, &o, NULL, &err));
            assert_string_equal(env->text, history[round]);
        }
        free(history[round]);
    }
    free(text);
    free(expected);
}

static void test_model__by_month(void **state) {
    run_model(*state, 12345);
}

static void test_model__single_file(void **state) {
    lake_env *env = *state;
    env->single_file = true;
    run_model(env, 777);
}

static void test_model__one_thread(void **state) {
    lake_env *env = *state;
    env->threads = 1;
    env_reopen(env);
    run_model(env, 4242);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_model__by_month, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_model__single_file, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_model__one_thread, env_setup, env_teardown),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
