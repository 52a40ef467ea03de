/* verify.c - checks of lake.db and the journal, for people: findings are handed to a callback, and
 * the check goes on. Invariant: changes nothing. May call: base/, internal.h.
 */
#include "catalog/internal.h"

#include <string.h>

typedef struct check {
    lochan_catalog *catalog;
    lochan_problem_fn fn;
    void *ctx;
    uint64_t journal_seq;
    lochan_hash128 journal_hash;
} check;

/* ---- lake.db ---- */

static lochan_status check_sqlite(check *c, lochan_db *db, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->handle, "PRAGMA quick_check(20)", -1, &stmt, NULL);
    if (code != SQLITE_OK)
        return lochan_db__fail(db, code, "checking the catalog", err);
    while (rc == LOCHAN_OK && (code = sqlite3_step(stmt)) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(stmt, 0);
        if (text && strcmp(text, "ok") != 0)
            rc = c->fn(c->ctx, "catalog", LOCHAN_DB_NAME, text, err);
    }
    if (rc == LOCHAN_OK && code != SQLITE_DONE && code != SQLITE_ROW) {
        if ((code & 0xFF) == SQLITE_CORRUPT || (code & 0xFF) == SQLITE_NOTADB)
            rc = c->fn(c->ctx, "catalog", LOCHAN_DB_NAME, sqlite3_errmsg(db->handle), err);
        else
            rc = lochan_db__fail(db, code, "checking the catalog", err);
    }
    sqlite3_finalize(stmt);
    return rc;
}

/* References that must hold; each query gives a line for every row that breaks it. */
static const char *const references[] = {
    "SELECT 'data file ' || data_file_id || ' belongs to no table' FROM ducklake_data_file WHERE "
    "table_id NOT IN "
    "(SELECT table_id FROM ducklake_table)",
    "SELECT 'data file ' || data_file_id || ' ends before it begins' FROM ducklake_data_file WHERE "
    "end_snapshot <= "
    "begin_snapshot",
    "SELECT 'data file ' || data_file_id || ' begins with a snapshot younger than the newest' FROM "
    "ducklake_data_file "
    "WHERE begin_snapshot > (SELECT max(snapshot_id) FROM ducklake_snapshot)",
    "SELECT 'table ' || s.table_id || ': ' || s.record_count || ' rows counted, its files hold ' "
    "|| "
    "coalesce(sum(d.record_count), 0) FROM ducklake_table_stats s JOIN ducklake_table t ON "
    "t.table_id = s.table_id AND "
    "t.end_snapshot IS NULL LEFT JOIN ducklake_data_file d ON d.table_id = s.table_id AND "
    "d.end_snapshot IS NULL WHERE "
    "s.table_id NOT IN (SELECT table_id FROM ducklake_delete_file) AND s.table_id NOT IN (SELECT "
    "table_id FROM "
    "ducklake_inlined_data_tables) GROUP BY s.table_id HAVING s.record_count <> "
    "coalesce(sum(d.record_count), 0)",
    "SELECT 'column ' || column_id || ' of table ' || table_id || ' has no parent' FROM "
    "ducklake_column c WHERE "
    "parent_column IS NOT NULL AND NOT EXISTS (SELECT 1 FROM ducklake_column p WHERE p.table_id = "
    "c.table_id AND "
    "p.column_id = c.parent_column)",
    "SELECT 'path ' || path || ' is listed ' || count(*) || ' times' FROM ducklake_data_file GROUP "
    "BY table_id, path "
    "HAVING count(*) > 1",
    "SELECT 'dataset ' || source || '/' || name || ' names table ' || table_id || ', which there "
    "is not' FROM "
    "lochan_dataset WHERE table_id IS NOT NULL AND table_id NOT IN (SELECT table_id FROM "
    "ducklake_table)",
};

