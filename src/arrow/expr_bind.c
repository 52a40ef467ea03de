/* expr_bind.c - resolving columns and turning literals into ranges and lists of the column's type.
 * Invariant: a range or list holds exactly the values of the type that satisfy the comparison as
 * written: literals out of the type's range, between two of its values, or with too many digits
 * narrow it, they are never rounded into it. Only floats round a literal to the nearest value of
 * the column's width, as its own text would be. May call: base/, schema.h, expr_tree.h.
 */
#include "arrow/expr_tree.h"

#include <float.h>

#define DAY_NS ((lochan_wide)86400 * 1000000000)

typedef struct binder {
    lochan_expr *e;
    const lochan_expr_node *leaf;
    lochan_expr_bound *b;
    lochan_error *err;
} binder;

int lochan_expr__order_wide(lochan_wide a, lochan_wide b) {
    return (a > b) - (a < b);
}

static int order_wides(const void *a, const void *b) {
    return lochan_expr__order_wide(*(const lochan_wide *)a, *(const lochan_wide *)b);
}

static int order_ints(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x > y) - (x < y);
}

static int order_uints(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static int order_doubles(const void *a, const void *b) {
    return lochan_double__compare(*(const double *)a, *(const double *)b);
}

static int order_texts(const void *a, const void *b) {
    return lochan_str__compare(*(const lochan_str *)a, *(const lochan_str *)b);
}

lochan_expr_class lochan_expr_class__of(const lochan_type *type, bool *comparable) {
    *comparable = !lochan_type__is_nested(type->id) && type->id != LOCHAN_TYPE_DECIMAL256;
    if (type->id == LOCHAN_TYPE_NULL || !*comparable)
        return LOCHAN_CLASS_NONE;
    if (type->id == LOCHAN_TYPE_UINT64)
        return LOCHAN_CLASS_UINT;
    if (lochan_type__is_float(type->id))
        return LOCHAN_CLASS_FLOAT;
    if (type->id == LOCHAN_TYPE_DECIMAL128)
        return LOCHAN_CLASS_DECIMAL;
    if (lochan_type__is_bytes(type->id) || type->id == LOCHAN_TYPE_FIXED_BINARY)
        return LOCHAN_CLASS_TEXT;
    return LOCHAN_CLASS_INT;
}

/* Smallest and largest value of a type of class INT, UINT or DECIMAL. */
static void domain(const lochan_type *type, lochan_wide *lo, lochan_wide *hi) {
    int bits = lochan_type__bit_width(type);
    bool is_unsigned = type->id == LOCHAN_TYPE_BOOL || type->id == LOCHAN_TYPE_UINT8 ||
                       type->id == LOCHAN_TYPE_UINT16 || type->id == LOCHAN_TYPE_UINT32 ||
                       type->id == LOCHAN_TYPE_UINT64;
    if (type->id == LOCHAN_TYPE_DECIMAL128) {
        *lo = -LOCHAN_WIDE_MAX - 1;
        *hi = LOCHAN_WIDE_MAX;
    } else if (is_unsigned) {
        *lo = 0;
        *hi = ((lochan_wide)1 << bits) - 1;
    } else {
        *lo = -((lochan_wide)1 << (bits - 1));
        *hi = ((lochan_wide)1 << (bits - 1)) - 1;
    }
}

static lochan_status wrong_literal(const binder *b, const lochan_literal *l, const char *wanted) {
    char type[80];
    lochan_type__name(&b->b->type, type);
    const char *column = b->e->columns[b->leaf->column];
    const char *quote = l->kind == LOCHAN_LITERAL_TEXT ? "'" : "";
    int n = l->text.n > 60 ? 60 : (int)l->text.n;
    lochan_status rc =
        lochan_expr__fail(b->e, l->at, LOCHAN_ERR_VALUE, b->err,
                          "column '%.100s' is %s: it cannot be compared with %s%.*s%s, write %s",
                          column, type, quote, n, l->text.p, quote, wanted);
    return lochan_error__in_table(b->err, rc, NULL, column, -1);
}

/* Nanoseconds to the ticks of a type. */
static void ticks(const lochan_type *type, lochan_wide ns, lochan_wide *floor, bool *exact) {
    lochan_wide tick = lochan_unit__ns(type->unit);
    if (type->id == LOCHAN_TYPE_DATE32)
        tick = DAY_NS;
    else if (type->id == LOCHAN_TYPE_DATE64)
        tick = 1000000;
    *floor = lochan_wide__floor_div(ns, tick, exact);
}

/* Dates, times and durations. */
static lochan_status time_literal(const binder *b, const lochan_literal *l, lochan_wide *floor,
                                  bool *exact) {
    const lochan_type *type = &b->b->type;
    bool text = l->kind == LOCHAN_LITERAL_TEXT;
    int64_t ns;
    lochan_iso iso;
    if (type->id == LOCHAN_TYPE_TIME32 || type->id == LOCHAN_TYPE_TIME64) {
        if (!text || !lochan_iso__parse_time(l->text, &ns))
            return wrong_literal(b, l, "a time as 'hh:mm:ss'");
        ticks(type, ns, floor, exact);
        return LOCHAN_OK;
    }
    if (type->id == LOCHAN_TYPE_DURATION) {
        char copy[32];
        if (l->kind == LOCHAN_LITERAL_NUMBER && lochan_number__scaled(l->text, 0, floor, exact))
            return LOCHAN_OK;
        if (!text || l->text.n >= sizeof(copy) || memchr(l->text.p, 0, l->text.n))
            return wrong_literal(b, l, "a number in its unit, or text such as '5m'");
        memcpy(copy, l->text.p, l->text.n);
        copy[l->text.n] = 0;
        if (!lochan_parse__duration_ns(copy, &ns))
            return wrong_literal(b, l, "a number in its unit, or text such as '5m'");
        ticks(type, ns, floor, exact);
        return LOCHAN_OK;
    }
    bool zoned = type->id == LOCHAN_TYPE_TIMESTAMP && type->zone[0];
    if (!text || !lochan_iso__parse(l->text, &iso))
        return wrong_literal(b, l, "a date as 'YYYY-MM-DD' or a time as 'YYYY-MM-DD hh:mm:ss'");
    if (iso.has_zone && !zoned)
        return wrong_literal(b, l, "it without a zone, since the column has none");
    ticks(type, iso.ns, floor, exact);
    return LOCHAN_OK;
}

/* The literal in the column's scale: its integer part and whether that is all of it. */
static lochan_status wide_literal(const binder *b, const lochan_literal *l, lochan_wide *floor,
                                  bool *exact) {
    const lochan_type *type = &b->b->type;
    if (type->id == LOCHAN_TYPE_BOOL) {
        if (l->kind != LOCHAN_LITERAL_BOOL)
            return wrong_literal(b, l, "true or false");
        *floor = l->text.n == 4;
        *exact = true;
        return LOCHAN_OK;
    }
    if (type->id >= LOCHAN_TYPE_DATE32)
        return time_literal(b, l, floor, exact);
    int32_t scale = type->id == LOCHAN_TYPE_DECIMAL128 ? type->scale : 0;
    if (l->kind == LOCHAN_LITERAL_BOOL || !lochan_number__scaled(l->text, scale, floor, exact))
        return wrong_literal(b, l, "a number");
    return LOCHAN_OK;
}

/* [lo, hi] for one comparison of an integer-like class. */
static lochan_status wide_range(const binder *b) {
    const lochan_literal *l = b->leaf->literals;
    lochan_expr_bound *r = b->b;
    lochan_wide floor, floor2, least, most;
    bool exact, exact2;
    domain(&r->type, &least, &most);
    r->lo = least;
    r->hi = most;
    LOCHAN_TRY(wide_literal(b, l, &floor, &exact));
    switch (b->leaf->op) {
    case LOCHAN_EXPR_EQ:
        r->empty = !exact;
        r->lo = r->hi = floor;
        break;
    case LOCHAN_EXPR_LT:
        r->hi = exact ? floor - 1 : floor;
        break;
    case LOCHAN_EXPR_LE:
        r->hi = floor;
        break;
    case LOCHAN_EXPR_GT:
        r->lo = floor + 1;
        break;
    case LOCHAN_EXPR_GE:
        r->lo = exact ? floor : floor + 1;
        break;
    default:
        LOCHAN_TRY(wide_literal(b, l + 1, &floor2, &exact2));
        r->lo = exact ? floor : floor + 1;
        r->hi = floor2;
    }
    r->lo = r->lo < least ? least : r->lo;
    r->hi = r->hi > most ? most : r->hi;
    r->empty = r->empty || r->lo > r->hi;
    return LOCHAN_OK;
}

/* A double; `beyond` -1 or 1 if the literal is finite but past what a double (or the column's
 * width) holds. */
static lochan_status float_literal(const binder *b, const lochan_literal *l, double *out,
                                   int *beyond) {
    *beyond = 0;
    bool number = l->kind != LOCHAN_LITERAL_BOOL;
    if (!number || !lochan_parse__double(l->text.p, l->text.n, true, out)) {
        lochan_wide floor;
        bool exact;
        if (!number || !lochan_number__scaled(l->text, 0, &floor, &exact))
            return wrong_literal(b, l, "a number");
        *out = floor > 0 ? INFINITY : floor < 0 ? -INFINITY : 0;
    }
    bool named =
        l->kind == LOCHAN_LITERAL_TEXT && memchr(l->text.p, 'n', l->text.n); /* 'inf', 'nan' */
    double most = b->b->type.id == LOCHAN_TYPE_FLOAT64 ? DBL_MAX : (double)FLT_MAX;
    if (b->b->type.id == LOCHAN_TYPE_FLOAT16)
        most = 65504;
    else if (b->b->type.id == LOCHAN_TYPE_FLOAT32 && fabs(*out) <= most)
        *out = (double)(float)*out;
    if (!named && fabs(*out) > most) {
        *beyond = *out > 0 ? 1 : -1;
        *out = *out > 0 ? most : -most;
    }
    return LOCHAN_OK;
}

/* Largest double below v, smallest above v. */
static double below(double v) {
    return nextafter(v, -INFINITY);
}
static double above(double v) {
    return nextafter(v, INFINITY);
}

static lochan_status float_range(const binder *b) {
    const lochan_literal *l = b->leaf->literals;
    lochan_expr_bound *r = b->b;
    double v, w;
    int beyond, beyond2;
    r->lo_f = -INFINITY;
    r->hi_f = INFINITY;
    LOCHAN_TRY(float_literal(b, l, &v, &beyond));
    /* A literal beyond the largest value lies between it and infinity. */
    double least = beyond > 0 ? INFINITY : v, most = beyond < 0 ? -INFINITY : v; /* for >= and <= */
    switch (b->leaf->op) {
    case LOCHAN_EXPR_EQ:
        r->empty = beyond != 0;
        r->lo_f = r->hi_f = v;
        break;
    case LOCHAN_EXPR_LT:
        r->empty = v == -INFINITY;
        r->hi_f = beyond ? most : below(v);
        break;
    case LOCHAN_EXPR_LE:
        r->hi_f = most;
        break;
    case LOCHAN_EXPR_GT:
        r->empty = v == INFINITY;
        r->lo_f = beyond ? least : above(v);
        break;
    case LOCHAN_EXPR_GE:
        r->lo_f = least;
        break;
    default:
        LOCHAN_TRY(float_literal(b, l + 1, &w, &beyond2));
        r->lo_f = least;
        r->hi_f = beyond2 < 0 ? -INFINITY : w;
        r->empty = isnan(w);
    }
    r->empty = r->empty || isnan(v) || r->lo_f > r->hi_f;
    return LOCHAN_OK;
}

static lochan_status text_literal(const binder *b, const lochan_literal *l, lochan_str *out) {
    *out = l->text;
    return l->kind == LOCHAN_LITERAL_TEXT ? LOCHAN_OK
                                          : wrong_literal(b, l, "text in single quotes");
}

static lochan_status text_range(const binder *b) {
    const lochan_literal *l = b->leaf->literals;
    lochan_expr_bound *r = b->b;
    lochan_expr_op op = b->leaf->op;
    lochan_str v, w;
    LOCHAN_TRY(text_literal(b, l, &v));
    w = v;
    if (op == LOCHAN_EXPR_BETWEEN)
        LOCHAN_TRY(text_literal(b, l + 1, &w));
    r->has_lo_s = op == LOCHAN_EXPR_EQ || op == LOCHAN_EXPR_GT || op == LOCHAN_EXPR_GE ||
                  op == LOCHAN_EXPR_BETWEEN;
    r->has_hi_s = op == LOCHAN_EXPR_EQ || op == LOCHAN_EXPR_LT || op == LOCHAN_EXPR_LE ||
                  op == LOCHAN_EXPR_BETWEEN;
    r->lo_open = op == LOCHAN_EXPR_GT;
    r->hi_open = op == LOCHAN_EXPR_LT;
    r->lo_s = v;
    r->hi_s = w;
    r->empty = r->has_lo_s && r->has_hi_s && lochan_str__compare(v, w) > 0;
    return LOCHAN_OK;
}

/* Sorts n values of `size` bytes and drops repeats; returns how many are left. */
static size_t settle_list(void *list, size_t n, size_t size,
                          int (*order)(const void *, const void *)) {
    uint8_t *p = list;
    size_t kept = 0;
    if (n > 1)
        qsort(p, n, size, order);
    for (size_t i = 0; i < n; i++) {
        if (kept && order(p + (kept - 1) * size, p + i * size) == 0)
            continue;
        if (kept != i)
            memcpy(p + kept * size, p + i * size, size);
        kept++;
    }
    return kept;
}

/* A bitmap over [first, last] where that costs at most a few words an item; NULL when out of
 * memory, which only costs speed. */
static void make_dense(lochan_expr *e, lochan_expr_bound *r) {
    if (r->n_list < 4)
        return;
    uint64_t span = (uint64_t)r->list_i[r->n_list - 1] - (uint64_t)r->list_i[0];
    if (span > (uint64_t)r->n_list * 512)
        return;
    r->dense = lochan_arena__alloc(&e->arena, (size_t)span / 8 + 1);
    for (size_t i = 0; r->dense && i < r->n_list; i++)
        lochan_bit__set(r->dense, (int64_t)((uint64_t)r->list_i[i] - (uint64_t)r->list_i[0]));
}

static lochan_status bind_wide_list(const binder *b) {
    lochan_expr_bound *r = b->b;
    size_t n = 0;
    lochan_wide least, most;
    bool ints = r->class != LOCHAN_CLASS_DECIMAL;
    domain(&r->type, &least, &most);
    r->list_i = ints ? lochan_arena__array(&b->e->arena, b->leaf->n_literals, 8) : NULL;
    r->list_d = ints ? NULL : lochan_arena__array(&b->e->arena, b->leaf->n_literals, 16);
    if (!r->list_i && !r->list_d)
        return lochan_error__nomem(b->err);
    for (size_t i = 0; i < b->leaf->n_literals; i++) {
        lochan_wide floor;
        bool exact;
        LOCHAN_TRY(wide_literal(b, &b->leaf->literals[i], &floor, &exact));
        if (!exact || floor < least || floor > most)
            continue;
        if (ints)
            r->list_i[n++] = (int64_t)(uint64_t)floor;
        else
            r->list_d[n++] = floor;
    }
    if (!ints) {
        r->n_list = settle_list(r->list_d, n, 16, order_wides);
        return LOCHAN_OK;
    }
    r->n_list =
        settle_list(r->list_i, n, 8, r->class == LOCHAN_CLASS_UINT ? order_uints : order_ints);
    make_dense(b->e, r);
    return LOCHAN_OK;
}

static lochan_status bind_list(const binder *b) {
    lochan_expr_bound *r = b->b;
    size_t n = 0, count = b->leaf->n_literals;
    lochan_status rc = LOCHAN_OK;
    r->is_list = true;
    if (r->class == LOCHAN_CLASS_FLOAT) {
        r->list_f = lochan_arena__array(&b->e->arena, count, sizeof(*r->list_f));
        if (!r->list_f)
            return lochan_error__nomem(b->err);
        for (size_t i = 0; i < count; i++) {
            int beyond;
            LOCHAN_TRY(float_literal(b, &b->leaf->literals[i], &r->list_f[n], &beyond));
            n += beyond == 0 && !isnan(r->list_f[n]);
        }
        r->n_list = settle_list(r->list_f, n, sizeof(*r->list_f), order_doubles);
    } else if (r->class == LOCHAN_CLASS_TEXT) {
        r->list_s = lochan_arena__array(&b->e->arena, count, sizeof(*r->list_s));
        if (!r->list_s)
            return lochan_error__nomem(b->err);
        for (size_t i = 0; i < count; i++)
            LOCHAN_TRY(text_literal(b, &b->leaf->literals[i], &r->list_s[i]));
        r->n_list = settle_list(r->list_s, count, sizeof(*r->list_s), order_texts);
    } else {
        rc = bind_wide_list(b);
    }
    r->empty = r->n_list == 0;
    return rc;
}

static lochan_status find_column(const lochan_expr *e, size_t column,
                                 const struct ArrowSchema *schema, int *child, lochan_error *err) {
    const char *name = e->columns[column];
    *child = lochan_schema__find(schema, name);
    if (*child >= 0)
        return LOCHAN_OK;
    lochan_status rc =
        lochan_expr__fail(e, e->column_at[column], LOCHAN_ERR_NOT_FOUND, err,
                          "the predicate names column '%.100s', which does not exist", name);
    const char **names =
        lochan_mem__array(schema->n_children ? (size_t)schema->n_children : 1, sizeof(*names));
    for (int64_t i = 0; names && i < schema->n_children; i++)
        names[i] = schema->children[i]->name ? schema->children[i]->name : "";
    const char *near = names ? lochan_name__nearest(name, names, (size_t)schema->n_children) : NULL;
    if (near)
        lochan_error__hint(err, "did you mean '%.100s'?", near);
    lochan_mem__free(names);
    return lochan_error__in_table(err, rc, NULL, name, -1);
}

static lochan_status bind_leaf(lochan_expr *e, lochan_expr_node *leaf,
                               const struct ArrowSchema *schema, lochan_error *err) {
    int child;
    bool comparable;
    LOCHAN_TRY(find_column(e, leaf->column, schema, &child, err));
    const struct ArrowSchema *field = schema->children[child];
    memset(&leaf->bound, 0, sizeof(leaf->bound));
    lochan_expr_bound *r = &leaf->bound;
    LOCHAN_TRY(lochan_type__parse(field->dictionary ? field->dictionary->format : field->format,
                                  &r->type, err));
    r->class = lochan_expr_class__of(&r->type, &comparable);
    if (leaf->op == LOCHAN_EXPR_IS_NULL)
        return LOCHAN_OK;
    if (!comparable) {
        char name[80];
        lochan_type__name(&r->type, name);
        lochan_status rc =
            lochan_expr__fail(e, leaf->at, LOCHAN_ERR_UNSUPPORTED, err,
                              "column '%.100s' is %s: only 'is null' and 'is not null' work on it",
                              e->columns[leaf->column], name);
        return lochan_error__in_table(err, rc, NULL, e->columns[leaf->column], -1);
    }
    binder b = {e, leaf, r, err};
    if (r->class == LOCHAN_CLASS_NONE)
        return LOCHAN_OK;
    if (leaf->op == LOCHAN_EXPR_IN)
        return bind_list(&b);
    if (r->class == LOCHAN_CLASS_FLOAT)
        return float_range(&b);
    return r->class == LOCHAN_CLASS_TEXT ? text_range(&b) : wide_range(&b);
}

static lochan_status bind_node(lochan_expr *e, lochan_expr_node *node,
                               const struct ArrowSchema *schema, lochan_error *err) {
    if (node->kind == LOCHAN_NODE_LEAF)
        return bind_leaf(e, node, schema, err);
    for (lochan_expr_node *child = node->first; child; child = child->next)
        LOCHAN_TRY(bind_node(e, child, schema, err));
    return LOCHAN_OK;
}

lochan_status lochan_expr__bind(lochan_expr *e, const struct ArrowSchema *schema,
                                lochan_error *err) {
    if (!e)
        return LOCHAN_OK;
    e->is_bound = false;
    LOCHAN_TRY(bind_node(e, e->root, schema, err));
    e->is_bound = true;
    return LOCHAN_OK;
}
