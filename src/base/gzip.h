/* gzip.h - unpacks gzip files in memory.
 * Invariant: the output never grows past its buffer's maximum. May call: buf.h.
 */
#ifndef LOCHAN_BASE_GZIP_H
#define LOCHAN_BASE_GZIP_H

#include "base/buf.h"

/* Appends the contents of all members, checksums verified. CORRUPT with the offset of the bad
 * member, MEMORY_LIMIT past out->max. */
lochan_status lochan_gzip__unpack(const void *p, size_t n, lochan_buf *out, lochan_error *err);

#endif
