/* spec.c - checks of a table's definition, alone and against what the catalog holds.
 * Invariant: what passes here can be stored, partitioned, ordered and merged. May call: base/,
 * arrow/.
 */
#include "table/spec.h"

#include "base/str.h"
#include "table/keycode.h"
#include <strings.h>

static lochan_status refuse(lochan_error *err, const char *column, const char *fmt, ...)
    LOCHAN_PRINTF(3, 4);
static lochan_status refuse(lochan_error *err, const char *column, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lochan_status rc = lochan_error__vset(err, LOCHAN_ERR_SPEC, fmt, args);
    va_end(args);
    return lochan_error__in_table(err, rc, NULL, column, -1);
}

static bool contains(const char *const *names, size_t n, const char *name) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(names[i], name) == 0)
            return true;
    }
    return false;
}

static lochan_status check_names(const lochan_table_spec *spec, lochan_error *err) {
    static const char *const reserved[] = {"staging", "main", "runs"};
    LOCHAN_TRY(lochan_name__check("source", spec->source, err));
    LOCHAN_TRY(lochan_name__check("dataset", spec->name, err));
    if (contains(reserved, LOCHAN_COUNTOF(reserved), spec->source))
        return lochan_error__set(err, LOCHAN_ERR_SPEC, "'%s' is reserved and cannot name a source",
                                 spec->source);
    return LOCHAN_OK;
}

/* SQL names have no case: two columns that differ in it only cannot be told apart by DuckDB. */
static lochan_status check_columns(const lochan_table_spec *spec, lochan_error *err) {
    const struct ArrowSchema *schema = spec->schema;
    LOCHAN_TRY(lochan_schema__check(schema, err));
    if (strcmp(schema->format, "+s") != 0 || schema->n_children == 0)
        return lochan_error__set(err, LOCHAN_ERR_SPEC, "a table needs at least one column");
    for (int64_t i = 0; i < schema->n_children; i++) {
        const char *name = schema->children[i]->name;
        if (!name || !*name)
            return lochan_error__set(err, LOCHAN_ERR_SPEC, "column %lld has no name",
                                     (long long)i + 1);
        if (strcasecmp(name, LOCHAN_KNOWN_AT) == 0)
            return refuse(err, name,
                          "column '%s' is kept by lochan itself; set point_in_time instead", name);
        for (int64_t j = 0; j < i; j++) {
            if (strcasecmp(name, schema->children[j]->name) == 0)
                return refuse(err, name, "columns '%s' and '%s' have the same name",
                              schema->children[j]->name, name);
        }
    }
    return LOCHAN_OK;
}

static lochan_status check_list(const lochan_table_spec *spec, const char *what,
                                const char *const *names, size_t n, lochan_error *err) {
    for (size_t i = 0; i < n; i++) {
        lochan_type type;
        int c = lochan_schema__find(spec->schema, names[i]);
        if (c < 0)
            return refuse(err, names[i], "%s column '%s' is not a column of the table", what,
                          names[i]);
        if (contains(names, i, names[i]))
            return refuse(err, names[i], "%s column '%s' is named twice", what, names[i]);
        LOCHAN_TRY(lochan_field__stored_type(spec->schema->children[c], &type, err));
        if (!lochan_keycode__supports(&type)) {
            char text[80];
            lochan_type__name(&type, text);
            return refuse(err, names[i], "%s column '%s' is %s, which has no order", what, names[i],
                          text);
        }
    }
    return LOCHAN_OK;
}

