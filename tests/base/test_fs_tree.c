/* test_fs_tree.c - folders, names, whole files, paths. */
#include "support/alloc.h"
#include "support/cmocka_all.h"
#include "support/fault.h"
#include "support/kill.h"
#include "support/tmpdir.h"

#include "base/fs.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char *dir;

static int setup(void **state) {
    dir = tmpdir_make("tree");
    return alloc_setup(state);
}

static int teardown(void **state) {
    lochan_fs__set_ops(NULL);
    tmpdir_remove(dir);
    return alloc_teardown(state);
}

static const char *at(const char *rel) {
    return tmpdir_path(dir, rel);
}

static void test_fs_tree__stat_and_exists(void **state) {
    (void)state;
    lochan_error err;
    lochan_stat st;
    tmpdir_write(at("f"), "12345", 5);
    assert_int_equal(symlink("f", at("l")), 0);
    assert_int_equal(symlink("nowhere", at("dangling")), 0);
    assert_ok(lochan_fs__stat(at("f"), &st, &err));
    assert_int_equal(st.size, 5);
    assert_ok(lochan_fs__stat(at("l"), &st, &err));
    assert_false(st.is_link);
    assert_ok(lochan_fs__lstat(at("l"), &st, &err));
    assert_true(st.is_link);
    assert_ok(lochan_fs__stat(dir, &st, &err));
    assert_true(st.is_dir);
    assert_int_equal(lochan_fs__stat(at("none"), &st, &err), LOCHAN_ERR_NOT_FOUND);
    assert_string_equal(err.file, at("none"));
    assert_true(lochan_fs__exists(at("f")));
    assert_false(lochan_fs__exists(at("none")));
    assert_false(lochan_fs__exists(at("dangling")));
    assert_true(lochan_fs__writable(dir));
    assert_false(lochan_fs__writable(at("none")));
}

static void test_fs_tree__rename_link_unlink(void **state) {
    (void)state;
    lochan_error err;
    tmpdir_write(at("a"), "a", 1);
    tmpdir_write(at("b"), "b", 1);
    assert_int_equal(lochan_fs__link(at("a"), at("b"), &err), LOCHAN_ERR_EXISTS);
    assert_ok(lochan_fs__link(at("a"), at("c"), &err));
    assert_ok(lochan_fs__rename(at("a"), at("b"), &err));
    char *text = tmpdir_read(at("b"), NULL);
    assert_string_equal(text, "a");
    free(text);
    assert_int_equal(lochan_fs__rename(at("a"), at("d"), &err), LOCHAN_ERR_NOT_FOUND);
    assert_ok(lochan_fs__unlink(at("b"), false, &err));
    assert_int_equal(lochan_fs__unlink(at("b"), false, &err), LOCHAN_ERR_NOT_FOUND);
    assert_ok(lochan_fs__unlink(at("b"), true, &err));
    assert_true(lochan_fs__exists(at("c")));
    assert_ok(lochan_fs__rmdir(at("none"), true, &err));
    assert_int_equal(lochan_fs__rmdir(at("none"), false, &err), LOCHAN_ERR_NOT_FOUND);
    assert_int_equal(lochan_fs__rmdir(dir, false, &err), LOCHAN_ERR_IO);
    assert_int_equal(err.sys_errno, ENOTEMPTY);
}

static void test_fs_tree__mkdirs(void **state) {
    (void)state;
    lochan_error err;
    bool created;
    assert_ok(lochan_fs__mkdirs(at("x/y/z"), &created, &err));
    assert_true(created);
    assert_ok(lochan_fs__mkdirs(at("x/y/z"), &created, &err));
    assert_false(created);
    assert_ok(lochan_fs__mkdirs(at("x//y///w/"), &created, &err));
    assert_true(created);
    assert_true(lochan_fs__exists(at("x/y/w")));
    assert_ok(lochan_fs__mkdirs(at("q"), NULL, &err));
    assert_ok(lochan_fs__mkdirs("/", &created, &err));
    assert_false(created);
    tmpdir_write(at("file"), "", 0);
    assert_int_equal(lochan_fs__mkdirs(at("file"), &created, &err), LOCHAN_ERR_IO);
    assert_int_equal(lochan_fs__mkdirs(at("file/sub"), &created, &err), LOCHAN_ERR_IO);
    assert_int_equal(lochan_fs__mkdirs("", &created, &err), LOCHAN_ERR_NOT_FOUND);
}

