/* source.h - trying a source out: one small request, and first specs from a sample of an answer;
 * and sources whose rows come from the caller's own code. Sources themselves are added and changed
 * with update.h. Thread rule as in lake.h. Since 0.2.
 */
#ifndef LOCHAN_SOURCE_H
#define LOCHAN_SOURCE_H

#include <lochan/lake.h>

#ifdef __cplusplus
extern "C" {
#endif

/* What is asked. Dates are "YYYY-MM-DD". */
typedef struct lochan_source_test_request {
    uint32_t struct_size;
    const char *source;
    const char *dataset;           /* the provider's name of a dataset: {source_dataset} */
    const char *start, *end;       /* NULL = the last seven days */
    const char *const *parameters; /* "name=value" pairs: a dataset's own parameters */
    size_t n_parameters;
    uint8_t reserved[32];
} lochan_source_test_request;
#define LOCHAN_SOURCE_TEST_REQUEST_INIT                                                            \
    {                                                                                              \
        sizeof(lochan_source_test_request), NULL, NULL, NULL, NULL, NULL, 0, {                     \
            0                                                                                      \
        }                                                                                          \
    }

/* What came. Secrets are overwritten in all texts. */
typedef struct lochan_source_answer {
    uint32_t struct_size;
    char request[1024]; /* "POST http://... {...}" */
    int32_t http_status;
    char content_type[128];
    int64_t bytes;
    double seconds;
    char excerpt[512]; /* the beginning of the body, on one line */
    bool decoded;      /* the rest is known */
    int64_t rows, columns;
    char names[1024];     /* of the columns, separated by commas */
    bool more;            /* the answer says that other pages follow */
    int32_t http_version; /* 10, 11, 20 or 30; 0 = there was no answer */
    uint8_t reserved[28];
} lochan_source_answer;

/* Makes one request, without retries, of a few rows where the source's paging says how many. The
 * answer is filled as far as it came, also on an error, which says what an update would say. Writes
 * nothing. */
LOCHAN_API lochan_status lochan_source_test(lochan_lake *lake,
                                            const lochan_source_test_request *request,
                                            lochan_source_answer *answer,
                                            lochan_error *err) LOCHAN_MUST_CHECK;

/* First specs from a sample of an answer (CSV, or JSON as a table or records): *source_yaml and
 * *dataset_yaml parse as they are, with a url and a key to be put in by hand. name: of the source.
 * Free both with lochan_free. PAGE: the sample is neither. Needs no lake. */
LOCHAN_API lochan_status lochan_spec_draft(const void *sample, size_t size, const char *name,
                                           char **source_yaml, char **dataset_yaml,
                                           lochan_error *err) LOCHAN_MUST_CHECK;

/* ---- sources in code (kind: callback) ----
 * A source of kind `callback` has a name and options in the lake, but its rows come from functions
 * that the process registers for its open lake. What they give goes the way of a provider's
 * answers: each batch is staged as a page, so that an update that was cut off does not ask again
 * for what was given whole, then normalised, validated, deduplicated, published and recorded in the
 * ledger. Datasets of such a source are planned like any other. */

/* What the update was asked for. Everything is borrowed for the call. */
typedef struct lochan_source_context {
    uint32_t struct_size;
    const char *source, *dataset, *source_dataset;
    const char *start,
        *end; /* of the request, "YYYY-MM-DD"; start NULL = where the ledger begins */
    const char *const *assets; /* of the request; n_assets 0 = it names none */
    size_t n_assets;
    bool force, repair, backfill;
    const char *validate; /* "spec", "strict", "off" */
    int32_t workers;      /* as they are in force: the request's, else the source's */
    int32_t batch_size;   /* assets a scope, the request's or the dataset's */
    int32_t max_retries;
    double retry_backoff_seconds;
    const char *const *options; /* "key=value": `options` of the source's spec, with overrides */
    size_t n_options;
} lochan_source_context;

/* What one call of fetch is to bring. Everything is borrowed for the call. */
typedef struct lochan_source_scope {
    uint32_t struct_size;
    const lochan_source_context *context;
    const char *start, *end;   /* days, inclusive, "YYYY-MM-DD"; NULL if the dataset has no days */
    const char *const *assets; /* n_assets 0 = all there are */
    size_t n_assets;
    const char *const
        *parameters; /* "name=value": the dataset's, then those of its parameter set */
    size_t n_parameters;
    const char *parameter_set; /* its name, NULL = none */
} lochan_source_scope;

/* Where plan puts its windows; valid during the call. */
typedef struct lochan_source_plan lochan_source_plan;
/* Asks for the days start..end ("YYYY-MM-DD", inclusive) of the scope that is planned, which must
 * hold them; windows must not overlap. For use in plan only. */
LOCHAN_API lochan_status lochan_source_plan_add(lochan_source_plan *plan, const char *start,
                                                const char *end,
                                                lochan_error *err) LOCHAN_MUST_CHECK;

typedef struct lochan_source_callbacks {
    uint32_t struct_size;
    void *payload; /* handed to each call */
    /* Optional. Called for each window that is missing, in the thread that runs the update: adds
     * the windows to fetch, cut as it likes; days that it leaves out are not asked for and stay
     * missing in the ledger. Not called for datasets without days. A failure ends the update. */
    lochan_status (*plan)(void *payload, const lochan_source_scope *scope, lochan_source_plan *plan,
                          lochan_error *err);
    /* Gives the rows of a scope: struct batches whose columns have the names of the provider's
     * fields. A declared column is cast, if nothing is lost by it; fields that are not declared are
     * treated as those of other sources (docs/specs.md). Rows of other days are left out. The
     * stream is released by the library, in the thread that called fetch. On failure: a status and
     * code, message and retry_after_ms of *err; NETWORK, TIMEOUT, PAGE, RATE_LIMIT, or
     * err->retryable, is tried again within the update's retries. An error in the middle of the
     * stream counts alike; nothing of a scope lands unless its stream came to its end. */
    lochan_status (*fetch)(void *payload, const lochan_source_scope *scope,
                           struct ArrowArrayStream *out, lochan_error *err);
    void (*release)(
        void *payload); /* optional: once, when the last user is gone, from any thread */
    bool parallel; /* fetch may be called from several threads at a time; false: one call at a time,
                      from the thread that runs the update */
    uint8_t reserved[31];
} lochan_source_callbacks;
#define LOCHAN_SOURCE_CALLBACKS_INIT                                                               \
    {                                                                                              \
        sizeof(lochan_source_callbacks), NULL, NULL, NULL, NULL, false, {                          \
            0                                                                                      \
        }                                                                                          \
    }

/* Registers functions for the source of that name (which may be added to the lake before or after),
 * for this lake handle only; nothing is stored. A name that is registered already gets the new
 * ones, updates under way keep theirs. On failure release is not called. An update of a dataset of
 * kind callback without registered functions is INVALID_ARGUMENT. Unregistered by
 * lochan_source_unregister (NOT_FOUND) or when the lake is closed. */
LOCHAN_API lochan_status lochan_source_register(lochan_lake *lake, const char *source,
                                                const lochan_source_callbacks *callbacks,
                                                lochan_error *err) LOCHAN_MUST_CHECK;
LOCHAN_API lochan_status lochan_source_unregister(lochan_lake *lake, const char *source,
                                                  lochan_error *err) LOCHAN_MUST_CHECK;

#ifdef __cplusplus
}
#endif
#endif
