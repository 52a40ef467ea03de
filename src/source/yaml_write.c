/* yaml_write.c - setting entries of a YAML tree and printing it back.
 * Invariants: what is printed parses back to the same tree; nodes handed out before a change stay
 * valid. May call: base/, yaml.h.
 */
#include "source/yaml_tree.h"

/* A node of the document for reading is one of ours for writing. */
static lochan_yaml_node *writable(const lochan_yaml_node *node) {
    return (lochan_yaml_node *)(uintptr_t)node;
}

static lochan_yaml_node *last_entry(const lochan_yaml_node *node) {
    const lochan_yaml_node *last = node->first;
    while (last && last->next)
        last = last->next;
    return writable(last);
}

/* Copies a tree into the document; places in the file do not apply any more. */
static lochan_status copy_tree(lochan_yaml *doc, const lochan_yaml_node *from,
                               lochan_yaml_node **out, lochan_error *err) {
    lochan_yaml_node *node;
    LOCHAN_TRY(lochan_yaml__new_node(doc, from->kind, 0, 0, &node, err));
    node->quoted = from->quoted;
    if (from->kind == LOCHAN_YAML_SCALAR) {
        node->text.p = lochan_arena__strndup(&doc->arena, from->text.p, from->text.n);
        node->text.n = from->text.n;
        if (!node->text.p)
            return lochan_error__nomem(err);
    }
    lochan_yaml_node *last = NULL;
    for (const lochan_yaml_node *item = from->first; item; item = item->next) {
        lochan_yaml_node *copy;
        LOCHAN_TRY(copy_tree(doc, item, &copy, err));
        if (item->key && !(copy->key = lochan_arena__strdup(&doc->arena, item->key)))
            return lochan_error__nomem(err);
        lochan_yaml__link(node, last, copy);
        last = copy;
    }
    *out = node;
    return LOCHAN_OK;
}

/* The value of `set`: a list or a quoted text as YAML, anything else as it stands (so that "%Y%m%d"
 * and "{start}" need no quotes on a command line). */
static lochan_status parse_value(lochan_yaml *doc, const char *value, lochan_yaml_node **out,
                                 lochan_error *err) {
    size_t n = strlen(value);
    if (value[0] != '[' && value[0] != '"' && value[0] != '\'') {
        if (!lochan_utf8__valid(value, n))
            return lochan_error__set(err, LOCHAN_ERR_SPEC, "the value is not valid UTF-8");
        bool null = n == 0 || strcmp(value, "null") == 0 || strcmp(value, "~") == 0;
        LOCHAN_TRY(lochan_yaml__new_node(doc, null ? LOCHAN_YAML_NULL : LOCHAN_YAML_SCALAR, 0, 0,
                                         out, err));
        (*out)->text.p = lochan_arena__strdup(&doc->arena, value);
        (*out)->text.n = n;
        return (*out)->text.p ? LOCHAN_OK : lochan_error__nomem(err);
    }
    lochan_yaml *parsed;
    LOCHAN_TRY(lochan_yaml__parse(value, n, "value", &parsed, err));
    lochan_status rc = copy_tree(doc, parsed->root, out, err);
    lochan_yaml__free(parsed);
    return rc;
}

/* The entry of that name even if it is null, and the one before it. */
static lochan_yaml_node *find_entry(const lochan_yaml_node *map, lochan_str key,
                                    lochan_yaml_node **before) {
    *before = NULL;
    for (const lochan_yaml_node *n = map->first; n; n = n->next) {
        if (lochan_str__eq(lochan_str__of(n->key), key))
            return writable(n);
        *before = writable(n);
    }
    return NULL;
}

static void unlink_entry(lochan_yaml_node *map, lochan_yaml_node *before,
                         const lochan_yaml_node *entry) {
    if (before)
        before->next = entry->next;
    else
        map->first = entry->next;
    map->count--;
}

/* Puts `node` under `key` in place of an entry of that name, or at the end. */
static void put_entry(lochan_yaml_node *map, const char *key, lochan_yaml_node *node) {
    lochan_yaml_node *before;
    lochan_yaml_node *old = find_entry(map, lochan_str__of(key), &before);
    node->key = key;
    if (!old) {
        lochan_yaml__link(map, last_entry(map), node);
        return;
    }
    node->key_line = old->key_line;
    node->key_column = old->key_column;
    node->parent = map;
    node->next = old->next;
    if (before)
        before->next = node;
    else
        map->first = node;
}

/* The map behind one part of a dotted key, made if missing (with make) or NULL. */
static lochan_status enter(lochan_yaml *doc, lochan_yaml_node *map, lochan_str part, bool make,
                           lochan_yaml_node **out, lochan_error *err) {
    *out = NULL;
    lochan_yaml_node *before;
    lochan_yaml_node *entry = find_entry(map, part, &before);
    if (entry && entry->kind != LOCHAN_YAML_NULL) {
        if (entry->kind != LOCHAN_YAML_MAP)
            return lochan_yaml__error(entry, err, "'%s' is no map, it has no keys to set",
                                      entry->key);
        *out = entry;
        return LOCHAN_OK;
    }
    if (!make)
        return LOCHAN_OK;
    char *key = lochan_arena__strndup(&doc->arena, part.p, part.n);
    if (!key)
        return lochan_error__nomem(err);
    LOCHAN_TRY(lochan_yaml__new_node(doc, LOCHAN_YAML_MAP, 0, 0, out, err));
    put_entry(map, key, *out);
    return LOCHAN_OK;
}

