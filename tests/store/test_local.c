/* test_local.c - files of a local store: whole or not there, durable when finish returns, leftovers
 * told from work. */
#include "support/cmocka_all.h"
#include "support/fault.h"
#include "support/tmpdir.h"
#include "support/torn.h"

#include "base/mem.h"
#include "base/str.h"
#include "store/store.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static int setup(void **state) {
    *state = tmpdir_make("store");
    return 0;
}

static int teardown(void **state) {
    tmpdir_remove(*state);
    return 0;
}

static lochan_store *open_store(const char *dir) {
    lochan_error err;
    lochan_store *store;
    assert_ok(lochan_store__open_local(dir, false, &store, &err));
    return store;
}

static lochan_status count_file(void *ctx, const char *path, const lochan_stat *st, bool temporary,
                                lochan_error *err) {
    (void)path;
    (void)st;
    (void)err;
    ((int *)ctx)[temporary]++;
    return LOCHAN_OK;
}

/* Files under their names, and temporary ones. */
static void count(lochan_store *store, int out[2]) {
    lochan_error err;
    out[0] = out[1] = 0;
    assert_ok(lochan_store__list(store, "data", count_file, out, &err));
}

static lochan_status write_file(lochan_store *store, const char *path, const char *text,
                                lochan_store_writer **out, lochan_error *err) {
    LOCHAN_TRY(lochan_store__create(store, path, out, err));
    lochan_status rc = lochan_store_writer__write(*out, text, strlen(text), err);
    if (rc != LOCHAN_OK) {
        lochan_store_writer__abort(*out);
        *out = NULL;
    }
    return rc;
}

static void test_local__a_file_appears_whole(void **state) {
    lochan_error err;
    lochan_store *store = open_store(*state);
    lochan_store_writer *writer;
    lochan_store_reader *reader;
    char got[6] = "";
    int n[2];
    assert_ok(write_file(store, "data/a/b/one.parquet", "hello", &writer, &err));
    assert_int_equal(lochan_store_writer__size(writer), 5);
    assert_string_equal(lochan_store_writer__path(writer), "data/a/b/one.parquet");
    count(store, n);
    assert_int_equal(n[0], 0);
    assert_int_equal(n[1], 1);
    assert_status(lochan_store__open(store, "data/a/b/one.parquet", &reader, &err),
                  LOCHAN_ERR_NOT_FOUND);
    assert_ok(lochan_store_writer__finish(writer, &err));
    count(store, n);
    assert_int_equal(n[0], 1);
    assert_int_equal(n[1], 0);
    assert_ok(lochan_store__open(store, "data/a/b/one.parquet", &reader, &err));
    assert_int_equal(lochan_store_reader__size(reader), 5);
    assert_ok(lochan_store_reader__read(reader, 1, 4, got, &err));
    assert_string_equal(got, "ello");
    assert_status(lochan_store_reader__read(reader, 3, 3, got, &err), LOCHAN_ERR_CORRUPT);
    assert_int_equal(err.offset, 3);
    assert_status(lochan_store_reader__read(reader, UINT64_MAX, 3, got, &err), LOCHAN_ERR_CORRUPT);
    lochan_store_reader__close(reader);
    assert_status(lochan_store__create(store, "data/a/b/one.parquet", &writer, &err),
                  LOCHAN_ERR_EXISTS);
    lochan_store__close(store);
}

static void test_local__abort_leaves_nothing(void **state) {
    lochan_error err;
    lochan_store *store = open_store(*state);
    lochan_store_writer *writer;
    int n[2];
    assert_ok(write_file(store, "data/x.parquet", "hello", &writer, &err));
    lochan_store_writer__abort(writer);
    lochan_store_writer__abort(NULL);
    count(store, n);
    assert_int_equal(n[0] + n[1], 0);
    lochan_store__close(store);
}

