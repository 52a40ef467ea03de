/* test_write.c - publishing: conflicts, tokens, hooks, footers, and failures that leave nothing. */
#include "table/lake_env.h"

#include "parquet/reader.h"
#include "table/write.h"

static int64_t count_unknown(lake_env *env) {
    lochan_error err;
    lochan_verify_options o = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report report;
    assert_ok(lochan_lake_verify(env->lake, &o, &report, NULL, &err));
    return report.unknown_files;
}

/* A write that is ready to be published. */
typedef struct pending {
    lochan_table *table;
    lochan_write *w;
    struct ArrowArray batch;
    struct ArrowSchema schema;
} pending;

static void begin(lake_env *env, pending *p, const char *text) {
    lochan_error err;
    lochan_write_options o = {.mode = env->keyless ? LOCHAN_WRITE_APPEND : LOCHAN_WRITE_UPSERT};
    memset(p, 0, sizeof *p);
    assert_ok(env_ensure(env, 0, &p->table, &err));
    assert_ok(env_schema(env, 0, &p->schema, &err));
    assert_ok(env_batch(env, 0, text, &p->batch, &err));
    assert_ok(lochan_write__begin(env->lake, p->table, &p->schema, &o, &p->w, &err));
    assert_ok(env_merge_all(p->w, &p->schema, &p->batch, &err));
}

static void end(pending *p) {
    lochan_write__free(p->w);
    lochan_table__close(p->table);
    lochan_array__release(&p->batch);
    lochan_schema__release(&p->schema);
}

static void test_write__nothing_is_visible_before_publish(void **state) {
    lake_env *env = *state;
    lochan_error err;
    pending p;
    int64_t snapshot;
    begin(env, &p, "2024-01-01 A 1 1\n");
    assert_string_equal(env_read(env, NULL), "");
    assert_ok(lochan_write__publish(p.w, NULL, NULL, &snapshot, &err));
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n");
    assert_status(lochan_write__publish(p.w, NULL, NULL, &snapshot, &err),
                  LOCHAN_ERR_INVALID_ARGUMENT);
    end(&p);
    env_verify(env, false);
}

static void test_write__freed_without_publish_leaves_no_file(void **state) {
    lake_env *env = *state;
    pending p;
    begin(env, &p, "2024-01-01 A 1 1\n2024-02-01 A 1 1\n");
    end(&p);
    assert_int_equal(count_unknown(env), 0);
    assert_string_equal(env_read(env, NULL), "");
}

static void test_write__conflict_in_a_touched_partition(void **state) {
    lake_env *env = *state;
    lochan_error err;
    pending a, b, c;
    int64_t snapshot;
    begin(env, &a, "2024-01-01 A 1 1\n");
    begin(env, &b, "2024-01-02 A 2 2\n"); /* the same empty partition: a phantom */
    begin(env, &c, "2024-02-01 A 3 3\n"); /* another one */
    assert_ok(lochan_write__publish(a.w, NULL, NULL, &snapshot, &err));
    assert_status(lochan_write__publish(b.w, NULL, NULL, &snapshot, &err), LOCHAN_ERR_CONFLICT);
    assert_int_equal(snapshot, -1);
    assert_ok(lochan_write__publish(c.w, NULL, NULL, &snapshot, &err));
    end(&a);
    end(&b);
    end(&c);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n2024-02-01 A 3 3\n");
    assert_int_equal(count_unknown(env), 0);
    env_verify(env, false);
}

static void test_write__appends_never_conflict(void **state) {
    lake_env *env = *state;
    lochan_error err;
    pending a, b;
    int64_t snapshot;
    env->keyless = true;
    begin(env, &a, "2024-01-01 A 1 1\n");
    begin(env, &b, "2024-01-01 A 1 1\n");
    assert_ok(lochan_write__publish(a.w, NULL, NULL, &snapshot, &err));
    assert_ok(lochan_write__publish(b.w, NULL, NULL, &snapshot, &err));
    end(&a);
    end(&b);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n2024-01-01 A 1 1\n");
}

static void test_write__token_is_done_once(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_commit_state fate;
    int64_t first, snapshot;
    assert_ok(lochan_commit_status(env->lake, "t-1", &fate, &snapshot, &err));
    assert_int_equal(fate, LOCHAN_COMMIT_UNKNOWN);
    assert_ok(env_try_write_with(env, 0, "2024-01-01 A 1 1\n", "t-1", NULL, NULL, &err));
    first = env->snapshot;
    assert_ok(env_try_write_with(env, 0, "2024-01-01 A 9 9\n", "t-1", NULL, NULL, &err));
    assert_int_equal(env->snapshot, first);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n");
    assert_ok(lochan_commit_status(env->lake, "t-1", &fate, &snapshot, &err));
    assert_int_equal(fate, LOCHAN_COMMIT_DONE);
    assert_int_equal(snapshot, first);
    assert_int_equal(count_unknown(env), 0);
    env_verify(env, false);
}

static lochan_status put_source(void *ctx, lochan_txn *txn, lochan_error *err) {
    lochan_source_row row = {.name = ctx, .spec = "name: x\n", .overrides = ""};
    return lochan_txn__put_source(txn, &row, err);
}

