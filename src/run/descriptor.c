/* descriptor.c - see descriptor.h.
 * Invariant: whatever the text says, a descriptor that comes back can be stored. May call: base/,
 * arrow/, source/yaml.h.
 */
#include "run/descriptor.h"

#include "base/mem.h"
#include "source/yaml.h"

#include <strings.h>

enum { MAX_DEPTH = 16, MAX_COLUMNS = 2000 };

typedef struct parser {
    lochan_run_descriptor *d;
    lochan_error *err;
} parser;

/* ---- types ---- */

static const struct {
    const char *name, *type;
} short_names[] = {
    {"i64", "int64"}, {"i32", "int32"}, {"f64", "float64"}, {"f32", "float32"}, {"str", "string"}};

static lochan_status set_open(struct ArrowSchema *field, lochan_error *err) {
    return lochan_schema__set_metadata(field, LOCHAN_RUN_OPEN, "1", err);
}

bool lochan_run_field__is_open(const struct ArrowSchema *field) {
    const char *value;
    size_t n;
    return lochan_schema__get_metadata(field, LOCHAN_RUN_OPEN, &value, &n) && value;
}

static lochan_status make_type(const lochan_yaml_node *at, const char *name, size_t len,
                               const lochan_yaml_node *fields, bool open, const char *field_name,
                               bool nullable, int depth, struct ArrowSchema *out,
                               lochan_error *err);

/* One field of a struct: a type name, or a map with type and fields. Fields of structs may always
 * be null. */
static lochan_status make_field(const lochan_yaml_node *node, int depth, struct ArrowSchema *out,
                                lochan_error *err) {
    static const char *const known[] = {"type", "fields", "open"};
    const char *type = NULL;
    bool open = false;
    const lochan_yaml_node *fields = NULL;
    if (node->kind == LOCHAN_YAML_MAP) {
        const lochan_yaml_node *t;
        LOCHAN_TRY(lochan_yaml__check_keys(node, known, LOCHAN_COUNTOF(known), err));
        LOCHAN_TRY(lochan_yaml__require(node, "type", &t, err));
        LOCHAN_TRY(lochan_yaml__to_string(t, &type, err));
        LOCHAN_TRY(lochan_yaml__get_bool(node, "open", &open, err));
        fields = lochan_yaml__get(node, "fields");
    } else {
        LOCHAN_TRY(lochan_yaml__to_string(node, &type, err));
    }
    return make_type(node, type, strlen(type), fields, open, node->key, true, depth, out, err);
}

static lochan_status make_struct(const lochan_yaml_node *fields, bool open, const char *field_name,
                                 bool nullable, int depth, struct ArrowSchema *out,
                                 lochan_error *err) {
    const lochan_type type = {.id = LOCHAN_TYPE_STRUCT};
    if (fields)
        LOCHAN_TRY(lochan_yaml__expect(fields, LOCHAN_YAML_MAP, err));
    size_t n = fields ? fields->count : 0;
    LOCHAN_TRY(lochan_schema__set_nested(out, field_name, &type, nullable, (int64_t)n, err));
    if (n == 0 || open)
        LOCHAN_TRY(set_open(out, err));
    size_t i = 0;
    for (const lochan_yaml_node *f = fields ? fields->first : NULL; f; f = f->next, i++) {
        for (size_t j = 0; j < i; j++)
            if (strcasecmp(out->children[j]->name, f->key) == 0)
                return lochan_yaml__key_error(f, err, "field '%s' is there twice", f->key);
        LOCHAN_TRY(make_field(f, depth + 1, out->children[i], err));
    }
    return LOCHAN_OK;
}

