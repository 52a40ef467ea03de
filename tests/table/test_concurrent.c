/* test_concurrent.c - readers beside writers, writers beside writers, merges of partitions in
 * parallel. */
#include "support/no_sync.h"
#include "table/lake_env.h"

enum { ROWS = 60, ROUNDS = 15 };

typedef struct crowd {
    lake_env env[4];
    _Atomic int written;
    _Atomic int reads;
} crowd;

/* Every row of the table carries the number of the round. */
static void round_text(char *text, size_t cap, int round) {
    size_t n = 0;
    for (int i = 0; i < ROWS; i++)
        n += (size_t)snprintf(text + n, cap - n, "2024-%02d-%02d a%02d 1 %d\n", 1 + i % 3,
                              1 + i % 20, i, round);
}

static lochan_status write_rounds(crowd *c, lochan_error *err) {
    char text[ROWS * 40];
    for (int round = 1; round <= ROUNDS; round++) {
        round_text(text, sizeof text, round);
        LOCHAN_TRY(env_try_write(&c->env[0], text, err));
        c->written = round;
    }
    return LOCHAN_OK;
}

/* A reader sees all rows of one round, never older than what was published before it began. */
static lochan_status read_rounds(crowd *c, lake_env *env, lochan_error *err) {
    static const char *const columns[] = {"qty"};
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.columns = columns;
    o.n_columns = 1;
    while (c->written < ROUNDS) {
        int before = c->written, rows = 0, first = -1;
        if (before == 0)
            continue;
        LOCHAN_TRY(env_try_read(env, &o, NULL, err));
        for (char *p = env->text; *p; p = strchr(p, '\n') + 1, rows++) {
            int v = (int)strtol(p, NULL, 10);
            first = first < 0 ? v : first;
            if (v != first || v < before)
                return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "saw %d beside %d after %d", v,
                                         first, before);
        }
        if (rows != ROWS)
            return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "saw %d rows", rows);
        c->reads++;
    }
    return LOCHAN_OK;
}

static lochan_status member(void *ctx, size_t index, lochan_error *err) {
    crowd *c = ctx;
    return index == 0 ? write_rounds(c, err) : read_rounds(c, &c->env[index], err);
}

static void test_concurrent__readers_see_whole_snapshots(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_pool *pool;
    crowd c = {.written = 0};
    for (int i = 0; i < 3; i++) {
        c.env[i].path = env->path;
        c.env[i].threads = 1 + i % 2;
        env_open(&c.env[i]);
    }
    assert_ok(lochan_pool__create(3, &pool, &err));
    assert_ok(lochan_pool__for(pool, 3, member, &c, NULL, &err));
    lochan_pool__free(pool);
    assert_true(c.reads > 0);
    for (int i = 0; i < 3; i++) {
        lochan_lake_close(c.env[i].lake);
        free(c.env[i].text);
    }
    env_verify(env, false);
}

/* Writers of different partitions; a conflict may be tried again. */
static lochan_status other_partition(void *ctx, size_t index, lochan_error *err) {
    crowd *c = ctx;
    for (int round = 0; round < 8; round++) {
        char text[64];
        lochan_status rc = LOCHAN_ERR_CONFLICT;
        snprintf(text, sizeof text, "2024-%02d-%02d A %d %d\n", (int)index + 1, round + 1, round,
                 round);
        for (int tries = 0; rc == LOCHAN_ERR_CONFLICT && tries < 50; tries++)
            rc = env_try_write(&c->env[index], text, err);
        if (rc != LOCHAN_OK)
            return rc;
    }
    return LOCHAN_OK;
}

static void test_concurrent__writers_of_other_partitions(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_pool *pool;
    crowd c = {.written = 0};
    for (int i = 0; i < 4; i++) {
        c.env[i].path = env->path;
        c.env[i].threads = 1;
        env_open(&c.env[i]);
    }
    assert_ok(lochan_pool__create(4, &pool, &err));
    assert_ok(lochan_pool__for(pool, 4, other_partition, &c, NULL, &err));
    lochan_pool__free(pool);
    for (int i = 0; i < 4; i++)
        lochan_lake_close(c.env[i].lake);
    env_read(env, NULL);
    int rows = 0;
    for (const char *p = env->text; *p; p++)
        rows += *p == '\n';
    assert_int_equal(rows, 32);
    env_verify(env, false);
}

typedef struct parallel {
    lochan_write *w;
    const struct ArrowSchema *schema;
    struct ArrowArray *batch;
    uint32_t *ids;
} parallel;

static lochan_status merge_one(void *ctx, size_t index, lochan_error *err) {
    parallel *p = ctx;
    struct ArrowArray part = {0};
    size_t n;
    const lochan_sort_key *order = lochan_write__order(p->w, &n);
    LOCHAN_TRY(env_pick(p->schema, p->batch, p->ids, (uint32_t)index, order, n, &part, err));
    lochan_status rc = lochan_write__merge_partition(p->w, (uint32_t)index, &part, NULL, err);
    lochan_array__release(&part);
    return rc;
}

static void test_concurrent__partitions_merge_in_parallel(void **state) {
    enum { N = 3000 };
    lake_env *env = *state;
    lochan_error err;
    char *text = malloc(N * 40);
    struct ArrowSchema schema;
    struct ArrowArray batch;
    lochan_table *table;
    for (int round = 0; round < 3; round++) {
        size_t n = 0;
        int64_t snapshot;
        for (int i = 0; i < N; i++)
            n += (size_t)snprintf(text + n, N * 40 - n, "%d-%02d-01 a%04d %d %d\n", 2020 + i % 4,
                                  1 + i % 12, i, i, i % 5 == round ? round : 0);
        parallel p = {.schema = &schema, .batch = &batch, .ids = malloc(N * sizeof(uint32_t))};
        assert_ok(env_schema(env, 0, &schema, &err));
        assert_ok(env_batch(env, 0, text, &batch, &err));
        assert_ok(env_ensure(env, 0, &table, &err));
        assert_ok(lochan_write__begin(env->lake, table, &schema, NULL, &p.w, &err));
        assert_ok(lochan_write__partition_of(p.w, &batch, p.ids, &err));
        assert_int_equal(lochan_write__partitions(p.w), 12);
        assert_ok(lochan_pool__for(env->lake->ctx.pool, 12, merge_one, &p, NULL, &err));
        assert_ok(lochan_write__publish(p.w, NULL, NULL, &snapshot, &err));
        assert_true(snapshot > 0);
        lochan_write__free(p.w);
        lochan_table__close(table);
        lochan_array__release(&batch);
        lochan_schema__release(&schema);
        free(p.ids);
        env_verify(env, false);
    }
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_concurrent__readers_see_whole_snapshots, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_concurrent__writers_of_other_partitions, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_concurrent__partitions_merge_in_parallel, env_setup,
                                        env_teardown),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
