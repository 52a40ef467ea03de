/* spec.c - reads and checks dataset specs.
 * Each group of fields has a function of its own; checks that need several fields come last, each
 * pointing at the field to blame. May call: base/, arrow/, source/yaml.h, table/table.h for the
 * names of partition strategies.
 */
#include "update/spec_own.h"

#include "update/dedup.h"
#include "update/mode.h"
#include "update/planner.h"
#include "update/registry.h"

#define MAX_CHOICES 40

static const char *const known_keys[] = {"name",
                                         "source",
                                         "source_dataset",
                                         "category",
                                         "description",
                                         "request_planner",
                                         "request_options",
                                         "default_start",
                                         "settle_days",
                                         "staging_max_age",
                                         "normalizer",
                                         "normalizer_options",
                                         "field_mapping",
                                         "columns",
                                         "new_columns",
                                         "required_columns",
                                         "primary_key",
                                         "business_key",
                                         "asset_column",
                                         "time_column",
                                         "period_column",
                                         "deduplication",
                                         "partition_strategy",
                                         "partition_options",
                                         "update_mode",
                                         "sort_columns",
                                         "point_in_time",
                                         "reference",
                                         "revision_days",
                                         "refresh_days",
                                         "calendar",
                                         "discovery",
                                         "order_column",
                                         "update_options",
                                         "validation",
                                         "compaction",
                                         "cluster_columns",
                                         "keep_raw",
                                         "raw_max_bytes"};
static const char *const normalizers[] = {"standard", "wide_to_long"};
static const char *const new_columns[] = {"evolve", "ignore", "fail"};

/* Columns that every canonical table may have and that the pipeline fills. */
static const char *const derived[] = {"source", "source_dataset", "record_hash"};

void lochan_dataset_spec__free(lochan_dataset_spec *spec) {
    if (spec) {
        lochan_arena__deinit(&spec->arena);
        lochan_mem__free(spec);
    }
}

const lochan_dataset_column *lochan_dataset_spec__column(const lochan_dataset_spec *spec,
                                                         const char *name) {
    for (size_t i = 0; i < spec->n_columns; i++) {
        if (strcmp(spec->columns[i].name, name) == 0)
            return &spec->columns[i];
    }
    return NULL;
}

void lochan_dataset_spec__table(const lochan_dataset_spec *spec, const struct ArrowSchema *schema,
                                lochan_table_spec *out) {
    *out = (lochan_table_spec){.source = spec->source,
                               .name = spec->name,
                               .schema = schema,
                               .sort = spec->sort_columns,
                               .n_sort = spec->n_sort,
                               .point_in_time = spec->point_in_time,
                               .upkeep = spec->upkeep};
    if (spec->update_mode->keyed) {
        out->key = spec->primary_key;
        out->n_key = spec->n_primary_key;
    }
    out->partition = (lochan_partition_def){.strategy = spec->partition_strategy,
                                            .columns = spec->partition_columns,
                                            .n_columns = spec->n_partition_columns,
                                            .number = spec->partition_number};
}

const char *lochan_dataset_spec__canonical(const lochan_dataset_spec *spec, const char *field) {
    for (size_t i = 0; i < spec->n_field_mapping; i++) {
        if (strcmp(spec->field_mapping[i].name, field) == 0)
            return spec->field_mapping[i].value;
    }
    return field;
}

static const char *field_of(const lochan_dataset_spec *spec, const char *canonical) {
    for (size_t i = 0; i < spec->n_field_mapping; i++) {
        if (strcmp(spec->field_mapping[i].value, canonical) == 0)
            return spec->field_mapping[i].name;
    }
    return canonical;
}

/* ---- pieces ---- */

