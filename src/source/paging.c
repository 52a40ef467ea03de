/* paging.c - reads a paging block, and walks through the pages of one scope.
 * Invariants: as in paging.h; what an answer says is compared with what it brought before it is
 * believed. May call: base/, yaml.h.
 */
#include "source/paging.h"

#include "base/civil.h"

#define DEFAULT_PAGES 10000

static const char *const kind_names[] = {"none", "offset", "page", "cursor", "link", "window"};

const char *const lochan_paging__keys[] = {
    "page_size",    "limit_param", "offset_param", "offset_start", "page_param", "page_start",
    "cursor_param", "next",        "has_more",     "total",        "max_rows",   "max_pages"};
const size_t lochan_paging__n_keys = LOCHAN_COUNTOF(lochan_paging__keys);

/* ---- the block ---- */

void lochan_paging__init(lochan_paging *paging) {
    *paging = (lochan_paging){.max_pages = DEFAULT_PAGES};
}

static lochan_status copy_text(const lochan_yaml_node *map, const char *key, lochan_arena *arena,
                               const char **out, lochan_error *err) {
    const char *text = NULL;
    LOCHAN_TRY(lochan_yaml__get_string(map, key, &text, err));
    if (!text)
        return LOCHAN_OK;
    if (text[0] == '\0')
        return lochan_yaml__error(lochan_yaml__get(map, key), err, "%s: must not be empty", key);
    *out = lochan_arena__strdup(arena, text);
    return *out ? LOCHAN_OK : lochan_error__nomem(err);
}

/* A kind that is named anew takes the place of what was said of another. */
static lochan_status read_kind(const lochan_yaml_node *map, const char *kind_key,
                               lochan_paging *paging, lochan_error *err) {
    int kind = paging->kind;
    LOCHAN_TRY(
        lochan_yaml__get_choice(map, kind_key, kind_names, LOCHAN_COUNTOF(kind_names), &kind, err));
    if (kind != (int)paging->kind) {
        lochan_paging__init(paging);
        paging->kind = (lochan_paging_kind)kind;
        paging->start = kind == LOCHAN_PAGING_PAGE;
    }
    return LOCHAN_OK;
}

/* Keys that mean something for one kind only. */
static lochan_status check_key_of_kind(const lochan_yaml_node *map, const lochan_paging *paging,
                                       lochan_error *err) {
    static const struct {
        const char *key;
        lochan_paging_kind kind;
    } of_kind[] = {{"offset_param", LOCHAN_PAGING_OFFSET},
                   {"offset_start", LOCHAN_PAGING_OFFSET},
                   {"page_param", LOCHAN_PAGING_PAGE},
                   {"page_start", LOCHAN_PAGING_PAGE},
                   {"cursor_param", LOCHAN_PAGING_CURSOR}};
    for (size_t i = 0; i < LOCHAN_COUNTOF(of_kind); i++) {
        const lochan_yaml_node *node = lochan_yaml__get(map, of_kind[i].key);
        if (node && paging->kind != of_kind[i].kind)
            return lochan_yaml__key_error(node, err, "%s: only with pagination %s", of_kind[i].key,
                                          kind_names[of_kind[i].kind]);
    }
    return LOCHAN_OK;
}

lochan_status lochan_paging__from_yaml(const lochan_yaml_node *map, const char *kind_key,
                                       lochan_arena *arena, lochan_paging *paging,
                                       lochan_error *err) {
    LOCHAN_TRY(read_kind(map, kind_key, paging, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "page_size", 1, INT32_MAX, &paging->page_size, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "max_rows", 1, INT32_MAX, &paging->max_rows, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "max_pages", 1, INT32_MAX, &paging->max_pages, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "offset_start", 0, INT32_MAX, &paging->start, err));
    LOCHAN_TRY(lochan_yaml__get_int64(map, "page_start", 0, INT32_MAX, &paging->start, err));
    LOCHAN_TRY(copy_text(map, "limit_param", arena, &paging->limit_param, err));
    LOCHAN_TRY(copy_text(map, "offset_param", arena, &paging->offset_param, err));
    LOCHAN_TRY(copy_text(map, "page_param", arena, &paging->offset_param, err));
    LOCHAN_TRY(copy_text(map, "cursor_param", arena, &paging->offset_param, err));
    LOCHAN_TRY(copy_text(map, "next", arena, &paging->next, err));
    LOCHAN_TRY(copy_text(map, "has_more", arena, &paging->has_more, err));
    return copy_text(map, "total", arena, &paging->total, err);
}

