/* test_hostile_lake.c - lake.db and journal from an enemy or a bad disk: every call that reads
 * gives an error or rows, and does not crash, hang, or ask for absurd memory.
 *
 * Each round damages a copy: some bytes of lake.db or of the journal, or, through SQL, a value of
 * any column of any table, or the schema itself. LOCHAN_HOSTILE_ROUNDS and LOCHAN_HOSTILE_SEED ask
 * for more rounds and for others; LOCHAN_HOSTILE_VERBOSE prints each before it is tried.
 */
#include "pipeline/pipeline.h"

#include "run/run_env.h"

#include <dirent.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <unistd.h>

enum { ROUNDS = 300, SECONDS_A_ROUND = 60 };

typedef struct hostile {
    pipe_lake base;
    run_env env;
    char template[320];
    uint64_t seed;
    char what[700]; /* the damage of this round */
    long opened, readings, errors;
} hostile;

static uint64_t rnd(hostile *h, uint64_t below) {
    h->seed = h->seed * 6364136223846793005ull + 1442695040888963407ull;
    return (h->seed >> 33) % below;
}

static int setting(const char *name, int otherwise) {
    const char *text = getenv(name);
    return text && *text ? atoi(text) : otherwise;
}

#ifdef __SANITIZE_ADDRESS__
/* An allocation that a claim of the input decides ends the program. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "max_allocation_size_mb=600:allocator_may_return_null=0";
}
#endif

/* ---- damage ---- */

/* One of the bytes, a few next to each other, or the end is another one. */
static void spoil_bytes(hostile *h, const char *path) {
    size_t n;
    char *bytes = tmpdir_read(path, &n);
    assert_non_null(bytes);
    size_t hits = 1 + rnd(h, 8), at = rnd(h, n), kept = n;
    snprintf(h->what, sizeof h->what, "%zu bytes from %zu on of %s", hits, at, path);
    if (rnd(h, 8) == 0)
        kept = rnd(h, n);
    for (size_t i = 0; i < hits; i++) {
        bytes[at] = (char)(rnd(h, 3) ? bytes[at] ^ (1 << rnd(h, 8)) : (int)rnd(h, 256));
        at = rnd(h, 2) ? (at + 1) % n : rnd(h, n);
    }
    tmpdir_write(path, bytes, kept);
    free(bytes);
}

static const char *const values[] = {
    "NULL",
    "-1",
    "0",
    "1",
    "2",
    "9223372036854775807",
    "-9223372036854775808",
    "4294967296",
    "1e308",
    "'text'",
    "''",
    "'../../../../etc/passwd'",
    "'/etc/passwd'",
    "'a/../../b'",
    "'.'",
    "'data/../../x.parquet'",
    "x'ff00fe'",
    "zeroblob(70000)",
    "replace(hex(zeroblob(40000)),'0','[')",
    "replace(hex(zeroblob(3000)),'00','{\"a\":')",
    "'9999999999-99-99'",
    "'{\"a\":1'",
    "'decimal(99,-9)'",
    "'struct'",
    "'int64'",
    "'list'",
    "char(10)",
    "'%s%n'",
};

/* With %t a table, %c one of its columns, %v one of the values above, %n a row. */
static const char *const statements[] = {
    "UPDATE \"%t\" SET \"%c\" = %v",
    "UPDATE \"%t\" SET \"%c\" = %v WHERE rowid = %n",
    "UPDATE \"%t\" SET \"%c\" = %v WHERE rowid = %n",
    "UPDATE \"%t\" SET \"%c\" = %v WHERE rowid = %n",
    "UPDATE \"%t\" SET \"%c\" = \"%c\" + 1",
    "UPDATE \"%t\" SET \"%c\" = -\"%c\"",
    "DELETE FROM \"%t\"",
    "DELETE FROM \"%t\" WHERE rowid = %n",
    "DROP TABLE \"%t\"",
    "ALTER TABLE \"%t\" RENAME COLUMN \"%c\" TO other",
    "INSERT INTO \"%t\" SELECT * FROM \"%t\"",
    "CREATE TABLE copy AS SELECT * FROM \"%t\"; DROP TABLE \"%t\"; CREATE VIEW \"%t\" AS SELECT * "
    "FROM copy",
    "CREATE TABLE copy AS SELECT * FROM \"%t\"; DROP TABLE \"%t\"; ALTER TABLE copy RENAME TO "
    "\"%t\";"
    " INSERT INTO \"%t\" SELECT * FROM \"%t\"",
    "CREATE TRIGGER bad AFTER INSERT ON \"%t\" BEGIN DELETE FROM \"%t\"; END",
    "DROP TABLE \"%t\"; CREATE VIEW \"%t\" AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x "
    "+ 1"
    " FROM n) SELECT x AS \"%c\" FROM n",
    "UPDATE ducklake_column SET parent_column = column_id WHERE rowid = %n",
    "UPDATE ducklake_column SET parent_column = 3 - column_id WHERE column_id < 3",
    "UPDATE ducklake_snapshot SET next_file_id = %v, next_catalog_id = %v",
    "UPDATE ducklake_table_stats SET record_count = %v, next_row_id = %v",
    "UPDATE ducklake_data_file SET record_count = %v, file_size_bytes = %v, footer_size = %v",
    "UPDATE lochan_dataset SET spec = %v",
    "UPDATE lochan_coverage SET day_from = -day_to",
    "PRAGMA user_version = 77; PRAGMA application_id = 1",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET sql = %v WHERE name = '%t'",
    "PRAGMA writable_schema = ON; UPDATE sqlite_master SET rootpage = %n WHERE name = '%t'",
};

