/* backup.c - a copy of lake.db and its journal that belong together, and the list of files that
 * such a copy needs.
 * Invariants: copied under the queue lock, so that the journal ends where the copy does; the copy
 * is durable when the call returns. May call: base/, internal.h, rebuild.h.
 */
#include "catalog/rebuild.h"

#include "base/cancel.h"
#include "base/clock.h"
#include "base/mem.h"
#include "catalog/internal.h"

#include <string.h>

enum { MIGRATION_REJECTS = 4 };
#define SEGMENT_BYTES_MAX (LOCHAN_JOURNAL_SEGMENT_MAX + LOCHAN_JOURNAL_RECORD_MAX)

void lochan_backup__deinit(lochan_backup *backup) {
    lochan_arena__deinit(&backup->arena);
    memset(backup, 0, sizeof *backup);
}

/* ---- the list of files ---- */

#define FILE_COLUMNS                                                                               \
    "SELECT s.path, s.path_is_relative, t.path, t.path_is_relative, d.path, d.path_is_relative, "  \
    "d.file_size_bytes FROM "
#define FILE_TABLES                                                                                \
    " d JOIN ducklake_table t ON t.table_id = d.table_id AND t.begin_snapshot = (SELECT "          \
    "max(u.begin_snapshot) FROM ducklake_table u WHERE u.table_id = d.table_id) JOIN "             \
    "ducklake_schema s ON s.schema_id = t.schema_id WHERE "
#define IS_INSIDE                                                                                  \
    "d.path_is_relative IS NOT 0 AND t.path_is_relative IS NOT 0 AND s.path_is_relative IS NOT 0"
#define IS_TAGGED                                                                                  \
    " OR EXISTS (SELECT 1 FROM lochan_tag g WHERE g.snapshot_id >= d.begin_snapshot AND "          \
    "g.snapshot_id < d.end_snapshot)"

static lochan_status push_file(lochan_backup *b, size_t *cap, const char *path, int64_t bytes,
                               lochan_error *err) {
    lochan_status rc = lochan_path__check_relative(path, err);
    if (rc != LOCHAN_OK)
        return lochan_error__prefix(err, rc, "a file of the catalog cannot be backed up");
    lochan_backup_file *files =
        lochan_arena__grow(&b->arena, b->files, b->n_files, cap, sizeof *files);
    if (!files)
        return lochan_error__nomem(err);
    b->files = files;
    files[b->n_files++] = (lochan_backup_file){path, bytes};
    return LOCHAN_OK;
}

static lochan_status outside(const char *path, lochan_error *err) {
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                             "%.300s lies outside the lake and cannot be backed up", path);
}

/* One row of FILE_COLUMNS. */
static void take_file(lochan_reader *r, lochan_backup *b, size_t *cap) {
    const char *folder = "";
    bool relative = lochan_reader__bool(r, 1, true) && lochan_reader__bool(r, 3, true) &&
                    lochan_reader__bool(r, 5, true);
    const char *schema = lochan_reader__text_or(r, 0, ""),
               *table = lochan_reader__text_or(r, 2, ""), *path = lochan_reader__text(r, 4);
    int64_t bytes = lochan_reader__int_or(r, 6, -1);
    if (r->rc == LOCHAN_OK && !relative)
        r->rc = outside(path, r->err);
    if (r->rc == LOCHAN_OK)
        r->rc = lochan_db__folder(&b->arena, "ducklake_table", schema, true, table, true, &folder,
                                  r->err);
    if (r->rc != LOCHAN_OK)
        return;
    const char *full = lochan_arena__printf(&b->arena, "%s%s", folder, path);
    r->rc = full ? push_file(b, cap, full, bytes, r->err) : lochan_error__nomem(r->err);
}

static void take_reject(lochan_reader *r, lochan_backup *b, size_t *cap) {
    const char *path = lochan_reader__text(r, 0);
    if (r->rc == LOCHAN_OK)
        r->rc = push_file(b, cap, path, -1, r->err);
}

