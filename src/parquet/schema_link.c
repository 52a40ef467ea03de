/* schema_link.c - computes levels: one walk over the elements of a file and its Arrow schema
 * together. Invariant: children of a field are those of its Arrow schema; leaves are numbered in
 * file order. May call: base/, arrow/, schema.h.
 */
#include "parquet/schema.h"

/* Where the walk stands: the next element, and the levels around it. */
typedef struct link_state {
    lochan_pq_schema *schema;
    uint32_t next; /* element */
    bool writing;
    int column;
    lochan_str parts[LOCHAN_PQ_MAX_DEPTH + 2]; /* check_tree bounds the depth */
    uint32_t n_parts;
    lochan_error *err;
} link_state;

typedef struct levels {
    uint8_t def, rep;           /* of what is around */
    uint8_t slot_def, slot_rep; /* of the nearest list around, 0 at the top */
} levels;

static lochan_status link_field(link_state *s, const struct ArrowSchema *arrow, bool is_item,
                                levels at, lochan_pq_field *out);

static lochan_status set_path(link_state *s, lochan_pq_leaf *leaf) {
    lochan_arena *arena = &s->schema->arena;
    size_t n = 1;
    for (uint32_t i = 0; i < s->n_parts; i++)
        n += s->parts[i].n + 1;
    lochan_str *parts = lochan_arena__array(arena, s->n_parts, sizeof *parts);
    char *path = lochan_arena__alloc(arena, n);
    if (!parts || !path)
        return lochan_error__nomem(s->err);
    memcpy(parts, s->parts, s->n_parts * sizeof *parts);
    leaf->parts = parts;
    leaf->n_parts = s->n_parts;
    leaf->path = path;
    for (uint32_t i = 0; i < s->n_parts; i++) {
        if (i > 0)
            *path++ = '.';
        memcpy(path, parts[i].p, parts[i].n);
        path += parts[i].n;
    }
    *path = '\0';
    return LOCHAN_OK;
}

static int32_t physical_width(const lochan_pq_element *e) {
    switch (e->type) {
    case LOCHAN_PQ_INT32:
    case LOCHAN_PQ_FLOAT:
        return 4;
    case LOCHAN_PQ_INT64:
    case LOCHAN_PQ_DOUBLE:
        return 8;
    case LOCHAN_PQ_INT96:
        return 12;
    case LOCHAN_PQ_FIXED_BYTES:
        return e->type_length;
    default:
        return 0;
    }
}

static lochan_status link_leaf(link_state *s, const lochan_pq_element *e,
                               const struct ArrowSchema *arrow, levels at, lochan_pq_field *field) {
    lochan_pq_leaf *leaf = &s->schema->leaves[s->schema->n_leaves];
    leaf->index = field->leaf = s->schema->n_leaves++;
    leaf->column = s->column;
    leaf->element = e;
    leaf->physical = e->type;
    leaf->width = physical_width(e);
    leaf->field_id = LOCHAN_PQ_HAS(e, 9) ? e->field_id : -1;
    leaf->max_def = at.def;
    leaf->max_rep = at.rep;
    leaf->slot_def = at.slot_def;
    leaf->nullable = field->nullable;
    LOCHAN_TRY(set_path(s, leaf));
    LOCHAN_TRY(lochan_type__parse(arrow->dictionary ? arrow->dictionary->format : arrow->format,
                                  &leaf->type, s->err));
    field->type = leaf->type;
    if (s->writing) {
        lochan_pq_element again = {0};
        LOCHAN_TRY(
            lochan_pq_element__of_type(&leaf->type, leaf->path, &again, &leaf->convert, s->err));
    } else {
        lochan_type plain;
        LOCHAN_TRY(
            lochan_pq_element__to_type(e, LOCHAN_PQ_STRINGS_PLAIN, &plain, &leaf->convert, s->err));
        bool time = leaf->type.id == LOCHAN_TYPE_TIME32 || leaf->type.id == LOCHAN_TYPE_TIMESTAMP;
        if (time && leaf->type.unit == LOCHAN_UNIT_SECOND)
            leaf->convert = LOCHAN_PQ_CONVERT_SECONDS; /* as ARROW:schema has it */
        if (leaf->type.id == LOCHAN_TYPE_DATE64)
            leaf->convert = LOCHAN_PQ_CONVERT_DATE64;
    }
    leaf->order = lochan_pq_element__order(e, &leaf->type);
    /* the bounds in a file are those of the stored values */
    if (!s->writing &&
        (leaf->convert == LOCHAN_PQ_CONVERT_SECONDS || leaf->convert == LOCHAN_PQ_CONVERT_DATE64))
        leaf->order = LOCHAN_PQ_ORDER_NONE;
    int bits = lochan_type__bit_width(&leaf->type);
    leaf->out_width = leaf->type.id == LOCHAN_TYPE_FIXED_BINARY ? leaf->type.byte_width
                      : lochan_type__is_bytes(leaf->type.id)    ? 0
                                                                : bits / 8;
    return LOCHAN_OK;
}

