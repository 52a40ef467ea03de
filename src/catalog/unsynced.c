/* unsynced.c - files published without being synced: noted, synced later, and the journal that a
 * power cut left ahead of lake.db.
 * Invariants: see unsynced.h. A sync that failed is not repeated: the tables are marked, so that
 * the next open looks at their files. May call: base/, store/, internal.h.
 */
#include "catalog/unsynced.h"

#include "base/log.h"
#include "base/mem.h"
#include "catalog/internal.h"
#include "store/store.h"

#include <string.h>

#define KEY_PREFIX "unsynced."
/* In the place of the boot: a sync failed, nobody knows what is on the disk. */
#define SUSPECT "sync-failed"

/* ---- the rows of lochan_meta ---- */

static void key_of(char dst[48], int64_t table_id) {
    lochan_format(dst, 48, KEY_PREFIX "%lld", (long long)table_id);
}

/* "<first file> <boot>" */
static bool parse_value(const char *text, int64_t *first, const char **boot) {
    const char *space = strchr(text, ' ');
    if (!space || !space[1] || strlen(space + 1) > LOCHAN_BOOT_MAX)
        return false;
    *boot = space + 1;
    return lochan_parse__int64(text, (size_t)(space - text), first) && *first >= 0;
}

void lochan_unsynced_tables__deinit(lochan_unsynced_tables *list) {
    lochan_arena__deinit(&list->arena);
    memset(list, 0, sizeof *list);
}

