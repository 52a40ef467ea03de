/* tables.c - descriptors by name: those of the lake, then the bundled ones.
 * Invariant: a descriptor of the lake hides the bundled one of its name. May call: base/, arrow/,
 * catalog/, update/bundled.h, own.h.
 */
#include "run/own.h"

#include "arrow/listing.h"
#include "base/mem.h"
#include "update/bundled.h"

/* ---- bundled ---- */

static const lochan_bundled *next_bundled(size_t *at) {
    while (*at < lochan_bundled__count) {
        const lochan_bundled *b = &lochan_bundled__specs[(*at)++];
        if (strncmp(b->path, "tables/", 7) == 0)
            return b;
    }
    return NULL;
}

/* "holdings" of "tables/holdings.yaml". */
static lochan_str bundled_name(const lochan_bundled *b) {
    const char *name = b->path + 7;
    return (lochan_str){name, strlen(name) - strlen(".yaml")};
}

static const lochan_bundled *find_bundled(const char *table) {
    size_t at = 0;
    const lochan_bundled *b;
    while ((b = next_bundled(&at)))
        if (lochan_str__eq(bundled_name(b), lochan_str__of(table)))
            return b;
    return NULL;
}

/* ---- one descriptor ---- */

void lochan_run_known__unref(lochan_run_known *known) {
    if (!known || --known->refs > 0)
        return;
    lochan_run_descriptor__free(known->d);
    lochan_mem__free(known->text);
    lochan_mem__free(known);
}

static lochan_status make_known(const char *text, size_t size, const char *file, bool bundled,
                                lochan_run_known **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_run_known *k = lochan_mem__zalloc(sizeof *k);
    if (!k)
        return lochan_error__nomem(err);
    k->refs = 1;
    if (!bundled && !(k->text = lochan_mem__strndup(text, size))) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_run_descriptor__parse(text, size, file, &k->d, err));
    *out = k;
    k = NULL;
done:
    lochan_run_known__unref(k);
    return rc;
}

static lochan_status no_table(lochan_lake *lake, const char *table, lochan_error *err) {
    lochan_run_table_rows rows = {0};
    const char *names[64];
    size_t n = 0, at = 0;
    char bundled[32][130];
    if (lake)
        LOCHAN_TRY(lochan_catalog__run_tables(lake->catalog, NULL, &rows, err));
    for (size_t i = 0; i < rows.n && n < 32; i++)
        names[n++] = rows.rows[i].name;
    const lochan_bundled *b;
    for (size_t i = 0; i < 32 && (b = next_bundled(&at)); i++) {
        lochan_str name = bundled_name(b);
        lochan_format(bundled[i], sizeof bundled[i], "%.*s", (int)name.n, name.p);
        names[n++] = bundled[i];
    }
    const char *near = lochan_name__nearest(table, names, n);
    lochan_error__set(err, LOCHAN_ERR_SCHEMA, "there is no run table '%.100s'", table);
    if (near)
        lochan_error__hint(err, "did you mean %s?", near);
    else
        lochan_error__hint(err,
                           "'lochan table list' shows what there is, 'lochan table add' adds one");
    lochan_run_table_rows__deinit(&rows);
    return lochan_error__in_table(err, LOCHAN_ERR_SCHEMA, table, NULL, -1);
}

/* The cached descriptor of that name if its text is still this one (NULL: bundled). */
static lochan_run_known *cached(lochan_run_known_list *cache, const char *table, const char *text) {
    for (size_t i = 0; cache && i < cache->n; i++) {
        lochan_run_known *k = cache->items[i];
        bool same = !text ? !k->text : k->text && strcmp(k->text, text) == 0;
        if (same && strcmp(k->d->name, table) == 0) {
            k->refs++;
            return k;
        }
    }
    return NULL;
}

/* Keeps it for the next time. Without memory it is simply read again. */
static void keep(lochan_run_known_list *cache, lochan_run_known *k) {
    for (size_t i = 0; i < cache->n; i++) {
        if (strcmp(cache->items[i]->d->name, k->d->name) == 0) {
            lochan_run_known__unref(cache->items[i]);
            cache->items[i] = k;
            k->refs++;
            return;
        }
    }
    if (cache->n == cache->cap) {
        size_t cap = cache->cap ? cache->cap * 2 : 8;
        lochan_run_known **items = lochan_mem__realloc(cache->items, cap * sizeof *items);
        if (!items)
            return;
        cache->items = items;
        cache->cap = cap;
    }
    cache->items[cache->n++] = k;
    k->refs++;
}

