/* spec_answer.c - the parts of a source's spec that tell how answers are read: format, paths,
 * codes, paging, and what the provider allows.
 * Invariant: as in spec.c. May call: base/, yaml.h, paging.h.
 */
#include "source/spec_own.h"

static const char *const meaning_names[] = {"retry", "rate_limit", "fatal", "empty"};

#define MAX_LIMIT 1000000

static lochan_status read_csv(lochan_source_spec *spec, const lochan_yaml_node *root,
                              lochan_error *err) {
    static const char *const keys[] = {"delimiter", "null_texts"};
    const lochan_yaml_node *csv = lochan_yaml__get(root, "csv");
    if (!csv)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__check_keys(csv, keys, LOCHAN_COUNTOF(keys), err));
    const lochan_yaml_node *node = lochan_yaml__get(csv, "delimiter");
    if (node) {
        const char *text;
        LOCHAN_TRY(lochan_yaml__to_string(node, &text, err));
        unsigned char c = (unsigned char)text[0];
        if (text[0] == '\0' || text[1] != '\0' || (c < ' ' && c != '\t') || c >= 0x7f || c == '"')
            return lochan_yaml__error(
                node, err, "csv.delimiter: expected one ASCII character such as ',' or \"\\t\"");
        spec->csv_delimiter = text[0];
    }
    return lochan_source_spec__copy_strings(spec, csv, "null_texts", &spec->csv_null_texts,
                                            &spec->n_csv_null_texts, err);
}

