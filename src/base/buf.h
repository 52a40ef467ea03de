/* buf.h - a growing byte buffer that is born with its maximum size (idea: curl's dynbuf).
 * Invariant: len <= cap <= max; data is followed by a zero byte whenever data != NULL. Not
 * thread-safe. May call: mem.h.
 */
#ifndef LOCHAN_BASE_BUF_H
#define LOCHAN_BASE_BUF_H

#include "base/mem.h"

typedef struct lochan_buf {
    uint8_t *data;
    size_t len;
    size_t cap;
    size_t max;
} lochan_buf;

void lochan_buf__init(lochan_buf *buf, size_t max);
void lochan_buf__deinit(lochan_buf *buf); /* leaves it empty and usable again */
void lochan_buf__clear(lochan_buf *buf);  /* keeps the memory */

/* Makes room for `extra` more bytes. Past max: LOCHAN_ERR_MEMORY_LIMIT. */
lochan_status lochan_buf__reserve(lochan_buf *buf, size_t extra, lochan_error *err);
lochan_status lochan_buf__append(lochan_buf *buf, const void *data, size_t n, lochan_error *err);
lochan_status lochan_buf__puts(lochan_buf *buf, const char *s, lochan_error *err);
lochan_status lochan_buf__putc(lochan_buf *buf, char c, lochan_error *err);
lochan_status lochan_buf__printf(lochan_buf *buf, lochan_error *err, const char *fmt, ...)
    LOCHAN_PRINTF(3, 4);
/* JSON string with quotes and escapes; invalid UTF-8 becomes U+FFFD. */
lochan_status lochan_buf__json_string(lochan_buf *buf, const char *s, size_t n, lochan_error *err);

/* Little-endian integers and LEB128 varints, for our own formats and Thrift. */
lochan_status lochan_buf__u32le(lochan_buf *buf, uint32_t v, lochan_error *err);
lochan_status lochan_buf__u64le(lochan_buf *buf, uint64_t v, lochan_error *err);
lochan_status lochan_buf__varint(lochan_buf *buf, uint64_t v, lochan_error *err);

/* Hands out the bytes (lochan_mem__free them) and leaves the buffer empty. NULL if nothing was ever
 * appended. */
uint8_t *lochan_buf__take(lochan_buf *buf, size_t *len);

/* A bounded reader over bytes; every get fails (false) instead of reading past the end. */
typedef struct lochan_cursor {
    const uint8_t *pos;
    const uint8_t *end;
} lochan_cursor;

static inline size_t lochan_cursor__left(const lochan_cursor *c) {
    return (size_t)(c->end - c->pos);
}
bool lochan_cursor__u32le(lochan_cursor *c, uint32_t *out);
bool lochan_cursor__u64le(lochan_cursor *c, uint64_t *out);
bool lochan_cursor__varint(lochan_cursor *c, uint64_t *out); /* at most 10 bytes */
bool lochan_cursor__bytes(lochan_cursor *c, size_t n, const uint8_t **out);

#endif
