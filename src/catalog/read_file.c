/* read_file.c - the files of a table: paths, partitions, statistics.
 * Invariants: see read.h; a path that could leave the lake is an error, never handed out. May call:
 * base/, internal.h.
 */
#include "catalog/internal.h"

#include "base/fs.h"
#include "base/mem.h"

#include <string.h>

void lochan_file_list__deinit(lochan_file_list *list) {
    lochan_arena__deinit(&list->arena);
    memset(list, 0, sizeof *list);
}

/* ---- what cannot be read right ---- */

/* What DuckDB is told to do; the next update then asks for the days concerned again. */
#define REWRITE                                                                                    \
    "let DuckDB rewrite the files, CALL ducklake_rewrite_data_files('lake', delete_threshold => "  \
    "0), then update; or read it with DuckDB"
#define ELSE "read it with DuckDB, or let DuckDB rewrite its files"
#define FLUSH                                                                                      \
    "let DuckDB write them out, CALL ducklake_flush_inlined_data('lake'), then update; or read "   \
    "it with DuckDB"

static lochan_status refuse(const lochan_table_def *def, const char *what, const char *hint,
                            lochan_error *err) {
    char table[300];
    lochan_format(table, sizeof table, "%s.%s", def->source, def->dataset);
    lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                      "table %s has %s, which this version does not read", table, what);
    lochan_error__hint(err, "%s", hint);
    return lochan_error__in_table(err, LOCHAN_ERR_UNSUPPORTED, table, NULL, -1);
}

static lochan_status check_deletes(lochan_db *db, const lochan_table_def *def, int64_t snapshot_id,
                                   lochan_arena *arena, lochan_error *err) {
    int64_t n = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_ODD_DELETES, "ducklake_delete_file", arena, err);
    lochan_reader__bind_int(&r, 1, snapshot_id);
    lochan_reader__bind_int(&r, 2, def->table_id);
    if (lochan_reader__next(&r))
        n = lochan_reader__int(&r, 0);
    LOCHAN_TRY(lochan_reader__end(&r));
    return n == 0 ? LOCHAN_OK : refuse(def, "delete files of another client", REWRITE, err);
}

static lochan_status check_files(lochan_db *db, const lochan_table_def *def, int64_t snapshot_id,
                                 lochan_arena *arena, lochan_error *err) {
    static const char *const reasons[] = {"files outside of the lake", "files that are not Parquet",
                                          "encrypted files", "merged files with partial history"};
    const char *why = NULL;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_ODD_FILE, "ducklake_data_file", arena, err);
    lochan_reader__bind_int(&r, 1, snapshot_id);
    lochan_reader__bind_int(&r, 2, def->table_id);
    if (lochan_reader__next(&r)) {
        why = "files of an unknown kind";
        for (int i = (int)LOCHAN_COUNTOF(reasons); i >= 1; i--)
            if (lochan_reader__int_or(&r, i, 0) != 0)
                why = reasons[i - 1];
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    return why ? refuse(def, why, ELSE, err) : LOCHAN_OK;
}

/* Runs a statement about a table that may not be there; takes it. */
static lochan_status any_row(lochan_db *db, char *sql, int64_t snapshot_id, bool *rows,
                             lochan_error *err) {
    *rows = false;
    sqlite3_stmt *stmt = NULL;
    if (!sql)
        return lochan_error__nomem(err);
    int code = sqlite3_prepare_v2(db->handle, sql, -1, &stmt, NULL);
    sqlite3_free(sql);
    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(stmt, 1, snapshot_id);
    if (code == SQLITE_OK)
        code = sqlite3_step(stmt);
    *rows = code == SQLITE_ROW;
    sqlite3_finalize(stmt);
    if (code == SQLITE_ROW || code == SQLITE_DONE ||
        code == SQLITE_ERROR) /* no such table: nothing was inlined yet */
        return LOCHAN_OK;
    return lochan_db__fail(db, code, "looking for inlined rows", err);
}

/* Rows inlined by another client live in a table of their own, named in
 * ducklake_inlined_data_tables. */
static lochan_status count_inlined(lochan_db *db, const char *name, int64_t snapshot_id, bool *rows,
                                   lochan_error *err) {
    char *sql = sqlite3_mprintf(
        "SELECT 1 FROM \"%w\" WHERE begin_snapshot <= ?1 AND (end_snapshot IS NULL OR "
        "end_snapshot > ?1) LIMIT 1",
        name);
    return any_row(db, sql, snapshot_id, rows, err);
}

