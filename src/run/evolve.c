/* evolve.c - the table behind a run table grows with its rows: open structs get fields, integers
 * become floats, undeclared columns are added.
 *
 * What is wanted is computed from the descriptor and the incoming schema alone (`wanted`), then
 * compared with the table field by field (`align`). The comparison runs twice: without a lock to
 * see whether anything is to do, and inside the transaction that does it.
 *
 * Invariants: a column's id and meaning never change; the first type of a field holds, but for
 * integers that become float64 while every stored value stays exact. May call: base/, arrow/,
 * catalog/, table/.
 */
#include "run/own.h"

#include "base/cancel.h"
#include "base/mem.h"
#include "table/partition.h"

#include <strings.h>

bool lochan_run_field__is_void(const struct ArrowSchema *field) {
    if (field->dictionary)
        return false;
    if (field->format[0] == 'n')
        return true;
    if (field->format[0] != '+')
        return false;
    if (field->format[1] == 's') {
        for (int64_t i = 0; i < field->n_children; i++)
            if (!lochan_run_field__is_void(field->children[i]))
                return false;
        return true;
    }
    return field->n_children == 1 && lochan_run_field__is_void(field->children[0]);
}

/* ---- what is wanted ---- */

static bool is_struct(const struct ArrowSchema *f) {
    return !f->dictionary && strcmp(f->format, "+s") == 0;
}

static bool is_list(const struct ArrowSchema *f) {
    return !f->dictionary && f->format[0] == '+' &&
           (f->format[1] == 'l' || f->format[1] == 'L' || f->format[1] == 'w');
}

static lochan_status wanted(const struct ArrowSchema *declared, const struct ArrowSchema *incoming,
                            const char *name, const char *path, struct ArrowSchema *out,
                            lochan_error *err);

static lochan_status no_field(const char *path, const char *name, lochan_error *err) {
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                                         "field '%.100s' of %.100s is not declared", name, path);
    return lochan_error__in_table(err, rc, NULL, path, -1);
}

/* The children of a struct: declared ones, then what comes with the rows if it is open. */
static lochan_status wanted_struct(const struct ArrowSchema *declared,
                                   const struct ArrowSchema *incoming, const char *name,
                                   const char *path, struct ArrowSchema *out, lochan_error *err) {
    static const lochan_type type = {.id = LOCHAN_TYPE_STRUCT};
    bool open = !declared || lochan_run_field__is_open(declared);
    int64_t n = declared ? declared->n_children : 0, extra = 0, at = 0;
    char below[200];
    for (int64_t i = 0; incoming && i < incoming->n_children; i++) {
        const struct ArrowSchema *child = incoming->children[i];
        if (declared && lochan_schema__find(declared, child->name) >= 0)
            continue;
        if (!open)
            return no_field(path, child->name, err);
        extra += !lochan_run_field__is_void(child);
    }
    LOCHAN_TRY(lochan_schema__set_nested(out, name, &type, true, n + extra, err));
    for (int64_t i = 0; i < n; i++) {
        const struct ArrowSchema *child = declared->children[i];
        int c = incoming ? lochan_schema__find(incoming, child->name) : -1;
        lochan_format(below, sizeof below, "%s.%s", path, child->name);
        LOCHAN_TRY(wanted(child, c >= 0 ? incoming->children[c] : NULL, child->name, below,
                          out->children[at++], err));
    }
    for (int64_t i = 0; incoming && i < incoming->n_children; i++) {
        const struct ArrowSchema *child = incoming->children[i];
        if (lochan_run_field__is_void(child) ||
            (declared && lochan_schema__find(declared, child->name) >= 0))
            continue;
        if (!child->name || !*child->name) {
            lochan_status rc =
                lochan_error__set(err, LOCHAN_ERR_SCHEMA, "a field of %.100s has no name", path);
            return lochan_error__in_table(err, rc, NULL, path, -1);
        }
        for (int64_t j = 0; j < at; j++)
            if (strcasecmp(out->children[j]->name, child->name) == 0) {
                lochan_status rc = lochan_error__set(
                    err, LOCHAN_ERR_SCHEMA,
                    "%.100s has two fields that readers cannot tell apart: '%.60s' and '%.60s'",
                    path, out->children[j]->name, child->name);
                return lochan_error__in_table(err, rc, NULL, path, -1);
            }
        lochan_format(below, sizeof below, "%s.%s", path, child->name);
        LOCHAN_TRY(wanted(NULL, child, child->name, below, out->children[at++], err));
    }
    return LOCHAN_OK;
}

