/* migrate.c - the numbered versions of the catalog's tables.
 * Invariants: 001 is everything; a later change is a migration of its own with the next number,
 * never an edit of an earlier one. May call: base/, sql.h, rows.h.
 */
#include "catalog/internal.h"

static const char indexes[] =
    "CREATE INDEX lochan_ix_data_file_end ON ducklake_data_file(table_id, end_snapshot, "
    "begin_snapshot);"
    "CREATE INDEX lochan_ix_data_file_begin ON ducklake_data_file(table_id, begin_snapshot);"
    "CREATE INDEX lochan_ix_data_file_path ON ducklake_data_file(path);"
    "CREATE INDEX lochan_ix_column_stats ON ducklake_file_column_stats(table_id, column_id, "
    "data_file_id);"
    "CREATE INDEX lochan_ix_partition_value ON ducklake_file_partition_value(table_id, "
    "data_file_id, partition_key_index, partition_value);"
    "CREATE INDEX lochan_ix_column ON ducklake_column(table_id);"
    "CREATE INDEX lochan_ix_file_partition ON lochan_file(table_id, \"partition\", data_file_id);"
    "CREATE UNIQUE INDEX lochan_ix_dataset_name ON lochan_dataset(source, name);"
    "CREATE UNIQUE INDEX lochan_ix_commit_token ON lochan_commit(token);"
    "CREATE INDEX lochan_ix_commit_snapshot ON lochan_commit(snapshot_id);"
    "CREATE INDEX lochan_ix_update_dataset ON lochan_update(dataset_id, started_at);"
    "CREATE INDEX lochan_ix_update_started ON lochan_update(started_at);";

/* Records wait here until they are safely in the journal; the newest one always stays. */
static const char outbox[] =
    "CREATE TABLE lochan_journal_outbox(seq INTEGER PRIMARY KEY, hash BLOB NOT NULL, "
    "record BLOB NOT NULL);";

lochan_status lochan_catalog__create_tables(lochan_db *db, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf sql;
    lochan_buf__init(&sql, 1 << 20);
    for (int kind = 0; kind < LOCHAN_ROW_COUNT; kind++) {
        LOCHAN_TRYG(lochan_row__ddl(lochan_row__table((lochan_row_kind)kind), &sql, err));
        LOCHAN_TRYG(lochan_buf__puts(&sql, ";\n", err));
    }
    LOCHAN_TRYG(lochan_buf__puts(&sql, outbox, err));
    LOCHAN_TRYG(lochan_buf__puts(&sql, indexes, err));
    LOCHAN_TRYG(lochan_db__exec(db, (const char *)sql.data, err));
done:
    lochan_buf__deinit(&sql);
    return rc;
}

lochan_status lochan_db__index_files(lochan_db *db, bool make, lochan_error *err) {
    return lochan_db__exec(
        db,
        make ? "CREATE INDEX lochan_ix_stats_of_file ON ducklake_file_column_stats(data_file_id);"
               "CREATE INDEX lochan_ix_values_of_file ON "
               "ducklake_file_partition_value(data_file_id);"
             : "DROP INDEX lochan_ix_stats_of_file; DROP INDEX lochan_ix_values_of_file;",
        err);
}

lochan_status lochan_db__migration(lochan_db *db, int64_t *number, lochan_error *err) {
    lochan_arena arena;
    *number = 0;
    lochan_arena__init(&arena, 4096);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_MIGRATION_NEWEST, "lochan_migration", &arena, err);
    if (lochan_reader__next(&r))
        *number = lochan_reader__int_or(&r, 0, 0);
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

/* Tables that migrations after the first one brought. */
static const struct {
    int migration;
    lochan_row_kind kind;
} later_tables[] = {{2, LOCHAN_ROW_RUN_TABLE},
                    {2, LOCHAN_ROW_RUN},
                    {3, LOCHAN_ROW_COLUMN_ORIGIN},
                    {4, LOCHAN_ROW_REJECT},
                    {LOCHAN_MIGRATION_TAGS, LOCHAN_ROW_SNAPSHOT_TAG},
                    {6, LOCHAN_ROW_LEASE}};

static bool has_table(lochan_db *db, const char *name) {
    sqlite3_stmt *stmt = NULL;
    bool found = sqlite3_prepare_v2(
                     db->handle, "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1",
                     -1, &stmt, NULL) == SQLITE_OK &&
                 sqlite3_bind_text(stmt, 1, name, -1, SQLITE_STATIC) == SQLITE_OK &&
                 sqlite3_step(stmt) == SQLITE_ROW;
    sqlite3_finalize(stmt);
    return found;
}

static lochan_status add_table(lochan_db *db, lochan_row_kind kind, lochan_error *err) {
    lochan_buf sql;
    lochan_buf__init(&sql, 1 << 16);
    lochan_status rc = lochan_row__ddl(lochan_row__table(kind), &sql, err);
    /* A catalog that was rebuilt from an older journal has the table already. */
    if (rc == LOCHAN_OK && !has_table(db, lochan_row__table(kind)->name))
        rc = lochan_db__exec(db, (const char *)sql.data, err);
    lochan_buf__deinit(&sql);
    return rc;
}

lochan_status lochan_txn__migrate(lochan_txn *txn, lochan_error *err) {
    int64_t number;
    LOCHAN_TRY(lochan_db__migration(txn->db, &number, err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(later_tables); i++)
        if (later_tables[i].migration > number)
            LOCHAN_TRY(add_table(txn->db, later_tables[i].kind, err));
    while (number < LOCHAN_MIGRATION_NEWEST)
        LOCHAN_TRY(lochan_txn__insert(txn, LOCHAN_ROW_MIGRATION,
                                      LOCHAN_ROW(lochan_value__int(++number),
                                                 lochan_value__text(txn->time),
                                                 lochan_value__text("0.1.0")),
                                      err));
    return LOCHAN_OK;
}

lochan_status lochan_catalog__check_version(lochan_db *db, lochan_error *err) {
    char text[32] = "";
    int64_t format = 0, number = 0;
    LOCHAN_TRY(lochan_db__meta(db, "format_version", text, sizeof text, err));
    if (!lochan_parse__int64(text, strlen(text), &format) || format < 1)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "lake.db: the format version '%s' is no number", text);
    LOCHAN_TRY(lochan_db__migration(db, &number, err));
    if (format > LOCHAN_FORMAT_VERSION || number > LOCHAN_MIGRATION_NEWEST)
        return lochan_error__set(
            err, LOCHAN_ERR_VERSION,
            "this lake has format %lld, migration %lld; this lochan knows format %d, migration %d",
            (long long)format, (long long)number, LOCHAN_FORMAT_VERSION, LOCHAN_MIGRATION_NEWEST);
    if (number < 1)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "lake.db: lochan_migration is empty");
    return LOCHAN_OK;
}