lochan_status lochan_spec__text(lochan_arena *arena, const char *text, const char **out,
                                lochan_error *err) {
    *out = lochan_arena__strdup(arena, text);
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

lochan_status lochan_spec__string(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                  const char *key, const char *otherwise, const char **out,
                                  lochan_error *err) {
    const char *text = otherwise;
    LOCHAN_TRY(lochan_yaml__get_string(root, key, &text, err));
    return lochan_spec__text(&spec->arena, text, out, err);
}

lochan_status lochan_spec__list(lochan_dataset_spec *spec, const lochan_yaml_node *map,
                                const char *key, const char *const **out, size_t *n,
                                lochan_error *err) {
    const char *const *items = NULL;
    LOCHAN_TRY(lochan_yaml__get_strings(map, key, &items, n, err));
    const char **copy = lochan_arena__array(&spec->arena, *n + 1, sizeof *copy);
    if (!copy)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < *n; i++)
        LOCHAN_TRY(lochan_spec__text(&spec->arena, items[i], &copy[i], err));
    *out = copy;
    return LOCHAN_OK;
}

lochan_status lochan_spec__pairs(lochan_dataset_spec *spec, const lochan_yaml_node *map,
                                 const char *key, const lochan_source_pair **out, size_t *n,
                                 size_t spare, lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    *n = 0;
    if (node)
        LOCHAN_TRY(lochan_yaml__expect(node, LOCHAN_YAML_MAP, err));
    lochan_source_pair *pairs =
        lochan_arena__array(&spec->arena, (node ? node->count : 0) + spare + 1, sizeof *pairs);
    if (!pairs)
        return lochan_error__nomem(err);
    for (const lochan_yaml_node *entry = node ? node->first : NULL; entry; entry = entry->next) {
        const char *value;
        LOCHAN_TRY(lochan_yaml__to_string(entry, &value, err));
        LOCHAN_TRY(lochan_spec__text(&spec->arena, entry->key, &pairs[*n].name, err));
        LOCHAN_TRY(lochan_spec__text(&spec->arena, value, &pairs[*n].value, err));
        (*n)++;
    }
    *out = pairs;
    return LOCHAN_OK;
}

static lochan_status read_name(const lochan_yaml_node *root, const char *key, const char **out,
                               lochan_error *err) {
    const lochan_yaml_node *node;
    LOCHAN_TRY(lochan_yaml__require(root, key, &node, err));
    LOCHAN_TRY(lochan_yaml__to_string(node, out, err));
    lochan_error why;
    lochan_error_init(&why);
    if (lochan_name__check(key, *out, &why) != LOCHAN_OK)
        return lochan_yaml__error(node, err, "%s", why.message);
    return LOCHAN_OK;
}

static lochan_status read_identity(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                   lochan_error *err) {
    const char *name, *source;
    LOCHAN_TRY(read_name(root, "name", &name, err));
    LOCHAN_TRY(read_name(root, "source", &source, err));
    if (strcmp(source, "staging") == 0 || strcmp(source, "runs") == 0)
        return lochan_yaml__error(lochan_yaml__get(root, "source"), err,
                                  "source name '%s' is reserved", source);
    LOCHAN_TRY(lochan_spec__text(&spec->arena, name, &spec->name, err));
    LOCHAN_TRY(lochan_spec__text(&spec->arena, source, &spec->source, err));
    LOCHAN_TRY(lochan_spec__string(spec, root, "source_dataset", name, &spec->source_dataset, err));
    LOCHAN_TRY(lochan_spec__string(spec, root, "category", "", &spec->category, err));
    LOCHAN_TRY(lochan_spec__string(spec, root, "description", "", &spec->description, err));
    LOCHAN_TRY(lochan_yaml__get_bool(root, "point_in_time", &spec->point_in_time, err));
    return lochan_yaml__get_bool(root, "reference", &spec->reference, err);
}

lochan_status lochan_spec__choice(const lochan_yaml_node *root, const char *key,
                                  lochan_registry list, const lochan_choice **out,
                                  lochan_error *err) {
    const char *names[MAX_CHOICES];
    const lochan_choice *entry;
    size_t n = 0;
    int at = 0;
    while (n < MAX_CHOICES && (entry = lochan_registry__get(list, n)) != NULL)
        names[n++] = entry->name;
    LOCHAN_TRY(lochan_yaml__get_choice(root, key, names, n, &at, err));
    *out = lochan_registry__get(list, (size_t)at);
    return LOCHAN_OK;
}

