/* test_faults_rows.c - every call that can fail does, at every place, in the lists of the catalog
 * and in the changes of rows that belong to no table: all of a commit is there afterwards, or
 * nothing.
 */
#include "lake.h"

#include "catalog/snapshots.h"
#include "support/fault.h"
#include "support/no_sync.h"

typedef struct env {
    char *dir;
    bool open; /* the error said that the fate of the commit is not known */
} env;

static lochan_status put_all(lochan_txn *txn, int64_t *dataset_id, lochan_error *err) {
    int64_t table, file;
    lochan_source_row source = {.name = "ecb", .spec = "name: ecb"};
    lochan_dataset_row dataset = {
        .source = "ecb", .name = "fx", .spec = "name: fx", .enabled = true, .table_id = -1};
    lochan_failure_row failure = {
        .update_id = "u1", .scope = "s", .page = "p", .code = "HTTP", .message = "no"};
    lochan_update_report report = {.struct_size = sizeof report, .snapshot_id = -1};
    lochan_update_row update = {.update_id = "u1",
                                .kind = "update",
                                .state = "failed",
                                .started_ns = 1700000000000000000,
                                .finished_ns = 1700000001000000000,
                                .request = "{}",
                                .error = "no",
                                .report = &report};
    LOCHAN_TRY(create_demo(txn, "fx", &table, err));
    LOCHAN_TRY(add_demo(txn, table, "fx", 1, &file, err));
    LOCHAN_TRY(lochan_txn__put_source(txn, &source, err));
    LOCHAN_TRY(lochan_txn__put_dataset(txn, &dataset, dataset_id, err));
    LOCHAN_TRY(lochan_txn__bind_dataset(txn, *dataset_id, table, err));
    update.dataset_id = *dataset_id;
    LOCHAN_TRY(lochan_txn__put_update(txn, &update, err));
    return lochan_txn__put_failure(txn, &failure, err);
}

static void prep(void *ctx) {
    env *e = ctx;
    lochan_error err;
    lochan_catalog *catalog;
    lochan_txn *txn;
    int64_t dataset_id;
    e->dir = make_dir();
    e->open = false;
    ok(lochan_catalog__init(e->dir, &err));
    ok(lochan_catalog__open(e->dir, NULL, &catalog, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(put_all(txn, &dataset_id, &err));
    ok(lochan_txn__commit(&txn, NULL, &err));
    lochan_catalog__close(catalog);
}

/* ---- lists ---- */

static lochan_status drain(struct ArrowArrayStream *stream, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArray batch;
    do {
        rc = lochan_stream__next(stream, &batch, err);
        bool more = rc == LOCHAN_OK && batch.release;
        if (!more)
            break;
        lochan_array__release(&batch);
    } while (true);
    lochan_stream__release(stream);
    return rc;
}

static lochan_status body_lists(void *ctx, lochan_error *err) {
    const env *e = ctx;
    lochan_status rc = LOCHAN_OK;
    lochan_catalog *catalog = NULL;
    lochan_table_def def = {0};
    lochan_reject_rows rejects = {0};
    lochan_snapshot_rows snapshots = {0};
    struct ArrowArrayStream list;
    char *sql = NULL;
    LOCHAN_TRYG(lochan_catalog__open(e->dir, NULL, &catalog, err));
    LOCHAN_TRYG(lochan_catalog__query_status(catalog, NULL, NULL, NULL, NULL, &list, err));
    LOCHAN_TRYG(drain(&list, err));
    LOCHAN_TRYG(lochan_catalog__query_runs(catalog, "ecb", "fx", -1, &list, err));
    LOCHAN_TRYG(drain(&list, err));
    LOCHAN_TRYG(lochan_catalog__query_failures(catalog, NULL, NULL, 10, &list, err));
    LOCHAN_TRYG(drain(&list, err));
    LOCHAN_TRYG(lochan_catalog__query_partitions(catalog, "ecb", NULL, &list, err));
    LOCHAN_TRYG(drain(&list, err));
    LOCHAN_TRYG(lochan_catalog__rejects(catalog, NULL, NULL, NULL, &rejects, err));
    LOCHAN_TRYG(lochan_catalog__snapshots(catalog, -1, -1, &snapshots, err));
    LOCHAN_TRYG(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, err));
    LOCHAN_TRYG(lochan_catalog__check_readable(catalog, &def, def.snapshot_id, err));
    LOCHAN_TRYG(lochan_catalog__attach_sql(catalog, &sql, err));
done:
    lochan_mem__free(sql);
    lochan_table_def__deinit(&def);
    if (snapshots.rows)
        lochan_snapshot_rows__deinit(&snapshots);
    lochan_reject_rows__deinit(&rejects);
    lochan_catalog__close(catalog);
    return rc;
}

static void check_lists(void *ctx, lochan_status rc) {
    (void)rc;
    drop_dir(((env *)ctx)->dir);
}

static void test_faults_rows__lists(void **state) {
    env e = {0};
    (void)state;
    fault_totals t =
        fault_sweep(&(fault_case){.name = "lists",
                                  .prep = prep,
                                  .body = body_lists,
                                  .check = check_lists,
                                  .ctx = &e,
                                  .kinds = FAULT_OOM | FAULT_EIO | FAULT_SHORT | FAULT_EINTR,
                                  .dense = 12});
    assert_true(t.failed > 20);
}

/* ---- changes ---- */

static lochan_status change(lochan_txn *txn, lochan_error *err) {
    lochan_run_table_row table = {.name = "holdings", .spec = "table: holdings"};
    lochan_run_table_row other = {.name = "trades", .spec = "table: trades"};
    LOCHAN_TRY(lochan_txn__put_tag(txn, "first", 1, err));
    LOCHAN_TRY(lochan_txn__put_tag(txn, "second", 1, err));
    LOCHAN_TRY(lochan_txn__delete_tag(txn, "second", err));
    LOCHAN_TRY(lochan_txn__put_run_table(txn, &table, err));
    LOCHAN_TRY(lochan_txn__put_run_table(txn, &other, err));
    LOCHAN_TRY(lochan_txn__delete_run_table(txn, "trades", err));
    LOCHAN_TRY(lochan_txn__delete_dataset(txn, 1, err));
    return lochan_txn__delete_source(txn, "ecb", err);
}

static lochan_status body_change(void *ctx, lochan_error *err) {
    env *e = ctx;
    lochan_status rc = LOCHAN_OK;
    lochan_catalog *catalog = NULL;
    lochan_txn *txn = NULL;
    LOCHAN_TRYG(lochan_catalog__open(e->dir, NULL, &catalog, err));
    LOCHAN_TRYG(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, err));
    LOCHAN_TRYG(change(txn, err));
    rc = lochan_txn__commit(&txn, NULL, err);
    e->open = rc != LOCHAN_OK && strstr(err->hint, "take the commit back");
done:
    lochan_txn__abort(txn);
    lochan_catalog__close(catalog);
    return rc;
}