/* So do the places of rows of files that it deleted; that table is named nowhere. */
static lochan_status count_inlined_deletes(lochan_db *db, const lochan_table_def *def,
                                           int64_t snapshot_id, bool *rows, lochan_error *err) {
    char *sql = sqlite3_mprintf(
        "SELECT 1 FROM ducklake_inlined_delete_%lld x JOIN ducklake_data_file d ON d.data_file_id "
        "= x.file_id WHERE x.begin_snapshot <= ?1 AND d.begin_snapshot <= ?1 AND "
        "(d.end_snapshot IS NULL OR d.end_snapshot > ?1) LIMIT 1",
        (long long)def->table_id);
    return any_row(db, sql, snapshot_id, rows, err);
}

static lochan_status check_inlined(lochan_db *db, const lochan_table_def *def, int64_t snapshot_id,
                                   lochan_arena *arena, lochan_error *err) {
    bool rows = false;
    LOCHAN_TRY(count_inlined_deletes(db, def, snapshot_id, &rows, err));
    if (rows)
        return refuse(def, "deletes that another client keeps inside the catalog", FLUSH, err);
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_ODD_INLINED,
                                           "ducklake_inlined_data_tables", arena, err);
    lochan_reader__bind_int(&r, 1, def->table_id);
    while (!rows && lochan_reader__next(&r)) {
        const char *name = lochan_reader__text(&r, 0);
        if (r.rc == LOCHAN_OK && strncmp(name, "ducklake_inlined_", 17) == 0)
            r.rc = count_inlined(db, name, snapshot_id, &rows, err);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    return rows ? refuse(def, "rows that another client keeps inside the catalog", ELSE, err)
                : LOCHAN_OK;
}

static lochan_status check_readable(lochan_db *db, const lochan_table_def *def, int64_t snapshot_id,
                                    lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_arena arena;
    lochan_arena__init(&arena, 1 << 20);
    LOCHAN_TRYG(check_deletes(db, def, snapshot_id, &arena, err));
    LOCHAN_TRYG(check_files(db, def, snapshot_id, &arena, err));
    LOCHAN_TRYG(check_inlined(db, def, snapshot_id, &arena, err));
done:
    lochan_arena__deinit(&arena);
    return rc;
}

lochan_status lochan_catalog__check_readable(lochan_catalog *catalog, const lochan_table_def *def,
                                             int64_t snapshot_id, lochan_error *err) {
    lochan_db *db;
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = check_readable(db, def, snapshot_id, err);
    lochan_catalog__read_end(catalog);
    return rc;
}

/* ---- the list ---- */

/* Folder and file together, checked. */
static const char *full_path(lochan_reader *r, const char *folder, const char *path) {
    char *full = lochan_arena__printf(r->arena, "%s%s", folder, path);
    if (r->rc != LOCHAN_OK)
        return "";
    if (!full) {
        r->rc = lochan_error__nomem(r->err);
        return "";
    }
    lochan_status rc = lochan_path__check_relative(full, r->err);
    if (rc != LOCHAN_OK) {
        r->rc = LOCHAN_ERR_CORRUPT;
        lochan_error__set(
            r->err, r->rc,
            "lake.db: a data file has the path '%.200s', which does not stay in the lake", full);
    }
    return full;
}

static void take_file(lochan_reader *r, const lochan_table_def *def, lochan_data_file *f) {
    f->id = lochan_reader__count(r, 0);
    f->path = full_path(r, def->path, lochan_reader__text(r, 1));
    f->rows = lochan_reader__count(r, 3);
    f->bytes = lochan_reader__count(r, 4);
    f->footer_bytes = lochan_reader__int_or(r, 5, -1);
    f->row_id_start = lochan_reader__int_or(r, 6, 0);
    f->begin_snapshot = lochan_reader__count(r, 7);
    f->partition_id = lochan_reader__int_or(r, 8, -1);
    f->file_id = lochan_reader__text_or(r, 10, "");
    f->foreign = *f->file_id == '\0';
    f->published_ns = lochan_reader__time(r, 11);
    int64_t order = lochan_reader__int_or(r, 12, 0);
    f->clustered = order == LOCHAN_FILE_CLUSTERED;
    f->sorted = order != 0 && !f->clustered;
    f->key_min = lochan_reader__blob(r, 13);
    f->key_max = lochan_reader__blob(r, 14);
    f->mapping_id = lochan_reader__int_or(r, 15, -1);
}

static int by_id(const void *a, const void *b) {
    int64_t x = ((const lochan_data_file *)a)->id, y = ((const lochan_data_file *)b)->id;
    return x < y ? -1 : x > y;
}

