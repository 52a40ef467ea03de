/* spec.c - reads and checks dataset specs.
 * Each group of fields has a function of its own; checks that need several fields come last, each
 * pointing at the field to blame. May call: base/, arrow/, source/yaml.h, table/table.h for the
 * names of partition strategies.
 */
#include "update/spec.h"

#include "table/table.h"

#define MAX_SETTLE_DAYS 36500
#define MAX_CHUNK       1000
#define MAX_STRATEGIES  32
#define DAY_NS          INT64_C(86400000000000)

static const char *const known_keys[] = {
    "name",          "source",          "source_dataset",     "category",
    "description",   "request_planner", "request_options",    "default_start",
    "settle_days",   "staging_max_age", "normalizer",         "normalizer_options",
    "field_mapping", "columns",         "new_columns",        "required_columns",
    "primary_key",   "business_key",    "asset_column",       "time_column",
    "period_column", "deduplication",   "partition_strategy", "partition_options",
    "update_mode",   "sort_columns",    "point_in_time",      "reference"};
static const char *const planners[] = {"snapshot"};
static const char *const normalizers[] = {"standard", "wide_to_long"};
static const char *const dedups[] = {"primary_key_last"};
static const char *const update_modes[] = {"upsert"};
static const char *const new_columns[] = {"evolve", "ignore", "fail"};

/* Columns that every canonical table may have and that the pipeline fills. */
static const char *const derived[] = {"source", "source_dataset"};

const char *lochan_update_mode__name(lochan_update_mode mode) {
    return update_modes[mode];
}

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
    static const char *const time_column[] = {"time"};
    *out = (lochan_table_spec){.source = spec->source,
                               .name = spec->name,
                               .schema = schema,
                               .key = spec->primary_key,
                               .n_key = spec->n_primary_key,
                               .sort = spec->sort_columns,
                               .n_sort = spec->n_sort,
                               .point_in_time = spec->point_in_time};
    out->partition.strategy = spec->partition_strategy;
    out->partition.columns = time_column;
    out->partition.n_columns = lochan_partition__column_count(spec->partition_strategy);
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

static lochan_status copy_text(lochan_arena *arena, const char *text, const char **out,
                               lochan_error *err) {
    *out = lochan_arena__strdup(arena, text);
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

static lochan_status copy_string(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                 const char *key, const char *otherwise, const char **out,
                                 lochan_error *err) {
    const char *text = otherwise;
    LOCHAN_TRY(lochan_yaml__get_string(root, key, &text, err));
    return copy_text(&spec->arena, text, out, err);
}

static lochan_status copy_list(lochan_dataset_spec *spec, const lochan_yaml_node *map,
                               const char *key, const char *const **out, size_t *n,
                               lochan_error *err) {
    const char *const *items = NULL;
    LOCHAN_TRY(lochan_yaml__get_strings(map, key, &items, n, err));
    const char **copy = lochan_arena__array(&spec->arena, *n + 1, sizeof *copy);
    if (!copy)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < *n; i++)
        LOCHAN_TRY(copy_text(&spec->arena, items[i], &copy[i], err));
    *out = copy;
    return LOCHAN_OK;
}

static lochan_status copy_pairs(lochan_dataset_spec *spec, const lochan_yaml_node *map,
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
        LOCHAN_TRY(copy_text(&spec->arena, entry->key, &pairs[*n].name, err));
        LOCHAN_TRY(copy_text(&spec->arena, value, &pairs[*n].value, err));
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
    LOCHAN_TRY(copy_text(&spec->arena, name, &spec->name, err));
    LOCHAN_TRY(copy_text(&spec->arena, source, &spec->source, err));
    LOCHAN_TRY(copy_string(spec, root, "source_dataset", name, &spec->source_dataset, err));
    LOCHAN_TRY(copy_string(spec, root, "category", "", &spec->category, err));
    LOCHAN_TRY(copy_string(spec, root, "description", "", &spec->description, err));
    LOCHAN_TRY(lochan_yaml__get_bool(root, "point_in_time", &spec->point_in_time, err));
    return lochan_yaml__get_bool(root, "reference", &spec->reference, err);
}

