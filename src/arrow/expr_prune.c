/* expr_prune.c - what min, max and null counts say about a predicate.
 * Invariant: every doubt keeps the rows: may_match is false and all_match is true only where that
 * is certain. Bounds are outer bounds; a truncated maximum of text is taken as a prefix of the true
 * one, whichever way its writer cut it. May call: base/, expr_tree.h.
 */
#include "arrow/expr_tree.h"

#include <float.h>

/* What is certain of the non-null, non-NaN values of a column against the range or list of a leaf.
 */
typedef struct verdict {
    bool disjoint; /* none of them is in it */
    bool covered;  /* all of them are in it */
} verdict;

/* min and max in the terms of the leaf's class. */
typedef struct known {
    bool min, max;
    lochan_wide min_w, max_w;
    double min_f, max_f;
} known;

static bool is_integer_like(const lochan_type *t) {
    return lochan_type__is_integer(t->id);
}

/* Integers and times as wide numbers, if statistics and leaf speak of the same thing. */
static bool same_meaning(const lochan_type *leaf, const lochan_type *stats) {
    if (is_integer_like(leaf) && is_integer_like(stats))
        return true;
    if (leaf->id == LOCHAN_TYPE_DECIMAL128)
        return stats->id == LOCHAN_TYPE_DECIMAL128 && stats->scale == leaf->scale;
    return leaf->id == stats->id && leaf->unit == stats->unit;
}

static lochan_wide wide_of(int64_t v, const lochan_type *stats) {
    return stats->id == LOCHAN_TYPE_UINT64 ? (lochan_wide)(uint64_t)v : v;
}

static known know_wide(const lochan_expr_bound *b, const lochan_expr_stats *s) {
    known k = {0};
    if (!same_meaning(&b->type, &s->type))
        return k;
    k.min = s->has_min;
    k.max = s->has_max;
    k.min_w = wide_of(s->min_i, &s->type);
    k.max_w = wide_of(s->max_i, &s->type);
    if (k.min && k.max && k.min_w > k.max_w)
        k.min = k.max = false;
    return k;
}

/* A bound of float32 values that came as text is the float32 next to it: "0.1" means 0.1f. */
static double as_float32(double v) {
    return fabs(v) <= (double)FLT_MAX ? (double)(float)v : v;
}

/* Integer statistics of a column that has become float are widened by one step, since the
 * conversion may round; so are floats that their writer may have rounded. */
static known know_float(const lochan_expr_stats *s) {
    known k = {.min = s->has_min, .max = s->has_max, .min_f = s->min_f, .max_f = s->max_f};
    bool integers = is_integer_like(&s->type);
    if (integers) {
        k.min_f = (double)wide_of(s->min_i, &s->type);
        k.max_f = (double)wide_of(s->max_i, &s->type);
    } else if (s->type.id == LOCHAN_TYPE_FLOAT32) {
        k.min_f = as_float32(k.min_f);
        k.max_f = as_float32(k.max_f);
    } else if (!lochan_type__is_float(s->type.id)) {
        k.min = k.max = false;
    }
    if (integers || !s->min_exact)
        k.min_f = nextafter(k.min_f, -INFINITY);
    if (integers || !s->max_exact)
        k.max_f = nextafter(k.max_f, INFINITY);
    if (isnan(k.min_f) || isnan(k.max_f) || (k.min && k.max && k.min_f > k.max_f))
        k.min = k.max = false;
    return k;
}

/* An empty range matches nothing, whatever is known; a list lies in [first, last]. */
static verdict judge_wide(const lochan_expr_bound *b, const lochan_expr_stats *s) {
    known k = know_wide(b, s);
    verdict v = {b->empty, false};
    if (b->empty)
        return v;
    lochan_wide lo = b->lo, hi = b->hi;
    if (b->is_list) {
        size_t inside = 0;
        for (size_t i = 0; i < b->n_list && inside == 0; i++) {
            lochan_wide x = b->class == LOCHAN_CLASS_DECIMAL ? b->list_d[i]
                            : b->class == LOCHAN_CLASS_UINT  ? (lochan_wide)(uint64_t)b->list_i[i]
                                                             : b->list_i[i];
            bool outside = (k.min && x < k.min_w) || (k.max && x > k.max_w);
            inside += !outside;
            lo = hi = x;
        }
        v.disjoint = inside == 0;
        v.covered = inside > 0 && k.min && k.max && k.min_w == k.max_w && k.min_w == lo;
        return v;
    }
    v.disjoint = (k.min && hi < k.min_w) || (k.max && lo > k.max_w);
    v.covered = k.min && k.max && lo <= k.min_w && k.max_w <= hi;
    return v;
}