/* The type under which an undeclared value is kept: numbers in their widest form. */
static lochan_status stored_type(const struct ArrowSchema *field, const char *path,
                                 lochan_type *out, lochan_error *err) {
    const struct ArrowSchema *values = field->dictionary ? field->dictionary : field;
    LOCHAN_TRY(lochan_type__parse(values->format, out, err));
    if (lochan_type__is_integer(out->id))
        out->id = LOCHAN_TYPE_INT64;
    else if (lochan_type__is_float(out->id))
        out->id = LOCHAN_TYPE_FLOAT64;
    else if (out->id == LOCHAN_TYPE_LARGE_STRING || out->id == LOCHAN_TYPE_STRING_VIEW)
        out->id = LOCHAN_TYPE_STRING;
    else if (out->id >= LOCHAN_TYPE_BINARY && out->id <= LOCHAN_TYPE_FIXED_BINARY)
        out->id = LOCHAN_TYPE_BINARY;
    else if (out->id == LOCHAN_TYPE_DATE64)
        out->id = LOCHAN_TYPE_DATE32;
    if (lochan_type__is_nested(out->id) || out->id == LOCHAN_TYPE_DURATION ||
        out->id == LOCHAN_TYPE_DECIMAL256) {
        char text[80];
        lochan_type__name(out, text);
        lochan_status rc = lochan_error__set(
            err, LOCHAN_ERR_SCHEMA, "%.100s: values of type %s cannot be kept", path, text);
        return lochan_error__in_table(err, rc, NULL, path, -1);
    }
    return LOCHAN_OK;
}

static lochan_status not_declared(const struct ArrowSchema *declared, const struct ArrowSchema *in,
                                  const char *path, lochan_error *err) {
    lochan_buf a, b;
    lochan_buf__init(&a, 400);
    lochan_buf__init(&b, 400);
    (void)!lochan_run_field__type_name(declared, &a, NULL);
    (void)!lochan_run_field__type_name(in, &b, NULL);
    lochan_status rc = lochan_error__set(
        err, LOCHAN_ERR_SCHEMA, "%.100s is declared as %.120s, the rows bring %.120s", path,
        a.data ? (const char *)a.data : "?", b.data ? (const char *)b.data : "?");
    lochan_buf__deinit(&a);
    lochan_buf__deinit(&b);
    return lochan_error__in_table(err, rc, NULL, path, -1);
}

static lochan_status wanted(const struct ArrowSchema *declared, const struct ArrowSchema *incoming,
                            const char *name, const char *path, struct ArrowSchema *out,
                            lochan_error *err) {
    lochan_type type = {.id = LOCHAN_TYPE_LIST};
    const struct ArrowSchema *in = incoming;
    if (declared ? is_struct(declared) : is_struct(in)) {
        if (in && !is_struct(in) && !lochan_run_field__is_void(in))
            return not_declared(declared, in, path, err);
        return wanted_struct(declared, in && is_struct(in) ? in : NULL, name, path, out, err);
    }
    if (declared ? is_list(declared) : is_list(in)) {
        if (in && !is_list(in) && !lochan_run_field__is_void(in))
            return not_declared(declared, in, path, err);
        LOCHAN_TRY(lochan_schema__set_nested(out, name, &type, true, 1, err));
        return wanted(declared ? declared->children[0] : NULL,
                      in && is_list(in) ? in->children[0] : NULL, "element", path, out->children[0],
                      err);
    }
    if (declared) {
        if (in && (is_struct(in) || is_list(in)) && !lochan_run_field__is_void(in))
            return not_declared(declared, in, path, err);
        return lochan_schema__dup(declared, out, err);
    }
    LOCHAN_TRY(stored_type(in, path, &type, err));
    return lochan_schema__set_field(out, name, &type, true, err);
}

/* run_id, then the descriptor's columns, then undeclared ones of the rows. Columns that have
 * nothing to store yet are left out. */
