/* txn_table.c - creating and altering tables inside a transaction, and their statistics.
 * Invariants: column ids are never used twice in a table; table statistics are exact for rows,
 * bytes and files, and bounds that hold every live value for columns. May call: base/, arrow/,
 * internal.h.
 */
#include "catalog/internal.h"

#include "base/clock.h"

#include <string.h>
#include <strings.h>

/* ---- names ---- */

/* SQL names have no case: DuckDB mixes up tables that differ in it only, and does not open a lake
 * with two such columns at all. */
static lochan_status same_but_case(const char *what, const char *name, const char *there,
                                   lochan_error *err) {
    return lochan_error__set(
        err, LOCHAN_ERR_SCHEMA,
        "%s '%s' differs only in case from '%s', and SQL cannot tell them apart", what, name,
        there);
}

/* ---- schemas ---- */

static lochan_status find_schema(lochan_txn *txn, const char *source, int64_t *schema_id,
                                 lochan_error *err) {
    *schema_id = -1;
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_SCHEMA_LIVE, "ducklake_schema", &txn->arena, err);
    lochan_reader__bind_text(&r, 1, source);
    if (lochan_reader__next(&r))
        *schema_id = lochan_reader__count(&r, 0);
    return lochan_reader__end(&r);
}

/* Run tables have paths of their own below runs/, so their schema's folder is the lake. */
static lochan_status create_schema(lochan_txn *txn, const char *source, int64_t *schema_id,
                                   lochan_error *err) {
    char uuid[37];
    lochan_uuid__make(uuid);
    *schema_id = txn->next_catalog_id++;
    const char *path =
        strcmp(source, "runs") == 0 ? "" : lochan_arena__printf(&txn->arena, "data/%s/", source);
    if (!path)
        return lochan_error__nomem(err);
    LOCHAN_TRY(lochan_txn__insert(
        txn, LOCHAN_ROW_SCHEMA,
        LOCHAN_ROW(lochan_value__int(*schema_id), lochan_value__text(uuid),
                   lochan_value__int(lochan_txn__sid(txn)), lochan_value__null(),
                   lochan_value__text(source), lochan_value__text(path), lochan_value__int(1)),
        err));
    return lochan_txn__add_change(txn, err, "created_schema:\"%s\"", source);
}

/* ---- columns ---- */

typedef struct column_writer {
    lochan_txn *txn;
    int64_t table_id;
    int64_t next_id;
    int64_t next_order;
    bool keep_ids; /* of top-level columns */
} column_writer;

static bool is_nested(const char *type) {
    return strcmp(type, "struct") == 0 || strcmp(type, "list") == 0 || strcmp(type, "map") == 0;
}

static lochan_status write_field(column_writer *w, const struct ArrowSchema *field,
                                 const char *name, int64_t parent, int depth, int64_t *id,
                                 lochan_error *err);

/* Fields 0 to i - 1 have names already. */
static lochan_status check_sibling(const struct ArrowSchema *parent, int64_t i, lochan_error *err) {
    const char *name = parent->children[i]->name;
    for (int64_t j = 0; name && j < i; j++)
        if (strcasecmp(parent->children[j]->name, name) == 0)
            return same_but_case("field", name, parent->children[j]->name, err);
    return LOCHAN_OK;
}

/* A map's key and value stand directly below it in the catalog; Arrow has a struct between. */
static lochan_status write_children(column_writer *w, const struct ArrowSchema *field,
                                    const char *type, int64_t parent, int depth,
                                    lochan_error *err) {
    static const char *const map_names[] = {"key", "value"};
    const struct ArrowSchema *holder = field;
    bool map = strcmp(type, "map") == 0;
    if (map)
        holder = field->n_children == 1 ? field->children[0] : NULL;
    if (map && (!holder || holder->n_children != 2))
        return lochan_error__set(err, LOCHAN_ERR_DATA, "map column %s has no key and value",
                                 field->name);
    if (strcmp(type, "list") == 0 && field->n_children != 1)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "list column %s has no element",
                                 field->name);
    if (strcmp(type, "struct") == 0 && field->n_children == 0)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "struct column %s has no fields",
                                 field->name);
    bool nested = is_nested(type);
    for (int64_t i = 0; nested && i < holder->n_children; i++) {
        const char *name = map                         ? map_names[i]
                           : strcmp(type, "list") == 0 ? "element"
                                                       : holder->children[i]->name;
        if (strcmp(type, "struct") == 0)
            LOCHAN_TRY(check_sibling(holder, i, err));
        LOCHAN_TRY(write_field(w, holder->children[i], name, parent, depth + 1, NULL, err));
    }
    return LOCHAN_OK;
}

