/* request.c - fills a source's templates and gives a request its identity.
 * Invariants: values are escaped for the place they go to; placeholders of the secret pass through
 * unfilled. May call: base/, spec.h.
 */
#include "source/request.h"

#include "source/body.h"
#include "source/fetch.h"

#include <stdlib.h>
#include <strings.h>

#define MAX_URL  ((size_t)16384)
#define MAX_BODY ((size_t)16 << 20)

lochan_status lochan_source__percent_encode(lochan_buf *out, const char *s, size_t n,
                                            lochan_error *err) {
    static const char hex[] = "0123456789ABCDEF";
    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)s[i];
        if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
            c == '-' || c == '.' || c == '_' || c == '~') {
            LOCHAN_TRY(lochan_buf__putc(out, (char)c, err));
        } else {
            char code[3] = {'%', hex[c >> 4], hex[c & 15]};
            LOCHAN_TRY(lochan_buf__append(out, code, sizeof(code), err));
        }
    }
    return LOCHAN_OK;
}

/* Appends the inside of a JSON string. */
static lochan_status json_escape(lochan_buf *out, const char *s, size_t n, lochan_error *err) {
    size_t start = out->len;
    LOCHAN_TRY(lochan_buf__json_string(out, s, n, err));
    memmove(out->data + start, out->data + start + 1, out->len - start - 2);
    out->len -= 2;
    out->data[out->len] = '\0';
    return LOCHAN_OK;
}

static lochan_status put_value(lochan_buf *out, lochan_place place, const char *s,
                               lochan_error *err) {
    size_t n = strlen(s);
    switch (place) {
    case LOCHAN_IN_PATH:
    case LOCHAN_IN_QUERY:
    case LOCHAN_IN_FORM:
        return lochan_source__percent_encode(out, s, n, err);
    case LOCHAN_IN_JSON:
        return json_escape(out, s, n, err);
    case LOCHAN_IN_HEADER:
        for (size_t i = 0; i < n; i++)
            if ((unsigned char)s[i] < ' ' || s[i] == 0x7f)
                return lochan_error__set(
                    err, LOCHAN_ERR_INVALID_ARGUMENT,
                    "a value with a control character cannot be sent in a header");
        return lochan_buf__append(out, s, n, err);
    }
    return LOCHAN_OK;
}

size_t lochan_source__placeholder(const char *s, lochan_str *name, lochan_str *type) {
    size_t n = 1;
    while ((s[n] >= 'a' && s[n] <= 'z') || s[n] == '_' || (n > 1 && s[n] >= '0' && s[n] <= '9'))
        n++;
    if (s[0] != '{' || n == 1)
        return 0;
    *name = (lochan_str){s + 1, n - 1};
    *type = (lochan_str){s + n, 0};
    if (s[n] == ':') {
        size_t t = n + 1;
        while (s[t] >= 'a' && s[t] <= 'z')
            t++;
        *type = (lochan_str){s + n + 1, t - n - 1};
        n = t;
    }
    return s[n] == '}' ? n + 1 : 0;
}

const char *lochan_source__find_value(const lochan_filler *f, lochan_str name) {
    for (size_t i = 0; i < f->n_values; i++)
        if (lochan_str__eq(lochan_str__of(f->values[i].name), name))
            return f->values[i].value;
    return NULL;
}

/* The literal text up to the next brace; returns its length. */
static lochan_status put_literal(lochan_place place, const char *template, size_t *run,
                                 lochan_buf *out, lochan_error *err) {
    *run = 1 + strcspn(template + 1, "{");
    if (place == LOCHAN_IN_QUERY)
        return lochan_source__percent_encode(out, template, *run, err);
    if (place == LOCHAN_IN_PATH && template[0] == '{')
        return lochan_source__percent_encode(out, template, *run = 1, err);
    return lochan_buf__append(out, template, *run, err);
}