static lochan_status wanted_table(const lochan_run_descriptor *d,
                                  const struct ArrowSchema *incoming, struct ArrowSchema *out,
                                  lochan_error *err) {
    static const lochan_type text = {.id = LOCHAN_TYPE_STRING};
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema all = {0};
    int64_t n_in = incoming ? incoming->n_children : 0, at = 0;
    int *keep = lochan_mem__array(1 + d->n + (size_t)n_in, sizeof *keep);
    size_t n_keep = 0;
    if (!keep)
        return lochan_error__nomem(err);
    LOCHAN_TRYG(lochan_schema__init_struct(&all, 1 + (int64_t)d->n + n_in, err));
    LOCHAN_TRYG(lochan_schema__set_field(all.children[at], LOCHAN_RUN_ID, &text, false, err));
    keep[n_keep++] = (int)at++;
    /* run_id, bucket and tick first: the catalog keeps statistics of these for each part */
    for (int others = 0; others < 2; others++) {
        for (size_t i = 0; i < d->n; i++) {
            const lochan_run_column *c = &d->columns[i];
            bool first =
                strcmp(c->name, LOCHAN_RUN_BUCKET) == 0 || strcmp(c->name, LOCHAN_RUN_TICK) == 0;
            if (first == (others != 0))
                continue;
            int n = incoming ? lochan_schema__find(incoming, c->name) : -1;
            const struct ArrowSchema *in = n < 0 || c->json ? NULL : incoming->children[n];
            LOCHAN_TRYG(wanted(c->field, in, c->name, c->name, all.children[at], err));
            if (!lochan_run_field__is_void(all.children[at]))
                keep[n_keep++] = (int)at;
            at++;
        }
    }
    for (int64_t i = 0; i < n_in; i++) {
        const struct ArrowSchema *in = incoming->children[i];
        if (lochan_run_descriptor__find(d, in->name) >= 0 || lochan_run_field__is_void(in))
            continue;
        LOCHAN_TRYG(wanted(NULL, in, in->name, in->name, all.children[at], err));
        keep[n_keep++] = (int)at++;
    }
    LOCHAN_TRYG(lochan_schema__select(&all, keep, n_keep, out, err));
done:
    lochan_mem__free(keep);
    lochan_schema__release(&all);
    return rc;
}

/* ---- compared with what is there ---- */

typedef struct aligning {
    lochan_txn *txn; /* NULL: only look */
    const char *table, *run_id;
    int64_t table_id;
    bool differs;
} aligning;

static lochan_status note_origin(aligning *a, const struct ArrowSchema *field, int64_t *id,
                                 lochan_error *err) {
    LOCHAN_TRY(lochan_txn__put_origin(a->txn, a->table_id, *id, a->run_id, err));
    (*id)++;
    for (int64_t i = 0; i < field->n_children; i++)
        LOCHAN_TRY(note_origin(a, field->children[i], id, err));
    return LOCHAN_OK;
}

/* Adds a field; ids are given depth first, so those of its children follow its own. */
static lochan_status add_field(aligning *a, int64_t parent, const struct ArrowSchema *field,
                               lochan_error *err) {
    int64_t id;
    a->differs = true;
    if (!a->txn)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_txn__add_column(a->txn, a->table_id, parent, field, &id, err));
    return note_origin(a, field, &id, err);
}

static lochan_status clash(aligning *a, const struct ArrowSchema *stored,
                           const struct ArrowSchema *want, const char *path, const char *why,
                           lochan_error *err) {
    const char *by = NULL;
    lochan_buf s, w;
    lochan_buf__init(&s, 300);
    lochan_buf__init(&w, 300);
    (void)!lochan_run_field__type_name(stored, &s, NULL);
    (void)!lochan_run_field__type_name(want, &w, NULL);
    if (a->txn)
        (void)!lochan_txn__origin(a->txn, a->table_id, lochan_schema__field_id(stored), &by, NULL);
    lochan_status rc = lochan_error__set(
        err, LOCHAN_ERR_SCHEMA,
        "table %.100s: %.100s is %.80s since %s%.60s%s; this append brings %.80s%s", a->table, path,
        s.data ? (const char *)s.data : "?", by ? "run '" : "", by ? by : "the table was made",
        by ? "'" : "", w.data ? (const char *)w.data : "?", why);
    lochan_buf__deinit(&s);
    lochan_buf__deinit(&w);
    return lochan_error__in_table(err, rc, a->table, path, -1);
}

static bool is_kind(const struct ArrowSchema *f, lochan_type *type, bool *number) {
    if (lochan_type__parse(f->format, type, NULL) != LOCHAN_OK)
        return false;
    *number = lochan_type__is_integer(type->id) || lochan_type__is_float(type->id);
    return true;
}

