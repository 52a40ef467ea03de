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

typedef struct lochan_staging lochan_staging;

typedef struct lochan_staged_page {
    lochan_hash128 request;   /* hash of the request without secrets */
    const char *request_text; /* redacted, for people */
    int32_t http_status;
    int64_t fetched_at; /* ns since 1970 */
} lochan_staged_page;

/* Makes <lake>/data/staging/<update_id> and moves into it the pages that earlier, cut-off updates
 * of the same dataset left there, unless they are older than max_age_ns. *adopted = number of pages
 * taken over. */
lochan_status lochan_staging__open(const char *lake_path, const char *update_id, const char *source,
                                   const char *dataset, int64_t max_age_ns, lochan_staging **out,
                                   int64_t *adopted, lochan_error *err);
/* Closes the handle and leaves the folder for the next update. NULL is a no-op. */
void lochan_staging__free(lochan_staging *staging);
/* After publishing: removes the folder. */
lochan_status lochan_staging__remove(lochan_staging *staging, lochan_error *err);

/* Writes one page (compressed). Thread-safe. */
lochan_status lochan_staging__put(lochan_staging *staging, const lochan_staged_page *page,
                                  const void *body, size_t size, lochan_error *err);
/* Reads the page of that request into *body and when it was fetched; *found = false if there is
 * none, or if it is torn or damaged (it is removed then). max_body bounds the memory. */
lochan_status lochan_staging__get(lochan_staging *staging, lochan_hash128 request, size_t max_body,
                                  lochan_buf *body, int64_t *fetched_at, bool *found,
                                  lochan_error *err);
/* Bytes that the staging folders of one dataset take (NULL: of all datasets), for status. */
lochan_status lochan_staging__disk_use(const char *lake_path, const char *source,
                                       const char *dataset, int64_t *bytes, lochan_error *err);

#endif