static lochan_status write_field(column_writer *w, const struct ArrowSchema *field,
                                 const char *name, int64_t parent, int depth, int64_t *id,
                                 lochan_error *err) {
    char type[64];
    if (depth > 64)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "columns are nested more than 64 deep");
    if (!name || !*name)
        return lochan_error__set(err, LOCHAN_ERR_SCHEMA, "a column has no name");
    if (!lochan_utf8__valid(name, strlen(name)))
        return lochan_error__set(err, LOCHAN_ERR_SCHEMA, "a column's name is not valid UTF-8");
    LOCHAN_TRY(lochan_ducktype__of_field(field, type, err));
    int64_t own = w->keep_ids && depth == 0 ? lochan_schema__field_id(field) : w->next_id++;
    if (id)
        *id = own;
    bool nullable = (field->flags & ARROW_FLAG_NULLABLE) != 0;
    LOCHAN_TRY(lochan_txn__insert(
        w->txn, LOCHAN_ROW_COLUMN,
        LOCHAN_ROW(
            lochan_value__int(own), lochan_value__int(lochan_txn__sid(w->txn)),
            lochan_value__null(), lochan_value__int(w->table_id),
            lochan_value__int(w->next_order++), lochan_value__text(name), lochan_value__text(type),
            lochan_value__null(), lochan_value__text("NULL"), lochan_value__int(nullable),
            parent ? lochan_value__int(parent) : lochan_value__null(),
            lochan_value__text(is_nested(type) ? "" : "literal"), lochan_value__text("duckdb")),
        err));
    return write_children(w, field, type, own, depth, err);
}

static lochan_status write_schema_version(lochan_txn *txn, int64_t table_id, lochan_error *err) {
    txn->schema_changed = true;
    txn->tables_changed = true;
    return lochan_txn__replace(txn, LOCHAN_ROW_SCHEMA_VERSIONS,
                               LOCHAN_ROW(lochan_value__int(lochan_txn__sid(txn)),
                                          lochan_value__int(txn->schema_version + 1),
                                          lochan_value__int(table_id)),
                               err);
}

/* ---- create table ---- */

static lochan_status check_transform(const char *transform, lochan_error *err) {
    static const char *const plain[] = {"identity", "year", "month", "day", "hour"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(plain); i++)
        if (strcmp(plain[i], transform) == 0)
            return LOCHAN_OK;
    int64_t n;
    size_t len = strlen(transform);
    if (len > 8 && strncmp(transform, "bucket(", 7) == 0 && transform[len - 1] == ')' &&
        lochan_parse__int64(transform + 7, len - 8, &n) && n > 0)
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED, "partition transform '%s' is not known",
                             transform);
}

static lochan_status write_partitioning(lochan_txn *txn, const lochan_table_create *create,
                                        int64_t table_id, const int64_t *column_ids,
                                        int64_t *partition_id, lochan_error *err) {
    *partition_id = -1;
    if (create->n_partition == 0)
        return LOCHAN_OK;
    *partition_id = txn->next_catalog_id++;
    LOCHAN_TRY(lochan_txn__insert(
        txn, LOCHAN_ROW_PARTITION_INFO,
        LOCHAN_ROW(lochan_value__int(*partition_id), lochan_value__int(table_id),
                   lochan_value__int(lochan_txn__sid(txn)), lochan_value__null()),
        err));
    for (size_t i = 0; i < create->n_partition; i++) {
        const lochan_partition_key *key = &create->partition[i];
        LOCHAN_CHECK_ARG(key->column >= 0 && key->column < create->schema->n_children, err);
        LOCHAN_TRY(check_transform(key->transform, err));
        LOCHAN_TRY(lochan_txn__insert(
            txn, LOCHAN_ROW_PARTITION_COLUMN,
            LOCHAN_ROW(lochan_value__int(*partition_id), lochan_value__int(table_id),
                       lochan_value__int((int64_t)i), lochan_value__int(column_ids[key->column]),
                       lochan_value__text(key->transform)),
            err));
    }
    return LOCHAN_OK;
}

