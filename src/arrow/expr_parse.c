/* expr_parse.c - text of a predicate to its tree.
 * Invariant: recursion is bounded by MAX_DEPTH, memory by the length of the text, which is bounded
 * by MAX_TEXT. May call: base/, expr_tree.h.
 */
#include "arrow/expr_tree.h"

enum { MAX_DEPTH = 200, MAX_LEAVES = 10000, MAX_LITERALS = 1000000, MAX_TEXT = 32 << 20 };

typedef enum token_kind {
    TOKEN_END,
    TOKEN_WORD,   /* a plain name or a keyword */
    TOKEN_QUOTED, /* "name" */
    TOKEN_NUMBER,
    TOKEN_TEXT,
    TOKEN_OP
} token_kind;

typedef struct token {
    token_kind kind;
    lochan_str text; /* without quotes, quotes undoubled */
    size_t at;
} token;

typedef struct parser {
    lochan_expr *e;
    lochan_error *err;
    const char *text;
    size_t n;
    size_t pos;
    token now;
    int depth;
    size_t leaves;
    size_t literals;
    size_t cap_columns;
} parser;

lochan_status lochan_expr__fail(const lochan_expr *e, size_t at, lochan_status code,
                                lochan_error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lochan_error__vset(err, code, fmt, args);
    va_end(args);
    if (!err)
        return code;
    int64_t line = 1, column = 1;
    for (size_t i = 0; i < at; i++) {
        unsigned char c = (unsigned char)e->text[i];
        if (c == '\n') {
            line++;
            column = 1;
        } else {
            column += (c & 0xc0) != 0x80; /* characters, not bytes */
        }
    }
    err->line = line;
    err->line_column = column;
    return code;
}

static bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80;
}

static bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

