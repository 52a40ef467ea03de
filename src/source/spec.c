/* spec.c - reads the YAML description of a source.
 * Invariants: every field is checked here, so that what uses a spec need not; strings are copied
 * into the spec's arena. May call: base/, yaml.h, secret.h.
 */
#include "source/spec.h"

#include "source/body.h"
#include "source/secret.h"
#include "source/spec_own.h"

#include <strings.h>

/* The words of the spec, in the order of the enums. A new kind or format is one entry here and one
 * file of its own. */
static const char *const kind_names[] = {"http", "files", "callback"};
static const char *const format_names[] = {"csv", "table", "records", "ndjson", "parquet"};
static const char *const method_names[] = {"GET", "POST"};

/* Folders of a lake and schemas of its catalog. */
static const char *const reserved_names[] = {"staging", "runs", "main"};

static const char *const http_keys[] = {
    "name",          "description",   "kind",        "url",
    "path",          "method",        "headers",     "query",
    "body",          "secret",        "format",      "csv",
    "json",          "response",      "paging",      "rate_limit",
    "date_format",   "errors",        "timeout",     "connect_timeout",
    "stall_timeout", "max_body",      "workers",     "max_retries",
    "retry_budget",  "retry_backoff", "max_backoff", "breaker_failures",
    "user_agent",    "auth",          "ca_file",     "enabled",
};
static const char *const files_keys[] = {
    "name", "description", "kind",        "path",     "format",  "csv",
    "json", "response",    "date_format", "max_body", "workers", "enabled",
};
static const char *const callback_keys[] = {
    "name",    "description", "kind",          "options",     "date_format",
    "workers", "max_retries", "retry_backoff", "max_backoff", "enabled",
};
static const struct {
    const char *const *keys;
    size_t n;
} keys_of_kind[] = {
    [LOCHAN_SOURCE_HTTP] = {http_keys, LOCHAN_COUNTOF(http_keys)},
    [LOCHAN_SOURCE_FILES] = {files_keys, LOCHAN_COUNTOF(files_keys)},
    [LOCHAN_SOURCE_CALLBACK] = {callback_keys, LOCHAN_COUNTOF(callback_keys)},
};

#define SECOND_NS ((int64_t)1000000000)

static void set_defaults(lochan_source_spec *spec) {
    static const char *const empty_text[] = {""};
    spec->description = "";
    spec->enabled = true;
    spec->url = "";
    spec->path = "";
    spec->csv_delimiter = ',';
    spec->csv_null_texts = empty_text;
    spec->n_csv_null_texts = 1;
    spec->timeout_ns = 120 * SECOND_NS;
    spec->connect_timeout_ns = 10 * SECOND_NS;
    spec->stall_timeout_ns = 30 * SECOND_NS;
    spec->max_body = (uint64_t)256 << 20;
    spec->workers = 4;
    spec->max_retries = 4;
    spec->retry_backoff_ns = SECOND_NS / 2;
    spec->max_backoff_ns = 60 * SECOND_NS;
    spec->retry_budget = 1000;
    spec->breaker_failures = 10;
    spec->response.fields = "data.fields";
    spec->response.items = "";
    lochan_paging__init(&spec->paging);
    spec->user_agent = "lochan/0.1.0";
}

lochan_status lochan_source_spec__copy_string(lochan_source_spec *spec, const lochan_yaml_node *map,
                                              const char *key, const char **out,
                                              lochan_error *err) {
    const char *text = NULL;
    LOCHAN_TRY(lochan_yaml__get_string(map, key, &text, err));
    if (!text)
        return LOCHAN_OK;
    *out = lochan_arena__strdup(&spec->arena, text);
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

lochan_status lochan_source_spec__copy_strings(lochan_source_spec *spec,
                                               const lochan_yaml_node *map, const char *key,
                                               const char *const **out, size_t *n,
                                               lochan_error *err) {
    const char *const *texts = NULL;
    size_t count = 0;
    LOCHAN_TRY(lochan_yaml__get_strings(map, key, &texts, &count, err));
    if (!texts)
        return LOCHAN_OK;
    const char **copy = lochan_arena__array(&spec->arena, count + 1, sizeof(*copy));
    if (!copy)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < count; i++)
        if (!(copy[i] = lochan_arena__strdup(&spec->arena, texts[i])))
            return lochan_error__nomem(err);
    *out = copy;
    *n = count;
    return LOCHAN_OK;
}