static lochan_status read_choices(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                  lochan_error *err) {
    const lochan_choice *planner, *dedup, *mode;
    int fresh = 0;
    LOCHAN_TRY(
        lochan_spec__choice(root, "request_planner", LOCHAN_REGISTRY_PLANNER, &planner, err));
    LOCHAN_TRY(lochan_spec__choice(root, "deduplication", LOCHAN_REGISTRY_DEDUP, &dedup, err));
    LOCHAN_TRY(lochan_spec__choice(root, "update_mode", LOCHAN_REGISTRY_MODE, &mode, err));
    LOCHAN_TRY(lochan_yaml__get_choice(root, "new_columns", new_columns,
                                       LOCHAN_COUNTOF(new_columns), &fresh, err));
    spec->planner = (const lochan_planner *)(const void *)planner;
    spec->dedup = (const lochan_dedup_rule *)(const void *)dedup;
    spec->update_mode = (const lochan_update_mode *)(const void *)mode;
    spec->new_columns = (lochan_new_columns)fresh;
    return LOCHAN_OK;
}

/* ---- columns ---- */

/* asset_column, time_column and period_column are short for entries of field_mapping. */
static lochan_status read_mapping(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                  lochan_error *err) {
    static const char *const roles[][2] = {
        {"asset_column", "asset_id"}, {"time_column", "time"}, {"period_column", "period"}};
    LOCHAN_TRY(lochan_spec__pairs(spec, root, "field_mapping", &spec->field_mapping,
                                  &spec->n_field_mapping, LOCHAN_COUNTOF(roles), err));
    lochan_source_pair *pairs = (lochan_source_pair *)spec->field_mapping;
    for (size_t i = 0; i < LOCHAN_COUNTOF(roles); i++) {
        const lochan_yaml_node *node = lochan_yaml__get(root, roles[i][0]);
        if (!node)
            continue;
        const char *field;
        LOCHAN_TRY(lochan_yaml__to_string(node, &field, err));
        const char *mapped = lochan_dataset_spec__canonical(spec, field);
        if (strcmp(mapped, roles[i][1]) == 0 || strcmp(field, roles[i][1]) == 0)
            continue; /* field_mapping says the same */
        if (mapped != field)
            return lochan_yaml__error(node, err, "field '%s' is mapped to '%s' already", field,
                                      mapped);
        LOCHAN_TRY(lochan_spec__text(&spec->arena, field, &pairs[spec->n_field_mapping].name, err));
        pairs[spec->n_field_mapping++].value = roles[i][1];
    }
    const lochan_yaml_node *place = lochan_yaml__get(root, "field_mapping");
    for (size_t i = 0; i < spec->n_field_mapping; i++) {
        for (size_t j = 0; j < i; j++) {
            if (strcmp(pairs[i].value, pairs[j].value) == 0)
                return lochan_yaml__error(place ? place : root, err,
                                          "fields '%s' and '%s' both become '%s'", pairs[j].name,
                                          pairs[i].name, pairs[i].value);
        }
    }
    return LOCHAN_OK;
}

static lochan_status read_format(lochan_dataset_column *column, const lochan_yaml_node *node,
                                 lochan_error *err) {
    const lochan_yaml_node *format = lochan_yaml__get(node, "format");
    if (!format)
        return LOCHAN_OK;
    if (column->type.id != LOCHAN_TYPE_DATE32 && column->type.id != LOCHAN_TYPE_TIMESTAMP)
        return lochan_yaml__key_error(format, err, "only date and timestamp columns have a format");
    const char *text;
    LOCHAN_TRY(lochan_yaml__to_string(format, &text, err));
    lochan_error why;
    lochan_error_init(&why);
    if (lochan_date_format__init(&column->format, text, &why) != LOCHAN_OK)
        return lochan_yaml__error(format, err, "%s", why.message);
    column->has_format = true;
    return LOCHAN_OK;
}

static bool is_derived(const char *name) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(derived); i++) {
        if (strcmp(derived[i], name) == 0)
            return true;
    }
    return false;
}