static lochan_status refuse(void *ctx, lochan_txn *txn, lochan_error *err) {
    LOCHAN_TRY(put_source(ctx, txn, err));
    return lochan_error__set(err, LOCHAN_ERR_VALIDATION, "no");
}

static size_t count_sources(lake_env *env, const char *name) {
    lochan_error err;
    lochan_source_rows rows = {0};
    assert_ok(lochan_catalog__sources(env->lake->catalog, name, &rows, &err));
    size_t n = rows.n;
    lochan_source_rows__deinit(&rows);
    return n;
}

static void test_write__hook_is_part_of_the_commit(void **state) {
    lake_env *env = *state;
    lochan_error err;
    char a[] = "a", b[] = "b", c[] = "c";
    assert_ok(env_try_write_with(env, 0, "2024-01-01 A 1 1\n", NULL, put_source, a, &err));
    assert_int_equal(count_sources(env, "a"), 1);
    assert_status(env_try_write_with(env, 0, "2024-01-01 A 2 2\n", NULL, refuse, b, &err),
                  LOCHAN_ERR_VALIDATION);
    assert_int_equal(count_sources(env, "b"), 0);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n");
    assert_int_equal(count_unknown(env), 0);
    /* nothing changed: the hook's rows are committed, without a snapshot */
    assert_ok(env_try_write_with(env, 0, "2024-01-01 A 1 1\n", NULL, put_source, c, &err));
    assert_int_equal(env->snapshot, -1);
    assert_int_equal(count_sources(env, "c"), 1);
    env_verify(env, false);
}

typedef struct label {
    char path[512];
    char replaces[512], ordinal[16], total[16], commit[64], file_id[64], partition[64];
} label;

static size_t read_labels(lake_env *env, label *out, size_t cap) {
    lochan_error err;
    lochan_table *table;
    lochan_file_list list = {0};
    assert_ok(lochan_table__open(env->lake, "test", "daily", -1, &table, &err));
    assert_ok(lochan_catalog__files(env->lake->catalog, &table->def, NULL, 0, &list, &err));
    assert_true(list.n <= cap);
    for (size_t i = 0; i < list.n; i++) {
        lochan_pq_reader *r;
        assert_ok(lochan_data_file__open(env->lake, &list.files[i], &r, &err));
        const char *keys[] = {"lochan.replaces",  "lochan.commit_ordinal", "lochan.commit_total",
                              "lochan.commit_id", "lochan.file_id",        "lochan.partition"};
        char *into[] = {out[i].replaces, out[i].ordinal, out[i].total,
                        out[i].commit,   out[i].file_id, out[i].partition};
        size_t sizes[] = {512, 16, 16, 64, 64, 64};
        for (size_t k = 0; k < LOCHAN_COUNTOF(keys); k++) {
            const char *v = lochan_pq_reader__metadata(r, keys[k]);
            snprintf(into[k], sizes[k], "%s", v ? v : "");
        }
        assert_string_equal(lochan_pq_reader__metadata(r, "lochan.format"), "1");
        assert_string_equal(lochan_pq_reader__metadata(r, "lochan.schema"), "test");
        assert_string_equal(lochan_pq_reader__metadata(r, "lochan.table"), "daily");
        assert_string_equal(lochan_pq_reader__metadata(r, "lochan.sort"),
                            "[\"time\",\"asset_id\"]");
        assert_string_equal(lochan_pq_reader__metadata(r, "lochan.key"), "[\"asset_id\",\"time\"]");
        assert_string_equal(lochan_pq_reader__metadata(r, "lochan.table_uuid"), table->def.uuid);
        assert_string_equal(lochan_pq_reader__metadata(r, "lochan.lochan_version"),
                            lochan_version());
        snprintf(out[i].path, sizeof out[i].path, "%s", list.files[i].path);
        assert_non_null(strstr(list.files[i].path, out[i].file_id));
        lochan_pq_reader__close(r);
    }
    size_t n = list.n;
    lochan_file_list__deinit(&list);
    lochan_table__close(table);
    return n;
}

static void test_write__footers_tell_the_commit(void **state) {
    lake_env *env = *state;
    label l[4], old[4];
    env_write(env, "2024-01-01 A 1 1\n2024-02-01 A 1 1\n2024-12-01 A 1 1\n");
    assert_int_equal(read_labels(env, old, 4), 3);
    int totals = 0;
    for (int i = 0; i < 3; i++) {
        char ordinal[16];
        snprintf(ordinal, sizeof ordinal, "%d", i);
        assert_string_equal(old[i].ordinal, ordinal);
        assert_string_equal(old[i].replaces, "[]");
        assert_string_equal(old[i].commit, old[0].commit);
        totals += old[i].total[0] != '\0';
    }
    assert_int_equal(totals, 1);
    assert_string_equal(old[2].total, "3");
    assert_string_equal(old[2].partition, "{\"year\":2024,\"month\":12}");
    assert_non_null(strstr(old[2].path, "data/test/daily/year=2024/month=12/"));
    env_write(env, "2024-02-01 A 5 5\n");
    assert_int_equal(read_labels(env, l, 4), 3);
    char replaced[80];
    snprintf(replaced, sizeof replaced, "[\"%s\"]", old[1].file_id);
    assert_string_equal(l[2].replaces, replaced);
    assert_string_equal(l[2].total, "1");
    assert_string_not_equal(l[2].commit, old[0].commit);
}

