/* yaml.c - builds a bounded tree from libfyaml's events.
 * Invariants: only scalars are keys, keys of a map differ, no anchors, aliases or tags; text is
 * UTF-8 without zero bytes. May call: base/, libfyaml.
 */
#include "source/yaml_tree.h"

#include "base/fs.h"

#include <libfyaml.h>
#include <stdio.h>

/* An open list or map while the events come in. */
struct frame {
    lochan_yaml_node *node;
    lochan_yaml_node *last;
    const char *key; /* of the entry that comes next, NULL in a map means: a key comes next */
    int32_t key_line, key_column;
};

struct builder {
    lochan_yaml *doc;
    struct frame stack[LOCHAN_YAML_MAX_DEPTH];
    int depth;
    bool ended; /* the first document is complete */
};

/* Where an event begins, 1-based. */
struct place {
    int32_t line, column;
};

static struct place place_of(struct fy_event *event) {
    const struct fy_mark *mark = fy_event_start_mark(event);
    if (!mark)
        return (struct place){1, 1};
    struct place at = {mark->line + 1, mark->column + 1};
    /* libfyaml points behind the quote or the star. */
    bool behind = event->type == FYET_ALIAS;
    if (event->type == FYET_SCALAR && event->scalar.value) {
        enum fy_scalar_style style = fy_token_scalar_style(event->scalar.value);
        behind = style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED;
    }
    if (behind && at.column > 1)
        at.column--;
    return at;
}

lochan_status lochan_yaml__error_at(const lochan_yaml *doc, int32_t line, int32_t column,
                                    lochan_error *err, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lochan_status rc = lochan_error__vset(err, LOCHAN_ERR_SPEC, fmt, args);
    va_end(args);
    return lochan_error__in_line(err, rc, doc->file, line, column);
}

lochan_status lochan_yaml__new_node(lochan_yaml *doc, lochan_yaml_kind kind, int32_t line,
                                    int32_t column, lochan_yaml_node **out, lochan_error *err) {
    *out = NULL;
    if (doc->nodes >= LOCHAN_YAML_MAX_NODES)
        return lochan_yaml__error_at(doc, line, column, err, "the spec has more than %d values",
                                     LOCHAN_YAML_MAX_NODES);
    lochan_yaml_node *node = lochan_arena__alloc(&doc->arena, sizeof(*node));
    if (!node)
        return lochan_error__nomem(err);
    node->kind = kind;
    node->line = line;
    node->column = column;
    node->doc = doc;
    doc->nodes++;
    *out = node;
    return LOCHAN_OK;
}

void lochan_yaml__link(lochan_yaml_node *parent, lochan_yaml_node *last, lochan_yaml_node *node) {
    node->parent = parent;
    if (last)
        last->next = node;
    else
        parent->first = node;
    parent->count++;
}

/* Puts a finished or just opened node where it belongs. */
static void attach(struct builder *b, lochan_yaml_node *node) {
    if (b->depth == 0) {
        b->doc->root = node;
        return;
    }
    struct frame *top = &b->stack[b->depth - 1];
    if (top->node->kind == LOCHAN_YAML_MAP) {
        node->key = top->key;
        node->key_line = top->key_line;
        node->key_column = top->key_column;
        top->key = NULL;
    }
    lochan_yaml__link(top->node, top->last, node);
    top->last = node;
}

static bool key_comes_next(const struct builder *b) {
    return b->depth > 0 && b->stack[b->depth - 1].node->kind == LOCHAN_YAML_MAP &&
           !b->stack[b->depth - 1].key;
}

static lochan_status on_key(struct builder *b, const char *text, struct place at,
                            lochan_error *err) {
    struct frame *top = &b->stack[b->depth - 1];
    if (text[0] == '\0')
        return lochan_yaml__error_at(b->doc, at.line, at.column, err, "empty key");
    if (strcmp(text, "<<") == 0)
        return lochan_yaml__error_at(b->doc, at.line, at.column, err,
                                     "merge keys (<<) are not supported");
    const lochan_yaml_node *same = lochan_yaml__get(top->node, text);
    for (const lochan_yaml_node *n = top->node->first; n && !same;
         n = n->next) /* null entries too */
        if (strcmp(n->key, text) == 0)
            same = n;
    if (same)
        return lochan_yaml__error_at(b->doc, at.line, at.column, err,
                                     "duplicate key '%.60s', first in line %d", text,
                                     (int)same->key_line);
    top->key = text;
    top->key_line = at.line;
    top->key_column = at.column;
    return LOCHAN_OK;
}

static bool is_null_text(lochan_str s) {
    return s.n == 0 || lochan_str__eq(s, LOCHAN_STR("~")) || lochan_str__eq(s, LOCHAN_STR("null"));
}

