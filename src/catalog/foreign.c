/* foreign.c - commits of other DuckLake clients enter the journal.
 * Invariants: each snapshot that no lochan_commit names becomes one record of kind "foreign" with
 * the rows that begin or end with it, and the present state of the tables without history
 * (statistics); its files get lochan_file rows, so that partitions and conflicts are known for them
 * too. May call: internal.h.
 */
#include "catalog/internal.h"

#include "base/civil.h"
#include "base/clock.h"

#include <string.h>

/* How the rows of a foreign snapshot are found. */
typedef struct foreign_table {
    lochan_row_kind kind;
    bool begins;       /* rows with begin_snapshot = sid are new */
    bool ends;         /* rows with end_snapshot = sid were ended */
    const char *extra; /* another condition for new rows, ?1 = sid */
} foreign_table;

#define NEW_FILE                                                                                   \
    "data_file_id IN (SELECT data_file_id FROM ducklake_data_file WHERE begin_snapshot = ?1)"
#define HIT_TABLE                                                                                  \
    "table_id IN (SELECT table_id FROM ducklake_data_file WHERE begin_snapshot = ?1 OR "           \
    "end_snapshot = ?1 UNION "                                                                     \
    "SELECT table_id FROM ducklake_delete_file WHERE begin_snapshot = ?1 UNION "                   \
    "SELECT table_id FROM ducklake_table WHERE begin_snapshot = ?1)"

static const foreign_table foreign_tables[] = {
    {LOCHAN_ROW_SNAPSHOT, false, false, "snapshot_id = ?1"},
    {LOCHAN_ROW_SNAPSHOT_CHANGES, false, false, "snapshot_id = ?1"},
    {LOCHAN_ROW_SCHEMA, true, true, NULL},
    {LOCHAN_ROW_TABLE, true, true, NULL},
    {LOCHAN_ROW_COLUMN, true, true, NULL},
    {LOCHAN_ROW_VIEW, true, true, NULL},
    {LOCHAN_ROW_TAG, true, true, NULL},
    {LOCHAN_ROW_COLUMN_TAG, true, true, NULL},
    {LOCHAN_ROW_PARTITION_INFO, true, true, NULL},
    {LOCHAN_ROW_PARTITION_COLUMN, false, false,
     "partition_id IN (SELECT partition_id FROM ducklake_partition_info WHERE begin_snapshot = "
     "?1)"},
    {LOCHAN_ROW_SORT_INFO, true, true, NULL},
    {LOCHAN_ROW_SORT_EXPRESSION, false, false,
     "sort_id IN (SELECT sort_id FROM ducklake_sort_info WHERE begin_snapshot = ?1)"},
    {LOCHAN_ROW_SCHEMA_VERSIONS, false, false, "begin_snapshot = ?1"},
    {LOCHAN_ROW_DATA_FILE, true, true, NULL},
    {LOCHAN_ROW_DELETE_FILE, true, true, NULL},
    {LOCHAN_ROW_FILE_PARTITION_VALUE, false, false, NEW_FILE},
    {LOCHAN_ROW_FILE_COLUMN_STATS, false, false, NEW_FILE},
    {LOCHAN_ROW_FILE_VARIANT_STATS, false, false, NEW_FILE},
    {LOCHAN_ROW_TABLE_STATS, false, false, HIT_TABLE},
    {LOCHAN_ROW_TABLE_COLUMN_STATS, false, false, HIT_TABLE},
    {LOCHAN_ROW_INLINED_TABLES, false, false, "?1 = ?1"},
    {LOCHAN_ROW_COLUMN_MAPPING, false, false, "?1 = ?1"},
    {LOCHAN_ROW_NAME_MAPPING, false, false, "?1 = ?1"},
};

/* Rows of one query into the record. The record alone is written: the rows are in lake.db already.
 */