static lochan_status align(aligning *a, const struct ArrowSchema *stored,
                           const struct ArrowSchema *want, const char *path, lochan_error *err);

static lochan_status align_struct(aligning *a, const struct ArrowSchema *stored,
                                  const struct ArrowSchema *want, int64_t parent, const char *path,
                                  lochan_error *err) {
    for (int64_t i = 0; i < want->n_children; i++) {
        const struct ArrowSchema *child = want->children[i];
        int c = lochan_schema__find(stored, child->name);
        char below[200];
        lochan_format(below, sizeof below, "%s%s%s", path, *path ? "." : "", child->name);
        for (int64_t j = 0; c < 0 && j < stored->n_children; j++)
            if (strcasecmp(stored->children[j]->name, child->name) == 0)
                return clash(a, stored->children[j], child, below,
                             " under a name that differs in case only", err);
        if (c >= 0)
            LOCHAN_TRY(align(a, stored->children[c], child, below, err));
        else if (!lochan_run_field__is_void(child))
            LOCHAN_TRY(add_field(a, parent, child, err));
    }
    return LOCHAN_OK;
}

static lochan_status align(aligning *a, const struct ArrowSchema *stored,
                           const struct ArrowSchema *want, const char *path, lochan_error *err) {
    lochan_type s, w;
    bool s_number, w_number, exact = true;
    if (lochan_run_field__is_void(want))
        return LOCHAN_OK;
    if (is_struct(stored) && is_struct(want))
        return align_struct(a, stored, want, lochan_schema__field_id(stored), path, err);
    if (is_list(stored) && is_list(want))
        return align(a, stored->children[0], want->children[0], path, err);
    if (is_struct(stored) || is_struct(want) || is_list(stored) || is_list(want) ||
        !is_kind(stored, &s, &s_number) || !is_kind(want, &w, &w_number))
        return clash(a, stored, want, path, "", err);
    if (lochan_type__is_integer(s.id) && lochan_type__is_float(w.id)) {
        a->differs = true;
        if (a->txn)
            LOCHAN_TRY(lochan_txn__widen_column(a->txn, a->table_id,
                                                lochan_schema__field_id(stored), &exact, err));
        return exact ? LOCHAN_OK
                     : clash(a, stored, want, path,
                             ", and integers stored there are too large to stay exact as f64", err);
    }
    if ((s_number && w_number) || s.id == w.id)
        return LOCHAN_OK; /* the values decide, when they are cast */
    return clash(a, stored, want, path, "", err);
}

/* ---- one short commit ---- */

static lochan_status create(lochan_txn *txn, const char *run_id, const lochan_run_descriptor *d,
                            const struct ArrowSchema *want, lochan_error *err) {
    int bucket = lochan_schema__find(want, LOCHAN_RUN_BUCKET);
    lochan_partition_key keys[] = {
        {.column = 0, .name = LOCHAN_RUN_ID, .transform = "identity"},
        {.column = bucket, .name = LOCHAN_RUN_BUCKET, .transform = "identity"}};
    lochan_table_create make = {.source = LOCHAN_RUN_SCHEMA,
                                .dataset = d->name,
                                .path = "",
                                .schema = want,
                                .n_partition = 2,
                                .partition = keys};
    aligning a = {.txn = txn, .table = d->name, .run_id = run_id};
    LOCHAN_TRY(lochan_txn__create_table(txn, &make, &a.table_id, err));
    int64_t id = 1;
    for (int64_t i = 0; i < want->n_children; i++) {
        int64_t next = id + 1;
        if (want->children[i]->n_children > 0 ||
            lochan_run_descriptor__find(d, want->children[i]->name) < 0)
            LOCHAN_TRY(note_origin(&a, want->children[i], &id, err));
        else
            id = next;
    }
    return LOCHAN_OK;
}

