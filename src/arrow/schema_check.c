/* schema_check.c - checks of schemas from outside, and comparison of two schemas.
 * Invariant: check looks at nothing it has not found present before; it ends on any input, circular
 * ones too. May call: base/, type.h.
 */
#include "arrow/schema_own.h"
#include "base/str.h"

#define MAX_DEPTH 64
/* A tree that shares nodes can be huge though its memory is small. */
#define MAX_NODES 1000000

/* Where the walk is, for messages. */
typedef struct place {
    const struct place *up;
    const char *name;
    int depth;
} place;

typedef struct walk {
    int64_t nodes;
    lochan_error *err;
} walk;

/* "a.b.c": the way from the outermost column down; its end is kept if it is too long. */
static void path_of(const place *at, char dst[128]) {
    char rest[128];
    dst[0] = '\0';
    for (; at && at->up; at = at->up) {
        memcpy(rest, dst, sizeof rest);
        if (!lochan_format(dst, 128, rest[0] ? "%.60s.%s" : "%.120s%s", at->name, rest))
            return;
    }
}

static lochan_status fail(const walk *w, const place *at, lochan_status code, const char *what) {
    char path[128];
    path_of(at, path);
    lochan_error__set(w->err, code, "schema: column '%s': %s", path, what);
    return lochan_error__in_table(w->err, code, NULL, path, -1);
}

static int64_t children_wanted(const lochan_type *type, int64_t have) {
    switch (type->id) {
    case LOCHAN_TYPE_STRUCT:
        return have;
    case LOCHAN_TYPE_LIST:
    case LOCHAN_TYPE_LARGE_LIST:
    case LOCHAN_TYPE_FIXED_LIST:
    case LOCHAN_TYPE_MAP:
        return 1;
    default:
        return 0;
    }
}

static lochan_status check_head(walk *w, const struct ArrowSchema *schema, const place *at,
                                lochan_type *type) {
    size_t n;
    if (at->depth > MAX_DEPTH)
        return fail(w, at, LOCHAN_ERR_DATA, "nested deeper than 64 levels");
    if (++w->nodes > MAX_NODES)
        return fail(w, at, LOCHAN_ERR_DATA, "more than a million fields");
    if (!schema->release)
        return fail(w, at, LOCHAN_ERR_DATA, "the schema was released");
    if (schema->name && !lochan_utf8__valid(schema->name, strlen(schema->name)))
        return fail(w, at, LOCHAN_ERR_DATA, "the name is not UTF-8");
    if (schema->metadata && !lochan_schema__metadata_size(schema->metadata, &n))
        return fail(w, at, LOCHAN_ERR_DATA, "the metadata are damaged");
    lochan_status rc = lochan_type__parse(schema->format, type, w->err);
    if (rc != LOCHAN_OK) {
        char path[128];
        path_of(at, path);
        lochan_error__prefix(w->err, rc, "schema: column '%s'", path);
        return lochan_error__in_table(w->err, rc, NULL, path, -1);
    }
    if (schema->n_children < 0 || schema->n_children > LOCHAN_SCHEMA_MAX_CHILDREN ||
        schema->n_children != children_wanted(type, schema->n_children))
        return fail(w, at, LOCHAN_ERR_DATA, "wrong number of children");
    if (schema->n_children > 0 && !schema->children)
        return fail(w, at, LOCHAN_ERR_DATA, "the children are missing");
    return LOCHAN_OK;
}

static lochan_status check_dictionary(walk *w, const struct ArrowSchema *schema, const place *at,
                                      const lochan_type *type) {
    if (!lochan_type__is_integer(type->id))
        return fail(w, at, LOCHAN_ERR_DATA, "dictionary keys are no integers");
    if (schema->dictionary->dictionary)
        return fail(w, at, LOCHAN_ERR_UNSUPPORTED, "a dictionary of dictionaries");
    return LOCHAN_OK;
}

static lochan_status check_map(walk *w, const struct ArrowSchema *schema, const place *at) {
    const struct ArrowSchema *entries = schema->children[0];
    if (!entries->format || strcmp(entries->format, "+s") != 0 || entries->n_children != 2)
        return fail(w, at, LOCHAN_ERR_DATA, "map entries are no struct of key and value");
    return LOCHAN_OK;
}

