/* adopt_unknown.c - after a rebuild: appends whose commit the journal lost.
 * Invariants: only commits into tables without a key, all of whose files are there and whole, that
 * replaced nothing and that no file replaced; each becomes the commit that it was to be, under its
 * own id, so that it cannot be taken twice. May call: base/, parquet/, store/, catalog/, verify.h.
 */
#include "table/adopt_unknown.h"

#include "base/str.h"
#include "catalog/rebuild.h"
#include "catalog/snapshots.h"

typedef struct unknown_file {
    const char *path, *file_id, *commit_id, *table_uuid, *partition, *replaces;
    int64_t ordinal, total; /* total -1: not the last file of its commit */
    bool keyed;
} unknown_file;

typedef struct adopting {
    lochan_verification *v;
    lochan_lake *lake;
    lochan_known_files known;
    lochan_scheduled_files scheduled;
    unknown_file *files;
    size_t n, cap;
    lochan_arena arena;
    int64_t adopted;
} adopting;

static lochan_status keep(adopting *a, const char *path, const char *why, lochan_error *err) {
    return lochan_verification__add(a->v, err, "kept", NULL, path, "%s", why);
}

/* ---- what a footer says ---- */

static const char *text_of(adopting *a, const lochan_pq_reader *reader, const char *key) {
    const char *value = lochan_pq_reader__metadata(reader, key);
    return lochan_arena__strdup(&a->arena, value ? value : "");
}

static int64_t number_of(const lochan_pq_reader *reader, const char *key) {
    int64_t v;
    const char *text = lochan_pq_reader__metadata(reader, key);
    return text && lochan_parse__int64(text, strlen(text), &v) ? v : -1;
}

static lochan_status open_file(adopting *a, const char *path, lochan_pq_reader **out,
                               lochan_error *err) {
    lochan_store_reader *store = NULL;
    *out = NULL;
    LOCHAN_TRY(lochan_store__open(a->lake->store, path, &store, err));
    lochan_pq_source source = {.read = lochan_store_reader__read,
                               .close = lochan_store_reader__close,
                               .self = store,
                               .size = lochan_store_reader__size(store),
                               .name = path};
    return lochan_pq_reader__open(&a->lake->ctx, &source, NULL, out, err);
}

/* Every page: their checksums. */
static lochan_status read_through(adopting *a, lochan_pq_reader *reader, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowArrayStream stream = {0};
    struct ArrowArray batch = {0};
    LOCHAN_TRYG(lochan_pq_reader__stream(reader, NULL, &stream, err));
    for (;;) {
        LOCHAN_TRYG(lochan_cancel__check(a->lake->ctx.cancel, err));
        LOCHAN_TRYG(lochan_stream__next(&stream, &batch, err));
        if (!batch.release)
            break;
        lochan_array__release(&batch);
    }
done:
    lochan_array__release(&batch);
    lochan_stream__release(&stream);
    return rc;
}

static lochan_status describe(adopting *a, const char *path, const lochan_pq_reader *reader,
                              lochan_error *err) {
    const char *key = lochan_pq_reader__metadata(reader, "lochan.key");
    unknown_file *files = lochan_arena__grow(&a->arena, a->files, a->n, &a->cap, sizeof *files);
    if (!files)
        return lochan_error__nomem(err);
    a->files = files;
    unknown_file f = {.path = lochan_arena__strdup(&a->arena, path),
                      .file_id = text_of(a, reader, "lochan.file_id"),
                      .commit_id = text_of(a, reader, "lochan.commit_id"),
                      .table_uuid = text_of(a, reader, "lochan.table_uuid"),
                      .partition = text_of(a, reader, "lochan.partition"),
                      .replaces = text_of(a, reader, "lochan.replaces"),
                      .ordinal = number_of(reader, "lochan.commit_ordinal"),
                      .total = number_of(reader, "lochan.commit_total"),
                      .keyed = !key || strcmp(key, "[]") != 0};
    if (!f.path || !f.file_id || !f.commit_id || !f.table_uuid || !f.partition || !f.replaces)
        return lochan_error__nomem(err);
    files[a->n++] = f;
    return LOCHAN_OK;
}

static bool is_hard(lochan_status rc) {
    return rc == LOCHAN_ERR_NO_MEMORY || rc == LOCHAN_ERR_MEMORY_LIMIT ||
           rc == LOCHAN_ERR_CANCELLED;
}