lochan_status lochan_paging__check(const lochan_paging *paging, const lochan_yaml_node *place,
                                   lochan_error *err) {
    lochan_paging_kind kind = paging->kind;
    const char *name = kind_names[kind];
    if ((kind == LOCHAN_PAGING_CURSOR || kind == LOCHAN_PAGING_LINK) && !paging->next)
        return lochan_yaml__error(
            place, err, "pagination %s needs 'next': where the answer names the next page", name);
    if (kind == LOCHAN_PAGING_WINDOW && paging->max_rows == 0)
        return lochan_yaml__error(
            place, err, "pagination window needs max_rows: how many rows an answer has at most");
    if (paging->max_rows > 0 && paging->page_size > paging->max_rows)
        return lochan_yaml__error(place, err, "page_size %lld is more than max_rows %lld",
                                  (long long)paging->page_size, (long long)paging->max_rows);
    return check_key_of_kind(place, paging, err);
}

/* ---- one scope ---- */

void lochan_page_facts__deinit(lochan_page_facts *facts) {
    lochan_mem__free(facts->next);
    *facts = (lochan_page_facts){0};
}

void lochan_pager__init(lochan_pager *pager, const lochan_paging *paging) {
    *pager = (lochan_pager){.paging = paging};
}

void lochan_pager__set_window(lochan_pager *pager, int32_t from, int32_t to) {
    pager->from = from;
    pager->to = pager->scope_to = to;
    pager->has_window = true;
}

void lochan_pager__deinit(lochan_pager *pager) {
    lochan_mem__free(pager->next);
    lochan_mem__free(pager->seen);
    *pager = (lochan_pager){.paging = pager->paging};
}

/* A provider that ignores its paging parameters sends the same page for ever. */
static lochan_status check_new(const lochan_pager *pager, const lochan_page_facts *facts,
                               lochan_error *err) {
    for (size_t i = 0; i < pager->n_seen && facts->rows > 0; i++)
        if (pager->seen[i] == facts->hash.lo)
            return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                     "page %lld has the same rows as page %zu: the provider "
                                     "repeats itself",
                                     (long long)pager->number + 1, i + 1);
    return LOCHAN_OK;
}

static lochan_status remember(lochan_pager *pager, const lochan_page_facts *facts,
                              lochan_error *err) {
    uint64_t *seen =
        lochan_mem__grow(pager->seen, pager->n_seen, &pager->cap_seen, sizeof(*pager->seen));
    if (!seen)
        return lochan_error__nomem(err);
    pager->seen = seen;
    pager->seen[pager->n_seen++] = facts->hash.lo;
    return LOCHAN_OK;
}

/* Offset and page number: an answer that says nothing of the rest ends the scope if it is empty, or
 * if it is short of what a provider with a known cap would have sent. */
static lochan_status more_by_count(const lochan_pager *pager, const lochan_page_facts *facts,
                                   bool *more, lochan_error *err) {
    const lochan_paging *p = pager->paging;
    int64_t received = pager->rows + facts->rows;
    if (facts->has_more_known) {
        *more = facts->has_more;
        if (*more && facts->rows == 0)
            return lochan_error__set(
                err, LOCHAN_ERR_PAGE,
                "page %lld has no rows, but the provider says that more follow",
                (long long)pager->number + 1);
    } else if (facts->total_known) {
        *more = received < facts->total;
    } else {
        int64_t full = p->page_size ? p->page_size : p->max_rows;
        *more = facts->rows > 0 && !(p->max_rows > 0 && facts->rows < full);
    }
    if (facts->total_known && !*more && received < facts->total)
        return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                 "the provider says that there are %lld rows, but sent %lld",
                                 (long long)facts->total, (long long)received);
    if (facts->total_known && *more && facts->rows == 0)
        return lochan_error__set(
            err, LOCHAN_ERR_PAGE, "page %lld has no rows, but there are %lld and %lld came",
            (long long)pager->number + 1, (long long)facts->total, (long long)received);
    return LOCHAN_OK;
}