static lochan_status read_tables(lochan_db *db, lochan_unsynced_tables *out, lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_UNSYNCED_TABLES, "lochan_meta", &out->arena, err);
    while (lochan_reader__next(&r)) {
        const char *key = lochan_reader__text(&r, 0), *value = lochan_reader__text(&r, 1);
        lochan_unsynced_table t = {0};
        if (r.rc != LOCHAN_OK)
            break;
        if (!lochan_parse__int64(key + strlen(KEY_PREFIX), strlen(key) - strlen(KEY_PREFIX),
                                 &t.table_id) ||
            !parse_value(value, &t.first_file, &t.boot)) {
            lochan_reader__corrupt(&r, 1, "a file id and a boot id");
            break;
        }
        lochan_unsynced_table *more =
            lochan_arena__grow(&out->arena, out->tables, out->n, &cap, sizeof *more);
        if (!more) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->tables = more;
        out->tables[out->n++] = t;
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__unsynced(lochan_catalog *catalog, lochan_unsynced_tables *out,
                                       lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = read_tables(db, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_unsynced_tables__deinit(out);
    return rc;
}

/* The row of one table; *found. boot borrows from the arena. */
static lochan_status find_table(lochan_db *db, lochan_arena *arena, int64_t table_id, bool *found,
                                lochan_unsynced_table *out, lochan_error *err) {
    char key[48];
    *found = false;
    key_of(key, table_id);
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_META, "lochan_meta", arena, err);
    lochan_reader__bind_text(&r, 1, key);
    if (lochan_reader__next(&r)) {
        const char *value = lochan_reader__text(&r, 0);
        *found = true;
        out->table_id = table_id;
        if (r.rc == LOCHAN_OK && !parse_value(value, &out->first_file, &out->boot))
            lochan_reader__corrupt(&r, 0, "a file id and a boot id");
    }
    return lochan_reader__end(&r);
}

static lochan_status put_row(lochan_txn *txn, int64_t table_id, int64_t first, const char *boot,
                             lochan_error *err) {
    char key[48], value[LOCHAN_BOOT_MAX + 24];
    key_of(key, table_id);
    lochan_format(value, sizeof value, "%lld %s", (long long)first, boot);
    return lochan_txn__replace(txn, LOCHAN_ROW_META,
                               LOCHAN_ROW(lochan_value__text(key), lochan_value__text(value)), err);
}

static lochan_status delete_row(lochan_txn *txn, int64_t table_id, lochan_error *err) {
    char key[48];
    key_of(key, table_id);
    return lochan_txn__delete(txn, LOCHAN_ROW_META, LOCHAN_ROW(lochan_value__text(key)), err);
}

/* ---- the files ---- */

void lochan_unsynced_files__deinit(lochan_unsynced_files *list) {
    lochan_arena__deinit(&list->arena);
    memset(list, 0, sizeof *list);
}

static lochan_status read_files(lochan_db *db, const lochan_unsynced_table *t,
                                lochan_unsynced_files *out, lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_UNSYNCED_FILES, "lochan_file", &out->arena, err);
    lochan_reader__bind_int(&r, 1, t->table_id);
    lochan_reader__bind_int(&r, 2, t->first_file);
    while (lochan_reader__next(&r)) {
        lochan_unsynced_file *more =
            lochan_arena__grow(&out->arena, out->files, out->n, &cap, sizeof *more);
        const char *folder;
        if (!more) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->files = more;
        lochan_unsynced_file *f = &more[out->n];
        f->id = lochan_reader__int(&r, 0);
        f->begin_snapshot = lochan_reader__int(&r, 1);
        const char *name = lochan_reader__text(&r, 2);
        if (r.rc == LOCHAN_OK)
            r.rc = lochan_db__folder(&out->arena, "lochan_file", lochan_reader__text_or(&r, 3, ""),
                                     lochan_reader__bool(&r, 4, true),
                                     lochan_reader__text_or(&r, 5, ""),
                                     lochan_reader__bool(&r, 6, true), &folder, err);
        if (r.rc != LOCHAN_OK)
            break;
        f->path = lochan_arena__printf(&out->arena, "%s%s", folder, name);
        r.rc = f->path ? lochan_path__check_relative(f->path, err) : lochan_error__nomem(err);
        out->n += r.rc == LOCHAN_OK;
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__unsynced_files(lochan_catalog *catalog,
                                             const lochan_unsynced_table *table,
                                             lochan_unsynced_files *out, lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = read_files(db, table, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_unsynced_files__deinit(out);
    return rc;
}

/* ---- syncing, under the queue lock ---- */

static lochan_status sync_paths(lochan_catalog *c, const lochan_unsynced_files *list,
                                lochan_error *err) {
    if (list->n == 0)
        return LOCHAN_OK;
    if (!c->store)
        LOCHAN_TRY(lochan_store__open_local(c->path, false, &c->store, err));
    const char **paths = lochan_mem__array(list->n, sizeof *paths);
    if (!paths)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < list->n; i++)
        paths[i] = list->files[i].path;
    lochan_status rc = lochan_store__sync(c->store, paths, list->n, err);
    lochan_mem__free((void *)paths);
    c->sync_failed = c->sync_failed || rc != LOCHAN_OK;
    return rc;
}

static lochan_status sync_table(lochan_catalog *c, lochan_db *db, lochan_unsynced_table t,
                                lochan_error *err) {
    lochan_unsynced_files files = {0};
    if (t.first_file <= c->synced_to)
        t.first_file = c->synced_to + 1;
    lochan_status rc = read_files(db, &t, &files, err);
    if (rc == LOCHAN_OK)
        rc = sync_paths(c, &files, err);
    lochan_unsynced_files__deinit(&files);
    return rc;
}

/* Files of another boot, or after a failed sync, must be looked at before anything follows them. */
static lochan_status check_boot(const lochan_catalog *c, const lochan_unsynced_table *t,
                                lochan_error *err) {
    char boot[LOCHAN_BOOT_MAX + 1];
    lochan_boot__id(boot);
    if (!c->sync_failed && strcmp(boot, t->boot) == 0)
        return LOCHAN_OK;
    lochan_error__set(err, LOCHAN_ERR_STALE,
                      "files of table %lld that were not synced have to be looked at first",
                      (long long)t->table_id);
    lochan_error__hint(err, "open the lake again");
    return LOCHAN_ERR_STALE;
}

static lochan_status settle_table(lochan_txn *txn, const lochan_txn_table *table,
                                  lochan_error *err) {
    bool found;
    lochan_unsynced_table t = {0};
    lochan_catalog *c = txn->catalog;
    LOCHAN_TRY(find_table(txn->db, &txn->arena, table->table_id, &found, &t, err));
    if (found)
        LOCHAN_TRY(check_boot(c, &t, err));
    if (table->first_unsynced == 0) {
        if (!found)
            return LOCHAN_OK;
        LOCHAN_TRY(sync_table(c, txn->db, t, err));
        LOCHAN_FAILPOINT("catalog.unsynced.synced", err);
        return delete_row(txn, t.table_id, err);
    }
    if (found && t.first_file > c->synced_to)
        return LOCHAN_OK;
    char boot[LOCHAN_BOOT_MAX + 1];
    lochan_boot__id(boot);
    return put_row(txn, table->table_id, found ? c->synced_to + 1 : table->first_unsynced, boot,
                   err);
}

lochan_status lochan_txn__note_unsynced(lochan_txn *txn, lochan_error *err) {
    for (const lochan_txn_table *t = txn->tables; t; t = t->next)
        if (t->inserted || t->retired)
            LOCHAN_TRY(settle_table(txn, t, err));
    return LOCHAN_OK;
}

lochan_status lochan_txn__sync_all(lochan_txn *txn, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_catalog *c = txn->catalog;
    lochan_unsynced_tables tables = {0};
    int64_t newest = 0;
    LOCHAN_TRYG(read_tables(txn->db, &tables, err));
    if (tables.n == 0)
        goto done;
    for (size_t i = 0; i < tables.n; i++) {
        LOCHAN_TRYG(check_boot(c, &tables.tables[i], err));
        LOCHAN_TRYG(sync_table(c, txn->db, tables.tables[i], err));
    }
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_FILE_NEWEST, "lochan_file", &tables.arena, err);
    if (lochan_reader__next(&r))
        newest = lochan_reader__int_or(&r, 0, 0);
    LOCHAN_TRYG(lochan_reader__end(&r));
    c->synced_to = newest;
done:
    lochan_unsynced_tables__deinit(&tables);
    return rc;
}

static lochan_status write_suspects(lochan_db *db, const lochan_unsynced_tables *tables,
                                    lochan_error *err) {
    for (size_t i = 0; i < tables->n; i++) {
        char key[48], value[LOCHAN_BOOT_MAX + 24];
        key_of(key, tables->tables[i].table_id);
        lochan_format(value, sizeof value, "%lld " SUSPECT,
                      (long long)tables->tables[i].first_file);
        lochan_value row[] = {lochan_value__text(key), lochan_value__text(value)};
        LOCHAN_TRY(lochan_db__change(db, LOCHAN_ROW_META, LOCHAN_OP_REPLACE, row, 2, NULL, err));
    }
    return LOCHAN_OK;
}

/* The journal is not told: a lake that is rebuilt from it looks at the files anyway. */
void lochan_catalog__mark_suspects(lochan_catalog *c) {
    lochan_error err;
    lochan_unsynced_tables tables = {0};
    if (!c->sync_failed || c->suspects_marked || !c->writer)
        return;
    lochan_db *db = c->writer;
    lochan_status rc = lochan_db__exec(db, "BEGIN IMMEDIATE", &err);
    if (rc == LOCHAN_OK)
        rc = read_tables(db, &tables, &err);
    if (rc == LOCHAN_OK)
        rc = write_suspects(db, &tables, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_db__exec(db, "COMMIT", &err);
    if (rc != LOCHAN_OK) {
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
        LOCHAN_WARN("that a sync failed could not be noted: %s", err.message);
    }
    c->suspects_marked = rc == LOCHAN_OK;
    lochan_unsynced_tables__deinit(&tables);
}

lochan_status lochan_txn__settle_unsynced(lochan_txn *txn, const lochan_unsynced_table *table,
                                          bool *still, lochan_error *err) {
    lochan_unsynced_table now = {0};
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_TRY(
        lochan_txn__note(txn, find_table(txn->db, &txn->arena, table->table_id, still, &now, err)));
    *still = *still && now.first_file == table->first_file && strcmp(now.boot, table->boot) == 0;
    return *still ? delete_row(txn, table->table_id, err) : LOCHAN_OK;
}

/* ---- a journal that is ahead ----
 * Commits that are not synced are in the journal and in the log of lake.db, and of both a power cut
 * may take the end. If the journal kept more, its records are taken over: they hold every row. A
 * journal that is ahead by any other commit means that an older lake.db was put back. */

typedef struct taking_over {
    lochan_txn *txn;
    uint64_t from, to;
    uint64_t seen; /* last record that was looked at */
    char boot[LOCHAN_BOOT_MAX + 1];
    bool apply;
    bool fits; /* every record is of an unsynced commit of another boot */
    bool unsynced;
} taking_over;

static lochan_status look_at_row(void *ctx, lochan_row_kind kind, lochan_row_op op,
                                 const lochan_value *values, size_t n, lochan_error *err) {
    taking_over *t = ctx;
    if (t->apply)
        return lochan_db__change(t->txn->db, kind, op, values, n, NULL, err);
    int boot = lochan_row__column(lochan_row__table(LOCHAN_ROW_FILE), "unsynced_boot");
    if (kind == LOCHAN_ROW_FILE && op == LOCHAN_OP_INSERT && (size_t)boot < n &&
        values[boot].type == LOCHAN_VALUE_TEXT &&
        !lochan_str__eq(values[boot].s, lochan_str__of(t->boot)))
        t->unsynced = true;
    return LOCHAN_OK;
}

static lochan_status put_outbox(lochan_txn *txn, const lochan_record_view *record,
                                lochan_error *err) {
    return lochan_db__put_outbox(
        txn->db, record->seq, record->hash,
        (lochan_str){(const char *)record->body - LOCHAN_RECORD_HEAD_BYTES, record->total_bytes},
        err);
}

static lochan_status look_at_record(void *ctx, const char *path, const lochan_record_view *record,
                                    lochan_error *err) {
    taking_over *t = ctx;
    (void)path;
    if (record->seq < t->from || record->seq > t->to)
        return LOCHAN_OK;
    if (record->seq == t->from &&
        (record->previous.lo != t->txn->previous.lo || record->previous.hi != t->txn->previous.hi))
        t->fits = false;
    t->unsynced = false;
    LOCHAN_TRY(lochan_record__each_row(record, look_at_row, t, err));
    if (t->apply)
        return put_outbox(t->txn, record, err);
    t->fits = t->fits && t->unsynced;
    t->seen = record->seq;
    return LOCHAN_OK;
}

static lochan_status skip_problem(void *ctx, const char *path, uint64_t offset, const char *detail,
                                  lochan_error *err) {
    (void)ctx, (void)path, (void)offset, (void)detail, (void)err;
    return LOCHAN_OK;
}

lochan_status lochan_journal__take_over(lochan_txn *txn, bool *done, lochan_error *err) {
    const char *path = txn->catalog->path;
    taking_over t = {
        .txn = txn, .from = txn->seq + 1, .to = txn->catalog->journal.seq, .fits = true};
    *done = false;
    lochan_boot__id(t.boot);
    LOCHAN_TRY(lochan_journal__each(path, look_at_record, skip_problem, &t, err));
    if (!t.fits || t.seen != t.to)
        return LOCHAN_OK;
    t.apply = true;
    LOCHAN_TRY(lochan_journal__each(path, look_at_record, skip_problem, &t, err));
    LOCHAN_WARN("%llu commits that were not synced before the machine stopped were taken over from "
                "the journal",
                (unsigned long long)(t.to - t.from + 1));
    *done = true;
    return LOCHAN_OK;
}