/* As a rule they come in this order already, and sorting here is far cheaper than in SQLite. */
static void sort_files(lochan_file_list *list) {
    for (size_t i = 1; i < list->n; i++) {
        if (list->files[i].id < list->files[i - 1].id) {
            qsort(list->files, list->n, sizeof *list->files, by_id);
            return;
        }
    }
}

static lochan_data_file *push_file(lochan_reader *r, lochan_file_list *out, size_t *cap) {
    if (out->n == *cap) {
        *cap = *cap ? *cap * 2 : 64;
        lochan_data_file *more = lochan_arena__array(&out->arena, *cap, sizeof *more);
        if (!more) {
            r->rc = lochan_error__nomem(r->err);
            return NULL;
        }
        if (out->n)
            memcpy(more, out->files, out->n * sizeof *more);
        out->files = more;
    }
    return &out->files[out->n++];
}

static lochan_status read_files(lochan_db *db, const lochan_table_def *def, int64_t newest,
                                lochan_file_list *out, lochan_error *err) {
    size_t cap = 0;
    lochan_sql sql = def->snapshot_id >= newest ? LOCHAN_SQL_FILES_LIVE : LOCHAN_SQL_FILES_AT;
    lochan_reader r = lochan_reader__start(db, sql, "ducklake_data_file", &out->arena, err);
    lochan_reader__bind_int(&r, 1, def->snapshot_id);
    lochan_reader__bind_int(&r, 2, def->table_id);
    while (lochan_reader__next(&r)) {
        lochan_data_file *f = push_file(&r, out, &cap);
        if (f)
            take_file(&r, def, f);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    sort_files(out);
    return LOCHAN_OK;
}

/* ---- files of some partitions ---- */

static lochan_status read_some(lochan_db *db, const lochan_table_def *def, lochan_sql sql,
                               const lochan_file_range *range, lochan_file_list *out, size_t *cap,
                               lochan_error *err) {
    bool odd = false;
    lochan_reader r = lochan_reader__start(db, sql, "ducklake_data_file", &out->arena, err);
    lochan_reader__bind_int(&r, 1, def->snapshot_id);
    lochan_reader__bind_int(&r, 2, def->table_id);
    if (range) {
        lochan_reader__bind_text(&r, 3, range->low);
        lochan_reader__bind_text(&r, 4, range->high);
    }
    while (lochan_reader__next(&r)) {
        lochan_data_file *f = push_file(&r, out, cap);
        if (f)
            take_file(&r, def, f);
        odd = odd || lochan_reader__bool(&r, 16, false);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    return odd ? refuse(def, "files of a kind that another client made", ELSE, err) : LOCHAN_OK;
}

/* What another client added since our last commit stands in no partition of ours yet, so all of it
 * is listed. */
static lochan_status read_ranges(lochan_db *db, const lochan_table_def *def,
                                 const lochan_file_range *ranges, size_t n, lochan_file_list *out,
                                 lochan_error *err) {
    size_t cap = 0;
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(read_some(db, def, LOCHAN_SQL_FILES_IN, &ranges[i], out, &cap, err));
    LOCHAN_TRY(read_some(db, def, LOCHAN_SQL_FILES_UNRECORDED, NULL, out, &cap, err));
    sort_files(out);
    return LOCHAN_OK;
}

/* Rows about the listed files are read in one range of ids where the list is dense, else file by
 * file: a few files of a large table must not cost as much as all of it. */
typedef struct id_ranges {
    const lochan_file_list *list;
    bool dense;
    size_t at;
} id_ranges;

static id_ranges ranges_of(const lochan_file_list *list) {
    int64_t width = list->n > 0 ? list->files[list->n - 1].id - list->files[0].id : 0;
    return (id_ranges){list, width / 8 <= (int64_t)list->n, 0};
}

static bool next_range(id_ranges *r, int64_t *low, int64_t *high) {
    if (r->at >= r->list->n)
        return false;
    *low = r->list->files[r->at].id;
    *high = r->dense ? r->list->files[r->list->n - 1].id : *low;
    r->at = r->dense ? r->list->n : r->at + 1;
    return true;
}

/* Files are in the order of their ids, and so are the rows that follow: one pass, no search. */
static lochan_data_file *advance(lochan_file_list *list, size_t *at, int64_t id) {
    while (*at < list->n && list->files[*at].id < id)
        (*at)++;
    return *at < list->n && list->files[*at].id == id ? &list->files[*at] : NULL;
}

static lochan_status read_partition_values(lochan_db *db, const lochan_table_def *def,
                                           lochan_file_list *list, lochan_error *err) {
    size_t at = 0;
    if (def->n_partition == 0 || list->n == 0)
        return LOCHAN_OK;
    const char **values =
        lochan_arena__array(&list->arena, list->n, def->n_partition * sizeof *values);
    if (!values)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < list->n; i++)
        list->files[i].partition_values = values + i * def->n_partition;
    id_ranges ids = ranges_of(list);
    int64_t low, high;
    while (next_range(&ids, &low, &high)) {
        lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_FILE_PARTITION_VALUES,
                                               "ducklake_file_partition_value", &list->arena, err);
        lochan_reader__bind_int(&r, 1, def->table_id);
        lochan_reader__bind_int(&r, 2, low);
        lochan_reader__bind_int(&r, 3, high);
        while (lochan_reader__next(&r)) {
            lochan_data_file *f = advance(list, &at, lochan_reader__int(&r, 0));
            int64_t index = lochan_reader__int(&r, 1);
            bool ours =
                f && f->partition_id ==
                         def->partition_id; /* else the values are those of another partitioning */
            if (ours && index >= 0 && (size_t)index < def->n_partition)
                f->partition_values[index] = lochan_reader__text_or(&r, 2, NULL);
        }
        LOCHAN_TRY(lochan_reader__end(&r));
    }
    return LOCHAN_OK;
}

