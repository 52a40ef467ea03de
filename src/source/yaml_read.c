/* yaml_read.c - typed values out of a YAML tree, with errors that name the place.
 * Invariant: an output is written only on success. May call: base/, yaml.h.
 */
#include "source/yaml_tree.h"

#include <math.h>
#include <stdio.h>

static lochan_status error_at_place(const lochan_yaml_node *node, bool at_key, lochan_error *err,
                                    const char *fmt, va_list args) {
    lochan_status rc = lochan_error__vset(err, LOCHAN_ERR_SPEC, fmt, args);
    int32_t line = at_key && node->key ? node->key_line : node->line;
    int32_t column = at_key && node->key ? node->key_column : node->column;
    if (line <= 0) /* a value set by the user, not written in the file */
        return lochan_error__in_file(err, rc, node->doc->file, -1);
    return lochan_error__in_line(err, rc, node->doc->file, line, column);
}

lochan_status lochan_yaml__error(const lochan_yaml_node *node, lochan_error *err, const char *fmt,
                                 ...) {
    va_list args;
    va_start(args, fmt);
    lochan_status rc = error_at_place(node, false, err, fmt, args);
    va_end(args);
    return rc;
}

lochan_status lochan_yaml__key_error(const lochan_yaml_node *node, lochan_error *err,
                                     const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lochan_status rc = error_at_place(node, true, err, fmt, args);
    va_end(args);
    return rc;
}

static size_t index_in_parent(const lochan_yaml_node *node) {
    size_t i = 0;
    for (const lochan_yaml_node *n = node->parent->first; n && n != node; n = n->next)
        i++;
    return i;
}

void lochan_yaml__path(const lochan_yaml_node *node, char *dst, size_t cap) {
    const lochan_yaml_node *way[LOCHAN_YAML_MAX_DEPTH + 1];
    size_t n = 0;
    for (; node->parent && n < LOCHAN_COUNTOF(way); node = node->parent)
        way[n++] = node;
    size_t used = 0;
    dst[0] = '\0';
    while (n > 0 && used + 1 < cap) {
        const lochan_yaml_node *part = way[--n];
        if (part->key)
            lochan_format(dst + used, cap - used, "%s%s", used ? "." : "", part->key);
        else
            lochan_format(dst + used, cap - used, "[%zu]", index_in_parent(part));
        used += strlen(dst + used);
    }
    if (dst[0] == '\0')
        lochan_format(dst, cap, "the spec");
}

const lochan_yaml_node *lochan_yaml__get(const lochan_yaml_node *map, const char *key) {
    if (!map || map->kind != LOCHAN_YAML_MAP)
        return NULL;
    for (const lochan_yaml_node *n = map->first; n; n = n->next)
        if (strcmp(n->key, key) == 0)
            return n->kind == LOCHAN_YAML_NULL ? NULL : n;
    return NULL;
}

static const char *kind_name(lochan_yaml_kind kind) {
    switch (kind) {
    case LOCHAN_YAML_NULL:
        return "nothing";
    case LOCHAN_YAML_SCALAR:
        return "a single value";
    case LOCHAN_YAML_LIST:
        return "a list";
    case LOCHAN_YAML_MAP:
        return "a map";
    }
    return "something else";
}

lochan_status lochan_yaml__expect(const lochan_yaml_node *node, lochan_yaml_kind kind,
                                  lochan_error *err) {
    if (node->kind == kind)
        return LOCHAN_OK;
    char path[128];
    lochan_yaml__path(node, path, sizeof(path));
    return lochan_yaml__error(node, err, "%s: expected %s, found %s", path, kind_name(kind),
                              kind_name(node->kind));
}

lochan_status lochan_yaml__check_keys(const lochan_yaml_node *map, const char *const *known,
                                      size_t n, lochan_error *err) {
    LOCHAN_TRY(lochan_yaml__expect(map, LOCHAN_YAML_MAP, err));
    for (const lochan_yaml_node *entry = map->first; entry; entry = entry->next) {
        bool found = false;
        for (size_t i = 0; i < n && !found; i++)
            found = strcmp(entry->key, known[i]) == 0;
        if (found)
            continue;
        const char *near = lochan_name__nearest(entry->key, known, n);
        char path[128];
        lochan_yaml__path(entry, path, sizeof(path));
        lochan_status rc =
            near ? lochan_yaml__key_error(entry, err, "unknown key '%s', did you mean '%s'?", path,
                                          near)
                 : lochan_yaml__key_error(entry, err, "unknown key '%s'", path);
        char list[256] = "known keys:";
        for (size_t i = 0; i < n; i++) {
            size_t used = strlen(list);
            lochan_format(list + used, sizeof(list) - used, "%s %s", i ? "," : "", known[i]);
        }
        lochan_error__hint(err, "%s", list);
        return rc;
    }
    return LOCHAN_OK;
}