static lochan_status copy_rows(lochan_txn *txn, const foreign_table *f, lochan_row_op op,
                               const char *condition, int64_t sid, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_row_table *table = lochan_row__table(f->kind);
    lochan_value values[LOCHAN_ROW_MAX_COLUMNS];
    lochan_buf sql;
    lochan_arena arena;
    lochan_reader r = {txn->db, NULL, table->name, &arena, LOCHAN_OK, err};
    lochan_buf__init(&sql, 16384);
    lochan_arena__init(&arena, 0);
    size_t n = 0;
    LOCHAN_TRYG(lochan_buf__puts(&sql, "SELECT ", err));
    for (size_t i = 0; i < table->n_columns; i++) {
        if (op == LOCHAN_OP_END && !table->columns[i].key)
            continue;
        LOCHAN_TRYG(
            lochan_buf__printf(&sql, err, "%s\"%s\"", n ? "," : "", table->columns[i].name));
        n++;
    }
    LOCHAN_TRYG(lochan_buf__printf(&sql, err, " FROM %s WHERE %s", table->name, condition));
    int code = sqlite3_prepare_v2(txn->db->handle, (const char *)sql.data, -1, &r.stmt, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(r.stmt, 1, sid);
    if (code != SQLITE_OK) {
        rc = lochan_db__fail(txn->db, code, "recording another program's commit", err);
        goto done;
    }
    while (lochan_reader__next(&r)) {
        for (size_t i = 0; i < n; i++)
            values[i] = lochan_reader__value(&r, (int)i);
        if (op == LOCHAN_OP_END)
            values[n] = lochan_value__int(sid);
        if (r.rc == LOCHAN_OK)
            r.rc = lochan_record__add(&txn->record, f->kind, op, values,
                                      op == LOCHAN_OP_END ? n + 1 : n, err);
        lochan_arena__reset(&arena);
    }
    rc = r.rc;
done:
    sqlite3_finalize(r.stmt);
    lochan_arena__deinit(&arena);
    lochan_buf__deinit(&sql);
    return rc;
}

static lochan_status record_rows(lochan_txn *txn, int64_t sid, lochan_error *err) {
    /* ends first: an ended and a new row may have the same key */
    for (size_t i = 0; i < LOCHAN_COUNTOF(foreign_tables); i++)
        if (foreign_tables[i].ends)
            LOCHAN_TRY(copy_rows(txn, &foreign_tables[i], LOCHAN_OP_END,
                                 "end_snapshot = ?1 AND begin_snapshot < ?1", sid, err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(foreign_tables); i++) {
        const foreign_table *f = &foreign_tables[i];
        lochan_row_op op = f->begins ? LOCHAN_OP_INSERT : LOCHAN_OP_REPLACE;
        LOCHAN_TRY(copy_rows(txn, f, op, f->begins ? "begin_snapshot = ?1" : f->extra, sid, err));
    }
    return LOCHAN_OK;
}

/* Rows of one or two integers into an array that the arena owns. */
typedef struct int_pairs {
    int64_t (*rows)[2];
    size_t n;
} int_pairs;

static lochan_status read_ints(lochan_txn *txn, lochan_sql sql, const char *table, int columns,
                               int64_t argument, int_pairs *out, lochan_error *err) {
    size_t cap = 0;
    *out = (int_pairs){NULL, 0};
    lochan_reader r = lochan_reader__start(txn->db, sql, table, &txn->arena, err);
    lochan_reader__bind_int(&r, 1, argument);
    while (lochan_reader__next(&r)) {
        if (out->n == cap) {
            size_t more = cap ? cap * 2 : 32;
            int64_t(*rows)[2] = lochan_arena__array(&txn->arena, more, sizeof *rows);
            if (!rows) {
                r.rc = lochan_error__nomem(err);
                break;
            }
            if (cap)
                memcpy(rows, out->rows, out->n * sizeof *rows);
            out->rows = rows;
            cap = more;
        }
        for (int i = 0; i < columns; i++)
            out->rows[out->n][i] = lochan_reader__int(&r, i);
        out->n++;
    }
    return lochan_reader__end(&r);
}

/* ---- files ---- */

static lochan_status partition_text(lochan_txn *txn, int64_t table_id, int64_t file_id,
                                    const char **out, lochan_error *err) {
    const char *values[64] = {NULL};
    size_t n = 0;
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_FOREIGN_PARTITION_VALUES,
                                           "ducklake_file_partition_value", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, table_id);
    lochan_reader__bind_int(&r, 2, file_id);
    while (lochan_reader__next(&r)) {
        int64_t index = lochan_reader__int(&r, 0);
        if (index < 0 || index >= 64)
            lochan_reader__corrupt(&r, 0, "below 64");
        if (r.rc != LOCHAN_OK)
            break;
        values[index] = lochan_reader__text_or(&r, 1, NULL);
        if ((size_t)index >= n)
            n = (size_t)index + 1;
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    *out = lochan_partition__text(&txn->arena, values, n);
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

static lochan_status add_file_rows(lochan_txn *txn, int64_t sid, lochan_error *err) {
    int_pairs files;
    LOCHAN_TRY(read_ints(txn, LOCHAN_SQL_FOREIGN_FILES, "ducklake_data_file", 2, sid, &files, err));
    for (size_t i = 0; i < files.n; i++) {
        const char *text;
        int64_t id = files.rows[i][0], table_id = files.rows[i][1];
        LOCHAN_TRY(partition_text(txn, table_id, id, &text, err));
        LOCHAN_TRY(lochan_txn__insert(
            txn, LOCHAN_ROW_FILE,
            LOCHAN_ROW(lochan_value__int(id), lochan_value__null(), lochan_value__int(table_id),
                       lochan_value__text(txn->commit_id), lochan_value__null(),
                       lochan_value__text(txn->time), lochan_value__text(text),
                       lochan_value__int(0), lochan_value__null(), lochan_value__null(),
                       lochan_value__null()),
            err));
    }
    return LOCHAN_OK;
}

/* DuckDB does not count the rows of a file down when it drops the file. Where rows are elsewhere
 * than in files, its numbers are left alone. */
static lochan_status recount_rows(lochan_txn *txn, int64_t table_id, lochan_error *err) {
    int64_t rows = 0, next = 0, bytes = 0, counted_rows = 0, counted_bytes = 0;
    bool there = false, elsewhere = false;
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_TABLE_STATS_AGAIN,
                                           "ducklake_table_stats", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, table_id);
    if (lochan_reader__next(&r)) {
        there = true;
        counted_rows = lochan_reader__int_or(&r, 0, 0);
        next = lochan_reader__int_or(&r, 1, 0);
        counted_bytes = lochan_reader__int_or(&r, 2, 0);
        rows = lochan_reader__count(&r, 3);
        bytes = lochan_reader__count(&r, 4);
        elsewhere = lochan_reader__int(&r, 5) != 0;
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    if (!there || elsewhere || (rows == counted_rows && bytes == counted_bytes))
        return LOCHAN_OK;
    return lochan_txn__replace(txn, LOCHAN_ROW_TABLE_STATS,
                               LOCHAN_ROW(lochan_value__int(table_id), lochan_value__int(rows),
                                          lochan_value__int(next), lochan_value__int(bytes)),
                               err);
}

/* Counts of every table that snapshots after `known` touched, counted anew. */
static lochan_status recount(lochan_txn *txn, int64_t known, int64_t newest, lochan_error *err) {
    int_pairs ids;
    LOCHAN_TRY(
        read_ints(txn, LOCHAN_SQL_CHANGED_TABLES, "ducklake_data_file", 1, known, &ids, err));
    for (size_t i = 0; i < ids.n; i++) {
        LOCHAN_TRY(recount_rows(txn, ids.rows[i][0], err));
        lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_TABLE_COUNTS_AGAIN,
                                               "lochan_file", &txn->arena, err);
        lochan_reader__bind_int(&r, 1, ids.rows[i][0]);
        int64_t files = 0, partitions = 0;
        if (lochan_reader__next(&r)) {
            files = lochan_reader__count(&r, 0);
            partitions = lochan_reader__count(&r, 1);
        }
        LOCHAN_TRY(lochan_reader__end(&r));
        LOCHAN_TRY(lochan_txn__replace(
            txn, LOCHAN_ROW_TABLE_COUNTS,
            LOCHAN_ROW(lochan_value__int(ids.rows[i][0]), lochan_value__int(files),
                       lochan_value__int(partitions), lochan_value__int(newest)),
            err));
    }
    return LOCHAN_OK;
}

static lochan_status record_one(lochan_txn *txn, int64_t sid, bool last, int64_t known,
                                lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_SNAPSHOT_TIME, "ducklake_snapshot",
                                           &txn->arena, err);
    lochan_reader__bind_int(&r, 1, sid);
    if (lochan_reader__next(&r))
        lochan_civil__format_utc(lochan_reader__time(&r, 0), txn->time);
    LOCHAN_TRY(lochan_reader__end(&r));
    lochan_uuid__make(txn->commit_id);
    LOCHAN_TRY(record_rows(txn, sid, err));
    LOCHAN_TRY(add_file_rows(txn, sid, err));
    if (last)
        LOCHAN_TRY(recount(txn, known, sid, err));
    return lochan_txn__store_record(txn, sid, err);
}

lochan_status lochan_txn__record_foreign(lochan_txn *txn, lochan_error *err) {
    int64_t known = 0;
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_COMMIT_NEWEST_SNAPSHOT,
                                           "lochan_commit", &txn->arena, err);
    if (lochan_reader__next(&r))
        known = lochan_reader__int_or(&r, 0, 0);
    LOCHAN_TRY(lochan_reader__end(&r));
    if (known >= txn->base)
        return LOCHAN_OK;
    /* our own fields are borrowed for the foreign records, then put back */
    char commit_id[37], time[40];
    const char *kind = txn->kind, *token = txn->token, *author = txn->author;
    memcpy(commit_id, txn->commit_id, sizeof commit_id);
    memcpy(time, txn->time, sizeof time);
    txn->kind = "foreign";
    txn->token = NULL;
    txn->author = "another DuckLake client";
    int_pairs snapshots;
    lochan_status rc = read_ints(txn, LOCHAN_SQL_SNAPSHOTS_FOREIGN, "ducklake_snapshot", 1, known,
                                 &snapshots, err);
    for (size_t i = 0; rc == LOCHAN_OK && i < snapshots.n; i++)
        rc = record_one(txn, snapshots.rows[i][0], i + 1 == snapshots.n, known, err);
    txn->kind = kind;
    txn->token = token;
    txn->author = author;
    memcpy(txn->commit_id, commit_id, sizeof commit_id);
    memcpy(txn->time, time, sizeof time);
    return rc;
}
