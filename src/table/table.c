/* table.c - opening tables, making them and adding columns.
 * Invariant: columns exist in the catalog before any file is written with them. May call: base/,
 * arrow/, catalog/.
 */
#include "table/table.h"

#include "base/cancel.h"
#include "base/str.h"
#include "table/spec.h"
#include "table/upkeep.h"

static int first_time_column(const lochan_table *t) {
    for (size_t i = 0; i < t->n_order + 1; i++) {
        int c = i > 0                                     ? t->order[i - 1].column
                : t->partition && t->partition->n_columns ? t->partition_columns[0]
                                                          : -1;
        lochan_type type;
        if (c >= 0 &&
            lochan_type__parse(t->def.schema.children[c]->format, &type, NULL) == LOCHAN_OK &&
            (type.id == LOCHAN_TYPE_DATE32 || type.id == LOCHAN_TYPE_TIMESTAMP))
            return c;
    }
    return -1;
}

/* The strategy behind the stored transforms; left NULL where another program chose one we do not
 * know. A derived field hides the column it came from: it is taken to be the first time of the
 * order. */
static void find_partition(lochan_table *t) {
    t->partition = lochan_partition__of_table(&t->def, t->partition_columns, &t->partition_number);
    t->derived = lochan_partition__derived(t->partition, &t->def.schema);
    for (size_t i = 0; t->derived >= 0 && i < t->n_order && t->partition_columns[0] < 0; i++) {
        lochan_type type;
        int c = t->order[i].column;
        if (lochan_type__parse(t->def.schema.children[c]->format, &type, NULL) == LOCHAN_OK &&
            t->partition->accepts(0, &type))
            t->partition_columns[0] = c;
    }
}

/* Derives what the rest of the layer needs from t->def. */
static lochan_status describe(lochan_table *t, lochan_error *err) {
    lochan_table_def *def = &t->def;
    lochan_format(t->full_name, sizeof t->full_name, "%s.%s", def->source, def->dataset);
    t->order = lochan_mem__array(def->n_sort + 1, sizeof *t->order);
    if (!t->order)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < def->n_sort && def->sort[i].column >= 0; i++) {
        t->order[i] = (lochan_sort_key){.column = def->sort[i].column,
                                        .descending = def->sort[i].descending,
                                        .nulls_first = def->sort[i].nulls_first};
        t->n_order = i + 1;
    }
    t->known_at = lochan_schema__find(&def->schema, LOCHAN_KNOWN_AT);
    lochan_type type;
    if (t->known_at >= 0) {
        LOCHAN_TRY(lochan_type__parse(def->schema.children[t->known_at]->format, &type, err));
        if (type.id != LOCHAN_TYPE_TIMESTAMP || type.unit != LOCHAN_UNIT_MICRO)
            t->known_at = -1; /* somebody else's column of that name */
    }
    find_partition(t);
    t->time_column = first_time_column(t);
    return LOCHAN_OK;
}

lochan_status lochan_table__open(lochan_lake *lake, const char *source, const char *name,
                                 int64_t snapshot_id, lochan_table **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *out = NULL;
    lochan_table *t = lochan_mem__zalloc(sizeof *t);
    if (!t)
        return lochan_error__nomem(err);
    t->lake = lake;
    LOCHAN_TRYG(lochan_catalog__table(lake->catalog, source, name, snapshot_id, &t->def, err));
    LOCHAN_TRYG(describe(t, err));
    *out = t;
    t = NULL;
done:
    lochan_table__close(t);
    return rc;
}

void lochan_table__close(lochan_table *table) {
    if (!table)
        return;
    lochan_table_def__deinit(&table->def);
    lochan_mem__free(table->order);
    lochan_mem__free(table->key);
    lochan_mem__free(table);
}

lochan_status lochan_table__files(const lochan_table *table, lochan_file_list *out,
                                  lochan_error *err) {
    const struct ArrowSchema *schema = &table->def.schema;
    size_t n = (size_t)schema->n_children;
    memset(out, 0, sizeof *out);
    int64_t *ids = lochan_mem__array(n + 1, sizeof *ids);
    if (!ids)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++)
        ids[i] = lochan_schema__field_id(schema->children[i]);
    lochan_status rc = lochan_catalog__files(table->lake->catalog, &table->def, ids, n, out, err);
    lochan_mem__free(ids);
    return rc;
}

