/* source.h - trying a source out: one small request, and first specs from a sample of an answer.
 * Sources themselves are added and changed with update.h. Thread rule as in lake.h. Since 0.2.
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
    char names[1024]; /* of the columns, separated by commas */
    bool more;        /* the answer says that other pages follow */
    uint8_t reserved[32];
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

#ifdef __cplusplus
}
#endif
#endif