/* Text that goes into a line of HTTP must not break out of it. */
static lochan_status check_one_line(const lochan_yaml_node *node, const char *text,
                                    lochan_error *err) {
    for (const char *p = text; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f)
            return lochan_yaml__error(node, err,
                                      "line breaks and control characters are not allowed here");
    return LOCHAN_OK;
}

static lochan_status check_url(const lochan_yaml_node *node, const char *url, lochan_error *err) {
    const char *host = strncmp(url, "http://", 7) == 0    ? url + 7
                       : strncmp(url, "https://", 8) == 0 ? url + 8
                                                          : NULL;
    if (!host || host[0] == '\0' || host[0] == '/')
        return lochan_yaml__error(node, err, "url: expected http://HOST... or https://HOST...");
    if (strlen(url) > 2000)
        return lochan_yaml__error(node, err, "url: longer than 2000 bytes");
    for (const char *p = url; *p; p++)
        if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("<>\"{}|\\^`", *p))
            return lochan_yaml__error(node, err, "url: the character '%c' is not allowed in a url",
                                      (unsigned char)*p < ' ' ? '?' : *p);
    size_t host_length = strcspn(host, "/?#");
    if (memchr(host, '@', host_length)) /* the url is not repeated: it holds a password */
        return lochan_yaml__error(
            node, err, "url: user and password do not belong here, use 'secret' and a header");
    if (strpbrk(url, "?#"))
        return lochan_yaml__error(node, err, "url: parameters behind '?' belong under 'query'");
    return LOCHAN_OK;
}

/* Text is sent as it stands; a map or a list is a template of JSON. */
static lochan_status read_body(lochan_source_spec *spec, const lochan_yaml_node *root,
                               lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(root, "body");
    if (node && (node->kind == LOCHAN_YAML_MAP || node->kind == LOCHAN_YAML_LIST))
        return lochan_body__from_yaml(node, &spec->arena, &spec->body_tree, err);
    return lochan_source_spec__copy_string(spec, root, "body", &spec->body, err);
}

static lochan_status read_where(lochan_source_spec *spec, const lochan_yaml_node *root,
                                lochan_error *err) {
    const lochan_yaml_node *node;
    LOCHAN_TRY(lochan_yaml__require(root, "url", &node, err));
    LOCHAN_TRY(lochan_source_spec__copy_string(spec, root, "url", &spec->url, err));
    LOCHAN_TRY(check_url(node, spec->url, err));
    LOCHAN_TRY(lochan_source_spec__copy_string(spec, root, "path", &spec->path, err));
    node = lochan_yaml__get(root, "path");
    if (node) {
        LOCHAN_TRY(check_one_line(node, spec->path, err));
        if (spec->path[0] != '/')
            return lochan_yaml__error(node, err, "path: must begin with '/'");
        if (strpbrk(spec->path, "?# "))
            return lochan_yaml__error(
                node, err,
                "path: '?', '#' and blanks are not allowed; parameters belong under "
                "'query'");
    }
    int method = LOCHAN_METHOD_GET;
    LOCHAN_TRY(lochan_yaml__get_choice(root, "method", method_names, LOCHAN_COUNTOF(method_names),
                                       &method, err));
    spec->method = (lochan_source_method)method;
    LOCHAN_TRY(read_body(spec, root, err));
    if ((spec->body || spec->body_tree) && spec->method != LOCHAN_METHOD_POST)
        return lochan_yaml__key_error(lochan_yaml__get(root, "body"), err,
                                      "body: only for method POST");
    LOCHAN_TRY(lochan_source_spec__copy_string(spec, root, "user_agent", &spec->user_agent, err));
    node = lochan_yaml__get(root, "user_agent");
    return node ? check_one_line(node, spec->user_agent, err) : LOCHAN_OK;
}

static lochan_status read_pairs(lochan_source_spec *spec, const lochan_yaml_node *root,
                                const char *key, const lochan_source_pair **out, size_t *n,
                                lochan_error *err) {
    const lochan_yaml_node *map = lochan_yaml__get(root, key);
    if (!map)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__expect(map, LOCHAN_YAML_MAP, err));
    lochan_source_pair *pairs = lochan_arena__array(&spec->arena, map->count, sizeof(*pairs));
    if (!pairs)
        return lochan_error__nomem(err);
    size_t i = 0;
    for (const lochan_yaml_node *entry = map->first; entry; entry = entry->next, i++) {
        const char *value;
        LOCHAN_TRY(lochan_yaml__to_string(entry, &value, err));
        LOCHAN_TRY(check_one_line(entry, entry->key, err));
        LOCHAN_TRY(check_one_line(entry, value, err));
        pairs[i].name = lochan_arena__strdup(&spec->arena, entry->key);
        pairs[i].value = lochan_arena__strdup(&spec->arena, value);
        if (!pairs[i].name || !pairs[i].value)
            return lochan_error__nomem(err);
    }
    *out = pairs;
    *n = i;
    return LOCHAN_OK;
}

