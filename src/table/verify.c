/* verify.c - catalog, journal and files compared.
 * Invariants: nothing is changed, not even a temporary file; findings come sorted, so two runs over
 * one state say the same. May call: base/, arrow/, catalog/, store/, verify_file.c.
 */
#include "table/verify.h"

#include "arrow/builder.h"
#include "base/str.h"
#include "catalog/rebuild.h"
#include "catalog/snapshots.h"
#include "table/scan_plan.h"
#include <stdio.h>

lochan_status lochan_verification__add(lochan_verification *v, lochan_error *err, const char *kind,
                                       const lochan_table *table, const char *path, const char *fmt,
                                       ...) {
    char detail[1024];
    va_list args;
    va_start(args, fmt);
    vsnprintf(detail, sizeof detail, fmt, args);
    va_end(args);
    lochan_status rc = LOCHAN_OK;
    pthread_mutex_lock(&v->mutex);
    if (v->n == v->cap) {
        size_t cap = v->cap ? v->cap * 2 : 16;
        lochan_finding *list = lochan_mem__realloc(v->findings, cap * sizeof *list);
        if (list) {
            v->findings = list;
            v->cap = cap;
        }
    }
    lochan_finding f = {.kind = lochan_arena__strdup(&v->arena, kind),
                        .source = lochan_arena__strdup(&v->arena, table ? table->def.source : ""),
                        .dataset = lochan_arena__strdup(&v->arena, table ? table->def.dataset : ""),
                        .path = lochan_arena__strdup(&v->arena, path ? path : ""),
                        .detail = lochan_arena__strdup(&v->arena, detail)};
    if (v->n == v->cap || !f.kind || !f.source || !f.dataset || !f.path || !f.detail) {
        rc = lochan_error__nomem(err);
    } else {
        v->findings[v->n++] = f;
        if (strcmp(kind, "unknown") == 0)
            v->report->unknown_files++;
        else if (strcmp(kind, "kept") != 0)
            v->report->problems++;
    }
    pthread_mutex_unlock(&v->mutex);
    return rc;
}

/* ---- one table ---- */

typedef struct table_check {
    lochan_verification *v;
    lochan_table *table;
    lochan_file_list list;
} table_check;

static lochan_status check_one(void *ctx, size_t index, lochan_error *err) {
    table_check *t = ctx;
    lochan_verification *v = t->v;
    LOCHAN_TRY(lochan_verification__file(v, t->table, &t->list.files[index], err));
    pthread_mutex_lock(&v->mutex);
    v->report->files_checked++;
    v->done++;
    if (v->options->progress)
        v->options->progress(v->options->payload, v->done, v->total);
    pthread_mutex_unlock(&v->mutex);
    return LOCHAN_OK;
}

/* Files of one partition of a keyed table must not overlap. */
static lochan_status check_disjoint(table_check *t, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t n = t->list.n, n_values = t->table->def.n_partition;
    const lochan_data_file **files = lochan_mem__array(n + 1, sizeof *files);
    if (!files)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++)
        files[i] = &t->list.files[i];
    lochan_files__order(files, n, n_values);
    for (size_t i = 1; i < n && rc == LOCHAN_OK; i++) {
        const lochan_data_file *a = files[i - 1], *b = files[i];
        bool same = a->key_max.n > 0 && b->key_min.n > 0;
        for (size_t p = 0; same && p < n_values; p++)
            same = a->partition_values[p] && b->partition_values[p] &&
                   strcmp(a->partition_values[p], b->partition_values[p]) == 0;
        if (same && lochan_keycode__compare(a->key_max, b->key_min) >= 0)
            rc = lochan_verification__add(t->v, err, "key", t->table, b->path,
                                          "its keys overlap those of %s", a->path);
    }
    lochan_mem__free((void *)files);
    return rc;
}

