/* test_fs.c - open files: transfers, mapping, errors that name the path, locks. */
#include "support/alloc.h"
#include "support/cmocka_all.h"
#include "support/fault.h"
#include "support/tmpdir.h"

#include "base/fs.h"

#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static char *dir;

static int setup(void **state) {
    dir = tmpdir_make("fs");
    return alloc_setup(state);
}

static int teardown(void **state) {
    lochan_fs__set_ops(NULL);
    tmpdir_remove(dir);
    return alloc_teardown(state);
}

enum { RW = LOCHAN_FS_READ | LOCHAN_FS_WRITE, NEW = RW | LOCHAN_FS_CREATE };

static lochan_file *open_file(const char *name, int flags) {
    lochan_error err;
    lochan_file *f;
    assert_ok(lochan_file__open(tmpdir_path(dir, name), flags, &f, &err));
    return f;
}

static void test_fs__write_and_read(void **state) {
    (void)state;
    lochan_error err;
    lochan_file *f = open_file("a", NEW);
    char got[20] = "";
    size_t n;
    assert_string_equal(lochan_file__path(f), tmpdir_path(dir, "a"));
    assert_ok(lochan_file__write(f, "hello world", 11, 0, &err));
    assert_ok(lochan_file__write(f, "W", 1, 6, &err));
    assert_ok(lochan_file__write(f, "!", 1, 12, &err));
    assert_ok(lochan_file__write(f, NULL, 0, 500, &err));
    assert_ok(lochan_file__read(f, got, 13, 0, &err));
    assert_memory_equal(got, "hello World\0!", 13);
    assert_ok(lochan_file__read(f, NULL, 0, 99, &err));
    assert_ok(lochan_file__read_some(f, got, sizeof got, 6, &n, &err));
    assert_int_equal(n, 7);
    assert_ok(lochan_file__read_some(f, got, sizeof got, 13, &n, &err));
    assert_int_equal(n, 0);
    assert_ok(lochan_file__truncate(f, 5, &err));
    assert_ok(lochan_file__sync(f, true, &err));
    assert_ok(lochan_file__sync(f, false, &err));
    lochan_stat st;
    assert_ok(lochan_file__stat(f, &st, &err));
    assert_int_equal(st.size, 5);
    assert_false(st.is_dir || st.is_link);
    assert_true(st.inode != 0 && st.mtime_ns > 0);
    assert_ok(lochan_file__close(f, &err));
    assert_ok(lochan_file__close(NULL, &err));
}