static void test_local__paths_stay_in_the_store(void **state) {
    static const char *const bad[] = {"../x", "/etc/x", "a/../../x", "a//b", "", "a/./b", "a/b/"};
    lochan_error err;
    lochan_store *store = open_store(*state);
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        lochan_store_writer *writer;
        lochan_store_reader *reader;
        assert_status(lochan_store__create(store, bad[i], &writer, &err),
                      LOCHAN_ERR_INVALID_ARGUMENT);
        assert_status(lochan_store__open(store, bad[i], &reader, &err),
                      LOCHAN_ERR_INVALID_ARGUMENT);
        assert_status(lochan_store__remove(store, bad[i], true, &err), LOCHAN_ERR_INVALID_ARGUMENT);
        assert_status(lochan_store__remove_tree(store, bad[i], &err), LOCHAN_ERR_INVALID_ARGUMENT);
    }
    lochan_store__close(store);
}

static void test_local__read_only_changes_nothing(void **state) {
    lochan_error err;
    lochan_store *store;
    lochan_store_writer *writer;
    lochan_store_batch *batch;
    int64_t removed;
    assert_ok(lochan_store__open_local(*state, true, &store, &err));
    assert_status(lochan_store__create(store, "data/x", &writer, &err), LOCHAN_ERR_READ_ONLY);
    assert_status(lochan_store_batch__create(store, &batch, &err), LOCHAN_ERR_READ_ONLY);
    assert_status(lochan_store__remove(store, "data/x", true, &err), LOCHAN_ERR_READ_ONLY);
    assert_status(lochan_store__clean(store, "data", &removed, &err), LOCHAN_ERR_READ_ONLY);
    lochan_store__close(store);
}

/* ---- batches ---- */

static lochan_status write_batch(lochan_store *store, int n, bool discard, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_store_batch *batch = NULL;
    LOCHAN_TRYG(lochan_store_batch__create(store, &batch, err));
    for (int i = 0; i < n; i++) {
        char path[64];
        lochan_store_writer *writer;
        snprintf(path, sizeof path, "data/m%d/f%d.parquet", i % 5, i);
        LOCHAN_TRYG(write_file(store, path, path, &writer, err));
        LOCHAN_TRYG(lochan_store_batch__add(batch, writer, err));
    }
    LOCHAN_TRYG(lochan_store_batch__finish(batch, err));
    if (discard) {
        lochan_store_batch__discard(batch);
        batch = NULL;
    }
done:
    lochan_store_batch__free(batch);
    return rc;
}

static void test_local__a_batch_is_durable_when_finished(void **state) {
    static const int sizes[] = {1, 5, 16, 17, 40};
    lochan_error err;
    (void)state;
    for (size_t i = 0; i < LOCHAN_COUNTOF(sizes); i++) {
        char *dir = tmpdir_make("store");
        int n[2];
        torn_start(dir);
        lochan_store *store = open_store(dir);
        assert_ok(write_batch(store, sizes[i], false, &err));
        torn_power_cut(0); /* everything that is not durable is lost */
        lochan_store__close(store);
        torn_stop();
        store = open_store(dir);
        count(store, n);
        assert_int_equal(n[0], sizes[i]);
        assert_int_equal(n[1], 0);
        lochan_store__close(store);
        tmpdir_remove(dir);
    }
}

static void test_local__an_unfinished_batch_leaves_nothing(void **state) {
    lochan_error err;
    lochan_store *store = open_store(*state);
    lochan_store_batch *batch;
    int n[2];
    assert_ok(lochan_store_batch__create(store, &batch, &err));
    for (int i = 0; i < 20; i++) {
        char path[64];
        lochan_store_writer *writer;
        snprintf(path, sizeof path, "data/f%d.parquet", i);
        assert_ok(write_file(store, path, "x", &writer, &err));
        assert_ok(lochan_store_batch__add(batch, writer, &err));
    }
    lochan_store_batch__free(batch);
    count(store, n);
    assert_int_equal(n[0] + n[1], 0);
    assert_ok(write_batch(store, 3, true, &err));
    count(store, n);
    assert_int_equal(n[0] + n[1], 0);
    lochan_store__close(store);
}

/* ---- leftovers ---- */