static lochan_status read_column(lochan_dataset_spec *spec, const lochan_yaml_node *node,
                                 lochan_dataset_column *out, lochan_error *err) {
    static const char *const keys[] = {"type", "format", "nullable", "null_texts"};
    lochan_error why;
    lochan_error_init(&why);
    if (lochan_name__check("column", node->key, &why) != LOCHAN_OK)
        return lochan_yaml__key_error(node, err, "%s", why.message);
    if (is_derived(node->key) || node->key[0] == '_')
        return lochan_yaml__key_error(node, err, "column name '%s' is reserved", node->key);
    LOCHAN_TRY(lochan_spec__text(&spec->arena, node->key, &out->name, err));
    const char *type = NULL;
    out->nullable = true;
    if (node->kind ==
        LOCHAN_YAML_SCALAR) { /* `close: float64` is short for `close: {type: float64}` */
        LOCHAN_TRY(lochan_yaml__to_string(node, &type, err));
    } else {
        const lochan_yaml_node *type_node;
        LOCHAN_TRY(lochan_yaml__expect(node, LOCHAN_YAML_MAP, err));
        LOCHAN_TRY(lochan_yaml__check_keys(node, keys, LOCHAN_COUNTOF(keys), err));
        LOCHAN_TRY(lochan_yaml__require(node, "type", &type_node, err));
        LOCHAN_TRY(lochan_yaml__to_string(type_node, &type, err));
        LOCHAN_TRY(lochan_yaml__get_bool(node, "nullable", &out->nullable, err));
        LOCHAN_TRY(
            lochan_spec__list(spec, node, "null_texts", &out->null_texts, &out->n_null_texts, err));
        node = type_node->parent;
    }
    if (lochan_type__from_name(type, &out->type, &why) != LOCHAN_OK)
        return lochan_yaml__error(node->kind == LOCHAN_YAML_MAP ? lochan_yaml__get(node, "type")
                                                                : node,
                                  err, "%s", why.message);
    out->field = field_of(spec, out->name);
    return read_format(out, node, err);
}

/* Rank in table order: who and when first, then as declared. */
static int column_rank(const char *name) {
    static const char *const first[] = {"asset_id", "time", "period"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(first); i++) {
        if (strcmp(first[i], name) == 0)
            return (int)i;
    }
    return LOCHAN_COUNTOF(first);
}

/* What the roles imply if it is not declared: asset_id is text, time and period are dates. */
static void add_implied(lochan_dataset_spec *spec, lochan_dataset_column *columns) {
    static const char *const names[] = {"asset_id", "time", "period"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(names); i++) {
        const char *field = field_of(spec, names[i]);
        if (field == names[i] || lochan_dataset_spec__column(spec, names[i]))
            continue;
        lochan_dataset_column *column = &columns[spec->n_columns++];
        column->name = names[i];
        column->field = field;
        column->type.id = i == 0 ? LOCHAN_TYPE_STRING : LOCHAN_TYPE_DATE32;
        column->nullable = true;
    }
}

static lochan_status read_columns(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                  lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(root, "columns");
    if (node)
        LOCHAN_TRY(lochan_yaml__expect(node, LOCHAN_YAML_MAP, err));
    lochan_dataset_column *columns =
        lochan_arena__array(&spec->arena, (node ? node->count : 0) + 3, sizeof *columns);
    if (!columns)
        return lochan_error__nomem(err);
    spec->columns = columns;
    for (const lochan_yaml_node *entry = node ? node->first : NULL; entry; entry = entry->next) {
        LOCHAN_TRY(read_column(spec, entry, &columns[spec->n_columns], err));
        spec->n_columns++;
    }
    add_implied(spec, columns);
    for (size_t i = 1; i < spec->n_columns;
         i++) { /* stable insertion sort by rank: a handful of columns */
        lochan_dataset_column moved = columns[i];
        size_t j = i;
        for (; j > 0 && column_rank(columns[j - 1].name) > column_rank(moved.name); j--)
            columns[j] = columns[j - 1];
        columns[j] = moved;
    }
    return LOCHAN_OK;
}