/* "workers: expected a whole number, found 'many'". */
static lochan_status wrong_value(const lochan_yaml_node *node, const char *expected,
                                 lochan_error *err) {
    char path[128];
    lochan_yaml__path(node, path, sizeof(path));
    if (node->kind != LOCHAN_YAML_SCALAR)
        return lochan_yaml__error(node, err, "%s: expected %s, found %s", path, expected,
                                  kind_name(node->kind));
    return lochan_yaml__error(node, err, "%s: expected %s, found %s'%.60s'", path, expected,
                              node->quoted ? "the text " : "", node->text.p);
}

lochan_status lochan_yaml__to_string(const lochan_yaml_node *node, const char **out,
                                     lochan_error *err) {
    if (node->kind != LOCHAN_YAML_SCALAR)
        return wrong_value(node, "text", err);
    *out = node->text.p;
    return LOCHAN_OK;
}

lochan_status lochan_yaml__to_int64(const lochan_yaml_node *node, int64_t min, int64_t max,
                                    int64_t *out, lochan_error *err) {
    int64_t v;
    if (node->kind == LOCHAN_YAML_SCALAR && !node->quoted &&
        lochan_parse__int64(node->text.p, node->text.n, &v) && v >= min && v <= max) {
        *out = v;
        return LOCHAN_OK;
    }
    char expected[96];
    if (min == INT64_MIN && max == INT64_MAX)
        lochan_format(expected, sizeof(expected), "a whole number");
    else if (max == INT64_MAX)
        lochan_format(expected, sizeof(expected), "a whole number of at least %lld",
                      (long long)min);
    else
        lochan_format(expected, sizeof(expected), "a whole number from %lld to %lld",
                      (long long)min, (long long)max);
    return wrong_value(node, expected, err);
}

lochan_status lochan_yaml__to_double(const lochan_yaml_node *node, double min, double max,
                                     double *out, lochan_error *err) {
    double v;
    if (node->kind == LOCHAN_YAML_SCALAR && !node->quoted &&
        lochan_parse__double(node->text.p, node->text.n, false, &v) && v >= min && v <= max) {
        *out = v;
        return LOCHAN_OK;
    }
    char expected[96];
    if (isinf(min) && isinf(max))
        lochan_format(expected, sizeof(expected), "a number");
    else
        lochan_format(expected, sizeof(expected), "a number from %g to %g", min, max);
    return wrong_value(node, expected, err);
}

lochan_status lochan_yaml__to_bool(const lochan_yaml_node *node, bool *out, lochan_error *err) {
    bool yes = lochan_str__eq(node->text, LOCHAN_STR("true"));
    if (node->kind != LOCHAN_YAML_SCALAR || node->quoted ||
        (!yes && !lochan_str__eq(node->text, LOCHAN_STR("false"))))
        return wrong_value(node, "true or false", err);
    *out = yes;
    return LOCHAN_OK;
}

lochan_status lochan_yaml__to_duration_ns(const lochan_yaml_node *node, int64_t *out,
                                          lochan_error *err) {
    double seconds;
    int64_t ns;
    if (node->kind == LOCHAN_YAML_SCALAR) {
        if (!node->quoted && lochan_parse__double(node->text.p, node->text.n, false, &seconds)) {
            if (seconds >= 0 && seconds <= 9e9) {
                *out = (int64_t)(seconds * 1e9);
                return LOCHAN_OK;
            }
        } else if (lochan_parse__duration_ns(node->text.p, &ns) && ns >= 0) {
            *out = ns;
            return LOCHAN_OK;
        }
    }
    return wrong_value(node, "a duration such as 500ms, 20s or 5m", err);
}

lochan_status lochan_yaml__to_bytes(const lochan_yaml_node *node, uint64_t *out,
                                    lochan_error *err) {
    uint64_t v;
    if (node->kind != LOCHAN_YAML_SCALAR || !lochan_parse__bytes(node->text.p, &v))
        return wrong_value(node, "a size such as 64MB", err);
    *out = v;
    return LOCHAN_OK;
}