static lochan_status read_json(lochan_source_spec *spec, const lochan_yaml_node *root,
                               lochan_error *err) {
    static const char *const keys[] = {"null_texts", "nan_is_null"};
    const lochan_yaml_node *json = lochan_yaml__get(root, "json");
    if (!json)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__check_keys(json, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRY(lochan_yaml__get_bool(json, "nan_is_null", &spec->response.nan_is_null, err));
    return lochan_source_spec__copy_strings(spec, json, "null_texts", &spec->json_null_texts,
                                            &spec->n_json_null_texts, err);
}

/* A dotted path of names: no empty part. */
static lochan_status check_path(const lochan_yaml_node *map, const char *key, const char *path,
                                lochan_error *err) {
    size_t n = path ? strlen(path) : 0;
    if (n == 0)
        return LOCHAN_OK;
    if (path[0] == '.' || path[n - 1] == '.' || strstr(path, "..") || n > 500)
        return lochan_yaml__error(lochan_yaml__get(map, key), err,
                                  "%s: expected a path such as data.items", key);
    return LOCHAN_OK;
}

static lochan_status read_path(lochan_source_spec *spec, const lochan_yaml_node *map,
                               const char *key, const char **out, lochan_error *err) {
    LOCHAN_TRY(lochan_source_spec__copy_string(spec, map, key, out, err));
    return check_path(map, key, *out, err);
}

static lochan_status read_response(lochan_source_spec *spec, const lochan_yaml_node *root,
                                   lochan_error *err) {
    static const char *const keys[] = {"fields", "items", "error_code", "ok", "message"};
    const lochan_yaml_node *map = lochan_yaml__get(root, "response");
    lochan_source_response *r = &spec->response;
    if (spec->format == LOCHAN_FORMAT_TABLE) {
        const lochan_yaml_node *ignored;
        LOCHAN_TRY(
            lochan_yaml__require(map ? map : root, map ? "fields" : "response", &ignored, err));
        LOCHAN_TRY(lochan_yaml__require(map, "items", &ignored, err));
    }
    if (!map)
        return LOCHAN_OK;
    if (spec->format != LOCHAN_FORMAT_TABLE && spec->format != LOCHAN_FORMAT_RECORDS)
        return lochan_yaml__key_error(map, err, "response: only with format table or records");
    LOCHAN_TRY(lochan_yaml__check_keys(map, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRY(read_path(spec, map, "fields", &r->fields, err));
    LOCHAN_TRY(read_path(spec, map, "items", &r->items, err));
    LOCHAN_TRY(read_path(spec, map, "error_code", &r->error_code, err));
    LOCHAN_TRY(read_path(spec, map, "message", &r->message, err));
    LOCHAN_TRY(lochan_source_spec__copy_strings(spec, map, "ok", &r->ok, &r->n_ok, err));
    if (r->n_ok > 0 && !r->error_code)
        return lochan_yaml__error(lochan_yaml__get(map, "ok"), err,
                                  "ok needs error_code: where the answer says how it went");
    return LOCHAN_OK;
}

/* "{http: 404, meaning: empty}" or "{code: 40203, meaning: rate_limit, wait: 60s}"; a list of codes
 * makes a rule of each. */
static lochan_status read_rule(lochan_source_spec *spec, const lochan_yaml_node *item,
                               lochan_source_error_rule *rules, lochan_error *err) {
    static const char *const keys[] = {"http", "code", "meaning", "wait"};
    const lochan_yaml_node *meaning, *http = lochan_yaml__get(item, "http"),
                                     *code = lochan_yaml__get(item, "code");
    LOCHAN_TRY(lochan_yaml__check_keys(item, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRY(lochan_yaml__require(item, "meaning", &meaning, err));
    int choice;
    LOCHAN_TRY(lochan_yaml__to_choice(meaning, meaning_names, LOCHAN_COUNTOF(meaning_names),
                                      &choice, err));
    lochan_source_error_rule rule = {.meaning = (lochan_error_meaning)choice};
    LOCHAN_TRY(lochan_yaml__get_duration_ns(item, "wait", &rule.wait_ns, err));
    if (!http == !code)
        return lochan_yaml__error(
            item, err, "errors: an entry has either http (a status) or code (of the body)");
    if (http) {
        int64_t status;
        LOCHAN_TRY(lochan_yaml__to_int64(http, 200, 599, &status, err));
        rule.http_status = (int32_t)status;
        rules[spec->n_errors++] = rule;
        return LOCHAN_OK;
    }
    if (!spec->response.error_code)
        return lochan_yaml__error(code, err,
                                  "code needs response.error_code: where the body has its code");
    const char *const *codes = NULL;
    size_t n = 0;
    LOCHAN_TRY(lochan_source_spec__copy_strings(spec, item, "code", &codes, &n, err));
    for (size_t i = 0; i < n; i++) {
        rule.code = codes[i];
        rules[spec->n_errors++] = rule;
    }
    return LOCHAN_OK;
}

static lochan_status read_errors(lochan_source_spec *spec, const lochan_yaml_node *root,
                                 lochan_error *err) {
    const lochan_yaml_node *list = lochan_yaml__get(root, "errors");
    if (!list)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__expect(list, LOCHAN_YAML_LIST, err));
    size_t n = 1;
    for (const lochan_yaml_node *item = list->first; item; item = item->next) {
        const lochan_yaml_node *code = lochan_yaml__get(item, "code");
        n += code && code->kind == LOCHAN_YAML_LIST ? code->count : 1;
    }
    lochan_source_error_rule *rules = lochan_arena__array(&spec->arena, n, sizeof(*rules));
    if (!rules)
        return lochan_error__nomem(err);
    for (const lochan_yaml_node *item = list->first; item; item = item->next)
        LOCHAN_TRY(read_rule(spec, item, rules, err));
    spec->errors = rules;
    return LOCHAN_OK;
}

static lochan_status read_rate_limit(lochan_source_spec *spec, const lochan_yaml_node *root,
                                     lochan_error *err) {
    static const char *const keys[] = {"per_second", "per_minute", "per_hour",
                                       "per_day",    "concurrent", "scope"};
    static const char *const scopes[] = {"source", "endpoint"};
    const lochan_yaml_node *map = lochan_yaml__get(root, "rate_limit");
    lochan_source_limits *l = &spec->limits;
    int64_t concurrent = 0;
    int scope = 0;
    if (!map)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__check_keys(map, keys, LOCHAN_COUNTOF(keys), err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "per_second", 1, MAX_LIMIT, &l->per_second, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "per_minute", 1, MAX_LIMIT, &l->per_minute, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "per_hour", 1, MAX_LIMIT, &l->per_hour, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "per_day", 1, MAX_LIMIT, &l->per_day, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "concurrent", 1, 256, &concurrent, err));
    LOCHAN_TRY(lochan_yaml__get_choice(map, "scope", scopes, 2, &scope, err));
    l->concurrent = (int32_t)concurrent;
    l->per_endpoint = scope == 1;
    return LOCHAN_OK;
}

static lochan_status read_paging(lochan_source_spec *spec, const lochan_yaml_node *root,
                                 lochan_error *err) {
    const char *keys[32] = {"kind"};
    const lochan_yaml_node *map = lochan_yaml__get(root, "paging");
    if (!map)
        return LOCHAN_OK;
    memcpy(keys + 1, lochan_paging__keys, lochan_paging__n_keys * sizeof(*keys));
    LOCHAN_TRY(lochan_yaml__check_keys(map, keys, lochan_paging__n_keys + 1, err));
    LOCHAN_TRY(lochan_paging__from_yaml(map, "kind", &spec->arena, &spec->paging, err));
    LOCHAN_TRY(check_path(map, "next", spec->paging.next, err));
    LOCHAN_TRY(check_path(map, "has_more", spec->paging.has_more, err));
    LOCHAN_TRY(check_path(map, "total", spec->paging.total, err));
    return lochan_paging__check(&spec->paging, map, err);
}

lochan_status lochan_source_spec__read_answer(lochan_source_spec *spec,
                                              const lochan_yaml_node *root, lochan_error *err) {
    LOCHAN_TRY(read_csv(spec, root, err));
    LOCHAN_TRY(read_json(spec, root, err));
    LOCHAN_TRY(read_response(spec, root, err));
    LOCHAN_TRY(read_errors(spec, root, err));
    LOCHAN_TRY(read_rate_limit(spec, root, err));
    return read_paging(spec, root, err);
}