lochan_status lochan_source_spec__check_header(const lochan_yaml_node *node, const char *name,
                                               lochan_error *err) {
    static const char *const reserved[] = {"host",       "content-length", "transfer-encoding",
                                           "connection", "user-agent",     "accept-encoding"};
    for (const char *p = name; *p; p++)
        if ((unsigned char)*p <= ' ' || (unsigned char)*p >= 0x7f ||
            strchr("()<>@,;:\\\"/[]?={}", *p))
            return lochan_yaml__key_error(node, err, "headers: '%.60s' is no header name", name);
    for (size_t i = 0; i < LOCHAN_COUNTOF(reserved); i++)
        if (strcasecmp(name, reserved[i]) == 0)
            return lochan_yaml__key_error(node, err, "headers: %s cannot be set", name);
    return LOCHAN_OK;
}

static lochan_status check_headers(const lochan_yaml_node *map, lochan_error *err) {
    for (const lochan_yaml_node *entry = map ? map->first : NULL; entry; entry = entry->next)
        LOCHAN_TRY(lochan_source_spec__check_header(entry, entry->key, err));
    return LOCHAN_OK;
}

static lochan_status read_positive_duration(const lochan_yaml_node *root, const char *key,
                                            int64_t *out, lochan_error *err) {
    LOCHAN_TRY(lochan_yaml__get_duration_ns(root, key, out, err));
    if (*out < 1000000)
        return lochan_yaml__error(lochan_yaml__get(root, key), err, "%s: must be at least 1ms",
                                  key);
    return LOCHAN_OK;
}

static lochan_status read_limits(lochan_source_spec *spec, const lochan_yaml_node *root,
                                 lochan_error *err) {
    LOCHAN_TRY(read_positive_duration(root, "timeout", &spec->timeout_ns, err));
    LOCHAN_TRY(read_positive_duration(root, "connect_timeout", &spec->connect_timeout_ns, err));
    LOCHAN_TRY(read_positive_duration(root, "stall_timeout", &spec->stall_timeout_ns, err));
    LOCHAN_TRY(lochan_yaml__get_duration_ns(root, "retry_backoff", &spec->retry_backoff_ns, err));
    LOCHAN_TRY(lochan_yaml__get_duration_ns(root, "max_backoff", &spec->max_backoff_ns, err));
    if (spec->max_backoff_ns < spec->retry_backoff_ns) {
        const lochan_yaml_node *node = lochan_yaml__get(root, "max_backoff");
        return lochan_yaml__error(node ? node : lochan_yaml__get(root, "retry_backoff"), err,
                                  "max_backoff is shorter than retry_backoff");
    }
    LOCHAN_TRY(lochan_yaml__get_bytes(root, "max_body", &spec->max_body, err));
    if (spec->max_body < 1 || spec->max_body > (uint64_t)4 << 30)
        return lochan_yaml__error(lochan_yaml__get(root, "max_body"), err,
                                  "max_body: expected 1 byte to 4GiB");
    int64_t workers = spec->workers, retries = spec->max_retries;
    LOCHAN_TRY(lochan_yaml__get_int64(root, "workers", 1, 256, &workers, err));
    LOCHAN_TRY(lochan_yaml__get_int64(root, "max_retries", 0, 100, &retries, err));
    int64_t budget = spec->retry_budget, breaker = spec->breaker_failures;
    LOCHAN_TRY(lochan_yaml__get_int64(root, "retry_budget", 0, INT32_MAX, &budget, err));
    LOCHAN_TRY(lochan_yaml__get_int64(root, "breaker_failures", 1, INT32_MAX, &breaker, err));
    spec->workers = (int32_t)workers;
    spec->max_retries = (int32_t)retries;
    spec->retry_budget = (int32_t)budget;
    spec->breaker_failures = (int32_t)breaker;
    return LOCHAN_OK;
}

