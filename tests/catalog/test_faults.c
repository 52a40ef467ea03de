/* test_faults.c - every memory request (SQLite's too), file operation and failpoint of init, open
 * and commit fails once and for good: afterwards the lake is whole, a reported failure never landed
 * and a success is there.
 */
#include "lake.h"

#include "catalog/internal.h"
#include "support/fault.h"
#include "support/no_sync.h"

#include <sqlite3.h>

typedef struct env {
    char *dir;
    int64_t table_id;
    int64_t before; /* newest snapshot before the body */
    bool open;      /* the error said that the fate of the commit is not known */
} env;

/* ---- SQLite's memory through ours ---- */

#define HEAD 16

static void *sql_malloc(int n) {
    char *p = lochan_mem__alloc((size_t)n + HEAD);
    if (!p)
        return NULL;
    memcpy(p, &n, sizeof n);
    return p + HEAD;
}

static void sql_free(void *p) {
    if (p)
        lochan_mem__free((char *)p - HEAD);
}

static void *sql_realloc(void *p, int n) {
    char *q = lochan_mem__realloc(p ? (char *)p - HEAD : NULL, (size_t)n + HEAD);
    if (!q)
        return NULL;
    memcpy(q, &n, sizeof n);
    return q + HEAD;
}

static int sql_size(void *p) {
    int n = 0;
    if (p)
        memcpy(&n, (char *)p - HEAD, sizeof n);
    return n;
}

static int sql_roundup(int n) {
    return (n + 7) & ~7;
}

static int sql_init(void *ctx) {
    (void)ctx;
    return SQLITE_OK;
}

static void sql_shutdown(void *ctx) {
    (void)ctx;
}

static const sqlite3_mem_methods memory = {sql_malloc,  sql_free, sql_realloc,  sql_size,
                                           sql_roundup, sql_init, sql_shutdown, NULL};

/* ---- the state after a fault ---- */

static lochan_status no_problem(void *ctx, const char *kind, const char *path, const char *detail,
                                lochan_error *err) {
    (void)ctx;
    (void)err;
    fprintf(stderr, "%s: %s: %s\n", kind, path, detail);
    fail();
    return LOCHAN_OK;
}

static void assert_whole(const char *dir, int64_t expected, int64_t other) {
    lochan_error err;
    lochan_catalog *catalog;
    lochan_snapshot snapshot;
    ok(lochan_catalog__open(dir, NULL, &catalog, &err));
    ok(lochan_catalog__snapshot_at(catalog, NULL, &snapshot, &err));
    if (snapshot.id != expected)
        assert_int_equal(snapshot.id, other);
    ok(lochan_catalog__verify(catalog, no_problem, NULL, &err));
    lochan_catalog__close(catalog);
}

/* ---- init ---- */

static void init_prep(void *ctx) {
    ((env *)ctx)->dir = make_dir();
}

static lochan_status init_body(void *ctx, lochan_error *err) {
    return lochan_catalog__init(((env *)ctx)->dir, err);
}

static void init_check(void *ctx, lochan_status rc) {
    env *e = ctx;
    lochan_error err;
    lochan_status again = lochan_catalog__init(e->dir, &err);
    if (rc == LOCHAN_OK)
        assert_int_equal(again, LOCHAN_ERR_EXISTS);
    else if (again != LOCHAN_ERR_EXISTS)
        assert_ok_(again, &err, "init again", __FILE__, __LINE__);
    assert_whole(e->dir, 0, 0);
    drop_dir(e->dir);
}

static void test_faults__init(void **state) {
    env e = {0};
    (void)state;
    fault_sweep(&(fault_case){.name = "init",
                              .prep = init_prep,
                              .body = init_body,
                              .check = init_check,
                              .ctx = &e,
                              .kinds = FAULT_ALL,
                              .dense = 24});
}

/* ---- open ---- */