static lochan_status read_choices(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                  lochan_error *err) {
    int planner = 0, dedup = 0, mode = 0, fresh = 0;
    LOCHAN_TRY(lochan_yaml__get_choice(root, "request_planner", planners, LOCHAN_COUNTOF(planners),
                                       &planner, err));
    LOCHAN_TRY(lochan_yaml__get_choice(root, "deduplication", dedups, LOCHAN_COUNTOF(dedups),
                                       &dedup, err));
    LOCHAN_TRY(lochan_yaml__get_choice(root, "update_mode", update_modes,
                                       LOCHAN_COUNTOF(update_modes), &mode, err));
    LOCHAN_TRY(lochan_yaml__get_choice(root, "new_columns", new_columns,
                                       LOCHAN_COUNTOF(new_columns), &fresh, err));
    spec->planner = (lochan_planner)planner;
    spec->dedup = (lochan_dedup)dedup;
    spec->update_mode = (lochan_update_mode)mode;
    spec->new_columns = (lochan_new_columns)fresh;
    LOCHAN_TRY(copy_string(spec, root, "partition_strategy", "single_file",
                           &spec->partition_strategy, err));
    const char *names[MAX_STRATEGIES];
    size_t n = 0;
    while (n < MAX_STRATEGIES && (names[n] = lochan_partition__name(n)) != NULL)
        n++;
    const lochan_yaml_node *strategy = lochan_yaml__get(root, "partition_strategy");
    if (strategy)
        LOCHAN_TRY(lochan_yaml__to_choice(strategy, names, n, &mode, err));
    const lochan_yaml_node *options = lochan_yaml__get(root, "partition_options");
    if (options) /* no strategy there is takes any */
        LOCHAN_TRY(lochan_yaml__check_keys(options, NULL, 0, err));
    return LOCHAN_OK;
}

/* ---- requests ---- */

static lochan_status read_chunk(lochan_dataset_spec *spec, const lochan_yaml_node *options,
                                lochan_error *err) {
    static const char *const keys[] = {"date_chunk_days", "date_chunk_months", "date_chunk_years"};
    const lochan_yaml_node *first = NULL;
    for (size_t i = 0; i < LOCHAN_COUNTOF(keys); i++) {
        const lochan_yaml_node *node = lochan_yaml__get(options, keys[i]);
        if (!node)
            continue;
        if (first)
            return lochan_yaml__key_error(node, err, "%s and %s exclude each other", first->key,
                                          keys[i]);
        first = node;
        int64_t count;
        LOCHAN_TRY(lochan_yaml__to_int64(node, 1, MAX_CHUNK, &count, err));
        spec->chunk_unit = (lochan_chunk_unit)(LOCHAN_CHUNK_DAYS + i);
        spec->chunk_count = (int32_t)count;
    }
    return LOCHAN_OK;
}

static lochan_status read_requests(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                   lochan_error *err) {
    static const char *const keys[] = {"date_chunk_days", "date_chunk_months", "date_chunk_years",
                                       "params"};
    const lochan_yaml_node *options = lochan_yaml__get(root, "request_options");
    if (options) {
        LOCHAN_TRY(lochan_yaml__expect(options, LOCHAN_YAML_MAP, err));
        LOCHAN_TRY(lochan_yaml__check_keys(options, keys, LOCHAN_COUNTOF(keys), err));
    }
    LOCHAN_TRY(read_chunk(spec, options, err));
    LOCHAN_TRY(copy_pairs(spec, options, "params", &spec->params, &spec->n_params, 0, err));

    const lochan_yaml_node *start = lochan_yaml__get(root, "default_start");
    if (start) {
        const char *text;
        LOCHAN_TRY(lochan_yaml__to_string(start, &text, err));
        if (!lochan_civil__parse_date(text, strlen(text), &spec->default_start))
            return lochan_yaml__error(
                start, err, "default_start: expected a date like 2020-01-31, got '%s'", text);
        spec->has_default_start = true;
    }
    int64_t settle = 1;
    LOCHAN_TRY(lochan_yaml__get_int64(root, "settle_days", 0, MAX_SETTLE_DAYS, &settle, err));
    spec->settle_days = (int32_t)settle;
    spec->staging_max_age_ns = DAY_NS;
    return lochan_yaml__get_duration_ns(root, "staging_max_age", &spec->staging_max_age_ns, err);
}