static void test_local__leftovers_of_the_dead_are_removed(void **state) {
    lochan_error err;
    const char *dir = *state;
    int n[2], status;
    int64_t removed;
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) { /* dies with two files under way */
        lochan_store *store;
        lochan_store_writer *writer;
        bool good = lochan_store__open_local(dir, false, &store, NULL) == LOCHAN_OK &&
                    write_file(store, "data/dead1", "x", &writer, NULL) == LOCHAN_OK &&
                    write_file(store, "data/s/dead2", "x", &writer, NULL) == LOCHAN_OK;
        _exit(good ? 0 : 1);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    lochan_store *store = open_store(dir);
    lochan_store_writer *mine;
    assert_ok(write_file(store, "data/alive", "x", &mine, &err));
    count(store, n);
    assert_int_equal(n[1], 3);
    lochan_store *other = open_store(dir);
    assert_ok(lochan_store__clean(other, "data", &removed, &err));
    assert_int_equal(removed, 2);
    assert_ok(lochan_store_writer__finish(mine, &err)); /* the living were left alone */
    count(store, n);
    assert_int_equal(n[0], 1);
    assert_int_equal(n[1], 0);
    lochan_store__close(other);
    lochan_store__close(store);
}

static void test_local__remove_and_trees(void **state) {
    lochan_error err;
    lochan_store *store = open_store(*state);
    lochan_stat st;
    int n[2];
    assert_ok(write_batch(store, 7, false, &err));
    assert_ok(lochan_store__stat(store, "data/m1/f1.parquet", &st, &err));
    assert_int_equal(st.size, strlen("data/m1/f1.parquet"));
    assert_ok(lochan_store__remove(store, "data/m1/f1.parquet", false, &err));
    assert_status(lochan_store__remove(store, "data/m1/f1.parquet", false, &err),
                  LOCHAN_ERR_NOT_FOUND);
    assert_ok(lochan_store__remove(store, "data/m1/f1.parquet", true, &err));
    assert_ok(lochan_store__remove_tree(store, "data/m0", &err));
    assert_ok(lochan_store__remove_tree(store, "data/none", &err));
    count(store, n);
    assert_int_equal(n[0], 4);
    lochan_store__close(store);
}

/* ---- faults ---- */

typedef struct env {
    char *dir;
    int files;
} env;

static void prep(void *ctx) {
    ((env *)ctx)->dir = tmpdir_make("store");
}

static lochan_status body(void *ctx, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    env *e = ctx;
    lochan_store *store = NULL;
    LOCHAN_TRYG(lochan_store__open_local(e->dir, false, &store, err));
    LOCHAN_TRYG(write_batch(store, e->files, false, err));
done:
    lochan_store__close(store);
    return rc;
}

static void check(void *ctx, lochan_status rc) {
    env *e = ctx;
    int n[2];
    lochan_store *store = open_store(e->dir);
    count(store, n);
    if (rc == LOCHAN_OK)
        assert_int_equal(n[0], e->files);
    lochan_store__close(store);
    tmpdir_remove(e->dir);
}

static void test_local__faults(void **state) {
    (void)state;
    env few = {NULL, 2}, many = {NULL, 18};
    fault_sweep(&(fault_case){.name = "few",
                              .prep = prep,
                              .body = body,
                              .check = check,
                              .ctx = &few,
                              .kinds = FAULT_ALL});
    fault_sweep(&(fault_case){.name = "many",
                              .prep = prep,
                              .body = body,
                              .check = check,
                              .ctx = &many,
                              .kinds = FAULT_ALL,
                              .dense = 20});
}

int main(void) {
    if (access("/dev/shm", W_OK) ==
        0) /* thousands of small files, synced: the disk is not what is tested */
        setenv("TMPDIR", "/dev/shm", 0);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_local__a_file_appears_whole, setup, teardown),
        cmocka_unit_test_setup_teardown(test_local__abort_leaves_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_local__paths_stay_in_the_store, setup, teardown),
        cmocka_unit_test_setup_teardown(test_local__read_only_changes_nothing, setup, teardown),
        cmocka_unit_test(test_local__a_batch_is_durable_when_finished),
        cmocka_unit_test_setup_teardown(test_local__an_unfinished_batch_leaves_nothing, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_local__leftovers_of_the_dead_are_removed, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(test_local__remove_and_trees, setup, teardown),
        cmocka_unit_test(test_local__faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