/* Cursor and link: the answer that names no next page is the last one. */
static lochan_status more_by_next(lochan_pager *pager, const lochan_page_facts *facts, bool *more,
                                  lochan_error *err) {
    bool has_next = facts->next && facts->next[0] != '\0';
    *more = facts->has_more_known ? facts->has_more : has_next;
    if (*more && !has_next)
        return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                 "the provider says that more pages follow, but not which");
    if (!*more)
        return LOCHAN_OK;
    if (pager->next && strcmp(pager->next, facts->next) == 0)
        return lochan_error__set(err, LOCHAN_ERR_PAGE, "page %lld names itself as the next page",
                                 (long long)pager->number + 1);
    char *next = lochan_mem__strdup(facts->next);
    if (!next)
        return lochan_error__nomem(err);
    lochan_mem__free(pager->next);
    pager->next = next;
    return LOCHAN_OK;
}

/* A full answer may have been cut: its days are asked again in halves. */
static lochan_status more_by_window(lochan_pager *pager, const lochan_page_facts *facts, bool *more,
                                    bool *discard, lochan_error *err) {
    bool full =
        facts->rows >= pager->paging->max_rows || (facts->has_more_known && facts->has_more);
    if (!pager->has_window)
        return lochan_error__set(err, LOCHAN_ERR_SPEC,
                                 "pagination window needs a dataset that is asked by days");
    if (full && pager->from == pager->to) {
        char day[16];
        lochan_civil__format_date(pager->from, day);
        return lochan_error__set(
            err, LOCHAN_ERR_UNSUPPORTED,
            "%s alone has %lld rows or more, which is all that an answer holds", day,
            (long long)pager->paging->max_rows);
    }
    if (full) {
        pager->to = pager->from + (pager->to - pager->from) / 2;
        *more = *discard = true;
        return LOCHAN_OK;
    }
    *more = pager->to < pager->scope_to;
    if (*more) {
        pager->from = pager->to + 1;
        pager->to = pager->scope_to;
    }
    return LOCHAN_OK;
}

lochan_status lochan_pager__advance(lochan_pager *pager, const lochan_page_facts *facts, bool *more,
                                    bool *discard, lochan_error *err) {
    *more = *discard = false;
    switch (pager->paging->kind) {
    case LOCHAN_PAGING_NONE:
        if (facts->has_more_known && facts->has_more)
            return lochan_error__set(err, LOCHAN_ERR_PAGE,
                                     "the provider says that more rows follow, but the spec has no "
                                     "paging");
        return LOCHAN_OK;
    case LOCHAN_PAGING_OFFSET:
    case LOCHAN_PAGING_PAGE:
        LOCHAN_TRY(check_new(pager, facts, err));
        LOCHAN_TRY(more_by_count(pager, facts, more, err));
        LOCHAN_TRY(remember(pager, facts, err));
        break;
    case LOCHAN_PAGING_CURSOR:
    case LOCHAN_PAGING_LINK:
        LOCHAN_TRY(check_new(pager, facts, err));
        LOCHAN_TRY(more_by_next(pager, facts, more, err));
        LOCHAN_TRY(remember(pager, facts, err));
        break;
    case LOCHAN_PAGING_WINDOW:
        LOCHAN_TRY(more_by_window(pager, facts, more, discard, err));
        break;
    }
    pager->rows += *discard ? 0 : facts->rows;
    pager->number += *more;
    if (pager->number >= pager->paging->max_pages)
        return lochan_error__set(err, LOCHAN_ERR_UNSUPPORTED,
                                 "the provider sent %lld pages and no end; max_pages is the bound",
                                 (long long)pager->paging->max_pages);
    return LOCHAN_OK;
}
