/* schema.c - Parquet elements -> Arrow schema, Arrow schema -> Parquet elements. Levels are
 * computed by schema_link.c. Invariants: element counts and depth are checked before anything
 * follows them; names are valid UTF-8 without NUL. May call: base/, arrow/, schema.h.
 */
#include "parquet/schema.h"
#include "parquet/arrow_schema.h"

#define BIT LOCHAN_THRIFT_BIT

void lochan_pq_schema__deinit(lochan_pq_schema *schema) {
    lochan_schema__release(&schema->arrow);
    lochan_arena__deinit(&schema->arena);
    memset(schema, 0, sizeof *schema);
}

static bool is_annotated(const lochan_pq_element *e, lochan_pq_logical_id id,
                         lochan_pq_converted older) {
    if (LOCHAN_PQ_HAS(e, 10) && e->logical.set)
        return LOCHAN_PQ_HAS(&e->logical, id);
    return LOCHAN_PQ_HAS(e, 6) && e->converted == (int32_t)older;
}

/* e[0] is the node, e[1] its first child and so on: the array is depth first and was checked by
 * check_tree. */
lochan_pq_shape lochan_pq_element__shape(const lochan_pq_element *e, bool is_item) {
    if (!is_item && e->repetition == LOCHAN_PQ_REPEATED)
        return LOCHAN_PQ_SHAPE_REPEATED;
    if (e->num_children == 0)
        return LOCHAN_PQ_SHAPE_LEAF;
    const lochan_pq_element *r = e + 1; /* the first child */
    bool one_repeated = e->num_children == 1 && r->repetition == LOCHAN_PQ_REPEATED;
    if (!one_repeated)
        return LOCHAN_PQ_SHAPE_STRUCT;
    if (is_annotated(e, LOCHAN_PQ_LOGICAL_LIST, LOCHAN_PQ_CONVERTED_LIST)) {
        bool wraps = r->num_children == 1 && r[1].repetition != LOCHAN_PQ_REPEATED &&
                     !lochan_str__eq(r->name, LOCHAN_STR("array")) &&
                     !(r->name.n == e->name.n + 6 && memcmp(r->name.p, e->name.p, e->name.n) == 0 &&
                       memcmp(r->name.p + e->name.n, "_tuple", 6) == 0);
        return wraps ? LOCHAN_PQ_SHAPE_LIST3 : LOCHAN_PQ_SHAPE_LIST2;
    }
    if ((is_annotated(e, LOCHAN_PQ_LOGICAL_MAP, LOCHAN_PQ_CONVERTED_MAP) ||
         is_annotated(e, LOCHAN_PQ_LOGICAL_MAP, LOCHAN_PQ_CONVERTED_MAP_KEY_VALUE)) &&
        r->num_children > 0)
        return r->num_children == 2   ? LOCHAN_PQ_SHAPE_MAP
               : r->num_children == 1 ? LOCHAN_PQ_SHAPE_LIST3 /* a set: keys without values */
                                      : LOCHAN_PQ_SHAPE_LIST2;
    return LOCHAN_PQ_SHAPE_STRUCT;
}

/* Checks that the subtree at *i lies inside the array and moves *i past it. */
static lochan_status check_tree(const lochan_pq_element *elements, uint32_t n, uint32_t *i,
                                int depth, lochan_error *err) {
    if (*i >= n)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "the schema claims more columns than it holds");
    if (depth > LOCHAN_PQ_MAX_DEPTH)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "the schema is nested more than %d levels deep",
                                 LOCHAN_PQ_MAX_DEPTH);
    const lochan_pq_element *e = &elements[(*i)++];
    if (memchr(e->name.p, 0, e->name.n) || !lochan_utf8__valid(e->name.p, e->name.n))
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "a column name is not valid UTF-8");
    if (e->repetition < 0 || e->repetition > LOCHAN_PQ_REPEATED)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "column '%.*s' has unknown repetition %d",
                                 (int)e->name.n, e->name.p, (int)e->repetition);
    if (e->num_children < 0 || (depth > 0 && e->num_children == 0 && !LOCHAN_PQ_HAS(e, 1)))
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                                 "column '%.*s' has neither a type nor children", (int)e->name.n,
                                 e->name.p);
    for (int32_t c = 0; c < e->num_children; c++)
        LOCHAN_TRY(check_tree(elements, n, i, depth + 1, err));
    return LOCHAN_OK;
}