/* What is wrong with a table as a whole is a finding too. */
static lochan_status table_finding(lochan_verification *v, const lochan_table_name *name,
                                   lochan_status rc, const lochan_error *seen, lochan_error *err) {
    if (rc == LOCHAN_ERR_UNSUPPORTED || rc == LOCHAN_ERR_CORRUPT || rc == LOCHAN_ERR_SCHEMA)
        return lochan_verification__add(v, err, "table", NULL, "lake.db", "%s.%s: %s", name->source,
                                        name->dataset, seen->message);
    if (rc != LOCHAN_OK && err)
        *err = *seen;
    return rc;
}

static lochan_status list_table(table_check *t, const lochan_table_name *name, bool *listed,
                                lochan_error *err) {
    lochan_error seen;
    lochan_verification *v = t->v;
    lochan_error_init(&seen);
    *listed = false;
    lochan_status rc =
        lochan_table__open(v->lake, name->source, name->dataset, -1, &t->table, &seen);
    if (rc != LOCHAN_OK)
        return table_finding(v, name, rc, &seen, err);
    rc = lochan_table__files(t->table, &t->list, &seen);
    *listed = rc == LOCHAN_OK;
    return table_finding(v, name, rc, &seen, err);
}

static lochan_status check_table(lochan_verification *v, const lochan_table_name *name,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    table_check t = {.v = v};
    bool listed;
    LOCHAN_TRYG(list_table(&t, name, &listed, err));
    if (!listed)
        goto done;
    v->total += (int64_t)t.list.n;
    LOCHAN_TRYG(
        lochan_pool__for(v->lake->ctx.pool, t.list.n, check_one, &t, v->lake->ctx.cancel, err));
    LOCHAN_TRYG(check_disjoint(&t, err));
done:
    lochan_file_list__deinit(&t.list);
    lochan_table__close(t.table);
    return rc;
}

static lochan_status check_tables(lochan_verification *v, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_table_names names = {0};
    const lochan_verify_options *o = v->options;
    bool any = false;
    LOCHAN_TRYG(lochan_catalog__tables(v->lake->catalog, -1, &names, err));
    for (size_t i = 0; i < names.n; i++) {
        const lochan_table_name *n = &names.names[i];
        if ((o->source && strcmp(o->source, n->source) != 0) ||
            (o->dataset && strcmp(o->dataset, n->dataset) != 0))
            continue;
        any = true;
        LOCHAN_TRYG(check_table(v, n, err));
    }
    if (o->dataset && !any)
        rc = lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "there is no table %s.%s", o->source,
                               o->dataset);
done:
    lochan_table_names__deinit(&names);
    return rc;
}

/* ---- files nobody knows ---- */

typedef struct unknown_check {
    lochan_verification *v;
    const char **known; /* sorted */
    size_t n;
} unknown_check;

static int compare_paths(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static lochan_status check_known(void *ctx, const char *path, const lochan_stat *st, bool temporary,
                                 lochan_error *err) {
    unknown_check *u = ctx;
    (void)st;
    if (strncmp(path, "data/staging/", 13) == 0 ||
        (u->n > 0 && bsearch(&path, u->known, u->n, sizeof *u->known, compare_paths)))
        return LOCHAN_OK;
    return lochan_verification__add(u->v, err, "unknown", NULL, path, "%s",
                                    temporary ? "temporary file of a write under way or cut off"
                                              : "not in the catalog, so no reader sees it");
}

/* "runs/<run>/tables/<table>/...": of another table than the one that was asked for? */
static lochan_status check_known_run(void *ctx, const char *path, const lochan_stat *st,
                                     bool temporary, lochan_error *err) {
    const unknown_check *u = ctx;
    const char *table = strstr(path, "/tables/"), *wanted = u->v->options->dataset;
    size_t n = wanted ? strlen(wanted) : 0;
    bool other = wanted && (!table || strncmp(table + 8, wanted, n) != 0 || table[8 + n] != '/');
    return other ? LOCHAN_OK : check_known(ctx, path, st, temporary, err);
}

/* Files of tables, files that expire forgot and gc did not remove yet, delete files of other
 * programs. */
static lochan_status collect_known(unknown_check *u, const lochan_known_files *known,
                                   const lochan_scheduled_files *scheduled,
                                   const lochan_backup_file *others, size_t n_others,
                                   lochan_error *err) {
    u->known = lochan_mem__array(known->n + scheduled->n + n_others + 1, sizeof *u->known);
    if (!u->known)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < known->n; i++)
        u->known[u->n++] = known->files[i].path;
    for (size_t i = 0; i < scheduled->n; i++)
        u->known[u->n++] = scheduled->files[i].path;
    for (size_t i = 0; i < n_others; i++)
        u->known[u->n++] = others[i].path;
    if (u->n > 1)
        qsort((void *)u->known, u->n, sizeof *u->known, compare_paths);
    return LOCHAN_OK;
}