static lochan_status no_problem(void *ctx, const char *kind, const char *path, const char *detail,
                                lochan_error *err) {
    (void)ctx;
    (void)err;
    fprintf(stderr, "%s: %s: %s\n", kind, path, detail);
    fail();
    return LOCHAN_OK;
}

static void check_change(void *ctx, lochan_status rc) {
    env *e = ctx;
    lochan_error err;
    lochan_catalog *catalog;
    lochan_source_rows sources;
    lochan_dataset_rows datasets;
    lochan_run_table_rows tables;
    lochan_snapshot at;
    ok(lochan_catalog__open(e->dir, NULL, &catalog, &err));
    ok(lochan_catalog__sources(catalog, NULL, &sources, &err));
    ok(lochan_catalog__datasets(catalog, NULL, NULL, &datasets, &err));
    ok(lochan_catalog__run_tables(catalog, NULL, &tables, &err));
    bool landed = sources.n == 0;
    assert_true(landed == (rc == LOCHAN_OK) || (landed && e->open));
    assert_int_equal(datasets.n, landed ? 0 : 1);
    assert_int_equal(tables.n, landed ? 1 : 0);
    assert_int_equal(lochan_catalog__snapshot_at(catalog, "first", &at, &err) == LOCHAN_OK, landed);
    assert_true(lochan_catalog__snapshot_at(catalog, "second", &at, &err) != LOCHAN_OK);
    ok(lochan_catalog__verify(catalog, no_problem, NULL, &err));
    lochan_source_rows__deinit(&sources);
    lochan_dataset_rows__deinit(&datasets);
    lochan_run_table_rows__deinit(&tables);
    lochan_catalog__close(catalog);
    drop_dir(e->dir);
}

static void test_faults_rows__changes(void **state) {
    env e = {0};
    (void)state;
    fault_totals t = fault_sweep(&(fault_case){.name = "changes",
                                               .prep = prep,
                                               .body = body_change,
                                               .check = check_change,
                                               .ctx = &e,
                                               .kinds = FAULT_ALL,
                                               .dense = 8});
    assert_true(t.failed > 20);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults_rows__lists),
        cmocka_unit_test(test_faults_rows__changes),
    };
    be_quiet();
    use_memory_folder();
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