/* ---- Parquet -> Arrow ---- */

typedef struct arrow_maker {
    const lochan_pq_element *elements;
    lochan_pq_strings strings;
    lochan_error *err;
} arrow_maker;

static lochan_status name_of(const lochan_pq_element *e, char **out, lochan_error *err) {
    *out = lochan_mem__strndup(e->name.p ? e->name.p : "", e->name.n);
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

/* Index after the subtree at i. */
static uint32_t skip_tree(const lochan_pq_element *elements, uint32_t i) {
    uint32_t end = i + 1;
    for (int32_t c = 0; c < elements[i].num_children; c++)
        end = skip_tree(elements, end);
    return end;
}

static lochan_status make_field(arrow_maker *m, uint32_t i, bool is_item, int depth,
                                struct ArrowSchema *out);

static lochan_status make_leaf(arrow_maker *m, uint32_t i, const char *name, bool nullable,
                               int depth, struct ArrowSchema *out) {
    lochan_type type;
    lochan_pq_convert convert;
    LOCHAN_TRY(lochan_pq_element__to_type(&m->elements[i], m->strings, &type, &convert, m->err));
    if (m->strings == LOCHAN_PQ_STRINGS_DICTIONARY && type.id == LOCHAN_TYPE_STRING && depth == 1) {
        lochan_type index = {.id = LOCHAN_TYPE_INT32};
        return lochan_schema__set_dictionary(out, name, &index, &type, nullable, m->err);
    }
    return lochan_schema__set_field(out, name, &type, nullable || type.id == LOCHAN_TYPE_NULL,
                                    m->err);
}

static lochan_status make_children(arrow_maker *m, uint32_t i, int depth, struct ArrowSchema *out) {
    uint32_t at = i + 1;
    for (int32_t c = 0; c < m->elements[i].num_children; c++) {
        LOCHAN_TRY(make_field(m, at, false, depth + 1, out->children[c]));
        at = skip_tree(m->elements, at);
    }
    return LOCHAN_OK;
}

static lochan_status make_map(arrow_maker *m, uint32_t i, const char *name, bool nullable,
                              int depth, struct ArrowSchema *out) {
    lochan_type map = {.id = LOCHAN_TYPE_MAP}, entries = {.id = LOCHAN_TYPE_STRUCT};
    char *entries_name = NULL;
    LOCHAN_TRY(lochan_schema__set_nested(out, name, &map, nullable, 1, m->err));
    LOCHAN_TRY(name_of(&m->elements[i + 1], &entries_name, m->err));
    lochan_status rc =
        lochan_schema__set_nested(out->children[0], entries_name, &entries, false, 2, m->err);
    lochan_mem__free(entries_name);
    return rc == LOCHAN_OK ? make_children(m, i + 1, depth + 1, out->children[0]) : rc;
}

static lochan_status make_list(arrow_maker *m, uint32_t item, bool is_item, const char *name,
                               bool nullable, int depth, struct ArrowSchema *out) {
    lochan_type list = {.id = LOCHAN_TYPE_LIST};
    LOCHAN_TRY(lochan_schema__set_nested(out, name, &list, nullable, 1, m->err));
    return make_field(m, item, is_item, depth + 1, out->children[0]);
}

static lochan_status make_named(arrow_maker *m, uint32_t i, bool is_item, int depth,
                                const char *name, struct ArrowSchema *out) {
    const lochan_pq_element *e = &m->elements[i];
    bool nullable = !is_item && e->repetition == LOCHAN_PQ_OPTIONAL;
    lochan_type group = {.id = LOCHAN_TYPE_STRUCT};
    switch (lochan_pq_element__shape(e, is_item)) {
    case LOCHAN_PQ_SHAPE_LEAF:
        return make_leaf(m, i, name, nullable, depth, out);
    case LOCHAN_PQ_SHAPE_REPEATED:
        return make_list(m, i, true, name, false, depth, out);
    case LOCHAN_PQ_SHAPE_LIST2:
        return make_list(m, i + 1, true, name, nullable, depth, out);
    case LOCHAN_PQ_SHAPE_LIST3:
        return make_list(m, i + 2, false, name, nullable, depth, out);
    case LOCHAN_PQ_SHAPE_MAP:
        return make_map(m, i, name, nullable, depth, out);
    default:
        LOCHAN_TRY(lochan_schema__set_nested(out, name, &group, nullable, e->num_children, m->err));
        return make_children(m, i, depth, out);
    }
}

static lochan_status make_field(arrow_maker *m, uint32_t i, bool is_item, int depth,
                                struct ArrowSchema *out) {
    char *name = NULL;
    LOCHAN_TRY(name_of(&m->elements[i], &name, m->err));
    lochan_status rc = make_named(m, i, is_item, depth, name, out);
    lochan_mem__free(name);
    if (rc == LOCHAN_OK && LOCHAN_PQ_HAS(&m->elements[i], 9))
        rc = lochan_schema__set_field_id(out, m->elements[i].field_id, m->err);
    return rc;
}

lochan_status lochan_pq_schema__from_parquet(const lochan_pq_element *elements, uint32_t n,
                                             lochan_pq_strings strings, lochan_pq_schema *out,
                                             lochan_error *err) {
    return lochan_pq_schema__from_file(elements, n, strings, NULL, out, err);
}

lochan_status lochan_pq_schema__from_file(const lochan_pq_element *elements, uint32_t n,
                                          lochan_pq_strings strings, const lochan_str *arrow_schema,
                                          lochan_pq_schema *out, lochan_error *err) {
    lochan_status rc;
    uint32_t end = 0;
    memset(out, 0, sizeof *out);
    lochan_arena__init(&out->arena, 0);
    LOCHAN_TRYG(check_tree(elements, n, &end, 0, err));
    if (end != n) {
        rc = lochan_error__set(err, LOCHAN_ERR_CORRUPT,
                               "the schema holds %u nodes outside its root", n - end);
        goto done;
    }
    out->elements = lochan_arena__array(&out->arena, n, sizeof *elements);
    if (!out->elements) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    memcpy(out->elements, elements, n * sizeof *elements);
    out->n_elements = n;
    LOCHAN_TRYG(lochan_schema__init_struct(&out->arrow, elements[0].num_children, err));
    arrow_maker m = {out->elements, strings, err};
    LOCHAN_TRYG(make_children(&m, 0, 0, &out->arrow));
    if (arrow_schema)
        LOCHAN_TRYG(lochan_pq_arrow_schema__restore(&out->arrow, arrow_schema->p, arrow_schema->n,
                                                    strings == LOCHAN_PQ_STRINGS_PLAIN, err));
    LOCHAN_TRYG(lochan_pq_schema__link(out, false, err));
done:
    if (rc != LOCHAN_OK)
        lochan_pq_schema__deinit(out);
    return rc;
}

/* ---- Arrow -> Parquet ---- */

static uint32_t count_elements(const struct ArrowSchema *s) {
    uint32_t n = 1;
    for (int64_t i = 0; i < s->n_children; i++)
        n += count_elements(s->children[i]);
    /* a list has one node more than Arrow; so has nothing else, but room does no harm */
    return n + 1;
}

static lochan_pq_element *add_element(lochan_pq_schema *out, const char *name,
                                      const struct ArrowSchema *source,
                                      lochan_pq_repetition repetition, lochan_error *err) {
    char *copy = lochan_arena__strdup(&out->arena, name ? name : "");
    if (!copy) {
        (void)lochan_error__nomem(err);
        return NULL;
    }
    lochan_pq_element *e = &out->elements[out->n_elements++];
    e->set = BIT(3) | BIT(4);
    e->repetition = repetition;
    e->name = lochan_str__of(copy);
    int32_t id = source ? lochan_schema__field_id(source) : -1;
    if (id >= 0) {
        e->set |= BIT(9);
        e->field_id = id;
    }
    return e;
}

static void set_group(lochan_pq_element *e, int32_t children, lochan_pq_logical_id id,
                      int32_t older) {
    e->set |= BIT(5);
    e->num_children = children;
    if (id != LOCHAN_PQ_LOGICAL_NONE) {
        e->set |= BIT(6) | BIT(10);
        e->logical.set = BIT(id);
        e->converted = older;
    }
}

static lochan_status write_field(lochan_pq_schema *out, const struct ArrowSchema *s,
                                 const char *name, lochan_error *err);

static lochan_status write_group(lochan_pq_schema *out, const struct ArrowSchema *s,
                                 const lochan_type *type, lochan_pq_element *e, lochan_error *err) {
    if (type->id == LOCHAN_TYPE_STRUCT) {
        if (s->n_children == 0)
            return lochan_error__set(
                err, LOCHAN_ERR_UNSUPPORTED,
                "column '%.100s' is a struct without fields, which Parquet cannot hold", s->name);
        set_group(e, (int32_t)s->n_children, LOCHAN_PQ_LOGICAL_NONE, 0);
        for (int64_t i = 0; i < s->n_children; i++)
            LOCHAN_TRY(write_field(out, s->children[i], s->children[i]->name, err));
        return LOCHAN_OK;
    }
    lochan_pq_element *r;
    if (type->id == LOCHAN_TYPE_MAP) {
        const struct ArrowSchema *entries = s->children[0];
        set_group(e, 1, LOCHAN_PQ_LOGICAL_MAP, LOCHAN_PQ_CONVERTED_MAP);
        r = add_element(out, "key_value", NULL, LOCHAN_PQ_REPEATED, err);
        if (!r)
            return LOCHAN_ERR_NO_MEMORY;
        set_group(r, 2, LOCHAN_PQ_LOGICAL_NONE, 0);
        LOCHAN_TRY(write_field(out, entries->children[0], "key", err));
        return write_field(out, entries->children[1], "value", err);
    }
    set_group(e, 1, LOCHAN_PQ_LOGICAL_LIST, LOCHAN_PQ_CONVERTED_LIST);
    r = add_element(out, "list", NULL, LOCHAN_PQ_REPEATED, err);
    if (!r)
        return LOCHAN_ERR_NO_MEMORY;
    set_group(r, 1, LOCHAN_PQ_LOGICAL_NONE, 0);
    return write_field(out, s->children[0], "element", err);
}

static lochan_status write_field(lochan_pq_schema *out, const struct ArrowSchema *s,
                                 const char *name, lochan_error *err) {
    lochan_type type;
    lochan_pq_convert convert;
    bool nullable = s->flags & ARROW_FLAG_NULLABLE;
    LOCHAN_TRY(lochan_type__parse(s->dictionary ? s->dictionary->format : s->format, &type, err));
    lochan_pq_element *e = add_element(
        out, name, s,
        nullable || type.id == LOCHAN_TYPE_NULL ? LOCHAN_PQ_OPTIONAL : LOCHAN_PQ_REQUIRED, err);
    if (!e)
        return LOCHAN_ERR_NO_MEMORY;
    if (lochan_type__is_nested(type.id))
        return write_group(out, s, &type, e, err);
    return lochan_pq_element__of_type(&type, s->name ? s->name : "", e, &convert, err);
}

lochan_status lochan_pq_schema__from_arrow(const struct ArrowSchema *arrow, lochan_pq_schema *out,
                                           lochan_error *err) {
    lochan_status rc;
    memset(out, 0, sizeof *out);
    lochan_arena__init(&out->arena, 0);
    LOCHAN_TRYG(lochan_schema__check(arrow, err));
    LOCHAN_TRYG(lochan_schema__dup(arrow, &out->arrow, err));
    out->elements = lochan_arena__array(&out->arena, count_elements(arrow), sizeof *out->elements);
    if (!out->elements) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    lochan_pq_element *root = add_element(out, "schema", NULL, LOCHAN_PQ_REQUIRED, err);
    if (!root) {
        rc = LOCHAN_ERR_NO_MEMORY;
        goto done;
    }
    root->set = BIT(4);
    set_group(root, (int32_t)arrow->n_children, LOCHAN_PQ_LOGICAL_NONE, 0);
    for (int64_t i = 0; i < arrow->n_children; i++)
        LOCHAN_TRYG(write_field(out, out->arrow.children[i], out->arrow.children[i]->name, err));
    uint32_t end = 0; /* a list takes two nodes, so the depth is bounded anew */
    LOCHAN_TRYG(check_tree(out->elements, out->n_elements, &end, 0, err));
    LOCHAN_TRYG(lochan_pq_schema__link(out, true, err));
done:
    if (rc != LOCHAN_OK)
        lochan_pq_schema__deinit(out);
    return rc;
}