/* Type of the leaf with that id; false if the schema has none. */
static bool leaf_type(const struct ArrowSchema *schema, int64_t id, int depth, lochan_type *out) {
    if (depth > 66)
        return false;
    if (schema->n_children == 0 && lochan_schema__field_id(schema) == id)
        return lochan_type__parse(schema->format, out, NULL) == LOCHAN_OK;
    for (int64_t i = 0; i < schema->n_children; i++)
        if (leaf_type(schema->children[i], id, depth + 1, out))
            return true;
    return false;
}

static void take_stats(lochan_reader *r, const lochan_type *type, size_t slot,
                       lochan_data_file *f) {
    lochan_expr_stats *s = &f->stats[slot];
    const char *min = lochan_reader__text_or(r, 3, NULL), *max = lochan_reader__text_or(r, 4, NULL);
    f->stats_known[slot] = true;
    lochan_ducktype__stats(type, min, max, s);
    s->row_count = f->rows;
    s->null_count = lochan_reader__int_or(r, 2, -1);
    if (lochan_type__is_float(type->id))
        s->may_have_nan = lochan_reader__int_or(r, 5, 1) != 0;
}

static lochan_status read_stats(lochan_db *db, const lochan_table_def *def, int64_t column_id,
                                size_t slot, lochan_file_list *list, lochan_error *err) {
    size_t at = 0;
    lochan_type type;
    if (!leaf_type(&def->schema, column_id, 0, &type))
        return LOCHAN_OK;
    id_ranges ids = ranges_of(list);
    int64_t low, high;
    while (next_range(&ids, &low, &high)) {
        lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_FILE_STATS,
                                               "ducklake_file_column_stats", &list->arena, err);
        lochan_reader__bind_int(&r, 1, def->table_id);
        lochan_reader__bind_int(&r, 2, column_id);
        lochan_reader__bind_int(&r, 3, low);
        lochan_reader__bind_int(&r, 4, high);
        while (lochan_reader__next(&r)) {
            lochan_data_file *f = advance(list, &at, lochan_reader__int(&r, 0));
            if (f)
                take_stats(&r, &type, slot, f);
        }
        LOCHAN_TRY(lochan_reader__end(&r));
    }
    return LOCHAN_OK;
}

static lochan_status read_all_stats(lochan_db *db, const lochan_table_def *def,
                                    const int64_t *column_ids, size_t n_columns,
                                    lochan_file_list *list, lochan_error *err) {
    if (n_columns == 0 || list->n == 0)
        return LOCHAN_OK;
    lochan_expr_stats *stats =
        lochan_arena__array(&list->arena, list->n, n_columns * sizeof *stats);
    bool *known = lochan_arena__array(&list->arena, list->n, n_columns * sizeof *known);
    if (!stats || !known)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < list->n; i++) {
        list->files[i].stats = stats + i * n_columns;
        list->files[i].stats_known = known + i * n_columns;
    }
    for (size_t i = 0; i < n_columns; i++)
        LOCHAN_TRY(read_stats(db, def, column_ids[i], i, list, err));
    return LOCHAN_OK;
}

