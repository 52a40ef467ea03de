/* read_table.c - snapshots and tables.
 * Invariants: see read.h; a table is one schema of columns live at one snapshot. May call: base/,
 * arrow/, internal.h.
 */
#include "catalog/internal.h"

#include "base/civil.h"
#include "base/fs.h"
#include "base/mem.h"

#include <string.h>

/* ---- snapshots ---- */

lochan_status lochan_db__newest_snapshot(lochan_db *db, int64_t *out, lochan_error *err) {
    lochan_arena arena;
    *out = -1;
    lochan_arena__init(&arena, 4096);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_SNAPSHOT_NEWEST, "ducklake_snapshot", &arena, err);
    if (lochan_reader__next(&r))
        *out = lochan_reader__count(&r, 0);
    else if (r.rc == LOCHAN_OK)
        r.rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "lake.db has no snapshot");
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

static void take_snapshot(lochan_reader *r, lochan_snapshot *out) {
    out->id = lochan_reader__count(r, 0);
    out->time_ns = lochan_reader__time(r, 1);
    out->schema_version = lochan_reader__count(r, 2);
}

static lochan_status no_snapshot(lochan_db *db, lochan_arena *arena, const char *as_of,
                                 lochan_error *err) {
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_SNAPSHOT_RANGE, "ducklake_snapshot", arena, err);
    int64_t from = 0, to = 0;
    if (lochan_reader__next(&r)) {
        from = lochan_reader__int_or(&r, 0, 0);
        to = lochan_reader__int_or(&r, 1, 0);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                             "there is no snapshot as of '%s': the lake has %lld to %lld", as_of,
                             (long long)from, (long long)to);
}

static lochan_status snapshot_by_time(lochan_db *db, lochan_arena *arena, int64_t ns, bool *found,
                                      lochan_snapshot *out, lochan_error *err) {
    *found = false;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_SNAPSHOTS_DOWN, "ducklake_snapshot", arena, err);
    while (!*found && lochan_reader__next(&r)) {
        take_snapshot(&r, out);
        *found = r.rc == LOCHAN_OK && out->time_ns <= ns;
    }
    return lochan_reader__end(&r);
}

static lochan_status find_snapshot(lochan_db *db, lochan_arena *arena, const char *as_of,
                                   lochan_snapshot *out, lochan_error *err) {
    int64_t id = 0, ns = 0;
    bool found = false;
    size_t n = as_of ? strlen(as_of) : 0;
    bool by_id = as_of && lochan_parse__int64(as_of, n, &id);
    if (as_of && !by_id) {
        LOCHAN_TRY(lochan_db__tag(db, as_of, &by_id, &id, err));
        if (!by_id && !lochan_civil__parse_utc(as_of, n, &ns))
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "'%s' is neither a snapshot id nor a tag nor a time such as "
                                     "2026-10-30 12:00:00",
                                     as_of);
    }
    if (as_of && !by_id) {
        LOCHAN_TRY(snapshot_by_time(db, arena, ns, &found, out, err));
    } else {
        lochan_sql sql = by_id ? LOCHAN_SQL_SNAPSHOT_BY_ID : LOCHAN_SQL_SNAPSHOT_NEWEST;
        lochan_reader r = lochan_reader__start(db, sql, "ducklake_snapshot", arena, err);
        if (by_id)
            lochan_reader__bind_int(&r, 1, id);
        found = lochan_reader__next(&r);
        if (found)
            take_snapshot(&r, out);
        LOCHAN_TRY(lochan_reader__end(&r));
    }
    return found ? LOCHAN_OK : no_snapshot(db, arena, as_of ? as_of : "now", err);
}

lochan_status lochan_catalog__snapshot_at(lochan_catalog *catalog, const char *as_of,
                                          lochan_snapshot *out, lochan_error *err) {
    lochan_db *db;
    lochan_arena arena;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    lochan_arena__init(&arena, 1 << 20);
    lochan_status rc = find_snapshot(db, &arena, as_of, out, err);
    lochan_arena__deinit(&arena);
    lochan_catalog__read_end(catalog);
    return rc;
}

/* ---- names ---- */

void lochan_table_names__deinit(lochan_table_names *names) {
    lochan_arena__deinit(&names->arena);
    memset(names, 0, sizeof *names);
}

