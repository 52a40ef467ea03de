/* text.c - growing texts, JSON strings, output with its errors.
 * Invariants and callers: see text.h. May call: libc, error.h.
 */
#include "cli/text.h"

#include "cli/cli.h"
#include "cli/terminal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define WRITE_SIZE ((size_t)1 << 16)

static void out_of_memory(void) {
    fputs("lochan: out of memory\n", stderr);
    exit(lochan_status_exit_code(LOCHAN_ERR_NO_MEMORY));
}

void *lochan_cli__alloc(size_t count, size_t size) {
    void *p = calloc(count ? count : 1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

void *lochan_cli__grow(void *p, size_t count, size_t size) {
    p = reallocarray(p, count ? count : 1, size ? size : 1);
    if (!p)
        out_of_memory();
    return p;
}

char *lochan_cli__dup(const char *s, size_t n) {
    char *copy = lochan_cli__alloc(n + 1, 1);
    memcpy(copy, s, n);
    return copy;
}

void lochan_cli__add(lochan_cli_text *t, const char *s, size_t n) {
    if (t->cap - t->len <= n) {
        size_t cap = t->cap ? t->cap : 256;
        while (cap - t->len <= n) {
            if (cap > SIZE_MAX / 2)
                out_of_memory();
            cap *= 2;
        }
        t->data = lochan_cli__grow(t->data, cap, 1);
        t->cap = cap;
    }
    if (n > 0)
        memcpy(t->data + t->len, s, n);
    t->len += n;
    t->data[t->len] = '\0';
}

void lochan_cli__adds(lochan_cli_text *t, const char *s) {
    lochan_cli__add(t, s, strlen(s));
}

void lochan_cli__addc(lochan_cli_text *t, char c) {
    lochan_cli__add(t, &c, 1);
}

void lochan_cli__addf(lochan_cli_text *t, const char *fmt, ...) {
    char small[512];
    va_list args;
    va_start(args, fmt);
    int n = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    if (n < 0)
        return;
    if ((size_t)n < sizeof small) {
        lochan_cli__add(t, small, (size_t)n);
        return;
    }
    char *large = lochan_cli__alloc((size_t)n + 1, 1);
    va_start(args, fmt);
    vsnprintf(large, (size_t)n + 1, fmt, args);
    va_end(args);
    lochan_cli__add(t, large, (size_t)n);
    free(large);
}

void lochan_cli__add_json(lochan_cli_text *t, const char *s, size_t n) {
    lochan_cli__addc(t, '"');
    size_t plain = 0; /* start of what can be copied as it is */
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        uint32_t code;
        size_t len = c < 0x80 ? 1 : lochan_cli__utf8(s + i, n - i, &code);
        if (len > 0 && c >= ' ' && c != '"' && c != '\\' && c != 0x7f) {
            i += len;
            continue;
        }
        lochan_cli__add(t, s + plain, i - plain);
        if (len == 0)
            lochan_cli__adds(t, "\\ufffd");
        else if (c == '"' || c == '\\')
            lochan_cli__addf(t, "\\%c", c);
        else if (c == '\n')
            lochan_cli__adds(t, "\\n");
        else if (c == '\t')
            lochan_cli__adds(t, "\\t");
        else if (c == '\r')
            lochan_cli__adds(t, "\\r");
        else
            lochan_cli__addf(t, "\\u%04x", c);
        plain = ++i;
    }
    lochan_cli__add(t, s + plain, n - plain);
    lochan_cli__addc(t, '"');
}

void lochan_cli__add_visible(lochan_cli_text *t, const char *s, size_t n) {
    for (size_t i = 0; i < n;) {
        unsigned char c = (unsigned char)s[i];
        uint32_t code = c;
        size_t len = lochan_cli__utf8(s + i, n - i, &code);
        bool control = code < ' ' || (code >= 0x7f && code < 0xa0);
        if (len > 0 && !control) {
            lochan_cli__add(t, s + i, len);
            i += len;
            continue;
        }
        if (c == '\n')
            lochan_cli__adds(t, "\\n");
        else if (c == '\t')
            lochan_cli__adds(t, "\\t");
        else if (len > 1) /* a control character of two bytes */
            lochan_cli__addf(t, "\\u%04x", (unsigned)code);
        else
            lochan_cli__addf(t, "\\x%02x", c);
        i += len ? len : 1;
    }
}

void lochan_cli__free(lochan_cli_text *t) {
    free(t->data);
    *t = (lochan_cli_text){0};
}

static void write_out(lochan_cli_out *out) {
    if (out->text.len == 0 || out->closed || out->failed) {
        out->text.len = 0;
        return;
    }
    errno = 0;
    if (fwrite(out->text.data, 1, out->text.len, out->file) != out->text.len ||
        fflush(out->file) != 0) {
        if (errno == EPIPE)
            out->closed = true;
        else
            out->failed = errno ? errno : EIO;
    }
    out->text.len = 0;
}

bool lochan_cli__drain(lochan_cli_out *out) {
    if (out->text.len >= WRITE_SIZE)
        write_out(out);
    return !out->closed && !out->failed;
}

lochan_status lochan_cli__finish(lochan_cli_out *out, lochan_error *err) {
    write_out(out);
    lochan_cli__free(&out->text);
    if (!out->failed)
        return LOCHAN_OK;
    lochan_status code =
        out->failed == ENOSPC || out->failed == EDQUOT ? LOCHAN_ERR_NO_SPACE : LOCHAN_ERR_IO;
    char why[128];
    lochan_cli__fail(err, code, "cannot write to %s: %s", out->name,
                     strerror_r(out->failed, why, sizeof why));
    err->sys_errno = out->failed;
    return code;
}