/* An error of a check that knows no YAML gets the place of `node`. */
static lochan_status at_node(const lochan_yaml_node *node, lochan_status rc, lochan_error *err) {
    if (rc == LOCHAN_OK || rc == LOCHAN_ERR_NO_MEMORY)
        return rc;
    if (err)
        err->code = LOCHAN_ERR_SPEC;
    return lochan_error__in_line(err, LOCHAN_ERR_SPEC, lochan_yaml__file(node->doc), node->line,
                                 node->column);
}

static lochan_status read_identity(lochan_source_spec *spec, const lochan_yaml_node *root,
                                   lochan_error *err) {
    const lochan_yaml_node *node;
    LOCHAN_TRY(lochan_yaml__require(root, "name", &node, err));
    LOCHAN_TRY(lochan_source_spec__copy_string(spec, root, "name", &spec->name, err));
    LOCHAN_TRY(at_node(node, lochan_name__check("source", spec->name, err), err));
    for (size_t i = 0; i < LOCHAN_COUNTOF(reserved_names); i++)
        if (strcmp(spec->name, reserved_names[i]) == 0)
            return lochan_yaml__error(node, err, "name: '%s' is reserved", spec->name);
    LOCHAN_TRY(lochan_source_spec__copy_string(spec, root, "description", &spec->description, err));
    LOCHAN_TRY(lochan_yaml__get_bool(root, "enabled", &spec->enabled, err));
    int choice = spec->kind == LOCHAN_SOURCE_CALLBACK ? LOCHAN_FORMAT_PARQUET : LOCHAN_FORMAT_CSV;
    LOCHAN_TRY(lochan_yaml__get_choice(root, "format", format_names, LOCHAN_COUNTOF(format_names),
                                       &choice, err));
    spec->format = (lochan_source_format)choice;
    return LOCHAN_OK;
}

/* A placeholder for a secret needs a secret. */
static lochan_status check_secret_use(const lochan_source_spec *spec, const lochan_yaml_node *root,
                                      lochan_error *err) {
    bool used = (spec->body && strstr(spec->body, "{secret}")) || strstr(spec->path, "{secret}") ||
                lochan_body__uses(spec->body_tree, "secret");
    for (size_t i = 0; i < spec->n_headers; i++)
        used |= strstr(spec->headers[i].value, "{secret}") != NULL;
    for (size_t i = 0; i < spec->n_query; i++)
        used |= strstr(spec->query[i].value, "{secret}") != NULL;
    if (used && !spec->secret)
        return lochan_yaml__error(
            root, err, "{secret} is used, but the key 'secret' (env:NAME or file:PATH) is missing");
    return LOCHAN_OK;
}

static lochan_status read_http(lochan_source_spec *spec, const lochan_yaml_node *root,
                               lochan_error *err) {
    LOCHAN_TRY(read_where(spec, root, err));
    LOCHAN_TRY(read_pairs(spec, root, "headers", &spec->headers, &spec->n_headers, err));
    LOCHAN_TRY(check_headers(lochan_yaml__get(root, "headers"), err));
    LOCHAN_TRY(read_pairs(spec, root, "query", &spec->query, &spec->n_query, err));
    LOCHAN_TRY(lochan_source_spec__copy_string(spec, root, "secret", &spec->secret, err));
    const lochan_yaml_node *node = lochan_yaml__get(root, "secret");
    if (node)
        LOCHAN_TRY(at_node(node, lochan_secret__check_reference(spec->secret, err), err));
    LOCHAN_TRY(lochan_source_spec__copy_string(spec, root, "ca_file", &spec->ca_file, err));
    node = lochan_yaml__get(root, "ca_file");
    if (node && !spec->ca_file[0])
        return lochan_yaml__error(node, err, "ca_file: is empty");
    LOCHAN_TRY(check_secret_use(spec, root, err));
    return lochan_source_spec__read_auth(spec, root, err);
}

static lochan_status read_files(lochan_source_spec *spec, const lochan_yaml_node *root,
                                lochan_error *err) {
    const lochan_yaml_node *node;
    LOCHAN_TRY(lochan_yaml__require(root, "path", &node, err));
    LOCHAN_TRY(lochan_source_spec__copy_string(spec, root, "path", &spec->path, err));
    LOCHAN_TRY(check_one_line(node, spec->path, err));
    spec->url = spec->path;
    return spec->path[0] ? LOCHAN_OK : lochan_yaml__error(node, err, "path: is empty");
}

static lochan_status read_callback(lochan_source_spec *spec, const lochan_yaml_node *root,
                                   lochan_error *err) {
    spec->max_body = (uint64_t)4 << 30; /* of a batch in staging */
    return read_pairs(spec, root, "options", &spec->options, &spec->n_options, err);
}