static lochan_status on_scalar(struct builder *b, struct fy_event *event, lochan_error *err) {
    struct place at = place_of(event);
    size_t n = 0;
    struct fy_token *token = event->scalar.value;
    const char *text = token ? fy_token_get_text(token, &n) : "";
    if (!text)
        return lochan_error__nomem(err);
    if (memchr(text, '\0', n))
        return lochan_yaml__error_at(b->doc, at.line, at.column, err, "text holds a zero byte");
    if (!lochan_utf8__valid(text, n))
        return lochan_yaml__error_at(b->doc, at.line, at.column, err, "text is not valid UTF-8");
    char *copy = lochan_arena__strndup(&b->doc->arena, text, n);
    if (!copy)
        return lochan_error__nomem(err);
    if (key_comes_next(b))
        return on_key(b, copy, at, err);
    bool quoted = token && fy_token_scalar_style(token) != FYSS_PLAIN;
    lochan_str value = {copy, n};
    lochan_yaml_node *node;
    LOCHAN_TRY(lochan_yaml__new_node(
        b->doc, !quoted && is_null_text(value) ? LOCHAN_YAML_NULL : LOCHAN_YAML_SCALAR, at.line,
        at.column, &node, err));
    node->quoted = quoted;
    node->text = value;
    attach(b, node);
    return LOCHAN_OK;
}

static lochan_status on_open(struct builder *b, struct fy_event *event, lochan_yaml_kind kind,
                             lochan_error *err) {
    struct place at = place_of(event);
    if (key_comes_next(b))
        return lochan_yaml__error_at(b->doc, at.line, at.column, err, "a key must be plain text");
    if (b->depth == LOCHAN_YAML_MAX_DEPTH)
        return lochan_yaml__error_at(b->doc, at.line, at.column, err,
                                     "lists and maps are nested deeper than %d",
                                     LOCHAN_YAML_MAX_DEPTH);
    lochan_yaml_node *node;
    LOCHAN_TRY(lochan_yaml__new_node(b->doc, kind, at.line, at.column, &node, err));
    attach(b, node);
    b->stack[b->depth++] = (struct frame){.node = node};
    return LOCHAN_OK;
}

static lochan_status refuse(const struct builder *b, struct fy_event *event, const char *what,
                            lochan_error *err) {
    struct place at = place_of(event);
    return lochan_yaml__error_at(b->doc, at.line, at.column, err, "%s are not supported in a spec",
                                 what);
}

static lochan_status on_event(struct builder *b, struct fy_event *event, lochan_error *err) {
    switch (event->type) {
    case FYET_DOCUMENT_START:
        return b->ended ? refuse(b, event, "several documents", err) : LOCHAN_OK;
    case FYET_DOCUMENT_END:
        b->ended = true;
        return LOCHAN_OK;
    case FYET_ALIAS:
        return refuse(b, event, "aliases", err);
    case FYET_SCALAR:
        if (event->scalar.anchor || event->scalar.tag)
            return refuse(b, event, "anchors and tags", err);
        return on_scalar(b, event, err);
    case FYET_MAPPING_START:
        if (event->mapping_start.anchor || event->mapping_start.tag)
            return refuse(b, event, "anchors and tags", err);
        return on_open(b, event, LOCHAN_YAML_MAP, err);
    case FYET_SEQUENCE_START:
        if (event->sequence_start.anchor || event->sequence_start.tag)
            return refuse(b, event, "anchors and tags", err);
        return on_open(b, event, LOCHAN_YAML_LIST, err);
    case FYET_MAPPING_END:
    case FYET_SEQUENCE_END:
        b->depth--;
        return LOCHAN_OK;
    default:
        return LOCHAN_OK;
    }
}

static void discard_output(struct fy_diag *diag, void *user, const char *text, size_t n) {
    (void)diag, (void)user, (void)text, (void)n;
}

/* The parser stopped: its first collected message becomes ours. */
static lochan_status parser_error(const lochan_yaml *doc, struct fy_diag *diag, lochan_error *err) {
    void *state = NULL;
    struct fy_diag_error *first = fy_diag_errors_iterate(diag, &state);
    if (!first)
        return lochan_yaml__error_at(doc, 1, 1, err, "the spec is no valid YAML");
    char text[200];
    lochan_format(text, sizeof(text), "%s", first->msg ? first->msg : "syntax error");
    for (char *p = text; *p; p++)
        if ((unsigned char)*p < ' ')
            *p = ' ';
    return lochan_yaml__error_at(doc, first->line > 0 ? first->line : 1,
                                 first->column > 0 ? first->column : 1, err, "invalid YAML: %s",
                                 text);
}

