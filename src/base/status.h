/* status.h - how lochan's own code returns and decorates errors.
 * Invariant: a function that returns non-zero has filled its err (if any). May call: nothing.
 */
#ifndef LOCHAN_BASE_STATUS_H
#define LOCHAN_BASE_STATUS_H

#include <lochan/error.h>
#include <stdarg.h>
#include <stddef.h>

/* Fills *err (if not NULL) and returns `code`. The message is one sentence without a newline. errno
 * is not consulted. */
lochan_status lochan_error__set(lochan_error *err, lochan_status code, const char *fmt, ...)
    LOCHAN_PRINTF(3, 4);
lochan_status lochan_error__vset(lochan_error *err, lochan_status code, const char *fmt,
                                 va_list args);

/* As set, for a failed system call: maps errno (ENOSPC/EDQUOT -> NO_SPACE, EROFS/EACCES/EPERM on
 * write -> IO or READ_ONLY, ENOMEM -> NO_MEMORY, ENOENT -> NOT_FOUND, else IO), appends its text,
 * fills sys_errno. */
lochan_status lochan_error__sys(lochan_error *err, int sys_errno, const char *fmt, ...)
    LOCHAN_PRINTF(3, 4);

/* Out of memory, without allocating. */
lochan_status lochan_error__nomem(lochan_error *err);

/* Decorations of an error that is already set; NULL err and OK codes are ignored. Fields already
 * filled are kept (the innermost place is the most exact one). Each returns `code`, so it can be
 * chained in a return. */
lochan_status lochan_error__in_file(lochan_error *err, lochan_status code, const char *file,
                                    int64_t offset);
lochan_status lochan_error__in_line(lochan_error *err, lochan_status code, const char *file,
                                    int64_t line, int64_t line_column);
lochan_status lochan_error__in_table(lochan_error *err, lochan_status code, const char *table,
                                     const char *column, int64_t row);
/* Puts "prefix: " before the message. */
lochan_status lochan_error__prefix(lochan_error *err, lochan_status code, const char *fmt, ...)
    LOCHAN_PRINTF(3, 4);
void lochan_error__hint(lochan_error *err, const char *fmt, ...) LOCHAN_PRINTF(2, 3);

/* Returns from the calling function if expr fails. Only where the function owns nothing yet. */
#define LOCHAN_TRY(expr)                                                                           \
    do {                                                                                           \
        lochan_status try_rc_ = (expr);                                                            \
        if (try_rc_ != LOCHAN_OK)                                                                  \
            return try_rc_;                                                                        \
    } while (0)

/* Jumps to `done:` if expr fails; the function has a variable `lochan_status rc`. */
#define LOCHAN_TRYG(expr)                                                                          \
    do {                                                                                           \
        rc = (expr);                                                                               \
        if (rc != LOCHAN_OK)                                                                       \
            goto done;                                                                             \
    } while (0)

/* In clean-up: runs expr, keeps the first error in `rc`. Pass err only if rc is still OK: use
 * LOCHAN_KEEP_ERR(rc, err) as the error argument. */
#define LOCHAN_KEEP(expr)                                                                          \
    do {                                                                                           \
        lochan_status keep_rc_ = (expr);                                                           \
        if (rc == LOCHAN_OK)                                                                       \
            rc = keep_rc_;                                                                         \
    } while (0)
#define LOCHAN_KEEP_ERR(rc, err) ((rc) == LOCHAN_OK ? (err) : NULL)

/* Argument checks of public functions: an error in every build. */
#define LOCHAN_CHECK_ARG(cond, err)                                                                \
    do {                                                                                           \
        if (!(cond))                                                                               \
            return lochan_error__set((err), LOCHAN_ERR_INVALID_ARGUMENT, "%s: expected %s",        \
                                     __func__, #cond);                                             \
    } while (0)

/* Invariants of our own code, debug builds only. Never for input bytes. */
#ifdef NDEBUG
#define LOCHAN_ASSERT(cond) ((void)0)
#else
void lochan__assert_fail(const char *cond, const char *file, int line) __attribute__((noreturn));
#define LOCHAN_ASSERT(cond) ((cond) ? (void)0 : lochan__assert_fail(#cond, __FILE__, __LINE__))
#endif

#define LOCHAN_COUNTOF(a) (sizeof(a) / sizeof((a)[0]))

#endif