lochan_status lochan_catalog__files(lochan_catalog *catalog, const lochan_table_def *def,
                                    const int64_t *column_ids, size_t n_columns,
                                    lochan_file_list *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    int64_t newest;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    LOCHAN_TRYG(lochan_db__newest_snapshot(db, &newest, err));
    LOCHAN_TRYG(check_readable(db, def, def->snapshot_id, err));
    LOCHAN_TRYG(read_files(db, def, newest, out, err));
    LOCHAN_TRYG(read_partition_values(db, def, out, err));
    LOCHAN_TRYG(lochan_db__read_mappings(db, def, out, err));
    LOCHAN_TRYG(read_all_stats(db, def, column_ids, n_columns, out, err));
done:
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_file_list__deinit(out);
    return rc;
}

lochan_status lochan_catalog__files_in(lochan_catalog *catalog, const lochan_table_def *def,
                                       const lochan_file_range *ranges, size_t n_ranges,
                                       const int64_t *column_ids, size_t n_columns,
                                       lochan_file_list *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    LOCHAN_TRYG(check_deletes(db, def, def->snapshot_id, &out->arena, err));
    LOCHAN_TRYG(check_inlined(db, def, def->snapshot_id, &out->arena, err));
    LOCHAN_TRYG(read_ranges(db, def, ranges, n_ranges, out, err));
    LOCHAN_TRYG(read_partition_values(db, def, out, err));
    LOCHAN_TRYG(lochan_db__read_mappings(db, def, out, err));
    LOCHAN_TRYG(read_all_stats(db, def, column_ids, n_columns, out, err));
done:
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_file_list__deinit(out);
    return rc;
}

/* ---- every file ever known ---- */

static int compare_paths(const void *path, const void *file) {
    return strcmp(path, ((const lochan_known_file *)file)->path);
}

bool lochan_known_files__has(const lochan_known_files *list, const char *path) {
    return list->n > 0 &&
           bsearch(path, list->files, list->n, sizeof *list->files, compare_paths) != NULL;
}

void lochan_known_files__deinit(lochan_known_files *list) {
    lochan_arena__deinit(&list->arena);
    memset(list, 0, sizeof *list);
}

static int by_path(const void *a, const void *b) {
    const lochan_known_file *x = a, *y = b;
    int c = strcmp(x->path, y->path);
    return c ? c : x->id < y->id ? -1 : x->id > y->id;
}

static void take_known(lochan_reader *r, lochan_known_file *f) {
    const char *folder = "";
    f->id = lochan_reader__int(r, 0);
    f->table_id = lochan_reader__int(r, 1);
    f->source = lochan_reader__text(r, 2);
    f->dataset = lochan_reader__text(r, 3);
    const char *schema_path = lochan_reader__text_or(r, 4, ""),
               *table_path = lochan_reader__text_or(r, 6, "");
    bool relative = lochan_reader__bool(r, 5, true) && lochan_reader__bool(r, 7, true) &&
                    lochan_reader__bool(r, 9, true);
    if (r->rc == LOCHAN_OK && relative)
        r->rc = lochan_db__folder(r->arena, f->dataset, schema_path, true, table_path, true,
                                  &folder, r->err);
    const char *path = lochan_reader__text(r, 8);
    f->path = relative ? full_path(r, folder, path) : path;
    f->rows = lochan_reader__count(r, 10);
    f->bytes = lochan_reader__count(r, 11);
    f->footer_bytes = lochan_reader__int_or(r, 12, -1);
    f->live = lochan_reader__bool(r, 13, false);
    f->foreign = lochan_reader__bool(r, 14, true);
}

static lochan_status read_known(lochan_db *db, lochan_known_files *out, lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_KNOWN_FILES, "ducklake_data_file", &out->arena, err);
    while (lochan_reader__next(&r)) {
        if (out->n == cap) {
            cap = cap ? cap * 2 : 64;
            lochan_known_file *more = lochan_arena__array(&out->arena, cap, sizeof *more);
            if (!more) {
                r.rc = lochan_error__nomem(err);
                break;
            }
            if (out->n)
                memcpy(more, out->files, out->n * sizeof *more);
            out->files = more;
        }
        take_known(&r, &out->files[out->n++]);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    if (out->n > 1)
        qsort(out->files, out->n, sizeof *out->files, by_path);
    return LOCHAN_OK;
}

lochan_status lochan_catalog__known_files(lochan_catalog *catalog, lochan_known_files *out,
                                          lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_status rc = read_known(db, out, err);
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_known_files__deinit(out);
    return rc;
}