static bool is_blank(char c) {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

/* The current token as it may be shown: short, without control characters. */
typedef struct shown {
    char s[48];
} shown;

static shown show(const parser *p) {
    shown out;
    if (p->now.kind == TOKEN_END) {
        memcpy(out.s, "the end", 8);
        return out;
    }
    size_t n = 0;
    out.s[n++] = '\'';
    for (size_t i = p->now.at; i < p->pos && n < 40; i++)
        out.s[n++] = (unsigned char)p->text[i] < 0x20 || p->text[i] == 0x7f ? '?' : p->text[i];
    while (n > 1 && n >= 40 && ((unsigned char)out.s[n - 1] & 0x80)) /* no half character */
        n--;
    out.s[n++] = '\'';
    out.s[n] = 0;
    return out;
}

static lochan_status expected(const parser *p, const char *what) {
    return lochan_expr__fail(p->e, p->now.at, LOCHAN_ERR_INVALID_ARGUMENT, p->err,
                             "the predicate has %s where %s should be", show(p).s, what);
}

/* Text up to the closing quote; a doubled quote stands for one. */
static lochan_status scan_quoted(parser *p, char quote) {
    size_t start = p->pos;
    size_t end = start + 1, n = 0;
    while (end < p->n && (p->text[end] != quote || (end + 1 < p->n && p->text[end + 1] == quote)))
        end += p->text[end] == quote ? 2 : 1;
    if (end >= p->n)
        return lochan_expr__fail(p->e, start, LOCHAN_ERR_INVALID_ARGUMENT, p->err,
                                 "the predicate has a %s without its closing %c",
                                 quote == '"' ? "quoted column name" : "text", quote);
    char *out = lochan_arena__alloc(&p->e->arena, end - start);
    if (!out)
        return lochan_error__nomem(p->err);
    for (size_t i = start + 1; i < end; i++) {
        out[n++] = p->text[i];
        i += p->text[i] == quote;
    }
    p->now.text = (lochan_str){out, n};
    p->pos = end + 1;
    return LOCHAN_OK;
}

/* Takes in all that might be meant as one value, so that 2024-01-05 without quotes is one mistake.
 */
static void scan_number(parser *p) {
    size_t i = p->pos + 1; /* a sign, a point or a digit */
    while (
        i < p->n &&
        (is_digit(p->text[i]) || p->text[i] == '.' || p->text[i] == ':' || is_letter(p->text[i]) ||
         ((p->text[i] == '-' || p->text[i] == '+') && i + 1 < p->n && is_digit(p->text[i + 1])) ||
         ((p->text[i] == '-' || p->text[i] == '+') && (p->text[i - 1] | 32) == 'e')))
        i++;
    p->now.text = (lochan_str){p->text + p->pos, i - p->pos};
    p->pos = i;
}

static bool starts_number(const parser *p) {
    const char *s = p->text + p->pos;
    size_t left = p->n - p->pos, i = left > 0 && (s[0] == '-' || s[0] == '+');
    i += i < left && s[i] == '.';
    return i < left && is_digit(s[i]);
}

static lochan_status scan_op(parser *p) {
    static const char *const ops[] = {"<=", ">=", "<>", "!=", "=", "<", ">", "(", ")", ","};
    for (size_t i = 0; i < LOCHAN_COUNTOF(ops); i++) {
        size_t n = strlen(ops[i]);
        if (p->n - p->pos >= n && memcmp(p->text + p->pos, ops[i], n) == 0) {
            p->now.text = (lochan_str){ops[i], n};
            p->pos += n;
            return LOCHAN_OK;
        }
    }
    p->pos++;
    return expected(p, "a column, an operator or a value");
}

static lochan_status next(parser *p) {
    while (p->pos < p->n && is_blank(p->text[p->pos]))
        p->pos++;
    p->now = (token){.kind = TOKEN_END, .at = p->pos};
    if (p->pos == p->n)
        return LOCHAN_OK;
    char c = p->text[p->pos];
    if (c == '\'' || c == '"') {
        p->now.kind = c == '"' ? TOKEN_QUOTED : TOKEN_TEXT;
        return scan_quoted(p, c);
    }
    if (starts_number(p)) {
        p->now.kind = TOKEN_NUMBER;
        scan_number(p);
        return LOCHAN_OK;
    }
    if (is_letter(c)) {
        size_t end = p->pos;
        while (end < p->n &&
               (is_letter(p->text[end]) || is_digit(p->text[end]) ||
                (p->text[end] == '.' && end + 1 < p->n && is_letter(p->text[end + 1]))))
            end++; /* a.b: a field of a struct */
        p->now.kind = TOKEN_WORD;
        p->now.text = (lochan_str){p->text + p->pos, end - p->pos};
        p->pos = end;
        return LOCHAN_OK;
    }
    p->now.kind = TOKEN_OP;
    return scan_op(p);
}

static bool is_word(const parser *p, const char *keyword) {
    size_t n = strlen(keyword);
    if (p->now.kind != TOKEN_WORD || p->now.text.n != n)
        return false;
    for (size_t i = 0; i < n; i++) {
        if ((p->now.text.p[i] | 32) != keyword[i])
            return false;
    }
    return true;
}

static bool is_op(const parser *p, const char *op) {
    return p->now.kind == TOKEN_OP && lochan_str__eq(p->now.text, lochan_str__of(op));
}

static bool is_keyword(const parser *p) {
    static const char *const words[] = {"and", "or",   "not",  "between", "in",
                                        "is",  "null", "true", "false"};
    for (size_t i = 0; i < LOCHAN_COUNTOF(words); i++) {
        if (is_word(p, words[i]))
            return true;
    }
    return false;
}

static lochan_status parse_literal(parser *p, lochan_literal *out) {
    *out = (lochan_literal){.text = p->now.text, .at = p->now.at};
    if (++p->literals > MAX_LITERALS)
        return lochan_expr__fail(p->e, p->now.at, LOCHAN_ERR_INVALID_ARGUMENT, p->err,
                                 "the predicate has more than %d values", MAX_LITERALS);
    if (is_word(p, "null"))
        return expected(p, "a value (use 'is null')");
    if (is_word(p, "true") || is_word(p, "false")) {
        out->kind = LOCHAN_LITERAL_BOOL;
        out->text = is_word(p, "true") ? LOCHAN_STR("true") : LOCHAN_STR("false");
    } else if (p->now.kind == TOKEN_TEXT) {
        out->kind = LOCHAN_LITERAL_TEXT;
    } else if (p->now.kind == TOKEN_NUMBER) {
        lochan_wide floor;
        bool exact;
        out->kind = LOCHAN_LITERAL_NUMBER;
        if (!lochan_number__scaled(out->text, 0, &floor, &exact))
            return expected(p, "a number (dates and text need single quotes)");
    } else {
        return expected(p, "a number, 'text', true or false");
    }
    return next(p);
}

static lochan_status parse_literals(parser *p, lochan_expr_node *leaf, size_t n) {
    leaf->literals = lochan_arena__array(&p->e->arena, n, sizeof(*leaf->literals));
    if (!leaf->literals)
        return lochan_error__nomem(p->err);
    leaf->n_literals = n;
    for (size_t i = 0; i < n; i++) {
        if (i > 0) { /* between a and b */
            if (!is_word(p, "and"))
                return expected(p, "'and'");
            LOCHAN_TRY(next(p));
        }
        LOCHAN_TRY(parse_literal(p, &leaf->literals[i]));
    }
    return LOCHAN_OK;
}

/* "(" literal {"," literal} ")", doubling the array as it fills. */
static lochan_status parse_list(parser *p, lochan_expr_node *leaf) {
    size_t cap = 0;
    if (!is_op(p, "("))
        return expected(p, "'('");
    do {
        LOCHAN_TRY(next(p));
        if (leaf->n_literals == cap) {
            cap = cap ? cap * 2 : 8;
            lochan_literal *more = lochan_arena__array(&p->e->arena, cap, sizeof(*more));
            if (!more)
                return lochan_error__nomem(p->err);
            if (leaf->n_literals)
                memcpy(more, leaf->literals, leaf->n_literals * sizeof(*more));
            leaf->literals = more;
        }
        LOCHAN_TRY(parse_literal(p, &leaf->literals[leaf->n_literals++]));
    } while (is_op(p, ","));
    if (!is_op(p, ")"))
        return expected(p, "',' or ')'");
    return next(p);
}

static lochan_status add_column(parser *p, lochan_str name, size_t *index) {
    lochan_expr *e = p->e;
    if (name.n == 0 || memchr(name.p, 0, name.n))
        return expected(p, "a column name");
    for (size_t i = 0; i < e->n_columns; i++) {
        if (lochan_str__eq(lochan_str__of(e->columns[i]), name)) {
            *index = i;
            return LOCHAN_OK;
        }
    }
    if (e->n_columns == p->cap_columns) {
        size_t cap = p->cap_columns ? p->cap_columns * 2 : 8;
        const char **names = lochan_arena__array(&e->arena, cap, sizeof(*names));
        size_t *at = lochan_arena__array(&e->arena, cap, sizeof(*at));
        if (!names || !at)
            return lochan_error__nomem(p->err);
        for (size_t i = 0; i < e->n_columns; i++) {
            names[i] = e->columns[i];
            at[i] = e->column_at[i];
        }
        e->columns = names;
        e->column_at = at;
        p->cap_columns = cap;
    }
    *index = e->n_columns;
    e->column_at[e->n_columns] = p->now.at;
    e->columns[e->n_columns] = lochan_arena__strndup(&e->arena, name.p, name.n);
    return e->columns[e->n_columns++] ? LOCHAN_OK : lochan_error__nomem(p->err);
}

static lochan_status parse_op(parser *p, lochan_expr_node *leaf) {
    static const struct {
        const char *text;
        lochan_expr_op op;
        bool negated;
    } ops[] = {{"=", LOCHAN_EXPR_EQ, false},  {"!=", LOCHAN_EXPR_EQ, true},
               {"<>", LOCHAN_EXPR_EQ, true},  {"<", LOCHAN_EXPR_LT, false},
               {"<=", LOCHAN_EXPR_LE, false}, {">", LOCHAN_EXPR_GT, false},
               {">=", LOCHAN_EXPR_GE, false}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(ops); i++) {
        if (is_op(p, ops[i].text)) {
            leaf->op = ops[i].op;
            leaf->negated ^= ops[i].negated;
            LOCHAN_TRY(next(p));
            return parse_literals(p, leaf, 1);
        }
    }
    if (is_word(p, "is")) {
        LOCHAN_TRY(next(p));
        if (is_word(p, "not")) {
            leaf->negated ^= true;
            LOCHAN_TRY(next(p));
        }
        leaf->op = LOCHAN_EXPR_IS_NULL;
        return is_word(p, "null") ? next(p) : expected(p, "'null'");
    }
    bool inverted = is_word(p, "not");
    if (inverted) {
        leaf->negated ^= true;
        LOCHAN_TRY(next(p));
    }
    if (is_word(p, "between")) {
        leaf->op = LOCHAN_EXPR_BETWEEN;
        LOCHAN_TRY(next(p));
        return parse_literals(p, leaf, 2);
    }
    if (is_word(p, "in")) {
        leaf->op = LOCHAN_EXPR_IN;
        LOCHAN_TRY(next(p));
        return parse_list(p, leaf);
    }
    return expected(p, inverted ? "'between' or 'in'"
                                : "an operator (=, !=, <, <=, >, >=, between, in, is null)");
}

static lochan_status new_node(parser *p, int kind, lochan_expr_node **out) {
    *out = lochan_arena__alloc(&p->e->arena, sizeof(**out));
    if (!*out)
        return lochan_error__nomem(p->err);
    (*out)->kind = kind;
    return LOCHAN_OK;
}

static lochan_status parse_leaf(parser *p, bool negated, lochan_expr_node **out) {
    if (p->now.kind != TOKEN_QUOTED && (p->now.kind != TOKEN_WORD || is_keyword(p)))
        return expected(p, "a column");
    if (++p->leaves > MAX_LEAVES)
        return lochan_expr__fail(p->e, p->now.at, LOCHAN_ERR_INVALID_ARGUMENT, p->err,
                                 "the predicate has more than %d comparisons", MAX_LEAVES);
    LOCHAN_TRY(new_node(p, LOCHAN_NODE_LEAF, out));
    (*out)->negated = negated;
    (*out)->at = p->now.at;
    LOCHAN_TRY(add_column(p, p->now.text, &(*out)->column));
    LOCHAN_TRY(next(p));
    return parse_op(p, *out);
}

static lochan_status parse_or(parser *p, bool negated, lochan_expr_node **out);

static lochan_status parse_not(parser *p, bool negated, lochan_expr_node **out) {
    if (!is_word(p, "not") && !is_op(p, "("))
        return parse_leaf(p, negated, out);
    if (++p->depth > MAX_DEPTH)
        return lochan_expr__fail(p->e, p->now.at, LOCHAN_ERR_INVALID_ARGUMENT, p->err,
                                 "the predicate is nested deeper than %d levels", MAX_DEPTH);
    bool group = is_op(p, "(");
    LOCHAN_TRY(next(p));
    if (group) {
        LOCHAN_TRY(parse_or(p, negated, out));
        if (!is_op(p, ")"))
            return expected(p, "'and', 'or' or ')'");
        LOCHAN_TRY(next(p));
    } else {
        LOCHAN_TRY(parse_not(p, !negated, out));
    }
    p->depth--;
    return LOCHAN_OK;
}

/* One or more operands between a keyword; a single one needs no node of its own. */
static lochan_status parse_chain(parser *p, bool negated, bool is_and, lochan_expr_node **out) {
    lochan_expr_node **last = NULL;
    *out = NULL;
    for (;;) {
        lochan_expr_node *operand = NULL;
        LOCHAN_TRY(is_and ? parse_not(p, negated, &operand)
                          : parse_chain(p, negated, true, &operand));
        if (last)
            *last = operand;
        else
            *out = operand;
        if (!is_word(p, is_and ? "and" : "or"))
            return LOCHAN_OK;
        LOCHAN_TRY(next(p));
        if (!last) { /* a second operand comes */
            LOCHAN_TRY(new_node(p, is_and != negated ? LOCHAN_NODE_AND : LOCHAN_NODE_OR, out));
            (*out)->first = operand;
        }
        last = &operand->next;
    }
}

static lochan_status parse_or(parser *p, bool negated, lochan_expr_node **out) {
    return parse_chain(p, negated, false, out);
}

lochan_status lochan_expr__parse(const char *text, lochan_expr **out, lochan_error *err) {
    *out = NULL;
    lochan_status rc = LOCHAN_OK;
    if (!text || !*text)
        return LOCHAN_OK;
    size_t n = strlen(text);
    if (n > MAX_TEXT)
        return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                 "the predicate has %zu bytes, more than %d", n, MAX_TEXT);
    lochan_expr *e = lochan_mem__zalloc(sizeof(*e));
    if (!e)
        return lochan_error__nomem(err);
    lochan_arena__init(&e->arena, 0);
    e->text = lochan_arena__strndup(&e->arena, text, n);
    parser p = {.e = e, .err = err, .text = e->text, .n = n};
    if (!e->text) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    if (!lochan_utf8__valid(text, n)) {
        rc =
            lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT, "the predicate is not valid UTF-8");
        goto done;
    }
    LOCHAN_TRYG(next(&p));
    LOCHAN_TRYG(parse_or(&p, false, &e->root));
    if (p.now.kind != TOKEN_END)
        rc = expected(&p, "'and', 'or' or the end");
done:
    if (rc != LOCHAN_OK)
        lochan_expr__free(e);
    else
        *out = e;
    return rc;
}

void lochan_expr__free(lochan_expr *e) {
    if (!e)
        return;
    lochan_arena__deinit(&e->arena);
    lochan_mem__free(e);
}

size_t lochan_expr__columns(const lochan_expr *e) {
    return e ? e->n_columns : 0;
}

const char *lochan_expr__column(const lochan_expr *e, size_t i) {
    return e && i < e->n_columns ? e->columns[i] : NULL;
}
