/* spec_request.c - the part of a dataset spec that says what is asked for, and how often.
 * May call: base/, source/, planner.h, spec_own.h.
 */
#include "update/spec_own.h"

#include "source/paging.h"
#include "update/planner.h"

#define MAX_DAYS       36500
#define MAX_CHUNK      1000
#define MAX_BATCH      100000
#define MAX_PARAM_SETS 1000
#define DAY_NS         INT64_C(86400000000000)
#define RAW_MAX_BYTES  (UINT64_C(10) << 30)

static const char *const option_keys[] = {"date_chunk_days",  "date_chunk_months",
                                          "date_chunk_years", "params",
                                          "param_sets",       "batch_size",
                                          "request_param",    "asset_separator",
                                          "reference_source", "reference_dataset",
                                          "reference_column", "reference_where",
                                          "row_filter",       "period",
                                          "pagination",       "window_column"};

static lochan_status check_option_keys(const lochan_yaml_node *options, lochan_error *err) {
    const size_t own = LOCHAN_COUNTOF(option_keys);
    const char **keys = lochan_mem__array(own + lochan_paging__n_keys, sizeof *keys);
    if (!keys)
        return lochan_error__nomem(err);
    memcpy(keys, option_keys, sizeof option_keys);
    for (size_t i = 0; i < lochan_paging__n_keys; i++)
        keys[own + i] = lochan_paging__keys[i];
    lochan_status rc = lochan_yaml__check_keys(options, keys, own + lochan_paging__n_keys, err);
    lochan_mem__free(keys);
    return rc;
}

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

/* ---- sets of parameters ---- */

static lochan_status name_set(lochan_dataset_spec *spec, lochan_param_set *set, lochan_error *err) {
    lochan_buf name;
    lochan_buf__init(&name, 4096);
    lochan_status rc = LOCHAN_OK;
    for (size_t i = 0; i < set->n_params && rc == LOCHAN_OK; i++)
        rc = lochan_buf__printf(&name, err, "%s%s=%s", i ? "&" : "", set->params[i].name,
                                set->params[i].value);
    if (rc == LOCHAN_OK)
        rc = lochan_spec__text(&spec->arena, name.len ? (const char *)name.data : "", &set->name,
                               err);
    lochan_buf__deinit(&name);
    return rc;
}

static lochan_status read_sets(lochan_dataset_spec *spec, const lochan_yaml_node *options,
                               lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(options, "param_sets");
    if (!node)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__expect(node, LOCHAN_YAML_LIST, err));
    if (node->count > MAX_PARAM_SETS)
        return lochan_yaml__error(node, err, "param_sets: at most %d", MAX_PARAM_SETS);
    lochan_param_set *sets = lochan_arena__array(&spec->arena, node->count + 1, sizeof *sets);
    if (!sets)
        return lochan_error__nomem(err);
    for (const lochan_yaml_node *entry = node->first; entry; entry = entry->next) {
        lochan_param_set *set = &sets[spec->n_param_sets];
        LOCHAN_TRY(lochan_yaml__expect(entry, LOCHAN_YAML_MAP, err));
        lochan_source_pair *pairs =
            lochan_arena__array(&spec->arena, entry->count + 1, sizeof *pairs);
        if (!pairs)
            return lochan_error__nomem(err);
        for (const lochan_yaml_node *pair = entry->first; pair; pair = pair->next) {
            const char *value;
            LOCHAN_TRY(lochan_yaml__to_string(pair, &value, err));
            LOCHAN_TRY(lochan_spec__text(&spec->arena, pair->key, &pairs[set->n_params].name, err));
            LOCHAN_TRY(lochan_spec__text(&spec->arena, value, &pairs[set->n_params++].value, err));
        }
        set->params = pairs;
        LOCHAN_TRY(name_set(spec, set, err));
        for (size_t i = 0; i < spec->n_param_sets; i++) {
            if (strcmp(sets[i].name, set->name) == 0)
                return lochan_yaml__error(entry, err, "param_sets: '%s' is there twice", set->name);
        }
        spec->n_param_sets++;
    }
    spec->param_sets = sets;
    return LOCHAN_OK;
}

/* ---- other datasets ---- */