/* ---- columns ---- */

/* asset_column, time_column and period_column are short for entries of field_mapping. */
static lochan_status read_mapping(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                  lochan_error *err) {
    static const char *const roles[][2] = {
        {"asset_column", "asset_id"}, {"time_column", "time"}, {"period_column", "period"}};
    LOCHAN_TRY(copy_pairs(spec, root, "field_mapping", &spec->field_mapping, &spec->n_field_mapping,
                          LOCHAN_COUNTOF(roles), err));
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
        LOCHAN_TRY(copy_text(&spec->arena, field, &pairs[spec->n_field_mapping].name, err));
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
    LOCHAN_TRY(copy_text(&spec->arena, node->key, &out->name, err));
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
        LOCHAN_TRY(copy_list(spec, node, "null_texts", &out->null_texts, &out->n_null_texts, err));
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
    return copy_list(spec, options, "skip", &spec->wide_skip, &spec->n_wide_skip, err);
}

/* ---- checks over several fields ---- */

static lochan_status check_listed(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                  const char *key, const char *const **out, size_t *n,
                                  lochan_error *err) {
    LOCHAN_TRY(copy_list(spec, root, key, out, n, err));
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

static lochan_status check_partition(const lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                     lochan_error *err) {
    if (lochan_partition__column_count(spec->partition_strategy) == 0)
        return LOCHAN_OK;
    if (!lochan_dataset_spec__column(spec, "time")) /* which is dated, see check_columns */
        return lochan_yaml__error(lochan_yaml__get(root, "partition_strategy"), err,
                                  "partition_strategy %s needs a time column (a date or timestamp)",
                                  spec->partition_strategy);
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

static lochan_status check_keys(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                lochan_error *err) {
    const char *const *business = NULL;
    size_t n_business = 0;
    LOCHAN_TRY(check_listed(spec, root, "required_columns", &spec->required_columns,
                            &spec->n_required, err));
    LOCHAN_TRY(
        check_listed(spec, root, "primary_key", &spec->primary_key, &spec->n_primary_key, err));
    LOCHAN_TRY(check_listed(spec, root, "business_key", &business, &n_business, err));
    LOCHAN_TRY(check_listed(spec, root, "sort_columns", &spec->sort_columns, &spec->n_sort, err));
    if (spec->n_primary_key == 0)
        return lochan_yaml__error(
            root, err, "primary_key: update_mode upsert needs the columns that identify a row");
    make_required(spec, spec->required_columns, spec->n_required);
    make_required(spec, spec->primary_key, spec->n_primary_key);
    return check_partition(spec, root, err);
}

static lochan_status read_all(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                              lochan_error *err) {
    LOCHAN_TRY(lochan_yaml__expect(root, LOCHAN_YAML_MAP, err));
    LOCHAN_TRY(lochan_yaml__check_keys(root, known_keys, LOCHAN_COUNTOF(known_keys), err));
    LOCHAN_TRY(read_identity(spec, root, err));
    LOCHAN_TRY(read_choices(spec, root, err));
    LOCHAN_TRY(read_requests(spec, root, err));
    LOCHAN_TRY(read_mapping(spec, root, err));
    LOCHAN_TRY(read_columns(spec, root, err));
    LOCHAN_TRY(check_columns(spec, root, err));
    LOCHAN_TRY(read_normalizer(spec, root, err));
    return check_keys(spec, root, err);
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
