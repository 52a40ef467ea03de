/* utf8.c - validity of UTF-8 text and JSON strings made of it.
 * Invariant: over-long forms, surrogates and values above U+10FFFF are invalid. May call: str.h,
 * buf.h.
 */
#include "base/buf.h"
#include "base/str.h"

#include <stdio.h>
#include <string.h>

/* Length of the valid character at p (n > 0 bytes left), 0 if there is none. */
static size_t character(const uint8_t *p, size_t n) {
    uint8_t b = p[0];
    if (b < 0x80)
        return 1;
    size_t len = b >= 0xF0 ? 4 : b >= 0xE0 ? 3 : 2;
    if (b < 0xC2 || b > 0xF4 || n < len)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
    }
    if ((b == 0xE0 && p[1] < 0xA0) || (b == 0xED && p[1] > 0x9F) || (b == 0xF0 && p[1] < 0x90) ||
        (b == 0xF4 && p[1] > 0x8F))
        return 0;
    return len;
}

bool lochan_utf8__valid(const void *text, size_t n) {
    const uint8_t *p = text, *end = p ? p + n : p;
    while (p < end) {
        uint64_t word;
        while (end - p >= 8) { /* eight ASCII bytes at once */
            memcpy(&word, p, 8);
            if (word & UINT64_C(0x8080808080808080))
                break;
            p += 8;
        }
        if (p == end)
            break;
        size_t len = character(p, (size_t)(end - p));
        if (len == 0)
            return false;
        p += len;
    }
    return true;
}

static const char *short_escape(uint8_t c) {
    switch (c) {
    case '"':
        return "\\\"";
    case '\\':
        return "\\\\";
    case '\b':
        return "\\b";
    case '\f':
        return "\\f";
    case '\n':
        return "\\n";
    case '\r':
        return "\\r";
    case '\t':
        return "\\t";
    default:
        return NULL;
    }
}

static bool is_plain(uint8_t c) {
    return c >= 0x20 && c < 0x7F && c != '"' && c != '\\';
}

static lochan_status json_characters(lochan_buf *buf, const uint8_t *p, size_t n,
                                     lochan_error *err) {
    size_t i = 0;
    while (i < n) {
        size_t run = i;
        while (run < n && is_plain(p[run]))
            run++;
        LOCHAN_TRY(lochan_buf__append(buf, p + i, run - i, err));
        i = run;
        if (i == n)
            break;
        size_t len = character(p + i, n - i);
        const char *escape = short_escape(p[i]);
        if (escape)
            LOCHAN_TRY(lochan_buf__puts(buf, escape, err));
        else if (len == 1)
            LOCHAN_TRY(lochan_buf__printf(buf, err, "\\u%04x", p[i]));
        else if (len == 0)
            LOCHAN_TRY(lochan_buf__puts(buf, "\xEF\xBF\xBD", err));
        else
            LOCHAN_TRY(lochan_buf__append(buf, p + i, len, err));
        i += len ? len : 1;
    }
    return LOCHAN_OK;
}

lochan_status lochan_buf__json_string(lochan_buf *buf, const char *s, size_t n, lochan_error *err) {
    size_t before = buf->len;
    lochan_status rc = lochan_buf__putc(buf, '"', err);
    if (rc == LOCHAN_OK)
        rc = json_characters(buf, (const uint8_t *)s, n, err);
    if (rc == LOCHAN_OK)
        rc = lochan_buf__putc(buf, '"', err);
    if (rc != LOCHAN_OK && buf->data) { /* all or nothing */
        buf->len = before;
        buf->data[before] = 0;
    }
    return rc;
}