static bool is_known(const adopting *a, const char *path) {
    for (size_t i = 0; i < a->scheduled.n; i++)
        if (strcmp(a->scheduled.files[i].path, path) == 0)
            return true;
    return lochan_known_files__has(&a->known, path);
}

static lochan_status look_at(void *ctx, const char *path, const lochan_stat *st, bool temporary,
                             lochan_error *err) {
    adopting *a = ctx;
    size_t n = strlen(path);
    lochan_pq_reader *reader = NULL;
    lochan_error seen;
    bool parquet = n > 8 && strcmp(path + n - 8, ".parquet") == 0;
    if (st->is_link || temporary || !parquet || strncmp(path, "data/staging/", 13) == 0 ||
        is_known(a, path))
        return LOCHAN_OK;
    lochan_error_init(&seen);
    lochan_status rc = open_file(a, path, &reader, &seen);
    if (rc == LOCHAN_OK)
        rc = read_through(a, reader, &seen);
    if (rc == LOCHAN_OK)
        rc = describe(a, path, reader, &seen);
    lochan_pq_reader__close(reader);
    if (is_hard(rc)) {
        if (err)
            *err = seen;
        return rc;
    }
    return rc == LOCHAN_OK ? LOCHAN_OK : keep(a, path, seen.message, err);
}

/* ---- which commits are whole appends ---- */

static int by_commit(const void *x, const void *y) {
    const unknown_file *a = x, *b = y;
    int c = strcmp(a->commit_id, b->commit_id);
    return c ? c : (a->ordinal > b->ordinal) - (a->ordinal < b->ordinal);
}

static bool is_replaced(const adopting *a, const unknown_file *f) {
    for (size_t i = 0; i < a->n; i++)
        if (strstr(a->files[i].replaces, f->file_id))
            return true;
    return false;
}

/* NULL: it is one. */
static const char *objection(const adopting *a, const unknown_file *files, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const unknown_file *f = &files[i];
        if (strlen(f->file_id) != 36 || strlen(f->commit_id) != 36 || !f->table_uuid[0])
            return "was not written by lochan";
        if (f->keyed)
            return "belongs to a table with a key: only its journal tells which of its files live";
        if (f->replaces[0] != '\0' && strcmp(f->replaces, "[]") != 0)
            return "is of a commit that replaced files";
        if (is_replaced(a, f))
            return "was replaced by another file";
        if (strcmp(f->table_uuid, files[0].table_uuid) != 0)
            return "its commit names two tables";
        if (f->ordinal != (int64_t)i || (f->total >= 0) != (i + 1 == n) ||
            (f->total >= 0 && f->total != (int64_t)n))
            return "is of a commit of which other files are missing";
    }
    return NULL;
}

/* ---- taking them ---- */

/* The table with this uuid; *out = NULL if there is none. */
static lochan_status find_table(adopting *a, const char *uuid, lochan_table **out,
                                lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_names names = {0};
    *out = NULL;
    LOCHAN_TRYG(lochan_catalog__tables(a->lake->catalog, -1, &names, err));
    for (size_t i = 0; i < names.n; i++) {
        lochan_table *t = NULL;
        LOCHAN_TRYG(lochan_table__open(a->lake, names.names[i].source, names.names[i].dataset, -1,
                                       &t, err));
        if (strcmp(t->def.uuid, uuid) == 0) {
            *out = t;
            break;
        }
        lochan_table__close(t);
    }
done:
    lochan_table_names__deinit(&names);
    return rc;
}

/* {"year":2024,"month":1} as texts in that order; false if it is not of this form. */
static bool partition_values(adopting *a, const char *json, const char **out, size_t n) {
    const char *p = json;
    for (size_t i = 0; i < n; i++) {
        p = strchr(p, ':');
        if (!p)
            return false;
        p++;
        bool quoted = *p == '"';
        p += quoted;
        size_t len = strcspn(p, quoted ? "\"\\" : ",}");
        if (len == 0 || p[len] == '\0' || p[len] == '\\')
            return false;
        out[i] = lochan_arena__strndup(&a->arena, p, len);
        if (!out[i])
            return false;
        p += len + quoted;
    }
    return true;
}

