/* test_adopt.c - Parquet folders that become tables as they are: layouts, types, statistics, merges
 * into them, what is refused, faults. */
#include "parquet/writer.h"
#include "support/fault.h"
#include "table/lake_env.h"
#include "table/partition.h"

#include <sys/stat.h>
#include <unistd.h>

/* Writes rows of `columns`, a list of name and type (i = int32, l = int64, d = date, s = text, f =
 * float32, e = float64); values by position, '-' = null. */
static void put_file(lake_env *env, const char *path, const char *columns, const char *rows) {
    lochan_error err;
    char full[700], name[16], cell[64];
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    lochan_builder *b;
    lochan_pq_writer *w;
    lochan_ctx ctx = {0};
    lochan_buf bytes;
    static const lochan_type_id ids[128] = {
        ['i'] = LOCHAN_TYPE_INT32,  ['l'] = LOCHAN_TYPE_INT64,   ['d'] = LOCHAN_TYPE_DATE32,
        ['s'] = LOCHAN_TYPE_STRING, ['f'] = LOCHAN_TYPE_FLOAT32, ['e'] = LOCHAN_TYPE_FLOAT64};
    int n = 0, at = 0, used;
    char types[16];
    for (char type; sscanf(columns + at, " %15[^:]:%c%n", name, &type, &used) == 2; at += used)
        types[n++] = type;
    assert_ok(lochan_schema__init_struct(&schema, n, &err));
    at = 0;
    for (int i = 0; i < n; i++) {
        lochan_type type = {.id = ids[(int)types[i]]};
        sscanf(columns + at, " %15[^:]:%*c%n", name, &used);
        at += used;
        assert_ok(lochan_schema__set_field(schema.children[i], name, &type, true, &err));
    }
    assert_ok(lochan_builder__create(&schema, &b, &err));
    for (int i = 0; sscanf(rows, " %63s%n", cell, &used) == 1; rows += used, i = (i + 1) % n) {
        lochan_builder *c = lochan_builder__child(b, i);
        int64_t v = 0;
        int32_t day = 0;
        double f = 0;
        if (strcmp(cell, "-") == 0)
            assert_ok(lochan_builder__null(c, &err));
        else if (types[i] == 's')
            assert_ok(lochan_builder__bytes_value(c, cell, strlen(cell), &err));
        else if (types[i] == 'd' && lochan_civil__parse_date(cell, strlen(cell), &day))
            assert_ok(lochan_builder__int64(c, day, &err));
        else if (lochan_parse__int64(cell, strlen(cell), &v) && types[i] != 'f' && types[i] != 'e')
            assert_ok(lochan_builder__int64(c, v, &err));
        else if (lochan_parse__double(cell, strlen(cell), false, &f))
            assert_ok(lochan_builder__double(c, f, &err));
        if (i + 1 == n)
            assert_ok(lochan_builder__end_row(b, &err));
    }
    assert_ok(lochan_builder__finish(b, &batch, &err));
    lochan_builder__free(b);
    lochan_buf__init(&bytes, 1 << 20);
    lochan_pq_sink sink = lochan_pq_sink__of_buf(&bytes);
    assert_ok(lochan_pq_writer__open(&ctx, &sink, &schema, NULL, &w, &err));
    assert_ok(lochan_pq_writer__write_batch(w, &batch, &err));
    assert_ok(lochan_pq_writer__close(w, NULL, &err));
    lochan_pq_writer__free(w);
    snprintf(full, sizeof full, "%s/%s", env->dir, path);
    *strrchr(full, '/') = '\0';
    assert_ok(lochan_fs__mkdirs(full, NULL, &err));
    snprintf(full, sizeof full, "%s/%s", env->dir, path);
    assert_ok(lochan_fs__write_all(full, bytes.data, bytes.len, &err));
    lochan_buf__deinit(&bytes);
    lochan_array__release(&batch);
    lochan_schema__release(&schema);
}

static lochan_status try_adopt(lake_env *env, const char *dir, bool keyed, int how,
                               lochan_adopt_report *r, lochan_error *err) {
    static const char *const key[] = {"time", "asset_id"};
    lochan_adopt_options o = LOCHAN_ADOPT_OPTIONS_INIT;
    char full[700];
    snprintf(full, sizeof full, "%s/%s", env->dir, dir);
    o.key = key;
    o.n_key = keyed ? 2 : 0;
    o.how = how;
    return lochan_lake_adopt(env->lake, full, &o, r, NULL, err);
}