lochan_status lochan_table__clean(lochan_lake *lake, const lochan_table *table, int64_t *removed,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *removed = 0;
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    size_t n = strlen(table->def.path);
    char *folder =
        lochan_mem__strndup(table->def.path, n > 0 && table->def.path[n - 1] == '/' ? n - 1 : n);
    if (!folder)
        return lochan_error__nomem(err);
    rc = lochan_store__clean(lake->store, folder, removed, err);
    lochan_mem__free(folder);
    return rc;
}

/* ---- making and changing ---- */

/* The definition's columns, and _known_at where it is wanted. */
static lochan_status full_schema(const lochan_table_spec *spec, struct ArrowSchema *out,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    int64_t n = spec->schema->n_children, given = n;
    struct ArrowSchema all = {0};
    const lochan_partition_strategy *s = lochan_table_spec__strategy(spec);
    const char *derived = NULL;
    for (size_t f = 0; f < s->n_fields; f++)
        derived = s->fields[f].derived ? s->fields[f].derived : derived;
    n += derived ? 1 : 0;
    LOCHAN_TRYG(lochan_schema__init_struct(&all, n + (spec->point_in_time ? 1 : 0), err));
    for (int64_t i = 0; i < given; i++)
        LOCHAN_TRYG(lochan_schema__dup(spec->schema->children[i], all.children[i], err));
    if (derived) {
        lochan_type type = {.id = LOCHAN_TYPE_INT32};
        LOCHAN_TRYG(lochan_schema__set_field(all.children[given], derived, &type, true, err));
    }
    if (spec->point_in_time) {
        lochan_type type = {.id = LOCHAN_TYPE_TIMESTAMP, .unit = LOCHAN_UNIT_MICRO, .zone = "UTC"};
        LOCHAN_TRYG(lochan_schema__set_field(all.children[n], LOCHAN_KNOWN_AT, &type, true, err));
    }
    lochan_schema__move(&all, out);
done:
    lochan_schema__release(&all);
    return rc;
}

static lochan_status create(lochan_txn *txn, const lochan_table_spec *spec,
                            const struct ArrowSchema *schema, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const lochan_partition_strategy *s = lochan_table_spec__strategy(spec);
    lochan_partition_key keys[LOCHAN_PARTITION_MAX];
    char transforms[LOCHAN_PARTITION_MAX][LOCHAN_TRANSFORM_TEXT];
    size_t n = 0;
    int64_t table_id;
    const char **order = lochan_mem__array(spec->n_sort + spec->n_key + 1, sizeof *order);
    lochan_table_sort *sort = lochan_mem__array(spec->n_sort + spec->n_key + 1, sizeof *sort);
    if (!order || !sort) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    lochan_table_spec__order(spec, order, &n);
    for (size_t i = 0; i < n; i++)
        sort[i] = (lochan_table_sort){.column = lochan_schema__find(schema, order[i]),
                                      .expression = order[i],
                                      .nulls_first = true};
    for (size_t f = 0; f < s->n_fields; f++) {
        const char *name = s->fields[f].derived ? s->fields[f].derived
                                                : spec->partition.columns[s->fields[f].column];
        lochan_partition__transform(s, f, lochan_table_spec__number(spec), transforms[f]);
        keys[f] = (lochan_partition_key){
            .column = lochan_schema__find(schema, name), .name = name, .transform = transforms[f]};
    }
    lochan_table_create make = {.source = spec->source,
                                .dataset = spec->name,
                                .schema = schema,
                                .n_partition = s->n_fields,
                                .partition = keys,
                                .n_sort = n,
                                .sort = sort};
    LOCHAN_TRYG(lochan_txn__create_table(txn, &make, &table_id, err));
done:
    lochan_mem__free(order);
    lochan_mem__free(sort);
    return rc;
}

static lochan_status add_columns(lochan_txn *txn, const lochan_table_def *def,
                                 const struct ArrowSchema *schema, lochan_error *err) {
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *field = schema->children[i];
        int64_t column_id;
        if (lochan_schema__find(&def->schema, field->name) >= 0)
            continue;
        if (!(field->flags & ARROW_FLAG_NULLABLE)) {
            lochan_status rc = lochan_error__set(
                err, LOCHAN_ERR_SCHEMA,
                "column '%s' is new and must be nullable: the rows already stored have no value",
                field->name);
            return lochan_error__in_table(err, rc, NULL, field->name, -1);
        }
        LOCHAN_TRY(lochan_txn__add_column(txn, def->table_id, 0, field, &column_id, err));
    }
    return LOCHAN_OK;
}

/* One short commit. It looks again under its lock: since `exists` was found out, another process
 * may have been faster; then the outcome is EXISTS. */
