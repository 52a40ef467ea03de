/* expr.h - predicates: parsed from text, bound to a schema, applied to batches and to min/max
 * statistics. Grammar: or_expr := and_expr {"or" and_expr}; and_expr := not_expr {"and" not_expr};
 * not_expr := "not" not_expr | "(" or_expr ")" | column op; op := (= | != | <> | < | <= | > | >=)
 * literal | [not] between literal and literal | [not] in "(" literal {"," literal} ")" | is [not]
 * null. Keywords in any case; columns plain, "quoted" or fields of structs (a.b, one name to this
 * layer); literals numbers, 'text' ('' for a quote), true, false, dates and times as 'text'. SQL's
 * three-valued logic. Invariant: pruning never drops a row that the predicate keeps. May call:
 * base/, the rest of arrow/.
 */
#ifndef LOCHAN_ARROW_EXPR_H
#define LOCHAN_ARROW_EXPR_H

#include "arrow/array.h"
#include "base/buf.h"
#include "base/str.h"

typedef struct lochan_expr lochan_expr;

/* text NULL or "" gives *out = NULL: keeps every row. Errors carry the position (line_column) and
 * near column names. */
lochan_status lochan_expr__parse(const char *text, lochan_expr **out, lochan_error *err);
/* Resolves columns and converts literals to the columns' types (lossless, else VALUE... a literal
 * out of the type's range compares correctly instead of failing). Must be called once before apply
 * and prune. */
lochan_status lochan_expr__bind(lochan_expr *e, const struct ArrowSchema *schema,
                                lochan_error *err);
void lochan_expr__free(lochan_expr *e);
/* Columns it reads, by name: count and i-th (borrowed). */
size_t lochan_expr__columns(const lochan_expr *e);
const char *lochan_expr__column(const lochan_expr *e, size_t i);

/* bits: one bit a row (zeroed by the callee), set where the predicate is true. `schema` is the
 * bound one or a projection of it that holds the columns. *count = number of set bits. */
lochan_status lochan_expr__apply(const lochan_expr *e, const struct ArrowSchema *schema,
                                 const struct ArrowArray *batch, uint8_t *bits, int64_t *count,
                                 lochan_error *err);

/* A value that a predicate asks for by equality. */
typedef struct lochan_expr_value {
    enum { LOCHAN_EXPR_VALUE_INT, LOCHAN_EXPR_VALUE_FLOAT, LOCHAN_EXPR_VALUE_TEXT } kind;
    int64_t i; /* integers, dates, times; of uint64 the bits */
    double f;
    lochan_str s;
} lochan_expr_value;

/* What is known of one column of a file, row group or page. */
typedef struct lochan_expr_stats {
    bool has_min, has_max;
    bool min_exact, max_exact; /* false: a truncated bound */
    lochan_type type;          /* how to read min and max */
    /* integers, dates, times, bools: i; floats: f; strings: s (borrowed); decimals of at most 18
     * digits: i, unscaled (others: leave has_min and has_max false). min and max of the non-null,
     * non-NaN values */
    int64_t min_i, max_i;
    double min_f, max_f;
    lochan_str min_s, max_s;
    int64_t null_count; /* -1 = unknown */
    int64_t row_count;  /* -1 = unknown */
    bool may_have_nan;
    /* Asked, where min and max leave a doubt, whether a value of `type` may be among the column's.
     * NULL: nothing is known */
    bool (*may_hold)(void *ctx, const lochan_expr_value *value);
    void *may_hold_ctx;
} lochan_expr_stats;

/* Fills *out for the named column and returns true, or returns false if nothing is known. */
typedef bool (*lochan_expr_stats_fn)(void *ctx, const char *column, lochan_expr_stats *out);
/* False only if no row can satisfy e. e NULL: true. */
bool lochan_expr__may_match(const lochan_expr *e, lochan_expr_stats_fn stats, void *ctx);
/* True only if every row satisfies e (then apply can be left out). */
bool lochan_expr__all_match(const lochan_expr *e, lochan_expr_stats_fn stats, void *ctx);

#endif