lochan_status lochan_source__fill(lochan_filler *f, lochan_place place, const char *template,
                                  lochan_buf *out, lochan_error *err) {
    f->missing = (lochan_str){NULL, 0};
    while (*template) {
        lochan_str name, type;
        size_t n = lochan_source__placeholder(template, &name, &type);
        if (n == 0) {
            LOCHAN_TRY(put_literal(place, template, &n, out, err));
        } else if (lochan_str__eq(name, LOCHAN_STR("secret"))) {
            bool basic = place == LOCHAN_IN_HEADER && lochan_str__eq(type, LOCHAN_STR("basic"));
            LOCHAN_TRY(lochan_buf__puts(out, basic ? "{secret:basic}" : "{secret}", err));
        } else if (place == LOCHAN_IN_JSON && lochan_str__eq(name, LOCHAN_STR("params"))) {
            LOCHAN_TRY(lochan_body__put_params(f, out, err));
        } else {
            const char *value = lochan_source__find_value(f, name);
            if (!value && !f->missing.p)
                f->missing = name;
            if (value)
                LOCHAN_TRY(put_value(out, place, value, err));
        }
        template += n;
    }
    return LOCHAN_OK;
}

static lochan_status missing_value(const lochan_filler *f, const char *where, lochan_error *err) {
    return lochan_error__set(err, LOCHAN_ERR_SPEC,
                             "%s: there is no value for {%.*s} in this request", where,
                             (int)(f->missing.n > 60 ? 60 : f->missing.n), f->missing.p);
}

bool lochan_source__is_replaced(const lochan_source_pair *extra, size_t n, size_t k) {
    for (size_t i = k + 1; i < n; i++)
        if (strcmp(extra[i].name, extra[k].name) == 0)
            return true;
    return false;
}

static lochan_status add_parameter(lochan_filler *f, const lochan_source_pair *pair, bool *first,
                                   lochan_buf *url, lochan_error *err) {
    size_t before = url->len;
    LOCHAN_TRY(lochan_buf__putc(url, *first ? '?' : '&', err));
    LOCHAN_TRY(lochan_source__percent_encode(url, pair->name, strlen(pair->name), err));
    LOCHAN_TRY(lochan_buf__putc(url, '=', err));
    LOCHAN_TRY(lochan_source__fill(f, LOCHAN_IN_QUERY, pair->value, url, err));
    if (f->missing.p) { /* e.g. no {start}: the whole parameter is left out */
        url->len = before;
        url->data[before] = '\0';
        return LOCHAN_OK;
    }
    *first = false;
    return LOCHAN_OK;
}

static lochan_status build_url(lochan_filler *f, const lochan_source_spec *spec,
                               const lochan_source_pair *extra, size_t n_extra, lochan_buf *url,
                               lochan_error *err) {
    size_t base = strlen(spec->url);
    if (base > 0 && spec->path[0] == '/' && spec->url[base - 1] == '/')
        base--;
    LOCHAN_TRY(lochan_buf__append(url, spec->url, base, err));
    LOCHAN_TRY(lochan_source__fill(f, LOCHAN_IN_PATH, spec->path, url, err));
    if (f->missing.p)
        return missing_value(f, "path", err);
    bool first = true;
    if (lochan_body__takes_params(spec))
        n_extra = 0;
    for (size_t i = 0; i < spec->n_query; i++) {
        bool replaced = false;
        for (size_t k = 0; k < n_extra && !replaced; k++)
            replaced = strcmp(spec->query[i].name, extra[k].name) == 0;
        if (!replaced)
            LOCHAN_TRY(add_parameter(f, &spec->query[i], &first, url, err));
    }
    for (size_t k = 0; k < n_extra; k++)
        if (!lochan_source__is_replaced(extra, n_extra, k))
            LOCHAN_TRY(add_parameter(f, &extra[k], &first, url, err));
    return LOCHAN_OK;
}