static void lake_prep(void *ctx) {
    env *e = ctx;
    lochan_error err;
    lochan_catalog *catalog;
    lochan_txn *txn;
    int64_t id;
    e->dir = make_dir();
    ok(lochan_catalog__init(e->dir, &err));
    ok(lochan_catalog__open(e->dir, NULL, &catalog, &err));
    ok(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, &err));
    ok(create_demo(txn, "fx", &e->table_id, &err));
    ok(add_demo(txn, e->table_id, "fx", 1, &id, &err));
    ok(lochan_txn__commit(&txn, &e->before, &err));
    lochan_catalog__close(catalog);
}

static lochan_status open_body(void *ctx, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    env *e = ctx;
    lochan_catalog *catalog = NULL;
    lochan_table_def def;
    lochan_file_list files;
    int64_t columns[] = {1, 2, 3};
    struct ArrowArrayStream stream = {0};
    memset(&def, 0, sizeof def);
    memset(&files, 0, sizeof files);
    LOCHAN_TRYG(lochan_catalog__open(e->dir, NULL, &catalog, err));
    LOCHAN_TRYG(lochan_catalog__table(catalog, "ecb", "fx", -1, &def, err));
    LOCHAN_TRYG(lochan_catalog__files(catalog, &def, columns, 3, &files, err));
    LOCHAN_TRYG(lochan_catalog__query_files(catalog, NULL, NULL, &stream, err));
done:
    if (stream.release)
        stream.release(&stream);
    lochan_file_list__deinit(&files);
    lochan_table_def__deinit(&def);
    lochan_catalog__close(catalog);
    return rc;
}

static void lake_check(void *ctx, lochan_status rc) {
    env *e = ctx;
    (void)rc;
    assert_whole(e->dir, e->before, e->before);
    drop_dir(e->dir);
}

static void test_faults__open_and_read(void **state) {
    env e = {0};
    (void)state;
    fault_sweep(&(fault_case){.name = "open",
                              .prep = lake_prep,
                              .body = open_body,
                              .check = lake_check,
                              .ctx = &e,
                              .kinds = FAULT_ALL,
                              .dense = 24});
}

/* ---- commit ---- */

static lochan_status change(env *e, lochan_txn *txn, lochan_error *err) {
    int64_t id;
    lochan_update_report report = {.struct_size = sizeof report, .snapshot_id = -1, .rows_new = 10};
    lochan_dataset_row dataset = {.source = "ecb",
                                  .name = "fx",
                                  .spec = "name: fx",
                                  .time_column = "day",
                                  .enabled = true,
                                  .table_id = -1};
    lochan_source_row source = {.name = "ecb", .spec = "name: ecb"};
    lochan_coverage coverage = {.day_from = 19000,
                                .day_to = 19010,
                                .state = LOCHAN_COVERAGE_SUCCESS,
                                .rows = 10,
                                .asked_ns = 1700000000000000000,
                                .update_id = "u1"};
    lochan_update_row update = {.update_id = "u1",
                                .kind = "update",
                                .state = "success",
                                .started_ns = 1700000000000000000,
                                .finished_ns = 1700000001000000000,
                                .report = &report};
    int64_t dataset_id;
    LOCHAN_TRY(add_demo(txn, e->table_id, "fx", 2, &id, err));
    LOCHAN_TRY(add_demo(txn, e->table_id, "fx", 3, &id, err));
    LOCHAN_TRY(lochan_txn__retire_file(txn, e->table_id, id - 2, err));
    LOCHAN_TRY(lochan_txn__put_source(txn, &source, err));
    LOCHAN_TRY(lochan_txn__put_dataset(txn, &dataset, &dataset_id, err));
    LOCHAN_TRY(lochan_txn__bind_dataset(txn, dataset_id, e->table_id, err));
    LOCHAN_TRY(lochan_txn__put_coverage(txn, dataset_id, &coverage, err));
    update.dataset_id = dataset_id;
    return lochan_txn__put_update(txn, &update, err);
}

