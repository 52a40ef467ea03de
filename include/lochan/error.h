/* error.h - status codes and the caller-owned error record.
 *
 * Every fallible function returns a lochan_status that must be checked, and takes a `lochan_error
 * *err` as its last parameter, which may be NULL. On success *err is untouched; on failure it is
 * filled whole. Thread rule: a lochan_error belongs to one caller; nothing in the library keeps a
 * pointer to it.
 *
 * Since 0.1.
 */
#ifndef LOCHAN_ERROR_H
#define LOCHAN_ERROR_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__)
#define LOCHAN_API               __attribute__((visibility("default")))
#define LOCHAN_MUST_CHECK        __attribute__((warn_unused_result))
#define LOCHAN_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define LOCHAN_API
#define LOCHAN_MUST_CHECK
#define LOCHAN_PRINTF(fmt, args)
#endif

/* Codes are listed in errors.def: LOCHAN_OK, LOCHAN_ERR_INVALID_ARGUMENT, ... */
typedef enum lochan_status_code {
#define LOCHAN_STATUS(name, number, python, exit_code, retryable, text, hint)                      \
    LOCHAN_ERR_##name = (number),
#include <lochan/errors.def>
#undef LOCHAN_STATUS
    LOCHAN_OK = LOCHAN_ERR_OK
} lochan_status_code;

/* 0 is success, everything else a lochan_status_code. An int, so that a newer library may return
 * codes an older caller does not know. */
typedef int lochan_status;

/* What went wrong and where. Fields that do not apply are 0, -1 (offset, row, line) or an empty
 * string. Secrets never enter a lochan_error. */
typedef struct lochan_error {
    lochan_status code;
    int32_t sys_errno;      /* errno of the operating system, 0 = none */
    int32_t http_status;    /* 0 = none */
    bool retryable;         /* the same call may succeed later */
    int64_t retry_after_ms; /* what the provider asked for, -1 = nothing */
    int64_t offset;         /* byte in `file`, -1 = n/a */
    int64_t row;            /* 0-based row in table, file or page, -1 = n/a */
    int64_t line;           /* 1-based line of a text file, -1 = n/a */
    int64_t line_column;    /* 1-based column of a text file, -1 = n/a */
    char table[128];        /* "source.dataset" */
    char column[128];
    char file[256]; /* path relative to the lake, or as the caller named it; its end is kept if it
                       is too long */
    char message[512]; /* one sentence without a newline; complete on its own */
    char hint[256];    /* what the user can do, may be empty */
} lochan_error;

/* Sets *err to "no error". Not needed before a call; for callers that print unconditionally. */
LOCHAN_API void lochan_error_init(lochan_error *err);

/* Facts about a code, from errors.def. Unknown codes give "unknown", exit code 70, not retryable.
 * Static strings. */
LOCHAN_API const char *lochan_status_name(lochan_status status);   /* "NOT_FOUND" */
LOCHAN_API const char *lochan_status_text(lochan_status status);   /* "not found" */
LOCHAN_API const char *lochan_status_hint(lochan_status status);   /* default hint, may be "" */
LOCHAN_API const char *lochan_status_python(lochan_status status); /* "NotFoundError" */
LOCHAN_API int lochan_status_exit_code(lochan_status status);

#ifdef __cplusplus
}
#endif
#endif