static lochan_status check_key(const lochan_table_spec *spec, lochan_error *err) {
    LOCHAN_TRY(check_list(spec, "key", spec->key, spec->n_key, err));
    LOCHAN_TRY(check_list(spec, "sort", spec->sort, spec->n_sort, err));
    LOCHAN_TRY(check_list(spec, "cluster", spec->upkeep.cluster, spec->upkeep.n_cluster, err));
    if (spec->upkeep.n_cluster > LOCHAN_CLUSTER_MAX)
        return refuse(err, spec->upkeep.cluster[LOCHAN_CLUSTER_MAX],
                      "a table is clustered by at most %d columns", (int)LOCHAN_CLUSTER_MAX);
    for (size_t i = 0; i < spec->n_key; i++) {
        lochan_type type;
        const struct ArrowSchema *field =
            spec->schema->children[lochan_schema__find(spec->schema, spec->key[i])];
        LOCHAN_TRY(lochan_field__stored_type(field, &type, err));
        if (field->flags & ARROW_FLAG_NULLABLE)
            return refuse(err, field->name, "key column '%s' must not be nullable", field->name);
        if (lochan_type__is_float(type.id))
            return refuse(
                err, field->name,
                "key column '%s' is a floating-point number; declare an integer, a text or a "
                "decimal",
                field->name);
    }
    for (size_t i = 0; spec->n_key > 0 && i < spec->n_sort; i++) {
        if (!contains(spec->key, spec->n_key, spec->sort[i]))
            return refuse(err, spec->sort[i],
                          "sort column '%s' is not determined by the key; add it to the key",
                          spec->sort[i]);
    }
    return LOCHAN_OK;
}

const lochan_partition_strategy *lochan_table_spec__strategy(const lochan_table_spec *spec) {
    lochan_type types[LOCHAN_PARTITION_MAX];
    const lochan_partition_def *p = &spec->partition;
    for (size_t i = 0; i < p->n_columns && i < LOCHAN_PARTITION_MAX; i++) {
        int c = p->columns[i] ? lochan_schema__find(spec->schema, p->columns[i]) : -1;
        if (c < 0 ||
            lochan_field__stored_type(spec->schema->children[c], &types[i], NULL) != LOCHAN_OK)
            return lochan_partition__find(p->strategy);
    }
    return p->n_columns <= LOCHAN_PARTITION_MAX
               ? lochan_partition__find_for(p->strategy ? p->strategy : "single_file", types,
                                            p->n_columns)
               : lochan_partition__find(p->strategy);
}

int64_t lochan_table_spec__number(const lochan_table_spec *spec) {
    return spec->partition.number > 0 ? spec->partition.number
                                      : lochan_table_spec__strategy(spec)->number;
}

static lochan_status check_partition(const lochan_table_spec *spec, lochan_error *err) {
    const lochan_partition_def *p = &spec->partition;
    const lochan_partition_strategy *s = lochan_table_spec__strategy(spec);
    if (!s)
        return lochan_error__set(err, LOCHAN_ERR_SPEC, "there is no partition strategy '%s'",
                                 p->strategy);
    if (p->n_columns != s->n_columns)
        return lochan_error__set(err, LOCHAN_ERR_SPEC,
                                 "partition strategy %s needs %zu columns, %zu are given", s->name,
                                 s->n_columns, p->n_columns);
    if (p->number < 0 || p->number > s->max_number)
        return lochan_error__set(
            err, LOCHAN_ERR_SPEC, "partition strategy %s takes %s number up to %lld, not %lld",
            s->name, s->number > 0 ? "a" : "no", (long long)s->max_number, (long long)p->number);
    for (size_t i = 0; i < p->n_columns; i++) {
        lochan_type type;
        char text[80];
        const char *name = p->columns[i];
        int c = name ? lochan_schema__find(spec->schema, name) : -1;
        if (c < 0)
            return refuse(err, name, "partition column '%s' is not a column of the table",
                          name ? name : "");
        LOCHAN_TRY(lochan_field__stored_type(spec->schema->children[c], &type, err));
        lochan_type__name(&type, text);
        if (!s->accepts(i, &type))
            return refuse(err, name, "partition strategy %s cannot use column '%s' of type %s",
                          s->name, name, text);
        if (spec->n_key > 0 && !contains(spec->key, spec->n_key, name))
            return refuse(
                err, name,
                "the key does not determine the partition: partition column '%s' is not in it",
                name);
    }
    for (size_t f = 0; f < s->n_fields && !s->stored; f++) {
        for (int64_t c = 0; c < spec->schema->n_children; c++) {
            const char *name = spec->schema->children[c]->name;
            const char *derived = s->fields[f].derived;
            if (strcasecmp(name, s->fields[f].folder_key) == 0 ||
                (derived && strcasecmp(name, derived) == 0))
                return refuse(err, name,
                              "column '%s' bears the name of a partition folder of %s; map it to "
                              "another name",
                              name, s->name);
        }
    }
    return LOCHAN_OK;
}