static lochan_status change(lochan_lake *lake, const char *run_id, const lochan_run_descriptor *d,
                            const struct ArrowSchema *want, bool exists, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_txn *txn = NULL;
    lochan_table_def def = {0};
    bool already;
    lochan_txn_options options = {.kind = "table"};
    LOCHAN_TRYG(lochan_txn__begin(lake->catalog, &options, &already, NULL, &txn, err));
    if (exists) {
        LOCHAN_TRYG(lochan_txn__table(txn, LOCHAN_RUN_SCHEMA, d->name, &def, err));
        aligning a = {.txn = txn, .table = d->name, .run_id = run_id, .table_id = def.table_id};
        LOCHAN_TRYG(align_struct(&a, &def.schema, want, 0, "", err));
    } else {
        LOCHAN_TRYG(create(txn, run_id, d, want, err));
    }
    LOCHAN_FAILPOINTG("run.evolve.changed", err);
    rc = lochan_txn__commit(&txn, NULL, err);
done:
    lochan_txn__abort(txn);
    lochan_table_def__deinit(&def);
    return rc;
}

lochan_status lochan_run__open_table(lochan_lake *lake, const char *name, int64_t snapshot_id,
                                     lochan_table **out, lochan_error *err) {
    lochan_error seen;
    lochan_error_init(&seen);
    lochan_status rc = lochan_table__open(lake, LOCHAN_RUN_SCHEMA, name, snapshot_id, out, &seen);
    if (rc == LOCHAN_ERR_NOT_FOUND)
        return LOCHAN_OK;
    if (rc != LOCHAN_OK && err)
        *err = seen;
    return rc;
}

static lochan_status check_table(const lochan_table *t, lochan_error *err) {
    if (t->partition && t->partition == lochan_partition__find("tick_bucket"))
        return LOCHAN_OK;
    lochan_status rc = lochan_error__set(err, LOCHAN_ERR_SCHEMA,
                                         "%s is not partitioned as a run table is", t->full_name);
    return lochan_error__in_table(err, rc, t->full_name, NULL, -1);
}

static lochan_status evolve(lochan_lake *lake, const char *run_id, const lochan_run_descriptor *d,
                            const struct ArrowSchema *want, lochan_table **out, lochan_error *err) {
    for (int tries = 0; tries < 10; tries++) {
        lochan_table *t = NULL;
        LOCHAN_TRY(lochan_run__open_table(lake, d->name, -1, &t, err));
        aligning a = {.table = d->name, .run_id = run_id};
        lochan_status rc = LOCHAN_OK;
        if (t) {
            rc = check_table(t, err);
            a.table_id = t->def.table_id;
            lochan_error seen;
            lochan_error_init(&seen);
            /* A clash is looked at again inside the transaction, which knows who fixed the type. */
            if (rc == LOCHAN_OK &&
                align_struct(&a, &t->def.schema, want, 0, "", &seen) != LOCHAN_OK)
                a.differs = true;
        }
        if (rc == LOCHAN_OK && t && !a.differs) {
            *out = t;
            return LOCHAN_OK;
        }
        bool exists = t != NULL;
        lochan_table__close(t);
        LOCHAN_TRY(rc);
        lochan_error seen;
        lochan_error_init(&seen);
        rc = change(lake, run_id, d, want, exists, &seen);
        if (rc != LOCHAN_OK && rc != LOCHAN_ERR_EXISTS) {
            if (err)
                *err = seen;
            return rc;
        }
    }
    return lochan_error__set(err, LOCHAN_ERR_CONFLICT,
                             "the columns of %s were changed again and again meanwhile", d->name);
}

lochan_status lochan_run__evolve(lochan_lake *lake, const char *run_id,
                                 const lochan_run_descriptor *d, const struct ArrowSchema *incoming,
                                 lochan_table **out, lochan_error *err) {
    struct ArrowSchema want = {0};
    *out = NULL;
    lochan_status rc = wanted_table(d, incoming, &want, err);
    if (rc == LOCHAN_OK)
        rc = evolve(lake, run_id, d, &want, out, err);
    lochan_schema__release(&want);
    return lochan_error__in_table(err, rc, d->name, NULL, -1);
}

/* ---- looking ahead ---- */

static lochan_status merged(const struct ArrowSchema *stored, const struct ArrowSchema *want,
                            struct ArrowSchema *out, lochan_error *err);

/* Fields of `stored`, then those that only `want` has. `out` has the place for them. */
static lochan_status merge_children(const struct ArrowSchema *stored,
                                    const struct ArrowSchema *want, struct ArrowSchema *out,
                                    lochan_error *err) {
    int64_t at = 0;
    for (int64_t i = 0; i < stored->n_children; i++) {
        int w = lochan_schema__find(want, stored->children[i]->name);
        LOCHAN_TRY(merged(stored->children[i], w >= 0 ? want->children[w] : NULL,
                          out->children[at++], err));
    }
    for (int64_t i = 0; i < want->n_children; i++)
        if (lochan_schema__find(stored, want->children[i]->name) < 0 &&
            !lochan_run_field__is_void(want->children[i]))
            LOCHAN_TRY(lochan_schema__dup(want->children[i], out->children[at++], err));
    return LOCHAN_OK;
}

