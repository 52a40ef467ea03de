/* lists.c - sources, datasets, status and runs as streams, for the command, Python and anyone else.
 * May call: base/, arrow/, catalog/, source/, spec.h, staging.h, bundled.h.
 */
#include "arrow/listing.h"
#include "catalog/query.h"
#include "update/bundled.h"
#include "update/manage.h"
#include "update/mode.h"
#include "update/raw.h"
#include "update/staging.h"

/* ---- sources ---- */

static lochan_status list_source(lochan_lake *lake, lochan_listing *list,
                                 const lochan_source_row *row, lochan_error *err) {
    static const char *const kinds[] = {[LOCHAN_SOURCE_HTTP] = "http",
                                        [LOCHAN_SOURCE_FILES] = "files",
                                        [LOCHAN_SOURCE_CALLBACK] = "callback"};
    lochan_source_spec *spec = NULL;
    lochan_dataset_rows datasets = {0};
    lochan_status rc;
    LOCHAN_TRYG(lochan_manage__load_source(lake, row->name, NULL, 0, &spec, err));
    LOCHAN_TRYG(lochan_catalog__datasets(lake->catalog, row->name, NULL, &datasets, err));
    LOCHAN_TRYG(lochan_listing__string(list, 0, row->name, err));
    LOCHAN_TRYG(lochan_listing__string(list, 1, kinds[spec->kind], err));
    LOCHAN_TRYG(lochan_listing__string(list, 2, spec->url, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 3, spec->enabled, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 4, row->bundled, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 5, (int64_t)datasets.n, err));
    LOCHAN_TRYG(lochan_listing__end_row(list, err));
done:
    lochan_dataset_rows__deinit(&datasets);
    lochan_source_spec__free(spec);
    return rc;
}

lochan_status lochan_source_list(lochan_lake *lake, struct ArrowArrayStream *out,
                                 lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"name", "string"},  {"kind", "string"},    {"url", "string"}, {"enabled", "bool"},
        {"bundled", "bool"}, {"datasets", "int64"}, {NULL, NULL}};
    LOCHAN_CHECK_ARG(lake && out, err);
    lochan_listing list = {0};
    lochan_source_rows rows = {0};
    lochan_status rc;
    out->release = NULL;
    LOCHAN_TRYG(lochan_catalog__sources(lake->catalog, NULL, &rows, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < rows.n; i++)
        LOCHAN_TRYG(list_source(lake, &list, &rows.rows[i], err));
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_listing__deinit(&list);
    lochan_source_rows__deinit(&rows);
    return rc;
}

/* ---- datasets ---- */

/* Rows and last update of each dataset, gathered while the catalog walks its status. */
struct figures {
    int64_t dataset_id, rows, last_update_ns;
};
struct gather {
    struct figures *items;
    size_t n, capacity;
};

static lochan_status gather_row(void *ctx, lochan_dataset_status *row, lochan_error *err) {
    struct gather *all = ctx;
    void *items = lochan_mem__grow(all->items, all->n, &all->capacity, sizeof *all->items);
    if (!items)
        return lochan_error__nomem(err);
    all->items = items;
    all->items[all->n++] = (struct figures){row->dataset_id, row->rows, row->last_update_ns};
    return LOCHAN_OK;
}

static lochan_status join_names(const char *const *names, size_t n, lochan_buf *out,
                                lochan_error *err) {
    lochan_buf__clear(out);
    for (size_t i = 0; i < n; i++)
        LOCHAN_TRY(lochan_buf__printf(out, err, "%s%s", i ? ", " : "", names[i]));
    return LOCHAN_OK;
}

static lochan_status list_dataset(lochan_listing *list, const lochan_dataset_row *row,
                                  const struct gather *figures, lochan_error *err) {
    lochan_dataset_spec *spec = NULL;
    lochan_buf key;
    lochan_status rc;
    lochan_buf__init(&key, 64u << 10);
    LOCHAN_TRYG(lochan_dataset_spec__parse(row->spec, strlen(row->spec), row->name, &spec, err));
    LOCHAN_TRYG(join_names(spec->primary_key, spec->n_primary_key, &key, err));
    LOCHAN_TRYG(lochan_listing__string(list, 0, row->source, err));
    LOCHAN_TRYG(lochan_listing__string(list, 1, row->name, err));
    LOCHAN_TRYG(lochan_listing__string(list, 2, spec->category[0] ? spec->category : NULL, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 3, row->enabled, err));
    LOCHAN_TRYG(lochan_listing__string(list, 4, (const char *)key.data, err));
    LOCHAN_TRYG(lochan_listing__string(list, 5, spec->partition_strategy, err));
    LOCHAN_TRYG(lochan_listing__string(list, 6, spec->update_mode->name, err));
    for (size_t i = 0; i < figures->n; i++) {
        if (figures->items[i].dataset_id != row->dataset_id)
            continue;
        LOCHAN_TRYG(lochan_listing__int64(list, 7, figures->items[i].rows, err));
        if (figures->items[i].last_update_ns > 0)
            LOCHAN_TRYG(lochan_listing__time(list, 8, figures->items[i].last_update_ns, err));
        break;
    }
    LOCHAN_TRYG(lochan_listing__end_row(list, err));
done:
    lochan_buf__deinit(&key);
    lochan_dataset_spec__free(spec);
    return rc;
}

