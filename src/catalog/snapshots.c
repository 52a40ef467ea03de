/* snapshots.c - see snapshots.h. May call: base/, arrow/, internal.h. */
#include "catalog/snapshots.h"

#include "base/civil.h"
#include "base/clock.h"
#include "base/fs.h"
#include "catalog/internal.h"

/* ---- tags ---- */

static lochan_status knows_tags(lochan_db *db, bool *known, lochan_error *err) {
    int64_t number;
    LOCHAN_TRY(lochan_db__migration(db, &number, err));
    *known = number >= LOCHAN_MIGRATION_TAGS;
    return LOCHAN_OK;
}

lochan_status lochan_db__tag(lochan_db *db, const char *name, bool *found, int64_t *snapshot_id,
                             lochan_error *err) {
    lochan_arena arena;
    bool known;
    *found = false;
    LOCHAN_TRY(knows_tags(db, &known, err));
    if (!known)
        return LOCHAN_OK;
    lochan_arena__init(&arena, 1 << 16);
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_TAG_BY_NAME, "lochan_tag", &arena, err);
    lochan_reader__bind_text(&r, 1, name);
    if (lochan_reader__next(&r)) {
        *snapshot_id = lochan_reader__count(&r, 0);
        *found = r.rc == LOCHAN_OK;
    }
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

static lochan_status put_tag(lochan_txn *txn, const char *name, int64_t snapshot_id,
                             lochan_error *err) {
    int64_t number;
    size_t n = strlen(name);
    LOCHAN_TRY(lochan_name__check("tag", name, err));
    if (lochan_parse__int64(name, n, &number) || lochan_civil__parse_utc(name, n, &number))
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "a tag must not read as a number or a time: '%s'", name);
    return lochan_txn__replace(txn, LOCHAN_ROW_SNAPSHOT_TAG,
                               LOCHAN_ROW(lochan_value__text(name), lochan_value__int(snapshot_id),
                                          lochan_value__text(txn->time)),
                               err);
}

lochan_status lochan_txn__put_tag(lochan_txn *txn, const char *name, int64_t snapshot_id,
                                  lochan_error *err) {
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(txn, put_tag(txn, name, snapshot_id, err));
}

lochan_status lochan_txn__delete_tag(lochan_txn *txn, const char *name, lochan_error *err) {
    bool found;
    int64_t id;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_TRY(lochan_txn__note(txn, lochan_db__tag(txn->db, name, &found, &id, err)));
    if (!found)
        return lochan_txn__note(
            txn, lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no tag '%s'", name));
    return lochan_txn__note(txn, lochan_txn__delete(txn, LOCHAN_ROW_SNAPSHOT_TAG,
                                                    LOCHAN_ROW(lochan_value__text(name)), err));
}

/* ---- the list ---- */

void lochan_snapshot_rows__deinit(lochan_snapshot_rows *rows) {
    lochan_arena__deinit(&rows->arena);
    memset(rows, 0, sizeof *rows);
}

static lochan_status read_snapshots(lochan_db *db, int64_t table_id, int64_t limit,
                                    lochan_snapshot_rows *out, lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_SNAPSHOT_LIST, "ducklake_snapshot", &out->arena, err);
    if (table_id >= 0)
        lochan_reader__bind_int(&r, 1, table_id);
    else
        lochan_reader__bind_text(&r, 1, NULL);
    lochan_reader__bind_int(&r, 2, limit < 0 ? -1 : limit);
    while (lochan_reader__next(&r)) {
        lochan_snapshot_row *rows =
            lochan_arena__grow(&out->arena, out->rows, out->n, &cap, sizeof *rows);
        if (!rows) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->rows = rows;
        rows[out->n++] = (lochan_snapshot_row){.id = lochan_reader__count(&r, 0),
                                               .time_ns = lochan_reader__time(&r, 1),
                                               .kind = lochan_reader__text_or(&r, 2, ""),
                                               .author = lochan_reader__text_or(&r, 3, ""),
                                               .message = lochan_reader__text_or(&r, 4, ""),
                                               .changes = lochan_reader__text_or(&r, 5, ""),
                                               .tags = ""};
    }
    return lochan_reader__end(&r);
}

/* The row of a snapshot; they go down. */
static lochan_snapshot_row *find_row(lochan_snapshot_rows *rows, int64_t id) {
    size_t low = 0, high = rows->n;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        if (rows->rows[mid].id > id)
            low = mid + 1;
        else
            high = mid;
    }
    return low < rows->n && rows->rows[low].id == id ? &rows->rows[low] : NULL;
}