static lochan_adopt_report adopt(lake_env *env, const char *dir, bool keyed) {
    lochan_error err;
    lochan_adopt_report r;
    assert_ok(try_adopt(env, dir, keyed, LOCHAN_ADOPT_LINK, &r, &err));
    return r;
}

#define DAILY "time:d asset_id:s price:e qty:l"

static void put_months(lake_env *env) {
    put_file(env, "test/daily/year=2024/month=01/data.parquet", DAILY,
             "2024-01-02 B 2 2  2024-01-01 A 1 1");
    put_file(env, "test/daily/year=2024/month=02/data.parquet", DAILY, "2024-02-01 A - 3");
}

static const char *read_all(lake_env *env, const char *source, const char *dataset,
                            const char *where, const char *const *columns, size_t n) {
    lochan_error err;
    struct ArrowArrayStream stream;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    o.where = where;
    o.columns = columns;
    o.n_columns = n;
    assert_ok(lochan_lake_scan(env->lake, source, dataset, &o, &stream, &err));
    assert_ok(env_drain(env, &stream, &err));
    lochan_stream__release(&stream);
    return env->text;
}

static const char *const market[] = {"time", "asset_id", "price", "qty"};

static const char *read_market(lake_env *env, const char *where) {
    return read_all(env, "test", "daily", where, market, 4);
}

static void test_adopt__months_of_a_date(void **state) {
    lake_env *env = *state;
    lochan_error err;
    put_months(env);
    lochan_adopt_report r = adopt(env, "test", true);
    assert_int_equal(r.datasets, 1);
    assert_int_equal(r.files, 2);
    assert_int_equal(r.rows, 3);
    assert_true(r.snapshot_id > 0);
    assert_string_equal(read_market(env, NULL),
                        "2024-01-02 B 2 2\n2024-01-01 A 1 1\n2024-02-01 A - 3\n");
    assert_string_equal(read_market(env, "time > '2024-01-15'"), "2024-02-01 A - 3\n");
    assert_string_equal(read_market(env, "qty < 2"), "2024-01-01 A 1 1\n");
    lochan_table *t;
    assert_ok(lochan_table__open(env->lake, "test", "daily", -1, &t, &err));
    assert_string_equal(t->partition->name, "year_month");
    assert_int_equal(t->n_order, 2);
    lochan_table__close(t);
    env_verify(env, false);
}

static void test_adopt__again_is_nothing_and_new_files_come(void **state) {
    lake_env *env = *state;
    put_months(env);
    assert_int_equal(adopt(env, "test", true).files, 2);
    lochan_adopt_report r = adopt(env, "test/daily", true);
    assert_int_equal(r.files, 0);
    assert_int_equal(r.files_known, 2);
    assert_int_equal(r.snapshot_id, -1);
    put_file(env, "test/daily/year=2024/month=03/more.parquet", DAILY, "2024-03-01 C 4 4");
    r = adopt(env, "test", true);
    assert_int_equal(r.files, 1);
    assert_int_equal(r.files_known, 2);
    assert_string_equal(read_market(env, "qty = 4"), "2024-03-01 C 4 4\n");
    assert_int_equal(env_files(env), 3);
}

/* Sorted by nobody, so a partition is written anew as a whole; then nothing is foreign in it. */
static void test_adopt__updates_merge_into_it(void **state) {
    lake_env *env = *state;
    lochan_error err;
    put_months(env);
    put_file(env, "test/daily/year=2024/month=01/late.parquet", DAILY, "2024-01-01 A 5 5");
    adopt(env, "test", true);
    env_write(env, "2024-01-02 B 9 9\n2024-01-03 C 7 7\n");
    assert_int_equal(env->counts.rows_dropped, 1); /* the older A of January the first */
    assert_string_equal(read_market(env, NULL),
                        "2024-01-01 A 5 5\n2024-01-02 B 9 9\n2024-01-03 C 7 7\n2024-02-01 A - 3\n");
    env_write(env, "2024-01-03 C 8 8\n");
    assert_int_equal(env->counts.rows_replaced, 1);
    assert_int_equal(adopt(env, "test", true).files,
                     0); /* it has been here, whatever became of it */
    lochan_expire_report gone;
    lochan_expire_options o = LOCHAN_EXPIRE_OPTIONS_INIT;
    o.older_than = 0;
    assert_ok(lochan_lake_expire(env->lake, &o, &gone, &err));
    assert_true(gone.snapshots > 0);
    assert_int_equal(adopt(env, "test", true).files, 0);
    env_verify(env, true);
}