static lochan_status check_reference(const lochan_yaml_node *place, const lochan_reference *r,
                                     lochan_error *err) {
    lochan_error why;
    lochan_error_init(&why);
    if (lochan_name__check("source", r->source, &why) != LOCHAN_OK ||
        lochan_name__check("dataset", r->dataset, &why) != LOCHAN_OK ||
        lochan_name__check("column", r->column, &why) != LOCHAN_OK)
        return lochan_yaml__error(place, err, "%s", why.message);
    return LOCHAN_OK;
}

/* {source, dataset, column, where}; source default: the dataset's own. */
static lochan_status read_reference(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                    const char *key, const char *column, lochan_reference *out,
                                    lochan_error *err) {
    static const char *const keys[] = {"source", "dataset", "column", "where"};
    const lochan_yaml_node *node = lochan_yaml__get(root, key), *dataset;
    if (!node)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__expect(node, LOCHAN_YAML_MAP, err));
    LOCHAN_TRY(lochan_yaml__check_keys(node, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRY(lochan_yaml__require(node, "dataset", &dataset, err));
    LOCHAN_TRY(lochan_spec__string(spec, node, "source", spec->source, &out->source, err));
    LOCHAN_TRY(lochan_spec__string(spec, node, "dataset", "", &out->dataset, err));
    LOCHAN_TRY(lochan_spec__string(spec, node, "column", column, &out->column, err));
    if (lochan_yaml__get(node, "where"))
        LOCHAN_TRY(lochan_spec__string(spec, node, "where", "", &out->where, err));
    return check_reference(dataset, out, err);
}

/* reference_dataset and reference_column of request_options: where the assets come from. */
static lochan_status read_assets(lochan_dataset_spec *spec, const lochan_yaml_node *options,
                                 lochan_error *err) {
    int64_t batch = 1;
    const lochan_yaml_node *param = lochan_yaml__get(options, "request_param");
    const lochan_yaml_node *dataset = lochan_yaml__get(options, "reference_dataset");
    LOCHAN_TRY(lochan_yaml__get_int64(options, "batch_size", 1, MAX_BATCH, &batch, err));
    spec->batch_size = (int32_t)batch;
    LOCHAN_TRY(
        lochan_spec__string(spec, options, "asset_separator", ",", &spec->asset_separator, err));
    if (!spec->asset_separator[0])
        return lochan_yaml__error(lochan_yaml__get(options, "asset_separator"), err,
                                  "asset_separator cannot be empty");
    if (param)
        LOCHAN_TRY(
            lochan_spec__string(spec, options, "request_param", "", &spec->request_param, err));
    if (!dataset)
        return LOCHAN_OK;
    lochan_reference *r = &spec->assets;
    LOCHAN_TRY(
        lochan_spec__string(spec, options, "reference_source", spec->source, &r->source, err));
    LOCHAN_TRY(lochan_spec__string(spec, options, "reference_dataset", "", &r->dataset, err));
    LOCHAN_TRY(lochan_spec__string(spec, options, "reference_column", "asset_id", &r->column, err));
    if (lochan_yaml__get(options, "reference_where"))
        LOCHAN_TRY(lochan_spec__string(spec, options, "reference_where", "", &r->where, err));
    return check_reference(dataset, r, err);
}

static lochan_status read_filter(lochan_dataset_spec *spec, const lochan_yaml_node *options,
                                 lochan_error *err) {
    static const char *const keys[] = {"column", "in"};
    const lochan_yaml_node *filter = lochan_yaml__get(options, "row_filter"), *node;
    if (!filter)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__expect(filter, LOCHAN_YAML_MAP, err));
    LOCHAN_TRY(lochan_yaml__check_keys(filter, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRY(lochan_yaml__require(filter, "in", &node, err));
    LOCHAN_TRY(lochan_yaml__require(filter, "column", &node, err));
    LOCHAN_TRY(lochan_spec__list(spec, filter, "in", &spec->filter_in, &spec->n_filter_in, err));
    const char *name;
    LOCHAN_TRY(lochan_yaml__to_string(node, &name, err));
    /* a provider's field is as good as a column's own name */
    name = lochan_dataset_spec__canonical(spec, name);
    const lochan_dataset_column *column = lochan_dataset_spec__column(spec, name);
    if (!column)
        return lochan_yaml__error(node, err, "row_filter: column '%s' is not declared", name);
    spec->filter_column = column->name;
    return LOCHAN_OK;
}

static lochan_status read_paging(lochan_dataset_spec *spec, const lochan_yaml_node *options,
                                 lochan_error *err) {
    bool any = lochan_yaml__get(options, "pagination") != NULL;
    for (size_t i = 0; i < lochan_paging__n_keys && !any; i++)
        any = lochan_yaml__get(options, lochan_paging__keys[i]) != NULL;
    if (!any)
        return LOCHAN_OK;
    lochan_paging *paging = lochan_arena__alloc(&spec->arena, sizeof *paging);
    if (!paging)
        return lochan_error__nomem(err);
    lochan_paging__init(paging);
    LOCHAN_TRY(lochan_paging__from_yaml(options, "pagination", &spec->arena, paging, err));
    spec->paging = paging;
    return LOCHAN_OK;
}

lochan_status lochan_dataset_spec__join_paging(lochan_dataset_spec *spec, const char *text,
                                               const lochan_paging *source, lochan_error *err) {
    char file[300];
    lochan_yaml *doc = NULL;
    lochan_status rc;
    lochan_paging *paging = lochan_arena__alloc(&spec->arena, sizeof *paging);
    if (!paging)
        return lochan_error__nomem(err);
    *paging = *source;
    bool differs = spec->paging != NULL;
    spec->paging = paging;
    if (!differs)
        return LOCHAN_OK;
    (void)lochan_format(file, sizeof file, "dataset %s/%s", spec->source, spec->name);
    LOCHAN_TRYG(lochan_yaml__parse(text, strlen(text), file, &doc, err));
    const lochan_yaml_node *options = lochan_yaml__get(lochan_yaml__root(doc), "request_options");
    LOCHAN_TRYG(lochan_paging__from_yaml(options, "pagination", &spec->arena, paging, err));
    rc = lochan_paging__check(paging, options, err);
done:
    lochan_yaml__free(doc);
    return rc;
}

/* ---- planner ---- */

/* The provider may choose rows by another day than the one that is `time`. */
static lochan_status read_window(lochan_dataset_spec *spec, const lochan_yaml_node *options,
                                 lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(options, "window_column");
    const lochan_dataset_column *column =
        lochan_dataset_spec__column(spec, spec->planner->window_column);
    const char *name;
    if (node) {
        LOCHAN_TRY(lochan_yaml__to_string(node, &name, err));
        column = lochan_dataset_spec__column(spec, lochan_dataset_spec__canonical(spec, name));
        if (!column)
            return lochan_yaml__error(node, err, "window_column: column '%s' is not declared",
                                      name);
        if (column->type.id != LOCHAN_TYPE_DATE32 && column->type.id != LOCHAN_TYPE_TIMESTAMP)
            return lochan_yaml__error(node, err,
                                      "window_column: column '%s' is no date or timestamp", name);
    }
    spec->window_column = column ? column->name : NULL;
    return LOCHAN_OK;
}

static lochan_status read_period(lochan_dataset_spec *spec, const lochan_yaml_node *options,
                                 lochan_error *err) {
    static const char *const names[] = {"quarter", "month", "half_year", "year"};
    static const int months[] = {3, 1, 6, 12};
    int at = 0;
    LOCHAN_TRY(lochan_yaml__get_choice(options, "period", names, LOCHAN_COUNTOF(names), &at, err));
    spec->period_unit = LOCHAN_CHUNK_MONTHS;
    spec->period_count = months[at];
    return LOCHAN_OK;
}

static lochan_status check_planner(const lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                   const lochan_yaml_node *options, lochan_error *err) {
    const lochan_planner *planner = spec->planner;
    const lochan_yaml_node *place = options ? options : root;
    bool days = spec->window_column != NULL;
    if (planner->needs_chunk && spec->chunk_unit == LOCHAN_CHUNK_NONE)
        return lochan_yaml__error(place, err,
                                  "request_planner %s needs date_chunk_days, _months or _years",
                                  planner->name);
    if (planner->needs_param_sets && spec->n_param_sets == 0)
        return lochan_yaml__error(place, err, "request_planner %s needs param_sets", planner->name);
    if (planner->by_asset && !lochan_dataset_spec__column(spec, "asset_id"))
        return lochan_yaml__error(root, err, "request_planner %s needs an asset_column",
                                  planner->name);
    bool by_days = strcmp(planner->name, "by_date") == 0 || strcmp(planner->name, "by_period") == 0;
    if (!days && (by_days || planner->needs_chunk))
        return lochan_yaml__error(root, err, "request_planner %s needs a %s_column", planner->name,
                                  planner->window_column);
    return LOCHAN_OK;
}

static lochan_status read_days(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                               lochan_error *err) {
    const lochan_yaml_node *start = lochan_yaml__get(root, "default_start");
    int64_t settle = 1, revision = 0, refresh = 0;
    if (start) {
        const char *text;
        LOCHAN_TRY(lochan_yaml__to_string(start, &text, err));
        if (!lochan_civil__parse_date(text, strlen(text), &spec->default_start))
            return lochan_yaml__error(
                start, err, "default_start: expected a date like 2020-01-31, got '%s'", text);
        spec->has_default_start = true;
    }
    LOCHAN_TRY(lochan_yaml__get_int64(root, "settle_days", 0, MAX_DAYS, &settle, err));
    LOCHAN_TRY(lochan_yaml__get_int64(root, "revision_days", 0, MAX_DAYS, &revision, err));
    LOCHAN_TRY(lochan_yaml__get_int64(root, "refresh_days", 0, MAX_DAYS, &refresh, err));
    spec->settle_days = (int32_t)settle;
    spec->revision_days = (int32_t)revision;
    spec->refresh_days = (int32_t)refresh;
    spec->staging_max_age_ns = DAY_NS;
    return lochan_yaml__get_duration_ns(root, "staging_max_age", &spec->staging_max_age_ns, err);
}

static lochan_status read_raw(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                              lochan_error *err) {
    const lochan_yaml_node *bound = lochan_yaml__get(root, "raw_max_bytes");
    spec->raw_max_bytes = RAW_MAX_BYTES;
    LOCHAN_TRY(lochan_yaml__get_bool(root, "keep_raw", &spec->keep_raw, err));
    LOCHAN_TRY(lochan_yaml__get_bytes(root, "raw_max_bytes", &spec->raw_max_bytes, err));
    if (bound && !spec->keep_raw)
        return lochan_yaml__key_error(bound, err, "raw_max_bytes belongs to keep_raw: true");
    if (spec->raw_max_bytes == 0)
        return lochan_yaml__error(bound, err, "raw_max_bytes: expected 1 or more");
    return LOCHAN_OK;
}

lochan_status lochan_spec__read_requests(lochan_dataset_spec *spec, const lochan_yaml_node *root,
                                         lochan_error *err) {
    const lochan_yaml_node *options = lochan_yaml__get(root, "request_options");
    if (options) {
        LOCHAN_TRY(lochan_yaml__expect(options, LOCHAN_YAML_MAP, err));
        LOCHAN_TRY(check_option_keys(options, err));
    }
    LOCHAN_TRY(read_chunk(spec, options, err));
    LOCHAN_TRY(lochan_spec__pairs(spec, options, "params", &spec->params, &spec->n_params, 0, err));
    LOCHAN_TRY(read_sets(spec, options, err));
    LOCHAN_TRY(read_assets(spec, options, err));
    LOCHAN_TRY(read_filter(spec, options, err));
    LOCHAN_TRY(read_period(spec, options, err));
    LOCHAN_TRY(read_paging(spec, options, err));
    LOCHAN_TRY(read_reference(spec, root, "discovery", "asset_id", &spec->discovery, err));
    LOCHAN_TRY(read_reference(spec, root, "calendar", "time", &spec->calendar, err));
    LOCHAN_TRY(read_days(spec, root, err));
    LOCHAN_TRY(read_raw(spec, root, err));
    LOCHAN_TRY(read_window(spec, options, err));
    return check_planner(spec, root, options, err);
}