lochan_status lochan_run_known__find(lochan_lake *lake, lochan_run_known_list *cache,
                                     pthread_mutex_t *mutex, const char *table,
                                     lochan_run_known **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_run_table_rows rows = {0};
    *out = NULL;
    if (lake)
        LOCHAN_TRY(lochan_catalog__run_tables(lake->catalog, table, &rows, err));
    const char *text = rows.n > 0 ? rows.rows[0].spec : NULL;
    const lochan_bundled *b = text ? NULL : find_bundled(table);
    if (!text && !b) {
        rc = no_table(lake, table, err);
        goto done;
    }
    if (cache) {
        pthread_mutex_lock(mutex);
        *out = cached(cache, table, text);
        pthread_mutex_unlock(mutex);
        if (*out)
            goto done;
    }
    if (text)
        LOCHAN_TRYG(make_known(text, strlen(text), table, false, out, err));
    else
        LOCHAN_TRYG(make_known(b->text, b->size, b->path, true, out, err));
    if (cache) {
        pthread_mutex_lock(mutex);
        keep(cache, *out);
        pthread_mutex_unlock(mutex);
    }
done:
    lochan_run_table_rows__deinit(&rows);
    return rc;
}

/* ---- adding ---- */

/* Whether the columns that the lake stores already can go on under the new descriptor. */
static lochan_status check_fits(lochan_lake *lake, const lochan_run_descriptor *d,
                                lochan_error *err) {
    lochan_table *t = NULL;
    LOCHAN_TRY(lochan_run__open_table(lake, d->name, -1, &t, err));
    if (!t)
        return LOCHAN_OK;
    lochan_table__close(t);
    LOCHAN_TRY(lochan_run__evolve(lake, "", d, NULL, &t, err));
    lochan_table__close(t);
    return LOCHAN_OK;
}

lochan_status lochan_run_table_add(lochan_lake *lake, const char *yaml, size_t size,
                                   const char *file, bool replace, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_run_descriptor *d = NULL;
    lochan_run_table_rows rows = {0};
    lochan_txn *txn = NULL;
    char *text = NULL;
    bool already;
    lochan_txn_options options = {.kind = "run table"};
    LOCHAN_CHECK_ARG(lake && yaml && file, err);
    LOCHAN_TRY(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_run_descriptor__parse(yaml, size, file, &d, err));
    LOCHAN_TRYG(lochan_catalog__run_tables(lake->catalog, d->name, &rows, err));
    if (rows.n > 0 && !replace) {
        rc = lochan_error__set(err, LOCHAN_ERR_EXISTS, "run table '%s' is in the lake already",
                               d->name);
        lochan_error__hint(err, "--replace puts the new descriptor in its place");
        goto done;
    }
    LOCHAN_TRYG(check_fits(lake, d, err));
    text = lochan_mem__strndup(yaml, size);
    if (!text) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(lochan_txn__begin(lake->catalog, &options, &already, NULL, &txn, err));
    lochan_run_table_row row = {.name = d->name, .spec = text};
    LOCHAN_TRYG(lochan_txn__put_run_table(txn, &row, err));
    LOCHAN_TRYG(lochan_txn__commit(&txn, NULL, err));
done:
    lochan_txn__abort(txn);
    lochan_mem__free(text);
    lochan_run_table_rows__deinit(&rows);
    lochan_run_descriptor__free(d);
    return rc;
}

lochan_status lochan_run_table_show(lochan_lake *lake, const char *table, char **out,
                                    lochan_error *err) {
    lochan_run_table_rows rows = {0};
    LOCHAN_CHECK_ARG(out, err);
    *out = NULL;
    LOCHAN_CHECK_ARG(table, err);
    if (lake)
        LOCHAN_TRY(lochan_catalog__run_tables(lake->catalog, table, &rows, err));
    const lochan_bundled *b = rows.n > 0 ? NULL : find_bundled(table);
    lochan_status rc = LOCHAN_OK;
    if (rows.n == 0 && !b)
        rc = no_table(lake, table, err);
    else
        *out = lochan_mem__strdup(b ? b->text : rows.rows[0].spec);
    if (rc == LOCHAN_OK && !*out)
        rc = lochan_error__nomem(err);
    lochan_run_table_rows__deinit(&rows);
    return rc;
}

/* ---- lists ---- */

static lochan_status list_one(lochan_lake *lake, lochan_listing *list, const lochan_run_known *k,
                              bool bundled, bool added, const lochan_run_figures_rows *figures,
                              lochan_error *err) {
    lochan_table *t = NULL;
    int64_t rows = 0, parts = 0, bytes = 0;
    if (lake)
        LOCHAN_TRY(lochan_run__open_table(lake, k->d->name, -1, &t, err));
    for (size_t i = 0; t && i < figures->n; i++) {
        if (figures->rows[i].table_id != t->def.table_id)
            continue;
        rows += figures->rows[i].rows;
        parts += figures->rows[i].files;
        bytes += figures->rows[i].bytes;
    }
    lochan_table__close(t);
    LOCHAN_TRY(lochan_listing__string(list, 0, k->d->name, err));
    LOCHAN_TRY(lochan_listing__string(list, 1, *k->d->version ? k->d->version : NULL, err));
    LOCHAN_TRY(lochan_listing__int64(list, 2, (int64_t)k->d->n, err));
    LOCHAN_TRY(lochan_listing__int64(list, 3, bundled, err));
    LOCHAN_TRY(lochan_listing__int64(list, 4, added, err));
    LOCHAN_TRY(lochan_listing__int64(list, 5, rows, err));
    LOCHAN_TRY(lochan_listing__int64(list, 6, parts, err));
    LOCHAN_TRY(lochan_listing__int64(list, 7, bytes, err));
    LOCHAN_TRY(lochan_listing__string(list, 8, *k->d->description ? k->d->description : NULL, err));
    return lochan_listing__end_row(list, err);
}