static lochan_status read_names(lochan_db *db, int64_t snapshot_id, lochan_table_names *out,
                                lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_TABLES_AT, "ducklake_table", &out->arena, err);
    lochan_reader__bind_int(&r, 1, snapshot_id);
    while (lochan_reader__next(&r)) {
        if (out->n == cap) {
            cap = cap ? cap * 2 : 16;
            lochan_table_name *more = lochan_arena__array(&out->arena, cap, sizeof *more);
            if (!more) {
                r.rc = lochan_error__nomem(err);
                break;
            }
            if (out->n)
                memcpy(more, out->names, out->n * sizeof *more);
            out->names = more;
        }
        lochan_table_name *name = &out->names[out->n++];
        name->table_id = lochan_reader__int(&r, 0);
        name->source = lochan_reader__text(&r, 1);
        name->dataset = lochan_reader__text(&r, 2);
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_catalog__tables(lochan_catalog *catalog, int64_t snapshot_id,
                                     lochan_table_names *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_catalog__read_begin(catalog, &db, err));
    if (snapshot_id < 0)
        LOCHAN_TRYG(lochan_db__newest_snapshot(db, &snapshot_id, err));
    LOCHAN_TRYG(read_names(db, snapshot_id, out, err));
done:
    lochan_catalog__read_end(catalog);
    if (rc != LOCHAN_OK)
        lochan_table_names__deinit(out);
    return rc;
}

/* ---- one table ---- */

void lochan_table_def__deinit(lochan_table_def *def) {
    lochan_schema__release(&def->schema);
    lochan_arena__deinit(&def->arena);
    memset(def, 0, sizeof *def);
}

lochan_status lochan_db__folder(lochan_arena *arena, const char *table, const char *schema_path,
                                bool schema_relative, const char *table_path, bool table_relative,
                                const char **out, lochan_error *err) {
    if (!schema_relative || !table_relative)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "the files of table %s lie outside of the lake", table);
    char *folder = lochan_arena__printf(arena, "%s%s", schema_path, table_path);
    if (!folder)
        return lochan_error__nomem(err);
    size_t n = strlen(folder);
    if (n > 0 && folder[n - 1] != '/')
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "lake.db: the path '%s' of table %s does not end in '/'", folder,
                                 table);
    if (n > 0) { /* checked without the slash at its end */
        folder[n - 1] = '\0';
        bool inside = lochan_path__check_relative(folder, NULL) == LOCHAN_OK;
        folder[n - 1] = '/';
        if (!inside)
            return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                     "lake.db: the path '%s' of table %s does not stay in the lake",
                                     folder, table);
    }
    *out = folder;
    return LOCHAN_OK;
}

static lochan_status no_table(lochan_db *db, const char *source, const char *dataset,
                              int64_t snapshot_id, lochan_error *err) {
    char list[300] = "";
    size_t n = 0;
    lochan_table_names names;
    memset(&names, 0, sizeof names);
    lochan_status rc = read_names(db, snapshot_id, &names, err);
    for (size_t i = 0; rc == LOCHAN_OK && i < names.n; i++) {
        char one[260];
        lochan_format(one, sizeof one, "%s%s/%s", n ? ", " : "", names.names[i].source,
                      names.names[i].dataset);
        if (n + strlen(one) + 6 > sizeof list) {
            memcpy(list + n, ", ...", 6);
            break;
        }
        memcpy(list + n, one, strlen(one) + 1);
        n += strlen(one);
    }
    lochan_table_names__deinit(&names);
    LOCHAN_TRY(rc);
    return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                             "there is no table %s/%s in snapshot %lld; there is: %s", source,
                             dataset, (long long)snapshot_id, *list ? list : "none");
}

/* ---- columns ---- */

typedef struct column_row {
    int64_t id, parent; /* parent 0 = top level */
    const char *name, *type;
    bool nullable;
} column_row;

typedef struct column_rows {
    column_row *rows;
    size_t n;
    size_t placed; /* found their place in the schema */
    const char *table;
} column_rows;