/* The expression is SQL of DuckDB: a quoted column name. */
static lochan_status write_sorting(lochan_txn *txn, const lochan_table_create *create,
                                   int64_t table_id, lochan_error *err) {
    if (create->n_sort == 0)
        return LOCHAN_OK;
    int64_t sort_id = txn->next_catalog_id++;
    LOCHAN_TRY(lochan_txn__insert(
        txn, LOCHAN_ROW_SORT_INFO,
        LOCHAN_ROW(lochan_value__int(sort_id), lochan_value__int(table_id),
                   lochan_value__int(lochan_txn__sid(txn)), lochan_value__null()),
        err));
    for (size_t i = 0; i < create->n_sort; i++) {
        const lochan_table_sort *key = &create->sort[i];
        LOCHAN_CHECK_ARG(key->column >= 0 && key->column < create->schema->n_children, err);
        const char *name = create->schema->children[key->column]->name;
        char *quoted = lochan_arena__alloc(&txn->arena, 2 * strlen(name) + 3);
        if (!quoted)
            return lochan_error__nomem(err);
        char *p = quoted;
        *p++ = '"';
        for (; *name; name++) {
            if (*name == '"')
                *p++ = '"';
            *p++ = *name;
        }
        *p = '"';
        LOCHAN_TRY(lochan_txn__insert(
            txn, LOCHAN_ROW_SORT_EXPRESSION,
            LOCHAN_ROW(lochan_value__int(sort_id), lochan_value__int(table_id),
                       lochan_value__int((int64_t)i), lochan_value__text(quoted),
                       lochan_value__text("duckdb"),
                       lochan_value__text(key->descending ? "DESC" : "ASC"),
                       lochan_value__text(key->nulls_first ? "NULLS_FIRST" : "NULLS_LAST")),
            err));
    }
    return LOCHAN_OK;
}

/* The statement finds a live name that is `name` but for case. */
static lochan_status check_case(lochan_txn *txn, lochan_sql sql, const char *what,
                                const char *source, const char *name, lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, sql, "ducklake_table", &txn->arena, err);
    lochan_reader__bind_text(&r, 1, source);
    if (name != source)
        lochan_reader__bind_text(&r, 2, name);
    if (lochan_reader__next(&r)) {
        const char *there = lochan_reader__text(&r, 0);
        if (r.rc == LOCHAN_OK)
            r.rc = same_but_case(what, name, there, err);
    }
    return lochan_reader__end(&r);
}

static lochan_status check_new_name(lochan_txn *txn, const lochan_table_create *create,
                                    lochan_error *err) {
    LOCHAN_TRY(lochan_name__check("source", create->source, err));
    LOCHAN_TRY(lochan_name__check("dataset", create->dataset, err));
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_TABLE_AT, "ducklake_table", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, lochan_txn__sid(txn));
    lochan_reader__bind_text(&r, 2, create->source);
    lochan_reader__bind_text(&r, 3, create->dataset);
    if (lochan_reader__next(&r))
        r.rc = lochan_error__set(err, LOCHAN_ERR_EXISTS, "table %s.%s exists already",
                                 create->source, create->dataset);
    LOCHAN_TRY(lochan_reader__end(&r));
    LOCHAN_TRY(
        check_case(txn, LOCHAN_SQL_SCHEMA_LIKE, "source", create->source, create->source, err));
    return check_case(txn, LOCHAN_SQL_TABLE_LIKE, "dataset", create->source, create->dataset, err);
}