static char *one_text(sqlite3 *db, const char *sql, hostile *h) {
    sqlite3_stmt *stmt;
    char *found = NULL;
    int n = 0;
    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &stmt, NULL), SQLITE_OK);
    while (sqlite3_step(stmt) == SQLITE_ROW) /* any of them, each as likely */
        if (rnd(h, (uint64_t)++n) == 0) {
            free(found);
            found = strdup((const char *)sqlite3_column_text(stmt, 0));
        }
    sqlite3_finalize(stmt);
    return found;
}

static void make_statement(hostile *h, const char *pattern, const char *table, const char *column) {
    size_t n = 0;
    for (const char *p = pattern; *p && n + 200 < sizeof h->what; p++) {
        char number[24];
        snprintf(number, sizeof number, "%d", 1 + (int)rnd(h, 20));
        const char *text = *p != '%'     ? NULL
                           : p[1] == 't' ? table
                           : p[1] == 'c' ? column
                           : p[1] == 'v' ? values[rnd(h, LOCHAN_COUNTOF(values))]
                                         : number;
        if (text)
            p++;
        n += (size_t)snprintf(h->what + n, sizeof h->what - n, text ? "%s" : "%.1s",
                              text ? text : p);
    }
}

/* What SQLite refuses to do is not done; the round then reads an undamaged lake. */
static void spoil_rows(hostile *h, const char *path) {
    sqlite3 *db;
    char sql[300];
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    char *table = one_text(
        db, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%'", h);
    snprintf(sql, sizeof sql, "SELECT name FROM pragma_table_info('%s')", table);
    char *column = one_text(db, sql, h);
    make_statement(h, statements[rnd(h, LOCHAN_COUNTOF(statements))], table, column);
    sqlite3_exec(db, h->what, NULL, NULL, NULL);
    sqlite3_close(db);
    free(table);
    free(column);
}

static void fresh_copy(hostile *h) {
    tmpdir_mkdir(h->base.path);
    tmpdir_clear(h->base.path);
    tmpdir_copy(h->template, h->base.path);
}

/* Returns whether the journal is what was hit. */
static bool spoil(hostile *h) {
    char path[420];
    bool journal = rnd(h, 4) == 0;
    snprintf(path, sizeof path, "%s/%s", h->base.path, journal ? "journal/000001.ljl" : "lake.db");
    if (journal || rnd(h, 3) == 0)
        spoil_bytes(h, path);
    else
        spoil_rows(h, path);
    if (getenv("LOCHAN_HOSTILE_VERBOSE"))
        fprintf(stderr, "%s\n", h->what);
    return journal;
}

/* ---- reading ---- */

/* An error says what is wrong; rows are sound Arrow data. */
static void count(hostile *h, lochan_status rc, const lochan_error *err) {
    h->readings++;
    h->errors += rc != LOCHAN_OK;
    if (rc != LOCHAN_OK && (err->code != rc || !err->message[0] || rc == LOCHAN_ERR_INTERNAL))
        fail_msg("after %s: %s: %s", h->what, lochan_status_name(rc), err->message);
}

static void drain(hostile *h, lochan_status rc, struct ArrowArrayStream *stream,
                  lochan_error *err) {
    if (rc == LOCHAN_OK) {
        char *text = NULL;
        rc = drain_text(stream, &text, err); /* checks what comes, releases the stream */
        free(text);
    }
    count(h, rc, err);
}

static void read_tables(hostile *h, lochan_lake *lake) {
    lochan_error err;
    struct ArrowArrayStream s;
    lochan_scan_options o = LOCHAN_SCAN_OPTIONS_INIT;
    drain(h, lochan_lake_scan(lake, "market", "daily", &o, &s, &err), &s, &err);
    o.where = "time >= '2020-02-10' and asset_id = 'A001'";
    drain(h, lochan_lake_scan(lake, "market", "daily", &o, &s, &err), &s, &err);
    o = (lochan_scan_options)LOCHAN_SCAN_OPTIONS_INIT;
    o.as_of = "kept";
    drain(h, lochan_lake_scan(lake, "market", "daily", &o, &s, &err), &s, &err);
    drain(h, lochan_lake_files(lake, NULL, NULL, &s, &err), &s, &err);
    drain(h, lochan_lake_files_at(lake, NULL, NULL, "kept", &s, &err), &s, &err);
    drain(h, lochan_lake_snapshots(lake, NULL, NULL, -1, &s, &err), &s, &err);
    drain(h, lochan_lake_snapshots(lake, "market", "daily", -1, &s, &err), &s, &err);
    drain(h, lochan_lake_diff(lake, "market", "daily", "kept", NULL, &s, &err), &s, &err);
    drain(h, lochan_runs_scan(lake, "holdings", NULL, 0, NULL, &s, &err), &s, &err);
    drain(h, lochan_run_table_list(lake, &s, &err), &s, &err);
    drain(h, lochan_run_list(lake, &s, &err), &s, &err);
    drain(h, lochan_runs_of(lake, "holdings", &s, &err), &s, &err);
}

static void read_lists(hostile *h, lochan_lake *lake) {
    lochan_error err;
    struct ArrowArrayStream s;
    char *text = NULL;
    drain(h, lochan_status_datasets(lake, NULL, NULL, &s, &err), &s, &err);
    drain(h, lochan_status_runs(lake, NULL, NULL, -1, &s, &err), &s, &err);
    drain(h, lochan_status_gaps(lake, "market", "daily", NULL, "2020-04-30", &s, &err), &s, &err);
    drain(h, lochan_status_scopes(lake, NULL, NULL, &s, &err), &s, &err);
    drain(h, lochan_status_failures(lake, NULL, NULL, -1, &s, &err), &s, &err);
    drain(h, lochan_status_partitions(lake, NULL, NULL, &s, &err), &s, &err);
    drain(h, lochan_status_rejects(lake, NULL, NULL, NULL, &s, &err), &s, &err);
    drain(h, lochan_source_list(lake, &s, &err), &s, &err);
    drain(h, lochan_dataset_list(lake, &s, &err), &s, &err);
    count(h, lochan_source_show(lake, "market", &text, &err), &err);
    lochan_free(text);
    count(h, lochan_dataset_show(lake, "market", "daily", &text, &err), &err);
    lochan_free(text);
    count(h, lochan_lake_sql(lake, &text, &err), &err);
    lochan_free(text);
    count(h, lochan_run_export(lake, "r", &text, &err), &err);
    lochan_free(text);
}

static void look_after(hostile *h, lochan_lake *lake) {
    lochan_error err;
    struct ArrowArrayStream s;
    lochan_verify_options verify = LOCHAN_VERIFY_OPTIONS_INIT;
    lochan_verify_report verified;
    lochan_repair_options repair = LOCHAN_REPAIR_OPTIONS_INIT;
    lochan_repair_report repaired;
    lochan_compact_options compact = LOCHAN_COMPACT_OPTIONS_INIT;
    lochan_compact_report compacted;
    lochan_expire_options expire = LOCHAN_EXPIRE_OPTIONS_INIT;
    lochan_expire_report expired;
    lochan_gc_options gc = LOCHAN_GC_OPTIONS_INIT;
    lochan_gc_report collected;
    lochan_commit_state state;
    int64_t snapshot;
    verify.deep = repair.dry_run = repair.deep = compact.dry_run = compact.full = true;
    expire.dry_run = gc.dry_run = true;
    expire.older_than = gc.grace = 0;
    drain(h, lochan_lake_verify(lake, &verify, &verified, &s, &err), &s, &err);
    drain(h, lochan_lake_repair(lake, NULL, NULL, &repair, &repaired, &s, &err), &s, &err);
    drain(h, lochan_lake_compact(lake, NULL, NULL, &compact, &compacted, &s, &err), &s, &err);
    drain(h, lochan_lake_gc(lake, &gc, &collected, &s, &err), &s, &err);
    count(h, lochan_lake_expire(lake, &expire, &expired, &err), &err);
    count(h, lochan_commit_status(lake, "no-such-token", &state, &snapshot, &err), &err);
}

static void read_everything(hostile *h, bool read_only) {
    lochan_error err;
    lochan_lake *lake = NULL;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    o.threads = 1;
    o.read_only = read_only;
    lochan_status rc = lochan_lake_open(h->base.path, &o, &lake, &err);
    count(h, rc, &err);
    if (rc != LOCHAN_OK)
        return;
    h->opened++;
    read_tables(h, lake);
    read_lists(h, lake);
    look_after(h, lake);
    if (!read_only) { /* writing finds more places that read */
        h->env.lake = lake;
        count(h, env_try_append(&h->env, "r", "holdings", HOLDINGS, "7 a A 1\n", NULL, &err), &err);
        count(h, lochan_lake_rollback(lake, "market", "daily", "kept", NULL, NULL, &err), &err);
        lochan_append_summary_deinit(&h->env.summary);
    }
    lochan_lake_close(lake);
}

/* lake.db from the journal, in place and in a private copy. */
static void read_journal(hostile *h) {
    lochan_error err;
    lochan_lake *lake = NULL;
    char path[420], *warning = NULL;
    lochan_lake_options o = LOCHAN_LAKE_OPTIONS_INIT;
    lochan_lake_rebuild_report report;
    struct ArrowArrayStream s;
    snprintf(path, sizeof path, "%s/lake.db", h->base.path);
    tmpdir_unlink(path);
    o.threads = 1;
    lochan_status rc = lochan_run_lake_open(h->base.path, &o, &warning, &lake, &err);
    count(h, rc, &err);
    if (rc == LOCHAN_OK)
        read_tables(h, lake);
    lochan_lake_close(lake);
    lochan_free(warning);
    drain(h, lochan_lake_rebuild(h->base.path, &o, NULL, &report, &s, &err), &s, &err);
}

/* ---- tests ---- */

static void quiet(void *payload, lochan_log_level level, const char *message) {
    (void)payload, (void)level, (void)message;
}

static void start(hostile *h) {
    lochan_error err;
    lochan_compact_options o = LOCHAN_COMPACT_OPTIONS_INIT;
    lochan_compact_report report;
    memset(h, 0, sizeof *h);
    const char *seed = getenv("LOCHAN_HOSTILE_SEED");
    h->seed = seed ? strtoull(seed, NULL, 10) : 1;
    h->base = pipe_start((market){.days = 60, .assets = 2}, NULL, "settle_days: 0\n");
    assert_ok(pipe_update(&h->base, "2020-02-10", NULL, NULL, &err));
    assert_ok(lochan_lake_tag(h->base.lake, "kept", NULL, NULL, NULL, &err));
    assert_ok(pipe_update(&h->base, "2020-02-29", NULL, NULL, &err));
    h->env.lake = h->base.lake;
    env_append(&h->env, "r", "holdings", HOLDINGS, "1 a A 1\n2 b A 2\n");
    env_append(&h->env, "r", "exchange", EXCHANGE "{a:l p{b:g}}", "1 " TRADE("1 2\n"));
    env_append(&h->env, "r", "holdings", HOLDINGS, "3 a A 1\n");
    lochan_append_summary_deinit(&h->env.summary);
    o.full = true;
    assert_ok(lochan_lake_compact(h->base.lake, NULL, NULL, &o, &report, NULL, &err));
    lochan_lake_close(h->base.lake);
    h->base.lake = NULL;
    provider_stop(&h->base.provider);
    sqlite3 *db; /* all of it in lake.db */
    char path[420];
    snprintf(path, sizeof path, "%s/lake.db", h->base.path);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, "PRAGMA wal_checkpoint(TRUNCATE)", NULL, NULL, NULL),
                     SQLITE_OK);
    sqlite3_close(db);
    snprintf(h->template, sizeof h->template, "%s/template", h->base.dir);
    tmpdir_mkdir(h->template);
    tmpdir_copy(h->base.path, h->template);
    lochan_log_set(quiet, NULL, LOCHAN_LOG_WARN);
}

static void test_hostile_lake__reading_is_an_error_or_rows(void **state) {
    hostile h;
    (void)state;
    start(&h);
    int rounds = setting("LOCHAN_HOSTILE_ROUNDS", ROUNDS);
    for (int i = 0; i < rounds; i++) {
        fresh_copy(&h);
        uint64_t seed = h.seed;
        bool journal = spoil(&h);
        if (getenv("LOCHAN_HOSTILE_VERBOSE"))
            fprintf(stderr, "round %d, seed %llu\n", i, (unsigned long long)seed);
        alarm(SECONDS_A_ROUND); /* a hang ends the program */
        read_everything(&h, rnd(&h, 2) == 0);
        if (journal)
            read_journal(&h);
        alarm(0);
    }
    print_message("%d rounds: %ld lakes opened, %ld calls, %ld errors\n", rounds, h.opened,
                  h.readings, h.errors);
    if (rounds >= ROUNDS)
        assert_true(h.errors > rounds / 4 && h.opened > rounds / 4);
    lochan_log_set(NULL, NULL, LOCHAN_LOG_WARN);
    pipe_stop(&h.base);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_hostile_lake__reading_is_an_error_or_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
