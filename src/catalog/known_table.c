/* known_table.c - definitions of tables as they were read last, so that one append after the other
 * does not read its columns again.
 * Invariants: what is kept is of the newest snapshot and goes with its schema version, which every
 * change of columns, partitioning or order makes higher, also one of another program; what changes
 * without it (rows, bytes, the dataset) is read each time. Under the catalog's known_mutex. May
 * call: base/, arrow/, internal.h.
 */
#include "catalog/internal.h"

#include "base/mem.h"

#include <string.h>

enum { MOST_KNOWN = 16 };

struct lochan_known_table {
    lochan_table_def def;
    int64_t schema_version;
};

static lochan_status copy_text(lochan_arena *arena, const char **text, lochan_error *err) {
    if (*text)
        *text = lochan_arena__strdup(arena, *text);
    return *text ? LOCHAN_OK : lochan_error__nomem(err);
}

static lochan_status copy_keys(const lochan_table_def *from, lochan_table_def *to,
                               lochan_error *err) {
    to->partition = lochan_arena__array(&to->arena, from->n_partition + 1, sizeof *to->partition);
    to->sort = lochan_arena__array(&to->arena, from->n_sort + 1, sizeof *to->sort);
    if (!to->partition || !to->sort)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < from->n_partition; i++) {
        lochan_partition_key *key = &to->partition[i];
        *key = from->partition[i];
        key->name = key->column < 0 ? "" : to->schema.children[key->column]->name;
        LOCHAN_TRY(copy_text(&to->arena, &key->transform, err));
    }
    for (size_t i = 0; i < from->n_sort; i++) {
        to->sort[i] = from->sort[i];
        LOCHAN_TRY(copy_text(&to->arena, &to->sort[i].expression, err));
    }
    return LOCHAN_OK;
}

static lochan_status copy_def(const lochan_table_def *from, lochan_table_def *to,
                              lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *to = *from;
    memset(&to->schema, 0, sizeof to->schema);
    lochan_arena__init(&to->arena, 0);
    LOCHAN_TRYG(copy_text(&to->arena, &to->uuid, err));
    LOCHAN_TRYG(copy_text(&to->arena, &to->source, err));
    LOCHAN_TRYG(copy_text(&to->arena, &to->dataset, err));
    LOCHAN_TRYG(copy_text(&to->arena, &to->path, err));
    LOCHAN_TRYG(lochan_schema__dup(&from->schema, &to->schema, err));
    LOCHAN_TRYG(copy_keys(from, to, err));
done:
    if (rc != LOCHAN_OK)
        lochan_table_def__deinit(to);
    return rc;
}

static lochan_known_table *find(lochan_catalog *c, const char *source, const char *dataset) {
    for (size_t i = 0; i < c->n_known; i++)
        if (strcmp(c->known[i]->def.dataset, dataset) == 0 &&
            strcmp(c->known[i]->def.source, source) == 0)
            return c->known[i];
    return NULL;
}

lochan_status lochan_known_table__get(lochan_catalog *catalog, const char *source,
                                      const char *dataset, int64_t schema_version, bool *found,
                                      lochan_table_def *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    *found = false;
    memset(out, 0, sizeof *out);
    pthread_mutex_lock(&catalog->known_mutex);
    const lochan_known_table *k = find(catalog, source, dataset);
    if (k && k->schema_version == schema_version) {
        rc = copy_def(&k->def, out, err);
        *found = rc == LOCHAN_OK;
    }
    pthread_mutex_unlock(&catalog->known_mutex);
    return rc;
}

static void drop(lochan_known_table *k) {
    if (k)
        lochan_table_def__deinit(&k->def);
    lochan_mem__free(k);
}

void lochan_known_table__keep(lochan_catalog *catalog, const lochan_table_def *def,
                              int64_t schema_version) {
    lochan_known_table *k = lochan_mem__zalloc(sizeof *k);
    if (k && copy_def(def, &k->def, NULL) != LOCHAN_OK) {
        lochan_mem__free(k);
        k = NULL;
    }
    if (!k) /* then it is read again the next time */
        return;
    k->schema_version = schema_version;
    pthread_mutex_lock(&catalog->known_mutex);
    size_t at = 0;
    while (at < catalog->n_known && catalog->known[at] != find(catalog, def->source, def->dataset))
        at++;
    if (at == catalog->n_known && at == MOST_KNOWN)
        at = catalog->next_known++ % MOST_KNOWN;
    if (at == catalog->n_known)
        catalog->known[catalog->n_known++] = NULL;
    drop(catalog->known[at]);
    catalog->known[at] = k;
    pthread_mutex_unlock(&catalog->known_mutex);
}

void lochan_known_table__init(lochan_catalog *catalog) {
    pthread_mutex_init(&catalog->known_mutex, NULL);
}

void lochan_known_table__deinit(lochan_catalog *catalog) {
    for (size_t i = 0; i < catalog->n_known; i++)
        drop(catalog->known[i]);
    catalog->n_known = 0;
    pthread_mutex_destroy(&catalog->known_mutex);
}
