/* scan_leaf.c - see scan_leaf.h. A predicate sees its fields as further columns behind those of the
 * table. May call: base/, arrow/.
 */
#include "table/scan_leaf.h"

#include "arrow/kernels.h"
#include "base/mem.h"
#include "table/projection.h"

#include <string.h>

/* ---- finding ---- */

static bool find_below(const struct ArrowSchema *parent, const char *name, lochan_leaf *leaf) {
    if (leaf->depth == LOCHAN_LEAF_DEPTH)
        return false;
    int at = leaf->depth++;
    for (int64_t i = 0; i < parent->n_children; i++) {
        const struct ArrowSchema *field = parent->children[i];
        size_t n = field->name ? strlen(field->name) : 0;
        if (n == 0 || strncmp(field->name, name, n) != 0)
            continue;
        leaf->child[at] = (int)i;
        leaf->field = field;
        if (name[n] == '\0')
            return field->n_children == 0;
        if (name[n] == '.' && strcmp(field->format, "+s") == 0 &&
            find_below(field, name + n + 1, leaf))
            return true;
    }
    leaf->depth = at;
    return false;
}

lochan_leaf lochan_leaf__find(const struct ArrowSchema *schema, const char *name) {
    lochan_leaf leaf = {0};
    int column = lochan_schema__find(schema, name);
    if (column >= 0)
        return (lochan_leaf){.depth = 1, .child = {column}, .field = schema->children[column]};
    if (!find_below(schema, name, &leaf))
        leaf = (lochan_leaf){0};
    return leaf;
}

/* ---- columns and fields side by side ---- */

/* The schema's columns, and behind them the fields that the predicate names. */
static lochan_status widen_schema(const struct ArrowSchema *schema, const lochan_expr *e,
                                  struct ArrowSchema *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    size_t n = lochan_expr__columns(e), n_fields = 0;
    for (size_t i = 0; i < n; i++)
        n_fields += lochan_leaf__find(schema, lochan_expr__column(e, i)).depth > 1;
    int64_t at = schema->n_children;
    LOCHAN_TRY(lochan_schema__init_struct(out, at + (int64_t)n_fields, err));
    for (int64_t i = 0; i < at; i++)
        LOCHAN_TRYG(lochan_schema__dup(schema->children[i], out->children[i], err));
    for (size_t i = 0; i < n; i++) {
        const char *name = lochan_expr__column(e, i);
        lochan_leaf leaf = lochan_leaf__find(schema, name);
        lochan_type type;
        if (leaf.depth <= 1)
            continue;
        LOCHAN_TRYG(lochan_type__parse(leaf.field->format, &type, err));
        LOCHAN_TRYG(lochan_schema__set_field(out->children[at++], name, &type, true, err));
    }
done:
    if (rc != LOCHAN_OK)
        lochan_schema__release(out);
    return rc;
}

lochan_status lochan_leaf__bind(const struct ArrowSchema *schema, lochan_expr *e,
                                lochan_error *err) {
    struct ArrowSchema all = {0};
    LOCHAN_TRY(widen_schema(schema, e, &all, err));
    lochan_status rc = lochan_expr__bind(e, &all, err);
    lochan_schema__release(&all);
    return rc;
}

/* ---- values ---- */

/* Rows of a child, null where the parent is. */
static lochan_status child_of(const struct ArrowSchema *field, lochan_shared *parent, int child,
                              struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const struct ArrowArray *p = lochan_shared__get(parent);
    const uint8_t *valid = p->n_buffers > 0 ? p->buffers[0] : NULL;
    struct ArrowArray plain = {0};
    int64_t *rows = NULL;
    LOCHAN_TRYG(lochan_shared__child(parent, child, &plain, err));
    if (!valid || p->null_count == 0) {
        lochan_array__move(&plain, out);
        goto done;
    }
    rows = lochan_mem__array((size_t)p->length + 1, sizeof *rows);
    if (!rows) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    for (int64_t i = 0; i < p->length; i++) {
        int64_t bit = i + p->offset;
        rows[i] = valid[bit / 8] >> (bit % 8) & 1 ? i : -1;
    }
    LOCHAN_TRYG(lochan_take(field, &plain, rows, (size_t)p->length, out, err));
done:
    lochan_mem__free(rows);
    lochan_array__release(&plain);
    return rc;
}

static lochan_status field_values(const struct ArrowSchema *schema, lochan_shared *batch,
                                  const lochan_leaf *leaf, struct ArrowArray *out,
                                  lochan_error *err) {
    lochan_shared *parent = lochan_shared__ref(batch);
    struct ArrowArray child = {0};
    lochan_status rc = LOCHAN_OK;
    for (int d = 0; d < leaf->depth; d++) {
        schema = schema->children[leaf->child[d]];
        LOCHAN_TRYG(child_of(schema, parent, leaf->child[d], &child, err));
        if (d + 1 == leaf->depth)
            break;
        lochan_shared__unref(parent);
        parent = lochan_shared__give(&child);
        if (!parent) {
            rc = lochan_error__nomem(err);
            goto done;
        }
    }
    lochan_array__move(&child, out);
done:
    lochan_array__release(&child);
    lochan_shared__unref(parent);
    return rc;
}

static lochan_status widen_batch(const struct ArrowSchema *schema, const struct ArrowSchema *all,
                                 lochan_shared *batch, struct ArrowArray *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    LOCHAN_TRY(lochan_array__init(out, 1, all->n_children, err));
    out->length = lochan_shared__get(batch)->length;
    for (int64_t i = 0; i < all->n_children; i++) {
        if (i < schema->n_children) {
            LOCHAN_TRYG(lochan_shared__child(batch, i, out->children[i], err));
            continue;
        }
        lochan_leaf leaf = lochan_leaf__find(schema, all->children[i]->name);
        LOCHAN_TRYG(field_values(schema, batch, &leaf, out->children[i], err));
    }
done:
    if (rc != LOCHAN_OK)
        lochan_array__release(out);
    return rc;
}

lochan_status lochan_leaf__apply(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                 const lochan_expr *e, uint8_t *bits, int64_t *count,
                                 lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct ArrowSchema all = {0};
    struct ArrowArray lent = lochan_array__lend(batch), wide = {0};
    lochan_shared *shared = NULL;
    LOCHAN_TRYG(widen_schema(schema, e, &all, err));
    if (all.n_children == schema->n_children) {
        rc = lochan_expr__apply(e, schema, batch, bits, count, err);
        goto done;
    }
    shared = lochan_shared__give(&lent);
    if (!shared) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(widen_batch(schema, &all, shared, &wide, err));
    rc = lochan_expr__apply(e, &all, &wide, bits, count, err);
done:
    lochan_array__release(&wide);
    lochan_shared__unref(shared);
    lochan_schema__release(&all);
    return rc;
}
