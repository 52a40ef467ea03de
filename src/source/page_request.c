/* page_request.c - the request of one page: the scope's own values, and those of its pager.
 * Invariant: what a provider names as the next page is asked only at the host of the source, and
 * never with a secret in its url. May call: base/, spec.h, request.h, paging.h.
 */
#include "source/request.h"

#include <strings.h>

#define MAX_EXTRA 256
#define MAX_LINK  8192

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
    lochan_buf__init(&url, MAX_LINK + 4096);
    lochan_status rc = is_path ? lochan_buf__append(&url, origin.p, origin.n, err) : LOCHAN_OK;
    if (rc == LOCHAN_OK)
        rc = lochan_buf__puts(&url, link, err);
    if (rc == LOCHAN_OK) {
        size_t n;
        lochan_mem__free(out->url);
        out->url = (char *)lochan_buf__take(&url, &n);
    }
    lochan_buf__deinit(&url);
    return rc;
}

struct page_values {
    lochan_source_value values[6];
    size_t n;
    char limit[24], offset[24], page[24], start[64], end[64];
};

static void add_value(struct page_values *v, const char *name, const char *value) {
    v->values[v->n++] = (lochan_source_value){name, value};
}

static lochan_status list_values(const lochan_source_spec *spec, const lochan_pager *pager,
                                 struct page_values *v, lochan_error *err) {
    const lochan_paging *p = pager->paging;
    v->n = 0;
    if (pager->has_window) { /* before the scope's own: the first value of a name counts */
        LOCHAN_TRY(
            lochan_source_spec__print_date(spec, pager->from, v->start, sizeof(v->start), err));
        LOCHAN_TRY(lochan_source_spec__print_date(spec, pager->to, v->end, sizeof(v->end), err));
        add_value(v, "start", v->start);
        add_value(v, "end", v->end);
    }
    if (p->page_size > 0) {
        lochan_format(v->limit, sizeof(v->limit), "%lld", (long long)p->page_size);
        add_value(v, "limit", v->limit);
    }
    if (p->kind == LOCHAN_PAGING_OFFSET) {
        lochan_format(v->offset, sizeof(v->offset), "%lld", (long long)(p->start + pager->rows));
        add_value(v, "offset", v->offset);
    } else if (p->kind == LOCHAN_PAGING_PAGE) {
        lochan_format(v->page, sizeof(v->page), "%lld", (long long)(p->start + pager->number));
        add_value(v, "page", v->page);
    } else if (p->kind == LOCHAN_PAGING_CURSOR && pager->next) {
        add_value(v, "cursor", pager->next);
    }
    return LOCHAN_OK;
}

/* The dataset's parameters without those that paging sets, then these. */
static size_t list_parameters(const lochan_paging *p, const lochan_source_pair *extra, size_t n,
                              lochan_source_pair *out) {
    static const char *const templates[] = {NULL,       "{offset:int}", "{page:int}",
                                            "{cursor}", NULL,           NULL};
    size_t count = 0;
    for (size_t i = 0; i < n; i++) {
        bool ours = (p->limit_param && strcmp(extra[i].name, p->limit_param) == 0) ||
                    (p->offset_param && strcmp(extra[i].name, p->offset_param) == 0);
        if (!ours)
            out[count++] = extra[i];
    }
    if (p->limit_param)
        out[count++] = (lochan_source_pair){p->limit_param, "{limit:int}"};
    if (p->offset_param && templates[p->kind])
        out[count++] = (lochan_source_pair){p->offset_param, templates[p->kind]};
    return count;
}

lochan_status lochan_source__build_page_request(const lochan_source_spec *spec,
                                                const lochan_pager *pager,
                                                const lochan_source_value *values, size_t n_values,
                                                const lochan_source_pair *extra, size_t n_extra,
                                                lochan_source_request *out, lochan_error *err) {
    memset(out, 0, sizeof(*out));
    if (n_extra > MAX_EXTRA || n_values > MAX_EXTRA)
        return lochan_error__set(err, LOCHAN_ERR_SPEC, "more than %d parameters", MAX_EXTRA);
    struct page_values page;
    lochan_source_value all[MAX_EXTRA + LOCHAN_COUNTOF(page.values)];
    lochan_source_pair pairs[MAX_EXTRA + 2];
    LOCHAN_TRY(list_values(spec, pager, &page, err));
    memcpy(all, page.values, page.n * sizeof(*all));
    if (n_values > 0)
        memcpy(all + page.n, values, n_values * sizeof(*all));
    size_t n = list_parameters(pager->paging, extra, n_extra, pairs);
    LOCHAN_TRY(lochan_source__build_request(spec, all, page.n + n_values, pairs, n, out, err));
    if (pager->paging->kind != LOCHAN_PAGING_LINK || !pager->next)
        return LOCHAN_OK;
    lochan_status rc = follow_link(spec, pager->next, out, err);
    if (rc != LOCHAN_OK)
        lochan_source_request__deinit(out);
    return rc;
}