static lochan_status read_all(lochan_source_spec *spec, const lochan_yaml_node *root,
                              lochan_error *err) {
    const lochan_yaml_node *node;
    int kind;
    LOCHAN_TRY(lochan_yaml__require(root, "kind", &node, err));
    LOCHAN_TRY(lochan_yaml__to_choice(node, kind_names, LOCHAN_COUNTOF(kind_names), &kind, err));
    spec->kind = (lochan_source_kind)kind;
    LOCHAN_TRY(lochan_yaml__check_keys(root, keys_of_kind[kind].keys, keys_of_kind[kind].n, err));
    LOCHAN_TRY(read_identity(spec, root, err));
    if (spec->kind == LOCHAN_SOURCE_HTTP)
        LOCHAN_TRY(read_http(spec, root, err));
    else if (spec->kind == LOCHAN_SOURCE_FILES)
        LOCHAN_TRY(read_files(spec, root, err));
    else
        LOCHAN_TRY(read_callback(spec, root, err));
    const char *format = "%Y-%m-%d";
    LOCHAN_TRY(lochan_yaml__get_string(root, "date_format", &format, err));
    node = lochan_yaml__get(root, "date_format");
    LOCHAN_TRY(at_node(node ? node : root,
                       lochan_date_format__init(&spec->date_format, format, err), err));
    LOCHAN_TRY(lochan_source_spec__read_answer(spec, root, err));
    return read_limits(spec, root, err);
}

lochan_status lochan_source_spec__from_yaml(const lochan_yaml_node *root, lochan_source_spec **out,
                                            lochan_error *err) {
    *out = NULL;
    lochan_source_spec *spec = lochan_mem__zalloc(sizeof(*spec));
    if (!spec)
        return lochan_error__nomem(err);
    lochan_arena__init(&spec->arena, 0);
    set_defaults(spec);
    lochan_status rc = read_all(spec, root, err);
    if (rc != LOCHAN_OK) {
        lochan_source_spec__free(spec);
        return rc;
    }
    *out = spec;
    return LOCHAN_OK;
}

lochan_status lochan_source_spec__parse(const char *text, size_t size, const char *file,
                                        lochan_source_spec **out, lochan_error *err) {
    *out = NULL;
    lochan_yaml *doc;
    LOCHAN_TRY(lochan_yaml__parse(text, size, file, &doc, err));
    lochan_status rc = lochan_source_spec__from_yaml(lochan_yaml__root(doc), out, err);
    lochan_yaml__free(doc);
    return rc;
}

void lochan_source_spec__free(lochan_source_spec *spec) {
    if (!spec)
        return;
    lochan_arena__deinit(&spec->arena);
    lochan_mem__free(spec);
}

bool lochan_source_spec__listed_meaning(const lochan_source_spec *spec, int32_t http_status,
                                        lochan_error_meaning *meaning) {
    for (size_t i = 0; i < spec->n_errors; i++) {
        if (!spec->errors[i].code && spec->errors[i].http_status == http_status) {
            *meaning = spec->errors[i].meaning;
            return true;
        }
    }
    *meaning = LOCHAN_MEANING_FATAL;
    if (http_status == 429)
        *meaning = LOCHAN_MEANING_RATE_LIMIT;
    else if (http_status == 408 || http_status == 425 || http_status >= 500)
        *meaning = LOCHAN_MEANING_RETRY;
    return false;
}

lochan_error_meaning lochan_source_spec__meaning(const lochan_source_spec *spec,
                                                 int32_t http_status) {
    lochan_error_meaning meaning;
    lochan_source_spec__listed_meaning(spec, http_status, &meaning);
    return meaning;
}

lochan_error_meaning lochan_source_spec__code_meaning(const lochan_source_spec *spec,
                                                      const char *code,
                                                      const lochan_source_error_rule **rule) {
    *rule = NULL;
    for (size_t i = 0; i < spec->n_errors && !*rule; i++)
        if (spec->errors[i].code && strcmp(spec->errors[i].code, code) == 0)
            *rule = &spec->errors[i];
    return *rule ? (*rule)->meaning : LOCHAN_MEANING_FATAL;
}

lochan_status lochan_source_spec__print_date(const lochan_source_spec *spec, int32_t days,
                                             char *dst, size_t cap, lochan_error *err) {
    if (lochan_date_format__print(&spec->date_format, days, dst, cap))
        return LOCHAN_OK;
    return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                             "the date does not fit the date_format '%s'", spec->date_format.text);
}