static void test_adopt__keys_of_folders_become_columns(void **state) {
    lake_env *env = *state;
    static const char *const columns[] = {"x", "year", "kind"};
    put_file(env, "s/t/year=2023/kind=a%20b/f.parquet", "x:i", "1 2");
    put_file(env, "s/t/year=2024/kind=c/f.parquet", "x:l", "1099511627776");
    put_file(env, "s/t/year=2024/kind=__HIVE_DEFAULT_PARTITION__/f.parquet", "x:i", "7");
    assert_int_equal(adopt(env, "s", false).files, 3);
    assert_string_equal(read_all(env, "s", "t", "kind is not null", columns, 3),
                        "1 2023 a b\n2 2023 a b\n1099511627776 2024 c\n");
    assert_string_equal(read_all(env, "s", "t", "kind = 'c' and year = 2024", columns, 1),
                        "1099511627776\n");
    assert_string_equal(read_all(env, "s", "t", "x = 7", &columns[1], 2), "2024 -\n");
    assert_string_equal(read_all(env, "s", "t", "kind is null", &columns[1], 1), "2024\n");
    env_verify(env, false);
}

static void test_adopt__types_widen_without_loss_only(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_adopt_report r;
    static const char *const columns[] = {"a", "b", "c"};
    put_file(env, "s/good/1.parquet", "a:i b:f", "1 0.1");
    put_file(env, "s/good/2.parquet", "b:e c:s", "0.25 z");
    put_file(env, "s/good/3.parquet", "a:l b:i", "2199023255552 3");
    adopt(env, "s/good", false);
    assert_string_equal(read_all(env, "s", "good", NULL, columns, 3),
                        "1 0.10000000149011612 -\n- 0.25 z\n2199023255552 3 -\n");
    assert_string_equal(read_all(env, "s", "good", "b > 0.1 and b < 0.2", columns, 1), "1\n");
    env_verify(env, false);
    put_file(env, "s/bad/1.parquet", "a:l b:i", "1 1");
    put_file(env, "s/bad/2.parquet", "a:l b:s", "1 x");
    assert_status(try_adopt(env, "s/bad", false, LOCHAN_ADOPT_LINK, &r, &err), LOCHAN_ERR_SCHEMA);
    assert_string_equal(err.column, "b");
    assert_non_null(strstr(err.file, "s/bad/2.parquet"));
    put_file(env, "s/lossy/1.parquet", "a:l", "1");
    put_file(env, "s/lossy/2.parquet", "a:e", "1");
    assert_status(try_adopt(env, "s/lossy", false, LOCHAN_ADOPT_LINK, &r, &err), LOCHAN_ERR_SCHEMA);
    env_verify(env, false); /* nothing of them is in the lake */
}

static void test_adopt__a_damaged_file_is_named_and_nothing_published(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_adopt_report r;
    char path[700];
    put_months(env);
    put_file(env, "test/other/f.parquet", "x:i", "1");
    snprintf(path, sizeof path, "%s/test/other/f.parquet", env->dir);
    assert_ok(lochan_fs__write_all(path, "PAR1 cut off", 12, &err));
    assert_status(try_adopt(env, "test", false, LOCHAN_ADOPT_LINK, &r, &err), LOCHAN_ERR_CORRUPT);
    assert_string_equal(err.file, path);
    assert_int_equal(r.snapshot_id, -1);
    assert_int_equal(env_files(env), 0);
    env_verify(env, false);
}