lochan_status lochan_yaml__to_choice(const lochan_yaml_node *node, const char *const *names,
                                     size_t n, int *out, lochan_error *err) {
    if (node->kind != LOCHAN_YAML_SCALAR)
        return wrong_value(node, "one word", err);
    for (size_t i = 0; i < n; i++) {
        if (strcmp(node->text.p, names[i]) == 0) {
            *out = (int)i;
            return LOCHAN_OK;
        }
    }
    char expected[256] = "one of";
    for (size_t i = 0; i < n; i++) {
        size_t used = strlen(expected);
        lochan_format(expected + used, sizeof(expected) - used, "%s %s", i ? "," : "", names[i]);
    }
    lochan_status rc = wrong_value(node, expected, err);
    const char *near = lochan_name__nearest(node->text.p, names, n);
    if (near)
        lochan_error__hint(err, "did you mean '%s'?", near);
    return rc;
}

lochan_status lochan_yaml__to_strings(const lochan_yaml_node *node, const char *const **out,
                                      size_t *n, lochan_error *err) {
    size_t count = node->kind == LOCHAN_YAML_LIST ? node->count : 1;
    /* The document's arena is the one place that lives as long as the strings; the tree itself
     * stays as it is. */
    lochan_yaml *doc = (lochan_yaml *)(uintptr_t)node->doc;
    const char **list = lochan_arena__array(&doc->arena, count + 1, sizeof(*list));
    if (!list)
        return lochan_error__nomem(err);
    if (node->kind == LOCHAN_YAML_LIST) {
        size_t i = 0;
        for (const lochan_yaml_node *item = node->first; item; item = item->next)
            LOCHAN_TRY(lochan_yaml__to_string(item, &list[i++], err));
    } else {
        LOCHAN_TRY(lochan_yaml__to_string(node, &list[0], err));
    }
    *out = list;
    *n = count;
    return LOCHAN_OK;
}

lochan_status lochan_yaml__require(const lochan_yaml_node *map, const char *key,
                                   const lochan_yaml_node **out, lochan_error *err) {
    LOCHAN_TRY(lochan_yaml__expect(map, LOCHAN_YAML_MAP, err));
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    if (!node) {
        char path[128];
        lochan_yaml__path(map, path, sizeof(path));
        return lochan_yaml__error(map, err, "%s: the key '%s' is missing", path, key);
    }
    *out = node;
    return LOCHAN_OK;
}

lochan_status lochan_yaml__get_string(const lochan_yaml_node *map, const char *key,
                                      const char **out, lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    return node ? lochan_yaml__to_string(node, out, err) : LOCHAN_OK;
}

lochan_status lochan_yaml__get_int64(const lochan_yaml_node *map, const char *key, int64_t min,
                                     int64_t max, int64_t *out, lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    return node ? lochan_yaml__to_int64(node, min, max, out, err) : LOCHAN_OK;
}

lochan_status lochan_yaml__get_double(const lochan_yaml_node *map, const char *key, double min,
                                      double max, double *out, lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    return node ? lochan_yaml__to_double(node, min, max, out, err) : LOCHAN_OK;
}

lochan_status lochan_yaml__get_bool(const lochan_yaml_node *map, const char *key, bool *out,
                                    lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    return node ? lochan_yaml__to_bool(node, out, err) : LOCHAN_OK;
}

lochan_status lochan_yaml__get_duration_ns(const lochan_yaml_node *map, const char *key,
                                           int64_t *out, lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    return node ? lochan_yaml__to_duration_ns(node, out, err) : LOCHAN_OK;
}

lochan_status lochan_yaml__get_bytes(const lochan_yaml_node *map, const char *key, uint64_t *out,
                                     lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    return node ? lochan_yaml__to_bytes(node, out, err) : LOCHAN_OK;
}

lochan_status lochan_yaml__get_choice(const lochan_yaml_node *map, const char *key,
                                      const char *const *names, size_t n, int *out,
                                      lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    return node ? lochan_yaml__to_choice(node, names, n, out, err) : LOCHAN_OK;
}

lochan_status lochan_yaml__get_strings(const lochan_yaml_node *map, const char *key,
                                       const char *const **out, size_t *n, lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(map, key);
    return node ? lochan_yaml__to_strings(node, out, n, err) : LOCHAN_OK;
}