static verdict judge_float(const lochan_expr_bound *b, const lochan_expr_stats *s) {
    known k = know_float(s);
    verdict v = {b->empty, false};
    if (b->empty)
        return v;
    if (!b->is_list) {
        v.disjoint = (k.min && b->hi_f < k.min_f) || (k.max && b->lo_f > k.max_f);
        v.covered = k.min && k.max && b->lo_f <= k.min_f && k.max_f <= b->hi_f;
        return v;
    }
    v.disjoint = true;
    for (size_t i = 0; i < b->n_list && v.disjoint; i++) {
        double x = b->list_f[i];
        v.disjoint = (k.min && x < k.min_f) || (k.max && x > k.max_f);
        v.covered = !v.disjoint && k.min && k.max && k.min_f == k.max_f && k.min_f == x;
    }
    return v;
}

static bool starts_with(lochan_str s, lochan_str prefix) {
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

/* Whether all values are certainly less than x. */
static bool all_below(const lochan_expr_stats *s, lochan_str x) {
    if (!s->has_max || lochan_str__compare(s->max_s, x) >= 0)
        return false;
    return s->max_exact || !starts_with(x, s->max_s);
}

static bool all_above(const lochan_expr_stats *s, lochan_str x) {
    return s->has_min && lochan_str__compare(s->min_s, x) > 0;
}

static bool text_disjoint(const lochan_expr_bound *b, const lochan_expr_stats *s) {
    if (b->has_lo_s) {
        bool equal_end =
            s->has_max && s->max_exact && b->lo_open && lochan_str__eq(s->max_s, b->lo_s);
        if (equal_end || all_below(s, b->lo_s))
            return true;
    }
    if (b->has_hi_s) {
        bool equal_end = s->has_min && b->hi_open && lochan_str__eq(s->min_s, b->hi_s);
        if (equal_end || all_above(s, b->hi_s))
            return true;
    }
    return false;
}

static bool text_covered(const lochan_expr_bound *b, const lochan_expr_stats *s) {
    if (!s->has_min || !s->has_max)
        return false;
    if (b->has_lo_s) {
        int c = lochan_str__compare(b->lo_s, s->min_s);
        if (c > 0 || (c == 0 && b->lo_open))
            return false;
    }
    if (b->has_hi_s) {
        int c = lochan_str__compare(s->max_s, b->hi_s);
        if (c > 0 || (c == 0 && (b->hi_open || !s->max_exact)))
            return false;
        if (!s->max_exact && starts_with(b->hi_s, s->max_s))
            return false;
    }
    return true;
}

static verdict judge_text(const lochan_expr_bound *b, const lochan_expr_stats *stats) {
    lochan_expr_stats s = *stats;
    verdict v = {b->empty, false};
    bool text = lochan_type__is_bytes(s.type.id) || s.type.id == LOCHAN_TYPE_FIXED_BINARY;
    if (!text || (s.has_min && s.has_max && lochan_str__compare(s.min_s, s.max_s) > 0))
        s.has_min = s.has_max = false;
    if (b->empty)
        return v;
    if (!b->is_list) {
        v.disjoint = text_disjoint(b, &s);
        v.covered = text_covered(b, &s);
        return v;
    }
    v.disjoint = true;
    for (size_t i = 0; i < b->n_list && v.disjoint; i++) {
        lochan_str x = b->list_s[i];
        v.disjoint = all_below(&s, x) || all_above(&s, x);
        v.covered = !v.disjoint && s.has_min && s.has_max && s.min_exact && s.max_exact &&
                    lochan_str__eq(s.min_s, s.max_s) && lochan_str__eq(s.min_s, x);
    }
    return v;
}

static verdict judge(const lochan_expr_bound *b, const lochan_expr_stats *s) {
    switch (b->class) {
    case LOCHAN_CLASS_FLOAT:
        return judge_float(b, s);
    case LOCHAN_CLASS_TEXT:
        return judge_text(b, s);
    case LOCHAN_CLASS_NONE:
        return (verdict){true, false};
    default:
        return judge_wide(b, s);
    }
}

/* Longer lists are not asked for value by value. */
enum { MAX_ASKED = 64 };

/* The i-th value that an equality asks for. False: the range is no equality, or of a type that is
 * not asked for. */
static bool value_at(const lochan_expr_bound *b, size_t i, lochan_expr_value *v) {
    memset(v, 0, sizeof *v);
    switch (b->class) {
    case LOCHAN_CLASS_INT:
    case LOCHAN_CLASS_UINT:
        v->kind = LOCHAN_EXPR_VALUE_INT;
        v->i = b->is_list ? b->list_i[i] : (int64_t)(uint64_t)b->lo;
        return b->is_list || b->lo == b->hi;
    case LOCHAN_CLASS_FLOAT:
        v->kind = LOCHAN_EXPR_VALUE_FLOAT;
        v->f = b->is_list ? b->list_f[i] : b->lo_f;
        return b->is_list || b->lo_f == b->hi_f;
    case LOCHAN_CLASS_TEXT:
        v->kind = LOCHAN_EXPR_VALUE_TEXT;
        v->s = b->is_list ? b->list_s[i] : b->lo_s;
        return b->is_list || (b->has_lo_s && b->has_hi_s && lochan_str__eq(b->lo_s, b->hi_s));
    default:
        return false;
    }
}

/* Whether the column may hold one of the values asked for. */
static bool may_hold_any(const lochan_expr_bound *b, const lochan_expr_stats *s) {
    size_t n = b->is_list ? b->n_list : 1;
    bool float_both = b->class == LOCHAN_CLASS_FLOAT && lochan_type__is_float(s->type.id);
    bool text_both = b->class == LOCHAN_CLASS_TEXT;
    if (!s->may_hold || n > MAX_ASKED ||
        !(float_both || text_both || same_meaning(&b->type, &s->type)))
        return true;
    for (size_t i = 0; i < n; i++) {
        lochan_expr_value v;
        if (!value_at(b, i, &v) || s->may_hold(s->may_hold_ctx, &v))
            return true;
    }
    return false;
}

static bool leaf_may_match(const lochan_expr_node *leaf, const lochan_expr_stats *s) {
    bool all_null = s->null_count >= 0 && s->null_count == s->row_count;
    if (leaf->op == LOCHAN_EXPR_IS_NULL)
        return leaf->negated ? !all_null : s->null_count != 0;
    if (all_null || leaf->bound.class == LOCHAN_CLASS_NONE)
        return false;
    verdict v = judge(&leaf->bound, s);
    bool nan = leaf->bound.class == LOCHAN_CLASS_FLOAT && s->may_have_nan;
    if (leaf->negated)
        return !v.covered || nan;
    return !v.disjoint && may_hold_any(&leaf->bound, s);
}

static bool leaf_all_match(const lochan_expr_node *leaf, const lochan_expr_stats *s) {
    bool all_null = s->null_count >= 0 && s->null_count == s->row_count;
    bool no_nulls = s->null_count == 0;
    if (leaf->op == LOCHAN_EXPR_IS_NULL)
        return leaf->negated ? no_nulls : all_null;
    if (!no_nulls || leaf->bound.class == LOCHAN_CLASS_NONE)
        return false;
    verdict v = judge(&leaf->bound, s);
    bool nan = leaf->bound.class == LOCHAN_CLASS_FLOAT && s->may_have_nan;
    return leaf->negated ? v.disjoint : v.covered && !nan;
}

typedef struct pruner {
    const lochan_expr *e;
    lochan_expr_stats_fn stats;
    void *ctx;
} pruner;

static lochan_expr_stats look_up(const pruner *p, const lochan_expr_node *leaf) {
    lochan_expr_stats s = {.null_count = -1, .row_count = -1, .may_have_nan = true};
    if (!p->stats || !p->stats(p->ctx, p->e->columns[leaf->column], &s))
        s = (lochan_expr_stats){.null_count = -1, .row_count = -1, .may_have_nan = true};
    return s;
}

static bool node_may_match(const pruner *p, const lochan_expr_node *node) {
    if (node->kind == LOCHAN_NODE_LEAF) {
        lochan_expr_stats s = look_up(p, node);
        return leaf_may_match(node, &s);
    }
    bool is_and = node->kind == LOCHAN_NODE_AND;
    for (const lochan_expr_node *child = node->first; child; child = child->next) {
        if (node_may_match(p, child) != is_and)
            return !is_and;
    }
    return is_and;
}

static bool node_all_match(const pruner *p, const lochan_expr_node *node) {
    if (node->kind == LOCHAN_NODE_LEAF) {
        lochan_expr_stats s = look_up(p, node);
        return leaf_all_match(node, &s);
    }
    bool is_and = node->kind == LOCHAN_NODE_AND;
    for (const lochan_expr_node *child = node->first; child; child = child->next) {
        if (node_all_match(p, child) != is_and)
            return !is_and;
    }
    return is_and;
}

bool lochan_expr__may_match(const lochan_expr *e, lochan_expr_stats_fn stats, void *ctx) {
    if (!e || !e->is_bound)
        return true;
    return node_may_match(&(pruner){e, stats, ctx}, e->root);
}

bool lochan_expr__all_match(const lochan_expr *e, lochan_expr_stats_fn stats, void *ctx) {
    if (!e)
        return true;
    return e->is_bound && node_all_match(&(pruner){e, stats, ctx}, e->root);
}
