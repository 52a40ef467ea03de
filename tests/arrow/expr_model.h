/* expr_model.h - random batches and random predicates with a plain evaluator, row by row in
 * three-valued logic. Invariant: shares no code with src/arrow/expr_*.c; numbers are compared as
 * exact integers of a thousandth, times as microseconds, floats as doubles.
 */
#ifndef TEST_ARROW_EXPR_MODEL_H
#define TEST_ARROW_EXPR_MODEL_H

#include "arrow/kernel_sample.h"

#include "arrow/expr.h"
#include "base/civil.h"
#include <math.h>

typedef __int128 model_int;

typedef enum model_kind {
    MODEL_NUMBER,
    MODEL_BOOL,
    MODEL_TIME,
    MODEL_FLOAT,
    MODEL_TEXT
} model_kind;

typedef struct model_column {
    const char *name, *format;
    model_kind kind;
    model_int unit; /* thousandths or microseconds of one stored tick */
    int64_t near;   /* values lie around this */
} model_column;

static const model_column model_columns[] = {
    {"i8", "c", MODEL_NUMBER, 1000, 120},
    {"u8", "C", MODEL_NUMBER, 1000, 250},
    {"i16", "s", MODEL_NUMBER, 1000, 0},
    {"u16", "S", MODEL_NUMBER, 1000, 5},
    {"i32", "i", MODEL_NUMBER, 1000, -3},
    {"u32", "I", MODEL_NUMBER, 1000, 4294967290},
    {"i64", "l", MODEL_NUMBER, 1000, INT64_MAX - 5},
    {"u64", "L", MODEL_NUMBER, 1000, 3},
    {"dec", "d:12,2", MODEL_NUMBER, 10, 500},
    {"flag", "b", MODEL_BOOL, 1000, 0},
    {"day", "tdD", MODEL_TIME, (model_int)86400 * 1000000, 19000},
    {"day64", "tdm", MODEL_TIME, 1000, 0},
    {"at", "tsu:UTC", MODEL_TIME, 1, 1600000000000000},
    {"sec", "tss:", MODEL_TIME, 1000000, -5},
    {"f32", "f", MODEL_FLOAT, 0, 0},
    {"f64", "g", MODEL_FLOAT, 0, 0},
    {"half", "e", MODEL_FLOAT, 0, 0},
    {"text", "u", MODEL_TEXT, 0, 0},
    {"view", "vu", MODEL_TEXT, 0, 0},
    {"wide", "U", MODEL_TEXT, 0, 0},
    {"word", "dictionary", MODEL_TEXT, 0, 0},
};
enum {
    MODEL_COLUMNS = sizeof model_columns / sizeof model_columns[0],
    MODEL_ROWS = 150,
    MODEL_LIST = 6
};

typedef struct model_value {
    bool null;
    model_int i;
    double f;
    char s[12];
} model_value;

typedef struct model_batch {
    struct ArrowSchema schema;
    struct ArrowArray array;
    int64_t rows;
    model_value values[MODEL_COLUMNS][MODEL_ROWS];
} model_batch;

static uint64_t model_random(uint64_t *seed, uint64_t below) {
    return (fake_random(seed) >> 8) % below;
}

static double model_float(uint64_t *seed) {
    uint64_t r = model_random(seed, 24);
    if (r < 2)
        return (double)NAN;
    if (r < 4)
        return r == 2 ? (double)INFINITY : -(double)INFINITY;
    return r == 4 ? -0.0 : ((double)r - 14) * 0.25;
}

static void model_text(uint64_t *seed, char s[12]) {
    static const char *const texts[] = {"",  "a",   "ab",  "abc",       "abd",
                                        "b", "EUR", "USD", "abcabcabc", "\xc3\xa4"};
    snprintf(s, 12, "%s", texts[model_random(seed, LOCHAN_COUNTOF(texts))]);
}