lochan_status lochan_table_spec__check(const lochan_table_spec *spec, lochan_error *err) {
    LOCHAN_CHECK_ARG(spec && spec->source && spec->name && spec->schema, err);
    char full[260];
    lochan_format(full, sizeof full, "%s.%s", spec->source, spec->name);
    LOCHAN_TRY(check_names(spec, err));
    lochan_status rc = check_columns(spec, err);
    if (rc == LOCHAN_OK)
        rc = check_key(spec, err);
    if (rc == LOCHAN_OK)
        rc = check_partition(spec, err);
    return lochan_error__in_table(err, rc, full, NULL, -1);
}

/* ---- types as they are stored ---- */

lochan_status lochan_field__stored_type(const struct ArrowSchema *field, lochan_type *out,
                                        lochan_error *err) {
    LOCHAN_TRY(lochan_type__parse(field->dictionary ? field->dictionary->format : field->format,
                                  out, err));
    switch (out->id) {
    case LOCHAN_TYPE_LARGE_STRING:
    case LOCHAN_TYPE_STRING_VIEW:
        out->id = LOCHAN_TYPE_STRING;
        break;
    case LOCHAN_TYPE_LARGE_BINARY:
    case LOCHAN_TYPE_BINARY_VIEW:
        out->id = LOCHAN_TYPE_BINARY;
        break;
    case LOCHAN_TYPE_LARGE_LIST:
        out->id = LOCHAN_TYPE_LIST;
        break;
    default:
        break;
    }
    return LOCHAN_OK;
}

/* Whether values of `wanted` are stored as `stored` is. */
static lochan_status same_stored(const struct ArrowSchema *stored, const struct ArrowSchema *wanted,
                                 bool *same, lochan_error *err) {
    lochan_type a, b;
    LOCHAN_TRY(lochan_field__stored_type(stored, &a, err));
    LOCHAN_TRY(lochan_field__stored_type(wanted, &b, err));
    *same = lochan_type__equal(&a, &b) && stored->n_children == wanted->n_children;
    for (int64_t i = 0; *same && i < stored->n_children; i++) {
        const struct ArrowSchema *x = stored->children[i], *y = wanted->children[i];
        if (a.id == LOCHAN_TYPE_STRUCT && strcmp(x->name, y->name) != 0)
            *same = false;
        else
            LOCHAN_TRY(same_stored(x, y, same, err));
    }
    return LOCHAN_OK;
}

static lochan_status check_type(const struct ArrowSchema *stored, const struct ArrowSchema *wanted,
                                lochan_error *err) {
    bool same;
    lochan_type a, b;
    char ta[80], tb[80];
    LOCHAN_TRY(same_stored(stored, wanted, &same, err));
    if (same)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_field__stored_type(stored, &a, err));
    LOCHAN_TRY(lochan_field__stored_type(wanted, &b, err));
    lochan_type__name(&a, ta);
    lochan_type__name(&b, tb);
    lochan_status rc = lochan_error__set(
        err, LOCHAN_ERR_SCHEMA, "column '%s' is stored as %s, the dataset declares %s%s",
        wanted->name, ta, tb, strcmp(ta, tb) == 0 ? " with other fields" : "");
    return lochan_error__in_table(err, rc, NULL, wanted->name, -1);
}

/* ---- order ---- */

void lochan_table_spec__order(const lochan_table_spec *spec, const char **order, size_t *n) {
    *n = 0;
    for (size_t i = 0; i < spec->n_sort; i++)
        order[(*n)++] = spec->sort[i];
    for (size_t i = 0; i < spec->n_key; i++) {
        if (!contains(spec->sort, spec->n_sort, spec->key[i]))
            order[(*n)++] = spec->key[i];
    }
}