static lochan_status write_table(lochan_txn *txn, const lochan_table_create *create,
                                 int64_t table_id, lochan_error *err) {
    int64_t schema_id, partition_id;
    char uuid[37];
    lochan_uuid__make(uuid);
    LOCHAN_TRY(find_schema(txn, create->source, &schema_id, err));
    if (schema_id < 0)
        LOCHAN_TRY(create_schema(txn, create->source, &schema_id, err));
    const char *path =
        create->path ? create->path : lochan_arena__printf(&txn->arena, "%s/", create->dataset);
    size_t n = (size_t)create->schema->n_children;
    int64_t *ids = lochan_arena__array(&txn->arena, n, sizeof *ids);
    if (!path || !ids)
        return lochan_error__nomem(err);
    LOCHAN_TRY(lochan_txn__insert(txn, LOCHAN_ROW_TABLE,
                                  LOCHAN_ROW(lochan_value__int(table_id), lochan_value__text(uuid),
                                             lochan_value__int(lochan_txn__sid(txn)),
                                             lochan_value__null(), lochan_value__int(schema_id),
                                             lochan_value__text(create->dataset),
                                             lochan_value__text(path), lochan_value__int(1)),
                                  err));
    column_writer w = {txn, table_id, 1, 1, create->keep_ids};
    for (size_t i = 0; create->keep_ids && i < n; i++) {
        int64_t id = lochan_schema__field_id(create->schema->children[i]);
        LOCHAN_CHECK_ARG(id > 0, err);
        w.next_id = id >= w.next_id ? id + 1 : w.next_id;
    }
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(write_field(&w, create->schema->children[i], create->schema->children[i]->name,
                               0, 0, &ids[i], err));
    LOCHAN_TRY(write_partitioning(txn, create, table_id, ids, &partition_id, err));
    LOCHAN_TRY(write_sorting(txn, create, table_id, err));
    LOCHAN_TRY(write_schema_version(txn, table_id, err));
    return lochan_txn__add_change(txn, err, "created_table:\"%s\".\"%s\"", create->source,
                                  create->dataset);
}

lochan_status lochan_txn__create_table(lochan_txn *txn, const lochan_table_create *create,
                                       int64_t *table_id, lochan_error *err) {
    lochan_txn_table *t;
    *table_id = -1;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_CHECK_ARG(create->schema && create->schema->n_children > 0, err);
    LOCHAN_TRY(lochan_txn__note(txn, check_new_name(txn, create, err)));
    int64_t id = txn->next_catalog_id++;
    LOCHAN_TRY(lochan_txn__note(txn, write_table(txn, create, id, err)));
    LOCHAN_TRY(lochan_txn__note(txn, lochan_txn__load(txn, id, &t, err)));
    t->created = true;
    *table_id = id;
    return LOCHAN_OK;
}

lochan_status lochan_txn__table(lochan_txn *txn, const char *source, const char *dataset,
                                lochan_table_def *out, lochan_error *err) {
    memset(out, 0, sizeof *out);
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_db__table(txn->db, source, dataset, lochan_txn__sid(txn), out, err);
}

/* ---- the state of a table ---- */

static lochan_status load_name(lochan_txn *txn, lochan_txn_table *t, lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_TABLE_LIVE_BY_ID, "ducklake_table",
                                           &txn->arena, err);
    lochan_reader__bind_int(&r, 1, t->table_id);
    if (lochan_reader__next(&r)) {
        t->source = lochan_reader__text(&r, 0);
        t->dataset = lochan_reader__text(&r, 1);
        const char *schema_path = lochan_reader__text(&r, 2), *path = lochan_reader__text(&r, 4);
        bool relative = lochan_reader__bool(&r, 3, true),
             own_relative = lochan_reader__bool(&r, 5, true);
        if (r.rc == LOCHAN_OK)
            r.rc = lochan_db__folder(&txn->arena, t->dataset, schema_path, relative, path,
                                     own_relative, &t->folder, err);
    } else if (r.rc == LOCHAN_OK) {
        r.rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no table with id %lld",
                                 (long long)t->table_id);
    }
    return lochan_reader__end(&r);
}