/* Fills one value and appends it. */
static void model_append(lochan_builder *b, const model_column *c, uint64_t *seed, model_value *v) {
    lochan_error err;
    int64_t ticks = c->near + (int64_t)model_random(seed, 6);
    if (c->kind == MODEL_BOOL)
        ticks &= 1;
    v->i = ticks * c->unit;
    v->f = model_float(seed);
    model_text(seed, v->s);
    if (v->null)
        assert_ok(lochan_builder__null(b, &err));
    else if (c->kind == MODEL_FLOAT)
        assert_ok(lochan_builder__double(b, v->f, &err));
    else if (c->kind == MODEL_TEXT)
        assert_ok(lochan_builder__str(b, lochan_str__of(v->s), &err));
    else if (strcmp(c->name, "dec") == 0) {
        model_int raw = ticks;
        assert_ok(lochan_builder__fixed(b, &raw, &err));
    } else
        assert_ok(lochan_builder__int64(b, ticks, &err));
}

static void model_make(model_batch *m, uint64_t *seed) {
    lochan_error err;
    lochan_builder *b;
    memset(m, 0, sizeof *m);
    m->rows = (int64_t)model_random(seed, MODEL_ROWS);
    assert_ok(lochan_schema__init_struct(&m->schema, MODEL_COLUMNS, &err));
    for (int c = 0; c < MODEL_COLUMNS; c++) {
        lochan_type key = sample_type("s"), text = sample_type("u");
        if (strcmp(model_columns[c].format, "dictionary") == 0)
            assert_ok(lochan_schema__set_dictionary(m->schema.children[c], model_columns[c].name,
                                                    &key, &text, true, &err));
        else
            assert_ok(sample_field(m->schema.children[c], model_columns[c].name,
                                   model_columns[c].format, 0, &err));
    }
    assert_ok(lochan_builder__create(&m->schema, &b, &err));
    uint64_t nulls[MODEL_COLUMNS];
    for (int c = 0; c < MODEL_COLUMNS; c++)
        nulls[c] = model_random(seed, 4); /* none, some, half, all */
    int64_t skip = (int64_t)model_random(seed, 3);
    for (int64_t r = -skip; r < m->rows; r++) {
        for (int c = 0; c < MODEL_COLUMNS; c++) {
            model_value v = {.null = nulls[c] == 3 ||
                                     (nulls[c] > 0 && model_random(seed, 6) < nulls[c])};
            model_append(lochan_builder__child(b, c), &model_columns[c], seed, &v);
            if (r >= 0)
                m->values[c][r] = v;
        }
        assert_ok(lochan_builder__end_row(b, &err));
    }
    struct ArrowArray whole;
    assert_ok(lochan_builder__finish(b, &whole, &err));
    lochan_builder__free(b);
    if (skip == 1) { /* the offset in the struct itself */
        lochan_array__move(&whole, &m->array);
        m->array.offset = skip;
        m->array.length = m->rows;
        return;
    }
    lochan_shared *shared = lochan_shared__give(&whole);
    assert_non_null(shared);
    assert_ok(lochan_shared__slice(shared, skip, m->rows, &m->array, &err));
    lochan_shared__unref(shared);
}

static void model_free(model_batch *m) {
    lochan_array__release(&m->array);
    lochan_schema__release(&m->schema);
}

typedef enum model_op {
    OP_EQ,
    OP_NE,
    OP_LT,
    OP_LE,
    OP_GT,
    OP_GE,
    OP_BETWEEN,
    OP_IN,
    OP_NULL
} model_op;

typedef struct model_expr {
    enum { EXPR_LEAF, EXPR_NOT, EXPR_AND, EXPR_OR } kind;
    struct model_expr *a, *b;
    int column;
    model_op op;
    bool inverted; /* not between, not in, is not null */
    size_t n;
    model_value literals[MODEL_LIST];
} model_expr;