static lochan_status read_tags(lochan_db *db, lochan_snapshot_rows *out, lochan_error *err) {
    bool known;
    LOCHAN_TRY(knows_tags(db, &known, err));
    if (!known)
        return LOCHAN_OK;
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_TAGS, "lochan_tag", &out->arena, err);
    while (lochan_reader__next(&r)) {
        const char *name = lochan_reader__text(&r, 0);
        lochan_snapshot_row *row = find_row(out, lochan_reader__count(&r, 1));
        if (!row || r.rc != LOCHAN_OK)
            continue;
        row->tags =
            *row->tags ? lochan_arena__printf(&out->arena, "%s, %s", row->tags, name) : name;
        if (!row->tags) {
            row->tags = "";
            r.rc = lochan_error__nomem(err);
        }
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__snapshots(lochan_catalog *catalog, int64_t table_id, int64_t limit,
                                        lochan_snapshot_rows *out, lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_arena__init(&out->arena, 0);
    lochan_status rc = read_snapshots(db, table_id, limit, out, err);
    if (rc == LOCHAN_OK)
        rc = read_tags(db, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_snapshot_rows__deinit(out);
    return rc;
}

static lochan_status read_intrusion(lochan_db *db, int64_t since, int64_t *out, lochan_error *err) {
    lochan_arena arena;
    lochan_arena__init(&arena, 0);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_COMMIT_INTRUSION, "lochan_commit", &arena, err);
    lochan_reader__bind_int(&r, 1, since);
    if (lochan_reader__next(&r))
        *out = lochan_reader__int_or(&r, 0, -1);
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

lochan_status lochan_catalog__newest_intrusion(lochan_catalog *catalog, int64_t since, int64_t *out,
                                               lochan_error *err) {
    lochan_db *db;
    *out = -1;
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = read_intrusion(db, since, out, err);
    lochan_catalog__read_end(catalog);
    return rc;
}

lochan_status lochan_txn__newest_intrusion(lochan_txn *txn, int64_t since, int64_t *out,
                                           lochan_error *err) {
    *out = -1;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(txn, read_intrusion(txn->db, since, out, err));
}

/* ---- forgetting ---- */

/* Numbers that a statement gives, read before anything is changed. */
typedef struct id_list {
    int64_t *ids;
    size_t n, cap;
} id_list;

static void push_id(lochan_txn *txn, lochan_reader *r, id_list *list, int64_t id) {
    int64_t *ids = lochan_arena__grow(&txn->arena, list->ids, list->n, &list->cap, sizeof *ids);
    if (!ids) {
        r->rc = lochan_error__nomem(r->err);
        return;
    }
    list->ids = ids;
    ids[list->n++] = id;
}

static lochan_status find_expirable(lochan_txn *txn, int64_t before_ns, int64_t keep, int64_t limit,
                                    id_list *list, bool *more, lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_SNAPSHOTS_EXPIRABLE,
                                           "ducklake_snapshot", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, keep < 1 ? 1 : keep);
    *more = false;
    while (!*more && lochan_reader__next(&r)) {
        int64_t id = lochan_reader__count(&r, 0), time = lochan_reader__time(&r, 1);
        if (r.rc != LOCHAN_OK || time >= before_ns)
            continue;
        *more = limit >= 0 && (int64_t)list->n >= limit;
        if (!*more)
            push_id(txn, &r, list, id);
    }
    return lochan_reader__end(&r);
}

/* A file that no snapshot shows any more. */
typedef struct unreached {
    int64_t id, table_id, bytes;
    const char *path; /* NULL: it lies outside the lake, and is only forgotten */
} unreached;

static void take_unreached(lochan_txn *txn, lochan_reader *r, unreached *f) {
    const char *folder = "";
    *f = (unreached){.id = lochan_reader__int(r, 0), .table_id = lochan_reader__int(r, 1)};
    const char *path = lochan_reader__text(r, 2);
    bool relative = lochan_reader__bool(r, 3, true) && lochan_reader__bool(r, 6, true) &&
                    lochan_reader__bool(r, 8, true);
    f->bytes = lochan_reader__count(r, 4);
    if (r->rc != LOCHAN_OK || !relative)
        return;
    r->rc = lochan_db__folder(&txn->arena, "ducklake_table", lochan_reader__text_or(r, 5, ""), true,
                              lochan_reader__text_or(r, 7, ""), true, &folder, r->err);
    if (r->rc != LOCHAN_OK)
        return;
    f->path = lochan_arena__printf(&txn->arena, "%s%s", folder, path);
    if (!f->path)
        r->rc = lochan_error__nomem(r->err);
    else if (lochan_path__check_relative(f->path, NULL) != LOCHAN_OK)
        f->path = NULL;
}

static lochan_status read_ids(lochan_txn *txn, lochan_sql sql, const unreached *f, bool by_table,
                              id_list *list, lochan_error *err) {
    list->n = 0;
    lochan_reader r = lochan_reader__start(txn->db, sql, "ducklake_data_file", &txn->arena, err);
    if (by_table)
        lochan_reader__bind_int(&r, 1, f->table_id);
    lochan_reader__bind_int(&r, by_table ? 2 : 1, f->id);
    while (lochan_reader__next(&r))
        push_id(txn, &r, list, lochan_reader__int(&r, 0));
    return lochan_reader__end(&r);
}

static lochan_status forget_file(lochan_txn *txn, const unreached *f, id_list *list,
                                 lochan_error *err) {
    lochan_value id = lochan_value__int(f->id);
    LOCHAN_TRY(read_ids(txn, LOCHAN_SQL_FILE_PARTITION_KEYS, f, true, list, err));
    for (size_t i = 0; i < list->n; i++)
        LOCHAN_TRY(lochan_txn__delete(txn, LOCHAN_ROW_FILE_PARTITION_VALUE,
                                      LOCHAN_ROW(id, lochan_value__int(list->ids[i])), err));
    LOCHAN_TRY(read_ids(txn, LOCHAN_SQL_FILE_STATS_COLUMNS, f, false, list, err));
    for (size_t i = 0; i < list->n; i++)
        LOCHAN_TRY(lochan_txn__delete(txn, LOCHAN_ROW_FILE_COLUMN_STATS,
                                      LOCHAN_ROW(id, lochan_value__int(list->ids[i])), err));
    LOCHAN_TRY(lochan_txn__delete(txn, LOCHAN_ROW_FILE, LOCHAN_ROW(id), err));
    LOCHAN_TRY(lochan_txn__delete(txn, LOCHAN_ROW_DATA_FILE, LOCHAN_ROW(id), err));
    if (!f->path)
        return LOCHAN_OK;
    return lochan_txn__replace(txn, LOCHAN_ROW_FILES_SCHEDULED,
                               LOCHAN_ROW(id, lochan_value__text(f->path), lochan_value__int(1),
                                          lochan_value__text(txn->time)),
                               err);
}

static lochan_status forget_files(lochan_txn *txn, lochan_expired *out, lochan_error *err) {
    unreached *files = NULL;
    size_t n = 0, cap = 0;
    id_list list = {0};
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_FILES_UNREACHED,
                                           "ducklake_data_file", &txn->arena, err);
    while (lochan_reader__next(&r)) {
        unreached *more = lochan_arena__grow(&txn->arena, files, n, &cap, sizeof *files);
        if (!more) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        files = more;
        take_unreached(txn, &r, &files[n++]);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    if (n == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_db__index_files(txn->db, true, err));
    for (size_t i = 0; i < n; i++) {
        LOCHAN_TRY(forget_file(txn, &files[i], &list, err));
        out->files++;
        out->bytes += files[i].bytes;
    }
    return lochan_db__index_files(txn->db, false, err);
}

static lochan_status expire(lochan_txn *txn, int64_t before_ns, int64_t keep, int64_t limit,
                            lochan_expired *out, lochan_error *err) {
    id_list list = {0};
    LOCHAN_TRY(find_expirable(txn, before_ns, keep, limit, &list, &out->more, err));
    for (size_t i = 0; i < list.n; i++) {
        lochan_value id = lochan_value__int(list.ids[i]);
        LOCHAN_TRY(lochan_txn__delete(txn, LOCHAN_ROW_SNAPSHOT, LOCHAN_ROW(id), err));
        LOCHAN_TRY(lochan_txn__delete(txn, LOCHAN_ROW_SNAPSHOT_CHANGES, LOCHAN_ROW(id), err));
        out->snapshots++;
    }
    return list.n > 0 ? forget_files(txn, out, err) : LOCHAN_OK;
}

lochan_status lochan_txn__expire(lochan_txn *txn, int64_t before_ns, int64_t keep, int64_t limit,
                                 lochan_expired *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(txn, expire(txn, before_ns, keep, limit, out, err));
}

/* ---- by itself ---- */

#define OPTION_RETENTION "retention_seconds"
#define OPTION_EXPIRED   "expired_at"

enum { DEFAULT_RETENTION = 30 * 86400 };
static const int64_t HOUR_NS = INT64_C(3600000000000);

lochan_status lochan_catalog__retention(lochan_catalog *catalog, int64_t *seconds,
                                        lochan_error *err) {
    char text[32];
    *seconds = DEFAULT_RETENTION;
    LOCHAN_TRY(lochan_catalog__option(catalog, OPTION_RETENTION, text, sizeof text, err));
    if (text[0] && (!lochan_parse__int64(text, strlen(text), seconds) || *seconds < 0))
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "lake.db: the retention '%s' is no number of seconds", text);
    return LOCHAN_OK;
}