static lochan_status read_columns(lochan_db *db, lochan_table_def *def, column_rows *out,
                                  lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_COLUMNS_AT, "ducklake_column", &def->arena, err);
    lochan_reader__bind_int(&r, 1, def->snapshot_id);
    lochan_reader__bind_int(&r, 2, def->table_id);
    while (lochan_reader__next(&r)) {
        if (out->n == cap) {
            cap = cap ? cap * 2 : 32;
            column_row *more = lochan_arena__array(&def->arena, cap, sizeof *more);
            if (!more) {
                r.rc = lochan_error__nomem(err);
                break;
            }
            if (out->n)
                memcpy(more, out->rows, out->n * sizeof *more);
            out->rows = more;
        }
        column_row *c = &out->rows[out->n++];
        c->id = lochan_reader__int(&r, 0);
        c->parent = lochan_reader__int_or(&r, 1, 0);
        c->name = lochan_reader__text(&r, 3);
        c->type = lochan_reader__text(&r, 4);
        c->nullable = lochan_reader__bool(&r, 5, true);
        int64_t begin = lochan_reader__int(&r, 6);
        if (begin > def->schema_begin)
            def->schema_begin = begin;
        if (c->id <= 0 || c->id > INT32_MAX || c->parent < 0)
            lochan_reader__corrupt(&r, 0, "a column id");
        if (!*c->name)
            lochan_reader__corrupt(&r, 3, "a name");
    }
    return lochan_reader__end(&r);
}

static int64_t count_children(const column_rows *c, int64_t parent) {
    int64_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        n += c->rows[i].parent == parent;
    return n;
}

static lochan_status fill_field(column_rows *c, const column_row *row, struct ArrowSchema *field,
                                int depth, lochan_error *err);

static lochan_status fill_children(column_rows *c, int64_t parent, struct ArrowSchema *holder,
                                   int depth, lochan_error *err) {
    int64_t k = 0;
    for (size_t i = 0; i < c->n; i++)
        if (c->rows[i].parent == parent)
            LOCHAN_TRY(fill_field(c, &c->rows[i], holder->children[k++], depth + 1, err));
    return LOCHAN_OK;
}

static lochan_status bad_column(const column_rows *c, const column_row *row, const char *why,
                                lochan_error *err) {
    lochan_error__set(err, LOCHAN_ERR_CORRUPT, "lake.db: column %s of table %s %s", row->name,
                      c->table, why);
    return lochan_error__in_table(err, LOCHAN_ERR_CORRUPT, c->table, row->name, -1);
}

static lochan_status fill_nested(column_rows *c, const column_row *row, lochan_type_id id,
                                 struct ArrowSchema *field, int depth, lochan_error *err) {
    lochan_type type = {.id = id};
    int64_t n = count_children(c, row->id);
    if ((id == LOCHAN_TYPE_LIST && n != 1) || (id == LOCHAN_TYPE_MAP && n != 2) || n < 1)
        return bad_column(c, row, "has a wrong number of children", err);
    if (id != LOCHAN_TYPE_MAP) {
        LOCHAN_TRY(lochan_schema__set_nested(field, row->name, &type, row->nullable, n, err));
        return fill_children(c, row->id, field, depth, err);
    }
    lochan_type entries = {.id = LOCHAN_TYPE_STRUCT};
    LOCHAN_TRY(lochan_schema__set_nested(field, row->name, &type, row->nullable, 1, err));
    LOCHAN_TRY(lochan_schema__set_nested(field->children[0], "entries", &entries, false, 2, err));
    LOCHAN_TRY(fill_children(c, row->id, field->children[0], depth, err));
    field->children[0]->children[0]->flags &=
        ~(int64_t)ARROW_FLAG_NULLABLE; /* keys are never null */
    return LOCHAN_OK;
}

static lochan_status fill_field(column_rows *c, const column_row *row, struct ArrowSchema *field,
                                int depth, lochan_error *err) {
    lochan_type type;
    c->placed++;
    if (depth > 64)
        return bad_column(c, row, "is nested too deep or in a circle", err);
    if (strcmp(row->type, "struct") == 0) {
        LOCHAN_TRY(fill_nested(c, row, LOCHAN_TYPE_STRUCT, field, depth, err));
    } else if (strcmp(row->type, "list") == 0) {
        LOCHAN_TRY(fill_nested(c, row, LOCHAN_TYPE_LIST, field, depth, err));
    } else if (strcmp(row->type, "map") == 0) {
        LOCHAN_TRY(fill_nested(c, row, LOCHAN_TYPE_MAP, field, depth, err));
    } else {
        lochan_status rc = lochan_ducktype__parse(row->type, &type, err);
        if (rc != LOCHAN_OK) {
            lochan_error__prefix(err, rc, "column %s of table %s", row->name, c->table);
            return lochan_error__in_table(err, rc, c->table, row->name, -1);
        }
        LOCHAN_TRY(lochan_schema__set_field(field, row->name, &type, row->nullable, err));
    }
    return lochan_schema__set_field_id(field, (int32_t)row->id, err);
}

