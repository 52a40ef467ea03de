/* recorded.h - answers kept on disk as they came, to be served again by the feed.
 * One file an answer, <number>.record: lines "key: value" up to an empty line, then the request's
 * body and the answer's, of the lengths that the lines say. "{secret}" stays unfilled in requests;
 * where the answer echoes the secret it is overwritten. Invariant: a file is whole or not there.
 * May call: base/, spec.h.
 */
#ifndef LOCHAN_SOURCE_RECORDED_H
#define LOCHAN_SOURCE_RECORDED_H

#include "source/spec.h"

#define LOCHAN_RECORDED_SUFFIX ".record"

typedef struct lochan_recorded {
    char method[8];
    lochan_str target; /* path and query of the url */
    lochan_str request_body;
    int32_t status;
    char content_type[128], retry_after[64], has_more[8];
    lochan_str body;
} lochan_recorded;

/* The path and query of a url. */
const char *lochan_recorded__target(const char *url);
lochan_status lochan_recorded__write(const char *dir, int64_t number, const lochan_recorded *record,
                                     lochan_error *err);
/* Points into text. CORRUPT if it is none. */
lochan_status lochan_recorded__parse(const char *text, size_t n, lochan_recorded *out,
                                     lochan_error *err);

#endif
