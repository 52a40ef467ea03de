/* paging.h - how one scope's rows are asked for in several pages, and when there are no more.
 * Invariants: the next offset follows the rows received; a page that repeats another, a page that
 * promises more and brings nothing, and a scope of more than max_pages pages are failures, never an
 * end. May call: base/, yaml.h.
 */
#ifndef LOCHAN_SOURCE_PAGING_H
#define LOCHAN_SOURCE_PAGING_H

#include "base/arena.h"
#include "base/hash.h"
#include "source/yaml.h"

/* A new kind is one entry here and one in the table of paging.c. */
typedef enum lochan_paging_kind {
    LOCHAN_PAGING_NONE = 0,
    LOCHAN_PAGING_OFFSET, /* {offset}: rows received so far */
    LOCHAN_PAGING_PAGE,   /* {page}: 1, 2, 3, ... */
    LOCHAN_PAGING_CURSOR, /* {cursor}: what the answer gives at `next` */
    LOCHAN_PAGING_LINK,   /* the answer gives the url of the next page at `next` */
    LOCHAN_PAGING_WINDOW  /* a full answer is asked again with half of its days */
} lochan_paging_kind;

typedef struct lochan_paging {
    lochan_paging_kind kind;
    int64_t page_size;        /* {limit}: rows asked for in a page, 0 = not said */
    int64_t max_rows;         /* the provider's cap of rows an answer, 0 = not known */
    int64_t max_pages;        /* of one scope */
    int64_t start;            /* of offset or page number */
    const char *limit_param;  /* NULL = none */
    const char *offset_param; /* takes offset, page number or cursor; NULL = templates say where */
    const char *next;         /* path of the cursor or url in the answer, NULL = none */
    const char *has_more;     /* path of a bool in the answer, NULL = header X-Has-More, if any */
    const char *total;        /* path of the number of rows of all pages, NULL = none */
} lochan_paging;

/* The defaults: no paging. */
void lochan_paging__init(lochan_paging *paging);
/* The keys that from_yaml reads, for lochan_yaml__check_keys; without the key of the kind. */
extern const char *const lochan_paging__keys[];
extern const size_t lochan_paging__n_keys;
/* Reads what `map` has of: kind_key ("kind" in a source's `paging`, "pagination" in a dataset's
 * request_options), page_size, limit_param, offset_param, offset_start, page_param, page_start,
 * cursor_param, next, has_more, total, max_rows, max_pages; other keys are left alone.
 * *paging holds what was said before (a source's, for a dataset) and keeps what `map` does not
 * name; another kind begins with the defaults. Strings go to the arena. SPEC errors have line and
 * column. */
lochan_status lochan_paging__from_yaml(const lochan_yaml_node *map, const char *kind_key,
                                       lochan_arena *arena, lochan_paging *paging,
                                       lochan_error *err);
/* A whole one is checked after all was read: what each kind needs, and keys of `place` that mean
 * nothing for it. `place` is blamed. */
lochan_status lochan_paging__check(const lochan_paging *paging, const lochan_yaml_node *place,
                                   lochan_error *err);

/* What an answer says about the rest; filled by the decoder (decode.h). */
typedef struct lochan_page_facts {
    int64_t rows;        /* as the provider counts them */
    lochan_hash128 hash; /* of the rows' bytes; only compared if rows > 0 */
    bool has_more, has_more_known;
    bool total_known;
    int64_t total;
    char *next; /* cursor or url; NULL = none. lochan_mem__free it */
} lochan_page_facts;
void lochan_page_facts__deinit(lochan_page_facts *facts);

/* Where one scope stands. */
typedef struct lochan_pager {
    const lochan_paging *paging;
    int64_t number;   /* of the page to be asked, from 0 */
    int64_t rows;     /* received so far */
    int32_t from, to; /* days this page asks for (kind window: a part of the scope's) */
    int32_t scope_to; /* last day of the scope */
    bool has_window;  /* from and to mean something */
    char *next;       /* cursor or url of the page to be asked, NULL = the first */
    uint64_t *seen;   /* hashes of the pages that came */
    size_t n_seen, cap_seen;
} lochan_pager;

void lochan_pager__init(lochan_pager *pager, const lochan_paging *paging);
/* Days of the scope, for kind window and for {start} and {end}. */
void lochan_pager__set_window(lochan_pager *pager, int32_t from, int32_t to);
void lochan_pager__deinit(lochan_pager *pager);

/* Takes the facts of the page that was asked. *more: another page follows, and the pager stands at
 * it. *discard: the rows of this page are not to be kept (it is asked again in parts). PAGE: the
 * provider contradicts itself; worth another try. UNSUPPORTED: a day has more rows than an answer
 * can hold. */
lochan_status lochan_pager__advance(lochan_pager *pager, const lochan_page_facts *facts, bool *more,
                                    bool *discard, lochan_error *err);

#endif