static lochan_status check_references(check *c, lochan_db *db, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    for (size_t i = 0; i < LOCHAN_COUNTOF(references) && rc == LOCHAN_OK; i++) {
        sqlite3_stmt *stmt = NULL;
        int code = sqlite3_prepare_v2(db->handle, references[i], -1, &stmt, NULL);
        int found = 0;
        while (code == SQLITE_OK && rc == LOCHAN_OK && found < 20 &&
               sqlite3_step(stmt) == SQLITE_ROW) {
            const char *text = (const char *)sqlite3_column_text(stmt, 0);
            rc = c->fn(c->ctx, "catalog", LOCHAN_DB_NAME, text ? text : "a row has no text", err);
            found++;
        }
        if (code == SQLITE_OK)
            code = sqlite3_finalize(stmt);
        if (rc == LOCHAN_OK && code != SQLITE_OK)
            rc = c->fn(c->ctx, "catalog", LOCHAN_DB_NAME, sqlite3_errmsg(db->handle), err);
    }
    return rc;
}

/* ---- journal ---- */

static lochan_status ignore_row(void *ctx, lochan_row_kind kind, lochan_row_op op,
                                const lochan_value *values, size_t n, lochan_error *err) {
    (void)ctx;
    (void)kind;
    (void)op;
    (void)values;
    (void)n;
    (void)err;
    return LOCHAN_OK;
}

static lochan_status on_record(void *ctx, const char *path, const lochan_record_view *record,
                               lochan_error *err) {
    check *c = ctx;
    lochan_error why;
    c->journal_seq = record->seq;
    c->journal_hash = record->hash;
    if (lochan_record__each_row(record, ignore_row, NULL, &why) != LOCHAN_OK)
        return c->fn(c->ctx, "journal", path, why.message, err);
    return LOCHAN_OK;
}

static lochan_status on_problem(void *ctx, const char *path, uint64_t offset, const char *detail,
                                lochan_error *err) {
    check *c = ctx;
    char text[300];
    lochan_format(text, sizeof text, "%s (at byte %llu)", detail, (unsigned long long)offset);
    return c->fn(c->ctx, "journal", path, text, err);
}

static lochan_status compare(check *c, lochan_db *db, lochan_error *err) {
    char text[200];
    uint64_t seq, oldest;
    lochan_hash128 hash;
    LOCHAN_TRY(lochan_journal__newest(db, &seq, &hash, &oldest, err));
    if (c->journal_seq > seq) {
        lochan_format(text, sizeof text, "ends with record %llu, lake.db with %llu",
                      (unsigned long long)c->journal_seq, (unsigned long long)seq);
        return c->fn(c->ctx, "journal", LOCHAN_JOURNAL_DIR, text, err);
    }
    if (c->journal_seq + 1 < oldest) {
        lochan_format(text, sizeof text, "records %llu to %llu are missing",
                      (unsigned long long)c->journal_seq + 1, (unsigned long long)oldest - 1);
        return c->fn(c->ctx, "journal", LOCHAN_JOURNAL_DIR, text, err);
    }
    if (c->journal_seq == seq && (hash.lo != c->journal_hash.lo || hash.hi != c->journal_hash.hi))
        return c->fn(c->ctx, "journal", LOCHAN_JOURNAL_DIR,
                     "its last record is not the one lake.db knows", err);
    return LOCHAN_OK;
}

lochan_status lochan_catalog__verify(lochan_catalog *catalog, lochan_problem_fn fn, void *ctx,
                                     lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    check c = {catalog, fn, ctx, 0, {0, 0}};
    /* the journal first: lake.db is never behind it */
    lochan_status journal = lochan_journal__each(catalog->path, on_record, on_problem, &c, err);
    if (journal == LOCHAN_ERR_NOT_FOUND)
        journal = fn(ctx, "journal", LOCHAN_JOURNAL_DIR, "the folder is missing", err);
    LOCHAN_TRY(journal);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    LOCHAN_TRYG(check_sqlite(&c, db, err));
    LOCHAN_TRYG(check_references(&c, db, err));
    LOCHAN_TRYG(compare(&c, db, err));
done:
    lochan_catalog__read_end(catalog);
    return rc;
}
