/* scan_leaf.h - fields of structs in predicates: "a.b" is column b of struct a.
 * Invariants: a column whose own name has dots goes before a field; fields of lists and maps,
 * and fields that have fields, are none of these; a field is null where a struct around it is. May
 * call: base/, arrow/.
 */
#ifndef LOCHAN_TABLE_SCAN_LEAF_H
#define LOCHAN_TABLE_SCAN_LEAF_H

#include "arrow/expr.h"

enum { LOCHAN_LEAF_DEPTH = 64 };

/* Where a column is: child[0] of the schema, child[1] of that, ... */
typedef struct lochan_leaf {
    int depth; /* 0 = there is none of that name, 1 = a column, more = a field */
    int child[LOCHAN_LEAF_DEPTH];
    const struct ArrowSchema *field; /* of the schema */
} lochan_leaf;

lochan_leaf lochan_leaf__find(const struct ArrowSchema *schema, const char *name);
/* Binds a predicate to the columns and fields of a table. */
lochan_status lochan_leaf__bind(const struct ArrowSchema *schema, lochan_expr *e,
                                lochan_error *err);
/* lochan_expr__apply for a predicate bound so. */
lochan_status lochan_leaf__apply(const struct ArrowSchema *schema, const struct ArrowArray *batch,
                                 const lochan_expr *e, uint8_t *bits, int64_t *count,
                                 lochan_error *err);

#endif