lochan_status lochan_catalog__set_retention(lochan_catalog *catalog, int64_t seconds,
                                            lochan_error *err) {
    char text[32];
    LOCHAN_CHECK_ARG(seconds >= 0, err);
    lochan_format(text, sizeof text, "%lld", (long long)seconds);
    return lochan_catalog__set_option(catalog, OPTION_RETENTION, text, err);
}

static lochan_status oldest_time(lochan_catalog *catalog, int64_t *ns, lochan_error *err) {
    lochan_db *db;
    lochan_arena arena;
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_arena__init(&arena, 1 << 16);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_SNAPSHOT_OLDEST, "ducklake_snapshot", &arena, err);
    *ns = INT64_MAX;
    if (lochan_reader__next(&r))
        *ns = lochan_reader__time(&r, 0);
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    lochan_catalog__read_end(catalog);
    return rc;
}

lochan_status lochan_catalog__expire_due(lochan_catalog *catalog, bool *due, int64_t *seconds,
                                         lochan_error *err) {
    int64_t now = lochan_clock__wall_ns(), asked = catalog->expire_asked_ns, oldest, done = 0;
    char text[40];
    *due = false;
    *seconds = DEFAULT_RETENTION;
    if (asked != 0 && now >= asked && now - asked < HOUR_NS)
        return LOCHAN_OK;
    catalog->expire_asked_ns = now;
    LOCHAN_TRY(oldest_time(catalog, &oldest, err));
    LOCHAN_TRY(lochan_catalog__retention(catalog, seconds, err));
    if (*seconds > now / 1000000000 || oldest >= now - *seconds * 1000000000)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_catalog__option(catalog, OPTION_EXPIRED, text, sizeof text, err));
    if (text[0] && !lochan_civil__parse_utc(text, strlen(text), &done))
        done = 0;
    *due = done > now || now - done >= HOUR_NS;
    return LOCHAN_OK;
}