static lochan_status read_events(lochan_yaml *doc, const char *text, size_t size,
                                 struct fy_diag *diag, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    struct builder b = {.doc = doc};
    struct fy_parse_cfg cfg = {
        .flags = FYPCF_COLLECT_DIAG | FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE, .diag = diag};
    struct fy_event *event = NULL;
    struct fy_parser *parser = fy_parser_create(&cfg);
    if (!parser)
        return lochan_error__nomem(err);
    if (fy_parser_set_string(parser, text, size) != 0) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    while ((event = fy_parser_parse(parser)) != NULL) {
        rc = on_event(&b, event, err);
        fy_parser_event_free(parser, event);
        if (rc != LOCHAN_OK)
            goto done;
    }
    if (fy_parser_get_stream_error(parser) || fy_diag_got_error(diag))
        rc = parser_error(doc, diag, err);
done:
    fy_parser_destroy(parser);
    return rc;
}

/* Where a byte offset lies. */
static struct place place_of_offset(const char *text, size_t offset) {
    struct place at = {1, 1};
    for (size_t i = 0; i < offset; i++) {
        at.column++;
        if (text[i] == '\n') {
            at.line++;
            at.column = 1;
        }
    }
    return at;
}

/* Size, UTF-8 and control characters are checked before libfyaml sees the text. */
static lochan_status check_text(const lochan_yaml *doc, const char *text, size_t size,
                                lochan_error *err) {
    if (size > LOCHAN_YAML_MAX_SIZE)
        return lochan_yaml__error_at(doc, 1, 1, err, "the spec is larger than %d bytes",
                                     LOCHAN_YAML_MAX_SIZE);
    size_t start = 0;
    for (size_t i = 0; i <= size; i++) {
        if (i < size && text[i] != '\n') {
            unsigned char c = (unsigned char)text[i];
            if (c >= ' ' || c == '\t' || c == '\r')
                continue;
            struct place at = place_of_offset(text, i);
            return lochan_yaml__error_at(doc, at.line, at.column, err, "control character 0x%02x",
                                         c);
        }
        if (!lochan_utf8__valid(text + start, i - start)) {
            struct place at = place_of_offset(text, start);
            return lochan_yaml__error_at(doc, at.line, 1, err, "the line is not valid UTF-8");
        }
        start = i + 1;
    }
    return LOCHAN_OK;
}

lochan_status lochan_yaml__parse(const char *text, size_t size, const char *file, lochan_yaml **out,
                                 lochan_error *err) {
    *out = NULL;
    LOCHAN_CHECK_ARG(text || size == 0, err);
    struct fy_diag *diag = NULL;
    lochan_status rc = LOCHAN_OK;
    lochan_yaml *doc = lochan_mem__zalloc(sizeof(*doc));
    if (!doc)
        return lochan_error__nomem(err);
    lochan_arena__init(&doc->arena, 0);
    doc->file = lochan_arena__strdup(&doc->arena, file ? file : "spec");
    if (!doc->file) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    LOCHAN_TRYG(check_text(doc, text, size, err));
    struct fy_diag_cfg diag_cfg = {
        .output_fn = discard_output, .level = FYET_ERROR, .module_mask = ~0u};
    diag = fy_diag_create(&diag_cfg);
    if (!diag) {
        rc = lochan_error__nomem(err);
        goto done;
    }
    fy_diag_set_collect_errors(diag, true);
    if (size > 0)
        LOCHAN_TRYG(read_events(doc, text, size, diag, err));
    if (!doc->root)
        LOCHAN_TRYG(lochan_yaml__new_node(doc, LOCHAN_YAML_NULL, 1, 1, &doc->root, err));
    *out = doc;
    doc = NULL;
done:
    if (diag)
        fy_diag_destroy(diag);
    lochan_yaml__free(doc);
    return rc;
}

lochan_status lochan_yaml__load(const char *path, lochan_yaml **out, lochan_error *err) {
    *out = NULL;
    lochan_buf text;
    lochan_buf__init(&text, LOCHAN_YAML_MAX_SIZE + 1);
    lochan_status rc = lochan_fs__read_all(path, LOCHAN_YAML_MAX_SIZE, &text, err);
    if (rc == LOCHAN_OK)
        rc = lochan_yaml__parse((const char *)text.data, text.len, path, out, err);
    lochan_buf__deinit(&text);
    return rc;
}

void lochan_yaml__free(lochan_yaml *doc) {
    if (!doc)
        return;
    lochan_arena__deinit(&doc->arena);
    lochan_mem__free(doc);
}

const lochan_yaml_node *lochan_yaml__root(const lochan_yaml *doc) {
    return doc->root;
}

const char *lochan_yaml__file(const lochan_yaml *doc) {
    return doc->file;
}
