/* json_check.c - whether a text is one JSON object (RFC 8259), without reading it into anything.
 * Invariant: nesting is bounded, so is the stack. May call: base/.
 */
#include "run/own.h"

enum { MOST_LEVELS = 100 };

typedef struct cursor {
    const char *p, *end;
} cursor;

static void skip_blanks(cursor *c) {
    while (c->p < c->end && (*c->p == ' ' || *c->p == '\t' || *c->p == '\n' || *c->p == '\r'))
        c->p++;
}

static bool take(cursor *c, char wanted) {
    if (c->p == c->end || *c->p != wanted)
        return false;
    c->p++;
    return true;
}

static bool is_hex(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool check_string(cursor *c) {
    if (!take(c, '"'))
        return false;
    while (c->p < c->end && *c->p != '"') {
        if ((unsigned char)*c->p < 0x20)
            return false;
        if (*c->p++ != '\\')
            continue;
        if (c->p == c->end || !strchr("\"\\/bfnrtu", *c->p) || !*c->p)
            return false;
        if (*c->p++ != 'u')
            continue;
        for (int i = 0; i < 4; i++)
            if (c->p == c->end || !is_hex(*c->p++))
                return false;
    }
    return take(c, '"');
}

static bool check_digits(cursor *c) {
    const char *from = c->p;
    while (c->p < c->end && *c->p >= '0' && *c->p <= '9')
        c->p++;
    return c->p > from;
}

static bool check_number(cursor *c) {
    (void)take(c, '-');
    const char *from = c->p;
    if (!check_digits(c) || (*from == '0' && c->p > from + 1))
        return false;
    if (take(c, '.') && !check_digits(c))
        return false;
    if (take(c, 'e') || take(c, 'E')) {
        if (!take(c, '+'))
            (void)take(c, '-');
        return check_digits(c);
    }
    return true;
}

static bool check_word(cursor *c, const char *word) {
    size_t n = strlen(word);
    if ((size_t)(c->end - c->p) < n || memcmp(c->p, word, n) != 0)
        return false;
    c->p += n;
    return true;
}

static bool check_value(cursor *c, int level);

/* What stands between the brackets of an object or an array. */
static bool check_items(cursor *c, char close, int level) {
    skip_blanks(c);
    if (take(c, close))
        return true;
    do {
        skip_blanks(c);
        if (close == '}') {
            if (!check_string(c))
                return false;
            skip_blanks(c);
            if (!take(c, ':'))
                return false;
        }
        if (!check_value(c, level + 1))
            return false;
        skip_blanks(c);
    } while (take(c, ','));
    return take(c, close);
}

static bool check_value(cursor *c, int level) {
    skip_blanks(c);
    if (c->p == c->end || level > MOST_LEVELS)
        return false;
    switch (*c->p) {
    case '{':
        c->p++;
        return check_items(c, '}', level);
    case '[':
        c->p++;
        return check_items(c, ']', level);
    case '"':
        return check_string(c);
    case 't':
        return check_word(c, "true");
    case 'f':
        return check_word(c, "false");
    case 'n':
        return check_word(c, "null");
    default:
        return check_number(c);
    }
}

bool lochan_run__is_json_object(const char *text) {
    size_t n = strlen(text);
    cursor c = {text, text + n};
    skip_blanks(&c);
    if (c.p == c.end || *c.p != '{' || !lochan_utf8__valid(text, n) || !check_value(&c, 0))
        return false;
    skip_blanks(&c);
    return c.p == c.end;
}