static lochan_status check_unknown(lochan_verification *v, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    unknown_check u = {.v = v};
    lochan_known_files known = {0};
    lochan_scheduled_files scheduled = {0};
    lochan_backup others = {0};
    lochan_buf folder;
    const lochan_verify_options *o = v->options;
    lochan_buf__init(&folder, 1024);
    LOCHAN_TRYG(lochan_buf__puts(&folder, "data", err));
    if (o->source)
        LOCHAN_TRYG(lochan_buf__printf(&folder, err, "/%s", o->source));
    if (o->dataset)
        LOCHAN_TRYG(lochan_buf__printf(&folder, err, "/%s", o->dataset));
    LOCHAN_TRYG(lochan_catalog__known_files(v->lake->catalog, &known, err));
    LOCHAN_TRYG(lochan_catalog__scheduled(v->lake->catalog, &scheduled, err));
    LOCHAN_TRYG(lochan_catalog__side_files(v->lake->catalog, &others, err));
    LOCHAN_TRYG(collect_known(&u, &known, &scheduled, others.files, others.n_files, err));
    LOCHAN_TRYG(
        lochan_store__list(v->lake->store, (const char *)folder.data, check_known, &u, err));
    if (!o->source || strcmp(o->source, "runs") == 0)
        LOCHAN_TRYG(lochan_store__list(v->lake->store, "runs", check_known_run, &u, err));
done:
    lochan_mem__free((void *)u.known);
    lochan_known_files__deinit(&known);
    lochan_scheduled_files__deinit(&scheduled);
    lochan_backup__deinit(&others);
    lochan_buf__deinit(&folder);
    return rc;
}

/* ---- result ---- */

static int compare_findings(const void *x, const void *y) {
    const lochan_finding *a = x, *b = y;
    const char *const p[] = {a->source, a->dataset, a->path, a->kind, a->detail};
    const char *const q[] = {b->source, b->dataset, b->path, b->kind, b->detail};
    int c = 0;
    for (size_t i = 0; i < LOCHAN_COUNTOF(p) && c == 0; i++)
        c = strcmp(p[i], q[i]);
    return c;
}

