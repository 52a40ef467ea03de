/* projection.h - the columns a read is asked for: whole ones, parts of nested ones, leaves of
 * structs as flat columns of their own. Invariants: a part keeps its place in the schema and the
 * levels of its fields; the keys of a map come with whatever is asked of it; fields point into the
 * schema of the file and into `arrow`. May call: base/, arrow/, schema.h.
 */
#ifndef LOCHAN_PARQUET_PROJECTION_H
#define LOCHAN_PARQUET_PROJECTION_H

#include "parquet/schema.h"

typedef struct lochan_pq_projection {
    const lochan_pq_schema *schema;
    lochan_arena arena;
    struct ArrowSchema arrow; /* a struct of the columns */
    lochan_pq_field *columns;
    size_t n;
    lochan_pq_leaf *flat; /* leaves shown as columns: `leaf` of their fields is n_leaves + i */
    int n_flat;
    int *slots; /* the leaves that come, by their numbers: see lochan_pq_projection__leaf */
    size_t n_slots;
    int *place; /* of a leaf in `slots`, by its number */
} lochan_pq_projection;

/* One column: top-level, of which the marked leaves come, or (flat >= 0) a leaf below structs only,
 * null where one of them is, under the name of its path. */
typedef struct lochan_pq_want {
    int column;
    int flat;
} lochan_pq_want;

/* marks: one per leaf of the schema. */
lochan_status lochan_pq_projection__make(lochan_pq_projection *p, const lochan_pq_schema *schema,
                                         const lochan_pq_want *wants, size_t n, const bool *marks,
                                         lochan_error *err);
void lochan_pq_projection__deinit(lochan_pq_projection *p); /* a zeroed one is fine */
/* Leaf number `slot` of the projection's fields. */
static inline const lochan_pq_leaf *lochan_pq_projection__leaf(const lochan_pq_projection *p,
                                                               int slot) {
    int n = p->schema->n_leaves;
    return slot < n ? &p->schema->leaves[slot] : &p->flat[slot - n];
}

/* Marks the leaves of a column (path "a"), or of a field in it: "a.b" of a struct, "a.element.b" or
 * shorter "a.b" in a list, "a.key", "a.value.b" in a map, or as Parquet spells it
 * ("a.list.element.b"). A column whose name has dots goes first. *fresh = false: all were marked
 * before. NOT_FOUND names the nearest column. */
lochan_status lochan_pq_path__mark(const lochan_pq_schema *schema, const char *path, bool *marks,
                                   int *column, bool *fresh, lochan_error *err);
void lochan_pq_column__mark(const lochan_pq_schema *schema, int column, bool *marks);
/* The leaf that a predicate may name: a flat column, or "a.b" below structs only. -1: none. */
int lochan_pq_path__leaf(const lochan_pq_schema *schema, const char *name);

#endif