static lochan_status make_flat(const lochan_yaml_node *at, const char *name, const char *field_name,
                               bool nullable, struct ArrowSchema *out, lochan_error *err) {
    lochan_type type;
    const char *full = name;
    for (size_t i = 0; i < LOCHAN_COUNTOF(short_names); i++)
        if (strcmp(short_names[i].name, name) == 0)
            full = short_names[i].type;
    if (lochan_type__from_name(full, &type, NULL) != LOCHAN_OK || type.id == LOCHAN_TYPE_NULL ||
        lochan_type__is_nested(type.id))
        return lochan_yaml__error(at, err,
                                  "there is no type '%.60s'; there are i64, f64, str, bool, date, "
                                  "timestamp[us], struct, list[TYPE] and the like",
                                  name);
    if (type.id == LOCHAN_TYPE_LARGE_STRING || type.id == LOCHAN_TYPE_STRING_VIEW)
        type.id = LOCHAN_TYPE_STRING;
    return lochan_schema__set_field(out, field_name, &type, nullable, err);
}

static lochan_status make_type(const lochan_yaml_node *at, const char *name, size_t len,
                               const lochan_yaml_node *fields, bool open, const char *field_name,
                               bool nullable, int depth, struct ArrowSchema *out,
                               lochan_error *err) {
    char text[80];
    if (depth > MAX_DEPTH)
        return lochan_yaml__error(at, err, "types are nested more than %d deep", MAX_DEPTH);
    if (len > 5 && strncmp(name, "list[", 5) == 0 && name[len - 1] == ']') {
        const lochan_type list = {.id = LOCHAN_TYPE_LIST};
        LOCHAN_TRY(lochan_schema__set_nested(out, field_name, &list, nullable, 1, err));
        return make_type(at, name + 5, len - 6, fields, open, "element", true, depth + 1,
                         out->children[0], err);
    }
    if (len == 6 && strncmp(name, "struct", 6) == 0)
        return make_struct(fields, open, field_name, nullable, depth, out, err);
    if (fields)
        return lochan_yaml__error(fields, err, "only structs have fields");
    if (!lochan_format(text, sizeof text, "%.*s", (int)len, name))
        return lochan_yaml__error(at, err, "the name of the type is too long");
    return make_flat(at, text, field_name, nullable, out, err);
}

/* ---- columns ---- */

static lochan_status copy_strings(parser *p, const lochan_yaml_node *map, const char *key,
                                  const char *const **out, size_t *n) {
    const char *const *list = NULL;
    *n = 0;
    LOCHAN_TRY(lochan_yaml__get_strings(map, key, &list, n, p->err));
    const char **own = lochan_arena__array(&p->d->arena, *n + 1, sizeof *own);
    for (size_t i = 0; own && i < *n; i++) {
        own[i] = lochan_arena__strdup(&p->d->arena, list[i]);
        if (!own[i])
            own = NULL;
    }
    *out = own;
    return own ? LOCHAN_OK : lochan_error__nomem(p->err);
}

static lochan_status read_open(parser *p, const lochan_yaml_node *node, lochan_run_column *c,
                               bool *open) {
    const lochan_yaml_node *o = lochan_yaml__get(node, "open");
    if (!o)
        return LOCHAN_OK;
    if (o->kind == LOCHAN_YAML_SCALAR && lochan_str__eq(o->text, LOCHAN_STR("json"))) {
        c->json = true;
        return LOCHAN_OK;
    }
    return lochan_yaml__to_bool(o, open, p->err);
}

static lochan_status check_name(parser *p, const lochan_yaml_node *node) {
    const char *name = node->key;
    size_t n = strlen(name);
    if (n == 0 || n > 255 || !lochan_utf8__valid(name, n))
        return lochan_yaml__key_error(node, p->err, "a column's name is 1 to 255 bytes of UTF-8");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)name[i] < 32 || name[i] == 127)
            return lochan_yaml__key_error(node, p->err, "a column's name has a control character");
    if (strcasecmp(name, LOCHAN_RUN_ID) == 0)
        return lochan_yaml__key_error(node, p->err, "column %s is there by itself", LOCHAN_RUN_ID);
    for (size_t i = 0; i < p->d->n; i++)
        if (strcasecmp(p->d->columns[i].name, name) == 0)
            return lochan_yaml__key_error(node, p->err, "column '%s' is there twice", name);
    return LOCHAN_OK;
}