lochan_status lochan_dataset_list(lochan_lake *lake, struct ArrowArrayStream *out,
                                  lochan_error *err) {
    static const lochan_listing_column columns[] = {{"source", "string"},
                                                    {"dataset", "string"},
                                                    {"category", "string"},
                                                    {"enabled", "bool"},
                                                    {"key", "string"},
                                                    {"partition", "string"},
                                                    {"update_mode", "string"},
                                                    {"rows", "int64"},
                                                    {"last_update", "timestamp[us, UTC]"},
                                                    {NULL, NULL}};
    LOCHAN_CHECK_ARG(lake && out, err);
    lochan_listing list = {0};
    lochan_dataset_rows rows = {0};
    struct gather figures = {0};
    struct ArrowArrayStream status = {0};
    lochan_status rc;
    out->release = NULL;
    LOCHAN_TRYG(lochan_catalog__query_status(lake->catalog, NULL, NULL, gather_row, &figures,
                                             &status, err));
    LOCHAN_TRYG(lochan_catalog__datasets(lake->catalog, NULL, NULL, &rows, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < rows.n; i++)
        LOCHAN_TRYG(list_dataset(&list, &rows.rows[i], &figures, err));
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_stream__release(&status);
    lochan_listing__deinit(&list);
    lochan_dataset_rows__deinit(&rows);
    lochan_mem__free(figures.items);
    return rc;
}

/* ---- bundled ---- */

lochan_status lochan_bundled_list(struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"kind", "string"}, {"name", "string"}, {NULL, NULL}};
    LOCHAN_CHECK_ARG(out, err);
    lochan_listing list = {0};
    lochan_status rc;
    out->release = NULL;
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < lochan_bundled__count; i++) {
        /* "sources/ecb.yaml", "datasets/ecb/fx_daily.yaml" */
        const char *path = lochan_bundled__specs[i].path, *slash = strchr(path, '/');
        char name[300];
        if (!slash || (strncmp(path, "sources/", 8) != 0 && strncmp(path, "datasets/", 9) != 0))
            continue;
        int n = (int)(strlen(slash + 1) - strlen(".yaml"));
        (void)lochan_format(name, sizeof name, "%.*s", n, slash + 1);
        LOCHAN_TRYG(lochan_listing__string(&list, 0, path[0] == 's' ? "source" : "dataset", err));
        LOCHAN_TRYG(lochan_listing__string(&list, 1, name, err));
        LOCHAN_TRYG(lochan_listing__end_row(&list, err));
    }
    LOCHAN_TRYG(lochan_listing__finish(&list, out, err));
done:
    lochan_listing__deinit(&list);
    return rc;
}

/* ---- status ---- */

lochan_status lochan_manage__reads_files(lochan_lake *lake, const char *source, bool *files,
                                         lochan_error *err) {
    lochan_source_spec *spec = NULL;
    lochan_status rc = lochan_manage__load_source(lake, source, NULL, 0, &spec, err);
    *files = rc == LOCHAN_OK && spec->kind == LOCHAN_SOURCE_FILES;
    lochan_source_spec__free(spec);
    return rc;
}

/* What the catalog cannot know; a source that is broken or gone hides no status. */
static lochan_status add_staged(void *ctx, lochan_dataset_status *row, lochan_error *err) {
    bool files;
    if (lochan_manage__reads_files(ctx, row->source, &files, NULL) == LOCHAN_OK && files)
        row->has_covered_to = row->has_asked_to = false;
    LOCHAN_TRY(lochan_staging__disk_use(lochan_lake_path(ctx), row->source, row->dataset,
                                        &row->staged_bytes, err));
    return lochan_raw__disk_use(lochan_lake_path(ctx), row->source, row->dataset, &row->raw_files,
                                &row->raw_bytes, err);
}

lochan_status lochan_status_datasets(lochan_lake *lake, const char *source, const char *dataset,
                                     struct ArrowArrayStream *out, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && out, err);
    return lochan_catalog__query_status(lake->catalog, source, dataset, add_staged, lake, out, err);
}

lochan_status lochan_status_runs(lochan_lake *lake, const char *source, const char *dataset,
                                 int64_t limit, struct ArrowArrayStream *out, lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && out && limit >= -1, err);
    return lochan_catalog__query_runs(lake->catalog, source, dataset, limit, out, err);
}
