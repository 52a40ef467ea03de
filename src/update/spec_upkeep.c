/* spec_upkeep.c - what a dataset's spec says about the files of its table: `compaction` and
 * `cluster_columns`. May call: base/, source/yaml.h, spec_own.h.
 */
#include "update/spec_own.h"

/* One terabyte: beyond any file. */
#define MAX_BYTES (INT64_C(1) << 40)

static lochan_status read_bytes(const lochan_yaml_node *map, const char *key, int64_t *out,
                                lochan_error *err) {
    uint64_t bytes = 0;
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    if (!node)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__to_bytes(node, &bytes, err));
    if (bytes == 0 || bytes > (uint64_t)MAX_BYTES)
        return lochan_yaml__error(node, err, "%s must be from 1 byte to 1 TiB", key);
    *out = (int64_t)bytes;
    return LOCHAN_OK;
}

/* With `compaction` a table is looked after by itself, unless it says `auto: false`. */
static lochan_status read_compaction(lochan_upkeep *u, const lochan_yaml_node *map,
                                     lochan_error *err) {
    static const char *const keys[] = {"auto",
                                       "max_files",
                                       "min_file_bytes",
                                       "target_file_bytes",
                                       "max_input_bytes",
                                       "cluster_after_days"};
    if (!map)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__expect(map, LOCHAN_YAML_MAP, err));
    LOCHAN_TRY(lochan_yaml__check_keys(map, keys, LOCHAN_COUNTOF(keys), err));
    u->automatic = true;
    LOCHAN_TRY(lochan_yaml__get_bool(map, "auto", &u->automatic, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "max_files", 2, 1000000, &u->max_files, err));
    LOCHAN_TRY(read_bytes(map, "min_file_bytes", &u->min_file_bytes, err));
    LOCHAN_TRY(read_bytes(map, "target_file_bytes", &u->target_file_bytes, err));
    LOCHAN_TRY(read_bytes(map, "max_input_bytes", &u->max_input_bytes, err));
    return lochan_yaml__get_int64(map, "cluster_after_days", 1, 36500, &u->cluster_after_days, err);
}

lochan_status lochan_spec__read_upkeep(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                       lochan_error *err) {
    lochan_upkeep *u = &spec->upkeep;
    const lochan_yaml_node *map = lochan_yaml__get(root, "compaction");
    const lochan_yaml_node *columns = lochan_yaml__get(root, "cluster_columns");
    LOCHAN_TRY(read_compaction(u, map, err));
    LOCHAN_TRY(
        lochan_spec__columns(spec, root, "cluster_columns", &u->cluster, &u->n_cluster, err));
    if (u->n_cluster > LOCHAN_CLUSTER_MAX)
        return lochan_yaml__error(columns, err, "cluster_columns: at most %d columns",
                                  (int)LOCHAN_CLUSTER_MAX);
    if (u->cluster_after_days > 0 && u->n_cluster == 0)
        return lochan_yaml__error(lochan_yaml__get(map, "cluster_after_days"), err,
                                  "cluster_after_days belongs to cluster_columns");
    return LOCHAN_OK;
}