static lochan_status read_normalizer(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                     lochan_error *err) {
    static const char *const keys[] = {"name_to", "value_to", "skip"};
    int kind = 0;
    LOCHAN_TRY(lochan_yaml__get_choice(root, "normalizer", normalizers, LOCHAN_COUNTOF(normalizers),
                                       &kind, err));
    spec->normalizer = (lochan_normalizer)kind;
    const lochan_yaml_node *options = lochan_yaml__get(root, "normalizer_options");
    if (spec->normalizer != LOCHAN_NORMALIZER_WIDE_TO_LONG)
        return options ? lochan_yaml__check_keys(options, NULL, 0, err) : LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__require(root, "normalizer_options", &options, err));
    LOCHAN_TRY(lochan_yaml__expect(options, LOCHAN_YAML_MAP, err));
    LOCHAN_TRY(lochan_yaml__check_keys(options, keys, LOCHAN_COUNTOF(keys), err));
    const char **targets[] = {&spec->wide_name_to, &spec->wide_value_to};
    for (size_t i = 0; i < 2; i++) {
        const lochan_yaml_node *node;
        const char *name;
        LOCHAN_TRY(lochan_yaml__require(options, keys[i], &node, err));
        LOCHAN_TRY(lochan_yaml__to_string(node, &name, err));
        const lochan_dataset_column *column = lochan_dataset_spec__column(spec, name);
        if (!column)
            return lochan_yaml__error(node, err, "%s: column '%s' is not declared under columns",
                                      keys[i], name);
        if (i == 0 && column->type.id != LOCHAN_TYPE_STRING)
            return lochan_yaml__error(node, err, "name_to: column '%s' must be a string", name);
        *targets[i] = column->name;
        if (i == 1 && spec->wide_name_to == spec->wide_value_to)
            return lochan_yaml__error(node, err, "name_to and value_to are both '%s'", name);
    }
    return lochan_spec__list(spec, options, "skip", &spec->wide_skip, &spec->n_wide_skip, err);
}

/* ---- checks over several fields ---- */

lochan_status lochan_spec__columns(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                   const char *key, const char *const **out, size_t *n,
                                   lochan_error *err) {
    LOCHAN_TRY(lochan_spec__list(spec, root, key, out, n, err));
    for (size_t i = 0; i < *n; i++) {
        const char *name = (*out)[i];
        if (!lochan_dataset_spec__column(spec, name) && !is_derived(name))
            return lochan_yaml__error(lochan_yaml__get(root, key), err,
                                      "%s: column '%s' is not declared under columns", key, name);
        for (size_t j = 0; j < i; j++) {
            if (strcmp((*out)[j], name) == 0)
                return lochan_yaml__error(lochan_yaml__get(root, key), err,
                                          "%s: column '%s' is named twice", key, name);
        }
    }
    return LOCHAN_OK;
}

/* A key or required column can never be null, whatever `columns` said by default. */
static void make_required(lochan_dataset_spec *spec, const char *const *names, size_t n) {
    for (size_t i = 0; i < n; i++) {
        lochan_dataset_column *column =
            (lochan_dataset_column *)lochan_dataset_spec__column(spec, names[i]);
        if (column)
            column->nullable = false;
    }
}