static lochan_status build_headers(lochan_filler *f, const lochan_source_spec *spec,
                                   lochan_source_request *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    lochan_buf text;
    lochan_buf__init(&text, MAX_URL);
    out->headers = lochan_mem__array(spec->n_headers ? spec->n_headers : 1, sizeof(*out->headers));
    if (!out->headers)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < spec->n_headers; i++) {
        lochan_buf__clear(&text);
        LOCHAN_TRYG(lochan_buf__puts(&text, "", err));
        LOCHAN_TRYG(lochan_source__fill(f, LOCHAN_IN_HEADER, spec->headers[i].value, &text, err));
        if (f->missing.p) {
            rc = missing_value(f, "headers", err);
            goto done;
        }
        lochan_source_pair *header = &out->headers[out->n_headers++];
        header->name = lochan_mem__strdup(spec->headers[i].name);
        header->value = lochan_mem__strndup(text.data ? (const char *)text.data : "", text.len);
        if (!header->name || !header->value) {
            rc = lochan_error__nomem(err);
            goto done;
        }
    }
done:
    lochan_buf__deinit(&text);
    return rc;
}

lochan_secret_form lochan_source_request__body_form(const lochan_source_request *request) {
    for (size_t i = 0; i < request->n_headers; i++)
        if (strcasecmp(request->headers[i].name, "content-type") == 0 &&
            strstr(request->headers[i].value, "x-www-form-urlencoded"))
            return LOCHAN_SECRET_PERCENT;
    return LOCHAN_SECRET_JSON;
}

static lochan_status build_body(lochan_filler *f, const lochan_source_spec *spec,
                                lochan_source_request *out, lochan_error *err) {
    if (!spec->body && !spec->body_tree)
        return LOCHAN_OK;
    lochan_buf body;
    lochan_buf__init(&body, MAX_BODY);
    bool form = lochan_source_request__body_form(out) == LOCHAN_SECRET_PERCENT;
    lochan_status rc = lochan_buf__reserve(&body, 64, err);
    if (rc == LOCHAN_OK && spec->body_tree)
        rc = lochan_body__fill(spec->body_tree, f, &body, err);
    else if (rc == LOCHAN_OK)
        rc = lochan_source__fill(f, form ? LOCHAN_IN_FORM : LOCHAN_IN_JSON, spec->body, &body, err);
    if (rc == LOCHAN_OK && f->missing.p)
        rc = missing_value(f, "body", err);
    if (rc == LOCHAN_OK) {
        size_t n;
        if (body.len == 0)
            body.data[0] = '\0';
        out->body = (char *)lochan_buf__take(&body, &n);
    }
    lochan_buf__deinit(&body);
    return rc;
}

lochan_status lochan_source__build_request(const lochan_source_spec *spec,
                                           const lochan_source_value *values, size_t n_values,
                                           const lochan_source_pair *extra, size_t n_extra,
                                           lochan_source_request *out, lochan_error *err) {
    memset(out, 0, sizeof(*out));
    for (size_t i = 0; i < n_values; i++)
        if (values[i].value && strstr(values[i].value, "{secret"))
            return lochan_error__set(err, LOCHAN_ERR_INVALID_ARGUMENT,
                                     "the value of %s must not hold {secret}", values[i].name);
    lochan_filler f = {values, n_values, extra, n_extra, {NULL, 0}};
    lochan_status rc = LOCHAN_OK;
    lochan_buf url;
    lochan_buf__init(&url, MAX_URL);
    out->method = spec->method;
    LOCHAN_TRYG(build_url(&f, spec, extra, n_extra, &url, err));
    size_t n;
    out->url = (char *)lochan_buf__take(&url, &n);
    LOCHAN_TRYG(build_headers(&f, spec, out, err));
    LOCHAN_TRYG(build_body(&f, spec, out, err));
done:
    lochan_buf__deinit(&url);
    if (rc != LOCHAN_OK)
        lochan_source_request__deinit(out);
    return rc;
}