static lochan_status load_counts(lochan_txn *txn, lochan_txn_table *t, lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_TABLE_STATS, "ducklake_table_stats",
                                           &txn->arena, err);
    lochan_reader__bind_int(&r, 1, t->table_id);
    if (lochan_reader__next(&r)) {
        t->has_stats = true;
        t->rows = lochan_reader__count(&r, 0);
        t->next_row_id = lochan_reader__count(&r, 1);
        t->bytes = lochan_reader__count(&r, 2);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    r = lochan_reader__start(txn->db, LOCHAN_SQL_TABLE_COUNTS, "lochan_table", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, t->table_id);
    if (lochan_reader__next(&r)) {
        t->files = lochan_reader__count(&r, 0);
        t->partitions = lochan_reader__count(&r, 1);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    t->partition_id = -1;
    r = lochan_reader__start(txn->db, LOCHAN_SQL_PARTITION_AT, "ducklake_partition_info",
                             &txn->arena, err);
    lochan_reader__bind_int(&r, 1, lochan_txn__sid(txn));
    lochan_reader__bind_int(&r, 2, t->table_id);
    while (lochan_reader__next(&r)) {
        t->partition_id = lochan_reader__int(&r, 0);
        t->n_partition++;
    }
    return lochan_reader__end(&r);
}

static lochan_status load_columns(lochan_txn *txn, lochan_txn_table *t, lochan_error *err) {
    size_t cap = 0;
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_COLUMNS_AT, "ducklake_column", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, lochan_txn__sid(txn));
    lochan_reader__bind_int(&r, 2, t->table_id);
    while (lochan_reader__next(&r)) {
        if (t->n_columns == cap) {
            cap = cap ? cap * 2 : 32;
            lochan_txn_column *more = lochan_arena__array(&txn->arena, cap, sizeof *more);
            if (!more) {
                r.rc = lochan_error__nomem(err);
                break;
            }
            if (t->n_columns)
                memcpy(more, t->columns, t->n_columns * sizeof *more);
            t->columns = more;
        }
        lochan_txn_column *c = &t->columns[t->n_columns++];
        memset(c, 0, sizeof *c);
        c->id = lochan_reader__int(&r, 0);
        c->typed = lochan_ducktype__parse(lochan_reader__text(&r, 4), &c->type, NULL) == LOCHAN_OK;
        c->contains_null = c->contains_nan = c->seen_in = -1;
        c->begin_snapshot = lochan_reader__int(&r, 6);
    }
    return lochan_reader__end(&r);
}

static lochan_txn_column *find_column(lochan_txn_table *t, int64_t id) {
    for (size_t i = 0; i < t->n_columns; i++)
        if (t->columns[i].id == id)
            return &t->columns[i];
    return NULL;
}

static lochan_status load_column_stats(lochan_txn *txn, lochan_txn_table *t, lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_TABLE_COLUMN_STATS,
                                           "ducklake_table_column_stats", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, t->table_id);
    while (lochan_reader__next(&r)) {
        lochan_txn_column *c = find_column(t, lochan_reader__int(&r, 0));
        if (!c)
            continue;
        c->stored = true;
        c->contains_null = lochan_reader__int_or(&r, 1, -1);
        c->contains_nan = lochan_reader__int_or(&r, 2, -1);
        c->min = lochan_reader__text_or(&r, 3, NULL);
        c->max = lochan_reader__text_or(&r, 4, NULL);
        c->maybe_empty = !c->min && !c->max && c->contains_null >= 0;
    }
    return lochan_reader__end(&r);
}

lochan_status lochan_txn__load(lochan_txn *txn, int64_t table_id, lochan_txn_table **out,
                               lochan_error *err) {
    *out = NULL;
    for (lochan_txn_table *t = txn->tables; t; t = t->next) {
        if (t->table_id == table_id) {
            *out = t;
            return LOCHAN_OK;
        }
    }
    lochan_txn_table *t = lochan_arena__alloc(&txn->arena, sizeof *t);
    if (!t)
        return lochan_error__nomem(err);
    t->table_id = table_id;
    LOCHAN_TRY(load_name(txn, t, err));
    LOCHAN_TRY(load_counts(txn, t, err));
    LOCHAN_TRY(load_columns(txn, t, err));
    LOCHAN_TRY(load_column_stats(txn, t, err));
    t->next = txn->tables;
    txn->tables = t;
    *out = t;
    return LOCHAN_OK;
}

/* ---- add a column ---- */

