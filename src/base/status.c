/* status.c - fills and decorates lochan_error; facts about the codes of errors.def.
 * Invariants: never allocates; a text that does not fit is cut at a character, a file name loses
 * its beginning. May call: nothing.
 */
#include "base/status.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct status_facts {
    int number;
    const char *name;
    const char *python;
    int exit_code;
    bool retryable;
    const char *text;
    const char *hint;
} status_facts;

static const status_facts facts[] = {
#define LOCHAN_STATUS(name, number, python, exit_code, retryable, text, hint)                      \
    {number, #name, python, exit_code, retryable, text, hint},
#include <lochan/errors.def>
#undef LOCHAN_STATUS
};

static const status_facts unknown_facts = {-1, "UNKNOWN", "Error", 70, false, "unknown", ""};

static const status_facts *facts_of(lochan_status status) {
    for (size_t i = 0; i < LOCHAN_COUNTOF(facts); i++) {
        if (facts[i].number == status)
            return &facts[i];
    }
    return &unknown_facts;
}

const char *lochan_status_name(lochan_status status) {
    return facts_of(status)->name;
}

const char *lochan_status_text(lochan_status status) {
    return facts_of(status)->text;
}

const char *lochan_status_hint(lochan_status status) {
    return facts_of(status)->hint;
}

const char *lochan_status_python(lochan_status status) {
    return facts_of(status)->python;
}

int lochan_status_exit_code(lochan_status status) {
    return facts_of(status)->exit_code;
}

void lochan_error_init(lochan_error *err) {
    if (!err)
        return;
    memset(err, 0, sizeof *err);
    err->retry_after_ms = -1;
    err->offset = -1;
    err->row = -1;
    err->line = -1;
    err->line_column = -1;
}

static bool is_continuation(char c) {
    return ((unsigned char)c & 0xC0) == 0x80;
}

/* A text of one line: control characters become blanks; a character cut in half at the end is
 * dropped. */
static void tidy(char *text, bool was_cut) {
    size_t n = strlen(text);
    if (was_cut) {
        size_t start = n;
        while (start > 0 && n - start < 4 && is_continuation(text[start - 1]))
            start--;
        if (start > 0 && (unsigned char)text[start - 1] >= 0xC0) {
            unsigned char lead = (unsigned char)text[start - 1];
            size_t need = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
            if (n - (start - 1) < need)
                text[start - 1] = '\0';
        }
    }
    for (char *p = text; *p; p++) {
        if ((unsigned char)*p < 0x20 || *p == 0x7F)
            *p = ' ';
    }
}

/* Formats through a local buffer, since the arguments may point into dst. */
static void put_text(char *dst, size_t cap, const char *fmt, va_list args) LOCHAN_PRINTF(3, 0);
static void put_text(char *dst, size_t cap, const char *fmt, va_list args) {
    char text[sizeof(((lochan_error *)0)->message)];
    if (cap > sizeof text)
        cap = sizeof text;
    int n = vsnprintf(text, cap, fmt, args);
    if (n < 0)
        text[0] = '\0';
    tidy(text, n >= 0 && (size_t)n >= cap);
    memcpy(dst, text, strlen(text) + 1);
}

/* Copies the beginning (or the end) of src if it does not fit. src may be dst's own record. */
static void put_name(char *dst, size_t cap, const char *src, bool keep_end) {
    size_t n = strlen(src);
    if (n < cap) {
        memmove(dst, src, n + 1);
    } else if (keep_end) {
        const char *from = src + (n - (cap - 1));
        while (is_continuation(*from))
            from++;
        memmove(dst, from, strlen(from) + 1);
    } else {
        memmove(dst, src, cap - 1);
        dst[cap - 1] = '\0';
    }
    tidy(dst, n >= cap && !keep_end);
}

lochan_status lochan_error__vset(lochan_error *err, lochan_status code, const char *fmt,
                                 va_list args) {
    if (!err)
        return code;
    const status_facts *f = facts_of(code);
    char message[sizeof err->message];
    put_text(message, sizeof message, fmt, args);
    lochan_error_init(err);
    err->code = code;
    err->retryable = f->retryable;
    memcpy(err->message, message, strlen(message) + 1);
    put_name(err->hint, sizeof err->hint, f->hint, false);
    return code;
}

lochan_status lochan_error__set(lochan_error *err, lochan_status code, const char *fmt, ...) {
    va_list args;
    va_start(args, fmt);
    lochan_error__vset(err, code, fmt, args);
    va_end(args);
    return code;
}

static lochan_status code_of_errno(int sys_errno) {
    switch (sys_errno) {
    case ENOSPC:
    case EDQUOT:
        return LOCHAN_ERR_NO_SPACE;
    case EROFS:
        return LOCHAN_ERR_READ_ONLY;
    case ENOMEM:
        return LOCHAN_ERR_NO_MEMORY;
    case ENOENT:
        return LOCHAN_ERR_NOT_FOUND;
    case EEXIST:
        return LOCHAN_ERR_EXISTS;
    default:
        return LOCHAN_ERR_IO;
    }
}

lochan_status lochan_error__sys(lochan_error *err, int sys_errno, const char *fmt, ...) {
    lochan_status code = code_of_errno(sys_errno);
    if (!err)
        return code;
    /* The text of the errno must survive a long message, so the message gets what is left. */
    const char *reason = strerrordesc_np(sys_errno);
    char number[32];
    if (!reason) {
        snprintf(number, sizeof number, "error %d", sys_errno);
        reason = number;
    }
    char message[sizeof err->message];
    va_list args;
    va_start(args, fmt);
    put_text(message, sizeof message - strlen(reason) - 2, fmt, args);
    va_end(args);
    lochan_error__set(err, code, "%s: %s", message, reason);
    err->sys_errno = sys_errno;
    return code;
}

lochan_status lochan_error__nomem(lochan_error *err) {
    return lochan_error__set(err, LOCHAN_ERR_NO_MEMORY, "out of memory");
}

lochan_status lochan_error__in_file(lochan_error *err, lochan_status code, const char *file,
                                    int64_t offset) {
    if (!err || code == LOCHAN_OK)
        return code;
    if (!err->file[0] && file)
        put_name(err->file, sizeof err->file, file, true);
    if (err->offset < 0)
        err->offset = offset;
    return code;
}

lochan_status lochan_error__in_line(lochan_error *err, lochan_status code, const char *file,
                                    int64_t line, int64_t line_column) {
    if (!err || code == LOCHAN_OK)
        return code;
    if (!err->file[0] && file)
        put_name(err->file, sizeof err->file, file, true);
    if (err->line < 0) {
        err->line = line;
        err->line_column = line_column;
    }
    return code;
}

lochan_status lochan_error__in_table(lochan_error *err, lochan_status code, const char *table,
                                     const char *column, int64_t row) {
    if (!err || code == LOCHAN_OK)
        return code;
    if (!err->table[0] && table)
        put_name(err->table, sizeof err->table, table, false);
    if (!err->column[0] && column)
        put_name(err->column, sizeof err->column, column, false);
    if (err->row < 0)
        err->row = row;
    return code;
}

lochan_status lochan_error__prefix(lochan_error *err, lochan_status code, const char *fmt, ...) {
    if (!err || code == LOCHAN_OK)
        return code;
    char prefix[256];
    va_list args;
    va_start(args, fmt);
    put_text(prefix, sizeof prefix, fmt, args);
    va_end(args);
    char message[sizeof prefix + sizeof err->message + 4];
    int n = snprintf(message, sizeof message, "%s: %s", prefix, err->message);
    size_t cap = sizeof err->message;
    put_name(err->message, cap, n > 0 ? message : prefix, false);
    return code;
}

void lochan_error__hint(lochan_error *err, const char *fmt, ...) {
    if (!err)
        return;
    va_list args;
    va_start(args, fmt);
    put_text(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
}

#ifndef NDEBUG
void lochan__assert_fail(const char *cond, const char *file, int line) {
    fprintf(stderr, "lochan: %s:%d: broken invariant: %s\n", file, line, cond);
    abort();
}
#endif