static lochan_status read_list(lochan_db *db, const char *sql,
                               void (*take)(lochan_reader *, lochan_backup *, size_t *),
                               lochan_backup *b, size_t *cap, lochan_error *err) {
    lochan_reader r = {db, NULL, "ducklake_data_file", &b->arena, LOCHAN_OK, err};
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &r.stmt, NULL);
    if (code != SQLITE_OK)
        return lochan_db__fail(db, code, "listing the files of a backup", err);
    while (lochan_reader__next(&r))
        take(&r, b, cap);
    lochan_status rc = r.rc;
    sqlite3_finalize(r.stmt);
    return rc;
}

static int by_path(const void *a, const void *b) {
    const lochan_backup_file *x = a, *y = b;
    return strcmp(x->path, y->path);
}

static lochan_status list_rejects(lochan_db *db, int64_t migration, lochan_backup *b, size_t *cap,
                                  lochan_error *err) {
    if (migration < MIGRATION_REJECTS)
        return LOCHAN_OK;
    return read_list(db, "SELECT path FROM lochan_reject WHERE state = 'kept'", take_reject, b, cap,
                     err);
}

static lochan_status list_side_files(lochan_db *db, lochan_backup *b, lochan_error *err) {
    size_t cap = 0;
    int64_t migration;
    LOCHAN_TRY(lochan_db__migration(db, &migration, err));
    LOCHAN_TRY(read_list(db, FILE_COLUMNS "ducklake_delete_file" FILE_TABLES IS_INSIDE, take_file,
                         b, &cap, err));
    return list_rejects(db, migration, b, &cap, err);
}