lochan_status lochan_txn__note_expire(lochan_txn *txn, lochan_error *err) {
    return lochan_txn__replace(
        txn, LOCHAN_ROW_META,
        LOCHAN_ROW(lochan_value__text(OPTION_EXPIRED), lochan_value__text(txn->time)), err);
}

/* ---- files listed for deletion ---- */

void lochan_scheduled_files__deinit(lochan_scheduled_files *list) {
    lochan_arena__deinit(&list->arena);
    memset(list, 0, sizeof *list);
}

static lochan_status read_scheduled(lochan_db *db, lochan_scheduled_files *out, lochan_error *err) {
    size_t cap = 0;
    lochan_reader r = lochan_reader__start(
        db, LOCHAN_SQL_FILES_SCHEDULED, "ducklake_files_scheduled_for_deletion", &out->arena, err);
    while (lochan_reader__next(&r)) {
        lochan_scheduled_file f = {.id = lochan_reader__int(&r, 0),
                                   .path = lochan_reader__text(&r, 1),
                                   .since_ns = lochan_reader__time(&r, 3)};
        bool relative = lochan_reader__bool(&r, 2, true);
        if (r.rc != LOCHAN_OK || !relative ||
            lochan_path__check_relative(f.path, NULL) != LOCHAN_OK)
            continue; /* of another program, outside the lake */
        lochan_scheduled_file *files =
            lochan_arena__grow(&out->arena, out->files, out->n, &cap, sizeof *files);
        if (!files) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        out->files = files;
        files[out->n++] = f;
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__scheduled(lochan_catalog *catalog, lochan_scheduled_files *out,
                                        lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_arena__init(&out->arena, 0);
    lochan_status rc = read_scheduled(db, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_scheduled_files__deinit(out);
    return rc;
}

lochan_status lochan_txn__forget_scheduled(lochan_txn *txn, int64_t id, lochan_error *err) {
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(txn, lochan_txn__delete(txn, LOCHAN_ROW_FILES_SCHEDULED,
                                                    LOCHAN_ROW(lochan_value__int(id)), err));
}