static lochan_status commit_body(void *ctx, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    env *e = ctx;
    char id[37];
    e->open = false;
    lochan_catalog *catalog = NULL;
    lochan_txn *txn = NULL;
    LOCHAN_TRYG(lochan_catalog__open(e->dir, NULL, &catalog, err));
    catalog->checkpoint_pages = 1; /* after every commit */
    LOCHAN_TRYG(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, err));
    LOCHAN_TRYG(change(e, txn, err));
    lochan_format(id, sizeof id, "%s", lochan_txn__commit_id(txn));
    rc = lochan_txn__commit(&txn, NULL, err);
    txn = NULL;
    e->open = lochan_catalog__fate_is_open(catalog, id);
    if (e->open && (rc == LOCHAN_OK || !strstr(err->hint, "take the commit back")))
        rc = lochan_error__set(err, LOCHAN_ERR_INTERNAL, "the error does not say what is open");
done:
    lochan_txn__abort(txn);
    lochan_catalog__close(catalog);
    return rc;
}

static void commit_check(void *ctx, lochan_status rc) {
    env *e = ctx;
    int64_t expected = rc == LOCHAN_OK ? e->before + 1 : e->before;
    assert_whole(e->dir, expected, e->open ? e->before + 1 : expected);
    /* and the next commit works */
    lochan_error err;
    if (rc != LOCHAN_OK && !e->open) {
        ok(commit_body(e, &err));
        assert_whole(e->dir, e->before + 1, e->before + 1);
    }
    drop_dir(e->dir);
}

static void test_faults__commit(void **state) {
    env e = {0};
    (void)state;
    fault_sweep(&(fault_case){.name = "commit",
                              .prep = lake_prep,
                              .body = commit_body,
                              .check = commit_check,
                              .ctx = &e,
                              .kinds = FAULT_ALL,
                              .dense = 24});
}

/* A sync of the journal that fails does no harm either: many commits, so that the outbox is pruned.
 */
static lochan_status many_body(void *ctx, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    env *e = ctx;
    lochan_catalog *catalog = NULL;
    LOCHAN_TRYG(lochan_catalog__open(e->dir, NULL, &catalog, err));
    catalog->checkpoint_pages = 30; /* now and then */
    for (int i = 0; i < 40; i++) {
        lochan_txn *txn;
        lochan_source_row source = {.name = "ecb", .spec = "name: ecb"};
        LOCHAN_TRYG(lochan_txn__begin(catalog, NULL, NULL, NULL, &txn, err));
        rc = lochan_txn__put_source(txn, &source, err);
        if (rc == LOCHAN_OK)
            rc = lochan_txn__commit(&txn, NULL, err);
        else
            lochan_txn__abort(txn);
        if (rc != LOCHAN_OK)
            goto done;
    }
done:
    lochan_catalog__close(catalog);
    return rc;
}

static void test_faults__many_commits(void **state) {
    env e = {0};
    (void)state;
    fault_sweep(&(fault_case){.name = "many commits",
                              .prep = lake_prep,
                              .body = many_body,
                              .check = lake_check,
                              .ctx = &e,
                              .kinds = FAULT_SYNC | FAULT_POINT | FAULT_EIO | FAULT_ENOSPC,
                              .dense = 8});
}

int main(void) {
    be_quiet();
    use_memory_folder(); /* thousands of small lakes: what is synced here need not survive */
    sqlite3_config(SQLITE_CONFIG_MALLOC, &memory);
    sqlite3_config(SQLITE_CONFIG_LOOKASIDE, 0, 0);
    env warm = {0}; /* what SQLite allocates once and for ever */
    lochan_error err;
    lake_prep(&warm);
    ok(commit_body(&warm, &err));
    drop_dir(warm.dir);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_faults__init),
        cmocka_unit_test(test_faults__open_and_read),
        cmocka_unit_test(test_faults__commit),
        cmocka_unit_test(test_faults__many_commits),
    };
    no_sync_start();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