static lochan_status check_tick(parser *p, const lochan_yaml_node *node,
                                const lochan_run_column *c) {
    bool special = strcmp(c->name, LOCHAN_RUN_TICK) == 0 || strcmp(c->name, LOCHAN_RUN_BUCKET) == 0;
    if (special &&
        (strcmp(c->field->format, "l") != 0 || !c->required || c->nullable || c->n_values > 0))
        return lochan_yaml__error(node, p->err, "column %s must be a plain i64", c->name);
    return LOCHAN_OK;
}

static lochan_status read_column(parser *p, const lochan_yaml_node *node,
                                 struct ArrowSchema *field) {
    static const char *const known[] = {"type",   "required", "nullable",   "values",
                                        "fields", "open",     "description"};
    lochan_run_column *c = &p->d->columns[p->d->n];
    const lochan_yaml_node *fields = NULL, *type_node = node;
    const char *type = NULL;
    bool open = false;
    LOCHAN_TRY(check_name(p, node));
    c->name = lochan_arena__strdup(&p->d->arena, node->key);
    if (!c->name)
        return lochan_error__nomem(p->err);
    if (node->kind == LOCHAN_YAML_MAP) {
        LOCHAN_TRY(lochan_yaml__check_keys(node, known, LOCHAN_COUNTOF(known), p->err));
        LOCHAN_TRY(lochan_yaml__require(node, "type", &type_node, p->err));
        LOCHAN_TRY(lochan_yaml__get_bool(node, "nullable", &c->nullable, p->err));
        c->required = !c->nullable;
        LOCHAN_TRY(lochan_yaml__get_bool(node, "required", &c->required, p->err));
        LOCHAN_TRY(copy_strings(p, node, "values", &c->values, &c->n_values));
        LOCHAN_TRY(read_open(p, node, c, &open));
        fields = lochan_yaml__get(node, "fields");
    } else {
        c->required = true;
    }
    LOCHAN_TRY(lochan_yaml__to_string(type_node, &type, p->err));
    bool nested = strncmp(type, "struct", 6) == 0 || strncmp(type, "list[", 5) == 0;
    if ((open || c->json) && !nested)
        return lochan_yaml__error(node, p->err, "only a struct or a list can be open");
    if (c->n_values > 0 && nested)
        return lochan_yaml__error(node, p->err, "only flat columns can list their values");
    if (c->json && fields)
        return lochan_yaml__error(fields, p->err, "a column kept as JSON declares no fields");
    /* Nullable in the table itself: what is required is checked at each append, so that a later
     * descriptor may ask for less. */
    bool may_be_null =
        strcmp(c->name, LOCHAN_RUN_TICK) != 0 && strcmp(c->name, LOCHAN_RUN_BUCKET) != 0;
    if (c->json)
        type = "string";
    LOCHAN_TRY(make_type(type_node, type, strlen(type), fields, open, c->name, may_be_null, 0,
                         field, p->err));
    c->field = field;
    p->d->n++;
    return check_tick(p, node, c);
}

/* `bucket` comes first whether it is declared or not. */
static lochan_status read_columns(parser *p, const lochan_yaml_node *columns) {
    const lochan_type int64 = {.id = LOCHAN_TYPE_INT64};
    LOCHAN_TRY(lochan_yaml__expect(columns, LOCHAN_YAML_MAP, p->err));
    if (columns->count > MAX_COLUMNS)
        return lochan_yaml__error(columns, p->err, "more than %d columns", MAX_COLUMNS);
    bool declared = lochan_yaml__get(columns, LOCHAN_RUN_BUCKET) != NULL;
    size_t n = columns->count + !declared;
    LOCHAN_TRY(lochan_schema__init_struct(&p->d->schema, (int64_t)n, p->err));
    p->d->columns = lochan_arena__array(&p->d->arena, n, sizeof *p->d->columns);
    if (!p->d->columns)
        return lochan_error__nomem(p->err);
    if (!declared) {
        struct ArrowSchema *field = p->d->schema.children[0];
        LOCHAN_TRY(lochan_schema__set_field(field, LOCHAN_RUN_BUCKET, &int64, false, p->err));
        p->d->columns[p->d->n++] =
            (lochan_run_column){.name = LOCHAN_RUN_BUCKET, .field = field, .required = true};
    }
    for (int pass = declared ? 0 : 1; pass < 2; pass++) {
        for (const lochan_yaml_node *c = columns->first; c; c = c->next) {
            bool is_bucket = strcmp(c->key, LOCHAN_RUN_BUCKET) == 0;
            if (is_bucket == (pass == 0))
                LOCHAN_TRY(read_column(p, c, p->d->schema.children[p->d->n]));
        }
    }
    if (lochan_run_descriptor__find(p->d, LOCHAN_RUN_TICK) < 0)
        return lochan_yaml__error(columns, p->err, "a run table needs the column tick: i64");
    return LOCHAN_OK;
}