static int64_t count_new(const struct ArrowSchema *stored, const struct ArrowSchema *want) {
    int64_t n = 0;
    for (int64_t i = 0; i < want->n_children; i++)
        n += lochan_schema__find(stored, want->children[i]->name) < 0 &&
             !lochan_run_field__is_void(want->children[i]);
    return n;
}

static lochan_status merged(const struct ArrowSchema *stored, const struct ArrowSchema *want,
                            struct ArrowSchema *out, lochan_error *err) {
    lochan_type s, w;
    bool s_number, w_number, nullable = (stored->flags & ARROW_FLAG_NULLABLE) != 0;
    if (want && is_struct(stored) && is_struct(want)) {
        s.id = LOCHAN_TYPE_STRUCT;
        LOCHAN_TRY(lochan_schema__set_nested(out, stored->name, &s, nullable,
                                             stored->n_children + count_new(stored, want), err));
        return merge_children(stored, want, out, err);
    }
    if (want && is_list(stored) && is_list(want)) {
        s.id = LOCHAN_TYPE_LIST;
        LOCHAN_TRY(lochan_schema__set_nested(out, stored->name, &s, nullable, 1, err));
        return merged(stored->children[0], want->children[0], out->children[0], err);
    }
    if (want && is_kind(stored, &s, &s_number) && is_kind(want, &w, &w_number) &&
        lochan_type__is_integer(s.id) && lochan_type__is_float(w.id))
        return lochan_schema__set_field(out, stored->name, &w, nullable, err);
    return lochan_schema__dup(stored, out, err);
}

lochan_status lochan_run__predict(lochan_lake *lake, const lochan_run_descriptor *d,
                                  const struct ArrowSchema *incoming, bool *changes,
                                  struct ArrowSchema *out, lochan_table **table,
                                  lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema want = {0}, all = {0};
    lochan_table *t = NULL;
    aligning a = {.table = d->name, .run_id = ""};
    *table = NULL;
    *changes = true;
    LOCHAN_TRYG(wanted_table(d, incoming, &want, err));
    LOCHAN_TRYG(lochan_run__open_table(lake, d->name, -1, &t, err));
    if (!t) {
        lochan_schema__move(&want, out);
        goto done;
    }
    a.table_id = t->def.table_id;
    lochan_error seen;
    lochan_error_init(&seen);
    /* A clash is told by the transaction, which knows who fixed the type. */
    rc = align_struct(&a, &t->def.schema, &want, 0, "", &seen);
    *changes = rc == LOCHAN_OK && a.differs;
    if (rc == LOCHAN_OK && !a.differs && check_table(t, NULL) == LOCHAN_OK) {
        *table = t;
        t = NULL;
    }
    rc = LOCHAN_OK;
    if (!*changes)
        goto done;
    LOCHAN_TRYG(lochan_schema__init_struct(
        &all, t->def.schema.n_children + count_new(&t->def.schema, &want), err));
    LOCHAN_TRYG(merge_children(&t->def.schema, &want, &all, err));
    lochan_schema__move(&all, out);
done:
    lochan_table__close(t);
    lochan_schema__release(&want);
    lochan_schema__release(&all);
    return lochan_error__in_table(err, rc, d->name, NULL, -1);
}

/* ---- rows from several places ---- */

lochan_status lochan_run__wanted(const lochan_run_descriptor *d, const struct ArrowSchema *incoming,
                                 struct ArrowSchema *out, lochan_error *err) {
    lochan_status rc = wanted_table(d, incoming, out, err);
    return lochan_error__in_table(err, rc, d->name, NULL, -1);
}

lochan_status lochan_run__unite(const struct ArrowSchema *a, const struct ArrowSchema *b,
                                struct ArrowSchema *out, lochan_error *err) {
    lochan_status rc = lochan_schema__init_struct(out, a->n_children + count_new(a, b), err);
    if (rc == LOCHAN_OK)
        rc = merge_children(a, b, out, err);
    if (rc != LOCHAN_OK)
        lochan_schema__release(out);
    return rc;
}