void lochan_source_request__deinit(lochan_source_request *request) {
    for (size_t i = 0; i < request->n_headers; i++) {
        lochan_mem__free((char *)(uintptr_t)request->headers[i].name);
        lochan_mem__free((char *)(uintptr_t)request->headers[i].value);
    }
    lochan_mem__free(request->headers);
    lochan_mem__free(request->url);
    lochan_mem__free(request->body);
    memset(request, 0, sizeof(*request));
}

lochan_status lochan_source_request__dup(const lochan_source_request *from,
                                         lochan_source_request *out, lochan_error *err) {
    memset(out, 0, sizeof(*out));
    out->method = from->method;
    out->url = lochan_mem__strdup(from->url);
    out->headers = lochan_mem__array(from->n_headers ? from->n_headers : 1, sizeof(*out->headers));
    bool ok = out->url && out->headers;
    if (ok && from->body)
        ok = (out->body = lochan_mem__strdup(from->body)) != NULL;
    for (size_t i = 0; ok && i < from->n_headers; i++) {
        lochan_source_pair *header = &out->headers[out->n_headers++];
        header->name = lochan_mem__strdup(from->headers[i].name);
        header->value = lochan_mem__strdup(from->headers[i].value);
        ok = header->name && header->value;
    }
    if (ok)
        return LOCHAN_OK;
    lochan_source_request__deinit(out);
    return lochan_error__nomem(err);
}

/* Parts are hashed with their length before them, so that no two requests have the same bytes. */
static void hash_part(lochan_hasher *h, const char *p, size_t n) {
    uint8_t length[8];
    for (int i = 0; i < 8; i++)
        length[i] = (uint8_t)((uint64_t)n >> (8 * i));
    lochan_hasher__update(h, length, sizeof(length));
    lochan_hasher__update(h, p, n);
}

static int compare_parts(const void *a, const void *b) {
    const lochan_str *x = a, *y = b;
    size_t n = x->n < y->n ? x->n : y->n;
    int order = n ? memcmp(x->p, y->p, n) : 0;
    return order ? order : (x->n > y->n) - (x->n < y->n);
}

/* Query parameters in sorted order: their order in the url means nothing. */
static lochan_status hash_query(lochan_hasher *h, const char *query, lochan_error *err) {
    size_t count = 1;
    for (const char *p = query; *p; p++)
        count += *p == '&';
    lochan_str *parts = lochan_mem__array(count, sizeof(*parts));
    if (!parts)
        return lochan_error__nomem(err);
    size_t n = 0;
    for (const char *p = query; n < count; n++) {
        size_t length = strcspn(p, "&");
        parts[n] = (lochan_str){p, length};
        p += length + 1;
    }
    qsort(parts, n, sizeof(*parts), compare_parts);
    for (size_t i = 0; i < n; i++)
        hash_part(h, parts[i].p, parts[i].n);
    lochan_mem__free(parts);
    return LOCHAN_OK;
}

lochan_status lochan_source_request__hash(const lochan_source_request *request, lochan_hash128 *out,
                                          lochan_error *err) {
    *out = (lochan_hash128){0, 0};
    lochan_hasher *h = lochan_hasher__create();
    if (!h)
        return lochan_error__nomem(err);
    size_t path = strcspn(request->url, "?");
    hash_part(h, request->method == LOCHAN_METHOD_POST ? "POST" : "GET",
              request->method == LOCHAN_METHOD_POST ? 4 : 3);
    hash_part(h, request->url, path);
    lochan_status rc = request->url[path] ? hash_query(h, request->url + path + 1, err) : LOCHAN_OK;
    for (size_t i = 0; i < request->n_headers; i++) {
        hash_part(h, request->headers[i].name, strlen(request->headers[i].name));
        hash_part(h, request->headers[i].value, strlen(request->headers[i].value));
    }
    hash_part(h, request->body ? request->body : "", request->body ? strlen(request->body) : 0);
    if (rc == LOCHAN_OK)
        *out = lochan_hasher__digest(h);
    lochan_hasher__free(h);
    return rc;
}
