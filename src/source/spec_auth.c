/* spec_auth.c - how a source shows who asks: `auth` becomes a header, a parameter or an entry of
 * the body that holds the placeholder of the secret.
 * Invariants: the secret itself is not known here; nothing that the spec says in full is replaced.
 * May call: base/, yaml.h, body.h.
 */
#include "source/body.h"
#include "source/spec_own.h"

#include <strings.h>

static const char *const auth_names[] = {"none", "bearer", "basic", "header", "query", "body"};

static lochan_status read_auth(lochan_source_spec *spec, const lochan_yaml_node *node,
                               lochan_error *err) {
    static const char *const keys[] = {"kind", "name", "user"};
    int kind = LOCHAN_AUTH_NONE;
    const lochan_yaml_node *word = node;
    if (node->kind == LOCHAN_YAML_MAP) {
        LOCHAN_TRY(lochan_yaml__check_keys(node, keys, LOCHAN_COUNTOF(keys), err));
        LOCHAN_TRY(lochan_yaml__require(node, "kind", &word, err));
        LOCHAN_TRY(lochan_source_spec__copy_string(spec, node, "name", &spec->auth_name, err));
        LOCHAN_TRY(lochan_source_spec__copy_string(spec, node, "user", &spec->auth_user, err));
    }
    LOCHAN_TRY(lochan_yaml__to_choice(word, auth_names, LOCHAN_COUNTOF(auth_names), &kind, err));
    spec->auth = (lochan_source_auth)kind;
    return LOCHAN_OK;
}

static lochan_status check_user(const lochan_source_spec *spec, const lochan_yaml_node *node,
                                lochan_error *err) {
    const lochan_yaml_node *user = lochan_yaml__get(node, "user");
    if (!spec->auth_user)
        return LOCHAN_OK;
    if (spec->auth != LOCHAN_AUTH_BASIC)
        return lochan_yaml__key_error(user, err, "auth.user: only for kind basic");
    for (const char *p = spec->auth_user; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f || *p == ':')
            return lochan_yaml__error(user, err,
                                      "auth.user: colons and control characters cannot be sent");
    return LOCHAN_OK;
}

static lochan_status check_name(const lochan_source_spec *spec, const lochan_yaml_node *node,
                                lochan_error *err) {
    bool wanted = spec->auth >= LOCHAN_AUTH_HEADER;
    bool map = node->kind == LOCHAN_YAML_MAP;
    const lochan_yaml_node *name = map ? lochan_yaml__get(node, "name") : NULL;
    if (!wanted && name)
        return lochan_yaml__key_error(name, err, "auth.name: only for header, query and body");
    if (wanted && (!name || !spec->auth_name[0]))
        return lochan_yaml__error(name ? name : node, err,
                                  "auth: which one? {kind: %s, name: NAME} says so",
                                  auth_names[spec->auth]);
    if (spec->auth == LOCHAN_AUTH_HEADER)
        return lochan_source_spec__check_header(name, spec->auth_name, err);
    for (const char *p = wanted ? spec->auth_name : ""; *p; p++)
        if ((unsigned char)*p < ' ' || *p == 0x7f || *p == '{' || *p == '}')
            return lochan_yaml__error(name, err,
                                      "auth.name: braces and control characters are not "
                                      "allowed here");
    return LOCHAN_OK;
}

/* One more at the end; a name that is there already would be sent twice. */
static lochan_status add_pair(lochan_source_spec *spec, const lochan_yaml_node *node,
                              const char *where, const lochan_source_pair **list, size_t *n,
                              const char *name, const char *value, lochan_error *err) {
    for (size_t i = 0; i < *n; i++)
        if (strcasecmp((*list)[i].name, name) == 0)
            return lochan_yaml__error(node, err, "auth: %s '%.60s' stands under '%s' already",
                                      where[0] == 'h' ? "the header" : "the parameter", name,
                                      where);
    lochan_source_pair *pairs = lochan_arena__array(&spec->arena, *n + 1, sizeof(*pairs));
    if (!pairs)
        return lochan_error__nomem(err);
    if (*n > 0)
        memcpy(pairs, *list, *n * sizeof(*pairs));
    pairs[(*n)++] = (lochan_source_pair){name, value};
    *list = pairs;
    return LOCHAN_OK;
}

static lochan_status add_to_body(lochan_source_spec *spec, const lochan_yaml_node *node,
                                 lochan_error *err) {
    if (spec->method != LOCHAN_METHOD_POST)
        return lochan_yaml__error(node, err, "auth: a body is only sent with method POST");
    if (spec->body)
        return lochan_yaml__error(node, err,
                                  "auth: the body is text: write {secret} where it belongs");
    bool taken = false;
    LOCHAN_TRY(lochan_body__add_text(&spec->body_tree, &spec->arena, spec->auth_name, "{secret}",
                                     &taken, err));
    return taken
               ? lochan_yaml__error(node, err, "auth: the body is no map without an entry '%.60s'",
                                    spec->auth_name)
               : LOCHAN_OK;
}

lochan_status lochan_source_spec__read_auth(lochan_source_spec *spec, const lochan_yaml_node *root,
                                            lochan_error *err) {
    const lochan_yaml_node *node = lochan_yaml__get(root, "auth");
    if (!node)
        return LOCHAN_OK;
    LOCHAN_TRY(read_auth(spec, node, err));
    LOCHAN_TRY(check_user(spec, node, err));
    LOCHAN_TRY(check_name(spec, node, err));
    if (spec->auth != LOCHAN_AUTH_NONE && !spec->secret)
        return lochan_yaml__error(node, err,
                                  "auth: the key 'secret' (env:NAME or file:PATH) is missing");
    switch (spec->auth) {
    case LOCHAN_AUTH_NONE:
        return LOCHAN_OK;
    case LOCHAN_AUTH_BEARER:
        return add_pair(spec, node, "headers", &spec->headers, &spec->n_headers, "Authorization",
                        "Bearer {secret}", err);
    case LOCHAN_AUTH_BASIC:
        return add_pair(spec, node, "headers", &spec->headers, &spec->n_headers, "Authorization",
                        "Basic {secret:basic}", err);
    case LOCHAN_AUTH_HEADER:
        return add_pair(spec, node, "headers", &spec->headers, &spec->n_headers, spec->auth_name,
                        "{secret}", err);
    case LOCHAN_AUTH_QUERY:
        return add_pair(spec, node, "query", &spec->query, &spec->n_query, spec->auth_name,
                        "{secret}", err);
    case LOCHAN_AUTH_BODY:
        return add_to_body(spec, node, err);
    }
    return LOCHAN_OK;
}
