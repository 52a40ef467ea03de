/* mapping.c - names of columns in files of other programs: written with the files, read with their
 * list. Invariant: what a mapping cannot say right is refused, never read as null. May call: base/,
 * internal.h.
 */
#include "catalog/internal.h"

#include <string.h>

/* ---- writing ---- */

static lochan_status add_mapping(lochan_txn *txn, int64_t table_id,
                                 const lochan_mapping_line *lines, size_t n, int64_t *mapping_id,
                                 lochan_error *err) {
    lochan_reader r = lochan_reader__start(txn->db, LOCHAN_SQL_MAPPING_NEWEST,
                                           "ducklake_column_mapping", &txn->arena, err);
    int64_t id = lochan_reader__next(&r) ? lochan_reader__int(&r, 0) + 1 : 1;
    LOCHAN_TRY(lochan_reader__end(&r));
    LOCHAN_TRY(lochan_txn__insert(txn, LOCHAN_ROW_COLUMN_MAPPING,
                                  LOCHAN_ROW(lochan_value__int(id), lochan_value__int(table_id),
                                             lochan_value__text("map_by_name")),
                                  err));
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(lochan_txn__insert(
            txn, LOCHAN_ROW_NAME_MAPPING,
            LOCHAN_ROW(lochan_value__int(id), lochan_value__int((int64_t)i),
                       lochan_value__text(lines[i].name), lochan_value__int(lines[i].column_id),
                       lines[i].parent < 0 ? lochan_value__null()
                                           : lochan_value__int(lines[i].parent),
                       lochan_value__int(lines[i].is_partition)),
            err));
    *mapping_id = id;
    return LOCHAN_OK;
}

lochan_status lochan_txn__add_mapping(lochan_txn *txn, int64_t table_id,
                                      const lochan_mapping_line *lines, size_t n,
                                      int64_t *mapping_id, lochan_error *err) {
    *mapping_id = 0;
    LOCHAN_TRY(lochan_txn__check(txn, err));
    return lochan_txn__note(txn, add_mapping(txn, table_id, lines, n, mapping_id, err));
}

/* ---- reading ---- */

static lochan_status refuse(const lochan_table_def *def, const char *what, lochan_error *err) {
    char table[300];
    lochan_format(table, sizeof table, "%s.%s", def->source, def->dataset);
    lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                      "table %s has files with %s, which this version does not read", table, what);
    lochan_error__hint(err, "read it with DuckDB, or let DuckDB rewrite its files");
    return lochan_error__in_table(err, LOCHAN_ERR_UNSUPPORTED, table, NULL, -1);
}

/* The field with that id, at any depth; NULL if there is none. */
static const struct ArrowSchema *find_field(const struct ArrowSchema *schema, int64_t id,
                                            int depth) {
    for (int64_t i = 0; depth < 66 && i < schema->n_children; i++) {
        const struct ArrowSchema *child = schema->children[i];
        if (lochan_schema__field_id(child) == id)
            return child;
        child = find_field(child, id, depth + 1);
        if (child)
            return child;
    }
    return NULL;
}

/* A field below the top: it is read by its name, so it must have that of the table still. */
static bool is_renamed(const lochan_table_def *def, int64_t id, const char *name) {
    const struct ArrowSchema *field = find_field(&def->schema, id, 0);
    return field && field->name && strcmp(field->name, name) != 0;
}

static lochan_status read_mapping(lochan_db *db, const lochan_table_def *def, int64_t id,
                                  lochan_arena *arena, lochan_name_mapping **out,
                                  lochan_error *err) {
    size_t cap = 0;
    bool by_name = true, renamed = false;
    lochan_name_mapping *m = lochan_arena__array(arena, 1, sizeof *m);
    if (!m)
        return lochan_error__nomem(err);
    m->id = id;
    lochan_reader r =
        lochan_reader__start(db, LOCHAN_SQL_NAME_MAPPING, "ducklake_name_mapping", arena, err);
    lochan_reader__bind_int(&r, 1, id);
    while (lochan_reader__next(&r)) {
        lochan_mapped_name name = {.name = lochan_reader__text(&r, 1),
                                   .column_id = lochan_reader__int(&r, 2),
                                   .is_partition = lochan_reader__bool(&r, 4, false)};
        by_name = by_name && strcmp(lochan_reader__text_or(&r, 5, ""), "map_by_name") == 0;
        if (r.rc != LOCHAN_OK)
            break;
        if (lochan_reader__int_or(&r, 3, -1) >= 0) {
            renamed = renamed || is_renamed(def, name.column_id, name.name);
            continue;
        }
        lochan_mapped_name *names = lochan_arena__grow(arena, m->names, m->n, &cap, sizeof *names);
        if (!names) {
            r.rc = lochan_error__nomem(err);
            break;
        }
        m->names = names;
        names[m->n++] = name;
    }
    LOCHAN_TRY(lochan_reader__end(&r));
    if (m->n == 0 || !by_name)
        return refuse(def, "a name mapping of an unknown kind", err);
    if (renamed)
        return refuse(def, "a field of a struct that was renamed", err);
    *out = m;
    return LOCHAN_OK;
}

lochan_status lochan_db__read_mappings(lochan_db *db, const lochan_table_def *def,
                                       lochan_file_list *list, lochan_error *err) {
    lochan_name_mapping **known = NULL;
    size_t n = 0, cap = 0;
    for (size_t i = 0; i < list->n; i++) {
        lochan_data_file *f = &list->files[i];
        size_t at = n;
        if (f->mapping_id < 0)
            continue;
        while (at > 0 && known[at - 1]->id != f->mapping_id) /* the last ones come again */
            at--;
        if (at == 0) {
            known = lochan_arena__grow(&list->arena, known, n, &cap, sizeof *known);
            if (!known)
                return lochan_error__nomem(err);
            LOCHAN_TRY(read_mapping(db, def, f->mapping_id, &list->arena, &known[n], err));
            at = ++n;
        }
        f->mapping = known[at - 1];
    }
    return LOCHAN_OK;
}
