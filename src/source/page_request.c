/* page_request.c - the request of one page: the scope's own values, and those of its pager.
 * Invariant: what a provider names as the next page is asked only at the host of the source, and
 * its url never holds the secret itself. May call: base/, spec.h, paging.h.
 */
#include "source/page_request.h"

#include <strings.h>

#define MAX_LINK 8192

/* "scheme://host:port" of a url. */
static lochan_str origin_of(const char *url) {
    const char *host = strstr(url, "://");
    host = host ? host + 3 : url;
    return (lochan_str){url, (size_t)(host - url) + strcspn(host, "/?#")};
}

static lochan_status check_link(const char *link, lochan_error *err) {
    size_t n = strlen(link);
    if (n > MAX_LINK)
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "the link to the next page is too long");
    for (size_t i = 0; i < n; i++)
        if ((unsigned char)link[i] <= ' ' || link[i] == 0x7f || strchr("<>\"{}|\\^`#", link[i]))
            return lochan_error__set(err, LOCHAN_ERR_PAGE, "the link to the next page is no url");
    return LOCHAN_OK;
}

/* The link as it is. With `auth: query` providers leave their parameter out, or it came back
 * overwritten: it is put in anew. */
static lochan_status put_link(const lochan_source_spec *spec, const char *link, lochan_buf *url,
                              lochan_error *err) {
    size_t path = strcspn(link, "?");
    if (spec->auth != LOCHAN_AUTH_QUERY)
        return lochan_buf__puts(url, link, err);
    size_t start = url->len;
    LOCHAN_TRY(lochan_source__percent_encode(url, spec->auth_name, strlen(spec->auth_name), err));
    LOCHAN_TRY(lochan_buf__putc(url, '=', err));
    char name[256]; /* encoded, with its '=' */
    if (!lochan_format(name, sizeof(name), "%.*s", (int)(url->len - start), url->data + start))
        return lochan_error__set(err, LOCHAN_ERR_SPEC, "auth.name is too long");
    url->len = start;
    LOCHAN_TRY(lochan_buf__append(url, link, path, err));
    char before = '?';
    for (const char *p = link + path; *p;) {
        size_t n = strcspn(++p, "&");
        if (n > 0 && strncmp(p, name, strlen(name)) != 0) {
            LOCHAN_TRY(lochan_buf__putc(url, before, err));
            LOCHAN_TRY(lochan_buf__append(url, p, n, err));
            before = '&';
        }
        p += n;
    }
    return lochan_buf__printf(url, err, "%c%s{secret}", before, name);
}

/* A link is a whole url of the source's host, or a path of it. */
static lochan_status follow_link(const lochan_source_spec *spec, const char *link,
                                 lochan_source_request *out, lochan_error *err) {
    lochan_str origin = origin_of(spec->url), other = origin_of(link);
    bool is_path = link[0] == '/' && link[1] != '/';
    LOCHAN_TRY(check_link(link, err));
    if (!is_path && (origin.n != other.n || strncasecmp(origin.p, other.p, origin.n) != 0)) {
        lochan_status rc = lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                             "the link to the next page leads away from %.*s",
                                             (int)(origin.n < 200 ? origin.n : 200), origin.p);
        lochan_error__hint(err, "the source's url has to be that of the host that answers");
        return rc;
    }
    lochan_buf url;
    lochan_buf__init(&url, MAX_LINK + 8192);
    lochan_status rc = is_path ? lochan_buf__append(&url, origin.p, origin.n, err) : LOCHAN_OK;
    if (rc == LOCHAN_OK)
        rc = put_link(spec, link, &url, err);
    if (rc == LOCHAN_OK) {
        size_t n;
        lochan_mem__free(out->url);
        out->url = (char *)lochan_buf__take(&url, &n);
    }
    lochan_buf__deinit(&url);
    return rc;
}

static void add_value(lochan_pager_ask *ask, const char *name, const char *value) {
    ask->values[ask->n_values++] = (lochan_source_value){name, value};
}

static void add_number(lochan_pager_ask *ask, const char *name, char text[24], int64_t value) {
    lochan_format(text, 24, "%lld", (long long)value);
    add_value(ask, name, text);
}

void lochan_pager__ask(const lochan_pager *pager, lochan_pager_ask *ask) {
    static const char *const templates[] = {NULL,       "{offset:int}", "{page:int}",
                                            "{cursor}", NULL,           NULL};
    const lochan_paging *p = pager->paging;
    ask->n_values = ask->n_params = 0;
    if (p->page_size > 0)
        add_number(ask, "limit", ask->limit, p->page_size);
    if (p->kind == LOCHAN_PAGING_OFFSET)
        add_number(ask, "offset", ask->place, p->start + pager->rows);
    else if (p->kind == LOCHAN_PAGING_PAGE)
        add_number(ask, "page", ask->place, p->start + pager->number);
    else if (p->kind == LOCHAN_PAGING_CURSOR && pager->next)
        add_value(ask, "cursor", pager->next);
    if (p->limit_param)
        ask->params[ask->n_params++] = (lochan_source_pair){p->limit_param, "{limit:int}"};
    if (p->offset_param && templates[p->kind])
        ask->params[ask->n_params++] = (lochan_source_pair){p->offset_param, templates[p->kind]};
}

lochan_status lochan_pager__follow(const lochan_pager *pager, const lochan_source_spec *spec,
                                   lochan_source_request *request, lochan_error *err) {
    if (pager->paging->kind != LOCHAN_PAGING_LINK || !pager->next)
        return LOCHAN_OK;
    return follow_link(spec, pager->next, request, err);
}
