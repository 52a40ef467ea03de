/* staging.h - the answers of one update as they came, kept on disk until it is published.
 *
 * One folder per update, data/staging/<update id>/, with `update.yaml` (what the update is) and one
 * file per usable page, named by the hash of its request; docs/format.md has the layout. An update
 * that was cut off leaves its folder; the next update of the same dataset takes the pages that are
 * young enough over and fetches only the others. Invariant: the folder of a living update is locked
 * and left alone: several updates of a dataset may run beside each other. A page is written under a
 * temporary name and renamed, not synced: a torn one fails its hash and is fetched again. May call:
 * base/, catalog/lock.h, source/yaml.h.
 */
#ifndef LOCHAN_UPDATE_STAGING_H
#define LOCHAN_UPDATE_STAGING_H

#include "base/buf.h"
#include "base/hash.h"
#include "catalog/lock.h"

typedef struct lochan_staging lochan_staging;

typedef struct lochan_staged_page {
    lochan_hash128 request;   /* hash of the request without secrets */
    const char *request_text; /* redacted, for people */
    int32_t http_status;
    int64_t fetched_at;  /* ns since 1970 */
    bool has_more;       /* what the answer's headers said of the pages after it: */
    bool has_more_known; /* false = nothing */
} lochan_staged_page;

/* Asked for each folder that an earlier update of the dataset left, before its pages are taken
 * over; *claimed: it was moved away. */
typedef struct lochan_staging_claim {
    lochan_status (*fn)(void *ctx, const char *folder, const char *update_id, bool *claimed,
                        lochan_error *err);
    void *ctx;
} lochan_staging_claim;

/* Makes <lake>/data/staging/<update_id> and moves into it the pages that earlier, cut-off updates
 * of the same dataset left there, unless they are older than max_age_ns. *adopted = number of pages
 * taken over. claim NULL: nobody else wants a folder. */
lochan_status lochan_staging__open(const char *lake_path, const char *update_id, const char *source,
                                   const char *dataset, int64_t max_age_ns,
                                   const lochan_staging_claim *claim, lochan_staging **out,
                                   int64_t *adopted, lochan_error *err);
/* Pages that another folder keeps, to read only: a damaged one stays where it is. */
lochan_status lochan_staging__at(const char *folder, lochan_staging **out, lochan_error *err);
const char *lochan_staging__folder(const lochan_staging *staging);
/* File of a folder, locked as long as the update lives that made it. LOCKED: it does. */
#define LOCHAN_STAGING_LOCK "owner.lock"
lochan_status lochan_staging__lock(const char *folder, lochan_lock **out, lochan_error *err);
/* Whether the file of a page is called so; *request tells which. */
bool lochan_staging__is_page(const char *name, lochan_hash128 *request);
/* Closes the handle and leaves the folder for the next update. NULL is a no-op. */
void lochan_staging__free(lochan_staging *staging);
/* After publishing: removes the folder. */
lochan_status lochan_staging__remove(lochan_staging *staging, lochan_error *err);

/* Writes one page (compressed). Thread-safe. */
lochan_status lochan_staging__put(lochan_staging *staging, const lochan_staged_page *page,
                                  const void *body, size_t size, lochan_error *err);
/* Reads the page of that request into *body and what is known of its answer into *page (without its
 * request); *found = false if there is none, or if it is torn, damaged or of an older layout, which
 * lacks what the headers said (it is removed then). max_body bounds the memory. */
lochan_status lochan_staging__get_page(lochan_staging *staging, lochan_hash128 request,
                                       size_t max_body, lochan_buf *body, lochan_staged_page *page,
                                       bool *found, lochan_error *err);
/* The same for one that knows which pages follow; of a folder that is only read, pages of the older
 * layout count too. */
lochan_status lochan_staging__get(lochan_staging *staging, lochan_hash128 request, size_t max_body,
                                  lochan_buf *body, int64_t *fetched_at, bool *found,
                                  lochan_error *err);
/* Bytes that the staging folders of one dataset take (NULL: of all datasets), for status. */
lochan_status lochan_staging__disk_use(const char *lake_path, const char *source,
                                       const char *dataset, int64_t *bytes, lochan_error *err);

#endif
