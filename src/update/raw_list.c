/* raw_list.c - kept answers as a list, and less of them. May call: base/, arrow/, catalog/,
 * manage.h, raw.h. */
#include "update/raw.h"

#include "arrow/listing.h"
#include "update/manage.h"

static lochan_status list_update(lochan_listing *list, const lochan_dataset_row *dataset,
                                 const char *mapping, const lochan_raw_update *update,
                                 lochan_error *err) {
    lochan_raw_record record;
    lochan_status rc;
    LOCHAN_TRYG(lochan_raw_record__read(update->folder, &record, err));
    LOCHAN_TRYG(lochan_listing__string(list, 0, dataset->source, err));
    LOCHAN_TRYG(lochan_listing__string(list, 1, dataset->name, err));
    LOCHAN_TRYG(lochan_listing__string(list, 2, update->update_id, err));
    LOCHAN_TRYG(lochan_listing__time(list, 3, record.started_ns, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 4, (int64_t)record.n_scopes, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 5, record.answers, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 6, update->files, err));
    LOCHAN_TRYG(lochan_listing__int64(list, 7, update->bytes, err));
    LOCHAN_TRYG(lochan_listing__string(
        list, 8, strcmp(record.mapping, mapping) == 0 ? "current" : "other", err));
    rc = lochan_listing__end_row(list, err);
done:
    lochan_raw_record__deinit(&record);
    return rc;
}

static lochan_status list_dataset(lochan_lake *lake, const lochan_dataset_row *row,
                                  lochan_listing *list, lochan_error *err) {
    lochan_raw_updates updates = {0};
    lochan_dataset_spec *spec = NULL;
    char mapping[33];
    lochan_status rc;
    LOCHAN_TRYG(lochan_dataset_spec__parse(row->spec, strlen(row->spec), row->name, &spec, err));
    LOCHAN_TRYG(lochan_manage__hash_mapping(spec, mapping, err));
    LOCHAN_TRYG(lochan_raw__list(lake, row, false, &updates, err));
    for (size_t i = 0; i < updates.n; i++)
        LOCHAN_TRYG(list_update(list, row, mapping, &updates.items[i], err));
done:
    lochan_raw_updates__deinit(&updates);
    lochan_dataset_spec__free(spec);
    return rc;
}

lochan_status lochan_raw_list(lochan_lake *lake, const char *source, const char *dataset,
                              struct ArrowArrayStream *out, lochan_error *err) {
    static const lochan_listing_column columns[] = {
        {"source", "string"},    {"dataset", "string"},
        {"update_id", "string"}, {"started_at", "timestamp[us, UTC]"},
        {"scopes", "int64"},     {"answers", "int64"},
        {"files", "int64"},      {"bytes", "int64"},
        {"mapping", "string"},   {NULL, NULL}};
    LOCHAN_CHECK_ARG(lake && out, err);
    lochan_listing list = {0};
    lochan_dataset_rows rows = {0};
    lochan_status rc;
    memset(out, 0, sizeof *out);
    LOCHAN_TRYG(lochan_catalog__datasets(lake->catalog, source, dataset, &rows, err));
    LOCHAN_TRYG(lochan_listing__init(&list, columns, err));
    for (size_t i = 0; i < rows.n; i++)
        LOCHAN_TRYG(list_dataset(lake, &rows.rows[i], &list, err));
    rc = lochan_listing__finish(&list, out, err);
done:
    lochan_listing__deinit(&list);
    lochan_dataset_rows__deinit(&rows);
    return rc;
}

static lochan_status trim_dataset(lochan_lake *lake, const lochan_dataset_row *row,
                                  int64_t max_bytes, int64_t *files, int64_t *bytes,
                                  lochan_error *err) {
    lochan_dataset_spec *spec = NULL;
    int64_t f = 0, b = 0;
    LOCHAN_TRY(lochan_dataset_spec__parse(row->spec, strlen(row->spec), row->name, &spec, err));
    uint64_t most = max_bytes < 0 ? spec->raw_max_bytes : (uint64_t)max_bytes;
    lochan_dataset_spec__free(spec);
    LOCHAN_TRY(lochan_raw__trim(lake, row, most, &f, &b, err));
    *files += f;
    *bytes += b;
    return LOCHAN_OK;
}

lochan_status lochan_raw_trim(lochan_lake *lake, const char *source, const char *dataset,
                              int64_t max_bytes, int64_t *files, int64_t *bytes,
                              lochan_error *err) {
    LOCHAN_CHECK_ARG(lake && files && bytes && max_bytes >= -1, err);
    lochan_dataset_rows rows = {0};
    lochan_status rc;
    *files = *bytes = 0;
    LOCHAN_TRYG(lochan_lake__check_writable(lake, err));
    LOCHAN_TRYG(lochan_catalog__datasets(lake->catalog, source, dataset, &rows, err));
    for (size_t i = 0; i < rows.n; i++)
        LOCHAN_TRYG(trim_dataset(lake, &rows.rows[i], max_bytes, files, bytes, err));
done:
    lochan_dataset_rows__deinit(&rows);
    return rc;
}
