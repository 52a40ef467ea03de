/* rate_limit.h - how often a provider may be asked, kept for all processes of the user.
 *
 * The state is a small file for each (source, endpoint, secret) under $XDG_STATE_HOME/lochan/limits
 * (default ~/.local/state): the times of the last requests, which are looked at under a lock. A
 * request is counted before it is sent; a killed process gives its places back with its locks.
 * Where that folder cannot be written, a folder of the lake takes its place, with a warning: then
 * only processes of one lake share the limits. No secret and no plain hash of one is in names or
 * files. Thread rule: one owner. May call: base/, spec.h, secret.h.
 */
#ifndef LOCHAN_SOURCE_RATE_LIMIT_H
#define LOCHAN_SOURCE_RATE_LIMIT_H

#include "source/secret.h"
#include "source/spec.h"

typedef struct lochan_rate_limit lochan_rate_limit;

/* *out = NULL if the spec has no limits. fallback_dir NULL: without a state folder that is an
 * error.
 */
lochan_status lochan_rate_limit__open(const lochan_source_spec *spec, const char *endpoint,
                                      const lochan_secret *secret, const char *fallback_dir,
                                      lochan_rate_limit **out, lochan_error *err);
void lochan_rate_limit__close(lochan_rate_limit *limit); /* NULL is a no-op */

/* Counts one request and takes a place for it: *wait_ns = 0, and *place is to be given back. Else
 * nothing is counted, and *wait_ns says when to try again; *why ("500 a minute") lives as long as
 * the limit. */
lochan_status lochan_rate_limit__take(lochan_rate_limit *limit, int32_t *place, int64_t *wait_ns,
                                      const char **why, lochan_error *err);
/* The request has ended. */
void lochan_rate_limit__give(lochan_rate_limit *limit, int32_t place);

#endif
