/* body.c - a body's tree: copied from YAML, filled and written as JSON.
 * Invariants: what is written is valid JSON whatever the values hold; depth is bounded by that of a
 * YAML document. May call: base/, yaml.h, request.h.
 */
#include "source/body.h"

enum body_kind { BODY_TEXT, BODY_RAW, BODY_LIST, BODY_MAP };

struct lochan_body_node {
    enum body_kind kind;
    const char *key;  /* in a map */
    const char *text; /* template of TEXT, JSON of RAW (number, bool, null) */
    const lochan_body_node *first, *next;
};

/* ---- from YAML ---- */

static bool is_json_word(lochan_str s) {
    double ignored;
    if (lochan_str__eq(s, LOCHAN_STR("true")) || lochan_str__eq(s, LOCHAN_STR("false")))
        return true;
    bool leading_zero = s.n > 1 && s.p[0] == '0' && s.p[1] >= '0' && s.p[1] <= '9';
    bool digits_outside =
        s.n > 0 && s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9' &&
        ((s.p[0] >= '0' && s.p[0] <= '9') || (s.p[0] == '-' && s.n > 1 && s.p[1] != '.'));
    return digits_outside && !leading_zero && lochan_parse__double(s.p, s.n, false, &ignored);
}

static lochan_status check_types(const lochan_yaml_node *node, const char *text,
                                 lochan_error *err) {
    static const char *const types[] = {"int", "number", "bool", "list"};
    lochan_str name, type;
    for (; *text; text++) {
        if (lochan_source__placeholder(text, &name, &type) == 0 || type.n == 0)
            continue;
        bool known = false;
        for (size_t i = 0; i < LOCHAN_COUNTOF(types); i++)
            known |= lochan_str__eq(type, lochan_str__of(types[i]));
        if (!known)
            return lochan_yaml__error(node, err,
                                      "{%.*s:%.*s}: the types of placeholders are int, number, "
                                      "bool and list",
                                      (int)name.n, name.p, (int)type.n, type.p);
    }
    return LOCHAN_OK;
}

static lochan_status copy_children(const lochan_yaml_node *node, lochan_arena *arena,
                                   lochan_body_node *out, lochan_error *err) {
    const lochan_body_node **at = &out->first;
    for (const lochan_yaml_node *child = node->first; child; child = child->next) {
        const lochan_body_node *copy;
        LOCHAN_TRY(lochan_body__from_yaml(child, arena, &copy, err));
        *at = copy;
        at = &((lochan_body_node *)(uintptr_t)copy)->next;
    }
    return LOCHAN_OK;
}

lochan_status lochan_body__from_yaml(const lochan_yaml_node *node, lochan_arena *arena,
                                     const lochan_body_node **out, lochan_error *err) {
    *out = NULL;
    lochan_body_node *copy = lochan_arena__alloc(arena, sizeof(*copy));
    if (!copy)
        return lochan_error__nomem(err);
    if (node->key && !(copy->key = lochan_arena__strdup(arena, node->key)))
        return lochan_error__nomem(err);
    if (node->kind == LOCHAN_YAML_MAP || node->kind == LOCHAN_YAML_LIST) {
        copy->kind = node->kind == LOCHAN_YAML_MAP ? BODY_MAP : BODY_LIST;
        LOCHAN_TRY(copy_children(node, arena, copy, err));
    } else {
        bool null = node->kind == LOCHAN_YAML_NULL;
        copy->kind = null || (!node->quoted && is_json_word(node->text)) ? BODY_RAW : BODY_TEXT;
        copy->text = null ? "null" : lochan_arena__strndup(arena, node->text.p, node->text.n);
        if (!copy->text)
            return lochan_error__nomem(err);
        LOCHAN_TRY(check_types(node, copy->text, err));
    }
    *out = copy;
    return LOCHAN_OK;
}

lochan_status lochan_body__add_text(const lochan_body_node **tree, lochan_arena *arena,
                                    const char *key, const char *text, bool *taken,
                                    lochan_error *err) {
    *taken = *tree && (*tree)->kind != BODY_MAP;
    bool map_there = *tree && !*taken;
    for (const lochan_body_node *child = map_there ? (*tree)->first : NULL; child;
         child = child->next)
        *taken |= strcmp(child->key, key) == 0;
    if (*taken)
        return LOCHAN_OK;
    lochan_body_node *map = lochan_arena__alloc(arena, sizeof(*map));
    lochan_body_node *entry = lochan_arena__alloc(arena, sizeof(*entry));
    if (!map || !entry)
        return lochan_error__nomem(err);
    *entry = (lochan_body_node){.kind = BODY_TEXT, .key = key, .text = text};
    *map = *tree ? **tree : (lochan_body_node){.kind = BODY_MAP};
    entry->next = map->first;
    map->first = entry;
    *tree = map;
    return LOCHAN_OK;
}

static bool text_uses(const char *text, const char *name) {
    lochan_str found, type;
    for (; *text; text++)
        if (lochan_source__placeholder(text, &found, &type) > 0 &&
            lochan_str__eq(found, lochan_str__of(name)))
            return true;
    return false;
}

bool lochan_body__uses(const lochan_body_node *tree, const char *name) {
    if (!tree)
        return false;
    if (tree->kind == BODY_TEXT)
        return text_uses(tree->text, name);
    for (const lochan_body_node *child = tree->first; child; child = child->next)
        if (lochan_body__uses(child, name))
            return true;
    return false;
}