static void model_literal(const model_column *c, uint64_t *seed, model_value *v) {
    static const model_int far[] = {0, -1000, 1000000000000000000, -5000000000000000000};
    memset(v, 0, sizeof *v);
    model_text(seed, v->s);
    do
        v->f = model_float(seed);
    while (!isfinite(v->f));
    if (model_random(seed, 12) == 0)
        v->f = v->f > 0 ? 1e300 : -1e300;
    v->i = (c->near - 2 + (int64_t)model_random(seed, 10) * (c->near < INT64_MAX - 9)) * c->unit;
    if (c->kind == MODEL_BOOL)
        v->i = model_random(seed, 2) * 1000;
    else if (model_random(seed, 5) == 0 && c->kind != MODEL_FLOAT)
        v->i += c->unit / 2; /* between two values */
    else if (model_random(seed, 9) == 0 && c->kind == MODEL_NUMBER)
        v->i = far[model_random(seed, 4)] * 1000;
}

static model_expr *model_predicate(uint64_t *seed, int depth) {
    model_expr *e = calloc(1, sizeof *e);
    uint64_t kind = depth > 0 ? model_random(seed, 7) : 0;
    if (kind > 3) {
        e->kind = kind == 4 ? EXPR_NOT : kind == 5 ? EXPR_AND : EXPR_OR;
        e->a = model_predicate(seed, depth - 1);
        e->b = e->kind == EXPR_NOT ? NULL : model_predicate(seed, depth - 1);
        return e;
    }
    e->column = (int)model_random(seed, MODEL_COLUMNS);
    e->op = (model_op)model_random(seed, OP_NULL + 1);
    e->inverted = e->op >= OP_BETWEEN && model_random(seed, 2);
    e->n = e->op == OP_NULL      ? 0
           : e->op == OP_BETWEEN ? 2
           : e->op == OP_IN      ? 1 + model_random(seed, MODEL_LIST)
                                 : 1;
    for (size_t i = 0; i < e->n; i++)
        model_literal(&model_columns[e->column], seed, &e->literals[i]);
    return e;
}

static void model_expr_free(model_expr *e) {
    if (!e)
        return;
    model_expr_free(e->a);
    model_expr_free(e->b);
    free(e);
}

/* 0 false, 1 true, 2 unknown. */
static int model_leaf(const model_expr *e, const model_value *v) {
    const model_column *c = &model_columns[e->column];
    if (e->op == OP_NULL)
        return v->null != e->inverted;
    if (v->null)
        return 2;
    int order[MODEL_LIST];
    bool nan = c->kind == MODEL_FLOAT && isnan(v->f);
    for (size_t i = 0; i < e->n; i++) {
        const model_value *l = &e->literals[i];
        if (c->kind == MODEL_FLOAT)
            order[i] = nan ? 9 : (v->f > l->f) - (v->f < l->f);
        else if (c->kind == MODEL_TEXT)
            order[i] = strcmp(v->s, l->s);
        else
            order[i] = (v->i > l->i) - (v->i < l->i);
    }
    bool hit = false;
    switch (e->op) {
    case OP_EQ:
        return order[0] == 0;
    case OP_NE:
        return order[0] != 0;
    case OP_LT:
        return !nan && order[0] < 0;
    case OP_LE:
        return !nan && order[0] <= 0;
    case OP_GT:
        return !nan && order[0] > 0;
    case OP_GE:
        return !nan && order[0] >= 0;
    case OP_BETWEEN:
        hit = !nan && order[0] >= 0 && order[1] <= 0;
        return hit != e->inverted;
    default:
        for (size_t i = 0; i < e->n; i++)
            hit |= order[i] == 0;
        return hit != e->inverted;
    }
}

static int model_eval(const model_expr *e, const model_batch *m, int64_t row) {
    static const int not_of[] = {1, 0, 2};
    if (e->kind == EXPR_LEAF)
        return model_leaf(e, &m->values[e->column][row]);
    int a = model_eval(e->a, m, row);
    if (e->kind == EXPR_NOT)
        return not_of[a];
    int b = model_eval(e->b, m, row);
    int decides = e->kind == EXPR_OR; /* the value that settles it alone */
    if (a == decides || b == decides)
        return decides;
    return a == 2 || b == 2 ? 2 : !decides;
}