/* ---- rules ---- */

static lochan_status find_column(parser *p, const lochan_yaml_node *at, const char *name,
                                 int *out) {
    *out = lochan_run_descriptor__find(p->d, name);
    if (*out >= 0)
        return LOCHAN_OK;
    return lochan_yaml__error(at, p->err, "there is no column '%.100s'", name);
}

static lochan_status read_rule(parser *p, const lochan_yaml_node *node, lochan_run_rule *rule) {
    static const char *const known[] = {"when", "is", "require"};
    const char *when = NULL;
    const char *const *names;
    const lochan_yaml_node *when_node, *is_node, *require_node;
    LOCHAN_TRY(lochan_yaml__expect(node, LOCHAN_YAML_MAP, p->err));
    LOCHAN_TRY(lochan_yaml__check_keys(node, known, LOCHAN_COUNTOF(known), p->err));
    LOCHAN_TRY(lochan_yaml__require(node, "when", &when_node, p->err));
    LOCHAN_TRY(lochan_yaml__require(node, "is", &is_node, p->err));
    LOCHAN_TRY(lochan_yaml__require(node, "require", &require_node, p->err));
    LOCHAN_TRY(lochan_yaml__to_string(when_node, &when, p->err));
    LOCHAN_TRY(find_column(p, when_node, when, &rule->when));
    if (p->d->columns[rule->when].field->n_children > 0)
        return lochan_yaml__error(when_node, p->err, "a rule looks at a flat column");
    LOCHAN_TRY(copy_strings(p, node, "is", &rule->is, &rule->n_is));
    LOCHAN_TRY(copy_strings(p, node, "require", &names, &rule->n_require));
    int *columns = lochan_arena__array(&p->d->arena, rule->n_require + 1, sizeof *columns);
    if (!columns)
        return lochan_error__nomem(p->err);
    for (size_t i = 0; i < rule->n_require; i++)
        LOCHAN_TRY(find_column(p, require_node, names[i], &columns[i]));
    rule->require = columns;
    return LOCHAN_OK;
}

static lochan_status read_rules(parser *p, const lochan_yaml_node *rules) {
    if (!rules)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_yaml__expect(rules, LOCHAN_YAML_LIST, p->err));
    p->d->rules = lochan_arena__array(&p->d->arena, rules->count + 1, sizeof *p->d->rules);
    if (!p->d->rules)
        return lochan_error__nomem(p->err);
    for (const lochan_yaml_node *r = rules->first; r; r = r->next)
        LOCHAN_TRY(read_rule(p, r, &p->d->rules[p->d->n_rules++]));
    return LOCHAN_OK;
}

/* ---- the whole ---- */

static lochan_status read_text(parser *p, const lochan_yaml_node *map, const char *key,
                               const char **out) {
    const char *text = "";
    LOCHAN_TRY(lochan_yaml__get_string(map, key, &text, p->err));
    *out = lochan_arena__strdup(&p->d->arena, text);
    return *out ? LOCHAN_OK : lochan_error__nomem(p->err);
}