static void test_fs__reading_past_the_end_is_corrupt(void **state) {
    (void)state;
    lochan_error err;
    char got[20];
    tmpdir_write(tmpdir_path(dir, "a"), "0123456789", 10);
    lochan_file *f = open_file("a", LOCHAN_FS_READ);
    assert_int_equal(lochan_file__read(f, got, 8, 5, &err), LOCHAN_ERR_CORRUPT);
    assert_int_equal(err.offset, 10);
    assert_string_equal(err.file, tmpdir_path(dir, "a"));
    assert_int_equal(lochan_file__read(f, got, 8, UINT64_MAX, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_int_equal(lochan_file__read(f, got, SIZE_MAX, 1, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_ok(lochan_file__close(f, &err));
}

static void test_fs__open_flags(void **state) {
    (void)state;
    lochan_error err;
    lochan_file *f;
    const char *a = tmpdir_path(dir, "a"), *link = tmpdir_path(dir, "link");
    assert_int_equal(lochan_file__open(a, LOCHAN_FS_READ, &f, &err), LOCHAN_ERR_NOT_FOUND);
    assert_null(f);
    assert_int_equal(err.sys_errno, ENOENT);
    assert_string_equal(err.file, a);
    assert_non_null(strstr(err.message, a));
    assert_ok(lochan_file__open(a, NEW | LOCHAN_FS_EXCLUSIVE, &f, &err));
    assert_ok(lochan_file__write(f, "abc", 3, 0, &err));
    assert_ok(lochan_file__close(f, &err));
    assert_int_equal(lochan_file__open(a, NEW | LOCHAN_FS_EXCLUSIVE, &f, &err), LOCHAN_ERR_EXISTS);
    assert_ok(lochan_file__open(a, RW | LOCHAN_FS_TRUNCATE, &f, &err));
    lochan_stat st;
    assert_ok(lochan_file__stat(f, &st, &err));
    assert_int_equal(st.size, 0);
    assert_ok(lochan_file__close(f, &err));
    assert_int_equal(symlink(a, link), 0);
    assert_ok(lochan_file__open(link, LOCHAN_FS_READ, &f, &err));
    assert_ok(lochan_file__close(f, &err));
    assert_int_equal(lochan_file__open(link, LOCHAN_FS_READ | LOCHAN_FS_NOFOLLOW, &f, &err),
                     LOCHAN_ERR_IO);
    assert_int_equal(lochan_file__open(dir, LOCHAN_FS_WRITE, &f, &err), LOCHAN_ERR_IO);
    assert_int_equal(err.sys_errno, EISDIR);
}

static int deny_open(void *self, const char *path, int flags, int mode) {
    (void)self, (void)path, (void)flags, (void)mode;
    return -EACCES;
}

static void test_fs__permissions_mean_read_only_for_changes(void **state) {
    (void)state;
    lochan_error err;
    lochan_file *f;
    lochan_fs_ops ops = *lochan_fs__system();
    ops.open = deny_open;
    lochan_fs__set_ops(&ops);
    assert_int_equal(lochan_file__open("x", LOCHAN_FS_READ, &f, &err), LOCHAN_ERR_IO);
    assert_int_equal(lochan_file__open("x", RW, &f, &err), LOCHAN_ERR_READ_ONLY);
    assert_int_equal(err.code, LOCHAN_ERR_READ_ONLY);
    assert_string_equal(err.file, "x");
    lochan_fs__set_ops(NULL);
}

static void test_fs__long_paths_keep_their_end_and_reason(void **state) {
    (void)state;
    lochan_error err;
    lochan_file *f;
    char path[5000];
    for (size_t i = 0; i < sizeof path; i++)
        path[i] = i % 200 ? 'd' : '/';
    strcpy(path + sizeof path - 10, "/the-file");
    assert_int_equal(lochan_file__open(path, LOCHAN_FS_READ, &f, &err), LOCHAN_ERR_IO);
    assert_int_equal(err.sys_errno, ENAMETOOLONG);
    assert_string_equal(err.file + strlen(err.file) - 9, "/the-file");
    assert_non_null(strstr(err.message, "/the-file': File name too long"));
}

static void test_fs__map(void **state) {
    (void)state;
    lochan_error err;
    const uint8_t *p;
    size_t n;
    tmpdir_write(tmpdir_path(dir, "a"), "mapped", 6);
    lochan_file *f = open_file("a", LOCHAN_FS_READ);
    assert_ok(lochan_file__map(f, &p, &n, &err));
    assert_int_equal(n, 6);
    assert_memory_equal(p, "mapped", 6);
    assert_ok(lochan_file__close(f, &err));
    assert_memory_equal(p, "mapped", 6); /* outlives the file */
    lochan_file__unmap(p, n);
    f = open_file("empty", NEW);
    assert_ok(lochan_file__map(f, &p, &n, &err));
    assert_null(p);
    assert_int_equal(n, 0);
    lochan_file__unmap(p, n);
    assert_ok(lochan_file__close(f, &err));
    f = open_file(".", LOCHAN_FS_READ);
    assert_int_equal(lochan_file__map(f, &p, &n, &err), LOCHAN_ERR_IO);
    assert_ok(lochan_file__close(f, &err));
}

static void test_fs__map_shared_is_seen_by_others(void **state) {
    (void)state;
    lochan_error err;
    lochan_file *f = open_file("shm", NEW), *g = open_file("shm", RW);
    assert_ok(lochan_file__truncate(f, 8192, &err));
    void *a, *b;
    assert_ok(lochan_file__map_shared(f, 4096, 4096, true, &a, &err));
    assert_ok(lochan_file__map_shared(g, 4096, 4096, false, &b, &err));
    memcpy(a, "both", 4);
    assert_memory_equal(b, "both", 4);
    lochan_file__unmap_shared(a, 4096);
    lochan_file__unmap_shared(b, 4096);
    lochan_file__unmap_shared(NULL, 0);
    assert_int_equal(lochan_file__map_shared(f, 0, 0, true, &a, &err), LOCHAN_ERR_IO);
    assert_ok(lochan_file__close(f, &err));
    assert_ok(lochan_file__close(g, &err));
}

static bool try_lock(lochan_file *f, lochan_lock_kind kind, uint64_t offset, uint64_t n) {
    lochan_error err;
    bool got;
    assert_ok(lochan_file__lock(f, kind, offset, n, &got, &err));
    return got;
}

static bool is_held(lochan_file *f, lochan_lock_kind kind, uint64_t offset, uint64_t n) {
    lochan_error err;
    bool held;
    assert_ok(lochan_file__lock_test(f, kind, offset, n, &held, &err));
    return held;
}

static const lochan_lock_kind NONE = LOCHAN_LOCK_NONE, SHARED = LOCHAN_LOCK_SHARED,
                              EXCLUSIVE = LOCHAN_LOCK_EXCLUSIVE;

static void test_fs__locks_conflict_between_two_opens(void **state) {
    (void)state;
    lochan_error err;
    lochan_file *a = open_file("lock", NEW), *b = open_file("lock", RW);
    assert_true(try_lock(a, EXCLUSIVE, 10, 5));
    assert_true(try_lock(a, EXCLUSIVE, 10, 5)); /* our own does not stand in our way */
    assert_false(is_held(a, EXCLUSIVE, 10, 5));
    assert_false(try_lock(b, SHARED, 14, 1));
    assert_false(try_lock(b, EXCLUSIVE, 0, 0)); /* to the end */
    assert_true(is_held(b, SHARED, 12, 1));
    assert_true(try_lock(b, EXCLUSIVE, 15, 5));
    assert_false(is_held(b, EXCLUSIVE, 0, 10));
    assert_true(try_lock(a, SHARED, 10, 5)); /* exchanged in place */
    assert_true(try_lock(b, SHARED, 10, 5));
    assert_false(try_lock(b, EXCLUSIVE, 10, 5));
    assert_false(is_held(b, SHARED, 10, 5));
    assert_true(is_held(b, EXCLUSIVE, 10, 5));
    assert_false(is_held(b, NONE, 10, 5));
    assert_true(try_lock(a, NONE, 10, 5));
    assert_true(try_lock(b, EXCLUSIVE, 10, 5));
    assert_ok(lochan_file__close(b, &err)); /* releases */
    assert_true(try_lock(a, EXCLUSIVE, 0, 0));
    assert_ok(lochan_file__close(a, &err));
}

static void test_fs__closing_another_open_keeps_the_lock(void **state) {
    (void)state;
    lochan_error err;
    lochan_file *a = open_file("lock", NEW), *b = open_file("lock", RW), *c = open_file("lock", RW);
    assert_true(try_lock(a, EXCLUSIVE, 0, 0));
    assert_ok(lochan_file__close(b, &err)); /* with locks of the process this would release a's */
    assert_false(try_lock(c, SHARED, 0, 0));
    assert_ok(lochan_file__close(a, &err));
    assert_true(try_lock(c, SHARED, 0, 0));
    assert_ok(lochan_file__close(c, &err));
}

static void test_fs__locks_conflict_between_processes_and_end_with_them(void **state) {
    (void)state;
    lochan_error err;
    lochan_file *a = open_file("lock", NEW);
    int ready[2], go[2];
    char byte;
    assert_int_equal(pipe(ready) | pipe(go), 0);
    pid_t child = fork();
    if (child == 0) {
        lochan_file *b;
        bool got = false;
        close(go[1]);
        lochan_file__open(tmpdir_path(dir, "lock"), RW, &b, NULL);
        lochan_file__lock(b, LOCHAN_LOCK_EXCLUSIVE, 0, 1, &got, NULL);
        if (write(ready[1], got ? "y" : "n", 1) != 1 || read(go[0], &byte, 1) < 0)
            _exit(1);
        _exit(0);
    }
    assert_int_equal(read(ready[0], &byte, 1), 1);
    assert_int_equal(byte, 'y');
    assert_false(try_lock(a, SHARED, 0, 1));
    assert_true(is_held(a, SHARED, 0, 1));
    close(go[1]);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_true(try_lock(a, EXCLUSIVE, 0, 1));
    close(go[0]);
    close(ready[0]);
    close(ready[1]);
    assert_ok(lochan_file__close(a, &err));
}

static void test_fs__lock_needs_a_fitting_open(void **state) {
    (void)state;
    lochan_error err;
    bool got = true;
    tmpdir_write(tmpdir_path(dir, "lock"), "", 0);
    lochan_file *r = open_file("lock", LOCHAN_FS_READ);
    assert_int_equal(lochan_file__lock(r, EXCLUSIVE, 0, 1, &got, &err), LOCHAN_ERR_IO);
    assert_false(got);
    assert_int_equal(lochan_file__lock(r, SHARED, UINT64_MAX, 1, &got, &err),
                     LOCHAN_ERR_INVALID_ARGUMENT);
    assert_true(try_lock(r, SHARED, 0, 1));
    assert_ok(lochan_file__close(r, &err));
}

/* The body reads and writes 10,000 bytes, maps them and syncs. */
static lochan_status transfer(void *ctx, lochan_error *err) {
    (void)ctx;
    static uint8_t in[10000], out[10000];
    const uint8_t *map;
    size_t n;
    lochan_file *f;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)(i * 31);
    LOCHAN_TRY(lochan_file__open(tmpdir_path(dir, "t"), NEW | LOCHAN_FS_TRUNCATE, &f, err));
    lochan_status rc;
    LOCHAN_TRYG(lochan_file__write(f, in, sizeof in, 3, err));
    LOCHAN_TRYG(lochan_file__truncate(f, sizeof in + 3, err));
    LOCHAN_TRYG(lochan_file__sync(f, false, err));
    LOCHAN_TRYG(lochan_file__read(f, out, sizeof out, 3, err));
    assert_memory_equal(in, out, sizeof in);
    LOCHAN_TRYG(lochan_file__map(f, &map, &n, err));
    assert_memory_equal(map + 3, in, sizeof in);
    lochan_file__unmap(map, n);
done:
    LOCHAN_KEEP(lochan_file__close(f, LOCHAN_KEEP_ERR(rc, err)));
    return rc;
}

static void test_fs__transfers_under_every_fault(void **state) {
    (void)state;
    fault_totals t =
        fault_sweep(&(fault_case){.name = "transfer", .body = transfer, .kinds = FAULT_ALL});
    assert_true(t.failed > 20 && t.absorbed >= 4);
    alloc_install();
}

static lochan_status must_name_the_path(void *ctx, lochan_error *err) {
    lochan_status rc = transfer(ctx, err);
    if (rc != LOCHAN_OK) {
        assert_string_equal(err->file, tmpdir_path(dir, "t"));
        assert_int_equal(err->sys_errno, EIO);
        assert_non_null(strstr(err->message, tmpdir_path(dir, "t")));
    }
    return rc;
}

static void test_fs__every_failure_names_its_path(void **state) {
    (void)state;
    fault_sweep(&(fault_case){.name = "paths", .body = must_name_the_path, .kinds = FAULT_EIO});
    alloc_install();
}

static int64_t write_nothing(void *self, int fd, const void *p, size_t n, uint64_t offset) {
    (void)self, (void)fd, (void)p, (void)n, (void)offset;
    return 0;
}

static void test_fs__a_write_of_nothing_does_not_hang(void **state) {
    (void)state;
    lochan_error err;
    lochan_fs_ops ops = *lochan_fs__system();
    ops.pwrite = write_nothing;
    lochan_fs__set_ops(&ops);
    lochan_file *f = open_file("a", NEW);
    assert_int_equal(lochan_file__write(f, "abc", 3, 7, &err), LOCHAN_ERR_IO);
    assert_int_equal(err.offset, 7);
    assert_ok(lochan_file__close(f, &err));
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_fs__write_and_read),
        CASE(test_fs__reading_past_the_end_is_corrupt),
        CASE(test_fs__open_flags),
        CASE(test_fs__permissions_mean_read_only_for_changes),
        CASE(test_fs__long_paths_keep_their_end_and_reason),
        CASE(test_fs__map),
        CASE(test_fs__map_shared_is_seen_by_others),
        CASE(test_fs__locks_conflict_between_two_opens),
        CASE(test_fs__closing_another_open_keeps_the_lock),
        CASE(test_fs__locks_conflict_between_processes_and_end_with_them),
        CASE(test_fs__lock_needs_a_fitting_open),
        CASE(test_fs__transfers_under_every_fault),
        CASE(test_fs__every_failure_names_its_path),
        CASE(test_fs__a_write_of_nothing_does_not_hang),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