static void test_adopt__refuses_what_it_cannot_tell(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_adopt_report r;
    put_file(env, "s/mixed/year=2024/f.parquet", "x:i", "1");
    put_file(env, "s/mixed/f.parquet", "x:i", "1");
    assert_status(try_adopt(env, "s/mixed", false, 0, &r, &err), LOCHAN_ERR_DATA);
    put_file(env, "s/nulls/f.parquet", DAILY, "- A 1 1");
    assert_status(try_adopt(env, "s/nulls", true, 0, &r, &err), LOCHAN_ERR_DATA);
    assert_string_equal(err.column, "time");
    put_file(env, "s/gens/data-0123456789abcdef0123456789abcdef.parquet", "x:i", "1");
    put_file(env, "s/gens/data-1123456789abcdef0123456789abcdef.parquet", "x:i", "1");
    assert_status(try_adopt(env, "s/gens", false, 0, &r, &err), LOCHAN_ERR_UNSUPPORTED);
    assert_status(try_adopt(env, "lake/data", false, 0, &r, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(try_adopt(env, "lake", false, 0, &r, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    assert_status(try_adopt(env, "none", false, 0, &r, &err), LOCHAN_ERR_NOT_FOUND);
    put_file(env, "s/bad name/f.parquet", "x:i", "1");
    assert_status(try_adopt(env, "s/bad name", false, 0, &r, &err), LOCHAN_ERR_INVALID_ARGUMENT);
    put_months(env);
    adopt(env, "test", true);
    put_file(env, "other/test/daily/f.parquet", DAILY, "2024-01-01 A 1 1");
    assert_status(try_adopt(env, "other/test", true, 0, &r, &err), LOCHAN_ERR_SCHEMA);
    env_verify(env, false);
}

/* A key's column, where the files store one, is what its folder says. */
static void test_adopt__folders_do_not_contradict_rows(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_adopt_report r;
    static const char *const bad[][3] = {{"n/k=7", "k:l x:i", "7 1 8 2"},
                                         {"m/k=7", "k:l x:i", "- 1 7 2"},
                                         {"t/k=a", "k:s x:i", "b 1"},
                                         {"d/k=2024-01-02", "k:d x:i", "2024-01-01 1"},
                                         {"z/k=__HIVE_DEFAULT_PARTITION__", "k:l x:i", "- 1 1 2"}};
    static const char *const good[][3] = {{"ok/k=07", "k:l x:i", "7 1 7 2"},
                                          {"ok/k=__HIVE_DEFAULT_PARTITION__", "k:l x:i", "- 3"}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(bad); i++) {
        char path[100], dir[32];
        snprintf(path, sizeof path, "s/%s/f.parquet", bad[i][0]);
        snprintf(dir, sizeof dir, "s/%c", bad[i][0][0]);
        put_file(env, path, bad[i][1], bad[i][2]);
        assert_status(try_adopt(env, dir, false, 0, &r, &err), LOCHAN_ERR_DATA);
        assert_string_equal(err.column, "k");
        assert_non_null(strstr(err.file, path));
    }
    for (size_t i = 0; i < LOCHAN_COUNTOF(good); i++) {
        char path[100];
        snprintf(path, sizeof path, "s/%s/f.parquet", good[i][0]);
        put_file(env, path, good[i][1], good[i][2]);
    }
    adopt(env, "s/ok", false);
    static const char *const columns[] = {"k", "x"};
    assert_string_equal(read_all(env, "s", "ok", "k = 7", columns, 2), "7 1\n7 2\n");
    assert_string_equal(read_all(env, "s", "ok", "k is null", columns, 2), "- 3\n");
    env_verify(env, false);
}

/* What is no file, and what is another file by the time it is linked. */
static void test_adopt__pipes_and_links(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_adopt_report r;
    char path[700], target[700];
    put_file(env, "s/pipe/a.parquet", "x:i", "1");
    snprintf(path, sizeof path, "%s/s/pipe/b.parquet", env->dir);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_true(try_adopt(env, "s/pipe", false, 0, &r, &err) != LOCHAN_OK); /* and does not wait */
    assert_non_null(strstr(err.file, "b.parquet"));
    put_file(env, "s/link/a.parquet", "x:i", "1");
    snprintf(path, sizeof path, "%s/s/link/more", env->dir);
    snprintf(target, sizeof target, "%s/s/pipe", env->dir);
    assert_int_equal(symlink(target, path), 0);
    assert_status(try_adopt(env, "s/link", false, 0, &r, &err), LOCHAN_ERR_UNSUPPORTED);
    assert_int_equal(env_files(env), 0);
}

static lake_env *rewritten;

/* Somebody else adopts the same folder as soon as the first file is placed. */
static lochan_status adopt_too(void *self, const char *name, lochan_error *err) {
    (void)self;
    (void)err;
    if (strcmp(name, "table.adopt.placed") != 0)
        return LOCHAN_OK;
    lake_env other = {.path = rewritten->path, .dir = rewritten->dir};
    lochan_failpoint__set(NULL, NULL);
    env_open(&other);
    adopt(&other, "s/both", false);
    lochan_lake_close(other.lake);
    return LOCHAN_OK;
}

static void test_adopt__two_at_once_take_a_file_once(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_adopt_report r;
    put_file(env, "s/both/a.parquet", "x:i", "1");
    put_file(env, "s/both/b.parquet", "x:i", "2");
    rewritten = env;
    lochan_failpoint__set(adopt_too, NULL);
    assert_status(try_adopt(env, "s/both", false, 0, &r, &err), LOCHAN_ERR_CONFLICT);
    assert_int_equal(env_files(env), 2);
    env_verify(env, false);
    assert_int_equal(adopt(env, "s/both", false).files_known, 2);
}

/* Somebody writes a file anew as soon as the first one is placed. */
static lochan_status rewrite(void *self, const char *name, lochan_error *err) {
    (void)self;
    (void)err;
    if (strcmp(name, "table.adopt.placed") == 0)
        put_file(rewritten, "s/moving/b.parquet", "x:i", "5 6 7");
    return LOCHAN_OK;
}

static void test_adopt__a_file_that_changes_meanwhile(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_adopt_report r;
    for (int how = LOCHAN_ADOPT_LINK; how <= LOCHAN_ADOPT_MOVE; how++) {
        put_file(env, "s/moving/a.parquet", "x:i", "1");
        put_file(env, "s/moving/b.parquet", "x:i", "2");
        rewritten = env;
        lochan_failpoint__set(rewrite, NULL);
        lochan_status rc = try_adopt(env, "s/moving", false, how, &r, &err);
        lochan_failpoint__set(NULL, NULL);
        assert_status(rc, LOCHAN_ERR_CONFLICT);
        assert_non_null(strstr(err.file, "b.parquet"));
        assert_int_equal(env_files(env), 0);
        env_verify(env, false); /* nor is anything left behind */
    }
    assert_int_equal(adopt(env, "s/moving", false).rows, 4);
}

static void test_adopt__links_copies_and_moves(void **state) {
    lake_env *env = *state;
    lochan_error err;
    lochan_adopt_report r;
    static const char *const dirs[] = {"one", "two", "three"};
    for (int how = 0; how < 3; how++) {
        char path[700];
        lochan_stat st;
        snprintf(path, sizeof path, "s/%s/f.parquet", dirs[how]);
        put_file(env, path, "x:i", how == 0 ? "1" : how == 1 ? "2" : "3");
        snprintf(path, sizeof path, "s/%s", dirs[how]);
        assert_ok(try_adopt(env, path, false, how, &r, &err));
        snprintf(path, sizeof path, "%s/s/%s/f.parquet", env->dir, dirs[how]);
        assert_int_equal(lochan_fs__stat(path, &st, NULL) == LOCHAN_OK, how != LOCHAN_ADOPT_MOVE);
    }
    env_verify(env, false);
}

static void test_adopt__rebuild_and_diff_know_it(void **state) {
    lake_env *env = *state;
    lochan_error err;
    struct ArrowArrayStream stream;
    put_months(env);
    adopt(env, "test", true);
    put_file(env, "s/t/kind=c/f.parquet", "x:i", "5");
    lochan_adopt_report r = adopt(env, "s", false);
    put_file(env, "s/t/kind=d/f.parquet", "x:i", "6");
    adopt(env, "s", false);
    char from[24];
    snprintf(from, sizeof from, "%lld", (long long)r.snapshot_id);
    assert_ok(lochan_lake_diff(env->lake, "s", "t", from, NULL, &stream, &err));
    assert_ok(env_drain(env, &stream, &err));
    lochan_stream__release(&stream);
    assert_string_equal(env->text, "added 1 6 d\n");
    lochan_lake_close(env->lake);
    env->lake = NULL;
    lochan_lake_rebuild_report rebuilt;
    assert_ok(lochan_lake_rebuild(env->path, NULL, NULL, &rebuilt, NULL, &err));
    env_open(env);
    assert_string_equal(read_market(env, "time > '2024-01-15'"), "2024-02-01 A - 3\n");
    assert_string_equal(read_all(env, "s", "t", "kind = 'c'", NULL, 0), "5 c\n");
    assert_int_equal(adopt(env, "s", false).files, 0);
    env_verify(env, false);
}

/* ---- faults ---- */

typedef struct sweep {
    lake_env env;
    char *dir;
    char work[512]; /* the lake and what it adopts */
    bool fate_open;
} sweep;

static void prep(void *ctx) {
    sweep *s = ctx;
    const char *work = tmpdir_path(s->dir, "work");
    if (tmpdir_exists(work))
        tmpdir_clear(work);
    tmpdir_copy(tmpdir_path(s->dir, "template"), work);
    snprintf(s->work, sizeof s->work, "%s", work);
    s->env.dir = s->work;
    snprintf(s->env.path_text, sizeof s->env.path_text, "%s", tmpdir_path(s->env.dir, "lake"));
    s->env.path = s->env.path_text;
    env_open(&s->env);
}

static lochan_status body(void *ctx, lochan_error *err) {
    sweep *s = ctx;
    lochan_adopt_report r;
    lochan_status rc = try_adopt(&s->env, "test", true, LOCHAN_ADOPT_LINK, &r, err);
    s->fate_open = rc != LOCHAN_OK && err && strstr(err->hint, "take the commit back");
    return rc;
}

static void check(void *ctx, lochan_status rc) {
    sweep *s = ctx;
    lochan_lake_close(s->env.lake);
    env_open(&s->env);
    if (rc == LOCHAN_OK)
        assert_int_equal(env_files(&s->env), 2);
    else if (!s->fate_open)
        assert_int_equal(env_files(&s->env), 0);
    env_verify(&s->env, true);
    adopt(&s->env, "test", true); /* done again it is whole, and once */
    assert_string_equal(read_market(&s->env, NULL),
                        "2024-01-02 B 2 2\n2024-01-01 A 1 1\n2024-02-01 A - 3\n");
    lochan_lake_close(s->env.lake);
    s->env.lake = NULL;
    free(s->env.text);
    s->env.text = NULL;
}

static void test_adopt__under_faults(void **state) {
    sweep s = {.dir = tmpdir_make("adopt")};
    lochan_error err;
    (void)state;
    s.env.threads = 1;
    snprintf(s.work, sizeof s.work, "%s/template", s.dir);
    s.env.dir = s.work;
    snprintf(s.env.path_text, sizeof s.env.path_text, "%s", tmpdir_path(s.env.dir, "lake"));
    s.env.path = s.env.path_text;
    put_months(&s.env);
    assert_ok(lochan_lake_init(s.env.path, NULL, &err));
    fault_totals t = fault_sweep(&(fault_case){.name = "adopt",
                                               .prep = prep,
                                               .body = body,
                                               .check = check,
                                               .ctx = &s,
                                               .kinds = FAULT_ALL,
                                               .dense = 3});
    assert_true(t.runs > 3);
    tmpdir_remove(s.dir);
}

int main(void) {
#define TEST(name) cmocka_unit_test_setup_teardown(name, env_setup, env_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_adopt__months_of_a_date),
        TEST(test_adopt__again_is_nothing_and_new_files_come),
        TEST(test_adopt__updates_merge_into_it),
        TEST(test_adopt__keys_of_folders_become_columns),
        TEST(test_adopt__types_widen_without_loss_only),
        TEST(test_adopt__a_damaged_file_is_named_and_nothing_published),
        TEST(test_adopt__refuses_what_it_cannot_tell),
        TEST(test_adopt__folders_do_not_contradict_rows),
        TEST(test_adopt__pipes_and_links),
        TEST(test_adopt__a_file_that_changes_meanwhile),
        TEST(test_adopt__two_at_once_take_a_file_once),
        TEST(test_adopt__links_copies_and_moves),
        TEST(test_adopt__rebuild_and_diff_know_it),
        cmocka_unit_test(test_adopt__under_faults),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
