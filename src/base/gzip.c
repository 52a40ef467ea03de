/* gzip.c - libdeflate over whole buffers, member by member.
 * Invariant: room is guessed from the packed size and doubled, never taken from what the file
 * claims. May call: buf.h.
 */
#include "base/gzip.h"

#include <libdeflate.h>

#define FIRST_ROOM ((size_t)1 << 16)
#define BEST_RATIO 1040 /* deflate cannot pack tighter than about 1032 to 1 */

static lochan_status unpack_member(struct libdeflate_decompressor *unpacker, const uint8_t *in,
                                   size_t n, size_t *used, lochan_buf *out, lochan_error *err) {
    size_t most = n > SIZE_MAX / BEST_RATIO - 1 ? SIZE_MAX : (n + 1) * BEST_RATIO;
    size_t room = n < most / 4 ? n * 4 : most;
    for (;;) {
        if (room < FIRST_ROOM)
            room = FIRST_ROOM;
        if (room > out->max - out->len)
            room = out->max - out->len;
        LOCHAN_TRY(lochan_buf__reserve(out, room, err));
        size_t got = 0;
        enum libdeflate_result rc =
            libdeflate_gzip_decompress_ex(unpacker, in, n, out->data + out->len, room, used, &got);
        if (rc == LIBDEFLATE_SUCCESS) {
            out->len += got;
            out->data[out->len] = 0;
            return LOCHAN_OK;
        }
        if (rc != LIBDEFLATE_INSUFFICIENT_SPACE)
            return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "no valid gzip data");
        if (room == out->max - out->len)
            return lochan_error__set(err, LOCHAN_ERR_MEMORY_LIMIT, "unpacks to more than %zu bytes",
                                     out->max);
        if (room > most)
            return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "no valid gzip data");
        room *= 2;
    }
}

lochan_status lochan_gzip__unpack(const void *p, size_t n, lochan_buf *out, lochan_error *err) {
    lochan_status rc = LOCHAN_OK;
    const uint8_t *in = p;
    if (n == 0)
        return lochan_error__set(err, LOCHAN_ERR_CORRUPT, "no valid gzip data");
    struct libdeflate_decompressor *unpacker = libdeflate_alloc_decompressor();
    if (!unpacker)
        return lochan_error__nomem(err);
    for (size_t at = 0, used = 0; at < n && rc == LOCHAN_OK; at += used) {
        rc = unpack_member(unpacker, in + at, n - at, &used, out, err);
        if (rc != LOCHAN_OK)
            lochan_error__in_file(err, rc, NULL, (int64_t)at);
    }
    libdeflate_free_decompressor(unpacker);
    return rc;
}