static lochan_status read_schema(lochan_db *db, lochan_table_def *def, lochan_error *err) {
    column_rows c = {NULL, 0, 0, def->dataset};
    LOCHAN_TRY(read_columns(db, def, &c, err));
    LOCHAN_TRY(lochan_schema__init_struct(&def->schema, count_children(&c, 0), err));
    LOCHAN_TRY(fill_children(&c, 0, &def->schema, 0, err));
    if (c.placed != c.n)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "lake.db: %zu columns of table %s have a parent that is not there",
                                 c.n - c.placed, def->dataset);
    return LOCHAN_OK;
}

static int column_by_id(const lochan_table_def *def, int64_t id) {
    for (int64_t i = 0; i < def->schema.n_children; i++)
        if (lochan_schema__field_id(def->schema.children[i]) == id)
            return (int)i;
    return -1;
}

/* ---- partitioning and order ---- */

static lochan_status read_partition(lochan_db *db, lochan_table_def *def, lochan_error *err) {
    def->partition_id = -1;
    def->partition = lochan_arena__array(&def->arena, 64, sizeof *def->partition);
    if (!def->partition)
        return lochan_error__nomem(err);
    lochan_reader r = lochan_reader__start(db, LOCHAN_SQL_PARTITION_AT, "ducklake_partition_column",
                                           &def->arena, err);
    lochan_reader__bind_int(&r, 1, def->snapshot_id);
    lochan_reader__bind_int(&r, 2, def->table_id);
    while (lochan_reader__next(&r)) {
        int64_t id = lochan_reader__int(&r, 0);
        if (def->n_partition == 64 || lochan_reader__int(&r, 1) != (int64_t)def->n_partition ||
            (def->n_partition > 0 && id != def->partition_id)) {
            lochan_reader__corrupt(&r, 1, "one list of keys, numbered from 0");
            break;
        }
        lochan_partition_key *key = &def->partition[def->n_partition++];
        def->partition_id = id;
        key->column_id = lochan_reader__int(&r, 2);
        key->column = column_by_id(def, key->column_id);
        key->transform = lochan_reader__text(&r, 3);
        key->name = key->column < 0 ? "" : def->schema.children[key->column]->name;
        if (key->column < 0)
            lochan_reader__corrupt(&r, 2, "a live top-level column");
    }
    return lochan_reader__end(&r);
}

/* A quoted or plain column name; -1 if the expression is anything else. */
static int column_of_expression(const lochan_table_def *def, const char *expression,
                                lochan_arena *arena) {
    size_t n = strlen(expression);
    if (n < 2 || expression[0] != '"' || expression[n - 1] != '"')
        return lochan_schema__find(&def->schema, expression);
    char *name = lochan_arena__alloc(arena, n);
    size_t k = 0;
    for (size_t i = 1; name && i + 1 < n; i++) {
        name[k++] = expression[i];
        if (expression[i] == '"')
            i++;
    }
    return name ? lochan_schema__find(&def->schema, name) : -1;
}

static lochan_status read_sort(lochan_db *db, lochan_table_def *def, lochan_error *err) {
    def->sort = lochan_arena__array(&def->arena, 64, sizeof *def->sort);
    if (!def->sort)
        return lochan_error__nomem(err);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_SORT_AT, "ducklake_sort_expression", &def->arena, err);
    lochan_reader__bind_int(&r, 1, def->snapshot_id);
    lochan_reader__bind_int(&r, 2, def->table_id);
    while (def->n_sort < 64 && lochan_reader__next(&r)) {
        lochan_table_sort *key = &def->sort[def->n_sort++];
        key->expression = lochan_reader__text(&r, 0);
        key->descending = strcmp(lochan_reader__text_or(&r, 1, "ASC"), "DESC") == 0;
        key->nulls_first = strcmp(lochan_reader__text_or(&r, 2, "NULLS_LAST"), "NULLS_FIRST") == 0;
        key->column = column_of_expression(def, key->expression, &def->arena);
    }
    return lochan_reader__end(&r);
}

