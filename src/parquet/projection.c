/* projection.c - see projection.h. A path is matched twice: against the names of Arrow fields,
 * from the column down, and against the paths of Parquet's leaves. May call: base/, arrow/,
 * schema.h.
 */
#include "parquet/projection.h"
#include "base/str.h"

/* ---- paths ---- */

static void mark_field(const lochan_pq_field *field, bool *marks) {
    if (field->leaf >= 0)
        marks[field->leaf] = true;
    for (int i = 0; i < field->n_children; i++)
        mark_field(&field->children[i], marks);
}

/* What follows `name` and a dot in the path; "" if the path is the name, NULL if it is another. */
static const char *after(const char *path, const char *name) {
    size_t n = strlen(name);
    if (n == 0 || strncmp(path, name, n) != 0)
        return NULL;
    return path[n] == '\0' ? path + n : path[n] == '.' ? path + n + 1 : NULL;
}

/* path: below the field, not empty. Lists and the entries of maps may be left out of it. */
static bool mark_below(const lochan_pq_field *field, const char *path, bool *marks) {
    bool found = false;
    for (int i = 0; i < field->n_children && !found; i++) {
        const lochan_pq_field *child = &field->children[i];
        const char *rest = after(path, child->schema->name ? child->schema->name : "");
        if (rest && *rest)
            found = mark_below(child, rest, marks);
        else if (rest)
            mark_field(child, marks), found = true;
    }
    if (!found && field->type.id != LOCHAN_TYPE_STRUCT && field->n_children == 1)
        found = mark_below(&field->children[0], path, marks);
    return found;
}

static bool mark_leaves(const lochan_pq_schema *schema, int column, const char *path, bool *marks) {
    bool found = false;
    for (int l = 0; l < schema->n_leaves; l++) {
        if (schema->leaves[l].column != column || !after(schema->leaves[l].path, path))
            continue;
        marks[l] = found = true;
    }
    return found;
}

/* A map without its keys is none, nor is one of keys only. */
static void complete_maps(const lochan_pq_field *field, bool *marks) {
    bool any = false;
    for (int l = field->first_leaf; l < field->first_leaf + field->n_leaves; l++)
        any = any || marks[l];
    if (!any)
        return;
    if (field->type.id == LOCHAN_TYPE_MAP && field->children[0].n_children == 2) {
        const lochan_pq_field *value = &field->children[0].children[1];
        bool some = false;
        mark_field(&field->children[0].children[0], marks);
        for (int l = value->first_leaf; l < value->first_leaf + value->n_leaves; l++)
            some = some || marks[l];
        if (!some)
            mark_field(value, marks);
    }
    for (int i = 0; i < field->n_children; i++)
        complete_maps(&field->children[i], marks);
}

static lochan_status unknown(const lochan_pq_schema *schema, const char *path, lochan_error *err) {
    size_t n = (size_t)schema->root.n_children;
    lochan_status rc =
        lochan_error__set(err, LOCHAN_ERR_NOT_FOUND, "the file has no column '%s'", path);
    const char **names = lochan_mem__array(n + (size_t)schema->n_leaves + 1, sizeof *names);
    for (size_t i = 0; names && i < n; i++)
        names[i] = schema->arrow.children[i]->name;
    for (int l = 0; names && l < schema->n_leaves; l++)
        names[n + (size_t)l] = schema->leaves[l].path;
    const char *near =
        names ? lochan_name__nearest(path, names, n + (size_t)schema->n_leaves) : NULL;
    if (near)
        lochan_error__hint(err, "did you mean '%s'?", near);
    lochan_mem__free(names);
    return lochan_error__in_table(err, rc, NULL, path, -1);
}

void lochan_pq_column__mark(const lochan_pq_schema *schema, int column, bool *marks) {
    mark_field(&schema->root.children[column], marks);
}

static size_t count_marks(const bool *marks, int n) {
    size_t count = 0;
    for (int i = 0; i < n; i++)
        count += marks[i];
    return count;
}

lochan_status lochan_pq_path__mark(const lochan_pq_schema *schema, const char *path, bool *marks,
                                   int *column, bool *fresh, lochan_error *err) {
    size_t before = count_marks(marks, schema->n_leaves);
    *column = lochan_schema__find(&schema->arrow, path);
    bool found = *column >= 0;
    if (found)
        lochan_pq_column__mark(schema, *column, marks);
    for (int c = 0; c < schema->root.n_children && !found; c++) {
        const lochan_pq_field *field = &schema->root.children[c];
        const char *rest = after(path, field->schema->name ? field->schema->name : "");
        if (!rest)
            continue;
        *column = c;
        found = mark_below(field, rest, marks) || mark_leaves(schema, c, path, marks);
    }
    if (!found)
        return unknown(schema, path, err);
    complete_maps(&schema->root.children[*column], marks);
    *fresh = count_marks(marks, schema->n_leaves) > before;
    return LOCHAN_OK;
}

int lochan_pq_path__leaf(const lochan_pq_schema *schema, const char *name) {
    int column = lochan_schema__find(&schema->arrow, name);
    if (column >= 0)
        return schema->root.children[column].leaf;
    for (int l = 0; l < schema->n_leaves; l++) {
        const lochan_pq_leaf *leaf = &schema->leaves[l];
        if (leaf->max_rep == 0 && leaf->n_parts > 1 && strcmp(leaf->path, name) == 0)
            return l;
    }
    return -1;
}

