/* stream_public.c - the public way to read a stream with its whole error.
 * Invariant: no logic of its own. May call: array.h.
 */
#include "arrow/array.h"

lochan_status lochan_stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out,
                                       lochan_error *err) {
    return lochan_stream__schema(stream, out, err);
}

lochan_status lochan_stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out,
                                     lochan_error *err) {
    return lochan_stream__next(stream, out, err);
}