static lochan_status collect(void *ctx, const char *name, const lochan_stat *st,
                             lochan_error *err) {
    char *text = ctx;
    (void)err;
    strcat(text, name);
    strcat(text, st->is_dir ? "/ " : st->is_link ? "@ " : " ");
    return LOCHAN_OK;
}

static lochan_status stop_at_b(void *ctx, const char *name, const lochan_stat *st,
                               lochan_error *err) {
    LOCHAN_TRY(collect(ctx, name, st, err));
    return name[0] == 'b' ? lochan_error__set(err, LOCHAN_ERR_CANCELLED, "at b") : LOCHAN_OK;
}

static void test_fs_tree__list_in_byte_order(void **state) {
    (void)state;
    lochan_error err;
    char text[200] = "";
    tmpdir_write(at("b"), "", 0);
    tmpdir_write(at("a"), "", 0);
    tmpdir_write(at("Z"), "", 0);
    tmpdir_write(at(".h"), "", 0);
    tmpdir_mkdir(at("d"));
    assert_int_equal(symlink("/", at("root")), 0);
    assert_ok(lochan_fs__list(dir, collect, text, &err));
    assert_string_equal(text, ".h Z a b d/ root@ ");
    text[0] = '\0';
    assert_int_equal(lochan_fs__list(dir, stop_at_b, text, &err), LOCHAN_ERR_CANCELLED);
    assert_string_equal(err.message, "at b");
    assert_string_equal(text, ".h Z a b ");
    assert_int_equal(lochan_fs__list(at("none"), collect, text, &err), LOCHAN_ERR_NOT_FOUND);
    assert_int_equal(lochan_fs__list(at("a"), collect, text, &err), LOCHAN_ERR_IO);
    assert_string_equal(err.file, at("a"));
}

static lochan_status count(void *ctx, const char *name, const lochan_stat *st, lochan_error *err) {
    (void)name, (void)st, (void)err;
    ++*(int *)ctx;
    return LOCHAN_OK;
}

static void test_fs_tree__list_of_many(void **state) {
    (void)state;
    lochan_error err;
    int n = 0;
    for (int i = 0; i < 500; i++) {
        char name[20];
        snprintf(name, sizeof name, "%d", i);
        tmpdir_write(at(name), "", 0);
    }
    assert_ok(lochan_fs__list(dir, count, &n, &err));
    assert_int_equal(n, 500);
}

static void test_fs_tree__remove_tree_follows_no_link(void **state) {
    (void)state;
    lochan_error err;
    assert_ok(lochan_fs__mkdirs(at("keep/inner"), NULL, &err));
    tmpdir_write(at("keep/inner/f"), "x", 1);
    assert_ok(lochan_fs__mkdirs(at("gone/a/b/c"), NULL, &err));
    tmpdir_write(at("gone/a/f"), "x", 1);
    assert_int_equal(symlink(at("keep"), at("gone/a/b/link")), 0);
    assert_int_equal(symlink(at("keep"), at("rootlink")), 0);
    assert_ok(lochan_fs__remove_tree(at("gone"), &err));
    assert_false(lochan_fs__exists(at("gone")));
    assert_true(lochan_fs__exists(at("keep/inner/f")));
    assert_ok(lochan_fs__remove_tree(at("gone"), &err));
    assert_int_equal(lochan_fs__remove_tree(at("rootlink"), &err), LOCHAN_ERR_IO);
    assert_int_equal(lochan_fs__remove_tree(at("keep/inner/f"), &err), LOCHAN_ERR_IO);
    assert_true(lochan_fs__exists(at("keep/inner/f")));
}