/* ---- projections ---- */

/* Points a field and its children at their places in the projection's Arrow schema. */
static void attach(lochan_pq_field *field, const struct ArrowSchema *arrow) {
    field->schema = arrow;
    for (int i = 0; i < field->n_children; i++)
        attach(&field->children[i], arrow->children[i]);
}

/* Copies the field with the children that have marked leaves, and its Arrow schema with them. */
static lochan_status prune_field(lochan_pq_projection *p, const lochan_pq_field *from,
                                 const bool *marks, lochan_pq_field *to, struct ArrowSchema *arrow,
                                 lochan_error *err) {
    *to = *from;
    if (from->n_children == 0)
        return lochan_schema__dup(from->schema, arrow, err);
    int *kept = lochan_arena__array(&p->arena, (size_t)from->n_children, sizeof *kept);
    to->children = lochan_arena__array(&p->arena, (size_t)from->n_children, sizeof *to->children);
    if (!kept || !to->children)
        return lochan_error__nomem(err);
    to->n_children = 0;
    for (int i = 0; i < from->n_children; i++) {
        const lochan_pq_field *child = &from->children[i];
        bool any = child->n_leaves == 0;
        for (int l = child->first_leaf; l < child->first_leaf + child->n_leaves; l++)
            any = any || marks[l];
        if (any)
            kept[to->n_children++] = i;
    }
    LOCHAN_TRY(lochan_schema__select(from->schema, kept, (size_t)to->n_children, arrow, err));
    for (int i = 0; i < to->n_children; i++) {
        struct ArrowSchema child = {0};
        LOCHAN_TRY(prune_field(p, &from->children[kept[i]], marks, &to->children[i], &child, err));
        lochan_schema__release(arrow->children[i]);
        lochan_schema__move(&child, arrow->children[i]);
    }
    if (to->n_children > 0)
        to->first_leaf = to->children[0].first_leaf;
    return LOCHAN_OK;
}

/* A leaf below structs as a column: to a flat leaf, any level short of the last is a null. */
static lochan_status flatten(lochan_pq_projection *p, int leaf, lochan_pq_field *to,
                             struct ArrowSchema *arrow, lochan_error *err) {
    lochan_pq_leaf *flat = &p->flat[p->n_flat];
    *flat = p->schema->leaves[leaf];
    flat->n_parts = 1;
    flat->nullable = flat->max_def > 0;
    *to = (lochan_pq_field){.type = flat->type,
                            .nullable = flat->nullable,
                            .def = flat->max_def,
                            .first_leaf = p->schema->n_leaves + p->n_flat,
                            .n_leaves = 1,
                            .leaf = p->schema->n_leaves + p->n_flat};
    p->n_flat++;
    return lochan_schema__set_field(arrow, flat->path, &flat->type, flat->nullable, err);
}

static void list_slots(lochan_pq_projection *p, const lochan_pq_field *field) {
    if (field->leaf >= 0) {
        p->place[field->leaf] = (int)p->n_slots;
        p->slots[p->n_slots++] = field->leaf;
    }
    for (int i = 0; i < field->n_children; i++)
        list_slots(p, &field->children[i]);
}

lochan_status lochan_pq_projection__make(lochan_pq_projection *p, const lochan_pq_schema *schema,
                                         const lochan_pq_want *wants, size_t n, const bool *marks,
                                         lochan_error *err) {
    lochan_status rc;
    size_t n_slots = (size_t)schema->n_leaves + n + 1;
    *p = (lochan_pq_projection){.schema = schema};
    lochan_arena__init(&p->arena, 0);
    LOCHAN_TRYG(lochan_schema__init_struct(&p->arrow, (int64_t)n, err));
    p->columns = lochan_arena__array(&p->arena, n + 1, sizeof *p->columns);
    p->flat = lochan_arena__array(&p->arena, n + 1, sizeof *p->flat);
    p->slots = lochan_arena__array(&p->arena, n_slots, sizeof *p->slots);
    p->place = lochan_arena__array(&p->arena, n_slots, sizeof *p->place);
    if (!p->columns || !p->flat || !p->slots || !p->place) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (; p->n < n; p->n++) {
        const lochan_pq_want *want = &wants[p->n];
        lochan_pq_field *to = &p->columns[p->n];
        struct ArrowSchema *arrow = p->arrow.children[p->n];
        if (want->flat >= 0)
            LOCHAN_TRYG(flatten(p, want->flat, to, arrow, err));
        else
            LOCHAN_TRYG(
                prune_field(p, &schema->root.children[want->column], marks, to, arrow, err));
    }
    for (size_t i = 0; i < n; i++)
        attach(&p->columns[i], p->arrow.children[i]);
    for (size_t i = 0; i < n; i++)
        list_slots(p, &p->columns[i]);
done:
    if (rc != LOCHAN_OK)
        lochan_pq_projection__deinit(p);
    return rc;
}

void lochan_pq_projection__deinit(lochan_pq_projection *p) {
    lochan_schema__release(&p->arrow);
    if (p->schema)
        lochan_arena__deinit(&p->arena);
    memset(p, 0, sizeof *p);
}
