/* expr_tree.h - the parsed and bound form of a predicate, shared by the expr_*.c files.
 * Invariant: there is no NOT node: the parser pushes it down to the leaves (De Morgan holds in
 * three-valued logic), so a row is kept exactly if the tree is true, and false and unknown need not
 * be told apart. All memory is the arena's. May call: base/, cells.h, iso.h.
 */
#ifndef LOCHAN_ARROW_EXPR_TREE_H
#define LOCHAN_ARROW_EXPR_TREE_H

#include "arrow/cells.h"
#include "arrow/expr.h"
#include "arrow/iso.h"
#include "base/arena.h"

typedef enum lochan_expr_op {
    LOCHAN_EXPR_EQ,
    LOCHAN_EXPR_LT,
    LOCHAN_EXPR_LE,
    LOCHAN_EXPR_GT,
    LOCHAN_EXPR_GE,
    LOCHAN_EXPR_BETWEEN,
    LOCHAN_EXPR_IN,
    LOCHAN_EXPR_IS_NULL
} lochan_expr_op;

typedef enum lochan_literal_kind {
    LOCHAN_LITERAL_NUMBER,
    LOCHAN_LITERAL_TEXT,
    LOCHAN_LITERAL_BOOL
} lochan_literal_kind;

typedef struct lochan_literal {
    lochan_literal_kind kind;
    lochan_str text; /* of a number as written; of a bool "true" or "false" */
    size_t at;       /* byte in the predicate */
} lochan_literal;

/* How the values of a column are compared. */
typedef enum lochan_expr_class {
    LOCHAN_CLASS_NONE,    /* nothing to compare: the type is null */
    LOCHAN_CLASS_INT,     /* int64: integers, bools, dates, times */
    LOCHAN_CLASS_UINT,    /* uint64 */
    LOCHAN_CLASS_FLOAT,   /* double */
    LOCHAN_CLASS_DECIMAL, /* int128 of the column's scale */
    LOCHAN_CLASS_TEXT     /* bytes */
} lochan_expr_class;

/* Every comparison is "the value lies in [lo, hi]" or "is one of `list`" (then n_list > 0, or
 * empty). */
typedef struct lochan_expr_bound {
    lochan_expr_class class;
    lochan_type type; /* of the column's values */
    bool empty;       /* no value can match */
    bool is_list;
    lochan_wide lo, hi; /* INT, UINT, DECIMAL */
    double lo_f, hi_f;
    lochan_str lo_s, hi_s;
    bool has_lo_s, has_hi_s, lo_open, hi_open;
    size_t n_list;   /* ascending, without repeats */
    int64_t *list_i; /* INT; UINT as its bits */
    double *list_f;
    lochan_wide *list_d;
    lochan_str *list_s;
    uint8_t *dense; /* INT, UINT: bitmap of list_i[0]..list_i[n-1], if they lie close */
} lochan_expr_bound;

typedef struct lochan_expr_node {
    enum { LOCHAN_NODE_AND, LOCHAN_NODE_OR, LOCHAN_NODE_LEAF } kind;
    struct lochan_expr_node *first; /* children of and, or */
    struct lochan_expr_node *next;
    /* leaf */
    bool negated;
    lochan_expr_op op;
    size_t column; /* index into lochan_expr.columns */
    size_t at;
    lochan_literal *literals;
    size_t n_literals;
    lochan_expr_bound bound;
} lochan_expr_node;

struct lochan_expr {
    lochan_arena arena;
    const char *text;
    lochan_expr_node *root;
    const char **columns;
    size_t *column_at; /* where each is first named */
    size_t n_columns;
    bool is_bound;
};

/* INVALID_ARGUMENT (or `code`) at a byte of the predicate: fills line and line_column. */
lochan_status lochan_expr__fail(const lochan_expr *e, size_t at, lochan_status code,
                                lochan_error *err, const char *fmt, ...) LOCHAN_PRINTF(5, 6);
/* How a type is compared; NONE for null and nested types, with *comparable false for nested and
 * unsupported ones. */
lochan_expr_class lochan_expr_class__of(const lochan_type *type, bool *comparable);

/* Orders used by lists and by search in them. */
int lochan_expr__order_wide(lochan_wide a, lochan_wide b);

#endif