static lochan_status link_children(link_state *s, const struct ArrowSchema *arrow, levels at,
                                   lochan_pq_field *field) {
    field->n_children = (int)arrow->n_children;
    if (field->n_children == 0)
        return LOCHAN_OK;
    field->children =
        lochan_arena__array(&s->schema->arena, (size_t)arrow->n_children, sizeof *field->children);
    if (!field->children)
        return lochan_error__nomem(s->err);
    for (int i = 0; i < field->n_children; i++) {
        if (field == &s->schema->root)
            s->column = i;
        LOCHAN_TRY(link_field(s, arrow->children[i], false, at, &field->children[i]));
    }
    return LOCHAN_OK;
}

/* The entries of a map: a struct that is the item of a list. */
static lochan_status link_entries(link_state *s, const struct ArrowSchema *arrow, levels at,
                                  lochan_pq_field *out) {
    *out = (lochan_pq_field){.schema = arrow,
                             .type = {.id = LOCHAN_TYPE_STRUCT},
                             .slot_def = at.slot_def,
                             .slot_rep = at.slot_rep,
                             .def = at.def,
                             .leaf = -1,
                             .first_leaf = s->schema->n_leaves};
    LOCHAN_TRY(link_children(s, arrow, at, out));
    out->n_leaves = s->schema->n_leaves - out->first_leaf;
    return LOCHAN_OK;
}

/* A list or map whose repeated node comes next (shape REPEATED: is the node at hand). */
static lochan_status link_list(link_state *s, lochan_pq_shape shape,
                               const struct ArrowSchema *arrow, levels at, lochan_pq_field *field) {
    levels in = {(uint8_t)(at.def + 1), (uint8_t)(at.rep + 1), (uint8_t)(at.def + 1),
                 (uint8_t)(at.rep + 1)};
    uint32_t depth = s->n_parts;
    field->item_def = in.def;
    field->item_rep = in.rep;
    field->n_children = 1;
    field->children = lochan_arena__array(&s->schema->arena, 1, sizeof *field->children);
    if (!field->children)
        return lochan_error__nomem(s->err);
    if (shape == LOCHAN_PQ_SHAPE_LIST3 || shape == LOCHAN_PQ_SHAPE_MAP)
        s->parts[s->n_parts++] = s->schema->elements[s->next++].name;
    lochan_status rc = shape == LOCHAN_PQ_SHAPE_MAP
                           ? link_entries(s, arrow->children[0], in, &field->children[0])
                           : link_field(s, arrow->children[0], shape != LOCHAN_PQ_SHAPE_LIST3, in,
                                        &field->children[0]);
    s->n_parts = depth;
    return rc;
}

static lochan_status link_field(link_state *s, const struct ArrowSchema *arrow, bool is_item,
                                levels at, lochan_pq_field *out) {
    uint32_t i = s->next;
    const lochan_pq_element *e = &s->schema->elements[i];
    lochan_pq_shape shape = lochan_pq_element__shape(e, is_item);
    bool optional = !is_item && e->repetition == LOCHAN_PQ_OPTIONAL;
    if (optional)
        at.def++;
    *out = (lochan_pq_field){.schema = arrow,
                             .nullable = optional,
                             .slot_def = at.slot_def,
                             .slot_rep = at.slot_rep,
                             .def = at.def,
                             .leaf = -1,
                             .first_leaf = s->schema->n_leaves};
    LOCHAN_TRY(lochan_type__parse(arrow->format, &out->type, s->err));
    lochan_status rc;
    if (shape == LOCHAN_PQ_SHAPE_REPEATED) { /* the node is met again as the item */
        rc = link_list(s, shape, arrow, at, out);
    } else {
        s->next++;
        s->parts[s->n_parts++] = e->name;
        if (shape == LOCHAN_PQ_SHAPE_LEAF)
            rc = link_leaf(s, e, arrow, at, out);
        else if (shape == LOCHAN_PQ_SHAPE_STRUCT)
            rc = link_children(s, arrow, at, out);
        else
            rc = link_list(s, shape, arrow, at, out);
        s->n_parts--;
    }
    out->n_leaves = s->schema->n_leaves - out->first_leaf;
    return rc;
}

lochan_status lochan_pq_schema__link(lochan_pq_schema *schema, bool writing, lochan_error *err) {
    link_state s = {.schema = schema, .next = 1, .writing = writing, .err = err};
    levels top = {0};
    schema->leaves =
        lochan_arena__array(&schema->arena, schema->n_elements, sizeof *schema->leaves);
    if (!schema->leaves)
        return lochan_error__nomem(err);
    schema->root =
        (lochan_pq_field){.schema = &schema->arrow, .type = {.id = LOCHAN_TYPE_STRUCT}, .leaf = -1};
    LOCHAN_TRY(link_children(&s, &schema->arrow, top, &schema->root));
    schema->root.n_leaves = schema->n_leaves;
    return LOCHAN_OK;
}
