/* buf.c - the growing buffer with a maximum and the bounded reader.
 * Invariants: a failed call leaves length and contents as they were; cap counts without the zero
 * byte that follows. May call: mem.h.
 */
#include "base/buf.h"

#include <stdio.h>
#include <string.h>

#define FIRST_CAP ((size_t)64)

void lochan_buf__init(lochan_buf *buf, size_t max) {
    buf->data = NULL;
    buf->len = 0;
    buf->cap = 0;
    buf->max = max;
}

void lochan_buf__deinit(lochan_buf *buf) {
    lochan_mem__free(buf->data);
    lochan_buf__init(buf, buf->max);
}

void lochan_buf__clear(lochan_buf *buf) {
    buf->len = 0;
    if (buf->data)
        buf->data[0] = 0;
}

lochan_status lochan_buf__reserve(lochan_buf *buf, size_t extra, lochan_error *err) {
    size_t need, size;
    if (!lochan_size__add(buf->len, extra, &need) || need > buf->max)
        return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT,
                                 "a buffer of %zu bytes cannot take %zu more: its maximum is %zu",
                                 buf->len, extra, buf->max);
    if (need <= buf->cap && buf->data)
        return LOCHAN_OK;
    size_t cap = buf->cap < FIRST_CAP ? FIRST_CAP : buf->cap;
    while (cap < need && cap <= buf->max / 2)
        cap *= 2;
    if (cap < need)
        cap = need;
    if (cap > buf->max)
        cap = buf->max;
    if (!lochan_size__add(cap, 1, &size))
        return lochan_error__nomem(err);
    uint8_t *data = lochan_mem__realloc(buf->data, size);
    if (!data)
        return lochan_error__nomem(err);
    data[buf->len] = 0;
    buf->data = data;
    buf->cap = cap;
    return LOCHAN_OK;
}

lochan_status lochan_buf__append(lochan_buf *buf, const void *data, size_t n, lochan_error *err) {
    if (n == 0)
        return LOCHAN_OK;
    LOCHAN_TRY(lochan_buf__reserve(buf, n, err));
    memcpy(buf->data + buf->len, data, n);
    buf->len += n;
    buf->data[buf->len] = 0;
    return LOCHAN_OK;
}

lochan_status lochan_buf__puts(lochan_buf *buf, const char *s, lochan_error *err) {
    return lochan_buf__append(buf, s, strlen(s), err);
}

lochan_status lochan_buf__putc(lochan_buf *buf, char c, lochan_error *err) {
    return lochan_buf__append(buf, &c, 1, err);
}

lochan_status lochan_buf__printf(lochan_buf *buf, lochan_error *err, const char *fmt, ...) {
    va_list args;
    size_t room = buf->data ? buf->cap - buf->len + 1 : 0;
    va_start(args, fmt);
    int n = vsnprintf(room ? (char *)buf->data + buf->len : NULL, room, fmt, args);
    va_end(args);
    if (n < 0) {
        if (room)
            buf->data[buf->len] = 0;
        return lochan_error__set(err, LOCHAN_ERR_INTERNAL, "text cannot be formatted");
    }
    if ((size_t)n < room) {
        buf->len += (size_t)n;
        return LOCHAN_OK;
    }
    if (room)
        buf->data[buf->len] = 0;
    LOCHAN_TRY(lochan_buf__reserve(buf, (size_t)n, err));
    va_start(args, fmt);
    vsnprintf((char *)buf->data + buf->len, (size_t)n + 1, fmt, args);
    va_end(args);
    buf->len += (size_t)n;
    return LOCHAN_OK;
}

lochan_status lochan_buf__u32le(lochan_buf *buf, uint32_t v, lochan_error *err) {
    uint8_t b[4];
    for (int i = 0; i < 4; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    return lochan_buf__append(buf, b, sizeof b, err);
}

lochan_status lochan_buf__u64le(lochan_buf *buf, uint64_t v, lochan_error *err) {
    uint8_t b[8];
    for (int i = 0; i < 8; i++)
        b[i] = (uint8_t)(v >> (8 * i));
    return lochan_buf__append(buf, b, sizeof b, err);
}

lochan_status lochan_buf__varint(lochan_buf *buf, uint64_t v, lochan_error *err) {
    uint8_t b[10];
    size_t n = 0;
    while (v >= 0x80) {
        b[n++] = (uint8_t)(v | 0x80);
        v >>= 7;
    }
    b[n++] = (uint8_t)v;
    return lochan_buf__append(buf, b, n, err);
}

uint8_t *lochan_buf__take(lochan_buf *buf, size_t *len) {
    uint8_t *data = buf->data;
    if (len)
        *len = buf->len;
    lochan_buf__init(buf, buf->max);
    return data;
}

bool lochan_cursor__bytes(lochan_cursor *c, size_t n, const uint8_t **out) {
    if (lochan_cursor__left(c) < n) {
        *out = NULL;
        return false;
    }
    *out = c->pos;
    c->pos += n;
    return true;
}

bool lochan_cursor__u32le(lochan_cursor *c, uint32_t *out) {
    const uint8_t *p;
    *out = 0;
    if (!lochan_cursor__bytes(c, 4, &p))
        return false;
    for (int i = 0; i < 4; i++)
        *out |= (uint32_t)p[i] << (8 * i);
    return true;
}

bool lochan_cursor__u64le(lochan_cursor *c, uint64_t *out) {
    const uint8_t *p;
    *out = 0;
    if (!lochan_cursor__bytes(c, 8, &p))
        return false;
    for (int i = 0; i < 8; i++)
        *out |= (uint64_t)p[i] << (8 * i);
    return true;
}

bool lochan_cursor__varint(lochan_cursor *c, uint64_t *out) {
    const uint8_t *p = c->pos;
    uint64_t v = 0;
    *out = 0;
    for (int shift = 0; shift < 70; shift += 7) {
        if (p == c->end)
            return false;
        uint8_t b = *p++;
        if (shift == 63 && b > 1)
            return false; /* does not fit 64 bits */
        v |= (uint64_t)(b & 0x7F) << shift;
        if (!(b & 0x80)) {
            c->pos = p;
            *out = v;
            return true;
        }
    }
    return false;
}