bool lochan_body__takes_params(const lochan_source_spec *spec) {
    return lochan_body__uses(spec->body_tree, "params") ||
           (spec->body && text_uses(spec->body, "params"));
}

/* ---- to JSON ---- */

static lochan_status put_list(const char *value, lochan_buf *out, lochan_error *err) {
    LOCHAN_TRY(lochan_buf__putc(out, '[', err));
    while (*value) {
        size_t n = strcspn(value, ",");
        LOCHAN_TRY(lochan_buf__json_string(out, value, n, err));
        value += n;
        if (*value == ',') {
            LOCHAN_TRY(lochan_buf__putc(out, ',', err));
            value++;
        }
    }
    return lochan_buf__putc(out, ']', err);
}

static lochan_status put_typed(lochan_str name, lochan_str type, const char *value, lochan_buf *out,
                               lochan_error *err) {
    lochan_str text = lochan_str__of(value);
    int64_t ignored;
    bool fits = lochan_str__eq(type, LOCHAN_STR("int"))
                    ? lochan_parse__int64(text.p, text.n, &ignored) && is_json_word(text)
                : lochan_str__eq(type, LOCHAN_STR("number"))
                    ? is_json_word(text) && text.p[0] < 'a'
                    : is_json_word(text) && text.p[0] > '9';
    if (lochan_str__eq(type, LOCHAN_STR("list")))
        return put_list(value, out, err);
    if (!fits)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "{%.*s:%.*s}: '%.40s' is no %.*s", (int)name.n, name.p,
                                 (int)type.n, type.p, value, (int)type.n, type.p);
    return lochan_buf__puts(out, value, err);
}

/* One string of the template as a value of JSON. */
static lochan_status put_text(const char *text, lochan_filler *f, lochan_buf *out,
                              lochan_error *err) {
    lochan_str name, type;
    size_t n = lochan_source__placeholder(text, &name, &type);
    f->missing = (lochan_str){NULL, 0};
    if (n > 0 && text[n] == '\0' && lochan_str__eq(name, LOCHAN_STR("params")))
        return lochan_body__put_params(f, out, err);
    if (n > 0 && text[n] == '\0' && type.n > 0) {
        const char *value = lochan_source__find_value(f, name);
        if (value)
            return put_typed(name, type, value, out, err);
        f->missing = name;
        return LOCHAN_OK;
    }
    LOCHAN_TRY(lochan_buf__putc(out, '"', err));
    for (const char *p = text; *p && !f->missing.p;) { /* literal parts are escaped, too */
        size_t length = lochan_source__placeholder(p, &name, &type);
        char piece[128];
        if (length > 0 && length < sizeof(piece)) {
            lochan_format(piece, sizeof(piece), "%.*s", (int)length, p);
            LOCHAN_TRY(lochan_source__fill(f, LOCHAN_IN_JSON, piece, out, err));
        } else {
            length = 1 + strcspn(p + 1, "{");
            size_t before = out->len;
            LOCHAN_TRY(lochan_buf__json_string(out, p, length, err));
            memmove(out->data + before, out->data + before + 1, out->len - before - 2);
            out->len -= 2;
        }
        p += length;
    }
    return lochan_buf__putc(out, '"', err);
}

static void cut_back(lochan_buf *out, size_t len) {
    out->len = len;
    out->data[len] = '\0';
}

/* `"key": ` of an entry; *any: there was one before. */
static lochan_status put_key(const char *key, bool any, lochan_buf *out, lochan_error *err) {
    if (any)
        LOCHAN_TRY(lochan_buf__putc(out, ',', err));
    if (!key)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__json_string(out, key, strlen(key), err));
    return lochan_buf__putc(out, ':', err);
}

lochan_status lochan_body__put_params(lochan_filler *f, lochan_buf *out, lochan_error *err) {
    lochan_filler inner = *f; /* parameters hold no parameters */
    inner.n_extra = 0;
    bool any = false;
    LOCHAN_TRY(lochan_buf__putc(out, '{', err));
    for (size_t i = 0; i < f->n_extra; i++) {
        size_t before = out->len;
        if (lochan_source__is_replaced(f->extra, f->n_extra, i))
            continue;
        LOCHAN_TRY(put_key(f->extra[i].name, any, out, err));
        LOCHAN_TRY(put_text(f->extra[i].value, &inner, out, err));
        if (inner.missing.p)
            cut_back(out, before);
        else
            any = true;
    }
    return lochan_buf__putc(out, '}', err);
}

lochan_status lochan_body__fill(const lochan_body_node *tree, lochan_filler *f, lochan_buf *out,
                                lochan_error *err) {
    f->missing = (lochan_str){NULL, 0};
    if (tree->kind == BODY_RAW)
        return lochan_buf__puts(out, tree->text, err);
    if (tree->kind == BODY_TEXT)
        return put_text(tree->text, f, out, err);
    bool any = false, map = tree->kind == BODY_MAP;
    LOCHAN_TRY(lochan_buf__putc(out, map ? '{' : '[', err));
    for (const lochan_body_node *child = tree->first; child; child = child->next) {
        size_t before = out->len;
        LOCHAN_TRY(put_key(child->key, any, out, err));
        LOCHAN_TRY(lochan_body__fill(child, f, out, err));
        if (f->missing.p)
            cut_back(out, before);
        else
            any = true;
    }
    f->missing = (lochan_str){NULL, 0};
    return lochan_buf__putc(out, map ? '}' : ']', err);
}