lochan_status lochan_catalog__side_files(lochan_catalog *catalog, lochan_backup *out,
                                         lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_arena__init(&out->arena, 0);
    lochan_status rc = list_side_files(db, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_backup__deinit(out);
    return rc;
}

static lochan_status list_files(lochan_db *db, bool all, lochan_backup *b, lochan_error *err) {
    static const char *const tables[] = {"ducklake_data_file", "ducklake_delete_file"};
    size_t cap = 0, n = 0;
    int64_t migration;
    char sql[1024];
    LOCHAN_TRY(lochan_db__newest_snapshot(db, &b->snapshot_id, err));
    LOCHAN_TRY(lochan_db__migration(db, &migration, err));
    const char *tagged = migration >= LOCHAN_MIGRATION_TAGS ? IS_TAGGED : "";
    for (size_t i = 0; i < LOCHAN_COUNTOF(tables); i++) {
        lochan_format(sql, sizeof sql, FILE_COLUMNS "%s" FILE_TABLES "%s%s", tables[i],
                      all ? "1" : "d.end_snapshot IS NULL", all ? "" : tagged);
        LOCHAN_TRY(read_list(db, sql, take_file, b, &cap, err));
    }
    LOCHAN_TRY(list_rejects(db, migration, b, &cap, err));
    if (b->n_files > 1)
        qsort(b->files, b->n_files, sizeof *b->files, by_path);
    for (size_t i = 0; i < b->n_files; i++)
        if (n == 0 || strcmp(b->files[n - 1].path, b->files[i].path) != 0)
            b->files[n++] = b->files[i];
    b->n_files = n;
    return LOCHAN_OK;
}

lochan_status lochan_backup__list(const char *db_path, bool all, lochan_backup *out,
                                  lochan_error *err) {
    lochan_db *db = NULL;
    memset(out, 0, sizeof *out);
    lochan_arena__init(&out->arena, 0);
    lochan_status rc = lochan_db__open(db_path, LOCHAN_DB_IMMUTABLE, 0, NULL, &db, err);
    if (rc == LOCHAN_OK)
        rc = lochan_catalog__check_version(db, err);
    if (rc == LOCHAN_OK)
        rc = list_files(db, all, out, err);
    lochan_db__close(db);
    if (rc != LOCHAN_OK)
        lochan_backup__deinit(out);
    return rc;
}

/* ---- lake.db ---- */

static lochan_status remove_suffixed(const char *path, const char *suffix, lochan_error *err) {
    lochan_buf name;
    lochan_buf__init(&name, 1 << 16);
    lochan_status rc = lochan_buf__printf(&name, err, "%s%s", path, suffix);
    if (rc == LOCHAN_OK)
        rc = lochan_fs__unlink((const char *)name.data, true, err);
    lochan_buf__deinit(&name);
    return rc;
}

/* A database in one file, on disk. */
static lochan_status finish_db(const char *path, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_file *file = NULL;
    LOCHAN_TRYG(remove_suffixed(path, "-wal", err));
    LOCHAN_TRYG(remove_suffixed(path, "-shm", err));
    LOCHAN_TRYG(lochan_file__open(path, LOCHAN_FS_READ | LOCHAN_FS_WRITE, &file, err));
    LOCHAN_TRYG(lochan_file__sync(file, false, err));
done:
    LOCHAN_KEEP(lochan_file__close(file, LOCHAN_KEEP_ERR(rc, err)));
    return rc;
}

/* All pages in one step: what the copy shows is one moment. */
static lochan_status copy_pages(lochan_db *from, lochan_db *to, lochan_error *err) {
    sqlite3_backup *copy = sqlite3_backup_init(to->handle, "main", from->handle, "main");
    if (!copy)
        return lochan_db__fail(to, sqlite3_errcode(to->handle), "copying lake.db", err);
    int code = sqlite3_backup_step(copy, -1);
    int end = sqlite3_backup_finish(copy);
    if (code != SQLITE_DONE)
        return lochan_db__fail(to, code, "copying lake.db", err);
    return end == SQLITE_OK ? LOCHAN_OK : lochan_db__fail(to, end, "copying lake.db", err);
}

static lochan_status copy_db(lochan_catalog *c, const char *path, bool all, lochan_backup *out,
                             lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *from = NULL, *to = NULL;
    if (lochan_fs__exists(path))
        return lochan_error__set(err, LOCHAN_ERR_EXISTS, "%s exists already", path);
    LOCHAN_TRYG(
        lochan_db__open(c->db_path, LOCHAN_DB_READ, c->lock_timeout_ms, c->cancel, &from, err));
    LOCHAN_TRYG(lochan_db__check_moved(from, err));
    LOCHAN_TRYG(lochan_db__open(path, LOCHAN_DB_CREATE, 0, c->cancel, &to, err));
    LOCHAN_TRYG(copy_pages(from, to, err));
    LOCHAN_TRYG(list_files(to, all, out, err));
    lochan_db__close(to);
    to = NULL;
    LOCHAN_TRYG(finish_db(path, err));
done:
    lochan_db__close(from);
    lochan_db__close(to);
    if (rc != LOCHAN_OK)
        (void)!lochan_fs__unlink(path, true, NULL);
    return rc;
}

lochan_status lochan_backup__renew(const char *db_path, lochan_error *err) {
    char uuid[37];
    lochan_db *db = NULL;
    lochan_uuid__make(uuid);
    lochan_value row[] = {lochan_value__text("incarnation"), lochan_value__text(uuid)};
    lochan_status rc = lochan_db__open(db_path, LOCHAN_DB_CREATE, 0, NULL, &db, err);
    if (rc == LOCHAN_OK)
        rc = lochan_db__change(db, LOCHAN_ROW_META, LOCHAN_OP_REPLACE, row, 2, NULL, err);
    if (rc == LOCHAN_OK)
        rc = lochan_db__exec(db, "PRAGMA journal_mode=WAL", err);
    lochan_db__close(db);
    return rc == LOCHAN_OK ? finish_db(db_path, err) : rc;
}

/* ---- the journal ---- */

typedef struct journal_copy {
    const lochan_journal *journal;
    const char *to;
    const lochan_cancel *cancel;
    lochan_backup *out;
    size_t cap;
} journal_copy;

static bool has_size(const char *path, uint64_t size) {
    lochan_stat st;
    return lochan_fs__stat(path, &st, NULL) == LOCHAN_OK && !st.is_dir && st.size == size;
}

/* The newest segment is copied up to its last whole record, every time; the others never change. */
static lochan_status copy_segment(journal_copy *c, const char *name, uint64_t size, bool newest,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf bytes;
    lochan_buf__init(&bytes, SEGMENT_BYTES_MAX);
    char *from = lochan_path__join(c->journal->dir, name), *to = lochan_path__join(c->to, name);
    if (!from || !to) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (!newest && has_size(to, size))
        goto done;
    LOCHAN_TRYG(lochan_fs__read_all(from, SEGMENT_BYTES_MAX, &bytes, err));
    if (bytes.len < size) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s is shorter than it was", from);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__write_all(to, bytes.data, (size_t)size, err));
done:
    lochan_buf__deinit(&bytes);
    lochan_mem__free(from);
    lochan_mem__free(to);
    return rc;
}

static lochan_status on_segment(void *ctx, const char *name, const lochan_stat *st,
                                lochan_error *err) {
    journal_copy *c = ctx;
    char newest[32];
    size_t n = strlen(name);
    if (st->is_dir || n < 5 || strcmp(name + n - 4, ".ljl") != 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_cancel__check(c->cancel, err));
    lochan_format(newest, sizeof newest, "%06u.ljl", c->journal->segment);
    bool is_newest = strcmp(name, newest) == 0;
    uint64_t size = is_newest ? c->journal->end : st->size;
    LOCHAN_TRY(copy_segment(c, name, size, is_newest, err));
    lochan_backup *b = c->out;
    lochan_backup_segment *s =
        lochan_arena__grow(&b->arena, b->segments, b->n_segments, &c->cap, sizeof *s);
    char *copy = s ? lochan_arena__strdup(&b->arena, name) : NULL;
    if (!copy)
        return lochan_error__nomem(err);
    b->segments = s;
    s[b->n_segments++] = (lochan_backup_segment){copy, (int64_t)size};
    return LOCHAN_OK;
}

/* Brings the journal up to what lake.db knows, then copies it. */
static lochan_status copy_journal(lochan_catalog *c, const char *to, lochan_backup *out,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_journal journal = {0};
    lochan_db *db = NULL;
    lochan_hash128 hash;
    uint64_t seq, oldest;
    LOCHAN_TRYG(lochan_journal__init(&journal, c->path, c->lake_id, err));
    LOCHAN_TRYG(lochan_journal__read_end(&journal, true, err));
    LOCHAN_TRYG(
        lochan_db__open(c->db_path, LOCHAN_DB_READ, c->lock_timeout_ms, c->cancel, &db, err));
    LOCHAN_TRYG(lochan_journal__newest(db, &seq, &hash, &oldest, err));
    if (journal.seq < seq)
        LOCHAN_TRYG(lochan_journal__catch_up(db, &journal, err));
    if (journal.seq != seq) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               "the journal ends with record %llu, lake.db with %llu",
                               (unsigned long long)journal.seq, (unsigned long long)seq);
        goto done;
    }
    LOCHAN_TRYG(lochan_fs__mkdirs(to, NULL, err));
    journal_copy copy = {&journal, to, c->cancel, out, 0};
    LOCHAN_TRYG(lochan_fs__list(journal.dir, on_segment, &copy, err));
done:
    lochan_db__close(db);
    lochan_journal__deinit(&journal);
    return rc;
}

lochan_status lochan_catalog__backup(lochan_catalog *catalog, const char *db_path,
                                     const char *journal_dir, bool all, lochan_backup *out,
                                     lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_lock *queue = NULL;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__check_writable(catalog, err));
    lochan_arena__init(&out->arena, 0);
    char *path = lochan_path__join(catalog->path, LOCHAN_QUEUE);
    if (!path) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_lock__acquire(path, "the lake", catalog->command, catalog->lock_timeout_ms,
                                     catalog->cancel, &queue, err));
    LOCHAN_TRYG(copy_journal(catalog, journal_dir, out, err));
    LOCHAN_FAILPOINTG("catalog.backup.journal", err);
    LOCHAN_TRYG(copy_db(catalog, db_path, all, out, err));
    LOCHAN_FAILPOINTG("catalog.backup.copied", err);
done:
    lochan_lock__release(queue);
    lochan_mem__free(path);
    if (rc != LOCHAN_OK)
        lochan_backup__deinit(out);
    return rc;
}