static lochan_status check_parent(lochan_txn *txn, int64_t table_id, int64_t parent_id,
                                  const char *name, lochan_error *err) {
    bool found = parent_id == 0;
    lochan_reader r =
        lochan_reader__start(txn->db, LOCHAN_SQL_COLUMNS_AT, "ducklake_column", &txn->arena, err);
    lochan_reader__bind_int(&r, 1, lochan_txn__sid(txn));
    lochan_reader__bind_int(&r, 2, table_id);
    while (lochan_reader__next(&r)) {
        if (lochan_reader__int(&r, 0) == parent_id &&
            strcmp(lochan_reader__text(&r, 4), "struct") == 0)
            found = true;
        const char *there = lochan_reader__text(&r, 3);
        if (lochan_reader__int_or(&r, 1, 0) != parent_id || strcasecmp(there, name) != 0)
            continue;
        r.rc = strcmp(there, name) == 0
                   ? lochan_error__set(err, LOCHAN_ERR_EXISTS, "column %s exists already", name)
                   : same_but_case("column", name, there, err);
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    if (!found)
        return lochan_error__set(err, LOCHAN_ERR_NOT_FOUND,
                                 "there is no struct column with id %lld", (long long)parent_id);
    return LOCHAN_OK;
}

static lochan_status add_column(lochan_txn *txn, int64_t table_id, int64_t parent_id,
                                const struct ArrowSchema *field, int64_t *column_id,
                                lochan_error *err) {
    lochan_txn_table *t;
    LOCHAN_TRY(lochan_txn__load(txn, table_id, &t, err));
    LOCHAN_TRY(check_parent(txn, table_id, parent_id, field->name, err));
    column_writer w = {txn, table_id, 1, 1, false};
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_COLUMN_NEWEST_ID, "ducklake_column",
                                           &txn->arena, err);
    lochan_reader__bind_int(&r, 1, table_id);
    if (lochan_reader__next(&r)) {
        w.next_id = lochan_reader__int_or(&r, 0, 0) + 1;
        w.next_order = lochan_reader__int_or(&r, 1, 0) + 1;
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    LOCHAN_TRY(write_field(&w, field, field->name, parent_id, 0, column_id, err));
    LOCHAN_TRY(write_schema_version(txn, table_id, err));
    t->altered = true;
    /* the columns anew, with what this transaction knows of the old ones */
    lochan_txn_column *old = t->columns;
    size_t n_old = t->n_columns;
    t->columns = NULL;
    t->n_columns = 0;
    LOCHAN_TRY(load_columns(txn, t, err));
    for (size_t i = 0; i < n_old; i++) {
        lochan_txn_column *c = find_column(t, old[i].id);
        if (c)
            *c = old[i];
    }
    for (size_t i = 0; i < t->n_columns; i++) { /* no value yet; the rows there are read as null */
        lochan_txn_column *c = &t->columns[i];
        if (c->id < *column_id || !c->typed)
            continue;
        c->stored = c->changed = true;
        c->contains_null = t->rows > 0;
        c->contains_nan = 0;
    }
    return LOCHAN_OK;
}

lochan_status lochan_txn__add_column(lochan_txn *txn, int64_t table_id, int64_t parent_id,
                                     const struct ArrowSchema *field, int64_t *column_id,
                                     lochan_error *err) {
    *column_id = -1;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    LOCHAN_CHECK_ARG(field->name && (field->flags & ARROW_FLAG_NULLABLE), err);
    return lochan_txn__note(txn, add_column(txn, table_id, parent_id, field, column_id, err));
}

/* ---- writing statistics ---- */

static lochan_value flag(int64_t v) {
    return v < 0 ? lochan_value__null() : lochan_value__int(v);
}

static lochan_status write_table_stats(lochan_txn *txn, const lochan_txn_table *t,
                                       lochan_error *err) {
    LOCHAN_TRY(lochan_txn__replace(
        txn, LOCHAN_ROW_TABLE_STATS,
        LOCHAN_ROW(lochan_value__int(t->table_id), lochan_value__int(t->rows),
                   lochan_value__int(t->next_row_id), lochan_value__int(t->bytes)),
        err));
    for (size_t i = 0; i < t->n_columns; i++) {
        const lochan_txn_column *c = &t->columns[i];
        if (!c->changed)
            continue;
        LOCHAN_TRY(lochan_txn__replace(txn, LOCHAN_ROW_TABLE_COLUMN_STATS,
                                       LOCHAN_ROW(lochan_value__int(t->table_id),
                                                  lochan_value__int(c->id), flag(c->contains_null),
                                                  flag(c->contains_nan), lochan_value__text(c->min),
                                                  lochan_value__text(c->max), lochan_value__null()),
                                       err));
    }
    return LOCHAN_OK;
}

lochan_status lochan_txn__write_stats(lochan_txn *txn, lochan_error *err) {
    for (lochan_txn_table *t = txn->tables; t; t = t->next) {
        if (t->inserted || t->retired || t->altered)
            LOCHAN_TRY(write_table_stats(txn, t, err));
        if (t->inserted || t->retired || t->created || t->altered)
            LOCHAN_TRY(lochan_txn__replace(txn, LOCHAN_ROW_TABLE_COUNTS,
                                           LOCHAN_ROW(lochan_value__int(t->table_id),
                                                      lochan_value__int(t->files),
                                                      lochan_value__int(t->partitions),
                                                      lochan_value__int(lochan_txn__sid(txn))),
                                           err));
    }
    return LOCHAN_OK;
}