static void test_fs_tree__remove_deep_tree(void **state) {
    (void)state;
    lochan_error err;
    char path[2000];
    size_t n = (size_t)snprintf(path, sizeof path, "%s", at("deep"));
    for (int i = 0; i < 300; i++)
        n += (size_t)snprintf(path + n, sizeof path - n, "/d%d", i);
    assert_ok(lochan_fs__mkdirs(path, NULL, &err));
    assert_ok(lochan_fs__remove_tree(at("deep"), &err));
    assert_false(lochan_fs__exists(at("deep")));
}

static void test_fs_tree__read_all_limits(void **state) {
    (void)state;
    lochan_error err;
    lochan_buf b;
    lochan_buf__init(&b, 100);
    tmpdir_write(at("f"), "0123456789", 10);
    assert_ok(lochan_fs__read_all(at("f"), 10, &b, &err));
    assert_ok(lochan_fs__read_all(at("f"), 100, &b, &err)); /* appends */
    assert_string_equal((char *)b.data, "01234567890123456789");
    assert_int_equal(lochan_fs__read_all(at("f"), 9, &b, &err), LOCHAN_ERR_MEMORY_LIMIT);
    assert_int_equal(b.len, 20);
    assert_string_equal(err.file, at("f"));
    assert_int_equal(lochan_fs__read_all(at("none"), 9, &b, &err), LOCHAN_ERR_NOT_FOUND);
    assert_int_equal(lochan_fs__read_all(dir, 9, &b, &err), LOCHAN_ERR_IO);
    lochan_buf__deinit(&b);
    lochan_buf__init(&b, 10); /* a buffer that just fits */
    assert_ok(lochan_fs__read_all(at("f"), 1000, &b, &err));
    assert_int_equal(lochan_fs__read_all(at("f"), 1000, &b, &err), LOCHAN_ERR_MEMORY_LIMIT);
    lochan_buf__deinit(&b);
    tmpdir_write(at("empty"), "", 0);
    assert_ok(lochan_fs__read_all(at("empty"), 0, &b, &err));
    assert_int_equal(b.len, 0);
    lochan_buf__deinit(&b);
    lochan_buf__init(&b, 1 << 20); /* its size says 0 */
    assert_ok(lochan_fs__read_all("/proc/self/status", 1 << 20, &b, &err));
    assert_true(b.len > 100);
    lochan_buf__clear(&b);
    assert_int_equal(lochan_fs__read_all("/proc/self/status", 100, &b, &err),
                     LOCHAN_ERR_MEMORY_LIMIT);
    lochan_buf__deinit(&b);
}

static void test_fs_tree__write_all_replaces(void **state) {
    (void)state;
    lochan_error err;
    char text[200] = "";
    assert_ok(lochan_fs__write_all(at("f"), "one", 3, &err));
    assert_ok(lochan_fs__write_all(at("f"), "two!", 4, &err));
    assert_ok(lochan_fs__write_all(at("empty"), NULL, 0, &err));
    char *got = tmpdir_read(at("f"), NULL);
    assert_string_equal(got, "two!");
    free(got);
    assert_ok(lochan_fs__list(dir, collect, text, &err));
    assert_string_equal(text, "empty f "); /* nothing temporary is left */
    assert_int_equal(lochan_fs__write_all(at("none/f"), "x", 1, &err), LOCHAN_ERR_NOT_FOUND);
}

static void test_fs_tree__write_all_in_the_current_folder(void **state) {
    (void)state;
    lochan_error err;
    char *before = realpath(".", NULL);
    assert_int_equal(chdir(dir), 0);
    assert_ok(lochan_fs__write_all("plain", "x", 1, &err));
    assert_true(lochan_fs__exists(at("plain")));
    assert_int_equal(chdir(before), 0);
    free(before);
}

