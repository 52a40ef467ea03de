/* fetch_own.h - what the files of the fetcher share: one page, one transfer, the rules of retrying.
 * Invariant: a page is in exactly one state; a transfer belongs to one page while it runs. May
 * call: base/, libcurl.
 */
#ifndef LOCHAN_SOURCE_FETCH_OWN_H
#define LOCHAN_SOURCE_FETCH_OWN_H

#include "source/fetch.h"
#include "source/request.h"

#include <curl/curl.h>

enum { LOCHAN_FETCH_MAX_HEADERS = 256 * 1024 }; /* bytes, of one answer */

typedef enum lochan_page_state {
    LOCHAN_PAGE_QUEUED,
    LOCHAN_PAGE_RUNNING,
    LOCHAN_PAGE_WAITING, /* for its next attempt */
    LOCHAN_PAGE_DELIVERED,
    LOCHAN_PAGE_FAILED
} lochan_page_state;

typedef struct lochan_fetch_page {
    struct lochan_fetch_page *next; /* in the queue or among the waiting */
    size_t index;
    lochan_source_request request;
    lochan_page_state state;
    int32_t attempts;
    int64_t backoff_ns; /* the last one, 0 = none yet */
    int64_t due_ns;     /* monotonic; of the next attempt */
    int32_t place;      /* in the rate limit, -1 = none */
    bool ran_alone;     /* no other transfer took memory during this attempt */
    char reason[64];    /* why it waits */
} lochan_fetch_page;

/* How an attempt ended if not with a good body. */
typedef struct lochan_fetch_verdict {
    bool retry;
    bool hold_all;          /* nothing else should be asked before this page may be */
    bool no_budget;         /* our own memory was short: not the page's fault, not counted */
    int64_t retry_after_ns; /* what the provider asked for, -1 = nothing */
    char reason[64];
} lochan_fetch_verdict;

/* ---- fetch_retry.c ---- */

/* Decorrelated jitter: between the first back-off and three times the last one, at most `max`. */
int64_t lochan_fetch__next_backoff(int64_t first_ns, int64_t max_ns, int64_t last_ns);
/* Retry-After as seconds or as a date of HTTP: nanoseconds from now, -1 if it is neither, zero or
 * past. */
int64_t lochan_fetch__parse_retry_after(const char *text, int64_t wall_ns);

/* ---- fetch_transfer.c ---- */

typedef struct lochan_fetch_transfer {
    CURL *easy;
    lochan_fetch_page *page; /* NULL = idle */
    const lochan_source_spec *spec;
    const lochan_secret *secret;
    lochan_budget *budget;
    struct curl_slist *headers;
    lochan_buf sent_body; /* filled with the secret */
    lochan_buf body;
    size_t budget_taken;
    int64_t started_ns;
    size_t header_bytes;
    int redirects;
    bool too_large, no_budget, too_many_headers, no_memory;
    bool chunked;
    bool headers_ended;       /* by their empty line */
    bool is_gzip, is_encoded; /* by Content-Encoding: gzip, another one */
    bool has_more, has_more_known;
    char retry_after[64];
    char message[CURL_ERROR_SIZE];
} lochan_fetch_transfer;

lochan_status lochan_fetch_transfer__init(lochan_fetch_transfer *t, const lochan_source_spec *spec,
                                          const lochan_secret *secret, lochan_budget *budget,
                                          lochan_error *err);
void lochan_fetch_transfer__deinit(lochan_fetch_transfer *t);
/* Prepares the easy handle for the page; url NULL = the request's own, else where a redirect leads.
 */
lochan_status lochan_fetch_transfer__prepare(lochan_fetch_transfer *t, lochan_fetch_page *page,
                                             const char *url, lochan_error *err);
/* Forgets the page, its body and what was taken from the budget. */
void lochan_fetch_transfer__reset(lochan_fetch_transfer *t);
/* The host part "[::1]:8700" of a url. */
lochan_str lochan_fetch__host_of(const char *url);

/* ---- fetch_judge.c ---- */

/* After curl is done with it: OK with *meta, or the attempt's error with *verdict. *redirect is set
 * (to be freed with lochan_mem__free) if the request is to be sent there instead. */
lochan_status lochan_fetch_transfer__finish(lochan_fetch_transfer *t, CURLcode result,
                                            lochan_fetch_meta *meta, lochan_fetch_verdict *verdict,
                                            char **redirect, lochan_error *err);
#endif