static lochan_status make_stream(lochan_verification *v, struct ArrowArrayStream *out,
                                 lochan_error *err) {
    static const char *const names[] = {"kind", "source", "dataset", "path", "detail"};
    lochan_status rc = LOCHAN_OK;
    lochan_type text = {.id = LOCHAN_TYPE_STRING};
    struct ArrowSchema schema = {0};
    struct ArrowArray rows = {0};
    lochan_builder *b = NULL;
    LOCHAN_TRYG(lochan_schema__init_struct(&schema, LOCHAN_COUNTOF(names), err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++)
        LOCHAN_TRYG(lochan_schema__set_field(schema.children[i], names[i], &text, false, err));
    LOCHAN_TRYG(lochan_builder__create(&schema, &b, err));
    for (size_t i = 0; i < v->n; i++) {
        const lochan_finding *f = &v->findings[i];
        const char *const values[] = {f->kind, f->source, f->dataset, f->path, f->detail};
        for (size_t c = 0; c < LOCHAN_COUNTOF(values); c++)
            LOCHAN_TRYG(lochan_builder__str(lochan_builder__child(b, (int64_t)c),
                                            lochan_str__of(values[c]), err));
        LOCHAN_TRYG(lochan_builder__end_row(b, err));
    }
    LOCHAN_TRYG(lochan_builder__finish(b, &rows, err));
    LOCHAN_TRYG(lochan_stream__of_batches(&schema, &rows, 1, out, err));
done:
    lochan_builder__free(b);
    lochan_schema__release(&schema);
    lochan_array__release(&rows);
    return rc;
}

static lochan_status catalog_problem(void *ctx, const char *kind, const char *path,
                                     const char *detail, lochan_error *err) {
    return lochan_verification__add(ctx, err, kind, NULL, path, "%s", detail);
}

void lochan_verification__init(lochan_verification *v, lochan_lake *lake,
                               const lochan_verify_options *options, lochan_verify_report *report) {
    memset(v, 0, sizeof *v);
    memset(report, 0, sizeof *report);
    v->lake = lake;
    v->options = options;
    v->report = report;
    lochan_arena__init(&v->arena, 0);
    pthread_mutex_init(&v->mutex, NULL);
}

void lochan_verification__deinit(lochan_verification *v) {
    pthread_mutex_destroy(&v->mutex);
    lochan_mem__free(v->findings);
    lochan_arena__deinit(&v->arena);
}

lochan_status lochan_verification__collect(lochan_verification *v, lochan_error *err) {
    LOCHAN_TRY(lochan_catalog__verify(v->lake->catalog, catalog_problem, v, err));
    LOCHAN_TRY(check_tables(v, err));
    return check_unknown(v, err);
}

lochan_status lochan_verification__finish(lochan_verification *v, struct ArrowArrayStream *out,
                                          lochan_error *err) {
    if (v->n > 0)
        qsort(v->findings, v->n, sizeof *v->findings, compare_findings);
    return out ? make_stream(v, out, err) : LOCHAN_OK;
}

static lochan_status read_options(const lochan_verify_options *options, lochan_verify_options *out,
                                  lochan_error *err) {
    static const uint8_t zero[sizeof out->reserved];
    *out = (lochan_verify_options)LOCHAN_VERIFY_OPTIONS_INIT;
    if (options) {
        LOCHAN_CHECK_ARG(options->struct_size >= offsetof(lochan_verify_options, reserved), err);
        memcpy(out, options,
               options->struct_size < sizeof *out ? options->struct_size : sizeof *out);
        LOCHAN_CHECK_ARG(memcmp(out->reserved, zero, sizeof zero) == 0, err);
    }
    if (out->dataset && !out->source)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "a dataset needs its source");
    if (out->source)
        LOCHAN_TRY(lochan_name__check("source", out->source, err));
    return out->dataset ? lochan_name__check("dataset", out->dataset, err) : LOCHAN_OK;
}

lochan_status lochan_lake_verify(lochan_lake *lake, const lochan_verify_options *options,
                                 lochan_verify_report *report, struct ArrowArrayStream *problems,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_verify_options o;
    LOCHAN_CHECK_ARG(report, err);
    memset(report, 0, sizeof *report);
    if (problems)
        memset(problems, 0, sizeof *problems);
    LOCHAN_CHECK_ARG(lake, err);
    LOCHAN_TRY(read_options(options, &o, err));
    lochan_verification v;
    lochan_verification__init(&v, lake, &o, report);
    rc = lochan_verification__collect(&v, err);
    if (rc == LOCHAN_OK)
        rc = lochan_verification__finish(&v, problems, err);
    lochan_verification__deinit(&v);
    return rc;
}
