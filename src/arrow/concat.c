/* concat.c - whole batches one after the other.
 * Invariant: the work is done by the spans; a batch is one span. May call: base/, spans.h,
 * kernels.h.
 */
#include "arrow/kernels.h"
#include "arrow/spans.h"

#include <string.h>

lochan_status lochan_concat(const struct ArrowSchema *schema,
                            const struct ArrowArray *const *batches, size_t n,
                            struct ArrowArray *out, lochan_error *err) {
    memset(out, 0, sizeof(*out));
    lochan_span *spans = lochan_mem__array(n ? n : 1, sizeof(*spans));
    if (!spans)
        return lochan_error__nomem(err);
    for (size_t i = 0; i < n; i++)
        spans[i] = (lochan_span){batches[i], 0, batches[i]->length};
    lochan_status rc = lochan_spans__copy(schema, spans, n, out, err);
    lochan_mem__free(spans);
    return rc;
}