static lochan_status set_in_map(lochan_yaml *doc, lochan_yaml_node *map, const char *dotted_key,
                                const char *value, lochan_error *err) {
    lochan_str rest = lochan_str__of(dotted_key);
    for (int depth = 1;; depth++) {
        const char *dot = memchr(rest.p, '.', rest.n);
        lochan_str part = {rest.p, dot ? (size_t)(dot - rest.p) : rest.n};
        if (part.n == 0 || depth >= LOCHAN_YAML_MAX_DEPTH || !lochan_utf8__valid(part.p, part.n))
            return lochan_error__set(err, LOCHAN_ERR_SPEC, "'%.100s' is no valid key", dotted_key);
        if (!dot) {
            lochan_yaml_node *before, *node, *old = find_entry(map, part, &before);
            if (!value) {
                if (old)
                    unlink_entry(map, before, old);
                return LOCHAN_OK;
            }
            LOCHAN_TRY(parse_value(doc, value, &node, err));
            char *key = lochan_arena__strndup(&doc->arena, part.p, part.n);
            if (!key)
                return lochan_error__nomem(err);
            put_entry(map, key, node);
            return LOCHAN_OK;
        }
        LOCHAN_TRY(enter(doc, map, part, value != NULL, &map, err));
        if (!map)
            return LOCHAN_OK;
        rest = (lochan_str){dot + 1, rest.n - part.n - 1};
    }
}

lochan_status lochan_yaml__set(lochan_yaml *doc, const char *dotted_key, const char *value,
                               lochan_error *err) {
    LOCHAN_CHECK_ARG(doc && dotted_key, err);
    if (doc->root->kind == LOCHAN_YAML_NULL)
        LOCHAN_TRY(lochan_yaml__new_node(doc, LOCHAN_YAML_MAP, 0, 0, &doc->root, err));
    if (doc->root->kind != LOCHAN_YAML_MAP)
        return lochan_yaml__error(doc->root, err, "the spec is no map, it has no keys to set");
    return set_in_map(doc, doc->root, dotted_key, value, err);
}

/* Text that YAML reads back as itself without quotes, whatever stands around it. */
static bool is_plain(lochan_str s) {
    if (s.n == 0 || s.p[s.n - 1] == ':')
        return false;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool word =
            (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
        bool inside =
            c == '.' || c == '/' || c == ':' || c == '+' || (c == '-' && (i > 0 || s.n > 1));
        if (!word && !(inside && (i > 0 || c == '/' || c == '.' || c == '-' || c == '+')))
            return false;
    }
    return strcmp(s.p, "null") != 0 && strcmp(s.p, "---") != 0 && strcmp(s.p, "...") != 0;
}

static lochan_status print_text(lochan_str s, bool quoted, lochan_buf *out, lochan_error *err) {
    if (!quoted && is_plain(s))
        return lochan_buf__append(out, s.p, s.n, err);
    return lochan_buf__json_string(out, s.p, s.n, err);
}

static lochan_status print_node(const lochan_yaml_node *node, int indent, lochan_buf *out,
                                lochan_error *err);

static lochan_status print_indent(int indent, lochan_buf *out, lochan_error *err) {
    return lochan_buf__printf(out, err, "%*s", indent, "");
}

/* What stands behind "key:" or "-": a short value on the same line, a nested one below. */
static lochan_status print_entry(const lochan_yaml_node *node, int indent, lochan_buf *out,
                                 lochan_error *err) {
    bool nested = node->count > 0;
    LOCHAN_TRY(lochan_buf__putc(out, nested ? '\n' : ' ', err));
    LOCHAN_TRY(print_node(node, indent + 2, out, err));
    return nested ? LOCHAN_OK : lochan_buf__putc(out, '\n', err);
}

static lochan_status print_node(const lochan_yaml_node *node, int indent, lochan_buf *out,
                                lochan_error *err) {
    switch (node->kind) {
    case LOCHAN_YAML_NULL:
        return lochan_buf__puts(out, "null", err);
    case LOCHAN_YAML_SCALAR:
        return print_text(node->text, node->quoted, out, err);
    case LOCHAN_YAML_LIST:
        if (node->count == 0)
            return lochan_buf__puts(out, "[]", err);
        for (const lochan_yaml_node *item = node->first; item; item = item->next) {
            LOCHAN_TRY(print_indent(indent, out, err));
            LOCHAN_TRY(lochan_buf__putc(out, '-', err));
            LOCHAN_TRY(print_entry(item, indent, out, err));
        }
        return LOCHAN_OK;
    case LOCHAN_YAML_MAP:
        if (node->count == 0)
            return lochan_buf__puts(out, "{}", err);
        for (const lochan_yaml_node *item = node->first; item; item = item->next) {
            LOCHAN_TRY(print_indent(indent, out, err));
            LOCHAN_TRY(print_text(lochan_str__of(item->key), false, out, err));
            LOCHAN_TRY(lochan_buf__putc(out, ':', err));
            LOCHAN_TRY(print_entry(item, indent, out, err));
        }
        return LOCHAN_OK;
    }
    return LOCHAN_OK;
}

lochan_status lochan_yaml__print(const lochan_yaml_node *node, lochan_buf *out, lochan_error *err) {
    LOCHAN_TRY(print_node(node, 0, out, err));
    return node->count > 0 ? LOCHAN_OK : lochan_buf__putc(out, '\n', err);
}