lochan_status lochan_run_table_list(lochan_lake *lake, struct ArrowArrayStream *out,
                                    lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"table", "string"},       {"version", "string"}, {"columns", "int64"}, {"bundled", "bool"},
        {"added", "bool"},         {"rows", "int64"},     {"parts", "int64"},   {"bytes", "int64"},
        {"description", "string"}, {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_listing list = {0};
    lochan_run_table_rows rows = {0};
    lochan_run_figures_rows figures = {0};
    lochan_run_known *k = NULL;
    size_t at = 0;
    const lochan_bundled *b;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    if (lake) {
        LOCHAN_TRYG(lochan_catalog__run_tables(lake->catalog, NULL, &rows, err));
        LOCHAN_TRYG(lochan_catalog__run_figures(lake->catalog, &figures, err));
    }
    while ((b = next_bundled(&at))) {
        bool hidden = false;
        for (size_t i = 0; i < rows.n; i++)
            hidden = hidden || lochan_str__eq(bundled_name(b), lochan_str__of(rows.rows[i].name));
        if (hidden)
            continue;
        LOCHAN_TRYG(make_known(b->text, b->size, b->path, true, &k, err));
        LOCHAN_TRYG(list_one(lake, &list, k, true, false, &figures, err));
        lochan_run_known__unref(k);
        k = NULL;
    }
    for (size_t i = 0; i < rows.n; i++) {
        const lochan_run_table_row *r = &rows.rows[i];
        LOCHAN_TRYG(make_known(r->spec, strlen(r->spec), r->name, false, &k, err));
        LOCHAN_TRYG(list_one(lake, &list, k, find_bundled(r->name) != NULL, true, &figures, err));
        lochan_run_known__unref(k);
        k = NULL;
    }
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_run_known__unref(k);
    lochan_run_figures_rows__deinit(&figures);
    lochan_run_table_rows__deinit(&rows);
    lochan_listing__deinit(&list);
    return rc;
}

static lochan_status list_column(lochan_listing *list, const lochan_run_column *c,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf type, values;
    lochan_buf__init(&type, 1 << 20);
    lochan_buf__init(&values, 1 << 20);
    LOCHAN_TRYG(lochan_run_field__type_name(c->field, &type, err));
    for (size_t i = 0; i < c->n_values; i++)
        LOCHAN_TRYG(lochan_buf__printf(&values, err, "%s%s", i ? ", " : "", c->values[i]));
    const struct ArrowSchema *inner = c->field;
    while (strcmp(inner->format, "+l") == 0)
        inner = inner->children[0];
    LOCHAN_TRYG(lochan_listing__string(list, 0, c->name, err));
    LOCHAN_TRYG(lochan_listing__string(list, 1, (const char *)type.data, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 2, c->required, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 3, c->nullable, err));
    LOCHAN_TRYG(lochan_listing__string(list, 4,
                                       c->json                            ? "json"
                                       : lochan_run_field__is_open(inner) ? "yes"
                                                                          : NULL,
                                       err));
    LOCHAN_TRYG(lochan_listing__string(list, 5, (const char *)values.data, err));
    LOCHAN_TRYG(lochan_listing__end_row(list, err));
done:
    lochan_buf__deinit(&type);
    lochan_buf__deinit(&values);
    return rc;
}

lochan_status lochan_run_table_columns(lochan_lake *lake, const char *table,
                                       struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"column", "string"}, {"type", "string"},   {"required", "bool"}, {"nullable", "bool"},
        {"open", "string"},   {"values", "string"}, {NULL, NULL}};
    lochan_status rc = LOCHAN_OK;
    lochan_listing list = {0};
    lochan_run_known *k = NULL;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(table, err);
    LOCHAN_TRYG(lochan_run_known__find(lake, NULL, NULL, table, &k, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < k->d->n; i++)
        LOCHAN_TRYG(list_column(&list, &k->d->columns[i], err));
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_run_known__unref(k);
    lochan_listing__deinit(&list);
    return rc;
}

lochan_status lochan_run_table_schema(lochan_lake *lake, const char *table, struct ArrowSchema *out,
                                      lochan_error *err) {
    lochan_run_known *k = NULL;
    LOCHAN_CHECK_ARG(out, err);
    memset(out, 0, sizeof *out);
    LOCHAN_CHECK_ARG(table, err);
    LOCHAN_TRY(lochan_run_known__find(lake, NULL, NULL, table, &k, err));
    lochan_status rc = lochan_schema__dup(&k->d->schema, out, err);
    lochan_run_known__unref(k);
    return rc;
}