/* What changes without the schema version. */
static lochan_status read_numbers(lochan_db *db, lochan_table_def *def, lochan_error *err) {
    def->rows = def->bytes = 0;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_TABLE_STATS, "ducklake_table_stats", &def->arena, err);
    lochan_reader__bind_int(&r, 1, def->table_id);
    if (lochan_reader__next(&r)) {
        def->rows = lochan_reader__int_or(&r, 0, 0);
        def->bytes = lochan_reader__int_or(&r, 2, 0);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    def->dataset_id = -1;
    r = lochan_reader__start(db, LOCHAN_SQL_DATASET_OF_TABLE, "lochan_dataset", &def->arena, err);
    lochan_reader__bind_int(&r, 1, def->table_id);
    if (lochan_reader__next(&r))
        def->dataset_id = lochan_reader__int(&r, 0);
    return lochan_reader__end(&r);
}

static lochan_status read_table(lochan_db *db, const char *source, const char *dataset,
                                lochan_table_def *def, lochan_error *err) {
    bool found = false;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_TABLE_AT, "ducklake_table", &def->arena, err);
    lochan_reader__bind_int(&r, 1, def->snapshot_id);
    lochan_reader__bind_text(&r, 2, source);
    lochan_reader__bind_text(&r, 3, dataset);
    if (lochan_reader__next(&r)) {
        found = true;
        def->table_id = lochan_reader__int(&r, 0);
        def->uuid = lochan_reader__text_or(&r, 1, "");
        def->source = lochan_reader__text(&r, 2);
        def->dataset = lochan_reader__text(&r, 3);
        const char *schema_path = lochan_reader__text_or(&r, 4, ""),
                   *path = lochan_reader__text_or(&r, 6, "");
        bool schema_relative = lochan_reader__bool(&r, 5, true),
             relative = lochan_reader__bool(&r, 7, true);
        if (r.rc == LOCHAN_OK)
            r.rc = lochan_db__folder(&def->arena, def->dataset, schema_path, schema_relative, path,
                                     relative, &def->path, err);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    if (!found)
        return no_table(db, source, dataset, def->snapshot_id, err);
    LOCHAN_TRY(read_schema(db, def, err));
    LOCHAN_TRY(read_partition(db, def, err));
    LOCHAN_TRY(read_sort(db, def, err));
    return read_numbers(db, def, err);
}

lochan_status lochan_db__table(lochan_db *db, const char *source, const char *dataset,
                               int64_t snapshot_id, lochan_table_def *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    out->snapshot_id = snapshot_id;
    lochan_status rc = read_table(db, source, dataset, out, err);
    if (rc != LOCHAN_OK)
        lochan_table_def__deinit(out);
    return rc;
}

/* The newest snapshot's number and schema version. */
static lochan_status newest_version(lochan_db *db, int64_t *snapshot_id, int64_t *schema_version,
                                    lochan_error *err) {
    lochan_arena arena;
    lochan_arena__init(&arena, 4096);
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_SNAPSHOT_NEWEST, "ducklake_snapshot", &arena, err);
    if (lochan_reader__next(&r)) {
        *snapshot_id = lochan_reader__count(&r, 0);
        *schema_version = lochan_reader__count(&r, 2);
    } else if (r.rc == LOCHAN_OK) {
        r.rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT, "lake.db has no snapshot");
    }
    lochan_status rc = lochan_reader__end(&r);
    lochan_arena__deinit(&arena);
    return rc;
}

static lochan_status newest_table(lochan_catalog *catalog, lochan_db *db, const char *source,
                                  const char *dataset, lochan_table_def *out, lochan_error *err) {
    int64_t snapshot_id = -1, version = -1;
    bool found;
    LOCHAN_TRY(newest_version(db, &snapshot_id, &version, err));
    LOCHAN_TRY(lochan_known_table__get(catalog, source, dataset, version, &found, out, err));
    if (!found) {
        LOCHAN_TRY(lochan_db__table(db, source, dataset, snapshot_id, out, err));
        lochan_known_table__keep(catalog, out, version);
        return LOCHAN_OK;
    }
    out->snapshot_id = snapshot_id;
    lochan_status rc = read_numbers(db, out, err);
    if (rc != LOCHAN_OK)
        lochan_table_def__deinit(out);
    return rc;
}

lochan_status lochan_catalog__table(lochan_catalog *catalog, const char *source,
                                    const char *dataset, int64_t snapshot_id, lochan_table_def *out,
                                    lochan_error *err) {
    lochan_db *db;
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(source && dataset, err);
    LOCHAN_TRY(lochan_catalog__look_begin(catalog, &db, err));
    lochan_status rc = snapshot_id < 0
                           ? newest_table(catalog, db, source, dataset, out, err)
                           : lochan_db__table(db, source, dataset, snapshot_id, out, err);
    lochan_catalog__look_end(catalog, db);
    return rc;
}