static void test_fs_tree__sync_of_folders(void **state) {
    (void)state;
    lochan_error err;
    assert_ok(lochan_fs__sync_dir(dir, &err));
    assert_ok(lochan_fs__sync_all(dir, &err));
    assert_int_equal(lochan_fs__sync_dir(at("none"), &err), LOCHAN_ERR_NOT_FOUND);
    assert_int_equal(lochan_fs__sync_all(at("none"), &err), LOCHAN_ERR_NOT_FOUND);
}

static void test_fs_tree__paths(void **state) {
    (void)state;
    static const struct {
        const char *a, *b, *joined;
    } cases[] = {{"a", "b/c", "a/b/c"}, {"a/", "b", "a/b"}, {"/", "b", "/b"}, {"", "b", "b"}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(cases); i++) {
        char *p = lochan_path__join(cases[i].a, cases[i].b);
        assert_string_equal(p, cases[i].joined);
        lochan_mem__free(p);
    }
    assert_string_equal(lochan_path__basename("a/b/c"), "c");
    assert_string_equal(lochan_path__basename("c"), "c");
    assert_string_equal(lochan_path__basename("a/"), "");
}

static void test_fs_tree__relative_paths(void **state) {
    (void)state;
    static const char *const good[] = {
        "a", "a/b", "data/x/year=2024/1.parquet", "..a", "a..", "...", ".a/b", "a b"};
    static const char *const bad[] = {"",     "/",    "/a",   "a/",    "a//b",
                                      ".",    "..",   "./a",  "a/.",   "a/../b",
                                      "../a", "a/..", "a\nb", "a\x7f", "\x01"};
    lochan_error err;
    for (size_t i = 0; i < LOCHAN_COUNTOF(good); i++)
        assert_ok(lochan_path__check_relative(good[i], &err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++)
        assert_int_equal(lochan_path__check_relative(bad[i], &err), LOCHAN_ERR_INVALID_ARGUMENT);
}

/* As an unprivileged user, in a child; under a user who is one already the same holds. */
static lochan_status look_at_read_only(void *ctx, lochan_error *err) {
    (void)ctx;
    if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "cannot become another user");
    if (lochan_fs__writable(at("ro")) || lochan_fs__writable(at("ro/f")))
        return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "called writable");
    lochan_buf b;
    lochan_buf__init(&b, 10);
    lochan_status rc;
    LOCHAN_TRYG(lochan_fs__read_all(at("ro/f"), 10, &b, err));
    lochan_status codes[] = {
        lochan_fs__write_all(at("ro/g"), "x", 1, NULL), lochan_fs__unlink(at("ro/f"), false, NULL),
        lochan_fs__rename(at("ro/f"), at("ro/h"), NULL),
        lochan_fs__mkdirs(at("ro/d/e"), NULL, NULL), lochan_fs__link(at("ro/f"), at("ro/h"), NULL)};
    for (size_t i = 0; i < LOCHAN_COUNTOF(codes); i++) {
        if (codes[i] != LOCHAN_ERR_READ_ONLY)
            rc = lochan_error__set(err, LOCHAN_ERR_INTERNAL, "change %zu gave %d", i, codes[i]);
    }
done:
    lochan_buf__deinit(&b);
    return rc;
}

static void test_fs_tree__read_only_folder(void **state) {
    (void)state;
    tmpdir_mkdir(at("ro"));
    tmpdir_write(at("ro/f"), "text", 4);
    assert_int_equal(chmod(dir, 0755) | chmod(at("ro/f"), 0444) | chmod(at("ro"), 0555), 0);
    kill_result r = kill_list(look_at_read_only, NULL, NULL);
    if (r.rc != LOCHAN_OK)
        fail_msg("%s", r.err.message);
}

static void prep_whole(void *ctx) {
    (void)ctx;
    tmpdir_clear(dir);
    tmpdir_write(at("f"), "old", 3);
}

static lochan_status replace_whole(void *ctx, lochan_error *err) {
    (void)ctx;
    return lochan_fs__write_all(at("f"), "new text", 8, err);
}

