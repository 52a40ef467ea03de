/* fetch.h - many HTTP requests at once, from one thread, each retried on its own (libcurl multi).
 * Invariant: each added page ends in exactly one on_page or on_failure, unless the run is cut short
 * by an error of a callback or by cancel. No secret enters an error, a hash or a page. Only http
 * and https are spoken. Thread rule: all calls from the thread that runs it, except wake. May call:
 * base/, spec.h, secret.h.
 */
#ifndef LOCHAN_SOURCE_FETCH_H
#define LOCHAN_SOURCE_FETCH_H

#include "base/buf.h"
#include "base/ctx.h"
#include "base/hash.h"
#include "source/spec.h"

typedef struct lochan_fetcher lochan_fetcher;

typedef struct lochan_fetch_meta {
    int32_t http_status;
    int32_t http_version; /* 10, 11, 20, 30; 0 = unknown */
    bool empty; /* the spec's `errors` say that this status means "no rows"; the body is not to be
                   decoded */
    char content_type[128];
    int32_t attempts; /* 1 = at once */
    int64_t bytes;    /* of the body, after decompression */
    int64_t wire_bytes;
    int64_t elapsed_ns;  /* of the last attempt */
    int64_t wall_ns;     /* when the answer was complete */
    bool end_is_marked;  /* by length, chunks or frames: a body that was cut would have been noticed
                          */
    bool has_more;       /* header X-Has-More: true */
    bool has_more_known; /* the header was there */
} lochan_fetch_meta;

typedef struct lochan_fetch_counters {
    int64_t added, running, waiting, done, failed;
    int64_t requests; /* attempts sent */
    int64_t retries;
    int64_t bytes;           /* decompressed, of good pages */
    int64_t wire_bytes;      /* received in all */
    const char *waiting_for; /* why nothing moves ("back-off 2.0 s after HTTP 503"), NULL =
                                something moves */
} lochan_fetch_counters;

/* What the caller tells the loop in each turn. */
typedef struct lochan_fetch_turn {
    bool pending; /* the caller may still add pages (e.g. its threads decode): do not end though
                     nothing is left */
    bool hold;    /* start no further request for now (the caller is behind) */
} lochan_fetch_turn;

/* All are called from lochan_fetcher__run, in its thread. A status other than OK ends the run with
 * that error. `index` is the caller's. Those marked (add) may call add and again. */
typedef struct lochan_fetch_callbacks {
    void *ctx;
    /* Optional: is the body usable? PAGE, RATE_LIMIT and NETWORK errors make the page be asked
     * again (counted as a retry); another error is this page's failure. err is filled by the
     * callee. */
    lochan_status (*check)(void *ctx, size_t index, const lochan_buf *body,
                           const lochan_fetch_meta *meta, lochan_error *err);
    /* A good page. Take the body by moving the struct (then init or zero *body); what is left is
     * freed. (add) */
    lochan_status (*on_page)(void *ctx, size_t index, lochan_buf *body,
                             const lochan_fetch_meta *meta, lochan_error *err);
    /* A page that is given up, with its last error. (add) */
    lochan_status (*on_failure)(void *ctx, size_t index, const lochan_error *error,
                                int32_t attempts, lochan_error *err);
    /* Optional: at most ten times a second and at each change of waiting_for. */
    void (*on_progress)(void *ctx, const lochan_fetch_counters *counters);
    /* Optional: in each turn of the loop, at least every 100 ms. *turn is zeroed before. (add) */
    lochan_status (*on_turn)(void *ctx, lochan_fetch_turn *turn, lochan_error *err);
} lochan_fetch_callbacks;

typedef struct lochan_fetch_options {
    int32_t workers;          /* requests in flight, 1..256 */
    int32_t max_retries;      /* a page, >= 0 */
    int64_t retry_backoff_ns; /* first back-off */
    int64_t max_backoff_ns;
    int64_t max_retry_after_ns; /* a longer Retry-After fails the page at once with RATE_LIMIT;
                                   default 1 hour */
    int32_t retry_budget;       /* retries of all pages; past it each failure is final */
    const char *endpoint;       /* source_dataset, for limits kept by endpoint; NULL = "" */
    const char *state_dir;      /* where limits are kept if the user's state folder cannot be
                                   written; NULL = nowhere */
    const char *record_dir;     /* gets every answer, secrets redacted (recorded.h); NULL = none */
} lochan_fetch_options;
/* The spec's values; the caller then puts in what the update request says. */
void lochan_fetch_options__init(lochan_fetch_options *options, const lochan_source_spec *spec);

/* Resolves the spec's secret. spec and ctx are borrowed until free. */
lochan_status lochan_fetcher__create(const lochan_ctx *ctx, const lochan_source_spec *spec,
                                     const lochan_fetch_options *options,
                                     const lochan_fetch_callbacks *callbacks, lochan_fetcher **out,
                                     lochan_error *err);
void lochan_fetcher__free(lochan_fetcher *fetcher); /* NULL is a no-op */

/* Queues a request (copied); requests start in the order of adding, retries before new ones.
 * `index` comes back in the callbacks; it must be new and small (an array is as long as the
 * largest). */
lochan_status lochan_fetcher__add(lochan_fetcher *fetcher, size_t index,
                                  const lochan_source_request *request, lochan_error *err);
/* Asks a page again that on_page had delivered, because `why` was found wrong with it later. Counts
 * as a retry; past the page's budget it ends in on_failure with `why`. */
lochan_status lochan_fetcher__again(lochan_fetcher *fetcher, size_t index, const lochan_error *why,
                                    lochan_error *err);
/* Gives up every page that is queued or waiting, each with `why`; those under way go on. */
lochan_status lochan_fetcher__abandon(lochan_fetcher *fetcher, const lochan_error *why,
                                      lochan_error *err);
/* Overwrites the source's secret in an error made from a page. From any thread. */
void lochan_fetcher__redact(const lochan_fetcher *fetcher, lochan_error *err);
/* From any thread: makes the loop turn now. */
void lochan_fetcher__wake(lochan_fetcher *fetcher);

/* Runs until every page has ended. CANCELLED within 100 ms of the cancel flag. OK does not mean
 * that every page succeeded: failures were reported through on_failure. After a rate limit or a
 * Retry-After nothing is started until that wait is over. May be called again after more pages were
 * added, but not after an error. */
lochan_status lochan_fetcher__run(lochan_fetcher *fetcher, lochan_error *err);
void lochan_fetcher__get_counters(const lochan_fetcher *fetcher, lochan_fetch_counters *out);

/* The request's identity: method, url with the query parameters sorted, headers other than user
 * agent, body; "{secret}" unfilled. The key of staged pages. */
lochan_status lochan_source_request__hash(const lochan_source_request *request, lochan_hash128 *out,
                                          lochan_error *err);

#endif