static lochan_status check_at(walk *w, const struct ArrowSchema *schema, const place *at) {
    lochan_type type;
    LOCHAN_TRY(check_head(w, schema, at, &type));
    for (int64_t i = 0; i < schema->n_children; i++) {
        const struct ArrowSchema *child = schema->children[i];
        if (!child)
            return fail(w, at, LOCHAN_ERR_DATA, "a child is missing");
        place down = {at, child->name ? child->name : "", at->depth + 1};
        LOCHAN_TRY(check_at(w, child, &down));
    }
    if (type.id == LOCHAN_TYPE_MAP)
        LOCHAN_TRY(check_map(w, schema, at));
    if (schema->dictionary) {
        LOCHAN_TRY(check_dictionary(w, schema, at, &type));
        place down = {at, "(dictionary)", at->depth + 1};
        LOCHAN_TRY(check_at(w, schema->dictionary, &down));
    }
    return LOCHAN_OK;
}

lochan_status lochan_schema__check(const struct ArrowSchema *schema, lochan_error *err) {
    walk w = {0, err};
    place root = {NULL, "", 0};
    if (!schema)
        return lochan_error__set(err, LOCHAN_ERR_DATA, "schema: missing");
    return check_at(&w, schema, &root);
}

static lochan_status differ(const place *at, lochan_error *err, const char *expected,
                            const char *got) {
    char path[128];
    path_of(at, path);
    lochan_error__set(err, LOCHAN_ERR_SCHEMA, "column '%s': expected %s, got %s", path, expected,
                      got);
    return lochan_error__in_table(err, LOCHAN_ERR_SCHEMA, NULL, path, -1);
}

static lochan_status compare_types(const struct ArrowSchema *x, const struct ArrowSchema *y,
                                   const place *at, lochan_type *type, lochan_error *err) {
    lochan_type other;
    char expected[96];
    char got[96];
    LOCHAN_TRY(lochan_type__parse(x->format, type, err));
    LOCHAN_TRY(lochan_type__parse(y->format, &other, err));
    if (!x->dictionary != !y->dictionary)
        return differ(at, err, x->dictionary ? "a dictionary" : "no dictionary",
                      y->dictionary ? "a dictionary" : "none");
    if (!lochan_type__equal(type, &other)) {
        lochan_type__name(type, expected);
        lochan_type__name(&other, got);
        return differ(at, err, expected, got);
    }
    if (x->n_children != y->n_children) {
        lochan_format(expected, sizeof expected, "%lld fields", (long long)x->n_children);
        lochan_format(got, sizeof got, "%lld", (long long)y->n_children);
        return differ(at, err, expected, got);
    }
    return LOCHAN_OK;
}

/* Names of list items and map entries mean nothing: writers differ in them ("item", "element"). */
static lochan_status compare_at(const struct ArrowSchema *x, const struct ArrowSchema *y,
                                const place *at, lochan_error *err) {
    lochan_type type;
    if (at->depth > MAX_DEPTH)
        return lochan_error__set(err, LOCHAN_ERR_SCHEMA, "schema nested deeper than 64 levels");
    LOCHAN_TRY(compare_types(x, y, at, &type, err));
    for (int64_t i = 0; i < x->n_children; i++) {
        const struct ArrowSchema *a = x->children[i];
        const struct ArrowSchema *b = y->children[i];
        const char *a_name = a->name ? a->name : "";
        const char *b_name = b->name ? b->name : "";
        place down = {at, a_name, at->depth + 1};
        if (type.id == LOCHAN_TYPE_STRUCT && strcmp(a_name, b_name) != 0) {
            char got[100];
            lochan_format(got, sizeof got, "'%.90s'", b_name);
            return differ(&down, err, "this name", got);
        }
        if ((a->flags ^ b->flags) & ARROW_FLAG_NULLABLE)
            return differ(&down, err, a->flags & ARROW_FLAG_NULLABLE ? "nullable" : "not nullable",
                          b->flags & ARROW_FLAG_NULLABLE ? "nullable" : "not nullable");
        LOCHAN_TRY(compare_at(a, b, &down, err));
    }
    if (x->dictionary) {
        place down = {at, "(dictionary)", at->depth + 1};
        return compare_at(x->dictionary, y->dictionary, &down, err);
    }
    return LOCHAN_OK;
}

lochan_status lochan_schema__check_equal(const struct ArrowSchema *expected,
                                         const struct ArrowSchema *got, lochan_error *err) {
    place outside = {NULL, "", 0};
    place root = {&outside, expected->name ? expected->name : "", 0};
    bool column = expected->name && expected->name[0] && got->name && got->name[0];
    if (column && strcmp(expected->name, got->name) != 0)
        return differ(&root, err, "this name", got->name);
    if (column && ((expected->flags ^ got->flags) & ARROW_FLAG_NULLABLE))
        return differ(&root, err,
                      expected->flags & ARROW_FLAG_NULLABLE ? "nullable" : "not nullable",
                      got->flags & ARROW_FLAG_NULLABLE ? "nullable" : "not nullable");
    return compare_at(expected, got, column ? &root : &outside, err);
}
