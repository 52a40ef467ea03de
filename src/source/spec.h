/* spec.h - the description of a source: where rows come from and how to ask for them.
 * Invariant: a spec in memory was checked whole; a secret stays a reference until the fetcher sends
 * it. May call: base/, yaml.h.
 *
 * The YAML form is described in docs/specs.md; an example is specs/sources/ecb.yaml.
 */
#ifndef LOCHAN_SOURCE_SPEC_H
#define LOCHAN_SOURCE_SPEC_H

#include "base/arena.h"
#include "base/civil.h"
#include "source/yaml.h"

/* New kinds and formats are appended here and in the name tables of spec.c. */
typedef enum lochan_source_kind { LOCHAN_SOURCE_HTTP = 0 } lochan_source_kind;
typedef enum lochan_source_format { LOCHAN_FORMAT_CSV = 0 } lochan_source_format;
typedef enum lochan_source_method {
    LOCHAN_METHOD_GET = 0,
    LOCHAN_METHOD_POST = 1
} lochan_source_method;
typedef enum lochan_error_meaning {
    LOCHAN_MEANING_RETRY = 0,
    LOCHAN_MEANING_RATE_LIMIT = 1,
    LOCHAN_MEANING_FATAL = 2,
    LOCHAN_MEANING_EMPTY = 3 /* the provider's way to say "no rows" */
} lochan_error_meaning;

typedef struct lochan_source_pair { /* header or query parameter; value may hold placeholders */
    const char *name;
    const char *value;
} lochan_source_pair;

typedef struct lochan_source_error_rule {
    int32_t http_status;
    lochan_error_meaning meaning;
} lochan_source_error_rule;

typedef struct lochan_source_spec {
    lochan_arena arena; /* holds all strings below */
    const char *name;
    const char *description; /* "" if none */
    lochan_source_kind kind;
    const char *url;
    const char *path; /* "" if none */
    lochan_source_method method;
    const lochan_source_pair *headers;
    size_t n_headers;
    const lochan_source_pair *query;
    size_t n_query;
    const char *body; /* NULL if none */
    const char
        *secret; /* reference "env:NAME" | "file:PATH", NULL if none; never the secret itself */
    lochan_date_format date_format;
    lochan_source_format format;
    char csv_delimiter;
    const char *const *csv_null_texts;
    size_t n_csv_null_texts;
    const lochan_source_error_rule *errors;
    size_t n_errors;
    int64_t timeout_ns;
    int64_t connect_timeout_ns;
    int64_t stall_timeout_ns;
    uint64_t max_body;
    int32_t workers;
    int32_t max_retries;
    int64_t retry_backoff_ns;
    int64_t max_backoff_ns;
    const char *user_agent;
} lochan_source_spec;

/* From the root map of a document, which may be freed afterwards. Free *out with
 * lochan_source_spec__free. */
lochan_status lochan_source_spec__from_yaml(const lochan_yaml_node *root, lochan_source_spec **out,
                                            lochan_error *err);
/* From text. */
lochan_status lochan_source_spec__parse(const char *text, size_t size, const char *file,
                                        lochan_source_spec **out, lochan_error *err);
void lochan_source_spec__free(lochan_source_spec *spec); /* NULL is a no-op */

/* The meaning of an HTTP status under the spec's `errors`, then by default: 408, 425, 429 (rate
 * limit) and 5xx are retried, other 4xx are fatal. Only for status >= 400 or those the spec lists.
 */
lochan_error_meaning lochan_source_spec__meaning(const lochan_source_spec *spec,
                                                 int32_t http_status);
/* True if the spec itself lists the status; *meaning is set in either case, as above. */
bool lochan_source_spec__listed_meaning(const lochan_source_spec *spec, int32_t http_status,
                                        lochan_error_meaning *meaning);

/* A value for the placeholders of path, query, headers and body: {start}, {end}, {source_dataset},
 * {asset}, ... */
typedef struct lochan_source_value {
    const char *name;
    const char *value;
} lochan_source_value;

/* A request ready for the fetcher; "{secret}" is still a placeholder in it, so it may be hashed,
 * stored and shown. */
typedef struct lochan_source_request {
    char *url;
    lochan_source_method method;
    lochan_source_pair *headers;
    size_t n_headers;
    char *body; /* NULL if none */
} lochan_source_request;

/* Fills the spec's templates. Values are percent-encoded in path and query, JSON-escaped in the
 * body. A query parameter whose template has a placeholder without a value is left out; in path,
 * headers and body that is an error. `extra` query parameters (a dataset's own, e.g. its paging;
 * templates too) come after the spec's and replace those of the same name. Values that contain
 * "{secret}" are refused. Free with lochan_source_request__deinit. */
lochan_status lochan_source__build_request(const lochan_source_spec *spec,
                                           const lochan_source_value *values, size_t n_values,
                                           const lochan_source_pair *extra, size_t n_extra,
                                           lochan_source_request *out, lochan_error *err);
void lochan_source_request__deinit(lochan_source_request *request);

/* Appends s with everything but unreserved characters (RFC 3986) percent-encoded. */
lochan_status lochan_source__percent_encode(lochan_buf *out, const char *s, size_t n,
                                            lochan_error *err);

/* The text of a request date under the spec's date_format. */
lochan_status lochan_source_spec__print_date(const lochan_source_spec *spec, int32_t days,
                                             char *dst, size_t cap, lochan_error *err);

#endif