static lochan_status list_file(adopting *a, lochan_txn *txn, const lochan_table *t,
                               const unknown_file *f, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_pq_reader *reader = NULL;
    lochan_pq_summary summary = {0};
    const char *values[LOCHAN_PARTITION_MAX];
    lochan_file_add add = {.path = f->path,
                           .file_id = f->file_id,
                           .ordinal = f->ordinal,
                           .sorted = t->n_order > 0,
                           .n_partition_values = t->def.n_partition};
    if (t->def.n_partition > LOCHAN_PARTITION_MAX ||
        !partition_values(a, f->partition, values, t->def.n_partition))
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "%s does not say which partition it is",
                                 f->path);
    if (t->def.n_partition > 0)
        add.partition_values = values;
    LOCHAN_TRYG(open_file(a, f->path, &reader, err));
    LOCHAN_TRYG(lochan_pq_reader__summary(reader, &summary, err));
    LOCHAN_TRYG(lochan_data_file__add(txn, t->def.table_id, &summary, 0, &add, err));
done:
    lochan_pq_summary__deinit(&summary);
    lochan_pq_reader__close(reader);
    return rc;
}

static lochan_status take_commit(adopting *a, const lochan_table *t, const unknown_file *files,
                                 size_t n, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lochan_txn_options options = {
        .kind = "adopt", .commit_id = files[0].commit_id, .message = "files without a catalog"};
    LOCHAN_TRYG(lochan_txn__begin(a->lake->catalog, &options, NULL, NULL, &txn, err));
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRYG(list_file(a, txn, t, &files[i], err));
    LOCHAN_FAILPOINTG("table.adopt.listed", err);
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
    a->adopted += (int64_t)n;
done:
    lochan_txn__abort(txn);
    return rc;
}

static lochan_status keep_all(adopting *a, const unknown_file *files, size_t n, const char *why,
                              lochan_error *err) {
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(keep(a, files[i].path, why, err));
    return LOCHAN_OK;
}

static lochan_status judge_commit(adopting *a, const unknown_file *files, size_t n,
                                  lochan_error *err) {
    bool landed;
    lochan_table *table = NULL;
    lochan_error seen;
    const char *why = objection(a, files, n);
    if (why)
        return keep_all(a, files, n, why, err);
    LOCHAN_TRY(lochan_catalog__has_commit(a->lake->catalog, files[0].commit_id, &landed, err));
    if (landed)
        return keep_all(a, files, n, "was part of a table once and is not any more", err);
    LOCHAN_TRY(find_table(a, files[0].table_uuid, &table, err));
    if (!table)
        return keep_all(a, files, n, "its table is not in the catalog", err);
    lochan_error_init(&seen);
    lochan_status rc = take_commit(a, table, files, n, &seen);
    lochan_table__close(table);
    if (rc == LOCHAN_ERR_CORRUPT || rc == LOCHAN_ERR_SCHEMA || rc == LOCHAN_ERR_INVALID_ARGUMENT)
        return keep_all(a, files, n, seen.message, err);
    if (rc != LOCHAN_OK && err)
        *err = seen;
    return rc;
}

lochan_status lochan_unknown__adopt(lochan_verification *v, int64_t *adopted, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    adopting a = {.v = v, .lake = v->lake};
    *adopted = 0;
    lochan_arena__init(&a.arena, 0);
    LOCHAN_TRYG(lochan_catalog__known_files(v->lake->catalog, &a.known, err));
    LOCHAN_TRYG(lochan_catalog__scheduled(v->lake->catalog, &a.scheduled, err));
    LOCHAN_TRYG(lochan_store__list(v->lake->store, "data", look_at, &a, err));
    if (a.n > 1)
        qsort(a.files, a.n, sizeof *a.files, by_commit);
    for (size_t i = 0, next; i < a.n; i = next) {
        for (next = i + 1; next < a.n; next++)
            if (strcmp(a.files[i].commit_id, a.files[next].commit_id) != 0)
                break;
        LOCHAN_TRYG(judge_commit(&a, &a.files[i], next - i, err));
    }
    *adopted = a.adopted;
done:
    lochan_known_files__deinit(&a.known);
    lochan_scheduled_files__deinit(&a.scheduled);
    lochan_arena__deinit(&a.arena);
    return rc;
}