static lochan_status read_root(parser *p, const lochan_yaml_node *root) {
    static const char *const known[] = {"name", "version", "description", "columns", "rules"};
    const lochan_yaml_node *name, *columns;
    LOCHAN_TRY(lochan_yaml__expect(root, LOCHAN_YAML_MAP, p->err));
    LOCHAN_TRY(lochan_yaml__check_keys(root, known, LOCHAN_COUNTOF(known), p->err));
    LOCHAN_TRY(lochan_yaml__require(root, "name", &name, p->err));
    LOCHAN_TRY(lochan_yaml__require(root, "columns", &columns, p->err));
    LOCHAN_TRY(read_text(p, root, "name", &p->d->name));
    lochan_error seen;
    lochan_error_init(&seen);
    if (lochan_name__check("table", p->d->name, &seen) != LOCHAN_OK)
        return lochan_yaml__error(name, p->err, "%s", seen.message);
    LOCHAN_TRY(read_text(p, root, "version", &p->d->version));
    LOCHAN_TRY(read_text(p, root, "description", &p->d->description));
    LOCHAN_TRY(read_columns(p, columns));
    return read_rules(p, lochan_yaml__get(root, "rules"));
}

lochan_status lochan_run_descriptor__parse(const char *yaml, size_t size, const char *file,
                                           lochan_run_descriptor **out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_yaml *doc = NULL;
    *out = NULL;
    lochan_run_descriptor *d = lochan_mem__zalloc(sizeof *d);
    if (!d)
        return lochan_error__nomem(err);
    parser p = {d, err};
    lochan_arena__init(&d->arena, 0);
    LOCHAN_TRYG(lochan_yaml__parse(yaml, size, file, &doc, err));
    LOCHAN_TRYG(read_root(&p, lochan_yaml__root(doc)));
    *out = d;
    d = NULL;
done:
    lochan_yaml__free(doc);
    lochan_run_descriptor__free(d);
    return rc;
}

void lochan_run_descriptor__free(lochan_run_descriptor *d) {
    if (!d)
        return;
    lochan_schema__release(&d->schema);
    lochan_arena__deinit(&d->arena);
    lochan_mem__free(d);
}

int lochan_run_descriptor__find(const lochan_run_descriptor *d, const char *name) {
    for (size_t i = 0; i < d->n; i++)
        if (strcmp(d->columns[i].name, name) == 0)
            return (int)i;
    return -1;
}

void lochan_run_descriptor__hint_column(const lochan_run_descriptor *d, const char *name,
                                        lochan_error *err) {
    const char **names = lochan_mem__array(d->n, sizeof *names);
    for (size_t i = 0; names && i < d->n; i++)
        names[i] = d->columns[i].name;
    const char *near = names ? lochan_name__nearest(name, names, d->n) : NULL;
    if (near)
        lochan_error__hint(err, "did you mean %s?", near);
    lochan_mem__free(names);
}

lochan_status lochan_run_field__type_name(const struct ArrowSchema *field, lochan_buf *out,
                                          lochan_error *err) {
    lochan_type type;
    char name[80];
    LOCHAN_TRY(lochan_type__parse(field->dictionary ? field->dictionary->format : field->format,
                                  &type, err));
    if ((type.id == LOCHAN_TYPE_LIST || type.id == LOCHAN_TYPE_LARGE_LIST) &&
        field->n_children == 1) {
        LOCHAN_TRY(lochan_buf__puts(out, "list[", err));
        LOCHAN_TRY(lochan_run_field__type_name(field->children[0], out, err));
        return lochan_buf__putc(out, ']', err);
    }
    if (type.id == LOCHAN_TYPE_STRUCT) {
        LOCHAN_TRY(lochan_buf__puts(out, field->n_children ? "struct{" : "struct", err));
        for (int64_t i = 0; i < field->n_children; i++) {
            LOCHAN_TRY(
                lochan_buf__printf(out, err, "%s%s: ", i ? ", " : "", field->children[i]->name));
            LOCHAN_TRY(lochan_run_field__type_name(field->children[i], out, err));
        }
        return field->n_children ? lochan_buf__putc(out, '}', err) : LOCHAN_OK;
    }
    lochan_type__name(&type, name);
    for (size_t i = 0; i < LOCHAN_COUNTOF(short_names); i++)
        if (strcmp(short_names[i].type, name) == 0)
            return lochan_buf__puts(out, short_names[i].name, err);
    return lochan_buf__puts(out, name, err);
}