static lochan_status change(lochan_lake *lake, const lochan_table_spec *spec, bool exists,
                            lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lochan_table_def before = {0}, after = {0};
    struct ArrowSchema schema = {0};
    bool done_already = false, missing = true;
    LOCHAN_TRYG(full_schema(spec, &schema, err));
    lochan_txn_options options = {.kind = "table"};
    LOCHAN_TRYG(lochan_txn__begin(lake->catalog, &options, &done_already, NULL, &txn, err));
    if (exists) {
        LOCHAN_TRYG(lochan_txn__table(txn, spec->source, spec->name, &before, err));
        LOCHAN_TRYG(lochan_table_spec__compare(spec, &before, &missing, err));
        if (missing)
            LOCHAN_TRYG(add_columns(txn, &before, &schema, err));
    } else {
        LOCHAN_TRYG(create(txn, spec, &schema, err));
    }
    /* A type that the catalog keeps less exactly than it was declared must not become a table. */
    LOCHAN_TRYG(lochan_txn__table(txn, spec->source, spec->name, &after, err));
    LOCHAN_TRYG(lochan_table_spec__compare(spec, &after, &missing, err));
    LOCHAN_FAILPOINTG("table.ensure.changed", err);
    rc = lochan_txn__commit(&txn, NULL, err);
    txn = NULL;
done:
    lochan_txn__abort(txn);
    lochan_table_def__deinit(&before);
    lochan_table_def__deinit(&after);
    lochan_schema__release(&schema);
    return rc;
}

/* What the catalog does not tell. */
static lochan_status note_definition(lochan_table *t, const lochan_table_spec *spec,
                                     lochan_error *err) {
    t->key = lochan_mem__array(spec->n_key + 1, sizeof *t->key);
    if (!t->key)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < spec->n_key; i++)
        t->key[i] = lochan_schema__find(&t->def.schema, spec->key[i]);
    t->n_key = spec->n_key;
    for (size_t i = 0; i < spec->partition.n_columns; i++)
        t->partition_columns[i] = lochan_schema__find(&t->def.schema, spec->partition.columns[i]);
    return LOCHAN_OK;
}

/* Opens the table if it is there and whole: otherwise *out stays NULL and *exists tells which of
 * the two it was. */
static lochan_status open_whole(lochan_lake *lake, const lochan_table_spec *spec, bool *exists,
                                lochan_table **out, lochan_error *err) {
    lochan_table *t = NULL;
    lochan_error seen;
    bool missing = true;
    lochan_error_init(&seen);
    lochan_status rc = lochan_table__open(lake, spec->source, spec->name, -1, &t, &seen);
    *exists = rc == LOCHAN_OK;
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK) {
        if (err)
            *err = seen;
        return rc;
    }
    rc = lochan_table_spec__compare(spec, &t->def, &missing, err);
    if (rc == LOCHAN_OK && !missing)
        rc = note_definition(t, spec, err);
    if (rc == LOCHAN_OK && !missing)
        *out = t;
    else
        lochan_table__close(t);
    return rc;
}

static lochan_status ensure(lochan_lake *lake, const lochan_table_spec *spec, lochan_table **out,
                            lochan_error *err) {
    bool exists;
    for (int tries = 0; tries < 3; tries++) {
        LOCHAN_TRY(open_whole(lake, spec, &exists, out, err));
        if (*out) {
            lochan_status rc = lochan_upkeep__keep(*out, &spec->upkeep, err);
            if (rc != LOCHAN_OK) {
                lochan_table__close(*out);
                *out = NULL;
            }
            return rc;
        }
        lochan_error seen;
        lochan_error_init(&seen);
        lochan_status rc = change(lake, spec, exists, &seen);
        if (rc != LOCHAN_OK && rc != LOCHAN_ERR_EXISTS) {
            if (err)
                *err = seen;
            return rc;
        }
    }
    return lochan_error__set(err, LOCHAN_ERR_CONFLICT,
                             "the table was made and removed again and again meanwhile");
}

lochan_status lochan_table__ensure(lochan_lake *lake, const lochan_table_spec *spec,
                                   lochan_table **out, lochan_error *err) {
    char full[260];
    *out = NULL;
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    LOCHAN_TRY(lochan_table_spec__check(spec, err));
    lochan_format(full, sizeof full, "%s.%s", spec->source, spec->name);
    return lochan_error__in_table(err, ensure(lake, spec, out, err), full, NULL, -1);
}