/* Comma-separated names, cut if they are many. */
static void join(char *dst, size_t cap, const char *const *names, size_t n) {
    size_t len = 0;
    dst[0] = '\0';
    for (size_t i = 0; i < n && len + 1 < cap; i++) {
        lochan_format(dst + len, cap - len, "%s%s", i > 0 ? ", " : "", names[i]);
        len += strlen(dst + len);
    }
}

static lochan_status check_order(const lochan_table_def *def, const lochan_table_spec *spec,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t n = 0;
    const char **order = lochan_mem__array(spec->n_sort + spec->n_key + 1, sizeof *order);
    const char **stored = lochan_mem__array(def->n_sort + 1, sizeof *stored);
    if (!order || !stored) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    lochan_table_spec__order(spec, order, &n);
    bool same = n == def->n_sort;
    for (size_t i = 0; i < def->n_sort; i++) {
        const lochan_table_sort *s = &def->sort[i];
        stored[i] = s->column >= 0 ? def->schema.children[s->column]->name : s->expression;
        same = same && !s->descending && strcmp(stored[i], order[i]) == 0;
    }
    if (!same) {
        char a[160], b[160];
        join(a, sizeof a, stored, def->n_sort);
        join(b, sizeof b, order, n);
        rc = lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                               "the table is ordered by (%s), the dataset declares (%s)", a, b);
    }
done:
    lochan_mem__free(order);
    lochan_mem__free(stored);
    return rc;
}

static lochan_status check_same_partition(const lochan_table_def *def,
                                          const lochan_table_spec *spec, lochan_error *err) {
    const lochan_partition_strategy *s = lochan_table_spec__strategy(spec);
    bool same = s->n_fields == def->n_partition;
    for (size_t f = 0; same && f < s->n_fields; f++) {
        const lochan_partition_field *field = &s->fields[f];
        char transform[LOCHAN_TRANSFORM_TEXT];
        lochan_partition__transform(s, f, lochan_table_spec__number(spec), transform);
        same =
            strcmp(def->partition[f].transform, transform) == 0 &&
            strcmp(def->partition[f].name,
                   field->derived ? field->derived : spec->partition.columns[field->column]) == 0;
    }
    if (same)
        return LOCHAN_OK;
    char stored[160] = "single_file";
    size_t len = 0;
    for (size_t f = 0; f < def->n_partition && len + 1 < sizeof stored; f++) {
        lochan_format(stored + len, sizeof stored - len, "%s%s(%s)", f > 0 ? ", " : "",
                      def->partition[f].transform, def->partition[f].name);
        len += strlen(stored + len);
    }
    return lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                             "the table is partitioned by %s, the dataset declares %s", stored,
                             s->name);
}

lochan_status lochan_table_spec__compare(const lochan_table_spec *spec, const lochan_table_def *def,
                                         bool *missing, lochan_error *err) {
    *missing = spec->point_in_time && lochan_schema__find(&def->schema, LOCHAN_KNOWN_AT) < 0;
    for (int64_t i = 0; i < spec->schema->n_children; i++) {
        const struct ArrowSchema *wanted = spec->schema->children[i];
        int c = lochan_schema__find(&def->schema, wanted->name);
        if (c < 0)
            *missing = true;
        else
            LOCHAN_TRY(check_type(def->schema.children[c], wanted, err));
    }
    for (int64_t i = 0; i < def->schema.n_children; i++) {
        const struct ArrowSchema *stored = def->schema.children[i];
        if (!(stored->flags & ARROW_FLAG_NULLABLE) &&
            lochan_schema__find(spec->schema, stored->name) < 0) {
            lochan_status rc = lochan_error__set(
                err, LOCHAN_ERR_SCHEMA,
                "the dataset no longer has column '%s', which the table needs", stored->name);
            return lochan_error__in_table(err, rc, NULL, stored->name, -1);
        }
    }
    LOCHAN_TRY(check_order(def, spec, err));
    return check_same_partition(def, spec, err);
}