/* The predicate as text. */
static void model_print_literal(const model_column *c, const model_value *v, lochan_buf *out) {
    lochan_error err;
    char number[64];
    if (c->kind == MODEL_TEXT) {
        assert_ok(lochan_buf__printf(out, &err, "'%s'", v->s));
    } else if (c->kind == MODEL_FLOAT) {
        number[lochan_format__double(v->f, number)] = 0;
        assert_ok(lochan_buf__puts(out, number, &err));
    } else if (c->kind == MODEL_BOOL) {
        assert_ok(lochan_buf__puts(out, v->i ? "true" : "FALSE", &err));
    } else if (c->kind == MODEL_NUMBER) {
        model_int whole = v->i / 1000, part = v->i % 1000;
        uint64_t high = (uint64_t)((whole < 0 ? -whole : whole) / 1000000000),
                 low = (uint64_t)((whole < 0 ? -whole : whole) % 1000000000);
        assert_ok(lochan_buf__printf(out, &err, "%s%llu%09llu.%03d", v->i < 0 ? "-" : "",
                                     (unsigned long long)high, (unsigned long long)low,
                                     (int)(part < 0 ? -part : part)));
    } else {
        const model_int day = (model_int)86400 * 1000000;
        model_int days = v->i / day - (v->i % day < 0), us = v->i - days * day;
        char date[16];
        lochan_civil__format_date((int32_t)days, date);
        int64_t s = (int64_t)(us / 1000000);
        assert_ok(lochan_buf__printf(out, &err, "'%s %02d:%02d:%02d.%06d'", date, (int)(s / 3600),
                                     (int)(s / 60 % 60), (int)(s % 60), (int)(us % 1000000)));
    }
}

static void model_print(const model_expr *e, lochan_buf *out) {
    static const char *const ops[] = {"=", "!=", "<", "<=", ">", ">="};
    lochan_error err;
    if (e->kind == EXPR_NOT) {
        assert_ok(lochan_buf__puts(out, "not (", &err));
        model_print(e->a, out);
        assert_ok(lochan_buf__puts(out, ")", &err));
        return;
    }
    if (e->kind != EXPR_LEAF) {
        assert_ok(lochan_buf__puts(out, "(", &err));
        model_print(e->a, out);
        assert_ok(lochan_buf__puts(out, e->kind == EXPR_AND ? " AND " : " or ", &err));
        model_print(e->b, out);
        assert_ok(lochan_buf__puts(out, ")", &err));
        return;
    }
    const model_column *c = &model_columns[e->column];
    assert_ok(lochan_buf__printf(out, &err, "\"%s\" ", c->name));
    if (e->op == OP_NULL) {
        assert_ok(lochan_buf__puts(out, e->inverted ? "is not null" : "is null", &err));
        return;
    }
    if (e->inverted)
        assert_ok(lochan_buf__puts(out, "not ", &err));
    assert_ok(lochan_buf__puts(out,
                               e->op == OP_BETWEEN ? "between "
                               : e->op == OP_IN    ? "in ("
                                                   : ops[e->op],
                               &err));
    for (size_t i = 0; i < e->n; i++) {
        if (i > 0)
            assert_ok(lochan_buf__puts(out, e->op == OP_IN ? ", " : " and ", &err));
        model_print_literal(c, &e->literals[i], out);
    }
    if (e->op == OP_IN)
        assert_ok(lochan_buf__puts(out, ")", &err));
}

/* Parsed and bound; *text for messages (free with lochan_buf__deinit). */
static lochan_expr *model_bind(const model_expr *e, const model_batch *m, lochan_buf *text) {
    lochan_error err;
    lochan_expr *out;
    lochan_buf__init(text, 1 << 20);
    model_print(e, text);
    lochan_status rc = lochan_expr__parse((const char *)text->data, &out, &err);
    if (rc == LOCHAN_OK)
        rc = lochan_expr__bind(out, &m->schema, &err);
    if (rc != LOCHAN_OK)
        fail_msg("%s: %s", (const char *)text->data, err.message);
    return out;
}

#endif