/* The columns a strategy looks at, where the spec names none: the days, and the asset. */
static lochan_status read_partition(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                    lochan_error *err) {
    static const char *const keys[] = {"buckets", "columns"};
    static const char *const usual[] = {"time", "asset_id"};
    const char *names[MAX_CHOICES];
    size_t n = 0;
    int at = 0;
    while (n < MAX_CHOICES && (names[n] = lochan_partition__name(n)) != NULL)
        n++;
    const lochan_yaml_node *node = lochan_yaml__get(root, "partition_strategy");
    LOCHAN_TRY(lochan_spec__string(spec, root, "partition_strategy", "single_file",
                                   &spec->partition_strategy, err));
    if (node)
        LOCHAN_TRY(lochan_yaml__to_choice(node, names, n, &at, err));
    const lochan_yaml_node *options = lochan_yaml__get(root, "partition_options");
    if (options)
        LOCHAN_TRY(lochan_yaml__check_keys(options, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRY(lochan_yaml__get_int64(options, "buckets", 1, 4096, &spec->partition_number, err));
    LOCHAN_TRY(lochan_spec__columns(spec, options, "columns", &spec->partition_columns,
                                    &spec->n_partition_columns, err));
    size_t needed = lochan_partition__column_count(spec->partition_strategy);
    if (spec->n_partition_columns == 0 && needed <= LOCHAN_COUNTOF(usual)) {
        spec->partition_columns = usual;
        spec->n_partition_columns = needed;
    }
    for (size_t i = 0; i < spec->n_partition_columns; i++) {
        const char *name = spec->partition_columns[i];
        if (lochan_dataset_spec__column(spec, name))
            continue;
        if (strcmp(name, "time") == 0)
            return lochan_yaml__error(node, err,
                                      "partition_strategy %s needs a time column (a date or "
                                      "timestamp)",
                                      spec->partition_strategy);
        return lochan_yaml__error(node, err, "partition_strategy %s needs a column '%s'",
                                  spec->partition_strategy, name);
    }
    return LOCHAN_OK;
}

/* A field of a page fills one column; `time` is what windows are made of. */
static lochan_status check_columns(const lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                   lochan_error *err) {
    const lochan_yaml_node *place = lochan_yaml__get(root, "columns");
    for (size_t i = 0; i < spec->n_columns; i++) {
        const lochan_dataset_column *column = &spec->columns[i];
        for (size_t j = 0; j < i; j++) {
            if (strcmp(spec->columns[j].field, column->field) == 0)
                return lochan_yaml__error(place ? place : root, err,
                                          "columns '%s' and '%s' are both filled from field '%s'",
                                          spec->columns[j].name, column->name, column->field);
        }
        bool dated =
            column->type.id == LOCHAN_TYPE_DATE32 || column->type.id == LOCHAN_TYPE_TIMESTAMP;
        if (strcmp(column->name, "time") == 0 && !dated)
            return lochan_yaml__error(place ? place : root, err,
                                      "column 'time' must be a date or a timestamp");
    }
    return LOCHAN_OK;
}

/* Rows without a key of their own are told apart by what they say: the key becomes the order of
 * the table, the asset and the hash of the row. */
static lochan_status add_record_hash(lochan_dataset_spec *spec, lochan_error *err) {
    static const char *const asset[] = {"asset_id"}, *const hash[] = {"record_hash"};
    const char *const *lists[] = {asset, spec->partition_columns, spec->sort_columns, hash};
    const size_t sizes[] = {1, spec->n_partition_columns, spec->n_sort, 1};
    size_t n = 0;
    const char **key = lochan_arena__array(
        &spec->arena, spec->n_partition_columns + spec->n_sort + 2, sizeof *key);
    if (!key)
        return lochan_error__nomem(err);
    for (size_t l = 0; l < LOCHAN_COUNTOF(lists); l++) {
        for (size_t i = 0; i < sizes[l]; i++) {
            bool known = false;
            for (size_t j = 0; j < n && !known; j++)
                known = strcmp(key[j], lists[l][i]) == 0;
            if (!known)
                key[n++] = lists[l][i];
        }
    }
    spec->has_record_hash = true;
    spec->primary_key = key;
    spec->n_primary_key = n;
    return LOCHAN_OK;
}

static lochan_status check_mode(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                lochan_error *err) {
    static const char *const keys[] = {"empty_removes"};
    const lochan_update_mode *mode = spec->update_mode;
    const lochan_yaml_node *options = lochan_yaml__get(root, "update_options");
    if (options)
        LOCHAN_TRY(lochan_yaml__check_keys(options, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRY(lochan_yaml__get_bool(options, "empty_removes", &spec->replace_empty, err));
    if (mode->asks_assets && !lochan_dataset_spec__column(spec, "asset_id"))
        return lochan_yaml__error(root, err, "update_mode %s needs an asset_column", mode->name);
    if (spec->n_primary_key == 0 && mode->record_hash)
        LOCHAN_TRY(add_record_hash(spec, err));
    if (spec->n_primary_key == 0 && (mode->keyed || spec->dedup->needs_key))
        return lochan_yaml__error(root, err,
                                  "primary_key: %s %s needs the columns that identify a row",
                                  mode->keyed ? "update_mode" : "deduplication",
                                  mode->keyed ? mode->name : spec->dedup->name);
    return LOCHAN_OK;
}

static lochan_status check_keys(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                lochan_error *err) {
    LOCHAN_TRY(lochan_spec__columns(spec, root, "required_columns", &spec->required_columns,
                                    &spec->n_required, err));
    LOCHAN_TRY(lochan_spec__columns(spec, root, "primary_key", &spec->primary_key,
                                    &spec->n_primary_key, err));
    LOCHAN_TRY(lochan_spec__columns(spec, root, "business_key", &spec->business_key,
                                    &spec->n_business, err));
    LOCHAN_TRY(
        lochan_spec__columns(spec, root, "sort_columns", &spec->sort_columns, &spec->n_sort, err));
    LOCHAN_TRY(read_partition(spec, root, err));
    LOCHAN_TRY(check_mode(spec, root, err));
    const lochan_yaml_node *order = lochan_yaml__get(root, "order_column");
    if (order) {
        const char *name;
        LOCHAN_TRY(lochan_yaml__to_string(order, &name, err));
        const lochan_dataset_column *column = lochan_dataset_spec__column(spec, name);
        if (!column || spec->dedup->write != LOCHAN_DEDUP_LAST)
            return lochan_yaml__error(order, err,
                                      column ? "order_column belongs to primary_key_last"
                                             : "order_column: column '%s' is not declared",
                                      name);
        spec->order_column = column->name;
    }
    make_required(spec, spec->required_columns, spec->n_required);
    make_required(spec, spec->primary_key, spec->n_primary_key);
    return LOCHAN_OK;
}

/* Without a key every row of a snapshot is a new one, so that none would keep its time. */
static lochan_status check_times(const lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                 lochan_error *err) {
    if (!spec->point_in_time || spec->n_primary_key > 0 ||
        spec->update_mode->write != LOCHAN_WRITE_REPLACE_ALL)
        return LOCHAN_OK;
    return lochan_yaml__error(lochan_yaml__get(root, "point_in_time"), err,
                              "point_in_time with update_mode %s needs a primary_key: rows are "
                              "known again by it",
                              spec->update_mode->name);
}

static lochan_status read_all(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                              lochan_error *err) {
    LOCHAN_TRY(lochan_yaml__expect(root, LOCHAN_YAML_MAP, err));
    LOCHAN_TRY(lochan_yaml__check_keys(root, known_keys, LOCHAN_COUNTOF(known_keys), err));
    LOCHAN_TRY(read_identity(spec, root, err));
    LOCHAN_TRY(read_choices(spec, root, err));
    LOCHAN_TRY(read_mapping(spec, root, err));
    LOCHAN_TRY(read_columns(spec, root, err));
    LOCHAN_TRY(check_columns(spec, root, err));
    LOCHAN_TRY(read_normalizer(spec, root, err));
    LOCHAN_TRY(lochan_spec__read_requests(spec, root, err));
    LOCHAN_TRY(check_keys(spec, root, err));
    LOCHAN_TRY(check_times(spec, root, err));
    LOCHAN_TRY(lochan_spec__read_upkeep(spec, root, err));
    return lochan_spec__read_rules(spec, root, err);
}

lochan_status lochan_dataset_spec__parse(const char *text, size_t size, const char *file,
                                         lochan_dataset_spec **out, lochan_error *err) {
    *out = NULL;
    lochan_yaml *doc = NULL;
    lochan_dataset_spec *spec = lochan_mem__zalloc(sizeof *spec);
    if (!spec)
        return lochan_error__nomem(err);
    lochan_arena__init(&spec->arena, 16u << 20);
    lochan_status rc = lochan_yaml__parse(text, size, file, &doc, err);
    if (rc == LOCHAN_OK)
        rc = read_all(spec, lochan_yaml__root(doc), err);
    lochan_yaml__free(doc);
    if (rc != LOCHAN_OK) {
        lochan_dataset_spec__free(spec);
        return rc;
    }
    *out = spec;
    return LOCHAN_OK;
}