static void check_whole(void *ctx, lochan_status rc) {
    (void)ctx;
    char *text = tmpdir_read(at("f"), NULL);
    if (rc == LOCHAN_OK)
        assert_string_equal(text, "new text");
    else
        assert_true(strcmp(text, "old") == 0 || strcmp(text, "new text") == 0);
    free(text);
}

static void test_fs_tree__write_all_is_whole_under_every_fault(void **state) {
    (void)state;
    fault_totals t = fault_sweep(&(fault_case){.name = "write_all",
                                               .prep = prep_whole,
                                               .body = replace_whole,
                                               .check = check_whole,
                                               .kinds = FAULT_ALL});
    assert_true(t.failed > 20);
    alloc_install();
}

static void prep_tree(void *ctx) {
    (void)ctx;
    tmpdir_clear(dir);
    tmpdir_mkdir(at("t"));
    tmpdir_mkdir(at("t/a"));
    tmpdir_write(at("t/a/f"), "x", 1);
    tmpdir_write(at("t/g"), "x", 1);
    tmpdir_write(at("in"), "0123456789", 10);
}

static lochan_status work_on_tree(void *ctx, lochan_error *err) {
    (void)ctx;
    char text[300] = "";
    lochan_buf b;
    lochan_buf__init(&b, 100);
    lochan_status rc;
    LOCHAN_TRYG(lochan_fs__mkdirs(at("m/n/o"), NULL, err));
    LOCHAN_TRYG(lochan_fs__sync_dir(at("m/n"), err));
    LOCHAN_TRYG(lochan_fs__sync_all(dir, err));
    LOCHAN_TRYG(lochan_fs__read_all(at("in"), 50, &b, err));
    assert_string_equal((char *)b.data, "0123456789");
    LOCHAN_TRYG(lochan_fs__link(at("in"), at("in2"), err));
    LOCHAN_TRYG(lochan_fs__rename(at("in2"), at("in3"), err));
    LOCHAN_TRYG(lochan_fs__list(dir, collect, text, err));
    assert_string_equal(text, "in in3 m/ t/ ");
    LOCHAN_TRYG(lochan_fs__unlink(at("in3"), false, err));
    LOCHAN_TRYG(lochan_fs__remove_tree(at("t"), err));
done:
    lochan_buf__deinit(&b);
    return rc;
}

static void check_tree(void *ctx, lochan_status rc) {
    (void)ctx;
    if (rc == LOCHAN_OK) {
        assert_false(tmpdir_exists(at("t")));
        assert_false(tmpdir_exists(at("in3")));
        assert_true(tmpdir_exists(at("m/n/o")));
    }
    assert_true(tmpdir_exists(at("in")));
}

static void test_fs_tree__trees_under_every_fault(void **state) {
    (void)state;
    fault_totals t = fault_sweep(&(fault_case){.name = "tree",
                                               .prep = prep_tree,
                                               .body = work_on_tree,
                                               .check = check_tree,
                                               .kinds = FAULT_ALL});
    assert_true(t.failed > 60);
    alloc_install();
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void) {
    const struct CMUnitTest tests[] = {
        CASE(test_fs_tree__stat_and_exists),
        CASE(test_fs_tree__rename_link_unlink),
        CASE(test_fs_tree__mkdirs),
        CASE(test_fs_tree__list_in_byte_order),
        CASE(test_fs_tree__list_of_many),
        CASE(test_fs_tree__remove_tree_follows_no_link),
        CASE(test_fs_tree__remove_deep_tree),
        CASE(test_fs_tree__read_all_limits),
        CASE(test_fs_tree__write_all_replaces),
        CASE(test_fs_tree__write_all_in_the_current_folder),
        CASE(test_fs_tree__sync_of_folders),
        CASE(test_fs_tree__paths),
        CASE(test_fs_tree__relative_paths),
        CASE(test_fs_tree__read_only_folder),
        CASE(test_fs_tree__write_all_is_whole_under_every_fault),
        CASE(test_fs_tree__trees_under_every_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
