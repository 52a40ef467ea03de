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
#include "source/paging.h"
#include "source/yaml.h"

/* New kinds and formats are appended here and in the name tables of spec.c. */
typedef enum lochan_source_kind {
    LOCHAN_SOURCE_HTTP = 0,
    LOCHAN_SOURCE_FILES = 1,   /* `path` is a folder or a pattern of names */
    LOCHAN_SOURCE_CALLBACK = 2 /* functions that the process registers */
} lochan_source_kind;
typedef enum lochan_source_format {
    LOCHAN_FORMAT_CSV = 0,
    LOCHAN_FORMAT_TABLE = 1,   /* JSON: a list of field names and a list of lists of values */
    LOCHAN_FORMAT_RECORDS = 2, /* JSON: a list of objects */
    LOCHAN_FORMAT_NDJSON = 3,  /* one JSON object a line */
    LOCHAN_FORMAT_PARQUET = 4  /* a whole Parquet file; what callbacks give is staged as such */
} lochan_source_format;
typedef enum lochan_source_method {
    LOCHAN_METHOD_GET = 0,
    LOCHAN_METHOD_POST = 1
} lochan_source_method;
/* How the secret is shown, beside the places where the spec itself writes {secret}. */
typedef enum lochan_source_auth {
    LOCHAN_AUTH_NONE = 0,
    LOCHAN_AUTH_BEARER = 1, /* Authorization: Bearer SECRET */
    LOCHAN_AUTH_BASIC = 2,  /* Authorization: Basic, of auth_user and the secret */
    LOCHAN_AUTH_HEADER = 3, /* header auth_name */
    LOCHAN_AUTH_QUERY = 4,  /* parameter auth_name */
    LOCHAN_AUTH_BODY = 5    /* entry auth_name of the body */
} lochan_source_auth;
typedef enum lochan_error_meaning {
    LOCHAN_MEANING_RETRY = 0,
    LOCHAN_MEANING_RATE_LIMIT = 1,
    LOCHAN_MEANING_FATAL = 2,
    LOCHAN_MEANING_EMPTY = 3 /* the provider's way to say "no rows" */
} lochan_error_meaning;

typedef struct lochan_source_pair { /* header, query parameter (with placeholders), option */
    const char *name;
    const char *value;
} lochan_source_pair;

/* Either of an HTTP status or of a code in the body. */
typedef struct lochan_source_error_rule {
    int32_t http_status; /* 0 = of a code */
    const char *code;    /* as text ("40203"), NULL = of a status */
    lochan_error_meaning meaning;
    int64_t wait_ns; /* before the page is asked again, 0 = the usual back-off */
} lochan_source_error_rule;

/* Where the parts of a JSON answer are: dotted paths of names; "" is the whole answer. */
typedef struct lochan_source_response {
    const char *fields;     /* table: the list of field names */
    const char *items;      /* table, records: the list of rows */
    const char *error_code; /* NULL = the body does not tell errors */
    const char *const *ok;  /* values of error_code that mean success */
    size_t n_ok;            /* 0 = success is when it is missing or null */
    const char *message;    /* the provider's words about an error, NULL = none */
    bool nan_is_null;       /* NaN, Infinity: null instead of a broken page */
} lochan_source_response;

/* What the provider allows, 0 = no limit. Shared by all processes of the user (rate_limit.h). */
typedef struct lochan_source_limits {
    int64_t per_second, per_minute, per_hour, per_day;
    int32_t concurrent;
    bool per_endpoint; /* each source_dataset has limits of its own */
} lochan_source_limits;

/* A body given as YAML: JSON in which a whole string may be a typed placeholder (body.h). */
typedef struct lochan_body_node lochan_body_node;

typedef struct lochan_source_spec {
    lochan_arena arena; /* holds all strings below */
    const char *name;
    const char *description; /* "" if none */
    bool enabled;            /* false: no update asks it */
    lochan_source_kind kind;
    const char *url;  /* of files the path, of a callback "" */
    const char *path; /* "" if none */
    lochan_source_method method;
    const lochan_source_pair *headers;
    size_t n_headers;
    const lochan_source_pair *query;
    size_t n_query;
    const lochan_source_pair *options; /* of a callback */
    size_t n_options;
    const char *body;                  /* template text, NULL if none */
    const lochan_body_node *body_tree; /* or a tree, NULL if none */
    const char
        *secret; /* reference "env:NAME" | "file:PATH", NULL if none; never the secret itself */
    lochan_source_auth auth;
    const char *auth_name; /* NULL if none */
    const char *auth_user; /* NULL: the secret is "user:password" */
    const char *ca_file;   /* certificates to trust instead of the system's, NULL = the system's */
    lochan_date_format date_format;
    lochan_source_format format;
    char csv_delimiter;
    const char *const *csv_null_texts;
    size_t n_csv_null_texts;
    const char *const *json_null_texts; /* NULL: "" is null but in string columns */
    size_t n_json_null_texts;
    lochan_source_response response;
    lochan_paging paging; /* a dataset may change it */
    lochan_source_limits limits;
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
    int32_t retry_budget;     /* retries of one update in all */
    int32_t breaker_failures; /* pages given up in a row before the rest is not asked any more */
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

/* A request ready for the fetcher; "{secret}" and "{secret:basic}" are still placeholders in it, so
 * it may be hashed, stored and shown. */
typedef struct lochan_source_request {
    char *url;
    lochan_source_method method;
    lochan_source_pair *headers;
    size_t n_headers;
    char *body; /* NULL if none */
} lochan_source_request;

/* Fills the spec's templates. Values are percent-encoded in path and query, JSON-escaped in the
 * body. A query parameter or an entry of a body tree whose template has a placeholder without a
 * value is left out; in path, headers and body text that is an error. `extra` parameters (a
 * dataset's own, then its paging's; templates too) come after the spec's, and a later one replaces
 * an earlier one of the same name; they go into the body where it says "{params}", else into the
 * query. A placeholder may name a type, "{limit:int}" (int, number, bool, list), which decides how
 * it is written in JSON. Values that contain "{secret" are refused. Free with
 * lochan_source_request__deinit. */
lochan_status lochan_source__build_request(const lochan_source_spec *spec,
                                           const lochan_source_value *values, size_t n_values,
                                           const lochan_source_pair *extra, size_t n_extra,
                                           lochan_source_request *out, lochan_error *err);
void lochan_source_request__deinit(lochan_source_request *request);

/* What a code found in the body means; *rule is the spec's rule for it, NULL if none (then FATAL).
 */
lochan_error_meaning lochan_source_spec__code_meaning(const lochan_source_spec *spec,
                                                      const char *code,
                                                      const lochan_source_error_rule **rule);

/* Appends s with everything but unreserved characters (RFC 3986) percent-encoded. */
lochan_status lochan_source__percent_encode(lochan_buf *out, const char *s, size_t n,
                                            lochan_error *err);

/* The text of a request date under the spec's date_format. */
lochan_status lochan_source_spec__print_date(const lochan_source_spec *spec, int32_t days,
                                             char *dst, size_t cap, lochan_error *err);

#endif