static void test_write__read_only_lake_refuses(void **state) {
    lake_env *env = *state;
    lochan_error err;
    env_write(env, "2024-01-01 A 1 1\n");
    lochan_lake_close(env->lake);
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.read_only = true;
    assert_ok(lochan_lake_open(env->path, &o, &env->lake, &err));
    assert_true(lochan_lake_is_read_only(env->lake));
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n");
    assert_status(env_try_write(env, "2024-01-02 A 1 1\n", &err), LOCHAN_ERR_READ_ONLY);
    env_verify(env, false);
}

static void test_write__table_changed_since_it_was_opened(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_table *old, *table;
    lochan_write *w;
    assert_ok(env_ensure(env, 0, &old, &err));
    assert_ok(env_ensure(env, 1, &table, &err));
    lochan_table__close(table);
    assert_status(lochan_write__begin(env->lake, old, NULL, NULL, &w, &err), LOCHAN_ERR_CONFLICT);
    assert_null(w);
    lochan_table__close(old);
}

static void test_write__rows_without_a_partition(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_table *table;
    lochan_write *w;
    struct ArrowArray batch;
    uint32_t ids[2];
    lochan_write_options o = {.mode = LOCHAN_WRITE_APPEND};
    env->keyless = true;
    assert_ok(env_ensure(env, 0, &table, &err));
    assert_ok(lochan_write__begin(env->lake, table, NULL, &o, &w, &err));
    assert_ok(env_batch(env, 0, "2024-01-01 A 1 1\n2024-01-01 A 1 1\n", &batch, &err));
    ((uint8_t *)batch.children[0]->buffers[1])[7] = 0x7f; /* day 2 billion */
    assert_status(lochan_write__partition_of(w, &batch, ids, &err), LOCHAN_ERR_VALUE);
    assert_int_equal(err.row, 1);
    assert_string_equal(err.column, "time");
    lochan_array__release(&batch);
    lochan_write__free(w);
    lochan_table__close(table);
}

static void test_write__cancelled_leaves_nothing(void **state) {
    lake_env *env = *state;
    lochan_error err;
    pending p;
    int64_t snapshot;
    env_write(env, "2024-01-01 A 1 1\n");
    begin(env, &p, "2024-01-01 A 2 2\n");
    lochan_lake_cancel(env->lake);
    assert_status(lochan_write__publish(p.w, NULL, NULL, &snapshot, &err), LOCHAN_ERR_CANCELLED);
    end(&p);
    assert_status(env_try_write(env, "2024-01-01 A 3 3\n", &err), LOCHAN_ERR_CANCELLED);
    lochan_lake_resume(env->lake);
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 1 1\n");
    assert_int_equal(count_unknown(env), 0);
    env_write(env, "2024-01-01 A 2 2\n");
    assert_string_equal(env_read(env, NULL), "2024-01-01 A 2 2\n");
}

/* Whatever the limit: an error that says so, or the right rows. */
static void test_write__memory_limit_is_an_error_not_a_crash(void **state) {
    enum { N = 20000 };
    lake_env *env = *state;
    lochan_error err;
    char *text = malloc(N * 40);
    int done = 0, refused = 0;
    for (uint64_t limit = 10000; done < 2 || refused < 2; limit *= 3) {
        size_t n = 0;
        for (int i = 0; i < N; i++)
            n += (size_t)snprintf(text + n, N * 40 - n, "2024-01-%02d a%04d %d %d\n", 1 + i / 1000,
                                  i % 1000, i, (int)(limit % 97) + i % 7);
        env->memory_limit = limit;
        env_reopen(env);
        lochan_status rc = env_try_write(env, text, &err);
        assert_true(rc == LOCHAN_OK || rc == LOCHAN_ERR_MEMORY_LIMIT);
        done += rc == LOCHAN_OK;
        refused += rc != LOCHAN_OK;
        env->memory_limit = 0;
        env_reopen(env);
        if (rc == LOCHAN_OK)
            assert_string_equal(env_read(env, NULL), text);
        assert_int_equal(count_unknown(env), 0);
    }
    free(text);
    env_verify(env, false);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_write__nothing_is_visible_before_publish, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__freed_without_publish_leaves_no_file, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__conflict_in_a_touched_partition, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__appends_never_conflict, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__token_is_done_once, env_setup, env_teardown),
        cmocka_unit_test_setup_teardown(test_write__hook_is_part_of_the_commit, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__footers_tell_the_commit, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__read_only_lake_refuses, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__table_changed_since_it_was_opened, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__rows_without_a_partition, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__cancelled_leaves_nothing, env_setup,
                                        env_teardown),
        cmocka_unit_test_setup_teardown(test_write__memory_limit_is_an_error_not_a_crash, env_setup,
                                        env_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
